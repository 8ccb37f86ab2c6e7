"""Text that a message carries: what Wireshark calls data-text-lines. As it was sent, codings of transfer and content not undone."""

from ..fields import Layout

LABEL = "Text"
SHOWN = "data-text-lines"
HEADER = Layout()
ON = {"http.content": 1, "text": 1}
INFO = "text"
