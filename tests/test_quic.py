"""QUIC: packets of RFC 9001's and RFC 9369's appendices, and others made the same way; what RFC 9000 says of them."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from conftest import BATCHES, pcap, run, same
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer import Analysis
from analyzer.correlators import quic_initial
from analyzer.protocols import register
from analyzer.protocols.common import quic_packets

V1, V2 = 1, 0x6B3343CF
DCID = bytes.fromhex("8394c8f03e515708")  # RFC 9001 §A.1
SCID = bytes.fromhex("f067a5502a4262b5")
HELLO = bytes.fromhex(  # §A.2, the handshake message in the CRYPTO frame
    "010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e86804fe3a47f06a2b69484c00000413011302010000c000000010000e00000b6578616d706c652e"
    "636f6dff01000100000a00080006001d0017001800100007000504616c706e000500050100000000003300260024001d00209370b2c9caa47fbabaf4559fedba753d"
    "e171fa71f50f1ce15d43e994ec74d748002b0003020304000d0010000e0403050306030203080408050806002d00020101001c00024001003900320408ffffffffff"
    "ffffff05048000ffff07048000ffff0801100104800075300901100f088394c8f03e51570806048000ffff"
)
ANSWER = bytes.fromhex(  # §A.3, its frames: an ACK, and a server hello in CRYPTO
    "02000000000600405a020000560303eefce7f7b37ba1d1632e96677825ddf73988cfc79825df566dc5430b9a045a1200130100002e00330024001d00209d3c940d89"
    "690b84d08a60993c144eca684d1081287c834d5311bcf32bb9da1a002b00020304"
)
SERVER_INITIAL = bytes.fromhex(  # §A.3, protected
    "cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac406a5816b6394100f37a1c69797554780bb38cc5a99f5ede4cf73c3ec2493a1839b3dbcb"
    "a3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bded74b562bfb19fb84022f8ef4cdd93795d77d06edbb7aaf2f58891850abbdca3d20398c276456cbc42158407d"
    "d074ee"
)
RETRY = bytes.fromhex("ff000000010008f067a5502a4262b5746f6b656e04a265ba2eff4d829058fb3f0f2496ba")  # §A.4
RETRY_2 = bytes.fromhex("cf6b3343cf0008f067a5502a4262b5746f6b656ec8646ce8bfe33952d955543665dcc7b6")  # RFC 9369 §A.4
SALT = {V1: "38762cf7f55934b34d179ae6a4c80cadccbb7f0a", V2: "0dede3def700a6db819381be6e269dcbf9bd2ed9"}
WORD = {V1: b"quic", V2: b"quicv2"}
CRYPTO = b"\x06\x00\x40\xf1" + HELLO


def varint(n: int, size: int = 0) -> bytes:
    size = size or next(s for s in (1, 2, 4, 8) if n < 1 << 8 * s - 2)
    return (n | {1: 0, 2: 1, 4: 2, 8: 3}[size] << 8 * size - 2).to_bytes(size, "big")


def expand(key: bytes, label: bytes, size: int) -> bytes:
    info = struct.pack(">HB", size, len(label) + 6) + b"tls13 " + label + b"\0"
    return HKDFExpand(SHA256(), size, info).derive(key)


def initial(frames: bytes, number: int = 0, *, who: str = "client", dcid: bytes = DCID, to: bytes | None = None, own: bytes = b"",
            version: int = V1, token: bytes = b"", size: int = 4, fill: int = 0) -> bytes:  # fmt: skip
    """A protected Initial packet. dcid: that which the keys hang on; to, own: the ids in the header; fill: bytes of frames."""
    mac = HMAC(bytes.fromhex(SALT[version]), SHA256())
    mac.update(dcid)
    secret = expand(mac.finalize(), b"client in" if who == "client" else b"server in", 32)
    key, iv, hp = (expand(secret, WORD[version] + b" " + name, n) for name, n in ((b"key", 16), (b"iv", 12), (b"hp", 16)))
    to = dcid if to is None else to
    frames = frames.ljust(fill, b"\0")
    kind = 0 if version == V1 else 1
    head = (
        bytes([0xC0 | kind << 4 | size - 1])
        + struct.pack(">IB", version, len(to))
        + to
        + bytes([len(own)])
        + own
        + varint(len(token))
        + token
    )
    head += varint(size + len(frames) + 16, 2) + number.to_bytes(8, "big")[-size:]
    nonce = (int.from_bytes(iv, "big") ^ number).to_bytes(12, "big")
    sealed = AESGCM(key).encrypt(nonce, frames, head)
    mask = Cipher(algorithms.AES(hp), modes.ECB()).encryptor().update(sealed[4 - size : 20 - size])
    hidden = bytearray(head)
    hidden[0] ^= mask[0] & 0x0F
    for i in range(size):
        hidden[len(head) - size + i] ^= mask[1 + i]
    return bytes(hidden) + sealed


def long(kind: int, to: bytes, own: bytes, size: int, version: int = V1) -> bytes:
    """A packet with a long header that is no Initial: encrypted bytes."""
    return (
        bytes([0xC0 | kind << 4 | 5])
        + struct.pack(">IB", version, len(to))
        + to
        + bytes([len(own)])
        + own
        + varint(size, 2)
        + b"\x5a" * size
    )


def short(to: bytes, size: int = 30, spin: int = 0) -> bytes:
    return bytes([0x4B | spin << 5]) + to + b"\xa5" * size


def datagram(data: bytes, who: str = "client", port: int = 443, client: int = 50000) -> bytes:
    """An Ethernet frame with a UDP datagram between 10.0.0.1 and 10.0.0.2."""
    ends = [(bytes([10, 0, 0, 1]), client), (bytes([10, 0, 0, 2]), port)]
    (source, sport), (target, dport) = ends if who == "client" else ends[::-1]
    udp = struct.pack(">HHHH", sport, dport, 8 + len(data), 0) + data
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, source, target)
    return bytes(12) + b"\x08\x00" + ip + udp


def talk(*result: bytes | tuple, **more: int) -> list[bytes]:
    """Frames: of the client, or of the server where it says so."""
    return [datagram(one, "client", **more) if isinstance(one, bytes) else datagram(one[0], "server", **more) for one in result]


def table(name: str, *fields: str, of: str = "quic") -> list[tuple]:
    """These fields of each header, the same in batches of 1, 7 and all."""
    found = [Analysis(name, batch_frames=n).table(of).select("frame.number", *fields).rows() for n in BATCHES]
    assert found[0] == found[1] == found[2]
    return found[0]


def shown(name: str, *fields: str) -> list[list[str]]:
    result = run("packets", name, "-T", "fields", *(word for f in fields for word in ("-e", f)))
    return [line.split("\t") for line in result.out.splitlines()]


FIRST = initial(CRYPTO, 2, fill=1162)


# ---------------------------------------------------------------- the RFCs' own packets


def test_the_tests_make_packets_as_the_appendices_do():
    assert FIRST.startswith(
        bytes.fromhex("c000000001088394c8f03e5157080000449e7b9aec34d1b1c98dd7689fb8ec11d242b123dc9bd8bab936b47d92ec356c")
    )
    assert FIRST.endswith(bytes.fromhex("e221af44860018ab0856972e194cd934"))
    second = initial(CRYPTO, 2, version=V2, fill=1162)
    assert second.startswith(bytes.fromhex("d76b3343cf088394c8f03e5157080000449ea0c95e82ffe67b6abcdb4298b485"))
    assert second.endswith(bytes.fromhex("a18b2faa745b6fe189cf772a9f84cbfc"))
    assert initial(ANSWER, 1, who="server", to=b"", own=SCID, size=2) == SERVER_INITIAL


def test_the_initials_of_the_appendix(save):
    name = save(pcap(*talk(FIRST, (SERVER_INITIAL,))))
    fields = (
        "quic.version",
        "quic.long.packet_type",
        "quic.packet_number",
        "quic.packet_number_length",
        "quic.length",
        "quic.token_length",
    )
    assert table(name, *fields) == [(1, 1, 0, 2, 3, 1182, 0), (2, 1, 0, 1, 1, 117, 0)]
    result = (
        "quic.dcid",
        "quic.scid",
        "quic.frame_type",
        "quic.crypto.offset",
        "quic.crypto.length",
        "quic.padding_length",
        "quic.packet_length",
    )
    assert shown(name, *result, "quic.ack.largest_acknowledged", "frame.protocols") == [
        ["8394c8f03e515708", "", "6,0", "0", "241", "917", "1200", "", "eth:ethertype:ip:udp:quic:tls"],
        ["", "f067a5502a4262b5", "2,6", "0", "90", "", "135", "0", "eth:ethertype:ip:udp:quic:tls"],
    ]


def test_the_hellos_in_them(save):
    name = save(pcap(*talk(FIRST, (SERVER_INITIAL,))))
    result = ("type", "extensions_server_name", "extensions_alpn_str", "ciphersuite", "extensions_key_share_group", "chosen_version")
    assert shown(name, *(f"tls.handshake.{one}" for one in result), "tls.record.content_type") == [
        ["1", "example.com", "alpn", "0x1301,0x1302", "29", "", ""],
        ["2", "", "", "0x1301", "29", "0x0304", ""],
    ]
    ja4 = shown(name, "tls.handshake.ja4_r")[0][0]
    assert ja4 == (  # https://github.com/FoxIO-LLC/ja4: q, the newest version, d for a name, suites, extensions, the ends of "alpn"
        "q13d0211an_1301,1302_0005,000a,000d,001c,002b,002d,0033,0039,ff01_0403,0503,0603,0203,0804,0805,0806"
    )


def test_a_filter_may_ask_for_the_protocol_alone(save):
    name = save(pcap(*talk(FIRST, (SERVER_INITIAL,))))
    assert run("packets", name, "-Y", "quic", "-T", "fields", "-e", "frame.number").out.split() == ["1", "2"]


def test_tls_connections_has_a_row_of_it(save):
    name = save(pcap(*talk(FIRST, (SERVER_INITIAL,))))
    (row,) = same(name, "tls_connections")
    assert [row[one] for one in ("transport", "stream", "client", "client_port", "server", "server_port")] == [
        "quic", 0, "10.0.0.1", 50000, "10.0.0.2", 443,
    ]  # fmt: skip
    assert (row["server_name"], row["version"], row["cipher"], row["group"]) == (
        "example.com",
        "TLS 1.3",
        "TLS_AES_128_GCM_SHA256",
        "x25519",
    )
    assert row["answer_time"].total_seconds() == 1


@pytest.mark.parametrize("version, retry", [(V1, RETRY), (V2, RETRY_2)])
def test_a_retry_goes_on_with_the_same_connection(save, version, retry):
    first = initial(CRYPTO, 0, version=version, fill=1162)
    again = initial(CRYPTO, 1, version=version, dcid=SCID, token=b"token", fill=1162)
    name = save(pcap(*talk(first, (retry,), again)))
    assert table(name, "quic.connection.number", "quic.retry_genuine", "quic.packet_number") == [
        (1, 0, None, 0),
        (2, 0, True, None),
        (3, 0, None, 1),
    ]
    assert shown(name, "quic.retry_token", "quic.retry_integrity_tag", "quic.token", "quic.words") == [
        ["", "", "", "Initial"],
        ["746f6b656e", retry[-16:].hex(), "", "Retry"],
        ["", "", "746f6b656e", "Initial"],
    ]
    forged = save(pcap(*talk(first, (retry[:-1] + b"\0",))), "forged.pcap")
    assert table(forged, "quic.retry_genuine")[1] == (2, False)


# ---------------------------------------------------------------- packets in datagrams


def test_several_packets_in_a_datagram(save):
    """RFC 9000 §12.2; what fills it up behind the last is no packet."""
    lot = SERVER_INITIAL + long(2, b"", SCID, 100) + short(b"")
    name = save(pcap(*talk(FIRST, (lot,), initial(b"\x02\x01\x00\x00\x00", 3, to=SCID) + long(2, SCID, b"", 40) + bytes(30))))
    found = table(name, "quic.words", "quic.packet_length", "quic.rest_length", "quic.header_form")
    assert found == [
        (1, "Initial", 1200, None, 1),
        (2, "Initial", 135, None, 1),
        (2, "Handshake", 117, None, 1),
        (2, "1-RTT", 31, None, 0),
        (3, "Initial", 43, None, 1),
        (3, "Handshake", 57, 30, 1),
    ]
    assert shown(name, "frame.protocols")[1] == ["eth:ethertype:ip:udp:quic:tls"]


def test_a_hello_in_several_initials_whatever_their_order(save):
    first, second = (
        initial(b"\x06" + varint(at) + varint(len(part)) + part, n) for n, (at, part) in enumerate(((0, HELLO[:150]), (150, HELLO[150:])))
    )
    for order in ((first, second), (second, first), (second, second, first), (first, first, second)):
        name = save(pcap(*talk(*order)))
        hellos = table(name, "tls.handshake.extensions_server_name", "tls.handshake.length", of="tls.quic")
        assert hellos == [(len(order), ["example.com"], [237])]
    assert table(name, "quic.crypto.offset", "quic.crypto.length") == [(1, [0], [150]), (2, [0], [150]), (3, [150], [91])]


def test_frames_of_a_hello_are_shuffled_within_a_packet(save):
    """As Chrome sends them."""
    cuts = [(100, 30), (0, 1), (130, 111), (50, 50), (1, 49)]
    frames = b"\x01\0\0".join(b"\x06" + varint(at) + varint(size) + HELLO[at : at + size] for at, size in cuts)
    name = save(pcap(*talk(initial(frames))))
    assert table(name, "quic.crypto.offset", "quic.frame_type") == [(1, [100, 0, 130, 50, 1], [6, 1, 0, 6, 1, 0, 6, 1, 0, 6, 1, 0, 6])]
    assert [rows for _, rows in table(name, "tls.handshake.extensions_server_name", of="tls.quic")] == [["example.com"]]


def test_a_short_header_is_told_behind_a_long_one_alone(save):
    name = save(pcap(*talk(short(SCID), FIRST, (SERVER_INITIAL,), short(SCID, spin=1), (short(b""),), short(SCID))))
    assert table(name, "quic.words", "quic.spin_bit")[2:] == [(4, "1-RTT", True), (5, "1-RTT", False), (6, "1-RTT", False)]
    assert [row[0] for row in shown(name, "quic.dcid")] == ["", DCID.hex(), "", SCID.hex(), "", SCID.hex()]
    assert same(name, "undecoded")[0]["frames"] == 1


def test_ports(save):
    """Wherever the bytes leave no doubt; on 443 if they agree; else not."""
    unknown = long(0, DCID, SCID, 40, version=0x51303530)
    for port, bytes_, words in (
        (9999, FIRST, ["Initial"]),
        (9999, unknown, []),
        (443, unknown, ["of an unknown version"]),
        (443, b"\x16\xfe\xff\0\0\0\0\0\0\0\0\0\x10" + bytes(16), []),  # a DTLS record
        (443, b"\xc0\0\0\0\x01\x15" + bytes(60), []),  # a connection id of 21 bytes
        (443, b"", []),
    ):
        assert [one for _, one in table(save(pcap(*talk(bytes_, port=port))), "quic.words")] == words


def test_version_negotiation(save):
    """RFC 9000 §6, §15: a version that nobody has, what the server has, and the connection."""
    asks = long(0, DCID, b"", 1190, version=0x1A2A3A4A)
    answer = bytes([0xAA]) + bytes(4) + b"\0\x08" + DCID + struct.pack(">III", 0x0A0A0A0A, V1, V2)
    name = save(pcap(*talk(asks, (answer,), FIRST, port=4433)))
    assert table(name, "quic.words", "quic.supported_version", "quic.vn.unused", "quic.connection.number") == [
        (1, "of an unknown version", [], None, 0),
        (2, "Version Negotiation", [0x0A0A0A0A, V1, V2], 0x2A, 0),
        (3, "Initial", [], None, 0),
    ]
    assert table(name, "tls.handshake.extensions_server_name", of="tls.quic") == [(3, ["example.com"])]


def test_an_answer_in_another_version(save):
    """RFC 9368: keys of version 2 from the id that the client chose in version 1."""
    name = save(pcap(*talk(FIRST, (initial(ANSWER, 0, who="server", to=b"", own=SCID, version=V2),))))
    assert table(name, "quic.long.packet_type", "quic.long.packet_type_v2", "quic.packet_number") == [(1, 0, None, 2), (2, None, 1, 0)]


def test_two_connections_between_the_same_ports(save):
    other = bytes(range(8))
    name = save(pcap(*talk(FIRST, (SERVER_INITIAL,), short(SCID), initial(CRYPTO, dcid=other, fill=1162), short(SCID))))
    assert [n for _, n in table(name, "quic.connection.number")] == [0, 0, 0, 1, 1]
    assert [row["stream"] for row in same(name, "tls_connections")] == [0, 1]


# ---------------------------------------------------------------- what cannot be read


def test_why_an_initial_was_not_read(save):
    name = save(pcap(*talk((SERVER_INITIAL,), initial(b"\x01" * 30, to=SCID))))
    assert [why[:8] for _, why in table(name, "quic.unread")] == ["its keys", "its keys"]
    assert shown(name, "quic.frame_type", "quic.packet_number") == [["", ""], ["", ""]]


def test_keys_are_told_by_a_packet_that_was_cut(save):
    frames = talk(FIRST, (SERVER_INITIAL,))
    name = save(pcap(frames[0][:200], frames[1], lengths={0: len(frames[0])}))
    assert table(name, "quic.unread", "quic.packet_number") == [(1, "cut by the capture", None), (2, None, 1)]
    assert table(name, "tls.handshake.type", of="tls.quic") == [(2, [2])]


def test_lies_are_told(save):
    """A length beyond the datagram, one that leaves no room; a frame that does not fit, or may not be in an Initial (RFC 9000 §12.4)."""
    far = bytearray(long(2, SCID, b"", 40))
    far[15:17] = varint(9000, 2)
    name = save(pcap(*talk(FIRST, bytes(far), initial(b"\x06\x00\x40\xff" + HELLO[:20], 3), initial(b"\x08\x00abcdefghijklmno", 4))))
    assert [(row["frame.number"], row["offset"]) for row in same(name, "expert") if row["protocol"] == "quic"] == [
        (2, 42),
        (3, 22),
        (4, 22),
    ]


def test_a_close(save):
    """RFC 9000 §19.19; an alert of TLS is 0x100 and its number, RFC 9001 §4.8."""
    reason = b"no \x1b[31m"
    close = b"\x1c" + varint(0x128) + b"\x06" + varint(len(reason)) + reason
    ack = b"\x03" + b"".join(map(varint, (9, 77, 1, 2, 3, 1, 5, 6, 7)))
    name = save(pcap(*talk(FIRST, (initial(ack + close, 0, who="server", to=b"", own=SCID),))))
    fields = ("cc.error_code", "cc.error_code.tls_alert", "cc.frame_type", "cc.reason_phrase", "ack.ack_delay", "ack.gap", "ack.ack_range")
    assert table(name, *(f"quic.{one}" for one in fields))[1] == (2, [0x128], [40], [6], ["no \x1b[31m"], [77], [3], [1])
    assert table(name, "quic.ack.ect0_count", "quic.ack.ecn_ce_count")[1] == (2, [5], [7])
    assert "\x1b" not in run("packets", "-V", name).out


def test_nothing_alarms(save):
    name = save(pcap(*talk(FIRST, (SERVER_INITIAL + long(2, b"", SCID, 90),), short(SCID), (short(b""),))))
    assert same(name, "expert") == []
    assert run("explain", name).status == 0
    assert "QUIC" in run("packets", name).out


# ---------------------------------------------------------------- limits


def test_so_many_initials_of_a_connection_are_read(save):
    lot = [initial(b"\x01\0\0\0", n) for n in range(quic_initial.DECRYPTED + 2)]
    found = table(save(pcap(*talk(*lot))), "quic.packet_number", "quic.unread")
    assert [number for _, number, _ in found] == [*range(quic_initial.DECRYPTED), None, None]
    assert found[-1][2].startswith("enough")


def test_so_many_connections_are_remembered(save, monkeypatch):
    monkeypatch.setattr(quic_initial, "CONNECTIONS", 2)
    ports = (50000, 50001, 50002)
    frames = [datagram(FIRST, client=port) for port in ports] + [datagram(SERVER_INITIAL, "server", client=port) for port in ports]
    analysis = Analysis(save(pcap(*frames)))
    assert [n is not None for n in analysis.table("quic")["quic.packet_number"]] == [True] * 3 + [False, False, False]


def test_so_many_packets_of_a_datagram_are_told(save):
    small = long(2, b"", b"", 20)
    found = table(save(pcap(*talk(FIRST, (small * 70,)))), "quic.rest_length")
    assert len(found) == 1 + quic_initial.COALESCED
    assert found[-1] == (2, 6 * len(small))


def test_crypto_far_ahead_is_not_held():
    crypto = quic_initial.Crypto()
    assert crypto.add(quic_initial.CRYPTO_BYTES, b"x") == 0
    for at in range(quic_initial.CRYPTO_FRAMES + 10):
        crypto.add(2 * at + 1, b"x")
    assert len(crypto.waiting) == quic_initial.CRYPTO_FRAMES
    assert crypto.add(0, b"\1\0\0\2ab" + bytes(1000)) > 0
    assert crypto.messages()[:6] == b"\1\0\0\2ab"


# ---------------------------------------------------------------- parts


def test_integers_of_variable_length():
    """RFC 9000 §A.1."""
    for result, value in (
        ("c2197c5eff14e88c", 151_288_809_941_952_652),
        ("9d7f3e7d", 494_878_333),
        ("7bbd", 15_293),
        ("25", 37),
        ("4025", 37),
    ):
        data = np.frombuffer(bytes.fromhex(result) + bytes(16), np.uint8)
        size = len(result) // 2
        (found,), (behind,) = quic_packets.varint(data, np.array([0]), np.array([size]))
        assert (found, behind) == (value, size)
        assert quic_packets.varint(data, np.array([0]), np.array([size - 1]))[0][0] == 0
        assert quic_packets._integer(memoryview(data), 0, size) == (value, size)


def test_packet_numbers_are_completed():
    """RFC 9000 §A.3: 0xa82f30ea was the largest, 0x9b32 of 16 bits comes."""
    packet = initial(b"\x01" * 30, 0xA82F9B32, size=2)
    own, _ = quic_packets.keys(V1, DCID)
    assert quic_packets.decrypt(own, packet, len(packet) - 48, 0xA82F30EB)[1] == 0xA82F9B32


def test_drafts():
    """The salts that RFC 9001's drafts 29 and 23 had stand for those that kept them."""
    assert quic_packets.secret(0xFF00001D) == quic_packets.secret(0xFF000020) != quic_packets.secret(0xFF00001C)
    assert quic_packets.secret(0xFF000022).label == b"quic" and quic_packets.secret(0xFF000016) is None


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("cs"), st.integers(0, 5), st.integers(0, 1300), st.binary(max_size=8)), min_size=1, max_size=6))
def test_damage_never_matters(tmp_path_factory, changes):
    kinds = [FIRST, SERVER_INITIAL, RETRY, SERVER_INITIAL + long(2, b"", SCID, 50), short(SCID), long(2, SCID, b"", 20)]
    frames = [datagram(FIRST)]
    for who, kind, at, put in changes:
        data = bytearray(kinds[kind])
        data[at : at + len(put)] = put
        frames.append(datagram(bytes(data), "client" if who == "c" else "server"))
    path = tmp_path_factory.getbasetemp() / "damaged.pcap"
    path.write_bytes(pcap(*frames))
    name = str(path)
    fields = [one for one in register() if one.startswith("quic.")]
    assert len({str(Analysis(name, batch_frames=n).table("quic").select(fields).rows()) for n in BATCHES}) == 1


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=80))
def test_frames_are_walked_to_their_end(data):
    found, bad = quic_packets.frames(memoryview(data), 0, len(data))
    assert sum(one.size for one in found) == (len(data) if bad < 0 else bad)
