"""HTTP messages that deserve a look. RFC 9110, RFC 9112. What breaks its grammar is a fault, which the protocol reports."""

import numpy as np

from ..protocols.http import BIT
from . import rule

SLOW = 1_000_000_000  # ns


def _fault(h, name):
    return h.context_of("faults") & BIT[name] > 0


PROVEN = ("digest", "negotiate", "ntlm", "hoba", "mutual", "dpop")  # schemes that prove to know a secret and do not send it


@rule("warn", "security", "sends credentials that anybody on the way can read: {http.credentials}")
def credentials_in_clear(h):
    """A name and password (Basic is merely spelled otherwise, RFC 7617 §4; a form, a target), or a token that serves whoever has it (RFC
    6750 §5.3), without TLS. Who sees the packets has them, and so has who gets this capture. They are not shown here. Not this: schemes
    that prove a secret without sending it, as Digest; cookies, though many stand for a password."""
    found = np.zeros(len(h), bool)
    kinds, rows = h.column("http.credentials")
    sent = np.array([one.removeprefix("proxy ").lower() not in PROVEN for one in kinds.tolist()], bool)
    found[rows[sent]] = True
    return found


@rule("warn", "response", "server error: {http.line}")
def server_error(h):
    """The server failed at a request that may be right (RFC 9110 §15.6). 502 and 504 come from a proxy or load balancer whose server
    behind does not answer; 503 from one that has too much to do. Many at once: look at when they begin."""
    return h.context_of("status") >= 500


@rule("note", "response", "answered after {http.time} s: {http.line}")
def slow_answer(h):
    """The answer was complete a second or more after its request. Table `http_transactions` tells the wait for the first byte (the
    server's work) from the time that the rest took (the network, or a long body)."""
    return (h.context_of("request_frame") > 0) & (h.context_of("time") - h.context_of("request_time") >= SLOW)


@rule("note", "capture", "{http.missing} bytes of the body are not in the capture: {http.line}")
def hole_in_body(h):
    """Segments with these bytes are in no frame. The recorder lost them if the receiver acknowledged them; its verdict stands with the
    connection."""
    return _fault(h, "hole")


@rule("warn", "response", "ends before its body does: {http.line}")
def short_body(h):
    """The sender closed the connection before all bytes were sent that it had announced, or before the last chunk: it crashed, gave up,
    or something in between closed it. A receiver must not take it for whole (RFC 9112 §8)."""
    return _fault(h, "short")


@rule("note", "response", "answers before its request is complete: {http.line}")
def early_answer(h):
    """Allowed (RFC 9110 §7.5), and right for errors: a body that is too large or not wanted need not be read. As Zeek's
    HTTP_overlapping_messages."""
    return _fault(h, "early")


@rule("note", "response", "answers no request that the capture holds: {http.line}")
def unmatched_answer(h):
    """The request came before the capture began, or was lost in it, or passed where the recorder does not see it. A server also sends 408
    unasked when a client is silent. As Zeek's unmatched_HTTP_reply."""
    return (h.context_of("status") >= 200) & (h.context_of("request") == 0)


@rule("note", "protocol", "says the length of its body more than once: {http.line}")
def repeated_length(h):
    """The same number each time, so it may be read (RFC 9110 §8.6). Where servers and proxies choose differently, messages are smuggled;
    numbers that differ are malformed."""
    return _fault(h, "repeated length")
