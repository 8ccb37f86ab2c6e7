"""Tables for other programs: times as ISO 8601 with nanoseconds, spans as decimal seconds, numbers raw."""

from __future__ import annotations

import polars as pl

ISO = "%Y-%m-%dT%H:%M:%S%.9fZ"


def plain(rows: pl.DataFrame, joined: bool) -> pl.DataFrame:
    """The frame with times and spans in their printed form. joined: lists as text, with commas (for forms that have no lists)."""
    changes = []
    for name, dtype in rows.schema.items():
        column = pl.col(name)
        if isinstance(dtype, pl.Datetime):
            changes.append(column.dt.strftime(ISO))
        elif isinstance(dtype, pl.Duration):
            changes.append((column.dt.total_nanoseconds() / 1e9).alias(name))
        elif joined and isinstance(dtype, pl.List):
            changes.append(column.cast(pl.List(pl.String)).list.join(","))
    return rows.with_columns(changes)


def exact(rows: pl.DataFrame) -> pl.DataFrame:
    """As `plain`, with all cells as text: spans with nine decimals, as tshark has times; nothing as ''."""
    changes = []
    for name, dtype in rows.schema.items():
        column = pl.col(name)
        if isinstance(dtype, pl.Datetime):
            made = column.dt.strftime(ISO)
        elif isinstance(dtype, pl.Duration):
            ns = column.dt.total_nanoseconds()
            sign = pl.when(ns < 0).then(pl.lit("-")).otherwise(pl.lit(""))
            made = sign + (ns.abs() // 10**9).cast(pl.String) + "." + (ns.abs() % 10**9).cast(pl.String).str.zfill(9)
        elif isinstance(dtype, pl.List):
            made = column.cast(pl.List(pl.String)).list.join(",")
        else:
            made = column.cast(pl.String)
        changes.append(made.fill_null("").alias(name))
    return rows.with_columns(changes)
