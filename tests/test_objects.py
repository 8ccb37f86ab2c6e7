"""`analyze objects`: what HTTP, TFTP, FTP and SMTP carried, listed and saved; names that want to leave the folder; bombs; holes."""

import gzip
import json
import os
from pathlib import Path

import pytest
from conftest import BATCHES, RECORDINGS, Trace, run
from hypothesis import given
from hypothesis import strategies as st
from test_http import GET, OK, Script, parts
from test_http_transactions import answer, asked

from analyzer.report._objects import safe_name

MAC = "02:00:00:00:00:01"  # given, so that scapy asks nobody for one


def listed(name: str, *words: str) -> list[dict]:
    output = run("objects", name, *words, "-T", "ndjson")
    assert output.status == 0, output.err
    return [json.loads(line) for line in output.out.splitlines()]


def saved(name: str, folder: Path, *words: str) -> tuple[list[dict], dict[str, bytes]]:
    """Rows and files, the same in batches of 1, 7 and all."""
    found = []
    for size in BATCHES:
        place = folder / f"batch-{size}"
        rows = listed(name, "-o", str(place), "--batch-frames", str(size), *words)
        found.append((rows, {path.name: path.read_bytes() for path in sorted(place.iterdir())}))
        assert sorted(row["saved_as"] for row in rows if row["saved_as"]) == sorted(found[-1][1])
    assert found[0] == found[1] == found[2]
    return found[0]


def test_what_http_carried(tmp_path):
    """The same page plain, and chunked and compressed; a body that a request sent."""
    rows, files = saved(str(RECORDINGS / "http.pcap.xz"), tmp_path)
    assert len(rows) == 24
    assert files["000016-index.html"] == files["000363-index.html"] and len(files["000016-index.html"]) == 8207
    assert len(files["000178-data.bin"]) == 204_800 and files["000443-data.bin"] == files["000178-data.bin"][100:200]
    assert len(files["000491-x"]) == 5000
    assert next(row["problem"] for row in rows if row["frame"] == 443) == "a part, bytes 100-199/204800"


def test_without_a_folder_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = listed(str(RECORDINGS / "http.pcap.xz"))
    assert len(rows) == 24 and rows[0]["saved_as"] is None and not os.listdir()


def test_what_tftp_carried(tmp_path):
    """Blocks put together; one of them sent again."""
    rows, files = saved(str(RECORDINGS / "small-services.pcap.xz"), tmp_path)
    mine = [row for row in rows if row["protocol"] == "tftp"]
    assert [(row["name"], row["bytes"], row["problem"]) for row in mine] == [("boot.bin", 1500, None)]
    assert len(files[mine[0]["saved_as"]]) == 1500


def test_what_ftp_and_smtp_carried(tmp_path):
    """Two files of a passive and an active transfer, whole when their FIN comes; a mail. As many bytes as SIZE and the mail say."""
    rows, files = saved(str(RECORDINGS / "ftp.pcap.xz"), tmp_path / "ftp")
    found = [(row["frame"], row["stream"], row["protocol"], row["name"], row["bytes"], row["problem"]) for row in rows]
    assert found == [(130, 2, "ftp-data", "file.bin", 102_400, None), (257, 4, "ftp-data", "file.bin", 102_400, None)]
    assert files["000130-file.bin"] == files["000257-file.bin"] and len(files["000130-file.bin"]) == 102_400
    rows, files = saved(str(RECORDINGS / "smtp.pcap.xz"), tmp_path / "smtp")
    assert [(row["frame"], row["name"], row["problem"]) for row in rows] == [(18, "trace", None)]
    assert files["000018-trace.eml"].startswith(b"Subject: trace\r\n")


def tftp(*blocks: int, size: int = 512) -> bytes:
    from scapy.all import IP, UDP, Ether, Raw

    def datagram(source: str, target: str, sport: int, dport: int, data: bytes) -> bytes:
        return bytes(Ether(src=MAC, dst=MAC) / IP(src=source, dst=target) / UDP(sport=sport, dport=dport) / Raw(data))

    trace = Trace().put(0, datagram("10.0.0.1", "10.0.0.2", 5000, 69, b"\x00\x01../../etc/passwd\x00octet\x00"))
    for nth, block in enumerate(blocks):
        data = bytes([block]) * (size if block < 5 else 7)
        trace.put(1 + nth, datagram("10.0.0.2", "10.0.0.1", 6000, 5000, b"\x00\x03" + block.to_bytes(2, "big") + data))
    return trace.pcap()


def test_tftp_blocks_again_and_missing(save, tmp_path):
    rows, files = saved(save(tftp(1, 2, 2, 4, 5)), tmp_path)
    assert [(row["bytes"], row["problem"], row["saved_as"]) for row in rows] == [(4 * 512 + 7, "1 block missing", "000006-passwd")]
    assert files["000006-passwd"] == b"\1" * 512 + b"\2" * 512 + bytes(512) + b"\4" * 512 + b"\5" * 7


# ---------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("/../../../../etc/passwd", "passwd.html"),
        ("/%2e%2e%2f%2e%2e%2fetc%2fpasswd", "passwd.html"),
        ("/..", "http.html"),
        ("/a/..%5c..%5cboot.ini", "boot.ini"),
        ("/%00/x%00y.txt", "x_y.txt"),
        ("/a.php?file=/etc/passwd", "a.php"),
        ("/.bashrc", "bashrc.html"),
        ("/caf%C3%A9", "caf.html"),
        ("http://x/~user/", "user.html"),
        ("/" + "x" * 500, "x" * 80 + ".html"),
        ("/CON", "CON.html"),
        ("/-rf", "rf.html"),
    ],
)
def test_names_stay_in_the_folder(save, tmp_path, target, name):
    talk = Script().say("c", asked(target)).say("s", answer(200, b"x", b"Content-Type: text/html\r\n"))
    rows = listed(save(talk.trace.pcap()), "-o", str(tmp_path / "in" / "it"))
    assert [row["saved_as"] for row in rows] == [f"000005-{name}"]
    assert os.listdir(tmp_path / "in") == ["it"] and os.listdir(tmp_path / "in" / "it") == [f"000005-{name}"]


@given(st.text(max_size=200), st.text(max_size=40))
def test_any_name_is_harmless(name, kind):
    made = safe_name({"frame": 7, "name": name, "content_type": kind, "protocol": "http"})
    assert made.startswith("000007-") and len(made) < 110
    assert set(made) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


def test_nothing_is_written_over(save, tmp_path):
    """What is there already, a link among it, stays as it is."""
    name = save(Script().say("c", GET).say("s", OK).trace.pcap())
    place = tmp_path / "o"
    place.mkdir()
    (place / "000005-a").write_text("mine")
    (place / "000005-a-2").symlink_to(tmp_path / "elsewhere")
    assert listed(name, "-o", str(place))[0]["saved_as"] == "000005-a-3"
    assert (place / "000005-a").read_text() == "mine" and not (tmp_path / "elsewhere").exists()
    assert (place / "000005-a-3").read_bytes() == b"hello"


def test_a_folder_that_cannot_be(save, tmp_path):
    (tmp_path / "file").write_text("")
    output = run("objects", save(Script().say("c", GET).say("s", OK).trace.pcap()), "-o", str(tmp_path / "file" / "in"))
    assert output.status == 2 and "cannot be made a folder" in output.err


# ---------------------------------------------------------------- bytes


def test_a_bomb_is_cut(save, tmp_path):
    bomb = gzip.compress(bytes(5_000_000))
    talk = Script().say("c", GET).say("s", *parts(answer(200, bomb, b"Content-Encoding: gzip\r\n"), 1000))
    rows, files = saved(save(talk.trace.pcap()), tmp_path, "--most", "1000")
    assert [(row["bytes"], row["problem"]) for row in rows] == [(len(bomb), "too long")]
    assert list(files.values()) == [bytes(1000)]


def test_a_body_with_a_hole(save, tmp_path):
    """Zeros stand where bytes are missing, and the row says so."""
    body = bytes(97 + n % 26 for n in range(3000))
    sent = answer(200, body)
    talk = Script().say("c", GET).say("s", *parts(sent, 1000), skip=(1,)).wait("c")
    rows, files = saved(save(talk.trace.pcap()), tmp_path)
    head = len(sent) - 3000
    assert [(row["bytes"], row["problem"]) for row in rows] == [(3000, "1,000 bytes missing")]
    assert list(files.values()) == [body[: 1000 - head] + bytes(1000) + body[2000 - head :]]


def test_what_the_trace_does_not_end(save, tmp_path):
    talk = Script().say("c", GET).say("s", OK[:-2])
    rows, files = saved(save(talk.trace.pcap()), tmp_path)
    assert [(row["frame"], row["bytes"], row["problem"]) for row in rows] == [(None, 3, "the capture ends before it does")]
    assert files == {"000000-a": b"hel"}


def test_a_long_body_is_whole_and_little_of_it_is_held(save, tmp_path, monkeypatch):
    """3 MiB, of which a message keeps 1 MiB and this 100 kB at a time."""
    from analyzer.report import _objects

    monkeypatch.setattr(_objects, "MEMORY_LIMIT", 100_000)
    body = bytes(range(256)) * 12_288
    chunked = b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in parts(body, 50_000)) + b"0\r\n\r\n"
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    talk = Script().say("c", GET).say("s", *parts(head + chunked, 60_000))
    rows, files = saved(save(talk.trace.pcap()), tmp_path)
    assert [(row["bytes"], row["problem"]) for row in rows] == [(len(body), None)]
    assert files == {"000057-a": body}


def test_an_early_answer(save, tmp_path):
    """It comes before its request is whole: both are there, whatever the batch."""
    ask = asked("/up", method="PUT", body=b"x" * 60)
    talk = Script().say("c", *parts(ask, 100)[:1]).say("s", answer(413, b"no")).say("c", *parts(ask, 100)[1:])
    rows, _ = saved(save(talk.trace.pcap()), tmp_path)
    assert [(row["frame"], row["name"], row["bytes"]) for row in rows] == [(5, None, 2), (6, "/up", 60)]


def test_a_filter_keeps_objects_of_its_frames(save, tmp_path):
    talk = Script().say("c", GET).say("s", OK).say("c", GET).say("s", OK)
    rows, files = saved(save(talk.trace.pcap()), tmp_path, "-Y", "frame.number == 7")
    assert [row["frame"] for row in rows] == [7] and files == {"000007-a": b"hello"}
