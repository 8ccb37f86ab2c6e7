"""Correlators: what needs earlier frames. One file each, found by walking this folder; the dissecting loop knows none by name.

A correlator says which protocols it reads and which fields it gives to their headers, takes the headers of each batch, and says what
it had to forget to bound memory.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

if TYPE_CHECKING:
    from ..capture import Batch
    from ..fields import Headers

V = TypeVar("V")
MOST = 100_000  # entries that a correlator remembers of one kind


class Correlator:
    """What is remembered of the headers of some protocols, from batch to batch.

    reads: protocols whose headers `feed` takes. gives: fields that it computes for them; each is among its protocol's external_fields.
    needs: fields that must be computed before. wanted: names of fields that somebody asks for; if none of `gives` is among them,
    `feed` is never called.
    """

    reads: ClassVar[tuple[str, ...]] = ()
    gives: ClassVar[frozenset[str]] = frozenset()
    needs: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, wanted: AbstractSet[str]) -> None:
        self.wanted = wanted

    def feed(self, headers: list[Headers], batch: Batch) -> None:
        """Put the fields into the headers of one batch: those of the protocols in `reads`, in that order."""

    def forgotten(self) -> Iterator[tuple[int, str, str]]:
        """What was forgotten to bound memory: how many, of what, and what follows from it."""
        return iter(())


class Remembered(dict[Hashable, V], Generic[V]):
    """A dict of at most `most` entries: the oldest is forgotten for a new one, and counted. An entry that is set again is new."""

    def __init__(self, most: int = MOST) -> None:
        super().__init__()
        self.most, self.forgotten = most, 0

    def __setitem__(self, key: Hashable, value: V) -> None:
        self.pop(key, None)
        if len(self) >= self.most:
            del self[next(iter(self))]
            self.forgotten += 1
        super().__setitem__(key, value)
