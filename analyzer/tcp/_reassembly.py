# cython: wraparound=False, initializedcheck=False
# mypy: ignore-errors
"""The segments of each direction, put in order: one loop, since what a segment adds hangs on those before it.

Compiled by Cython when the package is built; runs interpreted too. A direction of a connection is called a way here; its number
is twice the stream's, plus 1 from the greater end of the key to the smaller. A byte's position is its sequence number, unwrapped
and relative: the SYN has 0, the first byte 1.

Segments that reach the edge (the next position to come) are given on at once; one beyond it is held until the hole before it is
filled. The bytes that came first are kept; among those that are held, the segment that came first and has reached the edge goes
first, as Wireshark has it. A hole is given up when
- an acknowledgment covered it and the trace went on for WAIT: what arrived there is not in the capture. Not before, since a
  capture may hold an acknowledgment ahead of its data;
- more than `most` is held behind it, or more than `total` behind all holes (then the hole that is open for longest is given up);
- the trace ends.
"""

from array import array
from heapq import heappop, heappush

import cython

INPUT = (  # rows of the matrix that goes in, int64: a segment each
    "direction",
    "base",  # raw number that positions count from
    "position",  # of the segment
    "length",  # bytes of data, as on the wire
    "start",  # the bytes that were kept: source[start:end]
    "end",
    "source",  # which of the buffers
    "flags",  # as tcp.flags
    "urgent",  # the urgent pointer
    "acked",  # position in the other way that it acknowledges
    "frame",
    "time",  # ns
)
OUTPUT = (  # what comes out, int64, in the order in which it became known
    "direction",
    "kind",
    "position",  # of its first byte
    "size",  # how many numbers it stands for
    "start",  # DATA: where its bytes begin and end in their buffer
    "end",
    "frame",  # the bytes came in it
    "time",  # ns, of that frame
    "by",  # the frame that put them in order, or gave the hole up
    "source",  # which buffer they are in: 0 what was held and is handed out with this, else those that the segments lie in, from 1
)
KINDS = (
    "data",
    "hole",  # never seen
    "acknowledged",  # never seen, but acknowledged: it arrived and is not in the capture
    "cut",  # the capture did not keep these bytes
    "conflict",  # came again with `size` other bytes, the first of them at `position`
    "late",  # came when the hole was already given up
    "urgent",  # one byte of the data that follows is urgent (RFC 9293 §3.8.5)
    "end",  # all is there up to the FIN, or given up
)
WIDTH = cython.declare(cython.longlong, len(OUTPUT))
ROOM = 1 << 12  # bytes for what was held: most captures have little of it
WAIT = cython.declare(cython.longlong, 1_000_000_000)  # ns
EACH = cython.declare(cython.longlong, 128)  # what a held segment takes beside its bytes
HOLES = 16  # of each way remembered for what comes late
URGENT_POINTERS = 64  # of each way remembered for bytes yet to come

WAY = cython.declare(cython.int, INPUT.index("direction"))
BASE = cython.declare(cython.int, INPUT.index("base"))
POSITION = cython.declare(cython.int, INPUT.index("position"))
LENGTH = cython.declare(cython.int, INPUT.index("length"))
START = cython.declare(cython.int, INPUT.index("start"))
END = cython.declare(cython.int, INPUT.index("end"))
SOURCE = cython.declare(cython.int, INPUT.index("source"))
FLAGS = cython.declare(cython.int, INPUT.index("flags"))
URGENT = cython.declare(cython.int, INPUT.index("urgent"))
ACKED = cython.declare(cython.int, INPUT.index("acked"))
FRAME = cython.declare(cython.int, INPUT.index("frame"))
TIME = cython.declare(cython.int, INPUT.index("time"))

DATA = cython.declare(cython.longlong, KINDS.index("data"))
HOLE = cython.declare(cython.longlong, KINDS.index("hole"))
ACKNOWLEDGED = cython.declare(cython.longlong, KINDS.index("acknowledged"))
CUT = cython.declare(cython.longlong, KINDS.index("cut"))
CONFLICT = cython.declare(cython.longlong, KINDS.index("conflict"))
LATE = cython.declare(cython.longlong, KINDS.index("late"))
URGENT_BYTE = cython.declare(cython.longlong, KINDS.index("urgent"))
ENDED = cython.declare(cython.longlong, KINDS.index("end"))

FIN_FLAG = cython.declare(cython.longlong, 1)
SYN_FLAG = cython.declare(cython.longlong, 2)
URG_FLAG = cython.declare(cython.longlong, 32)


@cython.final
@cython.cclass
class Segment:
    """What a segment carries. data: bytes, what the capture kept of `length` bytes from position `start` on."""

    start: cython.longlong
    length: cython.longlong
    data: object
    frame: cython.longlong
    time: cython.longlong

    def __init__(self, start: cython.longlong, length: cython.longlong, data: object, frame: cython.longlong, time: cython.longlong):
        self.start, self.length, self.data, self.frame, self.time = start, length, data, frame, time


@cython.final
@cython.cclass
class Direction:
    """One direction of a connection."""

    number: cython.longlong
    base: cython.longlong
    edge: cython.longlong  # next position to give on
    top: cython.longlong  # behind the highest byte seen
    fin: cython.longlong  # position of the FIN, -1 not seen
    acked: cython.longlong  # greatest acknowledgment by the other end
    covered: cython.longlong  # the acknowledgment that the hole waits since, and when that was; -1 none
    covered_time: cython.longlong
    held: cython.longlong  # bytes, with what it takes to hold them
    synced: cython.bint  # its SYN was seen
    ended: cython.bint
    last_frame: cython.longlong
    last_time: cython.longlong
    waiting: list  # heap of (position, nth, Segment)
    past: bytearray  # the bytes before the edge, as far as they are remembered
    holes: list  # (start, end) given up
    urgent: list  # heap of positions

    def __init__(self, number: cython.longlong, base: cython.longlong, edge: cython.longlong):
        self.number, self.base, self.edge, self.top = number, base, edge, edge
        self.fin = self.covered = self.covered_time = -1
        self.acked = self.held = 0
        self.synced = self.ended = False
        self.waiting, self.past, self.holes, self.urgent = [], bytearray(), [], []


@cython.final
@cython.cclass
class Order:
    """All ways. remember: bytes before the edge that are kept for comparing with what comes again. most: bytes held for a way.
    total: bytes held for all, and remembered of all (then the way that was silent for longest is forgotten)."""

    remember: cython.longlong
    most: cython.longlong
    total: cython.longlong
    held: cython.longlong
    remembered: cython.longlong
    count: cython.longlong
    directions: list  # by their numbers
    holding: dict  # ways with a hole, the longest open first
    recent: dict  # ways of which bytes are remembered, the longest silent first
    out: cython.longlong[::1]  # a row of TOLD behind the other, and room for more
    said: cython.longlong  # how much of it is used
    data: cython.uchar[::1]  # the same for the bytes
    laid: cython.longlong

    def __init__(self, remember: cython.longlong, most: cython.longlong, total: cython.longlong):
        self.remember, self.most, self.total = remember, most, total
        self.held = self.remembered = self.count = 0
        self.directions, self.holding, self.recent = [], {}, {}

    @cython.cfunc
    def _fresh(self):
        """Room for what comes."""
        self.out, self.data = array("q", bytes(8 * WIDTH * 1024)), bytearray(ROOM)
        self.said = self.laid = 0

    @cython.cfunc
    def _told(self) -> tuple:
        told = memoryview(self.out)[: self.said], memoryview(self.data)[: self.laid]
        self.out, self.data = array("q", bytes(8 * WIDTH)), bytearray(1)
        return told

    def feed(self, rows: cython.const[cython.longlong][:, ::1], sources: list) -> tuple:
        """Take segments, rows of GIVEN; sources: memoryviews.

        Returns memoryviews: int64, rows of TOLD one behind the other; the bytes of source 0.
        """
        i: cython.longlong
        self._fresh()
        source: cython.longlong = -1
        kept: cython.const[cython.uchar][::1] = b" "
        for i in range(rows.shape[1]):
            if rows[SOURCE, i] != source:
                source = rows[SOURCE, i]
                kept = sources[source]
            self._segment(rows, kept, i)
        return self._told()

    def restart(self, numbers: list):
        """Forget these ways: each begins anew with the next segment of it that is taken."""
        for number in numbers:
            direction: Direction = self._way(number)
            if direction is not None:
                self.directions[number] = None
                self.held -= direction.held
                self.holding.pop(number, None)
                self._forget(direction)

    def finish(self) -> tuple:
        """The trace has ended: give up every hole. Returns what `feed` does."""
        direction: Direction
        self._fresh()
        for direction in sorted(self.holding.values(), key=_first_held):
            while direction.waiting:
                self._give_up(direction, direction.last_frame, direction.last_time)
        for direction in sorted([one for one in self.directions if one is not None], key=_last_word):
            self._tail(direction)
        return self._told()

    @cython.cfunc
    def _way(self, number: cython.longlong) -> Direction:
        """The way of that number; None if there is none yet."""
        return self.directions[number] if number < len(self.directions) else None

    @cython.cfunc
    def _segment(self, rows: cython.const[cython.longlong][:, ::1], kept: cython.const[cython.uchar][::1], i: cython.longlong):
        number: cython.longlong = rows[WAY, i]
        flags: cython.longlong = rows[FLAGS, i]
        length: cython.longlong = rows[LENGTH, i]
        frame: cython.longlong = rows[FRAME, i]
        time: cython.longlong = rows[TIME, i]
        start: cython.longlong = rows[POSITION, i] + (1 if flags & SYN_FLAG else 0)
        behind: cython.longlong = start + length
        other: Direction = self._way(number ^ 1)
        direction: Direction = self._way(number)
        if other is not None:
            other.acked = max(other.acked, rows[ACKED, i])
            self._patience(other, frame, time)
        if direction is None:
            while len(self.directions) <= number:
                self.directions.append(None)
            direction = self.directions[number] = Direction(number, rows[BASE, i], start)
        elif flags & SYN_FLAG and rows[BASE, i] != direction.base:  # starts again with other numbers
            while direction.waiting:
                self._give_up(direction, frame, time)
            self._tail(direction)
            self._forget(direction)
            direction = self.directions[number] = Direction(number, rows[BASE, i], start)
        direction.last_frame, direction.last_time = frame, time
        if flags & SYN_FLAG:
            direction.synced = True
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
        if length > 0 and not (
            length == 1 and start == direction.top - 1
        ):  # one byte before the next to come: a keep-alive, its byte is no data
            size: cython.longlong = rows[END, i] - rows[START, i]
            if (
                start == direction.edge and size == length and not direction.urgent and not self.remember
            ):  # most segments: no object for them
                self._row(direction, DATA, start, size, rows[START, i], rows[END, i], frame, time, frame, rows[SOURCE, i] + 1)
                direction.edge = behind
            else:
                segment: Segment = Segment(start, length, bytes(kept[rows[START, i] : rows[END, i]]), frame, time)
                if start <= direction.edge:
                    self._give(direction, segment, frame)
                else:
                    self._hold(direction, segment)
            if direction.waiting:
                self._drain(direction, frame)
            while direction.held > self.most:
                self._give_up(direction, frame, time)
            while self.held > self.total:
                self._give_up(next(iter(self.holding.values())), frame, time)
            if behind > direction.top:
                direction.top = behind
        self._patience(direction, frame, time)
        self._end(direction, frame, time)

    @cython.cfunc
    def _end(self, direction: Direction, frame: cython.longlong, time: cython.longlong):
        if 0 <= direction.fin <= direction.edge and not direction.ended:
            direction.ended = True
            self._tell(direction, ENDED, direction.fin, 0, frame, time, frame)

    @cython.cfunc
    def _tell(
        self,
        direction: Direction,
        kind: cython.longlong,
        position: cython.longlong,
        size: cython.longlong,
        frame: cython.longlong,
        time: cython.longlong,
        by: cython.longlong,
    ):
        """What `_lay` put down last, if it is DATA; else what needs no bytes."""
        self._row(direction, kind, position, size, self.laid - (size if kind == DATA else 0), self.laid, frame, time, by, 0)

    @cython.cfunc
    def _row(
        self,
        direction: Direction,
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
        """A row of TOLD."""
        n: cython.longlong = self.said
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
        self.said = n + WIDTH

    @cython.cfunc
    def _lay(self, fresh: cython.const[cython.uchar][::1]):
        if self.laid + len(fresh) > len(self.data):
            grown: cython.uchar[::1] = bytearray(2 * (self.laid + len(fresh)))
            grown[: self.laid] = self.data[: self.laid]
            self.data = grown
        self.data[self.laid : self.laid + len(fresh)] = fresh
        self.laid += len(fresh)

    @cython.cfunc
    def _give(self, direction: Direction, segment: Segment, by: cython.longlong):
        """Hand on what a segment that reaches the edge has beyond it."""
        start: cython.longlong = segment.start
        kept: cython.longlong = start + len(segment.data)
        behind: cython.longlong = start + segment.length
        if start < direction.edge:
            self._again(direction, segment, min(kept, direction.edge), by)
        if kept > direction.edge:
            while direction.urgent and direction.urgent[0] < kept:
                self._tell(direction, URGENT_BYTE, heappop(direction.urgent), 1, segment.frame, segment.time, by)
            fresh = segment.data[direction.edge - start :]
            self._lay(fresh)
            self._tell(direction, DATA, direction.edge, len(fresh), segment.frame, segment.time, by)
            direction.edge = kept
            if self.remember:
                self._remember(direction, fresh)
        if behind > direction.edge:
            self._tell(direction, CUT, direction.edge, behind - direction.edge, segment.frame, segment.time, by)
            self._skip(direction, behind)

    @cython.cfunc
    def _remember(self, direction: Direction, fresh: object):
        size: cython.longlong = len(direction.past)
        direction.past += fresh
        if len(direction.past) > 2 * self.remember:
            del direction.past[: len(direction.past) - self.remember]
        self.remembered += len(direction.past) - size
        self.recent.pop(direction.number, None)
        self.recent[direction.number] = direction
        while self.remembered > self.total:
            self._forget(next(iter(self.recent.values())))

    @cython.cfunc
    def _forget(self, direction: Direction):
        self.remembered -= len(direction.past)
        direction.past.clear()
        self.recent.pop(direction.number, None)

    @cython.cfunc
    def _again(self, direction: Direction, segment: Segment, end: cython.longlong, by: cython.longlong):
        """The bytes of a segment up to `end` came before, or their hole was given up."""
        start: cython.longlong = segment.start
        low: cython.longlong = direction.edge - len(direction.past)
        first: cython.longlong = max(start, low)
        late: cython.longlong = 0
        if end > first:
            new, old = bytes(segment.data[first - start : end - start]), bytes(direction.past[first - low : end - low])
            if new != old:
                differ = [at for at in range(end - first) if new[at] != old[at]]
                self._tell(direction, CONFLICT, first + differ[0], len(differ), segment.frame, segment.time, by)
        for left, right in direction.holes:
            if left < end and start < right:
                late += min(right, end) - max(left, start)
        if late:
            self._tell(direction, LATE, start, late, segment.frame, segment.time, by)

    @cython.cfunc
    def _hold(self, direction: Direction, segment: Segment):
        if not direction.waiting:
            self.holding[direction.number] = direction
        self.count += 1
        heappush(direction.waiting, (segment.start, self.count, segment))
        direction.held += EACH + len(segment.data)
        self.held += EACH + len(segment.data)

    @cython.cfunc
    def _skip(self, direction: Direction, edge: cython.longlong):
        """Go on at a later position: what is remembered ends there."""
        direction.edge = edge
        self._forget(direction)
        while direction.urgent and direction.urgent[0] < edge:
            heappop(direction.urgent)

    @cython.cfunc
    def _drain(self, direction: Direction, by: cython.longlong):
        """Give on what is held and has reached the edge."""
        ready: list = []
        segment: Segment
        while True:
            while direction.waiting and direction.waiting[0][0] <= direction.edge:
                _, nth, segment = heappop(direction.waiting)
                direction.held -= EACH + len(segment.data)
                self.held -= EACH + len(segment.data)
                heappush(ready, (nth, segment))
            if not ready:
                break
            _, segment = heappop(ready)
            self._give(direction, segment, by)
        if not direction.waiting:
            self.holding.pop(direction.number, None)

    @cython.cfunc
    def _patience(self, direction: Direction, frame: cython.longlong, time: cython.longlong):
        """Give up holes that were acknowledged long enough ago."""
        while direction.waiting and direction.waiting[0][0] <= direction.acked:
            if direction.covered_time < 0 or direction.waiting[0][0] > direction.covered:
                direction.covered, direction.covered_time = direction.acked, time
                return
            if time - direction.covered_time <= WAIT:
                return
            self._give_up(direction, frame, time)

    @cython.cfunc
    def _give_up(self, direction: Direction, frame: cython.longlong, time: cython.longlong):
        """What lies between the edge and the first held segment does not come."""
        start: cython.longlong = direction.waiting[0][0]
        self._hole(direction, start, frame, time)
        self._drain(direction, frame)
        self._end(direction, frame, time)

    @cython.cfunc
    def _hole(self, direction: Direction, end: cython.longlong, frame: cython.longlong, time: cython.longlong):
        self._tell(direction, ACKNOWLEDGED if direction.acked >= end else HOLE, direction.edge, end - direction.edge, frame, time, frame)
        direction.holes.append((direction.edge, end))
        if len(direction.holes) > HOLES:
            del direction.holes[0]
        self._skip(direction, end)

    @cython.cfunc
    def _tail(self, direction: Direction):
        """What is missing at the end: up to the FIN, else up to the last acknowledgment, of which one number may be a FIN's.

        Acknowledgments count if the numbers of both ends are known equally well; a half-open connection's do not fit.
        """
        other: Direction = self._way(direction.number ^ 1)
        end: cython.longlong = direction.fin
        if end < 0 and other is not None and other.synced == direction.synced:
            end = direction.acked - 1
        if direction.edge < end <= direction.edge + (1 << 30):  # no window is larger, RFC 7323 §2.2
            self._hole(direction, end, direction.last_frame, direction.last_time)
            self._end(direction, direction.last_frame, direction.last_time)


def _last_word(direction: Direction) -> tuple:
    """When its last segment came."""
    return direction.last_frame, direction.number


def _first_held(direction: Direction) -> int:
    """When the first of its held segments came."""
    return min(one[1] for one in direction.waiting)
