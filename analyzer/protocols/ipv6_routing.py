"""IPv6 routing header. RFC 8200 §4.4, https://www.rfc-editor.org/rfc/rfc8200#section-4.4"""

from ..fields import Field, Headers, Layout, Protocol, u8
from .common import ipv6_extension
from .common.registries import IPPROTO

TYPE = {0: "source route (deprecated by RFC 5095)", 2: "mobile IP", 3: "RPL source route", 4: "segment routing"}
HEADER = Layout(
    Field("ipv6.routing.nxt", u8, "Next header", value_names=IPPROTO),
    ipv6_extension.length("ipv6.routing"),
    Field("ipv6.routing.type", u8, "Type", value_names=TYPE),
    Field("ipv6.routing.segleft", u8, "Segments left", "stops still to visit"),
)


def contents(h: Headers):
    return ipv6_extension.contents(h, "ipv6.routing")


PROTOCOL = Protocol(
    "ipv6.routing",
    "Routing header",
    __doc__,
    header=HEADER,
    on={"ipproto": 43},
    info="{ipv6.routing.type:words}, {ipv6.routing.segleft} left",
    contents=contents,
)
