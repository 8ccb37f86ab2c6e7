"""Domain Name System. RFC 1035, RFC 2181, RFC 6891 (extensions); https://www.rfc-editor.org/rfc/rfc1035"""

import numpy as np

from ..fields import Protocol, Reading, gather
from .common import dns_messages
from .common.framing import StreamFramer

HEADER = dns_messages.HEADER
PREFIX = 2  # bytes of the length that stands before each message in a stream, RFC 1035 §4.2.2
LABELS = 12  # labels of a name that is followed to tell DNS on a port that is nobody's
FEW = 64  # records of a section at the most, there


def probe(r: Reading) -> np.ndarray:
    """One question, of a name, a type and a class that are known; a query has no answer. Bits that must be 0 are. RFC 1035 §4.1."""
    size = r.end - r.start
    head = Reading(dns_messages.COUNTS, r.buffer, r.start, r.end)
    flags, counts = r["dns.flags"].astype(np.int64), [head[str(nth)].astype(np.int64) for nth in range(4)]
    response, opcode, rcode = flags >> 15 & 1, flags >> 11 & 15, flags & 15
    found = (size >= dns_messages.COUNTS.size + 7) & (counts[0] == 1) & (np.max(counts[1:], axis=0) <= FEW) & (flags & 0x40 == 0)
    found &= (opcode == 0) & np.where(response, rcode <= 5, (rcode == 0) & (counts[1] == 0) & (counts[2] == 0) & (flags & 0x680 == 0))
    rows = np.flatnonzero(found)
    at = r.start[rows] + dns_messages.COUNTS.size
    named = np.zeros(len(rows), bool)  # whether the name has ended
    good = np.ones(len(rows), bool)
    for _ in range(LABELS):
        length = gather(r.buffer, at, 1).reshape(-1).astype(np.int64)
        named |= good & (length == 0)
        good &= named | (length < 64)
        at = np.where(named | ~good, at, np.minimum(at + length + 1, r.end[rows]))
    asked = gather(r.buffer, at + 1, 4).astype(np.int64)
    kind, group = asked[:, 0] << 8 | asked[:, 1], (asked[:, 2] << 8 | asked[:, 3]) & 0x7FFF
    good &= named & (at + 5 <= r.end[rows]) & np.isin(kind, list(dns_messages.TYPE)) & np.isin(group, (1, 3, 4, 255))
    good &= np.where((response[rows] == 0) & (counts[3][rows] == 0), at + 5 == r.end[rows], True)
    found[rows] = good
    return found


PROTOCOL = Protocol(
    "dns",
    "DNS",
    __doc__,
    header=HEADER,
    on={"udp.port": 53, "tcp.port": 53},
    info=dns_messages.INFO,
    check=dns_messages.walk,
    framer=lambda: StreamFramer(
        header=PREFIX + HEADER.size, width=PREFIX, offset=PREFIX, limit=PREFIX + 0xFFFF, skip=PREFIX, any_port=False
    ),
    probe=probe,
    derived=(*dns_messages.BITS, dns_messages.LENGTHS, *dns_messages.BODY),
    external_fields=dns_messages.ADDED,
)
