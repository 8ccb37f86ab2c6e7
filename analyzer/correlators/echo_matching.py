"""Which echo request an echo reply answers: `icmp.resp_to`, `icmp.resptime` and ICMPv6's, by Wireshark's rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..conversations import KEY, in_order, pairs

if TYPE_CHECKING:
    from ..capture import Batch
    from ..fields import Headers

FIELDS = {"icmp": ("icmp.resp_to", "icmp.resptime", "icmp.resp_in"), "icmpv6": ("icmpv6.resp_to", "icmpv6.resptime")}
ECHOES = {name for names in FIELDS.values() for name in names}
ASKS, ANSWERS = {"icmp": 8, "icmpv6": 128}, {"icmp": 0, "icmpv6": 129}
BETWEEN = {"icmp": 0x0800, "icmpv6": 0xFEFF}  # what the request's checksum lacks of the reply's: the types differ, RFC 1624
OUTPUT = {"icmp": ("icmp.ident", "icmp.seq"), "icmpv6": ("icmpv6.echo.identifier", "icmpv6.echo.sequence_number")}
MOST = 100_000  # requests without an answer that are remembered


class Echoes:
    """Remembers echo requests until they are answered. State lives from batch to batch.

    As Wireshark: a reply belongs to the latest request between the same two addresses with the same numbers and the checksum that
    the same data give; a second reply belongs to none. `forgotten` counts requests beyond MOST.
    """

    def __init__(self) -> None:
        self._open: dict[bytes, tuple[int, int]] = {}  # key → frame and time of a request
        self.forgotten = 0

    def feed(self, name: str, chunks: list[Headers], batch: Batch) -> None:
        """Add the fields of `name`, icmp or icmpv6, to the chunks of one batch."""
        found: list[tuple[list[int], list[int], list[int]]] = [([], [], []) for _ in chunks]
        kinds = np.concatenate([np.where(h.whole & ~h.quoted, h[f"{name}.type"], 1) for h in chunks])  # 1: neither
        order = in_order(chunks)
        order = order[np.isin(kinds[order], (ASKS[name], ANSWERS[name]))]
        if len(order):
            keys = np.concatenate([_keys(name, h) for h in chunks])[order]
            frame = np.concatenate([h.frame for h in chunks])[order]
            which = np.repeat(np.arange(len(chunks)), [len(h) for h in chunks])[order]
            rows = np.concatenate([np.arange(len(h)) for h in chunks])[order]
            columns = (keys, kinds[order] == ASKS[name], which, rows, frame + batch.first, batch.time[frame])
            for key, asks, chunk, row, number, when in zip(*(column.tolist() for column in columns), strict=True):
                if asks:
                    self._open.pop(key, None)
                    if len(self._open) >= MOST:
                        del self._open[next(iter(self._open))]
                        self.forgotten += 1
                    self._open[key] = number, when
                elif key in self._open:
                    request, then = self._open.pop(key)
                    for column, value in zip(found[chunk], (row, request, when - then), strict=True):
                        column.append(value)
        for h, (at, requests, took) in zip(chunks, found, strict=True):
            answers = np.array(at, np.int64)
            for field, values in zip(FIELDS[name], (requests, took)):
                h.put(field, np.array(values, np.int64), answers)
            if name == "icmp":
                h.put("icmp.resp_in", np.empty(0, np.int64), np.empty(0, np.int64))


def _keys(name: str, h: Headers) -> np.ndarray:
    """What a request and its reply have in common, of each header: V48."""
    key = np.zeros((len(h), KEY // 8 + 1), np.uint64)
    key[:, :-1] = _addressed(h).view(np.uint64).reshape(-1, KEY // 8)
    checksum = h[f"{name}.checksum"].astype(np.uint64)
    asks = h[f"{name}.type"] == ASKS[name]
    expected = (checksum + asks * np.uint64(BETWEEN[name])) % np.uint64(0xFFFF)  # 0 and 0xFFFF are one number, RFC 1071 §1
    ident, seq = (h[field].astype(np.uint64) for field in OUTPUT[name])
    key[:, -1] = expected << np.uint64(32) | ident << np.uint64(16) | seq
    return key.view(f"V{KEY + 8}").reshape(-1)


def _addressed(h: Headers) -> np.ndarray:
    """The unordered pair of addresses of each header, V40; of one on a source route, its end is the destination."""
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
