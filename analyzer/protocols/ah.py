"""IP Authentication Header. RFC 4302 §2."""

import numpy as np

from ..fields import Column, Field, Headers, Layout, Payload, Protocol, raw, u8, u16, u32
from .common.registries import IPPROTO

HEADER = Layout(
    Field("ah.next_header", u8, "Next header", value_names=IPPROTO),
    Field("ah.length", u8, "Length", "of this header in words of 4 bytes, less 2"),
    Field("ah.reserved_raw", u16, "Reserved", hex=4),
    Field("ah.spi", u32, "Security parameters", "index: which association it belongs to", hex=8),
    Field("ah.sequence", u32, "Sequence number"),
)


def _size(h: Headers) -> np.ndarray:
    """Bytes of the header."""
    return 4 * h["ah.length"].astype(np.int64) + 8


def contents(h: Headers):
    size = _size(h)
    short = h.whole & (size < HEADER.size)
    h.fault(short, "ah.length", "is {had}, less than the header's {needed} bytes", HEADER.size, size, h.start + 1)
    beyond = h.whole & (h.start + size > h.wire)
    h.fault(beyond & ~h.quoted, "ah.length", "says {needed} bytes, there are {had}", size, h.wire - h.start, h.start + 1)
    yield Payload("ipproto", h["ah.next_header"], h.start + size, h.wire, np.flatnonzero(~short & ~beyond))


def _icv(h: Headers) -> dict[str, Column]:
    start, end = h.start + HEADER.size, h.start + _size(h)
    rows = np.flatnonzero(h.whole & (end > start) & (end <= h.end))
    return {"ah.icv": Column(np.column_stack((start, end))[rows], rows)}


PROTOCOL = Protocol(
    "ah",
    "AH",
    __doc__,
    header=HEADER,
    on={"ipproto": 51},
    info="SPI {ah.spi}, sequence {ah.sequence}, next: {ah.next_header:words}",
    contents=contents,
    derived=(((Field("ah.icv", raw, "Integrity check", "what proves that nothing was changed"),), _icv),),
)
