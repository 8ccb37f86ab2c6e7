"""Cisco Inter-Switch Link: a header of 26 bytes before a whole frame, recognized by its destination, which no Ethernet frame has.

Cisco document 17056, "Inter-Switch Link and IEEE 802.1Q Frame Format".
"""

import numpy as np

from ..fields import Column, Field, Headers, Layout, Payload, Protocol, Reading, bits, flag, mac, raw, u8, u16, u24

TYPE = {0: "Ethernet", 1: "Token Ring", 2: "FDDI", 3: "ATM"}
PRIORITY = {0: "normal", 1: "priority 1", 2: "priority 2", 3: "highest"}
HEADER = Layout(
    Field("isl.dst", mac, "Destination", "its last byte is type and user bits"),
    Field("isl.src", mac, "Source"),
    Field("isl.len", u16, "Length", "bytes from here on, without ISL's own check sequence"),
    Field("isl.dsap", u8, "DSAP", hex=2),
    Field("isl.ssap", u8, "SSAP", hex=2),
    Field("isl.control", u8, "Control", hex=2),
    Field("isl.hsa", u24, "Organization of the source", hex=6),
    Field("isl.vlan_id", bits(15), "VLAN"),
    Field("isl.bpdu", flag, "BPDU, CDP or VTP", "the frame inside is one of these"),
    Field("isl.index", u16, "Index", "port of the switch, for diagnosis"),
    Field("isl.reserved", u16, "Reserved", "of Token Ring and FDDI frames", hex=4),
)
LAST = Layout(Field("isl.type", bits(4), "Type", value_names=TYPE), Field("user", bits(4), ""))
LENGTH_FROM = 14  # bytes before the first that the length counts
ETHERNET = 0


def _end(h: Headers) -> np.ndarray:
    return h.start + LENGTH_FROM + h["isl.len"].astype(np.int64)


def _last(h: Headers) -> Reading:
    """The last byte of the destination."""
    return Reading(LAST, h.buffer, h.start + 5, h.end)


def contents(h: Headers):
    end, there = _end(h), h.wire - h.start - LENGTH_FROM
    h.fault(h.whole & (end > h.wire) & ~h.quoted, "isl.len", "says {needed} bytes, there are {had}", h["isl.len"], there, h.start + 12)
    kind = _last(h)["isl.type"]
    ethernet = kind == ETHERNET
    yield Payload("linktype", 1, h.start + HEADER.size, end, np.flatnonzero(ethernet))
    yield Payload("isl.type", kind, h.start + HEADER.size, end, np.flatnonzero(~ethernet))


def _derived(h: Headers) -> dict[str, Column]:
    last = _last(h)
    kind, user = last["isl.type"], last["user"]
    ethernet, others = np.flatnonzero(h.whole & (kind == ETHERNET)), np.flatnonzero(h.whole & (kind != ETHERNET))
    end = _end(h)
    trailed = np.flatnonzero(h.whole & (end < h.end))
    return {
        "isl.type": last.column("isl.type"),
        "isl.user_eth": Column(user[ethernet] & 3, ethernet),
        "isl.user": Column(user[others], others),
        "isl.trailer": Column(np.column_stack((end, h.end))[trailed], trailed),
    }


FIELDS = (
    LAST.fields[0],
    Field("isl.user_eth", u8, "Priority", value_names=PRIORITY),
    Field("isl.user", u8, "User bits", hex=2),
    Field("isl.trailer", raw, "Trailer", "ISL's own check sequence"),
)
PROTOCOL = Protocol(
    "ISL",
    header=HEADER,
    on={"link": 1},
    addresses=("isl.src", "isl.dst"),
    aliases={"isl.addr": ("isl.dst", "isl.src")},
    display_name="eth",
    network_id="isl.vlan_id",
    info="VLAN {isl.vlan_id}",
    contents=contents,
    derived=((FIELDS, _derived),),
)
