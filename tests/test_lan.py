"""What switches and neighbors on a link tell each other: spanning tree, LLDP, CDP, link aggregation, the test of Ethernet.

Messages come from a recording between two bridges of Linux, from scapy, or are written byte by byte after the standard.
"""

from __future__ import annotations

import random
import struct

import pytest
from conftest import BATCHES, RECORDINGS, pcap, run
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.all import LLC, SNAP, STP, Dot3, Ether, Raw
from scapy.contrib.cdp import (
    CDPAddrRecordIPv4,
    CDPAddrRecordIPv6,
    CDPMsgAddr,
    CDPMsgCapabilities,
    CDPMsgDeviceID,
    CDPMsgDuplex,
    CDPMsgNativeVLAN,
    CDPMsgPortID,
    CDPMsgSoftwareVersion,
    CDPv2_HDR,
)
from scapy.contrib.lacp import LACP, MarkerProtocol, SlowProtocol
from scapy.contrib.lldp import (
    LLDPDUChassisID,
    LLDPDUEndOfLLDPDU,
    LLDPDUManagementAddress,
    LLDPDUPortID,
    LLDPDUSystemCapabilities,
    LLDPDUSystemName,
    LLDPDUTimeToLive,
)
from test_headers import fields
from test_routing import MESSAGES

from analyzer import Analysis
from analyzer.tables import names

BRIDGES = Dot3(dst="01:80:c2:00:00:00", src="02:00:00:00:00:01")
TREE = str(RECORDINGS / "stp-llc.pcap.xz")


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


# ---------------------------------------------------------------- spanning tree


def test_two_bridges_agree_on_a_root():
    """Recorded: the second bridge gives way after one message; then the root announces a change four times."""
    rows = fields(TREE, "frame.protocols", "stp.root.hw", "stp.root.prio", "stp.root.cost", "stp.bridge.hw", "stp.flags.tc", "stp.hello")
    assert {tuple(row[:3]) for row in rows} == {("eth:llc:stp", "02:00:00:00:01:01", "4096")}
    assert [row[3] for row in rows] == ["2"] + ["0"] * 7
    assert [row[5] for row in rows] == ["0"] * 4 + ["1"] * 4
    assert {row[6] for row in rows} == {"1.000000000"}
    result = Analysis(TREE).table("expert")
    assert result["finding"].to_list() == ["lan.topology_change"] * 4
    assert result["frame.number"].to_list() == [5, 6, 7, 8]


def test_a_configuration_of_scapy(cells, findings):
    sent = STP(rootid=0x8001, rootmac="00:01:02:03:04:05", bridgeid=0x1002, pathcost=19, portid=0x8003, age=1.5, maxage=20, fwddelay=15)
    packet = BRIDGES / LLC(dsap=0x42, ssap=0x42, ctrl=3) / sent
    wanted = ("root.prio", "root.ext", "root.hw", "root.cost", "bridge.prio", "bridge.ext", "port", "msg_age", "max_age")
    got = cells(packet, *(f"stp.{name}" for name in wanted))
    assert got == ["32768", "1", "00:01:02:03:04:05", "19", "4096", "2", "0x8003", "1.500000000", "20.000000000"]
    old = BRIDGES / LLC(dsap=0x42, ssap=0x42, ctrl=3) / STP(age=20, maxage=20)
    assert findings(old) == [("lan.too_old", "the message is 20.000000000 s old, more than 20.000000000 s: it counts no more")]


def bpdu(version: int, kind: int, rest: bytes, snap: int = 0) -> bytes:
    """A BPDU behind LLC, or behind Cisco's SNAP."""
    data = struct.pack(">HBB", 0, version, kind) + rest
    head = LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(OUI=0x00000C, code=snap) if snap else LLC(dsap=0x42, ssap=0x42, ctrl=3)
    return bytes(BRIDGES / head / Raw(data))


ROOT, BRIDGE = bytes.fromhex("6000 020000000101"), bytes.fromhex("8001 020000000202")
BODY = ROOT + struct.pack(">I", 200_000) + BRIDGE + struct.pack(">HHHHH", 0x800F, 256, 20 * 256, 2 * 256, 15 * 256)
INSTANCE = bytes.fromhex("f8 6001 020000000303 00030d40 80 60 13")  # IEEE 802.1Q §14.4.1
COMMON = b"\0" + b"Brewery".ljust(32, b"\0") + struct.pack(">H", 3) + bytes(range(16)) + struct.pack(">I", 7) + BRIDGE + b"\x14"
MULTIPLE = bpdu(3, 2, b"\x7c" + BODY + b"\0" + struct.pack(">H", len(COMMON) + 2 * len(INSTANCE)) + COMMON + 2 * INSTANCE)
PER_VLAN = bpdu(2, 2, b"\x0e" + BODY + b"\0" + struct.pack(">HHH", 0, 2, 1213), snap=0x010B)


def test_rapid_and_multiple(cells):
    wanted = ("version", "type", "flags", "flags.agreement", "flags.port_role", "flags.proposal", "root.prio", "bridge.ext")
    assert cells(MULTIPLE, *(f"stp.{name}" for name in wanted)) == ["3", "0x02", "0x7c", "1,1,1", "3,2,2", "0,0,0", "24576", "1"]
    wanted = ("config_name", "config_revision_level", "config_digest", "cist_internal_root_path_cost", "cist_remaining_hops")
    assert cells(MULTIPLE, *(f"mstp.{name}" for name in wanted)) == ["Brewery", "3", bytes(range(16)).hex(), "7", "20"]
    wanted = ("msti_id", "priority", "root.hw", "root_cost", "bridge_priority", "port_priority", "remaining_hops")
    got = cells(MULTIPLE, *(f"mstp.msti.{name}" for name in wanted))
    assert got == ["1,1", "0x06,0x06", "02:00:00:00:03:03,02:00:00:00:03:03", "200000,200000", "8,8", "6,6", "19,19"]


def test_a_tree_per_vlan(cells):
    """Cisco's PVST+: the same behind SNAP, and an item with the VLAN."""
    got = cells(PER_VLAN, "frame.protocols", "llc.cisco_pid", "stp.flags.proposal", "stp.pvst.origvlan", "stp.pvst.tlvlen")
    assert got == ["eth:llc:stp", "0x010b", "1", "1213", "2"]
    assert cells(bpdu(0, 0, b"\0" + BODY), "stp.pvst.origvlan") == [""]


def test_a_notification_and_what_is_too_short(cells, findings):
    assert findings(bpdu(0, 0x80, b"")) == [("lan.topology_notification", "a bridge reports a change of the topology towards the root")]
    assert findings(bpdu(2, 2, b"\0" + BODY)) == [("malformed", "STP needs 36 bytes, has 35")]
    garp = bytes(BRIDGES / LLC(dsap=0x42, ssap=0x42, ctrl=3) / Raw(b"\0\1\1\4\2\0\1\0\0"))
    assert cells(garp, "frame.protocols", "stp.protocol", "stp.version", "stp.type") == ["eth:llc:stp:data", "0x0001", "", ""]


# ---------------------------------------------------------------- LLDP, IEEE 802.1AB §8


LLDP = Ether(dst="01:80:c2:00:00:0e", src="02:00:00:00:00:01", type=0x88CC)
FIRST = bytes.fromhex("0207 04 020000000001 0406 05") + b"ge/01" + bytes.fromhex("0602 0078")


def test_a_neighbor_of_scapy(cells):
    packet = (
        LLDP
        / LLDPDUChassisID(subtype=4, id="00:19:2f:a7:b2:8d")
        / LLDPDUPortID(subtype=1, id=b"Uplink to S1")
        / LLDPDUTimeToLive(ttl=120)
        / LLDPDUSystemName(system_name=b"S2.cisco.com")
        / LLDPDUSystemCapabilities(mac_bridge_available=1, router_available=1, mac_bridge_enabled=1)
        / LLDPDUManagementAddress(
            management_address_subtype=1, management_address=b"\x0a\0\0\x09", interface_numbering_subtype=2, interface_number=17
        )
        / LLDPDUEndOfLLDPDU()
    )
    wanted = ("tlv.type", "chassis.id.mac", "port.id", "time_to_live", "tlv.system.name", "tlv.system_cap", "tlv.enable_system_cap")
    got = cells(packet, *(f"lldp.{name}" for name in wanted))
    assert got == ["1,2,3,5,7,8,0", "00:19:2f:a7:b2:8d", "Uplink to S1", "120", "S2.cisco.com", "0x0014", "0x0004"]
    wanted = ("lldp.tlv.system_cap.router", "lldp.tlv.enable_system_cap.router", "lldp.mgn.addr.ip4", "lldp.mgn.interface.number")
    assert cells(packet, *wanted) == ["1", "0", "10.0.0.9", "17"]


def test_items_of_organizations(cells):
    """802.1Q annex D: VLAN 12 and its name; 802.3 clause 79: a maximum frame of 9000."""
    items = bytes.fromhex("fe06 0080c2 01 000c  fe0b 0080c2 03 000c 04") + b"blue" + bytes.fromhex("fe06 00120f 04 2328 0000")
    got = cells(LLDP / Raw(FIRST + items), "lldp.orgtlv.oui", "lldp.ieee.802_1.port_vlan.id", "lldp.ieee.802_1.vlan.name")
    assert got == [f"{0x80C2},{0x80C2},{0x120F}", "12", "blue"]
    assert cells(LLDP / Raw(FIRST + items), "lldp.ieee.802_3.max_frame_size", "lldp.tlv.len") == ["9000", "7,6,2,6,11,6,0"]


def test_the_end_is_where_padding_begins(cells):
    packet = bytes(LLDP) + FIRST + b"\0\0"
    assert cells(packet + bytes(60 - len(packet)), "eth.padding", "lldp.tlv.type") == ["00" * (60 - len(packet)), "1,2,3,0"]


def test_what_must_stand_first_does_not(cells, findings):
    says = "LLDP: item is not the chassis, the port and the time to live that every message begins with"
    swapped = LLDP / Raw(FIRST[:9] + FIRST[17:] + FIRST[9:17])
    assert findings(swapped) == [("malformed", says)]
    assert cells(swapped, "lldp.tlv.type", "lldp.chassis.id.mac", "lldp.time_to_live") == ["1", "02:00:00:00:00:01", ""]
    longer = LLDP / Raw(FIRST + bytes.fromhex("0bff") + b"short")
    assert findings(longer) == [("malformed", "LLDP: item's length is more than the message has")]
    assert cells(longer, "lldp.tlv.type", "lldp.time_to_live") == ["1,2,3", "120"]
    assert findings(LLDP / Raw(FIRST[:-2] + bytes(4))) == [("lan.lldp_leaves", "the neighbor leaves")]


# ---------------------------------------------------------------- CDP


def cdp(*items) -> bytes:
    packet = CDPv2_HDR(ttl=180, msg=list(items))
    return bytes(Dot3(dst="01:00:0c:cc:cc:cc", src="02:00:00:00:00:01") / LLC() / SNAP() / packet)


DEVICE = CDPMsgDeviceID(val=b"Switch")
ITEMS = (
    DEVICE,
    CDPMsgPortID(iface=b"GigabitEthernet0/5"),
    CDPMsgCapabilities(cap=0x28),
    CDPMsgSoftwareVersion(val=b"IOS\nCopyright\nCompiled"),
    CDPMsgNativeVLAN(vlan=5),
    CDPMsgDuplex(duplex=1),
    CDPMsgAddr(naddr=2, addr=[CDPAddrRecordIPv4(addr="192.168.0.1"), CDPAddrRecordIPv6(addr="2001:db8::7")]),
)


def test_a_device_of_scapy(cells):
    got = cells(cdp(*ITEMS), "frame.protocols", "llc.cisco_pid", "cdp.ttl", "cdp.tlv.type")
    assert got == ["eth:llc:cdp", "0x2000", "180", "0x0001,0x0003,0x0004,0x0005,0x000a,0x000b,0x0002"]
    wanted = ("deviceid", "portid", "software_version", "native_vlan", "duplex", "nrgyz.ip_address", "nrgyz.ipv6_address")
    got = cells(cdp(*ITEMS), *(f"cdp.{name}" for name in wanted))
    assert got == ["Switch", "GigabitEthernet0/5", "IOS,Copyright,Compiled", "5", "1", "192.168.0.1", "2001:db8::7"]
    assert cells(cdp(*ITEMS), "cdp.capabilities.switch", "cdp.capabilities.igmp_capable", "cdp.capabilities.router") == ["1", "1", "0"]


@pytest.mark.parametrize("name", [b"even", b"odd", b"odd\xfe", b"odd ends with \xfe", b"\xff", b"\x81"])
def test_the_checksum_of_cdp(cells, findings, name):
    """scapy computes it in Cisco's way too: the odd last byte by itself. (tshark and scapy disagree on 0x80; here it is as in tshark.)"""
    packet = bytearray(cdp(CDPMsgDeviceID(val=name)))
    assert cells(packet, "cdp.checksum.status") == ["1"]
    packet[-1] ^= 0x10
    assert findings(packet) == [("lan.cdp_checksum", "wrong checksum")]


def test_an_item_of_cdp_that_does_not_fit(cells, findings):
    packet = bytearray(cdp(*ITEMS))
    packet[22 + 4 + 10 + 2 : 22 + 4 + 10 + 4] = b"\0\3"  # the second item: less than its head
    assert cells(packet, "cdp.tlv.type", "cdp.deviceid") == ["0x0001", "Switch"]
    assert ("malformed", "CDP: item's length is more than the message has, or less than the item's head") in findings(packet)


# ---------------------------------------------------------------- slow protocols, IEEE 802.1AX §6.4.2.3 and §6.5.3.3


def test_lacp_of_scapy(cells, findings):
    packet = (
        Ether(dst="01:80:c2:00:00:02", src="02:00:00:00:00:01")
        / SlowProtocol()
        / LACP(
            actor_system="00:13:c4:12:0f:00",
            actor_key=13,
            actor_port_number=22,
            actor_state=0x85,
            partner_system="00:0e:83:16:f5:00",
            partner_port_number=25,
            partner_state=0x3F,
            collector_max_delay=50,
        )
    )
    assert cells(packet, "frame.protocols", "lacp.tlv_type", "lacp.tlv_length") == [
        "eth:ethertype:slow:lacp",
        "0x01,0x02,0x03,0x00",
        "0x14,0x14,0x10,0x00",
    ]
    wanted = ("actor.sysid", "actor.key", "actor.port", "actor.state_str", "partner.sysid", "partner.state_str", "collector.max_delay")
    got = cells(packet, *(f"lacp.{name}" for name in wanted))
    assert got == ["00:13:c4:12:0f:00", "13", "22", "E****G*A", "00:0e:83:16:f5:00", "**DCSGSA", "50"]
    assert findings(packet) == [("lan.lacp_alone", "port 22 of 00:13:c4:12:0f:00 hears nothing of its partner")]
    wrong = bytearray(bytes(packet))
    wrong[17] = 19  # of the actor's twenty bytes
    assert ("malformed", "LACP: part's length is not that of its type") in findings(wrong)


def test_a_marker_of_scapy(cells):
    packet = (
        Ether()
        / SlowProtocol(subtype=2)
        / MarkerProtocol(requester_system="00:13:c4:12:0f:0d", requester_port=9, requester_transaction_id=77)
    )
    got = cells(packet, "frame.protocols", "marker.requesterSystem", "marker.requesterPort", "marker.requesterTransId")
    assert got == ["eth:ethertype:slow:marker", "00:13:c4:12:0f:0d", "9", "77"]


# ---------------------------------------------------------------- the test of Ethernet, §8


FORWARD = struct.pack("<H", 2) + bytes.fromhex("aa0004001d04")
REPLY = struct.pack("<HH", 1, 7)


@pytest.mark.parametrize(("skip", "function"), [(0, "2"), (8, "2"), (16, "1"), (3, "")])
def test_a_frame_that_goes_round(cells, skip, function):
    packet = bytes(Ether(type=0x9000)) + struct.pack("<H", skip) + FORWARD + FORWARD + REPLY + bytes(40)
    wanted = ("loop.skipcount", "loop.relevant_function", "loop.function", "loop.forwarding_address", "loop.receipt_number")
    addresses = "aa:00:04:00:1d:04,aa:00:04:00:1d:04"
    assert cells(packet, *wanted, "frame.protocols") == [str(skip), function, "2,2,1", addresses, "7", "eth:ethertype:loop:data"]


def test_an_endless_list_to_forward_ends_with_the_frame(cells):
    packet = bytes(Ether(type=0x9000)) + b"\0\0" + FORWARD * 3 + FORWARD[:5]
    assert cells(packet, "loop.function", "loop.forwarding_address")[0] == "2,2,2,2"


# ---------------------------------------------------------------- whatever comes


EVERY = [
    *MESSAGES,
    MULTIPLE,
    PER_VLAN,
    bytes(LLDP) + FIRST + bytes.fromhex("fe0b 0080c2 03 000c 04") + b"blue\0\0",
    cdp(*ITEMS),
    bytes(Ether() / SlowProtocol() / LACP()),
    bytes(Ether(type=0x9000)) + b"\0\0" + FORWARD + FORWARD + REPLY,
]


@pytest.mark.slow
@given(st.integers(0, 2**32))
@settings(max_examples=15, deadline=None)
def test_no_damage_crashes_and_no_batch_size_changes_a_table(tmp_path_factory, seed):
    """Messages of both files, with bytes changed, cut off and doubled: tables and packet lines."""
    dice = random.Random(seed)
    frames = []
    for message in dice.sample(EVERY, 4):
        frame = bytearray(message)
        for _ in range(dice.choice((0, 1, 1, 2, 5))):
            frame[dice.randrange(14, len(frame))] = dice.choice((0, 1, 0x7F, 0x80, 0xFF, dice.randrange(256)))
        at = dice.randrange(14, len(frame) + 1)
        frames.append(bytes(dice.choice((frame, frame, frame[:at], frame + frame[at:]))))
    name = tmp_path_factory.getbasetemp() / "damaged.pcap"
    name.write_bytes(pcap(*frames, lengths={i: len(frame) + 9 for i, frame in enumerate(frames) if dice.random() < 0.2}))
    first, *others = (Analysis(str(name), batch_frames=size).tables(names()) for size in BATCHES)
    for tables in others:
        for table, rows in tables.items():
            assert rows.equals(first[table]), table
    assert run("packets", str(name)).out.count("\n") >= len(frames)
