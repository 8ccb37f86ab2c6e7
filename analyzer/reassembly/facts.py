"""What the facts of connections need beside what the tracker said: hop limits, datagrams' lengths, ICMP errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .tcp_facts import MORE, Facts

if TYPE_CHECKING:
    from ..fields import Headers
    from .streams import Segments

NEEDS = frozenset({"tcp.stream", "tcp.analysis.flags"})
ERRORS = {"icmp": (3, 4, 11, 12), "icmpv6": (1, 2, 3, 4)}  # types; RFC 792, RFC 4443. A redirect is no error


def feed(into: Facts, s: Segments, which: np.ndarray, size: np.ndarray) -> None:
    """Add the segments of a batch to the facts, and what ICMP errors say of them.

    which: int64, those that count. size: int64 (n,), bytes of each one's IP datagram.
    """
    more = np.empty((len(MORE), len(s.order)), np.int64)
    more[MORE.index("ttl")] = np.maximum(s.outer("ip.ttl"), s.outer("ipv6.hlim"))
    more[MORE.index("ip_length")] = size
    errors: list[tuple[int, tuple[object, ...]]] = []
    place = np.empty(len(s.order), np.int64)
    place[s.order] = np.arange(len(s.order))
    at = 0
    for h in s.chunks:
        quoted = np.flatnonzero(h.quoted & (h.trusted >= 8))
        if len(quoted):
            errors += _errors(s, h, quoted, place[at + quoted])
        at += len(h)
    errors.sort(key=lambda one: one[0])
    done = 0
    for behind, (_, error) in zip(np.searchsorted(which, [here for here, _ in errors]).tolist(), errors):  # what follows is judged by it
        if behind > done:
            into.feed(which[done:behind].data, s.given.data, more.data, s.told.data)
            done = behind
        into.error(*error)
    into.feed(which[done:].data, s.given.data, more.data, s.told.data)


def _errors(s: Segments, h: Headers, rows: np.ndarray, place: np.ndarray) -> list[tuple[int, tuple[object, ...]]]:
    """The ICMP errors that quote the segments `rows` of a chunk, each with where that one stands among the segments (`place`)."""
    inner = at = h
    while at.protocol.name not in ERRORS:
        if at.parent is None:
            return []
        if at.protocol.addresses is not None:
            inner, inner_rows = at, rows
        rows, at = at.row[rows], at.parent
    above = at.up()
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
    told = (s["stream"][place], s["frame"][place], s["time"][place], kind << 8 | code | (name == "icmpv6") << 16, mtu[rows], same, source)
    return list(zip(place[errs].tolist(), zip(*(column[errs].tolist() for column in told), strict=True), strict=True))
