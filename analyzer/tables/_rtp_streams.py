# cython: wraparound=False
# mypy: ignore-errors
"""Loss and jitter of RTP streams: a loop, since both depend on the packets before. RFC 3550 §6.4.1, appendices A.1, A.3 and A.8.

Compiled by Cython when the package is built; runs interpreted too.
"""

import cython

INPUT = ("stream", "frame", "time", "seq", "timestamp", "size", "rate")  # time: ns; size: bytes; rate: of the clock, Hz, 0 if unknown
cython.declare(STREAM=cython.int, FRAME=cython.int, TIME=cython.int, SEQ=cython.int, TIMESTAMP=cython.int, SIZE=cython.int, RATE=cython.int)
STREAM, FRAME, TIME, SEQ, TIMESTAMP, SIZE, RATE = range(len(INPUT))
OUTPUT = ("first_frame", "start", "end", "packets", "bytes", "lost", "duplicates", "late", "restarts", "longest", "jitter", "most", "timed")
DROPOUT = cython.declare(cython.longlong, 3000)  # sequence numbers that a stream may skip, RFC 3550 appendix A.1
MISORDER = cython.declare(cython.longlong, 100)  # numbers by which a packet may be late, ibid.
WIDE = cython.declare(cython.longlong, 64)  # latest numbers for which `came` has a bit
SEQ_MOD = cython.declare(cython.longlong, 1 << 16)
SECOND = cython.declare(cython.double, 1e9)


@cython.final
@cython.cclass
class RtpStream:
    """One stream. Times are ns; sequence numbers are extended beyond 16 bits."""

    frame: cython.longlong
    start: cython.longlong
    end: cython.longlong
    packets: cython.longlong
    bytes: cython.longlong
    base: cython.longlong
    top: cython.longlong  # the greatest sequence number
    came: cython.ulonglong  # bit n: number top - n came
    counted: cython.longlong  # packets expected before the last restart
    duplicates: cython.longlong
    late: cython.longlong
    restarts: cython.longlong
    bad: cython.longlong  # the number that would confirm a restart
    longest: cython.longlong  # gap between two packets
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
        self._restart(seq)

    @cython.cfunc
    def _restart(self, seq: cython.longlong):
        self.base = self.top = seq
        self.came = 0
        self.bad = -1

    @cython.cfunc
    def _number(self, seq: cython.longlong):
        """Count the packet's sequence number."""
        ahead: cython.longlong = (seq - self.top) & (SEQ_MOD - 1)
        behind: cython.longlong = SEQ_MOD - ahead
        bit: cython.ulonglong = 1
        if ahead == 0 and self.came == 0:
            self.came = 1
        elif ahead == 0 or behind <= MISORDER:
            behind = 0 if ahead == 0 else behind
            if behind < WIDE and (self.came >> behind) & 1:
                self.duplicates += 1
            else:
                self.late += 1
                if behind < WIDE:
                    self.came |= bit << behind
                if self.top - behind < self.base:
                    self.base = self.top - behind
        elif ahead < DROPOUT:
            self.came = (self.came << ahead | 1) if ahead < WIDE else 1
            self.top += ahead
        elif seq == self.bad:  # two in a row: the sender restarted; the first of them has a new number
            self.counted += self.top - self.base + 1
            self.restarts += 1
            self._restart((seq - 1) & (SEQ_MOD - 1))
            self.top += 1
            self.came = 3
        else:
            self.bad = (seq + 1) & (SEQ_MOD - 1)

    @cython.cfunc
    def _time(self, time: cython.longlong, stamp: cython.longlong, rate: cython.longlong):
        """Count the packet's time of arrival and its timestamp, in units of 1 / rate s."""
        if self.packets:
            if time - self.end > self.longest:
                self.longest = time - self.end
            if rate and rate == self.rate:
                step: cython.longlong = (stamp - self.stamp) & 0xFFFFFFFF
                if step >= 1 << 31:
                    step -= 1 << 32
                deviation: cython.double = (time - self.end) - step * SECOND / rate
                if deviation < 0:
                    deviation = -deviation
                self.jitter += (deviation - self.jitter) / 16
                self.timed += 1
                if self.jitter > self.most:
                    self.most = self.jitter
        self.end, self.stamp, self.rate = time, stamp, rate

    def row(self) -> tuple:
        """A row of OUTPUT."""
        expected: cython.longlong = self.counted + self.top - self.base + 1
        lost: cython.longlong = expected - (self.packets - self.duplicates)
        return (
            self.frame, self.start, self.end, self.packets, self.bytes, lost if lost > 0 else 0, self.duplicates, self.late,
            self.restarts, self.longest, int(self.jitter), int(self.most), self.timed,
        )  # fmt: skip


@cython.final
@cython.cclass
class RtpStreams:
    """All streams by number. State lives from batch to batch."""

    streams: list

    def __init__(self):
        self.streams = []

    def feed(self, columns: cython.const[cython.longlong][:, ::1]):
        """Take packets in the order of their frames. columns: int64 (INPUT, packets); streams are numbered in order of appearance."""
        i: cython.longlong
        stream: RtpStream
        for i in range(columns.shape[1]):
            if columns[STREAM, i] == len(self.streams):
                self.streams.append(RtpStream(columns[FRAME, i], columns[TIME, i], columns[SEQ, i]))
            stream = self.streams[columns[STREAM, i]]
            stream._time(columns[TIME, i], columns[TIMESTAMP, i], columns[RATE, i])
            stream._number(columns[SEQ, i])
            stream.packets += 1
            stream.bytes += columns[SIZE, i]

    def rows(self) -> list:
        """A row of OUTPUT for each stream."""
        return [stream.row() for stream in self.streams]
