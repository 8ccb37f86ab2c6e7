# cython: boundscheck=False, wraparound=False, initializedcheck=False
# mypy: ignore-errors
"""Facts that a verdict on a TCP connection stands on: who asked how often, waited how long, fell silent, kept its window closed.

Compiled by Cython when the package is built; runs interpreted too. It takes what `tcp_tracker` made of the segments, in the
same order. What the facts mean for the connection is said in `expert/connection`. Times are ns, sizes bytes, frames as in the
file; a time or frame of 0 is one that never was.
"""

import cython

from ._tracker import INPUT, MARKS, OUTPUT

MORE = (  # rows of the matrix that goes in beside the tracker's, int64
    "ttl",  # or hop limit; -1 unknown
    "ip_length",  # bytes of the IP datagram
    "bad",  # 1: its checksum was verified and is wrong
)
END = (  # what is kept of each end, in this order
    "packets",  # of any kind, copies included
    "last_time",  # of its last segment
    "last_frame",
    "tries",  # SYNs without ACK
    "first_try",
    "first_try_gap",  # to the second
    "last_try_gap",  # to the last from the one before
    "last_try",
    "first_try_frame",
    "last_try_frame",
    "agrees",  # SYN,ACKs
    "agree_frame",  # the first of them
    "agree_time",
    "ignored",  # SYN,ACKs after the peer had acknowledged one
    "ttl_low",  # of segments without RST
    "ttl_high",
    "ttl_count",
    "data_frames",  # segments with data, copies left out
    "full_frames",  # of these, as long as the longest so far
    "largest",  # bytes of data in one segment
    "first_data",  # time
    "first_data_frame",
    "last_data",
    "una",  # position that the peer acknowledges
    "una_time",  # since when it stands there with something outstanding
    "una_frame",  # the first segment that has waited for it since
    "top",  # position behind the last that was sent
    "waiting",  # bytes of data between the two
    # sent again
    "repeated",  # segments of bytes that a frame held
    "filled",  # segments of bytes whose first sending no frame held
    "needless",
    "reordered",
    "damaged",  # wrong checksums
    "damaged_frame",
    "copied",
    "copied_frame",  # the first of them, and so on
    "reordered_frame",
    "needless_frame",
    "lost_frame",  # the first that was sent again or filled
    "lost_last_frame",
    "timeouts",
    "run",  # sent again since the last progress
    "run_timeouts",
    "worst_wait",  # the longest time without progress in which a timer ran out, and ended
    "worst_frame",  # who waited
    "worst_end_frame",  # what ended it
    "worst_run",  # how often was sent again in it
    "worst_timeouts",
    # sent again, and the peer has been silent since
    "unheard",  # how often
    "unheard_from",  # frame that was sent first
    "unheard_first",  # frame of the first repetition
    "unheard_last",
    "unheard_first_gap",
    "unheard_last_gap",
    "unheard_last_time",
    # keep-alives
    "kept_alive",
    "kept_answered",
    "asking",  # keep-alives that the peer has not answered yet, a row of them without another word of it
    "asking_frame",
    "asking_time",
    "asking_last_frame",
    "asking_last_time",
    # its window, as the peer's sender feels it
    "max_window",
    "window",
    "closed_since",
    "closed_frame",
    "probes",  # of the peer, since it closed
    "probes_all",
    "refusals",  # answers to probes that keep it closed, since it closed
    "stalls",  # times that it closed and held the peer up
    "stall_time",
    "stall_frame",
    "stall_end_frame",
    # the largest datagram
    "big",
    "big_time",  # of its first sending
    "big_at",
    "big_behind",
    "big_sends",
    "big_frame",
    "big_last_frame",
    "big_acked",  # 1: got through; 2: in smaller pieces
    "big_shrunk_frame",
    "mtu",  # what the last ICMP message to it allowed, 0 none; and the frames of the first and the last
    "mtu_time",
    "mtu_frame",
    "mtu_last_frame",
    "above_mtu",  # datagrams above that, sent in spite of it
    # small writes that wait for an acknowledgment
    "nagles",
    "nagle_time",
    "nagle_frame",
    "nagle_last_frame",
    # what held it back
    "full_time",  # ns that it could not send for the peer's window
    "idle_time",  # ns that it had nothing outstanding before it sent data, a round trip off each time
    "urgent",
    "urgent_frame",
    "missed",  # bytes that the peer acknowledged and no frame holds
    "ece_frame",  # the first that echoes congestion
)
CASE = (  # what is kept of a connection
    "stream",
    "opened_time",
    "opened_frame",  # the ACK that ends the handshake
    "rtt",  # of the handshake, both halves
    "challenge_frame",  # an ACK without SYN that answered the SYN
    "reset_frame",
    "reset_time",
    "reset_end",  # 0 client, 1 server
    "reset_states",  # before it, as the tracker packs them
    "reset_acks",  # it has ACK
    "reset_fits",  # its number is what the last segment of the other end acknowledges
    "reset_ttl",
    "reset_since",  # ns since the last segment of the other end
    "reset_answers",  # frame of that segment
    "reset_after_fin",  # 1: its sender had sent FIN, 2: the other end had, 3: both
    "reset_unacked",  # bytes of its sender
    "reset_peer_unacked",
    "reset_peer_window",  # of the other end
    "goes_on",  # segments without RST that its sender sent afterwards
    "goes_on_frame",
    "icmp_frame",  # the first ICMP error that quotes it
    "icmp_time",
    "icmp_kind",  # type << 8 | code, bit 16: ICMPv6
    "icmp_from_peer",  # 1: sent by the address that the quoted segment was for
    "odd_frame",  # the first ICMP error that quotes what was not outstanding
    "odd_kind",
    "odd_count",
    "asked_time",  # of the last new data of the client
    "asked_frame",
    "answer_wait",  # the longest from there to the first byte of the answer
    "answer_asked_frame",
    "answer_frame",
    "answer_acked",  # ns from the question to its acknowledgment
    "asked_length",
    "unasked",  # times that the server, which had spoken before, spoke again though nobody had asked
    "client_wait",  # from the handshake to the first data, where the client speaks first
    "client_wait_frame",
    "first_fin_frame",
    "last_time",
    "reused",
)
"""Columns of `write`."""
BACK = cython.declare(cython.int, INPUT.index("back"))
FLAGS = cython.declare(cython.int, INPUT.index("flags"))
SEQ = cython.declare(cython.int, INPUT.index("seq"))
LENGTH = cython.declare(cython.int, INPUT.index("length"))
WINDOW = cython.declare(cython.int, INPUT.index("window"))
TIME = cython.declare(cython.int, INPUT.index("time"))
FRAME = cython.declare(cython.int, INPUT.index("frame"))
SCALE = cython.declare(cython.int, INPUT.index("scale"))
STREAM = cython.declare(cython.int, OUTPUT.index("stream"))
OUT_MARKS = cython.declare(cython.int, OUTPUT.index("marks"))
SHIFT = cython.declare(cython.int, OUTPUT.index("shift"))
POSITION = cython.declare(cython.int, OUTPUT.index("position"))
ACKED = cython.declare(cython.int, OUTPUT.index("acked"))
OUT_STATES = cython.declare(cython.int, OUTPUT.index("states"))
INITIAL_RTT = cython.declare(cython.int, OUTPUT.index("initial_rtt"))
RTO = cython.declare(cython.int, OUTPUT.index("rto"))
RTO_FRAME = cython.declare(cython.int, OUTPUT.index("rto_frame"))
OUT_MISSED = cython.declare(cython.int, OUTPUT.index("missed"))
OUT_FOUND = cython.declare(cython.int, OUTPUT.index("found"))
IS_FROM_CLIENT = cython.declare(cython.longlong, 1 << MARKS.index("from_client"))
IS_REPEATED = cython.declare(cython.longlong, 1 << MARKS.index("repeated"))
IS_FILLED = cython.declare(cython.longlong, 1 << MARKS.index("filled"))
IS_TIMED_OUT = cython.declare(cython.longlong, 1 << MARKS.index("timed_out"))
IS_NEEDLESS = cython.declare(cython.longlong, 1 << MARKS.index("needless"))
IS_REORDERED = cython.declare(cython.longlong, 1 << MARKS.index("reordered"))
IS_COPIED = cython.declare(cython.longlong, 1 << MARKS.index("copied"))
IS_PROBED = cython.declare(cython.longlong, 1 << MARKS.index("probed"))
IS_KEPT_ALIVE = cython.declare(cython.longlong, 1 << MARKS.index("kept_alive"))
IS_REUSED_PORTS = cython.declare(cython.longlong, 1 << MARKS.index("reused_ports"))
TTL = cython.declare(cython.int, MORE.index("ttl"))
IP_LENGTH = cython.declare(cython.int, MORE.index("ip_length"))
BAD = cython.declare(cython.int, MORE.index("bad"))
ENDS = cython.declare(cython.int, len(END))
CASES = cython.declare(cython.int, len(CASE))
E_PACKETS = cython.declare(cython.int, END.index("packets"))
E_LAST_TIME = cython.declare(cython.int, END.index("last_time"))
E_LAST_FRAME = cython.declare(cython.int, END.index("last_frame"))
E_TRIES = cython.declare(cython.int, END.index("tries"))
E_FIRST_TRY = cython.declare(cython.int, END.index("first_try"))
E_FIRST_TRY_GAP = cython.declare(cython.int, END.index("first_try_gap"))
E_LAST_TRY_GAP = cython.declare(cython.int, END.index("last_try_gap"))
E_LAST_TRY = cython.declare(cython.int, END.index("last_try"))
E_FIRST_TRY_FRAME = cython.declare(cython.int, END.index("first_try_frame"))
E_LAST_TRY_FRAME = cython.declare(cython.int, END.index("last_try_frame"))
E_AGREES = cython.declare(cython.int, END.index("agrees"))
E_AGREE_FRAME = cython.declare(cython.int, END.index("agree_frame"))
E_AGREE_TIME = cython.declare(cython.int, END.index("agree_time"))
E_IGNORED = cython.declare(cython.int, END.index("ignored"))
E_TTL_LOW = cython.declare(cython.int, END.index("ttl_low"))
E_TTL_HIGH = cython.declare(cython.int, END.index("ttl_high"))
E_TTL_COUNT = cython.declare(cython.int, END.index("ttl_count"))
E_DATA_FRAMES = cython.declare(cython.int, END.index("data_frames"))
E_FULL_FRAMES = cython.declare(cython.int, END.index("full_frames"))
E_LARGEST = cython.declare(cython.int, END.index("largest"))
E_FIRST_DATA = cython.declare(cython.int, END.index("first_data"))
E_FIRST_DATA_FRAME = cython.declare(cython.int, END.index("first_data_frame"))
E_LAST_DATA = cython.declare(cython.int, END.index("last_data"))
E_UNA = cython.declare(cython.int, END.index("una"))
E_UNA_TIME = cython.declare(cython.int, END.index("una_time"))
E_UNA_FRAME = cython.declare(cython.int, END.index("una_frame"))
E_WAITING = cython.declare(cython.int, END.index("waiting"))
E_TOP = cython.declare(cython.int, END.index("top"))
E_REPEATED = cython.declare(cython.int, END.index("repeated"))
E_FILLED = cython.declare(cython.int, END.index("filled"))
E_NEEDLESS = cython.declare(cython.int, END.index("needless"))
E_REORDERED = cython.declare(cython.int, END.index("reordered"))
E_DAMAGED = cython.declare(cython.int, END.index("damaged"))
E_DAMAGED_FRAME = cython.declare(cython.int, END.index("damaged_frame"))
E_COPIED = cython.declare(cython.int, END.index("copied"))
E_COPIED_FRAME = cython.declare(cython.int, END.index("copied_frame"))
E_REORDERED_FRAME = cython.declare(cython.int, END.index("reordered_frame"))
E_NEEDLESS_FRAME = cython.declare(cython.int, END.index("needless_frame"))
E_LOST_FRAME = cython.declare(cython.int, END.index("lost_frame"))
E_LOST_LAST_FRAME = cython.declare(cython.int, END.index("lost_last_frame"))
E_TIMEOUTS = cython.declare(cython.int, END.index("timeouts"))
E_RUN = cython.declare(cython.int, END.index("run"))
E_RUN_TIMEOUTS = cython.declare(cython.int, END.index("run_timeouts"))
E_WORST_WAIT = cython.declare(cython.int, END.index("worst_wait"))
E_WORST_FRAME = cython.declare(cython.int, END.index("worst_frame"))
E_WORST_END_FRAME = cython.declare(cython.int, END.index("worst_end_frame"))
E_WORST_RUN = cython.declare(cython.int, END.index("worst_run"))
E_WORST_TIMEOUTS = cython.declare(cython.int, END.index("worst_timeouts"))
E_UNHEARD = cython.declare(cython.int, END.index("unheard"))
E_UNHEARD_FROM = cython.declare(cython.int, END.index("unheard_from"))
E_UNHEARD_FIRST = cython.declare(cython.int, END.index("unheard_first"))
E_UNHEARD_LAST = cython.declare(cython.int, END.index("unheard_last"))
E_UNHEARD_FIRST_GAP = cython.declare(cython.int, END.index("unheard_first_gap"))
E_UNHEARD_LAST_GAP = cython.declare(cython.int, END.index("unheard_last_gap"))
E_UNHEARD_LAST_TIME = cython.declare(cython.int, END.index("unheard_last_time"))
E_KEPT_ALIVE = cython.declare(cython.int, END.index("kept_alive"))
E_KEPT_ANSWERED = cython.declare(cython.int, END.index("kept_answered"))
E_ASKING = cython.declare(cython.int, END.index("asking"))
E_ASKING_FRAME = cython.declare(cython.int, END.index("asking_frame"))
E_ASKING_TIME = cython.declare(cython.int, END.index("asking_time"))
E_ASKING_LAST_FRAME = cython.declare(cython.int, END.index("asking_last_frame"))
E_ASKING_LAST_TIME = cython.declare(cython.int, END.index("asking_last_time"))
E_MAX_WINDOW = cython.declare(cython.int, END.index("max_window"))
E_WINDOW = cython.declare(cython.int, END.index("window"))
E_CLOSED_SINCE = cython.declare(cython.int, END.index("closed_since"))
E_CLOSED_FRAME = cython.declare(cython.int, END.index("closed_frame"))
E_PROBES = cython.declare(cython.int, END.index("probes"))
E_PROBES_ALL = cython.declare(cython.int, END.index("probes_all"))
E_REFUSALS = cython.declare(cython.int, END.index("refusals"))
E_STALLS = cython.declare(cython.int, END.index("stalls"))
E_STALL_TIME = cython.declare(cython.int, END.index("stall_time"))
E_STALL_FRAME = cython.declare(cython.int, END.index("stall_frame"))
E_STALL_END_FRAME = cython.declare(cython.int, END.index("stall_end_frame"))
E_BIG = cython.declare(cython.int, END.index("big"))
E_BIG_TIME = cython.declare(cython.int, END.index("big_time"))
E_BIG_AT = cython.declare(cython.int, END.index("big_at"))
E_BIG_BEHIND = cython.declare(cython.int, END.index("big_behind"))
E_BIG_SENDS = cython.declare(cython.int, END.index("big_sends"))
E_BIG_FRAME = cython.declare(cython.int, END.index("big_frame"))
E_BIG_LAST_FRAME = cython.declare(cython.int, END.index("big_last_frame"))
E_BIG_ACKED = cython.declare(cython.int, END.index("big_acked"))
E_BIG_SHRUNK_FRAME = cython.declare(cython.int, END.index("big_shrunk_frame"))
E_MTU = cython.declare(cython.int, END.index("mtu"))
E_MTU_TIME = cython.declare(cython.int, END.index("mtu_time"))
E_MTU_FRAME = cython.declare(cython.int, END.index("mtu_frame"))
E_MTU_LAST_FRAME = cython.declare(cython.int, END.index("mtu_last_frame"))
E_ABOVE_MTU = cython.declare(cython.int, END.index("above_mtu"))
E_NAGLES = cython.declare(cython.int, END.index("nagles"))
E_NAGLE_TIME = cython.declare(cython.int, END.index("nagle_time"))
E_NAGLE_FRAME = cython.declare(cython.int, END.index("nagle_frame"))
E_NAGLE_LAST_FRAME = cython.declare(cython.int, END.index("nagle_last_frame"))
E_FULL_TIME = cython.declare(cython.int, END.index("full_time"))
E_IDLE_TIME = cython.declare(cython.int, END.index("idle_time"))
E_URGENT = cython.declare(cython.int, END.index("urgent"))
E_URGENT_FRAME = cython.declare(cython.int, END.index("urgent_frame"))
E_MISSED = cython.declare(cython.int, END.index("missed"))
E_ECE_FRAME = cython.declare(cython.int, END.index("ece_frame"))
C_STREAM = cython.declare(cython.int, CASE.index("stream"))
C_OPENED_TIME = cython.declare(cython.int, CASE.index("opened_time"))
C_OPENED_FRAME = cython.declare(cython.int, CASE.index("opened_frame"))
C_RTT = cython.declare(cython.int, CASE.index("rtt"))
C_CHALLENGE_FRAME = cython.declare(cython.int, CASE.index("challenge_frame"))
C_RESET_FRAME = cython.declare(cython.int, CASE.index("reset_frame"))
C_RESET_TIME = cython.declare(cython.int, CASE.index("reset_time"))
C_RESET_END = cython.declare(cython.int, CASE.index("reset_end"))
C_RESET_STATES = cython.declare(cython.int, CASE.index("reset_states"))
C_RESET_ACKS = cython.declare(cython.int, CASE.index("reset_acks"))
C_RESET_FITS = cython.declare(cython.int, CASE.index("reset_fits"))
C_RESET_TTL = cython.declare(cython.int, CASE.index("reset_ttl"))
C_RESET_SINCE = cython.declare(cython.int, CASE.index("reset_since"))
C_RESET_ANSWERS = cython.declare(cython.int, CASE.index("reset_answers"))
C_RESET_AFTER_FIN = cython.declare(cython.int, CASE.index("reset_after_fin"))
C_RESET_UNACKED = cython.declare(cython.int, CASE.index("reset_unacked"))
C_RESET_PEER_UNACKED = cython.declare(cython.int, CASE.index("reset_peer_unacked"))
C_RESET_PEER_WINDOW = cython.declare(cython.int, CASE.index("reset_peer_window"))
C_GOES_ON = cython.declare(cython.int, CASE.index("goes_on"))
C_GOES_ON_FRAME = cython.declare(cython.int, CASE.index("goes_on_frame"))
C_ICMP_FRAME = cython.declare(cython.int, CASE.index("icmp_frame"))
C_ICMP_TIME = cython.declare(cython.int, CASE.index("icmp_time"))
C_ICMP_KIND = cython.declare(cython.int, CASE.index("icmp_kind"))
C_ICMP_FROM_PEER = cython.declare(cython.int, CASE.index("icmp_from_peer"))
C_ODD_FRAME = cython.declare(cython.int, CASE.index("odd_frame"))
C_ODD_KIND = cython.declare(cython.int, CASE.index("odd_kind"))
C_ODD_COUNT = cython.declare(cython.int, CASE.index("odd_count"))
C_ASKED_LENGTH = cython.declare(cython.int, CASE.index("asked_length"))
C_UNASKED = cython.declare(cython.int, CASE.index("unasked"))
C_ASKED_TIME = cython.declare(cython.int, CASE.index("asked_time"))
C_ASKED_FRAME = cython.declare(cython.int, CASE.index("asked_frame"))
C_ANSWER_WAIT = cython.declare(cython.int, CASE.index("answer_wait"))
C_ANSWER_ASKED_FRAME = cython.declare(cython.int, CASE.index("answer_asked_frame"))
C_ANSWER_FRAME = cython.declare(cython.int, CASE.index("answer_frame"))
C_ANSWER_ACKED = cython.declare(cython.int, CASE.index("answer_acked"))
C_CLIENT_WAIT = cython.declare(cython.int, CASE.index("client_wait"))
C_CLIENT_WAIT_FRAME = cython.declare(cython.int, CASE.index("client_wait_frame"))
C_FIRST_FIN_FRAME = cython.declare(cython.int, CASE.index("first_fin_frame"))
C_LAST_TIME = cython.declare(cython.int, CASE.index("last_time"))
C_REUSED = cython.declare(cython.int, CASE.index("reused"))

MASK = cython.declare(cython.longlong, 0xFFFFFFFF)
FIN_FLAG = cython.declare(cython.longlong, 1)
SYN_FLAG = cython.declare(cython.longlong, 2)
RST_FLAG = cython.declare(cython.longlong, 4)
ACK_FLAG = cython.declare(cython.longlong, 16)
URG_FLAG = cython.declare(cython.longlong, 32)
ECE_FLAG = cython.declare(cython.longlong, 64)
MILLISECOND = cython.declare(cython.longlong, 1_000_000)
MOMENT = cython.declare(cython.longlong, 20_000_000)  # ns: a window that is closed for less keeps nobody waiting
DELAYED = cython.declare(cython.longlong, 35_000_000)  # ns: from here on an acknowledgment waited for a timer
DELAYED_MOST = cython.declare(cython.longlong, 500_000_000)  # ns: and no longer than this; RFC 9293 §3.8.6.3
BEAT = cython.declare(cython.longlong, 64)  # bytes: as many there and back, and no more, are heartbeats of both ends and no answer
SMALL = cython.declare(cython.longlong, 536)  # bytes: less than any host's segment, RFC 9293 §3.7.1


@cython.final
@cython.no_gc
@cython.cclass
class End:
    """One end of a connection: its facts, in the order of END, and what it takes to find them."""

    v: cython.longlong[97]
    small_at: cython.longlong  # position behind a small write that waits for its acknowledgment
    small_time: cython.longlong
    held: cython.longlong  # how long that took, once it came from a timer
    held_time: cython.longlong
    opened_time: cython.longlong  # when it opened its window again
    opened_frame: cython.longlong
    closed_for: cython.longlong
    full: cython.bint  # its last segment filled the peer's window
    stuck: cython.longlong  # full_time and idle_time since its last data: more data has to show that it waited
    idle: cython.longlong
    noted: cython.longlong  # letters of Zeek's history that are said once: bits
    syn_at: cython.longlong  # numbers, as they are, of its last SYN, SYN,ACK, RST
    agree_at: cython.longlong
    reset_at: cython.longlong
    fin_at: cython.longlong  # position of its last FIN
    again: cython.longlong  # events that are said once for each power of ten
    gaps: cython.longlong
    zeros: cython.longlong

    def __init__(self):
        if not cython.compiled:
            self.v = [0] * 97
            self.small_at = self.small_time = self.held = self.held_time = self.opened_time = self.opened_frame = self.closed_for = (
                self.noted
            ) = 0
            self.again = self.gaps = self.zeros = self.stuck = self.idle = 0
            self.full = False
        self.syn_at = self.agree_at = self.fin_at = self.reset_at = -1
        self.v[E_TTL_LOW] = self.v[E_TTL_HIGH] = -1
        self.v[E_WINDOW] = -1


@cython.cfunc
def _waiting(a: End) -> cython.longlong:
    """Bytes that `a` sent and nobody acknowledged. SYN and FIN take a number each and are none (RFC 9293 §3.4)."""
    first: cython.longlong = a.v[E_UNA] if a.v[E_UNA] > 1 else 1
    behind: cython.longlong = a.v[E_TOP]
    if a.fin_at >= 0 and behind == a.fin_at + 1:
        behind -= 1
    return behind - first if behind > first else 0


@cython.final
@cython.no_gc
@cython.cclass
class Case:
    """A connection: its facts, in the order of CASE, and its ends in the order of the key."""

    v: cython.longlong[40]
    low: End
    high: End
    client_high: cython.bint
    history: str
    reporter: object  # address of who sent the first ICMP error
    seen: cython.bint

    def __init__(self):
        if not cython.compiled:
            self.v = [0] * 40
            self.client_high = self.seen = False
        self.low, self.high = End(), End()
        self.history = ""
        self.reporter = None


@cython.final
@cython.cclass
class Facts:
    """The facts of all connections of a trace, by stream number."""

    cases: list
    rows: cython.const[cython.longlong][:, ::1]
    more: cython.const[cython.longlong][:, ::1]
    told: cython.const[cython.longlong][:, ::1]

    def __init__(self):
        self.cases = []

    def __len__(self):
        return len(self.cases)

    def write(self, streams: cython.const[cython.longlong][::1], case: cython.longlong[:, ::1], ends: cython.longlong[:, ::1]) -> list:
        """Fill case (n, len(CASE)) and ends (2n, len(END)): of the k-th of `streams` the client's facts in row 2k, the server's
        in 2k + 1; they are forgotten then. Returns (Zeek's history, who sent the first ICMP error or None) of each, a list of n."""
        others: list = []
        k: cython.longlong
        j: cython.longlong
        one: Case
        for k in range(streams.shape[0]):
            one = self.cases[streams[k]]
            for j in range(CASES):
                case[k, j] = one.v[j]
            client: End = one.high if one.client_high else one.low
            server: End = one.low if one.client_high else one.high
            client.v[E_WAITING], server.v[E_WAITING] = _waiting(client), _waiting(server)
            for j in range(ENDS):
                ends[2 * k, j] = client.v[j]
                ends[2 * k + 1, j] = server.v[j]
            others.append((one.history, one.reporter))
            self.cases[streams[k]] = None
        return others

    @cython.cfunc
    def _case(self, stream: cython.longlong) -> Case:
        while stream >= len(self.cases):
            self.cases.append(None)
        one: Case = self.cases[stream]
        if one is None:
            one = Case()
            one.v[C_STREAM] = stream
            self.cases[stream] = one
        return one

    def feed(
        self,
        which: cython.const[cython.longlong][::1],
        rows: cython.const[cython.longlong][:, ::1],
        more: cython.const[cython.longlong][:, ::1],
        told: cython.const[cython.longlong][:, ::1],
    ):
        """Take segments. which: int64 (m,), the columns of the matrices to take, in order. more: (len(MORE), n)."""
        i: cython.longlong
        k: cython.longlong
        one: Case
        self.rows, self.more, self.told = rows, more, told
        for k in range(which.shape[0]):
            i = which[k]
            one = self._case(told[STREAM, i])
            if rows[BACK, i]:
                self._add(one, one.high, one.low, i)
            else:
                self._add(one, one.low, one.high, i)

    def error(
        self,
        stream: cython.longlong,
        frame: cython.longlong,
        time: cython.longlong,
        back: cython.bint,
        at: cython.longlong,
        kind: cython.longlong,
        mtu: cython.longlong,
        from_peer: cython.bint,
        reporter: object,
    ):
        """Take an ICMP error that quotes a segment of a connection. back: that the end with the greater address and port sent. at: its
        relative number, 32 bits. kind: type << 8 | code, bit 16: ICMPv6. mtu: 0 if it names none.

        Believed if the number was outstanding: who forges an error cannot know it. RFC 5927 §4.1.
        """
        one: Case = self._case(stream)
        a: End = one.high if back else one.low
        if a.v[E_PACKETS] and (at - a.v[E_UNA]) & MASK >= a.v[E_TOP] - a.v[E_UNA]:
            if not one.v[C_ODD_COUNT]:
                one.v[C_ODD_FRAME], one.v[C_ODD_KIND] = frame, kind
            one.v[C_ODD_COUNT] += 1
            return
        if not one.v[C_ICMP_FRAME]:
            one.v[C_ICMP_FRAME], one.v[C_ICMP_TIME], one.v[C_ICMP_KIND] = frame, time, kind
            one.v[C_ICMP_FROM_PEER], one.reporter = from_peer, reporter
        if mtu > 0:
            if not a.v[E_MTU]:
                a.v[E_MTU_FRAME], a.v[E_MTU_TIME] = frame, time
            a.v[E_MTU], a.v[E_MTU_LAST_FRAME] = mtu, frame

    @cython.cfunc
    def _add(self, one: Case, a: End, b: End, i: cython.longlong):
        """One segment, sent by `a` to `b`."""
        flags: cython.longlong = self.rows[FLAGS, i]
        length: cython.longlong = self.rows[LENGTH, i]
        time: cython.longlong = self.rows[TIME, i]
        frame: cython.longlong = self.rows[FRAME, i]
        marks: cython.longlong = self.told[OUT_MARKS, i]
        at: cython.longlong = self.told[POSITION, i]
        ack: cython.longlong = self.told[ACKED, i]
        ttl: cython.longlong = self.more[TTL, i]
        syn: cython.bint = flags & SYN_FLAG != 0
        acks: cython.bint = flags & ACK_FLAG != 0
        from_client: cython.bint = marks & IS_FROM_CLIENT != 0
        behind: cython.longlong = at + length + syn + (flags & FIN_FLAG)

        one.client_high = (a is one.high) == from_client
        if marks & IS_REUSED_PORTS:
            one.v[C_REUSED] = 1
        self._history(one, a, b, from_client, i)
        if not a.v[E_PACKETS] and not syn:  # opened before the capture: what lies before its first number is no question
            a.v[E_UNA] = at
        a.v[E_PACKETS] += 1
        if self.more[BAD, i]:
            if not a.v[E_DAMAGED]:
                a.v[E_DAMAGED_FRAME] = frame
            a.v[E_DAMAGED] += 1
            if _power(a.v[E_DAMAGED]):
                one.history += "C" if from_client else "c"
        if marks & IS_COPIED:  # the network's doing: nobody asked twice or spoke again
            if not a.v[E_COPIED]:
                a.v[E_COPIED_FRAME] = frame
            a.v[E_COPIED] += 1
            return
        self._elapsed(one, a, b, length, time)
        if flags & RST_FLAG:
            self._reset(one, a, b, from_client, i)
        else:
            if ttl >= 0:
                if a.v[E_TTL_COUNT] == 0 or ttl < a.v[E_TTL_LOW]:
                    a.v[E_TTL_LOW] = ttl
                if ttl > a.v[E_TTL_HIGH]:
                    a.v[E_TTL_HIGH] = ttl
                a.v[E_TTL_COUNT] += 1
            if one.v[C_RESET_FRAME] and from_client == (one.v[C_RESET_END] == 0):
                if not one.v[C_GOES_ON]:
                    one.v[C_GOES_ON_FRAME] = frame
                one.v[C_GOES_ON] += 1
            self._heard(b)
        if syn:
            self._opening(one, a, b, acks, time, frame)
            if acks:
                self._acknowledges(one, a, b, ack, length, time, frame)
        elif acks and not flags & RST_FLAG:
            if a.v[E_TRIES] and b.v[E_AGREES] and not one.v[C_OPENED_FRAME] and ack > 0:
                one.v[C_OPENED_TIME], one.v[C_OPENED_FRAME] = time, frame
                one.v[C_RTT] = self.told[INITIAL_RTT, i]
            elif b.v[E_TRIES] and not a.v[E_AGREES] and not a.v[E_TRIES] and not one.v[C_CHALLENGE_FRAME]:
                one.v[C_CHALLENGE_FRAME] = frame
        if flags & FIN_FLAG and not one.v[C_FIRST_FIN_FRAME]:
            one.v[C_FIRST_FIN_FRAME] = frame
        if not syn and not flags & RST_FLAG:
            if marks & IS_KEPT_ALIVE:
                a.v[E_KEPT_ALIVE] += 1
                if not a.v[E_ASKING]:
                    a.v[E_ASKING_FRAME], a.v[E_ASKING_TIME] = frame, time
                a.v[E_ASKING] += 1
                a.v[E_ASKING_LAST_FRAME], a.v[E_ASKING_LAST_TIME] = frame, time
            if marks & IS_PROBED:
                b.v[E_PROBES] += 1
                b.v[E_PROBES_ALL] += 1
            if acks:
                self._acknowledges(one, a, b, ack, length, time, frame)
                self._window(one, a, b, i, time, frame)
        if flags & ECE_FLAG and not syn and not a.v[E_ECE_FRAME]:
            a.v[E_ECE_FRAME] = frame
        b.v[E_MISSED] += self.told[OUT_MISSED, i]
        a.v[E_MISSED] -= self.told[OUT_FOUND, i]
        if behind > at and not marks & (IS_PROBED | IS_KEPT_ALIVE):
            self._sends(one, a, b, at, behind, from_client, i)
        a.v[E_LAST_TIME], a.v[E_LAST_FRAME] = time, frame

    @cython.cfunc
    def _elapsed(self, one: Case, a: End, b: End, length: cython.longlong, time: cython.longlong):
        """Give the time since the last segment to what held each end back meanwhile. Who was idle is who ends it: `a`, with data."""
        passed: cython.longlong = time - one.v[C_LAST_TIME]
        if one.seen and passed > 0:
            if a.full:
                a.stuck += passed
            elif length and a.v[E_TOP] <= a.v[E_UNA] and passed > one.v[C_RTT]:
                a.idle += passed - one.v[C_RTT]
            if b.full:
                b.stuck += passed
        one.v[C_LAST_TIME], one.seen = time, True

    @cython.cfunc
    def _heard(self, b: End):
        """The other end of `b` is not silent: what b repeated or asked has an answer."""
        b.v[E_UNHEARD] = 0
        if b.v[E_ASKING]:
            b.v[E_KEPT_ANSWERED] += 1
            b.v[E_ASKING] = 0

    @cython.cfunc
    def _opening(self, one: Case, a: End, b: End, acks: cython.bint, time: cython.longlong, frame: cython.longlong):
        if not acks:
            a.v[E_TRIES] += 1
            if a.v[E_TRIES] == 1:
                a.v[E_FIRST_TRY], a.v[E_FIRST_TRY_FRAME] = time, frame
            else:
                a.v[E_LAST_TRY_GAP] = time - a.v[E_LAST_TRY]
                if a.v[E_TRIES] == 2:
                    a.v[E_FIRST_TRY_GAP] = a.v[E_LAST_TRY_GAP]
            a.v[E_LAST_TRY], a.v[E_LAST_TRY_FRAME] = time, frame
        else:
            if not a.v[E_AGREES]:
                a.v[E_AGREE_FRAME], a.v[E_AGREE_TIME] = frame, time
            elif one.v[C_OPENED_FRAME]:
                a.v[E_IGNORED] += 1
            a.v[E_AGREES] += 1

    @cython.cfunc
    def _reset(self, one: Case, a: End, b: End, from_client: cython.bint, i: cython.longlong):
        """What a RST came upon. Only the first of a connection tells; that which answers a challenge ends the connection before."""
        flags: cython.longlong = self.rows[FLAGS, i]
        ack: cython.longlong = self.told[ACKED, i]
        if one.v[C_RESET_FRAME] or (one.v[C_CHALLENGE_FRAME] and a.v[E_TRIES] and not b.v[E_AGREES]):
            return
        one.v[C_RESET_FRAME], one.v[C_RESET_TIME] = self.rows[FRAME, i], self.rows[TIME, i]
        one.v[C_RESET_END] = 0 if from_client else 1
        one.v[C_RESET_STATES] = self.told[OUT_STATES, i]
        one.v[C_RESET_ACKS] = flags & ACK_FLAG != 0
        one.v[C_RESET_FITS] = b.v[E_PACKETS] > 0 and self.told[POSITION, i] == a.v[E_UNA]
        one.v[C_RESET_TTL] = self.more[TTL, i]
        one.v[C_RESET_SINCE] = self.rows[TIME, i] - b.v[E_LAST_TIME] if b.v[E_LAST_TIME] else -1
        one.v[C_RESET_ANSWERS] = b.v[E_LAST_FRAME]
        one.v[C_RESET_AFTER_FIN] = (a.fin_at >= 0) + 2 * (b.fin_at >= 0)
        if flags & ACK_FLAG and b.v[E_UNA] < ack <= b.v[E_TOP]:
            b.v[E_UNA] = ack
        one.v[C_RESET_UNACKED], one.v[C_RESET_PEER_UNACKED] = _waiting(a), _waiting(b)
        one.v[C_RESET_PEER_WINDOW] = b.v[E_WINDOW]

    @cython.cfunc
    def _acknowledges(
        self, one: Case, a: End, b: End, ack: cython.longlong, length: cython.longlong, time: cython.longlong, frame: cython.longlong
    ):
        """What an acknowledgment of `a` ends for `b`."""
        waited: cython.longlong
        if ack > b.v[E_UNA]:
            if b.v[E_RUN]:
                waited = time - b.v[E_UNA_TIME]
                if b.v[E_RUN_TIMEOUTS]:
                    if waited > b.v[E_WORST_WAIT]:
                        b.v[E_WORST_WAIT], b.v[E_WORST_FRAME], b.v[E_WORST_END_FRAME] = waited, b.v[E_UNA_FRAME], frame
                        b.v[E_WORST_RUN], b.v[E_WORST_TIMEOUTS] = b.v[E_RUN], b.v[E_RUN_TIMEOUTS]
                b.v[E_RUN] = b.v[E_RUN_TIMEOUTS] = 0
            b.v[E_UNA], b.v[E_UNA_TIME], b.v[E_UNA_FRAME] = ack, time, frame
            if not b.v[E_BIG_ACKED] and b.v[E_BIG_FRAME] and ack >= b.v[E_BIG_BEHIND]:
                b.v[E_BIG_ACKED] = 2 if b.v[E_BIG_SHRUNK_FRAME] else 1
        if b.small_at and ack >= b.small_at:
            waited = time - b.small_time
            if not length and DELAYED <= waited <= DELAYED_MOST and waited >= 3 * one.v[C_RTT]:
                b.held, b.held_time = waited, time
            else:
                b.held = 0
            b.small_at = 0

    @cython.cfunc
    def _window(self, one: Case, a: End, b: End, i: cython.longlong, time: cython.longlong, frame: cython.longlong):
        """Whether `a` holds `b` up: its window is zero, or less than a segment and than half of what it was."""
        shift: cython.longlong = self.told[SHIFT, i]
        window: cython.longlong = self.rows[WINDOW, i]
        if shift > 0:
            window <<= shift
        if window == 0 or (window < b.v[E_LARGEST] and 2 * window < a.v[E_MAX_WINDOW]):
            if not a.v[E_CLOSED_SINCE]:
                a.v[E_CLOSED_SINCE], a.v[E_CLOSED_FRAME] = time, frame
                a.v[E_PROBES] = a.v[E_REFUSALS] = 0
            elif a.v[E_PROBES]:
                a.v[E_REFUSALS] += 1
        elif a.v[E_CLOSED_SINCE]:
            a.closed_for, a.opened_time = time - a.v[E_CLOSED_SINCE], time
            a.opened_frame = frame
            if a.v[E_PROBES]:
                self._stalled(a)
            a.v[E_CLOSED_SINCE] = 0
        if window > a.v[E_MAX_WINDOW]:
            a.v[E_MAX_WINDOW] = window
        a.v[E_WINDOW] = window

    @cython.cfunc
    def _stalled(self, a: End):
        """The closed window of `a` made its peer wait."""
        if a.closed_for >= MOMENT:
            if not a.v[E_STALLS]:
                a.v[E_STALL_FRAME] = a.v[E_CLOSED_FRAME]
            a.v[E_STALL_END_FRAME] = a.opened_frame
            a.v[E_STALLS] += 1
            a.v[E_STALL_TIME] += a.closed_for
        a.closed_for = a.opened_time = 0

    @cython.cfunc
    def _sends(
        self,
        one: Case,
        a: End,
        b: End,
        at: cython.longlong,
        behind: cython.longlong,
        from_client: cython.bint,
        i: cython.longlong,
    ):
        """Numbers that `a` sends: new, again, or late."""
        flags: cython.longlong = self.rows[FLAGS, i]
        length: cython.longlong = self.rows[LENGTH, i]
        time: cython.longlong = self.rows[TIME, i]
        frame: cython.longlong = self.rows[FRAME, i]
        marks: cython.longlong = self.told[OUT_MARKS, i]
        again: cython.bint = marks & (IS_REPEATED | IS_FILLED) != 0
        gap: cython.longlong
        small: cython.bint
        spoke: cython.longlong = a.v[E_LAST_DATA]

        # ------------------------------------------------ again, late
        if again and not flags & SYN_FLAG:
            a.v[E_REPEATED] += marks & IS_REPEATED != 0
            a.v[E_FILLED] += marks & IS_FILLED != 0
            if marks & IS_NEEDLESS:
                if not a.v[E_NEEDLESS]:
                    a.v[E_NEEDLESS_FRAME] = frame
                a.v[E_NEEDLESS] += 1
            else:
                if not a.v[E_LOST_FRAME]:
                    a.v[E_LOST_FRAME] = frame
                a.v[E_LOST_LAST_FRAME] = frame
                a.v[E_RUN] += 1
                if marks & IS_TIMED_OUT:
                    a.v[E_TIMEOUTS] += 1
                    a.v[E_RUN_TIMEOUTS] += 1
            gap = time - a.v[E_UNHEARD_LAST_TIME]
            if not a.v[E_UNHEARD]:
                gap = self.told[RTO, i]
                a.v[E_UNHEARD_FROM] = self.told[RTO_FRAME, i]
                a.v[E_UNHEARD_FIRST], a.v[E_UNHEARD_FIRST_GAP] = frame, gap
            a.v[E_UNHEARD] += 1
            a.v[E_UNHEARD_LAST], a.v[E_UNHEARD_LAST_TIME], a.v[E_UNHEARD_LAST_GAP] = frame, time, gap
        elif marks & IS_REORDERED:
            if not a.v[E_REORDERED]:
                a.v[E_REORDERED_FRAME] = frame
            a.v[E_REORDERED] += 1

        if at > a.v[E_TOP] and not from_client:  # what no frame holds may have been the answer
            one.v[C_ASKED_TIME] = 0

        # ------------------------------------------------ what is outstanding
        if a.v[E_TOP] <= a.v[E_UNA] and behind > a.v[E_UNA]:
            a.v[E_UNA_TIME], a.v[E_UNA_FRAME] = time, frame
        if behind > a.v[E_TOP]:
            a.v[E_TOP] = behind
        if not length:
            return
        a.v[E_DATA_FRAMES] += 1
        if length > a.v[E_LARGEST]:
            a.v[E_LARGEST], a.v[E_FULL_FRAMES] = length, 0
        a.v[E_FULL_FRAMES] += length == a.v[E_LARGEST]
        if a.v[E_FIRST_DATA]:
            a.v[E_FULL_TIME] += a.stuck
            a.v[E_IDLE_TIME] += a.idle
        a.stuck = a.idle = 0
        if not a.v[E_FIRST_DATA]:
            a.v[E_FIRST_DATA], a.v[E_FIRST_DATA_FRAME] = time, frame
            if from_client and one.v[C_OPENED_TIME] and not b.v[E_FIRST_DATA]:
                one.v[C_CLIENT_WAIT], one.v[C_CLIENT_WAIT_FRAME] = time - one.v[C_OPENED_TIME], frame
        a.v[E_LAST_DATA] = time
        a.full = b.v[E_WINDOW] >= 0 and a.v[E_TOP] - a.v[E_UNA] + a.v[E_LARGEST] > b.v[E_WINDOW]
        if flags & URG_FLAG:
            if not a.v[E_URGENT]:
                a.v[E_URGENT_FRAME] = frame
            a.v[E_URGENT] += 1
        if b.opened_time:
            if time - b.opened_time <= one.v[C_RTT] + MILLISECOND:
                self._stalled(b)
            b.opened_time = b.closed_for = 0
        self._largest(one, a, at, behind, i)

        # ------------------------------------------------ small writes that wait
        small = length < SMALL
        if a.held and small and at >= a.v[E_UNA] and time - a.held_time <= one.v[C_RTT] + MILLISECOND and not again:
            if not a.v[E_NAGLES]:
                a.v[E_NAGLE_FRAME] = frame
            a.v[E_NAGLES] += 1
            a.v[E_NAGLE_TIME] += a.held
            a.v[E_NAGLE_LAST_FRAME] = frame
        a.held = 0
        a.small_at = behind if small and not again and a.v[E_UNA] >= at else 0
        a.small_time = time

        # ------------------------------------------------ question and answer
        if from_client:
            if not again:
                one.v[C_ASKED_FRAME], one.v[C_ASKED_LENGTH] = frame, length
                one.v[C_ASKED_TIME] = time
            elif one.v[C_ASKED_TIME]:
                one.v[C_ASKED_TIME] = time
        elif not again:
            if one.v[C_ASKED_TIME] and (length != one.v[C_ASKED_LENGTH] or length > BEAT):
                gap = time - one.v[C_ASKED_TIME]
                if gap > one.v[C_ANSWER_WAIT]:
                    one.v[C_ANSWER_WAIT], one.v[C_ANSWER_ASKED_FRAME], one.v[C_ANSWER_FRAME] = gap, one.v[C_ASKED_FRAME], frame
                    # The acknowledgment may be what brings the answer.
                    one.v[C_ANSWER_ACKED] = (b.v[E_UNA_TIME] if b.v[E_UNA] >= b.v[E_TOP] else time) - one.v[C_ASKED_TIME]
            elif not one.v[C_ASKED_TIME] and spoke and at <= a.v[E_UNA] and time - spoke > DELAYED_MOST + one.v[C_RTT]:
                one.v[C_UNASKED] += 1
            one.v[C_ASKED_TIME] = 0

    @cython.cfunc
    def _largest(self, one: Case, a: End, at: cython.longlong, behind: cython.longlong, i: cython.longlong):
        """Whether the largest datagram gets through, what comes of it if not, and who keeps to the path's MTU."""
        size: cython.longlong = self.more[IP_LENGTH, i]
        if size > a.v[E_BIG]:
            a.v[E_BIG], a.v[E_BIG_AT], a.v[E_BIG_BEHIND], a.v[E_BIG_SENDS] = size, at, behind, 1
            a.v[E_BIG_FRAME] = a.v[E_BIG_LAST_FRAME] = self.rows[FRAME, i]
            a.v[E_BIG_TIME] = self.rows[TIME, i]
            a.v[E_BIG_ACKED] = a.v[E_BIG_SHRUNK_FRAME] = 0
        elif at == a.v[E_BIG_AT] and not a.v[E_BIG_ACKED]:
            if size == a.v[E_BIG]:
                a.v[E_BIG_SENDS] += 1
                a.v[E_BIG_LAST_FRAME] = self.rows[FRAME, i]
            elif not a.v[E_BIG_SHRUNK_FRAME]:
                a.v[E_BIG_SHRUNK_FRAME] = self.rows[FRAME, i]
        if a.v[E_MTU] and size > a.v[E_MTU] and self.rows[TIME, i] > a.v[E_MTU_TIME] + one.v[C_RTT] + 200 * MILLISECOND:
            a.v[E_ABOVE_MTU] += 1

    @cython.cfunc
    def _history(self, one: Case, a: End, b: End, from_client: cython.bint, i: cython.longlong):
        """Zeek's letters: what happened, in order, capital for the client. Its documented rules: `conn.log`, history."""
        flags: cython.longlong = self.rows[FLAGS, i]
        marks: cython.longlong = self.told[OUT_MARKS, i]
        at: cython.longlong = self.told[POSITION, i]
        number: cython.longlong = self.rows[SEQ, i]  # positions start anew with another SYN
        syn: cython.bint = flags & SYN_FLAG != 0
        acks: cython.bint = flags & ACK_FLAG != 0
        fin: cython.bint = flags & FIN_FLAG != 0
        reset: cython.bint = flags & RST_FLAG != 0
        letters: str = ""
        missed: cython.longlong = self.told[OUT_MISSED, i]
        if not one.seen and not from_client:
            one.history += "^"
        if syn and (fin or reset):
            if not a.noted & 1:
                letters += "q"
            a.noted |= 1
        if fin and reset:
            if not a.noted & 2:
                letters += "i"
            a.noted |= 2
        if syn and not acks and number != a.syn_at:
            letters += "s"
            a.syn_at = number
        if syn and acks and number != a.agree_at:
            letters += "h"
            a.agree_at = number
        if acks and not self.rows[LENGTH, i] and not syn and not fin and not reset and not a.noted & 4:
            letters += "a"
            a.noted |= 4
        if marks & IS_REPEATED and self.rows[LENGTH, i]:
            a.again += 1
            if _power(a.again):
                letters += "t"
        if self.rows[LENGTH, i] and not a.noted & 8:
            letters += "d"
            a.noted |= 8
        if self.rows[WINDOW, i] == 0 and not syn and not reset:
            a.zeros += 1
            if _power(a.zeros):
                letters += "w"
        if fin and at + self.rows[LENGTH, i] != a.fin_at:
            letters += "f"
            a.fin_at = at + self.rows[LENGTH, i]
        if reset and number != a.reset_at:
            letters += "r"
            a.reset_at = number
        if letters:
            one.history += letters.upper() if from_client else letters
        if missed > 0:
            b.gaps += 1
            if _power(b.gaps):
                one.history += "g" if from_client else "G"


@cython.cfunc
def _power(n: cython.longlong) -> cython.bint:
    """Whether n is 1, 10, 100 …"""
    while n > 9 and n % 10 == 0:
        n //= 10
    return n == 1
