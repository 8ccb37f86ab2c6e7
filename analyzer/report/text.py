"""-T text: aligned columns for people. Widths come from the first rows, so a table of any length prints as it comes."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence

import polars as pl

from ..fields import Field, flag, ipv4, ipv6, mac, raw, text, time
from ._text import safe

SAMPLE = 500  # rows that decide the widths
LEFT = (text, mac, ipv4, ipv6, raw, time, flag)
LONGEST = 100  # characters of a cell; bytes and comments may be longer, `-T json` has them whole


def cells(part: pl.DataFrame, columns: Sequence[Field]) -> Iterator[list[str]]:
    """Rows as text: words beside their numbers, yes and no, spans in seconds."""
    from ._cells import exact

    words = [f.words or {} for f in columns]
    flags = [f.kind is flag for f in columns]
    for row in exact(part).iter_rows():
        said = []
        for value, known, yes in zip(row, words, flags):
            if known and value.isdigit() and int(value) in known:
                value = f"{value} {known[int(value)]}"
            elif yes:
                value = {"true": "yes", "false": ""}.get(value, value)
            value = safe(value)
            said.append(value if len(value) <= LONGEST else f"{value[: LONGEST - 1]}…")
        yield said


def write(columns: Sequence[Field], rows: Iterable[pl.DataFrame]) -> None:
    waiting: list[list[str]] = []
    widths: list[int] | None = None
    right = [f.kind not in LEFT and not f.words and not f.many for f in columns]

    def show(row: list[str]) -> None:
        assert widths
        padded = [cell.rjust(w) if r else cell.ljust(w) for cell, w, r in zip(row, widths, right)]
        sys.stdout.write("  ".join(padded).rstrip() + "\n")

    def begin() -> list[int]:
        return [max(map(len, column)) for column in zip([f.name for f in columns], *waiting)]

    for part in rows:
        for row in cells(part, columns):
            if widths is not None:
                show(row)
                continue
            waiting.append(row)
            if len(waiting) == SAMPLE:
                widths = begin()
                show([f.name for f in columns])
                for one in waiting:
                    show(one)
    if widths is None:
        widths = begin()
        show([f.name for f in columns])
        for one in waiting:
            show(one)
