"""Captures: a file or pipe → batches of frames. The format is detected by content, never by file name."""

from __future__ import annotations

from ..errors import InputError
from .batch import BYTES, Batch, Interface, ReadBuffer, Source
from .compressed import decompressed
from .files import File, FilePool, Pipe, PushbackStream
from .pcap import Pcap, byte_order
from .pcapng import Pcapng

__all__ = ["Batch", "Interface", "Source", "open_capture"]

OTHER_FORMATS = {  # often passed by mistake
    b"snoop\0": "a snoop capture",
    b"XCP\0": "a Network Instruments or NetXRay capture",
    b"\x7fELF": "a program",
    b"PK\x03\x04": "a zip archive",
}


def open_capture(name: str, batch_frames: int | None = None, pool: FilePool | None = None, size: int = BYTES) -> Source:
    """Open a capture, compressed or not; '-' is standard input.

    batch_frames: frames of each batch; None: as many as suit the cache. pool: limits open files. size: bytes of the buffer.
    Raises InputError if it cannot be opened or is no capture.
    """
    try:
        file = Pipe() if name == "-" else File(name, pool or FilePool())
        name = "standard input" if name == "-" else name
        compression, stream = decompressed(*_peek(file))
        buffer = ReadBuffer(stream, min(size, file.size + 64) if file.size and not compression else size, file.ready)
        enough = buffer.need(12)
    except OSError as error:
        raise InputError(f"{name}: {(error.strerror or str(error)).lower()}") from None
    head = bytes(buffer.data[: min(buffer.end, 12)])
    kind = Pcap if byte_order(head) else Pcapng if head[:4] == b"\x0a\x0d\x0d\x0a" else None
    if kind is not None:
        source = kind(name, buffer, batch_frames)
        source.file, source.compression = file, compression
        return source
    file.release()
    if buffer.read_error:
        raise InputError(f"{name}: {compression} data that is damaged at once: {buffer.read_error}")
    if not head:
        raise InputError(f"{name}: empty, no capture")
    what = next((format for magic, format in OTHER_FORMATS.items() if head.startswith(magic)), "" if enough else "too short")
    inside = f"{compression} data, inside it " if compression else ""
    raise InputError(f"{name}: {inside}no pcap or pcapng capture" + (f", but {what}" if what else f" (it begins with {head[:4].hex()})"))


def _peek(file: File | Pipe) -> tuple[bytes, PushbackStream]:
    """The first 12 bytes, and the stream from its start."""
    head = b""
    while len(head) < 12:
        some = bytearray(12 - len(head))
        got = file.readinto(some)
        if not got:
            break
        head += some[:got]
    return head, PushbackStream(head, file)
