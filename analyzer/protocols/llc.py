"""Logical link control, and the SNAP header behind it. IEEE 802.2 §3.2 and §5.4; RFC 1042."""

import numpy as np

from ..fields import Column, Field, Headers, Layout, Payload, Protocol, Reading, u8, u16, u24
from .common.registries import ETHERTYPE

SAP = {
    0x00: "null",
    0x02: "management",
    0x06: "IP",
    0x42: "spanning tree",
    0xAA: "SNAP",
    0xE0: "IPX",
    0xF0: "NetBIOS",
    0xFE: "OSI",
    0xFF: "global",
}
OUI = {0: "encapsulated Ethernet", 0x00000C: "Cisco", 0x0000F8: "Cisco 90-compatible", 0x0080C2: "IEEE 802.1", 0x080007: "Apple"}
CISCO = {0x010B: "PVST+", 0x0111: "UDLD", 0x2000: "CDP", 0x2003: "VTP", 0x2004: "DTP"}
HEADER = Layout(
    Field("llc.dsap", u8, "Destination", "service access point", hex=2, value_names=SAP),
    Field("llc.ssap", u8, "Source", "service access point; the last bit: a response", hex=2, value_names=SAP),
    Field("llc.control_first", u8, "First byte of the control field", hex=2),
)
SECOND = Layout(Field("second", u8, ""))
SNAP = Layout(
    Field("llc.oui", u24, "Organization", value_names=OUI),
    Field("llc.type", u16, "Type", "an Ethernet type if the organization is 0", hex=4, value_names=ETHERTYPE),
)
PID = Layout(Field("", u24, ""), Field("llc.cisco_pid", u16, "Cisco's protocol", hex=4, value_names=CISCO))
UNNUMBERED = 3
ETHERNET = (0, 0x0000F8)  # organizations whose types are Ethernet's
CISCO_OUI = 0x00000C


def _size(h: Headers) -> np.ndarray:
    """Bytes of the header without SNAP: the control field is one byte in unnumbered frames, else two."""
    return np.where(h["llc.control_first"] & 3 == UNNUMBERED, 3, 4)


def _has_snap(h: Headers) -> np.ndarray:
    return (h["llc.dsap"] == 0xAA) & (h["llc.ssap"] == 0xAA) & (h["llc.control_first"] == UNNUMBERED) & h.whole


def contents(h: Headers):
    has_snap = _has_snap(h)
    rows = np.flatnonzero(has_snap)
    snap = Reading(SNAP, h.buffer, h.start[rows] + 3, h.end[rows])
    ethernet = rows[(snap.trusted == SNAP.size) & np.isin(snap["llc.oui"], ETHERNET)]
    kind = np.zeros(len(h), np.int64)
    kind[rows] = snap["llc.type"]
    yield Payload("ethertype", kind, h.start + 3 + SNAP.size, h.wire, ethernet, hide_layer=True)
    cisco = rows[(snap.trusted == SNAP.size) & (snap["llc.oui"] == CISCO_OUI)]
    yield Payload("llc.cisco_pid", kind, h.start + 3 + SNAP.size, h.wire, cisco)
    rest = np.setdiff1d(rows, np.concatenate((ethernet, cisco)))
    yield Payload("llc.oui", 0, h.start + 3 + SNAP.size, h.wire, rest)
    yield Payload("llc.dsap", h["llc.dsap"], h.start + _size(h), h.wire, np.flatnonzero(~has_snap))


def _derived(h: Headers) -> dict[str, Column]:
    rows = np.flatnonzero(_has_snap(h))
    snap = Reading(SNAP, h.buffer, h.start[rows] + 3, h.end[rows], rows)
    there = np.flatnonzero(h.whole & (h.start + _size(h) <= h.end))
    second = Reading(SECOND, h.buffer, h.start[there] + 3, h.start[there] + 4)["second"].astype(np.uint16)
    control = h["llc.control_first"][there].astype(np.uint16)
    control = np.where(_size(h)[there] == 4, control | second << 8, control)
    with_type = np.flatnonzero(np.isin(snap["llc.oui"], ETHERNET) & (snap.trusted == SNAP.size))
    types = Column(snap["llc.type"][with_type], rows[with_type])
    cisco = rows[snap["llc.oui"] == CISCO_OUI]
    own = Reading(PID, h.buffer, h.start[cisco] + 3, h.end[cisco], cisco).column("llc.cisco_pid")
    return {"llc.control": Column(control, there), "llc.oui": snap.column("llc.oui"), "llc.type": types, "llc.cisco_pid": own}


PROTOCOL = Protocol(
    "LLC",
    header=HEADER,
    on={"802.3": 0, "ethertype": 0x8870, "linktype": 100},  # 0x8870: LLC in frames beyond 1500 bytes
    info="{llc.dsap:words}",
    contents=contents,
    derived=(((Field("llc.control", u16, "Control", "kind of frame; low byte first", hex=4), *SNAP.fields, PID.fields[1]), _derived),),
)
