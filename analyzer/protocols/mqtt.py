"""MQTT, messages between clients and a broker. OASIS MQTT 3.1.1 and 5.0; IBM MQTT 3.1.

Which version a connection speaks its CONNECT says; where that is missing, messages are read as of 3.1.1.
"""

import re
from dataclasses import dataclass, field

import numpy as np

from ..fields import Column, Field, Headers, Layout, Protocol, Reading, bits, flag, gather, raw, text, u8, u16, u32, u64
from .common.framing import PROBE_SIZE, ContiguousRuns, Framed, StreamFramer
from .common.parts import Parts, misfits, peek
from .common.tlv import items, repeated

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK = range(1, 12)
PINGREQ, PINGRESP, DISCONNECT, AUTH = range(12, 16)
TYPE = {
    CONNECT: "connect", CONNACK: "connect ack", PUBLISH: "publish", PUBACK: "publish ack", PUBREC: "publish received",
    PUBREL: "publish release", PUBCOMP: "publish complete", SUBSCRIBE: "subscribe", SUBACK: "subscribe ack",
    UNSUBSCRIBE: "unsubscribe", UNSUBACK: "unsubscribe ack", PINGREQ: "ping request", PINGRESP: "ping response",
    DISCONNECT: "disconnect", AUTH: "authentication",
}  # fmt: skip
FLAGS_OF_2 = (PUBREL, SUBSCRIBE, UNSUBSCRIBE)  # §2.1.3: these have flags 2, others but PUBLISH 0
VERSION = {3: "3.1", 4: "3.1.1", 5: "5.0"}
V3_1, V5 = 3, 5
QOS = {0: "at most once", 1: "at least once", 2: "exactly once"}
RETURN_CODE = {0: "accepted", 1: "version refused", 2: "client identifier refused", 3: "server unavailable", 4: "bad user name or password",
               5: "not authorized"}  # fmt: skip
GRANTED = {**QOS, 0x80: "failure"}
REASON = {  # MQTT 5.0 §2.4
    0x00: "success", 0x04: "disconnect with will", 0x10: "no matching subscribers", 0x11: "no subscription existed",
    0x18: "continue authentication", 0x19: "re-authenticate", 0x80: "unspecified error", 0x81: "malformed packet", 0x82: "protocol error",
    0x83: "implementation specific error", 0x84: "unsupported protocol version", 0x85: "client identifier not valid",
    0x86: "bad user name or password", 0x87: "not authorized", 0x88: "server unavailable", 0x89: "server busy", 0x8A: "banned",
    0x8B: "server shutting down", 0x8C: "bad authentication method", 0x8D: "keep alive timeout", 0x8E: "session taken over",
    0x8F: "topic filter invalid", 0x90: "topic name invalid", 0x91: "packet identifier in use", 0x92: "packet identifier not found",
    0x93: "receive maximum exceeded", 0x94: "topic alias invalid", 0x95: "packet too large", 0x96: "message rate too high",
    0x97: "quota exceeded", 0x98: "administrative action", 0x99: "payload format invalid", 0x9A: "retain not supported",
    0x9B: "QoS not supported", 0x9C: "use another server", 0x9D: "server moved", 0x9E: "shared subscriptions not supported",
    0x9F: "connection rate exceeded", 0xA0: "maximum connect time", 0xA1: "subscription identifiers not supported",
    0xA2: "wildcard subscriptions not supported",
}  # fmt: skip
PROPERTY = {  # MQTT 5.0 §2.2.2.2
    0x01: "payload format", 0x02: "message expiry interval", 0x03: "content type", 0x08: "response topic", 0x09: "correlation data",
    0x0B: "subscription identifier", 0x11: "session expiry interval", 0x12: "assigned client identifier", 0x13: "server keep alive",
    0x15: "authentication method", 0x16: "authentication data", 0x17: "request problem information", 0x18: "will delay interval",
    0x19: "request response information", 0x1A: "response information", 0x1C: "server reference", 0x1F: "reason string",
    0x21: "receive maximum", 0x22: "topic alias maximum", 0x23: "topic alias", 0x24: "maximum QoS", 0x25: "retain available",
    0x26: "user property", 0x27: "maximum packet size", 0x28: "wildcard subscription available",
    0x29: "subscription identifier available", 0x2A: "shared subscription available",
}  # fmt: skip
CONTENT_TYPE, TOPIC_ALIAS, MAXIMUM_QOS, USER_PROPERTY, SUBSCRIPTION_IDENTIFIER = 0x03, 0x23, 0x24, 0x26, 0x0B
STRINGS = (0x08, 0x09, 0x12, 0x15, 0x16, 0x1A, 0x1C, 0x1F)
NUMBERS = {0x01: 1, 0x02: 4, 0x11: 4, 0x13: 2, 0x17: 1, 0x18: 4, 0x19: 1, 0x21: 2, 0x22: 2, TOPIC_ALIAS: 2, MAXIMUM_QOS: 1, 0x25: 1,
           0x27: 4, 0x28: 1, 0x29: 1, 0x2A: 1}  # fmt: skip  # bytes
HEADER = Layout(
    Field("mqtt.hdrflags", u8, "Fixed header's first byte", hex=2, parts=(Field("mqtt.msgtype", bits(4), "Message", value_names=TYPE),))
)
RESERVED = Layout(Field("", bits(4), ""), Field("mqtt.hdr_reserved", bits(4), "Reserved", "2 where the standard wants it"))
DELIVERY = Layout(
    Field("", bits(4), ""),
    Field("mqtt.dupflag", flag, "Duplicate", "it was sent before"),
    Field("mqtt.qos", bits(2), "Quality of service", value_names=QOS),
    Field("mqtt.retain", flag, "Retain", "the broker keeps it for later subscribers, or has kept it"),
)
CONNECTION = Layout(
    Field("mqtt.ver", u8, "Version", value_names=VERSION),
    Field("mqtt.conflags", u8, "Connect flags", hex=2, parts=(
        Field("mqtt.conflag.uname", flag, "User name follows"),
        Field("mqtt.conflag.passwd", flag, "Password follows"),
        Field("mqtt.conflag.retain", flag, "Retain the will"),
        Field("mqtt.conflag.qos", bits(2), "Will's quality of service", value_names=QOS),
        Field("mqtt.conflag.willflag", flag, "Will follows"),
        Field("mqtt.conflag.cleansess", flag, "Clean session", "forget what an earlier connection left"),
        Field("mqtt.conflag.reserved", flag, "Reserved"),
    )),
    Field("mqtt.kalive", u16, "Keep alive", "seconds"),
)  # fmt: skip
ACCEPTANCE = Layout(
    Field("mqtt.conack.flags", u8, "Connect ack flags", hex=2, parts=(
        Field("mqtt.conack.flags.reserved", bits(7), "Reserved"),
        Field("mqtt.conack.flags.sp", flag, "Session present"),
    )),
)  # fmt: skip
UNUSED = Layout(Field("", u8, ""))  # the same byte in 3.1
RESULT = Layout(Field("mqtt.conack.val", u8, "Return code", value_names=RETURN_CODE))
IDENTIFIER = Layout(Field("mqtt.msgid", u16, "Message identifier"))
REASONS = {
    kind: Layout(Field(f"mqtt.{name}.reason_code", u8, "Reason", value_names=REASON, many=kind in (SUBACK, UNSUBACK)))
    for kind, name in (
        (CONNACK, "connack"), (PUBACK, "puback"), (PUBREC, "pubrec"), (PUBREL, "pubrel"), (PUBCOMP, "pubcomp"), (SUBACK, "suback"),
        (UNSUBACK, "unsuback"), (DISCONNECT, "disconnect"), (AUTH, "auth"))
}  # fmt: skip
GRANT = Layout(Field("mqtt.suback.qos", u8, "Granted quality of service", value_names=GRANTED, many=True))
ASKED = Layout(Field("mqtt.sub.qos", u8, "Wanted quality of service", value_names=QOS, many=True))
OPTIONS = Layout(
    Field("mqtt.subscription_options", u8, "Subscription options", hex=2, parts=(
        Field("mqtt.subscription_options_reserved", bits(2), "Reserved", hex=2),
        Field("mqtt.subscription_options_retain", bits(2), "Retain handling",
              value_names={0: "send retained messages", 1: "send them if the subscription is new", 2: "send none"}),
        Field("mqtt.subscription_options_rap", flag, "Retain as published"),
        Field("mqtt.subscription_options_nl", flag, "No local", "not what the client publishes itself"),
        Field("mqtt.subscription_options_qos", bits(2), "Quality of service", value_names=QOS),
    )),
    many=True,
)  # fmt: skip
LENGTH = Layout(Field("length", u16, ""))
MOST = 16 << 20  # bytes of a message; a longer one is lost, and counted
BEGIN = re.compile(rb"\x10[\x80-\xff]{0,3}[\x00-\x7f]\x00(?:\x04MQTT|\x06MQIsdp)(.)", re.S)  # a CONNECT up to its version


def variable(buffer: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Variable byte integers at these places (§1.5.5), and the bytes of each, int64; 0 bytes where the fourth goes on, too."""
    byte = gather(buffer, at, 4).astype(np.int64)
    goes_on = np.logical_and.accumulate(byte >= 128, axis=1)
    there = np.column_stack((np.ones(len(at), bool), goes_on[:, :3]))
    return ((byte & 127) << 7 * np.arange(4)).sum(axis=1, where=there), np.where(goes_on[:, 3], 0, there.sum(axis=1))


@dataclass
class MqttMessages(StreamFramer):
    """Messages behind their fixed headers. `versions`: of each stream, what its CONNECT said, which becomes the column `version`."""

    header: int = 2
    limit: int = MOST
    at: int = 1
    width: int = 4
    varint: bool = True
    offset: int = 1
    first: tuple[int, ...] | None = tuple(range(CONNECT << 4, 256))
    versions: np.ndarray = field(default_factory=lambda: np.zeros(1024, np.uint8))

    def probe_stream(self, first: np.ndarray, size: np.ndarray) -> np.ndarray:
        """A CONNECT with the name of the protocol."""
        good = first[:, 0] == CONNECT << 4
        for i in np.flatnonzero(good).tolist():
            good[i] = BEGIN.match(first[i].tobytes()) is not None
        return good

    def probe_message(self, first: np.ndarray, size: np.ndarray) -> np.ndarray:
        """A fixed header as the standard wants it, of a message that ends with or before the segment."""
        data = np.concatenate((first.reshape(-1), np.zeros(4, np.uint8)))
        length, width = variable(data, np.arange(len(first)) * first.shape[1] + 1)
        return ~wrong_flags(first[:, 0]) & (width > 0) & (1 + width + length <= size)

    def split(self, s: ContiguousRuns) -> Framed:
        """The messages that these runs complete."""
        framed = super().split(s)
        if not len(framed.start):
            return framed
        stream = framed.direction >> 1
        while stream.max() >= len(self.versions):
            self.versions = np.concatenate((self.versions, np.zeros(len(self.versions), np.uint8)))
        # The CONNECT before a message says its version: both directions are taken in the order of their frames.
        order = np.lexsort((np.arange(len(stream)), framed.by, stream))
        stream, start = stream[order], framed.start[order]
        connects, version = framed.data[start] == CONNECT << 4, self.versions[stream]
        for i in np.flatnonzero(connects).tolist():
            begin = BEGIN.match(framed.data[start[i] : framed.end[order[i]]][:PROBE_SIZE].tobytes())
            version[i] = begin[1][0] if begin else 0
        since = np.maximum.accumulate(np.where(connects | (np.diff(stream, prepend=-1) != 0), np.arange(len(stream)), 0))
        version = version[since]
        self.versions[stream] = version  # the last of several counts
        back = np.empty(len(order), np.uint8)
        back[order] = version
        return framed._replace(columns={"version": back})


def wrong_flags(first: np.ndarray) -> np.ndarray:
    """Whether the first byte of a fixed header is one that the standard forbids, bool (n,). §2.1.3."""
    kind, flags = first >> 4, first & 15
    wanted = np.where(np.isin(kind, FLAGS_OF_2), 2, 0)
    return (kind == 0) | np.where(kind == PUBLISH, flags & 6 == 6, flags != wanted)


class Cursor:
    """Where the next field of some messages stands. rows: their headers; at, end: int64 (n,). bad, odd: of all headers, where a field
    does not fit, and where a property does not fit or is not known; -1: nowhere."""

    def __init__(self, parts: Parts, rows: np.ndarray, at: np.ndarray, bad: np.ndarray, odd: np.ndarray) -> None:
        self.parts, self.rows, self.at, self.bad, self.odd = parts, rows, at[rows], bad, odd
        self.end = parts.h.end[rows]

    def _some(self, where: np.ndarray | None, size: int) -> np.ndarray:
        """Indices of those that have a field of `size` bytes more, of those at `where`; the others end here."""
        which = np.flatnonzero(self.bad[self.rows] < 0 if where is None else where & (self.bad[self.rows] < 0))
        fits = self.at[which] + size <= self.end[which]
        lacking = which[~fits]
        self.bad[self.rows[lacking]] = self.at[lacking]
        return which[fits]

    def read(self, layout: Layout, where: np.ndarray | None = None) -> Reading:
        """A part of fixed size; of all messages, zeros where it is not."""
        which = self._some(where, layout.size)
        self.parts.read(layout, self.rows[which], self.at[which])
        there = np.zeros(len(self.rows), bool)
        there[which] = True
        reading = peek(self.parts.h, layout, self.rows, self.at, np.where(there, self.end, self.at))
        self.at[which] += layout.size
        return reading

    def string(self, length: str, name: str, where: np.ndarray | None = None) -> None:
        """A length of two bytes, and text or bytes of it."""
        which = self._some(where, LENGTH.size)
        size = peek(self.parts.h, LENGTH, self.rows[which], self.at[which])["length"]
        self.parts.put(length, size, self.rows[which], self.at[which])
        self.at[which] += LENGTH.size
        stop = np.zeros(len(self.rows), np.int64)
        stop[which] = self.at[which] + size
        fits = stop[which] <= self.end[which]
        lacking, which = which[~fits], which[fits]
        self.bad[self.rows[lacking]] = self.at[lacking] - LENGTH.size
        put = self.parts.bytes if self.parts.kinds[name] is raw else self.parts.text
        put(name, self.rows[which], self.at[which], stop[which])
        self.at[which] = stop[which]

    def rest(self, layout: Layout, where: np.ndarray) -> None:
        """As many parts of one byte as are left."""
        which = np.flatnonzero(where & (self.bad[self.rows] < 0))
        owner, nth = repeated(self.end[which] - self.at[which])
        self.parts.read(layout, self.rows[which][owner], self.at[which][owner] + nth)

    def properties(self, where: np.ndarray) -> None:
        """A length, and properties of it: MQTT 5.0 §2.2.2."""
        h = self.parts.h
        which = self._some(where, 1)
        size, width = variable(h.buffer, self.at[which])
        start = self.at[which] + width
        fits = (width > 0) & (start + size <= self.end[which])
        self.bad[self.rows[which[~fits]]] = self.at[which[~fits]]
        which, size, start = which[fits], size[fits], start[fits]
        self.parts.put("mqtt.property_len", size, self.rows[which], self.at[which])
        self.at[which] = start + size
        found: dict[str, list[tuple[int, int, int]]] = {}  # name → header, place, value or, of text, length
        for row, at, stop in zip(self.rows[which].tolist(), start.tolist(), self.at[which].tolist(), strict=True):
            if (wrong := _walk(h.buffer.data, row, at, stop, found)) >= 0:
                self.odd[row] = wrong
        for name, values in found.items():
            row, at, value = np.array(values, np.int64).T
            if name in TEXTS:
                self.parts.text(name, row, at, at + value)
            else:
                self.parts.put(name, value, row, at)


def _walk(data: memoryview, row: int, at: int, stop: int, found: dict[str, list[tuple[int, int, int]]]) -> int:
    """Add the properties in data[at:stop] to `found`; where one does not fit or is not known, or -1."""

    def add(name: str, place: int, value: int) -> None:
        found.setdefault(name, []).append((row, place, value))

    while at < stop:
        begin, kind = at, data[at]
        add("mqtt.property_id", at, kind)
        at += 1
        if kind in NUMBERS:
            end = at + NUMBERS[kind]
            if end > stop:
                return begin
            name = {TOPIC_ALIAS: "mqtt.property.topic_alias", MAXIMUM_QOS: "mqtt.property.max_qos"}.get(kind, "mqtt.prop_number")
            add(name, at, int.from_bytes(data[at:end], "big"))
            at = end
        elif kind == SUBSCRIPTION_IDENTIFIER:
            number, shift, end = 0, 0, at
            while end < min(stop, at + 4):
                number |= (data[end] & 127) << shift
                shift += 7
                end += 1
                if data[end - 1] < 128:
                    break
            if end == at or data[end - 1] >= 128:
                return begin
            add("mqtt.prop_number", at, number)
            at = end
        elif kind in STRINGS or kind in (CONTENT_TYPE, USER_PROPERTY):
            for name in ("key", "value") if kind == USER_PROPERTY else ("string",):
                size = int.from_bytes(data[at : at + 2], "big")
                if at + 2 + size > stop:
                    return begin
                if kind == CONTENT_TYPE:
                    add("mqtt.property.content_type", at + 2, size)
                else:
                    add(f"mqtt.prop_{name}_len", at, size)
                    add(f"mqtt.prop_{name}", at + 2, size)
                at += 2 + size
        else:
            return begin
    return -1


def _derived(h: Headers) -> dict[str, Column]:
    parts = Parts(h, FIELDS)
    kind, v5 = h["mqtt.msgtype"], h.context_of("version") == V5
    length, width = variable(h.buffer, h.start + 1)
    rows = np.arange(len(h))
    parts.put("mqtt.len", length, rows, h.start + 1)
    begin, (bad, odd) = h.start + 1 + width, np.full((2, len(h)), -1, np.int64)

    def of(*kinds: int) -> tuple[Cursor, np.ndarray]:
        which = np.flatnonzero(np.isin(kind, kinds))
        return Cursor(parts, which, begin, bad, odd), v5[which]

    others = np.flatnonzero(kind != PUBLISH)
    parts.read(RESERVED, others, h.start[others])
    _connect(of(CONNECT)[0])
    c, five = of(CONNACK)
    old = h.context_of("version")[c.rows] == V3_1
    c.read(UNUSED, old)
    c.read(ACCEPTANCE, ~old)
    c.read(RESULT, ~five)
    c.read(REASONS[CONNACK], five)
    c.properties(five)
    c, five = of(PUBLISH)
    qos = parts.read(DELIVERY, c.rows, h.start[c.rows])["mqtt.qos"]
    c.string("mqtt.topic_len", "mqtt.topic")
    c.read(IDENTIFIER, qos > 0)
    c.properties(five)
    fine = np.flatnonzero(bad[c.rows] < 0)
    parts.bytes("mqtt.msg", c.rows[fine], c.at[fine], c.end[fine])
    for answer in (PUBACK, PUBREC, PUBREL, PUBCOMP, DISCONNECT, AUTH):
        c, five = of(answer)
        if answer not in (DISCONNECT, AUTH):
            c.read(IDENTIFIER)
        c.read(REASONS[answer], five & (c.at < c.end))
        c.properties(five & (c.at < c.end))
    for request, head, layouts in ((SUBSCRIBE, 3, (ASKED, OPTIONS)), (UNSUBSCRIBE, 2, ())):
        c, five = of(request)
        c.read(IDENTIFIER)
        c.properties(five)
        _topics(c, head, layouts, five)
    c, five = of(SUBACK, UNSUBACK)
    c.read(IDENTIFIER)
    c.properties(five)
    ends = kind[c.rows] == SUBACK
    c.rest(GRANT, ~five & ends)
    c.rest(REASONS[SUBACK], five & ends)
    c.rest(REASONS[UNSUBACK], five & ~ends)
    misfits(h, bad, "mqtt.len", "is less than the fields need")
    misfits(h, odd, "mqtt.property_id", "is not known, or its value does not fit")
    return dict(parts.columns())


def _connect(c: Cursor) -> None:
    """MQTT 5.0 §3.1."""
    c.string("mqtt.proto_len", "mqtt.protoname")
    head = c.read(CONNECTION)
    five, flags = head["mqtt.ver"] == V5, head["mqtt.conflags"]
    c.properties(five)
    c.string("mqtt.clientid_len", "mqtt.clientid")
    will = flags & 4 > 0
    c.properties(five & will)
    c.string("mqtt.willtopic_len", "mqtt.willtopic", will)
    c.string("mqtt.willmsg_len", "mqtt.willmsg", will)
    c.string("mqtt.username_len", "mqtt.username", flags & 0x80 > 0)
    c.string("mqtt.passwd_len", "mqtt.passwd", flags & 0x40 > 0)


def _topics(c: Cursor, head: int, layouts: tuple[Layout, ...], five: np.ndarray) -> None:
    """Topic filters up to the end. head: bytes of one beyond its text. layouts: of the byte behind it, before MQTT 5 and since."""
    which = np.flatnonzero(c.bad[c.rows] < 0)
    found = items(c.parts.h, c.at[which], c.end[which], head=head, least=head, owner=c.rows[which])
    c.bad[c.rows[which]] = found.bad
    fits = np.flatnonzero(found.size > 0)
    own, at, size = which[found.row[fits]], found.at[fits], found.size[fits]
    rows = c.rows[own]
    c.parts.put("mqtt.topic_len", size - head, rows, at)
    c.parts.text("mqtt.topic", rows, at + 2, at + 2 + size - head)
    for layout, some in zip(layouts, (~five[own], five[own])):
        c.parts.read(layout, rows[some], (at + size - 1)[some])


def check(h: Headers) -> None:
    h.fault(wrong_flags(h["mqtt.hdrflags"]) & ~h.quoted, "mqtt.hdrflags", "has bits that the standard forbids", at=h.start)
    h.column("mqtt.len")


TEXTS = {
    "mqtt.protoname": "Protocol",
    "mqtt.clientid": "Client identifier",
    "mqtt.willtopic": "Will's topic",
    "mqtt.username": "User name",
    "mqtt.passwd": "Password",
    "mqtt.topic": "Topic",
    "mqtt.prop_string": "Property's text",
    "mqtt.prop_key": "Property's name",
    "mqtt.prop_value": "Property's value",
    "mqtt.property.content_type": "Content type",
}
LENGTHS = {
    "mqtt.proto_len": "Length of the protocol's name",
    "mqtt.clientid_len": "Length of the client identifier",
    "mqtt.willtopic_len": "Length of the will's topic",
    "mqtt.willmsg_len": "Length of the will",
    "mqtt.username_len": "Length of the user name",
    "mqtt.passwd_len": "Length of the password",
    "mqtt.topic_len": "Length of the topic",
    "mqtt.prop_string_len": "Length of the property's text",
    "mqtt.prop_key_len": "Length of the property's name",
    "mqtt.prop_value_len": "Length of the property's value",
}
FIELDS = (
    Field("mqtt.len", u64, "Remaining length", "bytes behind the fixed header"),
    *(f for layout in (RESERVED, DELIVERY, CONNECTION, ACCEPTANCE, RESULT, IDENTIFIER, *REASONS.values(), GRANT, ASKED, OPTIONS)
      for f in layout.all() if f.label),
    *(Field(name, text, label, many=name.startswith(("mqtt.prop", "mqtt.topic"))) for name, label in TEXTS.items()),
    *(Field(name, u16, label, "bytes", many=name.startswith(("mqtt.prop", "mqtt.topic"))) for name, label in LENGTHS.items()),
    Field("mqtt.willmsg", raw, "Will", "what the broker publishes if the connection is lost"),
    Field("mqtt.msg", raw, "Message"),
    Field("mqtt.property_len", u64, "Length of the properties", "bytes", many=True),
    Field("mqtt.property_id", u8, "Property", hex=2, value_names=PROPERTY, many=True),
    Field("mqtt.prop_number", u32, "Property's number", many=True),
    Field("mqtt.property.topic_alias", u16, "Topic alias", many=True),
    Field("mqtt.property.max_qos", u8, "Greatest quality of service", value_names=QOS, many=True),
)  # fmt: skip

PROTOCOL = Protocol(
    "MQTT",
    header=HEADER,
    on={"tcp.port": 1883},
    info="{mqtt.msgtype:words}[ {mqtt.msgid}][ of {mqtt.clientid}][, {mqtt.topic}][: {mqtt.conack.val:words}]"
    "[: {mqtt.connack.reason_code:words}][: {mqtt.disconnect.reason_code:words}], {mqtt.len} bytes",
    check=check,
    framer=MqttMessages,
    derived=((FIELDS, _derived),),
)
