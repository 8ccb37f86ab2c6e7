"""Correlators: what needs earlier frames. One file each, found by walking this folder; the dissecting loop knows none by name.

A correlator declares which protocols it reads and which fields it computes for their headers, takes the headers of each batch, and
reports what it forgot to bound memory.
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
MOST = 100_000  # entries of one kind that a correlator remembers


class Correlator:
    """State about the headers of some protocols, from batch to batch.

    reads: protocols whose headers `feed` takes. gives: fields that it computes for them; each is among its protocol's external_fields.
    needs: fields that must be computed before. precedence: the least runs first; those below 0 run before datagrams are claimed.
    wanted: names of the requested fields; if none of `gives` is among them, the correlator is not used.
    """

    reads: ClassVar[tuple[str, ...]] = ()
    gives: ClassVar[AbstractSet[str]] = frozenset()
    needs: ClassVar[AbstractSet[str]] = frozenset()
    precedence: ClassVar[int] = 0

    def __init__(self, wanted: AbstractSet[str]) -> None:
        self.wanted = wanted

    def feed(self, headers: list[Headers], batch: Batch) -> None:
        """Put the fields into the headers of one batch. headers: of the protocols in `reads`, in that order."""

    def forgotten(self) -> Iterator[str]:
        """Sentences: what was forgotten to bound memory, and the consequence."""
        return iter(())


@dataclass
class PendingDatagrams:
    """UDP payloads of one group of headers that have no protocol by their ports; arrays of shape (n,).

    opens: int64, index of the protocol of requests whose answers come from another port; -1 for others. depth: headers around
    them. undecided: bool, no `-d` rule applies to their ports. free: bool, not claimed yet.
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
    """Finds the protocol of UDP payloads by earlier frames, where ports do not determine it. `feed` is called before `claim`.

    opens: protocols that it may find. on_demand: it is used only if one of these is requested.
    """

    opens: Collection[str] = ()
    on_demand: ClassVar[bool] = False

    def claim(self, pending: list[PendingDatagrams], batch: Batch) -> list[Carried]:
        """Claim payloads that are free; returns these."""
        raise NotImplementedError


class StreamClaimer(Correlator):
    """Finds the protocol of TCP streams that messages of `reads` announced; these are framed first. opens: that protocol."""

    opens: ClassVar[str]

    def decide(self, segments: Segments, rows: np.ndarray) -> np.ndarray:
        """Which of these segments start an announced connection, bool (n,). rows: int64 (n,), the first with data of each stream."""
        raise NotImplementedError

    def annotate(self, h: Headers, first: int) -> None:
        """Put the fields about their connection into headers of `opens`. first: number of the batch's first frame."""


@dataclass
class FragmentGroup:
    """Fragments of one group of headers; arrays of shape (n,).

    number: int64, the protocol number in their headers. outputs: int64 (rows of `_fragments.OUTPUT`, n), set by `reassemble`.
    completes: bool, the fragment made its datagram whole.
    """

    headers: Headers
    spans: Spans
    number: np.ndarray
    fragment: Fragment
    depth: int
    outputs: np.ndarray
    completes: np.ndarray


class Reassembler(Correlator):
    """Reassembles datagrams. policy: which fragment's bytes count where fragments overlap."""

    def __init__(self, wanted: AbstractSet[str], policy: str) -> None:
        super().__init__(wanted)

    def start(self) -> None:
        """Start a batch."""

    def reassemble(self, groups: list[FragmentGroup], batch: Batch) -> list[tuple[Carried, np.ndarray]]:
        """The datagrams completed by these fragments, all at one depth, and their protocol numbers (int64)."""
        raise NotImplementedError


@cache
def correlators() -> dict[str, tuple[type[Correlator], ...]]:
    """File name → its correlators."""
    result = {}
    for module in pkgutil.iter_modules(__path__):
        if not module.name.startswith("_"):
            file = importlib.import_module(f"{__name__}.{module.name}")
            classes = (c for c in vars(file).values() if isinstance(c, type) and issubclass(c, Correlator))
            result[module.name] = tuple(c for c in classes if c.__module__ == file.__name__)
    return result


class Remembered(dict[Hashable, V], Generic[V]):
    """A dict of at most `most` entries: a new one displaces the oldest. forgotten: how many were displaced."""

    def __init__(self, most: int = MOST) -> None:
        super().__init__()
        self.most, self.forgotten = most, 0

    def __setitem__(self, key: Hashable, value: V) -> None:
        if key not in self and len(self) >= self.most:
            del self[next(iter(self))]
            self.forgotten += 1
        super().__setitem__(key, value)


def forgot(count: int, what: str, consequence: str) -> Iterator[str]:
    """The sentence about `count` forgotten entries; nothing if there are none."""
    if count:
        yield f"{count:,} {what}, the oldest, were forgotten to bound memory: {consequence}"
