"""Protocols between routers: OSPF, RIP, VRRP, HSRP, BFD; between hosts and routers: IGMP and MLD.

Messages come from a recording between two routers of FRR, from scapy, or are written byte by byte after the RFC.
"""

from __future__ import annotations

import socket
import struct

import pytest
from conftest import RECORDINGS, pcap
from scapy.all import IP, UDP, Ether, IPv6, Raw
from scapy.contrib.bfd import BFD
from scapy.contrib.ospf import (
    OSPF_External_LSA,
    OSPF_Hdr,
    OSPF_Hello,
    OSPF_Link,
    OSPF_LSUpd,
    OSPF_Network_LSA,
    OSPF_Router_LSA,
    OSPFv3_AS_External_LSA,
    OSPFv3_Hdr,
    OSPFv3_Inter_Area_Router_LSA,
    OSPFv3_LSUpd,
)
from scapy.layers.inet6 import (
    ICMPv6MLDMultAddrRec,
    ICMPv6MLDone,
    ICMPv6MLQuery,
    ICMPv6MLQuery2,
    ICMPv6MLReport2,
    IPv6ExtHdrHopByHop,
    RouterAlert,
)
from scapy.layers.vrrp import VRRP, VRRPv3
from test_headers import fields

from analyzer import Analysis

ETH = Ether(dst="01:00:5e:00:00:05", src="02:00:00:00:00:01")
FOUR = ETH / IP(src="10.0.0.2", dst="224.0.0.5", ttl=1)
SIX = Ether(dst="33:33:00:00:00:05", src="02:00:00:00:00:01") / IPv6(src="fe80::2", dst="ff02::5", hlim=1)
OSPF = str(RECORDINGS / "ospf.pcap.xz")


@pytest.fixture
def cells(save):
    def get(packet, *wanted: str, **options) -> list[str]:
        return fields(save(pcap(bytes(packet), **options)), *wanted)[0]

    return get


@pytest.fixture
def findings(save):
    def get(packet, **options) -> list[tuple[str, str]]:
        return Analysis(save(pcap(bytes(packet), **options))).table("expert").select("finding", "summary").rows()

    return get


def udp(port: int, data: bytes, below=FOUR) -> bytes:
    return bytes(below / UDP(sport=port, dport=port) / Raw(data))


def ip(number: int, data: bytes) -> bytes:
    return bytes(ETH / IP(src="10.0.0.2", dst="224.0.0.5", ttl=1, proto=number) / Raw(data))


def ipv6(number: int, data: bytes) -> bytes:
    return bytes(ETH / IPv6(src="fe80::2", dst="ff02::5", hlim=1, nh=number) / Raw(data))


def four(address: str) -> bytes:
    return socket.inet_aton(address)


def six(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6, address)


# ---------------------------------------------------------------- OSPF


def test_two_routers_become_neighbors():
    """Recorded: 30 hellos, 5 descriptions, 2 requests, 6 updates, 5 acknowledgments; 2.2.2.2 becomes designated router."""
    rows = fields(OSPF, "frame.number", "ospf.msg", "ospf.srcrouter", "ospf.hello.designated_router", "ospf.checksum.status")
    ours = {int(row[0]): row[1:] for row in rows if row[1]}
    kinds = [row[0] for row in ours.values()]
    assert {kind: kinds.count(kind) for kind in "12345"} == {"1": 30, "2": 5, "3": 2, "4": 6, "5": 5}
    assert {row[3] for row in ours.values()} == {"1"}
    assert ours[16][2] == "0.0.0.0"
    assert ours[18][:3] == ["1", "1.1.1.1", "192.168.1.2"]
    assert not Analysis(OSPF).table("expert").filter(protocol="ospf").height


def test_an_update_carries_advertisements_whole():
    """Frame 28, of three: as tshark reads it."""
    row = fields(
        OSPF,
        "ospf.ls.number_of_lsas",
        "ospf.lsa",
        "ospf.lsa.length",
        "ospf.lsa.number_of_links",
        "ospf.lsa.router.linkid",
        "ospf.lsa.router.linktype",
        "ospf.lsa.network.netmask",
        "ospf.lsa.network.attchrtr",
    )[27]
    linked = "192.168.1.0,10.2.0.0,192.168.1.2,10.2.0.0"
    assert row == ["3", "1,1,2", "48,48,32", "2,2", linked, "3,3,2,3", "255.255.255.0", "1.1.1.1,2.2.2.2"]


def test_a_hello_of_scapy(cells, findings):
    hello = OSPF_Hello(mask="255.255.255.0", prio=7, router="10.0.0.1", backup="10.0.0.2", neighbors=["3.3.3.3", "4.4.4.4"])
    packet = FOUR / OSPF_Hdr(src="2.2.2.2", area="0.0.0.7", authtype=1, authdata=0x6162636465000000) / hello
    names = ("hello_interval", "router_priority", "router_dead_interval", "designated_router", "active_neighbor")
    got = cells(packet, "ospf.area_id", *(f"ospf.hello.{name}" for name in names), "ospf.auth.simple", "ospf.checksum.status")
    assert got == ["0.0.0.7", "10", "7", "40", "10.0.0.1", "3.3.3.3,4.4.4.4", "abcde", "1"]
    damaged = bytearray(bytes(packet))
    damaged[-1] ^= 1
    assert findings(damaged) == [("routing.ospf_checksum", "wrong checksum in a packet of router 2.2.2.2")]


def test_advertisements_of_scapy(cells):
    links = [OSPF_Link(id="1.1.1.1", data="10.0.0.2", type=1, metric=5), OSPF_Link(id="10.9.0.0", data="255.255.0.0", type=3, metric=70)]
    sent = [
        OSPF_Router_LSA(flags="B", linklist=links),
        OSPF_Network_LSA(mask="255.255.255.128", routerlist=["5.5.5.5", "6.6.6.6", "7.7.7.7"]),
        OSPF_External_LSA(id="172.16.0.0", mask="255.240.0.0", ebit=1, metric=0x012345, fwdaddr="10.0.0.9", tag=77),
    ]
    packet = FOUR / OSPF_Hdr() / OSPF_LSUpd(lsalist=sent)
    names = ("router.linkid", "router.metric0", "network.attchrtr", "asext.type", "asext.fwdaddr", "asext.extrttag")
    got = cells(packet, *(f"ospf.lsa.{name}" for name in names), "ospf.metric", "ospf.v2.router.lsa.flags.b")
    assert got == ["1.1.1.1,10.9.0.0", "5,70", "5.5.5.5,6.6.6.6,7.7.7.7", "1", "10.0.0.9", "77", str(0x012345), "1"]


def advertisement(code: int, body: bytes, age: int = 3) -> bytes:
    """RFC 5340 §A.4.2."""
    return struct.pack(">HH4s4sIHH", age, code, four("0.0.0.1"), four("9.9.9.9"), 0x80000001, 0, 20 + len(body)) + body


def ospf3(kind: int, body: bytes, instance: int = 0) -> bytes:
    """RFC 5340 §A.3.1."""
    return struct.pack(">BBH4s4sHBB", 3, kind, 16 + len(body), four("2.2.2.2"), four("0.0.0.0"), 0, instance, 0) + body


def prefix(length: int, data: str, third: int = 0) -> bytes:
    """RFC 5340 §A.4.1: a prefix takes as few words of 32 bits as hold it."""
    return struct.pack(">BBH", length, 0x0A, third) + bytes.fromhex(data)


ADVERTISED = [
    advertisement(0x2001, b"\x01" + b"\0\0\x13" + struct.pack(">BBHII4s", 2, 0, 10, 5, 6, four("8.8.8.8"))),
    advertisement(0x2003, b"\0\0\0\x2a" + prefix(36, "20010db8 10000000")),
    advertisement(0x4005, b"\x07\0\0\x14" + prefix(0, "", 0x2001) + six("2001:db8::9") + struct.pack(">I4s", 99, four("0.0.0.8"))),
    advertisement(
        0x0008, b"\x01\0\0\x13" + six("fe80::7") + struct.pack(">I", 2) + prefix(64, "20010db8 00000001") + prefix(8, "fd000000")
    ),
    advertisement(
        0x2009, struct.pack(">HH4s4s", 1, 0x2001, four("0.0.0.0"), four("9.9.9.9")) + prefix(128, "20010db8" + "00" * 11 + "05", 3)
    ),
]
UPDATE3 = ospf3(4, struct.pack(">I", len(ADVERTISED)) + b"".join(ADVERTISED))


def test_advertisements_of_version_3(cells):
    packet = ipv6(89, UPDATE3)
    got = cells(
        packet,
        "ospf.v3.lsa.fc",
        "ospf.v3.lsa.s12",
        "ospf.v3.lsa.neighbor_router_id",
        "ospf.metric",
        "ospf.prefix_length",
        "ospf.v3.lsa.num_prefixes",
    )
    assert got == ["1,3,5,8,9", "0x01,0x01,0x02,0x00,0x01", "8.8.8.8", "10,42,20,3", "36,0,64,8,128", "2,1"]
    names = ("forwarding_address.ipv6", "external_route_tag", "referenced_ls_type", "referenced_link_state_id")
    assert cells(packet, *(f"ospf.v3.lsa.{name}" for name in names)) == ["2001:db8::9", "99", "0x2001,0x2001", "0.0.0.8,0.0.0.0"]
    assert cells(packet, "ospf.v3.address_prefix.ipv6") == ["2001:db8:1000::,::,2001:db8:0:1::,fd00::,2001:db8::5"]


def test_version_3_against_scapy(cells):
    sent = [
        OSPFv3_Inter_Area_Router_LSA(metric=11, router="7.7.7.7"),
        OSPFv3_AS_External_LSA(flags=0, metric=12, prefix="2001:db8:5::/48"),
    ]
    packet = SIX / OSPFv3_Hdr(src="2.2.2.2", instance=3) / OSPFv3_LSUpd(lsalist=sent)
    wanted = ("ospf.instance_id", "ospf.checksum.status", "ospf.v3.lsa.destination_router_id", "ospf.v3.address_prefix.ipv6")
    assert cells(packet, *wanted) == ["3", "1", "7.7.7.7", "2001:db8:5::"]


def test_ipv4_in_version_3(cells):
    """RFC 5838 §2.1: instances from 64 to 127 are of IPv4."""
    body = struct.pack(">I", 1) + advertisement(0x2003, b"\0\0\0\x01" + prefix(20, "0a0a1000"))
    packet = ipv6(89, ospf3(4, body, instance=64))
    assert cells(packet, "ospf.v3.address_prefix.ipv4", "ospf.v3.address_prefix.ipv6") == ["10.10.16.0", ""]


def test_an_advertisement_that_does_not_fit_ends_the_update(cells, findings):
    """20 bytes is the least; what stands before it is read, and the place of the fault is reported."""
    lies = bytearray(UPDATE3)
    second = 16 + 4 + len(ADVERTISED[0])
    lies[second + 18 : second + 20] = struct.pack(">H", 19)
    packet = ipv6(89, bytes(lies))
    assert cells(packet, "ospf.v3.lsa.fc") == ["1"]
    faults = [text for finding, text in findings(packet) if finding == "malformed"]
    assert faults == ["OSPF: advertisement's length is more than the packet has, or less than an advertisement's header"]


def test_a_length_of_ospf_that_lies(findings):
    packet = FOUR / OSPF_Hdr(len=2000) / OSPF_Hello()
    assert ("malformed", "OSPF: length says 2000 bytes, there are 44") in findings(packet)
    packet = FOUR / OSPF_Hdr(len=30) / OSPF_Hello()
    assert ("malformed", "OSPF: length is 30, less than the 44 of such a packet") in findings(packet)


# ---------------------------------------------------------------- RIP, RFC 2453 §4, RFC 4822 §2


def route(family: int, tag: int, *addresses: str, metric: int) -> bytes:
    return struct.pack(">HH", family, tag) + b"".join(map(four, addresses)) + struct.pack(">I", metric)


KEYED = (
    struct.pack(">BBH", 2, 2, 0)
    + struct.pack(">HHHBBI8x", 0xFFFF, 3, 44, 7, 16, 99)
    + route(2, 5, "10.1.2.0", "255.255.255.0", "0.0.0.0", metric=3)
    + struct.pack(">HH", 0xFFFF, 1)
    + bytes(range(16))
)
OLD_RIP = (
    struct.pack(">BBH", 2, 1, 0)
    + route(2, 0, "10.0.0.0", "0.0.0.0", "0.0.0.0", metric=1)
    + route(2, 0, "172.16.0.0", *["0.0.0.0"] * 2, metric=16)
)


def test_rip_with_a_digest_behind(cells):
    wanted = ("command", "ip", "netmask", "route_tag", "metric", "key_id", "seq_num", "authentication_data")
    got = cells(udp(520, KEYED), *(f"rip.{name}" for name in wanted))
    assert got == ["2", "10.1.2.0", "255.255.255.0", "5", "3", "7", "99", bytes(range(16)).hex()]


def test_rip_of_version_1_has_no_masks(cells, findings):
    got = cells(udp(520, OLD_RIP), "rip.ip", "rip.metric", "rip.netmask", "rip.next_hop")
    assert got == ["10.0.0.0,172.16.0.0", "1,16", "", ""]
    assert findings(udp(520, OLD_RIP[:-3])) == [("malformed", "RIP entries have 20 bytes each, the last has 17")]


def test_a_password_of_rip_is_reported(cells, findings):
    secret = struct.pack(">BBHHH16s", 1, 2, 0, 0xFFFF, 2, b"letmein") + route(0, 0, "0.0.0.0", "0.0.0.0", "0.0.0.0", metric=16)
    assert cells(udp(520, secret), "rip.auth.passwd", "rip.ip", "rip.family") == ["letmein", "", "0"]
    assert findings(udp(520, secret)) == [("routing.rip_password", "a password in clear text")]


def test_ripng(cells):
    """RFC 2080 §2: a next hop with metric 255, then a route."""
    data = (
        struct.pack(">BBH", 2, 1, 0) + six("fe80::9") + struct.pack(">HBB", 0, 0, 255) + six("2001:db8::") + struct.pack(">HBB", 9, 32, 4)
    )
    got = cells(
        udp(521, data, SIX), "ripng.cmd", "ripng.rte.ipv6_prefix", "ripng.rte.prefix_length", "ripng.rte.metric", "ripng.rte.route_tag"
    )
    assert got == ["2", "fe80::9,2001:db8::", "0,32", "255,4", "0x0000,0x0009"]


# ---------------------------------------------------------------- VRRP, HSRP


def test_vrrp_of_both_versions(cells, findings):
    second = FOUR / VRRP(vrid=9, priority=0, addrlist=["10.0.0.7", "10.0.0.8"], adv=2)
    wanted = ("vrrp.version", "vrrp.type", "vrrp.virt_rtr_id", "vrrp.ip_addr", "vrrp.adver_int", "vrrp.checksum.status")
    assert cells(second, *wanted) == ["2", "1", "9", "10.0.0.7,10.0.0.8", "2", "1"]
    assert findings(second) == [("routing.vrrp_gives_up", "the master of virtual router 9 gives up")]
    third = FOUR / VRRPv3(vrid=10, priority=200, addrlist=["10.0.0.7"], adv=100)
    assert cells(third, "vrrp.version", "vrrp.short_adver_int", "vrrp.adver_int", "vrrp.checksum.status") == ["3", "100", "", "1"]
    damaged = bytearray(bytes(third))
    damaged[-1] ^= 1
    assert findings(damaged) == [("routing.vrrp_checksum", "wrong checksum in an advertisement of virtual router 10")]


def test_vrrp_over_ipv6(cells):
    """RFC 9568 §5.2: the addresses are as wide as those of the IP below, the checksum has its pseudo-header."""
    packet = SIX / VRRPv3(vrid=10, addrlist=["fe80::1", "2001:db8::1"])
    packet[IPv6].nh = 112
    assert cells(packet, "vrrp.ipv6_addr", "vrrp.ip_addr", "vrrp.checksum.status") == ["fe80::1,2001:db8::1", "", "1"]


def test_more_addresses_than_vrrp_has(findings):
    packet = FOUR / VRRP(ipcount=9, addrlist=["10.0.0.7"])
    assert ("malformed", "VRRP needs 44 bytes, has 20") in findings(packet)


GROUP_STATE = struct.pack(">BBBBBBH6sIII16s", 1, 40, 2, 0, 6, 4, 7, bytes.fromhex("00000c9ff007"), 120, 3000, 10000, four("10.0.0.9"))
SIGNED = struct.pack(">BBBBH4sI16s", 4, 28, 1, 0, 0, four("10.0.0.2"), 5, bytes(range(16)))
HSRP = struct.pack(">8B8s4s", 0, 1, 16, 3, 10, 100, 1, 0, b"cisco", four("10.0.0.9"))  # RFC 2281 §5.1


def test_hsrp_of_both_versions(cells, findings):
    wanted = ("hsrp.opcode", "hsrp.state", "hsrp.priority", "hsrp.auth_data", "hsrp.virt_ip", "hsrp2.md5_key_id")
    assert cells(udp(1985, HSRP + SIGNED), *wanted) == ["1", "16", "100", "cisco", "10.0.0.9", "5"]
    assert findings(udp(1985, HSRP)) == [("routing.hsrp_takeover", "coup in group 1")]
    wanted = ("hsrp.version", "hsrp2.version", "hsrp2.state", "hsrp2.group", "hsrp2.virt_ip", "hsrp2.holdtime", "hsrp2.md5_auth_data")
    got = cells(udp(1985, GROUP_STATE + SIGNED), *wanted)
    assert got == ["", "2", "6", "7", "10.0.0.9", "10000", bytes(range(16)).hex()]


def test_items_of_hsrp_that_do_not_fit(cells, findings):
    cut = udp(1985, GROUP_STATE + SIGNED[:-1])
    assert findings(cut) == [("malformed", "HSRP an item does not fit into the message")]
    assert cells(cut, "hsrp2.group", "hsrp2.md5_auth_tlv") == ["7", ""]
    assert ("malformed", "HSRP needs 20 bytes, has 19") in findings(udp(1985, HSRP[:19]))


# ---------------------------------------------------------------- BFD, RFC 5880 §4.1


def test_bfd(cells, findings):
    packet = BFD(diag=3, sta=1, flags="P", detect_mult=5, my_discriminator=7, your_discriminator=9, min_tx_interval=50_000)
    wanted = ("version", "diag", "sta", "flags.p", "flags.f", "detect_time_multiplier", "my_discriminator", "desired_min_tx_interval")
    got = cells(udp(3784, bytes(packet)), *(f"bfd.{name}" for name in wanted))
    assert got == ["1", "0x03", "0x01", "1", "0", "5", "0x00000007", "50000"]
    assert findings(udp(3784, bytes(packet))) == [("routing.bfd_down", "the session is down: neighbor signaled session down")]
    short = bytearray(bytes(packet))
    short[3] = 20
    assert ("malformed", "BFD: length is 20, less than the 24 of a packet") in findings(udp(3784, bytes(short)))


def test_bfd_signed(cells):
    """§4.3, keyed MD5: type, length, key, reserved, sequence number, sixteen bytes."""
    head = bytes(BFD(sta=3, flags="A", len=48))[:24]
    signed = udp(3784, head + struct.pack(">BBBBI", 2, 24, 4, 0, 1000) + bytes(range(16)))
    wanted = ("bfd.flags.a", "bfd.auth.type", "bfd.auth.key", "bfd.auth.seq_num", "bfd.checksum", "bfd.auth.password")
    assert cells(signed, *wanted) == ["1", "2", "4", "0x000003e8", bytes(range(16)).hex(), ""]
    clear = udp(3784, bytes(BFD(flags="A", len=33))[:24] + b"\x01\x09\x02secret")
    assert cells(clear, "bfd.auth.key", "bfd.auth.password", "bfd.checksum") == ["2", "secret", ""]


# ---------------------------------------------------------------- IGMP, RFC 9776 §4; MLD, RFC 2710 §3 and RFC 9777 §5


def test_igmp_queries_and_reports_with_sources(cells, findings):
    query = struct.pack(">BBH4sBBH", 0x11, 100, 0, four("239.1.2.3"), 0x0A, 60, 2) + four("10.1.1.1") + four("10.1.1.2")
    got = cells(ip(2, query), "igmp.version", "igmp.s", "igmp.qrv", "igmp.qqic", "igmp.num_src", "igmp.saddr")
    assert got == ["3", "1", "2", "60", "2", "10.1.1.1,10.1.1.2"]
    records = struct.pack(">BBH4s4s", 5, 1, 0, four("232.1.1.1"), b"more") + struct.pack(
        ">BBH4s4s", 6, 0, 1, four("232.1.1.2"), four("10.1.1.3")
    )
    packet = ip(2, struct.pack(">BBHHH", 0x22, 0, 0, 0, 2) + records)
    assert cells(packet, "igmp.record_type", "igmp.maddr", "igmp.saddr") == ["5,6", "232.1.1.1,232.1.1.2", "10.1.1.3"]
    packet = ip(2, struct.pack(">BBHHH", 0x22, 0, 0, 0, 3) + records)
    assert ("malformed", "IGMP: record does not fit into the report") in findings(packet)


def listeners(message) -> bytes:
    return bytes(SIX / IPv6ExtHdrHopByHop(options=[RouterAlert()]) / message)


REPORTED = ICMPv6MLReport2(
    records=[
        ICMPv6MLDMultAddrRec(rtype=4, dst="ff02::fb"),
        ICMPv6MLDMultAddrRec(rtype=5, dst="ff3e::8", sources=["2001:db8::1", "2001:db8::2"], auxdata_len=1, auxdata=b"abcd"),
        ICMPv6MLDMultAddrRec(rtype=3, dst="ff02::fc"),
    ]
)


def test_listeners_of_ipv6(cells, findings):
    wanted = [f"icmpv6.mld.{name}" for name in ("maximum_response_delay", "maximum_response_code", "multicast_address", "source_address")]
    assert cells(listeners(ICMPv6MLQuery(mladdr="ff02::1:3", mrd=1000)), *wanted) == ["1000", "", "ff02::1:3", ""]
    assert cells(listeners(ICMPv6MLDone(mladdr="ff02::1:3")), *wanted) == ["0", "", "ff02::1:3", ""]
    query = listeners(ICMPv6MLQuery2(mladdr="ff3e::7", mrd=1000, S=1, QRV=2, QQIC=125, sources=["2001:db8::1", "2001:db8::2"]))
    assert cells(query, *wanted) == ["", "1000", "ff3e::7", "2001:db8::1,2001:db8::2"]
    assert cells(query, "icmpv6.mld.flag.s", "icmpv6.mld.flag.qrv", "icmpv6.mld.qqi", "icmpv6.mld.nb_sources") == ["1", "2", "125", "2"]
    wanted = [f"icmpv6.mldr.mar.{name}" for name in ("record_type", "multicast_address", "nb_sources", "source_address")]
    assert cells(listeners(REPORTED), *wanted) == ["4,5,3", "ff02::fb,ff3e::8,ff02::fc", "0,2,0", "2001:db8::1,2001:db8::2"]
    assert cells(listeners(REPORTED), "frame.protocols") == ["eth:ethertype:ipv6:ipv6.hopopts:icmpv6"]
    more = bytearray(listeners(REPORTED))
    more[14 + 40 + 8 + 7] = 4  # of three records
    assert ("malformed", "ICMPv6: record does not fit into the report") in findings(more)


MESSAGES = [
    bytes(FOUR / OSPF_Hdr() / OSPF_Hello(neighbors=["3.3.3.3"])),
    ipv6(89, UPDATE3),
    bytes(FOUR / OSPF_Hdr() / OSPF_LSUpd(lsalist=[OSPF_Router_LSA(linklist=[OSPF_Link()] * 2), OSPF_External_LSA()])),
    udp(520, KEYED),
    udp(521, struct.pack(">BBH", 2, 1, 0) + bytes(40), SIX),
    bytes(FOUR / VRRP(addrlist=["10.0.0.7"])),
    udp(1985, HSRP + SIGNED),
    udp(1985, GROUP_STATE + SIGNED),
    udp(3784, bytes(BFD(flags="A", len=48))[:24] + struct.pack(">BBBBI", 2, 24, 4, 0, 1000) + bytes(16)),
    ip(2, struct.pack(">BBHHHBBH4s4s", 0x22, 0, 0, 0, 1, 5, 1, 0, four("232.1.1.1"), b"more")),
    listeners(REPORTED),
]
