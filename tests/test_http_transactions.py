"""`http_transactions`: which answer is whose, times, sizes, reuse, proxies; and what `explain` says of web servers and of names."""

import gzip
import struct
import tempfile
from datetime import timedelta

import polars as pl
import pytest
from conftest import BATCHES, RECORDINGS, Trace, run
from hypothesis import given, settings
from hypothesis import strategies as st
from test_http import GET, OK, Script, parts

from analyzer import Analysis
from analyzer.expert import evaluate
from analyzer.tables.http_transactions import grouped

MS = timedelta(milliseconds=1)


MAC = "02:00:00:00:00:01"  # given, so that scapy asks nobody for one


def table(name: str, **more) -> pl.DataFrame:
    """The table, the same in batches of 1, 7 and all."""
    found = [Analysis(name, batch_frames=size, **more).table("http_transactions") for size in BATCHES]
    assert found[0].equals(found[1]) and found[0].equals(found[2])
    return found[0]


def picked(name: str, *columns: str, **more) -> list[tuple]:
    return table(name, **more).select(columns).rows()


def explained(name: str) -> str:
    output = run("explain", name)
    assert output.status == 0
    return " ".join(output.out.split())


def answer(status: int, body: bytes = b"hello", more: bytes = b"") -> bytes:
    return b"HTTP/1.1 %d Some Words\r\n%sContent-Length: %d\r\n\r\n%s" % (status, more, len(body), body)


def asked(target: str = "/a", more: bytes = b"", method: str = "GET", body: bytes = b"") -> bytes:
    length = b"Content-Length: %d\r\n" % len(body) if body else b""
    return f"{method} {target} HTTP/1.1\r\nHost: www.example.test\r\n".encode() + more + length + b"\r\n" + body


# ---------------------------------------------------------------- times and sizes


def test_times_and_sizes(save):
    """The request in two segments 10 ms apart, the first byte 10 ms behind it, the last 20 ms later."""
    talk = Script().say("c", *parts(asked(method="POST", body=b"x" * 100), 100)).say("s", *parts(OK, 20))
    row = table(save(talk.trace.pcap())).row(0, named=True)
    sent = len(asked(method="POST", body=b"x" * 100))
    assert (
        row["frame"] == 5
        and row["answer_frame"] == 8
        and sent == row["request_header"] + row["request_body"]
        and row["request_body"] == 100
    )
    assert (row["request_time"], row["first_byte"], row["last_byte"]) == (10 * MS, 10 * MS, 30 * MS)
    assert (row["answer_header"], row["answer_body"], row["missing"]) == (len(OK) - 5, 5, 0)
    assert (row["client"], row["client_port"], row["server"], row["server_port"]) == ("10.0.0.1", 40000, "10.0.0.2", 80)
    assert (row["method"], row["safe"], row["idempotent"], row["status"], row["framing"]) == ("POST", False, False, 200, "length")


def test_methods():
    kinds = {"GET": (True, True), "PUT": (False, True), "PATCH": (False, False), "X-ODD": (False, False), "CONNECT": (False, False)}
    from analyzer.protocols.http import IDEMPOTENT, SAFE

    assert {name: (name in SAFE, name in IDEMPOTENT) for name in kinds} == kinds


def test_reuse_pipelining_and_what_has_no_body(save):
    """HEAD, 204 and 304 have no body; three requests in one segment, then one after the answers."""
    talk = Script().say("c", asked(method="HEAD") + GET + GET).say("s", OK[:-5] + answer(204, b"") + answer(304, b"", b"ETag: x\r\n"))
    talk.say("c", GET).say("s", b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall", end=True)
    name = save(talk.trace.pcap())
    assert picked(name, "nth", "status", "answer_body", "framing", "pipelined", "persistent") == [
        (1, 200, 0, "nothing", False, True),
        (2, 204, 0, "nothing", True, True),
        (3, 304, 0, "nothing", True, True),
        (4, 200, 3, "close", False, False),
    ]


def test_interim_responses_are_aside(save):
    talk = (
        Script().say("c", asked(method="PUT", body=b"abc")).say("s", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\n\r\n")
    )
    assert picked(save(talk.say("s", OK).trace.pcap()), "status", "interim", "answer_frame") == [(200, [100, 103], 7)]


def test_ranges_and_codings(save):
    body = gzip.compress(b"x" * 1000)
    more = b"Content-Encoding: gzip\r\nContent-Range: bytes 0-99/1000\r\nContent-Type: text/plain\r\n"
    talk = Script().say("c", asked(more=b"Range: bytes=0-99\r\n")).say("s", answer(206, body, more))
    assert picked(save(talk.trace.pcap()), "status", "range", "content_range", "coding", "content_type", "answer_body") == [
        (206, "bytes=0-99", "bytes 0-99/1000", "gzip", "text/plain", len(body))
    ]


# ---------------------------------------------------------------- what becomes of requests


def test_outcomes(save):
    talk = Script().say("c", GET).say("s", OK).say("c", GET).say("s", OK[:-3], end=True)
    assert picked(save(talk.trace.pcap()), "outcome", "missing", "problems") == [("answered", 0, []), ("short", 3, ["short"])]


@pytest.mark.parametrize(("wait", "outcome"), [(2, "unanswered"), (0.2, "open")])
def test_no_answer(save, wait, outcome):
    talk = Script().say("c", GET).wait("s", wait / 2)
    assert picked(save(talk.trace.pcap()), "outcome", "status", "first_byte") == [(outcome, None, None)]


def test_the_trace_ends_within_an_answer(save):
    talk = Script().say("c", GET).say("s", OK[:-3]).wait("c")
    assert picked(save(talk.trace.pcap()), "outcome", "status", "answer_frame", "last_byte") == [("begun", 200, None, None)]


def test_an_answer_behind_a_hole_that_the_trace_ends_with(save):
    """No frame shows it, but it is known."""
    talk = Script().say("c", GET, GET).say("s", OK, OK, skip=(0,))
    assert picked(save(talk.trace.pcap()), "outcome") == [("lost",), ("answered",)]


def test_answers_that_the_capture_lost(save):
    """The first answer is in no frame: its request is not called unanswered."""
    talk = Script().say("c", GET).say("s", OK, skip=(0,)).wait("c").say("c", GET).say("s", OK).wait("c")
    assert picked(save(talk.trace.pcap()), "outcome") == [("lost",), ("answered",)]


def test_an_answer_without_request(save):
    trace = Trace()
    trace.tcp(0, "s", "PA", 1, 1, OK)
    row = table(save(trace.pcap())).row(0, named=True)
    assert (row["outcome"], row["client"], row["frame"], row["status"]) == ("unasked", "10.0.0.1", None, 200)


def test_a_body_cut_by_the_snap_length(save):
    """400 bytes of a segment of 1000 were kept."""
    long = answer(200, b"x" * 2000)
    trace = Trace()
    trace.open()
    trace.tcp(1, "c", "PA", 1, 1, GET).tcp(1.1, "s", "PA", 1, 1 + len(GET), long[:1000], keep=454)
    trace.tcp(1.2, "s", "PA", 1001, 1 + len(GET), long[1000:]).tcp(1.3, "c", "A", 1 + len(GET), 1 + len(long))
    assert picked(save(trace.pcap()), "outcome", "answer_body", "missing", "problems") == [("answered", 2000, 600, ["hole"])]


@pytest.mark.parametrize("isn", [5000, 2**32 - 100])
def test_loss_reordering_and_wrapped_numbers(save, isn):
    """Segments of 30 bytes in another order, one of the body missing, numbers that pass 2³²."""
    long = answer(200, bytes(range(200)))
    cut = parts(long, 30)
    talk = Script(isn, isn).say("c", *parts(asked(), 20), order=(1, 0, 2)).say("s", *cut, order=(1, 0, 2, 4, 3, 5, 6, 7, 8), skip=(5,))
    talk.wait("c").say("c", GET).say("s", OK)
    assert picked(save(talk.trace.pcap()), "status", "answer_body", "missing") == [(200, 200, 30), (200, 5, 0)]


def test_a_filter_keeps_transactions_of_its_frames(save):
    talk = Script().say("c", GET).say("s", OK).say("c", GET).say("s", OK)
    name = save(talk.trace.pcap())
    assert picked(name, "nth", filter="frame.number == 7") == [(2,)]
    assert picked(name, "nth", filter="http.request") == [(1,), (2,)]


# ---------------------------------------------------------------- proxies


def recorded(name: str, *columns: str) -> list[tuple]:
    return picked(str(RECORDINGS / f"{name}.pcap.xz"), *columns)


WHO = ("stream", "proxy", "proxy_end", "upstream", "downstream", "upstream_frame")


def test_a_forward_proxy():
    """squid, asked in absolute form; both its requests went over one connection."""
    assert recorded("http-proxy", *WHO) == [
        (0, "forward", "server", 1, None, 17),
        (1, "forward", "client", None, 0, None),
        (2, "forward", "server", 1, None, 55),
        (1, "forward", "client", None, 2, None),
    ]


def test_a_reverse_proxy():
    """nginx with two servers behind it, on connections that it keeps."""
    found = recorded("http-reverse", *WHO)
    assert [one[3] for one in found if one[2] == "server"] == [1, 3, 1, 3]
    assert [one[4] for one in found if one[2] == "client"] == [0, 2, 4, 5]
    assert {one[1] for one in found} == {"reverse"}


def test_a_transparent_proxy():
    """The client asked the web server's address; squid answered, and says so (Via)."""
    assert recorded("http-transparent", *WHO) == [(0, "transparent", "server", 1, None, 27), (1, "transparent", "client", None, 0, None)]
    assert recorded("http-transparent", "via")[0] == (["1.1 kongming (squid/5.7)"],)


def test_a_tunnel(save):
    """CONNECT, and the connection that the proxy opened before it answered."""
    trace = Trace()
    trace.open()
    ask = b"CONNECT www.example.test:443 HTTP/1.1\r\nHost: www.example.test:443\r\n\r\n"
    trace.tcp(1, "c", "PA", 1, 1, ask)
    trace.put(1.1, syn("10.0.0.2", "192.0.2.7", 443)).put(1.2, syn("10.0.0.2", "192.0.2.7", 80))
    trace.tcp(1.3, "s", "PA", 1, 1 + len(ask), b"HTTP/1.1 200 Connection established\r\n\r\n")
    assert picked(save(trace.pcap()), *WHO, "upgrade") == [(0, "forward", "server", 1, None, 5, "tunnel")]


def syn(source: str, target: str, port: int) -> bytes:
    from scapy.all import IP, TCP, Ether

    return bytes(Ether(src=MAC, dst=MAC) / IP(src=source, dst=target) / TCP(sport=50000 + port, dport=port, flags="S"))


def test_a_proxy_that_is_not_told(save):
    """Via in the answer alone: whether the client knew it is unknown."""
    talk = Script().say("c", GET).say("s", answer(200, b"x", b"Via: 1.1 cache\r\n"))
    assert picked(save(talk.trace.pcap()), *WHO[1:4]) == [("reverse or transparent", "server", None)]


# ---------------------------------------------------------------- secrets

SECRET = "dXNlcjpzM2NyM3Q"


@pytest.mark.parametrize(
    ("request_bytes", "kind"),
    [
        (asked(more=b"Authorization: Basic " + SECRET.encode() + b"\r\n"), "Basic"),
        (asked(more=b"Proxy-Authorization: Basic " + SECRET.encode() + b"\r\n"), "proxy Basic"),
        (asked(more=b"Authorization: Bearer " + SECRET.encode() + b"\r\n"), "Bearer"),
        (asked(more=b"Authorization: " + SECRET.encode() + b"\r\n"), "unknown scheme"),
        (asked(f"/login?user=a&Password={SECRET}"), "password in the target"),
        (
            asked("/login", b"Content-Type: application/x-www-form-urlencoded\r\n", "POST", f"u=a&passwd={SECRET}".encode()),
            "password in a form",
        ),
        (
            asked("/", b"Content-Type: multipart/form-data; boundary=b\r\n", "POST",
                f'--b\r\nContent-Disposition: form-data; name="pwd"\r\n\r\n{SECRET}\r\n--b--'.encode()),
            "password in a form",
        ),
    ],
)  # fmt: skip
def test_secrets_are_told_and_never_shown(save, request_bytes, kind):
    name = save(Script().say("c", request_bytes).say("s", OK).trace.pcap())
    assert picked(name, "credentials") == [([kind],)]
    expert = run("table", "expert", name, "-T", "csv").out
    output = explained(name)
    assert f"anybody on the way can read: {kind}" in expert and SECRET not in expert
    assert f"1 request with {kind} (frame 4)" in output and SECRET not in output


def test_a_proof_is_no_secret(save):
    name = save(Script().say("c", asked(more=b'Authorization: Digest username="a", response="00"\r\n')).say("s", OK).trace.pcap())
    assert picked(name, "credentials") == [(["Digest"],)]
    assert "Credentials" not in explained(name)


# ---------------------------------------------------------------- what explain says


def test_a_server_that_never_answers(save):
    output = explained(save(Script().say("c", asked("/a?secret=1")).wait("s").trace.pcap()))
    assert "10.0.0.2:80 (www.example.test) never answered: 1 request (GET /a; frame 4)." in output


def test_a_burst_of_errors(save):
    talk = Script()
    for status in (200, 503, 503, 500, 503, 503):
        talk.say("c", asked()).say("s", answer(status))
    output = explained(save(talk.trace.pcap()))
    assert "5 of 6 answers were server errors (4 × 503, 1 × 500; frames 7 to 15), 5 within 10 s" in output


def test_errors_that_are_no_burst(save):
    talk = Script()
    for status in (200, 503, 503):
        talk.say("c", asked()).say("s", answer(status))
    assert "2 of 3 answers were server errors (2 × 503; frames 7 to 9)" in explained(save(talk.trace.pcap()))


def test_a_slow_server(save):
    talk = Script().say("c", asked("/slow?q=1"))
    talk.clock += 1.5
    output = explained(save(talk.say("s", OK).trace.pcap()))
    assert "1 of 1 answer began after a second or more, the slowest 1.51 s after its request (frame 5 for 4; GET /slow)" in output


def dns(source: str, target: str, port: int, answer_code: int | None = None) -> bytes:
    from scapy.all import DNS, DNSQR, IP, UDP, Ether

    question = DNSQR(qname="appserver")
    if answer_code is None:
        return bytes(Ether(src=MAC, dst=MAC) / IP(src=source, dst=target) / UDP(sport=port, dport=53) / DNS(id=7, rd=1, qd=question))
    message = DNS(id=7, qr=1, rcode=answer_code, qd=question)
    return bytes(Ether(src=MAC, dst=MAC) / IP(src=target, dst=source) / UDP(sport=53, dport=port) / message)


def test_names_that_no_server_answers(save):
    """As nowebaccess1 of docs/verdicts.md: two servers, asked in turn."""
    trace = Trace()
    for nth, at in enumerate((0, 1, 2, 4, 4, 8, 8)):
        trace.put(at + nth / 1e5, dns("10.0.0.1", f"192.0.2.{1 + nth % 2}", 4000))
    output = explained(save(trace.pcap()))
    assert (
        "10.0.0.1 could not find out appserver: DNS servers 192.0.2.1 and 192.0.2.2 did not answer, asked 7 times in 8.00 s (frames 1 to 7)"
        in output
    )


def test_a_name_server_that_fails(save):
    """As stranded_clientside of docs/verdicts.md."""
    trace = Trace().put(0, dns("10.0.0.1", "192.0.2.1", 4000)).put(0.001, dns("10.0.0.1", "192.0.2.1", 4000, 2))
    output = explained(save(trace.pcap()))
    assert "could not find out appserver: DNS server 192.0.2.1 answered SERVFAIL after 1.00 ms (frame 2 for 1)" in output


def test_a_name_found_out_later_is_none_of_it(save):
    trace = Trace().put(0, dns("10.0.0.1", "192.0.2.1", 4000)).put(0.001, dns("10.0.0.1", "192.0.2.1", 4000, 2))
    trace.put(1, dns("10.0.0.1", "192.0.2.2", 4001)).put(1.001, dns("10.0.0.1", "192.0.2.2", 4001, 0))
    assert "could not find out" not in explained(save(trace.pcap()))


def test_files_without_times_are_read(save):
    """Simple packets of pcapng have no time: no times here, and the rest as ever."""
    talk = Script().say("c", GET).say("s", OK)
    blocks = [struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28), struct.pack("<IIHHII", 1, 20, 1, 0, 0, 20)]
    for _, frame, _ in talk.trace.frames:
        padded = frame + bytes(-len(frame) % 4)
        blocks.append(struct.pack("<III", 3, 16 + len(padded), len(frame)) + padded + struct.pack("<I", 16 + len(padded)))
    assert picked(save(b"".join(blocks), "trace.pcapng"), "status", "time", "last_byte") == [(200, None, None)]


def test_a_slow_server_that_waits_for_another(save):
    """A proxy asks on, and most of the time is its server's."""
    trace = Trace()
    trace.open()
    ask, on = asked(), asked(more=b"X-Forwarded-For: 10.0.0.1\r\n")
    trace.tcp(1, "c", "PA", 1, 1, ask)
    trace.port = 40001
    trace.tcp(1.1, "c", "PA", 1, 1, on).tcp(2.9, "s", "PA", 1, 1 + len(on), OK)
    trace.port = 40000
    trace.tcp(3, "s", "PA", 1, 1 + len(ask), OK)
    name = save(trace.pcap())
    assert picked(name, *WHO[:5]) == [(0, "transparent", "server", 1, None), (1, "transparent", "client", None, 0)]
    assert "1.80 s of that were 10.0.0.2:80 behind it (stream 1)" in explained(name)


WORDS = [
    b"GET / HTTP/1.1\r\n",
    b"POST /?password=x HTTP/1.0\r\n",
    b"GET http://h/ HTTP/1.1\r\n",
    b"CONNECT h:443 HTTP/1.1\r\n",
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 101 Go\r\n",
    b"HTTP/1.1 100 Continue\r\n",
    b"HTTP/1.1 503 No\r\n",
    b"\r\n",
    b"Content-Length: 4\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Authorization: \r\n",
    b"Authorization: Basic \xff\r\n",
    b"Content-Type: multipart/form-data\r\n",
    b"Via: \r\n",
    b"X-Forwarded-For: 10.0.0.1, [::1]\r\n",
    b"Upgrade: websocket\r\n",
    b"Connection: close\r\n",
    b"4\r\nabcd\r\n",
    b"0\r\n\r\n",
    b"abcd",
    b"\x81\x02hi",
    b" ",
]


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.sampled_from(WORDS), max_size=25),
    st.lists(st.sampled_from(WORDS), max_size=25),
    st.lists(st.integers(0, 30), max_size=4),
    st.integers(1, 60),
    st.booleans(),
)
def test_anything_is_read(asks, answers, holes, size, end):
    """No bytes and no holes hurt, the size of a batch changes nothing, and `explain` and `objects` succeed."""
    talk = Script().say("c", *parts(b"".join(asks), size), skip=tuple(holes)).say("s", *parts(b"".join(answers), size), end=end)
    talk.say("c", *parts(b"".join(answers), size)).say("s", *parts(b"".join(asks), size), skip=tuple(holes))
    with tempfile.NamedTemporaryFile(suffix=".pcap") as file:
        file.write(talk.trace.pcap())
        file.flush()
        rows = table(file.name)
        evaluate(grouped(rows), "http_transactions")
        output = [run("objects", file.name, "--batch-frames", str(n), "-T", "csv") for n in BATCHES]
    assert {one.status for one in output} == {0} and len({one.out for one in output}) == 1
