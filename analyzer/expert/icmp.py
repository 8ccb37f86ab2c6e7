"""ICMP's errors and advice, a rule for each kind. RFC 792, RFC 1122 §3.2.2. The table `routes` has what became of them."""

import numpy as np

from . import rule

UNREACHABLE, QUENCH, REDIRECT, EXCEEDED, PROBLEM = 3, 4, 5, 11, 12


@rule("warn", "response", "redirect to {icmp.redir_gw}")
def redirect(h):
    """A router names a better first hop. Forged ones steal traffic: look whether the gateway is yours. RFC 1122 §3.2.2.2."""
    return (h["icmp.type"] == REDIRECT) & h.whole & ~h.quoted


@rule("note", "response", "fragmentation needed, the next hop takes {icmp.mtu} bytes")
def too_big(h):
    """A datagram that must not be cut is too large for the next link: path MTU discovery at work. RFC 1191."""
    return (h["icmp.type"] == UNREACHABLE) & (h["icmp.code"] == 4) & h.whole & ~h.quoted


@rule("note", "response", "unreachable, code {icmp.code}")
def unreachable(h):
    """A router or host could not or would not deliver; the code says why. RFC 1122 §3.2.2.1."""
    return (h["icmp.type"] == UNREACHABLE) & (h["icmp.code"] != 4) & h.whole & ~h.quoted


@rule("note", "response", "time exceeded, code {icmp.code}")
def time_exceeded(h):
    """The time to live ran out (code 0: a traceroute, or a loop), or pieces of a datagram did not come in time (1). RFC 1122 §3.2.2.4."""
    return (h["icmp.type"] == EXCEEDED) & h.whole & ~h.quoted


@rule("warn", "response", "parameter problem at byte {icmp.pointer}")
def parameter_problem(h):
    """A header that makes no sense to who sends this. RFC 1122 §3.2.2.5."""
    return (h["icmp.type"] == PROBLEM) & h.whole & ~h.quoted


@rule("note", "response", "source quench")
def source_quench(h):
    """Asks to send slower; nobody sends or heeds it today. RFC 6633."""
    return (h["icmp.type"] == QUENCH) & h.whole & ~h.quoted


@rule("warn", "response", "address mask or timestamp asked for, type {icmp.type}")
def old_question(h):
    """No program of today asks for these; scanners do, to learn a host's clock and network (CVE-1999-0524). RFC 6918 retires the mask."""
    return np.isin(h["icmp.type"], (13, 17)) & h.whole & ~h.quoted
