"""Ethernet II and 802.3. IEEE 802.3 §3.2; RFC 894."""

import numpy as np

from ..fields import Column, Field, Headers, Layout, mac, raw
from . import _ethertype

LABEL = "Ethernet"
HEADER = Layout(
    Field("eth.dst", mac, "Destination"),
    Field("eth.src", mac, "Source"),
    _ethertype.word("eth.type_or_len"),
)
ON = {"linktype": 1, "ipproto": 143}
ADDRESSES = ("eth.src", "eth.dst")
EITHER = {"eth.addr": ADDRESSES}
INFO = "[type {eth.type}][length {eth.len}]"
SHORTEST = 60  # bytes of the shortest frame, without its check sequence


def contents(h: Headers):
    return _ethertype.contents(h, "eth.type_or_len")


def _padding(h: Headers) -> dict[str, Column]:
    """Zero bytes that fill a frame up to the shortest there may be; anything else behind the contents is a trailer."""
    inner = h.wire if h.inner is None else h.inner
    end = h.start + SHORTEST
    rows = np.flatnonzero((inner < end) & (h.end >= end))
    inner, end = inner[rows], end[rows]
    if len(rows):
        # Sums of the bytes before two places differ by what stands between them, and zeros add nothing.
        low = int(inner.min())
        sums = np.concatenate((np.zeros(1, np.int64), np.cumsum(h.buffer[low : int(end.max())], dtype=np.int64)))
        zeros = sums[end - low] == sums[inner - low]
        rows, inner, end = rows[zeros], inner[zeros], end[zeros]
    return {"eth.padding": Column(np.column_stack((inner, end)), rows)}


DERIVED = (
    (_ethertype.fields("eth.type", "eth.len"), lambda h: _ethertype.kinds(h, "eth.type_or_len", "eth.type", "eth.len")),
    ((Field("eth.padding", raw, "Padding", "zero bytes that fill a frame up to 60"),), _padding),
)
