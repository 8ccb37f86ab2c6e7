"""What the tracker says of a segment among the others: tshark's answer as data, numbers that wrap, and any sequence of segments."""

from __future__ import annotations

import ast
import json
import lzma
import re
import struct
from functools import cache
from importlib import import_module
from operator import attrgetter

import pytest
from conftest import BATCHES, RECORDINGS, ROOT, Dialogue, pcap, recordings, run, sizes, transitions
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scapy.all import IP, TCP, Ether, Raw

from analyzer import Analysis

MARKS = [
    "flags",
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
]
VALUES = [
    "acks_frame",
    "ack_rtt",
    "initial_rtt",
    "bytes_in_flight",
    "push_bytes_sent",
    "rto",
    "rto_frame",
    "duplicate_ack_num",
    "duplicate_ack_frame",
]
RELATIVE = [
    "tcp.stream",
    "tcp.seq",
    "tcp.ack",
    "tcp.nxtseq",
    "tcp.len",
    "tcp.options.sack_le",
    "tcp.options.sack_re",
    "tcp.options.sack.dsack_le",
    "tcp.completeness",
    "tcp.window_size",
    "tcp.checksum.status",
]
OURS = {  # where tshark is wrong, and what is right
    # The SYN of 2 has no ACK flag, yet tshark takes the 0 in its field for an acknowledgment, behind which the SYN of 1 (above 2^31) lies,
    # and forgets that one. What 4 acknowledges went first in 1; 3 sent it again.
    "tcp-simopen": {
        "acks_frame": "3=2 4=1 5=4 9=8 10=7 12=11 14=13",
        "ack_rtt": "3=0.000017000 4=0.120885000 5=0.000025000 9=0.000033000 10=0.121171000 12=0.166104000 14=0.000030000",
    },
}


@cache
def answers() -> dict[str, dict]:
    """tshark's, made once: recordings/README.md says how."""
    return json.loads(lzma.decompress((RECORDINGS / "analysis.json.xz").read_bytes()))


def cells(name: str, size: int, fields: list[str]) -> list[list[str]]:
    words = [word for field in fields for word in ("-e", field)]
    result = run("packets", name, "--checksums", "--batch-frames", str(size), "-T", "fields", *words)
    return [line.split("\t") for line in result.out.splitlines()]


@pytest.mark.parametrize("name", recordings())
def test_analysis_is_tsharks(name):
    assert set(answers()) == set(recordings())
    for size in sizes(name):
        found = cells(str(RECORDINGS / f"{name}.pcap.xz"), size, [f"tcp.analysis.{field}" for field in MARKS + VALUES])
        ours: dict[str, list | str] = {}
        for i, field in enumerate(MARKS + VALUES):
            frames = [(frame, row[i]) for frame, row in enumerate(found, 1) if row[i]]
            if frames:
                ours[field] = [frame for frame, _ in frames] if field in MARKS else " ".join(f"{f}={value}" for f, value in frames)
        assert ours == answers()[name] | OURS.get(name, {})


# ---------------------------------------------------------------- constants


VALUES_OF_A_COLUMN = ("STATUSES", "OUTCOMES", "FAULTS", "FRAMING", "KINDS")  # words for people, whose constants are shorter
LOOPS = [path for path in (ROOT / "analyzer").rglob("_*.py") if "\nimport cython\n" in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("path", sorted(LOOPS), ids=lambda path: path.stem)
def test_constants_are_the_indices_of_their_names(path):
    """`A, B = range(len(NAMES))` of the compiled modules, bits too: read from the source, since C constants cannot be seen from outside.

    A constant may have a prefix; `_` stands for none. Those of another module's tuple are equal to that module's own.
    """
    module = import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and (words := re.search(r"range\(len\(([\w.]+)\)\)", ast.unparse(node.value))):
            if words[1] in VALUES_OF_A_COLUMN:
                continue
            names, constants = attrgetter(words[1])(module), ast.unparse(node.targets[0]).strip("()").split(", ")
            assert len(constants) == len(names)
            for i, (constant, name) in enumerate(zip(constants, names)):
                if "." in words[1] and constant != "_":
                    assert getattr(attrgetter(words[1].rpartition(".")[0])(module), constant) == i
                elif constant != "_":
                    assert f"_{constant}".endswith("_" + name.upper().replace(".", "_"))


# ---------------------------------------------------------------- numbers that wrap


def checksum(data: bytes) -> int:
    """RFC 1071."""
    total = sum(struct.unpack(f">{len(data) // 2}H", data[: len(data) & ~1])) + (data[-1] << 8 if len(data) & 1 else 0)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def shifted(data: bytes, first: int) -> bytes:
    """A pcap of TCP in IPv4 in which each end's first number is `first`: all numbers, acknowledgments and SACK edges, checksums redone."""
    out, at, away = bytearray(data), 24, {}
    while at < len(data):
        (size,) = struct.unpack_from("<I", data, at + 8)
        eth, at = at + 16, at + 16 + size
        ip, tcp = eth + 14, eth + 34
        if data[eth + 12 : eth + 14] != b"\x08\x00" or data[ip] != 0x45 or data[ip + 9] != 6:
            continue
        (length,) = struct.unpack_from(">H", data, ip + 2)
        own, peer = (data[ip + 12 : ip + 16], data[tcp : tcp + 2]), (data[ip + 16 : ip + 20], data[tcp + 2 : tcp + 4])
        seq, ack = struct.unpack_from(">II", data, tcp + 4)
        whole = checksum(data[ip + 12 : ip + 20] + struct.pack(">HH", 6, length - 20) + data[tcp : ip + length]) == 0
        away.setdefault((own, peer), (first - seq) & 0xFFFFFFFF)
        back = away.get((peer, own), 0)
        struct.pack_into(">I", out, tcp + 4, (seq + away[own, peer]) & 0xFFFFFFFF)
        if data[tcp + 13] & 16:
            if (peer, own) not in away:
                back = away[peer, own] = (first - ack + 1) & 0xFFFFFFFF
            struct.pack_into(">I", out, tcp + 8, (ack + back) & 0xFFFFFFFF)
        option, end = tcp + 20, tcp + (data[tcp + 12] >> 4) * 4
        while option < end and data[option]:
            if data[option] == 5:
                for edge in range(option + 2, option + data[option + 1], 4):
                    struct.pack_into(">I", out, edge, (struct.unpack_from(">I", data, edge)[0] + back) & 0xFFFFFFFF)
            option += 1 if data[option] == 1 else data[option + 1]
        if whole:
            struct.pack_into(">H", out, tcp + 16, 0)
            filled = checksum(data[ip + 12 : ip + 20] + struct.pack(">HH", 6, length - 20) + out[tcp : ip + length])
            struct.pack_into(">H", out, tcp + 16, filled)
    return bytes(out)


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("tcp-slowstart", 0xFFFFFFFF - 450_000),
        ("tcp-slowstart-far", 0x7FFFFFFF - 450_000),
        ("tcp-burstloss-far", 0xFFFFFFFF - 86_880),  # the segment that is sent three times begins at 0
        ("tcp-burstloss", 0xFFFFFFFF - 100_000),
        ("tcp-fastretx-nosack", 0x7FFFFFFF - 60_000),
        ("tcp-reorder-far", 0xFFFFFFFF - 50_000),
        ("tcp-dup-far", 0xFFFFFFFF - 28_000),
        ("tcp-zerowindow", 0xFFFFFFFF - 11_584),  # the probes repeat number 0xFFFFFFFF
        ("tcp-keepalive", 0xFFFFFFFF - 8),
        ("tcp-simopen", 0xFFFFFFFF),  # the first byte of data is number 0
        ("tcp-simclose", 0xFFFFFFFE),  # the FINs are
        ("tcp-timewait", 0xFFFFFFFE),
        ("tcp-tfo", 0xFFFFFFFC),  # amid the data of the SYN
        ("tcp-linger0", 0),
    ],
)
def test_numbers_may_wrap(save, name, first):
    """Nothing but the raw numbers depends on where they start: relative numbers, marks, values, checksums, streams, states do not."""
    plain = lzma.decompress((RECORDINGS / f"{name}.pcap.xz").read_bytes())
    moved = shifted(plain, first)
    before, after = save(plain, "plain.pcap"), save(moved, "moved.pcap")
    fields = [*RELATIVE, *(f"tcp.analysis.{field}" for field in MARKS + VALUES)]
    assert cells(after, BATCHES[2], ["tcp.seq_raw"]) != cells(before, BATCHES[2], ["tcp.seq_raw"])
    right = cells(before, BATCHES[2], fields)
    for size in sizes(name):
        assert cells(after, size, fields) == right
    assert transitions(after) == transitions(before)
    assert Analysis(after).table("streams").equals(Analysis(before).table("streams"))


# ---------------------------------------------------------------- bad input


def test_a_scale_above_14_is_14(save):
    """RFC 7323 §2.3: MUST use 14 instead."""
    talk = Dialogue().add("c", "S", 0, options=[("WScale", 15)], window=1000).add("s", "SA", 0, 1, options=[("WScale", 255)], window=1000)
    talk.add("c", "A", 1, 1, window=3).add("s", "A", 1, 1, window=5)
    name = save(pcap(*talk.frames))
    for size in BATCHES:
        found = cells(name, size, ["tcp.window_size", "tcp.window_size_scalefactor"])
        assert found == [["1000", ""], ["1000", ""], [str(3 << 14), "16384"], [str(5 << 14), "16384"]]


def test_what_multipath_tcp_signals_is_no_duplicate(save):
    """RFC 8684 §3.4: an ACK with an option of MPTCP is no sign of congestion, unless the option is a DSS (subtype 2)."""
    talk = Dialogue().open().add("c", "A", 1, 1, b"x" * 100).add("s", "A", 1, 101)
    for body in (b"\x20\x01\0\0\0\x05", b"\x30\x02\x0a\0\0\x01"):  # a DSS that acknowledges data, an address
        talk.add("s", "A", 1, 101, options=[(30, body)])
    name = save(pcap(*talk.add("s", "A", 1, 101).frames))
    for size in BATCHES:
        found = cells(name, size, ["tcp.options.mptcp.subtype", "tcp.analysis.duplicate_ack_num"])
        assert found[4:] == [["", ""], ["2", "1"], ["3", ""], ["", "2"]]


NUMBER = st.one_of(
    st.integers(-4, 4).map(lambda n: n & 0xFFFFFFFF),
    st.tuples(st.sampled_from((0, 1 << 31)), st.integers(-2000, 2000)).map(lambda n: sum(n) & 0xFFFFFFFF),
    st.integers(0, 0xFFFFFFFF),
)
SEGMENT = st.tuples(
    st.booleans(),  # from the end of port 40000
    st.one_of(st.sampled_from([2, 18, 16, 24, 17, 4, 20, 1, 3, 0]), st.integers(0, 255)),  # flags
    NUMBER,
    NUMBER,
    st.sampled_from([0, 0, 0, 1, 2, 5, 100, 1460]),  # bytes of data
    st.sampled_from([0, 0, 1, 100, 65535]),  # window
    st.integers(-5_000_000, 3_000_000),  # µs since the one before
    st.lists(st.tuples(NUMBER, NUMBER), max_size=4),  # SACK blocks
    st.sampled_from([(), (("WScale", 7),), (("WScale", 200),), (("TFO", (1, 2)),), (("Timestamp", (1, 2)),)]),
)


def trace(segments: list[tuple]) -> bytes:
    """A pcap of one connection."""
    out, now = [pcap()], 1_700_000_000_000_000
    for there, flags, seq, ack, length, window, gap, sacks, options in segments:
        now += gap
        more = [("SAck", tuple(edge for block in sacks for edge in block))] if sacks and not options else list(options)
        ends = ("10.0.0.1", "10.0.0.2", 40000, 80) if there else ("10.0.0.2", "10.0.0.1", 80, 40000)
        head = TCP(sport=ends[2], dport=ends[3], flags=flags, seq=seq, ack=ack, window=window, options=more)
        frame = bytes(Ether() / IP(src=ends[0], dst=ends[1]) / head / Raw(bytes(length)))
        out.append(struct.pack("<IIII", now // 1_000_000, now % 1_000_000, len(frame), len(frame)) + frame)
    return b"".join(out)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], derandomize=True
)
@given(st.lists(SEGMENT, min_size=1, max_size=24))
def test_any_sequence_of_segments(save, segments):
    """Never a crash; the same in all batches; every state follows from the one before, of each end."""
    name = save(trace(segments))
    seen = [Analysis(name, batch_frames=size).tables(["states", "segments", "streams"]) for size in BATCHES]
    for tables in seen[1:]:
        assert all(tables[what].equals(seen[0][what]) for what in tables)
    at: dict[tuple[int, int], str] = {}  # by port: a late SYN corrects the guess which of them is the client
    for stream, port, before, after in seen[0]["states"].select("stream", "port", "before", "after").rows():
        assert at.get((stream, port), before) == before != after
        at[stream, port] = after
    last: dict[tuple[int, int], str] = {}
    for row in seen[0]["segments"].iter_rows(named=True):
        other = "server" if row["end"] == "client" else "client"
        for end, port in ((row["end"], row["source_port"]), (other, row["destination_port"])):
            assert last.get((row["stream"], port), row[f"{end}_before"]) == row[f"{end}_before"]
            last[row["stream"], port] = row[f"{end}_after"]
    assert {key: state for key, state in last.items() if key in at} == at
    assert sum(seen[0]["streams"]["frames"]) == len(segments)
    for row in seen[0]["streams"].iter_rows(named=True):
        for side in ("client", "server"):
            assert row[f"{side}_state"] == last[row["stream"], row[f"{side}_port"]]
            assert 0 <= row[f"{side}_unique_bytes"] <= row[f"{side}_data_bytes"]
