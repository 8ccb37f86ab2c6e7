"""A row is a question of a client to a server by DNS or LLMNR: its answer, times, outcome, and the question that it repeats."""

from __future__ import annotations

import numpy as np
import polars as pl

from ..capture import Source
from ..correlators.dns_matching import DnsMatching
from ..dissection import Dissection
from ..fields import Column, Field, Headers, Reading, flag, ipv4, ipv6, seconds, text, texts, time, u16, u32, u64
from ..protocols import register
from ..protocols.common import dns_messages
from ..templates import named
from . import Table
from ._columns import SPAN, TIME, dtype_of, series

FAILED = ("FORMERR", "SERVFAIL", "NOTIMP", "REFUSED", "NOTAUTH")
UNICAST = [name for name in DnsMatching.reads if name != "mdns"]  # answers of mDNS are multicast: they have no client
QUERY, RESPONSE, QUOTED = range(3)  # roles of messages; QUOTED: an ICMP error quotes this query
TRANSACTION_TIMEOUT = 60_000_000_000  # ns after which the same question between the same ports is a new transaction
RETRY_TIMEOUT = 30_000_000_000  # ns within which the same question of a client is a retry
ANSWER_TIMEOUT = 5_000_000_000  # ns before the end of the trace within which an unanswered question is open
CONVERSATION = ("protocol", "transport", "client", "client_port", "asked", "asked_port", "id")
DNAME = 39
QUESTION = ("key", "type", "class")
AUTHORITATIVE, TRUNCATED, RECURSION_DESIRED, RECURSION_AVAILABLE = 0x400, 0x200, 0x100, 0x80  # bits of the flags, RFC 1035 §4.1.1


class TABLE(Table):
    name = "dns_transactions"
    description = (
        "a question by DNS or LLMNR: its answer, the chain of names, reply code, time; what was sent again, is unanswered or unasked"
    )
    columns = (
        Field("question_frame", u64, "Question's frame", "null: the answer is unsolicited"),
        Field("time", time, "Time", "of the question; of an unsolicited answer"),
        Field("protocol", text, "Protocol", "dns or llmnr"),
        Field("transport", text, "Carried by", "udp or tcp"),
        Field("client", text, "Client"),
        Field("client_port", u16, "Client's port"),
        Field("server", text, "Server", "asked; of LLMNR the host that answered"),
        Field("server_port", u16, "Server's port"),
        Field("id", u16, "Transaction ID", hex=4),
        Field("opcode", text, "Opcode"),
        Field("name", text, "Name", "asked for; of several questions the first"),
        Field("type", text, "Type"),
        Field("class", text, "Class"),
        Field("questions", u16, "Questions", "in the message"),
        Field(
            "outcome",
            text,
            "Outcome",
            "answered, truncated, unanswered, refused (by an ICMP error), open (the trace ended soon), unsolicited",
        ),
        Field("rcode", text, "Reply code", "of 12 bits"),
        Field("result", text, "Result", "answer, alias only, no data, referral (to other servers), else the reply code"),
        Field("duration", seconds, "Time to answer", "since the question was first sent between these ports"),
        Field("duration_last", seconds, "Time to answer since last sent"),
        Field("answer_frame", u64, "Answer's frame"),
        Field("sent", u32, "Sent", "how often, between these ports"),
        Field("last_frame", u64, "Last sent in", "frame of the question when it was last sent"),
        Field("last_time", time, "Last sent"),
        Field("answers", u32, "Answered", "how often"),
        Field("retry_of", u64, "Repeats", "frame of the question that this repeats: from another port, with another id, to another server"),
        Field("retry_why", text, "Repeated because", "no answer, truncated (then asked over TCP), failed"),
        Field("refused_in", u64, "ICMP error", "frame"),
        Field(
            "recursion",
            text,
            "Recursion",
            "recursive; not offered (wanted, but the server does not); iterative (not wanted); wanted (no answer)",
        ),
        Field("authoritative", flag, "Authoritative"),
        Field("cnames", text, "Aliases", "the chain of canonical names, in order", many=True),
        Field("addresses", text, "Addresses", "that the answer holds", many=True),
        Field("question_bytes", u32, "Bytes of the question", "the message's"),
        Field("answer_bytes", u32, "Bytes of the answer"),
    )
    needs = frozenset({"dns.id"})

    def __init__(self) -> None:
        self.messages: list[pl.DataFrame] = []
        self.end = 0

    def feed(self, d: Dissection) -> pl.DataFrame | None:
        whole = d.unfiltered or d
        if len(d.batch):
            self.end = max(self.end, int(d.batch.time.max()))
        for name in UNICAST:
            for h in whole.chunks.get(name, ()):
                if h.whole.any() and h.parent is not None:
                    self.messages.append(_messages(d, h).filter(pl.Series(h.whole)))
        return None

    def finish(self, sources: list[Source], others: dict[str, pl.DataFrame]) -> pl.DataFrame | None:
        if not self.messages:
            return None
        messages = pl.concat(self.messages).sort("frame", maintain_order=True).with_row_index("row", 1)
        self.messages.clear()
        rows = _evaluate(_retries(_transactions(messages)), self.end)
        return rows.filter("kept").select(pl.col(f.name).cast(dtype_of(f)) for f in self.columns)


# ---------------------------------------------------------------- messages


def _messages(d: Dissection, h: Headers) -> pl.DataFrame:
    """A row for each message."""
    batch, size = d.batch, len(h)
    response = h["dns.flags.response"]
    net, rows = h.network_layer() or (None, None)
    parent = h.parent
    assert parent is not None
    if net is not None and net.protocol.addresses and rows is not None:
        ends = [_text(name, net[name][rows]) for name in net.protocol.addresses]
    else:
        ends = [pl.Series([None] * size, dtype=pl.String)] * 2
    transport = parent.protocol.name
    ports = [pl.Series(_port(parent, f"{transport}.{end}port")[h.row]) for end in ("src", "dst")]
    swap = pl.Series(response)  # the client of a response is its destination
    client, server = (b.zip_with(swap, a) for a, b in (ends, ends[::-1]))
    client_port, server_port = (b.zip_with(swap, a) for a, b in (ports, ports[::-1]))
    multicast = h.protocol.name == "llmnr"  # any host of the group answers
    records = dns_messages.DnsRecords(h)
    times = pl.Series(batch.time[h.frame])
    if batch.timed is not None:
        times = times.set(pl.Series(~batch.timed[h.frame]), None)
    columns = {
        "frame": pl.Series(h.frame + batch.first),
        "ns": times,
        "kept": pl.Series(np.ones(size, bool) if d.kept is None else d.kept[h.frame]),
        "role": pl.Series(np.where(h.quoted, np.where(response, QUOTED + 1, QUOTED), response).astype(np.int8)),
        "protocol": pl.Series([h.protocol.name]).new_from_index(0, size),
        "transport": pl.Series([transport]).new_from_index(0, size),
        "client": client,
        "client_port": client_port,
        "server": server,
        "server_port": server_port,
        "asked": pl.Series([None] * size, dtype=pl.String) if multicast else server,
        "asked_port": pl.Series([None] * size, dtype=server_port.dtype) if multicast else server_port,
        "id": pl.Series(h["dns.id"]),
        "flags": pl.Series(h["dns.flags"].astype(np.int32)),
        "rcode": pl.Series(h["dns.rcode"].astype(np.int32)),
        "bytes": pl.Series(h.wire - h.start),
        **_first_question(h, records),
        **_answer_figures(h, records),
    }
    return pl.DataFrame([column.alias(name) for name, column in columns.items()])


def _text(name: str, values: np.ndarray) -> pl.Series:
    used, inverse = np.unique(values, return_inverse=True)
    return pl.Series(texts(register()[name].field, used).tolist(), dtype=pl.String).gather(inverse)


def _port(transport: Headers, name: str) -> np.ndarray:
    return transport[name].astype(np.uint16) if name in transport.layout.places else np.zeros(len(transport), np.uint16)


def _first_question(h: Headers, records: dns_messages.DnsRecords) -> dict[str, pl.Series]:
    """The first question of each message, and the number of questions."""
    pick = np.flatnonzero(records["section"] == dns_messages.QUESTION)[::-1]
    first = np.full(len(h), -1, np.int64)
    first[records.rows[pick]] = pick
    present = first >= 0
    name = np.full(len(h), None, object)
    name[present] = h.context["owner_names"].values[first[present]]
    kind, dns_class = (np.where(present, records[column][first] if len(pick) else 0, -1) for column in ("type", "class"))
    names = pl.Series(name.tolist(), dtype=pl.String)
    return {
        "name": names,
        "key": names.str.to_lowercase(),
        "type": pl.Series(kind.astype(np.int32)),
        "class": pl.Series(dns_class.astype(np.int32)),
        "questions": pl.Series(np.bincount(records.rows[pick], minlength=len(h))),
    }


def _answer_figures(h: Headers, records: dns_messages.DnsRecords) -> dict[str, pl.Series]:
    """Counts of resource records by section and type, aliases and addresses of each message."""
    section, kind, size = records["section"], records["type"], len(h)

    def count(mask: np.ndarray) -> np.ndarray:
        return np.bincount(records.rows[mask], minlength=size)

    answer = section == dns_messages.ANSWER
    names, rows = h.context["rdata_name_texts"]
    rdata_names, _ = h.context["rdata_names"]
    assert rows is not None
    alias = np.flatnonzero((rdata_names[:, 1] == dns_messages.CNAME) & (rdata_names[:, 4] == dns_messages.ANSWER))
    aliases = Column(names[alias], rows[alias])
    addressed = [Reading(layout, h.buffer, records["data"][pick], records["end"][pick], pick) for layout, pick in (
        (dns_messages.ADDRESS, np.flatnonzero(answer & (kind == dns_messages.A))),
        (dns_messages.ADDRESS6, np.flatnonzero(answer & (kind == dns_messages.AAAA))),
    )]  # fmt: skip
    parts = [(one.column(name), Field(name, form, "")) for one, name, form in zip(addressed, ("dns.a", "dns.aaaa"), (ipv4, ipv6))]
    place = np.concatenate([column.rows for column, _ in parts if column.rows is not None])
    printed = [address for column, f in parts for address in texts(f, column.values).tolist()]
    order = np.argsort(place, kind="stable")
    addresses = np.empty(len(order), object)
    addresses[:] = printed
    return {
        "records": pl.Series(count(answer & (kind != dns_messages.RRSIG))),
        "data_records": pl.Series(count(answer & ~np.isin(kind, (dns_messages.CNAME, dns_messages.RRSIG, DNAME)))),
        "soa": pl.Series(count((section == dns_messages.AUTHORITY) & (kind == dns_messages.SOA))),
        "ns_records": pl.Series(count((section == dns_messages.AUTHORITY) & (kind == dns_messages.NS))),
        "cnames": series(Field("cnames", text, "", many=True), aliases, size),
        "addresses": series(Field("addresses", text, "", many=True), Column(addresses[order], records.rows[place[order]]), size),
    }


# ---------------------------------------------------------------- transactions


def _transactions(messages: pl.DataFrame) -> pl.DataFrame:
    """A row for each question, its repetitions between the same ports included, and for each unsolicited answer."""
    col = pl.col
    query = col("role") == QUERY
    # Conversations and questions are numbered: comparing texts at every step costs more.
    messages = messages.with_columns(col("row").first().over(CONVERSATION).alias("conversation"))
    messages = messages.with_columns(col("row").first().over(QUESTION).alias("question")).sort("conversation", maintain_order=True)
    same_conversation = _same_as_previous("conversation")
    other = col("question") != col("question").shift(1)
    expired = (col("ns") - col("ns").shift(1) > TRANSACTION_TIMEOUT).fill_null(False)
    rows = messages.with_columns(
        (query & (~same_conversation | (col("role").shift(1) != QUERY) | other | expired)).cast(pl.UInt32).alias("first")
    )
    before = pl.when(~same_conversation).then(col("first").cum_sum() - col("first")).forward_fill()
    rows = rows.with_columns((col("first").cum_sum() - before).alias("nth")).filter(col("role") <= QUOTED)
    # An answer belongs to the last question before it, if it copies that question or has none.
    group = ["conversation", "nth"]
    copied = col("question") == col("question").first().over(group)
    rows = rows.with_columns(((col("nth") == 0) | (~copied & (col("questions") > 0))).alias("unasked")).with_columns(
        pl.when((col("role") == RESPONSE) & col("unasked")).then("row").otherwise(0).alias("own")
    )
    rows = rows.filter(~((col("role") == QUOTED) & (col("nth") == 0)))
    answer = col("role") == RESPONSE

    def first(name: str, where: pl.Expr) -> pl.Expr:
        return col(name).filter(where).first()

    sent_before = col("ns").filter(query & (col("frame") < first("frame", answer)))
    return (
        rows.group_by(*group, "own", maintain_order=True)
        .agg(
            col("row").first(),
            first("frame", query).alias("question_frame"),
            col("ns").first().alias("ns"),
            *(col(name).first() for name in (*CONVERSATION, "question", "name", "key", "type", "class", "questions")),
            col("flags").first(),
            col("server").filter(answer).first().fill_null(col("server").first()).alias("server"),
            col("server_port").first(),
            col("kept").any(),
            first("frame", answer).alias("answer_frame"),
            first("ns", answer).alias("answer_ns"),
            sent_before.last().alias("last_ns"),
            query.sum().alias("sent"),
            answer.sum().alias("answers"),
            first("frame", col("role") == QUOTED).alias("refused_in"),
            col("ns").filter(query).last().alias("last_sent"),
            col("frame").filter(query).last().alias("last_frame"),
            *(
                first(name, answer).alias(f"answer_{name}")
                for name in ("flags", "rcode", "records", "data_records", "soa", "ns_records", "bytes")
            ),
            *(first(name, answer) for name in ("cnames", "addresses")),
            first("bytes", query).alias("question_bytes"),
        )
        .with_columns((col("own") > 0).alias("unsolicited"))
        .sort("row")
    )


def _retries(rows: pl.DataFrame) -> pl.DataFrame:
    """Adds the previous question of the client for the same name and type, and why it is repeated."""
    col = pl.col
    asked = rows.filter(~col("unsolicited") & col("key").is_not_null())
    asked = asked.with_columns(col("row").first().over("client", "question").alias("asker")).sort("asker", maintain_order=True)
    names = ("question_frame", "last_sent", "answer_ns", "answer_flags", "answer_rcode", "row")
    before = {name: pl.when(_same_as_previous("asker")).then(col(name).shift(1)) for name in names}
    soon = col("ns") - before["last_sent"] <= RETRY_TIMEOUT
    pending = before["answer_ns"].is_null() | (before["answer_ns"] > col("ns"))
    why = (
        pl.when(pending)
        .then(pl.lit("no answer"))
        .when(_has_flag(before["answer_flags"], TRUNCATED) & (col("transport") == "tcp"))
        .then(pl.lit("truncated"))
        .when(before["answer_rcode"].is_in((1, 2, 4, 5, 23)))
        .then(pl.lit("failed"))
    )
    asked = asked.select(
        "row", pl.when(soon).then(why).alias("retry_why"), before["question_frame"].alias("retry_of"), repeated=before["row"]
    )
    asked = asked.filter(col("retry_why").is_not_null())
    rows = rows.join(asked.drop("repeated"), on="row", how="left", maintain_order="left")
    return rows.with_columns(col("row").is_in(asked["repeated"].to_list()).alias("repeated"))


def _same_as_previous(name: str) -> pl.Expr:
    """Whether the previous row has the same value."""
    return (pl.col(name) == pl.col(name).shift(1)).fill_null(False)


def _evaluate(rows: pl.DataFrame, end: int) -> pl.DataFrame:
    """Adds outcome, result, recursion and the names of numbers. end: time of the last frame, ns."""
    col = pl.col
    answered = col("answer_frame").is_not_null()
    desired, available = _has_flag(col("flags"), RECURSION_DESIRED), _has_flag(col("answer_flags"), RECURSION_AVAILABLE)
    authoritative = _has_flag(col("answer_flags"), AUTHORITATIVE)
    outcome = (
        pl.when("unsolicited")
        .then(pl.lit("unsolicited"))
        .when(answered & _has_flag(col("answer_flags"), TRUNCATED))
        .then(pl.lit("truncated"))
        .when(answered)
        .then(pl.lit("answered"))
        .when(col("refused_in").is_not_null())
        .then(pl.lit("refused"))
        .when((col("last_sent") > end - ANSWER_TIMEOUT) & ~col("repeated"))
        .then(pl.lit("open"))
        .otherwise(pl.lit("unanswered"))
    )
    code = _named(rows["answer_rcode"], "dns.rcode")
    result = (
        pl.when(~answered)
        .then(None)
        .when(col("answer_rcode") != 0)
        .then(code)
        .when(col("answer_data_records") > 0)
        .then(pl.lit("answer"))
        .when(col("answer_records") > 0)
        .then(pl.when(col("type") == dns_messages.CNAME).then(pl.lit("answer")).otherwise(pl.lit("alias only")))
        .when((col("answer_ns_records") > 0) & (col("answer_soa") == 0) & ~authoritative)
        .then(pl.lit("referral"))
        .otherwise(pl.lit("no data"))
    )
    recursion = (
        pl.when(~desired)
        .then(pl.lit("iterative"))
        .when(~answered)
        .then(pl.lit("wanted"))
        .when(available)
        .then(pl.lit("recursive"))
        .otherwise(pl.lit("not offered"))
    )
    return rows.with_columns(
        col("ns").cast(pl.Int64).cast(TIME).alias("time"),
        col("last_sent").cast(pl.Int64).cast(TIME).alias("last_time"),
        _named(rows["flags"] // 2**11 % 16, "dns.flags.opcode").alias("opcode"),
        _named(rows["type"], "dns.qry.type").alias("type"),
        _named(rows["class"], "dns.qry.class").alias("class"),
        outcome.alias("outcome"),
        code.alias("rcode"),
        result.alias("result"),
        pl.when(~col("unsolicited")).then(col("answer_ns") - col("ns")).cast(SPAN).alias("duration"),
        (col("answer_ns") - col("last_ns")).cast(SPAN).alias("duration_last"),
        recursion.alias("recursion"),
        pl.when(answered).then(authoritative).alias("authoritative"),
        col("cnames").fill_null([]),
        col("addresses").fill_null([]),
    )


def _has_flag(flags: pl.Expr, bit: int) -> pl.Expr:
    return (flags & bit) > 0


def _named(column: pl.Series, name: str) -> pl.Series:
    """The name of each number; null for null and -1."""
    f = register()[name].field
    used = np.unique(column.drop_nulls().to_numpy())
    used = used[used >= 0]
    return column.replace_strict(used.tolist(), named(f, used).tolist(), default=None, return_dtype=pl.String)


# ---------------------------------------------------------------- for verdicts


def grouped(rows: pl.DataFrame) -> pl.DataFrame:
    """Names that a client never resolved, for `expert.dns_transactions`: a row for each client, reason and set of servers. Reverse
    look-ups (PTR) are left out: nothing fails without them."""
    col = pl.col
    why = (
        pl.when((col("outcome") == "unanswered") | ((col("outcome") == "open") & (col("sent") > 1)))
        .then(pl.lit("silence"))
        .when(col("outcome") == "refused")
        .then(pl.lit("ICMP"))
        .when(col("rcode").is_in(FAILED))
        .then(col("rcode"))
    )
    asked = rows.filter(
        col("protocol") == "dns",
        col("type").ne_missing("PTR"),
        col("name").is_not_null(),
        (col("outcome") != "unsolicited") & ((col("outcome") != "open") | (col("sent") > 1)),
    )
    asked = asked.with_columns(why.alias("why"), col("name").str.to_lowercase().alias("key"))
    unresolved = asked.filter(col("why").is_not_null().all().over("client", "key"))
    names = unresolved.group_by("client", "key", maintain_order=True).agg(
        col("name").first(),
        col("why").sort_by(col("why") == "silence").first(),  # an answer is a better reason than none
        col("server").unique(maintain_order=True),
        col("sent").sum(),
        col("question_frame").min().alias("first_frame"),
        pl.max_horizontal(col("last_frame").max(), col("answer_frame").max()).alias("last_frame"),
        col("time").min(),
        col("last_time").max(),
        *(col(name).drop_nulls().first() for name in ("duration", "answer_frame", "refused_in")),
    )
    return names.group_by("client", "why", "server", maintain_order=True).agg(
        pl.len().alias("names"),
        col("name").head(3).alias("some"),
        col("sent").sum(),
        col("first_frame").min(),
        col("last_frame").max(),
        (col("last_time").max() - col("time").min()).cast(pl.Int64).alias("took"),
        col("duration").first().cast(pl.Int64),
        *(col(name).first() for name in ("answer_frame", "refused_in")),
    )
