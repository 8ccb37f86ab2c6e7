"""TCP segments that say something by themselves. RFC 9293. What hangs on the segments before is told elsewhere."""

from ..protocols.tcp import GREATEST_SHIFT
from . import finding


@finding("tcp", "warn", "protocol", "SYN and FIN in one segment, {tcp.srcport} → {tcp.dstport}")
def syn_with_fin(h):
    """Opens and closes at once. No stack sends it (RFC 9293 §3.10.7); scanners do, and firewalls that look for SYN alone miss it."""
    return h["tcp.flags.syn"] & h["tcp.flags.fin"]


@finding("tcp", "warn", "protocol", "no flag set, {tcp.srcport} → {tcp.dstport}")
def no_flags(h):
    """Every segment but the first carries ACK (RFC 9293 §3.1), the first SYN. None at all is a null scan or damage."""
    return (h["tcp.flags"] == 0) & h.whole & ~h.quoted


@finding("tcp", "warn", "sequence", "reset, {tcp.srcport} → {tcp.dstport}")
def reset(h):
    """The connection ends at once: nobody listens there, a program gave up with data unread, or something in between cut it.

    As Wireshark's tcp.connection.rst.
    """
    return h["tcp.flags.reset"] & ~h.quoted


@finding("tcp", "warn", "protocol", "window scale {tcp.options.wscale.shift}, more than the 14 that are allowed; 14 counts")
def scale_too_large(h):
    """RFC 7323 §2.3: a shift above 14 is to be taken as 14 and reported."""
    return h["tcp.options.wscale.shift"] > GREATEST_SHIFT


@finding("tcp", "chat", "sequence", "asks to open a connection, {tcp.srcport} → {tcp.dstport}")
def connection_request(h):
    """A SYN without ACK: a client opens. As Wireshark's tcp.connection.syn."""
    return h["tcp.flags.syn"] & ~h["tcp.flags.ack"] & ~h.quoted


@finding("tcp", "chat", "sequence", "agrees to open a connection, {tcp.srcport} → {tcp.dstport}")
def connection_agreed(h):
    """SYN and ACK: a server agrees. As Wireshark's tcp.connection.synack."""
    return h["tcp.flags.syn"] & h["tcp.flags.ack"] & ~h.quoted


@finding("tcp", "chat", "sequence", "says that it has no more to send, {tcp.srcport} → {tcp.dstport}")
def finish(h):
    """A FIN: this side closes its direction. As Wireshark's tcp.connection.fin."""
    return h["tcp.flags.fin"] & ~h.quoted
