"""A row is a sequence of protocols, with the frames that have it and their bytes, as in tshark's io,phs."""

from __future__ import annotations

import numpy as np
import polars as pl

from ..capture import Source
from ..dissection import Dissection
from ..fields import Field, text, u32, u64
from . import Table

MOST = 10_000  # sequences that are counted apart; hostile traffic could hold any number


class TABLE(Table):
    name = "hierarchy"
    description = "a protocol path, with the frames that have it and their bytes"
    columns = (
        Field("path", text, "Path", "headers from the outermost on"),
        Field("protocol", text, "Protocol", "the last of them"),
        Field("depth", u32, "Depth", "from 1"),
        Field("frames", u64, "Frames"),
        Field("bytes", u64, "Bytes", "frame.len of these frames"),
    )

    needs = frozenset({"frame.protocols"})

    def __init__(self) -> None:
        self.counts: dict[tuple[str, ...], list[int]] = {}

    def feed(self, d: Dissection) -> pl.DataFrame | None:
        frames = np.bincount(d.frames.path)
        size = np.bincount(d.frames.path, d.batch.length[d.frames.frame])
        for path in np.flatnonzero(frames).tolist():
            names = tuple(name for name in d.paths.text(path).split(":") if name not in ("", "ethertype"))
            if names not in self.counts and len(self.counts) >= MOST:
                names = ("other paths",)
            count = self.counts.setdefault(names, [0, 0])
            count[0] += int(frames[path])
            count[1] += int(size[path])
        return None

    def finish(self, sources: list[Source], others: dict[str, pl.DataFrame]) -> pl.DataFrame | None:
        tree: dict[tuple[str, ...], list[int]] = {}
        for names, (frames, size) in self.counts.items():
            for depth in range(1, len(names) + 1):
                count = tree.setdefault(names[:depth], [0, 0])
                count[0] += frames
                count[1] += size

        def place(names: tuple[str, ...]) -> list[tuple[int, str]]:
            return [(-tree[names[:depth]][0], names[depth - 1]) for depth in range(1, len(names) + 1)]

        rows = [(":".join(n), n[-1], len(n), *tree[n]) for n in sorted(tree, key=place)]
        types = [pl.String, pl.String, pl.UInt32, pl.Int64, pl.Int64]
        return pl.DataFrame(rows, schema=dict(zip([f.name for f in self.columns], types)), orient="row")
