"""Internet Control Message Protocol for IPv6 (RFC 4443), neighbour discovery (RFC 4861), DNS in advertisements (RFC 8106),
extensions (RFC 4884), multicast listeners (RFC 9777)."""

import numpy as np

from ..fields import Column, Field, Headers, Layout, Payload, Protocol, Reading, bits, flag, ipv6, mac, milliseconds, u8, u16, u24, u32, u64
from .common import checksums, icmp_extensions, mld
from .common.tlv import Options, repeated, walk
from .icmp import STATE

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
    138: "router renumbering",
    139: "node information query",
    140: "node information reply",
    143: "multicast listener report v2",
    151: "multicast router advertisement",
    152: "multicast router solicitation",
    155: "RPL control",
    160: "extended echo request",
    161: "extended echo reply",
}
CODE = {  # by type and code; RFC 4443 §3
    (1, 0): "no route",
    (1, 1): "administratively prohibited",
    (1, 2): "beyond the scope of the source",
    (1, 3): "address unreachable",
    (1, 4): "port unreachable",
    (1, 5): "source address failed policy",
    (1, 6): "route rejected",
    (1, 7): "error in the source route",
    (3, 0): "hop limit exceeded",
    (3, 1): "reassembly time exceeded",
}
HEADER = Layout(
    Field("icmpv6.type", u8, "Type", "below 128: an error", value_names=TYPE),
    Field("icmpv6.code", u8, "Code"),
    Field("icmpv6.checksum", u16, "Checksum", "over a pseudo-header too, RFC 8200 §8.1", hex=4),
)
ECHOES = (128, 129)
PROBES = PROBE, ANSWER = 160, 161  # RFC 8335
EXTENDED = (1, 3)  # RFC 4884 §4.4, §4.5: these have the length of the quoted packet
RS, RA, NS, NA, REDIRECT = 133, 134, 135, 136, 137
BODY: dict[tuple[int, ...], Layout] = {  # by type: layout of the bytes after the first four
    ECHOES + PROBES: Layout(Field("icmpv6.echo.identifier", u16, "Identifier", "which program asks", hex=4)),
    ECHOES: Layout(Field("before", u16, ""), Field("icmpv6.echo.sequence_number", u16, "Sequence number")),
    PROBES: Layout(Field("before", u16, ""), Field("icmpv6.ext.echo.seq", u8, "Sequence number", "of an extended echo, RFC 8335")),
    (PROBE,): Layout(
        Field("before", u24, ""),
        Field("", bits(7), ""),
        Field("icmpv6.ext.echo.req.local", flag, "Local", "an interface of the node itself"),
    ),
    (ANSWER,): Layout(
        Field("before", u24, ""),
        Field("icmpv6.ext.echo.rsp.state", bits(3), "Neighbor's state", value_names=STATE),
        Field("", bits(2), ""),
        Field("icmpv6.ext.echo.rsp.active", flag, "Active"),
        Field("icmpv6.ext.echo.rsp.ipv4", flag, "Runs IPv4"),
        Field("icmpv6.ext.echo.rsp.ipv6", flag, "Runs IPv6"),
    ),
    (2,): Layout(Field("icmpv6.mtu", u32, "MTU of the next hop", "bytes")),
    (4,): Layout(Field("icmpv6.pointer", u32, "Pointer", "offset of the fault in the quoted packet")),
    (NS,): Layout(Field("before", u32, ""), Field("icmpv6.nd.ns.target_address", ipv6, "Target", "whose MAC address is asked for")),
    (NA,): Layout(
        Field("icmpv6.nd.na.flag.r", flag, "From a router"),
        Field("icmpv6.nd.na.flag.s", flag, "Solicited", "answers a question"),
        Field("icmpv6.nd.na.flag.o", flag, "Override", "replaces what the cache has"),
        Field("before", bits(29), ""),
        Field("icmpv6.nd.na.target_address", ipv6, "Target"),
    ),
    (RA,): Layout(
        Field("icmpv6.nd.ra.cur_hop_limit", u8, "Hop limit", "that hosts should use; 0: not said"),
        Field("icmpv6.nd.ra.flag.m", flag, "Managed", "addresses come from DHCPv6"),
        Field("icmpv6.nd.ra.flag.o", flag, "Other", "other settings come from DHCPv6"),
        Field("icmpv6.nd.ra.flag.h", flag, "Home agent"),
        Field("icmpv6.nd.ra.flag.prf", bits(2), "Preference", value_names={0: "medium", 1: "high", 3: "low"}),
        Field("before", bits(3), ""),
        Field("icmpv6.nd.ra.router_lifetime", u16, "Router lifetime", "seconds; 0: no default router"),
        Field("icmpv6.nd.ra.reachable_time", u32, "Reachable time", "ms"),
        Field("icmpv6.nd.ra.retrans_timer", u32, "Retransmission timer", "ms"),
    ),
    (REDIRECT,): Layout(
        Field("before", u32, ""),
        Field("icmpv6.nd.rd.target_address", ipv6, "Target", "the better first hop"),
        Field("icmpv6.rd.na.destination_address", ipv6, "Destination", "for packets to there"),
    ),
}
LENGTH = Layout(Field("icmpv6.length", u8, "Length of the quoted packet", "in units of 8 bytes, where extensions follow: RFC 4884 §4"))
OPTIONS_AT = {RS: 8, RA: 16, NS: 24, NA: 24, REDIRECT: 40}  # where the options begin, RFC 4861 §4
OPTION = {
    1: "source link-layer address",
    2: "target link-layer address",
    3: "prefix",
    4: "redirected header",
    5: "MTU",
    24: "route",
    25: "DNS servers",
    31: "search list",
}
LINK = Layout(Field("icmpv6.opt.linkaddr", mac, "Link-layer address", many=True))
PREFIX = Layout(
    Field("icmpv6.opt.prefix.length", u8, "Prefix length", "bits", many=True),
    Field("icmpv6.opt.prefix.flag", u8, "Prefix flags", hex=2, many=True),
    Field("icmpv6.opt.prefix.valid_lifetime", u32, "Valid lifetime", "seconds", many=True),
    Field("icmpv6.opt.prefix.preferred_lifetime", u32, "Preferred lifetime", "seconds", many=True),
    Field("before", u32, ""),
    Field("icmpv6.opt.prefix", ipv6, "Prefix", many=True),
)
LINK_MTU = Layout(Field("before", u16, ""), Field("icmpv6.opt.mtu", u32, "MTU", "of the link, bytes", many=True))
SERVER = Layout(Field("icmpv6.opt.rdnss", ipv6, "DNS server", many=True))


def _length(h: Headers) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the messages that have the length of the quoted packet, and that length in units of 8 bytes."""
    rows = np.flatnonzero(np.isin(h["icmpv6.type"], EXTENDED) & h.whole)
    length = Reading(LENGTH, h.buffer, h.start[rows] + HEADER.size, h.end[rows])["icmpv6.length"]
    return rows[length > 0], length[length > 0]


def _quoted(h: Headers) -> tuple[np.ndarray, np.ndarray]:
    """End of the quoted packet, start of the extensions (`wire` if there are none); int64 (n,)."""
    end, extensions = h.wire.copy(), np.where(h["icmpv6.type"] == PROBE, np.minimum(h.start + 8, h.wire), h.wire)
    rows, length = _length(h)
    end[rows] = extensions[rows] = np.minimum(h.start[rows] + 8 + 8 * length.astype(np.int64), h.wire[rows])
    return end, extensions


def contents(h: Headers):
    kind = h["icmpv6.type"]
    start = h.start + 8
    quotes = (kind >= 1) & (kind <= 4)
    echo = np.isin(kind, ECHOES)
    decoded = np.isin(kind, (*OPTIONS_AT, *PROBES, *mld.KINDS))
    end, extensions = _quoted(h)
    icmp_extensions.check(h, extensions)
    mld.check(h)
    rows, length = _length(h)
    needed = np.zeros(len(h), np.int64)
    needed[rows] = 8 * length.astype(np.int64)
    beyond = (start + needed > h.wire) & (needed > 0) & ~h.quoted
    h.fault(beyond, "icmpv6.length", "says {needed} bytes, there are {had}", needed, h.wire - start, h.start + HEADER.size)
    if decoded.any():
        h.column("icmpv6.opt.type")  # reports misfits even if no table needs the options
    yield Payload("ipversion", 6, start, end, np.flatnonzero(quotes), quoted=True)
    yield Payload("data", 0, start, h.wire, np.flatnonzero(echo))
    yield Payload("icmpv6.type", kind, h.start + HEADER.size, h.wire, np.flatnonzero(~quotes & ~echo & ~decoded))
    redirected = np.flatnonzero(kind == REDIRECT)
    if len(redirected):
        options = _walk_options(h)
        pick = options.of(4, 16)
        at = np.zeros(len(h), np.int64)
        at[options.row[pick]] = options.at[pick] + 8
        end = np.zeros(len(h), np.int64)
        end[options.row[pick]] = options.at[pick] + options.size[pick]
        yield Payload("ipversion", 6, at, end, np.flatnonzero(at), quoted=True)


def _walk_options(h: Headers) -> Options:
    offsets = np.zeros(256, np.int64)
    offsets[list(OPTIONS_AT)] = list(OPTIONS_AT.values())
    offset = offsets[h["icmpv6.type"]]
    there = h.whole & (offset > 0)
    start = h.start + np.where(there, offset, 0)
    return walk(h, start, np.where(there, h.wire, start), unit=8)


def _body(h: Headers) -> dict[str, Column]:
    kind = h["icmpv6.type"]
    columns = {}
    for kinds, layout in BODY.items():
        rows = np.flatnonzero(np.isin(kind, kinds) & h.whole)
        reading = Reading(layout, h.buffer, h.start[rows] + HEADER.size, h.end[rows], rows)
        columns.update({f.name: reading.column(f.name) for f in layout.fields if f.label})
    rows, length = _length(h)
    columns["icmpv6.length"] = Column(length, rows)
    return columns


def _options(h: Headers) -> dict[str, Column]:
    options = _walk_options(h)
    h.fault((options.bad >= 0) & ~h.quoted & (h.wire <= h.end), "icmpv6.opt.type", "does not fit into the message", at=options.bad)
    row, at, size, kind, _ = options
    columns = {"icmpv6.opt.type": Column(kind, row), "icmpv6.opt.length": Column(h.buffer[np.minimum(at + 1, len(h.buffer) - 1)], row)}
    for layout, pick in (
        (LINK, np.flatnonzero(np.isin(kind, (1, 2)) & (size >= 8))),
        (PREFIX, options.of(3, 32, 32)),
        (LINK_MTU, options.of(5, 8, 8)),
    ):
        reading = Reading(layout, h.buffer, at[pick] + 2, at[pick] + size[pick], row[pick])
        columns.update({f.name: reading.column(f.name) for f in layout.fields if f.label})
    # A route (RFC 4191 §2.3) has a prefix too: as many bytes of it as the option has room for.
    route = options.of(24, 8, 24)
    servers = options.of(25, 24, 2040)
    count = (size[servers] - 8) // 16
    owner, nth = repeated(count)
    place = at[servers][owner] + 8 + 16 * nth
    columns["icmpv6.opt.rdnss"] = Reading(SERVER, h.buffer, place, place + 16, row[servers][owner]).column("icmpv6.opt.rdnss")
    both = np.concatenate((options.of(3, 32, 32), route))
    if len(route):
        lengths = h.buffer[at[both] + 2]
        prefixes = np.zeros((len(both), 16), np.uint8)
        for i, option in enumerate(both.tolist()):
            offset, room = (16, 16) if kind[option] == 3 else (8, int(size[option]) - 8)
            prefixes[i, :room] = h.buffer[at[option] + offset : at[option] + offset + room]
        order = np.argsort(both)
        columns["icmpv6.opt.prefix"] = Column(prefixes.view("V16").reshape(-1)[order], row[both][order])
        columns["icmpv6.opt.prefix.length"] = Column(lengths[order], row[both][order])
    return columns


def _status(h: Headers) -> dict[str, Column]:
    rows = np.flatnonzero(h.trusted == HEADER.size)
    return {"icmpv6.checksum.status": Column(checksums.status(h, h.wire[rows], checksums.pseudo(h, h.wire - h.start, 58), rows), rows)}


OPTION_FIELDS = (
    Field("icmpv6.opt.type", u8, "Option", value_names=OPTION, many=True),
    Field("icmpv6.opt.length", u8, "Option length", "in units of 8 bytes", many=True),
    *(f for layout in (LINK, PREFIX, LINK_MTU, SERVER) for f in layout.fields if f.label),
)


PROTOCOL = Protocol(
    "icmpv6",
    "ICMPv6",
    __doc__,
    header=HEADER,
    on={"ipproto": 58},
    info="{icmpv6.type:words}[ for {icmpv6.nd.ns.target_address}][ for {icmpv6.nd.na.target_address}][ id {icmpv6.echo.identifier}]"
    "[ seq {icmpv6.echo.sequence_number}][ MTU {icmpv6.mtu}]"
    "[ of {icmpv6.mld.multicast_address}][ of {icmpv6.mldr.mar.multicast_address}]",
    contents=contents,
    derived=(
        ((*(f for layout in BODY.values() for f in layout.fields if f.label), *LENGTH.fields), _body),
        (OPTION_FIELDS, _options),
        ((checksums.status_field("icmpv6.checksum.status"),), _status),
        (mld.FIELDS, mld.columns),
        (icmp_extensions.FIELDS, lambda h: icmp_extensions.columns(h, _quoted(h)[1])),
    ),
    external_fields=(  # from `correlators.echo_matching`
        Field("icmpv6.resp_to", u64, "Request frame", "the echo request that this answers"),
        Field("icmpv6.resptime", milliseconds, "Response time", "ms since the request"),
    ),
)
