"""Verdicts on TCP connections: what a careful engineer says of each recording (docs/verdicts.md, written from the packets with tshark
and tcpdump before the program could say it), and crafted captures for what no recording shows.

What is looked for in a sentence are the frames, numbers and names that matter; they are never taken from our output.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from conftest import BATCHES, RECORDINGS, ROOT, Trace, sizes

from analyzer import Analysis
from analyzer.expert import SEVERITIES, rules

PAGE = ROOT / "docs" / "verdicts.md"
COLUMNS = "severity", "kind", "verdict"
HEALTHY = ("chat", "healthy")


def verdicts(name: str, batch: int | None = None) -> dict[int, tuple[str, str, str]]:
    """Stream → severity, kind, sentence."""
    rows = Analysis(name, batch_frames=batch).table("streams").select("stream", *COLUMNS).rows()
    return {stream: (severity, kind, verdict) for stream, severity, kind, verdict in rows}


def check(found: tuple[str, str, str], expected: tuple[str, ...]) -> None:
    severity, kind, *facts = expected
    assert found[:2] == (severity, kind)
    for fact in facts:
        assert re.search(rf"(?<![\d.,]){re.escape(fact)}(?![\d]|[.,]\d)", found[2]), (fact, found[2])


# ---------------------------------------------------------------- recordings

A, B = "192.168.1.108", "192.168.1.109"
UNSERVED = ("error", "listen queue overflowed", f"{B}:12345", "3 SYNs", "6 connections", "listen queue is full")
RECORDED: dict[str, dict[int, tuple[str, ...]]] = {
    "tcp-handshake": {0: (*HEALTHY, "frames 1 to 3", "no data", "first FIN in frame 4")},
    "tcp-close-3": {0: (*HEALTHY, "5 bytes there, 5 bytes back", "first FIN in frame 8")},
    "tcp-interactive": {0: (*HEALTHY, "first FIN in frame 79")},
    "tcp-bulk": {0: (*HEALTHY, "10.5 ms", "300,000 bytes", "first FIN in frame 374")},
    "http": dict.fromkeys(range(18), HEALTHY),
    "tcp-halfclose": {0: (*HEALTHY, "7 bytes there, 24 bytes back", "first FIN in frame 6")},
    "tcp-simopen": {0: (*HEALTHY, "121 ms", "both ends at once", "6 bytes there, 6 bytes back", "frame 11")},
    "tcp-simclose": {0: (*HEALTHY, "124 ms", "no data", "first FIN in frame 4")},
    "tcp-oob": {0: ("note", "healthy, urgent data", A, "1 segment with URG", "frame 6")},
    "tcp-options": {0: (*HEALTHY, "3,000 bytes"), 1: (*HEALTHY, "3,000 bytes"), 2: (*HEALTHY, "3,000 bytes", "frame 40")},
    "tcp-tfo": {0: (*HEALTHY, "9 bytes there, 9 bytes back", "frame 6"), 1: (*HEALTHY, "9 bytes there, 9 bytes back", "frame 14")},
    "tcp-md5": {0: (*HEALTHY, "6 bytes there, 6 bytes back", "frame 8")},
    "tcp-timewait": {
        0: ("note", "healthy, sent again needlessly", B, "frame 7"),
        1: (*HEALTHY, "no data", "frame 12"),
        2: ("note", "healthy, port reused", f"{A}:23456", "frame 15", "frame 16"),
    },
    "tcp-ecn": {0: ("note", "healthy, congestion signalled", B, "ECE, frame 100")},
    "tcp-ecn-far": {0: ("note", "healthy, congestion signalled", B, "ECE, frame 71")},
    "tcp-reorder": {0: ("note", "healthy, reordered", A, "behind the point of capture", "nothing was sent again")},
    "tcp-reorder-far": {0: ("note", "healthy, reordered", "16 segments", "before the point of capture", "frame 64")},
    "tcp-dup": {0: ("note", "healthy, duplicated", "3 segments", "D-SACK", "behind the point of capture")},
    "tcp-dup-far": {0: ("note", "healthy, duplicated", "3 segments", "before the point of capture", "frame 40")},
    "pmtud": {0: ("note", "healthy, path MTU obeyed", "1,500 bytes", "10.0.1.1", "MTU 1400", "frames 11 to 25", "frame 26")},
    "tcp-syn-timeout": {
        0: ("error", "no answer to the SYN", f"{B}:80", "6 times in 31.5 s", "frames 1 to 8", "1.01 s to 16.1 s, doubling", "no ICMP")
    },
    "tcp-syn-linear": {0: ("error", "no answer to the SYN", "8 times in 11.2 s", "frames 1 to 10", "1.01 s to 4.13 s", "no ICMP")},
    "tcp-refused": {0: ("error", "refused", f"{B}:54321", "27 µs", "frame 2 for 1", "nobody listens")},
    "tcp-backlog": dict.fromkeys(range(6), (*HEALTHY, "no data"))
    | {
        stream: (*UNSERVED, f"{A}:{port}", f"frames {first} to {last}")
        for stream, port, first, last in ((6, 50886, 19, 27), (7, 50890, 20, 28), (8, 50904, 21, 29), (9, 50916, 22, 30))
    },
    "tcp-linger0": {
        0: ("warn", "reset", A, "ESTABLISHED", "204 ms", "frame 6", "nothing was unacknowledged"),
        1: ("warn", "reset", B, "ESTABLISHED", "212 ms", "frame 12", "nothing was unacknowledged"),
    },
    "tcp-halfopen": {0: ("error", "half-open", B, "frame 6", "373 µs", "frame 7", "1 byte undelivered")},
    "tcp-badrst": {
        0: ("error", "reset, forged", "frame 32", B, "TTL is 200", "64", "frame 33", f"{A}:57350", "ESTABLISHED", "7,656 bytes")
    },
    "tcp-keepalive": {0: ("error", "keep-alives unanswered", B, "3 answered", "last 3 not", "frames 12 to 14", "frame 15", "3.07 s")},
    "tcp-nagle": {0: ("warn", "Nagle against delayed ACK", A, "9 times", "405 ms", "to 60"), 1: (*HEALTHY, "first FIN in frame 121")},
    "tcp-zerowindow": {0: ("warn", "reader slow", B, "1 time", "3.91 s", "frames 17 to 25", "probed 4 times")},
    "tcp-rcvbuf": {0: (*HEALTHY, "4,096 bytes")},
    "tcp-rto": {
        0: ("error", "retransmissions unanswered", B, "4 bytes", "frame 6", "5 times in 3.48 s", "frames 7 to 12", "215 ms to 1.73 s")
    },
    "tcp-rto-recover": {0: ("warn", "retransmission time-outs", "6.86 s", "frames 8 to 15", "6 segments", "recovered")},
    "tcp-fastretx": {0: ("note", "loss recovered", "1 of", "behind the point of capture", "frame 133", "without a time-out")},
    "tcp-fastretx-far": {0: ("note", "loss recovered", "1 of 139", "before the point of capture", "frame 157", "without a time-out")},
    "tcp-fastretx-nosack": {0: ("note", "loss recovered", "2 of", "behind the point of capture", "131 to 184", "without a time-out")},
    "tcp-fastretx-nosack-far": {0: ("note", "loss recovered", "2 of", "before the point of capture", "176 to 186", "without a time-out")},
    "tcp-burstloss": {0: ("warn", "retransmission time-outs", "to 225", "15 segments", "2 time-outs", "recovered")},
    "tcp-burstloss-far": {0: ("warn", "retransmission time-outs", "frames 109 to 210", "12 segments", "recovered")},
    "tcp-tailloss": {0: ("note", "loss recovered", "3 of", "behind the point of capture", "frames 33 to 37")},
    "tcp-tailloss-far": {0: ("note", "loss recovered", "2 of", "before the point of capture", "frames 32 to 34")},
    "tcp-corrupt": {0: ("note", "loss recovered", "1 of", "behind the point of capture", "frame 104", "without a time-out")},
    "tcp-corrupt-far": {0: ("note", "loss recovered", "1 of", "frame 113", "without a time-out")},
    "tcp-slowstart": {
        0: ("warn", "limited by the network", "899,840 bytes", "40 of 662", "6.0 %", "behind the point of capture", "160 to 701", "without")
    },
    "tcp-slowstart-far": {0: ("warn", "limited by the network", "899,840 bytes in 2.72 s", "before the point of capture", "to 692")},
    "http-lossy": {0: ("warn", "loss", "4 of", "before the point of capture", "frames 52 to 226", "without a time-out")},
    "unreachable": {
        0: ("error", "refused by ICMP", "10.0.1.1", "10.0.3.2:25", "ICMP 3/13, administratively prohibited", "61 µs", "frame 8 for frame 7")
    },
}


def test_every_recording_has_its_verdict():
    """All of TCP alone; those of applications, neighbors and routers have stories of their own."""
    there = {path.name.removesuffix(".pcap.xz") for path in RECORDINGS.glob("*.pcap.xz")}
    assert {name for name in there if name.startswith("tcp-")} <= set(RECORDED) <= there


@pytest.mark.parametrize("name", RECORDED)
def test_recordings(name):
    for size in sizes(name):
        found = verdicts(str(RECORDINGS / f"{name}.pcap.xz"), size)
        assert set(found) == set(RECORDED[name])
        for stream, expected in RECORDED[name].items():
            check(found[stream], expected)


def test_the_page_says_what_the_program_says():
    """docs/verdicts.md sets both sentences side by side; the program's is that of the first stream of the row."""
    rows = re.findall(r"^### (\S+), streams? (\d+).*?^- \*\*Program\*\* \((.*?)\): (.*?)$", PAGE.read_text(), re.M | re.S)
    printed = {(name, int(stream)): (kind, verdict) for name, stream, kind, verdict in rows if name in RECORDED}
    assert {name for name, _ in printed} == set(RECORDED)
    for (name, stream), expected in printed.items():
        assert verdicts(str(RECORDINGS / f"{name}.pcap.xz"))[stream][1:] == expected


# ---------------------------------------------------------------- crafted

FULL = b"x" * 1460  # with 40 bytes of headers a datagram of 1,500


def times(trace: Trace, when: tuple[float, ...], *segment: Any, **more: Any) -> Trace:
    """The same segment at each of these times."""
    for at in when:
        trace.tcp(at, *segment, **more)
    return trace


def vanishing() -> Trace:
    """A small segment is acknowledged, a full one is sent four times for nothing (frames 6 to 9)."""
    trace = Trace().open().tcp(0.02, "c", "PA", 1, 1, b"g" * 100).tcp(0.03, "s", "A", 1, 101)
    return times(trace, (0.04, 0.4, 1.1, 2.5), "c", "PA", 101, 1, FULL)


def proven() -> Trace:
    trace = vanishing().tcp(5.3, "c", "A", 101, 1, FULL[:700]).tcp(5.31, "s", "A", 1, 801)
    return trace.tcp(5.32, "c", "PA", 801, 1, FULL[700:]).tcp(5.33, "s", "A", 1, 1561)


def ignoring(sends: tuple[float, ...]) -> Trace:
    trace = Trace().open().tcp(0.02, "c", "PA", 1, 1, FULL).icmp(0.03, 4, type=3, code=4, nexthopmtu=1400)
    return times(trace, sends, "c", "PA", 1, 1, FULL)


def used_before() -> Trace:
    """A connection that the server closed first (frames 1 to 7): it is in TIME-WAIT. What follows has lower numbers."""
    trace = Trace().open().tcp(0.1, "s", "FA", 1, 1).tcp(0.11, "c", "A", 1, 2).tcp(0.12, "c", "FA", 1, 2).tcp(0.13, "s", "A", 2, 2)
    trace.isn["c"] -= 500
    return trace


def met_an_old_one() -> Trace:
    """RFC 9293 §3.5.1, Figure 10: the SYN meets an old connection, whose ACK gets a RST."""
    return Trace().tcp(0, "c", "S", 0).tcp(0.01, "s", "A", 70000, 90000).tcp(0.02, "c", "R", 90000)


def one_way(who: str, flags: str = "", acked: int = 0) -> Trace:
    """Two seconds of data of one end that acknowledges the other, of which nothing is there."""
    trace = Trace()
    if flags:
        trace.tcp(0, who, flags, 0, 1 if "A" in flags else None)
    for i in range(20):
        trace.tcp(0.02 + i * 0.1, who, "PA", 1 + 100 * i, 1 + acked * i, b"q" * 100)
    return trace


def transfer(window: int = 60000, pause: float = 0.0, end: float = 0.0) -> Trace:
    """120 segments of 1,000 bytes, two in flight at a round trip of 20 ms."""
    trace, at, seq = Trace().open(0.02), 0.05, 1
    for _ in range(60):
        trace.tcp(at, "c", "A", seq, 1, FULL[:1000]).tcp(at + 0.0005, "c", "A", seq + 1000, 1, FULL[:1000])
        seq, at = seq + 2000, at + 0.02
        trace.tcp(at, "s", "A", 1, seq, window=window)
        at += pause
    return trace.tcp(at + end, "c", "FA", seq, 1).tcp(at + end + 0.02, "s", "FA", 1, seq + 1).tcp(at + end + 0.03, "c", "A", seq + 1, 2)


def asked(answer: float, wait: float = 0.0, trip: float = 0.01) -> Trace:
    """A question of 3 bytes at once or after `wait` (frame 4), its ACK after a round trip (5), the answer (6) after `answer`."""
    at = trip + 1e-5 + wait
    trace = Trace().open(trip).tcp(at, "c", "PA", 1, 1, b"GET").tcp(at + trip, "s", "A", 1, 4)
    return trace.tcp(at + answer, "s", "PA", 1, 4, b"OK").tcp(at + answer + 0.001, "c", "A", 4, 3)


def on_port(trace: Trace, port: int) -> Trace:
    """The same with another port of the server; checksums are not verified here."""
    here, there = (80).to_bytes(2, "big"), port.to_bytes(2, "big")
    trace.frames = [
        (at, frame[:34] + b"".join(there if one == here else one for one in (frame[34:36], frame[36:38])) + frame[38:], wire)
        for at, frame, wire in trace.frames
    ]
    return trace


def kept_alive() -> Trace:
    trace = Trace().open().tcp(0.02, "c", "PA", 1, 1, b"hi").tcp(0.03, "s", "A", 1, 3)
    for at in (10, 20, 30, 40):
        trace.tcp(at, "c", "A", 2, 1).tcp(at + 0.01, "s", "A", 1, 3)
    return trace


def closed_window() -> Trace:
    trace = Trace().open().tcp(0.02, "c", "PA", 1, 1, b"data").tcp(0.03, "s", "A", 1, 5, window=0)
    for at in (0.3, 0.9, 2.1, 4.5):
        trace.tcp(at, "c", "A", 4, 1).tcp(at + 0.01, "s", "A", 1, 5, window=0)
    return trace


def datagram(at: float) -> tuple[float, bytes]:
    from scapy.all import IP, UDP, Ether

    return at, bytes(Ether() / IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=5000, dport=9999) / b"hey")


def talked() -> Trace:
    """Two questions, each acknowledged, nothing else; frames 4 to 7."""
    trace = Trace().open().tcp(0.02, "c", "PA", 1, 1, b"hi").tcp(0.03, "s", "A", 1, 3)
    return trace.tcp(0.04, "c", "PA", 3, 1, b"hi").tcp(0.05, "s", "A", 1, 5)


CRAFTED: dict[str, tuple[Callable[[], Trace], dict[int, tuple[str, ...]]]] = {
    "black hole, proven": (
        proven,
        {0: ("error", "path MTU black hole", "1,500 bytes", "10.0.0.1:40000", "4 times", "frames 6 to 9", "smaller pieces (frame 10)")},
    ),
    "black hole, the other end speaks": (
        lambda: vanishing().tcp(3, "s", "PA", 1, 101, b"hello?"),
        {0: ("error", "path MTU black hole", "1,500 bytes", "4 times", "frames 6 to 9", "no ICMP")},
    ),
    "black hole, suspected": (vanishing, {0: ("error", "retransmissions unanswered", "frames 7 to 9", "path MTU black hole")}),
    "only asked": (
        lambda: Trace().tcp(0, "c", "S", 0).tcp(0.01, "s", "SA", 0, 1).tcp(0.02, "c", "R", 1),
        {0: ("note", "only asked", "10.0.0.1:40000", "10.0.0.2:80", "10.0 ms", "frame 2", "frame 3")},
    ),
    "ICMP is not obeyed": (
        lambda: ignoring((0.4, 1.1, 2.5)),
        {0: ("error", "path MTU black hole", "10.0.0.1:40000", "1400", "frame 5", "3 datagrams")},
    ),
    "sent before the ICMP could arrive": (  # what was on its way is no disobedience
        lambda: ignoring((0.031,)).tcp(0.04, "c", "A", 1, 1, FULL[:1300]).tcp(0.06, "s", "A", 1, 1301),
        {0: ("note", "healthy, path MTU obeyed", "10.0.0.254", "MTU 1400", "frame 7")},
    ),
    "port reused too soon, RST": (
        lambda: used_before().tcp(1, "c", "S", 0).tcp(1.01, "s", "RA", 0, 1),
        {0: HEALTHY, 1: ("error", "port reused too soon", "10.0.0.1:40000", "frame 8", "RST (frame 9)")},
    ),
    "port reused too soon, challenge": (  # RFC 5961 §4.2: the ACK of the connection before; its RST follows
        lambda: used_before().tcp(1, "c", "S", 0).tcp(1.01, "s", "A", 2, 502).tcp(1.02, "c", "R", 502),
        {0: HEALTHY, 1: ("error", "port reused too soon", "10.0.0.1:40000", "frame 8", "frame 9")},
    ),
    "half-open server": (met_an_old_one, {0: ("error", "half-open", "10.0.0.2:80", "frame 1", "frame 2")}),
    "half-open server, and then open": (  # Figure 10 goes on: the next SYN opens
        lambda: met_an_old_one().tcp(1, "c", "S", 0).tcp(1.01, "s", "SA", 0, 1).tcp(1.02, "c", "A", 1, 1),
        {0: ("warn", "opened late", "2 times", "1.02 s", "frames 1 to 6", "old connection", "frame 2")},
    ),
    "one way, the client": (lambda: one_way("c", "S"), {0: ("note", "cannot tell", "only one direction", "21 segments", "10.0.0.1:40000")}),
    "one way, the client, answered": (lambda: one_way("c", "S", 500), {0: ("note", "cannot tell", "only one direction")}),
    "one way, the server": (lambda: one_way("s", "SA"), {0: ("note", "cannot tell", "only one direction", "21 segments", "10.0.0.2:80")}),
    "one way, in the middle": (lambda: one_way("s"), {0: ("note", "cannot tell", "only one direction", "20 segments")}),
    "the SYN,ACK comes again": (  # the queue is full when the ACK comes: it is dropped, and the SYN,ACK sent again
        lambda: times(Trace().open(), (1, 3, 7), "s", "SA", 0, 1),
        {0: ("error", "listen queue overflowed", "10.0.0.2:80", "4 times", "3 of them", "frame 3")},
    ),
    "gave up": (
        lambda: times(Trace().open(), (0.02, 0.3, 0.9, 2.1, 4.5), "c", "PA", 1, 1, b"data").tcp(9, "c", "RA", 5, 1),
        {0: ("error", "gave up", "10.0.0.1:40000", "frame 9", "4 bytes", "frame 4", "4 times in 4.48 s", "frames 5 to 8", "doubling")},
    ),
    "reader stopped": (closed_window, {0: ("error", "reader stopped", "10.0.0.2:80", "frame 5", "4.48 s", "4 probes", "4 answered")}),
    "limited by the window": (
        lambda: transfer(window=2000),
        {0: ("warn", "limited by the receiver's window", "10.0.0.2:80", "2,000 bytes", "20.0 ms")},
    ),
    "limited by the application": (lambda: transfer(pause=0.08), {0: ("warn", "limited by the application", "10.0.0.1:40000")}),
    "neither": (transfer, {0: HEALTHY}),
    "idle after the last data": (lambda: transfer(end=30), {0: HEALTHY}),  # nobody waits for anything
    "opened late, SYN lost": (
        lambda: Trace().tcp(0, "c", "S", 0).tcp(1, "c", "S", 0).tcp(1.01, "s", "SA", 0, 1).tcp(1.02, "c", "A", 1, 1),
        {0: ("warn", "opened late", "SYN 2 times", "SYN,ACK 1 time", "frames 1 to 4", "1.02 s")},
    ),
    "opened late, SYN,ACK lost": (
        lambda: Trace().tcp(0, "c", "S", 0).tcp(0.01, "s", "SA", 0, 1).tcp(1.01, "s", "SA", 0, 1).tcp(1.02, "c", "A", 1, 1),
        {0: ("warn", "opened late", "SYN 1 time", "SYN,ACK 2 times", "1.02 s")},
    ),
    "cut by the capture": (
        lambda: (
            Trace()
            .open()
            .tcp(0.02, "c", "PA", 1, 1, FULL, keep=96)
            .tcp(0.03, "s", "A", 1, 1461)
            .tcp(0.04, "s", "A", 1, 1461, FULL, keep=96)
            .tcp(0.041, "s", "A", 1461, 1461, FULL, keep=96)
            .tcp(0.05, "c", "A", 1461, 2921)
        ),
        {0: ("chat", "healthy, cut by the capture", "1 segment of 10.0.0.1:40000", "2 of 10.0.0.2:80")},
    ),
    "keep-alives, all answered": (kept_alive, {0: HEALTHY}),
    "keep-alives, one unanswered": (lambda: kept_alive().tcp(50, "c", "A", 2, 1), {0: HEALTHY}),
    "keep-alives, two unanswered": (
        lambda: times(kept_alive(), (50, 60), "c", "A", 2, 1),
        {0: ("error", "keep-alives unanswered", "10.0.0.2:80", "4 answered", "last 2 not", "frames 14 and 15")},
    ),
    "RST with another TTL": (
        lambda: talked().tcp(0.5, "s", "RA", 1, 5, ttl=200),
        {0: ("error", "reset, forged", "frame 8", "10.0.0.2:80", "TTL is 200", "64")},
    ),
    "RST whose identification is out of the row": (  # alone it says nothing: a host may draw it at random
        lambda: talked().tcp(0.5, "s", "RA", 1, 5, ident=31337),
        {0: ("warn", "reset", "10.0.0.2:80", "frame 8", "nothing was unacknowledged")},
    ),
    "RST with a TTL of two less": (  # a route
        lambda: talked().tcp(0.5, "s", "RA", 1, 5, ttl=62),
        {0: ("warn", "reset", "frame 8")},
    ),
    "reset with data on the way": (
        lambda: talked().tcp(0.06, "c", "PA", 5, 1, b"12345").tcp(0.3, "s", "RA", 1, 5),
        {0: ("warn", "reset", "10.0.0.2:80", "frame 9", "0 bytes of its own and 5 bytes of 10.0.0.1:40000 not acknowledged")},
    ),
    "RST in place of the last ACK": (
        lambda: talked().tcp(0.06, "s", "FPA", 1, 5, b"bye").tcp(0.07, "c", "RA", 5, 5),
        {0: ("note", "closed with a RST", "10.0.0.1:40000", "CLOSE-WAIT", "frame 9", "nothing was lost")},
    ),
    "the middle": (
        lambda: (
            Trace()
            .tcp(0, "s", "A", 1, 1, FULL)
            .tcp(0.01, "c", "A", 1, 1461)
            .tcp(0.02, "s", "A", 1461, 1, FULL)
            .tcp(0.03, "c", "A", 1, 2921)
        ),
        {0: (*HEALTHY, "2,920 bytes", "opened before the capture")},
    ),
    "closed by one end": (
        lambda: talked().tcp(0.06, "s", "FA", 1, 5).tcp(0.07, "c", "A", 5, 2),
        {0: (*HEALTHY, "4 bytes there", "closed by the server only (FIN, frame 8)")},
    ),
    "one SYN and time to wait": (
        lambda: Trace().tcp(0, "c", "S", 0).put(*datagram(3)),
        {0: ("error", "no answer to the SYN", "10.0.0.2:80", "one SYN", "frame 1", "3.00 s")},
    ),
    "one SYN and no time to wait": (
        lambda: Trace().tcp(0, "c", "S", 0).put(*datagram(0.5)),
        {0: ("note", "cannot tell", "500 ms", "10.0.0.1:40000", "10.0.0.2:80", "frame 1")},
    ),
    "a copy of a SYN is no second try": (
        lambda: Trace().tcp(0, "c", "S", 0, ident=9).tcp(0.005, "c", "S", 0, ident=9).put(*datagram(0.5)),
        {0: ("note", "cannot tell", "frame 1")},
    ),
    "port unreachable": (
        lambda: Trace().tcp(0, "c", "S", 0).icmp(0.001, 1, source="10.0.0.2", type=3, code=3),
        {0: ("error", "refused by ICMP", "The host itself", "10.0.0.2:80", "ICMP 3/3, port unreachable", "1.00 ms", "frame 2 for frame 1")},
    ),
    "server slow": (
        lambda: asked(1.98),
        {0: ("warn", "server slow to answer", "10.0.0.2:80", "1.98 s", "frame 6 for 4", "10.0 ms", "program")},
    ),
    "client slow": (lambda: asked(0.03, wait=2.99), {0: ("warn", "client slow", "10.0.0.1:40000", "10.0 ms", "2.99 s", "frame 4")}),
    "path slow": (lambda: asked(0.71, trip=0.7), {0: ("warn", "path slow", "700 ms", "frames 1 to 3")}),
    "a server that greets is not asked": (lambda: on_port(asked(1.98), 25), {0: HEALTHY}),
    "a server that greets, asked again": (
        lambda: on_port(asked(0.2).tcp(0.5, "c", "PA", 4, 3, b"HELO").tcp(2.5, "s", "PA", 3, 8, b"250"), 25),
        {0: ("warn", "server slow to answer", "10.0.0.2:25", "2.00 s", "frame 9 for 8")},
    ),
    "BGP is not asked": (lambda: on_port(asked(1.98), 179), {0: HEALTHY}),
    "a server that speaks again unasked": (
        lambda: (
            asked(0.2)
            .tcp(3, "s", "PA", 3, 4, b"news")
            .tcp(3.1, "c", "A", 4, 7)
            .tcp(4, "c", "PA", 4, 7, b"1")
            .tcp(9, "s", "PA", 7, 5, b"22")
        ),
        {0: HEALTHY},
    ),
    "heartbeats": (  # BGP's KEEPALIVE, RFC 4271 §4.4: each end has its timer
        lambda: Trace().open().tcp(10, "c", "PA", 1, 1, b"k" * 19).tcp(10.1, "s", "A", 1, 20).tcp(25, "s", "PA", 1, 20, b"k" * 19),
        {0: ("warn", "client slow")},
    ),
    "ICMP that the connection outlives": (
        lambda: Trace().open().tcp(0.02, "c", "PA", 1, 1, b"hi").icmp(0.03, 4, type=3, code=1).tcp(0.04, "s", "A", 1, 3),
        {0: ("note", "healthy, ICMP error outlived", "Router 10.0.0.254", "ICMP 3/1, host unreachable", "frame 5", "frame 6")},
    ),
    "ICMP that nobody can have sent": (  # frame 4 was acknowledged in frame 5
        lambda: talked().icmp(0.06, 4, type=3, code=1).tcp(0.3, "c", "PA", 5, 1, b"x").tcp(0.31, "s", "A", 1, 6),
        {0: ("note", "healthy, ICMP error not believed", "ICMP 3/1, host unreachable", "frame 8")},
    ),
    "a forged MTU": (  # RFC 5927 §7.2: not outstanding, not obeyed, and what goes on above it disobeys nothing
        lambda: times(
            Trace().open().tcp(0.02, "c", "PA", 1, 1, FULL).tcp(0.03, "s", "A", 1, 1461).icmp(0.04, 4, type=3, code=4, nexthopmtu=600),
            (0.5, 1.1, 2.5),
            "c",
            "PA",
            1461,
            1,
            FULL,
        ),
        {0: ("error", "retransmissions unanswered", "frames 8 and 9", "Besides: ICMP error not believed.")},
    ),
    "an MTU for one direction": (  # the server's datagrams go another way, which takes them
        lambda: (
            times(ignoring(()).tcp(0.05, "c", "A", 1, 1, FULL[:1300]).tcp(0.06, "s", "A", 1, 1301), (0.5,), "s", "A", 1, 1301, FULL)
            .tcp(0.51, "c", "A", 1301, 1461)
            .tcp(0.52, "s", "A", 1461, 1301, FULL)
            .tcp(0.53, "c", "A", 1301, 2921)
        ),
        {0: ("note", "healthy, path MTU obeyed", "MTU 1400", "frame 6")},
    ),
    "two troubles": (
        lambda: asked(1.98).tcp(2.5, "s", "RA", 3, 4),
        {0: ("warn", "reset", "10.0.0.2:80", "frame 8", "Besides: server slow to answer.")},
    ),
    "all below half a second": (lambda: asked(0.45, wait=0.45, trip=0.04), {0: HEALTHY}),
    "lost, and the capture ends": (
        lambda: (
            Trace()
            .tcp(0, "s", "A", 1, 1, FULL)
            .tcp(0.0101, "c", "A", 1, 1461)
            .tcp(0.0102, "s", "A", 2921, 1, FULL)
            .tcp(0.0103, "c", "A", 1, 1461)
            .tcp(0.0104, "s", "A", 5841, 1, FULL)
            .tcp(0.0105, "c", "A", 1, 1461)
            .tcp(0.0106, "s", "A", 7301, 1, FULL)
            .tcp(0.0107, "c", "A", 1, 1461)
            .tcp(0.0307, "s", "A", 1461, 1, FULL)
            .tcp(0.0308, "c", "A", 1, 4381)
        ),
        {0: ("note", "loss, not repaired", "10.0.0.2:80", "1 segment", "frame 9")},
    ),
    "a clock that goes back": (
        lambda: times(Trace().open(), (5, 6, 3, 7), "c", "PA", 1, 1, b"data"),
        {0: ("error", "retransmissions unanswered", "10.0.0.2:80", "frame 4", "frames 5 to 7")},
    ),
    "UDP only": (lambda: Trace().put(*datagram(0)), {}),
}


@pytest.mark.parametrize("name", CRAFTED)
def test_crafted(name, save):
    make, expected = CRAFTED[name]
    file = save(make().pcap())
    for size in BATCHES:
        found = verdicts(file, size)
        assert set(found) == set(expected)
        for stream, facts in expected.items():
            check(found[stream], facts)


# ---------------------------------------------------------------- rules


DAMAGED = ("note", "damaged on the way", "192.168.1.108:52922", "frame 60", "frame 113")


@pytest.mark.parametrize("size", [None, 7])
def test_with_checksums_a_damaged_segment_is_told_from_a_lost_one(size):
    """Frame 60 is the only one whose checksum is wrong; frame 113 brings the same bytes. As facts of the recorder."""
    table = Analysis(str(RECORDINGS / "tcp-corrupt-far.pcap.xz"), checksums=True, batch_frames=size).table("streams")
    check(table.select("severity", "kind", "verdict").row(0), DAMAGED)
    assert "C" in table["history"].item()


def test_every_verdict_is_reached():
    """A rule that no capture here needs is not tested."""
    stories = [*RECORDED.values(), *(expected for _, expected in CRAFTED.values()), {0: DAMAGED}]
    reached = {facts[:2] for story in stories for facts in story.values()}
    assert reached == {(rule.severity, rule.kind) for rule in rules("connection").values()}


def test_rules_stand_worst_first():
    """`reset` alone, a warning, stands before errors: those behind it are of connections that no RST ended."""
    ranks = [SEVERITIES.index(rule.severity) for rule in rules("connection").values() if rule.name != "connection.reset"]
    assert ranks == sorted(ranks)
