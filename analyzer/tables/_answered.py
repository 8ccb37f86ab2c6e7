"""Figures of the questions of a server or a name: how many, what came of them, how long it took. Time-outs are counted apart, so
they do not skew the times."""

from __future__ import annotations

import polars as pl

from ..fields import Field, seconds, u32
from ._columns import SPAN

CODES = {"nxdomain": "NXDOMAIN", "servfail": "SERVFAIL", "refused": "REFUSED"}
SHARES = {"median": 0.5, "p90": 0.9, "p99": 0.99}
FIGURES = (
    Field("questions", u32, "Questions", "what was sent again between the same ports counts once"),
    Field("answered", u32, "Answered", "truncated answers included"),
    Field("unanswered", u32, "Unanswered", "refused by ICMP included"),
    Field("open", u32, "Open", "asked shortly before the trace ended"),
    Field("sent_again", u32, "Sent again", "between the same ports"),
    Field("retries", u32, "Retries", "questions that repeat another of the same client: from another port or to another server"),
    Field("truncated", u32, "Truncated"),
    Field("no_data", u32, "No data", "the name exists, but not with this type"),
    Field("nxdomain", u32, "NXDOMAIN", "no such name"),
    Field("servfail", u32, "SERVFAIL", "the server could not find out"),
    Field("refused", u32, "REFUSED", "the server does not want to"),
    Field("other_failures", u32, "Other failures"),
    Field("least", seconds, "Least time to answer", "of answered questions, as all times"),
    *(Field(name, seconds, f"{name.capitalize()} of the time to answer") for name in SHARES),
    Field("most", seconds, "Most time to answer"),
)


def figures() -> list[pl.Expr]:
    """The columns FIGURES over some rows of `dns_transactions`, none of them unsolicited."""
    col = pl.col
    answered = col("outcome").is_in(("answered", "truncated"))
    took = col("duration").cast(pl.Int64)
    failed = col("rcode").is_not_null() & ~col("rcode").is_in(("NOERROR", *CODES.values()))
    return [
        pl.len().alias("questions"),
        answered.sum().alias("answered"),
        col("outcome").is_in(("unanswered", "refused")).sum().alias("unanswered"),
        (col("outcome") == "open").sum().alias("open"),
        (col("sent") - 1).sum().alias("sent_again"),
        col("retry_of").is_not_null().sum().alias("retries"),
        (col("outcome") == "truncated").sum().alias("truncated"),
        (col("result") == "no data").sum().alias("no_data"),
        *((col("rcode") == code).sum().alias(name) for name, code in CODES.items()),
        failed.sum().alias("other_failures"),
        took.min().cast(SPAN).alias("least"),
        *(took.quantile(share, "nearest").cast(SPAN).alias(name) for name, share in SHARES.items()),
        took.max().cast(SPAN).alias("most"),
    ]
