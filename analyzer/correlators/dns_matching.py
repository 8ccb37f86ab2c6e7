"""DNS responses matched to queries, and retransmissions: the messages of a batch, fed to `_dns_matching`."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

import numpy as np

from ..conversations import Clock, in_order, spread
from ..fields import Headers, gather
from . import Correlator
from ._dns_matching import INPUT, OUTPUT, DnsMatcher

if TYPE_CHECKING:
    from ..capture import Batch

VALUES = {
    "request": "dns.response_to",
    "took": "dns.time",
    "asked_in": "dns.retransmit_request_in",
    "answered_in": "dns.retransmit_response_in",
    "answered_by": "dns.response_in",
    "silent": "dns.judged.silent",
    "failures": "dns.judged.failures",
}
MARKS = {
    "dns.retransmission": ("asked_in", "answered_in"),
    "dns.retransmit_request": ("asked_in",),
    "dns.retransmit_response": ("answered_in",),
    "dns.unsolicited": ("unsolicited",),
}
JUDGED = {"dns.judged.silent", "dns.judged.failures"}
FAILURES = (2, 3, 5)  # SERVFAIL, NXDOMAIN, REFUSED


class DnsMatching(Correlator):
    """Matches responses to queries of DNS, multicast DNS and LLMNR. What it forgets ages out: see `_dns_matching`."""

    reads = ("dns", "mdns", "llmnr")
    gives = frozenset((*VALUES.values(), *MARKS))
    needs = frozenset(("udp.stream",))

    def __init__(self, wanted: AbstractSet[str]) -> None:
        super().__init__(wanted)
        self._matcher = DnsMatcher()
        self._clock = Clock()

    def feed(self, headers: list[Headers], batch: Batch) -> None:
        order = in_order(headers)
        order = order[np.concatenate([h.trusted >= h.layout.size for h in headers])[order]]
        frame = np.concatenate([h.frame for h in headers])[order]
        flags = np.concatenate([h["dns.flags"] for h in headers])[order].astype(np.int64)
        code = flags & 15
        columns = {
            "answer": flags >> 15,
            "quoted": np.concatenate([h.quoted for h in headers])[order],
            "time": self._clock(batch)[frame],
            "frame": frame + batch.first,
            "failed": np.where(np.isin(code, FAILURES), code, 0),
        }
        keys = [key for h in headers for key in _keys(h)]
        servers = [server for h in headers for server in _servers(h)] if self.wanted & JUDGED else None
        if len(headers) > 1 or len(order) < len(keys):
            picked = order.tolist()
            keys = [keys[i] for i in picked]
            servers = servers and [servers[i] for i in picked]
        outputs = np.zeros((len(OUTPUT), len(order)), np.int64)
        self._matcher.feed(keys, servers, np.stack([columns[name] for name in INPUT]).data, outputs.data)
        results = dict(zip(OUTPUT, outputs))
        multicast = np.concatenate([np.full(len(h), h.protocol.name != "dns") for h in headers])[order]
        for name in ("unsolicited", "silent", "failures"):  # a multicast query needs no answer
            results[name][multicast] = 0
        for name, field in VALUES.items():
            if field in self.wanted:
                rows = np.flatnonzero(results["request" if name == "took" else name])
                spread(headers, order[rows], {field: results[name][rows]})
        for field, names in MARKS.items():
            if field in self.wanted:
                rows = np.flatnonzero(sum(results[name] for name in names))
                spread(headers, order[rows], {field: np.ones(len(rows), bool)})


def _ends(h: Headers) -> tuple[np.ndarray, np.ndarray]:
    """(client, server) of each message: addresses, uint8 (n, 4 or 16); a zero byte without a network layer."""
    net, rows = h.network_layer() or (None, None)
    if net is None or net.protocol.addresses is None:
        unknown = np.zeros((len(h), 1), np.uint8)
        return unknown, unknown
    source, target = (
        gather(net.buffer, net.start[rows] + net.layout.places[name].offset, net.layout.places[name].size)
        for name in net.protocol.addresses
    )
    answer = (h["dns.flags"] >> 15 > 0)[:, None]
    return np.where(answer, target, source), np.where(answer, source, target)


def _servers(h: Headers) -> list[bytes]:
    return _bytes(_ends(h)[1])


def _keys(h: Headers) -> list[object]:
    """For each message a key that is equal for a query and its response.

    That is the conversation and the ID; of LLMNR, whose queries go to a multicast group, the client's address and port and the ID.
    """
    number, below = h["dns.id"].astype(np.int64), h.parent
    if below is None or not below.has(f"{below.protocol.name}.stream"):
        return [None] * len(h)
    if h.protocol.name == "llmnr":
        ports = [below[f"{below.protocol.name}.{end}port"][h.row].astype(np.int64) for end in ("src", "dst")]
        port = np.where(h["dns.flags"] >> 15 > 0, ports[1], ports[0])
        return list(zip(_bytes(_ends(h)[0]), (port << 16 | number).tolist()))
    stream = below[f"{below.protocol.name}.stream"][h.row].astype(np.int64)
    keys: list[object] = (stream << 17 | (below.protocol.name == "tcp") << 16 | number).tolist()
    return keys


def _bytes(rows: np.ndarray) -> list[bytes]:
    """Each row of uint8 (n, m) as bytes."""
    values: list[bytes] = np.ascontiguousarray(rows).view(f"V{rows.shape[1]}").reshape(-1).tolist()
    return values
