# mypy: ignore-errors
"""Pieces of datagrams, put together: a loop, since what a piece is hangs on those before it. RFC 791 §3.2, RFC 815, RFC 8200 §4.5.

Compiled by Cython when the package is built; runs interpreted too. A train is what came of one datagram so far: its pieces as
they arrived, and the stretches of it that are there, in order and disjoint, each with the piece that brought it first. A piece
costs what it is long, however many there are. Trains are held within a limit of bytes; beyond, the eldest is given up.
"""

from bisect import bisect_right
from collections import OrderedDict

import cython

INPUT = ("frame", "time", "patience", "offset", "length", "more", "number", "start", "whole", "source")
OUTPUT = (
    "train",
    "found",
    "other",
    "whole",
)  # other: the frame whose bytes were there before; whole: in which the same became whole before; or 0
# What a piece was to its train when it arrived: all bytes new; all there already; some there already; some there already, but
# others; it ends elsewhere than another last piece; it reaches behind the last piece; behind what a datagram may have
# (refused); the capture cut it (refused).
FOUND = ("new", "duplicate", "overlap", "conflict", "second end", "behind the end", "oversize", "cut")
NEW, DUPLICATE, OVERLAP, CONFLICT, TAIL, LONG, OVERSIZE, CUT = range(8)
ENDED = ("train", "outcome", "frame", "length")  # length: -1 if no last piece told
OUTCOMES = ("whole", "late copies", "timed out", "given up", "unfinished")
WHOLE, LATE, TIMED_OUT, GIVEN_UP, UNFINISHED = range(5)
POLICIES = ("bsd", "first", "last", "linux")
MARKS = ("overlap", "overlap.conflict", "multipletails", "toolongfragment")  # Wireshark's names of the bits of a piece's marks, from 1 on
MOST = 65_535  # bytes of a datagram
TRAIN, PIECE = 700, 250  # bytes that a train and a piece take beside their data
KNOWN = 10_000  # keys of complete datagrams remembered, so that late copies are told; twice that at times


@cython.final
@cython.cclass
class Piece:
    offset: cython.longlong
    end: cython.longlong
    frame: cython.longlong
    marks: cython.longlong
    data: bytes


@cython.final
@cython.cclass
class Train:
    serial: cython.longlong
    first: cython.longlong  # time of the first piece, ns
    patience: cython.longlong  # ns
    size: cython.longlong  # bytes of the datagram, -1 until a last piece told
    number: cython.longlong  # of the protocol that it carries, as its first bytes' header says
    there: cython.longlong  # bytes below size that are there
    charge: cython.longlong
    late: cython.longlong  # the frame in which one with the same key became whole not long before, or 0
    pieces: list
    starts: list  # of the stretches
    runs: list  # (end, piece) of each


def _offset(piece: Piece):
    return piece.offset


@cython.final
@cython.cclass
class Trains:
    """Trains at one depth of the dissection, from batch to batch.

    limit: bytes held at the most. policy: one of POLICIES, says whose bytes count where pieces overlap.
    """

    limit: cython.longlong
    policy: str
    held: cython.longlong
    serial: cython.longlong
    now: cython.longlong
    given_up: cython.longlong
    waiting: object  # key → Train, eldest first
    known: dict  # key of a complete datagram → (when, frame)
    old: dict
    ended: list

    def __init__(self, limit, policy):
        self.limit, self.policy = limit, policy
        self.held = self.serial = self.given_up = 0
        self.now = -1
        self.waiting, self.known, self.old = OrderedDict(), {}, {}
        self.ended = []

    def feed(self, keys: list, given: cython.longlong[:, ::1], buffers: list, told: cython.longlong[:, ::1]):
        """Take pieces in their order. keys: bytes, one a piece. given: int64 (columns of GIVEN, n); times in ns. buffers:
        memoryviews, start points into that which source counts. told: int64 (columns of TOLD, n), is written.

        Returns rows of ENDED, and of the datagrams that became whole lists of: the row of the piece that completed it; the number
        of what it carries; its bytes; how many pieces; and for all pieces of all of them, by offset, frames and marks.
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
        train: Train
        piece: Piece
        for i in range(len(keys)):
            key = keys[i]
            time, offset, start = given[1, i], given[3, i], given[7, i]
            end = offset + given[4, i]
            if time > self.now:
                self.now = time
            self.expire()
            found = self.waiting.get(key)
            if found is not None and self.over(found):
                self.end(key, found, TIMED_OUT, 0)
                found = None
            train = self.begin(key, time, given[2, i]) if found is None else found
            told[0, i], told[2, i], told[3, i] = train.serial, 0, train.late
            if end > MOST:
                told[1, i] = OVERSIZE
                continue
            if not given[8, i]:
                told[1, i] = CUT
                continue
            piece = Piece()
            piece.offset, piece.end, piece.frame, piece.marks = offset, end, given[0, i], 0
            piece.data = bytes(buffers[given[9, i]][start : start + end - offset])
            if offset == 0 and train.number < 0:
                train.number = given[6, i]
            if not given[5, i]:
                if train.size < 0:
                    train.size = end
                    train.there = self.below(train, end)
                elif train.size != end:
                    piece.marks = 4
            told[1, i], told[2, i] = self.add(train, piece)
            train.charge += end - offset + PIECE
            self.held += end - offset + PIECE
            if train.size >= 0 and train.there == train.size:
                rows.append(i)
                numbers.append(train.number)
                datas.append(self.assembled(train))
                counts.append(len(train.pieces))
                for piece in train.pieces:
                    frames.append(piece.frame)
                    marks.append(piece.marks)
                self.end(key, train, WHOLE, given[0, i])
            else:
                self.shrink()
        return self.ended, (rows, numbers, datas, counts, frames, marks)

    def unfinished(self):
        """Rows of ENDED for what waits still: what the end of the trace makes of it."""
        return [self.row(train, UNFINISHED, 0) for train in self.waiting.values()]

    def lost(self):
        """How many trains were given up for want of memory."""
        return self.given_up

    @cython.cfunc
    def begin(self, key, time: cython.longlong, patience: cython.longlong) -> Train:
        train: Train = Train()
        train.serial, train.first, train.patience = self.serial, time, patience
        train.size = train.number = -1
        train.there = 0
        train.charge = TRAIN
        train.pieces, train.starts, train.runs = [], [], []
        when, frame = self.known.get(key) or self.old.get(key) or (0, 0)
        train.late = frame if self.now - when <= patience else 0
        self.serial += 1
        self.held += TRAIN
        self.waiting[key] = train
        return train

    @cython.cfunc
    def below(self, train: Train, size: cython.longlong) -> cython.longlong:
        """Bytes before size that are there."""
        total: cython.longlong = 0
        i: cython.longlong
        start: cython.longlong
        end: cython.longlong
        for i in range(len(train.starts)):
            start, end = train.starts[i], train.runs[i][0]
            if start < size:
                total += min(end, size) - start
        return total

    @cython.cfunc
    def add(self, train: Train, piece: Piece) -> tuple:
        """Put a piece among the others; what it is (one of FOUND), and the frame that it overlaps or 0."""
        starts: list = train.starts
        runs: list = train.runs
        begin: cython.longlong = piece.offset
        edge: cython.longlong = begin
        shared: cython.longlong = 0
        start: cython.longlong
        end: cython.longlong
        low: cython.longlong
        high: cython.longlong
        other: cython.longlong = 0
        conflict: cython.bint = False
        before: Piece
        fresh: list = []
        at: cython.longlong = bisect_right(starts, begin) - 1
        if at < 0 or runs[at][0] <= begin:
            at += 1
        while at < len(starts) and starts[at] < piece.end:
            start = starts[at]
            end, before = runs[at]
            if start > edge:
                fresh.append((edge, start))
            low, high = max(start, begin), min(end, piece.end)
            shared += high - low
            if not conflict:
                other = before.frame
                conflict = before.data[low - before.offset : high - before.offset] != piece.data[low - begin : high - begin]
            edge = end
            at += 1
        if edge < piece.end:
            fresh.append((edge, piece.end))
        for low, high in fresh:
            at = bisect_right(starts, low)
            starts.insert(at, low)
            runs.insert(at, (high, piece))
            if low < train.size:
                train.there += min(high, train.size) - low
        train.pieces.append(piece)
        if conflict:
            return CONFLICT, other
        if piece.marks:
            return TAIL, other
        if 0 <= train.size < piece.end:
            return LONG, other
        return (NEW if not shared else DUPLICATE if shared == piece.end - begin else OVERLAP), other

    @cython.cfunc
    def assembled(self, train: Train) -> bytes:
        """The datagram; its pieces, then ordered by offset, get Wireshark's marks, which know the order bsd alone."""
        painted: list = list(train.pieces)
        train.pieces.sort(key=_offset)
        size: cython.longlong = train.size
        done: cython.longlong = 0
        both: cython.longlong
        piece: Piece
        data = bytearray(size)
        for piece in train.pieces:
            if piece.offset >= size:
                piece.marks |= 8
                continue
            if piece.end > size:
                piece.marks |= 8
            if piece.offset < done:
                piece.marks |= 1
                both = min(piece.end, done)
                if data[piece.offset : both] != piece.data[: both - piece.offset]:
                    piece.marks |= 2
            if piece.end > done:
                both = min(piece.end, size)
                data[done:both] = piece.data[done - piece.offset : both - piece.offset]
                done = both
        if self.policy == "bsd":  # the bytes of who begins first count; of two that begin together, who came first
            return bytes(data)
        # The others are painted one over the other.
        if self.policy == "first":
            painted.reverse()
        elif self.policy == "linux":  # as bsd, but of two that begin together the later one counts
            painted.sort(key=_offset, reverse=True)
        for piece in painted:
            both = min(piece.end, size)
            if both > piece.offset:
                data[piece.offset : both] = piece.data[: both - piece.offset]
        return bytes(data)

    @cython.cfunc
    def row(self, train: Train, outcome: cython.longlong, frame: cython.longlong) -> tuple:
        if outcome != WHOLE and train.late > 0:
            outcome = LATE
        return train.serial, outcome, frame, train.size

    @cython.cfunc
    def end(self, key, train: Train, outcome: cython.longlong, frame: cython.longlong):
        del self.waiting[key]
        self.held -= train.charge
        self.ended.append(self.row(train, outcome, frame))
        if outcome == WHOLE:
            if len(self.known) >= KNOWN:
                self.old, self.known = self.known, {}
            self.known[key] = self.now, frame

    @cython.cfunc
    def over(self, train: Train) -> cython.bint:
        return self.now - train.first > train.patience

    @cython.cfunc
    def expire(self):
        """Give up the eldest while their time is over."""
        train: Train
        while self.waiting:
            key = next(iter(self.waiting))
            train = self.waiting[key]
            if not self.over(train):
                return
            self.end(key, train, TIMED_OUT, 0)

    @cython.cfunc
    def shrink(self):
        """Give up the eldest while too much is held."""
        while self.held > self.limit:
            key = next(iter(self.waiting))
            self.given_up += 1
            self.end(key, self.waiting[key], GIVEN_UP, 0)
