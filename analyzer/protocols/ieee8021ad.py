"""802.1ad provider tag (QinQ): the outer of two VLAN tags. IEEE 802.1Q §9.6."""

from ..fields import Field, Headers, Layout, Protocol, bits
from .common import ethertype

HEADER = Layout(
    Field("ieee8021ad.priority", bits(3), "Priority", "802.1p class of service"),
    Field("ieee8021ad.dei", bits(1), "Drop eligible"),
    Field("ieee8021ad.id", bits(12), "Provider VLAN"),
    ethertype.word("ieee8021ad.type_or_len"),
)


def contents(h: Headers):
    return ethertype.contents(h, "ieee8021ad.type_or_len")


PROTOCOL = Protocol(
    "Provider VLAN",
    padded=True,
    header=HEADER,
    on={"ethertype": 0x88A8},
    network_id="ieee8021ad.id",
    info="provider VLAN {ieee8021ad.id}, priority {ieee8021ad.priority}",
    contents=contents,
)
