"""pcapng files: their blocks and options. https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from ..fields import Column, gather
from . import _records
from .batch import MAX_FRAME, MAX_FRAME_BY_LINK, Batch, Interface, ResolvedName, Source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SECTION, INTERFACE, NAMES, STATISTICS = 0x0A0D0D0A, 1, 4, 5
BLOCKS = {  # blocks that are only counted, §4.6 to §4.8 and §10.1
    9: "systemd journal",
    10: "decryption secrets",
    0xBAD: "custom",
    0x40000BAD: "custom",
}
CUSTOM = (2988, 2989, 19372, 19373)  # Custom Options, §3.5.1
MAX_BLOCK = 64 << 20  # bytes of a block other than a packet block
FAULTS = {
    _records.BAD_LENGTH: "a block length of {size} cannot be",
    _records.BAD_TRAILER: "the block's two lengths differ: {size} before, {trailer} behind",
    _records.BAD_PACKET: "a packet of {packet} bytes does not fit into its block of {size}",
}


def options(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """(code, value) of each option of a block, §3.5, up to the first that is truncated."""
    at = 0
    while at + 4 <= len(data):
        code, size = struct.unpack_from(order + "HH", data, at)
        if code == 0 or at + 4 + size > len(data):
            return
        yield code, data[at + 4 : at + 4 + size]
        at += 4 + (size + 3) // 4 * 4


def _text(value: bytes, order: str) -> str:
    return value.split(b"\0")[0].decode("utf-8", "replace")


def _number(value: bytes, order: str) -> int:
    """64 bits unsigned, clamped to int64."""
    return min(int(struct.unpack(order + "Q", value)[0]), MAX_INT64)


def _signed(value: bytes, order: str) -> int:
    return int(struct.unpack(order + "q", value)[0])


def _byte(value: bytes, order: str) -> int:
    return value[0]


def _ticks_per_second(value: bytes, order: str) -> int:
    return 2 ** (value[0] & 0x7F) if value[0] & 0x80 else 10 ** value[0]


def _timestamp(value: bytes, order: str) -> int:
    """A timestamp as in packet blocks: two 32-bit words, the upper one first in both byte orders."""
    high, low = struct.unpack(order + "iI", value)
    return int(high << 32 | low)


def _network(value: bytes, order: str) -> str:
    """if_IPv4addr: address and mask; if_IPv6addr: address and prefix length."""
    if len(value) == 8:
        return f"{ipaddress.IPv4Address(value[:4])}/{ipaddress.IPv4Address(value[4:])}"
    return f"{ipaddress.IPv6Address(value[:16])}/{value[16]}"


def _address(value: bytes, order: str = "<") -> str:
    """IPv4, IPv6, EUI-48 or EUI-64, by its length. Raises ValueError if it has none of theirs."""
    return value.hex(":") if len(value) in (6, 8) else str(ipaddress.ip_address(value))


def _filter(value: bytes, order: str) -> str:
    return _text(value[1:], order) if value[0] == 0 else f"{len(value[1:]) // 8} BPF instructions"


def _zone(value: bytes, order: str) -> str:
    return f"{struct.unpack(order + 'i', value)[0]} s east of UTC" if len(value) == 4 else _text(value, order)


Decoder = Callable[[bytes, str], object]  # (option value, byte order) → value
SECTION_OPTIONS: dict[int, tuple[str, Decoder]] = {
    1: ("comments", _text),
    2: ("hardware", _text),
    3: ("system", _text),
    4: ("application", _text),
}
INTERFACE_OPTIONS: dict[int, tuple[str, Decoder]] = {  # §4.2
    1: ("comments", _text),
    2: ("name", _text),
    3: ("description", _text),
    4: ("addresses", _network),
    5: ("addresses", _network),
    6: ("addresses", _address),
    7: ("addresses", _address),
    8: ("speed", _number),
    9: ("ticks_per_second", _ticks_per_second),
    10: ("zone", _zone),
    11: ("filter", _filter),
    12: ("system", _text),
    13: ("fcs_length", _byte),
    14: ("time_offset", _signed),
    15: ("hardware", _text),
    16: ("speed_out", _number),
    17: ("speed_in", _number),
    18: ("zone", _text),
}
STATISTICS_OPTIONS: dict[int, tuple[str, Decoder]] = {  # §4.6
    1: ("comments", _text),
    2: ("counted_from", _timestamp),
    3: ("counted_to", _timestamp),
    4: ("received", _number),
    5: ("dropped", _number),
    6: ("accepted", _number),
    7: ("system_dropped", _number),
    8: ("delivered", _number),
}
NAME_OPTIONS: dict[int, tuple[str, Decoder]] = {
    1: ("comments", _text),
    2: ("server", _text),
    3: ("server_address", _address),
    4: ("server_address", _address),
}
COMMENT, FLAGS, HASH, DROPS, PACKET, QUEUE, VERDICT = range(1, 8)  # options of packet blocks, §4.3
NUMERIC_OPTIONS = {
    FLAGS: ("frame.packet_flags", 4),
    DROPS: ("frame.drop_count", 8),
    PACKET: ("frame.packet_id", 8),
    QUEUE: ("frame.interface_queue", 4),
}
HASHES = {0: "2s complement", 1: "XOR", 2: "CRC32", 3: "MD5", 4: "SHA1", 5: "Toeplitz"}
VERDICTS = {0: "frame.verdict.hw", 1: "frame.verdict.ebpf_tc", 2: "frame.verdict.ebpf_xdp"}
MAX_NAMES = 100_000  # kept of a file
MAX_INT64 = 2**63 - 1


def to_nanoseconds(raw: np.ndarray, interface: Interface) -> np.ndarray:
    """Timestamps (int64, the raw 64 bits) of an interface → ns since 1970, int64, clamped (1678 to 2261). §4.2, if_tsresol, if_tsoffset."""
    ticks, offset = interface.ticks_per_second, interface.time_offset
    raw = raw.view(np.uint64)
    if ticks <= 10**9 and len(raw) and 0 <= int(raw.max()) // ticks + offset < 9 * 10**9 and int(raw.min()) // ticks + offset >= 0:
        seconds, fraction = np.divmod(raw, np.uint64(ticks))
        nanoseconds = fraction * np.uint64(10**9) // np.uint64(ticks)
        return (seconds.astype(np.int64) + offset) * 10**9 + nanoseconds.astype(np.int64)
    exact = [int(value) * 10**9 // ticks + offset * 10**9 for value in raw]
    return np.array([min(max(value, -(2**63)), MAX_INT64) for value in exact], np.int64)


class Pcapng(Source):
    """Reader of one pcapng file. Raises InputError if the first Section Header Block is truncated or of an unknown version."""

    format = "pcapng"
    SCANNED = 7

    def _begin(self) -> None:
        self.order = "<"
        self.base = 0  # index of the first interface of the section
        self.sections = 0
        self.largest = max(MAX_FRAME, *MAX_FRAME_BY_LINK.values())

    def _scan(self, at: int, limit: int, table: list[memoryview]) -> tuple[int, int, int]:
        buffer = self.buffer
        if not self.sections:
            return 0, at, _records.OTHER_BLOCK
        return _records.pcapng(buffer.data.data, at, buffer.end, self.order == ">", self.largest, limit, *table)

    def _stopped(self, stop: int) -> bool:
        if stop == _records.OTHER_BLOCK:
            return self._block()
        if stop == _records.CUT:
            self._corrupt(f"the file ends {self.buffer.end - self.buffer.pos} bytes into a block")
        elif stop in FAULTS:
            word = self.order + "I"
            size = self.buffer.number(word, 4)
            packet = self.buffer.number(word, 20) if stop == _records.BAD_PACKET else 0
            trailer = self.buffer.number(word, size - 4) if stop == _records.BAD_TRAILER else 0
            self._corrupt(FAULTS[stop].format(size=size, packet=packet, trailer=trailer))
        return False

    def _block(self) -> bool:
        """Read the block at `pos`, which is no packet block; False if it is corrupt or truncated."""
        buffer = self.buffer
        if not buffer.need(12):
            if buffer.end > buffer.pos or not self.sections:
                return self._refuse(f"the file ends {buffer.end - buffer.pos} bytes into a block")
            return False
        kind = buffer.number(self.order + "I", 0)
        if kind == SECTION:
            magic = bytes(buffer.data[buffer.pos + 8 : buffer.pos + 12])
            if magic not in (b"\x1a\x2b\x3c\x4d", b"\x4d\x3c\x2b\x1a"):
                return self._refuse("a section header without its byte-order magic")
            self.order = ">" if magic[0] == 0x1A else "<"
        size = buffer.number(self.order + "I", 4)
        if size < 12 or size % 4 or size > MAX_BLOCK or (kind == SECTION and size < 28) or (kind == INTERFACE and size < 20):
            return self._refuse(f"a block length of {size} cannot be")
        if not buffer.need(size):
            return self._refuse(f"the file ends {buffer.end - buffer.pos} bytes into a block")
        body = bytes(buffer.data[buffer.pos + 8 : buffer.pos + size - 4])
        trailer = buffer.number(self.order + "I", size - 4)
        if trailer != size:
            return self._refuse(f"the block's two lengths differ: {size} before, {trailer} behind")
        if kind == SECTION:
            major = struct.unpack_from(self.order + "H", body, 4)[0]
            if major != 1:
                return self._refuse(f"a section of pcapng version {major}, which nobody has defined")
            self._section(body)
        elif kind == INTERFACE:
            self._interface(body)
        elif kind == STATISTICS:
            self._statistics(body)
        elif kind == NAMES:
            self._names(body)
        else:
            self._skip(BLOCKS.get(kind, f"block type 0x{kind:08x}"))
        buffer.pos += size
        return True

    def _refuse(self, reason: str) -> bool:
        if not self.sections:
            raise InputError(f"{self.name}: no whole pcapng section: {reason}")
        self._corrupt(reason)
        return False

    def _options(self, body: bytes, known: dict[int, tuple[str, Decoder]]) -> Iterator[tuple[str, object]]:
        """(name, value) of the known options; others are counted in `skipped`."""
        for code, value in options(body, self.order):
            if code not in known:
                self._skip("custom options" if code in CUSTOM else "unknown options")
                continue
            name, decode = known[code]
            try:
                decoded = decode(value, self.order)
            except (struct.error, ValueError, IndexError):  # of a wrong length
                self._skip("malformed options")
                continue
            yield name, decoded

    def _section(self, body: bytes) -> None:
        self.sections += 1
        self.base = len(self.interfaces)
        self.byte_order = "big" if self.order == ">" else "little"
        for name, value in self._options(body[16:], SECTION_OPTIONS):
            if name == "comments":
                self.comments.append(str(value))
            else:
                setattr(self, name, value)

    def _interface(self, body: bytes) -> None:
        link, snaplen = struct.unpack_from(self.order + "H2xI", body)
        interface = Interface(link, snaplen, section=self.sections - 1, number=len(self.interfaces) - self.base)
        self._set(interface, self._options(body[8:], INTERFACE_OPTIONS))
        self.interfaces.append(interface)

    def _set(self, interface: Interface, options: Iterable[tuple[str, object]]) -> None:
        for name, value in options:
            setattr(interface, name, (*getattr(interface, name), value) if name in ("addresses", "comments") else value)

    def _statistics(self, body: bytes) -> None:
        """Counts are cumulative: the last block of an interface replaces those before, §4.6."""
        index = struct.unpack_from(self.order + "I", body)[0] + self.base if len(body) >= 12 else len(self.interfaces)
        if index >= len(self.interfaces):
            self._skip("statistics of an unknown interface")
            return
        interface = self.interfaces[index]
        options = [("counted_at", _timestamp(body[4:12], self.order)), *self._options(body[12:], STATISTICS_OPTIONS)]
        raw = np.array([value for name, value in options if name.startswith("counted")], np.int64)
        times = iter(to_nanoseconds(raw, interface).tolist())
        self._set(interface, [(name, next(times) if name.startswith("counted") else value) for name, value in options])

    def _names(self, body: bytes) -> None:
        """Name Resolution Block: records of an address and NUL-terminated names, up to nrb_record_end; then options. §4.5."""
        at = 0
        entries = []
        while at + 4 <= len(body):
            kind, size = struct.unpack_from(self.order + "HH", body, at)
            value = body[at + 4 : at + 4 + size]
            at += 4 + (size + 3) // 4 * 4
            if kind == 0:
                break
            width = {1: 4, 2: 16, 3: 6, 4: 8}.get(kind)
            if width is None or len(value) < size or size <= width:
                self._skip("malformed name records" if width else "unknown name records")
                continue
            names = [name.decode("utf-8", "replace") for name in value[width:].split(b"\0") if name]
            entries += [(_address(value[:width]), name) for name in names]
        server: dict[str, str] = {}
        for option, text in self._options(body[at:], NAME_OPTIONS):
            if option == "comments":
                self.comments.append(str(text))
            else:
                server[option] = str(text)
        room = max(MAX_NAMES - len(self.names), 0)
        if len(entries) > room:
            self._skip("names beyond those kept", len(entries) - room)
        self.names += [
            ResolvedName(self.sections - 1, *entry, server.get("server"), server.get("server_address")) for entry in entries[:room]
        ]

    def _batch(self, table: np.ndarray) -> Batch:
        known = len(self.interfaces) - self.base
        if table[4].max() >= known:
            n = int(np.argmax(table[4] >= known))
            at = self.buffer.file_offset + int(table[0, n]) - (28 if table[5, n] else 12)
            self._corrupt(f"a packet of interface {table[4, n]}, which its section does not describe", self.frames + n + 1, at)
            table = table[:, :n]
        offset, captured, length, time, interface, at, end = table
        n = len(offset)
        link, fcs, stamps = np.zeros(n, np.int64), np.full(n, -1), np.zeros(n, np.int64)
        for index in np.unique(interface):
            described, rows = self.interfaces[self.base + index], interface == index
            described.frames += int(rows.sum())
            link[rows] = described.link_type
            fcs[rows] = -1 if described.fcs_length is None else described.fcs_length
            stamps[rows] = to_nanoseconds(time[rows], described)
        simple = at == 0
        if simple.any() and self.interfaces[self.base].snap_length:
            captured = np.where(simple, np.minimum(captured, self.interfaces[self.base].snap_length), captured)
        columns = self._option_columns(np.ascontiguousarray(at), np.ascontiguousarray(end))
        if "frame.packet_flags" in columns:
            flags, rows = columns["frame.packet_flags"]
            own_fcs = (flags >> 5 & 15).astype(np.int64)  # epb_flags overrides if_fcslen, §4.3.1
            assert rows is not None
            fcs[rows[own_fcs > 0]] = own_fcs[own_fcs > 0]
        stamps[simple] = 0
        timed = ~simple if simple.any() else None
        where = (interface + self.base, link, fcs)
        return Batch(self.buffer.data, self.frames + 1, offset, captured, length, stamps, timed, *where, columns)

    def _option_columns(self, start: np.ndarray, end: np.ndarray) -> dict[str, Column]:
        """field → column, from the options at start:end (int64) of each packet block."""
        room = int(np.maximum(end - start, 0).sum()) // 4
        if not room:
            return {}
        data, big = self.buffer.data, self.order == ">"
        row, code, at, size = np.empty((4, room), np.int64)
        n = _records.options(data.data, start.data, end.data, big, row.data, code.data, at.data, size.data)
        row, code, at, size = row[:n], code[:n], at[:n], size[:n]
        columns = {}
        for number, (name, width) in NUMERIC_OPTIONS.items():
            pick = np.flatnonzero((code == number) & (size == width))
            _, last = np.unique(row[pick][::-1], return_index=True)  # allowed once; of several the last counts
            pick = pick[len(pick) - 1 - last]
            if len(pick):
                values = gather(data, at[pick], width).view(f"{self.order}u{width}").reshape(-1)
                columns[name] = Column((values if width == 4 else np.minimum(values, MAX_INT64)).astype(f"u{width}"), row[pick])
        others: dict[str, list[tuple[int, object]]] = {}
        for option in np.flatnonzero(np.isin(code, (COMMENT, HASH, VERDICT))).tolist():
            value = data[at[option] : at[option] + size[option]].tobytes()
            name, decoded = self._option_value(int(code[option]), value)
            others.setdefault(name, []).append((int(row[option]), decoded))
        malformed = len(others.pop("", [])) + sum(
            int(((code == number) & (size != width)).sum()) for number, (_, width) in NUMERIC_OPTIONS.items()
        )
        custom = int(np.isin(code, CUSTOM).sum())
        unknown = int((code > VERDICT).sum()) - custom
        for kind, count in (("malformed options", malformed), ("custom options", custom), ("unknown options", unknown)):
            if count:
                self._skip(kind, count)
        for name, pairs in others.items():
            values = np.array([value for _, value in pairs], np.int64 if "ebpf" in name else object)
            columns[name] = Column(values, np.array([at for at, _ in pairs]))
        return columns

    def _option_value(self, code: int, value: bytes) -> tuple[str, object]:
        """(field, value) of an option that is no number; ('', None) if it is malformed."""
        if code == COMMENT:
            return "frame.comment", value.decode("utf-8", "replace")
        if not value:
            return "", None
        if code == HASH:
            return "frame.hash", f"{HASHES.get(value[0], f'algorithm {value[0]}')} {value[1:].hex()}"
        name = VERDICTS.get(value[0], "")
        if "ebpf" in name:
            return (name, struct.unpack(self.order + "q", value[1:])[0]) if len(value) == 9 else ("", None)
        return name, value[1:].hex()
