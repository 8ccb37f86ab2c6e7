"""A row is a finding, a rule that holds of a header: how bad it is, in which frame."""

from __future__ import annotations

import polars as pl

from ..correlators.arp_conflicts import FIELDS
from ..correlators.dhcp_matching import JUDGED
from ..dissection import Dissection
from ..expert import rules
from ..fields import CUT, Field, text, u32, u64
from ..protocols import protocols, register
from ..protocols.tcp import TRACKED
from ..templates import template_fields
from . import Table
from ._findings import findings

REASSEMBLED = ", in the {} put together here"


class TABLE(Table):
    name = "expert"
    description = "a finding: severity, group, protocol, frame, one sentence"
    columns = (
        Field("frame.number", u64, "Frame"),
        Field("severity", text, "Severity", "error, warn, note, chat"),
        Field("group", text, "Group"),
        Field("protocol", text, "Protocol"),
        Field("finding", text, "Finding", "`analyze fields NAME` explains it"),
        Field("summary", text, "Summary"),
        Field(
            "offset", u32, "Offset", "byte of the frame (of a datagram put together, if the summary says so), from 0, where a header is bad"
        ),
    )
    needs = frozenset(
        {"frame.time_delta", *protocols(), *FIELDS, *JUDGED, *(f.name for f in TRACKED)}
        | {name for rule in rules().values() for name in template_fields(rule.template)}
    )

    def feed(self, d: Dissection) -> pl.DataFrame | None:
        rows: list[tuple[int, int, tuple[str, str, str, str, str, int | None]]] = []
        for depth, h in enumerate(d.order):
            for rule, at, sentences in findings(h, rules().values()):
                about = (rule.severity, rule.kind, rule.subject, rule.name)
                rows += [(frame, depth, (*about, sentence, None)) for frame, sentence in zip(h.frame[at].tolist(), sentences)]
        for depth, h in enumerate(d.order):  # after all rules: what they compute may find faults in other headers
            for fault in h.faults:
                label = protocols()[fault.protocol].label
                name = register()[fault.field].field.label.lower() if fault.field in register() else ""
                cut = fault.sentence == CUT
                within = REASSEMBLED.format("message" if "direction" in h.context else "datagram") if h.reassembled else ""
                about = ("note", "capture", fault.protocol, "cut") if cut else ("error", "malformed", fault.protocol, "malformed")
                for frame, at, needs, had in zip(fault.frame.tolist(), fault.at.tolist(), fault.needed.tolist(), fault.had.tolist()):
                    sentence = f"{label}{': ' + name if name else ''} {fault.sentence.format(needed=needs, had=had)}{within}"
                    rows.append((frame, depth, (*about, sentence, at)))
        if not rows:
            return None
        rows.sort(key=lambda row: row[:2])
        numbered = [(frame + d.batch.first, *rest) for frame, _, rest in rows]
        types = [pl.Int64, *[pl.String] * 5, pl.UInt32]
        return pl.DataFrame(numbered, schema=dict(zip([f.name for f in self.columns], types)), orient="row")
