"""Internet Control Message Protocol. RFC 792; RFC 1191 §4 (MTU of the next hop); RFC 950 (address mask); RFC 4884 (extensions)."""

import numpy as np

from ..fields import (
    Column,
    Field,
    Headers,
    Layout,
    Payload,
    Protocol,
    Reading,
    bits,
    date,
    flag,
    ipv4,
    milliseconds,
    seconds,
    u8,
    u16,
    u24,
    u32,
    u64,
)
from .common import checksums, icmp_extensions

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
CODE = {  # what a message says beyond its type; RFC 792, RFC 1122 §3.2.2.1, RFC 1812 §5.2.7.1
    (3, 0): "network unreachable",
    (3, 1): "host unreachable",
    (3, 2): "protocol unreachable",
    (3, 3): "port unreachable",
    (3, 4): "fragmentation needed",
    (3, 5): "source route failed",
    (3, 6): "network unknown",
    (3, 7): "host unknown",
    (3, 8): "source host isolated",
    (3, 9): "network prohibited",
    (3, 10): "host prohibited",
    (3, 11): "network unreachable for this service",
    (3, 12): "host unreachable for this service",
    (3, 13): "administratively prohibited",
    (3, 14): "host precedence violation",
    (3, 15): "precedence cutoff",
    (5, 0): "redirect for the network",
    (5, 1): "redirect for the host",
    (5, 2): "redirect for the network and service",
    (5, 3): "redirect for the host and service",
    (11, 0): "time to live exceeded",
    (11, 1): "reassembly time exceeded",
}
STATE = {1: "incomplete", 2: "reachable", 3: "stale", 4: "delay", 5: "probe", 6: "failed"}  # RFC 8335 §3
HEADER = Layout(
    Field("icmp.type", u8, "Type", value_names=TYPE),
    Field("icmp.code", u8, "Code"),
    Field("icmp.checksum", u16, "Checksum", "RFC 1071", hex=4),
)
REST = HEADER.size  # where the four bytes begin that each type uses in its own way
QUOTES = (3, 4, 5, 11, 12)
ECHOES = (0, 8)
ASKS = (*ECHOES, 13, 14, 15, 16, 17, 18)
PROBES = PROBE, ANSWER = 42, 43  # RFC 8335: ask a router for the state of one of its interfaces
EXTENDED = (3, 11, 12)  # RFC 4884 §4: these say how long the datagram is that they quote
USUAL = 128  # bytes that senders older than RFC 4884 quote before extensions
IDENT = Layout(Field("icmp.ident", u16, "Identifier", "which program asks"))
SEQUENCE = Layout(Field("before", u16, ""), Field("icmp.seq", u16, "Sequence number"))
EXTENDED_ECHO = Layout(
    Field("before", u16, ""),
    Field("icmp.ext.echo.seq", u8, "Sequence number", "of an extended echo, RFC 8335"),
)
ASKED = Layout(
    Field("before", u24, ""), Field("", bits(7), ""), Field("icmp.ext.echo.req.local", flag, "Local", "an interface of the router itself")
)
FOUND = Layout(
    Field("before", u24, ""),
    Field("icmp.ext.echo.rsp.state", bits(3), "Neighbor's state", value_names=STATE),
    Field("", bits(2), ""),
    Field("icmp.ext.echo.rsp.active", flag, "Active"),
    Field("icmp.ext.echo.rsp.ipv4", flag, "Runs IPv4"),
    Field("icmp.ext.echo.rsp.ipv6", flag, "Runs IPv6"),
)
LENGTH = Layout(
    Field("before", u8, ""),
    Field("icmp.length", u8, "Length of the quoted datagram", "in words of 4 bytes, where extensions follow: RFC 4884 §4"),
)
TOTAL = Layout(Field("before", u16, ""), Field("total", u16, ""))
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
# What `ping` puts in front of its data: when it sent, in the byte order of its machine. Of a machine with seconds of 64 bits these
# are the seconds alone, and the second word is 0.
SENT = Layout(Field("second", u32, ""), Field("micro", u32, ""))
SENT_LITTLE = Layout(Field("second", u32, "", little=True), Field("micro", u32, "", little=True))
DAY = 86_400  # seconds: a time further from the frame's is no time


def _quoted(h: Headers) -> tuple[np.ndarray, np.ndarray]:
    """(where the quoted datagram ends, where extensions begin: at `wire` if there are none).

    Senders older than RFC 4884 give no length and quote 128 bytes (§5.5). What follows them is no part of a datagram that is
    not so long, and of a longer one hardly ever looks like extensions with their checksum.
    """
    kind, start = h["icmp.type"], h.start + 8
    end, extensions = h.wire.copy(), np.where(kind == PROBE, np.minimum(start, h.wire), h.wire)
    rows = np.flatnonzero(np.isin(kind, QUOTES) & h.whole)
    length = 4 * _length(h, rows).astype(np.int64)
    told = rows[length > 0]
    end[told] = extensions[told] = np.minimum(start[told] + length[length > 0], h.wire[told])
    older = rows[(length == 0) & (h.wire[rows] - start[rows] > USUAL)]
    if len(older):
        at = start[older] + USUAL
        short = Reading(TOTAL, h.buffer, start[older], h.end[older])["total"] <= USUAL
        looks = Reading(icmp_extensions.HEAD, h.buffer, at, h.end[older])["icmp.ext.version"] == 2
        looks &= h.wire[older] <= h.end[older]
        looks[looks] = checksums.sums(h, at[looks], h.wire[older][looks]) == 0xFFFF
        found = short | looks
        end[older[found]] = extensions[older[found]] = at[found]
    return end, extensions


def _length(h: Headers, rows: np.ndarray) -> np.ndarray:
    """What these messages say the length of the quoted datagram is, in words of 4 bytes; 0 where nothing is said."""
    said = Reading(LENGTH, h.buffer, h.start[rows] + REST, h.end[rows])["icmp.length"]
    return np.where(np.isin(h["icmp.type"][rows], EXTENDED), said, 0)


def _sent(h: Headers) -> tuple[np.ndarray, np.ndarray]:
    """Echoes (int64 rows) whose data begins with a time, and that time, ns since 1970; told as Wireshark does."""
    rows = np.flatnonzero(np.isin(h["icmp.type"], ECHOES) & h.whole & (h.end >= h.start + 16))
    timed = h.frames.column("frame.time").rows
    if timed is not None:
        rows = rows[np.isin(h.frame[rows], timed)]
    now = h.frames["frame.time"][h.frame[rows]] // 1_000_000_000
    found = np.full(len(rows), -1, np.int64)
    for layout in (SENT_LITTLE, SENT):  # the second, which Wireshark tries first, counts where both fit
        reading = Reading(layout, h.buffer, h.start[rows] + 8, h.end[rows])
        second, micro = (reading[name].astype(np.int64) for name in ("second", "micro"))
        found = np.where((abs(second - now) < DAY) & (micro < 1_000_000), second * 1_000_000_000 + micro * 1000, found)
    return rows[found >= 0], found[found >= 0]


def _stamp(h: Headers) -> dict[str, Column]:
    rows, sent = h.memo(_sent)
    now = h.frames["frame.time"][h.frame[rows]]
    return {"icmp.data_time": Column(sent, rows), "icmp.data_time_relative": Column(now - sent, rows)}


def contents(h: Headers):
    kind = h["icmp.type"]
    start = h.start + 8
    quotes = np.isin(kind, QUOTES)
    end, extensions = _quoted(h)
    icmp_extensions.check(h, extensions)
    rows = np.flatnonzero(quotes)
    length = 4 * _length(h, rows).astype(np.int64)
    beyond = np.zeros(len(h), bool)
    beyond[rows] = start[rows] + length > h.wire[rows]
    needed = np.zeros(len(h), np.int64)
    needed[rows] = length
    h.fault(beyond & h.whole & ~h.quoted, "icmp.length", "says {needed} bytes, there are {had}", needed, h.wire - start, h.start + 5)
    yield Payload("ipversion", 4, start, end, rows, quoted=True)
    behind = start.copy()
    behind[h.memo(_sent)[0]] += SENT.size
    yield Payload("data", 0, behind, h.wire, np.flatnonzero(np.isin(kind, ECHOES)))
    yield Payload("icmp.type", kind, h.start + REST, h.wire, np.flatnonzero(~np.isin(kind, list(TYPE))))


def _rest(h: Headers) -> dict[str, Column]:
    kind, code = h["icmp.type"], h["icmp.code"]
    found = {}
    for layout, mask in (
        (IDENT, np.isin(kind, ASKS + PROBES)),
        (SEQUENCE, np.isin(kind, ASKS)),
        (EXTENDED_ECHO, np.isin(kind, PROBES)),
        (ASKED, kind == PROBE),
        (FOUND, kind == ANSWER),
        (GATEWAY, kind == 5),
        (MTU, (kind == 3) & (code == 4)),
        (POINTER, kind == 12),
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
    length = _length(h, np.arange(len(h)))
    told = np.flatnonzero((length > 0) & h.whole)
    found["icmp.length"] = Column(length[told], told)
    found["icmp.length.original_datagram"] = Column(length[told].astype(np.int64) * 4, told)
    known = np.flatnonzero(h.trusted == HEADER.size)
    found["icmp.checksum.status"] = Column(checksums.judged(h, h.wire[known], None, known), known)
    return found


LAYOUTS = (IDENT, SEQUENCE, EXTENDED_ECHO, ASKED, FOUND, GATEWAY, MTU, POINTER, LENGTH, STAMPS, MASK, ROUTERS, ROUTER)
FIELDS = (f for one in LAYOUTS for f in one.fields if f.label)
BYTES = Field("icmp.length.original_datagram", u16, "Length of the quoted datagram", "bytes")


PROTOCOL = Protocol(
    "icmp",
    "ICMP",
    __doc__,
    header=HEADER,
    on={"ipproto": 1},
    info="{icmp.type:words}[, code {icmp.code}][, id {icmp.ident}][, seq {icmp.seq}]"
    "[, gateway {icmp.redir_gw}][, next hop's MTU {icmp.mtu}]",
    contents=contents,
    derived=(
        ((*FIELDS, BYTES, checksums.status_field("icmp.checksum.status")), _rest),
        (
            (
                Field("icmp.data_time", date, "Time in the data", "when the program asked, by its own clock"),
                Field("icmp.data_time_relative", seconds, "Time since then", "up to this frame"),
            ),
            _stamp,
        ),
        (icmp_extensions.FIELDS, lambda h: icmp_extensions.columns(h, _quoted(h)[1])),
    ),
    external_fields=(  # `reassembly.echoes` computes these
        Field("icmp.resp_to", u64, "Request frame", "the echo request that this answers"),
        Field("icmp.resptime", milliseconds, "Response time", "ms since the request"),
        Field("icmp.resp_in", u64, "Response frame", "never there: a row waits for no later frame; the table pings names it"),
    ),
)
