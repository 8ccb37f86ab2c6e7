"""HTTP: whole messages however they were cut, in any order, with bytes missing; which answers which; what its headers say."""

import gzip
import tempfile
import zlib

import dpkt
import numpy as np
import pytest
from conftest import BATCHES, RECORDINGS, Trace, run
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer import Analysis
from analyzer.protocols.common.content_coding import decoded
from analyzer.protocols.http import HttpFramer, ascii_texts, bodies, field_lines, start_lines

WRAP = 2**32 - 300  # a number of a SYN after which data passes 2³²


def messages(name: str, batch: int, **more) -> list[tuple]:
    """(frame, first line, body, what is missing, frame of the request) of each message."""
    found = []
    for d in Analysis(name, batch_frames=batch, **more).dissections({"http.line", "http.file_data"}):
        for h in d.chunks.get("http", ()):
            rows, bounds = start_lines(h)
            data, whose, _ = bodies(h)
            body = dict(zip(whose.tolist(), data))
            for row, line in zip(rows.tolist(), ascii_texts(h.buffer, bounds[:, 0], bounds[:, 5]).tolist()):
                more = int(h.context_of("missing")[row]), int(h.context_of("request_frame")[row])
                found.append((int(h.frame[row]) + d.batch.first, line, body.get(row, b""), *more))
    return found


def same(name: str, **more) -> list[tuple]:
    """The messages, the same in batches of 1, 7 and all."""
    found = [messages(name, size, **more) for size in BATCHES]
    assert found[0] == found[1] == found[2]
    return found[0]


class Script:
    """A connection of which the pieces are written one behind the other; the client's first data has number 1."""

    def __init__(self, client: int = 1000, server: int = 5000) -> None:
        self.trace = Trace()
        self.trace.isn = {"c": client, "s": server}
        self.trace.open()
        self.at = {"c": 1, "s": 1}
        self.clock = 1.0

    def say(self, who: str, *parts: bytes, order: tuple[int, ...] | None = None, skip: tuple[int, ...] = (), end: bool = False) -> "Script":
        """Segments with these bytes. order: in which they come. skip: those that the capture lacks. end: the last has a FIN."""
        begin = self.at[who]
        places = []
        for part in parts:
            places.append(self.at[who])
            self.at[who] += len(part)
        for nth in order or range(len(parts)):
            if nth not in skip:
                self.clock += 0.01
                flags = "FPA" if end and nth == len(parts) - 1 else "PA"
                self.trace.tcp(self.clock, who, flags, places[nth], self.at["s" if who == "c" else "c"], parts[nth])
        assert begin <= self.at[who]
        return self

    def wait(self, who: str, seconds: float = 2) -> "Script":
        """Acknowledge all, then again after some time."""
        for _ in range(2):
            self.clock += seconds
            self.trace.tcp(self.clock, who, "A", self.at[who], self.at["s" if who == "c" else "c"])
        return self


def parts(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


GET = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


def test_a_request_and_its_answer(save):
    talk = Script().say("c", GET).say("s", OK)
    assert same(save(talk.trace.pcap())) == [(4, "GET /a HTTP/1.1", b"", 0, 0), (5, "HTTP/1.1 200 OK", b"hello", 0, 4)]


# ---------------------------------------------------------------- the order of segments: rows 7 and 9 of what users report

POST = b"POST /form HTTP/1.1\r\nHost: x\r\nContent-Length: 800\r\n\r\n" + bytes(range(65, 90)) * 32


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (0, 2, 1, 3), (1, 0, 2, 3), (3, 2, 1, 0)])
def test_a_post_that_crosses_the_wrap(save, order):
    """Number 0xfffffeff, then 4 × 200 bytes and some: scapy's TCPSession loses such a message whole, and begins within one."""
    cut = [POST[:254], POST[254:454], POST[454:654], POST[654:]]
    talk = Script(0xFFFFFEFF).say("c", *cut, order=order).say("s", OK)
    found = same(save(talk.trace.pcap()))
    assert found == [(7, "POST /form HTTP/1.1", POST[-800:], 0, 0), (8, "HTTP/1.1 200 OK", b"hello", 0, 7)]


def test_pieces_of_22_bytes_out_of_order(save):
    cut = parts(POST, 22)
    order = list(range(len(cut)))
    for at in range(0, len(order) - 1, 3):
        order[at], order[at + 1] = order[at + 1], order[at]
    talk = Script(WRAP).say("c", *cut, order=tuple(order))
    assert same(save(talk.trace.pcap())) == [(3 + len(cut), "POST /form HTTP/1.1", POST[-800:], 0, 0)]


# ---------------------------------------------------------------- anomalies: row 27


def expert(name: str) -> list[tuple]:
    found = [
        Analysis(name, batch_frames=n).table("expert").filter(protocol="http").select("frame.number", "summary").rows() for n in BATCHES
    ]
    assert found[0] == found[1] == found[2]
    return found[0]


def test_two_lengths_that_differ(save):
    """One record, with an anomaly; what follows is read on where the least of them says."""
    first = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello"
    name = save(Script().say("c", first).say("c", GET).trace.pcap())
    assert [(frame, line, body) for frame, line, body, _, _ in same(name)] == [
        (4, "POST / HTTP/1.1", b"hello"),
        (5, "GET /a HTTP/1.1", b""),
    ]
    assert [sentence for _, sentence in expert(name)] == [
        "HTTP says several lengths of its body that differ; the least counts, in the message put together here"
    ]


def test_one_hundred_continue_belongs_to_the_request_that_waits(save):
    head, body = b"PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 6\r\n\r\n", b"abcdef"
    talk = Script().say("c", head).say("s", b"HTTP/1.1 100 Continue\r\n\r\n").say("c", body[:3], body[3:]).say("s", OK)
    assert same(save(talk.trace.pcap())) == [
        (5, "HTTP/1.1 100 Continue", b"", 0, 0),
        (7, "PUT / HTTP/1.1", body, 0, 0),
        (8, "HTTP/1.1 200 OK", b"hello", 0, 7),
    ]


def test_length_and_chunked(save):
    """Chunked counts, RFC 9112 §6.3, and it is reported."""
    both = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nT: 1\r\n\r\n"
    name = save(Script().say("c", GET).say("s", *parts(both, 9)).trace.pcap())
    assert [one[1:3] for one in same(name)] == [("GET /a HTTP/1.1", b""), ("HTTP/1.1 200 OK", b"hello")]
    assert "chunked counts" in expert(name)[0][1]


@pytest.mark.parametrize("size", [b"-5", b"g", b"0x5", b"fffffffffffffffff", b""])
def test_bad_chunk_sizes(save, size):
    """The message ends there; the next piece that begins one is the next."""
    bad = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n" + size + b"\r\nhello\r\n"
    name = save(Script().say("c", GET, GET).say("s", bad, OK).trace.pcap())
    found = [one[1:3] for one in same(name)]
    assert found[2:] == [("HTTP/1.1 200 OK", b"ab"), ("HTTP/1.1 200 OK", b"hello")]
    assert "chunk" in expert(name)[0][1]


@pytest.mark.parametrize("line", [b"Content-Length: five", b"Content-Length: -1", b"Content-Length: 5, six"])
def test_a_length_that_is_none(save, line):
    """A response then goes to the end of its direction, RFC 9112 §6.3."""
    name = save(Script().say("c", GET).say("s", b"HTTP/1.1 200 OK\r\n" + line + b"\r\n\r\nhello", b", you", end=True).trace.pcap())
    assert same(name)[1][2] == b"hello, you"
    assert "no number" in expert(name)[0][1]


# ---------------------------------------------------------------- where bodies end


def test_what_has_no_body(save):
    """HEAD, 204, 304 and 1xx say lengths of bodies that do not come; CONNECT's answer begins a tunnel."""
    head = b"HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n"
    talk = Script().say("c", head, GET, GET, GET)
    talk.say(
        "s", OK[:-5], b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", OK
    )
    found = same(save(talk.trace.pcap()))
    assert [one[1:3] + one[4:] for one in found[4:]] == [
        ("HTTP/1.1 200 OK", b"", 4),
        ("HTTP/1.1 204 No Content", b"", 5),
        ("HTTP/1.1 304 Not Modified", b"", 6),
        ("HTTP/1.1 200 OK", b"hello", 7),
    ]


def test_a_body_to_the_end_of_the_direction(save):
    old = b"HTTP/1.0 200 OK\r\nServer: y\r\n\r\n"
    talk = Script().say("c", GET).say("s", old, b"all ", b"of it", end=True)
    assert same(save(talk.trace.pcap()))[1] == (7, "HTTP/1.0 200 OK", b"all of it", 0, 4)


def test_a_direction_that_ends_too_early(save):
    talk = Script().say("c", GET).say("s", OK[:-3], end=True)
    assert same(save(talk.trace.pcap()))[1] == (5, "HTTP/1.1 200 OK", b"he", 3, 4)


# ---------------------------------------------------------------- bytes that are missing

LONG = b"HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n" + bytes(97 + n % 26 for n in range(3000))


def test_a_hole_in_a_body(save):
    """It is counted, and the message goes on, so that the next is found."""
    talk = Script().say("c", GET).say("s", *parts(LONG, 1000), skip=(1,)).wait("c").say("c", GET).say("s", OK)
    found = same(save(talk.trace.pcap()))
    assert [(line, missing) for _, line, _, missing, _ in found] == [
        ("GET /a HTTP/1.1", 0),
        ("HTTP/1.1 200 OK", 1000),
        ("GET /a HTTP/1.1", 0),
        ("HTTP/1.1 200 OK", 0),
    ]
    body = LONG[-3000:]
    assert found[1][2] == body[: 1000 - 41] + bytes(1000) + body[2000 - 41 :]


def test_a_hole_in_a_header_section(save):
    """Where it ended is not known: the next piece that begins a message is the next message, and answers the last request."""
    talk = Script().say("c", GET).say("s", *parts(OK, 20), skip=(1,)).wait("c").say("c", GET).say("s", OK)
    found = same(save(talk.trace.pcap()))
    assert [one[1] for one in found] == ["GET /a HTTP/1.1", "GET /a HTTP/1.1", "HTTP/1.1 200 OK"]
    assert found[2][4] == found[1][0]
    lost = Analysis(save(talk.trace.pcap())).table("undecoded").filter(space="stream")
    assert lost["bytes"].to_list() == [23]  # of 43 bytes, in three pieces, the second is missing


def test_a_capture_that_begins_within(save):
    """Bytes before the first message are counted."""
    trace = Trace()
    trace.tcp(0, "s", "PA", 100, 1, b"rest of a body\r\n").tcp(0.1, "c", "PA", 1, 116, GET).tcp(0.2, "s", "PA", 116, 30, OK)
    name = save(trace.pcap())
    assert [one[:3] for one in same(name)] == [(2, "GET /a HTTP/1.1", b""), (3, "HTTP/1.1 200 OK", b"hello")]
    assert Analysis(name).table("undecoded").filter(space="stream")["bytes"].to_list() == [16]


# ---------------------------------------------------------------- other protocols inside


def test_a_tunnel(save):
    """Behind CONNECT and its answer the bytes are another protocol's, here TLS records."""
    record = b"\x16\x03\x01\x00\x05hello"
    talk = Script().say("c", b"CONNECT y:443 HTTP/1.1\r\nHost: y\r\n\r\n").say("s", b"HTTP/1.1 200 Connection established\r\n\r\n")
    talk.say("c", record[:3], record[3:]).say("s", record + record)
    name = save(talk.trace.pcap())
    assert [one[0] for one in same(name)] == [4, 5]
    for size in BATCHES:
        assert Analysis(name, batch_frames=size).table("tls")["frame.number"].to_list() == [7, 8, 8]


def test_an_upgrade(save):
    """What the connection goes on with is no HTTP: counted, if nobody knows it."""
    talk = Script().say("c", b"GET /chat HTTP/1.1\r\nHost: x\r\nUpgrade: odd\r\nConnection: Upgrade\r\n\r\n")
    talk.say("s", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: odd\r\nConnection: Upgrade\r\n\r\n").say("c", b"\x81\x82abcdef")
    talk.say("s", b"\x81\x02hi")
    name = save(talk.trace.pcap())
    assert [one[:2] for one in same(name)] == [(4, "GET /chat HTTP/1.1"), (5, "HTTP/1.1 101 Switching Protocols")]
    for size in BATCHES:
        assert Analysis(name, batch_frames=size).table("undecoded")["bytes"].sum() == 12


def test_an_upgrade_that_is_refused(save):
    ask = b"GET /a HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"
    talk = Script().say("c", ask).say("s", OK).say("c", GET).say("s", OK)
    assert [one[4] for one in same(save(talk.trace.pcap()))] == [0, 4, 0, 6]


# ---------------------------------------------------------------- any messages, cut in any way

TARGET = st.text("abc/?=&%", min_size=1, max_size=12).map(lambda one: "/" + one)
BODY = st.binary(max_size=60)


@st.composite
def request(draw):
    method = draw(st.sampled_from(["GET", "POST", "PUT", "HEAD", "DELETE", "X-ODD"]))
    line = f"{method} {draw(TARGET)} HTTP/1.{draw(st.integers(0, 1))}"
    body = draw(BODY) if method in ("POST", "PUT") else b""
    return method, *framed(draw, line, body, draw(st.sampled_from(["length", "chunked"])) if body else "")


def framed(draw, line: str, body: bytes, how: str) -> tuple[str, bytes, bytes]:
    head = line.encode() + b"\r\nHost: x\r\nX-Odd:  \xff\xfe \r\n"
    if how == "length":
        return line, body, head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    if how == "chunked":
        cut = sorted(draw(st.lists(st.integers(1, max(len(body) - 1, 1)), max_size=3, unique=True)))
        chunks = [body[a:b] for a, b in zip([0, *cut], [*cut, len(body)]) if body[a:b]]
        sent = b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in chunks)
        return (
            line,
            body,
            head + b"Transfer-Encoding: Chunked\r\n\r\n" + sent + b"0\r\n" + draw(st.sampled_from([b"", b"T: 1\r\n"])) + b"\r\n",
        )
    return line, body, head + b"\r\n"


@st.composite
def conversation(draw):
    """Requests with their answers, and how they are cut, ordered and numbered."""
    pairs = []
    for method, line, body, sent in draw(st.lists(request(), min_size=1, max_size=4)):
        status = draw(st.sampled_from([200, 404, 204, 304, 500]))
        none = method == "HEAD" or status in (204, 304)
        reply = framed(draw, f"HTTP/1.1 {status} Some Words", b"" if none else draw(BODY), draw(st.sampled_from(["length", "chunked"])))
        if none:
            reply = (reply[0], b"", reply[2].partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
        pairs.append(((line, body, sent), reply))
    return (
        pairs,
        draw(st.integers(1, 70)),
        draw(st.sampled_from([1000, WRAP, 2**32 - 1])),
        draw(st.booleans()),
        draw(st.randoms(use_true_random=False)),
    )


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(conversation())
def test_any_conversation(made):
    """However the bytes are cut into segments, nearby segments swapped and some sent twice: the messages are those that were sent."""
    pairs, size, isn, pipelined, chance = made
    talk = Script(isn, isn)

    def send(who: str, data: bytes) -> None:
        cut = parts(data, size)
        order = list(range(len(cut)))
        for at in range(len(order) - 1):
            if chance.random() < 0.3:
                order[at], order[at + 1] = order[at + 1], order[at]
        order += [at for at in order if chance.random() < 0.2]
        talk.say(who, *cut, order=tuple(order))

    if pipelined:
        send("c", b"".join(asked[2] for asked, _ in pairs))
        send("s", b"".join(reply[2] for _, reply in pairs))
    else:
        for asked, reply in pairs:
            send("c", asked[2])
            send("s", reply[2])
    with tempfile.NamedTemporaryFile(suffix=".pcap") as file:
        file.write(talk.trace.pcap())
        file.flush()
        found = same(file.name)
    requests = [one for one in found if not one[1].startswith("HTTP/")]
    answers = [one for one in found if one[1].startswith("HTTP/")]
    assert [one[1:4] for one in requests] == [(line, body, 0) for (line, body, _), _ in pairs]
    assert [one[1:4] for one in answers] == [(line, body, 0) for _, (line, body, _) in pairs]
    assert [one[4] for one in answers] == [one[0] for one in requests]
    for (line, body, sent), _ in pairs:  # dpkt reads the same of what was sent
        if not line.startswith("X-ODD"):
            assert dpkt.http.Request(sent).body == body


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                b"GET / HTTP/1.1\r\n",
                b"HTTP/1.1 200 OK\r\n",
                b"\r\n",
                b"Content-Length: 4\r\n",
                b"Transfer-Encoding: chunked\r\n",
                b"4\r\n",
                b"abcd",
                b"0\r\n",
                b"\0\xff",
                b"Upgrade: x\r\n",
                b" ",
                b":",
                b"CONNECT x:1 HTTP/1.1\r\n",
                b"HT",
                b"\n",
            ]
        ),
        max_size=30,
    ),
    st.lists(st.integers(1, 60), max_size=8),
    st.integers(1, 40),
)
def test_anything_is_read(words, holes, size):
    """No bytes and no holes hurt, and the size of a batch changes nothing."""
    talk = Script()
    talk.say("c", *parts(b"".join(words), size), skip=tuple(holes)).wait("s").say(
        "s", *parts(b"".join(reversed(words)), size), skip=tuple(holes), end=True
    ).wait("c")
    with tempfile.NamedTemporaryFile(suffix=".pcap") as file:
        file.write(talk.trace.pcap())
        file.flush()
        same(file.name)
        lost = [Analysis(file.name, batch_frames=n).table("undecoded").rows() for n in BATCHES]
        assert lost[0] == lost[1] == lost[2]


# ---------------------------------------------------------------- limits


def test_a_long_body_takes_no_more_than_its_limit(save):
    """Of 3 MiB, 1 MiB is kept; all is counted, and what follows is found."""
    size = 3 << 20
    talk = (
        Script()
        .say("c", GET)
        .say("s", b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size, *parts(b"x" * size, 32_000))
        .say("c", GET)
        .say("s", OK)
    )
    name = save(talk.trace.pcap())
    rows = Analysis(name).table("http").select("http.line", "http.body_len").rows()
    assert rows == [("GET /a HTTP/1.1", 0), ("HTTP/1.1 200 OK", size), ("GET /a HTTP/1.1", 0), ("HTTP/1.1 200 OK", 5)]
    assert len(messages(name, 1 << 20)[1][2]) == 1 << 20
    output = run("packets", name, "-Y", "http.response", "-T", "fields", "-e", "tcp.reassembled.length", "-e", "tcp.segment.count").out
    assert output.splitlines()[0] == f"{size + 44}\t{1 + -(-size // 32_000)}"


def test_a_header_section_without_end(save):
    """64 KiB is the most; beyond, it is no message, and what follows is found."""
    talk = Script().say("c", b"GET / HTTP/1.1\r\n", *parts(b"X: y\r\n" * 12_000, 1440)).say("c", GET)
    assert [one[1] for one in same(save(talk.trace.pcap()))] == ["GET /a HTTP/1.1"]


def test_bombs_are_cut():
    bomb = gzip.compress(bytes(10_000_000))
    assert decoded(bomb, "gzip", 1000) == (bytes(1000), "too long")
    twice = gzip.compress(bomb)
    assert decoded(twice, "gzip, gzip", 1000)[1] == "too long"


@pytest.mark.parametrize("coding", ["gzip", "deflate", "raw", "br", "zstd"])
def test_codings(coding):
    import brotli
    import zstandard

    body = b"All work and no play makes a dull trace. " * 300
    raw = zlib.compressobj(wbits=-15)
    sent = {
        "gzip": gzip.compress(body),
        "deflate": zlib.compress(body),
        "raw": raw.compress(body) + raw.flush(),
        "br": brotli.compress(body),
        "zstd": zstandard.compress(body),
    }[coding]
    name = "deflate" if coding == "raw" else coding
    assert decoded(sent, name, 1 << 20) == (body, "")
    assert decoded(sent, name, 100) == (body[:100], "too long")
    half, wrong = decoded(sent[: len(sent) // 2], name, 1 << 20)
    assert body.startswith(half) and (wrong or coding == "zstd")
    decoded(bytes(reversed(sent)), name, 1 << 20)


# ---------------------------------------------------------------- what recordings say


def test_the_download_over_a_bad_line():
    """204,800 bytes, with loss, reordering and duplicates: all there, in frame 285 (tshark with tcp.reassemble_out_of_order)."""
    found = same(str(RECORDINGS / "http-lossy.pcap.xz"))
    assert [(frame, len(body), missing) for frame, _, body, missing, _ in found] == [(4, 0, 0), (285, 204_800, 0)]


def test_pipelined_requests_have_their_answers():
    """Frame 186 holds three requests; tshark says so of the first answer only."""
    found = messages(str(RECORDINGS / "http.pcap.xz"), 1 << 20)
    assert [one[0] for one in found if one[4] == 186] == [188, 190, 354]


def test_the_body_that_is_chunked_and_compressed():
    found = messages(str(RECORDINGS / "http.pcap.xz"), 1 << 20)
    plain = next(body for frame, _, body, _, _ in found if frame == 16)
    assert next(body for frame, _, body, _, _ in found if frame == 363) == plain
    assert len(plain) == 8207


def test_dpkt_reads_the_same_recording():
    """Two decoders, message by message: what dpkt finds in the bytes of each, first line, fields and body."""
    count = 0
    for d in Analysis(str(RECORDINGS / "http.pcap.xz")).dissections({"http.line", "http.file_data"}):
        for h in d.chunks["http"]:
            rows, fields = start_lines(h)[0], field_lines(h)
            names = ascii_texts(h.buffer, fields[:, 2], fields[:, 3])
            for row in rows.tolist():
                if h.context_of("kind")[row] == 2 and h.context_of("framing")[row] == 0:  # dpkt does not know what HEAD and 304 lack
                    continue
                data = h.buffer[h.start[row] : h.end[row]].tobytes()
                one = (dpkt.http.Response if h.context_of("kind")[row] == 2 else dpkt.http.Request)(data)
                mine = fields[fields[:, 0] == row]
                assert len(mine) == sum(1 if isinstance(value, str) else len(value) for value in one.headers.values())
                assert {text.rstrip(": ").lower() for text in names[fields[:, 0] == row].tolist()} == set(one.headers)
                assert h.context_of("body")[row] == len(one.body)
                count += 1
    assert count == 43


def test_names_and_begins():
    """A stream is HTTP's by its first bytes, on whatever port."""
    framer = HttpFramer()
    first = np.zeros((6, 16), np.uint8)
    for row, data in enumerate(
        [b"GET / HTTP/1.1\r\n", b"HTTP/1.0 200 OK ", b"GET", b"OPTIONS sip:x SI", b"\x16\x03\x01", b"CONNECT a.b:443 "]
    ):
        first[row, : len(data)] = np.frombuffer(data, np.uint8)
    assert framer.probe_stream(first, np.array([16, 16, 3, 16, 3, 16])).tolist() == [True, True, True, False, False, True]


def test_ssdp(save):
    """Requests and responses in datagrams, on port 1900: tshark's fields."""
    from scapy.all import IP, UDP, Ether, Raw

    mac = "02:00:00:00:00:01"
    search = b'M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: "ssdp:discover"\r\nMX: 1\r\n\r\n'
    here = b"HTTP/1.1 200 OK\r\nLOCATION: http://10.0.0.2/d.xml\r\nSERVER: y\r\n\r\n"
    trace = Trace().put(
        0, bytes(Ether(src=mac, dst=mac) / IP(src="10.0.0.1", dst="239.255.255.250") / UDP(sport=4000, dport=1900) / Raw(search))
    )
    trace.put(1, bytes(Ether(src=mac, dst=mac) / IP(src="10.0.0.2", dst="10.0.0.1") / UDP(sport=1900, dport=4000) / Raw(here)))
    trace.put(
        2,
        bytes(
            Ether(src=mac, dst=mac) / IP(src="10.0.0.2", dst="10.0.0.1") / UDP(sport=1900, dport=4000) / Raw(b"something that is no HTTP")
        ),
    )
    name = save(trace.pcap())
    fields = ("frame.protocols", "http.request", "http.response.code", "http.request.full_uri", "http.location")
    output = run("packets", name, "-T", "fields", *(word for field in fields for word in ("-e", field))).out
    assert [line.split("\t") for line in output.splitlines()] == [
        ["eth:ethertype:ip:udp:ssdp", "1", "", "http://239.255.255.250:1900*", ""],
        ["eth:ethertype:ip:udp:ssdp", "", "200", "", "http://10.0.0.2/d.xml"],
        ["eth:ethertype:ip:udp:data", "", "", "", ""],
    ]


def test_a_filter_on_a_header_field(save):
    """The fields of what is left are its own."""
    second = GET.replace(b"Host: x", b"Host: z\r\nAccept: */*")
    name = save(Script().say("c", GET).say("s", OK).say("c", second).say("s", OK).trace.pcap())
    fields = ("-T", "fields", "-e", "frame.number", "-e", "http.host", "-e", "http.accept")
    assert [run("packets", name, "-Y", 'http.host == "z"', "--batch-frames", str(n), *fields).out for n in BATCHES] == ["6\tz\t*/*\n"] * 3


def test_what_the_trace_does_not_end_is_counted(save):
    """Three bytes of five, and the header section before them, are in no message."""
    talk = Script().say("c", GET).say("s", OK[:-4], OK[-4:-2])
    for size in BATCHES:
        found = Analysis(save(talk.trace.pcap()), batch_frames=size).table("undecoded").filter(space="stream")
        assert found.select("bytes", "first_frame").rows() == [(len(OK) - 2, 5)]


def test_bytes_behind_an_end(save):
    """Against all rules (RFC 9293 §3.10.4): what the end cut off stays cut off, whatever the batch."""
    talk = Script().say("c", GET).say("s", OK[:20], end=True).say("c", GET).say("s", OK[20:], OK)
    assert [one[:2] for one in same(save(talk.trace.pcap()))] == [(4, "GET /a HTTP/1.1"), (6, "GET /a HTTP/1.1"), (8, "HTTP/1.1 200 OK")]


def test_segments_that_a_message_came_in():
    """tshark's numbers: a segment that ends the header section and begins the body is one."""
    for size in BATCHES[1:]:
        words = [word for name in ("frame.number", "tcp.segment.count", "tcp.reassembled.length") for word in ("-e", name)]
        output = run(
            "packets", str(RECORDINGS / "http.pcap.xz"), "-Y", "tcp.segment.count", "--batch-frames", str(size), "-T", "fields", *words
        ).out
        assert [tuple(map(int, line.split("\t"))) for line in output.splitlines()] == SEGMENTS


SEGMENTS = [(16, 6, 8557), (178, 143, 205_058), (354, 143, 205_053), (390, 5, 5178), (491, 6, 5151)]
