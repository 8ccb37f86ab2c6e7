"""Inputs on which other parsers go wrong, as their users reported, and what is right. Each in batches of 1, 7 and all frames."""

from __future__ import annotations

import struct
from datetime import UTC, datetime

import pytest
from conftest import BATCHES, Dialogue, pcap, run
from scapy.all import ICMP, IP, TCP, UDP, Dot1Q, Ether, IPv6, Raw
from scapy.layers.inet import IPOption_RR
from scapy.layers.inet6 import ICMPv6ND_NS, ICMPv6NDOptSrcLLAddr, IPv6ExtHdrHopByHop, RouterAlert
from test_pcapng import interface, option, packet, section, simple

from analyzer import Analysis
from analyzer.tables import make, names

ETH = Ether(dst="00:11:22:33:44:55", src="00:16:d3:5c:b9:e3")
V4, V6 = IP(src="1.1.1.1", dst="2.2.2.2"), IPv6(src="2001:db8::1", dst="2001:db8::2")


@pytest.fixture
def cells(save):
    """Cells of a capture: fields → a list for each frame."""

    def get(data: bytes, *wanted: str) -> list[list[str]]:
        name = save(data)
        words = [word for one in wanted for word in ("-e", one)]
        (result,) = {run("packets", name, "--batch-frames", str(size), "-T", "fields", *words).out for size in BATCHES}
        return [line.split("\t") for line in result.splitlines()]

    return get


@pytest.fixture
def streams(save):
    """Columns of the table of streams: a tuple for each connection."""

    def get(data: bytes, *columns: str) -> list[tuple]:
        name = save(data)
        seen = [Analysis(name, batch_frames=size).table("streams").select(columns).rows() for size in BATCHES]
        assert seen[0] == seen[1] == seen[2]
        return seen[0]

    return get


def findings(name: str) -> list[tuple[int, str]]:
    seen = [Analysis(name, batch_frames=size).table("expert").select("frame.number", "finding").rows() for size in BATCHES]
    assert seen[0] == seen[1] == seen[2]
    return seen[0]


@pytest.mark.parametrize("network", [V4, V6])
def test_padding_is_no_data(cells, network):
    """Ethernet pads frames to 60 bytes: the datagram ends where IP says; a stream of four bytes has four."""
    story = [TCP(flags="S"), TCP(flags="A"), TCP(flags="PA") / Raw(b"data"), UDP() / Raw(b"data")]
    padded = [bytes(ETH / network / one) + bytes(6) for one in story]
    assert cells(pcap(*padded), "tcp.len", "tcp.payload", "udp.payload") == [
        ["0", "", ""],
        ["0", "", ""],
        ["4", b"data".hex(), ""],
        ["", "", b"data".hex()],
    ]


@pytest.mark.parametrize("network", [V4, V6])
def test_a_length_of_0_is_what_was_captured(cells, network):
    """Segments on their way to a network card that will cut them up have no length yet: 3000 bytes, none lost, none negative."""
    frame = bytearray(bytes(ETH / network / TCP(flags="A") / Raw(bytes(3000))))
    at = 16 if network is V4 else 18
    frame[at : at + 2] = b"\0\0"
    assert cells(pcap(bytes(frame)), "tcp.len") == [["3000"]]


def test_a_later_fragment_has_no_ports(cells):
    """The bytes of any fragment but the first are the middle of a datagram; read as ports they are noise."""
    first = ETH / IP(flags="MF", id=7, proto=17) / UDP(sport=1, dport=2, len=40) / Raw(bytes(16))
    later = ETH / IP(frag=3, id=7, proto=17) / Raw(b"\x00\x35\x00\x35" + bytes(12))
    assert cells(pcap(bytes(first), bytes(later)), "udp.srcport", "ip.frag_offset") == [
        ["", "0"],
        ["1", "3"],
    ]  # of the datagram that is whole


def test_a_resolution_of_base_2(save):
    """if_tsresol 0x94 is 2^-20 s: half a second is half a second."""
    data = section("<") + interface("<", options=option("<", 9, b"\x94")) + packet("<", (1_700_000_000 << 20) + (1 << 19))
    for size in BATCHES:
        table = Analysis(save(data), batch_frames=size).table("frames")
        assert table["frame.time"].dt.timestamp("ns").to_list() == [1_700_000_000_500_000_000]


@pytest.mark.parametrize("magic", [0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34])
@pytest.mark.parametrize("order", "<>")
def test_times_by_the_magic_number(save, magic, order):
    """Microseconds, nanoseconds and the modified format, in both byte orders."""
    table = Analysis(save(pcap(bytes(60), bytes(60), magic=magic, order=order))).table("frames")
    fraction = 123_456 if magic == 0xA1B23C4D else 123_456_000
    assert table["frame.time"].dt.timestamp("ns").to_list() == [(1_700_000_000 + i) * 10**9 + fraction for i in (0, 1)]


def test_nanoseconds_under_the_magic_of_microseconds_are_doubted(save):
    """What the file says is kept, and that it cannot be is said."""
    data = bytearray(pcap(bytes(60), bytes(60)))
    struct.pack_into("<I", data, 28, 999_999_999)
    name = save(bytes(data))
    assert (1, "capture.time_fraction") in findings(name)
    assert Analysis(name).table("frames")["frame.time"].dt.timestamp("ns")[0] == 1_700_000_000 * 10**9 + 999_999_999_000
    struct.pack_into("<I", data, 28, 999_999)
    assert "capture.time_fraction" not in {finding for _, finding in findings(save(bytes(data)))}


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu"])
def test_the_hosts_time_zone_moves_no_time(save, monkeypatch, zone):
    monkeypatch.setenv("TZ", zone)
    table = Analysis(save(pcap(bytes(60)))).table("frames")
    assert table["frame.time"].to_list() == [datetime.fromtimestamp(1_700_000_000.123456, UTC)]


def test_simple_packets_belong_to_the_first_interface(cells):
    """Also where a section describes several: its link type, its snap length, no time."""
    head = section("<") + interface("<", snap=40, options=option("<", 2, b"a")) + interface("<", link=101, options=option("<", 2, b"b"))
    frame = bytes(ETH / V4 / UDP(sport=9, dport=10) / Raw(bytes(18)))
    data = head + simple("<", frame[:40], 60) + packet("<", 5, frame[14:], where=1)
    assert cells(data, "frame.interface_name", "frame.cap_len", "frame.len", "udp.srcport", "frame.time_epoch") == [
        ["a", "40", "60", "9", ""],
        ["b", "46", "46", "9", "0.000005000"],
    ]


def test_more_captured_than_there_was_and_a_cut_file(save):
    """A frame whose lengths contradict each other is kept and marked; a file cut in its last record gives all before it."""
    name = save(pcap(bytes(ETH / V4 / UDP() / Raw(bytes(30))), bytes(60), lengths={0: 40}))
    assert (1, "capture.longer_than_the_wire") in findings(name)
    whole = pcap(bytes(60), bytes(60), bytes(60))
    for size in BATCHES:
        analysis = Analysis(save(whole[:-1]), batch_frames=size)
        assert len(analysis.table("frames")) == 2
        assert (analysis.damage[0].frame, analysis.damage[0].offset) == (3, 24 + 2 * 76)


def test_links_say_what_they_carry(cells):
    """Linux cooked with a VLAN tag, version 2 with IPv6, BSD loopback of the other byte order: by the link's own number."""
    cooked = struct.pack(">HHH8sH", 0, 1, 6, bytes(8), 0x8100) + bytes(Dot1Q(vlan=5, type=0x0800) / V4 / UDP(sport=9))
    second = struct.pack(">HHIHBB8s", 0x86DD, 0, 3, 1, 4, 6, bytes(8)) + bytes(V6 / UDP(sport=9))
    assert cells(pcap(cooked, link=113), "vlan.id", "ip.src", "udp.srcport") == [["5", "1.1.1.1", "9"]]
    assert cells(pcap(second, link=276), "ipv6.src", "udp.srcport") == [["2001:db8::1", "9"]]
    for family, network, source in ((2, V4, "ip.src"), (24, V6, "ipv6.src"), (28, V6, "ipv6.src"), (30, V6, "ipv6.src")):
        for order in "<>":
            frame = struct.pack(order + "I", family) + bytes(network / UDP(sport=9))
            assert cells(pcap(frame, link=0), "null.family", source, "udp.srcport") == [[str(family), network.src, "9"]]


def test_the_traffic_class_has_eight_bits(cells):
    """IPv6's traffic class lies across two bytes: six bits of DSCP, two of ECN."""
    frame = bytes(ETH / IPv6(tc=0xBB, fl=0xABCDE) / UDP())
    assert cells(pcap(frame), "ipv6.tclass", "ipv6.tclass.dscp", "ipv6.tclass.ecn", "ipv6.flow") == [["0x000000bb", "46", "3", "0x0abcde"]]


def test_lengths_inside_tcp_and_udp(save, cells):
    """A data offset past the end is said; unknown options are kept; EOL and NOP have no length; UDP ends at its length."""
    past = bytes(ETH / V4 / TCP(sport=7, dataofs=15))
    odd = bytes(ETH / V4 / TCP(sport=7, options=[("NOP", None), (77, b"xyz"), ("NOP", None), ("EOL", None)]))
    tail = bytes(ETH / V4 / UDP(sport=7, len=11) / Raw(b"abc!"))
    data = pcap(past, odd, tail)
    assert cells(data, "tcp.srcport", "tcp.option_kind", "tcp.option_len", "udp.payload") == [
        ["7", "", "", ""],
        ["7", "1,77,1,0", "5", ""],
        ["", "", "", b"abc".hex()],
    ]
    assert [one for one in findings(save(data)) if one[1] == "malformed"] == [(1, "malformed")]


def test_an_empty_capture_has_every_table_with_its_columns(save):
    """Nothing was recorded: tables of no rows, and the same columns as ever."""
    for empty in (pcap(), section("<") + interface("<")):
        tables = Analysis(save(empty)).tables(names())
        for name, rows in tables.items():
            assert rows.columns == [f.name for f in make(name).columns]
            assert len(rows) == (1 if name in ("captures", "interfaces") else 0)


def test_bytes_are_counted_from_0(save):
    """The dump and the tree number a frame's bytes alike, from its first."""
    result = run("packets", save(pcap(bytes(ETH / V4 / ICMP()))), "-V", "-x").out
    assert "   14   20  IPv4" in result
    assert "\n0000  00 11 22 33 44 55 " in result
    assert "\n0010  " in result


def test_options_that_do_not_fit_are_said_unasked(save):
    """Of IPv4, IPv6 and neighbour discovery, with the byte at which the option begins; what carries them is read on."""
    route = bytearray(bytes(ETH / IP(options=[IPOption_RR(routers=["1.2.3.4"])]) / UDP()))
    route[35] = 40
    neighbour = bytearray(bytes(ETH / IPv6() / ICMPv6ND_NS(tgt="fe80::2") / ICMPv6NDOptSrcLLAddr(lladdr="02:00:00:00:00:01")))
    neighbour[-7] = 9
    hop = bytearray(bytes(ETH / IPv6() / IPv6ExtHdrHopByHop(options=[RouterAlert(value=0)]) / UDP()))
    hop[57] = 99
    name = save(pcap(bytes(route), bytes(neighbour), bytes(hop)))
    assert findings(name) == [(1, "malformed"), (2, "malformed"), (3, "malformed")]
    assert Analysis(name).table("expert")["offset"].to_list() == [34, 78, 56]
    assert len(Analysis(name).table("udp")) == 2


# ---------------------------------------------------------------- connections


def analysed(cells, talk: Dialogue, *marks: str) -> dict[str, list[int]]:
    """The frames that have each of these marks of tcp.analysis."""
    rows = cells(pcap(*talk.frames), *(f"tcp.analysis.{mark}" for mark in marks))
    return {mark: [frame for frame, row in enumerate(rows, 1) if row[i]] for i, mark in enumerate(marks)}


@pytest.mark.parametrize("network", [V4, V6])
def test_a_length_of_0_counts_in_the_stream(streams, network):
    """3000 bytes that a network card would have cut up: all of them data of the connection, none missing, none sent twice."""
    frame = bytearray(bytes(ETH / network / TCP(sport=40000, dport=80, flags="A", seq=1) / Raw(bytes(3000))))
    at = 16 if network is V4 else 18
    frame[at : at + 2] = b"\0\0"
    more = bytes(ETH / network / TCP(sport=40000, dport=80, flags="A", seq=3001) / Raw(b"end"))
    columns = ("client_data_bytes", "client_unique_bytes", "client_retransmitted_bytes", "client_max_segment")
    assert streams(pcap(bytes(frame), more), *columns) == [(3003, 3003, 0, 3000)]


def test_the_same_ports_twice_are_two_connections(cells, streams):
    """8 and 5 segments: the second SYN has another number, so it opens another connection, and says that the ports were used before."""
    talk = (
        Dialogue()
        .open()
        .add("c", "PA", 1, 1, b"abc")
        .add("s", "PA", 1, 4, b"defg")
        .add("c", "FA", 4, 5)
        .add("s", "FA", 5, 5)
        .add("c", "A", 5, 6)
    )
    talk.add("c", "S", 90000).add("s", "SA", 70000, 90001).add("c", "A", 90001, 70001).add("c", "PA", 90001, 70001, b"hello")
    talk.add("c", "RA", 90006, 70001)
    columns = ("frames", "client_data_bytes", "server_data_bytes", "reused_ports", "first_frame", "last_frame", "client_port")
    assert streams(pcap(*talk.frames), *columns) == [(8, 3, 4, False, 1, 8, 40000), (5, 5, 0, True, 9, 13, 40000)]
    assert analysed(cells, talk, "reused_ports", "lost_segment", "retransmission") == {
        "reused_ports": [9],
        "lost_segment": [],
        "retransmission": [],
    }
    assert [row[0] for row in cells(pcap(*talk.frames), "tcp.seq")][8:] == ["0", "0", "1", "1", "6"]


def test_a_syn_sent_again_is_a_retransmission(cells, streams):
    """Its time-out counts from the first of them; a third counts from there too. RFC 6298 §5."""
    talk = Dialogue().add("c", "S", 0).add("c", "S", 0).add("c", "S", 0).add("s", "SA", 0, 1).add("c", "A", 1, 1)
    fields = ("tcp.stream", "tcp.analysis.retransmission", "tcp.analysis.out_of_order", "tcp.analysis.rto", "tcp.analysis.rto_frame")
    assert cells(pcap(*talk.frames), *fields)[:4] == [
        ["0", "", "", "", ""],
        ["0", "1", "", "1.000000000", "1"],
        ["0", "1", "", "2.000000000", "1"],
        ["0", "", "", "", ""],
    ]
    assert streams(pcap(*talk.frames), "frames", "client_syns", "client_data_bytes") == [(5, 3, 0)]


def test_a_retransmission_with_new_data_behind_it(streams):
    """Five bytes again and ten new ones: five were sent twice, fifteen once, nothing is missing or late."""
    talk = (
        Dialogue()
        .open()
        .add("c", "PA", 1, 1, b"abcde")
        .add("c", "PA", 1, 1, b"abcde0123456789")
        .add("s", "A", 1, 16)
        .add("c", "A", 16, 1, b"x")
    )
    columns = ("data_packets", "data_bytes", "unique_bytes", "retransmitted_bytes", "out_of_order")
    assert streams(pcap(*talk.frames), *(f"client_{name}" for name in columns)) == [(3, 21, 16, 5, 0)]


@pytest.mark.parametrize("taken", [False, True])
def test_data_behind_a_window_probe(cells, streams, taken):
    """A byte into a window of zero, refused or taken; then the window opens and the rest follows: sent in order, none lost."""
    talk = Dialogue().open().add("c", "PA", 1, 1, b"abcde").add("s", "A", 1, 6, window=0).add("c", "A", 6, 1, b"f")
    talk.add("s", "A", 1, 6 + taken, window=0).add("s", "A", 1, 6 + taken, window=100)
    talk.add("c", "PA", 6 + taken, 1, b"fghij"[taken:]).add("s", "A", 1, 11, window=100)
    assert analysed(cells, talk, "zero_window_probe", "retransmission", "out_of_order", "zero_window", "window_update") == {
        "zero_window_probe": [6],
        "retransmission": [],
        "out_of_order": [],
        "zero_window": [5, 7],
        "window_update": [8],
    }
    columns = ("client_data_bytes", "client_probe_packets", "client_probe_bytes", "client_out_of_order", "server_zero_windows")
    assert streams(pcap(*talk.frames), *columns) == [(10 if taken else 11, 1, 1, 0, 2)]


def test_swapped_segments_are_out_of_order_and_not_sent_again(cells, streams):
    talk = Dialogue().open().add("c", "PA", 6, 1, b"fghij").add("c", "A", 1, 1, b"abcde").add("s", "A", 1, 11)
    assert analysed(cells, talk, "lost_segment", "out_of_order", "retransmission", "ack_lost_segment") == {
        "lost_segment": [4],
        "out_of_order": [5],
        "retransmission": [],
        "ack_lost_segment": [],
    }
    columns = ("client_data_bytes", "client_unique_bytes", "client_retransmitted_packets", "client_out_of_order")
    assert streams(pcap(*talk.frames), *columns) == [(10, 10, 0, 1)]


def test_a_lone_reset_is_a_connection(streams):
    """One segment, no SYN: counted, and who the client is, is a guess."""
    columns = ("frames", "client_guessed", "client_packets", "server_packets", "server_resets", "client_data_bytes")
    assert streams(pcap(*Dialogue().add("s", "R", 0).frames), *columns) == [(1, True, 0, 1, 1, 0)]


def test_a_syn_with_a_bad_checksum_is_counted_and_said(save, streams):
    syn = bytearray(Dialogue().add("c", "S", 0).frames[0])
    syn[50] ^= 1
    assert streams(pcap(bytes(syn)), "frames", "client_syns", "client_packets") == [(1, 1, 1)]
    name = save(pcap(bytes(syn)))
    for size in BATCHES:
        result = run(
            "packets", name, "--checksums", "--batch-frames", str(size), "-T", "fields", "-e", "tcp.checksum.status", "-e", "tcp.stream"
        )
        assert result.out.split() == ["0", "0"]


def test_data_with_a_syn_is_data(cells, streams):
    """With a Fast Open cookie or without (RFC 9293 §3.4 allows it): its first byte is number 1."""
    for options in ([], [("TFO", (1, 2))]):
        talk = Dialogue().add("c", "S", 0, data=b"hello", options=options).add("s", "SA", 0, 6).add("c", "A", 6, 1, b"world")
        assert cells(pcap(*talk.frames), "tcp.seq", "tcp.nxtseq", "tcp.len") == [["0", "6", "5"], ["0", "1", "0"], ["6", "11", "5"]]
        columns = ("client_data_bytes", "client_unique_bytes", "client_retransmitted_bytes")
        assert streams(pcap(*talk.frames), *columns) == [(10, 10, 0)]


def test_a_data_offset_past_the_end_leaves_the_stream_whole(cells, streams):
    """The header claims 60 bytes of 20: the segment is counted, has no data, and the numbers of those behind it stay right."""
    talk = Dialogue().open().add("c", "A", 1, 1, dataofs=15).add("c", "PA", 1, 1, b"abc").add("s", "A", 1, 4)
    columns = ("frames", "client_packets", "client_data_bytes", "client_unique_bytes", "client_retransmitted_bytes")
    assert streams(pcap(*talk.frames), *columns) == [(6, 4, 3, 3, 0)]
    assert cells(pcap(*talk.frames), "tcp.stream", "tcp.seq", "tcp.analysis.lost_segment") == [["0", seq, ""] for seq in "001111"]
