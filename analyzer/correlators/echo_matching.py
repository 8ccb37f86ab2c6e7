"""Echo replies matched to requests: `icmp.resp_to`, `icmp.resptime` and ICMPv6's, by Wireshark's rules."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

import numpy as np

from ..conversations import KEY, in_order, pairs
from . import MOST, Correlator, Remembered, forgot

if TYPE_CHECKING:
    from ..capture import Batch
    from ..fields import Headers

REQUEST, REPLY = {"icmp": 8, "icmpv6": 128}, {"icmp": 0, "icmpv6": 129}
DIFFERENCE = {"icmp": 0x0800, "icmpv6": 0xFEFF}  # of the checksums of reply and request, since their types differ: RFC 1624
IDENTITY = {"icmp": ("icmp.ident", "icmp.seq"), "icmpv6": ("icmpv6.echo.identifier", "icmpv6.echo.sequence_number")}


class EchoMatching(Correlator):
    """Remembers echo requests until they are answered.

    As Wireshark: a reply answers the latest request between the same two addresses with the same identifier and sequence number, and a
    checksum that agrees with the same data; a second reply answers none.
    """

    reads = ("icmp", "icmpv6")
    gives = frozenset(f"{name}.{field}" for name in reads for field in ("resp_to", "resptime", "resp_in"))

    def __init__(self, wanted: AbstractSet[str]) -> None:
        super().__init__(wanted)
        self._open: Remembered[tuple[int, int]] = Remembered(MOST)  # key → frame and time of a request

    def feed(self, headers: list[Headers], batch: Batch) -> None:
        for name in self.reads:
            if chunks := [h for h in headers if h.protocol.name == name]:
                self._feed(name, chunks, batch)

    def _feed(self, name: str, chunks: list[Headers], batch: Batch) -> None:
        answers: list[list[tuple[int, int, int]]] = [[] for _ in chunks]
        kinds = np.concatenate([np.where(h.whole & ~h.quoted, h[f"{name}.type"], 1) for h in chunks])  # 1: neither
        order = in_order(chunks)
        order = order[np.isin(kinds[order], (REQUEST[name], REPLY[name]))]
        if len(order):
            keys = np.concatenate([_keys(name, h) for h in chunks])
            frame = np.concatenate([h.frame for h in chunks])
            group = np.repeat(np.arange(len(chunks)), [len(h) for h in chunks])
            rows = np.concatenate([np.arange(len(h)) for h in chunks])
            columns = (keys, kinds == REQUEST[name], group, rows, frame + batch.first, batch.time[frame])
            for key, asks, at, row, number, when in zip(*(column[order].tolist() for column in columns), strict=True):
                request = self._open.pop(key, None)
                if asks:
                    self._open[key] = number, when
                elif request is not None:
                    answers[at].append((row, request[0], when - request[1]))
        for h, replies in zip(chunks, answers, strict=True):
            at, requests, took = np.array(replies, np.int64).reshape(-1, 3).T.copy()
            h.put(f"{name}.resp_to", requests, at)
            h.put(f"{name}.resptime", took, at)

    def forgotten(self) -> Iterator[str]:
        return forgot(self._open.forgotten, "echo requests without an answer", "a later answer belongs to none")


def _keys(name: str, h: Headers) -> np.ndarray:
    """A key of each header that is equal for a request and its reply, V48."""
    key = np.zeros((len(h), KEY // 8 + 1), np.uint64)
    key[:, :-1] = _address_pairs(h).view(np.uint64).reshape(-1, KEY // 8)
    checksum = h[f"{name}.checksum"].astype(np.uint64)
    asks = h[f"{name}.type"] == REQUEST[name]
    expected = (checksum + asks * np.uint64(DIFFERENCE[name])) % np.uint64(0xFFFF)  # 0 and 0xFFFF are equal, RFC 1071 §1
    ident, seq = (h[field].astype(np.uint64) for field in IDENTITY[name])
    key[:, -1] = expected << np.uint64(32) | ident << np.uint64(16) | seq
    return key.view(f"V{KEY + 8}").reshape(-1)


def _address_pairs(h: Headers) -> np.ndarray:
    """The unordered pair of addresses of each header, V40; with a source route, its last address is the destination."""
    key = pairs(h)[0]
    net = h.network_layer()
    if net is not None and net[0].protocol.name == "ip":
        ip, rows = net
        ends, at = ip.column("ip.src_rt_end")
        if at is not None and len(at):
            end = np.zeros(len(ip), np.uint64)
            end[at] = ends
            routed = np.flatnonzero(end[rows])
            source, end = ip["ip.src"][rows[routed]].astype(np.uint64), end[rows[routed]]
            words = key.view(np.uint64).reshape(-1, KEY // 8)
            words[routed, 1], words[routed, 3] = np.minimum(source, end), np.maximum(source, end)
    return key
