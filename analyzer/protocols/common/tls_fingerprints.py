"""Fingerprints of TLS hellos: programs differ in the suites and extensions that they offer.

JA3 and JA3S: https://github.com/salesforce/ja3; JA4: https://github.com/FoxIO-LLC/ja4/blob/main/technical_details/JA4.md
"""

from __future__ import annotations

import struct
from functools import lru_cache
from hashlib import md5, sha256
from typing import NamedTuple

import numpy as np

from ...fields import Column, Field, Headers, text
from . import tls_handshake
from .parts import peek
from .tls_cipher_suites import GREASE

FIELDS = tuple(
    Field(f"tls.handshake.{name}", text, label, about, many=True)
    for name, label, about in (
        ("ja3_full", "JA3 in full", "version, suites, extensions, groups, point formats of a client hello"),
        ("ja3", "JA3", "MD5 of these"),
        ("ja3s_full", "JA3S in full", "version, suite, extensions of a server hello"),
        ("ja3s", "JA3S", "MD5 of these"),
        ("ja4", "JA4", "of a client hello; SHA-256 of sorted suites and extensions"),
        ("ja4_r", "JA4 in full", "before hashing"),
    )
)
CACHED_SIZE = 1 << 10  # bytes of the longest offer whose fingerprints are cached
NO_HASH = "0" * 12
SHORT = {0x0304: "13", 0x0303: "12", 0x0302: "11", 0x0301: "10", 0x0300: "s3", 0x0002: "s2"}
HASHED = (tls_handshake.GROUPS, tls_handshake.FORMATS, tls_handshake.ALGORITHMS, tls_handshake.VERSIONS, tls_handshake.ALPN)


class Offer(NamedTuple):
    """What fingerprints are made of. bodies: of the extensions in HASHED. carrier: t for TCP, q for QUIC."""

    carrier: str
    version: int
    suites: bytes
    extensions: tuple[int, ...]
    bodies: tuple[bytes, ...]


def columns(h: Headers) -> dict[str, Column]:
    """Every field of FIELDS."""
    found = tls_handshake.hellos(h)
    carrier = "t" if tls_handshake.recorded(h) else "q"
    parts, nth, kind, _ = tls_handshake.extensions(h, found)
    bounds = np.searchsorted(nth, np.arange(len(found.client) + 1)).tolist()
    kinds = kind.tolist()
    hashed = np.flatnonzero(np.isin(kind, HASHED))
    bodies: dict[tuple[int, int], bytes] = {}
    data = h.buffer.data
    for at, start, end in zip(hashed.tolist(), parts.start[hashed].tolist(), parts.end[hashed].tolist()):
        bodies.setdefault((int(nth[at]), kinds[at]), bytes(data[start + 4 : end]))
    made: dict[str, tuple[list[str], list[int]]] = {f.name: ([], []) for f in FIELDS}
    version = peek(h, tls_handshake.HELLO, found.whole.row, found.whole.start + 4, found.whole.end)["tls.handshake.version"].tolist()
    suites = zip(found.suites.start.tolist(), found.suites.end.tolist())
    for i, (row, client, (start, end)) in enumerate(zip(found.whole.row.tolist(), found.client.tolist(), suites)):
        if found.bad[i] >= 0:
            continue
        about = tuple(bodies.get((i, one), b"") for one in HASHED)
        offer = Offer(carrier, version[i], bytes(data[start:end]), tuple(kinds[bounds[i] : bounds[i + 1]]), about)
        fingerprints = _client if client else _server
        cached = len(offer.suites) + 2 * len(offer.extensions) + sum(map(len, about)) <= CACHED_SIZE
        for name, fingerprint in (fingerprints if cached else fingerprints.__wrapped__)(offer):
            values, rows = made[f"tls.handshake.{name}"]
            values.append(fingerprint)
            rows.append(row)
    return {name: Column(np.array(values, object), np.array(rows, np.int64)) for name, (values, rows) in made.items()}


def _words(data: bytes) -> list[int]:
    """Numbers of 16 bits without GREASE."""
    return [n for (n,) in struct.iter_unpack(">H", data[: len(data) // 2 * 2]) if n not in GREASE]


@lru_cache(1 << 12)
def _server(offer: Offer) -> tuple[tuple[str, str], ...]:
    full = f"{offer.version},{_dashed(_words(offer.suites))},{_dashed(list(offer.extensions))}"
    return ("ja3s_full", full), ("ja3s", md5(full.encode(), usedforsecurity=False).hexdigest())


def _dashed(numbers: list[int]) -> str:
    return "-".join(map(str, numbers))


@lru_cache(1 << 12)
def _client(offer: Offer) -> tuple[tuple[str, str], ...]:
    groups, formats, algorithms, versions, protocols = offer.bodies
    suites = _words(offer.suites)
    extensions = [n for n in offer.extensions if n not in GREASE]
    points = [] if not formats else list(formats[1 : 1 + formats[0]])
    full = ",".join((str(offer.version), _dashed(suites), _dashed(extensions), _dashed(_words(groups[2:])), _dashed(points)))
    ja3 = md5(full.encode(), usedforsecurity=False).hexdigest()
    version = max((n for n in _words(versions[1:]) if n in SHORT), default=offer.version)
    first = protocols[3 : 3 + protocols[2]] if len(protocols) > 3 else b""
    named = "d" if tls_handshake.NAME in extensions else "i"
    begin = f"{offer.carrier}{SHORT.get(version, '00')}{named}{min(len(suites), 99):02}{min(len(extensions), 99):02}{_ends(first)}"
    listed = ",".join(sorted(f"{n:04x}" for n in suites))
    others = ",".join(sorted(f"{n:04x}" for n in extensions if n not in (tls_handshake.NAME, tls_handshake.ALPN)))
    signed = ",".join(f"{n:04x}" for n in _words(algorithms[2:]))
    more = f"{others}_{signed}" if signed else others
    ja4 = f"{begin}_{_hashed(listed)}_{_hashed(more)}"
    return ("ja3_full", full), ("ja3", ja3), ("ja4", ja4), ("ja4_r", f"{begin}_{listed}_{more}")


def _hashed(values: str) -> str:
    return sha256(values.encode()).hexdigest()[:12] if values else NO_HASH


def _ends(protocol: bytes) -> str:
    """First and last character of an application protocol; of its hexadecimal digits, if one is no letter or digit."""
    if not protocol:
        return "00"
    ends = protocol[:1] + protocol[-1:]
    return ends.decode() if ends.isalnum() else protocol.hex()[0] + protocol.hex()[-1]
