"""`analyze explain`: all verdicts of a capture, worst first, and the story of one connection. recordings/README.md describes the recordings;
frames, states and numbers are those of test_states.py and docs/verdicts.md."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys

import pytest
from conftest import BATCHES, RECORDINGS, Trace, pcap, run

BACKLOG = str(RECORDINGS / "tcp-backlog.pcap.xz")
LINE = re.compile(r" {0,6}(\d+) +\d+\.\d{6}  (\S+) +(.*?───▶|◀─── .* win [\d,]+) +(\S+)(?:  +(.*))?")
FOLDED = re.compile(r" +… +frames (\d+) to (\d+), (.*?): ([\d,]+) segments? there with ([\d,]+) bytes?, ([\d,]+) back with ([\d,]+)(.*)")


def explain(name: str, *words: str) -> list[str]:
    result = run("explain", name if "/" in name else str(RECORDINGS / f"{name}.pcap.xz"), *words)
    assert (result.status, result.err) == (0, "")
    return result.out.splitlines()


def ladder(name: str, stream: int = 0, *words: str) -> tuple[dict[int, tuple[str, str, str, str]], list[tuple[str, ...]]]:
    """Frame → (client, segment, server, remarks) of the lines, and the parts of the folded ones."""
    lines = explain(name, "--stream", str(stream), *words)
    body = lines[3 : lines.index("", 3)]
    found = {int(m[1]): (m[2], m[3], m[4], m[5] or "") for m in map(LINE.fullmatch, body) if m}
    folded = [m.groups() for m in map(FOLDED.fullmatch, body) if m]
    assert len(found) + len(folded) == len(body), body
    return found, folded


# ---------------------------------------------------------------- all


def test_all_are_counted_and_grouped_worst_first():
    lines = explain("tcp-backlog")
    assert lines[0] == "10 TCP connections: 4 error, 6 chat."
    heads = [line for line in lines if re.match(r"(error|warn|note|chat): ", line)]
    assert heads == ["error: listen queue overflowed (4)", "chat: healthy (6)"]
    text = " ".join(" ".join(lines).split())
    assert [stream for stream in range(10) if f" {stream} 192.168.1.109:12345 did not take" in text] == [6, 7, 8, 9]
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize(("rows", "shown"), [(1, 1), (3, 3), (4, 4), (9, 4)])
def test_rows_bound_each_kind(rows, shown):
    """Of what is healthy one is enough."""
    text = "\n".join(explain("tcp-backlog", "--rows", str(rows)))
    assert text.count("did not take the connection") == shown
    assert ("(--rows)" in text) == (shown < 4)
    assert f"… and {4 - shown} more (--rows)" in text or shown == 4
    assert text.count("Healthy") == 1
    assert "… and 5 more" in text


def test_a_batch_changes_nothing():
    for words in ([BACKLOG], [BACKLOG, "--stream", "6"], [BACKLOG, "-T", "csv"]):
        assert len({run("explain", *words, "--batch-frames", str(size)).out for size in BATCHES}) == 1


def test_forms_say_the_same():
    rows = [json.loads(line) for line in explain("tcp-backlog", "-T", "ndjson")]
    assert [row["stream"] for row in rows] == [6, 7, 8, 9, 0, 1, 2, 3, 4, 5]
    assert {row["kind"] for row in rows[:4]} == {"listen queue overflowed"}
    assert (rows[0]["first_frame"], rows[0]["last_frame"]) == (19, 27)
    assert json.loads("\n".join(explain("tcp-backlog", "-T", "json"))) == rows
    cells = list(csv.DictReader(explain("tcp-backlog", "-T", "csv")))
    assert cells == [{name: str(value) for name, value in row.items()} for row in rows]
    assert json.loads("\n".join(explain("tcp-backlog", "-T", "json", "--stream", "8"))) == [row for row in rows if row["stream"] == 8]


@pytest.mark.parametrize(("form", "expected"), [("text", "No TCP connection in this capture.\n"), ("json", "[]\n"), ("ndjson", "")])
def test_a_capture_without_tcp(save, form, expected):
    assert run("explain", save(pcap()), "-T", form).out == expected
    assert run("explain", save(pcap(b"\xff" * 60)), "-T", form).out == expected


@pytest.mark.parametrize("form", ["text", "csv", "json", "ndjson"])
def test_no_such_stream(form):
    result = run("explain", BACKLOG, "--stream", "10", "-T", form)
    assert (result.status, result.out) == (2, "")
    assert result.err == "analyze: no TCP stream 10 in this capture; `analyze table streams` lists them\n"
    assert run("explain", BACKLOG, "--stream", "-1").status == 2


def test_damage_is_reported_after_what_the_file_holds(save):
    result = run("explain", save(Trace().open().pcap()[:-20]))
    assert result.status != 0
    assert "1 TCP connection" in result.out
    assert len(result.err.splitlines()) == 1


# ---------------------------------------------------------------- one


def test_the_story_names_the_ends_and_ends_with_the_verdict():
    lines = explain("tcp-keepalive", "--stream", "0")
    assert lines[0] == "Stream 0: 192.168.1.108:58144, client, and 192.168.1.109:9000, server; 15 segments in 7.16 s."
    assert lines[2].split()[:4] == ["frame", "time", "client", "server"]
    assert lines[lines.index("", 3) + 1].startswith("error: 192.168.1.109:9000 fell silent")


def test_keep_alives_are_seen_one_by_one():
    found, folded = ladder("tcp-keepalive")
    assert list(found) == list(range(1, 16))
    assert folded == []
    assert [frame for frame, row in found.items() if "keep-alive" in row[3] and "ACK" not in row[3]] == [6, 8, 10, 12, 13, 14]
    assert [frame for frame, row in found.items() if row[3] == "ACK to a keep-alive"] == [7, 9, 11]
    assert found[15][0] == found[15][2] == "CLOSED"
    assert [row[:1] + row[2:3] for row in (found[1], found[2], found[3])] == [
        ("SYN-SENT", "SYN-RCVD?"),
        ("ESTAB", "SYN-RCVD"),
        ("ESTAB", "ESTAB"),
    ]


def test_a_segment_is_shown_with_flags_numbers_and_window():
    """tshark: 1 [SYN] Seq=0 Win=64240 Len=0; 2 [SYN, ACK] Seq=0 Ack=1 Win=65160; 4 [PSH, ACK] Seq=1 Ack=1 Win=64512 Len=8."""
    found, _ = ladder("tcp-keepalive")
    assert found[1][1] == "SYN seq 0 win 64,240 ───▶"
    assert found[2][1] == "◀─── SYN, ACK seq 0 ack 1 win 65,160"
    assert found[4][1] == "seq 1 ack 1 8 bytes win 64,512 ───▶"


def test_quiet_stretches_are_folded():
    """300,000 bytes without a fault: 3 frames of the opening, 3 of the close. Frame 374 has FIN and the last 264 bytes."""
    found, folded = ladder("tcp-bulk")
    assert list(found) == [1, 2, 3, 374, 375, 376]
    assert [one[:2] + one[3:] for one in folded] == [("4", "373", "207", "299,736", "163", "0", "")]


@pytest.mark.parametrize("name", ["tcp-slowstart", "tcp-fastretx", "tcp-interactive", "tcp-zerowindow", "tcp-nagle"])
def test_every_frame_is_shown_or_folded_once(name):
    found, folded = ladder(name)
    frames_shown = sorted([*found, *(frame for first, last, *_ in folded for frame in range(int(first), int(last) + 1))])
    rows = run("table", "streams", str(RECORDINGS / f"{name}.pcap.xz"), "-T", "ndjson").out.splitlines()
    first = json.loads(rows[0])
    assert len(set(frames_shown)) == len(frames_shown)
    frames = int(first["frames"])
    assert set(frames_shown) >= {first["first_frame"], first["last_frame"]}
    assert len(found) + sum(int(there) + int(back.replace(",", "")) for *_, there, _, back, _, _ in folded) == frames


def test_what_was_sent_again_is_never_folded():
    """Frame 133 is the fast retransmission."""
    found, _ = ladder("tcp-fastretx")
    assert "sent again" in found[133][3]


def test_what_is_assumed_has_a_question_mark(save):
    trace = Trace().tcp(0, "s", "PA", 1, 1, b"x").tcp(0.01, "c", "A", 1, 2).tcp(0.02, "s", "FA", 2, 1)
    file = save(trace.pcap())
    found, _ = ladder(file)
    assert {frame: (row[0], row[2]) for frame, row in found.items()} == {
        1: ("ESTAB?", "ESTAB?"),
        2: ("ESTAB?", "ESTAB?"),
        3: ("CLOSE-WAIT?", "FIN-WAIT-1?"),
    }
    lines = explain(file, "--stream", "0")
    assert "client (a guess: no SYN was seen)" in lines[0]
    assert "1 byte " in lines[3]


def test_a_pause_is_seen():
    """docs/verdicts.md: after 1.10 s of silence 1 byte (frame 6), a RST 0.37 ms later (frame 7)."""
    found, _ = ladder("tcp-halfopen")
    assert "after 1.10 s" in found[6][3]
    assert "after" not in found[7][3]


# ---------------------------------------------------------------- terminals


def test_nothing_from_the_wire_reaches_the_terminal(save):
    """Control characters, escapes and turned writing in data, options and addresses."""
    from scapy.all import IP, TCP, Ether, IPv6, Raw

    evil = "\x1b]0;title\x07\x9b31m\u202e\r\n".encode()
    frames = [
        bytes(Ether() / IP(src="27.93.48.59", dst="7.13.10.27") / TCP(sport=7, dport=27, flags="S", seq=0x1B5B3331, options=[(253, evil)])),
        bytes(Ether() / IP(src="7.13.10.27", dst="27.93.48.59") / TCP(sport=27, dport=7, flags="PA", urgptr=0x1B5B) / Raw(evil)),
        bytes(Ether() / IPv6(src="1b5b:3331:6d::e280:ae0d", dst="fe80::7") / TCP(sport=7, dport=27, flags="SF") / Raw(evil)),
    ]
    name = save(pcap(*frames))
    for words in ([], ["--stream", "0"], ["--stream", "1"], *(["-T", form] for form in ("csv", "json", "ndjson"))):
        out = run("explain", name, *words).out
        assert out
        assert all(one == "\n" or one.isprintable() for one in out), words


def test_a_terminal_without_arrows_gets_them_spelled_out():
    words = [sys.executable, "-m", "analyzer", "explain", str(RECORDINGS / "tcp-keepalive.pcap.xz"), "--stream", "0"]
    done = subprocess.run(words, env={**os.environ, "PYTHONIOENCODING": "latin-1"}, capture_output=True, check=True)
    assert b"\\u25b6 SYN-RCVD?" in done.stdout


def test_a_server_that_takes_no_connection(save):
    """As http_espn_fail of docs/verdicts.md: each connection has its verdict, and one sentence says that it is the server."""
    trace = Trace()
    for port in (1, 2, 3):
        trace.port = 40000 + port
        for at in (0, 1, 3):
            trace.tcp(port + at, "c", "S", 0, ident=port * 10 + at)
    lines = run("explain", save(trace.pcap())).out
    assert lines.splitlines()[:2] == ["3 TCP connections: 3 error.", "Servers: 1 error."]
    text = " ".join(lines.split())
    assert "10.0.0.2:80 took none of 3 connections of 10.0.0.1 (no answer to the SYN; frames 1 to 9)." in text


def test_a_server_that_takes_some_is_none_of_it(save):
    trace = Trace().open()
    for port in (1, 2, 3):
        trace.port = 40000 + port
        trace.tcp(port, "c", "S", 0, ident=port).tcp(port + 1, "c", "S", 0, ident=port + 10)
    assert "took none" not in run("explain", save(trace.pcap())).out


@pytest.mark.parametrize("name", ["tcp-handshake", "tcp-close-3", "tcp-interactive", "tcp-bulk", "http"])
def test_what_works_raises_no_alarm(name):
    """Neither of TCP nor of what it carries: of the web server's 24 answers two are a 500 and a 503 that were asked for."""
    lines = explain(name)
    assert "chat: healthy" in " ".join(lines)
    assert not [line for line in lines if line.startswith(("error:", "warn:"))]
