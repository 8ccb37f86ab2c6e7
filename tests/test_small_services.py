"""NTP, TFTP, syslog, SNMP, daytime, echo and discard over UDP: from a recording, from scapy, or byte by byte after the RFC."""

from __future__ import annotations

import random
import struct

import pytest
from conftest import BATCHES, RECORDINGS, pcap, run
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scapy.all import (
    ASN1_COUNTER64,
    ASN1_GAUGE32,
    ASN1_INTEGER,
    ASN1_IPADDRESS,
    ASN1_OID,
    ASN1_STRING,
    ASN1_TIME_TICKS,
    ICMP,
    IP,
    SNMP,
    UDP,
    Ether,
    IPv6,
    NTPHeader,
    Raw,
    SNMPbulk,
    SNMPget,
    SNMPresponse,
    SNMPtrapv1,
    SNMPvarbind,
)
from test_dhcp import OWN, THEIRS, lease6, message, message6
from test_headers import fields

from analyzer import Analysis
from analyzer.protocols.snmp import dotted

RECORDED = str(RECORDINGS / "small-services.pcap.xz")
ASKS, ANSWERS = "10.0.0.1", "10.0.0.2"


def datagram(data: bytes, port: int, own: int = 40000, back: bool = False, six: bool = False) -> bytes:
    """From a client's port to a server's; back: the other way."""
    ends = (ANSWERS, ASKS, port, own) if back else (ASKS, ANSWERS, own, port)
    net = IPv6(src=f"fe80::{ends[0][-1]}", dst=f"fe80::{ends[1][-1]}") if six else IP(src=ends[0], dst=ends[1])
    return bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / net / UDP(sport=ends[2], dport=ends[3]) / Raw(data))


@pytest.fixture
def rows(save):
    """The printed cells of each frame, the same in all batches."""

    def get(frames: list[bytes], *wanted: str, **options) -> list[list[str]]:
        name = save(pcap(*frames, **options))
        words = [word for field in wanted for word in ("-e", field)]
        result = {run("packets", name, "--batch-frames", str(size), "-T", "fields", *words).out for size in BATCHES}
        assert len(result) == 1
        return [line.split("\t") for line in result.pop().splitlines()]

    return get


@pytest.fixture
def findings(save):
    def get(*frames: bytes) -> list[tuple[int, str]]:
        table = Analysis(save(pcap(*frames))).table("expert")
        return table.select("frame.number", "finding").rows()

    return get


# ---------------------------------------------------------------- the recording


def test_the_recording_is_what_tshark_says():
    """tshark 4.0.17: frame.protocols behind udp, and the fields of each."""
    wanted = (
        "frame.number",
        "frame.protocols",
        "tftp.opcode",
        "tftp.block",
        "tftp.source_file",
        "syslog.facility",
        "syslog.level",
        "ntp.xmt",
    )
    result = {int(row[0]): (row[1].partition("udp:")[2], *row[2:]) for row in fields(RECORDED, *wanted) if "udp:" in row[1]}
    none = ("",) * 6
    assert {n: one[0] for n, one in result.items()} == {
        17: "daytime", 18: "daytime", **dict.fromkeys((19, 21, 23, 25, 26, 27, 28, 29), "tftp"), 20: "tftp:data", 22: "tftp:data",
        24: "tftp:data", **dict.fromkeys(range(30, 34), "syslog"), **dict.fromkeys(range(34, 38), "ntp"),
    }  # fmt: skip
    assert result[18][1:] == none
    assert result[19][1:] == ("1", "", "boot.bin", "", "", "")
    assert [result[n][1:3] for n in range(20, 26)] == [("3", "1"), ("4", "1"), ("3", "2"), ("4", "2"), ("3", "3"), ("4", "3")]
    assert result[27][1:] == ("5", "", "", "", "", "") and result[29][1:3] == ("4", "1")  # 29: quoted by an ICMP error
    assert result[30][4:6] == ("4", "4") and result[32][4:6] == ("3", "6")
    assert result[34][-1] == "Nov 24, 2026 23:18:52.000000000 UTC" and result[35][-1] == "Nov 24, 2026 23:18:52.937711199 UTC"


def test_what_a_transfer_belongs_to():
    for size in BATCHES:
        reported = Analysis(RECORDED, batch_frames=size).table("tftp").select("frame.number", "tftp.request_frame").rows()
        assert reported == [(19, None), *((n, 19) for n in range(20, 26)), (26, None), (27, 26), (28, 26), (29, 26)]


# ---------------------------------------------------------------- NTP

STAMP = 0x80000000_00000000  # 20 Jan 1968 in the first era: RFC 4330 §3


def ntp(**more: object) -> bytes:
    return bytes(NTPHeader(**more))


def test_the_header_is_what_scapy_wrote(rows):
    body = ntp(leap=1, version=4, mode=4, stratum=2, poll=6, precision=-20, id="10.0.0.9", sent=3_900_000_000.5)
    wanted = ("ntp.flags.li", "ntp.flags.vn", "ntp.flags.mode", "ntp.stratum", "ntp.ppoll", "ntp.precision", "ntp.refid", "ntp.xmt")
    assert rows([datagram(body, 123, back=True)], *wanted) == [
        ["1", "4", "4", "2", "6", "236", "0a000009", "Aug  2, 2023 21:20:00.500000000 UTC"]
    ]


@pytest.mark.parametrize(
    ("stamp", "result"),
    [
        (0x83AA7E80_00000000, "Jan  1, 1970 00:00:00.000000000 UTC"),  # RFC 868: 2,208,988,800 seconds
        (0x7FFFFFFF_FFFFFFFF, "Feb 26, 2104 09:42:23.999999999 UTC"),
        (0x00000000_80000000, "Feb  7, 2036 06:28:16.500000000 UTC"),
        (0x80000000_00000000, "Jan 20, 1968 03:14:08.000000000 UTC"),
        (0, ""),
    ],
)
def test_times_of_both_eras(rows, stamp, result):
    """RFC 4330 §3: with the first bit from 1900, without it from 2036; 0 is no time."""
    body = bytes([0x23]) + bytes(39) + struct.pack(">Q", stamp)
    assert rows([datagram(body, 123)], "ntp.xmt", "ntp.flags.mode") == [[result, "3"]]


def test_control_and_private_messages_are_named(rows):
    control = struct.pack(">BBHHHHH", 0x16, 0x82, 1, 0x0615, 7, 0, 4) + b"a=1\0"
    private = struct.pack(">BBBBHH", 0x97, 0, 3, 42, 0, 0)
    wanted = (
        "ntp.flags.mode",
        "ntp.ctrl.flags2.r",
        "ntp.ctrl.flags2.opcode",
        "ntp.ctrl.data",
        "ntp.priv.reqcode",
        "ntp.flags.li",
        "ntp.stratum",
    )
    assert rows([datagram(control, 123), datagram(private, 123)], *wanted) == [
        ["6", "1", "2", "613d3100", "", "0", ""],
        ["7", "", "", "", "42", "", ""],
    ]


def test_extensions_and_codes_behind_the_header(rows):
    """RFC 7822 §7.5: an extension of 16 bytes, one of 28, and a code of 4 + 16 bytes."""
    body = bytes([0x23]) + bytes(47) + struct.pack(">HH12s", 0x0104, 16, b"u" * 12) + struct.pack(">HH24s", 0x0204, 28, b"v" * 24)
    wanted = ("ntp.ext.type", "ntp.ext.length", "ntp.keyid", "ntp.mac")
    code = struct.pack(">I", 9) + bytes(range(16))
    assert rows([datagram(body + code, 123), datagram(body[:48] + code, 123), datagram(body[:48], 123)], *wanted) == [
        ["0x0104,0x0204", "16,28", "00000009", bytes(range(16)).hex()],
        ["", "", "00000009", bytes(range(16)).hex()],
        ["", "", "", ""],
    ]


def test_offset_and_delay_by_hand(save):
    """The question leaves 1 s before the answer comes. By the server's clock it came at T, and the answer left 0.25 s later:
    there and back took 0.75 s, so the middle was 0.375 s after the question, when the server's clock showed T."""
    asked = 1_700_000_000 + 0.123456 + 2_208_988_800
    question = ntp(version=4, mode=3, sent=5.0)
    when = asked + 100 + 0.375  # the server's clock is 100 s ahead
    answer = bytes([0x24, 2]) + bytes(22) + question[40:48] + struct.pack(">II", int(when), int(when % 1 * 2**32))
    answer += struct.pack(">II", int(when + 0.25), int((when + 0.25) % 1 * 2**32))
    file = save(pcap(datagram(question, 123), datagram(answer, 123, back=True)))
    for size in BATCHES:
        rows = Analysis(file, batch_frames=size).table("ntp").to_dicts()
        assert rows[0]["ntp.judged.offset"] is None and rows[1]["ntp.request_in"] == 1
        assert rows[1]["ntp.judged.offset"].total_seconds() == pytest.approx(100, abs=1e-5)
        assert rows[1]["ntp.judged.delay"].total_seconds() == pytest.approx(0.75, abs=1e-5)


def test_findings_about_clocks(findings):
    kiss = bytes([0x24, 0]) + bytes(10) + b"RATE" + bytes(32)
    unset = bytes([0xE4, 3]) + bytes(46)
    assert findings(datagram(kiss, 123, back=True), datagram(unset, 123, back=True), datagram(struct.pack(">BBBBHH", 0x17, 0, 3, 42, 0, 0), 123)) == [
        (1, "clocks.kiss"), (2, "clocks.unsynchronized"), (3, "clocks.client_list"),
    ]  # fmt: skip


# ---------------------------------------------------------------- TFTP

READ = b"\0\1boot.bin\0octet\0blksize\x001428\0tsize\x000\0"


def test_options_and_errors(rows):
    """RFC 2347 §3: options in a request, and their acknowledgment. RFC 1350 §5: an error."""
    frames = [
        datagram(READ, 69),
        datagram(b"\0\6blksize\x001428\0", 5000, back=True),
        datagram(b"\0\5\0\2not for you\0", 5000, back=True),
        datagram(b"\0\2log.txt\0netascii\0", 69, own=40001),
    ]
    wanted = (
        "tftp.source_file",
        "tftp.destination_file",
        "tftp.type",
        "tftp.option.name",
        "tftp.option.value",
        "tftp.error.code",
        "tftp.error.message",
    )
    assert rows(frames, *wanted) == [
        ["boot.bin", "", "octet", "blksize,tsize", "1428,0", "", ""],
        ["", "", "", "blksize", "1428", "", ""],
        ["", "", "", "", "", "2", "not for you"],
        ["", "log.txt", "netascii", "", "", "", ""],
    ]


def block(n: int, size: int = 512) -> bytes:
    return struct.pack(">HH", 3, n) + bytes(size)


@pytest.mark.parametrize("six", [False, True])
def test_the_server_answers_from_a_port_of_its_own(rows, six):
    """RFC 1350 §4. What another port of the server, or another client, says is no part of it."""

    def one(*words, **more) -> bytes:
        return datagram(*words, **more, six=six)

    frames = [
        one(block(9), 5000, back=True),  # nobody asked yet
        one(READ, 69),
        one(block(1), 5000, back=True),
        one(b"\0\4\0\1", 5000),
        one(block(2), 5001, back=True),  # not the port that answered first
        one(block(2), 5000, own=40001, back=True),  # not the client
        one(READ, 69),  # asked again with the same port: another transfer
        one(block(1), 6000, back=True),
        one(block(2), 5000, back=True),
    ]
    result = rows(frames, "frame.protocols", "tftp.block", "tftp.request_frame")
    assert [row[0].partition("udp:")[2] for row in result] == [
        "data",
        "tftp",
        "tftp:data",
        "tftp",
        "data",
        "data",
        "tftp",
        "tftp:data",
        "data",
    ]
    assert [row[2] for row in result] == ["", "", "2", "2", "", "", "", "7", ""]


def test_an_error_of_icmp_quotes_a_transfer(rows):
    """What it quotes is read, but opens and settles nothing."""
    quoted = datagram(b"\0\4\0\1", 5000)
    error = bytes(Ether() / IP(src=ANSWERS, dst=ASKS) / ICMP(type=3, code=3) / Raw(quoted[14:]))
    asked = bytes(Ether() / IP(src=ANSWERS, dst=ASKS) / ICMP(type=3, code=3) / Raw(datagram(READ, 69, own=40009)[14:]))
    result = rows(
        [datagram(READ, 69), error, datagram(block(1), 5001, back=True), asked, datagram(block(1), 5000, own=40009, back=True)],
        "frame.protocols",
    )
    assert [row[0].partition("udp:")[2] for row in result] == ["tftp", "tftp", "tftp:data", "tftp", "data"]


def test_a_text_without_end_and_a_block_without_number(findings):
    assert [name for _, name in findings(datagram(b"\0\1boot", 69), datagram(b"\0\3\0", 69))] == ["malformed", "malformed"]


# ---------------------------------------------------------------- syslog


@pytest.mark.parametrize(
    ("data", "result"),
    [  # RFC 3164 §5.4, RFC 5424 §6.5
        (b"<34>Oct 11 22:14:15 mymachine su: 'su root' failed", ["4", "2", "Oct 11 22:14:15", "mymachine", "", ""]),
        (b"<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time", ["20", "5", "", "192.0.2.1", "myproc", ""]),
        (
            b"<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - 'su root'",
            ["4", "2", "", "mymachine.example.com", "su", "ID47"],
        ),
        (b"<0>", ["0", "0", "", "", "", ""]),
        (b"use the BFG", ["", "", "", "", "", ""]),
        (b"<9999>x", ["124", "7", "", "", "", ""]),  # three digits count
    ],
)
def test_forms_of_messages(rows, data, result):
    wanted = ("facility", "level", "timestamp_rfc3164", "hostname", "appname", "msgid")
    assert rows([datagram(data, 514)], *(f"syslog.{name}" for name in wanted)) == [result]


def test_what_the_wire_says_does_not_move_the_cursor(save):
    result = run("packets", save(pcap(datagram(b"<34>\x1b[2Ja\nb", 514)))).out
    assert "\x1b" not in result and result.count("\n") == 1 and "\\x1b[2Ja\\nb" in result


# ---------------------------------------------------------------- SNMP

UPTIME, NAME = "1.3.6.1.2.1.1.3.0", "1.3.6.1.2.1.1.5.0"


def values(*pairs) -> list:
    return [SNMPvarbind(oid=oid, value=value) for oid, value in pairs]


def test_questions_answers_and_traps(rows):
    answer = values(
        (UPTIME, ASN1_TIME_TICKS(123456)), (NAME, ASN1_STRING(b"ernest")), ("1.3.6.1.2.1.1.2.0", ASN1_OID("1.3.6.1.4.1.8072.3.2.10")),
        ("1.3.6.1.2.1.4.20.1.1.10.0.0.2", ASN1_IPADDRESS("10.0.0.2")), ("1.3.6.1.2.1.2.2.1.5.1", ASN1_GAUGE32(4_000_000_000)),
        ("1.3.6.1.2.1.31.1.1.1.6.1", ASN1_COUNTER64(2**63 + 1)), ("1.3.6.1.2.1.99", ASN1_INTEGER(-129)),
    )  # fmt: skip
    trap = SNMPtrapv1(enterprise="1.3.6.1.4.1.9.1.1", agent_addr="10.1.2.3", generic_trap=3, specific_trap=0, time_stamp=98765)
    frames = [
        datagram(bytes(SNMP(version=1, community="secret", PDU=SNMPget(id=77, varbindlist=values((NAME, ASN1_INTEGER(0)))))), 161),
        datagram(bytes(SNMP(version=1, community="secret", PDU=SNMPresponse(id=77, varbindlist=answer))), 161, back=True),
        datagram(bytes(SNMP(version=0, community="public", PDU=trap)), 162),
        datagram(bytes(SNMP(version=1, community="public", PDU=SNMPbulk(id=5, non_repeaters=1, max_repetitions=20))), 161),
        datagram(bytes(SNMP(version=0, community="public", PDU=SNMPresponse(id=-6, error=2, error_index=1))), 161, back=True),
    ]
    assert rows(frames, *(f"snmp.{n}" for n in ("version", "community", "data", "request_id", "error_status", "error_index"))) == [
        ["1", "secret", "0", "77", "0", "0"],
        ["1", "secret", "2", "77", "0", "0"],
        ["0", "public", "4", "", "", ""],
        ["1", "public", "5", "5", "", ""],
        ["0", "public", "2", "-6", "2", "1"],
    ]
    reported = rows(frames, *(f"snmp.value.{n}" for n in ("timeticks", "octets", "oid", "ipv4", "g32", "counter64", "int")))[1]
    assert reported == ["123456", b"ernest".hex(), "1.3.6.1.4.1.8072.3.2.10", "10.0.0.2", "4000000000", str(2**63 + 1), "-129"]
    wanted = ("snmp.enterprise", "snmp.agent_addr", "snmp.generic_trap", "snmp.time_stamp", "snmp.max_repetitions")
    assert rows(frames, *wanted)[2:4] == [["1.3.6.1.4.1.9.1.1", "10.1.2.3", "3", "98765", ""], ["", "", "", "", "20"]]
    assert rows(frames, "snmp.name")[1][0].split(",")[:2] == [UPTIME, NAME]


def test_the_community_is_said_to_be_there_and_no_more(save):
    name = save(pcap(datagram(bytes(SNMP(version=1, community="secret", PDU=SNMPget(id=1))), 161)))
    assert Analysis(name).table("expert")["finding"].to_list() == ["snmp.community_in_clear"]
    assert Analysis(name).table("security")["finding"].to_list() == ["snmp.community_in_clear"]
    assert "secret" not in run("packets", name).out + run("table", "expert", name).out


def test_of_version_3_the_head_is_read(rows):
    """RFC 3412 §6 with an enciphered part."""
    head = bytes.fromhex("300f 0202 0457 0203 00ffe3 0401 03 0201 03".replace(" ", ""))
    body = b"\2\1\3" + head + b"\4\0" + b"\4\3abc"
    frame = datagram(b"\x30" + bytes([len(body)]) + body, 161)
    assert rows([frame], "snmp.msgVersion", "snmp.msgID", "snmp.msgMaxSize", "snmp.msgFlags", "snmp.encryptedPDU", "snmp.version") == [
        ["3", "1111", "65507", "03", "616263", ""]
    ]


@pytest.mark.parametrize(
    ("data", "result"),  # X.690 §8.19, with its example in §8.19.5
    [
        (b"\x2b\6\1", "1.3.6.1"),
        (b"\x88\x37\3", "2.999.3"),
        (b"\x78", "2.40"),
        (b"\x2b\x86", ""),
        (b"", ""),
        (b"\x2b" + b"\xff" * 6 + b"\1", ""),
    ],
)
def test_identifiers_of_objects(data, result):
    assert dotted(data) == result


def test_lengths_that_lie(findings):
    """A community longer than its message; a length that is not told; elements nested a thousand deep."""
    deep = b""
    for _ in range(1000):
        deep = b"\x30\x82" + struct.pack(">H", len(deep)) + deep
    long = bytes.fromhex("300a 0201 01 04ff 7075 626c".replace(" ", ""))
    frames = [datagram(one, 161) for one in (long, b"\x30\x80\2\1\1", deep)]
    assert findings(*frames) == [(1, "malformed"), (2, "malformed")]


# ---------------------------------------------------------------- daytime, echo, discard


def test_named_services(rows):
    frames = [
        datagram(b"\n", 13), datagram(b"Tue Nov 24 23:18:52 2026\r\n", 13, back=True),
        datagram(b"hi", 7), datagram(b"hi", 7, back=True), datagram(b"gone", 9),
    ]  # fmt: skip
    result = rows(frames, "frame.protocols", "daytime.string", "echo.data", "echo.request", "echo.response", "_ws.col.Protocol")
    assert [row[0].partition("udp:")[2] for row in result] == ["daytime", "daytime", "echo", "echo", "data"]
    assert result[1][1] == "Tue Nov 24 23:18:52 2026\\r\\n"
    assert [row[2:5] for row in result[2:4]] == [["6869", "1", "0"], ["6869", "0", "1"]]
    assert result[4][5] == "Discard"


# ---------------------------------------------------------------- damage

FRAMES = (
    message(1, ("requested_addr", "10.0.0.5"), ("hostname", b"ernest"), ("relay_agent_information", b"\1\2ab\2\1c")),
    message(5, ("server_id", "10.0.0.1"), ("router", "10.0.0.1"), server=True, yiaddr="10.0.0.5"),
    message6(OWN / lease6("2001:db8::5"), server=True),
    message6(THEIRS / OWN, server=True),
    datagram(ntp(version=4, mode=3, sent=7.0), 123),
    datagram(struct.pack(">BBHHHHH", 0x16, 2, 1, 0, 0, 0, 4) + b"abcd", 123),
    datagram(READ, 69),
    datagram(block(1, 3), 5000, back=True),
    datagram(b"\0\5\0\1no\0", 5000, back=True),
    datagram(b"<34>1 2003-10-11T22:14:15.003Z host su - ID47 - text", 514),
    datagram(bytes(SNMP(version=1, community="x", PDU=SNMPresponse(id=1, varbindlist=values((NAME, ASN1_STRING(b"a")))))), 161, back=True),
    datagram(b"hi", 7),
    datagram(b"\n", 13, back=True),
)


def test_daytime_and_echo_over_tcp():
    """Recorded: the time in the segment that brings it, small-services frame 4; a line to port 7 and back, as tshark has it."""
    result = run("packets", str(RECORDINGS / "small-services.pcap.xz"), "-Y", "tcp and daytime", "-T", "fields", "-e", "daytime.string").out
    assert result.splitlines()[0].startswith("Tue Nov 24 23:18:52 2026")
    result = run("packets", str(RECORDINGS / "arp.pcap.xz"), "-Y", "echo", "-T", "fields", "-e", "frame.number", "-e", "echo.request").out
    assert result.splitlines()[:3] == ["6\t1", "8\t0", "16\t1"]


TABLES = ("dhcp", "dhcpv6", "ntp", "tftp", "syslog", "snmp", "echo", "daytime", "dhcp_transactions", "expert", "undecoded", "data")


@pytest.mark.slow
@given(st.integers(0, 2**32))
@settings(max_examples=20, deadline=None)
@example(157)  # a version of SNMP below 0
def test_no_damage_crashes_and_no_batch_size_changes_a_table(tmp_path_factory, seed):
    """Messages with bytes changed, cut off and doubled, in any order."""
    dice = random.Random(seed)
    frames = []
    for sound in dice.choices(FRAMES, k=12):
        frame = bytearray(sound)
        for _ in range(dice.choice((0, 0, 1, 2, 5))):
            frame[dice.randrange(42, len(frame))] = dice.choice((0, 1, 0x30, 0x7F, 0x80, 0xFF, dice.randrange(256)))
        at = dice.randrange(42, len(frame) + 1)
        frames.append(bytes(dice.choice((frame, frame, frame, frame[:at]))))
    name = tmp_path_factory.getbasetemp() / "services.pcap"
    name.write_bytes(pcap(*frames, lengths={i: len(frame) + 9 for i, frame in enumerate(frames) if dice.random() < 0.2}))
    first, *others = (Analysis(str(name), batch_frames=size).tables(TABLES) for size in BATCHES)
    for tables in others:
        for table, rows in tables.items():
            assert rows.equals(first[table]), table
    assert run("packets", str(name)).out.count("\n") >= len(frames)
