"""The header of PPPoE discovery and session packets. RFC 2516 §4."""

import numpy as np

from ...fields import Field, Headers, Layout, Payload, bits, u8, u16

CODE = {0x00: "session data", 0x07: "offer", 0x09: "initiation", 0x19: "request", 0x65: "confirmation", 0xA7: "termination"}
HEADER = Layout(
    Field("pppoe.version", bits(4), "Version"),
    Field("pppoe.type", bits(4), "Type"),
    Field("pppoe.code", u8, "Code", hex=2, value_names=CODE),
    Field("pppoe.session_id", u16, "Session", hex=4),
    Field("pppoe.payload_length", u16, "Payload length", "bytes"),
)


def contents(h: Headers, space: str):
    start = h.start + h.layout.size
    end = start + h["pppoe.payload_length"].astype(np.int64)
    beyond = h.whole & (end > h.wire) & ~h.quoted
    h.fault(beyond, "pppoe.payload_length", "says {needed} bytes, there are {had}", end - start, h.wire - start, h.start + 4)
    h.set_payload_end(np.where(h.whole, end, h.wire))
    yield Payload(space, 0, start, end)
