"""IPv6 fragment header. RFC 8200 §4.5, https://www.rfc-editor.org/rfc/rfc8200#section-4.5"""

import numpy as np

from ..fields import Field, Fragment, Headers, Layout, Payload, Protocol, bits, flag, u8, u32
from .common import fragment_fields
from .common.registries import IPPROTO

HEADER = Layout(
    Field("ipv6.fraghdr.nxt", u8, "Next header", value_names=IPPROTO),
    Field("ipv6.fraghdr.reserved_octet", u8, "Reserved", hex=2),
    Field("ipv6.fraghdr.offset", bits(13), "Offset", "in units of 8 bytes"),
    Field("ipv6.fraghdr.reserved_bits", bits(2), "Reserved"),
    Field("ipv6.fraghdr.more", flag, "More fragments", "this is not the last piece"),
    Field("ipv6.fraghdr.ident", u32, "Identification", "pieces of one packet have the same", hex=8),
)


def contents(h: Headers):
    start = h.start + HEADER.size
    fragment = (h["ipv6.fraghdr.offset"] > 0) | (h["ipv6.fraghdr.more"] & (h.wire <= h.end))  # as in IPv4
    rows, offset = np.flatnonzero(fragment), h["ipv6.fraghdr.offset"].astype(np.int64) * 8
    fragment_fields.check(h, rows, "ipv6.fraghdr.offset", offset, h.wire - start)
    place = Fragment(h["ipv6.fraghdr.ident"].astype(np.int64), offset, h["ipv6.fraghdr.more"])
    yield Payload("ipproto", h["ipv6.fraghdr.nxt"], start, h.wire, rows, fragment=place)
    yield Payload("ipproto", h["ipv6.fraghdr.nxt"], start, h.wire, np.flatnonzero(~fragment))


PROTOCOL = Protocol(
    "ipv6.fraghdr",
    "Fragment header",
    __doc__,
    header=HEADER,
    on={"ipproto": 44},
    info="{ipv6.fraghdr.nxt:words}, piece at {ipv6.fraghdr.offset}, id {ipv6.fraghdr.ident}",
    contents=contents,
    external_fields=fragment_fields.fields("ipv6", "ipv6.reassembled.in"),
)
