"""Which answer answers which question of DNS, and what was asked again: the messages of a batch, fed to `_questions`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..fields import Headers, gather
from ._questions import GIVEN, TOLD, Questions
from .streams import Clock, in_order, spread

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
NETWORKS = {"ip": 4, "ipv6": 16}  # bytes of their addresses
LLMNR = 1 << 62  # its keys are none of streams


@dataclass
class Answers:
    """Gives the messages of each batch their fields. State lives from batch to batch."""

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
            "failed": np.where(np.isin(code, (2, 3, 5)), code, 0),
        }
        made = [_keys(h) for h in chunks]
        keys = [key for keys, _ in made for key in keys]
        servers = [server for _, servers in made for server in servers]
        told = np.zeros((len(TOLD), len(order)), np.int64)
        picked = order.tolist()
        given = np.stack([columns[name] for name in GIVEN])
        self.questions.feed([keys[i] for i in picked], [servers[i] for i in picked], given.data, told.data)
        found = dict(zip(TOLD, told))
        for name, of in FRAMES.items():
            rows = np.flatnonzero(found["request" if name == "took" else name])
            spread(chunks, order[rows], {of: found[name][rows]})
        multicast = np.concatenate([np.full(len(h), h.protocol.name != "dns") for h in chunks])[order]
        found["unsolicited"][multicast] = 0
        for of, names in MARKS.items():
            rows = np.flatnonzero(sum(found[name] for name in names))
            spread(chunks, order[rows], {of: np.ones(len(rows), bool)})


def _keys(h: Headers) -> tuple[list[object], list[bytes]]:
    """For each message what it has in common with its answer or question, and the server's address.

    That is the conversation and the number; of LLMNR, whose questions go to a group, the client and the number.
    """
    number = h["dns.id"].astype(np.int64)
    answer = h["dns.flags"] >> 15 > 0
    up = h.up()
    if up is None or h.parent is None:
        return [LLMNR + one for one in number.tolist()], [b""] * len(h)
    net, rows = up
    size = NETWORKS.get(net.protocol.name, 4)
    source, target = (
        gather(net.buffer, net.start[rows] + net.layout.places[name].offset, size) for name in net.protocol.addresses or ()
    )
    servers = np.where(answer[:, None], source, target)
    transport = h.parent
    name = f"{transport.protocol.name}.stream"
    stream = transport[name][h.row].astype(np.int64) if transport.has(name) else np.full(len(h), LLMNR >> 18)
    keys: list[object] = (stream << 17 | (transport.protocol.name == "tcp") << 16 | number).tolist()
    if h.protocol.name == "llmnr":
        clients = np.where(answer[:, None], target, source)
        ports = [transport[f"{transport.protocol.name}.{end}port"][h.row].astype(np.int64) for end in ("src", "dst")]
        port = np.where(answer, ports[1], ports[0])
        keys = list(zip(_bytes(clients), (LLMNR | port << 16 | number).tolist()))
    return keys, _bytes(servers)


def _bytes(rows: np.ndarray) -> list[bytes]:
    """Each row of uint8 (n, m) as bytes."""
    made: list[bytes] = np.ascontiguousarray(rows).view(f"V{rows.shape[1]}").reshape(-1).tolist()
    return made
