"""Headers on crafted bytes: scapy makes them, dpkt or the RFC says what they hold."""

from __future__ import annotations

import socket
import struct

import dpkt
import pytest
from conftest import CAPTURES, pcap, run
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.all import ARP, ICMP, IP, TCP, UDP, Dot1AD, Dot1Q, Ether, ICMPv6EchoRequest, ICMPv6PacketTooBig, IPv6, Raw
from scapy.layers.inet6 import IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, IPv6ExtHdrRouting

from analyzer import Analysis
from analyzer.tables import names

ETH = Ether(dst="00:11:22:33:44:55", src="00:16:d3:5c:b9:e3")


def fields(name: str, *wanted: str) -> list[list[str]]:
    """The printed cells of each frame."""
    words = [word for field in wanted for word in ("-e", field)]
    result = run("packets", name, "-T", "fields", *words)
    assert result.status == 0, result.err
    return [line.split("\t") for line in result.out.splitlines()]


@pytest.fixture
def cells(save):
    def get(packet, *wanted: str, **options) -> list[str]:
        return fields(save(pcap(bytes(packet), **options)), *wanted)[0]

    return get


# ---------------------------------------------------------------- against a second decoder


@pytest.mark.parametrize("story", ["tcp-handshake/tcp-handshake", "dns-http/dns-http", "arp/arp"])
def test_every_tcp_header_is_what_dpkt_reads(story):
    name = str(CAPTURES / f"{story}.pcap")
    expected = []
    with open(name, "rb") as file:
        for _, data in dpkt.pcap.Reader(file):
            ip = dpkt.ethernet.Ethernet(data).data
            tcp = ip.data if isinstance(ip, dpkt.ip.IP) else None
            if isinstance(tcp, dpkt.tcp.TCP):
                mss = [struct.unpack(">H", v)[0] for k, v in dpkt.tcp.parse_opts(tcp.opts) if k == dpkt.tcp.TCP_OPT_MSS]
                stamp = [struct.unpack(">II", v) for k, v in dpkt.tcp.parse_opts(tcp.opts) if k == dpkt.tcp.TCP_OPT_TIMESTAMP]
                row = [socket.inet_ntoa(ip.src), ip.ttl, ip.id, tcp.sport, tcp.seq, tcp.ack, tcp.off * 4, tcp.flags, tcp.win, tcp.sum]
                expected.append((*row, len(tcp.data), mss[0] if mss else None, *(stamp[0] if stamp else (None, None))))
    found = Analysis(name).tables(["tcp", "ip"])
    tcp = found["tcp"].join(found["ip"], on="frame.number", maintain_order="left")
    wanted = ["ip.src", "ip.ttl", "ip.id"] + [
        f"tcp.{n}" for n in ("srcport", "seq_raw", "ack_raw", "hdr_len", "flags", "window_size_value")
    ]
    wanted += ["tcp.checksum", "tcp.len", "tcp.options.mss_val", "tcp.options.timestamp.tsval", "tcp.options.timestamp.tsecr"]
    assert tcp.select(wanted).rows() == expected


@given(
    st.integers(0, 65535),
    st.integers(0, 65535),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 511),
    st.binary(max_size=40),
)
@settings(max_examples=60, deadline=None)
def test_tcp_fields_come_back_as_they_were_put_in(tmp_path_factory, source, target, seq, ack, flags, data):
    packet = ETH / IP(src="1.2.3.4", dst="250.251.252.253") / TCP(sport=source, dport=target, seq=seq, ack=ack, flags=flags) / Raw(data)
    name = tmp_path_factory.getbasetemp() / "tcp.pcap"
    name.write_bytes(pcap(bytes(packet)))
    row = Analysis(str(name)).table("tcp").row(0, named=True)
    got = [row[f"tcp.{n}"] for n in ("srcport", "dstport", "seq_raw", "ack_raw", "flags", "len")]
    assert got == [source, target, seq, ack, flags, len(data)]
    assert row["tcp.payload"] == (data.hex() if data else None)


# ---------------------------------------------------------------- link layer


def test_padding_is_told_from_data(cells):
    ack = ETH / IP(src="1.1.1.1", dst="2.2.2.2") / TCP(flags="A")
    padded = bytes(ack) + bytes(60 - len(bytes(ack)))
    assert cells(padded, "eth.padding", "tcp.len", "tcp.payload") == ["00" * 6, "0", ""]
    four = bytes(ETH / IP(src="1.1.1.1", dst="2.2.2.2") / TCP(flags="A") / Raw(b"data"))
    assert cells(four + bytes(60 - len(four)), "tcp.len", "tcp.payload") == ["4", b"data".hex()]


def test_padding_with_other_bytes_than_zeros_is_none(cells):
    arp = bytes(ETH / ARP())
    assert cells(arp + b"\0" * 17 + b"\1", "eth.padding") == [""]
    assert cells(arp + b"\0" * 18, "eth.padding") == ["00" * 18]


def test_vlan_tags_nest(cells):
    packet = ETH / Dot1AD(vlan=100, prio=3) / Dot1Q(vlan=4094, prio=7, dei=1) / IP() / UDP(sport=1, dport=2) / Raw(b"x")
    got = cells(packet, "frame.protocols", "vlan.id", "vlan.priority", "vlan.dei", "vlan.etype", "ieee8021ad.id", "udp.length")
    assert got == ["eth:ethertype:ieee8021ad:ethertype:vlan:ethertype:ip:udp:data", "4094", "7", "1", "0x0800", "100", "9"]


def test_802_3_frames_have_a_length_and_no_type(cells):
    frame = bytes.fromhex("0180c20000000016d35cb9e3") + struct.pack(">H", 38) + bytes(46)
    assert cells(frame, "eth.len", "eth.type") == ["38", ""]


def test_a_nest_of_tags_without_end_stops_and_says_so(save):
    deep = bytes(ETH)[:12] + bytes.fromhex("81000001") * 300 + b"\x08\x00" + bytes(20)
    found = Analysis(save(pcap(deep))).table("expert")
    assert any("more than 64 headers" in result for result in found["summary"])


# ---------------------------------------------------------------- ARP, RFC 826 and 5227


@pytest.mark.parametrize(
    ("packet", "expected"),
    [
        (ARP(op=1, psrc="10.0.0.1", pdst="10.0.0.1", hwdst="00:00:00:00:00:00"), ["1", "1", ""]),
        (ARP(op=2, psrc="10.0.0.1", pdst="10.0.0.1", hwdst="ff:ff:ff:ff:ff:ff"), ["1", "", ""]),
        (ARP(op=1, psrc="0.0.0.0", pdst="10.0.0.1", hwdst="00:00:00:00:00:00"), ["", "", "1"]),
        (ARP(op=1, psrc="10.0.0.2", pdst="10.0.0.1", hwdst="00:00:00:00:00:00"), ["", "", ""]),
    ],
)
def test_gratuitous_announcement_probe(cells, packet, expected):
    assert cells(ETH / packet, "arp.isgratuitous", "arp.isannouncement", "arp.isprobe") == expected


def test_addresses_that_do_not_fit_are_reported_not_read(save):
    arp = bytearray(bytes(ETH / ARP()))
    arp[18] = 200
    name = save(pcap(bytes(arp)))
    row = Analysis(name).table("arp").row(0, named=True)
    assert row["arp.hw.size"] == 200
    assert row["arp.src.proto_ipv4"] is None
    assert Analysis(name).table("expert")["offset"].to_list() == [18]


# ---------------------------------------------------------------- IP


def test_total_length_0_means_what_there_is(cells):
    packet = bytearray(bytes(ETH / IP(src="1.1.1.1", dst="2.2.2.2") / TCP(flags="A") / Raw(bytes(3000))))
    packet[16:18] = b"\0\0"
    assert cells(bytes(packet), "ip.len", "tcp.len") == ["3040", "3000"]


def test_a_length_beyond_the_frame_is_reported_and_the_rest_read(save):
    packet = bytearray(bytes(ETH / IP(src="1.1.1.1", dst="2.2.2.2") / UDP(sport=1, dport=2) / Raw(b"abc")))
    packet[16:18] = struct.pack(">H", 1000)
    name = save(pcap(bytes(packet)))
    assert fields(name, "udp.payload") == [["616263"]]
    found = Analysis(name).table("expert")
    assert found["summary"].to_list() == ["IPv4: total length as sent says 1000 bytes, the frame has 31"]
    assert found["offset"].to_list() == [16]


@pytest.mark.parametrize("length", [0, 4, 16])
def test_a_header_length_below_20_ends_the_header(cells, length):
    packet = bytearray(bytes(ETH / IP() / UDP()))
    packet[14] = 0x40 | length // 4
    assert cells(bytes(packet), "ip.hdr_len", "ip.ttl", "udp.srcport") == [str(length), "", ""]


def test_pieces_of_a_datagram_are_data(cells):
    for packet in (IP(flags="MF") / UDP(sport=1, dport=2) / Raw(bytes(16)), IP(frag=10, proto=17) / Raw(bytes(16))):
        assert cells(ETH / packet, "frame.protocols", "udp.srcport") == ["eth:ethertype:ip:data", ""]


def test_a_first_piece_that_the_capture_cut_is_read(cells):
    packet = bytes(ETH / IP(flags="MF") / UDP(sport=1, dport=2, len=1000) / Raw(bytes(900)))
    assert cells(packet[:60], "udp.srcport", lengths={0: len(packet)}) == ["1"]


@pytest.mark.parametrize(
    ("headers", "protocols"),
    [
        ([IPv6ExtHdrHopByHop(), IPv6ExtHdrDestOpt(), IPv6ExtHdrRouting()], "ipv6:ipv6.hopopts:ipv6.dstopts:ipv6.routing:udp"),
        ([IPv6ExtHdrDestOpt(), IPv6ExtHdrHopByHop()], "ipv6:ipv6.dstopts:ipv6.hopopts:udp"),
        ([IPv6ExtHdrFragment(id=7)], "ipv6:ipv6.fraghdr:udp"),
    ],
)
def test_ipv6_extension_headers_in_any_order(cells, headers, protocols):
    packet = ETH / IPv6(src="2001:db8::1", dst="::ffff:1.2.3.4")
    for one in headers:
        packet /= one
    got = cells(packet / UDP(sport=53), "frame.protocols", "udp.srcport", "ipv6.src", "ipv6.dst")
    assert got == [f"eth:ethertype:{protocols}", "53", "2001:db8::1", "::ffff:1.2.3.4"]


def test_ip_in_ip_gives_two_rows(save):
    table = Analysis(save(pcap(bytes(ETH / IP(src="1.1.1.1", proto=4) / IP(src="3.3.3.3") / UDP() / Raw(b"x"))))).table("ip")
    assert table.select("layer", "parent", "ip.src").rows() == [(3, 1, "1.1.1.1"), (4, 3, "3.3.3.3")]


# ---------------------------------------------------------------- ICMP


def test_an_error_quotes_a_header_even_a_cut_one(save):
    quoted = bytes(IP(src="9.9.9.9", dst="8.8.8.8") / TCP(sport=1234, dport=80, seq=5))[:28]
    name = save(pcap(bytes(ETH / IP(src="1.1.1.1", dst="9.9.9.9") / ICMP(type=3, code=4, nexthopmtu=1400) / Raw(quoted))))
    assert fields(name, "icmp.mtu", "ip.src", "tcp.srcport", "tcp.seq_raw", "tcp.ack_raw") == [["1400", "1.1.1.1,9.9.9.9", "1234", "5", ""]]
    assert Analysis(name).table("ip")["quoted"].to_list() == [False, True]
    tables = Analysis(name).tables(["conversations", "expert", "undecoded"])
    assert tables["conversations"]["protocol"].to_list() == ["eth", "ip"]  # what is quoted counts in no conversation
    assert tables["expert"].select("protocol", "group").rows() == [
        ("icmp", "response")
    ]  # that is what the error is, none of the quoted header
    assert len(tables["undecoded"]) == 0


def test_echo_and_redirect(cells):
    assert cells(ETH / IP() / ICMP(type=8, id=7, seq=9), "icmp.type", "icmp.ident", "icmp.seq", "icmp.redir_gw") == ["8", "7", "9", ""]
    assert cells(ETH / IP() / ICMP(type=5, gw="10.0.0.9") / IP() / UDP(), "icmp.ident", "icmp.redir_gw") == ["", "10.0.0.9"]


def test_icmpv6(cells):
    got = cells(ETH / IPv6() / ICMPv6EchoRequest(id=0x1234, seq=3), "icmpv6.type", "icmpv6.echo.identifier", "icmpv6.echo.sequence_number")
    assert got == ["128", "0x1234", "3"]
    packet = ETH / IPv6(src="::1") / ICMPv6PacketTooBig(mtu=1280) / IPv6(src="::2") / UDP(sport=9)
    assert cells(packet, "icmpv6.mtu", "ipv6.src", "udp.srcport") == ["1280", "::1,::2", "9"]


# ---------------------------------------------------------------- UDP and TCP


@pytest.mark.parametrize(("length", "payload"), [(11, "616263"), (10, "6162"), (8, ""), (7, ""), (0, "")])
def test_the_udp_length_ends_the_data(cells, length, payload):
    packet = ETH / IP() / UDP(len=length) / Raw(b"abc")
    assert cells(packet, "udp.length", "udp.payload") == [str(length), payload]


@pytest.mark.parametrize("offset", [0, 4])
def test_a_data_offset_below_5_ends_the_header(cells, offset):
    got = cells(ETH / IP() / TCP(sport=7, dataofs=offset), "tcp.srcport", "tcp.hdr_len", "tcp.flags")
    assert got == ["7", str(offset * 4), ""]


def test_a_data_offset_past_the_end_is_reported(save):
    name = save(pcap(bytes(ETH / IP() / TCP(dataofs=15))))
    assert fields(name, "tcp.hdr_len", "tcp.len") == [["60", ""]]
    assert Analysis(name).table("expert").filter(finding="malformed")["offset"].to_list() == [46]


def test_options_known_unknown_and_broken(cells, save):
    options = [("MSS", 1460), ("NOP", None), ("WScale", 15), ("SAckOK", b""), ("Timestamp", (11, 22)), (77, b"xyz"), ("EOL", None)]
    packet = ETH / IP() / TCP(flags="S", options=options)
    got = cells(
        packet, "tcp.option_kind", "tcp.option_len", "tcp.options.mss_val", "tcp.options.wscale.shift", "tcp.options.wscale.multiplier"
    )
    assert got[0].startswith("2,1,3,4,8,77,0")
    assert got[1:] == ["4,3,2,10,5", "1460", "15", "16384"]
    broken = bytearray(bytes(ETH / IP() / TCP(flags="S", options=[("MSS", 1460)])))
    broken[55] = 9  # longer than the header
    name = save(pcap(bytes(broken)))
    assert fields(name, "tcp.options.mss_val") == [[""]]
    assert Analysis(name).table("expert").filter(finding="malformed")["offset"].to_list() == [54]
    both = save(pcap(bytes(packet), bytes(broken)))
    for d in Analysis(both, filter="not tcp.options.mss_val").dissections(()):  # the filter met the fault, and leaves a frame out
        assert [h.column("tcp.option_kind").values.tolist() for h in d.chunks["tcp"]] == [[2]]
        assert [fault.at.tolist() for fault in d.faults()] == [[54]]


def test_sack_edges_are_relative_and_duplicates_are_told(save):
    syn = ETH / IP(src="1.1.1.1", dst="2.2.2.2") / TCP(sport=5, dport=6, flags="S", seq=1000)
    sack = (
        ETH
        / IP(src="2.2.2.2", dst="1.1.1.1")
        / TCP(sport=6, dport=5, flags="A", seq=1, ack=1501, options=[("SAck", (1101, 1201, 1601, 1701))])
    )
    name = save(pcap(bytes(syn), bytes(sack)))
    wanted = (
        "tcp.options.sack_le",
        "tcp.options.sack_re",
        "tcp.options.sack.count",
        "tcp.options.sack.dsack_le",
        "tcp.options.sack.dsack_re",
    )
    assert fields(name, *wanted)[1] == ["101,601", "201,701", "2", "101", "201"]


# ---------------------------------------------------------------- whatever comes


@pytest.mark.slow
@given(
    st.lists(
        st.tuples(st.sampled_from(["", "0800", "86dd", "0806", "8100", "88a8", "888e", "88f7"]), st.binary(max_size=120)),
        min_size=1,
        max_size=12,
    )
)
@settings(max_examples=100, deadline=None)
def test_no_bytes_crash_and_no_batch_size_changes_a_table(tmp_path_factory, packets):
    frames = [bytes(12) + bytes.fromhex(kind) + body if kind else body for kind, body in packets]
    name = tmp_path_factory.getbasetemp() / "any.pcap"
    name.write_bytes(pcap(*frames))
    first, *others = (Analysis(str(name), batch_frames=n).tables(names()) for n in (1, 7, 1 << 20))
    for tables in others:
        for table, rows in tables.items():
            assert rows.equals(first[table]), table


@pytest.mark.slow
@given(st.integers(14, 120))
@settings(max_examples=60, deadline=None)
def test_a_snap_length_never_shows_bytes_of_the_next_frame(tmp_path_factory, snap):
    """Whatever the cut, the fields that are shown are those of the whole packet."""
    packet = bytes(
        ETH / IP(src="1.2.3.4", dst="5.6.7.8", options=[]) / TCP(flags="S", options=[("MSS", 1460), ("Timestamp", (1, 2))]) / Raw(bytes(40))
    )
    noise = b"\xee" * 120
    base = tmp_path_factory.getbasetemp()
    (base / "whole.pcap").write_bytes(pcap(packet, noise))
    (base / "cut.pcap").write_bytes(pcap(packet[:snap], noise, lengths={0: len(packet)}))
    whole, cut = (Analysis(str(base / name)).tables(["ip", "tcp"]) for name in ("whole.pcap", "cut.pcap"))
    for table in ("ip", "tcp"):
        for row, full in zip(cut[table].rows(named=True), whole[table].rows(named=True), strict=False):
            for name, value in row.items():
                if value not in (None, [], full[name]):
                    assert name in ("tcp.option_kind", "tcp.option_len", "tcp.payload"), name  # lists and bytes: as far as they go
                    assert str(full[name]).startswith(str(value).rstrip("]"))
