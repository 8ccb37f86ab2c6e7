"""Pieces of datagrams as rows, collected while a trace is read; at its end, what became of each datagram."""

from __future__ import annotations

import numpy as np
import polars as pl

from ..dissect import Dissection
from ..fields import texts
from ..protocols import register
from ..protocols._words import IPPROTO
from ..reassembly.datagrams import FOUND, OUTCOMES, Arrived, Datagrams
from ._columns import TIME

TRAIN = {"depth": pl.Int64, "train": pl.Int64, "outcome": pl.String, "completed_in": pl.Int64, "length": pl.Int64}


class Trains:
    """What a table keeps of pieces: 150 bytes for each."""

    def __init__(self) -> None:
        self.pieces: list[pl.DataFrame] = []
        self.ended: list[pl.DataFrame] = []
        self.waiting: Datagrams | None = None

    def feed(self, d: Dissection) -> None:
        self.waiting = d.datagrams
        self.pieces += [_pieces(d, one) for one in d.pieces]
        self.ended += [_ended(depth, rows) for depth, rows in d.trains if len(rows)]

    def finish(self) -> pl.DataFrame | None:
        """A row a piece, in the order of frames, with the number and the fate of its datagram; None if there was none."""
        if not self.pieces or self.waiting is None:
            return None
        ended = [*self.ended, *(_ended(depth, rows) for depth, rows in self.waiting.unfinished())]
        pieces = pl.concat(self.pieces).join(pl.concat(ended), on=["depth", "train"], how="left", maintain_order="left")
        numbers = pieces.group_by("depth", "train").agg(pl.col("frame").min()).sort("frame", "depth", "train")
        numbers = numbers.drop("frame").with_row_index("datagram")
        return pieces.join(numbers, on=["depth", "train"], maintain_order="left").sort("frame", "depth", maintain_order=True)


def _ended(depth: int, rows: np.ndarray) -> pl.DataFrame:
    train, outcome, frame, length = rows.T
    made = (np.full(len(rows), depth), train, pl.Series(OUTCOMES).gather(outcome), frame, length)
    frames = pl.DataFrame([pl.Series(name, values, dtype=kind) for (name, kind), values in zip(TRAIN.items(), made, strict=True)])
    return frames.with_columns(
        pl.when(pl.col("completed_in") > 0).then("completed_in"),
        pl.when(pl.col("length") >= 0).then("length"),
    )


def _pieces(d: Dissection, one: Arrived) -> pl.DataFrame:
    h, rows, frame = one.headers, one.spans.row, one.spans.frame
    at, own = h, rows
    while at.protocol.addresses is None and at.parent is not None:
        own, at = at.row[own], at.parent
    four = at.protocol.name == "ip"
    source, destination = (at[name][own] for name in at.protocol.addresses or ())
    first, second = (register()[name].field for name in at.protocol.addresses or ())
    ident = h["ip.id"] if four else h["ipv6.fraghdr.ident"]
    train, found, other, whole = one.told
    times = pl.Series(d.batch.time[frame]).cast(TIME)
    if d.batch.timed is not None:
        times = times.set(pl.Series(~d.batch.timed[frame]), None)
    kept = np.ones(len(rows), bool) if d.kept is None else d.kept[frame]
    columns: dict[str, object] = {
        "depth": np.full(len(rows), one.depth),
        "train": train,
        "kept": kept,
        "frame": frame + d.batch.first,
        "time": times,
        "version": np.full(len(rows), 4 if four else 6),
        "source": texts(first, source).tolist(),
        "destination": texts(second, destination).tolist(),
        "proto": one.number.astype(np.int64),
        "id": ident[rows].astype(np.int64),
        "offset": one.piece.offset,
        "bytes": one.spans.wire - one.spans.start,
        "ip_bytes": one.spans.wire - at.start[own],
        "more": one.piece.more,
        "dont_fragment": at["ip.flags.df"][own] if four else np.zeros(len(rows), bool),
        "ttl": at["ip.ttl" if four else "ipv6.hlim"][own].astype(np.int64),
        "found": pl.Series(FOUND).gather(found),
        "other": other,
        "whole": whole,
    }
    return pl.DataFrame(columns)


def protocol(column: str = "proto") -> pl.Expr:
    """The word for a protocol number, or the number."""
    return pl.col(column).replace_strict(IPPROTO, default=pl.col(column).cast(pl.String), return_dtype=pl.String)
