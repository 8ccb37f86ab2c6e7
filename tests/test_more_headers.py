"""Links, options and checksums: crafted with scapy or byte by byte from the specifications."""

from __future__ import annotations

import struct

import pytest
from conftest import pcap, run
from scapy.all import ARP, ICMP, IP, TCP, UDP, Ether, IPv6, Raw
from scapy.layers.igmp import IGMP
from scapy.layers.inet import IPOption_LSRR, IPOption_Router_Alert, IPOption_RR, IPOption_Timestamp
from scapy.layers.inet6 import (
    HAO,
    ICMPv6EchoRequest,
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6ND_RA,
    ICMPv6ND_Redirect,
    ICMPv6NDOptMTU,
    ICMPv6NDOptPrefixInfo,
    ICMPv6NDOptRDNSS,
    ICMPv6NDOptRedirectedHdr,
    ICMPv6NDOptSrcLLAddr,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    Jumbo,
    RouterAlert,
)
from scapy.layers.l2 import LLC, SNAP, CookedLinux
from scapy.layers.ppp import HDLC, PPP, PPPoE, PPPoED
from test_headers import fields

from analyzer import Analysis

ETH = Ether(dst="00:11:22:33:44:55", src="00:16:d3:5c:b9:e3")
INNER = IP(src="1.1.1.1", dst="2.2.2.2") / UDP(sport=9, dport=10) / Raw(b"hello")


@pytest.fixture
def cells(save):
    def get(packet, *wanted: str, **options) -> list[str]:
        return fields(save(pcap(bytes(packet), **options)), *wanted)[0]

    return get


# ---------------------------------------------------------------- links


@pytest.mark.parametrize(
    ("link", "head", "protocols"),
    [
        (101, b"", "raw:ip:udp:data"),
        (228, b"", "ip:udp:data"),
        (0, struct.pack("<I", 2), "null:ip:udp:data"),
        (0, struct.pack(">I", 2), "null:ip:udp:data"),
        (108, struct.pack(">I", 2), "null:ip:udp:data"),
        (9, b"\xff\x03\x00\x21", "ppp:ip:udp:data"),
        (9, b"\x21", "ppp:ip:udp:data"),
        (50, b"\x00\x21", "ppp:ip:udp:data"),
        (104, b"\x0f\x00\x08\x00", "chdlc:ip:udp:data"),
        (
            113,
            bytes(CookedLinux(pkttype=4, lladdrtype=1, lladdrlen=6, src=b"\x02\0\0\0\0\1\0\0", proto=0x800)),
            "sll:ethertype:ip:udp:data",
        ),
        (276, struct.pack(">HHIHBB8s", 0x0800, 0, 3, 1, 4, 6, b"\x02\0\0\0\0\1\0\0"), "sll:ethertype:ip:udp:data"),
    ],
)
def test_ip_is_found_behind_every_link(cells, link, head, protocols):
    got = cells(head + bytes(INNER), "frame.protocols", "udp.srcport", "udp.payload", link=link)
    assert got == [protocols, "9", b"hello".hex()]


def test_llc_and_snap(cells):
    frame = (
        Ether(dst="01:80:c2:00:00:00", src="00:16:d3:5c:b9:e3", type=len(LLC() / SNAP() / INNER))
        / LLC(dsap=0xAA, ssap=0xAA, ctrl=3)
        / SNAP(code=0x800)
        / INNER
    )
    assert cells(frame, "llc.dsap", "llc.control", "llc.oui", "llc.type", "udp.srcport", "eth.type") == [
        "0xaa",
        "0x0003",
        "0",
        "0x0800",
        "9",
        "",
    ]


def test_pppoe(cells):
    session = ETH / PPPoE(sessionid=0x1234) / PPP(proto=0x21) / INNER
    got = cells(session, "frame.protocols", "pppoe.session_id", "pppoe.code", "ppp.protocol")
    assert got == ["eth:ethertype:pppoes:ppp:ip:udp:data", "0x1234", "0x00", "0x0021"]
    assert cells(ETH / PPPoED(code=9), "frame.protocols", "pppoe.code") == ["eth:ethertype:pppoed", "0x09"]
    assert HDLC().address == 0xFF


def test_mpls_stack(cells):
    stack = struct.pack(">II", 18 << 12 | 5 << 9 | 64, 19 << 12 | 1 << 8 | 63)
    got = cells(bytes(ETH)[:12] + b"\x88\x47" + stack + bytes(INNER), "mpls.label", "mpls.exp", "mpls.bottom", "mpls.ttl", "udp.srcport")
    assert got == ["18,19", "5,0", "0,1", "64,63", "9"]


@pytest.mark.parametrize("first", [0x01, 0x0C])
def test_a_frame_inside_isl(cells, first):
    """Cisco's trunks before 802.1Q: 26 bytes, then a frame with its own check sequence, which is read on."""
    inside = bytes(ETH / INNER)
    head = bytes([first, 0, 0x0C, 0, 0, 0x02]) + bytes.fromhex("0019 06ea b885") + struct.pack(">H", 12 + len(inside))
    head += bytes.fromhex("aaaa03 00000c") + struct.pack(">HHH", 7 << 1 | 1, 5, 0)
    got = cells(
        head + inside + b"\1\2\3\4", "frame.protocols", "isl.vlan_id", "isl.bpdu", "isl.user_eth", "isl.trailer", "eth.dst", "udp.srcport"
    )
    assert got == ["eth:eth:ethertype:ip:udp:data", "7", "1", "2", "01020304", "00:11:22:33:44:55", "9"]
    ring = head[:5] + b"\x13" + head[6:]
    assert cells(ring + inside, "isl.type", "isl.user", "isl.user_eth", "eth.dst") == ["1", "0x03", "", ""]
    near = head[:4] + b"\1" + head[5:]  # an Ethernet frame to another of Cisco's addresses
    assert cells(near + inside, "isl.dst", "eth.dst") == ["", f"{first:02x}:00:0c:00:01:02"]
    assert cells(head[:30], "isl.len", "isl.index", "eth.dst", lengths={0: 100}) == [str(12 + len(inside)), "5", ""]


def test_trailer_and_check_sequence(cells):
    arp = bytes(ETH / ARP())
    assert cells(arp + bytes(17) + b"\x01", "eth.padding", "eth.trailer", "eth.fcs") == ["", "00" * 17 + "01", ""]
    assert cells(arp + bytes(18) + b"\xde\xad\xbe\xef", "eth.padding", "eth.trailer", "eth.fcs") == ["00" * 18, "", "0xdeadbeef"]
    long = bytes(ETH / IP(len=40) / TCP(flags="A")) + bytes(30)
    assert cells(long, "eth.padding", "eth.trailer", "eth.fcs")[2] == "0x00000000"


# ---------------------------------------------------------------- IPv4 options, RFC 791 §3.1


def test_record_route_and_router_alert(cells):
    packet = ETH / IP(options=[IPOption_RR(routers=["10.0.0.1", "10.0.0.2", "0.0.0.0"], pointer=12), IPOption_Router_Alert()]) / ICMP()
    got = cells(packet, "ip.opt.type", "ip.opt.ptr", "ip.rec_rt", "ip.empty_rt", "ip.opt.ra")
    assert got == ["7,148,0", "12", "10.0.0.1,10.0.0.2", "0.0.0.0", "0"]


def test_source_route_and_timestamps(cells):
    packet = ETH / IP(options=[IPOption_LSRR(routers=["10.0.0.1", "10.0.0.2", "10.0.0.3"], pointer=8)]) / ICMP()
    got = cells(packet, "ip.opt.type", "ip.rec_rt", "ip.src_rt", "ip.cur_rt")
    assert got == ["131,0", "10.0.0.1", "10.0.0.2", "127.0.0.1"]
    ended = ETH / IP(options=[IPOption_LSRR(routers=["10.0.0.1", "10.0.0.2"], pointer=12)]) / ICMP()
    assert cells(ended, "ip.rec_rt", "ip.cur_rt") == ["10.0.0.1,10.0.0.2", ""]
    stamp = IPOption_Timestamp(flg=1, internet_address="10.0.0.9", timestamp=86_399_999, oflw=2, pointer=13)
    got = cells(ETH / IP(options=[stamp]) / ICMP(), "ip.opt.time_stamp", "ip.opt.time_stamp_addr", "ip.opt.flag", "ip.opt.overflow")
    assert got == ["86399999", "10.0.0.9", "0x01", "2"]


# ---------------------------------------------------------------- IPv6


def test_ipv6_options(cells):
    packet = ETH / IPv6() / IPv6ExtHdrHopByHop(options=[RouterAlert(value=0), Jumbo(jumboplen=70000)]) / IPv6ExtHdrDestOpt() / UDP()
    got = cells(packet, "ipv6.opt.router_alert", "ipv6.opt.jumbo", "ipv6.hopopts.nxt", "ipv6.dstopts.nxt")
    assert got == ["0", "70000", "60", "17"]
    packet = ETH / IPv6() / IPv6ExtHdrDestOpt(options=[HAO(hoa="2001:db8::5")]) / UDP()
    assert cells(packet, "ipv6.opt.mipv6.home_address", "ipv6.dstopts.len", "ipv6.dstopts.len_oct") == ["2001:db8::5", "2", "24"]


def test_snap_under_its_own_ethernet_type(cells):
    """LLC in frames too long for a length, type 0x8870."""
    frame = Ether(bytes(ETH)[:12] + b"\x88\x70") / LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(code=0x800) / INNER
    assert cells(frame, "eth.type", "llc.type", "udp.srcport") == ["0x8870", "0x0800", "9"]


def test_the_user_timeout_of_tcp(cells):
    """RFC 5482 §3: a bit for minutes, fifteen for how many."""
    packet = ETH / IP() / TCP(flags="S", options=[("UTO", 0x8005)])
    assert cells(packet, "tcp.options.user_to_granularity", "tcp.options.user_to_val") == ["1", "5"]


def test_whole_options_of_tcp_by_name(cells):
    names = [f"tcp.options.{name}" for name in ("mss", "wscale", "timestamp", "sack", "md5", "user_to", "mptcp", "tfo", "tfo.request")]
    opens = TCP(flags="S", options=[("MSS", 1460), ("NOP", None), ("WScale", 7), ("TFO", "")])
    assert cells(ETH / IP() / opens, *names) == ["1", "1", "", "", "", "", "", "1", "1"]
    sacks = TCP(flags="A", options=[("Timestamp", (1, 2)), ("SAck", (5, 9))])
    assert cells(ETH / IP() / sacks, *names) == ["", "", "1", "1", "", "", "", "", ""]


def test_neighbour_discovery(cells):
    ask = ETH / IPv6(dst="ff02::1:ff00:2") / ICMPv6ND_NS(tgt="fe80::2") / ICMPv6NDOptSrcLLAddr(lladdr="02:00:00:00:00:01")
    assert cells(ask, "icmpv6.nd.ns.target_address", "icmpv6.opt.type", "icmpv6.opt.linkaddr") == ["fe80::2", "1", "02:00:00:00:00:01"]
    answer = ETH / IPv6() / ICMPv6ND_NA(tgt="fe80::2", R=0, S=1, O=1)
    assert cells(answer, *(f"icmpv6.nd.na.{n}" for n in ("target_address", "flag.r", "flag.s", "flag.o"))) == ["fe80::2", "0", "1", "1"]
    options = (
        ICMPv6NDOptPrefixInfo(prefix="2001:db8::", prefixlen=64)
        / ICMPv6NDOptMTU(mtu=1400)
        / ICMPv6NDOptRDNSS(dns=["2001:db8::53", "2001:db8::54"])
    )
    advert = ETH / IPv6() / ICMPv6ND_RA(chlim=64, M=1, O=0, routerlifetime=1800) / options
    got = cells(
        advert,
        "icmpv6.nd.ra.cur_hop_limit",
        "icmpv6.nd.ra.flag.m",
        "icmpv6.nd.ra.router_lifetime",
        "icmpv6.opt.prefix",
        "icmpv6.opt.mtu",
        "icmpv6.opt.rdnss",
    )
    assert got == ["64", "1", "1800", "2001:db8::", "1400", "2001:db8::53,2001:db8::54"]
    quoted = IPv6(src="fe80::2", dst="2001:db8::7") / UDP(sport=5, dport=6) / Raw(b"12345678")
    redirect = ETH / IPv6() / ICMPv6ND_Redirect(tgt="fe80::9", dst="2001:db8::7") / ICMPv6NDOptRedirectedHdr(pkt=quoted)
    got = cells(redirect, "icmpv6.nd.rd.target_address", "icmpv6.rd.na.destination_address", "icmpv6.opt.type", "udp.dstport")
    assert got == ["fe80::9", "2001:db8::7", "4", "6"]


# ---------------------------------------------------------------- ICMP, IGMP, UDP-Lite


def test_the_other_icmp_messages(cells):
    stamp = ETH / IP() / ICMP(type=14, id=1, seq=2, ts_ori=3, ts_rx=4, ts_tx=5)
    assert cells(stamp, "icmp.originate_timestamp", "icmp.receive_timestamp", "icmp.transmit_timestamp") == ["3", "4", "5"]
    assert cells(ETH / IP() / ICMP(type=18, addr_mask="255.255.0.0"), "icmp.address_mask") == ["255.255.0.0"]
    advert = struct.pack(">BBHBBH4sI4sI", 9, 0, 0, 2, 2, 1800, b"\x0a\0\0\1", 0, b"\x0a\0\0\2", 0)
    got = cells(ETH / IP(proto=1) / Raw(advert), "icmp.num_addrs", "icmp.lifetime", "icmp.router_address")
    assert got == ["2", "1800", "10.0.0.1,10.0.0.2"]
    for code in (0, 1):
        assert cells(ETH / IP() / ICMP(type=12, code=code, ptr=20) / IP() / UDP(), "icmp.pointer") == ["20"]
    ask = cells(ETH / IP() / ICMP(type=17, id=3, seq=4), "icmp.ident", "icmp.seq", "icmp.address_mask", "frame.protocols")
    assert ask == ["3", "4", "0.0.0.0", "eth:ethertype:ip:icmp"]
    assert cells(ETH / IP() / ICMP(type=10), "icmp.type", "icmp.ident", "frame.protocols") == ["10", "", "eth:ethertype:ip:icmp"]


@pytest.mark.parametrize(
    ("data", "sent"),
    [
        (struct.pack("<II", 1_699_999_999, 999_999), "0.123457000"),
        (struct.pack(">II", 1_700_000_001, 5), "-0.876549000"),
        (struct.pack("<QQ", 1_700_000_000, 123_000), "0.123456000"),  # the seconds alone
        (struct.pack("<II", 1_700_000_000 - 86_399, 0), "86399.123456000"),
        (struct.pack("<II", 1_700_000_000 - 86_400, 0), ""),
        (struct.pack("<II", 1_700_000_000, 1_000_000), ""),
        (struct.pack("<II", 1_700_000_000, 0)[:7], ""),
    ],
)
def test_when_a_ping_was_sent(cells, data, sent):
    """What tshark 4.0 makes of these. Where all is the time, no data is left."""
    got = cells(ETH / IP() / ICMP(type=8) / Raw(data), "icmp.data_time_relative", "frame.protocols")
    assert got == [sent, "eth:ethertype:ip:icmp" + (":data" if len(data) > 8 or not sent else "")]
    assert cells(ETH / IP() / ICMP(type=13) / Raw(data), "icmp.data_time") == [""]


def test_igmp(cells):
    assert cells(ETH / IP() / IGMP(type=0x16, gaddr="239.1.2.3"), "igmp.version", "igmp.type", "igmp.maddr") == ["2", "0x16", "239.1.2.3"]
    records = b"".join(struct.pack(">BBH4s", kind, 0, n, bytes([239, 0, 0, kind])) + bytes(4 * n) for kind, n in ((4, 0), (5, 2), (3, 0)))
    report = struct.pack(">BBHHH", 0x22, 0, 0, 0, 3) + records
    got = cells(ETH / IP(proto=2) / Raw(report), "igmp.version", "igmp.record_type", "igmp.maddr")
    assert got == ["3", "4,5,3", "239.0.0.4,239.0.0.5,239.0.0.3"]


def test_udp_lite(cells):
    got = cells(
        ETH / IP(proto=136) / Raw(struct.pack(">HHHH", 5, 6, 8, 0) + b"data"), "udp.srcport", "udp.checksum_coverage", "udp.payload"
    )
    assert got == ["5", "8", b"data".hex()]
    assert cells(ETH / IP(proto=136) / Raw(struct.pack(">HHHH", 5, 6, 8, 0) + b"data"), "frame.protocols")[0].endswith("udplite:data")


# ---------------------------------------------------------------- checksums, RFC 1071


def status(save, packet: bytes, name: str, *words: str, **options) -> str:
    result = run("packets", save(pcap(packet, **options)), "-T", "fields", "-e", f"{name}.checksum.status", *words)
    return result.out.strip()


@pytest.mark.parametrize(
    ("packet", "name"),
    [
        (INNER, "udp"),
        (INNER, "ip"),
        (IP(src="9.8.7.6") / TCP(flags="S") / Raw(b"odd"), "tcp"),
        (IP() / ICMP() / Raw(b"abc"), "icmp"),
        (IPv6(src="fe80::1", dst="fe80::2") / ICMPv6EchoRequest(data=b"abc"), "icmpv6"),
        (IPv6(src="fe80::1", dst="fe80::2") / IPv6ExtHdrRouting(addresses=["fe80::9", "fe80::8"]) / UDP() / Raw(b"abcd"), "udp"),
    ],
)
def test_good_bad_and_cut_checksums(save, packet, name):
    good = bytes(ETH / packet)
    assert status(save, good, name, "--checksums") == "1"
    if name.startswith("icmp"):
        assert status(save, good, name) == "1"
    else:
        assert status(save, good, name) == "2"
    bad = bytearray(good)
    bad[26 if name == "ip" else -1] ^= 0x10
    assert status(save, bytes(bad), name, "--checksums") == "0"
    if name != "ip":
        assert status(save, good[:-1], name, "--checksums", lengths={0: len(good)}) == "2"


def test_a_checksum_left_to_the_network_card_is_partial(save):
    packet = bytearray(bytes(ETH / IP(src="1.2.3.4", dst="5.6.7.8") / TCP(flags="S")))
    total = sum(struct.unpack(">4H", bytes(packet[26:34]))) + 6 + 20
    struct.pack_into(">H", packet, 50, (total & 0xFFFF) + (total >> 16))
    assert status(save, bytes(packet), "tcp", "--checksums") == "4"


def test_udp_without_a_checksum(save):
    assert status(save, bytes(ETH / IP() / UDP(chksum=0)), "udp", "--checksums") == "3"


def test_all_ones_is_a_good_tcp_checksum(save):
    packet = bytearray(bytes(ETH / IP(src="1.2.3.4", dst="5.6.7.8") / TCP(flags="S", chksum=0)))
    words = struct.unpack(">10H", bytes(packet[34:54]))
    total = sum(struct.unpack(">4H", bytes(packet[26:34]))) + 6 + 20 + sum(words)
    total = (total & 0xFFFF) + (total >> 16)
    struct.pack_into(">H", packet, 48, (words[7] + 0xFFFF - total) & 0xFFFF)  # the window makes the sum 0xFFFF: its complement is 0
    struct.pack_into(">H", packet, 50, 0xFFFF)
    assert status(save, bytes(packet), "tcp", "--checksums") == "1"


def test_labs_with_their_checksums_are_all_good():
    from conftest import CAPTURES

    tables = Analysis(str(CAPTURES / "dns-http" / "dns-http.pcap"), checksums=True).tables(["ip", "tcp", "udp"])
    for name, rows in tables.items():
        assert set(rows[f"{name}.checksum.status"]) == {1}, name
