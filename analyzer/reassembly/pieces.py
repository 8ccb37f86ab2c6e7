"""The bytes of TCP streams: segments that come out of order, twice or overlapping, put together; holes and contradictions told.

`Pieces` gives the bytes of each direction in order as soon as they are: what `follow` prints. `Reader` lays the bytes of each
direction one behind the other, across batches, for who reads messages in them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ._pieces import GIVEN, KINDS, TOLD, Order

if TYPE_CHECKING:
    from ..fields import Headers
    from .streams import Segments

NEEDS = frozenset({"tcp.stream", "tcp.analysis.flags"})  # fields to ask of the dissection: positions are the tracker's
HELD = 1 << 20  # bytes held behind a hole of one direction before the hole is given up
REMEMBERED = 1 << 20  # bytes of one direction that are compared with what comes again
DATA, HOLE, ACKNOWLEDGED, CUT, CONFLICT, LATE, URGENT = range(len(KINDS))
MISSING = (HOLE, ACKNOWLEDGED, CUT)


@dataclass
class Brought:
    """What became known of the bytes of streams, in that order.

    data: uint8. rows: int64 (n, columns), the columns are named by `_pieces.TOLD`; kinds are those of `_pieces.KINDS`.
    """

    data: np.ndarray
    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, name: str) -> np.ndarray:
        """A column by its name in TOLD, int64 (n,)."""
        return self.rows[:, TOLD.index(name)]


class Pieces:
    """Puts the segments of each direction in order. State lives from batch to batch: what waits behind holes, at the most `most`
    bytes a direction (and 64 MiB in all), and the last `remember` bytes of each direction.
    """

    def __init__(self, remember: int = REMEMBERED, most: int = HELD) -> None:
        self.order = Order(remember, most)

    def feed(self, s: Segments, wanted: np.ndarray) -> Brought:
        """Take the segments of a batch; wanted: bool (n,), those to take. What ICMP errors quote is never taken."""
        rows = np.flatnonzero(wanted & (s["live"] != 0))
        given = np.zeros((len(GIVEN), len(rows)), np.int64)

        def give(name: str, values: np.ndarray) -> None:
            given[GIVEN.index(name)] = values[rows]

        give("way", s["stream"] * 2 + s["back"])
        give("base", s["own"])
        for name in ("position", "length", "flags", "acked", "frame", "time"):
            give(name, s[name])
        give("urgent", s.column("tcp.urgent_pointer"))
        bounds = np.concatenate([_kept(h) for h in s.chunks])[s.order]
        give("start", bounds[:, 0])
        give("end", bounds[:, 1])
        give("source", np.repeat(np.arange(len(s.chunks)), [len(h) for h in s.chunks])[s.order])
        return _brought(*self.order.feed(given.data, [h.buffer.data for h in s.chunks]))

    def finish(self) -> Brought:
        """What is still held, once the trace has ended: its holes are given up."""
        return _brought(*self.order.finish())


def _brought(rows: object, data: bytearray) -> Brought:
    return Brought(np.frombuffer(data, np.uint8), np.array(rows, np.int64).reshape(-1, len(TOLD)))


def _kept(h: Headers) -> np.ndarray:
    """Where in the buffer the data of each segment lies that the capture kept, int64 (n, 2)."""
    found = np.zeros((len(h), 2), np.int64)
    bounds, rows = h.column("tcp.payload")
    found[rows] = bounds
    return found
