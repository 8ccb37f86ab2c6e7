"""What a source of frames gives: batches of frames, and what is known of the source itself."""

from __future__ import annotations

import contextlib
import io
import struct
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import Damage, InputError
from ..fields import Column
from . import _records
from .compressed import FAULTS
from .files import File, Pipe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FRAMES = 49152  # frames in a batch, and
BYTES = 24 << 20  # bytes: between the fixed price of a batch and the processor's cache (docs/performance.md)
SLACK = 4096  # zero bytes behind the data, so that reading a header never needs a bounds check of the buffer
CHUNK = 1 << 19  # bytes that are read before records are looked for in them: a fifth of the time it takes in what has left the cache
FAR = 1 << 20  # bytes in which a file's first frame is looked for, before it is begun
LARGEST = 262_144  # the most bytes of a frame: libpcap's MAXIMUM_SNAPLEN
LARGEST_BY_LINK = {231: 128 << 20, 249: 128 << 20}  # D-Bus and USBPcap messages may be larger


@dataclass(slots=True)
class Interface:
    """Where frames were recorded: a pcap file has one, each section of a pcapng file its own.

    units are ticks a second of the file's time stamps, offset is added to them (seconds). number: in its section, or through all
    where captures are merged; None if the format numbers none. fcs is the length of the frame check sequence that frames carry
    (bytes). None: the file does not say. The rest is what the recorder wrote about it. Speeds are bits a second. From begin on:
    the last statistics block; counts of frames, begin, end and when in ns since 1970.
    """

    link_type: int
    snap_length: int = 0
    name: str | None = None
    description: str | None = None
    units: int = 1_000_000
    number: int | None = None
    offset: int = 0
    fcs: int | None = None
    section: int = 0
    frames: int = 0
    addresses: tuple[str, ...] = ()
    comments: tuple[str, ...] = ()
    filter: str | None = None
    system: str | None = None
    hardware: str | None = None
    zone: str | None = None
    speed: int | None = None
    speed_out: int | None = None
    speed_in: int | None = None
    begin: int | None = None
    end: int | None = None
    when: int | None = None
    received: int | None = None
    dropped: int | None = None
    accepted: int | None = None
    system_dropped: int | None = None
    delivered: int | None = None


@dataclass
class Batch:
    """Some frames, in file order. All arrays are of shape (frames,).

    buffer: uint8, the bytes, with SLACK bytes behind the last frame; reused by the next batch: copy what must outlive this one.
    first: the number of the first frame (1-based). offset: int64, where a frame begins in `buffer`.
    captured, length: int64, bytes stored and bytes on the wire. time: int64, ns since 1970; 0 where `timed` is false.
    interface: int64, index into the source's interfaces. link_type: int64, LINKTYPE_ number. fcs: int64, -1 unknown.
    told: field → what the file says of single frames. file: int64, index of the source that each comes from; None: the first.
    """

    buffer: np.ndarray
    first: int
    offset: np.ndarray
    captured: np.ndarray
    length: np.ndarray
    time: np.ndarray
    timed: np.ndarray | None
    interface: np.ndarray
    link_type: np.ndarray
    fcs: np.ndarray
    told: dict[str, Column] = field(default_factory=dict)
    file: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.offset)

    def head(self, n: int) -> Batch:
        """The first n frames."""
        arrays = (self.offset[:n], self.captured[:n], self.length[:n], self.time[:n])
        timed = None if self.timed is None else self.timed[:n]
        file = None if self.file is None else self.file[:n]
        where = (self.interface[:n], self.link_type[:n], self.fcs[:n])
        return Batch(self.buffer, self.first, *arrays, timed, *where, told_of(self.told, 0, n), file)


def told_of(told: dict[str, Column], begin: int, end: int) -> dict[str, Column]:
    """What is told of the frames begin:end, which become the first."""
    found = {}
    for name, (values, rows) in told.items():
        assert rows is not None
        there = (rows >= begin) & (rows < end)
        if there.any():
            found[name] = Column(values[there], rows[there] - begin)
    return found


class Name(NamedTuple):
    """What the recorder knew an address by. section: from 0. server: the name server that said so, and its address."""

    section: int
    address: str
    name: str
    server: str | None
    server_address: str | None


class Source(ABC):
    """A capture being read: base of the readers of each format.

    After the last batch `damage` says where the file broke, if it did. `skipped` counts, by kind, what is no frame.
    """

    format = ""
    byte_order = ""

    def __init__(self, name: str, window: Window, batch_frames: int | None = None) -> None:
        self.name = name
        self.window = window
        self.limit = batch_frames or FRAMES
        self.exact = batch_frames is not None
        self.interfaces: list[Interface] = []
        self.damage: Damage | None = None
        self.skipped: dict[str, int] = {}
        self.comments: list[str] = []
        self.application: str | None = None
        self.hardware: str | None = None
        self.system: str | None = None
        self.names: list[Name] = []
        self.places: list[int] = []  # where its interfaces stand among those of several captures
        self.frames = 0
        self.file: File | Pipe | None = None
        self.compression = ""

    def first_time(self) -> int | None:
        """ns of the first frame, read without consuming it; None if it has none or is not there."""
        batch = None
        while batch is None:
            ahead = type(self)(self.name, Window(io.BytesIO(), 64), 1)
            ahead.window.data, ahead.window.end, ahead.window.eof = self.window.data, self.window.end, True
            with contextlib.suppress(InputError):
                batch = next(ahead.batches(), None)
            if batch is None and (self.window.end > FAR or not self.window.fill()):
                return None
        return None if batch.timed is not None else int(batch.time[0])

    @property
    def ended(self) -> bool:
        """Whether every byte of the input has been read and is part of a batch already given."""
        file = self.file
        all_read = self.window.eof or (file is not None and not self.compression and file.at == file.size)
        return all_read and self.window.pos >= self.window.end

    columns = 4  # arrays that a scan fills

    def batches(self) -> Iterator[Batch]:
        """The frames, in order. Raises InputError if the file header is no good."""
        window = self.window
        self._begin()
        table = np.empty((self.columns, min(self.limit, FRAMES, (len(window.data) - SLACK) // 16 + 1)), np.int64)  # no record is shorter
        while True:
            window.settle()
            n, at = 0, window.pos
            while True:
                found, at, stop = self._scan(at, min(self.limit, table.shape[1]) - n, [column[n:].data for column in table])
                n += found
                cut = stop in (_records.MORE, _records.CUT)
                if stop == _records.FULL and n < self.limit:
                    table = np.concatenate((table, np.empty_like(table)), axis=1)
                elif not cut or window.eof or (n and not self.exact and not window.more):
                    break
                else:
                    window.fill()
            if n:
                batch = self._batch(table[:, :n])
                self.frames += len(batch)
                window.pos = at
                if len(batch):
                    yield batch
            if self.damage or not (stop == _records.FULL or (cut and not window.eof) or self._stopped(stop)):
                break
        if window.broken:
            self.damage = None
            self._hurt(f"the {self.compression or 'input'} data ends too early or is damaged: {window.broken}")
        if self.file is not None:
            self.file.release()
        window.data = np.empty(0, np.uint8)  # not a stretch of it, which would keep it all

    def _begin(self) -> None:
        """Read the file header, as far as there is one."""
        return  # not every format has one

    @abstractmethod
    def _scan(self, at: int, limit: int, table: list[memoryview]) -> tuple[int, int, int]:
        """Find records in the window's data from `at` on: (how many, position behind them, what stopped it)."""

    @abstractmethod
    def _batch(self, table: np.ndarray) -> Batch:
        """Make a batch of the records found; may set `damage` and give fewer."""

    @abstractmethod
    def _stopped(self, stop: int) -> bool:
        """Deal with what stopped the scan at `pos`; False if the file ends here, with or without `damage`."""

    def _skip(self, kind: str, count: int = 1) -> None:
        """Count what is no frame."""
        self.skipped[kind] = self.skipped.get(kind, 0) + count

    def _hurt(self, says: str, frame: int | None = None, offset: int | None = None) -> None:
        """The file breaks: at the next frame and `pos` unless said otherwise."""
        frame = self.frames + 1 if frame is None else frame
        self.damage = Damage(self.name, frame, self.window.offset if offset is None else offset, says)


def _room(size: int) -> np.ndarray:
    """Room for so many bytes with SLACK behind them; only what is used of it becomes memory."""
    data = np.empty(size + SLACK, np.uint8)
    data[size:] = 0
    return data


class Window:
    """A reused buffer that moves over a byte stream.

    data: uint8 array; data[pos:end] is what is read and not yet consumed; `behind` is the file offset of data[0].
    ready: whether more can be read without waiting.
    """

    def __init__(self, stream: Any, size: int = BYTES, ready: Callable[[], bool] = lambda: True) -> None:
        self.stream, self.ready = stream, ready
        self.data = _room(size)
        self.pos = self.end = self.behind = 0
        self.eof = False
        self.broken = ""  # why a compressed stream ended early
        self.read = getattr(stream, "readinto1", None) or stream.readinto

    @property
    def offset(self) -> int:
        """File offset of `pos`, in bytes."""
        return self.behind + self.pos

    @property
    def more(self) -> bool:
        """Whether there is room, and something to read without waiting."""
        return self.end < len(self.data) - SLACK and self.ready()

    def settle(self) -> None:
        """Move `pos` to 0, as long as something may still be read behind it."""
        if self.pos and not self.eof:
            keep = self.end - self.pos
            self.data[:keep] = self.data[self.pos : self.end]
            self.behind += self.pos
            self.pos, self.end = 0, keep

    def fill(self) -> bool:
        """Read behind `end`, first making room; False at the end of the stream. Moves `pos` to 0.

        A little at a time, so that who looks at it finds it in the processor's cache. Waits for the first bytes only.
        """
        if self.eof:
            return False
        self.settle()
        begin = self.end
        if begin >= len(self.data) - SLACK:
            grown = _room(2 * (len(self.data) - SLACK))
            grown[:begin] = self.data[:begin]
            self.data = grown
        stop = min(begin + CHUNK, len(self.data) - SLACK)
        while self.end < stop and (self.end == begin or self.ready()):
            got = 0
            try:
                got = self.read(self.data[self.end : stop].data)
            except FAULTS as error:
                self.broken = str(error) or type(error).__name__
            self.end += got or 0
            if not got:
                self.eof = True
                break
        return self.end > begin

    def number(self, form: str, at: int) -> int:
        """The number of that struct format at `pos` + `at`."""
        size = struct.calcsize(form)
        found: int = struct.unpack(form, self.data[self.pos + at : self.pos + at + size].tobytes())[0]
        return found

    def need(self, size: int) -> bool:
        """Whether `size` bytes stand at `pos`, reading on for them as far as the stream goes."""
        while self.end - self.pos < size:
            if not self.fill():
                return False
        return True
