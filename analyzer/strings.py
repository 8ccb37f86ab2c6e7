"""Columns of text: stretches of one buffer of bytes, so that a million texts are made, picked and joined without a million objects."""

from __future__ import annotations

from binascii import hexlify
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from . import _strings

DIGITS = {1: 3, 2: 5, 4: 10, 8: 20}  # bytes of an integer → the most decimal digits that it has
HEX = np.frombuffer(bytes(range(256)).hex().encode(), "V2")  # byte → its two hexadecimal digits


@dataclass(frozen=True)
class Strings:
    """Texts, in UTF-8. data: uint8. start, end: int64 (n,), text i is data[start[i]:end[i]]; stretches may overlap."""

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

    def there(self) -> np.ndarray:
        """Which texts are not empty, bool (n,)."""
        return self.end > self.start

    def wide(self) -> np.ndarray:
        """How many characters each text has, int64 (n,)."""
        wide = self.end - self.start
        if len(self.data) and self.data.max() > 0x7F:
            more = np.cumsum(np.append(0, (self.data & 0xC0) == 0x80))  # bytes that go on with a character
            wide -= more[self.end] - more[self.start]
        return wide

    def fill(self, width: int) -> Strings:
        """The blanks that each text lacks to be `width` characters wide."""
        return Strings(np.full(width, 0x20, np.uint8), np.zeros(len(self), np.int64), np.maximum(width - self.wide(), 0))

    def tolist(self) -> list[str]:
        whole = self.data.tobytes()
        bounds = zip(self.start.tolist(), self.end.tolist())
        if whole.isascii():
            said = whole.decode("ascii")
            return [said[a:b] for a, b in bounds]
        return [whole[a:b].decode() for a, b in bounds]


def strings(said: Sequence[str]) -> Strings:
    """A column of these texts."""
    whole = "".join(said)
    if whole.isascii():
        data = whole.encode("ascii")
        end = np.cumsum(np.fromiter(map(len, said), np.int64, len(said)))
    else:
        many = [one.encode(errors="backslashreplace") for one in said]  # names of files may hold what no UTF-8 has
        data = b"".join(many)
        end = np.cumsum(np.fromiter(map(len, many), np.int64, len(many)))
    return Strings(np.frombuffer(data, np.uint8), np.append(0, end[:-1])[: len(end)], end)


def always(said: str, where: int | np.ndarray) -> Strings:
    """The same text in every row. where: how many rows, or a mask (bool) of the rows that have it; the others are empty."""
    data = np.frombuffer(said.encode(errors="backslashreplace"), np.uint8)
    if isinstance(where, np.ndarray):
        return Strings(data, np.zeros(len(where), np.int64), where * len(data))
    return Strings(data, np.zeros(where, np.int64), np.full(where, len(data)))


def stacked(many: Sequence[Strings]) -> Strings:
    """The rows of all, one column after the other."""
    if len(many) == 1:
        return many[0]
    base = np.cumsum([0, *(len(one.data) for one in many)])
    none = np.zeros(0, np.int64)
    start = np.concatenate([none, *(one.start + at for one, at in zip(many, base))])
    end = np.concatenate([none, *(one.end + at for one, at in zip(many, base))])
    return Strings(np.concatenate([np.zeros(0, np.uint8), *(one.data for one in many)]), start, end)


Parts = list[tuple[np.ndarray, Strings]]  # rows (int64) and the texts that belong there


def placed(size: int, parts: Parts) -> Strings:
    """A column of `size` rows. Of several texts for a row the last counts; none is ''."""
    found = stacked([texts for _, texts in parts])
    rows = np.concatenate([np.zeros(0, np.int64), *(rows for rows, _ in parts)])
    if len(rows) == size and (rows == np.arange(size)).all():
        return found
    start, end = np.zeros(size, np.int64), np.zeros(size, np.int64)
    start[rows], end[rows] = found.start, found.end
    return Strings(found.data, start, end)


def joined(parts: Sequence[Strings]) -> Strings:
    """Row by row, the texts of all parts one behind the other. The rows of the result follow each other in `data` without a gap."""
    size = sum((part.end - part.start for part in parts), np.zeros(len(parts[0]), np.int64))
    end = np.cumsum(size)
    start = end - size
    data = np.empty(int(end[-1]) if len(end) else 0, np.uint8)
    at = start.copy()
    for part in parts:
        if len(part.data):
            _strings.append(part.data.data, part.start.data, part.end.data, data.data, at.data)
    return Strings(data, start, end)


def laid(columns: Sequence[tuple[Strings, np.ndarray]], size: np.ndarray) -> Strings:
    """Rows of blanks of these sizes (int64, bytes), one behind the other, into which texts are written, each at its place in its row
    (int64, bytes). Raises IndexError for what lies outside of all rows."""
    end = np.cumsum(size)
    start = end - size
    data = np.full(int(size.sum()), 0x20, np.uint8)
    for column, place in columns:
        if len(column.data):
            _strings.append(column.data.data, column.start.data, column.end.data, data.data, (start + place).data)
    return Strings(data, start, end)


def decimal(values: np.ndarray, point: int = 0, drop: int = 0, width: int = 0) -> Strings:
    """Integers as decimal numbers, with blanks on the left up to `width`.

    point: digits behind the decimal point. drop: last digits left out.
    """
    size = max(DIGITS[values.dtype.itemsize], point + 1) + 2  # a point and a minus
    size = max(size, width)
    whole = np.abs(values) if values.dtype.kind == "i" else values
    whole = whole.astype(np.uint64)  # the least integer's absolute value too
    if drop:
        whole //= np.uint64(10**drop)
    cells, start, end = _cells(len(values), size)
    _strings.decimal(whole.data, point, cells.data, start.data)
    if values.dtype.kind == "i" and (less := np.flatnonzero(values < 0)).size:
        start[less] -= 1
        cells[start[less]] = ord("-")
    return Strings(cells, np.minimum(start, end - width) if width else start, end)


def dotted(values: np.ndarray) -> Strings:
    """32 bits as IPv4 addresses are written."""
    cells, start, end = _cells(len(values), len("255.255.255.255"))
    _strings.dotted(values.astype(np.uint64).data, cells.data, start.data)
    return Strings(cells, start, end)


def hexadecimal(values: np.ndarray, digits: int, before: str = "0x", between: str = "") -> Strings:
    """Unsigned integers as that many hexadecimal digits, an even number. between: what stands between two bytes."""
    count = digits // 2
    some = values.astype(">u8").view(np.uint8).reshape(-1, 8)[:, 8 - count :]
    cell = np.frombuffer((before + between.join(["00"] * count)).encode(), np.uint8)
    cells = np.empty((len(values), len(cell)), np.uint8)
    cells[:] = cell
    for nth in range(count):
        at = len(before) + nth * (2 + len(between))
        cells[:, at : at + 2] = HEX[some[:, nth]].view(np.uint8).reshape(-1, 2)
    end = np.arange(1, len(values) + 1) * len(cell)
    return Strings(cells.reshape(-1), end - len(cell), end)


def hexed(data: np.ndarray, start: np.ndarray, end: np.ndarray) -> Strings:
    """Stretches of bytes (uint8; int64) as hexadecimal digits, two a byte."""
    packed = joined([Strings(data, start, np.maximum(start, end))])
    return Strings(np.frombuffer(hexlify(packed.data.data), np.uint8), 2 * packed.start, 2 * packed.end)


def _cells(count: int, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Blank cells to write into from their ends: data, room for where the texts start, where the cells end."""
    return np.full(count * size, 0x20, np.uint8), np.empty(count, np.int64), np.arange(1, count + 1) * size
