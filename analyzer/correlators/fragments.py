"""IPv4 and IPv6 fragments put together; whole datagrams are given back to the dissection. RFC 791 §3.2, RFC 8200 §4.5.

Fragments belong together if version, addresses, identification (for IPv4 the protocol, too) and the networks apart (VLANs, virtual
networks of tunnels) are equal, and they lie equally deep in their frames: what is found at one depth never depends on another, so the
batch does not matter.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np

from ..capture import Batch
from ..capture.batch import SLACK
from ..fields import Carried, Headers, gather
from . import FragmentGroup, Reassembler
from ._fragments import ENDED, FOUND, INPUT, MARKS, OUTCOMES, OUTPUT, POLICIES, Queues

__all__ = ["FOUND", "LIMIT", "OUTCOMES", "POLICIES", "Fragments"]

LIMIT = 64 << 20  # bytes held of datagrams that are not whole; half as much for each two headers deeper, so twice that in all
WHOLE_IN = {"ip": "ip.reassembled_in", "ipv6": "ipv6.reassembled.in"}
TIMEOUT = {"ip": 30, "ipv6": 60}  # seconds from the first fragment on: what Linux waits for; RFC 8200 §4.5


class Fragments(Reassembler):
    """Holds fragments until their datagram is whole.

    policy: whose bytes count where fragments overlap: 'bsd' (who begins first, then who came first; Wireshark's), 'first', 'last',
    'linux' (who begins first, then who came last). limit: bytes held at the most at the outermost depth. groups, ended: the fragments
    of this batch, and (depth, rows as `_fragments.ENDED`) of the datagrams that ended in it.
    """

    def __init__(self, wanted: AbstractSet[str] = frozenset(), policy: str = "bsd", limit: int = LIMIT) -> None:
        super().__init__(wanted, policy)
        self.policy, self.limit = policy, limit
        self.depths: dict[int, Queues] = {}
        self.start()

    def start(self) -> None:
        self.groups: list[FragmentGroup] = []
        self.ended: list[tuple[int, np.ndarray]] = []

    def reassemble(self, groups: list[FragmentGroup], batch: Batch) -> list[tuple[Carried, np.ndarray]]:
        depth = groups[0].depth
        queues = self.depths.get(depth)
        if queues is None:
            queues = self.depths[depth] = Queues(self.limit >> depth // 2, self.policy)
        sizes = [len(one.number) for one in groups]
        first = np.cumsum([0, *sizes])
        source = np.repeat(np.arange(len(groups)), sizes)
        order = np.argsort(np.concatenate([one.spans.frame for one in groups]), kind="stable")
        keys = [key for one in groups for key in _keys(one)]
        inputs = np.concatenate([_inputs(one, batch) for one in groups], axis=1)
        outputs = np.empty((len(OUTPUT), len(order)), np.int64)
        for nth, one in enumerate(groups):
            one.outputs, one.completes = outputs[:, first[nth] : first[nth + 1]], np.zeros(sizes[nth], bool)
        inputs = np.ascontiguousarray(np.concatenate((inputs, source[None])).take(order, axis=1))
        ordered = np.empty_like(outputs)
        buffers = [memoryview(one.headers.buffer.data) for one in groups]
        ended, (rows, *wholes) = queues.feed([keys[i] for i in order.tolist()], inputs, buffers, ordered)
        outputs[:, order] = ordered
        self.groups += groups
        self.ended.append((depth, np.array(ended, np.int64).reshape(-1, len(ENDED))))
        for one in groups:
            late = np.flatnonzero(one.outputs[3])
            one.headers.put(WHOLE_IN[_family(one.headers)], one.outputs[3][late], one.spans.row[late])
        if not rows:
            return []
        return _whole(groups, order[rows] - first[:-1][source[order[rows]]], source[order[rows]], wholes, len(batch))

    def unfinished(self) -> list[tuple[int, np.ndarray]]:
        """(depth, rows as in `ended`) of the datagrams that are not whole yet, for the end of the trace."""
        return [(depth, np.array(queues.unfinished(), np.int64).reshape(-1, len(ENDED))) for depth, queues in self.depths.items()]

    def forgotten(self) -> Iterator[str]:
        if given_up := sum(queues.lost() for queues in self.depths.values()):
            most = f"{LIMIT >> 20} MiB of fragments at the most"
            yield f"{given_up:,} fragmented datagrams, the oldest, were given up before they were whole, to hold {most}"


def _family(h: Headers) -> str:
    """ip or ipv6."""
    return h.protocol.name.partition(".")[0]


def _inputs(one: FragmentGroup, batch: Batch) -> np.ndarray:
    """The matrix (INPUT without its last, n) of what is known of each fragment."""
    frame, start, wire, end = one.spans.frame, one.spans.start, one.spans.wire, one.spans.end
    name = _family(one.headers)
    columns = {
        "frame": frame + batch.first,
        "time": batch.time[frame],
        "timeout": np.full(len(frame), TIMEOUT[name] * 10**9),
        "offset": one.fragment.offset,
        "length": wire - start,
        "more": one.fragment.more,
        "number": one.number,
        "start": start,
        "whole": end == wire,
    }
    return np.stack([columns[name].astype(np.int64) for name in INPUT[:-1]])


def _keys(one: FragmentGroup) -> list[bytes]:
    """What the fragments of one datagram have in common."""
    h, rows = one.headers, one.spans.row
    family = _family(h)
    names = [family]
    columns = [one.fragment.identity[:, None]]
    at: Headers | None = h
    apart = False  # the addresses are there
    while at is not None:
        p = at.protocol
        if p.addresses is not None and p.name == family and not apart:
            place = at.layout.places[p.addresses[0]]
            columns.append(gather(at.buffer, at.start[rows] + place.offset, 8 if family == "ip" else 32))
            apart = True
        if p.network_id:
            columns.append(at[p.network_id][rows].astype(np.int64)[:, None])
            names.append(p.name)
        rows, at = at.row[rows], at.parent
    whole = np.concatenate([np.ascontiguousarray(column).view(np.uint8).reshape(len(one.number), -1) for column in columns], axis=1)
    same = ":".join(names).encode()
    return [same + key for key in whole.view(f"V{whole.shape[1]}").reshape(-1).tolist()]


def _whole(
    groups: list[FragmentGroup], rows: np.ndarray, source: np.ndarray, wholes: list[list[Any]], frames: int
) -> list[tuple[Carried, np.ndarray]]:
    """The datagrams in a buffer made for them. Their headers get the fields that say which fragments they consist of.

    rows, source: int64, the fragment that made each whole, and its group. wholes: what `Trains.feed` says of them.
    """
    numbers, datas, counts = np.array(wholes[0]), wholes[1], np.array(wholes[2])
    frame, marks = np.array(wholes[3]), np.array(wholes[4])
    sizes = np.array([len(data) for data in datas])
    end = np.cumsum(sizes)
    buffer = np.frombuffer(b"".join([*datas, bytes(SLACK)]), np.uint8)
    base = np.zeros(frames, np.int64)
    owner = np.repeat(np.arange(len(rows)), counts)
    bad = marks & ~1 > 0
    marked = [(mark, marks >> bit & 1 > 0) for bit, mark in enumerate(MARKS)]
    made = []
    for nth, one in enumerate(groups):
        mine = np.flatnonzero(source == nth)
        if not len(mine):
            continue
        one.completes[rows[mine]] = True
        spans = one.spans.take(rows[mine])._replace(start=(end - sizes)[mine], end=end[mine], wire=end[mine])
        base[spans.frame] = spans.start
        h, family = one.headers, _family(one.headers)
        row = np.zeros(len(rows), np.int64)
        row[mine] = spans.row
        of = source[owner] == nth
        columns = [("", frame, ~bad), (".error", frame, bad)]
        columns += [(f".{mark}", there, there) for mark, there in marked]
        for name, values, which in columns:
            picked = of & which
            h.put(f"{family}.fragment{name}", values[picked], row[owner[picked]])
        h.put(f"{family}.fragment.count", counts[mine], spans.row)
        h.put(f"{family}.reassembled.length", sizes[mine], spans.row)
        made.append((Carried("", h, spans, "ipproto", buffer, base), numbers[mine]))
    return made
