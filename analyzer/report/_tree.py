"""One packet for a person: its headers as a tree, with byte ranges, words, flag bits and faults; and its bytes.

It comes from the same declarations as the columns. What it shows of a field is what `-T fields` prints.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..dissect import Dissection
from ..fields import Field, Headers, Place, flag, raw, text, texts
from ..protocols import protocols, register
from ._text import safe

SHOWN = 48  # bytes of a byte field shown in the tree; the dump has them all


def tree(d: Dissection, row: int, names: bool = False, opened: frozenset[str] | None = None) -> Iterator[str]:
    """Lines about the frame at `row` of the batch. names: with the fields' names. opened: protocols to show in full (None: all).

    The first two columns are where a header or field begins in the frame and how many bytes it has.
    """
    for h in d.order:
        low, high = np.searchsorted(h.frame, (row, row + 1)).tolist()
        for at in range(low, high):
            yield from _header(h, at, names, opened)


def _header(h: Headers, at: int, names: bool, opened: frozenset[str] | None) -> Iterator[str]:
    p = h.protocol
    base = int(h.base[h.frame[at]])
    start = int(h.start[at]) - base
    if p.name == "frame":
        yield f"Frame {h['frame.number'][at]}: {h['frame.len'][at]} bytes on the wire, {h['frame.cap_len'][at]} captured"
    else:
        quoted = ", quoted by the error above" if h.quoted[at] else ""
        yield _line(start, int(h.trusted[at]) or None, 0, f"{p.label}{quoted}", p.name if names else "")
    if opened is None or p.name in opened:
        yield from _fields(h, at, start, names)
    for fault in h.faults:
        for i in np.flatnonzero(fault.frame == h.frame[at]).tolist():
            name = register()[fault.field].field.label.lower() if fault.field in register() else ""
            said = fault.says.format(needed=fault.needed[i], had=fault.had[i])
            yield _line(int(fault.at[i]), None, 1, f"! {protocols()[fault.protocol].label}{': ' + name if name else ''} {said}", "")


def _line(offset: int | None, size: int | None, depth: int, said: str, name: str) -> str:
    left = f"{'' if offset is None else offset:>5} {'' if size is None else size:>4}  "
    return f"{left}{'  ' * depth}{safe(said)}{f'  ({name})' if name else ''}"


def _fields(h: Headers, at: int, start: int, names: bool) -> Iterator[str]:
    inner = {part.name for place in h.layout.places.values() for part in place.field.parts}
    for name, place in h.layout.places.items():
        if name not in inner and place.field.label and h.trusted[at] >= place.behind:
            yield from _placed(h, at, start, place, 1, names)
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
            value = values[one : one + 1]
            if f.kind is raw:
                a, b = (int(v) for v in value[0])
                base = int(h.base[h.frame[at]])
                said = h.buffer[a : min(b, a + SHOWN)].tobytes().hex() + ("…" if b - a > SHOWN else "")
                yield _line(a - base, b - a, 1, f"{f.label}: {said}", f.name if names else "")
            else:
                yield _line(None, None, 1, f"{f.label}: {_said(f, value, h)}", f.name if names else "")


def _placed(h: Headers, at: int, start: int, place: Place, depth: int, names: bool) -> Iterator[str]:
    f = place.field
    value = h[f.name][at : at + 1]
    bits = "" if place.width == place.size * 8 else _bits(h, at, place) + " = "
    size = min(place.size, int(h.trusted[at]) - place.offset)
    yield _line(
        start + place.offset if depth == 1 else None,
        size if depth == 1 else None,
        depth,
        f"{bits}{f.label}: {_said(f, value, h)}",
        f.name if names else "",
    )
    for part in f.parts:
        if part.label:
            yield from _placed(h, at, start, h.layout.places[part.name], depth + 1, names)


def _bits(h: Headers, at: int, place: Place) -> str:
    """'.... ..1.': the field's bits in the word that holds it."""
    word = int.from_bytes(h.data[at, place.offset : place.offset + place.size].tobytes(), "big")
    width = place.size * 8
    drawn = "".join(str(word >> bit & 1) if place.shift <= bit < place.shift + place.width else "." for bit in range(width - 1, -1, -1))
    return " ".join(drawn[i : i + 4] for i in range(0, width, 4))


def _said(f: Field, value: np.ndarray, h: Headers) -> str:
    """A value as people read it: '0x0800 (IPv4)', 'yes'."""
    if f.kind is flag:
        return "yes" if value[0] else "no"
    printed = texts(f, value, h.buffer)[0]
    word = None if f.kind is text or not f.words else f.words.get(int(value[0]))
    return f"{printed} ({word})" if word else printed


def dump(d: Dissection, row: int) -> Iterator[str]:
    """The frame's bytes: offset, sixteen in hexadecimal, the same as text."""
    start = int(d.batch.offset[row])
    data = d.batch.buffer[start : start + int(d.batch.captured[row])].tobytes()
    for at in range(0, len(data), 16):
        some = data[at : at + 16]
        printable = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in some)
        yield f"{at:04x}  {some.hex(' '):<47}  {printable}"
