"""The files that protocols carried: listed, or saved under safe names in one folder.

A source gives `Part`s: bytes of an object as they come, in order; parts of equal key are one object. What waits is held in memory up to
`HELD` bytes, then in files of the folder; a compressed body is undone at the end, up to `most` bytes. Nothing that came from the network
becomes a path: of a name only letters, digits, dots, hyphens and underscores stay, behind the number of a frame.
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
from ..expert._verdicts import count
from ..fields import Field, Headers, text, u32, u64
from ..protocols.common.content_coding import decoded
from ..protocols.common.framing import WHOLE, StreamsBodies
from ..protocols.http import REQUEST
from ..tables._carried import NEEDS, Piece, carried

if TYPE_CHECKING:
    from ..analysis import Analysis
    from ..dissect import Dissection
    from ..tcp.messages import Messages

HELD = 64 << 20  # bytes of objects that wait in memory
MOST = 64 << 20  # bytes of a body that is decompressed
HOLE = 64 << 20  # bytes of the largest hole that a file gets
OPEN = 100_000  # objects that wait for more; beyond, that which waits longest is ended
NAMES = 1_000_000  # requests and transfers whose names are remembered
LONGEST = 80  # characters of a name
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
KINDS = {"text/html": ".html", "text/plain": ".txt", "text/css": ".css", "text/javascript": ".js", "application/javascript": ".js",
    "application/json": ".json", "application/xml": ".xml", "text/xml": ".xml", "application/pdf": ".pdf", "image/png": ".png",
    "image/jpeg": ".jpg", "image/gif": ".gif", "image/svg+xml": ".svg", "image/webp": ".webp", "application/zip": ".zip",
    "application/gzip": ".gz", "message/rfc822": ".eml", "audio/mpeg": ".mp3", "video/mp4": ".mp4"}  # fmt: skip


@dataclass
class Part:
    """Bytes of an object. key: parts of equal key are one object. data: what comes next. size: how many bytes that is as carried, if
    not len(data). gap: bytes that are missing before `data`. ends: nothing follows. The rest is told with any of its parts: frame
    (number), stream, protocol, host, name, content_type, coding (content codings to undo), problem; and, where it ends, whether it is
    kept."""

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


Source = Callable[["Dissection | None", "Messages | None"], Iterator[Part]]  # None: the trace has ended; tell what is left


@dataclass
class Thing:
    """An object that is not whole yet."""

    about: dict[str, str | int | None] = field(default_factory=dict)
    size: int = 0
    held: bytearray = field(default_factory=bytearray)
    place: int = 0  # bytes that are in the file, or skipped
    file: Path | None = None
    problems: list[str] = field(default_factory=list)


class Objects:
    """Puts parts together. folder: where they are saved; None: they are counted only. most: bytes of a decompressed body."""

    def __init__(self, folder: Path | None, most: int = MOST) -> None:
        self.folder, self.most = folder, most
        self.things: dict[Hashable, Thing] = {}
        self.held = 0
        self.ended_early = 0

    def take(self, parts: Iterable[Part]) -> Iterator[tuple]:
        """Rows of COLUMNS of the objects that these end."""
        for part in parts:
            thing = self.things.get(part.key)
            if thing is None:
                thing = self.things[part.key] = Thing()
            for name in ("frame", "stream", "protocol", "host", "name", "content_type", "coding"):
                if value := getattr(part, name):
                    thing.about[name] = value
            if part.stream == 0:
                thing.about["stream"] = 0
            if part.problem and part.problem not in thing.problems:
                thing.problems.append(part.problem)
            thing.size += part.gap + (len(part.data) if part.size is None else part.size)
            if self.folder is not None:
                if part.gap > HOLE:
                    thing.problems.append(f"a hole of {part.gap:,} bytes left out")
                elif part.gap:
                    self._flush(thing)
                    thing.place += part.gap  # the file has a hole there
                thing.held += part.data
                self.held += len(part.data)
            if part.ends and not part.kept:
                self._drop(self.things.pop(part.key))
            elif part.ends:
                yield self._end(part.key)
            elif len(self.things) > OPEN:
                self.ended_early += 1
                eldest = next(iter(self.things))
                self.things[eldest].problems.append("given up, too many at once")
                yield self._end(eldest)
        if self.held > HELD:
            for thing in self.things.values():
                self._flush(thing)

    def finish(self) -> Iterator[tuple]:
        """Rows of what never ended."""
        for key in list(self.things):
            self.things[key].problems.append("the capture ends before it does")
            yield self._end(key)

    def drop(self) -> None:
        """Forget what is not whole, and its files."""
        for key in list(self.things):
            self._drop(self.things.pop(key))

    def _drop(self, thing: Thing) -> None:
        self.held -= len(thing.held)
        if thing.file is not None:
            thing.file.unlink(missing_ok=True)

    def _flush(self, thing: Thing) -> None:
        """Write what is held of it to its file."""
        if not thing.held or self.folder is None:
            return
        if thing.file is None:
            made, name = tempfile.mkstemp(".part", ".", self.folder)
            os.close(made)
            thing.file = Path(name)
        with open(thing.file, "r+b") as file:
            file.seek(thing.place)
            file.write(thing.held)
        thing.place += len(thing.held)
        self.held -= len(thing.held)
        thing.held = bytearray()

    def _end(self, key: Hashable) -> tuple:
        thing = self.things.pop(key)
        about = {name: thing.about.get(name) for name in ("frame", "stream", "protocol", "host", "name", "content_type")}
        saved = None
        if self.folder is not None and thing.size:
            coding = str(thing.about.get("coding") or "")
            saved = self._save(thing, coding)
        return (*about.values(), thing.size, saved, ", ".join(thing.problems) or None)

    def _save(self, thing: Thing, coding: str) -> str:
        assert self.folder is not None
        if thing.file is None and not thing.place:
            whole = bytes(thing.held)
            self.held -= len(thing.held)
        else:
            self._flush(thing)
            if thing.file is None:  # nothing but a gap
                whole = b""
            elif not coding:
                if thing.place > thing.file.stat().st_size:
                    os.truncate(thing.file, thing.place)
                return self._named(thing, None)
            else:
                with open(thing.file, "rb") as file:
                    whole = file.read(self.most + 1)
                os.unlink(thing.file)
                thing.file = None
        if coding:
            whole, wrong = decoded(whole, coding, self.most)
            if wrong:
                thing.problems.append({"cut": "compressed, and cut", "broken": "compressed, and broken"}.get(wrong, wrong))
        return self._named(thing, whole)

    def _named(self, thing: Thing, data: bytes | None) -> str:
        """Give it a name that is free: write `data`, or rename its file."""
        assert self.folder is not None
        wanted = safe_name(thing.about)
        stem, dot, ending = wanted.rpartition(".")
        for nth in range(1, 1_000_000):
            name = wanted if nth == 1 else f"{stem}-{nth}.{ending}" if dot else f"{wanted}-{nth}"
            try:
                made = os.open(self.folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o644)
            except FileExistsError:
                continue
            with open(made, "wb") as file:
                if data is not None:
                    file.write(data)
            if data is None and thing.file is not None:
                os.replace(thing.file, self.folder / name)
                os.chmod(self.folder / name, 0o644)
            return name
        raise UsageError(f"{self.folder}: a million files are called {wanted}")


def safe_name(about: dict[str, str | int | None]) -> str:
    """A file's name: the frame's number, then what is harmless of the object's own name."""
    own = str(about.get("name") or "")
    own = re.sub(r"^[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*", "", own)
    own = unquote(re.split(r"[?#]", own)[0], errors="replace").replace("\\", "/").rstrip("/").rpartition("/")[2]
    own = re.sub(r"[^A-Za-z0-9._-]+", "_", own).strip("._-")
    kind = str(about.get("content_type") or "").partition(";")[0].strip().lower()
    ending = KINDS.get(kind, "")
    stem, dot, last = own.rpartition(".")
    if dot and 0 < len(last) <= 8:
        own, ending = stem, f".{last}"
    return f"{int(about.get('frame') or 0):06d}-{(own or str(about.get('protocol') or 'object').replace('.', '_'))[:LONGEST]}{ending}"


# ---------------------------------------------------------------- sources


class Named(dict[Hashable, tuple[str, str]]):
    """What requests asked for, host and name, by what their answers know; the eldest is forgotten beyond NAMES."""

    def __setitem__(self, key: Hashable, value: tuple[str, str]) -> None:
        super().__setitem__(key, value)
        if len(self) > NAMES:
            del self[next(iter(self))]


class Http:
    """Bodies of requests and responses. Their bytes come as the cutter hands them on, what they are with the message."""

    needs = frozenset({"http.line", WHOLE})

    def __init__(self) -> None:
        self.asked = Named()

    def __call__(self, d: Dissection | None, messages: Messages | None) -> Iterator[Part]:
        framer = messages and next((one for one in messages.framers.values() if isinstance(one, StreamsBodies)), None)
        groups: list[tuple[Headers, np.ndarray]] = []
        if d is not None:
            groups = [(h, h.frame + d.batch.first) for h in (d.unfiltered or d).chunks.get("http", ()) if "direction" in h.context]
        elif messages is not None:
            groups = messages.last("http")
        for number, data in framer.take() if framer else ():
            yield Part(("http", number), gap=data) if isinstance(data, int) else Part(("http", number), data)
        for h, frame in groups:
            kept = d.kept[h.frame] if d is not None and d.kept is not None else np.ones(len(h), bool)
            yield from self._messages(h, frame, kept)

    def _messages(self, h: Headers, frame: np.ndarray, kept: np.ndarray) -> Iterator[Part]:
        columns = {name: _texts(h, f"http.{name}") for name in ("content_type", "content_encoding", "content_range", "host")}
        uris = _texts(h, "http.request.uri")
        told = zip(*(h.context_of(name).tolist() for name in OUTPUT))
        rows = [(row, *one) for row, one in enumerate(told)]
        for row, kind, number, *_ in rows:
            if kind == REQUEST:
                self.asked[number] = columns["host"].get(row, ""), uris.get(row, "")
        for row, kind, number, asked, asked_frame, answered, status, body, missing, direction in rows:
            about = ("", "")
            if kind == REQUEST:
                about = self.asked.pop(number, about) if answered else self.asked.get(number, about)
            elif asked_frame:  # an answer before its request is whole does not know its name, whatever the batch
                about = self.asked.pop(asked, about) if status >= 200 else self.asked.get(asked, about)
            host, name = about
            problems = [f"{count(missing, 'byte')} missing"] if missing else []
            problems += ["the capture ends before it does"] if not frame[row] else []
            problems += [f"a part, {columns['content_range'][row]}"] if row in columns["content_range"] else []
            if body:
                yield Part(
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


OUTPUT = ("kind", "number", "asked", "asked_frame", "answered", "status", "body", "missing", "direction")


def _texts(h: Headers, name: str) -> dict[int, str]:
    """A field's text by the header's row, of several the first."""
    values, rows = h.column(name)
    owners = list(range(len(h))) if rows is None else rows.tolist()
    return dict(zip(reversed(owners), reversed(values.tolist())))


class Tftp:
    """Files in blocks, in the order of their numbers (RFC 1350 §2)."""

    needs = frozenset({"tftp.source_file", "tftp.destination_file"})

    def __init__(self) -> None:
        self.asked = Named()
        self.blocks: dict[int, tuple[int, int]] = {}  # request's frame → the block that is next, bytes of a block

    def __call__(self, d: Dissection | None, messages: Messages | None) -> Iterator[Part]:
        for h in d.chunks.get("tftp", ()) if d is not None else ():
            columns = [_texts(h, f"tftp.{name}") for name in ("source_file", "destination_file")]
            kind = h["tftp.opcode"].tolist()
            asked, block = (_numbers(h, f"tftp.{name}") for name in ("request_frame", "block"))
            sizes = _sizes(h)
            for row, (one, frame) in enumerate(zip(kind, (h.frame + d.batch.first).tolist())):  # type: ignore[union-attr]
                if h.quoted[row]:
                    continue
                if one in (1, 2):
                    self.asked[frame] = "", columns[one - 1].get(row, "")
                    self.blocks[frame] = 1, 512
                    if len(self.blocks) > OPEN:
                        del self.blocks[next(iter(self.blocks))]
                which = asked.get(row, frame if one in (1, 2) else 0)
                if row in sizes and which in self.blocks:
                    self.blocks[which] = self.blocks[which][0], sizes[row]
                if one == 3 and which in self.blocks and row in block:
                    yield from self._block(h, row, which, block[row], frame)

    def _block(self, h: Headers, row: int, which: int, number: int, frame: int) -> Iterator[Part]:
        expected, most = self.blocks[which]
        ahead = (number - expected) & 0xFFFF
        if ahead > 0x7FFF:  # sent again
            return
        start, end, wire = int(h.start[row]) + 4, int(h.end[row]), int(h.wire[row])
        self.blocks[which] = expected + ahead + 1, most
        last = wire - start < most
        problem = f"{count(ahead, 'block')} missing" if ahead else ""
        host, name = self.asked.get(which, ("", ""))
        about = {"frame": frame, "protocol": "tftp", "host": host, "name": name}
        data = h.buffer[start : max(min(end, wire), start)].tobytes()
        yield Part(("tftp", which), data, gap=ahead * most, problem=problem, **about)  # type: ignore[arg-type]
        lacks = wire - start - len(data)
        if lacks or last:
            problem = f"{count(lacks, 'byte')} of a block cut by the capture" if lacks else ""
            yield Part(("tftp", which), gap=lacks, ends=last, problem=problem)
        if last:
            del self.blocks[which]


def _numbers(h: Headers, name: str) -> dict[int, int]:
    values, rows = h.column(name)
    return dict(zip(range(len(h)) if rows is None else rows.tolist(), values.tolist()))


def _sizes(h: Headers) -> dict[int, int]:
    """The size of a block that options agree on, by row (RFC 2348)."""
    names, rows = h.column("tftp.option.name")
    values, others = h.column("tftp.option.value")
    if rows is None or others is None or len(names) != len(values):
        return {}
    said = zip(rows.tolist(), names.tolist(), values.tolist())
    return {row: int(value) for row, name, value in said if name.lower() == "blksize" and value.isdigit() and len(value) < 6}


class Carried:
    """Files of FTP, piece by piece, each over when its direction's FIN says so; mails and attachments of SMTP, which come whole."""

    needs = NEEDS | {"tcp.stream", "tcp.seq"}

    def __init__(self) -> None:
        self.reached: dict[int, int] = {}  # stream → bytes of its file up to here
        self.ends: dict[int, int] = {}  # stream → bytes up to a FIN

    def __call__(self, d: Dissection | None, messages: Messages | None) -> Iterator[Part]:
        if d is None:
            for stream in [one for one in self.reached if self.ends.get(one, -1) >= self.reached[one]]:
                yield self._end(stream)
            return
        events: list[tuple[int, Piece | tuple[int, int]]] = [(piece.frame, piece) for piece in carried(d)]
        if (s := d.segments) is not None:
            rows = np.flatnonzero((s["flags"] & 1 > 0) & (s["live"] != 0))
            place = s["position"][rows] + (s["flags"][rows] >> 1 & 1) + s["length"][rows] - 1
            frames = s.frame[rows] + d.batch.first
            events += zip(frames.tolist(), zip(s["stream"][rows].tolist(), place.tolist(), strict=True), strict=True)
        for nth, (frame, one) in enumerate(sorted(events, key=lambda event: event[0])):
            if isinstance(one, Piece):
                yield self._part(one, (one.protocol, frame, nth))
                stream = one.stream
            else:
                stream, place = one
                self.ends[stream] = max(self.ends.get(stream, 0), place)  # the other direction's is at 0
            if stream in self.reached and self.reached[stream] >= self.ends.get(stream, sys.maxsize):
                yield self._end(stream)

    def _part(self, one: Piece, key: Hashable) -> Part:
        whole = one.protocol != "ftp-data"
        gap = 0
        if not whole:
            key, gap = ("ftp-data", one.stream), max(one.position - self.reached.get(one.stream, 0), 0)
            self.reached[one.stream] = one.position + len(one.data)
        lacks = gap + one.missing
        problem = f"{count(lacks, 'byte')} missing" if lacks else ""
        about = {"frame": one.frame, "stream": one.stream, "protocol": one.protocol, "name": one.name, "content_type": one.kind}
        return Part(key, one.data, gap=gap, ends=whole, problem=problem, **about)  # type: ignore[arg-type]

    def _end(self, stream: int) -> Part:
        gap = self.ends.pop(stream) - self.reached.pop(stream)
        return Part(("ftp-data", stream), gap=max(gap, 0), ends=True, problem=f"{count(gap, 'byte')} missing" if gap > 0 else "")


SOURCES = (Http, Tftp, Carried)  # what carries files: each has `needs`, fields to ask for, and gives Parts of a batch


def rows(analysis: Analysis, folder: str | None, most: int = MOST) -> Iterator[tuple]:
    """Rows of COLUMNS, as objects become whole. folder: where to save them; it is made if need be. Raises UsageError if it cannot be."""
    place = None
    if folder is not None:
        place = Path(folder)
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{folder}: cannot be made a folder ({(error.strerror or 'failed').lower()})") from error
    objects = Objects(place, most)
    sources = [make() for make in SOURCES]
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
        analysis.notes.append(f"{objects.ended_early:,} objects, those begun first, were ended to hold {OPEN:,} at the most")


def write(analysis: Analysis, folder: str | None, form: str, most: int) -> None:
    """Write the list to standard output."""
    import polars as pl

    from ..tables._columns import dtype_of
    from . import write as write_form

    schema = {f.name: dtype_of(f) for f in COLUMNS}

    def frames() -> Iterator[pl.DataFrame]:
        some: list[tuple] = []
        for row in rows(analysis, folder, most):
            some.append(row)
            if len(some) == 1000:
                yield pl.DataFrame(some, schema=schema, orient="row")
                some.clear()
        if some:
            yield pl.DataFrame(some, schema=schema, orient="row")

    write_form(form, list(COLUMNS), frames())
