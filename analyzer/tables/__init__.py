"""The tables: what an analysis is. One file for each that relates frames; each protocol has one of its headers."""

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
    """A table in the making: fed each batch, then finished. Gives rows as soon as they are final.

    columns: what its rows have. needs: fields that dissecting must provide. after: tables that it is made from.
    """

    name: str
    description: str
    columns: tuple[Field, ...]
    needs: frozenset[str] = frozenset()
    after: ClassVar[tuple[str, ...]] = ()

    def feed(self, d: Dissection) -> pl.DataFrame | None:
        """Take a batch; return the rows that are final."""
        return None

    @property
    def notes(self) -> list[str]:
        """Sentences for standard error: what was given up to bound memory. Asked for after `finish`."""
        return []

    def finish(self, sources: list[Source], others: dict[str, pl.DataFrame]) -> pl.DataFrame | None:
        """The rows that were not final before. others: the finished tables of `after`."""
        return None


@cache
def names() -> tuple[str, ...]:
    """The names of all tables: first those that relate frames, then a protocol's headers each."""
    own = [m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")]
    return (*sorted(own), *sorted(set(protocols()) - {"frame"}))


def make(name: str) -> Table:
    """A fresh table of that name. Raises UsageError, with the nearest names, if there is none."""
    if name not in names():
        raise UsageError(f"no table {name!r}{nearest(name, names())}; `analyze tables` lists them")
    if name in protocols():
        from ._headers import HeaderTable

        return HeaderTable(name)
    made: Table = importlib.import_module(f"{__name__}.{name}").TABLE()
    return made
