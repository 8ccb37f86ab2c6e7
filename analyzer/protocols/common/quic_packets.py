"""QUIC's headers, many at once, and its Initial packets, which anybody on the path can decrypt, one by one.

RFC 8999 (what all versions share), RFC 9000 §17, RFC 9001 §5 (protection), RFC 9369 (version 2).
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any, NamedTuple

import numpy as np

from ...fields import gather

V1, V2 = 0x00000001, 0x6B3343CF
DRAFTS = range(0xFF000017, 0xFF000023)  # draft-23 to draft-34, with the headers of version 1
INITIAL, EARLY, HANDSHAKE, RETRY, VERSION_NEGOTIATION, SHORT, OTHER = range(7)  # kinds of packets; OTHER: of an unknown version
KIND_NAMES = ("Initial", "0-RTT", "Handshake", "Retry", "Version Negotiation", "1-RTT", "of an unknown version")
LONGEST = 20  # bytes of a connection ID in known versions, RFC 9000 §17.2
TAG, SAMPLE, NUMBER = 16, 16, 4  # bytes of the AEAD tag, of the sample for header protection, and most of a packet number
TYPE_KINDS = {V2: (3, 0, 1, 2)}  # kinds of the types 0 to 3 where they differ from version 1, RFC 9369 §3.2
OPENED, NO_KEY, NO_VERSION, ENOUGH, CUT, NOT_INITIAL = range(6)  # results of decrypting an Initial packet


class Secret(NamedTuple):
    """Key derivation of a version. retry: key and nonce of the tag of a Retry packet."""

    salt: bytes
    label: bytes
    retry: tuple[bytes, bytes]


def _secret(salt: str, label: bytes, key: str, nonce: str) -> Secret:
    return Secret(bytes.fromhex(salt), label, (bytes.fromhex(key), bytes.fromhex(nonce)))


SECRET_1 = _secret("38762cf7f55934b34d179ae6a4c80cadccbb7f0a", b"quic", "be0c690b9f66575a1d766b54e368c84e", "461599d35d632bf2239825bb")
SECRET_2 = _secret("0dede3def700a6db819381be6e269dcbf9bd2ed9", b"quicv2", "8fb4b01b56ac48e260fbcbcead7ccc92", "d86969bc2d7c6d9990efb04a")
SECRET_29 = _secret("afbfec289993d24c9e9786f19c6111e04390a899", b"quic", "ccce187ed09a09d05728155a6cb96be1", "e54930f97f2136f0530a8c1c")
SECRET_23 = _secret("c3eef712c72ebb5a11a7d2432bb46365bef9f502", b"quic", "4d32ecdb2a2133c841e4043df27d4430", "4d1611d05513a552c587d575")


def secret(version: int) -> Secret | None:
    """That of a version; None if the version is unknown."""
    if version in DRAFTS:
        draft = version & 0xFF
        return SECRET_1 if draft > 32 else SECRET_29 if draft > 28 else SECRET_23
    return {V1: SECRET_1, V2: SECRET_2}.get(version)


# ---------------------------------------------------------------- headers, many at once


class Heads(NamedTuple):
    """Headers of packets; arrays of shape (n,), int64.

    kind: INITIAL to OTHER, -1: no packet. first: the first byte. version: of long headers, else 0. dcid, scid, token: (n, 2), their
    bounds. length: the length field, 0 if there is none. payload: offset of the packet number, or of what follows the connection
    IDs. stop: the end of the packet, which may lie beyond `end`. whole: bool, the header is complete.
    """

    kind: np.ndarray
    first: np.ndarray
    version: np.ndarray
    dcid: np.ndarray
    scid: np.ndarray
    token: np.ndarray
    length: np.ndarray
    payload: np.ndarray
    stop: np.ndarray
    whole: np.ndarray


def number(buffer: np.ndarray, at: np.ndarray, end: np.ndarray, size: int) -> np.ndarray:
    """The numbers of `size` (≤ 8) bytes at these offsets, int64; not checked against `end`."""
    data = gather(buffer, np.minimum(at, end), size).astype(np.int64)
    value = np.zeros(len(at), np.int64)
    for i in range(size):
        value = value << 8 | data[:, i]
    return value


def varint(buffer: np.ndarray, at: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The variable-length integers at these offsets (RFC 9000 §16), and the end of each, beyond `end` if it is not whole; int64."""
    word = gather(buffer, np.minimum(at, end), 8).view(">u8").reshape(-1).astype(np.uint64)
    power = word >> np.uint64(62)
    size = np.uint64(1) << power
    value = (word & np.uint64((1 << 62) - 1)) >> (np.uint64(64) - np.uint64(8) * size)
    behind = at + size.astype(np.int64)
    return np.where(behind <= end, value, 0).astype(np.int64), behind


def read_heads(buffer: np.ndarray, start: np.ndarray, end: np.ndarray, dcid_size: np.ndarray) -> Heads:
    """The headers at `start`, in datagrams that end at `end` (int64). dcid_size: bytes of the DCID of a short header."""
    first = number(buffer, start, end, 1)
    long = first >= 0x80
    version = np.where(long, number(buffer, start + 1, end, 4), 0)
    drafts = (version >= DRAFTS.start) & (version < DRAFTS.stop)
    known = (version == V1) | (version == V2) | drafts
    kind = np.where(known, first >> 4 & 3, np.where(version == 0, VERSION_NEGOTIATION, OTHER))
    for known_version, types in TYPE_KINDS.items():
        mine = version == known_version
        kind[mine] = np.array(types)[kind[mine]]
    kind = np.where(long, kind, np.where(first & 0x40, SHORT, -1))

    at = np.where(long, start + 6, start + 1)
    dcid = np.column_stack((at, at + np.where(long, number(buffer, start + 5, end, 1), np.maximum(dcid_size, 0))))
    at = dcid[:, 1]
    scid = np.column_stack((at, at))
    scid[long] = np.column_stack((at + 1, at + 1 + number(buffer, at, end, 1)))[long]
    at = scid[:, 1]
    whole = (start < end) & (at <= end) & (kind >= 0)
    whole &= ~(long & known) | ((dcid[:, 1] - dcid[:, 0] <= LONGEST) & (scid[:, 1] - scid[:, 0] <= LONGEST))

    token = np.column_stack((at, at))
    initial = kind == INITIAL
    size, behind = varint(buffer, at, end)
    token_end = np.minimum(behind + size, np.maximum(end, behind) + 1)  # one byte beyond the end: too long
    token[initial] = np.column_stack((behind, token_end))[initial]
    at = np.where(initial, token_end, at)
    retry = kind == RETRY
    token[retry, 1] = np.maximum(end[retry] - TAG, at[retry])
    counted = initial | (kind == EARLY) | (kind == HANDSHAKE)
    length, behind = varint(buffer, at, end)
    length = np.where(counted & whole, length, 0)
    at = np.where(counted, behind, at)
    whole &= at <= end
    stop = np.where(counted & whole, at + length, end)
    return Heads(kind, first, version, dcid, scid, token, length, at, stop, whole)


def probe(heads: Heads, start: np.ndarray, wire: np.ndarray) -> np.ndarray:
    """Which packets are certainly QUIC's, on any port, bool (n,): a long header of a known version, with the fixed bit, whose parts fit;
    or a version that forces negotiation (RFC 9000 §15), in a datagram as long as one with an Initial packet."""
    fits = heads.whole & (heads.first & 0x40 > 0) & (heads.stop <= wire)
    known = (heads.kind <= RETRY) & (heads.kind >= 0)
    room = (heads.kind == RETRY) | (heads.length >= NUMBER + SAMPLE)
    asks = (heads.kind == OTHER) & (heads.version & 0x0F0F0F0F == 0x0A0A0A0A) & (wire - start >= 1200)
    asks &= (heads.dcid[:, 1] - heads.dcid[:, 0] >= 8) & (heads.dcid[:, 1] - heads.dcid[:, 0] <= LONGEST)
    return fits & ((known & room) | asks)


def probe_port(heads: Heads) -> np.ndarray:
    """Which packets are QUIC's if their port is, bool (n,): of any version, with connection IDs of the usual lengths."""
    size = heads.dcid[:, 1] - heads.dcid[:, 0], heads.scid[:, 1] - heads.scid[:, 0]
    ids = (size[0] <= LONGEST) & (size[1] <= LONGEST) & (size[0] + size[1] > 0)
    return heads.whole & ids & (heads.kind >= 0) & (heads.kind != SHORT) & ((heads.first & 0x40 > 0) | (heads.kind == VERSION_NEGOTIATION))


# ---------------------------------------------------------------- Initial packets, one by one


class Keys:
    """Keys of one direction's Initial packets."""

    def __init__(self, own: bytes, label: bytes) -> None:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self.aead = AESGCM(_expand(own, label + b" key", 16))
        self.iv = int.from_bytes(_expand(own, label + b" iv", 12), "big")
        self.mask: Any = Cipher(algorithms.AES(_expand(own, label + b" hp", 16)), modes.ECB()).encryptor()


def _expand(key: bytes, label: bytes, size: int) -> bytes:
    """HKDF-Expand-Label, RFC 8446 §7.1, of no more than 32 bytes."""
    full_label = b"tls13 " + label
    return hmac.digest(key, size.to_bytes(2, "big") + bytes([len(full_label)]) + full_label + b"\0\x01", hashlib.sha256)[:size]


def keys(version: int, dcid: bytes) -> tuple[Keys, Keys] | None:
    """The client's and the server's keys for the DCID that the client chose first; None if the version is unknown.

    RFC 9001 §5.2.
    """
    known = secret(version)
    if known is None:
        return None
    common = hmac.digest(known.salt, dcid, hashlib.sha256)
    return Keys(_expand(common, b"client in", 32), known.label), Keys(_expand(common, b"server in", 32), known.label)


def decrypt(own: Keys, packet: bytes, at: int, expected: int) -> tuple[bytes, int, int] | None:
    """An Initial packet without its protection: (the bytes in clear, packet number, offset of the frames); None if the keys are wrong.

    at: offset of the packet number. expected: the number after the largest so far.
    RFC 9001 §5.3, §5.4; RFC 9000 §A.3.
    """
    from cryptography.exceptions import InvalidTag

    if len(packet) < at + NUMBER + SAMPLE:
        return None
    mask = own.mask.update(packet[at + NUMBER : at + NUMBER + SAMPLE])
    first = packet[0] ^ mask[0] & 0x0F
    size = (first & 3) + 1
    truncated = bytes(a ^ b for a, b in zip(packet[at : at + size], mask[1:]))
    window = 1 << 8 * size
    full = expected & -window | int.from_bytes(truncated, "big")
    if full <= expected - window // 2 and full < (1 << 62) - window:
        full += window
    elif full > expected + window // 2 and full >= window:
        full -= window
    head = bytes([first]) + packet[1:at] + truncated
    try:
        clear = own.aead.decrypt((own.iv ^ full).to_bytes(12, "big"), packet[at + size :], head)
    except InvalidTag:
        return None
    return head + clear + packet[-TAG:], full, at + size


def genuine(version: int, dcid: bytes, packet: bytes) -> bool:
    """Whether the tag of a Retry packet agrees with the DCID that the client chose. RFC 9001 §5.8."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    known = secret(version)
    if known is None or len(packet) < TAG:
        return False
    key, nonce = known.retry
    return AESGCM(key).encrypt(nonce, b"", bytes([len(dcid)]) + dcid + packet[:-TAG]) == packet[-TAG:]


PADDING, PING, ACK, ACK_ECN, CRYPTO, CLOSE = 0x00, 0x01, 0x02, 0x03, 0x06, 0x1C


class QuicFrame(NamedTuple):
    """A frame of an Initial packet. at: its offset; size: its bytes; values: its numbers in order; data: bounds of its data."""

    kind: int
    at: int
    size: int
    values: tuple[int, ...] = ()
    data: tuple[int, int] = (0, 0)


def _integer(data: memoryview, at: int, end: int) -> tuple[int, int]:
    if at >= end:
        raise ValueError
    size = 1 << (data[at] >> 6)
    if at + size > end:
        raise ValueError
    return int.from_bytes(data[at : at + size], "big") & ((1 << 8 * size - 2) - 1), at + size


def frames(data: memoryview, at: int, end: int) -> tuple[list[QuicFrame], int]:
    """The frames in data[at:end], and the offset of one that cannot be read, -1 if all can. RFC 9000 §12.4, §19.

    A run of PADDING is one. Values of ACK: largest, delay, count of ranges, first range, then gap and range alternately, then
    the three ECN counts; of CRYPTO: offset, length; of CONNECTION_CLOSE: error, frame type, length of the reason.
    """
    result: list[QuicFrame] = []
    while at < end:
        begin, kind = at, data[at]
        try:
            if kind == PADDING:
                rest = bytes(data[at:end])
                at = end - len(rest.lstrip(b"\0"))
                result.append(QuicFrame(kind, begin, at - begin))
                continue
            at += 1
            values: list[int] = []
            span = (0, 0)
            count = {PING: 0, ACK: 4, ACK_ECN: 4, CRYPTO: 2, CLOSE: 3}[kind]
            for _ in range(count):
                value, at = _integer(data, at, end)
                values.append(value)
            if kind in (ACK, ACK_ECN):
                if values[2] > end - at:
                    raise ValueError
                for _ in range(2 * values[2] + 3 * (kind == ACK_ECN)):
                    value, at = _integer(data, at, end)
                    values.append(value)
            if kind in (CRYPTO, CLOSE):
                if values[-1] > end - at:
                    raise ValueError
                span = at, at + values[-1]
                at = span[1]
            result.append(QuicFrame(kind, begin, at - begin, tuple(values), span))
        except (ValueError, KeyError):
            return result, begin
    return result, -1
