"""Domain Name System. RFC 1035, RFC 2181, RFC 6891 (extensions); https://www.rfc-editor.org/rfc/rfc1035"""

from . import _dns

LABEL = "DNS"
HEADER = _dns.HEADER
ON = {"udp.port": 53}
ADDED = _dns.ADDED
INFO = _dns.INFO
contents = _dns.contents
DERIVED = (*_dns.BITS, _dns.LENGTHS, *_dns.BODY)
