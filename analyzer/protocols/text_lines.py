"""Text in a message, Wireshark's data-text-lines; as sent, transfer and content codings not decoded."""

from ..fields import Layout, Protocol

HEADER = Layout()

PROTOCOL = Protocol("Text", header=HEADER, on={"http.content": 1, "text": 1}, display_name="data-text-lines", generic=True, info="text")
