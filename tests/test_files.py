"""Compressed captures, merged captures, directories. Expected orders of merged frames were sorted by hand."""

from __future__ import annotations

import bz2
import gzip
import lzma
import random
import struct
import subprocess
import sys

import lz4.frame
import pytest
import zstandard
from conftest import CAPTURES, pcap, run
from test_pcapng import interface, packet, section, simple

from analyzer import Analysis

STORY = CAPTURES / "dns-http" / "dns-http.pcap"
COMPRESSORS = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstandard": zstandard.ZstdCompressor().compress,
    "lz4": lz4.frame.compress,
}


@pytest.mark.parametrize("compressor", COMPRESSORS)
@pytest.mark.parametrize("batch", [None, 1, 1 << 20])
def test_a_compressed_capture_is_the_same_capture(save, compressor, batch):
    name = save(COMPRESSORS[compressor](STORY.read_bytes()), "trace.bin")
    tables = Analysis(name, batch_frames=batch).tables(["frames", "captures"])
    assert tables["frames"].equals(Analysis(str(STORY)).table("frames"))
    assert tables["captures"]["compression"].to_list() == [compressor]


@pytest.mark.parametrize("compressor", COMPRESSORS)
def test_compressed_standard_input(compressor):
    command = [sys.executable, "-m", "analyzer", "packets", "-", "-T", "fields", "-e", "frame.number"]
    done = subprocess.run(command, input=COMPRESSORS[compressor](STORY.read_bytes()), capture_output=True, check=True)
    assert len(done.stdout.split()) == 64


@pytest.mark.parametrize("compressor", COMPRESSORS)
def test_truncated_compressed_data_gives_the_frames_before(save, compressor):
    frames = pcap(*[bytes([i % 256, i // 256]) * 300 for i in range(3000)])
    compressed = COMPRESSORS[compressor](frames)
    analysis = Analysis(save(compressed[: len(compressed) * 3 // 4]))
    found = len(analysis.table("frames"))
    assert analysis.damage
    assert compressor in str(analysis.damage[0])
    assert found < 3000
    assert found > 0 or compressor in ("bzip2", "xz", "zstandard")  # these need a whole block


@pytest.mark.parametrize("compressor", COMPRESSORS)
@pytest.mark.parametrize("batch", [1, 7, None])
def test_a_truncation_that_leaves_whole_records_is_reported_too(save, compressor, batch):
    """The decompressed data end between two records, since blocks of the compressors are multiples of 64 bytes, as are the records."""
    noise = random.Random(1).randbytes(48 * 6000)
    frames = pcap(noise[:24], *[noise[at : at + 48] for at in range(0, len(noise), 48)])
    compressed = (
        bz2.compress(frames, 1) if compressor == "bzip2" else COMPRESSORS[compressor](frames)
    )  # level 9 makes one block, of which nothing comes out
    for cut in (len(compressed) // 2, len(compressed) - 1):
        analysis = Analysis(save(compressed[:cut]), batch_frames=batch)
        assert len(analysis.table("captures")) == 1
        (damage,) = analysis.damage
        assert compressor in damage.reason
    assert not Analysis(save(compressed), batch_frames=batch).damage


def test_consecutive_zstandard_frames(save):
    """With and without content size and checksum, a skippable frame, an empty frame, RLE blocks."""
    data = STORY.read_bytes()
    parts = [data[:3000], data[3000:6000], data[6000:]]
    options = [{"write_checksum": True}, {"write_content_size": False}, {"write_checksum": True, "write_content_size": False}]
    frames = [zstandard.ZstdCompressor(**one).compress(part) for one, part in zip(options, parts, strict=True)]
    empty = b"\x5e\x2a\x4d\x18" + struct.pack("<I", 5) + b"hello"
    compressed = frames[0] + empty + zstandard.ZstdCompressor().compress(b"") + frames[1] + frames[2] + empty
    analysis = Analysis(save(compressed))
    assert len(analysis.table("frames")) == 64
    assert not analysis.damage
    ends = {len(frames[0]), len(frames[0] + empty)}
    for cut in range(len(frames[0]), len(frames[0] + empty) + 3):
        analysis = Analysis(save(compressed[:cut]))
        analysis.table("captures")
        assert analysis.damage[0].reason.startswith("the zstandard data") == (cut not in ends)
    zeros = pcap(*[bytes(60)] * 60000)
    assert not Analysis(save(zstandard.ZstdCompressor().compress(zeros))).damage


def test_two_gzip_members_are_one_file(save):
    data = STORY.read_bytes()
    assert len(Analysis(save(gzip.compress(data[:5000]) + gzip.compress(data[5000:]))).table("frames")) == 64


def timed(*stamps: int, order: str = "<") -> bytes:
    """A capture whose frames hold their own number, with these timestamps in s."""
    data = bytearray(pcap(*[struct.pack(">HH", len(stamps), i) + bytes(56) for i in range(len(stamps))], order=order))
    for i, stamp in enumerate(stamps):
        struct.pack_into(order + "II", data, 24 + i * 76, stamp, 0)
    return bytes(data)


@pytest.mark.parametrize("batch", [None, 1, 2, 1 << 20])
def test_files_are_merged_by_time_and_each_keeps_its_order(save, batch):
    names = [save(timed(10, 30, 20, 40), "a.pcap"), save(timed(15, 25, 30, 35), "b.pcap"), save(timed(1, 99), "c.pcap")]
    table = Analysis(*names, batch_frames=batch).table("frames")
    order = list(zip(table["frame.file_number"], table["frame.time"].dt.epoch("s"), strict=True))
    # Keys of a: 10 30 30 40, so its frame of time 20 stays behind the one of 30; at equal keys a comes before b.
    assert order == [(3, 1), (1, 10), (2, 15), (2, 25), (1, 30), (1, 20), (2, 30), (2, 35), (1, 40), (3, 99)]
    assert table["frame.number"].to_list() == list(range(1, 11))


@pytest.mark.parametrize("batch", [None, 1, 1 << 20])
def test_streams_continue_from_file_to_file(save, batch):
    data = STORY.read_bytes()
    ends, at = [24], 24
    while at < len(data):
        at += 16 + struct.unpack_from("<I", data, at + 8)[0]
        ends.append(at)
    cut = ends[30]
    names = [save(data[:24] + data[cut:], "2.pcap"), save(data[:cut], "1.pcap")]
    merged, whole = Analysis(*names, batch_frames=batch).table("tcp"), Analysis(str(STORY)).table("tcp")
    assert merged.equals(whole)


def test_interfaces_of_merged_files_are_numbered_together(save):
    one = section("<") + interface("<") + packet("<", 1_000_000) + packet("<", 3_000_000)
    two = section(">") + interface(">", link=101) + packet(">", 2_000_000, b"\x45" + bytes(30)) + simple(">", b"\x45" + bytes(30))
    table = Analysis(save(one, "1.pcapng"), save(two, "2.pcapng")).table("frames")
    assert table["frame.interface_id"].to_list() == [0, 1, 1, 0]
    assert table["frame.time"].is_null().to_list() == [False, False, True, False]


def test_a_directory_is_read_recursively_and_other_files_are_reported(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "b.pcap").write_bytes(timed(2))
    (tmp_path / "a.pcap").write_bytes(timed(1, 3))
    (tmp_path / "notes.txt").write_text("remember the milk")
    result = run("table", "captures", str(tmp_path), "-T", "csv")
    assert result.status == 0
    assert len(result.out.splitlines()) == 3
    assert result.err == f"analyze: left out, no captures: {tmp_path / 'notes.txt'}\n"
    assert run("report", str(tmp_path)).out.startswith("Captures")


def test_damage_in_one_of_several_files(save):
    good, bad = timed(1, 3, 5), timed(2, 4)
    analysis = Analysis(save(good, "good.pcap"), save(bad[:-5], "bad.pcap"))
    assert len(analysis.table("frames")) == 4
    assert [damage.frame for damage in analysis.damage] == [2]


def test_hundreds_of_files_need_few_file_descriptors(tmp_path):
    for i in range(300):
        (tmp_path / f"{i:03}.pcap").write_bytes(timed(i, 1000 + i))
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (90, 90)); from analyzer import Analysis;"
        "t = Analysis(sys.argv[1]).table('frames'); print(len(t), t['frame.time'].is_sorted())"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout == "600 True\n"
