"""Simple Service Discovery Protocol: requests and responses of HTTP in datagrams. UPnP Device Architecture 2.0 §1.

A header is a datagram; its fields are HTTP's.
"""

import numpy as np

from ..fields import Column, Headers, Layout, Protocol, Reading, gather
from . import http
from .common.framing import PROBE_SIZE

HEADER = Layout()
SECTION = 1 << 16  # bytes of the longest header section: a datagram's


def probe_port(r: Reading) -> np.ndarray:
    """Whether it begins with a method or a status line."""
    first, size = gather(r.buffer, r.start, PROBE_SIZE), np.minimum(r.end - r.start, PROBE_SIZE)
    first[np.arange(PROBE_SIZE) >= size[:, None]] = 0
    return (size == PROBE_SIZE) & http.HttpFramer().probe_stream(first, size)


def check(h: Headers) -> None:
    """Find where header sections end, and whether each is a request or a response."""
    kind, header, status = (np.zeros(len(h), np.int64) for _ in range(3))
    for row, (start, end) in enumerate(zip(h.start.tolist(), np.minimum(h.end, h.wire).tolist())):
        section = h.buffer[start : min(end, start + SECTION)].tobytes()
        at = section.find(b"\r\n\r\n")
        header[row] = len(section) if at < 0 else at + 4
        is_response = section.startswith(b"HTTP/")
        kind[row] = http.RESPONSE if is_response else http.REQUEST
        status[row] = int(section[9:12]) if is_response and section[9:12].isdigit() else 0
    for name, values in (("kind", kind), ("header", header), ("status", status)):
        h.set_context(name, values)


def _kinds(h: Headers) -> dict[str, Column]:
    columns = {}
    for f, which in zip(http.KINDS, (http.REQUEST, http.RESPONSE)):
        rows = np.flatnonzero(h.context_of("kind") == which)
        columns[f.name] = Column(np.ones(len(rows), bool), rows)
    rows = np.flatnonzero(h.context_of("kind") == http.RESPONSE)
    return {**columns, http.CODE_OF_RESPONSE.name: Column(h.context_of("status")[rows], rows)}


EXCLUDED = {"http.chunk_size", "http.file_data", "http.credentials"}  # fields of bodies and of what SSDP does not use


PROTOCOL = Protocol(
    "ssdp",
    "SSDP",
    __doc__,
    header=HEADER,
    on={"udp.port": 1900},
    info="{http.line}",
    check=check,
    probe_port=probe_port,
    derived=(
        ((*http.KINDS, http.CODE_OF_RESPONSE), _kinds),
        *(derived for derived in http.PROTOCOL.derived[1:] if not EXCLUDED & {f.name for f in derived[0]}),
    ),
)
