"""Messages of DNS, multicast DNS and LLMNR: questions and records. RFC 1035 §4, RFC 3596, 2782, 3403, 4034, 5155, 6698, 6891, 8659,
9460. `_dns_messages` parses all messages of a batch once; fields are read from the matrices that it writes.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable

import numpy as np

from ...fields import CUT, Column, Field, Headers, Layout, Reading, bits, flag, gather, ipv4, ipv6, raw, seconds, text, time, u8, u16, u32
from . import _dns_messages, _tlv, tlv

QUESTION, ANSWER, AUTHORITY, ADDITIONAL = range(4)
A, NS, CNAME, SOA, PTR, HINFO, MX, TXT, SIG, AAAA, SRV, NAPTR, OPT, DS = 1, 2, 5, 6, 12, 13, 15, 16, 24, 28, 33, 35, 41, 43
SSHFP, RRSIG, NSEC, DNSKEY, NSEC3, NSEC3PARAM, TLSA, SMIMEA, CDS, CDNSKEY = 44, 46, 47, 48, 50, 51, 52, 53, 59, 60
SVCB, HTTPS, SPF, CAA, UPDATE = 64, 65, 99, 257, 5
TYPE = {
    1: "A", 2: "NS", 3: "MD", 4: "MF", 5: "CNAME", 6: "SOA", 7: "MB", 8: "MG", 9: "MR", 10: "NULL", 11: "WKS", 12: "PTR", 13: "HINFO",
    14: "MINFO", 15: "MX", 16: "TXT", 17: "RP", 18: "AFSDB", 19: "X25", 20: "ISDN", 21: "RT", 22: "NSAP", 23: "NSAP-PTR", 24: "SIG",
    25: "KEY", 26: "PX", 27: "GPOS", 28: "AAAA", 29: "LOC", 30: "NXT", 33: "SRV", 35: "NAPTR", 36: "KX", 37: "CERT", 38: "A6",
    39: "DNAME", 41: "OPT", 42: "APL", 43: "DS", 44: "SSHFP", 45: "IPSECKEY", 46: "RRSIG", 47: "NSEC", 48: "DNSKEY", 49: "DHCID",
    50: "NSEC3", 51: "NSEC3PARAM", 52: "TLSA", 53: "SMIMEA", 55: "HIP", 59: "CDS", 60: "CDNSKEY", 61: "OPENPGPKEY", 62: "CSYNC",
    63: "ZONEMD", 64: "SVCB", 65: "HTTPS", 99: "SPF", 104: "NID", 105: "L32", 106: "L64", 107: "LP", 108: "EUI48", 109: "EUI64",
    249: "TKEY", 250: "TSIG", 251: "IXFR", 252: "AXFR", 253: "MAILB", 254: "MAILA", 255: "ANY", 256: "URI", 257: "CAA", 32769: "DLV",
}  # fmt: skip
CLASS = {1: "IN", 3: "CH", 4: "HS", 254: "NONE", 255: "ANY"}
OPCODE = {0: "query", 1: "inverse query", 2: "status", 4: "notify", 5: "update", 6: "stateful operation"}
RCODE = {
    0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED", 6: "YXDOMAIN", 7: "YXRRSET", 8: "NXRRSET",
    9: "NOTAUTH", 10: "NOTZONE", 11: "DSOTYPENI", 16: "BADVERS", 17: "BADKEY", 18: "BADTIME", 19: "BADMODE", 20: "BADNAME", 21: "BADALG",
    22: "BADTRUNC", 23: "BADCOOKIE",
}  # fmt: skip
OPTION = {
    1: "LLQ", 2: "UL", 3: "NSID", 5: "DAU", 6: "DHU", 7: "N3U", 8: "client subnet", 9: "expire", 10: "cookie", 11: "TCP keep-alive",
    12: "padding", 13: "chain", 14: "key tag", 15: "extended error", 16: "client tag", 17: "server tag", 18: "report channel",
}  # fmt: skip
ERROR = {
    0: "other", 1: "unsupported DNSKEY algorithm", 2: "unsupported DS digest", 3: "stale answer", 4: "forged answer",
    5: "DNSSEC indeterminate", 6: "DNSSEC bogus", 7: "signature expired", 8: "signature not yet valid", 9: "DNSKEY missing",
    10: "RRSIGs missing", 11: "no zone key bit set", 12: "NSEC missing", 13: "cached error", 14: "not ready", 15: "blocked",
    16: "censored", 17: "filtered", 18: "prohibited", 19: "stale NXDOMAIN answer", 20: "not authoritative", 21: "not supported",
    22: "no reachable authority", 23: "network error", 24: "invalid data",
}  # fmt: skip
PARAMETER = {0: "mandatory", 1: "alpn", 2: "no-default-alpn", 3: "port", 4: "ipv4hint", 5: "ech", 6: "ipv6hint", 7: "dohpath"}
HEADER = Layout(Field("dns.id", u16, "Transaction ID", hex=4), Field("dns.flags", u16, "Flags", hex=4))
COUNTS = Layout(Field("head", u32, ""), *(Field(str(nth), u16, "") for nth in range(4)))
MATCHED = (  # by correlators/dns_matching.py
    Field("dns.response_to", u32, "Answers the question in", "frame"),
    Field("dns.time", seconds, "Time since the question", "since it was first sent, if it was sent again within 5 s"),
    Field("dns.response_in", u32, "Answered in", "frame; of a question that an ICMP error quotes when it has its answer already"),
    Field("dns.retransmission", flag, "Sent again", "a question within 5 s, or an answer"),
    Field("dns.retransmit_request", flag, "Question sent again"),
    Field("dns.retransmit_request_in", u32, "First asked in", "frame"),
    Field("dns.retransmit_response", flag, "Answer sent again"),
    Field("dns.retransmit_response_in", u32, "First answered in", "frame"),
    Field("dns.unsolicited", flag, "Unsolicited", "an answer without a question in the capture"),
    Field("dns.judged.silent", u32, "Questions left unanswered", "in a row, to this server: reported at 3, then at twice as many"),
    Field("dns.judged.failures", u32, "Failures", "of one kind from this server within 10 s: reported at 10, then at twice as many"),
)
INFO = (
    "{dns.flags.opcode:words}[?dns.flags.response: response{dns.id:mark}] {dns.id}[, {dns.qry.type:words}][ {dns.qry.name}]"
    "[, {dns.rcode:words}][?dns.flags.response:, {dns.count.answers} answers][?dns.flags.truncated:, truncated{dns.id:mark}]"
)


def _many(name: str, kind: object, label: str, description: str = "", **more: object) -> Field:
    return Field(name, kind, label, description, many=True, **more)  # type: ignore[arg-type]


# ---------------------------------------------------------------- parsing


def parse(h: Headers, with_rdata: bool = True) -> None:
    """Report faults, and set the columns of `h.context`: `records`, matrix (n, RECORD), and `owner_names`, a text each;
    `rdata_names`, matrix (n, RDATA_NAME), and `rdata_name_texts`; `trailing_bytes`, after the last record.

    with_rdata: whether RDATA are of the types of DNS.
    """
    size = COUNTS.size
    lacks = h.whole & (h.end - h.start < size)
    h.fault(lacks & (h.wire - h.start < size) & ~h.quoted, "", "needs {needed} bytes, has {had}", size, h.wire - h.start, h.start)
    h.fault(lacks & (h.wire - h.start >= size), "", CUT, size, h.end - h.start, h.start)
    rows = np.flatnonzero(h.end - h.start >= size)
    start, end = h.start[rows], h.end[rows]
    head = Reading(COUNTS, h.buffer, start, end)
    most = sum(head[str(nth)].astype(np.int64) for nth in range(4))
    room = int(np.minimum(most, (end - start - size) // 5 + 1).sum())  # a question takes 5 bytes at least
    records = np.empty((len(_dns_messages.RECORD), room), np.int64)
    rdata_names = np.empty((len(_dns_messages.RDATA_NAME), 2 * room), np.int64)
    results = np.zeros((len(_dns_messages.RESULT), len(rows)), np.int64)
    table = _dns_messages.NameTable(memoryview(h.buffer.data))
    buffers = h.buffer.data, start.data, end.data
    n, m = _dns_messages.parse_messages(table, *buffers, room, with_rdata, records.data, rdata_names.data, results.data)
    names = np.array([*table.names(), None], object)  # index -1: no name
    records, rdata_names = records[:, :n].T, rdata_names[:, :m].T
    fault, fault_at, needed, had, parse_end = results
    good = fault == 0
    h.set_context("trailing_bytes", (h.wire[rows] - parse_end)[good], rows[good])
    h.set_context("records", records, rows[records[:, 0]])
    h.set_context("owner_names", names[records[:, 2]], rows[records[:, 0]])
    h.set_context("rdata_names", rdata_names, rows[rdata_names[:, 0]])
    h.set_context("rdata_name_texts", names[rdata_names[:, 3]], rows[rdata_names[:, 0]])
    bad = np.flatnonzero(~good & ~h.quoted[rows])
    if len(bad):
        dense = np.zeros((4, len(h)), np.int64)
        dense[:, rows[bad]] = results[:4, bad]
        fault, fault_at, needed, had = dense
        cut = np.isin(fault, _dns_messages.TRUNCATED_FAULTS) & (h.end < h.wire)
        h.fault(cut, "", CUT, h.wire - h.start, h.end - h.start, h.start)
        for number, sentence in enumerate(_dns_messages.FAULTS[1:], 1):
            h.fault((fault == number) & ~cut, "", sentence, needed, had, fault_at)


class DnsRecords:
    """The questions and records of some messages. `r["ttl"]` is that column of `_dns_messages.RECORD`, int64 (n,); rows: the message of
    each."""

    def __init__(self, h: Headers) -> None:
        self.h = h
        self.values, rows = h.context["records"]
        assert rows is not None
        self.rows = rows

    def __getitem__(self, name: str) -> np.ndarray:
        return self.values[:, _dns_messages.RECORD.index(name)]

    def of(self, *types: int) -> np.ndarray:
        """Indices of the records (not questions) of these types."""
        kind = self["type"]
        mask = kind == types[0] if len(types) == 1 else np.isin(kind, types)
        return np.flatnonzero(mask & (self["section"] > QUESTION))

    def read(self, layout: Layout, pick: np.ndarray, place: str = "data") -> Reading:
        """A layout in the RDATA of these records, from the offset in column `place` on."""
        return Reading(layout, self.h.buffer, self[place][pick], self["end"][pick], self.rows[pick])

    def byte_ranges(self, pick: np.ndarray, start: np.ndarray, end: np.ndarray) -> Column:
        """Byte ranges of the buffer, without those that are empty or go beyond their record."""
        there = (end > start) & (end <= self["end"][pick])
        return Column(np.column_stack((start, end))[there], self.rows[pick[there]])

    def texts(self, pick: np.ndarray, start: np.ndarray, end: np.ndarray) -> Column:
        """The same as texts, the empty ones too."""
        there = (end >= start) & (end <= self["end"][pick])
        return Column(_decode_texts(self.h, start[there], end[there]), self.rows[pick[there]])

    def character_strings(self, pick: np.ndarray, start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The character-strings in these ranges (RFC 1035 §3.3): index into pick, start and end of each, int64."""
        start, end = np.ascontiguousarray(start), np.ascontiguousarray(end)
        owner, at = np.empty((2, int(np.maximum(end - start, 0).sum())), np.int64)
        n = _dns_messages.character_strings(self.h.buffer.data, start.data, end.data, owner.data, at.data)
        owner, at = owner[:n], at[:n]
        return owner, at + 1, at + 1 + gather(self.h.buffer, at, 1)[:, 0]


def _decode_texts(h: Headers, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    buffer, starts, ends = memoryview(h.buffer.data), np.ascontiguousarray(start).data, np.ascontiguousarray(end).data
    return np.array(_dns_messages.decode_texts(buffer, starts, ends), object)


Derived = tuple[tuple[Field, ...], Callable[[Headers], dict[str, Column]]]


def labeled_fields(layout: Layout) -> tuple[Field, ...]:
    """The fields of a layout that have a label."""
    return tuple(f for f in layout.all() if f.label)


def _columns(reading: Reading, layout: Layout) -> dict[str, Column]:
    return {f.name: reading.column(f.name) for f in labeled_fields(layout)}


def fixed_fields(layout: Layout, *types: int, place: str = "data") -> Derived:
    """Fields at fixed offsets in the RDATA of records of these types."""

    def read(h: Headers) -> dict[str, Column]:
        records = DnsRecords(h)
        return _columns(records.read(layout, records.of(*types), place), layout)

    return labeled_fields(layout), read


def rdata_name(f: Field, *types: int, nth: int = 0) -> Derived:
    """A name in the RDATA of records of these types."""

    def read(h: Headers) -> dict[str, Column]:
        rdata_names, rows = h.context["rdata_names"]
        names, _ = h.context["rdata_name_texts"]
        assert rows is not None
        pick = np.flatnonzero(np.isin(rdata_names[:, 1], types) & (rdata_names[:, 2] == nth))
        return {f.name: Column(names[pick], rows[pick])}

    return (f,), read


# ---------------------------------------------------------------- the header


def flag_bit(
    name: str, label: str, bit: int, when: str = "always", description: str = "", value_names: dict[int, str] | None = None
) -> Derived:
    """A bit of the flags. when: present 'always', in a 'response' only, or in a response and if 'set'."""

    def read(h: Headers) -> dict[str, Column]:
        flags = h[f"{name.split('.')[0]}.flags"]
        there = h.trusted >= HEADER.size
        value = (flags >> bit & 1).astype(bool)
        if when != "always":
            there &= (flags >> 15 > 0) | (value if when == "set" else False)
        rows = np.flatnonzero(there)
        return {name: Column(value[rows], rows)}

    return (Field(name, flag, label, description, value_names=value_names),), read


def _codes(h: Headers) -> dict[str, Column]:
    flags = h["dns.flags"]
    rows = np.flatnonzero(h.trusted >= HEADER.size)
    answers = rows[flags[rows] >> 15 > 0]
    return {"dns.flags.opcode": Column(flags[rows] >> 11 & 15, rows), "dns.flags.rcode": Column(flags[answers] & 15, answers)}


CODES: Derived = (
    (
        Field("dns.flags.opcode", u8, "Opcode", value_names=OPCODE),
        Field("dns.flags.rcode", u8, "Reply code", "its low four bits", value_names=RCODE),
    ),
    _codes,
)


def _extended_rcode(h: Headers) -> dict[str, Column]:
    """The reply code with the upper eight bits in OPT: RFC 6891 §6.1.3."""
    records = DnsRecords(h)
    code = (h["dns.flags"] & 15).astype(np.int64)
    pick = records.of(OPT)[::-1]  # the first counts
    high = np.zeros(len(h), np.int64)
    high[records.rows[pick]] = records["ttl"][pick] >> 24
    rows = np.flatnonzero((h.trusted >= HEADER.size) & (h["dns.flags"] >> 15 > 0))
    return {"dns.rcode": Column((high << 4 | code)[rows], rows)}


EXTENDED_RCODE: Derived = ((Field("dns.rcode", u16, "Reply code of 12 bits", "with the bits of OPT", value_names=RCODE),), _extended_rcode)
COUNT_NAMES = (  # the four counts, and their names in an update (RFC 2136 §2.2)
    ("dns.count.queries", "Questions", "dns.count.zones", "Zones"),
    ("dns.count.answers", "Answers", "dns.count.prerequisites", "Prerequisites"),
    ("dns.count.auth_rr", "Authority records", "dns.count.updates", "Updates"),
    ("dns.count.add_rr", "Additional records", "", ""),
)


def _counts(h: Headers) -> dict[str, Column]:
    reading = Reading(COUNTS, h.buffer, h.start, np.where(h.whole, h.end, h.start))
    update = (h["dns.flags"] >> 11 & 15) == UPDATE
    columns = {}
    for nth, (name, _, update_name, _) in enumerate(COUNT_NAMES):
        values, rows = reading.column(str(nth))
        rows = np.arange(len(h)) if rows is None else rows
        usual = ~update[rows] if update_name else np.ones(len(rows), bool)
        columns[name] = Column(values[usual], rows[usual])
        if update_name:
            columns[update_name] = Column(values[~usual], rows[~usual])
    return columns


def _over_tcp(h: Headers) -> dict[str, Column]:
    """The length before each message in a stream: RFC 1035 §4.2.2."""
    rows = np.arange(len(h) if h.parent is not None and h.parent.protocol.name == "tcp" else 0)
    return {"dns.length": Column((h.wire - h.start)[rows], rows)}


# ---------------------------------------------------------------- questions and records


def _questions(h: Headers) -> dict[str, Column]:
    records = DnsRecords(h)
    pick = np.flatnonzero(records["section"] == QUESTION)
    rows = records.rows[pick]
    named = np.flatnonzero(records["name"][pick] >= 0)
    dns_class = records["class"][pick]
    columns = {
        "dns.qry.name": Column(h.context["owner_names"].values[pick[named]], rows[named]),
        "dns.qry.type": Column(records["type"][pick], rows),
        "dns.qry.class": Column(dns_class & 0x7FFF if multicast(h) else dns_class, rows),
    }
    if multicast(h):
        columns["dns.qry.qu"] = Column(dns_class >> 15 > 0, rows)
    return columns


def _name_sizes(h: Headers) -> dict[str, Column]:
    names, rows = h.column("dns.qry.name")
    sizes, labels = np.empty((2, len(names)), np.int64)
    _dns_messages.measure_names(names.tolist(), sizes.data, labels.data)
    return {"dns.qry.name.len": Column(sizes, rows), "dns.count.labels": Column(labels, rows)}


def _records(h: Headers) -> dict[str, Column]:
    records = DnsRecords(h)
    pick = np.flatnonzero(records["section"] > QUESTION)
    kind, named = records["type"][pick], records["name"][pick] >= 0
    rows = records.rows[pick]
    owners = h.context["owner_names"].values[pick]
    dns_class = records["class"][pick]
    extended = kind == OPT
    plain, service = named & (kind != SRV), named & (kind == SRV)
    columns = {
        "dns.resp.name": Column(owners[plain], rows[plain]),
        "dns.resp.type": Column(kind, rows),
        "dns.resp.class": Column((dns_class & 0x7FFF if multicast(h) else dns_class)[~extended], rows[~extended]),
        "dns.resp.ttl": Column(records["ttl"][pick][~extended], rows[~extended]),
        "dns.resp.len": _rdata_lengths(records, pick),
        "dns.rr.udp_payload_size": Column((dns_class & 0x7FFF if multicast(h) else dns_class)[extended], rows[extended]),
        **{name: Column(value, rows[service]) for name, value in zip(SERVICE, _split_srv_names(owners[service]))},
    }
    if multicast(h):
        columns["dns.resp.cache_flush"] = Column(dns_class >> 15 > 0, rows)
    return columns


LENGTH = Layout(Field("dns.resp.len", u16, "Data length", "bytes", many=True))
SERVICE = ("dns.srv.service", "dns.srv.proto", "dns.srv.name")


def _rdata_lengths(records: DnsRecords, pick: np.ndarray) -> Column:
    """RDLENGTH, the two bytes before the RDATA."""
    at = records["data"][pick] - 2
    return Reading(LENGTH, records.h.buffer, at, at + 2, records.rows[pick]).column("dns.resp.len")


def _split_srv_names(owners: np.ndarray) -> list[np.ndarray]:
    """Owner names of SRV records split: service, protocol, domain. RFC 2782."""
    labels = {name: (*re.findall(r"((?:[^.\\]|\\.)+)(?:\.|$)", name), "", "") for name in set(owners.tolist())}
    parts = {name: (some[0], some[1], ".".join(some[2:-2])) for name, some in labels.items()}
    return [np.array([parts[name][nth] for name in owners.tolist()], object) for nth in range(3)]


def multicast(h: Headers) -> bool:
    """Whether the class has only 15 bits: RFC 6762 §5.4, §10.2."""
    return h.protocol.name == "mdns"


QUESTIONS: Derived = (
    (
        _many("dns.qry.name", text, "Name", "asked for; dots and odd bytes in labels are escaped as in RFC 4343 §2.1"),
        _many("dns.qry.type", u16, "Type", "asked for", value_names=TYPE),
        _many("dns.qry.class", u16, "Class", "asked for", hex=4, value_names=CLASS),
    ),
    _questions,
)
UNICAST_WANTED = _many("dns.qry.qu", flag, "Unicast response wanted", "RFC 6762 §5.4")
CACHE_FLUSH = _many("dns.resp.cache_flush", flag, "Cache flush", "replaces cached records: RFC 6762 §10.2")
NAME_SIZES: Derived = (
    (
        _many("dns.qry.name.len", u16, "Length of the name", "characters, unescaped; 0: the root"),
        _many("dns.count.labels", u16, "Labels", "of the name"),
    ),
    _name_sizes,
)
RECORDS: Derived = (
    (
        _many("dns.resp.name", text, "Owner", "of the record; of SRV see dns.srv.service and dns.srv.name"),
        _many("dns.resp.type", u16, "Record's type", value_names=TYPE),
        _many("dns.resp.class", u16, "Record's class", hex=4, value_names=CLASS),
        _many("dns.resp.ttl", u32, "Time to live", "seconds"),
        *LENGTH.fields,
        _many("dns.rr.udp_payload_size", u16, "UDP payload size", "largest message that the sender can receive: RFC 6891 §6.2.3", hex=4),
        _many("dns.srv.service", text, "Service"),
        _many("dns.srv.proto", text, "Service's protocol"),
        _many("dns.srv.name", text, "Service's domain"),
    ),
    _records,
)

# ---------------------------------------------------------------- RDATA

ADDRESS = Layout(_many("dns.a", ipv4, "Address"))
ADDRESS6 = Layout(_many("dns.aaaa", ipv6, "IPv6 address"))
PREFERENCE = Layout(_many("dns.mx.preference", u16, "Preference", "the lowest first"))
SERVICES = Layout(
    _many("dns.srv.priority", u16, "Priority"), _many("dns.srv.weight", u16, "Weight"), _many("dns.srv.port", u16, "Service's port")
)
ZONE = Layout(
    _many("dns.soa.serial_number", u32, "Serial number"),
    _many("dns.soa.refresh_interval", u32, "Refresh interval", "seconds"),
    _many("dns.soa.retry_interval", u32, "Retry interval", "seconds"),
    _many("dns.soa.expire_limit", u32, "Expire limit", "seconds"),
    _many("dns.soa.minimum_ttl", u32, "Minimum TTL", "seconds; TTL of negative answers: RFC 2308 §4"),
)
ORDER = Layout(_many("dns.naptr.order", u16, "Order"), _many("dns.naptr.preference", u16, "NAPTR preference"))
DIGEST = Layout(
    _many("dns.ds.key_id", u16, "Key tag", hex=4),
    _many("dns.ds.algorithm", u8, "Algorithm"),
    _many("dns.ds.digest_type", u8, "Digest type"),
)
KEY = Layout(
    _many(
        "dns.dnskey.flags",
        u16,
        "Key flags",
        hex=4,
        parts=(
            Field("", bits(7), ""),
            _many("dns.dnskey.flags.zone_key", flag, "Zone key"),
            _many("dns.dnskey.flags.key_revoked", flag, "Revoked", "RFC 5011"),
            Field("", bits(6), ""),
            _many("dns.dnskey.flags.secure_entry_point", flag, "Secure entry point"),
        ),
    ),
    _many("dns.dnskey.protocol", u8, "Key protocol", "3"),
    _many("dns.dnskey.algorithm", u8, "Key algorithm"),
)
SIGNATURE = Layout(
    _many("dns.rrsig.type_covered", u16, "Type covered", value_names=TYPE),
    _many("dns.rrsig.algorithm", u8, "Signature's algorithm"),
    _many("dns.rrsig.labels", u8, "Labels covered"),
    _many("dns.rrsig.original_ttl", u32, "Original TTL", "seconds"),
    Field("expiration", u32, ""),
    Field("inception", u32, ""),
    _many("dns.rrsig.key_tag", u16, "Signature's key tag"),
)
HASH = Layout(
    _many("dns.nsec3.algo", u8, "Hash algorithm"),
    _many("dns.nsec3.flags", u8, "NSEC3 flags", parts=(Field("", bits(7), ""), _many("dns.nsec3.flags.opt_out", flag, "Opt-out"))),
    _many("dns.nsec3.iterations", u16, "Iterations"),
    _many("dns.nsec3.salt_length", u8, "Salt length", "bytes"),
)
HASH_LENGTH = Layout(_many("dns.nsec3.hash_length", u8, "Hash length", "bytes"))
CERTIFICATE = Layout(
    _many("dns.tlsa.certificate_usage", u8, "Certificate usage"),
    _many("dns.tlsa.selector", u8, "Selector"),
    _many("dns.tlsa.matching_type", u8, "Matching type"),
)
AUTHORIZATION = Layout(
    _many("dns.caa.flags", u8, "CAA flags", hex=2, parts=(_many("dns.caa.flags.issuer_critical", flag, "Issuer critical"),)),
    _many("dns.caa.tag_length", u8, "Tag length"),
)
FINGERPRINT = Layout(_many("dns.sshfp.algorithm", u8, "SSH key's algorithm"), _many("dns.sshfp.fingerprint.type", u8, "Fingerprint type"))
SVCB_HEAD = Layout(_many("dns.svcb.svcpriority", u16, "Priority of the service", "0: an alias"))
SVCB_PARAMETER = Layout(
    _many("dns.svcb.svcparam.key", u16, "Parameter", value_names=PARAMETER),
    _many("dns.svcb.svcparam.value.length", u16, "Length of the value"),
)
OPTION_HEAD = Layout(_many("dns.opt.code", u16, "Option", value_names=OPTION), _many("dns.opt.len", u16, "Option length", "bytes"))
SUBNET = Layout(
    Field("head", u32, ""),
    _many("dns.opt.client.family", u16, "Client's address family"),
    _many("dns.opt.client.netmask", u8, "Client's prefix length"),
    _many("dns.opt.client.scope", u8, "Prefix length the answer is for"),
)
EXTENDED_ERROR = Layout(Field("head", u32, ""), _many("dns.opt.ext_error.info_code", u16, "Extended error", value_names=ERROR))
TCP_KEEPALIVE = Layout(
    Field("head", u32, ""), _many("dns.opt.edns_tcp_keepalive.timeout", u16, "Keeps idle TCP open for", "units of 100 ms: RFC 7828")
)
MANDATORY = Layout(_many("dns.svcb.svcparam.mandatory.key", u16, "Mandatory parameter", value_names=PARAMETER))
PORT = Layout(_many("dns.svcb.svcparam.port", u16, "Port"))
HINT = Layout(_many("dns.svcb.svcparam.ipv4hint.ip", ipv4, "Address hint"))
HINT6 = Layout(_many("dns.svcb.svcparam.ipv6hint.ip", ipv6, "IPv6 address hint"))


def _txt(h: Headers) -> dict[str, Column]:
    records = DnsRecords(h)
    columns = {}
    for kind, name in ((TXT, "dns.txt"), (SPF, "dns.spf")):
        pick = records.of(kind)
        owner, start, end = records.character_strings(pick, records["data"][pick], records["end"][pick])
        columns[name] = records.texts(pick[owner], start, end)
        columns[f"{name}.length"] = Column(end - start, records.rows[pick[owner]])
    return columns


def _hinfo(h: Headers) -> dict[str, Column]:
    records = DnsRecords(h)
    pick = records.of(HINFO)
    owner, start, end = records.character_strings(pick, records["data"][pick], records["end"][pick])
    return _by_position(records, pick, owner, start, end, ("dns.hinfo.cpu", "dns.hinfo.os"))


def _by_position(
    records: DnsRecords, pick: np.ndarray, owner: np.ndarray, start: np.ndarray, end: np.ndarray, names: tuple[str, ...]
) -> dict[str, Column]:
    """The first string of each record under the first name, the second under the second …"""
    first = np.searchsorted(owner, np.arange(len(pick)))
    nth = np.arange(len(owner)) - first[owner]
    return {name: records.texts(pick[owner[nth == at]], start[nth == at], end[nth == at]) for at, name in enumerate(names)}


NAPTR_STRINGS = {"dns.naptr.flags": "NAPTR flags", "dns.naptr.service": "NAPTR service", "dns.naptr.regex": "Regular expression"}


def _naptr(h: Headers) -> dict[str, Column]:
    records = DnsRecords(h)
    pick = records.of(NAPTR)
    texts = records.character_strings(pick, records["data"][pick] + ORDER.size, records["end"][pick])
    return {**_columns(records.read(ORDER, pick), ORDER), **_by_position(records, pick, *texts, tuple(NAPTR_STRINGS))}


def _ds(h: Headers) -> dict[str, Column]:
    records = DnsRecords(h)
    pick = records.of(DS, CDS)
    return {
        **_columns(records.read(DIGEST, pick), DIGEST),
        "dns.ds.digest": records.byte_ranges(pick, records["data"][pick] + DIGEST.size, records["end"][pick]),
    }


def _dnskey(h: Headers) -> dict[str, Column]:
    records = DnsRecords(h)
    pick = records.of(DNSKEY, CDNSKEY)
    start, end = records["data"][pick], records["end"][pick]
    return {
        **_columns(records.read(KEY, pick), KEY),
        "dns.dnskey.public_key": records.byte_ranges(pick, start + KEY.size, end),
        "dns.dnskey.key_id": Column(_key_tags(h, start, end), records.rows[pick]),
    }


def _key_tags(h: Headers, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Key tags, RFC 4034 appendix B: the sum of the RDATA as words of 16 bits, the carry added once."""
    owner, offset = tlv.repeated(end - start)
    byte = gather(h.buffer, start[owner] + offset, 1)[:, 0].astype(np.int64)
    summed = np.bincount(owner, byte << 8 * (1 - offset % 2), len(start)).astype(np.int64)
    return summed + (summed >> 16 & 0xFFFF) & 0xFFFF


def _rrsig(h: Headers) -> dict[str, Column]:
    records = DnsRecords(h)
    pick = records.of(RRSIG, SIG)
    reading = records.read(SIGNATURE, pick)
    columns = _columns(reading, SIGNATURE)
    for name in ("expiration", "inception"):
        values, rows = reading.column(name)
        columns[f"dns.rrsig.signature_{name}"] = Column(values.astype(np.int64) * 10**9, rows)
    columns["dns.rrsig.signature"] = records.byte_ranges(pick, records["rest"][pick], records["end"][pick])
    return columns


def _nsec3(h: Headers) -> dict[str, Column]:
    records = DnsRecords(h)
    pick = records.of(NSEC3, NSEC3PARAM)
    head = records.read(HASH, pick)
    start = records["data"][pick] + HASH.size
    behind = start + head["dns.nsec3.salt_length"]
    columns = {**_columns(head, HASH), "dns.nsec3.salt_value": records.byte_ranges(pick, start, behind)}
    only = records["type"][pick] == NSEC3
    pick, behind = pick[only], behind[only]
    length = Reading(HASH_LENGTH, h.buffer, behind, records["end"][pick], records.rows[pick])
    columns.update(_columns(length, HASH_LENGTH))
    values, rows = records.byte_ranges(pick, behind + 1, behind + 1 + length["dns.nsec3.hash_length"])
    hashes = [base64.b32hexencode(h.buffer[a:b].tobytes()).decode().rstrip("=").lower() for a, b in values.tolist()]
    columns["dns.nsec3.hash_value"] = Column(np.array(hashes, object), rows)
    return columns


def _type_bitmaps(h: Headers) -> dict[str, Column]:
    """The type bit maps of NSEC and NSEC3: windows of 256 types, a bit for each. RFC 4034 §4.1.2."""
    records = DnsRecords(h)
    pick = records.of(NSEC, NSEC3)
    start, end = records["rest"][pick].copy(), records["end"][pick]
    hashed = np.flatnonzero(records["type"][pick] == NSEC3)
    if len(hashed):
        at = start[hashed] + HASH.size
        at = at + records.read(HASH, pick[hashed])["dns.nsec3.salt_length"]
        start[hashed] = at + 1 + Reading(HASH_LENGTH, h.buffer, at, end[hashed])["dns.nsec3.hash_length"]
    end = np.maximum(start, end)
    bad = np.empty(len(pick), np.int64)
    owner, at, size = np.empty((3, int((end - start).sum())), np.int64)
    n = _tlv.options(h.buffer.data, start.data, end.data, 0, 0, 0, 1, 2, -1, bad.data, owner.data, at.data, size.data)
    owner, at, size = owner[:n], at[:n], np.maximum(size[:n] - 2, 0)
    window = gather(h.buffer, at, 1)[:, 0].astype(np.int64)
    window_of, offset = tlv.repeated(size)
    bitmap = np.unpackbits(gather(h.buffer, at[window_of] + 2 + offset, 1)[:, 0]).reshape(-1, 8)
    byte, bit = np.nonzero(bitmap)
    source = window_of[byte]
    return {"dns.nsec.type": Column(window[source] << 8 | offset[byte] << 3 | bit, records.rows[pick[owner[source]]])}


def _tlsa_sshfp(h: Headers) -> dict[str, Column]:
    records = DnsRecords(h)
    certificates, keys = records.of(TLSA, SMIMEA), records.of(SSHFP)
    return {
        **_columns(records.read(CERTIFICATE, certificates), CERTIFICATE),
        "dns.tlsa.certificate_association_data": records.byte_ranges(
            certificates, records["data"][certificates] + CERTIFICATE.size, records["end"][certificates]
        ),
        **_columns(records.read(FINGERPRINT, keys), FINGERPRINT),
        "dns.sshfp.fingerprint": records.byte_ranges(keys, records["data"][keys] + FINGERPRINT.size, records["end"][keys]),
    }


TAGS = ("issue", "issuewild", "iodef")


def _caa(h: Headers) -> dict[str, Column]:
    records = DnsRecords(h)
    pick = records.of(CAA)
    head = records.read(AUTHORIZATION, pick)
    start = records["data"][pick] + AUTHORIZATION.size
    middle, end = start + head["dns.caa.tag_length"], records["end"][pick]
    there = np.flatnonzero(middle <= end)
    pick, start, middle, end = pick[there], start[there], middle[there], end[there]
    tags, values = records.texts(pick, start, middle), records.texts(pick, middle, end)
    columns = {**_columns(head, AUTHORIZATION), "dns.caa.tag": tags, "dns.caa.value": values}
    known = np.array([tag.lower() if tag.lower() in TAGS else "unknown" for tag in tags.values.tolist()], object)
    for tag in (*TAGS, "unknown"):
        mine = known == tag
        columns[f"dns.caa.{tag}"] = Column(values.values[mine], records.rows[pick[mine]])
    return columns


def _svcb(h: Headers) -> dict[str, Column]:
    records = DnsRecords(h)
    pick = records.of(SVCB, HTTPS)
    row, at, size, _, _ = tlv.among(h.buffer, records["rest"][pick], records["end"][pick], head=4, least=4, place=2)
    row = pick[row]
    head = Reading(SVCB_PARAMETER, h.buffer, at, at + size, records.rows[row])
    key, start, end = head["dns.svcb.svcparam.key"], at + 4, at + np.maximum(size, 4)
    columns = {**_columns(records.read(SVCB_HEAD, pick), SVCB_HEAD), **_columns(head, SVCB_PARAMETER)}

    for layout, number in ((MANDATORY, 0), (PORT, 3), (HINT, 4), (HINT6, 6)):  # the value is a list of these
        mine = np.flatnonzero((key == number) & (size > 0))
        owner, nth = tlv.repeated((end - start)[mine] // layout.size)
        owner = mine[owner]
        place = start[owner] + layout.size * nth
        columns |= _columns(Reading(layout, h.buffer, place, end[owner], records.rows[row[owner]]), layout)
    mine = np.flatnonzero(key == 1)
    owner, first, last = records.character_strings(row[mine], start[mine], end[mine])
    columns["dns.svcb.svcparam.alpn"] = records.texts(row[mine][owner], first, last)
    for name, mask in (("echconfig", key == 5), ("value", key > 6)):
        mine = np.flatnonzero(mask)
        columns[f"dns.svcb.svcparam.{name}"] = records.byte_ranges(row[mine], start[mine], end[mine])
    return columns


def _opt(h: Headers) -> dict[str, Column]:
    records = DnsRecords(h)
    pick = records.of(OPT)
    ttl, rows = records["ttl"][pick], records.rows[pick]
    row, at, size, _, _ = tlv.among(h.buffer, records["data"][pick], records["end"][pick], head=4, least=4, place=2)
    row = pick[row]
    owner = records.rows[row]
    head = Reading(OPTION_HEAD, h.buffer, at, at + size, owner)
    code, start, end = head["dns.opt.code"], at + 4, at + np.maximum(size, 4)
    columns = {
        "dns.resp.ext_rcode": Column(ttl >> 24, rows),
        "dns.resp.edns0_version": Column(ttl >> 16 & 0xFF, rows),
        "dns.resp.z": Column(ttl & 0xFFFF, rows),
        "dns.resp.z.do": Column(ttl >> 15 & 1 > 0, rows),
        **_columns(head, OPTION_HEAD),
        "dns.opt.data": records.byte_ranges(row, start, end),
    }

    def of(number: int) -> np.ndarray:
        return np.flatnonzero((code == number) & (size > 0))

    for number, layout in ((8, SUBNET), (15, EXTENDED_ERROR), (11, TCP_KEEPALIVE)):
        mine = of(number)
        columns.update(_columns(Reading(layout, h.buffer, at[mine], end[mine], owner[mine]), layout))
    mine = of(15)
    columns["dns.opt.ext_error.extra_text"] = records.texts(row[mine], start[mine] + 2, end[mine])
    for name, number, skip, most in (("cookie.client", 10, 0, 8), ("cookie.server", 10, 8, 40), ("padding", 12, 0, 0xFFFF)):
        mine = of(number)
        columns[f"dns.opt.{name}"] = records.byte_ranges(row[mine], start[mine] + skip, np.minimum(end[mine], start[mine] + most))
    columns.update(_client_subnets(h, at[of(8)], end[of(8)], owner[of(8)]))
    return columns


def _client_subnets(h: Headers, at: np.ndarray, end: np.ndarray, owner: np.ndarray) -> dict[str, Column]:
    """Addresses, of which an option has the leading bytes only: RFC 7871 §6."""
    family = Reading(SUBNET, h.buffer, at, end)["dns.opt.client.family"]
    columns = {}
    for name, number, room, dtype in (("addr4", 1, 4, ">u4"), ("addr6", 2, 16, "V16")):
        mine = np.flatnonzero(family == number)
        start = at[mine] + SUBNET.size
        data = gather(h.buffer, start, room)
        data[np.arange(room) >= (end[mine] - start)[:, None]] = 0
        values = np.ascontiguousarray(data).view(dtype).reshape(-1)
        columns[f"dns.opt.client.{name}"] = Column(values.astype("u4") if room == 4 else values, owner[mine])
    return columns


DECODED = (A, NS, CNAME, SOA, PTR, HINFO, MX, TXT, SIG, AAAA, SRV, NAPTR, OPT, DS, SSHFP, RRSIG, NSEC, DNSKEY, NSEC3, NSEC3PARAM,
           TLSA, SMIMEA, CDS, CDNSKEY, SVCB, HTTPS, SPF, CAA, 39)  # fmt: skip


def _undecoded(h: Headers) -> dict[str, Column]:
    """RDATA of other types."""
    records = DnsRecords(h)
    pick = np.flatnonzero(~np.isin(records["type"], DECODED) & (records["section"] > QUESTION))
    return {"dns.data": records.byte_ranges(pick, records["data"][pick], records["end"][pick])}


RDATA: tuple[Derived, ...] = (
    fixed_fields(ADDRESS, A),
    fixed_fields(ADDRESS6, AAAA),
    rdata_name(_many("dns.cname", text, "Canonical name"), CNAME),
    rdata_name(_many("dns.ns", text, "Name server"), NS),
    rdata_name(_many("dns.ptr.domain_name", text, "Domain name", "of an address or service"), PTR),
    rdata_name(_many("dns.dname", text, "Target of the DNAME"), 39),
    fixed_fields(PREFERENCE, MX),
    rdata_name(_many("dns.mx.mail_exchange", text, "Mail exchange"), MX),
    ((_many("dns.txt", text, "Text"), _many("dns.txt.length", u8, "Length of the text", "bytes"),
      _many("dns.spf", text, "SPF text"), _many("dns.spf.length", u8, "Length of the SPF text")), _txt),
    fixed_fields(SERVICES, SRV),
    rdata_name(_many("dns.srv.target", text, "Target"), SRV),
    rdata_name(_many("dns.soa.mname", text, "Primary name server"), SOA),
    rdata_name(_many("dns.soa.rname", text, "Responsible mailbox"), SOA, nth=1),
    fixed_fields(ZONE, SOA, place="rest"),
    ((*ORDER.fields, *(_many(name, text, label) for name, label in NAPTR_STRINGS.items())), _naptr),
    rdata_name(_many("dns.naptr.replacement", text, "Replacement"), NAPTR),
    ((_many("dns.hinfo.cpu", text, "CPU"), _many("dns.hinfo.os", text, "Operating system")), _hinfo),
    ((*DIGEST.fields, _many("dns.ds.digest", raw, "Digest")), _ds),
    ((*labeled_fields(KEY), _many("dns.dnskey.public_key", raw, "Public key"), _many("dns.dnskey.key_id", u16, "Key's tag")), _dnskey),
    ((*labeled_fields(SIGNATURE), _many("dns.rrsig.signature_expiration", time, "Signature expires"),
      _many("dns.rrsig.signature_inception", time, "Signature valid from"), _many("dns.rrsig.signature", raw, "Signature")), _rrsig),
    rdata_name(_many("dns.rrsig.signers_name", text, "Signer"), RRSIG, SIG),
    rdata_name(_many("dns.nsec.next_domain_name", text, "Next name", "there is none between"), NSEC),
    ((_many("dns.nsec.type", u16, "Type present", "at the name of an NSEC or NSEC3 record", value_names=TYPE),), _type_bitmaps),
    ((*labeled_fields(HASH), _many("dns.nsec3.salt_value", raw, "Salt"), *HASH_LENGTH.fields,
      _many("dns.nsec3.hash_value", text, "Hash of the next name", "in base32hex")), _nsec3),
    ((*CERTIFICATE.fields, _many("dns.tlsa.certificate_association_data", raw, "Certificate association data"),
      *FINGERPRINT.fields, _many("dns.sshfp.fingerprint", raw, "Fingerprint")), _tlsa_sshfp),
    ((*labeled_fields(AUTHORIZATION), _many("dns.caa.tag", text, "CAA tag"), _many("dns.caa.value", text, "CAA value"),
      *(_many(f"dns.caa.{word}", text, f"CAA {word}") for word in (*TAGS, "unknown"))), _caa),
    ((*SVCB_HEAD.fields, *SVCB_PARAMETER.fields, *MANDATORY.fields,
      _many("dns.svcb.svcparam.alpn", text, "Application protocol"), *PORT.fields, *HINT.fields, *HINT6.fields,
      _many("dns.svcb.svcparam.echconfig", raw, "Encrypted client hello's configuration"),
      _many("dns.svcb.svcparam.value", raw, "Value", "of a parameter that is not decoded")), _svcb),
    rdata_name(_many("dns.svcb.targetname", text, "Service's host", "<Root>: the owner itself"), SVCB, HTTPS),
    ((_many("dns.resp.ext_rcode", u8, "Upper bits of the reply code", hex=2), _many("dns.resp.edns0_version", u8, "EDNS version"),
      _many("dns.resp.z", u16, "EDNS flags", hex=4), _many("dns.resp.z.do", flag, "DNSSEC OK"), *OPTION_HEAD.fields,
      _many("dns.opt.data", raw, "Option data"), *labeled_fields(SUBNET),
      _many("dns.opt.client.addr4", ipv4, "Client's subnet"), _many("dns.opt.client.addr6", ipv6, "Client's IPv6 subnet"),
      *labeled_fields(EXTENDED_ERROR), _many("dns.opt.ext_error.extra_text", text, "Extended error text"),
      _many("dns.opt.cookie.client", raw, "Client's cookie"), _many("dns.opt.cookie.server", raw, "Server's cookie"),
      _many("dns.opt.padding", raw, "Padding"), *labeled_fields(TCP_KEEPALIVE)), _opt),
    ((_many("dns.data", raw, "Record's data", "of a type that is not decoded"),), _undecoded),
)  # fmt: skip
COUNTED: Derived = (tuple(Field(name, u16, label) for pair in COUNT_NAMES for name, label in (pair[:2], pair[2:]) if name), _counts)
RESPONSE = flag_bit("dns.flags.response", "Response", 15, value_names={0: "question", 1: "answer"})
TRUNCATED = flag_bit("dns.flags.truncated", "Truncated", 9, description="ask again over TCP")
BODY: tuple[Derived, ...] = (CODES, EXTENDED_RCODE, COUNTED, QUESTIONS, NAME_SIZES, RECORDS, *RDATA)
BITS: tuple[Derived, ...] = (
    RESPONSE,
    flag_bit("dns.flags.authoritative", "Authoritative", 10, "response", "the server is one of the zone's own"),
    TRUNCATED,
    flag_bit("dns.flags.recdesired", "Recursion desired", 8, description="the server is to ask others"),
    flag_bit("dns.flags.recavail", "Recursion available", 7, "response"),
    flag_bit("dns.flags.z", "Reserved bit", 6),
    flag_bit("dns.flags.authenticated", "Authenticated", 5, "set", "validated with DNSSEC; in a query: requests this bit"),
    flag_bit("dns.flags.checkdisable", "Checking disabled", 4, description="data that were not validated are accepted"),
)
LENGTHS: Derived = ((Field("dns.length", u16, "Length of the message", "bytes, before each message in TCP: RFC 1035 §4.2.2"),), _over_tcp)


def with_multicast_fields(derived: tuple[Derived, ...]) -> tuple[Derived, ...]:
    """The same, and the fields that only multicast DNS has."""
    more = {id(QUESTIONS): (UNICAST_WANTED,), id(RECORDS): (CACHE_FLUSH,)}
    return tuple(((*group[0], *more.get(id(group), ())), group[1]) for group in derived)
