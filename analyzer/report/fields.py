"""-T fields: a line a row, tab between cells, nothing else."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

import polars as pl

from ..fields import Field
from ._cells import exact
from ._text import safe_column


def write(columns: Sequence[Field], rows: Iterable[pl.DataFrame]) -> None:
    for part in rows:
        cells = exact(part).with_columns(safe_column(pl.col(pl.String)))
        sys.stdout.writelines("\t".join(row) + "\n" for row in cells.iter_rows())
