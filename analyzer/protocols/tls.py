"""Transport Layer Security: records. RFC 8446 §5.1, RFC 5246 §6.2, https://www.rfc-editor.org/rfc/rfc8446#section-5.1"""

import numpy as np

from ..fields import Field, Layout, u8, u16
from ._cutters import Prefixed

LABEL = "TLS"
TYPE = {20: "change cipher spec", 21: "alert", 22: "handshake", 23: "application data", 24: "heartbeat"}
VERSION = {0x0300: "SSL 3.0", 0x0301: "TLS 1.0", 0x0302: "TLS 1.1", 0x0303: "TLS 1.2", 0x0304: "TLS 1.3"}
HEADER = Layout(
    Field("tls.record.content_type", u8, "Content", words=TYPE),
    Field("tls.record.version", u16, "Version", "TLS 1.3 says 1.2 here", hex=4, words=VERSION),
    Field("tls.record.length", u16, "Length", "bytes behind this header"),
)
ON = {"tcp.port": 443}
INFO = "{tls.record.content_type:words}, {tls.record.length} bytes"
LARGEST = 16_384 + 2048  # bytes of a record behind its header, RFC 5246 §6.2.3


class Records(Prefixed):
    """Records, one behind the other."""

    def begins(self, first: np.ndarray, size: np.ndarray) -> np.ndarray:
        """A content type, version 3.x, a length that a record may have."""
        known = (first[:, 0] >= min(TYPE)) & (first[:, 0] <= max(TYPE))
        return known & ((size < 2) | (first[:, 1] == 3)) & super().begins(first, size)


def STREAM() -> Records:
    return Records(header=5, at=3, width=2, plus=5, most=5 + LARGEST)
