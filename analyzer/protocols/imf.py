"""Internet Message Format: a mail. RFC 5322."""

from __future__ import annotations

import re

import numpy as np

from ..fields import Column, Field, Headers, Payload, Protocol, text
from .common.commands import text_column, utf8

SECTION = 1 << 16  # bytes in which fields are read
NAMED = {
    "from": "From",
    "sender": "Sender",
    "to": "To",
    "cc": "Copies to",
    "bcc": "Blind copies to",
    "reply_to": "Answers to",
    "subject": "Subject",
    "date": "Date",
    "message_id": "Message's name",
    "in_reply_to": "Answer to message",
    "references": "Messages before",
    "return_path": "Return path",
    "received": "Received",
    "user_agent": "User agent",
    "mime_version": "MIME version",
    "content.type": "Content type",
    "content.transfer_encoding": "Transfer coding",
    "content.id": "Content's name",
}
SEVERAL = ("received",)
NAMES = {name.replace("_", "-").replace(".", "-"): name for name in NAMED}
FIELD = re.compile(rb"([!-9;-~]++)[ \t]*+:[ \t]*+((?:[^\r\n]|\r?\n[ \t])*+)\r?\n?")  # RFC 5322 §2.2; folded lines are one


def _fields(h: Headers) -> list[list[tuple[str, str]]]:
    """Of each header its fields that have a name here, with the place where its body begins: ("", place)."""
    found = []
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
        found.append([*fields, ("", str(start + at))])
    return found


def contents(h: Headers):
    found = h.memo(_fields)
    plain = [any(name == "content.type" and value.lower().startswith("text/") for name, value in one) for one in found]
    body = np.array([int(one[-1][1]) for one in found], np.int64)
    yield Payload("text", 1, body, h.wire, rows=np.flatnonzero(np.array(plain, bool)))


def _read(h: Headers) -> dict[str, Column]:
    pairs: dict[str, list[tuple[int, str]]] = {name: [] for name in NAMED}
    for row, fields in enumerate(h.memo(_fields)):
        for name, value in fields[:-1]:
            if name in SEVERAL or not pairs[name] or pairs[name][-1][0] != row:
                pairs[name].append((row, value))
    return {f"imf.{name}": text_column(found) for name, found in pairs.items()}


FIELDS = tuple(Field(f"imf.{name}", text, label, many=name in SEVERAL) for name, label in NAMED.items())


PROTOCOL = Protocol(
    "imf",
    "IMF",
    __doc__,
    on={"smtp.message": 1},
    info="mail[ from {imf.from}][: {imf.subject}]",
    contents=contents,
    derived=((FIELDS, _read),),
)
