"""Routing Information Protocol: routers announce distances of networks. RFC 1058 (version 1), RFC 2453 (2), RFC 4822."""

import numpy as np

from ..fields import Column, Field, Headers, Layout, Protocol, ipv4, raw, text, u8, u16, u32
from .common.parts import Parts, peek
from .common.tlv import repeated

COMMAND = {1: "request", 2: "response", 3: "trace on", 4: "trace off", 5: "vendor", 9: "update request", 10: "update response"}
FAMILY = {0: "unspecified", 2: "IP", 0xFFFF: "authentication"}
UNSPECIFIED, INTERNET, AUTHENTICATION = FAMILY
AUTH = {1: "authentication data", 2: "password", 3: "keyed digest"}
PASSWORD, DIGEST = 2, 3
HEADER = Layout(Field("rip.command", u8, "Command", value_names=COMMAND), Field("rip.version", u8, "Version"))
ENTRIES = HEADER.size + 2  # offset of the entries, after an unused word
FAMILY_OF = Field("rip.family", u16, "Address family", value_names=FAMILY, many=True)
ADDRESS = Field("rip.ip", ipv4, "Network", many=True)
METRIC = Field("rip.metric", u32, "Metric", "hops; 16: unreachable", many=True)
KIND = Layout(FAMILY_OF)
FIRST = Layout(FAMILY_OF, Field("zero", u16, ""), ADDRESS, Field("zero", ipv4, ""), Field("zero", ipv4, ""), METRIC)
SECOND = Layout(
    FAMILY_OF,
    Field("rip.route_tag", u16, "Route tag", "marks routes from outside RIP", many=True),
    ADDRESS,
    Field("rip.netmask", ipv4, "Netmask", many=True),
    Field("rip.next_hop", ipv4, "Next hop", "0.0.0.0: the sender", many=True),
    METRIC,
)
SIZE = SECOND.size
AUTH_TYPE = Layout(Field("family", u16, ""), Field("rip.auth.type", u16, "Authentication", value_names=AUTH, many=True))
SIGNED = Layout(
    Field("before", u32, ""),
    Field("rip.digest_offset", u16, "Digest offset", "offset of the digest, bytes"),
    Field("rip.key_id", u8, "Key number"),
    Field("rip.auth_data_len", u8, "Digest length", "bytes"),
    Field("rip.seq_num", u32, "Sequence number", "against replay"),
)


def _places(h: Headers) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(header and offset of each whole entry, end of the entries and offset of the digest of each header, 0: none)."""
    start = h.start + ENTRIES
    every = np.arange(len(h))
    first = peek(h, AUTH_TYPE, every, start)
    signed = (first["family"] == AUTHENTICATION) & (first["rip.auth.type"] == DIGEST)
    offset = peek(h, SIGNED, every, start)["rip.digest_offset"].astype(np.int64)
    digest = np.where(signed & (offset >= ENTRIES + SIZE), h.start + offset, 0)
    end = np.where(digest > 0, np.minimum(digest, h.wire), h.wire)
    row, nth = repeated(np.where(h.whole, np.maximum(np.minimum(end, h.end) - start, 0) // SIZE, 0))
    return row, start[row] + SIZE * nth, end, digest


def check(h: Headers) -> None:
    _, _, end, _ = _places(h)
    over = (end - h.start - ENTRIES) % SIZE
    odd = h.whole & (over > 0) & (end > h.start + ENTRIES) & ~h.quoted & (h.wire <= h.end)
    h.fault(odd, "", "entries have {needed} bytes each, the last has {had}", SIZE, over, end - over)


def _derived(h: Headers) -> dict[str, Column]:
    parts = Parts(h, FIELDS)
    version = h["rip.version"]
    row, at, _, digest = _places(h)
    family, second = peek(h, KIND, row, at)["rip.family"], version[row] >= 2
    signed = family == AUTHENTICATION
    for layout, of in ((FIRST, ~second), (SECOND, second)):
        these = of & (family == INTERNET)
        parts.read(layout, row[these], at[these])
        these = of & (family == UNSPECIFIED)
        without = Layout(*(f if f.name != ADDRESS.name else Field("address", f.kind, "") for f in layout.fields))
        parts.read(without, row[these], at[these])
    row, at = row[signed], at[signed]
    kind = parts.read(AUTH_TYPE, row, at)["rip.auth.type"]
    these = kind == PASSWORD
    parts.text("rip.auth.passwd", row[these], at[these] + AUTH_TYPE.size, at[these] + SIZE)
    these = (kind == DIGEST) & (at == h.start[row] + ENTRIES)
    row, at = row[these], at[these]
    length = parts.read(SIGNED, row, at)["rip.auth_data_len"].astype(np.int64)
    start = digest[row] + AUTH_TYPE.size
    there = digest[row] > 0
    parts.bytes("rip.authentication_data", row[there], start[there], (start + length)[there])
    return dict(parts.columns())


FIELDS = (
    *SECOND.fields,
    AUTH_TYPE.fields[1],
    Field("rip.auth.passwd", text, "Password", many=True),
    *SIGNED.fields[1:],
    Field("rip.authentication_data", raw, "Digest"),
)

PROTOCOL = Protocol(
    "RIP",
    header=HEADER,
    on={"udp.port": 520},
    info="{rip.command:words}, version {rip.version}[, {rip.ip}][, metric {rip.metric}]",
    check=check,
    derived=((FIELDS, _derived),),
)
