"""Conversations: which headers speak between the same two ends, and the order in which they were sent."""

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
    """An address field as uint64 (high, low) for each header; high is None where 64 bits hold it. Comparing them compares addresses."""
    values = h[name]
    if values.dtype.kind == "V":
        pair = values.view(">u8").reshape(-1, 2).astype(np.uint64)
        return pair[:, 0], pair[:, 1]
    return None, values.astype(np.uint64)


def pairs(h: Headers, ports: tuple[str, str] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """(key, back) of each header: the unordered pair of its addresses (and ports) as V40, and whether it goes from the
    greater end to the smaller (bool). Two headers belong to one conversation when their keys are equal."""
    key, back = np.zeros(len(h) * KEY // 8, np.uint64), np.zeros(len(h), bool)
    net, rows = (h, np.arange(len(h))) if h.protocol.addresses else h.network_layer() or (None, None)
    if net is not None and rows is not None and net.protocol.addresses is not None:
        none = np.zeros(0, np.uint64)
        halves = [words(net, name) for name in net.protocol.addresses]
        high = tuple(none if one is None else np.ascontiguousarray(one) for one, _ in halves)
        low = tuple(np.ascontiguousarray(one) for _, one in halves)
        ends = tuple(h[name].astype(np.uint64) for name in ports) if ports else (none, none)
        pair(high, low, rows, ends, net.protocol.name == "ipv6", key, back.view(np.uint8))
    return key.view(f"V{KEY}"), back


def in_order(chunks: Sequence[Headers]) -> np.ndarray:
    """The order (int64) that puts the headers of all chunks, one chunk behind the other, by frame; outer headers first."""
    frame = np.concatenate([h.frame for h in chunks])
    if len(chunks) == 1:
        return np.arange(len(frame))
    return np.argsort(frame, kind="stable")  # chunks come outermost first


def keyed(h: Headers, ports: tuple[str, str]) -> tuple[np.ndarray, np.ndarray]:
    """`pairs`, remembered for who counts conversations later."""
    h.conversation = pairs(h, ports)
    return h.conversation


@dataclass
class Clock:
    """Times of the frames of each batch, ns; a frame that has none takes place when the one before it did."""

    last: int = 0

    def __call__(self, batch: Batch) -> np.ndarray:
        if batch.timed is None:
            return batch.time
        last = np.maximum.accumulate(np.where(batch.timed, np.arange(len(batch)), -1))
        times = np.where(last < 0, self.last, batch.time[last])
        self.last = int(times[-1]) if len(times) else self.last
        return times


def spread(chunks: list[Headers], order: np.ndarray, columns: dict[str, np.ndarray]) -> None:
    """Hand columns that are in `order` back to the chunks that they came from."""
    back = np.argsort(order, kind="stable")  # nearly sorted already, which this kind is quick with
    rows = order[back]
    at = 0
    for h in chunks:
        low, high = np.searchsorted(rows, (at, at + len(h)))
        for name, values in columns.items():
            own = rows[low:high] - at
            h.put(name, values[back[low:high]], None if len(own) == len(h) else own)
        at += len(h)
