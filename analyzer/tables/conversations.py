"""A row is a pair of addresses (with ports, for UDP, TCP and SCTP) that frames went between, each way."""

from __future__ import annotations

import numpy as np
import polars as pl

from .._conversations import Numbers
from ..capture import Source
from ..conversations import KEY, in_order, pairs
from ..dissection import Dissection
from ..fields import Field, Headers, seconds, text, time, u16, u32, u64
from . import Table
from ._columns import SPAN, TIME
from ._ends import addresses, joined

LAYERS = ("eth", "ip", "ipv6", "udp", "tcp", "sctp")
STREAMS = {"udp": "udp.stream", "tcp": "tcp.stream"}
PORTED = {"udp": 4, "tcp": 8, "sctp": 4}  # bytes of a header that are enough to tell its conversation
PORTS = ("sctp.srcport", "sctp.dstport")
FAR = np.iinfo(np.int64)


class _Tally:
    """Frames and bytes of each conversation of one layer, by its number. Direction 0 is that of its first frame."""

    def __init__(self) -> None:
        self.size = 0
        self.key = np.zeros((0, KEY // 8), np.uint64)
        self.counts = np.zeros((0, 4), np.int64)  # frames and bytes there, frames and bytes back
        self.first = np.zeros((0, 4), np.int64)  # first frame (0: none yet), direction of the first frame, first time, last time

    def add(
        self,
        number: np.ndarray,
        key: np.ndarray,
        rows: np.ndarray | slice,
        back: np.ndarray,
        frame: np.ndarray,
        size: np.ndarray,
        when: np.ndarray,
        timed: np.ndarray | None,
    ) -> None:
        """Count headers: their conversations' numbers, keys (of header rows[i] each), directions, frames, bytes, times."""
        most = int(number.max()) + 1 if len(number) else 0
        if most > len(self.key):
            room = max(2 * len(self.key), most, 1024)
            for name in ("key", "counts", "first"):
                old = getattr(self, name)
                grown = np.zeros((room, old.shape[1]), old.dtype)
                grown[: len(old)] = old
                setattr(self, name, grown)
            self.first[self.size :, 2], self.first[self.size :, 3] = FAR.max, FAR.min
        self.size = max(self.size, most)
        fresh = np.flatnonzero(self.first[number, 0] == 0)
        if len(fresh):
            new, at = np.unique(number[fresh], return_index=True)
            at = fresh[at]
            self.key[new] = np.ascontiguousarray(key[at if isinstance(rows, slice) else rows[at]]).view(np.uint64).reshape(-1, KEY // 8)
            self.first[new, 0], self.first[new, 1] = frame[at], back[at]
        direction = back != self.first[number, 1].astype(bool)
        np.add.at(self.counts.reshape(-1), number * 4 + direction * 2, 1)
        np.add.at(self.counts.reshape(-1), number * 4 + direction * 2 + 1, size)
        if timed is not None:
            number, when = number[timed], when[timed]
        np.minimum.at(self.first[:, 2], number, when)
        np.maximum.at(self.first[:, 3], number, when)


class TABLE(Table):
    name = "conversations"
    description = "a pair of addresses (and ports) that frames went between; a is who sent the first frame"
    columns = (
        Field("protocol", text, "Layer", "eth, ip, ipv6, udp, tcp or sctp"),
        Field("stream", u32, "Stream", "udp.stream or tcp.stream"),
        Field("address_a", text, "Address A"),
        Field("port_a", u16, "Port A"),
        Field("address_b", text, "Address B"),
        Field("port_b", u16, "Port B"),
        Field("frames", u64, "Frames"),
        Field("bytes", u64, "Bytes", "frame.len of these frames"),
        Field("frames_ab", u64, "Frames A → B"),
        Field("bytes_ab", u64, "Bytes A → B"),
        Field("frames_ba", u64, "Frames B → A"),
        Field("bytes_ba", u64, "Bytes B → A"),
        Field("first_frame", u64, "First frame"),
        Field("start", time, "Start"),
        Field("duration", seconds, "Duration", "first to last frame"),
    )
    needs = frozenset(STREAMS.values())

    def __init__(self) -> None:
        self.numbers = {layer: Numbers() for layer in LAYERS}
        self.tallies = {layer: _Tally() for layer in LAYERS}

    def feed(self, d: Dissection) -> pl.DataFrame | None:
        for layer in LAYERS:
            chunks = d.chunks.get(layer)
            if chunks:
                self._add(d, layer, chunks)
        return None

    def _add(self, d: Dissection, layer: str, chunks: list[Headers]) -> None:
        needs = PORTED.get(layer, chunks[0].layout.size)
        made = [h.conversation if layer in STREAMS and h.conversation else pairs(h, PORTS if layer in PORTED else None) for h in chunks]
        key, back, frame, keep = (
            joined(column)
            for column in zip(*((*pair, h.frame, (h.trusted >= needs) & ~h.quoted) for pair, h in zip(made, chunks, strict=True)))
        )
        rows: np.ndarray | slice = slice(None)
        if len(chunks) > 1 or not keep.all():
            rows = in_order(chunks)
            rows = rows[keep[rows]]
        back, frame = back[rows], frame[rows]
        if not len(frame):
            return
        if layer in STREAMS:
            number = joined([h[STREAMS[layer]] for h in chunks])[rows].astype(np.int64)
        else:
            number = np.empty(len(frame), np.int64)
            if layer in ("eth", "ip"):  # only two words of the key are not zero
                key16 = np.ascontiguousarray(key.view(np.uint64).reshape(-1, KEY // 8)[:, 1:4:2])
                columns = key16.view("V16").reshape(-1)
            else:
                columns = key
            self.numbers[layer].number(columns[rows].tolist(), number.data)
        batch = d.batch
        timed = None if batch.timed is None else batch.timed[frame]
        self.tallies[layer].add(number, key, rows, back, frame + batch.first, batch.length[frame], batch.time[frame], timed)

    def finish(self, sources: list[Source], others: dict[str, pl.DataFrame]) -> pl.DataFrame | None:
        return pl.concat([self._frame(layer, tally) for layer, tally in self.tallies.items()])

    def _frame(self, layer: str, tally: _Tally) -> pl.DataFrame:
        there = np.flatnonzero(tally.first[: tally.size, 0])
        there = there[np.argsort(tally.first[there, 0], kind="stable")]
        key, counts, (first, back, start, last) = tally.key[there], tally.counts[there], tally.first[there].T
        swap = back.astype(bool)
        words, ports = key[:, :4].copy(), key[:, 4].copy()
        words[swap] = words[swap][:, [2, 3, 0, 1]]
        low, high = ports & np.uint64(0xFFFF), ports >> np.uint64(16) & np.uint64(0xFFFF)
        ends = [addresses(layer, words[:, side : side + 2], ports >> np.uint64(32) > 0) for side in (0, 2)]
        streamed, ported = layer in STREAMS, layer in PORTED
        timed = pl.Series(last >= start)
        columns = {
            "protocol": pl.Series([layer], dtype=pl.String).new_from_index(0, len(there)) if len(there) else pl.Series([], dtype=pl.String),
            "stream": pl.Series(there, dtype=pl.UInt32) if streamed else None,
            "address_a": ends[0],
            "port_a": pl.Series(np.where(swap, low, high)).cast(pl.UInt16) if ported else None,
            "address_b": ends[1],
            "port_b": pl.Series(np.where(swap, high, low)).cast(pl.UInt16) if ported else None,
            "frames": counts[:, 0] + counts[:, 2],
            "bytes": counts[:, 1] + counts[:, 3],
            "frames_ab": counts[:, 0],
            "bytes_ab": counts[:, 1],
            "frames_ba": counts[:, 2],
            "bytes_ba": counts[:, 3],
            "first_frame": first,
            "start": pl.Series(start).set(~timed, None).cast(TIME),
            "duration": pl.Series(np.where(last >= start, last - start, 0)).set(~timed, None).cast(SPAN),
        }
        empty = {"stream": pl.UInt32, "port_a": pl.UInt16, "port_b": pl.UInt16}
        made = {n: pl.Series([None] * len(there), dtype=empty[n]) if c is None else pl.Series(c) for n, c in columns.items()}
        return pl.DataFrame([column.alias(name) for name, column in made.items()])
