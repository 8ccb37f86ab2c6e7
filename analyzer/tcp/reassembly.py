"""The bytes of TCP streams: segments that come out of order, twice or overlapping, put together; holes and contradictions told.

`Pieces` gives the bytes of each direction in order as soon as they are: what `follow` prints. `Reader` lays the bytes of each
direction one behind the other, across batches, for who reads messages in them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..protocols.common.framing import Stretches
from ..strings import Strings, joined, stacked
from ._reassembly import GIVEN, KINDS, TOLD, Order

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..fields import Headers
    from .tracker import Segments

NEEDS = frozenset({"tcp.stream", "tcp.seq"})  # fields to ask of the dissection: positions are the tracker's
HELD = 1 << 20  # bytes held behind a hole of one direction before the hole is given up
ALL = 64 << 20  # bytes of all directions that are held, that are remembered, and that a reader may leave for the next batch
LEFT = 1 << 10  # what it takes to leave something, beside the bytes
REMEMBERED = 1 << 20  # bytes of one direction that are compared with what comes again
DATA, HOLE, ACKNOWLEDGED, CUT, CONFLICT, LATE, URGENT, END = range(len(KINDS))
MISSING = (HOLE, ACKNOWLEDGED, CUT)


@dataclass
class Brought:
    """What became known of the bytes of streams, in that order.

    buffers: uint8, those that the rows' `source` counts; some are the batch's, and are used again by the next. rows: int64 (n, columns),
    the columns are named by `_pieces.TOLD`; kinds are those of `_pieces.KINDS`.
    """

    buffers: list[np.ndarray]
    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, name: str) -> np.ndarray:
        """A column by its name in TOLD, int64 (n,)."""
        return self.rows[:, TOLD.index(name)]

    def only(self, mask: np.ndarray) -> Brought:
        """The rows at mask, bool (n,)."""
        return Brought(self.buffers, self.rows[mask])


def told(data: np.ndarray, way: np.ndarray, **others: np.ndarray | int) -> Brought:
    """Rows with these columns, each int64 (n,) or the same for all; those that are not named are 0."""
    rows = np.zeros((len(way), len(TOLD)), np.int64)
    for name, values in {"way": way, **others}.items():
        rows[:, TOLD.index(name)] = values
    return Brought([data], rows)


class Pieces:
    """Puts the segments of each direction in order. State lives from batch to batch: what waits behind holes, at the most `most`
    bytes a direction, and the last `remember` to 2 · `remember` bytes of each direction; of either, `total` bytes in all.
    """

    def __init__(self, remember: int = REMEMBERED, most: int = HELD, total: int = ALL) -> None:
        self.order = Order(remember, most, total)

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
        buffers = [h.buffer for h in s.chunks]
        told, held = self.order.feed(given.data, [one.data for one in buffers])
        return _brought(told, held, buffers)

    def finish(self) -> Brought:
        """What is still held, once the trace has ended: its holes are given up."""
        told, held = self.order.finish()
        return _brought(told, held, [])


def _brought(rows: memoryview, held: memoryview, buffers: list[np.ndarray]) -> Brought:
    return Brought([np.frombuffer(held, np.uint8), *buffers], np.frombuffer(rows, np.int64).reshape(-1, len(TOLD)))


def _kept(h: Headers) -> np.ndarray:
    """Where in the buffer the data of each segment lies that the capture kept, int64 (n, 2)."""
    found = np.zeros((len(h), 2), np.int64)
    bounds, rows = h.column("tcp.payload")
    found[rows] = bounds
    return found


# ---------------------------------------------------------------- for who reads messages


class Reader:
    """Lays the bytes of each direction one behind the other. After each `feed`, `used` says how far they were read; what is left
    comes again with what follows. A reader decides by itself what is too long to wait for and calls it used, so that its results
    do not hang on where a batch ends. Only if all that is left takes more than ALL, what was left longest ago becomes a gap.
    """

    def __init__(self) -> None:
        self.left: dict[int, Brought] = {}
        self.size = 0
        self.lost: dict[int, tuple[int, int]] = {}  # way → position and size of what was given up
        self.dropped: list[tuple[int, int]] = []  # the same as (frame, bytes)

    def feed(self, brought: Brought) -> Stretches:
        """The stretches of the directions that have something new."""
        kind = brought["kind"]
        fresh = brought.rows[(kind == DATA) | (kind == END) | np.isin(kind, MISSING)]
        left = [*self._goes_on(dict.fromkeys(fresh[:, 0].tolist()))]
        rows = np.concatenate([*(one.rows for one in left), fresh])
        order = np.argsort(rows[:, 0], kind="stable")
        # Each row's bytes are in one of these columns, and the others' texts are empty: so buffers of the batch are not copied twice.
        held = stacked([Strings(one.buffers[0], one["start"], one["end"]) for one in left])
        start, end, source = (fresh[:, TOLD.index(name)] for name in ("start", "end", "source"))
        none = np.zeros(len(held), np.int64)
        parts = [Strings(held.data, *(np.append(bound, np.zeros_like(start))[order] for bound in (held.start, held.end)))]
        for nth, buffer in enumerate(brought.buffers):
            parts.append(Strings(buffer, *(np.append(none, bound * (source == nth))[order] for bound in (start, end))))
        laid = joined(parts)
        rows = rows[order]
        kind = rows[:, TOLD.index("kind")]
        lacks = np.isin(kind, MISSING)
        begins = lacks | (np.diff(rows[:, 0], prepend=-1) != 0)
        begins[1:] |= kind[:-1] == END  # what comes behind an end, against all rules, is another stretch, as in the next batch
        stops = np.append(begins[1:], True)[: len(rows)]
        first, last = np.flatnonzero(begins), np.flatnonzero(stops)
        size = np.where(lacks, rows[:, TOLD.index("size")], 0)[first]
        ends = np.append(0, np.cumsum(kind == END))
        position = rows[first, TOLD.index("position")] + size
        by = rows[:, TOLD.index("by")]
        ended = ends[last + 1] > ends[first]
        broken = (np.append(rows[first[1:], 0], -1)[: len(first)] == rows[first, 0]) & ~ended  # by what the next begins with
        return Stretches(
            laid.data,
            rows[first, 0],
            laid.start[first],
            laid.end[last],
            position,
            size,
            ended,
            rows,
            laid.start,
            rows[:, TOLD.index("frame")],
            rows[:, TOLD.index("time")],
            by,
            first,
            np.where(broken, np.append(by[first[1:]], 0)[: len(first)], by[last]),
        )

    def _goes_on(self, ways: Iterable[int]) -> Iterator[Brought]:
        """What is left of these, or the hole in its place."""
        for way in ways:
            if way in self.left:
                one = self.left.pop(way)
                self.size -= LEFT + len(one.buffers[0])
                yield one
            elif way in self.lost:
                position, size = self.lost.pop(way)
                yield told(np.zeros(0, np.uint8), way=np.array([way]), kind=HOLE, position=position, size=size)

    def used(self, s: Stretches, upto: np.ndarray) -> None:
        """The reader is done with data[start[i]:upto[i]] of each stretch (int64 (k,)). Only the last of a way can go on."""
        goes_on = np.append(s.way[1:] != s.way[:-1], True)[: len(s.way)] & ~s.ended & (upto < s.end)
        at = np.flatnonzero(goes_on)
        for i, begin, first, last in zip(at.tolist(), upto[at].tolist(), *(one.tolist() for one in s.pieces(upto[at], s.end[at]))):
            rows = s.rows[first:last].copy()
            size = rows[:, TOLD.index("size")]
            cut = np.maximum(begin - s.place[first:last], 0)
            size -= cut
            rows[:, TOLD.index("position")] += cut
            rows[:, TOLD.index("end")] = np.cumsum(size)
            rows[:, TOLD.index("start")] = np.cumsum(size) - size
            way = int(s.way[i])
            rows[:, TOLD.index("source")] = 0
            self.left[way] = Brought([s.data[begin : int(s.end[i])].copy()], rows)
            self.size += LEFT + len(self.left[way].buffers[0])
        while self.size > ALL:
            way = next(iter(self.left))
            one = self.left.pop(way)
            self.size -= LEFT + len(one.buffers[0])
            self.lost[way] = int(one["position"][0]), len(one.buffers[0])
            self.dropped.append((int(one["frame"][0]), len(one.buffers[0])))
