"""Traceroutes: datagrams with a low time to live, matched to the errors and replies that they caused."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from ..dissection import Dissection
from ..fields import Headers
from ..protocols.common.registries import IPPROTO
from ._icmp_messages import IcmpMessage
from ._ip_datagrams import IpDatagrams, address_of, address_words, end_words, frame_times, hashed, shown

if TYPE_CHECKING:
    from .routes import Statement

LOW = 32  # no probe has a greater time to live
PROBES = 200_000  # probes that are remembered, and as many answers
EXPIRED = {("icmp", 11, 0), ("icmpv6", 3, 0)}
SYN_ACK, RST = 0x12, 0x04
TRACE = ["a", "b", "c", "e", "six", "proto"]  # columns that identify a trace: source and destination in two words each


def protocol_name(number: int | None) -> str | None:
    """An IP protocol number in words."""
    return None if number is None else IPPROTO.get(number, str(number))


class Traceroutes:
    """Collects probes and answers; matches them when the trace ends.

    A probe is matched exactly (ends, protocol, identification, flow id) to an error, loosely (the same without identification) to
    another answer.
    """

    def __init__(self) -> None:
        self._probes: list[pl.DataFrame] = []
        self._answers: list[pl.DataFrame] = []
        self._statements: dict[int, Statement] = {}  # by their number in the answers
        self._first = 0  # frame of the first probe

    def feed(self, d: Dissection, s: IpDatagrams, reported: list[tuple[IcmpMessage, Statement]], messages: list[IcmpMessage]) -> None:
        """Remember the probes of a batch and what may answer one. reported: its messages about paths, and the statements they make."""
        unicast = np.where(s.six, s.ends[:, 2] >> np.uint64(56) != 0xFF, s.ends[:, 3] < 0xE0000000)
        low = np.flatnonzero((s.ttl <= LOW) & unicast & (s.offset == 0))
        if len(low):
            self._first = self._first or int(s.row[low[0]]) + d.batch.first
            self._probes.append(_probes(d, s, low))
        if not self._first:
            return
        errors = [(m, statement) for m, statement in reported if statement.statement in ("unreachable", "time exceeded")]
        replies = [m for m in messages if m.kind == (0 if m.protocol == "icmp" else 129)]
        parts = [_segments(d, h) for h in (d.unfiltered or d).chunks.get("tcp", ())]
        parts += [self._errors(d, errors), _replies(d, replies)]
        answers = [part.filter(pl.col("frame") > self._first) for part in parts if part is not None]
        self._answers += [part for part in answers if len(part)]
        for batches in (self._probes, self._answers):
            while len(batches) > 1 and sum(map(len, batches[1:])) >= PROBES:
                batches.pop(0)
        if self._answers and self._statements:
            least = self._answers[0]["number"].min()
            for number in [number for number in self._statements if isinstance(least, int) and number < least]:
                del self._statements[number]

    def _errors(self, d: Dissection, errors: list[tuple[IcmpMessage, Statement]]) -> pl.DataFrame | None:
        rows = []
        for m, statement in errors:
            q = m.quoted
            assert q is not None
            number = len(self._statements) and next(reversed(self._statements)) + 1
            self._statements[number] = statement
            expired = (m.protocol, m.kind, m.code) in EXPIRED
            ends, sender = address_words(q.source, q.destination), address_words(None, m.source)[2:]
            rows.append((m.row, ends, q.proto, q.flow_id, sender, m.meaning, max(q.id, 0), expired, number))
        if not rows:
            return None
        row, ends, proto, flow_id, sender, meaning, *rest = zip(*rows, strict=True)
        columns = (np.array(row), np.array(ends, np.uint64), np.array(proto), np.array(flow_id), np.array(sender, np.uint64))
        return _answers(d, *columns, list(meaning), *map(np.array, rest))

    def hops(self, looping: Iterable[int]) -> list[dict[str, Any]]:
        """A row for each hop and each sender that answered there. looping: datagrams that are no probes, `LoopDetector.looping`."""
        if not self._probes or not self._answers:
            return []
        col = pl.col
        probes = pl.concat(self._probes).tail(PROBES).sort("frame", maintain_order=True)
        probes = probes.filter(~col("exact").is_in(pl.Series(list(looping), dtype=pl.UInt64).implode()))
        new = pl.struct("exact").is_first_distinct() | (col("id") == 0)  # a router that forwards a probe makes another frame of it
        probes = probes.filter(new).with_row_index("probe")
        answers = pl.concat(self._answers).tail(PROBES).sort("frame", maintain_order=True)
        at = probes.select("frame", "exact", "loose", "probe")
        errors = answers.filter(col("number") >= 0).join_asof(at.drop("loose"), on="frame", by="exact", check_sortedness=False)
        others = answers.filter(col("number") < 0).join_asof(at.drop("exact"), on="frame", by="loose", check_sortedness=False)
        matched = pl.concat([errors, others], how="diagonal").filter(col("probe").is_not_null()).sort("frame", maintain_order=True)
        matched = matched.drop("exact", "loose").join(probes.select("probe", *TRACE, "hop", sent="time"), on="probe", maintain_order="left")
        traces = matched.filter("expired").select(TRACE).unique()
        matched = matched.join(traces, on=TRACE, how="semi", maintain_order="left")
        for number in matched.filter(col("number") >= 0)["number"].to_list():
            self._statements[number].traced += 1
        target = (col("sender_high") == col("c")) & (col("sender_low") == col("e"))
        reached = matched.filter(target).group_by(TRACE).agg(col("hop").min().alias("reached"))
        probes = probes.join(traces, on=TRACE, how="semi", maintain_order="left").join(reached, on=TRACE, how="left", maintain_order="left")
        probes = probes.with_columns(pl.min_horizontal("hop", "reached").alias("hop"))
        first = matched.unique("probe", keep="first", maintain_order=True).select(
            "probe", "sender_high", "sender_low", "meaning", answer_frame="frame", answer_kept="kept", took=col("time") - col("sent")
        )
        rows = probes.join(first, on="probe", how="left", maintain_order="left")
        hop = [*TRACE, "hop"]
        counts = rows.group_by(hop, maintain_order=True).agg(pl.len().alias("probes"), col("answer_frame").count().alias("answers"))
        rows = rows.join(counts, on=hop, maintain_order="left").filter(col("answer_frame").is_not_null() | (col("answers") == 0))
        hops = rows.group_by([*hop, "sender_high", "sender_low"], maintain_order=True).agg(
            col("frame").min().alias("first_frame"),
            pl.max_horizontal(col("frame").max(), col("answer_frame").max()).alias("last_frame"),
            col("time").first(),
            col("answer_frame").count().alias("messages"),
            col("probes").first(),
            col("took").min().alias("fastest"),
            col("took").max().alias("slowest"),
            col("meaning").first(),
            (col("kept").any() | col("answer_kept").any().fill_null(False)).alias("kept"),
        )
        return [_hop(row) for row in hops.filter("kept").iter_rows(named=True)]


def _hop(row: dict) -> dict[str, Any]:
    """A hop as a row of the table routes."""
    six, sender = row["six"], row["sender_high"]
    same = ("first_frame", "last_frame", "time", "messages", "hop", "probes", "fastest", "slowest", "meaning")
    return {
        "statement": "hop",
        "by": None if sender is None else address_of(sender, row["sender_low"], six),
        "source": address_of(row["a"], row["b"], six),
        "destination": address_of(row["c"], row["e"], six),
        "protocol": protocol_name(row["proto"]),
        **{name: row[name] for name in same},
    }


def _probes(d: Dissection, s: IpDatagrams, rows: np.ndarray) -> pl.DataFrame:
    """These datagrams as rows, with the hashes `exact` and `loose`."""
    frame, ends, proto, flow_id = s.row[rows], s.ends[rows], s.proto[rows], s.flow_id[rows]
    columns = {
        "frame": frame + d.batch.first,
        "time": frame_times(d, frame),
        "kept": shown(d, frame),
        **dict(zip(TRACE, (*map(np.ascontiguousarray, ends.T), s.six[rows], proto), strict=True)),
        "id": s.id[rows],
        "hop": s.ttl[rows],
        "exact": hashed(ends, proto, s.id[rows], flow_id),
        "loose": hashed(ends, proto, flow_id),
    }
    return pl.DataFrame(columns)


def _answers(
    d: Dissection,
    frame: np.ndarray,
    ends: np.ndarray,
    proto: np.ndarray,
    flow_id: np.ndarray,
    sender: np.ndarray,
    meaning: list[str],
    ids: np.ndarray | int = 0,
    expired: np.ndarray | bool = False,
    number: np.ndarray | int = -1,
) -> pl.DataFrame:
    """Answers as rows. frame: rows in the batch. ends, proto, flow_id, ids: of the probes that they answer. sender: of the answer, two
    words. number: of the statement that an error makes, -1 of other answers."""
    n = len(frame)
    columns = {
        "frame": frame + d.batch.first,
        "time": frame_times(d, frame),
        "kept": shown(d, frame),
        "sender_high": np.ascontiguousarray(sender[:, 0]),
        "sender_low": np.ascontiguousarray(sender[:, 1]),
        "meaning": pl.Series(meaning, dtype=pl.String),
        "expired": np.zeros(n, bool) | expired,
        "number": np.zeros(n, np.int64) + number,
        "exact": hashed(ends, proto, np.zeros(n, np.int64) + ids, flow_id),
        "loose": hashed(ends, proto, flow_id),
    }
    return pl.DataFrame(columns)


def _replies(d: Dissection, replies: list[IcmpMessage]) -> pl.DataFrame | None:
    """Echo replies."""
    if not replies:
        return None
    ends = np.array([address_words(m.destination, m.source) for m in replies], np.uint64)
    proto = np.array([58 if m.protocol == "icmpv6" else 1 for m in replies])
    flow_id = np.array([max(m.ident, 0) << 16 | max(m.seq, 0) for m in replies])
    return _answers(d, np.array([m.row for m in replies]), ends, proto, flow_id, ends[:, 2:], ["echo reply"] * len(replies))


def _segments(d: Dissection, h: Headers) -> pl.DataFrame | None:
    """TCP segments that answer a SYN."""
    flags = h["tcp.flags"]
    accepts, refuses = flags & SYN_ACK == SYN_ACK, flags & RST != 0
    rows = np.flatnonzero((accepts | refuses) & ~h.quoted & h.whole)
    network = h.network_layer()
    if not len(rows) or network is None or network[0].protocol.name not in ("ip", "ipv6"):
        return None
    ends = end_words(network[0], network[1][rows])[:, [2, 3, 0, 1]]  # of the SYN
    flow_id = h["tcp.dstport"][rows].astype(np.int64) << 16 | h["tcp.srcport"][rows]
    meaning = pl.Series(["RST", "SYN, ACK"]).gather(accepts[rows].astype(np.int64)).to_list()
    return _answers(d, h.frame[rows], ends, np.full(len(rows), 6), flow_id, ends[:, 2:], meaning)
