"""Virtual Extensible LAN: Ethernet in UDP. RFC 7348 §5; draft-smith-vxlan-group-policy-05 §2.1 (group policy)."""

import numpy as np

from ..fields import Column, Field, Headers, Layout, Payload, Protocol, Reading, bits, flag, u8, u16, u24

HEADER = Layout(
    Field("vxlan.flags", u16, "Flags", hex=4),
    Field("vxlan.gbp", u16, "Group policy"),
    Field("vxlan.vni", u24, "Network", "number of the virtual network"),
    Field("vxlan.reserved8", u8, "Reserved"),
)
FLAGS = Layout(
    Field("vxlan.flag_g", flag, "Group policy present"),
    Field("first", bits(3), ""),
    Field("vxlan.flag_i", flag, "Network present", "always set"),
    Field("second", bits(4), ""),
    Field("vxlan.flag_d", flag, "Don't learn", "the sender's address"),
    Field("third", bits(2), ""),
    Field("vxlan.flag_a", flag, "Policy applied"),
    Field("fourth", bits(3), ""),
)
ETHERNET = 3  # next protocol of VXLAN-GPE


def contents(h: Headers):
    yield Payload("vxlan.next_proto", ETHERNET, h.start + HEADER.size, h.wire)


def flags(h: Headers, layout: Layout) -> dict[str, Column]:
    """The flags at the start of the header."""
    reading = Reading(layout, h.buffer, h.start, h.end, np.arange(len(h)))
    return {f.name: reading.column(f.name) for f in layout.fields if f.label}


PROTOCOL = Protocol(
    "VXLAN",
    header=HEADER,
    on={"udp.port": 4789},
    network_id="vxlan.vni",
    info="network {vxlan.vni}",
    contents=contents,
    derived=((tuple(f for f in FLAGS.fields if f.label), lambda h: flags(h, FLAGS)),),
)
