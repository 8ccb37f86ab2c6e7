"""A row is a fragmented IP datagram: whole or not, in which frame, what is missing, who fragmented it."""

from __future__ import annotations

import numpy as np
import polars as pl

from ..capture import Source
from ..dissection import Dissection
from ..fields import Field, Headers, seconds, text, time, u8, u32, u64
from . import Table
from ._columns import dtype_of
from ._fragment_rows import FragmentRows, protocol

INITIAL_TTL = (64, 128, 255)
SEEN = 1 << 16  # whole datagrams without "don't fragment" that are remembered, to recognize their fragments behind a router
UNIT = 8  # bytes: fragments begin at multiples of it


class TABLE(Table):
    name = "datagrams"
    description = "a fragmented IP datagram: whole or not, what is missing, which MTU it implies, who fragmented it"
    columns = (
        Field("datagram", u32, "Datagram", "numbered by first frame, from 0"),
        Field("version", u8, "IP version"),
        Field("source", text, "Source"),
        Field("destination", text, "Destination"),
        Field("protocol", text, "Protocol", "of its payload"),
        Field("id", u32, "Identification", hex=4),
        Field("first_frame", u64, "First frame"),
        Field("last_frame", u64, "Last frame"),
        Field("first_time", time, "Time of the first fragment"),
        Field("duration", seconds, "Duration", "first fragment to last"),
        Field("completed_in", u64, "Whole in frame"),
        Field("outcome", text, "Outcome", "whole; late copies (of one that was whole before); timed out; given up (memory); unfinished"),
        Field("length", u32, "Length", "bytes of the datagram, without the IP header; null if its last fragment was not seen"),
        Field("missing", text, "Missing", "bytes from–to that no fragment has"),
        Field("fragments", u32, "Fragments", "copies included"),
        Field("duplicates", u32, "Copies", "fragments without new bytes"),
        Field("overlaps", u32, "Overlaps", "fragments that repeat some bytes, the same"),
        Field("conflicts", u32, "Conflicts", "fragments with other bytes for a place, another end, or more than a datagram can have"),
        Field("cut", u32, "Cut fragments", "ignored, as the capture did not keep them whole"),
        Field("mtu_least", u32, "MTU at least", "bytes of the largest fragment"),
        Field("mtu_most", u32, "MTU at most", "with a greater one, eight more bytes would have fitted into the fragments before the last"),
        Field("fragmented_by", text, "Fragmented by", "sender or router, where the trace shows it"),
        Field("why", text, "Evidence", "what in the trace shows it"),
    )

    def __init__(self) -> None:
        self.rows = FragmentRows()
        self.seen: list[pl.DataFrame] = []  # whole datagrams: addresses, id and protocol, frame, time to live
        self.count = 0
        self.routed: list[pl.DataFrame] = []

    def feed(self, d: Dissection) -> pl.DataFrame | None:
        self.rows.feed(d)
        before, self.count = self.count, self.count + self._remember(d)
        if self.rows.groups and self.seen:
            self._match_whole(d, before)
        while len(self.seen) > 1 and self.count - int(self.seen[1]["nth"][0]) >= SEEN:
            self.seen.pop(0)
        return None

    def _remember(self, d: Dissection) -> int:
        """Remember the whole datagrams that a router may fragment later; returns their number in this batch."""
        parts = []
        for h in (d.unfiltered or d).chunks.get("ip", ()):
            rows = np.flatnonzero(~h.quoted & h.whole & (h["ip.frag_offset"] == 0) & ~h["ip.flags.mf"] & ~h["ip.flags.df"])
            parts.append(_identity(h, rows).with_columns(frame=h.frame[rows] + d.batch.first, ttl=h["ip.ttl"][rows]))
        whole = pl.concat(parts).sort("frame", maintain_order=True) if parts else None
        if whole is None or not len(whole):
            return 0
        self.seen.append(whole.with_columns(nth=self.count + np.arange(len(whole))))
        return len(whole)

    def _match_whole(self, d: Dissection, before: int) -> None:
        """Find the fragments of datagrams that were seen whole, with a higher time to live: a router is between."""
        seen = pl.concat(self.seen)
        now = seen.filter(pl.col("nth") >= before)["frame"].to_numpy()
        for group in self.rows.groups:
            h, rows = group.headers, group.spans.row
            if h.protocol.name != "ip":
                continue
            frame = group.spans.frame + d.batch.first
            fragments = _identity(h, rows).with_columns(
                train=group.outputs[0], at=frame, left=h["ip.ttl"][rows], rank=before + np.searchsorted(now, frame)
            )
            both = fragments.join(seen, on=["addresses", "id_proto"]).filter(
                pl.col("frame") < pl.col("at"), pl.col("ttl") > pl.col("left"), pl.col("rank") - pl.col("nth") <= SEEN
            )
            self.routed.append(both.select(pl.lit(group.depth, pl.UInt8).alias("depth"), pl.col("train").cast(pl.UInt32), seen_in="frame"))

    def finish(self, sources: list[Source], others: dict[str, pl.DataFrame]) -> pl.DataFrame | None:
        fragments = self.rows.finish()
        if fragments is None:
            return None
        col = pl.col
        middle = col("more") & ~col("found").is_in(("oversize", "cut"))
        largest = col("ip_bytes").filter(middle).max()
        datagrams = fragments.group_by("datagram", maintain_order=True).agg(
            col("depth", "train", "version", "source", "destination", "id", "completed_in", "outcome", "length").first(),
            col("proto").sort_by("offset").first(),
            col("frame").min().alias("first_frame"),
            col("frame").max().alias("last_frame"),
            col("time").min().alias("first_time"),
            (col("time").max() - col("time").min()).alias("duration"),
            pl.len().alias("fragments"),
            (col("found") == "duplicate").sum().alias("duplicates"),
            (col("found") == "overlap").sum().alias("overlaps"),
            (col("found") == "cut").sum().alias("cut"),
            col("found").is_in(("conflict", "second end", "behind the end", "oversize")).sum().alias("conflicts"),
            col("ip_bytes").max().alias("mtu_least"),
            (largest + UNIT - 1).alias("mtu_most"),
            ((col("ip_bytes") < largest) & middle).any().alias("uneven"),
            col("dont_fragment").any(),
            col("ttl").is_in(INITIAL_TTL).all().alias("fresh"),
            col("ttl").first(),
            col("kept").any(),
        )
        datagrams = datagrams.join(_missing(fragments), on="datagram", how="left", maintain_order="left")
        none = pl.DataFrame(schema={"depth": pl.UInt8, "train": pl.UInt32, "seen_in": pl.Int64})
        routed = pl.concat([none, *self.routed]).group_by("depth", "train").agg(col("seen_in").max())
        datagrams = datagrams.join(routed, on=["depth", "train"], how="left", maintain_order="left")
        odd = col("conflicts") + col("overlaps") + col("cut") > 0
        evidence = (
            pl.when(col("seen_in").is_not_null())
            .then(pl.format("router: seen whole in frame {}, with more time to live", "seen_in"))
            .when(col("version") == 6)
            .then(pl.lit("sender: IPv6 routers never fragment"))
            .when("dont_fragment")
            .then(pl.lit("sender: no router may, with don't fragment"))
            .when(col("uneven") & ~odd)
            .then(pl.lit("router: not all pieces but the last are alike, so one was cut again"))
            .when("fresh")
            .then(pl.format("sender: time to live {} is a first one, no router was passed", "ttl"))
            .otherwise(None)
            .str.split_exact(": ", 1)
        )
        fragmented_by, why = (evidence.struct.field(f"field_{n}").alias(name) for n, name in enumerate(("fragmented_by", "why")))
        datagrams = datagrams.with_columns(protocol().alias("protocol"), fragmented_by, why)
        return datagrams.filter("kept").select(col(f.name).cast(dtype_of(f)) for f in self.columns)


def _identity(h: Headers, rows: np.ndarray) -> pl.DataFrame:
    """What a datagram has in common with its fragments, as two numbers each."""
    addresses = h["ip.src"][rows].astype(np.uint64) << np.uint64(32) | h["ip.dst"][rows].astype(np.uint64)
    return pl.DataFrame({"addresses": addresses, "id_proto": h["ip.id"][rows].astype(np.int64) << 8 | h["ip.proto"][rows]})


def _missing(fragments: pl.DataFrame) -> pl.DataFrame:
    """The holes of each datagram that is not whole as text: '1480–2959, 4440–'."""
    col = pl.col
    there = fragments.filter(col("completed_in").is_null(), ~col("found").is_in(("oversize", "cut"))).sort(
        "datagram", "offset", maintain_order=True
    )
    end = (col("offset") + col("bytes")).cum_max().over("datagram")
    there = there.with_columns(end.alias("edge")).with_columns(col("edge").shift(1, fill_value=0).over("datagram").alias("before"))
    holes = there.filter(col("offset") > col("before")).select("datagram", pl.format("{}–{}", "before", col("offset") - 1).alias("hole"))
    last = there.group_by("datagram", maintain_order=True).agg(col("edge").max(), col("length").first())
    rest = last.filter(col("length").is_null() | (col("edge") < col("length"))).select(
        "datagram", pl.format("{}–{}", "edge", (col("length") - 1).cast(pl.String).fill_null("")).alias("hole")
    )
    nothing = fragments.filter(col("completed_in").is_null()).select("datagram").unique().join(there, on="datagram", how="anti")
    all_of_it = nothing.select("datagram", pl.lit("0–").alias("hole"))
    return pl.concat([holes, rest, all_of_it]).group_by("datagram", maintain_order=True).agg(col("hole").str.join(", ").alias("missing"))
