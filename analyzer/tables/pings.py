"""A row is an ICMP query (echo, timestamp, …): who sent it to whom, what came back, when, how often."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from ..capture import Source
from ..dissection import Dissection
from ..fields import Field, seconds, text, time, u8, u16, u32, u64
from ..protocols import icmp, icmpv6
from . import Table
from ._columns import dtype_of
from ._icmp_messages import ERRORS, NEEDS, IcmpMessage, icmp_messages
from ._ip_datagrams import Address, address_texts

QUERIES = {
    "icmp": {8: "echo", 13: "timestamp", 15: "information", 17: "address mask", 42: "extended echo"},
    "icmpv6": {128: "echo", 160: "extended echo"},
}
REPLIES = {"icmp": {0: 8, 14: 13, 16: 15, 18: 17, 43: 42}, "icmpv6": {129: 128, 161: 160}}  # reply type → query type
MOST = 100_000  # queries that are held until the trace ends
ANSWERED, BY_ANOTHER, ERROR, SILENT, UNASKED = "answered", "answered by another", "error", "no answer", "not asked"
GROUP4, GROUP6 = 0xE0000000, 0xFF  # the least of IPv4; the first byte of IPv6
ADDRESSES = ("source", "destination", "answered_by", "error_by")
EXCEEDED = [text for kinds in (icmp.CODE, icmpv6.CODE) for (_, code), text in kinds.items() if "exceeded" in text and not code]


@dataclass(slots=True, eq=False)
class _Query:
    """A query and its replies. message: None if only a reply was seen. seen: frames that hold it; a router makes a second one."""

    message: IcmpMessage | None
    kept: bool
    latest: IcmpMessage | None = None  # the frame that held the query last
    seen: int = 1
    reply: IcmpMessage | None = None
    error: IcmpMessage | None = None
    duplicate: IcmpMessage | None = None  # the last further reply
    duplicates: int = 0


class TABLE(Table):
    name = "pings"
    description = "an ICMP query (echo, timestamp, address mask): its reply, round-trip time and outcome; loss, copies and errors"
    columns = (
        Field("protocol", text, "Protocol", "icmp or icmpv6"),
        Field("question", text, "Question", "echo, timestamp, information, address mask, extended echo"),
        Field("source", text, "Asks"),
        Field("destination", text, "Is asked", "of a source route, its end"),
        Field("identifier", u16, "Identifier", "of the program that asks"),
        Field("sequence", u16, "Sequence number"),
        Field("frame", u64, "Frame of the question", "where it is first seen; null if no frame holds it"),
        Field("time", time, "Time of the question"),
        Field("bytes", u32, "Bytes of data"),
        Field("ttl", u8, "Time to live", "of the question, as seen here"),
        Field("seen", u32, "Seen", "frames that hold the question: more than one at a router, or where a copy was made"),
        Field(
            "outcome",
            text,
            "Outcome",
            "answered; answered by another; error; no answer; not asked (an answer whose question no frame holds)",
        ),
        Field("answer_frame", u64, "Frame of the answer", "the first"),
        Field("answered_by", text, "Answered by"),
        Field("rtt", seconds, "Round trip", "question to answer, both where they are first seen"),
        Field("answer_ttl", u8, "Time to live of the answer"),
        Field("duplicates", u32, "Further answers", "the same answer again; of a group or broadcast address those of other hosts too"),
        Field("last_duplicate", u64, "Last further answer in frame"),
        Field("error_frame", u64, "Frame of the error", "the first ICMP error that quotes the question"),
        Field("error_by", text, "Error from"),
        Field("error", text, "Error"),
    )
    needs = NEEDS

    def __init__(self) -> None:
        self._held: dict[_Query, None] = {}  # in the order of their frames
        self._exact: dict[tuple, _Query] = {}  # by both addresses, kind and numbers: the latest
        self._asker: dict[tuple, _Query] = {}  # by the asker's address, kind and numbers
        self.evicted = 0

    def feed(self, d: Dissection) -> pl.DataFrame | None:
        final: list[_Query] = []
        for m in icmp_messages(d):
            if m.kind in QUERIES[m.protocol]:
                self._add_query(m, final)
            elif m.kind in REPLIES[m.protocol]:
                self._add_reply(m, final)
            elif m.kind in ERRORS[m.protocol] and m.quoted is not None and m.quoted.kind in QUERIES[m.protocol]:
                q = m.quoted
                query = self._exact.get((m.protocol, q.kind, q.source, q.destination, q.ident, q.seq))
                if query is not None:
                    query.kept |= m.kept
                    query.error = query.error or m
        return self._rows(final) if final else None

    def _add_query(self, m: IcmpMessage, final: list[_Query]) -> None:
        key = (m.protocol, m.kind, m.source, m.destination, m.ident, m.seq)
        before = self._exact.get(key)
        if before is not None and before.latest is not None and _same_datagram(before.latest, m):
            before.latest, before.seen, before.kept = m, before.seen + 1, before.kept | m.kept
            return
        self._hold(_Query(m, m.kept, m), key, final)

    def _add_reply(self, m: IcmpMessage, final: list[_Query]) -> None:
        kind = REPLIES[m.protocol][m.kind]
        key = (m.protocol, kind, m.destination, m.source, m.ident, m.seq)
        query = self._exact.get(key)
        if query is None:
            query = self._asker.get((m.protocol, kind, m.destination, m.ident, m.seq))
        if query is None:
            self._hold(_Query(None, m.kept, reply=m), key, final)
            return
        query.kept |= m.kept
        if query.reply is None:
            query.reply = m
        elif not (m.source == query.reply.source and m.ttl < query.reply.ttl and m.id == query.reply.id):  # a router forwarded it
            query.duplicate, query.duplicates = m, query.duplicates + 1

    def _hold(self, query: _Query, key: tuple, final: list[_Query]) -> None:
        if len(self._held) >= MOST:
            oldest = next(iter(self._held))
            del self._held[oldest]
            final.append(oldest)
            self.evicted += 1
            for index in (self._exact, self._asker):
                for held in _keys(oldest):
                    if index.get(held) is oldest:
                        del index[held]
        self._held[query] = None
        self._exact[key] = query
        if query.message is not None:
            protocol, kind, source, _, ident, seq = key
            self._asker[protocol, kind, source, ident, seq] = query

    def finish(self, sources: list[Source], others: dict[str, pl.DataFrame]) -> pl.DataFrame | None:
        return self._rows(list(self._held))

    @property
    def notes(self) -> list[str]:
        if not self.evicted:
            return []
        return [f"{self.evicted:,} questions of ICMP, the oldest, were written before the trace ended, to hold {MOST:,} at the most"]

    def _rows(self, queries: list[_Query]) -> pl.DataFrame | None:
        rows = [_row(query) for query in queries if query.kept]
        if not rows:
            return None
        return pl.DataFrame(
            [
                address_texts(column).alias(f.name) if f.name in ADDRESSES else pl.Series(f.name, column, dtype=dtype_of(f))
                for f, column in zip(self.columns, zip(*rows, strict=True), strict=True)
            ]
        )


def _same_datagram(before: IcmpMessage, m: IcmpMessage) -> bool:
    """Whether a router or the network made another frame of the query, not its program."""
    return m.id == before.id and (m.ttl < before.ttl or (m.ttl == before.ttl and m.id > 0))


def _keys(query: _Query) -> Iterator[tuple]:
    """The keys that a query may have in the two indexes."""
    m = query.message
    if m is not None:
        yield (m.protocol, m.kind, m.source, m.destination, m.ident, m.seq)
        yield (m.protocol, m.kind, m.source, m.ident, m.seq)
    elif query.reply is not None:
        m = query.reply
        yield (m.protocol, REPLIES[m.protocol][m.kind], m.destination, m.source, m.ident, m.seq)


def _group(address: Address) -> bool:
    """Whether an address may stand for several hosts: multicast, or broadcast, which is taken of any IPv4 address that ends in 255."""
    if isinstance(address, bytes):
        return address[0] == GROUP6
    return address is not None and (address >= GROUP4 or address & 0xFF == 0xFF)


def _row(query: _Query) -> tuple:
    asked, reply, error, duplicate = query.message, query.reply, query.error, query.duplicate
    m = asked or reply
    assert m is not None
    ends = (m.source, m.destination) if asked else (m.destination, m.source)
    kind = m.kind if asked else REPLIES[m.protocol][m.kind]
    if asked is None:
        outcome = UNASKED
    elif reply is not None:
        outcome = ANSWERED if reply.source == asked.destination or _group(asked.destination) else BY_ANOTHER
    else:
        outcome = SILENT if error is None else ERROR
    rtt = None
    if asked is not None and reply is not None and asked.time is not None and reply.time is not None:
        rtt = reply.time - asked.time
    return (
        m.protocol,
        QUERIES[m.protocol][kind],
        *ends,
        m.ident if m.ident >= 0 else None,
        m.seq if m.seq >= 0 else None,
        asked.frame if asked else None,
        asked.time if asked else None,
        m.size,
        asked.ttl if asked else None,
        query.seen if asked else 0,
        outcome,
        reply.frame if reply else None,
        reply.source if reply else None,
        rtt,
        reply.ttl if reply else None,
        query.duplicates,
        duplicate.frame if duplicate else None,
        error.frame if error else None,
        error.source if error else None,
        error.meaning if error else None,
    )


# ---------------------------------------------------------------- series

SERIES = ["protocol", "question", "source", "destination", "identifier"]


def grouped(rows: pl.DataFrame) -> pl.DataFrame:
    """A row for each series of queries of one program to one host, for `expert.pings`, without traceroutes, which `routes` has."""
    col = pl.col
    outcome = col("outcome")
    lost, another, unasked = outcome == SILENT, outcome == BY_ANOTHER, outcome == UNASKED
    single = ~_groups(rows["destination"])
    series = (
        rows.with_columns(single=single)
        .group_by(SERIES, maintain_order=True)
        .agg(
            (~unasked).sum().alias("asked"),
            lost.sum().alias("lost"),
            col("frame").filter(lost).min().alias("first_lost"),
            col("frame").filter(lost).max().alias("last_lost"),
            another.sum().alias("elsewhere"),
            col("answered_by").filter(another).first().alias("elsewhere_by"),
            col("answer_frame").filter(another).first().alias("elsewhere_frame"),
            col("duplicates").filter("single", ~unasked).sum(),
            col("last_duplicate").filter("single", ~unasked).max(),
            unasked.sum().alias("unasked"),
            col("answer_frame").filter(unasked).first().alias("unasked_frame"),
            pl.coalesce(col("frame").min(), col("answer_frame").min()).alias("first_frame"),
            pl.max_horizontal(col("frame").max(), col("answer_frame").max()).alias("last_frame"),
            col("error").is_in(EXCEEDED).any().alias("traced"),
        )
    )
    return series.filter(~col("traced").fill_null(False))


def _groups(destinations: pl.Series) -> pl.Series:
    """`_group` of addresses in text."""
    return destinations.str.contains(r"^(22[4-9]|23\d)\.|\.255$|^ff")
