"""Layer Two Tunneling Protocol. RFC 2661 §3.1 and §4 (version 2, PPP in UDP); RFC 3931 §3.2, §4.1 and §5 (version 3, UDP or IP)."""

import numpy as np

from ..fields import Column, Field, Headers, Layout, Payload, Protocol, Reading, bits, flag, ipv4, text, u8, u16, u32
from .common.tlv import Options, items

MESSAGE = {1: "start connection request", 2: "start connection reply", 3: "start connection connected", 4: "stop connection",
           6: "hello", 7: "outgoing call request", 8: "outgoing call reply", 9: "outgoing call connected", 10: "incoming call request",
           11: "incoming call reply", 12: "incoming call connected", 14: "call disconnect", 15: "WAN error", 16: "set link info",
           18: "modem status", 20: "explicit acknowledgment"}  # fmt: skip
AVP = {0: "message type", 1: "result code", 2: "protocol version", 3: "framing capabilities", 4: "bearer capabilities", 5: "tie breaker",
       6: "firmware revision", 7: "host name", 8: "vendor name", 9: "assigned tunnel", 10: "receive window", 11: "challenge",
       12: "cause", 13: "challenge response", 14: "assigned session", 15: "call serial number", 16: "minimum speed",
       17: "maximum speed", 18: "bearer type", 19: "framing type", 21: "called number", 22: "calling number", 23: "sub-address",
       24: "transmit speed", 25: "physical channel", 26: "first LCP received", 27: "last LCP sent", 28: "last LCP received",
       29: "proxy authentication", 30: "proxy name", 31: "proxy challenge", 32: "proxy identifier", 33: "proxy response",
       34: "call errors", 35: "ACCM", 36: "random vector", 37: "private group", 38: "receive speed", 39: "sequencing required",
       58: "extended vendor", 59: "message digest", 60: "router", 61: "assigned control connection", 62: "pseudowires known",
       63: "local session", 64: "remote session", 65: "assigned cookie", 66: "remote end", 68: "pseudowire", 69: "sublayer",
       70: "data sequencing", 71: "circuit status", 72: "preferred language", 73: "nonce"}  # fmt: skip
PSEUDOWIRE = {1: "frame relay", 4: "Ethernet VLAN", 5: "Ethernet", 6: "HDLC", 7: "PPP", 11: "IP"}
HEADER = Layout()
FLAGS = Layout(
    Field("l2tp.flags", u16, "Flags", hex=4, parts=(
        Field("l2tp.type", flag, "Control message", "else data"),
        Field("l2tp.length_bit", flag, "Length is there"),
        Field("reserved", bits(2), ""),
        Field("l2tp.seq_bit", flag, "Sequence numbers are there"),
        Field("reserved", bits(1), ""),
        Field("l2tp.offset_bit", flag, "Offset is there"),
        Field("l2tp.priority", flag, "Priority"),
        Field("reserved", bits(4), ""),
        Field("l2tp.version", bits(4), "Version", "2 or 3"),
    )),
)  # fmt: skip
LENGTH = Layout(Field("l2tp.length", u16, "Length", "bytes of the message"))
TUNNEL = Layout(
    Field("l2tp.tunnel", u16, "Tunnel", "chosen by the receiver"), Field("l2tp.session", u16, "Session", "chosen by the receiver")
)
SESSION = Layout(Field("l2tp.sid", u32, "Session", "of version 3; the 0 that begins control messages over IP is not shown", hex=8))
CONNECTION = Layout(Field("l2tp.ccid", u32, "Control connection", "of version 3", hex=8))
NUMBERS = Layout(Field("l2tp.Ns", u16, "Sequence number"), Field("l2tp.Nr", u16, "Next expected from the other"))
OFFSET = Layout(Field("l2tp.offset", u16, "Offset", "bytes of padding"))
ATTRIBUTE = Layout(
    Field("l2tp.avp.mandatory", flag, "Mandatory", "who does not know it ends the connection"),
    Field("l2tp.avp.hidden", flag, "Hidden", "its value is enciphered"),
    Field("reserved", bits(4), ""),
    Field("l2tp.avp.length", bits(10), "Attribute length", "bytes, header included"),
    Field("l2tp.avp.vendor_id", u16, "Vendor", "0: a standard's"),
    Field("l2tp.avp.type", u16, "Attribute", value_names=AVP),
    many=True,
)
VALUES = {  # of attributes of the standards
    0: Layout(Field("l2tp.avp.message_type", u16, "Message", value_names=MESSAGE), many=True),
    1: Layout(Field("l2tp.result_code", u16, "Result"), Field("l2tp.avp.error_code", u16, "Error"), many=True),
    2: Layout(Field("l2tp.avp.protocol_version", u8, "Protocol version"), Field("l2tp.avp.protocol_revision", u8, "Revision"), many=True),
    6: Layout(Field("l2tp.avp.firmware_revision", u16, "Firmware"), many=True),
    9: Layout(Field("l2tp.avp.assigned_tunnel_id", u16, "Assigned tunnel", "to be used when sending to this end"), many=True),
    10: Layout(Field("l2tp.avp.receive_window_size", u16, "Receive window", "messages"), many=True),
    14: Layout(Field("l2tp.avp.assigned_session_id", u16, "Assigned session"), many=True),
    15: Layout(Field("l2tp.avp.call_serial_number", u32, "Call's serial number"), many=True),
    24: Layout(Field("l2tp.avp.connect_speed", u32, "Speed of the connection", "bit/s"), many=True),
    38: Layout(Field("l2tp.avp.rx_connect_speed", u32, "Receive speed", "bit/s"), many=True),
    60: Layout(Field("l2tp.avp.router_id", ipv4, "Router"), many=True),
    61: Layout(Field("l2tp.avp.assigned_control_conn_id", u32, "Assigned control connection"), many=True),
    63: Layout(Field("l2tp.avp.local_session_id", u32, "Local session"), many=True),
    64: Layout(Field("l2tp.avp.remote_session_id", u32, "Remote session"), many=True),
    68: Layout(Field("l2tp.avp.pseudowire_type", u16, "Pseudowire", value_names=PSEUDOWIRE), many=True),
}
NAMES = {
    7: Field("l2tp.avp.host_name", text, "Host name", many=True),
    8: Field("l2tp.avp.vendor_name", text, "Vendor name", many=True),
    21: Field("l2tp.avp.called_number", text, "Called number", many=True),
    22: Field("l2tp.avp.calling_number", text, "Calling number", many=True),
    66: Field("l2tp.avp.remote_end_id", text, "Remote end", many=True),
}
VERSION2, VERSION3 = 2, 3
LENGTH_MASK = 1023  # an attribute's ten bits of length


def probe_port(r: Reading) -> np.ndarray:
    """One of the versions that run over UDP."""
    return np.isin(Reading(FLAGS, r.buffer, r.start, r.end)["l2tp.version"], (VERSION2, VERSION3))


class _Message:
    """Flags of the messages, and offsets of their fields. Arrays of shape (n,); over IP all is version 3, and data has no flags."""

    def __init__(self, h: Headers) -> None:
        self.over_ip = h.parent is not None and h.parent.protocol.name != "udp"
        word = Reading(SESSION, h.buffer, h.start, h.end)
        self.has_flags = word["l2tp.sid"] == 0 if self.over_ip else np.ones(len(h), bool)
        self.at = h.start + 4 * (self.has_flags & self.over_ip)  # offset of the flags
        flags = Reading(FLAGS, h.buffer, self.at, h.end)
        self.version3 = np.where(self.has_flags, flags["l2tp.version"] == VERSION3, True)
        self.control = self.has_flags & flags["l2tp.type"]
        self.has_length = self.has_flags & (flags["l2tp.length_bit"] | (self.control & self.version3))
        self.has_numbers = self.has_flags & np.where(self.version3, self.control, flags["l2tp.seq_bit"] | self.control)
        self.has_offset = ~self.version3 & flags["l2tp.offset_bit"] & ~self.control
        at = self.at + FLAGS.size
        self.length = at
        at = at + 2 * self.has_length
        self.ids = np.where(self.version3 & ~self.control, h.start if self.over_ip else self.at + 4, at)
        self.numbers = self.ids + 4
        self.offset = self.numbers + 4 * self.has_numbers
        skip = Reading(OFFSET, h.buffer, self.offset, h.end)["l2tp.offset"].astype(np.int64)
        self.payload = self.offset + np.where(self.has_offset, 2 + skip, 0)
        total = Reading(LENGTH, h.buffer, self.length, h.end)["l2tp.length"].astype(np.int64)
        self.end = np.where(self.has_length, self.at + total, h.wire)


def _attributes(h: Headers, m: _Message) -> Options:
    return items(h, m.payload, np.where(m.control, np.minimum(m.end, h.wire), m.payload), head=0, least=ATTRIBUTE.size, mask=LENGTH_MASK)


def contents(h: Headers):
    m = _Message(h)
    needs = m.payload - h.start
    h.fault((m.payload > h.wire) & ~h.quoted, "", "needs {needed} bytes, has {had}", needs, h.wire - h.start)
    beyond = (m.end > h.wire) & (m.payload <= h.wire)
    h.fault(beyond & ~h.quoted, "l2tp.length", "says {needed} bytes, there are {had}", m.end - m.at, h.wire - m.at, m.length)
    if m.control.any():
        bad = _attributes(h, m).bad
        h.fault((bad >= 0) & ~h.quoted & (h.wire <= h.end), "l2tp.avp.length", "an attribute does not fit into the message", at=bad)
    yield Payload("ppp", 0, m.payload, m.end, np.flatnonzero(~m.version3 & ~m.control))
    yield Payload("l2tp", VERSION3, m.payload, m.end, np.flatnonzero(m.version3 & ~m.control))


def _derived(h: Headers) -> dict[str, Column]:
    m = _Message(h)
    columns = {}
    for layout, mask, place in (
        (FLAGS, m.has_flags, m.at),
        (LENGTH, m.has_length, m.length),
        (TUNNEL, ~m.version3, m.ids),
        (SESSION, m.version3 & ~m.control, m.ids),
        (CONNECTION, m.version3 & m.control, m.ids),
        (NUMBERS, m.has_numbers, m.numbers),
        (OFFSET, m.has_offset, m.offset),
    ):
        rows = np.flatnonzero(mask)
        reading = Reading(layout, h.buffer, place[rows], h.end[rows], rows)
        columns.update({f.name: reading.column(f.name) for f in layout.all() if f.label})
    for name in ("l2tp.offset_bit", "l2tp.priority"):
        values, own = columns[name]
        assert own is not None
        version2 = ~m.version3[own] & (m.at[own] + FLAGS.size <= h.end[own])  # version 2, if the capture has the word with the version
        columns[name] = Column(values[version2], own[version2])
    row, at, size, _, _ = _attributes(h, m)
    fits = np.flatnonzero(size > 0)
    row, at, size = row[fits], at[fits], size[fits]
    reading = Reading(ATTRIBUTE, h.buffer, at, at + size, row)
    columns.update({f.name: reading.column(f.name) for f in ATTRIBUTE.fields if f.label})
    plain = (reading["l2tp.avp.vendor_id"] == 0) & ~reading["l2tp.avp.hidden"]
    start, end, kind = at + ATTRIBUTE.size, at + size, reading["l2tp.avp.type"]
    for number, layout in VALUES.items():
        pick = np.flatnonzero(plain & (kind == number))
        value = Reading(layout, h.buffer, start[pick], end[pick], row[pick])
        columns.update({f.name: value.column(f.name) for f in layout.fields})
    for number, f in NAMES.items():
        pick = np.flatnonzero(plain & (kind == number))
        names = [h.buffer[a:b].tobytes().decode("utf-8", "replace") for a, b in zip(start[pick], end[pick], strict=True)]
        columns[f.name] = Column(np.array(names, object), row[pick])
    return columns


LAYOUTS = (FLAGS, LENGTH, TUNNEL, SESSION, CONNECTION, NUMBERS, OFFSET, ATTRIBUTE, *VALUES.values())


PROTOCOL = Protocol(
    "l2tp",
    "L2TP",
    __doc__,
    header=HEADER,
    on={"udp.port": 1701, "ipproto": 115},
    network_id="l2tp.session",
    info="[tunnel {l2tp.tunnel}][, session {l2tp.session}][control connection {l2tp.ccid}][session {l2tp.sid}]"
    "[: {l2tp.avp.message_type:words}][, host {l2tp.avp.host_name}]",
    contents=contents,
    probe_port=probe_port,
    derived=(((*(f for layout in LAYOUTS for f in layout.all() if f.label), *NAMES.values()), _derived),),
)
