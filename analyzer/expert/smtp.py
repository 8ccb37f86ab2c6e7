"""Mail: passwords in clear, commands that failed, messages with holes. RFC 5321."""

import numpy as np

from ..protocols.common.commands import REPLY
from . import rule

READABLE = ("PLAIN", "LOGIN")  # mechanisms that send the password itself: RFC 4616 and custom


@rule("warn", "security", "sends a password that anybody on the way can read")
def password_in_clear(h):
    """AUTH PLAIN or AUTH LOGIN without TLS (RFC 4954 §4): name and password are merely spelled in base64. They are not shown here.
    RFC 8314 wants TLS from the first byte (port 465), RFC 3207 by STARTTLS."""
    found = np.zeros(len(h), bool)
    lines, rows = h.column("smtp.line")
    asks = [one.upper().split()[:2] for one in lines.tolist()]
    found[rows] = np.array([len(words) == 2 and words[0] == "AUTH" and words[1] in READABLE for words in asks], bool)
    return found & (h.context_of("kind") != REPLY)


@rule("note", "response", "the server refuses for now: {smtp.line}")
def refused_for_now(h):
    """A reply from 400 to 499 (RFC 5321 §4.2.1): the sender should try again later. Usual for a first attempt where servers greylist
    (450, 451); 421: the server ends the connection; 452, 4.2.2: no room."""
    code = h.context_of("code")
    return (code >= 400) & (code < 500)


@rule("note", "response", "the server refuses: {smtp.line}")
def refused(h):
    """A reply from 500 on (RFC 5321 §4.2.1): the same command will fail again, and a message that it is about bounces. 550: no such
    mailbox, or a rule against the sender; 535: wrong name or password; 554: refused as a whole, or a block list."""
    return (h.context_of("code") >= 500) & (h.context_of("code") < 600)


@rule("note", "capture", "{smtp.data.missing} bytes of the message are not in the capture, or beyond 16 MiB")
def hole_in_message(h):
    """Segments with these bytes are in no frame: the recorder lost them if the receiver acknowledged them. What is shown of the message
    ends before them."""
    return h.context_of("missing") > 0
