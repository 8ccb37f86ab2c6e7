"""HTTP/2 in clear: frames as RFC 9113 draws them, blocks of header fields from RFC 7541's appendix C."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from conftest import BATCHES, Dialogue, pcap, run, same
from hpack import Encoder
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer import Analysis
from analyzer.protocols import http2, register

DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
REQUESTS = (  # §C.4
    "828684418cf1e3c2e5f23a6ba0ab90f4ff",
    "828684be5886a8eb10649cbf",
    "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
)
RESPONSES = (  # §C.6, a table of 256 bytes; here the block itself says so, §6.3
    "3fe101" + "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3",
    "4883640effc1c0bf",
    "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f95873160"
    "65c003ed4ee5b1063d5007",
)
FIRST = http2.PREFACE + bytes.fromhex("000000040000000000")


def frame(kind: int, payload: bytes = b"", flags: int = 0, stream: int = 1) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + struct.pack(">I", stream) + payload


class Speaks(Dialogue):
    """A connection in which each end says bytes, one segment each."""

    def __init__(self, **more: int) -> None:
        super().__init__(**more)
        self.at = {"c": 1, "s": 1}
        self.open()

    def say(self, who: str, data: bytes, size: int = 0) -> Speaks:
        """Bytes in a segment, or in several of `size`."""
        for part in [data[i : i + size] for i in range(0, len(data), size)] if size else [data]:
            self.add(who, "PA", self.at[who], self.at["s" if who == "c" else "c"], part)
            self.at[who] += len(part)
        return self

    def skip(self, who: str, size: int) -> Speaks:
        """Bytes that no frame brings."""
        self.at[who] += size
        return self


def table(name: str, *fields: str) -> list[tuple]:
    """These fields of each HTTP/2 frame, the same in batches of 1, 7 and all."""
    found = [Analysis(name, batch_frames=n).table("http2").select("frame.number", *fields).rows() for n in BATCHES]
    assert found[0] == found[1] == found[2]
    return found[0]


def lists(name: str) -> list[list[str]]:
    """The lists of header fields, as `name: value`."""
    rows = table(name, "http2.header.name", "http2.header.value")
    return [[f"{a}: {b}" for a, b in zip(names, values)] for _, names, values in rows if names]


def faults(name: str) -> list[int]:
    """The frames in which HTTP/2 is malformed."""
    return [row["frame.number"] for row in same(name, "expert") if row["protocol"] == "http2"]


# ---------------------------------------------------------------- lists


def test_lists_of_the_appendix(save):
    talk = Speaks().say("c", FIRST)
    for nth, (asks, answers) in enumerate(zip(REQUESTS, RESPONSES)):
        talk.say("c", frame(HEADERS, bytes.fromhex(asks), 5, 2 * nth + 1))
        talk.say("s", (frame(SETTINGS, stream=0) if not nth else b"") + frame(HEADERS, bytes.fromhex(answers), 5, 2 * nth + 1))
    name = save(pcap(*talk.frames))
    place, who = "location: https://www.example.com", ":authority: www.example.com"
    date = "date: Mon, 21 Oct 2013 20:13:2{} GMT"
    assert lists(name) == [
        [":method: GET", ":scheme: http", ":path: /", who],
        [":status: 302", "cache-control: private", date.format(1), place],
        [":method: GET", ":scheme: http", ":path: /", who, "cache-control: no-cache"],
        [":status: 307", "cache-control: private", date.format(1), place],
        [":method: GET", ":scheme: https", ":path: /index.html", who, "custom-key: custom-value"],
        [":status: 200", "cache-control: private", date.format(2), place, "content-encoding: gzip",
         "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"],
    ]  # fmt: skip
    named = ("method", "path", "status", "cache_control")
    assert [row for row in table(name, *(f"http2.headers.{one}" for one in named), "http2.request.full_uri") if row[1] or row[3]][:4] == [
        (5, ["GET"], ["/"], [], [], "http://www.example.com/"),
        (6, [], [], [302], ["private"], None),
        (7, ["GET"], ["/"], [], ["no-cache"], "http://www.example.com/"),
        (8, [], [], [307], ["private"], None),
    ]


@pytest.mark.parametrize("size", [5, 16])
def test_a_block_in_several_frames_and_segments(save, size):
    block = bytes.fromhex(REQUESTS[0])
    result = frame(HEADERS, block[:3], 1) + frame(CONTINUATION, block[3:4]) + frame(CONTINUATION, block[4:], 4)
    name = save(pcap(*Speaks().say("c", FIRST + result, size).frames))
    rows = table(name, "http2.words", "http2.length", "http2.flags.eh", "http2.header.count")
    assert [row[1:] for row in rows] == [
        ("preface", None, None, None),
        ("SETTINGS", 0, None, None),
        ("HEADERS", 3, False, None),
        ("CONTINUATION", 1, False, None),
        ("CONTINUATION", 13, True, 4),
    ]
    assert lists(name) == [[":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"]]


def test_padding_and_priority_lie_around_a_block(save):
    payload = b"\x05" + struct.pack(">IB", 0x80000003, 41) + bytes.fromhex(REQUESTS[0]) + bytes(5)
    name = save(pcap(*Speaks().say("c", FIRST + frame(HEADERS, payload, 0x2D) + frame(DATA, b"\x02hello\0\0", 9)).frames))
    fields = ("padding", "exclusive", "stream_dependency", "headers.weight", "headers.weight_real", "header.count")
    assert table(name, *(f"http2.{one}" for one in fields))[2] == (4, 5, True, 3, 41, 42, 4)
    shown = run(
        "packets", name, "-T", "fields", "-e", "http2.headers", "-e", "http2.data.data", "-e", "http2.flags.end_stream"
    ).out.splitlines()
    assert shown[3].split("\t") == [REQUESTS[0], b"hello".hex(), "1,1"]


def test_a_promise_has_a_list(save):
    block = Encoder().encode([(":method", "GET"), (":path", "/style.css")])
    name = save(pcap(*Speaks().say("c", FIRST).say("s", frame(PUSH, struct.pack(">I", 2) + block, 4, 3)).frames))
    assert table(name, "http2.push_promise.promised_stream_id", "http2.headers.path")[2] == (5, 2, ["/style.css"])


# ---------------------------------------------------------------- other frames


def test_settings_and_what_steers(save):
    values = b"".join(struct.pack(">HI", *one) for one in ((1, 8192), (2, 0), (3, 100), (4, 70000), (5, 16384), (6, 9999), (8, 1), (99, 5)))
    server = frame(SETTINGS, values, 0, 0) + frame(SETTINGS, b"", 1, 0) + frame(PING, b"12345678", 1, 0)
    server += frame(WINDOW, struct.pack(">I", 1000), 0, 0) + frame(RST, struct.pack(">I", 8), 0, 3)
    server += frame(GOAWAY, struct.pack(">II", 7, 11) + b"calm", 0, 0) + frame(200, b"xyz", 7, 9)
    name = save(pcap(*Speaks().say("c", FIRST + frame(PING, b"abcdefgh", 0, 0)).say("s", server).frames))
    known = ("header_table_size", "enable_push", "max_concurrent_streams", "initial_window_size", "max_frame_size", "max_header_list_size",
             "extended_connect", "unknown")  # fmt: skip
    (row,) = (one for one in table(name, "http2.settings.id", *(f"http2.settings.{one}" for one in known)) if one[1])
    assert row[1:] == ([1, 2, 3, 4, 5, 6, 8, 99], [8192], [0], [100], [70000], [16384], [9999], [1], [5])
    fields = ("flags.ack.ping", "flags.ack.settings", "window_update.window_size_increment", "rst_stream.error", "goaway.last_stream_id",
              "goaway.error", "words")  # fmt: skip
    assert [row[1:] for row in table(name, *(f"http2.{one}" for one in fields))][3:] == [
        (None, False, None, None, None, None, "SETTINGS"),
        (None, True, None, None, None, None, "SETTINGS"),
        (True, None, None, None, None, None, "PING"),
        (None, None, 1000, None, None, None, "WINDOW_UPDATE"),
        (None, None, None, 8, None, None, "RST_STREAM"),
        (None, None, None, None, 7, 11, "GOAWAY"),
        (None, None, None, None, None, None, "frame of type 200"),
    ]
    shown = run("packets", name, "-T", "fields", "-e", "http2.ping", "-e", "http2.pong", "-e", "http2.goaway.addata").out.splitlines()
    assert shown[3:] == ["6162636465666768\t\t", "\t3132333435363738\t63616c6d"]


def test_lines_and_trees(save):
    name = save(pcap(*Speaks().say("c", FIRST + frame(HEADERS, bytes.fromhex(REQUESTS[0]), 5)).frames))
    assert "preface; SETTINGS, stream 0; HEADERS, stream 1, GET /" in run("packets", name).out
    assert "www.example.com" in run("packets", "-V", name).out
    assert run("packets", name, "-T", "fields", "-e", "frame.protocols").out.splitlines()[3:] == ["eth:ethertype:ip:tcp:http2"]
    assert faults(name) == []


def test_names_and_values_are_bytes_that_mean_nothing(save):
    block = Encoder().encode([(b"x\x1b[1m", b"\xff\nb"), ("content-length", "12a"), ("age", "7")])
    name = save(pcap(*Speaks().say("c", FIRST + frame(HEADERS, block, 5)).frames))
    assert lists(name) == [["x\x1b[1m: \ufffd\nb", "content-length: 12a", "age: 7"]]
    assert table(name, "http2.headers.content_length", "http2.headers.age")[2] == (4, [], [7])
    assert "\x1b" not in run("packets", "-V", name).out


# ---------------------------------------------------------------- streams


def test_an_upgrade_from_version_1(save):
    asks = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"
    agrees = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    answer = frame(SETTINGS, struct.pack(">HI", 3, 100), 0, 0) + frame(HEADERS, b"\x88", 5)
    for server in ((agrees + answer,), (agrees, answer)):
        talk = Speaks().say("c", asks)
        for one in server:
            talk.say("s", one)
        name = save(pcap(*talk.say("c", FIRST).frames))
        assert [row[1] for row in table(name, "http2.words")] == ["SETTINGS", "HEADERS", "preface", "SETTINGS"]
        assert lists(name) == [[":status: 200"]]


def test_what_begins_otherwise_is_none(save):
    for data in (b"PRINT * HTTP", b"PRI * HTTP/1.1\r\n", frame(HEADERS, b"\x88", 5), frame(SETTINGS, bytes(6), 0, 0)):
        name = save(pcap(*Speaks().say("c", data).frames))
        assert table(name) == []


def test_behind_a_hole_no_list_is_read(save):
    """Frames go on with a segment that can only begin one; what is before is counted."""
    data = frame(DATA, b"abc", 1, 3)
    for lost in (b"", b"lost too, since no frame begins so"):
        talk = Speaks().say("c", FIRST + frame(HEADERS, bytes.fromhex(REQUESTS[0]), 5)).skip("c", 30)
        if lost:
            talk.say("c", lost)
        talk.say("c", frame(HEADERS, bytes.fromhex(REQUESTS[1]), 4, 3) + data)
        for _ in range(3):
            talk.add("s", "A", 1, talk.at["c"])
        name = save(pcap(*talk.frames))
        assert [row[1:] for row in table(name, "http2.words", "http2.unread")][3:] == [
            ("HEADERS", http2.WHY[http2.MISSING]),
            ("DATA", None),
        ]
        assert len(lists(name)) == 1
        assert sum(row["bytes"] for row in same(name, "undecoded")) == len(lost)


@pytest.mark.parametrize(
    "head, may",
    [
        ("000003000100000003", True),
        ("000003000100000000", False),  # data of no stream
        ("000003000800000003", True),
        ("000003000200000003", False),  # a flag that data does not have
        ("004001000100000003", False),  # longer than 16,384
        ("000004080000000000", True),
        ("000004080000000007", True),
        ("000005080000000007", False),
        ("0000080601 00000000", True),
        ("0000080601 00000001", False),
        ("0000060400 00000000", True),
        ("0000070400 00000000", False),
        ("0000070a00 00000001", False),
        ("0000070000 80000001", False),
        ("00000700", False),
    ],
)
def test_what_may_begin_a_frame_behind_a_hole(head, may):
    data = bytes.fromhex(head)
    first = np.frombuffer(data.ljust(16, b"\0"), np.uint8)[None]
    assert http2.PROTOCOL.framer().probe_message(first, np.array([len(data)]))[0] == may


def test_a_broken_block_ends_the_lists_of_its_direction(save):
    for bad in (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", b"\xc5", b"\x7f"):
        result = frame(HEADERS, bad, 5) + frame(HEADERS, b"\x82", 5, 3)
        name = save(pcap(*Speaks().say("c", FIRST + result).say("s", frame(HEADERS, b"\x88", 5)).frames))
        assert [row[1] for row in table(name, "http2.unread")] == [None, None, http2.WHY[http2.BROKEN], http2.WHY[http2.BROKEN], None]
        assert lists(name) == [[":status: 200"]]
        assert faults(name) == [4, 4]


def test_frames_that_may_not_be(save):
    """A continuation of nothing, a block in a block, padding beyond the frame, lengths that types may not have. RFC 9113 §6."""
    begun = frame(HEADERS, b"\x82", 1)
    for bad in (frame(CONTINUATION, b"\x82", 4), begun + frame(HEADERS, b"\x82", 4, 3), frame(HEADERS, b"\x09\x82", 12), frame(HEADERS, b"", 12),
                frame(RST, b"abc"), frame(SETTINGS, b"1234567", 0, 0), frame(PING, b"", 0, 0), frame(GOAWAY, b"1234", 0, 0)):  # fmt: skip
        name = save(pcap(*Speaks().say("c", FIRST + bad).frames))
        assert faults(name)
        assert lists(name) == []


# ---------------------------------------------------------------- limits


def test_a_list_that_grows_too_much_is_not_read(save):
    """One byte stands for a field of 4,000: a block of 100 makes 400,000 of them."""
    encoder = Encoder()
    first = encoder.encode([("x", "v" * 4000)])
    name = save(pcap(*Speaks().say("c", FIRST + frame(HEADERS, first, 5) + frame(HEADERS, b"\xbe" * 100, 5, 3)).frames))
    assert [row[1] for row in table(name, "http2.unread")][2:] == [None, http2.WHY[http2.TOO_MUCH]]
    assert [len(one) for one in lists(name)] == [1]


def test_lists_of_a_direction_grow_within_its_bytes(save, monkeypatch):
    monkeypatch.setattr(http2, "LIST_LIMIT", 6000)
    monkeypatch.setattr(http2, "EXPANSION", 2)
    result = frame(HEADERS, Encoder().encode([("x", "v" * 4000)]), 5)
    name = save(pcap(*Speaks().say("c", FIRST + result + frame(HEADERS, b"\xbe", 5, 3) * 4).frames))
    assert [row[1] is None for row in table(name, "http2.unread")][2:] == [True, True, True, False, False]


def test_blocks_and_frames_have_a_largest(save, monkeypatch):
    monkeypatch.setattr(http2, "BLOCK_LIMIT", 10)
    name = save(pcap(*Speaks().say("c", FIRST + frame(HEADERS, b"\x82" * 8, 1) + frame(CONTINUATION, b"\x82" * 8, 4)).frames))
    assert [row[1] for row in table(name, "http2.unread")][3] == http2.WHY[http2.TOO_MUCH]
    over = (http2.FRAME_LIMIT + 1).to_bytes(3, "big") + bytes(6)
    name = save(pcap(*Speaks().say("c", FIRST + over + b"x" * 30).frames))
    assert [row[1] for row in table(name, "http2.words")] == ["preface", "SETTINGS"]
    assert same(name, "undecoded")[0]["bytes"] == 39


def test_so_many_tables_are_remembered(save, monkeypatch):
    monkeypatch.setattr(http2, "MEMORY_LIMIT", 9000)  # two of 4,096 bytes
    talks = [Speaks(port=40000 + n).say("c", FIRST + frame(HEADERS, b"\x82", 5)) for n in range(3)]
    for talk in talks:
        talk.say("c", frame(HEADERS, b"\x82", 5, 3))
    frames = [one.frames[i] for i in range(5) for one in talks]
    found = table(save(pcap(*frames)), "http2.unread")
    assert [(row[0], row[1]) for row in found[9:]] == [(13, http2.WHY[http2.FORGOTTEN]), (14, None), (15, None)]


@settings(max_examples=12, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("cs"), st.integers(0, 200), st.binary(max_size=6), st.integers(1, 60)), min_size=1, max_size=5))
def test_damage_never_matters(tmp_path_factory, changes):
    result = {
        "c": frame(HEADERS, bytes.fromhex(REQUESTS[0]), 0x05) + frame(DATA, b"abc", 1) + frame(HEADERS, bytes.fromhex(REQUESTS[1]), 5, 3),
        "s": frame(SETTINGS, bytes(6), 0, 0) + frame(HEADERS, bytes.fromhex(RESPONSES[0]), 4) + frame(GOAWAY, bytes(8), 0, 0),
    }
    talk = Speaks().say("c", FIRST)
    for who, at, put, size in changes:
        data = bytearray(result[who])
        data[at : at + len(put)] = put
        talk.say(who, bytes(data), size)
    path = tmp_path_factory.getbasetemp() / "damaged.pcap"
    path.write_bytes(pcap(*talk.frames))
    fields = [one for one in register() if one.startswith("http2.")]
    assert len({str(Analysis(str(path), batch_frames=n).table("http2").select(fields).rows()) for n in BATCHES}) == 1
