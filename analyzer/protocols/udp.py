"""User Datagram Protocol. RFC 768, https://www.rfc-editor.org/rfc/rfc768"""

import numpy as np

from ..fields import Column, Field, Headers, Layout, Payload, Protocol, raw, u16, u32
from .common import checksums

HEADER = Layout(
    Field("udp.srcport", u16, "Source port"),
    Field("udp.dstport", u16, "Destination port"),
    Field("udp.length", u16, "Length", "bytes, header included; 0: a jumbogram"),
    Field("udp.checksum", u16, "Checksum", "0: none", hex=4),
)


def _end(h: Headers) -> np.ndarray:
    length = h["udp.length"].astype(np.int64)
    return np.minimum(np.where(length == 0, h.wire, h.start + length), h.wire)


JUMBO = 0xFFFF  # most bytes of the length field; of longer packets it is 0 (RFC 2675 §4)


def contents(h: Headers):
    length = h["udp.length"].astype(np.int64)
    jumbo = (length == 0) & (h.wire - h.start > JUMBO)
    h.fault(h.whole & ~jumbo & (length < HEADER.size), "udp.length", "is {had}, less than the header's {needed} bytes", HEADER.size, length)
    beyond = h.whole & (h.start + length > h.wire) & ~h.quoted
    h.fault(beyond, "udp.length", "says {needed} bytes, there are {had}", length, h.wire - h.start, h.start + 4)
    source, target = h["udp.srcport"], h["udp.dstport"]
    yield Payload("udp.port", (np.minimum(source, target), np.maximum(source, target)), h.start + HEADER.size, _end(h))


def _payload(h: Headers) -> dict[str, Column]:
    return carried(h, _end(h))


def carried(h: Headers, end: np.ndarray) -> dict[str, Column]:
    """The payload between the header and `end`."""
    start = h.start + HEADER.size
    rows = np.flatnonzero(h.whole & (np.minimum(end, h.end) > start))
    length = Column(np.maximum(end - start, 0)) if h.whole.all() else Column((end - start)[h.whole], np.flatnonzero(h.whole))
    return {"udp.payload": Column(np.column_stack((start, np.minimum(end, h.end)))[rows], rows), "udp.payload_len": length}


def _status(h: Headers) -> dict[str, Column]:
    rows = np.flatnonzero(h.trusted == HEADER.size)
    if not h.checksums:
        status = np.full(len(rows), checksums.UNVERIFIED, np.uint8)
    else:
        end = _end(h)
        more = checksums.pseudo(h, end - h.start, 17)
        status = checksums.status(h, end[rows], more, rows)
        status[(status == checksums.BAD) & (h["udp.checksum"][rows] == checksums.partial(more, rows))] = checksums.PARTIAL
    status[h["udp.checksum"][rows] == 0] = checksums.ABSENT
    return {"udp.checksum.status": Column(status, rows)}


PROTOCOL = Protocol(
    "UDP",
    header=HEADER,
    on={"ipproto": 17},
    aliases={"udp.port": ("udp.srcport", "udp.dstport")},
    info="{udp.srcport} → {udp.dstport} Len={udp.payload_len}",
    contents=contents,
    derived=(
        ((Field("udp.payload", raw, "Payload"), Field("udp.payload_len", u32, "Payload length", "bytes")), _payload),
        ((checksums.status_field("udp.checksum.status"),), _status),
    ),
    external_fields=(Field("udp.stream", u32, "Stream", "number of the conversation, from 0"),),
)
