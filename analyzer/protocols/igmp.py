"""Internet Group Management Protocol. RFC 1112, RFC 2236 §2, RFC 9776 §4 (version 3)."""

import numpy as np

from ..fields import Column, Field, Headers, Layout, Protocol, bits, flag, ipv4, u8, u16
from .common import checksums
from .common.parts import Parts, misfits, peek
from .common.tlv import Options, records, repeated

TYPE = {
    0x11: "membership query",
    0x12: "membership report v1",
    0x13: "DVMRP",
    0x14: "PIM v1",
    0x16: "membership report v2",
    0x17: "leave group",
    0x1E: "trace answer",
    0x1F: "trace",
    0x22: "membership report v3",
}
RECORD = {
    1: "mode is include",
    2: "mode is exclude",
    3: "change to include",
    4: "change to exclude",
    5: "allow new sources",
    6: "block old sources",
}
TRACE = (0x1E, 0x1F)  # mtrace, which has the group at the same offset
QUERY, REPORT1, REPORT2, LEAVE, REPORT3 = 0x11, 0x12, 0x16, 0x17, 0x22
HEADER = Layout(
    Field("igmp.type", u8, "Type", hex=2, value_names=TYPE),
    Field("igmp.max_resp_code", u8, "Maximum response code", "version 2 and 3; tenths of a second up to 127"),
    Field("igmp.checksum", u16, "Checksum", "RFC 1071", hex=4),
)
GROUP = Layout(Field("igmp.maddr", ipv4, "Group", many=True))
COUNT = Layout(Field("reserved", u16, ""), Field("igmp.num_grp_recs", u16, "Group records"))
GROUP_RECORD = Layout(
    Field("igmp.record_type", u8, "Record", value_names=RECORD, many=True),
    Field("igmp.aux_data_len", u8, "Length of auxiliary data", "in units of 4 bytes", many=True),
    Field("igmp.num_src", u16, "Sources", many=True),
    *GROUP.fields,
)
QUERY3_BODY = Layout(
    Field("reserved", bits(4), ""),
    Field("igmp.s", flag, "Suppress", "routers keep their timers"),
    Field("igmp.qrv", bits(3), "Robustness", "how many times a report that may be lost is sent"),
    Field("igmp.qqic", u8, "Query interval code", "seconds up to 127"),
    GROUP_RECORD.fields[2],
)
SOURCE = Layout(Field("igmp.saddr", ipv4, "Source", many=True))
QUERY3_SIZE = HEADER.size + GROUP.size + QUERY3_BODY.size  # least bytes of a query of version 3: RFC 9776 §7.1


def check(h: Headers) -> None:
    if (h["igmp.type"] == REPORT3).any():
        misfits(h, _records(h).bad, "igmp.record_type", "does not fit into the report")


def _records(h: Headers) -> Options:
    """The group records of reports of version 3."""
    rows = np.flatnonzero((h["igmp.type"] == REPORT3) & h.whole)
    count = np.zeros(len(h), np.int64)
    count[rows] = peek(h, COUNT, rows, h.start[rows] + HEADER.size)["igmp.num_grp_recs"]
    start = np.minimum(h.start + HEADER.size + COUNT.size, h.end)
    return records(h, start, np.minimum(h.wire, h.end), count, GROUP_RECORD.size, few=(1, 1, 4), many=(2, SOURCE.size))


def _derived(h: Headers) -> dict[str, Column]:
    parts = Parts(h, FIELDS)
    kind, length = h["igmp.type"], h.wire - h.start
    version = np.select(
        [~h.whole, kind == REPORT1, np.isin(kind, (REPORT2, LEAVE)), kind == REPORT3, kind == QUERY],
        [0, 1, 2, 3, np.where(length >= QUERY3_SIZE, 3, np.where(h["igmp.max_resp_code"] == 0, 1, 2))],
        0,
    )
    known = np.flatnonzero(version)
    code = h["igmp.max_resp_code"].astype(np.int64)
    timed = np.flatnonzero((version == 2) | ((version == 3) & (kind == QUERY)))
    expanded = np.where((version == 3) & (code > 127), ((code & 15) | 16) << ((code >> 4 & 7) + 3), code)  # RFC 9776 §4.1.1
    checked = np.flatnonzero((version > 0) | (h.whole & np.isin(kind, TRACE)))
    rows = checked[kind[checked] != REPORT3]
    parts.read(GROUP, rows, h.start[rows] + HEADER.size)

    rows = np.flatnonzero((version == 3) & (kind == QUERY))
    at = h.start[rows] + HEADER.size + GROUP.size
    count = parts.read(QUERY3_BODY, rows, at)["igmp.num_src"]
    at = at + QUERY3_BODY.size
    owner, nth = repeated(np.minimum(count, np.maximum(h.end[rows] - at, 0) // SOURCE.size))
    parts.read(SOURCE, rows[owner], at[owner] + SOURCE.size * nth)

    rows = np.flatnonzero((version == 3) & (kind == REPORT3))
    parts.read(COUNT, rows, h.start[rows] + HEADER.size)
    group_records = _records(h)
    there = np.flatnonzero(group_records.size > 0)
    row, at = group_records.row[there], group_records.at[there]
    owner, nth = repeated(parts.read(GROUP_RECORD, row, at)["igmp.num_src"].astype(np.int64))
    parts.read(SOURCE, row[owner], at[owner] + GROUP_RECORD.size + SOURCE.size * nth)
    return {
        **dict(parts.columns()),
        "igmp.version": Column(version[known], known),
        "igmp.max_resp": Column(expanded[timed], timed),
        "igmp.checksum.status": Column(checksums.status(h, h.wire[checked], None, checked), checked),
    }


FIELDS = (*GROUP.fields, COUNT.fields[1], *GROUP_RECORD.fields[:3], *QUERY3_BODY.fields[1:4], *SOURCE.fields)


PROTOCOL = Protocol(
    "igmp",
    "IGMP",
    __doc__,
    header=HEADER,
    on={"ipproto": 2},
    info="{igmp.type:words}[ of {igmp.maddr}]",
    check=check,
    derived=(
        (
            (
                Field("igmp.version", u8, "Version"),
                Field("igmp.max_resp", u16, "Maximum response time", "tenths of a second"),
                *FIELDS,
                checksums.status_field("igmp.checksum.status"),
            ),
            _derived,
        ),
    ),
)
