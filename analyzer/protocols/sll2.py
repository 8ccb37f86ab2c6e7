"""Linux cooked capture, version 2: with the interface. https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html"""

from ..fields import Column, Field, Headers, Layout, Protocol, mac, u8, u16, u32
from . import sll

HEADER = Layout(
    Field("sll.etype_or_kind", u16, "Protocol", "an Ethernet type, or a small number of its own meaning", hex=4),
    Field("sll.unused", u16, "Unused", hex=4),
    Field("sll.ifindex", u32, "Interface index"),
    Field("sll.hatype", u16, "Hardware type", "ARPHRD_ number: 1 Ethernet, 772 loopback, 778 GRE, 65534 none"),
    Field("sll.pkttype", u8, "Packet type", value_names=sll.DIRECTION),
    Field("sll.halen", u8, "Address length", "bytes"),
    Field("sll.src_six", mac, "First six bytes of the address"),
    Field("sll.unused2", u16, "Unused", hex=4),
)


def contents(h: Headers):
    return sll.carried(h, "sll.etype_or_kind")


def _derived(h: Headers) -> dict[str, Column]:
    return sll.type_columns(h, "sll.etype_or_kind")


PROTOCOL = Protocol(
    "Linux cooked",
    header=HEADER,
    on={"linktype": 276},
    display_name="sll",  # Wireshark has one name for both
    info=sll.INFO,
    contents=contents,
    derived=((sll.KIND_FIELDS, _derived),),
)
