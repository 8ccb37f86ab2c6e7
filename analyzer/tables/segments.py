"""A row is a TCP segment: its relative numbers, the states of both ends before and after it, what is unusual."""

from __future__ import annotations

import numpy as np
import polars as pl

from ..dissection import Dissection
from ..fields import Field, flag, signed, text, time, u16, u32, u64
from ..protocols import register
from ..protocols.tcp import flag_texts
from ..tcp._tracker import MARKS
from ..tcp.tracker import MARKED
from . import Table
from ._columns import dtype_of
from ._ends import WHO, assumed, pair, state, tracked

REPLACED = {  # of tcp.analysis: tcp.judged has its own word for these
    "retransmission",
    "fast_retransmission",
    "spurious_retransmission",
    "out_of_order",
    "lost_segment",
    "ack_lost_segment",
    "keep_alive",
    "zero_window_probe",
}
UNUSUAL = {
    name: label[0].lower() + label[1:] if (label := register()[field].field.label)[1].islower() else label
    for name, field in MARKED.items()
    if ".connection." not in field and name not in REPLACED
}


def _unusual(marks: np.ndarray) -> pl.Series:
    """The labels of each segment's unusual marks, null for most."""
    bits = {1 << MARKS.index(name): label for name, label in UNUSUAL.items()}
    used, inverse = np.unique(marks & sum(bits), return_inverse=True)
    texts = [", ".join(label for bit, label in bits.items() if value & bit) or None for value in used.tolist()]
    return pl.Series(texts, dtype=pl.String).gather(inverse)


class TABLE(Table):
    name = "segments"
    description = "a TCP segment: relative numbers, flags, state of both ends before and after, findings"
    columns = (
        Field("frame", u64, "Frame"),
        Field("time", time, "Time"),
        Field("stream", u32, "Stream", "tcp.stream"),
        Field("end", text, "Sent by", "client or server"),
        Field("source", text, "Source"),
        Field("source_port", u16, "Source port"),
        Field("destination", text, "Destination"),
        Field("destination_port", u16, "Destination port"),
        Field("flags", text, "Flags"),
        Field("seq", signed, "Sequence number", "counted from the SYN, over any number of wraps; below 0 before the first that was seen"),
        Field("ack", signed, "Acknowledgment number", "the same, of the other direction"),
        Field("bytes", u32, "Bytes of data"),
        Field("window", u64, "Window", "bytes, scaled"),
        Field("client_before", text, "Client's state before", "as seen here; RFC 9293"),
        Field("client_after", text, "Client's state after"),
        Field("server_before", text, "Server's state before"),
        Field("server_after", text, "Server's state after"),
        Field("client_assumed", flag, "Client's state is assumed", "no SYN was seen, or this end has sent nothing yet"),
        Field("server_assumed", flag, "Server's state is assumed"),
        Field("findings", text, "Findings", "what tcp.judged says, and of tcp.analysis what that does not judge"),
    )
    needs = frozenset({"tcp.analysis.flags"})

    def feed(self, d: Dissection) -> pl.DataFrame | None:
        s, rows = tracked(d)
        if s is None or not len(rows):
            return None
        back, packed, flags = s["back"][rows] != 0, s["states"][rows], s["flags"][rows]
        source, destination = pair(s.keys, back, rows)
        shift = np.where(flags & 2 == 0, np.maximum(s["shift"][rows], 0), 0)
        times, acks = pl.Series(s["time"][rows]), pl.Series(s["acked"][rows])
        if d.batch.timed is not None:
            times = times.set(pl.Series(~d.batch.timed[s.frame[rows]]), None)
        values = (
            s["frame"][rows],
            times,
            s["stream"][rows],
            WHO.gather(s.marked("from_client")[rows] ^ 1),
            *source,
            *destination,
            pl.Series(flag_texts()[0].tolist(), dtype=pl.String).gather(flags),
            s["position"][rows],
            acks.set(pl.Series(flags & 16 == 0), None),
            s["length"][rows],
            s["window"][rows] << shift,
            *(state(packed, shift) for shift in (0, 8, 4, 12)),
            assumed(s, rows, 0),
            assumed(s, rows, 1),
            _unusual(s["marks"][rows]),
        )
        columns = [pl.Series(f.name, column).cast(dtype_of(f)) for f, column in zip(self.columns, values, strict=True)]
        return pl.DataFrame(columns)
