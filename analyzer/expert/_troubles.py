"""Rules about rows of tables that relate frames: neighbours, paths, questions. The first rule that holds of a row is its verdict."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

TABLES = ("bindings", "routes", "security", "pings", "dns_transactions", "http_transactions", "streams")
SERIES = TABLES[3:]  # tables without verdicts of their own: their `grouped` makes the rows that are judged
WHOSE = {  # how they are counted
    "ARP, neighbor discovery and ICMP": ("bindings", "routes", "pings"),
    "DNS and HTTP": ("dns_transactions", "http_transactions"),
    "Security": ("security",),
    "Servers": ("streams",),
}
Says = Callable[[dict[str, Any]], str]
Found = Iterator[tuple["pl.Series", Says]]


@dataclass(frozen=True)
class Trouble:
    """A rule. kind: its name in words. rule: gives of which rows of a frame it holds (bool) and what to say of one of them."""

    name: str
    severity: str
    kind: str
    rule: Callable[[pl.DataFrame], Found]

    @property
    def page(self) -> str:
        return (self.rule.__doc__ or "").strip()


def trouble(severity: str, kind: str) -> Callable[[Callable[[pl.DataFrame], Found]], Trouble]:
    """Make a Trouble of a function; its name becomes `family.function`."""

    def make(rule: Callable[[pl.DataFrame], Found]) -> Trouble:
        family = rule.__module__.rsplit(".", 1)[1]
        return Trouble(f"{family}.{rule.__name__}", severity, kind, rule)

    return make


@cache
def troubles(table: str) -> tuple[Trouble, ...]:
    """The rules of a table, in order of precedence; they stand in the family of its name."""
    file = importlib.import_module(f"{__package__}.{table}")
    return tuple(one for one in vars(file).values() if isinstance(one, Trouble))


def judged(rows: pl.DataFrame, rules: tuple[Trouble, ...]) -> tuple[list[str], list[str], list[str]]:
    """Severity, kind and sentence of each row: of the first rule that holds, or 'chat' and nothing."""
    n = len(rows)
    severity, kind, verdict = ["chat"] * n, [""] * n, [""] * n
    free = set(range(n))
    for one in rules:
        for holds, says in one.rule(rows):
            at = [i for i in holds.fill_null(False).arg_true().to_list() if i in free]
            if at:
                for i, row in zip(at, rows[at].iter_rows(named=True), strict=True):
                    severity[i], kind[i], verdict[i] = one.severity, one.kind, says(row)
                free.difference_update(at)
    return severity, kind, verdict
