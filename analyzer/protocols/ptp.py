"""Precision Time Protocol, version 2, straight on Ethernet. IEEE 1588-2008 §13.3."""

import numpy as np

from ..fields import Field, Headers, Layout, Payload, Protocol, bits, u8, u16, u64

TYPE = {0: "sync", 1: "delay request", 2: "peer delay request", 3: "peer delay response", 8: "follow-up", 9: "delay response",
        10: "peer delay follow-up", 11: "announce", 12: "signaling", 13: "management"}  # fmt: skip
HEADER = Layout(
    Field("ptp.v2.majorsdoid", bits(4), "Major sdoId", hex=2),
    Field("ptp.v2.messagetype", bits(4), "Message", value_names=TYPE, hex=2),
    Field("ptp.v2.minorversionptp", bits(4), "Minor version"),
    Field("ptp.v2.versionptp", bits(4), "Version"),
    Field("ptp.v2.messagelength", u16, "Length", "bytes, this header included"),
    Field("ptp.v2.domainnumber", u8, "Domain"),
    Field("ptp.v2.minorsdoid", u8, "Minor sdoId"),
    Field("ptp.v2.flags", u16, "Flags", hex=4),
    Field("ptp.v2.correction", u64, "Correction", "2^-16 ns"),
    Field("ptp.v2.messagetypespecific", bits(32), "Message type specific"),
    Field("ptp.v2.clockidentity", u64, "Clock", hex=16),
    Field("ptp.v2.sourceportid", u16, "Port"),
    Field("ptp.v2.sequenceid", u16, "Sequence number"),
    Field("ptp.v2.controlfield", u8, "Control"),
    Field("ptp.v2.logmessageperiod", u8, "Logarithm of the message interval"),
)


def contents(h: Headers):
    end = h.start + h["ptp.v2.messagelength"].astype(np.int64)
    h.set_payload_end(np.where(h.whole & (h["ptp.v2.versionptp"] == 2), end, h.wire))
    yield Payload("ptp.v2.messagetype", h["ptp.v2.messagetype"], h.start + HEADER.size, end)


PROTOCOL = Protocol(
    "PTP", header=HEADER, on={"ethertype": 0x88F7}, info="{ptp.v2.messagetype:words}, sequence {ptp.v2.sequenceid}", contents=contents
)
