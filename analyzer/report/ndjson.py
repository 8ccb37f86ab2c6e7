"""-T ndjson: a JSON object a row, one on a line."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence

import polars as pl

from ..fields import Field
from ._cells import plain
from ._text import safe_json


def lines(part: pl.DataFrame) -> Iterator[str]:
    """The rows as JSON objects."""
    return iter(safe_json(plain(part).write_ndjson()).splitlines())


def write(columns: Sequence[Field], rows: Iterable[pl.DataFrame]) -> None:
    for part in rows:
        sys.stdout.writelines(f"{line}\n" for line in lines(part))
