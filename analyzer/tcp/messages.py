"""Messages of applications in TCP streams: which protocol a stream speaks, its messages, and the frame that completes each.

A protocol on TCP declares a `Framer`. A stream is given to the protocol of its port if its first bytes match that protocol's grammar,
else to the protocol on any port whose grammar matches (the lowest `precedence` first), else to that of its port; decode-as (`-d`) and
expectations overrule all of these. What no protocol takes stays data of its segment, until a later segment matches a protocol that may
begin there (TLS after STARTTLS). A message goes back into the dissection as a span of a buffer of its own, carried by the TCP header
of the frame that completed it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..capture.batch import SLACK
from ..fields import Headers, Spans, gather
from ..protocols import protocols
from ..protocols.common.framing import GREETING_SIZE, PROBE_SIZE, ContiguousRuns, Framed, Framer, KeepsIncomplete, ProbesMidstream
from ._reassembly import OUTPUT
from .reassembly import DATA, MISSING, ByteStreams, StreamEvents, StreamReassembler

if TYPE_CHECKING:
    from ..capture import Batch
    from .tracker import Segments

NONE, UNDECIDED = -1, -2  # what a stream speaks, besides numbers of protocols: nothing that is known; not yet decided
ENOUGH = 8  # bytes that must match a grammar on a port of no protocol: a key or a short greeting tells nothing


Lost = list[tuple[int, np.ndarray, np.ndarray]]  # (protocol, frame numbers, bytes) of what is in no message


@dataclass
class FramedMessages:
    """Messages of one protocol that one group of TCP headers carries, in a buffer that ends in zeros; base: of each frame's first.

    protocol: its number. direction: int64 (n,), twice the stream's number, plus 1 from the greater end of its key. columns: what the
    framer knows of each beyond its bytes, (n,).
    """

    protocol: int
    headers: Headers
    buffer: np.ndarray
    base: np.ndarray
    spans: Spans
    direction: np.ndarray
    columns: Mapping[str, np.ndarray]


@dataclass
class Messages:
    """From segments to messages; state lives from batch to batch.

    framers: by the number of their protocol. ports: int64, the protocol of each TCP port, NONE if it has none; its last is for all
    beyond. decode_as: int64, the same of what the user decided, UNDECIDED where nothing. claimers: `correlators.StreamClaimer`s; the
    protocols whose messages announce connections are read first.
    service: int64 (streams,), what each speaks; guesses: int64 (2, streams), what its port and its bytes told. undecided: int64,
    segments that are the first with data of their stream. upgraded: what streams speak after the place where their protocol ended.
    holes: directions of which bytes are missing. remaining, never: what waited when the trace had ended, what was no message.
    """

    framers: dict[int, Framer]
    ports: np.ndarray
    decode_as: np.ndarray
    claimers: Sequence[Any]
    ahead: StreamReassembler = field(default_factory=lambda: StreamReassembler(remember=0))
    reassembler: StreamReassembler = field(default_factory=lambda: StreamReassembler(remember=0))
    service: np.ndarray = field(default_factory=lambda: np.full(1024, UNDECIDED, np.int64))
    guesses: np.ndarray = field(default_factory=lambda: np.full((2, 1024), NONE, np.int64))
    undecided: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    streams: dict[int, ByteStreams] = field(default_factory=dict)
    upgraded: dict[int, int] = field(default_factory=dict)
    holes: set[int] = field(default_factory=set)
    remaining: StreamEvents | None = None
    never: Lost | None = None

    def __post_init__(self) -> None:
        self.overruled = bool((self.decode_as != UNDECIDED).any())
        names = list(protocols())
        self.announced = [(names.index(claimer.opens), claimer) for claimer in self.claimers]
        self.announcing = [names.index(name) for claimer in self.claimers for name in claimer.reads]
        on_any_port = [(number, framer) for number, framer in self.framers.items() if framer.any_port]
        self.on_any_port = sorted(on_any_port, key=lambda entry: entry[1].precedence)

    def lead(self, s: Segments, batch: Batch) -> tuple[list[FramedMessages], Lost]:
        """Decide what new streams speak, as far as ports and bytes tell; then the messages of the announcing protocol, as `feed`."""
        most = int(s["stream"].max(initial=0))
        while most >= len(self.service):
            self.service = np.concatenate((self.service, np.full(len(self.service), UNDECIDED)))
            self.guesses = np.concatenate((self.guesses, np.full(self.guesses.shape, NONE)), axis=1)
        self._identify(s)
        mine = np.isin(self.service[s["stream"]], self.announcing)
        return self._read(self.ahead.feed(s, mine), s, batch) if mine.any() else ([], [])

    def feed(self, s: Segments, batch: Batch) -> tuple[list[FramedMessages], Lost, np.ndarray]:
        """The messages of all other protocols that were completed; what is in no message; which segments carry data that no protocol
        takes, bool (n,). The claimers must know what `lead` returned."""
        new = self.undecided[~np.isin(self.service[s["stream"][self.undecided]], self.announcing)]
        new = new[self._decoded_as(s, new) == UNDECIDED]
        for protocol, claimer in self.announced:
            self.service[s["stream"][new[claimer.decide(s, new)]]] = protocol
        stream = s["stream"]
        speaks = self.service[stream]
        self._identify_midstream(s, speaks)
        messages, lost = self._read(self.reassembler.feed(s, (speaks != NONE) & ~np.isin(speaks, self.announcing)), s, batch)
        return messages, lost, speaks < 0

    def _read(self, events: StreamEvents, s: Segments, batch: Batch) -> tuple[list[FramedMessages], Lost]:
        """The messages that these events complete, and what is in none."""
        self.holes.update(events["direction"][np.isin(events["kind"], MISSING)].tolist())
        spoken = self.service[events["direction"] >> 1]
        messages: list[FramedMessages] = []
        lost: Lost = []
        todo = [(protocol, events.only(spoken == protocol)) for protocol in np.unique(spoken[spoken >= 0]).tolist()]
        while todo:
            protocol, mine = todo.pop(0)
            streams = self.streams.setdefault(protocol, ByteStreams())
            runs = streams.feed(mine)
            framed = self.framers[protocol].split(runs)
            streams.consume(runs, framed.upto)
            if len(framed.lost):
                lost.append((protocol, framed.lost_by, framed.lost))
            if len(framed.direction):
                messages += self._attach(protocol, framed, s, batch)
            for next_protocol, more in self._after_upgrade(protocol, runs, framed):
                if next_protocol == NONE:
                    order = np.argsort(more["by"], kind="stable")
                    lost.append((protocol, more["by"][order], more["size"][order]))
                else:
                    todo.append((next_protocol, more))
        return messages, lost

    def left(self) -> Lost:
        """Once the trace has ended: what never became a message."""
        if self.never is None:
            ends = [reassembler.finish() for reassembler in (self.ahead, self.reassembler)]
            rows = np.concatenate([events.rows for events in ends])
            rows[len(ends[0]) :, OUTPUT.index("source")] = 1
            self.remaining = StreamEvents([events.buffers[0] for events in ends], rows)
            self.never = self._never_framed(self.remaining)
        return self.never

    def _never_framed(self, remaining: StreamEvents) -> Lost:
        remaining = remaining.only(remaining["kind"] == DATA)
        spoken = self.service[remaining["direction"] >> 1]
        lost = []
        for protocol, framer in self.framers.items():
            mine = remaining.only(spoken == protocol)
            rows = list(zip(mine["frame"].tolist(), mine["size"].tolist()))
            if protocol in self.streams:
                streams = self.streams[protocol]
                rows += streams.dropped
                for events in streams.unread.values():
                    rows += zip(events["frame"].tolist(), events["size"].tolist())
            if isinstance(framer, KeepsIncomplete):
                rows += framer.pending()
            frame, size = np.array(sorted(rows), np.int64).reshape(-1, 2).T
            lost.append((protocol, frame[size > 0], size[size > 0]))
        return lost

    def last(self, name: str) -> list[tuple[Headers, np.ndarray]]:
        """Once the trace has ended: headers of a protocol's messages that no frame is left to show, and the frame that completed each
        (int64 (n,), 0: none): those after the holes that the trace ended with, then those that it cut off. To be called once."""
        number = list(protocols()).index(name)
        framer = self.framers[number]
        parts: list[tuple[np.ndarray, Mapping[str, np.ndarray]]] = []
        if (framed := self._after_last_holes(number)) is not None:
            bounds = {"direction": framed.direction, "by": framed.by, "start": framed.start, "end": framed.end}
            parts.append((framed.data, {**framed.columns, **bounds}))
        if isinstance(framer, KeepsIncomplete):
            parts.append(framer.unfinished())
        groups = []
        for data, columns in parts:
            n = len(columns["direction"])
            if n:
                zero = np.zeros(n, np.int64)
                spans = Spans(zero, columns["start"], columns["end"], columns["end"], np.zeros(n, bool), zero)
                h = Headers(protocols()[name], np.concatenate((data, np.zeros(SLACK, np.uint8))), spans, zero, None)
                for column, values in columns.items():
                    h.set_context(column, values)
                groups.append((h, columns["by"]))
        return groups

    def _after_last_holes(self, protocol: int) -> Framed | None:
        """The messages of a protocol after the holes that the trace ended with. To be called once."""
        self.left()
        assert self.remaining is not None
        mine = self.remaining.only(self.service[self.remaining["direction"] >> 1] == protocol)
        if not len(mine):
            return None
        self.holes.update(mine["direction"][np.isin(mine["kind"], MISSING)].tolist())
        return self.framers[protocol].split(self.streams.setdefault(protocol, ByteStreams()).feed(mine))

    def _identify(self, s: Segments) -> None:
        """Decide what the streams speak whose first data is here."""
        stream = s["stream"]
        new = self.undecided = np.flatnonzero((self.service[stream] == UNDECIDED) & (s["length"] > 0) & (s["live"] != 0))
        if not len(new):
            return
        _, first = np.unique(stream[new], return_index=True)
        new = self.undecided = new[np.sort(first)]
        begin, size = self._first_bytes(s, new, GREETING_SIZE)
        lower, upper = (self.ports[port] for port in _ports(s, new))
        by_port = np.where(lower >= 0, lower, upper)
        by_bytes = np.full(len(new), NONE)
        for protocol in np.unique(by_port[by_port >= 0]).tolist():
            rows = np.flatnonzero((by_port == protocol) & (size > 0))
            by_bytes[rows[self.framers[protocol].probe_stream(begin[rows], size[rows])]] = protocol
        for protocol, framer in self.on_any_port:
            rows = np.flatnonzero((by_bytes == NONE) & (size > 0) & ((size >= ENOUGH) | (by_port >= 0)))
            if len(rows):
                by_bytes[rows[framer.probe_stream(begin[rows], size[rows])]] = protocol
        decided = self._decoded_as(s, new)
        self.service[stream[new]] = np.where(decided != UNDECIDED, decided, np.where(by_bytes >= 0, by_bytes, by_port))
        self.guesses[:, stream[new]] = by_port, by_bytes

    def _decoded_as(self, s: Segments, rows: np.ndarray) -> np.ndarray:
        """The protocol that the user decided for these segments' ports, int64 (n,)."""
        if not self.overruled:
            return np.full(len(rows), UNDECIDED)
        lower, upper = (self.decode_as[port] for port in _ports(s, rows))
        return np.where(lower != UNDECIDED, lower, upper)

    def _identify_midstream(self, s: Segments, speaks: np.ndarray) -> None:
        """Find the streams of no known protocol that change to a known one, and write it into `speaks` from that segment on."""
        unknown = np.flatnonzero((speaks == NONE) & (s["length"] > 0) & (s["live"] != 0))
        unknown = unknown[self._decoded_as(s, unknown) == UNDECIDED] if len(unknown) else unknown
        if not len(unknown):
            return
        begin, size = self._first_bytes(s, unknown)
        stream = s["stream"]
        for protocol, framer in self.framers.items():
            changed = unknown[framer.probe_midstream(begin, size)] if isinstance(framer, ProbesMidstream) else unknown[:0]
            if len(changed):
                used, first = np.unique(stream[changed], return_index=True)
                nth = np.minimum(np.searchsorted(used, stream), len(used) - 1)
                speaks[(used[nth] == stream) & (np.arange(len(stream)) >= changed[first][nth])] = protocol
                self.service[used] = protocol
                self.reassembler.queues.restart([*(2 * used).tolist(), *(2 * used + 1).tolist()])

    @staticmethod
    def _first_bytes(s: Segments, rows: np.ndarray, wide: int = PROBE_SIZE) -> tuple[np.ndarray, np.ndarray]:
        """The first `wide` bytes of these segments' data, zeros where there are fewer, uint8 (n, wide); how many there are, int64."""
        begin = np.zeros((len(rows), wide), np.uint8)
        size = np.zeros(len(rows), np.int64)
        at = 0
        for h in s.chunks:
            mine = (s.order[rows] >= at) & (s.order[rows] < at + len(h))
            own = s.order[rows[mine]] - at
            start = h.start[own] + h["tcp.hdr_len"][own]
            size[mine] = np.maximum(np.minimum(h.end[own], h.wire[own]) - start, 0)
            begin[mine] = gather(h.buffer, start, wide)
            at += len(h)
        begin[np.arange(wide) >= size[:, None]] = 0
        return begin, size

    def _after_upgrade(self, protocol: int, s: ContiguousRuns, framed: Framed) -> list[tuple[int, StreamEvents]]:
        """What follows where streams changed their protocol: (the new one or NONE, events for its framer)."""
        if not len(framed.upgrades):
            return []
        run, place, by, agreed = framed.upgrades.T
        numbers = [list(protocols()).index(name) if name else NONE for name in framed.upgraded_to]
        behind = np.append(s.first[1:], len(s.rows))[run]
        first = np.where(place > s.start[run], np.searchsorted(s.place, place, "right") - 1, s.first[run])
        count = behind - first
        at = np.repeat(first - np.cumsum(count) + count, count) + np.arange(count.sum())
        events = StreamEvents([s.data], s.rows[at])
        events["source"][:] = 0
        start = np.maximum(s.place[at], np.repeat(place, count))
        end = np.where(events["kind"] == DATA, np.minimum(np.append(s.place[1:], len(s.data))[at], np.repeat(s.end[run], count)), start)
        events["position"][:] += start - s.place[at]
        events["size"][:] = np.where(events["kind"] == DATA, end - start, events["size"])
        events["start"][:], events["end"][:] = start, end
        events["by"][:] = np.maximum(events["by"], np.repeat(by, count))
        for stream, begin, stop, nth in zip((s.direction[run] >> 1).tolist(), place.tolist(), s.end[run].tolist(), agreed.tolist()):
            if stream not in self.upgraded and numbers[nth] in self.framers:
                self.upgraded[stream] = numbers[nth]
            elif stream not in self.upgraded and stop > begin:
                size = min(stop - begin, PROBE_SIZE)
                head = np.zeros((1, PROBE_SIZE), np.uint8)
                head[0, :size] = s.data[begin : begin + size]
                others = ((number, framer) for number, framer in self.on_any_port if number != protocol)
                self.upgraded[stream] = next((n for n, framer in others if framer.probe_stream(head, np.array([size]))[0]), NONE)
        speaks = np.array([self.upgraded.get(stream, NONE) for stream in (events["direction"] >> 1).tolist()], np.int64)
        groups = []
        for number in np.unique(speaks).tolist():
            mine = speaks == number
            groups.append((number, events.only(mine & (events["kind"] == DATA) if number == NONE else mine)))
        return groups

    def _attach(self, protocol: int, framed: Framed, s: Segments, batch: Batch) -> list[FramedMessages]:
        """Give each message to the TCP header of the frame that completed it."""
        key, sought = s["frame"] << 32 | s["stream"], framed.by << 32 | framed.direction >> 1
        order = np.argsort(key, kind="stable")
        at = np.searchsorted(key[order], sought)
        at = order[np.minimum(at, len(order) - 1)]
        there = np.flatnonzero(key[at] == sought)  # not so where a frame of another stream gave up the hole
        buffer = np.concatenate((framed.data, np.zeros(SLACK, np.uint8)))
        base = np.zeros(len(batch), np.int64)
        frame = framed.by - batch.first
        base[frame[there][::-1]] = framed.start[there][::-1]
        sizes = np.array([len(h) for h in s.chunks])
        bounds = np.cumsum(sizes) - sizes
        place = s.order[at]
        chunk = np.searchsorted(bounds, place, "right") - 1
        groups = []
        for nth, h in enumerate(s.chunks):
            mine = there[chunk[there] == nth]
            mine = mine[np.argsort(frame[mine], kind="stable")]
            if not len(mine):
                continue
            row, end = place[mine] - bounds[nth], framed.end[mine]
            spans = Spans(frame[mine], framed.start[mine], end, end, np.zeros(len(mine), bool), row)
            columns = {name: column[mine] for name, column in framed.columns.items()}
            groups.append(FramedMessages(protocol, h, buffer, base, spans, framed.direction[mine], columns))
            self._put_segments(h, row, framed, mine)
        return groups

    def _put_segments(self, h: Headers, row: np.ndarray, framed: Framed, mine: np.ndarray) -> None:
        """Put the fields `tcp.segment…` into the TCP headers that completed a message of several segments."""
        pieces = framed.columns.get("pieces", framed.counts)
        several = np.flatnonzero(pieces[mine] > 1)
        many = mine[several]
        count, last = framed.counts[many], np.cumsum(framed.counts)[many]
        at = np.repeat(last - count, count) + np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        owner = row[several]
        for name, values, rows in (
            ("tcp.segment", framed.frames[at], np.repeat(owner, count)),
            ("tcp.segment.count", pieces[many], owner),
            ("tcp.reassembled.length", framed.size[many], owner),
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
