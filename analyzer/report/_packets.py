"""Packets one by one: lines for people, or chosen fields exactly as tshark prints them. Does without Polars, so it starts at once."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from ..analysis import Analysis
from ..dissection import Dissection
from ..errors import UsageError, nearest
from ..fields import Field, decimal_seconds, text
from ..lookup import COLUMNS, field_of, needed
from ..protocols import protocols, register
from ..strings import Strings, concat_str, constant, decimal, scatter, strings
from ._text import safe_strings, show

if TYPE_CHECKING:
    import polars as pl

CLOCKS = ("r", "d", "dd", "e", "a", "ad", "adoy", "u", "ud", "udoy")
SETTINGS = {"header": "n", "separator": "/t", "occurrence": "a", "aggregator": ",", "quote": "n", "bom": "n", "escape": "y"}
NAMED = {"/t": "\t", "/s": " "}
QUOTES = {"n": "", "d": '"', "s": "'"}


@dataclass(frozen=True)
class View:
    """How packets are to be shown. fields, settings: of -e and -E. tree, dump, names: -V, -x, --names. opened: -O, None for all."""

    form: str
    fields: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    clock: str = "r"
    tree: bool = False
    dump: bool = False
    names: bool = False
    opened: frozenset[str] | None = None

    def write(self, analysis: Analysis) -> None:
        """Write every packet of the analysis to standard output."""
        if self.form == "fields":
            self._fields(analysis)
        elif self.form == "text" and (self.tree or self.dump):
            self._whole(analysis)
        elif self.form == "text" and not self.fields:
            for d in analysis.dissections({*needed(COLUMNS), "frame.time_delta", "frame.time_relative"}):
                show(lines(d, self.clock, analysis))
        else:
            self._table(analysis)

    def _whole(self, analysis: Analysis) -> None:
        from ._tree import Tree, dump

        for d in analysis.dissections({*register(), *protocols()}):
            tree = Tree(d, self.names, self.opened)
            printed = [] if self.tree else lines(d, self.clock, analysis).tolist()
            for nth, row in enumerate(d.frames.frame.tolist()):
                parts = list(tree.lines(row)) if self.tree else [printed[nth].rstrip("\n")]
                if self.dump:
                    parts += dump(d, row)
                sys.stdout.write("\n".join(parts) + "\n\n")

    def _fields(self, analysis: Analysis) -> None:
        s = self.settings
        separator, quote = NAMED.get(s["separator"], s["separator"]), QUOTES[s["quote"]]
        if s["bom"] == "y":
            sys.stdout.write("\ufeff")
        if s["header"] == "y":
            print(separator.join(self.fields))
        for d in analysis.dissections(needed(self.fields)):
            show(self.rows(d, separator, quote))

    def rows(self, d: Dissection, separator: str, quote: str) -> Strings:
        """A line for each frame that a filter kept."""
        parts: list[Strings] = []
        for column in self.columns(d):
            if parts:
                parts.append(constant(separator, len(column)))
            mark = constant(quote, column.nonempty()) if quote else None
            parts += (column,) if mark is None else (mark, column, mark)
        return concat_str([*parts, constant("\n", len(parts[0]))])

    def columns(self, d: Dissection) -> list[Strings]:
        """Each field's printed values, a column a field, a row for each frame that a filter kept."""
        summary = d.summary() if set(self.fields) & set(COLUMNS) else {}
        join = NAMED.get(self.settings["aggregator"], self.settings["aggregator"])
        out = []
        for name in self.fields:
            if name in COLUMNS:
                out.append(safe_strings(kept(d, summary[COLUMNS[name]])))
                continue
            column = kept(d, d.printed(name, join, self.settings["occurrence"]))
            out.append(safe_strings(column) if field_of(name).kind is text else column)
        return out

    def _table(self, analysis: Analysis) -> None:
        import polars as pl

        from . import write

        if not self.fields:
            from ..tables import make

            write(self.form, make("frames").columns, (rows for _, rows in analysis.stream(["frames"])))
            return
        names = [Field(name, text, name) for name in self.fields]

        def rows() -> Iterator[pl.DataFrame]:
            for d in analysis.dissections(needed(self.fields)):
                cells = {name: pl.Series(column.tolist(), dtype=pl.String) for name, column in zip(self.fields, self.columns(d))}
                yield pl.DataFrame(cells).with_columns(pl.all().replace({"": None}))

        write(self.form, names, rows())


def kept(d: Dissection, column: Strings) -> Strings:
    """Those of the frames that a filter kept."""
    return column if d.kept is None else column.take(d.kept)


def view(form: str, fields: Sequence[str], settings: Sequence[str], clock: str, utc: bool, opened: str | None, **shown: bool) -> View:
    """A View from what was typed. Raises UsageError for a field, setting, clock or protocol that does not exist."""
    for name in fields:
        field_of(name)
    if form == "fields" and not fields:
        raise UsageError("-T fields wants at least one field: -e FIELD")
    if clock not in CLOCKS:
        raise UsageError(f"no time form {clock!r}; there are {', '.join(CLOCKS)}")
    chosen = dict(SETTINGS)
    for one in settings:
        key, _, value = one.partition("=")
        if key not in SETTINGS:
            raise UsageError(f"no setting {key!r} of -E; there are {', '.join(SETTINGS)}")
        chosen[key] = value
    if chosen["quote"] not in QUOTES or chosen["occurrence"] not in ("f", "l", "a"):
        raise UsageError("-E quote is d, s or n; -E occurrence is f, l or a")
    if utc and clock.startswith("a"):
        clock = "u" + clock[1:]
    wanted = None if opened is None else frozenset(opened.split(","))
    for name in wanted or ():
        if name not in protocols():
            raise UsageError(f"no protocol {name!r}{nearest(name, protocols())}")
    shown["tree"] = shown["tree"] or wanted is not None
    return View(form, tuple(fields), chosen, clock, opened=wanted, **shown)


def lines(d: Dissection, clock: str, analysis: Analysis) -> Strings:
    """A line for each frame that a filter kept."""
    printed = d.summary()
    size = len(d)
    source, target, protocol = printed["source"], printed["destination"], printed["protocol"]
    line = (
        decimal(np.arange(d.batch.first, d.batch.first + size), width=5),
        constant(" ", size),
        times(d, clock, analysis),
        constant(" ", size),
        source.padding(15),
        source,
        constant(" → ", size),
        target,
        target.padding(15),
        constant(" ", size),
        protocol,
        protocol.padding(8),
        constant(" ", size),
        decimal(d.batch.length, width=5),
        constant(" ", size),
        safe_strings(printed["info"]),
        constant("\n", size),
    )
    return concat_str([kept(d, part) for part in line])


def times(d: Dissection, clock: str, analysis: Analysis) -> Strings:
    """The time of each frame in one of tshark's forms, with the digits that its interface has; blank where it has none."""
    name = {"r": "frame.time_relative", "d": "frame.time_delta", "dd": "frame.time_delta"}.get(clock, "frame.time")
    values, rows = d.frames.column(name)
    frames = d.frames.frame if rows is None else d.frames.frame[rows]
    used, inverse = np.unique(d.batch.interface[frames], return_inverse=True)
    fine = np.array([analysis.trace.interfaces[index].ticks_per_second > 1_000_000 for index in used.tolist()], bool)[inverse]
    times = [(frames[some], _times(values[some], clock, digits)) for digits, some in ((6, ~fine), (9, fine)) if some.any()]
    return scatter(len(d), [(np.arange(len(d)), constant(" " * 11, len(d))), *times])


def _times(ns: np.ndarray, clock: str, digits: int) -> Strings:
    """Times or spans (int64, ns) in one of tshark's forms."""
    if clock in ("r", "d", "dd", "e"):
        return decimal_seconds(ns, digits, digits + 5)
    second, rest = np.divmod(ns, 1_000_000_000)
    used, inverse = np.unique(second, return_inverse=True)
    fraction = decimal_seconds(rest, digits)
    return concat_str([strings([_day(one, clock) for one in used.tolist()]).take(inverse), replace(fraction, start=fraction.start + 1)])


def _day(second: int, clock: str) -> str:
    moment = datetime.datetime.fromtimestamp(second, datetime.UTC)
    if clock[0] == "a":
        moment = moment.astimezone()
    form = {"": "%H:%M:%S", "d": "%Y-%m-%d %H:%M:%S", "doy": "%Y/%j %H:%M:%S"}[clock[1:]]
    return moment.strftime(form)
