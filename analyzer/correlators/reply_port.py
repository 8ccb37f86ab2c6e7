"""Answers from another port than the request went to: TFTP, RFC 1350 §4.

A request to the well-known port opens a conversation between the client's address and port and the server's address. The first
datagram from another port of the server fixes that port. As Wireshark.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

import numpy as np

from ..fields import Carried, gather
from ..protocols import protocols
from . import MOST, DatagramClaimer, PendingDatagrams, forgot
from ._reply_port import Conversations

if TYPE_CHECKING:
    from ..capture import Batch

ADDRESS = 16  # bytes of an address in a key


class ReplyPort(DatagramClaimer):
    """Remembers clients of protocols that `changes_port`; puts the field `NAME.request_frame` into the answers."""

    precedence = 0

    def __init__(self, wanted: AbstractSet[str]) -> None:
        super().__init__(wanted)
        self.opens = [p.name for p in protocols().values() if p.changes_port]
        self._known = Conversations(MOST)
        self._ports = np.zeros(1 << 16, bool)  # of clients with a request

    def claim(self, pending: list[PendingDatagrams], batch: Batch) -> list[Carried]:
        opens = [group.opens >= 0 for group in pending]
        if not len(self._known) and not any(mask.any() for mask in opens):
            return []
        ports = [[group.headers[f"udp.{name}"][group.spans.row].astype(np.int64) for name in ("srcport", "dstport")] for group in pending]
        for mask, (source, _) in zip(opens, ports, strict=True):
            self._ports[source[mask]] = True
        picked = [np.flatnonzero(mask | self._ports[a] | self._ports[b]) for mask, (a, b) in zip(opens, ports, strict=True)]
        frame = np.concatenate([group.spans.frame[rows] for group, rows in zip(pending, picked, strict=True)])
        depth = np.concatenate([np.full(len(rows), group.depth) for group, rows in zip(pending, picked, strict=True)])
        order = np.lexsort((depth, frame))
        keys = [_keys(group, rows, *pair) for group, rows, pair in zip(pending, picked, ports, strict=True)]
        sent, received = ([key for part in keys for key in part[end]] for end in (0, 1))
        inputs = np.stack(
            [
                *(np.concatenate([pair[end][rows] for pair, rows in zip(ports, picked, strict=True)]) for end in (0, 1)),
                np.concatenate([group.opens[rows] for group, rows in zip(pending, picked, strict=True)]),
                frame + batch.first,
                np.concatenate([group.spans.quoted[rows] for group, rows in zip(pending, picked, strict=True)]),
            ]
        ).astype(np.int64)
        outputs = np.empty((2, len(order)), np.int64)
        at = order.tolist()
        self._known.feed([sent[i] for i in at], [received[i] for i in at], np.ascontiguousarray(inputs[:, order]), outputs)
        protocol, request = np.empty_like(outputs)
        protocol[order], request[order] = outputs
        names, claimed, begin = list(protocols()), [], 0
        for group, rows in zip(pending, picked, strict=True):
            own = slice(begin, begin + len(rows))
            for index in np.unique(protocol[own][protocol[own] >= 0]).tolist():
                mine = protocol[own] == index
                claimed.append(group.claim(names[index], rows[mine], {f"{names[index]}.request_frame": request[own][mine]}))
            begin += len(rows)
        return claimed

    def forgotten(self) -> Iterator[str]:
        return forgot(self._known.forgotten(), "transfers of TFTP", "what comes of them later is data")


def _keys(group: PendingDatagrams, rows: np.ndarray, source: np.ndarray, destination: np.ndarray) -> tuple[list[bytes], list[bytes]]:
    """Keys with its source as the client, and with its destination: client's address, server's address, client's port."""
    network = group.headers.network_layer()
    n = len(rows)
    ends = np.zeros((n, 2, ADDRESS), np.uint8)
    if network is not None and (names := network[0].protocol.addresses) is not None:
        net, at = network
        place = net.layout.places[names[0]]
        own = at[group.spans.row[rows]]
        size = ADDRESS if net.protocol.name == "ipv6" else 4
        if net.protocol.name in ("ip", "ipv6"):  # source and destination are adjacent
            ends[:, :, :size] = gather(net.buffer, net.start[own] + place.offset, 2 * size).reshape(n, 2, size)
    keys = []
    for client, port in ((0, source), (1, destination)):
        key = np.concatenate((ends[:, client], ends[:, 1 - client], port[rows].astype(">u2").view(np.uint8).reshape(n, 2)), axis=1)
        keys.append(np.ascontiguousarray(key).view(f"V{key.shape[1]}").reshape(-1).tolist())
    return keys[0], keys[1]
