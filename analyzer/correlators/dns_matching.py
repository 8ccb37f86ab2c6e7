"""Which response answers which DNS query, and what was sent again: the messages of a batch, fed to `_dns_matching`."""

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
        found = dict(zip(OUTPUT, outputs))
        multicast = np.concatenate([np.full(len(h), h.protocol.name != "dns") for h in headers])[order]
        for name in ("unsolicited", "silent", "failures"):  # whoever is asked by multicast need not answer
            found[name][multicast] = 0
        for name, of in VALUES.items():
            if of in self.wanted:
                rows = np.flatnonzero(found["request" if name == "took" else name])
                spread(headers, order[rows], {of: found[name][rows]})
        for of, names in MARKS.items():
            if of in self.wanted:
                rows = np.flatnonzero(sum(found[name] for name in names))
                spread(headers, order[rows], {of: np.ones(len(rows), bool)})


def _ends(h: Headers) -> tuple[np.ndarray, np.ndarray]:
    """(client, server) of each message: addresses as uint8 (n, 4 or 16); no bytes where there is no network below."""
    net, rows = h.network_layer() or (None, None)
    if net is None or net.protocol.addresses is None:
        nobody = np.zeros((len(h), 1), np.uint8)
        return nobody, nobody
    source, target = (
        gather(net.buffer, net.start[rows] + net.layout.places[name].offset, net.layout.places[name].size)
        for name in net.protocol.addresses
    )
    answer = (h["dns.flags"] >> 15 > 0)[:, None]
    return np.where(answer, target, source), np.where(answer, source, target)


def _servers(h: Headers) -> list[bytes]:
    return _bytes(_ends(h)[1])


def _keys(h: Headers) -> list[object]:
    """For each message what it has in common with its answer or question.

    That is the conversation and the number; of LLMNR, whose questions go to a group, the client with its port and the number.
    """
    number, below = h["dns.id"].astype(np.int64), h.parent
    if below is None or not below.has(f"{below.protocol.name}.stream"):
        return [None] * len(h)  # of one conversation, as it seems
    if h.protocol.name == "llmnr":
        ports = [below[f"{below.protocol.name}.{end}port"][h.row].astype(np.int64) for end in ("src", "dst")]
        port = np.where(h["dns.flags"] >> 15 > 0, ports[1], ports[0])
        return list(zip(_bytes(_ends(h)[0]), (port << 16 | number).tolist()))
    stream = below[f"{below.protocol.name}.stream"][h.row].astype(np.int64)
    keys: list[object] = (stream << 17 | (below.protocol.name == "tcp") << 16 | number).tolist()
    return keys


def _bytes(rows: np.ndarray) -> list[bytes]:
    """Each row of uint8 (n, m) as bytes."""
    made: list[bytes] = np.ascontiguousarray(rows).view(f"V{rows.shape[1]}").reshape(-1).tolist()
    return made
