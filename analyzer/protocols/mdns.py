"""Multicast DNS: name resolution among the hosts of a link, without a server. RFC 6762; services: RFC 6763."""

from ..fields import Protocol
from .common import dns_messages

HEADER = dns_messages.HEADER

PROTOCOL = Protocol(
    "mDNS",
    header=HEADER,
    on={"udp.port": 5353},
    info=dns_messages.INFO,
    check=dns_messages.parse,
    derived=dns_messages.with_multicast_fields((*dns_messages.BITS, *dns_messages.BODY)),
    external_fields=dns_messages.MATCHED,
)
