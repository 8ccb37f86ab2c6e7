"""States of both ends of a TCP connection: the table against RFC 9293's figure, recordings and crafted stories against its text.

What is expected was written from the RFC and the packets' numbers. A segment counts as sent and as received where it is
captured; a connection whose first segment is a SYN starts as CLOSED and LISTEN.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable

import pytest
from conftest import BATCHES, RECORDINGS, Dialogue, pcap, recordings, sizes, transitions

from analyzer.tcp import states
from analyzer.tcp.states import EVENTS, NEXT, STATES

# ---------------------------------------------------------------- the table

FIGURE_5 = """
    CLOSED       passive OPEN                   LISTEN
    CLOSED       active OPEN / snd SYN          SYN-SENT
    LISTEN       SEND / snd SYN                 SYN-SENT
    LISTEN       rcv SYN                        SYN-RECEIVED
    SYN-SENT     rcv SYN                        SYN-RECEIVED
    SYN-SENT     rcv SYN,ACK                    ESTABLISHED
    SYN-RECEIVED rcv RST (note 1)               LISTEN
    SYN-RECEIVED rcv ACK of SYN                 ESTABLISHED
    SYN-RECEIVED CLOSE / snd FIN                FIN-WAIT-1
    ESTABLISHED  CLOSE / snd FIN                FIN-WAIT-1
    ESTABLISHED  rcv FIN                        CLOSE-WAIT
    FIN-WAIT-1   rcv FIN                        CLOSING
    FIN-WAIT-1   rcv ACK of FIN                 FIN-WAIT-2
    CLOSING      rcv ACK of FIN                 TIME-WAIT
    FIN-WAIT-2   rcv FIN                        TIME-WAIT
    CLOSE-WAIT   CLOSE / snd FIN                LAST-ACK
    LAST-ACK     rcv ACK of FIN                 CLOSED
    TIME-WAIT    Timeout=2MSL                   CLOSED
"""
# What the figure leaves out. Note 3: "a RST can be sent from any state with a corresponding transition to TIME-WAIT" contradicts the
# ABORT call, §3.10.5, which deletes the block and enters CLOSED; the call is the specification, so CLOSED.
ELSEWHERE = """
    SYN-RECEIVED rcv SYN,ACK                    ESTABLISHED   §3.5 Figure 7, simultaneous open
    SYN-RECEIVED rcv FIN                        CLOSE-WAIT    §3.10.7.4, eighth
    SYN-SENT     rcv RST                        CLOSED        §3.10.7.3, second
    SYN-SENT     rcv RST (note 1)               CLOSED        §3.10.7.3, second: however it came to SYN-SENT
    SYN-RECEIVED rcv RST                        CLOSED        §3.10.7.4, second: after an active OPEN
    SYN-RECEIVED ABORT / snd RST                CLOSED        §3.10.5
    SYN-RECEIVED CLOSE / snd FIN, crossing      FIN-WAIT-1    §3.10.4
    ESTABLISHED  CLOSE / snd FIN, crossing      FIN-WAIT-1    §3.10.4
    CLOSE-WAIT   CLOSE / snd FIN, crossing      CLOSING       §3.6 Figure 13: its FIN left before the other's came
"""
SYNCHRONIZED = ("ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "CLOSE-WAIT", "CLOSING", "LAST-ACK", "TIME-WAIT")  # §3.5.2, group 3
WORDS = {  # the figure's words → the table's
    "passive OPEN": "passive open",
    "active OPEN / snd SYN": "sent SYN",
    "SEND / snd SYN": "sent SYN",
    "rcv SYN": "received SYN",
    "snd SYN,ACK": "sent SYN,ACK",
    "rcv SYN,ACK": "received SYN,ACK",
    "rcv ACK of SYN": "received ACK of its SYN",
    "CLOSE / snd FIN": "sent FIN",
    "CLOSE / snd FIN, crossing": "sent FIN before the other's arrived",
    "rcv FIN": "received FIN",
    "rcv ACK of FIN": "received ACK of its FIN",
    "ABORT / snd RST": "sent RST",
    "rcv RST": "received RST",
    "rcv RST (note 1)": "received RST after a passive open",
    "Timeout=2MSL": "2 MSL passed",
}


def edges() -> dict[tuple[str, str], str]:
    """(state, event) → state, from the texts above."""
    found = {}
    for line in (FIGURE_5.strip() + ELSEWHERE.rstrip()).splitlines():
        state, rest = line.split(maxsplit=1)
        event, after, *_ = re.split(" {3,}", rest)
        assert (state, WORDS[event]) not in found
        found[state, WORDS[event]] = after
    for state in SYNCHRONIZED:  # §3.10.7.4, second, and §3.10.5: "enter the CLOSED state"
        for event in ("received RST", "received RST after a passive open", "sent RST"):
            found[state, event] = "CLOSED"
    return found


def test_the_table_is_the_rfcs():
    """Every state with every event; what neither the figure nor the text names changes nothing."""
    assert set(WORDS.values()) == set(EVENTS)
    right = edges()
    table = states.table()
    assert len(table) == len(STATES) * len(EVENTS) == 11 * 14
    for (i, state), (j, event) in itertools.product(enumerate(STATES), enumerate(EVENTS)):
        after = right.get((state, event), state)
        assert (state, event, STATES[table[i * len(EVENTS) + j]]) == (state, event, after)
    assert {(STATES[i], EVENTS[j]): STATES[after] for (i, j), after in NEXT.items()} == right


def test_crossing_is_the_same_events_in_the_order_of_who_sent_it():
    """Seen here: FIN received, FIN sent. There: FIN sent, FIN received. Both end where the RFC's Figure 13 is."""
    index = {name: i for i, name in enumerate(STATES)}
    sent = NEXT[index["ESTABLISHED"], states.SENT_FIN]
    assert NEXT[sent, states.RECEIVED_FIN] == NEXT[index["CLOSE-WAIT"], states.SENT_FIN_EARLY]


# ---------------------------------------------------------------- recordings


def reported(rows: list[tuple[int, int, str, str, str]], start: tuple[str, str] = ("CLOSED", "LISTEN")) -> list[str]:
    """Transitions as a line for each connection; each state has to follow from the one before it."""
    at: dict[tuple[int, str], str] = {}
    result: dict[int, dict[str, list[str]]] = {}
    for stream, frame, end, before, after in rows:
        assert at.get((stream, end), start[end == "server"]) == before
        at[stream, end] = after
        result.setdefault(stream, {"client": [], "server": []})[end].append(f"{after}@{frame}")
    return ["; ".join(" ".join([end, *states]) for end, states in result[stream].items()) for stream in sorted(result)]


STORIES: dict[str, tuple[str, ...]] = {  # recording → for each of its connections state@frame in which it was entered
    "tcp-backlog": (
        "client SYN-SENT@1 ESTABLISHED@2; server SYN-RECEIVED@1 ESTABLISHED@3",
        "client SYN-SENT@4 ESTABLISHED@5; server SYN-RECEIVED@4 ESTABLISHED@6",
        "client SYN-SENT@7 ESTABLISHED@8; server SYN-RECEIVED@7 ESTABLISHED@9",
        "client SYN-SENT@10 ESTABLISHED@11; server SYN-RECEIVED@10 ESTABLISHED@12",
        "client SYN-SENT@13 ESTABLISHED@14; server SYN-RECEIVED@13 ESTABLISHED@15",
        "client SYN-SENT@16 ESTABLISHED@17; server SYN-RECEIVED@16 ESTABLISHED@18",
        "client SYN-SENT@19; server SYN-RECEIVED@19",
        "client SYN-SENT@20; server SYN-RECEIVED@20",
        "client SYN-SENT@21; server SYN-RECEIVED@21",
        "client SYN-SENT@22; server SYN-RECEIVED@22",
    ),
    # the forged RST carries RCV.NXT
    "tcp-badrst": ("client SYN-SENT@1 ESTABLISHED@2 CLOSED@32; server SYN-RECEIVED@1 ESTABLISHED@3 CLOSED@32",),
    "tcp-bulk": (
        "client SYN-SENT@1 ESTABLISHED@2 FIN-WAIT-1@374 FIN-WAIT-2@375 TIME-WAIT@375; "
        "server SYN-RECEIVED@1 ESTABLISHED@3 CLOSE-WAIT@374 LAST-ACK@375 CLOSED@376",
    ),
    "tcp-burstloss-far": (  # the FIN of 207 lies behind a hole, which 209 fills
        "client SYN-SENT@1 ESTABLISHED@2 FIN-WAIT-1@207 FIN-WAIT-2@210 TIME-WAIT@211; "
        "server SYN-RECEIVED@1 ESTABLISHED@3 CLOSE-WAIT@209 LAST-ACK@211 CLOSED@212",
    ),
    "tcp-burstloss": (
        "client SYN-SENT@1 ESTABLISHED@2 FIN-WAIT-1@211 FIN-WAIT-2@225 TIME-WAIT@226; "
        "server SYN-RECEIVED@1 ESTABLISHED@3 CLOSE-WAIT@211 LAST-ACK@226 CLOSED@227",
    ),
    "tcp-close-3": (
        "client SYN-SENT@1 ESTABLISHED@2 FIN-WAIT-1@8 FIN-WAIT-2@9 TIME-WAIT@9; "
        "server SYN-RECEIVED@1 ESTABLISHED@3 CLOSE-WAIT@8 LAST-ACK@9 CLOSED@10",
    ),
    "tcp-corrupt-far": (
        "client SYN-SENT@1 ESTABLISHED@2 FIN-WAIT-1@244 FIN-WAIT-2@245 TIME-WAIT@245; "
        "server SYN-RECEIVED@1 ESTABLISHED@3 CLOSE-WAIT@244 LAST-ACK@245 CLOSED@246",
    ),
    "tcp-corrupt": (
        "client SYN-SENT@1 ESTABLISHED@2 FIN-WAIT-1@223 FIN-WAIT-2@245 TIME-WAIT@245; "
        "server SYN-RECEIVED@1 ESTABLISHED@3 CLOSE-WAIT@223 LAST-ACK@245 CLOSED@246",
    ),
    "tcp-dup-far": (
        "client SYN-SENT@1 ESTABLISHED@2 FIN-WAIT-1@285 FIN-WAIT-2@286 TIME-WAIT@287; "
        "server SYN-RECEIVED@1 ESTABLISHED@3 CLOSE-WAIT@285 LAST-ACK@287 CLOSED@288",
    ),
    "tcp-dup": (
        "client SYN-SENT@1 ESTABLISHED@2 FIN-WAIT-1@210 FIN-WAIT-2@283 TIME-WAIT@284; "
        "server SYN-RECEIVED@1 ESTABLISHED@3 CLOSE-WAIT@210 LAST-ACK@284 CLOSED@285",
    ),
    "tcp-ecn-far": (
        "client SYN-SENT@1 ESTABLISHED@2 FIN-WAIT-1@224 FIN-WAIT-2@225 TIME-WAIT@225; "
        "server SYN-RECEIVED@1 ESTABLISHED@3 CLOSE-WAIT@224 LAST-ACK@225 CLOSED@226",
    ),
    "tcp-ecn": (
        "client SYN-SENT@1 ESTABLISHED@2 FIN-WAIT-1@203 FIN-WAIT-2@225 TIME-WAIT@225; "
        "server SYN-RECEIVED@1 ESTABLISHED@3 CLOSE-WAIT@203 LAST-ACK@225 CLOSED@226",
    ),
    "tcp-fastretx-far": (
        "client SYN-SENT@1 ESTABLISHED@2 FIN-WAIT-1@247 FIN-WAIT-2@248 TIME-WAIT@248; "
        "server SYN-RECEIVED@1 ESTABLISHED@3 CLOSE-WAIT@247 LAST-ACK@248 CLOSED@249",
    ),
    "tcp-fastretx-nosack-far": (
        "client SYN-SENT@1 ESTABLISHED@2 FIN-WAIT-1@271 FIN-WAIT-2@272 TIME-WAIT@272; "
        "server SYN-RECEIVED@1 ESTABLISHED@3 CLOSE-WAIT@271 LAST-ACK@272 CLOSED@273",
    ),
    "tcp-fastretx-nosack": (
        "client SYN-SENT@1 ESTABLISHED@2 FIN-WAIT-1@249 FIN-WAIT-2@274 TIME-WAIT@274; "
        "server SYN-RECEIVED@1 ESTABLISHED@3 CLOSE-WAIT@249 LAST-ACK@274 CLOSED@275",
    ),
    "tcp-fastretx": (
        "client SYN-SENT@1 ESTABLISHED@2 FIN-WAIT-1@223 FIN-WAIT-2@249 TIME-WAIT@249; "
        "server SYN-RECEIVED@1 ESTABLISHED@3 CLOSE-WAIT@223 LAST-ACK@249 CLOSED@250",
    ),
    "tcp-halfclose": (
        "client SYN-SENT@1 ESTABLISHED@2 FIN-WAIT-1@6 FIN-WAIT-2@7 TIME-WAIT@14; "
        "server SYN-RECEIVED@1 ESTABLISHED@3 CLOSE-WAIT@6 LAST-ACK@14 CLOSED@15",
    ),
    "tcp-halfopen": ("client SYN-SENT@1 ESTABLISHED@2 CLOSED@7; server SYN-RECEIVED@1 ESTABLISHED@3 CLOSED@7",),
    "tcp-handshake": (
        "client SYN-SENT@1 ESTABLISHED@2 FIN-WAIT-1@4 FIN-WAIT-2@5 TIME-WAIT@6; "
        "server SYN-RECEIVED@1 ESTABLISHED@3 CLOSE-WAIT@4 LAST-ACK@6 CLOSED@7",
    ),
    "tcp-interactive": (
        "client SYN-SENT@1 ESTABLISHED@2 CLOSE-WAIT@79 LAST-ACK@80 CLOSED@81; "
        "server SYN-RECEIVED@1 ESTABLISHED@3 FIN-WAIT-1@79 FIN-WAIT-2@80 TIME-WAIT@80",
    ),
    "tcp-keepalive": ("client SYN-SENT@1 ESTABLISHED@2 CLOSED@15; server SYN-RECEIVED@1 ESTABLISHED@3 CLOSED@15",),
    "tcp-linger0": (
        "client SYN-SENT@1 ESTABLISHED@2 CLOSED@6; server SYN-RECEIVED@1 ESTABLISHED@3 CLOSED@6",
        "client SYN-SENT@7 ESTABLISHED@8 CLOSED@12; server SYN-RECEIVED@7 ESTABLISHED@9 CLOSED@12",
    ),
    "tcp-md5": (
        "client SYN-SENT@1 ESTABLISHED@2 FIN-WAIT-1@8 FIN-WAIT-2@9 TIME-WAIT@9; "
        "server SYN-RECEIVED@1 ESTABLISHED@3 CLOSE-WAIT@8 LAST-ACK@9 CLOSED@10",
    ),
    "tcp-nagle": (
        "client SYN-SENT@1 ESTABLISHED@2 FIN-WAIT-1@64 FIN-WAIT-2@65 TIME-WAIT@65; "
        "server SYN-RECEIVED@1 ESTABLISHED@3 CLOSE-WAIT@64 LAST-ACK@65 CLOSED@66",
        "client SYN-SENT@67 ESTABLISHED@68 FIN-WAIT-1@121 FIN-WAIT-2@122 TIME-WAIT@122; "
        "server SYN-RECEIVED@67 ESTABLISHED@69 CLOSE-WAIT@121 LAST-ACK@122 CLOSED@123",
    ),
    "tcp-oob": (
        "client SYN-SENT@1 ESTABLISHED@2 FIN-WAIT-1@10 FIN-WAIT-2@11 TIME-WAIT@12; "
        "server SYN-RECEIVED@1 ESTABLISHED@3 CLOSE-WAIT@10 LAST-ACK@12 CLOSED@13",
    ),
    "tcp-options": (
        "client SYN-SENT@1 ESTABLISHED@2 FIN-WAIT-1@10 FIN-WAIT-2@11 TIME-WAIT@11; "
        "server SYN-RECEIVED@1 ESTABLISHED@3 CLOSE-WAIT@10 LAST-ACK@11 CLOSED@12",
        "client SYN-SENT@13 ESTABLISHED@14 FIN-WAIT-1@22 FIN-WAIT-2@23 TIME-WAIT@23; "
        "server SYN-RECEIVED@13 ESTABLISHED@15 CLOSE-WAIT@22 LAST-ACK@23 CLOSED@24",
        "client SYN-SENT@25 ESTABLISHED@26 FIN-WAIT-1@40 FIN-WAIT-2@41 TIME-WAIT@41; "
        "server SYN-RECEIVED@25 ESTABLISHED@27 CLOSE-WAIT@40 LAST-ACK@41 CLOSED@42",
    ),
    "tcp-rcvbuf": (
        "client SYN-SENT@1 ESTABLISHED@2 FIN-WAIT-1@19 FIN-WAIT-2@20 TIME-WAIT@20; "
        "server SYN-RECEIVED@1 ESTABLISHED@3 CLOSE-WAIT@19 LAST-ACK@20 CLOSED@21",
    ),
    # that nobody listened is known with the RST
    "tcp-refused": ("client SYN-SENT@1 CLOSED@2; server SYN-RECEIVED@1 CLOSED@2",),
    "tcp-reorder-far": (
        "client SYN-SENT@1 ESTABLISHED@2 FIN-WAIT-1@266 FIN-WAIT-2@267 TIME-WAIT@267; "
        "server SYN-RECEIVED@1 ESTABLISHED@3 CLOSE-WAIT@266 LAST-ACK@267 CLOSED@268",
    ),
    "tcp-reorder": (
        "client SYN-SENT@1 ESTABLISHED@2 FIN-WAIT-1@197 FIN-WAIT-2@267 TIME-WAIT@267; "
        "server SYN-RECEIVED@1 ESTABLISHED@3 CLOSE-WAIT@197 LAST-ACK@267 CLOSED@268",
    ),
    "tcp-rto-recover": (
        "client SYN-SENT@1 ESTABLISHED@2 FIN-WAIT-1@17 FIN-WAIT-2@18 TIME-WAIT@18; "
        "server SYN-RECEIVED@1 ESTABLISHED@3 CLOSE-WAIT@17 LAST-ACK@18 CLOSED@19",
    ),
    "tcp-rto": ("client SYN-SENT@1 ESTABLISHED@2; server SYN-RECEIVED@1 ESTABLISHED@3",),
    "tcp-simclose": (  # 5 does not acknowledge the FIN of 4: the server sent it before that came
        "client SYN-SENT@1 ESTABLISHED@2 FIN-WAIT-1@4 CLOSING@5 TIME-WAIT@7; "
        "server SYN-RECEIVED@1 ESTABLISHED@3 CLOSE-WAIT@4 CLOSING@5 TIME-WAIT@6",
    ),
    "tcp-simopen": (  # §3.5 Figure 7: SYN-RECEIVED at both, each SYN,ACK opens the other
        "client SYN-SENT@1 SYN-RECEIVED@2 ESTABLISHED@4 FIN-WAIT-1@11 FIN-WAIT-2@12 TIME-WAIT@13; "
        "server SYN-RECEIVED@1 ESTABLISHED@3 CLOSE-WAIT@11 LAST-ACK@13 CLOSED@14",
    ),
    "tcp-slowstart-far": (
        "client SYN-SENT@1 ESTABLISHED@2 FIN-WAIT-1@1113 FIN-WAIT-2@1114 TIME-WAIT@1115; "
        "server SYN-RECEIVED@1 ESTABLISHED@3 CLOSE-WAIT@1113 LAST-ACK@1115 CLOSED@1116",
    ),
    "tcp-slowstart": (
        "client SYN-SENT@1 ESTABLISHED@2 FIN-WAIT-1@1139 FIN-WAIT-2@1154 TIME-WAIT@1155; "
        "server SYN-RECEIVED@1 ESTABLISHED@3 CLOSE-WAIT@1139 LAST-ACK@1155 CLOSED@1156",
    ),
    "tcp-syn-linear": ("client SYN-SENT@1; server SYN-RECEIVED@1",),
    "tcp-syn-timeout": ("client SYN-SENT@1; server SYN-RECEIVED@1",),
    "tcp-tailloss-far": (  # the FIN of 30 lies behind a hole, which 34 fills
        "client SYN-SENT@1 ESTABLISHED@2 FIN-WAIT-1@30 FIN-WAIT-2@35 TIME-WAIT@36; "
        "server SYN-RECEIVED@1 ESTABLISHED@3 CLOSE-WAIT@34 LAST-ACK@36 CLOSED@37",
    ),
    "tcp-tailloss": (
        "client SYN-SENT@1 ESTABLISHED@2 FIN-WAIT-1@22 FIN-WAIT-2@38 TIME-WAIT@39; "
        "server SYN-RECEIVED@1 ESTABLISHED@3 CLOSE-WAIT@22 LAST-ACK@39 CLOSED@40",
    ),
    "tcp-tfo": (
        "client SYN-SENT@1 ESTABLISHED@2 FIN-WAIT-1@6 FIN-WAIT-2@7 TIME-WAIT@7; "
        "server SYN-RECEIVED@1 ESTABLISHED@3 CLOSE-WAIT@6 LAST-ACK@7 CLOSED@8",
        "client SYN-SENT@9 ESTABLISHED@10 FIN-WAIT-1@14 FIN-WAIT-2@15 TIME-WAIT@15; "
        "server SYN-RECEIVED@9 ESTABLISHED@11 CLOSE-WAIT@14 LAST-ACK@15 CLOSED@16",
    ),
    "tcp-timewait": (
        "client SYN-SENT@1 ESTABLISHED@2 FIN-WAIT-1@4 FIN-WAIT-2@5 TIME-WAIT@5; "
        "server SYN-RECEIVED@1 ESTABLISHED@3 CLOSE-WAIT@4 LAST-ACK@5 CLOSED@6",
        "client SYN-SENT@9 ESTABLISHED@10 CLOSE-WAIT@12 LAST-ACK@13 CLOSED@14; "
        "server SYN-RECEIVED@9 ESTABLISHED@11 FIN-WAIT-1@12 FIN-WAIT-2@13 TIME-WAIT@13",
        "client SYN-SENT@15 ESTABLISHED@16 FIN-WAIT-1@20 FIN-WAIT-2@21 TIME-WAIT@22; "
        "server SYN-RECEIVED@15 ESTABLISHED@17 CLOSE-WAIT@20 LAST-ACK@22 CLOSED@23",
    ),
    "tcp-zerowindow": (
        "client SYN-SENT@1 ESTABLISHED@2 FIN-WAIT-1@50 FIN-WAIT-2@51 TIME-WAIT@52; "
        "server SYN-RECEIVED@1 ESTABLISHED@3 CLOSE-WAIT@50 LAST-ACK@52 CLOSED@53",
    ),
}


@pytest.mark.parametrize("name", recordings())
def test_recordings(name):
    for size in sizes(name):
        assert reported(transitions(str(RECORDINGS / f"{name}.pcap.xz"), size)) == list(STORIES[name])


# ---------------------------------------------------------------- stories

OPEN = "client SYN-SENT@1 ESTABLISHED@2; server SYN-RECEIVED@1 ESTABLISHED@3"
CRAFTED: dict[str, tuple[Callable[[], Dialogue], str]] = {
    "simultaneous open": (  # §3.5 Figure 7
        lambda: Dialogue().add("c", "S", 0).add("s", "S", 0).add("c", "SA", 0, 1).add("s", "SA", 0, 1).add("c", "A", 1, 1),
        "client SYN-SENT@1 SYN-RECEIVED@2 ESTABLISHED@4; server SYN-RECEIVED@1 ESTABLISHED@3",
    ),
    "simultaneous open, acknowledged without SYN": (  # §3.10.7.4, fifth
        lambda: Dialogue().add("c", "S", 0).add("s", "S", 0).add("c", "A", 1, 1).add("s", "A", 1, 1),
        "client SYN-SENT@1 SYN-RECEIVED@2 ESTABLISHED@4; server SYN-RECEIVED@1 ESTABLISHED@3",
    ),
    "simultaneous close": (  # §3.6 Figure 13
        lambda: Dialogue().open().add("c", "FA", 1, 1).add("s", "FA", 1, 1).add("c", "A", 2, 2).add("s", "A", 2, 2),
        "client SYN-SENT@1 ESTABLISHED@2 FIN-WAIT-1@4 CLOSING@5 TIME-WAIT@7; "
        "server SYN-RECEIVED@1 ESTABLISHED@3 CLOSE-WAIT@4 CLOSING@5 TIME-WAIT@6",
    ),
    "simultaneous close with data on its way": (
        lambda: Dialogue().open().add("s", "FPA", 1, 1, b"bye").add("c", "FPA", 1, 1, b"well").add("s", "A", 5, 6).add("c", "A", 6, 5),
        "client SYN-SENT@1 ESTABLISHED@2 CLOSE-WAIT@4 CLOSING@5 TIME-WAIT@6; "
        "server SYN-RECEIVED@1 ESTABLISHED@3 FIN-WAIT-1@4 CLOSING@5 TIME-WAIT@7",
    ),
    "a FIN that acknowledges data but not the FIN": (  # the FIN of 5 had not arrived when 6 was sent
        lambda: (
            Dialogue().open().add("c", "A", 1, 1, b"a").add("c", "FA", 2, 1).add("s", "FA", 1, 2).add("s", "A", 2, 3).add("c", "A", 3, 2)
        ),
        "client SYN-SENT@1 ESTABLISHED@2 FIN-WAIT-1@5 CLOSING@6 TIME-WAIT@7; "
        "server SYN-RECEIVED@1 ESTABLISHED@3 CLOSE-WAIT@5 CLOSING@6 TIME-WAIT@8",
    ),
    "half-close": (  # FIN-WAIT-2 for as long as the other writes; acknowledging data again is no event
        lambda: (
            Dialogue()
            .open()
            .add("c", "FA", 1, 1)
            .add("s", "A", 1, 2, b"one")
            .add("c", "A", 2, 4)
            .add("s", "A", 4, 2, b"two")
            .add("c", "A", 2, 7)
            .add("s", "FA", 7, 2)
            .add("c", "A", 2, 8)
        ),
        "client SYN-SENT@1 ESTABLISHED@2 FIN-WAIT-1@4 FIN-WAIT-2@5 TIME-WAIT@9; "
        "server SYN-RECEIVED@1 ESTABLISHED@3 CLOSE-WAIT@4 LAST-ACK@9 CLOSED@10",
    ),
    "a FIN behind a hole": (  # §3.10.7: segments are processed in sequence
        lambda: Dialogue().open().add("c", "FA", 4, 1).add("s", "A", 1, 1).add("c", "A", 1, 1, b"abc").add("s", "A", 1, 5),
        "client SYN-SENT@1 ESTABLISHED@2 FIN-WAIT-1@4 FIN-WAIT-2@7; server SYN-RECEIVED@1 ESTABLISHED@3 CLOSE-WAIT@6",
    ),
    "a FIN behind a hole that was not captured": (  # the acknowledgment tells that it was filled: first of all for who sends it
        lambda: Dialogue().open().add("c", "FA", 4, 1).add("s", "A", 1, 5),
        "client SYN-SENT@1 ESTABLISHED@2 FIN-WAIT-1@4 FIN-WAIT-2@5; server SYN-RECEIVED@1 ESTABLISHED@3 CLOSE-WAIT@5",
    ),
    "a FIN sent again": (
        lambda: (
            Dialogue()
            .open()
            .add("c", "FA", 1, 1)
            .add("c", "FA", 1, 1)
            .add("s", "A", 1, 2)
            .add("c", "FA", 1, 1)
            .add("s", "FA", 1, 2)
            .add("s", "FA", 1, 2)
            .add("c", "A", 2, 2)
        ),
        "client SYN-SENT@1 ESTABLISHED@2 FIN-WAIT-1@4 FIN-WAIT-2@6 TIME-WAIT@8; "
        "server SYN-RECEIVED@1 ESTABLISHED@3 CLOSE-WAIT@4 LAST-ACK@8 CLOSED@10",
    ),
    "Fast Open: data with the SYN": (  # RFC 7413
        lambda: (
            Dialogue()
            .add("c", "S", 0, data=b"hello", options=[("TFO", (1, 2))])
            .add("s", "SA", 0, 6)
            .add("s", "A", 1, 6, b"hi")
            .add("c", "A", 6, 3)
        ),
        "client SYN-SENT@1 ESTABLISHED@2; server SYN-RECEIVED@1 ESTABLISHED@4",
    ),
    "Fast Open: the server is done before the handshake": (  # §3.10.4: FIN-WAIT-1 out of SYN-RECEIVED
        lambda: (
            Dialogue()
            .add("c", "S", 0, data=b"hello", options=[("TFO", (1, 2))])
            .add("s", "SA", 0, 6)
            .add("s", "FA", 1, 6, b"hi")
            .add("c", "A", 6, 4)
        ),
        "client SYN-SENT@1 ESTABLISHED@2 CLOSE-WAIT@3; server SYN-RECEIVED@1 FIN-WAIT-1@3 FIN-WAIT-2@4",
    ),
    "Fast Open: a closed port acknowledges the SYN without its data": (  # §3.10.7.3: ISS < SEG.ACK <= SND.NXT
        lambda: Dialogue().add("c", "S", 0, data=b"hello", options=[("TFO", (1, 2))]).add("s", "RA", 0, 1),
        "client SYN-SENT@1 CLOSED@2; server SYN-RECEIVED@1 CLOSED@2",
    ),
    "keep-alives": (  # RFC 9293 §3.8.4: one before the next number, with a byte of garbage or without
        lambda: Dialogue().open().add("c", "A", 0, 1).add("s", "A", 1, 1).add("s", "A", 0, 1, b"\0").add("c", "A", 1, 1),
        OPEN,
    ),
    "a port used again out of TIME-WAIT": (  # §3.6.1, MAY-2
        lambda: (
            Dialogue()
            .open()
            .add("c", "FA", 1, 1)
            .add("s", "FA", 1, 2)
            .add("c", "A", 2, 2)
            .add("c", "S", 70000)
            .add("s", "SA", 90000, 70001)
            .add("c", "A", 70001, 90001)
        ),
        "client SYN-SENT@1 ESTABLISHED@2 FIN-WAIT-1@4 FIN-WAIT-2@5 TIME-WAIT@5; "
        "server SYN-RECEIVED@1 ESTABLISHED@3 CLOSE-WAIT@4 LAST-ACK@5 CLOSED@6|"
        "client SYN-SENT@7 ESTABLISHED@8; server SYN-RECEIVED@7 ESTABLISHED@9",
    ),
    "SYN with FIN": (  # §3.10.7.2: the SYN, then in SYN-RECEIVED the FIN; out of SYN-SENT nobody sends a FIN
        lambda: Dialogue().add("c", "SF", 0).add("s", "RA", 0, 2),
        "client SYN-SENT@1 CLOSED@2; server SYN-RECEIVED@1 CLOSE-WAIT@1 CLOSED@2",
    ),
    "a SYN again, and its answer again": (
        lambda: (
            Dialogue().add("c", "S", 0).add("c", "S", 0).add("s", "SA", 0, 1).add("s", "SA", 0, 1).add("c", "A", 1, 1).add("s", "SA", 0, 1)
        ),
        "client SYN-SENT@1 ESTABLISHED@3; server SYN-RECEIVED@1 ESTABLISHED@5",
    ),
    "a second SYN,ACK with another number; the first is answered": (
        lambda: Dialogue().add("c", "S", 0).add("s", "SA", 0, 1).add("s", "SA", 4000, 1).add("c", "A", 1, 1),
        "client SYN-SENT@1 ESTABLISHED@2; server SYN-RECEIVED@1 ESTABLISHED@4",
    ),
    "a SYN,ACK that acknowledges too little": (  # §3.10.7.3, first: SEG.ACK <= ISS; §3.5 Figure 8: the RST carries the number acknowledged
        lambda: Dialogue().add("c", "S", 0).add("s", "SA", 0, 0).add("c", "R", 0),
        "client SYN-SENT@1; server SYN-RECEIVED@1 LISTEN@3",
    ),
    "a SYN,ACK that acknowledges too much": (  # the same: SEG.ACK > SND.NXT
        lambda: Dialogue().add("c", "S", 0).add("s", "SA", 0, 500).add("c", "R", 500),
        "client SYN-SENT@1; server SYN-RECEIVED@1 LISTEN@3",
    ),
    "an acknowledgment of less than the SYN": (
        lambda: Dialogue().add("c", "S", 0).add("s", "SA", 0, 1).add("c", "A", 1, 0),
        "client SYN-SENT@1 ESTABLISHED@2; server SYN-RECEIVED@1",
    ),
}
ASSUMED: dict[str, tuple[Callable[[], Dialogue], tuple[str, str], str]] = {  # a capture that starts in the middle
    "with data": (
        lambda: (
            Dialogue()
            .add("c", "A", 100, 200, b"abc")
            .add("s", "A", 200, 103)
            .add("s", "FA", 200, 103)
            .add("c", "FA", 103, 201)
            .add("s", "A", 201, 104)
        ),
        ("ESTABLISHED", "ESTABLISHED"),
        "client CLOSE-WAIT@3 LAST-ACK@4 CLOSED@5; server FIN-WAIT-1@3 FIN-WAIT-2@4 TIME-WAIT@4",
    ),
    "with a FIN": (
        lambda: Dialogue().add("c", "FA", 100, 200).add("s", "FA", 200, 101).add("c", "A", 101, 201),
        ("ESTABLISHED", "ESTABLISHED"),
        "client FIN-WAIT-1@1 FIN-WAIT-2@2 TIME-WAIT@2; server CLOSE-WAIT@1 LAST-ACK@2 CLOSED@3",
    ),
    "with a RST": (
        lambda: Dialogue().add("s", "R", 200),
        ("ESTABLISHED", "ESTABLISHED"),
        "client CLOSED@1; server CLOSED@1",
    ),
    "with SYN,ACK": (
        lambda: Dialogue().add("s", "SA", 0, 1).add("c", "A", 1, 1),
        ("SYN-SENT", "SYN-RECEIVED"),
        "client ESTABLISHED@1; server ESTABLISHED@2",
    ),
}
WRAPS = [(1000, 5000), (0xFFFFFFFF, 0xFFFFFFFE), (0x7FFFFFFF, 0), (0, 0xFFFFFFFC)]


def told_of(save, talk: Dialogue, start: tuple[str, str] = ("CLOSED", "LISTEN")) -> str:
    """Its transitions, the same in all sizes of batches."""
    name = save(pcap(*talk.frames))
    (result,) = {"|".join(reported(transitions(name, size), start)) for size in BATCHES}
    return result


@pytest.mark.parametrize("what", CRAFTED)
def test_stories(save, what):
    make, right = CRAFTED[what]
    assert told_of(save, make()) == right


@pytest.mark.parametrize("what", ASSUMED)
def test_a_capture_that_starts_in_the_middle(save, what):
    make, start, right = ASSUMED[what]
    assert told_of(save, make(), start) == right


# what leads to a state of one end, that end, and the other end's next number
REACHED: dict[str, tuple[Callable[..., Dialogue], str, int]] = {
    "SYN-RECEIVED": (lambda *isn: Dialogue(*isn).add("c", "S", 0).add("s", "SA", 0, 1), "s", 1),
    "ESTABLISHED": (lambda *isn: Dialogue(*isn).open().add("s", "A", 1, 1, b"abc").add("c", "A", 1, 4), "c", 4),
    "FIN-WAIT-1": (lambda *isn: Dialogue(*isn).open().add("c", "FA", 1, 1), "c", 1),
    "FIN-WAIT-2": (lambda *isn: Dialogue(*isn).open().add("c", "FA", 1, 1).add("s", "A", 1, 2), "c", 1),
    "CLOSE-WAIT": (lambda *isn: Dialogue(*isn).open().add("c", "FA", 1, 1), "s", 2),
    "CLOSING": (lambda *isn: Dialogue(*isn).open().add("c", "FA", 1, 1).add("s", "FA", 1, 1), "c", 2),
    "LAST-ACK": (lambda *isn: Dialogue(*isn).open().add("c", "FA", 1, 1).add("s", "FA", 1, 2), "s", 2),
    "TIME-WAIT": (lambda *isn: Dialogue(*isn).open().add("c", "FA", 1, 1).add("s", "FA", 1, 2).add("c", "A", 2, 2), "c", 2),
}


@pytest.mark.parametrize("isn", WRAPS[:2])
@pytest.mark.parametrize("state", REACHED)
def test_a_reset_in_every_state(save, state, isn):
    """§3.10.7.4: RCV.NXT resets; what lies behind it, or was acknowledged before, does not. Who sends one is done with it."""
    lead, end, due = REACHED[state]
    sender, name = ("s", "client") if end == "c" else ("c", "server")
    before = told_of(save, lead(*isn))
    had = {side.split()[0]: side.split()[1:] for side in before.split("; ")}
    assert had[name][-1].split("@")[0] == state
    for seq, accepted in ((due, True), (due + 1, False), (due + 30000, False), (due - 2, False), (due + (1 << 31), False)):
        talk = lead(*isn)
        at = len(talk.frames) + 1
        after = told_of(save, talk.add(sender, "R", seq))
        ends = {side.split()[0]: side.split()[1:] for side in after.split("; ")}
        listens = "LISTEN" if state == "SYN-RECEIVED" else "CLOSED"  # note 1: it was a passive open
        assert ends[name] == had[name] + [f"{listens}@{at}"] * accepted
        other = "server" if name == "client" else "client"
        gone = had[other][-1].startswith("CLOSED")
        assert ends[other] == had[other] + [f"CLOSED@{at}"] * (not gone)


@pytest.mark.parametrize(
    ("flags", "seq", "ack", "accepted"),
    [("RA", 0, 1, True), ("RA", 0, 0, False), ("RA", 0, 2, False), ("R", 0, None, False), ("R", 1, None, False)],
)
@pytest.mark.parametrize("isn", WRAPS)
def test_a_reset_in_syn_sent(save, isn, flags, seq, ack, accepted):
    """§3.10.7.3, second: only with an acknowledgment of the SYN."""
    result = told_of(save, Dialogue(*isn).add("c", "S", 0).add("s", flags, seq, ack))
    assert result == f"client SYN-SENT@1{' CLOSED@2' * accepted}; server SYN-RECEIVED@1 CLOSED@2"


@pytest.mark.parametrize("who", "cs")
def test_a_reset_after_a_simultaneous_open_does_not_listen_again(save, who):
    """Note 1 of Figure 5: back to LISTEN only from a passive open, and both were active."""
    result = told_of(save, Dialogue().add("c", "S", 0).add("s", "S", 0).add(who, "R", 1))
    assert result == "client SYN-SENT@1 SYN-RECEIVED@2 CLOSED@3; server SYN-RECEIVED@1 CLOSED@3"


def test_a_reset_in_closed_changes_nothing(save):
    talk = Dialogue().open().add("s", "R", 1).add("c", "R", 1).add("s", "RA", 1, 1)
    assert told_of(save, talk) == "client SYN-SENT@1 ESTABLISHED@2 CLOSED@4; server SYN-RECEIVED@1 ESTABLISHED@3 CLOSED@4"


@pytest.mark.parametrize("isn", WRAPS)
def test_stories_where_numbers_wrap(save, isn):
    """Opening, data, half-close, closing: the same where numbers pass 2^31 and 2^32."""
    talk = Dialogue(*isn).open().add("c", "A", 1, 1, b"abcdef").add("s", "A", 1, 7, b"xyz").add("c", "FA", 7, 4).add("s", "FA", 4, 8)
    assert told_of(save, talk.add("c", "A", 8, 5)) == (
        "client SYN-SENT@1 ESTABLISHED@2 FIN-WAIT-1@6 FIN-WAIT-2@7 TIME-WAIT@7; "
        "server SYN-RECEIVED@1 ESTABLISHED@3 CLOSE-WAIT@6 LAST-ACK@7 CLOSED@8"
    )
