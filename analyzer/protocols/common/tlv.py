"""Lists of options or objects of many headers at once: the loops of `_tlv.py`, with arrays in and out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...fields import Headers
from . import _tlv


class Options(NamedTuple):
    """Every option of some headers, in order. row: index of its header; at: offset in the buffer; size: its whole length in
    bytes, 0 if it does not fit its list; all int64, shape (n,). kind: its first byte, uint8 (n,).
    bad: for each header the offset of the option that does not fit, or -1; int64 (headers,)."""

    row: np.ndarray
    at: np.ndarray
    size: np.ndarray
    kind: np.ndarray
    bad: np.ndarray

    def of(self, kind: int, least: int, most: int = 255) -> np.ndarray:
        """Indices of the options of that kind whose whole length is within these bounds."""
        options = np.flatnonzero(self.kind == kind)
        size = self.size[options]
        return options[(size >= least) & (size <= most)]


def walk(
    h: Headers,
    start: np.ndarray,
    end: np.ndarray,
    single: tuple[int, ...] = (),
    last: tuple[int, ...] = (),
    skipped: tuple[int, ...] = (),
    unit: int = 1,
    head: int = 0,
    terminator: int = -1,
    owner: np.ndarray | None = None,
) -> Options:
    """The options in h.buffer[start[i]:end[i]] of each header i.

    single: kinds of one byte, without a length. last: kinds that end the list. terminator: a kind of one byte that ends the list,
    whatever follows. skipped: kinds of `single` to leave out. The length byte counts `unit` bytes, plus `head`.
    owner: as of `items`.
    """
    end = np.maximum(np.minimum(end, h.end if owner is None else h.end[owner]), start)
    room = int((end - start).sum())
    if skipped == single:
        room = room // 2 + len(start)  # all others take two bytes at least, except a last one that does not fit
    bad = np.empty(len(start), np.int64)
    row, at, size = np.empty((3, room), np.int64)
    singles, skips, lasts = (sum(1 << kind for kind in kinds) for kinds in (single, skipped, last))  # bit masks
    rules = singles, skips, lasts, unit, head, terminator
    n = _tlv.options(h.buffer.data, start.data, end.data, *rules, bad.data, row.data, at.data, size.data)
    return Options(row[:n], at[:n], size[:n], h.buffer[at[:n]], bad)


def items(
    h: Headers,
    start: np.ndarray,
    end: np.ndarray,
    head: int,
    least: int,
    place: int = 0,
    mask: int = 0xFFFF,
    unit: int = 1,
    align: int = 1,
    owner: np.ndarray | None = None,
    last: int = -1,
) -> Options:
    """The items in h.buffer[start[i]:end[i]] of each header i whose lengths are words of 16 bits, `place` bytes into them.

    mask: the bits of the word that are the length, which counts `unit` bytes. head: bytes that the length does not count.
    least: bytes of the shortest item. align: items are padded to a multiple of so many bytes; their size is without padding.
    owner: int64, the header of each range, if headers have any number of ranges; `row` and `bad` are then indices of ranges.
    last: an item whose other bits of the word are these ends the list.
    """
    end = np.minimum(end, h.end if owner is None else h.end[owner])
    return among(h.buffer, start, end, head, least, place, mask, unit, align, last)


def among(
    buffer: np.ndarray,
    start: np.ndarray,
    end: np.ndarray,
    head: int,
    least: int,
    place: int = 0,
    mask: int = 0xFFFF,
    unit: int = 1,
    align: int = 1,
    last: int = -1,
) -> Options:
    """As `items`, for ranges of a buffer."""
    end = np.maximum(end, start)
    room = int((end - start).sum()) // least + len(start)
    bad = np.empty(len(start), np.int64)
    row, at, size = np.empty((3, room), np.int64)
    shape = (place, mask, unit, head, least, align, last)
    n = _tlv.items(buffer.data, start.data, end.data, *shape, bad.data, row.data, at.data, size.data)
    return Options(row[:n], at[:n], size[:n], buffer[at[:n]], bad)


def records(
    h: Headers,
    start: np.ndarray,
    end: np.ndarray,
    most: np.ndarray,
    head: int,
    few: tuple[int, int, int] = (0, 1, 0),
    many: tuple[int, int] = (0, 0),
    moved: bool = False,
) -> Options:
    """At most most[i] records in h.buffer[start[i]:end[i]], of `head` bytes and what they count. Arrays (int64) may be of any length.

    few: (offset of a count of one byte, things in a unit, bytes of a unit). many: (offset of a count of two bytes, bytes of a thing).
    moved: the count of two bytes comes after the things that the other counts.
    """
    end = np.maximum(end, start)
    room = int(np.minimum(most, (end - start) // head + 1).sum())
    bad = np.empty(len(start), np.int64)
    row, at, size = np.empty((3, room), np.int64)
    lists = h.buffer.data, start.data, end.data, most.astype(np.int64).data
    n = _tlv.records(*lists, head, *few, *many, moved, bad.data, row.data, at.data, size.data)
    return Options(row[:n], at[:n], size[:n], h.buffer[at[:n]], bad)


def repeated(count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Owner of each thing and its number there: 0, 0, 1, 1, 1 and 0, 1, 0, 1, 2 for the counts 2, 3; int64."""
    owner = np.repeat(np.arange(len(count)), count)
    return owner, np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
