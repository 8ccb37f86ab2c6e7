"""Multicast DNS: hosts of a link ask and answer each other, without a server. RFC 6762; services: RFC 6763."""

from . import _dns

LABEL = "mDNS"
HEADER = _dns.HEADER
ON = {"udp.port": 5353}
ADDED = _dns.ADDED
INFO = _dns.INFO
check = _dns.walk
DERIVED = _dns.multicast_too((*_dns.BITS, *_dns.BODY))
