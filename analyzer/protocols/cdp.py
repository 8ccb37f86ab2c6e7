"""Cisco Discovery Protocol: a device announces its name, port and capabilities to its neighbor.

Proprietary; the format is from Cisco's manuals: https://wiki.wireshark.org/CDP. TLVs; the length includes type and length.
"""

import numpy as np

from ..fields import Column, Field, Headers, Layout, Protocol, bits, flag, ipv4, ipv6, raw, text, u8, u16, u32
from .common import checksums
from .common.parts import Parts, misfits, peek
from .common.tlv import Options, items, records, repeated

DEVICE, ADDRESSES, PORT, CAPABILITIES, VERSION, PLATFORM, PREFIXES = range(1, 8)
DOMAIN, NATIVE, DUPLEX = range(9, 12)
VOICE, CONSUMPTION, MTU, TRUST, COS, NAME, OBJECT, MANAGEMENT, LOCATION = 14, *range(16, 24)
REQUESTED, AVAILABLE = 0x19, 0x1A
TLV = {
    DEVICE: "device",
    ADDRESSES: "addresses",
    PORT: "port",
    CAPABILITIES: "capabilities",
    VERSION: "software version",
    PLATFORM: "platform",
    PREFIXES: "IP prefixes",
    8: "protocol hello",
    DOMAIN: "VTP domain",
    NATIVE: "native VLAN",
    DUPLEX: "duplex",
    VOICE: "voice VLAN",
    15: "voice VLAN query",
    CONSUMPTION: "power consumption",
    MTU: "MTU",
    TRUST: "trust bitmap",
    COS: "class of untrusted frames",
    NAME: "system name",
    OBJECT: "system's object identifier",
    MANAGEMENT: "management addresses",
    LOCATION: "location",
    REQUESTED: "power requested",
    AVAILABLE: "power available",
}
HEADER = Layout(
    Field("cdp.version", u8, "Version"),
    Field("cdp.ttl", u8, "Time to live", "seconds; 0: forget this neighbor"),
    Field("cdp.checksum", u16, "Checksum", "an odd last byte is added in Cisco's own way", hex=4),
)
ITEM = Layout(
    Field("cdp.tlv.type", u16, "Item", hex=4, value_names=TLV, many=True),
    Field("cdp.tlv.len", u16, "Item's length", "bytes, type and length included", many=True),
)
CAPABILITY_BITS = (  # the last eleven, most significant first
    ("mac_relay", "two-port MAC relay"),
    ("cvta", "CVTA, camera"),
    ("remote", "remotely managed"),
    ("voip_phone", "telephone"),
    ("repeater", "repeater"),
    ("igmp_capable", "IGMP"),
    ("host", "host"),
    ("switch", "switch"),
    ("src_bridge", "source route bridge"),
    ("trans_bridge", "transparent bridge"),
    ("router", "router"),
)
FLAGS = tuple(Field(f"cdp.capabilities.{bit}", flag, f"Is: {name}", many=True) for bit, name in CAPABILITY_BITS)
TEXTS = {
    DEVICE: Field("cdp.deviceid", text, "Device", many=True),
    PORT: Field("cdp.portid", text, "Port", "that it was sent through", many=True),
    PLATFORM: Field("cdp.platform", text, "Platform", many=True),
    DOMAIN: Field("cdp.vtp_management_domain", text, "VTP domain", many=True),
    NAME: Field("cdp.system_name", text, "System name", many=True),
    VERSION: Field("cdp.software_version", text, "Software version", many=True),
}
VALUES = {
    CAPABILITIES: Layout(Field("cdp.capabilities", u32, "Capabilities", hex=8, parts=(Field("", bits(21), ""), *FLAGS), many=True)),
    NATIVE: Layout(Field("cdp.native_vlan", u16, "Native VLAN", "of frames without a tag", many=True)),
    DUPLEX: Layout(Field("", bits(7), ""), Field("cdp.duplex", flag, "Full duplex", many=True)),
    VOICE: Layout(Field("before", u8, ""), Field("cdp.voice_vlan", u16, "Voice VLAN", many=True)),
    CONSUMPTION: Layout(Field("cdp.power_consumption", u16, "Power consumption", "mW", many=True)),
    MTU: Layout(Field("cdp.mtu", u32, "MTU", "bytes", many=True)),
    TRUST: Layout(Field("cdp.trust_bitmap", u8, "Trust bitmap", hex=2, many=True)),
    COS: Layout(Field("cdp.untrusted_port_cos", u8, "Class of untrusted frames", hex=2, many=True)),
}
COUNT = Layout(Field("cdp.number_of_addresses", u32, "Addresses", many=True))
KIND = Layout(
    Field("cdp.protocol_type", u8, "Protocol type", "1: NLPID, 2: 802.2", hex=2, many=True),
    Field("cdp.protocol_length", u8, "Protocol's length", "bytes", many=True),
)
LENGTH = Layout(Field("cdp.address_length", u16, "Address's length", "bytes", many=True))
BYTE = Layout(Field("protocol", u8, ""))
ADDRESS4 = Layout(Field("cdp.nrgyz.ip_address", ipv4, "Address", many=True))
ADDRESS6 = Layout(Field("cdp.nrgyz.ipv6_address", ipv6, "Address", many=True))
NLPID, IN_802_2, INTERNET = 1, 2, 0xCC


def _tlvs(h: Headers) -> Options:
    return items(h, np.minimum(h.start + HEADER.size, h.wire), h.wire, head=0, least=ITEM.size, place=2)


def check(h: Headers) -> None:
    misfits(h, _tlvs(h).bad, "cdp.tlv.len", "is more than the message has, or less than the item's head")


def _status(h: Headers) -> dict[str, Column]:
    rows = np.flatnonzero(h.whole)
    end = h.wire[rows]
    odd = (end - h.start[rows]) % 2 == 1
    last = peek(h, BYTE, rows, end - 1)["protocol"].astype(np.int64)
    # Cisco's code adds an odd last byte as a signed word of its own, and then subtracts one too many from a negative one.
    more = np.zeros(len(h), np.int64)
    more[rows] = np.where(odd, np.where(last > 0x7F, 0xFF00 | last - 1, last), 0)
    return {"cdp.checksum.status": Column(checksums.status(h, end - odd, more, rows), rows)}


def _derived(h: Headers) -> dict[str, Column]:
    parts = Parts(h, FIELDS)
    tlvs = _tlvs(h)
    there = np.flatnonzero(tlvs.size > 0)
    row, at = tlvs.row[there], tlvs.at[there]
    end = at + tlvs.size[there]
    kind = parts.read(ITEM, row, at, end)["cdp.tlv.type"]
    at = at + ITEM.size
    for number, layout in VALUES.items():
        these = kind == number
        parts.read(layout, row[these], at[these], end[these])
    for number, f in TEXTS.items():
        these = kind == number
        parts.text(f.name, *(_lines(h, row[these], at[these], end[these]) if number == VERSION else (row[these], at[these], end[these])))
    these = np.isin(kind, (ADDRESSES, MANAGEMENT))
    _addresses(h, parts, row[these], at[these], end[these])
    for number, layout in POWER.items():
        these = np.flatnonzero(kind == number)
        parts.read(REQUEST, row[these], at[these], end[these])
        owner, nth = repeated(np.maximum(end[these] - at[these] - REQUEST.size, 0) // layout.size)
        parts.read(layout, row[these][owner], at[these][owner] + REQUEST.size + layout.size * nth)
    return dict(parts.columns())


def _lines(h: Headers, row: np.ndarray, at: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The lines of texts: header, start, end; int64."""
    owner, nth = repeated(np.maximum(np.minimum(end, h.end[row]) - at, 0))
    place = at[owner] + nth
    breaks = np.flatnonzero(h.buffer[place] == ord("\n"))
    start, stop = np.concatenate((at, place[breaks] + 1)), np.concatenate((place[breaks], end))
    rows = np.concatenate((row, row[owner[breaks]]))
    order = np.argsort(start, kind="stable")
    return rows[order], start[order], np.sort(stop)


def _addresses(h: Headers, parts: Parts, rows: np.ndarray, at: np.ndarray, end: np.ndarray) -> None:
    """Each address has a protocol (NLPID or 802.2), a length and the address itself."""
    count = parts.read(COUNT, rows, at, end)["cdp.number_of_addresses"]
    least = KIND.size + LENGTH.size
    addresses = records(h, at + COUNT.size, np.minimum(end, h.end[rows]), count, least, few=(1, 1, 1), many=(KIND.size, 1), moved=True)
    there = np.flatnonzero(addresses.size > 0)
    row, at = rows[addresses.row[there]], addresses.at[there]
    end = at + addresses.size[there]
    kind = parts.read(KIND, row, at, end)
    named = at + KIND.size
    at = named + kind["cdp.protocol_length"]
    parts.bytes("cdp.protocol", row, named, at)
    length = parts.read(LENGTH, row, at, end)["cdp.address_length"]
    first = peek(h, BYTE, row, named, end)["protocol"]
    at = at + LENGTH.size
    four = (kind["cdp.protocol_type"] == NLPID) & (first == INTERNET) & (length == ADDRESS4.size)
    six = (kind["cdp.protocol_type"] == IN_802_2) & (length == ADDRESS6.size)
    parts.read(ADDRESS4, row[four], at[four])
    parts.read(ADDRESS6, row[six], at[six])


REQUEST = Layout(Field("cdp.request_id", u16, "Power request", many=True), Field("cdp.management_id", u16, "Power management", many=True))
POWER = {
    REQUESTED: Layout(Field("cdp.power_requested", u32, "Power requested", "mW", many=True)),
    AVAILABLE: Layout(Field("cdp.power_available", u32, "Power available", "mW", many=True)),
}
FIELDS = (
    *ITEM.fields,
    *TEXTS.values(),
    *(f for layout in VALUES.values() for f in layout.all() if f.label),
    *(f for layout in (COUNT, KIND, LENGTH, ADDRESS4, ADDRESS6, REQUEST, *POWER.values()) for f in layout.fields),
    Field("cdp.protocol", raw, "Protocol", "of an address", many=True),
)


PROTOCOL = Protocol(
    "cdp",
    "CDP",
    __doc__,
    header=HEADER,
    on={"llc.cisco_pid": 0x2000, "chdlc.protocol": 0x2000, "gre.proto": 0x2000},
    info="neighbor[ {cdp.deviceid}][, port {cdp.portid}][, {cdp.platform}], good for {cdp.ttl} s",
    check=check,
    derived=((FIELDS, _derived), ((checksums.status_field("cdp.checksum.status"),), _status)),
)
