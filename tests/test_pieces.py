"""The bytes of streams, put together from segments as they come. Expected bytes are what was sent; each in batches of 1, 7 and all."""

from __future__ import annotations

import hashlib
import lzma
import os
import random
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import pcap, run
from follow import compared
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.all import IP, TCP, UDP, Ether, IPv6, Raw

from analyzer import Analysis
from analyzer.tcp import reassembly
from analyzer.tcp._reassembly import KINDS

A, B = "10.0.0.1", "10.0.0.2"
BATCHES = (1, 7, 1 << 20)
RECORDINGS = Path(__file__).parent / "recordings"
ISN, PEER = 1000, 9000


def sent(flags: str, at: int, data: bytes = b"", ack: int = 1, **more: object) -> bytes:
    """A segment of the client. at: relative number, 1 is the first byte."""
    head = TCP(sport=40000, dport=80, flags=flags, seq=(ISN + at) % 2**32, ack=0 if flags == "S" else PEER + ack, **more)
    return bytes(Ether() / IP(src=A, dst=B) / head / Raw(data))


def answered(flags: str, at: int, ack: int, data: bytes = b"") -> bytes:
    """A segment of the server."""
    head = TCP(sport=80, dport=40000, flags=flags, seq=PEER + at, ack=(ISN + ack) % 2**32)
    return bytes(Ether() / IP(src=B, dst=A) / head / Raw(data))


OPEN = [sent("S", 0), answered("SA", 0, 1), sent("A", 1)]


def story(name: str, batch: int, node: int | None = None, **limits: int) -> list[tuple]:
    """What is told of stream 0 in order: (kind, offset or bytes, size, frame)."""
    made, found = reassembly.StreamReassembler(**limits), []

    def take(events: reassembly.StreamEvents) -> None:
        for direction, kind, position, size, start, end, frame, _, _, source in events.rows.tolist():
            if node is None or direction & 1 == node:
                result = events.buffers[source][start:end].tobytes() if KINDS[kind] == "data" else position
                found.append((KINDS[kind], result, size, frame))

    for d in Analysis(name, batch_frames=batch).dissections(reassembly.NEEDS):
        if d.segments is not None:
            take(made.feed(d.segments, d.segments["stream"] == 0))
    take(made.finish())
    return found


@pytest.fixture
def events(save):
    """The story of frames a second apart, which is the same in every batch size."""

    def get(*frames: bytes, **limits: int) -> list[tuple]:
        name = save(pcap(*frames))
        first, *others = (story(name, size, **limits) for size in BATCHES)
        assert all(one == first for one in others)
        return first

    return get


def data(found: list[tuple]) -> bytes:
    return b"".join(one[1] for one in found if one[0] == "data")


# ---------------------------------------------------------------- inputs on which other programs go wrong


def test_padding_is_no_data(events):
    """tcpflow-like programs count the padding of 60-byte frames as data: the stream has four bytes."""
    frames = [sent("S", 0), answered("SA", 0, 1), sent("A", 1), sent("PA", 1, b"data")]
    assert events(*(frame + bytes(60 - len(frame)) for frame in frames)) == [("data", b"data", 4, 4)]


@pytest.mark.parametrize("isn", [0xFFFFFEFF, 0xFFFFFFFF])
def test_numbers_wrap(events, monkeypatch, isn):
    """Four times 200 bytes across 2^32, in order and not."""
    monkeypatch.setitem(globals(), "ISN", isn)
    parts = [bytes([65 + nth]) * 200 for nth in range(4)]
    frames = [sent("S", 0), answered("SA", 0, 1), *(sent("A", 1 + 200 * nth, part) for nth, part in enumerate(parts))]
    assert data(events(*frames)) == b"".join(parts)
    assert data(events(*frames[:2], *frames[:1:-1])) == b"".join(parts)


@pytest.mark.parametrize("order", [(1, 3, 2, 4), (2, 1, 3, 4), (4, 3, 2, 1)])
def test_segments_out_of_order(events, order):
    """A request in pieces of 22 bytes; the first to come need not be the first that was sent."""
    text = b"POST /form HTTP/1.1\r\nHost: www.example.test\r\nContent-Length: 20\r\n\r\nname=value&other=more"
    cut = [text[at : at + 22] for at in range(0, 88, 22)]
    found = events(*OPEN, *(sent("A", 1 + 22 * (nth - 1), cut[nth - 1]) for nth in order))
    assert data(found) == text
    assert [one[3] for one in found] == [4 + order.index(nth) for nth in (1, 2, 3, 4)]


def test_an_acknowledgment_ahead_of_its_data_declares_nothing(events):
    """Two network cards, two queues: the trace may hold the answer first. Nothing is missing."""
    frames = [*OPEN, sent("A", 1, b"one "), sent("A", 9, b"five"), answered("A", 1, 13), sent("A", 5, b"two ")]
    assert events(*frames) == [("data", b"one ", 4, 4), ("data", b"two ", 4, 7), ("data", b"five", 4, 5)]
    late = [*OPEN, answered("A", 1, 5), answered("PA", 1, 5, b"yes"), sent("A", 1, b"data", 4)]
    assert [one[1] for one in events(*late)] == [b"yes", b"data"]


# ---------------------------------------------------------------- holes


def test_a_hole_that_was_acknowledged_is_given_up_after_a_second(events):
    """The acknowledgment is in frame 6; frame 7 is 1 s later and still waits, frame 8 does not."""
    more = [answered("A", 1, 13), answered("PA", 1, 13, b"a"), answered("PA", 2, 13, b"b")]
    found = events(*OPEN, sent("A", 1, b"one "), sent("A", 9, b"five"), *more, sent("A", 5, b"two "))
    assert found == [
        ("data", b"one ", 4, 4),
        ("data", b"a", 1, 7),
        ("acknowledged", 5, 4, 8),
        ("data", b"five", 4, 5),
        ("data", b"b", 1, 8),
        ("late", 5, 4, 9),
    ]


def test_a_hole_nobody_acknowledged_is_told_at_the_end(events):
    """tshark never shows what is behind such a hole."""
    assert events(*OPEN, sent("A", 5, b"five"), answered("A", 1, 1)) == [("hole", 1, 4, 4), ("data", b"five", 4, 4)]


def test_what_is_held_behind_a_hole_is_bounded(events):
    """Held are the bytes and 128 for each segment: the third does not fit into 1000."""
    frames = [sent("A", 5 + 300 * nth, bytes([97 + nth]) * 300) for nth in range(3)]
    found = events(*OPEN, *frames, sent("A", 1, b"late"), limit=1000)
    assert [one[0] for one in found] == ["hole", "data", "data", "data", "late"]
    assert found[0] == ("hole", 1, 4, 6)


def test_what_is_held_in_all_is_bounded(events):
    """Both ends have a hole; the one that is open for longer is given up."""
    found = events(*OPEN, sent("A", 5, b"c" * 300), answered("A", 5, 1, b"s" * 300), total=800)
    assert [(kind, size, frame) for kind, _, size, frame in found] == [("hole", 4, 5), ("data", 300, 4), ("hole", 4, 5), ("data", 300, 5)]
    assert [result for kind, result, _, _ in found if kind == "data"] == [b"c" * 300, b"s" * 300]


def test_what_is_remembered_is_bounded(events):
    """What is forgotten cannot be contradicted: of each direction the last 4 to 8 bytes are known, of both together 8."""
    first, other = [sent("A", 1, b"abcdef"), sent("A", 7, b"ghij")], sent("A", 1, b"ABCDEFGHIJ")
    assert events(*OPEN, *first, other, remember=4)[2:] == [("conflict", 7, 4, 6)]
    assert events(*OPEN, *first, other, remember=5)[2:] == [("conflict", 1, 10, 6)]
    assert events(*OPEN, first[0], answered("A", 1, 7, b"123"), other, total=8)[2:] == [("data", b"GHIJ", 4, 6)]
    assert events(*OPEN, first[0], answered("A", 1, 7, b"12"), other, total=8)[2:] == [("conflict", 1, 6, 6), ("data", b"GHIJ", 4, 6)]


def test_the_end_is_missing(events):
    """The FIN tells how much was sent; an acknowledgment tells it too, less one number that may be a FIN's."""
    assert events(*OPEN, sent("A", 1, b"one "), sent("FA", 9)) == [("data", b"one ", 4, 4), ("hole", 5, 4, 5), ("end", 9, 0, 5)]
    assert events(*OPEN, sent("A", 1, b"one "), answered("A", 1, 10))[1] == ("acknowledged", 5, 4, 4)
    assert events(*OPEN, sent("A", 1, b"one "), answered("A", 1, 6)) == [("data", b"one ", 4, 4)]


def test_bytes_that_the_capture_did_not_keep(save):
    frames = [*OPEN, sent("A", 1, b"0123456789"), sent("A", 11, b"more")]
    whole = len(frames[3])
    frames[3] = frames[3][:-6]
    name = save(pcap(*frames, lengths={3: whole}))
    assert [story(name, size) for size in BATCHES] == [[("data", b"0123", 4, 4), ("cut", 5, 6, 4), ("data", b"more", 4, 5)]] * 3


# ---------------------------------------------------------------- again, and otherwise


def test_what_comes_again_is_taken_once(events):
    frames = [sent("A", 1, b"abcdef"), sent("A", 1, b"abcdef"), sent("A", 4, b"defghi"), sent("A", 2, b"bcd")]
    assert events(*OPEN, *frames) == [("data", b"abcdef", 6, 4), ("data", b"ghi", 3, 6)]


def test_other_bytes_for_the_same_numbers(events):
    """The bytes that came first stay; the frame that contradicts them and the first such byte are told."""
    assert events(*OPEN, sent("A", 1, b"abcdef"), sent("A", 3, b"cXYfgh")) == [
        ("data", b"abcdef", 6, 4),
        ("conflict", 4, 2, 5),
        ("data", b"gh", 2, 5),
    ]


def test_contradictions_behind_a_hole(events):
    """Of held segments the one that came first and reaches the edge is taken, as tshark does: C, then B, then the rest of A."""
    frames = [sent("A", 1, b"0123456789"), sent("A", 16, b"A" * 10), sent("A", 13, b"B" * 8), sent("A", 11, b"CCC")]
    found = events(*OPEN, *frames)
    assert data(found) == b"0123456789" + b"CCC" + b"B" * 7 + b"A" * 5
    assert [one for one in found if one[0] == "conflict"] == [("conflict", 13, 1, 6), ("conflict", 16, 5, 5)]


def test_a_keep_alive_is_no_data(events):
    """One byte before the next to come, whatever it is: RFC 9293 §3.8.4. A probe of a closed window carries the next byte."""
    frames = [sent("A", 1, b"abc"), sent("A", 3, b"\0"), answered("A", 1, 4), sent("A", 4, b"d"), sent("A", 4, b"\0")]
    assert events(*OPEN, *frames) == [("data", b"abc", 3, 4), ("data", b"d", 1, 7)]
    assert events(*OPEN, sent("A", 0, b"\0"), sent("A", 1, b"a")) == [("data", b"a", 1, 5)]


def test_data_in_the_syn(events):
    """Fast Open: the byte behind the SYN is the first. RFC 7413 §2."""
    frames = [sent("S", 0, b"GET "), answered("SA", 0, 1), sent("A", 1, b"GET /"), sent("A", 6, b"\r\n")]
    assert data(events(*frames)) == b"GET /\r\n"


def test_urgent_bytes(events):
    """The urgent byte is the one before the pointer (RFC 9293 §3.8.5, RFC 6093 §2.2); it may come later than the pointer."""
    found = events(*OPEN, sent("A", 1, b"123"), sent("UA", 4, b"abc", urgptr=3), sent("UA", 7, b"d", urgptr=2), sent("A", 8, b"ef"))
    assert found == [
        ("data", b"123", 3, 4),
        ("urgent", 6, 1, 5),
        ("data", b"abc", 3, 5),
        ("data", b"d", 1, 6),
        ("urgent", 8, 1, 7),
        ("data", b"ef", 2, 7),
    ]


# ---------------------------------------------------------------- any order

TEXT = bytes(random.Random(7).randrange(256) for _ in range(400))


@st.composite
def cuttings(draw):
    """Stretches of TEXT in any order, overlapping, repeated."""
    bounds = st.tuples(st.integers(0, len(TEXT) - 1), st.integers(2, 120))
    some = draw(st.lists(bounds, max_size=25))
    cover = draw(st.sampled_from([20, 50, 133])) if draw(st.booleans()) else None
    if cover:
        some += [(at, cover) for at in range(0, len(TEXT), cover)]
    return draw(st.permutations(some))


@settings(max_examples=60, deadline=None)
@given(cut=cuttings(), size=st.sampled_from(BATCHES))
def test_any_cutting_of_a_text_gives_the_text(tmp_path_factory, cut, size):
    """What was sent is there, at its place; the rest is holes, and nothing contradicts."""
    path = tmp_path_factory.mktemp("cut") / "trace.pcap"
    path.write_bytes(pcap(*OPEN, *(sent("A", 1 + at, TEXT[at : at + length]) for at, length in cut)))
    seen = np.zeros(len(TEXT), bool)
    for at, length in cut:
        seen[at : at + length] = True
    made, at = bytearray(), 1
    for kind, result, length, _ in story(str(path), size):
        assert kind in ("data", "hole")
        if kind == "data":
            assert result == TEXT[at - 1 : at - 1 + length]
            made += result
        else:
            assert result == at
            assert not seen[at - 1 : at - 1 + length].any()
        at += length
    assert bytes(made) == np.frombuffer(TEXT, np.uint8)[seen].tobytes()


# ---------------------------------------------------------------- recordings

# name: bytes that node 0 and node 1 sent, and the beginning of their SHA-256, from `tshark -q -z follow,tcp,raw,0`
FOLLOWED = {
    "tcp-oob": (9, "8b330c12f234a0da", 0, "e3b0c44298fc1c14"),
    "tcp-reorder": (199936, "e65792609f9862f2", 0, "e3b0c44298fc1c14"),
    "tcp-zerowindow": (41992, "e57a6d4897b0e89c", 0, "e3b0c44298fc1c14"),
    "tcp-keepalive": (8, "61ad389f7dbccd11", 0, "e3b0c44298fc1c14"),
    "tcp-tfo": (9, "b15480b389eb9cff", 9, "b15480b389eb9cff"),
    "tcp-dup-far": (199936, "e65792609f9862f2", 0, "e3b0c44298fc1c14"),
    "tcp-fastretx": (199936, "e65792609f9862f2", 0, "e3b0c44298fc1c14"),
    "tcp-burstloss": (199936, "e65792609f9862f2", 0, "e3b0c44298fc1c14"),
    "tcp-simopen": (6, "950aac73896c95c1", 6, "cc8a8250b3d75b55"),
    "tcp-linger0": (4, "3a6eb0790f39ac87", 0, "e3b0c44298fc1c14"),
}


@pytest.mark.parametrize("name", FOLLOWED)
def test_recorded_streams(save, name):
    path = save(lzma.decompress((RECORDINGS / f"{name}.pcap.xz").read_bytes()))
    for size in BATCHES:
        lines = run("follow", path, "--stream", "0", "--as", "raw", "--batch-frames", str(size)).out.splitlines()[6:-1]
        both = [b"".join(bytes.fromhex(line) for line in lines if line.startswith("\t") == bool(node)) for node in (0, 1)]
        assert tuple(events for one in both for events in (len(one), hashlib.sha256(one).hexdigest()[:16])) == FOLLOWED[name]


@pytest.mark.skipif(not shutil.which("tshark"), reason="needs tshark")
@pytest.mark.parametrize("name", ["tcp-reorder", "tcp-zerowindow", "tcp-tfo"])
def test_follow_prints_what_tshark_prints(save, name):
    """In every form. Many captures at once: python tests/follow.py CAPTURE…"""
    path = save(lzma.decompress((RECORDINGS / f"{name}.pcap.xz").read_bytes()))
    assert set(compared(Path(path), "tcp", 10)) == {"equal"}


# ---------------------------------------------------------------- for who reads messages


def messages(name: str, batch: int) -> tuple[list[tuple], list[tuple]]:
    """Messages of a length byte and that many bytes: (way, text, frames that it came in, frame that completed it); gaps and ends."""
    made, reader = reassembly.StreamReassembler(), reassembly.ByteStreams()
    found, other = [], []

    def take(events: reassembly.StreamEvents) -> None:
        s = reader.feed(events)
        upto = s.start.copy()
        for i in range(len(s.direction)):
            if s.gap[i]:
                other.append((int(s.direction[i]), "gap", int(s.position[i] - s.gap[i]), int(s.gap[i])))
            if s.ended[i]:
                other.append((int(s.direction[i]), "end"))
            at = int(s.start[i])
            while at < s.end[i] and at + 1 + s.data[at] <= s.end[i]:
                behind = at + 1 + int(s.data[at])
                (first,), (last,) = s.segments(np.array([at]), np.array([behind]))
                frames = s.rows[first:last, reassembly.OUTPUT.index("frame")].tolist()
                found.append(
                    (int(s.direction[i]), s.data[at + 1 : behind].tobytes(), frames, int(s.rows[last - 1, reassembly.OUTPUT.index("by")]))
                )
                at = behind
            upto[i] = at
        reader.consume(s, upto)

    for d in Analysis(name, batch_frames=batch).dissections(reassembly.NEEDS):
        if d.segments is not None:
            take(made.feed(d.segments, np.ones(len(d.segments.order), bool)))
    take(made.finish())
    return sorted(found), sorted(other)


def test_messages_across_segments_and_batches(save):
    """Two messages in three segments, the second of which comes last; an answer in between."""
    first, third, second = sent("A", 1, b"\x05he"), sent("A", 9, b"orld!"), sent("A", 4, b"llo\x06w")
    name = save(pcap(*OPEN, first, third, answered("PA", 1, 4, b"\x02ok"), second, sent("FA", 14)))
    for size in BATCHES:
        found, other = messages(name, size)
        assert found == [(0, b"hello", [4, 7], 7), (0, b"world!", [7, 5], 7), (1, b"ok", [6], 6)]
        assert other == [(0, "end")]


def test_a_gap_ends_a_message(save):
    """What is left of it is not glued to what follows."""
    name = save(pcap(*OPEN, sent("A", 1, b"\x05he"), sent("A", 7, b"\x02ok")))
    for size in BATCHES:
        assert messages(name, size) == ([(0, b"ok", [5], 5)], [(0, "gap", 4, 3)])


def test_what_a_reader_leaves_is_bounded(save, monkeypatch):
    """What was left longest ago becomes a gap: the 100 bytes of the client, not the two of the server."""
    frames = [
        *OPEN,
        sent("A", 1, b"\xc8" + bytes(99)),
        answered("A", 1, 101, b"\x02o"),
        sent("A", 101, b"\x02ok"),
        answered("A", 3, 1, b"k"),
    ]
    monkeypatch.setattr(reassembly, "ALL", 2 * reassembly.OVERHEAD + 101)
    found = [(0, b"ok", [6], 6), (1, b"ok", [5, 7], 7)]
    assert messages(save(pcap(*frames)), 1) == (found, [(0, "gap", 1, 100)])


# ---------------------------------------------------------------- the command


def follow(name: str, *words: str, udp: bool = False) -> tuple[str, str, int]:
    kind = ["--udp"] if udp else []
    (result,) = {(s.out, s.err, s.status) for size in BATCHES for s in [run("follow", name, *kind, *words, "--batch-frames", str(size))]}
    return result


TALK = [*OPEN, sent("PA", 1, b"GET /\r\n\tx\x1b[2J"), answered("PA", 1, 13, b"200 \xff"), sent("UA", 14, b"!", urgptr=1, ack=6)]


def test_follow_as_text(save):
    assert follow(save(pcap(*TALK)), "--stream", "0")[0].splitlines() == [
        "",
        "=" * 67,
        "Follow: tcp,ascii",
        "Filter: tcp.stream eq 0",
        "Node 0: 10.0.0.1:40000",
        "Node 1: 10.0.0.2:80",
        "13",
        "GET /",
        ".x.[2J",
        "\t5",
        "200 .",
        "1 [urgent: '!' at 0]",
        "!",
        "=" * 67,
    ]


def test_follow_as_hex_raw_and_yaml(save):
    name = save(pcap(*TALK))
    words = [name, "--stream", "0", "--as"]
    assert follow(*words, "hex")[0].splitlines()[6:-1] == [
        "00000000  47 45 54 20 2f 0d 0a 09  78 1b 5b 32 4a           GET /... x.[2J",
        "\t00000000  32 30 30 20 ff                                    200 .",
        "0000000D  21                                                !  [urgent: 21]",
    ]
    assert follow(*words, "raw")[0].splitlines()[6:-1] == ["474554202f0d0a09781b5b324a", "\t32303020ff", "21"]
    assert follow(*words, "yaml")[0].splitlines()[7:13] == [
        "packets:",
        "  - packet: 4",
        "    peer: 0",
        "    timestamp: 1700000003.123456001",
        "    data: !!binary |",
        "      R0VUIC8NCgl4G1sySg==",
    ]


def test_follow_one_end_and_a_range(save):
    name = save(pcap(*TALK))
    assert follow(name, "--stream", "0", "--as", "raw", "--node", "1")[0].splitlines()[6:-1] == ["\t32303020ff"]
    assert follow(name, "--stream", "0", "--as", "raw", "--range", "2-3")[0].splitlines()[6:-1] == ["\t32303020ff", "21"]
    assert follow(name, "--stream", "0", "--as", "raw", "--range", "3", "--node", "1")[0].splitlines()[6:-1] == []


def test_follow_says_what_is_missing_and_what_contradicts(save):
    name = save(pcap(*OPEN, sent("A", 1, b"ab"), sent("A", 1, b"aX"), sent("A", 5, b"ef"), answered("A", 1, 7)))
    out, err, status = follow(name, "--stream", "0")
    assert out.splitlines()[6:-1] == ["2", "ab", "[2 bytes missing in capture file]", "2", "ef"]
    assert err == "analyze: node 0, byte 1: frame 5 has other values for 1 byte; what came first is shown\n"
    assert status == 0
    assert "    missing: 2\n    says: missing in capture file\n" in follow(name, "--stream", "0", "--as", "yaml")[0]


def test_follow_datagrams(save):
    there = Ether() / IPv6(src="fe80::1", dst="fe80::2") / UDP(sport=5000, dport=53)
    back = Ether() / IPv6(src="fe80::2", dst="fe80::1") / UDP(sport=53, dport=5000)
    name = save(pcap(bytes(there / Raw(b"who?")), bytes(there), bytes(back / Raw(b"me"))))
    assert follow(name, "--stream", "0", udp=True)[0].splitlines()[2:-1] == [
        "Follow: udp,ascii",
        "Filter: udp.stream eq 0",
        "Node 0: [fe80::1]:5000",
        "Node 1: [fe80::2]:53",
        "4",
        "who?",
        "\t2",
        "me",
    ]


def test_follow_a_datagram_that_was_cut(save):
    frames = [bytes(Ether() / IP(src=A, dst=B) / UDP(sport=7, dport=9) / Raw(one)) for one in (b"cut here", b"whole")]
    name = save(pcap(frames[0][:-4], frames[1], lengths={0: len(frames[0])}))
    assert follow(name, "--stream", "0", udp=True)[0].splitlines()[6:-1] == ["4", "cut ", "[4 bytes cut by the capture]", "5", "whole"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--stream", "1"], "no TCP stream 1; there are 1, from 0"),
        (["--stream", "0", "--udp"], "no UDP stream 0; there is none"),
        (["--stream", "0", "--range", "3-2"], "a range of chunks is 2-5 or 3"),
        (["--stream", "-1"], "-1"),
        (["--stream", "0", "--as", "ebcdic"], "ebcdic"),
        ([], "--stream"),
    ],
)
def test_a_mistake_is_one_sentence(save, words, says):
    result = run("follow", save(pcap(*TALK)), *words)
    assert (result.status, result.out) == (2, "")
    assert says in result.err


def test_a_filter_takes_segments_away(save):
    out = follow(save(pcap(*TALK)), "--stream", "0", "--as", "raw", "-Y", "tcp.srcport == 80")[0]
    assert re.findall(r"^\t?[0-9a-f]+$", out, re.MULTILINE) == ["32303020ff"]


def test_a_return_cannot_overwrite_a_line_on_a_terminal(save, monkeypatch):
    from analyzer.report import _follow

    monkeypatch.setattr("sys.stdout", os.fdopen(os.dup(1), "w"))
    chunk = _follow.Chunk(0, 0, 1, 0, b"hidden\rshown\r\n", 14)
    assert _follow._ascii(chunk) == "14\nhidden\rshown\r\n\n"
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert _follow._ascii(chunk) == "14\nhidden.shown\r\n\n"
