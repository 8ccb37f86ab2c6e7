"""What ICMP and ICMPv6 messages have behind the datagram that they quote: a structure of objects. RFC 4884 §7 and §8.

Objects: label stacks (RFC 4950 §3), an interface's number, address, name and MTU (RFC 5837 §4), which interface an extended
echo asks for (RFC 8335 §2.1). Wireshark names the fields alike in both protocols.
"""

from __future__ import annotations

import numpy as np

from ...fields import Column, Field, Headers, Layout, Reading, bits, flag, ipv4, ipv6, raw, text, u8, u16, u32
from . import checksums
from .tlv import Options, items

STACK, INTERFACE, IDENTIFIED = 1, 2, 3
CLASS = {STACK: "MPLS label stack", INTERFACE: "interface information", IDENTIFIED: "interface identification"}
ROLE = {0: "came in by it", 1: "a part of what it came in by", 2: "would have gone out by it", 3: "next hop"}
FAMILY = {1: "IPv4", 2: "IPv6"}
HEAD = Layout(
    Field("icmp.ext.version", bits(4), "Extension version", "2"),
    Field("icmp.ext.res", bits(12), "Reserved", hex=4),
    Field("icmp.ext.checksum", u16, "Extension checksum", "over the structure; 0: none", hex=4),
)
OBJECT = Layout(
    Field("icmp.ext.length", u16, "Object length", "bytes, these four included", many=True),
    Field("icmp.ext.class", u8, "Object class", value_names=CLASS, many=True),
    Field("icmp.ext.ctype", u8, "Object type", "its meaning is the class's", many=True),
)
LABELS = Layout(
    Field("icmp.mpls.label", bits(20), "Label", "of the datagram as it came in", many=True),
    Field("icmp.mpls.exp", bits(3), "Traffic class", many=True),
    Field("icmp.mpls.s", flag, "Bottom of stack", many=True),
    Field("icmp.mpls.ttl", u8, "Label's time to live", many=True),
)
PARTS = Layout(  # the type of an interface information object, bit by bit: what it holds, in this order
    Field("icmp.int_info.role", bits(2), "Interface role", value_names=ROLE, many=True),
    Field("", bits(2), ""),
    Field("icmp.int_info.ifindex", flag, "Has an index", many=True),
    Field("icmp.int_info.ipaddr", flag, "Has an address", many=True),
    Field("icmp.int_info.name_present", flag, "Has a name", many=True),
    Field("icmp.int_info.mtu_present", flag, "Has an MTU", many=True),
)
INDEX = Layout(Field("icmp.int_info.index", u32, "Interface index", "as SNMP has it", many=True))
ADDRESS = Layout(Field("icmp.int_info.afi", u16, "Interface's address family", value_names=FAMILY, many=True), Field("before", u16, ""))
NAME = Layout(Field("icmp.int_info.name_length", u8, "Length of the interface's name", "bytes, this one included", many=True))
MTU = Layout(Field("icmp.int_info.mtu", u32, "Interface's MTU", "bytes", many=True))
ASKED = Layout(Field("icmp.int_ident.index", u32, "Interface asked for", "by index", many=True))
ASKED_ADDRESS = Layout(
    Field("icmp.int_ident.afi", u16, "Address family asked for", value_names=FAMILY, many=True),
    Field("icmp.int_ident.addr_length", u8, "Length of the address asked for", "bytes", many=True),
    Field("before", u8, ""),
)
FOUR, SIXTEEN = Layout(Field("four", ipv4, "")), Layout(Field("sixteen", ipv6, ""))
FIELDS = (
    Field("icmp.ext", flag, "Extensions"),
    *HEAD.fields,
    checksums.status_field("icmp.ext.checksum.status"),
    *OBJECT.fields,
    Field(
        "icmp.ext.data",
        raw,
        "Object data",
        "of a class or type that is not decoded; of an object that does not fit: what there is",
        many=True,
    ),
    *LABELS.fields,
    *(f for f in PARTS.fields if f.label),
    *INDEX.fields,
    ADDRESS.fields[0],
    Field("icmp.int_info.ipv4", ipv4, "Interface's address", many=True),
    Field("icmp.int_info.ipv6", ipv6, "Interface's address", many=True),
    *NAME.fields,
    Field("icmp.int_info.name", text, "Interface's name", many=True),
    *MTU.fields,
    Field("icmp.int_ident.name", text, "Interface asked for", "by name", many=True),
    *ASKED.fields,
    *(f for f in ASKED_ADDRESS.fields if f.label),
    Field("icmp.int_ident.ipv4", ipv4, "Interface asked for", "by address", many=True),
    Field("icmp.int_ident.ipv6", ipv6, "Interface asked for", "by address", many=True),
)


def objects(h: Headers, start: np.ndarray) -> Options:
    """The objects of each header's structure, which begins at `start` (int64; the header's `wire` where there is none)."""
    return items(h, start + HEAD.size, h.wire, head=0, least=OBJECT.size)


def check(h: Headers, start: np.ndarray) -> None:
    """Report objects that do not fit into their message."""
    if (start < h.wire).any():
        bad = objects(h, start).bad
        says = "an object of the extensions does not fit into the message"
        h.fault((bad >= 0) & ~h.quoted & (h.wire <= h.end), "", says, at=bad)


def columns(h: Headers, start: np.ndarray) -> dict[str, Column]:
    """Every field of FIELDS. start: as of `objects`."""
    rows = np.flatnonzero(h.whole & (start < h.wire))
    head = Reading(HEAD, h.buffer, start[rows], h.end[rows], rows)
    summed = np.flatnonzero(head.trusted == HEAD.size)
    status = np.full(len(summed), checksums.UNVERIFIED, np.uint8)
    there = np.flatnonzero((h.wire <= h.end)[rows[summed]] & ~h.quoted[rows[summed]])
    own = rows[summed[there]]
    right = checksums.sums(h, start[own], h.wire[own]) == 0xFFFF
    status[there] = np.select([head["icmp.ext.checksum"][summed[there]] == 0, right], [checksums.ABSENT, checksums.GOOD], checksums.BAD)
    made = {"icmp.ext": Column(np.ones(len(rows), bool), rows), "icmp.ext.checksum.status": Column(status, rows[summed])}
    made.update({f.name: head.column(f.name) for f in HEAD.fields})

    row, at, size, _, _ = objects(h, start)
    end = at + size
    reading = Reading(OBJECT, h.buffer, at, h.end[row], row)
    made.update({f.name: reading.column(f.name) for f in OBJECT.fields})
    group, kind = reading["icmp.ext.class"], reading["icmp.ext.ctype"]

    def read(layout: Layout, place: np.ndarray, pick: np.ndarray) -> Reading:
        """A layout at `place` of these objects."""
        found = Reading(layout, h.buffer, place, end[pick], row[pick])
        made.update({f.name: found.column(f.name) for f in layout.fields if f.label})
        return found

    stacks = np.flatnonzero((group == STACK) & (kind == 1) & (size > 0))
    count = (size[stacks] - OBJECT.size) // LABELS.size
    pick = np.repeat(stacks, count)
    read(LABELS, at[pick] + OBJECT.size + LABELS.size * (np.arange(len(pick)) - np.repeat(np.cumsum(count) - count, count)), pick)

    told = np.flatnonzero((group == INTERFACE) & (size > 0))
    parts = read(PARTS, at[told] + 3, told)
    place = at[told] + OBJECT.size
    has = parts["icmp.int_info.ifindex"]
    read(INDEX, place[has], told[has])
    place = place + 4 * has
    has = parts["icmp.int_info.ipaddr"]
    family = np.zeros(len(told), np.int64)
    family[has] = read(ADDRESS, place[has], told[has])["icmp.int_info.afi"]
    _addresses(h, made, "icmp.int_info", family, place + ADDRESS.size, end[told], row[told])
    place = place + np.where(has, ADDRESS.size + np.select([family == 1, family == 2], [4, 16], end[told] - place), 0)
    has = parts["icmp.int_info.name_present"]
    length = np.zeros(len(told), np.int64)
    length[has] = read(NAME, place[has], told[has])["icmp.int_info.name_length"]
    made["icmp.int_info.name"] = _names(h, place + 1, place + length, end[told], row[told])
    place = place + length
    has = parts["icmp.int_info.mtu_present"]
    read(MTU, place[has], told[has])

    def asked(one: int) -> np.ndarray:
        return np.flatnonzero((group == IDENTIFIED) & (kind == one) & (size > 0))

    named, numbered, addressed = asked(1), asked(2), asked(3)
    made["icmp.int_ident.name"] = _names(h, at[named] + OBJECT.size, end[named], end[named], row[named])
    read(ASKED, at[numbered] + OBJECT.size, numbered)
    place = at[addressed] + OBJECT.size
    family = read(ASKED_ADDRESS, place, addressed)["icmp.int_ident.afi"]
    _addresses(h, made, "icmp.int_ident", family, place + ASKED_ADDRESS.size, end[addressed], row[addressed])

    decoded = np.concatenate((stacks, told, named, numbered, addressed))
    rest = np.setdiff1d(np.arange(len(at)), decoded)
    end = np.where(size > 0, end, np.minimum(h.wire, h.end)[row])
    rest = rest[at[rest] + OBJECT.size < end[rest]]
    made["icmp.ext.data"] = Column(np.column_stack((at[rest] + OBJECT.size, end[rest])), row[rest])
    return made


def _addresses(
    h: Headers, made: dict[str, Column], name: str, family: np.ndarray, place: np.ndarray, end: np.ndarray, row: np.ndarray
) -> None:
    for number, layout, suffix in ((1, FOUR, "ipv4"), (2, SIXTEEN, "ipv6")):
        of = np.flatnonzero(family == number)
        made[f"{name}.{suffix}"] = Reading(layout, h.buffer, place[of], end[of], row[of]).column(layout.fields[0].name)


def _names(h: Headers, start: np.ndarray, stop: np.ndarray, end: np.ndarray, row: np.ndarray) -> Column:
    """Names in start:stop that lie whole before `end`; they are filled up with zero bytes."""
    there = np.flatnonzero((stop > start) & (stop <= end))
    said = [h.buffer[a:b].tobytes().split(b"\0")[0].decode("utf-8", "replace") for a, b in zip(start[there], stop[there], strict=True)]
    return Column(np.array(said, object), row[there])
