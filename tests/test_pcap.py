"""Classic pcap files: every magic number, truncation anywhere, invalid lengths. Expected frames are those of dpkt."""

from __future__ import annotations

import io
import struct

import dpkt
import pytest
from conftest import CAPTURES, pcap, run
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer import Analysis

HANDSHAKE = (CAPTURES / "tcp-handshake" / "tcp-handshake.pcap").read_bytes()
NS, MODIFIED = 0xA1B23C4D, 0xA1B2CD34
BATCHES = (None, 1, 7, 1 << 20)


def frames(name: str, **options):
    return Analysis(name, **options).table("frames")


@pytest.mark.parametrize("batch", BATCHES)
def test_frames_are_those_of_dpkt(batch):
    name = str(CAPTURES / "dns-http" / "dns-http.pcap")
    table = frames(name, batch_frames=batch)
    with open(name, "rb") as file:
        expected = [(round(when * 1e6), len(data)) for when, data in dpkt.pcap.Reader(file)]
    found = zip(table["frame.time"].dt.timestamp("us"), table["frame.cap_len"], strict=True)
    assert list(found) == expected


@pytest.mark.parametrize(("magic", "nanoseconds"), [(0xA1B2C3D4, 123_456_000), (NS, 123_456), (MODIFIED, 123_456_000)])
@pytest.mark.parametrize("order", "<>")
def test_every_magic_number_in_both_byte_orders(save, magic, nanoseconds, order):
    table = frames(save(pcap(b"\xff" * 60, b"\x01" * 64, magic=magic, order=order)))
    assert table["frame.time"].dt.timestamp("ns").to_list() == [(1_700_000_000 + i) * 10**9 + nanoseconds for i in (0, 1)]
    assert table["frame.len"].to_list() == [60, 64]


def test_a_truncated_file_gives_all_frames_before(save):
    ends = [24]
    at = 24
    while at < len(HANDSHAKE):
        at += 16 + struct.unpack_from("<I", HANDSHAKE, at + 8)[0]
        ends.append(at)
    for cut in range(24, len(HANDSHAKE) + 1):
        whole = sum(end <= cut for end in ends) - 1
        for batch in (None, 1, 1 << 20):
            analysis = Analysis(save(HANDSHAKE[:cut]), batch_frames=batch)
            assert len(analysis.table("frames")) == whole
            if cut in ends:
                assert not analysis.damage
            else:
                assert analysis.damage
                assert (analysis.damage[0].frame, analysis.damage[0].offset) == (whole + 1, ends[whole])


def test_damage_is_one_line_with_frame_and_byte_and_status_2(save):
    result = run("packets", save(HANDSHAKE[:280]))
    assert result.status == 2
    assert len(result.out.splitlines()) == 2
    assert result.err.count("\n") == 1
    assert "frame 3, byte 204" in result.err  # 24 + 2 records of 16 + 74


def test_a_file_header_alone_is_an_empty_capture(save):
    result = run("table", "frames", save(HANDSHAKE[:24]), "-T", "csv")
    assert (result.status, result.out.count("\n")) == (0, 1)
    assert run(save(HANDSHAKE[:24])).status == 0


def test_a_truncated_file_header_is_refused(save):
    result = run(save(HANDSHAKE[:20]))
    assert result.status == 2
    assert "file header" in result.err


def test_a_record_longer_than_any_frame_is_damage(save):
    bad = pcap(b"\0" * 60) + struct.pack("<IIII", 1, 1, 0x7FFFFFFF, 60) + b"\0" * 60
    analysis = Analysis(save(bad))
    assert len(analysis.table("frames")) == 1
    assert analysis.damage
    assert (analysis.damage[0].frame, analysis.damage[0].offset) == (2, 100)


def test_sliced_oversized_and_empty_frames_are_kept_and_marked(save):
    name = save(pcap(b"\xff" * 60, b"\xff" * 60, b"", lengths={0: 1500, 1: 40}))
    lines = run("packets", name).out.splitlines()
    assert "[60 of 1500 bytes kept]" in lines[0]
    assert frames(name)["frame.len"].to_list() == [1500, 40, 0]
    found = Analysis(name).table("expert")
    assert {(2, "capture.longer_than_the_wire"), (3, "capture.empty_frame")} <= set(
        zip(found["frame.number"], found["finding"], strict=True)
    )


def test_times_that_go_back_are_kept_and_reported(save):
    late = pcap(b"\0" * 60, b"\0" * 60)
    second = bytearray(late)
    second[24 + 76 : 24 + 80] = struct.pack("<I", 1_699_999_990)
    name = save(bytes(second))
    assert Analysis(name).table("captures")["in_time_order"].to_list() == [False]
    assert "capture.time_went_back" in Analysis(name).table("expert")["finding"].to_list()


def test_an_unknown_link_type_is_data_and_status_0(save):
    result = run("table", "undecoded", save(pcap(b"\x55" * 20, link=147)), "-T", "csv")
    assert result.status == 0
    assert "linktype,147" in result.out
    line = run("packets", save(pcap(b"\x55" * 20, link=105))).out
    assert "IEEE802_11" in line
    assert "20 not decoded" in line


@given(st.binary(max_size=400))
@settings(max_examples=150, deadline=None)
def test_any_bytes_after_the_header_give_frames_or_damage(tmp_path_factory, noise):
    name = tmp_path_factory.getbasetemp() / "noise.pcap"
    name.write_bytes(HANDSHAKE[:24] + noise)
    seen = []
    for batch in (None, 1, 1 << 20):
        analysis = Analysis(str(name), batch_frames=batch)
        seen.append((len(analysis.table("frames")), analysis.damage))
    assert seen[0] == seen[1] == seen[2]
    try:
        expected = sum(1 for _ in dpkt.pcap.Reader(io.BytesIO(name.read_bytes())))
    except (dpkt.Error, ValueError, struct.error):
        return
    assert seen[0][0] <= expected  # dpkt returns a truncated last record


def test_standard_input_is_streamed():
    import subprocess
    import sys

    with subprocess.Popen(
        [sys.executable, "-m", "analyzer", "packets", "-", "-T", "fields", "-e", "frame.number"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdin is not None and child.stdout is not None
        child.stdin.write(HANDSHAKE[:204])
        child.stdin.flush()
        child.stdin.write(HANDSHAKE[204:])
        child.stdin.close()
        assert child.stdout.read().split() == [b"1", b"2", b"3", b"4", b"5", b"6", b"7"]
