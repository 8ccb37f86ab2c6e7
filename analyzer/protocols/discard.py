"""Discard: what comes is thrown away. RFC 863. Wireshark has no such decoder, and neither has frame.protocols such a name."""

LABEL = "Discard"
ON = {"udp.port": 9, "tcp.port": 9}
SHOWN = "data"
INFO = "thrown away"
