"""TLS handshakes: certificates, versions, suites, alerts. Only what is not encrypted can be judged: of TLS 1.3, the hellos."""

import numpy as np

from . import rule

TLS12 = 0x0303


def _has(h, name):
    """The records that have a value of the field, bool."""
    found = np.zeros(len(h), bool)
    _, rows = h.column(name)
    found[slice(None) if rows is None else rows] = True
    return found


@rule("warn", "security", "certificate expired: {tls.certificate.expired}")
def certificate_expired(h):
    """Its notAfter (RFC 5280 §4.1.2.5) was past when the frame was captured. Clients refuse it, unless it is only a spare in the chain.

    Look at the clock of the recorder, too: it is what the capture says the time was.
    """
    return _has(h, "tls.certificate.expired")


@rule("warn", "security", "certificate not yet valid: {tls.certificate.early}")
def certificate_early(h):
    """Its notBefore (RFC 5280 §4.1.2.5) was still to come when the frame was captured: a fresh certificate and clocks that differ."""
    return _has(h, "tls.certificate.early")


@rule("note", "malformed", "certificate cannot be read: {tls.certificate.unreadable}")
def certificate_unreadable(h):
    """It is no X.509 certificate as RFC 5280 has it. Odd software makes such; clients refuse most."""
    return _has(h, "tls.certificate.unreadable")


@rule("warn", "security", "the server chooses {tls.handshake.chosen_version:words}")
def old_version(h):
    """SSL 2.0, SSL 3.0, TLS 1.0 and 1.1 must not be used: RFC 6176, RFC 7568, RFC 8996. They can be attacked, and browsers refuse them.

    The server chose the newest that both allow: the client hello says whether the client could more.
    """
    chosen = h["tls.handshake.chosen_version"]
    return (chosen > 0) & (chosen < TLS12)


@rule("warn", "security", "the server chooses {tls.handshake.weak}")
def weak_suite(h):
    """A suite that does not encrypt, authenticates nobody, or has a cipher that can be broken: RFC 9325 §4.1, RFC 7465 (RC4)."""
    return _has(h, "tls.handshake.weak")


@rule("note", "security", "the client offers {tls.handshake.weak_offered}")
def weak_suite_offered(h):
    """A server may choose what is offered. Old programs offer such suites, and scanners do on purpose. RFC 9325 §4.1."""
    return _has(h, "tls.handshake.weak_offered")


@rule("warn", "protocol", "alert, {tls.alert_message.means}")
def alert(h):
    """An end gives up and says why (RFC 8446 §6.2); the sender is who found the fault, not who made it. Close notify is none.

    Alerts of established connections are encrypted, and not seen here.
    """
    return _has(h, "tls.alert_message.means")
