"""QUIC, versions 1 and 2: RFC 9000, RFC 9001, RFC 9369, RFC 8999. Drafts 23 to 34 too.

A row is a packet; several can lie in one datagram (RFC 9000 §12.2). Packets are encrypted, with keys that only the ends have, all but
the Initial ones: their keys follow from the destination connection id that the client chose first. Those are opened, the frames in
them told, and the hellos of TLS in them read like any other. A short header says nothing of whose it is: it is told where a long
header came before between the same addresses and ports, and so is the length of its connection id.
"""

from __future__ import annotations

import numpy as np

from ..fields import CUT, Column, Field, Headers, Layout, Payload, Protocol, bits, flag, raw, text, u8, u32, u64
from .common import quic_packets
from .common.parts import Parts
from .common.quic_packets import Heads

TYPE = {0: "Initial", 1: "0-RTT", 2: "Handshake", 3: "Retry"}
TYPE_2 = {1: "Initial", 2: "0-RTT", 3: "Handshake", 0: "Retry"}
VERSION = {
    0: "version 0",
    quic_packets.V1: "version 1",
    quic_packets.V2: "version 2",
    **{n: f"draft {n & 0xFF}" for n in quic_packets.DRAFTS},
}
FRAME = {
    quic_packets.PADDING: "PADDING",
    quic_packets.PING: "PING",
    quic_packets.ACK: "ACK",
    quic_packets.ACK_ECN: "ACK with ECN",
    quic_packets.CRYPTO: "CRYPTO",
    quic_packets.CLOSE: "CONNECTION_CLOSE",
}
ERROR = {  # RFC 9000 §20.1; 0x100 and what follows is an alert of TLS
    0: "no error",
    1: "internal error",
    2: "connection refused",
    3: "flow control error",
    4: "stream limit error",
    5: "stream state error",
    6: "final size error",
    7: "frame encoding error",
    8: "transport parameter error",
    9: "connection id limit error",
    10: "protocol violation",
    11: "invalid token",
    12: "application error",
    13: "crypto buffer exceeded",
    14: "key update error",
    15: "AEAD limit reached",
    16: "no viable path",
    17: "version negotiation error",
}
OPEN, RETRIED = 0, quic_packets.RETRY
WHY = {  # why an Initial packet was not read, as `reassembly.initials` tells it
    1: "its keys hang on the client's first Initial packet, which is not in the capture, or it was damaged",
    2: "the keys of its version are not known",
    3: "enough Initial packets of the connection were read",
    4: "cut by the capture",
}
HEADER = Layout(
    Field(
        "quic.first_byte",
        u8,
        "First byte",
        "but for the form its bits mean another thing in each kind of packet",
        hex=2,
        parts=(Field("quic.header_form", bits(1), "Header form", value_names={0: "short", 1: "long"}),),
    )
)
FORM = Layout(Field("quic.version", u32, "Version", hex=8, value_names=VERSION), Field("quic.dcil", u8, "Destination id's length"))
SCIL = Layout(Field("quic.scil", u8, "Source id's length"))
SUPPORTED = Layout(Field("quic.supported_version", u32, "Supported version", "RFC 9000 §6", hex=8, value_names=VERSION), many=True)
HEAD = (
    Field("quic.connection.number", u32, "Connection", "counts up from 0 in the capture"),
    Field("quic.packet_length", u32, "Packet's length", "bytes"),
    Field("quic.words", text, "Packet in words"),
    Field("quic.fixed_bit", flag, "Fixed bit", "always set, unless both ends agree to RFC 9287"),
    Field("quic.vn.unused", u8, "Unused", "of a version negotiation", hex=2),
    Field("quic.spin_bit", flag, "Spin bit", "changes once a round trip, if at all; RFC 9000 §17.4"),
    Field("quic.long.packet_type", u8, "Packet type", value_names=TYPE),
    Field("quic.long.packet_type_v2", u8, "Packet type", "of version 2", value_names=TYPE_2),
    Field("quic.long.reserved", u8, "Reserved", "of an Initial packet that was opened; always 0"),
    Field("quic.packet_number_length", u8, "Packet number's length", "one less than its bytes"),
    *FORM.fields,
    Field("quic.dcid", raw, "Destination connection id", "of a short header: of the length that the other end asked for"),
    *SCIL.fields,
    Field("quic.scid", raw, "Source connection id"),
    Field("quic.token_length", u64, "Token's length"),
    Field("quic.token", raw, "Token", "of an Initial: from a Retry packet, or from an earlier connection"),
    Field("quic.length", u64, "Length", "bytes of packet number, payload and tag"),
    Field("quic.packet_number", u64, "Packet number", "of an Initial packet that was opened"),
    Field("quic.remaining_payload", raw, "Encrypted rest"),
    *SUPPORTED.fields,
    Field("quic.retry_token", raw, "Retry token"),
    Field("quic.retry_integrity_tag", raw, "Retry integrity tag", "RFC 9001 §5.8"),
    Field("quic.retry_genuine", flag, "Retry is genuine", "its tag agrees with the connection id that the client chose"),
    Field("quic.unread", text, "Why it was not read", "of an Initial packet"),
    Field(
        "quic.rest_length", u32, "Bytes behind it", "that are no packet, mostly zeros to fill the datagram; or that come behind 64 packets"
    ),
)
INNER = (
    Field("quic.frame_type", u64, "Frame type", "of Initial packets", value_names=FRAME, many=True),
    Field("quic.padding_length", u32, "Padding", "bytes", many=True),
    Field("quic.ack.largest_acknowledged", u64, "Largest acknowledged", many=True),
    Field("quic.ack.ack_delay", u64, "ACK delay", "in units that the sender's transport parameters tell, 8 µs if they don't", many=True),
    Field("quic.ack.ack_range_count", u64, "Count of ranges", "beside the first", many=True),
    Field("quic.ack.first_ack_range", u64, "First range", "packets before the largest, all there", many=True),
    Field("quic.ack.gap", u64, "Gap", "one less than the packets that are missing", many=True),
    Field("quic.ack.ack_range", u64, "Range", "one less than the packets that are there", many=True),
    Field("quic.ack.ect0_count", u64, "ECT(0) count", many=True),
    Field("quic.ack.ect1_count", u64, "ECT(1) count", many=True),
    Field("quic.ack.ecn_ce_count", u64, "ECN-CE count", many=True),
    Field("quic.crypto.offset", u64, "CRYPTO offset", many=True),
    Field("quic.crypto.length", u64, "CRYPTO length", many=True),
    Field("quic.cc.error_code", u64, "Error", "why the connection is closed", value_names=ERROR, many=True),
    Field("quic.cc.error_code.tls_alert", u8, "TLS alert", "RFC 9001 §4.8", many=True),
    Field("quic.cc.frame_type", u64, "Frame type of the error", many=True),
    Field("quic.cc.reason_phrase.length", u64, "Reason's length", many=True),
    Field("quic.cc.reason_phrase", text, "Reason", many=True),
)
FRAMES_WORDS = Field("quic.frames_words", text, "Frames in words")


def _heads(h: Headers) -> Heads:
    return quic_packets.heads(h.buffer, h.start, _ends(h), h.context_of("sized", -1))


def _ends(h: Headers) -> np.ndarray:
    """Where the packets end: not where the messages behind an opened one do."""
    return np.minimum(h.end, h.start + h.context_of("size", 1 << 30))


def _clear(h: Headers) -> np.ndarray:
    """Bounds of the frames of packets that were opened, int64 (n, 2); empty for others."""
    return h.context["clear"].values if "clear" in h.context else np.zeros((len(h), 2), np.int64)


def _walked(h: Headers) -> tuple[list[tuple[int, quic_packets.Part]], np.ndarray]:
    """The frames of each opened packet, with its row; where one does not fit, -1 if all do."""
    clear, bad = _clear(h), np.full(len(h), -1)
    found = []
    data = h.buffer.data
    rows = np.flatnonzero(clear[:, 1] > clear[:, 0])
    for row, (at, end) in zip(rows.tolist(), clear[rows].tolist()):
        some, bad[row] = quic_packets.parts(data, at, end)
        found += [(row, one) for one in some]
    return found, bad


def contents(h: Headers):
    found = h.memo(_heads)
    size = h.context_of("size", 0)
    known = (found.kind != quic_packets.OTHER) & (found.kind >= 0)
    h.fault(~found.whole & known & (h.end < h.wire), "", CUT, size, h.end - h.start, h.start)
    h.fault(~found.whole & known & (h.end >= h.wire), "", "a length in the header goes beyond the packet", at=h.start)
    beyond = found.whole & known & (found.stop - h.start > size) & (size > 0)
    h.fault(beyond, "", "says {needed} bytes, has {had}", found.stop - h.start, size, h.start)
    _, bad = h.memo(_walked)
    h.fault(bad >= 0, "", "holds a frame that does not fit into it or may not be there", at=bad)
    if "messages" in h.context:
        bounds = h.context["messages"].values
        rows = np.flatnonzero(bounds[:, 1] > bounds[:, 0])
        yield Payload("quic", 1, bounds[:, 0], bounds[:, 1], rows)


def _columns(h: Headers) -> dict[str, Column]:
    """Every field of HEAD."""
    found, end = h.memo(_heads), _ends(h)
    p = Parts(h, HEAD)
    every = np.arange(len(h))
    kind, first = found.kind, found.first
    there = h.start < end
    long = np.flatnonzero(there & (first >= 0x80))
    short = np.flatnonzero(there & (kind == quic_packets.SHORT))
    packet_type = (first >> 4 & 3).astype(np.uint8)
    old, new = (
        long[mask[long]] for mask in ((kind < quic_packets.VERSIONS) & (found.version != quic_packets.V2), found.version == quic_packets.V2)
    )
    opened = np.flatnonzero(_clear(h)[:, 1] > 0)
    for name, values, rows in (
        ("fixed_bit", first & 0x40 > 0, every[there & (kind != quic_packets.VERSIONS)]),
        ("vn.unused", (first & 0x7F).astype(np.uint8), every[there & (kind == quic_packets.VERSIONS)]),
        ("spin_bit", first & 0x20 > 0, short),
        ("long.packet_type", packet_type, old),
        ("long.packet_type_v2", packet_type, new),
        ("long.reserved", (first >> 2 & 3).astype(np.uint8), opened),
        ("packet_number_length", (first & 3).astype(np.uint8), opened),
    ):
        p.put(f"quic.{name}", values[rows], rows, h.start[rows])
    p.read(FORM, long, h.start[long] + 1, end[long])
    p.read(SCIL, long, found.dcid[long, 1], end[long])
    for name in ("dcid", "scid"):
        bounds = getattr(found, name)
        rows = np.flatnonzero((first >= 0x80) | ((kind == quic_packets.SHORT) & (h.context_of("sized", -1) > 0)))
        rows = rows[bounds[rows, 1] <= end[rows]]
        p.bytes(f"quic.{name}", rows, *bounds[rows].T)

    whole = found.whole
    rows = np.flatnonzero(whole & (kind == quic_packets.INITIAL))
    p.put("quic.token_length", found.token[rows, 1] - found.token[rows, 0], rows, found.token[rows, 0])
    p.bytes("quic.token", rows, *found.token[rows].T)
    rows = np.flatnonzero(whole & (kind <= quic_packets.HANDSHAKE))
    p.put("quic.length", found.length[rows], rows, found.payload[rows])
    number = h.context_of("packet", -1)
    p.put("quic.packet_number", number[opened], opened, found.payload[opened])
    closed = whole & ((kind <= quic_packets.HANDSHAKE) | (kind == quic_packets.SHORT))
    closed[opened] = False
    rows = np.flatnonzero(closed)
    p.bytes("quic.remaining_payload", rows, found.payload[rows], np.minimum(found.stop, end)[rows])
    rows = np.flatnonzero(whole & (kind == RETRIED) & (end >= h.wire))
    p.bytes("quic.retry_token", rows, *found.token[rows].T)
    p.bytes("quic.retry_integrity_tag", rows, found.token[rows, 1], end[rows])
    rows = np.flatnonzero(whole & (kind == quic_packets.VERSIONS))
    count = (end - found.payload)[rows] // SUPPORTED.size
    own = np.repeat(rows, count)
    nth = np.arange(len(own)) - np.repeat(np.cumsum(count) - count, count)
    p.read(SUPPORTED, own, found.payload[own] + SUPPORTED.size * nth)

    made = dict(p.columns())
    why, genuine, rest = h.context_of("why", -1), h.context_of("genuine", -1), h.context_of("rest", 0)
    unread, asked = np.flatnonzero(np.isin(why, list(WHY))), np.flatnonzero(genuine >= 0)
    made["quic.unread"] = Column(np.array([WHY[one] for one in why[unread].tolist()], object), unread)
    made["quic.retry_genuine"] = Column(genuine[asked] > 0, asked)
    made["quic.rest_length"] = Column(rest[rest > 0].astype(np.uint32), np.flatnonzero(rest > 0))
    made["quic.words"] = Column(np.array(quic_packets.WORDS, object)[kind])
    made["quic.connection.number"] = Column(h.context_of("number", 0).astype(np.uint32))
    made["quic.packet_length"] = Column(h.context_of("size", 0).astype(np.uint32))
    return made


def _frames(h: Headers) -> dict[str, Column]:
    """Every field of INNER."""
    found, _ = h.memo(_walked)
    told: dict[str, tuple[list[object], list[int]]] = {f.name: ([], []) for f in INNER}

    def tell(row: int, **values: object) -> None:
        for name, value in values.items():
            column, rows = told[f"quic.{name.replace('__', '.')}"]
            column.append(value)
            rows.append(row)

    for row, one in found:
        tell(row, frame_type=one.kind)
        if one.kind == quic_packets.PADDING:
            tell(row, padding_length=one.size)
        elif one.kind in (quic_packets.ACK, quic_packets.ACK_ECN):
            largest, delay, count, first = one.values[:4]
            tell(row, ack__largest_acknowledged=largest, ack__ack_delay=delay, ack__ack_range_count=count, ack__first_ack_range=first)
            ranges, marks = one.values[4 : 4 + 2 * count], one.values[4 + 2 * count :]
            for gap, size in zip(ranges[::2], ranges[1::2]):
                tell(row, ack__gap=gap, ack__ack_range=size)
            if marks:
                tell(row, ack__ect0_count=marks[0], ack__ect1_count=marks[1], ack__ecn_ce_count=marks[2])
        elif one.kind == quic_packets.CRYPTO:
            tell(row, crypto__offset=one.values[0], crypto__length=one.values[1])
        elif one.kind == quic_packets.CLOSE:
            error, kind, size = one.values
            tell(row, cc__error_code=error, cc__frame_type=kind, cc__reason_phrase__length=size)
            if error >> 8 == 1:
                tell(row, cc__error_code__tls_alert=error & 0xFF)
            reason = bytes(h.buffer[one.data[0] : one.data[1]]).decode("utf-8", "replace")
            tell(row, cc__reason_phrase=reason)
    return {f.name: Column(np.array(told[f.name][0], f.kind.dtype), np.array(told[f.name][1], np.int64)) for f in INNER}


def _frames_words(h: Headers) -> dict[str, Column]:
    """The names of a packet's frames."""
    found, _ = h.memo(_walked)
    said: dict[int, list[str]] = {}
    for row, one in found:
        names = said.setdefault(row, [])
        if FRAME[one.kind] not in names:
            names.append(FRAME[one.kind])
    return {FRAMES_WORDS.name: Column(np.array([", ".join(names) for names in said.values()], object), np.array(list(said), np.int64))}


PROTOCOL = Protocol(
    "QUIC",
    header=HEADER,
    info="{quic.words}[ {quic.packet_number}][, {quic.version:words}][, to {quic.dcid}][, from {quic.scid}][, {quic.frames_words}]",
    contents=contents,
    derived=((HEAD, _columns), (INNER, _frames), ((FRAMES_WORDS,), _frames_words)),
)
