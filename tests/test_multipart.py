"""Extensions of ICMP errors and extended echoes, put together from RFC 4884, 4950, 5837 and 8335; the sums are scapy's."""

from __future__ import annotations

import struct

import pytest
from conftest import SHARED, pcap, run
from scapy.all import ICMP, IP, UDP, Ether, IPv6, Raw
from scapy.utils import checksum

from analyzer import Analysis

ETH = Ether(dst="00:11:22:33:44:55", src="00:16:d3:5c:b9:e3")
STACK = struct.pack(">HBB", 12, 1, 1) + struct.pack(">II", 16010 << 12 | 5 << 9 | 1, 16020 << 12 | 1 << 8 | 2)
CAME_IN_BY = struct.pack(">HBBIHH4s", 28, 2, 0x0F, 7, 1, 0, bytes([10, 0, 0, 1])) + b"\x08eth0\0\0\0" + struct.pack(">I", 1500)
UNKNOWN = struct.pack(">HBB", 8, 99, 4) + b"what"
SAME = ("version", "checksum.status", "length", "class", "ctype")


def extensions(*objects: bytes) -> bytes:
    body = b"\x20\0\0\0" + b"".join(objects)
    return body[:2] + struct.pack(">H", checksum(body)) + body[4:]


def datagram(size: int, total: int) -> bytes:
    """The first bytes of a UDP datagram of `total` bytes, filled up with zeros to `size`."""
    whole = bytes(IP(src="1.2.3.4", dst="4.3.2.1", len=total) / UDP(sport=7000, dport=7001, len=total - 20) / Raw(b"Z" * (total - 28)))
    return whole[:size] + bytes(max(size - len(whole), 0))


def exceeded(length: int, quoted: bytes, behind: bytes = b"") -> bytes:
    return bytes(ETH / IP(src="9.9.9.9", dst="1.2.3.4") / ICMP(type=11, code=0, reserved=0, length=length) / Raw(quoted + behind))


def fields(name: str, *wanted: str) -> list[list[str]]:
    """The same in batches of 1, 7 and all frames."""
    words = [word for one in wanted for word in ("-e", one)]
    seen = {run("packets", name, "--batch-frames", size, "-T", "fields", *words).out for size in ("1", "7", "1000000")}
    (result,) = seen
    return [line.split("\t") for line in result.splitlines()]


def test_a_router_tells_labels_and_the_interface(save):
    """The quoted datagram ends where the length says, what follows is no data of it (RFC 4884 §4)."""
    frame = exceeded(32, datagram(128, 1400), extensions(STACK, CAME_IN_BY, UNKNOWN))
    (row,) = fields(save(pcap(frame)), "icmp.length", "icmp.length.original_datagram", "udp.payload", *(f"icmp.ext.{n}" for n in SAME))
    assert row == ["32", "128", "5a" * 100, "2", "1", "12,28,8", "1,2,99", "1,15,4"]
    names = ("label", "exp", "s", "ttl")
    assert fields(save(pcap(frame)), *(f"icmp.mpls.{n}" for n in names)) == [["16010,16020", "5,0", "0,1", "1,2"]]
    names = ("role", "index", "afi", "ipv4", "name_length", "name", "mtu")
    assert fields(save(pcap(frame)), *(f"icmp.int_info.{n}" for n in names)) == [["0", "7", "1", "10.0.0.1", "8", "eth0", "1500"]]
    assert fields(save(pcap(frame)), "icmp.ext.data") == [[b"what".hex()]]
    assert fields(save(pcap(frame, exceeded(0, datagram(128, 1400)))), "icmp.ext") == [["1"], [""]]


def test_senders_older_than_the_length_quote_128_bytes(save):
    """RFC 4884 §5.5. Of a datagram that is longer than what is quoted, what follows counts if its sum is right."""
    good, bad = extensions(STACK), extensions(STACK)[:-1] + b"\7"
    frames = [exceeded(0, datagram(128, total), behind) for total in (100, 1400) for behind in (good, bad)]
    assert fields(save(pcap(*frames)), "icmp.ext.checksum.status", "icmp.mpls.label", "udp.payload") == [
        ["1", "16010,16020", "5a" * 72],
        ["0", "16010,16020", "5a" * 72],
        ["1", "16010,16020", "5a" * 100],
        ["", "", "5a" * 100 + bad.hex()],
    ]


def test_icmpv6_counts_in_eights(save):
    quoted = bytes(IPv6(src="fe80::3", dst="fe80::4", plen=1000) / UDP(sport=7000, dport=7001, len=1000) / Raw(b"Z" * 40))
    message = struct.pack(">BBHBBH", 3, 0, 0, len(quoted) // 8, 0, 0) + quoted + extensions(STACK)
    name = save(pcap(bytes(ETH / IPv6(src="fe80::1", dst="fe80::2", nh=58) / Raw(message))))
    assert fields(name, "icmpv6.length", "icmp.mpls.label", "udp.payload") == [["11", "16010,16020", "5a" * 40]]


@pytest.mark.parametrize("six", [False, True])
def test_an_extended_echo_asks_for_an_interface(save, six):
    """RFC 8335: by name, by index, by address; the answer says in what state it is."""
    asked = {1: b"eth0", 2: struct.pack(">I", 3), 3: struct.pack(">HBB4s", 1, 4, 0, bytes([10, 0, 0, 2]))}
    objects = [struct.pack(">HBB", 4 + len(result), 3, kind) + result for kind, result in asked.items()]
    head = "icmpv6" if six else "icmp"
    below = ETH / (IPv6(nh=58) if six else IP(proto=1))
    messages = [struct.pack(">BBHHBB", 160 if six else 42, 0, 0, 5, 6, 1) + extensions(one) for one in objects]
    messages.append(struct.pack(">BBHHBB", 161 if six else 43, 0, 0, 5, 6, 0x46))
    name = save(pcap(*[bytes(below / Raw(one)) for one in messages]))
    own = ("echo.seq", "echo.req.local", "echo.rsp.state", "echo.rsp.active", "echo.rsp.ipv4", "echo.rsp.ipv6")
    wanted = [f"{head}.ext.{n}" for n in own] + [f"icmp.int_ident.{n}" for n in ("name", "index", "ipv4")]
    assert fields(name, *wanted) == [
        ["6", "1", "", "", "", "", "eth0", "", ""],
        ["6", "1", "", "", "", "", "", "3", ""],
        ["6", "1", "", "", "", "", "", "", "10.0.0.2"],
        ["6", "", "2", "1", "1", "0", "", "", ""],
    ]


@pytest.mark.parametrize(
    ("length", "behind", "offset", "says"),
    [
        (60, b"", 39, "length of the quoted datagram says 240 bytes, there are 128"),
        (32, extensions(STACK)[:-3], 34 + 8 + 128 + 4, "does not fit"),
        (32, extensions(struct.pack(">HBB", 2, 1, 1)), 34 + 8 + 128 + 4, "does not fit"),
        (32, extensions(STACK, b"\0"), 34 + 8 + 128 + 4 + 12, "does not fit"),
    ],
)
def test_lengths_that_lie_are_said(save, length, behind, offset, says):
    for size in (1, 7, None):
        table = Analysis(save(pcap(exceeded(length, datagram(128, 1400), behind))), batch_frames=size).table("expert")
        (found,) = table.filter(table["finding"] == "malformed").to_dicts()
        assert (found["frame.number"], found["offset"]) == (1, offset)
        assert says in found["summary"]


@pytest.mark.slow
def test_cut_anywhere_and_any_byte_wrong(save):
    """Whatever is cut or wrong, nothing is read from behind the message."""
    frame = exceeded(32, datagram(128, 1400), extensions(STACK, CAME_IN_BY))
    for at in range(38, len(frame)):
        hurt = bytearray(frame)
        hurt[at] ^= 0xFF
        name = save(pcap(frame[:at], bytes(hurt), lengths={0: len(frame)}))
        labels = fields(name, "icmp.mpls.label", "icmp.int_info.mtu", "icmp.ext.checksum.status")
        assert labels[0][1] == ""
        assert labels[0][2] in ("", "2")


@pytest.mark.slow
@pytest.mark.skipif(not (SHARED / "corpus").exists(), reason="../shared is not there")
@pytest.mark.parametrize(
    ("capture", "field", "value"),  # what tshark 4.0.17 prints
    [
        ("mpls-traceroute.pcap", "icmp.mpls.label", ["100704", "100704"]),
        ("icmp-rfc5837.pcap", "icmp.int_info.ipv4", ["10.10.10.10"]),
        ("icmp6-rfc8335.pcap", "icmp.int_ident.name", ["enp2s0f0", "george"]),
    ],
)
def test_captures_of_others(capture, field, value):
    found = fields(str(SHARED / "corpus" / "tcpdump" / capture), field)
    assert [one for (one,) in found if one][: len(value)] == value
