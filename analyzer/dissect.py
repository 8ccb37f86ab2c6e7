"""The demultiplexing loop of the textbook, run on arrays: a batch of frames → the headers in them.

Each turn takes the payloads that the turn before found, grouped by the protocol that its number names, reads the headers
of a group in one gather, and asks the protocol's file what they carry. It ends when nothing is carried.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from .capture import Batch, Interface
from .capture.links import link_name
from .correlators.arp_conflicts import DUPLICATES, Neighbors
from .correlators.dhcp_matching import JUDGED, VERSIONS, Leases
from .correlators.dns_matching import FIELDS as ANSWERED
from .correlators.dns_matching import PROTOCOLS as ASKING
from .correlators.dns_matching import Answers
from .correlators.echo_matching import ECHOES, Echoes
from .correlators.expectations import Media, Transfers
from .correlators.fragments import CARRIERS, Arrived, Datagrams, fill
from .correlators.ntp_matching import CLOCKS, Clocks
from .correlators.quic_initial import Arrived as Offered
from .correlators.quic_initial import Initials
from .correlators.reply_port import Elsewhere, Waiting
from .errors import UsageError
from .fields import CUT, Column, Fault, Field, Headers, Layout, Payload, Protocol, Reading, Spans, part, text, texts
from .filters import Filter, compiled
from .protocols import protocols, register
from .protocols.common.framing import WHOLE, StreamsBodies
from .protocols.frame import TOLD
from .protocols.tcp import SEGMENTS
from .strings import Parts, Strings, always, decimal, joined, placed, stacked, strings
from .tcp.messages import NONE, UNDECIDED, FramedMessages, Lost, Messages
from .tcp.reassembly import NEEDS
from .tcp.tracker import TCP, UDP, Segments, StreamNumbers
from .templates import says, template_fields

DEEPEST = 64  # headers in a frame; what lies deeper is data, and said to be too deep
NO_NUMBER = 1 << 16  # beyond every number space's last number
CALLS = ("sip", "sdp", "rtp", "rtcp")  # with what bytes tell, looked for on UDP ports that are nobody's if somebody asks for one of them
PLAIN = ("data", "text.lines")  # what others carry, and what says nothing of itself
PATHS = 50_000  # different sequences of protocols that are remembered; a batch never ends for it


class Paths:
    """Sequences of protocol names as numbers: a tree in which a number is a node. 0 is the empty sequence."""

    def __init__(self) -> None:
        self.parent, self.name, self.depth = [0], [""], np.zeros(1, np.int64)
        self._next: dict[str, np.ndarray] = {}
        self._texts: dict[int, str] = {0: ""}

    def __len__(self) -> int:
        return len(self.parent)

    def longer(self, paths: np.ndarray, name: str) -> np.ndarray:
        """The paths (int64) that these become with one more name."""
        table = self._next.get(name)
        if table is None or len(table) < len(self):
            grown = np.full(2 * len(self) + 64, -1, np.int64)
            if table is not None:
                grown[: len(table)] = table
            table = self._next[name] = grown
        found = table[paths]
        if (found < 0).any():
            for path in np.flatnonzero(np.bincount(paths[found < 0])).tolist():
                table[path] = len(self)
                self.parent.append(path)
                self.name.append(name)
            depth = np.zeros(len(self), np.int64)
            depth[: len(self.depth)] = self.depth
            new = np.arange(len(self.depth), len(self))
            depth[new] = depth[np.array(self.parent)[new]] + 1
            self.depth = depth
            found = table[paths]
        return found

    def text(self, path: int) -> str:
        """'eth:ethertype:ip:tcp'."""
        found = self._texts.get(path)
        if found is None:
            above = self.text(self.parent[path])
            found = self._texts[path] = f"{above}:{self.name[path]}" if above else self.name[path]
        return found


class Found(NamedTuple):
    """Where a group of headers carries a protocol: number space ('' if it is no layer to show), and the buffer that holds it."""

    parent: Headers
    spans: Spans
    space: str
    buffer: np.ndarray
    base: np.ndarray
    told: Mapping[str, np.ndarray] = MappingProxyType({})  # of messages in TCP streams: columns that their headers have, `way` one


Groups = dict[int, list[Found]]  # by protocol


@dataclass
class Undecoded:
    """Payloads that no decoder took: their number space and numbers (int64), frames (row in batch) and bytes on the wire."""

    space: str
    number: np.ndarray
    frame: np.ndarray
    size: np.ndarray


@dataclass
class Dissection:
    """A batch taken apart: the headers of each protocol, outermost first, and what could not be read."""

    batch: Batch
    paths: Paths
    frames: Headers
    chunks: dict[str, list[Headers]] = field(default_factory=dict)
    order: list[Headers] = field(default_factory=list)
    undecoded: list[Undecoded] = field(default_factory=list)
    kept: np.ndarray | None = None  # the frames that a filter kept, bool (frames,)
    unfiltered: Dissection | None = None  # the same before a filter
    shared: dict[str, Any] = field(default_factory=dict)  # what one table made of the batch, for others
    segments: Segments | None = None  # what the TCP tracker said, of all frames, if somebody asked
    pieces: list[Arrived] = field(default_factory=list)  # of datagrams, of all frames
    trains: list[tuple[int, np.ndarray]] = field(default_factory=list)  # those that ended: depth, rows of `_datagrams.ENDED`
    datagrams: Datagrams | None = None  # what waits still
    messages: Messages | None = None  # the same of messages in TCP streams, if they are wanted
    guesses: Callable[[Headers, np.ndarray], list[tuple[str | None, str | None]]] | None = None  # `Dissector.guesses`

    def __len__(self) -> int:
        return len(self.batch)

    def faults(self) -> Iterator[Fault]:
        for h in self.order:
            yield from h.faults

    def layer(self, h: Headers) -> np.ndarray:
        """Place of each header in its frame's frame.protocols, from 1."""
        return self.paths.depth[h.path]

    def columns(self, name: str) -> Iterator[tuple[Headers, Column]]:
        """A field's values in every group of headers that has it, outermost first."""
        for owner in register()[name].owners:
            for h in self.chunks.get(owner, ()):
                yield h, h.column(name)

    def printed(self, name: str, join: str = ",", occurrence: str = "a") -> Strings:
        """A field's values of each frame as `-T fields` prints them: none as '', several joined.

        occurrence: 'a' all of them, 'f' the first, 'l' the last.
        """
        names = either().get(name, (name,))
        found = [(h, c, register()[n].field) for n in names for h, c in self.columns(n)]
        parts = [(h.frame if c.rows is None else h.frame[c.rows], texts(f, c.values, h.buffer)) for h, c, f in found]
        often = sum((np.bincount(frames, minlength=len(self)) for frames, _ in parts), np.zeros(len(self), np.int64))
        if not (often > 1).any():
            return placed(len(self), parts)
        # Frames with several values: these in order of layer, header and field, separators behind all but a frame's last.
        keys, many = [], []
        for nth, ((frames, said), (h, (_, rows), _)) in enumerate(zip(parts, found, strict=True)):
            at = np.flatnonzero(often[frames] > 1)
            own = at if rows is None else rows[at]
            keys.append(np.stack((np.full(len(at), nth), own, self.layer(h)[own], frames[at])))
            many.append(said.take(at))
        key = np.concatenate(keys, axis=1)
        order = np.lexsort(key)
        frame = key[-1, order]
        first, last = np.flatnonzero(np.diff(frame, prepend=-1)), np.flatnonzero(np.diff(frame, append=-1))
        said = stacked(many).take(order)
        if occurrence == "a":
            between = np.ones(len(frame), bool)
            between[last] = False
            line = joined([said, always(join, between)])
            several = Strings(line.data, line.start[first], line.end[last])
        else:
            several = said.take(first if occurrence == "f" else last)
        return placed(len(self), [*parts, (frame[first], several)])

    def innermost(self) -> Iterator[tuple[Headers, np.ndarray]]:
        """For each group of headers, the rows that are the innermost of their frame: not data or text, not quoted, not a bare tag."""
        owner = np.zeros(len(self), np.int64)
        for nth, h in enumerate(self.order):
            if h.protocol.name not in PLAIN:
                owner[h.frame[~h.quoted]] = nth
        for nth, h in enumerate(self.order):
            rows = np.flatnonzero((owner[h.frame] == nth) & ~h.quoted)
            if len(rows) and h.protocol.name not in PLAIN:
                yield h, rows

    def summary(self) -> dict[str, Strings]:
        """Source, destination, protocol and info of each frame, as `packets` shows them."""
        protocol: Parts = []
        info: Parts = []
        for h, rows in self.innermost():
            frames = h.frame[rows]
            if h.protocol.name == "frame":  # a link type without a decoder is told by its name
                protocol.append((frames, strings([link_name(one) for one in self.batch.link_type[frames].tolist()])))
                info.append((frames, always("not decoded", len(rows))))
            else:
                protocol.append((frames, always(h.protocol.label, len(rows))))
                info.append(_lines(frames, says(h, h.protocol.info, rows)))
        columns = {"source": self._addresses(0), "destination": self._addresses(1), "protocol": protocol, "info": info}
        found = {name: placed(len(self), parts) for name, parts in columns.items()}
        if marks := self._marks():
            found["info"] = joined([found["info"], *(placed(len(self), [mark]) for mark in marks)])
        return found

    def _addresses(self, end: int) -> Parts:
        """The innermost addresses that are not quoted. end: 0 for the source's, 1 for the destination's."""
        parts: Parts = []
        without = np.ones(len(self), bool)  # frames that have none yet
        for h in reversed(self.order):
            if h.protocol.addresses:
                values, rows = h.column(h.protocol.addresses[end])
                at = slice(None) if rows is None else rows
                frames = h.frame[at]
                keep = np.flatnonzero(without[frames] & ~h.quoted[at])
                if len(keep):
                    parts.append((frames[keep], texts(register()[h.protocol.addresses[end]].field, values[keep])))
                    without[frames[keep]] = False
        return parts

    def _marks(self) -> Parts:
        """What stands behind the info of frames that were cut or are malformed."""
        marks: Parts = []
        captured, length = self.batch.captured, self.batch.length
        cut = np.flatnonzero(captured < length)
        if n := len(cut):
            sizes = decimal(captured[cut]), always(" of ", n), decimal(length[cut])
            marks.append((cut, joined([always(" [", n), *sizes, always(" bytes kept]", n)])))
        bad: dict[int, str] = {}
        for fault in self.faults():
            if fault.says != CUT:
                for row in fault.frame.tolist():
                    bad[row] = f"{bad.get(row, '')} [malformed {protocols()[fault.protocol].label}]"
        if bad:
            marks.append((np.array(list(bad)), strings(list(bad.values()))))
        return marks


def _lines(frames: np.ndarray, said: Strings) -> tuple[np.ndarray, Strings]:
    """One text a frame of texts in order of their frames: several, of messages in one frame, are put in a line."""
    last = np.diff(frames, append=-1) != 0
    if last.all():
        return frames, said
    line = joined([said, always("; ", ~last)])
    first = np.flatnonzero(np.diff(frames, prepend=-1))
    return frames[first], Strings(line.data, line.start[first], line.end[last])


@cache
def either() -> dict[str, tuple[str, ...]]:
    """Fields that stand for several others: `ip.addr` for `ip.src` and `ip.dst`."""
    return {name: fields for p in protocols().values() for name, fields in p.aliases.items()}


# ---------------------------------------------------------------- the loop


MAX_STREAMS = 1_000_000  # TCP connections; about 6 kB each where `streams` is asked for


class Dissector:
    """Takes batches apart, one after the other, in order. State that lives from batch to batch is here.

    wanted: names of fields that will be asked for; those that hang on earlier frames are computed only if they are wanted.
    checksums: whether those of IPv4, TCP and UDP are verified. max_streams: TCP connections held at the most, at least 2.
    overlap: whose bytes count where pieces of a datagram overlap, as `Datagrams` has it. decode_as: what ports lead to, as
    `decoded_as` reads it, whatever the protocols say of themselves.
    """

    def __init__(
        self,
        wanted: Iterable[str] = (),
        checksums: bool = False,
        max_streams: int = MAX_STREAMS,
        overlap: str = "bsd",
        decode_as: Iterable[DecodeAs] = (),
    ) -> None:
        self.wanted = set(wanted)
        self.checksums = checksums
        # What nobody decodes is made headers of `data`, and counted, only if somebody looks at it.
        self.rest = bool({"frame.protocols", "data"} & self.wanted) or any(f.name in self.wanted for f in protocols()["data"].fields())
        self.messages: Messages | None = None
        self.transfers = Transfers()
        self.datagrams = Datagrams(overlap)
        self.neighbors = Neighbors()
        self.echoes = Echoes()
        self.answers = Answers(self.wanted)
        self.leases = Leases()
        self.clocks = Clocks()
        self.changes_port = Elsewhere()
        self.media = Media()
        self.initials = Initials()
        self._waiting: list[Waiting] | None = None  # UDP's payloads that no port names, while a batch is taken apart
        self.paths = Paths()
        self.protocols = protocols()
        self.first: int | None = None
        self.before: int | None = None
        self._spaces: dict[str, np.ndarray] = {}
        self._names = list(self.protocols)
        sparse: dict[str, dict[int, int]] = {}
        for index, p in enumerate(self.protocols.values()):
            for space, numbers in p.on.items():
                for number in (numbers,) if isinstance(numbers, int) else numbers:
                    sparse.setdefault(space, {})[number] = index
        # Protocols that look at the bytes before they believe a port: of each number space the index, the test, what it reads.
        self._doubtful: dict[str, list[tuple[int, Callable[[Reading], np.ndarray], Layout]]] = {}
        for index, p in enumerate(self.protocols.values()):
            for space in p.on:
                if p.probe_port and space.endswith(".port"):
                    self._doubtful.setdefault(space, []).append((index, p.probe_port, p.header))
        # Those that are told by their bytes alone where no port names one.
        self._told: list[tuple[int, Callable[[Reading], np.ndarray], Layout]] = [
            (index, p.probe, p.header) for index, p in enumerate(self.protocols.values()) if p.probe
        ]
        self._calls = any(self._asked_for(p) for p in self.protocols.values() if p.name in CALLS or p.probe)
        self._quic = any(self._asked_for(self.protocols[name]) for name in ("quic", "tls.quic"))
        for space, known in sparse.items():
            table = self._spaces[space] = np.full(NO_NUMBER + 1, -1, np.int16)
            for number, index in known.items():
                table[number] = index
        self._known = {space: self._spaces[space].copy() for space in PORTS}  # what protocols say of themselves
        self._said = {space: np.full(NO_NUMBER + 1, UNDECIDED, np.int16) for space in PORTS}
        self._overruled: set[str] = set()  # the number spaces of which the user said something
        for one in decode_as:
            self._overruled.add(one.space)
            table = self._spaces.setdefault(one.space, np.full(NO_NUMBER + 1, -1, np.int16))
            number = self._names.index(one.protocol) if one.protocol in self._names else -1
            table[one.first : one.last + 1] = self._said[one.space][one.first : one.last + 1] = number
        self._asked = [p.name for p in self.protocols.values() if p.changes_port or p.name in ("ftp.data", "rtp", "rtcp")]
        self._served = [index for index, p in enumerate(self.protocols.values()) if p.changes_port]
        self._elsewhere = np.full(NO_NUMBER + 1, -2, np.int16)  # ports that are asked, but do not answer; -2: others
        for number, index in sparse.get("udp.port", {}).items():
            if self.protocols[self._names[index]].changes_port and self._said["udp.port"][number] == UNDECIDED:
                self._elsewhere[number] = index
        self._listen()
        # Applications of which nobody will ask anything are not opened.
        self._mute = np.array([not self._spoken(p) for p in self.protocols.values()] + [False])
        # Whether somebody will ask for what is told of UDP's payloads by more than their ports.
        self._late = self._quic or self._calls or any(p.changes_port and self._asked_for(p) for p in self.protocols.values())
        ports = {space: self._spaces[space] for space in PORTS}
        self._idle = {space for space, table in ports.items() if not self.rest and self._mute[table[table >= 0]].all()}
        self.streams = StreamNumbers(self.wanted, max_streams)

    @property
    def transfers_forgotten(self) -> int:
        """Announcements of FTP that were forgotten for want of memory."""
        return self.transfers.forgotten

    def _asked_for(self, p: Protocol) -> bool:
        """Whether somebody will ask for something of that protocol; a filter may ask for the protocol itself."""
        return self.rest or bool(self.wanted & {p.name, p.display_name}) or any(f.name in self.wanted for f in p.fields())

    def _spoken(self, p: Protocol) -> bool:
        """Whether somebody will ask for something of that protocol, or of what it may carry."""
        return self._asked_for(p) or (p.contents is not None and (p.framer is None or self.messages is not None))

    def _listen(self) -> None:
        """Read the messages of applications in TCP streams if somebody will ask for something of them."""
        speak = {index: p for index, p in enumerate(self.protocols.values()) if p.framer is not None}
        spaces = {p.name.partition(".")[0] for p in speak.values()}
        carried = [p for p in self.protocols.values() if any(space.partition(".")[0] in spaces for space in p.on)]
        announced = [p for p in self.protocols.values() if p.name in CALLS]
        heard = any(self._asked_for(p) for p in (*speak.values(), *carried, *announced))
        if not speak or not (heard or {f.name for f in SEGMENTS} & self.wanted):
            return
        self.wanted |= NEEDS
        ports = self._known["tcp.port"]
        framers = {index: p.framer() for index, p in speak.items() if p.framer is not None}
        for framer in framers.values():
            if isinstance(framer, StreamsBodies):
                if WHOLE in self.wanted:
                    framer.hand_on()
                elif not (self.rest or framer.bodies & self.wanted):
                    framer.skim()
        said = self._said["tcp.port"]
        said = np.where((said == UNDECIDED) | np.isin(said, list(speak)), said, NONE)
        leads = self._names.index("ftp"), self._names.index("ftp.data")
        self.messages = Messages(framers, np.where(np.isin(ports, list(speak)), ports, -1), said, *leads, self.transfers)

    def __call__(self, batch: Batch, interfaces: list[Interface]) -> Dissection:
        """The headers of one batch. interfaces: what its frames' interface numbers count."""
        if len(self.paths) > PATHS:
            self.paths = Paths()
        frames = self._frames(batch, interfaces)
        done = Dissection(batch, self.paths, frames, {"frame": [frames]}, [frames], datagrams=self.datagrams, messages=self.messages)
        done.guesses = self.guesses
        path = np.zeros(len(batch), np.int64)
        streamed: list[tuple[Headers, Payload]] = []
        self._waiting = [] if self._late else None
        depth = self._turns(done, [frames], path, 0, streamed)
        waiting, self._waiting = self._waiting, None
        if self.wanted & TCP and "tcp" in done.chunks:
            done.segments = self.streams.number_tcp(done.chunks["tcp"], batch)
            if self.messages is not None:
                turn = self._heard(done, self.messages, done.segments, streamed, path, depth)
                self._turns(done, turn, path, depth, None)
        if self._calls and "sdp" in done.chunks:
            self.media.feed(done.chunks["sdp"], batch.first)
        if (self._quic or self.wanted & (UDP | ANSWERED)) and "udp" in done.chunks:
            self.streams.number_udp(done.chunks["udp"])
        if waiting:
            self._turns(done, self._opened(done, self._answers(done, waiting), path), path, depth, None)
        for h in reversed(done.order):
            _pass_on(h)
        for name in CARRIERS:
            for h in done.chunks.get(name, ()):
                fill(h, h.protocol.external_fields)
        for name in self._asked:
            for h in done.chunks.get(name, ()):
                fill(h, h.protocol.external_fields)
        for h in done.chunks.get("tcp", ()):
            fill(h, SEGMENTS)
        frames.path = path
        if "frame.protocols" in self.wanted:
            used, inverse = np.unique(path, return_inverse=True)
            frames.put("frame.protocols", np.array([self.paths.text(one) for one in used.tolist()], object)[inverse])
        asking = [h for name in ASKING for h in done.chunks.get(name, ())]
        if self.wanted & ANSWERED and asking:
            self.answers.feed(asking, batch)
        if self.wanted & DUPLICATES and "arp" in done.chunks:
            self.neighbors.feed(done.chunks["arp"], batch)
        if self.wanted & ECHOES:
            for name in ("icmp", "icmpv6"):
                if name in done.chunks:
                    self.echoes.feed(name, done.chunks[name], batch)
        if self.wanted & CLOCKS and "ntp" in done.chunks:
            self.clocks.feed(done.chunks["ntp"], batch)
        if self.wanted & JUDGED:
            for version in VERSIONS:
                if version in done.chunks:
                    self.leases.feed(version, done.chunks[version], batch)
        return done

    def _turns(
        self, done: Dissection, turn: list[Headers], path: np.ndarray, depth: int, streamed: list[tuple[Headers, Payload]] | None
    ) -> int:
        """Take what these headers carry, and what that carries, until nothing is carried; how deep that was.

        streamed: what TCP segments carry is set aside here, if messages are wanted; None: it was.
        """
        while turn:
            groups: Groups = {}
            pieces: list[Arrived] = []
            for h in turn:
                if h.protocol.check:
                    h.protocol.check(h)
                if h.protocol.contents:
                    for payload in h.protocol.contents(h):
                        if self.messages is not None and streamed is not None and payload.space == "tcp.port":
                            streamed.append((h, payload))
                        else:
                            self._hand_on(done, h, payload, groups, pieces, depth)
            if pieces:
                self._put_together(done, pieces, groups, depth)
            turn = self._opened(done, groups, path)
            depth += 1
        return depth

    def _opened(self, done: Dissection, groups: Groups, path: np.ndarray) -> list[Headers]:
        """The headers that were found, each group read in one gather."""
        turn = []
        for index, members in groups.items():
            p = self.protocols[self._names[index]]
            for parent, spans, space, buffer, base, told in members:
                h = Headers(p, buffer, spans, base, parent)
                if space == "ethertype" and parent.protocol.name != "frame":
                    path[h.frame] = self.paths.longer(path[h.frame], "ethertype")
                h.path = path[h.frame] = self.paths.longer(path[h.frame], p.display_name)
                for name, column in told.items():
                    (h.put if name in register() else h.set_context)(name, column)
                turn.append(h)
        for h in turn:
            done.chunks.setdefault(h.protocol.name, []).append(h)
        done.order += turn
        return turn

    def _heard(
        self,
        done: Dissection,
        messages: Messages,
        s: Segments,
        streamed: list[tuple[Headers, Payload]],
        path: np.ndarray,
        depth: int,
    ) -> list[Headers]:
        """The messages that segments made whole; what nobody takes is sorted by port, segment by segment."""
        first = done.batch.first

        def opened(heard: list[FramedMessages], lost: Lost, groups: Groups) -> list[Headers]:
            for one in heard:
                told = {"direction": one.direction, **one.columns}
                groups.setdefault(one.protocol, []).append(Found(one.headers, one.spans, "tcp.port", one.buffer, one.base, told))
            for protocol, frame, size in lost:
                done.undecoded.append(Undecoded("stream", np.full(len(frame), protocol), frame - first, size))
            return self._opened(done, groups, path)

        ahead = opened(*messages.lead(s, done.batch), {})
        self.transfers.feed([h for h in ahead if h.protocol.name == "ftp"], first)
        heard, lost, others = messages.feed(s, done.batch)
        sizes = np.array([len(h) for h in s.chunks])
        bounds = np.cumsum(sizes) - sizes
        nobodys = np.ones(int(sizes.sum()), bool)
        nobodys[s.order] = others
        known = {id(h): at for h, at in zip(s.chunks, bounds.tolist())}
        groups: Groups = {}
        for h, payload in streamed:
            at = known[id(h)]
            mask = nobodys[at : at + len(h)]
            if payload.rows is not None:
                picked = np.zeros(len(h), bool)
                picked[payload.rows] = True
                mask = mask & picked
            self._hand_on(done, h, replace(payload, rows=np.flatnonzero(mask)), groups, [], depth)
        turn = [*ahead, *opened(heard, lost, groups)]
        for h in turn:
            if h.protocol.name == "ftp.data" and "direction" in h.context:
                self.transfers.told(h, first)
        return turn

    def _hand_on(self, done: Dissection, h: Headers, payload: Payload, groups: Groups, pieces: list[Arrived], depth: int) -> None:
        """Sort what one group of headers carries by the protocol that its numbers name; pieces of datagrams are set aside."""
        if (payload.space not in self._spaces and not self.rest) or payload.space in self._idle:
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
        if payload.piece is None:
            self._sort(done, h, spans, payload.space, numbers, groups, depth, bare=payload.hide_layer)
            return
        place = payload.piece if rows is None else payload.piece.take(rows)
        if quoted.any():  # an error quotes the beginning of a piece, which goes nowhere
            self._as_data(h, spans.take(np.flatnonzero(quoted)), groups)
            keep = np.flatnonzero(~quoted)
            spans, numbers, place = spans.take(keep), tuple(n[keep] for n in numbers), place.take(keep)
        if len(spans.frame):
            pieces.append(Arrived(h, spans, numbers[0], place))

    def _put_together(self, done: Dissection, pieces: list[Arrived], groups: Groups, depth: int) -> None:
        """Pieces of datagrams are data, but that which makes its datagram whole carries what the datagram does."""
        made, ended = self.datagrams.feed(depth, pieces, done.batch)
        done.pieces += pieces
        done.trains.append((depth, ended))
        for one in pieces:
            self._as_data(one.headers, one.spans.take(np.flatnonzero(~one.completes)), groups)
        for whole in made:
            self._sort(done, whole.headers, whole.spans, "ipproto", (whole.number,), groups, depth, whole.buffer, whole.base)

    def _as_data(self, h: Headers, spans: Spans, groups: Groups) -> None:
        if self.rest and len(spans.frame):
            groups.setdefault(self._names.index("data"), []).append(Found(h, spans, "", h.buffer, h.base))

    def _sort(
        self,
        done: Dissection,
        h: Headers,
        spans: Spans,
        space: str,
        numbers: tuple[np.ndarray, ...],
        groups: Groups,
        depth: int,
        buffer: np.ndarray | None = None,
        base: np.ndarray | None = None,
        bare: bool = False,
    ) -> None:
        """Sort what lies at these spans by the protocol that the numbers name. buffer, base: where, if not where the headers lie."""
        place, base = (h.buffer, h.base) if buffer is None or base is None else (buffer, base)
        table = self._spaces.get(space)
        found = np.full(len(spans.frame), -1, np.int64)
        if table is not None:
            for number in reversed(numbers):
                index = table[number if number.dtype.itemsize <= 2 else np.minimum(number, NO_NUMBER)]
                said = self._said[space][number] == UNDECIDED if space in self._overruled else True
                for doubtful, probe_port, layout in self._doubtful.get(space, ()):
                    own = np.flatnonzero((index == doubtful) & said)
                    if len(own):
                        index[own[~probe_port(Reading(layout, place, spans.start[own], spans.end[own]))]] = -1
                found = np.where(index >= 0, index, found)
            for number in reversed(numbers) if space in self._overruled else ():
                told = self._said[space][number]
                found = np.where(told != UNDECIDED, told, found)
        if depth >= DEEPEST:
            deep = np.zeros(len(h), bool)
            deep[spans.row] = True
            h.fault(deep, "", f"holds more than {DEEPEST} headers, one in the other", at=h.start)
            found[:] = -1
        unknown = found < 0
        if space == "udp.port" and self._calls and unknown.any():
            self._recognized(spans, place, numbers, found, announces=self._waiting is not None)
            unknown = found < 0
        if space == "udp.port" and self._waiting is not None:
            opens = self._elsewhere[h["udp.dstport"][spans.row]]
            wait = np.flatnonzero(unknown | ((opens == found) & ~unknown))
            if len(wait):
                told = np.full((2, len(wait)), -1)
                some = tuple(number[wait] for number in numbers)
                self._waiting.append(Waiting(h, spans.take(wait), some, depth, np.where(unknown, -1, opens)[wait], told))
                keep = np.flatnonzero(~unknown)
                spans, numbers, found, unknown = spans.take(keep), tuple(n[keep] for n in numbers), found[keep], unknown[keep]
                if not len(keep):
                    return
        if space in PORTS and not self.rest:
            found = np.where(self._mute[found], -1, found)
            unknown = found < 0
        if not self.rest and unknown.all():
            return
        if self.rest and unknown.any():
            rest = np.flatnonzero(unknown & ~spans.quoted)
            if len(rest) and space != "data":
                sizes = (spans.wire - spans.start)[rest]
                done.undecoded.append(Undecoded(space, numbers[0][rest].astype(np.int64), spans.frame[rest], sizes))
            found, unknown = np.where(unknown, self._names.index("data"), found), np.zeros(1, bool)
        kinds = np.flatnonzero(np.bincount(found[~unknown] if unknown.any() else found))
        for index in kinds.tolist():
            some = spans if len(kinds) == 1 and not unknown.any() else spans.take(np.flatnonzero(found == index))
            groups.setdefault(index, []).append(Found(h, some, "" if bare else space, place, base))

    def guesses(self, h: Headers, rows: np.ndarray) -> list[tuple[str | None, str | None]]:
        """What the ports of these headers of `tcp` or `udp`, and of UDP the bytes, say that they carry."""
        name = h.protocol.name
        ends = [h[f"{name}.{end}"][rows] for end in ("srcport", "dstport")]
        ports = [self._known[f"{name}.port"][end] for end in ends]
        lower = np.where(ends[0] <= ends[1], 0, 1)
        first, second = np.where(lower == 0, *ports), np.where(lower == 0, ports[1], ports[0])
        by_port = np.where(first >= 0, first, second)
        start = h.start[rows] + h.layout.size
        end = np.maximum(np.minimum(h.end, h.wire)[rows], start)
        by_bytes = np.full(len(rows), -1)
        for index, probe, layout in self._told if name == "udp" else ():
            by_bytes = np.where((by_bytes < 0) & probe(Reading(layout, h.buffer, start, end)), index, by_bytes)
        shown = [*(p.display_name for p in self.protocols.values()), None]
        return [(shown[a], shown[b]) for a, b in zip(by_port.tolist(), by_bytes.tolist())]

    def _undecided(self, numbers: tuple[np.ndarray, ...]) -> np.ndarray:
        """Whether the user said nothing of these UDP ports, bool (n,)."""
        return (np.stack([self._said["udp.port"][number] for number in numbers]) == UNDECIDED).all(axis=0)

    def _recognized(self, spans: Spans, place: np.ndarray, numbers: tuple[np.ndarray, ...], found: np.ndarray, announces: bool) -> None:
        """Write into `found` the protocols of payloads that no port names, as far as their bytes tell; not what the user said is data.

        announces: only of those that announce others, which come before what bytes tell.
        """
        free = self._undecided(numbers)
        for index, probe, layout in self._told:
            if announces and self._names[index] != "sip":
                continue
            rows = np.flatnonzero((found < 0) & free)
            if len(rows):
                found[rows[probe(Reading(layout, place, spans.start[rows], spans.end[rows]))]] = index

    def _answers(self, done: Dissection, waiting: list[Waiting]) -> Groups:
        """Sort the datagrams that no port names: what SDP announced, answers of servers from another port than was asked, QUIC, and what
        nobody decodes."""
        first = done.batch.first
        self.changes_port.feed(waiting, first)
        groups: Groups = {}
        rests: list[tuple[Waiting, np.ndarray]] = []
        for one in waiting:
            protocol, asked = one.told
            h = one.headers
            for name, (rows, frame) in (self.media.find(h, one.spans, first) if self._calls else {}).items():
                pick = np.flatnonzero((protocol[rows] < 0) & (one.protocol[rows] < 0))
                rows, frame, method = rows[pick], frame[pick], np.full(len(pick), "SDP", object)
                for other in (name, "rtcp") if name == "rtp" else (name,):  # both may share a port: RFC 5761
                    p, index = self.protocols[other], self._names.index(other)
                    some = one.spans.take(rows)
                    assert p.probe_port is not None
                    good = p.probe_port(Reading(p.header, h.buffer, some.start, some.end))
                    if other == "rtp":
                        control = self.protocols["rtcp"]
                        assert control.probe_port is not None
                        good &= ~control.probe_port(Reading(control.header, h.buffer, some.start, some.end))
                    protocol[rows[good]] = index
                    if good.any():
                        told = {f"{other}.setup-frame": frame[good], f"{other}.setup-method": method[good]}
                        groups.setdefault(index, []).append(Found(h, some.take(np.flatnonzero(good)), "udp.port", h.buffer, h.base, told))
                    rows, frame, method = rows[~good], frame[~good], method[~good]
            tell = np.isin(protocol, self._served)
            for index in np.unique(protocol[tell]).tolist():
                rows, name = np.flatnonzero(protocol == index), self._names[index]
                groups.setdefault(index, []).append(
                    Found(h, one.spans.take(rows), "udp.port", h.buffer, h.base, {f"{name}.request_frame": asked[rows]})
                )
            rests.append((one, np.flatnonzero((protocol < 0) & (one.protocol < 0))))
        if self._quic:
            rests = self._offered(done, rests, groups)
        for one, rest in rests:
            if self._calls and len(rest):
                numbers = tuple(n[rest] for n in one.numbers)
                self._sort(done, one.headers, one.spans.take(rest), "udp.port", numbers, groups, one.depth)
        return groups

    def _offered(self, done: Dissection, rests: list[tuple[Waiting, np.ndarray]], groups: Groups) -> list[tuple[Waiting, np.ndarray]]:
        """Sort the datagrams that are QUIC's; those that are not, but for what the user said."""
        free, kept = [], []
        for one, rest in rests:
            if not one.headers.has("udp.stream"):  # UDP-Lite
                kept.append((one, rest))
                continue
            undecided = self._undecided(tuple(number[rest] for number in one.numbers))
            free.append((one, rest[undecided]))
            kept.append((one, rest[~undecided]))
        offered = [Offered(one.headers, one.spans.take(rest), one.depth) for one, rest in free]
        for made in self.initials.feed(offered, len(done)) if offered else ():
            found = Found(made.headers, made.spans, "udp.port", made.buffer, made.base, made.told)
            groups.setdefault(self._names.index("quic"), []).append(found)
        left = [(one, rest[~some.taken]) for (one, rest), some in zip(free, offered, strict=True)]
        return [*left, *(one for one in kept if len(one[1]))]

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
        for f in TOLD:
            h.put(f.name, *batch.told.get(f.name, (np.empty(0, f.kind.dtype), np.empty(0, np.int64))))
        return h


def _pass_on(h: Headers) -> None:
    """A header that knows where its contents end tells the link below, through tags, so that padding is told from data."""
    parent = h.parent
    if h.payload_end is None or parent is None or parent.protocol.name == "frame":
        return
    if parent.payload_end is None:
        parent.payload_end = parent.wire.copy()
    if parent.protocol.name in LINKS:
        parent.payload_end[h.row] = np.minimum(parent.payload_end[h.row], h.payload_end)


LINKS = ("eth", "vlan", "ieee8021ad")  # headers below the network's, whose frames may be padded


def field_of(name: str) -> Field:
    """The field of that name. Raises UsageError, with the nearest names, if there is none."""
    known = register()
    if name in known:
        return known[name].field
    if name in either():
        return part(known[either()[name][0]].field, name=name, many=True)
    if name in COLUMNS:
        return Field(name, text, COLUMNS[name])
    raise UsageError(f"no field {name!r}{nearest(name, [*known, *either(), *COLUMNS])}; `analyze fields` lists them")


COLUMNS = {  # tshark's names of what a packet line shows
    "_ws.col.Source": "source",
    "_ws.col.Destination": "destination",
    "_ws.col.Protocol": "protocol",
    "_ws.col.Info": "info",
}


def nearest(name: str, known: Iterable[str]) -> str:
    """', nearest: a, b' or ''."""
    import difflib

    close = difflib.get_close_matches(name, list(known), 3, 0.6)
    return f", nearest: {', '.join(close)}" if close else ""


def needed(names: Iterable[str]) -> set[str]:
    """The fields that printing these needs, those of info lines included."""
    wanted = {n for name in names for n in either().get(name, (name,))}
    if wanted & set(COLUMNS):
        wanted |= {n for p in protocols().values() for n in (p.name, *template_fields(p.info))}
    return wanted


# ---------------------------------------------------------------- decode as


PORTS = ("tcp.port", "udp.port")


class DecodeAs(NamedTuple):
    """The ports first…last of this space lead to this protocol, by the user's word; 'data': to none."""

    space: str
    first: int
    last: int
    protocol: str


def decoded_as(said: str) -> DecodeAs:
    """What `-d tcp.port==8081,http` means, or `udp.port==5000-5010,rtp`. Raises UsageError."""
    match = re.fullmatch(r"\s*(\w+\.\w+)\s*==\s*(\d{1,5})(?:-(\d{1,5}))?\s*,\s*([\w.-]+)\s*", said)
    if match is None:
        raise UsageError(f"-d {said!r} is not understood; it looks like tcp.port==8081,http")
    space, low, high, name = match[1], int(match[2]), int(match[3] or match[2]), match[4]
    if space not in PORTS:
        raise UsageError(f"-d knows {' and '.join(PORTS)}, not {space!r}")
    if not low <= high < NO_NUMBER:
        raise UsageError(f"-d {said!r}: no such ports; they end at {NO_NUMBER - 1}")
    known = {p.display_name: p.name for p in protocols().values() if space in p.on} | {"data": ""}
    known |= {name: name for name in known.values() if name}
    if name not in known:
        raise UsageError(f"-d {said!r}: {name!r} is none of those that {space} may lead to{nearest(name, known)}")
    return DecodeAs(space, low, high, known[name])


# ---------------------------------------------------------------- filters


@cache
def spoken() -> frozenset[str]:
    """What a filter may call protocols: their own names, and those of frame.protocols."""
    return frozenset(name for p in protocols().values() for name in (p.name, p.display_name))


def filtered(said: str) -> Filter:
    """A display filter over all fields and protocols. Raises UsageError."""

    def lookup(name: str) -> tuple[Field, tuple[str, ...]] | None:
        if name in register() or name in either():
            return field_of(name), either().get(name, (name,))
        return (Field(name, text, name), ()) if name in spoken() else None

    return compiled(said, lookup, lambda name: nearest(name, [*register(), *either(), *spoken()]))


def matching(d: Dissection, wanted: Filter) -> np.ndarray:
    """Which frames of the batch match, bool (frames,)."""

    def values(name: str) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        if name in spoken():
            for h in d.order:
                if name in (h.protocol.name, h.protocol.display_name):
                    yield h.frame, h.frame, h.buffer
            return
        for h, (column, rows) in d.columns(name):
            yield (h.frame if rows is None else h.frame[rows]), column, h.buffer

    return wanted.mask(values, len(d))


def only(d: Dissection, mask: np.ndarray) -> Dissection:
    """The same dissection with no headers but those of the frames at `mask`."""
    order = [h.take(np.flatnonzero(mask[h.frame])) for h in d.order]
    chunks: dict[str, list[Headers]] = {}
    for h in order:
        chunks.setdefault(h.protocol.name, []).append(h)
    undecoded = []
    for one in d.undecoded:
        rows = mask[one.frame]
        undecoded.append(Undecoded(one.space, one.number[rows], one.frame[rows], one.size[rows]))
    return replace(d, frames=order[0], chunks=chunks, order=order, undecoded=undecoded, kept=mask, unfiltered=d, shared={})
