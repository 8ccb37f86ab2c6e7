"""Extensions of ICMP and ICMPv6 messages: objects after the quoted datagram. RFC 4884 §7 and §8.

Objects: label stacks (RFC 4950 §3), an interface's number, address, name and MTU (RFC 5837 §4), the interface that an extended
echo asks about (RFC 8335 §2.1). Wireshark uses the same field names for both protocols.
"""

from __future__ import annotations

import numpy as np

from ...fields import Column, Field, Headers, Layout, Reading, bits, flag, ipv4, ipv6, raw, text, u8, u16, u32
from . import checksums
from .tlv import Options, items, repeated

STACK, INTERFACE, IDENTIFICATION = 1, 2, 3
CLASS = {STACK: "MPLS label stack", INTERFACE: "interface information", IDENTIFICATION: "interface identification"}
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
INFO_FLAGS = Layout(  # the type of an interface information object: flags for its parts, in this order
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
IDENT_INDEX = Layout(Field("icmp.int_ident.index", u32, "Interface asked for", "by index", many=True))
IDENT_ADDRESS = Layout(
    Field("icmp.int_ident.afi", u16, "Address family asked for", value_names=FAMILY, many=True),
    Field("icmp.int_ident.addr_length", u8, "Length of the address asked for", "bytes", many=True),
    Field("before", u8, ""),
)
IPV4, IPV6 = Layout(Field("four", ipv4, "")), Layout(Field("sixteen", ipv6, ""))
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
    *(f for f in INFO_FLAGS.fields if f.label),
    *INDEX.fields,
    ADDRESS.fields[0],
    Field("icmp.int_info.ipv4", ipv4, "Interface's address", many=True),
    Field("icmp.int_info.ipv6", ipv6, "Interface's address", many=True),
    *NAME.fields,
    Field("icmp.int_info.name", text, "Interface's name", many=True),
    *MTU.fields,
    Field("icmp.int_ident.name", text, "Interface asked for", "by name", many=True),
    *IDENT_INDEX.fields,
    *(f for f in IDENT_ADDRESS.fields if f.label),
    Field("icmp.int_ident.ipv4", ipv4, "Interface asked for", "by address", many=True),
    Field("icmp.int_ident.ipv6", ipv6, "Interface asked for", "by address", many=True),
)


def objects(h: Headers, start: np.ndarray) -> Options:
    """The objects of each header. start: int64 (n,), where its extensions begin, `h.wire` if there are none."""
    return items(h, start + HEAD.size, h.wire, head=0, least=OBJECT.size)


def check(h: Headers, start: np.ndarray) -> None:
    """Report objects that do not fit into their message."""
    if (start < h.wire).any():
        bad = objects(h, start).bad
        sentence = "an object of the extensions does not fit into the message"
        h.fault((bad >= 0) & ~h.quoted & (h.wire <= h.end), "", sentence, at=bad)


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
    result = {"icmp.ext": Column(np.ones(len(rows), bool), rows), "icmp.ext.checksum.status": Column(status, rows[summed])}
    result.update({f.name: head.column(f.name) for f in HEAD.fields})

    row, at, size, _, _ = objects(h, start)
    end = at + size
    reading = Reading(OBJECT, h.buffer, at, h.end[row], row)
    result.update({f.name: reading.column(f.name) for f in OBJECT.fields})
    group, kind = reading["icmp.ext.class"], reading["icmp.ext.ctype"]

    def read(layout: Layout, place: np.ndarray, pick: np.ndarray) -> Reading:
        """A layout at `place` of these objects."""
        reading = Reading(layout, h.buffer, place, end[pick], row[pick])
        result.update({f.name: reading.column(f.name) for f in layout.fields if f.label})
        return reading

    stacks = np.flatnonzero((group == STACK) & (kind == 1) & (size > 0))
    count = (size[stacks] - OBJECT.size) // LABELS.size
    owner, nth = repeated(count)
    pick = stacks[owner]
    read(LABELS, at[pick] + OBJECT.size + LABELS.size * nth, pick)

    interfaces = np.flatnonzero((group == INTERFACE) & (size > 0))
    parts = read(INFO_FLAGS, at[interfaces] + 3, interfaces)
    place = at[interfaces] + OBJECT.size
    has = parts["icmp.int_info.ifindex"]
    read(INDEX, place[has], interfaces[has])
    place = place + 4 * has
    has = parts["icmp.int_info.ipaddr"]
    family = np.zeros(len(interfaces), np.int64)
    family[has] = read(ADDRESS, place[has], interfaces[has])["icmp.int_info.afi"]
    _addresses(h, result, "icmp.int_info", family, place + ADDRESS.size, end[interfaces], row[interfaces])
    place = place + np.where(has, ADDRESS.size + np.select([family == 1, family == 2], [4, 16], end[interfaces] - place), 0)
    has = parts["icmp.int_info.name_present"]
    length = np.zeros(len(interfaces), np.int64)
    length[has] = read(NAME, place[has], interfaces[has])["icmp.int_info.name_length"]
    result["icmp.int_info.name"] = _names(h, place + 1, place + length, end[interfaces], row[interfaces])
    place = place + length
    has = parts["icmp.int_info.mtu_present"]
    read(MTU, place[has], interfaces[has])

    def identified(ctype: int) -> np.ndarray:
        return np.flatnonzero((group == IDENTIFICATION) & (kind == ctype) & (size > 0))

    named, numbered, addressed = identified(1), identified(2), identified(3)
    result["icmp.int_ident.name"] = _names(h, at[named] + OBJECT.size, end[named], end[named], row[named])
    read(IDENT_INDEX, at[numbered] + OBJECT.size, numbered)
    place = at[addressed] + OBJECT.size
    family = read(IDENT_ADDRESS, place, addressed)["icmp.int_ident.afi"]
    _addresses(h, result, "icmp.int_ident", family, place + IDENT_ADDRESS.size, end[addressed], row[addressed])

    decoded = np.concatenate((stacks, interfaces, named, numbered, addressed))
    rest = np.setdiff1d(np.arange(len(at)), decoded)
    end = np.where(size > 0, end, np.minimum(h.wire, h.end)[row])
    rest = rest[at[rest] + OBJECT.size < end[rest]]
    result["icmp.ext.data"] = Column(np.column_stack((at[rest] + OBJECT.size, end[rest])), row[rest])
    return result


def _addresses(
    h: Headers, result: dict[str, Column], name: str, family: np.ndarray, place: np.ndarray, end: np.ndarray, row: np.ndarray
) -> None:
    for number, layout, suffix in ((1, IPV4, "ipv4"), (2, IPV6, "ipv6")):
        of = np.flatnonzero(family == number)
        result[f"{name}.{suffix}"] = Reading(layout, h.buffer, place[of], end[of], row[of]).column(layout.fields[0].name)


def _names(h: Headers, start: np.ndarray, stop: np.ndarray, end: np.ndarray, row: np.ndarray) -> Column:
    """Names in start:stop, padded with zero bytes; only those that end before `end`."""
    there = np.flatnonzero((stop > start) & (stop <= end))
    names = [h.buffer[a:b].tobytes().split(b"\0")[0].decode("utf-8", "replace") for a, b in zip(start[there], stop[there], strict=True)]
    return Column(np.array(names, object), row[there])
