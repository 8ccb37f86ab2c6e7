"""Telnet: a login that anybody can read. RFC 854."""

import numpy as np

from . import rule


@rule("warn", "security", "asks for a password that will travel readable")
def password_in_clear(h):
    """The server's prompt ends in `password:`. Telnet enciphers nothing: what is typed, the password with it, is in the packets that
    follow, mostly a character each. SSH (RFC 4251) does the same work enciphered. The password is not shown here."""
    found = np.zeros(len(h), bool)
    texts, rows = h.column("telnet.data")
    found[rows[np.array([text.rstrip().lower().endswith("password:") for text in texts.tolist()], bool)]] = True
    return found & ~h.quoted
