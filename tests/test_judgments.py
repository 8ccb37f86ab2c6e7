"""Verdicts that must not cry wolf: the packets are written by hand, and what a careful reader says of them."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import polars as pl
import pytest
from conftest import BATCHES, RECORDINGS, Dialogue, Trace
from scapy.all import ICMP, IP, TCP, Ether, Raw

from analyzer import Analysis


def trace(frames: Sequence[bytes], waits: dict[int, float]) -> bytes:
    """A pcap whose frames come 10 ms apart; waits: seconds before a frame, by number."""
    out, at = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1), 1_700_000_000_000_000
    for number, frame in enumerate(frames, 1):
        at += round(waits.get(number, 0.01) * 1e6)
        out += struct.pack("<IIII", at // 1_000_000, at % 1_000_000, len(frame), len(frame)) + frame
    return out


def verdict(save, frames: Sequence[bytes], waits: dict[int, float] | None = None) -> tuple[str, str, str]:
    """Severity, kind and sentence of the one connection, the same in all batches."""
    name = save(trace(frames, waits or {}))
    seen = [Analysis(name, batch_frames=size).table("streams").select("severity", "kind", "verdict").rows() for size in BATCHES]
    assert all(one == seen[0] for one in seen) and len(seen[0]) == 1
    return seen[0][0]


FULL = b"x" * 1460


def asked() -> Dialogue:
    """A connection whose small question (frame 4) the server acknowledged (frame 5)."""
    return Dialogue().open().add("c", "PA", 1, 1, b"x" * 100).add("s", "A", 1, 101)


def test_a_scan_is_no_reset(save):
    """nmap -sS and traceroute -T: their kernel resets what it has not asked for (RFC 9293 §3.10.7.3)."""
    severity, kind, sentence = verdict(save, Dialogue().add("c", "S", 0).add("s", "SA", 0, 1).add("c", "R", 1).frames)
    assert (severity, kind) == ("note", "only asked")
    assert "10.0.0.2:80 answers: it did 10.0 ms after the SYN (frame 2), and a RST ended it (frame 3)" in sentence


def test_a_FIN_is_no_byte(save):
    """CLOSE-WAIT, and a RST that acknowledges the FIN or not: no data was on the way (RFC 9293 §3.4)."""
    talk = asked().add("c", "FA", 101, 1).add("s", "RA", 1, 102)
    assert verdict(save, talk.frames)[:2] == ("note", "closed with a RST")
    lost = verdict(save, asked().add("c", "PA", 101, 1, b"seven b").add("c", "FA", 108, 1).add("s", "R", 1).frames)
    assert "7 bytes" in lost[2]


def test_the_first_data_waits_from_its_own_sending(save):
    """Not from the SYN, which the SYN,ACK acknowledged: 0.3 + 0.6 s, and 20 ms for the answer."""
    talk = Dialogue().open()
    for _ in range(3):
        talk.add("c", "PA", 1, 1, b"x" * 100)
    kind, sentence = verdict(save, talk.add("s", "A", 1, 101).frames, {4: 3, 5: 0.3, 6: 0.6, 7: 0.02})[1:]
    assert kind == "retransmission time-outs" and "for 920 ms (frames 4 to 7)" in sentence


def test_a_cut_path_is_no_black_hole(save):
    """The receiver's last word is older than the large segment: nothing says that small ones still get through."""
    talk = asked()
    for _ in range(4):
        talk.add("c", "A", 101, 1, FULL)
    waits = {7: 0.3, 8: 0.6, 9: 1.2}
    assert verdict(save, talk.frames, waits)[1] == "retransmissions unanswered"


def test_a_black_hole(save):
    """A small segment behind the large one arrived: the receiver repeats its acknowledgment (RFC 5681 §4.2)."""
    talk = asked().add("c", "A", 101, 1, FULL).add("c", "PA", 1561, 1, b"x" * 10).add("s", "A", 1, 101)
    for _ in range(3):
        talk.add("c", "A", 101, 1, FULL)
    kind, sentence = verdict(save, talk.frames, {9: 0.3, 10: 0.6, 11: 1.2})[1:]
    assert kind == "path MTU black hole" and "Datagrams of 1,500 bytes" in sentence and "sent 4 times (frames 6 to 11)" in sentence


def test_datagrams_above_the_path_mtu(save):
    """They count from the ICMP message on, wherever a batch ends (RFC 1191 §6.3: reduce at once)."""
    talk = Dialogue().open().add("c", "A", 1, 1, FULL)
    quoted = IP(src="10.0.0.1", dst="10.0.0.2") / TCP(sport=40000, dport=80, seq=1001) / Raw(b"")
    message = Ether() / IP(src="10.0.0.9", dst="10.0.0.1") / ICMP(type=3, code=4, nexthopmtu=1000) / Raw(bytes(quoted)[:28])
    talk.frames.append(bytes(message))
    for k in range(4):
        talk.add("c", "A", 1461 + 1460 * k, 1, FULL)
    kind, sentence = verdict(save, talk.frames, {6: 0.5})[1:]
    assert kind == "path MTU black hole" and "above 1000 bytes although ICMP (frame 5)" in sentence and "4 datagrams" in sentence


def test_twice_at_once_is_no_time_out(save):
    """No timer is that short (RFC 6298 §2.4), and two keep-alives in a moment are no silence."""
    talk = asked()
    for _ in range(3):
        talk.add("c", "PA", 101, 1, b"x" * 10)
    assert verdict(save, talk.frames)[0] == "note"
    assert verdict(save, asked().add("c", "A", 100, 1).add("c", "A", 100, 1).frames)[0] == "chat"


def test_a_tail_loss_probe_is_no_time_out(save):
    """Three segments, the last of them again after two round trips: RFC 8985 §7.3. A time-out sends the first (RFC 6298 §5.4)."""

    def timeouts(*again: int) -> list[int]:
        talk = asked()
        for at in (101, 201, 301, *again):
            talk.add("c", "PA", at, 1, b"x" * 100)
        name = save(trace(talk.add("s", "A", 1, 401).frames, {9: 0.045}))
        return [Analysis(name, batch_frames=size).table("streams")["client_timeouts"].item() for size in BATCHES]

    assert timeouts(301) == [0, 0, 0]
    assert timeouts(101) == [1, 1, 1]


def test_of_a_lone_reset_the_state_is_assumed(save):
    sentence = verdict(save, Dialogue().add("s", "RA", 1, 1).frames)[2]
    assert "ESTABLISHED (assumed, no SYN was seen)" in sentence


def test_a_hole_may_have_held_the_answer(save):
    """A capture without the bytes in between: 100 s are not the server's."""
    talk = asked().add("s", "PA", 501, 101, b"x" * 10)
    assert verdict(save, talk.frames, {6: 100})[1] != "server slow to answer"
    assert verdict(save, asked().add("s", "PA", 1, 101, b"x" * 10).frames, {6: 100})[1] == "server slow to answer"


def test_a_server_that_nobody_asks_is_not_idle(save):
    """130 full segments and an answer in small ones; then the client thinks for ten seconds and asks again."""
    talk = asked()
    for k in range(130):
        talk.add("s", "A", 1 + 1460 * k, 101, FULL).add("c", "A", 101, 1461 + 1460 * k)
    at = 1 + 1460 * 130
    talk.add("c", "PA", 101, at, b"x" * 10).add("s", "PA", at, 111, b"x" * 10)
    assert verdict(save, talk.frames, {len(talk.frames) - 1: 10})[0] == "chat"


def test_a_filter_hides_no_answer(save):
    """Half of a connection is not judged as if the other half had never been: the server answered the SYN, in frame 2."""
    name = save(trace(asked().frames, {5: 5}))
    assert Analysis(name, filter="ip.src == 10.0.0.1").table("streams")["kind"].to_list() == ["healthy"]
    assert Analysis(name, filter="tcp.flags.syn == 1 and tcp.flags.ack == 0").table("streams")["kind"].to_list() == ["healthy"]


STRANGE = {  # findings after Zeek's weird names: the segments, and the frames that are one
    "unasked": (lambda: Trace().tcp(0, "s", "SA", 0, 1).tcp(0.1, "c", "R", 1), {1}),
    "data_before_established": (
        lambda: Trace().tcp(0, "c", "S", 0).tcp(0.1, "c", "PA", 1, 1, b"too soon").tcp(0.2, "s", "SA", 0, 1),
        {2},
    ),
    "data_after_reset": (
        lambda: Trace().open().tcp(1, "c", "PA", 1, 1, b"12345").tcp(1.1, "s", "R", 1).tcp(1.2, "c", "PA", 6, 1, b"678"),
        {6},
    ),
    "syn_inside_connection": (lambda: Trace().open().tcp(1, "c", "S", 70000).tcp(1.1, "s", "A", 1, 1), {4}),
    "fin_moved": (
        lambda: (
            Trace().open().tcp(1, "c", "FA", 1, 1).tcp(1.1, "s", "A", 1, 2).tcp(1.2, "c", "FPA", 1, 1, b"more").tcp(1.3, "s", "A", 1, 6)
        ),
        {6},
    ),
    "bad_syn_ack": (lambda: Trace().tcp(0, "c", "S", 0).tcp(0.1, "s", "SA", 0, 77).tcp(0.2, "c", "R", 77), {2}),
    # Frame 5 puts the right edge at 101 + 60,000; frame 6 moves it to 101 + 1,000, frame 7 on again. Windows of SYNs do not count.
    "window_shrunk": (
        lambda: (
            Trace()
            .open()
            .tcp(1, "c", "PA", 1, 1, b"x" * 100)
            .tcp(1.1, "s", "A", 1, 101)
            .tcp(1.2, "s", "A", 1, 101, window=1000)
            .tcp(1.3, "s", "A", 1, 101, window=59900)
        ),
        {6},
    ),
}


@pytest.mark.parametrize("name", STRANGE)
def test_what_zeek_calls_weird_is_found(name, save):
    make, frames = STRANGE[name]
    file = save(make().pcap())
    for size in BATCHES:
        found = Analysis(file, batch_frames=size).table("expert").filter(finding=f"tcp.{name}")
        assert set(found["frame.number"]) == frames
    others = Analysis(file).table("expert").filter(pl.col("finding").is_in([f"tcp.{one}" for one in STRANGE if one != name]))
    assert not len(others)


def test_fast_open_data_are_not_early():
    found = set(Analysis(str(RECORDINGS / "tcp-tfo.pcap.xz")).table("expert")["finding"])
    assert "tcp.syn_with_data" in found and "tcp.data_before_established" not in found
