"""File Transfer Protocol: a data connection. RFC 959 §3.2.

A row is what one segment brought, in the order of the stream. Port 20 tells such a connection, or what PORT, EPRT, PASV or EPSV said on
a control connection before.
"""

from __future__ import annotations

import numpy as np

from ..fields import Column, Field, Headers, Payload, Protocol, gather, text, u32, u64
from .common.framing import ContiguousRuns, Framed, complete

LOOKS = 20  # bytes that tell whether it is text, as tshark has it
TEXT = np.isin(np.arange(256), [*range(0x20, 0x7F), *b"\t\n\v\f\r"])


class Everything:
    """Takes each piece as it comes."""

    any_port, precedence = False, 0

    def probe_stream(self, first: np.ndarray, size: np.ndarray) -> np.ndarray:
        """Never: any bytes may be a file."""
        return np.zeros(len(first), bool)

    def split(self, s: ContiguousRuns) -> Framed:
        """All of it."""
        run = np.searchsorted(s.first, np.arange(len(s.rows)), "right") - 1
        end = np.minimum(np.append(s.place[1:], len(s.data)), s.end[run]) if len(s.rows) else s.place
        some = np.flatnonzero(end > s.place)
        lost = np.zeros(0, np.int64)
        framed = complete(s, run[some], s.place[some], end[some], s.end.copy(), lost, lost)
        return framed._replace(columns={"position": s.position[run[some]] + s.place[some] - s.start[run[some]]})


def contents(h: Headers):
    size = np.minimum(h.end - h.start, LOOKS)
    first = gather(h.buffer, h.start, LOOKS)
    plain = (TEXT[first] | (np.arange(LOOKS) >= size[:, None])).all(axis=1) & (size > 0)
    yield Payload("text", 1, h.start, h.wire, rows=np.flatnonzero(plain))


def _sizes(h: Headers) -> dict[str, Column]:
    return {"ftp-data.len": Column(h.wire - h.start, None)}


PROTOCOL = Protocol(
    "ftp.data",
    "FTP-DATA",
    __doc__,
    on={"tcp.port": 20},
    display_name="ftp-data",
    info="{ftp-data.len} bytes[, {ftp-data.command}]",
    contents=contents,
    framer=Everything,
    derived=(((Field("ftp-data.len", u32, "Bytes", "of this piece"),), _sizes),),
    external_fields=(
        Field("ftp-data.setup-frame", u64, "Set up in", "the frame of the control connection that announced it"),
        Field("ftp-data.setup-method", text, "Set up by", "PORT, EPRT, PASV or EPSV"),
        Field("ftp-data.command", text, "Command", "that the control connection gave for it"),
        Field("ftp-data.command-frame", u64, "Command in"),
        Field("ftp-data.control", u32, "Control connection", "its tcp.stream"),
    ),
)
