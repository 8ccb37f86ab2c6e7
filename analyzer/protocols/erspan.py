"""Encapsulated Remote SPAN: frames that a switch mirrors into GRE. https://datatracker.ietf.org/doc/html/draft-foschiano-erspan-03 §4.

Type I has no header at all: GRE without a sequence number. Type II has 8 bytes, type III 12, and 8 more where its last bit says so.
"""

import numpy as np

from ..fields import Column, Field, Headers, Layout, Payload, Protocol, Reading, bits, flag, u16, u32

TYPE = {1: "type II", 2: "type III"}
FRAME = {0: "Ethernet", 2: "IP"}
GRANULARITY = {0: "100 µs", 1: "100 ns", 2: "IEEE 1588", 3: "set by the switch"}
HEADER = Layout()
SECOND, THIRD = 1, 2
FIRST = Layout(
    Field("erspan.version", bits(4), "Version", "one less than the type", value_names=TYPE),
    Field("erspan.vlan", bits(12), "VLAN", "of the frame where it was seen"),
    Field("erspan.cos", bits(3), "Class of service"),
    Field("bits", bits(2), ""),
    Field("erspan.truncated", flag, "Truncated", "the frame was cut to fit"),
    Field("erspan.spanid", bits(10), "Session", "tells the mirroring sessions apart"),
)
ENCAPSULATED = Layout(
    Field("before", u16, ""),
    Field("first", bits(3), ""),
    Field("erspan.encap", bits(2), "VLAN tag", "how it was carried"),
    Field("last", bits(11), ""),
)
BROKEN = Layout(
    Field("before", u16, ""),
    Field("first", bits(3), ""),
    Field("erspan.bso", bits(2), "Bad, short or oversized"),
    Field("last", bits(11), ""),
)
INDEX = Layout(
    Field("before", u32, ""), Field("erspan.reserved", bits(12), "Reserved"), Field("erspan.index", bits(20), "Index", "of the port")
)
REST = Layout(
    Field("before", u32, ""),
    Field("erspan.timestamp", u32, "Timestamp", "in units that granularity tells"),
    Field("erspan.sgt", u16, "Security group"),
    Field("erspan.p", flag, "Ethernet frame"),
    Field("erspan.ft", bits(5), "Kind of frame", value_names=FRAME),
    Field("erspan.hw", bits(6), "Hardware", "of the mirroring engine"),
    Field("erspan.direction", flag, "Egress"),
    Field("erspan.gra", bits(2), "Granularity", value_names=GRANULARITY),
    Field("erspan.o", flag, "Platform's part is there"),
)
PLATFORM = Layout(
    Field("erspan.platid", bits(6), "Platform", "says what its eight bytes mean"),
    Field("", bits(26), ""),
)
OTHER = 0x22EB
ETHERNET = 0x6558


def _kind(h: Headers) -> tuple[np.ndarray, np.ndarray]:
    """(0 for type I, else the version, -1 if it is none that is known; bytes of the header) of each."""
    first = Reading(FIRST, h.buffer, h.start, h.end)["erspan.version"].astype(np.int64)
    assert h.parent is not None
    bare = ~h.parent["gre.flags.sequence_number"][h.row] & (h.parent["gre.proto"][h.row] != OTHER)
    kind = np.where(bare, 0, np.where((first == SECOND) | (first == THIRD), first, -1))
    more = Reading(REST, h.buffer, h.start, h.end)["erspan.o"]
    return kind, np.select([kind == SECOND, kind == THIRD], [8, np.where(more, 20, 12)], 0)


def contents(h: Headers):
    kind, size = _kind(h)
    h.fault((kind < 0) & (h.end > h.start), "", "a version that is not known")
    h.fault((h.start + size > h.wire) & ~h.quoted, "", "needs {needed} bytes, has {had}", size, h.wire - h.start)
    frame = Reading(REST, h.buffer, h.start, h.end)["erspan.ft"]
    ethernet = (kind < THIRD) | (frame == 0)
    yield Payload("gre.proto", ETHERNET, h.start + size, h.wire, np.flatnonzero((kind >= 0) & ethernet))
    yield Payload("erspan.ft", frame, h.start + size, h.wire, np.flatnonzero((kind >= 0) & ~ethernet))


def _derived(h: Headers) -> dict[str, Column]:
    kind, size = _kind(h)
    found = {}
    for layout, mask in (
        (FIRST, size > 0),
        (ENCAPSULATED, kind == SECOND),
        (BROKEN, kind == THIRD),
        (INDEX, kind == SECOND),
        (REST, kind == THIRD),
    ):
        rows = np.flatnonzero(mask)
        reading = Reading(layout, h.buffer, h.start[rows], h.end[rows], rows)
        found.update({f.name: reading.column(f.name) for f in layout.fields if f.label})
    rows = np.flatnonzero(size == 20)
    found["erspan.platid"] = Reading(PLATFORM, h.buffer, h.start[rows] + 12, h.end[rows], rows).column("erspan.platid")
    return found


LAYOUTS = (FIRST, ENCAPSULATED, BROKEN, INDEX, REST, PLATFORM)


PROTOCOL = Protocol(
    "erspan",
    "ERSPAN",
    __doc__,
    header=HEADER,
    on={"gre.proto": (0x88BE, 0x22EB)},
    network_id="erspan.spanid",
    info="mirrored frame[, session {erspan.spanid}][, VLAN {erspan.vlan}][, {erspan.version:words}]",
    contents=contents,
    derived=((tuple(f for layout in LAYOUTS for f in layout.fields if f.label), _derived),),
)
