"""NetBIOS Name Service: names of Windows before DNS. RFC 1001 §14–15, RFC 1002 §4.2; messages have the format of DNS."""

import numpy as np

from ..fields import Column, Field, Headers, Layout, Protocol, Reading, bits, flag, ipv4, mac, text, u8, u16, u32
from .common import _dns_messages, dns_messages
from .common.tlv import repeated

TYPE = {1: "A", 2: "NS", 10: "NULL", 32: "NB", 33: "NBSTAT"}
OPCODE = {0: "query", 5: "registration", 6: "release", 7: "wait", 8: "refresh", 9: "refresh", 15: "multi-homed registration"}
RCODE = {
    0: "no error",
    1: "format error",
    2: "server failure",
    3: "name error",
    4: "not supported",
    5: "refused",
    6: "active",
    7: "conflict",
}
NODE = {0: "B: broadcasts", 1: "P: asks a server", 2: "M: broadcasts, then asks", 3: "H: asks, then broadcasts"}
NB, NBSTAT = 32, 33
HEADER = Layout(Field("nbns.id", u16, "Transaction ID", hex=4), Field("nbns.flags", u16, "Flags", hex=4))
ADDRESS_ENTRY = Layout(
    Field(
        "nbns.nb_flags",
        u16,
        "Address's flags",
        hex=4,
        many=True,
        parts=(
            Field("nbns.nb_flags.group", flag, "Group's name", many=True),
            Field("nbns.nb_flags.ont", bits(2), "Owner's node type", value_names=NODE, many=True),
        ),
    ),
    Field("nbns.addr", ipv4, "Address", many=True),
)
NUMBER = Layout(Field("nbns.number_of_names", u8, "Names", "that the host has", many=True))
NAME = Layout(
    *(Field(f"before {nth}", u32, "") for nth in range(4)),
    Field(
        "nbns.name_flags",
        u16,
        "Name's flags",
        hex=4,
        many=True,
        parts=(
            Field("nbns.name_flags.group", flag, "Name of a group", many=True),
            Field("nbns.name_flags.ont", bits(2), "Node type", value_names=NODE, many=True),
            Field("nbns.name_flags.drg", flag, "Being deregistered", many=True),
            Field("nbns.name_flags.cnf", flag, "In conflict", many=True),
            Field("nbns.name_flags.act", flag, "Active", many=True),
            Field("nbns.name_flags.prm", flag, "Permanent", many=True),
        ),
    ),
)
UNIT = Layout(Field("nbns.unit_id", mac, "Unit's MAC address", many=True))
SIZE = 16  # bytes of a name; the last is the service


def check(h: Headers) -> None:
    dns_messages.parse(h, with_rdata=False)


def _decode(name: str | None) -> str | None:
    """'WPAD<00>' for 'FHFAEBEECACACACACACACACACACACAAA': a byte is two letters from A to P. RFC 1001 §14.1."""
    first, _, scope = (name or "").partition(".")
    if len(first) != 2 * SIZE or not set(first) <= set("ABCDEFGHIJKLMNOP"):
        return name
    data = bytes((ord(high) - 65) << 4 | ord(low) - 65 for high, low in zip(first[::2], first[1::2]))
    text = "".join(chr(byte) if 32 <= byte < 127 else f"<{byte:02x}>" for byte in data[:-1].rstrip(b" "))
    return f"{text}<{data[-1]:02x}>{'.' + scope if scope else ''}"


def _records(h: Headers) -> dict[str, Column]:
    records = dns_messages.DnsRecords(h)
    rows, kind, answer = records.rows, records["type"], records["section"] > dns_messages.QUESTION
    names = h.context["owner_names"].values
    decoded = {name: _decode(name) for name in set(names.tolist())}
    named = np.flatnonzero(records["name"] >= 0)
    columns = {
        "nbns.name": Column(np.array([decoded[name] for name in names[named].tolist()], object), rows[named]),
        "nbns.type": Column(kind, rows),
        "nbns.class": Column(records["class"], rows),
        "nbns.ttl": Column(records["ttl"][answer], rows[answer]),
        "nbns.data_length": Column((records["end"] - records["data"])[answer], rows[answer]),
    }
    pick = records.of(NB)
    count = (records["end"] - records["data"])[pick] // ADDRESS_ENTRY.size
    columns.update(_repeat(h, records, ADDRESS_ENTRY, pick, records["data"][pick], count)[0])
    pick = records.of(NBSTAT)
    head = records.read(NUMBER, pick)
    columns["nbns.number_of_names"] = head.column("nbns.number_of_names")
    start = records["data"][pick] + NUMBER.size
    count = np.minimum(head["nbns.number_of_names"].astype(np.int64), (records["end"][pick] - start) // NAME.size)
    more, at, owner = _repeat(h, records, NAME, pick, start, np.maximum(count, 0))
    columns.update(more)
    texts = _dns_messages.decode_texts(memoryview(h.buffer.data), at.data, (at + SIZE - 1).data)
    columns["nbns.netbios_name"] = Column(np.array([name.rstrip(" \0") for name in texts], object), owner)
    place = start + NAME.size * count
    columns["nbns.unit_id"] = Reading(UNIT, h.buffer, place, records["end"][pick], rows[pick]).column("nbns.unit_id")
    return columns


def _repeat(
    h: Headers, records: dns_messages.DnsRecords, layout: Layout, pick: np.ndarray, start: np.ndarray, count: np.ndarray
) -> tuple[dict[str, Column], np.ndarray, np.ndarray]:
    """A layout count[i] times from start[i] on in the records `pick`; offset and message of each, int64."""
    source, nth = repeated(count)
    at = start[source] + layout.size * nth
    owner = records.rows[pick[source]]
    reading = Reading(layout, h.buffer, at, records["end"][pick[source]], owner)
    return {f.name: reading.column(f.name) for f in dns_messages.labeled_fields(layout)}, at, owner


def _codes(h: Headers) -> dict[str, Column]:
    flags = h["nbns.flags"]
    rows = np.flatnonzero(h.trusted >= HEADER.size)
    answers = rows[flags[rows] >> 15 > 0]
    return {"nbns.flags.opcode": Column(flags[rows] >> 11 & 15, rows), "nbns.flags.rcode": Column(flags[answers] & 15, answers)}


COUNTS = ("nbns.count.queries", "nbns.count.answers", "nbns.count.auth_rr", "nbns.count.add_rr")


def _counts(h: Headers) -> dict[str, Column]:
    reading = Reading(dns_messages.COUNTS, h.buffer, h.start, np.where(h.whole, h.end, h.start))
    return {name: reading.column(str(nth)) for nth, name in enumerate(COUNTS)}


PROTOCOL = Protocol(
    "NBNS",
    header=HEADER,
    on={"udp.port": 137},
    info="{nbns.flags.opcode:words} {nbns.flags.response:words} {nbns.id}[, {nbns.type:words}][ {nbns.name}][, {nbns.addr}]"
    "[, {nbns.flags.rcode:words}]",
    check=check,
    derived=(
        dns_messages.flag_bit("nbns.flags.response", "Response", 15, value_names={0: "request", 1: "response"}),
        dns_messages.flag_bit("nbns.flags.authoritative", "Authoritative", 10, "response"),
        dns_messages.flag_bit("nbns.flags.truncated", "Truncated", 9),
        dns_messages.flag_bit("nbns.flags.recdesired", "Recursion desired", 8),
        dns_messages.flag_bit("nbns.flags.recavail", "Recursion available", 7, "response"),
        dns_messages.flag_bit("nbns.flags.broadcast", "Broadcast", 4),
        (
            (Field("nbns.flags.opcode", u8, "Opcode", value_names=OPCODE), Field("nbns.flags.rcode", u8, "Reply code", value_names=RCODE)),
            _codes,
        ),
        (
            tuple(
                Field(name, u16, label) for name, label in zip(COUNTS, ("Questions", "Answers", "Authority records", "Additional records"))
            ),
            _counts,
        ),
        (
            (
                Field("nbns.name", text, "Name", "with the byte of its service", many=True),
                Field("nbns.type", u16, "Type", value_names=TYPE, many=True),
                Field("nbns.class", u16, "Class", many=True),
                Field("nbns.ttl", u32, "Time to live", "seconds", many=True),
                Field("nbns.data_length", u16, "Data length", "bytes", many=True),
                *ADDRESS_ENTRY.all(),
                *NUMBER.fields,
                *dns_messages.labeled_fields(NAME),
                Field("nbns.netbios_name", text, "Name that the host has", many=True),
                *UNIT.fields,
            ),
            _records,
        ),
    ),
)
