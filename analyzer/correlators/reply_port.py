"""Datagrams that no port names, since a server answers from another port than was asked: TFTP, RFC 1350 §4.

A question to the well-known port opens a conversation between its client's address and port and the server's address. The first
datagram from another port of the server settles that port. As Wireshark has it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..fields import Headers, Spans, gather
from ._reply_port import Conversations

MOST = 100_000  # conversations that are remembered
WIDE = 16  # bytes of an address


@dataclass
class Waiting:
    """Datagrams of one group of UDP headers. Those at `spans` no port names, or (protocol ≥ 0) they open a conversation.

    numbers: their ports, as `Payload` has them. depth: how deep they lie. buffer, base: where. protocol: int64 (n,).
    Found: told: int64 (2, n), protocol (-1: none) and frame of the question.
    """

    headers: Headers
    spans: Spans
    numbers: tuple[np.ndarray, ...]
    depth: int
    protocol: np.ndarray
    told: np.ndarray


class Elsewhere:
    """Remembers who asked. State lives from batch to batch."""

    def __init__(self) -> None:
        self._known = Conversations(MOST)
        self._ports = np.zeros(1 << 16, bool)  # of clients that asked

    @property
    def forgotten(self) -> int:
        """Conversations that were forgotten for want of memory."""
        return self._known.forgotten()

    def feed(self, waiting: list[Waiting], first: int) -> None:
        """Fill `told` of all, of which some are in no order. first: number of the batch's first frame."""
        opens = [one.protocol >= 0 for one in waiting]
        if not len(self._known) and not any(one.any() for one in opens):
            return
        ports = [[one.headers[f"udp.{name}"][one.spans.row].astype(np.int64) for name in ("srcport", "dstport")] for one in waiting]
        for which, (source, _) in zip(opens, ports, strict=True):
            self._ports[source[which]] = True
        picked = [np.flatnonzero(which | self._ports[a] | self._ports[b]) for which, (a, b) in zip(opens, ports, strict=True)]
        frame = np.concatenate([one.spans.frame[rows] for one, rows in zip(waiting, picked, strict=True)])
        depth = np.concatenate([np.full(len(rows), one.depth) for one, rows in zip(waiting, picked, strict=True)])
        order = np.lexsort((depth, frame))
        keys = [_keys(one, rows, *pair) for one, rows, pair in zip(waiting, picked, ports, strict=True)]
        sent, received = ([key for part in keys for key in part[direction]] for direction in (0, 1))
        given = np.stack(
            [
                *(np.concatenate([pair[direction][rows] for pair, rows in zip(ports, picked, strict=True)]) for direction in (0, 1)),
                np.concatenate([one.protocol[rows] for one, rows in zip(waiting, picked, strict=True)]),
                frame + first,
                np.concatenate([one.spans.quoted[rows] for one, rows in zip(waiting, picked, strict=True)]),
            ]
        ).astype(np.int64)
        out = np.empty((2, len(order)), np.int64)
        at = order.tolist()
        self._known.feed([sent[i] for i in at], [received[i] for i in at], np.ascontiguousarray(given[:, order]), out)
        told = np.empty_like(out)
        told[:, order] = out
        begin = 0
        for one, rows in zip(waiting, picked, strict=True):
            one.told[:, rows] = told[:, begin : begin + len(rows)]
            begin += len(rows)


def _keys(one: Waiting, rows: np.ndarray, source: np.ndarray, destination: np.ndarray) -> tuple[list[bytes], list[bytes]]:
    """Of each datagram: client's address and port and server's address, if the source is the client, if the destination is."""
    up = one.headers.network_layer()
    n = len(rows)
    ends = np.zeros((n, 2, WIDE), np.uint8)
    if up is not None and (names := up[0].protocol.addresses) is not None:
        net, at = up
        place = net.layout.places[names[0]]
        own = at[one.spans.row[rows]]
        size = WIDE if net.protocol.name == "ipv6" else 4
        if net.protocol.name in ("ip", "ipv6"):  # source and destination stand one behind the other
            ends[:, :, :size] = gather(net.buffer, net.start[own] + place.offset, 2 * size).reshape(n, 2, size)
    made = []
    for client, port in ((0, source), (1, destination)):
        key = np.concatenate((ends[:, client], ends[:, 1 - client], port[rows].astype(">u2").view(np.uint8).reshape(n, 2)), axis=1)
        made.append(np.ascontiguousarray(key).view(f"V{key.shape[1]}").reshape(-1).tolist())
    return made[0], made[1]
