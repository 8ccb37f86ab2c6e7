"""One packet for a person: its headers as a tree, with byte ranges, words, flag bits and faults; and its bytes.

It comes from the same declarations as the columns. What it shows of a field is what `-T fields` prints.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from ..dissection import Dissection
from ..fields import Field, Headers, Place, flag, raw, text, texts
from ..protocols import protocols, register
from ..strings import Strings
from ._text import safe

MOST_BYTES = 48  # bytes of a byte field shown in the tree; the dump has them all


@dataclass
class Tree:
    """The trees of one batch. names: with the fields' names. opened: protocols to show in full (None: all)."""

    d: Dissection
    names: bool = False
    opened: frozenset[str] | None = None
    _texts: dict[tuple[int, str], Strings] = field(default_factory=dict)  # (headers, field) → all its values

    def lines(self, row: int) -> Iterator[str]:
        """Lines about the frame at `row` of the batch. The first two columns are where in the frame a header or field
        begins, and how many bytes it has."""
        for h in self.d.order:
            low, high = np.searchsorted(h.frame, (row, row + 1)).tolist()
            for at in range(low, high):
                if opens(h):
                    size = h.wire[at] - h.start[at]
                    yield self._line(None, None, 0, f"{became(h).capitalize()}: {size} bytes; from here on offsets count in it")
                yield from self._header(h, at)

    def _header(self, h: Headers, at: int) -> Iterator[str]:
        p = h.protocol
        start = int(h.start[at]) - int(h.base[h.frame[at]])
        if p.name == "frame":
            yield f"Frame {h['frame.number'][at]}: {h['frame.len'][at]} bytes on the wire, {h['frame.cap_len'][at]} captured"
        else:
            quoted = ", quoted by the error above" if h.quoted[at] else ""
            yield self._line(start, int(h.trusted[at]) or None, 0, f"{p.label}{quoted}", p.name)
        if self.opened is None or p.name in self.opened:
            yield from self._fields(h, at, start)
        for fault in h.faults:
            for i in np.flatnonzero(fault.frame == h.frame[at]).tolist():
                name = register()[fault.field].field.label.lower() if fault.field in register() else ""
                printed = fault.sentence.format(needed=fault.needed[i], had=fault.had[i])
                yield self._line(int(fault.at[i]), None, 1, f"! {protocols()[fault.protocol].label}{': ' + name if name else ''} {printed}")

    def _line(self, offset: int | None, size: int | None, depth: int, printed: str, name: str = "") -> str:
        left = f"{'' if offset is None else offset:>5} {'' if size is None else size:>4}  "
        return f"{left}{'  ' * depth}{safe(printed)}{f'  ({name})' if name and self.names else ''}"

    def _fields(self, h: Headers, at: int, start: int) -> Iterator[str]:
        inner = {part.name for place in h.layout.places.values() for part in place.field.parts}
        for name, place in h.layout.places.items():
            if name not in inner and place.field.label and h.trusted[at] >= place.behind:
                yield from self._placed(h, at, start, place, 1)
        shown = set(h.layout.places)
        for f in h.protocol.fields():
            if f.name in shown or not f.label:
                continue
            try:
                values, rows = h.column(f.name)
            except KeyError:  # belongs to a protocol of the same fields that is not in this frame
                continue
            low, high = (at, at + 1) if rows is None else np.searchsorted(rows, (at, at + 1)).tolist()
            for one in range(low, high):
                if f.kind is raw:
                    a, b = values[one].tolist()
                    base = int(h.base[h.frame[at]])
                    printed = h.buffer[a : min(b, a + MOST_BYTES)].tobytes().hex() + ("…" if b - a > MOST_BYTES else "")
                    yield self._line(a - base, b - a, 1, f"{f.label}: {printed}", f.name)
                else:
                    yield self._line(None, None, 1, f"{f.label}: {self._value(h, f, values, one)}", f.name)

    def _placed(self, h: Headers, at: int, start: int, place: Place, depth: int) -> Iterator[str]:
        f = place.field
        bits = "" if place.width == place.size * 8 else _bits(h, at, place) + " = "
        size = min(place.size, int(h.trusted[at]) - place.offset)
        printed = f"{bits}{f.label}: {self._value(h, f, h[f.name], at)}"
        yield self._line(start + place.offset if depth == 1 else None, size if depth == 1 else None, depth, printed, f.name)
        for part in f.parts:
            if part.label:
                yield from self._placed(h, at, start, h.layout.places[part.name], depth + 1)

    def _value(self, h: Headers, f: Field, values: np.ndarray, at: int) -> str:
        """One of a field's values as people read it: '0x0800 (IPv4)', 'yes'."""
        if f.kind is flag:
            return "yes" if values[at] else "no"
        made = self._texts.get((id(h), f.name))
        if made is None:
            made = self._texts[id(h), f.name] = texts(f, values, h.buffer)
        word = None if f.kind is text or not f.value_names else f.value_names.get(int(values[at]))
        return f"{made[at]} ({word})" if word else made[at]


def _bits(h: Headers, at: int, place: Place) -> str:
    """'.... ..1.': the field's bits in the word that holds it."""
    word = int.from_bytes(h.data[at, place.offset : place.offset + place.size].tobytes(), "big")
    width = place.size * 8
    drawn = "".join(str(word >> bit & 1) if place.shift <= bit < place.shift + place.width else "." for bit in range(width - 1, -1, -1))
    return " ".join(drawn[i : i + 4] for i in range(0, width, 4))


def opens(h: Headers) -> bool:
    """Whether these are the first headers of datagrams that were put together."""
    return h.parent is not None and h.buffer is not h.parent.buffer


def became(h: Headers) -> str:
    """What the buffer that was made for these holds."""
    return "packet opened, what it makes whole behind it" if h.protocol.name == "quic" else "datagram put together"


def dump(d: Dissection, row: int) -> Iterator[str]:
    """The bytes of the frame, and of what was put together in it: offset, sixteen in hexadecimal, the same as text."""
    start = int(d.batch.offset[row])
    yield from _dumped(d.batch.buffer[start : start + int(d.batch.captured[row])].tobytes())
    for h in filter(opens, d.order):
        for at in np.flatnonzero(h.frame == row).tolist():
            yield f"{became(h)}, {h.wire[at] - h.start[at]} bytes:"
            yield from _dumped(h.buffer[int(h.start[at]) : int(h.wire[at])].tobytes())


def _dumped(data: bytes) -> Iterator[str]:
    for at in range(0, len(data), 16):
        some = data[at : at + 16]
        printable = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in some)
        yield f"{at:04x}  {some.hex(' '):<47}  {printable}"
