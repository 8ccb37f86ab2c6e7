"""pcapng files built block by block from the specification."""

from __future__ import annotations

import struct

import pytest
from conftest import run

from analyzer import Analysis
from analyzer.errors import InputError

FRAME = bytes.fromhex("ffffffffffff0016d35cb9e30806") + bytes(46)


def block(order: str, kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    size = 12 + len(body)
    return struct.pack(order + "II", kind, size) + body + struct.pack(order + "I", size)


def option(order: str, code: int, value: bytes) -> bytes:
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def section(order: str, options: bytes = b"") -> bytes:
    return block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1) + options)


def interface(order: str, link: int = 1, snap: int = 0, options: bytes = b"") -> bytes:
    return block(order, 1, struct.pack(order + "HHI", link, 0, snap) + options)


def packet(order: str, stamp: int, frame: bytes = FRAME, where: int = 0, options: bytes = b"", length: int | None = None) -> bytes:
    head = struct.pack(order + "IIIII", where, stamp >> 32, stamp & 0xFFFFFFFF, len(frame), len(frame) if length is None else length)
    return block(order, 6, head + frame + bytes(-len(frame) % 4) + options)


def simple(order: str, frame: bytes = FRAME, length: int | None = None) -> bytes:
    return block(order, 3, struct.pack(order + "I", len(frame) if length is None else length) + frame)


def times(name: str) -> list[int | None]:
    return Analysis(name).table("frames")["frame.time"].dt.timestamp("ns").to_list()


@pytest.mark.parametrize("order", "<>")
def test_microseconds_unless_the_interface_says_otherwise(save, order):
    data = section(order) + interface(order) + packet(order, 1_700_000_000_500_000)
    assert times(save(data)) == [1_700_000_000_500_000_000]


@pytest.mark.parametrize(
    ("resolution", "stamp", "expected"),
    [
        (9, 1_700_000_000_123_456_789, 1_700_000_000_123_456_789),
        (0x94, (1_700_000_000 << 20) + (1 << 19), 1_700_000_000_500_000_000),  # base 2: 2^-20 s, half a second
        (0, 1_700_000_000, 1_700_000_000_000_000_000),
        (12, 1_700_000_123_456_789_012, 1_700_000_123_456_789),
    ],
)
def test_time_resolutions(save, resolution, stamp, expected):
    data = section("<") + interface("<", options=option("<", 9, bytes([resolution]))) + packet("<", stamp)
    assert times(save(data)) == [expected]


def test_the_offset_of_an_interface_is_in_seconds(save):
    data = section("<") + interface("<", options=option("<", 14, struct.pack("<q", 1_000_000_000))) + packet("<", 700_000_000_000_000)
    assert times(save(data)) == [1_700_000_000_000_000_000]


def test_a_stamp_beyond_what_nanoseconds_hold_does_not_wrap(save):
    data = section("<") + interface("<") + packet("<", (1 << 64) - 1)
    assert times(save(data)) == [(1 << 63) - 1]


def test_a_simple_packet_has_no_time_and_obeys_the_snap_length(save):
    data = section("<") + interface("<", snap=20) + simple("<", FRAME[:20], 60) + packet("<", 1_000_000)
    table = Analysis(save(data)).table("frames")
    assert table["frame.time"].is_null().to_list() == [True, False]
    assert table["frame.cap_len"].to_list() == [20, 60]
    assert table["frame.len"].to_list() == [60, 60]
    assert run("packets", save(data)).out.splitlines()[0].startswith("    1  ")


def test_interfaces_start_again_with_each_section(save):
    one = section("<") + interface("<", options=option("<", 2, b"eth0")) + packet("<", 1)
    two = section(">") + interface(">", link=101, options=option(">", 2, b"tun0")) + packet(">", 2, b"\x45" + bytes(30))
    table = Analysis(save(one + two)).table("frames")
    assert table["frame.interface_name"].to_list() == ["eth0", "tun0"]
    assert [one.split(":")[0] for one in table["frame.protocols"]] == ["eth", "raw"]


def test_comments_are_kept_and_what_is_no_frame_is_counted(save):
    data = (
        section("<")
        + interface("<")
        + packet("<", 1, options=option("<", 1, "très\x1b[31m".encode()))
        + block("<", 10, bytes(8))
        + block("<", 5, bytes(12))
    )
    name = save(data)
    assert Analysis(name).table("frames")["frame.comment"].to_list() == [["très\x1b[31m"]]
    assert Analysis(name).table("captures")["skipped"].to_list() == ["1 decryption secrets, 1 interface statistics"]
    said = run("packets", name, "-T", "fields", "-e", "frame.comment").out
    assert said == "très\\x1b[31m\n"


@pytest.mark.parametrize(
    ("tail", "says"),
    [
        (struct.pack("<II", 6, 13), "length of 13"),
        (packet("<", 3)[:-4] + struct.pack("<I", 99), "two lengths differ"),
        (packet("<", 3, where=5), "interface 5"),
        (packet("<", 3)[:20], "ends 20 bytes into a block"),
        (
            struct.pack("<II", 6, 44) + struct.pack("<IIIII", 0, 0, 0, 1000, 1000) + bytes(12) + struct.pack("<I", 44),
            "1000 bytes does not fit",
        ),
    ],
)
def test_damage_is_said_with_frame_and_byte(save, tail, says):
    good = section("<") + interface("<") + packet("<", 1) + packet("<", 2)
    for batch in (None, 1, 1 << 20):
        analysis = Analysis(save(good + tail + bytes(40) * (len(tail) < 20 and tail[4] == 13)), batch_frames=batch)
        assert len(analysis.table("frames")) == 2
        assert analysis.damage
        assert (analysis.damage[0].frame, analysis.damage[0].offset) == (3, len(good))
        assert says in str(analysis.damage[0])


def test_cut_anywhere(save):
    parts = [section("<"), interface("<"), packet("<", 1), simple("<"), packet("<", 2)]
    data = b"".join(parts)
    ends = [sum(map(len, parts[:n])) for n in range(1, len(parts) + 1)]
    for cut in range(12, len(data)):
        try:
            analysis = Analysis(save(data[:cut]))
            found = len(analysis.table("frames"))
        except InputError:
            assert cut < ends[0]
            continue
        assert found == sum(end <= cut for end in ends[2:])
        assert (not analysis.damage) == (cut in ends)


def test_a_version_that_nobody_defined_is_refused(save):
    data = bytearray(section("<"))
    data[12] = 2
    said = run(save(bytes(data)))
    assert said.status == 2
    assert "version 2" in said.err
