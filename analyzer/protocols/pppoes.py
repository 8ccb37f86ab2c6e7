"""PPP over Ethernet, session. RFC 2516 §4 and §6."""

from ..fields import Headers
from .common import pppoe

LABEL = "PPPoE session"
HEADER = pppoe.HEADER
ON = {"ethertype": 0x8864}
INFO = "{pppoe.code:words}, session {pppoe.session_id}"


def contents(h: Headers):
    return pppoe.contents(h, "ppp")
