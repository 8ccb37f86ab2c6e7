"""Transport Layer Security: records and the handshake in them. RFC 8446, RFC 5246, RFC 6101 (SSL 3.0).

A row is a record. Encrypted records are marked as such; nothing is decrypted.
"""

from dataclasses import dataclass, field

import numpy as np

from ..fields import Column, Field, Headers, Layout, Protocol, Reading, flag, raw, text, u8, u16
from .common import _tls, certificates, tls_fingerprints, tls_handshake
from .common._tls import CHANGE, ENCRYPTED, HANDSHAKE, TLS13
from .common.framing import ContiguousRuns, Framed, StreamFramer

ALERT, DATA, HEARTBEAT = 21, 23, 24
TYPE = {CHANGE: "change cipher spec", ALERT: "alert", HANDSHAKE: "handshake", DATA: "application data", HEARTBEAT: "heartbeat"}
LEVEL = {1: "warning", 2: "fatal"}
ALERTS = {
    0: "close notify",
    10: "unexpected message",
    20: "bad record MAC",
    21: "decryption failed",
    22: "record overflow",
    30: "decompression failure",
    40: "handshake failure",
    41: "no certificate",
    42: "bad certificate",
    43: "unsupported certificate",
    44: "certificate revoked",
    45: "certificate expired",
    46: "certificate unknown",
    47: "illegal parameter",
    48: "unknown CA",
    49: "access denied",
    50: "decode error",
    51: "decrypt error",
    52: "too many CIDs requested",
    60: "export restriction",
    70: "protocol version",
    71: "insufficient security",
    80: "internal error",
    86: "inappropriate fallback",
    90: "user canceled",
    100: "no renegotiation",
    109: "missing extension",
    110: "unsupported extension",
    111: "certificate unobtainable",
    112: "unrecognized name",
    113: "bad certificate status response",
    114: "bad certificate hash value",
    115: "unknown PSK identity",
    116: "certificate required",
    120: "no application protocol",
    121: "encrypted client hello required",
}
MEANS = {  # why a handshake failed, RFC 8446 §6.2, RFC 5246 §7.2.2
    10: "a message that does not belong there",
    20: "a record does not verify: keys differ, or it was changed on the way",
    21: "a record cannot be decrypted",
    22: "a record is too long",
    40: "nothing in common: no suite, group or signature algorithm that both allow, or no certificate where one is wanted",
    41: "the client has no certificate",
    42: "the certificate is broken, or its signature is wrong",
    43: "a kind of certificate that is not supported",
    44: "the certificate was revoked by who signed it",
    45: "the certificate has expired or is not yet valid",
    46: "the certificate is not accepted, for another reason",
    47: "a value that is not allowed or contradicts others",
    48: "no CA that is trusted here signed the certificate: an own CA, a missing intermediate certificate, or somebody in between",
    49: "the certificate is valid, but access is denied",
    50: "a message cannot be decoded",
    51: "a signature or a Finished message does not verify",
    70: "the version that the client offers is not allowed here",
    71: "the suites or keys that are offered are too weak here",
    80: "something failed inside that end, not in the protocol",
    86: "the client tries an older version again, though both allow a newer one",
    109: "an extension is missing that has to be there",
    110: "an extension that nobody asked for",
    112: "the server has no host of the name that the client wants",
    113: "the server's proof that its certificate is not revoked is broken",
    115: "no key of that identity",
    116: "the server wants a certificate of the client",
    120: "no application protocol in common",
}
HARMLESS = (0, 90, 100)  # close notify, user canceled, no renegotiation
HEADER = Layout(
    Field("tls.record.type", u8, "Record type", "as it stands in the record", value_names=TYPE),
    Field("tls.record.version", u16, "Record version", "TLS 1.3 says 1.2 here", hex=4, value_names=tls_handshake.VERSION),
    Field("tls.record.length", u16, "Length", "bytes after this header"),
)
MESSAGE = Layout(
    Field("tls.alert_message.level", u8, "Alert level", value_names=LEVEL),
    Field("tls.alert_message.desc", u8, "Alert", "RFC 8446 §6", value_names=ALERTS),
)
RECORD_LIMIT = 16_384 + 2048  # bytes of a record after its header, RFC 5246 §6.2.3
MEMORY_LIMIT = 64 << 20  # bytes of incomplete handshake messages of all directions


@dataclass
class TlsFramer(StreamFramer):
    """Records. Columns: `readability` and `version`, as of `_tls.records`.

    A record that ends a handshake message which began in earlier records holds all of that message in a new buffer.
    """

    header: int = HEADER.size
    at: int = 3
    width: int = 2
    offset: int = HEADER.size
    limit: int = HEADER.size + RECORD_LIMIT
    first: tuple[int, ...] | None = tuple(TYPE)
    second: int | None = 3  # of the version
    versions: np.ndarray = field(default_factory=lambda: np.zeros(1024, np.int64))
    changed: np.ndarray = field(default_factory=lambda: np.zeros(2048, np.uint8))
    incomplete: dict[int, bytearray] = field(default_factory=dict)

    def probe_midstream(self, first: np.ndarray, size: np.ndarray) -> np.ndarray:
        """A record that begins with a client hello: after CONNECT to a proxy (RFC 9110 §9.3.6), STARTTLS and the like (RFC 3207)."""
        length = first[:, 3].astype(np.int64) << 8 | first[:, 4]
        hello = (first[:, 0] == HANDSHAKE) & (first[:, 5] == tls_handshake.CLIENT) & (first[:, 6] == 0)
        return hello & (first[:, 1] == 3) & (first[:, 9] == 3) & (length > 40) & (length <= RECORD_LIMIT) & (size >= 11)

    def split(self, s: ContiguousRuns) -> Framed:
        """The records that these runs complete."""
        framed = super().split(s)
        torn = self.torn(s, framed)  # there a record continues no handshake message
        if not len(framed.direction):
            return framed
        most = int(framed.direction.max()) >> 1
        while most >= len(self.versions):
            self.versions = np.concatenate((self.versions, np.zeros(len(self.versions), np.int64)))
            self.changed = np.concatenate((self.changed, np.zeros(len(self.changed), np.uint8)))
        # What a record is depends on the earlier records of both directions.
        order = np.lexsort((np.arange(len(framed.direction)), framed.direction, framed.by))
        readability, version = np.zeros(len(order), np.uint8), np.zeros(len(order), np.int64)
        of = (np.ascontiguousarray(column[order]) for column in (framed.start, framed.end, framed.direction, torn.astype(np.uint8)))
        start, end, direction, fresh = of
        state = self.versions.data, self.changed.data, self.incomplete, tls_handshake.TYPES.data, tls_handshake.MESSAGE_LIMIT, MEMORY_LIMIT
        continued = _tls.records(framed.data.data, start.data, end.data, direction.data, fresh.data, *state, readability.data, version.data)
        back = np.empty_like(order)
        back[order] = np.arange(len(order))
        framed = framed._replace(columns={"readability": readability[back], "version": version[back]})
        return _with_begins(framed, [(int(order[i]), before) for i, before in continued]) if continued else framed


def _with_begins(framed: Framed, continued: list[tuple[int, bytes]]) -> Framed:
    """Insert the begin of their first message, which came in earlier records, after the headers of these records."""
    continued.sort()
    parts, added, done = [], np.zeros(len(framed.start), np.int64), 0
    for i, before in continued:
        at = int(framed.start[i]) + HEADER.size
        parts += [framed.data[done:at], np.frombuffer(before, np.uint8)]
        added[i] = len(before)
        done = at
    upto = np.cumsum(added)
    return framed._replace(data=np.concatenate((*parts, framed.data[done:])), start=framed.start + upto - added, end=framed.end + upto)


def _records(h: Headers) -> dict[str, Column]:
    """Every field of a record that depends on its connection."""
    kind, readability = h["tls.record.type"], h.context_of("readability")
    opaque = (kind == DATA) & (h.context_of("version") == TLS13)
    plain, hidden = np.flatnonzero(~opaque & h.whole), np.flatnonzero(opaque & h.whole)
    size = h["tls.record.length"]
    readable = (kind == ALERT) & (size == MESSAGE.size)
    encrypted = h.whole & ((kind == DATA) | ((kind == HANDSHAKE) & (readability == ENCRYPTED)) | ((kind == ALERT) & ~readable))
    rows = np.flatnonzero(readable)
    alert = Reading(MESSAGE, h.buffer, h.start[rows] + HEADER.size, h.end[rows], rows)
    alerts, where = alert.column("tls.alert_message.desc")
    assert where is not None
    failed = np.flatnonzero(~np.isin(alerts, HARMLESS))
    means = [f"{ALERTS[code]}: {MEANS[code]}" if code in MEANS else ALERTS.get(code, "unknown") for code in alerts[failed].tolist()]
    data = np.flatnonzero((kind == DATA) & h.whole)
    words = np.array([TYPE.get(one, "") for one in range(256)], object)[kind]
    words[encrypted & (kind != DATA)] = "encrypted " + words[encrypted & (kind != DATA)]
    return {
        "tls.record.content_type": Column(kind[plain], plain),
        "tls.record.opaque_type": Column(kind[hidden], hidden),
        "tls.record.encrypted": Column(encrypted),
        "tls.record.words": Column(words),
        "tls.app_data": Column(np.column_stack((h.start[data] + HEADER.size, h.end[data])), data),
        **{f.name: alert.column(f.name) for f in MESSAGE.fields},
        "tls.alert_message.means": Column(np.array(means, object), where[failed]),
    }


def words(h: Headers) -> dict[str, Column]:
    """The names of each record's handshake messages, separated by commas."""
    found = tls_handshake.messages(h)
    named = [tls_handshake.MESSAGE[one] for one in tls_handshake.kinds(h, found).tolist()]
    names: dict[int, str] = {}
    for row, name in zip(found.row.tolist(), named):
        names[row] = f"{names[row]}, {name}" if row in names else name
    return {"tls.handshake.words": Column(np.array(list(names.values()), object), np.array(list(names), np.int64))}


PROTOCOL = Protocol(
    "tls",
    "TLS",
    __doc__,
    header=HEADER,
    on={"tcp.port": 443},
    info="{tls.record.words}[: {tls.handshake.words}][, {tls.handshake.extensions_server_name}]"
    "[: {tls.alert_message.level:words}][, {tls.alert_message.desc:words}], {tls.record.length} bytes",
    check=tls_handshake.check,
    framer=TlsFramer,
    derived=(
        (
            (
                Field("tls.record.content_type", u8, "Content type", "not of what TLS 1.3 encrypts", value_names=TYPE),
                Field("tls.record.opaque_type", u8, "Opaque type", "of what TLS 1.3 encrypts: says nothing", value_names=TYPE),
                Field("tls.record.encrypted", flag, "Encrypted", "application data, handshake or alert that cannot be read"),
                Field("tls.record.words", text, "Record in words"),
                Field("tls.app_data", raw, "Encrypted data"),
                *MESSAGE.fields,
                Field("tls.alert_message.means", text, "Alert in words", "why a handshake or connection failed"),
            ),
            _records,
        ),
        ((Field("tls.handshake.words", text, "Handshake messages in words"),), words),
        (tls_handshake.FIELDS, tls_handshake.columns),
        (tls_fingerprints.FIELDS, tls_fingerprints.columns),
        (certificates.FIELDS, certificates.columns),
    ),
)
