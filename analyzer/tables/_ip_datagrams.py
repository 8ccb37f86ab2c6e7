"""The IP datagrams of a batch as columns, without those that ICMP errors quote; their addresses, and the link of each frame."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from ..conversations import words
from ..dissection import Dissection
from ..fields import Field, Headers, Layout, Reading, ipv4, ipv6, texts, u64
from ._seen_set import mix

WORD = Layout(Field("word", u64, ""))
ICMPS, PORTED = (1, 58), (6, 17)
SECRET, *ODD = (int.from_bytes(os.urandom(8)) | 1 for _ in range(3))  # odd, so that multiplying loses nothing
VLANS = {"vlan": "vlan.id", "ieee8021ad": "ieee8021ad.id"}

Address = int | bytes | None  # as columns have it: IPv4, IPv6, none


class Links(NamedTuple):
    """The link of each frame of a batch; int64 (frames,). id: interface and outermost VLAN as one number. source, destination: MAC
    addresses of the outermost Ethernet header, -1 where there is none."""

    id: np.ndarray
    source: np.ndarray
    destination: np.ndarray


@dataclass
class IpDatagrams:
    """Datagrams in the order of their frames; arrays of shape (n,).

    row: int64, frame in the batch. ends: uint64 (n, 4), source and destination in two words each. six: bool, IPv6. proto, ttl, id
    (0: IPv6), size (bytes), offset (of a fragment): int64. whole: bool, may not be fragmented: DF, or IPv6. word: uint64, the first
    eight bytes of the payload. flow_id: int64, ports of TCP and UDP, identifier and sequence number of ICMP, else 0.
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
    flow_id: np.ndarray
    links: Links

    def __len__(self) -> int:
        return len(self.row)


def ip_datagrams(d: Dissection) -> IpDatagrams:
    """The datagrams of a batch, whether a display filter shows them or not."""
    if "ip_datagrams" not in d.shared:
        d.shared["ip_datagrams"] = _datagrams(d)
    datagrams: IpDatagrams = d.shared["ip_datagrams"]
    return datagrams


def _datagrams(d: Dissection) -> IpDatagrams:
    parts = [_columns(h) for name in ("ip", "ipv6") for h in d.chunks.get(name, ())]
    if not parts:
        numbers, flags = np.empty(0, np.int64), np.empty(0, bool)
        ends, words = np.empty((0, 4), np.uint64), np.empty(0, np.uint64)
        return IpDatagrams(numbers, ends, flags, numbers, numbers, numbers, numbers, numbers, flags, words, numbers, links(d))
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    order = np.argsort(columns[0], kind="stable")
    values: list[Any] = [*(column[order] for column in columns), links(d)]
    return IpDatagrams(*values)


def _columns(h: Headers) -> tuple[np.ndarray, ...]:
    """The arrays of `IpDatagrams`, in its order, without `links`."""
    rows = np.flatnonzero(h.whole & ~h.quoted)
    six = h.protocol.name == "ipv6"
    names = ("ipv6.nxt", "ipv6.hlim") if six else ("ip.proto", "ip.ttl")
    proto, ttl = (h[name][rows].astype(np.int64) for name in names)
    size = h.wire[rows] - h.start[rows] if six else h["ip.len"][rows].astype(np.int64)
    if six:
        size = np.where(h["ipv6.plen"][rows] > 0, h["ipv6.plen"][rows].astype(np.int64) + h.layout.size, size)
    zeros = np.zeros(len(rows), np.int64)
    offset = zeros if six else h["ip.frag_offset"][rows].astype(np.int64)
    start = h.start[rows] + (h.layout.size if six else h["ip.hdr_len"][rows])
    end = np.minimum(h.end[rows], h.start[rows] + size)
    word = Reading(WORD, h.buffer, start, end)["word"]
    flow_id = np.where(np.isin(proto, PORTED), word >> np.uint64(32), np.where(np.isin(proto, ICMPS), word & np.uint64(0xFFFFFFFF), 0))
    return (
        h.frame[rows],
        end_words(h, rows),
        np.full(len(rows), six),
        proto,
        ttl,
        zeros if six else h["ip.id"][rows].astype(np.int64),
        size,
        offset,
        np.full(len(rows), True) if six else h["ip.flags.df"][rows],
        word,
        np.where(offset == 0, flow_id, 0).astype(np.int64),
    )


def hashed(ends: np.ndarray, *more: np.ndarray) -> np.ndarray:
    """A hash (uint64) of each row of these columns. It is keyed, so that nobody can craft a collision."""
    hashes = np.full(len(ends), SECRET, np.uint64)
    for column in (*ends.T, *more):
        mix(hashes.data, np.ascontiguousarray(column).astype(np.uint64, copy=False).data, *ODD)
    return hashes


# ---------------------------------------------------------------- addresses


def end_words(h: Headers, rows: np.ndarray) -> np.ndarray:
    """Source and destination of these IP headers, uint64 (rows, 4): two words each."""
    assert h.protocol.addresses is not None
    ends = np.zeros((len(rows), 4), np.uint64)
    for at, name in zip((0, 2), h.protocol.addresses, strict=True):
        high, low = words(h, name)
        ends[:, at + 1] = low[rows]
        if high is not None:
            ends[:, at] = high[rows]
    return ends


def address_words(source: Address, destination: Address) -> tuple[int, int, int, int]:
    """Two addresses as words, like a row of `IpDatagrams.ends`."""
    return (*_split(source), *_split(destination))


def _split(address: Address) -> tuple[int, int]:
    if isinstance(address, bytes):
        return int.from_bytes(address[:8], "big"), int.from_bytes(address[8:], "big")
    return 0, address or 0


def address_of(high: int, low: int, six: bool) -> Address:
    """The address of two words."""
    return high.to_bytes(8, "big") + low.to_bytes(8, "big") if six else low


def address_texts(values: Iterable[Address]) -> pl.Series:
    """Addresses as text, null for none; each distinct one is formatted once."""
    values = list(values)
    used = list(dict.fromkeys(values))
    text: dict[Address, str | None] = {None: None}
    for kind, form in ((ipv4, int), (ipv6, bytes)):
        some = [address for address in used if isinstance(address, form)]
        if some:
            text.update(zip(some, texts(Field("", kind, ""), np.array(some, kind.dtype)).tolist()))
    return pl.Series([text[address] for address in values], dtype=pl.String)


# ---------------------------------------------------------------- frames


def links(d: Dissection) -> Links:
    """The links of a batch's frames."""
    source, destination = np.full((2, len(d)), -1, np.int64)
    vlan = np.zeros(len(d), np.int64)
    for h in d.chunks.get("eth", ()):
        if h.parent is not None and h.parent.protocol.name == "frame":
            there = h.trusted >= 12
            source[h.frame[there]], destination[h.frame[there]] = h["eth.src"][there], h["eth.dst"][there]
    for name, field in VLANS.items():
        for h in d.chunks.get(name, ()):
            if h.parent is not None and h.parent.protocol.name in ("eth", "sll", "sll2"):
                vlan[h.frame] = h[field].astype(np.int64) + 1
    return Links(d.batch.interface << 13 | vlan, source, destination)


def interface_and_vlan(link_id: int) -> tuple[int, int | None]:
    """Interface and VLAN of a number of `Links.id`."""
    return link_id >> 13, (link_id & 0x1FFF) - 1 if link_id & 0x1FFF else None


def shown(d: Dissection, frame: np.ndarray) -> np.ndarray:
    """Whether the display filter shows these rows of a batch (bool)."""
    return np.ones(len(frame), bool) if d.kept is None else d.kept[frame]


def timed(d: Dissection, frame: np.ndarray) -> np.ndarray:
    """Whether the capture has a time for these rows of a batch (bool)."""
    return np.ones(len(frame), bool) if d.batch.timed is None else d.batch.timed[frame]


def frame_times(d: Dissection, frame: np.ndarray) -> pl.Series:
    """The times of these rows of a batch, int64 ns; null for a frame without one."""
    times = pl.Series(d.batch.time[frame])
    return times if d.batch.timed is None else times.set(pl.Series(~d.batch.timed[frame]), None)


def frame_time(d: Dissection, row: int) -> int | None:
    """The time of one row of a batch, ns."""
    return int(d.batch.time[row]) if d.batch.timed is None or d.batch.timed[row] else None
