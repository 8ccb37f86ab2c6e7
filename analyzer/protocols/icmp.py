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
from .common.tlv import repeated

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
CODE = {  # by type and code; RFC 792, RFC 1122 §3.2.2.1, RFC 1812 §5.2.7.1
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
BODY_AT = HEADER.size  # offset of the four bytes whose meaning depends on the type
QUOTES = (3, 4, 5, 11, 12)
ECHOES = (0, 8)
QUERIES = (*ECHOES, 13, 14, 15, 16, 17, 18)
PROBES = PROBE, ANSWER = 42, 43  # RFC 8335: the state of an interface of a router
EXTENDED = (3, 11, 12)  # RFC 4884 §4: these have the length of the quoted datagram
LEGACY_QUOTE = 128  # bytes that senders older than RFC 4884 quote before extensions
IDENT = Layout(Field("icmp.ident", u16, "Identifier", "which program asks"))
SEQUENCE = Layout(Field("before", u16, ""), Field("icmp.seq", u16, "Sequence number"))
EXTENDED_ECHO = Layout(
    Field("before", u16, ""),
    Field("icmp.ext.echo.seq", u8, "Sequence number", "of an extended echo, RFC 8335"),
)
PROBE_BODY = Layout(
    Field("before", u24, ""), Field("", bits(7), ""), Field("icmp.ext.echo.req.local", flag, "Local", "an interface of the router itself")
)
ANSWER_BODY = Layout(
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
TOTAL_LENGTH = Layout(Field("before", u16, ""), Field("total", u16, ""))
GATEWAY = Layout(Field("icmp.redir_gw", ipv4, "Gateway", "the better first hop"))
MTU = Layout(Field("before", u16, ""), Field("icmp.mtu", u16, "MTU of the next hop", "bytes"))
POINTER = Layout(Field("icmp.pointer", u8, "Pointer", "offset of the faulty byte in the quoted header"))
TIMESTAMPS = Layout(
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
# `ping` starts its data with the time of sending, in the byte order of its machine. If seconds have 64 bits there, these fields
# are the seconds alone, and the second word is 0.
PING_TIME = Layout(Field("second", u32, ""), Field("micro", u32, ""))
PING_TIME_LITTLE = Layout(Field("second", u32, "", little=True), Field("micro", u32, "", little=True))
MAX_OFFSET = 86_400  # seconds: data further from the frame's time is not a timestamp


def _quoted(h: Headers) -> tuple[np.ndarray, np.ndarray]:
    """End of the quoted datagram, start of the extensions (`wire` if there are none); int64 (n,).

    Senders older than RFC 4884 give no length and quote 128 bytes (§5.5). Bytes after these are extensions if the datagram is
    not longer, or if version and checksum of extensions are right.
    """
    kind, start = h["icmp.type"], h.start + 8
    end, extensions = h.wire.copy(), np.where(kind == PROBE, np.minimum(start, h.wire), h.wire)
    rows = np.flatnonzero(np.isin(kind, QUOTES) & h.whole)
    length = 4 * _quoted_words(h, rows).astype(np.int64)
    sized = rows[length > 0]
    end[sized] = extensions[sized] = np.minimum(start[sized] + length[length > 0], h.wire[sized])
    older = rows[(length == 0) & (h.wire[rows] - start[rows] > LEGACY_QUOTE)]
    if len(older):
        at = start[older] + LEGACY_QUOTE
        short = Reading(TOTAL_LENGTH, h.buffer, start[older], h.end[older])["total"] <= LEGACY_QUOTE
        valid = Reading(icmp_extensions.HEAD, h.buffer, at, h.end[older])["icmp.ext.version"] == 2
        valid &= h.wire[older] <= h.end[older]
        valid[valid] = checksums.sums(h, at[valid], h.wire[older][valid]) == 0xFFFF
        extended = short | valid
        end[older[extended]] = extensions[older[extended]] = at[extended]
    return end, extensions


def _quoted_words(h: Headers, rows: np.ndarray) -> np.ndarray:
    """Length of the datagram that these messages quote, in words of 4 bytes; 0 where they do not have it."""
    length = Reading(LENGTH, h.buffer, h.start[rows] + BODY_AT, h.end[rows])["icmp.length"]
    return np.where(np.isin(h["icmp.type"][rows], EXTENDED), length, 0)


def _ping_times(h: Headers) -> tuple[np.ndarray, np.ndarray]:
    """Rows of echoes whose data begins with a time, and that time in ns since 1970; int64. By Wireshark's rules."""
    rows = np.flatnonzero(np.isin(h["icmp.type"], ECHOES) & h.whole & (h.end >= h.start + 16))
    timed = h.frames.column("frame.time").rows
    if timed is not None:
        rows = rows[np.isin(h.frame[rows], timed)]
    now = h.frames["frame.time"][h.frame[rows]] // 1_000_000_000
    sent = np.full(len(rows), -1, np.int64)
    for layout in (PING_TIME_LITTLE, PING_TIME):  # Wireshark prefers big-endian if both fit
        reading = Reading(layout, h.buffer, h.start[rows] + 8, h.end[rows])
        second, micro = (reading[name].astype(np.int64) for name in ("second", "micro"))
        sent = np.where((abs(second - now) < MAX_OFFSET) & (micro < 1_000_000), second * 1_000_000_000 + micro * 1000, sent)
    return rows[sent >= 0], sent[sent >= 0]


def _data_times(h: Headers) -> dict[str, Column]:
    rows, sent = h.memo(_ping_times)
    now = h.frames["frame.time"][h.frame[rows]]
    return {"icmp.data_time": Column(sent, rows), "icmp.data_time_relative": Column(now - sent, rows)}


def contents(h: Headers):
    kind = h["icmp.type"]
    start = h.start + 8
    quotes = np.isin(kind, QUOTES)
    end, extensions = _quoted(h)
    icmp_extensions.check(h, extensions)
    rows = np.flatnonzero(quotes)
    length = 4 * _quoted_words(h, rows).astype(np.int64)
    beyond = np.zeros(len(h), bool)
    beyond[rows] = start[rows] + length > h.wire[rows]
    needed = np.zeros(len(h), np.int64)
    needed[rows] = length
    h.fault(beyond & h.whole & ~h.quoted, "icmp.length", "says {needed} bytes, there are {had}", needed, h.wire - start, h.start + 5)
    yield Payload("ipversion", 4, start, end, rows, quoted=True)
    data = start.copy()
    data[h.memo(_ping_times)[0]] += PING_TIME.size
    yield Payload("data", 0, data, h.wire, np.flatnonzero(np.isin(kind, ECHOES)))
    yield Payload("icmp.type", kind, h.start + BODY_AT, h.wire, np.flatnonzero(~np.isin(kind, list(TYPE))))


def _body(h: Headers) -> dict[str, Column]:
    kind, code = h["icmp.type"], h["icmp.code"]
    columns = {}
    for layout, mask in (
        (IDENT, np.isin(kind, QUERIES + PROBES)),
        (SEQUENCE, np.isin(kind, QUERIES)),
        (EXTENDED_ECHO, np.isin(kind, PROBES)),
        (PROBE_BODY, kind == PROBE),
        (ANSWER_BODY, kind == ANSWER),
        (GATEWAY, kind == 5),
        (MTU, (kind == 3) & (code == 4)),
        (POINTER, kind == 12),
        (TIMESTAMPS, np.isin(kind, (13, 14))),
        (MASK, np.isin(kind, (17, 18))),
        (ROUTERS, kind == 9),
    ):
        rows = np.flatnonzero(mask & h.whole)
        reading = Reading(layout, h.buffer, h.start[rows] + BODY_AT, h.end[rows], rows)
        columns.update({f.name: reading.column(f.name) for f in layout.fields if f.label})
    advert = np.flatnonzero((kind == 9) & h.whole)
    routers = Reading(ROUTERS, h.buffer, h.start[advert] + BODY_AT, h.end[advert])
    words = np.maximum(routers["icmp.addr_entry_size"].astype(np.int64), 2)
    count = np.minimum(routers["icmp.num_addrs"], np.maximum(h.end[advert] - h.start[advert] - 8, 0) // (4 * words)).astype(np.int64)
    owner, nth = repeated(count)
    at = h.start[advert][owner] + 8 + 4 * words[owner] * nth
    reading = Reading(ROUTER, h.buffer, at, at + 8, advert[owner])
    columns.update({f.name: reading.column(f.name) for f in ROUTER.fields})
    length = _quoted_words(h, np.arange(len(h)))
    sized = np.flatnonzero((length > 0) & h.whole)
    columns["icmp.length"] = Column(length[sized], sized)
    columns["icmp.length.original_datagram"] = Column(length[sized].astype(np.int64) * 4, sized)
    known = np.flatnonzero(h.trusted == HEADER.size)
    columns["icmp.checksum.status"] = Column(checksums.status(h, h.wire[known], None, known), known)
    return columns


LAYOUTS = (IDENT, SEQUENCE, EXTENDED_ECHO, PROBE_BODY, ANSWER_BODY, GATEWAY, MTU, POINTER, LENGTH, TIMESTAMPS, MASK, ROUTERS, ROUTER)
FIELDS = (f for layout in LAYOUTS for f in layout.fields if f.label)
QUOTED_BYTES = Field("icmp.length.original_datagram", u16, "Length of the quoted datagram", "bytes")


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
        ((*FIELDS, QUOTED_BYTES, checksums.status_field("icmp.checksum.status")), _body),
        (
            (
                Field("icmp.data_time", date, "Time in the data", "when the program asked, by its own clock"),
                Field("icmp.data_time_relative", seconds, "Time since then", "up to this frame"),
            ),
            _data_times,
        ),
        (icmp_extensions.FIELDS, lambda h: icmp_extensions.columns(h, _quoted(h)[1])),
    ),
    external_fields=(  # from `correlators.echo_matching`
        Field("icmp.resp_to", u64, "Request frame", "the echo request that this answers"),
        Field("icmp.resptime", milliseconds, "Response time", "ms since the request"),
        Field("icmp.resp_in", u64, "Response frame", "always absent: fields never depend on later frames; the table pings has it"),
    ),
)
