# cython: boundscheck=False, wraparound=False, initializedcheck=False
# mypy: ignore-errors
"""The TCP tracker: what each segment means after those before it, in one loop, since each row depends on earlier ones.

Compiled by Cython when the package is built; runs interpreted too. Connections and their two endpoints keep their state from batch
to batch. They stand in a dict, whose hash CPython seeds anew for each process, so nobody can craft addresses that collide.

Sequence numbers are unwrapped: 64 bits that go on counting where the wire's 32 wrap (RFC 9293 §3.4).
What `tcp.analysis.*` means is in Wireshark's User's Guide, "TCP Analysis"; states and events are those of `states.py`.
"""

import cython

from . import states

INPUT = (  # rows of the input matrix, int64; -1: unknown
    "back",  # 1: from the greater end of the key to the smaller
    "flags",  # as tcp.flags
    "live",  # 0: quoted in an ICMP error, or cut before the flags: gets numbers, changes nothing
    "seq",
    "ack",
    "length",  # bytes of data on the wire
    "window",  # as sent
    "time",  # ns
    "frame",
    "scale",  # shift of the window scale option
    "cookie",  # 1: has a Fast Open cookie
    "first_sack",  # this segment's SACK blocks are rows first_sack … last_sack - 1 of `sacks`
    "last_sack",
    "low_port",  # 1: the sender's port is the smaller one
    "identification",  # of the IP header
    "stamp",  # TSval of the timestamp option
    "signal",  # 1: has a multipath TCP option other than DSS: such an ACK is no sign of congestion, RFC 8684 §3.4
)
OUTPUT = (  # rows of the output matrix, int64
    "stream",
    "own",  # number that relative numbers of this direction count from, -1 unknown
    "peer",  # the same of the other direction
    "marks",  # bits, MARKS
    "duplicate_num",
    "duplicate_frame",
    "acks_frame",  # 0: none
    "ack_rtt",  # ns
    "initial_rtt",  # ns, 0 unknown
    "in_flight",  # bytes, 0 unknown
    "pushed",  # bytes since the last PSH
    "rto",  # ns
    "rto_frame",
    "since_first",  # ns, in this stream
    "since_last",
    "shift",  # of windows in this direction; -1 unknown, -2 none
    "completeness",  # as tcp.completeness, before this segment
    "states",  # four bits each: client before, server before, client after, server after; then a bit each: assumed
    "position",  # unwrapped sequence number, counted from `own`
    "acked",  # unwrapped acknowledgment number, counted from `peer`
    "acked_unseen",  # bytes of the peer that this is the first to acknowledge and that no frame holds
    "seen_after_ack",  # bytes of this segment that were acknowledged before a frame held them
)
MARKS = (
    "retransmission",
    "fast_retransmission",
    "spurious_retransmission",
    "out_of_order",
    "lost_segment",
    "ack_lost_segment",
    "duplicate_ack",
    "zero_window",
    "zero_window_probe",
    "zero_window_probe_ack",
    "window_full",
    "window_update",
    "keep_alive",
    "keep_alive_ack",
    "reused_ports",
    "tfo_syn",
    "tfo_ack",
    "fin_active",
    "fin_passive",
    "from_client",
    "guessed",  # which end is the client is a guess: no SYN was seen
    "counted",  # bytes in flight were counted, though none may be left
    # our own judgment; the rules of tcp.analysis do not use it
    "repeated",  # sends again bytes that an earlier frame held
    "filled",  # sends again bytes below the next expected that no frame held: the first sending was lost before the capture
    "timed_out",  # of these two: because a timer ran out
    "needless",  # of `repeated`: the peer had acknowledged them
    "reordered",  # bytes below the next expected that no frame held, sent before what overtook them
    "copied",  # the network duplicated the packet
    "probed",  # zero window probe
    "kept_alive",  # keep-alive
    "unasked",  # the connection begins with a SYN,ACK, FIN or RST
    "early",  # data before the handshake ended
    "after_reset",  # data after a RST
    "shrunk",  # the window's right edge moves to the left
    "inside",  # a SYN with another number on ports whose connection is open
    "moved",  # a FIN with another number than the FIN before
    "strange",  # a SYN,ACK that does not acknowledge the SYN
)
MAX_UNACKED = cython.declare(cython.longlong, 10000)  # segments remembered for each direction, as Wireshark
MAX_RANGES = cython.declare(cython.longlong, 1000)  # ranges above a gap remembered for each direction
MASK = cython.declare(cython.longlong, 0xFFFFFFFF)
HALF = cython.declare(cython.longlong, 0x80000000)
MAX_SHIFT = cython.declare(cython.longlong, 14)  # RFC 7323 §2.3
RECENT_SEGMENTS = cython.declare(cython.longlong, 16)  # of a direction, searched for the original of a copy
MAX_ID_DISTANCE = cython.declare(cython.longlong, 1024)  # identifications further apart give no order: a sender may draw them at random
SYN_TIMEOUT = cython.declare(cython.longlong, 200_000_000)  # ns: nobody sends a SYN again sooner; RFC 6298 §2.1 says a second
RTT_SLACK = cython.declare(cython.longlong, 10_000_000)  # ns that an answer may take besides the round trip
FAST_RETRANSMISSION_DELAY = cython.declare(cython.longlong, 20_000_000)  # ns, the most after the acknowledgment
REORDERING_DELAY = cython.declare(cython.longlong, 3_000_000)  # ns, the most while no round trip is known
CONTROL_FLAGS = cython.declare(cython.longlong, 7)  # FIN, SYN, RST
# fmt: off
cython.declare(
    BACK=cython.int, FLAGS=cython.int, LIVE=cython.int, SEQ=cython.int, ACK=cython.int, LENGTH=cython.int, WINDOW=cython.int,
    TIME=cython.int, FRAME=cython.int, SCALE=cython.int, COOKIE=cython.int, FIRST_SACK=cython.int, LAST_SACK=cython.int,
    LOW_PORT=cython.int, IDENTIFICATION=cython.int, STAMP=cython.int, SIGNAL=cython.int,
)
(
    BACK, FLAGS, LIVE, SEQ, ACK, LENGTH, WINDOW, TIME, FRAME, SCALE, COOKIE, FIRST_SACK, LAST_SACK, LOW_PORT, IDENTIFICATION, STAMP, SIGNAL,
) = range(len(INPUT))
cython.declare(
    STREAM=cython.int, OWN=cython.int, PEER=cython.int, OUT_MARKS=cython.int, DUPLICATE_NUM=cython.int, DUPLICATE_FRAME=cython.int,
    ACKS_FRAME=cython.int, ACK_RTT=cython.int, INITIAL_RTT=cython.int, IN_FLIGHT=cython.int, PUSHED=cython.int, RTO=cython.int,
    RTO_FRAME=cython.int, SINCE_FIRST=cython.int, SINCE_LAST=cython.int, SHIFT=cython.int, COMPLETENESS=cython.int, OUT_STATES=cython.int,
    POSITION=cython.int, ACKED=cython.int, ACKED_UNSEEN=cython.int, SEEN_AFTER_ACK=cython.int,
)
(
    STREAM, OWN, PEER, OUT_MARKS, DUPLICATE_NUM, DUPLICATE_FRAME, ACKS_FRAME, ACK_RTT, INITIAL_RTT, IN_FLIGHT, PUSHED, RTO, RTO_FRAME,
    SINCE_FIRST, SINCE_LAST, SHIFT, COMPLETENESS, OUT_STATES, POSITION, ACKED, ACKED_UNSEEN, SEEN_AFTER_ACK,
) = range(len(OUTPUT))
cython.declare(
    RETRANSMISSION=cython.longlong, FAST_RETRANSMISSION=cython.longlong, SPURIOUS_RETRANSMISSION=cython.longlong,
    OUT_OF_ORDER=cython.longlong, LOST_SEGMENT=cython.longlong, ACK_LOST_SEGMENT=cython.longlong, DUPLICATE_ACK=cython.longlong,
    ZERO_WINDOW=cython.longlong, ZERO_WINDOW_PROBE=cython.longlong, ZERO_WINDOW_PROBE_ACK=cython.longlong, WINDOW_FULL=cython.longlong,
    WINDOW_UPDATE=cython.longlong, KEEP_ALIVE=cython.longlong, KEEP_ALIVE_ACK=cython.longlong, REUSED_PORTS=cython.longlong,
    TFO_SYN=cython.longlong, TFO_ACK=cython.longlong, FIN_ACTIVE=cython.longlong, FIN_PASSIVE=cython.longlong, FROM_CLIENT=cython.longlong,
    GUESSED=cython.longlong, COUNTED=cython.longlong, REPEATED=cython.longlong, FILLED=cython.longlong, TIMED_OUT=cython.longlong,
    NEEDLESS=cython.longlong, REORDERED=cython.longlong, COPIED=cython.longlong, PROBED=cython.longlong, KEPT_ALIVE=cython.longlong,
    UNASKED=cython.longlong, EARLY=cython.longlong, AFTER_RESET=cython.longlong, SHRUNK=cython.longlong, INSIDE=cython.longlong,
    MOVED=cython.longlong, STRANGE=cython.longlong,
)
(
    RETRANSMISSION, FAST_RETRANSMISSION, SPURIOUS_RETRANSMISSION, OUT_OF_ORDER, LOST_SEGMENT, ACK_LOST_SEGMENT, DUPLICATE_ACK, ZERO_WINDOW,
    ZERO_WINDOW_PROBE, ZERO_WINDOW_PROBE_ACK, WINDOW_FULL, WINDOW_UPDATE, KEEP_ALIVE, KEEP_ALIVE_ACK, REUSED_PORTS, TFO_SYN, TFO_ACK,
    FIN_ACTIVE, FIN_PASSIVE, FROM_CLIENT, GUESSED, COUNTED, REPEATED, FILLED, TIMED_OUT, NEEDLESS, REORDERED, COPIED, PROBED, KEPT_ALIVE,
    UNASKED, EARLY, AFTER_RESET, SHRUNK, INSIDE, MOVED, STRANGE,
) = (1 << bit for bit in range(len(MARKS)))
cython.declare(
    FIN_FLAG=cython.longlong, SYN_FLAG=cython.longlong, RST_FLAG=cython.longlong, PSH_FLAG=cython.longlong, ACK_FLAG=cython.longlong,
)
FIN_FLAG, SYN_FLAG, RST_FLAG, PSH_FLAG, ACK_FLAG = (1 << bit for bit in range(5))
cython.declare(
    EVENT_COUNT=cython.int, SENT_SYN=cython.int, RECEIVED_SYN=cython.int, SENT_SYN_ACK=cython.int, RECEIVED_SYN_ACK=cython.int,
    RECEIVED_ACK_OF_SYN=cython.int, SENT_FIN=cython.int, SENT_FIN_EARLY=cython.int, RECEIVED_FIN=cython.int, RECEIVED_ACK_OF_FIN=cython.int,
    SENT_RST=cython.int, RECEIVED_RST=cython.int, RECEIVED_RST_PASSIVE=cython.int, CLOSED=cython.int, LISTEN=cython.int,
    SYN_SENT=cython.int, SYN_RECEIVED=cython.int, ESTABLISHED=cython.int, CLOSE_WAIT=cython.int,
)
(
    _, SENT_SYN, RECEIVED_SYN, SENT_SYN_ACK, RECEIVED_SYN_ACK, RECEIVED_ACK_OF_SYN, SENT_FIN, SENT_FIN_EARLY, RECEIVED_FIN,
    RECEIVED_ACK_OF_FIN, SENT_RST, RECEIVED_RST, RECEIVED_RST_PASSIVE, _,
) = range(len(states.EVENTS))
CLOSED, LISTEN, SYN_SENT, SYN_RECEIVED, ESTABLISHED, _, _, CLOSE_WAIT, _, _, _ = range(len(states.STATES))
EVENT_COUNT = len(states.EVENTS)
# fmt: on


@cython.final
@cython.no_gc
@cython.freelist(256)
@cython.cclass
class Unacked:
    """A segment that the peer has not acknowledged yet. Its list has the oldest first."""

    seq: cython.longlong
    next_seq: cython.longlong
    time: cython.longlong
    frame: cython.longlong
    next: "Unacked"


@cython.final
@cython.no_gc
@cython.freelist(256)
@cython.cclass
class Range:
    """Bytes above a gap: [start, end). Its list ascends without overlap."""

    start: cython.longlong
    end: cython.longlong
    next: "Range"


@cython.final
@cython.no_gc
@cython.cclass
class Endpoint:
    """One end of a connection: what it sent, and the last it acknowledged of its peer's data."""

    base: cython.longlong
    base_known: cython.bint
    near: cython.longlong  # later numbers are unwrapped to the nearest to it
    near_known: cython.bint
    # what it sent
    next: cython.longlong  # next expected number
    next_known: cython.bint
    next_time: cython.longlong
    next_frame: cython.longlong
    ackable: cython.longlong  # the peer may acknowledge up to here before ack_lost_segment
    ackable_known: cython.bint
    first: cython.longlong  # smallest number seen
    contiguous: cython.longlong  # [first, contiguous) was seen without a gap
    ranges: Range
    last_range: Range
    range_count: cython.longlong
    recent_count: cython.longlong  # segments with data so far; the next two are rings of the last RECENT_SEGMENTS
    recent_seq: cython.uint[16]  # as on the wire
    recent_identification: cython.int[16]
    top_identification: cython.longlong  # of the segment with the greatest number
    top_stamp: cython.longlong
    top_ack: cython.longlong  # greatest acknowledgment by the peer
    syn_ack_sent: cython.bint
    window_edge: cython.longlong  # right edge: its peer may send up to here
    head: Unacked
    tail: Unacked
    count: cython.longlong
    ascending: cython.bint  # numbers in this list never decrease
    flight_known: cython.bint  # false after a gap, until the peer acknowledges
    since_push: cython.longlong  # bytes
    after_push: cython.bint  # the last segment with data had PSH
    fin: cython.longlong  # the number after its FIN
    fin_sent: cython.bint
    fin_arrived: cython.bint
    closed_first: cython.bint  # it was the first to send a FIN
    syn_data: cython.bint  # a Fast Open SYN that carried data
    # what it announced
    window: cython.longlong
    shift: cython.longlong
    unscaled: cython.bint  # its last segment was a SYN,ACK, whose window is never scaled
    last_ack: cython.longlong
    ack_known: cython.bint
    last_time: cython.longlong  # of its last segment, as are its marks
    duplicates: cython.longlong
    duplicated_frame: cython.longlong  # whose acknowledgment duplicates repeat
    marks: cython.longlong
    sacks: cython.longlong
    left: cython.longlong[4]
    right: cython.longlong[4]
    # its state
    state: cython.int
    passive: cython.bint
    iss: cython.longlong  # number of its first SYN; others may follow with other numbers
    iss_known: cython.bint
    has_sent: cython.bint  # any segment

    def __init__(self):
        if not cython.compiled:
            vars(self).update(dict.fromkeys(Endpoint.__annotations__, 0))
            self.head = self.tail = self.ranges = self.last_range = None
            self.left, self.right, self.recent_seq, self.recent_identification = [0] * 4, [0] * 4, [0] * 16, [0] * 16
        self.ascending = True
        self.window = self.shift = -1
        self.flight_known = True


@cython.final
@cython.no_gc
@cython.cclass
class Connection:
    """A connection: its number, its two ends in the order of the key."""

    stream: cython.longlong
    low: Endpoint
    high: Endpoint
    first_time: cython.longlong
    last_time: cython.longlong
    started: cython.bint  # the two times are known
    syn_time: cython.longlong
    syn_known: cython.bint
    initial_rtt: cython.longlong
    completeness: cython.longlong
    client: cython.int  # 1: the high end; -1 undecided
    guessed: cython.bint

    def __init__(self):
        if not cython.compiled:
            vars(self).update(dict.fromkeys(Connection.__annotations__, 0))
        self.low, self.high = Endpoint(), Endpoint()
        self.client = -1


@cython.cfunc
@cython.exceptval(check=False)
def _unwrap(raw: cython.longlong, near: cython.longlong) -> cython.longlong:
    """The number nearest to `near` whose lowest 32 bits are `raw`."""
    away: cython.longlong = (raw - near) & MASK
    if away >= HALF:
        away -= MASK + 1
    return near + away


@cython.cfunc
def _add_seen(end: Endpoint, start: cython.longlong, next_seq: cython.longlong):
    """Note that [start, next_seq) was seen, and move `contiguous` up to the next gap."""
    if start < end.first:
        end.first = start
    if start <= end.contiguous:
        if next_seq > end.contiguous:
            end.contiguous = next_seq
    elif next_seq > start:
        _add_range(end, start, next_seq)
    range_: Range = end.ranges
    while range_ is not None and range_.start <= end.contiguous:
        if range_.end > end.contiguous:
            end.contiguous = range_.end
        range_ = range_.next
        end.range_count -= 1
    end.ranges = range_
    if range_ is None:
        end.last_range = None
        end.range_count = 0


@cython.cfunc
def _contiguous_end(end: Endpoint, acknowledged: cython.longlong) -> cython.longlong:
    """The number up to which everything was seen or acknowledged."""
    contiguous: cython.longlong = end.contiguous
    if acknowledged > contiguous:
        contiguous = acknowledged
    range_: Range = end.ranges
    while range_ is not None and range_.start <= contiguous:
        if range_.end > contiguous:
            contiguous = range_.end
        range_ = range_.next
    return contiguous


@cython.cfunc
def _seen_count(end: Endpoint, start: cython.longlong, next_seq: cython.longlong) -> cython.longlong:
    """How many numbers of [start, next_seq) were seen."""
    total: cython.longlong = 0
    low: cython.longlong = start if start > end.first else end.first
    high: cython.longlong = next_seq if next_seq < end.contiguous else end.contiguous
    if high > low:
        total = high - low
    range_: Range = end.ranges
    while range_ is not None and range_.start < next_seq:
        low = start if start > range_.start else range_.start
        high = next_seq if next_seq < range_.end else range_.end
        if high > low:
            total += high - low
        range_ = range_.next
    return total


@cython.cfunc
def _add_range(end: Endpoint, start: cython.longlong, next_seq: cython.longlong):
    """Add [start, next_seq) to the ranges above a gap. Beyond MAX_RANGES the lowest gap counts as lost for good."""
    before: Range = None
    range_: Range = end.ranges
    if end.last_range is not None and start >= end.last_range.start:
        range_ = end.last_range
        if start <= range_.end:
            if next_seq > range_.end:
                range_.end = next_seq
            return
        before, range_ = range_, None
    else:
        while range_ is not None and range_.end < start:
            before, range_ = range_, range_.next
    if range_ is not None and range_.start <= next_seq:
        if start < range_.start:
            range_.start = start
        if next_seq > range_.end:
            range_.end = next_seq
            after: Range = range_.next
            while after is not None and after.start <= range_.end:
                if after.end > range_.end:
                    range_.end = after.end
                after = after.next
                end.range_count -= 1
            range_.next = after
            if after is None:
                end.last_range = range_
        return
    made: Range = Range()
    made.start, made.end, made.next = start, next_seq, range_
    if before is None:
        end.ranges = made
    else:
        before.next = made
    if range_ is None:
        end.last_range = made
    end.range_count += 1
    if end.range_count > MAX_RANGES:
        end.contiguous = end.ranges.start


@cython.cfunc
def _add_unacked(end: Endpoint, seq: cython.longlong, next_seq: cython.longlong, time: cython.longlong, frame: cython.longlong):
    """Remember a segment until it is acknowledged."""
    if end.count >= MAX_UNACKED:
        return
    segment: Unacked = Unacked()
    segment.seq, segment.next_seq, segment.time, segment.frame, segment.next = seq, next_seq, time, frame, None
    if end.tail is None:
        end.head, end.ascending = segment, True
    else:
        if next_seq < end.tail.next_seq or seq < end.tail.seq:
            end.ascending = False
        end.tail.next = segment
    end.tail = segment
    end.count += 1


@cython.cfunc
def _remove_acked(end: Endpoint, ack: cython.longlong) -> Unacked:
    """Remove what `ack` covers, all of a segment or its start. Returns the oldest segment that ends exactly at `ack`."""
    exact: Unacked = None
    segment: Unacked = end.head
    before: Unacked = None
    if end.ascending:
        while segment is not None and segment.next_seq <= ack:
            if segment.next_seq == ack and exact is None:
                exact = segment
            segment = segment.next
            end.count -= 1
        end.head = segment
        if segment is None:
            end.tail = None
        while segment is not None and segment.seq < ack:
            segment.seq = ack
            segment = segment.next
        return exact
    ascending: cython.bint = True
    while segment is not None:
        if segment.next_seq <= ack:
            if segment.next_seq == ack and exact is None:
                exact = segment
            if before is None:
                end.head = segment.next
            else:
                before.next = segment.next
            end.count -= 1
        else:
            if segment.seq < ack:
                segment.seq = ack
            if before is not None and (segment.next_seq < before.next_seq or segment.seq < before.seq):
                ascending = False
            before = segment
        segment = segment.next
    end.tail = before
    end.ascending = ascending
    return exact


@cython.cfunc
def _is_open(end: Endpoint) -> cython.bint:
    """Whether it may still send or receive data."""
    return SYN_RECEIVED <= end.state <= CLOSE_WAIT


@cython.cfunc
def _is_tail_loss_probe(end: Endpoint, seq: cython.longlong, next_seq: cython.longlong) -> cython.bint:
    """Whether the last segment is sent again while older ones are unacknowledged: a tail loss probe (RFC 8985 §7.3).

    A time-out sends the oldest first (RFC 6298 §5.4). With one segment outstanding the two look alike.
    """
    return next_seq == end.next and end.head is not None and end.head.seq < seq


@cython.cfunc
@cython.exceptval(check=False)
def _flight_size(end: Endpoint) -> cython.longlong:
    """Bytes from the lowest to the highest number that is not acknowledged."""
    low: cython.longlong = end.head.seq
    high: cython.longlong = end.tail.next_seq
    segment: Unacked = end.head
    if not end.ascending:
        while segment is not None:
            if segment.seq < low:
                low = segment.seq
            if segment.next_seq > high:
                high = segment.next_seq
            segment = segment.next
    return high - low


@cython.cfunc
@cython.exceptval(check=False)
def _same_key(words: cython.const[cython.ulonglong][::1], i: cython.longlong, size: cython.longlong) -> cython.bint:
    """Whether key i, of `size` words, equals the key before: it usually does, and saves a lookup."""
    at: cython.longlong
    for at in range(i * size, i * size + size):
        if words[at] != words[at - size]:
            return False
    return True


@cython.final
@cython.cclass
class Tracker:
    """All TCP connections of a trace. Rows come in frame order; state is kept from call to call.

    states: `states.table()`. analyse: whether more than stream numbers, bases and positions is wanted. most: connections held at the
    most; of more, those idle longest are evicted: the half without a segment since the other half was begun.
    """

    known: dict  # key → connection, those with a recent segment
    old: dict  # the same, without one since `known` was begun
    most: cython.longlong
    replaced: list  # streams whose ports a newer connection uses
    evicted: list  # streams evicted in this call
    count: cython.longlong
    states: bytes
    analyse: cython.bint
    rows: cython.const[cython.longlong][:, ::1]  # of this call
    sacks: cython.const[cython.longlong][:, ::1]
    out: cython.longlong[:, ::1]
    changes: list

    def __init__(self, states: bytes, analyse: bool, most: int):
        self.known, self.old, self.replaced, self.evicted = {}, {}, [], []
        self.most = most
        self.count = 0
        self.states = states
        self.analyse = analyse
        self.changes = []

    def __len__(self):
        return self.count

    def feed(
        self,
        keys: bytes,
        rows: cython.const[cython.longlong][:, ::1],
        sacks: cython.const[cython.longlong][:, ::1],
        out: cython.longlong[:, ::1],
    ) -> tuple:
        """Fill `out`, int64 (len(OUTPUT), n), all zero, from `rows`, int64 (len(INPUT), n).

        keys: of the n segments' connections, concatenated, a multiple of 8 bytes each. sacks: int64 (2, m), raw left and right edges.

        Returns the state changes, int: row << 16 | end << 12 | before << 8 | after << 4 | event; end: 0 client, 1 server;
        and the streams that were evicted, of which no later segment will come.
        """
        i: cython.longlong
        n: cython.longlong = rows.shape[1]
        size: cython.longlong = len(keys) // max(n, 1)
        back: cython.longlong
        flags: cython.longlong
        connection: Connection = None
        words: cython.const[cython.ulonglong][::1] = memoryview(keys).cast("Q")
        self.rows, self.sacks, self.out, self.changes, self.evicted = rows, sacks, out, [], []
        for i in range(n):
            back = self.rows[BACK, i]
            flags = self.rows[FLAGS, i]
            if connection is None or not _same_key(words, i, size // 8):
                connection = self._find(keys[i * size : i * size + size])
            end: Endpoint = connection.high if back else connection.low
            peer: Endpoint = connection.low if back else connection.high
            if self.rows[LIVE, i]:
                if flags & SYN_FLAG and not flags & ACK_FLAG and end.base_known and (end.base & MASK) != self.rows[SEQ, i]:
                    open_: cython.bint = _is_open(end) and _is_open(peer)
                    self.replaced.append(connection.stream)
                    connection = self._new(keys[i * size : i * size + size])
                    end = connection.high if back else connection.low
                    peer = connection.low if back else connection.high
                    self.out[OUT_MARKS, i] = REUSED_PORTS | INSIDE if open_ else REUSED_PORTS
                    connection.completeness = 1
                self._set_bases(end, peer, flags, self.rows[SEQ, i], self.rows[ACK, i])
            self.out[STREAM, i] = connection.stream
            self.out[OWN, i] = end.base & MASK if end.base_known else -1
            self.out[PEER, i] = peer.base & MASK if peer.base_known else -1
            if self.analyse:
                self._times(connection, i)
                if self.rows[LIVE, i]:
                    self._segment(connection, end, peer, i)
                else:
                    self.out[SHIFT, i] = end.shift
            elif self.rows[LIVE, i]:
                self._positions(end, peer, i)
        return self.changes, self.evicted

    @cython.cfunc
    def _find(self, key: bytes) -> Connection:
        found: Connection = self.known.get(key)
        if found is not None:
            return found
        found = self.old.pop(key, None) if self.old else None
        if found is None:
            return self._new(key)
        self._store(key, found)
        return found

    @cython.cfunc
    def _store(self, key: bytes, connection: Connection):
        """Add to `known`; once that holds half of `most`, evict `old` and begin a new `known`."""
        self.known[key] = connection
        if len(self.known) + len(self.replaced) > self.most // 2:
            self.evicted += self.replaced
            idle: Connection
            for idle in self.old.values():
                self.evicted.append(idle.stream)
            self.old, self.known, self.replaced = self.known, {}, []

    @cython.cfunc
    def _new(self, key: bytes) -> Connection:
        made: Connection = Connection()
        if self.old:
            self.old.pop(key, None)
        self._store(key, made)
        made.stream = self.count
        self.count += 1
        return made

    @cython.cfunc
    def _set_bases(self, end: Endpoint, peer: Endpoint, flags: cython.longlong, seq: cython.longlong, ack: cython.longlong):
        """Set the bases of relative numbers: the SYN, else one before the first number seen, else the peer's acknowledgment."""
        here: cython.longlong = _unwrap(seq, end.near) if end.near_known else seq
        if flags & SYN_FLAG:
            end.base, end.base_known = here, True
        elif not end.base_known:
            end.base, end.base_known = here - 1, True
        if not end.near_known:
            end.near, end.near_known = here, True
        if flags & ACK_FLAG:
            if not peer.near_known:
                peer.near, peer.near_known = ack, True
            if not peer.base_known:
                peer.base, peer.base_known = _unwrap(ack, peer.near) - 1, True

    @cython.cfunc
    def _positions(self, end: Endpoint, peer: Endpoint, i: cython.longlong):
        """Write positions only: the fast path when no analysis is wanted."""
        flags: cython.longlong = self.rows[FLAGS, i]
        seq: cython.longlong = _unwrap(self.rows[SEQ, i], end.near)
        next_seq: cython.longlong = seq + self.rows[LENGTH, i]
        self.out[POSITION, i] = seq - end.base
        if not end.next_known or next_seq > end.near:
            end.near, end.next_known = next_seq, True
        if flags & ACK_FLAG:
            ack: cython.longlong = _unwrap(self.rows[ACK, i], peer.near)
            self.out[ACKED, i] = ack - peer.base
            if not peer.next_known and ack > peer.near:
                peer.near = ack

    @cython.cfunc
    def _times(self, connection: Connection, i: cython.longlong):
        """Write the columns that every segment has, quoted or not."""
        time: cython.longlong = self.rows[TIME, i]
        if not connection.started:
            connection.first_time = connection.last_time = time
            connection.started = True
        self.out[SINCE_FIRST, i] = time - connection.first_time
        self.out[SINCE_LAST, i] = time - connection.last_time
        connection.last_time = time
        self.out[COMPLETENESS, i] = connection.completeness

    @cython.cfunc
    def _segment(self, connection: Connection, end: Endpoint, peer: Endpoint, i: cython.longlong):
        """Write the columns of a segment and bring both ends up to date."""
        flags: cython.longlong = self.rows[FLAGS, i]
        acks: cython.bint = flags & ACK_FLAG != 0
        seq: cython.longlong = _unwrap(self.rows[SEQ, i], end.near)
        # Without ACK the number means nothing, but Wireshark compares the field all the same, so it needs a position.
        ack: cython.longlong = _unwrap(self.rows[ACK, i], peer.near) if peer.near_known else self.rows[ACK, i]
        gap: cython.bint = end.next_known and seq > end.next
        first: cython.bint = connection.client < 0
        marks: cython.longlong = self.out[OUT_MARKS, i]
        if first:
            self._set_roles(connection, end, peer, flags, self.rows[BACK, i], self.rows[LOW_PORT, i])
            if flags & CONTROL_FLAGS and flags & (SYN_FLAG | ACK_FLAG) != SYN_FLAG:
                marks |= UNASKED
        elif flags & (SYN_FLAG | ACK_FLAG) == SYN_FLAG and connection.guessed:
            connection.client, connection.guessed = cython.cast(cython.int, self.rows[BACK, i]), False
        from_client: cython.bint = connection.client == self.rows[BACK, i]
        client: Endpoint = end if from_client else peer
        server: Endpoint = peer if from_client else end
        self.out[OUT_STATES, i] = client.state | server.state << 4

        if flags & SYN_FLAG:
            marks |= self._syn(connection, end, peer, i, ack)
        elif acks and connection.syn_known and connection.initial_rtt == 0:
            connection.initial_rtt = self.rows[TIME, i] - connection.syn_time
        if acks:
            peer.flight_known = True
        marks |= self._windows(end, peer, i, seq, ack)
        next_seq: cython.longlong = seq + self.rows[LENGTH, i]
        if (next_seq > seq or flags & (SYN_FLAG | FIN_FLAG)) and not marks & KEEP_ALIVE:
            marks |= self._retransmission(connection, end, peer, i, seq)
        next_seq += (flags >> 1 & 1) + (flags & FIN_FLAG)
        marks |= self._evaluate(connection, end, peer, i, marks, seq)
        marks |= self._anomalies(connection, end, peer, i, ack, next_seq)

        self._advance(end, i, marks, seq, next_seq)
        end.last_ack, end.ack_known = ack, acks or ack != 0
        if acks:
            self._acknowledge(peer, i, ack)
        end.sacks = 0
        if self.rows[FIRST_SACK, i] != self.rows[LAST_SACK, i]:
            self._sack_blocks(end, peer, i)
        if self.rows[LENGTH, i] and end.head is not None and end.flight_known:
            marks |= COUNTED
            self._flight(end, peer, i)

        if flags & FIN_FLAG:
            if peer.closed_first:
                marks |= FIN_PASSIVE
            else:
                end.closed_first = True
                marks |= FIN_ACTIVE
        self._run_events(i, from_client, end, peer, flags, seq, ack, next_seq, gap)
        self.out[OUT_STATES, i] |= client.state << 8 | server.state << 12
        self.out[OUT_STATES, i] |= (not client.has_sent) << 16 | (not server.has_sent) << 17
        if from_client:
            marks |= FROM_CLIENT
        if connection.guessed:
            marks |= GUESSED
        self.out[OUT_MARKS, i] = marks
        self.out[INITIAL_RTT, i] = connection.initial_rtt
        self.out[SHIFT, i] = end.shift
        self.out[POSITION, i] = seq - end.base
        self.out[ACKED, i] = ack - peer.base if acks and peer.base_known else 0
        self._set_completeness(connection, first, flags, self.rows[LENGTH, i])

    @cython.cfunc
    @cython.exceptval(check=False)
    def _syn(self, connection: Connection, end: Endpoint, peer: Endpoint, i: cython.longlong, ack: cython.longlong) -> cython.longlong:
        """Note the window scale, the time and the Fast Open data of a SYN. Returns bits of MARKS."""
        flags: cython.longlong = self.rows[FLAGS, i]
        self._set_scales(end, peer, flags, self.rows[SCALE, i])
        if flags & ACK_FLAG:
            return TFO_ACK if peer.syn_data and peer.next_known and ack == peer.next else 0
        connection.syn_time, connection.syn_known = self.rows[TIME, i], True
        if not self.rows[COOKIE, i]:
            return 0
        end.syn_data = self.rows[LENGTH, i] > 0
        return TFO_SYN

    @cython.cfunc
    @cython.exceptval(check=False)
    def _windows(self, end: Endpoint, peer: Endpoint, i: cython.longlong, seq: cython.longlong, ack: cython.longlong) -> cython.longlong:
        """Wireshark's rules for windows, probes, keep-alives, duplicate acknowledgments and lost segments. Returns bits of MARKS."""
        flags: cython.longlong = self.rows[FLAGS, i]
        length: cython.longlong = self.rows[LENGTH, i]
        window: cython.longlong = self.rows[WINDOW, i]
        control: cython.bint = flags & CONTROL_FLAGS != 0
        expected: cython.bint = end.next_known and seq == end.next
        plain: cython.bint = length == 0 and not control and expected
        same_ack: cython.bint = end.ack_known and ack == end.last_ack
        marks: cython.longlong = 0
        if length == 1 and expected and peer.window == 0:
            marks = ZERO_WINDOW_PROBE
        else:
            if window == 0 and not control:
                marks = ZERO_WINDOW
            if end.next_known and seq > end.next and not flags & RST_FLAG:
                marks |= LOST_SEGMENT
                end.flight_known = False
                if end.ackable > end.next:
                    end.ackable = end.next
            if length <= 1 and not control and end.next_known and seq == end.next - 1:
                marks |= KEEP_ALIVE
            if plain and window and window != end.window and same_ack:
                marks |= WINDOW_UPDATE
            if length and not control and peer.shift != -1 and peer.ack_known:
                if seq + length == peer.last_ack + (peer.window << (0 if peer.unscaled or peer.shift < 0 else peer.shift)):
                    marks |= WINDOW_FULL
            if plain and window and window == end.window and same_ack and peer.marks & KEEP_ALIVE:
                marks |= KEEP_ALIVE_ACK
            elif plain and window == 0 and end.window == 0 and same_ack and peer.marks & ZERO_WINDOW_PROBE:
                marks |= ZERO_WINDOW_PROBE_ACK
            elif plain and window and window == end.window and same_ack and not self.rows[SIGNAL, i]:
                end.duplicates += 1
                marks |= DUPLICATE_ACK
                self.out[DUPLICATE_NUM, i] = end.duplicates
                self.out[DUPLICATE_FRAME, i] = end.duplicated_frame
        if not same_ack:
            end.duplicated_frame = self.rows[FRAME, i]
            end.duplicates = 0
        if flags & ACK_FLAG and peer.ackable_known and ack > peer.ackable:
            marks |= ACK_LOST_SEGMENT
            peer.ackable = ack if ack > peer.next else peer.next
        return marks

    @cython.cfunc
    @cython.exceptval(check=False)
    def _retransmission(
        self, connection: Connection, end: Endpoint, peer: Endpoint, i: cython.longlong, seq: cython.longlong
    ) -> cython.longlong:
        """Wireshark's rules for retransmissions and what is out of order. Returns bits of MARKS."""
        length: cython.longlong = self.rows[LENGTH, i]
        next_seq: cython.longlong = seq + length
        time: cython.longlong = self.rows[TIME, i]
        if length and peer.ack_known and next_seq <= peer.last_ack:
            return SPURIOUS_RETRANSMISSION | RETRANSMISSION
        if not end.next_known or seq >= end.next or (length > 1 and seq == end.next - 1):
            return 0
        if peer.ack_known and time - peer.last_time < FAST_RETRANSMISSION_DELAY and peer.duplicates >= 2 and peer.last_ack == seq:
            return FAST_RETRANSMISSION | RETRANSMISSION
        next_seq += self.rows[FLAGS, i] & (SYN_FLAG | FIN_FLAG) != 0
        if time - end.next_time < (connection.initial_rtt or REORDERING_DELAY) and end.next != next_seq:
            return OUT_OF_ORDER
        # The sender's timer runs for its oldest unacknowledged segment, RFC 6298 §5.
        self.out[RTO, i] = time - (end.next_time if end.head is None else end.head.time)
        self.out[RTO_FRAME, i] = end.next_frame if end.head is None else end.head.frame
        return RETRANSMISSION

    @cython.cfunc
    @cython.exceptval(check=False)
    def _anomalies(
        self, connection: Connection, end: Endpoint, peer: Endpoint, i: cython.longlong, ack: cython.longlong, next_seq: cython.longlong
    ) -> cython.longlong:
        """What does not fit the state of the connection or the window offered before. Returns bits of MARKS."""
        flags: cython.longlong = self.rows[FLAGS, i]
        control: cython.bint = flags & CONTROL_FLAGS != 0
        marks: cython.longlong = 0
        if flags & FIN_FLAG and end.fin_sent and next_seq != end.fin:
            marks = MOVED
        if flags & (SYN_FLAG | ACK_FLAG) == SYN_FLAG | ACK_FLAG and peer.iss_known and not peer.iss < ack <= peer.next:
            marks |= STRANGE
        if self.rows[LENGTH, i] and not flags & (SYN_FLAG | RST_FLAG):
            if connection.completeness & 32 and (end.state == CLOSED or peer.state == CLOSED):
                marks |= AFTER_RESET
            elif (end.state == SYN_SENT or end.state == SYN_RECEIVED) and not peer.syn_data:
                marks |= EARLY
        if flags & ACK_FLAG and not control:
            edge: cython.longlong = ack + (self.rows[WINDOW, i] << (end.shift if end.shift > 0 else 0))
            if end.window_edge - edge >= (1 << end.shift if end.shift > 0 else 1) and end.window_edge:
                marks |= SHRUNK
            if edge > end.window_edge or marks & SHRUNK:
                end.window_edge = edge
        return marks

    @cython.cfunc
    def _advance(self, end: Endpoint, i: cython.longlong, marks: cython.longlong, seq: cython.longlong, next_seq: cython.longlong):
        """Bring the sender up to date: what it has outstanding, its next number, its window."""
        time: cython.longlong = self.rows[TIME, i]
        frame: cython.longlong = self.rows[FRAME, i]
        if next_seq > seq:
            _add_unacked(end, seq, next_seq, time, frame)
        if not marks & ZERO_WINDOW_PROBE:
            if not end.next_known or next_seq > end.next:
                if not end.next_known:
                    end.contiguous = end.first = seq
                end.next, end.next_known = next_seq, True
                end.next_time, end.next_frame = time, frame
                end.near = next_seq
            if not end.ackable_known or (seq == end.ackable and not marks & LOST_SEGMENT):
                end.ackable, end.ackable_known = end.next, True
        if next_seq > seq:
            _add_seen(end, seq, next_seq)
        end.window = self.rows[WINDOW, i]
        end.unscaled = self.rows[FLAGS, i] & (SYN_FLAG | ACK_FLAG) == SYN_FLAG | ACK_FLAG
        end.last_time = time
        end.marks = marks
        end.has_sent = True

    @cython.cfunc
    def _acknowledge(self, peer: Endpoint, i: cython.longlong, ack: cython.longlong):
        """Bring the receiver up to date with an acknowledgment, and write what it acknowledges."""
        if peer.next_known and ack > peer.top_ack:
            if ack > peer.contiguous:
                start: cython.longlong = peer.top_ack if peer.top_ack > peer.first else peer.first
                if ack > start:
                    self.out[ACKED_UNSEEN, i] = ack - start - _seen_count(peer, start, ack)
            peer.top_ack = ack
        exact: Unacked = _remove_acked(peer, ack)
        if exact is not None:
            self.out[ACKS_FRAME, i] = exact.frame
            self.out[ACK_RTT, i] = self.rows[TIME, i] - exact.time
        if not peer.next_known and ack > peer.near:
            peer.near = ack

    @cython.cfunc
    def _sack_blocks(self, end: Endpoint, peer: Endpoint, i: cython.longlong):
        """Remember the first four SACK blocks of a segment, in unwrapped numbers."""
        row: cython.longlong
        for row in range(self.rows[FIRST_SACK, i], self.rows[LAST_SACK, i]):
            if end.sacks < 4:
                end.left[end.sacks] = _unwrap(self.sacks[0, row], peer.near)
                end.right[end.sacks] = _unwrap(self.sacks[1, row], peer.near)
                end.sacks += 1

    @cython.cfunc
    def _flight(self, end: Endpoint, peer: Endpoint, i: cython.longlong):
        """Write the bytes in flight, less what the peer's SACK blocks cover, and the bytes since the last PSH."""
        flags: cython.longlong = self.rows[FLAGS, i]
        length: cython.longlong = self.rows[LENGTH, i]
        size: cython.longlong = _flight_size(end)
        j: cython.longlong
        for j in range(peer.sacks):
            size -= peer.right[j] - peer.left[j]
        end.since_push = length if end.after_push else end.since_push + length
        end.after_push = flags & PSH_FLAG != 0
        if size > 0:
            self.out[IN_FLIGHT, i] = size - (1 if flags & (SYN_FLAG | FIN_FLAG) else 0)
            self.out[PUSHED, i] = end.since_push

    @cython.cfunc
    def _set_roles(
        self, connection: Connection, end: Endpoint, peer: Endpoint, flags: cython.longlong, back: cython.longlong, low: cython.longlong
    ):
        """Decide which end is the client, and the states that the first segment implies."""
        sender: cython.int = cython.cast(cython.int, back)
        if flags & SYN_FLAG and not flags & ACK_FLAG:
            connection.client = sender
            end.state, peer.state = CLOSED, LISTEN
            peer.passive = True
        elif flags & SYN_FLAG:
            connection.client = 1 - sender
            end.state, peer.state = SYN_RECEIVED, SYN_SENT
            end.passive = True
        else:  # no SYN was seen: the smaller port is most likely the server's
            connection.client = 1 - sender if low else sender
            connection.guessed = True
            end.state = peer.state = ESTABLISHED

    @cython.cfunc
    def _set_scales(self, end: Endpoint, peer: Endpoint, flags: cython.longlong, scale: cython.longlong):
        """Set both shifts: windows are scaled if both SYNs offer it. RFC 7323 §2.2."""
        if scale > MAX_SHIFT:
            scale = MAX_SHIFT
        if scale >= 0:
            end.shift = scale
            if flags & ACK_FLAG and peer.shift == -2:
                end.shift = -2
        else:
            end.shift = -2
            if not flags & ACK_FLAG or peer.shift >= 0:
                peer.shift = -2

    @cython.cfunc
    @cython.exceptval(check=False)
    def _evaluate(
        self, connection: Connection, end: Endpoint, peer: Endpoint, i: cython.longlong, marks: cython.longlong, seq: cython.longlong
    ) -> cython.longlong:
        """Our own judgment of probes, keep-alives and bytes below the next expected. Returns bits of MARKS.

        Bytes that no frame held are reordered or sent again. Most senders count identifications up (RFC 6864 does not ask for it),
        and timestamps never go back (RFC 7323 §4.1); both show the order of sending. Where neither does, less than a round trip
        is too soon for a retransmission.
        """
        flags: cython.longlong = self.rows[FLAGS, i]
        length: cython.longlong = self.rows[LENGTH, i]
        identification: cython.longlong = self.rows[IDENTIFICATION, i]
        stamp: cython.longlong = self.rows[STAMP, i]
        time: cython.longlong = self.rows[TIME, i]
        next_seq: cython.longlong = seq + length + (flags >> 1 & 1) + (flags & FIN_FLAG)
        rtt: cython.longlong = connection.initial_rtt
        start: cython.longlong
        stop: cython.longlong
        judged: cython.longlong = 0
        agrees: cython.bint = flags & (SYN_FLAG | ACK_FLAG) == SYN_FLAG | ACK_FLAG and not end.syn_ack_sent
        if agrees:  # in a simultaneous open it has the number of the SYN, and repeats nothing
            end.syn_ack_sent = True
        if marks & ZERO_WINDOW_PROBE:
            return PROBED
        if end.next_known and length <= 1 and not flags & CONTROL_FLAGS and seq == end.next - 1:
            if peer.window == 0:
                return PROBED
            if length == 0 or (peer.ack_known and peer.last_ack >= end.next):
                return KEPT_ALIVE
        if next_seq == seq:
            return 0
        if end.next_known and seq < end.top_ack and next_seq > end.first:
            start = seq if seq > end.first else end.first  # below the first number nothing counted as unseen
            stop = next_seq if next_seq < end.top_ack else end.top_ack
            self.out[SEEN_AFTER_ACK, i] = stop - start - _seen_count(end, start, stop)
        if end.next_known and seq < end.next and not agrees:
            if _seen_count(end, seq, next_seq if next_seq < end.next else end.next):
                if self._is_copy(end, seq, identification) or (
                    flags & SYN_FLAG and 0 < identification == end.top_identification and time - end.next_time < SYN_TIMEOUT
                ):
                    return COPIED
                judged = REPEATED
                if peer.ack_known and next_seq <= peer.last_ack:
                    judged |= NEEDLESS
            else:
                judged = FILLED
                distance: cython.longlong = (identification - end.top_identification) & 0xFFFF
                if (
                    identification > 0
                    and end.top_identification > 0
                    and (0 < distance < MAX_ID_DISTANCE or distance > 0x10000 - MAX_ID_DISTANCE)
                ):
                    if distance >= MAX_ID_DISTANCE:
                        judged = REORDERED
                elif stamp >= 0 and end.top_stamp >= 0 and stamp != end.top_stamp:
                    if (stamp - end.top_stamp) & MASK >= HALF:
                        judged = REORDERED
                elif time - end.next_time < (rtt or REORDERING_DELAY):
                    judged = REORDERED
            if judged & (REPEATED | FILLED):
                # The later of both ends' last segments may have made it send.
                cause: cython.longlong = end.last_time if end.has_sent else time
                if peer.has_sent and peer.last_time > cause:
                    cause = peer.last_time
                if time - cause > rtt + (rtt >> 1) + RTT_SLACK and not _is_tail_loss_probe(end, seq, next_seq):
                    judged |= TIMED_OUT
        if not end.next_known or next_seq > end.next:
            end.top_identification, end.top_stamp = identification, stamp
        end.recent_seq[end.recent_count & RECENT_SEGMENTS - 1] = cython.cast(cython.uint, seq & MASK)
        end.recent_identification[end.recent_count & RECENT_SEGMENTS - 1] = cython.cast(cython.int, identification)
        end.recent_count += 1
        return judged

    @cython.cfunc
    def _is_copy(self, end: Endpoint, seq: cython.longlong, identification: cython.longlong) -> cython.bint:
        """Whether a recent segment had the same number and identification, from a sender that changes identifications."""
        same: cython.bint = False
        changes: cython.bint = False
        j: cython.longlong
        if identification <= 0:
            return False
        for j in range(end.recent_count if end.recent_count < RECENT_SEGMENTS else RECENT_SEGMENTS):
            if end.recent_identification[j] != identification:
                changes = True
            elif end.recent_seq[j] == seq & MASK:
                same = True
        return same and changes

    @cython.cfunc
    def _set_completeness(self, connection: Connection, first: cython.bint, flags: cython.longlong, length: cython.longlong):
        """Update the bits of tcp.completeness."""
        if flags & (SYN_FLAG | ACK_FLAG) == SYN_FLAG:
            connection.completeness |= 1
        elif first:  # as in Wireshark, the first segment counts only if it is a SYN
            return
        elif flags & (SYN_FLAG | ACK_FLAG) == SYN_FLAG | ACK_FLAG:
            connection.completeness |= 2
        elif flags & ACK_FLAG and not length:
            connection.completeness |= 4
        if length:
            connection.completeness |= 8
        if flags & FIN_FLAG and flags & ACK_FLAG:
            connection.completeness |= 16
        if flags & RST_FLAG:
            connection.completeness |= 32

    @cython.cfunc
    def _transition(self, i: cython.longlong, client: cython.bint, end: Endpoint, event: cython.int):
        """Apply an event to the state of an end."""
        after: cython.int = self.states[end.state * EVENT_COUNT + event]
        if after != end.state:
            self.changes.append(i << 16 | (0 if client else 1) << 12 | end.state << 8 | after << 4 | event)
            end.state = after

    @cython.cfunc
    def _run_events(
        self,
        i: cython.longlong,
        from_client: cython.bint,
        end: Endpoint,
        peer: Endpoint,
        flags: cython.longlong,
        seq: cython.longlong,
        ack: cython.longlong,
        next_seq: cython.longlong,
        gap: cython.bint,
    ):
        """Apply the events that a segment is to its sender and its receiver. RFC 9293 §3.10.7."""
        to_client: cython.bint = not from_client
        acks: cython.bint = flags & ACK_FLAG != 0
        answers: cython.bint = acks and peer.iss_known and peer.iss < ack <= peer.next  # its SYN: SND.UNA < SEG.ACK <= SND.NXT
        if flags & SYN_FLAG:
            if not end.iss_known:
                end.iss_known, end.iss = True, seq
            if not acks:
                end.passive = False
            self._transition(i, from_client, end, SENT_SYN_ACK if acks else SENT_SYN)
        if flags & RST_FLAG:
            if answers if peer.state == SYN_SENT else self._accepts_reset(end, peer, seq, gap):
                self._transition(i, to_client, peer, RECEIVED_RST_PASSIVE if peer.passive else RECEIVED_RST)
            self._transition(i, from_client, end, SENT_RST)
            return
        if flags & FIN_FLAG:
            end.fin_sent, end.fin = True, next_seq
            self._transition(i, from_client, end, SENT_FIN_EARLY if acks and peer.fin_sent and ack < peer.fin else SENT_FIN)
        if flags & SYN_FLAG:
            if not acks:
                self._transition(i, to_client, peer, RECEIVED_SYN)
            elif peer.state != SYN_SENT or answers or not peer.iss_known:
                self._transition(i, to_client, peer, RECEIVED_SYN_ACK)
        if acks:
            if peer.state == SYN_RECEIVED and ack > (peer.iss if peer.iss_known else peer.base):
                self._transition(i, to_client, peer, RECEIVED_ACK_OF_SYN)
            if peer.fin_sent and ack >= peer.fin:
                self._transition(i, to_client, peer, RECEIVED_ACK_OF_FIN)
            if peer.fin_sent and not peer.fin_arrived and _contiguous_end(peer, peer.top_ack) >= peer.fin:
                peer.fin_arrived = True
                self._transition(i, from_client, end, RECEIVED_FIN)
        if end.fin_sent and not end.fin_arrived and _contiguous_end(end, end.top_ack) >= end.fin:
            end.fin_arrived = True
            self._transition(i, to_client, peer, RECEIVED_FIN)

    @cython.cfunc
    def _accepts_reset(self, end: Endpoint, peer: Endpoint, seq: cython.longlong, gap: cython.bint) -> cython.bint:
        """Whether a RST carries the number that its receiver expects. RFC 9293 §3.10.7.4, second.

        That is its last acknowledgment or, while a later one is still to come, up to the last number seen.
        """
        low: cython.longlong = peer.last_ack if peer.ack_known else end.contiguous
        return seq == low or (seq > low and not gap)
