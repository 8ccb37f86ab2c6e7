"""ICMPv6's errors and redirects, a rule for each kind. RFC 4443, RFC 4861. The table `routes` has what became of them."""

from . import rule

UNREACHABLE, TOO_BIG, EXCEEDED, PROBLEM, REDIRECT = 1, 2, 3, 4, 137


@rule("warn", "response", "redirect to {icmpv6.nd.rd.target_address}")
def redirect(h):
    """A router names a better first hop. Forged ones steal traffic: look whether the target is yours. RFC 4861 §8."""
    return (h["icmpv6.type"] == REDIRECT) & h.whole & ~h.quoted


@rule("note", "response", "packet too big, the next hop takes {icmpv6.mtu} bytes")
def too_big(h):
    """A packet is too large for the next link: path MTU discovery at work. RFC 8201."""
    return (h["icmpv6.type"] == TOO_BIG) & h.whole & ~h.quoted


@rule("note", "response", "unreachable, code {icmpv6.code}")
def unreachable(h):
    """A router or host could not or would not deliver; the code says why. RFC 4443 §3.1."""
    return (h["icmpv6.type"] == UNREACHABLE) & h.whole & ~h.quoted


@rule("note", "response", "time exceeded, code {icmpv6.code}")
def time_exceeded(h):
    """The hop limit ran out (code 0: a traceroute, or a loop), or fragments did not come in time (1). RFC 4443 §3.3."""
    return (h["icmpv6.type"] == EXCEEDED) & h.whole & ~h.quoted


@rule("warn", "response", "parameter problem, code {icmpv6.code}")
def parameter_problem(h):
    """A header that makes no sense to who sends this. RFC 4443 §3.4."""
    return (h["icmpv6.type"] == PROBLEM) & h.whole & ~h.quoted
