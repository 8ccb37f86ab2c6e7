"""The IP datagrams of a batch as columns, those that travelled: not what ICMP errors quote."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np

from ..conversations import words
from ..dissection import Dissection
from ..fields import Field, Headers, Layout, Reading, u64
from ._messages import Address, Links, links
from ._seen_set import mix

WORD = Layout(Field("word", u64, ""))
ICMPS, PORTED = (1, 58), (6, 17)
SECRET, *ODD = (int.from_bytes(os.urandom(8)) | 1 for _ in range(3))  # odd, so that multiplying loses nothing


@dataclass
class Sent:
    """Datagrams in the order of their frames; arrays of shape (n,).

    row: int64, frame in the batch. ends: uint64 (n, 4), source and destination in two words each. six: bool. proto, ttl, id
    (0: IPv6), size (bytes), offset (of a piece): int64. whole: bool, neither a piece nor allowed to become some: DF, or IPv6. word:
    uint64, the first eight bytes carried. tells: int64, ports of TCP and UDP, identifier and sequence number of ICMP, else 0.
    """

    row: np.ndarray
    ends: np.ndarray
    six: np.ndarray
    proto: np.ndarray
    ttl: np.ndarray
    id: np.ndarray
    size: np.ndarray
    offset: np.ndarray
    whole: np.ndarray
    word: np.ndarray
    tells: np.ndarray
    links: Links

    def __len__(self) -> int:
        return len(self.row)


def sent(d: Dissection) -> Sent:
    """The datagrams of a batch, all that a filter saw."""
    if "sent" not in d.shared:
        d.shared["sent"] = _sent(d)
    found: Sent = d.shared["sent"]
    return found


def _sent(d: Dissection) -> Sent:
    parts = [_columns(h) for name in ("ip", "ipv6") for h in d.chunks.get(name, ())]
    on = links(d)
    if not parts:
        none = np.empty(0, np.int64)
        some = np.empty(0, bool)
        words = np.empty(0, np.uint64)
        return Sent(none, np.empty((0, 4), np.uint64), some, none, none, none, none, none, some, words, none, on)
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    order = np.argsort(columns[0], kind="stable")
    row, ends, six, proto, ttl, ids, size, offset, whole, word, tells = (column[order] for column in columns)
    return Sent(row, ends, six, proto, ttl, ids, size, offset, whole, word, tells, on)


def _columns(h: Headers) -> tuple[np.ndarray, ...]:
    rows = np.flatnonzero(h.whole & ~h.quoted)
    six = h.protocol.name == "ipv6"
    assert h.protocol.addresses is not None
    ends = np.zeros((len(rows), 4), np.uint64)
    for at, name in zip((0, 2), h.protocol.addresses, strict=True):
        high, low = words(h, name)
        ends[:, at + 1] = low[rows]
        if high is not None:
            ends[:, at] = high[rows]
    names = ("ipv6.nxt", "ipv6.hlim") if six else ("ip.proto", "ip.ttl")
    proto, ttl = (h[name][rows].astype(np.int64) for name in names)
    size = h.wire[rows] - h.start[rows] if six else h["ip.len"][rows].astype(np.int64)
    if six:
        size = np.where(h["ipv6.plen"][rows] > 0, h["ipv6.plen"][rows].astype(np.int64) + h.layout.size, size)
    none = np.zeros(len(rows), np.int64)
    offset = none if six else h["ip.frag_offset"][rows].astype(np.int64)
    start = h.start[rows] + (h.layout.size if six else h["ip.hdr_len"][rows])
    end = np.minimum(h.end[rows], h.start[rows] + size)
    word = Reading(WORD, h.buffer, start, end)["word"]
    tells = np.where(np.isin(proto, PORTED), word >> np.uint64(32), np.where(np.isin(proto, ICMPS), word & np.uint64(0xFFFFFFFF), 0))
    return (
        h.frame[rows],
        ends,
        np.full(len(rows), six),
        proto,
        ttl,
        none if six else h["ip.id"][rows].astype(np.int64),
        size,
        offset,
        np.full(len(rows), True) if six else h["ip.flags.df"][rows],
        word,
        np.where(offset == 0, tells, 0).astype(np.int64),
    )


def mixed(ends: np.ndarray, *more: np.ndarray) -> np.ndarray:
    """Numbers (uint64) that are the same for the same ends and columns, and hardly ever for others, which nobody can craft."""
    found = np.full(len(ends), SECRET, np.uint64)
    for column in (*ends.T, *more):
        mix(found.data, np.ascontiguousarray(column).astype(np.uint64, copy=False).data, *ODD)
    return found


def pair(source: Address, destination: Address) -> tuple[int, int, int, int]:
    """Two addresses as words, like a row of `Sent.ends`."""
    return (*_split(source), *_split(destination))


def _split(address: Address) -> tuple[int, int]:
    if isinstance(address, bytes):
        return int.from_bytes(address[:8], "big"), int.from_bytes(address[8:], "big")
    return 0, address or 0
