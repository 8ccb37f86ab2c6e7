"""Stream Control Transmission Protocol. RFC 9260 §3 (common header, chunks, parameters, causes).

Extensions: RFC 3758 (partial reliability), RFC 4820 (padding), RFC 4895 (authentication), RFC 5061 (addresses), RFC 6525 (streams),
RFC 6951 (in UDP), RFC 8260 (interleaving).
"""

from functools import cache

import numpy as np

from ..fields import Column, Field, Headers, Layout, Payload, Protocol, Reading, flag, ipv4, ipv6, raw, text, u8, u16, u32
from .common import _checksums, checksums
from .common.parts import Parts, words
from .common.tlv import items, repeated

DATA, INIT, INIT_ACK, SACK, ABORT, ERROR, COOKIE_ECHO, AUTH, NR_SACK, I_DATA = 0, 1, 2, 3, 6, 9, 10, 15, 16, 64
HEARTBEAT, HEARTBEAT_ACK = 4, 5
ASCONF_ACK, DROPPED, RECONFIG, PAD, FORWARD, ASCONF, I_FORWARD, COMPLETE = 128, 129, 130, 132, 192, 193, 194, 14
CHUNK = {DATA: "DATA", INIT: "INIT", INIT_ACK: "INIT ACK", SACK: "SACK", HEARTBEAT: "HEARTBEAT", HEARTBEAT_ACK: "HEARTBEAT ACK",
         ABORT: "ABORT", 7: "SHUTDOWN", 8: "SHUTDOWN ACK", ERROR: "ERROR", COOKIE_ECHO: "COOKIE ECHO", 11: "COOKIE ACK", 12: "ECNE",
         13: "CWR", COMPLETE: "SHUTDOWN COMPLETE", AUTH: "AUTH", NR_SACK: "NR-SACK", I_DATA: "I-DATA", ASCONF_ACK: "ASCONF ACK",
         DROPPED: "PKTDROP", RECONFIG: "RE-CONFIG", PAD: "PAD", FORWARD: "FORWARD TSN", ASCONF: "ASCONF",
         I_FORWARD: "I-FORWARD TSN"}  # fmt: skip
PARAMETER = {1: "heartbeat", 5: "IPv4 address", 6: "IPv6 address", 7: "state cookie", 8: "unrecognized parameter", 9: "cookie preservative",
             11: "host name", 12: "address types", 13: "reset outgoing streams", 14: "reset incoming streams", 15: "reset association",
             16: "reconfiguration response", 17: "add outgoing streams", 18: "add incoming streams", 0x8000: "ECN", 0x8001: "zero checksum",
             0x8002: "random", 0x8003: "chunks to authenticate", 0x8004: "HMAC algorithms", 0x8005: "padding",
             0x8008: "supported extensions", 0xC000: "partial reliability", 0xC001: "add address", 0xC002: "delete address",
             0xC003: "error cause", 0xC004: "set primary address", 0xC005: "success", 0xC006: "adaptation layer"}  # fmt: skip
CAUSE = {1: "invalid stream", 2: "parameter is missing", 3: "cookie too old", 4: "out of resources", 5: "address cannot be resolved",
         6: "chunk not understood", 7: "invalid parameter", 8: "parameter not understood", 9: "no data", 10: "cookie while shutting down",
         11: "restart with new addresses", 12: "aborted by the user", 13: "protocol violation", 0xA0: "the last address is not deleted",
         0xA1: "out of resources to change addresses", 0xA2: "the source address is not deleted", 0xA3: "not authorized",
         0x0105: "HMAC not supported"}  # fmt: skip
CARRIED = {1: "IUA", 2: "M2UA", 3: "M3UA", 4: "SUA", 5: "M2PA", 18: "S1AP", 27: "X2AP", 46: "Diameter", 47: "Diameter in DTLS",
           50: "WebRTC control", 51: "WebRTC text", 53: "WebRTC binary", 60: "NGAP"}  # fmt: skip
HEADER = Layout(
    Field("sctp.srcport", u16, "Source port"),
    Field("sctp.dstport", u16, "Destination port"),
    Field("sctp.verification_tag", u32, "Verification tag", "chosen by the receiver; 0 with INIT", hex=8),
    Field("sctp.checksum", u32, "Checksum", "CRC32c of the packet", hex=8),
)
HEAD = Layout(
    Field("sctp.chunk_type", u8, "Chunk", value_names=CHUNK),
    Field("sctp.chunk_flags", u8, "Chunk flags", hex=2),
    Field("sctp.chunk_length", u16, "Chunk length", "bytes, without the padding to a multiple of four"),
    many=True,
)
TSN, CREDIT = "transmission sequence number", "bytes that the receiver can take"


def _opening(name: str) -> Layout:
    return Layout(
        Field(f"sctp.{name}_initiate_tag", u32, "Initiate tag", "verification tag of packets to this end", hex=8),
        Field(f"sctp.{name}_credit", u32, "Receiver window", CREDIT),
        Field(f"sctp.{name}_nr_out_streams", u16, "Outbound streams"),
        Field(f"sctp.{name}_nr_in_streams", u16, "Inbound streams", "at most"),
        Field(f"sctp.{name}_initial_tsn", u32, "First TSN", TSN),
        many=True,
    )


DATA_HEAD = Layout(
    Field("sctp.data_tsn_raw", u32, "TSN", TSN),
    Field("sctp.data_sid", u16, "Stream", hex=4),
    Field("sctp.data_ssn", u16, "Number in the stream"),
    Field("sctp.data_payload_proto_id", u32, "Payload protocol", value_names=CARRIED),
    many=True,
)
I_DATA_HEAD = Layout(
    *DATA_HEAD.fields[:2],
    Field("sctp.data_reserved", u16, "Reserved"),
    Field("sctp.data_mid", u32, "Message", "number in the stream"),
    many=True,
)
INTERLEAVED = Layout(DATA_HEAD.fields[3], many=True)
FRAGMENT = Layout(Field("sctp.data_fsn", u32, "Fragment sequence number", "the first is 0"), many=True)
VALUES: dict[int, Layout] = {  # start of a chunk's value
    DATA: DATA_HEAD,
    INIT: _opening("init"),
    INIT_ACK: _opening("initack"),
    SACK: Layout(
        Field("sctp.sack_cumulative_tsn_ack_raw", u32, "Cumulative TSN acknowledged", "all TSNs up to this one were received"),
        Field("sctp.sack_a_rwnd", u32, "Receiver window", CREDIT),
        Field("sctp.sack_number_of_gap_blocks", u16, "Gap blocks"),
        Field("sctp.sack_number_of_duplicated_tsns", u16, "Duplicate TSNs"),
        many=True,
    ),
    7: Layout(Field("sctp.shutdown_cumulative_tsn_ack", u32, "Cumulative TSN acknowledged"), many=True),
    12: Layout(Field("sctp.ecne_lowest_tsn", u32, "Lowest TSN", "of the packet that was marked"), many=True),
    13: Layout(Field("sctp.cwr_lowest_tsn", u32, "Lowest TSN", "of the mark that is answered"), many=True),
    AUTH: Layout(
        Field("sctp.shared_key_id", u16, "Shared key"),
        Field("sctp.hmac_id", u16, "HMAC", value_names={1: "SHA-1", 3: "SHA-256"}),
        many=True,
    ),
    NR_SACK: Layout(
        Field("sctp.nr_sack_cumulative_tsn_ack", u32, "Cumulative TSN acknowledged", "draft-tuexen-tsvwg-sctp-multipath §3.2"),
        Field("sctp.nr_sack_a_rwnd", u32, "Receiver window", CREDIT),
        Field("sctp.nr_sack_number_of_gap_blocks", u16, "Gap blocks"),
        Field("sctp.nr_sack_number_of_nr_gap_blocks", u16, "Non-renegable gap blocks"),
        Field("sctp.nr_sack_number_of_duplicated_tsns", u16, "Duplicate TSNs"),
        Field("sctp.nr_sack_reserved", u16, "Reserved", hex=4),
        many=True,
    ),
    I_DATA: I_DATA_HEAD,
    ASCONF_ACK: Layout(Field("sctp.asconf_ack_seq_nr_number", u32, "Number of the address change", "that is answered", hex=8), many=True),
    DROPPED: Layout(
        Field("sctp.pktdrop_bandwidth", u32, "Bandwidth"),
        Field("sctp.pktdrop_queuesize", u32, "Queue"),
        Field("sctp.pktdrop_truncated_length", u16, "Truncated length"),
        Field("sctp.pktdrop_reserved", u16, "Reserved"),
        many=True,
    ),
    FORWARD: Layout(Field("sctp.forward_tsn_tsn", u32, "New cumulative TSN", "all TSNs before it are abandoned"), many=True),
    ASCONF: Layout(Field("sctp.asconf_seq_nr_number", u32, "Number of the address change", hex=8), many=True),
    I_FORWARD: Layout(Field("sctp.i_forward_tsn_tsn", u32, "New cumulative TSN", "all TSNs before it are abandoned"), many=True),
}
FLAGS = {  # field: (chunks, label, bit)
    "sctp.data_e_bit": ((DATA, I_DATA), "Last fragment of a message", 1),
    "sctp.data_b_bit": ((DATA, I_DATA), "First fragment of a message", 2),
    "sctp.data_u_bit": ((DATA, I_DATA), "Unordered", 4),
    "sctp.data_i_bit": ((DATA, I_DATA), "Acknowledge at once", 8),
    "sctp.abort_t_bit": ((ABORT,), "Tag is reflected", 1),
    "sctp.shutdown_complete_t_bit": ((COMPLETE,), "Tag is reflected", 1),
}


def _pairs(name: str, label: str) -> Layout:
    return Layout(
        Field(f"{name}_start", u16, f"{label} begins", "after the cumulative TSN"), Field(f"{name}_end", u16, f"{label} ends"), many=True
    )


GAP, NR_GAP = _pairs("sctp.sack_gap_block", "Gap block"), _pairs("sctp.nr_sack_gap_block", "Gap block")
NR_KEPT = _pairs("sctp.nr_sack_nr_gap_block", "Non-renegable gap block")
DUPLICATE = Layout(Field("sctp.sack_duplicate_tsn", u32, "Duplicate TSN", "received again"), many=True)
NR_DUPLICATE = Layout(Field("sctp.nr_sack_duplicate_tsn", u32, "Duplicate TSN", "received again"), many=True)
SKIPPED = Layout(Field("sctp.forward_tsn_sid", u16, "Stream"), Field("sctp.forward_tsn_ssn", u16, "Number in the stream"), many=True)
I_SKIPPED = Layout(
    Field("sctp.i_forward_tsn_sid", u16, "Stream"),
    Field("sctp.i_forward_tsn_flags", u16, "Flags", hex=4),
    Field("sctp.forward_tsn_mid", u32, "Message"),
    many=True,
)
LISTS = (  # chunk: its lists, one after another; (field with the number of items, '' for all that fit; an item)
    (SACK, (("sctp.sack_number_of_gap_blocks", GAP), ("sctp.sack_number_of_duplicated_tsns", DUPLICATE))),
    (
        NR_SACK,
        (
            ("sctp.nr_sack_number_of_gap_blocks", NR_GAP),
            ("sctp.nr_sack_number_of_nr_gap_blocks", NR_KEPT),
            ("sctp.nr_sack_number_of_duplicated_tsns", NR_DUPLICATE),
        ),
    ),
    (FORWARD, (("", SKIPPED),)),
    (I_FORWARD, (("", I_SKIPPED),)),
)
RAWS = {  # chunk: (bytes before the field, field)
    COOKIE_ECHO: (0, Field("sctp.cookie", raw, "Cookie", "state that the peer sent in its INIT ACK", many=True)),
    AUTH: (4, Field("sctp.hmac", raw, "HMAC value", many=True)),
    DROPPED: (12, Field("sctp.pktdrop_datafield", raw, "Dropped packet", many=True)),
    PAD: (0, Field("sctp.padding_data", raw, "Padding", many=True)),
}
PARAMETERS = {INIT: 16, INIT_ACK: 16, HEARTBEAT: 0, HEARTBEAT_ACK: 0, RECONFIG: 0, ASCONF: 4, ASCONF_ACK: 4}  # bytes before the parameters
CAUSES = (ABORT, ERROR)
TYPED = Layout(
    Field("sctp.parameter_type", u16, "Parameter", hex=4, value_names=PARAMETER),
    Field("sctp.parameter_length", u16, "Parameter length", "bytes, without padding", many=True),
    many=True,
)
ADDRESS_CHANGES = (0xC001, 0xC002, 0xC004)  # parameters with a nested address parameter
REQUEST = Field("sctp.parameter_reconfig_request_sequence_number", u32, "Request")
RESPONSE = Field("sctp.parameter_reconfig_response_sequence_number", u32, "Response")
CORRELATION = Layout(Field("sctp.correlation_id", u32, "Correlation", "equal in a request and its response", hex=8), many=True)
MORE_STREAMS = Layout(
    REQUEST, Field("sctp.parameter_add_outgoing_streams_number", u16, "Streams to add", "outgoing, of the requester"), many=True
)
PARAMETER_VALUES: dict[int, Layout] = {
    5: Layout(Field("sctp.parameter_ipv4_address", ipv4, "Address"), many=True),
    6: Layout(Field("sctp.parameter_ipv6_address", ipv6, "Address"), many=True),
    9: Layout(Field("sctp.parameter_cookie_preservative_incr", u32, "Cookie life-span increment", "ms"), many=True),
    13: Layout(REQUEST, RESPONSE, Field("sctp.parameter_senders_last_assigned_tsn", u32, "Last TSN"), many=True),
    14: Layout(REQUEST, many=True),
    15: Layout(REQUEST, many=True),
    16: Layout(RESPONSE, Field("sctp.parameter_reconfig_response_result", u32, "Result"), many=True),
    17: MORE_STREAMS,
    18: Layout(REQUEST, Field("sctp.parameter_add_incoming_streams_number", u16, "Streams to add", "incoming"), many=True),
    0xC001: CORRELATION,
    0xC002: CORRELATION,
    0xC003: CORRELATION,
    0xC004: CORRELATION,
    0xC005: CORRELATION,
    0xC006: Layout(Field("sctp.adaptation_layer_indication", u32, "Adaptation layer", hex=8), many=True),
}
PARAMETER_LISTS: dict[int, tuple[int, Layout]] = {  # (bytes before the list, an item)
    12: (0, Layout(Field("sctp.parameter_supported_address_type", u16, "Address type", value_names=PARAMETER), many=True)),
    13: (12, Layout(Field("sctp.parameter_reconfig_sid", u16, "Stream to reset"), many=True)),
    14: (4, Layout(Field("sctp.parameter_reconfig_sid", u16, "Stream to reset"), many=True)),
    0x8003: (0, Layout(Field("sctp.chunk_type_to_auth", u8, "Chunk to authenticate", value_names=CHUNK), many=True)),
    0x8004: (0, Layout(Field("sctp.hmac_id", u16, "HMAC", value_names={1: "SHA-1", 3: "SHA-256"}), many=True)),
    0x8008: (0, Layout(Field("sctp.supported_chunk_type", u8, "Supported chunk", value_names=CHUNK), many=True)),
}
PARAMETER_RAWS = {
    1: Field("sctp.parameter_heartbeat_information", raw, "Heartbeat", "echoed as sent", many=True),
    7: Field("sctp.parameter_state_cookie", raw, "State cookie", many=True),
    0x8002: Field("sctp.random_number", raw, "Random number", many=True),
}
HOST = Field("sctp.parameter_hostname", text, "Host name", "deprecated", many=True)
CODED = Layout(
    Field("sctp.cause_code", u16, "Cause", hex=4, value_names=CAUSE), Field("sctp.cause_length", u16, "Cause's length", "bytes"), many=True
)
CAUSE_VALUES: dict[int, Layout] = {
    1: Layout(Field("sctp.cause_stream_identifier", u16, "Invalid stream"), many=True),
    2: Layout(Field("sctp.cause_nr_of_missing_parameters", u32, "Missing parameters"), many=True),
    3: Layout(Field("sctp.cause_measure_of_staleness", u32, "Staleness", "µs"), many=True),
    9: Layout(Field("sctp.cause_tsn", u32, "TSN without data"), many=True),
}
INFORMATION = Field("sctp.cause_information", raw, "Cause's information", many=True)
MOST = 64  # DATA chunks of a packet that are dissected each; all after them count as one


def probe_port(r: Reading) -> np.ndarray:
    """Room for a header."""
    return r.trusted == HEADER.size


class _Chunks:
    """All chunks of some headers; int64 (n,). row: header; at: offset; size: 0 if it does not fit; stop: end of the bytes to read."""

    def __init__(self, h: Headers) -> None:
        start = h.start + HEADER.size
        chunks = items(h, start, np.where(h.whole, h.wire, start), head=0, least=HEAD.size, place=2, align=4)
        self.row, self.at, self.size, self.bad = chunks.row, chunks.at, chunks.size, chunks.bad
        # A chunk cut by the capture has some of its fields; one with a wrong length has none.
        left = np.where((h.wire > h.end)[self.row], h.end[self.row], np.minimum(self.at + HEAD.size, h.end[self.row]))
        self.stop = np.where(self.size > 0, self.at + self.size, left)
        self.head = Reading(HEAD, h.buffer, self.at, self.stop, self.row)
        self.kind, self.flags = self.head["sctp.chunk_type"], self.head["sctp.chunk_flags"]
        self.kind = np.where(self.head.trusted == HEAD.size, self.kind.astype(np.int64), -1)

    def of(self, *kinds: int) -> np.ndarray:
        return np.flatnonzero(np.isin(self.kind, kinds))


def contents(h: Headers):
    chunks = _Chunks(h)
    h.fault((chunks.bad >= 0) & ~h.quoted & (h.wire <= h.end), "sctp.chunk_length", "a chunk does not fit into the packet", at=chunks.bad)
    data = chunks.of(DATA, I_DATA)
    row, size = chunks.row[data], HEAD.size + DATA_HEAD.size
    start = chunks.at[data] + np.where(chunks.kind[data] == I_DATA, size + 4, size)
    whole = chunks.flags[data] & 3 == 3
    stop = np.where(chunks.size[data] > 0, chunks.stop[data], h.wire[row])
    stop[(chunks.size[data] == 0) & (h.wire <= h.end)[row]] = 0  # a wrong length
    carried = Reading(DATA_HEAD, h.buffer, chunks.at[data] + HEAD.size, chunks.stop[data])["sctp.data_payload_proto_id"].astype(np.int64)
    interleaved = np.flatnonzero(chunks.kind[data] == I_DATA)
    carried[interleaved] = Reading(INTERLEAVED, h.buffer, start[interleaved] - 4, start[interleaved])["sctp.data_payload_proto_id"]
    nth = np.arange(len(row)) - np.searchsorted(row, row)
    last = np.append(row[1:] != row[:-1], True)[: len(row)]
    for n in range(min(int(nth.max(initial=-1)) + 1, MOST)):
        pick = np.flatnonzero(nth == n)
        first, end, number = np.zeros(len(h), np.int64), np.zeros(len(h), np.int64), np.zeros(len(h), np.int64)
        own = row[pick]
        first[own], end[own], number[own] = start[pick], stop[pick], carried[pick]
        if n == MOST - 1:
            rest = np.flatnonzero(last & (nth >= n))
            end[row[rest]] = stop[rest]
        fragment = ~whole[pick]
        yield Payload("sctp.ppi", number, first, end, own[~fragment])
        yield Payload("sctp.fragment", number, first, end, own[fragment])


@cache
def _table() -> np.ndarray:
    """CRC table of Castagnoli's polynomial, reflected: int64 (256,)."""
    crc = np.arange(256, dtype=np.int64)
    for _ in range(8):
        crc = np.where(crc & 1, crc >> 1 ^ 0x82F63B78, crc >> 1)
    return crc


def _status(h: Headers) -> dict[str, Column]:
    rows = np.flatnonzero(h.trusted == HEADER.size)
    status = np.full(len(rows), checksums.UNVERIFIED, np.uint8)
    there = np.flatnonzero((h.wire[rows] <= h.end[rows]) & ~h.quoted[rows]) if h.checksums else rows[:0]
    if len(there):
        own = rows[there]
        crc = np.empty(len(own), np.int64)
        hole = HEADER.places["sctp.checksum"].offset
        _checksums.crc32c(h.buffer.data, h.start[own].data, h.wire[own].data, hole, _table().data, crc.data)
        right = crc.astype(np.uint32).byteswap() == h["sctp.checksum"][own]
        status[there] = np.where(right, checksums.GOOD, checksums.BAD)
    return {"sctp.checksum.status": Column(status, rows)}


def _read_list(parts: Parts, layout: Layout, rows: np.ndarray, at: np.ndarray, count: np.ndarray) -> None:
    """Read count[i] items of a layout from at[i] on."""
    owner, nth = repeated(count)
    parts.read(layout, rows[owner], at[owner] + layout.size * nth)


def _derived(h: Headers) -> dict[str, Column]:
    chunks, parts = _Chunks(h), Parts(h, FIELDS)
    row, stop = chunks.row, chunks.stop
    parts.read(HEAD, row, chunks.at, stop)
    value = chunks.at + HEAD.size
    for kind, layout in VALUES.items():
        pick = chunks.of(kind)
        parts.read(layout, row[pick], value[pick], stop[pick])
    pick = chunks.of(I_DATA)
    first = (chunks.flags[pick] & 2) > 0
    for layout, some in ((INTERLEAVED, pick[first]), (FRAGMENT, pick[~first])):
        parts.read(layout, row[some], value[some] + I_DATA_HEAD.size, stop[some])
    for name, (kinds, _, bit) in FLAGS.items():
        pick = chunks.of(*kinds)
        parts.put(name, (chunks.flags[pick] & bit) > 0, row[pick], chunks.at[pick])
    for kind, lists in LISTS:
        pick = chunks.of(kind)
        head = Reading(VALUES[kind], h.buffer, value[pick], stop[pick])
        at = value[pick] + VALUES[kind].size
        for counted, layout in lists:
            room = np.maximum(stop[pick] - at, 0) // layout.size
            count = np.minimum(head[counted].astype(np.int64), room) if counted else room
            _read_list(parts, layout, row[pick], at, count)
            at = at + count * layout.size
    for kind, (size, f) in RAWS.items():
        pick = chunks.of(kind)
        parts.bytes(f.name, row[pick], value[pick] + size, stop[pick])
    _parameters(h, parts, chunks)
    _causes(h, parts, chunks)
    return dict(parts.columns())


def _parameters(h: Headers, parts: Parts, chunks: _Chunks) -> None:
    pick = chunks.of(*PARAMETERS)
    before = np.array([PARAMETERS.get(kind, 0) for kind in range(256)])[chunks.kind[pick]]
    start, stop, owner = chunks.at[pick] + HEAD.size + before, chunks.stop[pick], chunks.row[pick]
    for _ in range(2):  # parameters of chunks, then nested ones
        walked = items(h, start, stop, head=0, least=TYPED.size, place=2, align=4, owner=owner)
        fits = np.flatnonzero(walked.size > 0)
        at, end, row = walked.at[fits], walked.at[fits] + walked.size[fits], owner[walked.row[fits]]
        kind = parts.read(TYPED, row, at, end)["sctp.parameter_type"]
        value = at + TYPED.size
        for number, layout in PARAMETER_VALUES.items():
            own = np.flatnonzero(kind == number)
            parts.read(layout, row[own], value[own], end[own])
        for number, (size, layout) in PARAMETER_LISTS.items():
            own = np.flatnonzero(kind == number)
            place = value[own] + size
            _read_list(parts, layout, row[own], place, np.maximum(end[own] - place, 0) // layout.size)
        for number, f in PARAMETER_RAWS.items():
            own = np.flatnonzero(kind == number)
            parts.bytes(f.name, row[own], value[own], end[own])
        own = np.flatnonzero(kind == 11)
        parts.put(HOST.name, words(h.buffer, value[own], end[own]), row[own], at[own])
        inner = np.flatnonzero(np.isin(kind, ADDRESS_CHANGES))
        start, stop, owner = value[inner] + CORRELATION.size, end[inner], row[inner]


def _causes(h: Headers, parts: Parts, chunks: _Chunks) -> None:
    pick = chunks.of(*CAUSES)
    owner = chunks.row[pick]
    walked = items(h, chunks.at[pick] + HEAD.size, chunks.stop[pick], head=0, least=CODED.size, place=2, align=4, owner=owner)
    fits = np.flatnonzero(walked.size > 0)
    at, end, row = walked.at[fits], walked.at[fits] + walked.size[fits], owner[walked.row[fits]]
    code = parts.read(CODED, row, at, end)["sctp.cause_code"]
    value = at + CODED.size
    for number, layout in CAUSE_VALUES.items():
        own = np.flatnonzero(code == number)
        parts.read(layout, row[own], value[own], end[own])
    own = np.flatnonzero(~np.isin(code, list(CAUSE_VALUES)))
    parts.bytes(INFORMATION.name, row[own], value[own], end[own])


LAYOUTS = (
    HEAD,
    *VALUES.values(),
    FRAGMENT,
    *(layout for _, lists in LISTS for _, layout in lists),
    TYPED,
    *PARAMETER_VALUES.values(),
    *(layout for _, layout in PARAMETER_LISTS.values()),
    CODED,
    *CAUSE_VALUES.values(),
)
DECLARED = (
    *(f for layout in LAYOUTS for f in layout.fields),
    *(Field(name, flag, label, many=True) for name, (_, label, _) in FLAGS.items()),
    *(f for _, f in RAWS.values()),
    *PARAMETER_RAWS.values(),
    HOST,
    INFORMATION,
)
FIELDS = tuple({f.name: f for f in DECLARED}.values())

PROTOCOL = Protocol(
    "SCTP",
    header=HEADER,
    on={"ipproto": 132, "udp.port": 9899},
    aliases={"sctp.port": ("sctp.srcport", "sctp.dstport")},
    info="{sctp.srcport} → {sctp.dstport} {sctp.chunk_type:words}",
    contents=contents,
    probe_port=probe_port,
    derived=((FIELDS, _derived), ((checksums.status_field("sctp.checksum.status"),), _status)),
)
