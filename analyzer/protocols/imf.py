"""Internet Message Format: a mail. RFC 5322."""

import re

import numpy as np

from ..fields import Column, Field, Headers, Payload, Protocol, text
from .common.commands import text_column, utf8

SECTION = 1 << 16  # bytes of a header section that are read
NAMED = {
    "from": "From",
    "sender": "Sender",
    "to": "To",
    "cc": "Cc",
    "bcc": "Bcc",
    "reply_to": "Reply to",
    "subject": "Subject",
    "date": "Date",
    "message_id": "Message ID",
    "in_reply_to": "In reply to",
    "references": "References",
    "return_path": "Return path",
    "received": "Received",
    "user_agent": "User agent",
    "mime_version": "MIME version",
    "content.type": "Content type",
    "content.transfer_encoding": "Transfer coding",
    "content.id": "Content ID",
}
REPEATED = ("received",)
NAMES = {name.replace("_", "-").replace(".", "-"): name for name in NAMED}
FIELD = re.compile(rb"([!-9;-~]++)[ \t]*+:[ \t]*+((?:[^\r\n]|\r?\n[ \t])*+)\r?\n?")  # RFC 5322 §2.2; folded lines are one


def _fields(h: Headers) -> list[list[tuple[str, str]]]:
    """Of each header the (name, value) of its fields in NAMED, then ("", place where its body begins)."""
    headers = []
    for start, end in zip(h.start.tolist(), np.minimum(h.end, h.wire).tolist()):
        head = h.buffer[start : min(end, start + SECTION)].tobytes()
        at, fields = 0, []
        while match := FIELD.match(head, at):
            name = NAMES.get(utf8(match[1]).lower())
            if name is not None:
                fields.append((name, utf8(match[2])))
            at = match.end()
        for blank in (b"\r\n", b"\n"):
            if head.startswith(blank, at):
                at += len(blank)
                break
        headers.append([*fields, ("", str(start + at))])
    return headers


def contents(h: Headers):
    headers = h.memo(_fields)
    plain = [any(name == "content.type" and value.lower().startswith("text/") for name, value in fields) for fields in headers]
    body = np.array([int(fields[-1][1]) for fields in headers], np.int64)
    yield Payload("text", 1, body, h.wire, rows=np.flatnonzero(np.array(plain, bool)))


def _read(h: Headers) -> dict[str, Column]:
    pairs: dict[str, list[tuple[int, str]]] = {name: [] for name in NAMED}
    for row, fields in enumerate(h.memo(_fields)):
        for name, value in fields[:-1]:
            if name in REPEATED or not pairs[name] or pairs[name][-1][0] != row:
                pairs[name].append((row, value))
    return {f"imf.{name}": text_column(values) for name, values in pairs.items()}


FIELDS = tuple(Field(f"imf.{name}", text, label, many=name in REPEATED) for name, label in NAMED.items())

PROTOCOL = Protocol(
    "IMF", on={"smtp.message": 1}, info="mail[ from {imf.from}][: {imf.subject}]", contents=contents, derived=((FIELDS, _read),)
)
