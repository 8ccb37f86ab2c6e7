"""Classic pcap files: timestamps in µs or ns, both byte orders, and Kuznetzov's modified format.

https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-03.html; the longer packet record header of the modified format:
https://wiki.wireshark.org/Development/LibpcapFileFormat.
"""

from __future__ import annotations

import struct

import numpy as np

from ..errors import InputError
from ..fields import Column, gather
from . import _records
from .batch import MAX_FRAME, MAX_FRAME_BY_LINK, Batch, Interface, Source

MAGICS = {  # magic number: (name, bytes of a packet record header, timestamp fractions per second)
    0xA1B2C3D4: ("pcap", 16, 1_000_000),
    0xA1B23C4D: ("pcap, nanoseconds", 16, 1_000_000_000),
    0xA1B2CD34: ("pcap, modified", 24, 1_000_000),
}


def byte_order(head: bytes) -> str | None:
    """'>' or '<' if the first four bytes are a pcap magic number, else None."""
    return next((o for o in "<>" if struct.unpack(o + "I", head[:4])[0] in MAGICS), None) if len(head) >= 4 else None


class Pcap(Source):
    """Reader of one classic pcap file. Raises InputError if the file header is truncated."""

    def _begin(self) -> None:
        buffer = self.buffer
        if not buffer.need(24):
            raise InputError(f"{self.name}: cut inside the file header, after {buffer.end} of 24 bytes")
        self.order = byte_order(bytes(buffer.data[:4])) or "<"
        magic, _, _, _, _, snaplen, network = struct.unpack(self.order + "IHHiIII", bytes(buffer.data[:24]))
        self.format, self.header, ticks = MAGICS[magic]
        self.byte_order = "big" if self.order == ">" else "little"
        link = network & 0x03FFFFFF
        fcs = (network >> 28) * 2 if network & 0x04000000 else None  # FCS len, in 16-bit words, and the F bit
        self.interfaces = [Interface(link, snaplen, ticks_per_second=ticks, fcs_length=fcs)]
        self.largest = MAX_FRAME_BY_LINK.get(link, MAX_FRAME)
        self.bad_fractions = False  # a timestamp has a fraction of a second or more
        buffer.pos = 24

    def _scan(self, at: int, limit: int, table: list[memoryview]) -> tuple[int, int, int]:
        buffer, fraction = self.buffer, 1_000_000_000 // self.interfaces[0].ticks_per_second
        n, at, stop, bad = _records.pcap(
            buffer.data.data, at, buffer.end, self.order == ">", self.header, fraction, self.largest, limit, *table
        )
        self.bad_fractions |= bad
        return n, at, stop

    def _batch(self, table: np.ndarray) -> Batch:
        interface = self.interfaces[0]
        offset, captured, length, time = table
        n = len(offset)
        interface.frames += n
        zero = np.zeros(n, np.int64)
        fcs = -1 if interface.fcs_length is None else interface.fcs_length
        where = (zero, zero + interface.link_type, zero + fcs)
        columns = {}
        if self.bad_fractions:  # nanoseconds in a file of microseconds; the time is kept
            fraction = gather(self.buffer.data, offset - self.header + 4, 4).view(self.order + "u4").reshape(-1)
            bad = np.flatnonzero(fraction >= interface.ticks_per_second)
            columns = {"frame.fraction": Column(fraction[bad].astype(np.uint32), bad)} if len(bad) else {}
        return Batch(self.buffer.data, self.frames + 1, offset, captured, length, time, None, *where, columns)

    def _stopped(self, stop: int) -> bool:
        if stop == _records.CUT:
            left = self.buffer.end - self.buffer.pos
            self._corrupt(f"the file ends {left} bytes into a record" + (" header" if left < self.header else ""))
        elif stop == _records.TOO_LONG:
            size = self.buffer.number(self.order + "I", 8)
            self._corrupt(f"a record claims {size} bytes, more than the {self.largest} that a frame can have")
        return False
