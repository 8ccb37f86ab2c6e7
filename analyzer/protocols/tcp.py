"""Transmission Control Protocol. RFC 9293 §3.1, https://www.rfc-editor.org/rfc/rfc9293#section-3.1"""

from collections.abc import Callable
from functools import cache

import numpy as np

from ..fields import Column, Field, Headers, Layout, Payload, Protocol, Reading, bits, flag, raw, seconds, signed, text, u8, u16, u32, u64
from .common import checksums
from .common.tlv import Options, repeated, walk

FLAGS = ("FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR", "AE")  # from the lowest bit
HEADER = Layout(
    Field("tcp.srcport", u16, "Source port"),
    Field("tcp.dstport", u16, "Destination port"),
    Field("tcp.seq_raw", u32, "Sequence number", "of the first byte of data, or of the SYN"),
    Field("tcp.ack_raw", u32, "Acknowledgment number", "next byte expected; meaningless without ACK"),
    Field("tcp.hdr_len", bits(4), "Header length", "bytes; 20 when there are no options", scale=4),
    Field("tcp.flags", bits(12), "Flags", hex=4, parts=(
        Field("tcp.flags.res", bits(3), "Reserved", "always 0"),
        Field("tcp.flags.ae", flag, "Accurate ECN", "RFC 9768"),
        Field("tcp.flags.cwr", flag, "Congestion window reduced", "RFC 3168"),
        Field("tcp.flags.ece", flag, "ECN echo", "RFC 3168"),
        Field("tcp.flags.urg", flag, "Urgent", "the urgent pointer is valid"),
        Field("tcp.flags.ack", flag, "Acknowledgment", "the acknowledgment number is valid"),
        Field("tcp.flags.push", flag, "Push"),
        Field("tcp.flags.reset", flag, "Reset"),
        Field("tcp.flags.syn", flag, "Synchronize", "opens"),
        Field("tcp.flags.fin", flag, "Finish", "no more data from the sender"),
    )),
    Field("tcp.window_size_value", u16, "Window", "as sent: bytes that the receiver can take, before scaling"),
    Field("tcp.checksum", u16, "Checksum", "over a pseudo-header too", hex=4),
    Field("tcp.urgent_pointer", u16, "Urgent pointer", "offset after the urgent data"),
)  # fmt: skip
NUMBERED = (  # by analyzer/tcp/tracker.py
    Field("tcp.stream", u32, "Stream", "number of the connection, from 0"),
    Field("tcp.seq", u32, "Relative sequence number", "0 is the SYN"),
    Field("tcp.ack", u32, "Relative acknowledgment number", "1 acknowledges the SYN"),
    Field("tcp.nxtseq", u32, "Next sequence number", "relative"),
    Field("tcp.options.sack_le", u32, "SACK left edge", "relative; RFC 2018", many=True),
    Field("tcp.options.sack_re", u32, "SACK right edge", "relative; first byte not received", many=True),
    Field("tcp.options.sack.dsack", flag, "D-SACK", "the first block is data received twice, RFC 2883"),
    Field("tcp.options.sack.dsack_le", u32, "D-SACK left edge", "relative; received twice, RFC 2883", many=True),
    Field("tcp.options.sack.dsack_re", u32, "D-SACK right edge", "relative", many=True),
)
TRACKED = (  # by analyzer/tcp/tracker.py; the rules of tcp.analysis are Wireshark's
    Field("tcp.time_relative", seconds, "Time in the stream", "since its first segment"),
    Field("tcp.time_delta", seconds, "Time since the previous segment", "in the stream"),
    Field("tcp.completeness", u8, "Completeness", "seen before this segment: 1 SYN, 2 SYN,ACK, 4 ACK, 8 data, 16 FIN, 32 RST"),
    Field("tcp.window_size", u32, "Calculated window", "bytes: the window as sent, scaled if both ends offered it"),
    Field("tcp.window_size_scalefactor", signed, "Window factor", "-1 unknown, -2 windows are not scaled"),
    Field("tcp.connection.syn", flag, "Asks to open"),
    Field("tcp.connection.synack", flag, "Agrees to open"),
    Field("tcp.connection.fin", flag, "Finishes"),
    Field("tcp.connection.rst", flag, "Resets"),
    Field("tcp.connection.fin_active", flag, "Closes first"),
    Field("tcp.connection.fin_passive", flag, "Closes after its peer"),
    Field("tcp.analysis.flags", flag, "Something is unusual", "one of the flags below"),
    Field("tcp.analysis.retransmission", flag, "Retransmission", "data, SYN or FIN below the next expected number"),
    Field("tcp.analysis.fast_retransmission", flag, "Fast retransmission", "after two duplicate ACKs, within 20 ms"),
    Field("tcp.analysis.spurious_retransmission", flag, "Spurious retransmission", "of data that was acknowledged"),
    Field("tcp.analysis.out_of_order", flag, "Out of order", "late by less than the initial round trip, 3 ms if unknown"),
    Field("tcp.analysis.lost_segment", flag, "Previous segment not captured"),
    Field("tcp.analysis.ack_lost_segment", flag, "Acknowledges what was not captured"),
    Field("tcp.analysis.duplicate_ack", flag, "Duplicate ACK"),
    Field("tcp.analysis.duplicate_ack_num", u32, "Duplicate ACK number", "how many so far"),
    Field("tcp.analysis.duplicate_ack_frame", u32, "Duplicate to the ACK in frame"),
    Field("tcp.analysis.zero_window", flag, "Zero window"),
    Field("tcp.analysis.zero_window_probe", flag, "Zero window probe", "one byte into a window of zero"),
    Field("tcp.analysis.zero_window_probe_ack", flag, "ACK to a zero window probe"),
    Field("tcp.analysis.window_full", flag, "Window full", "this segment fills the peer's window to the last byte"),
    Field("tcp.analysis.window_update", flag, "Window update", "nothing new but the window"),
    Field("tcp.analysis.keep_alive", flag, "Keep-alive", "0 or 1 byte, one before the next expected number"),
    Field("tcp.analysis.keep_alive_ack", flag, "ACK to a keep-alive"),
    Field("tcp.analysis.reused_ports", flag, "Ports reused", "a SYN with another number on known ports"),
    Field("tcp.analysis.tfo_syn", flag, "Fast open SYN", "with a cookie; RFC 7413"),
    Field("tcp.analysis.tfo_ack", flag, "Fast open data accepted"),
    Field("tcp.analysis.acks_frame", u32, "ACK to the segment in frame"),
    Field("tcp.analysis.ack_rtt", seconds, "Time until this ACK", "since that frame"),
    Field("tcp.analysis.initial_rtt", seconds, "Initial round trip", "SYN to the handshake's ACK"),
    Field("tcp.analysis.bytes_in_flight", u32, "Bytes in flight", "sent and not acknowledged, this segment included"),
    Field("tcp.analysis.push_bytes_sent", u32, "Bytes since the last PSH"),
    Field("tcp.analysis.rto", seconds, "Retransmission time-out", "since the segment that this one repeats"),
    Field("tcp.analysis.rto_frame", u32, "Time-out counts from frame"),
    Field("tcp.judged.repeated", flag, "Sent again", "bytes that a frame held before"),
    Field("tcp.judged.filled", flag, "Sent again, first lost before the capture", "bytes below the next expected that no frame held"),
    Field("tcp.judged.timed_out", flag, "After a time-out", "sent again because a timer ran out: no segment had just requested it"),
    Field("tcp.judged.needless", flag, "Needlessly", "sent again though it was acknowledged"),
    Field(
        "tcp.judged.reordered", flag, "Reordered", "late, but sent before what overtook it: IP identification, timestamps, less than a trip"
    ),
    Field("tcp.judged.copied", flag, "Copied by the network", "the same number and IP identification as a segment just before"),
    Field("tcp.judged.probed", flag, "Window probe", "into a window of zero: one byte, or none, one before the next expected number"),
    Field("tcp.judged.kept_alive", flag, "Keep-alive", "the same into an open window, with all acknowledged"),
    Field("tcp.judged.unasked", flag, "Begins in the middle", "the first segment is a SYN,ACK, a FIN or a RST"),
    Field("tcp.judged.early", flag, "Data before the handshake ended"),
    Field("tcp.judged.after_reset", flag, "Data after a reset"),
    Field("tcp.judged.shrunk", flag, "Window shrunk", "the right edge of the window moves to the left; RFC 9293 §3.8.6"),
    Field("tcp.judged.inside", flag, "SYN in an open connection", "with another number, before the ports were closed"),
    Field("tcp.judged.moved", flag, "FIN at another sequence number", "than the FIN before it"),
    Field("tcp.judged.strange", flag, "SYN,ACK of something else", "than the SYN that was sent"),
    Field("tcp.judged.missed", u32, "Acknowledges bytes not captured", "that no frame holds yet"),
)
SEGMENTS = (
    Field("tcp.segment", u32, "Segment in frame", "of the message completed by this one", many=True),
    Field("tcp.segment.count", u32, "Segments", "of the message", many=True),
    Field("tcp.reassembled.length", u32, "Reassembled message", "bytes", many=True),
    Field("tcp.reassembled_in", u64, "Reassembled in", "never present: a row waits for no later frame", many=True),
)


def contents(h: Headers):
    size = h["tcp.hdr_len"].astype(np.int64)
    h.fault(h.whole & (size < HEADER.size), "tcp.hdr_len", "is {had}, less than the {needed} of the shortest header", HEADER.size, size)
    beyond = h.whole & (h.start + size > h.wire)
    h.fault(beyond & ~h.quoted, "tcp.hdr_len", "says {needed} bytes, there are {had}", size, h.wire - h.start, h.start + 12)
    source, target = h["tcp.srcport"], h["tcp.dstport"]
    rows = np.flatnonzero(~beyond) if beyond.any() else None
    yield Payload("tcp.port", (np.minimum(source, target), np.maximum(source, target)), h.start + size, h.wire, rows)


# ---------------------------------------------------------------- options

EOL, NOP, MSS, SCALE, SACK_PERMITTED, SACK, TIMESTAMPS, MD5, USER_TIMEOUT, MPTCP, FAST_OPEN, EXPERIMENT = (
    0,
    1,
    2,
    3,
    4,
    5,
    8,
    19,
    28,
    30,
    34,
    254,
)
OPTION = {
    EOL: "end of options",
    NOP: "no operation",
    MSS: "maximum segment size",
    SCALE: "window scale",
    SACK_PERMITTED: "SACK permitted",
    SACK: "SACK",
    TIMESTAMPS: "timestamps",
    14: "alternate checksum request",
    15: "alternate checksum data",
    MD5: "MD5 signature",
    27: "quick start",
    USER_TIMEOUT: "user timeout",
    29: "TCP-AO",
    MPTCP: "multipath TCP",
    FAST_OPEN: "fast open cookie",
    253: "experiment",
    EXPERIMENT: "experiment",
}
FAST_OPEN_MAGIC = 0xF989  # RFC 7413 appendix A: the magic number of the experimental option
GREATEST_SHIFT = 14  # RFC 7323 §2.3
HEAD = (Field("kind", u8, ""), Field("length", u8, ""))
# kind: (length of the option, its layout); RFC 9293 §3.2, RFC 7323 §2.2 and §3.2, RFC 5482 §3
FIXED = {
    MSS: (4, Layout(*HEAD, Field("tcp.options.mss_val", u16, "Maximum segment size", "bytes of data that the sender can receive"))),
    SCALE: (3, Layout(*HEAD, Field("tcp.options.wscale.shift", u8, "Window scale", "bits to shift each window by"))),
    TIMESTAMPS: (
        10,
        Layout(
            *HEAD,
            Field("tcp.options.timestamp.tsval", u32, "Timestamp", "the sender's clock"),
            Field("tcp.options.timestamp.tsecr", u32, "Timestamp echo", "the peer's clock, as last seen"),
        ),
    ),
    USER_TIMEOUT: (
        4,
        Layout(
            *HEAD,
            Field("tcp.options.user_to_granularity", flag, "User timeout in minutes", "else in seconds"),
            Field("tcp.options.user_to_val", bits(15), "User timeout"),
        ),
    ),
}
KINDS = (
    Field("tcp.option_kind", u8, "Option kind", value_names=OPTION, many=True),
    Field("tcp.option_len", u8, "Option length", "bytes, kind and length included", many=True),
)
MULTIPLIER = (Field("tcp.options.wscale.multiplier", u32, "Window multiplier", "2 to the window scale"),)
SACK_FIELDS = (
    Field("tcp.options.sack_perm", flag, "SACK permitted"),
    Field("tcp.options.sack.count", u8, "SACK blocks"),
    Field("tcp.options.sack_le_raw", u32, "SACK left edge", "as sent", many=True),
    Field("tcp.options.sack_re_raw", u32, "SACK right edge", "as sent", many=True),
)
OTHERS = (
    Field("tcp.options.md5.digest", raw, "MD5 digest", "RFC 2385"),
    Field("tcp.options.tfo.cookie", raw, "Fast open cookie", "RFC 7413"),
    Field("tcp.options.mptcp.subtype", u8, "Multipath subtype", "RFC 8684", many=True),
    Field("tcp.options.tfo.request", flag, "Fast open cookie request", "RFC 7413"),
)
PRESENT = {  # Wireshark's names of whole options, for filters
    "mss": MSS,
    "wscale": SCALE,
    "sack": SACK,
    "timestamp": TIMESTAMPS,
    "md5": MD5,
    "user_to": USER_TIMEOUT,
    "mptcp": MPTCP,
    "tfo": FAST_OPEN,
    "experimental": EXPERIMENT,
}
PRESENT_FIELDS = tuple(Field(f"tcp.options.{name}", flag, f"Option: {OPTION[kind]}", "present") for name, kind in PRESENT.items())


def _long_options(h: Headers) -> Options:
    """The options but EOL and NOP."""
    return _options(h, (EOL, NOP))


def _options(h: Headers, skipped: tuple[int, ...]) -> Options:
    start = h.start + HEADER.size
    declared = h.start + h["tcp.hdr_len"]
    options = walk(h, start, np.where(h.whole, declared, start), (EOL, NOP), (EOL,), skipped)
    h.fault((options.bad >= 0) & ~h.quoted & (declared <= h.end), "tcp.options", "an option does not fit into the header", at=options.bad)
    return options


def _kinds(h: Headers) -> dict[str, Column]:
    row, at, _, kind, _ = _options(h, ())
    long = np.flatnonzero(kind > NOP)
    long = long[at[long] + 1 < h.end[row[long]]]
    return {"tcp.option_kind": Column(kind, row), "tcp.option_len": Column(h.buffer[at[long] + 1], row[long])}


def _fixed(number: int) -> Callable[[Headers], dict[str, Column]]:
    """The fields of an option of fixed length."""
    length, layout = FIXED[number]

    def read(h: Headers) -> dict[str, Column]:
        options = h.memo(_long_options)
        pick = options.of(number, length, length)
        reading = Reading(layout, h.buffer, options.at[pick], options.at[pick] + length, options.row[pick])
        return {f.name: reading.column(f.name) for f in layout.fields if f.name.startswith("tcp.")}

    return read


def _multiplier(h: Headers) -> dict[str, Column]:
    shift, rows = h.column("tcp.options.wscale.shift")
    return {"tcp.options.wscale.multiplier": Column(1 << np.minimum(shift, GREATEST_SHIFT).astype(np.int64), rows)}


def _sack(h: Headers) -> dict[str, Column]:
    row, at, size, *_ = options = h.memo(_long_options)
    allowed, pick = options.of(SACK_PERMITTED, 2, 2), options.of(SACK, 10)
    blocks = (size[pick] - 2) // 8
    option, nth = repeated(blocks)
    edge = at[pick][option] + 2 + 8 * nth
    reading = Reading(SACK_BLOCK, h.buffer, edge, edge + 8, row[pick][option])
    return {
        "tcp.options.sack_perm": Column(np.ones(len(allowed), bool), row[allowed]),
        "tcp.options.sack.count": Column(blocks, row[pick]),
        **{f.name: reading.column(f.name) for f in SACK_BLOCK.fields},
    }


def _others(h: Headers) -> dict[str, Column]:
    row, at, size, kind, _ = options = h.memo(_long_options)
    digest = options.of(MD5, 18, 18)
    experiment = options.of(EXPERIMENT, 5)
    experiment = experiment[(h.buffer[at[experiment] + 2].astype(np.int64) << 8 | h.buffer[at[experiment] + 3]) == FAST_OPEN_MAGIC]
    cookie = np.sort(np.append(options.of(FAST_OPEN, 3), experiment))
    head = np.where(kind[cookie] == EXPERIMENT, 4, 2)
    multipath = options.of(MPTCP, 3)
    requests = options.of(FAST_OPEN, 2, 2)
    return {
        "tcp.options.md5.digest": Column(np.column_stack((at[digest] + 2, at[digest] + 18)), row[digest]),
        "tcp.options.tfo.cookie": Column(np.column_stack((at[cookie] + head, at[cookie] + size[cookie])), row[cookie]),
        "tcp.options.mptcp.subtype": Column(h.buffer[at[multipath] + 2] >> 4, row[multipath]),
        "tcp.options.tfo.request": Column(np.ones(len(requests), bool), row[requests]),
    }


def _present(h: Headers) -> dict[str, Column]:
    row, _, size, kind, _ = h.memo(_long_options)
    present = {name: np.unique(row[(kind == number) & (size > 0)]) for name, number in PRESENT.items()}
    return {f"tcp.options.{name}": Column(np.ones(len(rows), bool), rows) for name, rows in present.items()}


SACK_BLOCK = Layout(*(f for f in SACK_FIELDS if f.name.endswith("e_raw")))


# ---------------------------------------------------------------- derived from the header alone


@cache
def flag_texts() -> tuple[np.ndarray, np.ndarray]:
    """For each value of the flags 'SYN, ACK', and Wireshark's twelve letters '·······A··S·'; object (4096,)."""
    words = [", ".join(name for bit, name in enumerate(FLAGS) if value >> bit & 1) or "none" for value in range(4096)]
    letters = ["".join(letter if value >> 11 - i & 1 else "·" for i, letter in enumerate("RRRACEUAPRSF")) for value in range(4096)]
    return np.array(words, object), np.array(letters, object)


def _flags(h: Headers) -> dict[str, Column]:
    values, rows = h.column("tcp.flags")
    words, letters = flag_texts()
    return {"tcp.flags.words": Column(words[values], rows), "tcp.flags.str": Column(letters[values], rows)}


def _data(h: Headers) -> dict[str, Column]:
    """Data of each segment, as on the wire. A segment quoted in an ICMP error has none."""
    start = h.start + h["tcp.hdr_len"]
    rows = np.flatnonzero(h.whole & (start <= h.wire) & ~h.quoted)
    full = rows[h.end[rows] > start[rows]]
    return {"tcp.len": Column((h.wire - start)[rows], rows), "tcp.payload": Column(np.column_stack((start[full], h.end[full])), full)}


def _status(h: Headers) -> dict[str, Column]:
    rows = np.flatnonzero(h.trusted == HEADER.size)
    if not h.checksums:
        return {"tcp.checksum.status": Column(np.full(len(rows), checksums.UNVERIFIED, np.uint8), rows)}
    more = checksums.pseudo(h, h.wire - h.start, 6)
    status = checksums.status(h, h.wire[rows], more, rows)
    status[(status == checksums.BAD) & (h["tcp.checksum"][rows] == checksums.partial(more, rows))] = checksums.PARTIAL
    return {"tcp.checksum.status": Column(status, rows)}


PROTOCOL = Protocol(
    "TCP",
    header=HEADER,
    on={"ipproto": 6},
    aliases={"tcp.port": ("tcp.srcport", "tcp.dstport")},
    info="{tcp.srcport} → {tcp.dstport} [{tcp.flags.words}] Seq={tcp.seq}[?tcp.flags.ack: Ack={tcp.ack}] Win={tcp.window_size_value}"
    "[?tcp.flags.urg: Urg={tcp.urgent_pointer}] Len={tcp.len}[ MSS={tcp.options.mss_val}][ WS={tcp.options.wscale.multiplier}]"
    "[ SACK_PERM{tcp.options.sack_perm:mark}][ TSval={tcp.options.timestamp.tsval}][ TSecr={tcp.options.timestamp.tsecr}]",
    contents=contents,
    derived=(
        (KINDS, _kinds),
        *((tuple(f for f in layout.fields if f.name.startswith("tcp.")), _fixed(number)) for number, (_, layout) in FIXED.items()),
        (MULTIPLIER, _multiplier),
        (SACK_FIELDS, _sack),
        (OTHERS, _others),
        (PRESENT_FIELDS, _present),
        ((checksums.status_field("tcp.checksum.status"),), _status),
        ((Field("tcp.flags.words", text, "Flags in words"), Field("tcp.flags.str", text, "Flags as letters")), _flags),
        ((Field("tcp.len", u32, "Data length", "bytes, as on the wire"), Field("tcp.payload", raw, "Data")), _data),
    ),
    external_fields=NUMBERED + TRACKED + SEGMENTS,
)
