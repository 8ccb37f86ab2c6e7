"""Bidirectional Forwarding Detection: two routers check, many times a second, that the path between them works.

RFC 5880 §4; over several hops RFC 5883, on the members of a bundle RFC 7130, seamless RFC 7881. Version 0 is that of the drafts.
"""

import numpy as np

from ..fields import Column, Field, Headers, Layout, Protocol, bits, flag, raw, text, u8, u32
from .common.parts import Parts

DIAG = {
    0: "no diagnostic",
    1: "detection time expired",
    2: "echo failed",
    3: "neighbor signaled session down",
    4: "forwarding plane reset",
    5: "path down",
    6: "concatenated path down",
    7: "administratively down",
    8: "reverse concatenated path down",
    9: "mis-connectivity defect",
}
ADMIN_DOWN, DOWN, INIT, UP = range(4)
STATE = {ADMIN_DOWN: "administratively down", DOWN: "down", INIT: "init", UP: "up"}
PASSWORD, *DIGESTS = range(1, 6)
AUTH = {1: "password", 2: "keyed MD5", 3: "meticulous keyed MD5", 4: "keyed SHA1", 5: "meticulous keyed SHA1"}
HEADER = Layout(
    Field("bfd.version", bits(3), "Version"),
    Field("bfd.diag", bits(5), "Diagnostic", "why the session went down last", hex=2, value_names=DIAG),
    Field("bfd.flags", u8, "State and flags", hex=2),
    Field("bfd.detect_time_multiplier", u8, "Detection multiplier", "so many of the peer's intervals without a packet: down"),
    Field("bfd.message_length", u8, "Length", "bytes"),
    Field("bfd.my_discriminator", u32, "My discriminator", "the sender's number of the session", hex=8),
    Field("bfd.your_discriminator", u32, "Your discriminator", "the receiver's; 0: not known yet", hex=8),
    Field("bfd.desired_min_tx_interval", u32, "Interval wished for sending", "µs"),
    Field("bfd.required_min_rx_interval", u32, "Interval needed for receiving", "µs; 0: wants nothing"),
    Field("bfd.required_min_echo_interval", u32, "Interval needed for echoes", "µs; 0: takes none"),
)
DEMAND = Field("bfd.flags.d", flag, "Demand", "packets stop while both are sure")
POLL = Field("bfd.flags.p", flag, "Poll", "wants a packet with Final at once")
FINAL = Field("bfd.flags.f", flag, "Final", "answers a Poll")
INDEPENDENT = Field("bfd.flags.c", flag, "Independent of the control plane", "goes on while the rest restarts")
HAS_AUTH = Field("bfd.flags.a", flag, "Authentication present")
FLAGS = Layout(
    Field("bfd.sta", bits(2), "State", "of the session, as the sender sees it", hex=2, value_names=STATE),
    *(POLL, FINAL, INDEPENDENT, HAS_AUTH, DEMAND),
    Field("bfd.flags.m", flag, "Multipoint"),
)
FLAGS_V0 = Layout(
    Field("bfd.flags.h", flag, "I hear you", "version 0: stands for the state"),
    *(DEMAND, POLL, FINAL, INDEPENDENT, HAS_AUTH),
    Field("rest", bits(2), ""),
)
SECTION = Layout(
    Field("bfd.auth.type", u8, "Authentication", value_names=AUTH),
    Field("bfd.auth.len", u8, "Authentication length", "bytes, type included"),
)
KEY = Layout(Field("bfd.auth.key", u8, "Key number"))
DIGEST = Layout(Field("reserved", u8, ""), Field("bfd.auth.seq_num", u32, "Sequence number", "against replay", hex=8))


def check(h: Headers) -> None:
    length, room = h["bfd.message_length"].astype(np.int64), h.wire - h.start
    h.fault(h.whole & (length < HEADER.size), "bfd.message_length", "is {had}, less than the {needed} of a packet", HEADER.size, length)
    beyond = h.whole & (length > room) & ~h.quoted
    h.fault(beyond, "bfd.message_length", "says {needed} bytes, there are {had}", length, room, h.start + 3)


def _derived(h: Headers) -> dict[str, Column]:
    parts = Parts(h, FIELDS)
    version = h["bfd.version"]
    authenticated = np.zeros(len(h), bool)
    for layout, rows in ((FLAGS, np.flatnonzero(h.whole & (version > 0))), (FLAGS_V0, np.flatnonzero(h.whole & (version == 0)))):
        authenticated[rows] = parts.read(layout, rows, h.start[rows] + 1)["bfd.flags.a"]
    rows = np.flatnonzero(authenticated)
    at = h.start[rows] + HEADER.size
    end = np.minimum(h.start[rows] + h["bfd.message_length"][rows], h.wire[rows])
    section = parts.read(SECTION, rows, at, end)
    kind = section["bfd.auth.type"]
    end = np.minimum(at + section["bfd.auth.len"], end)
    at = at + SECTION.size
    known = np.isin(kind, list(AUTH))
    parts.read(KEY, rows[known], at[known], end[known])
    simple, digest = kind == PASSWORD, np.isin(kind, DIGESTS)
    parts.text("bfd.auth.password", rows[simple], at[simple] + KEY.size, end[simple])
    parts.read(DIGEST, rows[digest], at[digest] + KEY.size, end[digest])
    parts.bytes("bfd.checksum", rows[digest], at[digest] + KEY.size + DIGEST.size, end[digest])
    return dict(parts.columns())


FIELDS = (
    *FLAGS.fields,
    FLAGS_V0.fields[0],
    *SECTION.fields,
    *KEY.fields,
    Field("bfd.auth.password", text, "Password"),
    DIGEST.fields[1],
    Field("bfd.checksum", raw, "Digest", "of the packet and the secret key"),
)


PROTOCOL = Protocol(
    "bfd",
    "BFD",
    __doc__,
    header=HEADER,
    on={"udp.port": (3784, 4784, 6784, 7784)},
    info="session[ {bfd.sta:words}], {bfd.diag:words}[?bfd.flags.p:, poll{bfd.flags.p:mark}][?bfd.flags.f:, final{bfd.flags.f:mark}]",
    check=check,
    derived=((FIELDS, _derived),),
)
