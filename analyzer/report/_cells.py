"""Tables for other programs: times as ISO 8601 with nanoseconds, spans as decimal seconds, numbers raw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from ..fields import decimal_seconds
from ..strings import Strings, concat_str, constant, decimal, strings
from ._text import harmless, safe_column

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


def printed(
    rows: pl.DataFrame, change: Callable[[Strings], Strings] = lambda printed: printed, flags: tuple[str, str] = ("false", "true")
) -> list[Strings]:
    """The cells of each column as text: spans with nine decimals, as tshark has times; lists with commas; nothing as ''.

    change: done to columns of text (harmless already, their data without gaps). flags: what stands for no and yes.
    """
    printed = _texts(rows)
    # Each call into Polars costs as much as a thousand cells: one for all columns, and none that is not needed.
    lacking = [column.name for column in rows if column.name not in printed and column.null_count()]
    holes = rows.select(pl.col(lacking).is_null())
    full = rows.with_columns(pl.col(lacking).to_physical().fill_null(strategy="zero"))
    made = []
    for name, dtype in rows.schema.items():
        if name in printed:
            made.append(change(printed[name]))
            continue
        cells = _numbers(full[name].to_numpy(), dtype, flags)
        made.append(replace(cells, start=np.where(holes[name].to_numpy(), cells.end, cells.start)) if name in holes.columns else cells)
    return made


def _texts(rows: pl.DataFrame) -> dict[str, Strings]:
    """The columns of text and of lists."""
    wanted = []
    for name, dtype in rows.schema.items():
        column = pl.col(name)
        if isinstance(dtype, pl.List):
            wanted.append(column.cast(pl.List(pl.String)).list.join(",").fill_null(""))
        elif dtype == pl.String:
            wanted.append(column.fill_null(""))
    flat = rows.select(wanted)
    found = _stretches(flat)
    odd = [name for name, printed in found.items() if not harmless(printed.data)]
    return found | (_stretches(flat.select(safe_column(flat[name]) for name in odd)) if odd else {})


def _stretches(flat: pl.DataFrame) -> dict[str, Strings]:
    """Columns of text without nulls."""
    found = {}
    size, whole = flat.select(pl.all().str.len_bytes()), flat.select(pl.all().str.join(""))
    for name in flat.columns:
        end = np.cumsum(size[name].to_numpy(), dtype=np.int64)
        found[name] = Strings(np.frombuffer(whole[name].item().encode(), np.uint8), np.append(0, end)[: len(end)], end)
    return found


def _numbers(values: np.ndarray, dtype: pl.DataType, flags: tuple[str, str]) -> Strings:
    """A column that is no text, without nulls."""
    if isinstance(dtype, pl.Datetime):
        second, rest = np.divmod(values.view(np.int64), 1_000_000_000)
        used, inverse = np.unique(second, return_inverse=True)
        days = strings(np.datetime_as_string(used.astype("M8[s]")).tolist()).take(inverse)
        fraction = decimal_seconds(rest)
        return concat_str([days, replace(fraction, start=fraction.start + 1), constant("Z", len(values))])
    if isinstance(dtype, pl.Duration):
        return decimal_seconds(values.view(np.int64))
    if dtype == pl.Boolean:
        return strings(flags).take(values.astype(np.int64))
    return decimal(values)


def lines(columns: Sequence[Strings], between: str) -> Strings:
    """The rows, a line each."""
    n = len(columns[0])
    gap = constant(between, n)
    parts = [part for column in columns for part in (gap, column)]
    return concat_str([*parts[1:], constant("\n", n)])
