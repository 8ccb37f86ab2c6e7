"""The table of a protocol: a row for each of its headers."""

from __future__ import annotations

import numpy as np
import polars as pl

from ..dissection import Dissection
from ..fields import Column, Field, Headers, flag, u16, u64
from ..protocols import protocols
from . import Table
from ._columns import series

KEY = (
    Field("frame.number", u64, "Frame"),
    Field("layer", u16, "Layer", "position in frame.protocols, from 1"),
    Field("parent", u16, "Parent", "layer of the header that carries it"),
    Field("quoted", flag, "Quoted", "inside the header that an ICMP error quotes"),
)


def key(d: Dissection, h: Headers) -> dict[str, Column]:
    """The columns KEY of these headers."""
    parent = h.parent
    parent_layer = np.zeros(len(h), np.int64) if parent is None or parent.protocol.name == "frame" else d.layer(parent)[h.row]
    return {
        "frame.number": Column(h.frame + d.batch.first),
        "layer": Column(d.layer(h)),
        "parent": Column(parent_layer[parent_layer > 0], np.flatnonzero(parent_layer)),
        "quoted": Column(h.quoted),
    }


class HeaderTable(Table):
    def __init__(self, name: str) -> None:
        protocol = protocols()[name]
        self.name = name
        self.description = f"an occurrence of this header: {protocol.description.splitlines()[0]}"
        self.columns = (*KEY, *protocol.fields())
        self.needs = frozenset({protocol.name, *(f.name for f in protocol.fields())})

    def feed(self, d: Dissection) -> pl.DataFrame | None:
        parts = []
        for h in d.chunks.get(self.name, ()):
            keys = key(d, h)
            parts.append(pl.DataFrame([series(f, keys[f.name] if f in KEY else h.column(f.name), len(h), h.buffer) for f in self.columns]))
        if not parts:
            return None
        return pl.concat(parts).sort("frame.number", "layer", maintain_order=True) if len(parts) > 1 else parts[0]
