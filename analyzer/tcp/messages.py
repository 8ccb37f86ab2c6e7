"""Messages of applications in TCP streams: which stream speaks what, where its messages begin and end, in which frame each was whole.

A protocol that lives on streams has a `Cutter` (STREAM in its file). A stream is given to the protocol of its port if its first
bytes agree with that protocol's grammar, else to the first protocol whose grammar they agree with, else to that of its port; but the
user's word (`-d`) and an announcement (`announced`) overrule both. What no protocol takes stays data of its segment, until it turns to
one that says so (TLS behind STARTTLS). A message goes back into the dissection as a span of a buffer made for it, carried by the TCP
header of the frame with which it was whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..capture.batch import SLACK
from ..correlators.expectations import Transfers
from ..fields import Headers, Spans, gather
from ..protocols import protocols
from ..protocols.common.framing import GREETING_SIZE, PROBE_SIZE, ContiguousRuns, Framed, Framer, KeepsIncomplete, ProbesMidstream
from ._reassembly import OUTPUT
from .reassembly import DATA, MISSING, Pieces, Reader, StreamEvents

if TYPE_CHECKING:
    from ..capture import Batch
    from .tracker import Segments

NONE, UNDECIDED = -1, -2  # what a stream speaks, beside numbers of protocols: nothing that is known, nothing yet
ENOUGH = 8  # bytes that must agree with a grammar on a port that is nobody's: a key or a short greeting tells nothing


Lost = list[tuple[int, np.ndarray, np.ndarray]]


@dataclass
class FramedMessages:
    """Messages of one protocol that one group of TCP headers carries, in a buffer that ends in zeros; base: of each frame's first.

    protocol: its number. way: int64 (n,), the direction of each: twice the stream's number, plus 1 from the greater end of its key.
    told: what the cutter knows of each beyond its bytes, columns (n,).
    """

    protocol: int
    headers: Headers
    buffer: np.ndarray
    base: np.ndarray
    spans: Spans
    direction: np.ndarray
    told: Mapping[str, np.ndarray]


@dataclass
class Messages:
    """From segments to messages; state lives from batch to batch.

    cutters: by the number of their protocol. ports: int64, the protocol of each TCP port, -1 for none; its last is for all beyond.
    said: int64, the same of what the user said, UNDECIDED where nothing. leads: the protocol whose messages announce connections of
    which protocol, so it is read first.
    guesses: int64 (2, streams), what the port and the bytes said, as `service` has what counts.
    inside: what streams speak behind a point from which on their protocol's cutter says that they speak another. holes: directions
    of which bytes are missing. rest, never: what waited when the trace had ended, what was no message.
    """

    framers: dict[int, Framer]
    ports: np.ndarray
    said: np.ndarray
    leads: tuple[int, int]
    ahead: Pieces = field(default_factory=lambda: Pieces(remember=0))
    pieces: Pieces = field(default_factory=lambda: Pieces(remember=0))
    transfers: Transfers = field(default_factory=Transfers)
    service: np.ndarray = field(default_factory=lambda: np.full(1024, UNDECIDED, np.int64))
    guesses: np.ndarray = field(default_factory=lambda: np.full((2, 1024), NONE, np.int64))
    fresh: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))  # segments that are the first with data of their stream
    readers: dict[int, Reader] = field(default_factory=dict)
    inside: dict[int, int] = field(default_factory=dict)
    holes: set[int] = field(default_factory=set)
    rest: StreamEvents | None = None
    never: Lost | None = None

    def __post_init__(self) -> None:
        self.overruled = bool((self.said != UNDECIDED).any())

    def lead(self, s: Segments, batch: Batch) -> tuple[list[FramedMessages], Lost]:
        """Decide what new streams speak, as far as port and bytes say; the messages of those that may announce others, as `feed`."""
        most = int(s["stream"].max(initial=0))
        while most >= len(self.service):
            self.service = np.concatenate((self.service, np.full(len(self.service), UNDECIDED)))
            self.guesses = np.concatenate((self.guesses, np.full(self.guesses.shape, NONE)), axis=1)
        self._decide(s)
        mine = self.service[s["stream"]] == self.leads[0]
        return self._read(self.ahead.feed(s, mine), s, batch) if mine.any() else ([], [])

    def feed(self, s: Segments, batch: Batch) -> tuple[list[FramedMessages], Lost, np.ndarray]:
        """The messages of all others that became whole; (protocol, frame number, bytes) of what is in no message; and which segments
        carry what nobody takes, bool (n,). `transfers` must know what `lead` told."""
        fresh = self.fresh[self.service[s["stream"][self.fresh]] != self.leads[0]]
        fresh = fresh[self._said(s, fresh) == UNDECIDED]
        self.service[s["stream"][fresh[self.transfers.decide(s, fresh)]]] = self.leads[1]
        stream = s["stream"]
        speaks = self.service[stream]
        self._turn(s, speaks)
        heard, lost = self._read(self.pieces.feed(s, (speaks != NONE) & (speaks != self.leads[0])), s, batch)
        return heard, lost, speaks < 0

    def _read(self, events: StreamEvents, s: Segments, batch: Batch) -> tuple[list[FramedMessages], Lost]:
        """The messages in these pieces, and what is in none."""
        self.holes.update(events["direction"][np.isin(events["kind"], MISSING)].tolist())
        spoken = self.service[events["direction"] >> 1]
        heard: list[FramedMessages] = []
        lost: Lost = []
        rest = [(protocol, events.only(spoken == protocol)) for protocol in np.unique(spoken[spoken >= 0]).tolist()]
        while rest:
            protocol, mine = rest.pop(0)
            reader = self.readers.setdefault(protocol, Reader())
            runs = reader.feed(mine)
            cut = self.framers[protocol].split(runs)
            reader.used(runs, cut.upto)
            if len(cut.lost):
                lost.append((protocol, cut.lost_by, cut.lost))
            if len(cut.direction):
                heard += self._heard(protocol, cut, s, batch)
            for other, more in self._beyond(protocol, runs, cut):
                if other == NONE:
                    order = np.argsort(more["by"], kind="stable")
                    lost.append((protocol, more["by"][order], more["size"][order]))
                else:
                    rest.append((other, more))
        return heard, lost

    def left(self) -> Lost:
        """Once the trace has ended: (protocol, frame numbers, bytes) of what never became a message."""
        if self.never is None:
            ends = [pieces.finish() for pieces in (self.ahead, self.pieces)]
            rows = np.concatenate([one.rows for one in ends])
            rows[len(ends[0]) :, OUTPUT.index("source")] = 1
            self.rest = StreamEvents([one.buffers[0] for one in ends], rows)
            self.never = self._never(self.rest)
        return self.never

    def _never(self, rest: StreamEvents) -> Lost:
        rest = rest.only(rest["kind"] == DATA)
        spoken = self.service[rest["direction"] >> 1]
        found = []
        for protocol, framer in self.framers.items():
            mine = rest.only(spoken == protocol)
            rows = list(zip(mine["frame"].tolist(), mine["size"].tolist()))
            if protocol in self.readers:
                reader = self.readers[protocol]
                rows += reader.dropped
                for one in reader.left.values():
                    rows += zip(one["frame"].tolist(), one["size"].tolist())
            if isinstance(framer, KeepsIncomplete):
                rows += framer.pending()
            frame, size = np.array(sorted(rows), np.int64).reshape(-1, 2).T
            found.append((protocol, frame[size > 0], size[size > 0]))
        return found

    def last(self, name: str) -> list[tuple[Headers, np.ndarray]]:
        """Once the trace has ended: headers of a protocol's messages that no frame is left to show, and the frame with which each was
        whole (int64 (n,), 0: none): those behind the holes that the trace ended with, then those that it cut off. Asked for once."""
        number = list(protocols()).index(name)
        framer = self.framers[number]
        parts: list[tuple[np.ndarray, Mapping[str, np.ndarray]]] = []
        if (cut := self.ending(number)) is not None:
            ends = {"direction": cut.direction, "by": cut.by, "start": cut.start, "end": cut.end}
            parts.append((cut.data, {**cut.columns, **ends}))
        if isinstance(framer, KeepsIncomplete):
            parts.append(framer.unfinished())
        made = []
        for data, told in parts:
            n = len(told["direction"])
            if n:
                zero = np.zeros(n, np.int64)
                spans = Spans(zero, told["start"], told["end"], told["end"], np.zeros(n, bool), zero)
                h = Headers(protocols()[name], np.concatenate((data, np.zeros(SLACK, np.uint8))), spans, zero, None)
                for column, values in told.items():
                    h.set_context(column, values)
                made.append((h, told["by"]))
        return made

    def ending(self, protocol: int) -> Framed | None:
        """Once the trace has ended: the messages of a protocol that are whole, or as whole as they get, behind holes that it ended
        with. No frame is left that could show them. Asked for once."""
        self.left()
        rest = self.rest
        assert rest is not None
        mine = rest.only(self.service[rest["direction"] >> 1] == protocol)
        if not len(mine):
            return None
        self.holes.update(mine["direction"][np.isin(mine["kind"], MISSING)].tolist())
        return self.framers[protocol].split(self.readers.setdefault(protocol, Reader()).feed(mine))

    def _decide(self, s: Segments) -> None:
        """Say what the streams speak of which the first data came."""
        stream = s["stream"]
        new = self.fresh = np.flatnonzero((self.service[stream] == UNDECIDED) & (s["length"] > 0) & (s["live"] != 0))
        if not len(new):
            return
        _, first = np.unique(stream[new], return_index=True)
        new = self.fresh = new[np.sort(first)]
        begin, size = self._first(s, new, GREETING_SIZE)
        lower, upper = (self.ports[port] for port in _ports(s, new))
        by_port = np.where(lower >= 0, lower, upper)
        says = np.full(len(new), NONE)
        for protocol in np.unique(by_port[by_port >= 0]).tolist():
            rows = np.flatnonzero((by_port == protocol) & (size > 0))
            says[rows[self.framers[protocol].probe_stream(begin[rows], size[rows])]] = protocol
        for protocol, framer in self.framers.items():
            rows = np.flatnonzero((says == NONE) & (size > 0) & ((size >= ENOUGH) | (by_port >= 0)))
            if framer.any_port and len(rows):
                says[rows[framer.probe_stream(begin[rows], size[rows])]] = protocol
        said = self._said(s, new)
        self.service[stream[new]] = np.where(said != UNDECIDED, said, np.where(says >= 0, says, by_port))
        self.guesses[:, stream[new]] = by_port, says

    def _said(self, s: Segments, rows: np.ndarray) -> np.ndarray:
        """What the user said that these segments speak, int64 (n,)."""
        if not self.overruled:
            return np.full(len(rows), UNDECIDED)
        lower, upper = (self.said[port] for port in _ports(s, rows))
        return np.where(lower != UNDECIDED, lower, upper)

    def _turn(self, s: Segments, speaks: np.ndarray) -> None:
        """Say which streams that speak nothing known turn to something known, and write it into `speaks` from that segment on."""
        others = np.flatnonzero((speaks == NONE) & (s["length"] > 0) & (s["live"] != 0))
        others = others[self._said(s, others) == UNDECIDED] if len(others) else others
        if not len(others):
            return
        begin, size = self._first(s, others)
        stream = s["stream"]
        for protocol, framer in self.framers.items():
            turns = others[framer.probe_midstream(begin, size)] if isinstance(framer, ProbesMidstream) else others[:0]
            if len(turns):
                used, first = np.unique(stream[turns], return_index=True)
                nth = np.minimum(np.searchsorted(used, stream), len(used) - 1)
                speaks[(used[nth] == stream) & (np.arange(len(stream)) >= turns[first][nth])] = protocol
                self.service[used] = protocol
                self.pieces.order.restart([*(2 * used).tolist(), *(2 * used + 1).tolist()])

    @staticmethod
    def _first(s: Segments, new: np.ndarray, wide: int = PROBE_SIZE) -> tuple[np.ndarray, np.ndarray]:
        """The first `wide` bytes of these segments' data, zeros where there are fewer, uint8 (n, wide); how many are there."""
        begin = np.zeros((len(new), wide), np.uint8)
        size = np.zeros(len(new), np.int64)
        at = 0
        for h in s.chunks:
            mine = (s.order[new] >= at) & (s.order[new] < at + len(h))
            rows = s.order[new[mine]] - at
            start = h.start[rows] + h["tcp.hdr_len"][rows]
            size[mine] = np.maximum(np.minimum(h.end[rows], h.wire[rows]) - start, 0)
            begin[mine] = gather(h.buffer, start, wide)
            at += len(h)
        begin[np.arange(wide) >= size[:, None]] = 0
        return begin, size

    def _beyond(self, protocol: int, s: ContiguousRuns, cut: Framed) -> list[tuple[int, StreamEvents]]:
        """What follows where streams changed their protocol, as its reader takes it: (protocol or NONE, pieces)."""
        if not len(cut.upgrades):
            return []
        run, place, by, agreed = cut.upgrades.T
        named = [list(protocols()).index(name) if name else NONE for name in cut.upgraded_to]
        behind = np.append(s.first[1:], len(s.rows))[run]
        first = np.where(place > s.start[run], np.searchsorted(s.place, place, "right") - 1, s.first[run])
        count = behind - first
        at = np.repeat(first - np.cumsum(count) + count, count) + np.arange(count.sum())
        told = StreamEvents([s.data], s.rows[at])
        told["source"][:] = 0
        start = np.maximum(s.place[at], np.repeat(place, count))
        end = np.where(told["kind"] == DATA, np.minimum(np.append(s.place[1:], len(s.data))[at], np.repeat(s.end[run], count)), start)
        told["position"][:] += start - s.place[at]
        told["size"][:] = np.where(told["kind"] == DATA, end - start, told["size"])
        told["start"][:], told["end"][:] = start, end
        told["by"][:] = np.maximum(told["by"], np.repeat(by, count))
        for one, begin, stop, told_so in zip((s.direction[run] >> 1).tolist(), place.tolist(), s.end[run].tolist(), agreed.tolist()):
            if one not in self.inside and named[told_so] in self.framers:
                self.inside[one] = named[told_so]
            elif one not in self.inside and stop > begin:
                size = min(stop - begin, PROBE_SIZE)
                bytes_there = np.zeros((1, PROBE_SIZE), np.uint8)
                bytes_there[0, :size] = s.data[begin : begin + size]
                others = ((n, framer) for n, framer in self.framers.items() if n != protocol and framer.any_port)
                agree = [n for n, framer in others if framer.probe_stream(bytes_there, np.array([size]))[0]]
                self.inside[one] = agree[0] if agree else NONE
        speaks = np.array([self.inside.get(one, NONE) for one in (told["direction"] >> 1).tolist()], np.int64)
        found = []
        for other in np.unique(speaks).tolist():
            mine = speaks == other
            found.append((other, told.only(mine & (told["kind"] == DATA) if other == NONE else mine)))
        return found

    def _heard(self, protocol: int, cut: Framed, s: Segments, batch: Batch) -> list[FramedMessages]:
        """Give each message to the TCP header of the frame with which it was whole."""
        key, sought = s["frame"] << 32 | s["stream"], cut.by << 32 | cut.direction >> 1
        order = np.argsort(key, kind="stable")
        at = np.searchsorted(key[order], sought)
        at = order[np.minimum(at, len(order) - 1)]
        there = np.flatnonzero(key[at] == sought)  # not so where a hole of one stream was given up for another's sake
        buffer = np.concatenate((cut.data, np.zeros(SLACK, np.uint8)))
        base = np.zeros(len(batch), np.int64)
        frame = cut.by - batch.first
        base[frame[there][::-1]] = cut.start[there][::-1]
        sizes = np.array([len(h) for h in s.chunks])
        bounds = np.cumsum(sizes) - sizes
        place = s.order[at]
        chunk = np.searchsorted(bounds, place, "right") - 1
        made = []
        for nth, h in enumerate(s.chunks):
            mine = there[chunk[there] == nth]
            mine = mine[np.argsort(frame[mine], kind="stable")]
            if not len(mine):
                continue
            row, end = place[mine] - bounds[nth], cut.end[mine]
            spans = Spans(frame[mine], cut.start[mine], end, end, np.zeros(len(mine), bool), row)
            told = {name: column[mine] for name, column in cut.columns.items()}
            made.append(FramedMessages(protocol, h, buffer, base, spans, cut.direction[mine], told))
            self._segments(h, row, cut, mine)
        return made

    def _segments(self, h: Headers, row: np.ndarray, cut: Framed, mine: np.ndarray) -> None:
        """Tell the TCP headers that made a message of several segments whole which these are."""
        pieces = cut.columns.get("pieces", cut.counts)
        several = np.flatnonzero(pieces[mine] > 1)
        many = mine[several]
        count, last = cut.counts[many], np.cumsum(cut.counts)[many]
        at = np.repeat(last - count, count) + np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        owner = row[several]
        for name, values, rows in (
            ("tcp.segment", cut.frames[at], np.repeat(owner, count)),
            ("tcp.segment.count", pieces[many], owner),
            ("tcp.reassembled.length", cut.size[many], owner),
        ):
            old = h.column(name) if h.has(name) else None
            if old is not None and old.rows is not None:
                values, rows = np.concatenate((old.values, values)), np.concatenate((old.rows, rows))
                order = np.argsort(rows, kind="stable")
                values, rows = values[order], rows[order]
            h.put(name, values, rows)


def _ports(s: Segments, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The lower and the greater port of these segments, int64."""
    a, b = (s.column(name)[rows] for name in ("tcp.srcport", "tcp.dstport"))
    return np.minimum(a, b), np.maximum(a, b)
