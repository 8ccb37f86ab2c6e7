"""WebSocket. RFC 6455, https://www.rfc-editor.org/rfc/rfc6455; compressed messages: RFC 7692

A header is a complete frame, after an upgrade of HTTP. Its payload is unmasked; the last frame of a fragmented message has the payload
of all its frames. Compressed payloads (RFC 7692) stay compressed.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..fields import Column, Field, Headers, Layout, Payload, Protocol, Reading, bits, flag, raw, text, u16, u32, u64
from .common import _websocket
from .common.framing import ContiguousRuns, Framed, StreamFramer

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
OPCODE = {CONTINUATION: "continuation", TEXT: "text", BINARY: "binary", CLOSE: "close", PING: "ping", PONG: "pong"}
STATUS = {
    1000: "normal", 1001: "going away", 1002: "protocol error", 1003: "unacceptable data", 1005: "none", 1006: "abnormal",
    1007: "inconsistent data", 1008: "policy violated", 1009: "too big", 1010: "extension missing", 1011: "internal error",
    1012: "restart", 1013: "try again later", 1014: "bad gateway", 1015: "TLS handshake failed",
}  # fmt: skip  # RFC 6455 §7.4.1, and IANA's register
HEADER = Layout(
    Field("websocket.fin", flag, "Final", "the last frame of its message"),
    Field("websocket.rsv", bits(3), "Reserved", hex=2, parts=(Field("websocket.pmc", flag, "Compressed", "its message, RFC 7692"),)),
    Field("websocket.opcode", bits(4), "Opcode", value_names=OPCODE),
    Field("websocket.mask", flag, "Masked", "what clients send is, what servers send is not"),
    Field("websocket.payload_length", bits(7), "Payload length", "126: in the two bytes that follow, 127: in eight"),
)
SHORT = Layout(Field("websocket.payload_length_ext_16", u16, "Payload length, of 16 bits"))
LONG = Layout(Field("websocket.payload_length_ext_64", u64, "Payload length, of 64 bits"))
CODE = Layout(Field("websocket.payload.close.status_code", u16, "Why it ends", value_names=STATUS))
FRAME_LIMIT = 16 << 20  # bytes of a frame; a longer one is lost and counted
MESSAGE_LIMIT = 1 << 20  # bytes of a fragmented message that are reassembled
TOTAL_LIMIT = 64 << 20  # of all of them together


@dataclass
class Frames(StreamFramer):
    """Frames. State: fragmented messages whose last frame has not come, by direction: opcode and payload so far."""

    header: int = 2
    limit: int = FRAME_LIMIT
    any_port: bool = False
    fragments: dict[int, tuple[int, bytearray]] = field(default_factory=dict)
    buffered: int = 0

    def probe_message(self, first: np.ndarray, size: np.ndarray) -> np.ndarray:
        """A defined opcode, no reserved bit but that of compression; a control frame is short and final (RFC 6455 §5.5)."""
        kind, length = first[:, 0] & 15, first[:, 1] & 127
        control = kind >= 8
        return np.isin(kind, list(OPCODE)) & (first[:, 0] & 0x30 == 0) & (~control | ((first[:, 0] >= 128) & (length < 126)))

    def find_messages(
        self, data: np.ndarray, begin: np.ndarray, end: np.ndarray, last: np.ndarray, candidates: np.ndarray
    ) -> tuple[Any, Any, Any]:
        found: tuple[Any, Any, Any] = _websocket.frames(data.data, begin.data, end.data, self.limit, candidates.data)
        return found

    def split(self, s: ContiguousRuns) -> Framed:
        """The frames that these runs complete."""
        framed = super().split(s)
        if not len(framed.start):
            return framed
        data, start, end = framed.data.copy(), framed.start.copy(), framed.end.copy()
        second = data[start + 1]
        header = np.select([second & 127 == 126, second & 127 == 127], [4, 10], 2)
        masked = np.flatnonzero(second >= 128)
        begin, size = (start + header + 4)[masked], (end - start - header - 4)[masked]
        nth = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size)
        data[np.repeat(begin, size) + nth] ^= data[np.repeat(begin - 4, size) + nth % 4]
        header = header + 4 * (second >= 128)
        kind, final = data[start] & 15, data[start] >= 128
        message = np.where(kind == CONTINUATION, -1, kind.astype(np.int64))
        reassembled = np.zeros(len(start), np.int64)
        more = [data]
        place = len(data)
        for i in np.flatnonzero((kind == CONTINUATION) | (~final & (kind < CLOSE))).tolist():  # rare: fragmented messages
            direction, payload = int(framed.direction[i]), data[start[i] + header[i] : end[i]]
            if kind[i] == CONTINUATION:
                opcode, buffered = self.fragments.pop(direction, (-1, bytearray()))
            else:
                opcode, buffered = int(message[i]), bytearray()
                self._forget(direction)
            room = min(MESSAGE_LIMIT - len(buffered), TOTAL_LIMIT - self.buffered)
            buffered += payload[: max(room, 0)].tobytes()
            self.buffered += min(len(payload), max(room, 0))
            message[i] = opcode
            if not final[i]:
                self.fragments[direction] = opcode, buffered
                continue
            self.buffered -= len(buffered)
            message_bytes = np.concatenate((data[start[i] : start[i] + header[i]], np.frombuffer(bytes(buffered), np.uint8)))
            more.append(message_bytes)
            start[i], end[i] = place, place + len(message_bytes)
            place += len(message_bytes)
            reassembled[i] = len(buffered)
        columns = {"message": message, "reassembled": reassembled, "payload": header, "final": final.astype(np.int64)}
        return framed._replace(data=np.concatenate(more), start=start, end=end, columns=columns)

    def _forget(self, direction: int) -> None:
        if (old := self.fragments.pop(direction, None)) is not None:
            self.buffered -= len(old[1])


def _payload_starts(h: Headers) -> tuple[np.ndarray, np.ndarray]:
    """Where the payload of each frame begins, int64 (n,), and the opcode of its message, -1 where it is unknown."""
    return h.start + h.context_of("payload"), h.context_of("message")


def contents(h: Headers):
    start, message = _payload_starts(h)
    plain = (h["websocket.fin"] > 0) & (h["websocket.rsv"] == 0) & (h.end > start)
    for kind, which in ((1, plain & (message == TEXT)), (0, plain & (message == BINARY))):
        yield Payload("http.content", kind, start, h.wire, rows=np.flatnonzero(which))


def _lengths(h: Headers) -> dict[str, Column]:
    columns: dict[str, Column] = {}
    length = h["websocket.payload_length"]
    for layout, which in ((SHORT, 126), (LONG, 127)):
        rows = np.flatnonzero(length == which)
        read = Reading(layout, h.buffer, h.start[rows] + HEADER.size, h.end[rows], rows)
        columns |= {f.name: read.column(f.name) for f in layout.fields}
    masked = np.flatnonzero(h["websocket.mask"])
    start, _ = _payload_starts(h)
    columns["websocket.masking_key"] = Column(np.stack((start[masked] - 4, start[masked]), 1), masked)
    return columns


def _payloads(h: Headers) -> dict[str, Column]:
    start, message = _payload_starts(h)
    kind, columns = h["websocket.opcode"], {}
    whole = np.flatnonzero((h["websocket.fin"] > 0) & (message == TEXT) & (h["websocket.rsv"] == 0))
    closes = np.flatnonzero((kind == CLOSE) & (h.end >= start + CODE.size))
    read = Reading(CODE, h.buffer, start[closes], h.end[closes], closes)
    columns["websocket.payload.close.status_code"] = read.column("websocket.payload.close.status_code")
    reasoned = closes[h.end[closes] > start[closes] + CODE.size]
    for name, rows, skip in (("text", whole, 0), ("close.reason", reasoned, CODE.size)):
        values = np.empty(len(rows), object)
        values[:] = [h.buffer[a + skip : b].tobytes().decode(errors="replace") for a, b in zip(start[rows].tolist(), h.end[rows].tolist())]
        there = values != ""
        columns[f"websocket.payload.{name}"] = Column(values[there], rows[there])
    for name, which in (("ping", PING), ("pong", PONG)):
        rows = np.flatnonzero((kind == which) & (h.end > start))
        columns[f"websocket.payload.{name}"] = Column(np.stack((start[rows], h.end[rows]), 1), rows)
    several = np.flatnonzero(h.context_of("reassembled"))
    columns["websocket.reassembled.length"] = Column(h.context_of("reassembled")[several], several)
    columns["websocket.len"] = Column(h.end - start, None)
    return columns


PROTOCOL = Protocol(
    "WebSocket",
    header=HEADER,
    info="{websocket.opcode:words}, {websocket.len} bytes[ {websocket.payload.close.status_code:words}][ {websocket.payload.text}]",
    contents=contents,
    framer=Frames,
    derived=(
        ((*SHORT.fields, *LONG.fields, Field("websocket.masking_key", raw, "Masking key")), _lengths),
        (
            (
                Field("websocket.payload.text", text, "Text", "of the whole message, with its last frame; not where it is compressed"),
                *CODE.fields,
                Field("websocket.payload.close.reason", text, "Reason"),
                Field("websocket.payload.ping", raw, "Ping"),
                Field("websocket.payload.pong", raw, "Pong"),
                Field("websocket.reassembled.length", u32, "Length of the message", "that came in several frames"),
                Field("websocket.len", u32, "Payload", "bytes"),
            ),
            _payloads,
        ),
    ),
)
