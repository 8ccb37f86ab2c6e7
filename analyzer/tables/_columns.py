"""NumPy columns → Polars series: the documented types, addresses as text, null for absent values."""

from __future__ import annotations

import numpy as np
import polars as pl

from ..fields import Column, Field, Kind, date, flag, ipv4, ipv6, mac, milliseconds, raw, seconds, text, texts, time

TIME, SPAN = pl.Datetime("ns", "UTC"), pl.Duration("ns")


def dtype_of(f: Field) -> pl.DataType | type[pl.DataType]:
    """The documented Polars type of a field."""
    scalar = _scalar(f.kind, f.scale)
    return pl.List(scalar) if f.many else scalar


def _scalar(kind: Kind, scale: int) -> pl.DataType | type[pl.DataType]:
    if kind is time or kind is date:
        return TIME
    if kind is seconds or kind is milliseconds:
        return SPAN
    if kind is flag:
        return pl.Boolean
    if kind in (mac, ipv4, ipv6, raw, text):
        return pl.String
    size = np.dtype(kind.dtype).itemsize * (2 if scale != 1 else 1)
    return {1: pl.UInt8, 2: pl.UInt16, 4: pl.UInt32, 8: pl.Int64}[min(size, 8)]


def _dense(f: Field, values: np.ndarray, buffer: np.ndarray | None) -> pl.Series:
    """The series of the values, without nulls."""
    scalar = _scalar(f.kind, f.scale)
    if f.kind is text and "".join(strings := values.tolist()).isascii():
        return pl.Series(strings, dtype=pl.String)
    if scalar == pl.String:
        if f.kind in (mac, ipv4) and len(values) > 64:
            used, inverse = np.unique(values, return_inverse=True)
            return pl.Series(texts(f, used).tolist(), dtype=pl.String).gather(inverse)
        return pl.Series(texts(f, values, buffer).tolist(), dtype=pl.String)
    numbers = pl.Series(np.ascontiguousarray(values.astype(np.int64) if values.dtype.kind in "ui" else values))
    return numbers.cast(pl.Int64).cast(scalar) if scalar in (TIME, SPAN) else numbers.cast(scalar)


def series(f: Field, column: Column, size: int, buffer: np.ndarray | None = None) -> pl.Series:
    """The series of a field, `size` rows; null (or an empty list) where there is no value. buffer: uint8, for values that are slices."""
    values, rows = column
    if f.many:
        at = np.arange(size) if rows is None else rows
        if not len(at):
            return pl.Series(f.name, [[]], dtype=dtype_of(f)).new_from_index(0, size)
        grouped = pl.DataFrame({"row": at, "values": _dense(f, values, buffer)}).group_by("row", maintain_order=True).agg("values")
        index = np.full(size, len(grouped), np.int64)  # the empty list appended below
        index[grouped["row"].to_numpy()] = np.arange(len(grouped))
        return grouped["values"].append(pl.Series([[]], dtype=dtype_of(f))).gather(index).alias(f.name)
    result = _dense(f, values, buffer)
    if rows is not None and len(rows) != size:
        index = np.full(size, -1, np.int64)
        index[rows] = np.arange(len(rows))
        taken = pl.Series(index)
        result = result.gather(taken.set(taken < 0, None)) if len(result) else pl.Series([None] * size, dtype=result.dtype)
    return result.alias(f.name)
