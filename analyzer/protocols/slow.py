"""Slow protocols: link protocols of at most ten frames a second. IEEE 802.3 annex 57A."""

from ..fields import Field, Headers, Layout, Payload, Protocol, u8

SUBTYPE = {1: "LACP", 2: "marker", 3: "operations, administration and maintenance", 10: "organization-specific"}
HEADER = Layout(Field("slow.subtype", u8, "Subtype", hex=2, value_names=SUBTYPE))


def contents(h: Headers):
    yield Payload("slow.subtype", h["slow.subtype"], h.start + HEADER.size, h.wire)


PROTOCOL = Protocol("Slow protocols", header=HEADER, on={"ethertype": 0x8809}, info="{slow.subtype:words}", contents=contents)
