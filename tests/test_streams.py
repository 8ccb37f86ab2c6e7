"""Stream numbers and what they count from; conversations. Expected values are counted by hand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from conftest import CAPTURES, pcap
from scapy.all import ICMP, IP, TCP, UDP, Dot1Q, Ether, IPv6, Raw

from analyzer import Analysis
from analyzer.tcp import tracker

A, B = "10.0.0.1", "10.0.0.2"


def tcp(there: bool, flags: str, seq: int, ack: int = 0, data: bytes = b"", port: int = 40000) -> bytes:
    ends = (A, B, port, 80) if there else (B, A, 80, port)
    return bytes(Ether() / IP(src=ends[0], dst=ends[1]) / TCP(sport=ends[2], dport=ends[3], flags=flags, seq=seq, ack=ack) / Raw(data))


@pytest.fixture
def numbers(save):
    def get(*frames: bytes, batch: int | None = None) -> list[tuple[int, int, int]]:
        table = Analysis(save(pcap(*frames)), batch_frames=batch).table("tcp")
        return table.select("tcp.stream", "tcp.seq", "tcp.ack").rows()

    return get


@pytest.mark.parametrize("batch", [None, 1, 2])
def test_relative_numbers_count_from_the_syn(numbers, batch):
    frames = [tcp(True, "S", 4294967295), tcp(False, "SA", 100, 0), tcp(True, "A", 0, 101, b"wraps"), tcp(False, "A", 101, 5)]
    assert numbers(*frames, batch=batch) == [(0, 0, 0), (0, 0, 1), (0, 1, 1), (0, 1, 6)]


def test_without_a_syn_the_first_segment_is_1(numbers):
    assert numbers(tcp(True, "A", 5000, 900, b"x"), tcp(False, "A", 900, 5001)) == [(0, 1, 1), (0, 1, 2)]


@pytest.mark.parametrize("batch", [None, 1])
def test_a_syn_with_another_number_is_another_connection(numbers, batch):
    frames = [tcp(True, "S", 10), tcp(True, "S", 10), tcp(False, "R", 5), tcp(True, "S", 77), tcp(False, "SA", 8, 78)]
    assert [n[0] for n in numbers(*frames, batch=batch)] == [0, 0, 0, 1, 1]


def test_a_syn_ack_with_another_number_stays(numbers):
    frames = [tcp(True, "S", 10), tcp(False, "SA", 500, 11), tcp(False, "SA", 900, 11), tcp(False, "A", 901, 11)]
    assert [n[:2] for n in numbers(*frames)] == [(0, 0), (0, 0), (0, 0), (0, 1)]


def test_ipv4_and_ipv6_count_together_and_udp_by_itself(save):
    frames = [
        tcp(True, "S", 1),
        bytes(Ether() / IPv6(src="fe80::1", dst="fe80::2") / TCP(sport=40000, dport=80, flags="S")),
        bytes(Ether() / IP(src=B, dst=A) / UDP(sport=53, dport=5000)),
        bytes(Ether() / IP(src=A, dst=B) / UDP(sport=5000, dport=53)),
        bytes(Ether() / IP(src=A, dst=B) / UDP(sport=5000, dport=54)),
    ]
    tables = Analysis(save(pcap(*frames))).tables(["tcp", "udp"])
    assert tables["tcp"]["tcp.stream"].to_list() == [0, 1]
    assert tables["udp"]["udp.stream"].to_list() == [0, 0, 1]


@pytest.mark.parametrize("batch", [None, 1, 3])
def test_conversations_count_each_way(save, batch):
    frames = [
        tcp(False, "SA", 500, 11),
        tcp(True, "A", 11, 501, b"hello"),
        tcp(True, "A", 16, 501),
        bytes(Ether() / IP(src=A, dst=B) / ICMP(type=3) / IP(src=B, dst=A) / UDP(sport=1, dport=2)),
    ]
    table = Analysis(save(pcap(*frames)), batch_frames=batch).table("conversations").filter(protocol="tcp")
    assert table.drop("start", "duration").rows() == [("tcp", 0, B, 80, A, 40000, 3, 54 + 59 + 54, 1, 54, 2, 113, 1)]
    assert table["duration"].dt.total_seconds().to_list() == [2]


def test_a_host_that_talks_to_itself_is_one_endpoint(save):
    frame = bytes(Ether() / IP(src=A, dst=A) / UDP(sport=9, dport=9) / Raw(b"1234"))
    endpoints = Analysis(save(pcap(frame))).table("endpoints").filter(protocol="udp")
    assert endpoints.rows() == [("udp", A, 9, 2, 92, 1, 46, 1, 46, 1, 1)]


def test_the_story_has_three_connections(save):
    table = Analysis(str(CAPTURES / "dns-http" / "dns-http.pcap")).table("conversations").filter(protocol="tcp")
    assert table.select("port_a", "port_b", "frames").rows() == [(51788, 3128, 24), (53314, 80, 20), (51790, 3128, 12)]


@pytest.mark.parametrize("batch", [None, 1])
def test_the_first_frame_is_the_first_even_if_it_lies_deeper(save, batch):
    """Headers of one protocol are found in several turns of the loop, tunnelled ones later: order is by frame all the same."""
    there, back = IP(src=A, dst=B) / UDP(sport=1, dport=2) / Raw(b"x"), IP(src=B, dst=A) / UDP(sport=2, dport=1) / Raw(b"x")
    frames = [bytes(Ether() / Dot1Q(vlan=5) / there), bytes(Ether() / back)]
    table = Analysis(save(pcap(*frames)), batch_frames=batch).table("conversations")
    for protocol in ("ip", "udp"):
        row = table.filter(protocol=protocol).row(0, named=True)
        assert (row["address_a"], row["frames_ab"], row["frames_ba"], row["first_frame"]) == (A, 1, 1, 1)


@pytest.mark.parametrize("batch", [None, 1, 7])
def test_a_connection_in_figures(save, batch):
    """Five bytes asked, one segment of the answer sent twice; every number counted by hand."""
    frames = [
        tcp(True, "S", 10),
        tcp(False, "SA", 500, 11),
        tcp(True, "A", 11, 501),
        tcp(True, "PA", 11, 501, b"hello"),
        tcp(False, "A", 501, 16, b"abc"),
        tcp(False, "A", 504, 16, b"defg"),
        tcp(True, "A", 16, 504),
        tcp(False, "A", 504, 16, b"defg"),
        tcp(True, "A", 16, 508),
        tcp(False, "FA", 508, 16),
        tcp(True, "FA", 16, 509),
        tcp(False, "A", 509, 17),
    ]
    row = Analysis(save(pcap(*frames)), batch_frames=batch).table("streams").row(0, named=True)
    assert (row["client"], row["client_port"], row["server"], row["server_port"]) == (A, 40000, B, 80)
    assert (row["client_state"], row["server_state"], row["closed_by"]) == ("CLOSED", "TIME-WAIT", "server")
    assert [row[f"client_{name}"] for name in ("packets", "data_bytes", "unique_bytes", "stream_length")] == [6, 5, 5, 5]
    server = ("packets", "data_packets", "data_bytes", "unique_bytes", "retransmitted_bytes", "stream_length", "ambiguous_acks")
    assert [row[f"server_{name}"] for name in server] == [6, 3, 11, 7, 4, 7, 1]


def segment(there: bool, flags: str, seq: int, ack: int, data: bytes = b"", window: int = 1000, ident: int = 0) -> bytes:
    ends = (A, B, 40000, 80) if there else (B, A, 80, 40000)
    over = TCP(sport=ends[2], dport=ends[3], flags=flags, seq=seq, ack=ack, window=window) / Raw(data)
    return bytes(Ether() / IP(src=ends[0], dst=ends[1], id=ident, flags="DF") / over)


@pytest.mark.parametrize("batch", [None, 1, 7])
def test_a_duplicate_ack_is_what_rfc_5681_says(save, batch):
    """RFC 5681 section 2: data is outstanding; the ACK has no data, no SYN, no FIN, the same number and the same window."""
    start = [segment(True, "S", 10, 0), segment(False, "SA", 500, 11), segment(True, "A", 11, 501)]
    idle = [segment(True, "A", 11, 501, b"a" * 10), segment(False, "A", 501, 21), segment(False, "A", 501, 21)]
    lost = [segment(True, "A", 21, 501, b"b" * 10), segment(True, "A", 31, 501, b"c" * 10)]
    none = [segment(False, "A", 501, 21, window=999), segment(False, "A", 501, 21, b"d", 999), segment(False, "FA", 502, 21, b"", 999)]
    three = [segment(False, "A", 503, 21, b"", 999)] * 3
    new = [segment(False, "A", 503, 25, b"", 999), segment(False, "A", 503, 31, b"", 999)]  # a part of what was sent, then all of it
    row = Analysis(save(pcap(*start, *idle, *lost, *none, *three, *new)), batch_frames=batch).table("streams").row(0, named=True)
    assert (row["client_duplicate_acks"], row["client_triple_duplicate_acks"], row["server_duplicate_acks"]) == (3, 1, 0)


@pytest.mark.parametrize("batch", [None, 1, 7])
def test_full_segments_are_the_greatest(save, batch):
    """The frames lie 1 s apart (conftest): the small segment was answered at once, the two full ones after 2 s and 1 s."""
    frames = [
        segment(True, "S", 10, 0),
        segment(False, "SA", 500, 11),
        segment(True, "A", 11, 501, b"a" * 5),
        segment(False, "A", 501, 16),
        segment(True, "A", 16, 501, b"b" * 100),
        segment(True, "A", 116, 501, b"c" * 100),
        segment(False, "A", 501, 116),
        segment(False, "A", 501, 216),
    ]
    row = Analysis(save(pcap(*frames)), batch_frames=batch).table("streams").row(0, named=True)
    assert (row["client_rtt_samples"], row["client_full_samples"]) == (4, 2)
    assert row["client_full_rtt_min"] == row["client_full_rtt_max"] == 2 * row["client_rtt_handshake"]


@pytest.mark.parametrize("batch", [None, 1, 7])
def test_without_a_syn_there_is_no_round_trip_of_it(save, batch):
    frames = [segment(True, "A", 11, 501, b"a" * 5), segment(False, "A", 501, 16)]
    row = Analysis(save(pcap(*frames)), batch_frames=batch).table("streams").row(0, named=True)
    assert (row["client_rtt_samples"], row["client_rtt_handshake"]) == (1, None)


@pytest.mark.parametrize("batch", [None, 1, 7])
def test_an_identification_that_never_changes_is_no_evidence(save, batch):
    """RFC 6864 section 4.1: a datagram that is never fragmented may carry any identification."""
    sent = [(11, 1), (21, 2), (21, 2), (31, 3)]
    for steady, duplicates in ((True, 0), (False, 1)):
        frames = [segment(True, "A", seq, 501, b"a" * 10, ident=7 if steady else ident) for seq, ident in sent]
        row = Analysis(save(pcap(*frames)), batch_frames=batch).table("streams").row(0, named=True)
        assert (row["client_hardware_duplicates"], row["client_retransmitted_packets"]) == (duplicates, 1)


@pytest.mark.parametrize("batch", [None, 1, 7])
def test_outstanding_bytes_are_those_of_the_newest_segment(save, batch):
    """20 bytes, then 30 under way; the first sent again leaves 30; the reset says nothing. Mean of 0, 20, 30: 16."""
    frames = [
        segment(True, "S", 10, 0),
        segment(False, "SA", 500, 11),
        segment(True, "A", 11, 501),
        segment(True, "A", 11, 501, b"a" * 20),
        segment(True, "A", 31, 501, b"b" * 10),
        segment(True, "A", 11, 501, b"a" * 20),
        segment(True, "R", 41, 0),
    ]
    row = Analysis(save(pcap(*frames)), batch_frames=batch).table("streams").row(0, named=True)
    assert [row[f"client_{what}_outstanding"] for what in ("max", "min", "avg")] == [30, 20, 16]


@pytest.mark.parametrize("batch", [None, 1])
def test_streams_count_the_frames_that_match(save, batch):
    frames = [tcp(True, "S", 10), tcp(False, "SA", 500, 11), tcp(True, "A", 11, 501), tcp(True, "PA", 11, 501, b"hello")]
    row = Analysis(save(pcap(*frames)), batch_frames=batch, filter="tcp.flags.syn == 1").table("streams").row(0, named=True)
    assert (row["frames"], row["client_packets"], row["server_packets"], row["client_data_bytes"]) == (2, 1, 1, 0)


@pytest.mark.parametrize("module", ["_figures", "_facts"])
def test_index_constants_are_in_the_order_of_their_names(module):
    """Compiled they are C variables, which no test can see: the source is read."""
    source = Path(tracker.__file__).with_name(f"{module}.py").read_text()
    extra = re.search(r"^EXTRA_INPUT = \((.*?)^\)", source, re.M | re.S)
    groups = re.findall(r"^(\w+(?:, \w+)+) = (?:map|\(1 << MARKS).*(?<=\()(\"[^)]+)\)", source, re.M)
    groups += re.findall(r"^(\w+(?:, \w+)+) = range\(len\(EXTRA_INPUT\)\)()$", source, re.M)
    assert len(groups) >= 5
    for constants, names in groups:
        names = re.findall(r'"(\w+)"', names) or re.findall(r'^    "(\w+)"', extra[1], re.M)
        assert [name.lower().removeprefix("out_") for name in constants.split(", ")] == names


@pytest.mark.parametrize("batch", [None, 1, 7])
def test_connections_idle_longest_are_forgotten_and_said(save, batch):
    """Of at most four, two may be idle: the SYNs of ports 1 to 6 come one after the other, then port 1 goes on."""
    frames = [tcp(True, "S", 10, port=port) for port in range(1, 7)]
    frames += [tcp(False, "SA", 500, 11, port=1), tcp(True, "A", 11, 501, port=6)]
    analysis = Analysis(save(pcap(*frames)), batch_frames=batch, max_streams=4)
    rows = analysis.table("streams").sort("stream").select("stream", "frames", "handshake").rows()
    assert rows == [
        *((stream, 1, "no SYN,ACK") for stream in range(5)),
        (5, 2, "no SYN,ACK"),
        (6, 1, "no SYN"),  # port 1 was forgotten
    ]
    assert [note.split(",")[0] for note in analysis.notes] == ["3 TCP connections"]


def test_nothing_is_forgotten_where_there_is_room(save):
    analysis = Analysis(save(pcap(*(tcp(True, "S", 10, port=port) for port in range(1, 9)))), max_streams=16)
    assert len(analysis.table("streams")) == 8 and not analysis.notes


@pytest.mark.parametrize("batch", [None, 1])
def test_a_header_cut_before_its_numbers_is_no_segment(save, batch):
    """The first frame keeps 4 bytes of TCP, the ports: it belongs to no connection, and the others do."""
    frames = [tcp(True, "S", 1)[:38], tcp(True, "S", 10), tcp(False, "SA", 500, 11), tcp(True, "A", 11, 501)]
    table = Analysis(save(pcap(*frames, lengths={0: 54})), batch_frames=batch).table("streams")
    assert table.select("frames", "first_frame", "handshake").rows() == [(3, 2, "complete")]
