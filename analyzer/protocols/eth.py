"""Ethernet II and 802.3. IEEE 802.3 §3.2; RFC 894."""

import numpy as np

from ..fields import Column, Field, Headers, Layout, Protocol, Reading, mac, raw, u32
from .common import ethertype

HEADER = Layout(
    Field("eth.dst", mac, "Destination"),
    Field("eth.src", mac, "Source"),
    ethertype.word("eth.type_or_len"),
)
FCS = Layout(Field("eth.fcs", u32, "Frame check sequence", "CRC of the frame, where the capture has it", hex=8))
LINKS = ("frame", "isl")  # a frame in these is as it was on the link, padding and check sequence included
MIN_FRAME = 60  # bytes of the shortest frame, without its check sequence


def contents(h: Headers):
    return ethertype.contents(h, "eth.type_or_len")


def _trailers(h: Headers) -> dict[str, Column]:
    """What follows the payload, by Wireshark's rules: zero bytes up to the minimum frame size are padding, the last four bytes of
    a frame that is long enough are its check sequence, the rest is a trailer. In a tunnelled frame all of it is a trailer.
    """
    payload_end = h.wire if h.payload_end is None else h.payload_end
    end = h.start + MIN_FRAME
    on_link = h.parent is None or h.parent.protocol.name in LINKS
    rows = np.flatnonzero((payload_end < end) & (h.end >= end) & on_link)
    payload_end, end = payload_end[rows], end[rows]
    if len(rows):
        # The bytes between two offsets are zeros if the cumulative sums there are equal.
        low = int(payload_end.min())
        sums = np.concatenate((np.zeros(1, np.int64), np.cumsum(h.buffer[low : int(end.max())], dtype=np.int64)))
        zeros = sums[end - low] == sums[payload_end - low]
        rows, payload_end, end = rows[zeros], payload_end[zeros], end[zeros]
    padding = Column(np.column_stack((payload_end, end)), rows)
    payload_end = (h.wire if h.payload_end is None else h.payload_end).copy()
    payload_end[rows] = end
    lengths, rows_with_length = h.frames.column("frame.fcs_len")
    fcs_len = np.full(len(h.frames), -1)
    fcs_len[rows_with_length] = lengths
    fcs_len = fcs_len[h.frame]
    rest = h.wire - payload_end
    has = (rest >= 4) & np.where(fcs_len < 0, h.wire - h.start >= MIN_FRAME + 4, fcs_len == 4) & h.whole & (h.end == h.wire) & on_link
    has &= ~np.isin(h["eth.type_or_len"], ethertype.TAGS)  # then the tag's header has the trailer
    fcs = np.flatnonzero(has)
    reading = Reading(FCS, h.buffer, h.wire[fcs] - 4, h.wire[fcs], fcs)
    left = np.minimum(h.wire - 4 * has, h.end)
    trailed = np.flatnonzero((left > payload_end) & h.whole & ~np.isin(h["eth.type_or_len"], ethertype.TAGS))
    return {
        "eth.padding": padding,
        "eth.trailer": Column(np.column_stack((payload_end, left))[trailed], trailed),
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
                *FCS.fields,
            ),
            _trailers,
        ),
    ),
)
