"""A row is a DNS server: counts and outcomes of the questions that it was sent, response times."""

from __future__ import annotations

import polars as pl

from ..capture import Source
from ..fields import Field, text, u16, u32, u64
from . import Table
from ._columns import dtype_of
from ._dns_figures import AGGREGATIONS, FIGURES


class TABLE(Table):
    name = "dns_servers"
    description = "a DNS server: questions, failures, time-outs apart from the times of answers, percentiles"
    columns = (
        Field("server", text, "Server"),
        Field("server_port", u16, "Port"),
        Field("transport", text, "Carried by", "udp or tcp"),
        Field("clients", u32, "Clients"),
        *FIGURES,
        Field("unsolicited", u32, "Unsolicited answers"),
        Field("first_frame", u64, "First frame"),
    )
    after = ("dns_transactions",)

    def finish(self, sources: list[Source], others: dict[str, pl.DataFrame]) -> pl.DataFrame | None:
        rows = others["dns_transactions"].filter(pl.col("protocol") == "dns")
        by = ["server", "server_port", "transport"]
        unsolicited = pl.col("outcome") == "unsolicited"
        frame = pl.min_horizontal("question_frame", "answer_frame").min().alias("first_frame")
        every = rows.group_by(by, maintain_order=True).agg(unsolicited.sum().alias("unsolicited"), frame)
        asked = rows.filter(~unsolicited).group_by(by).agg(pl.col("client").n_unique().alias("clients"), *AGGREGATIONS)
        servers = every.join(asked, on=by, how="left", maintain_order="left").sort(
            "questions", "first_frame", descending=[True, False], nulls_last=True
        )
        counts = [f.name for f in self.columns if f.kind is u32]
        return servers.with_columns(pl.col(counts).fill_null(0)).select(pl.col(f.name).cast(dtype_of(f)) for f in self.columns)
