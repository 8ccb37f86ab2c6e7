"""Generic Network Virtualization Encapsulation. RFC 8926 §3.4 (header) and §3.5 (options)."""

import numpy as np

from ..fields import Column, Field, Headers, Layout, Payload, Protocol, Reading, bits, flag, raw, u8, u16, u24
from .common.registries import ETHERTYPE
from .common.tlv import Options, items

HEADER = Layout(
    Field("geneve.version", bits(2), "Version", "always 0"),
    Field("geneve.options_length", bits(6), "Length of the options", "bytes", scale=4),
    Field("geneve.flags", u8, "Flags", hex=2, parts=(
        Field("geneve.flags.oam", flag, "Control", "for the tunnel's end, not for what is behind it"),
        Field("geneve.flags.critical", flag, "Critical options", "who does not know one drops the packet"),
        Field("geneve.flags.reserved", bits(6), "Reserved"),
    )),
    Field("geneve.proto_type", u16, "Protocol", "an Ethernet type", hex=4, value_names=ETHERTYPE),
    Field("geneve.vni", u24, "Network", "tells the virtual networks apart", hex=6),
    Field("geneve.reserved", u8, "Reserved", hex=2),
)  # fmt: skip
CLASS = {0x0100: "Linux", 0x0101: "Open vSwitch", 0x0102: "Open Virtual Networking", 0x0103: "in-band telemetry", 0x0104: "VMware",
         0x0108: "Amazon", 0x0109: "Cisco", 0x0129: "Cilium", 0x0132: "Google"}  # fmt: skip
OPTION = Layout(
    Field("geneve.option.class", u16, "Option class", "who defines the type", hex=4, value_names=CLASS),
    Field("geneve.option.type", u8, "Option type", hex=2, parts=(Field("geneve.option.type.critical", flag, "Critical option"),)),
    Field("geneve.option.flags.reserved", bits(3), "Reserved"),
    Field("length", bits(5), "", scale=4, offset=4),
    many=True,
)  # fmt: skip


def probe_port(r: Reading) -> np.ndarray:
    """Version 0 is the only one there is."""
    return r["geneve.version"] == 0


def _end(h: Headers) -> np.ndarray:
    return h.start + HEADER.size + h["geneve.options_length"]


def _options(h: Headers) -> Options:
    start, end = h.start + HEADER.size, _end(h)
    return items(h, start, np.where(h.whole & (end <= h.wire), end, start), head=4, least=4, place=2, mask=0x1F, unit=4)


def contents(h: Headers):
    end = _end(h)
    beyond = h.whole & (end > h.wire) & ~h.quoted
    start = h.start + HEADER.size
    h.fault(beyond, "geneve.options_length", "says {needed} bytes, there are {had}", end - start, h.wire - start, h.start)
    if (end > start).any():
        bad = _options(h).bad
        h.fault((bad >= 0) & ~beyond & ~h.quoted & (end <= h.end), "geneve.option.length", "an option does not fit", at=bad)
    yield Payload("ethertype", h["geneve.proto_type"], end, h.wire, np.flatnonzero(~beyond), hide_layer=True)


def _derived(h: Headers) -> dict[str, Column]:
    options = _options(h)
    fits = np.flatnonzero(options.size > 0)
    row, at, size = options.row[fits], options.at[fits], options.size[fits]
    reading = Reading(OPTION, h.buffer, at, at + size, row)
    columns = {f.name: reading.column(f.name) for f in OPTION.all() if f.label}
    total, own = h.column("geneve.options_length")
    rows = np.concatenate((np.arange(len(h)) if own is None else own, row))
    order = np.argsort(rows, kind="stable")
    columns["geneve.option.length"] = Column(np.concatenate((total, size))[order], rows[order])
    full = np.flatnonzero(size > OPTION.size)
    columns["geneve.option.unknown.data"] = Column(np.column_stack((at[full] + OPTION.size, at[full] + size[full])), row[full])
    return columns


FIELDS = (
    *(f for f in OPTION.all() if f.label),
    Field("geneve.option.length", u8, "Lengths of the options", "bytes: of all, then of each with its four of header", many=True),
    Field("geneve.option.unknown.data", raw, "Option data", many=True),
)
PROTOCOL = Protocol(
    "GENEVE",
    header=HEADER,
    on={"udp.port": 6081},
    network_id="geneve.vni",
    info="network {geneve.vni}, {geneve.proto_type:words}",
    contents=contents,
    probe_port=probe_port,
    derived=((FIELDS, _derived),),
)
