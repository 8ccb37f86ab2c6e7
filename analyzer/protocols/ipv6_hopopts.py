"""IPv6 hop-by-hop options. RFC 8200 §4.3, https://www.rfc-editor.org/rfc/rfc8200#section-4.3"""

from ..fields import Field, Headers, Layout, u8
from .common import ipv6_extension
from .common.registries import IPPROTO

LABEL = "Hop-by-hop options"
HEADER = Layout(
    Field("ipv6.hopopts.nxt", u8, "Next header", words=IPPROTO),
    Field(
        "ipv6.hopopts.len_oct",
        u8,
        "Length",
        "bytes of this header",
        times=8,
        plus=8,
        parts=(Field("ipv6.hopopts.len", u8, "Length as sent", "in units of 8 bytes, without the first 8"),),
    ),
)
ON = {"ipproto": 0}
INFO = "next: {ipv6.hopopts.nxt:words}"


def contents(h: Headers):
    return ipv6_extension.contents(h, "ipv6.hopopts", listed=True)


DERIVED = ((ipv6_extension.OPTION_FIELDS, lambda h: ipv6_extension.options(h, "ipv6.hopopts")),)
