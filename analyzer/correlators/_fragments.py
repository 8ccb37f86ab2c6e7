# mypy: ignore-errors
"""Fragments reassembled: a loop, since the status of a fragment depends on earlier ones. RFC 791 §3.2, RFC 815, RFC 8200 §4.5.

Compiled by Cython when the package is built; runs interpreted too. A queue holds the fragments of one datagram in order of arrival,
and the runs of its bytes received so far, in order and disjoint, each with the fragment that had it first. The cost of a fragment is
its length, however many there are. Queues are held within a limit of bytes; beyond, the oldest is given up.
"""

from bisect import bisect_right
from collections import OrderedDict

import cython

INPUT = ("frame", "time", "timeout", "offset", "length", "more", "number", "start", "whole", "source")
OUTPUT = ("queue", "status", "other", "completed")  # other: frame that had some of the bytes; completed: frame that made it whole; or 0
cython.declare(FRAME=cython.int, TIME=cython.int, TIMEOUT=cython.int, OFFSET=cython.int, LENGTH=cython.int, MORE=cython.int)
cython.declare(NUMBER=cython.int, START=cython.int, IN_WHOLE=cython.int, SOURCE=cython.int)
cython.declare(QUEUE=cython.int, STATUS=cython.int, OTHER=cython.int, COMPLETED=cython.int)
FRAME, TIME, TIMEOUT, OFFSET, LENGTH, MORE, NUMBER, START, IN_WHOLE, SOURCE = range(len(INPUT))
QUEUE, STATUS, OTHER, COMPLETED = range(len(OUTPUT))
# Status of a fragment on arrival: all bytes new; all known; some known; some known with other values; a last fragment with another
# end; beyond the end of the last fragment; beyond the longest datagram (dropped); cut by the capture (dropped).
STATUSES = ("new", "duplicate", "overlap", "conflict", "second end", "behind the end", "oversize", "cut")
NEW, DUPLICATE, OVERLAP, CONFLICT, SECOND_END, BEHIND_END, OVERSIZE, CUT = range(len(STATUSES))
ENDED = ("queue", "outcome", "frame", "length")  # length: -1 if no last fragment came
OUTCOMES = ("whole", "late copies", "timed out", "given up", "unfinished")
WHOLE, LATE, TIMED_OUT, GIVEN_UP, UNFINISHED = range(len(OUTCOMES))
MARKS = ("overlap", "overlap.conflict", "multipletails", "toolongfragment")  # Wireshark's names of the bits of a fragment's marks, from 1
MOST_BYTES = 65_535  # bytes of a datagram
QUEUE_BYTES, FRAGMENT_BYTES = 700, 250  # bytes of a queue and of a fragment besides their data
MOST_COMPLETED = 10_000  # keys of complete datagrams remembered, to recognize late copies; up to twice as many


@cython.final
@cython.cclass
class StoredFragment:
    offset: cython.longlong
    end: cython.longlong
    frame: cython.longlong
    marks: cython.longlong
    data: bytes


@cython.final
@cython.cclass
class Queue:
    serial: cython.longlong
    first: cython.longlong  # time of the first fragment, ns
    timeout: cython.longlong  # ns
    size: cython.longlong  # bytes of the datagram, -1 until the last fragment came
    number: cython.longlong  # of its protocol, from the fragment with offset 0
    received: cython.longlong  # bytes below size
    charge: cython.longlong
    late: cython.longlong  # frame in which a datagram with the same key was completed shortly before, or 0
    fragments: list
    starts: list  # of the runs
    runs: list  # (end, fragment) of each


def _offset(fragment: StoredFragment):
    return fragment.offset


@cython.final
@cython.cclass
class Queues:
    """Queues at one depth of the dissection, from batch to batch.

    limit: most bytes held. policy: one of `defaults.OVERLAP_POLICIES`: which fragment's bytes count where fragments overlap.
    """

    limit: cython.longlong
    policy: str
    held: cython.longlong
    serial: cython.longlong
    now: cython.longlong
    given_up: cython.longlong
    waiting: object  # key → Queue, oldest first
    known: dict  # key of a complete datagram → (when, frame)
    old: dict
    ended: list

    def __init__(self, limit, policy):
        self.limit, self.policy = limit, policy
        self.held = self.serial = self.given_up = 0
        self.now = -1
        self.waiting, self.known, self.old = OrderedDict(), {}, {}
        self.ended = []

    def feed(self, keys: list, inputs: cython.longlong[:, ::1], buffers: list, outputs: cython.longlong[:, ::1]):
        """Take fragments in the order of their frames; write `outputs`, int64 (columns of OUTPUT, n).

        keys: bytes, equal for the fragments of a datagram. inputs: int64 (columns of INPUT, n); times in ns. buffers: memoryviews;
        source is the index of a fragment's buffer, start its offset there. Returns rows of ENDED, and lists about the completed
        datagrams: row of the completing fragment, protocol number, bytes, number of fragments; and for all their fragments, by
        offset, frames and marks.
        """
        self.ended = []
        rows: list = []
        numbers: list = []
        datas: list = []
        counts: list = []
        frames: list = []
        marks: list = []
        i: cython.longlong
        time: cython.longlong
        offset: cython.longlong
        end: cython.longlong
        start: cython.longlong
        queue: Queue
        fragment: StoredFragment
        for i in range(len(keys)):
            key = keys[i]
            time, offset, start = inputs[TIME, i], inputs[OFFSET, i], inputs[START, i]
            end = offset + inputs[LENGTH, i]
            if time > self.now:
                self.now = time
            self.expire()
            known = self.waiting.get(key)
            if known is not None and self.timed_out(known):
                self.end(key, known, TIMED_OUT, 0)
                known = None
            queue = self.new_queue(key, time, inputs[TIMEOUT, i]) if known is None else known
            outputs[QUEUE, i], outputs[OTHER, i], outputs[COMPLETED, i] = queue.serial, 0, queue.late
            if end > MOST_BYTES:
                outputs[STATUS, i] = OVERSIZE
                continue
            if not inputs[IN_WHOLE, i]:
                outputs[STATUS, i] = CUT
                continue
            fragment = StoredFragment()
            fragment.offset, fragment.end, fragment.frame, fragment.marks = offset, end, inputs[FRAME, i], 0
            fragment.data = bytes(buffers[inputs[SOURCE, i]][start : start + end - offset])
            if offset == 0 and queue.number < 0:
                queue.number = inputs[NUMBER, i]
            if not inputs[MORE, i]:
                if queue.size < 0:
                    queue.size = end
                    queue.received = self.below(queue, end)
                elif queue.size != end:
                    fragment.marks = 4
            outputs[STATUS, i], outputs[OTHER, i] = self.add(queue, fragment)
            queue.charge += end - offset + FRAGMENT_BYTES
            self.held += end - offset + FRAGMENT_BYTES
            if queue.size >= 0 and queue.received == queue.size:
                rows.append(i)
                numbers.append(queue.number)
                datas.append(self.assembled(queue))
                counts.append(len(queue.fragments))
                for fragment in queue.fragments:
                    frames.append(fragment.frame)
                    marks.append(fragment.marks)
                self.end(key, queue, WHOLE, inputs[FRAME, i])
            else:
                self.shrink()
        return self.ended, (rows, numbers, datas, counts, frames, marks)

    def unfinished(self):
        """Rows of ENDED for the queues that are unfinished at the end of the trace."""
        return [self.row(queue, UNFINISHED, 0) for queue in self.waiting.values()]

    def lost(self):
        """The number of queues given up to bound memory."""
        return self.given_up

    @cython.cfunc
    def new_queue(self, key, time: cython.longlong, timeout: cython.longlong) -> Queue:
        queue: Queue = Queue()
        queue.serial, queue.first, queue.timeout = self.serial, time, timeout
        queue.size = queue.number = -1
        queue.received = 0
        queue.charge = QUEUE_BYTES
        queue.fragments, queue.starts, queue.runs = [], [], []
        when, frame = self.known.get(key) or self.old.get(key) or (0, 0)
        queue.late = frame if self.now - when <= timeout else 0
        self.serial += 1
        self.held += QUEUE_BYTES
        self.waiting[key] = queue
        return queue

    @cython.cfunc
    def below(self, queue: Queue, size: cython.longlong) -> cython.longlong:
        """The number of bytes received before `size`."""
        total: cython.longlong = 0
        i: cython.longlong
        start: cython.longlong
        end: cython.longlong
        for i in range(len(queue.starts)):
            start, end = queue.starts[i], queue.runs[i][0]
            if start < size:
                total += min(end, size) - start
        return total

    @cython.cfunc
    def add(self, queue: Queue, fragment: StoredFragment) -> tuple:
        """Add a fragment. Returns its status and the frame that it overlaps, or 0."""
        starts: list = queue.starts
        runs: list = queue.runs
        begin: cython.longlong = fragment.offset
        edge: cython.longlong = begin
        shared: cython.longlong = 0
        start: cython.longlong
        end: cython.longlong
        low: cython.longlong
        high: cython.longlong
        other: cython.longlong = 0
        conflict: cython.bint = False
        earlier: StoredFragment
        fresh: list = []
        at: cython.longlong = bisect_right(starts, begin) - 1
        if at < 0 or runs[at][0] <= begin:
            at += 1
        while at < len(starts) and starts[at] < fragment.end:
            start = starts[at]
            end, earlier = runs[at]
            if start > edge:
                fresh.append((edge, start))
            low, high = max(start, begin), min(end, fragment.end)
            shared += high - low
            if not conflict:
                other = earlier.frame
                conflict = earlier.data[low - earlier.offset : high - earlier.offset] != fragment.data[low - begin : high - begin]
            edge = end
            at += 1
        if edge < fragment.end:
            fresh.append((edge, fragment.end))
        for low, high in fresh:
            at = bisect_right(starts, low)
            starts.insert(at, low)
            runs.insert(at, (high, fragment))
            if low < queue.size:
                queue.received += min(high, queue.size) - low
        queue.fragments.append(fragment)
        if conflict:
            return CONFLICT, other
        if fragment.marks:
            return SECOND_END, other
        if 0 <= queue.size < fragment.end:
            return BEHIND_END, other
        return (NEW if not shared else DUPLICATE if shared == fragment.end - begin else OVERLAP), other

    @cython.cfunc
    def assembled(self, queue: Queue) -> bytes:
        """The datagram. Sorts its fragments by offset and sets their marks, which are those of the policy bsd, as Wireshark's."""
        by_arrival: list = list(queue.fragments)
        queue.fragments.sort(key=_offset)
        size: cython.longlong = queue.size
        filled: cython.longlong = 0
        end: cython.longlong
        fragment: StoredFragment
        data = bytearray(size)
        for fragment in queue.fragments:
            if fragment.offset >= size:
                fragment.marks |= 8
                continue
            if fragment.end > size:
                fragment.marks |= 8
            if fragment.offset < filled:
                fragment.marks |= 1
                end = min(fragment.end, filled)
                if data[fragment.offset : end] != fragment.data[: end - fragment.offset]:
                    fragment.marks |= 2
            if fragment.end > filled:
                end = min(fragment.end, size)
                data[filled:end] = fragment.data[filled - fragment.offset : end - fragment.offset]
                filled = end
        if self.policy == "bsd":  # the lowest offset counts; of two with one offset, the earlier
            return bytes(data)
        # Other policies: the fragments overwrite each other in this order.
        if self.policy == "first":
            by_arrival.reverse()
        elif self.policy == "linux":  # as bsd, but of two with one offset the later counts
            by_arrival.sort(key=_offset, reverse=True)
        for fragment in by_arrival:
            end = min(fragment.end, size)
            if end > fragment.offset:
                data[fragment.offset : end] = fragment.data[: end - fragment.offset]
        return bytes(data)

    @cython.cfunc
    def row(self, queue: Queue, outcome: cython.longlong, frame: cython.longlong) -> tuple:
        if outcome != WHOLE and queue.late > 0:
            outcome = LATE
        return queue.serial, outcome, frame, queue.size

    @cython.cfunc
    def end(self, key, queue: Queue, outcome: cython.longlong, frame: cython.longlong):
        del self.waiting[key]
        self.held -= queue.charge
        self.ended.append(self.row(queue, outcome, frame))
        if outcome == WHOLE:
            if len(self.known) >= MOST_COMPLETED:
                self.old, self.known = self.known, {}
            self.known[key] = self.now, frame

    @cython.cfunc
    def timed_out(self, queue: Queue) -> cython.bint:
        return self.now - queue.first > queue.timeout

    @cython.cfunc
    def expire(self):
        """Give up the oldest queues that timed out."""
        queue: Queue
        while self.waiting:
            key = next(iter(self.waiting))
            queue = self.waiting[key]
            if not self.timed_out(queue):
                return
            self.end(key, queue, TIMED_OUT, 0)

    @cython.cfunc
    def shrink(self):
        """Give up the oldest queues while too many bytes are held."""
        while self.held > self.limit:
            key = next(iter(self.waiting))
            self.given_up += 1
            self.end(key, self.waiting[key], GIVEN_UP, 0)
