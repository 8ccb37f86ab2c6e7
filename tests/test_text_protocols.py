"""FTP, SMTP and telnet: lines and messages however they were cut, who announces what, what is in clear. Ports that the user names.

Values are those that tshark 4.0 shows of the recordings, or stand in the script of the conversation.
"""

from __future__ import annotations

import base64
import tempfile
from pathlib import Path

import polars as pl
import pytest
from conftest import BATCHES, pcap, recorded, run, same
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.all import IP, TCP, Ether, IPv6, Raw

from analyzer import Analysis
from analyzer.errors import UsageError
from analyzer.tables._carried import NEEDS, carried_files

MACS = {"src": "02:00:00:00:00:01", "dst": "02:00:00:00:00:02"}


class Conversation:
    """Segments between clients (10.0.0.1, or ::1) and a server (10.0.0.2, or ::2), in the order of the calls."""

    def __init__(self, six: bool = False) -> None:
        self.six = six
        self.frames: list[bytes] = []
        self.at: dict[tuple[int, int, str], int] = {}

    def say(self, who: str, data: bytes, port: int = 21, client: int = 40000, skip: int = 0, flags: str = "PA") -> Conversation:
        """A segment; skip: bytes before it that no frame has."""
        to = "s" if who == "c" else "c"
        seq = self.at.get((port, client, who), 1) + skip
        self.at[port, client, who] = seq + len(data)
        ports = {"sport": client, "dport": port} if who == "c" else {"sport": port, "dport": client}
        ends = ("::1", "::2") if self.six else ("10.0.0.1", "10.0.0.2")
        ip = (IPv6 if self.six else IP)(**dict(zip(("src", "dst"), ends if who == "c" else ends[::-1])))
        acked = self.at.get((port, client, to), 1)
        self.frames.append(bytes(Ether(**MACS) / ip / TCP(**ports, seq=seq, ack=acked, flags=flags) / Raw(data)))
        return self

    def talk(self, *lines: tuple[str, bytes], **more: int) -> Conversation:
        for who, data in lines:
            self.say(who, data, **more)
        return self

    def acked(self, port: int = 21) -> Conversation:
        """The server acknowledges all, three times in as many seconds: what is missing was lost by the recorder."""
        return self.talk(*[("s", b"")] * 3, port=port)

    def pcap(self) -> bytes:
        return pcap(*self.frames)


def column(rows: list[dict], *names: str) -> list[tuple]:
    return [tuple(row[name] for name in names) for row in rows]


def words(name: str, *fields: str, only: str) -> list[list[str]]:
    """What `-T fields` prints, the same in batches of 1, 7 and all."""
    asked = [w for field in ("frame.number", *fields) for w in ("-e", field)]
    output = {run("packets", name, "-Y", only, "-T", "fields", *asked, "--batch-frames", str(n)).out for n in BATCHES}
    assert len(output) == 1
    return [line.split("\t") for line in output.pop().splitlines()]


# ---------------------------------------------------------------- FTP


def test_a_session_as_it_was_recorded():
    """Active and passive transfers; each data connection knows the frame that announced it and the command that it serves."""
    rows = Analysis(recorded("ftp")).table("ftp").to_dicts()
    commands = [(r["frame.number"], r["ftp.request.command"], r["ftp.request.arg"]) for r in rows if r["ftp.request"]]
    assert commands[:3] == [(6, "USER", "anonymous"), (9, "CWD", "/pub"), (11, "TYPE", "A")]
    assert [r["ftp.active.port"] for r in rows if r["ftp.active.port"]] == [34517, 37079]
    assert [(r["frame.number"], r["ftp.passive.ip"], r["ftp.passive.port"]) for r in rows if r["ftp.passive.port"]] == [
        (141, "192.168.1.109", 40005),
        (157, "192.168.1.109", 40002),
        (266, "192.168.1.109", 40001),
    ]
    data = pl.DataFrame(same(recorded("ftp"), "ftp.data"))
    links = data.group_by("ftp-data.setup-frame", maintain_order=True).agg(
        pl.col("ftp-data.command").first(), pl.col("ftp-data.command-frame").first(), pl.col("ftp-data.len").sum()
    )
    assert links.rows() == [
        (13, "LIST", 15, 66),
        (29, "RETR file.bin", 31, 102400),
        (141, "LIST", 145, 66),
        (157, "RETR file.bin", 161, 102400),
    ]


def test_replies_of_several_lines_and_commands_in_one_segment(save):
    """RFC 959 §4.2: only the code that began a reply ends it."""
    talk = Conversation().talk(
        ("s", b"220-Hello\r\n more text\r\n250 in it\r\n220 end\r\n"),
        ("c", b"USER bob\r\nPA"),
        ("c", b"SS x\r\n"),
        ("s", b"331 pw\r\n230 ok\r\n"),
        ("s", b"211-Feat\r\n"),
        ("s", b" EPSV\r\n"),
        ("s", b"211 End\r\n"),
        ("c", b"\xff\xf4\xff\xf2ABOR\r\n"),
    )
    rows = same(save(talk.pcap()), "ftp")
    names = "frame.number", "ftp.request.command", "ftp.response.code"
    assert column(rows, *names) == [
        (1, None, 220),
        (2, "USER", None),
        (3, "PASS", None),
        (4, None, 331),
        (4, None, 230),
        (5, None, 211),
        (6, None, None),
        (7, None, 211),
        (8, "ABOR", None),
    ]
    assert rows[6]["ftp.response.arg"] == [" EPSV"]


@pytest.mark.parametrize(("six", "command", "answers", "port"), [
    (False, b"EPRT |1|10.0.0.1|5001|\r\n", b"200 ok\r\n", (5001, 2000)),
    (True, b"EPRT |2|::1|5002|\r\n", b"200 ok\r\n", (5002, 2000)),
    (True, b"EPSV\r\n", b"229 Extended (|||5003|)\r\n", (2000, 5003)),
    (False, b"PASV\r\n", b"227 Passive (10,0,0,2,19,140)\r\n", (2000, 5004)),
    (False, b"PASV\r\n", b"227 Passive (192,168,1,1,19,141)\r\n", (2000, 5005)),  # behind an address translator
])  # fmt: skip
def test_each_command_that_announces_a_data_connection(save, six, command, answers, port):
    talk = Conversation(six).talk(("s", b"220 FTP\r\n"), ("c", command), ("s", answers), ("c", b"STOR a b.txt\r\n"))
    talk.say("c", b"GET / HTTP/1.1\r\n\r\n", port[1], port[0])  # bytes that would be another protocol's
    rows = same(save(talk.pcap()), "ftp.data")
    setup = 2 if command.startswith(b"EPRT") else 3
    names = "frame.number", "ftp-data.setup-frame", "ftp-data.command", "ftp-data.control", "ftp-data.len"
    assert column(rows, *names) == [(5, setup, "STOR a b.txt", 0, 18)]


def test_a_port_is_announced_for_what_comes_later(save):
    talk = Conversation().talk(("s", b"220 FTP\r\n")).say("c", b"before", 5004, 2000)
    talk.talk(("c", b"PASV\r\n"), ("s", b"227 (10,0,0,2,19,140)\r\n")).say("c", b"later", 5004, 2001)
    assert column(same(save(talk.pcap()), "ftp.data"), "frame.number", "ftp-data.len") == [(5, 5)]


def test_behind_auth_tls_no_line_is_read(save):
    """RFC 4217 §4: what follows the reply 234 is TLS."""
    hello = b"\x16\x03\x01\x00\x04\x01\x00\x00\x00"
    talk = Conversation().talk(("s", b"220 FTP\r\n"), ("c", b"AUTH TLS\r\n"), ("s", b"234 go\r\n"), ("c", hello))
    assert [r[1] for r in words(save(talk.pcap()), "frame.protocols", only="tcp")][2:] == [
        "eth:ethertype:ip:tcp:ftp",
        "eth:ethertype:ip:tcp:tls",
    ]


def test_a_hole_in_a_control_connection(save):
    talk = Conversation().talk(("s", b"220 FTP\r\n"), ("c", b"NOOP\r\n")).say("c", b"alf\r\nQUIT\r\n", skip=9).acked()
    found = Analysis(save(talk.pcap())).tables(["ftp", "undecoded"])
    assert found["ftp"]["ftp.request.command"].drop_nulls().to_list() == ["NOOP", "QUIT"]
    assert found["undecoded"].filter(space="stream")["bytes"].to_list() == [5]


# ---------------------------------------------------------------- SMTP


def test_a_mail_as_it_was_recorded():
    rows = same(recorded("smtp"), "smtp")
    assert [(r["frame.number"], r["smtp.req.command"]) for r in rows if r["smtp.req.command"]] == [
        (6, "ehlo"), (12, "mail"), (14, "rcpt"), (16, "data"), (20, "quit"),
    ]  # fmt: skip
    assert [r["frame.number"] for r in rows if r["smtp.response.code"] == 250] == [8, 9, 10, 13, 15, 19]
    assert [(r["frame.number"], r["imf.subject"]) for r in same(recorded("smtp"), "imf")] == [(18, "trace")]


MAIL = b"Subject: two\r\n dots\r\nContent-Type: text/plain\r\n\r\n..\r\n..x\r\nlast\r\n"
BARE = b"Subject: two\r\n dots\r\nContent-Type: text/plain\r\n\r\n.\r\n.x\r\nlast\r\n"


def mail(*cuts: int) -> Conversation:
    """A session whose message, its end and QUIT are cut at these places."""
    talk = Conversation().talk(("s", b"220 mail ESMTP\r\n"), ("c", b"EHLO x\r\n"), ("s", b"250-x\r\n250 y\r\n"), port=25)
    talk.talk(("c", b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n"), ("s", b"250 1\r\n250 2\r\n354 go\r\n"), port=25)
    whole = MAIL + b".\r\nQUIT\r\n"
    for a, b in zip((0, *cuts), (*cuts, len(whole))):
        talk.say("c", whole[a:b], 25)
    return talk.say("s", b"250 taken\r\n221 bye\r\n", 25)


@pytest.mark.parametrize("cuts", [(), (5,), (len(MAIL),), (len(MAIL) + 1,), (len(MAIL) + 2,), tuple(range(1, len(MAIL) + 9))])
def test_a_message_ends_with_a_dot_however_it_was_cut(save, cuts):
    """RFC 5321 §4.1.1.4, §4.5.2: the dot that was added before a line's first is taken away."""
    name = save(mail(*cuts).pcap())
    for batch in BATCHES:
        pieces = [p for d in Analysis(name, batch_frames=batch).dissections(NEEDS) for p in carried_files(d)]
        assert [(p.data, p.content_type, p.missing) for p in pieces] == [(BARE, "message/rfc822", 0)]
    rows = same(name, "smtp")
    assert [r["smtp.line"] for r in rows if r["smtp.line"] and not r["smtp.line"].startswith("message")] == [
        "220 mail ESMTP", "EHLO x", "250-x …", "MAIL FROM:<a@b>", "RCPT TO:<c@d>", "DATA", "250 1", "250 2", "354 go", "QUIT",
        "250 taken", "221 bye",
    ]  # fmt: skip


def test_data_that_is_refused_is_no_message(save):
    talk = Conversation().talk(("s", b"220 SMTP\r\n"), ("c", b"DATA\r\n"), ("s", b"503 no\r\n"), ("c", b"RSET\r\n"), port=25)
    assert [r["smtp.req.command"] for r in same(save(talk.pcap()), "smtp")] == [None, "DATA", None, "RSET"]


def test_bdat_says_how_many_bytes_follow(save):
    """RFC 3030: no line ends the message, and no dot is added."""
    talk = Conversation().talk(("s", b"220 SMTP\r\n"), ("c", b"BDAT 7\r\nA: b\r\n\r"), ("c", b"BDAT 5 LAST\r\n\n.\r\n.QUIT\r\n"), port=25)
    name = save(talk.pcap())
    for batch in BATCHES:
        pieces = [p for d in Analysis(name, batch_frames=batch).dissections(NEEDS) for p in carried_files(d)]
        assert [p.data for p in pieces] == [b"A: b\r\n\r\n.\r\n."]
    assert [r["smtp.line"] for r in same(name, "smtp")][-1] == "QUIT"


def test_a_hole_in_a_message(save):
    talk = Conversation().talk(("s", b"220 SMTP\r\n"), ("c", b"DATA\r\n"), ("s", b"354 go\r\n"), ("c", b"Subject: x\r\n\r\n"), port=25)
    talk.say("c", b"rest\r\n.\r\n", 25, skip=100).acked(25)
    rows = [r for r in same(save(talk.pcap()), "smtp") if r["smtp.data.missing"]]
    assert column(rows, "smtp.data.missing", "smtp.data.reassembled.length") == [(109, 14)]


def test_behind_starttls_no_line_is_read(save):
    hello = b"\x16\x03\x01\x00\x04\x01\x00\x00\x00"
    talk = Conversation().talk(("s", b"220 SMTP\r\n"), ("c", b"STARTTLS\r\n"), ("s", b"220 go\r\n"), ("c", hello), port=25)
    assert words(save(talk.pcap()), "frame.protocols", only="tls") == [["4", "eth:ethertype:ip:tcp:tls"]]


def test_attachments(save):
    coded = base64.encodebytes(b"\x00\x01file" * 9)
    parts = b"MIME-Version: 1.0\r\nSubject: s\r\nContent-Type: multipart/mixed; boundary=X\r\n\r\n--X\r\n\r\nhello\r\n--X\r\n"
    parts += b'Content-Type: image/png; name="a.png"\r\nContent-Transfer-Encoding: base64\r\n'
    parts += b'Content-Disposition: attachment; filename="a.png"\r\n\r\n' + coded.replace(b"\n", b"\r\n") + b"\r\n--X--\r\n"
    talk = Conversation().talk(("s", b"220 SMTP\r\n"), ("c", b"DATA\r\n"), ("s", b"354 go\r\n"), ("c", parts + b".\r\n"), port=25)
    pieces = [p for d in Analysis(save(talk.pcap())).dissections(NEEDS) for p in carried_files(d)]
    assert [(p.name, p.protocol, p.content_type, p.data) for p in pieces] == [
        ("s", "smtp", "message/rfc822", parts),
        ("a.png", "imf", "image/png", b"\x00\x01file" * 9),
    ]


# ---------------------------------------------------------------- telnet


def test_a_login_as_it_was_recorded():
    found = words(recorded("loopback-telnet"), "telnet.cmd", "telnet.subcmd", only="telnet.cmd")
    assert found[1:4] == [
        ["14", "251,251,253,253,253,253,253", "37,38,24,32,35,39,36"],
        ["16", "253,250,240,251,253,253,253,250,240", "38,38,3,31,33,34,34"],
        ["18", "251", "5"],
    ]
    assert len(found) == 12


def test_commands_in_two_segments(save):
    """RFC 854: a command in two segments stands with the second; two IAC are a byte of data."""
    talk = Conversation()
    for part in (
        b"\xff",
        b"\xfb\x18",
        b"\xff\xfa\x18\x00xterm\xff\xf0\xff\xfa\x1f\x00\x50\x00\x18\xff\xf0",
        b"a\xff\xffb\r\nzz\r\0q",
        b"\xff\xfa\x27",
    ):
        talk.say("c", part, 23)
    talk.say("c", b"secret\xff\xf0end", 23)
    fields = "telnet.cmd", "telnet.subcmd", "telnet.data", "telnet.string_subopt.value", "telnet.naws_subopt.width"
    rows = same(save(talk.pcap()), "telnet")
    assert column(rows, "frame.number", *fields) == [
        (2, [251], [24], [], [], []),
        (3, [250, 240, 250, 240], [24, 0, 31], [], ["xterm"], [80]),
        (4, [], [], ["a\ufffdb\r\n", "zz\r", "q"], [], []),
        (5, [250], [39], [], [], []),
        (6, [240], [], ["end"], [], []),
    ]


# ---------------------------------------------------------------- what is in clear


def secrets() -> Conversation:
    talk = Conversation().talk(
        ("s", b"220 FTP\r\n"), ("c", b"USER bob\r\n"), ("s", b"331 pw\r\n"), ("c", b"PASS s3cret\r\n"), ("s", b"530 no\r\n")
    )
    talk.talk(("c", b"USER ftp\r\n"), ("s", b"331 pw\r\n"), ("c", b"PASS me@home\r\n"), ("s", b"230 ok\r\n"))
    coded = base64.b64encode(b"\0bob\0s3cret")
    talk.talk(("s", b"220 SMTP\r\n"), ("c", b"AUTH PLAIN " + coded + b"\r\n"), ("s", b"535 no\r\n"), ("c", b"AUTH LOGIN\r\n"), port=25)
    talk.talk(("s", b"334 VXNlcm5hbWU6\r\n"), ("c", b"Ym9i\r\n"), ("s", b"334 UGFzc3dvcmQ6\r\n"), ("c", b"czNjcmV0\r\n"), port=25)
    return talk.talk(("s", b"\r\nPassword: "), ("c", b"s3cret\r\n"), port=23)


def test_passwords_in_clear_are_told_and_not_shown(save):
    name = save(secrets().pcap())
    rows = [r for r in same(name, "expert") if r["protocol"] in ("ftp", "smtp", "telnet")]
    assert [(r["frame.number"], r["finding"]) for r in rows] == [
        (4, "ftp.password_in_clear"), (5, "ftp.refused"), (11, "smtp.password_in_clear"), (12, "smtp.refused"),
        (13, "smtp.password_in_clear"), (18, "telnet.password_in_clear"),
    ]  # fmt: skip
    output = run("report", name).out + run("packets", name, "-c", "17").out + str(rows)
    for secret in ("s3cret", "czNjcmV0", base64.b64encode(b"\0bob\0s3cret").decode()):
        assert secret not in output


# ---------------------------------------------------------------- what speaks what


def test_a_service_is_told_by_port_and_bytes(save):
    """An FTP server on port 2121, HTTP on port 21, nothing known on port 25; both guesses stand beside what was decoded."""
    talk = Conversation().say("s", b"220 (vsFTPd 3.0.3)\r\n", 2121).say("c", b"GET /x HTTP/1.1\r\n\r\n", 21).say("c", b"\1\2\3", 25)
    rows = same(save(talk.pcap()), "services")
    assert column(rows, "stream", "by_port", "by_bytes", "service") == [
        (0, None, "ftp", "ftp"),
        (1, "ftp", "http", "http"),
        (2, "smtp", None, "smtp"),
    ]


def test_the_user_overrules_port_and_bytes(save):
    talk = Conversation().say("s", b"220 ready\r\n", 8021).say("c", b"GET /x HTTP/1.1\r\n\r\n", 80)
    name = save(talk.pcap())
    rows = same(name, "services", decode_as=["tcp.port==8020-8022,ftp", "tcp.port==80,data"])
    assert column(rows, "by_port", "by_bytes", "service") == [(None, None, "ftp"), ("http", "http", None)]
    output = run("packets", name, "-d", "tcp.port==8021,ftp", "-T", "fields", "-e", "ftp.response.code", "-e", "_ws.col.Protocol")
    assert output.out.splitlines() == ["220\tFTP", "\tHTTP"]
    for command in ("report", "table services", "explain"):
        assert run(*command.split(), name, "-d", "tcp.port==8021,ftp").status == 0


def test_the_user_overrules_for_udp_too(save):
    from scapy.all import DNS, DNSQR, UDP

    ends = IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=4000, dport=9953)
    name = save(pcap(bytes(Ether() / ends / DNS(qd=DNSQR(qname="a.b"))), bytes(Ether() / ends / DNS(qr=1, qd=[]))))
    assert words(name, "dns.id", only="udp") == [["1", "0x0000"], ["2", ""]]  # the bytes of the second could be anything
    for protocol, ids in (("dns", ["0x0000", "0x0000"]), ("data", ["", ""])):
        assert run("packets", name, "-d", f"udp.port==9953,{protocol}", "-T", "fields", "-e", "dns.id").out.splitlines() == ids


@pytest.mark.parametrize(("rule", "why"), [
    ("tcp.port=80,http", "looks like"), ("tcp.port==80", "looks like"), ("ip.proto==6,tcp", "knows"), ("tcp.port==70000,http", "no such ports"),
    ("tcp.port==9-8,http", "no such ports"), ("tcp.port==80,htp", "nearest: http"), ("udp.port==80,smtp", "none of those"),
])  # fmt: skip
def test_what_the_user_says_must_be_understood(rule, why):
    with pytest.raises(UsageError, match=why):
        Analysis("none", decode_as=[rule])


# ---------------------------------------------------------------- any bytes


def test_empty_lines_make_no_rows(save):
    talk = Conversation().talk(("s", b"220 FTP\r\n"), ("c", b"NOOP\r\n\r\n" + b"\n" * 1000), ("c", b"\n" * 1000))
    assert column(same(save(talk.pcap()), "ftp"), "frame.number", "ftp.request.command") == [(1, None), (2, "NOOP"), (3, None)]


PARTS = [b"220 x\r\n", b"220-a\r\n", b"DATA\r\n", b"354 go\r\n", b".\r\n", b"\r\n.\r\n", b"BDAT 3\r\n", b"BDAT 2 LAST\r\n", b"STARTTLS\r\n",
         b"AUTH LOGIN\r\n", b"334 \r\n", b"QUIT", b"\r", b"\n", b"\xff", b"\xfa", b"\xf0\x18", b"\xff\xfb", b"550 no\r\n", b"PASV\r\n",
         b"227 (10,0,0,2,1,2)\r\n", b"\0", b"From: a\r\n\r\n"]  # fmt: skip


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("cs"), st.lists(st.sampled_from(PARTS) | st.binary(max_size=9), max_size=4)), max_size=12),
    st.sampled_from((21, 23, 25)),
    st.data(),
)
def test_any_conversation_of_lines_is_the_same_in_any_batch(talk, port, data):
    """Nothing crashes, and no byte is in no message, lost and uncounted."""
    conversation = Conversation().say("s", b"220 x\r\n", port)
    for who, parts in talk:
        if whole := b"".join(parts):
            conversation.say(who, whole, port, skip=data.draw(st.sampled_from((0, 0, 0, 5))))
    with tempfile.TemporaryDirectory() as folder:
        name = Path(folder) / "a.pcap"
        name.write_bytes(conversation.pcap())
        found = [
            Analysis(str(name), batch_frames=n).tables(["ftp", "smtp", "telnet", "imf", "ftp.data", "expert", "undecoded"]) for n in BATCHES
        ]
        for other in found[1:]:
            for table, rows in found[0].items():
                assert rows.equals(other[table]), table


def test_a_flood_of_commands_shares_a_row(save):
    talk = Conversation().talk(("s", b"220 FTP\r\n"), ("c", b"NOOP\r\n" * 100))
    rows = [r for r in same(save(talk.pcap()), "ftp") if r["ftp.request"]]
    assert len(rows) == 64
    assert [r["ftp.line"] for r in rows[-2:]] == ["NOOP", "NOOP …"]


def test_passwords_in_clear_are_told_between_whom(save):
    """A row for two logins of the same hosts, a sentence in explain; the password itself in neither."""
    talk = Conversation().talk(("s", b"220 FTP\r\n"), ("c", b"USER a\r\n"), ("s", b"331 x\r\n"), ("c", b"PASS geheim\r\n"), port=21)
    talk.talk(("s", b"530 no\r\n"), ("c", b"PASS geheimer\r\n"), ("s", b"230 in\r\n"), port=21)
    name = save(talk.pcap())
    (row,) = same(name, "security")
    assert (row["protocol"], row["times"], row["severity"], row["first_frame"] < row["last_frame"]) == ("ftp", 2, "warn", True)
    output = run("explain", name).out
    assert "FTP: logs in with a password that anybody on the way can read (2 times, frames" in " ".join(output.split())
    assert "geheim" not in output + str(row)
