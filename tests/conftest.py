"""Shared by all tests: running a command in this process, building captures, saying what was skipped."""

from __future__ import annotations

import io
import os
import struct
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CAPTURES = ROOT / "captures"
SHARED = ROOT.parent / "shared"

os.environ.update(NO_COLOR="1", COLUMNS="80", TZ="UTC")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--accept", action="store_true", help="rewrite the output in console blocks")


class Result:
    """What a command printed and how it ended."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err


def run(*args: str) -> Result:
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
    return Result(status, out.buffer.getvalue().decode(), err.buffer.getvalue().decode())


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


def same(name: str, table: str, **more: object) -> list[dict]:
    """The rows of a table, which are the same in batches of 1, 7 and all frames."""
    from analyzer import Analysis

    first, *others = (Analysis(name, batch_frames=size, **more).table(table) for size in BATCHES)
    for other in others:
        assert other.equals(first)
    return first.to_dicts()


RECORDINGS = Path(__file__).resolve().parent / "recordings"
BATCHES = (1, 7, 1 << 20)


def recorded(name: str) -> str:
    """The path of a recording."""
    return str(RECORDINGS / f"{name}.pcap.xz")


def recordings() -> list[str]:
    """Names of the recordings of TCP."""
    return sorted(path.name.removesuffix(".pcap.xz") for path in RECORDINGS.glob("tcp-*.pcap.xz"))


def sizes(name: str) -> tuple[int, ...]:
    """Batches to read a recording in: of 1, 7 and all frames; not of 1 where that takes a second and shows what others show."""
    return BATCHES[1:] if (RECORDINGS / f"{name}.pcap.xz").stat().st_size > 3000 else BATCHES


def transitions(name: str, batch: int | None = None) -> list[tuple[int, int, str, str, str]]:
    """(stream, frame, end, state before, state after) of each change of state, as seen."""
    from analyzer import Analysis

    rows = Analysis(name, batch_frames=batch).table("states")
    return rows.select("stream", "frame", "end", "before", "after").rows()


def segment(
    talk: Dialogue | Trace, who: str, flags: str, seq: int, ack: int | None, data: bytes, ip: Mapping[str, object], **more: object
) -> bytes:
    """An Ethernet frame with a segment of the client (c) or the server (s); numbers count from their SYNs. ip, more: scapy's fields."""
    from scapy.all import IP, TCP, Ether, Raw

    ends = [("10.0.0.1", talk.port), ("10.0.0.2", 80)]
    (source, sport), (target, dport) = ends if who == "c" else ends[::-1]
    peer = talk.isn["s" if who == "c" else "c"]
    numbers = {"seq": (talk.isn[who] + seq) % 2**32, "ack": 0 if ack is None else (peer + ack) % 2**32}
    return bytes(Ether() / IP(src=source, dst=target, **ip) / TCP(sport=sport, dport=dport, flags=flags, **numbers, **more) / Raw(data))


class Dialogue:
    """A connection written segment by segment: who speaks is the client (c) or the server (s), numbers count from their SYNs.

    isn: number of the client's and of the server's SYN, so that numbers wrap where a test wants it. Options are scapy's.
    """

    def __init__(self, client: int = 1000, server: int = 5000, port: int = 40000) -> None:
        self.isn = {"c": client, "s": server}
        self.port = port
        self.frames: list[bytes] = []

    def add(self, who: str, flags: str, seq: int, ack: int | None = None, data: bytes = b"", **more: object) -> Dialogue:
        self.frames.append(segment(self, who, flags, seq, ack, data, {}, **more))
        return self

    def open(self) -> Dialogue:
        """The three-way handshake: frames 1, 2 and 3."""
        return self.add("c", "S", 0).add("s", "SA", 0, 1).add("c", "A", 1, 1)


class Trace:
    """A trace written frame by frame, with times in seconds: TCP between 10.0.0.1 (c) and 10.0.0.2:80 (s), and what else is put in.

    isn: number of the client's and of the server's SYN, `seq` and `ack` count from them. The IP identification of each end counts up.
    """

    def __init__(self) -> None:
        self.frames: list[tuple[float, bytes, int]] = []
        self.isn = {"c": 1000, "s": 5000}
        self.idents = {"c": 100, "s": 7000}
        self.port = 40000

    def put(self, at: float, frame: bytes, wire: int = 0) -> Trace:
        """Any frame. wire: its length before the capture cut it."""
        self.frames.append((at, frame, max(wire, len(frame))))
        return self

    def tcp(
        self,
        at: float,
        who: str,
        flags: str,
        seq: int,
        ack: int | None = None,
        data: bytes = b"",
        ident: int | None = None,
        ttl: int = 64,
        window: int = 60000,
        keep: int | None = None,
    ) -> Trace:
        """A segment. keep: bytes of the frame that the capture kept."""
        self.idents[who] += ident is None
        ip = {"ttl": ttl, "flags": "DF", "id": self.idents[who] if ident is None else ident}
        frame = segment(self, who, flags, seq, ack, data, ip, window=window)
        return self.put(at, frame[:keep], len(frame))

    def open(self, trip: float = 0.01) -> Trace:
        """The three-way handshake: frames 1, 2 and 3."""
        return self.tcp(0, "c", "S", 0).tcp(trip, "s", "SA", 0, 1).tcp(trip + 1e-5, "c", "A", 1, 1)

    def icmp(self, at: float, quoted: int, source: str = "10.0.0.254", **fields: int) -> Trace:
        """An ICMP error about frame `quoted`."""
        from scapy.all import ICMP, IP, Ether, Raw

        inner = IP(self.frames[quoted - 1][1][14:])
        return self.put(at, bytes(Ether() / IP(src=source, dst=inner.src) / ICMP(**fields) / Raw(bytes(inner)[:28])))

    def pcap(self) -> bytes:
        """A file with times in nanoseconds."""
        file = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 1)
        for at, frame, wire in self.frames:
            ns = 1_700_000_000 * 10**9 + round(at * 10**9)
            file += struct.pack("<IIII", ns // 10**9, ns % 10**9, len(frame), wire) + frame
        return file
