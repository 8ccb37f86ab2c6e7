"""File Transfer Protocol: the control connection. RFC 959; TLS: RFC 4217; EPRT and EPSV: RFC 2428.

A row is a command (the first 64 of a frame; those after them share one), or the lines of a reply that one frame completed. The data
connection (`ftp.data`) names the command that it belongs to. Passwords are shown only in the fields that hold them.
"""

import ipaddress
import re
from collections.abc import Callable

import numpy as np

from ..fields import Column, Field, Headers, Protocol, flag, ipv4, ipv6, text, u8, u16
from .common.commands import FRAGMENT, MESSAGE, REPLY, CommandFramer, FieldValues, lines, utf8

CODES = {
    110: "Restart marker reply", 120: "Service ready later", 125: "Data connection already open, transfer starts",
    150: "File status okay, data connection is opened", 200: "Command okay", 202: "Command not implemented, superfluous",
    211: "System status", 212: "Directory status", 213: "File status", 214: "Help", 215: "System type", 220: "Service ready",
    221: "Service closes the control connection", 225: "Data connection open, no transfer", 226: "Data connection closes, done",
    227: "Passive mode", 228: "Long passive mode", 229: "Extended passive mode", 230: "Logged in", 231: "Logged out",
    232: "Logged in by security data", 234: "Security mechanism accepted", 235: "Security data accepted", 250: "File action completed",
    257: "Directory", 331: "User okay, password needed", 332: "Account needed", 334: "Security data needed", 336: "Challenge",
    350: "File action waits for more", 421: "Service not available", 425: "Data connection cannot be opened",
    426: "Connection closed, transfer aborted", 430: "Wrong name or password", 431: "Security resource lacks",
    434: "Host not available", 450: "File not available now", 451: "Local error", 452: "Storage lacks", 500: "Syntax error",
    501: "Syntax error in argument", 502: "Command not implemented", 503: "Wrong order of commands",
    504: "Not implemented for that argument", 522: "Network protocol not supported", 530: "Not logged in",
    532: "Account needed to store", 533: "Protection level denied", 534: "Denied for policy", 535: "Security check failed",
    536: "Protection level not supported", 537: "Command protection not supported", 550: "File not available", 551: "Page type unknown",
    552: "Storage exceeded", 553: "File name not allowed",
}  # fmt: skip
HOST_PORT = re.compile(rb"(\d{1,3}),(\d{1,3}),(\d{1,3}),(\d{1,3}),(\d{1,3}),(\d{1,3})")  # RFC 959 §4.1.2
EXTENDED_PORT = re.compile(rb"\(([!-~])\1\1(\d{1,5})\1\)")  # RFC 2428 §3
TELNET_COMMANDS = re.compile(rb"(?:\xff[\xec-\xfe])+")  # before ABOR: RFC 959 §4.1.3
V4, V6 = 1, 2  # RFC 2428 §2
HIDDEN = "••••"
Put = Callable[[str, int, object], None]


def _host_port(lines: list[bytes]) -> tuple[ipaddress.IPv4Address, int] | None:
    """The address and port in `h1,h2,h3,h4,p1,p2`."""
    match = HOST_PORT.search(b" ".join(lines))
    if match is None or any(int(number) > 255 for number in match.groups()):
        return None
    octets = [int(number) for number in match.groups()]
    return ipaddress.IPv4Address(bytes(octets[:4])), octets[4] << 8 | octets[5]


def _eprt(arg: bytes) -> tuple[int, ipaddress.IPv4Address | ipaddress.IPv6Address | None, int] | None:
    """Family, address and port of EPRT: `|1|132.235.1.2|6275|`."""
    parts = arg.strip().split(arg.strip()[:1]) if arg.strip() else []
    if len(parts) < 4 or not (parts[1].isdigit() and len(parts[1]) < 4 and parts[3].isdigit() and len(parts[3]) < 6):
        return None
    try:
        address = ipaddress.ip_address(utf8(parts[2]))
    except ValueError:
        address = None
    return int(parts[1]) & 0xFF, address, int(parts[3]) & 0xFFFF


def _fields(h: Headers) -> dict[str, Column]:
    """All fields, in a loop: control connections are few and short."""
    kind, code = h.context_of("kind"), h.context_of("code")
    fields = FieldValues(FIELDS)

    def put(name: str, row: int, value: object) -> None:
        fields.put(f"ftp.{name}", row, value)

    for row, texts in lines(h):
        if kind[row] == REPLY:
            _reply(put, row, texts, int(code[row]))
        else:
            _request(put, row, texts)
    columns = fields.columns()
    rows = np.flatnonzero((kind > 0) & (kind != FRAGMENT) & (kind != MESSAGE))
    columns["ftp.request"] = Column(kind[rows] != REPLY, rows)
    columns["ftp.response"] = Column(kind[rows] == REPLY, rows)
    rows = np.flatnonzero(code > 0)
    columns["ftp.response.code"] = Column(code[rows].astype(np.uint16), rows)
    return columns


def _request(put: Put, row: int, lines: list[bytes]) -> None:
    line = lines[0]
    telnet = TELNET_COMMANDS.match(line)
    line = line[telnet.end() :] if telnet else line
    command, _, arg = line.partition(b" ")
    word = command.upper()
    if command:
        put("request.command", row, utf8(command))
    if arg:
        put("request.arg", row, utf8(arg))
    put(
        "line",
        row,
        utf8(command) + (f" {HIDDEN}" if word in (b"PASS", b"ACCT") else f" {utf8(arg)}" if arg else "") + (" …" if len(lines) > 1 else ""),
    )
    if word == b"PORT" and (target := _host_port([arg])):
        put("active.cip", row, int(target[0]))
        put("active.port", row, target[1])
    elif word == b"EPRT" and (extended := _eprt(arg)):
        family, address, port = extended
        put("eprt.af", row, family)
        if isinstance(address, ipaddress.IPv4Address):
            put("eprt.ip", row, int(address))
        elif address is not None:
            put("eprt.ipv6", row, address.packed)
        put("eprt.port", row, port)


def _reply(put: Put, row: int, lines: list[bytes], code: int) -> None:
    put("line", row, utf8(lines[0]) + (" …" if len(lines) > 1 else ""))
    for line in lines:
        has_code = line[:3].isdigit() and line[3:4] in (b" ", b"-", b"")
        if arg := line[4:] if has_code else line:
            put("response.arg", row, utf8(arg))
    if code == 227 and (target := _host_port([line[4:] for line in lines])):
        put("passive.ip", row, int(target[0]))
        put("passive.port", row, target[1])
    elif code == 229 and (match := EXTENDED_PORT.search(b" ".join(lines))):
        put("epsv.port", row, int(match[2]) & 0xFFFF)


FIELDS = (
    Field("ftp.request", flag, "Request"),
    Field("ftp.response", flag, "Response"),
    Field("ftp.request.command", text, "Command"),
    Field("ftp.request.arg", text, "Argument"),
    Field("ftp.response.code", u16, "Reply code", value_names=CODES),
    Field("ftp.response.arg", text, "Reply", "a line of it", many=True),
    Field("ftp.active.cip", ipv4, "Client's data address", "PORT"),
    Field("ftp.active.port", u16, "Client's data port", "PORT"),
    Field("ftp.eprt.af", u8, "Address family", "EPRT", value_names={V4: "IPv4", V6: "IPv6"}),
    Field("ftp.eprt.ip", ipv4, "Client's data address", "EPRT"),
    Field("ftp.eprt.ipv6", ipv6, "Client's data address", "EPRT"),
    Field("ftp.eprt.port", u16, "Client's data port", "EPRT"),
    Field("ftp.passive.ip", ipv4, "Server's data address", "PASV"),
    Field("ftp.passive.port", u16, "Server's data port", "PASV"),
    Field("ftp.epsv.port", u16, "Server's data port", "EPSV; the address is the server's"),
    Field("ftp.line", text, "Line", "the first, without passwords"),
)

PROTOCOL = Protocol(
    "FTP",
    on={"tcp.port": 21},
    info="{ftp.line}",
    framer=lambda: CommandFramer(False, (b"ftp", b"filezilla"), (b"PASV", b"EPSV", b"SYST", b"CWD")),
    derived=((FIELDS, _fields),),
)
