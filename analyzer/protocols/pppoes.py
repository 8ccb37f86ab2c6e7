"""PPP over Ethernet, session. RFC 2516 §4 and §6."""

from ..fields import Field, Headers, Layout, bits, u8, u16
from . import _pppoe

LABEL = "PPPoE session"
HEADER = Layout(
    Field("pppoe.version", bits(4), "Version"),
    Field("pppoe.type", bits(4), "Type"),
    Field("pppoe.code", u8, "Code", hex=2, words=_pppoe.CODE),
    Field("pppoe.session_id", u16, "Session", hex=4),
    Field("pppoe.payload_length", u16, "Payload length", "bytes"),
)
ON = {"ethertype": 0x8864}
INFO = "{pppoe.code:words}, session {pppoe.session_id}"


def contents(h: Headers):
    return _pppoe.contents(h, "ppp")
