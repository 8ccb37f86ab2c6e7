"""A row is a fragment of an IP datagram: how it relates to the earlier ones, and the frame that completed the datagram."""

from __future__ import annotations

import polars as pl

from ..capture import Source
from ..dissection import Dissection
from ..fields import Field, flag, text, time, u8, u32, u64
from . import Table
from ._columns import dtype_of
from ._fragment_rows import FragmentRows, protocol


class TABLE(Table):
    name = "fragments"
    description = "an IP fragment: its place, how it relates to the earlier ones, and the frame that completed the datagram"
    columns = (
        Field("frame", u64, "Frame"),
        Field("time", time, "Time"),
        Field("datagram", u32, "Datagram", "its number in table datagrams"),
        Field("source", text, "Source"),
        Field("destination", text, "Destination"),
        Field("protocol", text, "Protocol", "of the datagram's payload, according to this fragment"),
        Field("id", u32, "Identification", hex=4),
        Field("offset", u32, "Offset", "bytes"),
        Field("bytes", u32, "Bytes", "of the datagram, in this fragment"),
        Field("more", flag, "More fragments", "this is not the last fragment"),
        Field("dont_fragment", flag, "Don't fragment"),
        Field("ttl", u8, "Time to live", "or hop limit"),
        Field(
            "found",
            text,
            "Found",
            "new, duplicate, overlap (of some bytes), conflict, second end, behind the end, oversize and cut (both ignored)",
        ),
        Field("overlaps", u64, "Overlaps", "the earlier frame with bytes for the same place"),
        Field("completed_in", u64, "Whole in frame", "the frame that completed the datagram"),
        Field("outcome", text, "Outcome", "of the datagram: whole, late copies, timed out, given up, unfinished"),
    )

    def __init__(self) -> None:
        self.rows = FragmentRows()

    def feed(self, d: Dissection) -> pl.DataFrame | None:
        self.rows.feed(d)
        return None

    def finish(self, sources: list[Source], others: dict[str, pl.DataFrame]) -> pl.DataFrame | None:
        fragments = self.rows.finish()
        if fragments is None:
            return None
        fragments = fragments.filter("kept").with_columns(
            protocol().alias("protocol"), pl.when(pl.col("other") > 0).then("other").alias("overlaps")
        )
        return fragments.select(pl.col(f.name).cast(dtype_of(f)) for f in self.columns)
