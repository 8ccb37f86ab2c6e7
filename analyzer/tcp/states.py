"""The states of a TCP connection's end: state × event → state. RFC 9293 §3.3.2 and Figure 5, §3.10.7.

`NEXT` is the whole transition table: the tracker runs it, a test compares it with the RFC's figure. An event that it does not list
for a state changes nothing.

A capture shows one point of the path. A segment seen there counts as sent and as received, as in the figures of the RFC
(§3.5, §3.6), so states are "as seen here". Of the events of Figure 5 a capture cannot show a program's calls and time-outs
themselves: an active OPEN shows as its SYN, a CLOSE as its FIN, an ABORT as its RST.

Nor can it show the end of TIME-WAIT: each host has its own 2 MSL (four minutes by the RFC's MSL of two, one in Linux), so an
end stays in TIME-WAIT, and no frame is the event "2 MSL passed". A SYN on the same ports begins a new connection, however
soon; the verdict "port reused too soon" judges how the other end took it.

A FIN that does not acknowledge the other end's earlier FIN shows that the two crossed: its sender had not received that one.
"""

from __future__ import annotations

STATES = (
    "CLOSED",
    "LISTEN",
    "SYN-SENT",
    "SYN-RECEIVED",
    "ESTABLISHED",
    "FIN-WAIT-1",
    "FIN-WAIT-2",
    "CLOSE-WAIT",
    "CLOSING",
    "LAST-ACK",
    "TIME-WAIT",
)
EVENTS = (
    "passive open",
    "sent SYN",
    "received SYN",
    "sent SYN,ACK",
    "received SYN,ACK",
    "received ACK of its SYN",
    "sent FIN",
    "sent FIN before the other's arrived",
    "received FIN",
    "received ACK of its FIN",
    "sent RST",
    "received RST",
    "received RST after a passive open",
    "2 MSL passed",
)
(
    OPENED,
    SENT_SYN,
    RECEIVED_SYN,
    SENT_SYN_ACK,
    RECEIVED_SYN_ACK,
    RECEIVED_ACK_OF_SYN,
    SENT_FIN,
    SENT_FIN_EARLY,
    RECEIVED_FIN,
    RECEIVED_ACK_OF_FIN,
    SENT_RST,
    RECEIVED_RST,
    RECEIVED_RST_PASSIVE,
    QUIET,
) = range(len(EVENTS))
(CLOSED, LISTEN, SYN_SENT, SYN_RECEIVED, ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2, CLOSE_WAIT, CLOSING, LAST_ACK, TIME_WAIT) = range(len(STATES))

SYNCHRONIZED = (ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2, CLOSE_WAIT, CLOSING, LAST_ACK, TIME_WAIT)  # RFC 9293 §3.5.2, group 3

NEXT: dict[tuple[int, int], int] = {
    # opening, §3.5
    (CLOSED, OPENED): LISTEN,
    (CLOSED, SENT_SYN): SYN_SENT,
    (LISTEN, SENT_SYN): SYN_SENT,
    (LISTEN, RECEIVED_SYN): SYN_RECEIVED,
    (SYN_SENT, RECEIVED_SYN): SYN_RECEIVED,  # simultaneous open
    (SYN_SENT, RECEIVED_SYN_ACK): ESTABLISHED,
    (SYN_RECEIVED, RECEIVED_SYN_ACK): ESTABLISHED,  # the peer's answer in a simultaneous open; §3.10.7.4, fifth
    (SYN_RECEIVED, RECEIVED_ACK_OF_SYN): ESTABLISHED,
    # closing, §3.6
    (SYN_RECEIVED, SENT_FIN): FIN_WAIT_1,
    (ESTABLISHED, SENT_FIN): FIN_WAIT_1,
    (CLOSE_WAIT, SENT_FIN): LAST_ACK,
    (SYN_RECEIVED, RECEIVED_FIN): CLOSE_WAIT,  # §3.10.7.4, eighth
    (ESTABLISHED, RECEIVED_FIN): CLOSE_WAIT,
    (FIN_WAIT_1, RECEIVED_FIN): CLOSING,  # simultaneous close
    (SYN_RECEIVED, SENT_FIN_EARLY): FIN_WAIT_1,
    (ESTABLISHED, SENT_FIN_EARLY): FIN_WAIT_1,
    (CLOSE_WAIT, SENT_FIN_EARLY): CLOSING,  # simultaneous close: the end whose FIN was seen second
    (FIN_WAIT_2, RECEIVED_FIN): TIME_WAIT,
    (FIN_WAIT_1, RECEIVED_ACK_OF_FIN): FIN_WAIT_2,
    (CLOSING, RECEIVED_ACK_OF_FIN): TIME_WAIT,
    (LAST_ACK, RECEIVED_ACK_OF_FIN): CLOSED,
    (TIME_WAIT, QUIET): CLOSED,
    # resets, §3.5.2 and §3.10.7. A RST sent in CLOSED, LISTEN or SYN-SENT answers a stray segment and changes nothing.
    (SYN_RECEIVED, SENT_RST): CLOSED,
    (SYN_SENT, RECEIVED_RST): CLOSED,
    (SYN_RECEIVED, RECEIVED_RST): CLOSED,
    (SYN_RECEIVED, RECEIVED_RST_PASSIVE): LISTEN,
    **{(state, event): CLOSED for state in SYNCHRONIZED for event in (SENT_RST, RECEIVED_RST, RECEIVED_RST_PASSIVE)},
    (SYN_SENT, RECEIVED_RST_PASSIVE): CLOSED,
}


def table() -> bytes:
    """`NEXT` as bytes for the tracker: [state × len(EVENTS) + event] is the next state, the same one if nothing changes."""
    return bytes(NEXT.get((state, event), state) for state in range(len(STATES)) for event in range(len(EVENTS)))
