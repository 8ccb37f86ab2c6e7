"""Sources of frames: their batches, their interfaces, and the buffer that they read into."""

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
from .compressed import READ_ERRORS
from .files import File, Pipe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FRAMES = 49152  # frames of a batch, and
BYTES = 24 << 20  # its bytes: a trade-off of the fixed cost of a batch and the processor's cache (docs/performance.md)
SLACK = 4096  # zero bytes after the data, so that reading a header never needs a bounds check of the buffer
CHUNK = 1 << 19  # bytes of one read: records are scanned while they are in the cache, in a fifth of the time
FIRST_FRAME_LIMIT = 1 << 20  # bytes of a file that are searched for its first frame before the merge
MAX_FRAME = 262_144  # bytes: libpcap's MAXIMUM_SNAPLEN
MAX_FRAME_BY_LINK = {231: 128 << 20, 249: 128 << 20}  # D-Bus and USBPcap messages may be larger


@dataclass(slots=True)
class Interface:
    """An interface that frames were captured on: a pcap file has one, each section of a pcapng file its own.

    ticks_per_second: of timestamps (if_tsresol). time_offset: seconds to add to them (if_tsoffset). number: index in its section, or
    of all merged captures; None for pcap. fcs_length: bytes of the frame check sequence (if_fcslen). section: from 0. Speeds: bits/s.
    From counted_from on: the last Interface Statistics Block, times in ns since 1970, counts of frames. None: not in the file.
    """

    link_type: int
    snap_length: int = 0
    name: str | None = None
    description: str | None = None
    ticks_per_second: int = 1_000_000
    number: int | None = None
    time_offset: int = 0
    fcs_length: int | None = None
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
    counted_from: int | None = None
    counted_to: int | None = None
    counted_at: int | None = None
    received: int | None = None
    dropped: int | None = None
    accepted: int | None = None
    system_dropped: int | None = None
    delivered: int | None = None


@dataclass
class Batch:
    """Consecutive frames. All arrays but `buffer` are of shape (frames,).

    buffer: uint8, the bytes, with SLACK bytes after the last frame; reused by the next batch: copy what must outlive this one.
    first: the number of the first frame (1-based). offset: int64, of each frame in `buffer`.
    captured, length: int64, captured and original packet length, bytes. time: int64, ns since 1970; 0 where `timed` (bool) is false;
    timed None: all have a time. interface: int64, index into the source's interfaces. link_type: int64, LINKTYPE_ number.
    fcs: int64, bytes of the frame check sequence, -1 unknown. columns: field → values from the options of packet blocks.
    file: int64, index of each frame's source; None: the first.
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
    columns: dict[str, Column] = field(default_factory=dict)
    file: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.offset)

    def head(self, n: int) -> Batch:
        """The first n frames."""
        arrays = (self.offset[:n], self.captured[:n], self.length[:n], self.time[:n])
        timed = None if self.timed is None else self.timed[:n]
        file = None if self.file is None else self.file[:n]
        where = (self.interface[:n], self.link_type[:n], self.fcs[:n])
        return Batch(self.buffer, self.first, *arrays, timed, *where, slice_columns(self.columns, 0, n), file)


def slice_columns(columns: dict[str, Column], begin: int, end: int) -> dict[str, Column]:
    """The columns of the frames begin:end, row 0 being frame `begin`."""
    result = {}
    for name, (values, rows) in columns.items():
        assert rows is not None
        inside = (rows >= begin) & (rows < end)
        if inside.any():
            result[name] = Column(values[inside], rows[inside] - begin)
    return result


class ResolvedName(NamedTuple):
    """An entry of a Name Resolution Block. section: from 0. server, server_address: of the name server that resolved it."""

    section: int
    address: str
    name: str
    server: str | None
    server_address: str | None


class Source(ABC):
    """A capture being read: base of the reader of each format.

    damage: after the last batch, where the file is corrupt, if it is. skipped: count of blocks and options that were not used, by kind.
    """

    format = ""
    byte_order = ""

    def __init__(self, name: str, buffer: ReadBuffer, batch_frames: int | None = None) -> None:
        self.name = name
        self.buffer = buffer
        self.limit = batch_frames or FRAMES
        self.exact = batch_frames is not None
        self.interfaces: list[Interface] = []
        self.damage: Damage | None = None
        self.skipped: dict[str, int] = {}
        self.comments: list[str] = []
        self.application: str | None = None
        self.hardware: str | None = None
        self.system: str | None = None
        self.names: list[ResolvedName] = []
        self.interface_map: list[int] = []  # indices of its interfaces among those of all merged captures
        self.frames = 0
        self.file: File | Pipe | None = None
        self.compression = ""

    def first_time(self) -> int | None:
        """Time of the first frame in ns, without consuming it; None if there is no frame, or no time."""
        batch = None
        while batch is None:
            ahead = type(self)(self.name, ReadBuffer(io.BytesIO(), 64), 1)
            ahead.buffer.data, ahead.buffer.end, ahead.buffer.eof = self.buffer.data, self.buffer.end, True
            with contextlib.suppress(InputError):
                batch = next(ahead.batches(), None)
            if batch is None and (self.buffer.end > FIRST_FRAME_LIMIT or not self.buffer.fill()):
                return None
        return None if batch.timed is not None else int(batch.time[0])

    @property
    def ended(self) -> bool:
        """Whether the batches so far hold every byte of the input."""
        file = self.file
        all_read = self.buffer.eof or (file is not None and not self.compression and file.at == file.size)
        return all_read and self.buffer.pos >= self.buffer.end

    SCANNED = 4  # arrays that a scan fills

    def batches(self) -> Iterator[Batch]:
        """The frames, in file order. Raises InputError if the file header is invalid."""
        buffer = self.buffer
        self._begin()
        table = np.empty((self.SCANNED, min(self.limit, FRAMES, (len(buffer.data) - SLACK) // 16 + 1)), np.int64)  # no record is shorter
        while True:
            buffer.compact()
            n, at = 0, buffer.pos
            while True:
                scanned, at, stop = self._scan(at, min(self.limit, table.shape[1]) - n, [column[n:].data for column in table])
                n += scanned
                cut = stop in (_records.MORE, _records.CUT)
                if stop == _records.FULL and n < self.limit:
                    table = np.concatenate((table, np.empty_like(table)), axis=1)
                elif not cut or buffer.eof or (n and not self.exact and not buffer.more):
                    break
                else:
                    buffer.fill()
            if n:
                batch = self._batch(table[:, :n])
                self.frames += len(batch)
                buffer.pos = at
                if len(batch):
                    yield batch
            if self.damage or not (stop == _records.FULL or (cut and not buffer.eof) or self._stopped(stop)):
                break
        if buffer.read_error:
            self.damage = None
            self._corrupt(f"the {self.compression or 'input'} data ends too early or is damaged: {buffer.read_error}")
        if self.file is not None:
            self.file.release()
        buffer.data = np.empty(0, np.uint8)  # an empty slice would keep the memory

    def _begin(self) -> None:
        """Read the file header. Raises InputError."""
        return  # not every format has one

    @abstractmethod
    def _scan(self, at: int, limit: int, table: list[memoryview]) -> tuple[int, int, int]:
        """Scan for records from `at` in the buffer, at most `limit`: (number of records, position after them, stop reason)."""

    @abstractmethod
    def _batch(self, table: np.ndarray) -> Batch:
        """A batch of the records scanned; may set `damage` and return fewer."""

    @abstractmethod
    def _stopped(self, stop: int) -> bool:
        """Handle the stop reason of the scan at `pos`; False if the file ends here, with or without `damage`."""

    def _skip(self, kind: str, count: int = 1) -> None:
        """Count blocks or options that are not used."""
        self.skipped[kind] = self.skipped.get(kind, 0) + count

    def _corrupt(self, reason: str, frame: int | None = None, offset: int | None = None) -> None:
        """Set `damage`; by default at the next frame and `pos`."""
        frame = self.frames + 1 if frame is None else frame
        self.damage = Damage(self.name, frame, self.buffer.offset if offset is None else offset, reason)


def _allocate(size: int) -> np.ndarray:
    """`size` bytes and SLACK zeros; memory is committed only as it is written."""
    data = np.empty(size + SLACK, np.uint8)
    data[size:] = 0
    return data


class ReadBuffer:
    """A reused buffer over a byte stream.

    data: uint8 array; data[pos:end] has been read and not consumed. file_offset: that of data[0]. ready: whether a read would not block.
    """

    def __init__(self, stream: Any, size: int = BYTES, ready: Callable[[], bool] = lambda: True) -> None:
        self.stream, self.ready = stream, ready
        self.data = _allocate(size)
        self.pos = self.end = self.file_offset = 0
        self.eof = False
        self.read_error = ""  # why decompression failed
        self.read = getattr(stream, "readinto1", None) or stream.readinto

    @property
    def offset(self) -> int:
        """File offset of `pos`, in bytes."""
        return self.file_offset + self.pos

    @property
    def more(self) -> bool:
        """Whether there is room, and a read would not block."""
        return self.end < len(self.data) - SLACK and self.ready()

    def compact(self) -> None:
        """Move `pos` to 0, unless the stream has ended."""
        if self.pos and not self.eof:
            keep = self.end - self.pos
            self.data[:keep] = self.data[self.pos : self.end]
            self.file_offset += self.pos
            self.pos, self.end = 0, keep

    def fill(self) -> bool:
        """Read up to CHUNK bytes at `end`, growing if full; False at the end of the stream. Moves `pos` to 0. Blocks for the first only."""
        if self.eof:
            return False
        self.compact()
        begin = self.end
        if begin >= len(self.data) - SLACK:
            grown = _allocate(2 * (len(self.data) - SLACK))
            grown[:begin] = self.data[:begin]
            self.data = grown
        stop = min(begin + CHUNK, len(self.data) - SLACK)
        while self.end < stop and (self.end == begin or self.ready()):
            got = 0
            try:
                got = self.read(self.data[self.end : stop].data)
            except READ_ERRORS as error:
                self.read_error = str(error) or type(error).__name__
            self.end += got or 0
            if not got:
                self.eof = True
                break
        return self.end > begin

    def number(self, form: str, at: int) -> int:
        """The number of struct format `form` at `pos` + `at`."""
        return int(struct.unpack_from(form, self.data.data, self.pos + at)[0])

    def need(self, size: int) -> bool:
        """Whether the stream has `size` bytes at `pos`; reads them."""
        while self.end - self.pos < size:
            if not self.fill():
                return False
        return True
