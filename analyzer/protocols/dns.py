"""Domain Name System. RFC 1035, RFC 2181, RFC 6891 (extensions); https://www.rfc-editor.org/rfc/rfc1035"""

from . import _dns
from ._cutters import Prefixed

LABEL = "DNS"
HEADER = _dns.HEADER
ON = {"udp.port": 53, "tcp.port": 53}
ADDED = _dns.ADDED
INFO = _dns.INFO
contents = _dns.contents
DERIVED = (*_dns.BITS, _dns.LENGTHS, *_dns.BODY)
PREFIX = 2  # bytes of the length that stands before each message in a stream, RFC 1035 §4.2.2


def STREAM() -> Prefixed:
    return Prefixed(header=PREFIX + HEADER.size, at=0, width=PREFIX, plus=PREFIX, most=PREFIX + 0xFFFF, skip=PREFIX, sure=False)
