"""RIP for IPv6: routers announce distances of networks. RFC 2080 §2."""

import numpy as np

from ..fields import Column, Field, Headers, Layout, Protocol, ipv6, u8, u16
from .common.parts import Parts
from .common.tlv import repeated
from .rip import COMMAND

HEADER = Layout(Field("ripng.cmd", u8, "Command", value_names=COMMAND), Field("ripng.version", u8, "Version"))
ENTRIES = HEADER.size + 2  # offset of the entries, after an unused word
ENTRY = Layout(
    Field("ripng.rte.ipv6_prefix", ipv6, "Network", "if the metric is 255: next hop of the following entries", many=True),
    Field("ripng.rte.route_tag", u16, "Route tag", "marks routes from outside RIP", hex=4, many=True),
    Field("ripng.rte.prefix_length", u8, "Prefix length", "bits", many=True),
    Field("ripng.rte.metric", u8, "Metric", "hops; 16: unreachable", many=True),
)


def check(h: Headers) -> None:
    over = (h.wire - h.start - ENTRIES) % ENTRY.size
    odd = h.whole & (over > 0) & (h.wire > h.start + ENTRIES) & ~h.quoted & (h.wire <= h.end)
    h.fault(odd, "", "entries have {needed} bytes each, the last has {had}", ENTRY.size, over, h.wire - over)


def _derived(h: Headers) -> dict[str, Column]:
    parts = Parts(h, ENTRY.fields)
    start = h.start + ENTRIES
    row, nth = repeated(np.where(h.whole, np.maximum(h.end - start, 0) // ENTRY.size, 0))
    parts.read(ENTRY, row, start[row] + ENTRY.size * nth)
    return dict(parts.columns())


PROTOCOL = Protocol(
    "RIPng",
    header=HEADER,
    on={"udp.port": 521},
    info="{ripng.cmd:words}, version {ripng.version}[, {ripng.rte.ipv6_prefix}][, metric {ripng.rte.metric}]",
    check=check,
    derived=((ENTRY.fields, _derived),),
)
