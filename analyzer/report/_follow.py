"""The bytes of a stream as tshark's `-z follow` prints them. What it prints differently is in docs/differences.md."""

from __future__ import annotations

import base64
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..conversations import in_order
from ..errors import UsageError
from ..expert._wording import endpoint
from ..fields import Headers, texts
from ..protocols import register
from ..strings import HEX
from ..tcp.reassembly import (
    ACKNOWLEDGED,
    CONFLICT,
    CUT,
    DATA,
    HOLE,
    LATE,
    MISSING,
    NEEDS,
    URGENT,
    StreamEvents,
    StreamReassembler,
    stream_events,
)

if TYPE_CHECKING:
    from ..analysis import Analysis
    from ..dissection import Dissection

LINE = "=" * 67 + "\n"
PRINTABLE = bytes(byte if 32 <= byte < 127 else 46 for byte in range(256))
READABLE = np.frombuffer(PRINTABLE, np.uint8)
UPPER = np.frombuffer(bytes(range(256)).hex().upper().encode(), "V2")  # byte → its two digits
TEXT = bytes(byte if byte in b"\r\n" else PRINTABLE[byte] for byte in range(256))
NOTES_LIMIT = 20
WHY = {HOLE: "missing, never acknowledged", ACKNOWLEDGED: "missing in capture file", CUT: "cut by the capture"}


@dataclass
class Chunk:
    """Data of one segment or datagram, or bytes that are missing. node: 0 sent the first, 1 is its peer. offset: of its first byte among
    those that the node sent. time: ns. urgent: places in `data`. reason: why `size` bytes are missing, '' if they are not."""

    node: int
    offset: int
    frame: int
    time: int
    data: bytes
    size: int
    urgent: list[int] = field(default_factory=list)
    reason: str = ""

    @property
    def indent(self) -> str:
        return "\t" if self.node else ""

    @property
    def missing(self) -> str:
        return f"{self.indent}[{counted(self.size)} {self.reason}]\n"


def counted(size: int) -> str:
    return "1 byte" if size == 1 else f"{size} bytes"


def _ascii(chunk: Chunk) -> str:
    text = chunk.data.translate(TEXT).decode()
    if sys.stdout.isatty():  # a return without a new line would write over what stands there
        text = re.sub("\r(?!\n)", ".", text)
    urgent = "".join(f" [urgent: {text[at]!r} at {at}]" for at in chunk.urgent)
    return f"{chunk.indent}{len(chunk.data)}{urgent}\n{text}\n"


def _hex(chunk: Chunk) -> str:
    """Sixteen bytes a line: offset (8 columns and 2 blanks), digits (48 and 2), text; both halves a blank apart. As tshark, a line
    loses one blank at its end."""
    size, lines = len(chunk.data), -(-len(chunk.data) // 16)
    grid = np.frombuffer(chunk.data.ljust(16 * lines), np.uint8).reshape(-1, 16)
    length = np.minimum(size - 16 * np.arange(lines), 16)
    cells = np.full((lines, 78), 0x20, np.uint8)
    offsets = (chunk.offset + 16 * np.arange(lines)).astype(">u4")  # wraps, as tshark's
    cells[:, :8] = UPPER[offsets.view(np.uint8)].view(np.uint8).reshape(-1, 8)
    digits = HEX[grid].view(np.uint8).reshape(-1, 16, 2)
    digits[np.arange(16) >= length[:, None]] = 0x20
    place = np.arange(16) + (np.arange(16) >= 8)
    cells[:, 60 + place] = READABLE[grid]
    for nth in (0, 1):
        cells[:, 10 + np.arange(16) * 3 + (np.arange(16) >= 8) + nth] = digits[:, :, nth]
    end = 60 + length + (length >= 8)
    every = np.arange(lines)
    end -= cells[every, end - 1] == 0x20
    cells[every, end] = 0x0A
    dump = cells[np.arange(78) <= end[:, None]].tobytes().decode()
    if not (chunk.urgent or chunk.node):
        return dump
    marks = ["" for _ in range(lines)]
    for at in chunk.urgent:
        marks[at // 16] += f"  [urgent: {chunk.data[at]:02x}]"
    return "".join(f"{chunk.indent}{line}{mark}\n" for line, mark in zip(dump.split("\n"), marks))


def _raw(chunk: Chunk) -> str:
    return f"{chunk.indent}{chunk.data.hex()}\n"


def _yaml(chunk: Chunk) -> str:
    seconds, ns = divmod(chunk.time, 1_000_000_000)
    lines = [f"  - packet: {chunk.frame}", f"    peer: {chunk.node}"]
    if chunk.reason:
        return "\n".join([*lines, f"    missing: {chunk.size}", f"    says: {chunk.reason}", ""])
    lines.append(f"    timestamp: {seconds + ns / 1e9:.9f}")  # as tshark: a double, of which the last digits are noise
    if chunk.urgent:
        lines.append(f"    urgent: {chunk.urgent}")
    lines.append("    data: !!binary |")
    lines += (f"      {base64.b64encode(chunk.data[at : at + 57]).decode()}" for at in range(0, len(chunk.data), 57))
    return "\n".join([*lines, ""])


MODES: dict[str, Callable[[Chunk], str]] = {"ascii": _ascii, "hex": _hex, "raw": _raw, "yaml": _yaml}


def chunks_of(text: str | None) -> tuple[int, int]:
    """'3-5' or '3' as the first and last chunk. Raises UsageError."""
    if text is None:
        return 1, sys.maxsize
    found = re.fullmatch(r"(\d+)(?:-(\d+))?", text)
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not 0 < first <= last:
        raise UsageError(f"a range of chunks is 2-5 or 3, counted from 1, not {text!r}")
    return first, last


@dataclass
class Follow:
    """The bytes of one stream, written as they come. mode: of MODES. node: only what node 0 or 1 sent; None: both.
    first, last: chunks of both nodes that are shown, counted from 1."""

    protocol: str
    stream: int
    mode: str = "ascii"
    node: int | None = None
    first: int = 1
    last: int = sys.maxsize

    def __post_init__(self) -> None:
        self.count = 0  # streams seen
        self.shown = 0  # chunks
        self.directions: list[int] = []  # of node 0 and 1
        self.offsets = [0, 0]  # of what each node sends next
        self.shifts = [0, 0]  # what makes a position an offset
        self.notes: list[str] = []
        self.omitted = 0

    def write(self, analysis: Analysis) -> None:
        """Write it to standard output. Raises UsageError if there is no such stream."""
        streams = self._tcp(analysis) if self.protocol == "tcp" else self._udp(analysis)
        for events in streams:
            for chunk in self._chunks(events):
                self._show(chunk)
        if not self.directions:
            there = f"; there are {self.count}, from 0" if self.count else "; there is none"
            raise UsageError(f"no {self.protocol.upper()} stream {self.stream}{there}")
        if self.mode != "yaml":
            sys.stdout.write(LINE)
        if self.omitted:
            self.notes.append(f"{self.omitted} more such notes")
        analysis.notes += self.notes

    def _tcp(self, analysis: Analysis) -> Iterator[StreamEvents]:
        reassembler = StreamReassembler()
        for d in analysis.dissections(NEEDS):
            s = d.segments
            if s is None:
                continue
            live = s["live"] != 0
            self._known(s["stream"][live])
            wanted = live & (s["stream"] == self.stream)
            if d.kept is not None:
                wanted &= d.kept[s.frame]
            if wanted.any():
                self._begin(s.chunks, s.order, wanted, s["back"])
                yield reassembler.feed(s, wanted)
        yield reassembler.finish()

    def _udp(self, analysis: Analysis) -> Iterator[StreamEvents]:
        for d in analysis.dissections({"udp.stream"}):
            chunks = d.chunks.get("udp", [])
            if chunks:
                yield self._datagrams(d, chunks)

    def _datagrams(self, d: Dissection, chunks: list[Headers]) -> StreamEvents:
        """Each datagram of the stream is an event, and what the capture cut off of it another."""
        order = in_order(chunks)

        def column(name: str) -> np.ndarray:
            return np.concatenate([h[name] for h in chunks])[order]

        there = np.concatenate([(h.trusted >= 4) & ~h.quoted for h in chunks])[order]
        stream, back = column("udp.stream"), np.concatenate([h.conversation[1] for h in chunks if h.conversation])[order]
        self._known(stream[there])
        wanted = there & (stream == self.stream)
        self._begin(chunks, order, wanted, back)
        length = column("udp.payload_len")
        at = np.flatnonzero(wanted & (length > 0))
        of = np.repeat(np.arange(len(chunks)), [len(h) for h in chunks])[order[at]]
        bounds = column("udp.payload")[at]
        data = b"".join(chunks[i].buffer[start:end].data for i, (start, end) in zip(of.tolist(), bounds.tolist()))
        size = bounds[:, 1] - bounds[:, 0]
        frame = np.concatenate([h.frame for h in chunks])[order[at]]
        rows = np.concatenate([np.arange(len(at)), np.flatnonzero(length[at] > size)])
        rows = np.sort(rows)
        cut = np.append(False, rows[1:] == rows[:-1])[: len(rows)]
        end = np.cumsum(size)
        return stream_events(
            np.frombuffer(data, np.uint8),
            self.stream * 2 + back[at][rows],
            kind=np.where(cut, CUT, DATA),
            size=np.where(cut, length[at][rows] - size[rows], size[rows]),
            start=(end - size)[rows],
            end=end[rows],
            frame=d.batch.first + frame[rows],
            time=d.batch.time[frame[rows]],
        )

    def _known(self, streams: np.ndarray) -> None:
        if len(streams):
            self.count = max(self.count, int(streams.max()) + 1)

    def _begin(self, chunks: list[Headers], order: np.ndarray, wanted: np.ndarray, back: np.ndarray) -> None:
        """Write the heading at the first segment of the stream. back: bool, of each segment in `order`."""
        if self.directions or not wanted.any():
            return
        at = int(np.flatnonzero(wanted)[0])
        direction = self.stream * 2 + int(back[at])
        self.directions = [direction, direction ^ 1]
        nodes = _ends(chunks, int(order[at]), self.protocol)
        if self.mode == "yaml":
            peers = (f"  - peer: {node}\n    host: {host}\n    port: {port}\n" for node, (host, port) in enumerate(nodes))
            sys.stdout.write(f"peers:\n{''.join(peers)}packets:\n")
        else:
            named = (f"Node {n}: {endpoint(host, port)}\n" for n, (host, port) in enumerate(nodes))
            filter = f"{self.protocol}.stream eq {self.stream}"
            sys.stdout.write(f"\n{LINE}Follow: {self.protocol},{self.mode}\nFilter: {filter}\n{''.join(named)}")

    def _chunks(self, events: StreamEvents) -> Iterator[Chunk]:
        urgent: list[int] = []
        for row in events.rows.tolist():
            direction, kind, position, size, start, end, frame, time, _, source = row
            node = self.directions.index(direction)
            offset = self.offsets[node]
            if kind == URGENT:
                urgent.append(position)
            elif kind == DATA:
                data = events.buffers[source][start:end].tobytes()
                yield Chunk(node, offset, frame, time, data, size, [one - position for one in urgent])
                urgent = []
            elif kind in MISSING:
                yield Chunk(node, offset, frame, time, b"", size, reason=WHY[kind])
            elif kind in (CONFLICT, LATE):
                self._note(kind, node, position + self.shifts[node], size, frame)
            if kind == DATA or kind in MISSING:
                self.shifts[node] = offset - position
                self.offsets[node] += size

    def _note(self, kind: int, node: int, offset: int, size: int, frame: int) -> None:
        if len(self.notes) >= NOTES_LIMIT:
            self.omitted += 1
        elif kind == CONFLICT:
            self.notes.append(f"node {node}, byte {offset}: frame {frame} has other values for {counted(size)}; what came first is shown")
        elif kind == LATE:
            self.notes.append(f"node {node}, byte {offset}: {counted(size)} came in frame {frame}, too late for a hole that was given up")

    def _show(self, chunk: Chunk) -> None:
        self.shown += chunk.reason != WHY[CUT]
        if self.first <= self.shown <= self.last and self.node in (None, chunk.node):
            sys.stdout.write(chunk.missing if chunk.reason and self.mode != "yaml" else MODES[self.mode](chunk))


def _ends(chunks: list[Headers], at: int, protocol: str) -> list[tuple[str, int]]:
    """Address and port of sender and receiver of the header at that place among all chunks."""
    for h in chunks:
        if at < len(h):
            break
        at -= len(h)
    net, rows = h.network_layer() or (None, h.row)
    hosts = ["", ""]
    if net is not None and net.protocol.addresses:
        for end, name in enumerate(net.protocol.addresses):
            hosts[end] = texts(register()[name].field, net[name][rows[at] : rows[at] + 1]).tolist()[0]
    ports = (int(h[f"{protocol}.{end}port"][at]) for end in ("src", "dst"))
    return list(zip(hosts, ports))
