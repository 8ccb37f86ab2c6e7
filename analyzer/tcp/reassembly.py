"""The bytes of TCP streams: segments that come out of order, twice or overlapping, put together; holes and contradictions told.

`Pieces` gives the bytes of each direction in order as soon as they are: what `follow` prints. `Reader` lays the bytes of each
direction one behind the other, across batches, for who reads messages in them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..protocols.common.framing import ContiguousRuns
from ..strings import Strings, joined, stacked
from ._reassembly import INPUT, KINDS, OUTPUT, Order

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
class StreamEvents:
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
        return self.rows[:, OUTPUT.index(name)]

    def only(self, mask: np.ndarray) -> StreamEvents:
        """The rows at mask, bool (n,)."""
        return StreamEvents(self.buffers, self.rows[mask])


def told(data: np.ndarray, direction: np.ndarray, **others: np.ndarray | int) -> StreamEvents:
    """Rows with these columns, each int64 (n,) or the same for all; those that are not named are 0."""
    rows = np.zeros((len(direction), len(OUTPUT)), np.int64)
    for name, values in {"direction": direction, **others}.items():
        rows[:, OUTPUT.index(name)] = values
    return StreamEvents([data], rows)


class Pieces:
    """Puts the segments of each direction in order. State lives from batch to batch: what waits behind holes, at the most `most`
    bytes a direction, and the last `remember` to 2 · `remember` bytes of each direction; of either, `total` bytes in all.
    """

    def __init__(self, remember: int = REMEMBERED, most: int = HELD, total: int = ALL) -> None:
        self.order = Order(remember, most, total)

    def feed(self, s: Segments, wanted: np.ndarray) -> StreamEvents:
        """Take the segments of a batch; wanted: bool (n,), those to take. What ICMP errors quote is never taken."""
        rows = np.flatnonzero(wanted & (s["live"] != 0))
        given = np.zeros((len(INPUT), len(rows)), np.int64)

        def give(name: str, values: np.ndarray) -> None:
            given[INPUT.index(name)] = values[rows]

        give("direction", s["stream"] * 2 + s["back"])
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

    def finish(self) -> StreamEvents:
        """What is still held, once the trace has ended: its holes are given up."""
        told, held = self.order.finish()
        return _brought(told, held, [])


def _brought(rows: memoryview, held: memoryview, buffers: list[np.ndarray]) -> StreamEvents:
    return StreamEvents([np.frombuffer(held, np.uint8), *buffers], np.frombuffer(rows, np.int64).reshape(-1, len(OUTPUT)))


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
        self.left: dict[int, StreamEvents] = {}
        self.size = 0
        self.lost: dict[int, tuple[int, int]] = {}  # way → position and size of what was given up
        self.dropped: list[tuple[int, int]] = []  # the same as (frame, bytes)

    def feed(self, events: StreamEvents) -> ContiguousRuns:
        """The stretches of the directions that have something new."""
        kind = events["kind"]
        fresh = events.rows[(kind == DATA) | (kind == END) | np.isin(kind, MISSING)]
        left = [*self._goes_on(dict.fromkeys(fresh[:, 0].tolist()))]
        rows = np.concatenate([*(one.rows for one in left), fresh])
        order = np.argsort(rows[:, 0], kind="stable")
        # Each row's bytes are in one of these columns, and the others' texts are empty: so buffers of the batch are not copied twice.
        held = stacked([Strings(one.buffers[0], one["start"], one["end"]) for one in left])
        start, end, source = (fresh[:, OUTPUT.index(name)] for name in ("start", "end", "source"))
        none = np.zeros(len(held), np.int64)
        parts = [Strings(held.data, *(np.append(bound, np.zeros_like(start))[order] for bound in (held.start, held.end)))]
        for nth, buffer in enumerate(events.buffers):
            parts.append(Strings(buffer, *(np.append(none, bound * (source == nth))[order] for bound in (start, end))))
        laid = joined(parts)
        rows = rows[order]
        kind = rows[:, OUTPUT.index("kind")]
        lacks = np.isin(kind, MISSING)
        begins = lacks | (np.diff(rows[:, 0], prepend=-1) != 0)
        begins[1:] |= kind[:-1] == END  # what comes behind an end, against all rules, is another stretch, as in the next batch
        stops = np.append(begins[1:], True)[: len(rows)]
        first, last = np.flatnonzero(begins), np.flatnonzero(stops)
        size = np.where(lacks, rows[:, OUTPUT.index("size")], 0)[first]
        ends = np.append(0, np.cumsum(kind == END))
        position = rows[first, OUTPUT.index("position")] + size
        by = rows[:, OUTPUT.index("by")]
        ended = ends[last + 1] > ends[first]
        broken = (np.append(rows[first[1:], 0], -1)[: len(first)] == rows[first, 0]) & ~ended  # by what the next begins with
        return ContiguousRuns(
            laid.data,
            rows[first, 0],
            laid.start[first],
            laid.end[last],
            position,
            size,
            ended,
            rows,
            laid.start,
            rows[:, OUTPUT.index("frame")],
            rows[:, OUTPUT.index("time")],
            by,
            first,
            np.where(broken, np.append(by[first[1:]], 0)[: len(first)], by[last]),
        )

    def _goes_on(self, directions: Iterable[int]) -> Iterator[StreamEvents]:
        """What is left of these, or the hole in its place."""
        for direction in directions:
            if direction in self.left:
                one = self.left.pop(direction)
                self.size -= LEFT + len(one.buffers[0])
                yield one
            elif direction in self.lost:
                position, size = self.lost.pop(direction)
                yield told(np.zeros(0, np.uint8), direction=np.array([direction]), kind=HOLE, position=position, size=size)

    def used(self, s: ContiguousRuns, upto: np.ndarray) -> None:
        """The reader is done with data[start[i]:upto[i]] of each stretch (int64 (k,)). Only the last of a way can go on."""
        goes_on = np.append(s.direction[1:] != s.direction[:-1], True)[: len(s.direction)] & ~s.ended & (upto < s.end)
        at = np.flatnonzero(goes_on)
        for i, begin, first, last in zip(at.tolist(), upto[at].tolist(), *(one.tolist() for one in s.segments(upto[at], s.end[at]))):
            rows = s.rows[first:last].copy()
            size = rows[:, OUTPUT.index("size")]
            cut = np.maximum(begin - s.place[first:last], 0)
            size -= cut
            rows[:, OUTPUT.index("position")] += cut
            rows[:, OUTPUT.index("end")] = np.cumsum(size)
            rows[:, OUTPUT.index("start")] = np.cumsum(size) - size
            direction = int(s.direction[i])
            rows[:, OUTPUT.index("source")] = 0
            self.left[direction] = StreamEvents([s.data[begin : int(s.end[i])].copy()], rows)
            self.size += LEFT + len(self.left[direction].buffers[0])
        while self.size > ALL:
            direction = next(iter(self.left))
            one = self.left.pop(direction)
            self.size -= LEFT + len(one.buffers[0])
            self.lost[direction] = int(one["position"][0]), len(one.buffers[0])
            self.dropped.append((int(one["frame"][0]), len(one.buffers[0])))
