"""Cisco HDLC: address, control, an Ethernet type. https://www.tcpdump.org/linktypes.html, LINKTYPE_C_HDLC"""

from ..fields import Field, Headers, Layout, Payload, Protocol, u8, u16
from .common.registries import ETHERTYPE

HEADER = Layout(
    Field("chdlc.address", u8, "Address", hex=2, value_names={0x0F: "unicast", 0x8F: "multicast"}),
    Field("chdlc.control", u8, "Control", hex=2),
    Field(
        "chdlc.protocol",
        u16,
        "Protocol",
        "an Ethernet type, or Cisco's own",
        hex=4,
        value_names={**ETHERTYPE, 0x8035: "SLARP", 0x2000: "CDP"},  # 0x8035 is not RARP on these links
    ),
)


def contents(h: Headers):
    yield Payload("chdlc.protocol", h["chdlc.protocol"], h.start + HEADER.size, h.wire)


PROTOCOL = Protocol("chdlc", "Cisco HDLC", __doc__, header=HEADER, on={"linktype": 104}, info="{chdlc.protocol:words}", contents=contents)
