"""Internet Protocol version 4. RFC 791 §3.1, https://www.rfc-editor.org/rfc/rfc791#section-3.1"""

import numpy as np

from ..fields import Field, Headers, Layout, Payload, bits, flag, ipv4, u8, u16
from ._words import DSCP, ECN, IPPROTO

LABEL = "IPv4"
HEADER = Layout(
    Field("ip.version", bits(4), "Version", "always 4"),
    Field("ip.hdr_len", bits(4), "Header length", "bytes; 20 when there are no options", times=4),
    Field("ip.dsfield", u8, "Differentiated services", "RFC 2474", hex=2, parts=(
        Field("ip.dsfield.dscp", bits(6), "Codepoint", words=DSCP),
        Field("ip.dsfield.ecn", bits(2), "Congestion notification", "RFC 3168", words=ECN),
    )),
    Field("ip.len", u16, "Total length", "bytes, header included; 0 where the network card was to cut the segment later"),
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
ON = {"ethertype": 0x0800, "ipversion": 4, "ipproto": (4, 94)}
ADDRESSES = ("ip.src", "ip.dst")
EITHER = {"ip.addr": ADDRESSES}
INFO = "{ip.proto:words}, id {ip.id}, length {ip.len}"


def contents(h: Headers):
    size, total = h["ip.hdr_len"], h["ip.len"].astype(np.int64)
    h.fault(h.whole & (size < HEADER.size), "ip.hdr_len", "is {had}, less than the {needed} of the shortest header", HEADER.size, size)
    offloaded = total == 0
    total = np.where(offloaded, h.wire - h.start, total)
    h.fault(h.whole & (total < size), "ip.len", "is {had}, less than the header's {needed} bytes", size, total)
    end = h.start + total
    beyond = h.whole & (end > h.wire) & ~h.quoted
    h.fault(beyond, "ip.len", "says {needed} bytes, the frame has {had}", total, h.wire - h.start, h.start + 2)
    end = np.minimum(end, h.wire)
    h.claims(np.where(h.whole, end, h.wire))
    start = h.start + size
    # A piece shows its bytes as data: what it is a piece of is whole only later. A first piece that
    # the capture cut can never become whole, so what there is of it is read.
    piece = (h["ip.frag_offset"] > 0) | (h["ip.flags.mf"] & (end <= h.end))
    if piece.any():
        yield Payload("fragment", h["ip.proto"], start, end, np.flatnonzero(piece))
        yield Payload("ipproto", h["ip.proto"], start, end, np.flatnonzero(~piece))
    else:
        yield Payload("ipproto", h["ip.proto"], start, end)
