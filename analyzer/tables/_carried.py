"""Files that FTP and SMTP carry, for `objects`.

`carried_files` yields them in the order of a batch's frames: of FTP segment by segment, since files are large; of SMTP a message when it is
whole, then each attachment.
"""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterator
from email.message import EmailMessage
from typing import NamedTuple

import numpy as np

from ..dissection import Dissection
from ..fields import Headers
from ..protocols.common.commands import MESSAGE

NEEDS = frozenset({"ftp-data.command", "smtp.data.missing"})  # fields that the dissection must provide
FILES = {"RETR", "STOR", "STOU", "APPE"}  # commands whose data connection carries a file; others carry lists
SECTION = 64 << 10  # a message with a longer header section (bytes) is not parsed
BOUNDARIES = 10_000  # nor one with more lines that may be boundaries of parts
ATTACHMENTS = 1000  # of a message, that are returned


class FilePart(NamedTuple):
    """A part of a file, or all of it.

    name: as the command or the sender has it, '' if there is none; it may be anything, even a path. protocol: ftp-data, smtp or imf (an
    attachment). frame: that completed it. stream: tcp.stream. position: of the first byte in the file, from 0; bytes between parts are
    not in the capture. missing: known number of bytes after these that are not. content_type: '' if unknown.
    """

    name: str
    protocol: str
    frame: int
    stream: int
    position: int
    data: bytes
    missing: int
    content_type: str


def carried_files(d: Dissection) -> Iterator[FilePart]:
    """The files, and parts of files, that this batch's frames completed."""
    parts = [part for h in d.chunks.get("ftp.data", ()) for part in _files(h, d.batch.first)]
    parts += [part for h in d.chunks.get("smtp", ()) for part in _mails(h, d.batch.first)]
    yield from sorted(parts, key=lambda part: part.frame)


def _files(h: Headers, first: int) -> Iterator[FilePart]:
    commands, rows = h.column("ftp-data.command")
    if rows is None or "direction" not in h.context:
        return
    position = h.context_of("position") - 1  # the SYN has sequence number 0
    for row, command in zip(rows.tolist(), commands.tolist()):
        word, _, name = command.partition(" ")
        if word.upper() in FILES:
            data = h.buffer[h.start[row] : h.end[row]].tobytes()
            yield FilePart(
                name, "ftp-data", int(h.frame[row]) + first, int(h.context_of("direction")[row]) >> 1, int(position[row]), data, 0, ""
            )


def _mails(h: Headers, first: int) -> Iterator[FilePart]:
    for row in np.flatnonzero(h.context_of("kind") == MESSAGE).tolist():
        data = h.buffer[h.start[row] : h.end[row]].tobytes()
        place = int(h.frame[row]) + first, int(h.context_of("direction")[row]) >> 1
        message = _parsed(data)
        name = _text(message, "subject") if message is not None else ""
        yield FilePart(name, "smtp", *place, 0, data, int(h.context_of("missing")[row]), "message/rfc822")
        if message is not None:
            yield from (FilePart(name, "imf", *place, 0, body, 0, kind) for name, kind, body in _attachments(message))


def _parsed(data: bytes) -> EmailMessage | None:
    """The message; None if its structure cannot be parsed."""
    head = data.find(b"\r\n\r\n")
    if head < 0 or head > SECTION or data.count(b"\n--") > BOUNDARIES:
        return None
    try:
        message = email.message_from_bytes(data, policy=email.policy.default)
    except (ValueError, LookupError, RecursionError, IndexError, AttributeError):
        return None  # the library fails on what no standard allows
    return message if isinstance(message, EmailMessage) else None


def _text(message: EmailMessage, name: str) -> str:
    try:
        return str(message.get(name, ""))
    except (ValueError, LookupError, IndexError, AttributeError, TypeError):
        return ""


def _attachments(message: EmailMessage) -> Iterator[tuple[str, str, bytes]]:
    """(name, content type, bytes) of the parts that are files."""
    count = 0
    try:
        for part in message.walk():
            if part.is_multipart() or count >= ATTACHMENTS:
                continue
            name = part.get_filename()
            if name or part.get_content_disposition() == "attachment":
                body = part.get_payload(decode=True)
                if isinstance(body, bytes):
                    count += 1
                    yield str(name or ""), part.get_content_type(), body
    except (ValueError, LookupError, RecursionError, IndexError, AttributeError, TypeError):
        return  # the rest cannot be parsed
