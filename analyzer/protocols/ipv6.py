"""Internet Protocol version 6. RFC 8200 §3, https://www.rfc-editor.org/rfc/rfc8200#section-3"""

import numpy as np

from ..fields import Field, Headers, Layout, Payload, Protocol, bits, ipv6, u8, u16
from .common.registries import DSCP, ECN, IPPROTO

HEADER = Layout(
    Field("ipv6.version", bits(4), "Version", "always 6"),
    Field("ipv6.tclass", bits(8), "Traffic class", hex=8, parts=(
        Field("ipv6.tclass.dscp", bits(6), "Codepoint", "RFC 2474", value_names=DSCP),
        Field("ipv6.tclass.ecn", bits(2), "Congestion notification", "RFC 3168", value_names=ECN),
    )),
    Field("ipv6.flow", bits(20), "Flow label", "RFC 6437", hex=6),
    Field("ipv6.plen", u16, "Payload length", "bytes behind this header, extension headers included; 0: a jumbogram or offloaded"),
    Field("ipv6.nxt", u8, "Next header", value_names=IPPROTO),
    Field("ipv6.hlim", u8, "Hop limit", "each router takes one away"),
    Field("ipv6.src", ipv6, "Source"),
    Field("ipv6.dst", ipv6, "Destination"),
)  # fmt: skip
ADDRESSES = ("ipv6.src", "ipv6.dst")
MAX_LENGTH = 0xFFFF  # of the length field, bytes


def contents(h: Headers):
    version = h["ipv6.version"]
    h.fault((version != 6) & (h.trusted > 0), "ipv6.version", "is {had}, not 6", had=version)
    length = h["ipv6.plen"].astype(np.int64)
    start = h.start + HEADER.size
    # RFC 2675 §2: 0 means a jumbogram. Kernels hand segments beyond 64 KiB to their network cards like that, without the option.
    large = (length == 0) & ((h.wire - start > MAX_LENGTH) | np.isin(h["ipv6.nxt"], (0, 6)))
    end = np.where(large, h.wire, start + length)
    beyond = h.whole & (end > h.wire) & ~h.quoted
    h.fault(beyond, "ipv6.plen", "says {needed} bytes, the frame has {had}", length, h.wire - start, h.start + 4)
    end = np.minimum(end, h.wire)
    h.set_payload_end(np.where(h.whole, end, h.wire))
    yield Payload("ipproto", h["ipv6.nxt"], start, end)


PROTOCOL = Protocol(
    "ipv6",
    "IPv6",
    __doc__,
    header=HEADER,
    on={
        "linktype": 229,
        "ethertype": 0x86DD,
        "pppproto": 0x0057,
        "chdlc.protocol": 0x86DD,
        "ipversion": 6,
        "ipproto": 41,
        "gre.proto": 0x86DD,
        "vxlan.next_proto": 2,
    },
    addresses=ADDRESSES,
    aliases={"ipv6.addr": ADDRESSES},
    info="{ipv6.nxt:words}, payload {ipv6.plen}",
    contents=contents,
    derived=(((Field("ip.version", bits(4), "Version", "4 or 6"),), lambda h: {"ip.version": h.column("ipv6.version")}),),
)
