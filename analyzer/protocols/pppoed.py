"""PPP over Ethernet, discovery. RFC 2516 §4 and §5.1."""

from ..fields import Headers
from .common import pppoe

LABEL = "PPPoE discovery"
HEADER = pppoe.HEADER
ON = {"ethertype": 0x8863}
INFO = "{pppoe.code:words}, session {pppoe.session_id}"


def contents(h: Headers):
    return pppoe.contents(h, "pppoe.tags")
