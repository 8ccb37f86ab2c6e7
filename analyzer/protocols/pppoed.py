"""PPP over Ethernet, discovery. RFC 2516 §4 and §5.1."""

from ..fields import Headers, Protocol
from .common import pppoe

HEADER = pppoe.HEADER


def contents(h: Headers):
    return pppoe.contents(h, "pppoe.tags")


PROTOCOL = Protocol(
    "PPPoE discovery", header=HEADER, on={"ethertype": 0x8863}, info="{pppoe.code:words}, session {pppoe.session_id}", contents=contents
)
