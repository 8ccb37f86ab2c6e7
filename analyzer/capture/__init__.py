"""Captures: bytes of a file or pipe → batches of frames. The format is told by content, never by name."""

from __future__ import annotations

import os
import sys
from typing import BinaryIO

from ..errors import InputError
from .batch import Batch, Interface, Source, Window
from .pcap import Pcap, byte_order
from .pcapng import Pcapng

__all__ = ["Batch", "Interface", "Source", "open_capture"]

OTHERS = {  # what people hand over by mistake or before it is supported: said by name
    b"\x1f\x8b": "gzip data",
    b"BZh": "bzip2 data",
    b"\xfd7zXZ": "xz data",
    b"\x28\xb5\x2f\xfd": "zstandard data",
    b"\x04\x22\x4d\x18": "lz4 data",
    b"snoop\0": "a snoop capture",
    b"XCP\0": "a Network Instruments or NetXRay capture",
    b"\x7fELF": "a program",
    b"PK\x03\x04": "a zip archive",
}


def open_capture(name: str, batch_frames: int | None = None) -> Source:
    """Open a capture; '-' is standard input. batch_frames fixes the frames of a batch (else what the cache likes).

    Raises InputError if it cannot be opened or is no capture.
    """
    stream: BinaryIO
    if name == "-":
        stream, name = open(sys.stdin.fileno(), "rb", buffering=0, closefd=False), "standard input"  # noqa: SIM115
    else:
        try:
            stream = open(name, "rb", buffering=0)  # noqa: SIM115 - lives as long as the source
        except OSError as error:
            raise InputError(f"{name}: {os.strerror(error.errno or 0).lower()}") from None
    window = Window(stream)
    try:
        enough = window.need(12)
    except OSError as error:
        raise InputError(f"{name}: {os.strerror(error.errno or 0).lower()}") from None
    head = bytes(window.data[: min(window.end, 12)])
    if byte_order(head):
        return Pcap(name, window, batch_frames)
    if head[:4] == b"\x0a\x0d\x0d\x0a":
        return Pcapng(name, window, batch_frames)
    if not head:
        raise InputError(f"{name}: empty, no capture")
    what = next((said for magic, said in OTHERS.items() if head.startswith(magic)), "" if enough else "too short")
    raise InputError(f"{name}: no pcap or pcapng capture" + (f", but {what}" if what else f" (it begins with {head[:4].hex()})"))
