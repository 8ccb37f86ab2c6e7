"""Framing: messages in runs of bytes, whatever tells where they end, however the bytes come."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.protocols import protocols
from analyzer.protocols.common.framing import ContiguousRuns, StreamFramer, line_end

LIMIT = 300


def varint(number: int) -> bytes:
    """Groups of 7 bits, the least significant first. MQTT 5.0 §1.5.5."""
    return bytes([number & 127 | 128]) + varint(number >> 7) if number > 127 else bytes([number])


def fixed(number: int) -> bytes:
    return number.to_bytes(2, "big")


DECLARED = {
    "varint": (
        lambda body: b"\x30" + varint(len(body)) + body,
        {"header": 2, "at": 1, "width": 4, "varint": True, "offset": 1, "first": (0x30,)},
    ),
    "fixed": (lambda body: b"\x30" + fixed(len(body)) + body, {"header": 3, "at": 1, "width": 2, "offset": 3, "first": (0x30,)}),
    "line": (lambda body: body.replace(b"\n", b".") + b"\n", {"header": 1, "find_end": line_end}),
}


class Stream:
    """One direction whose segments are put in order one by one; `rest` waits for the next."""

    def __init__(self, framer: StreamFramer) -> None:
        self.framer, self.rest, self.pieces = framer, b"", []
        self.found: list[tuple[int, bytes]] = []
        self.lost: list[tuple[int, int]] = []

    def feed(self, batch: list[tuple[int, bytes]], ended: bool, gap: int = 0) -> None:
        """Segments (frame, data); ended: nothing follows; gap: bytes missing before the first of them."""
        runs = [[*self.pieces], batch] if gap and self.pieces else [[*self.pieces, *batch]]
        every = [segment for run in runs for segment in run]
        place = np.cumsum([0, *(len(data) for _, data in every)])
        first = np.cumsum([0, *map(len, runs)])
        frame = np.array([number for number, _ in every], np.int64)
        n = len(runs)
        s = ContiguousRuns(
            np.frombuffer(b"".join(data for _, data in every), np.uint8),
            np.zeros(n, np.int64),
            place[first[:-1]],
            place[first[1:]],
            np.zeros(n, np.int64),
            np.array([0, gap][-n:], np.int64),
            np.array([False] * (n - 1) + [ended]),
            np.zeros((len(every), 10), np.int64),
            place[:-1],
            frame,
            frame,
            frame,
            first[:-1],
            frame[first[1:] - 1],
        )
        framed = self.framer.split(s)
        self.found += [(by, s.data[a:b].tobytes()) for by, a, b in zip(framed.by.tolist(), framed.start.tolist(), framed.end.tolist())]
        self.lost += zip(framed.lost_by.tolist(), framed.lost.tolist())
        upto, self.pieces = int(framed.upto[-1]), []
        for (number, data), at in zip(every, place.tolist()):
            if at + len(data) > upto and not ended:
                self.pieces.append((number, data[max(upto - at, 0) :]))


@pytest.mark.slow
@pytest.mark.parametrize("kind", DECLARED)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_messages_are_found_however_they_were_cut(kind, data):
    make, declared = DECLARED[kind]
    sent = [make(body) for body in data.draw(st.lists(st.binary(max_size=LIMIT - 10), min_size=1, max_size=6))]
    stream = b"".join(sent)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(stream)), max_size=8)) | {len(stream)})
    segments = [(n, stream[a:b]) for n, (a, b) in enumerate(zip([0, *cuts], cuts))]
    ends = np.cumsum([len(one) for one in sent])
    expected = [(int(np.searchsorted(cuts, end)), one) for end, one in zip(ends, sent)]
    split = data.draw(st.integers(0, len(segments)))
    for batches in ([segments], [[one] for one in segments], [segments[:split], segments[split:]]):
        taken = Stream(StreamFramer(limit=LIMIT, **declared))
        for nth, batch in enumerate(batches):
            if batch:
                taken.feed(batch, nth == len(batches) - 1)
        assert (taken.found, taken.lost) == (expected, [])


@pytest.mark.parametrize("kind", DECLARED)
def test_a_length_beyond_the_limit_is_none(kind):
    """The next segment that a message may begin with resumes; the bytes before it are lost, counted with their frames."""
    make, declared = DECLARED[kind]
    long, good = make(b"x" * (LIMIT + 1)), make(b"good")
    batches = [[(1, long), (2, good)]], [[(1, long)], [(2, good)]]
    for batch in batches:
        taken = Stream(StreamFramer(limit=LIMIT, **declared))
        for segments in batch:
            taken.feed(segments, segments[-1][0] == 2)
        assert (taken.found, taken.lost) == ([(2, good)], [(1, len(long))])


def test_behind_a_hole_a_varint_resumes_where_a_message_may_begin():
    make, declared = DECLARED["varint"]
    taken = Stream(StreamFramer(limit=LIMIT, **declared))
    taken.feed([(1, make(b"first") + make(b"cut off")[:4])], False)
    taken.feed([(2, b"the rest of it"), (3, make(b"second"))], True, gap=50)
    assert taken.found == [(1, make(b"first")), (3, make(b"second"))]
    assert sorted(taken.lost) == [(1, 4), (2, 14)]


@pytest.mark.parametrize(
    ("begin", "may"),
    [
        (b"\x30\x80", True),
        (b"\x30\x80\x80\x80\x80", False),
        (b"\x30\xac\x02", False),
        (b"\x30\x7f", True),
        (b"\x10\x05", False),
        (b"\x30", True),
    ],
)
def test_the_length_in_a_varint_decides_whether_a_message_may_begin(begin, may):
    """Incomplete lengths may; those of more than four bytes and those beyond the limit may not."""
    first = np.zeros((1, 16), np.uint8)
    first[0, : len(begin)] = list(begin)
    framer = StreamFramer(limit=LIMIT, **DECLARED["varint"][1])
    assert framer.probe_stream(first, np.array([len(begin)])).tolist() == [may]


# ---------------------------------------------------------------- which protocol a stream speaks

OPENINGS = [  # what streams begin with, and who takes it where no port tells
    (b"220 one FTP server ready, mail by SMTP\r\n", "ftp"),
    (b"220 mail ESMTP Postfix\r\n", "smtp"),
    (b"EHLO one\r\n", "smtp"),
    (b"SYST\r\n", "ftp"),
    (b"GET / HTTP/1.1\r\n", "http"),
    (b"HTTP/1.1 200 OK\r\n", "http"),
    (b"P", "http"),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "http2"),
    (bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]), "http2"),
    (b"OPTIONS sip:one@host SIP/2.0\r\n", "sip"),
    (b"OPTIONS * HTTP/1.1\r\n", "http"),
    (b"SIP/2.0 200 OK\r\n", "sip"),
    (bytes([255, 253, 1, 255, 251, 3]), "telnet"),
    (bytes([22, 3, 1, 0, 5]), "tls"),
]


def test_which_grammar_takes_a_stream_is_declared():
    """The lowest precedence; grammars of the same precedence match no opening together, however much of it is there."""
    framers = {name: p.framer() for name, p in protocols().items() if p.framer is not None}
    for opening, taker in OPENINGS:
        for size in range(1, len(opening) + 1):
            first = np.zeros((1, 64), np.uint8)
            first[0, :size] = list(opening[:size])
            match = [(f.precedence, name) for name, f in framers.items() if f.any_port and f.probe_stream(first, np.array([size]))[0]]
            assert len({precedence for precedence, _ in match}) == len(match), (opening[:size], match)
        assert min(match)[1] == taker
