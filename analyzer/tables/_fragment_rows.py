"""IP fragments as rows, collected while a trace is read; at its end, with the outcome of their datagrams."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from ..correlators import FragmentGroup
from ..correlators.fragments import OUTCOMES, STATUSES, Fragments
from ..dissection import Dissection
from ..fields import texts
from ..protocols import register
from ..protocols.common.registries import IPPROTO
from ._columns import TIME
from ._ip_datagrams import frame_times, shown

KEY = ["depth", "train"]


class FragmentRows:
    """Collects fragments. details: all columns, 100 bytes for each fragment; else those that tell which were never decoded, 20 bytes."""

    def __init__(self, details: bool = True) -> None:
        self.details = details
        self.fragments: list[pl.DataFrame] = []
        self.ended: list[pl.DataFrame] = []
        self.source: Fragments | None = None
        self.groups: list[FragmentGroup] = []  # of the last batch

    def feed(self, d: Dissection) -> None:
        fragments = d.correlators["fragments"]
        assert isinstance(fragments, Fragments)
        self.source, self.groups = fragments, fragments.groups
        for group in self.groups:
            self.fragments.append(_fragments(d, group).hstack(_details(d, group)) if self.details else _fragments(d, group))
        self.ended += [_ended(depth, rows) for depth, rows in fragments.ended if len(rows)]

    def finish(self) -> pl.DataFrame | None:
        """A row for each fragment in the order of frames, with number and outcome of its datagram; None if there was none."""
        if not self.fragments or self.source is None:
            return None
        ended = pl.concat([*self.ended, *(_ended(depth, rows) for depth, rows in self.source.unfinished())])
        fragments = pl.concat(self.fragments)
        self.fragments.clear()
        numbers = fragments.group_by(KEY).agg(pl.col("frame").min()).sort("frame", *KEY).drop("frame").with_row_index("datagram")
        fragments = fragments.join(numbers.join(ended, on=KEY, how="left"), on=KEY, maintain_order="left")
        return fragments.sort("frame", "depth", maintain_order=True)


def _frame(columns: Mapping[str, tuple[np.ndarray | pl.Series, Any]]) -> pl.DataFrame:
    """A frame of these columns, each with its type."""
    return pl.DataFrame([pl.Series(name, values).cast(kind) for name, (values, kind) in columns.items()])


def _ended(depth: int, rows: np.ndarray) -> pl.DataFrame:
    train, outcome, frame, length = rows.T
    columns = {
        "depth": (np.full(len(rows), depth), pl.UInt8),
        "train": (train, pl.UInt32),
        "outcome": (pl.Series(OUTCOMES).gather(outcome), pl.Enum(OUTCOMES)),
        "completed_in": (frame, pl.Int64),
        "length": (length, pl.Int64),
    }
    known = (pl.when(pl.col(name) >= least).then(name) for name, least in (("completed_in", 1), ("length", 0)))
    return _frame(columns).with_columns(*known)


def _fragments(d: Dissection, group: FragmentGroup) -> pl.DataFrame:
    frame = group.spans.frame
    return _frame(
        {
            "depth": (np.full(len(frame), group.depth), pl.UInt8),
            "train": (group.outputs[0], pl.UInt32),
            "kept": (shown(d, frame), pl.Boolean),
            "frame": (frame + d.batch.first, pl.Int64),
            "proto": (group.number.astype(np.int64), pl.UInt8),
            "bytes": (group.spans.wire - group.spans.start, pl.UInt32),
        }
    )


def _details(d: Dissection, group: FragmentGroup) -> pl.DataFrame:
    h, rows, frame = group.headers, group.spans.row, group.spans.frame
    network, own = h, rows
    while network.protocol.addresses is None and network.parent is not None:
        own, network = network.row[own], network.parent
    four = network.protocol.name == "ip"
    ends = [_addresses(name, network[name][own]) for name in network.protocol.addresses or ()]
    ident, ttl = ("ip.id", "ip.ttl") if four else ("ipv6.fraghdr.ident", "ipv6.hlim")
    return _frame(
        {
            "time": (frame_times(d, frame), TIME),
            "version": (np.full(len(rows), 4 if four else 6), pl.UInt8),
            "source": (ends[0], pl.String),
            "destination": (ends[1], pl.String),
            "id": (h[ident][rows].astype(np.int64), pl.UInt32),
            "offset": (group.fragment.offset, pl.UInt32),
            "ip_bytes": (group.spans.wire - network.start[own], pl.UInt32),
            "more": (group.fragment.more, pl.Boolean),
            "dont_fragment": (network["ip.flags.df"][own] if four else np.zeros(len(rows), bool), pl.Boolean),
            "ttl": (network[ttl][own].astype(np.int64), pl.UInt8),
            "found": (pl.Series(STATUSES).gather(group.outputs[1]), pl.Enum(STATUSES)),
            "other": (group.outputs[2], pl.Int64),
        }
    )


def _addresses(name: str, values: np.ndarray) -> pl.Series:
    used, inverse = np.unique(values, return_inverse=True)
    return pl.Series(texts(register()[name].field, used).tolist(), dtype=pl.String).gather(inverse)


def protocol(column: str = "proto") -> pl.Expr:
    """The name of a protocol number, or the number."""
    return pl.col(column).replace_strict(IPPROTO, default=pl.col(column).cast(pl.String), return_dtype=pl.String)
