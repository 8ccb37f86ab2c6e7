"""The table routes: hops, redirects and path MTUs obeyed or not, what is unreachable, loops, routes in options.

Frames and addresses of recordings are those of their labs' facts and of tshark 4.0.17; what no recording shows is crafted.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from conftest import pcap, recorded, run, same
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer import Analysis
from analyzer.tables import _loops, routes
from analyzer.tables._seen_set import SeenSet

HOST_MAC, OLD, NEW = "02:00:00:00:00:01", "02:00:00:00:00:0a", "02:00:00:00:00:0b"
ME, THERE, ROUTER, GATEWAY = "10.0.0.1", "10.9.9.9", "10.0.0.254", "10.0.0.253"


def sent(
    ttl: int = 64,
    ident: int = 1,
    size: int = 20,
    mac: str = HOST_MAC,
    to: str = OLD,
    destination: str = THERE,
    flags: str = "DF",
    dport: int = 9,
) -> bytes:
    from scapy.all import IP, UDP, Ether, Raw

    inner = IP(src=ME, dst=destination, ttl=ttl, id=ident, flags=flags) / UDP(sport=4000, dport=dport) / Raw(bytes(size))
    return bytes(Ether(src=mac, dst=to) / inner)


def error(frame: bytes, kind: int, code: int, source: str = ROUTER, mac: str = OLD, **more: object) -> bytes:
    from scapy.all import ICMP, IP, Ether, Raw

    return bytes(Ether(src=mac, dst=HOST_MAC) / IP(src=source, dst=ME) / ICMP(type=kind, code=code, **more) / Raw(frame[14:42]))


def picked(row: dict, *names: str) -> tuple:
    return tuple(row[name] for name in names)


def only(name: str, statement: str) -> list[dict]:
    return [row for row in same(name, "routes") if row["statement"] == statement]


# ---------------------------------------------------------------- hops


def test_hops_of_three_kinds_of_traceroute():
    """Lab traceroute: UDP, ICMP and TCP through 10.0.1.1 and 10.0.2.2 to 10.0.3.2, two probes a hop; what goes further counts to the last."""
    rows = same(recorded("traceroute"), "routes")
    expected = []
    for protocol, frames, last in (
        ("UDP", ((1, 4, 2), (5, 8, 2), (9, 32, 12)), "port unreachable"),
        ("ICMP", ((33, 36, 2), (37, 40, 2), (41, 72, 16)), "echo reply"),
        ("TCP", ((73, 76, 2), (77, 80, 2), (81, 127, 16)), "SYN, ACK"),
    ):
        for hop, (by, (first, end, probes)) in enumerate(zip(("10.0.1.1", "10.0.2.2", "10.0.3.2"), frames), 1):
            expected.append((protocol, hop, by, first, end, probes, probes, "time to live exceeded" if hop < 3 else last))
    assert [picked(row, "protocol", "hop", "by", "first_frame", "last_frame", "messages", "probes", "meaning") for row in rows] == expected
    assert {picked(row, "statement", "source", "destination", "severity") for row in rows} == {("hop", "10.0.1.2", "10.0.3.2", "chat")}
    assert rows[0]["fastest"].microseconds == 11  # frames 3 and 4
    assert rows[0]["slowest"].microseconds == 27  # frames 1 and 2


def test_hops_that_do_not_answer(save):
    """mtr's classic picture: hop 2 is silent, the target is never reached."""
    probes = [sent(ttl, ident=100 + ttl, dport=33000 + ttl) for ttl in (1, 2, 3)]
    rows = same(save(pcap(probes[0], error(probes[0], 11, 0), probes[1], probes[2], error(probes[2], 11, 0, "10.0.7.7"))), "routes")
    assert [picked(row, "statement", "hop", "by", "messages", "probes") for row in rows] == [
        ("hop", 1, ROUTER, 1, 1),
        ("hop", 2, None, 0, 1),
        ("hop", 3, "10.0.7.7", 1, 1),
    ]
    assert "no answer to 1 probe" in rows[1]["verdict"]


def test_an_expired_datagram_that_is_no_probe(save):
    frame = sent(64)
    (row,) = same(save(pcap(frame, error(frame, 11, 0))), "routes")
    assert picked(row, "statement", "severity", "by", "destination_port", "stream") == ("time exceeded", "warn", ROUTER, 9, 0)


def test_six(save):
    from scapy.all import UDP, Ether, ICMPv6TimeExceeded, IPv6

    probe = Ether(src=HOST_MAC, dst=OLD) / IPv6(src="2001:db8::1", dst="2001:db8:9::9", hlim=1) / UDP(sport=4000, dport=33434) / b"x"
    expired = Ether(src=OLD, dst=HOST_MAC) / IPv6(src="2001:db8::fe", dst="2001:db8::1") / ICMPv6TimeExceeded() / bytes(probe)[14:]
    (row,) = same(save(pcap(bytes(probe), bytes(expired))), "routes")
    assert picked(row, "statement", "hop", "by", "source", "meaning") == ("hop", 1, "2001:db8::fe", "2001:db8::1", "hop limit exceeded")


# ---------------------------------------------------------------- redirects


def test_a_redirect_obeyed_late():
    """Lab redirect: frames 4 and 10 name 192.168.1.1; frame 9 still goes to the old MAC, frame 12 to the new."""
    (row,) = same(recorded("redirect"), "routes")
    assert picked(row, "statement", "first_frame", "last_frame", "messages", "by", "recipient") == (
        "redirect",
        4,
        10,
        2,
        "192.168.1.109",
        "192.168.1.108",
    )
    assert picked(row, "gateway", "destination", "meaning") == ("192.168.1.1", "203.0.113.80", "redirect for the host")
    assert picked(row, "obeyed", "obeyed_frame", "ignored", "ignored_frame", "severity") == (True, 12, 1, 9, "note")


def test_a_redirect_ignored(save):
    frames = [sent(), error(sent(), 5, 1, gw=GATEWAY), *[sent(ident=i) for i in range(2, 7)]]
    (row,) = same(save(pcap(*frames)), "routes")
    assert picked(row, "obeyed", "ignored", "ignored_frame", "severity", "kind") == (False, 5, 7, "warn", "redirect ignored")


def test_a_redirect_that_nothing_follows(save):
    (row,) = same(
        save(pcap(sent(), error(sent(), 5, 1, gw=GATEWAY), sent(destination="10.8.8.8", ident=9), sent(mac=NEW, ident=10))), "routes"
    )
    assert picked(row, "obeyed", "ignored") == (None, 0)  # another destination; what a router passes on is not the host's choice


# ---------------------------------------------------------------- path MTU


def test_a_path_mtu_obeyed():
    """Lab pmtud: the ping of frame 1 ends there; TCP's segments of 1500 bytes are refused in 11 to 25, from 26 on they have 1400."""
    ping, tcp = same(recorded("pmtud"), "routes")
    assert picked(ping, "statement", "protocol", "first_frame", "messages", "mtu", "obeyed") == ("too big", "ICMP", 2, 1, 1400, None)
    assert picked(tcp, "first_frame", "last_frame", "messages", "mtu", "stream") == (11, 25, 10, 1400, 0)
    assert picked(tcp, "obeyed", "obeyed_frame", "ignored", "ignored_frame", "by") == (True, 26, 5, 20, "10.0.1.1")


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        ([sent(size=1372, ident=3)], (True, 3, 0)),  # 1400 bytes in all
        ([sent(size=1472, ident=3, flags=0)], (True, 3, 0)),  # may be cut now: RFC 1191 §3
        ([sent(size=1472, ident=i) for i in range(3, 7)], (False, None, 4)),
        ([sent(size=10, ident=3)], (None, None, 0)),  # a small one shows nothing
        ([sent(size=1372, ident=3, dport=10)], (None, None, 0)),  # another conversation
        ([sent(size=1372, ident=3), *[sent(size=1472, ident=i) for i in range(4, 8)]], (False, None, 4)),
    ],
)
def test_what_follows_a_path_mtu(save, later, expected):
    large = sent(size=1472)
    (row,) = same(save(pcap(large, error(large, 3, 4, nexthopmtu=1400), *later)), "routes")
    assert picked(row, "obeyed", "obeyed_frame", "ignored") == expected
    assert (row["severity"] == "error") == (expected[0] is False)


def test_a_path_mtu_of_six(save):
    from scapy.all import UDP, Ether, ICMPv6PacketTooBig, IPv6, Raw

    def datagram(size: int) -> bytes:
        return bytes(Ether(src=HOST_MAC, dst=OLD) / IPv6(src="2001:db8::1", dst="2001:db8:9::9") / UDP(sport=1, dport=2) / Raw(bytes(size)))

    large = datagram(1452)
    too_big = bytes(
        Ether(src=OLD, dst=HOST_MAC) / IPv6(src="2001:db8::fe", dst="2001:db8::1") / ICMPv6PacketTooBig(mtu=1280) / Raw(large[14:1200])
    )
    (row,) = same(save(pcap(large, too_big, large, datagram(1232))), "routes")
    assert picked(row, "statement", "mtu", "obeyed", "obeyed_frame", "ignored") == ("too big", 1280, True, 4, 1)


# ---------------------------------------------------------------- unreachable


def test_unreachables_and_their_conversations():
    """Lab unreachable: codes 0, 1, 3, 13, 2 in frames 2, 4, 6, 8, 10, about two pings, a datagram, a SYN and protocol 253."""
    rows = same(recorded("unreachable"), "routes")
    names = ("first_frame", "by", "code", "meaning", "protocol", "destination", "destination_port", "stream", "severity")
    assert [picked(row, *names) for row in rows] == [
        (2, "10.0.2.2", 0, "network unreachable", "ICMP", "10.99.0.1", None, None, "warn"),
        (4, "10.0.2.2", 1, "host unreachable", "ICMP", "10.0.3.77", None, None, "warn"),
        (6, "10.0.3.2", 3, "port unreachable", "UDP", "10.0.3.2", 9, 0, "warn"),
        (8, "10.0.1.1", 13, "administratively prohibited", "TCP", "10.0.3.2", 25, 0, "note"),
        (10, "10.0.3.2", 2, "protocol unreachable", "253", "10.0.3.2", None, None, "warn"),
    ]


def test_repeated_messages_are_one_statement(save):
    frames = [error(sent(ident=i), 3, 1) for i in range(5)]
    (row,) = same(save(pcap(*frames)), "routes")
    assert picked(row, "messages", "first_frame", "last_frame") == (5, 1, 5)
    assert "5 times" in row["verdict"]


def test_other_errors(save):
    rows = same(save(pcap(error(sent(), 12, 0, ptr=20), error(sent(), 4, 0), error(sent(), 11, 1))), "routes")
    assert [picked(row, "statement", "severity") for row in rows] == [
        ("parameter problem", "warn"),
        ("source quench", "note"),
        ("time exceeded", "warn"),
    ]
    assert rows[2]["meaning"] == "reassembly time exceeded"


def test_a_message_that_quotes_nothing_is_no_statement(save):
    whole = error(sent(), 3, 1)
    cut = [whole[:n] for n in range(34, len(whole))]
    rows = same(save(pcap(*cut, lengths=dict(enumerate(itertools.repeat(len(whole), len(cut)))))), "routes")
    assert {picked(row, "statement", "source", "destination") for row in rows} == {("unreachable", ME, THERE)}
    assert sum(row["messages"] for row in rows) == 8  # the last eight captures hold the whole quoted header


# ---------------------------------------------------------------- loops


def test_a_loop():
    """Lab ttl-loop: one ping fifteen times, time to live 15 to 1, in frames 1 to 15; 10.0.2.2 gives it up in 16."""
    loop, expired = same(recorded("ttl-loop"), "routes")
    assert picked(loop, "statement", "messages", "ttl_first", "ttl_last", "first_frame", "last_frame") == ("loop", 15, 15, 1, 1, 15)
    assert picked(loop, "source", "destination", "severity", "kind") == ("10.0.1.2", "10.0.99.1", "error", "routing loop")
    assert picked(expired, "statement", "by", "first_frame", "meaning") == ("time exceeded", "10.0.2.2", 16, "time to live exceeded")


def test_what_is_no_loop(save):
    relay = [sent(64), sent(63, mac=OLD, to=NEW)]  # a router passes it on over the same wire
    copies = [sent(64, ident=5), sent(64, ident=5), sent(64, ident=5)]
    others = [sent(64, ident=6), sent(63, ident=7), sent(62, ident=8)]
    assert only(save(pcap(*relay, *copies, *others)), "loop") == []
    assert only(save(pcap(*(frame[14:] for frame in relay), link=101)), "loop") == []


def test_a_loop_without_mac_addresses(save):
    (row,) = only(save(pcap(*(sent(ttl)[14:] for ttl in (64, 63, 62, 61)), link=101)), "loop")
    assert picked(row, "messages", "ttl_first", "ttl_last") == (4, 64, 61)


def test_a_loop_longer_ago_than_is_remembered(save, monkeypatch):
    monkeypatch.setattr(_loops, "WINDOW", 10)
    between = [sent(ident=100 + i) for i in range(9)]
    assert len(only(save(pcap(sent(64), *between, sent(62))), "loop")) == 1
    assert only(save(pcap(sent(64), *between, sent(ident=99), sent(62))), "loop") == []


@settings(max_examples=80, deadline=None)
@given(keys=st.lists(st.integers(0, 6), max_size=60), most=st.integers(1, 8), cut=st.integers(1, 9))
def test_a_seen_set_is_what_a_list_would_find(keys, most, cut):
    seen, found = SeenSet(most), []
    for at in range(0, len(keys), cut):
        part = np.array(keys[at : at + cut], np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        out = np.empty(len(part), np.int64)
        seen.last_seen(part.data, out.data)
        found += out.tolist()
    for i, key in enumerate(keys):
        before = [j for j in range(max(i - most, 0), i) if keys[j] == key]
        assert found[i] == (before[-1] if before else -1)


# ---------------------------------------------------------------- routes in options


def test_routes_in_options():
    """Labs ip-options: record route in frames 1 to 4, a loose source route in 7 (its end is 10.0.3.2) and reversed in 8."""
    rows = same(recorded("ip-options"), "routes")
    back = "10.0.1.2, 10.0.2.1, 10.0.3.1, 10.0.3.2, 10.0.3.2, 10.0.2.2, 10.0.1.1"
    assert [picked(row, "statement", "first_frame", "messages", "source", "destination", "route") for row in rows] == [
        ("record route", 1, 2, "10.0.1.2", "10.0.3.2", "10.0.1.2"),
        ("record route", 2, 2, "10.0.3.2", "10.0.1.2", back),
        ("loose source route", 7, 1, "10.0.1.2", "10.0.3.2", "→ 10.0.2.2, 10.0.3.2"),
        ("loose source route", 8, 1, "10.0.3.2", "10.0.1.2", "10.0.2.2, 10.0.1.1"),
    ]
    far = same(recorded("ip-options-far"), "routes")
    assert [row["route"] for row in far][2] == "10.0.2.1, 10.0.3.1"
    assert {picked(row, "severity", "kind") for row in far if "source" in row["statement"]} == {("warn", "source route")}


# ---------------------------------------------------------------- limits, filters, explain


def test_beyond_the_limit_the_oldest_are_written_and_counted(save, monkeypatch):
    monkeypatch.setattr(routes, "MOST", 3)
    monkeypatch.setattr(routes, "WATCHED", 2)
    large = [sent(size=1472, destination=f"10.9.9.{i}") for i in range(1, 9)]
    frames = [frame for one in large for frame in (one, error(one, 3, 4, nexthopmtu=1400), one)]
    name = save(pcap(*frames))
    rows = same(name, "routes")
    assert [picked(row, "destination", "ignored") for row in rows] == [(f"10.9.9.{i}", 1) for i in range(1, 9)]
    assert "5 statements about paths, the oldest, were written before the trace ended" in run("table", "routes", name).err


def test_a_filter_picks_rows_and_changes_none():
    (row,) = same(recorded("redirect"), "routes", filter="frame.number == 10")
    assert picked(row, "messages", "obeyed_frame") == (2, 12)
    assert same(recorded("redirect"), "routes", filter="frame.number == 12") == []


def test_a_flood_takes_no_quadratic_time(save):
    """5,000 redirects of one pair, each naming another gateway, between its datagrams."""
    import struct
    import time

    redirect, datagram = error(sent(), 5, 1, gw=GATEWAY), sent()
    frames = []
    for i in range(5_000):
        frames += [redirect[:38] + struct.pack(">I", 0x0A000000 + i) + redirect[42:], datagram]
    begin = time.process_time()
    assert len(Analysis(save(pcap(*frames))).table("routes")) == 5_000
    assert time.process_time() - begin < 6  # a second at the most; the square takes many times that


def test_explain_lists_them_worst_first():
    text = run("explain", recorded("ttl-loop")).out
    assert "ARP, neighbor discovery and ICMP: 1 error, 1 warn." in text
    assert text.index("error: routing loop (1)") < text.index("warn: time exceeded (1)")
    lines = [line.split(",")[:3] for line in run("explain", str(recorded("unreachable")), "-T", "csv").out.splitlines()]
    assert lines == [["severity", "kind", "stream"], ["error", "refused by ICMP", "0"], *[["warn", "unreachable", ""]] * 4]
