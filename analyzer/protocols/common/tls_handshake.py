"""Handshake messages of TLS in records: hellos with their extensions, certificates, tickets. RFC 8446 §4, RFC 5246 §7.4, RFC 6066.

A record that ends a message which began in earlier records holds all of it here (`tls.TlsFramer` inserts the begin).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ...fields import Column, Field, Headers, Kind, Layout, flag, raw, text, u8, u16, u24, u32, u64
from . import _framing
from ._tls import HANDSHAKE, PLAINTEXT, TLS13
from .parts import Parts, peek
from .tls_cipher_suites import GREASE, SIGNALS, SUITE, WEAK

VERSION = {0x0002: "SSL 2.0", 0x0300: "SSL 3.0", 0x0301: "TLS 1.0", 0x0302: "TLS 1.1", 0x0303: "TLS 1.2", 0x0304: "TLS 1.3"}
NAMED_VERSION = {**VERSION, **{n: f"TLS 1.3 draft {n & 0xFF}" for n in range(0x7F0E, 0x7F20)}, **dict.fromkeys(GREASE, "GREASE")}
MESSAGE = {
    0: "hello request",
    1: "client hello",
    2: "server hello",
    3: "hello verify request",
    4: "new session ticket",
    5: "end of early data",
    6: "hello retry request",
    8: "encrypted extensions",
    11: "certificate",
    12: "server key exchange",
    13: "certificate request",
    14: "server hello done",
    15: "certificate verify",
    16: "client key exchange",
    20: "finished",
    21: "certificate URL",
    22: "certificate status",
    23: "supplemental data",
    24: "key update",
    25: "compressed certificate",
    67: "next protocol",
    254: "message hash",
}
CLIENT, SERVER, TICKET, CERTIFICATE, KEY_EXCHANGE, REQUEST, VERIFY = 1, 2, 4, 11, 12, 13, 15
TLS12 = 0x0303
MESSAGE_LIMIT = 1 << 18  # bytes of a handshake message; chains of certificates are far shorter
TYPES = np.isin(np.arange(256), list(MESSAGE)).astype(np.uint8)
ANY_TYPE, NO_CANDIDATES = np.ones(256, np.uint8), np.zeros(0, np.int64)
RETRY = bytes.fromhex(
    "cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c"
)  # the random of a hello retry request, RFC 8446 §4.1.3
(
    NAME,
    FRAGMENT,
    STATUS,
    GROUPS,
    FORMATS,
    ALGORITHMS,
    HEARTBEAT,
    ALPN,
    COMPRESS,
    LIMIT,
    RESUMES,
    PSK,
    VERSIONS,
    MODES,
    CERT_ALGORITHMS,
    SHARE,
    RENEGOTIATION,
) = (0, 1, 5, 10, 11, 13, 15, 16, 27, 28, 35, 41, 43, 45, 50, 51, 65281)
EXTENSION = {
    NAME: "server name",
    FRAGMENT: "maximum fragment length",
    2: "client certificate URL",
    3: "trusted CA keys",
    4: "truncated HMAC",
    STATUS: "status request",
    6: "user mapping",
    9: "certificate type",
    GROUPS: "supported groups",
    FORMATS: "EC point formats",
    12: "SRP",
    ALGORITHMS: "signature algorithms",
    14: "use SRTP",
    HEARTBEAT: "heartbeat",
    ALPN: "application protocol",
    17: "status request v2",
    18: "signed certificate timestamp",
    19: "client certificate type",
    20: "server certificate type",
    21: "padding",
    22: "encrypt then MAC",
    23: "extended master secret",
    24: "token binding",
    25: "cached information",
    COMPRESS: "compress certificate",
    LIMIT: "record size limit",
    34: "delegated credentials",
    RESUMES: "session ticket",
    PSK: "pre-shared key",
    42: "early data",
    VERSIONS: "supported versions",
    44: "cookie",
    MODES: "pre-shared key exchange modes",
    47: "certificate authorities",
    48: "OID filters",
    49: "authentication after the handshake",
    CERT_ALGORITHMS: "signature algorithms of certificates",
    SHARE: "key share",
    54: "connection id",
    57: "QUIC transport parameters",
    13172: "next protocol negotiation",
    17513: "application settings",
    17613: "application settings",
    30032: "channel id",
    0xFE0D: "encrypted client hello",
    RENEGOTIATION: "renegotiation info",
    **dict.fromkeys(GREASE, "GREASE"),
}
GROUP = {
    19: "secp192r1",
    21: "secp224r1",
    22: "secp256k1",
    23: "secp256r1",
    24: "secp384r1",
    25: "secp521r1",
    26: "brainpoolP256r1",
    27: "brainpoolP384r1",
    28: "brainpoolP512r1",
    29: "x25519",
    30: "x448",
    41: "curveSM2",
    256: "ffdhe2048",
    257: "ffdhe3072",
    258: "ffdhe4096",
    259: "ffdhe6144",
    260: "ffdhe8192",
    512: "MLKEM512",
    513: "MLKEM768",
    514: "MLKEM1024",
    4587: "SecP256r1MLKEM768",
    4588: "X25519MLKEM768",
    4589: "SecP384r1MLKEM1024",
    25497: "X25519Kyber768Draft00",
    **dict.fromkeys(GREASE, "GREASE"),
}
ALGORITHM = {
    0x0101: "rsa_pkcs1_md5",
    0x0201: "rsa_pkcs1_sha1",
    0x0202: "dsa_sha1",
    0x0203: "ecdsa_sha1",
    0x0301: "rsa_pkcs1_sha224",
    0x0302: "dsa_sha224",
    0x0303: "ecdsa_sha224",
    0x0401: "rsa_pkcs1_sha256",
    0x0402: "dsa_sha256",
    0x0403: "ecdsa_secp256r1_sha256",
    0x0501: "rsa_pkcs1_sha384",
    0x0502: "dsa_sha384",
    0x0503: "ecdsa_secp384r1_sha384",
    0x0601: "rsa_pkcs1_sha512",
    0x0602: "dsa_sha512",
    0x0603: "ecdsa_secp521r1_sha512",
    0x0804: "rsa_pss_rsae_sha256",
    0x0805: "rsa_pss_rsae_sha384",
    0x0806: "rsa_pss_rsae_sha512",
    0x0807: "ed25519",
    0x0808: "ed448",
    0x0809: "rsa_pss_pss_sha256",
    0x080A: "rsa_pss_pss_sha384",
    0x080B: "rsa_pss_pss_sha512",
    0x081A: "ecdsa_brainpoolP256r1tls13_sha256",
    0x081B: "ecdsa_brainpoolP384r1tls13_sha384",
    0x081C: "ecdsa_brainpoolP512r1tls13_sha512",
}
SUITES = {**SUITE, **dict.fromkeys(GREASE, "GREASE"), SIGNALS[0]: "signals secure renegotiation", SIGNALS[1]: "signals a fallback"}
HS = "tls.handshake"
MESSAGES = Layout(
    Field(f"{HS}.type", u8, "Handshake message", value_names=MESSAGE, many=True),
    Field(f"{HS}.length", u24, "Handshake length", "bytes after type and length", many=True),
)
HELLO = Layout(
    Field(
        f"{HS}.version",
        u16,
        "Hello version",
        "at the most 1.2: a client offers, a server chooses 1.3 in an extension",
        4,
        NAMED_VERSION,
        many=True,
    ),
    *(Field(f"random{n}", u64, "") for n in range(4)),
    Field(f"{HS}.session_id_length", u8, "Session ID length", many=True),
)
SUITES_LENGTH = Layout(Field(f"{HS}.cipher_suites_length", u16, "Cipher suites length", "bytes", many=True))
CIPHER = Layout(Field(f"{HS}.ciphersuite", u16, "Cipher suite", "those offered; the one chosen", 4, SUITES, many=True))
METHODS_LENGTH = Layout(Field(f"{HS}.comp_methods_length", u8, "Compression methods", "how many", many=True))
METHOD = Layout(Field(f"{HS}.comp_method", u8, "Compression method", "0: none", many=True))
EXTENSIONS_LENGTH = Layout(Field(f"{HS}.extensions_length", u16, "Extensions length", "bytes", many=True))
HEAD = Layout(
    Field(f"{HS}.extension.type", u16, "Extension", value_names=EXTENSION, many=True),
    Field(f"{HS}.extension.len", u16, "Extension length", "bytes", many=True),
)
BYTE, WORD, LONG = Layout(Field("byte", u8, "")), Layout(Field("word", u16, "")), Layout(Field("long", u24, ""))


def _list(name: str, kind: Kind, label: str, description: str = "", hex: int = 0, value_names: Mapping[int, str] | None = None) -> Layout:
    return Layout(Field(f"{HS}.{name}", kind, label, description, hex, value_names, many=True))


VERSION_OFFERED = _list(
    "extensions.supported_version", u16, "Supported version", "of a server: the one chosen", hex=4, value_names=NAMED_VERSION
)
SUPPORTED_GROUP = _list("extensions_supported_group", u16, "Supported group", "for the key exchange", hex=4, value_names=GROUP)
SIGNATURE = _list("sig_hash_alg", u16, "Signature algorithm", hex=4, value_names=ALGORITHM)
FORMAT = _list("extensions_ec_point_format", u8, "EC point format")
SHARED = Layout(
    Field(f"{HS}.extensions_key_share_group", u16, "Key share's group", value_names=GROUP, many=True),
    Field(f"{HS}.extensions_key_share_key_exchange_length", u16, "Key share's length", "bytes", many=True),
)
SELECTED_GROUP = _list("extensions_key_share_selected_group", u16, "Group asked for", "by a hello retry request", value_names=GROUP)
NAME_HEAD = Layout(
    Field(f"{HS}.extensions_server_name_type", u8, "Server name type", "0: a host", many=True),
    Field(f"{HS}.extensions_server_name_len", u16, "Server name length", "bytes", many=True),
)
NAMES_LENGTH = _list("extensions_server_name_list_len", u16, "Server names length", "bytes")
ALPN_LENGTH = _list("extensions_alpn_len", u16, "Application protocols length", "bytes")
PROTOCOL_LENGTH = _list("extensions_alpn_str_len", u8, "Application protocol length", "bytes")
FRAGMENT_CODE = _list("max_fragment_length", u8, "Maximum fragment", "1 to 4: 512, 1024, 2048, 4096 bytes; RFC 6066 §4")
SIZE_LIMIT = Layout(Field("tls.record_size_limit", u16, "Record size limit", "bytes; RFC 8449", many=True))
STATUS_TYPE = _list("extensions_status_request_type", u8, "Status request", "1: OCSP; RFC 6066 §8")
BEAT = _list("extension.heartbeat.mode", u8, "Heartbeat mode", "1: the peer may ask; RFC 6520")
MODE = Layout(Field("tls.extension.psk_ke_mode", u8, "Pre-shared key exchange", "0: key alone, 1: with Diffie-Hellman", many=True))
COMPRESSION = Layout(Field("tls.compress_certificate.algorithm", u16, "Certificate compression", "1: zlib, 2: brotli, 3: zstd", many=True))
SELECTED_KEY = _list("extensions.psk.identity.selected", u16, "Pre-shared key chosen", "which of those offered: the session is resumed")
LIFETIME = Layout(
    Field(f"{HS}.session_ticket_lifetime_hint", u32, "Ticket lifetime", "seconds", many=True),
    Field(f"{HS}.session_ticket_length", u16, "Ticket length", "bytes", many=True),
)
CERTIFICATES_LENGTH = _list("certificates_length", u24, "Certificates length", "bytes")
CERTIFICATE_LENGTH = _list("certificate_length", u24, "Certificate length", "bytes")
CURVE = Layout(
    Field(f"{HS}.server_curve_type", u8, "Curve type", "3: a named one", hex=2, many=True),
    Field(f"{HS}.server_named_curve", u16, "Curve", "of the server's key exchange up to TLS 1.2", hex=4, value_names=GROUP, many=True),
    Field(f"{HS}.server_point_len", u8, "Public key length", "bytes", many=True),
)
PRIME = _list("p_len", u16, "Prime length", "bytes; of a server's Diffie-Hellman key exchange up to TLS 1.2")
LAYOUTS = (
    PRIME,
    MESSAGES,
    HELLO,
    SUITES_LENGTH,
    CIPHER,
    METHODS_LENGTH,
    METHOD,
    EXTENSIONS_LENGTH,
    HEAD,
    VERSION_OFFERED,
    SUPPORTED_GROUP,
    SIGNATURE,
    FORMAT,
    SHARED,
    SELECTED_GROUP,
    NAMES_LENGTH,
    NAME_HEAD,
    ALPN_LENGTH,
    PROTOCOL_LENGTH,
    FRAGMENT_CODE,
    SIZE_LIMIT,
    STATUS_TYPE,
    BEAT,
    MODE,
    COMPRESSION,
    SELECTED_KEY,
    LIFETIME,
    CERTIFICATES_LENGTH,
    CERTIFICATE_LENGTH,
    CURVE,
)
FIELDS = (
    *(f for layout in LAYOUTS for f in layout.fields if f.label),
    Field(f"{HS}.random", raw, "Random", many=True),
    Field(f"{HS}.session_id", raw, "Session ID", many=True),
    Field(f"{HS}.extensions_server_name", text, "Server name", "the host that the client wants", many=True),
    Field(f"{HS}.extensions_alpn_str", text, "Application protocol", "ALPN: those offered; the one chosen", many=True),
    Field(f"{HS}.extensions_key_share_key_exchange", raw, "Key share", many=True),
    Field(f"{HS}.extensions_reneg_info", raw, "Renegotiation info", many=True),
    Field(f"{HS}.extensions.psk.identity.identity", raw, "Pre-shared key identity", "often a ticket", many=True),
    Field(f"{HS}.session_ticket", raw, "Session ticket", many=True),
    Field(f"{HS}.certificate", raw, "Certificate", "DER; the sender's own first", many=True),
    Field(f"{HS}.ticket_offered", raw, "Ticket offered", "by a client that wants to resume a session; RFC 5077", many=True),
    Field(f"{HS}.retry", flag, "Hello retry request", "a server hello that asks for another client hello; RFC 8446 §4.1.4"),
    Field(f"{HS}.chosen_version", u16, "Version chosen", "by the server, in an extension or in its hello", 4, NAMED_VERSION),
    Field(f"{HS}.weak", text, "Weak suite chosen", "and why; by the server"),
    Field(f"{HS}.weak_offered", text, "Weak suites offered", "by the client; the first, and how many"),
)


class VectorSpans(NamedTuple):
    """Parts of the buffer inside headers, in order. row: header of each; start, end: int64, its bounds."""

    row: np.ndarray
    start: np.ndarray
    end: np.ndarray

    def only(self, mask: np.ndarray) -> VectorSpans:
        """Those at mask (bool or indices)."""
        return VectorSpans(self.row[mask], self.start[mask], self.end[mask])


def vectors(
    h: Headers, parts: VectorSpans, header: int, at: int, width: int, offset: int, types: np.ndarray | None = None
) -> tuple[VectorSpans, np.ndarray, np.ndarray]:
    """The items of these vectors, each with a header that gives its length: header … offset as in `StreamFramer`. RFC 8446 §3.4.

    Returns the items, header included, the index of the vector that holds each, and where in each vector an item does not fit (int64;
    the vector's end if all do).
    """
    heads = ANY_TYPE if types is None else types
    ends = np.maximum(parts.end, parts.start)
    length = header, at, width, False, offset, 1 << 24
    found = _framing.prefixed(h.buffer.data, parts.start.copy().data, ends.data, *length, heads.data, -1, NO_CANDIDATES.data)
    nth, start, end = np.frombuffer(found[0], np.int64).reshape(-1, 3).T
    upto = np.frombuffer(found[1], np.int64).copy()
    bad = np.frombuffer(found[2], np.int64).reshape(-1, 4)
    upto[bad[:, 0]] = bad[:, 1]
    return VectorSpans(parts.row[nth], start, end), nth, upto


def recorded(h: Headers) -> bool:
    """Whether these headers are records: not so in QUIC."""
    return "tls.record.type" in h.layout.places


def messages(h: Headers) -> VectorSpans:
    """The complete handshake messages of these records, type and length included. In QUIC a header is messages, without records."""
    if "messages" not in h.context:
        reads = h.whole & ~h.quoted
        if recorded(h):
            reads &= h["tls.record.type"] == HANDSHAKE
        if "readability" in h.context:
            reads &= h.context_of("readability") == PLAINTEXT
        rows = np.flatnonzero(reads)
        found, _, _ = vectors(h, VectorSpans(rows, h.start[rows] + h.layout.size, h.end[rows]), 4, 1, 3, 4, TYPES)
        h.set_context("messages", np.column_stack((found.start, found.end)), found.row)
    column = h.context["messages"]
    assert column.rows is not None  # set above
    return VectorSpans(column.rows, column.values[:, 0], column.values[:, 1])


def kinds(h: Headers, found: VectorSpans) -> np.ndarray:
    """The type of each message, uint8."""
    return h.buffer[found.start]


class Hellos(NamedTuple):
    """Client and server hellos. whole: the message; client: bool. session, suites, methods, extensions: bounds of what each holds,
    empty where it is not there; bad: where a length goes beyond the message, -1 if none does."""

    whole: VectorSpans
    client: np.ndarray
    session: VectorSpans
    suites: VectorSpans
    methods: VectorSpans
    extensions: VectorSpans
    bad: np.ndarray


def hellos(h: Headers) -> Hellos:
    """Where the parts of the hellos lie. RFC 8446 §4.1.2, §4.1.3."""
    found = messages(h)
    kind = kinds(h, found)
    pick = np.flatnonzero((kind == CLIENT) | (kind == SERVER))
    whole, client = found.only(pick), kind[pick] == CLIENT
    row, stop = whole.row, whole.end
    bad = np.full(len(pick), -1)

    def number(layout: Layout, at: np.ndarray) -> np.ndarray:
        return peek(h, layout, row, at, stop)[layout.fields[0].name].astype(np.int64)

    def part(at: np.ndarray, head: int | np.ndarray, size: np.ndarray) -> tuple[VectorSpans, np.ndarray]:
        """What a length of `head` bytes counts; where that ends."""
        over = (bad < 0) & (at + head + size > stop)
        bad[over] = np.minimum(at, stop)[over]
        start = np.where(bad < 0, at + head, stop)
        end = np.where(bad < 0, at + head + size, stop)
        return VectorSpans(row, start, end), end

    at = whole.start + 4 + HELLO.size - 1
    session, at = part(at, 1, number(BYTE, at))
    suites, at = part(at, np.where(client, 2, 0), np.where(client, number(WORD, at), 2))
    methods, at = part(at, np.where(client, 1, 0), np.where(client, number(BYTE, at), 1))
    there = at < stop
    extensions, _ = part(at, np.where(there, 2, 0), np.where(there, number(WORD, at), 0))
    return Hellos(whole, client, session, suites, methods, extensions, bad)


def extensions(h: Headers, found: Hellos) -> tuple[VectorSpans, np.ndarray, np.ndarray, np.ndarray]:
    """The extensions of hellos: bounds with type and length; which hello each is of; its type; where a list's last does not fit."""
    parts, nth, upto = vectors(h, found.extensions, 4, 2, 2, 4)
    return parts, nth, peek(h, HEAD, parts.row, parts.start, parts.end)[f"{HS}.extension.type"], upto


def check(h: Headers) -> None:
    """Report hellos and extensions that do not fit into what holds them."""
    found = hellos(h)
    if not len(found.whole.row):
        return
    _report(h, found.whole.row, found.bad >= 0, "a length in a hello goes beyond its message", found.bad)
    _, _, _, upto = extensions(h, found)
    _report(h, found.whole.row, upto < found.extensions.end, "an extension of a hello does not fit", upto)


def _report(h: Headers, rows: np.ndarray, bad: np.ndarray, sentence: str, at: np.ndarray) -> None:
    mask, where = np.zeros(len(h), bool), h.start.copy()
    own = np.flatnonzero(bad)[::-1]
    mask[rows[own]] = True
    where[rows[own]] = at[own]
    h.fault(mask, "", sentence, at=where)


def columns(h: Headers) -> dict[str, Column]:
    """Every field of FIELDS."""
    p = Parts(h, FIELDS)
    every = messages(h)
    p.read(MESSAGES, every.row, every.start, every.end)
    kind = kinds(h, every)
    found = hellos(h)
    whole, client = found.whole, found.client
    p.read(HELLO, whole.row, whole.start + 4, whole.end)
    fits = whole.end - whole.start >= 4 + HELLO.size
    place = whole.start + 6
    p.bytes(f"{HS}.random", whole.row[fits], place[fits], place[fits] + 32)
    p.bytes(f"{HS}.session_id", *found.session)
    offers = client & (found.suites.start < whole.end)
    p.read(SUITES_LENGTH, whole.row[offers], found.suites.start[offers] - 2)
    _read_array(p, CIPHER, found.suites)
    offers = client & (found.methods.start < whole.end)
    p.read(METHODS_LENGTH, whole.row[offers], found.methods.start[offers] - 1)
    _read_array(p, METHOD, found.methods)
    more = found.extensions.start < whole.end
    more |= found.extensions.start - found.methods.end == 2
    p.read(EXTENSIONS_LENGTH, whole.row[more], found.extensions.start[more] - 2, whole.end[more])
    _extensions(h, p, found)

    tickets = every.only(kind == TICKET)
    ticket = p.read(LIFETIME, tickets.row, tickets.start + 4, tickets.end)
    at = tickets.start + 4 + LIFETIME.size
    end = at + ticket[f"{HS}.session_ticket_length"]
    fits = end <= tickets.end
    p.bytes(f"{HS}.session_ticket", tickets.row[fits], at[fits], end[fits])
    certificates = chains(h)
    own = every.only(kind == CERTIFICATE)
    p.read(CERTIFICATES_LENGTH, own.row, own.start + 4, own.end)
    p.read(CERTIFICATE_LENGTH, certificates.row, certificates.start, certificates.end)
    p.bytes(f"{HS}.certificate", certificates.row, certificates.start + 3, certificates.end)
    keys = every.only(kind == KEY_EXCHANGE)
    curve = peek(h, CURVE, keys.row, keys.start + 4, keys.end)
    named = curve[f"{HS}.server_curve_type"] == 3
    named &= np.isin(curve[f"{HS}.server_named_curve"], list(GROUP)) & (curve[f"{HS}.server_point_len"] > 31)
    p.read(CURVE, keys.row[named], keys.start[named] + 4, keys.end[named])
    at = keys.start + 4 + CURVE.size + curve[f"{HS}.server_point_len"]
    numbers = keys.only(~named)
    behind = numbers.start + 4
    for _ in range(3):  # a prime, a generator and a public key, RFC 5246 §7.4.3
        behind = behind + 2 + peek(h, WORD, numbers.row, behind, numbers.end)["word"]
    newer = _version(h)[numbers.row] == TLS12
    signed = behind + 2 * newer
    fits = signed + 2 + peek(h, WORD, numbers.row, signed, numbers.end)["word"] == numbers.end
    p.read(PRIME, numbers.row[fits], numbers.start[fits] + 4)
    at[~named] = np.where(fits & newer, behind, numbers.end)
    signs = _version(h)[keys.row] == TLS12
    p.read(SIGNATURE, keys.row[signs], at[signs], keys.end[signs])
    proofs = every.only((kind == VERIFY) & (_version(h)[every.row] == TLS12))
    p.read(SIGNATURE, proofs.row, proofs.start + 4, proofs.end)
    asks = every.only((kind == REQUEST) & (_version(h)[every.row] == TLS12))
    count = peek(h, BYTE, asks.row, asks.start + 4, asks.end)["byte"].astype(np.int64)
    _read_array(p, SIGNATURE, _vector(h, VectorSpans(asks.row, np.minimum(asks.start + 5 + count, asks.end), asks.end), WORD))
    columns = dict(p.columns())
    rows = whole.row[retries(h, found)]
    columns[f"{HS}.retry"] = Column(np.ones(len(rows), bool), rows)
    rows = np.unique(whole.row[~client])
    columns[f"{HS}.chosen_version"] = Column(_version(h)[rows].astype(np.uint16), rows)
    for name, mask, sentence in (("weak", ~client, _chosen), ("weak_offered", client, _offered)):
        suites = columns[f"{HS}.ciphersuite"]
        assert suites.rows is not None
        weak = np.flatnonzero(np.isin(suites.values, list(WEAK)) & np.isin(suites.rows, whole.row[mask]))
        rows, first, count = np.unique(suites.rows[weak], return_index=True, return_counts=True)
        texts = [sentence(int(suite), many) for suite, many in zip(suites.values[weak][first].tolist(), count.tolist())]
        columns[f"{HS}.{name}"] = Column(np.array(texts, object), rows)
    return columns


def _chosen(suite: int, many: int) -> str:
    return f"{SUITE[suite]}: {WEAK[suite]}"


def _offered(suite: int, many: int) -> str:
    return _chosen(suite, many) if many == 1 else f"{_chosen(suite, many)}; and {many - 1} more"


def chains(h: Headers) -> VectorSpans:
    """The certificates of Certificate messages, their lengths of three bytes included. RFC 5246 §7.4.2 (TLS 1.3 encrypts them)."""
    found = messages(h)
    found = found.only(kinds(h, found) == CERTIFICATE)
    at = found.start + 4
    size = peek(h, LONG, found.row, at, found.end)["long"].astype(np.int64)
    certificates, _, _ = vectors(h, VectorSpans(found.row, np.minimum(at + 3, found.end), np.minimum(at + 3 + size, found.end)), 3, 0, 3, 3)
    return certificates


def retries(h: Headers, found: Hellos) -> np.ndarray:
    """The server hellos that ask for another client hello, indices."""
    wanted = np.frombuffer(RETRY, ">u8").astype(np.uint64)
    random = peek(h, HELLO, found.whole.row, found.whole.start + 4, found.whole.end)
    same = np.all([random[f"random{n}"] == one for n, one in enumerate(wanted)], axis=0)
    return np.flatnonzero(same & ~found.client)


def _version(h: Headers) -> np.ndarray:
    """The version of each record's connection so far, 0 where no server chose one. QUIC's is TLS 1.3, RFC 9001 §4.2."""
    if not recorded(h):
        return np.full(len(h), TLS13)
    return h.context_of("version")


def _vector(h: Headers, some: VectorSpans, layout: Layout) -> VectorSpans:
    """The vector that these parts begin with, without its length; it ends with its part, if that is shorter."""
    size = peek(h, layout, some.row, some.start, some.end)[layout.fields[0].name].astype(np.int64)
    start = np.minimum(some.start + layout.size, some.end)
    return VectorSpans(some.row, start, np.minimum(start + size, some.end))


def _read_array(p: Parts, layout: Layout, parts: VectorSpans) -> None:
    """Read arrays of numbers of one size."""
    count = np.maximum(parts.end - parts.start, 0) // layout.size
    one = np.repeat(np.arange(len(count)), count)
    nth = np.arange(len(one)) - np.repeat(np.cumsum(count) - count, count)
    p.read(layout, parts.row[one], parts.start[one] + layout.size * nth, parts.end[one])


def _extensions(h: Headers, p: Parts, found: Hellos) -> None:
    """Read what extensions hold."""
    parts, nth, kind, _ = extensions(h, found)
    client = found.client[nth]
    p.read(HEAD, parts.row, parts.start, parts.end)
    inner = VectorSpans(parts.row, parts.start + HEAD.size, parts.end)

    def of(number: int, mask: np.ndarray | None = None) -> VectorSpans:
        return inner.only((kind == number) if mask is None else (kind == number) & mask)

    def behind(some: VectorSpans, layout: Layout) -> VectorSpans:
        return _vector(h, some, layout)

    _read_array(p, SUPPORTED_GROUP, behind(of(GROUPS), WORD))
    _read_array(p, FORMAT, behind(of(FORMATS), BYTE))
    _read_array(p, SIGNATURE, behind(inner.only(np.isin(kind, (ALGORITHMS, CERT_ALGORITHMS))), WORD))
    _read_array(p, VERSION_OFFERED, behind(of(VERSIONS, client), BYTE))
    _read_array(p, VERSION_OFFERED, of(VERSIONS, ~client))
    _read_array(p, MODE, behind(of(MODES), BYTE))
    _read_array(p, COMPRESSION, behind(of(COMPRESS), BYTE))
    for number, layout in ((FRAGMENT, FRAGMENT_CODE), (LIMIT, SIZE_LIMIT), (STATUS, STATUS_TYPE), (HEARTBEAT, BEAT)):
        some = of(number)
        p.read(layout, some.row, some.start, some.end)

    some = of(NAME)
    p.read(NAMES_LENGTH, some.row, some.start, some.end)
    hosts, _, _ = vectors(h, behind(some, WORD), 3, 1, 2, 3)
    p.read(NAME_HEAD, hosts.row, hosts.start, hosts.end)
    p.text(f"{HS}.extensions_server_name", hosts.row, hosts.start + NAME_HEAD.size, hosts.end)
    some = of(ALPN)
    p.read(ALPN_LENGTH, some.row, some.start, some.end)
    names, _, _ = vectors(h, behind(some, WORD), 1, 0, 1, 1)
    p.read(PROTOCOL_LENGTH, names.row, names.start, names.end)
    p.text(f"{HS}.extensions_alpn_str", names.row, names.start + 1, names.end)

    asked = of(SHARE, ~client)
    asks = asked.end - asked.start == 2
    some = asked.only(asks)
    p.read(SELECTED_GROUP, some.row, some.start, some.end)
    for some in (behind(of(SHARE, client), WORD), asked.only(~asks)):
        shares, _, _ = vectors(h, some, 4, 2, 2, 4)
        p.read(SHARED, shares.row, shares.start, shares.end)
        p.bytes(f"{HS}.extensions_key_share_key_exchange", shares.row, shares.start + SHARED.size, shares.end)
    some = behind(of(RENEGOTIATION), BYTE)
    p.bytes(f"{HS}.extensions_reneg_info", *some)
    some = of(RESUMES)
    p.bytes(f"{HS}.ticket_offered", *some)
    some = of(PSK, ~client)
    p.read(SELECTED_KEY, some.row, some.start, some.end)
    keys, _, _ = vectors(h, behind(of(PSK, client), WORD), 6, 0, 2, 6)
    p.bytes(f"{HS}.extensions.psk.identity.identity", keys.row, keys.start + 2, keys.end - 4)
