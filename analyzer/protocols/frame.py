"""The frame as the capture file has it: number, time, lengths, interface; which link's header it begins with."""

import numpy as np

from ..fields import Column, Field, Headers, Payload, Protocol, flag, gather, seconds, text, time, u8, u32, u64

DIRECTION = {0: "not said", 1: "inbound", 2: "outbound"}
RECEPTION = {0: "not said", 1: "unicast", 2: "multicast", 3: "broadcast", 4: "promiscuous"}
# What the file records of each frame; most are options of pcapng, https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html §4.3
FILE_FIELDS = (
    Field("frame.comment", text, "Comment", "pcapng only", many=True),
    Field("frame.packet_flags", u32, "Packet flags", "pcapng only: direction, reception, errors of the link", hex=8),
    Field("frame.drop_count", u64, "Dropped before", "frames that the recorder lost since the one before; pcapng only"),
    Field("frame.packet_id", u64, "Packet number", "the same in each capture of the same packet; pcapng only"),
    Field("frame.interface_queue", u32, "Queue", "of the interface; pcapng only"),
    Field("frame.verdict.hw", text, "Verdict of the hardware", "pcapng only"),
    Field("frame.verdict.ebpf_tc", u64, "Verdict of eBPF TC", "pcapng only"),
    Field("frame.verdict.ebpf_xdp", u64, "Verdict of eBPF XDP", "pcapng only"),
    Field("frame.fraction", u32, "Fraction", "that a pcap record has behind its seconds, where it is a second or more"),
    Field("frame.hash", text, "Hash", "algorithm and value; pcapng only", many=True),
)
FLAGS = (  # (field, lowest bit, bits) of the packet flags
    (Field("frame.packet_flags_direction", u8, "Direction", hex=8, value_names=DIRECTION), 0, 2),
    (Field("frame.packet_flags_reception_type", u8, "Reception", value_names=RECEPTION), 2, 3),
    (Field("frame.packet_flags_fcs_length", u8, "Check sequence length, as the flags have it", "bytes; 0: not said"), 5, 4),
    (Field("frame.packet_flags_crc_error", flag, "Check sequence was wrong"), 24, 1),
    (Field("frame.packet_flags_packet_too_error", flag, "Frame was too long"), 25, 1),
    (Field("frame.packet_flags_packet_too_short_error", flag, "Frame was too short"), 26, 1),
    (Field("frame.packet_flags_wrong_inter_frame_gap_error", flag, "Gap between frames was wrong"), 27, 1),
    (Field("frame.packet_flags_unaligned_frame_error", flag, "Frame was not whole bytes"), 28, 1),
    (Field("frame.packet_flags_start_frame_delimiter_error", flag, "Start of the frame was wrong"), 29, 1),
    (Field("frame.packet_flags_preamble_error", flag, "Preamble was wrong"), 30, 1),
    (Field("frame.packet_flags_symbol_error", flag, "A symbol was wrong"), 31, 1),
)


ETHERNET, ISL = 1, (0x01000C00, 0x0C000C00)  # ISL destinations: these four bytes, then a zero


def contents(h: Headers):
    link = h["frame.link_type"]
    first = gather(h.buffer, h.start, 4).view(">u4").reshape(-1)
    isl = np.flatnonzero((first == ISL[0]) | (first == ISL[1]))
    if not len(isl):
        yield Payload("linktype", link, h.start, h.wire)
        return
    isl = isl[(link[isl] == ETHERNET) & (gather(h.buffer, h.start[isl] + 4, 1)[:, 0] == 0) & (h.end[isl] - h.start[isl] > 4)]
    yield Payload("linktype", link, h.start, h.wire, np.setdiff1d(np.arange(len(h)), isl))
    yield Payload("link", 1, h.start, h.wire, isl)


def _flags(h: Headers) -> dict[str, Column]:
    word, rows = h.column("frame.packet_flags")
    return {f.name: Column((word >> low & ((1 << bits) - 1)).astype(f.kind.dtype), rows) for f, low, bits in FLAGS}


PROTOCOL = Protocol(
    "frame",
    "Frame",
    __doc__,
    contents=contents,
    derived=((tuple(f for f, _, _ in FLAGS), _flags),),
    external_fields=(
        Field("frame.number", u64, "Number", "counts from 1"),
        Field("frame.time", time, "Time", "when the frame was recorded, UTC"),
        Field("frame.time_epoch", time, "Time since 1970", "seconds"),
        Field("frame.time_delta", seconds, "Time since the frame before", "that has a time"),
        Field("frame.time_relative", seconds, "Time since the first frame", "that has a time"),
        Field("frame.len", u32, "Length", "bytes on the wire"),
        Field("frame.cap_len", u32, "Captured length", "bytes in the file; fewer than the length where the snap length cut"),
        Field("frame.protocols", text, "Protocols", "every header in the frame, outermost first"),
        Field("frame.section_number", u32, "Section", "from 1; pcapng only"),
        Field("frame.interface_id", u32, "Interface", "pcapng only"),
        Field("frame.interface_name", text, "Interface name", "pcapng only"),
        Field("frame.interface_description", text, "Interface description", "pcapng only"),
        *FILE_FIELDS,
        Field("frame.file_number", u32, "File", "which of the captures it comes from, from 1"),
        Field("frame.link_type", u32, "Link type", "LINKTYPE_ number, https://www.tcpdump.org/linktypes.html"),
        Field("frame.fcs_len", u32, "Check sequence length", "bytes, where the file says it"),
    ),
)
