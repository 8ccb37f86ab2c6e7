"""Text that a message carries: what Wireshark calls data-text-lines. As it was sent, codings of transfer and content not undone."""

from ..fields import Layout, Protocol

HEADER = Layout()


PROTOCOL = Protocol(
    "text.lines",
    "Text",
    __doc__,
    header=HEADER,
    on={"http.content": 1, "text": 1},
    display_name="data-text-lines",
    generic=True,
    info="text",
)
