"""RTP Control Protocol. RFC 3550 §6; feedback: RFC 4585; extended reports: RFC 3611.

A row is a datagram, a compound of several packets. Found by SDP, by `-d`, or by its bytes.
"""

import numpy as np

from ..fields import Column, Field, Headers, Layout, Protocol, Reading, bits, date, flag, signed, text, u8, u16, u32, u64
from .common.parts import Parts
from .common.tlv import items, repeated

SR, RR, SDES, BYE, APP, FEEDBACK, PAYLOAD, XR = range(200, 208)
TYPES = {SR: "sender report", RR: "receiver report", SDES: "source description", BYE: "goodbye", APP: "application", FEEDBACK: "feedback",
         PAYLOAD: "payload feedback", XR: "extended report"}  # fmt: skip
ITEMS = {0: "end", 1: "CNAME", 2: "name", 3: "mail", 4: "phone", 5: "location", 6: "tool", 7: "note", 8: "private"}
VERSION = 2
HEAD = Layout(
    Field("rtcp.version", bits(2), "Version"),
    Field("rtcp.padding", flag, "Padding"),
    Field("", bits(5), ""),
    Field("rtcp.pt", u8, "Packet type", value_names=TYPES),
    Field("rtcp.length", u16, "Length", "words after the first"),
    many=True,
)
COUNT = Layout(Field("", bits(3), ""), Field("rtcp.rc", bits(5), "Report blocks"), many=True)
SOURCES = Layout(Field("", bits(3), ""), Field("rtcp.sc", bits(5), "Sources"), many=True)
SENDER = Layout(Field("rtcp.senderssrc", u32, "Sender", "SSRC", hex=8), many=True)
SENT = Layout(
    Field("rtcp.timestamp.ntp.msw", u32, "NTP time, seconds"),
    Field("rtcp.timestamp.ntp.lsw", u32, "NTP time, fraction"),
    Field("rtcp.timestamp.rtp", u32, "RTP timestamp", "of the same moment"),
    Field("rtcp.sender.packetcount", u32, "Packets sent"),
    Field("rtcp.sender.octetcount", u32, "Bytes sent", "of payload"),
    many=True,
)
BLOCK = Layout(
    Field("rtcp.ssrc.identifier", u32, "Source", "SSRC that the block reports on", hex=8),
    Field("rtcp.ssrc.fraction", u8, "Lost", "since the previous report, in 256ths"),
    Field("", bits(24), ""),
    Field(
        "rtcp.ssrc.ext_high",
        u32,
        "Highest sequence number",
        parts=(Field("rtcp.ssrc.high_cycles", u16, "Cycles"), Field("rtcp.ssrc.high_seq", u16, "Highest sequence number", "received")),
    ),
    Field("rtcp.ssrc.jitter", u32, "Jitter", "in units of the payload's clock"),
    Field("rtcp.ssrc.lsr", u32, "Last sender report", "the middle 32 bits of its NTP time"),
    Field("rtcp.ssrc.dlsr", u32, "Delay since that", "in 65536ths of a second"),
    many=True,
)
MEDIA = Layout(Field("rtcp.mediassrc", u32, "Media's source", "SSRC", hex=8), many=True)
IDENTIFIER = Layout(Field("rtcp.ssrc.identifier", u32, "Source", hex=8), many=True)
ITEM = Layout(Field("rtcp.sdes.type", u8, "Item", value_names=ITEMS), Field("rtcp.sdes.length", u8, "Item's length"), many=True)
EPOCH = 2_208_988_800  # seconds from 1900 to 1970
MOST = 64  # chunks and items of a source description that are read
HEADER = Layout()


def probe_port(r: Reading) -> np.ndarray:
    """Version 2 and a type of RTCP's."""
    first = Reading(HEAD, r.buffer, r.start, r.end)
    return (first["rtcp.version"] == VERSION) & (first["rtcp.pt"] >= 192) & (first["rtcp.pt"] <= 223) & (first.trusted == HEAD.size)


def probe(r: Reading) -> np.ndarray:
    """A sender or receiver report whose length fits, followed by nothing or another RTCP packet: RFC 3550 appendix A.2."""
    first = Reading(HEAD, r.buffer, r.start, r.end)
    size = 4 + 4 * first["rtcp.length"].astype(np.int64)
    next_at = r.start + size
    good = (first["rtcp.version"] == VERSION) & np.isin(first["rtcp.pt"], (SR, RR)) & (first.trusted == HEAD.size)
    good &= (size >= np.where(first["rtcp.pt"] == SR, 28, 8)) & (next_at <= r.end) & ((r.end - r.start) % 4 == 0)
    after = Reading(HEAD, r.buffer, np.minimum(next_at, r.end), r.end)
    followed = (after["rtcp.version"] == VERSION) & (after["rtcp.pt"] >= SR) & (after["rtcp.pt"] <= XR) & (after.trusted == HEAD.size)
    return good & ((next_at == r.end) | followed)


def _packets(h: Headers) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Header, offset, size (0: does not fit) of each packet, int64; for each header the offset of one that does not fit (-1: none)."""
    packets = items(h, h.start, h.wire, head=4, least=4, place=2, unit=4)
    return packets.row, packets.at, packets.size, packets.bad


def check(h: Headers) -> None:
    _, _, _, bad = h.memo(_packets)
    h.fault((bad >= 0) & ~h.quoted & (h.wire <= h.end), "rtcp.length", "a packet does not fit into the datagram", at=bad)


def _derived(h: Headers) -> dict[str, Column]:
    parts = Parts(h, FIELDS)
    row, at, size, _ = h.memo(_packets)
    head = parts.read(HEAD, row, at)
    kind, count = head["rtcp.pt"], h.buffer[np.minimum(at, len(h.buffer) - 1)] & 31
    stop = np.where(size > 0, at + size, h.end[row])
    reports = np.flatnonzero(np.isin(kind, (SR, RR)))
    parts.read(COUNT, row[reports], at[reports])
    sources = np.flatnonzero(np.isin(kind, (SDES, BYE)))
    parts.read(SOURCES, row[sources], at[sources])
    with_sender = np.flatnonzero((kind >= SR) & (kind <= XR) & (kind != SDES) & (kind != BYE))
    parts.read(SENDER, row[with_sender], at[with_sender] + 4, stop[with_sender])
    feedback = np.flatnonzero(np.isin(kind, (FEEDBACK, PAYLOAD)))
    parts.read(MEDIA, row[feedback], at[feedback] + 8, stop[feedback])
    sent = np.flatnonzero(kind == SR)
    reading = parts.read(SENT, row[sent], at[sent] + 8, stop[sent])
    whole = np.flatnonzero(reading.trusted == SENT.size)
    second = reading["rtcp.timestamp.ntp.msw"][whole].astype(np.int64)
    second += np.where(second & 1 << 31, 0, 1 << 32) - EPOCH  # RFC 4330 §3: the era that begins in 2036 if the first bit is not set
    fraction = reading["rtcp.timestamp.ntp.lsw"][whole].astype(np.int64) * 10**9 >> 32
    parts.put("rtcp.timestamp.ntp", second * 10**9 + fraction, row[sent[whole]], at[sent[whole]] + 8)
    which, nth = repeated(count[reports].astype(np.int64))
    block = reports[which]
    place = at[block] + np.where(kind[block] == SR, 8 + SENT.size, 8) + BLOCK.size * nth
    fits = place + BLOCK.size <= stop[block]
    block, place = block[fits], place[fits]
    parts.read(BLOCK, row[block], place, stop[block])
    high, middle, low = (h.buffer[place + i].astype(np.int64) for i in (5, 6, 7))
    lost = high << 16 | middle << 8 | low
    parts.put("rtcp.ssrc.cum_nr", np.where(lost >> 23, lost - (1 << 24), lost), row[block], place + 5)
    _describe(parts, row, at, stop, kind, count)
    return dict(parts.columns())


def _describe(parts: Parts, row: np.ndarray, at: np.ndarray, stop: np.ndarray, kind: np.ndarray, count: np.ndarray) -> None:
    """Source descriptions, RFC 3550 §6.5, and the sources of a BYE, §6.6."""
    h = parts.h
    leaving = np.flatnonzero(kind == BYE)
    which, nth = repeated(count[leaving].astype(np.int64))
    source = leaving[which]
    place = at[source] + 4 + 4 * nth
    fits = place + 4 <= stop[source]
    parts.read(IDENTIFIER, row[source[fits]], place[fits], stop[source[fits]])
    here = at[leaving] + 4 + 4 * count[leaving].astype(np.int64)
    some = here < stop[leaving]
    leaving, here = leaving[some], here[some]
    parts.text("rtcp.bye.reason", row[leaving], here + 1, np.minimum(here + 1 + h.buffer[here], stop[leaving]))
    pick = np.flatnonzero((kind == SDES) & (count > 0))
    here, left = at[pick] + 4, count[pick].astype(np.int64)
    chunk = np.ones(len(pick), bool)  # a chunk begins here
    for _ in range(MOST):
        go = (left > 0) & (here < stop[pick])
        pick, here, left, chunk = pick[go], here[go], left[go], chunk[go]
        if not len(pick):
            break
        parts.read(IDENTIFIER, row[pick[chunk]], here[chunk], stop[pick[chunk]])
        here = np.where(chunk, here + 4, here)
        inside = np.minimum(here, h.end[row[pick]])
        type_ = np.where(here < stop[pick], h.buffer[inside], 0)
        ends = type_ == 0
        item = np.flatnonzero(~ends)
        parts.read(ITEM, row[pick[item]], here[item], stop[pick[item]])
        final = np.flatnonzero(ends & (here < stop[pick]))
        parts.put("rtcp.sdes.type", type_[final].astype(np.uint8), row[pick[final]], here[final])
        size = h.buffer[np.minimum(here + 1, h.end[row[pick]])].astype(np.int64)
        parts.text("rtcp.sdes.text", row[pick[item]], here[item] + 2, np.minimum(here + 2 + size, stop[pick])[item])
        base = at[pick]
        here = np.where(ends, base + ((here - base) // 4 + 1) * 4, here + 2 + size)
        left, chunk = left - ends, ends


FIELDS = (
    *HEAD.all(),
    *COUNT.all(),
    *SOURCES.all(),
    *SENDER.fields,
    *SENT.fields,
    *BLOCK.all(),
    *MEDIA.fields,
    *ITEM.fields,
    Field("rtcp.timestamp.ntp", date, "NTP time", many=True),
    Field("rtcp.ssrc.cum_nr", signed, "Lost in total", "negative if duplicates arrived", many=True),
    Field("rtcp.sdes.text", text, "Item's text", many=True),
    Field("rtcp.bye.reason", text, "Reason", "why a source leaves", many=True),
)
FIELDS = tuple({f.name: f for f in FIELDS if f.name}.values())

PROTOCOL = Protocol(
    "RTCP",
    header=HEADER,
    on={"udp.port": ()},
    info="{rtcp.pt:words}[, from {rtcp.senderssrc}][, {rtcp.sdes.text}]",
    check=check,
    probe_port=probe_port,
    probe=probe,
    precedence=2,
    derived=((FIELDS, _derived),),
    external_fields=(
        Field("rtcp.setup-frame", u64, "Set up in", "frame with the SDP that announced it"),
        Field("rtcp.setup-method", text, "Set up by"),
    ),
)
