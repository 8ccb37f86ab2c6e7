"""What the figures of connections need beside what the tracker said: from headers to the matrix of `tcp_figures.MORE`."""

from __future__ import annotations

import numpy as np

from ._figures import MORE, Figures
from .tracker import Segments

NEEDS = frozenset({"tcp.stream", "tcp.analysis.flags", "tcp.options.sack.dsack_le"})


def feed(into: Figures, s: Segments, which: np.ndarray, size: np.ndarray) -> None:
    """Add the segments of a batch to the figures.

    which: int64, those that count. size: int64 (n,), bytes of each one's IP datagram.
    """
    more = np.empty((len(MORE), len(s.order)), np.int64)  # each row is given below

    def give(name: str, values: np.ndarray) -> None:
        more[MORE.index(name)] = values

    kept = []
    for h in s.chunks:
        data = h.start + h["tcp.hdr_len"]
        kept.append(np.clip(np.minimum(h.end, h.wire) - data, 0, None))
    give("kept", s.ordered(kept))
    give("ip_length", size)
    give("dsack", s.counts("tcp.options.sack.dsack_le") > 0)
    give("urgent", s.column("tcp.urgent_pointer"))
    give("mss", s.column("tcp.options.mss_val", -1))
    give("sack_permitted", s.counts("tcp.options.sack_perm") > 0)
    give("timestamps", s.counts("tcp.options.timestamp.tsval") > 0)
    give("sack_option", s.counts("tcp.options.sack.count") > 0)
    into.feed(s.keys, which.data, s.inputs.data, more.data, s.outputs.data)
