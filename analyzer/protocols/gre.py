"""Generic Routing Encapsulation. RFC 2784 §2, RFC 2890 §2 (key and sequence number), RFC 1701 (source routes), RFC 8086 (in UDP).

Version 1 is PPTP's, RFC 2637 §4.1: the key is a length and a call, and an acknowledgment may follow. NVGRE, RFC 7637 §3.2, is GRE
that carries Ethernet and has a network's number in the key.
"""

import numpy as np

from ..fields import Column, Field, Headers, Layout, Payload, Protocol, Reading, bits, flag, raw, u8, u16, u24, u32
from .common import checksums
from .common.registries import ETHERTYPE
from .common.tlv import Options, items

WCCP, BRIDGED, PPTP, IP, ACK = 0x883E, 0x6558, 1, 0x0800, 16
PROTOCOLS = {**ETHERTYPE, 0x2000: "CDP", 0x2001: "NHRP", WCCP: "WCCP", 0x880B: "PPP", 0x88BE: "ERSPAN", 0x22EB: "ERSPAN III", 0x00FE: "OSI"}
HEADER = Layout(
    Field("gre.flags_and_version", u16, "Flags and version", hex=4, parts=(
        Field("gre.flags.checksum", flag, "Checksum is there"),
        Field("gre.flags.routing", flag, "Source routes are there", "RFC 1701"),
        Field("gre.flags.key", flag, "Key is there"),
        Field("gre.flags.sequence_number", flag, "Sequence number is there"),
        Field("gre.flags.strict_source_route", flag, "Strict source route", "RFC 1701"),
        Field("gre.flags.recursion_control", bits(3), "Encapsulations still allowed", "RFC 1701"),
        Field("gre.flags.low", bits(5), "Acknowledgment and reserved", "what the version makes of them"),
        Field("gre.flags.version", bits(3), "Version", "1: of PPTP"),
    )),
    Field("gre.proto", u16, "Protocol", "what is carried: an Ethernet type, or one of GRE's own", hex=4, value_names=PROTOCOLS),
)  # fmt: skip
CHECKSUM = Layout(Field("gre.checksum", u16, "Checksum", "of this header and what it carries, RFC 1071", hex=4))
OFFSET = Layout(Field("sum", u16, ""), Field("gre.offset", u16, "Offset", "of the source route to use, bytes"))
KEY = Layout(Field("gre.key", u32, "Key", "tells the flows of a tunnel apart, RFC 2890", hex=8))
NETWORK = Layout(
    Field("gre.key.vsid", u24, "Virtual subnet", "if this is NVGRE: the key's upper bits, RFC 7637 §3.2"),
    Field("gre.key.flow_id", u8, "Flow", "if this is NVGRE"),
)
CALL = Layout(
    Field("gre.key.payload_length", u16, "Payload length", "bytes; version 1"), Field("gre.key.call_id", u16, "Call", "version 1")
)
SEQUENCE = Layout(Field("gre.sequence_number", u32, "Sequence number"))
ACKNOWLEDGED = Layout(Field("gre.ack_number", u32, "Acknowledgment number", "version 1"))
ROUTE = Layout(
    Field("gre.routing.address_family", u16, "Address family of a route"),
    Field("gre.routing.sre_offset", u8, "Offset in a route", "bytes to its active address"),
    Field("gre.routing.src_length", u8, "Length of a route", "bytes; 0 ends the routes"),
    many=True,
)
NIBBLE = Layout(Field("version", bits(4), ""), Field("", bits(4), ""))


def _places(h: Headers) -> tuple[np.ndarray, ...]:
    """Offsets of checksum, key, sequence number and acknowledgment, present or not, and of the source routes; int64 (n,)."""
    checksum = h.start + HEADER.size
    key = checksum + 4 * (h["gre.flags.checksum"] | h["gre.flags.routing"])
    sequence = key + 4 * h["gre.flags.key"]
    acknowledged = sequence + 4 * h["gre.flags.sequence_number"]
    return checksum, key, sequence, acknowledged, acknowledged + 4 * _acknowledges(h)


def _acknowledges(h: Headers) -> np.ndarray:
    """Whether the first of the five low flags is set, in version 1 the acknowledgment flag; bool (n,)."""
    return (h["gre.flags.low"] >= ACK) & (h["gre.flags.version"] == PPTP)


def _routes(h: Headers) -> tuple[Options, np.ndarray, np.ndarray]:
    """The source routes of all headers, and whatever was parsed beyond the terminator; for each header the index of the terminator
    (-1: none) and the offset of the payload; int64 (n,)."""
    start = _places(h)[-1]
    routed = h["gre.flags.routing"] & h.whole
    routes = items(h, start, np.where(routed, h.wire, start), head=4, least=ROUTE.size, place=2, mask=0xFF)
    reading = Reading(ROUTE, h.buffer, routes.at, routes.at + routes.size)
    ends = np.flatnonzero((reading["gre.routing.src_length"] == 0) & (reading["gre.routing.address_family"] == 0) & (routes.size > 0))
    terminator = np.full(len(h), -1)
    terminator[routes.row[ends[::-1]]] = ends[::-1]
    payload = start.copy()
    payload[terminator >= 0] = routes.at[terminator[terminator >= 0]] + ROUTE.size
    return routes, terminator, payload


def contents(h: Headers):
    version, kind = h["gre.flags.version"], h["gre.proto"]
    h.fault(h.whole & (version > PPTP), "gre.flags.version", "is {had}, neither 0 nor 1", had=version, at=h.start + 1)
    start = _places(h)[-1]
    h.fault(
        h.whole & (start > h.wire) & ~h.quoted, "", "its flags promise {needed} bytes, there are {had}", start - h.start, h.wire - h.start
    )
    endless = np.zeros(len(h), bool)
    if h["gre.flags.routing"].any():
        _, last, start = _routes(h)
        endless = h["gre.flags.routing"] & (last < 0)
        h.fault(endless & h.whole & ~h.quoted & (h.wire <= h.end), "gre.routing", "the source routes have no end", at=_places(h)[-1])
    wccp = kind == WCCP
    if wccp.any():  # WCCP version 2 has four bytes before the IPv4 datagram
        start = start + 4 * (wccp & (Reading(NIBBLE, h.buffer, start, h.end)["version"] != 4))
        kind = np.where(wccp, IP, kind)
    yield Payload("gre.proto", kind, start, h.wire, np.flatnonzero((version <= PPTP) & ~endless))


def _options(h: Headers) -> dict[str, Column]:
    checksum, key, sequence, acknowledged, _ = _places(h)
    pptp, whole = h["gre.flags.version"] == PPTP, h.whole
    routed = h["gre.flags.routing"]
    columns = {}
    for layout, place, mask in (
        (CHECKSUM, checksum, h["gre.flags.checksum"] | routed),
        (OFFSET, checksum, h["gre.flags.checksum"] | routed),
        (KEY, key, h["gre.flags.key"] & ~pptp),
        (NETWORK, key, h["gre.flags.key"] & ~pptp & (h["gre.proto"] == BRIDGED)),
        (CALL, key, h["gre.flags.key"] & pptp),
        (SEQUENCE, sequence, h["gre.flags.sequence_number"]),
        (ACKNOWLEDGED, acknowledged, _acknowledges(h)),
    ):
        rows = np.flatnonzero(mask & whole)
        reading = Reading(layout, h.buffer, place[rows], h.end[rows], rows)
        columns.update({f.name: reading.column(f.name) for f in layout.fields if f.label})
    there = columns["gre.checksum"].rows
    assert there is not None
    status = checksums.status(h, h.wire[there], None, there)
    status[~h["gre.flags.checksum"][there]] = checksums.UNVERIFIED
    columns["gre.checksum.status"] = Column(status, there)
    rows = np.flatnonzero(h.trusted >= 2)
    low, version1 = h["gre.flags.low"][rows], pptp[rows]
    columns["gre.flags.reserved"] = Column(np.where(version1, low & (ACK - 1), low), rows)
    columns["gre.flags.ack"] = Column(low[version1] >= ACK, rows[version1])
    routes, last, _ = _routes(h)
    actual = np.flatnonzero((routes.size > 0) & ((last[routes.row] < 0) | (np.arange(len(routes.row)) <= last[routes.row])))
    at, row = routes.at[actual], routes.row[actual]
    reading = Reading(ROUTE, h.buffer, at, at + ROUTE.size, row)
    columns.update({f.name: reading.column(f.name) for f in ROUTE.fields})
    full = np.flatnonzero(routes.size[actual] > ROUTE.size)
    columns["gre.routing.information"] = Column(np.column_stack((at[full] + ROUTE.size, at[full] + routes.size[actual][full])), row[full])
    return columns


LAYOUTS = (CHECKSUM, OFFSET, KEY, NETWORK, CALL, SEQUENCE, ACKNOWLEDGED, ROUTE)

FIELDS = (
    *(f for layout in LAYOUTS for f in layout.fields if f.label),
    Field("gre.flags.ack", flag, "Acknowledgment is there", "version 1"),
    Field("gre.flags.reserved", bits(5), "Reserved"),
    checksums.status_field("gre.checksum.status"),
    Field("gre.routing.information", raw, "Addresses of a route", many=True),
)
PROTOCOL = Protocol(
    "GRE",
    header=HEADER,
    on={"ipproto": 47, "udp.port": 4754},
    network_id="gre.key",
    info="{gre.proto:words}[, key {gre.key}][, call {gre.key.call_id}][, sequence {gre.sequence_number}][, acknowledges {gre.ack_number}]",
    contents=contents,
    derived=((FIELDS, _options),),
)
