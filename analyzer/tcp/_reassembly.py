# cython: wraparound=False, initializedcheck=False
# mypy: ignore-errors
"""Puts the segments of each direction in order: one loop, since what a segment adds depends on those before it.

Compiled by Cython when the package is built; runs interpreted too. The number of a direction is twice its stream's, plus 1 from the
greater end of the key to the smaller. A byte's position is its sequence number, unwrapped and relative: the SYN has 0, the first byte 1.

Segments that reach the edge (the next position to come) are delivered at once; one beyond it is held until the hole before it is
filled. The bytes that came first count; of the held segments that reach the edge, the one that came first is delivered first, as
Wireshark does. A hole is given up when
- an acknowledgment covered it and HOLE_TIMEOUT of the trace has passed since: the bytes arrived, but are not in the capture. Not
  before, since a capture may have an acknowledgment ahead of its data;
- more than `limit` bytes are held behind it, or more than `total` behind all holes (then the hole that has been open longest);
- the trace ends.
"""

from array import array
from heapq import heappop, heappush

import cython

INPUT = (  # rows of the matrix that goes in, int64; a column for each segment
    "direction",
    "base",  # raw sequence number that positions count from
    "position",  # of the segment
    "length",  # bytes of data, as on the wire
    "start",  # the captured bytes: source[start:end]
    "end",
    "source",  # which of the buffers
    "flags",  # as tcp.flags
    "urgent",  # the urgent pointer
    "acked",  # position in the other direction that it acknowledges
    "frame",
    "time",  # ns
)
OUTPUT = (  # columns of the events that come out, int64, in the order in which they became known
    "direction",
    "kind",
    "position",  # of its first byte
    "size",  # sequence numbers that it covers
    "start",  # DATA: its bytes are buffer[start:end]
    "end",
    "frame",  # that brought the bytes
    "time",  # ns, of that frame
    "by",  # the frame that put them in order, or with which the hole was given up
    "source",  # which buffer they are in: 0 that of held bytes, which is returned too, else those of the segments, from 1
)
KINDS = (
    "data",
    "hole",  # never captured
    "acknowledged",  # never captured, but acknowledged: the bytes arrived
    "cut",  # beyond the snapshot length of the capture
    "conflict",  # sent again with `size` different bytes, the first of them at `position`
    "late",  # came after the hole was given up
    "urgent",  # one byte of the data that follows is urgent (RFC 9293 §3.8.5)
    "end",  # all up to the FIN is delivered, or given up
)
WIDTH = cython.declare(cython.longlong, len(OUTPUT))
HELD_ROOM = 1 << 12  # bytes, at first, of the buffer for held bytes: most captures have few
HOLE_TIMEOUT = cython.declare(cython.longlong, 1_000_000_000)  # ns
OVERHEAD = cython.declare(cython.longlong, 128)  # bytes of memory that a held segment takes besides its data
HOLES = 16  # given up, of each direction, that are remembered to tell what comes late
URGENT_POINTERS = 64  # of each direction, to bytes yet to come

cython.declare(DIRECTION=cython.int, BASE=cython.int, POSITION=cython.int, LENGTH=cython.int, START=cython.int, END=cython.int)
cython.declare(SOURCE=cython.int, FLAGS=cython.int, URGENT=cython.int, ACKED=cython.int, FRAME=cython.int, TIME=cython.int)
DIRECTION, BASE, POSITION, LENGTH, START, END, SOURCE, FLAGS, URGENT, ACKED, FRAME, TIME = range(len(INPUT))

cython.declare(DATA=cython.longlong, HOLE=cython.longlong, ACKNOWLEDGED=cython.longlong, CUT=cython.longlong)
cython.declare(CONFLICT=cython.longlong, LATE=cython.longlong, URGENT_BYTE=cython.longlong, ENDED=cython.longlong)
DATA, HOLE, ACKNOWLEDGED, CUT, CONFLICT, LATE, URGENT_BYTE, ENDED = range(len(KINDS))

FIN_FLAG = cython.declare(cython.longlong, 1)
SYN_FLAG = cython.declare(cython.longlong, 2)
URG_FLAG = cython.declare(cython.longlong, 32)


@cython.final
@cython.cclass
class HeldSegment:
    """The data of a segment: of `length` bytes from position `start` on, those that were captured."""

    start: cython.longlong
    length: cython.longlong
    data: object
    frame: cython.longlong
    time: cython.longlong

    def __init__(self, start: cython.longlong, length: cython.longlong, data: object, frame: cython.longlong, time: cython.longlong):
        self.start, self.length, self.data, self.frame, self.time = start, length, data, frame, time


@cython.final
@cython.cclass
class DirectionQueue:
    """One direction of a connection."""

    number: cython.longlong
    base: cython.longlong
    edge: cython.longlong  # next position to deliver
    top: cython.longlong  # behind the highest byte seen
    fin: cython.longlong  # position of the FIN, -1 not seen
    acked: cython.longlong  # greatest acknowledgment by the other end
    hole_acked: cython.longlong  # the acknowledgment that covered the hole, and when it came (ns); -1: none
    hole_acked_time: cython.longlong
    held: cython.longlong  # bytes of memory, OVERHEAD included
    syn_seen: cython.bint
    ended: cython.bint
    last_frame: cython.longlong
    last_time: cython.longlong
    queue: list  # heap of (position, nth, HeldSegment)
    history: bytearray  # the last bytes before the edge
    holes: list  # (start, end) given up
    urgent: list  # heap of positions

    def __init__(self, number: cython.longlong, base: cython.longlong, edge: cython.longlong):
        self.number, self.base, self.edge, self.top = number, base, edge, edge
        self.fin = self.hole_acked = self.hole_acked_time = -1
        self.acked = self.held = 0
        self.syn_seen = self.ended = False
        self.queue, self.history, self.holes, self.urgent = [], bytearray(), [], []


@cython.final
@cython.cclass
class ReorderQueues:
    """The queues of all directions. remember: bytes before the edge that are kept to compare with retransmissions. limit: bytes held
    for a direction. total: bytes held for all, and remembered of all (beyond, the direction idle longest is forgotten)."""

    remember: cython.longlong
    limit: cython.longlong
    total: cython.longlong
    held: cython.longlong
    remembered: cython.longlong
    count: cython.longlong
    directions: list  # of DirectionQueue or None, by number
    holding: dict  # number → queue of those with a hole, the one open longest first
    recent: dict  # number → queue of those with a history, the one idle longest first
    out: cython.longlong[::1]  # events, rows of OUTPUT, and room for more
    out_used: cython.longlong  # cells of `out` in use
    data: cython.uchar[::1]  # bytes of source 0, and room for more
    data_used: cython.longlong

    def __init__(self, remember: cython.longlong, limit: cython.longlong, total: cython.longlong):
        self.remember, self.limit, self.total = remember, limit, total
        self.held = self.remembered = self.count = 0
        self.directions, self.holding, self.recent = [], {}, {}

    @cython.cfunc
    def _reset_output(self):
        """Make room for the next events."""
        self.out, self.data = array("q", bytes(8 * WIDTH * 1024)), bytearray(HELD_ROOM)
        self.out_used = self.data_used = 0

    @cython.cfunc
    def _take_output(self) -> tuple:
        output = memoryview(self.out)[: self.out_used], memoryview(self.data)[: self.data_used]
        self.out, self.data = array("q", bytes(8 * WIDTH)), bytearray(1)
        return output

    def feed(self, rows: cython.const[cython.longlong][:, ::1], sources: list) -> tuple:
        """Take segments, rows as in INPUT; sources: memoryviews, uint8.

        Returns two memoryviews: events, int64, rows of OUTPUT, flat; the bytes of source 0, uint8.
        """
        i: cython.longlong
        self._reset_output()
        source: cython.longlong = -1
        kept: cython.const[cython.uchar][::1] = b" "
        for i in range(rows.shape[1]):
            if rows[SOURCE, i] != source:
                source = rows[SOURCE, i]
                kept = sources[source]
            self._take_segment(rows, kept, i)
        return self._take_output()

    def restart(self, numbers: list):
        """Forget these directions: each begins anew with its next segment that is taken."""
        for number in numbers:
            direction: DirectionQueue = self._direction(number)
            if direction is not None:
                self.directions[number] = None
                self.held -= direction.held
                self.holding.pop(number, None)
                self._forget(direction)

    def finish(self) -> tuple:
        """The trace has ended: give up every hole. Returns what `feed` does."""
        direction: DirectionQueue
        self._reset_output()
        for direction in sorted(self.holding.values(), key=_first_held):
            while direction.queue:
                self._give_up_hole(direction, direction.last_frame, direction.last_time)
        for direction in sorted([queue for queue in self.directions if queue is not None], key=_last_seen):
            self._give_up_tail(direction)
        return self._take_output()

    @cython.cfunc
    def _direction(self, number: cython.longlong) -> DirectionQueue:
        """The direction of that number; None if it has no segment yet."""
        return self.directions[number] if number < len(self.directions) else None

    @cython.cfunc
    def _take_segment(self, rows: cython.const[cython.longlong][:, ::1], kept: cython.const[cython.uchar][::1], i: cython.longlong):
        number: cython.longlong = rows[DIRECTION, i]
        flags: cython.longlong = rows[FLAGS, i]
        length: cython.longlong = rows[LENGTH, i]
        frame: cython.longlong = rows[FRAME, i]
        time: cython.longlong = rows[TIME, i]
        start: cython.longlong = rows[POSITION, i] + (1 if flags & SYN_FLAG else 0)
        behind: cython.longlong = start + length
        other: DirectionQueue = self._direction(number ^ 1)
        direction: DirectionQueue = self._direction(number)
        if other is not None:
            other.acked = max(other.acked, rows[ACKED, i])
            self._expire_holes(other, frame, time)
        if direction is None:
            while len(self.directions) <= number:
                self.directions.append(None)
            direction = self.directions[number] = DirectionQueue(number, rows[BASE, i], start)
        elif flags & SYN_FLAG and rows[BASE, i] != direction.base:  # a new connection with the same ports
            while direction.queue:
                self._give_up_hole(direction, frame, time)
            self._give_up_tail(direction)
            self._forget(direction)
            direction = self.directions[number] = DirectionQueue(number, rows[BASE, i], start)
        direction.last_frame, direction.last_time = frame, time
        if flags & SYN_FLAG:
            direction.syn_seen = True
        if flags & FIN_FLAG:
            direction.fin = behind
        urgent: cython.longlong = start + rows[URGENT, i] - 1
        if (
            flags & URG_FLAG
            and rows[URGENT, i]
            and urgent >= direction.edge
            and len(direction.urgent) < URGENT_POINTERS
            and urgent not in direction.urgent
        ):
            heappush(direction.urgent, urgent)
        if length > 0 and not (length == 1 and start == direction.top - 1):  # that is a keep-alive, its byte is no data
            size: cython.longlong = rows[END, i] - rows[START, i]
            if (
                start == direction.edge and size == length and not direction.urgent and not self.remember
            ):  # most segments: no object for them
                self._emit_row(direction, DATA, start, size, rows[START, i], rows[END, i], frame, time, frame, rows[SOURCE, i] + 1)
                direction.edge = behind
            else:
                segment: HeldSegment = HeldSegment(start, length, bytes(kept[rows[START, i] : rows[END, i]]), frame, time)
                if start <= direction.edge:
                    self._deliver(direction, segment, frame)
                else:
                    self._hold(direction, segment)
            if direction.queue:
                self._drain(direction, frame)
            while direction.held > self.limit:
                self._give_up_hole(direction, frame, time)
            while self.held > self.total:
                self._give_up_hole(next(iter(self.holding.values())), frame, time)
            if behind > direction.top:
                direction.top = behind
        self._expire_holes(direction, frame, time)
        self._check_fin(direction, frame, time)

    @cython.cfunc
    def _check_fin(self, direction: DirectionQueue, frame: cython.longlong, time: cython.longlong):
        if 0 <= direction.fin <= direction.edge and not direction.ended:
            direction.ended = True
            self._emit(direction, ENDED, direction.fin, 0, frame, time, frame)

    @cython.cfunc
    def _emit(
        self,
        direction: DirectionQueue,
        kind: cython.longlong,
        position: cython.longlong,
        size: cython.longlong,
        frame: cython.longlong,
        time: cython.longlong,
        by: cython.longlong,
    ):
        """Add an event; the bytes of DATA are those appended last."""
        self._emit_row(direction, kind, position, size, self.data_used - (size if kind == DATA else 0), self.data_used, frame, time, by, 0)

    @cython.cfunc
    def _emit_row(
        self,
        direction: DirectionQueue,
        kind: cython.longlong,
        position: cython.longlong,
        size: cython.longlong,
        start: cython.longlong,
        end: cython.longlong,
        frame: cython.longlong,
        time: cython.longlong,
        by: cython.longlong,
        source: cython.longlong,
    ):
        """Add an event, a row of OUTPUT."""
        n: cython.longlong = self.out_used
        if n + WIDTH > len(self.out):
            grown: cython.longlong[::1] = array("q", bytes(16 * len(self.out)))
            grown[:n] = self.out[:n]
            self.out = grown
        out = self.out
        out[n] = direction.number
        out[n + 1] = kind
        out[n + 2] = position
        out[n + 3] = size
        out[n + 4] = start
        out[n + 5] = end
        out[n + 6] = frame
        out[n + 7] = time
        out[n + 8] = by
        out[n + 9] = source
        self.out_used = n + WIDTH

    @cython.cfunc
    def _append(self, fresh: cython.const[cython.uchar][::1]):
        if self.data_used + len(fresh) > len(self.data):
            grown: cython.uchar[::1] = bytearray(2 * (self.data_used + len(fresh)))
            grown[: self.data_used] = self.data[: self.data_used]
            self.data = grown
        self.data[self.data_used : self.data_used + len(fresh)] = fresh
        self.data_used += len(fresh)

    @cython.cfunc
    def _deliver(self, direction: DirectionQueue, segment: HeldSegment, by: cython.longlong):
        """Emit the bytes beyond the edge of a segment that reaches it."""
        start: cython.longlong = segment.start
        kept: cython.longlong = start + len(segment.data)
        behind: cython.longlong = start + segment.length
        if start < direction.edge:
            self._compare(direction, segment, min(kept, direction.edge), by)
        if kept > direction.edge:
            while direction.urgent and direction.urgent[0] < kept:
                self._emit(direction, URGENT_BYTE, heappop(direction.urgent), 1, segment.frame, segment.time, by)
            fresh = segment.data[direction.edge - start :]
            self._append(fresh)
            self._emit(direction, DATA, direction.edge, len(fresh), segment.frame, segment.time, by)
            direction.edge = kept
            if self.remember:
                self._remember(direction, fresh)
        if behind > direction.edge:
            self._emit(direction, CUT, direction.edge, behind - direction.edge, segment.frame, segment.time, by)
            self._advance(direction, behind)

    @cython.cfunc
    def _remember(self, direction: DirectionQueue, fresh: object):
        size: cython.longlong = len(direction.history)
        direction.history += fresh
        if len(direction.history) > 2 * self.remember:
            del direction.history[: len(direction.history) - self.remember]
        self.remembered += len(direction.history) - size
        self.recent.pop(direction.number, None)
        self.recent[direction.number] = direction
        while self.remembered > self.total:
            self._forget(next(iter(self.recent.values())))

    @cython.cfunc
    def _forget(self, direction: DirectionQueue):
        self.remembered -= len(direction.history)
        direction.history.clear()
        self.recent.pop(direction.number, None)

    @cython.cfunc
    def _compare(self, direction: DirectionQueue, segment: HeldSegment, end: cython.longlong, by: cython.longlong):
        """Emit a conflict, and what is late: the bytes of this segment up to `end` came before, or their hole was given up."""
        start: cython.longlong = segment.start
        low: cython.longlong = direction.edge - len(direction.history)
        first: cython.longlong = max(start, low)
        late: cython.longlong = 0
        if end > first:
            new, old = bytes(segment.data[first - start : end - start]), bytes(direction.history[first - low : end - low])
            if new != old:
                differ = [at for at in range(end - first) if new[at] != old[at]]
                self._emit(direction, CONFLICT, first + differ[0], len(differ), segment.frame, segment.time, by)
        for left, right in direction.holes:
            if left < end and start < right:
                late += min(right, end) - max(left, start)
        if late:
            self._emit(direction, LATE, start, late, segment.frame, segment.time, by)

    @cython.cfunc
    def _hold(self, direction: DirectionQueue, segment: HeldSegment):
        if not direction.queue:
            self.holding[direction.number] = direction
        self.count += 1
        heappush(direction.queue, (segment.start, self.count, segment))
        direction.held += OVERHEAD + len(segment.data)
        self.held += OVERHEAD + len(segment.data)

    @cython.cfunc
    def _advance(self, direction: DirectionQueue, edge: cython.longlong):
        """Move the edge over missing bytes: the history ends there."""
        direction.edge = edge
        self._forget(direction)
        while direction.urgent and direction.urgent[0] < edge:
            heappop(direction.urgent)

    @cython.cfunc
    def _drain(self, direction: DirectionQueue, by: cython.longlong):
        """Deliver the held segments that reach the edge."""
        ready: list = []
        segment: HeldSegment
        while True:
            while direction.queue and direction.queue[0][0] <= direction.edge:
                _, nth, segment = heappop(direction.queue)
                direction.held -= OVERHEAD + len(segment.data)
                self.held -= OVERHEAD + len(segment.data)
                heappush(ready, (nth, segment))
            if not ready:
                break
            _, segment = heappop(ready)
            self._deliver(direction, segment, by)
        if not direction.queue:
            self.holding.pop(direction.number, None)

    @cython.cfunc
    def _expire_holes(self, direction: DirectionQueue, frame: cython.longlong, time: cython.longlong):
        """Give up the holes that were acknowledged more than HOLE_TIMEOUT ago."""
        while direction.queue and direction.queue[0][0] <= direction.acked:
            if direction.hole_acked_time < 0 or direction.queue[0][0] > direction.hole_acked:
                direction.hole_acked, direction.hole_acked_time = direction.acked, time
                return
            if time - direction.hole_acked_time <= HOLE_TIMEOUT:
                return
            self._give_up_hole(direction, frame, time)

    @cython.cfunc
    def _give_up_hole(self, direction: DirectionQueue, frame: cython.longlong, time: cython.longlong):
        """Give up the hole between the edge and the first held segment."""
        start: cython.longlong = direction.queue[0][0]
        self._emit_hole(direction, start, frame, time)
        self._drain(direction, frame)
        self._check_fin(direction, frame, time)

    @cython.cfunc
    def _emit_hole(self, direction: DirectionQueue, end: cython.longlong, frame: cython.longlong, time: cython.longlong):
        self._emit(direction, ACKNOWLEDGED if direction.acked >= end else HOLE, direction.edge, end - direction.edge, frame, time, frame)
        direction.holes.append((direction.edge, end))
        if len(direction.holes) > HOLES:
            del direction.holes[0]
        self._advance(direction, end)

    @cython.cfunc
    def _give_up_tail(self, direction: DirectionQueue):
        """Emit what is missing at the end: up to the FIN, else up to the last acknowledgment, of which one number may be a FIN's.

        Acknowledgments count if the SYNs of both ends were seen, or neither: those of a half-open connection do not fit.
        """
        other: DirectionQueue = self._direction(direction.number ^ 1)
        end: cython.longlong = direction.fin
        if end < 0 and other is not None and other.syn_seen == direction.syn_seen:
            end = direction.acked - 1
        if direction.edge < end <= direction.edge + (1 << 30):  # no window is larger, RFC 7323 §2.2
            self._emit_hole(direction, end, direction.last_frame, direction.last_time)
            self._check_fin(direction, direction.last_frame, direction.last_time)


def _last_seen(direction: DirectionQueue) -> tuple:
    """Sort key: when its last segment came."""
    return direction.last_frame, direction.number


def _first_held(direction: DirectionQueue) -> int:
    """Sort key: when the first of its held segments came."""
    return min(nth for _, nth, _ in direction.queue)
