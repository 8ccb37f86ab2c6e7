"""Checksum status of many headers at once, with Wireshark's numbers: 0 bad, 1 good, 2 unverified, 3 not present."""

from __future__ import annotations

import numpy as np

from ...fields import Field, Headers, u8
from . import _checksums

STATUS = {0: "bad", 1: "good", 2: "not checked", 3: "not there", 4: "partial: the network card was to finish it"}
BAD, GOOD, UNVERIFIED, ABSENT, PARTIAL = range(5)


def status_field(name: str) -> Field:
    return Field(name, u8, "Checksum status", value_names=STATUS)


def sums(h: Headers, start: np.ndarray, end: np.ndarray, more: np.ndarray | None = None) -> np.ndarray:
    """One's complement sums of these ranges of the buffer, plus `more`; int64 (n,). 0xFFFF: a checksum in the range is right."""
    out = np.zeros(len(start), np.int64) if more is None else more.astype(np.int64)
    _checksums.sums(h.buffer.data, np.ascontiguousarray(start).data, np.ascontiguousarray(end).data, out.data)
    return out


def pseudo(h: Headers, length: np.ndarray, number: int) -> np.ndarray | None:
    """Sum of the pseudo-header of each of these headers (RFC 9293 §3.1, RFC 8200 §8.1), int64; None if IP does not carry them.

    length: int64, bytes of the upper layer's packet. number: its protocol.
    """
    above = h.network_layer()
    if above is None or above[0].protocol.name not in ("ip", "ipv6"):
        return None
    net, rows = above
    assert net.protocol.addresses is not None
    place = net.layout.places[net.protocol.addresses[0]]
    first = net.start[rows] + place.offset
    size = 2 * place.size if net.protocol.name == "ip" else 32
    total = sums(net, first, first + size) + (length >> 16) + (length & 0xFFFF) + number
    at, own = h.parent, h.row
    while at is not None and at is not net:
        if at.protocol.name == "ipv6.routing":  # the sum has the final destination, RFC 8200 §8.1
            left = at["ipv6.routing.segleft"] > 0
            whole = at["ipv6.routing.len_oct"].astype(np.int64)
            final = at.start + np.where(at["ipv6.routing.type"] == 4, 8, whole - 16)
            fits = left & (whole >= 24) & (final + 16 <= at.end)
            header = net.start[at.row] + place.offset + 16
            change = sums(net, final, np.where(fits, final + 16, final)) - sums(net, header, np.where(fits, header + 16, header))
            total = total + change[own] + 0xFFFF
        own, at = at.row[own], at.parent
    return total


def status(h: Headers, end: np.ndarray, more: np.ndarray | None, rows: np.ndarray) -> np.ndarray:
    """Status (uint8) of the checksums over h.start:end of the headers `rows`; unverified if cut by the capture, or quoted.

    end: int64, of `rows`. more: int64 (n,), sum of the pseudo-header of every header.
    """
    result = np.full(len(rows), UNVERIFIED, np.uint8)
    there = np.flatnonzero((end <= h.end[rows]) & ~h.quoted[rows])
    at = rows[there]
    total = sums(h, h.start[at], end[there], None if more is None else more[at])
    result[there] = np.where(total == 0xFFFF, GOOD, BAD)
    return result


def partial(more: np.ndarray | None, rows: np.ndarray) -> np.ndarray:
    """The checksum that a sender leaves to its network card: the folded sum of the pseudo-header alone; int64."""
    total = np.zeros(len(rows), np.int64) if more is None else more[rows]
    total = (total & 0xFFFF) + (total >> 16)
    return (total & 0xFFFF) + (total >> 16)
