"""DNS and its neighbours: messages byte by byte from the RFCs, recordings, tshark's answers, dpkt and scapy as second decoders."""

from __future__ import annotations

import base64
import io
import lzma
import os
import struct
import subprocess
import sys
import time
from pathlib import Path

import dpkt
import numpy as np
import pytest
from conftest import BATCHES, RECORDINGS, pcap, run
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.all import DNS, ICMP, IP, UDP, Ether, Raw

from analyzer import Analysis, compiled
from analyzer.protocols import protocols
from analyzer.protocols.common import _dns_messages

LABS = ("dns", "dns-iterative", "dns-retry")
TABLES = ("dns", "mdns", "llmnr", "nbns", "dns_transactions", "dns_servers", "dns_names", "expert")
CLIENT, SERVER = "10.0.0.2", "10.0.0.1"


def name(result: str) -> bytes:
    return labels(*result.encode().split(b".")) if result else b"\0"


def labels(*parts: bytes) -> bytes:
    return b"".join(bytes([len(part)]) + part for part in parts) + b"\0"


def question(owner: str | bytes, kind: int = 1, group: int = 1) -> bytes:
    return (owner if isinstance(owner, bytes) else name(owner)) + struct.pack(">HH", kind, group)


def record(owner: str | bytes, kind: int, data: bytes, group: int = 1, ttl: int = 300) -> bytes:
    return question(owner, kind, group) + struct.pack(">IH", ttl, len(data)) + data


def message(ident: int = 1, flags: int = 0x8180, *sections: list[bytes], behind: bytes = b"") -> bytes:
    """sections: questions, answers, authority, additional."""
    parts = [*sections, [], [], [], []][:4]
    return struct.pack(">6H", ident, flags, *map(len, parts)) + b"".join(b"".join(part) for part in parts) + behind


def frame(data: bytes, ports: tuple[int, int] = (53, 40000), source: str = SERVER, target: str = CLIENT) -> bytes:
    head = Ether(src="00:11:22:33:44:55", dst="00:16:d3:5c:b9:e3") / IP(src=source, dst=target) / UDP(sport=ports[0], dport=ports[1])
    return bytes(head / Raw(data))


def trace(*frames: tuple[float, bytes]) -> bytes:
    """A pcap file of frames with times in seconds."""
    file = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    for at, data in frames:
        ticks = round(at * 10**6)
        file += struct.pack("<IIII", 1_700_000_000 + ticks // 10**6, ticks % 10**6, len(data), len(data)) + data
    return file


def test_dns_on_a_port_that_is_nobodys(save):
    """Told by its bytes: one question of a known type and class, ended where a query without more ends."""
    ask, answer = (
        message(7, 0x0100, [question("a.example")]),
        message(7, 0x8180, [question("a.example")], [record("a.example", 1, b"abcd")]),
    )
    odd = [message(7, 0x0100, [question("a.example", 9999)]), ask + b"x", ask[:-1], bytes(len(ask)), ask[:4] + b"\0\2" + ask[6:]]
    name = save(pcap(frame(ask, (40000, 8053)), frame(answer, (8053, 40000)), *(frame(one, (40000, 8053)) for one in odd)))
    for size in BATCHES:
        result = run("packets", name, "--batch-frames", str(size), "-T", "fields", "-e", "dns.qry.name", "-e", "dns.a").out
        assert result.splitlines() == ["a.example\t", "a.example\t97.98.99.100", *["\t"] * 5]


@pytest.fixture
def cells(save):
    """Cells of a capture, the same in all batches: fields → a list for each frame."""

    def get(data: bytes, *wanted: str) -> list[list[str]]:
        path = save(data)
        words = [word for one in wanted for word in ("-e", one)]
        (result,) = {run("packets", path, "--batch-frames", str(size), "-T", "fields", *words).out for size in BATCHES}
        return [line.split("\t") for line in result.splitlines()]

    return get


@pytest.fixture
def table(save):
    """Rows of a table, the same in all batches."""

    def get(data: bytes | str, wanted: str, *columns: str, **where: object) -> list[tuple]:
        path = data if isinstance(data, str) else save(data)
        seen = [Analysis(path, batch_frames=size).table(wanted).filter(**where).select(columns).rows() for size in BATCHES]
        assert seen[0] == seen[1] == seen[2]
        return seen[0]

    return get


def faults(table, data: bytes) -> list[tuple[int, str, int]]:
    return table(data, "expert", "frame.number", "summary", "offset", finding="malformed")


def lab(one: str) -> str:
    return str(RECORDINGS / f"{one}.pcap.xz")


# ---------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("wire", "result"),
    [
        (labels(b"www", b"example", b"com"), "www.example.com"),
        (labels(b"a.b", b"com"), r"a\.b.com"),
        (labels(b"a\\b", b"c"), r"a\\b.c"),
        (labels(b"a b", b"\xc3\xa9"), r"a\032b.\195\169"),
        (labels(b"\x00\xffx"), r"\000\255x"),
        (labels(b'q"@$;()'), 'q"@$;()'),
        (labels(b"x" * 63, b"com"), "x" * 63 + ".com"),
        (b"\0", "<Root>"),
    ],
)
def test_names_are_written_as_rfc_4343_has_it(cells, wire, result):
    """A dot inside a label is none between labels, so a.b.com of two labels is another name than of three."""
    assert cells(pcap(frame(message(1, 0x100, [question(wire)]))), "dns.qry.name") == [[result]]


def test_three_labels_are_told_from_two_with_a_dot_inside(cells):
    two, three = labels(b"a.b", b"com"), labels(b"a", b"b", b"com")
    frames = [frame(message(1, 0x100, [question(one)])) for one in (two, three)]
    assert cells(pcap(*frames), "dns.qry.name", "dns.count.labels", "dns.qry.name.len") == [[r"a\.b.com", "2", "7"], ["a.b.com", "3", "7"]]


POINTER = b"\xc0\x0c"  # to the first name of a message
ADDRESS = record(POINTER, 1, bytes([192, 0, 2, 1]))


@pytest.mark.parametrize(
    ("wire", "says", "offset"),
    [
        (b"\xc0\x0c", "a name's pointer does not point back to a name before it", 54),  # to itself
        (b"\1a\xc0\x0c", "a name's pointer does not point back to a name before it", 56),  # a loop
        (b"\xc0\x20", "a name's pointer does not point back to a name before it", 54),  # forward
        (b"\xc0\x04", "a name's pointer does not point back to a name before it", 54),  # into the header
        (b"\x41a\0", "a name has a label of kind 0x41, which is reserved", 54),
        (b"\x80a\0", "a name has a label of kind 0x80, which is reserved", 54),
        (labels(*[b"x" * 60] * 5), "a name is longer than 255 bytes", 54),
        (b"\x3fab", "a name goes on beyond its end", 54),
    ],
)
def test_a_bad_name_is_told_with_its_byte(cells, table, wire, says, offset):
    """The header's fields stay, and what is behind a pointer, whose end is known; no exception, no name that is none."""
    data = pcap(frame(message(0x1234, 0x8180, [question(wire)])))
    assert faults(table, data) == [(1, f"DNS {says}", offset)]
    ((ident, code, asked, kind),) = cells(data, "dns.id", "dns.flags.rcode", "dns.qry.name", "dns.qry.type")
    assert (ident, code, asked, kind) == ("0x1234", "0", "", "1" if wire[-2:-1] == b"\xc0" else "")


def test_pointers_in_answers_only(cells, table):
    """A record without any question; its second record points to the first's name, in the middle of it."""
    data = message(1, 0x8580, [], [record("www.example.test", 1, b"\1\2\3\4"), record(b"\xc0\x10", 5, b"\xc0\x0c")])
    assert cells(pcap(frame(data)), "dns.resp.name", "dns.a", "dns.cname") == [
        ["www.example.test,example.test", "1.2.3.4", "www.example.test"]
    ]
    assert not faults(table, pcap(frame(data)))


def test_a_loop_in_the_data_of_a_record_leaves_the_others_alone(cells, table):
    data = pcap(frame(message(1, 0x8180, [question("a.test")], [record(POINTER, 5, b"\xc0\x24"), ADDRESS])))
    assert cells(data, "dns.qry.name", "dns.resp.type", "dns.cname", "dns.a") == [["a.test", "5,1", "", "192.0.2.1"]]
    assert faults(table, data) == [(1, "DNS a name's pointer does not point back to a name before it", 78)]


def test_ten_thousand_pointers_take_no_time(table):
    """Each points to the one before: followed to their ends they were fifty million steps."""
    chain = b"".join(struct.pack(">H", 0xC000 | max(12, 10 + 2 * i)) for i in range(8000))
    names = b"".join(struct.pack(">HHH", 0xC000 | 0x3FF0, 1, 1) for _ in range(5000))
    data = struct.pack(">6H", 1, 0x100, 6000, 0, 0, 0) + b"\0\0\1\0\1" + chain + names
    begun = time.process_time()
    table(pcap(frame(data[:60000])), "dns", "dns.id")
    assert time.process_time() - begun < 20


# ---------------------------------------------------------------- odd messages


def test_all_questions_of_a_message(cells):
    data = message(1, 0x100, [question("a.test"), question("b.test", 28), question("c.test", 65)])
    assert cells(pcap(frame(data)), "dns.qry.name", "dns.qry.type") == [["a.test,b.test,c.test", "1,28,65"]]


def test_the_reply_code_has_twelve_bits(cells, table):
    """OPT with an extended code of 1, the header with 0: BADVERS, 16."""
    option = record(b"\0", 41, b"", group=1232, ttl=0x01000000)
    data = pcap(frame(message(1, 0x8180, [question("a.test")], [], [], [option])))
    assert cells(data, "dns.flags.rcode", "dns.resp.ext_rcode", "dns.rcode") == [["0", "0x01", "16"]]
    assert table(data, "dns_transactions", "rcode") == [("BADVERS",)]


def test_lies_about_counts_and_lengths(table):
    """Five records said, one there; data longer than the message; an address of two bytes; a name that ends before its data."""
    asked = question("a.test")
    cases = [
        (message(1, 0x100, [asked])[:4] + b"\0\5" + message(1, 0x100, [asked])[6:], "says 5 questions and records, there are 1", 66),
        (
            message(1, 0x8180, [asked], [ADDRESS])[:-6] + b"\0\x64\1\2\3\4",
            "the data of a record is longer than what is there: 100 bytes, 4",
            76,
        ),
        (message(1, 0x8180, [asked], [record(POINTER, 1, b"\1\2")]), "the data of a record are not what its type says", 78),
        (message(1, 0x8180, [asked], [record(POINTER, 5, name("x") + b"!")]), "the data of a record are not what its type says", 81),
        (message(1, 0x8180, [asked], [record(POINTER, 16, b"\5ab")]), "the data of a record are not what its type says", 78),
        (message(1, 0x8180, [asked])[:7], "needs 12 bytes, has 7", 42),
    ]
    reported = faults(table, pcap(*(frame(data) for data, _, _ in cases)))
    assert reported == [(i, f"DNS {says}", offset) for i, (_, says, offset) in enumerate(cases, 1)]


def test_a_message_that_the_capture_cut_is_no_malformed_one(save):
    whole = frame(message(1, 0x8180, [question("a.test")], [ADDRESS, ADDRESS]))
    path = save(pcap(whole[:-10], lengths={0: len(whole)}))
    rows = Analysis(path).table("expert").filter(group="capture").select("finding", "offset").rows()
    assert rows == [("cut", 42)]
    assert "malformed" not in run("packets", path).out
    assert run("packets", path, "-T", "fields", "-e", "dns.a").out == "192.0.2.1\n"


def test_counts_of_an_update_have_other_names(cells):
    """RFC 2136: zone, prerequisites, updates; tshark names them so. A record without data is none of its type."""
    data = message(
        1, 0x2800, [question("zone.test", 6)], [record("x.zone.test", 1, b"", group=255, ttl=0)], [record("x.zone.test", 1, b"\1\2\3\4")]
    )
    wanted = ("dns.count.queries", "dns.count.zones", "dns.count.answers", "dns.count.prerequisites", "dns.count.updates", "dns.a")
    assert cells(pcap(frame(data)), *wanted) == [["", "1", "", "1", "1", "1.2.3.4"]]


# ---------------------------------------------------------------- types of records


def one(kind: int, data: bytes, **more: int) -> bytes:
    return pcap(frame(message(1, 0x8180, [question("example.test", 255)], [record(POINTER, kind, data, **more)])))


KEY = (
    "AQOeiiR0GOMYkDshWoSKz9XzfwJr1AYtsmx3TGkJaNXVbfi/2pHm822aJ5iI9BMzNXxeYCmZDRD99WYwYqUSdjMmmAphXdvxegXd/M5+X7OrzKBaMbCVdFLUUh6DhweJ"
    "BjEVv5f2wwjM9XzcnOf+EPbtG9DMBmADjFDc2w/rljwvFw=="
)


def test_dnskey_and_ds_of_rfc_4034(cells):
    """§5.4: the key has the tag 60485, as its digest says."""
    key = struct.pack(">HBB", 256, 3, 5) + base64.b64decode(KEY)
    digest = bytes.fromhex("2BB183AF5F22588179A53B0A98631FAD1A292118")
    wanted = (
        "dns.dnskey.flags",
        "dns.dnskey.flags.zone_key",
        "dns.dnskey.flags.secure_entry_point",
        "dns.dnskey.algorithm",
        "dns.dnskey.key_id",
    )
    assert cells(one(48, key), *wanted) == [["0x0100", "1", "0", "5", "60485"]]
    wanted = ("dns.ds.key_id", "dns.ds.algorithm", "dns.ds.digest_type", "dns.ds.digest")
    assert cells(one(43, struct.pack(">HBB", 60485, 5, 1) + digest), *wanted) == [["0xec45", "5", "1", digest.hex()]]


def test_nsec_of_rfc_4034(cells):
    """§4.3: host.example.com has A MX RRSIG NSEC TYPE1234, drawn byte by byte in the RFC."""
    drawn = bytes.fromhex("0006400100000003" + "041b" + "00" * 26 + "20")
    data = one(47, name("host.example.com") + drawn)
    assert cells(data, "dns.nsec.next_domain_name", "dns.nsec.type") == [["host.example.com", "1,15,46,47,1234"]]


def test_nsec3_of_rfc_5155(cells):
    """Appendix A: 0p9mhaveqvm6t7vbl5lop2u3t2rp3tom.example. NSEC3 1 1 12 aabbccdd 2t7b4g4vsa5smi47k61mv5bv1a22bojr MX DNSKEY NS SOA
    NSEC3PARAM RRSIG."""
    following = base64.b32hexdecode("2T7B4G4VSA5SMI47K61MV5BV1A22BOJR")
    bits = bytearray(7)
    for kind in (15, 48, 2, 6, 51, 46):
        bits[kind // 8] |= 128 >> kind % 8
    data = one(50, bytes([1, 1, 0, 12, 4]) + bytes.fromhex("aabbccdd") + bytes([20]) + following + bytes([0, 7]) + bytes(bits))
    wanted = ("dns.nsec3.flags.opt_out", "dns.nsec3.iterations", "dns.nsec3.salt_value", "dns.nsec3.hash_value", "dns.nsec.type")
    assert cells(data, *wanted) == [["1", "12", "aabbccdd", "2t7b4g4vsa5smi47k61mv5bv1a22bojr", "2,6,15,46,48,51"]]


SIGNATURE = struct.pack(">HBBIIIH", 1, 8, 2, 300, 1700000000, 1690000000, 12345) + name("example.test") + b"SIGNATURE"
SERVICE = (
    b"\0\1"
    + name("svc.example.test")
    + struct.pack(">HH", 1, 6)
    + b"\2h2\2h3"
    + struct.pack(">HHH", 3, 2, 8443)
    + struct.pack(">HH", 4, 8)
    + bytes([10, 0, 0, 1, 10, 0, 0, 2])
    + struct.pack(">HH", 6, 16)
    + bytes(15)
    + b"\1"
    + struct.pack(">HH", 7, 3)
    + b"/dq"
)
TSHARK = [  # type, data, and what tshark 4.0.17 prints of them
    (6, name("ns.test") + name("host.test") + struct.pack(">5I", 1, 2, 3, 4, 5),
     {"soa.mname": "ns.test", "soa.rname": "host.test", "soa.serial_number": "1", "soa.refresh_interval": "2", "soa.retry_interval": "3",
      "soa.expire_limit": "4", "soa.minimum_ttl": "5"}),
    (12, name("host.test"), {"ptr.domain_name": "host.test"}),
    (15, b"\0\x0a" + name("mail.test"), {"mx.preference": "10", "mx.mail_exchange": "mail.test"}),
    (16, b"\5hello\3a\"b\0", {"txt": 'hello,a"b,', "txt.length": "5,3,0"}),
    (28, bytes(15) + b"\1", {"aaaa": "::1"}),
    (33, struct.pack(">HHH", 1, 2, 80) + name("web.test"), {"srv.priority": "1", "srv.weight": "2", "srv.port": "80", "srv.target": "web.test"}),
    (35, struct.pack(">HH", 100, 50) + b"\1u\7E2U+sip\6!^.*$!" + name("rep.test"),
     {"naptr.order": "100", "naptr.preference": "50", "naptr.flags": "u", "naptr.service": "E2U+sip", "naptr.regex": "!^.*$!",
      "naptr.replacement": "rep.test"}),
    (39, name("other.test"), {"dname": "other.test"}),
    (46, SIGNATURE, {"rrsig.type_covered": "1", "rrsig.algorithm": "8", "rrsig.labels": "2", "rrsig.original_ttl": "300",
                     "rrsig.key_tag": "12345", "rrsig.signers_name": "example.test", "rrsig.signature": b"SIGNATURE".hex()}),
    (52, b"\3\1\1" + bytes(range(32)), {"tlsa.certificate_usage": "3", "tlsa.selector": "1", "tlsa.matching_type": "1",
                                        "tlsa.certificate_association_data": bytes(range(32)).hex()}),
    (64, SERVICE, {"svcb.svcpriority": "1", "svcb.targetname": "svc.example.test", "svcb.svcparam.key": "1,3,4,6,7",
                   "svcb.svcparam.alpn": "h2,h3", "svcb.svcparam.port": "8443", "svcb.svcparam.ipv4hint.ip": "10.0.0.1,10.0.0.2",
                   "svcb.svcparam.ipv6hint.ip": "::1", "svcb.svcparam.value": b"/dq".hex()}),
    (65, b"\0\0\0", {"svcb.svcpriority": "0", "svcb.targetname": "<Root>"}),
    (257, b"\x80\5issueletsencrypt.org", {"caa.flags": "0x80", "caa.flags.issuer_critical": "1", "caa.tag": "issue", "caa.tag_length": "5",
                                          "caa.value": "letsencrypt.org", "caa.issue": "letsencrypt.org"}),
    (13, b"\3PDP\2OS", {"hinfo.cpu": "PDP", "hinfo.os": "OS"}),
    (44, b"\1\2" + bytes(20), {"sshfp.algorithm": "1", "sshfp.fingerprint.type": "2", "sshfp.fingerprint": "00" * 20}),
    (65280, b"\1\2\3", {"data": "010203"}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "data", "result"), TSHARK, ids=[str(kind) for kind, _, _ in TSHARK])
def test_the_data_of_records_as_tshark_prints_them(cells, table, kind, data, result):
    capture = one(kind, data)
    assert cells(capture, *(f"dns.{field}" for field in result)) == [list(result.values())]
    assert not faults(table, capture)


@pytest.mark.parametrize(("kind", "data", "result"), TSHARK, ids=[str(kind) for kind, _, _ in TSHARK])
def test_data_cut_anywhere_give_no_wrong_value(save, kind, data, result):
    """The first values are the same, or there are none."""
    for size in range(len(data)):
        path = save(one(kind, data[:size]))
        line = run("packets", path, "-T", "fields", *(word for field in result for word in ("-e", f"dns.{field}"))).out.rstrip("\n")
        for got, want in zip(line.split("\t"), result.values(), strict=True):
            assert want.startswith(got) or kind in (16, 257, 65280, 13), (size, got, want)


def test_options_of_edns(cells):
    """Cookie, client's subnet, padding, extended error, keep-alive, NSID; tshark's values."""
    options = [
        (10, bytes(range(16))),
        (8, struct.pack(">HBB", 1, 24, 0) + b"\x0a\1\2"),
        (12, bytes(3)),
        (15, b"\0\x12denied"),
        (11, b"\0\x64"),
        (3, b"abc"),
    ]
    data = b"".join(struct.pack(">HH", code, len(value)) + value for code, value in options)
    opt = record(b"\0", 41, data, group=1232, ttl=0x00008000)
    result = {
        "dns.resp.name": "<Root>",
        "dns.resp.class": "",
        "dns.resp.ttl": "",
        "dns.rr.udp_payload_size": "0x04d0",
        "dns.resp.edns0_version": "0",
        "dns.resp.z.do": "1",
        "dns.opt.code": "10,8,12,15,11,3",
        "dns.opt.len": "16,7,3,8,2,3",
        "dns.opt.cookie.client": bytes(range(8)).hex(),
        "dns.opt.cookie.server": bytes(range(8, 16)).hex(),
        "dns.opt.client.family": "1",
        "dns.opt.client.netmask": "24",
        "dns.opt.client.addr4": "10.1.2.0",
        "dns.opt.padding": "000000",
        "dns.opt.ext_error.info_code": "18",
        "dns.opt.ext_error.extra_text": "denied",
        "dns.opt.edns_tcp_keepalive.timeout": "100",
    }
    assert cells(pcap(frame(message(1, 0x100, [question("a.test")], [], [], [opt]))), *result) == [list(result.values())]


# ---------------------------------------------------------------- neighbours


def test_multicast_dns(cells):
    """The class has 15 bits; the first of the 16 asks for a unicast answer, or flushes caches. tshark's answers."""
    group = ((5353, 5353), CLIENT, "224.0.0.251")
    asked = message(0, 0, [question("_ipp._tcp.local", 12, 0x8001), question("x.local", 255)])
    owner = labels(b"My Printer", b"_ipp", b"_tcp", b"local")
    reported = message(
        0, 0x8400, [], [record("_ipp._tcp.local", 12, owner), record(owner, 33, struct.pack(">HHH", 0, 0, 631) + name("pr.local"), 0x8001)]
    )
    data = pcap(frame(asked, *group), frame(reported, *group))
    assert cells(data, "frame.protocols", "dns.qry.class", "dns.qry.qu", "dns.resp.class", "dns.resp.cache_flush") == [
        ["eth:ethertype:ip:udp:mdns", "0x0001,0x0001", "1,0", "", ""],
        ["eth:ethertype:ip:udp:mdns", "", "", "0x0001,0x0001", "0,1"],
    ]
    assert cells(data, "dns.ptr.domain_name", "dns.resp.name", "dns.srv.service", "dns.srv.proto", "dns.srv.name")[1] == [
        r"My\032Printer._ipp._tcp.local",
        "_ipp._tcp.local",
        r"My\032Printer",
        "_ipp",
        "_tcp.local",
    ]


def test_llmnr_is_answered_by_whoever_has_the_name(cells, table):
    """The question goes to a group, so the server is who answers; its flags have names of their own."""
    asked = frame(message(7, 0, [question("host1")]), (51000, 5355), CLIENT, "224.0.0.252")
    reported = frame(message(7, 0x8500, [question("host1")], [record("host1", 1, bytes([10, 0, 0, 9]))]), (5355, 51000), "10.0.0.9", CLIENT)
    data = trace((0, asked), (0.25, reported))
    wanted = ("dns.flags.conflict", "dns.flags.tentative", "dns.response_to", "dns.time", "dns.unsolicited")
    assert cells(data, *wanted) == [["0", "0", "", "", ""], ["1", "1", "1", "0.250000000", ""]]
    assert table(data, "dns_transactions", "protocol", "client", "server", "name", "outcome", "addresses") == [
        ("llmnr", CLIENT, "10.0.0.9", "host1", "answered", ["10.0.0.9"])
    ]


def netbios(result: str, service: int, fill: bytes = b" ") -> bytes:
    plain = result.encode().ljust(15, fill) + bytes([service])
    return labels(b"".join(bytes([65 + (byte >> 4), 65 + (byte & 15)]) for byte in plain))


def test_netbios_names(cells):
    """A question, a registration, a list of the names that a host has; tshark's answers, without the words that it adds at times."""
    group = ((137, 137), CLIENT, "10.0.0.255")
    asked = message(0x1234, 0x110, [question(netbios("WPAD", 0), 32)])
    registered = message(
        1, 0x2910, [question(netbios("HOST-A", 32), 32)], [], [], [record(POINTER, 32, b"\x60\0" + bytes([10, 0, 0, 2]), ttl=300000)]
    )
    listed = b"\2HOST-A         \0\x04\0GROUP          \x1e\x84\0" + bytes(range(6)) + bytes(40)
    status = message(2, 0x8400, [], [record(netbios("*", 0, b"\0"), 33, listed, ttl=0)])
    wanted = ("nbns.name", "nbns.type", "nbns.flags.broadcast", "nbns.addr", "nbns.nb_flags.ont", "nbns.netbios_name", "nbns.name_flags.group",
              "nbns.unit_id", "nbns.flags.rcode")  # fmt: skip
    assert cells(pcap(*(frame(data, *group) for data in (asked, registered, status))), *wanted) == [
        ["WPAD<00>", "32", "1", "", "", "", "", "", ""],
        ["HOST-A<20>,HOST-A<20>", "32,32", "1", "10.0.0.2", "3", "", "", "", ""],
        ["*" + "<00>" * 15, "33", "0", "", "", "HOST-A,GROUP", "0,1", "00:01:02:03:04:05", "0"],
    ]


# ---------------------------------------------------------------- questions and answers


def talk() -> bytes:
    """What tshark was asked about: retransmissions within and beyond five seconds, answers twice, a number used again, ICMP errors."""

    def ask(ident: int, owner: str = "a.test") -> bytes:
        return frame(message(ident, 0x100, [question(owner)]), (1000, 53), CLIENT, SERVER)

    def tell(ident: int, owner: str = "a.test") -> bytes:
        return frame(message(ident, 0x8180, [question(owner)], [ADDRESS]), (53, 1000))

    def refuse(what: bytes) -> bytes:
        return bytes(
            Ether(src="00:11:22:33:44:55", dst="00:16:d3:5c:b9:e3") / IP(src=SERVER, dst=CLIENT) / ICMP(type=3, code=3) / Raw(what[14:])
        )

    return trace(
        (0, ask(1)), (1, ask(1)), (2, ask(1)), (3, tell(1)), (3.5, tell(1)), (4, ask(1)), (4.2, tell(1)), (5, tell(9)),
        (6, ask(2)), (12, ask(2)), (13, tell(2)), (14, ask(3, "x.test")), (15, ask(3, "y.test")), (16, tell(3, "y.test")),
        (17, ask(4)), (21.999, ask(4)), (22, ask(4)), (22.0005, ask(4)), (23, tell(4)),
        (30, ask(5)), (35, ask(5)), (36, tell(5)), (37, tell(5)), (38, tell(5)), (39, refuse(ask(1))),
        (40, ask(6)), (40.1, refuse(ask(6))), (41, ask(6)), (42, tell(6)),
    )  # fmt: skip


def test_answers_find_their_questions_as_tshark_finds_them(cells):
    """Only dns.response_in of a quoted question (frame 25) is ours alone."""
    wanted = (
        "dns.response_to",
        "dns.time",
        "dns.retransmit_request_in",
        "dns.retransmit_response_in",
        "dns.unsolicited",
        "dns.response_in",
    )
    result = {i: tuple(row) for i, row in enumerate(cells(talk(), *wanted), 1) if any(row)}
    assert result == {
        2: ("", "", "1", "", "", ""),
        3: ("", "", "1", "", "", ""),
        4: ("1", "3.000000000", "", "", "", ""),
        5: ("", "", "", "4", "", ""),
        7: ("6", "0.200000000", "", "", "", ""),
        8: ("", "", "", "", "1", ""),
        11: ("10", "1.000000000", "", "", "", ""),
        13: ("", "", "12", "", "", ""),
        14: ("12", "2.000000000", "", "", "", ""),
        16: ("", "", "15", "", "", ""),
        18: ("", "", "17", "", "", ""),
        19: ("17", "1.000000000", "", "", "", ""),
        22: ("21", "1.000000000", "", "", "", ""),
        23: ("", "", "", "22", "", ""),
        24: ("", "", "", "22", "", ""),
        25: ("", "", "", "", "", "7"),
        28: ("", "", "26", "", "", ""),
        29: ("26", "2.000000000", "", "", "", ""),
    }
    marks = cells(talk(), "dns.retransmission", "dns.retransmit_request", "dns.retransmit_response")
    assert [i for i, row in enumerate(marks, 1) if row == ["1", "1", ""]] == [2, 3, 13, 16, 18, 28]
    assert [i for i, row in enumerate(marks, 1) if row == ["1", "", "1"]] == [5, 23, 24]


def test_the_table_judges_by_names_and_ports(table):
    """Counted by hand. A question is the same if number, ports, name and type are; five seconds play no part."""
    columns = ("question_frame", "answer_frame", "name", "outcome", "sent", "answers", "retry_of", "refused_in")
    assert table(talk(), "dns_transactions", *columns) == [
        (1, 4, "a.test", "answered", 3, 2, None, None),
        (6, 7, "a.test", "answered", 1, 1, None, 25),
        (None, 8, "a.test", "unsolicited", 0, 1, None, None),
        (9, 11, "a.test", "answered", 2, 1, None, None),
        (12, None, "x.test", "unanswered", 1, 0, None, None),
        (13, 14, "y.test", "answered", 1, 1, None, None),
        (15, 19, "a.test", "answered", 4, 1, None, None),
        (20, 22, "a.test", "answered", 2, 3, None, None),
        (26, None, "a.test", "refused", 1, 0, None, 27),
        (28, 29, "a.test", "answered", 1, 1, 26, None),
    ]


def test_an_answer_to_another_question_is_unsolicited(table):
    """The number fits, the name does not: forged, or a stray one. The true answer still counts."""
    ask = frame(message(5, 0x100, [question("bank.test")]), (1000, 53), CLIENT, SERVER)
    forged = frame(message(5, 0x8180, [question("evil.test")], [ADDRESS]), (53, 1000))
    true = frame(message(5, 0x8180, [question("BANK.test")], [ADDRESS]), (53, 1000))
    data = trace((0, ask), (0.1, forged), (0.2, true))
    columns = ("question_frame", "answer_frame", "name", "outcome")
    assert table(data, "dns_transactions", *columns) == [(1, 3, "bank.test", "answered"), (None, 2, "evil.test", "unsolicited")]


def test_the_recording_of_a_lost_question_and_a_dead_server(table):
    """facts.json of the lab: a query and its retransmission, one answer, three unanswered queries from three ports."""
    columns = ("question_frame", "answer_frame", "outcome", "sent", "retry_of", "retry_why")
    assert table(lab("dns-retry"), "dns_transactions", *columns) == [
        (1, 3, "answered", 2, None, None),
        (4, None, "unanswered", 1, None, None),
        (5, None, "unanswered", 1, 4, "no answer"),
        (6, None, "open", 1, 5, "no answer"),
    ]


def test_the_recording_of_a_resolver_that_walks_the_tree(table):
    """Recursion for the client, iteration to root, test and example.test: two referrals, then the answer with two aliases."""
    columns = ("question_frame", "answer_frame", "recursion", "result", "authoritative", "cnames")
    rows = table(lab("dns-iterative"), "dns_transactions", *columns, name="www.example.test")
    chain = ["www.a.example.test", "web.example.test"]
    assert rows == [
        (3, 22, "recursive", "answer", False, chain),
        (6, 8, "iterative", "referral", False, []),
        (12, 13, "iterative", "referral", False, []),
        (16, 17, "iterative", "answer", True, chain),
        (27, 28, "recursive", "answer", False, chain),
    ]


FACTS = [  # filters of the labs' facts, and the frames that fit; of UDP alone
    ("dns", "dns.flags.response == 1 && dns.cname && dns.a == 119.75.218.77", [4, 6]),
    ("dns", "dns.qry.type == 28 && dns.aaaa", [8]),
    ("dns", "dns.mx.mail_exchange", [10]),
    ("dns", "dns.txt", [12]),
    ("dns", "dns.srv.port == 80", [14]),
    ("dns", "dns.ptr.domain_name", [16]),
    ("dns", "dns.flags.rcode == 3 && dns.soa.mname", [18]),
    ("dns", "dns.flags.rcode == 0 && dns.flags.response == 1 && dns.count.answers == 0 && dns.qry.type == 28", [20]),
    ("dns", "dns.flags.truncated == 1", [24]),
    ("dns", "udp && dns.count.answers == 60", [36]),
    ("dns", "dns.flags.rcode == 2", [52]),
    ("dns-iterative", "dns.flags.recdesired == 1 && ip.src == 192.168.1.108", [3, 23, 27]),
    ("dns-iterative", "ip.src == 192.168.1.201 && dns.flags.response == 1 && dns.count.auth_rr > 0 && dns.count.answers == 0", [8]),
    ("dns-iterative", "ip.src == 192.168.1.203 && dns.flags.authoritative == 1", [17, 19, 21, 25]),
    ("dns-iterative", "ip.dst == 192.168.1.108 && dns.flags.recavail == 1 && dns.count.answers > 0", [22, 26, 28]),
    ("dns-retry", "dns.flags.response == 0 && dns.qry.name == www.example.test", [1, 2]),
    ("dns-retry", "dns.flags.response == 0 && dns.qry.name == lost.example.test", [4, 5, 6]),
]


@pytest.mark.slow
@pytest.mark.parametrize(("which", "result", "frames"), FACTS)
def test_facts_of_the_labs(which, result, frames):
    out = run("packets", lab(which), "-Y", result + " && udp", "-T", "fields", "-e", "frame.number").out
    assert [int(line) for line in out.split()] == frames


def test_time_outs_do_not_skew_the_times(table):
    """Ten questions answered after 10, 20 … 100 ms, three never: the median knows nothing of the three."""
    frames: list[tuple[float, bytes]] = []
    for i in range(13):
        frames.append((i, frame(message(i, 0x100, [question(f"n{i}.test")]), (2000 + i, 53), CLIENT, SERVER)))
        if i < 10:
            frames.append((i + (i + 1) / 100, frame(message(i, 0x8180, [question(f"n{i}.test")], [ADDRESS]), (53, 2000 + i))))
    frames.append((60, frame(b"", (7, 7), CLIENT, SERVER)))
    columns = ("questions", "answered", "unanswered", "least", "median", "p90", "most")
    ((*counts, least, median, ninety, most),) = table(trace(*frames), "dns_servers", *columns)
    assert counts == [13, 10, 3]
    assert [round(took.total_seconds(), 3) for took in (least, ninety, most)] == [0.01, 0.09, 0.1]
    assert median.total_seconds() in (0.05, 0.06)


def test_truncated_then_asked_over_tcp_is_one_story():
    """What links them, on rows as both transports give them."""
    from analyzer.tables.dns_transactions import _retries, _transactions

    rows = []
    for i, (transport, role, flags, port, at) in enumerate(
        (("udp", 0, 0x100, 1000, 0), ("udp", 1, 0x8380, 1000, 1), ("tcp", 0, 0x100, 1001, 2)), 1
    ):
        one = {"frame": i, "ns": at * 1000, "kept": True, "role": role, "protocol": "dns", "transport": transport, "client": CLIENT}
        one |= {"client_port": port, "server": SERVER, "server_port": 53, "asked": SERVER, "asked_port": 53, "id": port, "flags": flags}
        one |= {"rcode": 0, "bytes": 30, "name": "a.test", "key": "a.test", "type": 1, "class": 1, "questions": 1, "records": 0}
        rows.append(one | {"data_records": 0, "soa": 0, "ns_records": 0, "cnames": [], "addresses": []})
    import polars as pl

    found = _retries(_transactions(pl.DataFrame(rows).with_row_index("row", 1)))
    assert found.select("question_frame", "retry_of", "retry_why").rows() == [(1, None, None), (3, 1, "truncated")]


# ---------------------------------------------------------------- findings


def named(table, data: bytes) -> list[tuple[int, str]]:
    rows = table(data, "expert", "frame.number", "finding", protocol="dns")
    return [(number, one.removeprefix("dns.")) for number, one in rows]


def test_failures_are_told_once_and_bursts_at_ten(table):
    frames = [frame(message(i, 0x8183, [question(f"x{i}.test")]), (53, 2000 + i)) for i in range(25)]
    reported = named(table, trace(*((i / 10, one) for i, one in enumerate(frames))))
    assert [at for at, one in reported if one == "burst_of_failures"] == [10, 20]
    assert [at for at, one in reported if one == "no_such_name"] == list(range(1, 26))
    slowly = named(table, trace(*((i * 2, one) for i, one in enumerate(frames))))
    assert not [at for at, one in slowly if one == "burst_of_failures"]


def test_a_silent_server_is_told_at_three_questions_then_at_twice_as_many(table):
    asked = [(i * 1.5, frame(message(i, 0x100, [question("a.test")]), (2000 + i, 53), CLIENT, SERVER)) for i in range(14)]
    assert [at for at, one in named(table, trace(*asked)) if one == "silent_server"] == [4, 7, 13]
    answered = [*asked[:3], (4, frame(message(0, 0x8180, [question("a.test")]), (53, 2000))), *asked[3:5]]
    assert "silent_server" not in [one for _, one in named(table, trace(*answered))]


def test_odd_messages_and_answers(table):
    late = [
        (0, frame(message(1, 0x100, [question("a.test")]), (1000, 53), CLIENT, SERVER)),
        (2, frame(message(1, 0x8180, [question("a.test")], [ADDRESS]), (53, 1000))),
    ]
    badvers = record(b"\0", 41, b"", group=1232, ttl=0x01000000)
    frames = [
        *late,
        (3, frame(message(2, 0x100, [question("a.test"), question("b.test")]), (1001, 53), CLIENT, SERVER)),
        (4, frame(message(3, 0x140, [question("a.test")]), (1002, 53), CLIENT, SERVER)),
        (5, frame(message(4, 0x100, [question("a.test")], behind=b"more"), (1003, 53), CLIENT, SERVER)),
        (6, frame(message(9, 0x8380, [question("a.test")]), (53, 1009))),
        (7, frame(message(10, 0x8180, [question("a.test")], [record(POINTER, 1, b"\1\2\3\4", ttl=1 << 31)]), (53, 1010))),
        (8, frame(message(11, 0x8182, [question("a.test")]), (53, 1011))),
        (9, frame(message(12, 0x8185, [question("a.test")]), (53, 1012))),
        (10, frame(message(13, 0x8180, [question("a.test")], [], [], [badvers]), (53, 1013))),
    ]
    reported = [pair for pair in named(table, trace(*frames)) if pair[1] != "unsolicited"]
    assert reported == [
        (2, "slow_answer"),
        (3, "several_questions"),
        (4, "reserved_bit"),
        (5, "bytes_behind"),
        (6, "truncated"),
        (7, "negative_ttl"),
        (8, "server_failure"),
        (9, "refused"),
        (10, "extended_failure"),
    ]


# ---------------------------------------------------------------- second decoders, all batches, any bytes


def payloads(path: str) -> list[bytes]:
    found = []
    for _, data in dpkt.pcap.Reader(io.BytesIO(lzma.decompress(Path(path).read_bytes()))):
        packet = Ether(data)
        if UDP in packet and ICMP not in packet and 53 in (packet[UDP].sport, packet[UDP].dport):
            found.append(bytes(packet[UDP].payload))
    return found


@pytest.mark.parametrize("which", LABS)
def test_names_and_records_as_dpkt_and_scapy_have_them(which):
    fields = ("dns.id", "dns.qry.name", "dns.count.answers", "dns.resp.type", "dns.resp.ttl", "dns.cname")
    out = run("packets", lab(which), "-Y", "dns && !icmp && udp", "-T", "fields", *(word for one in fields for word in ("-e", one))).out
    lines = [line.split("\t") for line in out.splitlines()]
    messages = payloads(lab(which))
    assert len(lines) == len(messages) >= 6
    for (ident, asked, answers, kinds, ttls, aliases), data in zip(lines, messages, strict=True):
        second, third = dpkt.dns.DNS(data), DNS(data)
        records = [*second.an, *second.ns, *second.ar]
        assert int(ident, 16) == second.id == third.id
        assert (
            asked.replace("<Root>", "")
            == ",".join(one.name for one in second.qd)
            == ",".join(one.qname.decode().rstrip(".") for one in third.qd)
        )
        assert int(answers) == len(second.an) == len(third.an or [])
        assert kinds == ",".join(str(one.type) for one in records)
        assert ttls == ",".join(str(one.ttl) for one in records if one.type != 41)
        assert aliases == ",".join(one.cname for one in records if one.type == 5)


@pytest.mark.parametrize("which", LABS)
def test_the_same_in_all_batches(which):
    seen = [{one: Analysis(lab(which), batch_frames=size).table(one).write_json() for one in TABLES} for size in BATCHES]
    assert seen[0] == seen[1] == seen[2]


@pytest.mark.skipif(not compiled(), reason="runs interpreted already")
def test_the_walk_says_the_same_interpreted():
    look = f"import sys\nfrom analyzer import Analysis\nfor one in {TABLES}: print(Analysis(sys.argv[1]).table(one).write_json())"
    for which in LABS:
        done = subprocess.run(
            [sys.executable, "-c", look, lab(which)], env={**os.environ, "ANALYZE_PURE": "1"}, capture_output=True, text=True
        )
        assert done.stdout.splitlines() == [Analysis(lab(which)).table(one).write_json() for one in TABLES], done.stderr


LABEL = st.binary(min_size=1, max_size=20)
NAME = st.lists(LABEL, max_size=6)


def written(parts: list[bytes]) -> str:
    """A name as RFC 4343 §2.1 writes it, byte by byte."""

    def character(byte: int) -> str:
        if byte in b".\\":
            return "\\" + chr(byte)
        return chr(byte) if 0x21 <= byte <= 0x7E else f"\\{byte:03d}"

    return ".".join("".join(map(character, part)) for part in parts) or "<Root>"


def parsed(*messages: bytes) -> tuple[np.ndarray, np.ndarray, list[str], np.ndarray]:
    """(records, names in RDATA, texts, results) of messages, one after another."""
    data = np.frombuffer(b"".join(messages) + bytes(64), np.uint8)
    end = np.cumsum([len(one) for one in messages])
    start = end - [len(one) for one in messages]
    room = sum(len(one) for one in messages)
    records, inner, results = (
        np.empty((len(_dns_messages.RECORD), room), np.int64),
        np.empty((len(_dns_messages.RDATA_NAME), 2 * room), np.int64),
        np.zeros((len(_dns_messages.RESULT), len(messages)), np.int64),
    )
    table = _dns_messages.NameTable(memoryview(data.data))
    n, m = _dns_messages.parse_messages(table, data.data, start.data, end.data, room, True, records.data, inner.data, results.data)
    return records[:, :n], inner[:, :m], table.names(), results


@given(st.lists(NAME, min_size=1, max_size=12), st.data())
@settings(max_examples=60, deadline=None)
def test_any_names_with_any_compression_come_out_as_they_went_in(names, data):
    """A second writer: each name may end with a pointer to a suffix that was written before."""
    body, places, firsts = b"", {}, []
    for parts in names:
        owner, rest = b"", tuple(parts)
        while rest:
            known = places.get(rest)
            if known is not None and data.draw(st.booleans()):
                owner += struct.pack(">H", 0xC000 | known)
                break
            places.setdefault(rest, 12 + len(body) + len(owner))
            owner += bytes([len(rest[0])]) + rest[0]
            rest = rest[1:]
        else:
            owner += b"\0"
        firsts.append(written(parts))
        body += owner + struct.pack(">HH", 1, 1)
    made = struct.pack(">6H", 1, 0x100, len(names), 0, 0, 0) + body
    records, _, texts, results = parsed(made, made)
    assert results[0].tolist() == [0, 0]
    assert [texts[i] for i in records[_dns_messages.RECORD.index("name")]] == 2 * firsts
    assert len(set(texts)) == len(texts)


@given(st.lists(st.binary(min_size=12, max_size=80), min_size=1, max_size=6))
@settings(max_examples=150, deadline=None)
def test_any_bytes_at_all_stay_inside_their_message(messages):
    records, inner, texts, results = parsed(*messages)
    end = np.cumsum([len(one) for one in messages])
    owner = records[0]
    assert (np.diff(owner) >= 0).all()
    for row in ("at", "data", "end", "rest"):
        assert (records[_dns_messages.RECORD.index(row)] <= end[owner]).all()
    assert (records[_dns_messages.RECORD.index("rest")] <= records[_dns_messages.RECORD.index("end")]).all()
    assert (results[0] < len(_dns_messages.FAULTS)).all() and (results[1][results[0] > 0] <= end[results[0] > 0]).all()
    assert (inner[3] < len(texts)).all() and all(one.isascii() and one.isprintable() for one in texts)


@given(st.lists(st.tuples(st.sampled_from([53, 5353, 5355, 137]), st.integers(0, 3), st.binary(max_size=60)), min_size=1, max_size=5))
@settings(max_examples=25, deadline=None)
def test_any_payload_gives_tables(tmp_path_factory, payload):
    """Headers that look right before any bytes; every field is asked for."""
    frames = [
        frame(struct.pack(">6H", 7, 0x8180 * (counts % 2), 1, counts, counts, 1) + data, (port, 40000)) for port, counts, data in payload
    ]
    path = tmp_path_factory.mktemp("any") / "trace.pcap"
    path.write_bytes(pcap(*frames))
    for one in TABLES:
        Analysis(str(path)).table(one)


def test_every_field_is_declared_once_and_computed():
    for protocol in ("dns", "mdns", "llmnr", "nbns"):
        declared = [f.name for f in protocols()[protocol].fields()]
        assert len(declared) == len(set(declared))
