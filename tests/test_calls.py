"""SIP, SDP, RTP and RTCP: a call with what it announces; loss and jitter. Values: tshark 4.0 of the same bytes, or RFC 3550."""

from __future__ import annotations

import struct
import tempfile
import time
from pathlib import Path

import pytest
from conftest import BATCHES, Trace, run, same
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.all import IP, TCP, UDP, Ether, Raw

from analyzer import Analysis

MACS = {"src": "02:00:00:00:00:01", "dst": "02:00:00:00:00:02"}
ENDS = {"c": ("10.0.0.1", "10.0.0.2"), "s": ("10.0.0.2", "10.0.0.1")}


def udp(who: str, source: int, target: int, data: bytes) -> bytes:
    source_ip, target_ip = ENDS[who]
    return bytes(Ether(**MACS) / IP(src=source_ip, dst=target_ip) / UDP(sport=source, dport=target) / Raw(data))


def sdp(address: str, port: int, more: str = "") -> str:
    lines = ["v=0", f"o=alice 1 2 IN IP4 {address}", "s=a  call", f"c=IN IP4 {address}", "b=AS:64", "t=0 0", "a=sendrecv"]
    lines += [f"m=audio {port} RTP/AVP 0 97", "a=rtpmap:0 PCMU/8000", "a=rtpmap:97 iLBC/16000", *more.split(), "m=video 0 RTP/AVP 31"]
    return "\r\n".join(lines) + "\r\n"


def sip(first: str, body: str = "", *more: str) -> bytes:
    lines = [first, "Via: SIP/2.0/UDP 10.0.0.1:5062;branch=z9hG4bK77;rport", "v: SIP/2.0/TCP proxy.example.com;branch=z9hG4bK2"]
    lines += ["Max-Forwards: 70", "To: Bob <sip:bob@biloxi.com>;tag=a6c", 'f: "Alice A" <sip:alice@atlanta.com:5070;x=y>;tag=192']
    lines += ["Call-ID: a84b@pc33", "CSeq: 314159 INVITE", "Contact: <sip:alice@10.0.0.1:5062>", *more]
    lines += ["Content-Type: application/sdp", f"l: {len(body)}"]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def rtp(seq: int, stamp: int, ssrc: int = 0xDEADBEEF, kind: int = 0, data: bytes = bytes(160), first: int = 0x80) -> bytes:
    return struct.pack(">BBHII", first, kind, seq & 0xFFFF, stamp & 0xFFFFFFFF, ssrc) + data


def call() -> Trace:
    """Frames 1 to 3: the invitation, Trying, the answer. 4 to 9: media both ways. 10, 11: reports. 12: STUN on the media's port."""
    trace = Trace().put(0, udp("c", 5062, 5060, sip("INVITE sip:bob@biloxi.com:5080;transport=udp SIP/2.0", sdp("10.0.0.1", 40000))))
    trace.put(0.02, udp("s", 5060, 5062, sip("SIP/2.0 100 Trying")))
    trace.put(0.04, udp("s", 5060, 5062, sip("SIP/2.0 200 OK", sdp("10.0.0.2", 50000))))
    for i in range(3):
        trace.put(0.1 + 0.04 * i, udp("c", 40000, 50000, rtp(65534 + i, 160 * i, kind=0 if i else 0x80)))
        trace.put(0.12 + 0.04 * i, udp("s", 50000, 40000, rtp(100 + i, 160 * i, 0xCAFE, 8)))
    block = struct.pack(">IIIIII", 0xCAFE, 50 << 24 | 0xFFFFFE, 1 << 16 | 104, 7, 1234, 65536)
    report = struct.pack(">BBHIIIIII", 0x81, 200, 12, 0xDEADBEEF, 3900000000, 0x80000000, 160, 5, 800) + block
    report += struct.pack(">BBHI", 0x81, 202, 3, 0xDEADBEEF) + b"\1\3abc\0\0\0"
    trace.put(0.3, udp("c", 40001, 50001, report))
    leaves = struct.pack(">BBHI", 0x80, 201, 1, 0xCAFE) + struct.pack(">BBHI", 0x81, 203, 3, 0xCAFE) + b"\5byeee\0\0"
    trace.put(0.32, udp("s", 50001, 40001, leaves))
    return trace.put(0.34, udp("c", 40000, 50000, b"\0\1\0\0stun" + bytes(12)))


def words(name: str, *fields: str, only: str) -> list[list[str]]:
    asked = [w for field in ("frame.number", *fields) for w in ("-e", field)]
    result = {run("packets", name, "-Y", only, "-T", "fields", *asked, "--batch-frames", str(n)).out for n in BATCHES}
    assert len(result) == 1
    return [line.split("\t") for line in result.pop().splitlines()]


def test_what_a_call_announces_is_found(save):
    found = words(save(call().pcap()), "frame.protocols", "rtp.setup-frame", "rtcp.setup-frame", only="udp")
    assert [(one[1].rpartition("udp:")[2], *one[2:]) for one in found] == [
        ("sip:sdp", "", ""), ("sip", "", ""), ("sip:sdp", "", ""), *[("rtp", "1", "")] * 6, ("rtcp", "", "1"), ("rtcp", "", "1"), ("data", "", ""),
    ]  # fmt: skip


def test_media_are_found_though_nobody_asks_for_calls(save):
    """The numbers of RTP alone: that SDP announced it has to be read all the same. The stream's packets are frames 4 to 9."""
    name = save(call().pcap())
    asked = run("packets", name, "-Y", "rtp.ssrc", "-T", "fields", "-e", "frame.number").out
    assert asked.split() == run("packets", name, "-Y", "rtp", "-T", "fields", "-e", "frame.number").out.split() == list("456789")
    assert len(Analysis(name).table("rtp")) == 6


def test_what_stands_in_a_message(save):
    name = save(call().pcap())
    row = same(name, "sip")[0]
    expected = {
        "Method": "INVITE", "r-uri": "sip:bob@biloxi.com:5080;transport=udp", "r-uri.user": "bob", "r-uri.host": "biloxi.com",
        "r-uri.port": "5080", "from.addr": "sip:alice@atlanta.com:5070;x=y", "from.user": "alice", "from.host": "atlanta.com",
        "from.port": "5070", "from.tag": "192", "from.display.info": '"Alice A"', "to.display.info": "Bob ", "to.tag": "a6c",
        "contact.uri": ["sip:alice@10.0.0.1:5062"], "Call-ID": "a84b@pc33", "CSeq.seq": 314159, "CSeq.method": "INVITE",
        "Via.transport": ["UDP", "TCP"], "Via.sent-by.address": ["10.0.0.1", "proxy.example.com"], "Via.sent-by.port": [5062],
        "Via.branch": ["z9hG4bK77", "z9hG4bK2"], "Max-Forwards": 70, "Status-Code": None,
    }  # fmt: skip
    assert {key: row[f"sip.{key}"] for key in expected} == expected
    row = same(name, "sdp")[0]
    expected = {
        "session_name": "a  call", "owner.address": "10.0.0.1", "connection_info.address": ["10.0.0.1"], "media.port": [40000, 0],
        "media.format": ["ITU-T G.711 PCMU", "DynamicRTP-Type-97", "ITU-T H.261"], "mime.type": ["PCMU", "iLBC"],
        "sample_rate": ["8000", "16000"], "bandwidth.value": ["64"],
    }  # fmt: skip
    assert {key: row[f"sdp.{key}"] for key in expected} == expected


def test_what_stands_in_reports(save):
    rows = same(save(call().pcap()), "rtcp")
    expected = {
        "pt": [200, 202], "rc": [1], "sc": [1], "senderssrc": [0xDEADBEEF], "timestamp.rtp": [160], "sender.packetcount": [5],
        "ssrc.identifier": [0xCAFE, 0xDEADBEEF], "ssrc.fraction": [50], "ssrc.cum_nr": [-2], "ssrc.ext_high": [65640], "ssrc.high_seq": [104],
        "ssrc.jitter": [7], "ssrc.dlsr": [65536], "sdes.type": [1, 0], "sdes.text": ["abc"],
    }  # fmt: skip
    assert {key: rows[0][f"rtcp.{key}"] for key in expected} == expected
    assert str(rows[0]["rtcp.timestamp.ntp"][0]).startswith("2023-08-02 21:20:00.5")
    assert (rows[1]["rtcp.pt"], rows[1]["rtcp.bye.reason"]) == ([201, 203], ["byeee"])
    found = [r for r in same(save(call().pcap()), "expert") if r["protocol"] == "rtcp"]
    assert [(r["frame.number"], r["finding"]) for r in found] == [(10, "rtcp.loss")]


def test_the_header_of_media(save):
    data = struct.pack(">IIHHI", 1, 2, 0xBEDE, 1, 5) + bytes(157) + b"\0\0\3"
    name = save(Trace().put(0, udp("c", 4000, 5000, rtp(7, 1, kind=0xE5, first=0xB2, data=data))).pcap())
    row = same(name, "rtp", decode_as=["udp.port==5000,rtp"])[0]
    names = "marker", "p_type", "csrc.item", "ext.profile", "ext.len", "padding.count"
    assert [row[f"rtp.{n}"] for n in names] == [True, 101, [1, 2], 0xBEDE, 1, 3]
    assert row["rtp.payload"] == bytes(157).hex()


def test_rtcp_shares_a_port(save):
    """RFC 5761 §4: the packet type tells them apart; a=rtcp of RFC 3605 names another port."""
    trace = Trace().put(0, udp("c", 5060, 5060, sip("INVITE sip:b@c SIP/2.0", sdp("10.0.0.1", 4000, "a=rtcp:4444"))))
    report = struct.pack(">BBHI", 0x80, 201, 1, 7)
    for port in (4000, 4444, 4001):
        trace.put(1, udp("s", 9000, port, report[:2] + b"\0\5" + report[4:]))  # whose length lies: no bytes tell it
    found = words(save(trace.pcap()), "frame.protocols", only="udp")
    assert [one[1].rpartition(":")[2] for one in found] == ["sdp", "rtcp", "rtcp", "data"]


def test_bytes_tell_what_no_port_does(save):
    trace = Trace().put(0, udp("c", 6000, 6001, sip("OPTIONS sip:b@c SIP/2.0")))
    trace.put(1, udp("c", 7000, 7002, struct.pack(">BBHI", 0x80, 201, 1, 7))).put(2, udp("c", 7000, 7002, b"OPTIONS what\r\n" * 9))
    found = same(save(trace.pcap()), "services")
    assert [(r["by_port"], r["by_bytes"], r["service"]) for r in found] == [(None, "sip", "sip"), (None, "rtcp", "rtcp")]


@pytest.mark.parametrize("size", (1, 100, 5000))
def test_sip_over_tcp(save, size):
    """RFC 3261 §18.3: Content-Length tells where a message ends, however it was cut; empty lines between are kept alive (RFC 5626)."""
    whole = sip("INVITE sip:b@c SIP/2.0", sdp("10.0.0.1", 4000)) + b"\r\n\r\n" + sip("BYE sip:b@c SIP/2.0")
    frames = Trace()
    for at in range(0, len(whole), size):
        ip = IP(src="10.0.0.1", dst="10.0.0.2") / TCP(sport=4000, dport=5060, seq=1 + at, flags="PA")
        frames.put(at / 1000, bytes(Ether(**MACS) / ip / Raw(whole[at : at + size])))
    frames.put(60, udp("s", 9000, 4000, rtp(1, 1)))
    tables = [Analysis(save(frames.pcap()), batch_frames=n).tables(["sip", "rtp"]) for n in BATCHES[1:]]
    assert tables[0]["sip"].equals(tables[1]["sip"])
    assert tables[0]["sip"]["sip.Method"].to_list() == ["INVITE", "BYE"]
    assert tables[0]["rtp"]["rtp.setup-frame"].to_list() == [tables[0]["sip"]["frame.number"][0]]


def stream(*packets: tuple[float, int, int]) -> Trace:
    """Packets (time, sequence number, timestamp) of one source."""
    trace = Trace()
    for at, seq, stamp in packets:
        trace.put(at, udp("c", 4000, 5000, rtp(seq, stamp)))
    return trace


def streams(save, *packets: tuple[float, int, int]) -> dict:
    (row,) = same(save(stream(*packets).pcap()), "rtp_streams", decode_as=["udp.port==5000,rtp"])
    return row


def test_jitter(save):
    """RFC 3550 §6.4.1: of arrivals 20, 30 and 20 ms apart with stamps 20 ms apart: 10 / 16, then that less a sixteenth."""
    row = streams(save, (0, 1, 0), (0.02, 2, 160), (0.05, 3, 320), (0.07, 4, 480))
    assert row["jitter_max"].total_seconds() == pytest.approx(0.01 / 16, abs=1e-6)
    assert row["jitter"].total_seconds() == pytest.approx(0.01 / 16 * 15 / 16, abs=1e-6)
    assert (row["packets"], row["lost"], row["longest_gap"].total_seconds()) == (4, 0, 0.03)


@pytest.mark.parametrize(("numbers", "lost", "duplicates", "late", "restarts"), [
    ((65534, 65535, 0, 1), 0, 0, 0, 0),  # beyond 16 bits
    ((1, 2, 5), 2, 0, 0, 0),
    ((1, 2, 2, 3), 0, 1, 0, 0),
    ((1, 3, 2, 4), 0, 0, 1, 0),
    ((2, 1, 3), 0, 0, 1, 0),  # the first number was not the least
    ((1, 2, 3, 30000, 30001, 30002), 0, 0, 0, 1),  # began anew
    ((1, 2, 30000, 3), 0, 0, 0, 0),  # a stray packet: one more than numbers, none of them lost
])  # fmt: skip
def test_loss_and_order(save, numbers, lost, duplicates, late, restarts):
    row = streams(save, *((0.02 * i, n, 160 * i) for i, n in enumerate(numbers)))
    assert (row["lost"], row["duplicates"], row["late"], row["restarts"]) == (lost, duplicates, late, restarts)


def test_the_clock_that_sdp_tells(save):
    """Type 97 counts 16,000 a second here: stamps 320 apart are 20 ms, so nothing jitters; without SDP nobody knows."""
    media = [(0.1 + 0.02 * i, udp("s", 9000, 4000, rtp(i, 320 * i, kind=97))) for i in range(4)]
    for announced in (True, False):
        trace = Trace()
        if announced:
            trace.put(0, udp("c", 5060, 5060, sip("INVITE sip:b@c SIP/2.0", sdp("10.0.0.1", 4000))))
        for at, frame in media:
            trace.put(at, frame)
        (row,) = same(save(trace.pcap()), "rtp_streams", decode_as=[] if announced else ["udp.port==4000,rtp"])
        assert row["setup_frame"] == (1 if announced else None)
        assert row["jitter"] is None or row["jitter"].total_seconds() < 1e-6
        assert (row["jitter"] is not None) == announced


@pytest.mark.parametrize("value", [b"To:" + b" " * 60_000 + b"\rx", b"To: " + b":" * 60_000, b'To: "' + b"\\" * 60_000, b"Via: SIP/2.0/UDP " + b"a;" * 30_000,
                                   b"l" + b" " * 60_000, b"\nl " * 15_000, b"Authorization: " + b"," * 60_000])  # fmt: skip
def test_long_fields_are_read_in_one_go(save, value):
    """Each takes milliseconds; a pattern that goes back and forth would take minutes."""
    from scapy.all import fragment

    packet = (
        IP(src="10.0.0.1", dst="10.0.0.2", id=7) / UDP(sport=5060, dport=5060) / Raw(b"INVITE sip:a@b SIP/2.0\r\n" + value + b"\r\n\r\n")
    )
    trace = Trace()
    for n, piece in enumerate(fragment(packet, 65_000)):
        trace.put(n, bytes(Ether(**MACS) / piece))
    begin = time.process_time()
    assert Analysis(save(trace.pcap())).table("sip")["sip.Method"].to_list() == ["INVITE"]
    assert time.process_time() - begin < 5


LINES = [b"INVITE sip:a@b SIP/2.0\r\n", b"SIP/2.0 200 OK\r\n", b"Content-Length: 4\r\n", b"l: 99\r\n", b"Via: SIP/2.0/UDP a;branch=b\r\n",
         b"From: <sip:\xff@[::1]:99999>;tag=\r\n", b"CSeq: 1\r\n", b"\r\n", b"c=IN IP4 10.0.0.1\r\n", b"m=audio 4000 RTP/AVP 0\r\n", b"\n",
         b"Content-Type: application/sdp\r\n", b"m=\r\n", b"a=rtpmap:97 x/99999999999\r\n", b"o= \r\n", b" folded\r\n"]  # fmt: skip


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(("udp", "tcp", "rtp", "rtcp")), st.lists(st.sampled_from(LINES) | st.binary(max_size=12), max_size=7)),
        max_size=8,
    )
)
def test_any_bytes_give_the_same_in_any_batch(result):
    trace, at = Trace(), 1
    for n, (kind, parts) in enumerate(result):
        data = b"".join(parts)
        if kind == "tcp":
            ip = IP(src="10.0.0.1", dst="10.0.0.2") / TCP(sport=4000, dport=5060, seq=at, flags="PA")
            trace.put(n, bytes(Ether(**MACS) / ip / Raw(data)))
            at += len(data)
        else:
            trace.put(n, udp("s", 9000, {"udp": 5060, "rtp": 4000, "rtcp": 4001}[kind], data if kind == "udp" else b"\x81\xc8" + data))
    with tempfile.TemporaryDirectory() as folder:
        name = Path(folder) / "a.pcap"
        name.write_bytes(trace.pcap())
        asked = ["sip", "sdp", "rtp", "rtcp", "rtp_streams", "expert", "undecoded"]
        found = [
            Analysis(str(name), batch_frames=n, decode_as=["udp.port==4000,rtp", "udp.port==4001,rtcp"]).tables(asked) for n in BATCHES
        ]
        for other in found[1:]:
            for table, rows in found[0].items():
                assert rows.equals(other[table]), table
