"""Multicast listener discovery inside ICMPv6: RFC 2710 §3 (version 1), RFC 9777 §5 (version 2)."""

from __future__ import annotations

import numpy as np

from ...fields import Column, Field, Headers, Layout, bits, flag, ipv6, u8, u16
from ..igmp import RECORD
from .parts import Parts, misfits, needs
from .tlv import Options, records, repeated

QUERY, REPORT, DONE, REPORT2 = KINDS = 130, 131, 132, 143
BODY_AT = 4  # offset of the bytes whose meaning depends on the type
GROUP = Field("icmpv6.mld.multicast_address", ipv6, "Group", ":: in a query for all of them")
MESSAGE = Layout(Field("icmpv6.mld.maximum_response_delay", u16, "Maximum response delay", "ms"), Field("reserved", u16, ""), GROUP)
QUERY2 = Layout(
    Field("icmpv6.mld.maximum_response_code", u16, "Maximum response code", "ms up to 32767"),
    Field("reserved", u16, ""),
    GROUP,
    Field("icmpv6.mld.flag", u8, "Query flags", hex=2, parts=(
        Field("icmpv6.mld.flag.reserved", bits(4), "Reserved"),
        Field("icmpv6.mld.flag.s", flag, "Suppress", "routers keep their timers"),
        Field("icmpv6.mld.flag.qrv", bits(3), "Robustness", "how many times a report that may be lost is sent"),
    )),
    Field("icmpv6.mld.qqi", u8, "Query interval code", "seconds up to 127"),
    Field("icmpv6.mld.nb_sources", u16, "Sources"),
)  # fmt: skip
SOURCE = Layout(Field("icmpv6.mld.source_address", ipv6, "Source", many=True))
COUNT = Layout(Field("reserved", u16, ""), Field("icmpv6.mldr.nb_mcast_records", u16, "Group records"))
GROUP_RECORD = Layout(
    Field("icmpv6.mldr.mar.record_type", u8, "Record", value_names=RECORD, many=True),
    Field("icmpv6.mldr.mar.aux_data_len", u8, "Length of auxiliary data", "in units of 4 bytes", many=True),
    Field("icmpv6.mldr.mar.nb_sources", u16, "Record's sources", many=True),
    Field("icmpv6.mldr.mar.multicast_address", ipv6, "Record's group", many=True),
)
RECORD_SOURCE = Layout(Field("icmpv6.mldr.mar.source_address", ipv6, "Record's source", many=True))
FIELDS = (
    MESSAGE.fields[0],
    *(f for f in (*QUERY2.all(), *SOURCE.fields, *COUNT.fields) if f.label),
    *GROUP_RECORD.fields,
    *RECORD_SOURCE.fields,
)
SHORT, LONG = BODY_AT + MESSAGE.size, BODY_AT + QUERY2.size  # bytes of a message of version 1; of a query of version 2


def _query2(h: Headers) -> np.ndarray:
    """Queries of version 2, known by their length: RFC 9777 §8.1; bool (n,)."""
    return (h["icmpv6.type"] == QUERY) & (h.wire - h.start >= LONG) & h.whole


def _records(h: Headers) -> tuple[Options, Parts]:
    """The group records of reports of version 2; the columns read so far."""
    parts = Parts(h, FIELDS)
    rows = np.flatnonzero((h["icmpv6.type"] == REPORT2) & h.whole)
    count = np.zeros(len(h), np.int64)
    count[rows] = parts.read(COUNT, rows, h.start[rows] + BODY_AT)["icmpv6.mldr.nb_mcast_records"]
    start = np.minimum(h.start + BODY_AT + COUNT.size, h.end)
    return records(h, start, np.minimum(h.wire, h.end), count, GROUP_RECORD.size, few=(1, 1, 4), many=(2, 16)), parts


def check(h: Headers) -> None:
    """Report messages that are too short for their type or their group records."""
    kind = h["icmpv6.type"]
    least = np.where(np.isin(kind, (QUERY, REPORT, DONE)), SHORT, np.where(kind == REPORT2, BODY_AT + COUNT.size, 0))
    if least.any():
        needs(h, least)
        misfits(h, _records(h)[0].bad, "icmpv6.mldr.mar.record_type", "does not fit into the report")


def columns(h: Headers) -> dict[str, Column]:
    """Every field of FIELDS."""
    group_records, parts = _records(h)
    query2 = _query2(h)
    rows = np.flatnonzero(np.isin(h["icmpv6.type"], (QUERY, REPORT, DONE)) & h.whole & ~query2)
    parts.read(MESSAGE, rows, h.start[rows] + BODY_AT)
    rows = np.flatnonzero(query2)
    sources = parts.read(QUERY2, rows, h.start[rows] + BODY_AT)["icmpv6.mld.nb_sources"]
    at = h.start[rows] + LONG
    owner, nth = repeated(np.minimum(sources, np.maximum(h.end[rows] - at, 0) // SOURCE.size))
    parts.read(SOURCE, rows[owner], at[owner] + SOURCE.size * nth)
    there = np.flatnonzero(group_records.size > 0)
    row, at = group_records.row[there], group_records.at[there]
    sources = parts.read(GROUP_RECORD, row, at)["icmpv6.mldr.mar.nb_sources"]
    owner, nth = repeated(sources.astype(np.int64))
    parts.read(RECORD_SOURCE, row[owner], at[owner] + GROUP_RECORD.size + SOURCE.size * nth)
    return dict(parts.columns())
