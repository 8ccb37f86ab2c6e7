"""ARP, RARP and neighbor discovery: duplicate addresses as Wireshark has them, and the table bindings.

Frames and addresses of recordings are those of their labs' facts and of tshark 4.0.17; what no recording shows is crafted.
"""

from __future__ import annotations

import pytest
from conftest import recorded, run, same

from analyzer import Analysis
from analyzer.correlators import arp_conflicts
from analyzer.tables import bindings

A, B, C = "02:00:00:00:00:0a", "02:00:00:00:00:0b", "02:00:00:00:00:0c"
NOBODY = "00:00:00:00:00:00"
ERNEST, KONGMING, MALLORY = "00:16:d3:5c:b9:e3", "08:00:27:53:10:67", "02:00:00:00:06:66"
DUPLICATES = ("arp.duplicate-address-detected", "arp.duplicate-address-frame", "arp.seconds-since-duplicate-address-frame")


def arp(
    op: int, mac: str, ip: str, target_mac: str, target: str, source: str | None = None, vlan: int | None = None, **more: object
) -> bytes:
    from scapy.all import ARP, Dot1Q, Ether

    ether = Ether(src=source or mac, dst="ff:ff:ff:ff:ff:ff")
    tagged = ether if vlan is None else ether / Dot1Q(vlan=vlan)
    return bytes(tagged / ARP(op=op, hwsrc=mac, psrc=ip, hwdst=target_mac, pdst=target, **more))


def ask(mac: str, ip: str, target: str, **more: object) -> bytes:
    return arp(1, mac, ip, NOBODY, target, **more)


def nd(kind: str, source: str, target: str, mac: str | None = None, sender: str = A, **more: object) -> bytes:
    """A solicitation (NS) or advertisement (NA), with a link-layer address if `mac` is given."""
    from scapy.all import Ether, ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptDstLLAddr, ICMPv6NDOptSrcLLAddr, IPv6

    ether = Ether(src=sender, dst="33:33:00:00:00:01") / IPv6(src=source, dst="ff02::1", hlim=255)
    if kind == "NS":
        return bytes(ether / ICMPv6ND_NS(tgt=target) / (ICMPv6NDOptSrcLLAddr(lladdr=mac) if mac else b""))
    return bytes(ether / ICMPv6ND_NA(tgt=target, **more) / (ICMPv6NDOptDstLLAddr(lladdr=mac) if mac else b""))


def ping(source: str, destination: str, mac: str, to: str) -> bytes:
    from scapy.all import ICMP, IP, Ether

    return bytes(Ether(src=mac, dst=to) / IP(src=source, dst=destination) / ICMP())


def rows(name: str) -> dict[tuple[str | None, str | None], dict]:
    """(address, MAC) → the row."""
    return {(row["address"], row["mac"]): row for row in same(name, "bindings")}


def picked(row: dict, *names: str) -> tuple:
    return tuple(row[name] for name in names)


# ---------------------------------------------------------------- Wireshark's fields


def duplicates(name: str, batch: int | None = None) -> dict[int, tuple[str, ...]]:
    options = [word for field in DUPLICATES for word in ("-e", field)]
    output = run("packets", name, "-T", "fields", "-e", "frame.number", *options, *(["--batch-frames", str(batch)] if batch else []))
    lines = (line.split("\t") for line in output.out.splitlines())
    return {int(number): tuple(rest) for number, *rest in lines if any(rest)}


CRAFTED = [
    ask(A, "10.0.0.1", "10.0.0.2"),
    arp(2, B, "10.0.0.2", A, "10.0.0.1"),
    arp(2, C, "10.0.0.2", C, "10.0.0.2"),  # gratuitous: its target is no second claim
    arp(1, C, "10.0.0.2", C, "10.0.0.2"),
    arp(2, B, "10.0.0.2", C, "10.0.0.2"),
    arp(2, C, "10.0.0.2", B, "10.0.0.2"),
    ask("ff:ff:ff:ff:ff:ff", "10.0.0.2", "10.0.0.9"),
    ask(NOBODY, "10.0.0.2", "10.0.0.9"),
    ask(C, "0.0.0.0", "10.0.0.2"),
    arp(2, C, "10.0.0.2", A, "10.0.0.1", vlan=7),
    arp(3, C, "10.0.0.2", A, "10.0.0.2"),
    arp(4, C, "10.0.0.7", A, "10.0.0.2"),
    arp(9, C, "10.0.0.2", A, "10.0.0.7"),
    arp(2, C, "10.0.0.2", A, "10.0.0.1", hwtype=6),
    arp(2, A, "10.0.0.1", B, "10.0.0.2"),
    arp(2, B, "10.0.0.1", A, "10.0.0.2"),  # both ends are others'
]
TSHARK = {3: ("1", "2", "1"), 4: ("1", "2", "2"), 6: ("1", "5", "1"), 10: ("1", "5", "5"), 16: ("1,1", "15,15", "1,1")}  # tshark 4.0.17


@pytest.mark.parametrize("batch", [1, 7, None])
def test_duplicate_addresses_are_wiresharks(save, batch):
    from conftest import pcap

    assert duplicates(save(pcap(*CRAFTED)), batch) == TSHARK
    assert duplicates(recorded("arp-spoof"), batch) == {2: ("1,1", "1,1", "0,0"), 4: ("1,1", "3,3", "0,0")}
    assert duplicates(recorded("arp-conflict"), batch) == {4: ("1", "2", "0")}


def test_addresses_beyond_the_limit_are_forgotten_and_said(save, monkeypatch):
    from conftest import pcap

    monkeypatch.setattr(arp_conflicts, "MOST", 3)
    frames = [ask(A, f"10.0.1.{i}", "10.0.0.9") for i in range(1, 6)]
    name = save(pcap(*frames, ask(B, "10.0.1.5", "10.0.0.9"), ask(B, "10.0.1.1", "10.0.0.9")))
    output = run("packets", name, "-Y", "arp.duplicate-address-frame", "-T", "fields", "-e", "frame.number")
    assert output.out.split() == ["6"]  # the first address is known no more
    assert "3 IP addresses that ARP had spoken of, the oldest, were forgotten" in output.err


def test_findings():
    found = Analysis(recorded("arp-spoof")).table("expert")
    assert found.filter(found["finding"] == "arp.duplicate_address")["frame.number"].to_list() == [2, 4]


def test_findings_of_one_message(save):
    from conftest import pcap

    frames = [
        ask(A, "10.0.0.1", "10.0.0.2", source=B),
        ask(A, "10.0.0.1", "10.0.0.2", vlan=3),
        arp(2, "01:00:5e:00:00:01", "10.0.0.3", A, "10.0.0.1", source=C),
    ]
    found = Analysis(save(pcap(*frames))).table("expert").select("frame.number", "finding").rows()
    assert found == [(1, "arp.another_sender"), (3, "arp.group_sender"), (3, "arp.another_sender")]


# ---------------------------------------------------------------- bindings, recorded


def test_asked_once_then_used():
    """Lab arp: one question, one answer, two connections out of the cache."""
    found = rows(recorded("arp"))
    assert set(found) == {("192.168.1.108", ERNEST), ("192.168.1.109", KONGMING)}
    row = found["192.168.1.109", KONGMING]
    assert picked(row, "protocol", "learnt", "first_frame", "asked", "answered", "unanswered") == ("arp", "reply", 2, 1, 1, 0)
    # frames 3, 5, 6, 9, 10, 12 and the same of the second connection go to the server
    assert picked(row, "datagrams", "last_used", "others") == (12, 22, None)
    assert row["used_for"].total_seconds() == pytest.approx(0.304276)


def test_the_cache_grows_old():
    """Lab arp-cache: a question to the known MAC in frame 11; three questions for a host that is not there."""
    found = rows(recorded("arp-cache"))
    assert picked(found["192.168.1.109", KONGMING], "asked", "answered", "statements") == (2, 2, 4)
    absent = found["192.168.1.200", None]
    assert picked(absent, "asked", "unanswered", "unanswered_frame", "unanswered_last", "asked_by") == (3, 3, 21, 23, "192.168.1.108")
    assert picked(absent, "severity", "kind") == ("warn", "no answer to ARP or ND")


def test_two_owners():
    """Lab arp-conflict: the impostor answers first (frame 2), the owner in frame 4; the impostor probes (10) and announces (11)."""
    impostor = "02:00:00:00:00:99"
    found = rows(recorded("arp-conflict"))
    owner, other = found["192.168.1.109", KONGMING], found["192.168.1.109", impostor]
    assert picked(owner, "others", "conflict_frame", "contested", "severity", "kind") == (impostor, 4, True, "error", "address conflict")
    assert picked(other, "evidence", "datagrams", "announced", "probes", "severity") == ("reply, announcement", 3, 1, 1, "chat")
    assert "frame 4" in owner["verdict"]


def test_announcements_and_a_free_address():
    """Lab arp-gratuitous: frames 1 and 2 announce, 3 is a gratuitous reply, 4 and 5 probe."""
    found = rows(recorded("arp-gratuitous"))
    assert picked(found["192.168.1.108", ERNEST], "announced", "evidence", "unasked") == (3, "announcement, gratuitous reply", 0)
    assert picked(found["192.168.1.50", None], "probes", "kind", "severity", "asked_by") == (2, "free", "chat", ERNEST)


def test_spoofing():
    """Lab arp-spoof: both addresses are claimed in answers that nobody asked for, and pings go to the third host."""
    found = rows(recorded("arp-spoof"))
    for address, owner, last in (("192.168.1.109", KONGMING, 3), ("192.168.1.108", ERNEST, 4)):
        row = found[address, MALLORY]
        assert picked(row, "severity", "kind", "others", "unasked", "last_frame") == ("error", "addresses taken over", owner, 2, last)
        assert row["datagrams"] == 3
        assert found[address, owner]["severity"] == "chat"


def test_reverse():
    """Lab rarp: frame 1 asks who 00:16:d3:5c:b9:e3 is, frame 2 says."""
    found = rows(recorded("rarp"))
    assert picked(found["192.168.1.108", ERNEST], "protocol", "learnt", "answered", "first_frame") == ("rarp", "reverse reply", 1, 2)
    assert picked(found["192.168.1.109", KONGMING], "learnt") == ("server",)


def test_neighbor_discovery():
    """Lab ipv6-nd: probes in frames 2, 4, 16; router advertisements 7, 10, 15; solicitations 17, 21, 24, answered by 18, 22, 25."""
    found = rows(recorded("ipv6-nd"))
    router, host = "14:e6:e4:93:5b:78", ERNEST
    assert set(found) == {
        ("2001:db8:1::1", router),
        ("fe80::16e6:e4ff:fe93:5b78", router),
        ("fe80::216:d3ff:fe5c:b9e3", host),
        ("2001:db8:1:0:216:d3ff:fe5c:b9e3", host),
    }
    assert picked(found["2001:db8:1::1", router], "asked", "answered", "learnt", "first_frame") == (1, 1, "router advertisement", 7)
    own = found["fe80::216:d3ff:fe5c:b9e3", host]
    assert picked(own, "asked", "probes", "answered", "first_frame") == (2, 1, 1, 9)  # asked by frames 2 and 21, answered by 22
    assert {row["severity"] for row in found.values()} == {"chat"}


# ---------------------------------------------------------------- bindings, crafted


def test_a_third_party_speaks(save):
    from conftest import pcap

    name = save(
        pcap(
            ask(A, "10.0.0.1", "10.0.0.2"),
            arp(2, B, "10.0.0.2", A, "10.0.0.1"),
            ask(A, "10.0.0.1", "10.0.0.3"),
            arp(2, C, "10.0.0.2", A, "10.0.0.1", source="02:00:00:00:06:66"),
        )
    )
    row = rows(name)["10.0.0.2", C]
    assert picked(row, "sent_by", "others", "severity") == (MALLORY, B, "error")


def test_proxy_arp_is_no_spoofing(save):
    from conftest import pcap

    frames = []
    for i in range(1, 6):
        frames += [ask(A, "10.0.0.1", f"10.0.9.{i}"), arp(2, B, f"10.0.9.{i}", A, "10.0.0.1")]
    found = rows(save(pcap(*frames)))
    assert picked(found["10.0.9.3", B], "addresses", "severity", "kind") == (5, "note", "proxy")
    assert {row["severity"] for row in found.values()} == {"note", "chat"}


def test_an_address_in_use_is_refused(save):
    """RFC 5227 §2.1.1 and RFC 4862 §5.4: who probes must not use the address."""
    from conftest import pcap

    name = save(
        pcap(
            ask(A, "0.0.0.0", "10.0.0.2"),
            arp(2, B, "10.0.0.2", A, "0.0.0.0"),
            nd("NS", "::", "fe80::1", sender=A),
            nd("NA", "fe80::1", "fe80::1", B, sender=B, S=0, O=1),
        )
    )
    found = rows(name)
    for address, frame in (("10.0.0.2", 2), ("fe80::1", 4)):
        assert picked(found[address, B], "refused", "refused_frame", "severity", "kind") == (A, frame, "warn", "address in use")


def test_an_address_moves(save):
    from conftest import pcap

    name = save(
        pcap(
            arp(1, A, "10.0.0.7", NOBODY, "10.0.0.7"), arp(1, B, "10.0.0.7", NOBODY, "10.0.0.7"), arp(1, B, "10.0.0.7", NOBODY, "10.0.0.7")
        )
    )
    found = rows(name)
    assert picked(found["10.0.0.7", B], "severity", "kind", "others") == ("note", "address moved", A)
    assert found["10.0.0.7", A]["severity"] == "chat"


def test_networks_are_apart(save):
    """The same address on another VLAN is another host."""
    from conftest import pcap

    found = same(
        save(pcap(ask(A, "10.0.0.1", "10.0.0.9", vlan=1), ask(B, "10.0.0.1", "10.0.0.9", vlan=2), ask(C, "10.0.0.1", "10.0.0.9"))),
        "bindings",
    )
    assert [picked(row, "mac", "vlan", "others") for row in found if row["mac"]] == [(A, 1, None), (B, 2, None), (C, None, None)]
    assert [picked(row, "asked", "vlan") for row in found if row["mac"] is None] == [(1, 1), (1, 2), (1, None)]


def test_use_counts_from_the_first_statement_on(save):
    from conftest import pcap

    name = save(
        pcap(
            ping("10.0.0.1", "10.0.0.2", A, B),
            ask(B, "10.0.0.2", "10.0.0.1"),
            ping("10.0.0.1", "10.0.0.2", A, B),
            ping("10.0.0.1", "8.8.8.8", A, B),
            ping("10.0.0.1", "10.0.0.2", A, C),
        )
    )
    assert picked(rows(name)["10.0.0.2", B], "datagrams", "forwarded", "last_used") == (1, 1, 3)


def test_a_filter_picks_rows_and_changes_none(save):
    """A row is shown if one of its frames is; its values count all frames."""
    found = same(recorded("arp"), "bindings", filter="arp.opcode == 2")
    assert [picked(row, "address", "answered", "asked", "datagrams") for row in found] == [
        ("192.168.1.108", 0, 0, 8),
        ("192.168.1.109", 1, 1, 12),
    ]
    assert same(recorded("arp"), "bindings", filter="tcp") == []


def test_beyond_the_limit_the_oldest_are_written_and_counted(save, monkeypatch):
    from conftest import pcap

    monkeypatch.setattr(bindings, "MOST", 20)
    frames = []
    for i in range(1, 60):
        frames += [
            ask(f"02:00:00:00:01:{i:02x}", f"10.0.1.{i}", f"10.0.2.{i}"),
            ping("9.9.9.9", f"10.0.1.{i}", A, f"02:00:00:00:01:{i:02x}"),
        ]
    name = save(pcap(*frames))
    found = same(name, "bindings")
    assert len(found) == 2 * 59
    assert {row["datagrams"] for row in found if row["mac"]} == {1}
    assert "the oldest, were written before the trace ended" in run("table", "bindings", name).err


@pytest.mark.parametrize("many", [False, True])
def test_a_flood_takes_no_quadratic_time(save, many):
    """5,000 messages about one address, or about as many."""
    import struct
    import time

    from conftest import pcap

    frames = []
    for i in range(5_000):
        mac = b"\x02\0" + struct.pack(">I", i)
        ip = struct.pack(">I", 0x0A000000 + (i if many else 0))
        frames.append(
            b"\xff" * 6 + mac + b"\x08\x06" + struct.pack(">HHBBH", 1, 0x800, 6, 4, 1 + i % 2) + mac + ip + bytes(6) + b"\x0a\1\0\2"
        )
    begin = time.process_time()
    assert len(Analysis(save(pcap(*frames))).table("bindings")) >= 5_000
    assert time.process_time() - begin < 6  # a second at the most; the square takes many times that


def test_damage_is_no_binding(save):
    """Every message cut at every byte: no row is made of what is not there."""
    from conftest import pcap

    whole = [*CRAFTED[:2], nd("NS", "fe80::2", "fe80::1", A), nd("NA", "fe80::1", "fe80::1", B, sender=B)]
    for frame in whole:
        name = save(pcap(*(frame[:n] for n in range(14, len(frame)))))
        assert {row["address"] for row in same(name, "bindings") if row["mac"] is not None} <= {"fe80::1"}
