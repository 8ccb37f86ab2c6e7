"""Daytime: the server answers anything with date and time as text. RFC 867."""

import numpy as np

from ..fields import Column, Field, Headers, Protocol, flag, text
from .common.parts import Parts

PORT = 13


def _derived(h: Headers) -> dict[str, Column]:
    parts = Parts(h, FIELDS)
    from_server = h.parent[f"{h.parent.protocol.name}.srcport"][h.row] == PORT if h.parent is not None else np.zeros(len(h), bool)
    rows = np.flatnonzero(from_server)
    parts.text("daytime.string", rows, h.start[rows], np.minimum(h.wire, h.end)[rows])
    return dict(parts.columns()) | {"daytime.response_request": Column(from_server)}


FIELDS = (Field("daytime.string", text, "Date and time"), Field("daytime.response_request", flag, "Answer", "sent from port 13"))


PROTOCOL = Protocol(
    "daytime", "Daytime", __doc__, on={"udp.port": 13, "tcp.port": 13}, info="{daytime.string}", derived=((FIELDS, _derived),)
)
