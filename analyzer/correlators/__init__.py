"""Correlators: what needs earlier frames. One file each, found by walking this folder; the dissecting loop knows none by name.

A correlator says which protocols it reads and which fields it gives to their headers, takes the headers of each batch, and says what
it had to forget to bound memory.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Collection, Hashable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

import numpy as np

from ..fields import Carried, Fragment, Headers, Spans

if TYPE_CHECKING:
    from ..capture import Batch
    from ..tcp.tracker import Segments

V = TypeVar("V")
MOST = 100_000  # entries that a correlator remembers of one kind


class Correlator:
    """What is remembered of the headers of some protocols, from batch to batch.

    reads: protocols whose headers `feed` takes. gives: fields that it computes for them; each is among its protocol's external_fields.
    needs: fields that must be computed before. precedence: who has the least comes first; below 0, before datagrams are claimed.
    wanted: names of fields that somebody asks for; if none of `gives` is among them, the correlator is not used.
    """

    reads: ClassVar[tuple[str, ...]] = ()
    gives: ClassVar[AbstractSet[str]] = frozenset()
    needs: ClassVar[AbstractSet[str]] = frozenset()
    precedence: ClassVar[int] = 0

    def __init__(self, wanted: AbstractSet[str]) -> None:
        self.wanted = wanted

    def feed(self, headers: list[Headers], batch: Batch) -> None:
        """Put the fields into the headers of one batch: those of the protocols in `reads`, in that order."""

    def forgotten(self) -> Iterator[str]:
        """Sentences that say what was forgotten to bound memory, and what follows from it."""
        return iter(())


@dataclass
class PendingDatagrams:
    """UDP payloads that one group of headers carries, and that no port names; arrays of shape (n,).

    opens: int64, the protocol of those that a port names, but whose answers come from another port; -1 of the others. depth: how deep
    they lie. undecided: bool, the user says nothing of their ports. free: bool, nobody has claimed them yet.
    """

    headers: Headers
    spans: Spans
    numbers: tuple[np.ndarray, ...]
    depth: int
    opens: np.ndarray
    undecided: np.ndarray
    free: np.ndarray

    def claim(self, protocol: str, rows: np.ndarray, columns: dict[str, np.ndarray]) -> Carried:
        """Give the payloads at these rows to a protocol. columns: as `Carried` has them."""
        self.free[rows] = False
        return Carried(protocol, self.headers, self.spans.take(rows), "udp.port", self.headers.buffer, self.headers.base, columns)


class DatagramClaimer(Correlator):
    """Tells UDP payloads that no port names by earlier frames. `feed` comes first.

    opens: protocols that it may find. on_demand: it is used only if somebody asks for one of these.
    """

    opens: Collection[str] = ()
    on_demand: ClassVar[bool] = False

    def claim(self, pending: list[PendingDatagrams], batch: Batch) -> list[Carried]:
        """Claim what is free, and return it."""
        raise NotImplementedError


class StreamClaimer(Correlator):
    """Tells TCP streams by what messages of `reads` announced, which are read before those of other protocols. opens: what it finds."""

    opens: ClassVar[str]

    def decide(self, segments: Segments, rows: np.ndarray) -> np.ndarray:
        """Which of these segments (int64 (n,), each the first with data of its stream) begin an announced connection, bool (n,)."""
        raise NotImplementedError

    def annotate(self, h: Headers, first: int) -> None:
        """Put what is known of its connection into headers of `opens`. first: number of the batch's first frame."""


@dataclass
class FragmentGroup:
    """Fragments that one group of headers carries; arrays of shape (n,).

    number: int64, the protocol number that their headers say. outputs: int64 (columns, n), what `Reassembler.reassemble` found out.
    completes: bool, after this fragment its datagram was whole.
    """

    headers: Headers
    spans: Spans
    number: np.ndarray
    fragment: Fragment
    depth: int
    outputs: np.ndarray
    completes: np.ndarray


class Reassembler(Correlator):
    """Puts datagrams together from fragments. policy: whose bytes count where fragments overlap."""

    def __init__(self, wanted: AbstractSet[str], policy: str) -> None:
        super().__init__(wanted)

    def start(self) -> None:
        """A batch begins."""

    def reassemble(self, groups: list[FragmentGroup], batch: Batch) -> list[tuple[Carried, np.ndarray]]:
        """The datagrams that these fragments, all at one depth, made whole, with their protocol numbers (int64)."""
        raise NotImplementedError


@cache
def correlators() -> dict[str, tuple[type[Correlator], ...]]:
    """The correlators of each file, by its name."""
    found = {}
    for module in pkgutil.iter_modules(__path__):
        if not module.name.startswith("_"):
            file = importlib.import_module(f"{__name__}.{module.name}")
            own = (one for one in vars(file).values() if isinstance(one, type) and issubclass(one, Correlator))
            found[module.name] = tuple(one for one in own if one.__module__ == file.__name__)
    return found


class Remembered(dict[Hashable, V], Generic[V]):
    """A dict of at most `most` entries: for a new one the oldest is forgotten, and counted."""

    def __init__(self, most: int = MOST) -> None:
        super().__init__()
        self.most, self.forgotten = most, 0

    def __setitem__(self, key: Hashable, value: V) -> None:
        if key not in self and len(self) >= self.most:
            del self[next(iter(self))]
            self.forgotten += 1
        super().__setitem__(key, value)


def forgot(count: int, what: str, consequence: str) -> Iterator[str]:
    """The sentence about entries that were forgotten; none if none was."""
    if count:
        yield f"{count:,} {what}, the oldest, were forgotten to bound memory: {consequence}"
