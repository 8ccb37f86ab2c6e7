"""Which STUN request a response answers, and what was sent again: `stun.response-to`, `stun.time`, `stun.reqduplicate`. RFC 8489 §6.3."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..conversations import in_order, pairs
from ..fields import gather
from ..protocols.stun import COOKIE_AT, PROTOCOL, SIZE
from . import Correlator, Remembered, forgot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

    from ..capture import Batch
    from ..fields import Headers

REQUEST, INDICATION, NONE = 0, 1, -1  # classes, as `stun.type.class` has them; NONE: ChannelData, or quoted in an ICMP error


class Transaction(NamedTuple):
    """Frames of the first request and the first response, 0 where there is none; when that request was sent, ns."""

    request: int
    time: int
    response: int


class StunTransactions(Correlator):
    """Remembers transactions, by the two ends and the transaction ID.

    As Wireshark: a response answers the first request, whatever was sent again since; each later request or response is a duplicate of
    the first. A message that an ICMP error quotes is none of these.
    """

    reads = ("stun",)
    gives = frozenset(f.name for f in PROTOCOL.external_fields)

    def __init__(self, wanted: AbstractSet[str]) -> None:
        super().__init__(wanted)
        self.transactions: Remembered[Transaction] = Remembered()

    def feed(self, headers: list[Headers], batch: Batch) -> None:
        columns: list[dict[str, dict[int, int]]] = [{name: {} for name in self.gives} for _ in headers]
        classes = np.concatenate([_classes(h) for h in headers])
        order = in_order(headers)
        order = order[(classes[order] != NONE) & (classes[order] != INDICATION)]
        chunk = np.repeat(np.arange(len(headers)), [len(h) for h in headers])[order]
        row = np.concatenate([np.arange(len(h)) for h in headers])[order]
        frame = np.concatenate([h.frame for h in headers])[order]
        keys = [key for h in headers for key in _keys(h)] if len(order) else []
        rows = (column.tolist() for column in (order, classes[order], chunk, row, frame + batch.first, batch.time[frame]))
        for at, kind, nth, own, number, now in zip(*rows, strict=True):
            known = self.transactions.get(keys[at], Transaction(0, 0, 0))
            first = known.request if kind == REQUEST else known.response
            if first:
                columns[nth]["stun.reqduplicate"][own] = first
            elif kind == REQUEST:
                self.transactions[keys[at]] = Transaction(number, now, known.response)
            else:
                self.transactions[keys[at]] = Transaction(known.request, known.time, number)
            if kind != REQUEST and known.request:
                columns[nth]["stun.response-to"][own] = known.request
                columns[nth]["stun.time"][own] = now - known.time
        for h, found in zip(headers, columns, strict=True):
            for name, values in found.items():
                own_rows = np.array(sorted(values), np.int64)
                h.put(name, np.array([values[one] for one in own_rows.tolist()], np.int64), own_rows)

    def forgotten(self) -> Iterator[str]:
        return forgot(self.transactions.forgotten, "STUN transactions", "a later response belongs to none")


def _classes(h: Headers) -> np.ndarray:
    """`stun.type.class` of each header, int64 (n,); NONE where a message is not whole up to its transaction ID or is none."""
    kind, rows = h.column("stun.type.class")
    found = np.full(len(h), NONE)
    found[slice(None) if rows is None else rows] = kind
    return np.where(h.quoted | (h.end - h.start < SIZE), NONE, found)


def _keys(h: Headers) -> list[tuple[str, bytes, bytes]]:
    """The transport, both ends and the transaction ID of each header; the magic cookie counts, as RFC 3489 has it."""
    below = h.parent
    assert below is not None
    source, destination = (f.name for f in below.layout.fields[:2])
    ends = pairs(below, (source, destination))[0][h.row].tolist()
    ids = gather(h.buffer, h.start + COOKIE_AT, SIZE - COOKIE_AT).view(f"V{SIZE - COOKIE_AT}").reshape(-1).tolist()
    return [(below.protocol.name, two, one) for two, one in zip(ends, ids, strict=True)]
