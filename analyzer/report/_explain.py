"""Verdicts for people: all of a capture, TCP's and what ARP and ICMP tell, grouped and worst first; or the story of one connection as
a ladder."""

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
from ..expert import SEVERITIES
from ..expert._troubles import SERIES, TABLES, WHOSE, judged, troubles
from ..expert._verdicts import count, place, span
from ..tables import make
from . import write as write_form
from ._text import safe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..analysis import Analysis

COLUMNS = ("severity", "kind", "stream", "first_frame", "last_frame", "verdict")
KEPT = (*COLUMNS, "client", "server", "server_port")
COMMON = {"duplicate ACK", "window update"}  # said so often that a stretch of them is folded too
QUIET = 4  # segments in a row that say nothing new are folded if there are more than this
PAUSE = 200_000_000  # ns: a silence worth seeing
BRIEF = {"SYN-RECEIVED": "SYN-RCVD", "ESTABLISHED": "ESTAB"}


def write(analysis: Analysis, stream: int | None, form: str, rows: int) -> None:
    """Write the verdicts, or with `stream` the story of that one. Raises UsageError if there is no such stream."""
    wanted = [*TABLES] if stream is None else ["streams"]
    found: dict[str, list[pl.DataFrame]] = {name: [] for name in (*wanted, "segments")}
    for name, part in analysis.stream(wanted) if stream is None or form != "text" else _both(analysis, stream):
        if name in TABLES and name != "streams":
            found[name].append(part if name in SERIES else _told(part))
            continue
        kept = part if stream is None else part.filter(pl.col("stream") == stream)
        if len(kept):
            found[name].append(kept.select(KEPT) if stream is None else kept)
    if stream is not None and not found["streams"]:
        raise UsageError(f"no TCP stream {stream} in this capture; `analyze table streams` lists them")
    if form != "text":
        made = make("streams").columns
        parts = [part.select(COLUMNS) for part in found["streams"]]
        ranked = _merged(worst_first(pl.concat(parts)) if parts else None, _others(_loud(found)))
        columns = [next(f for f in made if f.name == name) for name in COLUMNS]
        write_form(form, columns, [] if ranked is None else [ranked])
        return
    lines = _all(found["streams"], found, rows) if stream is None else _story(found["streams"][0], pl.concat(found["segments"]))
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
    from ..expert import verdicts

    order = {one.kind: place for place, one in reversed(list(enumerate(verdicts().values())))}
    return rows.sort(
        pl.col("severity").replace_strict(RANK, return_dtype=pl.Int64),
        pl.col("kind").replace_strict(order, return_dtype=pl.Int64),
        "stream",
    )


RANK = {severity: place for place, severity in enumerate(SEVERITIES)}


NOTED = ("http_transactions",)  # tables of which notes are told, too: what a connection that is healthy for TCP carried


def _told(rows: pl.DataFrame, noted: bool = False) -> pl.DataFrame:
    """Rows of a table with verdicts that deserve a warning, or a note, in the columns of explain."""
    loud = rows.filter(pl.col("severity").is_in(["error", "warn", *(["note"] if noted else [])]), pl.col("kind") != "")
    return loud.select(pl.lit(None, pl.UInt32).alias(name) if name == "stream" else pl.col(name) for name in COLUMNS)


def _loud(found: dict[str, list[pl.DataFrame]]) -> dict[str, list[pl.DataFrame]]:
    """What each table tells, of those in SERIES what their rows say together."""
    loud = {name: found.get(name, []) for name in TABLES if name not in SERIES}
    for name in SERIES:
        if found.get(name):
            rows = import_module(f"..tables.{name}", __package__).grouped(pl.concat(found[name]))
            columns = ("severity", "kind", "verdict")
            said = [pl.Series(name, column, dtype=pl.String) for name, column in zip(columns, judged(rows, troubles(name)), strict=True)]
            loud[name] = [_told(rows.with_columns(said), name in NOTED)]
    return loud


def _others(loud: dict[str, list[pl.DataFrame]], which: tuple[str, ...] = TABLES) -> pl.DataFrame | None:
    """What these tables tell, worst first."""
    parts = [part for name in which for part in loud.get(name, ())]
    if not sum(map(len, parts)):
        return None
    order = {one.kind: place for place, one in enumerate(one for table in TABLES for one in troubles(table))}
    rank = pl.col("severity").replace_strict(RANK, return_dtype=pl.Int64), pl.col("kind").replace_strict(order, return_dtype=pl.Int64)
    return pl.concat(parts, how="vertical_relaxed").sort(*rank, "first_frame", maintain_order=True)


def _merged(tcp: pl.DataFrame | None, others: pl.DataFrame | None) -> pl.DataFrame | None:
    """Both, worst first; of equal severity TCP's before the others."""
    parts = [part for part in (tcp, others) if part is not None]
    if not parts:
        return None
    rank = pl.col("severity").replace_strict(RANK, return_dtype=pl.Int64)
    return pl.concat(parts, how="vertical_relaxed").sort(rank, maintain_order=True)


def _wrapped(text: str, indent: str) -> str:
    width = max(shutil.get_terminal_size().columns, 60) if sys.stdout.isatty() else 100
    return textwrap.fill(safe(text), width, initial_indent=indent, subsequent_indent=" " * len(indent), break_on_hyphens=False)


def _all(parts: list[pl.DataFrame], found: dict[str, list[pl.DataFrame]], rows: int) -> Iterator[str]:
    loud = _loud(found)
    others = _others(loud)
    tcp = worst_first(pl.concat(parts)).select(COLUMNS) if parts else None
    yield "No TCP connection in this capture." if tcp is None else f"{count(len(tcp), 'TCP connection')}: {_totals(tcp)}."
    for whose, which in WHOSE.items():
        if (some := _others(loud, which)) is not None:
            yield f"{whose}: {_totals(some)}."
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
    took = span(stream["duration"].to_physical()[0])
    yield safe(
        f"Stream {one['stream']}: {place(one['client'], one['client_port'])}, client{guessed}, and "
        f"{place(one['server'], one['server_port'])}, server; {count(one['frames'], 'segment')} in {took}."
    )
    yield ""
    yield f"{'frame':>7} {'time':>11}  {'client':<11} {'':<46} {'server':<11}  what is to be said"
    rows = list(_lines(segments))
    keep = [row["loud"] for row in rows]
    at = 0
    while at < len(rows):
        end = at
        while end < len(rows) and not keep[end]:
            end += 1
        if end - at > QUIET:
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
        said = _said(row)
        arrow = f"{said} ───▶" if row["end"] == "client" else f"◀─── {said}"
        notes = [row["findings"]] if row["findings"] else []
        if paused >= PAUSE:
            notes.insert(0, f"after {span(paused)}")
        states = [BRIEF.get(row[f"{end}_after"], row[f"{end}_after"]) for end in ("client", "server")]
        assumed = ["?" if row[f"{end}_assumed"] else "" for end in ("client", "server")]
        line = (
            f"{row['frame']:>7} {(time - first) / 1e9:>11.6f}  {states[0] + assumed[0]:<11} "
            f"{arrow:{'>' if row['end'] == 'client' else '<'}46} {states[1] + assumed[1]:<11}  {', '.join(notes)}"
        )
        loud = bool(moved or not COMMON.issuperset(notes) or row["flags"] not in PLAIN)
        yield {"line": line.rstrip(), "loud": loud, "row": row, "time": time}


PLAIN = ("ACK", "PSH, ACK")


def _said(row: dict) -> str:
    """'SYN seq 0 win 64,240', 'seq 1 ack 9 1,448 bytes win 501', 'ack 9 win 501'."""
    flags = ", ".join(one for one in row["flags"].split(", ") if one not in PLAIN[1] or row["flags"] not in PLAIN)
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
    took = span(rows[-1]["time"] - rows[0]["time"])
    return (
        f"{'…':>7} {'':>11}  frames {rows[0]['row']['frame']} to {rows[-1]['row']['frame']}, {took}: "
        f"{count(len(there), 'segment')} there with {count(sum(there), 'byte')}, {count(len(back))} back with {count(sum(back))}"
        + "".join(f"; {n:,} × {what}" for what, n in findings.items())
    )
