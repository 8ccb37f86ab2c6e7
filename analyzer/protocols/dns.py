"""Domain Name System. RFC 1035, RFC 2181, RFC 6891 (extensions); https://www.rfc-editor.org/rfc/rfc1035"""

import numpy as np

from ..fields import Protocol, Reading, gather
from .common import dns_messages
from .common.framing import StreamFramer

HEADER = dns_messages.HEADER
PREFIX = 2  # bytes of the length before each message in a stream, RFC 1035 §4.2.2
LABELS = 12  # labels of the name in a question that are walked to recognize DNS on other ports
FEW = 64  # at most so many records in a section, there


def probe(r: Reading) -> np.ndarray:
    """One question with a valid name, a known type and class; a query has no answer; reserved bits are 0. RFC 1035 §4.1."""
    size = r.end - r.start
    head = Reading(dns_messages.COUNTS, r.buffer, r.start, r.end)
    flags, counts = r["dns.flags"].astype(np.int64), [head[str(nth)].astype(np.int64) for nth in range(4)]
    response, opcode, rcode = flags >> 15 & 1, flags >> 11 & 15, flags & 15
    match = (size >= dns_messages.COUNTS.size + 7) & (counts[0] == 1) & (np.max(counts[1:], axis=0) <= FEW) & (flags & 0x40 == 0)
    match &= (opcode == 0) & np.where(response, rcode <= 5, (rcode == 0) & (counts[1] == 0) & (counts[2] == 0) & (flags & 0x680 == 0))
    rows = np.flatnonzero(match)
    at = r.start[rows] + dns_messages.COUNTS.size
    ended = np.zeros(len(rows), bool)  # whether the name has
    good = np.ones(len(rows), bool)
    for _ in range(LABELS):
        length = gather(r.buffer, at, 1).reshape(-1).astype(np.int64)
        ended |= good & (length == 0)
        good &= ended | (length < 64)
        at = np.where(ended | ~good, at, np.minimum(at + length + 1, r.end[rows]))
    asked = gather(r.buffer, at + 1, 4).astype(np.int64)
    kind, group = asked[:, 0] << 8 | asked[:, 1], (asked[:, 2] << 8 | asked[:, 3]) & 0x7FFF
    good &= ended & (at + 5 <= r.end[rows]) & np.isin(kind, list(dns_messages.TYPE)) & np.isin(group, (1, 3, 4, 255))
    good &= np.where((response[rows] == 0) & (counts[3][rows] == 0), at + 5 == r.end[rows], True)
    match[rows] = good
    return match


PROTOCOL = Protocol(
    "DNS",
    header=HEADER,
    on={"udp.port": 53, "tcp.port": 53},
    info=dns_messages.INFO,
    check=dns_messages.parse,
    framer=lambda: StreamFramer(
        header=PREFIX + HEADER.size, width=PREFIX, offset=PREFIX, limit=PREFIX + 0xFFFF, skip=PREFIX, any_port=False
    ),
    probe=probe,
    precedence=1,
    derived=(*dns_messages.BITS, dns_messages.LENGTHS, *dns_messages.BODY),
    external_fields=dns_messages.MATCHED,
)
