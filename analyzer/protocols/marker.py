"""Marker protocol: the response shows that all earlier frames on a link were received. IEEE 802.1AX-2020 §6.5.3."""

from ..fields import Field, Layout, Protocol, mac, u8, u16, u32

TYPE = {0: "end", 1: "marker", 2: "answer"}
HEADER = Layout(
    Field("marker.version", u8, "Version", hex=2),
    Field("marker.tlvType", u8, "Type", hex=2, value_names=TYPE),
    Field("marker.tlvLen", u8, "Length", "bytes, type and length included", hex=2),
    Field("marker.requesterPort", u16, "Requester port"),
    Field("marker.requesterSystem", mac, "Requester system"),
    Field("marker.requesterTransId", u32, "Transaction", "number of the request"),
)

PROTOCOL = Protocol(
    "Marker",
    header=HEADER,
    on={"slow.subtype": 2},
    info="{marker.tlvType:words}, {marker.requesterSystem} port {marker.requesterPort}, transaction {marker.requesterTransId}",
)
