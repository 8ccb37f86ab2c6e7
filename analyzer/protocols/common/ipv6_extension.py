"""IPv6 extension headers that begin alike: next header, length in units of 8 bytes. RFC 8200 §4."""

import numpy as np

from ...fields import Column, Field, Headers, Layout, Payload, Reading, ipv6, u8, u16, u32
from .tlv import walk

PAD1, LIMIT, ALERT, JUMBO, HOME = 0, 4, 5, 0xC2, 0xC9
OPTION = {
    PAD1: "one byte of padding",
    1: "padding",
    LIMIT: "tunnel encapsulation limit",
    ALERT: "router alert",
    JUMBO: "jumbo payload",
    HOME: "home address",
}
VALUES = {
    LIMIT: Layout(Field("ipv6.opt.tel", u8, "Tunnel encapsulation limit", "tunnels that may still be entered, RFC 2473 §4.1.1", many=True)),
    ALERT: Layout(Field("ipv6.opt.router_alert", u16, "Router alert", "RFC 2711: 0 multicast listener discovery, 1 RSVP", many=True)),
    JUMBO: Layout(Field("ipv6.opt.jumbo", u32, "Jumbo payload length", "bytes, RFC 2675", many=True)),
    HOME: Layout(Field("ipv6.opt.mipv6.home_address", ipv6, "Home address", "of a mobile sender, RFC 6275 §6.3", many=True)),
}
OPTION_FIELDS = (
    Field("ipv6.opt.type", u8, "Option", hex=2, value_names=OPTION, many=True),
    Field("ipv6.opt.length", u8, "Option length", "bytes behind type and length", many=True),
    *(f for layout in VALUES.values() for f in layout.fields),
)


def length(name: str) -> Field:
    """The length field of a header; name: the first words of the field's name."""
    sent = Field(f"{name}.len", u8, "Length as sent", "in units of 8 bytes, without the first 8")
    return Field(f"{name}.len_oct", u8, "Length", "bytes of this header", scale=8, offset=8, parts=(sent,))


def options(h: Headers, name: str) -> dict[str, Column]:
    """The options of hop-by-hop and destination headers, RFC 8200 §4.2."""
    start = h.start + h.layout.size
    end = np.where(h.whole, h.start + h[f"{name}.len_oct"], start)
    walked = walk(h, start, end, (PAD1,), unit=1, head=2)
    h.fault((walked.bad >= 0) & ~h.quoted & (end <= h.end), "ipv6.opt.type", "does not fit into the header", at=walked.bad)
    row, at, size, kind, _ = walked
    long = np.flatnonzero((kind != PAD1) & (size > 0))
    fits = size > 0
    columns = {"ipv6.opt.type": Column(kind[fits], row[fits]), "ipv6.opt.length": Column(h.buffer[at[long] + 1], row[long])}
    for number, layout in VALUES.items():
        pick = walked.of(number, 2 + layout.size)
        (field,) = layout.fields
        columns[field.name] = Column(Reading(layout, h.buffer, at[pick] + 2, at[pick] + size[pick])[field.name], row[pick])
    return columns


def contents(h: Headers, name: str, has_options: bool = False):
    """The payload of a header with the fields name.nxt and name.len_oct. has_options: the header is a list of options."""
    size = h[f"{name}.len_oct"].astype(np.int64)
    beyond = h.whole & (h.start + size > h.wire) & ~h.quoted
    h.fault(beyond, f"{name}.len_oct", "says {needed} bytes, there are {had}", size, h.wire - h.start)
    if has_options:
        h.column("ipv6.opt.type")  # reports misfits even if no table needs the options
    yield Payload("ipproto", h[f"{name}.nxt"], h.start + size, h.wire)
