"""NTP responses matched to requests, and the offset of the server's clock that follows. RFC 5905 §8."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

import numpy as np

from ..conversations import in_order, pairs
from ..protocols.ntp import CLIENT, MATCHED, SERVER
from . import MOST, Correlator, Remembered, forgot

if TYPE_CHECKING:
    from ..capture import Batch
    from ..fields import Headers


class NtpMatching(Correlator):
    """Remembers requests until they are answered.

    A response's origin time is the transmit time of its request, between the same two addresses. The offset is computed from the
    times of the frames, not from the client's timestamps: many clients send random numbers (RFC 9769 §4).
    """

    reads = ("ntp",)
    gives = frozenset(f.name for f in MATCHED)

    def __init__(self, wanted: AbstractSet[str]) -> None:
        super().__init__(wanted)
        self._open: Remembered[tuple[int, int]] = Remembered(MOST)  # ends and transmit time → frame and time of a request

    def feed(self, headers: list[Headers], batch: Batch) -> None:
        answers: list[list[tuple[int, int, int, int, int]]] = [[] for _ in headers]
        mode = np.concatenate([np.where(h.whole & ~h.quoted, h["ntp.flags.mode"], 0) for h in headers])
        order = in_order(headers)
        order = order[np.isin(mode[order], (CLIENT, SERVER))]
        group = np.repeat(np.arange(len(headers)), [len(h) for h in headers])
        rows = np.concatenate([np.arange(len(h)) for h in headers])
        frame = np.concatenate([h.frame for h in headers])
        key = np.concatenate([pairs(h)[0] for h in headers])
        times = [np.concatenate([h[f"ntp.{name}"] for h in headers]) for name in ("org", "rec", "xmt")]
        columns = (group, rows, frame + batch.first, batch.time[frame], key, mode, *times)
        picked = (column[order].tolist() for column in columns)
        for at, row, number, now, ends, kind, origin, received, sent in zip(*picked, strict=True):
            if kind == CLIENT:
                self._open.pop((ends, sent), None)
                self._open[ends, sent] = number, now
            elif (request := self._open.pop((ends, origin), None)) is not None:
                asked_in, then = request
                offset = ((received - then) + (sent - now)) // 2
                answers[at].append((row, asked_in, now - then, offset, (now - then) - (sent - received)))
        for h, responses in zip(headers, answers, strict=True):
            at, *values = np.array(sorted(responses), np.int64).reshape(-1, 5).T.copy()
            for f, column in zip(MATCHED, values, strict=True):
                h.put(f.name, column, at)

    def forgotten(self) -> Iterator[str]:
        return forgot(self._open.forgotten, "questions of NTP", "a later answer belongs to none")
