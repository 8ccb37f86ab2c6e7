"""Numbers of UDP conversations: `udp.stream`."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

import numpy as np

from .._conversations import Numbers
from ..conversations import in_order, keyed, spread
from . import Correlator

if TYPE_CHECKING:
    from ..capture import Batch
    from ..fields import Headers


class UdpStreams(Correlator):
    """Numbers conversations in the order of their first frames, from 0. Each takes about 250 bytes of memory."""

    reads = ("udp",)
    gives = frozenset(("udp.stream",))
    precedence = -1

    def __init__(self, wanted: AbstractSet[str]) -> None:
        super().__init__(wanted)
        self._numbers = Numbers()

    def feed(self, headers: list[Headers], batch: Batch) -> None:
        order = in_order(headers)
        order = order[np.concatenate([h.trusted >= 4 for h in headers])[order]]
        keys = np.concatenate([keyed(h, ("udp.srcport", "udp.dstport"))[0] for h in headers])
        numbers = np.empty(len(order), np.int64)
        self._numbers.number(keys[order].tolist(), numbers.data)
        spread(headers, order, {"udp.stream": numbers})
