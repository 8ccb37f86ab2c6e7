"""Real-time Transport Protocol. RFC 3550 §5; payload types: RFC 3551.

RTP has no port of its own: it is found by SDP or by `-d udp.port==N,rtp`. The table `rtp_streams` has loss and jitter.
"""

import numpy as np

from ..fields import Column, Field, Headers, Layout, Protocol, Reading, bits, flag, raw, text, u8, u16, u32, u64
from .common.parts import Parts
from .common.tlv import repeated

TYPES = {  # RFC 3551 §6
    0: "ITU-T G.711 PCMU", 3: "GSM 06.10", 4: "ITU-T G.723", 5: "DVI4 8000 samples/s", 6: "DVI4 16000 samples/s",
    7: "Experimental linear predictive encoding from Xerox PARC", 8: "ITU-T G.711 PCMA", 9: "ITU-T G.722", 10: "16-bit audio, stereo",
    11: "16-bit audio, monaural", 12: "Qualcomm Code Excited Linear Predictive coding", 13: "Comfort noise", 14: "MPEG-I/II Audio",
    15: "ITU-T G.728", 16: "DVI4 11025 samples/s", 17: "DVI4 22050 samples/s", 18: "ITU-T G.729", 25: "Sun CellB video encoding",
    26: "JPEG-compressed video", 28: "'nv' program", 31: "ITU-T H.261", 32: "MPEG-I/II Video", 33: "MPEG-II transport streams",
    34: "ITU-T H.263",
}  # fmt: skip
RATES = {0: 8000, 3: 8000, 4: 8000, 5: 8000, 6: 16000, 7: 8000, 8: 8000, 9: 8000, 10: 44100, 11: 44100, 12: 8000, 13: 8000, 14: 90000,
         15: 8000, 16: 11025, 17: 22050, 18: 8000, 25: 90000, 26: 90000, 28: 90000, 31: 90000, 32: 90000, 33: 90000, 34: 90000}  # fmt: skip
VERSION = 2
CONTROL = (192, 223)  # second bytes of RTCP where both share a port, RFC 5761 §4
HEADER = Layout(
    Field("rtp.version", bits(2), "Version"),
    Field("rtp.padding", flag, "Padding"),
    Field("rtp.ext", flag, "Extension"),
    Field("rtp.cc", bits(4), "Contributing sources"),
    Field("rtp.marker", flag, "Marker", "meaning depends on the payload type: often the end of a video frame, or the start of a talkspurt"),
    Field("rtp.p_type", bits(7), "Payload type", value_names=TYPES),
    Field("rtp.seq", u16, "Sequence number"),
    Field("rtp.timestamp", u32, "Timestamp", "in units of the payload type's clock"),
    Field("rtp.ssrc", u32, "Source", "SSRC", hex=8),
)
SOURCE = Layout(Field("rtp.csrc.item", u32, "Contributing source", hex=8), many=True)
MORE = Layout(Field("rtp.ext.profile", u16, "Extension's profile", hex=4), Field("rtp.ext.len", u16, "Extension", "words after this one"))


def probe_port(r: Reading) -> np.ndarray:
    """Version 2 and room for a header; other traffic on such a port, as STUN and DTLS, has other first bits (RFC 7983)."""
    return (r["rtp.version"] == VERSION) & (r.trusted == HEADER.size)


def _extension(h: Headers) -> tuple[np.ndarray, np.ndarray]:
    """Offset of the extension, and its length in words after the first (-1: none); int64."""
    at = h.start + HEADER.size + 4 * h["rtp.cc"].astype(np.int64)
    head = Reading(MORE, h.buffer, np.minimum(at, h.end), h.end)
    there = h.whole & h["rtp.ext"] & (head.trusted == MORE.size)
    return at, np.where(there, head["rtp.ext.len"].astype(np.int64), -1)


def _bounds(h: Headers) -> tuple[np.ndarray, np.ndarray]:
    """Start and end of the payload without padding, int64."""
    at, words = _extension(h)
    start = at + np.where(words >= 0, 4 + 4 * words, 0)
    end = h.wire.copy()
    padded = np.flatnonzero(h["rtp.padding"] & (h.wire <= h.end) & (h.wire > start))
    end[padded] -= h.buffer[h.wire[padded] - 1]
    return start, np.maximum(end, np.minimum(start, h.wire))


def check(h: Headers) -> None:
    start, _ = _bounds(h)
    whole = h.whole & ~h.quoted
    h.fault(whole & (h["rtp.version"] != VERSION), "rtp.version", "is not 2")
    h.fault(whole & (start > h.wire), "rtp.cc", "needs {needed} bytes, has {had}", start - h.start, h.wire - h.start, h.start)


def _derived(h: Headers) -> dict[str, Column]:
    parts = Parts(h, FIELDS)
    rows = np.flatnonzero(h.whole)
    owner, nth = repeated(h["rtp.cc"][rows].astype(np.int64))
    parts.read(SOURCE, rows[owner], h.start[rows[owner]] + HEADER.size + 4 * nth)
    at, words = _extension(h)
    some = np.flatnonzero(words >= 0)
    parts.read(MORE, some, at[some])
    start, end = _bounds(h)
    rows = rows[end[rows] > start[rows]]
    parts.bytes("rtp.payload", rows, start[rows], end[rows])
    padded = np.flatnonzero(h.whole & h["rtp.padding"] & (h.wire <= h.end))
    last = h.wire[padded] - 1
    parts.put("rtp.padding.count", h.buffer[last], padded, last)
    return dict(parts.columns())


FIELDS = (*SOURCE.fields, *MORE.fields, Field("rtp.payload", raw, "Payload"), Field("rtp.padding.count", u8, "Padding bytes"))

PROTOCOL = Protocol(
    "RTP",
    header=HEADER,
    on={"udp.port": ()},
    info="{rtp.p_type:words}, source {rtp.ssrc}, sequence {rtp.seq}, time {rtp.timestamp}[?rtp.marker:, marker{rtp.marker:mark}]",
    check=check,
    probe_port=probe_port,
    derived=((FIELDS, _derived),),
    external_fields=(
        Field("rtp.setup-frame", u64, "Set up in", "frame with the SDP that announced it"),
        Field("rtp.setup-method", text, "Set up by"),
    ),
)
