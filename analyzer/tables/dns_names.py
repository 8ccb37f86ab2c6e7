"""A row is a name that was queried by DNS or LLMNR: clients, counts, outcomes, response times."""

from __future__ import annotations

import polars as pl

from ..capture import Source
from ..fields import Field, text, u32, u64
from . import Table
from ._columns import dtype_of
from ._dns_figures import AGGREGATIONS, FIGURES


class TABLE(Table):
    name = "dns_names"
    description = "a name asked for by DNS or LLMNR: clients, types, failures, time-outs apart from the times of answers, percentiles"
    columns = (
        Field("name", text, "Name", "in lower case: names are compared without regard to case, RFC 4343"),
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
        names = rows.group_by(col("name").str.to_lowercase()).agg(
            col("type").unique(maintain_order=True).drop_nulls().alias("types"),
            col("client").n_unique().alias("clients"),
            col("server").n_unique().alias("servers"),
            *AGGREGATIONS,
            col("question_frame").min().alias("first_frame"),
        )
        names = names.sort("questions", "first_frame", descending=[True, False])
        return names.select(col(f.name).cast(dtype_of(f)) for f in self.columns)
