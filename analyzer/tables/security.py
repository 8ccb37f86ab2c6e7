"""A row is what can be read or forged between two hosts: the findings on security, those that say the same counted together."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from ..capture import Source
from ..correlators.dhcp_matching import JUDGED
from ..dissection import Dissection
from ..expert import evaluate, rules
from ..fields import Field, Headers, text, texts, u32, u64
from ..protocols import register
from ..templates import template_fields
from . import Table
from ._columns import dtype_of
from ._findings import findings

MAX_ROWS = 100_000  # kept until the trace ends
RULES = tuple(rule for rule in rules().values() if rule.kind == "security" and rule.template)


class TABLE(Table):
    name = "security"
    description = (
        "what can be read or forged: passwords in clear, expired certificates, old TLS, a second server of DHCP; between which hosts"
    )
    columns = (
        Field("protocol", text, "Protocol"),
        Field("finding", text, "Finding", "`analyze fields NAME` explains it"),
        Field("source", text, "Source"),
        Field("destination", text, "Destination"),
        Field("summary", text, "Summary"),
        Field("times", u32, "Times"),
        Field("first_frame", u64, "First frame"),
        Field("last_frame", u64, "Last frame"),
        Field("severity", text, "Severity", "error, warn, note, chat"),
        Field("kind", text, "Kind of verdict"),
        Field("verdict", text, "Verdict", "one sentence, with frames"),
    )
    needs = frozenset(JUDGED | {name for rule in RULES for name in (rule.subject, *template_fields(rule.template))})

    def __init__(self) -> None:
        self._rows: dict[tuple[str, ...], list[int]] = {}  # protocol, finding, ends, summary, severity → times, first and last frame
        self._dropped = 0

    def feed(self, d: Dissection) -> pl.DataFrame | None:
        for frame, key in sorted((row for h in d.order for row in _keyed(h)), key=lambda row: row[0]):
            row = self._rows.get(key)
            if row is None and len(self._rows) >= MAX_ROWS:
                self._dropped += 1
                continue
            if row is None:
                row = self._rows[key] = [0, frame + d.batch.first, 0]
            row[0], row[2] = row[0] + 1, frame + d.batch.first
        return None

    @property
    def notes(self) -> list[str]:
        if not self._dropped:
            return []
        return [f"{self._dropped:,} findings on security beyond {MAX_ROWS:,} different ones have no row in the table"]

    def finish(self, sources: list[Source], others: dict[str, pl.DataFrame]) -> pl.DataFrame | None:
        if not self._rows:
            return None
        names = ("protocol", "finding", "source", "destination", "summary", "severity", "times", "first_frame", "last_frame")
        rows = pl.DataFrame([(*key, *row) for key, row in self._rows.items()], schema=names, orient="row")
        self._rows.clear()
        _, kind, verdict = evaluate(rows, "security")
        rows = rows.with_columns(pl.Series("kind", kind, dtype=pl.String), pl.Series("verdict", verdict, dtype=pl.String))
        return rows.select(pl.col(f.name).cast(dtype_of(f)) for f in self.columns)


def _keyed(h: Headers) -> Iterator[tuple[int, tuple[str, ...]]]:
    """(frame's row, key in `_rows`) of each finding on these headers."""
    for rule, at, sentences in findings(h, RULES):
        ends = [[""] * len(at)] * 2
        net, rows = h.network_layer() or (None, None)
        if net is not None and rows is not None and net.protocol.addresses:
            ends = [texts(register()[name].field, net[name][rows[at]]).tolist() for name in net.protocol.addresses]
        quoted = h.quoted[at].tolist()
        for frame, source, destination, sentence, in_error in zip(h.frame[at].tolist(), *ends, sentences, quoted, strict=True):
            if not in_error:
                yield frame, (rule.subject, rule.name, source, destination, sentence, rule.severity)
