"""Compressed captures, told by content: gzip, bzip2, xz, zstandard, lz4. Streaming, so memory does not grow with what comes out."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable
from typing import Any

FAULTS: tuple[type[Exception], ...] = (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, RuntimeError)


def _zstandard(stream: Any) -> Any:
    import zstandard

    return _Named(zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(stream, read_across_frames=True), zstandard.ZstdError)


def _lz4(stream: Any) -> Any:
    import lz4.frame

    return lz4.frame.LZ4FrameFile(stream)


class _Named(io.RawIOBase):
    """A reader whose own kind of error becomes EOFError, which everyone knows."""

    def __init__(self, reader: Any, error: type[Exception]) -> None:
        self.reader, self.error = reader, error

    def readinto(self, out: Any) -> int:
        try:
            return int(self.reader.readinto(out))
        except self.error as fault:
            raise EOFError(str(fault)) from fault


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
