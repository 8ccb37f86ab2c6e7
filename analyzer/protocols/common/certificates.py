"""Certificates in TLS handshakes: subject, issuer, validity, names. RFC 5280 §4.1, §4.2.1.6.

Each different certificate is parsed once, and only if somebody asks for one of these fields.
"""

from __future__ import annotations

import warnings
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...fields import Column, Field, Headers, text, time
from . import tls_handshake

if TYPE_CHECKING:
    from cryptography import x509

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIELDS = (
    Field("tls.certificate.subject", text, "Certificate's subject", "RFC 4514, the most special name first", many=True),
    Field("tls.certificate.issuer", text, "Certificate's issuer", "who signed it", many=True),
    Field("tls.certificate.not_before", time, "Certificate valid from", many=True),
    Field("tls.certificate.not_after", time, "Certificate valid until", many=True),
    Field(
        "tls.certificate.names",
        text,
        "Names of the first certificate",
        "hosts and addresses that it is valid for (subjectAltName)",
        many=True,
    ),
    Field("tls.certificate.key", text, "Certificate's key", "algorithm and bits", many=True),
    Field("x509af.serialNumber", text, "Certificate's serial number", many=True),
    Field("x509ce.dNSName", text, "DNS names of certificates", "of all in the message", many=True),
    Field("tls.certificate.expired", text, "Expired certificate", "at the time of the frame", many=True),
    Field("tls.certificate.early", text, "Certificate not yet valid", "at the time of the frame", many=True),
    Field("tls.certificate.unreadable", text, "Certificate that cannot be read", "why", many=True),
)


class Certificate(NamedTuple):
    """Times: ns since 1970, clipped to 64 bits. bad: why it cannot be parsed, '' if it can."""

    subject: str = ""
    issuer: str = ""
    not_before: int = 0
    not_after: int = 0
    hosts: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    key: str = ""
    serial: str = ""
    bad: str = ""


CACHED_SIZE = 1 << 14  # bytes of the longest certificate that is cached


def parsed(der: bytes) -> Certificate:
    """A certificate from its DER."""
    return _cached(der) if len(der) <= CACHED_SIZE else _parse(der)


@lru_cache(1 << 10)
def _cached(der: bytes) -> Certificate:
    return _parse(der)


def _parse(der: bytes) -> Certificate:
    from cryptography import x509

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about old and odd certificates, which are input, not our use of the library
            one = x509.load_der_x509_certificate(der)
            hosts: tuple[str, ...] = ()
            addresses: tuple[str, ...] = ()
            try:
                names = one.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
                hosts = tuple(names.get_values_for_type(x509.DNSName))
                addresses = tuple(map(str, names.get_values_for_type(x509.IPAddress)))
            except x509.ExtensionNotFound:
                pass
            serial = one.serial_number
            size = max(serial.bit_length() // 8 + 1, 1)
            return Certificate(
                one.subject.rfc4514_string(),
                one.issuer.rfc4514_string(),
                _ns(one.not_valid_before_utc),
                _ns(one.not_valid_after_utc),
                hosts,
                addresses,
                _key(one),
                serial.to_bytes(size, "big", signed=True).hex(),
            )
    except Exception as error:  # whatever the library raises on hostile bytes
        return Certificate(bad=str(error).split("\n")[0] or type(error).__name__)


def _ns(when: datetime) -> int:
    span = when - EPOCH
    return max(min((span.days * 86_400 + span.seconds) * 10**9, 2**63 - 1), -(2**63) + 1)


def _key(one: x509.Certificate) -> str:
    """The algorithm of a certificate's key and its bits; '' if the library does not know it."""
    try:
        key = one.public_key()
    except Exception:
        return ""
    name = type(key).__name__.strip("_").removesuffix("PublicKey")
    return f"{name} {key.key_size}" if hasattr(key, "key_size") else name


def columns(h: Headers) -> dict[str, Column]:
    """Every field of FIELDS."""
    found = tls_handshake.chains(h)
    data = h.buffer.data
    many = [parsed(bytes(data[start + 3 : end])) for start, end in zip(found.start.tolist(), found.end.tolist())]
    stamps = h.frames.column("frame.time")
    when = np.zeros(len(h.frames), np.int64)
    when[slice(None) if stamps.rows is None else stamps.rows] = stamps.values
    now = when[h.frame[found.row]]
    not_before, not_after = (np.array([one[at] for one in many], np.int64) for at in (2, 3))
    bad = np.array([one.bad != "" for one in many], bool)
    known = ~bad & (now != 0)
    late, early = known & (now > not_after), known & (now < not_before)

    def column(values: list[str], mask: np.ndarray) -> Column:
        """Those of the certificates at mask."""
        at = np.flatnonzero(mask)
        return Column(np.array([values[i] for i in at.tolist()], object), found.row[at])

    subjects = [one.subject for one in many]
    good = found.row[~bad]
    made = {
        "tls.certificate.subject": column(subjects, ~bad),
        "tls.certificate.issuer": column([one.issuer for one in many], ~bad),
        "tls.certificate.not_before": Column(not_before[~bad], good),
        "tls.certificate.not_after": Column(not_after[~bad], good),
        "tls.certificate.key": column([one.key for one in many], ~bad),
        "x509af.serialNumber": column([one.serial for one in many], ~bad),
        "tls.certificate.expired": _outside(subjects, "until", not_after, found.row, late),
        "tls.certificate.early": _outside(subjects, "from", not_before, found.row, early),
        "tls.certificate.unreadable": column([one.bad for one in many], bad),
    }
    first = np.diff(found.row, prepend=-1) != 0
    own = [(*one.hosts, *one.addresses) if leads else () for one, leads in zip(many, first.tolist())]
    for name, names in (("tls.certificate.names", own), ("x509ce.dNSName", [one.hosts for one in many])):
        values = np.array([one for several in names for one in several], object)
        made[name] = Column(values, np.repeat(found.row, [len(several) for several in names]))
    return made


def _outside(subjects: list[str], edge: str, when: np.ndarray, rows: np.ndarray, mask: np.ndarray) -> Column:
    """A sentence for each certificate at mask (bool), whose validity ends or begins at `when` (int64, ns)."""
    at = np.flatnonzero(mask)
    days = when[at].astype("M8[ns]").astype("M8[D]").tolist()
    sentences = [f"{subjects[i]}, valid {edge} {day}" for i, day in zip(at.tolist(), days)]
    return Column(np.array(sentences, object), rows[at])
