"""-T text: aligned columns for people. Widths come from the first rows, so a table of any length prints as it comes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import polars as pl

from ..fields import Field, flag, ipv4, ipv6, mac, raw, text, time
from ..strings import Strings, always, joined, strings
from ._cells import ROWS, flat, printed
from ._text import show

SAMPLE = 500  # rows that decide the widths
LEFT = (text, mac, ipv4, ipv6, raw, time, flag)
LONGEST = 100  # characters of a cell; bytes and comments may be longer, `-T json` has them whole


def _shortened(column: pl.Series) -> pl.Series:
    long = column.str.len_chars() > LONGEST
    return (column.str.head(LONGEST - 1) + "…").zip_with(long.fill_null(False), column) if long.any() else column


def _cells(column: pl.Series, f: Field) -> Strings:
    """A column as text: words beside their numbers, yes for what is set, nothing longer than LONGEST."""
    if f.words:
        return printed(flat(column).replace({str(value): f"{value} {word}" for value, word in f.words.items()}))
    if f.kind is flag and not f.many:
        return always("yes", column.fill_null(False).to_numpy())
    return printed(column, _shortened if f.kind in (text, raw) or f.many else lambda column: column)


def _stripped(lines: Strings) -> Strings:
    """Without the blanks at the ends, which a line of empty cells has many of."""
    end = lines.end.copy()
    while (blank := (end > lines.start) & (lines.data[end - 1] == 0x20)).any():
        end -= blank
    return Strings(lines.data, lines.start, end)


def write(columns: Sequence[Field], rows: Iterable[pl.DataFrame]) -> None:
    right = [f.kind not in LEFT and not f.words and not f.many for f in columns]
    widths: list[int] = []
    waiting: list[pl.DataFrame] = []

    def line(cells: Sequence[Strings]) -> None:
        gap = always("  ", len(cells[0]))
        parts: list[Strings] = []
        for column, width, aligned in zip(cells, widths, right):
            blank = column.fill(width)
            parts += (blank, column, gap) if aligned else (column, blank, gap)
        show(joined([_stripped(joined(parts)), always("\n", len(cells[0]))]))

    def body(part: pl.DataFrame) -> None:
        for some in part.iter_slices(ROWS):
            line([_cells(some[f.name], f) for f in columns])

    def begin() -> None:
        first = pl.concat(waiting).head(SAMPLE) if waiting else None
        for f in columns:
            shown = 0 if first is None else int(_cells(first[f.name], f).wide().max())
            widths.append(max(len(f.name), shown))
        line([strings([f.name]) for f in columns])
        for part in waiting:
            body(part)

    for part in rows:
        if widths:
            body(part)
            continue
        waiting.append(part)
        if sum(map(len, waiting)) >= SAMPLE:
            begin()
    if not widths:
        begin()
