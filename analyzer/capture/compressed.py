"""Compressed captures, detected by magic number: gzip, bzip2, xz, zstandard, lz4. Streaming: memory does not grow with the output."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Generator
from typing import Any

READ_ERRORS: tuple[type[Exception], ...] = (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, RuntimeError)


def _zstandard(stream: Any) -> Any:
    import zstandard

    frames = _ZstdFrames(stream)
    file: Any = frames  # the library calls read() only
    reader = zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(file, read_across_frames=True)
    return _ZstdReader(reader, frames, zstandard.ZstdError)


def _lz4(stream: Any) -> Any:
    import lz4.frame

    return lz4.frame.LZ4FrameFile(stream)


class _ZstdFrames:
    """Passes zstandard data through and tracks frame boundaries: the library takes a truncated frame for the end. RFC 8878 §3.1."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.inside = False  # a frame
        self.pending = b""
        self.steps = self._steps()
        self.wanted = next(self.steps)

    def read(self, size: int = -1) -> bytes:
        data: bytes = self.stream.read(size)
        at = 0
        while at < len(data) or not self.wanted:
            if self.wanted > 0:
                part = data[at : at + self.wanted - len(self.pending)]
                self.pending += part
                self.inside = True
                at += len(part)
                if len(self.pending) < self.wanted:
                    break
                self.wanted, self.pending = self.steps.send(self.pending), b""
            else:
                skipped = min(-self.wanted, len(data) - at)
                at += skipped
                self.wanted += skipped
                if not self.wanted:
                    self.wanted = self.steps.send(b"")
        return data

    def _steps(self) -> Generator[int, bytes, None]:
        """A parser of frames: yields how many bytes it needs next, or (below 0) how many to skip."""
        while True:
            self.inside = False
            magic = yield 4
            if magic[1:] == b"\x2a\x4d\x18":  # a skippable frame, §3.1.2
                yield -int.from_bytes((yield 4), "little")
                continue
            (flags,) = yield 1
            single = flags >> 5 & 1
            yield single - 1 - (0, 1, 2, 4)[flags & 3] - (single, 2, 4, 8)[flags >> 6]
            last = 0
            while not last:
                word = int.from_bytes((yield 3), "little")
                last, kind, size = word & 1, word >> 1 & 3, word >> 3
                yield -1 if kind == 1 else -size  # an RLE block holds one byte
            yield -4 * (flags >> 2 & 1)


class _ZstdReader(io.RawIOBase):
    """The library's reader; raises EOFError in place of its own exception and for a truncated frame."""

    def __init__(self, reader: Any, frames: _ZstdFrames, error: type[Exception]) -> None:
        self.reader, self.frames, self.error = reader, frames, error

    def readinto(self, out: Any) -> int:
        try:
            got = int(self.reader.readinto(out))
        except self.error as fault:
            raise EOFError(str(fault)) from fault
        if not got and self.frames.inside:
            raise EOFError("a frame without its end")
        return got


FORMATS: dict[bytes, tuple[str, Callable[[Any], Any]]] = {
    b"\x1f\x8b": ("gzip", lambda stream: gzip.GzipFile(fileobj=stream, mode="rb")),
    b"BZh": ("bzip2", bz2.BZ2File),
    b"\xfd7zXZ\0": ("xz", lzma.LZMAFile),
    b"\x28\xb5\x2f\xfd": ("zstandard", _zstandard),
    b"\x04\x22\x4d\x18": ("lz4", _lz4),
}


def decompressed(head: bytes, stream: Any) -> tuple[str, Any]:
    """(name of the compression or '', the decompressed stream). head: the first bytes of `stream`, not consumed."""
    for magic, (name, open_stream) in FORMATS.items():
        if head.startswith(magic):
            return name, open_stream(stream)
    return "", stream
