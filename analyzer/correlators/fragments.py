"""IPv4 and IPv6 reassembly; whole datagrams go back to the dissection. RFC 791 §3.2, RFC 8200 §4.5.

Fragments belong together if version, addresses, identification (for IPv4 the protocol, too), networks (VLANs, virtual networks of
tunnels) and depth in their frames are equal. Results at one depth never depend on another depth, so batches do not matter.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np

from ..capture import Batch
from ..capture.batch import SLACK
from ..defaults import OVERLAP
from ..fields import Carried, Headers, gather
from . import FragmentGroup, Reassembler
from ._fragments import ENDED, INPUT, MARKS, OUTCOMES, OUTPUT, STATUSES, Queues

__all__ = ["LIMIT", "OUTCOMES", "STATUSES", "Fragments"]

LIMIT = (
    64 << 20
)  # bytes held of incomplete datagrams at the outermost depth; halved for each two headers deeper, so at most twice that in all
WHOLE_IN = {"ip": "ip.reassembled_in", "ipv6": "ipv6.reassembled.in"}
TIMEOUT = {"ip": 30, "ipv6": 60}  # seconds since the first fragment: as Linux; RFC 8200 §4.5


class Fragments(Reassembler):
    """Holds fragments until their datagram is whole.

    policy: which fragment's bytes count where fragments overlap: 'bsd' (lowest offset, then earliest; Wireshark's), 'first', 'last',
    'linux' (lowest offset, then latest). limit: most bytes held at the outermost depth. groups, ended: the fragments of this batch,
    and (depth, rows as `_fragments.ENDED`) of the datagrams that ended in it.
    """

    def __init__(self, wanted: AbstractSet[str] = frozenset(), policy: str = OVERLAP, limit: int = LIMIT) -> None:
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
        sizes = [len(group.number) for group in groups]
        first = np.cumsum([0, *sizes])
        source = np.repeat(np.arange(len(groups)), sizes)
        order = np.argsort(np.concatenate([group.spans.frame for group in groups]), kind="stable")
        keys = [key for group in groups for key in _keys(group)]
        inputs = np.concatenate([_inputs(group, batch) for group in groups], axis=1)
        outputs = np.empty((len(OUTPUT), len(order)), np.int64)
        for nth, group in enumerate(groups):
            group.outputs, group.completes = outputs[:, first[nth] : first[nth + 1]], np.zeros(sizes[nth], bool)
        inputs = np.ascontiguousarray(np.concatenate((inputs, source[None])).take(order, axis=1))
        ordered = np.empty_like(outputs)
        buffers = [memoryview(group.headers.buffer.data) for group in groups]
        ended, (rows, *wholes) = queues.feed([keys[i] for i in order.tolist()], inputs, buffers, ordered)
        outputs[:, order] = ordered
        self.groups += groups
        self.ended.append((depth, np.array(ended, np.int64).reshape(-1, len(ENDED))))
        for group in groups:
            late = np.flatnonzero(group.outputs[3])
            group.headers.put(WHOLE_IN[_family(group.headers)], group.outputs[3][late], group.spans.row[late])
        if not rows:
            return []
        return _completed(groups, order[rows] - first[:-1][source[order[rows]]], source[order[rows]], wholes, len(batch))

    def unfinished(self) -> list[tuple[int, np.ndarray]]:
        """(depth, rows as in `ended`) of the incomplete datagrams at the end of the trace."""
        return [(depth, np.array(queues.unfinished(), np.int64).reshape(-1, len(ENDED))) for depth, queues in self.depths.items()]

    def forgotten(self) -> Iterator[str]:
        if given_up := sum(queues.lost() for queues in self.depths.values()):
            most = f"{LIMIT >> 20} MiB of fragments at the most"
            yield f"{given_up:,} fragmented datagrams, the oldest, were given up before they were whole, to hold {most}"


def _family(h: Headers) -> str:
    """ip or ipv6."""
    return h.protocol.name.partition(".")[0]


def _inputs(group: FragmentGroup, batch: Batch) -> np.ndarray:
    """The input matrix (INPUT without its last, n), int64."""
    frame, start, wire, end = group.spans.frame, group.spans.start, group.spans.wire, group.spans.end
    name = _family(group.headers)
    columns = {
        "frame": frame + batch.first,
        "time": batch.time[frame],
        "timeout": np.full(len(frame), TIMEOUT[name] * 10**9),
        "offset": group.fragment.offset,
        "length": wire - start,
        "more": group.fragment.more,
        "number": group.number,
        "start": start,
        "whole": end == wire,
    }
    return np.stack([columns[name].astype(np.int64) for name in INPUT[:-1]])


def _keys(group: FragmentGroup) -> list[bytes]:
    """A key of each fragment, equal for the fragments of one datagram."""
    h, rows = group.headers, group.spans.row
    family = _family(h)
    names = [family]
    columns = [group.fragment.identity[:, None]]
    at: Headers | None = h
    has_addresses = False
    while at is not None:
        p = at.protocol
        if p.addresses is not None and p.name == family and not has_addresses:
            place = at.layout.places[p.addresses[0]]
            columns.append(gather(at.buffer, at.start[rows] + place.offset, 8 if family == "ip" else 32))
            has_addresses = True
        if p.network_id:
            columns.append(at[p.network_id][rows].astype(np.int64)[:, None])
            names.append(p.name)
        rows, at = at.row[rows], at.parent
    data = np.concatenate([np.ascontiguousarray(column).view(np.uint8).reshape(len(group.number), -1) for column in columns], axis=1)
    prefix = ":".join(names).encode()
    return [prefix + key for key in data.view(f"V{data.shape[1]}").reshape(-1).tolist()]


def _completed(
    groups: list[FragmentGroup], rows: np.ndarray, source: np.ndarray, wholes: list[list[Any]], frames: int
) -> list[tuple[Carried, np.ndarray]]:
    """The completed datagrams, in a new buffer. Puts the fields about their fragments into the headers of the last ones.

    rows, source: int64, the fragment that completed each, and its group. wholes: as `Queues.feed` returns them, without the rows.
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
    datagrams = []
    for nth, group in enumerate(groups):
        mine = np.flatnonzero(source == nth)
        if not len(mine):
            continue
        group.completes[rows[mine]] = True
        spans = group.spans.take(rows[mine])._replace(start=(end - sizes)[mine], end=end[mine], wire=end[mine])
        base[spans.frame] = spans.start
        h, family = group.headers, _family(group.headers)
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
        datagrams.append((Carried("", h, spans, "ipproto", buffer, base), numbers[mine]))
    return datagrams
