"""File transfers: passwords in clear, commands that failed. RFC 959."""

import numpy as np

from . import rule


@rule("warn", "security", "logs in with a password that anybody on the way can read")
def password_in_clear(h):
    """PASS without TLS (RFC 4217): the password is in the packet, and in this capture. It is not shown here. The files of the data
    connections can be read as well. Not this: an anonymous login (RFC 1635), whose password is a mail address by custom."""
    words, rows = h.column("ftp.request.command")
    args = np.zeros(len(h), bool)
    args[h.column("ftp.request.arg").rows] = True
    found = np.zeros(len(h), bool)
    found[rows] = np.array([one.upper() == "PASS" for one in words.tolist()], bool)
    return found & args & (h.context_of("detail") == 0)


@rule("note", "response", "the server refuses for now: {ftp.line}")
def refused_for_now(h):
    """A reply from 400 to 499 (RFC 959 §4.2): the same command may succeed later. 425: the data connection cannot be opened, mostly
    since a firewall drops it: look at the SYNs of the connection that PORT or PASV announced. 426: it broke. 421: the server ends."""
    code = h.context_of("code")
    return (code >= 400) & (code < 500)


@rule("note", "response", "the server refuses: {ftp.line}")
def refused(h):
    """A reply from 500 on (RFC 959 §4.2): the same command will fail again. 530: the login failed; 550: no such file, or no right to
    it. Clients try commands that a server need not know (500, 502), which means nothing."""
    return (h.context_of("code") >= 500) & (h.context_of("code") < 600)
