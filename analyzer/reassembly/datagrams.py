"""Datagrams that travelled in pieces: IPv4 and IPv6 fragments put together, whole ones given back to the dissection.

RFC 791 §3.2, RFC 8200 §4.5. Pieces belong together if version, addresses, identification (for IPv4 the protocol, too) and the
networks apart (VLANs, virtual networks of tunnels) are equal, and they lie equally deep in their frames: what is found at one
depth never hangs on another, so the batch does not matter.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..capture import Batch
from ..capture.batch import SLACK
from ..fields import Headers, Piece, Spans, gather
from ._datagrams import ENDED, FOUND, GIVEN, MARKS, OUTCOMES, POLICIES, TOLD, Trains

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
    told: np.ndarray = field(default_factory=lambda: np.empty((len(TOLD), 0), np.int64))
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
        frame = np.concatenate([one.spans.frame for one in arrived])
        order = np.argsort(frame, kind="stable")
        source = np.repeat(np.arange(len(arrived)), [len(one.number) for one in arrived])
        keys = np.array([key for one in arrived for key in _keys(one)], object)[order].tolist()
        ended, made = [], []
        told = np.empty((len(TOLD), len(order)), np.int64)
        given = np.concatenate([_given(one, batch) for one in arrived], axis=1)
        wholes: list[tuple[int, int, bytes, list[tuple[int, int]]]] = []
        # Groups of headers may lie in different buffers: those that the dissection made before, and the batch's.
        cuts = np.flatnonzero(np.diff(source[order], prepend=-1))
        for low, high in zip(cuts.tolist(), [*cuts[1:].tolist(), len(order)]):
            some = order[low:high]
            out = np.empty((len(TOLD), len(some)), np.int64)
            buffer = memoryview(arrived[source[some[0]]].headers.buffer.data)
            closed, whole = trains.feed(keys[low:high], np.ascontiguousarray(given[:, some]), buffer, out)
            told[:, some] = out
            ended += closed
            wholes += [(int(some[i]), *rest) for i, *rest in whole]
        first = np.cumsum([0, *(len(one.number) for one in arrived)])
        for nth, one in enumerate(arrived):
            mine = [(i - first[nth], *rest) for i, *rest in wholes if source[i] == nth]
            one.depth, one.told = depth, told[:, first[nth] : first[nth + 1]]
            one.completes = np.zeros(len(one.number), bool)
            one.completes[[i for i, *_ in mine]] = True
            late = np.flatnonzero(one.told[3])
            one.headers.put(WHOLE_IN[_family(one.headers)], one.told[3][late], one.spans.row[late])
            if mine:
                made.append(_made(one, mine, len(batch)))
        return made, np.array(ended, np.int64).reshape(-1, len(ENDED))

    @property
    def given_up(self) -> int:
        """Trains that were given up for want of memory."""
        return sum(trains.lost() for trains in self.depths.values())

    def unfinished(self) -> list[tuple[int, np.ndarray]]:
        """(depth, rows as `feed` gives them) of the trains that wait still, for the end of the trace."""
        return [(depth, np.array(trains.unfinished(), np.int64).reshape(-1, len(ENDED))) for depth, trains in self.depths.items()]


def fill(h: Headers) -> None:
    """Columns for the fields that no piece here has values of."""
    for f in h.protocol.added:
        if not h.has(f.name):
            h.put(f.name, np.empty(0, f.kind.dtype), np.empty(0, np.int64))


def _family(h: Headers) -> str:
    """ip or ipv6."""
    return h.protocol.name.partition(".")[0]


def _given(one: Arrived, batch: Batch) -> np.ndarray:
    """The matrix (GIVEN, n) that the trains are fed with."""
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
    return np.stack([columns[name].astype(np.int64) for name in GIVEN])


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
        if p.name == family and not apart:
            place = at.layout.places[p.addresses[0]]
            columns.append(gather(at.buffer, at.start[rows] + place.offset, 8 if family == "ip" else 32))
            apart = True
        if p.realm:
            columns.append(at[p.realm][rows].astype(np.int64)[:, None])
            names.append(p.name)
        rows, at = at.row[rows], at.parent
    whole = np.concatenate([np.ascontiguousarray(column).view(np.uint8).reshape(len(one.number), -1) for column in columns], axis=1)
    same = ":".join(names).encode()
    return [same + key for key in whole.view(f"V{whole.shape[1]}").reshape(-1).tolist()]


def _made(one: Arrived, wholes: list[tuple[int, int, bytes, list[tuple[int, int]]]], frames: int) -> Made:
    """The buffer that holds these datagrams, and their headers' columns that say which pieces they consist of."""
    rows = np.array([i for i, *_ in wholes])
    sizes = np.array([len(data) for _, _, data, _ in wholes])
    end = np.cumsum(sizes)
    buffer = np.frombuffer(b"".join([*(data for _, _, data, _ in wholes), bytes(SLACK)]), np.uint8)
    base = np.zeros(frames, np.int64)
    spans = one.spans.take(rows)._replace(start=end - sizes, end=end, wire=end)
    base[spans.frame] = spans.start
    prefix = _family(one.headers)
    counts = [len(pieces) for *_, pieces in wholes]
    frame = np.array([frame for *_, pieces in wholes for frame, _ in pieces])
    marks = np.array([mark for *_, pieces in wholes for _, mark in pieces])
    owner = np.repeat(spans.row, counts)
    bad = marks & ~1 > 0
    h = one.headers
    h.put(f"{prefix}.fragment", frame[~bad], owner[~bad])
    h.put(f"{prefix}.fragment.error", frame[bad], owner[bad])
    for bit, mark in enumerate(MARKS):
        there = marks >> bit & 1 > 0
        h.put(f"{prefix}.fragment.{mark}", there[there], owner[there])
    h.put(f"{prefix}.fragment.count", np.array(counts), spans.row)
    h.put(f"{prefix}.reassembled.length", sizes, spans.row)
    return Made(h, buffer, base, spans, np.array([number for _, number, *_ in wholes]))
