"""UDP-Lite: UDP whose checksum may cover only the first bytes. RFC 3828."""

import numpy as np

from ..fields import Column, Field, Headers, Layout, Payload, Protocol, raw, u16
from . import udp
from .common import checksums

HEADER = Layout(
    Field("udp.srcport", u16, "Source port"),
    Field("udp.dstport", u16, "Destination port"),
    Field("udp.checksum_coverage", u16, "Checksum coverage", "bytes from the header on; 0: all of them"),
    Field("udp.checksum", u16, "Checksum", hex=4),
)


def contents(h: Headers):
    covered = h["udp.checksum_coverage"].astype(np.int64)
    h.fault(
        h.whole & (covered > 0) & (covered < HEADER.size),
        "udp.checksum_coverage",
        "is {had}, less than the header's {needed}",
        HEADER.size,
        covered,
    )
    source, target = h["udp.srcport"], h["udp.dstport"]
    yield Payload("udp.port", (np.minimum(source, target), np.maximum(source, target)), h.start + HEADER.size, h.wire)


def _payload(h: Headers) -> dict[str, Column]:
    return udp.carried(h, h.wire)


def _status(h: Headers) -> dict[str, Column]:
    rows = np.flatnonzero(h.trusted == HEADER.size)
    length = h.wire - h.start
    covered = h["udp.checksum_coverage"].astype(np.int64)
    end = np.minimum(h.start + np.where(covered == 0, length, covered), h.wire)
    return {"udp.checksum.status": Column(checksums.status(h, end[rows], checksums.pseudo(h, length, 136), rows), rows)}


PROTOCOL = Protocol(
    "udplite",
    "UDP-Lite",
    __doc__,
    header=HEADER,
    on={"ipproto": 136},
    aliases={"udp.port": ("udp.srcport", "udp.dstport")},
    info="{udp.srcport} → {udp.dstport} Len={udp.payload_len}",
    contents=contents,
    derived=(
        ((Field("udp.payload", raw, "Payload"), Field("udp.payload_len", u16, "Payload length", "bytes")), _payload),
        ((checksums.status_field("udp.checksum.status"),), _status),
    ),
)
