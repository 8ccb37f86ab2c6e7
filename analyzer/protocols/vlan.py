"""802.1Q VLAN tag. IEEE 802.1Q §9.6."""

from ..fields import Field, Headers, Layout, Protocol, bits, flag
from .common import ethertype

HEADER = Layout(
    Field("vlan.priority", bits(3), "Priority", "802.1p class of service"),
    Field("vlan.dei", flag, "Drop eligible"),
    Field("vlan.id", bits(12), "VLAN", "0: a priority tag, no VLAN"),
    ethertype.word("vlan.type_or_len"),
)


def contents(h: Headers):
    return ethertype.contents(h, "vlan.type_or_len")


PROTOCOL = Protocol(
    "VLAN",
    padded=True,
    header=HEADER,
    on={"ethertype": (0x8100, 0x9100, 0x9200)},
    network_id="vlan.id",
    info="VLAN {vlan.id}, priority {vlan.priority}",
    contents=contents,
    derived=((ethertype.fields("vlan.etype", "vlan.len"), lambda h: ethertype.kinds(h, "vlan.type_or_len", "vlan.etype", "vlan.len")),),
)
