"""IP Encapsulating Security Payload: what is behind the sequence number is enciphered. RFC 4303 §2."""

import numpy as np

from ..fields import Column, Field, Headers, Layout, Protocol, raw, u32

HEADER = Layout(
    Field("esp.spi", u32, "Security parameters", "index: which association it belongs to", hex=8),
    Field("esp.sequence", u32, "Sequence number"),
)


def _data(h: Headers) -> dict[str, Column]:
    start = h.start + HEADER.size
    rows = np.flatnonzero(h.whole & (h.end > start))
    return {"esp.encrypted_data": Column(np.column_stack((start, h.end))[rows], rows)}


PROTOCOL = Protocol(
    "ESP",
    header=HEADER,
    on={"ipproto": 50, "udpencap": 0},
    info="SPI {esp.spi}, sequence {esp.sequence}",
    derived=(((Field("esp.encrypted_data", raw, "Enciphered data", "with padding, next header and integrity check"),), _data),),
)
