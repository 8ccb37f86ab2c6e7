# cython: boundscheck=False, wraparound=False, initializedcheck=False
# mypy: ignore-errors
"""Figures of each TCP connection: counts, windows, round trips, retransmissions, for each direction. One loop, as the tracker's.

Compiled by Cython when the package is built; runs interpreted too. It takes what `tcp_tracker` made of the segments, in the
same order, and adds up. The figures are those of tcptrace's long report. Times are ns, sizes bytes.
"""

import cython

from ._tracker import INPUT, MARKS, OUTPUT

MORE = (  # rows of the matrix that goes in beside the tracker's, int64
    "kept",  # bytes of data that the capture kept
    "urgent",  # the urgent pointer
    "mss",  # the option's value, -1 none
    "sack_permitted",  # 1: the option is there
    "timestamps",
    "sack_option",
    "dsack",  # 1: a block says what arrived twice
    "ip_length",  # bytes of the IP datagram
)
FIGURES = (  # what is kept of a direction, in this order
    "packets",
    "resets",
    "acks",
    "pure_acks",
    "sacks",
    "dsacks",
    "most_blocks",
    "unique_bytes",
    "data_packets",
    "data_bytes",
    "retransmitted_packets",
    "retransmitted_bytes",
    "probe_packets",
    "probe_bytes",
    "out_of_order",
    "pushed_packets",
    "syns",
    "fins",
    "scale",  # -1 not offered
    "timestamps",
    "sack_permitted",
    "urgent_packets",
    "urgent_bytes",
    "mss",  # -1 not offered
    "max_segment",
    "min_segment",
    "max_window",
    "min_window",
    "zero_windows",
    "windows",  # how many windows were added up
    "window_sum",
    "max_outstanding",
    "min_outstanding",
    "outstandings",
    "outstanding_sum",
    "weighted_outstanding",  # bytes × µs
    "initial_bytes",
    "initial_packets",
    "syn_number",  # position of its SYN, -1 not seen
    "fin_number",
    "truncated_bytes",
    "truncated_packets",
    "first_data",
    "last_data",
    "max_idle",
    "hardware_duplicates",
    "rtt_handshake",
    "post_loss_acks",
    "cumulative_acks",
    "duplicate_acks",
    "triple_duplicate_acks",
    "max_retransmissions",
    "ecn",  # bits: 1 its SYN asked or agreed, 2 it echoed congestion, 4 it slowed down
    "ip_bytes",
    "zero_time",  # ns that it had its window closed
)
ABOUT = (  # what is kept of a connection, in this order
    "stream",
    "client",  # 1: the end with the greater address and port
    "guessed",
    "first_frame",
    "last_frame",
    "first_time",
    "last_time",
    "syn_time",  # 0: not seen
    "synack_time",
    "handshake_time",
    "states",  # as the tracker gives them, of the last segment
    "closer",  # who sent the first FIN: 0 nobody, 1 the smaller end, 2 the greater
    "resetter",
    "reset_frame",
    "reused",
)
SAMPLES = ("rtt", "full", "last", "retransmit")
"""Sampled times of a direction: round trips, those of full segments, those of what was sent again, times to send again."""
COUNTS = (*FIGURES, *(f"{name}_{what}" for name in SAMPLES for what in ("count", "min", "max")))
SUMS = tuple(f"{name}_{what}" for name in SAMPLES for what in ("sum", "squares"))


@cython.final
@cython.no_gc
@cython.freelist(256)
@cython.cclass
class Sent:
    """A stretch of numbers that was sent: [first, behind), how often again, how often acknowledged. Ascending in its list."""

    first: cython.longlong
    behind: cython.longlong
    time: cython.longlong
    again: cython.longlong
    acked: cython.longlong
    next: "Sent"


STRETCHES = cython.declare(cython.longlong, 10000)  # remembered for each direction, so that no list is walked for ever
FIN_FLAG = cython.declare(cython.longlong, 1)
SYN_FLAG = cython.declare(cython.longlong, 2)
RST_FLAG = cython.declare(cython.longlong, 4)
PSH_FLAG = cython.declare(cython.longlong, 8)
ACK_FLAG = cython.declare(cython.longlong, 16)
URG_FLAG = cython.declare(cython.longlong, 32)
ECE_FLAG = cython.declare(cython.longlong, 64)
CWR_FLAG = cython.declare(cython.longlong, 128)

BACK = cython.declare(cython.int, INPUT.index("back"))
FLAGS = cython.declare(cython.int, INPUT.index("flags"))
LENGTH = cython.declare(cython.int, INPUT.index("length"))
WINDOW = cython.declare(cython.int, INPUT.index("window"))
TIME = cython.declare(cython.int, INPUT.index("time"))
FRAME = cython.declare(cython.int, INPUT.index("frame"))
SCALE = cython.declare(cython.int, INPUT.index("scale"))
FIRST_SACK = cython.declare(cython.int, INPUT.index("first_sack"))
LAST_SACK = cython.declare(cython.int, INPUT.index("last_sack"))
STREAM = cython.declare(cython.int, OUTPUT.index("stream"))
OUT_MARKS = cython.declare(cython.int, OUTPUT.index("marks"))
SHIFT = cython.declare(cython.int, OUTPUT.index("shift"))
POSITION = cython.declare(cython.int, OUTPUT.index("position"))
ACKED = cython.declare(cython.int, OUTPUT.index("acked"))
OUT_STATES = cython.declare(cython.int, OUTPUT.index("states"))
FROM_CLIENT = cython.declare(cython.longlong, 1 << MARKS.index("from_client"))
GUESSED = cython.declare(cython.longlong, 1 << MARKS.index("guessed"))
COPIED = cython.declare(cython.longlong, 1 << MARKS.index("copied"))
REUSED = cython.declare(cython.longlong, 1 << MARKS.index("reused_ports"))
KEPT = cython.declare(cython.int, MORE.index("kept"))
URGENT = cython.declare(cython.int, MORE.index("urgent"))
MSS = cython.declare(cython.int, MORE.index("mss"))
SACK_PERMITTED = cython.declare(cython.int, MORE.index("sack_permitted"))
TIMESTAMPS = cython.declare(cython.int, MORE.index("timestamps"))
SACK_OPTION = cython.declare(cython.int, MORE.index("sack_option"))
DSACK = cython.declare(cython.int, MORE.index("dsack"))
IP_LENGTH = cython.declare(cython.int, MORE.index("ip_length"))


@cython.final
@cython.no_gc
@cython.cclass
class Sample:
    """Times of one kind, ns: how many, the least, the greatest, their sum and the sum of their squares."""

    count: cython.longlong
    least: cython.longlong
    most: cython.longlong
    total: cython.double
    squares: cython.double

    def __init__(self):
        if not cython.compiled:
            self.count = self.least = self.most = 0
            self.total = self.squares = 0.0


@cython.cfunc
def _took(sample: Sample | None, time: cython.longlong) -> Sample:
    """The sample with one time more; None is one without any, which most connections keep for most kinds."""
    if sample is None:
        sample = Sample()
    if sample.count == 0 or time < sample.least:
        sample.least = time
    if time > sample.most:
        sample.most = time
    sample.count += 1
    sample.total += time
    sample.squares += cython.cast(cython.double, time) * time
    return sample


NEVER = Sample()


@cython.final
@cython.no_gc
@cython.cclass
class Side:
    """One direction of a connection, and what it takes to add it up."""

    packets: cython.longlong
    resets: cython.longlong
    acks: cython.longlong
    pure_acks: cython.longlong
    sacks: cython.longlong
    dsacks: cython.longlong
    most_blocks: cython.longlong
    unique_bytes: cython.longlong
    data_packets: cython.longlong
    data_bytes: cython.longlong
    retransmitted_packets: cython.longlong
    retransmitted_bytes: cython.longlong
    probe_packets: cython.longlong
    probe_bytes: cython.longlong
    out_of_order: cython.longlong
    pushed_packets: cython.longlong
    syns: cython.longlong
    fins: cython.longlong
    scale: cython.longlong
    timestamps: cython.longlong
    sack_permitted: cython.longlong
    urgent_packets: cython.longlong
    urgent_bytes: cython.longlong
    mss: cython.longlong
    max_segment: cython.longlong
    min_segment: cython.longlong
    max_window: cython.longlong
    min_window: cython.longlong
    zero_windows: cython.longlong
    windows: cython.longlong
    window_sum: cython.longlong
    max_outstanding: cython.longlong
    min_outstanding: cython.longlong
    outstandings: cython.longlong
    outstanding_sum: cython.longlong
    weighted_outstanding: cython.longlong
    initial_bytes: cython.longlong
    initial_packets: cython.longlong
    syn_number: cython.longlong
    fin_number: cython.longlong
    truncated_bytes: cython.longlong
    truncated_packets: cython.longlong
    first_data: cython.longlong
    last_data: cython.longlong
    max_idle: cython.longlong
    hardware_duplicates: cython.longlong
    rtt_handshake: cython.longlong
    post_loss_acks: cython.longlong
    cumulative_acks: cython.longlong
    duplicate_acks: cython.longlong
    triple_duplicate_acks: cython.longlong
    max_retransmissions: cython.longlong
    ecn: cython.longlong
    ip_bytes: cython.longlong
    zero_time: cython.longlong
    rtt: Sample
    full: Sample
    last: Sample
    again: Sample
    # the state of adding up
    head: Sent
    tail: Sent
    runs: cython.longlong  # how many are in the list
    seen: cython.bint  # it sent something
    last_time: cython.longlong
    window: cython.longlong  # its last, scaled
    raw_window: cython.longlong
    last_ack: cython.longlong  # of the peer's numbers
    acking: cython.bint
    first: cython.longlong  # number of its SYN, or of its first byte
    data_acked: cython.bint  # the peer acknowledged data of it
    closed_since: cython.longlong  # time at which it closed its window, 0 when it is open
    ahead: cython.longlong  # bytes outstanding when last looked at
    ahead_time: cython.longlong

    def __init__(self):
        if not cython.compiled:
            self.head = self.tail = self.rtt = self.full = self.last = self.again = None
            self.seen = self.acking = self.data_acked = False
            for name in (
                *FIGURES,
                "last_time",
                "window",
                "stretches",
                "last_ack",
                "first",
                "ahead",
                "ahead_time",
                "closed_since",
                "raw_window",
            ):
                setattr(self, name, 0)
        self.scale = self.mss = self.syn_number = self.fin_number = -1
        self.window = -1


@cython.cfunc
def _write(side: Side, out: cython.longlong[:, ::1], sums: cython.double[:, ::1], row: cython.longlong):
    """The figures of a side into a row of each matrix, in the order of COUNTS and SUMS."""
    place: cython.longlong = 0
    sample: Sample
    out[row, 0] = side.packets
    out[row, 1] = side.resets
    out[row, 2] = side.acks
    out[row, 3] = side.pure_acks
    out[row, 4] = side.sacks
    out[row, 5] = side.dsacks
    out[row, 6] = side.most_blocks
    out[row, 7] = side.unique_bytes
    out[row, 8] = side.data_packets
    out[row, 9] = side.data_bytes
    out[row, 10] = side.retransmitted_packets
    out[row, 11] = side.retransmitted_bytes
    out[row, 12] = side.probe_packets
    out[row, 13] = side.probe_bytes
    out[row, 14] = side.out_of_order
    out[row, 15] = side.pushed_packets
    out[row, 16] = side.syns
    out[row, 17] = side.fins
    out[row, 18] = side.scale
    out[row, 19] = side.timestamps
    out[row, 20] = side.sack_permitted
    out[row, 21] = side.urgent_packets
    out[row, 22] = side.urgent_bytes
    out[row, 23] = side.mss
    out[row, 24] = side.max_segment
    out[row, 25] = side.min_segment
    out[row, 26] = side.max_window
    out[row, 27] = side.min_window
    out[row, 28] = side.zero_windows
    out[row, 29] = side.windows
    out[row, 30] = side.window_sum
    out[row, 31] = side.max_outstanding
    out[row, 32] = side.min_outstanding
    out[row, 33] = side.outstandings
    out[row, 34] = side.outstanding_sum
    out[row, 35] = side.weighted_outstanding
    out[row, 36] = side.initial_bytes
    out[row, 37] = side.initial_packets
    out[row, 38] = side.syn_number
    out[row, 39] = side.fin_number
    out[row, 40] = side.truncated_bytes
    out[row, 41] = side.truncated_packets
    out[row, 42] = side.first_data
    out[row, 43] = side.last_data
    out[row, 44] = side.max_idle
    out[row, 45] = side.hardware_duplicates
    out[row, 46] = side.rtt_handshake
    out[row, 47] = side.post_loss_acks
    out[row, 48] = side.cumulative_acks
    out[row, 49] = side.duplicate_acks
    out[row, 50] = side.triple_duplicate_acks
    out[row, 51] = side.max_retransmissions
    out[row, 52] = side.ecn
    out[row, 53] = side.ip_bytes
    out[row, 54] = side.zero_time
    for sample in (side.rtt, side.full, side.last, side.again):
        if sample is None:
            sample = NEVER
        out[row, 55 + 3 * place] = sample.count
        out[row, 55 + 3 * place + 1] = sample.least
        out[row, 55 + 3 * place + 2] = sample.most
        sums[row, 2 * place] = sample.total
        sums[row, 2 * place + 1] = sample.squares
        place += 1


@cython.final
@cython.no_gc
@cython.cclass
class Talk:
    """A connection: its two sides in the order of the key, and what happened to it as a whole."""

    low: Side
    high: Side
    key: bytes
    client: cython.int  # 1: the high end
    guessed: cython.bint
    first_frame: cython.longlong
    last_frame: cython.longlong
    first_time: cython.longlong
    last_time: cython.longlong
    syn_time: cython.longlong
    synack_time: cython.longlong
    handshake_time: cython.longlong
    states: cython.longlong  # as the tracker gave them last
    closer: cython.int  # 0 nobody, 1 the low end, 2 the high end: who sent the first FIN
    resetter: cython.int
    reset_frame: cython.longlong
    reused: cython.bint

    def __init__(self):
        self.low, self.high = Side(), Side()
        if not cython.compiled:
            self.key, self.client, self.guessed, self.reused = b"", 0, False, False
            self.first_frame = self.last_frame = self.first_time = self.last_time = self.syn_time = self.synack_time = 0
            self.handshake_time = self.states = self.closer = self.resetter = self.reset_frame = 0


@cython.cfunc
def _cover(side: Side, first: cython.longlong, behind: cython.longlong, time: cython.longlong) -> cython.longlong:
    """Enter [first, behind) into the list of what was sent. Returns bytes that were there already; -1 for none, but out of order."""
    repeated: cython.longlong = 0
    split: cython.bint = False
    late: cython.bint = False
    made: Sent
    before: Sent = None
    one: Sent = side.head
    if side.tail is not None and first >= side.tail.behind:
        before, one = side.tail, None
    while one is not None and first < behind:
        if first >= one.behind:
            before, one = one, one.next
            continue
        if first < one.first:
            made = _stretch(side, first, behind if behind < one.first else one.first, time)
            made.next = one
            if before is None:
                side.head = made
            else:
                before.next = made
            before = made
            late = late or not split
            if behind <= one.first:
                break
            first, split = one.first, True
        repeated += (behind if behind < one.behind else one.behind) - first
        if not split:
            if not one.acked:
                side.again = _took(side.again, time - one.time)
        one.again += 1
        one.time = time
        if not one.acked and one.again > side.max_retransmissions:
            side.max_retransmissions = one.again
        if behind <= one.behind:
            return repeated
        first, split = one.behind, True
        before, one = one, one.next
    if one is None and first < behind:
        made = _stretch(side, first, behind, time)
        if before is None:
            side.head = made
        else:
            before.next = made
        side.tail = made
    if side.runs > STRETCHES:
        side.head = side.head.next
        side.runs -= 1
    if late and not repeated:
        return -1
    return repeated


@cython.cfunc
def _stretch(side: Side, first: cython.longlong, behind: cython.longlong, time: cython.longlong) -> Sent:
    made: Sent = Sent()
    made.first, made.behind, made.time = first, behind, time
    made.again = made.acked = 0
    made.next = None
    side.runs += 1
    return made


@cython.cfunc
def _answered(side: Side, ack: cython.longlong, repeats: cython.bint, time: cython.longlong):
    """An acknowledgment of what `side` sent. Round trips of what was sent once only: P. Karn, C. Partridge, SIGCOMM 1987.

    repeats: the greatest number so far again, without data, SYN and FIN, with the window of the one before. It is a duplicate if more
    is outstanding: RFC 5681 §2.
    """
    one: Sent = side.head
    latest: cython.longlong = 0
    changed: cython.bint = False
    while one is not None and ack > one.first:
        if one.time > latest:
            latest = one.time
        if one.acked:
            if ack == one.behind < side.tail.behind and repeats:
                one.acked += 1
                side.duplicate_acks += 1
                if one.acked == 4:
                    side.triple_duplicate_acks += 1
        else:
            one.acked = 1
            changed = True
            if ack == one.behind:
                _sample(side, one, time, latest > one.time)
            else:
                side.cumulative_acks += 1
        one = one.next
    if changed:  # stretches acknowledged and without a hole between them become one: later segments need no more of them
        one = side.head
        after: Sent = one.next
        while after is not None and one.acked and after.acked and one.behind == after.first:
            after.first = one.first
            side.head = one = after
            after = one.next
            side.runs -= 1


@cython.cfunc
def _sample(side: Side, one: Sent, time: cython.longlong, overtaken: cython.bint):
    """A round trip that ended with this acknowledgment, if it can be told from others."""
    took: cython.longlong = time - one.time
    if overtaken:
        side.post_loss_acks += 1
    elif one.again:
        side.last = _took(side.last, took)
    else:
        if one.first == side.syn_number:
            side.rtt_handshake = took
        side.rtt = _took(side.rtt, took)
        if one.behind - one.first >= side.max_segment > 0:
            side.full = _took(side.full, took)


@cython.final
@cython.cclass
class Figures:
    """The figures of all connections of a trace, by stream number."""

    talks: list
    rows: cython.const[cython.longlong][:, ::1]  # what a call is about
    more: cython.const[cython.longlong][:, ::1]
    told: cython.const[cython.longlong][:, ::1]

    def __init__(self):
        self.talks = []

    def __len__(self):
        return len(self.talks)

    def write(self, streams: list, about: cython.longlong[:, ::1], out: cython.longlong[:, ::1], sums: cython.double[:, ::1]) -> list:
        """Fill about (n, len(ABOUT)), out (2n, len(COUNTS)) and sums (2n, len(SUMS)) with these streams, n at the most: a row for each
        connection, of its client's side in row 2k and its server's in 2k + 1. Returns the keys, a list. What is written is forgotten.
        Streams nobody fed are left out."""
        keys: list = []
        row: cython.longlong = 0
        talk: Talk
        stream: cython.longlong
        for stream in streams:
            if stream >= len(self.talks):
                continue
            talk = self.talks[stream]
            self.talks[stream] = None
            if talk is None:
                continue
            keys.append(talk.key)
            about[row, 0] = stream
            about[row, 1] = talk.client
            about[row, 2] = talk.guessed
            about[row, 3] = talk.first_frame
            about[row, 4] = talk.last_frame
            about[row, 5] = talk.first_time
            about[row, 6] = talk.last_time
            about[row, 7] = talk.syn_time
            about[row, 8] = talk.synack_time
            about[row, 9] = talk.handshake_time
            about[row, 10] = talk.states
            about[row, 11] = talk.closer
            about[row, 12] = talk.resetter
            about[row, 13] = talk.reset_frame
            about[row, 14] = talk.reused
            client: Side = talk.high if talk.client else talk.low
            server: Side = talk.low if talk.client else talk.high
            _write(client, out, sums, 2 * row)
            _write(server, out, sums, 2 * row + 1)
            row += 1
        return keys

    def feed(
        self,
        keys: bytes,
        which: cython.const[cython.longlong][::1],
        rows: cython.const[cython.longlong][:, ::1],
        more: cython.const[cython.longlong][:, ::1],
        told: cython.const[cython.longlong][:, ::1],
    ):
        """Add up segments. keys: as the tracker takes them. which: int64 (m,), the columns of the matrices to take, in order.
        more: (len(MORE), n).
        """
        i: cython.longlong
        k: cython.longlong
        stream: cython.longlong
        size: cython.longlong = len(keys) // max(rows.shape[1], 1)
        talk: Talk
        self.rows, self.more, self.told = rows, more, told
        for k in range(which.shape[0]):
            i = which[k]
            stream = self.told[STREAM, i]
            while stream >= len(self.talks):
                self.talks.append(None)
            talk = self.talks[stream]
            if talk is None:
                talk = Talk()
                self.talks[stream] = talk
                talk.key = keys[i * size : i * size + size]
                talk.first_frame = self.rows[FRAME, i]
                talk.first_time = self.rows[TIME, i]
            if self.rows[BACK, i]:
                self._add(talk, talk.high, talk.low, i)
            else:
                self._add(talk, talk.low, talk.high, i)

    @cython.cfunc
    def _add(
        self,
        talk: Talk,
        side: Side,
        other: Side,
        i: cython.longlong,
    ):
        flags: cython.longlong = self.rows[FLAGS, i]
        length: cython.longlong = self.rows[LENGTH, i]
        time: cython.longlong = self.rows[TIME, i]
        frame: cython.longlong = self.rows[FRAME, i]
        marks: cython.longlong = self.told[OUT_MARKS, i]
        at: cython.longlong = self.told[POSITION, i]
        ack: cython.longlong = self.told[ACKED, i]
        syn: cython.bint = flags & SYN_FLAG != 0
        fin: cython.bint = flags & FIN_FLAG != 0
        reset: cython.bint = flags & RST_FLAG != 0
        acks: cython.bint = flags & ACK_FLAG != 0
        behind: cython.longlong = at + length
        end: cython.longlong = behind + syn + fin
        repeated: cython.longlong = 0
        late: cython.bint = False  # sent again, or behind what was sent later
        window: cython.longlong = self.rows[WINDOW, i]
        who: cython.int = 2 if self.rows[BACK, i] else 1
        blocks: cython.longlong = self.rows[LAST_SACK, i] - self.rows[FIRST_SACK, i]

        # ------------------------------------------------ the connection
        talk.last_frame, talk.last_time = frame, time
        talk.client = who - 1 if marks & FROM_CLIENT else 2 - who
        talk.guessed = marks & GUESSED != 0
        talk.states = self.told[OUT_STATES, i]
        if marks & REUSED:
            talk.reused = True
        if syn and not acks:
            if not talk.syn_time:
                talk.syn_time = time
        elif syn and not talk.synack_time:
            talk.synack_time = time
        elif acks and talk.syn_time and talk.synack_time and not talk.handshake_time and not syn:
            talk.handshake_time = time
        if reset and not talk.resetter:
            talk.resetter, talk.reset_frame = who, frame
        elif fin and not talk.closer:
            talk.closer = who

        # ------------------------------------------------ counts
        side.packets += 1
        side.hardware_duplicates += marks & COPIED != 0
        side.ip_bytes += self.more[IP_LENGTH, i]
        if side.seen and time - side.last_time > side.max_idle:
            side.max_idle = time - side.last_time
        if not side.seen:
            side.first = at
        side.last_time, side.seen = time, True
        side.resets += reset
        side.acks += acks
        side.syns += syn
        side.fins += fin
        if acks and not length and not syn and not fin and not reset:
            side.pure_acks += 1
        if syn:
            if self.more[MSS, i] >= 0:
                side.mss = self.more[MSS, i]
            if self.rows[SCALE, i] >= 0:
                side.scale = self.rows[SCALE, i]
            if flags & ECE_FLAG:
                side.ecn |= 1
        else:
            if flags & ECE_FLAG:
                side.ecn |= 2
            if flags & CWR_FLAG:
                side.ecn |= 4
        side.sack_permitted |= self.more[SACK_PERMITTED, i]
        side.timestamps |= self.more[TIMESTAMPS, i]
        if self.more[SACK_OPTION, i]:
            side.sacks += 1
            if blocks > side.most_blocks:
                side.most_blocks = blocks
            side.dsacks += self.more[DSACK, i]

        # ------------------------------------------------ data
        if syn and side.syn_number < 0:
            side.syn_number = at
        if fin:
            side.fin_number = behind
        if length:
            if side.data_packets == 0:
                side.first_data = time
            side.last_data = time
            side.data_packets += 1
            side.data_bytes += length
            side.pushed_packets += flags & PSH_FLAG != 0
            if length > side.max_segment:
                side.max_segment = length
                side.full = None  # those before were not full
            if side.min_segment == 0 or length < side.min_segment:
                side.min_segment = length
            if flags & URG_FLAG and self.more[URGENT, i]:
                side.urgent_packets += 1
                side.urgent_bytes += self.more[URGENT, i]
            if self.more[KEPT, i] < length:
                side.truncated_packets += 1
                side.truncated_bytes += length - self.more[KEPT, i]
        if end > at:
            repeated = _cover(side, at, end, time)
            late = repeated != 0
            if repeated < 0:
                repeated = 0
                side.out_of_order += 1
            if length:
                if repeated > length:
                    repeated = length
                if other.window == 0 and length == 1 and other.seen:
                    side.probe_packets += 1
                    side.probe_bytes += length
                elif repeated:
                    side.retransmitted_packets += 1
                    side.retransmitted_bytes += repeated
                    side.unique_bytes += length - repeated
                else:
                    side.unique_bytes += length
        if length and not side.data_acked and not repeated:
            side.initial_packets += 1
            side.initial_bytes += length

        # ------------------------------------------------ acknowledgments
        if acks:
            _answered(other, ack, side.acking and ack == side.last_ack and end == at and window == side.raw_window, time)
            if not other.data_acked and other.data_packets and ack > other.first + (other.syn_number >= 0):
                other.data_acked = True
            if not side.acking or ack > side.last_ack:
                side.last_ack, side.acking = ack, True
        side.raw_window = window
        self._windows(side, window, syn, reset, self.told[SHIFT, i], time)
        if other.acking and not syn and not reset and not late:
            self._outstanding(side, behind - other.last_ack, time)

    @cython.cfunc
    def _windows(
        self, side: Side, window: cython.longlong, syn: cython.bint, reset: cython.bint, shift: cython.longlong, time: cython.longlong
    ):
        """What it takes: scaled, those of SYNs only while there are no others, those of resets never."""
        if not syn and shift > 0:
            window <<= shift
        if reset:
            return
        if side.windows == 0:
            side.max_window = side.min_window = window
        if syn:
            side.window = window
            return
        side.windows += 1
        side.window_sum += window
        if window > side.max_window:
            side.max_window = window
        if side.min_window == 0 or 0 < window < side.min_window:
            side.min_window = window
        if window == 0:
            side.zero_windows += 1
            if not side.closed_since:
                side.closed_since = time
        elif side.closed_since:
            side.zero_time += time - side.closed_since
            side.closed_since = 0
        side.window = window

    @cython.cfunc
    def _outstanding(self, side: Side, ahead: cython.longlong, time: cython.longlong):
        """Bytes sent and not acknowledged when a segment of this side passes that is not late, sent again or a reset."""
        if ahead < 0:
            ahead = 0
        if side.ahead_time:
            side.weighted_outstanding += side.ahead * ((time - side.ahead_time) // 1000)
        side.ahead, side.ahead_time = ahead, time
        side.outstandings += 1
        side.outstanding_sum += ahead
        if ahead > side.max_outstanding:
            side.max_outstanding = ahead
        if ahead and (ahead < side.min_outstanding or side.min_outstanding == 0):
            side.min_outstanding = ahead
