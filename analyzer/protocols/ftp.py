"""File Transfer Protocol: the control connection. RFC 959; TLS: RFC 4217; EPRT and EPSV: RFC 2428.

A row is a command (of a frame's, the first 64; the others share a row), or the lines of a reply that one frame completed. Which data
connection belongs to it stands with that: `ftp.data`. Passwords are shown in the fields that hold them, as they were sent, and nowhere
else.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

import numpy as np

from ..fields import Column, Field, Headers, Protocol, flag, ipv4, ipv6, text, u8, u16
from .common.commands import BODY, END, REPLY, Control, Found, lines, said

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
SIX = re.compile(rb"(\d{1,3}),(\d{1,3}),(\d{1,3}),(\d{1,3}),(\d{1,3}),(\d{1,3})")  # RFC 959 §4.1.2
EXTENDED = re.compile(rb"\(([!-~])\1\1(\d{1,5})\1\)")  # RFC 2428 §3
MARKS = re.compile(rb"(?:\xff[\xec-\xfe])+")  # telnet's, before ABOR: RFC 959 §4.1.3
V4, V6 = 1, 2  # RFC 2428 §2
HIDDEN = "••••"
Put = Callable[[str, int, object], None]


def _named(found: list[bytes]) -> tuple[ipaddress.IPv4Address, int] | None:
    """What `h1,h2,h3,h4,p1,p2` names."""
    match = SIX.search(b" ".join(found))
    if match is None or any(int(one) > 255 for one in match.groups()):
        return None
    four = [int(one) for one in match.groups()]
    return ipaddress.IPv4Address(bytes(four[:4])), four[4] << 8 | four[5]


def _extended(arg: bytes) -> tuple[int, ipaddress.IPv4Address | ipaddress.IPv6Address | None, int] | None:
    """Family, address and port that EPRT names: `|1|132.235.1.2|6275|`."""
    parts = arg.strip().split(arg.strip()[:1]) if arg.strip() else []
    if len(parts) < 4 or not (parts[1].isdigit() and len(parts[1]) < 4 and parts[3].isdigit() and len(parts[3]) < 6):
        return None
    try:
        address = ipaddress.ip_address(said(parts[2]))
    except ValueError:
        address = None
    return int(parts[1]) & 0xFF, address, int(parts[3]) & 0xFFFF


def _read(h: Headers) -> dict[str, Column]:
    """All that stands in the lines: control connections are short, and few of many."""
    kind, code = h.context_of("kind"), h.context_of("code")
    found = Found(FIELDS)

    def put(name: str, row: int, value: object) -> None:
        found.put(f"ftp.{name}", row, value)

    for row, said_here in lines(h):
        if kind[row] == REPLY:
            _reply(put, row, said_here, int(code[row]))
        else:
            _request(put, row, said_here)
    columns = found.columns()
    spoken = np.flatnonzero((kind > 0) & (kind != BODY) & (kind != END))
    columns["ftp.request"] = Column(kind[spoken] != REPLY, spoken)
    columns["ftp.response"] = Column(kind[spoken] == REPLY, spoken)
    own = np.flatnonzero(code > 0)
    columns["ftp.response.code"] = Column(code[own].astype(np.uint16), own)
    return columns


def _request(put: Put, row: int, found: list[bytes]) -> None:
    line = found[0]
    mark = MARKS.match(line)
    line = line[mark.end() :] if mark else line
    command, _, arg = line.partition(b" ")
    word = command.upper()
    if command:
        put("request.command", row, said(command))
    if arg:
        put("request.arg", row, said(arg))
    put(
        "line",
        row,
        said(command) + (f" {HIDDEN}" if word in (b"PASS", b"ACCT") else f" {said(arg)}" if arg else "") + (" …" if len(found) > 1 else ""),
    )
    if word == b"PORT" and (named := _named([arg])):
        put("active.cip", row, int(named[0]))
        put("active.port", row, named[1])
    elif word == b"EPRT" and (extended := _extended(arg)):
        family, address, port = extended
        put("eprt.af", row, family)
        if isinstance(address, ipaddress.IPv4Address):
            put("eprt.ip", row, int(address))
        elif address is not None:
            put("eprt.ipv6", row, address.packed)
        put("eprt.port", row, port)


def _reply(put: Put, row: int, found: list[bytes], code: int) -> None:
    put("line", row, said(found[0]) + (" …" if len(found) > 1 else ""))
    for line in found:
        begins = line[:3].isdigit() and line[3:4] in (b" ", b"-", b"")
        if arg := line[4:] if begins else line:
            put("response.arg", row, said(arg))
    if code == 227 and (named := _named([line[4:] for line in found])):
        put("passive.ip", row, int(named[0]))
        put("passive.port", row, named[1])
    elif code == 229 and (match := EXTENDED.search(b" ".join(found))):
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
    "ftp",
    "FTP",
    __doc__,
    on={"tcp.port": 21},
    info="{ftp.line}",
    framer=lambda: Control(False, (b"ftp", b"filezilla"), (b"PASV", b"EPSV", b"SYST", b"CWD")),
    derived=((FIELDS, _read),),
)
