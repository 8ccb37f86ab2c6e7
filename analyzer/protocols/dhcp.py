"""Dynamic Host Configuration Protocol (RFC 2131) and BOOTP (RFC 951). Options: RFC 2132; relay agents: RFC 3046."""

import numpy as np

from ..fields import Column, Field, Headers, Kind, Layout, Protocol, bits, flag, ipv4, mac, raw, signed, text, u8, u16, u32
from .common.domain_names import read_names
from .common.parts import Parts, misfits, needs, peek
from .common.tlv import Options, repeated, walk

OPERATION = {1: "request", 2: "reply"}
HARDWARE = {1: "Ethernet", 6: "IEEE 802", 32: "InfiniBand", 255: "none"}
DISCOVER, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE, INFORM = range(1, 9)
MESSAGE = {
    DISCOVER: "discover",
    OFFER: "offer",
    REQUEST: "request",
    DECLINE: "decline",
    ACK: "ACK",
    NAK: "NAK",
    RELEASE: "release",
    INFORM: "inform",
    9: "force renew",
    10: "lease query",
    11: "lease unassigned",
    12: "lease unknown",
    13: "lease active",
    14: "bulk lease query",
    15: "lease query done",
    16: "active lease query",
    17: "lease query status",
    18: "TLS",
}
HEADER = Layout(
    Field("dhcp.type", u8, "Operation", value_names=OPERATION),
    Field("dhcp.hw.type", u8, "Hardware type", "as ARP has it", hex=2, value_names=HARDWARE),
    Field("dhcp.hw.len", u8, "Hardware address length", "bytes"),
    Field("dhcp.hops", u8, "Hops", "relay agents that it went through"),
    Field("dhcp.id", u32, "Transaction", "the client's random number, the same in the answers", hex=8),
    Field("dhcp.secs", u16, "Seconds elapsed", "since the client began to ask"),
    Field("dhcp.flags", u16, "Flags", hex=4, parts=(
        Field("dhcp.flags.bc", flag, "Broadcast", "answers shall be broadcast: the client cannot take unicast yet"),
        Field("dhcp.flags.reserved", bits(15), "Reserved", hex=4),
    )),
    Field("dhcp.ip.client", ipv4, "Client's address", "that it has already; else 0"),
    Field("dhcp.ip.your", ipv4, "Your address", "what the server gives"),
    Field("dhcp.ip.server", ipv4, "Next server", "to boot from"),
    Field("dhcp.ip.relay", ipv4, "Relay agent's address", "0: client and server share a network"),
)  # fmt: skip
ADDRESS_AT, SERVER_AT, FILE_AT, COOKIE_AT, OPTIONS_AT = 28, 44, 108, 236, 240
MAC = Layout(Field("dhcp.hw.mac_addr", mac, "Client's MAC", "also where option 61 identifies the client by it", many=True))
COOKIE = Layout(Field("dhcp.cookie", ipv4, "Magic cookie", "99.130.83.99: options follow"))
MAGIC = 0x63825363
PAD, ROUTE_FILTER, ROUTE, VENDOR, OVERLOAD, CLIENT, CLASSES, NAME, RELAY, END = 0, 21, 33, 43, 52, 61, 77, 81, 82, 255
SERVERS = {  # lists of addresses: RFC 2132 §3, §8; RFC 5417, RFC 5859
    3: "router", 4: "time_server", 5: "name_server", 6: "domain_name_server", 7: "log_server", 8: "quotes_server", 9: "lpr_server",
    10: "impress_server", 11: "resource_location_server", 41: "nis_server", 42: "ntp_server", 44: "netbios_over_tcpip_name_server",
    45: "netbios_over_tcpip_dd_name_server", 48: "xwindows_system_font_server", 49: "xwindows_system_display_manager",
    65: "nis_plus_server", 68: "mobile_ip_home_agent", 69: "smtp_server", 70: "pop3_server", 71: "nntp_server", 72: "default_www_server",
    73: "default_finger_server", 74: "default_irc_server", 75: "streettalk_server", 76: "streettalk_da_server",
    92: "associated_ip_option", 112: "netinfo_parent_server_address", 136: "pana_agent", 138: "capwap_access_controller",
    150: "tftp_server_address",
}  # fmt: skip
VALUES: dict[int, tuple[str, Kind, str]] = {  # options of one value or a list of them: name, kind, label
    1: ("subnet_mask", ipv4, "Subnet mask"),
    2: ("time_offset", signed, "Time offset"),
    12: ("hostname", text, "Host name"),
    13: ("boot_file_size", u16, "Boot file size"),
    14: ("merit_dump_file", text, "Merit dump file"),
    15: ("domain_name", text, "Domain name"),
    16: ("swap_server", ipv4, "Swap server"),
    17: ("root_path", text, "Root path"),
    18: ("extension_path", text, "Extensions path"),
    19: ("ip_forwarding", flag, "IP forwarding"),
    20: ("non_local_source_routing", flag, "Non-local source routing"),
    22: ("max_datagram_reassembly_size", u16, "Largest datagram to reassemble"),
    23: ("default_ip_ttl", u8, "Default time to live"),
    24: ("path_mtu_aging_timeout", u32, "Path MTU aging timeout"),
    25: ("path_mtu_plateau_table_item", u16, "Path MTU plateau"),
    26: ("interface_mtu", u16, "Interface MTU"),
    27: ("all_subnets_are_local", flag, "All subnets are local"),
    28: ("broadcast_address", ipv4, "Broadcast address"),
    29: ("perform_mask_discovery", flag, "Discover the mask"),
    30: ("mask_supplier", flag, "Supply the mask"),
    31: ("perform_router_discover", flag, "Discover routers"),
    32: ("router_solicitation_address", ipv4, "Router solicitation address"),
    34: ("trailer_encapsulation", flag, "Trailers"),
    35: ("arp_cache_timeout", u32, "ARP cache timeout"),
    36: ("ethernet_encapsulation", flag, "IEEE 802.3 encapsulation"),
    37: ("tcp_default_ttl", u8, "TCP's default time to live"),
    38: ("tcp_keepalive_interval", u32, "TCP keep-alive interval"),
    39: ("tcp_keepalive_garbage", flag, "TCP keep-alive garbage"),
    40: ("nis_domain", text, "NIS domain"),
    46: ("netbios_over_tcpip_node_type", u8, "NetBIOS node type"),
    47: ("netbios_over_tcpip_scope", text, "NetBIOS scope"),
    50: ("requested_ip_address", ipv4, "Requested address"),
    51: ("ip_address_lease_time", u32, "Lease time"),
    OVERLOAD: ("option_overload", u8, "Option overload"),
    53: ("dhcp", u8, "Message"),
    54: ("dhcp_server_id", ipv4, "Server identifier"),
    55: ("request_list_item", u8, "Requested option"),
    56: ("message", text, "Error message"),
    57: ("dhcp_max_message_size", u16, "Largest message"),
    58: ("renewal_time_value", u32, "Renewal time"),
    59: ("rebinding_time_value", u32, "Rebinding time"),
    60: ("vendor_class_id", text, "Vendor class"),
    64: ("nis_plus_domain", text, "NIS+ domain"),
    66: ("tftp_server_name", text, "TFTP server's name"),
    67: ("bootfile_name", text, "Boot file's name"),
    91: ("client_last_transaction_time", u32, "Client's last transaction"),
    93: ("client_system_architecture", u16, "Client's architecture"),
    100: ("tz_pcode", text, "Time zone, POSIX"),
    101: ("tz_tcode", text, "Time zone's name"),
    113: ("netinfo_parent_server_tag", text, "NetInfo parent server's tag"),
    114: ("captive_portal", text, "Captive portal"),
    116: ("dhcp_auto_configuration", u8, "Auto-configuration"),
    118: ("subnet_selection_option", ipv4, "Subnet to select from"),
    161: ("mudurl", text, "Manufacturer's usage description"),
    209: ("pxe_config_file", text, "PXELINUX configuration file"),
    210: ("pxe_path_prefix", text, "PXELINUX path prefix"),
    252: ("private_proxy_autodiscovery", text, "Proxy configuration"),
}
DESCRIPTIONS = {
    "ip_address_lease_time": "seconds; 4294967295: for ever",
    "renewal_time_value": "seconds: T1, when to ask the server that gave it",
    "rebinding_time_value": "seconds: T2, when to ask any server",
    "option_overload": "1: the boot file's field holds options, 2: the server name's, 3: both",
    "time_offset": "seconds east of UTC",
}
OTHER_OPTIONS = {
    ROUTE_FILTER: "policy filter",
    ROUTE: "static route",
    VENDOR: "vendor specific",
    CLIENT: "client identifier",
    CLASSES: "user class",
    80: "rapid commit",
    NAME: "client's domain name",
    RELAY: "relay agent information",
    90: "authentication",
    94: "client's network interface",
    97: "client's machine identifier",
    108: "IPv6 only preferred",
    119: "domain search list",
    120: "SIP servers",
    121: "classless static routes",
    124: "vendor class by enterprise",
    125: "vendor specific by enterprise",
    249: "classless static routes (Microsoft)",
    END: "end",
}
OPTION = {
    **{code: name.replace("_", " ") for code, name in SERVERS.items()},
    **{code: label.lower() for code, (_, _, label) in VALUES.items()},
    **OTHER_OPTIONS,
}
LISTS = (25, 55, 93)  # options whose value may be several
VALUE_NAMES = {"dhcp": MESSAGE, "request_list_item": OPTION}
VALUE_FIELDS = {
    **{code: Field(f"dhcp.option.{name}", ipv4, OPTION[code].capitalize(), many=True) for code, name in SERVERS.items()},
    **{
        code: Field(f"dhcp.option.{name}", kind, label, DESCRIPTIONS.get(name, ""), value_names=VALUE_NAMES.get(name), many=code in LISTS)
        for code, (name, kind, label) in VALUES.items()
    },
}
HEAD = Layout(
    Field("dhcp.option.type", u8, "Option", "255: the end of the list", value_names=OPTION, many=True),
    Field("dhcp.option.length", u8, "Option length", "bytes of its value", many=True),
)
ROUTE_PAIRS = {
    ROUTE_FILTER: Layout(
        Field("dhcp.option.policy_filter.ip", ipv4, "Policy filter's address", many=True),
        Field("dhcp.option.policy_filter.subnet_mask", ipv4, "Policy filter's mask", many=True),
    ),
    ROUTE: Layout(
        Field("dhcp.option.static_route.ip", ipv4, "Static route's destination", many=True),
        Field("dhcp.option.static_route.router", ipv4, "Static route's router", many=True),
    ),
}
IDENTIFIER = Layout(Field("dhcp.client_id.type", u8, "Client identifier's type", "a hardware type; 0: others, 255: RFC 4361"))
FQDN = Layout(
    Field("dhcp.fqdn.flags", u8, "Name's flags", hex=2, parts=(
        Field("dhcp.fqdn.mbz", bits(4), "Reserved", hex=2),
        Field("dhcp.fqdn.n", flag, "No DNS", "the server shall not update DNS, RFC 4702 §2.1"),
        Field("dhcp.fqdn.e", flag, "Name in wire format"),
        Field("dhcp.fqdn.o", flag, "Overridden", "the server did not as the client asked"),
        Field("dhcp.fqdn.s", flag, "Server updates", "the name's address in DNS"),
    )),
    Field("dhcp.fqdn.rcode1", u8, "Result 1"),
    Field("dhcp.fqdn.rcode2", u8, "Result 2"),
)  # fmt: skip
RELAY_AGENT = "dhcp.option.agent_information_option."
SUBOPTION = {
    1: "circuit", 2: "remote", 4: "DOCSIS device class", 5: "link selection", 6: "subscriber", 7: "RADIUS attributes",
    8: "authentication", 9: "vendor specific", 10: "flags", 11: "server identifier override", 12: "relay agent identifier",
    19: "source port", 151: "virtual subnet", 152: "virtual subnet control",
}  # fmt: skip
SUBOPTION_HEAD = Layout(Field(RELAY_AGENT + "suboption", u8, "Relay agent's suboption", value_names=SUBOPTION, many=True))
SUBOPTION_FIELDS = {
    1: Field(RELAY_AGENT + "agent_circuit_id", raw, "Circuit", "by which the client is connected, as the relay agent has it"),
    2: Field(RELAY_AGENT + "agent_remote_id", raw, "Remote", "who is at the circuit's far end"),
    4: Field(RELAY_AGENT + "docsis_device_class", u32, "DOCSIS device class", hex=8),
    5: Field(RELAY_AGENT + "link_selection", ipv4, "Link selection", "the client's subnet, RFC 3527"),
    6: Field(RELAY_AGENT + "subscriber_id", text, "Subscriber", "RFC 3993"),
    7: Field(RELAY_AGENT + "radius_attributes", raw, "RADIUS attributes", "RFC 4014"),
    8: Field(RELAY_AGENT + "authentication", raw, "Relay agent's authentication", "RFC 4030"),
    10: Field(RELAY_AGENT + "flags", u8, "Relay agent's flags", "0x80: the client sent unicast, RFC 5010", hex=2),
    11: Field(RELAY_AGENT + "server_id_override", ipv4, "Server identifier override", "RFC 5107"),
    12: Field(RELAY_AGENT + "relay_agent_id", raw, "Relay agent's identifier", "RFC 6925"),
}


def check(h: Headers) -> None:
    needs(h, np.full(len(h), COOKIE_AT))
    h.column("dhcp.option.type")  # reports misfits even if no table needs the options


def _cookies(h: Headers) -> tuple[np.ndarray, np.ndarray]:
    """Headers with the magic cookie, which options follow, and its offset; int64. The others are BOOTP, RFC 951."""
    at = h.start + COOKIE_AT
    rows = np.flatnonzero(h.whole & (peek(h, COOKIE, np.arange(len(h)), at)["dhcp.cookie"] == MAGIC))
    return rows, at[rows]


def _lists(h: Headers) -> tuple[Options, np.ndarray, np.ndarray]:
    """The options of all lists; whether each header's server name and boot file fields hold options, bool (n,) each.

    RFC 2131 §4.1: the options field comes first; its overload option names the other fields that hold options.
    """
    magic = np.zeros(len(h), bool)
    magic[_cookies(h)[0]] = True
    start = np.where(magic, h.start + OPTIONS_AT, h.end)
    own = walk(h, start, np.where(magic, h.wire, start), (PAD,), head=2, terminator=END)
    over = own.of(OVERLOAD, 3, 3)
    overload = np.zeros(len(h), np.int64)
    overload[own.row[over]] = h.buffer[own.at[over] + 2]
    lists = [own]
    for held, first, end in ((overload & 2 > 0, SERVER_AT, FILE_AT), (overload & 1 > 0, FILE_AT, COOKIE_AT)):
        rows = np.flatnonzero(held)
        if len(rows):
            options = walk(h, h.start[rows] + first, h.start[rows] + end, (PAD,), head=2, terminator=END, owner=rows)
            lists.append(options._replace(row=rows[options.row]))
    for options in lists:
        misfits(h, _misfit_offsets(h, options), "dhcp.option.type", "does not fit into its list")
    options = Options(*(np.concatenate(column) for column in zip(*lists, strict=True)))  # `bad` of all lists
    return options, overload & 2 > 0, overload & 1 > 0


def _misfit_offsets(h: Headers, options: Options) -> np.ndarray:
    """Offset of each header's option that does not fit its list, or -1; int64 (n,)."""
    bad = np.full(len(h), -1, np.int64)
    wrong = np.flatnonzero(options.size == 0)
    bad[options.row[wrong]] = options.at[wrong]
    return bad


def _options(h: Headers) -> dict[str, Column]:
    parts = Parts(h, FIELDS)
    parts.read(COOKIE, *_cookies(h))
    parts.read(MAC, *_ethernet(h))
    options, server, file = _lists(h)
    for name, first, stop, held in (("dhcp.server", SERVER_AT, FILE_AT, server), ("dhcp.file", FILE_AT, COOKIE_AT, file)):
        own = np.flatnonzero(h.whole & ~held)
        parts.text(name, own, h.start[own] + first, h.start[own] + stop)
    fits = np.flatnonzero((options.size > 0) & (options.kind != PAD))
    row, at, kind = options.row[fits], options.at[fits], options.kind[fits]
    end = at + options.size[fits]
    parts.read(HEAD, row, at, end)
    at = at + HEAD.size
    valued = np.flatnonzero(kind != END)
    parts.bytes("dhcp.option.value", row[valued], at[valued], end[valued])
    for code in np.flatnonzero(np.bincount(kind, minlength=256)).tolist():
        rows, start, stop = row[kind == code], at[kind == code], end[kind == code]
        if code in VALUE_FIELDS:
            _read_values(parts, VALUE_FIELDS[code], rows, start, stop)
        elif code in ROUTE_PAIRS:
            _read_array(parts, ROUTE_PAIRS[code], rows, start, stop)
        elif code == CLIENT:
            _client_identifier(parts, rows, start, stop)
        elif code == NAME:
            _fqdn(parts, rows, start, stop)
        elif code == RELAY:
            _relay_agent(parts, rows, start, stop)
        elif code == CLASSES:
            _user_class(parts, rows, start, stop)
    return dict(parts.columns())


def _ethernet(h: Headers) -> tuple[np.ndarray, np.ndarray]:
    """Headers whose client has a MAC address, and the offset of that; int64."""
    rows = np.flatnonzero(h.whole & np.isin(h["dhcp.hw.type"], (1, 6)) & (h["dhcp.hw.len"] == 6))
    return rows, h.start[rows] + ADDRESS_AT


def _read_values(parts: Parts, f: Field, row: np.ndarray, at: np.ndarray, end: np.ndarray) -> None:
    """The values of options of one code: text, bytes, or words of one size."""
    if f.kind is text:
        parts.text(f.name, row, at, end)
    elif f.kind is raw:
        parts.bytes(f.name, row, at, end)
    elif f.kind is signed:
        word = peek(parts.h, WORD, row, at, end)
        there = np.flatnonzero(word.trusted == WORD.size)
        parts.put(f.name, word["word"][there].astype(np.int32).astype(np.int64), row[there], at[there])
    elif f.kind is flag:
        there = np.flatnonzero(end > at)
        parts.put(f.name, parts.h.buffer[at[there]] != 0, row[there], at[there])
    else:
        _read_array(parts, Layout(f), row, at, end)


WORD = Layout(Field("word", u32, ""))


def _read_array(parts: Parts, layout: Layout, row: np.ndarray, at: np.ndarray, end: np.ndarray) -> None:
    """As many of a layout as fit into each value, back to back."""
    option, nth = repeated((end - at) // layout.size)
    place = at[option] + layout.size * nth
    parts.read(layout, row[option], place, place + layout.size)


def _client_identifier(parts: Parts, row: np.ndarray, at: np.ndarray, end: np.ndarray) -> None:
    kind = parts.read(IDENTIFIER, row, at, end)["dhcp.client_id.type"]
    hardware = np.isin(kind, (1, 6)) & (end - at == 7)
    parts.read(MAC, row[hardware], at[hardware] + 1, end[hardware])
    parts.bytes("dhcp.client_id", row[~hardware], at[~hardware] + 1, end[~hardware])


def _fqdn(parts: Parts, row: np.ndarray, at: np.ndarray, end: np.ndarray) -> None:
    wire = parts.read(FQDN, row, at, end)["dhcp.fqdn.e"]
    start = np.minimum(at + FQDN.size, end)
    parts.text("dhcp.fqdn.name", row[~wire], start[~wire], end[~wire])
    names, owner, _ = read_names(parts.h.buffer, start[wire], end[wire])
    parts.put("dhcp.fqdn.name", names, row[wire][owner], start[wire][owner])


def _relay_agent(parts: Parts, row: np.ndarray, at: np.ndarray, end: np.ndarray) -> None:
    """RFC 3046 §2.0: a list of suboptions, without padding and end."""
    h = parts.h
    suboptions = walk(h, at, end, head=2, owner=row)
    suboptions = suboptions._replace(row=row[suboptions.row])
    misfits(h, _misfit_offsets(h, suboptions), SUBOPTION_HEAD.fields[0].name, "does not fit into its option")
    fits = np.flatnonzero(suboptions.size > 0)
    row, at, kind = suboptions.row[fits], suboptions.at[fits], suboptions.kind[fits]
    end = at + suboptions.size[fits]
    parts.read(SUBOPTION_HEAD, row, at, end)
    for code in np.flatnonzero(np.bincount(kind, minlength=256)).tolist():
        rows, start, stop = (column[kind == code] for column in (row, at + 2, end))
        if code in SUBOPTION_FIELDS:
            _read_values(parts, SUBOPTION_FIELDS[code], rows, start, stop)
        else:
            parts.bytes(RELAY_AGENT + "value", rows, start, stop)


def _user_class(parts: Parts, row: np.ndarray, at: np.ndarray, end: np.ndarray) -> None:
    """RFC 3004 §4: each class has a length byte before it. Many clients send one class without it: then it is text."""
    h = parts.h
    classes = []
    conforms = np.ones(len(row), bool)
    option, place = np.arange(len(row)), at
    while len(option):
        behind = place + 1 + h.buffer[place]
        fits = (behind > place + 1) & (behind <= end[option])
        conforms[option[~fits]] = False
        classes.append((option[fits], place[fits] + 1, behind[fits]))
        more = np.flatnonzero(fits & (behind < end[option]))
        option, place = option[more], behind[more]
    for option, start, stop in classes:
        good = conforms[option]
        parts.bytes("dhcp.option.user_class.data", row[option[good]], start[good], stop[good])
    parts.text("dhcp.option.user_class.text", row[~conforms], at[~conforms], end[~conforms])


FIELDS = (
    *COOKIE.fields,
    *MAC.fields,
    Field("dhcp.server", text, "Server's name"),
    Field("dhcp.file", text, "Boot file"),
    *HEAD.fields,
    *VALUE_FIELDS.values(),
    *(f for layout in ROUTE_PAIRS.values() for f in layout.fields),
    *IDENTIFIER.fields,
    Field("dhcp.client_id", raw, "Client identifier", "where it is no MAC address"),
    *FQDN.all(),
    Field("dhcp.fqdn.name", text, "Client's domain name"),
    Field("dhcp.option.user_class.data", raw, "User class", many=True),
    Field("dhcp.option.user_class.text", text, "User class as text", "sent without a length, against RFC 3004", many=True),
    *SUBOPTION_HEAD.fields,
    *SUBOPTION_FIELDS.values(),
    Field(RELAY_AGENT + "value", raw, "Relay agent's value", "of a suboption that is not decoded", many=True),
    Field("dhcp.option.value", raw, "Option value", "of every option, decoded or not", many=True),
)


PROTOCOL = Protocol(
    "dhcp",
    "DHCP",
    __doc__,
    header=HEADER,
    on={"udp.port": (67, 68, 4011)},
    info="{dhcp.type:words}[, {dhcp.option.dhcp:words}], transaction {dhcp.id}[, for {dhcp.option.requested_ip_address}]",
    check=check,
    derived=((FIELDS, _options),),
    external_fields=(  # from `correlators.dhcp_matching`
        Field("dhcp.judged.repeated", flag, "Asked again", "the client repeats a request that nobody answered"),
        Field("dhcp.judged.rival", flag, "Second server", "another server gave addresses in this network before"),
    ),
)
