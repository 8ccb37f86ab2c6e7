"""What DNS, multicast DNS and LLMNR share: messages of questions and records. RFC 1035 §4, RFC 3596, 2782, 3403, 4034, 5155, 6698,
6891, 8659, 9460. A message is a span of any buffer, so it does not matter what carried it.

The walk of `_names` goes over all messages of a batch once; fields are read from the matrices that it writes.
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
ADDED = (  # what a message is to those before it
    Field("dns.response_to", u32, "Answers the question in", "frame"),
    Field("dns.time", seconds, "Time since the question", "since it was first sent, if it was sent again within 5 s"),
    Field("dns.response_in", u32, "Answered in", "frame; of a question that an ICMP error quotes when it has its answer already"),
    Field("dns.retransmission", flag, "Sent again", "a question within 5 s, or an answer"),
    Field("dns.retransmit_request", flag, "Question sent again"),
    Field("dns.retransmit_request_in", u32, "First asked in", "frame"),
    Field("dns.retransmit_response", flag, "Answer sent again"),
    Field("dns.retransmit_response_in", u32, "First answered in", "frame"),
    Field("dns.unsolicited", flag, "Unsolicited", "an answer without a question in the capture"),
    Field("dns.judged.silent", u32, "Questions left unanswered", "by this server, one behind the other: told at 3, then at twice as many"),
    Field("dns.judged.failures", u32, "Failures", "of one kind from this server within 10 s: told at 10, then at twice as many"),
)
INFO = (
    "{dns.flags.opcode:words}[?dns.flags.response: response{dns.id:mark}] {dns.id}[, {dns.qry.type:words}][ {dns.qry.name}]"
    "[, {dns.rcode:words}][?dns.flags.response:, {dns.count.answers} answers][?dns.flags.truncated:, truncated{dns.id:mark}]"
)


def _many(name: str, kind: object, label: str, description: str = "", **more: object) -> Field:
    return Field(name, kind, label, description, many=True, **more)  # type: ignore[arg-type]


# ---------------------------------------------------------------- the walk


def walk(h: Headers, deep: bool = True) -> None:
    """Walk all messages, once; what it wrote is kept as columns of their own: `records`, `owners`, `inner`, `inner names`.

    deep: whether the data of records are of the types of DNS.
    """
    size = COUNTS.size
    lacks = h.whole & (h.end - h.start < size)
    h.fault(lacks & (h.wire - h.start < size) & ~h.quoted, "", "needs {needed} bytes, has {had}", size, h.wire - h.start, h.start)
    h.fault(lacks & (h.wire - h.start >= size), "", CUT, size, h.end - h.start, h.start)
    which = np.flatnonzero(h.end - h.start >= size)
    start, end = h.start[which], h.end[which]
    head = Reading(COUNTS, h.buffer, start, end)
    most = sum(head[str(nth)].astype(np.int64) for nth in range(4))
    room = int(np.minimum(most, (end - start - size) // 5 + 1).sum())  # a question takes 5 bytes at least
    records, inner = np.empty((len(_dns_messages.RECORD), room), np.int64), np.empty((len(_dns_messages.INNER), 2 * room), np.int64)
    told = np.zeros((5, len(which)), np.int64)
    names = _dns_messages.Names(memoryview(h.buffer.data))
    n, m = _dns_messages.walk(names, h.buffer.data, start.data, end.data, room, deep, records.data, inner.data, told.data)
    said = np.empty(len(names.said()) + 1, object)  # the last is None: no name
    said[:-1] = names.said()
    records, inner = records[:, :n].T, inner[:, :m].T
    fine = told[0] == 0
    h.set_context("behind", (h.wire[which] - told[4])[fine], which[fine])  # bytes that no count speaks of
    h.set_context("records", records, which[records[:, 0]])
    h.set_context("owners", said[records[:, 2]], which[records[:, 0]])
    h.set_context("inner", inner, which[inner[:, 0]])
    h.set_context("inner names", said[inner[:, 3]], which[inner[:, 0]])
    _faults(h, which, told)


def _faults(h: Headers, which: np.ndarray, told: np.ndarray) -> None:
    bad = np.flatnonzero((told[0] > 0) & ~h.quoted[which])
    if not len(bad):
        return
    rows = which[bad]
    needed, had, at, why = (np.zeros(len(h), np.int64) for _ in range(4))
    why[rows], at[rows], needed[rows], had[rows] = told[:4, bad]
    cut = np.isin(why, [_dns_messages.FAULTS.index(one) for one in _dns_messages.SHORT]) & (h.end < h.wire)
    h.fault(cut, "", CUT, h.wire - h.start, h.end - h.start, h.start)
    for nth, says in enumerate(_dns_messages.FAULTS):
        if nth:
            h.fault((why == nth) & ~cut, "", says, needed, had, at)


class Records:
    """The questions and records of some messages. `r["ttl"]` is a row of `_names.RECORD` for each; rows: the message of each."""

    def __init__(self, h: Headers) -> None:
        self.h = h
        self.values, rows = h.context["records"]
        assert rows is not None
        self.rows = rows

    def __getitem__(self, name: str) -> np.ndarray:
        return self.values[:, _dns_messages.RECORD.index(name)]

    def of(self, *types: int) -> np.ndarray:
        """Indices of the records (no questions) of these types."""
        kind = self["type"]
        mask = kind == types[0] if len(types) == 1 else np.isin(kind, types)
        return np.flatnonzero(mask & (self["section"] > QUESTION))

    def read(self, layout: Layout, pick: np.ndarray, place: str = "data", skip: np.ndarray | int = 0) -> Reading:
        """A layout in the data of these records, from `place` on."""
        return Reading(layout, self.h.buffer, self[place][pick] + skip, self["end"][pick], self.rows[pick])

    def raws(self, pick: np.ndarray, start: np.ndarray, end: np.ndarray) -> Column:
        """Stretches of bytes of these records, where they lie inside of them."""
        there = (end > start) & (end <= self["end"][pick])
        return Column(np.column_stack((start, end))[there], self.rows[pick[there]])

    def texts(self, pick: np.ndarray, start: np.ndarray, end: np.ndarray) -> Column:
        """Texts of these records, where they lie inside of them."""
        there = (end >= start) & (end <= self["end"][pick])
        return Column(_said(self.h, start[there], end[there]), self.rows[pick[there]])

    def counted(self, pick: np.ndarray, start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The strings with a length byte between: (index into pick, where each begins, where it ends)."""
        start, end = np.ascontiguousarray(start), np.ascontiguousarray(end)
        owner, at = np.empty((2, int(np.maximum(end - start, 0).sum())), np.int64)
        n = _dns_messages.counted(self.h.buffer.data, start.data, end.data, owner.data, at.data)
        owner, at = owner[:n], at[:n]
        return owner, at + 1, at + 1 + gather(self.h.buffer, at, 1)[:, 0]


def _said(h: Headers, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    made = np.empty(len(start), object)
    made[:] = _dns_messages.strings(memoryview(h.buffer.data), np.ascontiguousarray(start).data, np.ascontiguousarray(end).data)
    return made


Derived = tuple[tuple[Field, ...], Callable[[Headers], dict[str, Column]]]


def shown(layout: Layout) -> tuple[Field, ...]:
    """The fields of a layout that have a name."""
    return tuple(f for f in layout.all() if f.label)


def _columns(reading: Reading, layout: Layout) -> dict[str, Column]:
    return {f.name: reading.column(f.name) for f in shown(layout)}


def plain(layout: Layout, *types: int, place: str = "data") -> Derived:
    """Fields that stand as they are in the data of records of these types."""

    def read(h: Headers) -> dict[str, Column]:
        records = Records(h)
        return _columns(records.read(layout, records.of(*types), place), layout)

    return shown(layout), read


def name_in(f: Field, *types: int, nth: int = 0) -> Derived:
    """A name in the data of records of these types."""

    def read(h: Headers) -> dict[str, Column]:
        inner, rows = h.context["inner"]
        names, _ = h.context["inner names"]
        assert rows is not None
        pick = np.flatnonzero(np.isin(inner[:, 1], types) & (inner[:, 2] == nth))
        return {f.name: Column(names[pick], rows[pick])}

    return (f,), read


# ---------------------------------------------------------------- the header


def switch(
    name: str, label: str, bit: int, when: str = "always", description: str = "", value_names: dict[int, str] | None = None
) -> Derived:
    """A bit of the flags. when: 'always', in a 'response' only, or in a response and where it is 'set'."""

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


def _whole_code(h: Headers) -> dict[str, Column]:
    """The reply code with the eight bits that OPT adds: RFC 6891 §6.1.3."""
    records = Records(h)
    code = (h["dns.flags"] & 15).astype(np.int64)
    pick = records.of(OPT)[::-1]  # the first counts
    high = np.zeros(len(h), np.int64)
    high[records.rows[pick]] = records["ttl"][pick] >> 24
    rows = np.flatnonzero((h.trusted >= HEADER.size) & (h["dns.flags"] >> 15 > 0))
    return {"dns.rcode": Column((high << 4 | code)[rows], rows)}


WHOLE_CODE: Derived = ((Field("dns.rcode", u16, "Reply code of 12 bits", "with the bits of OPT", value_names=RCODE),), _whole_code)
COUNT_NAMES = (  # what the four counts are called, and in an update (RFC 2136 §2.2)
    ("dns.count.queries", "Questions", "dns.count.zones", "Zones"),
    ("dns.count.answers", "Answers", "dns.count.prerequisites", "Prerequisites"),
    ("dns.count.auth_rr", "Authority records", "dns.count.updates", "Updates"),
    ("dns.count.add_rr", "Additional records", "", ""),
)


def _counts(h: Headers) -> dict[str, Column]:
    reading = Reading(COUNTS, h.buffer, h.start, np.where(h.whole, h.end, h.start))
    update = (h["dns.flags"] >> 11 & 15) == UPDATE
    made = {}
    for nth, (name, _, other, _) in enumerate(COUNT_NAMES):
        values, rows = reading.column(str(nth))
        rows = np.arange(len(h)) if rows is None else rows
        own = ~update[rows] if other else np.ones(len(rows), bool)
        made[name] = Column(values[own], rows[own])
        if other:
            made[other] = Column(values[~own], rows[~own])
    return made


def _over_tcp(h: Headers) -> dict[str, Column]:
    """The length that stands before a message in a stream: RFC 1035 §4.2.2."""
    rows = np.arange(len(h) if h.parent is not None and h.parent.protocol.name == "tcp" else 0)
    return {"dns.length": Column((h.wire - h.start)[rows], rows)}


# ---------------------------------------------------------------- questions and records


def _questions(h: Headers) -> dict[str, Column]:
    records = Records(h)
    pick = np.flatnonzero(records["section"] == QUESTION)
    rows = records.rows[pick]
    named = np.flatnonzero(records["name"][pick] >= 0)
    group = records["class"][pick]
    made = {
        "dns.qry.name": Column(h.context["owners"].values[pick[named]], rows[named]),
        "dns.qry.type": Column(records["type"][pick], rows),
        "dns.qry.class": Column(group & 0x7FFF if multicast(h) else group, rows),
    }
    if multicast(h):
        made["dns.qry.qu"] = Column(group >> 15 > 0, rows)
    return made


def _measures(h: Headers) -> dict[str, Column]:
    names, rows = h.column("dns.qry.name")
    sizes, labels = np.empty((2, len(names)), np.int64)
    _dns_messages.measured(names.tolist(), sizes.data, labels.data)
    return {"dns.qry.name.len": Column(sizes, rows), "dns.count.labels": Column(labels, rows)}


def _records(h: Headers) -> dict[str, Column]:
    records = Records(h)
    pick = np.flatnonzero(records["section"] > QUESTION)
    kind, named = records["type"][pick], records["name"][pick] >= 0
    rows = records.rows[pick]
    owners = h.context["owners"].values[pick]
    group = records["class"][pick]
    extended = kind == OPT
    own, service = named & (kind != SRV), named & (kind == SRV)
    made = {
        "dns.resp.name": Column(owners[own], rows[own]),
        "dns.resp.type": Column(kind, rows),
        "dns.resp.class": Column((group & 0x7FFF if multicast(h) else group)[~extended], rows[~extended]),
        "dns.resp.ttl": Column(records["ttl"][pick][~extended], rows[~extended]),
        "dns.resp.len": _lengths(records, pick),
        "dns.rr.udp_payload_size": Column((group & 0x7FFF if multicast(h) else group)[extended], rows[extended]),
        **{name: Column(value, rows[service]) for name, value in zip(SERVICE, _services(owners[service]))},
    }
    if multicast(h):
        made["dns.resp.cache_flush"] = Column(group >> 15 > 0, rows)
    return made


LENGTH = Layout(Field("dns.resp.len", u16, "Data length", "bytes", many=True))
SERVICE = ("dns.srv.service", "dns.srv.proto", "dns.srv.name")


def _lengths(records: Records, pick: np.ndarray) -> Column:
    """What records say how long their data are, two bytes before these."""
    at = records["data"][pick] - 2
    return Reading(LENGTH, records.h.buffer, at, at + 2, records.rows[pick]).column("dns.resp.len")


def _services(owners: np.ndarray) -> list[np.ndarray]:
    """Names of SRV records cut up: service, protocol, domain. RFC 2782."""
    cut = {name: (*re.findall(r"((?:[^.\\]|\\.)+)(?:\.|$)", name), "", "") for name in set(owners.tolist())}
    parts = [(cut[name][0], cut[name][1], ".".join(cut[name][2:-2])) for name in owners.tolist()]
    made = np.empty((3, len(parts)), object)
    for nth in range(3):
        made[nth] = [part[nth] for part in parts]
    return list(made)


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
UNICAST = _many("dns.qry.qu", flag, "Wants a unicast answer", "RFC 6762 §5.4")
FLUSH = _many("dns.resp.cache_flush", flag, "Cache flush", "the record takes the place of what was known: RFC 6762 §10.2")
MEASURES: Derived = (
    (
        _many("dns.qry.name.len", u16, "Length of the name", "characters, unescaped; 0: the root"),
        _many("dns.count.labels", u16, "Labels", "of the name"),
    ),
    _measures,
)
RECORDS: Derived = (
    (
        _many("dns.resp.name", text, "Owner", "of the record; of SRV see dns.srv.service and dns.srv.name"),
        _many("dns.resp.type", u16, "Record's type", value_names=TYPE),
        _many("dns.resp.class", u16, "Record's class", hex=4, value_names=CLASS),
        _many("dns.resp.ttl", u32, "Time to live", "seconds"),
        *LENGTH.fields,
        _many("dns.rr.udp_payload_size", u16, "UDP payload size", "the largest message that the sender takes: RFC 6891 §6.2.3", hex=4),
        _many("dns.srv.service", text, "Service"),
        _many("dns.srv.proto", text, "Service's protocol"),
        _many("dns.srv.name", text, "Service's domain"),
    ),
    _records,
)

# ---------------------------------------------------------------- what records hold

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
    _many("dns.soa.minimum_ttl", u32, "Minimum TTL", "seconds; how long 'no such name' may be believed: RFC 2308 §4"),
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
SERVED = Layout(_many("dns.svcb.svcpriority", u16, "Priority of the service", "0: an alias"))
HEAD = Layout(
    _many("dns.svcb.svcparam.key", u16, "Parameter", value_names=PARAMETER),
    _many("dns.svcb.svcparam.value.length", u16, "Length of the value"),
)
EXTENDED = Layout(
    _many("dns.opt.code", u16, "Option", value_names=OPTION),
    _many("dns.opt.len", u16, "Option length", "bytes"),
)
SUBNET = Layout(
    Field("head", u32, ""),
    _many("dns.opt.client.family", u16, "Client's address family"),
    _many("dns.opt.client.netmask", u8, "Client's prefix length"),
    _many("dns.opt.client.scope", u8, "Prefix length the answer is for"),
)
EXPLAINED = Layout(Field("head", u32, ""), _many("dns.opt.ext_error.info_code", u16, "Extended error", value_names=ERROR))
PATIENT = Layout(
    Field("head", u32, ""), _many("dns.opt.edns_tcp_keepalive.timeout", u16, "Keeps idle TCP open for", "units of 100 ms: RFC 7828")
)
SHORT, PORT = Layout(Field("short", u16, "")), Layout(_many("dns.svcb.svcparam.port", u16, "Port"))
HINT = Layout(_many("dns.svcb.svcparam.ipv4hint.ip", ipv4, "Address hint"))
HINT6 = Layout(_many("dns.svcb.svcparam.ipv6hint.ip", ipv6, "IPv6 address hint"))


def _texts(h: Headers) -> dict[str, Column]:
    records = Records(h)
    made = {}
    for kind, name in ((TXT, "dns.txt"), (SPF, "dns.spf")):
        pick = records.of(kind)
        owner, start, end = records.counted(pick, records["data"][pick], records["end"][pick])
        made[name] = records.texts(pick[owner], start, end)
        made[f"{name}.length"] = Column(end - start, records.rows[pick[owner]])
    return made


def _host(h: Headers) -> dict[str, Column]:
    records = Records(h)
    pick = records.of(HINFO)
    owner, start, end = records.counted(pick, records["data"][pick], records["end"][pick])
    return _in_turn(records, pick, owner, start, end, ("dns.hinfo.cpu", "dns.hinfo.os"))


def _in_turn(
    records: Records, pick: np.ndarray, owner: np.ndarray, start: np.ndarray, end: np.ndarray, names: tuple[str, ...]
) -> dict[str, Column]:
    """The first string of each record under the first name, the second under the second …"""
    first = np.searchsorted(owner, np.arange(len(pick)))
    nth = np.arange(len(owner)) - first[owner]
    return {name: records.texts(pick[owner[nth == at]], start[nth == at], end[nth == at]) for at, name in enumerate(names)}


RULE = ("dns.naptr.flags", "dns.naptr.service", "dns.naptr.regex")


def _rewriting(h: Headers) -> dict[str, Column]:
    records = Records(h)
    pick = records.of(NAPTR)
    strings = records.counted(pick, records["data"][pick] + ORDER.size, records["end"][pick])
    return {**_columns(records.read(ORDER, pick), ORDER), **_in_turn(records, pick, *strings, RULE)}


def _digests(h: Headers) -> dict[str, Column]:
    records = Records(h)
    pick = records.of(DS, CDS)
    return {
        **_columns(records.read(DIGEST, pick), DIGEST),
        "dns.ds.digest": records.raws(pick, records["data"][pick] + DIGEST.size, records["end"][pick]),
    }


def _keys(h: Headers) -> dict[str, Column]:
    records = Records(h)
    pick = records.of(DNSKEY, CDNSKEY)
    start, end = records["data"][pick], records["end"][pick]
    return {
        **_columns(records.read(KEY, pick), KEY),
        "dns.dnskey.public_key": records.raws(pick, start + KEY.size, end),
        "dns.dnskey.key_id": Column(_tags(h, start, end), records.rows[pick]),
    }


def _tags(h: Headers, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Key tags of RFC 4034, appendix B: the data as words of 16 bits, summed up, the carry added once."""
    size = end - start
    owner = np.repeat(np.arange(len(start)), size)
    offset = np.arange(len(owner)) - np.repeat(np.cumsum(size) - size, size)
    byte = gather(h.buffer, start[owner] + offset, 1)[:, 0].astype(np.int64)
    summed = np.bincount(owner, byte << 8 * (1 - offset % 2), len(start)).astype(np.int64)
    return summed + (summed >> 16 & 0xFFFF) & 0xFFFF


def _signatures(h: Headers) -> dict[str, Column]:
    records = Records(h)
    pick = records.of(RRSIG, SIG)
    reading = records.read(SIGNATURE, pick)
    made = _columns(reading, SIGNATURE)
    for name in ("expiration", "inception"):
        values, rows = reading.column(name)
        made[f"dns.rrsig.signature_{name}"] = Column(values.astype(np.int64) * 10**9, rows)
    made["dns.rrsig.signature"] = records.raws(pick, records["rest"][pick], records["end"][pick])
    return made


def _hashes(h: Headers) -> dict[str, Column]:
    records = Records(h)
    pick = records.of(NSEC3, NSEC3PARAM)
    head = records.read(HASH, pick)
    start = records["data"][pick] + HASH.size
    behind = start + head["dns.nsec3.salt_length"]
    made = {**_columns(head, HASH), "dns.nsec3.salt_value": records.raws(pick, start, behind)}
    only = records["type"][pick] == NSEC3
    pick, behind = pick[only], behind[only]
    length = Reading(HASH_LENGTH, h.buffer, behind, records["end"][pick], records.rows[pick])
    made.update(_columns(length, HASH_LENGTH))
    values, rows = records.raws(pick, behind + 1, behind + 1 + length["dns.nsec3.hash_length"])
    said = np.empty(len(values), object)
    said[:] = [
        base64.b32hexencode(gather(h.buffer, np.array([a]), b - a).tobytes()).decode().rstrip("=").lower() for a, b in values.tolist()
    ]
    made["dns.nsec3.hash_value"] = Column(said, rows)
    return made


def _existing(h: Headers) -> dict[str, Column]:
    """The types that a name has, as NSEC and NSEC3 draw them: windows of 256 types, a bit for each. RFC 4034 §4.1.2."""
    records = Records(h)
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
    one = np.repeat(np.arange(n), size)
    offset = np.arange(len(one)) - np.repeat(np.cumsum(size) - size, size)
    drawn = np.unpackbits(gather(h.buffer, at[one] + 2 + offset, 1)[:, 0]).reshape(-1, 8)
    byte, bit = np.nonzero(drawn)
    return {"dns.nsec.type": Column(window[one[byte]] << 8 | offset[byte] << 3 | bit, records.rows[pick[owner[one[byte]]]])}


def _pinned(h: Headers) -> dict[str, Column]:
    records = Records(h)
    certificates, keys = records.of(TLSA, SMIMEA), records.of(SSHFP)
    return {
        **_columns(records.read(CERTIFICATE, certificates), CERTIFICATE),
        "dns.tlsa.certificate_association_data": records.raws(
            certificates, records["data"][certificates] + CERTIFICATE.size, records["end"][certificates]
        ),
        **_columns(records.read(FINGERPRINT, keys), FINGERPRINT),
        "dns.sshfp.fingerprint": records.raws(keys, records["data"][keys] + FINGERPRINT.size, records["end"][keys]),
    }


TAGS = ("issue", "issuewild", "iodef")


def _authorized(h: Headers) -> dict[str, Column]:
    records = Records(h)
    pick = records.of(CAA)
    head = records.read(AUTHORIZATION, pick)
    start = records["data"][pick] + AUTHORIZATION.size
    middle, end = start + head["dns.caa.tag_length"], records["end"][pick]
    there = np.flatnonzero(middle <= end)
    pick, start, middle, end = pick[there], start[there], middle[there], end[there]
    tags, values = records.texts(pick, start, middle), records.texts(pick, middle, end)
    made = {**_columns(head, AUTHORIZATION), "dns.caa.tag": tags, "dns.caa.value": values}
    told = np.array([tag.lower() if tag.lower() in TAGS else "unknown" for tag in tags.values.tolist()], object)
    for word in (*TAGS, "unknown"):
        mine = told == word
        made[f"dns.caa.{word}"] = Column(values.values[mine], records.rows[pick[mine]])
    return made


def _parameters(h: Headers) -> dict[str, Column]:
    records = Records(h)
    pick = records.of(SVCB, HTTPS)
    row, at, size, _, _ = tlv.among(h.buffer, records["rest"][pick], records["end"][pick], head=4, least=4, place=2)
    row = pick[row]
    head = Reading(HEAD, h.buffer, at, at + size, records.rows[row])
    key, start, end = head["dns.svcb.svcparam.key"], at + 4, at + np.maximum(size, 4)
    made = {**_columns(records.read(SERVED, pick), SERVED), **_columns(head, HEAD)}

    def each(layout: Layout, one: int, step: int) -> Reading:
        """A layout again and again in the values of one key."""
        mine = np.flatnonzero((key == one) & (size > 0))
        count = (end - start)[mine] // step
        owner = np.repeat(mine, count)
        place = start[owner] + step * (np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count))
        return Reading(layout, h.buffer, place, end[owner], records.rows[row[owner]])

    made["dns.svcb.svcparam.mandatory.key"] = each(SHORT, 0, 2).column("short")
    made["dns.svcb.svcparam.port"] = each(PORT, 3, 2).column("dns.svcb.svcparam.port")
    made["dns.svcb.svcparam.ipv4hint.ip"] = each(HINT, 4, 4).column("dns.svcb.svcparam.ipv4hint.ip")
    made["dns.svcb.svcparam.ipv6hint.ip"] = each(HINT6, 6, 16).column("dns.svcb.svcparam.ipv6hint.ip")
    mine = np.flatnonzero(key == 1)
    owner, first, last = records.counted(row[mine], start[mine], end[mine])
    made["dns.svcb.svcparam.alpn"] = records.texts(row[mine][owner], first, last)
    for name, mask in (("echconfig", key == 5), ("value", key > 6)):
        mine = np.flatnonzero(mask)
        made[f"dns.svcb.svcparam.{name}"] = records.raws(row[mine], start[mine], end[mine])
    return made


def _extended(h: Headers) -> dict[str, Column]:
    records = Records(h)
    pick = records.of(OPT)
    ttl, rows = records["ttl"][pick], records.rows[pick]
    row, at, size, _, _ = tlv.among(h.buffer, records["data"][pick], records["end"][pick], head=4, least=4, place=2)
    row = pick[row]
    owner = records.rows[row]
    head = Reading(EXTENDED, h.buffer, at, at + size, owner)
    code, start, end = head["dns.opt.code"], at + 4, at + np.maximum(size, 4)
    made = {
        "dns.resp.ext_rcode": Column(ttl >> 24, rows),
        "dns.resp.edns0_version": Column(ttl >> 16 & 0xFF, rows),
        "dns.resp.z": Column(ttl & 0xFFFF, rows),
        "dns.resp.z.do": Column(ttl >> 15 & 1 > 0, rows),
        **_columns(head, EXTENDED),
        "dns.opt.data": records.raws(row, start, end),
    }

    def of(one: int) -> np.ndarray:
        return np.flatnonzero((code == one) & (size > 0))

    for one, layout in ((8, SUBNET), (15, EXPLAINED), (11, PATIENT)):
        mine = of(one)
        made.update(_columns(Reading(layout, h.buffer, at[mine], end[mine], owner[mine]), layout))
    mine = of(15)
    made["dns.opt.ext_error.extra_text"] = records.texts(row[mine], start[mine] + 2, end[mine])
    for name, one, skip, most in (("cookie.client", 10, 0, 8), ("cookie.server", 10, 8, 40), ("padding", 12, 0, 0xFFFF)):
        mine = of(one)
        made[f"dns.opt.{name}"] = records.raws(row[mine], start[mine] + skip, np.minimum(end[mine], start[mine] + most))
    made.update(_subnets(h, at[of(8)], end[of(8)], owner[of(8)]))
    return made


def _subnets(h: Headers, at: np.ndarray, end: np.ndarray, owner: np.ndarray) -> dict[str, Column]:
    """Addresses of which an option holds the first bytes only: RFC 7871 §6."""
    family = Reading(SUBNET, h.buffer, at, end)["dns.opt.client.family"]
    made = {}
    for name, one, room, dtype in (("addr4", 1, 4, ">u4"), ("addr6", 2, 16, "V16")):
        mine = np.flatnonzero(family == one)
        start = at[mine] + SUBNET.size
        bytes_ = gather(h.buffer, start, room)
        bytes_[np.arange(room) >= (end[mine] - start)[:, None]] = 0
        values = np.ascontiguousarray(bytes_).view(dtype).reshape(-1)
        made[f"dns.opt.client.{name}"] = Column(values.astype("u4") if room == 4 else values, owner[mine])
    return made


DECODED = (A, NS, CNAME, SOA, PTR, HINFO, MX, TXT, SIG, AAAA, SRV, NAPTR, OPT, DS, SSHFP, RRSIG, NSEC, DNSKEY, NSEC3, NSEC3PARAM,
           TLSA, SMIMEA, CDS, CDNSKEY, SVCB, HTTPS, SPF, CAA, 39)  # fmt: skip


def _rest(h: Headers) -> dict[str, Column]:
    """The data of records of other types."""
    records = Records(h)
    pick = np.flatnonzero(~np.isin(records["type"], DECODED) & (records["section"] > QUESTION))
    return {"dns.data": records.raws(pick, records["data"][pick], records["end"][pick])}


HELD: tuple[Derived, ...] = (
    plain(ADDRESS, A),
    plain(ADDRESS6, AAAA),
    name_in(_many("dns.cname", text, "Canonical name"), CNAME),
    name_in(_many("dns.ns", text, "Name server"), NS),
    name_in(_many("dns.ptr.domain_name", text, "Domain name", "that an address or service has"), PTR),
    name_in(_many("dns.dname", text, "Name of the other tree"), 39),
    plain(PREFERENCE, MX),
    name_in(_many("dns.mx.mail_exchange", text, "Mail exchange"), MX),
    ((_many("dns.txt", text, "Text"), _many("dns.txt.length", u8, "Length of the text", "bytes"),
      _many("dns.spf", text, "SPF text"), _many("dns.spf.length", u8, "Length of the SPF text")), _texts),
    plain(SERVICES, SRV),
    name_in(_many("dns.srv.target", text, "Target"), SRV),
    name_in(_many("dns.soa.mname", text, "Primary name server"), SOA),
    name_in(_many("dns.soa.rname", text, "Mailbox of who is responsible"), SOA, nth=1),
    plain(ZONE, SOA, place="rest"),
    ((*ORDER.fields, *(_many(name, text, label) for name, label in zip(RULE, ("NAPTR flags", "NAPTR service", "Regular expression")))),
     _rewriting),
    name_in(_many("dns.naptr.replacement", text, "Replacement"), NAPTR),
    ((_many("dns.hinfo.cpu", text, "CPU"), _many("dns.hinfo.os", text, "Operating system")), _host),
    ((*DIGEST.fields, _many("dns.ds.digest", raw, "Digest")), _digests),
    ((*shown(KEY), _many("dns.dnskey.public_key", raw, "Public key"), _many("dns.dnskey.key_id", u16, "Key's tag")), _keys),
    ((*shown(SIGNATURE), _many("dns.rrsig.signature_expiration", time, "Signature expires"),
      _many("dns.rrsig.signature_inception", time, "Signature valid from"), _many("dns.rrsig.signature", raw, "Signature")), _signatures),
    name_in(_many("dns.rrsig.signers_name", text, "Signer"), RRSIG, SIG),
    name_in(_many("dns.nsec.next_domain_name", text, "Next name", "there is none between"), NSEC),
    ((_many("dns.nsec.type", u16, "Type there is", "at the name of an NSEC or NSEC3 record", value_names=TYPE),), _existing),
    ((*shown(HASH), _many("dns.nsec3.salt_value", raw, "Salt"), *HASH_LENGTH.fields,
      _many("dns.nsec3.hash_value", text, "Hash of the next name", "in base32hex")), _hashes),
    ((*CERTIFICATE.fields, _many("dns.tlsa.certificate_association_data", raw, "Certificate association data"),
      *FINGERPRINT.fields, _many("dns.sshfp.fingerprint", raw, "Fingerprint")), _pinned),
    ((*shown(AUTHORIZATION), _many("dns.caa.tag", text, "CAA tag"), _many("dns.caa.value", text, "CAA value"),
      *(_many(f"dns.caa.{word}", text, f"CAA {word}") for word in (*TAGS, "unknown"))), _authorized),
    ((*SERVED.fields, *HEAD.fields, _many("dns.svcb.svcparam.mandatory.key", u16, "Mandatory parameter", value_names=PARAMETER),
      _many("dns.svcb.svcparam.alpn", text, "Application protocol"), *PORT.fields, *HINT.fields, *HINT6.fields,
      _many("dns.svcb.svcparam.echconfig", raw, "Encrypted client hello's configuration"),
      _many("dns.svcb.svcparam.value", raw, "Value", "of a parameter that is not decoded")), _parameters),
    name_in(_many("dns.svcb.targetname", text, "Service's host", "<Root>: the owner itself"), SVCB, HTTPS),
    ((_many("dns.resp.ext_rcode", u8, "Upper bits of the reply code", hex=2), _many("dns.resp.edns0_version", u8, "EDNS version"),
      _many("dns.resp.z", u16, "EDNS flags", hex=4), _many("dns.resp.z.do", flag, "DNSSEC OK"), *EXTENDED.fields,
      _many("dns.opt.data", raw, "Option data"), *shown(SUBNET),
      _many("dns.opt.client.addr4", ipv4, "Client's subnet"), _many("dns.opt.client.addr6", ipv6, "Client's IPv6 subnet"),
      *shown(EXPLAINED), _many("dns.opt.ext_error.extra_text", text, "Extended error in words"),
      _many("dns.opt.cookie.client", raw, "Client's cookie"), _many("dns.opt.cookie.server", raw, "Server's cookie"),
      _many("dns.opt.padding", raw, "Padding"), *shown(PATIENT)), _extended),
    ((_many("dns.data", raw, "Record's data", "of a type that is not decoded"),), _rest),
)  # fmt: skip
COUNTED: Derived = (
    tuple(Field(name, u16, label) for pair in COUNT_NAMES for name, label in (pair[:2], pair[2:]) if name),
    _counts,
)
RESPONSE = switch("dns.flags.response", "Response", 15, value_names={0: "question", 1: "answer"})
TRUNCATED = switch("dns.flags.truncated", "Truncated", 9, description="ask again over TCP")
BODY: tuple[Derived, ...] = (CODES, WHOLE_CODE, COUNTED, QUESTIONS, MEASURES, RECORDS, *HELD)
BITS: tuple[Derived, ...] = (
    RESPONSE,
    switch("dns.flags.authoritative", "Authoritative", 10, "response", "the server is one of the zone's own"),
    TRUNCATED,
    switch("dns.flags.recdesired", "Recursion desired", 8, description="the server is to ask others"),
    switch("dns.flags.recavail", "Recursion available", 7, "response"),
    switch("dns.flags.z", "Reserved bit", 6),
    switch("dns.flags.authenticated", "Authenticated", 5, "set", "checked with DNSSEC; in a query: tell me"),
    switch("dns.flags.checkdisable", "Checking disabled", 4, description="unchecked data are welcome"),
)
LENGTHS: Derived = ((Field("dns.length", u16, "Length of the message", "bytes, before each message in TCP: RFC 1035 §4.2.2"),), _over_tcp)


def multicast_too(derived: tuple[Derived, ...]) -> tuple[Derived, ...]:
    """The same with the fields that only multicast DNS has."""
    more = {id(QUESTIONS): UNICAST, id(RECORDS): FLUSH}
    return tuple(((*one[0], more[id(one)]), one[1]) if id(one) in more else one for one in derived)
