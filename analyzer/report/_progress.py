"""How far a long piece of work is: rate and time left, on standard error, only on a terminal and only after a second."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def shown() -> Iterator[Callable[[int, int, int | None], None] | None]:
    """Gives a function to call with (frames so far, bytes so far, bytes in all if known); None where nobody watches."""
    if not sys.stderr.isatty():
        yield None
        return
    began, last, wide = time.monotonic(), 0.0, 0

    def tell(frames: int, done: int, total: int | None) -> None:
        nonlocal last, wide
        now = time.monotonic() - began
        if now < 1 or now - last < 0.2:
            return
        last = now
        printed = f"{frames:,} frames, {done / now / 1e6:,.0f} MB/s"
        if total and total > done:
            printed += f", {100 * done / total:.0f} %, {(total - done) / done * now:.0f} s left"
        sys.stderr.write("\r" + printed.ljust(wide))
        sys.stderr.flush()
        wide = len(printed)

    try:
        yield tell
    finally:
        if wide:
            sys.stderr.write("\r" + " " * wide + "\r")
            sys.stderr.flush()
