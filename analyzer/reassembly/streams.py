"""Streams: which segments and datagrams belong together, and the numbers that relative sequence numbers count from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..fields import Headers
from ._numbers import Numbers, Streams

if TYPE_CHECKING:
    from collections.abc import Sequence

KEY = 40  # bytes of a conversation's key: two addresses of 16, two ports, the IP version
MASK = 0xFFFFFFFF  # sequence numbers wrap, RFC 9293 §3.4
FLAGGED = 14  # bytes of a TCP header up to its flags: fewer and nobody knows whether it is a SYN
UDP = {"udp.stream"}
NUMBERS = {"tcp.seq", "tcp.ack", "tcp.nxtseq"}
EDGES = {f"tcp.options.sack{end}" for end in ("_le", "_re", ".dsack_le", ".dsack_re")}
TCP = {"tcp.stream"} | NUMBERS | EDGES


def _words(h: Headers, name: str) -> tuple[np.ndarray | None, np.ndarray]:
    """An address field as uint64 (high, low) for each header; high is None where 64 bits hold it. Comparing them compares addresses."""
    values = h[name]
    if values.dtype.kind == "V":
        pair = values.view(">u8").reshape(-1, 2).astype(np.uint64)
        return pair[:, 0], pair[:, 1]
    return None, values.astype(np.uint64)


def pairs(h: Headers, ports: tuple[str, str] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """(key, back) of each header: the unordered pair of its addresses (and ports) as V40, and whether it goes from the
    greater end to the smaller (bool). Two headers belong to one conversation when their keys are equal."""
    key = np.zeros((len(h), 5), np.uint64)
    net, rows = (h, None) if h.protocol.addresses else h.up() or (None, None)
    if net is None or net.protocol.addresses is None:
        return key.view(f"V{KEY}").reshape(-1), np.zeros(len(h), bool)
    (high_a, low_a), (high_b, low_b) = (_words(net, name) for name in net.protocol.addresses)
    if rows is not None:
        low_a, low_b = low_a[rows], low_b[rows]
        high_a, high_b = (None if high is None else high[rows] for high in (high_a, high_b))
    back, same = low_a > low_b, low_a == low_b
    if high_a is not None and high_b is not None:
        alike = high_a == high_b
        back, same = (high_a > high_b) | (alike & back), alike & same
        key[:, 0], key[:, 2] = np.where(back, high_b, high_a), np.where(back, high_a, high_b)
    tail = np.zeros(len(h), np.uint64)
    if ports:
        port_a, port_b = (h[name].astype(np.uint64) for name in ports)
        back |= same & (port_a > port_b)
        tail = np.where(back, port_b << np.uint64(16) | port_a, port_a << np.uint64(16) | port_b)
    key[:, 1], key[:, 3] = np.where(back, low_b, low_a), np.where(back, low_a, low_b)
    key[:, 4] = tail | np.uint64((net.protocol.name == "ipv6") << 32)
    return key.view(f"V{KEY}").reshape(-1), back


def in_order(chunks: Sequence[Headers]) -> np.ndarray:
    """The order (int64) that puts the headers of all chunks, one chunk behind the other, by frame; outer headers first."""
    frame = np.concatenate([h.frame for h in chunks])
    if len(chunks) == 1:
        return np.arange(len(frame))
    return np.argsort(frame, kind="stable")  # chunks come outermost first


class StreamNumbers:
    """Gives the headers of each batch their stream fields. State lives from batch to batch."""

    def __init__(self) -> None:
        self.udp, self.tcp = Numbers(), Streams()

    def number_udp(self, chunks: list[Headers]) -> None:
        """Add udp.stream to the chunks of one batch."""
        order = in_order(chunks)
        order = order[np.concatenate([h.trusted >= 4 for h in chunks])[order]]
        keys = np.concatenate([_paired(h, ("udp.srcport", "udp.dstport"))[0] for h in chunks])
        numbers = np.empty(len(order), np.int64)
        self.udp.number(keys[order].tolist(), numbers.data)
        _spread(chunks, order, {"udp.stream": numbers})

    def number_tcp(self, chunks: list[Headers], wanted: set[str]) -> None:
        """Add tcp.stream to the chunks of one batch, and the relative numbers and SACK edges if they are wanted."""
        there = np.concatenate([h.trusted >= 8 for h in chunks])
        order = in_order(chunks)
        order = order[there[order]]
        made = [_paired(h, ("tcp.srcport", "tcp.dstport")) for h in chunks]
        keys = np.concatenate([key for key, _ in made])[order].tolist()
        back = np.concatenate([b for _, b in made])[order].view(np.uint8)

        def column(name: str, dtype: type) -> np.ndarray:
            return np.concatenate([h[name] for h in chunks])[order].astype(dtype)

        seq, ack = column("tcp.seq_raw", np.int64), column("tcp.ack_raw", np.int64)
        flags = column("tcp.flags", np.int64)
        live = np.concatenate([~h.quoted & (h.trusted >= FLAGGED) for h in chunks])[order]
        syn, acks = (flags >> 1 & 1).astype(np.uint8), (flags >> 4 & 1).astype(np.uint8)
        stream, own, peer = np.empty((3, len(order)), np.int64)
        rows = (back, syn, acks, live.astype(np.uint8), seq, ack, stream, own, peer)
        self.tcp.number(keys, *[one.data for one in rows])
        _spread(chunks, order, {"tcp.stream": stream})
        if wanted & NUMBERS:
            known = np.flatnonzero(live | (own >= 0))
            length = column("tcp.len", np.int64) + (flags & 1) + syn
            relative, acked = _relative(seq, ack, acks, own, peer)
            _spread(chunks, order[known], {"tcp.seq": relative[known], "tcp.ack": acked[known]})
            known = known[np.concatenate([h.whole for h in chunks])[order][known]]
            _spread(chunks, order[known], {"tcp.nxtseq": (relative + length & MASK)[known]})
        if wanted & EDGES:
            bases = np.full(len(there), -1, np.int64)
            bases[order] = peer
            at = 0
            for h in chunks:
                _sack(h, bases[at : at + len(h)])
                at += len(h)


def _relative(seq: np.ndarray, ack: np.ndarray, acks: np.ndarray, own: np.ndarray, peer: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers counted from the bases of their direction; raw where a base is unknown or nothing is acknowledged."""
    return np.where(own < 0, seq, seq - own & MASK), np.where((peer < 0) | (acks == 0), ack, ack - peer & MASK)


def _paired(h: Headers, ports: tuple[str, str]) -> tuple[np.ndarray, np.ndarray]:
    """`pairs`, remembered for who counts conversations later."""
    key, back = pairs(h, ports)
    h.put("key", key)
    h.put("back", back)
    return key, back


def _spread(chunks: list[Headers], order: np.ndarray, columns: dict[str, np.ndarray]) -> None:
    """Hand columns that are in `order` back to the chunks that they came from."""
    back = np.argsort(order)
    rows = order[back]
    at = 0
    for h in chunks:
        low, high = np.searchsorted(rows, (at, at + len(h)))
        for name, values in columns.items():
            own = rows[low:high] - at
            h.put(name, values[back[low:high]], None if len(own) == len(h) else own)
        at += len(h)


def _sack(h: Headers, base: np.ndarray) -> None:
    """SACK edges relative to the base (int64, -1 unknown) of the direction that they speak of; D-SACK told by RFC 2883 §4."""
    left, rows = h.column("tcp.options.sack_le_raw")
    right, _ = h.column("tcp.options.sack_re_raw")
    assert rows is not None
    left, right = left.astype(np.int64), right.astype(np.int64)
    zero = np.where(base[rows] < 0, 0, base[rows])
    left, right, ack = left - zero & MASK, right - zero & MASK, h["tcp.ack_raw"].astype(np.int64)[rows] - zero & MASK
    first = np.ones(len(rows), bool)
    first[1:] = rows[1:] != rows[:-1]
    follows = np.zeros(len(rows), bool)
    follows[:-1] = ~first[1:]
    next_left, next_right = np.append(left[1:], 0), np.append(right[1:], 0)
    twice = first & ((right <= ack) | (follows & (left >= next_left) & (right <= next_right)))
    for name, values in (("le", left), ("re", right)):
        h.put(f"tcp.options.sack_{name}", values, rows)
        h.put(f"tcp.options.sack.dsack_{name}", values[twice], rows[twice])
