"""The demultiplexing loop of the textbook, run on arrays: a batch of frames → the headers in them.

Each turn takes the payloads that the turn before found, grouped by the protocol that their numbers name, reads the headers of a group
in one gather, and asks the protocol's file what they carry. It ends when nothing is carried.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from .capture import Batch, Interface
from .correlators import Correlator, DatagramClaimer, FragmentGroup, PendingDatagrams, Reassembler, StreamClaimer, correlators
from .defaults import MAX_STREAMS, OVERLAP
from .demultiplexer import PORTS, DecodeAs, Demultiplexer
from .dissection import Dissection, Paths, Undecoded
from .fields import Carried, Headers, Payload, Protocol, Spans
from .protocols import protocols, register
from .protocols.common.framing import WHOLE, StreamsBodies
from .protocols.frame import FILE_FIELDS
from .protocols.tcp import SEGMENTS
from .tcp.messages import NONE, UNDECIDED, FramedMessages, Lost, Messages
from .tcp.reassembly import NEEDS
from .tcp.tracker import TCP, Segments, StreamNumbers

DEEPEST = 64  # headers in a frame; what lies deeper is data, and reported as too deep
PATHS = 50_000  # different sequences of protocols that are remembered; a batch never ends for it
Groups = dict[str, list[Carried]]  # by protocol, in the order in which they were found


class Dissector:
    """Takes batches apart, one after the other, in order. State that lives from batch to batch is here and in its correlators.

    wanted: names of fields that will be asked for; those that depend on earlier frames are computed only if they are wanted.
    checksums: whether those of IPv4, TCP and UDP are verified. max_streams: TCP connections held at the most, at least 2.
    overlap: whose bytes count where fragments of a datagram overlap, as `Fragments` has it. decode_as: what ports lead to by the
    user's word, whatever the protocols declare.
    """

    def __init__(
        self,
        wanted: Iterable[str] = (),
        checksums: bool = False,
        max_streams: int = MAX_STREAMS,
        overlap: str = OVERLAP,
        decode_as: Iterable[DecodeAs] = (),
    ) -> None:
        self.wanted = set(wanted)
        self.checksums, self.max_streams = checksums, max_streams
        self.demultiplexer = Demultiplexer(decode_as)
        self.protocols = protocols()
        self.paths = Paths()
        self.first: int | None = None  # times of the first frame and of the one before, ns
        self.before: int | None = None
        # What nobody decodes is made headers of `data`, and counted, only if somebody looks at it.
        self.keep_undecoded = bool({"frame.protocols", "data"} & self.wanted) or self._wants("data", everything=False)
        self._setup_correlators(overlap)
        self.messages = self._setup_framers()
        # Applications of which nobody will ask anything are not opened.
        unneeded = [not self._needs(p) for p in self.protocols.values()]
        self._unneeded = np.array([*unneeded, False])
        ports = {space: self.demultiplexer.spaces[space] for space in PORTS}
        self._idle = {space for space, table in ports.items() if not self.keep_undecoded and self._unneeded[table[table >= 0]].all()}
        self.streams = StreamNumbers(self.wanted, max_streams)

    def _wants(self, *names: str, everything: bool = True) -> bool:
        """Whether somebody will ask for something of these protocols; a filter may ask for a protocol itself."""
        declared = [self.protocols[name] for name in names]
        return (everything and self.keep_undecoded) or any(
            self.wanted & {p.name, p.display_name} or any(f.name in self.wanted for f in p.fields()) for p in declared
        )

    def _needs(self, p: Protocol) -> bool:
        """Whether somebody will ask for something of that protocol, or of what it may carry."""
        return self._wants(p.name) or (p.contents is not None and (p.framer is None or self.messages is not None))

    def _setup_correlators(self, overlap: str) -> None:
        """Make the correlators that somebody needs."""
        self.correlators: dict[str, Correlator] = {}
        self.claimers: list[DatagramClaimer] = []
        self.stream_claimers: list[StreamClaimer] = []
        self.annotators: list[Correlator] = []
        self._probing = self._wants(*(p.name for p in self.protocols.values() if p.probe))  # where no port names a protocol
        kinds = [(name, kind) for name, own in correlators().items() for kind in own]
        for name, kind in sorted(kinds, key=lambda one: -one[1].precedence):  # a need is met by one of less precedence
            if issubclass(kind, Reassembler):
                self.reassembler = self.correlators[name] = kind(self.wanted, overlap)
                continue
            made = self.correlators[name] = kind(self.wanted)
            if isinstance(made, DatagramClaimer):
                self._probing |= not made.on_demand and self._wants(*made.reads, *made.opens)
                if not made.on_demand or self._wants(*made.opens):
                    self.claimers.append(made)
                    self.wanted |= made.needs if made.on_demand else set()
            elif isinstance(made, StreamClaimer):
                self.stream_claimers.append(made)
            elif made.gives & self.wanted:
                self.annotators.append(made)
                self.wanted |= made.needs
        self._defers_udp = self._probing or any(one.on_demand for one in self.claimers)
        self.claimers.sort(key=lambda one: one.precedence)
        # Protocols whose servers answer from another port: a datagram to their port is both theirs and pending. -2: others.
        ports, user = self.demultiplexer.declared["udp.port"], self.demultiplexer.user["udp.port"]
        changes = np.array([*(p.changes_port for p in self.demultiplexer.protocols), False])
        self._openers = np.where(changes[ports] & (user == UNDECIDED), ports, -2)

    def _setup_framers(self) -> Messages | None:
        """What reads messages of applications in TCP streams, if somebody will ask for something of them."""
        framed = {index: p for index, p in enumerate(self.protocols.values()) if p.framer is not None}
        spaces = {p.name.partition(".")[0] for p in framed.values()}
        carried = [p.name for p in self.protocols.values() if any(space.partition(".")[0] in spaces for space in p.on)]
        announced = [name for one in self.claimers if one.reads for name in (*one.reads, *one.opens)]
        if not (self._wants(*(p.name for p in framed.values()), *carried, *announced) or {f.name for f in SEGMENTS} & self.wanted):
            return None
        self.wanted |= NEEDS
        framers = {index: p.framer() for index, p in framed.items() if p.framer is not None}
        for framer in framers.values():
            if isinstance(framer, StreamsBodies):
                if WHOLE in self.wanted:
                    framer.hand_on()
                elif not (self.keep_undecoded or framer.bodies & self.wanted):
                    framer.skim()
        ports, user = self.demultiplexer.declared["tcp.port"], self.demultiplexer.user["tcp.port"]
        user = np.where((user == UNDECIDED) | np.isin(user, list(framed)), user, NONE)
        return Messages(framers, np.where(np.isin(ports, list(framed)), ports, -1), user, self.stream_claimers)

    def __call__(self, batch: Batch, interfaces: list[Interface]) -> Dissection:
        """The headers of one batch. interfaces: what its frames' interface numbers count."""
        if len(self.paths) > PATHS:
            self.paths = Paths()
        frames = self._frames(batch, interfaces)
        done = Dissection(batch, self.paths, frames, {"frame": [frames]}, [frames], correlators=self.correlators, messages=self.messages)
        done.guesses = self.demultiplexer.guesses
        loop = Turns(self, done, np.zeros(len(batch), np.int64))
        self.reassembler.start()
        loop.run([frames])
        if self.wanted & TCP and "tcp" in done.chunks:
            done.segments = self.streams.number_tcp(done.chunks["tcp"], batch)
            if self.messages is not None:
                loop.run(loop.messages(self.messages, done.segments))
        for one in (*self.claimers, *(one for one in self.annotators if one.precedence < 0)):
            if headers := done.headers(one.reads):
                one.feed(headers, batch)
        if loop.pending:
            loop.run(loop.claimed())
        for h in reversed(done.order):
            _set_link_payload_end(h)
        frames.path = loop.path
        if "frame.protocols" in self.wanted:
            used, inverse = np.unique(loop.path, return_inverse=True)
            frames.put("frame.protocols", np.array([self.paths.text(one) for one in used.tolist()], object)[inverse])
        for correlator in self.annotators:
            if correlator.precedence >= 0 and (headers := done.headers(correlator.reads)):
                correlator.feed(headers, batch)
        return done

    def forgotten(self) -> Iterator[str]:
        """Sentences that say what was forgotten to bound memory, and what follows from it."""
        for one in self.correlators.values():
            yield from one.forgotten()
        if self.streams.forgotten:
            yield (
                f"{self.streams.forgotten:,} TCP connections, those idle longest, were forgotten to hold {self.max_streams:,} at the most "
                "(--max-streams); what came of them later counts as new"
            )

    def _frames(self, batch: Batch, interfaces: list[Interface]) -> Headers:
        n = len(batch)
        rows = np.arange(n)
        spans = Spans(
            rows,
            batch.offset,
            batch.offset + batch.captured,
            batch.offset + np.maximum(batch.length, batch.captured),
            np.zeros(n, bool),
            rows,
        )
        h = Headers(self.protocols["frame"], batch.buffer, spans, batch.offset, None)
        timed = None if batch.timed is None else np.flatnonzero(batch.timed)
        stamps = batch.time if timed is None else batch.time[timed]
        h.checksums = self.checksums
        h.put("frame.number", np.arange(batch.first, batch.first + n))
        h.put("frame.time", stamps, timed)
        h.put("frame.time_epoch", stamps, timed)
        h.put("frame.len", batch.length)
        h.put("frame.cap_len", batch.captured)
        h.put("frame.link_type", batch.link_type)
        known = np.flatnonzero(batch.fcs >= 0)
        h.put("frame.fcs_len", batch.fcs[known], known)
        if len(stamps):
            self.first = int(stamps[0]) if self.first is None else self.first
            before = np.append(self.before if self.before is not None else stamps[0], stamps[:-1])
            self.before = int(stamps[-1])
            h.put("frame.time_delta", stamps - before, timed)
            h.put("frame.time_relative", stamps - self.first, timed)
        else:
            h.put("frame.time_delta", stamps, timed)
            h.put("frame.time_relative", stamps, timed)
        used, inverse = batch.interface[:1], np.zeros(n, np.int64)
        if (batch.interface != used).any():
            used, inverse = np.unique(batch.interface, return_inverse=True)  # a hostile file may describe a million and use one
        named = [interfaces[index] for index in used.tolist()]
        there = np.flatnonzero(np.array([one.number is not None for one in named], bool)[inverse])
        described = np.flatnonzero(np.array([one.description is not None for one in named], bool)[inverse])
        h.put("frame.interface_id", np.array([one.number or 0 for one in named], np.int64)[inverse[there]], there)
        h.put("frame.interface_name", np.array([one.name or "unknown" for one in named], object)[inverse[there]], there)
        h.put("frame.file_number", rows * 0 + 1 if batch.file is None else batch.file + 1)
        h.put("frame.interface_description", np.array([one.description for one in named], object)[inverse[described]], described)
        h.put("frame.section_number", np.array([one.section + 1 for one in named], np.int64)[inverse[there]], there)
        for f in FILE_FIELDS:
            h.put(f.name, *batch.columns.get(f.name, (np.empty(0, f.kind.dtype), np.empty(0, np.int64))))
        return h


class Turns:
    """The turns over one batch. path: int64 (frames,), the protocols of each frame so far. depth: how many turns there were.

    pending: UDP payloads that no port names, to be claimed once all ports were asked; None: nobody will ask for what they are.
    streamed: what TCP segments carry, set aside while messages in streams are wanted; None: it is dispatched at once.
    """

    def __init__(self, dissector: Dissector, done: Dissection, path: np.ndarray) -> None:
        self.dissector, self.done, self.path, self.depth = dissector, done, path, 0
        self.demultiplexer, self.keep_undecoded = dissector.demultiplexer, dissector.keep_undecoded
        self.pending: list[PendingDatagrams] | None = [] if dissector._defers_udp else None
        self.streamed: list[tuple[Headers, Payload]] | None = [] if dissector.messages is not None else None

    def run(self, turn: list[Headers]) -> None:
        """Take what these headers carry, and what that carries, until nothing is carried."""
        while turn:
            groups: Groups = {}
            fragments: list[FragmentGroup] = []
            for h in turn:
                if h.protocol.check:
                    h.protocol.check(h)
                if h.protocol.contents:
                    for payload in h.protocol.contents(h):
                        if self.streamed is not None and payload.space == "tcp.port":
                            self.streamed.append((h, payload))
                        else:
                            self._queue_payload(h, payload, groups, fragments)
            if fragments:
                self._reassemble(fragments, groups)
            turn = self.open(groups)
            self.depth += 1

    def open(self, groups: Groups) -> list[Headers]:
        """The headers that were found, each group read in one gather."""
        turn = []
        done, paths, path = self.done, self.done.paths, self.path
        for name, members in groups.items():
            p = self.dissector.protocols[name]
            for one in members:
                h = Headers(p, one.buffer, one.spans, one.base, one.parent)
                if one.space == "ethertype" and one.parent.protocol.name != "frame":
                    path[h.frame] = paths.longer(path[h.frame], "ethertype")
                h.path = path[h.frame] = paths.longer(path[h.frame], p.display_name)
                for column, values in one.columns.items():
                    (h.put if column in register() else h.set_context)(column, values)
                turn.append(h)
        for h in turn:
            done.chunks.setdefault(h.protocol.name, []).append(h)
        done.order += turn
        return turn

    def _queue_payload(self, h: Headers, payload: Payload, groups: Groups, fragments: list[FragmentGroup]) -> None:
        """Dispatch what one group of headers carries; fragments of datagrams are set aside."""
        known = payload.space in self.demultiplexer.spaces
        if (not known and not self.keep_undecoded) or payload.space in self.dissector._idle:
            return
        start, wire = payload.start, np.minimum(payload.wire, h.wire)
        keep = h.whole & (wire > start)
        if payload.rows is not None:
            picked = np.zeros(len(h), bool)
            picked[payload.rows] = True
            keep &= picked
        rows = None if keep.all() else np.flatnonzero(keep)
        if rows is not None and not len(rows):
            return

        def only(column: np.ndarray) -> np.ndarray:
            return column if rows is None else column[rows]

        start, wire = only(start), only(wire)
        numbers = payload.number if isinstance(payload.number, tuple) else (payload.number,)
        numbers = tuple(only(n) if isinstance(n, np.ndarray) else np.full(len(start), n) for n in numbers)
        quoted = only(h.quoted) | payload.quoted
        spans = Spans(only(h.frame), start, np.minimum(only(h.end), wire), wire, quoted, np.arange(len(h)) if rows is None else rows)
        if payload.fragment is None:
            self._dispatch(Carried("", h, spans, payload.space, h.buffer, h.base), numbers, groups, payload.hide_layer)
            return
        fragment = payload.fragment if rows is None else payload.fragment.take(rows)
        if quoted.any():  # an error quotes the beginning of a fragment, which goes nowhere
            self._as_data(h, spans.take(np.flatnonzero(quoted)), groups)
            keep = np.flatnonzero(~quoted)
            spans, numbers, fragment = spans.take(keep), tuple(n[keep] for n in numbers), fragment.take(keep)
        if len(spans.frame):
            none = np.empty(0, np.int64)
            fragments.append(FragmentGroup(h, spans, numbers[0], fragment, self.depth, none, none))

    def _reassemble(self, fragments: list[FragmentGroup], groups: Groups) -> None:
        """Fragments are data, but the one that makes its datagram whole carries what the datagram does."""
        whole = self.dissector.reassembler.reassemble(fragments, self.done.batch)
        for one in fragments:
            self._as_data(one.headers, one.spans.take(np.flatnonzero(~one.completes)), groups)
        for carried, number in whole:
            self._dispatch(carried, (number,), groups)

    def _as_data(self, h: Headers, spans: Spans, groups: Groups) -> None:
        if self.keep_undecoded and len(spans.frame):
            groups.setdefault("data", []).append(Carried("data", h, spans, "", h.buffer, h.base))

    def _dispatch(self, carried: Carried, numbers: tuple[np.ndarray, ...], groups: Groups, hide_layer: bool = False) -> None:
        """Sort payloads by the protocol that the numbers, or their bytes, name."""
        _, h, spans, space, buffer, base, _ = carried
        demultiplexer = self.demultiplexer
        found = demultiplexer.find(space, numbers, buffer, spans)
        if self.depth >= DEEPEST:
            deep = np.zeros(len(h), bool)
            deep[spans.row] = True
            h.fault(deep, "", f"holds more than {DEEPEST} headers, one in the other", at=h.start)
            found[:] = -1
        unknown = found < 0
        if space == "udp.port" and self.dissector._probing and unknown.any():
            demultiplexer.probe(found, demultiplexer.undecided(space, numbers), buffer, spans, announcing=self.pending is not None)
            unknown = found < 0
        if space == "udp.port" and self.pending is not None:
            opens = self.dissector._openers[h["udp.dstport"][spans.row]]
            wait = np.flatnonzero(unknown | ((opens == found) & ~unknown))
            if len(wait):
                some, opens = tuple(number[wait] for number in numbers), np.where(unknown, -1, opens)[wait]
                undecided = demultiplexer.undecided(space, some)
                self.pending.append(PendingDatagrams(h, spans.take(wait), some, self.depth, opens, undecided, opens < 0))
                keep = np.flatnonzero(~unknown)
                spans, numbers, found, unknown = spans.take(keep), tuple(n[keep] for n in numbers), found[keep], unknown[keep]
                if not len(keep):
                    return
        if not self.keep_undecoded:
            if space in PORTS:
                found = np.where(self.dissector._unneeded[found], -1, found)
                unknown = found < 0
            if unknown.all():
                return
        elif unknown.any():
            rest = np.flatnonzero(unknown & ~spans.quoted)
            if len(rest) and space != "data":
                sizes = (spans.wire - spans.start)[rest]
                self.done.undecoded.append(Undecoded(space, numbers[0][rest].astype(np.int64), spans.frame[rest], sizes))
            found, unknown = np.where(unknown, demultiplexer.names.index("data"), found), np.zeros(1, bool)
        kinds = np.flatnonzero(np.bincount(found[~unknown] if unknown.any() else found)).tolist()
        for index in kinds:
            name = demultiplexer.names[index]
            some = spans if len(kinds) == 1 and not unknown.any() else spans.take(np.flatnonzero(found == index))
            groups.setdefault(name, []).append(Carried(name, h, some, "" if hide_layer else space, buffer, base))

    def claimed(self) -> list[Headers]:
        """The headers in UDP payloads that no port names: first what correlators claim, then what their bytes tell."""
        pending, self.pending = self.pending or [], None
        groups: Groups = {}
        for claimer in self.dissector.claimers:
            for carried in claimer.claim(pending, self.done.batch):
                groups.setdefault(carried.protocol, []).append(carried)
        for one in pending if self.dissector._probing else ():
            rows = np.flatnonzero(one.free)
            if len(rows):
                h = one.headers
                left, depth = Carried("", h, one.spans.take(rows), "udp.port", h.buffer, h.base), self.depth
                self.depth = one.depth
                self._dispatch(left, tuple(n[rows] for n in one.numbers), groups)
                self.depth = depth
        return self.open(groups)

    def messages(self, messages: Messages, s: Segments) -> list[Headers]:
        """The headers of the messages that segments made whole; what is no message is dispatched by port, segment by segment."""
        first, batch = self.done.batch.first, self.done.batch
        names = self.demultiplexer.names
        streamed, self.streamed = self.streamed or [], None

        def opened(framed: list[FramedMessages], lost: Lost, groups: Groups) -> list[Headers]:
            for one in framed:
                name, columns = names[one.protocol], {"direction": one.direction, **one.columns}
                groups.setdefault(name, []).append(Carried(name, one.headers, one.spans, "tcp.port", one.buffer, one.base, columns))
            for protocol, frame, size in lost:
                self.done.undecoded.append(Undecoded("stream", np.full(len(frame), protocol), frame - first, size))
            return self.open(groups)

        ahead = opened(*messages.lead(s, batch), {})
        for claimer in self.dissector.stream_claimers:
            claimer.feed([h for h in ahead if h.protocol.name in claimer.reads], batch)
        framed, lost, others = messages.feed(s, batch)
        sizes = np.array([len(h) for h in s.chunks])
        bounds = np.cumsum(sizes) - sizes
        free = np.ones(int(sizes.sum()), bool)
        free[s.order] = others
        known = {id(h): at for h, at in zip(s.chunks, bounds.tolist())}
        groups: Groups = {}
        for h, payload in streamed:
            at = known[id(h)]
            mask = free[at : at + len(h)]
            if payload.rows is not None:
                picked = np.zeros(len(h), bool)
                picked[payload.rows] = True
                mask = mask & picked
            self._queue_payload(h, replace(payload, rows=np.flatnonzero(mask)), groups, [])
        turn = [*ahead, *opened(framed, lost, groups)]
        for claimer in self.dissector.stream_claimers:
            for h in turn:
                if h.protocol.name == claimer.opens and "direction" in h.context:
                    claimer.annotate(h, first)
        return turn


def _set_link_payload_end(h: Headers) -> None:
    """A header that knows where its contents end tells the link below, through tags, so that padding is told from data."""
    parent = h.parent
    if h.payload_end is None or parent is None or parent.parent is None:
        return
    if parent.payload_end is None:
        parent.payload_end = parent.wire.copy()
    if parent.protocol.padded:
        parent.payload_end[h.row] = np.minimum(parent.payload_end[h.row], h.payload_end)
