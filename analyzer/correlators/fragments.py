"""Datagrams that travelled in pieces: IPv4 and IPv6 fragments put together, whole ones given back to the dissection.

RFC 791 §3.2, RFC 8200 §4.5. Pieces belong together if version, addresses, identification (for IPv4 the protocol, too) and the
networks apart (VLANs, virtual networks of tunnels) are equal, and they lie equally deep in their frames: what is found at one
depth never hangs on another, so the batch does not matter.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..capture import Batch
from ..capture.batch import SLACK
from ..fields import Field, Headers, Piece, Spans, gather
from ._fragments import ENDED, FOUND, INPUT, MARKS, OUTCOMES, OUTPUT, POLICIES, Trains

__all__ = ["CARRIERS", "FOUND", "LIMIT", "OUTCOMES", "POLICIES", "Arrived", "Datagrams", "Made", "fill"]

CARRIERS = ("ip", "ipv6.fraghdr")  # protocols whose headers say that they carry a piece
LIMIT = 64 << 20  # bytes held of datagrams that are not whole; half as much for each two headers deeper, so twice that in all
WHOLE_IN = {"ip": "ip.reassembled_in", "ipv6": "ipv6.reassembled.in"}
PATIENCE = {"ip": 30, "ipv6": 60}  # seconds from the first piece on: what Linux waits for; RFC 8200 §4.5


@dataclass
class Arrived:
    """Pieces that one group of headers carries; arrays of shape (n,).

    headers: that carry them. spans: of the pieces. number: int64, the protocol number that their headers say. piece: where they
    belong. told: int64 (4, n), what the piece was to its train: columns of `_datagrams.TOLD`. depth: how deep they lie.
    completes: bool, after this piece its datagram was whole.
    """

    headers: Headers
    spans: Spans
    number: np.ndarray
    piece: Piece
    depth: int = 0
    told: np.ndarray = field(default_factory=lambda: np.empty((len(OUTPUT), 0), np.int64))
    completes: np.ndarray = field(default_factory=lambda: np.empty(0, bool))


@dataclass
class Made:
    """Datagrams that are whole, in a buffer of their own that ends in zeros; where the headers in them lie, what they are."""

    headers: Headers
    buffer: np.ndarray
    base: np.ndarray
    spans: Spans
    number: np.ndarray


@dataclass
class Datagrams:
    """What waits for more pieces, from batch to batch.

    policy: whose bytes count where pieces overlap: 'bsd' (who begins first, then who came first; Wireshark's), 'first', 'last', 'linux'
    (who begins first, then who came last). limit: bytes held at the most at the outermost depth.
    """

    policy: str = "bsd"
    limit: int = LIMIT
    depths: dict[int, Trains] = field(default_factory=dict)

    def feed(self, depth: int, arrived: list[Arrived], batch: Batch) -> tuple[list[Made], np.ndarray]:
        """Take the pieces that one turn of the dissection found, in the order of their frames.

        Returns the datagrams that became whole, and a row for each train that ended: int64 (trains, ENDED).
        """
        trains = self.depths.get(depth)
        if trains is None:
            trains = self.depths[depth] = Trains(self.limit >> depth // 2, self.policy)
        sizes = [len(one.number) for one in arrived]
        first = np.cumsum([0, *sizes])
        source = np.repeat(np.arange(len(arrived)), sizes)
        order = np.argsort(np.concatenate([one.spans.frame for one in arrived]), kind="stable")
        keys = [key for one in arrived for key in _keys(one)]
        given = np.concatenate([_given(one, batch) for one in arrived], axis=1)
        told = np.empty((len(OUTPUT), len(order)), np.int64)
        for nth, one in enumerate(arrived):
            one.depth, one.told = depth, told[:, first[nth] : first[nth + 1]]
            one.completes = np.zeros(sizes[nth], bool)
        given = np.ascontiguousarray(np.concatenate((given, source[None])).take(order, axis=1))
        out = np.empty_like(told)
        buffers = [memoryview(one.headers.buffer.data) for one in arrived]
        ended, (rows, *wholes) = trains.feed([keys[i] for i in order.tolist()], given, buffers, out)
        told[:, order] = out
        made = _made(arrived, order[rows] - first[:-1][source[order[rows]]], source[order[rows]], wholes, len(batch)) if rows else []
        for one in arrived:
            late = np.flatnonzero(one.told[3])
            one.headers.put(WHOLE_IN[_family(one.headers)], one.told[3][late], one.spans.row[late])
        return made, np.array(ended, np.int64).reshape(-1, len(ENDED))

    @property
    def given_up(self) -> int:
        """Trains that were given up for want of memory."""
        return sum(trains.lost() for trains in self.depths.values())

    def unfinished(self) -> list[tuple[int, np.ndarray]]:
        """(depth, rows as `feed` gives them) of the trains that wait still, for the end of the trace."""
        return [(depth, np.array(trains.unfinished(), np.int64).reshape(-1, len(ENDED))) for depth, trains in self.depths.items()]


def fill(h: Headers, fields: Iterable[Field]) -> None:
    """Columns without values for those of these fields that nothing here has values of."""
    for f in fields:
        if not h.has(f.name):
            h.put(f.name, np.empty(0, f.kind.dtype), np.empty(0, np.int64))


def _family(h: Headers) -> str:
    """ip or ipv6."""
    return h.protocol.name.partition(".")[0]


def _given(one: Arrived, batch: Batch) -> np.ndarray:
    """The matrix (GIVEN without its last, n) that the trains are fed with."""
    frame, start, wire, end = one.spans.frame, one.spans.start, one.spans.wire, one.spans.end
    name = _family(one.headers)
    columns = {
        "frame": frame + batch.first,
        "time": batch.time[frame],
        "patience": np.full(len(frame), PATIENCE[name] * 10**9),
        "offset": one.piece.offset,
        "length": wire - start,
        "more": one.piece.more,
        "number": one.number,
        "start": start,
        "whole": end == wire,
    }
    return np.stack([columns[name].astype(np.int64) for name in INPUT[:-1]])


def _keys(one: Arrived) -> list[bytes]:
    """What the pieces of one datagram have in common."""
    h, rows = one.headers, one.spans.row
    family = _family(h)
    names = [family]
    columns = [one.piece.identity[:, None]]
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


def _made(arrived: list[Arrived], rows: np.ndarray, source: np.ndarray, wholes: list[list[Any]], frames: int) -> list[Made]:
    """The buffer that holds these datagrams, and their headers' columns that say which pieces they consist of.

    rows, source: int64, the piece that made each whole, and whose. wholes: what `Trains.feed` says of them.
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
    for nth, one in enumerate(arrived):
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
        told = [("", frame, ~bad), (".error", frame, bad)]
        told += [(f".{mark}", there, there) for mark, there in marked]
        for name, values, which in told:
            picked = of & which
            h.put(f"{family}.fragment{name}", values[picked], row[owner[picked]])
        h.put(f"{family}.fragment.count", counts[mine], spans.row)
        h.put(f"{family}.reassembled.length", sizes[mine], spans.row)
        made.append(Made(h, buffer, base, spans, numbers[mine]))
    return made
