"""Two MAC addresses for one IP address: `arp.duplicate-address-*`, by Wireshark's rules."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

import numpy as np

from ..conversations import in_order
from . import MOST, Correlator, Remembered, forgot

if TYPE_CHECKING:
    from ..capture import Batch
    from ..fields import Headers

FIELDS = ("arp.duplicate-address-detected", "arp.duplicate-address-frame", "arp.seconds-since-duplicate-address-frame")
ADDRESSES = ("arp.src.hw_mac", "arp.src.proto_ipv4", "arp.dst.hw_mac", "arp.dst.proto_ipv4")
REQUEST, REPLY, ETHERNET, IPV4 = 1, 2, 1, 0x0800
GROUP = 1 << 40  # the group bit of a MAC address
SECOND = 1_000_000_000


class ArpConflicts(Correlator):
    """Remembers the MAC address that each IP address was first seen with.

    As Wireshark: senders of requests and replies count, and targets of replies that are not gratuitous, for Ethernet and IPv4 only.
    The first MAC stays until the trace ends; the frame in the field is the latest with that MAC.
    """

    reads = ("arp",)
    gives = frozenset(FIELDS)

    def __init__(self, wanted: AbstractSet[str]) -> None:
        super().__init__(wanted)
        self._known: Remembered[tuple[int, int, int]] = Remembered(MOST)  # IP → MAC, frame, second

    def feed(self, headers: list[Headers], batch: Batch) -> None:
        conflicts: list[list[tuple[int, int, int]]] = [[] for _ in headers]
        group = np.repeat(np.arange(len(headers)), [len(h) for h in headers])
        rows = np.concatenate([np.arange(len(h)) for h in headers])
        opcode, *addresses = (np.concatenate([h[name] for h in headers]).astype(np.int64) for name in ("arp.opcode", *ADDRESSES))
        frame = np.concatenate([h.frame for h in headers])
        is_ipv4 = [
            (h["arp.hw.type"] == ETHERNET) & (h["arp.proto.type"] == IPV4) & (h["arp.hw.size"] == 6) & (h["arp.proto.size"] == 4)
            for h in headers
        ]
        order = in_order(headers)
        order = order[(np.concatenate(is_ipv4) & np.isin(opcode, (REQUEST, REPLY)))[order]]
        columns = (group, rows, frame + batch.first, batch.time[frame] // SECOND, opcode, *addresses)
        for at, row, number, second, code, source_mac, source, target_mac, target in zip(
            *(c[order].tolist() for c in columns), strict=True
        ):
            ends = [(source_mac, source)]
            if code == REPLY and target != source:
                ends.append((target_mac, target))
            for mac, address in ends:
                if mac and address and not mac & GROUP:
                    known = self._known.get(address)
                    if known is not None and known[0] != mac:
                        conflicts[at].append((row, known[1], second - known[2]))
                    else:
                        self._known[address] = (mac, number, second)
        for h, conflicts_of_h in zip(headers, conflicts, strict=True):
            at, frames, since = np.array(conflicts_of_h, np.int64).reshape(-1, 3).T
            for name, values in zip(FIELDS, (np.ones(len(at), bool), frames, since)):
                h.put(name, np.ascontiguousarray(values), np.ascontiguousarray(at))

    def forgotten(self) -> Iterator[str]:
        return forgot(self._known.forgotten, "IP addresses that ARP had spoken of", "a second MAC address for them is not noticed")
