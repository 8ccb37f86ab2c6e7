"""What people type: every mistake is one sentence and a status; every form says the same."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys

import pytest
from conftest import CAPTURES, ROOT, pcap, run

ARP = str(CAPTURES / "arp" / "arp.pcap")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nothing.pcap"], "nothing.pcap: no such file"),
        (["docs"], "no capture in there"),
        (["README.md"], "no pcap or pcapng capture"),
        (["packets", ARP, "-T", "fields", "-e", "ip.scr"], "ip.src"),
        (["packets", ARP, "-T", "fields"], "-e FIELD"),
        (["packets", ARP, "-T", "xml"], "xml"),
        (["packets", ARP, "-t", "z"], "'z'"),
        (["packets", ARP, "-E", "colour=red"], "colour"),
        (["table", "conversation", ARP], "conversations"),
        (["table", "frames"], "CAPTURE"),
        (["--wat"], "--wat"),
        (["packets", "--wat", ARP], "--wat"),
        (["fields", "tcp.flgs"], "tcp.flags"),
        (["report", ARP, "--batch-frames", "0"], "0"),
    ],
)
def test_a_mistake_is_one_sentence_and_status_2(words, says, monkeypatch):
    monkeypatch.chdir(ROOT)
    result = run(*words)
    assert result.status == 2
    assert result.err.startswith("analyze: ")
    assert says in result.err
    assert result.err.count("\n") == 1
    assert result.out == ""


def test_an_empty_file_and_broken_gzip_are_named(save):
    assert "empty" in run(save(b"")).err
    assert "gzip data that is damaged at once" in run(save(b"\x1f\x8b\x08" + bytes(30))).err


@pytest.mark.parametrize("table", ["frames", "arp", "conversations", "expert", "hierarchy", "captures"])
def test_all_forms_hold_the_same_rows(table):
    objects = json.loads(run("table", table, ARP, "-T", "json").out)
    lines = [json.loads(line) for line in run("table", table, ARP, "-T", "ndjson").out.splitlines()]
    cells = list(csv.reader(io.StringIO(run("table", table, ARP, "-T", "csv").out)))
    tabbed = [line.split("\t") for line in run("table", table, ARP, "-T", "fields").out.splitlines()]
    text = run("table", table, ARP).out.splitlines()
    assert objects == lines
    assert cells[0] == list(lines[0])
    assert len(lines) == len(cells) - 1 == len(tabbed) == len(text) - 1
    assert cells[1:] == tabbed
    for name, cell in zip(cells[0], cells[1], strict=True):
        value = lines[0][name]
        if isinstance(value, (int, str)) and not isinstance(value, bool):
            assert cell == str(value)


def test_the_report_as_json_holds_its_tables():
    tables = json.loads(run(ARP, "-T", "json").out)
    assert tables["captures"][0]["frames"] == 22
    assert {row["protocol"] for row in tables["conversations"]} == {"eth", "ip", "tcp"}


@pytest.mark.parametrize("width", [60, 80, 132])
def test_the_report_keeps_to_the_width(monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    assert max(map(len, run(str(CAPTURES / "dns-http" / "dns-http.pcap")).out.splitlines())) <= width


def test_a_count_ends_early():
    assert len(run("packets", ARP, "-c", "3").out.splitlines()) == 3
    assert json.loads(run("table", "captures", ARP, "-c", "3", "-T", "ndjson").out)["frames"] == 3


@pytest.mark.parametrize(
    ("clock", "first", "second"),
    [("r", "0.000000", "0.000052"), ("d", "0.000000", "0.000052"), ("e", "1795562130.925", "1795562130.925"), ("u", "23:15:30.925", "23:15:30.925"),
     ("ud", "2026-11-24 23:15:30.925", "2026-11-24 23:15:30.925"), ("udoy", "2026/328 23:15:30.925", "2026/328 23:15:30.925")],
)  # fmt: skip
def test_time_forms(clock, first, second):
    lines = run("packets", ARP, "-c", "2", "-t", clock).out.splitlines()
    assert first in lines[0]
    assert second in lines[1]


def test_local_times_follow_the_zone_and_utc_overrules(monkeypatch):
    words = [sys.executable, "-m", "analyzer", "packets", ARP, "-c", "1", "-t", "ad"]
    local = subprocess.run(words, env={"TZ": "Asia/Tokyo", "PATH": ""}, capture_output=True, text=True, check=True).stdout
    assert "2026-11-25 08:15:30.925" in local
    assert "2026-11-24 23:15:30.925" in run(*words[3:], "--utc").out


def test_fields_are_printed_as_tshark_prints_them():
    wanted = ["frame.number", "eth.src", "arp.opcode", "arp.proto.type", "tcp.flags", "tcp.option_kind", "ip.addr", "frame.time_epoch"]
    words = [word for name in wanted for word in ("-e", name)]
    lines = run("packets", ARP, "-T", "fields", *words, "-E", "header=y", "-E", "separator=;").out.splitlines()
    assert lines[0] == ";".join(wanted)
    assert lines[1].startswith("1;00:16:d3:5c:b9:e3;1;0x0800;;;;1795562130.925")
    assert lines[3].split(";")[4:7] == ["0x0002", "2,4,8,1,3", "192.168.1.108,192.168.1.109"]
    one = run("packets", ARP, "-c", "3", "-T", "fields", "-e", "tcp.option_kind", "-E", "occurrence=l", "-E", "quote=d").out
    assert one == '\n\n"3"\n'
    assert (
        run("packets", ARP, "-c", "3", "-T", "fields", "-e", "ip.addr", "-E", "aggregator=/s").out.splitlines()[2]
        == "192.168.1.108 192.168.1.109"
    )


def test_columns_of_the_packet_line():
    result = run(
        "packets", ARP, "-c", "3", "-T", "fields", "-e", "_ws.col.Protocol", "-e", "_ws.col.Source", "-e", "_ws.col.Info"
    ).out.splitlines()
    assert result[0] == "ARP\t00:16:d3:5c:b9:e3\trequest for 192.168.1.109 from 192.168.1.108 at 00:16:d3:5c:b9:e3"
    assert result[2].startswith("TCP\t192.168.1.108\t34172 → 7 [SYN] Seq=0 Win=64240 Len=0 MSS=1460")


def test_nothing_from_a_file_reaches_the_terminal_unescaped(save):
    from test_pcapng import interface, option, packet, section

    evil = "\x1b]0;title\x07\x9b31m\u202e\r\n".encode()
    data = section("<", option("<", 1, evil)) + interface("<", options=option("<", 2, evil)) + packet("<", 1, options=option("<", 1, evil))
    name = save(data)
    for words in (
        [name],
        ["packets", name, "-T", "fields", "-e", "frame.comment", "-e", "frame.interface_name"],
        *(["table", table, name, "-T", form] for table in ("frames", "captures") for form in ("text", "csv", "fields", "json", "ndjson")),
    ):
        out = run(*words).out
        assert not set(out) & set("\x1b\x07\x9b\u202e\r"), words
    assert json.loads(run("table", "frames", name, "-T", "ndjson").out)["frame.comment"] == [evil.decode()]


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_pipe_that_closes_ends_quietly(save, unbuffered):
    name = save(pcap(*[b"\xff" * 60] * 30_000))
    words, env = [sys.executable, "-m", "analyzer", "packets", name], {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env) as child:
        assert child.stdout is not None and child.stderr is not None
        child.stdout.readline()
        child.stdout.close()
        assert child.stderr.read() == b""
    assert child.returncode == 128 + 13


def test_a_terminal_without_arrows_gets_them_spelled_out(save):
    words, env = [sys.executable, "-m", "analyzer", "packets", save(pcap(b"\xff" * 60))], {**os.environ, "PYTHONIOENCODING": "latin-1"}
    assert b" \\u2192 " in subprocess.run(words, env=env, capture_output=True, check=True).stdout


def test_help_and_version_load_neither_numpy_nor_polars():
    code = "import sys; from analyzer.cli import run; run(['--help']); run(['packets', '--help']); print(*sorted({'numpy', 'polars'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == ""


def test_packet_lines_do_without_polars():
    code = f"import sys; from analyzer.cli import run; run(['packets', {ARP!r}]); run(['packets', {ARP!r}, '-T', 'fields', '-e', 'ip.src']); print('polars' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


def test_the_default_of_max_streams_is_that_of_programs():
    """It stands twice, since the command line's options load no NumPy."""
    from analyzer.cli.options import READING
    from analyzer.defaults import MAX_STREAMS

    assert [option_default(one) for one in READING if option_default(one)] == [MAX_STREAMS]


def option_default(option) -> object:
    """What a click decorator gives an option that is left out, None for most."""
    made = option(lambda: None).__click_params__[0]
    return made.default if isinstance(made.default, int) and not made.is_flag else None
