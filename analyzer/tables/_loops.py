"""Routing loops: datagrams that pass the same link again with a lower time to live."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ..dissection import Dissection
from ._ip_datagrams import Address, IpDatagrams, address_of, frame_time, hashed
from ._seen_set import SeenSet

WINDOW = 1 << 16  # datagrams among which one that passes again is recognized
MOST = 200_000  # datagrams in loops that are remembered


class Passage(NamedTuple):
    """A datagram in a loop passes again. row: in the batch. first_frame, time (ns), first_ttl: of its first passage; frame, ttl, kept: of
    this one. new: passages that were not counted before."""

    row: int
    protocol: int
    source: Address
    destination: Address
    first_frame: int
    time: int | None
    first_ttl: int
    ttl: int
    new: int
    kept: bool
    frame: int


class LoopDetector:
    """Finds the datagrams in loops; state lives from batch to batch.

    looping: hashes of addresses, protocol, identification and flow id of those that were found; the oldest are forgotten beyond MOST.
    """

    def __init__(self) -> None:
        self._seen = SeenSet(WINDOW)
        ring = 2 * WINDOW  # so that a slice never overwrites the earlier passages that its own rows need
        self._ttl, self._first_ttl, self._count, self._frame, self._time = np.zeros((5, ring), np.int64)
        self.looping: dict[int, None] = {}

    def feed(self, d: Dissection, s: IpDatagrams) -> Iterator[Passage]:
        """The passages of a batch that show a loop, in order."""
        for at in range(0, len(s), WINDOW):
            yield from self._slice(d, s, np.arange(at, min(at + WINDOW, len(s))))

    def _slice(self, d: Dissection, s: IpDatagrams, rows: np.ndarray) -> Iterator[Passage]:
        n, ring = len(rows), len(self._ttl)
        links, frame = s.links, s.row[rows]
        numbers = s.proto[rows] << 32 | s.id[rows] << 16 | s.offset[rows]
        link = (links.id[frame], links.source[frame] + 1, links.destination[frame] + 1)
        keys = hashed(s.ends[rows], numbers, s.size[rows], s.word[rows], *link)
        begin = len(self._seen)
        earlier = np.empty(n, np.int64)
        self._seen.last_seen(keys.data, earlier.data)
        place = (begin + np.arange(n)) % ring
        self._ttl[place] = self._first_ttl[place] = s.ttl[rows]
        self._frame[place] = frame + d.batch.first
        self._time[place] = d.batch.time[frame]
        self._count[place] = 1
        again = np.flatnonzero(earlier >= 0)
        again = again[s.ttl[rows[again]] < self._ttl[earlier[again] % ring]]
        if not len(again):
            return
        hashes = hashed(s.ends[rows[again]], s.proto[rows[again]], s.id[rows[again]], s.flow_id[rows[again]]).tolist()
        for i, datagram in zip(again.tolist(), hashes, strict=True):
            now, then = int(place[i]), int(earlier[i]) % ring
            self._first_ttl[now], self._frame[now], self._time[now] = self._first_ttl[then], self._frame[then], self._time[then]
            count = self._count[now] = self._count[then] + 1
            row = int(rows[i])
            at = int(s.row[row])
            least = 2 if links.source[at] >= 0 else 3  # without MAC addresses a router that forwards over the same link looks alike
            if count < least:
                continue
            if datagram not in self.looping and len(self.looping) >= MOST:
                del self.looping[next(iter(self.looping))]
            self.looping[datagram] = None
            six = bool(s.six[row])
            source, destination = (address_of(high, low, six) for high, low in s.ends[row].reshape(2, 2).tolist())
            time = int(self._time[now]) if d.batch.timed is None else frame_time(d, at)
            first = (int(self._frame[now]), time, int(self._first_ttl[now]))
            kept = d.kept is None or bool(d.kept[at])
            new = int(count) if count == least else 1
            yield Passage(at, int(s.proto[row]), source, destination, *first, int(s.ttl[row]), new, kept, at + d.batch.first)
