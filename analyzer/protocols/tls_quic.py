"""Handshake messages of TLS in QUIC, which come without records: RFC 9001 §4. Only Initial packets are opened, which carry the hellos.

A row is the messages that one packet completed.
"""

from ..fields import Field, Layout, Protocol, text
from .common import tls_fingerprints, tls_handshake
from .tls import words

HEADER = Layout()


PROTOCOL = Protocol(
    "tls.quic",
    "TLS",
    __doc__,
    header=HEADER,
    on={"quic": 1},
    display_name="tls",  # Wireshark has one name for both
    info="{tls.handshake.words}[, {tls.handshake.extensions_server_name}]",
    check=tls_handshake.check,
    derived=(
        ((Field("tls.handshake.words", text, "Handshake messages in words"),), words),
        (tls_handshake.FIELDS, tls_handshake.columns),
        (tls_fingerprints.FIELDS, tls_fingerprints.columns),
    ),
)
