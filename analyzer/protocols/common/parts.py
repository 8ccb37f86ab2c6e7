"""Columns of fields that lie in parts of a header: entries, objects, what depends on a type. Read part by part, given out in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from ...fields import CUT, Column, Field, Headers, Layout, Reading, gather
from .tlv import repeated


class Parts:
    """What was read of some fields, several values a header if need be; `columns` puts them in the order of the wire.

    fields: all that may be read. Fields of a layout without a label are passed over.
    """

    def __init__(self, h: Headers, fields: Iterable[Field]) -> None:
        self.h = h
        self.kinds = {f.name: f.kind for f in fields}
        self._found: dict[str, list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = {name: [] for name in self.kinds}

    def read(self, layout: Layout, rows: np.ndarray, at: np.ndarray, end: np.ndarray | None = None) -> Reading:
        """As `peek`; what is there is put into the columns."""
        found = peek(self.h, layout, rows, at, end)
        for name, place in layout.places.items():
            if place.field.label:
                there = np.flatnonzero(found.trusted >= place.behind)
                self.put(name, found[name][there], rows[there], found.start[there] + place.offset)
        return found

    def put(self, name: str, values: np.ndarray, rows: np.ndarray, at: np.ndarray) -> None:
        """Values of a field: the header and the place in the buffer of each."""
        if len(rows):
            self._found[name].append((values, rows, at))

    def bytes(self, name: str, rows: np.ndarray, start: np.ndarray, end: np.ndarray) -> None:
        """Stretches of bytes, those that are whole."""
        there = np.flatnonzero((start < end) & (end <= self.h.end[rows]))
        self.put(name, np.column_stack((start[there], end[there])), rows[there], start[there])

    def text(self, name: str, rows: np.ndarray, start: np.ndarray, end: np.ndarray) -> None:
        """Stretches of text, those that are whole; a zero byte ends one."""
        there = np.flatnonzero((start < end) & (end <= self.h.end[rows]))
        self.put(name, words(self.h.buffer, start[there], end[there]), rows[there], start[there])

    def columns(self) -> Iterator[tuple[str, Column]]:
        """Every field of the list."""
        for name, found in self._found.items():
            if not found:
                empty = np.empty((0, 2) if self.kinds[name].name == "bytes" else 0, self.kinds[name].dtype)
                yield name, Column(empty, np.empty(0, np.int64))
                continue
            values, rows, at = (np.concatenate(column) for column in zip(*found, strict=True))
            order = np.lexsort((at, rows))
            yield name, Column(values[order], rows[order])


def peek(h: Headers, layout: Layout, rows: np.ndarray, at: np.ndarray, end: np.ndarray | None = None) -> Reading:
    """The layout at these places (int64) of the buffer, which belong to headers `rows`. end: of the part (None: the header's)."""
    stop = h.end[rows] if end is None else np.minimum(end, h.end[rows])
    return Reading(layout, h.buffer, np.minimum(at, stop), stop)


def _utf8(data: bytes) -> str:
    return data.split(b"\0")[0].decode("utf-8", "replace")


def words(buffer: np.ndarray, start: np.ndarray, end: np.ndarray, said: Callable[[bytes], str] = _utf8) -> np.ndarray:
    """Stretches of the buffer (int64) as texts (object, str). said: makes a text of bytes; if not told UTF-8, what is none of it
    replaced, up to a zero byte."""
    found = np.empty(len(start), object)
    size = end - start
    order = np.argsort(size, kind="stable")
    for at in np.split(order, np.flatnonzero(np.diff(size[order])) + 1) if len(order) else ():
        length = int(size[at[0]])
        each = gather(buffer, start[at], length).view(f"V{length}").reshape(-1).tolist() if length else [b""] * len(at)
        known = {one: said(one) for one in dict.fromkeys(each)}
        found[at] = np.array([known[one] for one in each], object)
    return found


def needs(h: Headers, size: np.ndarray) -> None:
    """Report messages that end, or were cut, before `size` bytes (int64): what their first fields say that there is."""
    room, kept = h.wire - h.start, h.end - h.start
    h.fault(h.whole & (room < size) & ~h.quoted, "", "needs {needed} bytes, has {had}", size, room, h.start)
    h.fault(h.whole & (room >= size) & (kept < size), "", CUT, size, kept, h.start)


def misfits(h: Headers, bad: np.ndarray, name: str, says: str) -> None:
    """Report what a walk found not to fit, at the offsets `bad` (-1: nothing); what the capture cut is no lie."""
    h.fault((bad >= 0) & ~h.quoted & (h.wire <= h.end), name, says, at=bad)


def split(
    buffer: np.ndarray, start: np.ndarray, end: np.ndarray, by: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Stretches of the buffer (int64) cut at every byte `by`.

    Returns of each piece: the stretch it is of, which one there (from 0), where it begins and ends (int64, without that byte), and
    whether the byte stands behind it (bool). A stretch that ends with the byte has no empty piece behind it.
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
