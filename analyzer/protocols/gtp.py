"""GPRS Tunnelling Protocol, version 1: packets of mobile users between base stations and the core. 3GPP TS 29.281 §5.1, §5.2."""

import numpy as np

from ..fields import Column, Field, Headers, Layout, Payload, Protocol, Reading, bits, flag, u8, u16, u32

MESSAGE = {1: "echo request", 2: "echo response", 26: "error indication", 31: "supported extension headers", 253: "tunnel status",
           254: "end marker", 255: "user's packet"}  # fmt: skip
EXTENSION = {0x00: "none", 0x03: "long PDCP number", 0x20: "service class", 0x40: "UDP port", 0x81: "RAN container",
             0x82: "long PDCP number", 0x83: "Xw RAN container", 0x84: "NR RAN container", 0x85: "PDU session",
             0xC0: "PDCP number"}  # fmt: skip
HEADER = Layout(
    Field("gtp.flags", u8, "Flags", hex=2, parts=(
        Field("gtp.flags.version", bits(3), "Version", "always 1 here"),
        Field("gtp.flags.payload", bits(1), "Protocol type", value_names={0: "GTP'", 1: "GTP"}),
        Field("gtp.flags.reserved", bits(1), "Reserved"),
        Field("gtp.flags.e", flag, "Extension headers follow"),
        Field("gtp.flags.s", flag, "Sequence number is there"),
        Field("gtp.flags.pn", flag, "N-PDU number is there"),
    )),
    Field("gtp.message", u8, "Message", hex=2, value_names=MESSAGE),
    Field("gtp.length", u16, "Length", "bytes behind the first eight"),
    Field("gtp.teid", u32, "Tunnel", "endpoint identifier, chosen by the receiver", hex=8),
)  # fmt: skip
OPTIONAL = Layout(
    Field("gtp.seq_number", u16, "Sequence number", hex=4),
    Field("gtp.npdu_number", u8, "N-PDU number", hex=2),
    Field("next", u8, ""),
)
NEXT = Layout(Field("gtp.ext_hdr.next", u8, "Next extension header", hex=2, value_names=EXTENSION), many=True)
LENGTH = Layout(Field("gtp.ext_hdr.length", u8, "Length of an extension header", "in units of 4 bytes"), many=True)
SESSION, NUMBER, PORT = 0x85, 0xC0, 0x40
VALUES = {  # behind an extension header's length
    SESSION: Layout(
        Field("gtp.ext_hdr.pdu_ses_con.pdu_type", bits(4), "Direction", value_names={0: "downlink", 1: "uplink"}),
        Field("", bits(4), ""),
        Field("", bits(2), ""),
        Field("gtp.ext_hdr.pdu_ses_con.qos_flow_id", bits(6), "QoS flow", "3GPP TS 38.415 §5.5.2"),
        many=True,
    ),
    NUMBER: Layout(Field("gtp.ext_hdr.pdcp_sn", u16, "PDCP number"), many=True),
    PORT: Layout(Field("gtp.ext_hdr.udp_port", u16, "UDP port", "of what caused the error"), many=True),
}
NIBBLE = Layout(Field("version", bits(4), ""), Field("", bits(4), ""))
TPDU = 255
MAX_EXTENSIONS = 64  # of a packet


def probe_port(r: Reading) -> np.ndarray:
    """Version 1, and not GTP', the charging protocol."""
    return (r["gtp.flags.version"] == 1) & (r["gtp.flags.payload"] == 1)


def _optional(h: Headers) -> np.ndarray:
    """Whether the four optional bytes are present: any of the three flags adds them; bool (n,)."""
    return h["gtp.flags.e"] | h["gtp.flags.s"] | h["gtp.flags.pn"]


Extensions = tuple[np.ndarray, ...]  # extension headers at one depth: row of the header, type, offset, size; int64


def _extensions(h: Headers) -> tuple[list[Extensions], np.ndarray, np.ndarray]:
    """The extension headers, one list item for each depth; offset of the payload; offset of the extension header that does not
    fit or exceeds the limit, or -1; int64 (n,)."""
    start = h.start + HEADER.size
    stop = np.minimum(start + h["gtp.length"], h.end)
    at, bad = start + OPTIONAL.size * _optional(h), np.full(len(h), -1)
    kind = Reading(OPTIONAL, h.buffer, start, h.end)["next"].astype(np.int64)
    rows = np.flatnonzero(h["gtp.flags.e"] & h.whole & (kind > 0))
    levels: list[Extensions] = []
    while len(rows):
        place = at[rows]
        size = 4 * Reading(LENGTH, h.buffer, place, h.end[rows])["gtp.ext_hdr.length"].astype(np.int64)
        fits = (size > 0) & (place + size <= stop[rows])
        bad[rows[~fits]] = place[~fits]
        if len(levels) == MAX_EXTENSIONS:
            bad[rows] = place
            break
        rows, place, size = rows[fits], place[fits], size[fits]
        levels.append((rows, kind[rows].copy(), place, size))
        at[rows] = place + size
        kind[rows] = Reading(NEXT, h.buffer, at[rows] - 1, h.end[rows])["gtp.ext_hdr.next"]
        rows = rows[kind[rows] > 0]
    return levels, at, bad


def contents(h: Headers):
    end = h.start + HEADER.size + h["gtp.length"]
    beyond = h.whole & (end > h.wire) & ~h.quoted
    h.fault(beyond, "gtp.length", "says {needed} bytes, there are {had}", h["gtp.length"], h.wire - h.start - HEADER.size, h.start + 2)
    start, bad = h.start + HEADER.size + OPTIONAL.size * _optional(h), np.full(len(h), -1)
    if h["gtp.flags.e"].any():
        _, start, bad = _extensions(h)
        sentence = "an extension header does not fit, or is one too many"
        h.fault((bad >= 0) & ~h.quoted & (np.minimum(end, h.wire) <= h.end), "gtp.ext_hdr.length", sentence, at=bad)
    tpdu = h["gtp.message"] == TPDU
    version = Reading(NIBBLE, h.buffer, start, h.end)["version"]
    yield Payload("ipversion", version, start, end, np.flatnonzero(tpdu & (bad < 0)))
    yield Payload("gtp.message", h["gtp.message"], start, end, np.flatnonzero(~tpdu & (bad < 0)))


def _derived(h: Headers) -> dict[str, Column]:
    start = h.start + HEADER.size
    columns, places = {}, []
    for flagged, name in (("gtp.flags.s", "gtp.seq_number"), ("gtp.flags.pn", "gtp.npdu_number")):
        rows = np.flatnonzero(h[flagged] & h.whole)
        columns[name] = Reading(OPTIONAL, h.buffer, start[rows], h.end[rows], rows).column(name)
    levels, _, _ = _extensions(h)
    rows = np.flatnonzero(h["gtp.flags.e"] & h.whole)
    places.append((rows, start[rows] + OPTIONAL.size - 1))
    places += [(row, place + size - 1) for row, _, place, size in levels]
    row, place = (np.concatenate(column) for column in zip(*places, strict=True))
    order = np.lexsort((place, row))
    columns["gtp.ext_hdr.next"] = Reading(NEXT, h.buffer, place[order], h.end[row[order]], row[order]).column("gtp.ext_hdr.next")
    none = [(np.empty(0, np.int64),) * 4]
    row, kind, place, size = (np.concatenate(column) for column in zip(*(levels or none), strict=True))
    order = np.lexsort((place, row))
    row, kind, place, size = row[order], kind[order], place[order], size[order]
    columns["gtp.ext_hdr.length"] = Reading(LENGTH, h.buffer, place, place + size, row).column("gtp.ext_hdr.length")
    for number, layout in VALUES.items():
        pick = np.flatnonzero(kind == number)
        reading = Reading(layout, h.buffer, place[pick] + 1, place[pick] + size[pick], row[pick])
        columns.update({f.name: reading.column(f.name) for f in layout.fields if f.label})
    return columns


LAYOUTS = (OPTIONAL, NEXT, LENGTH, *VALUES.values())


PROTOCOL = Protocol(
    "gtp",
    "GTP",
    __doc__,
    header=HEADER,
    on={"udp.port": (2152, 2123)},
    network_id="gtp.teid",
    info="{gtp.message:words}, tunnel {gtp.teid}[, sequence {gtp.seq_number}][, flow {gtp.ext_hdr.pdu_ses_con.qos_flow_id}]",
    contents=contents,
    probe_port=probe_port,
    derived=((tuple(f for layout in LAYOUTS for f in layout.fields if f.label), _derived),),
)
