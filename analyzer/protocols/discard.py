"""Discard: what comes is thrown away. RFC 863. Wireshark has no such decoder, and neither has frame.protocols such a name."""

from ..fields import Protocol

PROTOCOL = Protocol("discard", "Discard", __doc__, on={"udp.port": 9, "tcp.port": 9}, display_name="data", info="thrown away")
