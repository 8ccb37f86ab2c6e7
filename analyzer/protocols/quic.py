"""QUIC, versions 1 and 2: RFC 9000, RFC 9001, RFC 9369, RFC 8999. Drafts 23 to 34 too.

A row is a packet; a datagram may have several (RFC 9000 §12.2). Packets are encrypted with keys that only the endpoints have, except
Initial packets: their keys follow from the destination connection ID that the client chose first. These are decrypted, and the TLS
handshake messages in them are dissected. The connection of a short header and the length of its connection ID are known from an
earlier long header between the same addresses and ports.
"""

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
UNREAD = {  # why an Initial packet was not decrypted
    quic_packets.NO_KEY: "its keys follow from the client's first Initial packet, which is not in the capture, or it was damaged",
    quic_packets.NO_VERSION: "the keys of its version are not known",
    quic_packets.ENOUGH: "enough Initial packets of the connection were read",
    quic_packets.CUT: "cut by the capture",
}
HEADER = Layout(
    Field(
        "quic.first_byte",
        u8,
        "First byte",
        "all bits but the form depend on the kind of packet",
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
    Field("quic.long.reserved", u8, "Reserved", "of a decrypted Initial packet; always 0"),
    Field("quic.packet_number_length", u8, "Packet number's length", "bytes, less one"),
    *FORM.fields,
    Field("quic.dcid", raw, "Destination connection id", "of a short header: its length is known from earlier packets"),
    *SCIL.fields,
    Field("quic.scid", raw, "Source connection id"),
    Field("quic.token_length", u64, "Token's length"),
    Field("quic.token", raw, "Token", "of an Initial: from a Retry packet, or from an earlier connection"),
    Field("quic.length", u64, "Length", "bytes of packet number, payload and tag"),
    Field("quic.packet_number", u64, "Packet number", "of a decrypted Initial packet"),
    Field("quic.remaining_payload", raw, "Encrypted rest"),
    *SUPPORTED.fields,
    Field("quic.retry_token", raw, "Retry token"),
    Field("quic.retry_integrity_tag", raw, "Retry integrity tag", "RFC 9001 §5.8"),
    Field("quic.retry_genuine", flag, "Retry is genuine", "its tag agrees with the connection id that the client chose"),
    Field("quic.unread", text, "Why it was not read", "of an Initial packet"),
    Field("quic.rest_length", u32, "Bytes after it", "that are no packet, mostly zeros as padding; or after 64 packets"),
)
FRAME_FIELDS = (
    Field("quic.frame_type", u64, "Frame type", "of Initial packets", value_names=FRAME, many=True),
    Field("quic.padding_length", u32, "Padding", "bytes", many=True),
    Field("quic.ack.largest_acknowledged", u64, "Largest acknowledged", many=True),
    Field("quic.ack.ack_delay", u64, "ACK delay", "in units of the sender's ack_delay_exponent, 8 µs by default", many=True),
    Field("quic.ack.ack_range_count", u64, "Count of ranges", "besides the first", many=True),
    Field("quic.ack.first_ack_range", u64, "First range", "received packets directly before the largest", many=True),
    Field("quic.ack.gap", u64, "Gap", "missing packets, less one", many=True),
    Field("quic.ack.ack_range", u64, "Range", "received packets, less one", many=True),
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
FRAME_NAMES = Field("quic.frames_words", text, "Frames in words")


def _heads(h: Headers) -> Heads:
    return quic_packets.read_heads(h.buffer, h.start, _ends(h), h.context_of("dcid_size", -1))


def _ends(h: Headers) -> np.ndarray:
    """The ends of the packets, without the messages that follow a decrypted one in its buffer."""
    return np.minimum(h.end, h.start + h.context_of("size", 1 << 30))


def _clear(h: Headers) -> np.ndarray:
    """Bounds of the frames of decrypted packets, int64 (n, 2); empty for others."""
    return h.context["clear"].values if "clear" in h.context else np.zeros((len(h), 2), np.int64)


def _frames(h: Headers) -> tuple[list[tuple[int, quic_packets.QuicFrame]], np.ndarray]:
    """(row, frame) of decrypted packets; for each header the offset of a frame that does not fit, -1 if all do."""
    clear, bad = _clear(h), np.full(len(h), -1)
    frames = []
    data = h.buffer.data
    rows = np.flatnonzero(clear[:, 1] > clear[:, 0])
    for row, (at, end) in zip(rows.tolist(), clear[rows].tolist()):
        some, bad[row] = quic_packets.frames(data, at, end)
        frames += [(row, frame) for frame in some]
    return frames, bad


def contents(h: Headers):
    heads = h.memo(_heads)
    size = h.context_of("size", 0)
    known = (heads.kind != quic_packets.OTHER) & (heads.kind >= 0)
    h.fault(~heads.whole & known & (h.end < h.wire), "", CUT, size, h.end - h.start, h.start)
    h.fault(~heads.whole & known & (h.end >= h.wire), "", "a length in the header goes beyond the packet", at=h.start)
    beyond = heads.whole & known & (heads.stop - h.start > size) & (size > 0)
    h.fault(beyond, "", "says {needed} bytes, has {had}", heads.stop - h.start, size, h.start)
    _, bad = h.memo(_frames)
    h.fault(bad >= 0, "", "holds a frame that does not fit into it or may not be there", at=bad)
    if "messages" in h.context:
        bounds = h.context["messages"].values
        rows = np.flatnonzero(bounds[:, 1] > bounds[:, 0])
        yield Payload("quic", 1, bounds[:, 0], bounds[:, 1], rows)


def _columns(h: Headers) -> dict[str, Column]:
    """Every field of HEAD."""
    heads, end = h.memo(_heads), _ends(h)
    p = Parts(h, HEAD)
    every = np.arange(len(h))
    kind, first = heads.kind, heads.first
    there = h.start < end
    long = np.flatnonzero(there & (first >= 0x80))
    short = np.flatnonzero(there & (kind == quic_packets.SHORT))
    packet_type = (first >> 4 & 3).astype(np.uint8)
    old, new = (
        long[mask[long]]
        for mask in ((kind < quic_packets.VERSION_NEGOTIATION) & (heads.version != quic_packets.V2), heads.version == quic_packets.V2)
    )
    opened = np.flatnonzero(_clear(h)[:, 1] > 0)
    for name, values, rows in (
        ("fixed_bit", first & 0x40 > 0, every[there & (kind != quic_packets.VERSION_NEGOTIATION)]),
        ("vn.unused", (first & 0x7F).astype(np.uint8), every[there & (kind == quic_packets.VERSION_NEGOTIATION)]),
        ("spin_bit", first & 0x20 > 0, short),
        ("long.packet_type", packet_type, old),
        ("long.packet_type_v2", packet_type, new),
        ("long.reserved", (first >> 2 & 3).astype(np.uint8), opened),
        ("packet_number_length", (first & 3).astype(np.uint8), opened),
    ):
        p.put(f"quic.{name}", values[rows], rows, h.start[rows])
    p.read(FORM, long, h.start[long] + 1, end[long])
    p.read(SCIL, long, heads.dcid[long, 1], end[long])
    for name in ("dcid", "scid"):
        bounds = getattr(heads, name)
        rows = np.flatnonzero((first >= 0x80) | ((kind == quic_packets.SHORT) & (h.context_of("dcid_size", -1) > 0)))
        rows = rows[bounds[rows, 1] <= end[rows]]
        p.bytes(f"quic.{name}", rows, *bounds[rows].T)

    whole = heads.whole
    rows = np.flatnonzero(whole & (kind == quic_packets.INITIAL))
    p.put("quic.token_length", heads.token[rows, 1] - heads.token[rows, 0], rows, heads.token[rows, 0])
    p.bytes("quic.token", rows, *heads.token[rows].T)
    rows = np.flatnonzero(whole & (kind <= quic_packets.HANDSHAKE))
    p.put("quic.length", heads.length[rows], rows, heads.payload[rows])
    number = h.context_of("packet_number", -1)
    p.put("quic.packet_number", number[opened], opened, heads.payload[opened])
    closed = whole & ((kind <= quic_packets.HANDSHAKE) | (kind == quic_packets.SHORT))
    closed[opened] = False
    rows = np.flatnonzero(closed)
    p.bytes("quic.remaining_payload", rows, heads.payload[rows], np.minimum(heads.stop, end)[rows])
    rows = np.flatnonzero(whole & (kind == quic_packets.RETRY) & (end >= h.wire))
    p.bytes("quic.retry_token", rows, *heads.token[rows].T)
    p.bytes("quic.retry_integrity_tag", rows, heads.token[rows, 1], end[rows])
    rows = np.flatnonzero(whole & (kind == quic_packets.VERSION_NEGOTIATION))
    count = (end - heads.payload)[rows] // SUPPORTED.size
    own = np.repeat(rows, count)
    nth = np.arange(len(own)) - np.repeat(np.cumsum(count) - count, count)
    p.read(SUPPORTED, own, heads.payload[own] + SUPPORTED.size * nth)

    columns = dict(p.columns())
    result, genuine, rest = h.context_of("result", -1), h.context_of("genuine", -1), h.context_of("rest", 0)
    unread, checked = np.flatnonzero(np.isin(result, list(UNREAD))), np.flatnonzero(genuine >= 0)
    columns["quic.unread"] = Column(np.array([UNREAD[code] for code in result[unread].tolist()], object), unread)
    columns["quic.retry_genuine"] = Column(genuine[checked] > 0, checked)
    columns["quic.rest_length"] = Column(rest[rest > 0].astype(np.uint32), np.flatnonzero(rest > 0))
    columns["quic.words"] = Column(np.array(quic_packets.KIND_NAMES, object)[kind])
    columns["quic.connection.number"] = Column(h.context_of("number", 0).astype(np.uint32))
    columns["quic.packet_length"] = Column(h.context_of("size", 0).astype(np.uint32))
    return columns


def _frame_columns(h: Headers) -> dict[str, Column]:
    """Every field of FRAME_FIELDS."""
    frames, _ = h.memo(_frames)
    columns: dict[str, tuple[list[object], list[int]]] = {f.name: ([], []) for f in FRAME_FIELDS}

    def add(row: int, **values: object) -> None:
        for name, value in values.items():
            values_of, rows = columns[f"quic.{name.replace('__', '.')}"]
            values_of.append(value)
            rows.append(row)

    for row, frame in frames:
        add(row, frame_type=frame.kind)
        if frame.kind == quic_packets.PADDING:
            add(row, padding_length=frame.size)
        elif frame.kind in (quic_packets.ACK, quic_packets.ACK_ECN):
            largest, delay, count, first = frame.values[:4]
            add(row, ack__largest_acknowledged=largest, ack__ack_delay=delay, ack__ack_range_count=count, ack__first_ack_range=first)
            ranges, ecn = frame.values[4 : 4 + 2 * count], frame.values[4 + 2 * count :]
            for gap, size in zip(ranges[::2], ranges[1::2]):
                add(row, ack__gap=gap, ack__ack_range=size)
            if ecn:
                add(row, ack__ect0_count=ecn[0], ack__ect1_count=ecn[1], ack__ecn_ce_count=ecn[2])
        elif frame.kind == quic_packets.CRYPTO:
            add(row, crypto__offset=frame.values[0], crypto__length=frame.values[1])
        elif frame.kind == quic_packets.CLOSE:
            error, kind, size = frame.values
            add(row, cc__error_code=error, cc__frame_type=kind, cc__reason_phrase__length=size)
            if error >> 8 == 1:
                add(row, cc__error_code__tls_alert=error & 0xFF)
            reason = bytes(h.buffer[frame.data[0] : frame.data[1]]).decode("utf-8", "replace")
            add(row, cc__reason_phrase=reason)
    return {f.name: Column(np.array(columns[f.name][0], f.kind.dtype), np.array(columns[f.name][1], np.int64)) for f in FRAME_FIELDS}


def _frame_names(h: Headers) -> dict[str, Column]:
    """The names of a packet's frames."""
    frames, _ = h.memo(_frames)
    names_of: dict[int, list[str]] = {}
    for row, frame in frames:
        names = names_of.setdefault(row, [])
        if FRAME[frame.kind] not in names:
            names.append(FRAME[frame.kind])
    return {
        FRAME_NAMES.name: Column(np.array([", ".join(names) for names in names_of.values()], object), np.array(list(names_of), np.int64))
    }


PROTOCOL = Protocol(
    "QUIC",
    header=HEADER,
    info="{quic.words}[ {quic.packet_number}][, {quic.version:words}][, to {quic.dcid}][, from {quic.scid}][, {quic.frames_words}]",
    contents=contents,
    derived=((HEAD, _columns), (FRAME_FIELDS, _frame_columns), ((FRAME_NAMES,), _frame_names)),
)
