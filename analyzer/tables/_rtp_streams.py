# mypy: ignore-errors
"""What became of RTP streams: a loop, since loss and jitter hang on the packets before. RFC 3550 §6.4.1, appendices A.1, A.3 and A.8.

Compiled by Cython when the package is built; runs interpreted too.
"""

import cython

OUTPUT = ("first_frame", "start", "end", "packets", "bytes", "lost", "duplicates", "late", "restarts", "longest", "jitter", "most", "timed")
DROPOUT = cython.declare(cython.longlong, 3000)  # numbers that a stream may skip, RFC 3550 appendix A.1
BEFORE = cython.declare(cython.longlong, 100)  # and that a packet may be late by
WIDE = cython.declare(cython.longlong, 64)  # numbers of which it is known whether they came
TURN = cython.declare(cython.longlong, 1 << 16)
SECOND = cython.declare(cython.double, 1e9)


@cython.final
@cython.cclass
class Stream:
    """One stream: times in ns, numbers extended beyond 16 bits."""

    frame: cython.longlong
    start: cython.longlong
    end: cython.longlong
    packets: cython.longlong
    bytes: cython.longlong
    base: cython.longlong
    top: cython.longlong  # the greatest number
    came: cython.ulonglong  # bit n: that number - n came
    counted: cython.longlong  # expected before it began anew
    duplicates: cython.longlong
    late: cython.longlong
    restarts: cython.longlong
    bad: cython.longlong  # the number that shows that it did
    longest: cython.longlong  # between two packets
    stamp: cython.longlong
    rate: cython.longlong
    timed: cython.longlong
    jitter: cython.double
    most: cython.double

    def __init__(self, frame: cython.longlong, time: cython.longlong, seq: cython.longlong):
        self.frame, self.start, self.end = frame, time, time
        self.packets = self.bytes = self.counted = self.duplicates = self.late = self.restarts = self.longest = 0
        self.stamp = self.rate = self.timed = 0
        self.jitter = self.most = 0.0
        self._begin(seq)

    @cython.cfunc
    def _begin(self, seq: cython.longlong):
        self.base = self.top = seq
        self.came = 0
        self.bad = -1

    @cython.cfunc
    def _number(self, seq: cython.longlong):
        """The packet's sequence number."""
        ahead: cython.longlong = (seq - self.top) & (TURN - 1)
        behind: cython.longlong = TURN - ahead
        one: cython.ulonglong = 1
        if ahead == 0 and self.came == 0:
            self.came = 1
        elif ahead == 0 or behind <= BEFORE:
            behind = 0 if ahead == 0 else behind
            if behind < WIDE and (self.came >> behind) & 1:
                self.duplicates += 1
            else:
                self.late += 1
                if behind < WIDE:
                    self.came |= one << behind
                if self.top - behind < self.base:
                    self.base = self.top - behind
        elif ahead < DROPOUT:
            self.came = (self.came << ahead | 1) if ahead < WIDE else 1
            self.top += ahead
        elif seq == self.bad:  # two in a row: the other side began anew; the first of them is of the old numbers no more
            self.counted += self.top - self.base + 1
            self.restarts += 1
            self._begin((seq - 1) & (TURN - 1))
            self.top += 1
            self.came = 3
        else:
            self.bad = (seq + 1) & (TURN - 1)

    @cython.cfunc
    def _time(self, time: cython.longlong, stamp: cython.longlong, rate: cython.longlong):
        """When it came, and the time that it says, in units of 1 / rate s."""
        if self.packets:
            if time - self.end > self.longest:
                self.longest = time - self.end
            if rate and rate == self.rate:
                step: cython.longlong = (stamp - self.stamp) & 0xFFFFFFFF
                if step >= 1 << 31:
                    step -= 1 << 32
                away: cython.double = (time - self.end) - step * SECOND / rate
                if away < 0:
                    away = -away
                self.jitter += (away - self.jitter) / 16
                self.timed += 1
                if self.jitter > self.most:
                    self.most = self.jitter
        self.end, self.stamp, self.rate = time, stamp, rate

    def told(self) -> tuple:
        """A row of TOLD."""
        expected: cython.longlong = self.counted + self.top - self.base + 1
        lost: cython.longlong = expected - (self.packets - self.duplicates)
        return (
            self.frame, self.start, self.end, self.packets, self.bytes, lost if lost > 0 else 0, self.duplicates, self.late,
            self.restarts, self.longest, int(self.jitter), int(self.most), self.timed,
        )  # fmt: skip


@cython.final
@cython.cclass
class Streams:
    """All streams, by their number. State lives from `feed` to `feed`."""

    streams: list

    def __init__(self):
        self.streams = []

    def feed(self, given: cython.const[cython.longlong][:, ::1]):
        """Take packets in the order of their frames. given: rows of stream (numbers in order of appearance), frame, time (ns), sequence
        number, timestamp, bytes of payload, clock (per second; 0: unknown)."""
        i: cython.longlong
        one: Stream
        for i in range(given.shape[1]):
            if given[0, i] == len(self.streams):
                self.streams.append(Stream(given[1, i], given[2, i], given[3, i]))
            one = self.streams[given[0, i]]
            one._time(given[2, i], given[4, i], given[6, i])
            one._number(given[3, i])
            one.packets += 1
            one.bytes += given[5, i]

    def told(self) -> list:
        """A row of TOLD for each stream."""
        return [one.told() for one in self.streams]
