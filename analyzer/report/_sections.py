"""The report: tables that say what is in a capture, each with one line that says how to read it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from ..expert import SEVERITIES
from ..expert._wording import endpoint
from ._explain import worst_first
from ._text import safe

if TYPE_CHECKING:
    from rich.console import Console

TABLES = ("captures", "hierarchy", "endpoints", "conversations", "streams", "expert", "undecoded")
LAYER = {"eth": "Ethernet", "ip": "IPv4", "ipv6": "IPv6", "udp": "UDP", "tcp": "TCP", "sctp": "SCTP"}


@dataclass
class Section:
    """A part of the report. heads: column titles, those that end in '>' right-aligned."""

    title: str
    how: str
    heads: tuple[str, ...]
    rows: list[tuple[str, ...]]
    more: int = 0


def count(n: int | None) -> str:
    return "" if n is None else f"{n:,}"


def duration(ns: int | None) -> str:
    """A duration for people: '1.234 s', '2 h 03 min'."""
    if ns is None:
        return ""
    whole = ns / 1e9
    if whole < 60:
        return f"{whole:.6f} s" if whole < 1 else f"{whole:.3f} s"
    minutes, left = divmod(int(whole), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {left:02d} s"


def _captures(table: pl.DataFrame, rows: int) -> Section:
    if len(table) == 1:
        return _capture(table)
    starts = table["start"].dt.strftime("%Y-%m-%d %H:%M:%S").to_list()
    spans = table["duration"].dt.total_nanoseconds().to_list()
    shown = [
        (name, count(frames), count(size), start or "", duration(ns), "damaged" if damage else "")
        for (name, frames, size, damage), start, ns in zip(
            table.select("capture", "frames", "bytes", "damage").iter_rows(), starts, spans, strict=True
        )
    ]
    how = f"{len(table):,} files, merged by time into one trace. Times are UTC."
    return Section("Captures", how, ("File", "Frames>", "Bytes>", "First frame", "Duration>", ""), *_top(shown, rows))


def _capture(table: pl.DataFrame) -> Section:
    row = table.row(0, named=True)
    ns = table["duration"].dt.total_nanoseconds()[0]
    start, end = (table[name].dt.strftime("%Y-%m-%d %H:%M:%S%.6f UTC")[0] for name in ("start", "end"))
    facts = [
        ("File", row["capture"]),
        ("Format", f"{row['format']}, {row['byte_order']}-endian, {row['link_types'] or 'no interface'}"),
        ("Compressed with", row["compression"]),
        ("Interfaces", row["interface_names"] or (count(row["interfaces"]) if row["interfaces"] != 1 else "")),
        ("Snap length", count(row["snap_length"]) if row["snap_length"] else "not given"),
        ("File size", f"{count(row['file_size'])} bytes" if row["file_size"] else ""),
        ("Frames", count(row["frames"])),
        ("Bytes on the wire", count(row["bytes"])),
        (
            "Frames cut",
            f"{count(row['cut_frames'])} ({count(row['bytes'] - row['captured_bytes'])} bytes not kept)" if row["cut_frames"] else "",
        ),
        ("First frame", start),
        ("Last frame", end),
        ("Duration", duration(ns)),
    ]
    if row["frames"] and ns:
        rate = 1e9 / ns
        each = row["bytes"] / row["frames"]
        facts.append(("Average", f"{row['frames'] * rate:,.1f} frames/s, {row['bytes'] * 8 * rate:,.0f} bit/s, {each:,.1f} bytes a frame"))
    facts += [
        ("Time order", "" if row["in_time_order"] else "times go back: see `analyze table expert`"),
        ("Dropped", f"{count(row['dropped'])} frames: see `analyze table interfaces`" if row["dropped"] else ""),
        ("Written by", ", ".join(filter(None, (row["application"], row["system"], row["hardware"])))),
        ("Comment", row["comment"]),
        ("Not frames", row["skipped"]),
        ("Damage", row["damage"]),
    ]
    how = "What the file says of itself. Times are UTC."
    return Section("Capture", how, ("", ""), [(name, text) for name, text in facts if text])


def _hierarchy(table: pl.DataFrame, rows: int) -> Section:
    total = max(sum(table.filter(pl.col("depth") == 1)["frames"]), 1)
    size = max(sum(table.filter(pl.col("depth") == 1)["bytes"]), 1)
    shown = [
        ("  " * (depth - 1) + name, count(frames), f"{100 * frames / total:.1f}", count(n), f"{100 * n / size:.1f}")
        for name, depth, frames, n in table.select("protocol", "depth", "frames", "bytes").iter_rows()
    ]
    how = "Each line counts the frames that have these headers; those below it are part of them."
    return Section("Protocols", how, ("Protocol", "Frames>", "%>", "Bytes>", "%>"), *_top(shown, 4 * rows))


def _top(rows: Sequence[tuple[str, ...]], n: int) -> tuple[list[tuple[str, ...]], int]:
    return list(rows[:n]), max(len(rows) - n, 0)


def _endpoints(table: pl.DataFrame, rows: int) -> Iterable[Section]:
    for layer, name in LAYER.items():
        own = table.filter(pl.col("protocol") == layer).sort("bytes", descending=True, maintain_order=True)
        shown = [
            (endpoint(a, p), count(fs), count(bs), count(fr), count(br))
            for a, p, fs, bs, fr, br in own.select(
                "address", "port", "frames_sent", "bytes_sent", "frames_received", "bytes_received"
            ).iter_rows()
        ]
        how = "Who sent and received how much, most bytes first."
        heads = ("Address", "Frames sent>", "Bytes sent>", "Frames received>", "Bytes received>")
        if shown:
            yield Section(f"{name} endpoints", how, heads, *_top(shown, rows))


def _conversations(table: pl.DataFrame, rows: int) -> Iterable[Section]:
    for layer, name in LAYER.items():
        own = table.filter(pl.col("protocol") == layer).sort("bytes", descending=True, maintain_order=True)
        ns = own["duration"].dt.total_nanoseconds().to_list()
        shown = [
            (endpoint(a, pa), endpoint(b, pb), count(frames), count(there), count(back), duration(t))
            for (a, pa, b, pb, frames, there, back), t in zip(
                own.select("address_a", "port_a", "address_b", "port_b", "frames", "bytes_ab", "bytes_ba").iter_rows(), ns
            )
        ]
        how = "A sent the first frame; → is from A to B. Most bytes first."
        heads = ("A", "B", "Frames>", "Bytes →>", "← Bytes>", "Duration>")
        if shown:
            yield Section(f"{name} conversations", how, heads, *_top(shown, rows))


def _streams(table: pl.DataFrame, rows: int) -> Section:
    ranked = worst_first(table)
    spans = ranked["duration"].dt.total_nanoseconds().to_list()
    shown = [
        (severity, str(stream), endpoint(client, cp), endpoint(server, sp), count(there), count(back), duration(ns), kind)
        for (severity, stream, client, cp, server, sp, there, back, kind), ns in zip(
            ranked.select(
                "severity", "stream", "client", "client_port", "server", "server_port", "client_unique_bytes", "server_unique_bytes", "kind"
            ).iter_rows(),
            spans,
            strict=True,
        )
    ]
    how = "Worst first; bytes are data, each counted once. `analyze explain` says why, with frames; --stream N tells one story."
    heads = ("Severity", "Stream>", "Client", "Server", "Bytes →>", "← Bytes>", "Duration>", "Verdict")
    return Section("TCP connections", how, heads, *_top(shown, rows))


def _expert(table: pl.DataFrame, rows: int) -> Section:
    order = {name: rank for rank, name in enumerate(SEVERITIES)}
    grouped = (
        table.group_by("severity", "protocol", "finding")
        .agg(pl.len().alias("count"), pl.col("frame.number").min().alias("first"), pl.col("summary").first())
        .with_columns(pl.col("severity").replace_strict(order, return_dtype=pl.Int64).alias("rank"))
        .sort("rank", "count", "first", "finding", "protocol", descending=[False, True, False, False, False])
    )
    shown = [
        (severity, count(n), finding, str(first), summary)
        for severity, n, finding, first, summary in grouped.select("severity", "count", "finding", "first", "summary").iter_rows()
    ]
    how = "Worst first, alike ones counted; `analyze fields NAME` explains a finding, `analyze table expert` lists all."
    if not shown:
        return Section("Findings", "Nothing found.", (), [])
    return Section("Findings", how, ("Severity", "Count>", "Finding", "First frame>", "For example"), *_top(shown, 2 * rows))


def _undecoded(table: pl.DataFrame, rows: int) -> Section:
    shown = [
        (what, count(frames), count(n), str(first))
        for what, frames, n, first in table.select("what", "frames", "bytes", "first_frame").iter_rows()
    ]
    if not shown:
        return Section("Not decoded", "Every byte has a decoder.", (), [])
    how = "Bytes that no decoder took: counted here, shown as data."
    return Section("Not decoded", how, ("What", "Frames>", "Bytes>", "First frame>"), *_top(shown, rows))


def sections(tables: dict[str, pl.DataFrame], rows: int) -> Iterable[Section]:
    """The report's parts, in order."""
    yield _captures(tables["captures"], rows)
    yield _hierarchy(tables["hierarchy"], rows)
    yield from _endpoints(tables["endpoints"], rows)
    yield from _conversations(tables["conversations"], rows)
    if len(tables["streams"]):
        yield _streams(tables["streams"], rows)
    yield _expert(tables["expert"], rows)
    yield _undecoded(tables["undecoded"], rows)


def write(tables: dict[str, pl.DataFrame], form: str, rows: int) -> None:
    """Write the report to standard output: as tables for people, or whole as one JSON object of tables."""
    if form == "json":
        from .json import array

        body = ",\n".join(f'"{name}": ' + "".join(array([rows])) for name, rows in tables.items())
        print("{\n" + body + "\n}")
        return
    from rich.console import Console

    console = Console(file=sys.stdout, highlight=False, soft_wrap=False)
    for section in sections(tables, rows):
        _show(console, section)


COLOURS: dict[str, str] = {"error": "bold red", "warn": "yellow", "note": "cyan", "chat": "dim"}


def _show(console: Console, section: Section) -> None:
    from rich.table import Table
    from rich.text import Text

    console.print(Text(section.title, "bold"))
    console.print(Text(section.how, "italic dim"))
    if section.rows:
        grid = Table(box=None, show_header=any(section.heads), pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
        for head in section.heads:
            right = head.endswith(">")
            grid.add_column(head.rstrip(">"), justify="right" if right else "left", overflow="fold", no_wrap=right)
        for row in section.rows:
            grid.add_row(*(Text(safe(cell), COLOURS.get(cell, "") if i == 0 else "") for i, cell in enumerate(row)))
        console.print(grid)
    if section.more:
        console.print(Text(f"… and {section.more:,} more (--rows)", "dim"))
    console.print()
