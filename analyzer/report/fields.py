"""-T fields: a line a row, tab between cells, nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ..fields import Field
from ._cells import ROWS, lines, printed
from ._text import show

if TYPE_CHECKING:
    import polars as pl


def write(columns: Sequence[Field], rows: Iterable[pl.DataFrame]) -> None:
    for part in rows:
        for some in part.iter_slices(ROWS):
            show(lines(printed(some), "\t"))
