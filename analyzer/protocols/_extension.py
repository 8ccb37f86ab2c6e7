"""IPv6 extension headers that begin alike: next header, length in units of 8 bytes. RFC 8200 §4."""

import numpy as np

from ..fields import Headers, Payload


def contents(h: Headers, name: str):
    """What follows the header whose fields are name.nxt and name.len_oct."""
    size = h[f"{name}.len_oct"].astype(np.int64)
    h.fault(
        h.whole & (h.start + size > h.wire) & ~h.quoted, f"{name}.len_oct", "says {needed} bytes, there are {had}", size, h.wire - h.start
    )
    yield Payload("ipproto", h[f"{name}.nxt"], h.start + size, h.wire)
