"""EAP over LAN: the wrapper of 802.1X. IEEE 802.1X §11.3."""

import numpy as np

from ..fields import Field, Headers, Layout, Payload, Protocol, u8, u16

TYPE = {0: "EAP packet", 1: "start", 2: "log off", 3: "key", 4: "encapsulated ASF alert", 5: "MKA", 6: "announcement"}
HEADER = Layout(
    Field("eapol.version", u8, "Version"),
    Field("eapol.type", u8, "Type", value_names=TYPE),
    Field("eapol.len", u16, "Length", "bytes behind this header"),
)


def contents(h: Headers):
    end = h.start + HEADER.size + h["eapol.len"].astype(np.int64)
    h.set_payload_end(np.where(h.whole, end, h.wire))
    yield Payload("eapol.type", h["eapol.type"], h.start + HEADER.size, end)


PROTOCOL = Protocol("EAPOL", header=HEADER, on={"ethertype": 0x888E}, info="{eapol.type:words}", contents=contents)
