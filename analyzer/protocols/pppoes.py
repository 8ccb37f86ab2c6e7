"""PPP over Ethernet, session. RFC 2516 §4 and §6."""

from ..fields import Headers, Protocol
from .common import pppoe

HEADER = pppoe.HEADER


def contents(h: Headers):
    return pppoe.contents(h, "ppp")


PROTOCOL = Protocol(
    "PPPoE session", header=HEADER, on={"ethertype": 0x8864}, info="{pppoe.code:words}, session {pppoe.session_id}", contents=contents
)
