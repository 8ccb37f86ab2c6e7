"""File Transfer Protocol: a data connection. RFC 959 §3.2.

A row is the data of one segment, in the order of the stream. Such a connection is known by port 20, or by an earlier PORT, EPRT, PASV
or EPSV on a control connection.
"""

import numpy as np

from ..fields import Column, Field, Headers, Payload, Protocol, gather, text, u32, u64
from .common.framing import ContiguousRuns, Framed, complete

TEXT_PROBE = 20  # bytes that decide whether it is text, as in tshark
TEXT = np.isin(np.arange(256), [*range(0x20, 0x7F), *b"\t\n\v\f\r"])


class FtpDataFramer:
    """Takes the data of each segment as it is: there is no framing."""

    any_port, precedence = False, 0

    def probe_stream(self, first: np.ndarray, size: np.ndarray) -> np.ndarray:
        """Never: any bytes may be a file."""
        return np.zeros(len(first), bool)

    def split(self, s: ContiguousRuns) -> Framed:
        """Each segment's data, by itself."""
        run = np.searchsorted(s.first, np.arange(len(s.rows)), "right") - 1
        end = np.minimum(np.append(s.place[1:], len(s.data)), s.end[run]) if len(s.rows) else s.place
        some = np.flatnonzero(end > s.place)
        none = np.zeros(0, np.int64)
        framed = complete(s, run[some], s.place[some], end[some], s.end.copy(), none, none)
        return framed._replace(columns={"position": s.position[run[some]] + s.place[some] - s.start[run[some]]})


def contents(h: Headers):
    size = np.minimum(h.end - h.start, TEXT_PROBE)
    first = gather(h.buffer, h.start, TEXT_PROBE)
    plain = (TEXT[first] | (np.arange(TEXT_PROBE) >= size[:, None])).all(axis=1) & (size > 0)
    yield Payload("text", 1, h.start, h.wire, rows=np.flatnonzero(plain))


def _sizes(h: Headers) -> dict[str, Column]:
    return {"ftp-data.len": Column(h.wire - h.start, None)}


PROTOCOL = Protocol(
    "FTP-DATA",
    on={"tcp.port": 20},
    display_name="ftp-data",
    info="{ftp-data.len} bytes[, {ftp-data.command}]",
    contents=contents,
    framer=FtpDataFramer,
    derived=(((Field("ftp-data.len", u32, "Bytes", "of this segment"),), _sizes),),
    external_fields=(
        Field("ftp-data.setup-frame", u64, "Set up in", "the frame of the control connection that announced it"),
        Field("ftp-data.setup-method", text, "Set up by", "PORT, EPRT, PASV or EPSV"),
        Field("ftp-data.command", text, "Command", "that the control connection gave for it"),
        Field("ftp-data.command-frame", u64, "Command in"),
        Field("ftp-data.control", u32, "Control connection", "its tcp.stream"),
    ),
)
