"""Columns of text: slices of one UTF-8 buffer, so that a million texts are made, gathered and concatenated without a million objects."""

from __future__ import annotations

import binascii
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from . import _strings

DIGITS = {1: 3, 2: 5, 4: 10, 8: 20}  # bytes of an integer → its most decimal digits
HEX = np.frombuffer(bytes(range(256)).hex().encode(), "V2")  # byte → its two hexadecimal digits


@dataclass(frozen=True)
class Strings:
    """n texts in UTF-8. data: uint8. start, end: int64 (n,); text i is data[start[i]:end[i]]. The slices may overlap."""

    data: np.ndarray
    start: np.ndarray
    end: np.ndarray

    def __len__(self) -> int:
        return len(self.start)

    def __getitem__(self, row: int) -> str:
        return self.data[self.start[row] : self.end[row]].tobytes().decode()

    def take(self, rows: np.ndarray) -> Strings:
        """The texts at these rows (indices or mask)."""
        return Strings(self.data, self.start[rows], self.end[rows])

    def nonempty(self) -> np.ndarray:
        """Which texts are not empty, bool (n,)."""
        return self.end > self.start

    def widths(self) -> np.ndarray:
        """Number of characters of each text, int64 (n,)."""
        widths = self.end - self.start
        if len(self.data) and self.data.max() > 0x7F:
            continuation = np.cumsum(np.append(0, (self.data & 0xC0) == 0x80))  # RFC 3629 §3
            widths -= continuation[self.end] - continuation[self.start]
        return widths

    def padding(self, width: int) -> Strings:
        """The blanks that each text lacks to be `width` characters wide."""
        return Strings(np.full(width, 0x20, np.uint8), np.zeros(len(self), np.int64), np.maximum(width - self.widths(), 0))

    def tolist(self) -> list[str]:
        whole = self.data.tobytes()
        bounds = zip(self.start.tolist(), self.end.tolist())
        if whole.isascii():
            text = whole.decode("ascii")
            return [text[a:b] for a, b in bounds]
        return [whole[a:b].decode() for a, b in bounds]


def strings(texts: Sequence[str]) -> Strings:
    """A column of these texts; lone surrogates, as names of files may have, become escapes."""
    whole = "".join(texts)
    if whole.isascii():
        data = whole.encode("ascii")
        end = np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)))
    else:
        encoded = [text.encode(errors="backslashreplace") for text in texts]
        data = b"".join(encoded)
        end = np.cumsum(np.fromiter(map(len, encoded), np.int64, len(encoded)))
    return Strings(np.frombuffer(data, np.uint8), np.append(0, end[:-1])[: len(end)], end)


def constant(text: str, where: int | np.ndarray) -> Strings:
    """The same text in every row. where: the number of rows, or a mask (bool) of the rows that have it; the others are empty."""
    data = np.frombuffer(text.encode(errors="backslashreplace"), np.uint8)
    if isinstance(where, np.ndarray):
        return Strings(data, np.zeros(len(where), np.int64), where * len(data))
    return Strings(data, np.zeros(where, np.int64), np.full(where, len(data)))


def concat(columns: Sequence[Strings]) -> Strings:
    """Vertically: the rows of all columns."""
    if len(columns) == 1:
        return columns[0]
    base = np.cumsum([0, *(len(column.data) for column in columns)])
    none = np.zeros(0, np.int64)
    start = np.concatenate([none, *(column.start + at for column, at in zip(columns, base))])
    end = np.concatenate([none, *(column.end + at for column, at in zip(columns, base))])
    return Strings(np.concatenate([np.zeros(0, np.uint8), *(column.data for column in columns)]), start, end)


RowTexts = list[tuple[np.ndarray, Strings]]  # row indices (int64) and their texts


def scatter(size: int, parts: RowTexts) -> Strings:
    """A column of `size` rows. Of several texts for a row the last counts; a row without text is empty."""
    column = concat([texts for _, texts in parts])
    rows = np.concatenate([np.zeros(0, np.int64), *(rows for rows, _ in parts)])
    if len(rows) == size and (rows == np.arange(size)).all():
        return column
    start, end = np.zeros(size, np.int64), np.zeros(size, np.int64)
    start[rows], end[rows] = column.start, column.end
    return Strings(column.data, start, end)


def concat_str(columns: Sequence[Strings]) -> Strings:
    """Horizontally: row i is the concatenation of row i of all columns. The rows of the result are contiguous in `data`."""
    size = sum((column.end - column.start for column in columns), np.zeros(len(columns[0]), np.int64))
    end = np.cumsum(size)
    start = end - size
    data = np.empty(int(end[-1]) if len(end) else 0, np.uint8)
    at = start.copy()
    for column in columns:
        if len(column.data):
            _strings.append(column.data.data, column.start.data, column.end.data, data.data, at.data)
    return Strings(data, start, end)


def overlay(columns: Sequence[tuple[Strings, np.ndarray]], size: np.ndarray) -> Strings:
    """Rows of blanks with texts written over them. size: int64, bytes of each row. columns: texts and their offsets (int64, bytes)
    in their rows. Raises IndexError for a text outside of the buffer."""
    end = np.cumsum(size)
    start = end - size
    data = np.full(int(size.sum()), 0x20, np.uint8)
    for column, offset in columns:
        if len(column.data):
            _strings.append(column.data.data, column.start.data, column.end.data, data.data, (start + offset).data)
    return Strings(data, start, end)


def decimal(values: np.ndarray, point: int = 0, drop: int = 0, width: int = 0) -> Strings:
    """Integers as decimal numbers, right-aligned in `width`. point: digits after the decimal point. drop: last digits left out."""
    size = max(DIGITS[values.dtype.itemsize], point + 1) + 2  # a point and a minus
    size = max(size, width)
    absolute = np.abs(values) if values.dtype.kind == "i" else values
    absolute = absolute.astype(np.uint64)  # that of the least integer has no signed type
    if drop:
        absolute //= np.uint64(10**drop)
    cells, start, end = _cells(len(values), size)
    _strings.decimal(absolute.data, point, cells.data, start.data)
    if values.dtype.kind == "i" and (negative := np.flatnonzero(values < 0)).size:
        start[negative] -= 1
        cells[start[negative]] = ord("-")
    return Strings(cells, np.minimum(start, end - width) if width else start, end)


def dotted(values: np.ndarray) -> Strings:
    """Unsigned integers of 32 bits as IPv4 addresses."""
    cells, start, end = _cells(len(values), len("255.255.255.255"))
    _strings.dotted(values.astype(np.uint64).data, cells.data, start.data)
    return Strings(cells, start, end)


def hexadecimal(values: np.ndarray, digits: int, before: str = "0x", between: str = "") -> Strings:
    """Unsigned integers as `digits` hexadecimal digits, an even number. before: the prefix. between: the separator of two bytes."""
    count = digits // 2
    octets = values.astype(">u8").view(np.uint8).reshape(-1, 8)[:, 8 - count :]
    cell = np.frombuffer((before + between.join(["00"] * count)).encode(), np.uint8)
    cells = np.empty((len(values), len(cell)), np.uint8)
    cells[:] = cell
    for nth in range(count):
        at = len(before) + nth * (2 + len(between))
        cells[:, at : at + 2] = HEX[octets[:, nth]].view(np.uint8).reshape(-1, 2)
    end = np.arange(1, len(values) + 1) * len(cell)
    return Strings(cells.reshape(-1), end - len(cell), end)


def hexlify(data: np.ndarray, start: np.ndarray, end: np.ndarray) -> Strings:
    """The bytes data[start[i]:end[i]] (uint8; int64) as hexadecimal digits, two a byte; none where end is before start."""
    packed = concat_str([Strings(data, start, np.maximum(start, end))])
    return Strings(np.frombuffer(binascii.hexlify(packed.data.data), np.uint8), 2 * packed.start, 2 * packed.end)


def _cells(count: int, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`count` blank cells of `size` bytes, to be written from their ends: data, starts of the texts (not set), ends of the cells."""
    return np.full(count * size, 0x20, np.uint8), np.empty(count, np.int64), np.arange(1, count + 1) * size
