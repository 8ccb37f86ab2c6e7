"""Datagrams in pieces: every order, copies, overlaps and lies; what became of each, and who cut it."""

from __future__ import annotations

import itertools
import struct

import numpy as np
import polars as pl
import pytest
from conftest import BATCHES, RECORDINGS, pcap, run
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.all import ICMP, IP, TCP, UDP, Dot1Q, Ether, IPv6, IPv6ExtHdrFragment, Raw

from analyzer import Analysis
from analyzer.correlators._fragments import INPUT, OUTPUT, Queues
from analyzer.defaults import OVERLAP_POLICIES

ETH = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
MARKS = ("overlap", "overlap.conflict", "multipletails", "toolongfragment")


def udp(data: bytes, sport: int = 1000, dport: int = 2000) -> bytes:
    """A UDP packet from 10.0.0.1 to 10.0.0.2, checksum and all."""
    return bytes(IP(bytes(IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=sport, dport=dport) / Raw(data))).payload)


def piece(data: bytes, offset: int, more: bool, ident: int = 7, link=ETH, proto: int = 17, **ip: object) -> bytes:
    """A frame with data[offset…] of a datagram. offset: bytes."""
    flags = "+".join(filter(None, ("MF" if more else "", ip.pop("flags", ""))))
    return bytes(link / IP(src="10.0.0.1", dst="10.0.0.2", proto=proto, id=ident, frag=offset // 8, flags=flags, **ip) / Raw(data))


def piece6(data: bytes, offset: int, more: bool, ident: int = 7, **ip: object) -> bytes:
    extra = IPv6ExtHdrFragment(id=ident, offset=offset // 8, m=int(more), nh=17)
    return bytes(ETH / IPv6(src="2001:db8::1", dst="2001:db8::2", **ip) / extra / Raw(data))


def cut(data: bytes, sizes: list[int], make=piece, **more: object) -> list[bytes]:
    """All of a datagram in pieces of these sizes; the last takes the rest."""
    bounds = [0, *itertools.accumulate(sizes), len(data)]
    return [make(data[a:b], a, b < len(data), **more) for a, b in itertools.pairwise(bounds) if b > a]


@pytest.fixture
def look(save):
    """Fields of each frame, the same in batches of 1, 7 and all."""

    def cells(frames: list[bytes], *names: str, args: tuple[str, ...] = ()) -> list[list[str]]:
        file = save(pcap(*frames))
        words = [word for name in names for word in ("-e", name)]
        result = {run("packets", file, "-T", "fields", *words, "--batch-frames", str(n), *args).out for n in BATCHES}
        assert len(result) == 1
        return [line.split("\t") for line in result.pop().splitlines()]

    return cells


def tables(name: str, *wanted: str, **more) -> dict[str, pl.DataFrame]:
    """Tables, the same in batches of 1, 7 and all."""
    found = [Analysis(name, batch_frames=n, **more).tables(wanted) for n in BATCHES]
    for other in found[1:]:
        assert all(found[0][table].equals(other[table]) for table in wanted)
    return found[0]


# ---------------------------------------------------------------- recordings


def test_a_ping_of_1473_bytes_travels_in_two_pieces():
    """1500 bytes and 21: eight bytes of ICMP header and 1473 of data are one more than fits (20 + 1480)."""
    found = tables(str(RECORDINGS / "frag-1473.pcap.xz"), "datagrams", "fragments", "icmp")
    rows = found["datagrams"].select("completed_in", "length", "fragments", "mtu_least", "mtu_most", "fragmented_by", "outcome").rows()
    assert rows == [(n, 1481, 2, 1500, 1507, "sender", "whole") for n in (2, 4, 6, 8)]
    assert found["fragments"].select("frame", "offset", "bytes", "completed_in").rows()[:2] == [(1, 0, 1480, 2), (2, 1480, 1, 2)]
    assert found["icmp"].select("frame.number", "icmp.type").rows() == [(2, 8), (4, 0), (6, 8), (8, 0)]


def test_bad_pieces_are_put_together_and_said():
    """Pieces in the wrong order, overlapping, twice; the last datagram lacks its end, and the receiver's ICMP error says so."""
    found = tables(str(RECORDINGS / "frag-bad.pcap.xz"), "datagrams", "fragments", "undecoded", "expert")
    rows = found["datagrams"].select("first_frame", "completed_in", "outcome", "missing", "duplicates", "overlaps", "conflicts").rows()
    assert rows == [
        (1, 2, "whole", None, 0, 0, 0),
        (4, 5, "whole", None, 0, 1, 0),
        (6, 8, "whole", None, 1, 0, 0),
        (10, None, "unfinished", "48–", 0, 0, 0),
    ]
    assert found["fragments"]["found"].to_list() == ["new", "new", "new", "overlap", "new", "duplicate", "new", "new"]
    assert found["undecoded"].filter(space="fragment").select("frames", "bytes", "first_frame").rows() == [(1, 48, 10)]
    assert found["expert"].filter(finding="ip.overlap")["frame.number"].to_list() == [5, 8]


def test_a_router_that_cuts_is_told_from_a_sender():
    """The echo is seen whole before the routers and in pieces behind them; its answer the other way round."""
    names = [str(RECORDINGS / f"frag-router-{side}.pcap.xz") for side in ("before", "after")]
    rows = Analysis(*names).table("datagrams").select("fragmented_by", "mtu_least", "mtu_most", "why").rows()
    assert rows == [("router", 596, 603, f"seen whole in frame {n}, with more time to live") for n in (1, 5)]
    alone = Analysis(names[1]).table("datagrams")
    assert alone.select("fragmented_by", "why").rows() == [(None, None)]


def test_ipv6_senders_cut_themselves():
    found = tables(str(RECORDINGS / "ipv6-frag.pcap.xz"), "datagrams", "icmpv6")
    rows = found["datagrams"].select("completed_in", "length", "fragments", "mtu_least", "fragmented_by").rows()
    assert rows == [(n, 3008, 3, 1280, "sender") for n in (11, 14, 17, 20)]
    answers = found["icmpv6"].filter(pl.col("icmpv6.type") == 129)["frame.number"].to_list()
    assert answers == [14, 20]


# ---------------------------------------------------------------- orders


@pytest.mark.parametrize("make", [piece, piece6])
def test_every_order_of_up_to_six_pieces_gives_the_same_datagram(save, make):
    """All under one number: when a datagram is whole, its number may be used again."""
    data = udp(bytes(range(60)))
    frames, expected = [], []
    for count in range(2, 7):
        parts = cut(data, [8] * (count - 1), make)
        for order in itertools.permutations(range(count)):
            frames += [parts[i] for i in order]
            expected.append((len(frames), 60))
    file = save(pcap(*frames))
    for batch in (7, 1 << 20):
        found = Analysis(file, batch_frames=batch).tables(["udp"])["udp"]
        assert found.select("frame.number", "udp.payload_len").rows() == expected
        assert set(found["udp.payload"]) == {bytes(range(60)).hex()}


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_cut_in_any_order_with_copies_and_equal_overlaps(data):
    """What the trains make of pieces that agree is the datagram, whoever's bytes count."""
    whole = data.draw(st.binary(min_size=9, max_size=400))
    ends = sorted(data.draw(st.sets(st.integers(1, (len(whole) - 1) // 8), max_size=20)))
    bounds = [0, *(8 * end for end in ends), len(whole)]
    parts = [(a, b) for a, b in itertools.pairwise(bounds)]
    for _ in range(data.draw(st.integers(0, 4))):
        a = 8 * data.draw(st.integers(0, (len(whole) - 1) // 8))
        parts.append((a, data.draw(st.integers(a + 1, len(whole)))))
    parts = data.draw(st.permutations(parts))
    for policy in OVERLAP_POLICIES:
        trains = Queues(1 << 20, policy)
        made = []
        for frame, (a, b) in enumerate(parts, 1):
            values = {
                "frame": frame,
                "timeout": 1,
                "offset": a,
                "length": b - a,
                "more": b < len(whole),
                "number": 17,
                "start": a,
                "whole": 1,
            }
            matrix = np.array([[values.get(name, 0)] for name in INPUT], np.int64)
            _, wholes = trains.feed([b"key"], matrix, [memoryview(whole)], np.zeros((len(OUTPUT), 1), np.int64))
            made += wholes[2]
        assert made and set(made) == {whole}


def test_the_last_piece_before_a_middle_one_loses_nothing(look):
    """The order in which a defragmenter that closes at the last piece drops 3072 bytes."""
    data = udp(bytes(3064))
    one, two, three = cut(data, [1024, 1024])
    for order in ([one, three, two], [three, two, one]):
        assert look(order, "udp.length", "ip.reassembled.length")[2] == ["3072", "3072"]


def test_offsets_count_in_eights_and_numbers_keep_datagrams_apart(look):
    """Two IPv6 packets of one flow, their pieces interleaved."""
    first, second = udp(b"a" * 40, dport=1), udp(b"b" * 40, dport=2)
    a, b = (cut(data, [24], piece6, ident=n, fl=0x12345) for n, data in enumerate((first, second)))
    got = look([a[0], b[0], a[1], b[1]], "udp.dstport", "udp.payload", "ipv6.fraghdr.offset")
    assert got == [["", "", "0"], ["", "", "0"], ["1", "61" * 40, "3"], ["2", "62" * 40, "3"]]


def test_a_later_piece_has_no_ports(look):
    """Its payload begins like a UDP header, and is none."""
    frame = piece(struct.pack(">HHHH", 53, 53, 16, 0) + bytes(8), 8, False)
    assert look([frame], "udp.port", "frame.protocols") == [["", "eth:ethertype:ip:data"]]


def test_flags_of_the_last_piece_do_not_hide_it(look):
    """Don't fragment, or the reserved bit, on the last piece."""
    data = udp(bytes(40))
    for flags in ("DF", "evil"):
        frames = [piece(data[:24], 0, True), piece(data[24:], 24, False, flags=flags)]
        assert look(frames, "udp.length")[1] == ["48"]


def test_vlans_protocols_and_senders_are_kept_apart(look):
    data = udp(bytes(40))
    (a, b), (c, d) = (cut(data, [24], link=ETH / Dot1Q(vlan=vlan)) for vlan in (1, 2))
    other = piece(data[24:], 24, False, proto=1)
    assert [one[0] for one in look([a, d, other, b, c], "udp.length")] == ["", "", "", "48", "48"]


# ---------------------------------------------------------------- overlaps and lies


def flags(look, frames: list[bytes], family: str = "ip") -> list[str]:
    """Pieces, faulty pieces, the four marks, how many, how long: at the last frame."""
    names = ["", ".error", *(f".{mark}" for mark in MARKS), ".count"]
    return look(frames, *(f"{family}.fragment{name}" for name in names), f"{family}.reassembled.length")[-1]


@pytest.mark.parametrize(("make", "family"), [(piece, "ip"), (piece6, "ipv6")])
def test_marks_are_wiresharks(look, make, family):
    """What tshark 4.0.17 prints for the same frames."""
    data = udp(bytes(range(40)))
    first, last = make(data[:24], 0, True), make(data[24:], 24, False)
    assert flags(look, [first, last], family) == ["1,2", "", "", "", "", "", "2", "48"]
    assert flags(look, [first, first, last], family) == ["1,2,3", "", "1", "", "", "", "3", "48"]
    assert flags(look, [last, make(data[8:24], 8, True), first], family) == ["3,2,1", "", "1", "", "", "", "3", "48"]
    assert flags(look, [first, make(bytes(16), 16, True), last], family) == ["1", "2,3", "1,1", "1,1", "", "", "3", "48"]
    assert flags(look, [last, make(data[32:40], 32, False), first], family) == ["3,1", "2", "1", "", "1", "", "3", "48"]
    assert flags(look, [last, make(bytes(24), 40, True), first], family) == ["3,1", "2", "1", "1", "", "1", "3", "48"]


OVERLAPPING = [(0, b"A" * 24), (32, b"B" * 16), (16, b"C" * 24), (0, b"D" * 16)]  # offset, bytes; in the order of arrival


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("first", "A" * 24 + "C" * 8 + "B" * 16),
        ("last", "D" * 16 + "C" * 24 + "B" * 8),
        ("bsd", "A" * 24 + "C" * 16 + "B" * 8),  # begins before: A before C, C before B; A and D begin together: A came first
        ("linux", "D" * 16 + "A" * 8 + "C" * 16 + "B" * 8),  # … D came last
    ],
)
def test_the_policy_says_whose_bytes_count(save, policy, expected):
    """Counted by hand. The piece that comes last completes the datagram, so all four count."""
    frames = [piece(data, offset + 8, True) for offset, data in OVERLAPPING]
    header = struct.pack(">HHHH", 1000, 2000, 8 + 56, 0)
    frames += [piece(b"E" * 8, 56, False), piece(header, 0, True)]
    name = save(pcap(*frames))
    for batch in BATCHES:
        (payload,) = Analysis(name, overlap=policy, batch_frames=batch).table("udp")["udp.payload"]
        assert bytes.fromhex(payload).decode() == expected + "E" * 8
    result = run("packets", name, "-T", "fields", "-e", "udp.payload", "--overlap", policy)
    assert (expected + "E" * 8).encode().hex() in result.out
    (row,) = tables(name, "datagrams")["datagrams"].select("overlaps", "conflicts", "duplicates").rows()
    assert row == (0, 2, 0)


def test_contradictions_are_findings(save):
    data = udp(bytes(range(40)))
    for make, family in ((piece, "ip"), (piece6, "ipv6")):
        frames = [make(data[:24], 0, True), make(bytes(16), 16, True), make(data[24:], 24, False)]
        found = tables(save(pcap(*frames)), "expert")["expert"].filter(pl.col("group") == "reassembly")
        assert (3, "warn", f"{family}.contradiction") in found.select("frame.number", "severity", "finding").rows()


def test_more_than_a_datagram_may_have_is_refused(save):
    """The ping of death: the last piece begins at 65,512 and has 100 bytes."""
    frames = [piece(bytes(65_512), 0, True)[: 14 + 20 + 1480], piece(bytes(100), 8189 * 8, False)]
    frames[0] = frames[0][:16] + struct.pack(">H", 1500) + frames[0][18:]
    found = tables(save(pcap(*frames)), "fragments", "datagrams", "expert", "udp")
    assert found["fragments"]["found"].to_list() == ["new", "oversize"]
    assert found["datagrams"].select("outcome", "missing", "conflicts").rows() == [("unfinished", "1480–", 1)]
    assert len(found["udp"]) == 0
    result = "IPv4: fragment offset puts the end of this piece at 65612, beyond the 65535 bytes of the largest datagram: left out"
    assert (2, result, 20) in found["expert"].select("frame.number", "summary", "offset").rows()


def test_tiny_ragged_and_forbidden_pieces_are_said(save):
    frames = [piece(bytes(8), 0, True), piece(bytes(13), 8, True), piece(bytes(104), 32, True, flags="DF")]
    rows = tables(save(pcap(*frames)), "expert")["expert"].select("frame.number", "finding").rows()
    assert rows == [(1, "ip.tiny_fragment"), (2, "ip.tiny_fragment"), (2, "ip.ragged_fragment"), (3, "ip.fragment_with_df")]


def test_a_cut_piece_is_left_out_and_said(save):
    first, last = cut(udp(bytes(400)), [200])
    name = save(pcap(first, last[:60], lengths={1: len(last)}))
    found = tables(name, "datagrams", "fragments", "udp")
    assert found["fragments"]["found"].to_list() == ["new", "cut"]
    assert found["datagrams"].select("outcome", "cut", "missing", "length").rows() == [("unfinished", 1, "200–", None)]
    assert len(found["udp"]) == 0


# ---------------------------------------------------------------- time, memory


def at(times: list[float], frames: list[bytes]) -> bytes:
    file = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    for when, frame in zip(times, frames, strict=True):
        file += struct.pack("<IIII", int(when), 0, len(frame), len(frame)) + frame
    return file


@pytest.mark.parametrize(("make", "limit"), [(piece, 30), (piece6, 60)])
def test_a_piece_too_late_begins_anew(save, make, limit):
    """Linux waits 30 seconds for the pieces of an IPv4 datagram, RFC 8200 asks for 60 for IPv6."""
    parts = cut(udp(bytes(40)), [24], make)
    within = tables(save(at([0, limit], parts)), "datagrams")["datagrams"]
    assert within["outcome"].to_list() == ["whole"]
    beyond = tables(save(at([0, limit + 1], parts)), "datagrams")["datagrams"]
    assert beyond.select("first_frame", "outcome", "missing").rows() == [(1, "timed out", "24–"), (2, "unfinished", "0–23")]


def test_a_number_used_again_is_another_datagram(save):
    parts = cut(udp(b"a" * 40), [24]) + cut(udp(b"b" * 40), [24])
    found = tables(save(pcap(*parts)), "datagrams", "udp")
    assert found["datagrams"].select("first_frame", "completed_in", "outcome").rows() == [(1, 2, "whole"), (3, 4, "whole")]
    assert found["udp"]["udp.payload"].to_list() == ["61" * 40, "62" * 40]


def test_a_late_copy_is_no_loss(save, look):
    """The network made a copy of the last piece: what it belongs to was whole already."""
    first, last = cut(udp(bytes(40)), [24])
    found = tables(save(pcap(first, last, last)), "datagrams")["datagrams"]
    assert found.select("first_frame", "outcome").rows() == [(1, "whole"), (3, "late copies")]
    assert look([first, last, last], "ip.reassembled_in") == [[""], [""], ["2"]]


def test_a_flood_of_unfinished_datagrams_stays_within_its_limit():
    """The eldest are given up and counted; 100,000 trains, memory for a few hundred."""
    trains = Queues(1 << 18, "bsd")
    data = memoryview(bytes(1000))
    count = 100_000
    matrix = np.zeros((len(INPUT), count), np.int64)
    for name, value in {"timeout": 1, "length": 1000, "more": 1, "whole": 1}.items():
        matrix[INPUT.index(name)] = value
    ended, wholes = trains.feed([b"%d" % n for n in range(count)], matrix, [data], np.zeros((len(OUTPUT), count), np.int64))
    assert not wholes[0]
    kept = len(trains.unfinished())
    assert kept * 1000 <= 1 << 18 and kept > 100
    assert trains.lost() == len(ended) == count - kept
    assert [row[0] for row in ended] == list(range(count - kept))


def test_what_was_given_up_is_said(save):
    """40,000 first pieces of eight bytes, all in one second: each takes about a kilobyte, 32 MiB are there for this depth."""
    frame = bytearray(piece(bytes(8), 0, True))
    file = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)]
    for n in range(40_000):
        frame[18:20] = struct.pack(">H", n)
        file.append(struct.pack("<IIII", 0, n, len(frame), len(frame)) + frame)
    analysis = Analysis(save(b"".join(file)))
    outcomes = analysis.table("datagrams")["outcome"].to_list()
    lost = outcomes.count("given up")
    assert lost > 1000 and set(outcomes[:lost]) == {"given up"} and set(outcomes[lost:]) == {"unfinished"}
    assert analysis.notes == [
        f"{lost:,} fragmented datagrams, the oldest, were given up before they were whole, to hold 64 MiB of fragments at the most"
    ]


# ---------------------------------------------------------------- what is in them


def test_tcp_and_checksums_in_pieces(save, look):
    """A segment in two pieces: its stream, its checksum over both, its fault told with the place in the datagram."""
    whole = IP(bytes(IP(src="10.0.0.1", dst="10.0.0.2") / TCP(sport=1, dport=80, flags="PA", seq=5) / Raw(b"x" * 100)))
    parts = cut(bytes(whole.payload), [64], proto=6)
    assert look(parts, "tcp.len", "tcp.stream", "tcp.checksum.status", args=("--checksums",)) == [["", "", ""], ["100", "0", "1"]]
    bad = bytearray(bytes(whole.payload))
    bad[12] = 0xF0  # a header of 60 bytes in which options of zeros end at once, so nothing is wrong with it …
    bad[20:24] = b"\x02\x30xx"  # … but an option that says 48 bytes
    found = tables(save(pcap(*cut(bytes(bad), [64], proto=6))), "expert")["expert"].filter(group="malformed")
    ((frame, result, offset),) = found.select("frame.number", "summary", "offset").rows()
    assert (frame, offset) == (2, 20) and result.endswith(", in the datagram put together here")


def test_pieces_in_pieces_in_a_tunnel(look):
    """IP in IP, both cut: the inner datagram's two pieces are each cut in two by the tunnel's own sender."""
    data = udp(b"q" * 100)
    inner = [bytes(Ether(one).payload) for one in cut(data, [56], ident=9)]
    frames = [frame for n, packet in enumerate(inner) for frame in cut(packet, [40], ident=100 + n, proto=4)]
    got = look(frames, "udp.length", "ip.fragment", "frame.protocols")
    assert got[1] == ["", "1,2", "eth:ethertype:ip:ip:data"]
    assert got[3] == ["108", "3,4,2,4", "eth:ethertype:ip:ip:udp:data"]


def test_what_an_error_quotes_is_no_piece(save):
    quoted = bytes(IP(src="10.0.0.2", dst="10.0.0.1", flags="MF", proto=17) / Raw(bytes(8)))
    name = save(pcap(bytes(ETH / IP() / ICMP(type=11, code=1) / Raw(quoted))))
    assert len(tables(name, "datagrams")["datagrams"]) == 0


def test_the_tree_shows_the_datagram(save):
    result = run("packets", save(pcap(*cut(udp(b"y" * 40), [24]))), "-V", "-x").out
    assert "Datagram put together: 48 bytes; from here on offsets count in it" in result
    second = result.partition("Frame 2")[2]
    assert "datagram put together, 48 bytes:" in second and "0020  79 79 79 79" in second


def test_a_filter_sees_the_datagram_and_changes_no_number(save):
    parts = cut(udp(b"a" * 40, dport=5), [24], ident=1) + cut(udp(b"b" * 40, dport=6), [24], ident=2)
    name = save(pcap(*parts))
    found = tables(name, "datagrams", "fragments", filter="udp.dstport == 6")
    assert found["datagrams"].select("datagram", "first_frame", "fragments").rows() == [(1, 3, 2)]
    assert found["fragments"].select("frame", "datagram").rows() == [(4, 1)]
