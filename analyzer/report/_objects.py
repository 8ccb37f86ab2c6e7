"""The files that protocols carried: listed, or saved under safe names in one folder.

A source yields `ObjectPart`s: bytes of an object as they come, in order; parts of equal key are one object. Incomplete objects are held in
memory up to `MEMORY_LIMIT` bytes, then in files of the folder; a compressed body is decoded at the end, up to `most` bytes. Nothing from
the network becomes a path: of a name only letters, digits, dots, hyphens and underscores stay, after the number of a frame.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import numpy as np

from ..errors import UsageError
from ..expert._wording import count
from ..fields import Field, Headers, text, u32, u64
from ..protocols.common.content_coding import decoded
from ..protocols.common.framing import WHOLE, StreamsBodies
from ..protocols.http import REQUEST
from ..tables._carried import NEEDS, FilePart, carried_files

if TYPE_CHECKING:
    from ..analysis import Analysis
    from ..dissection import Dissection
    from ..tcp.messages import Messages

MEMORY_LIMIT = 64 << 20  # bytes of incomplete objects in memory
DECODED_LIMIT = 64 << 20  # bytes of a decompressed body
HOLE_LIMIT = 64 << 20  # bytes of the largest hole that a file gets
PENDING_LIMIT = 100_000  # incomplete objects; beyond, the oldest is ended
NAMES_LIMIT = 1_000_000  # requests and transfers whose names are remembered
NAME_LIMIT = 80  # characters of a name
COLUMNS = (
    Field("frame", u64, "Frame", "that completed it"),
    Field("stream", u32, "Stream"),
    Field("protocol", text, "Protocol"),
    Field("host", text, "Host"),
    Field("name", text, "Name", "as the protocol has it"),
    Field("content_type", text, "Content type"),
    Field("bytes", u64, "Bytes", "as carried, without what frames it"),
    Field("saved_as", text, "Saved as"),
    Field("problem", text, "Problem"),
)
EXTENSIONS = {"text/html": ".html", "text/plain": ".txt", "text/css": ".css", "text/javascript": ".js", "application/javascript": ".js",
    "application/json": ".json", "application/xml": ".xml", "text/xml": ".xml", "application/pdf": ".pdf", "image/png": ".png",
    "image/jpeg": ".jpg", "image/gif": ".gif", "image/svg+xml": ".svg", "image/webp": ".webp", "application/zip": ".zip",
    "application/gzip": ".gz", "message/rfc822": ".eml", "audio/mpeg": ".mp3", "video/mp4": ".mp4"}  # fmt: skip


@dataclass
class ObjectPart:
    """Bytes of an object. key: parts of equal key are one object. data: what comes next. size: how many bytes that is as carried, if not
    len(data). gap: bytes that are missing before `data`. ends: it is the last part. Any part may hold the rest: frame (number), stream,
    protocol, host, name, content_type, coding (content codings to undo), problem; the last one, whether the object is kept."""

    key: Hashable
    data: bytes = b""
    size: int | None = None
    gap: int = 0
    ends: bool = False
    frame: int = 0
    stream: int | None = None
    protocol: str = ""
    host: str = ""
    name: str = ""
    content_type: str = ""
    coding: str = ""
    problem: str = ""
    kept: bool = True


ObjectSource = Callable[["Dissection | None", "Messages | None"], Iterator[ObjectPart]]  # None: the trace has ended; yield what is left


@dataclass
class PendingObject:
    """An incomplete object."""

    attributes: dict[str, str | int | None] = field(default_factory=dict)
    size: int = 0
    held: bytearray = field(default_factory=bytearray)
    position: int = 0  # bytes that are in the file, or skipped
    file: Path | None = None
    problems: list[str] = field(default_factory=list)


class ObjectWriter:
    """Joins parts to objects. folder: where to save them; None: only count them. most: bytes of a decompressed body."""

    def __init__(self, folder: Path | None, most: int = DECODED_LIMIT) -> None:
        self.folder, self.most = folder, most
        self.pending: dict[Hashable, PendingObject] = {}
        self.held = 0
        self.ended_early = 0

    def take(self, parts: Iterable[ObjectPart]) -> Iterator[tuple]:
        """Rows of COLUMNS of the objects that these parts complete."""
        for part in parts:
            pending = self.pending.get(part.key)
            if pending is None:
                pending = self.pending[part.key] = PendingObject()
            for name in ("frame", "stream", "protocol", "host", "name", "content_type", "coding"):
                if value := getattr(part, name):
                    pending.attributes[name] = value
            if part.stream == 0:
                pending.attributes["stream"] = 0
            if part.problem and part.problem not in pending.problems:
                pending.problems.append(part.problem)
            pending.size += part.gap + (len(part.data) if part.size is None else part.size)
            if self.folder is not None:
                if part.gap > HOLE_LIMIT:
                    pending.problems.append(f"a hole of {part.gap:,} bytes left out")
                elif part.gap:
                    self._flush(pending)
                    pending.position += part.gap  # the file has a hole there
                pending.held += part.data
                self.held += len(part.data)
            if part.ends and not part.kept:
                self._drop(self.pending.pop(part.key))
            elif part.ends:
                yield self._end(part.key)
            elif len(self.pending) > PENDING_LIMIT:
                self.ended_early += 1
                oldest = next(iter(self.pending))
                self.pending[oldest].problems.append("given up, too many at once")
                yield self._end(oldest)
        if self.held > MEMORY_LIMIT:
            for pending in self.pending.values():
                self._flush(pending)

    def finish(self) -> Iterator[tuple]:
        """Rows of the objects that never ended."""
        for key in list(self.pending):
            self.pending[key].problems.append("the capture ends before it does")
            yield self._end(key)

    def drop(self) -> None:
        """Forget incomplete objects, and their files."""
        for key in list(self.pending):
            self._drop(self.pending.pop(key))

    def _drop(self, pending: PendingObject) -> None:
        self.held -= len(pending.held)
        if pending.file is not None:
            pending.file.unlink(missing_ok=True)

    def _flush(self, pending: PendingObject) -> None:
        """Write its bytes in memory to its file."""
        if not pending.held or self.folder is None:
            return
        if pending.file is None:
            descriptor, name = tempfile.mkstemp(".part", ".", self.folder)
            os.close(descriptor)
            pending.file = Path(name)
        with open(pending.file, "r+b") as file:
            file.seek(pending.position)
            file.write(pending.held)
        pending.position += len(pending.held)
        self.held -= len(pending.held)
        pending.held = bytearray()

    def _end(self, key: Hashable) -> tuple:
        pending = self.pending.pop(key)
        attributes = {name: pending.attributes.get(name) for name in ("frame", "stream", "protocol", "host", "name", "content_type")}
        saved = None
        if self.folder is not None and pending.size:
            coding = str(pending.attributes.get("coding") or "")
            saved = self._save(pending, coding)
        return (*attributes.values(), pending.size, saved, ", ".join(pending.problems) or None)

    def _save(self, pending: PendingObject, coding: str) -> str:
        assert self.folder is not None
        if pending.file is None and not pending.position:
            whole = bytes(pending.held)
            self.held -= len(pending.held)
        else:
            self._flush(pending)
            if pending.file is None:  # nothing but a gap
                whole = b""
            elif not coding:
                if pending.position > pending.file.stat().st_size:
                    os.truncate(pending.file, pending.position)
                return self._create(pending, None)
            else:
                with open(pending.file, "rb") as file:
                    whole = file.read(self.most + 1)
                os.unlink(pending.file)
                pending.file = None
        if coding:
            whole, wrong = decoded(whole, coding, self.most)
            if wrong:
                pending.problems.append({"cut": "compressed, and cut", "broken": "compressed, and broken"}.get(wrong, wrong))
        return self._create(pending, whole)

    def _create(self, pending: PendingObject, data: bytes | None) -> str:
        """Write `data`, or rename its file, under a free name; return it."""
        assert self.folder is not None
        wanted = safe_name(pending.attributes)
        stem, dot, ending = wanted.rpartition(".")
        for nth in range(1, 1_000_000):
            name = wanted if nth == 1 else f"{stem}-{nth}.{ending}" if dot else f"{wanted}-{nth}"
            try:
                descriptor = os.open(self.folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o644)
            except FileExistsError:
                continue
            with open(descriptor, "wb") as file:
                if data is not None:
                    file.write(data)
            if data is None and pending.file is not None:
                os.replace(pending.file, self.folder / name)
                os.chmod(self.folder / name, 0o644)
            return name
        raise UsageError(f"{self.folder}: a million files are called {wanted}")


def safe_name(attributes: dict[str, str | int | None]) -> str:
    """A file's name: the frame's number, then the harmless characters of the object's own name."""
    name = str(attributes.get("name") or "")
    name = re.sub(r"^[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*", "", name)
    name = unquote(re.split(r"[?#]", name)[0], errors="replace").replace("\\", "/").rstrip("/").rpartition("/")[2]
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("._-")
    kind = str(attributes.get("content_type") or "").partition(";")[0].strip().lower()
    ending = EXTENSIONS.get(kind, "")
    stem, dot, last = name.rpartition(".")
    if dot and 0 < len(last) <= 8:
        name, ending = stem, f".{last}"
    name = name or str(attributes.get("protocol") or "object").replace(".", "_")
    return f"{int(attributes.get('frame') or 0):06d}-{name[:NAME_LIMIT]}{ending}"


# ---------------------------------------------------------------- sources


class RequestNames(dict[Hashable, tuple[str, str]]):
    """(host, name) of requests, by the key that their responses know; beyond NAMES_LIMIT the oldest is forgotten."""

    def __setitem__(self, key: Hashable, value: tuple[str, str]) -> None:
        super().__setitem__(key, value)
        if len(self) > NAMES_LIMIT:
            del self[next(iter(self))]


class HttpBodies:
    """Bodies of requests and responses. Their bytes come from the framer as they arrive, their attributes with the message."""

    needs = frozenset({"http.line", WHOLE})

    def __init__(self) -> None:
        self.requests = RequestNames()

    def __call__(self, d: Dissection | None, messages: Messages | None) -> Iterator[ObjectPart]:
        framer = messages and next((framer for framer in messages.framers.values() if isinstance(framer, StreamsBodies)), None)
        groups: list[tuple[Headers, np.ndarray]] = []
        if d is not None:
            groups = [(h, h.frame + d.batch.first) for h in (d.unfiltered or d).chunks.get("http", ()) if "direction" in h.context]
        elif messages is not None:
            groups = messages.last("http")
        for number, data in framer.take() if framer else ():
            yield ObjectPart(("http", number), gap=data) if isinstance(data, int) else ObjectPart(("http", number), data)
        for h, frame in groups:
            kept = d.kept[h.frame] if d is not None and d.kept is not None else np.ones(len(h), bool)
            yield from self._messages(h, frame, kept)

    def _messages(self, h: Headers, frame: np.ndarray, kept: np.ndarray) -> Iterator[ObjectPart]:
        columns = {name: _texts(h, f"http.{name}") for name in ("content_type", "content_encoding", "content_range", "host")}
        uris = _texts(h, "http.request.uri")
        context = zip(*(h.context_of(name).tolist() for name in HTTP_COLUMNS))
        rows = [(row, *values) for row, values in enumerate(context)]
        for row, kind, number, *_ in rows:
            if kind == REQUEST:
                self.requests[number] = columns["host"].get(row, ""), uris.get(row, "")
        for row, kind, number, request, request_frame, response_frame, status, body, missing, direction in rows:
            names = ("", "")
            if kind == REQUEST:
                names = self.requests.pop(number, names) if response_frame else self.requests.get(number, names)
            elif request_frame:  # a response before its request is whole has no name, whatever the size of a batch
                names = self.requests.pop(request, names) if status >= 200 else self.requests.get(request, names)
            host, name = names
            problems = [f"{count(missing, 'byte')} missing"] if missing else []
            problems += ["the capture ends before it does"] if not frame[row] else []
            problems += [f"a part, {columns['content_range'][row]}"] if row in columns["content_range"] else []
            if body:
                yield ObjectPart(
                    ("http", number),
                    ends=True,
                    frame=int(frame[row]),
                    stream=direction >> 1,
                    protocol="http",
                    host=host,
                    name=name,
                    content_type=columns["content_type"].get(row, ""),
                    coding=columns["content_encoding"].get(row, ""),
                    problem=", ".join(problems),
                    kept=bool(kept[row]),
                )


HTTP_COLUMNS = ("kind", "number", "request", "request_frame", "response_frame", "status", "body", "missing", "direction")


def _texts(h: Headers, name: str) -> dict[int, str]:
    """A field's first value in each header, by row."""
    values, rows = h.column(name)
    owners = list(range(len(h))) if rows is None else rows.tolist()
    return dict(zip(reversed(owners), reversed(values.tolist())))


class TftpFiles:
    """Files in blocks, in the order of their numbers (RFC 1350 §2)."""

    needs = frozenset({"tftp.source_file", "tftp.destination_file"})

    def __init__(self) -> None:
        self.requests = RequestNames()
        self.blocks: dict[int, tuple[int, int]] = {}  # request's frame → the block that is next, bytes of a block

    def __call__(self, d: Dissection | None, messages: Messages | None) -> Iterator[ObjectPart]:
        for h in d.chunks.get("tftp", ()) if d is not None else ():
            columns = [_texts(h, f"tftp.{name}") for name in ("source_file", "destination_file")]
            opcodes = h["tftp.opcode"].tolist()
            requests, block = (_numbers(h, f"tftp.{name}") for name in ("request_frame", "block"))
            sizes = _sizes(h)
            for row, (opcode, frame) in enumerate(zip(opcodes, (h.frame + d.batch.first).tolist())):  # type: ignore[union-attr]
                if h.quoted[row]:
                    continue
                if opcode in (1, 2):
                    self.requests[frame] = "", columns[opcode - 1].get(row, "")
                    self.blocks[frame] = 1, 512
                    if len(self.blocks) > PENDING_LIMIT:
                        del self.blocks[next(iter(self.blocks))]
                request = requests.get(row, frame if opcode in (1, 2) else 0)
                if row in sizes and request in self.blocks:
                    self.blocks[request] = self.blocks[request][0], sizes[row]
                if opcode == 3 and request in self.blocks and row in block:
                    yield from self._block(h, row, request, block[row], frame)

    def _block(self, h: Headers, row: int, request: int, number: int, frame: int) -> Iterator[ObjectPart]:
        expected, most = self.blocks[request]
        ahead = (number - expected) & 0xFFFF
        if ahead > 0x7FFF:  # retransmitted
            return
        start, end, wire = int(h.start[row]) + 4, int(h.end[row]), int(h.wire[row])
        self.blocks[request] = expected + ahead + 1, most
        last = wire - start < most
        problem = f"{count(ahead, 'block')} missing" if ahead else ""
        host, name = self.requests.get(request, ("", ""))
        attributes = {"frame": frame, "protocol": "tftp", "host": host, "name": name}
        data = h.buffer[start : max(min(end, wire), start)].tobytes()
        yield ObjectPart(("tftp", request), data, gap=ahead * most, problem=problem, **attributes)  # type: ignore[arg-type]
        missing_bytes = wire - start - len(data)
        if missing_bytes or last:
            problem = f"{count(missing_bytes, 'byte')} of a block cut by the capture" if missing_bytes else ""
            yield ObjectPart(("tftp", request), gap=missing_bytes, ends=last, problem=problem)
        if last:
            del self.blocks[request]


def _numbers(h: Headers, name: str) -> dict[int, int]:
    values, rows = h.column(name)
    return dict(zip(range(len(h)) if rows is None else rows.tolist(), values.tolist()))


def _sizes(h: Headers) -> dict[int, int]:
    """The negotiated size of a block, by row (RFC 2348)."""
    names, rows = h.column("tftp.option.name")
    values, value_rows = h.column("tftp.option.value")
    if rows is None or value_rows is None or len(names) != len(values):
        return {}
    options = zip(rows.tolist(), names.tolist(), values.tolist())
    return {row: int(value) for row, name, value in options if name.lower() == "blksize" and value.isdigit() and len(value) < 6}


class FtpAndMailFiles:
    """Files of FTP, segment by segment, each ended by its direction's FIN; mails and attachments of SMTP, which come whole."""

    needs = NEEDS | {"tcp.stream", "tcp.seq"}

    def __init__(self) -> None:
        self.reached: dict[int, int] = {}  # stream → bytes of its file up to here
        self.ends: dict[int, int] = {}  # stream → bytes up to a FIN

    def __call__(self, d: Dissection | None, messages: Messages | None) -> Iterator[ObjectPart]:
        if d is None:
            for stream in [s for s in self.reached if self.ends.get(s, -1) >= self.reached[s]]:
                yield self._end(stream)
            return
        events: list[tuple[int, FilePart | tuple[int, int]]] = [(part.frame, part) for part in carried_files(d)]
        if (s := d.segments) is not None:
            rows = np.flatnonzero((s["flags"] & 1 > 0) & (s["live"] != 0))
            fins = s["position"][rows] + (s["flags"][rows] >> 1 & 1) + s["length"][rows] - 1
            frames = s.frame[rows] + d.batch.first
            events += zip(frames.tolist(), zip(s["stream"][rows].tolist(), fins.tolist(), strict=True), strict=True)
        for nth, (frame, event) in enumerate(sorted(events, key=lambda event: event[0])):
            if isinstance(event, FilePart):
                yield self._part(event, (event.protocol, frame, nth))
                stream = event.stream
            else:
                stream, fin = event
                self.ends[stream] = max(self.ends.get(stream, 0), fin)  # the other direction's is at 0
            if stream in self.reached and self.reached[stream] >= self.ends.get(stream, sys.maxsize):
                yield self._end(stream)

    def _part(self, part: FilePart, key: Hashable) -> ObjectPart:
        whole = part.protocol != "ftp-data"
        gap = 0
        if not whole:
            key, gap = ("ftp-data", part.stream), max(part.position - self.reached.get(part.stream, 0), 0)
            self.reached[part.stream] = part.position + len(part.data)
        missing_bytes = gap + part.missing
        problem = f"{count(missing_bytes, 'byte')} missing" if missing_bytes else ""
        attributes = {
            "frame": part.frame,
            "stream": part.stream,
            "protocol": part.protocol,
            "name": part.name,
            "content_type": part.content_type,
        }
        return ObjectPart(key, part.data, gap=gap, ends=whole, problem=problem, **attributes)  # type: ignore[arg-type]

    def _end(self, stream: int) -> ObjectPart:
        gap = self.ends.pop(stream) - self.reached.pop(stream)
        return ObjectPart(("ftp-data", stream), gap=max(gap, 0), ends=True, problem=f"{count(gap, 'byte')} missing" if gap > 0 else "")


SOURCES = (HttpBodies, TftpFiles, FtpAndMailFiles)  # each has `needs`, fields that it reads, and yields the ObjectParts of a batch


def rows(analysis: Analysis, folder: str | None, most: int = DECODED_LIMIT) -> Iterator[tuple]:
    """Rows of COLUMNS, as objects become whole. folder: where to save them, created if needed. Raises UsageError if it cannot be."""
    path = None
    if folder is not None:
        path = Path(folder)
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{folder}: cannot be made a folder ({(error.strerror or 'failed').lower()})") from error
    objects = ObjectWriter(path, most)
    sources = [source() for source in SOURCES]
    messages: Messages | None = None
    try:
        for d in analysis.dissections({name for source in sources for name in source.needs}):
            messages = d.messages
            for source in sources:
                yield from objects.take(source(d, messages))
        for source in sources:
            yield from objects.take(source(None, messages))
        yield from objects.finish()
    finally:
        objects.drop()
    if objects.ended_early:
        analysis.notes.append(f"{objects.ended_early:,} objects, those begun first, were ended to hold {PENDING_LIMIT:,} at the most")


def write(analysis: Analysis, folder: str | None, form: str, most: int) -> None:
    """Write the list to standard output."""
    import polars as pl

    from ..tables._columns import dtype_of
    from . import write as write_form

    schema = {f.name: dtype_of(f) for f in COLUMNS}

    def frames() -> Iterator[pl.DataFrame]:
        chunk: list[tuple] = []
        for row in rows(analysis, folder, most):
            chunk.append(row)
            if len(chunk) == 1000:
                yield pl.DataFrame(chunk, schema=schema, orient="row")
                chunk.clear()
        if chunk:
            yield pl.DataFrame(chunk, schema=schema, orient="row")

    write_form(form, list(COLUMNS), frames())
