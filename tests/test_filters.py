"""Display filters. Expected frames are those of tshark for the same filter, or counted by hand in the packet list of the story."""

from __future__ import annotations

import json

import pytest
from conftest import CAPTURES, SHARED, run
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer import Analysis
from analyzer.errors import UsageError
from analyzer.lookup import filtered

STORY = str(CAPTURES / "dns-http" / "dns-http.pcap")
CASES = {
    "tcp.port == 80 and tcp.flags.syn == 1": [14, 15],
    "tcp.port eq 80 && tcp.flags.syn == true": [14, 15],
    "arp": [1, 2, 6, 7],
    "arp.opcode == reply": [2, 7],
    "arp.opcode == 1 or arp.opcode == 2": [1, 2, 6, 7],
    "arp xor eth.dst == ff:ff:ff:ff:ff:ff": [2, 7],
    "ip.addr == 198.51.100.0/24": [8, 9, 12, 13],
    "tcp.len > 1000 and not ip.src == 192.168.1.109": [19, 21, 23, 25, 27, 29],
    "tcp.len ge 1448 and !(ip.src == 192.168.1.109)": [19, 21, 23, 25, 27],
    "tcp.dstport in {80, 3128..3130} and tcp.len gt 0": [10, 17, 53, 55],
    'udp.payload contains "example"': [12, 13],
    "udp.payload contains 07:65:78:61": [12, 13],
    'udp.payload matches "EX.MPLE"': [12, 13],
    "tcp.flags & 0x01": [47, 48, 62, 63],
    "frame.number <= 3": [1, 2, 3],
    "ip.ttl == 0x40 and udp": [8, 12],
    "tcp.options.mss_val and tcp.dstport == 3128": [3, 50],
    "(tcp.flags.syn == 1) and (tcp.flags.ack == 0)": [3, 14, 50],
    "ip.src == ip.dst": [],
    "udp and dns": [8, 9, 12, 13],
    "ip.ttl == 999999999999": [],
}


def frames(expression: str, batch: int | None = None) -> list[int]:
    result = run(
        "packets", STORY, "-Y", expression, "-T", "fields", "-e", "frame.number", *(["--batch-frames", str(batch)] if batch else [])
    )
    assert result.status == 0, result.err
    return [int(line) for line in result.out.split()]


@pytest.mark.parametrize("expression", list(CASES))
@pytest.mark.parametrize("batch", [None, 1, 7])
def test_frames_that_match(expression, batch):
    assert frames(expression, batch) == CASES[expression]


def test_not_equal_means_that_no_value_is_equal():
    neither = frames("ip.addr != 192.168.1.109")
    assert neither == []
    assert set(frames("ip.addr ~= 192.168.1.109")) == set(frames("ip"))
    assert 1 not in frames("ip.src != 1.2.3.4")  # a frame without the field matches nothing


def test_tables_see_only_what_matches():
    table = Analysis(STORY, filter="tcp.port == 80").table("conversations")
    assert table.filter(protocol="tcp")["frames"].to_list() == [20]
    assert table.filter(protocol="udp").is_empty()
    assert Analysis(STORY, filter="udp").table("frames")["frame.number"].to_list() == [8, 9, 12, 13]
    assert Analysis(STORY, filter="arp").table("hierarchy")["frames"].to_list() == [4, 4]
    assert len(run("packets", STORY, "-Y", "arp").out.splitlines()) == 4
    # Numbers that depend on earlier frames do not change when those are filtered out.
    later = Analysis(STORY, filter="frame.number > 20 and tcp.port == 80").table("tcp")
    assert set(later["tcp.stream"]) == {1}


@pytest.mark.parametrize(
    ("expression", "column", "reason"),
    [
        ("ip.ttl ==", 10, "not understood"),
        ("tcp.prt == 5", 1, "tcp.port"),
        ("ip.ttl == fast", 11, "a number"),
        ("arp.opcode == shout", 15, "request, reply"),
        ("ip.src == 300.1.1.1", 11, "address"),
        ("ip.src == ::1", 11, "IPv4"),
        ("ip.ttl contains 5", 17, "contains"),
        ('ip.ttl matches "5"', 16, "matches"),
        ('udp.payload matches "("', 21, "regular"),
        ("tcp == 5", 1, "protocol"),
        ("eth.src == 1:2", 13, ""),
        ("ip and", 7, "not understood"),
        ("", 1, ""),
    ],
)
def test_an_error_points_at_its_column(expression, column, reason):
    if not expression:
        assert run("packets", STORY, "-Y", expression).status == 0
        return
    result = run("packets", STORY, "-Y", expression)
    assert result.status == 2
    assert f"column {column}:" in result.err
    assert reason in result.err


@given(st.text(alphabet='ip.addr=!<>&|(){}"1:x tcporn', max_size=30))
@settings(max_examples=100, deadline=None)
def test_any_text_is_a_filter_or_one_clear_error(expression):
    try:
        filtered(expression)
    except UsageError as error:
        assert "column" in str(error)


FACTS = SHARED / "labs" / "captures" / "facts.json"


@pytest.mark.slow
@pytest.mark.skipif(not FACTS.exists(), reason="../shared is not there")
def test_facts_of_the_labs_hold_whose_fields_exist():
    counted = unknown = 0
    wrong = []
    for lab in json.loads(FACTS.read_text()).values():
        for fact in lab["facts"]:
            try:
                filtered(fact["filter"])
            except UsageError:
                unknown += 1
                continue
            table = Analysis(str(FACTS.parent / fact["file"]), filter=fact["filter"]).table("frames")
            counted += 1
            if len(table) != fact["n"]:
                wrong.append((fact["file"], fact["filter"], fact["n"], len(table)))
    print(f"{counted} facts hold, {unknown} need fields that do not exist yet")
    assert not wrong
