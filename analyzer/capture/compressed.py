"""Compressed captures, told by content: gzip, bzip2, xz, zstandard, lz4. Streaming, so memory does not grow with what comes out."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Generator
from typing import Any

FAULTS: tuple[type[Exception], ...] = (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, RuntimeError)


def _zstandard(stream: Any) -> Any:
    import zstandard

    frames = _Frames(stream)
    source: Any = frames  # of a file, the library wants no more than read()
    reader = zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(source, read_across_frames=True)
    return _Zstandard(reader, frames, zstandard.ZstdError)


def _lz4(stream: Any) -> Any:
    import lz4.frame

    return lz4.frame.LZ4FrameFile(stream)


class _Frames:
    """Hands zstandard data on and keeps step with its frames, since the library takes a cut for an end. RFC 8878 §3.1."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.inside = False  # a frame that has not ended
        self.got = b""
        self.steps = self._steps()
        self.wanted = next(self.steps)

    def read(self, size: int = -1) -> bytes:
        some: bytes = self.stream.read(size)
        at = 0
        while at < len(some) or not self.wanted:
            if self.wanted > 0:
                part = some[at : at + self.wanted - len(self.got)]
                self.got += part
                self.inside = True
                at += len(part)
                if len(self.got) < self.wanted:
                    break
                self.wanted, self.got = self.steps.send(self.got), b""
            else:
                over = min(-self.wanted, len(some) - at)
                at += over
                self.wanted += over
                if not self.wanted:
                    self.wanted = self.steps.send(b"")
        return some

    def _steps(self) -> Generator[int, bytes, None]:
        """Asks for the next bytes, or (a number below 0) to have so many passed over."""
        while True:
            self.inside = False
            magic = yield 4
            if magic[1:] == b"\x2a\x4d\x18":  # a frame that holds no data, §3.1.2
                yield -int.from_bytes((yield 4), "little")
                continue
            (flags,) = yield 1
            single = flags >> 5 & 1
            yield single - 1 - (0, 1, 2, 4)[flags & 3] - (single, 2, 4, 8)[flags >> 6]
            last = 0
            while not last:
                word = int.from_bytes((yield 3), "little")
                last, kind, size = word & 1, word >> 1 & 3, word >> 3
                yield -1 if kind == 1 else -size  # a byte that is repeated, or the block
            yield -4 * (flags >> 2 & 1)


class _Zstandard(io.RawIOBase):
    """The library's reader, whose own kind of error becomes EOFError, which everyone knows."""

    def __init__(self, reader: Any, frames: _Frames, error: type[Exception]) -> None:
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


def unpacked(head: bytes, stream: Any) -> tuple[str, Any]:
    """(name of the compression or '', a stream of what is inside). head: the stream's first bytes, still to be read."""
    for magic, (name, opened) in FORMATS.items():
        if head.startswith(magic):
            return name, opened(stream)
    return "", stream
