"""The frame as the capture file has it: number, time, lengths, interface. No bytes of the wire."""

from ..fields import Field, Headers, Payload, seconds, text, time, u32, u64

LABEL = "Frame"
ADDED = (
    Field("frame.number", u64, "Number", "counts from 1"),
    Field("frame.time", time, "Time", "when the frame was recorded, UTC"),
    Field("frame.time_epoch", time, "Time since 1970", "seconds"),
    Field("frame.time_delta", seconds, "Time since the frame before", "that has a time"),
    Field("frame.time_relative", seconds, "Time since the first frame", "that has a time"),
    Field("frame.len", u32, "Length", "bytes on the wire"),
    Field("frame.cap_len", u32, "Captured length", "bytes in the file; fewer than the length where the snap length cut"),
    Field("frame.protocols", text, "Protocols", "every header in the frame, outermost first"),
    Field("frame.interface_id", u32, "Interface", "pcapng only"),
    Field("frame.interface_name", text, "Interface name", "pcapng only"),
    Field("frame.comment", text, "Comment", "pcapng only", many=True),
    Field("frame.file_number", u32, "File", "which of the captures it comes from, from 1"),
    Field("frame.link_type", u32, "Link type", "LINKTYPE_ number, https://www.tcpdump.org/linktypes.html"),
    Field("frame.fcs_len", u32, "Check sequence length", "bytes, where the file says it"),
)


def contents(h: Headers):
    yield Payload("linktype", h["frame.link_type"], h.start, h.wire)
