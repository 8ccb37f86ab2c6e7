"""Shared by all tests: running a command in this process, building captures, saying what was skipped."""

from __future__ import annotations

import io
import os
import struct
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CAPTURES = ROOT / "captures"
SHARED = ROOT.parent / "shared"

os.environ.update(NO_COLOR="1", COLUMNS="80", TZ="UTC")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--accept", action="store_true", help="rewrite the output in console blocks")


class Said:
    """What a command printed and how it ended."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err


def run(*args: str) -> Said:
    """Run `analyze` with these words, in this process; a fault of its own is raised, not told."""
    from analyzer.cli import run as command

    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.TextIOWrapper(io.BytesIO(), "utf-8")
    before = sys.stdout, sys.stderr
    os.environ["ANALYZE_DEBUG"] = "1"
    sys.stdout, sys.stderr = out, err
    try:
        status = command(list(args))
    finally:
        sys.stdout, sys.stderr = before
    out.flush()
    err.flush()
    return Said(status, out.buffer.getvalue().decode(), err.buffer.getvalue().decode())


def pcap(*frames: bytes, magic: int = 0xA1B2C3D4, order: str = "<", link: int = 1, lengths: dict[int, int] | None = None) -> bytes:
    """A pcap file of these frames, a second apart. lengths: frame (from 0) → what it says it had on the wire."""
    extra = b"\0" * 8 if magic == 0xA1B2CD34 else b""
    file = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, link)
    for i, frame in enumerate(frames):
        file += struct.pack(order + "IIII", 1_700_000_000 + i, 123_456, len(frame), (lengths or {}).get(i, len(frame))) + extra + frame
    return file


@pytest.fixture
def save(tmp_path: Path):
    """Write bytes to a file; gives its name."""

    def write(data: bytes, name: str = "trace.pcap") -> str:
        path = tmp_path / name
        path.write_bytes(data)
        return str(path)

    return write
