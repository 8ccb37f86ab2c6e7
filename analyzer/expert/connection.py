"""Verdicts on TCP connections: why one failed, who is to blame, what held it back. Worst first; the first that holds is the verdict.
Other problems that share no topic with it are named behind it.

Round trips are those of the whole handshake, SYN to the ACK that ends it: the same wherever the trace was taken.
"""

from __future__ import annotations

import numpy as np

from ..protocols import icmp, icmpv6
from . import Matches, rule
from ._connections import Connections, EndFacts
from ._wording import count, duration, frames, retry_gaps, state

SECOND = 1_000_000_000  # ns
ANY_PATH = 576  # bytes of a datagram that every path takes; RFC 791 §3.2
MAX_ACK_DELAY = SECOND // 2  # no acknowledgment may be delayed by more (RFC 9293 §3.8.6.3): what takes longer is somebody's fault
MIN_RTO = SECOND // 5  # Linux's least retransmission time-out; RFC 6298 §2.4 asks for a second
GREETING_PORTS = (21, 25, 110, 119, 143, 587, 3306)  # FTP, SMTP (two), POP3, NNTP, IMAP, MySQL: the server's first data answer nothing
PUSH_PORTS = (22, 23, 179, 639, 646, 1883, 5222, 5269, 6633, 6653, 6667)  # SSH, Telnet, BGP, MSDP, LDP, MQTT, XMPP (two), OpenFlow (two),
# IRC: the server sends at any time what nobody asked for, so the wait before it is nobody's delay
UNREACHABLE = {
    0: "network unreachable",
    1: "host unreachable",
    2: "protocol unreachable",
    3: "port unreachable",
    4: "fragmentation needed",
    5: "source route failed",
    6: "network unknown",
    7: "host unknown",
    9: "network prohibited",
    10: "host prohibited",
    11: "network unreachable for this service",
    12: "host unreachable for this service",
    13: "administratively prohibited",
}
UNREACHABLE6 = {0: "no route", 1: "administratively prohibited", 2: "beyond scope", 3: "address unreachable", 4: "port unreachable"}
TOO_BIG = (3 << 8 | 4, 1 << 16 | 2 << 8)


def _icmp(kind: int) -> str:
    """'ICMP 3/13, administratively prohibited'."""
    six, number, code = kind >> 16, kind >> 8 & 0xFF, kind & 0xFF
    codes = {3 << 8: UNREACHABLE, 1 << 16 | 1 << 8: UNREACHABLE6}.get(kind & ~0xFF, {})
    words = codes.get(code) or (icmpv6 if six else icmp).TYPE[number]
    return f"ICMP{'v6' if six else ''} {number}/{code}, {words}"


def _not_opened(c: Connections) -> np.ndarray:
    """A SYN is there, and nothing that opens: bool."""
    return (c.client.tries > 0) & (c.server.agrees == 0) & (c.server.tries == 0)


def _no_reply(c: Connections) -> np.ndarray:
    """A SYN is there and nothing of the server, nor does the client acknowledge anything of it: bool."""
    return _not_opened(c) & (c.server.packets == 0) & (c.server.una == 0)


# ---------------------------------------------------------------- did not open


@rule("error", "refused by ICMP", topics="opening icmp")
def unreachable(c: Connections) -> Matches:
    """The SYN met an ICMP error (RFC 792, RFC 4443) and no answer of the server: a filter or a router on the way, or the host.

    Who sent it tells which. Not this: "fragmentation needed", which speaks of a size.
    """
    hard = (c.icmp_frame > 0) & ~np.isin(c.icmp_kind, TOO_BIG)

    def sentence(i: int) -> str:
        who = "The host itself" if c.icmp_from_peer[i] else f"Router {c.reporters[i]}"
        after = duration(c.icmp_time[i] - c.client.last_try[i]) if c.icmp_time[i] >= c.client.last_try[i] else "some time"
        tries = "the only SYN" if c.client.tries[i] == 1 else f"one of {c.client.tries[i]} SYNs"
        at = frames(c.client.first_try_frame[i], c.client.last_try_frame[i])
        return (
            f"{who} refused the connection to {c.server.name(i)}: {_icmp(int(c.icmp_kind[i]))}, {after} after {tries} "
            f"(frame {c.icmp_frame[i]} for {at}); nothing came from the server."
        )

    yield hard & _no_reply(c), sentence


@rule("error", "port reused too soon", topics="opening end")
def reused_too_soon(c: Connections) -> Matches:
    """The client used its port again while the server still had the connection before, and the server did not open a new one.

    The end that closes first keeps the pair of ports for 2 MSL, TIME-WAIT (RFC 9293 §3.6.1); a SYN with a higher number may
    open anew (RFC 1122 §4.2.2.13, RFC 6191), and then it is none of this.
    """

    def sentence(i: int) -> str:
        challenge = c.challenge_frame[i]
        how = f"an ACK of the old one (frame {challenge})" if challenge else f"a RST (frame {c.reset_frame[i]})"
        return (
            f"{c.client.name(i)} used its port again (SYN, frame {c.client.first_try_frame[i]}) while {c.server.name(i)} still had "
            f"the connection before: it answered with {how}."
        )

    yield (c.reused > 0) & _not_opened(c) & ((c.challenge_frame > 0) | ((c.reset_frame > 0) & (c.reset_end == 1))), sentence


@rule("error", "half-open", topics="opening end")
def half_open_server(c: Connections) -> Matches:
    """The server answers a SYN with an ACK of something else: it still has an old connection of these ports (RFC 9293 §3.5.1).

    The client's RST then ends the old one, and a second SYN succeeds: if it is there, the connection only opened late.
    """

    def sentence(i: int) -> str:
        return (
            f"{c.server.name(i)} still had an old connection of these ports: it answered the SYN (frame {c.client.first_try_frame[i]}) "
            f"with an ACK of something else (frame {c.challenge_frame[i]})."
        )

    yield _not_opened(c) & (c.challenge_frame > 0), sentence


@rule("error", "refused", topics="opening end")
def refused(c: Connections) -> Matches:
    """A RST that acknowledges the SYN: nobody listens on that port, or something in front of the server refuses (RFC 9293 §3.10.7.1).

    A client that asks again is stubborn, no loss.
    """

    def sentence(i: int) -> str:
        tries = int(c.client.tries[i])
        after = f"{duration(c.reset_since[i])} after the SYN (frame {c.reset_frame[i]} for {c.reset_answers[i]})"
        first = f"{c.server.name(i)} refused: RST {after}"
        if tries > 1:
            at = frames(c.client.first_try_frame[i], c.client.last_try_frame[i])
            return f"{first}; {c.client.name(i)} asked {tries} times in {duration(c.client.last_try[i] - c.client.first_try[i])} ({at})."
        return f"{first}; nobody listens there, or a filter says so."

    yield _not_opened(c) & (c.reset_frame > 0) & (c.reset_end == 1), sentence


@rule("error", "listen queue overflowed", topics="opening silence loss")
def accept_ignored(c: Connections) -> Matches:
    """The server repeats its SYN,ACK although the client acknowledged it: the program takes no connections, its queue is full."""

    def sentence(i: int) -> str:
        return (
            f"{c.server.name(i)} did not take the connection: it sent its SYN,ACK {c.server.agrees[i]} times, "
            f"{c.server.ignored[i]} of them after the client's ACK (frame {c.opened_frame[i]}): its listen queue is full."
        )

    yield (c.server.ignored >= 2) & (c.server.data_frames == 0), sentence


@rule("error", "no answer to the SYN", topics="opening silence loss")
def no_answer(c: Connections) -> Matches:
    """SYNs, and nothing came back: a filter drops them, the host is down, the way there or back is cut, or a queue is full.

    One SYN is enough if a second passed after it, the least time-out (RFC 6298 §2.1). Copies that the network made are no tries.
    If others were answered by the same port shortly before and are not served, it is a listen queue that overflowed.
    """
    waited = c.end - c.client.last_try

    def sentence(i: int) -> str:
        a = c.client
        tries = int(a.tries[i])
        at = frames(a.first_try_frame[i], a.last_try_frame[i])
        copy = f" (frame {a.copied_frame[i]} is a copy)" if a.copied[i] else ""
        if tries == 1:
            nothing = f"nothing for {duration(waited[i])}, no ICMP error.{copy}"
            return f"{c.server.name(i)} did not answer: one SYN of {a.name(i)} ({at}), {nothing}"
        gap = retry_gaps(tries - 1, int(a.first_try_gap[i]), int(a.last_try_gap[i]))
        return (
            f"{c.server.name(i)} never answered: {a.name(i)} sent its SYN {tries} times in {duration(a.last_try[i] - a.first_try[i])} "
            f"({at}; {gap}){copy}, no ICMP error: a filter drops it, or nobody is there."
        )

    yield _no_reply(c) & ((c.client.tries >= 2) | (waited >= SECOND)), sentence


# ---------------------------------------------------------------- broke


def _reset(c: Connections) -> np.ndarray:
    """A RST came upon more than a SYN: bool."""
    return (c.reset_frame > 0) & ~_not_opened(c)


def _probe_reset(c: Connections) -> np.ndarray:
    """The client's RST is its answer to the SYN,ACK, before a SYN could be due again: bool."""
    quick = (c.reset_time - c.client.first_try < SECOND) & (c.client.tries > 0) & (c.server.agrees > 0)
    return _reset(c) & (c.reset_end == 0) & quick & (c.opened_frame == 0) & (c.client.data_frames == 0)


def _sender_fact(c: Connections, name: str) -> np.ndarray:
    """A fact of who sent the RST, int64."""
    return np.where(c.reset_end == 1, getattr(c.server, name), getattr(c.client, name))


def _reset_sender(c: Connections, i: int, other: bool = False) -> str:
    return (c.client, c.server)[int(c.reset_end[i]) ^ other].name(i)


@rule("error", "reset, forged", topics="end")
def forged(c: Connections) -> Matches:
    """The RST does not come from whom it names: its TTL is unlike those of all other segments of that sender, by more than 2.

    That the supposed sender goes on proves it. A firewall, a censor or an attacker put it in between.
    """
    low, high = _sender_fact(c, "ttl_low"), _sender_fact(c, "ttl_high")
    others = _sender_fact(c, "ttl_count")
    odd = (c.reset_ttl >= 0) & ((c.reset_ttl > high + 2) | (c.reset_ttl < low - 2)) & (others >= 2)

    def sentence(i: int) -> str:
        ttl = f"{low[i]}" if low[i] == high[i] else f"{low[i]} to {high[i]}"
        proof = f"; {_reset_sender(c, i)} itself went on (frame {c.goes_on_frame[i]})" if c.goes_on[i] else ""
        lost = c.reset_peer_unacked[i]
        return (
            f"The RST in frame {c.reset_frame[i]} does not come from {_reset_sender(c, i)}: its TTL is {c.reset_ttl[i]}, that of the other "
            f"{others[i]} segments {ttl}{proof}. {_reset_sender(c, i, True)} was in "
            f"{state(c.reset_states[i], 1 - int(c.reset_end[i]))} with {count(lost, 'byte')} not acknowledged."
        )

    yield _reset(c) & odd, sentence


@rule("error", "keep-alives unanswered", topics="silence end")
def keep_alives_unanswered(c: Connections) -> Matches:
    """At least two keep-alives in a row got no answer (RFC 9293 §3.8.4): the peer is gone, or the way to it or back.

    Keep-alives into a closed window are window probes, and none of this; nor what had less than a second for its answer.
    """
    for own, a in enumerate(c.ends):

        def sentence(i: int, a: EndFacts = a, own: int = own) -> str:
            asked = frames(a.asking_frame[i], a.asking_last_frame[i])
            ended = (
                f"; it gave up with a RST (frame {c.reset_frame[i]}), "
                f"{duration(c.reset_time[i] - a.asking_time[i])} after the first of them"
                if c.reset_frame[i] and c.reset_end[i] == own
                else f"; nothing more in {duration(c.end - a.asking_last_time[i])} to the end of the capture"
            )
            return (
                f"{a.other.name(i)} fell silent: {a.name(i)} asked {count(a.kept_alive[i], 'time')} whether it is there, "
                f"{a.kept_answered[i]} answered, the last {a.asking[i]} not ({asked}){ended}."
            )

        waited = np.where(c.reset_frame > 0, c.reset_time, c.end) - a.asking_time >= SECOND
        yield (a.asking >= 2) & waited & ((c.reset_frame == 0) | (c.reset_end == own)), sentence


@rule("error", "gave up", topics="silence end loss")
def gave_up(c: Connections) -> Matches:
    """The same bytes were sent again and again, nothing answered, and their sender ended the connection with a RST."""
    for own, a in enumerate(c.ends):

        def sentence(i: int, a: EndFacts = a) -> str:
            return f"{a.name(i)} gave up (RST, frame {c.reset_frame[i]}): {_sent_again(a, i)} and {a.other.name(i)} did not answer."

        late = c.reset_time - a.unheard_last_time >= MIN_RTO
        yield (a.unheard >= 2) & (c.reset_frame > 0) & (c.reset_end == own) & late, sentence


def _sent_again(a: EndFacts, i: int) -> str:
    """'sent 4 bytes (frame 6) and again 5 times in 3.48 s (frames 7 to 12; waits …)'."""
    n = int(a.unheard[i])
    sent = "its FIN" if not a.waiting[i] else count(a.waiting[i], "byte")
    total = a.unheard_last_time[i] - a.una_time[i]
    times = "once" if n == 1 else f"{n} times"
    gap = retry_gaps(n, int(a.unheard_first_gap[i]), int(a.unheard_last_gap[i])) if n > 1 else f"after {duration(a.unheard_first_gap[i])}"
    return (
        f"it sent {sent} (frame {a.unheard_from[i]}) and again {times} in {duration(total)} "
        f"({frames(a.unheard_first[i], a.unheard_last[i])}; {gap})"
    )


@rule("error", "half-open", topics="end")
def half_open(c: Connections) -> Matches:
    """A RST without ACK, with the number that the segment before it acknowledged: its sender knows nothing of the connection.

    RFC 9293 §3.5.1: it was restarted, or gave up unseen. Not this: a RST of an end that had closed before.
    """
    quick = (c.reset_since >= 0) & (c.reset_since <= c.rtt + SECOND // 10)
    holds = _reset(c) & (c.reset_acks == 0) & (c.reset_fits > 0) & quick & (c.reset_after_fin & 1 == 0) & (_sender_fact(c, "packets") > 1)
    holds &= ~_probe_reset(c)

    def sentence(i: int) -> str:
        lost = count(c.reset_peer_unacked[i], "byte")
        return (
            f"{_reset_sender(c, i)} no longer knew the connection: it answered frame {c.reset_answers[i]} of "
            f"{_reset_sender(c, i, True)} with a RST {duration(c.reset_since[i])} later (frame {c.reset_frame[i]}) "
            f"that has only the number asked for; {lost} undelivered."
        )

    yield holds, sentence


@rule("warn", "reset", topics="end")
def reset(c: Connections) -> Matches:
    """One end aborted: its program closed with data unread or with SO_LINGER 0, or crashed. Bytes on the way are lost.

    After a FIN it is only untidy, if nothing is lost: see closed_with_reset; a client that answers the SYN,ACK with it: only_asked.
    """
    nothing = (c.reset_after_fin == 3) | ((c.reset_after_fin > 0) & (c.reset_unacked == 0) & (c.reset_peer_unacked == 0))
    nothing |= _probe_reset(c)

    def sentence(i: int) -> str:
        end = int(c.reset_end[i])
        own, peer = c.reset_unacked[i], c.reset_peer_unacked[i]
        after = f" {duration(c.reset_since[i])} after frame {c.reset_answers[i]}" if c.reset_since[i] >= 0 else ""
        lost = (
            f"{count(own, 'byte')} of its own and {count(peer, 'byte')} of {_reset_sender(c, i, True)} not acknowledged"
            if own or peer
            else "nothing was unacknowledged"
        )
        window = " The other's window was closed." if c.reset_peer_window[i] == 0 else ""
        opened = c.client.tries[i] or c.server.tries[i] or c.client.agrees[i] or c.server.agrees[i]
        was = f"{state(c.reset_states[i], end)}{'' if opened else ' (assumed, no SYN was seen)'}"
        return f"{_reset_sender(c, i)} reset the connection in {was}{after} (RST, frame {c.reset_frame[i]}); {lost}.{window}"

    yield _reset(c) & ~nothing, sentence


# ---------------------------------------------------------------- stuck at the end of the capture


@rule("error", "path MTU black hole", topics="loss silence")
def black_hole(c: Connections) -> Matches:
    """The largest datagrams vanish, smaller ones get through, and no ICMP says why (RFC 2923 §2.1), or its sender does not obey.

    At least three sends of the largest size, and afterwards a word of the receiver that acknowledges nothing new: something
    smaller reached it. If it said nothing since, it may as well be gone: see unanswered. Not this: an ICMP
    "fragmentation needed" that was obeyed, and what every path takes, 576 bytes (RFC 791 §3.2).
    """
    for a in c.ends:
        ignored = (a.mtu > 0) & (a.above_mtu >= 2)
        alive = (a.other.last_time > np.maximum(a.una_time, a.big_time)) | (a.big_acked == 2)
        dead = (a.big_sends >= 3) & (a.big > ANY_PATH) & (a.big_acked != 1) & alive

        def sentence(i: int, a: EndFacts = a, ignored: np.ndarray = ignored) -> str:
            at = frames(a.big_frame[i], a.big_last_frame[i])
            if ignored[i]:
                return (
                    f"{a.name(i)} goes on with datagrams above {a.mtu[i]} bytes although ICMP (frame {a.mtu_frame[i]}) "
                    f"said that the path takes no more: {count(a.above_mtu[i], 'datagram')}."
                )
            pieces = f"they got through in smaller pieces (frame {a.big_shrunk_frame[i]})"
            rest = pieces if a.big_acked[i] == 2 else "smaller ones got through"
            return (
                f"Datagrams of {count(a.big[i], 'byte')} of {a.name(i)} vanish: sent {a.big_sends[i]} times ({at}), never "
                f"acknowledged, {rest}, and no ICMP says why: a path MTU black hole."
            )

        yield ignored | (dead & (a.mtu == 0)), sentence


@rule("error", "reader stopped", topics="reader")
def reader_stopped(c: Connections) -> Matches:
    """A window was closed and stayed closed to the end of the capture: the program there reads no more.

    Network and sender are in order. At least a second, and probes that were answered, or five seconds.
    """
    for a in c.ends:
        since = np.where(a.closed_since > 0, c.end - a.closed_since, 0)

        def sentence(i: int, a: EndFacts = a, since: np.ndarray = since) -> str:
            probes = (
                f"; {count(a.probes[i], 'probe')} of {a.other.name(i)}, {a.refusals[i]} answered with the window closed"
                if a.probes[i]
                else ""
            )
            return (
                f"{a.name(i)} stopped reading: its window closed at {a.window[i]} bytes (frame {a.closed_frame[i]}) and stayed so for "
                f"{duration(since[i])}, to the end of the capture{probes}."
            )

        yield (since >= SECOND) & ((a.refusals > 0) | ((since >= 5 * SECOND) & (a.probes > 0))), sentence


@rule("error", "retransmissions unanswered", topics="silence loss")
def unanswered(c: Connections) -> Matches:
    """The same bytes were sent at least three times and nothing came back to the end of the capture: peer gone, or path cut.

    Which of the two, one capture cannot tell. A one-sided capture of a working connection goes on to new bytes instead, and
    what comes twice within a fifth of a second no timer sent (Linux's least; RFC 6298 §2.4 says a second).
    """
    for a in c.ends:
        slow = a.other.stall_time >= MAX_ACK_DELAY

        def sentence(i: int, a: EndFacts = a, slow: np.ndarray = slow) -> str:
            before = (
                f" Before, its window fell below a segment {count(a.other.stalls[i], 'time')}, {duration(a.other.stall_time[i])} in all "
                f"({frames(a.other.stall_frame[i], a.other.stall_end_frame[i])})."
                if slow[i]
                else ""
            )
            if a.big_sends[i] >= 3 and a.big[i] > ANY_PATH and a.big_acked[i] == 0 and a.una[i] > 1:
                before += f" Only datagrams of {count(a.big[i], 'byte')} vanish: it may be a path MTU black hole."
            never = "" if a.other.packets[i] else f" No segment of {a.other.name(i)} is in the capture."
            return (
                f"{a.other.name(i)} fell silent: {a.name(i)} waited; {_sent_again(a, i)}, and nothing came in "
                f"{duration(c.end - a.una_time[i])} to the end of the capture.{never}{before}"
            )

        silent = np.where(a.unheard >= 2, SECOND, 3 * SECOND)
        waited = (c.end - a.una_time >= silent) & (a.unheard_last_time - a.una_time >= MIN_RTO)
        yield (a.unheard > 0) & waited & (c.reset_frame == 0), sentence


# ---------------------------------------------------------------- slow


@rule("warn", "reader slow", topics="reader")
def reader_slow(c: Connections) -> Matches:
    """A window of zero, or of less than a segment and half of what it was, made a sender with data wait half a second or more."""
    for a in c.ends:

        def sentence(i: int, a: EndFacts = a) -> str:
            probes = f"; {a.other.name(i)} probed {count(a.probes_all[i], 'time')}" if a.probes_all[i] else ""
            return (
                f"{a.name(i)} read slowly: its window was closed {count(a.stalls[i], 'time')}, {duration(a.stall_time[i])} in all, while "
                f"{a.other.name(i)} waited ({frames(a.stall_frame[i], a.stall_end_frame[i])}){probes}."
            )

        yield a.stall_time >= MAX_ACK_DELAY, sentence


@rule("warn", "retransmission time-outs", topics="loss")
def time_outs(c: Connections) -> Matches:
    """A retransmission timer ran out, and it took half a second or more, or two time-outs of the same bytes, to go on (RFC 6298)."""
    for a in c.ends:

        def sentence(i: int, a: EndFacts = a) -> str:
            n = int(a.worst_run[i])
            return (
                f"The acknowledgments of {a.other.name(i)} stood still for {duration(a.worst_wait[i])} "
                f"({frames(a.worst_frame[i], a.worst_end_frame[i])}): {a.name(i)} sent {count(n, 'segment')} again meanwhile, after "
                f"{count(a.worst_timeouts[i], 'time-out')}; then it recovered."
            )

        yield (a.worst_timeouts > 0) & ((a.worst_wait >= MAX_ACK_DELAY) | (a.worst_timeouts >= 2)), sentence


@rule("warn", "server slow to answer", topics="program")
def server_slow(c: Connections) -> Matches:
    """From the client's last data to the first byte of the answer: half a second or more, and ten round trips.

    If the server's TCP acknowledged the question at once, its program is slow, not the network. Not this: a server that speaks
    without being asked, as that of BGP or of a terminal: what it says after a while is no answer, nor is a greeting. Known by the
    port, by speaking again, all of it acknowledged and half a second later, though the client said nothing, and by heartbeats, as
    many bytes there as back.
    """
    ports = np.array(c.server.ports, np.int64)
    own = np.isin(ports, PUSH_PORTS) | (np.isin(ports, GREETING_PORTS) & (c.answer_frame == c.server.first_data_frame)) | (c.unasked > 0)
    limit = np.maximum(MAX_ACK_DELAY, 10 * c.rtt) + c.rtt

    def sentence(i: int) -> str:
        quick = c.answer_acked[i] < c.answer_wait[i] - MAX_ACK_DELAY // 2
        why = (
            f"its TCP acknowledged the question after {duration(c.answer_acked[i])}, so the program took the rest"
            if quick
            else "whether its program or the path took so long cannot be told: nothing acknowledged the question before"
        )
        rtt = f", {c.answer_wait[i] / c.rtt[i]:,.0f} round trips" if c.rtt[i] > 0 else ""
        return (
            f"{c.server.name(i)} was slow: the first byte of the answer came {duration(c.answer_wait[i])} after the question{rtt} "
            f"(frame {c.answer_frame[i]} for {c.answer_asked_frame[i]}); {why}."
        )

    yield (c.answer_wait >= limit) & ~own, sentence


@rule("warn", "client slow", topics="program")
def client_slow(c: Connections) -> Matches:
    """The client opened and then said nothing for half a second and ten round trips, though it speaks first."""

    def sentence(i: int) -> str:
        return (
            f"{c.client.name(i)} was slow: it opened in {duration(c.rtt[i])} (frame {c.opened_frame[i]}) and waited "
            f"{duration(c.client_wait[i])} before its first data (frame {c.client_wait_frame[i]})."
        )

    yield c.client_wait >= np.maximum(MAX_ACK_DELAY, 10 * c.rtt), sentence


@rule("warn", "path slow", topics="opening")
def path_slow(c: Connections) -> Matches:
    """The round trip of the handshake took half a second or more, and no SYN was lost: a long or crowded path, or a slow kernel."""

    def sentence(i: int) -> str:
        return (
            f"The path between {c.client.name(i)} and {c.server.name(i)} is slow: the handshake took {duration(c.rtt[i])} "
            f"({frames(c.client.first_try_frame[i], c.opened_frame[i])}), and nothing was sent twice; or the server's kernel is."
        )

    yield (c.rtt >= MAX_ACK_DELAY) & (c.client.tries == 1) & (c.server.agrees == 1), sentence


@rule("warn", "opened late", topics="opening")
def opened_late(c: Connections) -> Matches:
    """The SYN or its answer was lost and sent again, or met an old connection of these ports; only then did the connection open."""
    took = c.opened_time - c.client.first_try
    forward = c.server.agree_time >= c.client.first_try

    def sentence(i: int) -> str:
        old = c.challenge_frame[i]
        why = f" {c.server.name(i)} first answered with an ACK of an old connection of these ports (frame {old})." if old else ""
        return (
            f"Opened late: {c.client.name(i)} sent its SYN {count(c.client.tries[i], 'time')} and {c.server.name(i)} its SYN,ACK "
            f"{count(c.server.agrees[i], 'time')} ({frames(c.client.first_try_frame[i], c.opened_frame[i])}); it took "
            f"{duration(took[i])}.{why}"
        )

    yield (c.opened_frame > 0) & (c.client.tries + c.server.agrees > 2) & (took >= MAX_ACK_DELAY) & forward, sentence


@rule("warn", "Nagle against delayed ACK", topics="writes")
def nagle(c: Connections) -> Matches:
    """Small writes waited for the acknowledgment of the one before, and the receiver held that back: both save segments
    (RFC 9293 §3.7.4, §3.8.6.3), together they cost time. TCP_NODELAY, or one write in place of two, ends it.

    Three times or more, a fifth of a second in all, a tenth of the duration.
    """
    for a in c.ends:

        def sentence(i: int, a: EndFacts = a) -> str:
            return (
                f"Nagle's algorithm waits for delayed ACKs: {count(a.nagles[i], 'time')} a small write of {a.name(i)} waited for the "
                f"acknowledgment of the one before, {duration(a.nagle_time[i] // a.nagles[i])} each, {duration(a.nagle_time[i])} in all "
                f"({frames(a.nagle_frame[i], a.nagle_last_frame[i])})."
            )

        yield (a.nagles >= 3) & (a.nagle_time >= SECOND // 5) & (a.nagle_time * 10 >= c.duration), sentence


def _large(c: Connections, a: EndFacts) -> np.ndarray:
    """A transfer long enough to speak of its throughput: a second, ten round trips, a hundred full segments; bool."""
    took = a.last_data - a.first_data
    return (took >= SECOND) & (took >= 10 * c.rtt) & (a.full_frames >= 100)


def _lost(a: EndFacts) -> np.ndarray:
    """Segments that had to be sent again, int64: what was needless or answered D-SACK is none."""
    return np.maximum(a.repeated + a.filled - np.maximum(a.needless, a.dsacks_got - a.copied), 0)


@rule("warn", "limited by the receiver's window", topics="reader")
def window_limited(c: Connections) -> Matches:
    """For half of a long transfer the sender had as much outstanding as the receiver's window allows: a larger one would help."""
    for a in c.ends:
        took = np.maximum(a.last_data - a.first_data, 1)

        def sentence(i: int, a: EndFacts = a, took: np.ndarray = took) -> str:
            return (
                f"{a.other.name(i)}'s window held {a.name(i)} back for {duration(min(a.full_time[i], took[i]))} of {duration(took[i])}: "
                f"at most {count(a.outstanding[i], 'byte')} outstanding in a round trip of {duration(c.rtt[i])}."
            )

        yield _large(c, a) & (a.full_time * 2 >= took), sentence


@rule("warn", "limited by the network", topics="loss")
def network_limited(c: Connections) -> Matches:
    """A long transfer lost segments, three or more and one of a hundred: the path set its pace."""
    for a in c.ends:
        lost = _lost(a)

        def sentence(i: int, a: EndFacts = a, lost: np.ndarray = lost) -> str:
            took = max(int(a.last_data[i] - a.first_data[i]), 1)
            rate = f"{count(a.bytes[i], 'byte')} in {duration(took)} ({a.bytes[i] * 1e6 / took:,.0f} kB/s)"
            return f"The network set the pace: {a.name(i)} sent {rate}; {_loss(a, i, int(lost[i]))}."

        yield _large(c, a) & (lost >= 3) & (lost * 100 >= a.data_frames), sentence


def _loss(a: EndFacts, i: int, lost: int) -> str:
    """'40 of 662 segments (6.0 %) were lost behind the point of capture and sent again (frames 160 to 701), without a time-out'."""
    where = "behind" if a.repeated[i] >= a.filled[i] else "before"
    timed = f"{count(a.timeouts[i], 'time-out')}" if a.timeouts[i] else "without a time-out"
    share = 100 * lost / max(int(a.data_frames[i]), 1)
    return (
        f"{lost} of {count(a.data_frames[i], 'data segment')} ({share:.1f} %) lost {where} the point of capture and sent again "
        f"({frames(a.lost_frame[i], a.lost_last_frame[i])}), {timed}"
    )


@rule("warn", "loss", topics="loss")
def loss(c: Connections) -> Matches:
    """At least three segments and one of a hundred had to be sent again. Behind the point of capture: both sendings are in it;
    before: only the second. What was reordered, copied by the network or sent again needlessly is no loss."""
    for a in c.ends:
        lost = _lost(a)

        def sentence(i: int, a: EndFacts = a, lost: np.ndarray = lost) -> str:
            return f"Loss from {a.name(i)} to {a.other.name(i)}: {_loss(a, i, int(lost[i]))}."

        yield (lost >= 3) & (lost * 100 >= a.data_frames) & (a.data_frames >= 100) & (a.mtu == 0), sentence


@rule("warn", "limited by the application", topics="program")
def application_limited(c: Connections) -> Matches:
    """For half of a long transfer its sender had nothing outstanding, and a round trip had passed: the program gave no data.

    Recorded at the receiver, nothing seems outstanding within the round trip, though all of it is on the way.
    """
    for a in c.ends:
        took = np.maximum(a.last_data - a.first_data, 1)

        def sentence(i: int, a: EndFacts = a, took: np.ndarray = took) -> str:
            share = f"{duration(a.idle_time[i])} of {duration(took[i])}"
            return f"The program of {a.name(i)} set the pace: nothing was outstanding for {share}."

        yield _large(c, a) & (c.rtt > 0) & (a.idle_time * 2 >= took), sentence


# ---------------------------------------------------------------- cannot tell


@rule("note", "cannot tell")
def cannot_tell(c: Connections) -> Matches:
    """The capture does not show enough: one try and no time to wait, or one direction only, whose segments acknowledge the other's."""
    for a in c.ends:

        def one_sided(i: int, a: EndFacts = a) -> str:
            return (
                f"Cannot tell, because only one direction was captured: {count(a.packets[i], 'segment')} of {a.name(i)}, and none of "
                f"{a.other.name(i)}, whose numbers they acknowledge."
            )

        yield (a.packets > 1) & (a.other.packets == 0) & (a.other.una > 0), one_sided

    def tried(i: int) -> str:
        return (
            f"Cannot tell, because the capture ends {duration(c.end - c.client.last_try[i])} after the SYN of {c.client.name(i)} to "
            f"{c.server.name(i)} (frame {c.client.first_try_frame[i]})."
        )

    yield _no_reply(c), tried

    for a in c.ends:

        def again(i: int, a: EndFacts = a) -> str:
            return (
                f"Cannot tell, because the capture ends before {a.other.name(i)} acknowledged what {a.name(i)} sent again "
                f"({frames(a.lost_frame[i], a.lost_last_frame[i])})."
            )

        nobody = (a.waiting > 0) & (a.duplicates + a.sacks_got == 0) & (a.mtu == 0)
        yield (_lost(a) > 0) & nobody & (c.first_fin_frame == 0) & (c.reset_frame == 0), again


# ---------------------------------------------------------------- notes


@rule("note", "healthy, path MTU obeyed")
def mtu_obeyed(c: Connections) -> Matches:
    """ICMP said that datagrams were too large for the path (RFC 1191), and the sender made them smaller: as it should be."""
    for a in c.ends:

        def sentence(i: int, a: EndFacts = a) -> str:
            what = f"{a.name(i)} then sent the same bytes in smaller ones (frame {a.big_shrunk_frame[i]})"
            who = c.reporters[i] if c.icmp_frame[i] == a.mtu_frame[i] else "ICMP"
            return (
                f"Healthy: datagrams of {count(a.big[i], 'byte')} were too large for the path, {who} said so with MTU "
                f"{a.mtu[i]} ({frames(a.mtu_frame[i], a.mtu_last_frame[i])}), and {what}."
            )

        yield (a.mtu > 0) & (a.big_shrunk_frame > 0), sentence


@rule("note", "healthy, ICMP error outlived", topics="icmp")
def outlived(c: Connections) -> Matches:
    """An ICMP error came for a connection that was open, and it went on: a soft error, as a route that was away for a moment
    (RFC 1122 §4.2.3.9, RFC 5461 §2). Not this: what speaks of a size."""
    on = np.maximum(c.client.last_time, c.server.last_time) > c.icmp_time

    def sentence(i: int) -> str:
        who = f"{c.server.name(i)} itself" if c.icmp_from_peer[i] else f"Router {c.reporters[i]}"
        last = max(c.client.last_frame[i], c.server.last_frame[i])
        return f"Healthy: {who} sent {_icmp(int(c.icmp_kind[i]))} (frame {c.icmp_frame[i]}), and the connection went on (to frame {last})."

    spoken = (c.client.packets > 1) & (c.server.packets > 0)
    yield (c.icmp_frame > 0) & ~np.isin(c.icmp_kind, TOO_BIG) & on & spoken & ((c.opened_frame > 0) | (c.client.tries == 0)), sentence


@rule("note", "healthy, ICMP error not believed", topics="icmp")
def disbelieved(c: Connections) -> Matches:
    """An ICMP error quotes a number that was not outstanding: it is forged, or later than what made it moot. TCP drops it
    (RFC 5927 §4.1), and no verdict here stands on it."""

    def sentence(i: int) -> str:
        what = f"{_icmp(int(c.odd_kind[i]))} (frame {c.odd_frame[i]})"
        more = f", the first of {c.odd_count[i]}," if c.odd_count[i] > 1 else ""
        return f"Healthy, but {what}{more} quotes a number that was not outstanding: forged, or moot; TCP drops it."

    yield c.odd_count > 0, sentence


@rule("note", "only asked")
def only_asked(c: Connections) -> Matches:
    """The client answered the SYN,ACK with a RST: it wanted to know whether the port is open, or how far it is. A scan, a
    traceroute by TCP, a health check. Its kernel does that where a program sent the SYN past it (RFC 9293 §3.10.7.3)."""

    def sentence(i: int) -> str:
        took = duration(c.server.agree_time[i] - c.client.last_try[i])
        return (
            f"{c.client.name(i)} only asked whether {c.server.name(i)} answers: it did {took} "
            f"after the SYN (frame {c.server.agree_frame[i]}), and a RST ended it (frame {c.reset_frame[i]})."
        )

    yield _probe_reset(c), sentence


@rule("note", "closed with a RST")
def closed_with_reset(c: Connections) -> Matches:
    """A RST after both FINs, or after one with nothing unacknowledged: programs in a hurry do that; nothing is lost."""

    def sentence(i: int) -> str:
        was = state(c.reset_states[i], int(c.reset_end[i]))
        return f"Closed with a RST of {_reset_sender(c, i)} in {was} (frame {c.reset_frame[i]}); nothing was lost."

    yield _reset(c), sentence


@rule("note", "loss, not repaired")
def loss_open(c: Connections) -> Matches:
    """Bytes are missing, the receiver says so, and the capture ends before they came."""
    for a in c.ends:

        def sentence(i: int, a: EndFacts = a) -> str:
            return (
                f"Segments from {a.name(i)} were lost, {count(a.repeated[i] + a.filled[i], 'segment')} sent again "
                f"({frames(a.lost_frame[i], a.lost_last_frame[i])}), and the capture ends before all had come."
            )

        yield (_lost(a) > 0) & (a.top > a.una) & (a.duplicates + a.sacks_got > 0) & (c.first_fin_frame == 0), sentence


@rule("note", "damaged on the way")
def damaged(c: Connections) -> Matches:
    """A few segments have a wrong checksum and were sent again: damaged before the point of capture. Only with `--checksums`.

    Where most are wrong, the sender's network card fills them in later, and nothing is damaged.
    """
    for a in c.ends:

        def sentence(i: int, a: EndFacts = a) -> str:
            return (
                f"{count(a.damaged[i], 'segment')} of {a.name(i)} came damaged (wrong checksum, frame {a.damaged_frame[i]}), and "
                f"{a.repeated[i]} had to be sent again ({frames(a.lost_frame[i], a.lost_last_frame[i])})."
            )

        yield (a.damaged > 0) & (2 * a.damaged <= a.packets) & (a.repeated > 0), sentence


@rule("note", "loss recovered")
def loss_recovered(c: Connections) -> Matches:
    """Segments were lost and sent again in good time: TCP at work."""
    for a in c.ends:
        lost = _lost(a)

        def sentence(i: int, a: EndFacts = a, lost: np.ndarray = lost) -> str:
            return f"Loss from {a.name(i)} to {a.other.name(i)}, recovered: {_loss(a, i, int(lost[i]))}."

        yield (lost > 0) & (a.mtu == 0), sentence


@rule("note", "healthy, sent again needlessly")
def needless(c: Connections) -> Matches:
    """Segments were sent again that had arrived: an acknowledgment was lost or late. No harm."""
    for a in c.ends:

        def sentence(i: int, a: EndFacts = a) -> str:
            again = a.repeated[i] + a.filled[i]
            first = a.needless_frame[i] or a.lost_frame[i]
            return f"Healthy: {count(again, 'segment')} of {a.name(i)} sent again needlessly (frame {first}): the first had arrived."

        yield (a.repeated + a.filled > 0) & (a.mtu == 0), sentence


@rule("note", "healthy, duplicated")
def duplicated(c: Connections) -> Matches:
    """The network made two of one packet: same number, same IP identification; or the receiver says so (D-SACK, RFC 2883) of what
    was sent once."""
    for a in c.ends:

        def sentence(i: int, a: EndFacts = a) -> str:
            if a.copied[i]:
                made = f"{count(a.copied[i], 'segment')} of {a.name(i)} before the point of capture (frame {a.copied_frame[i]})"
                return f"Healthy: the network made two of {made}."
            got = f"{a.other.name(i)} got {count(a.dsacks_got[i], 'segment')} of {a.name(i)} twice (D-SACK)"
            return f"Healthy: {got}, made double behind the point of capture."

        both = (a.tries > 0) & (a.other.tries > 0)  # a simultaneous open repeats the SYN's number, and a D-SACK answers
        yield (a.copied > 0) | ((a.dsacks_got > 0) & (a.repeated + a.filled == 0) & ~both), sentence


@rule("note", "healthy, reordered")
def reordered(c: Connections) -> Matches:
    """Segments overtook others: nothing was lost, nothing sent twice. Wireshark calls such a segment out of order or, worse,
    a fast retransmission, and the one before it "previous segment not captured"."""
    for a in c.ends:

        def sentence(i: int, a: EndFacts = a) -> str:
            if a.reordered[i]:
                late = f"{count(a.reordered[i], 'segment')} of {a.name(i)} came late, overtaken before the point of capture"
                return f"Healthy: {late} (frame {a.reordered_frame[i]}); nothing was lost."
            return f"Healthy: segments of {a.name(i)} overtook each other behind the point of capture (SACK), and nothing was sent again."

        both = (a.tries > 0) & (a.other.tries > 0)
        yield (a.reordered > 0) | ((a.sacks_got > 0) & (a.repeated + a.filled == 0) & (a.top <= a.una) & ~both), sentence


@rule("note", "healthy, congestion signalled")
def congestion(c: Connections) -> Matches:
    """The path marked packets in place of dropping them (ECN, RFC 3168), and the receiver told the sender."""
    for a in c.ends:

        def sentence(i: int, a: EndFacts = a) -> str:
            echo = f"{a.name(i)} says so (ECE, frame {a.ece_frame[i]})"
            return f"Healthy: the path marked packets of {a.other.name(i)} instead of dropping them; {echo}."

        yield a.ece_frame > 0, sentence


@rule("note", "healthy, urgent data")
def urgent(c: Connections) -> Matches:
    """Segments with URG: a byte to be read before others (RFC 6093 advises against it)."""
    for a in c.ends:

        def sentence(i: int, a: EndFacts = a) -> str:
            return f"Healthy, with urgent data: {a.name(i)} sent {count(a.urgent[i], 'segment')} with URG (frame {a.urgent_frame[i]})."

        yield a.urgent > 0, sentence


@rule("note", "healthy, port reused")
def reused(c: Connections) -> Matches:
    """A connection before had the same ports, and the server opened a new one: a higher number allows it (RFC 6191)."""

    def sentence(i: int) -> str:
        return (
            f"Healthy: {c.client.name(i)} used its port again (SYN, frame {c.client.first_try_frame[i]}), and {c.server.name(i)} "
            f"accepted it (frame {c.server.agree_frame[i]})."
        )

    yield (c.reused > 0) & (c.server.agrees > 0), sentence


@rule("chat", "healthy, cut by the capture")
def cut(c: Connections) -> Matches:
    """The capture kept only the beginning of some segments (its snap length). Their headers tell all that TCP needs; the bytes are
    lost to who reads on. The recorder's choice, often for all connections, and no trouble of this one."""

    def sentence(i: int) -> str:
        a, b = c.client, c.server
        return (
            f"Healthy as far as headers tell: the capture cut {count(a.cut[i], 'segment')} of {a.name(i)} and {count(b.cut[i])} of "
            f"{b.name(i)} (snap length); their bytes are not all there."
        )

    yield (c.client.cut > 0) | (c.server.cut > 0), sentence


@rule("chat", "healthy")
def healthy(c: Connections) -> Matches:
    """Nothing above holds. What lies before the first or behind the last frame of a capture is never a fault."""

    def sentence(i: int) -> str:
        a, b = c.client, c.server
        opened = (
            f"opened in {duration(c.opened_time[i] - a.first_try[i])} ({frames(a.first_try_frame[i], c.opened_frame[i])})"
            if c.opened_frame[i]
            else "opened before the capture"
        )
        if c.client.tries[i] and not c.opened_frame[i]:
            opened = f"asked for in frame {a.first_try_frame[i]}, the end of the handshake is not in the capture"
        data = f"{count(a.bytes[i], 'byte')} there, {count(b.bytes[i], 'byte')} back" if a.bytes[i] or b.bytes[i] else "no data"
        if a.tries[i] and b.tries[i]:
            opened += " by both ends at once"
        closed = "not closed before the capture ends"
        if a.fins[i] and b.fins[i]:
            closed = f"closed in order (first FIN in frame {c.first_fin_frame[i]})"
        elif a.fins[i] or b.fins[i]:
            closed = f"closed by the {'client' if a.fins[i] else 'server'} only (FIN, frame {c.first_fin_frame[i]}) before the capture ends"
        return f"Healthy: {opened}, {data}, {closed}."

    yield np.ones(len(c), bool), sentence


# ---------------------------------------------------------------- judged by many connections


def overflowed(
    server: np.ndarray, refusing: np.ndarray, tries: np.ndarray, first: np.ndarray, last: np.ndarray, open_since: np.ndarray
) -> np.ndarray:
    """Unanswered SYNs that mean a full listen queue, int64 (n,): how many connections fill it, 0 where it is not that.

    server: a number for each address and port. refusing: verdict no_answer, bool. tries: SYNs. first, last: times of the first
    and the last SYN, ns. open_since: when the server answered a connection that is still open and to which it has sent no data,
    ns; 0 for all others that were answered, -1 if not answered.

    The port answered others within the minute before, none meanwhile, and at least one of these is open and not served: the
    program does not accept. Two connections unanswered, or three tries of one.
    """
    found = np.zeros(len(server), np.int64)
    both = np.flatnonzero(np.isin(server, np.intersect1d(server[refusing], server[open_since >= 0])))
    both = both[np.argsort(server[both], kind="stable")]
    for rows in np.split(both, np.flatnonzero(np.diff(server[both])) + 1) if len(both) else ():
        bad, good = rows[refusing[rows]], rows[open_since[rows] >= 0]
        if len(bad) < 2 and tries[bad].max() < 3:
            continue
        begin, end = first[bad].min(), last[bad].max()
        before = good[(first[good] <= begin) & (first[good] >= begin - 60 * SECOND)]
        if len(before) and not ((first[good] > begin) & (first[good] < end)).any():
            found[bad] = np.count_nonzero(open_since[before] > 0)
    return found
