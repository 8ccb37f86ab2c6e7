"""pcapng files: sections, interfaces, packets; https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from . import _records
from .batch import LARGEST, LARGEST_BY_LINK, Batch, Interface, Source

if TYPE_CHECKING:
    from collections.abc import Iterator

SECTION, INTERFACE = 0x0A0D0D0A, 1
BLOCKS = {  # §4.1 and §10.1: blocks that hold no frame
    4: "name resolution",
    5: "interface statistics",
    9: "systemd journal",
    10: "decryption secrets",
    0xBAD: "custom",
    0x40000BAD: "custom",
}
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

    def _scan(self, limit: int, table: list[memoryview]) -> tuple[int, int, int]:
        window = self.window
        if not self.sections:
            return 0, window.pos, _records.OTHER
        return _records.pcapng(window.data.data, window.pos, window.end, self.order == ">", self.largest, limit, *table)

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
        else:
            name = BLOCKS.get(kind, f"block type 0x{kind:08x}")
            self.skipped[name] = self.skipped.get(name, 0) + 1
        window.pos += size
        return True

    def _refuse(self, says: str) -> bool:
        if not self.sections:
            raise InputError(f"{self.name}: no whole pcapng section: {says}")
        self._hurt(says)
        return False

    def _section(self, body: bytes) -> None:
        self.sections += 1
        self.base = len(self.interfaces)
        self.byte_order = "big" if self.order == ">" else "little"
        for code, value in options(body[16:], self.order):
            if code == 1:
                self.comments.append(value.decode("utf-8", "replace"))
            elif code == 4:
                self.application = value.decode("utf-8", "replace")

    def _interface(self, body: bytes) -> None:
        link, snap = struct.unpack_from(self.order + "H2xI", body)
        interface = Interface(link, snap, section=self.sections - 1, numbered=True)
        for code, value in options(body[8:], self.order):
            if code == 2:
                interface.name = value.rstrip(b"\0").decode("utf-8", "replace")
            elif code == 3:
                interface.description = value.rstrip(b"\0").decode("utf-8", "replace")
            elif code == 9 and value:
                interface.units = 2 ** (value[0] & 0x7F) if value[0] & 0x80 else 10 ** value[0]
            elif code == 13 and value:
                interface.fcs = value[0]
            elif code == 14 and len(value) == 8:
                interface.offset = struct.unpack(self.order + "q", value)[0]
        self.interfaces.append(interface)

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
        comments = {}
        for row in np.flatnonzero(end - at >= 4):
            said = [v for c, v in options(bytes(self.window.data[at[row] : end[row]]), self.order) if c == 1]
            if said:
                comments[int(row)] = [text.decode("utf-8", "replace") for text in said]
        stamps[simple] = 0
        timed = ~simple if simple.any() else None
        where = (interface + self.base, link, fcs)
        return Batch(self.window.data, self.frames + 1, offset, captured, length, stamps, timed, *where, comments)
