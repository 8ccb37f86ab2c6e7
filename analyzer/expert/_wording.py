"""Wording: endpoints, durations, counts and frames as text."""

from __future__ import annotations

import numpy as np

from ..tcp.states import STATES


def endpoint(address: str, port: int | None) -> str:
    """'10.0.0.1:80', '[::1]:80'; the address alone where there is no port."""
    if port is None:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def duration(ns: int | np.integer) -> str:
    """A time with three significant digits: '27 µs', '1.02 s'."""
    if -999_500 < ns < 999_500:
        return f"{ns / 1e3:.3g} µs"
    value, unit = (ns / 1e6, "ms") if -999_500_000 < ns < 999_500_000 else (ns / 1e9, "s")
    digits = 0 if abs(value) >= 99.95 else 1 if abs(value) >= 9.995 else 2
    return f"{value:.{digits}f} {unit}"


def count(n: int | np.integer, what: str = "") -> str:
    """A number with what it counts: '1 byte', '2,048 bytes'."""
    if not what:
        return f"{n:,}"
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


def frames(first: int | np.integer, last: int | np.integer) -> str:
    """'frame 3', 'frames 3 and 4', 'frames 3 to 9'."""
    if first == last:
        return f"frame {first}"
    return f"frames {first} {'and' if last == first + 1 else 'to'} {last}"


def retry_gaps(n: int, first: int, last: int) -> str:
    """How n tries lay apart: 'waits 1.01 s to 16.1 s'; '; each twice as long as the one before' where they doubled."""
    if n < 2:
        return f"after {duration(first)}"
    text = f"waits of {duration(first)} to {duration(last)}"
    ratio = (max(last, 1) / max(first, 1)) ** (1 / max(n - 1, 1))  # a clock may have gone back
    if 1.7 < ratio < 2.4:
        return f"{text}, doubling"
    return f"{text}, evenly" if 0.87 < ratio < 1.15 else text


def state(packed: int | np.integer, end: int) -> str:
    """The state of an end (0: client) before a segment, from the tracker's `states`."""
    return STATES[int(packed) >> 4 * end & 15]
