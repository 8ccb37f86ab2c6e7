"""Lists of options or objects of many headers at once: the walks of `_walk.py`, with arrays in and out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..fields import Headers
from . import _walk


class Options(NamedTuple):
    """Every option of some headers, in order. row: header (index) it belongs to; at: where it begins in the buffer; size: its
    whole length in bytes, 0 if it does not fit its list; all int64, shape (n,). kind: its first byte, uint8 (n,).
    bad: for each header, where the option stands that does not fit, or -1; shape (headers,)."""

    row: np.ndarray
    at: np.ndarray
    size: np.ndarray
    kind: np.ndarray
    bad: np.ndarray

    def of(self, kind: int, least: int, most: int = 255) -> np.ndarray:
        """Indices of the options of that kind whose whole length is within these bounds."""
        found = np.flatnonzero(self.kind == kind)
        size = self.size[found]
        return found[(size >= least) & (size <= most)]


def walk(
    h: Headers, start: np.ndarray, end: np.ndarray, single: tuple[int, ...] = (), last: tuple[int, ...] = (), unit: int = 1, head: int = 0
) -> Options:
    """The options in h.buffer[start[i]:end[i]] of each header i.

    single: kinds that are one byte alone. last: kinds that end the list. The length byte counts `unit` bytes, plus `head`.
    """
    end = np.maximum(np.minimum(end, h.end), start)
    room = int((end - start).sum())
    bad = np.empty(len(h), np.int64)
    row, at, size = np.empty((3, room), np.int64)
    alone, final = (sum(1 << kind for kind in kinds) for kinds in (single, last))
    n = _walk.options(h.buffer.data, start.data, end.data, alone, final, unit, head, bad.data, row.data, at.data, size.data)
    return Options(row[:n], at[:n], size[:n], h.buffer[at[:n]], bad)


def items(h: Headers, start: np.ndarray, end: np.ndarray, head: int, least: int, place: int = 0) -> Options:
    """The items in h.buffer[start[i]:end[i]] of each header i whose lengths are words of 16 bits, `place` bytes into them.

    head: bytes that the length does not count. least: bytes of the shortest item.
    """
    end = np.maximum(np.minimum(end, h.end), start)
    room = int((end - start).sum()) // least + len(h)
    bad = np.empty(len(h), np.int64)
    row, at, size = np.empty((3, room), np.int64)
    n = _walk.items(h.buffer.data, start.data, end.data, place, head, least, bad.data, row.data, at.data, size.data)
    return Options(row[:n], at[:n], size[:n], h.buffer[at[:n]], bad)
