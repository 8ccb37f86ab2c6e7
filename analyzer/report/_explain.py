"""Verdicts for people: all of a capture, on TCP connections and other tables, grouped and worst first; or one connection as a ladder."""

from __future__ import annotations

import shutil
import sys
import textwrap
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from ..errors import UsageError
from ..expert import SEVERITIES, TABLES, evaluate, rules
from ..expert._wording import count, duration, endpoint
from ..tables import make
from . import write as write_form
from ._text import safe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ..analysis import Analysis

COLUMNS = ("severity", "kind", "stream", "first_frame", "last_frame", "verdict")
KEPT = (*COLUMNS, "client", "server", "server_port")
FOLDED_FINDINGS = {"duplicate ACK", "window update"}  # so frequent that runs of segments with them are folded too
PLAIN_FLAGS = ("ACK", "PSH, ACK")
FOLD_ABOVE = 4  # more segments in a row than this are folded if they bring nothing new
PAUSE = 200_000_000  # ns: a silence worth seeing
NOTES_OF = ("http_transactions",)  # tables whose notes are listed, too: what a connection that is healthy for TCP carried
RANK = {severity: rank for rank, severity in enumerate(SEVERITIES)}
SHORT_STATES = {"SYN-RECEIVED": "SYN-RCVD", "ESTABLISHED": "ESTAB"}


def write(analysis: Analysis, stream: int | None, form: str, rows: int) -> None:
    """Write the verdicts, or with `stream` the story of that one. Raises UsageError if there is no such stream."""
    wanted = [*TABLES] if stream is None else ["streams"]
    parts: dict[str, list[pl.DataFrame]] = {name: [] for name in (*wanted, "segments")}
    for name, part in analysis.stream(wanted) if stream is None or form != "text" else _both(analysis, stream):
        if name in TABLES and name != "streams":
            parts[name].append(part if _grouped(name) else _alarms(part))
            continue
        kept = part if stream is None else part.filter(pl.col("stream") == stream)
        if len(kept):
            parts[name].append(kept.select(KEPT) if stream is None else kept)
    if stream is not None and not parts["streams"]:
        raise UsageError(f"no TCP stream {stream} in this capture; `analyze table streams` lists them")
    if form != "text":
        fields = {f.name: f for f in make("streams").columns}
        tcp = [part.select(COLUMNS) for part in parts["streams"]]
        ranked = _merged(worst_first(pl.concat(tcp)) if tcp else None, _others(_alarms_by_table(parts)))
        write_form(form, [fields[name] for name in COLUMNS], [] if ranked is None else [ranked])
        return
    lines = _all(parts, rows) if stream is None else _story(parts["streams"][0], pl.concat(parts["segments"]))
    for line in lines:
        print(line)


def _both(analysis: Analysis, stream: int) -> Iterator[tuple[str, pl.DataFrame]]:
    """Rows of `streams`, which a verdict needs all of, and of `segments`, made only of frames with that stream's."""
    streams, segments = make("streams"), make("segments")
    for d in analysis.dissections(streams.needs | segments.needs):
        rows = [("streams", streams.feed(d))]
        if d.segments is not None:
            there = np.zeros(len(d), bool)
            there[d.segments.frame[d.segments["stream"] == stream]] = True
            rows.append(("segments", segments.feed(replace(d, kept=there if d.kept is None else there & d.kept))))
        yield from ((name, part) for name, part in rows if part is not None)
    if (last := streams.finish(analysis.trace.sources, {})) is not None:
        yield "streams", last


def worst_first(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of `streams` in order of severity, kind by kind as the rules come."""
    order: dict[str, int] = {}
    for rule in rules("connection").values():
        order.setdefault(rule.kind, len(order))
    return rows.sort(
        pl.col("severity").replace_strict(RANK, return_dtype=pl.Int64),
        pl.col("kind").replace_strict(order, return_dtype=pl.Int64),
        "stream",
    )


def _alarms(rows: pl.DataFrame, notes: bool = False) -> pl.DataFrame:
    """Rows of a table with verdicts that are errors or warnings, or notes if asked for, in the columns of explain."""
    alarms = rows.filter(pl.col("severity").is_in(["error", "warn", *(["note"] if notes else [])]), pl.col("kind") != "")
    return alarms.select(pl.lit(None, pl.UInt32).alias(name) if name == "stream" else pl.col(name) for name in COLUMNS)


def _grouped(table: str) -> Callable[[pl.DataFrame], pl.DataFrame] | None:
    """Makes the rows that rules judge, of a table whose own rows have no verdicts on what they are about here."""
    return getattr(import_module(f"..tables.{table}", __package__), "grouped", None)


def _alarms_by_table(parts: dict[str, list[pl.DataFrame]]) -> dict[str, list[pl.DataFrame]]:
    alarms = {}
    for table in TABLES:
        alarms[table] = parts.get(table, [])
        grouped = _grouped(table)
        if grouped and alarms[table]:
            rows = grouped(pl.concat(alarms[table]))
            columns = zip(("severity", "kind", "verdict"), evaluate(rows, table), strict=True)
            rows = rows.with_columns(pl.Series(name, column, dtype=pl.String) for name, column in columns)
            alarms[table] = [_alarms(rows, table in NOTES_OF)]
    return alarms


def _others(alarms: dict[str, list[pl.DataFrame]], tables: Iterable[str] = TABLES) -> pl.DataFrame | None:
    """Alarms of these tables, worst first."""
    parts = [part for name in tables for part in alarms.get(name, ())]
    if not sum(map(len, parts)):
        return None
    order = {rule.kind: place for place, rule in enumerate(rule for table in TABLES for rule in rules(table).values())}
    rank = pl.col("severity").replace_strict(RANK, return_dtype=pl.Int64), pl.col("kind").replace_strict(order, return_dtype=pl.Int64)
    return pl.concat(parts, how="vertical_relaxed").sort(*rank, "first_frame", maintain_order=True)


def _merged(tcp: pl.DataFrame | None, others: pl.DataFrame | None) -> pl.DataFrame | None:
    """Both, worst first; of equal severity, TCP's first."""
    parts = [part for part in (tcp, others) if part is not None]
    if not parts:
        return None
    rank = pl.col("severity").replace_strict(RANK, return_dtype=pl.Int64)
    return pl.concat(parts, how="vertical_relaxed").sort(rank, maintain_order=True)


def _wrapped(text: str, indent: str) -> str:
    width = max(shutil.get_terminal_size().columns, 60) if sys.stdout.isatty() else 100
    return textwrap.fill(safe(text), width, initial_indent=indent, subsequent_indent=" " * len(indent), break_on_hyphens=False)


def _all(parts: dict[str, list[pl.DataFrame]], rows: int) -> Iterator[str]:
    alarms = _alarms_by_table(parts)
    others = _others(alarms)
    tcp = worst_first(pl.concat(parts["streams"])).select(COLUMNS) if parts["streams"] else None
    yield "No TCP connection in this capture." if tcp is None else f"{count(len(tcp), 'TCP connection')}: {_totals(tcp)}."
    for heading in sorted(set(TABLES.values())):
        if (some := _others(alarms, [table for table in TABLES if TABLES[table] == heading])) is not None:
            yield f"{heading}: {_totals(some)}."
    ranked = _merged(tcp, others)
    if ranked is None:
        return
    for (severity, kind), group in ranked.group_by("severity", "kind", maintain_order=True):
        yield ""
        yield f"{severity}: {kind} ({len(group):,})"
        shown = group.head(rows if severity != "chat" else 1)
        for stream, verdict in shown.select("stream", "verdict").iter_rows():
            yield _wrapped(verdict, f"  {'' if stream is None else stream:>6}  ")
        if len(group) > len(shown):
            yield f"          … and {len(group) - len(shown):,} more" + (" (--rows)" if severity != "chat" else "")


def _totals(rows: pl.DataFrame) -> str:
    """'2 error, 3 warn'."""
    total = dict(rows.group_by("severity").len().iter_rows())
    return ", ".join(f"{total[name]:,} {name}" for name in SEVERITIES if name in total)


def _story(stream: pl.DataFrame, segments: pl.DataFrame) -> Iterator[str]:
    """A ladder: a line for each segment with both ends' states, quiet stretches folded; the verdict at the end."""
    one = stream.row(0, named=True)
    guessed = " (a guess: no SYN was seen)" if one["client_guessed"] else ""
    took = duration(stream["duration"].to_physical()[0])
    yield safe(
        f"Stream {one['stream']}: {endpoint(one['client'], one['client_port'])}, client{guessed}, and "
        f"{endpoint(one['server'], one['server_port'])}, server; {count(one['frames'], 'segment')} in {took}."
    )
    yield ""
    yield f"{'frame':>7} {'time':>11}  {'client':<11} {'':<46} {'server':<11}  remarks"
    rows = list(_lines(segments))
    keep = [row["news"] for row in rows]
    at = 0
    while at < len(rows):
        end = at
        while end < len(rows) and not keep[end]:
            end += 1
        if end - at > FOLD_ABOVE:
            yield _folded(rows[at:end])
            at = end
        for row in rows[at : max(end, at + 1)]:
            yield safe(row["line"])
        at = max(end, at + 1)
    yield ""
    yield _wrapped(f"{one['severity']}: {one['verdict']}", "")


def _lines(segments: pl.DataFrame) -> Iterator[dict]:
    times = segments["time"].to_physical().fill_null(strategy="forward").fill_null(0).to_list()
    last = times[0] if times else 0
    first = last
    for time, row in zip(times, segments.iter_rows(named=True), strict=True):
        paused, last = time - last, time
        moved = row["client_before"] != row["client_after"] or row["server_before"] != row["server_after"]
        arrow = f"{_segment(row)} ───▶" if row["end"] == "client" else f"◀─── {_segment(row)}"
        notes = [row["findings"]] if row["findings"] else []
        if paused >= PAUSE:
            notes.insert(0, f"after {duration(paused)}")
        states = [SHORT_STATES.get(row[f"{end}_after"], row[f"{end}_after"]) for end in ("client", "server")]
        assumed = ["?" if row[f"{end}_assumed"] else "" for end in ("client", "server")]
        line = (
            f"{row['frame']:>7} {(time - first) / 1e9:>11.6f}  {states[0] + assumed[0]:<11} "
            f"{arrow:{'>' if row['end'] == 'client' else '<'}46} {states[1] + assumed[1]:<11}  {', '.join(notes)}"
        )
        news = bool(moved or not FOLDED_FINDINGS.issuperset(notes) or row["flags"] not in PLAIN_FLAGS)
        yield {"line": line.rstrip(), "news": news, "row": row, "time": time}


def _segment(row: dict) -> str:
    """'SYN seq 0 win 64,240', 'seq 1 ack 9 1,448 bytes win 501', 'ack 9 win 501'."""
    flags = ", ".join(one for one in row["flags"].split(", ") if one not in PLAIN_FLAGS[1] or row["flags"] not in PLAIN_FLAGS)
    parts = [flags] if flags else []
    if row["bytes"] or flags:
        parts.append(f"seq {row['seq']}")
    if row["ack"] is not None:
        parts.append(f"ack {row['ack']}")
    if row["bytes"]:
        parts.append(count(row["bytes"], "byte"))
    return " ".join([*parts, f"win {row['window']:,}"])


def _folded(rows: list[dict]) -> str:
    there = [one["row"]["bytes"] for one in rows if one["row"]["end"] == "client"]
    back = [one["row"]["bytes"] for one in rows if one["row"]["end"] == "server"]
    findings: dict[str, int] = {}
    for one in rows:
        if one["row"]["findings"]:
            findings[one["row"]["findings"]] = findings.get(one["row"]["findings"], 0) + 1
    took = duration(rows[-1]["time"] - rows[0]["time"])
    return (
        f"{'…':>7} {'':>11}  frames {rows[0]['row']['frame']} to {rows[-1]['row']['frame']}, {took}: "
        f"{count(len(there), 'segment')} there with {count(sum(there), 'byte')}, {count(len(back))} back with {count(sum(back))}"
        + "".join(f"; {n:,} × {what}" for what, n in findings.items())
    )
