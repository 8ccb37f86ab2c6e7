"""Echo: the server sends back what it receives. RFC 862."""

import numpy as np

from ..fields import Column, Field, Headers, Protocol, flag, raw

PORT = 7


def _derived(h: Headers) -> dict[str, Column]:
    request = h.parent[f"{h.parent.protocol.name}.dstport"][h.row] == PORT if h.parent is not None else np.ones(len(h), bool)
    rows = np.flatnonzero(h.end > h.start)
    return {
        "echo.data": Column(np.column_stack((h.start, np.minimum(h.wire, h.end)))[rows], rows),
        "echo.request": Column(request),
        "echo.response": Column(~request),
    }


FIELDS = (
    Field("echo.data", raw, "Data"),
    Field("echo.request", flag, "Request", "sent to port 7"),
    Field("echo.response", flag, "Response"),
)
PROTOCOL = Protocol(
    "Echo",
    on={"udp.port": 7, "tcp.port": 7},
    info="[?echo.request:request{echo.request:mark}][?echo.response:response{echo.response:mark}]",
    derived=((FIELDS, _derived),),
)
