"""WebSocket behind an upgrade of HTTP: frames whole however they were cut, messages in several of them, what their payloads say."""

import struct
import tempfile

import pytest
from conftest import BATCHES, run
from hypothesis import given, settings
from hypothesis import strategies as st
from test_http import Script, parts

from analyzer import Analysis

ASK = b"GET /chat HTTP/1.1\r\nHost: x\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n\r\n"
AGREED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
KEY = b"\x01\x02\x03\x04"


def frame(opcode: int, data: bytes, final: bool = True, key: bytes = b"", compressed: bool = False) -> bytes:
    """RFC 6455 §5.2, by hand."""
    size = len(data)
    head = bytes([final << 7 | compressed << 6 | opcode])
    mask = 0x80 if key else 0
    if size < 126:
        head += bytes([mask | size])
    elif size < 1 << 16:
        head += bytes([mask | 126]) + struct.pack(">H", size)
    else:
        head += bytes([mask | 127]) + struct.pack(">Q", size)
    return head + key + (bytes(byte ^ key[at % 4] for at, byte in enumerate(data)) if key else data)


def opened() -> Script:
    return Script().say("c", ASK).say("s", AGREED)


def printed(name: str, *fields: str) -> list[list[str]]:
    """The fields of each frame that has a WebSocket frame, the same in batches of 1, 7 and all."""
    asked = [word for field in ("frame.number", *fields) for word in ("-e", field)]
    found = [run("packets", name, "-Y", "websocket", "--batch-frames", str(size), "-T", "fields", *asked).out for size in BATCHES]
    assert found[0] == found[1] == found[2]
    return [line.split("\t") for line in found[0].splitlines()]


def test_a_conversation(save):
    """As tshark 4.0.17 prints it."""
    talk = opened().say("c", frame(1, b"hello", key=KEY)).say("s", frame(1, b"hello back") + frame(2, bytes(range(200))))
    talk.say("c", frame(1, b"frag", final=False, key=KEY) + frame(0, b"ment", key=KEY)).say("s", frame(9, b"pi"))
    talk.say("c", frame(10, b"pi", key=KEY)).say("s", *parts(frame(2, bytes(70_000)), 30_000))
    talk.say("c", frame(8, struct.pack(">H", 1000) + b"bye", key=KEY)).say("s", frame(8, struct.pack(">H", 1001)))
    name = save(talk.trace.pcap())
    heads = printed(name, "websocket.fin", "websocket.opcode", "websocket.mask", "websocket.payload_length", "websocket.masking_key")
    assert heads == [
        ["6", "1", "1", "1", "5", "01020304"],
        ["7", "1,1", "1,2", "0,0", "10,126", ""],
        ["8", "0,1", "1,0", "1,1", "4,4", "01020304,01020304"],
        ["9", "1", "9", "0", "2", ""],
        ["10", "1", "10", "1", "2", "01020304"],
        ["13", "1", "2", "0", "127", ""],
        ["14", "1", "8", "1", "5", "01020304"],
        ["15", "1", "8", "0", "2", ""],
    ]
    lengths = printed(name, *(f"websocket.{field}" for field in ("payload_length_ext_16", "payload_length_ext_64", "reassembled.length")))
    assert [one for one in lengths if any(one[1:])] == [["7", "200", "", ""], ["8", "", "", "8"], ["13", "", "70000", ""]]
    result = printed(name, *(f"websocket.payload.{field}" for field in ("text", "ping", "pong", "close.status_code", "close.reason")))
    assert result == [
        ["6", "hello", "", "", "", ""],
        ["7", "hello back", "", "", "", ""],
        ["8", "fragment", "", "", "", ""],
        ["9", "", "7069", "", "", ""],
        ["10", "", "", "7069", "", ""],
        ["13", "", "", "", "", ""],
        ["14", "", "", "", "1000", "bye"],
        ["15", "", "", "", "1001", ""],
    ]
    assert Analysis(name).table("undecoded").filter(space="stream").is_empty()


def test_control_frames_between_those_of_a_message(save):
    """RFC 6455 §5.4: a ping may come within a message."""
    talk = opened().say("s", frame(1, b"one ", final=False), frame(9, b""), frame(0, b"two ", final=False) + frame(0, b"three"))
    assert printed(save(talk.trace.pcap()), "websocket.payload.text")[-1] == ["8", "one two three"]


def test_what_is_compressed_is_no_text(save):
    talk = opened().say("s", frame(1, b"\xf2H\xcd\xc9\xc9\x07\x00", compressed=True))
    assert printed(save(talk.trace.pcap()), "websocket.pmc", "websocket.payload.text") == [["6", "1", ""]]


def test_a_hole(save):
    """Frames go on with the next piece that begins one; what is before is counted."""
    talk = (
        opened().say("s", frame(1, b"first"), frame(2, b"x" * 100)[:50], frame(2, b"x" * 100)[50:], frame(1, b"last"), skip=(1,)).wait("c")
    )
    name = save(talk.trace.pcap())
    assert [one[1] for one in printed(name, "websocket.payload.text")] == ["first", "last"]
    assert Analysis(name).table("undecoded").filter(space="stream")["bytes"].sum() == 52


@pytest.mark.parametrize("bad", [b"\x83\x00", b"\x09\x00", b"\x89\x7e\x00\x7f", b"\x82\xff" + b"\xff" * 8])
def test_what_is_no_frame(save, bad):
    """A reserved opcode, a control frame in pieces or too long, a length beyond all: lost, counted, and the next piece is read."""
    name = save(opened().say("s", bad, frame(1, b"then")).trace.pcap())
    assert [one[1] for one in printed(name, "websocket.payload.text")] == ["then"]
    assert Analysis(name).table("undecoded").filter(space="stream")["bytes"].sum() == len(bad)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=300), st.integers(1, 3), st.booleans()), min_size=1, max_size=5),
    st.integers(1, 200),
)
def test_any_messages(sent, size):
    """However messages are made of frames and frames of segments, the payloads are those that were sent."""
    talk, texts, count = opened(), [], 0
    for opcode, data, pieces, masked in sent:
        cut = parts(data, -(-len(data) // pieces) or 1) or [b""]
        key = KEY if masked else b""
        made = [frame(opcode if not at else 0, one, at == len(cut) - 1, key) for at, one in enumerate(cut)]
        talk.say("c" if masked else "s", *parts(b"".join(made), size))
        count += len(made)
        result = data.decode(errors="replace")
        texts += [result] if opcode == 1 and result else []
    with tempfile.NamedTemporaryFile(suffix=".pcap") as file:
        file.write(talk.trace.pcap())
        file.flush()
        for batch in BATCHES:
            found = Analysis(file.name, batch_frames=batch).table("websocket")
            assert len(found) == count
            assert found["websocket.payload.text"].drop_nulls().to_list() == texts


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.binary(max_size=80), st.integers(1, 20), st.lists(st.integers(0, 10), max_size=3))
def test_anything_is_read(data, size, holes):
    talk = opened().say("s", *parts(data, size), skip=tuple(holes), end=True).wait("c")
    with tempfile.NamedTemporaryFile(suffix=".pcap") as file:
        file.write(talk.trace.pcap())
        file.flush()
        found = [Analysis(file.name, batch_frames=batch).table("websocket").drop("layer").rows() for batch in BATCHES]
        assert found[0] == found[1] == found[2]


def test_findings(save):
    """An end that says why is told, a normal one is not."""
    talk = opened().say("s", frame(8, struct.pack(">H", 1009) + b"1 MiB")).say("c", frame(8, struct.pack(">H", 1000), key=KEY))
    talk.say("s", b"\x91\x00")
    found = Analysis(save(talk.trace.pcap())).table("expert").filter(protocol="websocket").select("frame.number", "summary").rows()
    assert found == [(6, "closes: too big 1 MiB"), (8, "has reserved bits set that nothing known defines")]
