"""A row is an address and its name, from the Name Resolution Blocks of pcapng files."""

from __future__ import annotations

import polars as pl

from ..capture import Source
from ..fields import Field, text, u32
from . import Table
from ._columns import dtype_of


class TABLE(Table):
    name = "hosts"
    description = "an address and a name that the recorder knew for it; pcapng only"
    columns = (
        Field("capture", text, "Capture"),
        Field("section", u32, "Section", "of the file, from 1"),
        Field("address", text, "Address"),
        Field("name", text, "Name"),
        Field("server", text, "Server", "that resolved it"),
        Field("server_address", text, "Server's address"),
    )

    def finish(self, sources: list[Source], others: dict[str, pl.DataFrame]) -> pl.DataFrame | None:
        rows = [(source.name, entry.section + 1, *entry[1:]) for source in sources for entry in source.names]
        return pl.DataFrame(rows, schema={f.name: dtype_of(f) for f in self.columns}, orient="row")
