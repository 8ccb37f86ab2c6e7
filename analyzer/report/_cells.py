"""Tables for other programs: times as ISO 8601 with nanoseconds, spans as decimal seconds, numbers raw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from ..fields import decimal_seconds
from ..strings import Strings, always, decimal, joined, strings
from ._text import safe_column

ISO = "%Y-%m-%dT%H:%M:%S%.9fZ"
ROWS = 4096  # rows made into text at a time, so that a wide table takes no room


def plain(rows: pl.DataFrame) -> pl.DataFrame:
    """The frame with times and spans in their printed form."""
    changes = []
    for name, dtype in rows.schema.items():
        column = pl.col(name)
        if isinstance(dtype, pl.Datetime):
            changes.append(column.dt.strftime(ISO))
        elif isinstance(dtype, pl.Duration):
            changes.append((column.dt.total_nanoseconds() / 1e9).alias(name))
    return rows.with_columns(changes)


def flat(column: pl.Series) -> pl.Series:
    """A column as text; lists with commas."""
    return (column.cast(pl.List(pl.String)).list.join(",") if isinstance(column.dtype, pl.List) else column).cast(pl.String)


def printed(column: pl.Series, change: Callable[[pl.Series], pl.Series] = lambda column: column) -> Strings:
    """The cells of a column as text: spans with nine decimals, as tshark has times; nothing as ''.

    change: done to a column of text (harmless already) before it is written.
    """
    dtype = column.dtype
    if dtype == pl.String or isinstance(dtype, pl.List):
        said = change(safe_column(flat(column))).fill_null("")
        end = np.cumsum(said.str.len_bytes().to_numpy(), dtype=np.int64)
        return Strings(np.frombuffer(said.str.join("").item().encode(), np.uint8), np.append(0, end[:-1]), end)
    holes = column.is_null().to_numpy() if column.null_count() else None
    if holes is not None:  # each call into Polars costs as much as a thousand cells: none that is not needed
        column = column if dtype.is_temporal() else column.fill_null(False if dtype == pl.Boolean else 0)
    values = column.to_numpy().view(np.int64) if dtype.is_temporal() else column.to_numpy()
    if isinstance(dtype, pl.Datetime):
        second, rest = np.divmod(values, 1_000_000_000)
        used, inverse = np.unique(second, return_inverse=True)
        days = strings(np.datetime_as_string(used.astype("M8[s]")).tolist()).take(inverse)
        fraction = decimal_seconds(rest)
        made = joined([days, replace(fraction, start=fraction.start + 1), always("Z", len(values))])
    elif isinstance(dtype, pl.Duration):
        made = decimal_seconds(values)
    elif dtype == pl.Boolean:
        made = strings(["false", "true"]).take(values.astype(np.int64))
    else:
        made = decimal(values)
    return made if holes is None else replace(made, start=np.where(holes, made.end, made.start))


def lines(columns: Sequence[Strings], between: str) -> Strings:
    """The rows, a line each."""
    n = len(columns[0])
    gap = always(between, n)
    parts = [part for column in columns for part in (gap, column)]
    return joined([*parts[1:], always("\n", n)])
