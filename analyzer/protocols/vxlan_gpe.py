"""VXLAN with a next protocol, the generic protocol extension. draft-ietf-nvo3-vxlan-gpe-13 §3."""

from ..fields import Field, Headers, Layout, Payload, Protocol, bits, flag, u8, u16
from . import vxlan

NEXT_PROTOCOL = {1: "IPv4", 2: "IPv6", 3: "Ethernet", 4: "NSH", 5: "MPLS"}
HEADER = Layout(
    Field("vxlan.flags", u8, "Flags", hex=4),
    Field("vxlan.reserved_16", u16, "Reserved"),
    Field("vxlan.next_proto", u8, "Next protocol", value_names=NEXT_PROTOCOL),
    *vxlan.HEADER.fields[2:],
)
FLAGS = Layout(
    Field("first", bits(2), ""),
    Field("vxlan.ver", bits(2), "Version"),
    Field("vxlan.i_bit", flag, "Network present"),
    Field("vxlan.p_bit", flag, "Next protocol present"),
    Field("second", flag, ""),
    Field("vxlan.o_bit", flag, "Operations and management"),
)


def contents(h: Headers):
    yield Payload("vxlan.next_proto", h["vxlan.next_proto"], h.start + HEADER.size, h.wire)


PROTOCOL = Protocol(
    "VXLAN-GPE",
    header=HEADER,
    on={"udp.port": 4790},
    display_name="vxlan",
    network_id="vxlan.vni",
    info="network {vxlan.vni}, {vxlan.next_proto:words}",
    contents=contents,
    derived=((tuple(f for f in FLAGS.fields if f.label), lambda h: vxlan.flags(h, FLAGS)),),
)
