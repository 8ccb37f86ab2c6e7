"""A row is a piece of an IP datagram: what it was to the others when it came, and in which frame the datagram was whole."""

from __future__ import annotations

import polars as pl

from ..capture import Source
from ..dissection import Dissection
from ..fields import Field, flag, text, time, u8, u32, u64
from . import Table
from ._columns import dtype_of
from ._trains import Trains, protocol


class TABLE(Table):
    name = "fragments"
    description = "a piece of an IP datagram: its place, what it was to the others, and the frame that made the datagram whole"
    columns = (
        Field("frame", u64, "Frame"),
        Field("time", time, "Time"),
        Field("datagram", u32, "Datagram", "the number that table datagrams gives it"),
        Field("source", text, "Source"),
        Field("destination", text, "Destination"),
        Field("protocol", text, "Protocol", "what the datagram carries, as this piece says"),
        Field("id", u32, "Identification", hex=4),
        Field("offset", u32, "Offset", "bytes"),
        Field("bytes", u32, "Bytes", "of the datagram, in this piece"),
        Field("more", flag, "More fragments", "this is not the last piece"),
        Field("dont_fragment", flag, "Don't fragment"),
        Field("ttl", u8, "Time to live", "or hop limit"),
        Field(
            "found",
            text,
            "Found",
            "new, duplicate, overlap (of some bytes), conflict, second end, behind the end, oversize and cut (both left out)",
        ),
        Field("overlaps", u64, "Overlaps", "the frame that brought bytes for the same place before"),
        Field("completed_in", u64, "Whole in frame", "the frame that made the datagram whole"),
        Field("outcome", text, "Outcome", "of the datagram: whole, late copies, timed out, given up, unfinished"),
    )

    def __init__(self) -> None:
        self.trains = Trains()

    def feed(self, d: Dissection) -> pl.DataFrame | None:
        self.trains.feed(d)
        return None

    def finish(self, sources: list[Source], others: dict[str, pl.DataFrame]) -> pl.DataFrame | None:
        pieces = self.trains.finish()
        if pieces is None:
            return None
        pieces = pieces.filter("kept").with_columns(
            protocol().alias("protocol"), pl.when(pl.col("other") > 0).then("other").alias("overlaps")
        )
        return pieces.select(pl.col(f.name).cast(dtype_of(f)) for f in self.columns)
