"""Dynamic Host Configuration Protocol for IPv6. RFC 9915 (before: RFC 8415); prefixes and relayed messages are nested options."""

import numpy as np

from ..fields import Column, Field, Headers, Kind, Layout, Protocol, date, flag, ipv6, mac, raw, text, u8, u16, u24, u32
from .common.domain_names import read_names
from .common.parts import Parts, misfits, needs
from .common.tlv import items, repeated

SOLICIT, ADVERTISE, REQUEST, CONFIRM, RENEW, REBIND, REPLY, RELEASE, DECLINE, RECONFIGURE, INFORM, RELAY_FORWARD, RELAY_REPLY = range(1, 14)
MESSAGE = {
    SOLICIT: "solicit",
    ADVERTISE: "advertise",
    REQUEST: "request",
    CONFIRM: "confirm",
    RENEW: "renew",
    REBIND: "rebind",
    REPLY: "reply",
    RELEASE: "release",
    DECLINE: "decline",
    RECONFIGURE: "reconfigure",
    INFORM: "information request",
    RELAY_FORWARD: "relay forward",
    RELAY_REPLY: "relay reply",
    14: "lease query",
    15: "lease query reply",
    16: "lease query done",
    17: "lease query data",
}
NO_ADDRESSES, NO_BINDING, NOT_ON_LINK, NO_PREFIXES = 2, 3, 4, 6
STATUS = {0: "success", 1: "unspecified failure", 2: "no addresses", 3: "no binding", 4: "not on link", 5: "use multicast",
          6: "no prefixes"}  # fmt: skip
DUID = {1: "link-layer address and time", 2: "enterprise number", 3: "link-layer address", 4: "UUID"}
HARDWARE = {1: "Ethernet", 6: "IEEE 802", 32: "InfiniBand"}
MESSAGE_TYPE = Layout(Field("dhcpv6.msgtype", u8, "Message", "of a relayed message too, outermost first", value_names=MESSAGE, many=True))
CLIENT_HEADER = Layout(
    Field("before", u8, ""),
    Field("dhcpv6.xid", u24, "Transaction", "the client's random number, the same in the answers", hex=6, many=True),
)
RELAY_HEADER = Layout(
    Field("before", u8, ""),
    Field("dhcpv6.hopcount", u8, "Hops", "relay agents before this one", many=True),
    Field("dhcpv6.linkaddr", ipv6, "Link", "an address of the client's link", many=True),
    Field("dhcpv6.peeraddr", ipv6, "Peer", "who sent it to the relay agent", many=True),
)
CLIENT, SERVER, IA_NA, IA_TA, ADDRESS, RELAY, CLASSES, CLASS, VENDOR, IA_PD, PREFIX, NTP = 1, 2, 3, 4, 5, 9, 15, 16, 17, 25, 26, 56
STATUS_CODE, REMOTE, NAME, STATUS_AT, REMOTE_AT = 13, 37, 39, 2, 4
VALUES: dict[int, tuple[str, Kind, str, bool]] = {  # options of one value or a list of them: name, kind, label, list
    6: ("requested_option_code", u16, "Requested option", True),
    7: ("option_preference", u8, "Preference", False),
    8: ("elapsed_time", u16, "Elapsed time", False),
    12: ("unicast", ipv6, "Server's unicast address", False),
    18: ("interface_id", raw, "Interface", True),
    19: ("reconf_msg", u8, "Message asked for", False),
    22: ("sip_server_a", ipv6, "SIP server", True),
    23: ("dns_server", ipv6, "DNS server", True),
    27: ("nis_server", ipv6, "NIS server", True),
    28: ("nisp_server", ipv6, "NIS+ server", True),
    31: ("sntp_server", ipv6, "SNTP server", True),
    32: ("lifetime", u32, "Refresh time", False),
    38: ("subscriber_id", text, "Subscriber", True),
    40: ("pana_agent", ipv6, "PANA agent", True),
    41: ("timezone", text, "Time zone, POSIX", False),
    42: ("tzdb", text, "Time zone's name", False),
    46: ("clt_time", u32, "Seconds since the client spoke", True),
    52: ("capwap_ac_v6", ipv6, "CAPWAP controller", True),
    103: ("captive_portal", text, "Captive portal", False),
    112: ("mudurl", text, "Manufacturer's usage description", False),
}
NAMES = {
    21: ("sip_server_domain_search_fqdn", "SIP server's name"),
    24: ("search_list_entry", "Domain to search"),
    29: ("nis_fqdn", "NIS domain"),
    30: ("nisp_fqdn", "NIS+ domain"),
    64: ("aftr_name", "Tunnel end point's name"),
}
OTHER_OPTIONS = {
    CLIENT: "client identifier",
    SERVER: "server identifier",
    IA_NA: "addresses",
    IA_TA: "temporary addresses",
    ADDRESS: "address",
    RELAY: "relayed message",
    11: "authentication",
    STATUS_CODE: "status",
    14: "rapid commit",
    CLASSES: "user class",
    CLASS: "vendor class",
    VENDOR: "vendor specific",
    20: "accepts reconfigure",
    IA_PD: "prefixes",
    PREFIX: "prefix",
    REMOTE: "remote",
    NAME: "client's domain name",
    NTP: "NTP servers",
    59: "boot file's URL",
    60: "boot file's parameters",
    61: "client's architecture",
    79: "client's link-layer address",
}
OPTION = {
    **{code: label.lower() for code, (_, _, label, _) in VALUES.items()},
    **{code: label.lower() for code, (_, label) in NAMES.items()},
    **OTHER_OPTIONS,
}
HEAD = Layout(
    Field("dhcpv6.option.type", u16, "Option", "of options in options too", value_names=OPTION, many=True),
    Field("dhcpv6.option.length", u16, "Option length", "bytes of its value", many=True),
)
DESCRIPTIONS = {"elapsed_time": "ms since the client began", "lifetime": "seconds until settings are asked for again"}
VALUE_FIELDS = {
    code: Field(
        f"dhcpv6.{name}",
        kind,
        label,
        DESCRIPTIONS.get(name, ""),
        many=many,
        value_names=OPTION if code == 6 else None,
        scale=10 if code == 8 else 1,
    )
    for code, (name, kind, label, many) in VALUES.items()
}
NAME_FIELDS = {code: Field(f"dhcpv6.{name}", text, label, many=True) for code, (name, label) in NAMES.items()}
DUID_HEAD = Layout(Field("dhcpv6.duid.type", u16, "DUID's type", value_names=DUID, many=True))
DUID_LLT = Layout(
    Field("before", u16, ""),
    Field("dhcpv6.duidllt.hwtype", u16, "DUID's hardware type", value_names=HARDWARE, many=True),
    Field("time", u32, ""),
)
DUID_LLT_MAC = Layout(Field("dhcpv6.duidllt.link_layer_addr", mac, "DUID's MAC", many=True))
DUID_LL_MAC = Layout(Field("dhcpv6.duidll.link_layer_addr", mac, "DUID's MAC", many=True))
DUID_LL = Layout(Field("before", u16, ""), Field("dhcpv6.duidll.hwtype", u16, "DUID's hardware type", value_names=HARDWARE, many=True))
DUID_EN = Layout(Field("before", u16, ""), Field("dhcpv6.duiden.enterprise", u32, "DUID's enterprise", "IANA's number", many=True))
IA_TIMERS = Layout(
    Field("iaid", u32, ""),
    Field("dhcpv6.iaid.t1", u32, "T1", "seconds until the client renews", many=True),
    Field("dhcpv6.iaid.t2", u32, "T2", "seconds until the client asks any server", many=True),
)
TEMPORARY = Layout(Field("iaid", u32, ""))
IAADDR = Layout(
    Field("dhcpv6.iaaddr.ip", ipv6, "Address", many=True),
    Field("dhcpv6.iaaddr.pref_lifetime", u32, "Preferred lifetime", "seconds", many=True),
    Field("dhcpv6.iaaddr.valid_lifetime", u32, "Valid lifetime", "seconds", many=True),
)
IAPREFIX = Layout(
    Field("dhcpv6.iaprefix.pref_lifetime", u32, "Prefix's preferred lifetime", "seconds", many=True),
    Field("dhcpv6.iaprefix.valid_lifetime", u32, "Prefix's valid lifetime", "seconds", many=True),
    Field("dhcpv6.iaprefix.pref_len", u8, "Prefix length", "bits", many=True),
    Field("dhcpv6.iaprefix.pref_addr", ipv6, "Prefix", many=True),
)
STATUS_HEAD = Layout(Field("dhcpv6.status_code", u16, "Status", value_names=STATUS, many=True))
VENDOR_CLASS = Layout(Field("dhcpv6.vendorclass.enterprise", u32, "Vendor class's enterprise", "IANA's number", many=True))
VENDOR_OPTS = Layout(Field("dhcpv6.vendoropts.enterprise", u32, "Vendor options' enterprise", "IANA's number", many=True))
VENDOR_OPT = Layout(
    Field("dhcpv6.vendoropts.enterprise.option_code", u16, "Vendor's option", many=True),
    Field("dhcpv6.vendoropts.enterprise.option_length", u16, "Vendor's option length", "bytes", many=True),
)
REMOTE_ID = Layout(Field("dhcpv6.remoteid.enterprise", u32, "Remote's enterprise", "IANA's number", many=True))
FQDN = Layout(
    Field("dhcpv6.client_fqdn_flags", u8, "Name's flags", "1: the server updates, 2: it did otherwise, 4: no update", hex=2, many=True)
)
NTP_HEAD = Layout(
    Field("dhcpv6.ntpserver.option.type", u16, "NTP suboption", value_names={1: "server", 2: "multicast", 3: "name"}, many=True),
    Field("dhcpv6.ntpserver.option.length", u16, "NTP suboption length", "bytes", many=True),
)
NTP_VALUES = {
    1: Layout(Field("dhcpv6.ntpserver.addr", ipv6, "NTP server", many=True)),
    2: Layout(Field("dhcpv6.ntpserver.mc_addr", ipv6, "NTP multicast address", many=True)),
}
# Bytes of an option before the options that it holds.
OPTIONS_AT = {IA_NA: IA_TIMERS.size, IA_TA: TEMPORARY.size, ADDRESS: IAADDR.size, IA_PD: IA_TIMERS.size, PREFIX: IAPREFIX.size}
DUID_FIELDS = {CLIENT: "dhcpv6.duid.client", SERVER: "dhcpv6.duid.server"}
MAX_DEPTH = 40  # nested options and messages; RFC 9915 §7.6: at most 8 relay agents
Y2000 = 946_684_800  # RFC 9915 §11.2: the second from which DUID times count


def check(h: Headers) -> None:
    needs(h, np.full(len(h), CLIENT_HEADER.size))
    h.column("dhcpv6.option.type")


def _derived(h: Headers) -> dict[str, Column]:
    parts = Parts(h, FIELDS)
    rows = np.flatnonzero(h.whole)
    messages = [(rows, h.start[rows], np.minimum(h.wire, h.end)[rows])]
    lists: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    bad = np.full(len(h), -1, np.int64)
    for _ in range(MAX_DEPTH):
        for row, at, end in messages:
            kind = parts.read(MESSAGE_TYPE, row, at, end)["dhcpv6.msgtype"]
            relays = np.isin(kind, (RELAY_FORWARD, RELAY_REPLY))
            parts.read(CLIENT_HEADER, row[~relays], at[~relays], end[~relays])
            parts.read(RELAY_HEADER, row[relays], at[relays], end[relays])
            lists.append((row, np.minimum(at + np.where(relays, RELAY_HEADER.size, CLIENT_HEADER.size), end), end))
        row, start, end = (np.concatenate(column) for column in zip(*lists, strict=True))
        messages, lists = [], []
        options = items(h, start, end, head=HEAD.size, least=HEAD.size, place=2, owner=row)
        wrong = options.size == 0
        bad[row[options.row[wrong]]] = options.at[wrong]
        fits = np.flatnonzero(~wrong)
        if not len(fits):
            break
        row, at = row[options.row[fits]], options.at[fits]
        end = at + options.size[fits]
        kind = parts.read(HEAD, row, at, end)["dhcpv6.option.type"]
        at = at + HEAD.size
        for code in np.unique(kind).tolist():
            own = (column[kind == code] for column in (row, at, end))
            _option(parts, code, *own)
        offset = np.zeros(1 << 16, np.int64)
        offset[list(OPTIONS_AT)] = list(OPTIONS_AT.values())
        holds = np.flatnonzero((offset[kind] > 0) & (at + offset[kind] < end))
        if len(holds):
            lists.append((row[holds], at[holds] + offset[kind[holds]], end[holds]))
        relayed = np.flatnonzero((kind == RELAY) & (at < end))
        if len(relayed):
            messages.append((row[relayed], at[relayed], end[relayed]))
        if not lists and not messages:
            break
    misfits(h, bad, "dhcpv6.option.type", "does not fit into what holds it")
    return dict(parts.columns())


def _option(parts: Parts, code: int, row: np.ndarray, at: np.ndarray, end: np.ndarray) -> None:
    """The values of all options of one code."""
    if code in VALUE_FIELDS:
        f = VALUE_FIELDS[code]
        if f.kind is text:
            parts.text(f.name, row, at, end)
        elif f.kind is raw:
            parts.bytes(f.name, row, at, end)
        else:
            layout = Layout(f)
            option, nth = repeated((end - at) // layout.size)
            parts.read(layout, row[option], at[option] + layout.size * nth, end[option])
    elif code in NAME_FIELDS:
        names, owner, _ = read_names(parts.h.buffer, at, end)
        parts.put(NAME_FIELDS[code].name, names, row[owner], at[owner])
    elif code in (CLIENT, SERVER):
        _duid(parts, row, at, end)
        parts.bytes(DUID_FIELDS[code], row, at, end)
    elif code in (IA_NA, IA_PD):
        parts.read(IA_TIMERS, row, at, end)
        parts.bytes("dhcpv6.iaid", row, at, np.minimum(at + 4, end))
    elif code == IA_TA:
        parts.bytes("dhcpv6.iata", row, at, np.minimum(at + 4, end))
    elif code == ADDRESS:
        parts.read(IAADDR, row, at, end)
    elif code == PREFIX:
        parts.read(IAPREFIX, row, at, end)
    elif code == STATUS_CODE:
        parts.read(STATUS_HEAD, row, at, end)
        parts.text("dhcpv6.status_msg", row, at + STATUS_AT, end)
    elif code == CLASS:
        parts.read(VENDOR_CLASS, row, at, end)
        rows, _, start, stop = _lengths(parts, row, np.minimum(at + VENDOR_CLASS.size, end), end)
        parts.text("dhcpv6.vendorclass.data", rows, start, stop)
    elif code == CLASSES:
        rows, _, start, stop = _lengths(parts, row, at, end)
        parts.bytes("dhcpv6.userclass.opaque_data", rows, start, stop)
    elif code == VENDOR:
        parts.read(VENDOR_OPTS, row, at, end)
        rows, at, start, stop = _lengths(parts, row, np.minimum(at + VENDOR_OPTS.size, end), end, VENDOR_OPT.size)
        parts.read(VENDOR_OPT, rows, at, stop)
        parts.bytes("dhcpv6.vendoropts.enterprise.option_data", rows, start, stop)
    elif code == REMOTE:
        parts.read(REMOTE_ID, row, at, end)
        parts.bytes("dhcpv6.remoteid_enterprise_id", row, at + REMOTE_AT, end)
    elif code == NAME:
        parts.read(FQDN, row, at, end)
        start = np.minimum(at + FQDN.size, end)
        names, owner, _ = read_names(parts.h.buffer, start, end)
        parts.put("dhcpv6.client_domain", names, row[owner], start[owner])
    elif code == NTP:
        rows, at, start, stop = _lengths(parts, row, at, end, NTP_HEAD.size)
        kind = parts.read(NTP_HEAD, rows, at, stop)["dhcpv6.ntpserver.option.type"]
        for suboption, layout in NTP_VALUES.items():
            of = kind == suboption
            parts.read(layout, rows[of], start[of], stop[of])
        of = kind == 3
        names, owner, _ = read_names(parts.h.buffer, start[of], stop[of])
        parts.put("dhcpv6.ntpserver.fqdn", names, rows[of][owner], start[of][owner])


def _lengths(
    parts: Parts, row: np.ndarray, start: np.ndarray, end: np.ndarray, head: int = 2
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Items with a head whose last two bytes are their length: row of the header, start of head and value, end; int64."""
    values = items(parts.h, start, end, head=head, least=head, place=head - 2, owner=row)
    fits = np.flatnonzero(values.size > 0)
    return row[values.row[fits]], values.at[fits], values.at[fits] + head, values.at[fits] + values.size[fits]


def _duid(parts: Parts, row: np.ndarray, at: np.ndarray, end: np.ndarray) -> None:
    """RFC 9915 §11: a DUID, which identifies a client or server."""
    parts.bytes("dhcpv6.duid.bytes", row, at, end)
    kind = parts.read(DUID_HEAD, row, at, end)["dhcpv6.duid.type"]

    def of(number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return row[kind == number], at[kind == number], end[kind == number]

    rows, start, stop = of(1)
    duid_llt = parts.read(DUID_LLT, rows, start, stop)
    there = np.flatnonzero(duid_llt.trusted == DUID_LLT.size)
    parts.put("dhcpv6.duidllt.time", (duid_llt["time"][there].astype(np.int64) + Y2000) * 10**9, rows[there], start[there])
    parts.read(DUID_LLT_MAC, rows, start + DUID_LLT.size, stop)
    rows, start, stop = of(2)
    parts.read(DUID_EN, rows, start, stop)
    parts.bytes("dhcpv6.duiden.identifier", rows, start + DUID_EN.size, stop)
    rows, start, stop = of(3)
    parts.read(DUID_LL, rows, start, stop)
    parts.read(DUID_LL_MAC, rows, start + DUID_LL.size, stop)
    rows, start, stop = of(4)
    parts.bytes("dhcpv6.duiduuid.bytes", rows, start + DUID_HEAD.size, stop)


FIELDS = (
    *MESSAGE_TYPE.fields,
    CLIENT_HEADER.fields[1],
    *RELAY_HEADER.fields[1:],
    *HEAD.fields,
    *VALUE_FIELDS.values(),
    *NAME_FIELDS.values(),
    Field("dhcpv6.duid.bytes", raw, "DUID", "the client's, the server's", many=True),
    Field(DUID_FIELDS[CLIENT], raw, "Client's DUID"),
    Field(DUID_FIELDS[SERVER], raw, "Server's DUID"),
    *DUID_HEAD.fields,
    DUID_LLT.fields[1],
    Field("dhcpv6.duidllt.time", date, "DUID's time", "when it was made", many=True),
    *DUID_LLT_MAC.fields,
    DUID_EN.fields[1],
    Field("dhcpv6.duiden.identifier", raw, "DUID's identifier", many=True),
    DUID_LL.fields[1],
    *DUID_LL_MAC.fields,
    Field("dhcpv6.duiduuid.bytes", raw, "DUID's UUID", many=True),
    Field("dhcpv6.iaid", raw, "Identity association", "which of the client's interfaces asks", many=True),
    *IA_TIMERS.fields[1:],
    Field("dhcpv6.iata", raw, "Temporary identity association", many=True),
    *IAADDR.fields,
    *IAPREFIX.fields,
    *STATUS_HEAD.fields,
    Field("dhcpv6.status_msg", text, "Status in words", many=True),
    *VENDOR_CLASS.fields,
    Field("dhcpv6.vendorclass.data", text, "Vendor class", many=True),
    Field("dhcpv6.userclass.opaque_data", raw, "User class", many=True),
    *VENDOR_OPTS.fields,
    *VENDOR_OPT.fields,
    Field("dhcpv6.vendoropts.enterprise.option_data", raw, "Vendor's option value", many=True),
    *REMOTE_ID.fields,
    Field("dhcpv6.remoteid_enterprise_id", raw, "Remote", "who is at the circuit's far end", many=True),
    *FQDN.fields,
    Field("dhcpv6.client_domain", text, "Client's domain name", many=True),
    *NTP_HEAD.fields,
    *(f for layout in NTP_VALUES.values() for f in layout.fields),
    Field("dhcpv6.ntpserver.fqdn", text, "NTP server's name", many=True),
)

PROTOCOL = Protocol(
    "DHCPv6",
    on={"udp.port": (546, 547)},
    info="{dhcpv6.msgtype:words}[, transaction {dhcpv6.xid}]",
    check=check,
    derived=((FIELDS, _derived),),
    external_fields=(  # from `correlators.dhcp_matching`
        Field("dhcpv6.judged.repeated", flag, "Asked again", "the client repeats a request that nobody answered"),
        Field("dhcpv6.judged.rival", flag, "Second server", "another server gave addresses in this network before"),
    ),
)
