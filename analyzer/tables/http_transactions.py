"""A row is an HTTP request with its final response: how long each took, how large they were, over which connection, who is a proxy.

A response belongs to the first request of its connection without one (RFC 9112 §9.3.2); 1xx responses are listed with it. A request that
a proxy forwards is recognized by method and path, and by the address that it names: it belongs to the oldest pending request that fits.
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
from ..protocols.http import IDEMPOTENT, REQUEST, SAFE, field_lines
from ..tcp.messages import Messages
from . import Table
from ._columns import SPAN, TIME, dtype_of, series
from ._ends import pair

if TYPE_CHECKING:
    from ..capture import Source

SOON = 1_000_000_000  # ns before the end of the trace: a request without response is open, not unanswered
WORST = (("frame", "worst_frame"), ("answer_frame", "worst_answer"), ("asked_for", "worst_for"), ("upstream", "upstream"),
    ("upstream_server", "upstream_server"), ("upstream_wait", "upstream_wait"))  # fmt: skip
OPEN = 1000  # pending requests with the same key that a proxy may forward
ROWS = 1 << 15  # messages that are collected before a Polars frame is made of them
MANY = ("via", "credentials")
TEXTS = (*MANY, "forwarded")
KEYS = 100_000  # keys of such requests that are remembered before answered ones are forgotten
COLUMNS = (  # of `_http.OUTPUT`
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
    "header_time",
    "time",
)
REQUEST_FIELDS = {  # column → field of a request
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
RESPONSE_FIELDS = {
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
        Field("upgrade", text, "Upgraded to", "the protocol that the connection goes on with"),
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
        self.requests, self.answers = MessageBuffer(REQUEST_FIELDS), MessageBuffer(RESPONSE_FIELDS)
        self.streams = StreamEnds()
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
        field_lines(h)  # of all messages at once, for both calls of `take` below
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
        rows = self.streams.ends(_pair_messages(requests, answers))
        rows = _proxies(_outcomes(rows, self.end, holes), self.streams)
        return rows.filter("kept").select(pl.col(f.name).cast(dtype_of(f)) for f in self.columns)


# ---------------------------------------------------------------- messages


Columns = dict[str, Column]


class MessageBuffer:
    """Columns of many messages, in NumPy until there are ROWS of them: a Polars frame of each batch would cost more."""

    def __init__(self, texts: dict[str, str]) -> None:
        self.texts = texts
        self.parts: list[tuple[int, Columns]] = []
        self.size = 0
        self.frames: list[pl.DataFrame] = []

    def __len__(self) -> int:
        return self.size + len(self.frames)

    def add(self, h: Headers, frame: np.ndarray, kept: np.ndarray, timed: np.ndarray) -> None:
        """Add requests, or responses: a row each."""
        columns = {name: Column(h.context_of(name), None) for name in COLUMNS}
        if not timed.all():
            rows = np.flatnonzero(timed)
            columns |= {name: Column(h.context_of(name)[rows], rows) for name in ("first_time", "header_time", "time")}
        columns |= {"frame": Column(frame, None), "kept": Column(kept, None)}
        columns |= {name: _first(h.column(field)) for name, field in self.texts.items()}
        columns["via"] = h.column("http.via")
        if self.texts is REQUEST_FIELDS:
            columns |= {"forwarded": _first(h.column("http.forwarded")), "credentials": h.column("http.credentials")}
        else:
            columns |= {name: Column(h.context_of(name), None) for name in ("request", "status")}
        self.parts.append((len(h), columns))
        self.size += len(h)
        if self.size >= ROWS:
            self._flush()

    def _flush(self) -> None:
        base = np.cumsum([0, *(size for size, _ in self.parts)])
        columns = {}
        for name in self.parts[0][1]:
            several = [part[name] for _, part in self.parts]
            values = np.concatenate([column.values for column in several])
            rows = np.concatenate([(np.arange(size) if part[name].rows is None else part[name].rows) + at
                for at, (size, part) in zip(base.tolist(), self.parts)])  # fmt: skip
            if name in self.texts or name in TEXTS:
                columns[name] = series(Field(name, text, "", many=name in MANY), Column(values.astype(object), rows), self.size)
            elif len(rows) < self.size:
                columns[name] = series(Field(name, signed, ""), Column(values, rows), self.size)
            else:
                columns[name] = pl.Series(values)
        self.frames.append(pl.DataFrame([column.alias(name) for name, column in columns.items()]))
        self.parts, self.size = [], 0

    def take(self) -> pl.DataFrame:
        """All of them; the buffer is empty then."""
        if not len(self):
            self.add(*_no_messages())
        if self.parts:
            self._flush()
        result, self.frames = pl.concat(self.frames), []
        return result


def _no_messages() -> tuple[Headers, np.ndarray, np.ndarray, np.ndarray]:
    h = Headers(protocols()["http"], np.zeros(8, np.uint8), Spans(*(np.zeros(0, np.int64),) * 4, np.zeros(0, bool), np.zeros(0, np.int64)),
        np.zeros(0, np.int64), None)  # fmt: skip
    for name in (*COLUMNS, "kind", "request", "status", "leading", "is_text"):
        h.set_context(name, np.zeros(0, np.int64))
    none = np.zeros(0, bool)
    return h, np.zeros(0, np.int64), none, none


def _first(column: Column) -> Column:
    """The first value of each message."""
    values, rows = column
    if rows is None or len(rows) < 2:
        return column
    keep = np.diff(rows, prepend=-1) != 0
    return column if keep.all() else Column(values[keep], rows[keep])


class StreamEnds:
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
        """The rows with client and server: `direction` is the client's."""
        self.all()
        at = np.searchsorted(self.began[:, 0], rows["stream"].to_numpy())
        (client, client_port), (server, server_port) = pair(self.keys.tobytes(), (rows["direction"].to_numpy() & 1) != 0, at)
        return rows.with_columns(
            client.alias("client"), client_port.alias("client_port"), server.alias("server"), server_port.alias("server_port")
        )


# ---------------------------------------------------------------- transactions


def _pair_messages(requests: pl.DataFrame, answers: pl.DataFrame) -> pl.DataFrame:
    """Requests with their final responses, then those without request."""
    col = pl.col
    interim = answers.filter((col("status") < 200) & (col("status") != 101))
    interim = interim.group_by("request", maintain_order=True).agg(col("status").alias("interim"))
    final = answers.filter((col("status") >= 200) | (col("status") == 101))
    final = final.rename({name: f"answer_{name}" for name in final.columns if name != "request"})
    matched = final.filter(col("request") > 0)
    rows = requests.join(matched, left_on="number", right_on="request", how="left", maintain_order="left")
    rows = rows.join(interim, left_on="number", right_on="request", how="left", maintain_order="left")
    unmatched = final.filter(~col("request").is_in(requests["number"].implode())).drop("request")
    if len(unmatched):
        unmatched = unmatched.with_columns((col("answer_direction") ^ 1).alias("direction"), col("answer_kept").alias("kept"))
        rows = pl.concat([rows, unmatched], how="diagonal")
    return rows.with_columns(
        (col("direction") // 2).alias("stream"), (col("kept").fill_null(False) | col("answer_kept").fill_null(False)).alias("kept")
    )


def _outcomes(rows: pl.DataFrame, end: int, holes: set[int]) -> pl.DataFrame:
    """The columns that follow from a request and its response."""
    col = pl.col
    is_request, answered = col("number").is_not_null(), col("answer_number").is_not_null()
    whole = col("answer_frame") > 0
    rows = rows.sort(pl.coalesce("first_frame", "answer_first_frame"), "direction", pl.coalesce("number", "answer_number"))
    # answers come in order: where a later request was answered, this answer was lost
    after = (is_request & answered).cast(pl.Int8).reverse().cum_max().reverse().over("stream") > 0
    lossy = (col("direction") ^ 1).is_in(sorted(holes))
    short = (col("answer_faults") & 1 << FAULTS.index("short")) > 0
    outcome = (
        pl.when(~is_request)
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
        _contains(name, "close") | ((col(version) == "HTTP/1.0") & ~_contains(name, "keep-alive"))
        for name, version in (("connection", "version"), ("answer_connection", "answer_version"))
    )
    problems = pl.concat_list(
        pl.when(((col("faults").fill_null(0) | col("answer_faults").fill_null(0)) & 1 << nth) > 0).then(pl.lit(name))
        for nth, name in enumerate(FAULTS)
    ).list.drop_nulls()
    done = pl.when(col("frame") > 0).then(col("time"))
    early = col("answer_first_time") < done
    switched = (col("answer_status") == 101) | (col("method") == "CONNECT").fill_null(False) & col("answer_status").is_between(200, 299)
    tunnel = (col("method") == "CONNECT") & col("answer_status").is_between(200, 299)
    return rows.with_columns(
        outcome.alias("outcome"),
        pl.when(is_request).then(col("method").is_in(sorted(SAFE))).alias("safe"),
        pl.when(is_request).then(col("method").is_in(sorted(IDEMPOTENT))).alias("idempotent"),
        col("first_time").cast(TIME).alias("when"),
        pl.when(~early).then(col("answer_first_time") - done).cast(SPAN).alias("first_byte"),
        pl.when(whole & ~early).then(col("answer_time") - done).cast(SPAN).alias("last_byte"),
        (done - col("first_time")).cast(SPAN).alias("request_time"),
        pl.when(whole).then("answer_frame").alias("answer_frame"),
        pl.when(col("frame") > 0).then("frame").alias("frame"),
        pl.when(answered).then((col("answer_framing") != FRAMING.index("close")) & ~closes & ~switched).alias("persistent"),
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


def _contains(name: str, word: str) -> pl.Expr:
    return pl.col(name).str.to_lowercase().str.contains(word, literal=True).fill_null(False)


# ---------------------------------------------------------------- proxies


def _proxies(rows: pl.DataFrame, streams: StreamEnds) -> pl.DataFrame:
    """Which end is a proxy, of which kind, and which connection it opened for this one."""
    col = pl.col
    absolute = col("target").str.contains(r"^[A-Za-z][A-Za-z0-9+.-]*://").fill_null(False)
    connects = (col("method") == "CONNECT").fill_null(False)
    rows = rows.with_columns(
        (absolute | connects).alias("forward"),
        (col("asks_via").gt(0) | col("forwarded_for").is_not_null()).alias("from_proxy"),
        pl.when(absolute)
        .then(pl.coalesce(col("target").str.extract(r"^[^:]+://[^/?#]*([^#]*)"), pl.lit("/")).replace("", "/"))
        .otherwise("target")
        .alias("path"),
    ).with_row_index("row")
    servers = rows.filter("forward")["server"].unique()
    suspects = rows.filter(col("number").is_not_null() & (col("from_proxy") | col("client").is_in(rows["server"].unique().implode())))
    links = _links(rows, suspects) if len(suspects) else {}
    links_down = {up: down for down, up in links.items()}
    tunnels = _tunnels(rows.filter(connects), streams) if len(servers) else {}
    n = len(rows)
    upstream: list[int | None] = [None] * n
    upstream_frame, downstream = upstream.copy(), upstream.copy()
    kind: list[str | None] = [None] * n
    stream, frame, server = (rows[name].to_list() for name in ("stream", "frame", "server"))
    for row, forward in enumerate(rows["forward"].to_list()):
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
    rows = rows.with_columns(
        pl.Series("kind", kind, pl.String),
        pl.Series("upstream", upstream, pl.Int64),
        pl.Series("upstream_frame", upstream_frame, pl.Int64),
        pl.Series("downstream", downstream, pl.Int64),
    )
    behind = col("forward") | col("upstream").is_not_null() | (col("answers_via").gt(0) & ~col("from_proxy"))
    before = col("from_proxy") | col("downstream").is_not_null()
    return rows.with_columns(
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


def _links(rows: pl.DataFrame, suspects: pl.DataFrame) -> dict[int, int]:
    """Row of a request → row of the request that a proxy made for it, one to one."""
    wanted = {(method, path) for method, path in suspects.select("method", "path").iter_rows()}
    pending: dict[tuple, list[tuple[int, int, int]]] = {}
    most = KEYS
    links: dict[int, int] = {}
    columns = ("row", "stream", "answering", "method", "path", "client", "server", "first_time")
    candidates = set(suspects["row"].to_list())
    forwarded = dict(zip(suspects["row"].to_list(), suspects["forwarded_for"].fill_null("").to_list()))
    via_count = dict(zip(suspects["row"].to_list(), suspects["asks_via"].to_list()))
    requests = rows.filter(pl.col("number").is_not_null() & pl.col("header_time").is_not_null()).sort("first_time", maintain_order=True)
    for row, stream, answering, method, path, client, server, began in requests.select(columns).iter_rows():
        target = method, path
        if target not in wanted:
            continue
        if row in candidates:
            keys = [("from", name.strip(' []"'), *target) for name in re.split(r"[,;=]", forwarded[row])[-8:]] if forwarded[row] else []
            keys.append(("by", client, *target))
            if via_count[row]:
                keys.append(("to", server, *target))
            for key in keys:
                queue = pending.get(key, [])
                queue[:] = [entry for entry in queue if entry[0] not in links and entry[2] >= began]
                mine = next((entry for entry in queue if entry[1] != stream), None)
                if mine is not None:
                    links[mine[0]] = row
                    break
        until = answering if answering is not None else 1 << 62
        for key in (("from", client, *target), ("by", server, *target), ("to", server, *target)):
            queue = pending.setdefault(key, [])
            if len(queue) < OPEN:
                queue.append((row, stream, until))
        if len(pending) > most:  # a request whose answer has begun is not pending any more
            pending = {key: queue for key, queue in pending.items() if queue and queue[-1][2] >= began}
            most = 2 * len(pending) + KEYS
    return links


def _tunnels(connects: pl.DataFrame, streams: StreamEnds) -> dict[int, tuple[int, int]]:
    """Row of a CONNECT → (stream, its first frame) that its proxy opened for it: to that port, before it answered."""
    col = pl.col
    opened = streams.all().filter(col("a").is_in(connects["server"].unique().implode())).sort("when", maintain_order=True)
    by: dict[tuple[str, int], list[tuple[int, int, int, str]]] = {}
    for number, proxy, port, target, frame, when in opened.select("stream", "a", "b_port", "b", "began", "when").iter_rows():
        by.setdefault((proxy, port), []).append((when, number, frame, target))
    tunnels: dict[int, tuple[int, int]] = {}
    used: set[int] = set()
    columns = ("row", "server", "target", "header_time", "answering")
    for row, proxy, target, header_time, answering in connects.select(columns).iter_rows():
        host, _, port = target.rpartition(":")
        for when, number, frame, address in by.get((proxy, int(port)), ()) if port.isdigit() and len(port) < 6 else ():
            fits = header_time is not None and header_time <= when and (answering is None or when <= answering)
            literal = re.fullmatch(r"[\d.]+|\[[0-9a-fA-F:.]+\]", host)
            if fits and number not in used and (not literal or host.strip("[]") == address):
                tunnels[row] = number, frame
                used.add(number)
                break
    return tunnels


# ---------------------------------------------------------------- for verdicts


def grouped(rows: pl.DataFrame) -> pl.DataFrame:
    """For `expert.http_transactions`: a row for each server, and one for each client that sent it credentials in clear."""
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
    statuses = [", ".join(f"{entry['count']:,} × {entry['status']}" for entry in counts) for counts in many["statuses"].to_list()]
    many = many.select(ends).with_columns(pl.Series("densest", densest, pl.Int64), pl.Series("statuses", statuses, pl.String))
    worst = wait.arg_max()
    servers = (
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
    return pl.concat([servers, secret], how="diagonal_relaxed")


def _densest(times: list) -> int:
    """The largest number of these sorted times within ten seconds."""
    most, first = 0, 0
    for at, when in enumerate(times):
        if when is None:
            continue
        while times[first] is None or (when - times[first]).total_seconds() > 10:
            first += 1
        most = max(most, at - first + 1)
    return most
