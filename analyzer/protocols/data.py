"""Bytes that no decoder took."""

import numpy as np

from ..fields import Column, Field, Headers, Protocol, raw, u32


def _data(h: Headers) -> dict[str, Column]:
    return {"data.data": Column(np.column_stack((h.start, h.end))), "data.len": Column(h.wire - h.start)}


PROTOCOL = Protocol(
    "data",
    "Data",
    __doc__,
    generic=True,
    info="{data.len} bytes",
    derived=(((Field("data.data", raw, "Data"), Field("data.len", u32, "Length", "bytes, as on the wire")), _data),),
)
