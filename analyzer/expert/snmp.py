"""Management that anybody can read: SNMP, RFC 1157, RFC 3416."""

from . import rule


@rule("note", "security", "a community string in clear")
def community_in_clear(h):
    """Versions 1 and 2c have no other password, and whoever sees the message has it (it stands in `snmp.community`). Version 3 signs
    and enciphers (RFC 3414)."""
    _, rows = h.column("snmp.community")
    found = h.quoted & False
    found[rows] = True
    return found & ~h.quoted


@rule("note", "response", "the agent answers with an error: {snmp.error_status:words}")
def error(h):
    """A response whose error is not 0 (RFC 3416 §3). `no such name` is how version 1 ends a walk."""
    return (h["snmp.error_status"] != 0) & (h["snmp.data"] == 2) & ~h.quoted


@rule("warn", "security", "the agent was asked with a wrong community")
def authentication_failure(h):
    """A trap of version 1, authenticationFailure (RFC 1157 §4.1.6.5): somebody tries to read or set without the right string."""
    return (h["snmp.generic_trap"] == 4) & (h["snmp.data"] == 4) & ~h.quoted
