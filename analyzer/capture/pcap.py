"""Classic pcap files: four magics (µs and ns, both byte orders) and Kuznetzov's modified one.

https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-03.html; the modified format's longer record header is
described at https://wiki.wireshark.org/Development/LibpcapFileFormat.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np

from ..errors import Damage, InputError
from . import _records
from .batch import FRAMES, LARGEST, LARGEST_BY_LINK, Batch, Interface, Source

if TYPE_CHECKING:
    from collections.abc import Iterator

MAGICS = {  # magic: (name, record header's bytes, units of the time's second word in a second)
    0xA1B2C3D4: ("pcap", 16, 1_000_000),
    0xA1B23C4D: ("pcap, nanoseconds", 16, 1_000_000_000),
    0xA1B2CD34: ("pcap, modified", 24, 1_000_000),
}


def byte_order(head: bytes) -> str | None:
    """'>' or '<' if the first four bytes are a pcap magic, else None."""
    return next((o for o in "<>" if struct.unpack(o + "I", head[:4])[0] in MAGICS), None) if len(head) >= 4 else None


class Pcap(Source):
    """Reader of one classic pcap file. Raises InputError if the file header is cut."""

    def batches(self) -> Iterator[Batch]:
        window = self.window
        if not window.need(24):
            raise InputError(f"{self.name}: cut inside the file header, after {window.end} of 24 bytes")
        order = byte_order(bytes(window.data[:4])) or "<"
        magic, _, _, _, _, snap, network = struct.unpack(order + "IHHiIII", bytes(window.data[:24]))
        self.format, header, units = MAGICS[magic]
        self.byte_order = "big" if order == ">" else "little"
        link = network & 0x03FFFFFF
        fcs = (network >> 28) * 2 if network & 0x04000000 else None
        self.interfaces = [Interface(link, snap, units=units, fcs=fcs)]
        window.pos = 24
        largest = LARGEST_BY_LINK.get(link, LARGEST)
        table = np.empty((4, min(self.limit, FRAMES)), np.int64)
        while True:
            limit = min(self.limit, table.shape[1])
            n, at, stop = _records.pcap(
                window.data, window.pos, window.end, order == ">", header, 1_000_000_000 // units, largest, limit, *table
            )
            if stop == _records.FULL and n < self.limit:
                table = np.empty((4, 2 * n), np.int64)
                continue
            if stop in (_records.MORE, _records.CUT) and (n == 0 or self.exact) and not window.eof:
                window.fill()
                continue
            if n:
                yield self._batch(n, table)
                window.pos = at
                self.frames += n
            if stop == _records.FULL or (stop != _records.TOO_LONG and not window.eof):
                continue
            if stop == _records.CUT:
                left = window.end - window.pos
                what = f"the file ends {left} bytes into a record" + (" header" if left < header else "")
                self.damage = Damage(self.name, self.frames + 1, window.offset, what)
            elif stop == _records.TOO_LONG:
                size = window.number(order + "I", 8)
                what = f"a record claims {size} bytes, more than the {largest} that a frame can have"
                self.damage = Damage(self.name, self.frames + 1, window.offset, what)
            return

    def _batch(self, n: int, table: np.ndarray) -> Batch:
        interface = self.interfaces[0]
        interface.frames += n
        offset, captured, length, time = table[:, :n]
        zero = np.zeros(n, np.int64)
        fcs = -1 if interface.fcs is None else interface.fcs
        return Batch(self.window.data, self.frames + 1, offset, captured, length, time, None, zero, zero + interface.link_type, zero + fcs)
