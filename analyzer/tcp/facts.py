"""Feeds `_facts.Facts`: hop limits, lengths of datagrams, checksums, and the ICMP errors that quote segments."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np

from ..protocols.common.checksums import BAD, UNVERIFIED
from ._facts import EXTRA_INPUT, Facts
from .tracker import MASK

if TYPE_CHECKING:
    from ..fields import Headers
    from .tracker import Segments

NEEDS = frozenset({"tcp.stream", "tcp.analysis.flags"})
ERRORS = {"icmp": (3, 4, 11, 12), "icmpv6": (1, 2, 3, 4)}  # types; RFC 792, RFC 4443; a redirect is no error
FRAME = itemgetter(1)  # of the arguments of `Facts.error`


def feed(facts: Facts, s: Segments, which: np.ndarray, size: np.ndarray) -> None:
    """Add the segments of a batch, and the ICMP errors that quote segments, in the order of their frames.

    which: int64 (m,), the segments to add. size: int64 (n,), bytes of the IP datagram of every segment.
    """
    extra = np.empty((len(EXTRA_INPUT), len(s.order)), np.int64)
    extra[EXTRA_INPUT.index("ttl")] = np.maximum(s.outer("ip.ttl"), s.outer("ipv6.hlim"))
    extra[EXTRA_INPUT.index("ip_length")] = size
    verified = s.chunks[0].checksums if s.chunks else False
    extra[EXTRA_INPUT.index("bad_checksum")] = s.column("tcp.checksum.status", UNVERIFIED) == BAD if verified else 0
    errors = _errors(s) if not s["live"].all() else []
    errors.sort(key=FRAME)
    frames = s["frame"][which]
    at = 0
    for error, end in zip(errors, np.searchsorted(frames, [FRAME(error) for error in errors]).tolist(), strict=True):
        facts.feed(which[at:end].data, s.inputs.data, extra.data, s.outputs.data)
        facts.error(*error)
        at = end
    facts.feed(which[at:].data, s.inputs.data, extra.data, s.outputs.data)


def _errors(s: Segments) -> list[tuple]:
    """The ICMP errors that quote segments of a batch, as arguments of `Facts.error`."""
    place = np.empty(sum(map(len, s.chunks)), np.int64)
    place[s.order] = np.arange(len(s.order))
    errors: list[tuple] = []
    at = 0
    for h in s.chunks:
        quoted = np.flatnonzero(h.quoted & (h.trusted >= 8))
        if len(quoted):
            errors += _quoting(s, h, quoted, place[at + quoted])
        at += len(h)
    return errors


def _quoting(s: Segments, h: Headers, rows: np.ndarray, place: np.ndarray) -> list[tuple]:
    """The ICMP errors that quote the segments `rows` of a chunk. place: int64, their indexes in `s`."""
    quoted = at = h
    while at.protocol.name not in ERRORS:
        if at.parent is None:
            return []
        if at.protocol.addresses is not None:
            quoted, quoted_rows = at, rows
        rows, at = at.row[rows], at.parent
    above = at.network_layer()
    if above is None or quoted is h:
        return []
    outer, outer_row = above
    name = at.protocol.name
    assert quoted.protocol.addresses is not None and outer.protocol.addresses is not None
    kind, code = at[f"{name}.type"][rows].astype(np.int64), at[f"{name}.code"][rows].astype(np.int64)
    mtu = np.zeros(len(at), np.int64)
    values, where = at.column(f"{name}.mtu")
    mtu[slice(None) if where is None else where] = values
    source = outer[outer.protocol.addresses[0]][outer_row[rows]]
    from_peer = quoted[quoted.protocol.addresses[1]][quoted_rows] == source
    errors = np.isin(kind, ERRORS[name])
    segment = s["stream"][place], s["frame"][place], s["time"][place]
    number = s["back"][place] != 0, s["seq"][place] - s["own"][place] & MASK
    columns = (*segment, *number, kind << 8 | code | (name == "icmpv6") << 16, mtu[rows], from_peer, source)
    return list(zip(*(column[errors].tolist() for column in columns), strict=True))
