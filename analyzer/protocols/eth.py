"""Ethernet II and 802.3. IEEE 802.3 §3.2; RFC 894."""

import numpy as np

from ..fields import Column, Field, Headers, Layout, Protocol, Reading, mac, raw, u32
from .common import ethertype

HEADER = Layout(
    Field("eth.dst", mac, "Destination"),
    Field("eth.src", mac, "Source"),
    ethertype.word("eth.type_or_len"),
)
SEQUENCE = Layout(Field("eth.fcs", u32, "Frame check sequence", "CRC of the frame, where the capture has it", hex=8))
LINKS = ("frame", "isl")  # below these a frame is as its link had it
SHORTEST = 60  # bytes of the shortest frame, without its check sequence


def contents(h: Headers):
    return ethertype.contents(h, "eth.type_or_len")


def _behind(h: Headers) -> dict[str, Column]:
    """What stands behind the contents: zero bytes that fill a frame up to the shortest there may be are padding, the last four
    bytes of a frame that is long enough to have it are its check sequence, the rest is a trailer. Of a frame in a tunnel, which
    is no link's, all is a trailer. Wireshark's rules.
    """
    inner = h.wire if h.payload_end is None else h.payload_end
    end = h.start + SHORTEST
    linked = h.parent is None or h.parent.protocol.name in LINKS
    rows = np.flatnonzero((inner < end) & (h.end >= end) & linked)
    inner, end = inner[rows], end[rows]
    if len(rows):
        # Sums of the bytes before two places differ by what stands between them, and zeros add nothing.
        low = int(inner.min())
        sums = np.concatenate((np.zeros(1, np.int64), np.cumsum(h.buffer[low : int(end.max())], dtype=np.int64)))
        zeros = sums[end - low] == sums[inner - low]
        rows, inner, end = rows[zeros], inner[zeros], end[zeros]
    padding = Column(np.column_stack((inner, end)), rows)
    inner = (h.wire if h.payload_end is None else h.payload_end).copy()
    inner[rows] = end
    lengths, said = h.frames.column("frame.fcs_len")
    known = np.full(len(h.frames), -1)
    known[said] = lengths
    known = known[h.frame]
    rest = h.wire - inner
    has = (rest >= 4) & np.where(known < 0, h.wire - h.start >= SHORTEST + 4, known == 4) & h.whole & (h.end == h.wire) & linked
    has &= ~np.isin(h["eth.type_or_len"], ethertype.TAGS)  # a tag's frame check is the tag's business
    sequence = np.flatnonzero(has)
    reading = Reading(SEQUENCE, h.buffer, h.wire[sequence] - 4, h.wire[sequence], sequence)
    left = np.minimum(h.wire - 4 * has, h.end)
    trailed = np.flatnonzero((left > inner) & h.whole & ~np.isin(h["eth.type_or_len"], ethertype.TAGS))
    return {
        "eth.padding": padding,
        "eth.trailer": Column(np.column_stack((inner, left))[trailed], trailed),
        "eth.fcs": reading.column("eth.fcs"),
    }


PROTOCOL = Protocol(
    "eth",
    "Ethernet",
    __doc__,
    padded=True,
    header=HEADER,
    on={"linktype": 1, "ipproto": 143, "ethertype": 0x6558, "gre.proto": (0x6558, 0x6400), "vxlan.next_proto": 3},
    addresses=("eth.src", "eth.dst"),
    aliases={"eth.addr": ("eth.dst", "eth.src")},
    info="[type {eth.type}][length {eth.len}]",
    contents=contents,
    derived=(
        (ethertype.fields("eth.type", "eth.len"), lambda h: ethertype.kinds(h, "eth.type_or_len", "eth.type", "eth.len")),
        (
            (
                Field("eth.padding", raw, "Padding", "zero bytes that fill a frame up to 60"),
                Field("eth.trailer", raw, "Trailer", "bytes behind the contents that are no padding"),
                *SEQUENCE.fields,
            ),
            _behind,
        ),
    ),
)
