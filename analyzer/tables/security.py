"""A row is what can be read or forged between two hosts: the findings on security, those that say the same counted together."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from ..capture import Source
from ..correlators.dhcp_matching import JUDGED
from ..dissection import Dissection
from ..expert import findings
from ..expert._troubles import judged, troubles
from ..fields import Field, Headers, text, texts, u32, u64
from ..protocols import register
from ..templates import template_fields
from . import Table
from ._columns import dtype_of
from ._findings import held

MOST = 100_000  # rows that are held until the trace ends
RULES = tuple(one for one in findings().values() if one.group == "security")


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
    needs = frozenset(JUDGED | {n for one in RULES for n in (one.protocol, *template_fields(one.says))})

    def __init__(self) -> None:
        self._rows: dict[tuple[str, ...], list[int]] = {}  # protocol, finding, ends, summary, severity → times, first and last frame
        self._more = 0

    def feed(self, d: Dissection) -> pl.DataFrame | None:
        found = sorted((row for h in d.order for row in _told(h)), key=lambda row: row[0])
        for frame, key in found:
            row = self._rows.get(key)
            if row is None and len(self._rows) >= MOST:
                self._more += 1
                continue
            if row is None:
                row = self._rows[key] = [0, frame + d.batch.first, 0]
            row[0], row[2] = row[0] + 1, frame + d.batch.first
        return None

    @property
    def notes(self) -> list[str]:
        return [f"{self._more:,} findings on security beyond {MOST:,} different ones have no row in the table"] if self._more else []

    def finish(self, sources: list[Source], others: dict[str, pl.DataFrame]) -> pl.DataFrame | None:
        if not self._rows:
            return None
        names = ("protocol", "finding", "source", "destination", "summary", "severity", "times", "first_frame", "last_frame")
        made = pl.DataFrame([(*key, *row) for key, row in self._rows.items()], schema=names, orient="row")
        self._rows.clear()
        _, kind, verdict = judged(made, troubles("security"))
        made = made.with_columns(pl.Series("kind", kind, dtype=pl.String), pl.Series("verdict", verdict, dtype=pl.String))
        return made.select(pl.col(f.name).cast(dtype_of(f)) for f in self.columns)


def _told(h: Headers) -> Iterator[tuple[int, tuple[str, ...]]]:
    """(frame's row, key) of each finding on these headers."""
    for rule, at, sentences in held(h, RULES):
        ends = [[""] * len(at)] * 2
        net, rows = h.network_layer() or (None, None)
        if net is not None and rows is not None and net.protocol.addresses:
            ends = [texts(register()[name].field, net[name][rows[at]]).tolist() for name in net.protocol.addresses]
        quoted = h.quoted[at].tolist()
        for frame, source, destination, said, in_error in zip(h.frame[at].tolist(), *ends, sentences, quoted, strict=True):
            if not in_error:
                yield frame, (rule.protocol, rule.name, source, destination, said, rule.severity)
