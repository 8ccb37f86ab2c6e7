"""-T csv: a header line, then a line a row. RFC 4180 with plain line feeds."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

import polars as pl

from ..fields import Field
from ._cells import exact
from ._text import safe_column


def write(columns: Sequence[Field], rows: Iterable[pl.DataFrame]) -> None:
    print(",".join(f.name for f in columns))
    for part in rows:
        sys.stdout.write(exact(part).with_columns(safe_column(pl.col(pl.String))).write_csv(include_header=False, quote_style="necessary"))
