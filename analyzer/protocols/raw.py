"""IP without a link header: the first four bits say which version. LINKTYPE_RAW, and the numbers that BSDs gave it."""

from ..fields import Field, Headers, Layout, Payload, Protocol, Reading, bits

HEADER = Layout()
FIRST = Layout(Field("version", bits(4), ""), Field("", bits(4), ""))


def contents(h: Headers):
    yield Payload("ipversion", Reading(FIRST, h.buffer, h.start, h.end)["version"], h.start, h.wire)


PROTOCOL = Protocol("Raw IP", header=HEADER, on={"linktype": (12, 14, 101)}, contents=contents)
