"""STUN and TURN: a relay of coturn, candidates of ICE, and messages written after the RFCs. Expected values are tshark 4.0.17's answers,
but where a test says otherwise."""

from __future__ import annotations

import struct
import tempfile
import zlib
from pathlib import Path

import pytest
from conftest import BATCHES, Dialogue, pcap, recorded, run, same
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.all import IP, TCP, UDP, Ether, Raw

from analyzer import Analysis
from analyzer.correlators.stun_matching import StunTransactions
from analyzer.protocols import protocols

COOKIE = 0x2112A442
ALL = tuple(f.name for f in protocols()["stun"].fields() if f not in protocols()["stun"].external_fields)


def printed(name: str, only: str, *wanted: str) -> list[list[str]]:
    """The fields of the frames that the filter takes, the same in batches of 1, 7 and all frames."""
    words = [word for field in ("frame.number", *wanted) for word in ("-e", field)]
    result = {run("packets", name, "-Y", only, "--batch-frames", str(size), "-T", "fields", *words).out for size in BATCHES}
    assert len(result) == 1
    return [line.split("\t") for line in result.pop().splitlines()]


def attribute(kind: int, value: bytes = b"") -> bytes:
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


def message(kind: int, ident: int, *attributes: bytes, cookie: int = COOKIE) -> bytes:
    body = b"".join(attributes)
    return struct.pack("!HHI", kind, len(body), cookie) + bytes([ident]) * 12 + body


def datagram(data: bytes, client: bool = True, server: int = 3478) -> bytes:
    ends = ("10.0.0.1", "10.0.0.2", 40000, server)
    source, target, sport, dport = ends if client else (ends[1], ends[0], ends[3], ends[2])
    return bytes(Ether() / IP(src=source, dst=target) / UDP(sport=sport, dport=dport) / Raw(data))


def findings(name: str) -> list[tuple[int, str]]:
    return [(row["frame.number"], row["summary"]) for row in same(name, "expert") if row["protocol"] == "stun"]


def test_a_relay_is_allocated_and_used():
    """coturn and its clients: what every message is, by the two bits of its class and the others."""
    only = "frame.number in {1, 2, 4, 10, 12, 22, 35, 64}"
    assert printed(
        recorded("stun-turn"), only, "stun.type", "stun.type.class", "stun.type.method", "stun.length", "stun.id", "stun.channel"
    ) == [
        ["1", "0x0001", "0x0000", "0x0001", "0", "b66ddeb6e0dbce57c2f154aa", ""],
        ["2", "0x0101", "0x0010", "0x0001", "80", "b66ddeb6e0dbce57c2f154aa", ""],
        ["4", "0x0001", "0x0000", "0x0001", "1512", "a7f8677fff9e5987b0f4502e", ""],
        ["10", "0x0113", "0x0011", "0x0003", "88", "03735a7551ad9078f26f67b7", ""],
        ["12", "0x0103", "0x0010", "0x0003", "88", "a3252fa36f32190bb58e5f9c", ""],
        ["22", "0x0109", "0x0010", "0x0009", "56", "8f51f85e98acdefc03d32bd4", ""],
        ["35", "", "", "", "40", "", "0x4d6d"],
        ["64", "0x0017", "0x0001", "0x0007", "88", "6c8065e7c1416e725f87056f", ""],
    ]
    assert not findings(recorded("stun-turn"))


def test_addresses_are_read_through_the_xor():
    wanted = ("stun.att.type", "stun.att.port", "stun.att.ipv4", "stun.att.ipv6", "stun.att.port-xord")
    assert printed(recorded("stun-turn"), "frame.number in {2, 6, 12, 21}", *wanted) == [
        ["2", "0x0020,0x0001,0x802b,0x802c,0x8022,0x8028", "48598,48598,3478,3479", ",".join(["10.9.0.1"] * 4), "", "9cc4"],
        ["6", "0x0020,0x0001,0x802b,0x802c,0x8022,0x8028", "37207,37207,3478,3479", "", ",".join(["fd00::1"] * 4), "b045"],
        ["12", "0x0016,0x0020,0x000d,0x8022,0x0008,0x8028", "49242,36255", "10.9.0.1,10.9.0.1", "", "e148,ac8d"],
        ["21", "0x000c,0x0012,0x0006,0x0015,0x0014,0x0008,0x8028", "3481", "10.9.0.1", "", "2c8b"],
    ]


def test_a_request_without_credentials_is_refused():
    wanted = ("username", "realm", "nonce", "error.class", "error", "error.reason", "lifetime", "transp", "crc32", "crc32.status")
    assert printed(recorded("stun-turn"), "frame.number in {10, 11}", *(f"stun.att.{name}" for name in wanted)) == [
        ["10", "", "example.org", "683c2ccf61d8cc15", "4", "1", "Unauthorized", "", "", "0x03b3045f", "1"],
        ["11", "alice", "example.org", "683c2ccf61d8cc15", "", "", "", "777", "0x11", "0x5ac67183", "1"],
    ]


def test_over_tcp_messages_say_their_length():
    """Several in a segment, and ChannelData of 41 bytes with three of padding."""
    wanted = ("stun.type", "stun.length", "stun.channel", "frame.protocols")
    assert printed(recorded("stun-turn"), "frame.number in {72, 103, 104, 106}", *wanted) == [
        ["72", "0x0003", "32", "", "eth:ethertype:ip:tcp:stun"],
        ["103", "0x0008,0x0009", "92,100", "", "eth:ethertype:ip:tcp:stun"],
        ["104", "0x0108,0x0109", "56,56", "", "eth:ethertype:ip:tcp:stun"],
        ["106", "", "41", "0x6e32", "eth:ethertype:ip:tcp:stun:data"],
    ]
    assert printed(recorded("stun-forms"), "tcp and stun", "stun.type", "stun.channel", "tcp.segment", "stun.value") == [
        ["47", "0x0003", "", "45,46,47", ""],
        ["48", "0x0103,0x0017", "0x4000,0x4000", "", "68656c6c6f"],
        ["50", "0x0004", "0x4000", "49,50", ""],
        ["51", "0x0104", "", "", ""],
    ]


def test_candidates_of_ice_are_tried_on_any_port():
    wanted = ("stun.att.priority", "stun.att.username", "stun.att.tie-breaker", "stun.att.crc32.status", "stun.att.length")
    assert printed(recorded("stun-ice"), "stun and frame.number > 6", *wanted) == [
        ["7", "1862270975", "WdTm:TaJY", "8dcaddfaa948d2a5", "1", "9,4,8,0,20,4"],
        ["8", "1862270975", "TaJY:WdTm", "fb7924ffca659b0c", "1", "9,4,8,20,4"],
        ["9", "", "", "", "1", "8,20,4"],
        ["10", "", "", "", "1", "8,20,4"],
    ]


def test_every_attribute():
    """Frames 13 and 15 have one of each. ICMP (RFC 8656 §18.13), RESPONSE-PORT (RFC 5780 §7.5), error codes of address families and
    parameters of algorithms are the RFCs': tshark reads the first in the wrong place, the second as an address, and not the others."""
    name, cells = recorded("stun-forms"), {}
    for field in ALL:
        for frame, text in printed(name, "frame.number in {11, 13, 15}", field):
            cells[int(frame), field.removeprefix("stun.").removeprefix("att.")] = text
    assert cells[13, "ipv4"] == "198.51.100.1,198.51.100.2,198.51.100.4,198.51.100.5,198.51.100.11,198.51.100.18"
    assert (cells[13, "ipv6"], cells[13, "ipv4-xord"]) == ("2001:db8::16,2001:db8::20", "e721c050")
    assert cells[13, "ipv6-xord"] == "0113a9fa050505050505050505050513,0113a9fa050505050505050505050525"
    assert cells[13, "port"] == "1,2,4,5,11,18,22,32,5000"
    assert (cells[13, "change-ip"], cells[13, "change-port"], cells[13, "even-port.reserve-next"]) == ("1", "1", "1")
    assert (cells[13, "username"], cells[13, "password"], cells[13, "realm"], cells[13, "nonce"]) == (
        "mariä:bob",
        "68756e7465723221",
        "example.org",
        "n0nce",
    )
    assert cells[13, "hmac"] == bytes(range(20)).hex()
    assert (cells[13, "channelnum"], cells[13, "lifetime"], cells[13, "port.bandwidth"]) == ("0x4001", "600", "1000")
    assert (cells[13, "token"], cells[13, "priority"], cells[13, "pw_alg"], cells[13, "pw_alg_len"]) == (
        "5245534552564544",
        "1845494271",
        "2",
        "0",
    )
    assert cells[13, "padding"] == "2,3,1,3,3,3,6,2"
    assert (cells[15, "tie-breaker"], cells[15, "cache-timeout"]) == ("0001020304050607,08090a0b0c0d0e0f", "60")
    assert (cells[15, "google.network_id"], cells[15, "google.network_cost"], cells[15, "software"]) == ("1", "50", "test vector")
    assert (cells[15, "pw_alg"], cells[15, "pw_alg_len"], cells[15, "pw_alg_data"]) == ("2,1,7", "0,0,3", "616263")
    assert (cells[15, "icmp.type"], cells[15, "icmp.code"]) == ("3", "1")
    assert (cells[15, "error.class"], cells[15, "error"], cells[15, "error.reason"]) == ("4", "40", "Address Family not Supported")
    assert (cells[11, "error.reason"], cells[11, "unknown"]) == ("Unknown Attribute", "0x7001,0x0022")


def test_a_fingerprint_is_verified():
    assert printed(recorded("stun-forms"), "frame.number in {15, 16}", "stun.att.crc32.status") == [["15", "1"], ["16", "0"]]


def test_classic_messages_have_no_cookie():
    """RFC 3489: a transaction of 16 bytes. tshark has another protocol for them, classicstun, with the same values."""
    wanted = ("stun.type", "stun.cookie", "stun.id", "stun.att.ipv4", "stun.att.port")
    assert printed(recorded("stun-forms"), "frame.number in {17, 18}", *wanted) == [
        ["17", "0x0001", "", "07" * 16, "", ""],
        ["18", "0x0101", "", "07" * 16, "192.0.2.9,10.0.0.2,10.0.0.3", "9,3478,3479"],
    ]


def test_lies_are_reported():
    """tshark says of frames 22, 23, 25, 26 and 34 that they are no STUN."""
    assert findings(recorded("stun-forms")) == [
        (22, "STUN: length says 16 bytes, there are 12"),
        (23, "STUN: length is no multiple of 4"),
        (24, "STUN: attribute's length does not fit into the message"),
        (25, "STUN needs 20 bytes, has 12"),
        (26, "STUN: length says 0 bytes, there are 4"),
        (34, "STUN: length says 32 bytes, there are 5"),
    ]


def test_what_is_not_stun_stays_data(save):
    """RFC 7983: SRTP and DTLS on the same port; without the cookie nothing is STUN elsewhere."""
    media, records = b"\x80\x60\0\1" + bytes(20), b"\x16\xfe\xfd\0\0" + bytes(20)
    name = save(
        pcap(*map(datagram, (media, records)), datagram(message(1, 1, cookie=7), server=5000), datagram(message(1, 1), server=5000))
    )
    assert [layers for _, layers in printed(name, "udp", "frame.protocols")] == [
        *["eth:ethertype:ip:udp:data"] * 3,
        "eth:ethertype:ip:udp:stun",
    ]


def test_a_capture_that_cuts_a_message_is_no_lie(save):
    value = attribute(0x8022, b"a client") + attribute(0x20, b"\0\1\1\2\3\4\5\6")
    whole = datagram(message(0x101, 1, value, attribute(0x8028, struct.pack("!I", zlib.crc32(b"")))))
    for kept in range(42 + 8, len(whole)):
        assert all("cut by the capture" in text for _, text in findings(save(pcap(whole[:kept], lengths={0: len(whole)}))))


def test_a_connection_that_ends_within_a_message(save):
    """What there is of it is counted in the frame that ended the connection, whatever a batch holds."""
    talk = Dialogue(port=3478).open()
    for i in range(0, 12, 4):
        talk.add("c", "PA", 1 + i, 1, message(1, 1, attribute(0x8022, b"a client"))[i : i + 4])
    talk.add("c", "FA", 13, 1)
    name = save(pcap(*talk.frames))
    assert printed(name, "tcp.flags.fin == 1", "frame.protocols") == [["7", "eth:ethertype:ip:tcp"]]
    same(name, "undecoded")


# ---------------------------------------------------------------- transactions


def matched(name: str, batch: int) -> list[tuple[int, str, int]]:
    found = []
    transactions = StunTransactions({"stun.time"})
    for d in Analysis(name, batch_frames=batch).dissections({"frame.protocols"}):
        if headers := d.chunks.get("stun", []):
            transactions.feed(headers, d.batch)
            for h in headers:
                for field in ("stun.response-to", "stun.response-in", "stun.time", "stun.reqduplicate"):
                    values, rows = h.column(field)
                    found += [(int(h.frame[row]) + d.batch.first, field, value) for row, value in zip(rows, values.tolist(), strict=True)]
    return sorted(found)


def test_requests_are_answered_and_sent_again():
    """As tshark, in one pass; but a request that an ICMP error quotes (frame 31) was not sent again, and where a response stands ahead of
    its request (frame 39) the time of the next one counts from the request."""
    first, *others = (matched(recorded("stun-forms"), size) for size in BATCHES)
    assert all(other == first for other in others)
    short = {"stun.response-to": "to", "stun.time": "time", "stun.reqduplicate": "again"}
    assert [(frame, short[field], value) for frame, field, value in first if frame < 13 or frame > 30] == [
        (2, "again", 1),
        (3, "again", 1),
        (4, "to", 1),
        (4, "time", 1_750_000_000),
        (5, "again", 4),
        (5, "to", 1),
        (5, "time", 2_000_000_000),
        (6, "again", 1),
        (7, "again", 4),
        (7, "to", 1),
        (7, "time", 2_500_000_000),
        (12, "to", 10),
        (12, "time", 500_000_000),
        (38, "to", 37),
        (38, "time", 250_000_000),
        (41, "again", 39),
        (41, "to", 40),
        (41, "time", 250_000_000),
        (48, "to", 47),
        (48, "time", 10_000_000),
        (51, "to", 50),
        (51, "time", 10_000_000),
    ]


def test_every_request_to_the_relay_is_answered():
    """But frames 3, 4, 7 and 8: answers to them go to another port."""
    first, *others = (matched(recorded("stun-turn"), size) for size in BATCHES)
    assert all(other == first for other in others)
    answered = {value for _, field, value in first if field == "stun.response-to"}
    requests = {int(frame) for frame, kind in printed(recorded("stun-turn"), "stun.type.class == 0", "stun.type") if kind}
    assert requests - answered == {3, 4, 7, 8}
    assert not [row for row in first if row[1] == "stun.reqduplicate"]


# ---------------------------------------------------------------- any bytes


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.binary(max_size=80), min_size=1, max_size=6),
    st.sampled_from((b"", message(1, 1)[:8], b"\0\1\0\x28\x21\x12\xa4\x42", b"\x40\1")),
)
def test_any_bytes_give_the_same_however_they_are_cut(parts, head):
    """As datagrams and as a stream of TCP."""
    frames = [datagram(head + part, server=port) for part in parts for port in (3478, 5000)]
    at = 1
    for part in parts:
        frames.append(
            bytes(Ether() / IP(src="10.0.0.1", dst="10.0.0.2") / TCP(sport=40000, dport=3478, flags="PA", seq=at) / Raw(head + part))
        )
        at += len(head + part)
    with tempfile.TemporaryDirectory() as folder:
        name = str(Path(folder) / "any.pcap")
        Path(name).write_bytes(pcap(*frames))
        printed(name, "frame", *ALL)
        same(name, "expert")
        same(name, "undecoded")
        first, *others = (matched(name, size) for size in BATCHES)
        assert all(other == first for other in others)


@pytest.mark.parametrize("name", ["stun-turn", "stun-forms", "stun-ice"])
def test_every_recording_is_the_same_in_batches(name):
    printed(recorded(name), "stun", *ALL)
