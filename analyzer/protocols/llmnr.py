"""Link-Local Multicast Name Resolution: names without a server, as Windows asks for them. RFC 4795."""

from .common import dns_messages

LABEL = "LLMNR"
HEADER = dns_messages.HEADER
ON = {"udp.port": 5355}
ADDED = dns_messages.ADDED
INFO = dns_messages.INFO
check = dns_messages.walk
DERIVED = (
    dns_messages.RESPONSE,
    dns_messages.switch("dns.flags.conflict", "Conflict", 10, about="the name is not unique: several hosts answer"),
    dns_messages.TRUNCATED,
    dns_messages.switch("dns.flags.tentative", "Tentative", 8, about="the answering host has not made sure of its name yet"),
    *dns_messages.BODY,
)
