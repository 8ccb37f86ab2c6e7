"""Cisco HDLC: address, control, an Ethernet type. https://www.tcpdump.org/linktypes.html, LINKTYPE_C_HDLC"""

from ..fields import Field, Headers, Layout, Payload, u8, u16
from .common.registries import ETHERTYPE

LABEL = "Cisco HDLC"
HEADER = Layout(
    Field("chdlc.address", u8, "Address", hex=2, words={0x0F: "unicast", 0x8F: "multicast"}),
    Field("chdlc.control", u8, "Control", hex=2),
    Field(
        "chdlc.protocol", u16, "Protocol", "an Ethernet type, or Cisco's own", hex=4, words={**ETHERTYPE, 0x8035: "SLARP", 0x2000: "CDP"}
    ),
)
ON = {"linktype": 104}
INFO = "{chdlc.protocol:words}"
SLARP = 0x8035  # on these links it is no RARP


def contents(h: Headers):
    yield Payload("chdlc.protocol", h["chdlc.protocol"], h.start + HEADER.size, h.wire)
