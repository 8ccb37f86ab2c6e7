"""Fields, declared once and read by everyone: kinds, Field, Layout, Column, Protocol, Headers.

A `Layout` is the list of a header's fields in wire order, as in the RFC's picture; offsets follow from it.
`Headers` are the occurrences of one header in a batch: reading a field of all of them is one gather.
No other code indexes packet bytes, and a field counts only if its last byte lies inside its header's span.
"""

from __future__ import annotations

import copy
import ipaddress
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

import numpy as np

from ._gather import gather as gather
from .strings import Strings, concat_str, constant, decimal, dotted, hexadecimal, hexlify, strings

T = TypeVar("T")

# ---------------------------------------------------------------- kinds


class Kind(NamedTuple):
    """The type of a field. bits: its width on the wire, 0 if it has no fixed place. dtype: of its column."""

    name: str
    bits: int
    dtype: str


u8, u16, u24, u32, u64 = (Kind(f"u{n}", n, f"u{max(1 << (n - 1).bit_length(), 8) // 8}") for n in (8, 16, 24, 32, 64))
mac = Kind("mac", 48, "u8")
ipv4 = Kind("ipv4", 32, "u4")
ipv6 = Kind("ipv6", 128, "V16")
flag = Kind("flag", 1, "?")
text = Kind("text", 0, "O")
signed = Kind("int", 0, "i8")
raw = Kind("bytes", 0, "i8")  # bounds in the headers' buffer: int64 (n, 2), start and end
seconds = Kind("seconds", 0, "i8")  # a duration, ns
milliseconds = Kind("milliseconds", 0, "i8")  # a duration, ns, that Wireshark prints in ms
time = Kind("time", 0, "i8")  # ns since 1970
date = Kind("date", 0, "i8")  # the same, printed as a date


def bits(n: int) -> Kind:
    """An unsigned integer of `n` bits, in a byte or word that it shares with its neighbours."""
    return Kind("bits", n, "u1" if n <= 8 else "u2" if n <= 16 else "u4")


@dataclass(frozen=True)
class Field:
    """One field. name and meaning are Wireshark's; label is for people; description says what matters.

    hex: digits to print it with, 0 for decimal. value_names: what values are called. scale, offset: the value is the number on
    the wire times scale plus offset. parts: bit fields inside it. many: a header may hold several. little: little-endian.
    """

    name: str
    kind: Kind
    label: str
    description: str = ""
    hex: int = 0
    value_names: Mapping[int, str] | None = None
    scale: int = 1
    offset: int = 0
    parts: tuple[Field, ...] = ()
    many: bool = False
    little: bool = False


class Column(NamedTuple):
    """Values of a field. rows: the header (index) that each belongs to, non-decreasing; None when it is every header once."""

    values: np.ndarray
    rows: np.ndarray | None = None


# ---------------------------------------------------------------- layouts


class Place(NamedTuple):
    """Where a field lies in its layout: byte offset and size of the word that holds it, shift and width in bits in that word, and
    the byte offset behind the field's last bit."""

    field: Field
    offset: int
    size: int
    shift: int
    width: int
    behind: int


def _places(fields: tuple[Field, ...]) -> dict[str, Place]:
    places: dict[str, Place] = {}

    def cut(inner: tuple[Field, ...], offset: int, size: int, bit: int) -> None:
        for f in inner:
            if f.kind.bits:
                shift = size * 8 - bit - f.kind.bits
                places[f.name] = Place(f, offset, size, shift, f.kind.bits, offset + (bit + f.kind.bits + 7) // 8)
                cut(f.parts, offset, size, bit)
                bit += f.kind.bits

    at, width = 0, 0
    waiting: list[Field] = []
    for f in fields:
        if waiting or f.kind.bits % 8:
            waiting.append(f)
            width += f.kind.bits
            if width % 8 == 0:
                cut(tuple(waiting), at, width // 8, 0)
                at, waiting, width = at + width // 8, [], 0
        else:
            size = f.kind.bits // 8
            places[f.name] = Place(f, at, size, 0, f.kind.bits, at + size)
            cut(f.parts, at, size, 0)
            at += size
    assert not waiting, "bits must fill whole bytes"
    return places


def _repeated(f: Field) -> Field:
    return replace(f, many=True, parts=tuple(map(_repeated, f.parts)))


class Layout:
    """Fields of a header in wire order. `size` is its length in bytes; `places` maps a field's name to its place.

    many: the layout is that of an option or a list item, which a header may hold several times, so its fields are `many` too.
    """

    def __init__(self, *fields: Field, many: bool = False) -> None:
        self.fields = tuple(map(_repeated, fields)) if many else fields
        self.places = _places(self.fields)
        self.size = sum(f.kind.bits for f in fields) // 8

    def all(self) -> Iterator[Field]:
        """Every field and its parts, in wire order."""
        return (place.field for place in self.places.values())


def _word(data: np.ndarray, offset: int, size: int) -> np.ndarray:
    """Big-endian unsigned integers of 1 to 8 bytes at `offset` of each row of uint8 (n, m); native order, shape (n,)."""
    if size in (1, 2, 4, 8):
        whole = np.ndarray((len(data),), f">u{size}", data.data if len(data) else bytes(size), offset if len(data) else 0, (data.shape[1],))
        return whole.astype(f"u{size}")
    left = 1 << size.bit_length() - 1
    high = _word(data, offset, left).astype("u8" if size > 4 else "u4")
    return (high << high.dtype.type(8 * (size - left))) | _word(data, offset + left, size - left)


# ---------------------------------------------------------------- spans, headers, payloads


class Spans(NamedTuple):
    """Byte ranges of a buffer, each a header and what it carries; arrays of shape (n,).

    frame: int64, row in the batch. start, end: int64, the bytes that were captured. wire: int64, where they end on the wire.
    quoted: bool, inside what an ICMP error quotes. row: int64, of the header that carries it.
    """

    frame: np.ndarray
    start: np.ndarray
    end: np.ndarray
    wire: np.ndarray
    quoted: np.ndarray
    row: np.ndarray

    def take(self, rows: np.ndarray) -> Spans:
        return Spans(*(column[rows] for column in self))


CUT = "cut by the capture: needs {needed} bytes, {had} were kept"  # the fault that is the recorder's, not the sender's


@dataclass
class Fault:
    """Headers that contradict themselves or are cut. Arrays of shape (n,): frame (row in batch), at (byte offset in the frame),
    needed and had (numbers in the sentence)."""

    protocol: str
    field: str
    sentence: str
    frame: np.ndarray
    at: np.ndarray
    needed: np.ndarray
    had: np.ndarray

    def same(self, other: Fault) -> bool:
        """Whether both report the same fault at the same places."""
        places = zip((self.frame, self.at), (other.frame, other.at))
        return (self.field, self.sentence) == (other.field, other.sentence) and all(np.array_equal(a, b) for a, b in places)


class Fragment(NamedTuple):
    """Which fragment of a datagram a payload is; arrays of shape (n,).

    identity: int64, equal for all fragments of a datagram between two addresses. offset: int64, bytes. more: bool, it is not the last.
    """

    identity: np.ndarray
    offset: np.ndarray
    more: np.ndarray

    def take(self, rows: np.ndarray) -> Fragment:
        return Fragment(*(column[rows] for column in self))


@dataclass
class Payload:
    """What a header carries. space and number tell its protocol; of several numbers (ports) the first that is known counts.

    start, wire: int64, bounds of the payload; wire beyond the header's own is cut back to it. rows: which headers (None: all).
    hide_layer: an Ethernet type that Wireshark does not show as a layer of its own. fragment: these are fragments of
    datagrams, decoded when the datagram is whole; space and number are the datagram's.
    """

    space: str
    number: np.ndarray | int | tuple[np.ndarray, ...]
    start: np.ndarray
    wire: np.ndarray
    rows: np.ndarray | None = None
    quoted: bool = False
    hide_layer: bool = False
    fragment: Fragment | None = None


@dataclass(frozen=True, eq=False)
class Protocol:
    """A protocol, as its file in `protocols/` declares it; the file gives it its name and description, too.

    label: what packet lines call it. header: the fields that every header has, in wire order. on: the number spaces, and the numbers
    in them, that lead to it. contents: yields what the headers carry. check: reports faults, of a protocol that carries nothing.
    derived: fields without a fixed place, and the function that computes their columns. external_fields: fields that a correlator,
    the TCP tracker or the loop computes. info: template of the packet line. addresses: fields of source and destination. aliases:
    names that stand for several fields. display_name: what frame.protocols calls it, if not by its name. network_id: the field that
    tells networks apart in which one address may be two hosts. framer: makes the `Framer` of its messages in TCP streams.
    changes_port: its servers answer from another UDP port than was asked. probe_port: which payloads (bool) are this protocol's, of
    those that one of its ports names; probe: of UDP payloads that no port names. precedence: of several protocols whose probes agree,
    the one with the least wins. announces: its messages may announce connections of other protocols. padded: the link pads short
    frames, so what it carries says where it ends. generic: it says nothing about what it holds; packet lines show what carries it.
    """

    label: str
    header: Layout = field(default_factory=lambda: Layout())
    on: Mapping[str, int | tuple[int, ...]] = field(default_factory=dict)
    contents: Callable[[Headers], Iterable[Payload]] | None = None
    check: Callable[[Headers], None] | None = None
    derived: tuple[tuple[tuple[Field, ...], Callable[[Headers], Mapping[str, Column]]], ...] = ()
    external_fields: tuple[Field, ...] = ()
    info: str = ""
    addresses: tuple[str, str] | None = None
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    display_name: str = ""
    network_id: str = ""
    framer: Callable[[], Any] | None = None
    changes_port: bool = False
    probe_port: Callable[[Reading], np.ndarray] | None = None
    probe: Callable[[Reading], np.ndarray] | None = None
    announces: bool = False
    precedence: int = 0
    padded: bool = False
    generic: bool = False
    name: str = field(default="", init=False)
    description: str = field(default="", init=False)

    def belongs_to(self, name: str, docstring: str) -> None:
        """Tell the protocol its name and description: the name of its file, `_` standing for a dot, and that file's docstring."""
        vars(self).update(name=name, description=docstring, display_name=self.display_name or name)

    def fields(self) -> Iterator[Field]:
        """Every field of the protocol, the layout's first."""
        yield from self.header.all()
        for fields, _ in self.derived:
            yield from fields
        yield from self.external_fields


class Reading:
    """One layout read at many places of a buffer. Arrays are of shape (n,).

    `r["ip.ttl"]` is a dense array, 0 where the field is absent; `r.column(name)` has only the values that are present, and the rows
    that `owner` (int64, default 0…n-1) gives. `trusted` (int64) counts the leading bytes of each place that may be used.
    """

    def __init__(self, layout: Layout, buffer: np.ndarray, start: np.ndarray, end: np.ndarray, owner: np.ndarray | None = None) -> None:
        self.layout, self.buffer, self.start, self.end, self.owner = layout, buffer, start, end, owner
        self.data = gather(buffer, start, layout.size)
        self.trusted = np.minimum(np.maximum(end - start, 0), layout.size)
        self._dense: dict[str, np.ndarray] = {}

    def __len__(self) -> int:
        return len(self.start)

    def __getitem__(self, name: str) -> np.ndarray:
        """Values of a field at every place, shape (n,); zero where it is absent. Raises KeyError."""
        found = self._dense.get(name)
        if found is None:
            place = self.layout.places[name]
            found = self._read(place)
            lacks = self.trusted < place.behind
            if lacks.any():
                found = np.where(lacks, np.zeros(1, found.dtype), found)
            self._dense[name] = found
        return found

    def _read(self, place: Place) -> np.ndarray:
        kind, size = place.field.kind, place.size
        if kind is ipv6:
            return np.ascontiguousarray(self.data[:, place.offset : place.offset + 16]).view("V16").reshape(-1)
        word = _word(self.data, place.offset, size)
        if place.field.little:
            word = word.byteswap()
        if place.width != size * 8:
            word = (word >> word.dtype.type(place.shift)) & word.dtype.type((1 << place.width) - 1)
        if place.field.scale != 1:
            return word.astype(np.int64) * place.field.scale + place.field.offset
        return word.astype(kind.dtype, copy=False)

    def column(self, name: str) -> Column:
        """The values that are present, and the rows that they belong to. Raises KeyError if there is no such field."""
        values, there = self[name], self.trusted >= self.layout.places[name].behind
        if there.all():
            return Column(values, self.owner)
        return Column(values[there], np.flatnonzero(there) if self.owner is None else self.owner[there])


class Headers(Reading):
    """All occurrences of one protocol's header that one turn of the dissecting loop found; sorted by frame.

    path: int64, the protocols of the frame up to here, a number of `dissection.Paths`. payload_end: int64, where what they carry
    ends, if they tell. context: columns of what is known of them beyond their bytes, from those before, and of
    what was found in them once; conversation: the keys and directions that `conversations.keyed` makes.
    """

    def __init__(self, protocol: Protocol, buffer: np.ndarray, spans: Spans, base: np.ndarray, parent: Headers | None) -> None:
        super().__init__(protocol.header, buffer, spans.start, spans.end)
        self.protocol, self.base, self.parent = protocol, base, parent
        self.frame, self.wire, self.quoted, self.row = spans.frame, spans.wire, spans.quoted, spans.row
        size = self.layout.size
        self.whole = self.trusted == size
        self.path = np.zeros(len(self), np.int64)
        self.payload_end: np.ndarray | None = None  # where the contents end, if they tell
        self.faults: list[Fault] = []
        self.checksums: bool = parent is not None and parent.checksums  # whether those over the payload are verified
        self.context: dict[str, Column] = {}
        self.conversation: tuple[np.ndarray, np.ndarray] | None = None
        self._columns: dict[str, Column] = {}
        self._memo: dict[Callable[[Headers], Any], Any] = {}
        if not self.whole.all():
            lacks = ~self.whole
            room = self.wire - self.start
            self.fault(lacks & (room < size) & ~self.quoted, "", "needs {needed} bytes, has {had}", size, room, self.start)
            self.fault(lacks & (room >= size), "", CUT, size, self.trusted, self.start)

    def fault(
        self,
        bad: np.ndarray,
        name: str,
        sentence: str,
        needed: np.ndarray | int = 0,
        had: np.ndarray | int = 0,
        at: np.ndarray | None = None,
    ) -> None:
        """Report that field `name` of the headers at `bad` (a mask) is wrong, and trust nothing behind that field.

        sentence: the rest of a sentence about the field, with {needed} and {had} for numbers. at: the buffer offset of the fault if it is
        not the field's; then the layout's fields stay trusted.
        """
        rows = np.flatnonzero(bad)
        if not len(rows):
            return
        zero = np.zeros(len(rows), np.int64)
        needs, has = (zero + (x[rows] if isinstance(x, np.ndarray) else x) for x in (needed, had))
        place = self.layout.places.get(name)
        if at is None and place:
            where = self.start[rows] + place.offset
            self.trusted[rows] = np.minimum(self.trusted[rows], place.behind)
            self.whole[rows] = False
            self._dense.clear()
        else:
            where = self.start[rows] if at is None else at[rows]
        frame = self.frame[rows]
        made = Fault(self.protocol.name, name, sentence, frame, where - self.base[frame], needs, has)
        if not any(made.same(one) for one in self.faults):  # `take` makes headers whose faults are found again
            self.faults.append(made)

    def take(self, rows: np.ndarray) -> Headers:
        """The headers at `rows` (sorted indices)."""
        if len(rows) == len(self):
            return self
        made = copy.copy(self)
        for name in ("data", "trusted", "start", "end", "frame", "wire", "quoted", "row", "whole", "path"):
            setattr(made, name, getattr(self, name)[rows])
        made.payload_end = None if self.payload_end is None else self.payload_end[rows]
        place = np.full(len(self), -1, np.int64)
        place[rows] = np.arange(len(rows))
        made._dense, made._columns, made._memo, made.faults = {}, {}, {}, []
        made.context = {}
        made.conversation = self.conversation and (self.conversation[0][rows], self.conversation[1][rows])
        for ours, theirs in ((self._columns, made._columns), (self.context, made.context)):
            for name, (values, at) in ours.items():
                where = place if at is None else place[at]
                theirs[name] = Column(values[where >= 0], where[where >= 0])
        for fault in self.faults:
            there = np.isin(fault.frame, made.frame)
            if there.any():
                arrays = (fault.frame[there], fault.at[there], fault.needed[there], fault.had[there])
                made.faults.append(Fault(fault.protocol, fault.field, fault.sentence, *arrays))
        return made

    @property
    def reassembled(self) -> bool:
        """Whether these lie in a reassembled datagram or message, not in the frames: offsets count from its first byte."""
        return self.buffer is not self.frames.buffer

    @property
    def frames(self) -> Headers:
        """The headers of `frame` at the root; `frame` is the row there."""
        at = self
        while at.parent is not None:
            at = at.parent
        return at

    def __getitem__(self, name: str) -> np.ndarray:
        """Values of a field for every header, shape (n,); zero where it is absent. Raises KeyError."""
        if name in self.layout.places:
            return super().__getitem__(name)
        values, rows = self.column(name)
        if rows is None:
            return values
        found = np.zeros((len(self), *values.shape[1:]), values.dtype)
        found[rows] = values
        return found

    def column(self, name: str) -> Column:
        """The values that are present, and the headers that they belong to. Raises KeyError if there is no such field."""
        found = self._columns.get(name)
        if found is not None:
            return found
        if name in self.layout.places:
            return super().column(name)
        for fields, function in self.protocol.derived:
            if any(f.name == name for f in fields):
                self._columns.update(function(self))
                return self._columns[name]
        for f in self.protocol.external_fields:
            if f.name == name:  # nothing in this batch has a value
                return Column(np.empty(0, f.kind.dtype), np.empty(0, np.int64))
        raise KeyError(name)

    def memo(self, make: Callable[[Headers], T]) -> T:
        """What that function returns for these headers. It is called once, however many columns are made of it."""
        if make not in self._memo:
            self._memo[make] = make(self)
        return self._memo[make]

    def put(self, name: str, values: np.ndarray, rows: np.ndarray | None = None) -> None:
        """Add a column of a field that was computed outside of the protocol's file."""
        self._columns[name] = Column(values, rows)

    def set_context(self, name: str, values: np.ndarray, rows: np.ndarray | None = None) -> None:
        """Add a column to `context`."""
        self.context[name] = Column(values, rows)

    def context_of(self, name: str, default: int = 0) -> np.ndarray:
        """That column of `context` for every header, shape (n,); the default where it says nothing, as of what an ICMP error quotes."""
        if name not in self.context:
            return np.full(len(self), default)
        values, rows = self.context[name]
        if rows is None:
            return values
        found = np.full((len(self), *values.shape[1:]), default, values.dtype)
        found[rows] = values
        return found

    def has(self, name: str) -> bool:
        """Whether that column was put or computed."""
        return name in self._columns

    def network_layer(self) -> tuple[Headers, np.ndarray] | None:
        """The nearest enclosing headers that have addresses, and for each of these the row there; None if there are none."""
        at, rows = self.parent, self.row
        while at is not None:
            if at.protocol.addresses is not None:
                return at, rows
            rows, at = at.row[rows], at.parent
        return None

    def set_payload_end(self, end: np.ndarray) -> None:
        """Tell where the contents end (int64); what follows is the link's padding or trailer."""
        self.payload_end = np.minimum(end, self.wire)


class Carried(NamedTuple):
    """Payloads at `spans` that one group of headers carries, and the protocol that they are.

    space: the number space that named it, '' if it is no layer to show. buffer, base: the bytes that hold them, and where those of
    each frame begin, int64 (frames,). columns: what is known of each beyond its bytes, for fields or `Headers.context`.
    """

    protocol: str
    parent: Headers
    spans: Spans
    space: str
    buffer: np.ndarray
    base: np.ndarray
    columns: Mapping[str, np.ndarray] = MappingProxyType({})


# ---------------------------------------------------------------- values as text


@lru_cache(1 << 16)
def _ipv6(value: bytes) -> str:
    made = ipaddress.IPv6Address(value)
    four = ".".join(map(str, value[12:]))
    if value[:12] == bytes(10) + b"\xff\xff":  # RFC 5952 §5: IPv4-mapped addresses show the IPv4 part
        return f"::ffff:{four}"
    if value[:12] == bytes(12) and value[12:14] != b"\0\0":  # as inet_ntop: IPv4-compatible
        return f"::{four}"
    return str(made)


def decimal_seconds(ns: np.ndarray, digits: int = 9, width: int = 0) -> Strings:
    """Nanoseconds (int64) as seconds with that many decimals, as tshark prints times; right-aligned in `width`."""
    return decimal(ns, point=digits, drop=9 - digits, width=width)


MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def dates(ns: np.ndarray) -> Strings:
    """Nanoseconds since 1970 (int64) as tshark prints dates: `Aug  1, 2022 13:23:30.188123546 UTC`."""
    second, rest = np.divmod(ns, 10**9)
    used, inverse = np.unique(second, return_inverse=True)
    printed = []
    for one in np.datetime_as_string(used.astype("M8[s]")).tolist():
        day, clock = one.split("T")
        year, month, nth = day.split("-")
        printed.append(f"{MONTHS[int(month) - 1]} {int(nth):2}, {year} {clock}")
    fraction = decimal_seconds(rest)
    return concat_str([strings(printed).take(inverse), replace(fraction, start=fraction.start + 1), constant(" UTC", len(ns))])


def texts(f: Field, values: np.ndarray, buffer: np.ndarray | None = None) -> Strings:
    """Values of a field as `-T fields` prints them. buffer: that the bounds of byte fields refer to."""
    kind = f.kind
    if kind is raw:
        assert buffer is not None
        return hexlify(buffer, *np.ascontiguousarray(values.T))
    if kind is text:
        return strings(values.tolist())
    if kind is ipv6:
        return strings([_ipv6(v) for v in values.tolist()])
    if kind is ipv4:
        return dotted(values)
    if kind is mac:
        return hexadecimal(values, 12, before="", between=":")
    if kind is seconds or kind is time:
        return decimal_seconds(values)
    if kind is milliseconds:
        return strings([f"{ns / 1e6:.6f}".rstrip("0").rstrip(".") for ns in values.tolist()])
    if kind is date:
        return dates(values)
    return hexadecimal(values, f.hex) if f.hex else decimal(values)


def part(f: Field, **changes: Any) -> Field:
    """A copy of a field with these attributes changed."""
    return replace(f, **changes)
