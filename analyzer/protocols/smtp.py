"""Simple Mail Transfer Protocol. RFC 5321; AUTH: RFC 4954; STARTTLS: RFC 3207; BDAT: RFC 3030.

A row is a command (of a frame's, the first 64; the others share a row), the lines of a reply that one frame completed, or what a segment
brought of a message. With the frame that ends a message the row holds all of it (the first 16 MiB), the dots that RFC 5321 §4.5.2 adds
taken away.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..fields import Column, Field, Headers, Payload, Protocol, flag, text, u16, u32, u64
from .common.commands import BODY, END, REPLY, SECRET, Control, Found, lines, said

CODES = {
    211: "System status", 214: "Help", 220: "Service ready", 221: "Service closes the connection", 235: "Authentication succeeded",
    250: "Okay", 251: "User not local, will forward", 252: "Cannot verify the user, will try", 334: "Server challenge",
    354: "Start of mail input", 421: "Service not available", 432: "Password transition needed", 450: "Mailbox not available now",
    451: "Local error", 452: "Storage lacks", 454: "Temporary authentication failure", 455: "Cannot accommodate parameters",
    500: "Syntax error", 501: "Syntax error in parameters", 502: "Command not implemented", 503: "Wrong order of commands",
    504: "Parameter not implemented", 521: "Host does not accept mail", 530: "Authentication required",
    534: "Authentication mechanism too weak", 535: "Authentication failed", 538: "Encryption required for authentication",
    550: "Mailbox not available", 551: "User not local", 552: "Storage exceeded", 553: "Mailbox name not allowed",
    554: "Transaction failed", 555: "Parameters of MAIL or RCPT not known", 556: "Domain does not accept mail",
}  # fmt: skip
USER, PASSWORD = 1, 2  # which line behind AUTH LOGIN is what
HIDDEN = "••••"
Put = Callable[[str, int, object], None]


def contents(h: Headers):
    kind = h.context_of("kind")
    yield Payload("text", 1, h.start, h.wire, rows=np.flatnonzero(kind == BODY))
    yield Payload("smtp.message", 1, h.start, h.wire, rows=np.flatnonzero(kind == END))


def _read(h: Headers) -> dict[str, Column]:
    """All that stands in lines."""
    kind, code, step = h.context_of("kind"), h.context_of("code"), h.context_of("step")
    found = Found(FIELDS)

    def put(name: str, row: int, value: object) -> None:
        found.put(f"smtp.{name}", row, value)

    for row, said_here in lines(h):
        if kind[row] == REPLY:
            _reply(put, row, said_here)
        elif kind[row] == SECRET:
            put("line", row, HIDDEN)
            if step[row] == USER:
                put("auth.username", row, said(said_here[0]))
        else:
            _request(put, row, said_here, step[row] < 0)
    columns = found.columns()
    for name, which in (("rsp", kind == REPLY), ("req", (kind > 0) & ~np.isin(kind, (REPLY, BODY, END)))):
        own = np.flatnonzero(which)
        columns[f"smtp.{name}"] = Column(np.ones(len(own), bool), own)
    own = np.flatnonzero(code > 0)
    columns["smtp.response.code"] = Column(code[own].astype(np.uint16), own)
    body = np.flatnonzero(np.isin(kind, (BODY, END)))
    shown, rows = columns["smtp.line"]
    both = np.concatenate((shown, np.array([f"message, {size} bytes" for size in (h.wire - h.start)[body].tolist()], object)))
    assert rows is not None
    at = np.concatenate((rows, body))
    order = np.argsort(at, kind="stable")
    columns["smtp.line"] = Column(both[order], at[order])
    return columns


def _request(put: Put, row: int, found: list[bytes], behind: bool) -> None:
    line = found[0]
    command, _, rest = line.partition(b" ")
    if not behind:
        put("command_line", row, said(line) + "\r\n")
    if command and not behind:
        put("req.command", row, said(command))
    if rest and not behind:
        put("req.parameter", row, said(rest))
    secret = command.upper() == b"AUTH" and len(rest.split()) > 1
    shown = f"{said(command)} {said(rest.split()[0])} {HIDDEN}" if secret else said(line)
    put("line", row, shown + (" …" if len(found) > 1 else ""))


def _reply(put: Put, row: int, found: list[bytes]) -> None:
    put("line", row, said(found[0]) + (" …" if len(found) > 1 else ""))
    if found[0]:
        put("response", row, said(found[0]) + "\r\n")
    for line in found:
        begins = line[:3].isdigit() and line[3:4] in (b" ", b"-", b"")
        if begins and line[4:]:
            put("rsp.parameter", row, said(line[4:]))


def _message(h: Headers) -> dict[str, Column]:
    rows = np.flatnonzero(h.context_of("kind") == END)
    lacks = h.context_of("missing")[rows]
    some = lacks > 0
    return {
        "smtp.data.reassembled.length": Column((h.wire - h.start)[rows], rows),
        "smtp.data.fragment.count": Column(h.context_of("parts")[rows], rows),
        "smtp.data.first_frame": Column(h.context_of("opened")[rows], rows),
        "smtp.data.missing": Column(lacks[some], rows[some]),
    }


FIELDS = (
    Field("smtp.req", flag, "Request"),
    Field("smtp.rsp", flag, "Response"),
    Field("smtp.command_line", text, "Command line", "with its CRLF"),
    Field("smtp.req.command", text, "Command", "not in the frame that ended a message before it, as Wireshark has it; `smtp.line` has all"),
    Field("smtp.req.parameter", text, "Parameter"),
    Field("smtp.response", text, "Response", "the first line, with its CRLF"),
    Field("smtp.response.code", u16, "Reply code", value_names=CODES),
    Field("smtp.rsp.parameter", text, "Reply", "a line of it", many=True),
    Field("smtp.auth.username", text, "User name", "of AUTH LOGIN, in base64 as it was sent"),
    Field("smtp.line", text, "Line", "the first, without passwords"),
)


PROTOCOL = Protocol(
    "smtp",
    "SMTP",
    __doc__,
    on={"tcp.port": (25, 587)},
    info="{smtp.line}",
    contents=contents,
    framer=lambda: Control(True, (b"smtp", b"postfix", b"sendmail", b"lmtp"), (b"EHLO", b"HELO", b"LHLO")),
    derived=(
        (FIELDS, _read),
        (
            (
                Field("smtp.data.reassembled.length", u64, "Message", "bytes, without what frames it"),
                Field("smtp.data.fragment.count", u32, "Pieces", "that the message came in"),
                Field("smtp.data.first_frame", u64, "Message begins in"),
                Field("smtp.data.missing", u64, "Missing", "bytes of the message that no frame brought, or beyond 16 MiB"),
            ),
            _message,
        ),
    ),
)
