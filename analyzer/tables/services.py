"""A row is a conversation of TCP or UDP: the service of its port, the service that its bytes match, and how it was decoded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from ..dissection import Dissection
from ..fields import Field, text, u16, u32, u64
from ..protocols import protocols
from . import Table
from ._columns import dtype_of

if TYPE_CHECKING:
    from ..capture import Source
    from ..tcp.messages import Messages

LAYERS = ("tcp", "udp")


class TABLE(Table):
    name = "services"
    description = "the service of a conversation: by its port, by its bytes, as decoded"
    columns = (
        Field("protocol", text, "Layer", "tcp or udp"),
        Field("stream", u32, "Stream", "tcp.stream or udp.stream"),
        Field("address_a", text, "Address A", "who sent the first frame"),
        Field("port_a", u16, "Port A"),
        Field("address_b", text, "Address B"),
        Field("port_b", u16, "Port B"),
        Field("by_port", text, "By its port", "service of either port"),
        Field("by_bytes", text, "By its bytes", "service whose grammar the first bytes match"),
        Field("service", text, "Decoded as", "-d, else an announcement (FTP, SDP), else the port if the bytes match, else the bytes"),
        Field("frames", u64, "Frames"),
    )
    needs = frozenset({"frame.protocols", "data.len", "tcp.stream", "udp.stream"})
    after = ("conversations",)

    def __init__(self) -> None:
        self.messages: Messages | None = None
        self.names = [p.display_name for p in protocols().values()]
        self.guessed: dict[tuple[str, int], tuple[str | None, str | None]] = {}
        self.decoded: dict[tuple[str, int], str] = {}  # the first protocol that a stream's segments or datagrams were decoded as

    def feed(self, d: Dissection) -> pl.DataFrame | None:
        """Note the guesses at the first header of each stream, and the first protocol decoded in it."""
        self.messages = d.messages
        assert d.guesses is not None
        for layer in LAYERS:
            for h in d.chunks.get(layer, ()):
                stream = h[f"{layer}.stream"].astype(np.int64)
                rows = np.flatnonzero(~h.quoted & (h.trusted == h.layout.size))
                used, first = np.unique(stream[rows], return_index=True)
                new = [(number, int(at)) for number, at in zip(used.tolist(), rows[first].tolist()) if (layer, number) not in self.guessed]
                if new:
                    self.guessed |= zip(((layer, number) for number, _ in new), d.guesses(h, np.array([at for _, at in new])))
        earliest: dict[tuple[str, int], tuple[int, str]] = {}  # frame, protocol
        for child in d.order:
            transport = child.parent
            if transport is None or transport.protocol.name not in LAYERS or child.protocol.name == "data" or child.has("direction"):
                continue
            layer = transport.protocol.name
            rows = np.flatnonzero(~child.quoted)
            used, first = np.unique(transport[f"{layer}.stream"].astype(np.int64)[child.row[rows]], return_index=True)
            for number, at in zip(used.tolist(), child.frame[rows[first]].tolist()):
                first_use = (at, child.protocol.display_name)
                earliest[layer, number] = min(earliest.get((layer, number), first_use), first_use)
        self.decoded = {key: name for key, (_, name) in earliest.items()} | self.decoded
        return None

    def _row(self, layer: str, stream: int) -> tuple[str, int, str | None, str | None, str | None]:
        by_port, by_bytes = self.guessed[layer, stream]
        decoded = self.decoded.get((layer, stream))
        if layer == "tcp" and self.messages is not None and stream < len(self.messages.service):
            matched, service = int(self.messages.guesses[1, stream]), int(self.messages.service[stream])
            by_bytes = self.names[matched] if matched >= 0 else by_bytes
            decoded = self.names[service] if service >= 0 else decoded
        return layer, stream, by_port, by_bytes, decoded

    def finish(self, sources: list[Source], others: dict[str, pl.DataFrame]) -> pl.DataFrame | None:
        rows = [self._row(*key) for key in self.guessed]
        schema = {"protocol": pl.String, "stream": pl.UInt32, "by_port": pl.String, "by_bytes": pl.String, "service": pl.String}
        guessed = pl.DataFrame(rows, schema=schema, orient="row")
        conversations = others["conversations"].filter(pl.col("protocol").is_in(LAYERS))
        joined = conversations.join(guessed, on=("protocol", "stream"), how="left", maintain_order="left")
        return joined.select(pl.col(f.name).cast(dtype_of(f)) for f in self.columns)
