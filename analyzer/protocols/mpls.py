"""MPLS label stack. RFC 3032 §2.1."""

import numpy as np

from ..fields import Column, Field, Headers, Layout, Payload, Protocol, Reading, bits, flag, u8

ENTRY = Layout(
    Field(
        "mpls.label",
        bits(20),
        "Label",
        value_names={0: "IPv4 explicit null", 1: "router alert", 2: "IPv6 explicit null", 3: "implicit null"},
        many=True,
    ),
    Field("mpls.exp", bits(3), "Traffic class", "RFC 5462", many=True),
    Field("mpls.bottom", flag, "Bottom of stack", many=True),
    Field("mpls.ttl", u8, "Time to live", many=True),
)
FIRST = Layout(Field("version", bits(4), ""), Field("", bits(4), ""))
DEEPEST = 64


def _stack(h: Headers) -> tuple[list[Reading], np.ndarray, np.ndarray]:
    """(entries level by level, end of each stack, whether its bottom was found)."""
    levels: list[Reading] = []
    at, done, rows = h.start.copy(), np.zeros(len(h), bool), np.arange(len(h))
    while len(rows) and len(levels) < DEEPEST:
        level = Reading(ENTRY, h.buffer, at[rows], h.end[rows], rows)
        levels.append(level)
        whole = level.trusted == ENTRY.size
        at[rows[whole]] += ENTRY.size
        done[rows[whole & level["mpls.bottom"]]] = True
        rows = rows[whole & ~level["mpls.bottom"]]
    return levels, at, done


def contents(h: Headers):
    _, at, done = _stack(h)
    h.fault(~done & (at + ENTRY.size > h.wire) & ~h.quoted, "", "the label stack has no bottom", at=at)
    yield Payload("ipversion", Reading(FIRST, h.buffer, at, h.end)["version"], at, h.wire, np.flatnonzero(done))


def _entries(h: Headers) -> dict[str, Column]:
    levels, _, _ = _stack(h)
    result = {}
    for f in ENTRY.fields:
        columns = [level.column(f.name) for level in levels]
        values, rows = np.concatenate([c.values for c in columns]), np.concatenate([c.rows for c in columns])
        order = np.argsort(rows, kind="stable")
        result[f.name] = Column(values[order], rows[order])
    return result


PROTOCOL = Protocol(
    "MPLS",
    on={
        "ethertype": (0x8847, 0x8848),
        "pppproto": (0x0281, 0x0283),
        "udp.port": 6635,
        "gre.proto": (0x8847, 0x8848),
        "vxlan.next_proto": 5,
    },
    info="label {mpls.label}",
    contents=contents,
    derived=((ENTRY.fields, _entries),),
)
