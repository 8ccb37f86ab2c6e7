"""Columns of fields in parts of a header: entries, objects, type-dependent bodies. Parts are read in any order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from ...fields import CUT, Column, Field, Headers, Layout, Reading, gather
from .tlv import repeated


class Parts:
    """Values read of some fields, any number a header; `columns` returns them in the order of the wire.

    fields: all that may be read. Fields of a layout without a label are left out.
    """

    def __init__(self, h: Headers, fields: Iterable[Field]) -> None:
        self.h = h
        self.kinds = {f.name: f.kind for f in fields}
        self._values: dict[str, list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = {name: [] for name in self.kinds}

    def read(self, layout: Layout, rows: np.ndarray, at: np.ndarray, end: np.ndarray | None = None) -> Reading:
        """As `peek`; also adds the values that are present to the columns."""
        reading = peek(self.h, layout, rows, at, end)
        for name, place in layout.places.items():
            if place.field.label:
                there = np.flatnonzero(reading.trusted >= place.behind)
                self.put(name, reading[name][there], rows[there], reading.start[there] + place.offset)
        return reading

    def put(self, name: str, values: np.ndarray, rows: np.ndarray, at: np.ndarray) -> None:
        """Add values of a field. rows, at: the header and the offset in the buffer of each; int64."""
        if len(rows):
            self._values[name].append((values, rows, at))

    def bytes(self, name: str, rows: np.ndarray, start: np.ndarray, end: np.ndarray) -> None:
        """Add byte ranges of the buffer; those that were captured whole."""
        there = np.flatnonzero((start < end) & (end <= self.h.end[rows]))
        self.put(name, np.column_stack((start[there], end[there])), rows[there], start[there])

    def text(self, name: str, rows: np.ndarray, start: np.ndarray, end: np.ndarray) -> None:
        """Add texts, up to a zero byte; those that were captured whole."""
        there = np.flatnonzero((start < end) & (end <= self.h.end[rows]))
        self.put(name, words(self.h.buffer, start[there], end[there]), rows[there], start[there])

    def columns(self) -> Iterator[tuple[str, Column]]:
        """Every field, in the order given; the values of each by header and offset."""
        for name, values_read in self._values.items():
            if not values_read:
                empty = np.empty((0, 2) if self.kinds[name].name == "bytes" else 0, self.kinds[name].dtype)
                yield name, Column(empty, np.empty(0, np.int64))
                continue
            values, rows, at = (np.concatenate(column) for column in zip(*values_read, strict=True))
            order = np.lexsort((at, rows))
            yield name, Column(values[order], rows[order])


def peek(h: Headers, layout: Layout, rows: np.ndarray, at: np.ndarray, end: np.ndarray | None = None) -> Reading:
    """The layout at offsets `at` (int64) in the headers `rows`. end: of the part that holds it (None: of the header)."""
    stop = h.end[rows] if end is None else np.minimum(end, h.end[rows])
    return Reading(layout, h.buffer, np.minimum(at, stop), stop)


def _utf8(data: bytes) -> str:
    return data.split(b"\0")[0].decode("utf-8", "replace")


def words(buffer: np.ndarray, start: np.ndarray, end: np.ndarray, decode: Callable[[bytes], str] = _utf8) -> np.ndarray:
    """Ranges of the buffer (int64) as text (object, str). decode: default UTF-8 up to a zero byte, invalid bytes replaced."""
    result = np.empty(len(start), object)
    size = end - start
    order = np.argsort(size, kind="stable")
    for at in np.split(order, np.flatnonzero(np.diff(size[order])) + 1) if len(order) else ():
        length = int(size[at[0]])
        encoded = gather(buffer, start[at], length).view(f"V{length}").reshape(-1).tolist() if length else [b""] * len(at)
        decoded = {data: decode(data) for data in dict.fromkeys(encoded)}
        result[at] = np.array([decoded[data] for data in encoded], object)
    return result


def needs(h: Headers, size: np.ndarray) -> None:
    """Report messages that end, or were cut, before `size` bytes (int64), which their first fields require."""
    room, kept = h.wire - h.start, h.end - h.start
    h.fault(h.whole & (room < size) & ~h.quoted, "", "needs {needed} bytes, has {had}", size, room, h.start)
    h.fault(h.whole & (room >= size) & (kept < size), "", CUT, size, kept, h.start)


def misfits(h: Headers, bad: np.ndarray, name: str, sentence: str) -> None:
    """Report parts that do not fit, at the offsets `bad` (-1: none), unless the capture cut the message."""
    h.fault((bad >= 0) & ~h.quoted & (h.wire <= h.end), name, sentence, at=bad)


def split(
    buffer: np.ndarray, start: np.ndarray, end: np.ndarray, by: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Split ranges of the buffer (int64) at every byte `by`.

    Returns for each part: its range, its number in that (from 0), its start and end without the separator (int64), and whether a
    separator follows (bool). No empty part follows a separator at the end of a range.
    """
    owner, nth = repeated(np.maximum(end - start, 0))
    place = start[owner] + nth
    cut = np.flatnonzero((buffer[place] == by) | np.append(owner[1:] != owner[:-1], True)[: len(owner)])
    of, stop = owner[cut], place[cut]
    ended = buffer[stop] == by
    stop = np.where(ended, stop, stop + 1)
    first = np.append(True, of[1:] != of[:-1])[: len(of)]
    begin = np.where(first, start[of], np.append(0, place[cut] + 1)[: len(of)])
    which = np.arange(len(of))
    return of, which - np.maximum.accumulate(np.where(first, which, 0)), begin, stop, ended
