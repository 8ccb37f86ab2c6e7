"""Virtual Router Redundancy Protocol: which of several routers has the virtual address. RFC 3768 (version 2), RFC 9568 (3)."""

import numpy as np

from ..fields import Column, Field, Headers, Layout, Protocol, bits, ipv4, ipv6, text, u8, u16
from .common import checksums
from .common.parts import Parts, needs
from .common.tlv import repeated

TYPE = {1: "advertisement"}
AUTH = {0: "none", 1: "password", 2: "IP authentication header"}
PASSWORD = 1
HEADER = Layout(
    Field("vrrp.typever", u8, "Version and type", parts=(
        Field("vrrp.version", bits(4), "Version"),
        Field("vrrp.type", bits(4), "Type", value_names=TYPE),
    )),
    Field("vrrp.virt_rtr_id", u8, "Virtual router", "its number on this link; also the last byte of its MAC address"),
    Field("vrrp.prio", u8, "Priority", "the highest is master; 255: owns the addresses; 0: resigns"),
    Field("vrrp.addr_count", u8, "Addresses"),
)  # fmt: skip
CHECKSUM = Field("vrrp.checksum", u16, "Checksum", "version 3: over a pseudo-header too", hex=4)
SECOND = Layout(
    Field("vrrp.auth_type", u8, "Authentication", "version 2", value_names=AUTH),
    Field("vrrp.adver_int", u8, "Interval", "of advertisements, seconds; version 2"),
    CHECKSUM,
)
THIRD = Layout(
    Field("vrrp.reserved_mbz", bits(4), "Reserved", "0"),
    Field("vrrp.short_adver_int", bits(12), "Interval", "of advertisements, hundredths of a second; version 3"),
    CHECKSUM,
)
FIXED = HEADER.size + SECOND.size
ADDRESS4 = Layout(Field("vrrp.ip_addr", ipv4, "Address", "of the virtual router", many=True))
ADDRESS6 = Layout(Field("vrrp.ipv6_addr", ipv6, "Address", "of the virtual router", many=True))


def _address_size(h: Headers) -> int:
    """Bytes of an address: of the IP version that carries these headers."""
    return 16 if (above := h.network_layer()) is not None and above[0].protocol.name == "ipv6" else 4


def check(h: Headers) -> None:
    version = h["vrrp.version"]
    h.fault(h.whole & ~np.isin(version, (2, 3)), "vrrp.typever", "is of version {had}, not 2 or 3", had=version)
    needs(h, FIXED + _address_size(h) * h["vrrp.addr_count"].astype(np.int64))


def _derived(h: Headers) -> dict[str, Column]:
    parts = Parts(h, FIELDS)
    version, size = h["vrrp.version"], _address_size(h)
    for number, layout in ((2, SECOND), (3, THIRD)):
        rows = np.flatnonzero(h.whole & (version == number))
        body = parts.read(layout, rows, h.start[rows] + HEADER.size)
        summed = np.flatnonzero(body.trusted == layout.size)
        at = rows[summed]
        more = checksums.pseudo(h, h.wire - h.start, 112) if number == 3 else None  # RFC 9568 §5.2.8
        parts.put("vrrp.checksum.status", checksums.status(h, h.wire[at], more, at), at, h.start[at])
        if number == 2:
            at = rows[body["vrrp.auth_type"] == PASSWORD]
            start = h.start[at] + FIXED + size * h["vrrp.addr_count"][at].astype(np.int64)
            parts.text("vrrp.auth_string", at, start, start + 8)
    rows = np.flatnonzero(h.whole & np.isin(version, (2, 3)))
    row, nth = repeated(h["vrrp.addr_count"][rows].astype(np.int64))
    parts.read(ADDRESS6 if size == 16 else ADDRESS4, rows[row], h.start[rows][row] + FIXED + size * nth)
    return dict(parts.columns())


FIELDS = (
    *SECOND.fields,
    *THIRD.fields[:2],
    checksums.status_field("vrrp.checksum.status"),
    *ADDRESS4.fields,
    *ADDRESS6.fields,
    Field("vrrp.auth_string", text, "Password", "version 2 of RFC 2338"),
)

PROTOCOL = Protocol(
    "VRRP",
    header=HEADER,
    on={"ipproto": 112},
    info="{vrrp.type:words}, router {vrrp.virt_rtr_id}, priority {vrrp.prio}[, {vrrp.ip_addr}][, {vrrp.ipv6_addr}]",
    check=check,
    derived=((FIELDS, _derived),),
)
