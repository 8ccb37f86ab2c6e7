"""Output: one file a form, named for the word of -T. `_text.py` is the only door to a terminal."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import polars as pl

    from ..fields import Field


def write(form: str, columns: Sequence[Field], rows: Iterable[pl.DataFrame]) -> None:
    """Write the rows of one table to standard output as they come, in the form of that name."""
    import_module(f"{__name__}.{form}").write(columns, rows)
