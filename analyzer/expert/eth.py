"""Ethernet addresses that cannot be. IEEE 802.3 §3.2.3."""

import numpy as np

from . import rule

GROUP = np.uint64(1 << 40)


@rule("warn", "protocol", "the source {eth.src} is a group address")
def group_source(h):
    """Only a destination may be a group. IEEE 802.3 §3.2.3 b. Damaged or crafted frames; some load balancers do it on purpose."""
    return (h["eth.src"] & GROUP) != 0
