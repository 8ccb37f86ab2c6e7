"""Clocks that do not tell the time: NTP, RFC 5905."""

from ..protocols.ntp import PRIVATE, SERVER
from . import rule


@rule("warn", "response", "the server sends its client away or slows it down (kiss of death)", subject="ntp")
def kiss(h):
    """An answer of stratum 0 (RFC 5905 §7.4): four letters in the reference say why, `RATE` for too many questions, `DENY` for a
    client that is not served. Its times mean nothing."""
    return (h["ntp.flags.mode"] == SERVER) & (h["ntp.stratum"] == 0) & h.whole & ~h.quoted


@rule("warn", "response", "the server's own clock is not set", subject="ntp")
def unsynchronized(h):
    """Leap indicator 3, or a stratum of 16 and more: the server found no clock to follow, and clients do not follow it."""
    alarm = (h["ntp.flags.li"] == 3) | (h["ntp.stratum"] >= 16)
    return (h["ntp.flags.mode"] == SERVER) & alarm & h.whole & ~h.quoted & ~kiss.test(h)


@rule("note", "response", "asks for the list of clients, which makes long answers", subject="ntp")
def client_list(h):
    """Private request 42 (`monlist`): one small question, up to a hundred answers. With a forged source it floods a victim; servers
    since 2010 do not answer it. From the network's own monitoring it is legitimate."""
    return (h["ntp.priv.reqcode"] == 42) & ~h["ntp.priv.flags.r"] & (h["ntp.flags.mode"] == PRIVATE) & ~h.quoted
