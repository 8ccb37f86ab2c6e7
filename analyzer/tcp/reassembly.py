"""Reassembly of TCP streams: segments that come out of order, twice or overlapping are put in order; holes and conflicts are reported.

`StreamReassembler` gives the bytes of each direction in order as soon as they are: what `follow` prints. `ByteStreams` joins the bytes
of each direction to contiguous runs, across batches, for framers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..protocols.common.framing import ContiguousRuns
from ..strings import Strings, concat, concat_str
from ._reassembly import INPUT, KINDS, OUTPUT, ReorderQueues

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..fields import Headers
    from .tracker import Segments

NEEDS = frozenset({"tcp.stream", "tcp.seq"})  # fields to ask of the dissection: positions are the tracker's
HELD = 1 << 20  # bytes held behind a hole of one direction; beyond, the hole is given up
ALL = 64 << 20  # bytes of all directions that are held, that are remembered, and that a framer may leave unread
OVERHEAD = 1 << 10  # bytes of memory that unread bytes of a direction take besides themselves
REMEMBERED = 1 << 20  # bytes of one direction that are compared with retransmissions
DATA, HOLE, ACKNOWLEDGED, CUT, CONFLICT, LATE, URGENT, END = range(len(KINDS))
MISSING = (HOLE, ACKNOWLEDGED, CUT)


@dataclass
class StreamEvents:
    """What became known of the bytes of streams, in that order.

    buffers: uint8, those that the column `source` counts; some are the batch's, and are used again by the next. rows: int64 (n, columns
    of `_reassembly.OUTPUT`); kinds are those of `_reassembly.KINDS`.
    """

    buffers: list[np.ndarray]
    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, name: str) -> np.ndarray:
        """A column by its name in OUTPUT, int64 (n,)."""
        return self.rows[:, OUTPUT.index(name)]

    def only(self, mask: np.ndarray) -> StreamEvents:
        """The rows at mask, bool (n,)."""
        return StreamEvents(self.buffers, self.rows[mask])


def stream_events(data: np.ndarray, direction: np.ndarray, **columns: np.ndarray | int) -> StreamEvents:
    """Events with these columns, each int64 (n,) or the same for all; those that are not named are 0."""
    rows = np.zeros((len(direction), len(OUTPUT)), np.int64)
    for name, values in {"direction": direction, **columns}.items():
        rows[:, OUTPUT.index(name)] = values
    return StreamEvents([data], rows)


class StreamReassembler:
    """Puts the segments of each direction in order. State lives from batch to batch: what is held behind holes, at most `limit` bytes
    a direction, and the last `remember` to 2 · `remember` bytes of each direction; of either, `total` bytes in all.
    """

    def __init__(self, remember: int = REMEMBERED, limit: int = HELD, total: int = ALL) -> None:
        self.queues = ReorderQueues(remember, limit, total)

    def feed(self, s: Segments, wanted: np.ndarray) -> StreamEvents:
        """Take the segments of a batch. wanted: bool (n,), those to take; segments that ICMP errors quote are never taken."""
        rows = np.flatnonzero(wanted & (s["live"] != 0))
        matrix = np.zeros((len(INPUT), len(rows)), np.int64)

        def put(name: str, values: np.ndarray) -> None:
            matrix[INPUT.index(name)] = values[rows]

        put("direction", s["stream"] * 2 + s["back"])
        put("base", s["own"])
        for name in ("position", "length", "flags", "acked", "frame", "time"):
            put(name, s[name])
        put("urgent", s.column("tcp.urgent_pointer"))
        bounds = np.concatenate([_captured(h) for h in s.chunks])[s.order]
        put("start", bounds[:, 0])
        put("end", bounds[:, 1])
        put("source", np.repeat(np.arange(len(s.chunks)), [len(h) for h in s.chunks])[s.order])
        buffers = [h.buffer for h in s.chunks]
        events, held = self.queues.feed(matrix.data, [buffer.data for buffer in buffers])
        return _events(events, held, buffers)

    def finish(self) -> StreamEvents:
        """Once the trace has ended: what is still held; its holes are given up."""
        events, held = self.queues.finish()
        return _events(events, held, [])


def _events(rows: memoryview, held: memoryview, buffers: list[np.ndarray]) -> StreamEvents:
    return StreamEvents([np.frombuffer(held, np.uint8), *buffers], np.frombuffer(rows, np.int64).reshape(-1, len(OUTPUT)))


def _captured(h: Headers) -> np.ndarray:
    """Where in the buffer the captured data of each segment begins and ends, int64 (n, 2)."""
    places = np.zeros((len(h), 2), np.int64)
    bounds, rows = h.column("tcp.payload")
    places[rows] = bounds
    return places


# ---------------------------------------------------------------- for framers


class ByteStreams:
    """Joins the bytes of each direction to contiguous runs. After each `feed`, the framer tells `consume` how far it read them; the
    rest comes again with what follows. The framer itself decides what is too long to wait for and reads over it, so its results do not
    depend on where a batch ends. Only if all unread bytes take more than ALL, those that have waited longest become a gap.
    """

    def __init__(self) -> None:
        self.unread: dict[int, StreamEvents] = {}
        self.size = 0
        self.gaps: dict[int, tuple[int, int]] = {}  # direction → position and size of what was dropped
        self.dropped: list[tuple[int, int]] = []  # the same as (frame, bytes)

    def feed(self, events: StreamEvents) -> ContiguousRuns:
        """The runs of the directions that have new bytes or a hole."""
        kind = events["kind"]
        fresh = events.rows[(kind == DATA) | (kind == END) | np.isin(kind, MISSING)]
        unread = [*self._take_unread(dict.fromkeys(fresh[:, 0].tolist()))]
        rows = np.concatenate([*(rest.rows for rest in unread), fresh])
        order = np.argsort(rows[:, 0], kind="stable")
        # Each row's bytes are in one of these columns, and the others' texts are empty: so buffers of the batch are not copied twice.
        held = concat([Strings(rest.buffers[0], rest["start"], rest["end"]) for rest in unread])
        start, end, source = (fresh[:, OUTPUT.index(name)] for name in ("start", "end", "source"))
        none = np.zeros(len(held), np.int64)
        parts = [Strings(held.data, *(np.append(bound, np.zeros_like(start))[order] for bound in (held.start, held.end)))]
        for nth, buffer in enumerate(events.buffers):
            parts.append(Strings(buffer, *(np.append(none, bound * (source == nth))[order] for bound in (start, end))))
        laid = concat_str(parts)
        rows = rows[order]
        kind = rows[:, OUTPUT.index("kind")]
        missing = np.isin(kind, MISSING)
        leads = missing | (np.diff(rows[:, 0], prepend=-1) != 0)
        leads[1:] |= kind[:-1] == END  # bytes after the end of a direction, against all rules, are another run, as in the next batch
        stops = np.append(leads[1:], True)[: len(rows)]
        first, last = np.flatnonzero(leads), np.flatnonzero(stops)
        gap = np.where(missing, rows[:, OUTPUT.index("size")], 0)[first]
        ends = np.append(0, np.cumsum(kind == END))
        position = rows[first, OUTPUT.index("position")] + gap
        by = rows[:, OUTPUT.index("by")]
        ended = ends[last + 1] > ends[first]
        broken = (np.append(rows[first[1:], 0], -1)[: len(first)] == rows[first, 0]) & ~ended  # by the hole that the next begins with
        return ContiguousRuns(
            laid.data,
            rows[first, 0],
            laid.start[first],
            laid.end[last],
            position,
            gap,
            ended,
            rows,
            laid.start,
            rows[:, OUTPUT.index("frame")],
            rows[:, OUTPUT.index("time")],
            by,
            first,
            np.where(broken, np.append(by[first[1:]], 0)[: len(first)], by[last]),
        )

    def _take_unread(self, directions: Iterable[int]) -> Iterator[StreamEvents]:
        """The unread bytes of these directions, or the gap in their place."""
        for direction in directions:
            if direction in self.unread:
                rest = self.unread.pop(direction)
                self.size -= OVERHEAD + len(rest.buffers[0])
                yield rest
            elif direction in self.gaps:
                position, size = self.gaps.pop(direction)
                yield stream_events(np.zeros(0, np.uint8), direction=np.array([direction]), kind=HOLE, position=position, size=size)

    def consume(self, s: ContiguousRuns, upto: np.ndarray) -> None:
        """The framer has read data[start[i]:upto[i]] of each run (int64 (k,)). Only the last run of a direction can continue."""
        continues = np.append(s.direction[1:] != s.direction[:-1], True)[: len(s.direction)] & ~s.ended & (upto < s.end)
        at = np.flatnonzero(continues)
        bounds = (column.tolist() for column in s.segments(upto[at], s.end[at]))
        for i, begin, first, last in zip(at.tolist(), upto[at].tolist(), *bounds):
            rows = s.rows[first:last].copy()
            size = rows[:, OUTPUT.index("size")]
            read = np.maximum(begin - s.place[first:last], 0)
            size -= read
            rows[:, OUTPUT.index("position")] += read
            rows[:, OUTPUT.index("end")] = np.cumsum(size)
            rows[:, OUTPUT.index("start")] = np.cumsum(size) - size
            direction = int(s.direction[i])
            rows[:, OUTPUT.index("source")] = 0
            self.unread[direction] = StreamEvents([s.data[begin : int(s.end[i])].copy()], rows)
            self.size += OVERHEAD + len(self.unread[direction].buffers[0])
        while self.size > ALL:
            direction = next(iter(self.unread))
            rest = self.unread.pop(direction)
            self.size -= OVERHEAD + len(rest.buffers[0])
            self.gaps[direction] = int(rest["position"][0]), len(rest.buffers[0])
            self.dropped.append((int(rest["frame"][0]), len(rest.buffers[0])))
