"""Link Layer Discovery Protocol: a device announces its identity, port and capabilities to its neighbor. IEEE 802.1AB-2016 §8."""

import numpy as np

from ..fields import Column, Field, Headers, Layout, Protocol, bits, flag, ipv4, ipv6, mac, raw, text, u8, u16, u24, u32
from .common.parts import Parts, misfits
from .common.tlv import Options, items

END, CHASSIS, PORT, LIFETIME, PORT_DESCRIPTION, NAME, DESCRIPTION, CAPABILITIES, MANAGEMENT = range(9)
ORGANIZATION = 127
TLV = {
    END: "end",
    CHASSIS: "chassis",
    PORT: "port",
    LIFETIME: "time to live",
    PORT_DESCRIPTION: "port description",
    NAME: "system name",
    DESCRIPTION: "system description",
    CAPABILITIES: "capabilities",
    MANAGEMENT: "management address",
    ORGANIZATION: "of an organization",
}
FIRST = (CHASSIS, PORT, LIFETIME)  # the first three of every message, in this order: §9.2.7.7
COMPONENT, ALIAS, INTERFACE, MAC, NETWORK, LOCAL = "component", "interface alias", "interface name", "MAC", "network", "local"
CHASSIS_KIND = {1: COMPONENT, 2: ALIAS, 3: "port component", 4: MAC, 5: NETWORK, 6: INTERFACE, 7: LOCAL}
PORT_KIND = {1: ALIAS, 2: "port component", 3: MAC, 4: NETWORK, 5: INTERFACE, 6: "agent circuit", 7: LOCAL}
FAMILY = {1: "IPv4", 2: "IPv6", 6: "802"}
NUMBERING = {1: "unknown", 2: "interface index", 3: "port number"}
IEEE1, IEEE3, TIA = 0x0080C2, 0x00120F, 0x0012BB
OUI = {IEEE1: "IEEE 802.1", IEEE3: "IEEE 802.3", TIA: "TIA", 0x000ECF: "PROFINET", 0x00000C: "Cisco"}
SUBTYPE1 = {1: "port's VLAN", 2: "port and protocol VLAN", 3: "VLAN name", 4: "protocol identity", 7: "link aggregation"}
SUBTYPE3 = {1: "MAC and PHY", 2: "power", 3: "link aggregation", 4: "maximum frame size"}
SUBTYPE_TIA = {1: "capabilities", 2: "network policy", 3: "location", 4: "extended power", 5: "hardware revision",
               6: "firmware revision", 7: "software revision", 8: "serial number", 9: "manufacturer", 10: "model", 11: "asset"}  # fmt: skip
CAPABILITY_LABELS = ("station only", "DOCSIS cable device", "telephone", "router", "WLAN access point", "bridge", "repeater", "other")
CAPABILITY_NAMES = ("station_only", "docsis_cable_device", "telephone", "router", "wlan_access_pt", "bridge", "repeater", "other")
LONGEST = 0x1FF  # a length has nine bits
ITEM = Layout(
    Field("lldp.tlv.type", bits(7), "Item", value_names=TLV, many=True),
    Field("lldp.tlv.len", bits(9), "Item's length", "bytes after type and length", many=True),
)
CHASSIS_ID = Layout(Field("lldp.chassis.subtype", u8, "Kind of chassis identifier", value_names=CHASSIS_KIND))
PORT_ID = Layout(Field("lldp.port.subtype", u8, "Kind of port identifier", value_names=PORT_KIND))
ADDRESS_FAMILY = Layout(Field("lldp.network_address.subtype", u8, "Address family", value_names=FAMILY, many=True))
LIFETIME_VALUE = Layout(Field("lldp.time_to_live", u16, "Time to live", "seconds; 0: forget this neighbor"))
TEXTS = (
    (PORT_DESCRIPTION, Field("lldp.port.desc", text, "Port description", many=True)),
    (NAME, Field("lldp.tlv.system.name", text, "System name", many=True)),
    (DESCRIPTION, Field("lldp.tlv.system.desc", text, "System description", many=True)),
)


def _capabilities(name: str, label: str) -> Field:
    """A word of capabilities."""
    flags = zip(CAPABILITY_NAMES, CAPABILITY_LABELS, strict=True)
    parts = (Field(f"{name}.{bit}", flag, f"{label}: {bit_label}", many=True) for bit, bit_label in flags)
    return Field(name, u16, label, hex=4, parts=(Field("", bits(8), ""), *parts), many=True)


CAPABILITY_WORDS = Layout(
    _capabilities("lldp.tlv.system_cap", "Capability"), _capabilities("lldp.tlv.enable_system_cap", "Enabled capability")
)
ADDRESS_HEAD = Layout(
    Field("lldp.mgn.address.len", u8, "Length of the management address", "bytes, its family included", many=True),
    Field("lldp.mgn.address.subtype", u8, "Family of the management address", value_names=FAMILY, many=True),
)
INTERFACE_NUMBER = Layout(
    Field("lldp.mgn.interface.subtype", u8, "Numbering of interfaces", value_names=NUMBERING, many=True),
    Field("lldp.mgn.interface.number", u32, "Interface number", many=True),
    Field("lldp.mgn.obj.len", u8, "Length of the object identifier", "bytes", many=True),
)
OUI_HEAD = Layout(Field("lldp.orgtlv.oui", u24, "Organization", value_names=OUI, many=True))
SUBTYPES = {
    IEEE1: Layout(Field("lldp.ieee.802_1.subtype", u8, "Kind", "of IEEE 802.1's items", hex=2, value_names=SUBTYPE1, many=True)),
    IEEE3: Layout(Field("lldp.ieee.802_3.subtype", u8, "Kind", "of IEEE 802.3's items", hex=2, value_names=SUBTYPE3, many=True)),
    TIA: Layout(Field("lldp.media.subtype", u8, "Kind", "of TIA's items", hex=2, value_names=SUBTYPE_TIA, many=True)),
}
ORGANIZATION_VALUES = {  # (organization, subtype): the value; 802.1Q annex D, 802.3 clause 79
    (IEEE1, 1): Layout(Field("lldp.ieee.802_1.port_vlan.id", u16, "Port's VLAN", "0: none", many=True)),
    (IEEE1, 2): Layout(
        Field("lldp.ieee.802_1.port_and_vlan_id_flag", u8, "Port and protocol VLAN, flags", hex=2, many=True),
        Field("lldp.ieee.802_1.port_proto_vlan.id", u16, "Port and protocol VLAN", many=True),
    ),
    (IEEE1, 3): Layout(
        Field("lldp.ieee.802_1.vlan.id", u16, "VLAN", many=True),
        Field("lldp.ieee.802_1.vlan.name_len", u8, "Length of the VLAN's name", "bytes", many=True),
    ),
    (IEEE3, 1): Layout(
        Field("lldp.ieee.802_3.mac_phy_auto_neg_status", u8, "Negotiation", "1: can, 2: does", hex=2, many=True),
        Field("lldp.ieee.802_3.pmd_auto_neg_advertised_caps", u16, "Negotiable speeds", hex=4, many=True),
        Field("lldp.ieee.802_3.pmd_mau_type", u16, "Kind of transceiver", "as SNMP's MAU-MIB has it", hex=4, many=True),
    ),
    (IEEE3, 4): Layout(Field("lldp.ieee.802_3.max_frame_size", u16, "Maximum frame size", "bytes", many=True)),
}
VLAN_NAME = (IEEE1, 3)
ADDRESSES = {  # prefix of the name: layouts of an IPv4 and an IPv6 address
    name: (Layout(Field(f"{name}.ip4", ipv4, label, many=True)), Layout(Field(f"{name}.ip6", ipv6, label, many=True)))
    for name, label in (("lldp.chassis.id", "Chassis"), ("lldp.port.id", "Port"), ("lldp.mgn.addr", "Management address"))
}
MACS = {name: Layout(Field(f"{name}.mac", mac, label)) for name, label in (("lldp.chassis.id", "Chassis"), ("lldp.port.id", "Port"))}


def _items(h: Headers) -> tuple[Options, np.ndarray, np.ndarray]:
    """(all items, indices of the valid ones, offset of the first item of each header that is out of order; -1: none)."""
    tlvs = items(h, h.start, h.wire, head=ITEM.size, least=ITEM.size, mask=LONGEST, last=END)
    kind = tlvs.kind >> 1
    first = np.searchsorted(tlvs.row, np.arange(len(h)))
    nth = np.arange(len(kind)) - first[tlvs.row]
    wrong = np.flatnonzero((nth < len(FIRST)) & (kind != np.array(FIRST)[np.minimum(nth, len(FIRST) - 1)]))[::-1]
    stop, at = np.full(len(h), len(kind)), np.full(len(h), -1)
    stop[tlvs.row[wrong]], at[tlvs.row[wrong]] = nth[wrong], tlvs.at[wrong]  # the first of each header is written last
    return tlvs, np.flatnonzero((nth < stop[tlvs.row]) & (tlvs.size > 0)), at


def check(h: Headers) -> None:
    tlvs, valid, wrong = _items(h)
    misfits(h, wrong, "lldp.tlv.type", "is not the chassis, the port and the time to live that every message begins with")
    misfits(h, np.where(wrong < 0, tlvs.bad, -1), "lldp.tlv.len", "is more than the message has")
    end = h.start.copy()
    np.maximum.at(end, tlvs.row[valid], (tlvs.at + tlvs.size)[valid])
    ended = np.zeros(len(h), bool)
    ended[tlvs.row[valid[tlvs.kind[valid] >> 1 == END]]] = True
    h.set_payload_end(np.where(ended, end, h.wire))


def _derived(h: Headers) -> dict[str, Column]:
    parts = Parts(h, FIELDS)
    tlvs, valid, _ = _items(h)
    row, at, kind = tlvs.row[valid], tlvs.at[valid], tlvs.kind[valid] >> 1
    end = at + tlvs.size[valid]
    parts.read(ITEM, row, at, end)
    at = at + ITEM.size

    def of(number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Header, offset and end of the value of the items of a type."""
        these = kind == number
        return row[these], at[these], end[these]

    _identifier(parts, "lldp.chassis.id", *of(CHASSIS), CHASSIS_ID, CHASSIS_KIND)
    _identifier(parts, "lldp.port.id", *of(PORT), PORT_ID, PORT_KIND)
    parts.read(LIFETIME_VALUE, *of(LIFETIME))
    for number, f in TEXTS:
        parts.text(f.name, *of(number))
    parts.read(CAPABILITY_WORDS, *of(CAPABILITIES))

    rows, place, stop = of(MANAGEMENT)
    head = parts.read(ADDRESS_HEAD, rows, place, stop)
    place = place + ADDRESS_HEAD.size
    address_end = place - 1 + head["lldp.mgn.address.len"]
    _address(parts, "lldp.mgn.addr", head["lldp.mgn.address.subtype"], rows, place, np.minimum(address_end, stop))
    interface = parts.read(INTERFACE_NUMBER, rows, address_end, stop)
    place = address_end + INTERFACE_NUMBER.size
    parts.bytes("lldp.mgn.obj.id_raw", rows, place, np.minimum(place + interface["lldp.mgn.obj.len"], stop))

    rows, place, stop = of(ORGANIZATION)
    oui = parts.read(OUI_HEAD, rows, place, stop)["lldp.orgtlv.oui"]
    place = place + OUI_HEAD.size
    subtypes = np.zeros(len(rows), np.int64)
    for organization, layout in SUBTYPES.items():
        these = np.flatnonzero(oui == organization)
        subtypes[these] = parts.read(layout, rows[these], place[these], stop[these])[layout.fields[0].name]
    for (organization, subtype), layout in ORGANIZATION_VALUES.items():
        these = np.flatnonzero((oui == organization) & (subtypes == subtype))
        start = place[these] + 1
        reading = parts.read(layout, rows[these], start, stop[these])
        if (organization, subtype) == VLAN_NAME:
            start = start + layout.size
            name_end = np.minimum(start + reading["lldp.ieee.802_1.vlan.name_len"], stop[these])
            parts.text("lldp.ieee.802_1.vlan.name", rows[these], start, name_end)
    return dict(parts.columns())


def _identifier(parts: Parts, name: str, rows: np.ndarray, at: np.ndarray, end: np.ndarray, layout: Layout, kinds: dict[int, str]) -> None:
    """The identifier of a chassis or a port: an address or text, by the kind before it."""
    kind = parts.read(layout, rows, at, end)[layout.fields[0].name]
    at = at + layout.size
    number = {label: key for key, label in kinds.items()}
    these = (kind == number[MAC]) & (end - at == 6)
    parts.read(MACS[name], rows[these], at[these])
    these = kind == number[NETWORK]
    family = parts.read(ADDRESS_FAMILY, rows[these], at[these], end[these])["lldp.network_address.subtype"]
    _address(parts, name, family, rows[these], at[these] + ADDRESS_FAMILY.size, end[these])
    these = ~np.isin(kind, (number[MAC], number[NETWORK]))
    if name == "lldp.port.id":
        parts.text(name, rows[these], at[these], end[these])
    else:
        parts.bytes(name, rows[these], at[these], end[these])


def _address(parts: Parts, name: str, family: np.ndarray, rows: np.ndarray, at: np.ndarray, end: np.ndarray) -> None:
    for number, layout in zip((1, 2), ADDRESSES[name], strict=True):
        these = (family == number) & (end - at == layout.size)
        parts.read(layout, rows[these], at[these])


FIELDS = (
    *ITEM.fields,
    *(f for layout in (CHASSIS_ID, PORT_ID, ADDRESS_FAMILY, LIFETIME_VALUE) for f in layout.fields),
    Field("lldp.chassis.id", raw, "Chassis"),
    Field("lldp.port.id", text, "Port"),
    *(f for layout in (*MACS.values(), *(layout for pair in ADDRESSES.values() for layout in pair)) for f in layout.fields),
    *(f for _, f in TEXTS),
    *(f for f in CAPABILITY_WORDS.all() if f.label),
    *ADDRESS_HEAD.fields,
    *INTERFACE_NUMBER.fields,
    Field("lldp.mgn.obj.id_raw", raw, "Object identifier", "in ASN.1's form", many=True),
    *OUI_HEAD.fields,
    *(f for layout in (*SUBTYPES.values(), *ORGANIZATION_VALUES.values()) for f in layout.fields),
    Field("lldp.ieee.802_1.vlan.name", text, "VLAN's name", many=True),
)

PROTOCOL = Protocol(
    "LLDP",
    on={"ethertype": 0x88CC},
    info="neighbor[ {lldp.tlv.system.name}][, chassis {lldp.chassis.id.mac}][, chassis {lldp.chassis.id.ip4}][, port {lldp.port.id}]"
    "[, port {lldp.port.id.mac}][, good for {lldp.time_to_live} s]",
    check=check,
    derived=((FIELDS, _derived),),
)
