"""Open Shortest Path First: routers flood their links to each other, and each computes all routes.

Version 2 (IPv4): RFC 2328 appendix A; version 3 (IPv6): RFC 5340 appendix A, other address families RFC 5838; not-so-stubby areas
RFC 3101; opaque advertisements RFC 5250 (of these the header).
"""

import numpy as np

from ..fields import Column, Field, Headers, Layout, Protocol, bits, flag, ipv4, ipv6, raw, text, u8, u16, u24, u32
from .common import checksums
from .common.parts import Parts, misfits, needs, peek
from .common.tlv import items, records, repeated

HELLO, DESCRIPTION, REQUEST, UPDATE, ACKNOWLEDGMENT = range(1, 6)
MSG = {
    HELLO: "hello",
    DESCRIPTION: "database description",
    REQUEST: "link state request",
    UPDATE: "link state update",
    ACKNOWLEDGMENT: "link state acknowledgment",
}
AUTH = {0: "none", 1: "password", 2: "digest"}
PASSWORD, DIGEST = 1, 2
ROUTER, NETWORK, SUMMARY, BORDER, EXTERNAL, NSSA = 1, 2, 3, 4, 5, 7
LSA = {
    ROUTER: "router",
    NETWORK: "network",
    SUMMARY: "summary of a network",
    BORDER: "summary of a border router",
    EXTERNAL: "external",
    6: "group membership",
    NSSA: "external, not-so-stubby",
    8: "external attributes",
    9: "opaque, link",
    10: "opaque, area",
    11: "opaque, everywhere",
}
OPAQUE = (9, 10, 11)
ROUTER3, NETWORK3, PREFIX3, BORDER3, EXTERNAL3, NSSA3, LINK3, INTRA3 = 1, 2, 3, 4, 5, 7, 8, 9
LSA3 = {
    ROUTER3: "router",
    NETWORK3: "network",
    PREFIX3: "inter-area prefix",
    BORDER3: "inter-area router",
    EXTERNAL3: "external",
    6: "group membership",
    NSSA3: "external, not-so-stubby",
    LINK3: "link",
    INTRA3: "intra-area prefix",
    12: "router information",
}
LSA3_TYPE = {(0 if code == LINK3 else 2 if code == EXTERNAL3 else 1) << 13 | code: label for code, label in LSA3.items()}  # with its scope
SCOPE = {0: "link", 1: "area", 2: "everywhere"}
LINK = {1: "to a router", 2: "to a transit network", 3: "to a stub network", 4: "virtual"}
HEADER = Layout(
    Field("ospf.version", u8, "Version"),
    Field("ospf.msg", u8, "Message", value_names=MSG),
    Field("ospf.packet_length", u16, "Length", "bytes, this header included, without the authentication data"),
    Field("ospf.srcrouter", ipv4, "Router", "the sender's number"),
    Field("ospf.area_id", ipv4, "Area", "0.0.0.0: the backbone"),
    Field("ospf.checksum", u16, "Checksum", "version 2: without the authentication; 3: over a pseudo-header too", hex=4),
)
AUTH_TYPE = Layout(Field("ospf.auth.type", u16, "Authentication", value_names=AUTH))
SIGNED = Layout(
    Field("before", u16, ""),
    Field("ospf.auth.crypt.key_id", u8, "Key number"),
    Field("ospf.auth.crypt.data_length", u8, "Digest's length", "bytes, after the packet"),
    Field("ospf.auth.crypt.seq_nbr", u32, "Sequence number", "against replay"),
)
INSTANCE = Layout(Field("ospf.instance_id", u8, "Instance", "several on one link; 64 to 127: of IPv4, RFC 5838"))
AUTHENTICATION_SIZE = 8  # bytes of authentication data in version 2's header
FIXED = {2: HEADER.size + AUTH_TYPE.size + AUTHENTICATION_SIZE, 3: HEADER.size + INSTANCE.size + 1}

OPTIONS2 = Field("ospf.v2.options", u8, "Options", hex=2, many=True, parts=(
    Field("ospf.v2.options.dn", flag, "Down", "came from a VPN", many=True),
    Field("ospf.v2.options.o", flag, "Opaque advertisements", many=True),
    Field("ospf.v2.options.dc", flag, "Demand circuits", many=True),
    Field("ospf.v2.options.l", flag, "Link-local signaling", "a block of it follows", many=True),
    Field("ospf.v2.options.n", flag, "Not so stubby", many=True),
    Field("ospf.v2.options.mc", flag, "Multicast", many=True),
    Field("ospf.v2.options.e", flag, "External routes", "0: a stub area", many=True),
    Field("ospf.v2.options.mt", flag, "Several topologies", many=True),
))  # fmt: skip
OPTIONS3 = Field("ospf.v3.options", u24, "Options", hex=6, many=True, parts=(
    Field("", bits(13), ""),
    Field("ospf.v3.options.at", flag, "Authentication trailer", many=True),
    Field("ospf.v3.options.l", flag, "Link-local signaling", many=True),
    Field("ospf.v3.options.af", flag, "Address families", many=True),
    Field("unused", bits(2), ""),
    Field("ospf.v3.options.dc", flag, "Demand circuits", many=True),
    Field("ospf.v3.options.r", flag, "Router", "forwards", many=True),
    Field("ospf.v3.options.n", flag, "Not so stubby", many=True),
    Field("ospf.v3.options.mc", flag, "Multicast", many=True),
    Field("ospf.v3.options.e", flag, "External routes", "0: a stub area", many=True),
    Field("ospf.v3.options.v6", flag, "IPv6", "takes part in its routing", many=True),
))  # fmt: skip
PRIORITY = Field("ospf.hello.router_priority", u8, "Priority", "the highest becomes designated router; 0: never")
DESIGNATED = (
    Field("ospf.hello.designated_router", ipv4, "Designated router", "0.0.0.0: none"),
    Field("ospf.hello.backup_designated_router", ipv4, "Backup designated router", "0.0.0.0: none"),
)
INTERVAL, DEAD = "Hello interval", "Dead interval"
HELLO2 = Layout(
    Field("ospf.hello.network_mask", ipv4, "Network mask"),
    Field("ospf.hello.hello_interval", u16, INTERVAL, "seconds"),
    OPTIONS2,
    PRIORITY,
    Field("ospf.hello.router_dead_interval", u32, DEAD, "seconds of silence after which the neighbor is gone"),
    *DESIGNATED,
)
HELLO3 = Layout(
    Field("ospf.hello.interface_id", u32, "Interface"),
    PRIORITY,
    OPTIONS3,
    Field("ospf.hello.hello_interval", u16, INTERVAL, "seconds"),
    Field("ospf.hello.router_dead_interval", u16, DEAD, "seconds of silence after which the neighbor is gone"),
    *DESIGNATED,
)
NEIGHBOR = Layout(Field("ospf.hello.active_neighbor", ipv4, "Neighbor", "received from within the dead interval", many=True))
FLAGS = Field("ospf.dbd", u8, "Description flags", hex=2, parts=(
    Field("", bits(4), ""),
    Field("ospf.dbd.r", flag, "Resynchronizes", "RFC 4811"),
    Field("ospf.dbd.i", flag, "Initial", "the first"),
    Field("ospf.dbd.m", flag, "More", "descriptions follow"),
    Field("ospf.dbd.ms", flag, "Master", "of the exchange"),
))  # fmt: skip
INTERFACE_MTU = Field("ospf.db.interface_mtu", u16, "MTU", "of the interface; neighbors with another do not agree")
DD_SEQUENCE = Field("ospf.db.dd_sequence", u32, "Description's sequence number")
DESCRIPTION2 = Layout(INTERFACE_MTU, OPTIONS2, FLAGS, DD_SEQUENCE)
DESCRIPTION3 = Layout(Field("reserved", u8, ""), OPTIONS3, INTERFACE_MTU, Field("reserved", u8, ""), FLAGS, DD_SEQUENCE)
COUNT = Layout(Field("ospf.ls.number_of_lsas", u32, "Advertisements"))

# ---------------------------------------------------------------- advertisements: their header, RFC 2328 §A.4.1, RFC 5340 §A.4.2

LS_TYPE = Field("ospf.lsa", u8, "Advertisement", value_names=LSA, many=True)
LS_TYPE3 = Field("ospf.v3.lsa", u16, "Advertisement", hex=4, value_names=LSA3_TYPE, many=True, parts=(
    Field("ospf.v3.lsa.u", flag, "Flooded if unknown", many=True),
    Field("ospf.v3.lsa.s12", bits(2), "Flooding scope", value_names=SCOPE, many=True, hex=2),
    Field("ospf.v3.lsa.fc", bits(13), "Function", value_names=LSA3, many=True),
))  # fmt: skip
LS_ID = Field("ospf.lsa.id", ipv4, "Link state number", "its meaning depends on the type", many=True)
STATE_ID = Field("ospf.link_state_id", ipv4, "Link state number", "of what is asked for, and in version 3", many=True)
WHOSE = Field("ospf.advrouter", ipv4, "Advertising router", many=True)
REST = (
    Field("ospf.lsa.seqnum", u32, "Advertisement's sequence number", "from 0x80000001 up, with a sign", hex=8, many=True),
    Field("ospf.lsa.chksum", u16, "Advertisement's checksum", "Fletcher's, over all but the age", hex=4, many=True),
    Field("ospf.lsa.length", u16, "Advertisement's length", "bytes, its header included", many=True),
)
OLD, AGE = "Does not age", Field("ospf.lsa.age", bits(15), "Age", "seconds since it was made; 3600: withdrawn", many=True)
LSA2_HEAD = Layout(Field("ospf.lsa.donotage", bits(1), OLD, many=True), AGE, OPTIONS2, LS_TYPE, LS_ID, WHOSE, *REST)
LSA3_HEAD = Layout(Field("ospf.v3.lsa.do_not_age", flag, OLD, many=True), AGE, LS_TYPE3, STATE_ID, WHOSE, *REST)
SIZE, LENGTH_AT = LSA2_HEAD.size, LSA2_HEAD.places["ospf.lsa.length"].offset
REQUEST2 = Layout(Field("type", u24, ""), LS_TYPE, STATE_ID, WHOSE)
REQUEST3 = Layout(Field("type", u16, ""), LS_TYPE3, STATE_ID, WHOSE)
OPAQUE_HEAD = Layout(
    *(f if f is not LS_ID else Field("opaque", ipv4, "") for f in LSA2_HEAD.fields)
)  # the link state ID is a type and a number: RFC 5250 §3
OPAQUE_ID = Layout(Field("before", u32, ""), Field("ospf.lsid_opaque_type", u8, "Opaque type", "1: traffic engineering", many=True))
OPAQUE_REST = Layout(*OPAQUE_ID.fields, Field("ospf.lsid.opaque_id", u24, "Opaque number", many=True))
TE_REST = Layout(
    *OPAQUE_ID.fields, Field("reserved", u8, ""), Field("ospf.lsid_te_lsa.instance", u16, "Instance of traffic engineering", many=True)
)

# ---------------------------------------------------------------- their bodies, RFC 2328 §A.4.2 to 5

METRIC24 = Field("ospf.metric", u24, "Metric", many=True)
METRIC16 = Field("ospf.metric", u16, "Metric", many=True)
TOS = Field("ospf.lsa.tos", u8, "Type of service", many=True)
ROUTER_HEAD = Layout(
    Field("ospf.v2.router.lsa.flags", u8, "Router's flags", hex=2, many=True, parts=(
        Field("ospf.v2.router.lsa.flags.h", flag, "Host", "forwards nothing", many=True),
        Field("unused", bits(2), ""),
        Field("ospf.v2.router.lsa.flags.n", flag, "Translates not-so-stubby routes", many=True),
        Field("ospf.v2.router.lsa.flags.w", flag, "Wild-card multicast receiver", many=True),
        Field("ospf.v2.router.lsa.flags.v", flag, "Endpoint of a virtual link", many=True),
        Field("ospf.v2.router.lsa.flags.e", flag, "Boundary router of the system", many=True),
        Field("ospf.v2.router.lsa.flags.b", flag, "Border router of the area", many=True),
    )),
    Field("reserved", u8, ""),
    Field("ospf.lsa.number_of_links", u16, "Links", many=True),
)  # fmt: skip
LINKED = Layout(
    Field("ospf.lsa.router.linkid", ipv4, "Link's end", "a router, a designated router or a network", many=True),
    Field("ospf.lsa.router.linkdata", ipv4, "Link's data", "a mask or the router's own address", many=True),
    Field("ospf.lsa.router.linktype", u8, "Link", value_names=LINK, many=True),
    Field("ospf.lsa.router.nummetrics", u8, "Metrics by type of service", many=True),
    Field("ospf.lsa.router.metric0", u16, "Link's metric", many=True),
)
METRICS_AT = LINKED.places["ospf.lsa.router.nummetrics"].offset
BY_SERVICE = Layout(TOS, Field("reserved", u8, ""), METRIC16)
MASK = Layout(Field("ospf.lsa.network.netmask", ipv4, "Netmask", many=True))
ATTACHED = Layout(Field("ospf.lsa.network.attchrtr", ipv4, "Attached router", many=True))
SUMMED = Layout(Field("ospf.lsa.asbr.netmask", ipv4, "Netmask", many=True))
SERVICE = Layout(TOS, METRIC24)
OUTSIDE = Layout(Field("ospf.lsa.asext.netmask", ipv4, "Netmask", many=True))
OUTSIDE_BY = Layout(
    Field("ospf.lsa.asext.type", flag, "Type 2", "its metric outweighs all internal routes", many=True),
    Field("ospf.lsa.tos", bits(7), "Type of service", many=True),
    METRIC24,
    Field("ospf.lsa.asext.fwdaddr", ipv4, "Forwarding address", "0.0.0.0: the advertising router", many=True),
    Field("ospf.lsa.asext.extrttag", u32, "Route tag", many=True),
)

# ---------------------------------------------------------------- and RFC 5340 §A.4.3 to 10

ROUTER3_HEAD = Layout(
    Field("ospf.v3.router.lsa.flags", u8, "Router's flags", hex=2, many=True, parts=(
        Field("unused", bits(4), ""),
        Field("ospf.v3.router.lsa.flags.w", flag, "Wild-card multicast receiver", many=True),
        Field("ospf.v3.router.lsa.flags.v", flag, "Endpoint of a virtual link", many=True),
        Field("ospf.v3.router.lsa.flags.e", flag, "Boundary router of the system", many=True),
        Field("ospf.v3.router.lsa.flags.b", flag, "Border router of the area", many=True),
    )),
    OPTIONS3,
)  # fmt: skip
LINKED3 = Layout(
    Field("ospf.v3.lsa.type", u8, "Link", value_names=LINK, many=True),
    Field("reserved", u8, ""),
    METRIC16,
    Field("ospf.v3.lsa.interface_id", u32, "Interface", many=True),
    Field("ospf.v3.lsa.neighbor_interface_id", u32, "Neighbor's interface", many=True),
    Field("ospf.v3.lsa.neighbor_router_id", ipv4, "Neighbor", many=True),
)
NETWORK3_HEAD = Layout(Field("reserved", u8, ""), OPTIONS3)
ATTACHED3 = Layout(Field("ospf.v3.lsa.attached_router", ipv4, "Attached router", many=True))
PREFIX3_HEAD = Layout(Field("reserved", u8, ""), METRIC24)
BORDER3_HEAD = Layout(
    Field("reserved", u8, ""),
    OPTIONS3,
    Field("reserved", u8, ""),
    METRIC24,
    Field("ospf.v3.lsa.destination_router_id", ipv4, "Router reached", many=True),
)
EXTERNAL3_HEAD = Layout(
    Field("ospf.v3.as.external.flags", u8, "External flags", hex=2, many=True, parts=(
        Field("unused", bits(5), ""),
        Field("ospf.v3.as.external.flags.e", flag, "Type 2", "its metric outweighs all internal routes", many=True),
        Field("ospf.v3.as.external.flags.f", flag, "Has a forwarding address", many=True),
        Field("ospf.v3.as.external.flags.t", flag, "Has a route tag", many=True),
    )),
    METRIC24,
)  # fmt: skip
FORWARD = Layout(Field("ospf.v3.lsa.forwarding_address.ipv6", ipv6, "Forwarding address", many=True))
TAG = Layout(Field("ospf.v3.lsa.external_route_tag", u32, "Route tag", many=True))
REFERRED = Field("ospf.v3.lsa.referenced_ls_type", u16, "Type referred to", hex=4, value_names=LSA3_TYPE, many=True)
REFERRED_ID = Layout(Field("ospf.v3.lsa.referenced_link_state_id", ipv4, "Link state number referred to", many=True))
LINK3_HEAD = Layout(
    Field("ospf.v3.lsa.router_priority", u8, "Priority", many=True),
    OPTIONS3,
    Field("ospf.v3.lsa.link_local_interface_address.ipv6", ipv6, "Link-local address", many=True),
    Field("ospf.v3.lsa.num_prefixes", u32, "Prefixes", many=True),
)
INTRA3_HEAD = Layout(
    Field("ospf.v3.lsa.num_prefixes", u16, "Prefixes", many=True),
    REFERRED,
    *REFERRED_ID.fields,
    Field("ospf.v3.lsa.referenced_advertising_router", ipv4, "Advertising router referred to", many=True),
)
PREFIX = (
    Field("ospf.prefix_length", u8, "Prefix length", "bits", many=True),
    Field("ospf.v3.prefix.options", u8, "Prefix options", hex=2, many=True, parts=(
        Field("unused", bits(4), ""),
        Field("ospf.v3.prefix.options.p", flag, "Propagate", many=True),
        Field("ospf.v3.prefix.options.mc", flag, "Multicast", many=True),
        Field("ospf.v3.prefix.options.la", flag, "Local address", "of the router itself", many=True),
        Field("ospf.v3.prefix.options.nu", flag, "No unicast", many=True),
    )),
)  # fmt: skip
PREFIXED = Layout(*PREFIX, Field("reserved", u16, ""))
PREFIXED_METRIC = Layout(*PREFIX, METRIC16)
PREFIXED_REFERRED = Layout(*PREFIX, REFERRED)
ADDRESS = Layout(Field("ospf.v3.address_prefix.ipv6", ipv6, "Prefix", many=True))
ADDRESS4 = Layout(Field("ospf.v3.address_prefix.ipv4", ipv4, "Prefix", many=True))


def _fixed(h: Headers) -> np.ndarray:
    """Bytes of the header, int64; 0 in versions that are not known."""
    return np.select([h["ospf.version"] == version for version in FIXED], list(FIXED.values()), 0)


def _bounds(h: Headers) -> tuple[np.ndarray, np.ndarray]:
    """Start and end of the body, int64."""
    start = np.minimum(h.start + _fixed(h), h.wire)
    return start, np.maximum(np.minimum(h.start + h["ospf.packet_length"], h.wire), start)


BODY = {  # (version, message): start of its body
    (2, HELLO): HELLO2,
    (3, HELLO): HELLO3,
    (2, DESCRIPTION): DESCRIPTION2,
    (3, DESCRIPTION): DESCRIPTION3,
    (2, UPDATE): COUNT,
    (3, UPDATE): COUNT,
}


def check(h: Headers) -> None:
    version, length = h["ospf.version"], h["ospf.packet_length"].astype(np.int64)
    h.fault(h.whole & ~np.isin(version, list(FIXED)), "ospf.version", "is {had}, not 2 or 3", had=version)
    least = _fixed(h)
    for (number, msg), layout in BODY.items():
        least = least + np.where((version == number) & (h["ospf.msg"] == msg), layout.size, 0)
    needs(h, least)
    room = h.wire - h.start
    sentence = "is {had}, less than the {needed} of such a packet"
    h.fault(h.whole & (length < least) & (room >= least), "ospf.packet_length", sentence, least, length, h.start + 2)
    beyond = h.whole & (length > room) & ~h.quoted
    h.fault(beyond, "ospf.packet_length", "says {needed} bytes, there are {had}", length, room, h.start + 2)
    updates = np.flatnonzero(h.whole & (h["ospf.msg"] == UPDATE))
    if len(updates):
        misfits(h, _advertised(h, updates)[3], "ospf.lsa.length", "is more than the packet has, or less than an advertisement's header")


def _advertised(h: Headers, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(header, offset and end of each advertisement of these updates; for each header the offset of one that does not fit, -1: none)."""
    start, end = _bounds(h)
    picked = np.zeros(len(h), bool)
    picked[rows] = True
    count = np.zeros(len(h), np.int64)
    count[rows] = peek(h, COUNT, rows, start[rows], end[rows])["ospf.ls.number_of_lsas"]
    first = np.minimum(np.where(picked, start + COUNT.size, end), end)
    advertisements = items(h, first, end, head=0, least=SIZE, place=LENGTH_AT)
    before = np.searchsorted(advertisements.row, np.arange(len(h)))
    counted = np.arange(len(advertisements.row)) - before[advertisements.row] < count[advertisements.row]
    bad = np.full(len(h), -1)
    wrong = counted & (advertisements.size == 0)
    bad[advertisements.row[wrong]] = advertisements.at[wrong]
    there = np.flatnonzero(counted & (advertisements.size > 0))
    return advertisements.row[there], advertisements.at[there], (advertisements.at + advertisements.size)[there], bad


def _status(h: Headers) -> dict[str, Column]:
    rows = np.flatnonzero(h.whole & np.isin(h["ospf.version"], list(FIXED)))
    end = h.start + h["ospf.packet_length"]
    fits = (end[rows] <= h.wire[rows]) & (end[rows] <= h.end[rows]) & (h["ospf.packet_length"][rows] >= _fixed(h)[rows]) & ~h.quoted[rows]
    status = np.full(len(rows), checksums.UNVERIFIED, np.uint8)
    second = h["ospf.version"][rows] == 2
    kind = peek(h, AUTH_TYPE, rows, h.start[rows] + HEADER.size)["ospf.auth.type"]
    status[second & (kind == DIGEST)] = checksums.ABSENT  # RFC 2328 §D.4.3: the digest is the checksum
    at = np.flatnonzero(fits & second & (kind != DIGEST))
    start = h.start[rows[at]]
    head = checksums.sums(h, start, start + HEADER.size + AUTH_TYPE.size)
    status[at] = np.where(checksums.sums(h, start + FIXED[2], end[rows[at]], head) == 0xFFFF, checksums.GOOD, checksums.BAD)
    at = np.flatnonzero(fits & ~second)
    if len(at):
        more = checksums.pseudo(h, h["ospf.packet_length"].astype(np.int64), 89)
        status[at] = checksums.status(h, end[rows[at]], more, rows[at])
    return {"ospf.checksum.status": Column(status, rows)}


# ---------------------------------------------------------------- reading


def _derived(h: Headers) -> dict[str, Column]:
    parts = Parts(h, FIELDS)
    version, msg = h["ospf.version"], h["ospf.msg"]
    _authentication(h, parts)
    rows = np.flatnonzero(h.whole & (version == 3))
    parts.read(INSTANCE, rows, h.start[rows] + HEADER.size)
    start, end = _bounds(h)

    def of(number: int, *kinds: int) -> np.ndarray:
        return np.flatnonzero(h.whole & (version == number) & np.isin(msg, kinds))

    def every(layout: Layout, rows: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As many of a layout as fit from `at` on: header and offset of each."""
        owner, nth = repeated(np.maximum(np.minimum(end[rows], h.end[rows]) - at, 0) // layout.size)
        return rows[owner], at[owner] + layout.size * nth

    for (number, kind), layout in BODY.items():
        rows = of(number, kind)
        parts.read(layout, rows, start[rows], end[rows])
        if kind == HELLO:
            parts.read(NEIGHBOR, *every(NEIGHBOR, rows, start[rows] + layout.size))
    for number, layout in ((2, REQUEST2), (3, REQUEST3)):
        rows = of(number, REQUEST)
        parts.read(layout, *every(layout, rows, start[rows]))
    for number, head in ((2, LSA2_HEAD), (3, LSA3_HEAD)):
        for kind in (DESCRIPTION, ACKNOWLEDGMENT):
            rows = of(number, kind)
            size = BODY[number, kind].size if kind == DESCRIPTION else 0
            _heads(parts, head, *every(head, rows, start[rows] + size))
        rows, at, stop, _ = _advertised(h, of(number, UPDATE))
        types = _heads(parts, head, rows, at)
        (_bodies2 if number == 2 else _bodies3)(h, parts, types, rows, at + SIZE, stop)
    return dict(parts.columns())


def _authentication(h: Headers, parts: Parts) -> None:
    rows = np.flatnonzero(h.whole & (h["ospf.version"] == 2))
    at = h.start[rows] + HEADER.size
    kind = parts.read(AUTH_TYPE, rows, at)["ospf.auth.type"]
    at = at + AUTH_TYPE.size
    for number, name in ((0, "ospf.auth.none"), (PASSWORD, "ospf.auth.simple")):
        these = kind == number
        (parts.text if number else parts.bytes)(name, rows[these], at[these], at[these] + AUTHENTICATION_SIZE)
    these = kind == DIGEST
    rows, at = rows[these], at[these]
    length = parts.read(SIGNED, rows, at)["ospf.auth.crypt.data_length"]
    end = h.start[rows] + h["ospf.packet_length"][rows]
    parts.bytes("ospf.auth.crypt.data", rows, end, np.minimum(end + length, h.wire[rows]))


def _heads(parts: Parts, head: Layout, rows: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Read headers of advertisements; returns their types."""
    if head is LSA3_HEAD:
        return parts.read(head, rows, at)["ospf.v3.lsa"]
    kind = peek(parts.h, head, rows, at)["ospf.lsa"]
    opaque = np.isin(kind, OPAQUE)
    engineering = opaque & (peek(parts.h, OPAQUE_ID, rows, at)["ospf.lsid_opaque_type"] == 1)
    for layout, these in ((head, ~opaque), (OPAQUE_HEAD, opaque), (OPAQUE_REST, opaque & ~engineering), (TE_REST, engineering)):
        parts.read(layout, rows[these], at[these])
    return kind


def _bodies2(h: Headers, parts: Parts, types: np.ndarray, rows: np.ndarray, at: np.ndarray, end: np.ndarray) -> None:
    def of(*kinds: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        these = np.isin(types, kinds)
        return rows[these], at[these], end[these]

    def fill(layout: Layout, row: np.ndarray, place: np.ndarray, stop: np.ndarray) -> None:
        owner, nth = repeated(np.maximum(np.minimum(stop, h.end[row]) - place, 0) // layout.size)
        parts.read(layout, row[owner], place[owner] + layout.size * nth)

    row, place, stop = of(ROUTER)
    links = parts.read(ROUTER_HEAD, row, place, stop)["ospf.lsa.number_of_links"]
    stop = np.minimum(stop, h.end[row])
    link_records = records(h, place + ROUTER_HEAD.size, stop, links, LINKED.size, few=(METRICS_AT, 1, BY_SERVICE.size))
    there = np.flatnonzero(link_records.size > 0)
    place, stop, row = link_records.at[there], (link_records.at + link_records.size)[there], row[link_records.row[there]]
    parts.read(LINKED, row, place)
    fill(BY_SERVICE, row, place + LINKED.size, stop)
    for kinds, first, again in (
        ((NETWORK,), MASK, ATTACHED),
        ((SUMMARY, BORDER), SUMMED, SERVICE),
        ((EXTERNAL, NSSA), OUTSIDE, OUTSIDE_BY),
    ):
        row, place, stop = of(*kinds)
        parts.read(first, row, place, stop)
        fill(again, row, place + first.size, stop)


def _bodies3(h: Headers, parts: Parts, types: np.ndarray, rows: np.ndarray, at: np.ndarray, end: np.ndarray) -> None:
    code = types & 0x1FFF
    end = np.minimum(end, h.end[rows])

    def of(*codes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        these = np.isin(code, codes)
        return rows[these], at[these], end[these]

    for number, first, again in ((ROUTER3, ROUTER3_HEAD, LINKED3), (NETWORK3, NETWORK3_HEAD, ATTACHED3)):
        row, place, stop = of(number)
        parts.read(first, row, place, stop)
        place = place + first.size
        owner, nth = repeated(np.maximum(stop - place, 0) // again.size)
        parts.read(again, row[owner], place[owner] + again.size * nth)
    parts.read(BORDER3_HEAD, *of(BORDER3))

    row, place, stop = of(PREFIX3)
    parts.read(PREFIX3_HEAD, row, place, stop)
    _prefixes(h, parts, PREFIXED, row, place + PREFIX3_HEAD.size, stop, np.ones(len(row), np.int64))

    row, place, stop = of(EXTERNAL3, NSSA3)
    flags = parts.read(EXTERNAL3_HEAD, row, place, stop)
    place = place + EXTERNAL3_HEAD.size
    refers = peek(h, PREFIXED_REFERRED, row, place, stop)["ospf.v3.lsa.referenced_ls_type"] > 0
    place = _prefixes(h, parts, PREFIXED_REFERRED, row, place, stop, np.ones(len(row), np.int64))
    for layout, has in (
        (FORWARD, flags["ospf.v3.as.external.flags.f"]),
        (TAG, flags["ospf.v3.as.external.flags.t"]),
        (REFERRED_ID, refers),
    ):
        parts.read(layout, row[has], place[has], stop[has])
        place = place + layout.size * has

    for number, head, each in ((LINK3, LINK3_HEAD, PREFIXED), (INTRA3, INTRA3_HEAD, PREFIXED_METRIC)):
        row, place, stop = of(number)
        count = parts.read(head, row, place, stop)["ospf.v3.lsa.num_prefixes"]
        _prefixes(h, parts, each, row, place + head.size, stop, count)


def _prefixes(h: Headers, parts: Parts, layout: Layout, rows: np.ndarray, at: np.ndarray, end: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Read `count` prefixes, each with the words of four bytes that its length needs; returns the end of each list."""
    prefixes = records(h, np.minimum(at, end), end, count, layout.size, few=(0, 32, 4))
    there = np.flatnonzero(prefixes.size > 0)
    row, place, size = rows[prefixes.row[there]], prefixes.at[there], prefixes.size[there] - layout.size
    parts.read(layout, row, place)
    instance = peek(h, INSTANCE, row, h.start[row] + HEADER.size)["ospf.instance_id"]
    four = (instance >= 64) & (instance < 128)  # RFC 5838 §2.1
    for mask, address in ((four, ADDRESS4), (~four, ADDRESS)):
        these = np.flatnonzero(mask & (size <= address.size))
        start = place[these] + layout.size
        whole = peek(h, Layout(Field("bytes", ipv6, "")), row[these], start, start + 16).data.copy()
        whole[np.arange(16) >= size[these, None]] = 0
        kind = address.fields[0].kind
        values = whole.view("V16").reshape(-1) if address is ADDRESS else whole[:, :4].copy().view(">u4").reshape(-1).astype(kind.dtype)
        parts.put(address.fields[0].name, values, row[these], start)
    stop = at.copy()
    stop[prefixes.row[there]] = place + layout.size + size
    return stop


LAYOUTS = (AUTH_TYPE, SIGNED, INSTANCE, HELLO2, HELLO3, NEIGHBOR, DESCRIPTION2, DESCRIPTION3, COUNT, LSA2_HEAD, LSA3_HEAD, REQUEST2,
           REQUEST3, OPAQUE_REST, TE_REST, ROUTER_HEAD, LINKED, BY_SERVICE, MASK, ATTACHED, SUMMED, SERVICE, OUTSIDE, OUTSIDE_BY,
           ROUTER3_HEAD, LINKED3, NETWORK3_HEAD, ATTACHED3, PREFIX3_HEAD, BORDER3_HEAD, EXTERNAL3_HEAD, FORWARD, TAG, REFERRED_ID,
           LINK3_HEAD, INTRA3_HEAD, PREFIXED, PREFIXED_METRIC, PREFIXED_REFERRED, ADDRESS, ADDRESS4)  # fmt: skip
PLACED = tuple(f for layout in LAYOUTS for f in layout.all() if f.label)
WIDEST = {f.name: f for f in sorted(PLACED, key=lambda f: f.kind.bits)}  # a version or a type may have less room for a field
FIELDS = (
    *(WIDEST[name] for name in dict.fromkeys(f.name for f in PLACED)),
    Field("ospf.auth.none", raw, "No authentication"),
    Field("ospf.auth.simple", text, "Password"),
    Field("ospf.auth.crypt.data", raw, "Digest"),
)

PROTOCOL = Protocol(
    "OSPF",
    header=HEADER,
    on={"ipproto": 89},
    info="{ospf.msg:words}, version {ospf.version}, router {ospf.srcrouter}, area {ospf.area_id}",
    check=check,
    derived=((FIELDS, _derived), ((checksums.status_field("ospf.checksum.status"),), _status)),
)
