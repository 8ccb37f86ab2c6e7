"""Slow protocols: what two ends of a link tell each other a few times a second at most. IEEE 802.3 annex 57A."""

from ..fields import Field, Headers, Layout, Payload, u8

LABEL = "Slow protocols"
SUBTYPE = {1: "LACP", 2: "marker", 3: "operations, administration and maintenance", 10: "organization-specific"}
HEADER = Layout(Field("slow.subtype", u8, "Subtype", hex=2, words=SUBTYPE))
ON = {"ethertype": 0x8809}
INFO = "{slow.subtype:words}"


def contents(h: Headers):
    yield Payload("slow.subtype", h["slow.subtype"], h.start + HEADER.size, h.wire)
