"""Classic pcap files: four magics (µs and ns, both byte orders) and Kuznetzov's modified one.

https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-03.html; the modified format's longer record header is
described at https://wiki.wireshark.org/Development/LibpcapFileFormat.
"""

from __future__ import annotations

import struct

import numpy as np

from ..errors import InputError
from ..fields import Column, gather
from . import _records
from .batch import LARGEST, LARGEST_BY_LINK, Batch, Interface, Source

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

    def _begin(self) -> None:
        window = self.window
        if not window.need(24):
            raise InputError(f"{self.name}: cut inside the file header, after {window.end} of 24 bytes")
        self.order = byte_order(bytes(window.data[:4])) or "<"
        magic, _, _, _, _, snap, network = struct.unpack(self.order + "IHHiIII", bytes(window.data[:24]))
        self.format, self.header, units = MAGICS[magic]
        self.byte_order = "big" if self.order == ">" else "little"
        link = network & 0x03FFFFFF
        fcs = (network >> 28) * 2 if network & 0x04000000 else None
        self.interfaces = [Interface(link, snap, units=units, fcs=fcs)]
        self.largest = LARGEST_BY_LINK.get(link, LARGEST)
        self.doubtful = False  # a time was found whose second word is more than a second
        window.pos = 24

    def _scan(self, at: int, limit: int, table: list[memoryview]) -> tuple[int, int, int]:
        window, fraction = self.window, 1_000_000_000 // self.interfaces[0].units
        *found, wrong = _records.pcap(
            window.data.data, at, window.end, self.order == ">", self.header, fraction, self.largest, limit, *table
        )
        self.doubtful |= wrong
        n, at, stop = found
        return n, at, stop

    def _batch(self, table: np.ndarray) -> Batch:
        interface = self.interfaces[0]
        offset, captured, length, time = table
        n = len(offset)
        interface.frames += n
        zero = np.zeros(n, np.int64)
        fcs = -1 if interface.fcs is None else interface.fcs
        where = (zero, zero + interface.link_type, zero + fcs)
        told = {}
        if self.doubtful:  # nanoseconds under the magic of microseconds: the time that comes of it is kept, and doubted
            fraction = gather(self.window.data, offset - self.header + 4, 4).view(self.order + "u4").reshape(-1)
            wrong = np.flatnonzero(fraction >= interface.units)
            told = {"frame.fraction": Column(fraction[wrong].astype(np.uint32), wrong)} if len(wrong) else {}
        return Batch(self.window.data, self.frames + 1, offset, captured, length, time, None, *where, told)

    def _stopped(self, stop: int) -> bool:
        if stop == _records.CUT:
            left = self.window.end - self.window.pos
            self._hurt(f"the file ends {left} bytes into a record" + (" header" if left < self.header else ""))
        elif stop == _records.TOO_LONG:
            size = self.window.number(self.order + "I", 8)
            self._hurt(f"a record claims {size} bytes, more than the {self.largest} that a frame can have")
        return False
