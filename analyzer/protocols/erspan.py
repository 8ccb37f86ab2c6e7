"""Encapsulated Remote SPAN: frames that a switch mirrors into GRE. https://datatracker.ietf.org/doc/html/draft-foschiano-erspan-03 §4.

Type I has no header at all: GRE without a sequence number. Type II has 8 bytes, type III 12, and 8 more where its last bit says so.
"""

import numpy as np

from ..fields import Column, Field, Headers, Layout, Payload, Protocol, Reading, bits, flag, u16, u32

TYPE = {1: "type II", 2: "type III"}
FRAME = {0: "Ethernet", 2: "IP"}
GRANULARITY = {0: "100 µs", 1: "100 ns", 2: "IEEE 1588", 3: "set by the switch"}
HEADER = Layout()
TYPE_II, TYPE_III = 1, 2
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
FRAME_ERROR = Layout(
    Field("before", u16, ""),
    Field("first", bits(3), ""),
    Field("erspan.bso", bits(2), "Bad, short or oversized"),
    Field("last", bits(11), ""),
)
INDEX = Layout(
    Field("before", u32, ""), Field("erspan.reserved", bits(12), "Reserved"), Field("erspan.index", bits(20), "Index", "of the port")
)
TIMESTAMPED = Layout(
    Field("before", u32, ""),
    Field("erspan.timestamp", u32, "Timestamp", "in units of the granularity"),
    Field("erspan.sgt", u16, "Security group"),
    Field("erspan.p", flag, "Ethernet frame"),
    Field("erspan.ft", bits(5), "Kind of frame", value_names=FRAME),
    Field("erspan.hw", bits(6), "Hardware", "of the mirroring engine"),
    Field("erspan.direction", flag, "Egress"),
    Field("erspan.gra", bits(2), "Granularity", value_names=GRANULARITY),
    Field("erspan.o", flag, "Platform subheader is there"),
)
PLATFORM = Layout(
    Field("erspan.platid", bits(6), "Platform", "says what its eight bytes mean"),
    Field("", bits(26), ""),
)
TYPE_III_PROTO = 0x22EB
ETHERNET = 0x6558


def _kind(h: Headers) -> tuple[np.ndarray, np.ndarray]:
    """For each header its version (0: type I, -1: unknown) and its size in bytes."""
    first = Reading(FIRST, h.buffer, h.start, h.end)["erspan.version"].astype(np.int64)
    assert h.parent is not None
    type_i = ~h.parent["gre.flags.sequence_number"][h.row] & (h.parent["gre.proto"][h.row] != TYPE_III_PROTO)
    kind = np.where(type_i, 0, np.where((first == TYPE_II) | (first == TYPE_III), first, -1))
    platform = Reading(TIMESTAMPED, h.buffer, h.start, h.end)["erspan.o"]
    return kind, np.select([kind == TYPE_II, kind == TYPE_III], [8, np.where(platform, 20, 12)], 0)


def contents(h: Headers):
    kind, size = _kind(h)
    h.fault((kind < 0) & (h.end > h.start), "", "a version that is not known")
    h.fault((h.start + size > h.wire) & ~h.quoted, "", "needs {needed} bytes, has {had}", size, h.wire - h.start)
    frame = Reading(TIMESTAMPED, h.buffer, h.start, h.end)["erspan.ft"]
    ethernet = (kind < TYPE_III) | (frame == 0)
    yield Payload("gre.proto", ETHERNET, h.start + size, h.wire, np.flatnonzero((kind >= 0) & ethernet))
    yield Payload("erspan.ft", frame, h.start + size, h.wire, np.flatnonzero((kind >= 0) & ~ethernet))


def _derived(h: Headers) -> dict[str, Column]:
    kind, size = _kind(h)
    columns = {}
    for layout, mask in (
        (FIRST, size > 0),
        (ENCAPSULATED, kind == TYPE_II),
        (FRAME_ERROR, kind == TYPE_III),
        (INDEX, kind == TYPE_II),
        (TIMESTAMPED, kind == TYPE_III),
    ):
        rows = np.flatnonzero(mask)
        reading = Reading(layout, h.buffer, h.start[rows], h.end[rows], rows)
        columns.update({f.name: reading.column(f.name) for f in layout.fields if f.label})
    rows = np.flatnonzero(size == 20)
    columns["erspan.platid"] = Reading(PLATFORM, h.buffer, h.start[rows] + 12, h.end[rows], rows).column("erspan.platid")
    return columns


LAYOUTS = (FIRST, ENCAPSULATED, FRAME_ERROR, INDEX, TIMESTAMPED, PLATFORM)


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
