"""Who had an IP address before: `arp.duplicate-address-*`, by Wireshark's rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..conversations import in_order

if TYPE_CHECKING:
    from ..capture import Batch
    from ..fields import Headers

FIELDS = ("arp.duplicate-address-detected", "arp.duplicate-address-frame", "arp.seconds-since-duplicate-address-frame")
DUPLICATES = set(FIELDS)
MOST = 100_000  # addresses that are remembered
REQUEST, REPLY, ETHERNET, INTERNET = 1, 2, 1, 0x0800
GROUP = 1 << 40
SECOND = 1_000_000_000


class Neighbors:
    """Remembers the MAC address that each IP address was first seen with. State lives from batch to batch.

    As Wireshark: senders of requests and replies count, targets of replies that are not gratuitous, over Ethernet and IPv4 alone;
    the first MAC stays until the end; the frame told is the latest that had it. `forgotten` counts addresses beyond MOST.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[int, int, int]] = {}  # IP → MAC, frame, second
        self.forgotten = 0

    def feed(self, chunks: list[Headers], batch: Batch) -> None:
        """Add the fields to the chunks of one batch."""
        found: list[tuple[list[int], list[int], list[int]]] = [([], [], []) for _ in chunks]
        names = ("arp.src.hw_mac", "arp.src.proto_ipv4", "arp.dst.hw_mac", "arp.dst.proto_ipv4")
        which = np.repeat(np.arange(len(chunks)), [len(h) for h in chunks])
        rows = np.concatenate([np.arange(len(h)) for h in chunks])
        told = [np.concatenate([h[name] for h in chunks]).astype(np.int64) for name in ("arp.opcode", *names)]
        frame = np.concatenate([h.frame for h in chunks])
        usual = [
            (h["arp.hw.type"] == ETHERNET) & (h["arp.proto.type"] == INTERNET) & (h["arp.hw.size"] == 6) & (h["arp.proto.size"] == 4)
            for h in chunks
        ]
        counts = np.concatenate(usual) & np.isin(told[0], (REQUEST, REPLY))
        order = in_order(chunks)
        order = order[counts[order]]
        columns = [column[order].tolist() for column in (which, rows, frame + batch.first, batch.time[frame] // SECOND, *told)]
        for chunk, row, number, second, opcode, source_mac, source, target_mac, target in zip(*columns, strict=True):
            ends = [(source_mac, source)]
            if opcode == REPLY and target != source:
                ends.append((target_mac, target))
            for mac, address in ends:
                if mac and address and not mac & GROUP:
                    earlier = self._other(mac, address, number, second)
                    if earlier is not None:
                        for column, value in zip(found[chunk], (row, earlier[1], second - earlier[2]), strict=True):
                            column.append(value)
        for h, (at, frames, since) in zip(chunks, found, strict=True):
            rows = np.array(at, np.int64)
            for name, values in zip(FIELDS, (np.ones(len(at), bool), np.array(frames, np.int64), np.array(since, np.int64))):
                h.put(name, values, rows)

    def _other(self, mac: int, address: int, number: int, second: int) -> tuple[int, int, int] | None:
        """What is known of an address if it is another MAC's; else it is noted."""
        known = self._known.get(address)
        if known is not None and known[0] != mac:
            return known
        if known is None and len(self._known) >= MOST:
            del self._known[next(iter(self._known))]
            self.forgotten += 1
        self._known[address] = (mac, number, second)
        return None
