"""Hypertext Transfer Protocol, version 2, in clear: RFC 9113; its header compression: RFC 7541 (HPACK).

A row is a frame, or the preface that a client begins with. A list of header fields belongs to the frame that ends its block. Decoding it
depends on all earlier lists of its direction: after a hole, or a list beyond a limit, the lists that follow cannot be decoded.
"""

from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from ..fields import Column, Field, Headers, Layout, Protocol, bits, flag, raw, text, u8, u16, u24, u32, u64
from .common.framing import ContiguousRuns, Framed, StreamFramer
from .common.parts import Parts, peek
from .common.tls_handshake import VectorSpans, vectors
from .http import ascii_texts

HEADER = Layout()  # the preface is no frame: what stands in frames is read from FRAME
DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
TYPE = {
    DATA: "DATA",
    HEADERS: "HEADERS",
    PRIORITY: "PRIORITY",
    RST: "RST_STREAM",
    SETTINGS: "SETTINGS",
    PUSH: "PUSH_PROMISE",
    PING: "PING",
    GOAWAY: "GOAWAY",
    WINDOW: "WINDOW_UPDATE",
    CONTINUATION: "CONTINUATION",
    10: "ALTSVC",
    12: "ORIGIN",
    16: "PRIORITY_UPDATE",
}
END_STREAM, END_HEADERS, PADDED, WITH_PRIORITY, ACK = 1, 4, 8, 32, 1
ERROR = {
    0: "NO_ERROR",
    1: "PROTOCOL_ERROR",
    2: "INTERNAL_ERROR",
    3: "FLOW_CONTROL_ERROR",
    4: "SETTINGS_TIMEOUT",
    5: "STREAM_CLOSED",
    6: "FRAME_SIZE_ERROR",
    7: "REFUSED_STREAM",
    8: "CANCEL",
    9: "COMPRESSION_ERROR",
    10: "CONNECT_ERROR",
    11: "ENHANCE_YOUR_CALM",
    12: "INADEQUATE_SECURITY",
    13: "HTTP_1_1_REQUIRED",
}
SETTING = {
    1: "header table size",
    2: "enable push",
    3: "max concurrent streams",
    4: "initial window size",
    5: "max frame size",
    6: "max header list size",
    8: "extended connect",
}
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"  # RFC 9113 §3.4
FRAME_LIMIT = 1 << 20  # bytes of a frame after its header; a greater length is none
BLOCK_LIMIT = 1 << 16  # bytes of a block of header fields, all its frames
LIST_LIMIT = 1 << 16  # bytes of a list of header fields, as RFC 9113 §6.5.2 counts them
EXPANSION = 128  # bytes that the lists of a direction may have for each byte that it sent, besides LIST_LIMIT
TABLE_LIMIT = 1 << 16  # bytes of a direction's dynamic table, RFC 7541 §4
MEMORY_LIMIT = 32 << 20  # bytes of the tables and incomplete blocks of all directions; beyond, the direction idle longest is forgotten
OVERHEAD = 256  # bytes that a direction takes besides these
MISSING, TOO_MUCH, BROKEN, FORGOTTEN = 1, 2, 3, 4  # why a block was not decoded
WHY = {
    MISSING: "bytes before it are missing, on which it depends",
    TOO_MUCH: "this list, or one before it, passes a limit",
    BROKEN: "this block, or one before it, cannot be decoded",
    FORGOTTEN: "too many directions with tables of their own: what stands in its was forgotten",
}
ITEM = 8  # bytes before each field of a list appended to its frame: the length of name and value, that of the name

FRAME = Layout(
    Field("http2.length", u24, "Length", "bytes after the frame's header of 9"),
    Field("http2.type", u8, "Type", value_names=TYPE),
    Field("http2.flags", u8, "Flags", "their meaning depends on the type", hex=2),
    Field("http2.r", bits(1), "Reserved"),
    Field("http2.streamid", bits(31), "Stream", "0: the connection; odd: the client's"),
)
PAD = Layout(Field("http2.padding", u8, "Pad length", hex=2))
DEPENDS = Layout(
    Field("http2.exclusive", bits(1), "Exclusive"),
    Field("http2.stream_dependency", bits(31), "Depends on stream"),
    Field("http2.headers.weight", u8, "Weight", "one less than it is"),
)
RESET = Layout(Field("http2.rst_stream.error", u32, "Error", "why the stream ends", value_names=ERROR))
IDENTITY = Layout(Field("http2.settings.id", u16, "Setting", value_names=SETTING), many=True)
VALUES = {
    number: Layout(Field(f"http2.settings.{words.replace(' ', '_')}", u32, f"{words[0].upper()}{words[1:]}"), many=True)
    for number, words in SETTING.items()
}
UNKNOWN = Layout(Field("http2.settings.unknown", u32, "Unknown setting's value"), many=True)
PROMISED = Layout(
    Field("http2.push_promise.r", bits(1), "Reserved"), Field("http2.push_promise.promised_stream_id", bits(31), "Promised stream")
)
GOODBYE = Layout(
    Field("http2.goway.r", bits(1), "Reserved"),
    Field("http2.goaway.last_stream_id", bits(31), "Last stream", "that the sender heeds"),
    Field("http2.goaway.error", u32, "Error", "why the connection ends", value_names=ERROR),
)
GROWS = Layout(
    Field("http2.window_update.r", bits(1), "Reserved"), Field("http2.window_update.window_size_increment", bits(31), "Window grows by")
)
SIZES = {PRIORITY: (5, 5), RST: (4, 4), PING: (8, 8), WINDOW: (4, 4), GOAWAY: (8, FRAME_LIMIT), PUSH: (4, FRAME_LIMIT)}  # RFC 9113 §6
ALLOWED = (0x09, 0x2D, 0, 0, 0x01, 0x0C, 0x01, 0, 0, 0x04)  # flags that each type has
FLAGS = {  # name → (bit, types, description)
    "http2.flags.end_stream": (END_STREAM, (DATA, HEADERS), "the sender's last of the stream"),
    "http2.flags.eh": (END_HEADERS, (HEADERS, PUSH, CONTINUATION), "the block of header fields ends here"),
    "http2.flags.padded": (PADDED, (DATA, HEADERS, PUSH), ""),
    "http2.flags.priority": (WITH_PRIORITY, (HEADERS,), ""),
    "http2.flags.ack.settings": (ACK, (SETTINGS,), ""),
    "http2.flags.ack.ping": (ACK, (PING,), ""),
}
LAYOUTS = (FRAME, PAD, DEPENDS, RESET, IDENTITY, *VALUES.values(), UNKNOWN, PROMISED, GOODBYE, GROWS)
FIELDS = (
    Field("http2.words", text, "Frame in words"),
    Field("http2.magic", text, "Preface", "that a client begins with"),
    *(one for layout in LAYOUTS for one in layout.fields),
    *(Field(name, flag, name.rpartition(".")[2].replace("_", " ").capitalize(), about) for name, (_, _, about) in FLAGS.items()),
    Field("http2.headers.weight_real", u16, "Weight", "1 to 256"),
    Field("http2.data.data", raw, "Data", "without padding"),
    Field("http2.headers", raw, "Block of header fields", "compressed"),
    Field("http2.push_promise.header", raw, "Block of a promise", "compressed"),
    Field("http2.ping", raw, "Ping"),
    Field("http2.pong", raw, "Answer to a ping"),
    Field("http2.goaway.addata", raw, "Debug data"),
    Field("http2.unread", text, "Why it was not read", "of a block of header fields"),
)
TEXT_HEADERS = b"""accept accept-charset accept-encoding accept-language accept-ranges access-control-allow-origin allow authorization
cache-control content-disposition content-encoding content-language content-location content-range content-type cookie
date etag expect expires from if-match if-modified-since if-none-match if-range if-unmodified-since last-modified link
location proxy-authenticate proxy-authorization range referer refresh retry-after server set-cookie
strict-transport-security user-agent vary via www-authenticate""".split()
NAMED = {  # header fields that have a name of their own, Wireshark's, `_` for `-`
    **dict.fromkeys((":authority", ":path", ":method", ":scheme"), text),
    ":status": u16,
    **dict.fromkeys(("age", "content-length", "max-forwards"), u64),
    **{name.decode(): text for name in TEXT_HEADERS},
}
LISTED = (
    Field("http2.header.count", u32, "Fields in the list"),
    Field("http2.header.length", u32, "List's length", "bytes of names and values, and 8 for each"),
    Field("http2.header.name.length", u32, "Name's length", many=True),
    Field("http2.header.name", text, "Name", many=True),
    Field("http2.header.value.length", u32, "Value's length", many=True),
    Field("http2.header.value", text, "Value", many=True),
)


def _header_field(name: str) -> Field:
    words = name.strip(":").replace("-", " ").capitalize()
    return Field(f"http2.headers.{name.strip(':').replace('-', '_')}", NAMED[name], words, many=True)


# ---------------------------------------------------------------- frames


@dataclass
class HpackContext:
    """What decoding the blocks of a direction depends on. block: the begin of one that has not ended. lost: why none can be decoded.
    listed_size: bytes of lists so far."""

    decoder: Any = None
    block: bytearray | None = None
    lost: int = 0
    listed_size: int = 0

    @property
    def weight(self) -> int:
        return OVERHEAD + (self.decoder.header_table_size if self.decoder else 0) + len(self.block or b"")


@dataclass
class Frames(StreamFramer):
    """Frames, and the lists of header fields that they end. Columns: `listed`, bytes of the list appended to a frame in the new buffer;
    `unread`, why there is none."""

    header: int = FRAME.size
    width: int = 3
    offset: int = FRAME.size
    limit: int = FRAME.size + FRAME_LIMIT
    precedence: int = 1  # `P` may begin a method of HTTP/1.1, too
    directions: dict[int, HpackContext] = field(default_factory=dict)
    weight: int = 0
    gone: set[int] = field(default_factory=set)

    def probe_stream(self, first: np.ndarray, size: np.ndarray) -> np.ndarray:
        """The preface, or the settings that a server begins with."""
        return _agrees(first, size, PREFACE) | _settings(first, size)

    def probe_message(self, first: np.ndarray, size: np.ndarray) -> np.ndarray:
        """A known type with flags that it has, on a stream or on none as it must be, no longer than every peer must accept."""
        length = first[:, 0].astype(np.int64) << 16 | first[:, 1].astype(np.int64) << 8 | first[:, 2]
        kind = np.minimum(first[:, 3], len(ALLOWED))
        stream = first[:, 5:9].any(axis=1)
        flags = np.append(ALLOWED, 0).astype(np.uint8)[kind]
        own = np.isin(kind, (SETTINGS, PING, GOAWAY))
        fits = (kind < len(ALLOWED)) & (first[:, 4] & ~flags == 0) & (first[:, 5] < 0x80) & ((stream != own) | (kind == WINDOW))
        for one, (least, most) in SIZES.items():
            fits &= (kind != one) | ((length >= least) & (length <= most))
        return fits & (size >= FRAME.size) & (length <= 1 << 14) & ((kind != SETTINGS) | (length % 6 == 0))

    def _walk(
        self, s: ContiguousRuns, which: np.ndarray, drifts: np.ndarray, search: bool = False
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """The preface is no frame: frames begin after it."""
        size = s.end - s.start
        preface = np.zeros(len(s.direction), bool)
        some = np.flatnonzero(size > 0)
        places = s.start[some][:, None] + np.arange(len(PREFACE))
        preface[some] = _agrees(s.data[np.minimum(places, len(s.data) - 1)], size[some], PREFACE)
        whole = preface & (size >= len(PREFACE))
        preface &= size >= 3  # fewer bytes may be a frame's
        behind = replace(s, start=np.where(preface, np.minimum(s.start + len(PREFACE), s.end), s.start))
        run, start, end, upto, bad = super()._walk(behind, which, drifts & ~preface, search)
        waits = preface & ~whole
        upto[waits[which]] = s.start[which][waits[which]]
        own = which[whole[which]]
        run, start, end = (np.concatenate(pair) for pair in ((own, run), (s.start[own], start), (s.start[own] + len(PREFACE), end)))
        order = np.lexsort((start, run))
        return run[order], start[order], end[order], upto, bad

    def split(self, s: ContiguousRuns) -> Framed:
        """The frames that these runs complete."""
        framed = super().split(s)
        torn = self.torn(s, framed)
        listed, unread = np.zeros((2, len(framed.direction)), np.int64)
        run = np.searchsorted(s.start, framed.start, "right") - 1
        sent = s.position[run] + framed.end - s.start[run]
        kind = framed.data[framed.start + 3]
        kind[_is_preface(framed.data, framed.start)] = DATA
        # Which direction is forgotten for want of memory depends on the order of the frames of all directions.
        reads = np.flatnonzero(torn | np.isin(kind, (HEADERS, PUSH, CONTINUATION)))
        events = [
            (by, 0, direction, i) for by, direction, i in zip(framed.by[reads].tolist(), framed.direction[reads].tolist(), reads.tolist())
        ]
        events += [(until, 1, direction, -1) for until, direction in zip(s.until[s.ended].tolist(), s.direction[s.ended].tolist())]
        lists: dict[int, bytes] = {}
        for _, ends, number, i in sorted(events):
            direction = self.directions.pop(number, None)
            self.weight -= direction.weight if direction else 0
            if ends:
                self.gone.discard(number)
                continue
            direction = direction or HpackContext(lost=FORGOTTEN if number in self.gone else 0)
            if torn[i]:
                direction.lost, direction.block = MISSING, None
            if kind[i] in (HEADERS, PUSH, CONTINUATION):
                lists[i] = _listed(direction, framed.data[framed.start[i] : framed.end[i]].tobytes(), int(sent[i]))
                listed[i], unread[i] = len(lists[i]), direction.lost
            self.directions[number] = direction
            self.weight += direction.weight
            while self.weight > MEMORY_LIMIT:
                idle = next(iter(self.directions))
                self.weight -= self.directions.pop(idle).weight
                self.gone.add(idle)
        parts, done = [], 0
        for i in np.flatnonzero(listed).tolist():
            parts += [framed.data[done : framed.end[i]], np.frombuffer(lists[i], np.uint8)]
            done = int(framed.end[i])
        upto = np.cumsum(listed)
        data = np.concatenate((*parts, framed.data[done:]))
        return framed._replace(
            data=data, start=framed.start + upto - listed, end=framed.end + upto, columns={"listed": listed, "unread": unread}
        )


def _agrees(first: np.ndarray, size: np.ndarray, word: bytes) -> np.ndarray:
    """Whether these first bytes are a word, or the begin of it where they are fewer; bool (n,)."""
    head = np.frombuffer(word[: first.shape[1]], np.uint8)
    return ((first[:, : len(head)] == head) | (np.arange(len(head)) >= size[:, None])).all(axis=1)


def _settings(first: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Settings of stream 0 that are no acknowledgment, of numbers of 16 bits and 32 (RFC 9113 §6.5)."""
    short = (first[:, 0] == 0) & (first[:, 1] == 0) & (first[:, 2] % 6 == 0) & (first[:, 3] == SETTINGS) & (first[:, 4] == 0)
    inside = (first[:, 2] == 0) | (size < 11) | ((first[:, 9] == 0) & (first[:, 10] > 0))
    return short & (first[:, 5:9] == 0).all(axis=1) & (size >= FRAME.size) & inside


def _is_preface(data: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Which messages are the preface: its first bytes would be a length that no frame has."""
    return (data[start] == PREFACE[0]) & (data[start + 1] == PREFACE[1])


def _listed(direction: HpackContext, frame: bytes, sent: int) -> bytes:
    """The list of fields that a frame ends, each after ITEM bytes; b'' if it ends none, or none that can be decoded.

    sent: bytes of the direction so far. RFC 9113 §4.3.
    """
    from hpack import Decoder, HPACKError

    kind, flags, at = frame[3], frame[4], FRAME.size
    if direction.lost:
        return b""
    if kind == CONTINUATION:
        if direction.block is None:
            direction.lost = BROKEN
            return b""
        end = len(frame)
    else:
        end = len(frame)
        if flags & PADDED:
            end -= frame[at] if at < end else 0
            at += 1
        at += 5 * (kind == HEADERS and flags & WITH_PRIORITY > 0) + 4 * (kind == PUSH)
        if at > end or direction.block is not None:
            direction.lost, direction.block = BROKEN, None
            return b""
        direction.block = bytearray()
    assert direction.block is not None
    direction.block += frame[at:end]
    if len(direction.block) > BLOCK_LIMIT:
        direction.lost, direction.block = TOO_MUCH, None
        return b""
    if not flags & END_HEADERS:
        return b""
    block, direction.block = bytes(direction.block), None
    if direction.decoder is None:
        direction.decoder = Decoder(LIST_LIMIT)
        # The peer's SETTINGS are not looked at: a table grows only where the block itself says so.
        direction.decoder.max_allowed_table_size = TABLE_LIMIT
    try:
        found = direction.decoder.decode(block, raw=True)
    except HPACKError as error:
        direction.lost = TOO_MUCH if "larger than" in str(error) else BROKEN
        direction.decoder = None
        return b""
    items = b"".join(
        (len(name) + len(value)).to_bytes(4, "big") + len(name).to_bytes(4, "big") + bytes(name) + bytes(value) for name, value in found
    )
    direction.listed_size += len(items)
    if direction.listed_size > LIST_LIMIT + EXPANSION * sent:
        direction.lost, direction.decoder = TOO_MUCH, None
        return b""
    return items


# ---------------------------------------------------------------- what stands in them


def _framed(h: Headers) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows that are frames, not quoted; where each ends, without its list; its type."""
    rows = np.flatnonzero(~_is_preface(h.buffer, h.start) & ~h.quoted & (h.end - h.start >= FRAME.size))
    return rows, h.end[rows] - h.context_of("listed")[rows], h.buffer[h.start[rows] + 3]


def check(h: Headers) -> None:
    rows, end, kind = _framed(h)
    size = end - h.start[rows] - FRAME.size
    bad = np.zeros(len(h), bool)
    for one, (least, most) in SIZES.items():
        bad[rows[(kind == one) & ((size < least) | (size > most))]] = True
    bad[rows[(kind == SETTINGS) & (size % 6 > 0)]] = True
    h.fault(bad, "", "has a length that its type may not have", at=h.start)
    broken = h.context_of("unread") == BROKEN
    h.fault(broken, "", "has header fields that cannot be decoded, or depend on such", at=h.start)


def _columns(h: Headers) -> dict[str, Column]:
    """Every field of FIELDS."""
    rows, end, kind = _framed(h)
    p = Parts(h, FIELDS)
    start = h.start[rows]
    flags = p.read(FRAME, rows, start, end)["http2.flags"]
    for name, (bit, types, _) in FLAGS.items():
        there = np.flatnonzero(np.isin(kind, types))
        p.put(name, flags[there] & bit > 0, rows[there], start[there] + 4)
    at = start + FRAME.size

    pads = np.flatnonzero(np.isin(kind, FLAGS["http2.flags.padded"][1]) & (flags & PADDED > 0))
    padding = p.read(PAD, rows[pads], at[pads], end[pads])["http2.padding"]
    stop = end.copy()
    stop[pads] -= padding
    at[pads] += 1
    depends = np.flatnonzero(((kind == HEADERS) & (flags & WITH_PRIORITY > 0)) | (kind == PRIORITY))
    weight = p.read(DEPENDS, rows[depends], at[depends], end[depends])
    fits = np.flatnonzero(weight.trusted == DEPENDS.size)
    real = weight["http2.headers.weight"][fits].astype(np.uint16) + 1
    p.put("http2.headers.weight_real", real, rows[depends][fits], at[depends][fits] + 4)
    at[depends] += DEPENDS.size
    promised = np.flatnonzero(kind == PUSH)
    p.read(PROMISED, rows[promised], at[promised], end[promised])
    at[promised] += PROMISED.size

    for one, layout in ((RST, RESET), (GOAWAY, GOODBYE), (WINDOW, GROWS)):
        mine = np.flatnonzero(kind == one)
        p.read(layout, rows[mine], at[mine], end[mine])
    acked = flags & ACK > 0
    for name, mask, skip in (
        ("data.data", kind == DATA, 0),
        ("headers", kind == HEADERS, 0),
        ("push_promise.header", kind == PUSH, 0),
        ("ping", (kind == PING) & ~acked, 0),
        ("pong", (kind == PING) & acked, 0),
        ("goaway.addata", kind == GOAWAY, GOODBYE.size),
    ):
        mine = np.flatnonzero(mask)
        p.bytes(f"http2.{name}", rows[mine], at[mine] + skip, stop[mine])

    mine = np.flatnonzero(kind == SETTINGS)
    count = (end - at)[mine] // 6
    own = np.repeat(mine, count)
    place = at[own] + 6 * (np.arange(len(own)) - np.repeat(np.cumsum(count) - count, count))
    which = p.read(IDENTITY, rows[own], place, end[own])["http2.settings.id"]
    for number, layout in (*VALUES.items(), (0, UNKNOWN)):
        some = np.flatnonzero(which == number) if number else np.flatnonzero(~np.isin(which, list(VALUES)))
        p.read(layout, rows[own][some], place[some] + 2, end[own][some])

    columns = dict(p.columns())
    magic = np.flatnonzero(_is_preface(h.buffer, h.start) & ~h.quoted)
    words = np.full(len(h), "preface", object)
    words[rows] = np.array([TYPE.get(one, f"frame of type {one}") for one in range(256)], object)[kind]
    columns["http2.words"] = Column(words)
    columns["http2.magic"] = Column(np.full(len(magic), PREFACE.decode(), object), magic)
    why = h.context_of("unread")
    unread = np.flatnonzero(why)
    columns["http2.unread"] = Column(np.array([WHY[one] for one in why[unread].tolist()], object), unread)
    return columns


def _items(h: Headers) -> tuple[VectorSpans, np.ndarray]:
    """The fields of lists, ITEM bytes before each included; where the value of each begins."""
    size = h.context_of("listed")
    rows = np.flatnonzero(size)
    items, _, _ = vectors(h, VectorSpans(rows, h.end[rows] - size[rows], h.end[rows]), ITEM, 0, 4, ITEM)
    names = peek(h, LENGTHS, items.row, items.start, items.end)["name"].astype(np.int64)
    return items, np.minimum(items.start + ITEM + names, items.end)


LENGTHS = Layout(Field("both", u32, ""), Field("name", u32, ""))


def _lists(h: Headers) -> dict[str, Column]:
    """Every field of LISTED."""
    items, value = h.memo(_items)
    size = h.context_of("listed")
    rows, count = np.unique(items.row, return_counts=True)
    name = items.start + ITEM
    return {
        "http2.header.count": Column(count.astype(np.uint32), rows),
        "http2.header.length": Column(size[rows].astype(np.uint32), rows),
        "http2.header.name.length": Column((value - name).astype(np.uint32), items.row),
        "http2.header.name": Column(ascii_texts(h.buffer, name, value), items.row),
        "http2.header.value.length": Column((items.end - value).astype(np.uint32), items.row),
        "http2.header.value": Column(ascii_texts(h.buffer, value, items.end), items.row),
    }


def _named(name: str, h: Headers) -> dict[str, Column]:
    """The values of one header field; of numbers those that are such."""
    items, value = h.memo(_items)
    names = h.column("http2.header.name").values
    mine = np.flatnonzero(names == name)
    values = ascii_texts(h.buffer, value[mine], items.end[mine])
    own = _header_field(name)
    if own.kind is not text:
        digits = 4 if own.kind is u16 else 18
        numbers = np.array([one.isascii() and one.isdigit() and len(one) <= digits for one in values.tolist()], bool)
        mine, values = mine[numbers], np.array([int(one) for one in values[numbers].tolist()], own.kind.dtype)
    return {own.name: Column(values, items.row[mine])}


def _full_uri(h: Headers) -> dict[str, Column]:
    """The target with scheme and authority."""
    parts = [h.column(f"http2.headers.{one}") for one in ("scheme", "authority", "path")]
    by_row = [dict(zip(rows.tolist(), values.tolist())) for values, rows in parts if rows is not None]
    rows = sorted(set.intersection(*map(set, by_row))) if len(by_row) == 3 else []
    values = np.empty(len(rows), object)
    values[:] = [f"{by_row[0][row]}://{by_row[1][row]}{by_row[2][row]}" for row in rows]
    return {"http2.request.full_uri": Column(values, np.array(rows, np.int64))}


PROTOCOL = Protocol(
    "HTTP/2",
    header=HEADER,
    info="{http2.words}[, stream {http2.streamid}][, {http2.headers.method}][ {http2.headers.path}][, status {http2.headers.status}]",
    check=check,
    framer=Frames,
    derived=(
        (FIELDS, _columns),
        (LISTED, _lists),
        *(((_header_field(name),), partial(_named, name)) for name in NAMED),
        ((Field("http2.request.full_uri", text, "URI", "scheme, authority and path"),), _full_uri),
    ),
)
