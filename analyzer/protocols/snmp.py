"""Simple Network Management Protocol: version 1 (RFC 1157) and 2c (RFC 1901, RFC 3416); of version 3 (RFC 3412) the unencrypted parts."""

from typing import NamedTuple

import numpy as np

from ..fields import Column, Field, Headers, Layout, Protocol, Reading, ipv4, raw, signed, text, u8, u64
from .common import _ber
from .common.parts import Parts, misfits, peek, words

VERSION = {0: "version 1", 1: "version 2c", 2: "version 2u", 3: "version 3"}
BULK, TRAP1 = 5, 4
PDU = {0: "get", 1: "get next", 2: "response", 3: "set", TRAP1: "trap of version 1", BULK: "get bulk", 6: "inform", 7: "trap", 8: "report"}
ERROR = {0: "no error", 1: "too big", 2: "no such name", 3: "bad value", 4: "read only", 5: "general error", 6: "no access",
         7: "wrong type", 8: "wrong length", 9: "wrong encoding", 10: "wrong value", 11: "no creation", 12: "inconsistent value",
         13: "resource unavailable", 14: "commit failed", 15: "undo failed", 16: "authorization error", 17: "not writable",
         18: "inconsistent name"}  # fmt: skip
GENERIC = {
    0: "cold start",
    1: "warm start",
    2: "link down",
    3: "link up",
    4: "authentication failure",
    5: "neighbor lost",
    6: "enterprise's own",
}
DEEPEST = 8  # levels that are opened; messages have seven
INTEGER, OCTETS, NULL, OID, SEQUENCE, ADDRESS, COUNTER, GAUGE, TICKS, OPAQUE, COUNTER64 = (
    2,
    4,
    5,
    6,
    0x30,
    0x40,
    0x41,
    0x42,
    0x43,
    0x44,
    0x46,
)
LONGEST, BIGGEST = 640, 1 << 32  # bytes of an object identifier; its numbers are below 1 << 32: RFC 2578 §3.5
WORD, HOST = Layout(Field("word", u64, "")), Layout(Field("snmp.value.ipv4", ipv4, "Value", "an address", many=True))
AGENT = Layout(Field("snmp.agent_addr", ipv4, "Agent", "source of the trap"))


class Elements(NamedTuple):
    """Elements of messages; int64 (n,). row: header. start, stop: bounds of the value. level: 0 outermost. nth: number within its
    parent; parent: index of that element, -1 none."""

    row: np.ndarray
    tag: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    level: np.ndarray
    nth: np.ndarray
    parent: np.ndarray


def _elements(h: Headers) -> tuple[Elements, np.ndarray]:
    """All elements; for each header the offset of one that does not fit (-1: none)."""
    end = np.minimum(h.wire, h.end)
    room = int((end - h.start).sum()) // 2 + len(h)
    out = np.empty((len(_ber.ELEMENT), room), np.int64)
    bad = np.empty(len(h), np.int64)
    ends, last, count = np.empty((3, DEEPEST), np.int64)
    n = _ber.elements(h.buffer.data, h.start.data, end.data, h.wire.data, ends.data, last.data, count.data, bad.data, out.data)
    return Elements(*out[:, :n]), bad


def check(h: Headers) -> None:
    h.column("snmp.version")


def _derived(h: Headers) -> dict[str, Column]:
    parts = Parts(h, FIELDS)
    e, bad = _elements(h)
    misfits(h, bad, "", "an element does not fit into what holds it")
    root = np.flatnonzero((e.level == 0) & (e.nth == 0) & (e.tag == SEQUENCE))
    version = _child(e, root, 0, INTEGER)
    kinds = np.full(len(h), -1, np.int64)
    kinds[e.row[version]] = _integer(h, e, version)
    for name, which in (("snmp.version", kinds[e.row[version]] < 3), ("snmp.msgVersion", kinds[e.row[version]] >= 3)):
        _put(parts, name, e, version[which], kinds[e.row[version[which]]])
    old, new = (root[kinds[e.row[root]] < 3], root[kinds[e.row[root]] >= 3])
    community = _child(e, old, 1, OCTETS)
    parts.text("snmp.community", e.row[community], e.start[community], e.stop[community])
    _head(parts, e, _child(e, new, 1, SEQUENCE))
    scoped = _child(e, new, 3, SEQUENCE)
    encrypted = _child(e, new, 3, OCTETS)
    parts.bytes("snmp.encryptedPDU", e.row[encrypted], e.start[encrypted], e.stop[encrypted])
    _pdu(parts, e, np.concatenate((_child(e, old, 2), _child(e, scoped, 2))))
    return dict(parts.columns())


def _child(e: Elements, of: np.ndarray, nth: int, tag: int = -1) -> np.ndarray:
    """The nth children of these elements, if they have that tag (-1: any)."""
    held = np.zeros(len(e.row) + 1, bool)
    held[of] = True
    return np.flatnonzero(held[e.parent] & (e.nth == nth) & ((e.tag == tag) | (tag < 0)))


def _put(parts: Parts, name: str, e: Elements, at: np.ndarray, values: np.ndarray) -> None:
    parts.put(name, values, e.row[at], e.start[at])


def _integer(h: Headers, e: Elements, at: np.ndarray) -> np.ndarray:
    """Signed integers (int64) of these elements; of longer ones the first eight bytes, of empty ones 0."""
    size = np.minimum(e.stop[at] - e.start[at], 8)
    word = peek(h, WORD, e.row[at], e.start[at])
    value = _words(word).view(np.int64) >> np.minimum(64 - 8 * size, 63)
    return np.where(size > 0, value, 0)


def _words(reading: Reading) -> np.ndarray:
    """The eight bytes from each offset on, whatever the end."""
    return reading.data.view(">u8").reshape(-1).astype(np.uint64)


def _unsigned(h: Headers, e: Elements, at: np.ndarray) -> np.ndarray:
    """The same as uint64; a leading zero byte before eight others is skipped."""
    longer = (e.stop[at] - e.start[at] > 8) & (h.buffer[e.start[at]] == 0)
    start = e.start[at] + longer
    size = np.minimum(e.stop[at] - start, 8)
    value = _words(peek(h, WORD, e.row[at], start)) >> np.minimum(64 - 8 * size, 63).astype(np.uint64)
    return np.where(size > 0, value, np.uint64(0))


def _head(parts: Parts, e: Elements, of: np.ndarray) -> None:
    """The header of version 3: RFC 3412 §6."""
    for nth, name in enumerate(("snmp.msgID", "snmp.msgMaxSize", "", "snmp.msgSecurityModel")):
        if name:
            at = _child(e, of, nth, INTEGER)
            _put(parts, name, e, at, _integer(parts.h, e, at))
    at = _child(e, of, 2, OCTETS)
    parts.bytes("snmp.msgFlags", e.row[at], e.start[at], e.stop[at])


def _pdu(parts: Parts, e: Elements, at: np.ndarray) -> None:
    h = parts.h
    at = at[(e.tag[at] & 0xE0 == 0xA0) & np.isin(e.tag[at] & 0x1F, list(PDU))]
    kind = e.tag[at] & 0x1F
    _put(parts, "snmp.data", e, at, kind.astype(np.uint8))
    usual, bulk, trap = (at[which] for which in ((kind != TRAP1), (kind == BULK), (kind == TRAP1)))
    with_error = at[(kind != TRAP1) & (kind != BULK)]
    for name, of, nth, tag in (
        ("snmp.request_id", usual, 0, INTEGER),
        ("snmp.error_status", with_error, 1, INTEGER),
        ("snmp.error_index", with_error, 2, INTEGER),
        ("snmp.non_repeaters", bulk, 1, INTEGER),
        ("snmp.max_repetitions", bulk, 2, INTEGER),
        ("snmp.generic_trap", trap, 2, INTEGER),
        ("snmp.specific_trap", trap, 3, INTEGER),
        ("snmp.time_stamp", trap, 4, TICKS),
    ):
        values = _child(e, of, nth, tag)
        _put(parts, name, e, values, _integer(h, e, values) if tag == INTEGER else _unsigned(h, e, values))
    values = _child(e, trap, 0, OID)
    _identifiers(parts, "snmp.enterprise", e, values)
    values = _child(e, trap, 1, ADDRESS)
    values = values[e.stop[values] - e.start[values] == AGENT.size]
    parts.read(AGENT, e.row[values], e.start[values])
    lists = np.concatenate((_child(e, usual, 3, SEQUENCE), _child(e, trap, 5, SEQUENCE)))
    held = np.zeros(len(e.row) + 1, bool)
    held[lists] = True
    bound = np.flatnonzero(held[e.parent] & (e.tag == SEQUENCE))
    _identifiers(parts, "snmp.name", e, _child(e, bound, 0, OID))
    _values(parts, e, _child(e, bound, 1))


def _values(parts: Parts, e: Elements, at: np.ndarray) -> None:
    h, tag = parts.h, e.tag[at]

    def of(kind: int) -> np.ndarray:
        return at[tag == kind]

    _put(parts, "snmp.value.int", e, of(INTEGER), _integer(h, e, of(INTEGER)))
    for kind, name in ((COUNTER, "counter"), (GAUGE, "g32"), (TICKS, "timeticks"), (COUNTER64, "counter64")):
        _put(parts, f"snmp.value.{name}", e, of(kind), _unsigned(h, e, of(kind)))
    for kind, name in ((OCTETS, "octets"), (OPAQUE, "opaque")):
        parts.bytes(f"snmp.value.{name}", e.row[of(kind)], e.start[of(kind)], e.stop[of(kind)])
    _identifiers(parts, "snmp.value.oid", e, of(OID))
    hosts = of(ADDRESS)
    hosts = hosts[e.stop[hosts] - e.start[hosts] == HOST.size]
    parts.read(HOST, e.row[hosts], e.start[hosts])


def _identifiers(parts: Parts, name: str, e: Elements, at: np.ndarray) -> None:
    """Object identifiers as dotted numbers, without malformed ones."""
    identifiers = words(parts.h.buffer, e.start[at], e.stop[at], dotted)
    there = identifiers != ""
    parts.put(name, identifiers[there], e.row[at[there]], e.start[at[there]])


def dotted(data: bytes) -> str:
    """An object identifier as `1.3.6.1`; '' if it is malformed. X.690 §8.19: seven bits a byte, the first number stands for two."""
    if not data or len(data) > LONGEST or data[-1] & 0x80:
        return ""
    numbers, value = [], 0
    for byte in data:
        value = value << 7 | byte & 0x7F
        if value >= BIGGEST + 80:
            return ""
        if not byte & 0x80:
            numbers.append(value)
            value = 0
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, (first, numbers[0] - 40 * first, *numbers[1:])))


FIELDS = (
    Field("snmp.version", signed, "Version", value_names=VERSION),
    Field("snmp.msgVersion", signed, "Version", "of version 3", value_names=VERSION),
    Field("snmp.community", text, "Community", "in clear: the only password of versions 1 and 2c"),
    Field("snmp.msgID", signed, "Message"),
    Field("snmp.msgMaxSize", signed, "Largest message", "bytes that the sender can receive"),
    Field("snmp.msgFlags", raw, "Flags", "1: signed, 2: encrypted, 4: a report may come"),
    Field("snmp.msgSecurityModel", signed, "Security model", value_names={1: "version 1", 2: "version 2c", 3: "users"}),
    Field("snmp.encryptedPDU", raw, "Encrypted"),
    Field("snmp.data", u8, "Kind", value_names=PDU),
    Field("snmp.request_id", signed, "Request", "equal in a request and its response"),
    Field("snmp.error_status", signed, "Error", value_names=ERROR),
    Field("snmp.error_index", signed, "Error index", "number of the variable, from 1"),
    Field("snmp.non_repeaters", signed, "Non-repeaters", "variables requested once"),
    Field("snmp.max_repetitions", signed, "Repetitions", "of each other variable"),
    Field("snmp.enterprise", text, "Enterprise", "type of the device"),
    *AGENT.fields,
    Field("snmp.generic_trap", signed, "Trap", value_names=GENERIC),
    Field("snmp.specific_trap", signed, "Enterprise's trap"),
    Field("snmp.time_stamp", u64, "Time", "hundredths of a second since the agent started"),
    Field("snmp.name", text, "Object", many=True),
    Field("snmp.value.int", signed, "Value", "an integer", many=True),
    Field("snmp.value.octets", raw, "Value", "bytes", many=True),
    Field("snmp.value.oid", text, "Value", "an object", many=True),
    *HOST.fields,
    Field("snmp.value.counter", u64, "Value", "a counter of 32 bits", many=True),
    Field("snmp.value.g32", u64, "Value", "a gauge", many=True),
    Field("snmp.value.timeticks", u64, "Value", "hundredths of a second", many=True),
    Field("snmp.value.counter64", u64, "Value", "a counter of 64 bits", many=True),
    Field("snmp.value.opaque", raw, "Value", "opaque", many=True),
)

PROTOCOL = Protocol(
    "SNMP",
    on={"udp.port": (161, 162, 8161)},
    info="{snmp.version:words}{snmp.msgVersion:words}[, {snmp.data:words}][, request {snmp.request_id}][, {snmp.error_status:words}]",
    check=check,
    derived=((FIELDS, _derived),),
)
