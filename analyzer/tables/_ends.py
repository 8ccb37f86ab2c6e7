"""The ends of conversations: addresses kept as numbers, made text at last."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from ..fields import Field, ipv4, ipv6, mac, texts


def joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Arrays one behind the other; a single one is not copied."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


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
