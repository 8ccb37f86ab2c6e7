"""Internet Protocol version 4. RFC 791 §3.1, https://www.rfc-editor.org/rfc/rfc791#section-3.1"""

import numpy as np

from ..fields import Column, Field, Fragment, Headers, Layout, Payload, Protocol, Reading, bits, flag, ipv4, u8, u16, u32
from .common import checksums, fragment_fields
from .common.registries import DSCP, ECN, IPPROTO
from .common.tlv import repeated, walk

HEADER = Layout(
    Field("ip.version", bits(4), "Version", "4; 6 in an IPv6 header"),
    Field("ip.hdr_len", bits(4), "Header length", "bytes; 20 when there are no options", scale=4),
    Field("ip.dsfield", u8, "Differentiated services", "RFC 2474", hex=2, parts=(
        Field("ip.dsfield.dscp", bits(6), "Codepoint", value_names=DSCP),
        Field("ip.dsfield.ecn", bits(2), "Congestion notification", "RFC 3168", value_names=ECN),
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
    Field("ip.proto", u8, "Protocol", "what the datagram carries", value_names=IPPROTO),
    Field("ip.checksum", u16, "Header checksum", "RFC 1071", hex=4),
    Field("ip.src", ipv4, "Source"),
    Field("ip.dst", ipv4, "Destination"),
)  # fmt: skip
ADDRESSES = ("ip.src", "ip.dst")


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
    if (size > HEADER.size).any():
        h.column("ip.opt.type")  # reports misfits even if no table needs the options
    end = np.minimum(declared, h.wire)
    h.set_payload_end(np.where(h.whole, end, h.wire))
    start = h.start + size
    # A first fragment that the capture cut can never be reassembled, so its payload is dissected at once.
    fragment = (h["ip.frag_offset"] > 0) | (h["ip.flags.mf"] & (declared <= h.end))
    if fragment.any():
        rows = np.flatnonzero(fragment)
        proto, offset = h["ip.proto"], h["ip.frag_offset"].astype(np.int64) * 8
        fragment_fields.check(h, rows, "ip.frag_offset", offset, end - start)
        place = Fragment(h["ip.id"].astype(np.int64) << 8 | proto, offset, h["ip.flags.mf"])
        yield Payload("ipproto", proto, start, end, rows, fragment=place)
        yield Payload("ipproto", proto, start, end, np.flatnonzero(~fragment))
    else:
        yield Payload("ipproto", h["ip.proto"], start, end)


def _length(h: Headers) -> dict[str, Column]:
    values, rows = h.column("ip.len_raw")
    total = values.astype(np.int64)
    at = slice(None) if rows is None else rows
    return {"ip.len": Column(np.where(total == 0, (h.wire - h.start)[at], total), rows)}


def _status(h: Headers) -> dict[str, Column]:
    rows = np.flatnonzero(h.trusted == HEADER.size)
    if not h.checksums:
        return {"ip.checksum.status": Column(np.full(len(rows), checksums.UNVERIFIED, np.uint8), rows)}
    return {"ip.checksum.status": Column(checksums.status(h, (h.start + h["ip.hdr_len"])[rows], None, rows), rows)}


# ---------------------------------------------------------------- options, RFC 791 §3.1

END, NOP, RECORD, TIMESTAMP, LOOSE, STRICT, ALERT = 0, 1, 7, 68, 131, 137, 148
OPTION = {
    END: "end of options",
    NOP: "no operation",
    RECORD: "record route",
    TIMESTAMP: "timestamp",
    130: "security",
    LOOSE: "loose source route",
    134: "commercial security",
    136: "stream identifier",
    STRICT: "strict source route",
    ALERT: "router alert",
}
WITH_POINTER = (RECORD, TIMESTAMP, LOOSE, STRICT)
ADDRESS, WORD, SHORT = Layout(Field("address", ipv4, "")), Layout(Field("word", u32, "")), Layout(Field("short", u16, ""))
OPTION_FIELDS = (
    Field("ip.opt.type", u8, "Option", value_names=OPTION, many=True),
    Field("ip.opt.len", u8, "Option length", "bytes, type and length included", many=True),
    Field("ip.opt.ptr", u8, "Pointer", "byte of the option, from 1, at which the next router writes", many=True),
    Field("ip.cur_rt", ipv4, "Current stop", "of a source route that has not ended: where this datagram is sent"),
    Field("ip.rec_rt", ipv4, "Recorded route", "addresses written so far", many=True),
    Field("ip.src_rt", ipv4, "Source route", "stops still to visit, but for the last", many=True),
    Field("ip.src_rt_end", ipv4, "End of the source route", "where the datagram goes after these stops"),
    Field("ip.empty_rt", ipv4, "Empty slot", "room for more addresses", many=True),
    Field("ip.opt.flag", u8, "Timestamp flag", value_names={0: "times", 1: "addresses and times", 3: "times of given addresses"}, hex=2),
    Field("ip.opt.overflow", u8, "Overflow", "routers that found no room for their time"),
    Field("ip.opt.time_stamp", u32, "Timestamp", "ms since midnight UTC", many=True),
    Field("ip.opt.time_stamp_addr", ipv4, "Address of a timestamp", many=True),
    Field("ip.opt.ra", u16, "Router alert", "0: every router looks at the packet, RFC 2113"),
)


def _options(h: Headers) -> dict[str, Column]:
    start = h.start + HEADER.size
    end = np.where(h.whole, h.start + h["ip.hdr_len"], start)
    options = walk(h, start, end, (END, NOP), (END,))
    h.fault((options.bad >= 0) & ~h.quoted & (end <= h.end), "ip.opt.type", "does not fit into the header", at=options.bad)
    row, at, size, kind, _ = options
    long = np.flatnonzero((kind > NOP) & (size > 0))
    fits = size > 0
    columns = {"ip.opt.type": Column(kind[fits], row[fits]), "ip.opt.len": Column(h.buffer[at[long] + 1], row[long])}
    pointed = np.flatnonzero(np.isin(kind, WITH_POINTER) & (size >= 3))
    columns["ip.opt.ptr"] = Column(h.buffer[at[pointed] + 2], row[pointed])
    # Slots of four bytes after type, length and pointer; those before the pointer are recorded or visited.
    routes = np.flatnonzero(np.isin(kind, (RECORD, LOOSE, STRICT)) & (size >= 3))
    option, place = _slots(at[routes] + 3, (size[routes] - 3) // 4)
    owner, pointer = routes[option], h.buffer[at[routes] + 2].astype(np.int64)[option]
    address = Reading(ADDRESS, h.buffer, place, place + 4)["address"]
    written = place - at[owner] + 1 < pointer
    source = kind[owner] != RECORD
    last = np.append(option[1:] != option[:-1], True)[: len(option)]  # of a source route: the final destination
    ahead = ~written & source
    for name, mask in (
        ("ip.rec_rt", written),
        ("ip.src_rt", ahead & ~last),
        ("ip.src_rt_end", ahead & last),
        ("ip.empty_rt", ~written & ~source),
    ):
        columns[name] = Column(address[mask], row[owner][mask])
    routed = np.unique(row[owner][ahead])
    columns["ip.cur_rt"] = Column(h["ip.dst"][routed], routed)
    stamps = options.of(TIMESTAMP, 4)
    flags = h.buffer[at[stamps] + 3] & 15
    columns["ip.opt.flag"] = Column(flags, row[stamps])
    columns["ip.opt.overflow"] = Column(h.buffer[at[stamps] + 3] >> 4, row[stamps])
    paired = flags > 0
    option, place = _slots(at[stamps] + 4, (size[stamps] - 4) // np.where(paired, 8, 4), np.where(paired, 8, 4))
    time = Reading(WORD, h.buffer, place + 4 * paired[option], place + 8)["word"]
    columns["ip.opt.time_stamp"] = Column(time, row[stamps][option])
    with_address = np.flatnonzero(paired[option])
    router = Reading(ADDRESS, h.buffer, place[with_address], place[with_address] + 4)["address"]
    columns["ip.opt.time_stamp_addr"] = Column(router, row[stamps][option[with_address]])
    alert = options.of(ALERT, 4, 4)
    columns["ip.opt.ra"] = Column(Reading(SHORT, h.buffer, at[alert] + 2, at[alert] + 4)["short"], row[alert])
    return columns


def _slots(start: np.ndarray, count: np.ndarray, step: np.ndarray | int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Option (index) and offset of each slot; int64. Option i has count[i] slots from start[i], `step` bytes apart."""
    option, nth = repeated(count)
    return option, start[option] + nth * (step[option] if isinstance(step, np.ndarray) else step)


PROTOCOL = Protocol(
    "ip",
    "IPv4",
    __doc__,
    header=HEADER,
    on={
        "linktype": 228,
        "ethertype": 0x0800,
        "pppproto": 0x0021,
        "chdlc.protocol": 0x0800,
        "llc.dsap": 6,
        "ipversion": 4,
        "ipproto": (4, 94),
        "gre.proto": 0x0800,
        "vxlan.next_proto": 1,
    },
    addresses=ADDRESSES,
    aliases={"ip.addr": ADDRESSES},
    info="{ip.proto:words}, id {ip.id}, length {ip.len}",
    contents=contents,
    derived=(
        ((Field("ip.len", u32, "Total length", "bytes, header included; where 0 was sent, what there is"),), _length),
        ((checksums.status_field("ip.checksum.status"),), _status),
        (OPTION_FIELDS, _options),
    ),
    external_fields=fragment_fields.fields("ip", "ip.reassembled_in"),
)
