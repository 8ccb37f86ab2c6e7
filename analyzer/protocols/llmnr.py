"""Link-Local Multicast Name Resolution: names without a server, as Windows asks for them. RFC 4795."""

from . import _dns

LABEL = "LLMNR"
HEADER = _dns.HEADER
ON = {"udp.port": 5355}
ADDED = _dns.ADDED
INFO = _dns.INFO
check = _dns.walk
DERIVED = (
    _dns.RESPONSE,
    _dns.switch("dns.flags.conflict", "Conflict", 10, about="the name is not unique: several hosts answer"),
    _dns.TRUNCATED,
    _dns.switch("dns.flags.tentative", "Tentative", 8, about="the answering host has not made sure of its name yet"),
    *_dns.BODY,
)
