"""Messages in TCP streams: whole ones are found however they were cut, in the frame with which each was whole."""

from __future__ import annotations

import struct

import polars as pl
import pytest
from conftest import BATCHES, Trace, run
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer import Analysis


def record(size: int, kind: int = 23) -> bytes:
    """A TLS record of `size` bytes behind its header, RFC 8446 §5.1."""
    return struct.pack(">BHH", kind, 0x0303, size) + bytes(n % 251 for n in range(size))


def tls(name: str, **more) -> list[tuple[int, int]]:
    """(frame, length) of each record, the same in batches of 1, 7 and all."""
    found = [Analysis(name, batch_frames=n, **more).table("tls").select("frame.number", "tls.record.length").rows() for n in BATCHES]
    assert found[0] == found[1] == found[2]
    return found[0]


def expected(records: list[bytes], parts: list[tuple[int, int, int]]) -> list[tuple[int, int]]:
    """When a reader that notes every byte's arrival has each record whole. parts: (frame, start, end), in the order of arrival."""
    there: set[int] = set()
    whole, done, at = [], 0, 0
    for frame, start, end in parts:
        there.update(range(start, end))
        while at < len(records) and there.issuperset(range(done, done + len(records[at]))):
            whole.append((frame, len(records[at]) - 5))
            done += len(records[at])
            at += 1
    return whole


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.data())
def test_records_are_found_however_they_were_cut(tmp_path_factory, data):
    """Any sizes, any segments, in any order that a window of four allows, some of them twice, sequence numbers that wrap."""
    records = [record(size) for size in data.draw(st.lists(st.integers(0, 60), min_size=1, max_size=12))]
    stream = b"".join(records)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(stream) - 1), max_size=12))) if len(stream) > 1 else []
    bounds = list(zip([0, *cuts], [*cuts, len(stream)]))
    order = sorted(range(len(bounds)), key=lambda i: (i + data.draw(st.integers(0, 3)), i))
    if data.draw(st.booleans()):
        order.insert(data.draw(st.integers(0, len(order))), data.draw(st.sampled_from(order)))
    # The first bytes must be the first to come: what a stream speaks is told by its first data.
    order.remove(0)
    trace = Trace()
    trace.isn = {"c": 2**32 - 40, "s": 2**32 - 5}
    trace.open()
    parts = []
    for n, i in enumerate([0, *order]):
        start, end = bounds[i]
        trace.tcp(0.1 + n / 1000, "c", "PA", 1 + start, 1, stream[start:end])
        parts.append((4 + n, start, end))
    name = tmp_path_factory.mktemp("m") / "t.pcap"
    name.write_bytes(trace.pcap())
    assert tls(str(name)) == expected(records, parts)


def test_both_directions_and_two_records_in_a_segment(save):
    trace = Trace().open()
    trace.tcp(0.1, "c", "PA", 1, 1, record(10, 22) + record(20, 22) + record(30)[:9])
    trace.tcp(0.2, "s", "PA", 1, 75, record(40, 22))
    trace.tcp(0.3, "c", "PA", 50, 46, record(30)[9:])
    name = save(trace.pcap())
    assert tls(name) == [(4, 10), (4, 20), (5, 40), (6, 30)]
    result = run(
        "packets", name, "-T", "fields", *(w for n in ("segment", "segment.count", "reassembled.length") for w in ("-e", f"tcp.{n}"))
    )
    assert result.out.splitlines()[3:] == ["\t\t", "\t\t", "4,6\t2\t35"]


def test_the_port_decides_only_if_the_bytes_agree(save):
    """TLS on port 80, where nobody expects it; no DNS on port 53."""
    trace = Trace().open().tcp(0.1, "c", "PA", 1, 1, record(10, 22))
    assert tls(save(trace.pcap())) == [(4, 10)]
    other = Trace()
    other.port = 53
    other.open().tcp(0.1, "c", "PA", 1, 1, b"\x17\x03\x03\xff\xff and so on")
    name = save(other.pcap())
    assert tls(name) == []
    lost = Analysis(name).table("undecoded").select("what", "frames", "bytes").rows()
    assert lost == [("DNS in a TCP stream, in no message", 1, 15)]


@pytest.mark.parametrize("batch", BATCHES)
def test_behind_a_hole_the_next_piece_that_begins_a_record_goes_on(save, batch):
    """The second of three segments is not in the capture; the server acknowledged it."""
    one, two, three = record(50), record(60), record(70)
    trace = Trace().open().tcp(0.1, "c", "PA", 1, 1, one + two[:20])
    trace.tcp(0.2, "c", "PA", 1 + len(one + two), 1, three)
    trace.tcp(0.3, "s", "A", 1, 1 + len(one + two + three))
    trace.tcp(2.0, "c", "A", 1 + len(one + two + three), 1)
    analysis = Analysis(save(trace.pcap()), batch_frames=batch)
    found = analysis.tables(["tls", "undecoded"])
    assert found["tls"].select("frame.number", "tls.record.length").rows() == [(4, 50), (7, 70)]
    assert found["undecoded"].filter(space="stream").select("bytes", "first_frame").rows() == [(20, 7)]


def test_the_end_of_a_direction_gives_up_what_is_not_whole(save):
    trace = Trace().open().tcp(0.1, "c", "PA", 1, 1, record(50)[:30])
    trace.tcp(0.2, "c", "FA", 31, 1)
    found = Analysis(save(trace.pcap())).tables(["tls", "undecoded"])
    assert len(found["tls"]) == 0
    assert found["undecoded"].filter(space="stream").select("bytes", "first_frame").rows() == [(30, 5)]


def test_what_is_not_whole_when_the_trace_ends_is_counted(save):
    trace = Trace().open().tcp(0.1, "c", "PA", 1, 1, record(50)[:30])
    trace.tcp(0.2, "c", "PA", 51, 1, b"x" * 9)  # behind a hole
    for batch in BATCHES:
        found = Analysis(save(trace.pcap()), batch_frames=batch).table("undecoded")
        assert found.filter(space="stream").select("bytes", "first_frame").rows() == [(39, 4)]


def test_messages_in_a_datagram_that_came_in_pieces(save):
    """TCP in IP fragments: the made buffer's segment is one like others."""
    from scapy.all import IP, Ether, fragment

    trace = Trace().open().tcp(0.1, "c", "PA", 1, 1, record(500))
    frame = Ether(trace.frames.pop()[1])
    packet = frame.payload
    packet.flags = 0
    for nth, piece in enumerate(fragment(IP(bytes(packet)), 200)):
        trace.put(0.1 + nth / 100, bytes(Ether() / piece))
    assert tls(save(trace.pcap())) == [(6, 500)]


def test_a_filter_finds_what_is_in_a_stream(save):
    trace = Trace().open().tcp(0.1, "c", "PA", 1, 1, record(10, 22)).tcp(0.2, "c", "PA", 16, 1, record(20))
    result = run("packets", save(trace.pcap()), "-Y", "tls.record.content_type == 23", "-T", "fields", "-e", "frame.number")
    assert result.out.split() == ["5"]
    assert isinstance(Analysis(save(trace.pcap())).table("hierarchy"), pl.DataFrame)


def test_dns_over_tcp(save):
    """A question, and an answer whose length stands alone in a segment (RFC 1035 §4.2.2); dpkt made the messages."""
    from dpkt.dns import DNS, DNS_ANY

    question = bytes(DNS(id=7, qd=[DNS.Q(name="example.org", type=DNS_ANY)]))
    answer = bytes(DNS(id=7, qr=1, qd=[DNS.Q(name="example.org", type=DNS_ANY)], an=[DNS.RR(name="example.org", ip=b"\x01\x02\x03\x04")]))
    trace = Trace()
    trace.port = 53
    trace.open().tcp(0.1, "c", "PA", 1, 1, struct.pack(">H", len(question)) + question)
    trace.tcp(0.2, "s", "PA", 1, 3 + len(question), struct.pack(">H", len(answer)))
    trace.tcp(0.3, "s", "PA", 3, 3 + len(question), answer)
    name = save(trace.pcap())
    words = [w for n in ("frame.number", "dns.id", "dns.length", "dns.a", "dns.response_to", "dns.time", "tcp.segment") for w in ("-e", n)]
    result = {run("packets", name, "-Y", "dns", "-T", "fields", *words, "--batch-frames", str(n)).out for n in BATCHES}
    assert result == {f"4\t0x0007\t{len(question)}\t\t\t\t\n6\t0x0007\t{len(answer)}\t1.2.3.4\t4\t0.200000000\t5,6\n"}
