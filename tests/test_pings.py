"""Echo and its kin: `icmp.resp_to` and `icmp.resptime` as Wireshark has them, and the table pings.

Values of crafted captures are tshark 4.0.17's, noted once; frames of recordings are those of their labs' facts.
"""

from __future__ import annotations

import pytest
from conftest import BATCHES, pcap, recorded, run, same
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.correlators import echo_matching
from analyzer.tables import pings

A, B = "02:00:00:00:00:0a", "02:00:00:00:00:0b"
ME, HOST, OTHER, ROUTER = "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.254"


def icmp(
    kind: int, source: str, destination: str, seq: int = 1, ident: int = 7, data: bytes = b"abc", ip: dict | None = None, **more: object
) -> bytes:
    from scapy.all import ICMP, IP, Ether

    return bytes(Ether(src=A, dst=B) / IP(src=source, dst=destination, **(ip or {})) / ICMP(type=kind, id=ident, seq=seq, **more) / data)


def ask(seq: int = 1, to: str = HOST, **more: object) -> bytes:
    return icmp(8, ME, to, seq, **more)


def answer(seq: int = 1, by: str = HOST, **more: object) -> bytes:
    return icmp(0, by, ME, seq, **more)


def error(frame: bytes, kind: int = 3, code: int = 1) -> bytes:
    from scapy.all import ICMP, IP, Ether

    return bytes(Ether(src=B, dst=A) / IP(src=ROUTER, dst=ME) / ICMP(type=kind, code=code) / frame[14:42])


def outcomes(name: str) -> list[tuple]:
    names = ("frame", "outcome", "answer_frame", "answered_by", "duplicates", "error_frame")
    return [tuple(row[one] for one in names) for row in same(name, "pings")]


# ---------------------------------------------------------------- Wireshark's fields


def linked(name: str, batch: int | None = None) -> dict[int, tuple[str, str]]:
    fields = ("icmp.resp_to", "icmp.resptime", "icmp.resp_in", "icmpv6.resp_to", "icmpv6.resptime")
    options = [word for field in fields for word in ("-e", field)]
    output = run("packets", name, "-T", "fields", "-e", "frame.number", *options, *(["--batch-frames", str(batch)] if batch else []))
    lines = (line.split("\t") for line in output.out.splitlines())
    return {int(number): tuple(one for one in rest if one) for number, *rest in lines if any(rest)}


def six(kind: str, source: str, destination: str) -> bytes:
    from scapy.all import Ether, ICMPv6EchoReply, ICMPv6EchoRequest, IPv6

    echo = ICMPv6EchoRequest if kind == "ask" else ICMPv6EchoReply
    return bytes(Ether(src=A, dst=B) / IPv6(src=source, dst=destination) / echo(id=1, seq=7, data=b"x"))


@pytest.mark.parametrize("batch", [*BATCHES])
def test_replies_name_their_requests_as_in_wireshark(save, batch):
    frames = [
        *(ask(), answer(), answer()),  # a second reply belongs to none
        *(ask(), answer(data=b"abd"), answer()),  # other data, another checksum
        *(ask(2), icmp(0, ME, HOST, 2)),  # in either direction
        *(icmp(13, ME, HOST, 5), icmp(14, HOST, ME, 5)),  # echo alone
        *(six("ask", "::1:1", "::2:2"), six("answer", "::2:2", "::1:1")),
        *(ask(3, chksum=0xF7FF), answer(3, chksum=0xFFFF)),  # one's complement has two zeros
        *(ask(4), ask(4), answer(4)),  # the latest
    ]
    second = "1000"
    expected = {2: "1", 6: "4", 8: "7", 12: "11", 14: "13", 17: "16"}
    times = {6: "2000"}
    assert linked(save(pcap(*frames)), batch) == {frame: (to, times.get(frame, second)) for frame, to in expected.items()}


def test_recorded_replies():
    """Lab ping; lab ip-options, whose last request goes by way of a source route."""
    assert linked(recorded("ping")) == {2: ("1", "0.023"), 4: ("3", "0.027"), 6: ("5", "0.024"), 8: ("7", "0.022")}
    assert linked(recorded("ip-options")) == {2: ("1", "0.074"), 4: ("3", "0.063"), 6: ("5", "0.068"), 8: ("7", "1.974")}
    assert linked(recorded("arp-spoof")) == {7: ("6", "0.023"), 11: ("10", "0.017"), 15: ("14", "0.013")}


def test_milliseconds_in_filters():
    for condition in ("icmp.resptime > 0.025", "icmp.resptime > 25us"):
        assert run("packets", recorded("ping"), "-Y", condition, "-T", "fields", "-e", "frame.number").out == "4\n"


def test_requests_beyond_the_limit_are_forgotten_and_said(save, monkeypatch):
    monkeypatch.setattr(echo_matching, "MOST", 2)
    name = save(pcap(ask(1), ask(2), ask(3), answer(1), answer(3)))
    assert linked(name) == {5: ("3", "2000")}
    assert "1 echo requests without an answer, the oldest, were forgotten" in run("packets", name, "-T", "fields", "-e", "icmp.resp_to").err


# ---------------------------------------------------------------- the table


def test_recorded_pings():
    """Lab ping: four requests, four replies, the last with a time to live of 32."""
    rows = same(recorded("ping"), "pings")
    assert [(row["frame"], row["answer_frame"], row["rtt"].microseconds, row["ttl"]) for row in rows] == [
        (1, 2, 23, 64),
        (3, 4, 27, 64),
        (5, 6, 24, 64),
        (7, 8, 22, 32),
    ]
    assert {row["outcome"] for row in rows} == {"answered"}
    assert {row["bytes"] for row in rows} == {56}


def test_a_router_in_between_makes_no_copies():
    """Lab arp-spoof: each request and each reply is there twice, with a time to live of 64 and 63."""
    rows = same(recorded("arp-spoof"), "pings")
    assert [(row["frame"], row["seen"], row["answer_frame"], row["duplicates"]) for row in rows] == [
        (5, 2, 7, 0),
        (9, 2, 11, 0),
        (13, 2, 15, 0),
    ]


def test_errors_instead_of_answers():
    """Labs unreachable (frames 2 and 4 refuse the pings of 1 and 3) and ttl-loop (one ping, seen fifteen times)."""
    rows = same(recorded("unreachable"), "pings")
    assert [(row["frame"], row["outcome"], row["error_frame"], row["error_by"], row["error"]) for row in rows] == [
        (1, "error", 2, "10.0.2.2", "network unreachable"),
        (3, "error", 4, "10.0.2.2", "host unreachable"),
    ]
    (row,) = same(recorded("ttl-loop"), "pings")
    assert (row["seen"], row["outcome"], row["error_frame"], row["error"]) == (15, "error", 16, "time to live exceeded")


def test_a_source_route_ends_at_its_last_stop():
    """Lab ip-options: frame 7's header goes to 10.0.1.1, its end is 10.0.3.2, which answers in frame 8."""
    last = same(recorded("ip-options"), "pings")[-1]
    assert (last["frame"], last["destination"], last["outcome"], last["answer_frame"]) == (7, "10.0.3.2", "answered", 8)


def test_six():
    rows = same(recorded("ipv6-nd"), "pings")
    assert [(row["protocol"], row["frame"], row["answer_frame"]) for row in rows] == [("icmpv6", 19, 20), ("icmpv6", 23, 26)]


def test_what_may_come_back(save):
    frames = [
        *(ask(1), answer(1), answer(1)),  # 1-3: a copy
        *(ask(2), answer(2, by=OTHER)),  # 4, 5: another answers
        ask(3),  # 6: nobody
        *(ask(4), error(ask(4)), answer(4)),  # 7-9: an error, then an answer all the same
        answer(5),  # 10: nobody asked
        answer(5),
    ]
    assert outcomes(save(pcap(*frames))) == [
        (1, "answered", 2, HOST, 1, None),
        (4, "answered by another", 5, OTHER, 0, None),
        (6, "no answer", None, None, 0, None),
        (7, "answered", 9, HOST, 0, 8),
        (None, "not asked", 10, HOST, 1, None),
    ]


def test_numbers_used_again(save):
    """Another program asks with the numbers of one before: each answer belongs to the latest question."""
    first, second = {"ip": {"id": 100}}, {"ip": {"id": 200}}
    assert outcomes(save(pcap(ask(**first), ask(**second), answer()))) == [
        (1, "no answer", None, None, 0, None),
        (2, "answered", 3, HOST, 0, None),
    ]
    assert outcomes(save(pcap(ask(**first), answer(), ask(**second), answer()))) == [
        (1, "answered", 2, HOST, 0, None),
        (3, "answered", 4, HOST, 0, None),
    ]


def test_many_hosts_with_the_same_numbers(save):
    frames = [ask(1, to=f"10.0.1.{i}") for i in (1, 2, 3)] + [answer(1, by=f"10.0.1.{i}") for i in (3, 1, 2)]
    assert [row[:4] for row in outcomes(save(pcap(*frames)))] == [
        (1, "answered", 5, "10.0.1.1"),
        (2, "answered", 6, "10.0.1.2"),
        (3, "answered", 4, "10.0.1.3"),
    ]


def test_a_broadcast_is_answered_by_many(save):
    name = save(pcap(ask(1, to="10.0.0.255"), answer(1), answer(1, by=OTHER)))
    assert outcomes(name) == [(1, "answered", 2, HOST, 1, None)]
    assert "warn" not in run("explain", name).out


def test_other_questions(save):
    frames = [icmp(13, ME, HOST, 1), icmp(14, HOST, ME, 1), icmp(17, ME, HOST, 2), icmp(18, HOST, ME, 2)]
    for kind, frame in ((42, ask(0x0300)), (43, answer(0x0300))):  # RFC 8335 §2: the sequence number is one byte
        frames.append(frame[:34] + bytes([kind]) + frame[35:])
    rows = same(save(pcap(*frames)), "pings")
    assert [(row["question"], row["sequence"], row["outcome"]) for row in rows] == [
        ("timestamp", 1, "answered"),
        ("address mask", 2, "answered"),
        ("extended echo", 3, "answered"),
    ]


def test_a_filter_picks_rows_and_changes_none():
    rows = same(recorded("ping"), "pings", filter="icmp.type == 0 and icmp.seq == 2")
    assert [(row["frame"], row["outcome"], row["answer_frame"]) for row in rows] == [(3, "answered", 4)]


def test_beyond_the_limit_the_oldest_are_written_and_counted(save, monkeypatch):
    monkeypatch.setattr(pings, "MOST", 3)
    name = save(pcap(*(frame for i in range(1, 11) for frame in (ask(i), answer(i))), answer(1)))
    assert [row[1] for row in outcomes(name)] == ["answered"] * 10 + ["not asked"]
    assert "8 questions of ICMP, the oldest, were written before the trace ended" in run("table", "pings", name).err


STEP = st.tuples(st.sampled_from(["ask", "answer", "other", "error"]), st.integers(0, 3))


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(steps=st.lists(STEP, max_size=25))
def test_no_message_is_lost(steps, tmp_path_factory):
    """Whatever comes in whichever order: questions, answers and further answers add up, in batches of every size."""
    made = {"ask": ask, "answer": answer, "other": lambda seq: answer(seq, by=OTHER), "error": lambda seq: error(ask(seq))}
    name = tmp_path_factory.mktemp("pings") / "trace.pcap"
    # Every question has an identification of its own, so that none is another's copy.
    name.write_bytes(pcap(*(made[kind](seq) if kind != "ask" else ask(seq, ip={"id": 1000 + i}) for i, (kind, seq) in enumerate(steps))))
    rows = same(str(name), "pings")
    kinds = [kind for kind, _ in steps]
    assert sum(row["frame"] is not None for row in rows) == kinds.count("ask")
    assert sum((row["answer_frame"] is not None) + row["duplicates"] for row in rows) == kinds.count("answer") + kinds.count("other")
    assert all(row["answer_frame"] > row["frame"] for row in rows if row["frame"] and row["answer_frame"])


# ---------------------------------------------------------------- verdicts on series


def explained(save, *frames: bytes) -> str:
    return " ".join(run("explain", save(pcap(*frames))).out.split())


def test_series(save):
    assert "warn: pings unanswered (1) No answer to 3 pings 10.0.0.1 → 10.0.0.2 (identifier 7), frames 1 to 3." in explained(
        save, ask(1), ask(2), ask(3)
    )
    assert "warn: pings lost (1) 1 of 2 pings" in explained(save, ask(1), answer(1), ask(2))
    assert "1 ping 10.0.0.1 → 10.0.0.2 (identifier 7) answered by 10.0.0.3, first in frame 2." in explained(
        save, ask(1), answer(1, by=OTHER)
    )
    assert "1 further answer to pings 10.0.0.1 → 10.0.0.2 (identifier 7), the last in frame 3." in explained(
        save, ask(1), answer(1), answer(1)
    )
    assert "2 answers of 10.0.0.2 to 10.0.0.1 that no frame asked for, first in frame 1." in explained(save, answer(1), answer(2))
    assert (
        explained(save, *(frame for i in range(1, 12) for frame in ((ask(i), answer(i)) if i < 11 else (ask(i),))))
        == "No TCP connection in this capture."
    )
