"""Counts the IP datagrams that are sent to learnt addresses and MACs."""

from __future__ import annotations

import numpy as np

from ..dissection import Dissection
from ._ip_datagrams import Address, address_words, hashed, ip_datagrams
from ._neighbor_messages import NeighborMessage


class UsageCounter:
    """Counts from the frame on in which a binding was learnt. Numbers of forgotten bindings are used again."""

    def __init__(self) -> None:
        self._keys: dict[int, tuple[int, int, Address]] = {}  # number → link id, MAC, address
        self._counts = np.zeros((8, 4), np.int64)  # by number: first frame, datagrams, last frame, its time
        self._macs: dict[tuple[int, int], list[int]] = {}  # link id, MAC → bindings, first frame, datagrams, those counted in _counts
        self._free: list[int] = []
        self._sorted: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None = None
        self._d: Dissection | None = None
        self._received: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None = None
        self._at = 0

    def begin(self, d: Dissection) -> None:
        """Take the next batch."""
        self._d, self._received, self._at = d, None, 0

    def learn(self, m: NeighborMessage, address: Address, mac: int) -> int:
        """Count for a binding from this message on; returns its number."""
        number = self._free.pop() if self._free else len(self._keys)
        if number >= len(self._counts):
            self._counts = np.concatenate((self._counts, np.zeros_like(self._counts)))
        self._counts[number] = m.frame, 0, 0, 0
        self._keys[number] = m.link_id, mac, address
        self._macs.setdefault((m.link_id, mac), [0, m.frame, 0, 0])[0] += 1
        self._sorted = None
        return number

    def forget(self, number: int) -> None:
        """Stop counting for a binding."""
        both = self._keys.pop(number)[:2]
        self._macs[both][0] -= 1
        if not self._macs[both][0]:
            del self._macs[both]
        self._free.append(number)
        self._sorted = None

    def usage(self, number: int) -> tuple[int, int, int, int]:
        """Datagrams to the address at its MAC; to other addresses at its MAC; last frame to the address, and its time in ns."""
        _, datagrams, last, when = self._counts[number].tolist()
        _, _, total, counted = self._macs[self._keys[number][:2]]
        return datagrams, total - counted, last, when

    def count_before(self, row: int) -> None:
        """Count the datagrams of the batch before that row."""
        if not self._keys or self._d is None:
            return
        if self._received is None:
            self._received = _received(self._d)
        rows = self._received[0]
        end = int(np.searchsorted(rows, row))
        part, self._at = slice(self._at, end), max(self._at, end)
        if part.stop <= part.start:
            return
        rows, when, bindings, routers = (column[part] for column in self._received)
        frame = rows + self._d.batch.first
        if self._sorted is None:
            split = [(link_id, mac, *address_words(None, address)[2:]) for link_id, mac, address in self._keys.values()]
            keys, macs = np.array(split, np.uint64), np.array(list(self._macs), np.uint64)
            ends, through = hashed(keys[:, 2:], *keys[:, :2].T), hashed(macs[:, :0], *macs.T)
            order, by_mac = np.argsort(ends), np.argsort(through)
            first = np.array([known[1] for known in self._macs.values()])
            self._sorted = ends[order], np.array(list(self._keys))[order], through[by_mac], first[by_mac], macs[by_mac]
        known, numbers, through, first, macs = self._sorted
        at = np.minimum(np.searchsorted(known, bindings), len(known) - 1)
        number = numbers[at]
        hit = (known[at] == bindings) & (frame > self._counts[number, 0])
        number = number[hit]
        self._counts[:, 1] += np.bincount(number, minlength=len(self._counts))
        np.maximum.at(self._counts[:, 2], number, frame[hit])
        self._counts[number, 3] = when[hit]  # of several the last stays
        at = np.minimum(np.searchsorted(through, routers), len(through) - 1)
        later = (through[at] == routers) & (frame > first[at])
        for which, place in ((later, 2), (later & hit, 3)):
            for key, n in zip(*(column.tolist() for column in np.unique(at[which], return_counts=True)), strict=True):
                self._macs[tuple(macs[key].tolist())][place] += n


def _received(d: Dissection) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of the datagrams of a batch over Ethernet: row, time, hash of link, MAC and address, hash of link and MAC."""
    s = ip_datagrams(d)
    rows, at = np.unique(s.row, return_index=True)  # the outermost of a frame: a tunnel's payload goes elsewhere
    there = s.links.destination[rows] >= 0
    rows, at = rows[there], at[there]
    ends, link_id, mac = s.ends[at, 2:], s.links.id[rows], s.links.destination[rows]
    return rows, d.batch.time[rows], hashed(ends, link_id, mac), hashed(ends[:, :0], link_id, mac)
