"""Session Initiation Protocol. RFC 3261. Over UDP a datagram is a message; over TCP Content-Length ends it (§18.3)."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..fields import Column, Field, Headers, Payload, Protocol, Reading, gather, text, u16, u32
from .common.commands import number_column, text_column, utf8
from .common.framing import StreamFramer

METHODS = (b"INVITE", b"ACK", b"BYE", b"CANCEL", b"OPTIONS", b"REGISTER", b"PRACK", b"SUBSCRIBE", b"NOTIFY", b"PUBLISH", b"INFO", b"REFER",
           b"MESSAGE", b"UPDATE")  # fmt: skip
RESPONSE = b"SIP/2.0 "
FIRST_BYTES = np.isin(np.arange(256), [word[0] for word in (*METHODS, RESPONSE)])
SECTION_LIMIT, BODY_LIMIT = 1 << 16, 1 << 20  # bytes of the longest header section and body
COMPACT = {b"v": b"via", b"f": b"from", b"t": b"to", b"m": b"contact", b"i": b"call-id", b"e": b"content-encoding",
           b"l": b"content-length", b"c": b"content-type", b"s": b"subject", b"k": b"supported", b"o": b"event", b"r": b"refer-to",
           b"x": b"session-expires", b"u": b"allow-events"}  # fmt: skip  # RFC 3261 §7.3.3 and IANA's register
FIELD = re.compile(rb"([!-9;-~]++)[ \t]*+:[ \t]*+((?:[^\r\n]|\r?\n[ \t])*+)(?:\r?\n|$)")
START = re.compile(rb"(?:SIP/2\.0 \d{3}(?: [^\r\n]*)?|[!#$%&'*+.^_`|~0-9A-Za-z-]+ \S+ SIP/2\.0)\r?\n")
LENGTH = re.compile(rb"\r?\n(?:content-length|l)[ \t]*:[ \t]*(\d{1,10})[ \t]*(?=\r?\n)", re.I)
END = re.compile(rb"\r?\n\r?\n")
QUOTED = re.compile(r'\s*+"(?:[^"\\]|\\.)*+"\s*+', re.S)
SCHEMES = ("sip", "sips", "tel", "urn", "im", "pres")
VIA = re.compile(r"\s*SIP\s*/\s*2\.0\s*/\s*([^\s;]+)\s+(\[[^\]]*\]|[^\s:;,]+)(?:\s*:\s*(\d{1,5}))?(.*)", re.S | re.I)
PARTIES = {"from": ("from", "addr"), "to": ("to", "addr"), "contact": ("contact", "uri")}
NAMED = ("Via", "From", "To", "Contact", "Call-ID", "CSeq", "Route", "Record-Route", "User-Agent", "Server", "Allow", "Allow-Events",
         "Supported", "Require", "Subject", "Event", "Subscription-State", "Reason", "Warning", "Date", "Content-Type", "Content-Encoding",
         "Session-Expires", "Min-SE", "Refer-To", "Authorization", "WWW-Authenticate", "Proxy-Authorization",
         "Proxy-Authenticate")  # fmt: skip
REPEATED = {"Via", "Contact", "Route", "Record-Route", "Warning", "Reason"}
COUNTS = ("Max-Forwards", "Expires", "Content-Length")
NAMES = {name.lower().encode(): name for name in (*NAMED, *COUNTS)}
CREDENTIALS = ("username", "realm", "uri")


# ---------------------------------------------------------------- messages


def _probe_line(first: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Whether these bytes are a known method or the begin of a status line, as far as they go; bool (n,)."""
    found = np.zeros(len(first), bool)
    rows = np.flatnonzero(FIRST_BYTES[first[:, 0]] & (size >= 4))
    first, size = first[rows], size[rows]
    for word in (*(method + b" " for method in METHODS), RESPONSE):
        head = np.frombuffer(word[: first.shape[1]], np.uint8)
        known = np.arange(len(head)) < size[:, None]
        found[rows[((first[:, : len(head)] == head) | ~known).all(axis=1)]] = True
    return found


def _end(data: bytes, at: int) -> int:
    """Where the message at data[at:] ends; 0: not there yet; -1: none begins here."""
    if data.find(b"\n", at, at + SECTION_LIMIT) < 0:
        return 0 if len(data) - at < SECTION_LIMIT else -1
    if not START.match(data, at):
        return -1
    end = END.search(data, at, at + SECTION_LIMIT)
    if end is None:
        return 0 if len(data) - at < SECTION_LIMIT else -1
    length = LENGTH.search(data, at, end.start() + 2)
    body = int(length[1]) if length else 0
    return -1 if body > BODY_LIMIT else end.end() + body


@dataclass
class SipFramer(StreamFramer):
    """Messages in TCP streams, RFC 3261 §18.3."""

    header: int = 1
    limit: int = SECTION_LIMIT + BODY_LIMIT
    find_end: Callable[[bytes, int], int] | None = _end
    between: re.Pattern[bytes] = re.compile(rb"[\r\n]*+")  # keep-alives, RFC 5626 §3.5.1

    def probe_stream(self, first: np.ndarray, size: np.ndarray) -> np.ndarray:
        """A status line, or a request whose target is a URI of SIP."""
        found = _probe_line(first, size)
        for i in np.flatnonzero(found).tolist():
            line = first[i, : size[i]].tobytes()
            rest = line.partition(b" ")[2]
            found[i] = line.startswith(RESPONSE) or rest[:4].lower() in (b"sip:", b"sips", b"tel:", b"urn:")
        return found


def probe(r: Reading) -> np.ndarray:
    """A datagram that begins with a request line or a status line."""
    size = r.end - r.start
    first = gather(r.buffer, r.start, 16)
    found = _probe_line(first, size) & (size >= 16)
    for i in np.flatnonzero(found).tolist():
        head = r.buffer[r.start[i] : min(r.end[i], r.start[i] + 1024)].tobytes()
        found[i] = START.match(head) is not None
    return found


# ---------------------------------------------------------------- what stands in them


def _messages(h: Headers) -> list[tuple[bytes, list[tuple[str, bytes]], int]]:
    """First line, fields (name in this file's spelling, '' for others; value) and place of the body of each header."""
    found = []
    for start, end in zip(h.start.tolist(), np.minimum(h.end, h.wire).tolist()):
        head = h.buffer[start : min(end, start + SECTION_LIMIT)].tobytes()
        at = len(head) - len(head.lstrip(b"\r\n"))
        stop = head.find(b"\n", at)
        stop = len(head) if stop < 0 else stop
        line = head[at:stop].rstrip(b"\r")
        at, fields = stop + 1, []
        while match := FIELD.match(head, at):
            name = match[1].lower()
            fields.append((NAMES.get(COMPACT.get(name, name), ""), match[2].rstrip()))
            at = match.end()
        for blank in (b"\r\n", b"\n"):
            if head.startswith(blank, at):
                at += len(blank)
                break
        found.append((line, fields, min(start + at, end)))
    return found


def contents(h: Headers):
    found = h.memo(_messages)
    body = np.array([one[2] for one in found], np.int64)
    kinds = [next((value.lower() for name, value in one[1] if name == "Content-Type"), b"") for one in found]
    described = np.array([one.startswith(b"application/sdp") for one in kinds], bool)
    plain = np.array([one.startswith(b"text/") for one in kinds], bool)
    yield Payload("sip.content", 1, body, h.wire, rows=np.flatnonzero(described))
    yield Payload("text", 1, body, h.wire, rows=np.flatnonzero(plain))


Put = Callable[[str, int, object], None]


def _read(h: Headers) -> dict[str, Column]:
    names: dict[str, list] = {f.name: [] for f in FIELDS}

    def put(name: str, row: int, value: object) -> None:
        found = names[f"sip.{name}"]
        if name in SINGLE and found and found[-1][0] == row:
            return
        found.append((row, value))

    for row, (line, fields, _) in enumerate(h.memo(_messages)):
        put("line", row, utf8(line))
        if line.startswith(RESPONSE):
            put("Status-Line", row, utf8(line))
            if line[8:11].isdigit():
                put("Status-Code", row, int(line[8:11]))
        elif len(words := utf8(line).split(" ")) > 1:
            put("Request-Line", row, utf8(line))
            put("Method", row, words[0])
            put("r-uri", row, words[1])
            _uri(put, row, "r-uri", words[1])
        for name, value in fields:
            if name in COUNTS:
                if value.isdigit() and len(value) < 10:
                    put(name, row, int(value))
            elif name:
                put(name, row, utf8(value))
                _put_parts(put, row, name, utf8(value))
    return {f.name: text_column(names[f.name]) if f.kind is text else number_column(names[f.name], f.kind.dtype) for f in FIELDS}


def _put_parts(put: Put, row: int, name: str, value: str) -> None:
    """Put the parts of a field that has some."""
    low = name.lower()
    if low in PARTIES:
        party, whole_name = PARTIES[low]
        shown, uri, rest = _address(value)
        if shown.strip() and party != "contact":
            put(f"{party}.display.info", row, shown.strip() if shown.strip()[:1] == '"' else shown)
        put(f"{party}.{whole_name}", row, uri)
        _uri(put, row, party, uri)
        tag = re.search(r";\s*tag\s*=\s*([^;\s]+)", rest, re.I)
        if tag and party != "contact":
            put(f"{party}.tag", row, tag[1])
    elif low == "cseq":
        number, _, method = value.partition(" ")
        if number.isdigit() and len(number) < 10:
            put("CSeq.seq", row, int(number))
            put("CSeq.method", row, method.strip())
    elif low == "via":
        for one in value.split(","):
            if match := VIA.match(one):
                put("Via.transport", row, match[1])
                put("Via.sent-by.address", row, match[2])
                if match[3] and int(match[3]) < 1 << 16:
                    put("Via.sent-by.port", row, int(match[3]))
                if branch := re.search(r";\s*branch\s*=\s*([^;\s]+)", match[4], re.I):
                    put("Via.branch", row, branch[1])
    elif low.endswith(("authorization", "authenticate")):
        scheme, _, rest = value.partition(" ")
        put("auth.scheme", row, scheme)
        for part in CREDENTIALS:
            if found := re.search(rf'(?:^|,)\s*{part}\s*=\s*("[^"]*"|[^,\s]*)', rest, re.I):
                put(f"auth.{part}", row, found[1])


def _address(value: str) -> tuple[str, str, str]:
    """Name, URI and parameters of `"A. N." <sip:…>;tag=…`, RFC 3261 §20.10; without angle brackets parameters begin at the first `;`."""
    quoted = QUOTED.match(value)
    begin = value.find("<", quoted.end() if quoted else 0)
    if begin < 0:
        uri, semicolon, rest = value.partition(";")
        return "", uri.strip(), semicolon + rest
    end = value.find(">", begin)
    end = len(value) if end < 0 else end
    return value[:begin].lstrip(), value[begin + 1 : end].strip(), value[end + 1 :]


def _uri(put: Put, row: int, party: str, uri: str) -> None:
    """`sip:user@host:port;…`, RFC 3261 §19.1."""
    scheme, _, rest = uri.partition(":")
    if scheme.strip().lower() not in SCHEMES:
        return
    at = rest.find("@")
    user = rest[:at].partition(":")[0] if at >= 0 else ""
    host = re.split(r"[;?>]", rest[at + 1 :], maxsplit=1)[0]
    behind = host.find("]") if host.startswith("[") else -1
    port = host[behind + 1 :].partition(":")[2]
    host = host[: behind + 1] if behind >= 0 else host.partition(":")[0]
    for name, value in (("user", user), ("host", host), ("port", port)):
        if value and (name != "port" or (value.isdigit() and len(value) < 6)):
            put(f"{party}.{name}", row, value)


def _party(party: str, what: str, label: str, many: bool = False) -> tuple[Field, ...]:
    return (
        Field(f"sip.{party}.{what}", text, f"{label}: URI", many=many),
        Field(f"sip.{party}.user", text, f"{label}: user", many=many),
        Field(f"sip.{party}.host", text, f"{label}: host", many=many),
        Field(f"sip.{party}.port", text, f"{label}: port", many=many),
    )


FIELDS = (
    Field("sip.line", text, "First line"),
    Field("sip.Request-Line", text, "Request line"),
    Field("sip.Method", text, "Method"),
    Field("sip.r-uri", text, "Target"),
    Field("sip.r-uri.user", text, "Target's user"),
    Field("sip.r-uri.host", text, "Target's host"),
    Field("sip.r-uri.port", text, "Target's port"),
    Field("sip.Status-Line", text, "Status line"),
    Field("sip.Status-Code", u16, "Status"),
    *(Field(f"sip.{name}", text, name, many=name in REPEATED) for name in NAMED),
    *(Field(f"sip.{name}", u32, name) for name in COUNTS),
    *_party("from", "addr", "From"),
    Field("sip.from.display.info", text, "From: name"),
    Field("sip.from.tag", text, "From: tag"),
    *_party("to", "addr", "To"),
    Field("sip.to.display.info", text, "To: name"),
    Field("sip.to.tag", text, "To: tag"),
    *_party("contact", "uri", "Contact", many=True),
    Field("sip.CSeq.seq", u32, "Number of the command"),
    Field("sip.CSeq.method", text, "Method of the command"),
    Field("sip.Via.transport", text, "Via: transport", many=True),
    Field("sip.Via.sent-by.address", text, "Via: host", many=True),
    Field("sip.Via.sent-by.port", u16, "Via: port", many=True),
    Field("sip.Via.branch", text, "Via: branch", "names the transaction", many=True),
    Field("sip.auth.scheme", text, "Kind of authentication", many=True),
    Field("sip.auth.username", text, "User who is authenticated", many=True),
    Field("sip.auth.realm", text, "Realm", many=True),
    Field("sip.auth.uri", text, "URI that is asked for", many=True),
)
SINGLE = {f.name.removeprefix("sip.") for f in FIELDS if not f.many}

PROTOCOL = Protocol(
    "SIP",
    on={"udp.port": 5060, "tcp.port": 5060},
    info="{sip.line}",
    contents=contents,
    framer=SipFramer,
    probe=probe,
    announces=True,
    precedence=3,
    derived=((FIELDS, _read),),
)
