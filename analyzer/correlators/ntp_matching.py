"""Which question an NTP server's answer answers, and what both say of the server's clock. RFC 5905 §8."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..conversations import in_order, pairs
from ..protocols.ntp import ADDED, CLIENT, SERVER

if TYPE_CHECKING:
    from ..capture import Batch
    from ..fields import Headers

CLOCKS = {f.name for f in ADDED}
MOST = 100_000  # questions without an answer that are remembered


class Clocks:
    """Remembers questions until they are answered. State lives from batch to batch.

    An answer's origin time is the transmit time of its question, between the same two addresses. The offset is counted from the
    times of the frames, not from what the client says of its clock: many clients fill in random numbers (RFC 9769 §4).
    """

    def __init__(self) -> None:
        self._open: dict[tuple[bytes, int], tuple[int, int]] = {}  # key → frame and time of a question
        self.forgotten = 0

    def feed(self, chunks: list[Headers], batch: Batch) -> None:
        """Put the fields of `CLOCKS` into the headers of one batch."""
        found: list[list[tuple[int, int, int, int, int]]] = [[] for _ in chunks]
        mode = np.concatenate([np.where(h.whole & ~h.quoted, h["ntp.flags.mode"], 0) for h in chunks])
        order = in_order(chunks)
        order = order[np.isin(mode[order], (CLIENT, SERVER))]
        which = np.repeat(np.arange(len(chunks)), [len(h) for h in chunks])
        rows = np.concatenate([np.arange(len(h)) for h in chunks])
        frame = np.concatenate([h.frame for h in chunks])
        key = np.concatenate([pairs(h)[0] for h in chunks])
        told = [np.concatenate([h[f"ntp.{name}"] for h in chunks]) for name in ("org", "rec", "xmt")]
        columns = (which, rows, frame + batch.first, batch.time[frame], key, mode, *told)
        picked = (column[order].tolist() for column in columns)
        for chunk, row, number, now, ends, kind, origin, received, sent in zip(*picked, strict=True):
            if kind == CLIENT:
                self._ask((ends, sent), number, now)
            elif (ends, origin) in self._open:
                request, then = self._open.pop((ends, origin))
                offset = ((received - then) + (sent - now)) // 2
                found[chunk].append((row, request, now - then, offset, (now - then) - (sent - received)))
        for h, own in zip(chunks, found, strict=True):
            at, *values = np.array(sorted(own), np.int64).reshape(-1, 5).T
            for f, column in zip(ADDED, values, strict=True):
                h.put(f.name, np.ascontiguousarray(column), np.ascontiguousarray(at))

    def _ask(self, key: tuple[bytes, int], number: int, now: int) -> None:
        self._open.pop(key, None)
        if len(self._open) >= MOST:
            del self._open[next(iter(self._open))]
            self.forgotten += 1
        self._open[key] = number, now
