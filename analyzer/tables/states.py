"""A row is a state transition of one end of a TCP connection: from which, to which, by which frame, why."""

from __future__ import annotations

import numpy as np
import polars as pl

from ..dissection import Dissection
from ..fields import Field, flag, text, time, u16, u32, u64
from ..tcp.states import EVENTS, STATES
from . import Table
from ._columns import dtype_of
from ._ends import WHO, assumed, pair, tracked


class TABLE(Table):
    name = "states"
    description = "a state transition: which end, from, to, by which frame, why"
    columns = (
        Field("stream", u32, "Stream", "tcp.stream"),
        Field("frame", u64, "Frame"),
        Field("time", time, "Time"),
        Field("end", text, "End", "client or server"),
        Field("address", text, "Address"),
        Field("port", u16, "Port"),
        Field("before", text, "State before", "as seen here; RFC 9293"),
        Field("after", text, "State after"),
        Field("cause", text, "Cause", "what the frame was to this end"),
        Field("assumed", flag, "State before is assumed", "no SYN was seen, or this end had sent nothing yet"),
    )
    needs = frozenset({"tcp.analysis.flags"})

    def feed(self, d: Dissection) -> pl.DataFrame | None:
        s, kept = tracked(d)
        if s is None or not len(s.changes):
            return None
        rows, end, before, after, event = s.changes.T
        keep = np.isin(rows, kept)
        rows, end, before, after, event = (column[keep] for column in (rows, end, before, after, event))
        if not len(rows):
            return None
        sender = s.marked("from_client")[rows] ^ 1
        own, _ = pair(s.keys, (s["back"][rows] != 0) ^ (sender != end), rows)
        columns = (
            s["stream"][rows],
            s["frame"][rows],
            s["time"][rows],
            WHO.gather(end),
            *own,
            pl.Series(STATES).gather(before),
            pl.Series(STATES).gather(after),
            pl.Series(EVENTS).gather(event),
            np.where(end == 0, assumed(s, rows, 0), assumed(s, rows, 1)),
        )
        return pl.DataFrame([pl.Series(f.name, values).cast(dtype_of(f)) for f, values in zip(self.columns, columns, strict=True)])
