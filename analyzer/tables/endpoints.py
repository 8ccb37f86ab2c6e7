"""A row is an address (with its port, for UDP, TCP and SCTP): what it sent and received."""

from __future__ import annotations

import polars as pl

from ..capture import Source
from ..fields import Field, text, u16, u32, u64
from . import Table


class TABLE(Table):
    name = "endpoints"
    description = "an address (and port): what it sent and received"
    columns = (
        Field("protocol", text, "Layer", "eth, ip, ipv6, udp, tcp or sctp"),
        Field("address", text, "Address"),
        Field("port", u16, "Port"),
        Field("frames", u64, "Frames"),
        Field("bytes", u64, "Bytes", "frame.len of these frames"),
        Field("frames_sent", u64, "Frames sent"),
        Field("bytes_sent", u64, "Bytes sent"),
        Field("frames_received", u64, "Frames received"),
        Field("bytes_received", u64, "Bytes received"),
        Field("conversations", u32, "Conversations"),
        Field("first_frame", u64, "First frame"),
    )
    after = ("conversations",)

    def finish(self, sources: list[Source], others: dict[str, pl.DataFrame]) -> pl.DataFrame | None:
        both = others["conversations"]
        sides = [
            both.select(
                "protocol",
                pl.col(f"address_{me}").alias("address"),
                pl.col(f"port_{me}").alias("port"),
                pl.col(f"frames_{me}{peer}").alias("frames_sent"),
                pl.col(f"bytes_{me}{peer}").alias("bytes_sent"),
                pl.col(f"frames_{peer}{me}").alias("frames_received"),
                pl.col(f"bytes_{peer}{me}").alias("bytes_received"),
                "first_frame",
                pl.int_range(pl.len()).alias("nth") * 2 + (me == "b"),
            )
            for me, peer in (("a", "b"), ("b", "a"))
        ]
        # A conversation of an address with itself is one conversation of one endpoint, which sent and received each frame.
        made = (
            pl.concat(sides)
            .group_by("protocol", "address", "port")
            .agg(
                pl.col("frames_sent", "bytes_sent", "frames_received", "bytes_received").sum(),
                (pl.col("nth") // 2).n_unique().cast(pl.UInt32).alias("conversations"),
                pl.col("first_frame").min(),
                pl.col("nth").min(),
            )
        )
        made = made.with_columns(
            (pl.col("frames_sent") + pl.col("frames_received")).alias("frames"),
            (pl.col("bytes_sent") + pl.col("bytes_received")).alias("bytes"),
        )
        return made.sort("nth").select(f.name for f in self.columns)
