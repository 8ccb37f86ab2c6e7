"""WebSocket frames that deserve a look. RFC 6455."""

import numpy as np

from . import rule

FINE = (1000, 1001, 1005, 1012)


@rule("note", "response", "closes: {websocket.payload.close.status_code:words}[ {websocket.payload.close.reason}]")
def closed_with_an_error(h):
    """One end closes and says why (RFC 6455 §7.4): something it got breaks the protocol or its rules, is too big, or it failed itself. Not
    this: a normal end, a page that is left, a restart."""
    values, rows = h.column("websocket.payload.close.status_code")
    found = np.zeros(len(h), bool)
    found[slice(None) if rows is None else rows] = ~np.isin(values, FINE)
    return found


@rule("warn", "protocol", "has reserved bits set that nothing known defines")
def reserved_bits(h):
    """RSV2 or RSV3 (RFC 6455 §5.2): an extension that was agreed on in the handshake, or bytes that are no frame."""
    return (h["websocket.rsv"] & 3) > 0
