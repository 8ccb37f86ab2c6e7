"""A row is a name that was asked for by DNS or LLMNR: by how many, how often, what came of it."""

from __future__ import annotations

import polars as pl

from ..capture import Source
from ..fields import Field, text, u32, u64
from . import Table
from ._answered import FIGURES, figures
from ._columns import dtype_of


class TABLE(Table):
    name = "dns_names"
    description = "a name asked for by DNS or LLMNR: clients, types, failures, time-outs apart from the times of answers, percentiles"
    columns = (
        Field("name", text, "Name", "in small letters: names are equal whatever their case, RFC 4343"),
        Field("types", text, "Types", "asked for", many=True),
        Field("clients", u32, "Clients"),
        Field("servers", u32, "Servers"),
        *FIGURES,
        Field("first_frame", u64, "First frame"),
    )
    after = ("dns_transactions",)

    def finish(self, sources: list[Source], others: dict[str, pl.DataFrame]) -> pl.DataFrame | None:
        col = pl.col
        rows = others["dns_transactions"].filter(col("outcome") != "unsolicited", col("name").is_not_null())
        found = rows.group_by(col("name").str.to_lowercase()).agg(
            col("type").unique(maintain_order=True).drop_nulls().alias("types"),
            col("client").n_unique().alias("clients"),
            col("server").n_unique().alias("servers"),
            *figures(),
            col("question_frame").min().alias("first_frame"),
        )
        found = found.sort("questions", "first_frame", descending=[True, False])
        return found.select(col(f.name).cast(dtype_of(f)) for f in self.columns)
