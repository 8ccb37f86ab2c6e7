"""Simple Mail Transfer Protocol. RFC 5321; AUTH: RFC 4954; STARTTLS: RFC 3207; BDAT: RFC 3030.

A row is a command (the first 64 of a frame; those after them share one), the lines of a reply that one frame completed, or the part of a
message in one segment. In the frame that ends a message the row holds all of it (the first 16 MiB), without the dots that RFC 5321
§4.5.2 adds.
"""

from collections.abc import Callable

import numpy as np

from ..fields import Column, Field, Headers, Payload, Protocol, flag, text, u16, u32, u64
from .common.commands import AFTER_MESSAGE, AUTH_RESPONSE, FRAGMENT, MESSAGE, REPLY, CommandFramer, FieldValues, lines, utf8

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
USER_LINE = 1  # of the lines after AUTH LOGIN
HIDDEN = "••••"
Put = Callable[[str, int, object], None]


def contents(h: Headers):
    kind = h.context_of("kind")
    yield Payload("text", 1, h.start, h.wire, rows=np.flatnonzero(kind == FRAGMENT))
    yield Payload("smtp.message", 1, h.start, h.wire, rows=np.flatnonzero(kind == MESSAGE))


def _line_fields(h: Headers) -> dict[str, Column]:
    """The fields of commands and replies."""
    kind, code, detail = h.context_of("kind"), h.context_of("code"), h.context_of("detail")
    fields = FieldValues(FIELDS)

    def put(name: str, row: int, value: object) -> None:
        fields.put(f"smtp.{name}", row, value)

    for row, texts in lines(h):
        if kind[row] == REPLY:
            _reply(put, row, texts)
        elif kind[row] == AUTH_RESPONSE:
            put("line", row, HIDDEN)
            if detail[row] == USER_LINE:
                put("auth.username", row, utf8(texts[0]))
        else:
            _request(put, row, texts, detail[row] == AFTER_MESSAGE)
    columns = fields.columns()
    for name, which in (("rsp", kind == REPLY), ("req", (kind > 0) & ~np.isin(kind, (REPLY, FRAGMENT, MESSAGE)))):
        rows = np.flatnonzero(which)
        columns[f"smtp.{name}"] = Column(np.ones(len(rows), bool), rows)
    rows = np.flatnonzero(code > 0)
    columns["smtp.response.code"] = Column(code[rows].astype(np.uint16), rows)
    body = np.flatnonzero(np.isin(kind, (FRAGMENT, MESSAGE)))
    values, line_rows = columns["smtp.line"]
    values = np.concatenate((values, np.array([f"message, {size} bytes" for size in (h.wire - h.start)[body].tolist()], object)))
    assert line_rows is not None
    rows = np.concatenate((line_rows, body))
    order = np.argsort(rows, kind="stable")
    columns["smtp.line"] = Column(values[order], rows[order])
    return columns


def _request(put: Put, row: int, lines: list[bytes], after_message: bool) -> None:
    line = lines[0]
    command, _, parameter = line.partition(b" ")
    if not after_message:
        put("command_line", row, utf8(line) + "\r\n")
    if command and not after_message:
        put("req.command", row, utf8(command))
    if parameter and not after_message:
        put("req.parameter", row, utf8(parameter))
    secret = command.upper() == b"AUTH" and len(parameter.split()) > 1
    line_text = f"{utf8(command)} {utf8(parameter.split()[0])} {HIDDEN}" if secret else utf8(line)
    put("line", row, line_text + (" …" if len(lines) > 1 else ""))


def _reply(put: Put, row: int, lines: list[bytes]) -> None:
    put("line", row, utf8(lines[0]) + (" …" if len(lines) > 1 else ""))
    if lines[0]:
        put("response", row, utf8(lines[0]) + "\r\n")
    for line in lines:
        has_code = line[:3].isdigit() and line[3:4] in (b" ", b"-", b"")
        if has_code and line[4:]:
            put("rsp.parameter", row, utf8(line[4:]))


def _message_fields(h: Headers) -> dict[str, Column]:
    rows = np.flatnonzero(h.context_of("kind") == MESSAGE)
    missing = h.context_of("missing")[rows]
    some = missing > 0
    return {
        "smtp.data.reassembled.length": Column((h.wire - h.start)[rows], rows),
        "smtp.data.fragment.count": Column(h.context_of("fragments")[rows], rows),
        "smtp.data.first_frame": Column(h.context_of("first_frame")[rows], rows),
        "smtp.data.missing": Column(missing[some], rows[some]),
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
    "SMTP",
    on={"tcp.port": (25, 587)},
    info="{smtp.line}",
    contents=contents,
    framer=lambda: CommandFramer(True, (b"smtp", b"postfix", b"sendmail", b"lmtp"), (b"EHLO", b"HELO", b"LHLO")),
    derived=(
        (FIELDS, _line_fields),
        (
            (
                Field("smtp.data.reassembled.length", u64, "Message", "bytes, without what frames it"),
                Field("smtp.data.fragment.count", u32, "Pieces", "that the message came in"),
                Field("smtp.data.first_frame", u64, "Message begins in"),
                Field("smtp.data.missing", u64, "Missing", "bytes of the message that no frame brought, or beyond 16 MiB"),
            ),
            _message_fields,
        ),
    ),
)
