"""Which answer answers which question of DNS, and what was asked again: the messages of a batch, fed to `_questions`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..conversations import Clock, in_order, spread
from ..fields import Headers, gather
from ._dns_matching import INPUT, OUTPUT, Questions

if TYPE_CHECKING:
    from ..capture import Batch

PROTOCOLS = ("dns", "mdns", "llmnr")
FRAMES = {
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
FIELDS = {*FRAMES.values(), *MARKS}
JUDGED = {"dns.judged.silent", "dns.judged.failures"}
FAILURES = (2, 3, 5)  # SERVFAIL, NXDOMAIN, REFUSED


@dataclass
class Answers:
    """Gives the messages of each batch their fields. State lives from batch to batch. wanted: names of those to give."""

    wanted: set[str]
    questions: Questions = field(default_factory=Questions)
    clock: Clock = field(default_factory=Clock)

    def feed(self, chunks: list[Headers], batch: Batch) -> None:
        """Add the fields to the chunks of one batch; udp.stream and tcp.stream must be there."""
        order = in_order(chunks)
        there = np.concatenate([h.trusted >= h.layout.size for h in chunks])
        order = order[there[order]]
        frame = np.concatenate([h.frame for h in chunks])[order]
        flags = np.concatenate([h["dns.flags"] for h in chunks])[order].astype(np.int64)
        code = flags & 15
        columns = {
            "answer": flags >> 15,
            "quoted": np.concatenate([h.quoted for h in chunks])[order],
            "time": self.clock(batch)[frame],
            "frame": frame + batch.first,
            "failed": np.where(np.isin(code, FAILURES), code, 0),
        }
        keys = [key for h in chunks for key in _keys(h)]
        servers = [server for h in chunks for server in _servers(h)] if self.wanted & JUDGED else None
        if len(chunks) > 1 or len(order) < len(keys):
            picked = order.tolist()
            keys = [keys[i] for i in picked]
            servers = servers and [servers[i] for i in picked]
        told = np.zeros((len(OUTPUT), len(order)), np.int64)
        given = np.stack([columns[name] for name in INPUT])
        self.questions.feed(keys, servers, given.data, told.data)
        found = dict(zip(OUTPUT, told))
        multicast = np.concatenate([np.full(len(h), h.protocol.name != "dns") for h in chunks])[order]
        for name in ("unsolicited", "silent", "failures"):  # whoever is asked by multicast need not answer
            found[name][multicast] = 0
        for name, of in FRAMES.items():
            if of in self.wanted:
                rows = np.flatnonzero(found["request" if name == "took" else name])
                spread(chunks, order[rows], {of: found[name][rows]})
        for of, names in MARKS.items():
            if of in self.wanted:
                rows = np.flatnonzero(sum(found[name] for name in names))
                spread(chunks, order[rows], {of: np.ones(len(rows), bool)})


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
