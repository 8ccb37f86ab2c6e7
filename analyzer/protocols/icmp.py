"""Internet Control Message Protocol. RFC 792; RFC 1191 §4 (MTU of the next hop); RFC 950 (address mask)."""

import numpy as np

from ..fields import Column, Field, Headers, Layout, Payload, Reading, ipv4, u8, u16, u32
from . import _sums

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
STAMPS = Layout(
    Field("before", u32, ""),
    Field("icmp.originate_timestamp", u32, "Originate timestamp", "ms since midnight UTC"),
    Field("icmp.receive_timestamp", u32, "Receive timestamp"),
    Field("icmp.transmit_timestamp", u32, "Transmit timestamp"),
)
MASK = Layout(Field("before", u32, ""), Field("icmp.address_mask", ipv4, "Address mask"))
ROUTERS = Layout(
    Field("icmp.num_addrs", u8, "Addresses", "RFC 1256 §3"),
    Field("icmp.addr_entry_size", u8, "Words of an entry"),
    Field("icmp.lifetime", u16, "Lifetime", "seconds"),
)
ROUTER = Layout(Field("icmp.router_address", ipv4, "Router", many=True), Field("icmp.pref_level", u32, "Preference", many=True))
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
        (POINTER, (kind == 12) & (code == 0)),
        (STAMPS, np.isin(kind, (13, 14))),
        (MASK, np.isin(kind, (17, 18))),
        (ROUTERS, kind == 9),
    ):
        rows = np.flatnonzero(mask & h.whole)
        reading = Reading(layout, h.buffer, h.start[rows] + REST, h.end[rows], rows)
        found.update({f.name: reading.column(f.name) for f in layout.fields if f.label})
    advert = np.flatnonzero((kind == 9) & h.whole)
    routers = Reading(ROUTERS, h.buffer, h.start[advert] + REST, h.end[advert])
    words = np.maximum(routers["icmp.addr_entry_size"].astype(np.int64), 2)
    count = np.minimum(routers["icmp.num_addrs"], np.maximum(h.end[advert] - h.start[advert] - 8, 0) // (4 * words)).astype(np.int64)
    one = np.repeat(np.arange(len(advert)), count)
    at = h.start[advert][one] + 8 + 4 * words[one] * (np.arange(len(one)) - np.repeat(np.cumsum(count) - count, count))
    reading = Reading(ROUTER, h.buffer, at, at + 8, advert[one])
    found.update({f.name: reading.column(f.name) for f in ROUTER.fields})
    known = np.flatnonzero(h.trusted == HEADER.size)
    found["icmp.checksum.status"] = Column(_sums.judged(h, h.wire[known], None, known), known)
    return found


LAYOUTS = (IDENT, SEQUENCE, PROBE, GATEWAY, MTU, POINTER, STAMPS, MASK, ROUTERS, ROUTER)
FIELDS = (f for one in LAYOUTS for f in one.fields if f.label)
DERIVED = (((*FIELDS, _sums.status_field("icmp.checksum.status")), _rest),)
