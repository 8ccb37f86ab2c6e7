"""pcapng files, built block by block after the specification."""

from __future__ import annotations

import struct

import pytest
from conftest import SHARED, run

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
def test_timestamps_are_microseconds_by_default(save, order):
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
def test_timestamp_resolutions(save, resolution, stamp, expected):
    data = section("<") + interface("<", options=option("<", 9, bytes([resolution]))) + packet("<", stamp)
    assert times(save(data)) == [expected]


def test_the_timestamp_offset_is_in_seconds(save):
    data = section("<") + interface("<", options=option("<", 14, struct.pack("<q", 1_000_000_000))) + packet("<", 700_000_000_000_000)
    assert times(save(data)) == [1_700_000_000_000_000_000]


def test_a_timestamp_beyond_int64_nanoseconds_is_clamped(save):
    data = section("<") + interface("<") + packet("<", (1 << 64) - 1)
    assert times(save(data)) == [(1 << 63) - 1]


def test_a_simple_packet_block_has_no_timestamp_and_obeys_the_snaplen(save):
    data = section("<") + interface("<", snap=20) + simple("<", FRAME[:20], 60) + packet("<", 1_000_000)
    table = Analysis(save(data)).table("frames")
    assert table["frame.time"].is_null().to_list() == [True, False]
    assert table["frame.cap_len"].to_list() == [20, 60]
    assert table["frame.len"].to_list() == [60, 60]
    assert run("packets", save(data)).out.splitlines()[0].startswith("    1  ")


def test_interface_ids_restart_in_each_section(save):
    one = section("<") + interface("<", options=option("<", 2, b"eth0")) + packet("<", 1)
    two = section(">") + interface(">", link=101, options=option(">", 2, b"tun0")) + packet(">", 2, b"\x45" + bytes(30))
    table = Analysis(save(one + two)).table("frames")
    assert table["frame.interface_name"].to_list() == ["eth0", "tun0"]
    assert [one.split(":")[0] for one in table["frame.protocols"]] == ["eth", "raw"]


def test_comments_are_kept_and_other_blocks_are_counted(save):
    data = (
        section("<")
        + interface("<")
        + packet("<", 1, options=option("<", 1, "très\x1b[31m".encode()))
        + block("<", 10, bytes(8))
        + block("<", 9, b"{}")
    )
    name = save(data)
    assert Analysis(name).table("frames")["frame.comment"].to_list() == [["très\x1b[31m"]]
    assert Analysis(name).table("captures")["skipped"].to_list() == ["1 decryption secrets, 1 systemd journal"]
    printed = run("packets", name, "-T", "fields", "-e", "frame.comment").out
    assert printed == "très\\x1b[31m\n"


@pytest.mark.parametrize(
    ("tail", "reason"),
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
def test_damage_is_reported_with_frame_and_byte(save, tail, reason):
    good = section("<") + interface("<") + packet("<", 1) + packet("<", 2)
    for batch in (None, 1, 1 << 20):
        analysis = Analysis(save(good + tail + bytes(40) * (len(tail) < 20 and tail[4] == 13)), batch_frames=batch)
        assert len(analysis.table("frames")) == 2
        assert analysis.damage
        assert (analysis.damage[0].frame, analysis.damage[0].offset) == (3, len(good))
        assert reason in str(analysis.damage[0])


def test_truncation_anywhere(save):
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


def test_an_unknown_version_is_refused(save):
    data = bytearray(section("<"))
    data[12] = 2
    result = run(save(bytes(data)))
    assert result.status == 2
    assert "version 2" in result.err


def stamp(order: str, value: int) -> bytes:
    return struct.pack(order + "II", value >> 32, value & 0xFFFFFFFF)


def statistics(order: str, where: int, when: int, **counts: int) -> bytes:
    codes = {"begin": 2, "end": 3, "received": 4, "dropped": 5, "accepted": 6, "system_dropped": 7, "delivered": 8}
    options = [
        option(order, codes[name], stamp(order, n) if name in ("begin", "end") else struct.pack(order + "Q", n))
        for name, n in counts.items()
    ]
    return block(order, 5, struct.pack(order + "I", where) + stamp(order, when) + b"".join(options))


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("batch", [1, 7, None])
def test_statistics_and_options_of_interfaces(save, order, batch):
    """Statistics are cumulative: the last block of each interface counts. Interface ids restart in each section."""
    options = [
        option(order, 2, b"eth0"),
        option(order, 3, b"uplink"),
        option(order, 4, bytes([10, 0, 0, 1, 255, 255, 255, 0])),
        option(order, 5, bytes(15) + b"\1\x40"),
        option(order, 6, bytes.fromhex("020000000001")),
        option(order, 8, struct.pack(order + "Q", 10**9)),
        option(order, 9, b"\x09"),
        option(order, 11, b"\0tcp port 80"),
        option(order, 12, b"Plan 9"),
        option(order, 13, b"\4"),
        option(order, 15, b"a card"),
        option(order, 1, b"one"),
        option(order, 1, b"two"),
    ]
    machine = option(order, 2, b"a box") + option(order, 3, b"an OS") + option(order, 4, b"a program")
    data = section(order, machine) + interface(order, options=b"".join(options)) + interface(order, link=101)
    data += packet(order, 1_700_000_000 * 10**9) + statistics(order, 0, 5, received=10, dropped=1)
    data += packet(order, 1_700_000_001 * 10**9) + packet(order, 1, b"\x45" + bytes(30), where=1)
    data += statistics(
        order, 0, 7 * 10**9, begin=3 * 10**9, end=6 * 10**9, received=20, dropped=3, system_dropped=2, accepted=9, delivered=8
    )
    data += section(order) + interface(order) + statistics(order, 0, 1, dropped=100) + statistics(order, 6, 1, dropped=1)
    tables = Analysis(save(data), batch_frames=batch).tables(["interfaces", "captures"])
    one, two, three = tables["interfaces"].to_dicts()
    assert [(row["section"], row["interface"], row["frames"], row["dropped"]) for row in (one, two, three)] == [
        (1, 0, 2, 3),
        (1, 1, 1, None),
        (2, 0, 0, 100),
    ]
    expected = {
        "name": "eth0",
        "description": "uplink",
        "addresses": ["10.0.0.1/255.255.255.0", "::1/64", "02:00:00:00:00:01"],
        "speed": 10**9,
        "filter": "tcp port 80",
        "system": "Plan 9",
        "hardware": "a card",
        "resolution": "1e-9",
        "fcs_length": 4,
        "comments": ["one", "two"],
        "received": 20,
        "accepted": 9,
        "system_dropped": 2,
        "delivered": 8,
        "bytes": 120,
    }
    assert {name: one[name] for name in expected} == expected
    assert [one[name].timestamp() for name in ("counted_from", "counted_to", "counted_at", "start")] == [3, 6, 7, 1_700_000_000]
    (row,) = tables["captures"].to_dicts()
    assert [row[n] for n in ("received", "dropped", "hardware", "system", "application")] == [20, 105, "a box", "an OS", "a program"]
    assert row["skipped"] == "1 statistics of an unknown interface"


def test_interfaces_of_merged_captures_keep_their_frames(save):
    one = section("<") + interface("<", options=option("<", 2, b"a")) + packet("<", 1_000_000) + packet("<", 3_000_000)
    two = (
        section(">")
        + interface(">", options=option(">", 2, b"unused"))
        + interface(">", link=101)
        + packet(">", 2_000_000, b"\x45" * 31, 1)
    )
    rows = Analysis(save(one, "1.pcapng"), save(two, "2.pcapng")).table("interfaces")
    assert rows.select("name", "interface", "frames", "bytes").rows() == [("a", 0, 2, 120), ("unused", 0, 0, 0), (None, 1, 1, 31)]


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("batch", [1, 7, None])
def test_name_resolution_blocks(save, order, batch):
    def record(kind: int, value: bytes) -> bytes:
        return option(order, kind, value)

    records = record(1, bytes([192, 0, 2, 1]) + b"a.example\0b.example\0") + record(2, bytes(15) + b"\1" + b"localhost\0")
    records += record(3, bytes.fromhex("020000000001") + b"printer\0") + record(1, b"\1\2") + bytes(4)
    server = option(order, 2, b"dns.example") + option(order, 3, bytes([192, 0, 2, 53]))
    data = section(order) + interface(order) + block(order, 4, records + server) + packet(order, 1)
    tables = Analysis(save(data), batch_frames=batch).tables(["hosts", "captures"])
    assert tables["hosts"].select("section", "address", "name").rows() == [
        (1, "192.0.2.1", "a.example"),
        (1, "192.0.2.1", "b.example"),
        (1, "::1", "localhost"),
        (1, "02:00:00:00:00:01", "printer"),
    ]
    assert set(tables["hosts"].select("server", "server_address").rows()) == {("dns.example", "192.0.2.53")}
    assert tables["captures"].select("names", "skipped").row(0) == (4, "1 malformed name records")


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("batch", ["1", "7", "1000000"])
def test_options_of_packets(save, order, batch):
    """Flags: 0x81000089 is inbound, multicast, FCS length 4, CRC error, symbol error."""
    first = option(order, 2, struct.pack(order + "I", 0x81000089)) + option(order, 4, struct.pack(order + "Q", 7))
    more = option(order, 5, struct.pack(order + "Q", (1 << 64) - 1)) + option(order, 6, struct.pack(order + "I", 3))
    other = option(order, 7, b"\0\xca\xfe") + option(order, 3, b"\2\1\2\3\4") + option(order, 1, b"a") + option(order, 1, b"b")
    odd = option(order, 2, b"\1") + option(order, 2988, b"\0\0\0\x2a!") + option(order, 4242, b"")
    verdict = option(order, 7, b"\1" + struct.pack(order + "q", -1))
    data = section(order) + interface(order)
    data += (
        packet(order, 1, options=first + more)
        + packet(order, 2)
        + packet(order, 3, options=other + odd)
        + packet(order, 4, options=verdict)
    )
    name = save(data)

    def printed(*fields: str) -> list[str]:
        words = [word for one in fields for word in ("-e", "frame." + one)]
        return run("packets", name, "--batch-frames", batch, "-T", "fields", *words).out.splitlines()

    flags = ("direction", "reception_type", "fcs_length", "crc_error", "symbol_error", "preamble_error")
    empty = "\t" * (len(flags) + 1)
    assert printed("packet_flags", *(f"packet_flags_{n}" for n in flags), "fcs_len") == [
        "0x81000089\t0x00000001\t2\t4\t1\t1\t0\t4",
        empty,
        empty,
        empty,
    ]
    assert printed("drop_count", "interface_queue", "packet_id") == [f"7\t3\t{2**63 - 1}", "\t\t", "\t\t", "\t\t"]
    assert printed("comment", "hash", "verdict.hw", "verdict.ebpf_tc") == ["\t\t\t", "\t\t\t", "a,b\tCRC32 01020304\tcafe\t", "\t\t\t-1"]
    table = Analysis(name, batch_frames=int(batch)).table("captures")
    assert table["skipped"].to_list() == ["1 malformed options, 1 custom options, 1 unknown options"]


def test_secrets_are_counted_and_not_shown(save):
    secret = b"CLIENT_RANDOM 00 11"
    data = section("<") + interface("<") + block("<", 10, struct.pack("<II", 0x544C534B, len(secret)) + secret) + packet("<", 1)
    name = save(data)
    for words in (("report",), *(("table", one) for one in ("captures", "interfaces", "hosts", "frames")), ("packets", "-V", "-x")):
        assert "RANDOM" not in run(words[0], *words[1:2], name, *words[2:]).out
    assert Analysis(name).table("captures")["skipped"].to_list() == ["1 decryption secrets"]


@pytest.mark.skipif(not (SHARED / "corpus").exists(), reason="../shared is not there")
@pytest.mark.parametrize("order", ["be", "le"])
def test_another_programs_captures(order):
    """Contents as the generator of these captures documents them, and as tshark 4.0.17 prints them."""
    folder = SHARED / "corpus" / "pcapng-test-generator"
    result = run(
        "packets",
        str(folder / f"output_{order}__basic__test009.pcapng"),
        "-T",
        "fields",
        "-e",
        "frame.packet_flags",
        "-e",
        "frame.drop_count",
    )
    assert result.out == "0x00000000\t0\n0x48000000\t12345\n"
    name = str(folder / f"output_{order}__advanced__test102.pcapng")
    hosts = Analysis(name).table("hosts")["address"].to_list()
    assert (sum("." in host for host in hosts), sum(":" in host for host in hosts)) == (8, 3)  # capinfos counts these
