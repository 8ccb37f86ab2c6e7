"""DHCP and DHCPv6: messages from a recording, from scapy, or written byte by byte after the RFC; transactions, findings, bindings."""

from __future__ import annotations

import socket
import struct

import dpkt
import pytest
from conftest import BATCHES, RECORDINGS, pcap, same
from scapy.all import BOOTP, DHCP, IP, UDP, Dot1Q, Ether, IPv6, Raw
from scapy.layers.dhcp6 import (
    DUID_LL,
    DUID_LLT,
    DHCP6_Advertise,
    DHCP6_RelayForward,
    DHCP6_Reply,
    DHCP6_Request,
    DHCP6_Solicit,
    DHCP6OptClientId,
    DHCP6OptDNSDomains,
    DHCP6OptDNSServers,
    DHCP6OptElapsedTime,
    DHCP6OptIA_NA,
    DHCP6OptIA_PD,
    DHCP6OptIAAddress,
    DHCP6OptIAPrefix,
    DHCP6OptOptReq,
    DHCP6OptRelayMsg,
    DHCP6OptServerId,
    DHCP6OptStatusCode,
)
from test_headers import fields

from analyzer import Analysis

RECORDED = str(RECORDINGS / "dhcp.pcap.xz")
CLIENT = "02:00:00:00:00:05"
MAC = bytes.fromhex("020000000005")
MAGIC = bytes.fromhex("63825363")


def message(
    kind: int | None, *options, xid: int = 7, server: bool = False, vlan: int | None = None, source: str = "10.0.0.1", **more
) -> bytes:
    """A frame with a message of DHCP. options: scapy's. more: fields of BOOTP, as scapy calls them."""
    link = Ether(src="02:00:00:00:00:01" if server else CLIENT, dst="ff:ff:ff:ff:ff:ff")
    link = link / Dot1Q(vlan=vlan) if vlan else link
    ends = (67, 68, source, "255.255.255.255") if server else (68, 67, more.get("ciaddr", "0.0.0.0"), more.pop("to", "255.255.255.255"))
    reported = [("message-type", kind)] if kind else []
    body = BOOTP(op=2 if server else 1, chaddr=MAC, xid=xid, **more) / DHCP(options=[*reported, *options, "end"])
    return bytes(link / IP(src=ends[2], dst=ends[3]) / UDP(sport=ends[0], dport=ends[1]) / body)


def plain(options: bytes, sname: bytes = b"", file: bytes = b"") -> bytes:
    """A frame whose options are written byte by byte: RFC 2131 §2."""
    head = struct.pack(">BBBBIHH4s4s4s4s", 2, 1, 6, 0, 7, 0, 0x8000, *[bytes(4)] * 4)
    body = head + MAC.ljust(16, b"\0") + sname.ljust(64, b"\0") + file.ljust(128, b"\0") + MAGIC + options
    return bytes(Ether(dst=CLIENT) / IP(src="10.0.0.1", dst="10.0.0.5") / UDP(sport=67, dport=68) / Raw(body))


@pytest.fixture
def cells(save):
    def get(frame: bytes, *wanted: str, **options) -> list[str]:
        return fields(save(pcap(frame, **options)), *wanted)[0]

    return get


@pytest.fixture
def table(save):
    """The rows of a table, the same in all batches."""

    def get(name: str, *frames: bytes, **options) -> list[dict]:
        file = save(pcap(*frames, **options))
        found = [Analysis(file, batch_frames=size).table(name) for size in BATCHES]
        assert all(one.equals(found[0]) for one in found)
        return found[0].to_dicts()

    return get


# ---------------------------------------------------------------- version 4


def test_a_recording_is_what_dpkt_reads(tmp_path):
    import lzma

    name = tmp_path / "dhcp.pcap"
    name.write_bytes(lzma.decompress((RECORDINGS / "dhcp.pcap.xz").read_bytes()))
    expected = []
    with name.open("rb") as file:
        for nth, (_, data) in enumerate(dpkt.pcap.Reader(file), 1):
            ip = dpkt.ethernet.Ethernet(data).data
            if isinstance(ip, dpkt.ip.IP) and isinstance(ip.data, dpkt.udp.UDP):
                m = dpkt.dhcp.DHCP(ip.data.data)
                options = dict(m.opts)
                ask, lease = options.get(50), options.get(51)
                expected.append(
                    (
                        *(nth, m.op, m.xid, options[53][0], socket.inet_ntoa(struct.pack(">I", m.yiaddr))),
                        socket.inet_ntoa(ask) if ask else None,
                        struct.unpack(">I", lease)[0] if lease else None,
                        [kind for kind, _ in m.opts],
                    )
                )
    rows = Analysis(RECORDED).table("dhcp")
    wanted = ["frame.number", "dhcp.type", "dhcp.id", "dhcp.option.dhcp", "dhcp.ip.your", "dhcp.option.requested_ip_address"]
    found = rows.select(*wanted, "dhcp.option.ip_address_lease_time", "dhcp.option.type").rows()
    assert [(*row[:-1], row[-1][:-1]) for row in found] == expected
    assert all(row[-1][-1] == 255 for row in found)  # dpkt drops the end, RFC 2132 §3.2 calls it an option


def test_common_options(cells):
    frame = message(
        5, ("subnet_mask", "255.255.255.0"), ("router", "10.0.0.1", "10.0.0.2"), ("name_server", "10.0.0.53"), ("hostname", b"ernest"),
        ("lease_time", 3600), ("renewal_time", 1800), ("server_id", "10.0.0.1"), ("domain", b"example.org"), ("NTP_server", "10.0.0.9"),
        server=True, yiaddr="10.0.0.5", flags=0x8000,
    )  # fmt: skip
    assert cells(
        frame, "dhcp.option.subnet_mask", "dhcp.option.router", "dhcp.option.domain_name_server", "dhcp.option.hostname",
        "dhcp.option.renewal_time_value", "dhcp.option.domain_name", "dhcp.option.ntp_server", "dhcp.flags.bc", "dhcp.hw.mac_addr",
    ) == ["255.255.255.0", "10.0.0.1,10.0.0.2", "10.0.0.53", "ernest", "1800", "example.org", "10.0.0.9", "1", CLIENT]  # fmt: skip


def test_odd_values(cells):
    options = b"\2\4\xff\xff\xf1\xf0" + b"\x13\1\1" + b"\x19\4\2\x40\5\xdc" + b"\x21\x08\x0a\1\0\0\x0a\0\0\1" + b"\xfe\2hi" + b"\xff"
    assert cells(
        plain(options), "dhcp.option.time_offset", "dhcp.option.ip_forwarding", "dhcp.option.path_mtu_plateau_table_item",
        "dhcp.option.static_route.ip", "dhcp.option.static_route.router", "dhcp.option.value",
    ) == ["-3600", "1", "576,1500", "10.1.0.0", "10.0.0.1", "fffff1f0,01,024005dc,0a0100000a000001,6869"]  # fmt: skip


def test_options_in_the_fields_of_server_name_and_boot_file(cells):
    """RFC 2131 §4.1, RFC 2132 §9.3: option 52 says that these fields hold options."""
    frame = plain(b"\x35\1\2\x34\1\3\xff", b"\x0c\6ernest\xff", b"\3\4\x0a\0\0\1\xff")
    wanted = ("dhcp.option.dhcp", "dhcp.option.hostname", "dhcp.option.router", "dhcp.server", "dhcp.file", "dhcp.option.type")
    assert cells(frame, *wanted) == ["2", "ernest", "10.0.0.1", "", "", "12,255,3,255,53,52,255"]
    assert cells(plain(b"\x35\1\2\xff", b"boot.example", b"pxe.0"), *wanted) == ["2", "", "", "boot.example", "pxe.0", "53,255"]
    assert cells(plain(b"\x35\1\2\x34\1\1\xff", b"boot", b"\3\4\x0a\0\0\1\xff"), *wanted) == [
        "2",
        "",
        "10.0.0.1",
        "boot",
        "",
        "3,255,53,52,255",
    ]


def test_a_relay_agent_says_who_asks(cells):
    """RFC 3046 §2.0, RFC 3527: suboptions of option 82."""
    agent = b"\1\6\0\4\0\x0c\1\2" + b"\2\3abc" + b"\5\4\x0a\1\0\0" + b"\x97\2zz"
    frame = message(1, ("relay_agent_information", agent), giaddr="10.1.0.1", hops=1)
    name = "dhcp.option.agent_information_option."
    wanted = [name + last for last in ("suboption", "agent_circuit_id", "agent_remote_id", "link_selection", "value")]
    assert cells(frame, *wanted, "dhcp.ip.relay") == ["1,2,5,151", "0004000c0102", "616263", "10.1.0.0", "7a7a", "10.1.0.1"]


def test_names_and_identifiers_of_clients(cells):
    name = b"\x51\x12\4\0\0" + b"\6ernest\7example\0"[:15]
    assert cells(plain(name + b"\xff"), "dhcp.fqdn.e", "dhcp.fqdn.s", "dhcp.fqdn.name") == ["1", "0", "ernest.example"]
    assert cells(plain(b"\x51\x09\1\0\0ernest\xff"), "dhcp.fqdn.s", "dhcp.fqdn.name") == ["1", "ernest"]
    assert cells(plain(b"\x3d\7\1" + MAC + b"\xff"), "dhcp.hw.mac_addr", "dhcp.client_id") == [f"{CLIENT},{CLIENT}", ""]
    assert cells(plain(b"\x3d\4\0abc\xff"), "dhcp.hw.mac_addr", "dhcp.client_id") == [CLIENT, "616263"]
    assert cells(plain(b"\x4d\6\2ab\2cd\xff"), "dhcp.option.user_class.data", "dhcp.option.user_class.text") == ["6162,6364", ""]
    assert cells(plain(b"\x4d\4iPXE\xff"), "dhcp.option.user_class.data", "dhcp.option.user_class.text") == ["", "iPXE"]


def test_padding_is_no_option(cells):
    assert cells(plain(b"\0\0\x35\1\1\0\xff\0\0"), "dhcp.option.type") == ["53,255"]


def test_lies_are_told_where_they_stand(table):
    """An option longer than its list; a suboption longer than its option; 63 bytes where BOOTP has 236."""
    long = table("expert", plain(b"\x35\1\2\x0c\x20abc\xff"))
    assert [(row["finding"], row["offset"]) for row in long] == [("malformed", 42 + 240 + 3)]
    inner = table("expert", plain(b"\x52\4\1\x09ab\xff"))
    assert [(row["finding"], row["offset"]) for row in inner] == [("malformed", 42 + 240 + 2)]
    short = table("expert", bytes(Ether() / IP() / UDP(sport=68, dport=67) / Raw(plain(b"")[42 : 42 + 63])))
    assert [(row["finding"], row["summary"]) for row in short] == [("malformed", "DHCP needs 236 bytes, has 63")]


def test_what_the_capture_cut_is_no_lie(table, cells):
    """The option that is cut is left out; those before it are there."""
    whole = plain(b"\x35\1\2\x0c\x06ernest\xff")
    assert table("expert", whole[:-3], lengths={0: len(whole)}) == []
    wanted = ("dhcp.option.dhcp", "dhcp.option.hostname", "dhcp.option.type")
    assert cells(whole[:-3], *wanted, lengths={0: len(whole)}) == ["2", "", "53"]


# ---------------------------------------------------------------- version 6

OWN = DHCP6OptClientId(duid=DUID_LL(lladdr=CLIENT))
THEIRS = DHCP6OptServerId(duid=DUID_LLT(lladdr="02:00:00:00:00:01", timeval=700_000_000))


def message6(body, server: bool = False, vlan: int | None = None) -> bytes:
    link = Ether(src="02:00:00:00:00:01" if server else CLIENT, dst="33:33:00:01:00:02")
    link = link / Dot1Q(vlan=vlan) if vlan else link
    ends = ("fe80::1", "fe80::5", 547, 546) if server else ("fe80::5", "ff02::1:2", 546, 547)
    return bytes(link / IPv6(src=ends[0], dst=ends[1]) / UDP(sport=ends[2], dport=ends[3]) / body)


def lease6(*addresses: str, life: int = 7200):
    return DHCP6OptIA_NA(
        iaid=0xABCD, T1=100, T2=200, ianaopts=[DHCP6OptIAAddress(addr=one, preflft=3600, validlft=life) for one in addresses]
    )


def test_addresses_and_prefixes_are_options_in_options(cells):
    prefix = DHCP6OptIA_PD(iaid=1, T1=3, T2=4, iapdopt=[DHCP6OptIAPrefix(prefix="2001:db8:9::", plen=48, preflft=5, validlft=6)])
    reply = DHCP6_Reply(trid=0x123456) / OWN / THEIRS / lease6("2001:db8::5", "2001:db8::6") / prefix
    assert cells(
        message6(reply, server=True), "dhcpv6.msgtype", "dhcpv6.xid", "dhcpv6.option.type", "dhcpv6.iaid", "dhcpv6.iaid.t1",
        "dhcpv6.iaaddr.ip", "dhcpv6.iaprefix.pref_addr", "dhcpv6.iaprefix.pref_len", "dhcpv6.duid.type", "dhcpv6.duidllt.time",
        "dhcpv6.duidll.link_layer_addr", "dhcpv6.iaaddr.valid_lifetime",
    ) == [
        "7", "0x123456", "1,2,3,5,5,25,26", "0000abcd,00000001", "100,3", "2001:db8::5,2001:db8::6", "2001:db8:9::", "48", "3,1",
        "Mar  7, 2022 20:26:40.000000000 UTC", CLIENT, "7200,7200",
    ]  # fmt: skip


def test_settings(cells):
    asked = DHCP6_Solicit(trid=1) / OWN / DHCP6OptElapsedTime(elapsedtime=703) / DHCP6OptOptReq(reqopts=[23, 24])
    assert cells(message6(asked), "dhcpv6.elapsed_time", "dhcpv6.requested_option_code") == ["7030", "23,24"]
    reported = (
        DHCP6_Reply(trid=1) / DHCP6OptDNSServers(dnsservers=["2001:db8::53"]) / DHCP6OptDNSDomains(dnsdomains=["example.org", "a.example."])
    )
    wanted = ("dhcpv6.dns_server", "dhcpv6.search_list_entry")
    assert cells(message6(reported, server=True), *wanted) == ["2001:db8::53", "example.org.,a.example."]


def test_a_relayed_message_is_read_too(cells):
    inner = DHCP6_Solicit(trid=0xABCDEF) / OWN
    relayed = DHCP6_RelayForward(hopcount=1, linkaddr="2001:db8:1::1", peeraddr="fe80::9") / DHCP6OptRelayMsg(message=bytes(inner))
    assert cells(message6(relayed), "dhcpv6.msgtype", "dhcpv6.hopcount", "dhcpv6.linkaddr", "dhcpv6.xid", "dhcpv6.duid.client") == [
        "12,1", "1", "2001:db8:1::1", "0xabcdef", bytes(DUID_LL(lladdr=CLIENT)).hex(),
    ]  # fmt: skip


def test_messages_in_messages_end(cells, table):
    """A thousand relay agents, one in the other: read to a depth, no deeper."""
    body = b""
    for _ in range(1000):
        body = struct.pack(">BB16s16sHH", 12, 0, bytes(16), bytes(16), 9, len(body)) + body
    frame = bytes(Ether() / IPv6() / UDP(sport=547, dport=547) / Raw(body))
    assert cells(frame, "dhcpv6.msgtype")[0].count("12") == 40
    assert [row["finding"] for row in table("expert", frame)] in ([], ["malformed"])


def test_an_option_beyond_its_message_is_told(table):
    frame = bytes(Ether() / IPv6() / UDP(sport=546, dport=547) / Raw(b"\1\0\0\7" + b"\0\1\0\x63ab"))
    assert [(row["finding"], row["offset"]) for row in table("expert", frame)] == [("malformed", 14 + 40 + 8 + 4)]


# ---------------------------------------------------------------- transactions


def test_the_recording_has_three_transactions():
    for size in BATCHES:
        rows = Analysis(RECORDED, batch_frames=size).table("dhcp_transactions").to_dicts()
        assert [(row["asks"], row["outcome"]) for row in rows] == [("address", "given"), ("renewal", "renewed"), ("release", "released")]
        first = rows[0]
        assert (first["frame"], first["offer_frame"], first["request_frame"], first["answer_frame"]) == (1, 7, 9, 10)
        assert (first["address"], first["server"], first["lease"], first["hostname"]) == (
            ["192.168.1.155"],
            "192.168.1.109",
            3600,
            "ernest",
        )
        assert (first["messages"], first["repeats"], first["offers"]) == (6, 1, 1)
        assert rows[1]["answer_time"].microseconds == 257


OFFER = [("server_id", "10.0.0.1"), ("lease_time", 60)]


def test_outcomes(table):
    """A NAK; nobody answers; an offer that is not taken; a request that nobody answers; an answer to nothing; settings only."""
    rows = table(
        "dhcp_transactions",
        message(3, ("requested_addr", "10.9.9.9"), xid=1),
        message(6, ("server_id", "10.0.0.1"), ("error_message", b"wrong network"), server=True, xid=1),
        message(1, xid=2),
        message(1, xid=2),
        message(1, xid=3),
        message(2, *OFFER, server=True, xid=3, yiaddr="10.0.0.5"),
        message(1, xid=4),
        message(2, *OFFER, server=True, xid=4, yiaddr="10.0.0.5"),
        message(3, ("requested_addr", "10.0.0.5"), ("server_id", "10.0.0.1"), xid=4),
        message(5, *OFFER, server=True, xid=5, yiaddr="10.0.0.5"),
        message(8, xid=6, ciaddr="10.0.0.7"),
        message(5, ("server_id", "10.0.0.1"), server=True, xid=6),
        message(4, ("requested_addr", "10.0.0.5"), ("server_id", "10.0.0.1"), xid=7),
        message(3, xid=8, ciaddr="10.0.0.5", to="10.0.0.1"),
        message(3, xid=9, ciaddr="10.0.0.5"),
    )
    assert [(row["transaction"], row["asks"], row["outcome"]) for row in rows] == [
        (1, "reboot", "refused"), (2, "address", "no answer"), (3, "address", "offered"), (4, "address", "no answer to the request"),
        (5, None, "not asked"), (6, "settings", "informed"), (7, "decline", "declined"), (8, "renewal", "no answer"),
        (9, "rebinding", "no answer"),
    ]  # fmt: skip
    assert rows[0]["status_message"] == "wrong network" and rows[0]["address"] == [] and rows[1]["repeats"] == 1
    assert rows[3]["requested"] == "10.0.0.5" and rows[2]["offered"] == ["10.0.0.5"]


def test_what_a_relay_agent_passes_on_is_not_asked_again(table):
    rows = table(
        "dhcp_transactions",
        message(1),
        message(1, giaddr="10.1.0.1", hops=1),
        message(2, *OFFER, server=True, yiaddr="10.1.0.5", giaddr="10.1.0.1"),
        message(2, *OFFER, server=True, yiaddr="10.1.0.5", giaddr="10.1.0.1"),
    )
    assert [(row["messages"], row["repeats"], row["offers"], row["relay"]) for row in rows] == [(4, 0, 1, "10.1.0.1")]


def test_transactions_of_version_6(table):
    rows = table(
        "dhcp_transactions",
        message6(DHCP6_Solicit(trid=1) / OWN / lease6()),
        message6(DHCP6_Advertise(trid=1) / OWN / THEIRS / lease6("2001:db8::5"), server=True),
        message6(DHCP6_Request(trid=2) / OWN / THEIRS / lease6("2001:db8::5")),
        message6(DHCP6_Reply(trid=2) / OWN / THEIRS / lease6("2001:db8::5", life=900), server=True),
        message6(DHCP6_Request(trid=3) / OWN / THEIRS / lease6("2001:db8::5")),
        message6(DHCP6_Reply(trid=3) / OWN / THEIRS / DHCP6OptStatusCode(statuscode=2, statusmsg="none left"), server=True),
    )
    assert [(row["asks"], row["outcome"], row["offered"], row["address"], row["lease"]) for row in rows] == [
        ("servers", "offered", ["2001:db8::5"], [], None),
        ("address", "given", [], ["2001:db8::5"], 900),
        ("address", "refused", [], [], None),
    ]
    assert rows[2]["status_message"] == "none left" and rows[0]["client"] == "00030001020000000005"


# ---------------------------------------------------------------- findings


def found(rows: list[dict]) -> list[tuple[int, str]]:
    return [(row["frame.number"], row["finding"]) for row in rows if row["protocol"].startswith("dhcp")]


def test_a_second_server_in_a_network(table):
    """Two servers offer in VLAN 5: rogue. The same two in two VLANs: nothing to say."""
    second = [("server_id", "10.0.0.2"), ("lease_time", 60)]
    rows = table(
        "expert",
        message(2, *OFFER, server=True, yiaddr="10.0.0.5", vlan=5),
        message(2, *second, server=True, yiaddr="10.0.0.6", vlan=6),
        message(2, *OFFER, server=True, yiaddr="10.0.0.5", vlan=5),
        message(2, *second, server=True, yiaddr="10.0.0.6", vlan=5),
    )
    assert found(rows) == [(4, "dhcp.second_server")]
    rows = table(
        "expert",
        message6(DHCP6_Advertise(trid=1) / OWN / THEIRS / lease6("2001:db8::5"), server=True),
        message6(
            DHCP6_Advertise(trid=1) / OWN / DHCP6OptServerId(duid=DUID_LL(lladdr="02:00:00:00:00:99")) / lease6("2001:db8::7"), server=True
        ),
    )
    assert found(rows) == [(2, "dhcp.second_server6")]


def test_questions_without_an_answer_and_refusals(table):
    rows = table(
        "expert",
        message(1, xid=1),
        message(1, xid=1),
        message(2, *OFFER, server=True, xid=1, yiaddr="10.0.0.5"),
        message(3, ("requested_addr", "10.0.0.5"), xid=1),
        message(6, ("server_id", "10.0.0.1"), ("error_message", b"no"), server=True, xid=1),
        message(4, ("requested_addr", "10.0.0.5"), xid=2),
        message6(DHCP6_Solicit(trid=1) / OWN),
        message6(DHCP6_Solicit(trid=1) / OWN),
        message6(DHCP6_Reply(trid=1) / OWN / THEIRS / DHCP6OptStatusCode(statuscode=2), server=True),
    )
    assert found(rows) == [
        (2, "dhcp.unanswered"), (5, "dhcp.refused"), (6, "dhcp.declined"), (8, "dhcp.unanswered6"), (9, "dhcp.no_addresses6"),
    ]  # fmt: skip


# ---------------------------------------------------------------- bindings


def test_what_servers_gave_binds_addresses_to_macs(save):
    """What a server sends to a relay (giaddr) binds nothing on the server's network."""
    trace = pcap(
        message(2, *OFFER, server=True, yiaddr="10.0.0.5"),
        message(5, *OFFER, server=True, yiaddr="10.0.0.5"),
        message6(DHCP6_Reply(trid=2) / OWN / THEIRS / lease6("2001:db8::5"), server=True),
    )
    rows = same(save(trace), "bindings")
    mac = MAC.hex(":")
    assert [(row["protocol"], row["first_frame"], row["address"], row["mac"], row["learnt"]) for row in rows] == [
        ("dhcp", 2, "10.0.0.5", mac, "lease"),
        ("dhcpv6", 3, "2001:db8::5", mac, "lease"),
    ]
    relayed = message(5, *OFFER, server=True, yiaddr="10.0.0.5", giaddr="10.0.0.1")
    relayed = relayed[:30] + bytes([10, 0, 0, 1]) + relayed[34:]
    assert same(save(pcap(relayed)), "bindings") == []
