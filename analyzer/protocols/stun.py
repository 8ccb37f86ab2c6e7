"""Session Traversal Utilities for NAT. RFC 8489, RFC 3489 (classic); TURN: RFC 8656; ICE: RFC 8445; NAT behavior: RFC 5780.

A row is a STUN message or TURN's ChannelData, which share ports. Over TCP both say their length (RFC 8656 §12.4, §12.5).
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass

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
    flag,
    gather,
    ipv4,
    ipv6,
    raw,
    seconds,
    text,
    u8,
    u16,
    u32,
    u64,
)
from .common import checksums
from .common.framing import StreamFramer
from .common.parts import Parts, misfits, needs, peek
from .common.registries import IPPROTO
from .common.tlv import Options, items, repeated

CLASS = {0: "request", 0x01: "indication", 0x10: "success response", 0x11: "error response"}  # as Wireshark prints the two bits
METHOD = {0x001: "Binding", 0x002: "SharedSecret", 0x003: "Allocate", 0x004: "Refresh", 0x006: "Send", 0x007: "Data",
          0x008: "CreatePermission", 0x009: "ChannelBind", 0x00A: "Connect", 0x00B: "ConnectionBind", 0x00C: "ConnectionAttempt",
          0x200: "GoogPing"}  # fmt: skip  # the bits of the type without those of the class
TYPE = {method | kind << 4: f"{name} {CLASS[kind]}" for method, name in METHOD.items() for kind in CLASS}
COOKIE, COOKIE_AT, COOKIE_END, SIZE, CHANNEL_SIZE = 0x2112A442, 4, 8, 20, 4
COOKIE_BYTES = COOKIE.to_bytes(4, "big")
CLASSIC = (0x0001, 0x0101, 0x0111, 0x0002, 0x0102, 0x0112)  # RFC 3489 §11.1: its messages have no cookie
CHANNELS = (0x4000, 0x7FFF)  # RFC 5766 §11; RFC 8656 §12 gives out those below 0x5000 only
FAMILY = {1: "IPv4", 2: "IPv6"}
ERROR, UNKNOWN, DATA, PADDING, ALGORITHM, RESPONSE_PORT, ALGORITHMS, ADDRESS_ERROR, FINGERPRINT = (
    0x0009, 0x000A, 0x0013, 0x0026, 0x001D, 0x0027, 0x8002, 0x8001, 0x8028)  # fmt: skip
ATTRIBUTE = {
    0x0001: "MAPPED-ADDRESS", 0x0002: "RESPONSE-ADDRESS", 0x0003: "CHANGE-REQUEST", 0x0004: "SOURCE-ADDRESS", 0x0005: "CHANGED-ADDRESS",
    0x0006: "USERNAME", 0x0007: "PASSWORD", 0x0008: "MESSAGE-INTEGRITY", ERROR: "ERROR-CODE", UNKNOWN: "UNKNOWN-ATTRIBUTES",
    0x000B: "REFLECTED-FROM", 0x000C: "CHANNEL-NUMBER", 0x000D: "LIFETIME", 0x0010: "BANDWIDTH", 0x0012: "XOR-PEER-ADDRESS", DATA: "DATA",
    0x0014: "REALM", 0x0015: "NONCE", 0x0016: "XOR-RELAYED-ADDRESS", 0x0017: "REQUESTED-ADDRESS-FAMILY", 0x0018: "EVEN-PORT",
    0x0019: "REQUESTED-TRANSPORT", 0x001A: "DONT-FRAGMENT", 0x001B: "ACCESS-TOKEN", 0x001C: "MESSAGE-INTEGRITY-SHA256",
    ALGORITHM: "PASSWORD-ALGORITHM", 0x001E: "USERHASH", 0x0020: "XOR-MAPPED-ADDRESS", 0x0022: "RESERVATION-TOKEN", 0x0024: "PRIORITY",
    0x0025: "USE-CANDIDATE", PADDING: "PADDING", RESPONSE_PORT: "RESPONSE-PORT", 0x002A: "CONNECTION-ID",
    0x8000: "ADDITIONAL-ADDRESS-FAMILY", ADDRESS_ERROR: "ADDRESS-ERROR-CODE", ALGORITHMS: "PASSWORD-ALGORITHMS",
    0x8003: "ALTERNATE-DOMAIN", 0x8004: "ICMP", 0x8020: "XOR-MAPPED-ADDRESS", 0x8022: "SOFTWARE", 0x8023: "ALTERNATE-SERVER",
    0x8025: "TRANSACTION-TRANSMIT-COUNTER", 0x8027: "CACHE-TIMEOUT", FINGERPRINT: "FINGERPRINT", 0x8029: "ICE-CONTROLLED",
    0x802A: "ICE-CONTROLLING", 0x802B: "RESPONSE-ORIGIN", 0x802C: "OTHER-ADDRESS", 0x802D: "ECN-CHECK", 0x802E: "THIRD-PARTY-AUTHORIZATION",
    0x8030: "MOBILITY-TICKET", 0xC000: "CISCO-STUN-FLOWDATA", 0xC001: "ENF-FLOW-DESCRIPTION", 0xC057: "GOOG-NETWORK-INFO",
}  # fmt: skip
START = Layout(Field("stun.type", u16, "Message", hex=4, value_names=TYPE), Field("stun.length", u16, "Length", "bytes behind the header"))
CHANNEL = Layout(Field("stun.channel", u16, "Channel", hex=4), Field("stun.length", u16, "Length", "bytes behind the header"))
COOKIES = Layout(Field("before", u32, ""), Field("cookie", u32, ""))
ATTRIBUTES = Layout(
    Field("stun.att.type", u16, "Attribute", hex=4, value_names=ATTRIBUTE, parts=(
        Field("stun.att.type.comprehension", bits(1), "Comprehension", value_names={0: "required", 1: "optional"}),
        Field("stun.att.type.assignment", bits(1), "Assignment", value_names={0: "IETF review", 1: "designated expert"}),
    )),
    Field("stun.att.length", u16, "Attribute's length", "bytes of its value, without padding"),
    many=True,
)  # fmt: skip
PLAIN_ADDRESSES = (0x0001, 0x0002, 0x0004, 0x0005, 0x000B, 0x8023, 0x802B, 0x802C)
XOR_ADDRESSES = (0x0012, 0x0016, 0x0020, 0x8020)
ADDRESS_HEAD = Layout(Field("", u8, ""), Field("stun.att.family", u8, "Address family", hex=2, value_names=FAMILY), many=True)
PORT = Layout(Field("stun.att.port", u16, "Port"), many=True)
IPV4 = Layout(Field("stun.att.ipv4", ipv4, "IPv4 address"), many=True)
IPV6 = Layout(Field("stun.att.ipv6", ipv6, "IPv6 address"), many=True)
CLASS_AND_NUMBER = Layout(
    Field("", bits(21), ""),
    Field("stun.att.error.class", bits(3), "Error class", "hundreds of the error code"),
    Field("stun.att.error", u8, "Error number", "the error code without its hundreds"),
    many=True,
)
ALGORITHM_HEAD = Layout(
    Field("stun.att.pw_alg", u16, "Password algorithm", value_names={1: "MD5", 2: "SHA-256"}),
    Field("stun.att.pw_alg_len", u16, "Length of its parameters", "bytes"),
    many=True,
)
ONLY_FAMILY = Layout(ADDRESS_HEAD.fields[1], many=True)
VALUES = {  # attributes of a fixed layout
    0x0003: Layout(
        Field("", bits(29), ""),
        Field("stun.att.change-ip", flag, "Change address", "answer from another address"),
        Field("stun.att.change-port", flag, "Change port", "answer from another port"),
        Field("", bits(1), ""),
        many=True,
    ),
    0x000C: Layout(Field("stun.att.channelnum", u16, "Channel to bind", hex=4), many=True),
    0x000D: Layout(Field("stun.att.lifetime", u32, "Lifetime", "seconds"), many=True),
    0x0010: Layout(Field("stun.port.bandwidth", u32, "Bandwidth", "kbit/s"), many=True),
    0x0017: ONLY_FAMILY,
    0x0018: Layout(Field("stun.att.even-port.reserve-next", flag, "Reserve the next port"), Field("", bits(7), ""), many=True),
    0x0019: Layout(Field("stun.att.transp", u8, "Transport", "of the relayed address", hex=2, value_names=IPPROTO), many=True),
    0x0024: Layout(Field("stun.att.priority", u32, "Priority", "of the candidate, RFC 8445 §5.1.2"), many=True),
    RESPONSE_PORT: PORT,
    0x8000: ONLY_FAMILY,
    0x8004: Layout(
        Field("", u16, ""),
        Field("stun.att.icmp.type", bits(7), "ICMP type", "of the error that came to the relay"),
        Field("stun.att.icmp.code", bits(9), "ICMP code"),
        many=True,
    ),
    0x8027: Layout(Field("stun.att.cache-timeout", u32, "Cache timeout", "seconds"), many=True),
    FINGERPRINT: Layout(Field("stun.att.crc32", u32, "Fingerprint", "CRC-32 of the message before it, xor 0x5354554e", hex=8), many=True),
    0xC057: Layout(
        Field("stun.att.google.network_id", u16, "Network", "numbered by the sender"),
        Field("stun.att.google.network_cost", u16, "Network's cost"),
        many=True,
    ),
}
TEXTS = {
    0x0006: Field("stun.att.username", text, "User name", many=True),
    0x0014: Field("stun.att.realm", text, "Realm", many=True),
    0x0015: Field("stun.att.nonce", text, "Nonce", many=True),
    0x8022: Field("stun.att.software", text, "Software", many=True),
}
BYTES = {
    0x0007: Field("stun.att.password", raw, "Password", many=True),
    0x0008: Field("stun.att.hmac", raw, "Message integrity", "HMAC-SHA1", many=True),
    0x0022: Field("stun.att.token", raw, "Reservation token", many=True),
    0x8029: Field("stun.att.tie-breaker", raw, "Tie-breaker", "RFC 8445 §7.3.1.1", many=True),
    0x802A: Field("stun.att.tie-breaker", raw, "Tie-breaker", "RFC 8445 §7.3.1.1", many=True),
}
NO_VALUE = (*PLAIN_ADDRESSES, *XOR_ADDRESSES, ERROR, UNKNOWN, ALGORITHM, ALGORITHMS, ADDRESS_ERROR, PADDING, *VALUES, *TEXTS, *BYTES)
CRC_XOR = 0x5354554E


def _kinds(r: Reading) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """First 16 bits and length (int64), whether the magic cookie is there, and the bytes that are there."""
    head, cookie = Reading(START, r.buffer, r.start, r.end), Reading(COOKIES, r.buffer, r.start, r.end)
    return head["stun.type"].astype(np.int64), head["stun.length"].astype(np.int64), cookie["cookie"] == COOKIE, r.end - r.start


def probe(r: Reading) -> np.ndarray:
    """Two zero bits, the magic cookie and a length that is a multiple of 4 and not less than what is there. RFC 8489 §5."""
    kind, length, cookie, size = _kinds(r)
    return cookie & (kind < 0x4000) & (length % 4 == 0) & (size >= SIZE) & (SIZE + length >= size)


def probe_port(r: Reading) -> np.ndarray:
    """On STUN's port, too: any message with the cookie, RFC 3489's without it, ChannelData with its padding."""
    kind, length, cookie, size = _kinds(r)
    channel = (kind >= CHANNELS[0]) & (kind <= CHANNELS[1]) & (CHANNEL_SIZE + length > size - 4)
    return (cookie & (kind < 0x4000)) | (np.isin(kind, CLASSIC) & (SIZE + length >= size) & (size >= SIZE)) | channel


def _end(data: bytes, at: int) -> int:
    """Where the message at data[at:] ends; 0: not there yet; -1: none begins here. ChannelData ends with its padding."""
    if len(data) - at < CHANNEL_SIZE:
        return 0
    length = int.from_bytes(data[at + 2 : at + 4], "big")
    if CHANNELS[0] >> 8 <= data[at] <= CHANNELS[1] >> 8:
        end = at + CHANNEL_SIZE + length + -length % 4
    elif len(data) - at < COOKIE_END:
        return 0
    elif data[at] < 0x40 and length % 4 == 0 and data[at + COOKIE_AT : at + COOKIE_END] == COOKIE_BYTES:
        end = at + SIZE + length
    else:
        return -1
    return end if end <= len(data) else 0


@dataclass
class StunMessages(StreamFramer):
    """STUN messages and ChannelData in TCP streams."""

    header: int = COOKIE_END
    limit: int = SIZE + 0xFFFF
    precedence: int = 2  # few first bytes may be anything's; the cookie is STUN's alone
    find_end: Callable[[bytes, int], int] | None = _end

    def probe_message(self, first: np.ndarray, size: np.ndarray) -> np.ndarray:
        """Only a STUN message, by its cookie: what looks like ChannelData may be anything."""
        agrees = (first[:, COOKIE_AT:COOKIE_END] == np.frombuffer(COOKIE_BYTES, np.uint8)).all(axis=1)
        return agrees & (first[:, 0] < 0x40) & (first[:, 3] % 4 == 0)


def _start(h: Headers) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of each header whether it is ChannelData and whether it has no cookie (bool), where what it carries begins and ends (int64)."""
    kind, length, cookie, _ = _kinds(h)
    channel = (kind >= CHANNELS[0]) & (kind <= CHANNELS[1])
    start = h.start + np.where(channel, CHANNEL_SIZE, SIZE)
    return channel, ~channel & ~cookie, start, start + length


def _attributes(h: Headers) -> Options:
    channel, _, start, end = h.memo(_start)
    return items(h, start, np.where(channel, start, np.minimum(end, h.wire)), head=4, least=4, place=2, align=4)


def _attribute_types(h: Headers) -> tuple[Options, np.ndarray]:
    """The attributes that have a header, and the type (int64) of each."""
    found = h.memo(_attributes)
    return found, Reading(ATTRIBUTES, h.buffer, found.at, h.end[found.row])["stun.att.type"].astype(np.int64)


def contents(h: Headers):
    channel, _, start, end = h.memo(_start)
    needs(h, start - h.start)
    there, had = end - h.start, h.wire - h.start
    spare = np.where(channel, -(end - start) % 4, 0)  # over UDP, padding may be there, RFC 8656 §12.5
    wrong = ((there > had) | (there + spare < had)) & (had >= start - h.start) & ~h.quoted
    uneven = ~channel & (there % 4 > 0) & ~h.quoted
    h.fault(uneven, "stun.length", "is no multiple of 4", at=h.start + 2)
    h.fault(wrong & ~uneven, "stun.length", "says {needed} bytes, there are {had}", end - start, h.wire - start, h.start + 2)
    found, kind = h.memo(_attribute_types)
    misfits(h, np.where(wrong | uneven, -1, found.bad), "stun.att.length", "does not fit into the message")
    rows = np.flatnonzero(channel)
    yield Payload("data", 0, start, end, rows)
    data = np.flatnonzero((kind == DATA) & (found.size > 4))
    data = data[np.diff(found.row[data], prepend=-1) != 0]  # of several the first counts, RFC 8489 §14
    begin, stop = h.start.copy(), h.start.copy()
    begin[found.row[data]], stop[found.row[data]] = found.at[data] + 4, (found.at + found.size)[data]
    yield Payload("data", 0, begin, stop, found.row[data])


def _heads(h: Headers) -> dict[str, Column]:
    """What stands before the attributes."""
    parts = Parts(h, HEADS)
    channel, classic, start, _ = h.memo(_start)
    rows = np.flatnonzero(channel)
    parts.read(CHANNEL, rows, h.start[rows])
    rows = np.flatnonzero(~channel)
    head = parts.read(START, rows, h.start[rows])
    there = head.trusted >= 2
    kind, typed = head["stun.type"][there], rows[there]
    parts.put("stun.type.class", kind >> 4 & 0x11, typed, h.start[typed])
    parts.put("stun.type.method", kind & 0x3EEF, typed, h.start[typed])
    cookie = rows[~classic[rows]]
    parts.bytes("stun.cookie", cookie, h.start[cookie] + COOKIE_AT, h.start[cookie] + COOKIE_END)
    parts.bytes("stun.id", rows, h.start[rows] + np.where(classic[rows], COOKIE_AT, COOKIE_END), start[rows])
    return dict(parts.columns())


def _values(h: Headers) -> dict[str, Column]:
    parts = Parts(h, FIELDS)
    found, kind = h.memo(_attribute_types)
    row, at, fits = found.row, found.at, found.size > 0
    end = np.where(fits, at + found.size, h.end[row])
    parts.read(ATTRIBUTES, row, at)
    value = at + ATTRIBUTES.size
    whole = np.where(fits, end, value)  # nothing is shown of a text that does not fit

    def of(*kinds: int) -> np.ndarray:
        return np.flatnonzero(np.isin(kind, kinds))

    def read(layout: Layout, which: np.ndarray, ahead: int = 0) -> Reading:
        return parts.read(layout, row[which], value[which] + ahead, end[which])

    for number, layout in VALUES.items():
        read(layout, of(number))
    for number, field in TEXTS.items():
        which = of(number)
        parts.text(field.name, row[which], value[which], whole[which])
    others = np.flatnonzero(~np.isin(kind, NO_VALUE))
    for name, which in (("stun.value", others), *((field.name, of(number)) for number, field in BYTES.items())):
        parts.bytes(name, row[which], value[which], whole[which])
    _addresses(parts, kind, row, value, end)
    errors = of(ERROR, ADDRESS_ERROR)
    read(CLASS_AND_NUMBER, errors)
    parts.text("stun.att.error.reason", row[errors], value[errors] + 4, whole[errors])
    read(ONLY_FAMILY, of(ADDRESS_ERROR))
    unknown = of(UNKNOWN)
    which, nth = repeated((end - value)[unknown] // UNKNOWN_TYPE.size)
    parts.read(UNKNOWN_TYPE, row[unknown][which], value[unknown][which] + UNKNOWN_TYPE.size * nth)
    algorithms = of(ALGORITHM, ALGORITHMS)
    listed = items(h, value[algorithms], end[algorithms], head=4, least=4, place=2, align=4, owner=row[algorithms])
    rows = row[algorithms][listed.row]
    parts.read(ALGORITHM_HEAD, rows, listed.at, end[algorithms][listed.row])
    parts.bytes("stun.att.pw_alg_data", rows, listed.at + 4, listed.at + listed.size)
    pad = (-(end - value)) % 4
    padded = np.flatnonzero(fits & (pad > 0) & (end + pad <= h.end[row]))
    parts.put("stun.att.padding", pad[padded], row[padded], end[padded])
    padding = of(PADDING)
    parts.put("stun.att.padding", (end - value)[padding], row[padding], value[padding])
    return dict(parts.columns())


def _addresses(parts: Parts, kind: np.ndarray, row: np.ndarray, value: np.ndarray, end: np.ndarray) -> None:
    """Addresses with their ports, plain or xor-ed with the cookie and the transaction (RFC 8489 §14.2)."""
    h = parts.h
    plain = np.flatnonzero(np.isin(kind, PLAIN_ADDRESSES))
    family = parts.read(ADDRESS_HEAD, row[plain], value[plain], end[plain])["stun.att.family"]
    parts.read(PORT, row[plain], value[plain] + 2, end[plain])
    for number, layout in ((1, IPV4), (2, IPV6)):
        which = plain[family == number]
        parts.read(layout, row[which], value[which] + 4, end[which])
    xored = np.flatnonzero(np.isin(kind, XOR_ADDRESSES))
    family = parts.read(ADDRESS_HEAD, row[xored], value[xored], end[xored])["stun.att.family"]
    for name, size, layout, which in (
        ("stun.att.port", 2, PORT, xored),
        ("stun.att.ipv4", 4, IPV4, xored[family == 1]),
        ("stun.att.ipv6", 16, IPV6, xored[family == 2]),
    ):
        place = value + (2 if size == 2 else 4)
        which = which[place[which] + size <= end[which]]
        rows, at = row[which], place[which]
        parts.bytes(f"{name}-xord", rows, at, at + size)
        clear = gather(h.buffer, at, size) ^ gather(h.buffer, h.start[rows] + COOKIE_AT, size)
        kind_of = layout.fields[0].kind
        values = clear.view("V16").reshape(-1) if size == 16 else clear.view(f">u{size}").reshape(-1).astype(kind_of.dtype)
        parts.put(name, values, rows, at)


def _status(h: Headers) -> dict[str, Column]:
    """Whether the first fingerprint of each message is that of the bytes before it. RFC 8489 §14.7."""
    found, kind = h.memo(_attribute_types)
    which = np.flatnonzero((kind == FINGERPRINT) & (found.size == 8))
    which = which[np.diff(found.row[which], prepend=-1) != 0]
    rows, at = found.row[which], found.at[which]
    stored = peek(h, VALUES[FINGERPRINT], rows, at + 4)["stun.att.crc32"]
    crc = [zlib.crc32(h.buffer.data[start:stop]) ^ CRC_XOR for start, stop in zip(h.start[rows].tolist(), at.tolist(), strict=True)]
    good = stored == np.array(crc, np.int64)
    return {"stun.att.crc32.status": Column(np.where(good, checksums.GOOD, checksums.BAD).astype(np.uint8), rows)}


UNKNOWN_TYPE = Layout(Field("stun.att.unknown", u16, "Unknown attribute", "which the server does not know", hex=4, many=True))
HEADS = (
    *START.fields,
    CHANNEL.fields[0],
    Field("stun.type.class", u16, "Class", hex=4, value_names=CLASS),
    Field("stun.type.method", u16, "Method", hex=4, value_names=METHOD),
    Field("stun.cookie", raw, "Magic cookie", "2112a442; not in messages of RFC 3489"),
    Field("stun.id", raw, "Transaction", "the client's random number, the same in the answer"),
)
FIELDS = tuple({f.name: f for f in (
    *ATTRIBUTES.all(),
    ADDRESS_HEAD.fields[1],
    *PORT.fields,
    *IPV4.fields,
    *IPV6.fields,
    Field("stun.att.port-xord", raw, "Port as sent", "xor-ed", many=True),
    Field("stun.att.ipv4-xord", raw, "IPv4 address as sent", "xor-ed", many=True),
    Field("stun.att.ipv6-xord", raw, "IPv6 address as sent", "xor-ed", many=True),
    *(f for layout in VALUES.values() for f in layout.fields if f.label),
    *TEXTS.values(),
    *BYTES.values(),
    *(f for f in CLASS_AND_NUMBER.fields if f.label),
    Field("stun.att.error.reason", text, "Error's reason", many=True),
    *UNKNOWN_TYPE.fields,
    *ALGORITHM_HEAD.fields,
    Field("stun.att.pw_alg_data", raw, "Parameters of the password algorithm", many=True),
    Field("stun.att.padding", u16, "Padding", "bytes", many=True),
    Field("stun.value", raw, "Value", "of other attributes", many=True),
)}.values())  # fmt: skip

PROTOCOL = Protocol(
    "STUN",
    on={"udp.port": 3478, "tcp.port": 3478},
    aliases={"stun.attribute": ("stun.att.type",)},
    info="{stun.type:words}[channel {stun.channel}], {stun.length} bytes[, {stun.att.error.reason}][, {stun.att.username}]"
    "[, {stun.att.ipv4}][, {stun.att.ipv6}]",
    contents=contents,
    framer=StunMessages,
    probe=probe,
    probe_port=probe_port,
    derived=((HEADS, _heads), (FIELDS, _values), ((checksums.status_field("stun.att.crc32.status"),), _status)),
    external_fields=(  # `correlators.stun_matching` computes these
        Field("stun.response-to", u64, "Request in", "the frame of the first request that this answers"),
        Field("stun.response-in", u64, "Response in", "never there: a row waits for no later frame"),
        Field("stun.time", seconds, "Time since the request"),
        Field("stun.reqduplicate", u64, "Duplicate of", "the frame of the first request, or response, of the transaction"),
    ),
)
