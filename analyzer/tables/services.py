"""A row is a conversation of TCP or UDP: which service its port says, which its bytes say, and as what it was decoded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from ..dissect import Dissection
from ..fields import Field, text, u16, u32, u64
from ..protocols import protocols
from . import Table
from ._columns import dtype_of

if TYPE_CHECKING:
    from ..capture import Source


class TABLE(Table):
    name = "services"
    about = "what a conversation speaks: by its port, by its bytes, as decoded"
    columns = (
        Field("protocol", text, "Layer", "tcp or udp"),
        Field("stream", u32, "Stream", "tcp.stream or udp.stream"),
        Field("address_a", text, "Address A", "who sent the first frame"),
        Field("port_a", u16, "Port A"),
        Field("address_b", text, "Address B"),
        Field("port_b", u16, "Port B"),
        Field("by_port", text, "By its port", "the service whose port one of them is"),
        Field("by_bytes", text, "By its bytes", "the service whose grammar the first bytes agree with"),
        Field("service", text, "Decoded as", "-d before what others announced, before the port where the bytes agree, before the bytes"),
        Field("frames", u64, "Frames"),
    )
    needs = frozenset({"frame.protocols", "data.len", "tcp.stream", "udp.stream"})
    after = ("conversations",)

    def __init__(self) -> None:
        self.last: Dissection | None = None
        self.udp: dict[int, tuple[str | None, str | None]] = {}
        self.spoken: dict[int, str] = {}  # what a stream of UDP was first decoded as

    def feed(self, d: Dissection) -> pl.DataFrame | None:
        self.last = d
        self._udp(d)
        return None

    def _udp(self, d: Dissection) -> None:
        """What the datagrams speak, of each stream the first that speaks something."""
        assert d.guesses is not None
        for h in d.chunks.get("udp", ()):
            stream = h["udp.stream"].astype(np.int64)
            rows = np.flatnonzero(~h.quoted & (h.trusted == h.layout.size))
            used, first = np.unique(stream[rows], return_index=True)
            new = [(number, int(rows[at])) for number, at in zip(used.tolist(), first.tolist()) if number not in self.udp]
            if new:
                self.udp |= zip((number for number, _ in new), d.guesses(h, np.array([at for _, at in new])))
        found: dict[int, tuple[int, str]] = {}
        for child in d.order:
            udp = child.parent
            if udp is None or udp.protocol.name != "udp" or child.protocol.name == "data":
                continue
            rows = np.flatnonzero(~child.quoted)
            used, first = np.unique(udp["udp.stream"].astype(np.int64)[child.row[rows]], return_index=True)
            for number, at in zip(used.tolist(), child.frame[rows[first]].tolist()):
                found[number] = min(found.get(number, (at, child.protocol.shown)), (at, child.protocol.shown))
        self.spoken = {number: name for number, (_, name) in found.items()} | self.spoken

    def finish(self, sources: list[Source], others: dict[str, pl.DataFrame]) -> pl.DataFrame | None:
        names = [p.shown for p in protocols().values()]
        rows: list[tuple[str, int, str | None, str | None, str | None]] = []
        messages = self.last.messages if self.last is not None else None
        if messages is not None:
            for stream, (port, said, service) in enumerate(zip(*messages.guesses.tolist(), messages.service.tolist())):
                if port >= 0 or said >= 0 or service >= 0:
                    shown = [names[n] if n >= 0 else None for n in (port, said, service)]
                    rows.append(("tcp", stream, shown[0], shown[1], shown[2]))
        rows += [("udp", stream, port, said, self.spoken.get(stream)) for stream, (port, said) in self.udp.items()]
        schema = {"protocol": pl.String, "stream": pl.UInt32, "by_port": pl.String, "by_bytes": pl.String, "service": pl.String}
        made = pl.DataFrame(rows, schema=schema, orient="row")
        talks = others["conversations"].filter(pl.col("protocol").is_in(["tcp", "udp"]))
        joined = talks.join(made, on=("protocol", "stream"), how="left", maintain_order="left")
        return joined.select(pl.col(f.name).cast(dtype_of(f)) for f in self.columns)
