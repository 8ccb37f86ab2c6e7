"""Conversations: which headers pass between the same two endpoints, and in which order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ._conversations import pair
from .fields import Headers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .capture import Batch

KEY = 40  # bytes of a conversation's key: two addresses of 16, two ports, the IP version


def words(h: Headers, name: str) -> tuple[np.ndarray | None, np.ndarray]:
    """An address field as (high, low), uint64 (n,) each, in the order of addresses; high is None if 64 bits hold it."""
    values = h[name]
    if values.dtype.kind == "V":
        pair = values.view(">u8").reshape(-1, 2).astype(np.uint64)
        return pair[:, 0], pair[:, 1]
    return None, values.astype(np.uint64)


def pairs(h: Headers, ports: tuple[str, str] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """(key, back) of each header: the unordered pair of its addresses (and ports), V40 (n,), and whether it goes from the
    greater endpoint to the smaller, bool (n,). Headers of one conversation have equal keys."""
    key, back = np.zeros(len(h) * KEY // 8, np.uint64), np.zeros(len(h), bool)
    net, rows = (h, np.arange(len(h))) if h.protocol.addresses else h.network_layer() or (None, None)
    if net is not None and rows is not None and net.protocol.addresses is not None:
        none = np.zeros(0, np.uint64)
        halves = [words(net, name) for name in net.protocol.addresses]
        high = tuple(none if half is None else np.ascontiguousarray(half) for half, _ in halves)
        low = tuple(np.ascontiguousarray(half) for _, half in halves)
        numbers = tuple(h[name].astype(np.uint64) for name in ports) if ports else (none, none)
        pair(high, low, rows, numbers, net.protocol.name == "ipv6", key, back.view(np.uint8))
    return key.view(f"V{KEY}"), back


def in_order(chunks: Sequence[Headers]) -> np.ndarray:
    """The indices (int64) that sort the concatenated headers of all chunks by frame; outer headers first."""
    frame = np.concatenate([h.frame for h in chunks])
    if len(chunks) == 1:
        return np.arange(len(frame))
    return np.argsort(frame, kind="stable")  # chunks come outermost first


def keyed(h: Headers, ports: tuple[str, str]) -> tuple[np.ndarray, np.ndarray]:
    """`pairs`, kept in `h.conversation` for the table of conversations."""
    h.conversation = pairs(h, ports)
    return h.conversation


@dataclass
class Clock:
    """Times of the frames of each batch, int64 (n,), ns; a frame without one has that of the frame before."""

    last: int = 0

    def __call__(self, batch: Batch) -> np.ndarray:
        if batch.timed is None:
            return batch.time
        last = np.maximum.accumulate(np.where(batch.timed, np.arange(len(batch)), -1))
        times = np.where(last < 0, self.last, batch.time[last])
        self.last = int(times[-1]) if len(times) else self.last
        return times


def spread(chunks: list[Headers], order: np.ndarray, columns: dict[str, np.ndarray]) -> None:
    """Put columns, whose rows stand in `order` (as from `in_order`), into the chunks that they belong to."""
    back = np.argsort(order, kind="stable")  # timsort: `order` is nearly sorted
    rows = order[back]
    at = 0
    for h in chunks:
        low, high = np.searchsorted(rows, (at, at + len(h)))
        for name, values in columns.items():
            own = rows[low:high] - at
            h.put(name, values[back[low:high]], None if len(own) == len(h) else own)
        at += len(h)
