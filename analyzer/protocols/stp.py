"""Spanning tree: bridges agree on links to block, so that there are no loops.

IEEE 802.1D-1998 §9 (STP), 802.1Q-2018 §14 (rapid and multiple); Cisco's per VLAN (PVST+) adds the VLAN of the tree.
"""

import numpy as np

from ..fields import Column, Field, Headers, Kind, Layout, Payload, Protocol, Reading, bits, flag, mac, raw, seconds, text, u8, u16, u32
from .common.parts import Parts, needs, peek
from .common.tlv import items, repeated

VERSION = {0: "spanning tree", 2: "rapid", 3: "multiple", 4: "shortest path"}
CONFIGURATION, RAPID, TOPOLOGY_CHANGE = 0x00, 0x02, 0x80
TYPE = {CONFIGURATION: "configuration", RAPID: "rapid configuration", TOPOLOGY_CHANGE: "topology change notification"}
ROLE = {0: "unknown", 1: "alternate or backup", 2: "root", 3: "designated"}
PROTOCOL_ID = {0: "spanning tree", 1: "GARP"}
HEADER = Layout(Field("stp.protocol", u16, "Protocol", hex=4, value_names=PROTOCOL_ID))
HEAD = Layout(
    *HEADER.fields, Field("stp.version", u8, "Version", value_names=VERSION), Field("stp.type", u8, "Type", hex=2, value_names=TYPE)
)


def _bridge(name: str, label: str) -> tuple[Field, ...]:
    """A bridge identifier: the lowest becomes root."""
    return (
        Field(f"{name}.prio", bits(4), f"{label}'s priority", "the lowest becomes root", scale=4096),
        Field(f"{name}.ext", bits(12), f"{label}'s system extension", "number of the tree: a VLAN"),
        Field(f"{name}.hw", mac, f"{label}'s address"),
    )


CHANGE_SEEN = Field("stp.flags.tcack", flag, "Topology change acknowledged", many=True)
CHANGE = Field("stp.flags.tc", flag, "Topology change", "learned addresses age out soon", many=True)
OLD_FLAGS = Layout(CHANGE_SEEN, Field("rest", bits(6), ""), CHANGE)
FLAGS = Layout(
    CHANGE_SEEN,
    Field("stp.flags.agreement", flag, "Agreement", "agrees to the proposal", many=True),
    Field("stp.flags.forwarding", flag, "Forwarding", many=True),
    Field("stp.flags.learning", flag, "Learning", many=True),
    Field("stp.flags.port_role", bits(2), "Port's role", value_names=ROLE, many=True),
    Field("stp.flags.proposal", flag, "Proposal", "asks to forward at once", many=True),
    CHANGE,
)
BODY = Layout(
    Field("stp.flags", u8, "Flags", hex=2),
    *_bridge("stp.root", "Root"),
    Field("stp.root.cost", u32, "Cost to the root"),
    *_bridge("stp.bridge", "Bridge"),
    Field("stp.port", u16, "Port", "priority and number", hex=4),
)
PART = 10**9 // 256  # ns of the unit of the times
TIMES = Layout(*(Field(f"stp.{name}", Kind("part", 16, "u2"), label) for name, label in (
    ("msg_age", "Message age"), ("max_age", "Maximum age"), ("hello", "Hello time"), ("forward", "Forward delay")
)))  # fmt: skip
SECONDS = (
    Field("stp.msg_age", seconds, "Message age", "seconds since the root's message; increased by each bridge"),
    Field("stp.max_age", seconds, "Maximum age", "seconds; older messages are discarded"),
    Field("stp.hello", seconds, "Hello time", "seconds between messages"),
    Field("stp.forward", seconds, "Forward delay", "seconds of listening, and of learning"),
)
AT_TIMES = HEAD.size + BODY.size
ONE = Layout(Field("stp.version_1_length", u8, "Length of version 1's part", "0"))
AT_ONE = AT_TIMES + TIMES.size  # a configuration ends here
AT_REST = AT_ONE + ONE.size
SIZE = {CONFIGURATION: AT_ONE, RAPID: AT_REST}
VLAN = Layout(
    Field("stp.pvst.tlvtype", u16, "Item", hex=4, value_names={0: "originating VLAN"}, many=True),
    Field("stp.pvst.tlvlen", u16, "Item's length", "bytes after type and length", many=True),
    Field("stp.pvst.origvlan", u16, "Originating VLAN", many=True),
)
SNAP, NAME = 0xAA, 32

# ---------------------------------------------------------------- multiple trees, 802.1Q §14.2.4

THREE = Layout(Field("mstp.version_3_length", u16, "Length of version 3's part", "bytes"))
FOUR = Layout(Field("mstp.version_4_length", u16, "Length of version 4's part", "bytes"))
FORMAT = Layout(Field("mstp.config_format_selector", u8, "Format of the configuration's name", many=True))
REGION = Layout(Field("mstp.config_revision_level", u16, "Revision of the configuration", many=True))
DIGEST = 16
INTERNAL = Layout(
    Field("mstp.cist_internal_root_path_cost", u32, "Cost to the regional root"),
    *_bridge("mstp.cist_bridge", "Common tree's bridge"),
    Field("mstp.cist_remaining_hops", u8, "Hops left"),
)
CONFIGURED = FORMAT.size + NAME + REGION.size + DIGEST
COMMON = CONFIGURED + INTERNAL.size
INSTANCE = Layout(
    Field("mstp.msti.flags", u8, "Instance's flags", hex=2, many=True),
    Field("mstp.msti.priority", bits(4), "Instance's root's priority", hex=2, many=True),
    Field("mstp.msti.msti_id", bits(12), "Instance", many=True),
    Field("mstp.msti.root.hw", mac, "Instance's root's address", many=True),
    Field("mstp.msti.root_cost", u32, "Instance's cost to its root", many=True),
    Field("mstp.msti.bridge_priority", bits(4), "Instance's bridge priority", many=True),
    Field("", bits(4), ""),
    Field("mstp.msti.port_priority", bits(4), "Instance's port priority", many=True),
    Field("rest", bits(4), ""),
    Field("mstp.msti.remaining_hops", u8, "Instance's hops left", many=True),
)


def _room(h: Headers) -> tuple[np.ndarray, Reading]:
    """(size of each BPDU by its type, 0 if it is not spanning tree or of another type; reading of the common head)."""
    head = peek(h, HEAD, np.arange(len(h)), h.start)
    ours = (head["stp.protocol"] == 0) & (head.trusted == HEAD.size)
    return np.select([ours & (head["stp.type"] == number) for number in SIZE], list(SIZE.values()), 0), head


def contents(h: Headers):
    needs(h, np.maximum(np.where(h["stp.protocol"] == 0, HEAD.size, 0), _room(h)[0]))
    yield Payload("stp.protocol", h["stp.protocol"], h.start + 2, h.wire, np.flatnonzero(h["stp.protocol"]))


def _derived(h: Headers) -> dict[str, Column]:
    parts = Parts(h, FIELDS)
    ours = np.flatnonzero(h.whole & (h["stp.protocol"] == 0))
    parts.read(Layout(Field("protocol", u16, ""), *HEAD.fields[1:]), ours, h.start[ours])
    room, head = _room(h)
    rows = np.flatnonzero(room)
    start = h.start[rows]
    parts.read(BODY, rows, start + HEAD.size)
    times = Parts(h, TIMES.fields)
    times.read(TIMES, rows, start + AT_TIMES)
    for name, (values, of) in times.columns():
        assert of is not None
        parts.put(name, values.astype(np.int64) * PART, of, h.start[of])
    rapid = head["stp.type"][rows] == RAPID
    for layout, these in ((OLD_FLAGS, ~rapid), (FLAGS, rapid)):
        parts.read(layout, rows[these], start[these] + HEAD.size)
    rows, start = rows[rapid], start[rapid]
    parts.read(ONE, rows, start + AT_ONE)
    _multiple(h, parts, rows, head["stp.version"][rows])
    if h.parent is not None and h.parent.protocol.name == "llc":
        per_vlan = (room > 0) & (h.parent["llc.dsap"][h.row] == SNAP)
        tlvs = items(h, np.minimum(np.where(per_vlan, h.start + AT_REST, h.wire), h.wire), h.wire, head=4, least=4, place=2)
        these = np.flatnonzero(tlvs.size > 0)
        parts.read(VLAN, tlvs.row[these], tlvs.at[these], (tlvs.at + tlvs.size)[these])
    return dict(parts.columns())


def _multiple(h: Headers, parts: Parts, rows: np.ndarray, version: np.ndarray) -> None:
    """The parts of versions 3 and 4 after the BPDU of rapid spanning tree."""
    rows, version = rows[version >= 3], version[version >= 3]
    at = h.start[rows] + AT_REST
    length = parts.read(THREE, rows, at)["mstp.version_3_length"].astype(np.int64)
    at = at + THREE.size
    there = np.flatnonzero(length >= COMMON)
    rows, version, at, end = rows[there], version[there], at[there], (at + length)[there]
    _configuration(parts, rows, at)
    at = at + CONFIGURED
    parts.read(INTERNAL, rows, at)
    at = at + INTERNAL.size
    owner, nth = repeated(np.maximum(np.minimum(end, h.end[rows]) - at, 0) // INSTANCE.size)
    place = at[owner] + INSTANCE.size * nth
    parts.read(INSTANCE, rows[owner], place)
    parts.read(FLAGS, rows[owner], place)
    longer = np.flatnonzero(version >= 4)
    parts.read(FOUR, rows[longer], end[longer])
    _configuration(parts, rows[longer], end[longer] + FOUR.size)


def _configuration(parts: Parts, rows: np.ndarray, at: np.ndarray) -> None:
    """The mapping of VLANs to trees: bridges with the same one are a region."""
    parts.read(FORMAT, rows, at)
    at = at + FORMAT.size
    parts.text("mstp.config_name", rows, at, at + NAME)
    at = at + NAME
    parts.read(REGION, rows, at)
    at = at + REGION.size
    parts.bytes("mstp.config_digest", rows, at, at + DIGEST)


FIELDS = (
    *HEAD.fields[1:],
    *BODY.fields,
    *FLAGS.fields,
    *SECONDS,
    *ONE.fields,
    *VLAN.fields,
    *(f for layout in (THREE, FOUR, FORMAT, REGION, INTERNAL, INSTANCE) for f in layout.fields if f.label),
    Field("mstp.config_name", text, "Name of the configuration", many=True),
    Field("mstp.config_digest", raw, "Digest of the configuration", "of the mapping of VLANs to trees", many=True),
)

PROTOCOL = Protocol(
    "STP",
    header=HEADER,
    on={"llc.dsap": 0x42, "llc.cisco_pid": 0x010B},
    info="{stp.protocol:words}[: {stp.type:words}][, root {stp.root.prio}][/{stp.root.ext}][/{stp.root.hw}][, cost {stp.root.cost}]"
    "[, port {stp.port}]",
    contents=contents,
    derived=((FIELDS, _derived),),
)
