"""What the facts of connections need beside what the tracker said: hop limits, datagrams' lengths, ICMP errors."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np

from ..protocols.common.checksums import BAD, UNVERIFIED
from ._facts import MORE, Facts
from .tracker import MASK

if TYPE_CHECKING:
    from ..fields import Headers
    from .tracker import Segments

NEEDS = frozenset({"tcp.stream", "tcp.analysis.flags"})
ERRORS = {"icmp": (3, 4, 11, 12), "icmpv6": (1, 2, 3, 4)}  # types; RFC 792, RFC 4443. A redirect is no error
FRAME = itemgetter(1)  # of an error, as `Facts.error` takes it


def feed(into: Facts, s: Segments, which: np.ndarray, size: np.ndarray) -> None:
    """Add the segments of a batch to the facts, and what ICMP errors say of them, in the order of their frames.

    which: int64, those that count. size: int64 (n,), bytes of each one's IP datagram.
    """
    more = np.empty((len(MORE), len(s.order)), np.int64)
    more[MORE.index("ttl")] = np.maximum(s.outer("ip.ttl"), s.outer("ipv6.hlim"))
    more[MORE.index("ip_length")] = size
    verified = s.chunks[0].checksums if s.chunks else False
    more[MORE.index("bad")] = s.column("tcp.checksum.status", UNVERIFIED) == BAD if verified else 0
    errors = _errors(s) if not s["live"].all() else []
    errors.sort(key=FRAME)
    frames = s["frame"][which]
    at = 0
    for one, end in zip(errors, np.searchsorted(frames, [FRAME(one) for one in errors]).tolist(), strict=True):
        into.feed(which[at:end].data, s.inputs.data, more.data, s.outputs.data)
        into.error(*one)
        at = end
    into.feed(which[at:].data, s.inputs.data, more.data, s.outputs.data)


def _errors(s: Segments) -> list[tuple]:
    """The ICMP errors that quote segments of a batch, as `Facts.error` takes them."""
    place = np.empty(sum(map(len, s.chunks)), np.int64)
    place[s.order] = np.arange(len(s.order))
    found: list[tuple] = []
    at = 0
    for h in s.chunks:
        quoted = np.flatnonzero(h.quoted & (h.trusted >= 8))
        if len(quoted):
            found += _quoting(s, h, quoted, place[at + quoted])
        at += len(h)
    return found


def _quoting(s: Segments, h: Headers, rows: np.ndarray, place: np.ndarray) -> list[tuple]:
    """The ICMP errors that quote the segments `rows` of a chunk, as `Facts.error` takes them.

    place: where those stand among the segments.
    """
    inner = at = h
    while at.protocol.name not in ERRORS:
        if at.parent is None:
            return []
        if at.protocol.addresses is not None:
            inner, inner_rows = at, rows
        rows, at = at.row[rows], at.parent
    above = at.network_layer()
    if above is None or inner is h:
        return []
    outer, up = above
    name = at.protocol.name
    assert inner.protocol.addresses is not None and outer.protocol.addresses is not None
    kind, code = at[f"{name}.type"][rows].astype(np.int64), at[f"{name}.code"][rows].astype(np.int64)
    mtu = np.zeros(len(at), np.int64)
    found, where = at.column(f"{name}.mtu")
    mtu[slice(None) if where is None else where] = found
    source = outer[outer.protocol.addresses[0]][up[rows]]
    same = inner[inner.protocol.addresses[1]][inner_rows] == source
    errs = np.isin(kind, ERRORS[name])
    when = s["stream"][place], s["frame"][place], s["time"][place]
    what = s["back"][place] != 0, s["seq"][place] - s["own"][place] & MASK
    told = (*when, *what, kind << 8 | code | (name == "icmpv6") << 16, mtu[rows], same, source)
    return list(zip(*(column[errs].tolist() for column in told), strict=True))
