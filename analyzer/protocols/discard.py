"""Discard: the receiver throws the data away. RFC 863. Wireshark has no decoder for it, so frame.protocols calls it data."""

from ..fields import Protocol

PROTOCOL = Protocol("discard", "Discard", __doc__, on={"udp.port": 9, "tcp.port": 9}, display_name="data", info="thrown away")
