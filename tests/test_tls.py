"""TLS: records and handshakes, however they were cut; what tshark 4.0.17 and OpenSSL say of the same bytes."""

from __future__ import annotations

import datetime
import struct

import pytest
from conftest import BATCHES, RECORDINGS, Trace, run
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer import Analysis
from analyzer.protocols import register
from analyzer.protocols.common.tls_cipher_suites import SUITE, WEAK

HS = "tls.handshake"
MANY = [name for name in register() if name.startswith(("tls.", "x509"))]


def recorded(name: str) -> str:
    return str(RECORDINGS / f"{name}.pcap.xz")


def rows(name: str, *fields: str) -> list[tuple]:
    """These fields of each record, the same in batches of 1, 7 and all."""
    found = [Analysis(name, batch_frames=n).table("tls").select("frame.number", *fields).rows() for n in BATCHES]
    assert found[0] == found[1] == found[2]
    return found[0]


def printed(name: str, *fields: str) -> dict[int, list[str]]:
    """What -T fields prints of the frames that have any of these."""
    result = run("packets", name, "-T", "fields", *(word for f in ("frame.number", *fields) for word in ("-e", f)))
    lines = [line.split("\t") for line in result.out.splitlines()]
    return {int(number): values for number, *values in lines if any(values)}


# ---------------------------------------------------------------- what tshark says


def test_records_and_handshakes_of_both_versions():
    """tshark -T fields on labs/captures/tls.pcap; frames 11 and 34, where a record is not whole yet, have nothing."""
    found = printed(recorded("tls"), "tls.record.content_type", "tls.record.opaque_type", "tls.record.length", f"{HS}.type")
    assert found == {
        4: ["22", "", "208", "1"],
        6: ["22,22,22,22", "", "65,834,300,4", "2,11,12,14"],
        8: ["22,20,22", "", "37,1,40", "16"],
        9: ["22,20,22", "", "186,1,40", "4"],
        10: ["23", "", "42", ""],
        15: ["23", "", "4982", ""],
        17: ["21", "", "26", ""],
        18: ["21", "", "26", ""],
        25: ["22", "", "245", "1"],
        27: ["22,20", "23,23,23,23", "122,1,23,854,281,69", "2"],
        29: ["20", "23", "1,69", ""],
        30: ["", "23", "250", ""],
        31: ["", "23", "250", ""],
        33: ["", "23", "35", ""],
        38: ["", "23", "4372", ""],
        39: ["", "23", "19", ""],
        41: ["", "23", "19", ""],
    }


def test_hellos():
    names = (
        "version",
        "ciphersuite",
        "extension.type",
        "extensions_server_name",
        "extensions.supported_version",
        "extensions_supported_group",
    )
    found = printed(recorded("tls"), *(f"{HS}.{name}" for name in names), f"{HS}.extensions_key_share_group", "tls.extension.psk_ke_mode")
    suites = "0xc02c 0xc030 0x009f 0xcca9 0xcca8 0xccaa 0xc02b 0xc02f 0x009e 0xc024 0xc028 0x006b 0xc023 0xc027 0x0067 0xc00a 0xc014 0x0039"
    suites += " 0xc009 0xc013 0x0033 0x009d 0x009c 0x003d 0x003c 0x0035 0x002f 0x00ff"
    groups = "0x001d,0x0017,0x001e,0x0019,0x0018"
    assert found == {
        4: ["0x0303", suites.replace(" ", ","), "0,11,10,35,22,23,13", "www.example.test", "", groups, "", ""],
        6: ["0x0303", "0xc030", "65281,11,35,23", "", "", "", "", ""],
        25: [
            "0x0303",
            "0x1302,0x1303,0x1301,0x00ff",
            "0,11,10,35,22,23,13,43,45,51",
            "www.example.test",
            "0x0304",
            f"{groups},0x0100,0x0101,0x0102,0x0103,0x0104",
            "29",
            "1",
        ],
        27: ["0x0303", "0x1302", "43,51", "", "0x0304", "", "29", ""],
    }


def test_fingerprints():
    found = printed(recorded("tls"), f"{HS}.ja3", f"{HS}.ja3s", f"{HS}.ja3s_full")
    assert found == {
        4: ["871a754af286dfb70c1b53c6887c62e0", "", ""],
        6: ["", "ec74a5c51106f0419184d0dd08fb05bc", "771,49200,65281-11-35-23"],
        25: ["f146948b4a599d4d7ddf071b74696983", "", ""],
        27: ["", "15af977ce25de452b96affa2addb1036", "771,4866,43-51"],
    }
    full = printed(recorded("tls"), f"{HS}.ja3_full")
    assert full[25] == ["771,4866-4867-4865-255,0-11-10-35-22-23-13-43-45-51,29-23-30-25-24-256-257-258-259-260,0-1-2"]


def test_certificate():
    """What `openssl x509` prints of it."""
    fields = ("subject", "issuer", "names", "key", "not_before", "not_after")
    names = [*(f"tls.certificate.{name}" for name in fields), "x509af.serialNumber", "x509ce.dNSName", f"{HS}.certificate_length"]
    table = Analysis(recorded("tls")).table("tls")
    found = {number: values for number, *values in table.select("frame.number", *names).rows() if values[0]}
    assert list(found) == [6]
    subject, issuer, hosts, key, begins, ends, serial, dns, size = (one[0] for one in found[6])
    assert (subject, issuer, hosts, key, dns) == (
        "CN=www.example.test",
        "CN=www.example.test",
        "www.example.test",
        "RSA 2048",
        "www.example.test",
    )
    assert (begins.isoformat()[:19], ends.isoformat()[:19]) == ("2026-11-24T23:18:44", "2026-12-24T23:18:44")
    assert (serial, size) == ("66ac63d9f60804e96259679eab93d7119b227fa4", 824)


def test_what_is_encrypted_is_told_as_such():
    found = rows(recorded("tls"), "tls.record.words", "tls.record.encrypted", f"{HS}.words")
    assert found[1] == (6, "handshake", False, "server hello")
    assert [row for row in found if row[0] in (8, 17)] == [
        (8, "handshake", False, "client key exchange"),
        (8, "change cipher spec", False, None),
        (8, "encrypted handshake", True, None),
        (17, "encrypted alert", True, None),
    ]
    lines = run("packets", recorded("tls")).out.splitlines()
    assert lines[3].split("TLS")[1].split(maxsplit=1)[1] == "handshake: client hello, www.example.test, 208 bytes"


FACTS = {  # of labs/captures/facts.json: recording → filter → frames
    "tls": {
        "tls.handshake.type==1": [4, 25],
        "tls.handshake.type==2": [6, 27],
        "tls.record.content_type==23 || tls.record.opaque_type==23": [10, 15, 27, 29, 30, 31, 33, 38, 39, 41],
    },
    "http-connect-tls": {
        'tls.handshake.extensions_server_name=="www.example.test"': [8, 31, 52],
        "tls.handshake.type==2": [9, 33, 54],
        "tls.handshake.type==11": [33],
        "tls.handshake.extensions.supported_version==0x0304 && tls.handshake.type==2": [9, 54],
        'tls.handshake.extensions_alpn_str=="h2"': [8, 31, 33, 52],
    },
}


@pytest.mark.parametrize(("name", "result"), [(name, result) for name, facts in FACTS.items() for result in facts])
def test_facts(name, result):
    found = run("packets", recorded(name), "-Y", result, "-T", "fields", "-e", "frame.number")
    assert [int(one) for one in found.out.split()] == FACTS[name][result]


# ---------------------------------------------------------------- connections


def test_connections_of_every_kind():
    """The options that `openssl s_server` and `s_client` were given, one connection after the other."""
    found = [Analysis(recorded("tls-kinds"), batch_frames=n).table("tls_connections") for n in BATCHES]
    assert found[0].equals(found[1]) and found[0].equals(found[2])
    rows = found[0].select("version", "cipher", "group", "resumed", "retried", "server_name").rows()
    strong = "TLS_AES_256_GCM_SHA384"
    newer = "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"
    assert rows[:14] == [
        ("TLS 1.3", strong, "secp256r1", False, True, "retry.example"),  # -groups P-256 against X25519:P-256
        ("TLS 1.3", strong, "x25519", False, False, "first.example"),
        ("TLS 1.3", strong, "x25519", True, False, "first.example"),  # -sess_in
        ("TLS 1.2", newer, "x25519", False, False, None),
        ("TLS 1.2", newer, None, True, False, None),  # a ticket
        ("TLS 1.2", newer, "x25519", False, False, None),
        ("TLS 1.2", newer, None, True, False, None),  # -no_ticket: by session ID
        ("TLS 1.0", "TLS_RSA_WITH_AES_128_CBC_SHA", None, False, False, None),
        ("TLS 1.1", "TLS_DH_anon_WITH_AES_128_CBC_SHA", None, False, False, None),
        ("TLS 1.2", "TLS_RSA_WITH_NULL_SHA256", None, False, False, None),
        ("TLS 1.2", "TLS_DHE_RSA_WITH_AES_128_CBC_SHA", None, False, False, None),
        (None, None, None, None, False, None),  # -tls1_3 against -tls1_2
        (None, None, None, None, False, None),  # AES128-SHA against AES256-SHA
        ("TLS 1.2", newer, "x25519", False, False, None),
    ]
    who = found[0].select("subject", "names").rows()
    assert who[3] == who[14] == ("O=Testing\\, Inc.,CN=old.example", "old.example, *.old.example, 127.0.0.1")
    assert who[8] == (None, None)
    alerts = found[0]["alert"].to_list()
    assert [i for i, one in enumerate(alerts) if one] == [11, 12, 15]
    assert [alerts[i].split(":")[:2] for i in (11, 12, 15)] == [
        ["server", " protocol version"],
        ["server", " handshake failure"],
        ["client", " unknown CA"],
    ]


def test_a_client_hello_behind_a_change_cipher_spec_is_readable_in_tls_1_3():
    """tshark: frame 8 holds records 20, 22 with message 1; RFC 8446 §4.1.4 and appendix D.4."""
    found = rows(recorded("tls-kinds"), "tls.record.content_type", f"{HS}.type", f"{HS}.retry")
    assert [row for row in found if row[0] in (6, 8, 9)][:5] == [
        (6, 22, [2], True),
        (6, 20, [], None),
        (8, 20, [], None),
        (8, 22, [1], None),
        (9, 22, [2], None),
    ]


def test_messages_that_span_records():
    """-split_send_frag 512: tshark says that frame 203 has five records of the types 2, 11, 12, 14."""
    found = [row for row in rows(recorded("tls-kinds"), "tls.record.length", f"{HS}.type") if row[0] == 203]
    assert [one for *_, types in found for one in types] == [2, 11, 12, 14]
    assert len(found) == 5 and max(size for _, size, _ in found) == 512
    result = run(
        "packets", recorded("tls-kinds"), "-Y", "frame.number == 203", "-T", "fields", "-e", "tls.record.length", "-e", f"{HS}.length"
    )
    lengths = result.out.split()[1].split(",")
    assert sum(int(one) + 4 for one in lengths) == sum(int(one) for one in result.out.split()[0].split(","))


# ---------------------------------------------------------------- written bytes


def record(kind: int, data: bytes, version: int = 0x0303) -> bytes:
    return struct.pack(">BHH", kind, version, len(data)) + data


def vector(data: bytes, size: int = 2) -> bytes:
    return len(data).to_bytes(size, "big") + data


def extension(kind: int, data: bytes = b"") -> bytes:
    return struct.pack(">H", kind) + vector(data)


def words(*numbers: int) -> bytes:
    return struct.pack(f">{len(numbers)}H", *numbers)


def message(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + vector(body, 3)


def client_hello(*extensions: bytes, suites: bytes = words(0x1301), version: int = 0x0303, session: bytes = b"") -> bytes:
    body = words(version) + bytes(range(32)) + vector(session, 1) + vector(suites) + b"\1\0"
    return message(1, body + (vector(b"".join(extensions)) if extensions else b""))


def server_hello(*extensions: bytes, suite: int = 0x1301, version: int = 0x0303, session: bytes = b"") -> bytes:
    body = words(version) + bytes(range(32, 64)) + vector(session, 1) + words(suite) + b"\0"
    return message(2, body + (vector(b"".join(extensions)) if extensions else b""))


def certificate(subject: str, begins: str, ends: str) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(7)
    made = made.not_valid_before(datetime.datetime.fromisoformat(begins)).not_valid_after(datetime.datetime.fromisoformat(ends))
    from cryptography.hazmat.primitives.serialization import Encoding

    return made.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def chain(*certificates: bytes) -> bytes:
    return message(11, vector(b"".join(vector(one, 3) for one in certificates), 3))


def talk(*parts: tuple[str, bytes]) -> Trace:
    """A connection in which these bytes are sent, one segment each."""
    trace, at = Trace().open(), {"c": 1, "s": 1}
    for n, (who, data) in enumerate(parts):
        other = "s" if who == "c" else "c"
        trace.tcp(0.1 + n / 100, who, "PA", at[who], at[other], data)
        at[who] += len(data)
    return trace


def expert(name: str, **more) -> list[tuple]:
    found = [Analysis(name, batch_frames=n, **more).table("expert") for n in BATCHES]
    assert found[0].equals(found[1]) and found[0].equals(found[2])
    return found[0].filter(protocol="tls").select("frame.number", "finding", "summary").rows()


def test_ja4_of_the_one_who_made_it(save):
    """The example of FoxIO's technical details: the same suites and extensions, with GREASE among them."""
    suites = words(0x2A2A, 0x1301, 0x1302, 0x1303, 0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8, 0xC013, 0xC014, 0x9C, 0x9D, 0x2F, 0x35)
    known = {
        0: vector(b"\0" + vector(b"example.org")),
        16: vector(vector(b"h2", 1) + vector(b"http/1.1", 1)),
        13: vector(words(0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601)),
        43: vector(words(0x9A9A, 0x0304, 0x0303), 1),
    }
    order = (0x3A3A, 0x1B, 0x00, 0x33, 0x10, 0x4469, 0x17, 0x2D, 0x0D, 0x05, 0x23, 0x12, 0x2B, 0xFF01, 0x0B, 0x0A, 0x15)
    hello = client_hello(*(extension(kind, known.get(kind, b"")) for kind in order), suites=suites)
    name = save(talk(("c", record(22, hello))).pcap())
    assert rows(name, f"{HS}.ja4") == [(4, ["t13d1516h2_8daaf6152771_e5627efa2ab1"])]


@pytest.mark.parametrize(
    ("protocol", "ends"),
    [
        (b"h2", "h2"),
        (b"http/1.1", "h1"),
        (b"", "00"),
        (b"\xab", "ab"),
        (b"\x30\xab", "3b"),
        (b"\xab\xcd", "ad"),
        (b"\x30\x31\xab\xcd", "3d"),
    ],
)
def test_ja4_of_odd_application_protocols(save, protocol, ends):
    """FoxIO's technical details, "ALPN extension value": the examples there."""
    hello = client_hello(extension(16, vector(vector(protocol, 1))))
    name = save(talk(("c", record(22, hello))).pcap())
    assert rows(name, f"{HS}.ja4")[0][1][0].split("_")[0] == f"t12i0101{ends}"


def test_expired_and_early_certificates(save):
    """Frames are of November 2023."""
    late, early = certificate("late", "2020-01-01", "2023-10-31"), certificate("early", "2023-12-01", "2033-01-01")
    good = certificate("good", "2023-01-01", "9999-12-31")
    name = save(talk(("s", record(22, chain(good, late))), ("s", record(22, chain(early) + chain(good)))).pcap())
    assert expert(name) == [
        (4, "tls.certificate_expired", "certificate expired: CN=late, valid until 2023-10-31"),
        (5, "tls.certificate_early", "certificate not yet valid: CN=early, valid from 2023-12-01"),
    ]
    until = Analysis(name).table("tls")["tls.certificate.not_after"].to_list()
    assert [one.year for one in until[0]] == [2262, 2023]  # nanoseconds of 64 bits reach so far


def test_what_is_no_certificate(save):
    name = save(talk(("s", record(22, chain(b"\x30\x03\x02\x01\x05", b"")))).pcap())
    found = expert(name)
    assert [row[1] for row in found] == ["tls.certificate_unreadable"]
    assert rows(name, "tls.certificate.subject", f"{HS}.certificate_length") == [(4, [], [5, 0])]


def test_old_versions_and_weak_suites(save):
    offers = record(22, client_hello(suites=words(0x0005, 0x0003, 0x002F), version=0x0300), 0x0300)
    chooses = record(22, server_hello(suite=0x0003, version=0x0300), 0x0300)
    found = expert(save(talk(("c", offers), ("s", chooses), ("s", record(21, b"\2\x28")), ("s", record(21, b"\1\0"))).pcap()))
    assert [row[:2] for row in found] == [
        (4, "tls.weak_suite_offered"),
        (5, "tls.old_version"),
        (5, "tls.weak_suite"),
        (6, "tls.alert"),
    ]
    assert [row[2] for row in found][:3] == [
        "the client offers TLS_RSA_WITH_RC4_128_SHA: RC4; and 1 more",
        "the server chooses SSL 3.0",
        "the server chooses TLS_RSA_EXPORT_WITH_RC4_40_MD5: export grade, keys of 40 or 56 bits",
    ]
    assert found[3][2].startswith("alert, handshake failure: nothing in common")


def test_names_of_suites_are_those_of_the_registry():
    """Some of https://www.iana.org/assignments/tls-parameters, first and last of runs."""
    known = {0: "TLS_NULL_WITH_NULL_NULL", 0x1B: "TLS_DH_anon_WITH_3DES_EDE_CBC_SHA", 0x1E: "TLS_KRB5_WITH_DES_CBC_SHA"}
    known |= {0x2F: "TLS_RSA_WITH_AES_128_CBC_SHA", 0x9E: "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256", 0x1301: "TLS_AES_128_GCM_SHA256"}
    known |= {0x1305: "TLS_AES_128_CCM_8_SHA256", 0xC001: "TLS_ECDH_ECDSA_WITH_NULL_SHA", 0xC0AF: "TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8"}
    known |= {0xCCA8: "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", 0xD005: "TLS_ECDHE_PSK_WITH_AES_128_CCM_SHA256"}
    assert {number: SUITE[number] for number in known} == known
    assert 0x002F not in WEAK and 0x0018 in WEAK and 0xC010 in WEAK


def test_tls_behind_starttls_and_connect(save):
    """A stream that speaks something unknown turns to TLS with a client hello; in any batch, and also if text comes again."""
    hello, answer = record(22, client_hello(extension(0, vector(b"\0" + vector(b"mail.example"))))), record(22, server_hello())
    trace = talk(
        ("s", b"* OK ready\r\n"), ("c", b"a STARTTLS\r\n"), ("s", b"a OK\r\n"), ("c", hello), ("s", answer), ("c", record(23, b"x" * 9))
    )
    for n, (at, frame, wire) in enumerate(trace.frames):  # port 143 in place of 80, which is HTTP's
        trace.frames[n] = at, frame[:34] + frame[34:38].replace(b"\0\x50", b"\0\x8f") + frame[38:], wire
    name = save(trace.pcap())
    assert rows(name, f"{HS}.type", f"{HS}.extensions_server_name") == [(7, [1], ["mail.example"]), (8, [2], []), (9, [], [])]
    for n in BATCHES:
        rest = Analysis(name, batch_frames=n).table("undecoded")
        assert rest.select("space", "bytes").rows() == [("tcp.port", 30)]


def test_a_length_that_lies(save):
    hello = client_hello(extension(0, b"\0\0"), extension(16, b""))
    for at, result in ((38, "a length in a hello goes beyond its message"), (len(hello) - 1, "an extension of a hello does not fit")):
        bad = hello[:at] + b"\xf0" + hello[at + 1 :]
        name = save(talk(("c", record(22, bad))).pcap())
        found = [row for row in expert(name) if row[1] == "malformed"]
        assert [row[2] for row in found] == [f"TLS {result}, in the message put together here"], at
        assert rows(name, f"{HS}.type") == [(4, [1])]


def test_fields_of_a_broken_hello_are_those_before_the_break(save):
    hello = bytearray(client_hello(extension(0), session=b"s" * 8))
    hello[4 + 2 + 32 + 1 + 8] = 0xFF  # the suites' length
    name = save(talk(("c", record(22, bytes(hello)))).pcap())
    assert rows(name, f"{HS}.session_id", f"{HS}.ciphersuite", f"{HS}.extension.type", f"{HS}.ja3") == [(4, [b"s".hex() * 8], [], [], [])]


# ---------------------------------------------------------------- any cutting, any bytes

FLIGHTS = (
    ("c", client_hello(extension(0, vector(b"\0" + vector(b"a.example"))), extension(16, vector(vector(b"h2", 1))))),
    ("s", server_hello(extension(16, vector(vector(b"h2", 1))), suite=0xC030) + chain(b"\x30\0" * 150, b"\x30\0" * 90) + message(14, b"")),
)


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(st.data())
def test_handshakes_are_the_same_however_they_were_cut(tmp_path_factory, data):
    """Messages into records, records into segments, segments into batches."""
    parts = []
    for who, flight in FLIGHTS:
        stream = b"".join(record(22, piece) for piece in cut(data, flight, 12))
        stream += record(20, b"\1") + record(22, bytes(range(40)))
        parts += [(who, piece) for piece in cut(data, stream, 9, first=6)]
    name = str(tmp_path_factory.mktemp("t") / "t.pcap")
    with open(name, "wb") as file:
        file.write(talk(*parts).pcap())
    found = rows(name, f"{HS}.type", f"{HS}.ciphersuite", f"{HS}.certificate_length", f"{HS}.extensions_alpn_str", "tls.record.encrypted")
    assert [one for row in found for one in row[1]] == [1, 2, 11, 14]
    assert [one for row in found for one in row[2]] == [0x1301, 0xC030]
    assert [one for row in found for one in row[3]] == [300, 180]
    assert [one for row in found for one in row[4]] == ["h2", "h2"]
    assert [row[5] for row in found if row[5]] == [True, True]


def cut(data, stream: bytes, most: int, first: int = 1) -> list[bytes]:
    """Into at most `most` + 1 pieces, the first of at least `first` bytes."""
    at = sorted(data.draw(st.sets(st.integers(first, len(stream) - 1), max_size=most)))
    return [stream[a:b] for a, b in zip([0, *at], [*at, len(stream)])]


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_bytes_give_the_same_in_any_batch(tmp_path_factory, data):
    """Damaged flights, rubbish between records: nothing is raised, all tables are the same, no byte is told twice."""
    stream = bytearray()
    for _ in range(data.draw(st.integers(1, 5))):
        kind = data.draw(st.sampled_from((20, 21, 22, 22, 22, 23, 24, 99)))
        body = data.draw(st.sampled_from((FLIGHTS[0][1], FLIGHTS[1][1], b"\1", b"\2\x28")) | st.binary(max_size=40))
        stream += record(kind, body)
    for at, value in (
        data.draw(st.lists(st.tuples(st.integers(6, len(stream) - 1), st.integers(0, 255)), max_size=6)) if len(stream) > 6 else ()
    ):
        stream[at] = value
    pieces = cut(data, bytes(stream), 8) if len(stream) > 1 else [bytes(stream)]
    name = str(tmp_path_factory.mktemp("t") / "t.pcap")
    with open(name, "wb") as file:
        file.write(talk(*(("c", piece) for piece in pieces)).pcap())
    tables = ["tls", "tls_connections", "expert", "undecoded"]
    found = [Analysis(name, batch_frames=n).tables(tables) for n in BATCHES]
    for table in tables:
        assert found[0][table].equals(found[1][table]), table
        assert found[0][table].equals(found[2][table]), table
    taken = found[0]["tls"]["tls.record.length"].sum() + 5 * len(found[0]["tls"])
    assert taken <= len(stream)
    for field in ("content_type", "opaque_type"):
        assert set(found[0]["tls"][f"tls.record.{field}"].drop_nulls()) <= {20, 21, 22, 23, 24}


def test_rubbish_ends_at_the_next_segment_that_begins_a_record(save):
    good, none = record(23, b"x" * 20), b"\x63" * 30
    trace = talk(("c", record(22, client_hello()) + none), ("c", b"and so on"), ("c", good + none), ("c", good))
    name = save(trace.pcap())
    assert rows(name, "tls.record.length") == [(4, len(client_hello())), (6, 20), (7, 20)]
    for n in BATCHES:
        lost = Analysis(name, batch_frames=n).table("undecoded").filter(space="stream")
        assert lost.select("frames", "bytes", "first_frame").rows() == [(3, 69, 4)]


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (0, 2, 3)])
@pytest.mark.parametrize("size", [12, 100])
def test_the_rest_of_a_message_behind_rubbish_is_not_joined_with_its_begin(save, order, size):
    """A half, segments that are no records, the other half, in one segment or two: it begins no message that is known, so it is told as
    encrypted."""
    hello = server_hello()
    rest = record(22, b"\xff" + hello[31:])
    parts = record(22, hello[:30]), b"\x63" * 30, rest[:size], rest[size:]
    trace = Trace().open()
    for n, i in enumerate(order):  # (0, 2): the middle is not in the capture
        trace.tcp(0.1 + n / 100, "s", "PA", 1 + sum(map(len, parts[:i])), 1, parts[i])
    end = 1 + sum(map(len, parts))
    trace.tcp(0.2, "c", "A", 1, end).tcp(3, "c", "A", 1, end).tcp(3.1, "s", "A", end, 1)
    found = rows(save(trace.pcap()), f"{HS}.type", "tls.record.encrypted")
    assert [row[1:] for row in found] == [([], False), ([], True)]


def test_a_message_that_never_ends_is_given_up(save):
    """A length of 16 MB is none; one of 256 KB that comes in records of one byte costs no more than its bytes."""
    endless = b"\x0b\xff\xff\xff" + b"x" * 20
    name = save(talk(("s", record(22, endless) + record(22, message(14, b"")))).pcap())
    assert rows(name, f"{HS}.type", "tls.record.encrypted") == [(4, [], True), (4, [14], False)]
    slow = b"\x0b\x03\xff\xff" + b"x" * 3000
    stream = b"".join(record(22, slow[i : i + 1]) for i in range(len(slow)))
    name = save(talk(*(("s", stream[i : i + 1200]) for i in range(0, len(stream), 1200))).pcap())
    found = Analysis(name).table("tls")
    assert len(found) == 3004 and found[f"{HS}.type"].list.len().sum() == 0
