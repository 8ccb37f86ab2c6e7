"""-T csv: a header line, then a line a row. RFC 4180 with plain line feeds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import polars as pl

from ..fields import Field
from ..strings import always
from ._cells import ROWS, lines, printed
from ._text import show


def _quoted(column: pl.Series) -> pl.Series:
    """Quotes around what needs them. RFC 4180 §2."""
    odd = column.str.contains('[",]')
    return ('"' + column.str.replace_all('"', '""') + '"').zip_with(odd.fill_null(False), column) if odd.any() else column


def write(columns: Sequence[Field], rows: Iterable[pl.DataFrame]) -> None:
    print(",".join(f.name for f in columns))
    for part in rows:
        for some in part.iter_slices(ROWS):
            cells = [printed(column, _quoted) for column in some]
            if len(cells) == 1:  # most readers take a line with nothing on it for no row
                cells.append(always('""', ~cells[0].there()))
            show(lines(cells, "," if some.width > 1 else ""))
