"""A row is a kind of data without a decoder: the number that announces it, and how much of it there was."""

from __future__ import annotations

import numpy as np
import polars as pl

from ..capture import Source
from ..dissection import Dissection, Undecoded
from ..fields import Field, text, u32, u64
from ..protocols import protocols
from ..protocols.common.registries import ETHERTYPE, IPPROTO
from ..tcp.messages import Messages
from . import Table
from ._fragment_rows import FragmentRows

MOST = 70_000  # rows: more than a number space of 16 bits
NAMES = {"ethertype": ETHERTYPE, "gre.proto": ETHERTYPE, "ipproto": IPPROTO, "fragment": IPPROTO}
LABELS = {
    "802.3": "802.3 frame (LLC)",
    "fragment": "piece of a datagram that never was whole",
    "linktype": "link type",
    "sctp.fragment": "piece of a message over SCTP, payload protocol",
    "sctp.ppi": "data over SCTP, payload protocol",
    "tcp.port": "data over TCP, port",
    "udp.port": "data over UDP, port",
}


class TABLE(Table):
    name = "undecoded"
    description = "data without a decoder: where it was found, and how much"
    columns = (
        Field("space", text, "Space", "number space: ethertype, ipproto, tcp.port …; of two ports the lower"),
        Field("number", u32, "Number"),
        Field("what", text, "What"),
        Field("frames", u64, "Frames"),
        Field("bytes", u64, "Bytes", "of the payload, as on the wire"),
        Field("first_frame", u64, "First frame"),
    )

    needs = frozenset({"data.len"})

    def __init__(self) -> None:
        self.counts: dict[tuple[str, int], list[int]] = {}
        self.fragments = FragmentRows(details=False)
        self.messages: Messages | None = None

    def feed(self, d: Dissection) -> pl.DataFrame | None:
        self.fragments.feed(d)
        self.messages = d.messages
        for group in d.undecoded:
            self._add(group, d.batch.first)
        return None

    def _add(self, group: Undecoded, first_frame: int) -> None:
        used, first, inverse, count = np.unique(group.number, return_index=True, return_inverse=True, return_counts=True)
        size = np.bincount(inverse, group.size)
        for number, at, n, b in zip(used.tolist(), first.tolist(), count.tolist(), size.tolist()):
            key = (group.space, number)
            if key not in self.counts and len(self.counts) >= MOST:
                key = ("other", 0)
            frame = int(group.frame[at]) + first_frame
            row = self.counts.setdefault(key, [0, 0, frame])
            row[0] += n
            row[1] += int(b)
            row[2] = min(row[2], frame)

    def finish(self, sources: list[Source], others: dict[str, pl.DataFrame]) -> pl.DataFrame | None:
        if (fragments := self.fragments.finish()) is not None:
            unfinished = (
                fragments.filter("kept", pl.col("completed_in").is_null())
                .group_by("proto")
                .agg(pl.len(), pl.col("bytes").sum(), pl.col("frame").min())
            )
            self.counts |= {("fragment", proto): [frames, size, first] for proto, frames, size, first in unfinished.iter_rows()}
        for protocol, frames, sizes in self.messages.left() if self.messages else ():
            self._add(Undecoded("stream", np.full(len(frames), protocol), frames, sizes), 0)
        rows: list[tuple[str, int | None, str, int, int, int]] = []
        for (space, number), (count, size, first) in sorted(self.counts.items(), key=lambda item: (-item[1][0], item[1][2], item[0])):
            name = NAMES.get(space, {}).get(number)
            shown = f"0x{number:04x}" if NAMES.get(space) is ETHERTYPE else str(number)
            what = LABELS[space] if space == "802.3" else f"{LABELS.get(space, space)} {shown}" + (f" ({name})" if name else "")
            if space == "stream":  # the number is ours
                what = f"{list(protocols().values())[number].label} in a TCP stream, in no message"
            rows.append((space, None if space == "stream" else number, what, count, size, first))
        types = [pl.String, pl.UInt32, pl.String, pl.Int64, pl.Int64, pl.Int64]
        return pl.DataFrame(rows, schema=dict(zip([f.name for f in self.columns], types)), orient="row")
