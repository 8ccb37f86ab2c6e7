"""Internet Control Message Protocol for IPv6. RFC 4443."""

import numpy as np

from ..fields import Column, Field, Headers, Layout, Payload, Reading, u8, u16, u32

LABEL = "ICMPv6"
TYPE = {
    1: "destination unreachable",
    2: "packet too big",
    3: "time exceeded",
    4: "parameter problem",
    128: "echo request",
    129: "echo reply",
    130: "multicast listener query",
    131: "multicast listener report",
    132: "multicast listener done",
    133: "router solicitation",
    134: "router advertisement",
    135: "neighbor solicitation",
    136: "neighbor advertisement",
    137: "redirect",
    143: "multicast listener report v2",
    151: "multicast router advertisement",
    152: "multicast router solicitation",
    155: "RPL control",
    160: "extended echo request",
    161: "extended echo reply",
}
HEADER = Layout(
    Field("icmpv6.type", u8, "Type", "below 128: an error", words=TYPE),
    Field("icmpv6.code", u8, "Code"),
    Field("icmpv6.checksum", u16, "Checksum", "over a pseudo-header too, RFC 8200 §8.1", hex=4),
)
ECHOES = (128, 129)
PROBES = (160, 161)  # RFC 8335
IDENT = Layout(Field("icmpv6.echo.identifier", u16, "Identifier", "which program asks", hex=4))
SEQUENCE = Layout(Field("before", u16, ""), Field("icmpv6.echo.sequence_number", u16, "Sequence number"))
PROBE = Layout(Field("before", u16, ""), Field("icmpv6.ext.echo.seq", u8, "Sequence number", "of an extended echo, RFC 8335"))
MTU = Layout(Field("icmpv6.mtu", u32, "MTU of the next hop", "bytes"))
ON = {"ipproto": 58}
INFO = "{icmpv6.type:words}[, code {icmpv6.code}][, id {icmpv6.echo.identifier}][, seq {icmpv6.echo.sequence_number}][, MTU {icmpv6.mtu}]"


def contents(h: Headers):
    kind = h["icmpv6.type"]
    start = h.start + 8
    quotes = (kind >= 1) & (kind <= 4)
    echo = np.isin(kind, ECHOES + PROBES)
    yield Payload("ipversion", 6, start, h.wire, np.flatnonzero(quotes), quoted=True)
    yield Payload("data", 0, start, h.wire, np.flatnonzero(echo))
    yield Payload("icmpv6.type", kind, h.start + HEADER.size, h.wire, np.flatnonzero(~quotes & ~echo))


def _rest(h: Headers) -> dict[str, Column]:
    kind = h["icmpv6.type"]
    found = {}
    for layout, mask in (
        (IDENT, np.isin(kind, ECHOES + PROBES)),
        (SEQUENCE, np.isin(kind, ECHOES)),
        (PROBE, np.isin(kind, PROBES)),
        (MTU, kind == 2),
    ):
        rows = np.flatnonzero(mask & h.whole)
        reading = Reading(layout, h.buffer, h.start[rows] + HEADER.size, h.end[rows], rows)
        found.update({f.name: reading.column(f.name) for f in layout.fields if f.label})
    return found


DERIVED = ((tuple(f for one in (IDENT, SEQUENCE, PROBE, MTU) for f in one.fields if f.label), _rest),)
