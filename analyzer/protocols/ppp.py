"""Point-to-Point Protocol, with or without its HDLC framing. RFC 1661 §2, RFC 1662 §3.1."""

import numpy as np

from ..fields import Column, Field, Headers, Layout, Payload, Protocol, Reading, gather, u8, u16

PROTOCOLS = {0x0021: "IPv4", 0x0057: "IPv6", 0x003D: "multilink", 0x00FD: "compressed", 0x0281: "MPLS", 0x0283: "MPLS multicast",
            0x8021: "IPCP", 0x8057: "IPV6CP", 0x80FD: "CCP", 0xC021: "LCP", 0xC023: "PAP", 0xC025: "LQR", 0xC223: "CHAP"}  # fmt: skip
HEADER = Layout()
LONG, SHORT = Layout(Field("ppp.protocol", u16, "Protocol", hex=4, value_names=PROTOCOLS)), Layout(Field("short", u8, ""))
FRAMING = b"\xff\x03"  # all stations, unnumbered information


def _protocol(h: Headers) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(protocol, start of the payload, whether the field was captured); an odd first byte is a protocol of one byte (§6.5)."""
    framed = (gather(h.buffer, h.start, 2).view(np.uint16).reshape(-1) == np.frombuffer(FRAMING, np.uint16)[0]) & (h.end - h.start >= 2)
    at = h.start + 2 * framed
    long, short = Reading(LONG, h.buffer, at, h.end), Reading(SHORT, h.buffer, at, h.end)
    brief = (short["short"] & 1).astype(bool)
    return (
        np.where(brief, short["short"], long["ppp.protocol"]).astype(np.int64),
        at + np.where(brief, 1, 2),
        at + np.where(brief, 1, 2) <= h.end,
    )


def contents(h: Headers):
    value, start, there = _protocol(h)
    yield Payload("pppproto", value, start, h.wire, np.flatnonzero(there))


def _derived(h: Headers) -> dict[str, Column]:
    value, _, there = _protocol(h)
    rows = np.flatnonzero(there)
    return {"ppp.protocol": Column(value[rows], rows)}


PROTOCOL = Protocol(
    "PPP",
    header=HEADER,
    on={"linktype": (9, 50), "ppp": 0, "ethertype": 0x880B, "gre.proto": 0x880B},
    info="{ppp.protocol:words}",
    contents=contents,
    derived=((LONG.fields, _derived),),
)
