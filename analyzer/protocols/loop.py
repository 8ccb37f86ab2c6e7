"""Ethernet Configuration Testing Protocol: a frame lists the stations that forward it, and ends with a reply.

Digital, Intel and Xerox, The Ethernet, Data Link Layer and Physical Layer Specifications 2.0 (1982), §8. Cisco's switches send it
to themselves as a keepalive.
"""

import numpy as np

from ..fields import Column, Field, Headers, Layout, Payload, Protocol, mac, u16
from .common.parts import Parts, peek
from .common.tlv import repeated

FUNCTION = {1: "reply", 2: "forward data"}
REPLY, FORWARD = FUNCTION
HEADER = Layout(Field("loop.skipcount", u16, "Skip count", "bytes of messages already processed", little=True))
FUNCTION_CODE = Layout(Field("loop.function", u16, "Function", value_names=FUNCTION, many=True, little=True))
ADDRESS = Layout(*FUNCTION_CODE.fields, Field("loop.forwarding_address", mac, "Forward to", many=True))
RECEIPT = Layout(*FUNCTION_CODE.fields, Field("loop.receipt_number", u16, "Receipt number", "sequence number of the sender", little=True))
RELEVANT = Field("loop.relevant_function", u16, "Function to do", "of the message at the skip count", value_names=FUNCTION)


def _messages(h: Headers) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(header, offset and function of each message, end of the last): a message to forward is followed by another."""
    start = h.start + HEADER.size
    row, nth = repeated(np.where(h.whole, (h.end - start) // ADDRESS.size + 1, 0))
    at = start[row] + ADDRESS.size * nth
    function = peek(h, FUNCTION_CODE, row, at)["loop.function"]
    final = np.full(len(h), len(row))
    last = np.flatnonzero(function != FORWARD)
    np.minimum.at(final, row[last], nth[last])
    there = np.flatnonzero((nth <= final[row]) & (at < h.end[row]))
    row, at, function = row[there], at[there], function[there]
    end = start.copy()
    size = np.select([function == FORWARD, function == REPLY], [ADDRESS.size, RECEIPT.size], FUNCTION_CODE.size)
    np.maximum.at(end, row, at + size)
    return row, at, function, end


def contents(h: Headers):
    yield Payload("data", 0, _messages(h)[3], h.wire)


def _derived(h: Headers) -> dict[str, Column]:
    row, at, function, _ = _messages(h)
    parts = Parts(h, FIELDS)
    for layout, these in (
        (ADDRESS, function == FORWARD),
        (RECEIPT, function == REPLY),
        (FUNCTION_CODE, (function != FORWARD) & (function != REPLY)),
    ):
        parts.read(layout, row[these], at[these])
    relevant = np.flatnonzero(at == h.start[row] + HEADER.size + h["loop.skipcount"][row])
    parts.put("loop.relevant_function", function[relevant], row[relevant], at[relevant])
    return dict(parts.columns())


FIELDS = (*ADDRESS.fields, RECEIPT.fields[1], RELEVANT)

PROTOCOL = Protocol(
    "Loopback",
    header=HEADER,
    on={"ethertype": 0x9000},
    info="test[: {loop.relevant_function:words}][, receipt {loop.receipt_number}]",
    contents=contents,
    derived=((FIELDS, _derived),),
)
