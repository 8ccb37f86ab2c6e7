"""-T json: an array of objects, one a row."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence

import polars as pl

from ..fields import Field
from .ndjson import lines


def array(rows: Iterable[pl.DataFrame]) -> Iterator[str]:
    """The pieces of a JSON array."""
    before = "[\n"
    for part in rows:
        for line in lines(part):
            yield f"{before}{line}"
            before = ",\n"
    yield "[]" if before == "[\n" else "\n]"


def write(columns: Sequence[Field], rows: Iterable[pl.DataFrame]) -> None:
    sys.stdout.writelines(array(rows))
    print()
