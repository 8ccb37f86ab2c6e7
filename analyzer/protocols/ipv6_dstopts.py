"""IPv6 destination options. RFC 8200 §4.6, https://www.rfc-editor.org/rfc/rfc8200#section-4.6"""

from ..fields import Field, Headers, Layout, Protocol, u8
from .common import ipv6_extension
from .common.registries import IPPROTO

HEADER = Layout(
    Field("ipv6.dstopts.nxt", u8, "Next header", value_names=IPPROTO),
    Field(
        "ipv6.dstopts.len_oct",
        u8,
        "Length",
        "bytes of this header",
        scale=8,
        offset=8,
        parts=(Field("ipv6.dstopts.len", u8, "Length as sent", "in units of 8 bytes, without the first 8"),),
    ),
)


def contents(h: Headers):
    return ipv6_extension.contents(h, "ipv6.dstopts", listed=True)


PROTOCOL = Protocol(
    "ipv6.dstopts",
    "Destination options",
    __doc__,
    header=HEADER,
    on={"ipproto": 60},
    info="next: {ipv6.dstopts.nxt:words}",
    contents=contents,
    derived=((ipv6_extension.OPTION_FIELDS, lambda h: ipv6_extension.options(h, "ipv6.dstopts")),),
)
