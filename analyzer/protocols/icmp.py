"""Internet Control Message Protocol. RFC 792; RFC 1191 §4 (MTU of the next hop); RFC 950 (address mask)."""

import numpy as np

from ..fields import Column, Field, Headers, Layout, Payload, Reading, ipv4, u8, u16

LABEL = "ICMP"
TYPE = {
    0: "echo reply",
    3: "destination unreachable",
    4: "source quench",
    5: "redirect",
    8: "echo request",
    9: "router advertisement",
    10: "router solicitation",
    11: "time exceeded",
    12: "parameter problem",
    13: "timestamp request",
    14: "timestamp reply",
    15: "information request",
    16: "information reply",
    17: "address mask request",
    18: "address mask reply",
    42: "extended echo request",
    43: "extended echo reply",
}
HEADER = Layout(
    Field("icmp.type", u8, "Type", words=TYPE),
    Field("icmp.code", u8, "Code"),
    Field("icmp.checksum", u16, "Checksum", "RFC 1071", hex=4),
)
REST = HEADER.size  # where the four bytes begin that each type uses in its own way
QUOTES = (3, 4, 5, 11, 12)
ASKS = (0, 8, 13, 14, 15, 16, 17, 18)
PROBES = (42, 43)  # RFC 8335: ask a router for the state of one of its interfaces
IDENT = Layout(Field("icmp.ident", u16, "Identifier", "which program asks"))
SEQUENCE = Layout(Field("before", u16, ""), Field("icmp.seq", u16, "Sequence number"))
PROBE = Layout(Field("before", u16, ""), Field("icmp.ext.echo.seq", u8, "Sequence number", "of an extended echo, RFC 8335"))
GATEWAY = Layout(Field("icmp.redir_gw", ipv4, "Gateway", "the better first hop"))
MTU = Layout(Field("before", u16, ""), Field("icmp.mtu", u16, "MTU of the next hop", "bytes"))
POINTER = Layout(Field("icmp.pointer", u8, "Pointer", "offset of the faulty byte in the quoted header"))
ON = {"ipproto": 1}
INFO = "{icmp.type:words}[, code {icmp.code}][, id {icmp.ident}][, seq {icmp.seq}][, gateway {icmp.redir_gw}][, next hop's MTU {icmp.mtu}]"


def contents(h: Headers):
    kind = h["icmp.type"]
    start = h.start + 8
    quotes = np.isin(kind, QUOTES)
    yield Payload("ipversion", 4, start, h.wire, np.flatnonzero(quotes), quoted=True)
    yield Payload("data", 0, np.where(np.isin(kind, ASKS), start, h.start + REST), h.wire, np.flatnonzero(~quotes))


def _rest(h: Headers) -> dict[str, Column]:
    kind, code = h["icmp.type"], h["icmp.code"]
    found = {}
    for layout, mask in (
        (IDENT, np.isin(kind, ASKS + PROBES)),
        (SEQUENCE, np.isin(kind, ASKS)),
        (PROBE, np.isin(kind, PROBES)),
        (GATEWAY, kind == 5),
        (MTU, (kind == 3) & (code == 4)),
        (POINTER, kind == 12),
    ):
        rows = np.flatnonzero(mask & h.whole)
        reading = Reading(layout, h.buffer, h.start[rows] + REST, h.end[rows], rows)
        found.update({f.name: reading.column(f.name) for f in layout.fields if f.label})
    return found


DERIVED = ((tuple(f for one in (IDENT, SEQUENCE, PROBE, GATEWAY, MTU, POINTER) for f in one.fields if f.label), _rest),)
