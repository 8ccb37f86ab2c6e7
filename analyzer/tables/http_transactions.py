"""A row is an HTTP request with its final response: how long each took, how large they were, over which connection, who is a proxy.

A response belongs to the first request of its connection without one (RFC 9112 §9.3.2); 1xx are aside. What proxies pass on is told by
method and path, and by the address for which they ask: each request that they make belongs to the oldest that waits and fits.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from ..conversations import KEY
from ..dissection import Dissection
from ..expert.http import PROVEN, SLOW
from ..fields import Column, Field, Headers, Spans, flag, seconds, signed, text, time, u16, u32, u64
from ..protocols import protocols
from ..protocols.common._http import FAULTS, FRAMING
from ..protocols.http import IDEMPOTENT, REQUEST, SAFE, lines
from ..tcp.messages import Messages
from . import Table
from ._columns import SPAN, TIME, dtype_of, series
from ._ends import pair

if TYPE_CHECKING:
    from ..capture import Source

SOON = 1_000_000_000  # ns before the trace ends in which an answer need not have come
WORST = (("frame", "worst_frame"), ("answer_frame", "worst_answer"), ("asked_for", "worst_for"), ("upstream", "upstream"),
    ("upstream_server", "upstream_server"), ("upstream_wait", "upstream_wait"))  # fmt: skip
OPEN = 1000  # requests for the same from the same that wait for a proxy to ask on
ROWS = 1 << 15  # messages that are gathered before a frame of Polars is made of them
MANY = ("via", "credentials")
WORDS = (*MANY, "forwarded")
KEYS = 100_000  # of such requests that are remembered before those that were answered are forgotten
NUMBERS = (
    "number",
    "direction",
    "nth",
    "header",
    "body",
    "missing",
    "framing",
    "faults",
    "first_frame",
    "first_time",
    "known_time",
    "time",
)
ASKED = {  # what a request is asked for → the field
    "method": "http.request.method",
    "target": "http.request.uri",
    "version": "http.request.version",
    "host": "http.host",
    "user_agent": "http.user_agent",
    "connection": "http.connection",
    "content_type": "http.content_type",
    "range": "http.range",
    "x_forwarded_for": "http.x_forwarded_for",
    "upgrade": "http.upgrade",
}
ANSWERED = {
    "version": "http.response.version",
    "connection": "http.connection",
    "content_type": "http.content_type",
    "coding": "http.content_encoding",
    "content_range": "http.content_range",
    "upgrade": "http.upgrade",
}


class TABLE(Table):
    name = "http_transactions"
    description = "an HTTP request with its response: status, sizes, times, reuse of its connection, and who is a proxy"
    columns = (
        Field("stream", u32, "Stream", "tcp.stream"),
        Field("client", text, "Client", "who asks"),
        Field("client_port", u16, "Client's port"),
        Field("server", text, "Server"),
        Field("server_port", u16, "Server's port"),
        Field("nth", u32, "Request number", "of its connection, from 1: beyond 1 the connection is used again"),
        Field("frame", u64, "Request's frame", "with which it was whole"),
        Field("time", time, "Time", "of its first byte"),
        Field("method", text, "Method"),
        Field("safe", flag, "Safe", "RFC 9110 §9.2.1"),
        Field("idempotent", flag, "Idempotent", "RFC 9110 §9.2.2"),
        Field("host", text, "Host"),
        Field("target", text, "Target", "as written"),
        Field("version", text, "Version", "of the response; of the request if there is none"),
        Field("user_agent", text, "User agent"),
        Field("status", u16, "Status"),
        Field(
            "outcome",
            text,
            "Outcome",
            "answered, short (the server closed too early), begun (the trace ends within the answer), unanswered, lost (the capture lacks "
            "bytes where the answer may be), open (the trace ended soon), unasked (an answer without request)",
        ),
        Field("interim", u16, "Interim responses", "1xx that came before", many=True),
        Field("answer_frame", u64, "Answer's frame", "with which it was whole"),
        Field("first_byte", seconds, "Time to first byte", "from the last byte of the request to the first of the response"),
        Field("last_byte", seconds, "Time to last byte", "from the last byte of the request to the last of the response"),
        Field("request_time", seconds, "Request took", "from its first byte to its last"),
        Field("request_header", u32, "Request's header section", "bytes"),
        Field("request_body", u64, "Request's body", "bytes without what frames it"),
        Field("answer_header", u32, "Answer's header section", "bytes"),
        Field("answer_body", u64, "Answer's body", "bytes without what frames it; what is missing is counted"),
        Field("missing", u64, "Missing", "bytes of both bodies that no frame holds, by loss or snap length, or that never came"),
        Field("framing", text, "Ends by", "what says where the answer's body ends: nothing (it has none), length, chunked, close"),
        Field("content_type", text, "Content type", "of the answer"),
        Field("coding", text, "Content coding", "of the answer"),
        Field("range", text, "Range", "that is asked for"),
        Field("content_range", text, "Content range", "that is answered"),
        Field("persistent", flag, "Persistent", "the connection may be used again, RFC 9112 §9.3"),
        Field("pipelined", flag, "Pipelined", "sent before the request before it was answered"),
        Field("upgrade", text, "Turns to", "the protocol that the connection goes on with"),
        Field("credentials", text, "Credentials in clear", "which kinds there are, never what they are", many=True),
        Field(
            "proxy", text, "Proxy", "which sort one end is: forward, reverse, transparent; 'reverse or transparent' if it cannot be told"
        ),
        Field("proxy_end", text, "Proxy is", "client or server, of this connection; both"),
        Field("via", text, "Via", "proxies that say so, of request and response", many=True),
        Field("forwarded_for", text, "Asked for", "whom the client asks for, as it says"),
        Field("upstream", u32, "Upstream", "the stream in which the server asks on for this"),
        Field("upstream_frame", u64, "Upstream's frame", "of its request, or the first of its stream"),
        Field("downstream", u32, "Downstream", "the stream in which the client was asked for this"),
        Field("problems", text, "Problems", "what is wrong with how request or answer are framed", many=True),
    )
    needs = frozenset({"http.line", "tcp.stream"})

    def __init__(self) -> None:
        self.requests, self.answers = Gathered(ASKED), Gathered(ANSWERED)
        self.streams = Streams()
        self.messages: Messages | None = None
        self.end = 0

    def feed(self, d: Dissection) -> pl.DataFrame | None:
        whole = d.unfiltered or d
        self.messages = d.messages
        if len(d.batch):
            self.end = max(self.end, int(d.batch.time.max()))
        self.streams.feed(d)
        for h in whole.chunks.get("http", ()):
            if len(h) and "direction" in h.context:
                kept = np.ones(len(h), bool) if d.kept is None else d.kept[h.frame]
                timed = np.ones(len(h), bool) if d.batch.timed is None else d.batch.timed[h.frame]
                self._take(h, h.frame + d.batch.first, kept, timed)
        return None

    def _take(self, h: Headers, frame: np.ndarray, kept: np.ndarray, timed: np.ndarray) -> None:
        lines(h)  # of all at once
        for parts, which in ((self.requests, True), (self.answers, False)):
            rows = np.flatnonzero((h.context_of("kind") == REQUEST) == which)
            if len(rows):
                parts.add(h.take(rows), frame[rows], kept[rows], timed[rows])

    def finish(self, sources: list[Source], others: dict[str, pl.DataFrame]) -> pl.DataFrame | None:
        for h, by in self.messages.last("http") if self.messages else ():
            self._take(h, by, np.ones(len(h), bool), np.ones(len(h), bool))
        if not len(self.requests) and not len(self.answers):
            return None
        requests, answers = self.requests.take(), self.answers.take()
        holes = self.messages.holes if self.messages else set()
        found = self.streams.ends(_joined(requests, answers))
        found = _proxies(_judged(found, self.end, holes), self.streams)
        rows = found.filter("kept")
        return rows.select(pl.col(f.name).cast(dtype_of(f)) for f in self.columns)


# ---------------------------------------------------------------- messages


Columns = dict[str, Column]


class Gathered:
    """What many messages say, as columns of NumPy until there are ROWS of them: making Polars' costs more than what is in a batch."""

    def __init__(self, texts: dict[str, str]) -> None:
        self.texts = texts
        self.parts: list[tuple[int, Columns]] = []
        self.size = 0
        self.made: list[pl.DataFrame] = []

    def __len__(self) -> int:
        return self.size + len(self.made)

    def add(self, h: Headers, frame: np.ndarray, kept: np.ndarray, timed: np.ndarray) -> None:
        """What requests, or responses, say: a row each."""
        columns = {name: Column(h.context_of(name), None) for name in NUMBERS}
        if not timed.all():
            rows = np.flatnonzero(timed)
            columns |= {name: Column(h.context_of(name)[rows], rows) for name in ("first_time", "known_time", "time")}
        columns |= {"frame": Column(frame, None), "kept": Column(kept, None)}
        columns |= {name: _first(h.column(field)) for name, field in self.texts.items()}
        columns["via"] = h.column("http.via")
        if self.texts is ASKED:
            columns |= {"forwarded": _first(h.column("http.forwarded")), "credentials": h.column("http.credentials")}
        else:
            columns |= {name: Column(h.context_of(name), None) for name in ("asked", "status")}
        self.parts.append((len(h), columns))
        self.size += len(h)
        if self.size >= ROWS:
            self._flush()

    def _flush(self) -> None:
        base = np.cumsum([0, *(size for size, _ in self.parts)])
        columns = {}
        for name in self.parts[0][1]:
            several = [part[name] for _, part in self.parts]
            values = np.concatenate([one.values for one in several])
            rows = np.concatenate([(np.arange(size) if part[name].rows is None else part[name].rows) + at
                for at, (size, part) in zip(base.tolist(), self.parts)])  # fmt: skip
            if name in self.texts or name in WORDS:
                columns[name] = series(Field(name, text, "", many=name in MANY), Column(values.astype(object), rows), self.size)
            elif len(rows) < self.size:
                columns[name] = series(Field(name, signed, ""), Column(values, rows), self.size)
            else:
                columns[name] = pl.Series(values)
        self.made.append(pl.DataFrame([column.alias(name) for name, column in columns.items()]))
        self.parts, self.size = [], 0

    def take(self) -> pl.DataFrame:
        """All of them, which are forgotten then."""
        if not len(self):
            self.add(*_nothing())
        if self.parts:
            self._flush()
        made, self.made = pl.concat(self.made), []
        return made


def _nothing() -> tuple[Headers, np.ndarray, np.ndarray, np.ndarray]:
    h = Headers(protocols()["http"], np.zeros(8, np.uint8), Spans(*(np.zeros(0, np.int64),) * 4, np.zeros(0, bool), np.zeros(0, np.int64)),
        np.zeros(0, np.int64), None)  # fmt: skip
    for name in (*NUMBERS, "kind", "asked", "status", "lead", "content"):
        h.set_context(name, np.zeros(0, np.int64))
    none = np.zeros(0, bool)
    return h, np.zeros(0, np.int64), none, none


def _first(column: Column) -> Column:
    """Of what a message repeats, the first."""
    values, rows = column
    if rows is None or len(rows) < 2:
        return column
    keep = np.diff(rows, prepend=-1) != 0
    return column if keep.all() else Column(values[keep], rows[keep])


class Streams:
    """The ends of TCP connections and where each begins: 64 bytes for each."""

    def __init__(self) -> None:
        self.parts: list[tuple[np.ndarray, np.ndarray]] = []
        self.seen = -1
        self.keys = np.zeros((0, KEY), np.uint8)
        self.began = np.zeros((0, 4), np.int64)

    def feed(self, d: Dissection) -> None:
        s = d.segments
        if s is None:
            return
        rows = np.flatnonzero((s["live"] != 0) & (s["stream"] > self.seen))
        if len(rows):
            streams, first = np.unique(s["stream"][rows], return_index=True)
            rows = rows[first]
            self.seen = int(streams[-1])
            began = np.stack((streams, s["frame"][rows], s["time"][rows], s["back"][rows]), 1)
            self.parts.append((np.frombuffer(s.keys, np.uint8).reshape(-1, KEY)[rows], began.astype(np.int64)))

    def all(self) -> pl.DataFrame:
        """A row a stream: its number, ends (who sent first, and the other), first frame and time."""
        if self.parts:
            self.keys, self.began = (np.concatenate(part) for part in zip(*self.parts))
            self.parts.clear()
        back = self.began[:, 3] != 0
        (a, a_port), (b, b_port) = pair(self.keys.tobytes(), back)
        number, frame, when = (pl.Series(self.began[:, nth]) for nth in range(3))
        return pl.DataFrame({"stream": number, "a": a, "a_port": a_port, "b": b, "b_port": b_port, "began": frame, "when": when})

    def ends(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows with client and server: `way` is the client's, twice the stream's number, plus 1 from the greater end of its key."""
        self.all()
        at = np.searchsorted(self.began[:, 0], rows["stream"].to_numpy())
        (client, client_port), (server, server_port) = pair(self.keys.tobytes(), (rows["direction"].to_numpy() & 1) != 0, at)
        return rows.with_columns(
            client.alias("client"), client_port.alias("client_port"), server.alias("server"), server_port.alias("server_port")
        )


# ---------------------------------------------------------------- transactions


def _joined(requests: pl.DataFrame, answers: pl.DataFrame) -> pl.DataFrame:
    """Requests with their final responses, then those without request."""
    col = pl.col
    interim = answers.filter((col("status") < 200) & (col("status") != 101))
    interim = interim.group_by("asked", maintain_order=True).agg(col("status").alias("interim"))
    final = answers.filter((col("status") >= 200) | (col("status") == 101))
    final = final.rename({name: f"answer_{name}" for name in final.columns if name != "asked"})
    known = final.filter(col("asked") > 0)
    found = requests.join(known, left_on="number", right_on="asked", how="left", maintain_order="left")
    found = found.join(interim, left_on="number", right_on="asked", how="left", maintain_order="left")
    alone = final.filter(~col("asked").is_in(requests["number"].implode())).drop("asked")
    if len(alone):
        alone = alone.with_columns((col("answer_direction") ^ 1).alias("direction"), col("answer_kept").alias("kept"))
        found = pl.concat([found, alone], how="diagonal")
    return found.with_columns(
        (col("direction") // 2).alias("stream"),
        (col("kept").fill_null(False) | col("answer_kept").fill_null(False)).alias("kept"),
    )


def _judged(found: pl.DataFrame, end: int, holes: set[int]) -> pl.DataFrame:
    """What follows from both messages."""
    col = pl.col
    asked, answered = col("number").is_not_null(), col("answer_number").is_not_null()
    whole = col("answer_frame") > 0
    found = found.sort(pl.coalesce("first_frame", "answer_first_frame"), "direction", pl.coalesce("number", "answer_number"))
    after = (asked & answered).cast(pl.Int8).reverse().cum_max().reverse().over("stream") > 0  # answers come in order: this one was lost
    lossy = (col("direction") ^ 1).is_in(sorted(holes))
    short = (col("answer_faults") & 1 << FAULTS.index("short")) > 0
    outcome = (
        pl.when(~asked)
        .then(pl.lit("unasked"))
        .when(answered & ~whole)
        .then(pl.lit("begun"))
        .when(short)
        .then(pl.lit("short"))
        .when(answered)
        .then(pl.lit("answered"))
        .when(after | lossy)
        .then(pl.lit("lost"))
        .when((col("frame") == 0) | (col("time") > end - SOON).fill_null(False))
        .then(pl.lit("open"))
        .otherwise(pl.lit("unanswered"))
    )
    closes = pl.any_horizontal(
        _says(name, "close") | ((col(version) == "HTTP/1.0") & ~_says(name, "keep-alive"))
        for name, version in (("connection", "version"), ("answer_connection", "answer_version"))
    )
    problems = pl.concat_list(
        pl.when(((col("faults").fill_null(0) | col("answer_faults").fill_null(0)) & 1 << nth) > 0).then(pl.lit(name))
        for nth, name in enumerate(FAULTS)
    ).list.drop_nulls()
    done = pl.when(col("frame") > 0).then(col("time"))
    early = col("answer_first_time") < done
    turned = (col("answer_status") == 101) | (col("method") == "CONNECT").fill_null(False) & col("answer_status").is_between(200, 299)
    tunnel = (col("method") == "CONNECT") & col("answer_status").is_between(200, 299)
    return found.with_columns(
        outcome.alias("outcome"),
        pl.when(asked).then(col("method").is_in(sorted(SAFE))).alias("safe"),
        pl.when(asked).then(col("method").is_in(sorted(IDEMPOTENT))).alias("idempotent"),
        col("first_time").cast(TIME).alias("when"),
        pl.when(~early).then(col("answer_first_time") - done).cast(SPAN).alias("first_byte"),
        pl.when(whole & ~early).then(col("answer_time") - done).cast(SPAN).alias("last_byte"),
        (done - col("first_time")).cast(SPAN).alias("request_time"),
        pl.when(whole).then("answer_frame").alias("answer_frame"),
        pl.when(col("frame") > 0).then("frame").alias("frame"),
        pl.when(answered).then((col("answer_framing") != FRAMING.index("close")) & ~closes & ~turned).alias("persistent"),
        (col("first_time") < col("answer_first_time").shift(1).over("stream")).fill_null(False).alias("pipelined"),
        pl.when(tunnel)
        .then(pl.lit("tunnel"))
        .when(col("answer_status") == 101)
        .then(pl.coalesce("answer_upgrade", "upgrade"))
        .alias("upgrade"),
        problems.alias("problems"),
        pl.coalesce("answer_version", "version").alias("version"),
        pl.when(answered)
        .then(col("answer_framing").replace_strict(dict(enumerate(FRAMING)), default=None, return_dtype=pl.String))
        .alias("framing"),
        (col("missing").fill_null(0) + col("answer_missing").fill_null(0)).alias("missing"),
        col("answer_status").alias("status"),
        col("answer_content_type").alias("content_type"),
        col("answer_coding").alias("coding"),
        col("answer_content_range").alias("content_range"),
        col("header").alias("request_header"),
        col("body").alias("request_body"),
        pl.concat_list(col(name).fill_null([]) for name in ("via", "answer_via")).list.unique(maintain_order=True).alias("via"),
        col("interim").fill_null([]),
        col("credentials").fill_null([]),
        pl.coalesce("x_forwarded_for", "forwarded").alias("forwarded_for"),
        col("via").fill_null([]).list.len().alias("asks_via"),
        col("answer_via").fill_null([]).list.len().alias("answers_via"),
        col("time").alias("done"),
        col("answer_first_time").alias("answering"),
    ).with_columns(col("when").alias("time"))


def _says(name: str, word: str) -> pl.Expr:
    return pl.col(name).str.to_lowercase().str.contains(word, literal=True).fill_null(False)


# ---------------------------------------------------------------- proxies


def _proxies(found: pl.DataFrame, streams: Streams) -> pl.DataFrame:
    """Who is a proxy, of which sort, and which connection it made for this one."""
    col = pl.col
    absolute = col("target").str.contains(r"^[A-Za-z][A-Za-z0-9+.-]*://").fill_null(False)
    connects = (col("method") == "CONNECT").fill_null(False)
    found = found.with_columns(
        (absolute | connects).alias("forward"),
        (col("asks_via").gt(0) | col("forwarded_for").is_not_null()).alias("from_proxy"),
        pl.when(absolute)
        .then(pl.coalesce(col("target").str.extract(r"^[^:]+://[^/?#]*([^#]*)"), pl.lit("/")).replace("", "/"))
        .otherwise("target")
        .alias("path"),
    ).with_row_index("row")
    servers = found.filter("forward")["server"].unique()
    suspects = found.filter(col("number").is_not_null() & (col("from_proxy") | col("client").is_in(found["server"].unique().implode())))
    links = _links(found, suspects) if len(suspects) else {}
    links_down = {up: down for down, up in links.items()}
    tunnels = _tunnels(found.filter(connects), streams) if len(servers) else {}
    n = len(found)
    upstream: list[int | None] = [None] * n
    upstream_frame, downstream = upstream.copy(), upstream.copy()
    kind: list[str | None] = [None] * n
    stream, frame, server = (found[name].to_list() for name in ("stream", "frame", "server"))
    for row, forward in enumerate(found["forward"].to_list()):
        if row in links:
            upstream[row], upstream_frame[row] = stream[links[row]], frame[links[row]]
        if row in tunnels:
            upstream[row], upstream_frame[row] = tunnels[row]
        if forward:
            kind[row] = "forward"
        elif row in links:
            kind[row] = "transparent" if server[links[row]] == server[row] else "reverse"
    for row, down in links_down.items():
        downstream[row] = stream[down]
        kind[row] = kind[row] or kind[down]
    found = found.with_columns(
        pl.Series("kind", kind, pl.String),
        pl.Series("upstream", upstream, pl.Int64),
        pl.Series("upstream_frame", upstream_frame, pl.Int64),
        pl.Series("downstream", downstream, pl.Int64),
    )
    behind = col("forward") | col("upstream").is_not_null() | (col("answers_via").gt(0) & ~col("from_proxy"))
    before = col("from_proxy") | col("downstream").is_not_null()
    return found.with_columns(
        pl.when(col("kind").is_not_null())
        .then("kind")
        .when(behind)
        .then(pl.lit("reverse or transparent"))
        .when(before)
        .then(pl.lit("any"))
        .alias("proxy"),
        pl.when(behind & before)
        .then(pl.lit("both"))
        .when(behind)
        .then(pl.lit("server"))
        .when(before)
        .then(pl.lit("client"))
        .alias("proxy_end"),
    )


def _links(found: pl.DataFrame, suspects: pl.DataFrame) -> dict[int, int]:
    """Row of a request → row of the request that a proxy made for it. Each belongs to one other."""
    wanted = {(method, path) for method, path in suspects.select("method", "path").iter_rows()}
    waiting: dict[tuple, list[tuple[int, int, int]]] = {}
    most = KEYS
    links: dict[int, int] = {}
    columns = ("row", "stream", "answering", "method", "path", "client", "server", "first_time")
    may = set(suspects["row"].to_list())
    forwarded = dict(zip(suspects["row"].to_list(), suspects["forwarded_for"].fill_null("").to_list()))
    told = dict(zip(suspects["row"].to_list(), suspects["asks_via"].to_list()))
    rows = found.filter(pl.col("number").is_not_null() & pl.col("known_time").is_not_null()).sort("first_time", maintain_order=True)
    for row, stream, answering, method, path, client, server, began in rows.select(columns).iter_rows():
        what = method, path
        if what not in wanted:
            continue
        if row in may:
            keys = [("from", one.strip(' []"'), *what) for one in re.split(r"[,;=]", forwarded[row])[-8:]] if forwarded[row] else []
            keys.append(("by", client, *what))
            if told[row]:
                keys.append(("to", server, *what))
            for key in keys:
                queue = waiting.get(key, [])
                queue[:] = [one for one in queue if one[0] not in links and one[2] >= began]
                mine = next((one for one in queue if one[1] != stream), None)
                if mine is not None:
                    links[mine[0]] = row
                    break
        until = answering if answering is not None else 1 << 62
        for key in (("from", client, *what), ("by", server, *what), ("to", server, *what)):
            queue = waiting.setdefault(key, [])
            if len(queue) < OPEN:
                queue.append((row, stream, until))
        if len(waiting) > most:  # those whose answers had begun by now wait no more
            waiting = {key: queue for key, queue in waiting.items() if queue and queue[-1][2] >= began}
            most = 2 * len(waiting) + KEYS
    return links


def _tunnels(asked: pl.DataFrame, streams: Streams) -> dict[int, tuple[int, int]]:
    """Row of a CONNECT → (stream, its first frame) that its proxy opened for it: to that port, before it answered."""
    col = pl.col
    opened = streams.all().filter(col("a").is_in(asked["server"].unique().implode())).sort("when", maintain_order=True)
    by: dict[tuple[str, int], list[tuple[int, int, int, str]]] = {}
    for number, proxy, port, target, frame, when in opened.select("stream", "a", "b_port", "b", "began", "when").iter_rows():
        by.setdefault((proxy, port), []).append((when, number, frame, target))
    found: dict[int, tuple[int, int]] = {}
    used: set[int] = set()
    columns = ("row", "server", "target", "known_time", "answering")
    for row, proxy, target, known, answering in asked.select(columns).iter_rows():
        host, _, port = target.rpartition(":")
        for when, number, frame, address in by.get((proxy, int(port)), ()) if port.isdigit() and len(port) < 6 else ():
            fits = known is not None and known <= when and (answering is None or when <= answering)
            literal = re.fullmatch(r"[\d.]+|\[[0-9a-fA-F:.]+\]", host)
            if fits and number not in used and (not literal or host.strip("[]") == address):
                found[row] = number, frame
                used.add(number)
                break
    return found


# ---------------------------------------------------------------- for verdicts


def grouped(rows: pl.DataFrame) -> pl.DataFrame:
    """What one server made of its requests, and who sent it credentials in clear, for `expert.http_transactions`: a row for each."""
    col = pl.col
    outcome = col("outcome")
    answered, unanswered, short = outcome.is_in(("answered", "short", "begun")), outcome == "unanswered", outcome == "short"
    failed = answered & (col("status") >= 500).fill_null(False)
    wait = col("first_byte").cast(pl.Int64)
    asked_for = col("method") + " " + col("target").str.replace(r"[?#].*", "").str.replace(r"//[^/]*@", "//").str.slice(0, 100)
    behind = rows.select(
        col("stream").alias("upstream"),
        col("frame").alias("upstream_frame"),
        (col("server") + ":" + col("server_port").cast(pl.String)).alias("upstream_server"),
        wait.alias("upstream_wait"),
    )
    rows = rows.filter(outcome != "unasked").join(
        behind.unique(["upstream", "upstream_frame"]), on=["upstream", "upstream_frame"], how="left", maintain_order="left"
    )
    ends = ("server", "server_port")
    rows = rows.with_columns(
        asked_for.alias("asked_for"), failed.alias("failed"), (answered & (wait >= SLOW)).fill_null(False).alias("late")
    )
    errors = rows.filter("failed").sort("time", maintain_order=True)
    many = errors.group_by(ends, maintain_order=True).agg(
        col("time").alias("times"), col("status").value_counts(sort=True).alias("statuses")
    )
    densest = [_densest(times) for times in many["times"].to_list()]
    said = [", ".join(f"{one['count']:,} × {one['status']}" for one in counts) for counts in many["statuses"].to_list()]
    many = many.select(ends).with_columns(pl.Series("densest", densest, pl.Int64), pl.Series("statuses", said, pl.String))
    worst = wait.arg_max()
    made = (
        rows.group_by(ends, maintain_order=True)
        .agg(
            col("host").drop_nulls().first(),
            pl.len().alias("asked"),
            answered.sum().alias("answered"),
            unanswered.sum().alias("unanswered"),
            col("frame").filter(unanswered).min().alias("first_unanswered"),
            col("frame").filter(unanswered).max().alias("last_unanswered"),
            pl.coalesce(col("asked_for").filter(unanswered).first(), pl.lit("")).alias("asked_for"),
            short.sum().alias("short"),
            col("answer_frame").filter(short).min().alias("first_short"),
            col("missing").filter(short).sum().alias("lacking"),
            col("failed").sum().alias("errors"),
            col("answer_frame").filter("failed").min().alias("first_error"),
            col("answer_frame").filter("failed").max().alias("last_error"),
            col("late").sum().alias("slow"),
            wait.max().alias("worst"),
            *(col(name).get(worst, null_on_oob=True).alias(alias) for name, alias in WORST),
            col("frame").min().alias("first_frame"),
            pl.max_horizontal(col("frame").max(), col("answer_frame").max()).alias("last_frame"),
        )
        .join(many, on=ends, how="left", maintain_order="left")
        .with_columns(pl.lit("answers").alias("aspect"), col("densest").fill_null(0))
    )
    kinds = col("credentials").list.filter(~pl.element().str.strip_prefix("proxy ").str.to_lowercase().is_in(PROVEN))
    secret = (
        rows.with_columns(kinds.alias("credentials"))
        .filter(col("credentials").list.len() > 0)
        .group_by("client", *ends, maintain_order=True)
        .agg(
            col("host").drop_nulls().first(),
            pl.len().alias("asked"),
            col("frame").min().alias("first_frame"),
            col("frame").max().alias("last_frame"),
            col("credentials").explode().unique(maintain_order=True).str.join(", ").alias("kinds"),
        )
        .with_columns(pl.lit("credentials").alias("aspect"))
    )
    return pl.concat([made, secret], how="diagonal_relaxed")


def _densest(times: list) -> int:
    """The most of these times, sorted, that lie within ten seconds."""
    most, first = 0, 0
    for at, one in enumerate(times):
        if one is None:
            continue
        while times[first] is None or (one - times[first]).total_seconds() > 10:
            first += 1
        most = max(most, at - first + 1)
    return most
