"""Calls that fail. RFC 3261 §21."""

from . import rule

ASKS = (401, 407)  # who calls is asked for a password: part of any call, RFC 3261 §22


@rule("note", "response", "refused: {sip.Status-Line}")
def refused(h):
    """A status from 400 on. 404: nobody of that name; 408, 480: nobody answers; 403: not allowed; 486, 600: busy; 488: no codec in common;
    5xx: the server's own fault; 603: declined. Not this: 401 and 407, which ask for a password."""
    code = h["sip.Status-Code"]
    return (code >= 400) & (code != ASKS[0]) & (code != ASKS[1]) & ~h.quoted
