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


def cells(part: pl.DataFrame, columns: Sequence[Field]) -> list[tuple[str, ...]]:
    """Rows as text: words beside their numbers, yes for what is set, nothing longer than LONGEST."""
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
    return shown.with_columns(changes).rows()


def write(columns: Sequence[Field], rows: Iterable[pl.DataFrame]) -> None:
    heads = tuple(f.name for f in columns)
    right = [f.kind not in LEFT and not f.words and not f.many for f in columns]
    waiting: list[tuple[str, ...]] = []
    pattern = ""

    def begin() -> str:
        widths = [max(map(len, column)) for column in zip(heads, *waiting)]
        made = "  ".join(f"%{w}s" if r else f"%-{w}s" for w, r in zip(widths, right))
        sys.stdout.writelines((made % row).rstrip() + "\n" for row in (heads, *waiting))
        return made

    for part in rows:
        some = cells(part, columns)
        if not pattern:
            room = SAMPLE - len(waiting)
            waiting += some[:room]
            some = some[room:]
            if len(waiting) < SAMPLE:
                continue
            pattern = begin()
        sys.stdout.writelines((pattern % row).rstrip() + "\n" for row in some)
    if not pattern:
        begin()
