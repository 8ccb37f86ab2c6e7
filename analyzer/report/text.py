"""-T text: aligned columns for people. Widths come from the first rows, so a table of any length prints as it comes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl

from ..fields import Field, flag, ipv4, ipv6, mac, raw, text, time
from ..strings import Strings, always, joined, strings
from ._cells import ROWS, printed
from ._text import show

SAMPLE = 500  # rows that decide the widths
LEFT = (text, mac, ipv4, ipv6, raw, time, flag)
LONGEST = 100  # characters of a cell; bytes and comments may be longer, `-T json` has them whole


def _shortened(said: Strings) -> Strings:
    long = said.wide() > LONGEST
    if not long.any():
        return said
    begins = np.flatnonzero((said.data & 0xC0) != 0x80)  # of characters
    end = said.end.copy()
    end[long] = begins[np.searchsorted(begins, said.start[long]) + LONGEST - 1]
    return joined([Strings(said.data, said.start, end), always("…", long)])


def _cells(rows: pl.DataFrame, columns: Sequence[Field]) -> list[Strings]:
    """The columns as text: words beside their numbers, yes for what is set, nothing longer than LONGEST."""
    named = [
        pl.col(f.name).cast(pl.String).replace({str(value): f"{value} {word}" for value, word in f.words.items()})
        for f in columns
        if f.words
    ]
    return printed(rows.select(f.name for f in columns).with_columns(named), _shortened, ("", "yes"))


def write(columns: Sequence[Field], rows: Iterable[pl.DataFrame]) -> None:
    right = [f.kind not in LEFT and not f.words and not f.many for f in columns]
    widths: list[int] = []
    waiting: list[pl.DataFrame] = []

    def line(cells: Sequence[Strings]) -> None:
        n = len(cells[0])
        blank = np.full(sum(widths) + 2 * len(widths), 0x20, np.uint8)
        due, none = np.zeros(n, np.int64), np.zeros(n, np.int64)  # blanks before the next cell that is not empty
        parts: list[Strings] = []
        for column, width, aligned in zip(cells, widths, right):
            rest = np.maximum(width - column.wide(), 0)
            there = column.there()
            parts += Strings(blank, none, np.where(there, due + rest if aligned else due, 0)), column
            due = np.where(there, 2 if aligned else rest + 2, due + rest + 2)
        show(joined([*parts, always("\n", n)]))

    def body(part: pl.DataFrame) -> None:
        for some in part.iter_slices(ROWS):
            line(_cells(some, columns))

    def begin() -> None:
        shown = _cells(pl.concat(waiting).head(SAMPLE), columns) if waiting else [always("", 1)] * len(columns)
        widths.extend(max(len(f.name), int(cells.wide().max())) for f, cells in zip(columns, shown))
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
