"""Network Time Protocol. RFC 5905 (version 4), RFC 1305 (version 3, control messages), RFC 9327 (control), RFC 7822 (extensions)."""

import numpy as np

from ..fields import Column, Field, Headers, Layout, Protocol, bits, date, flag, raw, seconds, u8, u16, u32, u64
from .common.parts import Parts, misfits, needs, peek

LEAP = {0: "no warning", 1: "last minute has 61 seconds", 2: "last minute has 59 seconds", 3: "not synchronized"}
CONTROL, PRIVATE, CLIENT, SERVER = 6, 7, 3, 4
MODE = {
    0: "reserved",
    1: "symmetric active",
    2: "symmetric passive",
    CLIENT: "client",
    SERVER: "server",
    5: "broadcast",
    CONTROL: "control",
    PRIVATE: "private",
}
OPCODE = {1: "read status", 2: "read variables", 3: "write variables", 4: "read clock variables", 5: "write clock variables",
          6: "set trap", 7: "trap", 8: "configure", 9: "save configuration", 10: "read most recent", 11: "read ordered list",
          12: "request nonce", 31: "unset trap"}  # fmt: skip
HEADER = Layout(Field("ntp.flags", u8, "Flags", "leap indicator, version, mode", hex=2))
VERSION = Layout(
    Field("", bits(2), ""), Field("ntp.flags.vn", bits(3), "Version"), Field("ntp.flags.mode", bits(3), "Mode", value_names=MODE)
)
WARNING = Layout(Field("ntp.flags.li", bits(2), "Leap indicator", value_names=LEAP), Field("", bits(6), ""))
CLOCK = Layout(
    Field("before", u8, ""),
    Field("ntp.stratum", u8, "Stratum", "1: has a reference clock, 2 … 15: distance to one; 0: kiss-o'-death, RFC 5905 §7.4"),
    Field("ntp.ppoll", u8, "Poll interval", "logarithm of seconds"),
    Field("ntp.precision", u8, "Precision", "logarithm of seconds, signed: 232 is 2⁻²⁴ s"),
    Field("ntp.rootdelay", u32, "Root delay", "2⁻¹⁶ s, round trip to the reference clock"),
    Field("ntp.rootdispersion", u32, "Root dispersion", "2⁻¹⁶ s"),
    Field("refid", u32, ""),
    Field("reftime", u64, ""),
    Field("org", u64, ""),
    Field("rec", u64, ""),
    Field("xmt", u64, ""),
)
REFID_AT = 12
STAMPS = ("reftime", "org", "rec", "xmt")
CONTROLS = Layout(
    Field("before", u8, ""),
    Field("ntp.ctrl.flags2", u8, "Control flags", hex=2, parts=(
        Field("ntp.ctrl.flags2.r", flag, "Response"),
        Field("ntp.ctrl.flags2.error", flag, "Error"),
        Field("ntp.ctrl.flags2.more", flag, "More", "more fragments follow"),
        Field("ntp.ctrl.flags2.opcode", bits(5), "Operation", value_names=OPCODE),
    )),
    Field("ntp.ctrl.sequence", u16, "Sequence number"),
    Field("ntp.ctrl.status", u16, "Status", hex=4),
    Field("ntp.ctrl.associd", u16, "Association", "0: the system itself"),
    Field("ntp.ctrl.offset", u16, "Offset", "of this data in the whole response, bytes"),
    Field("ntp.ctrl.count", u16, "Count", "bytes of data"),
)  # fmt: skip
PRIVATES = Layout(
    Field("ntp.priv.flags.r", flag, "Private response"),
    Field("ntp.priv.flags.more", flag, "Private more"),
    Field("", bits(6), ""),
    Field("ntp.priv.auth", flag, "Authenticated"),
    Field("ntp.priv.seq", bits(7), "Private sequence number"),
    Field("ntp.priv.impl", u8, "Implementation", value_names={0: "universal", 2: "xntpd, before IPv6", 3: "xntpd"}),
    Field(
        "ntp.priv.reqcode",
        u8,
        "Request",
        "42: the list of clients, used to flood victims",
        value_names={0: "peers", 4: "system", 42: "clients"},
    ),
)
EXTENSION = Layout(
    Field("ntp.ext.type", u16, "Extension", hex=4, many=True),
    Field("ntp.ext.length", u16, "Extension length", "bytes, these four included", many=True),
)
LEAST = 16  # bytes of an extension, RFC 7822 §7.5
LONGEST = 24  # bytes of a key ID and MAC after the extensions, RFC 7822 §7.5.1.1
MOST = 64  # extensions of a message that are read
KEY = 4
TO_1970 = 2_208_988_800  # seconds from 1900 on
ERA = 1 << 32  # seconds until the number wraps, in 2036


def check(h: Headers) -> None:
    mode = h["ntp.flags"] & 7
    needs(h, np.select([mode == CONTROL, mode == PRIVATE], [CONTROLS.size, PRIVATES.size], CLOCK.size))
    h.column("ntp.ext.type")


def nanoseconds(stamp: np.ndarray) -> np.ndarray:
    """NTP's timestamps (uint64: seconds since 1900, and a fraction) as ns since 1970 (int64).

    RFC 4330 §3: with the first bit they count from 1900, without it from 2036 on.
    """
    second, part = (stamp >> np.uint64(32)).astype(np.int64), (stamp & np.uint64(0xFFFFFFFF)).astype(np.int64)
    second = np.where(second & 1 << 31, second, second + ERA) - TO_1970
    return second * 10**9 + (part * 10**9 >> 32)


def _derived(h: Headers) -> dict[str, Column]:
    parts = Parts(h, FIELDS)
    rows = np.flatnonzero(h.whole)
    mode = parts.read(VERSION, rows, h.start[rows])["ntp.flags.mode"]
    with_leap = rows[mode != PRIVATE]
    parts.read(WARNING, with_leap, h.start[with_leap])
    control, private, clock = (rows[mask] for mask in (mode == CONTROL, mode == PRIVATE, (mode != CONTROL) & (mode != PRIVATE)))
    count = parts.read(CONTROLS, control, h.start[control])["ntp.ctrl.count"].astype(np.int64)
    data_start = h.start[control] + CONTROLS.size
    beyond = _beyond(h, control, data_start + count)
    h.fault(beyond, "ntp.ctrl.count", "says more bytes of data than there are", at=h.start + CONTROLS.size - 2)
    parts.bytes("ntp.ctrl.data", control, data_start, np.minimum(data_start + count, h.end[control]))
    parts.read(PRIVATES, private, h.start[private])
    reading = parts.read(CLOCK, clock, h.start[clock])
    parts.bytes("ntp.refid", clock, h.start[clock] + REFID_AT, h.start[clock] + REFID_AT + 4)
    for name in STAMPS:
        place = CLOCK.places[name]
        there = np.flatnonzero((reading.trusted >= place.behind) & (reading[name] > 0))  # 0: not known, RFC 5905 §6
        parts.put(f"ntp.{name}", nanoseconds(reading[name][there]), clock[there], reading.start[there] + place.offset)
    _extensions(parts, clock)
    return dict(parts.columns())


def _beyond(h: Headers, rows: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Which headers claim more bytes than there were on the wire, bool."""
    result = np.zeros(len(h), bool)
    result[rows] = (end > h.wire[rows]) & ~h.quoted[rows]
    return result


def _extensions(parts: Parts, rows: np.ndarray) -> None:
    """Extensions, then a key ID with the message authentication code."""
    h = parts.h
    at, end = h.start[rows] + CLOCK.size, np.minimum(h.wire, h.end)[rows]
    bad = np.full(len(h), -1, np.int64)
    pending = np.arange(len(rows))
    for _ in range(MOST):
        pending = pending[end[pending] - at[pending] > LONGEST]
        if not len(pending):
            break
        length = peek(h, EXTENSION, rows[pending], at[pending], end[pending])["ntp.ext.length"].astype(np.int64)
        fits = (length >= LEAST) & (at[pending] + length <= end[pending])
        bad[rows[pending[~fits]]] = at[pending[~fits]]
        at[pending[~fits]] = end[pending[~fits]]
        pending, length = pending[fits], length[fits]
        own, start = rows[pending], at[pending]
        parts.read(EXTENSION, own, start)
        parts.bytes("ntp.ext.value", own, start + EXTENSION.size, start + length)
        at[pending] += length
    misfits(h, bad, "ntp.ext.type", "does not fit into the message")
    signed = np.flatnonzero((end - at >= KEY) & (end - at <= LONGEST))
    parts.bytes("ntp.keyid", rows[signed], at[signed], at[signed] + KEY)
    parts.bytes("ntp.mac", rows[signed], at[signed] + KEY, end[signed])


FIELDS = (
    VERSION.fields[1],
    VERSION.fields[2],
    WARNING.fields[0],
    *(f for f in CLOCK.fields if f.label),
    Field("ntp.refid", raw, "Reference", "stratum 1: four letters; above: IPv4 address of the server's own server, or a digest"),
    Field("ntp.reftime", date, "Reference time", "when the clock was last set"),
    Field("ntp.org", date, "Origin time", "when the request left the client, by its clock: copied by the server"),
    Field("ntp.rec", date, "Receive time", "when the request reached the server"),
    Field("ntp.xmt", date, "Transmit time", "when this message left"),
    *(f for f in CONTROLS.all() if f.label),
    Field("ntp.ctrl.data", raw, "Control data"),
    *(f for f in PRIVATES.fields if f.label),
    *EXTENSION.fields,
    Field("ntp.ext.value", raw, "Extension value", many=True),
    Field("ntp.keyid", raw, "Key", "number of the key of the message authentication code"),
    Field("ntp.mac", raw, "Message authentication code"),
)
MATCHED = (  # by correlators/ntp_matching.py
    Field("ntp.request_in", u64, "Request in", "frame of the client's request"),
    Field("ntp.delta_time", seconds, "Time since the request"),
    Field("ntp.judged.offset", seconds, "Offset", "server's clock minus the capture's: RFC 5905 §8, with the times of both frames"),
    Field(
        "ntp.judged.delay", seconds, "Delay", "round trip between the point of capture and the server, without the server's processing time"
    ),
)

PROTOCOL = Protocol(
    "NTP",
    header=HEADER,
    on={"udp.port": 123},
    info="version {ntp.flags.vn}, {ntp.flags.mode:words}[, stratum {ntp.stratum}][, {ntp.ctrl.flags2.opcode:words}]"
    "[, request {ntp.priv.reqcode}]",
    check=check,
    derived=((FIELDS, _derived),),
    external_fields=MATCHED,
)
