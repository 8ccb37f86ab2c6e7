"""One packet as a tree: every field where it stands, faults where they are, and the bytes beside it."""

from __future__ import annotations

import re

from conftest import CAPTURES, pcap, run
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.all import IP, TCP, Ether, Raw

STORY = str(CAPTURES / "dns-http" / "dns-http.pcap")


def test_the_tree_of_a_syn():
    lines = run("packets", STORY, "-V", "--names", "-Y", "frame.number == 3").out.splitlines()
    for expected in (
        "Frame 3: 74 bytes on the wire, 74 captured",
        "    0   14  Ethernet  (eth)",
        "   12    2    Type or length: 0x0800  (eth.type_or_len)",
        "   23    1    Protocol: 6 (TCP)  (ip.proto)",
        "   20    2    010. .... .... .... = Flags: 0x02  (ip.flags)",
        "                .1.. .... .... .... = Don't fragment: yes  (ip.flags.df)",
        "   34    2    Source port: 51788  (tcp.srcport)",
        "                .... .... .... ..1. = Synchronize: yes  (tcp.flags.syn)",
        "              Maximum segment size: 1460  (tcp.options.mss_val)",
    ):
        assert expected in lines, expected


def test_the_dump_is_the_packet():
    lines = run("packets", STORY, "-x", "-c", "1").out.splitlines()
    assert lines[0].startswith("    1    0.000000")
    data = bytes.fromhex("".join(line[6:53] for line in lines[1:] if line))
    with open(STORY, "rb") as file:
        file.seek(24 + 16)
        assert data == file.read(42)


def test_only_the_protocols_asked_for_are_opened():
    lines = run("packets", STORY, "-O", "arp", "-c", "1").out.splitlines()
    assert "    0   14  Ethernet" in lines
    assert any("Operation: 1 (request)" in line for line in lines)
    assert not any("Destination:" in line for line in lines)
    assert run("packets", STORY, "-O", "apr").status == 2


def test_cuts_and_faults_stand_where_they_are(save):
    packet = bytes(Ether() / IP() / TCP(flags="S", options=[("MSS", 1460)]) / Raw(b"x"))
    cut = run("packets", save(pcap(packet[:45], lengths={0: len(packet)})), "-V").out
    assert "   34   11  TCP" in cut
    assert "   34         ! TCP cut by the capture: needs 20 bytes, 11 were kept" in cut
    assert "Sequence number: " in cut and "Acknowledgment number" not in cut
    lies = bytearray(packet)
    lies[46] = 0x10
    assert (
        "   46         ! TCP: header length is 4, less than the 20 of the shortest header"
        in run("packets", save(pcap(bytes(lies))), "-V").out
    )


@given(st.binary(min_size=1, max_size=120))
@settings(max_examples=60, deadline=None)
def test_any_bytes_have_a_tree_within_the_frame(tmp_path_factory, data):
    name = tmp_path_factory.getbasetemp() / "tree.pcap"
    name.write_bytes(pcap(bytes(12) + b"\x08\x00" + data))
    for line in run("packets", str(name), "-V").out.splitlines():
        place = re.match(r" *(\d+) +(\d+)  ", line)
        if place:
            assert int(place[1]) + int(place[2]) <= 14 + len(data)
