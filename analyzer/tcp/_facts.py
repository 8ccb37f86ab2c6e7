# cython: boundscheck=False, wraparound=False, initializedcheck=False
# mypy: ignore-errors
"""Facts about each TCP connection for the verdicts: retransmissions, waits, silence, closed windows, resets, ICMP errors.

Compiled by Cython when the package is built; runs interpreted too. Input: the matrices of `_tracker`, segments in the same order.
`expert/connection.py` judges the facts. Times are ns, sizes bytes, frames as in the file; 0 is no time and no frame.
"""

import cython

from ._tracker import INPUT, MARKS, OUTPUT

EXTRA_INPUT = (  # rows of the second input matrix, int64; the first is the tracker's
    "ttl",  # or hop limit; -1 unknown
    "ip_length",  # bytes of the IP datagram
    "bad_checksum",  # 1: its checksum was verified and is wrong
)
EndFields = cython.struct(  # the facts about an end; the only place that declares them
    packets=cython.longlong,  # of any kind, copies included
    last_time=cython.longlong,  # of its last segment
    last_frame=cython.longlong,
    tries=cython.longlong,  # SYNs without ACK
    first_try=cython.longlong,
    first_try_gap=cython.longlong,  # to the second
    last_try_gap=cython.longlong,  # to the last from the one before
    last_try=cython.longlong,
    first_try_frame=cython.longlong,
    last_try_frame=cython.longlong,
    agrees=cython.longlong,  # SYN,ACKs
    agree_frame=cython.longlong,  # the first of them
    agree_time=cython.longlong,
    ignored=cython.longlong,  # SYN,ACKs after the peer had acknowledged one
    ttl_low=cython.longlong,  # of segments without RST
    ttl_high=cython.longlong,
    ttl_count=cython.longlong,
    data_frames=cython.longlong,  # segments with data, copies left out
    full_frames=cython.longlong,  # of these, as long as the longest so far
    largest=cython.longlong,  # bytes of data in one segment
    first_data=cython.longlong,  # time
    first_data_frame=cython.longlong,
    last_data=cython.longlong,
    una=cython.longlong,  # position that the peer acknowledges
    una_time=cython.longlong,  # since when it stands there with something outstanding
    una_frame=cython.longlong,  # the first segment that has waited for it since
    top=cython.longlong,  # position behind the last that was sent
    waiting=cython.longlong,  # bytes of data between the two
    # sent again
    repeated=cython.longlong,  # segments of bytes that a frame held
    filled=cython.longlong,  # segments of bytes whose first sending no frame held
    needless=cython.longlong,
    reordered=cython.longlong,
    damaged=cython.longlong,  # wrong checksums
    damaged_frame=cython.longlong,
    copied=cython.longlong,
    copied_frame=cython.longlong,  # the first of them, and so on
    reordered_frame=cython.longlong,
    needless_frame=cython.longlong,
    lost_frame=cython.longlong,  # the first that was sent again or filled
    lost_last_frame=cython.longlong,
    timeouts=cython.longlong,
    run=cython.longlong,  # sent again since the last progress
    run_timeouts=cython.longlong,
    worst_wait=cython.longlong,  # the longest time without progress in which a timer ran out, and ended
    worst_frame=cython.longlong,  # who waited
    worst_end_frame=cython.longlong,  # what ended it
    worst_run=cython.longlong,  # how often was sent again in it
    worst_timeouts=cython.longlong,
    # retransmitted, and no segment of the peer since
    unheard=cython.longlong,  # how often
    unheard_from=cython.longlong,  # frame that was sent first
    unheard_first=cython.longlong,  # frame of the first repetition
    unheard_last=cython.longlong,
    unheard_first_gap=cython.longlong,
    unheard_last_gap=cython.longlong,
    unheard_last_time=cython.longlong,
    # keep-alives
    kept_alive=cython.longlong,
    kept_answered=cython.longlong,
    asking=cython.longlong,  # keep-alives since the last segment of the peer
    asking_frame=cython.longlong,
    asking_time=cython.longlong,
    asking_last_frame=cython.longlong,
    asking_last_time=cython.longlong,
    # its receive window
    max_window=cython.longlong,
    window=cython.longlong,
    closed_since=cython.longlong,
    closed_frame=cython.longlong,
    probes=cython.longlong,  # of the peer, since it closed
    probes_all=cython.longlong,
    refusals=cython.longlong,  # answers to probes that keep it closed, since it closed
    stalls=cython.longlong,  # times that it closed and the peer had to wait
    stall_time=cython.longlong,
    stall_frame=cython.longlong,
    stall_end_frame=cython.longlong,
    # the largest datagram
    big=cython.longlong,
    big_time=cython.longlong,  # of its first sending
    big_at=cython.longlong,
    big_behind=cython.longlong,
    big_sends=cython.longlong,
    big_frame=cython.longlong,
    big_last_frame=cython.longlong,
    big_acked=cython.longlong,  # 1: acknowledged; 2: acknowledged after it was sent in smaller segments
    big_shrunk_frame=cython.longlong,
    mtu=cython.longlong,  # of the last ICMP message to it, 0 none; frames: of the first and the last
    mtu_time=cython.longlong,
    mtu_frame=cython.longlong,
    mtu_last_frame=cython.longlong,
    above_mtu=cython.longlong,  # datagrams above that, sent afterwards
    # small writes that wait for an acknowledgment
    nagles=cython.longlong,
    nagle_time=cython.longlong,
    nagle_frame=cython.longlong,
    nagle_last_frame=cython.longlong,
    # what delayed it
    full_time=cython.longlong,  # ns that it could not send for the peer's window
    idle_time=cython.longlong,  # ns that it had nothing outstanding before it sent data, a round trip off each time
    urgent=cython.longlong,
    urgent_frame=cython.longlong,
    missed=cython.longlong,  # bytes that the peer acknowledged and no frame holds
    ece_frame=cython.longlong,  # the first that echoes congestion
)
ConnectionFields = cython.struct(  # the facts about a connection
    stream=cython.longlong,
    opened_time=cython.longlong,
    opened_frame=cython.longlong,  # the ACK that ends the handshake
    rtt=cython.longlong,  # of the handshake, both halves
    challenge_frame=cython.longlong,  # an ACK without SYN that answered the SYN
    reset_frame=cython.longlong,
    reset_time=cython.longlong,
    reset_end=cython.longlong,  # 0 client, 1 server
    reset_states=cython.longlong,  # before it, as the tracker packs them
    reset_acks=cython.longlong,  # it has ACK
    reset_fits=cython.longlong,  # its number is what the last segment of the other end acknowledges
    reset_ttl=cython.longlong,
    reset_since=cython.longlong,  # ns since the last segment of the other end
    reset_answers=cython.longlong,  # frame of that segment
    reset_after_fin=cython.longlong,  # 1: its sender had sent FIN, 2: the other end had, 3: both
    reset_unacked=cython.longlong,  # bytes of its sender
    reset_peer_unacked=cython.longlong,
    reset_peer_window=cython.longlong,  # of the other end
    goes_on=cython.longlong,  # segments without RST that its sender sent afterwards
    goes_on_frame=cython.longlong,
    icmp_frame=cython.longlong,  # the first ICMP error that quotes it
    icmp_time=cython.longlong,
    icmp_kind=cython.longlong,  # type << 8 | code, bit 16: ICMPv6
    icmp_from_peer=cython.longlong,  # 1: sent by the address that the quoted segment was for
    odd_frame=cython.longlong,  # the first ICMP error that quotes what was not outstanding
    odd_kind=cython.longlong,
    odd_count=cython.longlong,
    asked_time=cython.longlong,  # of the last new data of the client
    asked_frame=cython.longlong,
    answer_wait=cython.longlong,  # the longest from there to the first byte of the answer
    answer_asked_frame=cython.longlong,
    answer_frame=cython.longlong,
    answer_acked=cython.longlong,  # ns from the question to its acknowledgment
    asked_length=cython.longlong,
    unasked=cython.longlong,  # times that the server sent data again without a request
    client_wait=cython.longlong,  # from the handshake to the first data, if the client sends first
    client_wait_frame=cython.longlong,
    first_fin_frame=cython.longlong,
    last_time=cython.longlong,
    reused=cython.longlong,
)

cython.declare(BACK=cython.int, FLAGS=cython.int, SEQ=cython.int, LENGTH=cython.int, WINDOW=cython.int, TIME=cython.int, FRAME=cython.int)
BACK, FLAGS, SEQ, LENGTH, WINDOW, TIME, FRAME = map(INPUT.index, ("back", "flags", "seq", "length", "window", "time", "frame"))
cython.declare(STREAM=cython.int, OUT_MARKS=cython.int, SHIFT=cython.int, POSITION=cython.int, ACKED=cython.int, STATES=cython.int)
STREAM, OUT_MARKS, SHIFT, POSITION, ACKED, STATES = map(OUTPUT.index, ("stream", "marks", "shift", "position", "acked", "states"))
cython.declare(INITIAL_RTT=cython.int, RTO=cython.int, RTO_FRAME=cython.int, ACKED_UNSEEN=cython.int, SEEN_AFTER_ACK=cython.int)
INITIAL_RTT, RTO, RTO_FRAME, ACKED_UNSEEN, SEEN_AFTER_ACK = map(
    OUTPUT.index, ("initial_rtt", "rto", "rto_frame", "acked_unseen", "seen_after_ack")
)
cython.declare(FROM_CLIENT=cython.longlong, REUSED_PORTS=cython.longlong, COPIED=cython.longlong, PROBED=cython.longlong)
FROM_CLIENT, REUSED_PORTS, COPIED, PROBED = (1 << MARKS.index(name) for name in ("from_client", "reused_ports", "copied", "probed"))
cython.declare(REPEATED=cython.longlong, FILLED=cython.longlong, TIMED_OUT=cython.longlong, NEEDLESS=cython.longlong)
REPEATED, FILLED, TIMED_OUT, NEEDLESS = (1 << MARKS.index(name) for name in ("repeated", "filled", "timed_out", "needless"))
cython.declare(REORDERED=cython.longlong, KEPT_ALIVE=cython.longlong)
REORDERED, KEPT_ALIVE = (1 << MARKS.index(name) for name in ("reordered", "kept_alive"))
cython.declare(TTL=cython.int, IP_LENGTH=cython.int, BAD_CHECKSUM=cython.int)
TTL, IP_LENGTH, BAD_CHECKSUM = range(len(EXTRA_INPUT))

cython.declare(FIN=cython.longlong, SYN=cython.longlong, RST=cython.longlong, PSH=cython.longlong)
cython.declare(ACK=cython.longlong, URG=cython.longlong, ECE=cython.longlong)
FIN, SYN, RST, PSH, ACK, URG, ECE = (1 << bit for bit in range(7))
MASK = cython.declare(cython.longlong, 0xFFFFFFFF)
MILLISECOND = cython.declare(cython.longlong, 1_000_000)
SHORTEST_STALL = cython.declare(cython.longlong, 20_000_000)  # ns: a window closed for less is no stall
DELAYED_ACK = cython.declare(cython.longlong, 35_000_000)  # ns: an acknowledgment that took this long waited for a timer
LONGEST_DELAYED_ACK = cython.declare(cython.longlong, 500_000_000)  # ns: the longest delayed acknowledgment; RFC 9293 §3.8.6.3
HEARTBEAT = cython.declare(cython.longlong, 64)  # bytes: as many in both directions, and no more, are heartbeats, no answer
SMALL_SEGMENT = cython.declare(cython.longlong, 536)  # bytes: the default MSS, RFC 9293 §3.7.1


@cython.final
@cython.no_gc
@cython.cclass
class EndFacts:
    """The facts about one end of a connection, and the state that they are computed from."""

    facts: EndFields
    small_at: cython.longlong  # position behind a small write that waits for its acknowledgment
    small_time: cython.longlong
    held: cython.longlong  # how long that took, once it came from a timer
    held_time: cython.longlong
    opened_time: cython.longlong  # when it opened its window again
    opened_frame: cython.longlong
    closed_for: cython.longlong
    full: cython.bint  # its last segment filled the peer's window
    stuck: cython.longlong  # full_time and idle_time since its last data: they count once more data follows
    idle: cython.longlong
    noted: cython.longlong  # letters of Zeek's history that occur once: bits
    syn_at: cython.longlong  # raw sequence numbers of its last SYN, SYN,ACK, RST
    agree_at: cython.longlong
    reset_at: cython.longlong
    fin_at: cython.longlong  # position of its last FIN
    again: cython.longlong  # events that are in the history once for each power of ten
    gaps: cython.longlong
    zeros: cython.longlong

    def __init__(self):
        if not cython.compiled:
            self.facts = EndFields(**dict.fromkeys(EndFields._members, 0))
            self.small_at = self.small_time = self.held = self.held_time = self.opened_time = self.opened_frame = self.closed_for = 0
            self.noted = self.again = self.gaps = self.zeros = self.stuck = self.idle = 0
            self.full = False
        self.syn_at = self.agree_at = self.fin_at = self.reset_at = -1
        self.facts.ttl_low = self.facts.ttl_high = -1
        self.facts.window = -1


END_FACTS = tuple(EndFacts().facts if cython.compiled else EndFields._members)  # names; a C struct becomes a dict


@cython.cfunc
def _waiting(end: EndFacts) -> cython.longlong:
    """Bytes of data that `end` sent and its peer did not acknowledge. SYN and FIN take a number each (RFC 9293 §3.4)."""
    first: cython.longlong = end.facts.una if end.facts.una > 1 else 1
    behind: cython.longlong = end.facts.top
    if end.fin_at >= 0 and behind == end.fin_at + 1:
        behind -= 1
    return behind - first if behind > first else 0


@cython.final
@cython.no_gc
@cython.cclass
class ConnectionFacts:
    """The facts about a connection and its ends, in the order of the key."""

    facts: ConnectionFields
    low: EndFacts
    high: EndFacts
    client_high: cython.bint
    history: str
    reporter: object  # address of who sent the first ICMP error
    seen: cython.bint

    def __init__(self):
        if not cython.compiled:
            self.facts = ConnectionFields(**dict.fromkeys(ConnectionFields._members, 0))
            self.client_high = self.seen = False
        self.low, self.high = EndFacts(), EndFacts()
        self.history = ""
        self.reporter = None


CONNECTION_FACTS = tuple(ConnectionFacts().facts if cython.compiled else ConnectionFields._members)


@cython.cfunc
def _copy(fields: cython.p_void, names: tuple, out: cython.longlong[:, ::1], row: cython.longlong):
    """Copy a struct, whose members are all longlong, into a row of `out`. fields: its address."""
    k: cython.longlong
    for k in range(len(names)):
        if cython.compiled:
            out[row, k] = cython.cast(cython.p_longlong, fields)[k]
        else:
            out[row, k] = getattr(fields[0], names[k])


@cython.final
@cython.cclass
class Facts:
    """The facts of all connections of a trace, by stream number."""

    connections: list
    inputs: cython.const[cython.longlong][:, ::1]
    extra: cython.const[cython.longlong][:, ::1]
    outputs: cython.const[cython.longlong][:, ::1]

    def __init__(self):
        self.connections = []

    def __len__(self):
        return len(self.connections)

    def write(self, streams: cython.const[cython.longlong][::1], facts: cython.longlong[:, ::1], ends: cython.longlong[:, ::1]) -> list:
        """Fill facts (n, len(CONNECTION_FACTS)) and ends (2n, len(END_FACTS)) with the facts of `streams` and drop them: the client
        of the k-th is row 2k of ends, its server 2k + 1. Returns (Zeek's history, source of the first ICMP error or None) of each."""
        others: list = []
        k: cython.longlong
        conn: ConnectionFacts
        for k in range(streams.shape[0]):
            conn = self.connections[streams[k]]
            _copy(cython.address(conn.facts), CONNECTION_FACTS, facts, k)
            client: EndFacts = conn.high if conn.client_high else conn.low
            server: EndFacts = conn.low if conn.client_high else conn.high
            client.facts.waiting, server.facts.waiting = _waiting(client), _waiting(server)
            _copy(cython.address(client.facts), END_FACTS, ends, 2 * k)
            _copy(cython.address(server.facts), END_FACTS, ends, 2 * k + 1)
            others.append((conn.history, conn.reporter))
            self.connections[streams[k]] = None
        return others

    @cython.cfunc
    def _connection(self, stream: cython.longlong) -> ConnectionFacts:
        while stream >= len(self.connections):
            self.connections.append(None)
        conn: ConnectionFacts = self.connections[stream]
        if conn is None:
            conn = ConnectionFacts()
            conn.facts.stream = stream
            self.connections[stream] = conn
        return conn

    def feed(
        self,
        which: cython.const[cython.longlong][::1],
        inputs: cython.const[cython.longlong][:, ::1],
        extra: cython.const[cython.longlong][:, ::1],
        outputs: cython.const[cython.longlong][:, ::1],
    ):
        """Add segments. which: int64 (m,), their columns in the matrices, in order. extra: (len(EXTRA_INPUT), n)."""
        i: cython.longlong
        k: cython.longlong
        conn: ConnectionFacts
        self.inputs, self.extra, self.outputs = inputs, extra, outputs
        for k in range(which.shape[0]):
            i = which[k]
            conn = self._connection(outputs[STREAM, i])
            if inputs[BACK, i]:
                self._add(conn, conn.high, conn.low, i)
            else:
                self._add(conn, conn.low, conn.high, i)

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
        """Add an ICMP error that quotes a segment of a connection. back: the end with the greater address and port sent the segment. at:
        its relative sequence number, 32 bits. kind: type << 8 | code, bit 16: ICMPv6. mtu: 0 if the error has none.

        An error whose number is not outstanding may be forged: it only counts as odd. RFC 5927 §4.1.
        """
        conn: ConnectionFacts = self._connection(stream)
        sender: EndFacts = conn.high if back else conn.low
        if sender.facts.packets and (at - sender.facts.una) & MASK >= sender.facts.top - sender.facts.una:
            if not conn.facts.odd_count:
                conn.facts.odd_frame, conn.facts.odd_kind = frame, kind
            conn.facts.odd_count += 1
            return
        if not conn.facts.icmp_frame:
            conn.facts.icmp_frame, conn.facts.icmp_time, conn.facts.icmp_kind = frame, time, kind
            conn.facts.icmp_from_peer, conn.reporter = from_peer, reporter
        if mtu > 0:
            if not sender.facts.mtu:
                sender.facts.mtu_frame, sender.facts.mtu_time = frame, time
            sender.facts.mtu, sender.facts.mtu_last_frame = mtu, frame

    @cython.cfunc
    def _add(self, conn: ConnectionFacts, sender: EndFacts, peer: EndFacts, i: cython.longlong):
        """Add a segment."""
        flags: cython.longlong = self.inputs[FLAGS, i]
        length: cython.longlong = self.inputs[LENGTH, i]
        time: cython.longlong = self.inputs[TIME, i]
        frame: cython.longlong = self.inputs[FRAME, i]
        marks: cython.longlong = self.outputs[OUT_MARKS, i]
        at: cython.longlong = self.outputs[POSITION, i]
        ack: cython.longlong = self.outputs[ACKED, i]
        ttl: cython.longlong = self.extra[TTL, i]
        syn: cython.bint = flags & SYN != 0
        acks: cython.bint = flags & ACK != 0
        from_client: cython.bint = marks & FROM_CLIENT != 0
        behind: cython.longlong = at + length + syn + (flags & FIN)

        conn.client_high = (sender is conn.high) == from_client
        if marks & REUSED_PORTS:
            conn.facts.reused = 1
        self._history(conn, sender, peer, from_client, i)
        if not sender.facts.packets and not syn:  # opened before the capture: bytes before its first number do not count
            sender.facts.una = at
        sender.facts.packets += 1
        if self.extra[BAD_CHECKSUM, i]:
            if not sender.facts.damaged:
                sender.facts.damaged_frame = frame
            sender.facts.damaged += 1
            if _power(sender.facts.damaged):
                conn.history += "C" if from_client else "c"
        if marks & COPIED:  # by the network: its sender sent nothing
            if not sender.facts.copied:
                sender.facts.copied_frame = frame
            sender.facts.copied += 1
            return
        self._elapsed(conn, sender, peer, length, time)
        if flags & RST:
            self._reset(conn, sender, peer, from_client, i)
        else:
            if ttl >= 0:
                if sender.facts.ttl_count == 0 or ttl < sender.facts.ttl_low:
                    sender.facts.ttl_low = ttl
                if ttl > sender.facts.ttl_high:
                    sender.facts.ttl_high = ttl
                sender.facts.ttl_count += 1
            if conn.facts.reset_frame and from_client == (conn.facts.reset_end == 0):
                if not conn.facts.goes_on:
                    conn.facts.goes_on_frame = frame
                conn.facts.goes_on += 1
            self._answer(peer)
        if syn:
            self._opening(conn, sender, peer, acks, time, frame)
            if acks:
                self._acknowledges(conn, sender, peer, ack, length, time, frame)
        elif acks and not flags & RST:
            if sender.facts.tries and peer.facts.agrees and not conn.facts.opened_frame and ack > 0:
                conn.facts.opened_time, conn.facts.opened_frame = time, frame
                conn.facts.rtt = self.outputs[INITIAL_RTT, i]
            elif peer.facts.tries and not sender.facts.agrees and not sender.facts.tries and not conn.facts.challenge_frame:
                conn.facts.challenge_frame = frame
        if flags & FIN and not conn.facts.first_fin_frame:
            conn.facts.first_fin_frame = frame
        if not syn and not flags & RST:
            if marks & KEPT_ALIVE:
                sender.facts.kept_alive += 1
                if not sender.facts.asking:
                    sender.facts.asking_frame, sender.facts.asking_time = frame, time
                sender.facts.asking += 1
                sender.facts.asking_last_frame, sender.facts.asking_last_time = frame, time
            if marks & PROBED:
                peer.facts.probes += 1
                peer.facts.probes_all += 1
            if acks:
                self._acknowledges(conn, sender, peer, ack, length, time, frame)
                self._window(conn, sender, peer, i, time, frame)
        if flags & ECE and not syn and not sender.facts.ece_frame:
            sender.facts.ece_frame = frame
        peer.facts.missed += self.outputs[ACKED_UNSEEN, i]
        sender.facts.missed -= self.outputs[SEEN_AFTER_ACK, i]
        if behind > at and not marks & (PROBED | KEPT_ALIVE):
            self._sends(conn, sender, peer, at, behind, from_client, i)
        sender.facts.last_time, sender.facts.last_frame = time, frame

    @cython.cfunc
    def _elapsed(self, conn: ConnectionFacts, sender: EndFacts, peer: EndFacts, length: cython.longlong, time: cython.longlong):
        """Count the time since the last segment as waiting for the peer's window, or as idle time of the sender of data."""
        passed: cython.longlong = time - conn.facts.last_time
        if conn.seen and passed > 0:
            if sender.full:
                sender.stuck += passed
            elif length and sender.facts.top <= sender.facts.una and passed > conn.facts.rtt:
                sender.idle += passed - conn.facts.rtt
            if peer.full:
                peer.stuck += passed
        conn.facts.last_time, conn.seen = time, True

    @cython.cfunc
    def _answer(self, end: EndFacts):
        """The peer of `end` sent a segment: it answers the keep-alives and ends the silence."""
        end.facts.unheard = 0
        if end.facts.asking:
            end.facts.kept_answered += 1
            end.facts.asking = 0

    @cython.cfunc
    def _opening(
        self, conn: ConnectionFacts, sender: EndFacts, peer: EndFacts, acks: cython.bint, time: cython.longlong, frame: cython.longlong
    ):
        if not acks:
            sender.facts.tries += 1
            if sender.facts.tries == 1:
                sender.facts.first_try, sender.facts.first_try_frame = time, frame
            else:
                sender.facts.last_try_gap = time - sender.facts.last_try
                if sender.facts.tries == 2:
                    sender.facts.first_try_gap = sender.facts.last_try_gap
            sender.facts.last_try, sender.facts.last_try_frame = time, frame
        else:
            if not sender.facts.agrees:
                sender.facts.agree_frame, sender.facts.agree_time = frame, time
            elif conn.facts.opened_frame:
                sender.facts.ignored += 1
            sender.facts.agrees += 1

    @cython.cfunc
    def _reset(self, conn: ConnectionFacts, sender: EndFacts, peer: EndFacts, from_client: cython.bint, i: cython.longlong):
        """The circumstances of the first RST. One that answers a challenge ACK ends the connection before."""
        flags: cython.longlong = self.inputs[FLAGS, i]
        ack: cython.longlong = self.outputs[ACKED, i]
        if conn.facts.reset_frame or (conn.facts.challenge_frame and sender.facts.tries and not peer.facts.agrees):
            return
        conn.facts.reset_frame, conn.facts.reset_time = self.inputs[FRAME, i], self.inputs[TIME, i]
        conn.facts.reset_end = 0 if from_client else 1
        conn.facts.reset_states = self.outputs[STATES, i]
        conn.facts.reset_acks = flags & ACK != 0
        conn.facts.reset_fits = peer.facts.packets > 0 and self.outputs[POSITION, i] == sender.facts.una
        conn.facts.reset_ttl = self.extra[TTL, i]
        conn.facts.reset_since = self.inputs[TIME, i] - peer.facts.last_time if peer.facts.last_time else -1
        conn.facts.reset_answers = peer.facts.last_frame
        conn.facts.reset_after_fin = (sender.fin_at >= 0) + 2 * (peer.fin_at >= 0)
        if flags & ACK and peer.facts.una < ack <= peer.facts.top:
            peer.facts.una = ack
        conn.facts.reset_unacked, conn.facts.reset_peer_unacked = _waiting(sender), _waiting(peer)
        conn.facts.reset_peer_window = peer.facts.window

    @cython.cfunc
    def _acknowledges(
        self,
        conn: ConnectionFacts,
        sender: EndFacts,
        peer: EndFacts,
        ack: cython.longlong,
        length: cython.longlong,
        time: cython.longlong,
        frame: cython.longlong,
    ):
        """What an acknowledgment ends for the peer: a run of retransmissions, the wait of a small write."""
        waited: cython.longlong
        if ack > peer.facts.una:
            if peer.facts.run:
                waited = time - peer.facts.una_time
                if peer.facts.run_timeouts:
                    if waited > peer.facts.worst_wait:
                        peer.facts.worst_wait, peer.facts.worst_frame, peer.facts.worst_end_frame = waited, peer.facts.una_frame, frame
                        peer.facts.worst_run, peer.facts.worst_timeouts = peer.facts.run, peer.facts.run_timeouts
                peer.facts.run = peer.facts.run_timeouts = 0
            peer.facts.una, peer.facts.una_time, peer.facts.una_frame = ack, time, frame
            if not peer.facts.big_acked and peer.facts.big_frame and ack >= peer.facts.big_behind:
                peer.facts.big_acked = 2 if peer.facts.big_shrunk_frame else 1
        if peer.small_at and ack >= peer.small_at:
            waited = time - peer.small_time
            if not length and DELAYED_ACK <= waited <= LONGEST_DELAYED_ACK and waited >= 3 * conn.facts.rtt:
                peer.held, peer.held_time = waited, time
            else:
                peer.held = 0
            peer.small_at = 0

    @cython.cfunc
    def _window(
        self, conn: ConnectionFacts, sender: EndFacts, peer: EndFacts, i: cython.longlong, time: cython.longlong, frame: cython.longlong
    ):
        """Whether the sender's window is closed: zero, or less than a segment and than half of its maximum."""
        shift: cython.longlong = self.outputs[SHIFT, i]
        window: cython.longlong = self.inputs[WINDOW, i]
        if shift > 0:
            window <<= shift
        if window == 0 or (window < peer.facts.largest and 2 * window < sender.facts.max_window):
            if not sender.facts.closed_since:
                sender.facts.closed_since, sender.facts.closed_frame = time, frame
                sender.facts.probes = sender.facts.refusals = 0
            elif sender.facts.probes:
                sender.facts.refusals += 1
        elif sender.facts.closed_since:
            sender.closed_for, sender.opened_time = time - sender.facts.closed_since, time
            sender.opened_frame = frame
            if sender.facts.probes:
                self._stalled(sender)
            sender.facts.closed_since = 0
        if window > sender.facts.max_window:
            sender.facts.max_window = window
        sender.facts.window = window

    @cython.cfunc
    def _stalled(self, end: EndFacts):
        """The closed window of `end` made its peer wait."""
        if end.closed_for >= SHORTEST_STALL:
            if not end.facts.stalls:
                end.facts.stall_frame = end.facts.closed_frame
            end.facts.stall_end_frame = end.opened_frame
            end.facts.stalls += 1
            end.facts.stall_time += end.closed_for
        end.closed_for = end.opened_time = 0

    @cython.cfunc
    def _sends(
        self,
        conn: ConnectionFacts,
        sender: EndFacts,
        peer: EndFacts,
        at: cython.longlong,
        behind: cython.longlong,
        from_client: cython.bint,
        i: cython.longlong,
    ):
        """Sequence numbers that are sent: new, retransmitted or reordered."""
        flags: cython.longlong = self.inputs[FLAGS, i]
        length: cython.longlong = self.inputs[LENGTH, i]
        time: cython.longlong = self.inputs[TIME, i]
        frame: cython.longlong = self.inputs[FRAME, i]
        marks: cython.longlong = self.outputs[OUT_MARKS, i]
        again: cython.bint = marks & (REPEATED | FILLED) != 0
        gap: cython.longlong
        small: cython.bint
        last_data: cython.longlong = sender.facts.last_data

        # ------------------------------------------------ retransmitted, reordered
        if again and not flags & SYN:
            sender.facts.repeated += marks & REPEATED != 0
            sender.facts.filled += marks & FILLED != 0
            if marks & NEEDLESS:
                if not sender.facts.needless:
                    sender.facts.needless_frame = frame
                sender.facts.needless += 1
            else:
                if not sender.facts.lost_frame:
                    sender.facts.lost_frame = frame
                sender.facts.lost_last_frame = frame
                sender.facts.run += 1
                if marks & TIMED_OUT:
                    sender.facts.timeouts += 1
                    sender.facts.run_timeouts += 1
            gap = time - sender.facts.unheard_last_time
            if not sender.facts.unheard:
                gap = self.outputs[RTO, i]
                sender.facts.unheard_from = self.outputs[RTO_FRAME, i]
                sender.facts.unheard_first, sender.facts.unheard_first_gap = frame, gap
            sender.facts.unheard += 1
            sender.facts.unheard_last, sender.facts.unheard_last_time, sender.facts.unheard_last_gap = frame, time, gap
        elif marks & REORDERED:
            if not sender.facts.reordered:
                sender.facts.reordered_frame = frame
            sender.facts.reordered += 1

        if at > sender.facts.top and not from_client:  # the bytes that no frame holds may have been the answer
            conn.facts.asked_time = 0

        # ------------------------------------------------ what is outstanding
        if sender.facts.top <= sender.facts.una and behind > sender.facts.una:
            sender.facts.una_time, sender.facts.una_frame = time, frame
        if behind > sender.facts.top:
            sender.facts.top = behind
        if not length:
            return
        sender.facts.data_frames += 1
        if length > sender.facts.largest:
            sender.facts.largest, sender.facts.full_frames = length, 0
        sender.facts.full_frames += length == sender.facts.largest
        if sender.facts.first_data:
            sender.facts.full_time += sender.stuck
            sender.facts.idle_time += sender.idle
        sender.stuck = sender.idle = 0
        if not sender.facts.first_data:
            sender.facts.first_data, sender.facts.first_data_frame = time, frame
            if from_client and conn.facts.opened_time and not peer.facts.first_data:
                conn.facts.client_wait, conn.facts.client_wait_frame = time - conn.facts.opened_time, frame
        sender.facts.last_data = time
        sender.full = peer.facts.window >= 0 and sender.facts.top - sender.facts.una + sender.facts.largest > peer.facts.window
        if flags & URG:
            if not sender.facts.urgent:
                sender.facts.urgent_frame = frame
            sender.facts.urgent += 1
        if peer.opened_time:
            if time - peer.opened_time <= conn.facts.rtt + MILLISECOND:
                self._stalled(peer)
            peer.opened_time = peer.closed_for = 0
        self._largest(conn, sender, at, behind, i)

        # ------------------------------------------------ small writes that wait
        small = length < SMALL_SEGMENT
        if sender.held and small and at >= sender.facts.una and time - sender.held_time <= conn.facts.rtt + MILLISECOND and not again:
            if not sender.facts.nagles:
                sender.facts.nagle_frame = frame
            sender.facts.nagles += 1
            sender.facts.nagle_time += sender.held
            sender.facts.nagle_last_frame = frame
        sender.held = 0
        sender.small_at = behind if small and not again and sender.facts.una >= at else 0
        sender.small_time = time

        # ------------------------------------------------ question and answer
        if from_client:
            if not again:
                conn.facts.asked_frame, conn.facts.asked_length = frame, length
                conn.facts.asked_time = time
            elif conn.facts.asked_time:
                conn.facts.asked_time = time
        elif not again:
            if conn.facts.asked_time and (length != conn.facts.asked_length or length > HEARTBEAT):
                gap = time - conn.facts.asked_time
                if gap > conn.facts.answer_wait:
                    conn.facts.answer_wait, conn.facts.answer_asked_frame, conn.facts.answer_frame = gap, conn.facts.asked_frame, frame
                    # The answer may carry the acknowledgment.
                    conn.facts.answer_acked = (peer.facts.una_time if peer.facts.una >= peer.facts.top else time) - conn.facts.asked_time
            elif (
                not conn.facts.asked_time
                and last_data
                and at <= sender.facts.una
                and time - last_data > LONGEST_DELAYED_ACK + conn.facts.rtt
            ):
                conn.facts.unasked += 1
            conn.facts.asked_time = 0

    @cython.cfunc
    def _largest(self, conn: ConnectionFacts, sender: EndFacts, at: cython.longlong, behind: cython.longlong, i: cython.longlong):
        """Whether the largest datagram is acknowledged or sent again in smaller segments, and whether datagrams exceed the path MTU."""
        size: cython.longlong = self.extra[IP_LENGTH, i]
        if size > sender.facts.big:
            sender.facts.big, sender.facts.big_at, sender.facts.big_behind, sender.facts.big_sends = size, at, behind, 1
            sender.facts.big_frame = sender.facts.big_last_frame = self.inputs[FRAME, i]
            sender.facts.big_time = self.inputs[TIME, i]
            sender.facts.big_acked = sender.facts.big_shrunk_frame = 0
        elif at == sender.facts.big_at and not sender.facts.big_acked:
            if size == sender.facts.big:
                sender.facts.big_sends += 1
                sender.facts.big_last_frame = self.inputs[FRAME, i]
            elif not sender.facts.big_shrunk_frame:
                sender.facts.big_shrunk_frame = self.inputs[FRAME, i]
        if (
            sender.facts.mtu
            and size > sender.facts.mtu
            and self.inputs[TIME, i] > sender.facts.mtu_time + conn.facts.rtt + 200 * MILLISECOND
        ):
            sender.facts.above_mtu += 1

    @cython.cfunc
    def _history(self, conn: ConnectionFacts, sender: EndFacts, peer: EndFacts, from_client: cython.bint, i: cython.longlong):
        """Add to Zeek's history: a letter for each event, in order, capitals for the client. Rules: Zeek's documentation of `conn.log`."""
        flags: cython.longlong = self.inputs[FLAGS, i]
        marks: cython.longlong = self.outputs[OUT_MARKS, i]
        at: cython.longlong = self.outputs[POSITION, i]
        number: cython.longlong = self.inputs[SEQ, i]  # positions restart at 0 with another SYN
        syn: cython.bint = flags & SYN != 0
        acks: cython.bint = flags & ACK != 0
        fin: cython.bint = flags & FIN != 0
        reset: cython.bint = flags & RST != 0
        letters: str = ""
        missed: cython.longlong = self.outputs[ACKED_UNSEEN, i]
        if not conn.seen and not from_client:
            conn.history += "^"
        if syn and (fin or reset):
            if not sender.noted & 1:
                letters += "q"
            sender.noted |= 1
        if fin and reset:
            if not sender.noted & 2:
                letters += "i"
            sender.noted |= 2
        if syn and not acks and number != sender.syn_at:
            letters += "s"
            sender.syn_at = number
        if syn and acks and number != sender.agree_at:
            letters += "h"
            sender.agree_at = number
        if acks and not self.inputs[LENGTH, i] and not syn and not fin and not reset and not sender.noted & 4:
            letters += "a"
            sender.noted |= 4
        if marks & REPEATED and self.inputs[LENGTH, i]:
            sender.again += 1
            if _power(sender.again):
                letters += "t"
        if self.inputs[LENGTH, i] and not sender.noted & 8:
            letters += "d"
            sender.noted |= 8
        if self.inputs[WINDOW, i] == 0 and not syn and not reset:
            sender.zeros += 1
            if _power(sender.zeros):
                letters += "w"
        if fin and at + self.inputs[LENGTH, i] != sender.fin_at:
            letters += "f"
            sender.fin_at = at + self.inputs[LENGTH, i]
        if reset and number != sender.reset_at:
            letters += "r"
            sender.reset_at = number
        if letters:
            conn.history += letters.upper() if from_client else letters
        if missed > 0:
            peer.gaps += 1
            if _power(peer.gaps):
                conn.history += "g" if from_client else "G"


@cython.cfunc
def _power(n: cython.longlong) -> cython.bint:
    """Whether n is a power of ten."""
    while n > 9 and n % 10 == 0:
        n //= 10
    return n == 1
