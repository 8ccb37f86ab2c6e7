"""Stream numbers of TCP and UDP, relative sequence numbers, and the fields of tcp.analysis: the NumPy side of `_tracker.py`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from .._conversations import Numbers
from ..conversations import Clock, in_order, keyed, spread
from ..fields import Headers
from ..protocols import register
from ..protocols.tcp import TRACKED
from . import states
from ._tracker import INPUT, MARKS, OUTPUT, Tracker

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..capture import Batch

    Compute = Callable[[], tuple[np.ndarray, np.ndarray | None]]  # segments that have a field, and the values of all; None: true

DSS = 2  # data sequence signal, the subtype of multipath TCP's option that ordinary segments have: RFC 8684 §3.3
MASK = 0xFFFFFFFF  # sequence numbers wrap, RFC 9293 §3.4
UDP = {"udp.stream"}
NUMBERS = {"tcp.seq", "tcp.ack", "tcp.nxtseq"}
EDGES = {f"tcp.options.sack{end}" for end in ("_le", "_re", ".dsack_le", ".dsack_re", ".dsack")}
ANALYSIS = {f.name for f in TRACKED}
MARKED = {
    name: field for name in MARKS for field in (f"tcp.analysis.{name}", f"tcp.connection.{name}", f"tcp.judged.{name}") if field in ANALYSIS
}
SUSPICIOUS = sum(1 << MARKS.index(name) for name, field in MARKED.items() if ".analysis." in field and ".tfo_" not in field)
FACTS = {
    "duplicate_num": "tcp.analysis.duplicate_ack_num",
    "duplicate_frame": "tcp.analysis.duplicate_ack_frame",
    "acks_frame": "tcp.analysis.acks_frame",
    "ack_rtt": "tcp.analysis.ack_rtt",
    "in_flight": "tcp.analysis.bytes_in_flight",
    "pushed": "tcp.analysis.push_bytes_sent",
    "rto": "tcp.analysis.rto",
    "acked_unseen": "tcp.judged.missed",
    "rto_frame": "tcp.analysis.rto_frame",
}
TCP = {"tcp.stream"} | NUMBERS | EDGES | ANALYSIS


@dataclass
class Segments:
    """The n TCP segments of a batch, in the order of their frames.

    frame: int64 (n,), row in the batch. keys: of their connections (`conversations.pairs`), concatenated. inputs, outputs: int64,
    (len(INPUT), n) and (len(OUTPUT), n), of the tracker. sacks: int64 (2, m), raw edges. changes: int64 (m, 5), a row for each change
    of state: segment, end (0 client, 1 server), state before, after, event. chunks: the batch's headers of `tcp`. order: int64 (n,),
    index of each segment's header among those of all chunks. evicted: streams that the tracker dropped; no later batch has a segment
    of them.
    """

    frame: np.ndarray
    keys: bytes
    inputs: np.ndarray
    outputs: np.ndarray
    sacks: np.ndarray
    changes: np.ndarray
    chunks: list[Headers]
    order: np.ndarray
    evicted: list[int] = field(default_factory=list)

    def __getitem__(self, name: str) -> np.ndarray:
        """A column by its name in INPUT or OUTPUT."""
        return self.outputs[OUTPUT.index(name)] if name in OUTPUT else self.inputs[INPUT.index(name)]

    def has_field(self, name: str) -> np.ndarray:
        """bool (n,): whether the header is long enough for a field."""
        return self.ordered([h.trusted >= h.layout.places[name].behind for h in self.chunks])

    def marked(self, name: str) -> np.ndarray:
        """bool (n,): whether segments have a mark, one of MARKS."""
        return (self["marks"] >> MARKS.index(name) & 1).astype(bool)

    def column(self, name: str, missing: int = 0) -> np.ndarray:
        """A header field of each segment, int64 (n,); `missing` where there is none."""
        parts = []
        for h in self.chunks:
            values, rows = h.column(name)
            if rows is not None:
                full = np.full(len(h), missing, np.int64)
                full[rows] = values
                values = full
            parts.append(values)
        return self.ordered(parts).astype(np.int64, copy=False)

    def ordered(self, parts: list[np.ndarray]) -> np.ndarray:
        """Values of the segments (n,) from values of all headers, an array for each chunk."""
        return (parts[0] if len(parts) == 1 else np.concatenate(parts)).take(self.order)

    def outer(self, name: str) -> np.ndarray:
        """A field of the IP header that carries each segment, int64 (n,); -1 where there is no such field."""
        parts = []
        for h in self.chunks:
            net, rows = h.network_layer() or (h, h.row)
            exists = net.protocol.name in register()[name].owners
            parts.append(net[name].take(rows).astype(np.int64) if exists else np.full(len(h), -1))
        return self.ordered(parts)

    def datagrams(self) -> np.ndarray:
        """Length of the IP datagram that carries each segment, bytes, int64 (n,)."""
        parts = []
        for h in self.chunks:
            lower = h.network_layer()
            parts.append(np.zeros(len(h), np.int64) if lower is None else h.wire - lower[0].start.take(lower[1]))
        return self.ordered(parts)

    def counts(self, name: str) -> np.ndarray:
        """How many values of a header field each segment has, int64 (n,)."""
        return self.all_counts(name).take(self.order)

    def all_counts(self, name: str) -> np.ndarray:
        """The same for every header of the chunks, in their order."""
        rows = [h.column(name).rows for h in self.chunks]
        return np.concatenate(
            [np.ones(len(h), np.int64) if at is None else np.bincount(at, minlength=len(h)) for h, at in zip(self.chunks, rows)]
        )


class StreamNumbers:
    """Adds the stream fields to the headers of each batch; state is kept from batch to batch.

    wanted: names of the fields that are needed. most: TCP connections held at the most; `forgotten` counts those evicted.
    """

    def __init__(self, wanted: set[str], most: int) -> None:
        self.wanted = wanted
        self.udp = Numbers()
        self.analyse = bool(wanted & ANALYSIS)
        self.place = self.analyse or bool(wanted & NUMBERS)
        self.tcp = Tracker(states.table(), self.analyse, most)
        self.forgotten = 0
        self.clock = Clock()

    def number_udp(self, chunks: list[Headers]) -> None:
        """Add udp.stream to the chunks of a batch."""
        order = in_order(chunks)
        order = order[np.concatenate([h.trusted >= 4 for h in chunks])[order]]
        keys = np.concatenate([keyed(h, ("udp.srcport", "udp.dstport"))[0] for h in chunks])
        numbers = np.empty(len(order), np.int64)
        self.udp.number(keys[order].tolist(), numbers.data)
        spread(chunks, order, {"udp.stream": numbers})

    def number_tcp(self, chunks: list[Headers], batch: Batch) -> Segments:
        """Add tcp.stream to the chunks of a batch, and the other wanted fields."""
        order = in_order(chunks)
        order = order[np.concatenate([h.trusted >= 8 for h in chunks])[order]]
        conversations = [keyed(h, ("tcp.srcport", "tcp.dstport")) for h in chunks]
        keys = np.concatenate([key for key, _ in conversations]).take(order).tobytes()
        frame = np.concatenate([h.frame for h in chunks]).take(order)
        inputs = (np.empty if self.analyse else np.zeros)((len(INPUT), len(order)), np.int64)
        outputs = np.zeros((len(OUTPUT), len(order)), np.int64)
        sacks = np.zeros((2, 0), np.int64)
        segments = Segments(frame, keys, inputs, outputs, sacks, np.zeros((0, 5), np.int64), chunks, order)

        def put(name: str, values: np.ndarray) -> None:
            inputs[INPUT.index(name)] = values

        flags = segments.column("tcp.flags")
        live = segments.has_field("tcp.flags") & ~segments.ordered([h.quoted for h in chunks])
        put("back", segments.ordered([back for _, back in conversations]))
        put("flags", flags)
        put("live", live)
        put("seq", segments.column("tcp.seq_raw"))
        put("ack", segments.column("tcp.ack_raw"))
        if self.place:
            put("length", segments.column("tcp.len"))
            put("time", self.clock(batch)[frame])
            put("frame", frame + batch.first)
        if self.analyse:
            put("window", segments.column("tcp.window_size_value"))
            put("scale", segments.column("tcp.options.wscale.shift", -1))
            put("cookie", segments.counts("tcp.options.tfo.cookie") > 0)
            put("low_port", segments.column("tcp.srcport") < segments.column("tcp.dstport"))
            put("identification", segments.outer("ip.id"))
            put("stamp", segments.column("tcp.options.timestamp.tsval", -1))
            put("signal", _signals(segments))
            sacks = self._sacks(segments)
        segments.sacks = sacks
        changes, evicted = self.tcp.feed(keys, inputs.data, sacks.data, outputs.data)
        segments.evicted = evicted
        self.forgotten += len(evicted)
        packed = np.array(changes, np.int64)
        segments.changes = np.column_stack([packed >> 16, *(packed >> shift & 15 for shift in (12, 8, 4, 0))])
        spread(chunks, order, {"tcp.stream": segments["stream"]})
        self._numbers(segments, live)
        if self.analyse:
            self._analysis(segments)
        return segments

    def _sacks(self, segments: Segments) -> np.ndarray:
        """Raw edges of all SACK blocks, int64 (2, m); where each segment's are goes into its inputs."""
        columns = [(h.column("tcp.options.sack_le_raw"), h.column("tcp.options.sack_re_raw")) for h in segments.chunks]
        counts = segments.all_counts("tcp.options.sack_le_raw")
        last = np.cumsum(counts)
        segments.inputs[INPUT.index("first_sack")] = (last - counts)[segments.order]
        segments.inputs[INPUT.index("last_sack")] = last[segments.order]
        edges = [np.concatenate([pair[side].values for pair in columns]) for side in (0, 1)]
        return np.stack(edges).astype(np.int64)

    def _numbers(self, s: Segments, live: np.ndarray) -> None:
        """Add relative numbers and SACK edges, if they are wanted."""
        own, peer, flags = s["own"], s["peer"], s["flags"]
        if self.wanted & NUMBERS:
            relative, acked = _relative(s["seq"], s["ack"], flags >> 4 & 1, np.where(live, own, -1), np.where(live, peer, -1))
            spread(s.chunks, s.order, {"tcp.seq": relative, "tcp.ack": acked})
            rows = np.flatnonzero(live & np.concatenate([h.whole for h in s.chunks])[s.order])
            length = s.column("tcp.len") + (flags & 1) + (flags >> 1 & 1)
            spread(s.chunks, s.order[rows], {"tcp.nxtseq": (relative + length & MASK)[rows]})
        if self.wanted & EDGES:
            bases = np.full(sum(map(len, s.chunks)), -1, np.int64)
            bases[s.order] = peer
            at = 0
            for h in s.chunks:
                _sack(h, bases[at : at + len(h)])
                at += len(h)

    def _analysis(self, s: Segments) -> None:
        """Add the wanted fields of tcp.analysis, tcp.connection and tcp.judged, each to the segments that have it."""
        flags, marks, shift = s["flags"], s["marks"], s["shift"]
        syn, ack = (flags & 2) != 0, (flags & 16) != 0

        def everywhere(name: str) -> Compute:
            return lambda: (np.arange(len(s.order)), s[name])

        def flagged(mask: Callable[[], np.ndarray]) -> Compute:
            return lambda: (np.flatnonzero(mask()), None)

        def marked(name: str) -> Compute:
            return flagged(lambda: s.marked(name))

        def fact(name: str) -> Compute:
            return lambda: (np.flatnonzero(s["rto" if name == "rto_frame" else name]), s[name])

        def window() -> tuple[np.ndarray, np.ndarray]:
            scaled = np.where((shift > 0) & ~syn & (s["live"] != 0), shift, 0)
            return np.flatnonzero(s.has_field("tcp.window_size_value")), s["window"] << scaled

        def first_round_trip() -> tuple[np.ndarray, np.ndarray]:
            shown = ((marks & SUSPICIOUS) != 0) | (s["acks_frame"] > 0) | s.marked("counted")
            return np.flatnonzero(shown & (s["initial_rtt"] > 0)), s["initial_rtt"]

        fields: dict[str, Compute] = {
            "tcp.time_relative": everywhere("since_first"),
            "tcp.time_delta": everywhere("since_last"),
            "tcp.completeness": everywhere("completeness"),
            "tcp.window_size": window,
            "tcp.window_size_scalefactor": lambda: (
                np.flatnonzero(~syn & s.has_field("tcp.flags")),
                np.where(shift < 0, shift, 1 << np.maximum(shift, 0)),
            ),
            "tcp.connection.syn": flagged(lambda: syn & ~ack),
            "tcp.connection.synack": flagged(lambda: syn & ack),
            "tcp.connection.fin": flagged(lambda: flags & 1),
            "tcp.connection.rst": flagged(lambda: flags & 4),
            **{field: marked(name) for name, field in MARKED.items()},
            "tcp.analysis.flags": flagged(lambda: marks & SUSPICIOUS),
            **{field: fact(name) for name, field in FACTS.items()},
            "tcp.analysis.initial_rtt": first_round_trip,
        }
        for name in self.wanted & fields.keys():
            rows, values = fields[name]()
            spread(s.chunks, s.order[rows], {name: np.ones(len(rows), bool) if values is None else values[rows]})


def _signals(s: Segments) -> np.ndarray:
    """bool (n,): whether segments have a multipath TCP option other than DSS."""
    parts = []
    for h in s.chunks:
        subtype, rows = h.column("tcp.options.mptcp.subtype")
        assert rows is not None
        signals = np.zeros(len(h), bool)
        signals[rows[subtype != DSS]] = True
        parts.append(signals)
    return np.concatenate(parts)[s.order]


def _relative(seq: np.ndarray, ack: np.ndarray, acks: np.ndarray, own: np.ndarray, peer: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers counted from the bases of their direction; raw where a base is unknown or nothing is acknowledged."""
    return np.where(own < 0, seq, seq - own & MASK), np.where((peer < 0) | (acks == 0), ack, ack - peer & MASK)


def _reaches(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Whether a >= b for numbers that wrap. RFC 9293 §3.4."""
    return (a - b & MASK) < 1 << 31


def _sack(h: Headers, base: np.ndarray) -> None:
    """Add SACK edges relative to `base` (int64, -1 unknown), that of the other direction; D-SACK is detected by RFC 2883 §4."""
    left, rows = h.column("tcp.options.sack_le_raw")
    right, _ = h.column("tcp.options.sack_re_raw")
    assert rows is not None
    left, right = left.astype(np.int64), right.astype(np.int64)
    zero = np.where(base[rows] < 0, 0, base[rows])
    left, right, ack = left - zero & MASK, right - zero & MASK, h["tcp.ack_raw"].astype(np.int64)[rows] - zero & MASK
    first = np.ones(len(rows), bool)
    first[1:] = rows[1:] != rows[:-1]
    follows = np.zeros(len(rows), bool)
    follows[:-1] = ~first[1:]
    next_left, next_right = np.append(left[1:], 0), np.append(right[1:], 0)
    duplicate = first & (_reaches(ack, right) | (follows & _reaches(left, next_left) & _reaches(next_right, right)))
    h.put("tcp.options.sack.dsack", np.ones(int(duplicate.sum()), bool), rows[duplicate])
    for name, values in (("le", left), ("re", right)):
        h.put(f"tcp.options.sack_{name}", values, rows)
        h.put(f"tcp.options.sack.dsack_{name}", values[duplicate], rows[duplicate])
