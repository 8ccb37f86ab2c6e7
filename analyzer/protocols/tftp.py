"""Trivial File Transfer Protocol. RFC 1350; options: RFC 2347 to 2349, RFC 7440."""

import numpy as np

from ..fields import Column, Field, Headers, Layout, Payload, Protocol, text, u16, u64
from .common.parts import Parts, split

READ, WRITE, DATA, ACK, ERROR, OPTIONS = range(1, 7)
OPCODE = {READ: "read request", WRITE: "write request", DATA: "data", ACK: "acknowledgment", ERROR: "error", OPTIONS: "options"}
CODE = {0: "not defined", 1: "file not found", 2: "access violation", 3: "disk full", 4: "illegal operation", 5: "unknown transfer",
        6: "file exists already", 7: "no such user", 8: "option refused"}  # fmt: skip
HEADER = Layout(Field("tftp.opcode", u16, "Operation", value_names=OPCODE))
BLOCK = Layout(Field("tftp.block", u16, "Block", "from 1; 0 acknowledges a write request or options"))
FAILED = Layout(Field("tftp.error.code", u16, "Error", value_names=CODE))


def contents(h: Headers):
    kind = h["tftp.opcode"]
    size = HEADER.size + BLOCK.size
    short = h.whole & np.isin(kind, (DATA, ACK, ERROR)) & (h.wire - h.start < size) & ~h.quoted
    h.fault(short, "tftp.opcode", "needs {needed} bytes, has {had}", size, h.wire - h.start, h.start)
    unended = _strings(h)[-1]
    h.fault(unended, "", "a text does not end with a zero byte", at=h.start + HEADER.size)
    yield Payload("data", 0, h.start + HEADER.size + BLOCK.size, h.wire, np.flatnonzero(kind == DATA))


def _strings(h: Headers) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The zero-terminated texts of requests, options and errors: (header, number in the header, start, end), int64; and which headers
    have one without the zero byte, bool, those cut by the capture excepted."""
    kind = h["tftp.opcode"]
    rows = np.flatnonzero(h.whole & np.isin(kind, (READ, WRITE, ERROR, OPTIONS)))
    start = h.start[rows] + HEADER.size + np.where(kind[rows] == ERROR, FAILED.size, 0)
    end = np.minimum(h.wire, h.end)[rows]
    owner, nth, begin, stop, ended = split(h.buffer, start, end, 0)
    unended = np.zeros(len(h), bool)
    unended[rows[owner[~ended]]] = True
    unended &= ~h.quoted & (h.wire <= h.end)
    return rows[owner[ended]], nth[ended], begin[ended], stop[ended], unended


def _derived(h: Headers) -> dict[str, Column]:
    parts = Parts(h, FIELDS)
    kind = h["tftp.opcode"]
    rows = np.flatnonzero(h.whole & np.isin(kind, (DATA, ACK)))
    parts.read(BLOCK, rows, h.start[rows] + HEADER.size)
    rows = np.flatnonzero(h.whole & (kind == ERROR))
    parts.read(FAILED, rows, h.start[rows] + HEADER.size)
    row, nth, start, end, _ = _strings(h)
    opcode = kind[row]
    request = np.isin(opcode, (READ, WRITE))
    nth = nth - np.where(request, 2, 0)  # options follow the file's name and the mode
    option = (request | (opcode == OPTIONS)) & (nth >= 0)
    for name, which in (
        ("tftp.source_file", (opcode == READ) & (nth == -2)),
        ("tftp.destination_file", (opcode == WRITE) & (nth == -2)),
        ("tftp.type", request & (nth == -1)),
        ("tftp.option.name", option & (nth % 2 == 0)),
        ("tftp.option.value", option & (nth % 2 == 1)),
        ("tftp.error.message", (opcode == ERROR) & (nth == 0)),
    ):
        parts.text(name, row[which], start[which], end[which])
    return dict(parts.columns())


FIELDS = (
    *BLOCK.fields,
    *FAILED.fields,
    Field("tftp.source_file", text, "File read"),
    Field("tftp.destination_file", text, "File written"),
    Field("tftp.type", text, "Mode", "octet: bytes; netascii: text, RFC 764"),
    Field("tftp.option.name", text, "Option", many=True),
    Field("tftp.option.value", text, "Option value", many=True),
    Field("tftp.error.message", text, "Error message"),
)

PROTOCOL = Protocol(
    "TFTP",
    header=HEADER,
    on={"udp.port": 69},
    changes_port=True,
    info="{tftp.opcode:words}[ {tftp.source_file}][ {tftp.destination_file}][, block {tftp.block}][, {tftp.error.code:words}]"
    "[: {tftp.error.message}]",
    contents=contents,
    derived=((FIELDS, _derived),),
    external_fields=(Field("tftp.request_frame", u64, "Request in", "frame of the request, for messages on other ports than 69"),),
)
