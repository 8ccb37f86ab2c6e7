# cython: boundscheck=False, wraparound=False, initializedcheck=False
# mypy: ignore-errors
"""Figures of each TCP connection and direction: counts, windows, round trips, retransmissions, as in tcptrace's long report.

Compiled by Cython when the package is built; runs interpreted too. Input: the matrices of `_tracker`, segments in the same order.
Times are ns, sizes bytes.
"""

import cython

from ._tracker import INPUT, MARKS, OUTPUT

EXTRA_INPUT = (  # rows of the second input matrix, int64; the first is the tracker's
    "captured",  # bytes of data in the capture
    "urgent",  # the urgent pointer
    "mss",  # the option's value, -1 none
    "sack_permitted",  # 1: the option is there
    "timestamps",
    "sack_option",
    "dsack",  # 1: a block reports a duplicate, RFC 2883
    "ip_length",  # bytes of the IP datagram
)
DirectionFigures = cython.struct(  # the figures of a direction; the only place that declares them, but for those of SAMPLES
    packets=cython.longlong,
    resets=cython.longlong,
    acks=cython.longlong,
    pure_acks=cython.longlong,
    sacks=cython.longlong,
    dsacks=cython.longlong,
    most_blocks=cython.longlong,
    unique_bytes=cython.longlong,
    data_packets=cython.longlong,
    data_bytes=cython.longlong,
    retransmitted_packets=cython.longlong,
    retransmitted_bytes=cython.longlong,
    probe_packets=cython.longlong,
    probe_bytes=cython.longlong,
    out_of_order=cython.longlong,
    pushed_packets=cython.longlong,
    syns=cython.longlong,
    fins=cython.longlong,
    scale=cython.longlong,  # -1 not offered
    timestamps=cython.longlong,
    sack_permitted=cython.longlong,
    urgent_packets=cython.longlong,
    urgent_bytes=cython.longlong,
    mss=cython.longlong,  # -1 not offered
    max_segment=cython.longlong,
    min_segment=cython.longlong,
    max_window=cython.longlong,
    min_window=cython.longlong,
    zero_windows=cython.longlong,
    windows=cython.longlong,  # how many are in window_sum
    window_sum=cython.longlong,
    max_outstanding=cython.longlong,
    min_outstanding=cython.longlong,
    outstandings=cython.longlong,
    outstanding_sum=cython.longlong,
    weighted_outstanding=cython.longlong,  # bytes × µs
    initial_bytes=cython.longlong,
    initial_packets=cython.longlong,
    syn_number=cython.longlong,  # position of its SYN, -1 not seen
    fin_number=cython.longlong,
    truncated_bytes=cython.longlong,
    truncated_packets=cython.longlong,
    first_data=cython.longlong,
    last_data=cython.longlong,
    max_idle=cython.longlong,
    hardware_duplicates=cython.longlong,
    rtt_handshake=cython.longlong,
    post_loss_acks=cython.longlong,
    cumulative_acks=cython.longlong,
    duplicate_acks=cython.longlong,
    triple_duplicate_acks=cython.longlong,
    max_retransmissions=cython.longlong,
    ecn=cython.longlong,  # bits: 1 ECE in its SYN, 2 ECE later, 4 CWR
    ip_bytes=cython.longlong,
    zero_time=cython.longlong,  # ns that its window was closed
)
ConnectionFigures = cython.struct(  # the figures of a connection
    stream=cython.longlong,
    client=cython.longlong,  # 1: the end with the greater address and port
    guessed=cython.longlong,
    first_frame=cython.longlong,
    last_frame=cython.longlong,
    first_time=cython.longlong,
    last_time=cython.longlong,
    syn_time=cython.longlong,  # 0: not seen
    synack_time=cython.longlong,
    handshake_time=cython.longlong,
    states=cython.longlong,  # as the tracker gives them, of the last segment
    closer=cython.longlong,  # sender of the first FIN: 0 none, 1 the smaller end, 2 the greater
    resetter=cython.longlong,  # of the first RST, likewise
    reset_frame=cython.longlong,
    reused=cython.longlong,
)
SAMPLES = ("rtt", "full", "last", "retransmit")
"""Sampled times of a direction: round trips, those of full segments, those of retransmitted segments, times to retransmit."""


@cython.final
@cython.no_gc
@cython.freelist(256)
@cython.cclass
class SentRange:
    """Sequence numbers [first, behind) that were sent, in an ascending list. resent: retransmissions. acked: acknowledgments."""

    first: cython.longlong
    behind: cython.longlong
    time: cython.longlong
    resent: cython.longlong
    acked: cython.longlong
    next: "SentRange"


MAX_RANGES = cython.declare(cython.longlong, 10000)  # remembered for each direction: bounds the walk along the list
cython.declare(FIN=cython.longlong, SYN=cython.longlong, RST=cython.longlong, PSH=cython.longlong)
cython.declare(ACK=cython.longlong, URG=cython.longlong, ECE=cython.longlong, CWR=cython.longlong)
FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = (1 << bit for bit in range(8))
cython.declare(BACK=cython.int, FLAGS=cython.int, LENGTH=cython.int, WINDOW=cython.int, TIME=cython.int, FRAME=cython.int)
BACK, FLAGS, LENGTH, WINDOW, TIME, FRAME = map(INPUT.index, ("back", "flags", "length", "window", "time", "frame"))
cython.declare(SCALE=cython.int, FIRST_SACK=cython.int, LAST_SACK=cython.int)
SCALE, FIRST_SACK, LAST_SACK = map(INPUT.index, ("scale", "first_sack", "last_sack"))
cython.declare(STREAM=cython.int, OUT_MARKS=cython.int, SHIFT=cython.int, POSITION=cython.int, ACKED=cython.int, STATES=cython.int)
STREAM, OUT_MARKS, SHIFT, POSITION, ACKED, STATES = map(OUTPUT.index, ("stream", "marks", "shift", "position", "acked", "states"))
cython.declare(FROM_CLIENT=cython.longlong, GUESSED=cython.longlong, COPIED=cython.longlong, REUSED_PORTS=cython.longlong)
FROM_CLIENT, GUESSED, COPIED, REUSED_PORTS = (1 << MARKS.index(name) for name in ("from_client", "guessed", "copied", "reused_ports"))
cython.declare(CAPTURED=cython.int, URGENT=cython.int, MSS=cython.int, SACK_PERMITTED=cython.int)
cython.declare(TIMESTAMPS=cython.int, SACK_OPTION=cython.int, DSACK=cython.int, IP_LENGTH=cython.int)
CAPTURED, URGENT, MSS, SACK_PERMITTED, TIMESTAMPS, SACK_OPTION, DSACK, IP_LENGTH = range(len(EXTRA_INPUT))


@cython.final
@cython.no_gc
@cython.cclass
class Sample:
    """Times of one of SAMPLES, ns: how many, the least, the greatest, their sum, the sum of their squares."""

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
def _add_time(sample: Sample | None, time: cython.longlong) -> Sample:
    """Add a time to a sample; None is an empty one: most connections need few."""
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


NO_SAMPLE = Sample()


@cython.final
@cython.no_gc
@cython.cclass
class DirectionStats:
    """The figures of a direction of a connection, and the state that they are computed from."""

    figures: DirectionFigures
    rtt: Sample
    full: Sample
    last: Sample
    retransmit: Sample
    head: SentRange
    tail: SentRange
    ranges: cython.longlong  # length of the list
    seen: cython.bint  # it sent a segment
    last_time: cython.longlong
    window: cython.longlong  # the last one, scaled
    raw_window: cython.longlong
    last_ack: cython.longlong  # of the peer's numbers
    acking: cython.bint
    first: cython.longlong  # number of its SYN, or of its first byte
    data_acked: cython.bint  # the peer acknowledged data
    window_closed_since: cython.longlong  # time; 0: it is open
    outstanding: cython.longlong  # bytes, at outstanding_time
    outstanding_time: cython.longlong

    def __init__(self):
        if not cython.compiled:
            self.figures = DirectionFigures(**dict.fromkeys(DirectionFigures._members, 0))
            self.head = self.tail = self.rtt = self.full = self.last = self.retransmit = None
            self.seen = self.acking = self.data_acked = False
            self.ranges = self.last_time = self.raw_window = self.last_ack = self.first = 0
            self.window_closed_since = self.outstanding = self.outstanding_time = 0
        self.figures.scale = self.figures.mss = self.figures.syn_number = self.figures.fin_number = -1
        self.window = -1


DIRECTION_FIGURES = tuple(DirectionStats().figures if cython.compiled else DirectionFigures._members)  # names; a C struct becomes a dict
COUNTS = (*DIRECTION_FIGURES, *(f"{name}_{what}" for name in SAMPLES for what in ("count", "min", "max")))
SUMS = tuple(f"{name}_{what}" for name in SAMPLES for what in ("sum", "squares"))


@cython.cfunc
def _copy(figures: cython.p_void, names: tuple, out: cython.longlong[:, ::1], row: cython.longlong):
    """Copy a struct, whose members are all longlong, into a row of `out`. figures: its address."""
    k: cython.longlong
    for k in range(len(names)):
        if cython.compiled:
            out[row, k] = cython.cast(cython.p_longlong, figures)[k]
        else:
            out[row, k] = getattr(figures[0], names[k])


@cython.cfunc
def _write(direction: DirectionStats, counts: cython.longlong[:, ::1], sums: cython.double[:, ::1], row: cython.longlong):
    """Write a direction into a row of each matrix, whose columns are COUNTS and SUMS."""
    k: cython.longlong = len(DIRECTION_FIGURES)
    j: cython.longlong = 0
    sample: Sample
    _copy(cython.address(direction.figures), DIRECTION_FIGURES, counts, row)
    for sample in (direction.rtt, direction.full, direction.last, direction.retransmit):  # as SAMPLES
        if sample is None:
            sample = NO_SAMPLE
        counts[row, k], counts[row, k + 1], counts[row, k + 2] = sample.count, sample.least, sample.most
        sums[row, j], sums[row, j + 1] = sample.total, sample.squares
        k += 3
        j += 2


@cython.final
@cython.no_gc
@cython.cclass
class ConnectionStats:
    """The figures of a connection and its directions: `low` is what the smaller end of the key sent."""

    low: DirectionStats
    high: DirectionStats
    key: bytes
    figures: ConnectionFigures

    def __init__(self):
        self.low, self.high = DirectionStats(), DirectionStats()
        if not cython.compiled:
            self.key = b""
            self.figures = ConnectionFigures(**dict.fromkeys(ConnectionFigures._members, 0))


CONNECTION_FIGURES = tuple(ConnectionStats().figures if cython.compiled else ConnectionFigures._members)


@cython.cfunc
def _record(direction: DirectionStats, first: cython.longlong, behind: cython.longlong, time: cython.longlong) -> cython.longlong:
    """Enter [first, behind) into the list of sent ranges. Returns how many of the bytes were in it; -1: none, but later ones were."""
    repeated: cython.longlong = 0
    split: cython.bint = False
    late: cython.bint = False
    new: SentRange
    before: SentRange = None
    sent: SentRange = direction.head
    if direction.tail is not None and first >= direction.tail.behind:
        before, sent = direction.tail, None
    while sent is not None and first < behind:
        if first >= sent.behind:
            before, sent = sent, sent.next
            continue
        if first < sent.first:
            new = _range(direction, first, behind if behind < sent.first else sent.first, time)
            new.next = sent
            if before is None:
                direction.head = new
            else:
                before.next = new
            before = new
            late = late or not split
            if behind <= sent.first:
                break
            first, split = sent.first, True
        repeated += (behind if behind < sent.behind else sent.behind) - first
        if not split:
            if not sent.acked:
                direction.retransmit = _add_time(direction.retransmit, time - sent.time)
        sent.resent += 1
        sent.time = time
        if not sent.acked and sent.resent > direction.figures.max_retransmissions:
            direction.figures.max_retransmissions = sent.resent
        if behind <= sent.behind:
            return repeated
        first, split = sent.behind, True
        before, sent = sent, sent.next
    if sent is None and first < behind:
        new = _range(direction, first, behind, time)
        if before is None:
            direction.head = new
        else:
            before.next = new
        direction.tail = new
    if direction.ranges > MAX_RANGES:
        direction.head = direction.head.next
        direction.ranges -= 1
    if late and not repeated:
        return -1
    return repeated


@cython.cfunc
def _range(direction: DirectionStats, first: cython.longlong, behind: cython.longlong, time: cython.longlong) -> SentRange:
    new: SentRange = SentRange()
    new.first, new.behind, new.time = first, behind, time
    new.resent = new.acked = 0
    new.next = None
    direction.ranges += 1
    return new


@cython.cfunc
def _acknowledge(direction: DirectionStats, ack: cython.longlong, repeats: cython.bint, time: cython.longlong):
    """Add an acknowledgment to the direction whose data it acknowledges. Only segments sent once are round trip samples: P. Karn,
    C. Partridge, SIGCOMM 1987.

    repeats: it has the same number and window as the one before, and no data, SYN or FIN. It is a duplicate if more is outstanding:
    RFC 5681 §2.
    """
    sent: SentRange = direction.head
    latest: cython.longlong = 0
    changed: cython.bint = False
    while sent is not None and ack > sent.first:
        if sent.time > latest:
            latest = sent.time
        if sent.acked:
            if ack == sent.behind < direction.tail.behind and repeats:
                sent.acked += 1
                direction.figures.duplicate_acks += 1
                if sent.acked == 4:
                    direction.figures.triple_duplicate_acks += 1
        else:
            sent.acked = 1
            changed = True
            if ack == sent.behind:
                _sample(direction, sent, time, latest > sent.time)
            else:
                direction.figures.cumulative_acks += 1
        sent = sent.next
    if changed:  # acknowledged ranges without a hole between them become one: the list stays short
        sent = direction.head
        following: SentRange = sent.next
        while following is not None and sent.acked and following.acked and sent.behind == following.first:
            following.first = sent.first
            direction.head = sent = following
            following = sent.next
            direction.ranges -= 1


@cython.cfunc
def _sample(direction: DirectionStats, sent: SentRange, time: cython.longlong, overtaken: cython.bint):
    """Add the round trip that this acknowledgment ends, if it is unambiguous."""
    round_trip: cython.longlong = time - sent.time
    if overtaken:
        direction.figures.post_loss_acks += 1
    elif sent.resent:
        direction.last = _add_time(direction.last, round_trip)
    else:
        if sent.first == direction.figures.syn_number:
            direction.figures.rtt_handshake = round_trip
        direction.rtt = _add_time(direction.rtt, round_trip)
        if sent.behind - sent.first >= direction.figures.max_segment > 0:
            direction.full = _add_time(direction.full, round_trip)


@cython.final
@cython.cclass
class Figures:
    """The figures of all connections of a trace, by stream number."""

    connections: list
    inputs: cython.const[cython.longlong][:, ::1]
    extra: cython.const[cython.longlong][:, ::1]
    outputs: cython.const[cython.longlong][:, ::1]

    def __init__(self):
        self.connections = []

    def __len__(self):
        return len(self.connections)

    def write(
        self, streams: list, connections: cython.longlong[:, ::1], counts: cython.longlong[:, ::1], sums: cython.double[:, ::1]
    ) -> list:
        """Fill connections (n, len(CONNECTION_FIGURES)), counts (2n, len(COUNTS)) and sums (2n, len(SUMS)) with the figures of these
        streams, n at the most, and drop them: the client's direction in row 2k, the server's in 2k + 1. Streams without a segment
        are left out. Returns the keys of the others."""
        keys: list = []
        row: cython.longlong = 0
        conn: ConnectionStats
        stream: cython.longlong
        for stream in streams:
            if stream >= len(self.connections):
                continue
            conn = self.connections[stream]
            self.connections[stream] = None
            if conn is None:
                continue
            keys.append(conn.key)
            _copy(cython.address(conn.figures), CONNECTION_FIGURES, connections, row)
            client: DirectionStats = conn.high if conn.figures.client else conn.low
            server: DirectionStats = conn.low if conn.figures.client else conn.high
            _write(client, counts, sums, 2 * row)
            _write(server, counts, sums, 2 * row + 1)
            row += 1
        return keys

    def feed(
        self,
        keys: bytes,
        which: cython.const[cython.longlong][::1],
        inputs: cython.const[cython.longlong][:, ::1],
        extra: cython.const[cython.longlong][:, ::1],
        outputs: cython.const[cython.longlong][:, ::1],
    ):
        """Add segments. keys: as for the tracker. which: int64 (m,), their columns in the matrices, in order.
        extra: (len(EXTRA_INPUT), n).
        """
        i: cython.longlong
        k: cython.longlong
        stream: cython.longlong
        size: cython.longlong = len(keys) // max(inputs.shape[1], 1)
        conn: ConnectionStats
        self.inputs, self.extra, self.outputs = inputs, extra, outputs
        for k in range(which.shape[0]):
            i = which[k]
            stream = self.outputs[STREAM, i]
            while stream >= len(self.connections):
                self.connections.append(None)
            conn = self.connections[stream]
            if conn is None:
                conn = ConnectionStats()
                self.connections[stream] = conn
                conn.figures.stream = stream
                conn.key = keys[i * size : i * size + size]
                conn.figures.first_frame = self.inputs[FRAME, i]
                conn.figures.first_time = self.inputs[TIME, i]
            if self.inputs[BACK, i]:
                self._add(conn, conn.high, conn.low, i)
            else:
                self._add(conn, conn.low, conn.high, i)

    @cython.cfunc
    def _add(self, conn: ConnectionStats, sender: DirectionStats, peer: DirectionStats, i: cython.longlong):
        flags: cython.longlong = self.inputs[FLAGS, i]
        length: cython.longlong = self.inputs[LENGTH, i]
        time: cython.longlong = self.inputs[TIME, i]
        frame: cython.longlong = self.inputs[FRAME, i]
        marks: cython.longlong = self.outputs[OUT_MARKS, i]
        at: cython.longlong = self.outputs[POSITION, i]
        ack: cython.longlong = self.outputs[ACKED, i]
        syn: cython.bint = flags & SYN != 0
        fin: cython.bint = flags & FIN != 0
        reset: cython.bint = flags & RST != 0
        acks: cython.bint = flags & ACK != 0
        behind: cython.longlong = at + length
        end: cython.longlong = behind + syn + fin
        repeated: cython.longlong = 0
        late: cython.bint = False  # retransmitted or out of order
        window: cython.longlong = self.inputs[WINDOW, i]
        sender_end: cython.int = 2 if self.inputs[BACK, i] else 1
        blocks: cython.longlong = self.inputs[LAST_SACK, i] - self.inputs[FIRST_SACK, i]

        # ------------------------------------------------ the connection
        conn.figures.last_frame, conn.figures.last_time = frame, time
        conn.figures.client = sender_end - 1 if marks & FROM_CLIENT else 2 - sender_end
        conn.figures.guessed = marks & GUESSED != 0
        conn.figures.states = self.outputs[STATES, i]
        if marks & REUSED_PORTS:
            conn.figures.reused = True
        if syn and not acks:
            if not conn.figures.syn_time:
                conn.figures.syn_time = time
        elif syn and not conn.figures.synack_time:
            conn.figures.synack_time = time
        elif acks and conn.figures.syn_time and conn.figures.synack_time and not conn.figures.handshake_time and not syn:
            conn.figures.handshake_time = time
        if reset and not conn.figures.resetter:
            conn.figures.resetter, conn.figures.reset_frame = sender_end, frame
        elif fin and not conn.figures.closer:
            conn.figures.closer = sender_end

        # ------------------------------------------------ counts
        sender.figures.packets += 1
        sender.figures.hardware_duplicates += marks & COPIED != 0
        sender.figures.ip_bytes += self.extra[IP_LENGTH, i]
        if sender.seen and time - sender.last_time > sender.figures.max_idle:
            sender.figures.max_idle = time - sender.last_time
        if not sender.seen:
            sender.first = at
        sender.last_time, sender.seen = time, True
        sender.figures.resets += reset
        sender.figures.acks += acks
        sender.figures.syns += syn
        sender.figures.fins += fin
        if acks and not length and not syn and not fin and not reset:
            sender.figures.pure_acks += 1
        if syn:
            if self.extra[MSS, i] >= 0:
                sender.figures.mss = self.extra[MSS, i]
            if self.inputs[SCALE, i] >= 0:
                sender.figures.scale = self.inputs[SCALE, i]
            if flags & ECE:
                sender.figures.ecn |= 1
        else:
            if flags & ECE:
                sender.figures.ecn |= 2
            if flags & CWR:
                sender.figures.ecn |= 4
        sender.figures.sack_permitted |= self.extra[SACK_PERMITTED, i]
        sender.figures.timestamps |= self.extra[TIMESTAMPS, i]
        if self.extra[SACK_OPTION, i]:
            sender.figures.sacks += 1
            if blocks > sender.figures.most_blocks:
                sender.figures.most_blocks = blocks
            sender.figures.dsacks += self.extra[DSACK, i]

        # ------------------------------------------------ data
        if syn and sender.figures.syn_number < 0:
            sender.figures.syn_number = at
        if fin:
            sender.figures.fin_number = behind
        if length:
            if sender.figures.data_packets == 0:
                sender.figures.first_data = time
            sender.figures.last_data = time
            sender.figures.data_packets += 1
            sender.figures.data_bytes += length
            sender.figures.pushed_packets += flags & PSH != 0
            if length > sender.figures.max_segment:
                sender.figures.max_segment = length
                sender.full = None  # the ones before were not full
            if sender.figures.min_segment == 0 or length < sender.figures.min_segment:
                sender.figures.min_segment = length
            if flags & URG and self.extra[URGENT, i]:
                sender.figures.urgent_packets += 1
                sender.figures.urgent_bytes += self.extra[URGENT, i]
            if self.extra[CAPTURED, i] < length:
                sender.figures.truncated_packets += 1
                sender.figures.truncated_bytes += length - self.extra[CAPTURED, i]
        if end > at:
            repeated = _record(sender, at, end, time)
            late = repeated != 0
            if repeated < 0:
                repeated = 0
                sender.figures.out_of_order += 1
            if length:
                if repeated > length:
                    repeated = length
                if peer.window == 0 and length == 1 and peer.seen:
                    sender.figures.probe_packets += 1
                    sender.figures.probe_bytes += length
                elif repeated:
                    sender.figures.retransmitted_packets += 1
                    sender.figures.retransmitted_bytes += repeated
                    sender.figures.unique_bytes += length - repeated
                else:
                    sender.figures.unique_bytes += length
        if length and not sender.data_acked and not repeated:
            sender.figures.initial_packets += 1
            sender.figures.initial_bytes += length

        # ------------------------------------------------ acknowledgments
        if acks:
            _acknowledge(peer, ack, sender.acking and ack == sender.last_ack and end == at and window == sender.raw_window, time)
            if not peer.data_acked and peer.figures.data_packets and ack > peer.first + (peer.figures.syn_number >= 0):
                peer.data_acked = True
            if not sender.acking or ack > sender.last_ack:
                sender.last_ack, sender.acking = ack, True
        sender.raw_window = window
        self._windows(sender, window, syn, reset, self.outputs[SHIFT, i], time)
        if peer.acking and not syn and not reset and not late:
            self._outstanding(sender, behind - peer.last_ack, time)

    @cython.cfunc
    def _windows(
        self,
        direction: DirectionStats,
        window: cython.longlong,
        syn: cython.bint,
        reset: cython.bint,
        shift: cython.longlong,
        time: cython.longlong,
    ):
        """Add a window. Those of SYNs, which are not scaled, count only until there are others; those of resets never."""
        if not syn and shift > 0:
            window <<= shift
        if reset:
            return
        if direction.figures.windows == 0:
            direction.figures.max_window = direction.figures.min_window = window
        if syn:
            direction.window = window
            return
        direction.figures.windows += 1
        direction.figures.window_sum += window
        if window > direction.figures.max_window:
            direction.figures.max_window = window
        if direction.figures.min_window == 0 or 0 < window < direction.figures.min_window:
            direction.figures.min_window = window
        if window == 0:
            direction.figures.zero_windows += 1
            if not direction.window_closed_since:
                direction.window_closed_since = time
        elif direction.window_closed_since:
            direction.figures.zero_time += time - direction.window_closed_since
            direction.window_closed_since = 0
        direction.window = window

    @cython.cfunc
    def _outstanding(self, direction: DirectionStats, outstanding: cython.longlong, time: cython.longlong):
        """Add the bytes outstanding after a segment that is new and no reset."""
        if outstanding < 0:
            outstanding = 0
        if direction.outstanding_time:
            direction.figures.weighted_outstanding += direction.outstanding * ((time - direction.outstanding_time) // 1000)
        direction.outstanding, direction.outstanding_time = outstanding, time
        direction.figures.outstandings += 1
        direction.figures.outstanding_sum += outstanding
        if outstanding > direction.figures.max_outstanding:
            direction.figures.max_outstanding = outstanding
        if outstanding and (outstanding < direction.figures.min_outstanding or direction.figures.min_outstanding == 0):
            direction.figures.min_outstanding = outstanding
