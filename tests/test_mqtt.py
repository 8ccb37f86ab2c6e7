"""MQTT: clients of mosquitto and their broker, and messages written after the standards. Expected values are tshark 4.0.17's answers, but
where a test says otherwise."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from conftest import BATCHES, Dialogue, pcap, recorded, run, same
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.all import IP, TCP, Ether, Raw

from analyzer.protocols import protocols

BROKER, FORMS = recorded("mqtt-broker"), recorded("mqtt-forms")
ALL = tuple(f.name for f in protocols()["mqtt"].fields())


def printed(name: str, only: str, *wanted: str) -> list[list[str]]:
    """The fields of the frames that the filter takes, the same in batches of 1, 7 and all frames."""
    words = [word for field in ("frame.number", *wanted) for word in ("-e", field)]
    result = {run("packets", name, "-Y", only, "--batch-frames", str(size), "-T", "fields", *words).out for size in BATCHES}
    assert len(result) == 1
    return [line.split("\t") for line in result.pop().splitlines()]


def frames(*numbers: int) -> str:
    return f"frame.number in {{{', '.join(map(str, numbers))}}}"


def findings(name: str) -> list[tuple[int, str]]:
    return [(row["frame.number"], row["summary"].split(",")[0]) for row in same(name, "expert") if row["protocol"] == "mqtt"]


def test_clients_connect_with_three_versions():
    wanted = ("protoname", "ver", "conflags", "kalive", "clientid", "willtopic", "willmsg", "username", "passwd")
    assert printed(BROKER, frames(7, 9, 24, 40, 231), *(f"mqtt.{name}" for name in wanted)) == [
        ["7", "MQTT", "4", "0x02", "60", "sub311", "", "", "", ""],
        ["9", "MQTT", "5", "0x00", "60", "sub5", "", "", "", ""],
        ["24", "MQIsdp", "3", "0x02", "60", "p0", "", "", "", ""],
        ["40", "MQTT", "4", "0xee", "60", "p1", "alerts/p1", "676f6e65", "bob", "pw"],
        ["231", "MQTT", "5", "0xce", "60", "raw5", "will/topic", "6c61737420776f726473", "user", "pass"],
    ]
    assert not findings(BROKER)


def test_the_broker_accepts_and_refuses():
    """What an answer means depends on the version of the CONNECT before it."""
    wanted = ("msgtype", "conack.flags", "conack.val", "connack.reason_code", "disconnect.reason_code", "property_id", "prop_number")
    assert printed(BROKER, frames(11, 13, 168, 178, 208, 251, 261, 304), *(f"mqtt.{name}" for name in wanted)) == [
        ["11", "2", "0x00", "", "0", "", "0x22,0x27,0x21", "10,5000,20"],
        ["13", "2", "0x00", "0", "", "", "", ""],
        ["168", "2", "0x00", "5", "", "", "", ""],
        ["178", "2", "0x00", "", "135", "", "", ""],
        ["208", "14", "", "", "", "4", "", ""],
        ["251", "14", "", "", "", "4", "0x1f,0x11", "0"],
        ["261", "2", "0x00", "", "140", "", "", ""],
        ["304", "14", "", "", "", "149", "", ""],
    ]


def test_a_version_that_nobody_knows_is_refused_as_before():
    """Frame 281 asks for version 7; the broker's answer is one of 3.1.1, return code 1. tshark calls it a reason code."""
    assert printed(BROKER, frames(281, 283), "mqtt.ver", "mqtt.conack.val", "mqtt.connack.reason_code") == [
        ["281", "7", "", ""],
        ["283", "", "1", ""],
    ]


def test_messages_are_published():
    wanted = ("hdrflags", "dupflag", "qos", "retain", "len", "topic", "msgid", "msg")
    assert printed(BROKER, frames(28, 44, 66, 85, 157), *(f"mqtt.{name}" for name in wanted)) == [
        ["28", "0x30", "0", "0", "0", "20", "home/hall/temp", "", "32312e35"],
        ["44", "0x32", "0", "1", "0", "22", "home/hall/temp", "1", "32322e30"],
        ["66", "0x34", "0", "2", "0", "22", "home/hall/temp", "2", "32322e35"],
        ["85", "0x32", "0", "1", "0", "90", "home/attic/temp", "1", "7b2274223a32337d"],
        ["157", "0x31", "0", "0", "1", "20", "home/hall/temp", "", "32322e35"],
    ]


def test_properties_of_version_5():
    wanted = ("property_len", "property_id", "prop_number", "prop_key", "prop_value", "property.content_type", "property.topic_alias")
    assert printed(BROKER, frames(85, 231), *(f"mqtt.{name}" for name in wanted)) == [
        ["85", "62", "0x03,0x26,0x02,0x01,0x08,0x09,0x23", "300,1", "unit", "celsius", "application/json", "5"],
        [
            "231",
            "30,45",
            "0x11,0x21,0x27,0x22,0x19,0x17,0x26,0x18,0x01,0x02,0x03,0x08,0x09,0x26",
            "10,20,4096,5,1,0,5,1,60",
            "who,k",
            "me,v",
            "text/plain",
            "",
        ],
    ]


def test_topics_are_subscribed():
    wanted = ("msgid", "topic", "sub.qos", "suback.qos", "subscription_options", "suback.reason_code", "unsuback.reason_code")
    assert printed(BROKER, frames(15, 16, 17, 18, 205, 206, 235, 236), *(f"mqtt.{name}" for name in wanted)) == [
        ["15", "1", "home/#", "", "", "0x0a", "", ""],
        ["16", "1", "", "", "", "", "2", ""],
        ["17", "1", "home/+/temp,alerts/#", "2,2", "", "", "", ""],
        ["18", "1", "", "", "2,2", "", "", ""],
        ["205", "2", "none", "", "", "", "", ""],
        ["206", "2", "", "", "", "", "", "0"],
        ["235", "1", "raw/+,$share/g/other,bad/#", "", "", "0x2e,0x01,0x02", "", ""],
        ["236", "1", "", "", "", "", "2,1,2", ""],
    ]


@pytest.mark.slow
def test_messages_are_whole_however_they_were_cut():
    """Several in a segment, one in several. Frames 294 to 300 cut one inside of its length, where tshark loses the stream."""
    assert printed(BROKER, frames(220, 237, 240, 250, 300), "mqtt.msgtype", "mqtt.len", "mqtt.topic", "mqtt.msgid", "tcp.segment") == [
        ["220", "3,3,3,3,14", "18,18,18,18,0", ",".join(["home/hall/count"] * 4), "", ""],
        ["237", "3,3,3", "18,28,30", "raw/a,raw/b", "2,3,4", ""],
        ["240", "4,5", "2,2", "", "3,4", ""],
        ["250", "3", "4010", "raw/big", "", "247,248,250"],
        ["300", "3", "311", "raw/tiny", "", "294,296,298,300"],
    ]


def test_authentication_goes_back_and_forth():
    wanted = (
        "msgtype",
        "auth.reason_code",
        "pubrec.reason_code",
        "pubrel.reason_code",
        "pubcomp.reason_code",
        "property.max_qos",
        "prop_string",
    )
    assert printed(FORMS, frames(5, 6, 7, 8, 9, 10), *(f"mqtt.{name}" for name in wanted)) == [
        ["5", "15", "24", "", "", "", "", "SCRAM-SHA-1,server-first"],
        ["6", "15", "24", "", "", "", "", "SCRAM-SHA-1,client-final"],
        ["7", "2", "", "", "", "", "1", "assigned,info,other:1883"],
        ["8", "15", "", "", "", "", "", ""],
        ["9", "15", "0", "", "", "", "", ""],
        ["10", "5,6,7", "", "146", "146", "146", "", ""],
    ]


def test_a_connection_that_began_before_the_capture():
    """Its version is not known: read as 3.1.1, like by tshark. Frame 48 is a bridge's CONNECT, version 3 with its first bit set."""
    assert printed(FORMS, frames(28, 29, 30, 48), "mqtt.msgtype", "mqtt.ver", "mqtt.topic", "mqtt.msg", "mqtt.willmsg") == [
        ["28", "3", "", "mid/stream", "74657874", ""],
        ["29", "4", "", "", "", ""],
        ["30", "3", "", "mid", "6d6f7265", ""],
        ["48", "1", "131", "", "", "00ff"],
    ]


def test_lies_are_reported():
    assert findings(FORMS) == [
        (11, "MQTT: property is not known"),
        (12, "MQTT: property is not known"),
        (13, "MQTT: remaining length is less than the fields need"),
        (14, "MQTT: remaining length is less than the fields need"),
        (15, "MQTT: fixed header's first byte has bits that the standard forbids"),
        (16, "MQTT: fixed header's first byte has bits that the standard forbids"),
        (17, "MQTT: remaining length is less than the fields need"),
        (43, "MQTT: remaining length is less than the fields need"),
        (44, "MQTT: remaining length is less than the fields need"),
    ]


def test_a_stream_goes_on_behind_what_is_no_message():
    """Frame 18 is cut by the capture, frame 35 begins with a type that is none, frame 38 with a length of five bytes."""
    rows = printed(FORMS, "tcp.len > 0 and frame.number > 16 and frame.number < 40", "mqtt.msgtype", "mqtt.topic")
    assert [row[:2] for row in rows if row[0] in ("17", "18", "19", "34", "35", "36", "38", "39")] == [
        ["17", "8"],
        ["18", ""],
        ["19", "3"],
        ["34", "1"],
        ["35", ""],
        ["36", "12"],
        ["38", ""],
        ["39", "3"],
    ]


def test_a_broker_on_any_port(save):
    """A CONNECT tells MQTT on port 80, too."""
    connect = b"\x10\x0f\0\4MQTT\4\2\0\x3c\0\3any"
    name = save(pcap(*Dialogue().open().add("c", "PA", 1, 1, connect).add("s", "PA", 1, 1 + len(connect), b"\x20\2\0\0").frames))
    assert printed(name, "mqtt", "mqtt.clientid", "mqtt.conack.val") == [["4", "any", ""], ["5", "", "0"]]


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.binary(max_size=60)), min_size=1, max_size=8),
    st.sampled_from((b"", b"\x10\x0f\0\4MQTT\5\2\0\x3c\0\0\2ab", b"\x10\x0e\0\4MQTT\4\2\0\x3c\0\2ab")),
    st.sampled_from((b"", b"\x30", b"\x32\x20\0\3", b"\x82\x10\0\1", b"\x20", b"\x10")),
)
def test_any_bytes_give_the_same_however_they_are_cut(parts, connect, head):
    at, packets = {True: 1, False: 1}, []
    for client, data in [(True, connect), *((client, head + data) for client, data in parts)]:
        ends, ports = (("10.0.0.1", "10.0.0.2"), (40000, 1883)) if client else (("10.0.0.2", "10.0.0.1"), (1883, 40000))
        layers = Ether() / IP(src=ends[0], dst=ends[1]) / TCP(sport=ports[0], dport=ports[1], flags="PA", seq=at[client]) / Raw(data)
        packets.append(bytes(layers))
        at[client] += len(data)
    with tempfile.TemporaryDirectory() as folder:
        name = str(Path(folder) / "any.pcap")
        Path(name).write_bytes(pcap(*packets))
        printed(name, "frame", *ALL)
        same(name, "expert")
        same(name, "undecoded")


@pytest.mark.parametrize("name", [BROKER, FORMS])
def test_every_recording_is_the_same_in_batches(name):
    printed(name, "mqtt", *ALL)
