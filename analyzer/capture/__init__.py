"""Captures: bytes of a file or pipe → batches of frames. The format is told by content, never by name."""

from __future__ import annotations

from ..errors import InputError
from .batch import BYTES, Batch, Interface, Source, Window
from .compressed import unpacked
from .files import File, Headed, Pipe, Pool
from .pcap import Pcap, byte_order
from .pcapng import Pcapng

__all__ = ["Batch", "Interface", "Source", "open_capture"]

OTHERS = {  # what people hand over by mistake: said by name
    b"snoop\0": "a snoop capture",
    b"XCP\0": "a Network Instruments or NetXRay capture",
    b"\x7fELF": "a program",
    b"PK\x03\x04": "a zip archive",
}


def open_capture(name: str, batch_frames: int | None = None, pool: Pool | None = None, size: int = BYTES) -> Source:
    """Open a capture, compressed or not; '-' is standard input.

    batch_frames fixes the frames of a batch (else what the cache likes). pool: which files are open. size: bytes of the buffer.
    Raises InputError if it cannot be opened or is no capture.
    """
    try:
        file = Pipe() if name == "-" else File(name, pool or Pool())
        name = "standard input" if name == "-" else name
        packed, stream = unpacked(*_peeked(file))
        window = Window(stream, min(size, file.size + 64) if file.size and not packed else size, file.ready)
        enough = window.need(12)
    except OSError as error:
        raise InputError(f"{name}: {(error.strerror or str(error)).lower()}") from None
    head = bytes(window.data[: min(window.end, 12)])
    kind = Pcap if byte_order(head) else Pcapng if head[:4] == b"\x0a\x0d\x0d\x0a" else None
    if kind is not None:
        source = kind(name, window, batch_frames)
        source.file, source.compression = file, packed
        return source
    file.release()
    if window.broken:
        raise InputError(f"{name}: {packed} data that is damaged at once: {window.broken}")
    if not head:
        raise InputError(f"{name}: empty, no capture")
    what = next((said for magic, said in OTHERS.items() if head.startswith(magic)), "" if enough else "too short")
    inside = f"{packed} data, inside it " if packed else ""
    raise InputError(f"{name}: {inside}no pcap or pcapng capture" + (f", but {what}" if what else f" (it begins with {head[:4].hex()})"))


def _peeked(file: File | Pipe) -> tuple[bytes, Headed]:
    """The first bytes of a stream, and the stream from its start."""
    head = b""
    while len(head) < 12:
        some = bytearray(12 - len(head))
        got = file.readinto(some)
        if not got:
            break
        head += some[:got]
    return head, Headed(head, file)
