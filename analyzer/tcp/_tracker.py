# cython: boundscheck=False, wraparound=False, initializedcheck=False
# mypy: ignore-errors
"""The TCP tracker: each segment in the light of those before it. One loop, since each row hangs on its predecessors.

Compiled by Cython when the package is built; runs interpreted too. State lives in objects, one for each connection and one
for each of its ends, from batch to batch; the connections stand in a dict, whose hash CPython seeds anew for each process,
so nobody can craft addresses that collide.

Sequence numbers are unwrapped: 64 bits that go on counting where the wire's 32 wrap (RFC 9293 §3.4).
What `tcp.analysis.*` means is in Wireshark's User's Guide, "TCP Analysis"; states are those of `protocols/tcp_states.py`.
"""

import cython

from . import states

INPUT = (  # rows of the matrix that goes in, int64; what is not known is -1
    "back",  # 1: from the greater end of the key to the smaller
    "flags",  # as tcp.flags
    "live",  # 0: quoted in an ICMP error, or cut before the flags: gets numbers, changes nothing
    "seq",
    "ack",
    "length",  # bytes of data, as on the wire
    "window",  # as sent
    "time",  # ns
    "frame",
    "scale",  # the option's shift
    "cookie",  # 1: a Fast Open cookie is there
    "first_sack",  # this segment's SACK blocks are rows first_sack … last_sack - 1 of `sacks`
    "last_sack",
    "low_port",  # 1: the sender's port is the smaller one
    "identification",  # of the IP header
    "stamp",  # the timestamp option's value
    "signal",  # 1: an option of multipath TCP is there that is no DSS: such an ACK says nothing of congestion, RFC 8684 §3.4
)
OUTPUT = (  # rows of the matrix that comes out, int64
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
    "seen",  # tcp.completeness before this segment
    "states",  # four bits each: client before, server before, client after, server after; then a bit each: assumed
    "position",  # unwrapped sequence number, counted from `own`
    "acked",  # unwrapped acknowledgment, counted from `peer`
    "missed",  # bytes of the peer that this is the first to acknowledge and that no frame holds
    "found",  # bytes of this segment that were acknowledged before a frame held them
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
    "counted",  # bytes in flight were counted, though nothing may be left of them
    # our own judgment, which the rules of tcp.analysis do not feed on
    "repeated",  # bytes that a frame held before, sent again
    "filled",  # bytes below the next that no frame held, sent again: the first sending was lost before it was recorded
    "timed_out",  # of these two: because a timer ran out
    "needless",  # of `repeated`: the peer had acknowledged them
    "reordered",  # bytes below the next that no frame held, sent before what overtook them
    "copied",  # the network made two of one packet
    "probed",  # asks whether a window of zero has opened
    "kept_alive",  # asks whether the peer is still there
    "unasked",  # begins with what answers or ends something: SYN,ACK, FIN or RST
    "early",  # data before the handshake ended
    "after_reset",  # data after a RST
    "shrunk",  # takes window back that it had given
    "inside",  # a SYN, with another number, of ports whose connection is open
    "moved",  # a FIN behind other bytes than the one before
    "strange",  # a SYN,ACK that does not acknowledge the SYN
)
UNACKED = cython.declare(cython.longlong, 10000)  # segments remembered for each direction, as Wireshark
RANGES = cython.declare(cython.longlong, 1000)  # pieces behind a hole remembered for each direction
MASK = cython.declare(cython.longlong, 0xFFFFFFFF)
HALF = cython.declare(cython.longlong, 0x80000000)
GREATEST_SHIFT = cython.declare(cython.longlong, 14)  # RFC 7323 §2.3
RECENT = cython.declare(cython.longlong, 16)  # segments of a direction that a copy is looked for among
NEAR = cython.declare(cython.longlong, 1024)  # identifications further apart say nothing of order: a sender may draw them at random
AGAIN = cython.declare(cython.longlong, 200_000_000)  # ns: nobody sends a SYN again sooner; RFC 6298 §2.1 says a second
TRIP = cython.declare(cython.longlong, 10_000_000)  # ns that an answer may take beside the round trip
SOON = cython.declare(cython.longlong, 20_000_000)  # ns: a fast retransmission comes within this after the acknowledgment
CLOSE = cython.declare(cython.longlong, 3_000_000)  # ns: reordering takes less, when no round trip is known

BACK = cython.declare(cython.int, INPUT.index("back"))
FLAGS = cython.declare(cython.int, INPUT.index("flags"))
LIVE = cython.declare(cython.int, INPUT.index("live"))
SEQ = cython.declare(cython.int, INPUT.index("seq"))
ACK = cython.declare(cython.int, INPUT.index("ack"))
LENGTH = cython.declare(cython.int, INPUT.index("length"))
WINDOW = cython.declare(cython.int, INPUT.index("window"))
TIME = cython.declare(cython.int, INPUT.index("time"))
FRAME = cython.declare(cython.int, INPUT.index("frame"))
SCALE = cython.declare(cython.int, INPUT.index("scale"))
COOKIE = cython.declare(cython.int, INPUT.index("cookie"))
FIRST_SACK = cython.declare(cython.int, INPUT.index("first_sack"))
LAST_SACK = cython.declare(cython.int, INPUT.index("last_sack"))
LOW_PORT = cython.declare(cython.int, INPUT.index("low_port"))
IDENTIFICATION = cython.declare(cython.int, INPUT.index("identification"))
STAMP = cython.declare(cython.int, INPUT.index("stamp"))
SIGNAL = cython.declare(cython.int, INPUT.index("signal"))

STREAM = cython.declare(cython.int, OUTPUT.index("stream"))
OWN = cython.declare(cython.int, OUTPUT.index("own"))
PEER = cython.declare(cython.int, OUTPUT.index("peer"))
OUT_MARKS = cython.declare(cython.int, OUTPUT.index("marks"))
DUPLICATE_NUM = cython.declare(cython.int, OUTPUT.index("duplicate_num"))
DUPLICATE_FRAME = cython.declare(cython.int, OUTPUT.index("duplicate_frame"))
ACKS_FRAME = cython.declare(cython.int, OUTPUT.index("acks_frame"))
ACK_RTT = cython.declare(cython.int, OUTPUT.index("ack_rtt"))
INITIAL_RTT = cython.declare(cython.int, OUTPUT.index("initial_rtt"))
IN_FLIGHT = cython.declare(cython.int, OUTPUT.index("in_flight"))
PUSHED = cython.declare(cython.int, OUTPUT.index("pushed"))
RTO = cython.declare(cython.int, OUTPUT.index("rto"))
RTO_FRAME = cython.declare(cython.int, OUTPUT.index("rto_frame"))
SINCE_FIRST = cython.declare(cython.int, OUTPUT.index("since_first"))
SINCE_LAST = cython.declare(cython.int, OUTPUT.index("since_last"))
SHIFT = cython.declare(cython.int, OUTPUT.index("shift"))
SEEN = cython.declare(cython.int, OUTPUT.index("seen"))
OUT_STATES = cython.declare(cython.int, OUTPUT.index("states"))
POSITION = cython.declare(cython.int, OUTPUT.index("position"))
ACKED = cython.declare(cython.int, OUTPUT.index("acked"))
MISSED = cython.declare(cython.int, OUTPUT.index("missed"))
FOUND = cython.declare(cython.int, OUTPUT.index("found"))

RETRANSMISSION = cython.declare(cython.longlong, 1 << MARKS.index("retransmission"))
FAST = cython.declare(cython.longlong, 1 << MARKS.index("fast_retransmission"))
SPURIOUS = cython.declare(cython.longlong, 1 << MARKS.index("spurious_retransmission"))
OUT_OF_ORDER = cython.declare(cython.longlong, 1 << MARKS.index("out_of_order"))
LOST = cython.declare(cython.longlong, 1 << MARKS.index("lost_segment"))
ACK_LOST = cython.declare(cython.longlong, 1 << MARKS.index("ack_lost_segment"))
DUPLICATE = cython.declare(cython.longlong, 1 << MARKS.index("duplicate_ack"))
ZERO = cython.declare(cython.longlong, 1 << MARKS.index("zero_window"))
PROBE = cython.declare(cython.longlong, 1 << MARKS.index("zero_window_probe"))
PROBE_ACK = cython.declare(cython.longlong, 1 << MARKS.index("zero_window_probe_ack"))
FULL = cython.declare(cython.longlong, 1 << MARKS.index("window_full"))
UPDATE = cython.declare(cython.longlong, 1 << MARKS.index("window_update"))
KEEP_ALIVE = cython.declare(cython.longlong, 1 << MARKS.index("keep_alive"))
KEEP_ALIVE_ACK = cython.declare(cython.longlong, 1 << MARKS.index("keep_alive_ack"))
REUSED = cython.declare(cython.longlong, 1 << MARKS.index("reused_ports"))
TFO_SYN = cython.declare(cython.longlong, 1 << MARKS.index("tfo_syn"))
TFO_ACK = cython.declare(cython.longlong, 1 << MARKS.index("tfo_ack"))
FIN_ACTIVE = cython.declare(cython.longlong, 1 << MARKS.index("fin_active"))
FIN_PASSIVE = cython.declare(cython.longlong, 1 << MARKS.index("fin_passive"))
FROM_CLIENT = cython.declare(cython.longlong, 1 << MARKS.index("from_client"))
GUESSED = cython.declare(cython.longlong, 1 << MARKS.index("guessed"))
COUNTED = cython.declare(cython.longlong, 1 << MARKS.index("counted"))
REPEATED = cython.declare(cython.longlong, 1 << MARKS.index("repeated"))
FILLED = cython.declare(cython.longlong, 1 << MARKS.index("filled"))
TIMED_OUT = cython.declare(cython.longlong, 1 << MARKS.index("timed_out"))
NEEDLESS = cython.declare(cython.longlong, 1 << MARKS.index("needless"))
REORDERED = cython.declare(cython.longlong, 1 << MARKS.index("reordered"))
COPIED = cython.declare(cython.longlong, 1 << MARKS.index("copied"))
PROBED = cython.declare(cython.longlong, 1 << MARKS.index("probed"))
UNASKED = cython.declare(cython.longlong, 1 << MARKS.index("unasked"))
EARLY = cython.declare(cython.longlong, 1 << MARKS.index("early"))
AFTER_RESET = cython.declare(cython.longlong, 1 << MARKS.index("after_reset"))
SHRUNK = cython.declare(cython.longlong, 1 << MARKS.index("shrunk"))
INSIDE = cython.declare(cython.longlong, 1 << MARKS.index("inside"))
MOVED = cython.declare(cython.longlong, 1 << MARKS.index("moved"))
STRANGE = cython.declare(cython.longlong, 1 << MARKS.index("strange"))
KEPT_ALIVE = cython.declare(cython.longlong, 1 << MARKS.index("kept_alive"))

FIN_FLAG = cython.declare(cython.longlong, 1)
SYN_FLAG = cython.declare(cython.longlong, 2)
RST_FLAG = cython.declare(cython.longlong, 4)
PSH_FLAG = cython.declare(cython.longlong, 8)
ACK_FLAG = cython.declare(cython.longlong, 16)
MOVES = cython.declare(cython.longlong, 7)  # FIN, SYN, RST: what is no ordinary acknowledgment

EVENTS = cython.declare(cython.int, len(states.EVENTS))
SENT_SYN = cython.declare(cython.int, states.SENT_SYN)
GOT_SYN = cython.declare(cython.int, states.SYN)
SENT_SYN_ACK = cython.declare(cython.int, states.SENT_SYN_ACK)
GOT_SYN_ACK = cython.declare(cython.int, states.SYN_ACK)
GOT_ACK_OF_SYN = cython.declare(cython.int, states.ACK_OF_SYN)
SENT_FIN = cython.declare(cython.int, states.SENT_FIN)
SENT_FIN_EARLY = cython.declare(cython.int, states.SENT_FIN_EARLY)
GOT_FIN = cython.declare(cython.int, states.FIN)
GOT_ACK_OF_FIN = cython.declare(cython.int, states.ACK_OF_FIN)
SENT_RST = cython.declare(cython.int, states.SENT_RST)
GOT_RST = cython.declare(cython.int, states.RST)
GOT_RST_PASSIVE = cython.declare(cython.int, states.RST_PASSIVE)
CLOSED = cython.declare(cython.int, states.CLOSED)
LISTEN = cython.declare(cython.int, states.LISTEN)
SYN_SENT = cython.declare(cython.int, states.SYN_SENT)
SYN_RECEIVED = cython.declare(cython.int, states.SYN_RECEIVED)
ESTABLISHED = cython.declare(cython.int, states.ESTABLISHED)
CLOSE_WAIT = cython.declare(cython.int, states.CLOSE_WAIT)


@cython.final
@cython.no_gc
@cython.freelist(256)
@cython.cclass
class Unacked:
    """A segment that the peer has not acknowledged yet. Eldest first in its list."""

    seq: cython.longlong
    behind: cython.longlong
    time: cython.longlong
    frame: cython.longlong
    next: "Unacked"


@cython.final
@cython.no_gc
@cython.freelist(256)
@cython.cclass
class Range:
    """Bytes that arrived behind a hole: [start, end). Ascending and apart in its list."""

    start: cython.longlong
    end: cython.longlong
    next: "Range"


@cython.final
@cython.no_gc
@cython.cclass
class End:
    """One end of a connection: what it sent, and the last that it said of its peer's data."""

    base: cython.longlong
    based: cython.bint
    near: cython.longlong  # a number that later ones are unwrapped by
    placed: cython.bint  # `near` is known
    # what it sent
    next: cython.longlong  # next expected number
    started: cython.bint  # `next` is known
    next_time: cython.longlong
    next_frame: cython.longlong
    edge: cython.longlong  # the peer may acknowledge up to here without surprise
    edged: cython.bint
    first: cython.longlong  # the smallest number seen
    whole: cython.longlong  # everything from there to before this was seen
    ranges: Range
    last_range: Range
    range_count: cython.longlong
    recent: cython.longlong  # how many segments with data there were; the last RECENT of them are in the next two
    recent_seq: cython.uint[16]  # as on the wire
    recent_identification: cython.int[16]
    top_identification: cython.longlong  # of the segment with the greatest number
    top_stamp: cython.longlong
    top_ack: cython.longlong  # the greatest acknowledgment of it
    agreed: cython.bint  # it sent a SYN,ACK
    limit: cython.longlong  # its peer may send up to here
    head: Unacked
    tail: Unacked
    count: cython.longlong
    tidy: cython.bint  # numbers in the list only grow
    flying: cython.bint  # bytes in flight can be told
    pushed: cython.longlong
    push_ends: cython.bint
    fin: cython.longlong  # the number behind its FIN
    finished: cython.bint  # it sent one
    fin_arrived: cython.bint
    closes: cython.bint  # it was the first to send a FIN
    syn_data: cython.bint  # a Fast Open SYN that carried data
    # what it said
    window: cython.longlong
    shift: cython.longlong
    plain_window: cython.bint  # its last segment was a SYN,ACK, whose window is never scaled
    last_ack: cython.longlong
    acked: cython.bint  # `last_ack` is known
    ack_time: cython.longlong
    duplicates: cython.longlong
    first_frame: cython.longlong  # the frame that duplicates repeat
    marks: cython.longlong  # of its last segment
    sacks: cython.longlong
    left: cython.longlong[4]
    right: cython.longlong[4]
    # what state it is in
    state: cython.int
    passive: cython.bint
    iss: cython.longlong  # number of its first SYN; others may follow with other numbers
    opened: cython.bint  # it sent one
    heard: cython.bint  # it sent something

    def __init__(self):
        if not cython.compiled:
            self.left, self.right = [0] * 4, [0] * 4
            self.recent_seq, self.recent_identification = [0] * 16, [0] * 16
            self.recent = self.top_identification = self.top_stamp = self.top_ack = self.first = self.limit = 0
            self.agreed = False
            self.head = self.tail = self.ranges = self.last_range = None
            self.base = self.near = self.next = self.next_time = self.next_frame = self.edge = self.whole = self.range_count = 0
            self.count = self.pushed = self.fin = self.last_ack = self.ack_time = self.duplicates = self.first_frame = self.marks = 0
            self.sacks = self.state = self.iss = 0
            self.based = self.placed = self.started = self.edged = self.push_ends = self.finished = self.fin_arrived = False
            self.closes = self.syn_data = self.plain_window = self.acked = self.passive = self.opened = self.heard = False
        self.tidy = True
        self.window = self.shift = -1
        self.flying = True


@cython.final
@cython.no_gc
@cython.cclass
class Connection:
    """A connection: its number, its two ends in the order of the key."""

    stream: cython.longlong
    low: End
    high: End
    first_time: cython.longlong
    last_time: cython.longlong
    started: cython.bint
    syn_time: cython.longlong
    syn_seen: cython.bint
    initial_rtt: cython.longlong
    seen: cython.longlong
    client: cython.int  # 1: the high end; -1 not decided
    guessed: cython.bint

    def __init__(self):
        if not cython.compiled:
            self.first_time = self.last_time = self.syn_time = self.initial_rtt = self.seen = 0
            self.started = self.syn_seen = self.guessed = False
        self.low, self.high = End(), End()
        self.client = -1


@cython.cfunc
def _unwrap(raw: cython.longlong, near: cython.longlong) -> cython.longlong:
    """The number nearest to `near` whose lowest 32 bits are `raw`."""
    away: cython.longlong = (raw - near) & MASK
    if away >= HALF:
        away -= MASK + 1
    return near + away


@cython.cfunc
def _arrived(end: End, start: cython.longlong, behind: cython.longlong):
    """Note that [start, behind) was seen, and move `whole` over what is without holes."""
    if start < end.first:
        end.first = start
    if start <= end.whole:
        if behind > end.whole:
            end.whole = behind
    elif behind > start:
        _keep(end, start, behind)
    piece: Range = end.ranges
    while piece is not None and piece.start <= end.whole:
        if piece.end > end.whole:
            end.whole = piece.end
        piece = piece.next
        end.range_count -= 1
    end.ranges = piece
    if piece is None:
        end.last_range = None
        end.range_count = 0


@cython.cfunc
def _complete(end: End, acknowledged: cython.longlong) -> cython.longlong:
    """The number before which everything was seen, or lies before `acknowledged`."""
    whole: cython.longlong = end.whole
    if acknowledged > whole:
        whole = acknowledged
    piece: Range = end.ranges
    while piece is not None and piece.start <= whole:
        if piece.end > whole:
            whole = piece.end
        piece = piece.next
    return whole


@cython.cfunc
def _held(end: End, start: cython.longlong, behind: cython.longlong) -> cython.longlong:
    """How many numbers of [start, behind) were seen."""
    total: cython.longlong = 0
    low: cython.longlong = start if start > end.first else end.first
    high: cython.longlong = behind if behind < end.whole else end.whole
    if high > low:
        total = high - low
    piece: Range = end.ranges
    while piece is not None and piece.start < behind:
        low = start if start > piece.start else piece.start
        high = behind if behind < piece.end else piece.end
        if high > low:
            total += high - low
        piece = piece.next
    return total


@cython.cfunc
def _keep(end: End, start: cython.longlong, behind: cython.longlong):
    """Put [start, behind) among the pieces behind a hole. Beyond RANGES of them the eldest hole counts as never to be filled."""
    before: Range = None
    piece: Range = end.ranges
    if end.last_range is not None and start >= end.last_range.start:
        piece = end.last_range
        if start <= piece.end:
            if behind > piece.end:
                piece.end = behind
            return
        before, piece = piece, None
    else:
        while piece is not None and piece.end < start:
            before, piece = piece, piece.next
    if piece is not None and piece.start <= behind:
        if start < piece.start:
            piece.start = start
        if behind > piece.end:
            piece.end = behind
            after: Range = piece.next
            while after is not None and after.start <= piece.end:
                if after.end > piece.end:
                    piece.end = after.end
                after = after.next
                end.range_count -= 1
            piece.next = after
            if after is None:
                end.last_range = piece
        return
    made: Range = Range()
    made.start, made.end, made.next = start, behind, piece
    if before is None:
        end.ranges = made
    else:
        before.next = made
    if piece is None:
        end.last_range = made
    end.range_count += 1
    if end.range_count > RANGES:
        end.whole = end.ranges.start


@cython.cfunc
def _sent(end: End, seq: cython.longlong, behind: cython.longlong, time: cython.longlong, frame: cython.longlong):
    """Remember a segment until it is acknowledged."""
    if end.count >= UNACKED:
        return
    one: Unacked = Unacked()
    one.seq, one.behind, one.time, one.frame, one.next = seq, behind, time, frame, None
    if end.tail is None:
        end.head, end.tidy = one, True
    else:
        if behind < end.tail.behind or seq < end.tail.seq:
            end.tidy = False
        end.tail.next = one
    end.tail = one
    end.count += 1


@cython.cfunc
def _acknowledged(end: End, ack: cython.longlong) -> Unacked:
    """Forget what `ack` covers; a segment that it covers in part keeps the rest. Returns the eldest that ends exactly at `ack`."""
    exact: Unacked = None
    one: Unacked = end.head
    before: Unacked = None
    if end.tidy:
        while one is not None and one.behind <= ack:
            if one.behind == ack and exact is None:
                exact = one
            one = one.next
            end.count -= 1
        end.head = one
        if one is None:
            end.tail = None
        while one is not None and one.seq < ack:
            one.seq = ack
            one = one.next
        return exact
    tidy: cython.bint = True
    while one is not None:
        if one.behind <= ack:
            if one.behind == ack and exact is None:
                exact = one
            if before is None:
                end.head = one.next
            else:
                before.next = one.next
            end.count -= 1
        else:
            if one.seq < ack:
                one.seq = ack
            if before is not None and (one.behind < before.behind or one.seq < before.seq):
                tidy = False
            before = one
        one = one.next
    end.tail = before
    end.tidy = tidy
    return exact


@cython.cfunc
def _open(end: End) -> cython.bint:
    """Whether it may still send or take data."""
    return SYN_RECEIVED <= end.state <= CLOSE_WAIT


@cython.cfunc
def _probes(end: End, seq: cython.longlong, behind: cython.longlong) -> cython.bint:
    """Whether what is sent again is the last that was sent, though something before it waits too: a tail loss probe (RFC 8985 §7.3).

    A time-out sends the eldest first (RFC 6298 §5.4). Of one segment alone the two cannot be told apart.
    """
    return behind == end.next and end.head is not None and end.head.seq < seq


@cython.cfunc
def _in_flight(end: End) -> cython.longlong:
    """Bytes from the first to the last number that is not acknowledged."""
    low: cython.longlong = end.head.seq
    high: cython.longlong = end.tail.behind
    one: Unacked = end.head
    if not end.tidy:
        while one is not None:
            if one.seq < low:
                low = one.seq
            if one.behind > high:
                high = one.behind
            one = one.next
    return high - low


@cython.cfunc
def _alike(words: cython.const[cython.ulonglong][::1], i: cython.longlong, size: cython.longlong) -> cython.bint:
    """Whether key i, `size` words, is that of the segment before: in most captures it is, more often than not."""
    at: cython.longlong
    for at in range(i * size, i * size + size):
        if words[at] != words[at - size]:
            return False
    return True


@cython.final
@cython.cclass
class Tracker:
    """All TCP connections of a trace. Rows come in the order of their frames; a call goes on where the last one ended.

    states: `tcp_states.table()`. analyse: whether more than stream numbers and bases is asked for. most: connections held at the
    most; of more, those that were idle longest are forgotten: the half that nothing was heard of since the other half came.
    """

    known: dict  # key → connection, those heard of lately
    old: dict  # the same, not heard of since `known` was begun
    most: cython.longlong
    replaced: list  # streams whose ports a newer connection has
    gone: list  # streams forgotten in this call
    count: cython.longlong
    states: bytes
    analyse: cython.bint
    rows: cython.const[cython.longlong][:, ::1]  # what a call is about
    sacks: cython.const[cython.longlong][:, ::1]
    out: cython.longlong[:, ::1]
    changes: list  # of this call

    def __init__(self, states: bytes, analyse: bool, most: int):
        self.known, self.old, self.replaced, self.gone = {}, {}, [], []
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
        """Fill `out` (len(OUTPUT), n), which is zero, from `rows` (len(INPUT), n). keys: of the n segments' connections, one behind
        the other, a multiple of 8 bytes each. sacks: (2, m) raw edges.

        Returns the changes of state, a number each: row << 16 | end << 12 | before << 8 | after << 4 | event; end: 0 client, 1 server;
        and the streams that were forgotten: nothing will come of them.
        """
        i: cython.longlong
        n: cython.longlong = rows.shape[1]
        size: cython.longlong = len(keys) // max(n, 1)
        back: cython.longlong
        flags: cython.longlong
        connection: Connection = None
        words: cython.const[cython.ulonglong][::1] = memoryview(keys).cast("Q")
        self.rows, self.sacks, self.out, self.changes, self.gone = rows, sacks, out, [], []
        for i in range(n):
            back = self.rows[BACK, i]
            flags = self.rows[FLAGS, i]
            if connection is None or not _alike(words, i, size // 8):
                connection = self._find(keys[i * size : i * size + size])
            end: End = connection.high if back else connection.low
            peer: End = connection.low if back else connection.high
            if self.rows[LIVE, i]:
                if flags & SYN_FLAG and not flags & ACK_FLAG and end.based and (end.base & MASK) != self.rows[SEQ, i]:
                    open_: cython.bint = _open(end) and _open(peer)
                    self.replaced.append(connection.stream)
                    connection = self._new(keys[i * size : i * size + size])
                    end = connection.high if back else connection.low
                    peer = connection.low if back else connection.high
                    self.out[OUT_MARKS, i] = REUSED | INSIDE if open_ else REUSED
                    connection.seen = 1
                self._bases(end, peer, flags, self.rows[SEQ, i], self.rows[ACK, i])
            self.out[STREAM, i] = connection.stream
            self.out[OWN, i] = end.base & MASK if end.based else -1
            self.out[PEER, i] = peer.base & MASK if peer.based else -1
            if self.analyse:
                self._clock(connection, i)
                if self.rows[LIVE, i]:
                    self._segment(connection, end, peer, i)
                else:
                    self.out[SHIFT, i] = end.shift
            elif self.rows[LIVE, i]:
                self._place(end, peer, i)
        return self.changes, self.gone

    @cython.cfunc
    def _find(self, key: bytes) -> Connection:
        found: Connection = self.known.get(key)
        if found is not None:
            return found
        found = self.old.pop(key, None) if self.old else None
        if found is None:
            return self._new(key)
        self._hold(key, found)
        return found

    @cython.cfunc
    def _hold(self, key: bytes, connection: Connection):
        """Among those heard of; where they are half of what may be held, the other half is forgotten."""
        self.known[key] = connection
        if len(self.known) + len(self.replaced) > self.most // 2:
            self.gone += self.replaced
            one: Connection
            for one in self.old.values():
                self.gone.append(one.stream)
            self.old, self.known, self.replaced = self.known, {}, []

    @cython.cfunc
    def _new(self, key: bytes) -> Connection:
        made: Connection = Connection()
        if self.old:
            self.old.pop(key, None)
        self._hold(key, made)
        made.stream = self.count
        self.count += 1
        return made

    @cython.cfunc
    def _bases(self, end: End, peer: End, flags: cython.longlong, seq: cython.longlong, ack: cython.longlong):
        """Set what relative numbers count from: the SYN, else one before the first number seen, else the peer's acknowledgment."""
        here: cython.longlong = _unwrap(seq, end.near) if end.placed else seq
        if flags & SYN_FLAG:
            end.base, end.based = here, True
        elif not end.based:
            end.base, end.based = here - 1, True
        if not end.placed:
            end.near, end.placed = here, True
        if flags & ACK_FLAG:
            if not peer.placed:
                peer.near, peer.placed = ack, True
            if not peer.based:
                peer.base, peer.based = _unwrap(ack, peer.near) - 1, True

    @cython.cfunc
    def _place(self, end: End, peer: End, i: cython.longlong):
        """Positions alone."""
        flags: cython.longlong = self.rows[FLAGS, i]
        seq: cython.longlong = _unwrap(self.rows[SEQ, i], end.near)
        behind: cython.longlong = seq + self.rows[LENGTH, i]
        self.out[POSITION, i] = seq - end.base
        if not end.started or behind > end.near:
            end.near, end.started = behind, True
        if flags & ACK_FLAG:
            ack: cython.longlong = _unwrap(self.rows[ACK, i], peer.near)
            self.out[ACKED, i] = ack - peer.base
            if not peer.started and ack > peer.near:
                peer.near = ack

    @cython.cfunc
    def _clock(self, connection: Connection, i: cython.longlong):
        """The columns that every segment has, quoted or not."""
        time: cython.longlong = self.rows[TIME, i]
        if not connection.started:
            connection.first_time = connection.last_time = time
            connection.started = True
        self.out[SINCE_FIRST, i] = time - connection.first_time
        self.out[SINCE_LAST, i] = time - connection.last_time
        connection.last_time = time
        self.out[SEEN, i] = connection.seen

    @cython.cfunc
    def _segment(
        self,
        connection: Connection,
        end: End,
        peer: End,
        i: cython.longlong,
    ):
        flags: cython.longlong = self.rows[FLAGS, i]
        length: cython.longlong = self.rows[LENGTH, i]
        window: cython.longlong = self.rows[WINDOW, i]
        time: cython.longlong = self.rows[TIME, i]
        frame: cython.longlong = self.rows[FRAME, i]
        moves: cython.bint = flags & MOVES != 0
        seq: cython.longlong = _unwrap(self.rows[SEQ, i], end.near)
        acks: cython.bint = flags & ACK_FLAG != 0
        # Without ACK the number means nothing; the field is compared all the same, so it has to have a place.
        ack: cython.longlong = _unwrap(self.rows[ACK, i], peer.near) if peer.placed else self.rows[ACK, i]
        same_ack: cython.bint = end.acked and ack == end.last_ack
        expected: cython.bint = end.started and seq == end.next
        gap: cython.bint = end.started and seq > end.next
        first: cython.bint = connection.client < 0
        marks: cython.longlong = self.out[OUT_MARKS, i]
        behind: cython.longlong = seq + length
        plain: cython.bint = length == 0 and not moves and expected
        late: cython.bint
        room: cython.longlong
        blocks: cython.longlong
        j: cython.longlong

        if first:
            self._roles(connection, end, peer, flags, self.rows[BACK, i], self.rows[LOW_PORT, i])
        elif flags & (SYN_FLAG | ACK_FLAG) == SYN_FLAG and connection.guessed:
            connection.client, connection.guessed = cython.cast(cython.int, self.rows[BACK, i]), False
        from_client: cython.bint = connection.client == self.rows[BACK, i]
        client: End = end if from_client else peer
        server: End = peer if from_client else end
        self.out[OUT_STATES, i] = client.state | server.state << 4

        if flags & SYN_FLAG:
            self._scales(end, peer, flags, self.rows[SCALE, i])
            if not acks:
                connection.syn_time, connection.syn_seen = time, True
                if self.rows[COOKIE, i]:
                    marks |= TFO_SYN
                    end.syn_data = length > 0
            elif peer.syn_data and peer.started and ack == peer.next:
                marks |= TFO_ACK
        elif acks and connection.syn_seen and connection.initial_rtt == 0:
            connection.initial_rtt = time - connection.syn_time
        if acks:
            peer.flying = True

        # ------------------------------------------------ probes, windows, duplicates
        if length == 1 and expected and peer.window == 0:
            marks |= PROBE
        else:
            if window == 0 and not moves:
                marks |= ZERO
            if gap and not flags & RST_FLAG:
                marks |= LOST
                end.flying = False
                if end.edge > end.next:
                    end.edge = end.next
            if length <= 1 and not moves and end.started and seq == end.next - 1:
                marks |= KEEP_ALIVE
            if plain and window and window != end.window and same_ack:
                marks |= UPDATE
            if length and not moves and peer.shift != -1 and peer.acked:
                if behind == peer.last_ack + (peer.window << (0 if peer.plain_window or peer.shift < 0 else peer.shift)):
                    marks |= FULL
            if plain and window and window == end.window and same_ack and peer.marks & KEEP_ALIVE:
                marks |= KEEP_ALIVE_ACK
            elif plain and window == 0 and end.window == 0 and same_ack and peer.marks & PROBE:
                marks |= PROBE_ACK
            elif plain and window and window == end.window and same_ack and not self.rows[SIGNAL, i]:
                end.duplicates += 1
                marks |= DUPLICATE
                self.out[DUPLICATE_NUM, i] = end.duplicates
                self.out[DUPLICATE_FRAME, i] = end.first_frame
        if not same_ack:
            end.first_frame = frame
            end.duplicates = 0
        if acks and peer.edged and ack > peer.edge:
            marks |= ACK_LOST
            peer.edge = ack if ack > peer.next else peer.next

        # ------------------------------------------------ what does not advance
        if (length or flags & (SYN_FLAG | FIN_FLAG)) and not marks & KEEP_ALIVE:
            late = end.started and seq < end.next and not (length > 1 and seq == end.next - 1)
            if length and peer.acked and behind <= peer.last_ack:
                marks |= SPURIOUS | RETRANSMISSION
            elif late:
                if self._fast(peer, seq, time):
                    marks |= FAST | RETRANSMISSION
                elif time - end.next_time < (connection.initial_rtt or CLOSE) and end.next != behind + (flags & (SYN_FLAG | FIN_FLAG) != 0):
                    marks |= OUT_OF_ORDER
                else:
                    marks |= RETRANSMISSION
                    self._rto(end, time, i)

        # ------------------------------------------------ what it moves
        behind += (flags >> 1 & 1) + (flags & FIN_FLAG)
        marks |= self._judged(connection, end, peer, i, marks, seq, behind)
        if first and (moves and flags & (SYN_FLAG | ACK_FLAG) != SYN_FLAG):
            marks |= UNASKED
        if flags & FIN_FLAG and end.finished and behind != end.fin:
            marks |= MOVED
        if flags & (SYN_FLAG | ACK_FLAG) == SYN_FLAG | ACK_FLAG and peer.opened and not peer.iss < ack <= peer.next:
            marks |= STRANGE
        if length and not flags & (SYN_FLAG | RST_FLAG):
            if connection.seen & 32 and (end.state == CLOSED or peer.state == CLOSED):
                marks |= AFTER_RESET
            elif (end.state == SYN_SENT or end.state == SYN_RECEIVED) and not peer.syn_data:
                marks |= EARLY
        if acks and not moves:
            room = ack + (window << (end.shift if end.shift > 0 else 0))
            if end.limit - room >= (1 << end.shift if end.shift > 0 else 1) and end.limit:
                marks |= SHRUNK
            if room > end.limit or marks & SHRUNK:
                end.limit = room
        if behind > seq:
            _sent(end, seq, behind, time, frame)
        if not marks & PROBE:
            if not end.started or behind > end.next:
                if not end.started:
                    end.whole = end.first = seq
                end.next, end.started = behind, True
                end.next_time, end.next_frame = time, frame
                end.near = behind
            if not end.edged or (seq == end.edge and not marks & LOST):
                end.edge, end.edged = end.next, True
        if behind > seq:
            _arrived(end, seq, behind)
        end.window = window
        end.plain_window = flags & (SYN_FLAG | ACK_FLAG) == SYN_FLAG | ACK_FLAG
        end.last_ack, end.acked = ack, acks or ack != 0
        end.ack_time = time
        end.marks = marks
        end.heard = True

        if acks:
            if peer.started and ack > peer.top_ack:
                if ack > peer.whole:
                    away: cython.longlong = peer.top_ack if peer.top_ack > peer.first else peer.first
                    if ack > away:
                        self.out[MISSED, i] = ack - away - _held(peer, away, ack)
                peer.top_ack = ack
            exact: Unacked = _acknowledged(peer, ack)
            if exact is not None:
                self.out[ACKS_FRAME, i] = exact.frame
                self.out[ACK_RTT, i] = time - exact.time
            if not peer.started and ack > peer.near:
                peer.near = ack
        blocks = self.rows[LAST_SACK, i] - self.rows[FIRST_SACK, i]
        end.sacks = 0
        for j in range(blocks):
            if j < 4:
                end.left[j] = _unwrap(self.sacks[0, self.rows[FIRST_SACK, i] + j], peer.near)
                end.right[j] = _unwrap(self.sacks[1, self.rows[FIRST_SACK, i] + j], peer.near)
                end.sacks += 1
        if length and end.head is not None and end.flying:
            blocks = _in_flight(end)
            for j in range(peer.sacks):
                blocks -= peer.right[j] - peer.left[j]
            end.pushed = length if end.push_ends else end.pushed + length
            end.push_ends = flags & PSH_FLAG != 0
            marks |= COUNTED
            if blocks > 0:
                self.out[IN_FLIGHT, i] = blocks - (1 if flags & (SYN_FLAG | FIN_FLAG) else 0)
                self.out[PUSHED, i] = end.pushed

        # ------------------------------------------------ closing, states
        if flags & FIN_FLAG:
            if not peer.closes:
                end.closes = True
                marks |= FIN_ACTIVE
            else:
                marks |= FIN_PASSIVE
        self._states(i, from_client, end, peer, flags, seq, ack, behind, gap)
        self.out[OUT_STATES, i] |= client.state << 8 | server.state << 12
        self.out[OUT_STATES, i] |= (not client.heard) << 16 | (not server.heard) << 17
        if from_client:
            marks |= FROM_CLIENT
        if connection.guessed:
            marks |= GUESSED
        self.out[OUT_MARKS, i] = marks
        self.out[INITIAL_RTT, i] = connection.initial_rtt
        self.out[SHIFT, i] = end.shift
        self.out[POSITION, i] = seq - end.base
        self.out[ACKED, i] = ack - peer.base if acks and peer.based else 0
        self._completeness(connection, first, flags, length)

    @cython.cfunc
    def _roles(self, connection: Connection, end: End, peer: End, flags: cython.longlong, back: cython.longlong, low: cython.longlong):
        """Who is the client, and what state the first segment implies that both ends were in."""
        sender: cython.int = cython.cast(cython.int, back)
        if flags & SYN_FLAG and not flags & ACK_FLAG:
            connection.client = sender
            end.state, peer.state = CLOSED, LISTEN
            peer.passive = True
        elif flags & SYN_FLAG:
            connection.client = 1 - sender
            end.state, peer.state = SYN_RECEIVED, SYN_SENT
            end.passive = True
        else:  # no SYN was seen: the end with the smaller port answers, most likely
            connection.client = 1 - sender if low else sender
            connection.guessed = True
            end.state = peer.state = ESTABLISHED

    @cython.cfunc
    def _scales(self, end: End, peer: End, flags: cython.longlong, scale: cython.longlong):
        """Windows are scaled if both SYNs offer it. RFC 7323 §2.2."""
        if scale > GREATEST_SHIFT:
            scale = GREATEST_SHIFT
        if scale >= 0:
            end.shift = scale
            if flags & ACK_FLAG and peer.shift == -2:
                end.shift = -2
        else:
            end.shift = -2
            if not flags & ACK_FLAG or peer.shift >= 0:
                peer.shift = -2

    @cython.cfunc
    def _fast(self, peer: End, seq: cython.longlong, time: cython.longlong) -> cython.bint:
        """Whether a late segment answers duplicate acknowledgments that have just come."""
        return peer.acked and time - peer.ack_time < SOON and peer.duplicates >= 2 and peer.last_ack == seq

    @cython.cfunc
    def _judged(
        self,
        connection: Connection,
        end: End,
        peer: End,
        i: cython.longlong,
        marks: cython.longlong,
        seq: cython.longlong,
        behind: cython.longlong,
    ) -> cython.longlong:
        """What a segment that brings nothing new is, as a careful reader says. Returns bits of MARKS.

        Bytes that no frame held are late or sent again: a sender counts the identifications of its packets up (RFC 6864 lets it
        do otherwise), and its timestamps never go back (RFC 7323 §4.1), which tells what was sent first. Where neither does,
        less than a round trip is too soon for a retransmission.
        """
        flags: cython.longlong = self.rows[FLAGS, i]
        length: cython.longlong = self.rows[LENGTH, i]
        identification: cython.longlong = self.rows[IDENTIFICATION, i]
        stamp: cython.longlong = self.rows[STAMP, i]
        time: cython.longlong = self.rows[TIME, i]
        held: cython.longlong
        away: cython.longlong
        judged: cython.longlong = 0
        agrees: cython.bint = flags & (SYN_FLAG | ACK_FLAG) == SYN_FLAG | ACK_FLAG and not end.agreed
        if agrees:  # in a simultaneous open it has the number of the SYN before it, and repeats nothing
            end.agreed = True
        if marks & PROBE:
            return PROBED
        if end.started and length <= 1 and not flags & MOVES and seq == end.next - 1:
            if peer.window == 0:
                return PROBED
            if length == 0 or (peer.acked and peer.last_ack >= end.next):
                return KEPT_ALIVE
        if behind == seq:
            return 0
        if end.started and seq < end.top_ack and behind > end.first:
            held = seq if seq > end.first else end.first  # what lies before the first was never missed
            away = behind if behind < end.top_ack else end.top_ack
            self.out[FOUND, i] = away - held - _held(end, held, away)
        if end.started and seq < end.next and not agrees:
            held = _held(end, seq, behind if behind < end.next else end.next)
            if held:
                if self._copy(end, seq, identification) or (
                    flags & SYN_FLAG and identification > 0 and identification == end.top_identification and time - end.next_time < AGAIN
                ):
                    return COPIED
                judged = REPEATED
                if peer.acked and behind <= peer.last_ack:
                    judged |= NEEDLESS
            else:
                judged = FILLED
                away = (identification - end.top_identification) & 0xFFFF
                if identification > 0 and end.top_identification > 0 and (0 < away < NEAR or away > 0x10000 - NEAR):
                    if away >= NEAR:
                        judged = REORDERED
                elif stamp >= 0 and end.top_stamp >= 0 and stamp != end.top_stamp:
                    if (stamp - end.top_stamp) & MASK >= HALF:
                        judged = REORDERED
                elif time - end.next_time < (connection.initial_rtt or CLOSE):
                    judged = REORDERED
            if judged & (REPEATED | FILLED):
                away = end.ack_time if end.heard else time  # its last word, then the peer's: which of them made it send?
                if peer.heard and peer.ack_time > away:
                    away = peer.ack_time
                if time - away > connection.initial_rtt + (connection.initial_rtt >> 1) + TRIP and not _probes(end, seq, behind):
                    judged |= TIMED_OUT
        if not end.started or behind > end.next:
            end.top_identification, end.top_stamp = identification, stamp
        end.recent_seq[end.recent & RECENT - 1] = cython.cast(cython.uint, seq & MASK)
        end.recent_identification[end.recent & RECENT - 1] = cython.cast(cython.int, identification)
        end.recent += 1
        return judged

    @cython.cfunc
    def _copy(self, end: End, seq: cython.longlong, identification: cython.longlong) -> cython.bint:
        """Whether one of the last segments had the same number and the same identification, of a sender that changes it."""
        same: cython.bint = False
        changes: cython.bint = False
        j: cython.longlong
        if identification <= 0:
            return False
        for j in range(end.recent if end.recent < RECENT else RECENT):
            if end.recent_identification[j] != identification:
                changes = True
            elif end.recent_seq[j] == seq & MASK:
                same = True
        return same and changes

    @cython.cfunc
    def _rto(self, end: End, time: cython.longlong, i: cython.longlong):
        """Time since the eldest segment that is not acknowledged: the one that the sender's timer runs for. RFC 6298 §5."""
        self.out[RTO, i] = time - (end.next_time if end.head is None else end.head.time)
        self.out[RTO_FRAME, i] = end.next_frame if end.head is None else end.head.frame

    @cython.cfunc
    def _completeness(self, connection: Connection, first: cython.bint, flags: cython.longlong, length: cython.longlong):
        """What the connection has shown: bits of tcp.completeness."""
        if flags & (SYN_FLAG | ACK_FLAG) == SYN_FLAG:
            connection.seen |= 1
        elif first:  # as Wireshark: of the first segment only a SYN counts
            return
        elif flags & (SYN_FLAG | ACK_FLAG) == SYN_FLAG | ACK_FLAG:
            connection.seen |= 2
        elif flags & ACK_FLAG and not length:
            connection.seen |= 4
        if length:
            connection.seen |= 8
        if flags & FIN_FLAG and flags & ACK_FLAG:
            connection.seen |= 16
        if flags & RST_FLAG:
            connection.seen |= 32

    @cython.cfunc
    def _change(self, i: cython.longlong, client: cython.bint, end: End, event: cython.int):
        """Run one event through the table."""
        after: cython.int = self.states[end.state * EVENTS + event]
        if after != end.state:
            self.changes.append(i << 16 | (0 if client else 1) << 12 | end.state << 8 | after << 4 | event)
            end.state = after

    @cython.cfunc
    def _states(
        self,
        i: cython.longlong,
        from_client: cython.bint,
        end: End,
        peer: End,
        flags: cython.longlong,
        seq: cython.longlong,
        ack: cython.longlong,
        behind: cython.longlong,
        gap: cython.bint,
    ):
        """The events that a segment is, for who sent it and for who gets it. RFC 9293 §3.10.7."""
        to_client: cython.bint = not from_client
        acks: cython.bint = flags & ACK_FLAG != 0
        answers: cython.bint = acks and peer.opened and peer.iss < ack <= peer.next  # its SYN: SND.UNA < SEG.ACK <= SND.NXT
        if flags & SYN_FLAG:
            if not end.opened:
                end.opened, end.iss = True, seq
            if not acks:
                end.passive = False
            self._change(i, from_client, end, SENT_SYN_ACK if acks else SENT_SYN)
        if flags & RST_FLAG:
            if answers if peer.state == SYN_SENT else self._resets(end, peer, seq, gap):
                self._change(i, to_client, peer, GOT_RST_PASSIVE if peer.passive else GOT_RST)
            self._change(i, from_client, end, SENT_RST)
            return
        if flags & FIN_FLAG:
            end.finished, end.fin = True, behind
            self._change(i, from_client, end, SENT_FIN_EARLY if acks and peer.finished and ack < peer.fin else SENT_FIN)
        if flags & SYN_FLAG:
            if not acks:
                self._change(i, to_client, peer, GOT_SYN)
            elif peer.state != SYN_SENT or answers or not peer.opened:
                self._change(i, to_client, peer, GOT_SYN_ACK)
        if acks:
            if peer.state == SYN_RECEIVED and ack > (peer.iss if peer.opened else peer.base):
                self._change(i, to_client, peer, GOT_ACK_OF_SYN)
            if peer.finished and ack >= peer.fin:
                self._change(i, to_client, peer, GOT_ACK_OF_FIN)
            if peer.finished and not peer.fin_arrived and _complete(peer, peer.top_ack) >= peer.fin:
                peer.fin_arrived = True
                self._change(i, from_client, end, GOT_FIN)
        if end.finished and not end.fin_arrived and _complete(end, end.top_ack) >= end.fin:
            end.fin_arrived = True
            self._change(i, to_client, peer, GOT_FIN)

    @cython.cfunc
    def _resets(self, end: End, peer: End, seq: cython.longlong, gap: cython.bint) -> cython.bint:
        """Whether a RST carries the next number that its receiver expects. RFC 9293 §3.10.7.4, second.

        That is what the receiver acknowledged last or, its acknowledgment still to come, up to the last number seen.
        """
        low: cython.longlong = peer.last_ack if peer.acked else end.whole
        return seq == low or (seq > low and not gap)
