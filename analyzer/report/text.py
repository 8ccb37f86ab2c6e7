"""-T text: aligned columns for people. Widths come from the first rows, so a table of any length prints as it comes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl

from ..fields import Field, flag, ipv4, ipv6, mac, raw, text, time
from ..strings import Strings, concat_str, constant, overlay, strings
from ._cells import ROWS, printed
from ._text import show

SAMPLE = 500  # rows that decide the widths
LEFT = (text, mac, ipv4, ipv6, raw, time, flag)
LONGEST = 100  # characters of a cell; bytes and comments may be longer, `-T json` has them whole


def _shortened(printed: Strings) -> Strings:
    long = printed.widths() > LONGEST
    if not long.any():
        return printed
    starts = np.flatnonzero((printed.data & 0xC0) != 0x80)  # of characters
    end = printed.end.copy()
    end[long] = starts[np.searchsorted(starts, printed.start[long]) + LONGEST - 1]
    return concat_str([Strings(printed.data, printed.start, end), constant("…", long)])


def _cells(rows: pl.DataFrame, columns: Sequence[Field]) -> list[Strings]:
    """The columns as text: words beside their numbers, yes for what is set, nothing longer than LONGEST."""
    named = [
        pl.col(f.name).cast(pl.String).replace({str(value): f"{value} {word}" for value, word in f.value_names.items()})
        for f in columns
        if f.value_names
    ]
    return printed(rows.select(f.name for f in columns).with_columns(named), _shortened, ("", "yes"))


def write(columns: Sequence[Field], rows: Iterable[pl.DataFrame]) -> None:
    right = [f.kind not in LEFT and not f.value_names and not f.many for f in columns]
    widths: list[int] = []
    waiting: list[pl.DataFrame] = []

    def line(cells: Sequence[Strings]) -> None:
        begin = np.zeros(len(cells[0]), np.int64)  # of the next cell, bytes into the line
        end = begin  # of the last cell that is not empty
        places = []
        for column, width, aligned in zip(cells, widths, right):
            size, wide = column.end - column.start, column.widths()
            rest = np.maximum(width - wide, 0)
            places.append(np.where(size > 0, begin + rest if aligned else begin, 0))
            end = np.maximum(end, places[-1] + size)
            begin = begin + size + rest + 2
        show(overlay([*zip(cells, places), (constant("\n", len(end)), end)], end + 1))

    def body(part: pl.DataFrame) -> None:
        for some in part.iter_slices(ROWS):
            line(_cells(some, columns))

    def begin() -> None:
        shown = _cells(pl.concat(waiting).head(SAMPLE), columns) if waiting else [constant("", 1)] * len(columns)
        widths.extend(max(len(f.name), int(cells.widths().max())) for f, cells in zip(columns, shown))
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
