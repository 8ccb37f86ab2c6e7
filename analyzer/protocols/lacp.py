"""Link Aggregation Control Protocol: which links are one bundle, and which of them carry frames. IEEE 802.1AX-2020 §6.4.2."""

import numpy as np

from ..fields import Column, Field, Headers, Layout, Protocol, flag, mac, text, u8, u16
from .common.parts import Parts, misfits
from .common.tlv import Options, walk

TLV = {0: "end", 1: "actor", 2: "partner", 3: "collector"}
END, ACTOR, PARTNER, COLLECTOR = TLV
LENGTH = {END: 0, ACTOR: 20, PARTNER: 20, COLLECTOR: 16}  # bytes, type and length included
STATE_BITS = (  # most significant first: field, letter in state_str, description
    ("expired", "E", "no LACPDU came from the partner in time"),
    ("defaulted", "F", "goes by what was configured"),
    ("distributing", "D", "frames are sent"),
    ("collecting", "C", "frames are taken"),
    ("synchronization", "S", "is in the right bundle"),
    ("aggregation", "G", "may be bundled"),
    ("timeout", "S", "short: wants to hear every second, not every thirty"),
    ("activity", "A", "speaks unasked"),
)
HEADER = Layout(Field("lacp.version", u8, "Version", hex=2))
ITEM = Layout(
    Field("lacp.tlv_type", u8, "Part", hex=2, value_names=TLV, many=True),
    Field("lacp.tlv_length", u8, "Part's length", "bytes, type and length included", hex=2, many=True),
)


def _endpoint(name: str, who: str) -> Layout:
    """Fields of the actor, which sent the packet, or of its partner as the actor sees it."""
    state = tuple(Field(f"lacp.{name}.state.{bit}", flag, f"{who}: {bit}", description) for bit, _, description in STATE_BITS)
    return Layout(
        Field(f"lacp.{name}.sys_priority", u16, f"{who}'s system priority", "the least decides"),
        Field(f"lacp.{name}.sysid", mac, f"{who}'s system"),
        Field(f"lacp.{name}.key", u16, f"{who}'s key", "links with the same may be bundled"),
        Field(f"lacp.{name}.port_priority", u16, f"{who}'s port priority"),
        Field(f"lacp.{name}.port", u16, f"{who}'s port"),
        Field(f"lacp.{name}.state", u8, f"{who}'s state", hex=2, parts=state),
    )


ENDPOINTS = {ACTOR: _endpoint("actor", "Actor"), PARTNER: _endpoint("partner", "Partner")}
DELAY = Layout(Field("lacp.collector.max_delay", u16, "Collector's delay", "tens of µs at most, from taking a frame to handing it on"))
LETTERS = np.array(["".join(c if state >> 7 - i & 1 else "*" for i, (_, c, _) in enumerate(STATE_BITS)) for state in range(256)], object)


def _tlvs(h: Headers) -> tuple[Options, np.ndarray]:
    """The TLVs, and the indices of those to use: of the zeros that end a packet only the first."""
    tlvs = walk(h, h.start + HEADER.size, h.wire, single=(END,), last=(END,))
    repeats = np.zeros(len(tlvs.row), bool)
    repeats[1:] = (tlvs.kind[1:] == END) & (tlvs.kind[:-1] == END) & (tlvs.row[1:] == tlvs.row[:-1])
    return tlvs, np.flatnonzero(~repeats)


def check(h: Headers) -> None:
    tlvs, picked = _tlvs(h)
    misfits(h, tlvs.bad, "lacp.tlv_type", "does not fit into the packet")
    known = picked[np.isin(tlvs.kind[picked], (ACTOR, PARTNER, COLLECTOR)) & (tlvs.size[picked] > 0)]
    size = np.array(list(LENGTH.values()))[tlvs.kind[known]]
    wrong = known[tlvs.size[known] != size]
    bad = np.full(len(h), -1)
    bad[tlvs.row[wrong]] = tlvs.at[wrong]
    misfits(h, bad, "lacp.tlv_length", "is not that of its type")


def _derived(h: Headers) -> dict[str, Column]:
    parts = Parts(h, FIELDS)
    tlvs, picked = _tlvs(h)
    row, at, kind, size = tlvs.row[picked], tlvs.at[picked], tlvs.kind[picked], tlvs.size[picked]
    parts.read(ITEM, row, at)
    for number, layout in ENDPOINTS.items():
        name = layout.fields[-1].name
        these = np.flatnonzero((kind == number) & (size == LENGTH[number]))
        states = parts.read(layout, row[these], at[these] + ITEM.size, at[these] + size[these])
        there = states.trusted == layout.size
        parts.put(f"{name}_str", LETTERS[states[name][there]], row[these][there], at[these][there])
    these = np.flatnonzero((kind == COLLECTOR) & (size == LENGTH[COLLECTOR]))
    parts.read(DELAY, row[these], at[these] + ITEM.size)
    return dict(parts.columns())


FIELDS = (
    *ITEM.fields,
    *(f for layout in ENDPOINTS.values() for f in layout.all()),
    *(Field(f"lacp.{name}.state_str", text, f"{name.capitalize()}'s state in letters") for name in ("actor", "partner")),
    *DELAY.fields,
)


PROTOCOL = Protocol(
    "lacp",
    "LACP",
    __doc__,
    header=HEADER,
    on={"slow.subtype": 1},
    info="actor {lacp.actor.sysid} port {lacp.actor.port} key {lacp.actor.key} {lacp.actor.state_str}"
    "[, partner {lacp.partner.sysid}][ port {lacp.partner.port}][ key {lacp.partner.key}][ {lacp.partner.state_str}]",
    check=check,
    derived=((FIELDS, _derived),),
)
