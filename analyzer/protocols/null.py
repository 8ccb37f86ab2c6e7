"""BSD loopback: four bytes of address family, in the byte order of the machine that recorded. LINKTYPE_NULL and LINKTYPE_LOOP."""

import numpy as np

from ..fields import Column, Field, Headers, Layout, Payload, Protocol, u16, u32
from .common.registries import ETHERTYPE

FAMILY = {2: "IPv4", 10: "IPv6 (Linux)", 23: "OSI", 24: "IPv6 (NetBSD, OpenBSD)", 28: "IPv6 (FreeBSD)", 30: "IPv6 (Darwin)"}
VERSION = np.zeros(256, np.int64)
VERSION[[2, 10, 24, 28, 30]] = 4, 6, 6, 6, 6
ETHERNET = 1536  # from here on it is an Ethernet type
HEADER = Layout(Field("null.family_raw", u32, "Family as stored", hex=8))


def _family(h: Headers) -> np.ndarray:
    """The family, whichever byte order wrote it: no family needs more than sixteen bits."""
    value = h["null.family_raw"].astype(np.int64)
    return np.where(value > 0xFFFF, value.astype(np.uint32).byteswap(), value).astype(np.int64)


def contents(h: Headers):
    family = _family(h)
    start = h.start + HEADER.size
    yield Payload("ethertype", family, start, h.wire, np.flatnonzero(family >= ETHERNET))
    yield Payload(
        "ipversion", np.where(family < 256, VERSION[np.minimum(family, 255)], 0), start, h.wire, np.flatnonzero(family < ETHERNET)
    )


def _derived(h: Headers) -> dict[str, Column]:
    family = _family(h)
    there = h.trusted == HEADER.size
    small, large = np.flatnonzero(there & (family < ETHERNET)), np.flatnonzero(there & (family >= ETHERNET))
    return {"null.family": Column(family[small], small), "null.type": Column(family[large], large)}


FIELDS = (Field("null.family", u32, "Family", value_names=FAMILY), Field("null.type", u16, "Type", hex=4, value_names=ETHERTYPE))
PROTOCOL = Protocol(
    "BSD loopback",
    header=HEADER,
    on={"linktype": (0, 108)},
    info="family {null.family:words}",
    contents=contents,
    derived=((FIELDS, _derived),),
)
