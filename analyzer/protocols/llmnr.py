"""Link-Local Multicast Name Resolution: name resolution without a server, used by Windows. RFC 4795."""

from ..fields import Protocol
from .common import dns_messages

HEADER = dns_messages.HEADER

PROTOCOL = Protocol(
    "LLMNR",
    header=HEADER,
    on={"udp.port": 5355},
    info=dns_messages.INFO,
    check=dns_messages.parse,
    derived=(
        dns_messages.RESPONSE,
        dns_messages.flag_bit("dns.flags.conflict", "Conflict", 10, description="the name is not unique: several hosts answer"),
        dns_messages.TRUNCATED,
        dns_messages.flag_bit(
            "dns.flags.tentative", "Tentative", 8, description="the responder has not verified yet that its name is unique"
        ),
        *dns_messages.BODY,
    ),
    external_fields=dns_messages.MATCHED,
)
