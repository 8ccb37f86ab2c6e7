"""A row is a question that ICMP asks of a host, echo above all: by whom, of whom, what came back, when, how often."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from ..capture import Source
from ..dissection import Dissection
from ..fields import Field, seconds, text, time, u8, u16, u32, u64
from ..protocols import icmp, icmpv6
from . import Table
from ._columns import dtype_of
from ._messages import ERRORS, NEEDS, Address, Message, messages, named

ASKS = {
    "icmp": {8: "echo", 13: "timestamp", 15: "information", 17: "address mask", 42: "extended echo"},
    "icmpv6": {128: "echo", 160: "extended echo"},
}
ANSWERS = {"icmp": {0: 8, 14: 13, 16: 15, 18: 17, 43: 42}, "icmpv6": {129: 128, 161: 160}}  # what each of them answers
MOST = 100_000  # questions that are held until the trace ends
ANSWERED, ELSEWHERE, ERROR, SILENT, UNASKED = "answered", "answered by another", "error", "no answer", "not asked"
GROUP4, BROADCAST4, GROUP6 = 0xE0000000, 0xFFFFFFFF, 0xFF


class _Question:
    """What is known of a question. asked: its message; None if only an answer was seen. seen: how often it passed, by way of a router."""

    __slots__ = ("again", "answer", "asked", "duplicate", "error", "kept", "last", "seen")

    def __init__(self, asked: Message | None, kept: bool) -> None:
        self.asked, self.last, self.seen, self.kept = asked, asked, 1, kept
        self.answer: Message | None = None
        self.error: Message | None = None
        self.duplicate: Message | None = None  # the last that came again
        self.again = 0


class TABLE(Table):
    name = "pings"
    description = "a question of ICMP (echo, timestamp, address mask): its answer, time and outcome; loss, copies and errors told apart"
    columns = (
        Field("protocol", text, "Protocol", "icmp or icmpv6"),
        Field("question", text, "Question", "echo, timestamp, information, address mask, extended echo"),
        Field("source", text, "Asks"),
        Field("destination", text, "Is asked", "of a source route, its end"),
        Field("identifier", u16, "Identifier", "which program asks"),
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
        Field("last_duplicate", u64, "Frame of the last of them"),
        Field("error_frame", u64, "Frame of the error", "the first ICMP error that quotes the question"),
        Field("error_by", text, "Error from"),
        Field("error", text, "Error"),
    )
    needs = NEEDS

    def __init__(self) -> None:
        self._held: dict[_Question, None] = {}  # in the order of their frames
        self._exact: dict[tuple, _Question] = {}  # by both addresses, kind and numbers: the latest
        self._asker: dict[tuple, _Question] = {}  # by who asks, kind and numbers
        self.given_up = 0

    def feed(self, d: Dissection) -> pl.DataFrame | None:
        final: list[_Question] = []
        for m in messages(d):
            if m.kind in ASKS[m.protocol]:
                self._ask(m, final)
            elif m.kind in ANSWERS[m.protocol]:
                self._answer(m, final)
            elif m.kind in ERRORS[m.protocol] and m.quoted is not None and m.quoted.kind in ASKS[m.protocol]:
                q = m.quoted
                found = self._exact.get((m.protocol, q.kind, q.source, q.destination, q.ident, q.seq))
                if found is not None:
                    found.kept |= m.kept
                    found.error = found.error or m
        return self._rows(final) if final else None

    def _ask(self, m: Message, final: list[_Question]) -> None:
        key = (m.protocol, m.kind, m.source, m.destination, m.ident, m.seq)
        before = self._exact.get(key)
        if before is not None and before.last is not None and _passed_again(before.last, m):
            before.last, before.seen, before.kept = m, before.seen + 1, before.kept | m.kept
            return
        self._hold(_Question(m, m.kept), key, final)

    def _answer(self, m: Message, final: list[_Question]) -> None:
        kind = ANSWERS[m.protocol][m.kind]
        key = (m.protocol, kind, m.destination, m.source, m.ident, m.seq)
        found = self._exact.get(key)
        if found is None:
            found = self._asker.get((m.protocol, kind, m.destination, m.ident, m.seq))
        if found is None:
            found = _Question(None, m.kept)
            found.answer = m
            self._hold(found, key, final)
            return
        found.kept |= m.kept
        if found.answer is None:
            found.answer = m
        elif not (m.source == found.answer.source and m.ttl < found.answer.ttl and m.id == found.answer.id):  # a router passed it on
            found.duplicate, found.again = m, found.again + 1

    def _hold(self, question: _Question, key: tuple, final: list[_Question]) -> None:
        if len(self._held) >= MOST:
            oldest = next(iter(self._held))
            del self._held[oldest]
            final.append(oldest)
            self.given_up += 1
            for known in (self._exact, self._asker):
                for one in _keys(oldest):
                    if known.get(one) is oldest:
                        del known[one]
        self._held[question] = None
        self._exact[key] = question
        if question.asked is not None:
            protocol, kind, source, _, ident, seq = key
            self._asker[protocol, kind, source, ident, seq] = question

    def finish(self, sources: list[Source], others: dict[str, pl.DataFrame]) -> pl.DataFrame | None:
        return self._rows(list(self._held))

    @property
    def notes(self) -> list[str]:
        if not self.given_up:
            return []
        return [f"{self.given_up:,} questions of ICMP, the oldest, were written before the trace ended, to hold {MOST:,} at the most"]

    def _rows(self, questions: list[_Question]) -> pl.DataFrame | None:
        shown = [one for one in questions if one.kept]
        if not shown:
            return None
        columns: list[Any] = list(zip(*map(_row, shown), strict=True))
        for place in ("source", "destination", "answered_by", "error_by"):
            at = [f.name for f in self.columns].index(place)
            columns[at] = named(columns[at])
        return pl.DataFrame(
            [
                column.alias(f.name) if isinstance(column, pl.Series) else pl.Series(f.name, column, dtype=dtype_of(f))
                for f, column in zip(self.columns, columns, strict=True)
            ]
        )


def _passed_again(before: Message, m: Message) -> bool:
    """Whether a question is one that passed before: a router or the network made another frame of it, not its program."""
    return m.id == before.id and (m.ttl < before.ttl or (m.ttl == before.ttl and m.id > 0))


def _keys(question: _Question) -> Iterator[tuple]:
    """Under which a question is found."""
    m = question.asked
    if m is not None:
        yield (m.protocol, m.kind, m.source, m.destination, m.ident, m.seq)
        yield (m.protocol, m.kind, m.source, m.ident, m.seq)
    elif question.answer is not None:
        m = question.answer
        yield (m.protocol, ANSWERS[m.protocol][m.kind], m.destination, m.source, m.ident, m.seq)


def _many(address: Address) -> bool:
    """Whether an address may stand for several hosts. A subnet's broadcast address is one that ends in 255 here."""
    if isinstance(address, bytes):
        return address[0] == GROUP6
    return address is not None and (address >= GROUP4 or address & 0xFF == 0xFF)


def _row(question: _Question) -> tuple:
    asked, answer, error, again = question.asked, question.answer, question.error, question.duplicate
    one = asked or answer
    assert one is not None
    ends = (one.source, one.destination) if asked else (one.destination, one.source)
    kind = one.kind if asked else ANSWERS[one.protocol][one.kind]
    if asked is None:
        outcome = UNASKED
    elif answer is not None:
        outcome = ANSWERED if answer.source == asked.destination or _many(asked.destination) else ELSEWHERE
    else:
        outcome = SILENT if error is None else ERROR
    took = None
    if asked is not None and answer is not None and asked.time is not None and answer.time is not None:
        took = answer.time - asked.time
    return (
        one.protocol,
        ASKS[one.protocol][kind],
        *ends,
        one.ident if one.ident >= 0 else None,
        one.seq if one.seq >= 0 else None,
        asked.frame if asked else None,
        asked.time if asked else None,
        one.size,
        asked.ttl if asked else None,
        question.seen if asked else 0,
        outcome,
        answer.frame if answer else None,
        answer.source if answer else None,
        took,
        answer.ttl if answer else None,
        question.again,
        again.frame if again else None,
        error.frame if error else None,
        error.source if error else None,
        error.words if error else None,
    )


# ---------------------------------------------------------------- series

SERIES = ["protocol", "question", "source", "destination", "identifier"]


def grouped(rows: pl.DataFrame) -> pl.DataFrame:
    """A row for each series of questions of one program to one host, for `expert.pings`. A traceroute is none: `routes` has it."""
    col = pl.col
    outcome = col("outcome")
    lost, other, unasked = outcome == SILENT, outcome == ELSEWHERE, outcome == UNASKED
    single = ~named_many(rows["destination"])
    made = (
        rows.with_columns(single=single)
        .group_by(SERIES, maintain_order=True)
        .agg(
            (~unasked).sum().alias("asked"),
            lost.sum().alias("lost"),
            col("frame").filter(lost).min().alias("first_lost"),
            col("frame").filter(lost).max().alias("last_lost"),
            other.sum().alias("elsewhere"),
            col("answered_by").filter(other).first().alias("elsewhere_by"),
            col("answer_frame").filter(other).first().alias("elsewhere_frame"),
            col("duplicates").filter("single", ~unasked).sum(),
            col("last_duplicate").filter("single", ~unasked).max(),
            unasked.sum().alias("unasked"),
            col("answer_frame").filter(unasked).first().alias("unasked_frame"),
            pl.coalesce(col("frame").min(), col("answer_frame").min()).alias("first_frame"),
            pl.max_horizontal(col("frame").max(), col("answer_frame").max()).alias("last_frame"),
            col("error")
            .is_in([said for kinds in (icmp.CODE, icmpv6.CODE) for (_, code), said in kinds.items() if "exceeded" in said and not code])
            .any()
            .alias("traced"),
        )
    )
    return made.filter(~col("traced").fill_null(False))


def named_many(destinations: pl.Series) -> pl.Series:
    """Whether addresses in text stand for several hosts, as `_many` has it."""
    return destinations.str.contains(r"^(22[4-9]|23\d)\.|\.255$|^ff")
