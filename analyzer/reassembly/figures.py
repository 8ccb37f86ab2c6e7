"""What the figures of connections need beside what the tracker said: from headers to the matrix of `tcp_figures.MORE`."""

from __future__ import annotations

import numpy as np

from .streams import Segments
from .tcp_figures import MORE, Figures

NEEDS = frozenset({"tcp.stream", "tcp.analysis.flags"})


def feed(into: Figures, s: Segments) -> None:
    """Add the segments of a batch to the figures; those that ICMP errors quote do not count."""
    more = np.zeros((len(MORE), len(s.order)), np.int64)

    def give(name: str, values: np.ndarray) -> None:
        more[MORE.index(name)] = values

    kept, datagram, identification, summed = [], [], [], []
    for h in s.chunks:
        data = h.start + h["tcp.hdr_len"]
        kept.append(np.clip(np.minimum(h.end, h.wire) - data, 0, None))
        net, rows = h.up() or (None, None)
        datagram.append(np.zeros(len(h), np.int64) if net is None else h.wire - net.start[rows])
        has = net is not None and net.protocol.name == "ip"
        identification.append(net["ip.id"][rows].astype(np.int64) if has and net is not None else np.full(len(h), -1))
        summed.append(h["tcp.checksum.status"] == 0 if h.checksums else np.zeros(len(h), bool))
    give("kept", np.concatenate(kept)[s.order])
    give("ip_length", np.concatenate(datagram)[s.order])
    give("identification", np.concatenate(identification)[s.order])
    give("bad_checksum", np.concatenate(summed)[s.order])
    give("urgent", s.column("tcp.urgent_pointer"))
    give("mss", s.column("tcp.options.mss_val", -1))
    give("sack_permitted", s.counts("tcp.options.sack_perm") > 0)
    give("timestamps", s.counts("tcp.options.timestamp.tsval") > 0)
    give("sack_option", s.counts("tcp.options.sack.count") > 0)
    which = np.flatnonzero(s["live"])
    into.feed(s.keys, which.data, s.given.data, more.data, s.told.data, s.sacks.data)
