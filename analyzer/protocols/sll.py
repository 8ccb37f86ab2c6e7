"""Linux cooked capture, of the interface "any". https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html"""

import numpy as np

from ..fields import Column, Field, Headers, Layout, Payload, Protocol, mac, u16
from .common.registries import ETHERTYPE

DIRECTION = {0: "to us", 1: "broadcast", 2: "multicast", 3: "to someone else", 4: "sent by us"}
HEADER = Layout(
    Field("sll.pkttype", u16, "Packet type", value_names=DIRECTION),
    Field("sll.hatype", u16, "Hardware type", "ARPHRD_ number: 1 Ethernet, 772 loopback, 778 GRE, 65534 none"),
    Field("sll.halen", u16, "Address length", "bytes"),
    Field("sll.src_six", mac, "First six bytes of the address"),
    Field("sll.unused", u16, "Unused", hex=4),
    Field("sll.etype_or_kind", u16, "Protocol", "an Ethernet type, or a small number of its own meaning", hex=4),
)
KIND = {1: "802.3 without LLC", 4: "802.2 LLC", 0x000C: "CAN", 0x000D: "CAN FD"}
NETLINK, GRE = 824, 778  # hardware types whose protocol field is not an Ethernet type
INFO = "{sll.pkttype:words}[, type {sll.etype}][, kind {sll.ltype}]"


def kinds(h: Headers, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(protocol field, headers in which it is an Ethernet type, headers in which it is a small number)."""
    value, hardware = h[name].astype(np.int64), h["sll.hatype"]
    there = h.whole & (hardware != NETLINK) & (hardware != GRE)
    return value, np.flatnonzero(there & (value >= 1536)), np.flatnonzero(there & (value < 1536))


def contents(h: Headers):
    return carried(h, "sll.etype_or_kind")


def carried(h: Headers, name: str):
    value, typed, small = kinds(h, name)
    start = h.start + h.layout.size
    yield Payload("ethertype", value, start, h.wire, typed)
    yield Payload("802.3", np.where(value == 4, 0, value), start, h.wire, small)
    tunnel = np.flatnonzero(h.whole & (h["sll.hatype"] == GRE))
    yield Payload("ethertype", value, start, h.wire, tunnel, hide_layer=True)
    rest = np.setdiff1d(np.flatnonzero(h.whole), np.concatenate((typed, small, tunnel)))
    yield Payload("sll.hatype", h["sll.hatype"], start, h.wire, rest)


def _derived(h: Headers) -> dict[str, Column]:
    return type_columns(h, "sll.etype_or_kind")


def type_columns(h: Headers, name: str) -> dict[str, Column]:
    value, typed, small = kinds(h, name)
    six = np.flatnonzero((h["sll.halen"] == 6) & h.whole)
    return {
        "sll.etype": Column(value[typed], typed),
        "sll.ltype": Column(value[small], small),
        "sll.src.eth": Column(h["sll.src_six"][six], six),
    }


KIND_FIELDS = (
    Field("sll.etype", u16, "Type", hex=4, value_names=ETHERTYPE),
    Field("sll.ltype", u16, "Kind", hex=4, value_names=KIND),
    Field("sll.src.eth", mac, "Source", "if the address has six bytes"),
)

PROTOCOL = Protocol("Linux cooked", header=HEADER, on={"linktype": 113}, info=INFO, contents=contents, derived=((KIND_FIELDS, _derived),))
