"""Feeds `_figures.Figures`: from headers to the rows of `_figures.EXTRA_INPUT`."""

from __future__ import annotations

import numpy as np

from ._figures import EXTRA_INPUT, Figures
from .tracker import Segments

NEEDS = frozenset({"tcp.stream", "tcp.analysis.flags", "tcp.options.sack.dsack_le"})


def feed(figures: Figures, s: Segments, which: np.ndarray, size: np.ndarray) -> None:
    """Add the segments of a batch.

    which: int64 (m,), the segments to add. size: int64 (n,), bytes of the IP datagram of every segment.
    """
    captured = []
    for h in s.chunks:
        data = h.start + h["tcp.hdr_len"]
        captured.append(np.clip(np.minimum(h.end, h.wire) - data, 0, None))
    rows = {
        "captured": s.ordered(captured),
        "urgent": s.column("tcp.urgent_pointer"),
        "mss": s.column("tcp.options.mss_val", -1),
        "sack_permitted": s.counts("tcp.options.sack_perm") > 0,
        "timestamps": s.counts("tcp.options.timestamp.tsval") > 0,
        "sack_option": s.counts("tcp.options.sack.count") > 0,
        "dsack": s.counts("tcp.options.sack.dsack_le") > 0,
        "ip_length": size,
    }
    extra = np.stack([rows[name] for name in EXTRA_INPUT], dtype=np.int64)
    figures.feed(s.keys, which.data, s.inputs.data, extra.data, s.outputs.data)
