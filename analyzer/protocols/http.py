"""Hypertext Transfer Protocol, version 1. RFC 9112, RFC 9110, https://www.rfc-editor.org/rfc/rfc9112

A header here is a whole message, body included, in the frame that completed it. Its bytes are those of the stream; of a body the first
1 MiB is kept, the rest is counted.
"""

import re
from collections.abc import Callable
from functools import partial

import numpy as np

from ..fields import Column, Field, Headers, Payload, Protocol, flag, seconds, text, u16, u32, u64
from ..strings import Strings, concat_str
from .common import _http
from .common.content_coding import decoded
from .common.framing import ContiguousRuns, Framed

METHODS = b"""GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT COPY LABEL LINK LOCK MERGE
MKACTIVITY MKCALENDAR MKCOL MKREDIRECTREF MKWORKSPACE MOVE ORDERPATCH PROPFIND PROPPATCH REBIND REPORT SEARCH UNBIND UNCHECKOUT UNLINK
UNLOCK UPDATE UPDATEREDIRECTREF VERSION-CONTROL NOTIFY SUBSCRIBE UNSUBSCRIBE M-SEARCH""".split()  # IANA's register, and UPnP's
SAFE = {"GET", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "REPORT", "SEARCH"}  # RFC 9110 §9.2.1
IDEMPOTENT = SAFE | {"PUT", "DELETE", "ACL", "BASELINE-CONTROL", "BIND", "CHECKIN", "CHECKOUT", "COPY", "LABEL", "LINK", "MERGE",
    "MKACTIVITY", "MKCALENDAR", "MKCOL", "MKREDIRECTREF", "MKWORKSPACE", "MOVE", "ORDERPATCH", "PROPPATCH", "REBIND", "UNBIND",
    "UNCHECKOUT", "UNLINK", "UNLOCK", "UPDATE", "UPDATEREDIRECTREF", "VERSION-CONTROL"}  # fmt: skip  # §9.2.2
CODES = {
    100: "Continue", 101: "Switching Protocols", 102: "Processing", 103: "Early Hints", 199: "Informational - Others", 200: "OK",
    201: "Created", 202: "Accepted", 203: "Non-authoritative Information", 204: "No Content", 205: "Reset Content",
    206: "Partial Content", 207: "Multi-Status", 226: "IM Used", 300: "Multiple Choices", 301: "Moved Permanently", 302: "Found",
    303: "See Other", 304: "Not Modified", 305: "Use Proxy", 307: "Temporary Redirect", 308: "Permanent Redirect", 400: "Bad Request",
    401: "Unauthorized", 402: "Payment Required", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
    406: "Not Acceptable", 407: "Proxy Authentication Required", 408: "Request Time-out", 409: "Conflict", 410: "Gone",
    411: "Length Required", 412: "Precondition Failed", 413: "Request Entity Too Large", 414: "Request-URI Too Long",
    415: "Unsupported Media Type", 416: "Requested Range Not Satisfiable", 417: "Expectation Failed", 418: "I'm a teapot",
    421: "Misdirected Request", 422: "Unprocessable Entity", 423: "Locked", 424: "Failed Dependency", 426: "Upgrade Required",
    428: "Precondition Required", 429: "Too Many Requests", 431: "Request Header Fields Too Large",
    451: "Unavailable For Legal Reasons", 500: "Internal Server Error", 501: "Not Implemented", 502: "Bad Gateway",
    503: "Service Unavailable", 504: "Gateway Time-out", 505: "HTTP Version Not Supported", 511: "Network Authentication Required",
}  # fmt: skip
REQUEST, RESPONSE = 1, 2
CHUNKED = _http.FRAMING.index("chunked")
BIT = {name: 1 << nth for nth, name in enumerate(_http.FAULTS)}
MALFORMED = {  # faults of the sender, and their sentences
    "conflicting lengths": "says several lengths of its body that differ; the least counts",
    "length and chunked": "says a length of its body and that it is chunked, which proxies and servers read differently; chunked counts",
    "no length": "says a length of its body that is no number",
    "unknown coding": "says a transfer coding that does not end in chunked",
    "bad chunk": "has a chunk whose size is no number or does not fit",
    "no field": "has a line among its fields that is none",
}
LARGEST = 4 << 20  # bytes of a decompressed body
PASSWORD = re.compile(rb"(?i)(?:^|[&?;\r\n])[^=&;\r\n]{0,64}(?:passw|passwd|pwd|passphrase)[^=&;\r\n]{0,64}=[^&;\s]")
IN_FORM = re.compile(rb'(?i)name="[^"]{0,64}(?:passw|passwd|pwd|passphrase)')
FORM = 1 << 16  # bytes of a form that are looked at

# Header fields that have a name of their own: Wireshark's names, `_` for `-`
NAMED = {
    "host": "Host",
    "user_agent": "User agent",
    "accept": "Accepts",
    "accept_language": "Accepts languages",
    "accept_encoding": "Accepts codings",
    "connection": "Connection",
    "referer": "Referred by",
    "cookie": "Cookies",
    "set_cookie": "Sets cookie",
    "authorization": "Authorization",
    "proxy_authenticate": "Proxy authenticate",
    "proxy_authorization": "Proxy authorization",
    "proxy_connect_host": "Proxy's target",
    "www_authenticate": "WWW authenticate",
    "server": "Server",
    "date": "Date",
    "location": "Location",
    "content_type": "Content type",
    "content_length": "Content length, as written",
    "content_encoding": "Content coding",
    "transfer_encoding": "Transfer coding",
    "upgrade": "Upgrade",
    "cache_control": "Cache control",
    "last_modified": "Last modified",
    "x_forwarded_for": "Forwarded for",
    "sec_websocket_accept": "WebSocket accept",
    "sec_websocket_extensions": "WebSocket extensions",
    "sec_websocket_key": "WebSocket key",
    "sec_websocket_protocol": "WebSocket protocol",
    "sec_websocket_version": "WebSocket version",
    "http2_settings": "HTTP/2 settings",
}
CODE = {name: nth for nth, name in enumerate(NAMED)}
OWN = {name: len(CODE) + nth for nth, name in enumerate(("via", "etag", "content_range", "range", "forwarded"))}  # Wireshark names none
NAMES = {name.replace("_", "-").encode(): code for name, code in (CODE | OWN).items()}
SEVERAL = {"set_cookie", "via", "forwarded"}  # that messages repeat


# ---------------------------------------------------------------- messages


class HttpFramer:
    """Requests and responses, found by the loop of `_http`."""

    any_port, precedence = True, 0

    def __init__(self) -> None:
        self.parser = _http.HttpParser()

    def probe_stream(self, first: np.ndarray, size: np.ndarray) -> np.ndarray:
        """A known method and the begin of a target, or the begin of a status line, as far as the bytes go."""
        result = np.zeros(len(first), bool)
        letters = set(first[:, 0].tolist())
        for word in (*(method + b" " for method in METHODS), b"HTTP/1."):
            if word[0] not in letters and size.all():
                continue
            head = np.frombuffer(word[: first.shape[1]], np.uint8)
            known = np.arange(len(head)) < size[:, None]
            agrees = ((first[:, : len(head)] == head) | ~known).all(axis=1)
            if word not in (b"HTTP/1.", b"CONNECT ") and len(word) < first.shape[1]:
                agrees &= (size <= len(word)) | np.isin(first[:, len(word)], np.frombuffer(b"/*hH", np.uint8))
            result |= agrees
        return result

    def split(self, s: ContiguousRuns) -> Framed:
        """The messages that these runs complete."""
        n = len(s.direction)
        last = np.append(s.first[1:], len(s.rows)) - 1
        same = (np.append(s.direction[1:], -1)[:n] == s.direction) & ~s.ended
        own = np.where(s.frame == s.by, np.arange(len(s.rows)), 0)  # the frame that put a piece in order brought the one right before it
        by_time = s.time[np.maximum.accumulate(own)] if len(own) else s.time
        until_time = by_time[np.where(same, np.append(s.first[1:], 0)[:n], last)]
        runs = np.stack([*(getattr(s, name) for name in _http.RUNS), until_time]).astype(np.int64)
        pieces = np.stack((s.place, s.frame, s.time, s.by, by_time)).astype(np.int64)
        rows, data, frames, upto, lost, beyond = self.parser.feed(s.data.data, s.data.data, runs.data, pieces.data)
        column = _columns(rows)
        lost_by, lost_size = np.array(sorted(zip(lost[::2], lost[1::2])), np.int64).reshape(-1, 2).T
        return Framed(
            np.frombuffer(data, np.uint8),
            column["start"],
            column["end"],
            column["size"],
            column["direction"],
            column["by"],
            column["counts"],
            np.array(frames, np.int64),
            np.array(upto, np.int64),
            lost_by,
            lost_size,
            {name: values for name, values in column.items() if name not in ("direction", "by", "start", "end", "counts")},
            _matrix(beyond, 4),
            ("", "websocket"),
        )

    bodies = frozenset({"http.file_data", "http.chunk_size", "http.chunked_trailer_part", "text.lines", "data-text-lines"})

    def skim(self) -> None:
        """As `framing.StreamsBodies`; bodies of requests are kept, they may hold passwords."""
        self.parser.skim()

    def hand_on(self) -> None:
        """As `framing.StreamsBodies`: the column `number` says whose bytes they are."""
        self.parser.hand_on()

    def take(self) -> list[tuple[int, bytes | int]]:
        result: list[tuple[int, bytes | int]] = self.parser.take()
        return result

    def pending(self) -> list[tuple[int, int]]:
        """Of incomplete messages: frame of the first byte, bytes."""
        result: list[tuple[int, int]] = self.parser.pending()
        return result

    def unfinished(self) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Once the trace has ended: incomplete messages. Bytes, and columns of OUTPUT; `by` and `time` are 0."""
        rows, data = self.parser.unfinished()
        return np.frombuffer(data, np.uint8), _columns(rows)


def _columns(rows: object) -> dict[str, np.ndarray]:
    return dict(zip(_http.OUTPUT, np.ascontiguousarray(_matrix(rows, len(_http.OUTPUT)).T)))


def _matrix(values: object, columns: int) -> np.ndarray:
    return np.array(values, np.int64).reshape(-1, columns)


# ---------------------------------------------------------------- their fields


def contents(h: Headers):
    faults, at = h.context_of("faults"), h.start + h.context_of("fault_at")
    if faults.any():
        for name, sentence in MALFORMED.items():
            h.fault(faults & BIT[name] > 0, "", sentence, at=np.minimum(at, h.end))
    start = h.start + h.context_of("header")
    is_text, is_message = h.context_of("is_text"), h.context_of("kind") > 0
    yield Payload("http.content", is_text, start, h.end, rows=np.flatnonzero(is_message & (h.end > start)))


def _where(values: np.ndarray, where: np.ndarray) -> Column:
    """The values of the messages where `where` (bool) is true."""
    rows = np.flatnonzero(where)
    return Column(values[rows], rows)


def _numbers(h: Headers) -> dict[str, Column]:
    kind, nth = h.context_of("kind"), h.context_of("nth")
    request, response = kind == REQUEST, kind == RESPONSE
    previous, request_in = h.context_of("previous_frame"), h.context_of("request_frame")
    yes = np.ones(len(h), bool)
    return {
        "http.request": _where(yes, request),
        "http.response": _where(yes, response),
        "http.request_number": _where(nth, request),
        "http.response_number": _where(nth, response),
        "http.prev_request_in": _where(previous, request & (previous > 0)),
        "http.prev_response_in": _where(previous, response & (previous > 0)),
        "http.response.code": _where(h.context_of("status"), response),
        "http.request_in": _where(request_in, request_in > 0),
        "http.response_in": _where(h.context_of("response_frame"), h.context_of("response_frame") > 0),
        "http.time": _where(h.context_of("time") - h.context_of("request_time"), request_in > 0),
        "http.header_len": _where(h.context_of("header") - h.context_of("leading"), kind > 0),
        "http.body_len": _where(h.context_of("body"), kind > 0),
        "http.missing": _where(h.context_of("missing"), h.context_of("missing") > 0),
    }


def ascii_texts(data: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """data[start:end] as text, object (n,). Bytes beyond ASCII become U+FFFD each, as in tshark; they mean nothing, RFC 9110 §5.5."""
    packed = concat_str([Strings(data, np.ascontiguousarray(start), np.maximum(start, end))])
    whole = packed.data.tobytes().decode("ascii", "replace")
    return _objects([whole[a:b] for a, b in zip(packed.start.tolist(), packed.end.tolist())])


def _objects(values: list) -> np.ndarray:
    result = np.empty(len(values), object)
    result[:] = values
    return result


def _contains(data: np.ndarray, start: np.ndarray, end: np.ndarray, wanted: bytes) -> np.ndarray:
    """Whether data[start:end] contains one of these bytes, bool (n,)."""
    at = np.flatnonzero(np.isin(data, np.frombuffer(wanted, np.uint8)))
    return np.searchsorted(at, start) < np.searchsorted(at, end)


def _bounds(h: Headers) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of messages, starts of their start lines, ends of their header sections; int64 (m,) each."""
    rows = np.flatnonzero(h.context_of("kind") > 0)
    start = h.start[rows]
    return rows, start + h.context_of("leading")[rows], start + h.context_of("header")[rows]


def start_lines(h: Headers) -> tuple[np.ndarray, np.ndarray]:
    """Start lines of messages: rows (int64 (m,)), bounds (m, 6) as `_http.start_lines`."""
    if "start lines" not in h.context:
        rows, start, end = _bounds(h)
        h.set_context("start lines", _matrix(_http.start_lines(h.buffer.data, start.data, end.data), 6), rows)
    bounds, owner = h.context["start lines"]
    assert owner is not None
    return owner, bounds


def field_lines(h: Headers) -> np.ndarray:
    """Header fields of messages: int64 (k, 6) as `_http.field_lines`, with the header's row."""
    if "field lines" not in h.context:
        rows, start, end = _bounds(h)
        fields = _matrix(_http.field_lines(h.buffer.data, h.buffer.tobytes(), start.data, end.data, NAMES), 6)
        h.set_context("field lines", fields, rows[fields[:, 0]])
    column = h.context["field lines"]
    assert column.rows is not None
    column.values[:, 0] = column.rows  # `Headers.take` may have renumbered the rows since
    return column.values


def _line(h: Headers) -> dict[str, Column]:
    rows, bounds = start_lines(h)
    return {"http.line": Column(ascii_texts(h.buffer, bounds[:, 0], bounds[:, 5]), rows)}


def _part(nth: int, kind: int, name: str, h: Headers) -> dict[str, Column]:
    """A part of the start lines of requests, or of responses."""
    rows, bounds = start_lines(h)
    mine = np.flatnonzero(h.context_of("kind")[rows] == kind)
    return {name: Column(ascii_texts(h.buffer, *bounds[mine, 2 * nth : 2 * nth + 2].T), rows[mine])}


def _method_semantics(h: Headers) -> dict[str, Column]:
    """Safe and idempotent methods."""
    method, rows = h.column("http.request.method")
    sets = (("http.request.safe", SAFE), ("http.request.idempotent", IDEMPOTENT))
    return {name: Column(np.array([value in methods for value in method.tolist()], bool), rows) for name, methods in sets}


def _reason_phrase(h: Headers) -> dict[str, Column]:
    rows = np.flatnonzero(h.context_of("kind") == RESPONSE)
    words = np.array([CODES.get(code, f"Unknown ({code})") for code in h.context_of("status")[rows].tolist()], object)
    return {"http.response.code.desc": Column(words, rows)}


def _full_uri(h: Headers) -> dict[str, Column]:
    """The target with the host."""
    uri, rows = h.column("http.request.uri")
    method = h.column("http.request.method").values
    host, host_rows = h.column("http.host")
    assert rows is not None and host_rows is not None
    place = np.searchsorted(host_rows, rows)
    hosts = np.append(host, "")[np.where(np.append(host_rows, -1)[place] == rows, place, len(host))]
    uris = []
    for verb, target, name in zip(method.tolist(), uri.tolist(), hosts.tolist()):
        if verb == "CONNECT" or "://" in target[:9]:
            uris.append(target)
        else:
            uris.append(f"http://{name}{target}" if name else "")
    values = _objects(uris)
    there = np.flatnonzero(values != "")
    return {"http.request.full_uri": Column(values[there], rows[there])}


def _field(code: int, name: str, h: Headers) -> dict[str, Column]:
    """The values of one header field."""
    fields = field_lines(h)
    mine = fields[fields[:, 1] == code]
    return {name: Column(ascii_texts(h.buffer, mine[:, 3], mine[:, 4]), mine[:, 0])}


def _whole_lines(h: Headers) -> dict[str, Column]:
    fields = field_lines(h)
    kind = h.context_of("kind")[fields[:, 0]]
    unknown = fields[(fields[:, 1] < 0) | (fields[:, 1] >= len(CODE))]
    columns = {"http.unknown_header": Column(ascii_texts(h.buffer, unknown[:, 2], unknown[:, 4]), unknown[:, 0])}
    for which, name in ((REQUEST, "http.request.line"), (RESPONSE, "http.response.line")):
        mine = fields[kind == which]
        columns[name] = Column(ascii_texts(h.buffer, mine[:, 2], mine[:, 5]), mine[:, 0])
    return columns


def _length(h: Headers) -> dict[str, Column]:
    """Content-Length as a number, where it is one."""
    values, rows = h.column("http.content_length_header")
    assert rows is not None
    there = np.array([value.isdigit() and len(value) < 19 for value in values.tolist()], bool)
    return {"http.content_length": Column(np.array([int(value) for value in values[there].tolist()], np.int64), rows[there])}


def chunks(h: Headers) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The chunks of chunked bodies: (k, 4) as `_http.chunks` with the header's row; rows (m,) and begin of the trailer of each."""
    rows = np.flatnonzero(h.context_of("framing") == CHUNKED)
    start = h.start[rows] + h.context_of("header")[rows]
    rows_of_chunks, trailers = _http.chunks(h.buffer.data, start.data, h.end[rows].data)
    pieces = _matrix(rows_of_chunks, 4)
    pieces[:, 0] = rows[pieces[:, 0]]
    return pieces, rows, np.array(trailers, np.int64)


def _chunked(h: Headers) -> dict[str, Column]:
    pieces, rows, trailer = chunks(h)
    size = np.maximum(h.end[rows] - trailer - 2, 0)  # without the empty line
    there = np.flatnonzero(size)
    return {
        "http.chunk_size": Column(pieces[:, 1], pieces[:, 0]),
        "http.chunked_trailer_part": Column(ascii_texts(h.buffer, trailer[there], (trailer + size)[there]), rows[there]),
    }


def bodies(h: Headers, most: int = LARGEST) -> tuple[list[bytes], np.ndarray, list[str]]:
    """Bodies without transfer and content coding, at most `most` bytes each: (bytes, the header's row (int64), what is wrong)."""
    start = h.start + h.context_of("header")
    rows = np.flatnonzero((h.context_of("kind") > 0) & (h.end > start))
    pieces, _, _ = chunks(h)
    bounds = np.searchsorted(pieces[:, 0], [rows, rows + 1]).T.tolist()
    values, owner = h.column("http.content_encoding")
    assert owner is not None
    codings = dict(zip(owner.tolist(), values.tolist()))
    chunked = (h.context_of("framing") == CHUNKED)[rows].tolist()
    decoded_bodies, faults = [], []
    for row, is_chunked, (a, b), begin, end in zip(rows.tolist(), chunked, bounds, start[rows].tolist(), h.end[rows].tolist()):
        raw = b"".join(h.buffer[x:y].tobytes() for x, y in pieces[a:b, 2:].tolist()) if is_chunked else h.buffer[begin:end].tobytes()
        data, fault = decoded(raw, codings.get(row, ""), most)
        decoded_bodies.append(data)
        faults.append(fault)
    return decoded_bodies, rows, faults


def _file_data(h: Headers) -> dict[str, Column]:
    """Bodies as text, up to the first NUL, as in tshark."""
    data, rows, _ = bodies(h)
    values = _objects([body.partition(b"\0")[0].decode("ascii", "replace") for body in data])
    there = np.flatnonzero(values != "")
    return {"http.file_data": Column(values[there], rows[there])}


def _credentials(h: Headers) -> dict[str, Column]:
    """Which kinds of credentials a request holds in clear; never their values."""
    kinds: dict[int, list[str]] = {}
    for name, prefix in (("http.authorization", ""), ("http.proxy_authorization", "proxy ")):
        values, rows = h.column(name)
        for row, value in zip([] if rows is None else rows.tolist(), values.tolist()):
            scheme = re.match(r"([A-Za-z0-9-]{1,20})\s", value)
            kinds.setdefault(row, []).append(prefix + (scheme[1] if scheme else "unknown scheme"))
    rows, bounds = start_lines(h)
    is_request = h.context_of("kind") == REQUEST
    target = np.flatnonzero(is_request[rows])
    target = target[_contains(h.buffer, bounds[target, 2], bounds[target, 3], b"?@")]
    for row, value in zip(rows[target].tolist(), ascii_texts(h.buffer, bounds[target, 2], bounds[target, 3]).tolist()):
        if "?" in value and PASSWORD.search(value.encode()):
            kinds.setdefault(row, []).append("password in the target")
        if "@" in value[:300] and re.match(r"[a-z]+://[^/@:]*:[^/@]+@", value):
            kinds.setdefault(row, []).append("name and password in the target")
    fields = field_lines(h)
    types = fields[(fields[:, 1] == CODE["content_type"]) & is_request[fields[:, 0]]]
    for row, value in zip(types[:, 0].tolist(), ascii_texts(h.buffer, types[:, 3], types[:, 4]).tolist()):
        if "form" in value:
            begin = int(h.start[row] + h.context_of("header")[row])
            body = h.buffer[begin : min(int(h.end[row]), begin + FORM)].tobytes()
            if (PASSWORD if "urlencoded" in value else IN_FORM).search(body):
                kinds.setdefault(row, []).append("password in a form")
    owner = np.array([row for row in sorted(kinds) for _ in kinds[row]], np.int64)
    return {"http.credentials": Column(_objects([kind for row in sorted(kinds) for kind in kinds[row]]), owner)}


def _derived(code: int, name: str, label: str) -> tuple[tuple[Field, ...], Callable[[Headers], dict[str, Column]]]:
    full = "http.content_length_header" if name == "content_length" else f"http.{name}"
    description = {"x_forwarded_for": "whom a proxy asks for", "via": "the proxies that it passed"}.get(name, "")
    return (Field(full, text, label, description, many=name in SEVERAL),), partial(_field, code, full)


CODE_OF_RESPONSE = Field("http.response.code", u16, "Status", value_names=CODES)
PARTS = (
    (0, REQUEST, Field("http.request.method", text, "Method")),
    (1, REQUEST, Field("http.request.uri", text, "Target")),
    (2, REQUEST, Field("http.request.version", text, "Version")),
    (0, RESPONSE, Field("http.response.version", text, "Version")),
    (2, RESPONSE, Field("http.response.phrase", text, "Phrase", "as the server words it")),
)
KINDS = (Field("http.request", flag, "Request"), Field("http.response", flag, "Response"))

PROTOCOL = Protocol(
    "HTTP",
    on={"tcp.port": (80, 1900, 2710, 2869, 3128, 3132, 5985, 8080, 8088, 11371)},
    info="{http.line}",
    contents=contents,
    framer=HttpFramer,
    derived=(
        (
            (
                *KINDS,
                Field("http.request_number", u32, "Request number", "of its connection, from 1"),
                Field("http.response_number", u32, "Response number"),
                Field("http.prev_request_in", u64, "Request before in"),
                Field("http.prev_response_in", u64, "Response before in"),
                CODE_OF_RESPONSE,
                Field("http.request_in", u64, "Request in", "frame with which the request was whole that this answers"),
                Field("http.response_in", u64, "Response in", "frame of the answer, where it was whole before its request"),
                Field("http.time", seconds, "Time since request", "from the frame that completed it to this"),
                Field("http.header_len", u32, "Header section", "bytes, with the first line and the empty one"),
                Field("http.body_len", u64, "Body", "bytes without what frames it; what is missing is counted"),
                Field("http.missing", u64, "Missing", "bytes of the body that no frame brought"),
            ),
            _numbers,
        ),
        ((Field("http.line", text, "First line"),), _line),
        *(((f,), partial(_part, nth, kind, f.name)) for nth, kind, f in PARTS),
        (
            (
                Field("http.request.safe", flag, "Safe", "the method asks for nothing to change, RFC 9110 §9.2.1; unknown methods do not"),
                Field("http.request.idempotent", flag, "Idempotent", "asked twice, it does no more than once, RFC 9110 §9.2.2"),
            ),
            _method_semantics,
        ),
        ((Field("http.response.code.desc", text, "Status in words", "as the RFC words it"),), _reason_phrase),
        *(_derived(code, name, NAMED[name]) for name, code in CODE.items()),
        *(_derived(code, name, name.replace("_", " ").capitalize()) for name, code in OWN.items()),
        ((Field("http.request.full_uri", text, "URI", "target and host"),), _full_uri),
        ((Field("http.content_length", u64, "Content length"),), _length),
        (
            (
                Field("http.request.line", text, "Field of a request", "with its CRLF", many=True),
                Field("http.response.line", text, "Field of a response", "with its CRLF", many=True),
                Field("http.unknown_header", text, "Other field", "without a name of its own", many=True),
            ),
            _whole_lines,
        ),
        (
            (
                Field("http.chunk_size", u64, "Chunk", "bytes", many=True),
                Field("http.chunked_trailer_part", text, "Trailer", "fields behind the last chunk"),
            ),
            _chunked,
        ),
        ((Field("http.credentials", text, "Credentials", "which kinds there are, never what they are", many=True),), _credentials),
        ((Field("http.file_data", text, "Body as text", "decompressed, up to 4 MiB and the first NUL"),), _file_data),
    ),
)
