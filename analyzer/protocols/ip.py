"""Internet Protocol version 4. RFC 791 §3.1, https://www.rfc-editor.org/rfc/rfc791#section-3.1"""

import numpy as np

from ..fields import Column, Field, Headers, Layout, Payload, bits, flag, ipv4, u8, u16, u32
from ._words import DSCP, ECN, IPPROTO

LABEL = "IPv4"
HEADER = Layout(
    Field("ip.version", bits(4), "Version", "4; 6 in an IPv6 header"),
    Field("ip.hdr_len", bits(4), "Header length", "bytes; 20 when there are no options", times=4),
    Field("ip.dsfield", u8, "Differentiated services", "RFC 2474", hex=2, parts=(
        Field("ip.dsfield.dscp", bits(6), "Codepoint", words=DSCP),
        Field("ip.dsfield.ecn", bits(2), "Congestion notification", "RFC 3168", words=ECN),
    )),
    Field("ip.len_raw", u16, "Total length as sent", "bytes; 0 where the network card was to cut the segment later"),
    Field("ip.id", u16, "Identification", "pieces of one datagram have the same", hex=4),
    Field("ip.flags", bits(3), "Flags", hex=2, parts=(
        Field("ip.flags.rb", flag, "Reserved", "always 0"),
        Field("ip.flags.df", flag, "Don't fragment"),
        Field("ip.flags.mf", flag, "More fragments", "this is not the last piece"),
    )),
    Field("ip.frag_offset", bits(13), "Fragment offset", "in units of 8 bytes"),
    Field("ip.ttl", u8, "Time to live", "each router takes one away"),
    Field("ip.proto", u8, "Protocol", "what the datagram carries", words=IPPROTO),
    Field("ip.checksum", u16, "Header checksum", "RFC 1071", hex=4),
    Field("ip.src", ipv4, "Source"),
    Field("ip.dst", ipv4, "Destination"),
)  # fmt: skip
ON = {"linktype": 228, "ethertype": 0x0800, "ipversion": 4, "ipproto": (4, 94)}
ADDRESSES = ("ip.src", "ip.dst")
EITHER = {"ip.addr": ADDRESSES}
INFO = "{ip.proto:words}, id {ip.id}, length {ip.len}"


def contents(h: Headers):
    version = h["ip.version"]
    six = version == 6
    if six.any():
        yield Payload("ipversion", 6, h.start, h.wire, np.flatnonzero(six & h.whole))
    h.fault((version != 4) & (h.trusted > 0), "ip.version", "is {had}, not 4", had=version)
    size, total = h["ip.hdr_len"], h["ip.len"]
    h.fault(h.whole & (size < HEADER.size), "ip.hdr_len", "is {had}, less than the {needed} of the shortest header", HEADER.size, size)
    h.fault(h.whole & (total < size), "ip.len_raw", "is {had}, less than the header's {needed} bytes", size, total)
    declared = h.start + total
    beyond = h.whole & (declared > h.wire) & ~h.quoted
    h.fault(beyond, "ip.len_raw", "says {needed} bytes, the frame has {had}", total, h.wire - h.start, h.start + 2)
    end = np.minimum(declared, h.wire)
    h.claims(np.where(h.whole, end, h.wire))
    start = h.start + size
    # A piece shows its bytes as data: what it is a piece of is whole only later. A first piece that
    # the capture cut can never become whole, so what there is of it is read.
    piece = (h["ip.frag_offset"] > 0) | (h["ip.flags.mf"] & (declared <= h.end))
    if piece.any():
        yield Payload("fragment", h["ip.proto"], start, end, np.flatnonzero(piece))
        yield Payload("ipproto", h["ip.proto"], start, end, np.flatnonzero(~piece))
    else:
        yield Payload("ipproto", h["ip.proto"], start, end)


def _length(h: Headers) -> dict[str, Column]:
    values, rows = h.column("ip.len_raw")
    total = values.astype(np.int64)
    at = slice(None) if rows is None else rows
    return {"ip.len": Column(np.where(total == 0, (h.wire - h.start)[at], total), rows)}


DERIVED = (((Field("ip.len", u32, "Total length", "bytes, header included; where 0 was sent, what there is"),), _length),)
