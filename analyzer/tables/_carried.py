"""Files that FTP and SMTP carry: for who writes them out.

`carried` gives what a batch holds of them, in the order of its frames: of FTP piece by piece, since files are large; of SMTP a message
when it is whole, then each attachment.
"""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterator
from email.message import EmailMessage
from typing import NamedTuple

import numpy as np

from ..dissect import Dissection
from ..fields import Headers
from ..protocols.common.commands import MESSAGE

NEEDS = frozenset({"ftp-data.command", "smtp.data.missing"})  # fields to ask of the dissection
FILES = {"RETR", "STOR", "STOU", "APPE"}  # commands whose data connection carries a file; others carry lists
DEEP = 64 << 10  # bytes of header fields beyond which a message is not taken apart
PARTS = 10_000  # lines that may separate parts, beyond which neither
MANY = 1000  # attachments of a message that are given


class Piece(NamedTuple):
    """A part of a file, or all of it.

    name: as the peer or the sender calls it, '' if nobody does; it may hold anything, a path among it. protocol: ftp-data, smtp or
    imf (an attachment). frame: with which it was there. stream: tcp.stream. position: of the first byte in the file, from 0: what
    lies between pieces is not in the capture. missing: bytes behind these that are not, as far as is known. kind: content type, '' if
    nobody says.
    """

    name: str
    protocol: str
    frame: int
    stream: int
    position: int
    data: bytes
    missing: int
    kind: str


def carried(d: Dissection) -> Iterator[Piece]:
    """The files and parts of files that this batch's frames completed."""
    found = [piece for h in d.chunks.get("ftp.data", ()) for piece in _files(h, d.batch.first)]
    found += [piece for h in d.chunks.get("smtp", ()) for piece in _mails(h, d.batch.first)]
    yield from sorted(found, key=lambda piece: piece.frame)


def _files(h: Headers, first: int) -> Iterator[Piece]:
    commands, rows = h.column("ftp-data.command")
    if rows is None or "direction" not in h.context:
        return
    position = h.context_of("position") - 1  # the SYN has the number 0
    for row, command in zip(rows.tolist(), commands.tolist()):
        word, _, name = command.partition(" ")
        if word.upper() in FILES:
            data = h.buffer[h.start[row] : h.end[row]].tobytes()
            yield Piece(
                name, "ftp-data", int(h.frame[row]) + first, int(h.context_of("direction")[row]) >> 1, int(position[row]), data, 0, ""
            )


def _mails(h: Headers, first: int) -> Iterator[Piece]:
    for row in np.flatnonzero(h.context_of("kind") == MESSAGE).tolist():
        data = h.buffer[h.start[row] : h.end[row]].tobytes()
        place = int(h.frame[row]) + first, int(h.context_of("direction")[row]) >> 1
        message = _parsed(data)
        name = _text(message, "subject") if message is not None else ""
        yield Piece(name, "smtp", *place, 0, data, int(h.context_of("missing")[row]), "message/rfc822")
        if message is not None:
            yield from (Piece(name, "imf", *place, 0, one, 0, kind) for name, kind, one in _attached(message))


def _parsed(data: bytes) -> EmailMessage | None:
    """The message; None if what it says of itself cannot be read."""
    head = data.find(b"\r\n\r\n")
    if head < 0 or head > DEEP or data.count(b"\n--") > PARTS:
        return None
    try:
        made = email.message_from_bytes(data, policy=email.policy.default)
    except (ValueError, LookupError, RecursionError, IndexError, AttributeError):
        return None  # the library stumbles over what no standard allows
    return made if isinstance(made, EmailMessage) else None


def _text(message: EmailMessage, name: str) -> str:
    try:
        return str(message.get(name, ""))
    except (ValueError, LookupError, IndexError, AttributeError, TypeError):
        return ""


def _attached(message: EmailMessage) -> Iterator[tuple[str, str, bytes]]:
    """(name, content type, bytes) of the parts that are files."""
    found = 0
    try:
        for part in message.walk():
            if part.is_multipart() or found >= MANY:
                continue
            name = part.get_filename()
            if name or part.get_content_disposition() == "attachment":
                body = part.get_payload(decode=True)
                if isinstance(body, bytes):
                    found += 1
                    yield str(name or ""), part.get_content_type(), body
    except (ValueError, LookupError, RecursionError, IndexError, AttributeError, TypeError):
        return  # the rest cannot be taken apart
