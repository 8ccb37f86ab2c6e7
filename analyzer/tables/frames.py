"""A row is a frame: its time, lengths, protocols, source, destination and packet line."""

from __future__ import annotations

import polars as pl

from ..dissection import Dissection
from ..fields import Field, text
from ..lookup import COLUMNS, needed
from ..protocols import register
from . import Table
from ._columns import series

OWN = (
    "frame.number",
    "frame.time",
    "frame.time_relative",
    "frame.len",
    "frame.cap_len",
    "frame.section_number",
    "frame.interface_id",
    "frame.interface_name",
    "frame.packet_flags",
    "frame.packet_flags_direction",
    "frame.drop_count",
    "frame.packet_id",
    "frame.interface_queue",
    "frame.comment",
    "frame.protocols",
    "frame.file_number",
)
SUMMARY = tuple(Field(name, text, name.capitalize()) for name in COLUMNS.values())


class TABLE(Table):
    name = "frames"
    description = "a frame: number, time, lengths, interface, protocols, source, destination, info"
    columns = (*(register()[name].field for name in OWN), *SUMMARY)
    needs = frozenset({*OWN, *needed(COLUMNS)})

    def feed(self, d: Dissection) -> pl.DataFrame | None:
        summary = d.summary()
        own = [series(register()[name].field, d.frames.column(name), len(d.frames)) for name in OWN]
        rows = d.frames.frame
        return pl.DataFrame(own + [pl.Series(f.name, summary[f.name].take(rows).tolist(), dtype=pl.String) for f in SUMMARY])
