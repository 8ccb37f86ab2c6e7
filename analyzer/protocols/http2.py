"""Hypertext Transfer Protocol, version 2, in clear: RFC 9113; its header compression: RFC 7541 (HPACK).

A row is a frame, or the preface that a client begins with. A list of header fields is told in the frame that ends its block. What it
holds hangs on all lists of its direction before: where bytes are missing, or a list passes a limit, lists cannot be read from there on.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from ..fields import Column, Field, Headers, Layout, Protocol, bits, flag, raw, text, u8, u16, u24, u32, u64
from .common.framing import ContiguousRuns, Framed, Prefixed
from .common.parts import Parts, peek
from .common.tls_handshake import Part, vectors
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
END_STREAM, END_HEADERS, PADDED, WITH_PRIORITY, ACKS = 1, 4, 8, 32, 1
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
LARGEST = 1 << 20  # bytes of a frame behind its header; a greater length is none
BLOCK = 1 << 16  # bytes of a block of header fields, all its frames
LIST = 1 << 16  # bytes of a list of header fields, as RFC 9113 §6.5.2 counts them
TIMES = 128  # as many bytes may the lists of a direction have as it has bytes, beside LIST
TABLE = 1 << 16  # bytes of a direction's table, RFC 7541 §4
ROOM = 32 << 20  # bytes that the tables of all directions may have, and blocks that wait; beyond, who was silent longest is forgotten
EACH = 256  # what it takes to remember a direction, beside these
MISSING, TOO_MUCH, BROKEN, FORGOTTEN = 1, 2, 3, 4  # why a block was not read
WHY = {
    MISSING: "bytes before it are missing, on which it hangs",
    TOO_MUCH: "this list, or one before it, passes a limit",
    BROKEN: "this block, or one before it, cannot be decoded",
    FORGOTTEN: "too many directions with tables of their own: what stands in its was forgotten",
}
ITEM = 8  # bytes before a field of a list that was laid behind its frame: the length of name and value, that of the name

FRAME = Layout(
    Field("http2.length", u24, "Length", "bytes behind the frame's header of 9"),
    Field("http2.type", u8, "Type", value_names=TYPE),
    Field("http2.flags", u8, "Flags", "what they mean hangs on the type", hex=2),
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
LAST = Layout(
    Field("http2.goway.r", bits(1), "Reserved"),
    Field("http2.goaway.last_stream_id", bits(31), "Last stream", "that the sender heeds"),
    Field("http2.goaway.error", u32, "Error", "why the connection ends", value_names=ERROR),
)
GROWS = Layout(
    Field("http2.window_update.r", bits(1), "Reserved"), Field("http2.window_update.window_size_increment", bits(31), "Window grows by")
)
SIZES = {PRIORITY: (5, 5), RST: (4, 4), PING: (8, 8), WINDOW: (4, 4), GOAWAY: (8, LARGEST), PUSH: (4, LARGEST)}  # RFC 9113 §6
ALLOWED = (0x09, 0x2D, 0, 0, 0x01, 0x0C, 0x01, 0, 0, 0x04)  # flags that each type has
MARKS = {  # flags: name → (bit, types, about)
    "http2.flags.end_stream": (END_STREAM, (DATA, HEADERS), "the sender's last of the stream"),
    "http2.flags.eh": (END_HEADERS, (HEADERS, PUSH, CONTINUATION), "the block of header fields ends here"),
    "http2.flags.padded": (PADDED, (DATA, HEADERS, PUSH), ""),
    "http2.flags.priority": (WITH_PRIORITY, (HEADERS,), ""),
    "http2.flags.ack.settings": (ACKS, (SETTINGS,), ""),
    "http2.flags.ack.ping": (ACKS, (PING,), ""),
}
LAYOUTS = (FRAME, PAD, DEPENDS, RESET, IDENTITY, *VALUES.values(), UNKNOWN, PROMISED, LAST, GROWS)
FIELDS = (
    Field("http2.words", text, "Frame in words"),
    Field("http2.magic", text, "Preface", "that a client begins with"),
    *(one for layout in LAYOUTS for one in layout.fields),
    *(Field(name, flag, name.rpartition(".")[2].replace("_", " ").capitalize(), about) for name, (_, _, about) in MARKS.items()),
    Field("http2.headers.weight_real", u16, "Weight", "1 to 256"),
    Field("http2.data.data", raw, "Data", "without padding"),
    Field("http2.headers", raw, "Block of header fields", "compressed"),
    Field("http2.push_promise.header", raw, "Block of a promise", "compressed"),
    Field("http2.ping", raw, "Ping"),
    Field("http2.pong", raw, "Answer to a ping"),
    Field("http2.goaway.addata", raw, "Debug data"),
    Field("http2.unread", text, "Why it was not read", "of a block of header fields"),
)
WORDED = b"""accept accept-charset accept-encoding accept-language accept-ranges access-control-allow-origin allow authorization
cache-control content-disposition content-encoding content-language content-location content-range content-type cookie
date etag expect expires from if-match if-modified-since if-none-match if-range if-unmodified-since last-modified link
location proxy-authenticate proxy-authorization range referer refresh retry-after server set-cookie
strict-transport-security user-agent vary via www-authenticate""".split()
NAMED = {  # header fields that have a name of their own, Wireshark's, `_` for `-`
    **dict.fromkeys((":authority", ":path", ":method", ":scheme"), text),
    ":status": u16,
    **dict.fromkeys(("age", "content-length", "max-forwards"), u64),
    **{name.decode(): text for name in WORDED},
}
LISTED = (
    Field("http2.header.count", u32, "Fields in the list"),
    Field("http2.header.length", u32, "List's length", "bytes of names and values, and 8 for each"),
    Field("http2.header.name.length", u32, "Name's length", many=True),
    Field("http2.header.name", text, "Name", many=True),
    Field("http2.header.value.length", u32, "Value's length", many=True),
    Field("http2.header.value", text, "Value", many=True),
)


def _own(name: str) -> Field:
    words = name.strip(":").replace("-", " ").capitalize()
    return Field(f"http2.headers.{name.strip(':').replace('-', '_')}", NAMED[name], words, many=True)


# ---------------------------------------------------------------- frames


@dataclass
class Direction:
    """What a direction's blocks hang on. block: what came of one that has not ended, None: none. lost: why they cannot be read."""

    decoder: Any = None
    block: bytearray | None = None
    lost: int = 0
    told: int = 0  # bytes of lists so far

    @property
    def weight(self) -> int:
        return EACH + (self.decoder.header_table_size if self.decoder else 0) + len(self.block or b"")


@dataclass
class Frames(Prefixed):
    """Frames, one behind the other, and the lists of header fields that they end: columns `listed`, how many bytes of a list lie behind
    a frame in the buffer that is made, and `unread`, why there is none."""

    header: int = FRAME.size
    at: int = 0
    width: int = 3
    plus: int = FRAME.size
    most: int = FRAME.size + LARGEST
    directions: dict[int, Direction] = field(default_factory=dict)
    weight: int = 0
    gone: set[int] = field(default_factory=set)

    def begins(self, first: np.ndarray, size: np.ndarray) -> np.ndarray:
        """The preface, or the settings that a server begins with."""
        return _agrees(first, size, PREFACE) | _settings(first, size)

    def resumes(self, first: np.ndarray, size: np.ndarray) -> np.ndarray:
        """A type that is known, with flags that it has, of a stream or of none as it must be, no longer than all must allow."""
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
        """The preface is no frame: frames begin behind it."""
        size = s.end - s.start
        begins = np.zeros(len(s.direction), bool)
        some = np.flatnonzero(size > 0)
        word = np.frombuffer(PREFACE, np.uint8)
        places = s.start[some][:, None] + np.arange(len(word))
        there = np.arange(len(word)) < size[some][:, None]
        begins[some] = ((s.data[np.minimum(places, len(s.data) - 1)] == word) | ~there).all(axis=1)
        whole = begins & (size >= len(word))
        begins &= size >= 3  # fewer bytes may be another's
        behind = replace(s, start=np.where(begins, np.minimum(s.start + len(word), s.end), s.start))
        run, start, end, upto, bad = super()._walk(behind, which, drifts & ~begins, search)
        waits = begins & ~whole
        upto[waits[which]] = s.start[which][waits[which]]
        own = which[whole[which]]
        run, start, end = (np.concatenate(pair) for pair in ((own, run), (s.start[own], start), (s.start[own] + len(word), end)))
        order = np.lexsort((start, run))
        return run[order], start[order], end[order], upto, bad

    def cut(self, s: ContiguousRuns) -> Framed:
        """The frames that these stretches complete."""
        cut = super().cut(s)
        torn = self.torn(s, cut)
        listed, unread = np.zeros((2, len(cut.direction)), np.int64)
        run = np.searchsorted(s.start, cut.start, "right") - 1
        sent = s.position[run] + cut.end - s.start[run]
        kind = cut.data[cut.start + 3]
        kind[_magic(cut.data, cut.start)] = DATA
        # What is forgotten for want of room hangs on who spoke when, in all directions.
        reads = np.flatnonzero(torn | np.isin(kind, (HEADERS, PUSH, CONTINUATION)))
        turns = [(by, 0, direction, i) for by, direction, i in zip(cut.by[reads].tolist(), cut.direction[reads].tolist(), reads.tolist())]
        turns += [(until, 1, direction, -1) for until, direction in zip(s.until[s.ended].tolist(), s.direction[s.ended].tolist())]
        made: dict[int, bytes] = {}
        for _, ends, number, i in sorted(turns):
            direction = self.directions.pop(number, None)
            self.weight -= direction.weight if direction else 0
            if ends:
                self.gone.discard(number)
                continue
            direction = direction or Direction(lost=FORGOTTEN if number in self.gone else 0)
            if torn[i]:
                direction.lost, direction.block = MISSING, None
            if kind[i] in (HEADERS, PUSH, CONTINUATION):
                made[i] = _listed(direction, cut.data[cut.start[i] : cut.end[i]].tobytes(), int(sent[i]))
                listed[i], unread[i] = len(made[i]), direction.lost
            self.directions[number] = direction
            self.weight += direction.weight
            while self.weight > ROOM:
                eldest = next(iter(self.directions))
                self.weight -= self.directions.pop(eldest).weight
                self.gone.add(eldest)
        parts, done = [], 0
        for i in np.flatnonzero(listed).tolist():
            parts += [cut.data[done : cut.end[i]], np.frombuffer(made[i], np.uint8)]
            done = int(cut.end[i])
        upto = np.cumsum(listed)
        data = np.concatenate((*parts, cut.data[done:]))
        return cut._replace(data=data, start=cut.start + upto - listed, end=cut.end + upto, told={"listed": listed, "unread": unread})


def _agrees(first: np.ndarray, size: np.ndarray, word: bytes) -> np.ndarray:
    """Whether what is there of these first bytes agrees with a word."""
    head = np.frombuffer(word[: first.shape[1]], np.uint8)
    return ((first[:, : len(head)] == head) | (np.arange(len(head)) >= size[:, None])).all(axis=1)


def _settings(first: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Settings of stream 0 that are no acknowledgment, of numbers of 16 bits and 32 (RFC 9113 §6.5)."""
    short = (first[:, 0] == 0) & (first[:, 1] == 0) & (first[:, 2] % 6 == 0) & (first[:, 3] == SETTINGS) & (first[:, 4] == 0)
    inside = (first[:, 2] == 0) | (size < 11) | ((first[:, 9] == 0) & (first[:, 10] > 0))
    return short & (first[:, 5:9] == 0).all(axis=1) & (size >= FRAME.size) & inside


def _magic(data: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Which messages are the preface: its first bytes would be a length that no frame has."""
    return (data[start] == PREFACE[0]) & (data[start + 1] == PREFACE[1])


def _listed(direction: Direction, frame: bytes, sent: int) -> bytes:
    """The list of fields that a frame ends, each behind ITEM bytes; b'' if it ends none, or none that can be read.

    sent: bytes of the direction so far. RFC 9113 §4.3.
    """
    from hpack import Decoder, HPACKError

    kind, marks, at = frame[3], frame[4], FRAME.size
    if direction.lost:
        return b""
    if kind == CONTINUATION:
        if direction.block is None:
            direction.lost = BROKEN
            return b""
        end = len(frame)
    else:
        end = len(frame)
        if marks & PADDED:
            end -= frame[at] if at < end else 0
            at += 1
        at += 5 * (kind == HEADERS and marks & WITH_PRIORITY > 0) + 4 * (kind == PUSH)
        if at > end or direction.block is not None:
            direction.lost, direction.block = BROKEN, None
            return b""
        direction.block = bytearray()
    assert direction.block is not None
    direction.block += frame[at:end]
    if len(direction.block) > BLOCK:
        direction.lost, direction.block = TOO_MUCH, None
        return b""
    if not marks & END_HEADERS:
        return b""
    block, direction.block = bytes(direction.block), None
    if direction.decoder is None:
        direction.decoder = Decoder(LIST)
        # What the peer allows (SETTINGS) is not looked at: a table grows only where the block itself says so.
        direction.decoder.max_allowed_table_size = TABLE
    try:
        found = direction.decoder.decode(block, raw=True)
    except HPACKError as error:
        direction.lost = TOO_MUCH if "larger than" in str(error) else BROKEN
        direction.decoder = None
        return b""
    made = b"".join(
        (len(name) + len(value)).to_bytes(4, "big") + len(name).to_bytes(4, "big") + bytes(name) + bytes(value) for name, value in found
    )
    direction.told += len(made)
    if direction.told > LIST + TIMES * sent:
        direction.lost, direction.decoder = TOO_MUCH, None
        return b""
    return made


# ---------------------------------------------------------------- what stands in them


def _framed(h: Headers) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows that are frames, not quoted; where each ends, without its list; its type."""
    rows = np.flatnonzero(~_magic(h.buffer, h.start) & ~h.quoted & (h.end - h.start >= FRAME.size))
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
    h.fault(broken, "", "has header fields that cannot be decoded, or hang on such", at=h.start)


def _columns(h: Headers) -> dict[str, Column]:
    """Every field of FIELDS."""
    rows, end, kind = _framed(h)
    p = Parts(h, FIELDS)
    start = h.start[rows]
    marks = p.read(FRAME, rows, start, end)["http2.flags"]
    for name, (bit, types, _) in MARKS.items():
        there = np.flatnonzero(np.isin(kind, types))
        p.put(name, marks[there] & bit > 0, rows[there], start[there] + 4)
    at = start + FRAME.size

    pads = np.flatnonzero(np.isin(kind, MARKS["http2.flags.padded"][1]) & (marks & PADDED > 0))
    padding = p.read(PAD, rows[pads], at[pads], end[pads])["http2.padding"]
    stop = end.copy()
    stop[pads] -= padding
    at[pads] += 1
    depends = np.flatnonzero(((kind == HEADERS) & (marks & WITH_PRIORITY > 0)) | (kind == PRIORITY))
    weight = p.read(DEPENDS, rows[depends], at[depends], end[depends])
    fits = np.flatnonzero(weight.trusted == DEPENDS.size)
    real = weight["http2.headers.weight"][fits].astype(np.uint16) + 1
    p.put("http2.headers.weight_real", real, rows[depends][fits], at[depends][fits] + 4)
    at[depends] += DEPENDS.size
    promised = np.flatnonzero(kind == PUSH)
    p.read(PROMISED, rows[promised], at[promised], end[promised])
    at[promised] += PROMISED.size

    for one, layout in ((RST, RESET), (GOAWAY, LAST), (WINDOW, GROWS)):
        mine = np.flatnonzero(kind == one)
        p.read(layout, rows[mine], at[mine], end[mine])
    acked = marks & ACKS > 0
    for name, mask, skip in (
        ("data.data", kind == DATA, 0),
        ("headers", kind == HEADERS, 0),
        ("push_promise.header", kind == PUSH, 0),
        ("ping", (kind == PING) & ~acked, 0),
        ("pong", (kind == PING) & acked, 0),
        ("goaway.addata", kind == GOAWAY, LAST.size),
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

    made = dict(p.columns())
    magic = np.flatnonzero(_magic(h.buffer, h.start) & ~h.quoted)
    words = np.full(len(h), "preface", object)
    words[rows] = np.array([TYPE.get(one, f"frame of type {one}") for one in range(256)], object)[kind]
    made["http2.words"] = Column(words)
    made["http2.magic"] = Column(np.full(len(magic), PREFACE.decode(), object), magic)
    why = h.context_of("unread")
    unread = np.flatnonzero(why)
    made["http2.unread"] = Column(np.array([WHY[one] for one in why[unread].tolist()], object), unread)
    return made


def _items(h: Headers) -> tuple[Part, np.ndarray]:
    """Fields of lists, each with its ITEM bytes before; where the value of each begins."""
    size = h.context_of("listed")
    rows = np.flatnonzero(size)
    found, _, _ = vectors(h, Part(rows, h.end[rows] - size[rows], h.end[rows]), ITEM, 0, 4, ITEM)
    names = peek(h, LENGTHS, found.row, found.start, found.end)["name"].astype(np.int64)
    return found, np.minimum(found.start + ITEM + names, found.end)


LENGTHS = Layout(Field("both", u32, ""), Field("name", u32, ""))


def _lists(h: Headers) -> dict[str, Column]:
    """Every field of LISTED."""
    found, value = h.memo(_items)
    size = h.context_of("listed")
    rows, count = np.unique(found.row, return_counts=True)
    name = found.start + ITEM
    return {
        "http2.header.count": Column(count.astype(np.uint32), rows),
        "http2.header.length": Column(size[rows].astype(np.uint32), rows),
        "http2.header.name.length": Column((value - name).astype(np.uint32), found.row),
        "http2.header.name": Column(ascii_texts(h.buffer, name, value), found.row),
        "http2.header.value.length": Column((found.end - value).astype(np.uint32), found.row),
        "http2.header.value": Column(ascii_texts(h.buffer, value, found.end), found.row),
    }


def _named(name: str, h: Headers) -> dict[str, Column]:
    """The values of one header field; of numbers those that are such."""
    found, value = h.memo(_items)
    names = h.column("http2.header.name").values
    mine = np.flatnonzero(names == name)
    values = ascii_texts(h.buffer, value[mine], found.end[mine])
    own = _own(name)
    if own.kind is not text:
        digits = 4 if own.kind is u16 else 18
        numbers = np.array([one.isascii() and one.isdigit() and len(one) <= digits for one in values.tolist()], bool)
        mine, values = mine[numbers], np.array([int(one) for one in values[numbers].tolist()], own.kind.dtype)
    return {own.name: Column(values, found.row[mine])}


def _full_uri(h: Headers) -> dict[str, Column]:
    """The target with scheme and authority."""
    parts = [h.column(f"http2.headers.{one}") for one in ("scheme", "authority", "path")]
    said_of = [dict(zip(rows.tolist(), values.tolist())) for values, rows in parts if rows is not None]
    rows = sorted(set.intersection(*map(set, said_of))) if len(said_of) == 3 else []
    values = np.empty(len(rows), object)
    values[:] = [f"{said_of[0][row]}://{said_of[1][row]}{said_of[2][row]}" for row in rows]
    return {"http2.request.full_uri": Column(values, np.array(rows, np.int64))}


PROTOCOL = Protocol(
    "http2",
    "HTTP/2",
    __doc__,
    header=HEADER,
    info="{http2.words}[, stream {http2.streamid}][, {http2.headers.method}][ {http2.headers.path}][, status {http2.headers.status}]",
    check=check,
    framer=Frames,
    derived=(
        (FIELDS, _columns),
        (LISTED, _lists),
        *(((_own(name),), partial(_named, name)) for name in NAMED),
        ((Field("http2.request.full_uri", text, "URI", "scheme, authority and path"),), _full_uri),
    ),
)
