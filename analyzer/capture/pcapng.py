"""pcapng files: sections, interfaces, packets, statistics, names; https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from ..fields import Column, gather
from . import _records
from .batch import LARGEST, LARGEST_BY_LINK, Batch, Interface, Name, Source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SECTION, INTERFACE, NAMES, STATISTICS = 0x0A0D0D0A, 1, 4, 5
BLOCKS = {  # §4.6 to §4.8 and §10.1: blocks that are counted
    9: "systemd journal",
    10: "decryption secrets",
    0xBAD: "custom",
    0x40000BAD: "custom",
}
CUSTOM = (2988, 2989, 19372, 19373)  # options that mean something to one company, §3.5.1
LARGEST_BLOCK = 64 << 20  # of a block that is no packet; beyond this a length is a lie
FAULTS = {
    _records.BAD_LENGTH: "a block length of {size} cannot be",
    _records.BAD_TRAILER: "the block's two lengths differ: {size} before, {trailer} behind",
    _records.BAD_PACKET: "a packet of {packet} bytes does not fit into its block of {size}",
}


def options(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """(code, value) of each option in a block's option list, §3.5; ends at the first that does not fit."""
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
    """Eight bytes. A number that int64 cannot hold becomes the largest that it can."""
    return min(int(struct.unpack(order + "Q", value)[0]), LARGEST_NUMBER)


def _signed(value: bytes, order: str) -> int:
    return int(struct.unpack(order + "q", value)[0])


def _byte(value: bytes, order: str) -> int:
    return value[0]


def _units(value: bytes, order: str) -> int:
    return 2 ** (value[0] & 0x7F) if value[0] & 0x80 else 10 ** value[0]


def _stamp(value: bytes, order: str) -> int:
    """A time stamp as packets have it: two words, the high one first, whatever the byte order."""
    high, low = struct.unpack(order + "iI", value)
    return int(high << 32 | low)


def _network(value: bytes, order: str) -> str:
    """An address and its mask (IPv4) or prefix length (IPv6)."""
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


Reader = Callable[[bytes, str], object]
SECTION_OPTIONS: dict[int, tuple[str, Reader]] = {
    1: ("comments", _text),
    2: ("hardware", _text),
    3: ("system", _text),
    4: ("application", _text),
}
INTERFACE_OPTIONS: dict[int, tuple[str, Reader]] = {  # §4.2
    1: ("comments", _text),
    2: ("name", _text),
    3: ("description", _text),
    4: ("addresses", _network),
    5: ("addresses", _network),
    6: ("addresses", _address),
    7: ("addresses", _address),
    8: ("speed", _number),
    9: ("units", _units),
    10: ("zone", _zone),
    11: ("filter", _filter),
    12: ("system", _text),
    13: ("fcs", _byte),
    14: ("offset", _signed),
    15: ("hardware", _text),
    16: ("speed_out", _number),
    17: ("speed_in", _number),
    18: ("zone", _text),
}
STATISTICS_OPTIONS: dict[int, tuple[str, Reader]] = {  # §4.6
    1: ("comments", _text),
    2: ("begin", _stamp),
    3: ("end", _stamp),
    4: ("received", _number),
    5: ("dropped", _number),
    6: ("accepted", _number),
    7: ("system_dropped", _number),
    8: ("delivered", _number),
}
NAME_OPTIONS: dict[int, tuple[str, Reader]] = {
    1: ("comments", _text),
    2: ("server", _text),
    3: ("server_address", _address),
    4: ("server_address", _address),
}
COMMENT, FLAGS, HASH, DROPS, PACKET, QUEUE, VERDICT = range(1, 8)  # options of a packet, §4.3
NUMBERS = {
    FLAGS: ("frame.packet_flags", 4),
    DROPS: ("frame.drop_count", 8),
    PACKET: ("frame.packet_id", 8),
    QUEUE: ("frame.interface_queue", 4),
}
HASHES = {0: "2s complement", 1: "XOR", 2: "CRC32", 3: "MD5", 4: "SHA1", 5: "Toeplitz"}
VERDICTS = {0: "frame.verdict.hw", 1: "frame.verdict.ebpf_tc", 2: "frame.verdict.ebpf_xdp"}
MOST_NAMES = 100_000  # that are kept
LARGEST_NUMBER = 2**63 - 1


def to_nanoseconds(raw: np.ndarray, interface: Interface) -> np.ndarray:
    """Time stamps (int64, the raw 64 bits) in units of the interface → ns since 1970, int64. §4.2, if_tsresol and if_tsoffset.

    A time that int64 nanoseconds cannot hold (before 1678, after 2261) becomes the nearest that they can.
    """
    units, offset = interface.units, interface.offset
    raw = raw.view(np.uint64)
    if units <= 10**9 and len(raw) and 0 <= int(raw.max()) // units + offset < 9 * 10**9 and int(raw.min()) // units + offset >= 0:
        seconds, rest = np.divmod(raw, np.uint64(units))
        part = rest * np.uint64(10**9) // np.uint64(units)
        return (seconds.astype(np.int64) + offset) * 10**9 + part.astype(np.int64)
    exact = [int(value) * 10**9 // units + offset * 10**9 for value in raw]
    return np.array([min(max(value, -(2**63)), 2**63 - 1) for value in exact], np.int64)


class Pcapng(Source):
    """Reader of one pcapng file. Raises InputError if the first section header is cut or of an unknown version."""

    format = "pcapng"

    columns = 7

    def _begin(self) -> None:
        self.order = "<"
        self.base = 0  # index of the section's first interface
        self.sections = 0
        self.largest = max(LARGEST, *LARGEST_BY_LINK.values())

    def _scan(self, at: int, limit: int, table: list[memoryview]) -> tuple[int, int, int]:
        window = self.window
        if not self.sections:
            return 0, at, _records.OTHER
        return _records.pcapng(window.data.data, at, window.end, self.order == ">", self.largest, limit, *table)

    def _stopped(self, stop: int) -> bool:
        if stop == _records.OTHER:
            return self._block()
        if stop == _records.CUT:
            self._hurt(f"the file ends {self.window.end - self.window.pos} bytes into a block")
        elif stop in FAULTS:
            word = self.order + "I"
            size = self.window.number(word, 4)
            packet = self.window.number(word, 20) if stop == _records.BAD_PACKET else 0
            trailer = self.window.number(word, size - 4) if stop == _records.BAD_TRAILER else 0
            self._hurt(FAULTS[stop].format(size=size, packet=packet, trailer=trailer))
        return False

    def _block(self) -> bool:
        """Read the block at `pos` that is no packet; False if it is damaged or the file ends inside."""
        window = self.window
        if not window.need(12):
            if window.end > window.pos or not self.sections:
                return self._refuse(f"the file ends {window.end - window.pos} bytes into a block")
            return False
        kind = window.number(self.order + "I", 0)
        if kind == SECTION:
            magic = bytes(window.data[window.pos + 8 : window.pos + 12])
            if magic not in (b"\x1a\x2b\x3c\x4d", b"\x4d\x3c\x2b\x1a"):
                return self._refuse("a section header without its byte-order magic")
            self.order = ">" if magic[0] == 0x1A else "<"
        size = window.number(self.order + "I", 4)
        if size < 12 or size % 4 or size > LARGEST_BLOCK or (kind == SECTION and size < 28) or (kind == INTERFACE and size < 20):
            return self._refuse(f"a block length of {size} cannot be")
        if not window.need(size):
            return self._refuse(f"the file ends {window.end - window.pos} bytes into a block")
        body = bytes(window.data[window.pos + 8 : window.pos + size - 4])
        trailer = window.number(self.order + "I", size - 4)
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
        window.pos += size
        return True

    def _refuse(self, says: str) -> bool:
        if not self.sections:
            raise InputError(f"{self.name}: no whole pcapng section: {says}")
        self._hurt(says)
        return False

    def _read(self, body: bytes, known: dict[int, tuple[str, Reader]]) -> Iterator[tuple[str, object]]:
        """(name, value) of the options that are known; the others are counted."""
        for code, value in options(body, self.order):
            if code not in known:
                self._skip("custom options" if code in CUSTOM else "unknown options")
                continue
            name, read = known[code]
            try:
                made = read(value, self.order)
            except (struct.error, ValueError, IndexError):  # not as long as it has to be
                self._skip("malformed options")
                continue
            yield name, made

    def _section(self, body: bytes) -> None:
        self.sections += 1
        self.base = len(self.interfaces)
        self.byte_order = "big" if self.order == ">" else "little"
        for name, value in self._read(body[16:], SECTION_OPTIONS):
            if name == "comments":
                self.comments.append(str(value))
            else:
                setattr(self, name, value)

    def _interface(self, body: bytes) -> None:
        link, snap = struct.unpack_from(self.order + "H2xI", body)
        interface = Interface(link, snap, section=self.sections - 1, number=len(self.interfaces) - self.base)
        self._fill(interface, self._read(body[8:], INTERFACE_OPTIONS))
        self.interfaces.append(interface)

    def _fill(self, interface: Interface, said: Iterable[tuple[str, object]]) -> None:
        for name, value in said:
            setattr(interface, name, (*getattr(interface, name), value) if name in ("addresses", "comments") else value)

    def _statistics(self, body: bytes) -> None:
        """Counts grow from block to block, so the last of an interface says all."""
        index = struct.unpack_from(self.order + "I", body)[0] + self.base if len(body) >= 12 else len(self.interfaces)
        if index >= len(self.interfaces):
            self._skip("statistics of an unknown interface")
            return
        interface = self.interfaces[index]
        said = [("when", _stamp(body[4:12], self.order)), *self._read(body[12:], STATISTICS_OPTIONS)]
        stamps = to_nanoseconds(np.array([value for name, value in said if name in ("when", "begin", "end")], np.int64), interface)
        times = iter(stamps.tolist())
        self._fill(interface, [(name, next(times) if name in ("when", "begin", "end") else value) for name, value in said])

    def _names(self, body: bytes) -> None:
        """Records of an address and its names, each ended by a zero byte, up to a record of type 0; then options. §4.5."""
        at = 0
        found = []
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
            found += [(_address(value[:width]), one.decode("utf-8", "replace")) for one in value[width:].split(b"\0") if one]
        server: dict[str, str] = {}
        for name, said in self._read(body[at:], NAME_OPTIONS):
            if name == "comments":
                self.comments.append(str(said))
            else:
                server[name] = str(said)
        room = max(MOST_NAMES - len(self.names), 0)
        if len(found) > room:
            self._skip("names beyond those kept", len(found) - room)
        self.names += [Name(self.sections - 1, *one, server.get("server"), server.get("server_address")) for one in found[:room]]

    def _batch(self, table: np.ndarray) -> Batch:
        known = len(self.interfaces) - self.base
        if table[4].max() >= known:
            n = int(np.argmax(table[4] >= known))
            at = self.window.behind + int(table[0, n]) - (28 if table[5, n] else 12)
            self._hurt(f"a packet of interface {table[4, n]}, which its section does not describe", self.frames + n + 1, at)
            table = table[:, :n]
        offset, captured, length, time, interface, at, end = table
        n = len(offset)
        link, fcs, stamps = np.zeros(n, np.int64), np.full(n, -1), np.zeros(n, np.int64)
        for index in np.unique(interface):
            one, rows = self.interfaces[self.base + index], interface == index
            one.frames += int(rows.sum())
            link[rows] = one.link_type
            fcs[rows] = -1 if one.fcs is None else one.fcs
            stamps[rows] = to_nanoseconds(time[rows], one)
        simple = at == 0
        if simple.any() and self.interfaces[self.base].snap_length:
            captured = np.where(simple, np.minimum(captured, self.interfaces[self.base].snap_length), captured)
        told = self._told(np.ascontiguousarray(at), np.ascontiguousarray(end))
        if "frame.packet_flags" in told:
            flags, rows = told["frame.packet_flags"]
            sequence = (flags >> 5 & 15).astype(np.int64)  # an interface may have frames with and without their check sequence
            assert rows is not None
            fcs[rows[sequence > 0]] = sequence[sequence > 0]
        stamps[simple] = 0
        timed = ~simple if simple.any() else None
        where = (interface + self.base, link, fcs)
        return Batch(self.window.data, self.frames + 1, offset, captured, length, stamps, timed, *where, told)

    def _told(self, start: np.ndarray, end: np.ndarray) -> dict[str, Column]:
        """What the options at these places (int64) say of each packet: field → values and rows."""
        room = int(np.maximum(end - start, 0).sum()) // 4
        if not room:
            return {}
        data, big = self.window.data, self.order == ">"
        row, code, at, size = np.empty((4, room), np.int64)
        n = _records.options(data.data, start.data, end.data, big, row.data, code.data, at.data, size.data)
        row, code, at, size = row[:n], code[:n], at[:n], size[:n]
        told = {}
        for number, (name, width) in NUMBERS.items():
            pick = np.flatnonzero((code == number) & (size == width))
            _, last = np.unique(row[pick][::-1], return_index=True)  # it may stand there once; of several the last counts
            pick = pick[len(pick) - 1 - last]
            if len(pick):
                values = gather(data, at[pick], width).view(f"{self.order}u{width}").reshape(-1)
                told[name] = Column((values if width == 4 else np.minimum(values, LARGEST_NUMBER)).astype(f"u{width}"), row[pick])
        texts: dict[str, list[tuple[int, object]]] = {}
        for option in np.flatnonzero(np.isin(code, (COMMENT, HASH, VERDICT))).tolist():
            value = data[at[option] : at[option] + size[option]].tobytes()
            name, said = self._said(int(code[option]), value)
            texts.setdefault(name, []).append((int(row[option]), said))
        bad = texts.pop("", [])
        wrong = sum(int(((code == number) & (size != width)).sum()) for number, (_, width) in NUMBERS.items()) + len(bad)
        custom = int(np.isin(code, CUSTOM).sum())
        unknown = int((code > VERDICT).sum()) - custom
        for kind, count in (("malformed options", wrong), ("custom options", custom), ("unknown options", unknown)):
            if count:
                self._skip(kind, count)
        for name, several in texts.items():
            values = np.array([value for _, value in several], np.int64 if "ebpf" in name else object)
            told[name] = Column(values, np.array([one for one, _ in several]))
        return told

    def _said(self, code: int, value: bytes) -> tuple[str, object]:
        """(field, value) of an option that is no number; ('', None) if it cannot be."""
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
