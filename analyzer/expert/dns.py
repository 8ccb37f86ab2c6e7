"""Messages of DNS that deserve a look: failures, slow and missing answers, odd ones. RFC 1035, RFC 2181, RFC 6891.

What Zeek calls DNS_label_len_gt_pkt, DNS_label_forward_compress_offset, DNS_label_too_long, DNS_name_too_long, DNS_RR_rdlength_lt_len,
DNS_truncated_len_lt_hdr_len, DNS_truncated_quest_too_short, DNS_truncated_ans_too_short and DNS_truncated_RR_rdlength_lt_len are
malformed messages here, with the byte where the fault is.
"""

import numpy as np

from . import rule

SLOW = 1_000_000_000  # ns
FAILED = {"SERVFAIL": 2, "NXDOMAIN": 3, "REFUSED": 5}
BADVERS, BADCOOKIE = 16, 23


@rule("note", "response", "{dns.qry.name}: answered after {dns.time} s")
def slow_answer(h):
    """More than a second since the question was first sent. The server had to ask others that were slow or lost packets, or a
    question or answer was lost on the way here: then the question was sent again before. `analyze table dns_servers` shows how
    usual that is for this server."""
    return h["dns.time"] > SLOW


@rule("note", "sequence", "asked again, first in frame {dns.retransmit_request_in}: {dns.qry.name}")
def asked_again(h):
    """The same question between the same ports within five seconds and no answer yet: question or answer was lost, or the server is
    slow. Wireshark's dns.retransmit_request. Questions from another port are linked in `analyze table dns_transactions`."""
    return h["dns.retransmit_request_in"] > 0


@rule("warn", "response", "the server has left {dns.judged.silent} questions in a row unanswered")
def silent_server(h):
    """No answer of this server to its last questions, the oldest of which is two seconds old: it is down, no DNS server, or something on
    the way drops its packets. Reported at three questions, then at twice as many. A capture that sees only questions proves nothing:
    look for answers of any server in it."""
    return h["dns.judged.silent"] > 0


@rule("warn", "response", "{dns.judged.failures} answers {dns.flags.rcode:words} of this server within ten seconds")
def burst_of_failures(h):
    """NXDOMAIN: somebody tries names: malware that computes them, a scan, a missing search domain, a broken program. SERVFAIL: the
    server reaches no other server, or DNSSEC checks fail. REFUSED: the clients are not among those that it serves. Reported at ten,
    then at twice as many. Who asks for what: `analyze table dns_names`."""
    return h["dns.judged.failures"] > 0


@rule("note", "response", "{dns.qry.name}: the server could not find out (SERVFAIL)")
def server_failure(h):
    """The server reaches no server of the zone, or these answer nonsense, or DNSSEC checks fail. RFC 1035 §4.1.1; the extended error of
    RFC 8914, if there is one, says why."""
    return (h["dns.rcode"] == FAILED["SERVFAIL"]) & ~h.quoted


@rule("note", "response", "{dns.qry.name}: the server does not want to answer (REFUSED)")
def refused(h):
    """The server does not serve this client, or is no server of the zone and asks no others for it. RFC 1035 §4.1.1."""
    return (h["dns.rcode"] == FAILED["REFUSED"]) & ~h.quoted


@rule("chat", "response", "{dns.qry.name}: no such name (NXDOMAIN)")
def no_such_name(h):
    """Neither this type nor any other exists for the name: RFC 2308 §2.1. Mistyped, or a search domain was put behind it."""
    return (h["dns.rcode"] == FAILED["NXDOMAIN"]) & ~h.quoted


@rule("note", "response", "{dns.qry.name}: {dns.rcode:words}")
def extended_failure(h):
    """A reply code of twelve bits, of which the header holds four (they alone look like NOERROR or YXRRSET): the server does not speak
    this version of EDNS (BADVERS, RFC 6891 §6.1.3), wants its cookie back (BADCOOKIE, RFC 7873 §5.2.3), or does not trust the signature."""
    return (h["dns.rcode"] >= BADVERS) & ~h.quoted


@rule("note", "response", "truncated: the client has to ask for {dns.qry.name} over TCP")
def truncated(h):
    """The answer does not fit into the UDP message that the client takes (512 bytes without EDNS). Harmless if TCP to port 53 is let
    through; else the client waits. RFC 2181 §9, RFC 7766."""
    return h["dns.flags.truncated"] & h["dns.flags.response"] & ~h.quoted


@rule("note", "sequence", "an answer without a question: {dns.qry.name}{dns.unsolicited:mark}")
def unsolicited(h):
    """The capture began late or sees one direction only; the answer came again after long; or somebody forges answers, hoping to hit a
    question (RFC 5452 §4), or lets a server send them to a victim. Wireshark's dns.unsolicited."""
    return h["dns.unsolicited"]


@rule("note", "protocol", "{dns.count.queries} questions in one message")
def several_questions(h):
    """RFC 9619 forbids it for queries: a reply has one reply code for all. Servers answer the first or none."""
    return (h["dns.count.queries"] > 1) & ~h.quoted


@rule("note", "protocol", "the reserved bit of the flags is set: {dns.flags}")
def reserved_bit(h):
    """It must be zero (RFC 1035 §4.1.1). Tunnels and broken software set it."""
    return h["dns.flags.z"] & ~h.quoted


@rule("note", "protocol", "a time to live with its highest bit set: counts as 0")
def negative_ttl(h):
    """RFC 2181 §8: times to live have 31 bits. As Wireshark's dns.ttl.high_bit_set."""
    values, rows = h.column("dns.resp.ttl")
    found = np.zeros(len(h), bool)
    found[rows[values >> 31 > 0]] = True
    return found & ~h.quoted


@rule("note", "protocol", "bytes behind the last record of message {dns.id}")
def bytes_behind(h):
    """The counts in the header speak of fewer records than the message has room for: padding, a broken sender, or something hidden from
    who reads the records only. (What covers a whole message, TSIG, is a record.)"""
    return (h.context_of("trailing_bytes") > 0) & ~h.quoted
