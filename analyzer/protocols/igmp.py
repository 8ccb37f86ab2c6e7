"""Internet Group Management Protocol. RFC 1112, RFC 2236 §2, RFC 9776 §4 (version 3)."""

import numpy as np

from ..fields import Column, Field, Headers, Layout, Reading, ipv4, u8, u16
from . import _sums

LABEL = "IGMP"
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
TRACE = (0x1E, 0x1F)  # mtrace: the group stands where others have it
QUERY, REPORT1, REPORT2, LEAVE, REPORT3 = 0x11, 0x12, 0x16, 0x17, 0x22
HEADER = Layout(
    Field("igmp.type", u8, "Type", hex=2, words=TYPE),
    Field("igmp.max_resp_code", u8, "Maximum response code", "version 2 and 3; tenths of a second up to 127"),
    Field("igmp.checksum", u16, "Checksum", "RFC 1071", hex=4),
)
GROUP = Layout(Field("igmp.maddr", ipv4, "Group", many=True))
COUNT = Layout(Field("reserved", u16, ""), Field("igmp.num_grp_recs", u16, "Group records"))
GROUP_RECORD = Layout(
    Field("igmp.record_type", u8, "Record", words=RECORD, many=True), Field("aux", u8, ""), Field("sources", u16, ""), *GROUP.fields
)
MOST = 400  # records in a report: more than fit into a frame of 1500 bytes
ON = {"ipproto": 2}
INFO = "{igmp.type:words}"


def contents(h: Headers):
    return ()


def _derived(h: Headers) -> dict[str, Column]:
    kind, length = h["igmp.type"], h.wire - h.start
    version = np.select(
        [~h.whole, kind == REPORT1, np.isin(kind, (REPORT2, LEAVE)), kind == REPORT3, kind == QUERY],
        [0, 1, 2, 3, np.where(length >= 12, 3, np.where(h["igmp.max_resp_code"] == 0, 1, 2))],
        0,
    )
    known = np.flatnonzero(version)
    code = h["igmp.max_resp_code"].astype(np.int64)
    waits = np.flatnonzero((version == 2) | ((version == 3) & (kind == QUERY)))
    spread = np.where((version == 3) & (code > 127), ((code & 15) | 16) << ((code >> 4 & 7) + 3), code)  # RFC 9776 §4.1.1
    one = np.flatnonzero(((version > 0) & (kind != REPORT3)) | (h.whole & np.isin(kind, TRACE)))
    single = Reading(GROUP, h.buffer, h.start[one] + 4, h.end[one], one).column("igmp.maddr")
    rows = np.flatnonzero((version == 3) & (kind == REPORT3))
    count = Reading(COUNT, h.buffer, h.start[rows] + 4, h.end[rows])["igmp.num_grp_recs"].astype(np.int64)
    at = h.start[rows] + 8
    groups, records = [single], []
    for nth in range(MOST):
        left = count > nth
        rows, at, count = rows[left], at[left], count[left]
        if not len(rows):
            break
        record = Reading(GROUP_RECORD, h.buffer, at, h.end[rows], rows)
        groups.append(record.column("igmp.maddr"))
        records.append(record.column("igmp.record_type"))
        at = at + 8 + 4 * record["sources"].astype(np.int64) + 4 * record["aux"].astype(np.int64)
    return {
        "igmp.version": Column(version[known], known),
        "igmp.max_resp": Column(spread[waits], waits),
        "igmp.maddr": _joined(groups, np.uint32),
        "igmp.record_type": _joined(records, np.uint8),
        "igmp.checksum.status": Column(_sums.judged(h, h.wire[known], None, known), known),
    }


def _joined(columns: list[Column], dtype: type) -> Column:
    """Columns one behind the other, in order of their rows."""
    if not columns:
        return Column(np.empty(0, dtype), np.empty(0, np.int64))
    rows = np.concatenate([np.arange(len(c.values)) if c.rows is None else c.rows for c in columns])
    order = np.argsort(rows, kind="stable")
    return Column(np.concatenate([c.values for c in columns])[order], rows[order])


DERIVED = (
    (
        (
            Field("igmp.version", u8, "Version"),
            Field("igmp.max_resp", u16, "Maximum response time", "tenths of a second"),
            *GROUP.fields,
            GROUP_RECORD.fields[0],
            _sums.status_field("igmp.checksum.status"),
        ),
        _derived,
    ),
)
