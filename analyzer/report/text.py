"""-T text: aligned columns for people. Widths come from the first rows, so a table of any length prints as it comes."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

import polars as pl

from ..fields import Field, flag, ipv4, ipv6, mac, raw, text, time
from ._cells import exact
from ._text import safe_column

SAMPLE = 500  # rows that decide the widths
LEFT = (text, mac, ipv4, ipv6, raw, time, flag)
LONGEST = 100  # characters of a cell; bytes and comments may be longer, `-T json` has them whole


def cells(part: pl.DataFrame, columns: Sequence[Field]) -> pl.DataFrame:
    """All cells as text: words beside their numbers, yes for what is set, nothing longer than LONGEST."""
    shown = exact(part).with_columns(safe_column(pl.col(pl.String)))
    changes = []
    for f in columns:
        column = pl.col(f.name)
        if f.words:
            named = {str(value): f"{value} {word}" for value, word in f.words.items()}
            changes.append(column.replace(named))
        elif f.kind is flag and not f.many:
            changes.append(column.replace({"true": "yes", "false": ""}))
        elif f.kind in (text, raw) or f.many:
            changes.append(
                pl.when(column.str.len_chars() > LONGEST).then(column.str.head(LONGEST - 1) + "…").otherwise(column).alias(f.name)
            )
    return shown.with_columns(changes)


def write(columns: Sequence[Field], rows: Iterable[pl.DataFrame]) -> None:
    heads = pl.DataFrame({f.name: [f.name] for f in columns})
    right = [f.kind not in LEFT and not f.words and not f.many for f in columns]
    waiting = heads
    line: pl.Expr | None = None

    def begin() -> pl.Expr:
        widths = waiting.head(SAMPLE + 1).select(pl.all().str.len_chars().max()).row(0)
        padded = [
            pl.col(f.name).str.pad_start(width) if aligned else pl.col(f.name).str.pad_end(width)
            for f, width, aligned in zip(columns, widths, right)
        ]
        made = pl.concat_str(padded, separator="  ").str.strip_chars_end(" ")
        show(waiting, made)
        return made

    def show(some: pl.DataFrame, line: pl.Expr) -> None:
        sys.stdout.write("\n".join(some.select(line).to_series().to_list()) + "\n")

    for part in rows:
        some = cells(part, columns)
        if line is not None:
            show(some, line)
            continue
        waiting = pl.concat([waiting, some])
        if len(waiting) > SAMPLE:
            line = begin()
    if line is None:
        begin()
