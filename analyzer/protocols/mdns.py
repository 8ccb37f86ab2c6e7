"""Multicast DNS: hosts of a link ask and answer each other, without a server. RFC 6762; services: RFC 6763."""

from .common import dns_messages

LABEL = "mDNS"
HEADER = dns_messages.HEADER
ON = {"udp.port": 5353}
ADDED = dns_messages.ADDED
INFO = dns_messages.INFO
check = dns_messages.walk
DERIVED = dns_messages.multicast_too((*dns_messages.BITS, *dns_messages.BODY))
