"""PPP over Ethernet, session. RFC 2516 §4 and §6."""

from ..fields import Headers
from . import _pppoe

LABEL = "PPPoE session"
HEADER = _pppoe.HEADER
ON = {"ethertype": 0x8864}
INFO = "{pppoe.code:words}, session {pppoe.session_id}"


def contents(h: Headers):
    return _pppoe.contents(h, "ppp")
