"""Cisco's Hot Standby Router Protocol: which of several routers has the virtual address.

Version 1: RFC 2281 §5. Version 2 is proprietary: a list of TLVs. Both may end with a digest.
"""

import numpy as np

from ..fields import Column, Field, Headers, Layout, Protocol, ipv4, ipv6, mac, raw, text, u8, u16, u32
from .common.parts import Parts, misfits, needs, peek
from .common.tlv import Options, walk

OPCODE = {0: "hello", 1: "coup", 2: "resign", 3: "advertise"}
STATE = {0: "initial", 1: "learn", 2: "listen", 4: "speak", 8: "standby", 16: "active"}
STATE2 = {0: "disabled", 1: "initial", 2: "learn", 3: "listen", 4: "speak", 5: "standby", 6: "active"}
ADVERTISE_STATE = {1: "dormant", 2: "passive", 3: "active"}
ALGORITHM = {1: "MD5"}
FIRST = Layout(Field("hsrp.version", u8, "Version", "0: version 1"), Field("hsrp.opcode", u8, "Operation", value_names=OPCODE))
REST = Layout(
    Field("hsrp.state", u8, "State", "of the sender", value_names=STATE),
    Field("hsrp.hellotime", u8, "Hello time", "seconds; 0: not said"),
    Field("hsrp.holdtime", u8, "Hold time", "seconds that this hello is good for"),
    Field("hsrp.priority", u8, "Priority", "the greatest is active"),
    Field("hsrp.group", u8, "Group"),
    Field("hsrp.reserved", u8, "Reserved"),
)
PASSWORD = 8  # bytes of it
VIRTUAL = Layout(Field("hsrp.virt_ip", ipv4, "Address", "that the group has"))
ADVERTISE = Layout(
    Field("hsrp.adv.tlvtype", u16, "Advertised type", "1: state of the interface"),
    Field("hsrp.adv.tlvlength", u16, "Advertised length", "bytes behind it"),
    Field("hsrp.adv.state", u8, "Advertised state", value_names=ADVERTISE_STATE),
    Field("hsrp.adv.reserved1", u8, "Advertised, reserved"),
    Field("hsrp.adv.activegrp", u16, "Active groups"),
    Field("hsrp.adv.passivegrp", u16, "Passive groups"),
    Field("hsrp.adv.reserved2", u32, "Advertised, reserved, the second"),
)
FIXED = FIRST.size + REST.size + PASSWORD + VIRTUAL.size
GROUP_STATE, INTERFACE_STATE, TEXT, DIGEST = 1, 2, 3, 4
GROUP = Layout(
    Field("hsrp2.group_state_tlv", u8, "Group state, type", many=True),
    Field("length", u8, ""),
    Field("hsrp2.version", u8, "Version", "2", many=True),
    Field("hsrp2.opcode", u8, "Operation", value_names=OPCODE, many=True),
    Field("hsrp2.state", u8, "State", "of the sender", value_names=STATE2, many=True),
    Field("hsrp2.ipversion", u8, "IP version", many=True),
    Field("hsrp2.group", u16, "Group", many=True),
    Field("hsrp2.identifier", mac, "Sender's MAC", many=True),
    Field("hsrp2.priority", u32, "Priority", "the greatest is active", many=True),
    Field("hsrp2.hellotime", u32, "Hello time", "ms", many=True),
    Field("hsrp2.holdtime", u32, "Hold time", "ms that this hello is good for", many=True),
)
VIRTUAL4 = Layout(Field("hsrp2.virt_ip", ipv4, "Address", "that the group has", many=True))
VIRTUAL6 = Layout(Field("hsrp2.virt_ip_v6", ipv6, "Address", "that the group has", many=True))
INTERFACE = Layout(
    Field("hsrp2.interface_state_tlv", u8, "Interface state, type", many=True),
    Field("length", u8, ""),
    Field("hsrp2.active_groups", u16, "Active groups", many=True),
    Field("hsrp2.passive_groups", u16, "Passive groups", many=True),
)
MD5_AUTH = Layout(
    Field("hsrp2.md5_auth_tlv", u8, "Digest, type"),
    Field("length", u8, ""),
    Field("hsrp2.md5_algorithm", u8, "Algorithm", value_names=ALGORITHM),
    Field("hsrp2.md5_padding", u8, "Padding", hex=2),
    Field("hsrp2.md5_flags", u16, "Digest flags"),
    Field("hsrp.md5_ip_address", ipv4, "Sender's address"),
    Field("hsrp2.md5_key_id", u32, "Key number"),
)
TEXT_AUTH = Layout(Field("hsrp2.text_auth_tlv", u8, "Password, type"))
HEAD = TEXT_AUTH.size + 1  # type and length of a TLV


def _version1(h: Headers) -> tuple[np.ndarray, np.ndarray]:
    """Headers of version 1, and those of them that advertise; bool (n,). Version 1 begins with a 0, version 2 with a TLV's type."""
    first = peek(h, FIRST, np.arange(len(h)), h.start)
    version1 = (first["hsrp.version"] == 0) & (h.end > h.start)
    return version1, version1 & (first["hsrp.opcode"] == 3)


def _tlvs(h: Headers) -> Options:
    """The TLVs of version 2, and those that follow the fields of version 1."""
    version1, advertises = _version1(h)
    start = np.where(advertises, h.wire, h.start + np.where(version1, FIXED, 0))
    return walk(h, np.minimum(start, h.wire), h.wire, head=HEAD)


def check(h: Headers) -> None:
    version1, advertises = _version1(h)
    needs(h, np.select([advertises, version1], [FIRST.size + ADVERTISE.size, FIXED], 0))
    misfits(h, _tlvs(h).bad, "", "an item does not fit into the message")


def _derived(h: Headers) -> dict[str, Column]:
    parts = Parts(h, FIELDS)
    version1, advertises = _version1(h)
    rows = np.flatnonzero(version1)
    parts.read(FIRST, rows, h.start[rows])
    rows = np.flatnonzero(advertises)
    parts.read(ADVERTISE, rows, h.start[rows] + FIRST.size)
    rows = np.flatnonzero(version1 & ~advertises)
    at = h.start[rows] + FIRST.size
    parts.read(REST, rows, at)
    at += REST.size
    parts.text("hsrp.auth_data", rows, at, at + PASSWORD)
    parts.read(VIRTUAL, rows, at + PASSWORD)

    tlvs = _tlvs(h)
    end = tlvs.at + tlvs.size
    for kind, layout in ((GROUP_STATE, GROUP), (INTERFACE_STATE, INTERFACE), (TEXT, TEXT_AUTH), (DIGEST, MD5_AUTH)):
        these = np.flatnonzero((tlvs.kind == kind) & (tlvs.size > 0))
        row, at = tlvs.row[these], tlvs.at[these]
        reading = parts.read(layout, row, at, end[these])
        if kind == GROUP_STATE:
            six = reading["hsrp2.ipversion"] == 6
            for virtual, of in ((VIRTUAL4, ~six), (VIRTUAL6, six)):
                parts.read(virtual, row[of], at[of] + GROUP.size, end[these][of])
        elif kind == TEXT:
            parts.text("hsrp2.auth_data", row, at + HEAD, end[these])
        elif kind == DIGEST:
            parts.bytes("hsrp2.md5_auth_data", row, at + MD5_AUTH.size, end[these])
    return dict(parts.columns())


LAYOUTS = (FIRST, REST, VIRTUAL, ADVERTISE, GROUP, VIRTUAL4, VIRTUAL6, INTERFACE, TEXT_AUTH, MD5_AUTH)
FIELDS = (
    *(f for layout in LAYOUTS for f in layout.fields if f.label),
    Field("hsrp.auth_data", text, "Password"),
    Field("hsrp2.auth_data", text, "Password"),
    Field("hsrp2.md5_auth_data", raw, "Digest"),
)


PROTOCOL = Protocol(
    "hsrp",
    "HSRP",
    __doc__,
    on={"udp.port": (1985, 2029)},
    info="standby[ {hsrp.opcode:words}][ {hsrp2.opcode:words}][, {hsrp.state:words}][, {hsrp2.state:words}][, group {hsrp.group}]"
    "[, group {hsrp2.group}][, priority {hsrp.priority}][, priority {hsrp2.priority}][, {hsrp.virt_ip}][, {hsrp2.virt_ip}]",
    check=check,
    derived=((FIELDS, _derived),),
)
