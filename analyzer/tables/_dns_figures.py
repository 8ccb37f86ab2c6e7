"""Figures of DNS questions, for a server or a name: counts, outcomes, response times. Time-outs are counted apart: they would skew the
times."""

from __future__ import annotations

import polars as pl

from ..fields import Field, seconds, u32
from ._columns import SPAN

_rcode, _outcome = pl.col("rcode"), pl.col("outcome")
_answered = _outcome.is_in(("answered", "truncated"))
_duration = pl.col("duration").cast(pl.Int64)
_FIGURES = (  # columns, and how they are computed from rows of `dns_transactions` that are not unsolicited
    (Field("questions", u32, "Questions", "what was sent again between the same ports counts once"), pl.len()),
    (Field("answered", u32, "Answered", "truncated answers included"), _answered.sum()),
    (Field("unanswered", u32, "Unanswered", "refused by ICMP included"), _outcome.is_in(("unanswered", "refused")).sum()),
    (Field("open", u32, "Open", "asked shortly before the trace ended"), (_outcome == "open").sum()),
    (Field("sent_again", u32, "Sent again", "between the same ports"), (pl.col("sent") - 1).sum()),
    (
        Field("retries", u32, "Retries", "questions that repeat another of the same client: from another port or to another server"),
        pl.col("retry_of").is_not_null().sum(),
    ),
    (Field("truncated", u32, "Truncated"), (_outcome == "truncated").sum()),
    (Field("no_data", u32, "No data", "the name exists, but not with this type"), (pl.col("result") == "no data").sum()),
    (Field("nxdomain", u32, "NXDOMAIN", "no such name"), (_rcode == "NXDOMAIN").sum()),
    (Field("servfail", u32, "SERVFAIL", "the server could not find out"), (_rcode == "SERVFAIL").sum()),
    (Field("refused", u32, "REFUSED", "the server does not want to"), (_rcode == "REFUSED").sum()),
    (
        Field("other_failures", u32, "Other failures"),
        (_rcode.is_not_null() & ~_rcode.is_in(("NOERROR", "NXDOMAIN", "SERVFAIL", "REFUSED"))).sum(),
    ),
    (Field("least", seconds, "Least time to answer", "of answered questions, as all times"), _duration.min().cast(SPAN)),
    *(
        (Field(name, seconds, f"{name.capitalize()} of the time to answer"), _duration.quantile(share, "nearest").cast(SPAN))
        for name, share in (("median", 0.5), ("p90", 0.9), ("p99", 0.99))
    ),
    (Field("most", seconds, "Most time to answer"), _duration.max().cast(SPAN)),
)
FIGURES = tuple(f for f, _ in _FIGURES)
AGGREGATIONS = tuple(expression.alias(f.name) for f, expression in _FIGURES)
