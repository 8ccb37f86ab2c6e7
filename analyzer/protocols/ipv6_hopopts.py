"""IPv6 hop-by-hop options. RFC 8200 §4.3, https://www.rfc-editor.org/rfc/rfc8200#section-4.3"""

from ..fields import Field, Headers, Layout, Protocol, u8
from .common import ipv6_extension
from .common.registries import IPPROTO

HEADER = Layout(
    Field("ipv6.hopopts.nxt", u8, "Next header", value_names=IPPROTO),
    ipv6_extension.length("ipv6.hopopts"),
)


def contents(h: Headers):
    return ipv6_extension.contents(h, "ipv6.hopopts", has_options=True)


PROTOCOL = Protocol(
    "ipv6.hopopts",
    "Hop-by-hop options",
    __doc__,
    header=HEADER,
    on={"ipproto": 0},
    info="next: {ipv6.hopopts.nxt:words}",
    contents=contents,
    derived=((ipv6_extension.OPTION_FIELDS, lambda h: ipv6_extension.options(h, "ipv6.hopopts")),),
)
