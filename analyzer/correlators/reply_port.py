"""Datagrams that no port names, since a server answers from another port than was asked: TFTP, RFC 1350 §4.

A request to the well-known port opens a conversation between its client's address and port and the server's address. The first
datagram from another port of the server settles that port. As Wireshark has it.
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
    """Remembers who asked a server of a protocol that `changes_port`; gives its answers the field `NAME.request_frame`."""

    precedence = 0

    def __init__(self, wanted: AbstractSet[str]) -> None:
        super().__init__(wanted)
        self.opens = [p.name for p in protocols().values() if p.changes_port]
        self._known = Conversations(MOST)
        self._ports = np.zeros(1 << 16, bool)  # of clients that asked

    def claim(self, pending: list[PendingDatagrams], batch: Batch) -> list[Carried]:
        opens = [one.opens >= 0 for one in pending]
        if not len(self._known) and not any(one.any() for one in opens):
            return []
        ports = [[one.headers[f"udp.{name}"][one.spans.row].astype(np.int64) for name in ("srcport", "dstport")] for one in pending]
        for which, (source, _) in zip(opens, ports, strict=True):
            self._ports[source[which]] = True
        picked = [np.flatnonzero(which | self._ports[a] | self._ports[b]) for which, (a, b) in zip(opens, ports, strict=True)]
        frame = np.concatenate([one.spans.frame[rows] for one, rows in zip(pending, picked, strict=True)])
        depth = np.concatenate([np.full(len(rows), one.depth) for one, rows in zip(pending, picked, strict=True)])
        order = np.lexsort((depth, frame))
        keys = [_keys(one, rows, *pair) for one, rows, pair in zip(pending, picked, ports, strict=True)]
        sent, received = ([key for part in keys for key in part[end]] for end in (0, 1))
        inputs = np.stack(
            [
                *(np.concatenate([pair[end][rows] for pair, rows in zip(ports, picked, strict=True)]) for end in (0, 1)),
                np.concatenate([one.opens[rows] for one, rows in zip(pending, picked, strict=True)]),
                frame + batch.first,
                np.concatenate([one.spans.quoted[rows] for one, rows in zip(pending, picked, strict=True)]),
            ]
        ).astype(np.int64)
        outputs = np.empty((2, len(order)), np.int64)
        at = order.tolist()
        self._known.feed([sent[i] for i in at], [received[i] for i in at], np.ascontiguousarray(inputs[:, order]), outputs)
        protocol, request = np.empty_like(outputs)
        protocol[order], request[order] = outputs
        names, claimed, begin = list(protocols()), [], 0
        for one, rows in zip(pending, picked, strict=True):
            own = slice(begin, begin + len(rows))
            for index in np.unique(protocol[own][protocol[own] >= 0]).tolist():
                mine = protocol[own] == index
                claimed.append(one.claim(names[index], rows[mine], {f"{names[index]}.request_frame": request[own][mine]}))
            begin += len(rows)
        return claimed

    def forgotten(self) -> Iterator[str]:
        return forgot(self._known.forgotten(), "transfers of TFTP", "what comes of them later is data")


def _keys(one: PendingDatagrams, rows: np.ndarray, source: np.ndarray, destination: np.ndarray) -> tuple[list[bytes], list[bytes]]:
    """Of each datagram: client's address and port and server's address, if the source is the client, if the destination is."""
    network = one.headers.network_layer()
    n = len(rows)
    ends = np.zeros((n, 2, ADDRESS), np.uint8)
    if network is not None and (names := network[0].protocol.addresses) is not None:
        net, at = network
        place = net.layout.places[names[0]]
        own = at[one.spans.row[rows]]
        size = ADDRESS if net.protocol.name == "ipv6" else 4
        if net.protocol.name in ("ip", "ipv6"):  # source and destination stand one behind the other
            ends[:, :, :size] = gather(net.buffer, net.start[own] + place.offset, 2 * size).reshape(n, 2, size)
    made = []
    for client, port in ((0, source), (1, destination)):
        key = np.concatenate((ends[:, client], ends[:, 1 - client], port[rows].astype(">u2").view(np.uint8).reshape(n, 2)), axis=1)
        made.append(np.ascontiguousarray(key).view(f"V{key.shape[1]}").reshape(-1).tolist())
    return made[0], made[1]
