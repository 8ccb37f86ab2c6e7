"""The ends of conversations: addresses kept as numbers, made text at last; the states that TCP's ends are in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from ..conversations import KEY
from ..dissection import Dissection
from ..fields import Field, ipv4, ipv6, mac, texts
from ..tcp.states import STATES
from ..tcp.tracker import Segments

WHO = pl.Series(["client", "server"])


def joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Arrays one behind the other; a single one is not copied."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


End = tuple[pl.Series, pl.Series]


def pair(keys: bytes, swap: np.ndarray, rows: np.ndarray | None = None) -> tuple[End, End]:
    """(address, port) of both ends, from keys of `streams.pairs` one behind the other, all or those at `rows`: the smaller end
    first, the greater where `swap` (bool) says so."""
    key = np.frombuffer(keys, np.uint64).reshape(-1, KEY // 8)
    key = key if rows is None else key[rows]
    words, six = key[:, :4].copy(), key[:, 4] >> np.uint64(32) > 0
    words[swap] = words[swap][:, [2, 3, 0, 1]]
    low, high = (pl.Series(key[:, 4] >> np.uint64(shift) & np.uint64(0xFFFF)).cast(pl.UInt16) for shift in (0, 16))
    swapped = pl.Series(swap)
    first, second = (addresses("tcp", words[:, at : at + 2], six) for at in (0, 2))
    return (first, low.zip_with(swapped, high)), (second, high.zip_with(swapped, low))


def addresses(layer: str, words: np.ndarray, six: np.ndarray) -> pl.Series:
    """Addresses kept as two uint64 → text, each different one made once."""
    low = words[:, 1]
    if layer == "eth":
        return _unique(Field("", mac, ""), low)
    out = _unique(Field("", ipv4, ""), low.astype(np.uint32))
    if six.any():
        whole = np.ascontiguousarray(words[six].astype(">u8")).view("V16").reshape(-1)
        used = list(dict.fromkeys(whole.tolist()))
        named = dict(zip(used, texts(Field("", ipv6, ""), np.array(used, "V16")).tolist()))
        out = out.scatter(np.flatnonzero(six), pl.Series([named[one] for one in whole.tolist()], dtype=pl.String))
    return out


def _unique(f: Field, values: np.ndarray) -> pl.Series:
    used, inverse = np.unique(values, return_inverse=True)
    return pl.Series(texts(f, used).tolist(), dtype=pl.String).gather(inverse)


def tracked(d: Dissection) -> tuple[Segments | None, np.ndarray]:
    """The segments of a batch, and which of them count: not quoted in an ICMP error, kept by the filter (int64, in order)."""
    s = d.segments
    if s is None:
        return None, np.empty(0, np.int64)
    live = s["live"] != 0
    return s, np.flatnonzero(live if d.kept is None else live & d.kept[s.frame])


def state(packed: np.ndarray, shift: int) -> pl.Series:
    """Names of states from the tracker's `states`; shift: where the four bits are."""
    return pl.Series(STATES).gather(packed >> shift & 15)


def assumed(s: Segments, rows: np.ndarray, end: int) -> np.ndarray:
    """Whether the state of an end (0: client, 1: server) is a guess: no SYN was seen, or this end has sent nothing yet; bool."""
    return s.marked("guessed")[rows] | (s["states"][rows] >> 16 + end & 1).astype(bool)
