"""Pieces of datagrams as rows, collected while a trace is read; at its end, what became of each datagram."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from ..correlators import FragmentGroup
from ..correlators.fragments import FOUND, OUTCOMES, Fragments
from ..dissection import Dissection
from ..fields import texts
from ..protocols import register
from ..protocols.common.registries import IPPROTO
from ._columns import TIME

KEY = ["depth", "train"]


class Trains:
    """What a table keeps of pieces. details: 100 bytes for each; without, enough to know which were never decoded: 20."""

    def __init__(self, details: bool = True) -> None:
        self.details = details
        self.pieces: list[pl.DataFrame] = []
        self.ended: list[pl.DataFrame] = []
        self.waiting: Fragments | None = None

    def feed(self, d: Dissection) -> None:
        fragments = d.correlators["fragments"]
        assert isinstance(fragments, Fragments)
        self.waiting = fragments
        for one in fragments.groups:
            self.pieces.append(_pieces(d, one).hstack(_details(d, one)) if self.details else _pieces(d, one))
        self.ended += [_ended(depth, rows) for depth, rows in fragments.ended if len(rows)]

    @property
    def groups(self) -> list[FragmentGroup]:
        """The fragments of the last batch."""
        return self.waiting.groups if self.waiting is not None else []

    def finish(self) -> pl.DataFrame | None:
        """A row a piece, in the order of frames, with the number and the fate of its datagram; None if there was none."""
        if not self.pieces or self.waiting is None:
            return None
        ended = pl.concat([*self.ended, *(_ended(depth, rows) for depth, rows in self.waiting.unfinished())])
        pieces = pl.concat(self.pieces)
        self.pieces.clear()
        numbers = pieces.group_by(KEY).agg(pl.col("frame").min()).sort("frame", *KEY).drop("frame").with_row_index("datagram")
        pieces = pieces.join(numbers.join(ended, on=KEY, how="left"), on=KEY, maintain_order="left")
        return pieces.sort("frame", "depth", maintain_order=True)


def _made(columns: Mapping[str, tuple[np.ndarray | pl.Series, Any]]) -> pl.DataFrame:
    return pl.DataFrame([pl.Series(name, values).cast(kind) for name, (values, kind) in columns.items()])


def _ended(depth: int, rows: np.ndarray) -> pl.DataFrame:
    train, outcome, frame, length = rows.T
    made = {
        "depth": (np.full(len(rows), depth), pl.UInt8),
        "train": (train, pl.UInt32),
        "outcome": (pl.Series(OUTCOMES).gather(outcome), pl.Enum(OUTCOMES)),
        "completed_in": (frame, pl.Int64),
        "length": (length, pl.Int64),
    }
    known = (pl.when(pl.col(name) >= least).then(name) for name, least in (("completed_in", 1), ("length", 0)))
    return _made(made).with_columns(*known)


def _pieces(d: Dissection, one: FragmentGroup) -> pl.DataFrame:
    frame = one.spans.frame
    return _made(
        {
            "depth": (np.full(len(frame), one.depth), pl.UInt8),
            "train": (one.outputs[0], pl.UInt32),
            "kept": (np.ones(len(frame), bool) if d.kept is None else d.kept[frame], pl.Boolean),
            "frame": (frame + d.batch.first, pl.Int64),
            "proto": (one.number.astype(np.int64), pl.UInt8),
            "bytes": (one.spans.wire - one.spans.start, pl.UInt32),
        }
    )


def _details(d: Dissection, one: FragmentGroup) -> pl.DataFrame:
    h, rows, frame = one.headers, one.spans.row, one.spans.frame
    at, own = h, rows
    while at.protocol.addresses is None and at.parent is not None:
        own, at = at.row[own], at.parent
    four = at.protocol.name == "ip"
    ends = [_addresses(name, at[name][own]) for name in at.protocol.addresses or ()]
    ident, live = ("ip.id", "ip.ttl") if four else ("ipv6.fraghdr.ident", "ipv6.hlim")
    times = pl.Series(d.batch.time[frame])
    if d.batch.timed is not None:
        times = times.set(pl.Series(~d.batch.timed[frame]), None)
    return _made(
        {
            "time": (times, TIME),
            "version": (np.full(len(rows), 4 if four else 6), pl.UInt8),
            "source": (ends[0], pl.String),
            "destination": (ends[1], pl.String),
            "id": (h[ident][rows].astype(np.int64), pl.UInt32),
            "offset": (one.fragment.offset, pl.UInt32),
            "ip_bytes": (one.spans.wire - at.start[own], pl.UInt32),
            "more": (one.fragment.more, pl.Boolean),
            "dont_fragment": (at["ip.flags.df"][own] if four else np.zeros(len(rows), bool), pl.Boolean),
            "ttl": (at[live][own].astype(np.int64), pl.UInt8),
            "found": (pl.Series(FOUND).gather(one.outputs[1]), pl.Enum(FOUND)),
            "other": (one.outputs[2], pl.Int64),
        }
    )


def _addresses(name: str, values: np.ndarray) -> pl.Series:
    used, inverse = np.unique(values, return_inverse=True)
    return pl.Series(texts(register()[name].field, used).tolist(), dtype=pl.String).gather(inverse)


def protocol(column: str = "proto") -> pl.Expr:
    """The word for a protocol number, or the number."""
    return pl.col(column).replace_strict(IPPROTO, default=pl.col(column).cast(pl.String), return_dtype=pl.String)
