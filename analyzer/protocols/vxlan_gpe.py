"""VXLAN that says what it carries, the generic protocol extension. draft-ietf-nvo3-vxlan-gpe-13 §3."""

from ..fields import Field, Headers, Layout, Payload, bits, flag, u8, u16
from . import vxlan

LABEL = "VXLAN-GPE"
SHOWN = "vxlan"
PROTOCOL = {1: "IPv4", 2: "IPv6", 3: "Ethernet", 4: "NSH", 5: "MPLS"}
HEADER = Layout(
    Field("vxlan.flags", u8, "Flags", hex=4),
    Field("vxlan.reserved_16", u16, "Reserved"),
    Field("vxlan.next_proto", u8, "Next protocol", words=PROTOCOL),
    *vxlan.HEADER.fields[2:],
)
FLAGS = Layout(
    Field("first", bits(2), ""),
    Field("vxlan.ver", bits(2), "Version"),
    Field("vxlan.i_bit", flag, "Network is there"),
    Field("vxlan.p_bit", flag, "Next protocol is there"),
    Field("second", flag, ""),
    Field("vxlan.o_bit", flag, "Operations and management"),
)
ON = {"udp.port": 4790}
REALM = "vxlan.vni"
INFO = "network {vxlan.vni}, {vxlan.next_proto:words}"


def contents(h: Headers):
    yield Payload("vxlan.next_proto", h["vxlan.next_proto"], h.start + HEADER.size, h.wire)


DERIVED = ((tuple(f for f in FLAGS.fields if f.label), lambda h: vxlan.flags(h, FLAGS)),)
