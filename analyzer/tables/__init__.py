"""The tables: the results of an analysis. Each file is a table that relates frames; each protocol has a table of its headers."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import TYPE_CHECKING, ClassVar

from ..errors import UsageError, nearest
from ..fields import Field
from ..protocols import protocols

if TYPE_CHECKING:
    import polars as pl

    from ..capture import Source
    from ..dissection import Dissection


class Table:
    """A table that is fed each batch, then finished. It returns rows as soon as they are final.

    columns: its columns, in order. needs: fields and protocols that must be dissected. after: tables that it is computed from.
    """

    name: str
    description: str
    columns: tuple[Field, ...]
    needs: frozenset[str] = frozenset()
    after: ClassVar[tuple[str, ...]] = ()

    def feed(self, d: Dissection) -> pl.DataFrame | None:
        """Process a batch; return the rows that are final now."""
        return None

    @property
    def notes(self) -> list[str]:
        """Sentences for standard error: what was dropped to bound memory. Complete after `finish`."""
        return []

    def finish(self, sources: list[Source], others: dict[str, pl.DataFrame]) -> pl.DataFrame | None:
        """The remaining rows. others: the complete tables named in `after`."""
        return None


@cache
def names() -> tuple[str, ...]:
    """The names of all tables: first those that relate frames, then those of protocols' headers."""
    relating = [m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")]
    return (*sorted(relating), *sorted(set(protocols()) - {"frame"}))


def make(name: str) -> Table:
    """A new table of that name. Raises UsageError, with the nearest names, if there is none."""
    if name not in names():
        raise UsageError(f"no table {name!r}{nearest(name, names())}; `analyze tables` lists them")
    if name in protocols():
        from ._headers import HeaderTable

        return HeaderTable(name)
    table: Table = importlib.import_module(f"{__name__}.{name}").TABLE()
    return table
