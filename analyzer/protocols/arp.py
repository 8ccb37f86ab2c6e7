"""Address Resolution Protocol (RFC 826), its reverse (RFC 903), probes and announcements (RFC 5227)."""

import numpy as np

from ..fields import CUT, Column, Field, Headers, Layout, Protocol, Reading, flag, ipv4, mac, signed, u8, u16, u64
from .common.registries import ETHERTYPE

OPCODE = {1: "request", 2: "reply", 3: "reverse request", 4: "reverse reply", 8: "inverse request", 9: "inverse reply", 10: "NAK"}
HARDWARE = {
    1: "Ethernet",
    6: "IEEE 802",
    7: "ARCNET",
    15: "Frame Relay",
    16: "ATM",
    18: "Fibre Channel",
    19: "ATM",
    24: "IEEE 1394",
    32: "InfiniBand",
}
HEADER = Layout(
    Field("arp.hw.type", u16, "Hardware type", value_names=HARDWARE),
    Field("arp.proto.type", u16, "Protocol type", "an Ethernet type", hex=4, value_names=ETHERTYPE),
    Field("arp.hw.size", u8, "Hardware size", "bytes of a hardware address"),
    Field("arp.proto.size", u8, "Protocol size", "bytes of a protocol address"),
    Field("arp.opcode", u16, "Operation", value_names=OPCODE),
)
HARDWARE_ADDRESS, PROTOCOL_ADDRESS = Layout(Field("mac", mac, "")), Layout(Field("ipv4", ipv4, ""))


def _ends(h: Headers) -> list[np.ndarray]:
    """Start of each of the four addresses, and the end of the last."""
    hardware, protocol = h["arp.hw.size"].astype(np.int64), h["arp.proto.size"].astype(np.int64)
    ends = [h.start + HEADER.size]
    for size in (hardware, protocol, hardware, protocol):
        ends.append(ends[-1] + size)
    return ends


def check(h: Headers) -> None:
    end = _ends(h)[-1]
    h.set_payload_end(np.where(h.whole, end, h.wire))
    sentence = "the addresses need {needed} bytes, the frame has {had}"
    h.fault(h.whole & (end > h.wire), "arp.hw.size", sentence, end - h.start, h.wire - h.start, h.start + 4)
    h.fault(h.whole & (end <= h.wire) & (end > h.end), "", CUT, end - h.start, h.end - h.start, h.start)


def _addresses(h: Headers) -> dict[str, Column]:
    places = _ends(h)
    complete = h.whole & (places[-1] <= h.end)
    ethernet = np.isin(h["arp.hw.type"], (1, 6)) & (h["arp.hw.size"] == 6) & complete
    internet = (h["arp.proto.type"] == 0x0800) & (h["arp.proto.size"] == 4) & complete
    columns = {}
    for name, mask, place, layout in (
        ("arp.src.hw_mac", ethernet, places[0], HARDWARE_ADDRESS),
        ("arp.src.proto_ipv4", internet, places[1], PROTOCOL_ADDRESS),
        ("arp.dst.hw_mac", ethernet, places[2], HARDWARE_ADDRESS),
        ("arp.dst.proto_ipv4", internet, places[3], PROTOCOL_ADDRESS),
    ):
        rows = np.flatnonzero(mask)
        columns[name] = Reading(layout, h.buffer, place[rows], h.end[rows], rows).column(layout.fields[0].name)
    no_target = np.flatnonzero(complete & (h["arp.hw.size"] == 6))
    target = Reading(HARDWARE_ADDRESS, h.buffer, places[2][no_target], h.end[no_target])["mac"]
    no_target = no_target[target == 0]
    for name in ("arp.src.proto_ipv4", "arp.dst.proto_ipv4"):
        h.put(name, *columns[name])
    source, target = h["arp.src.proto_ipv4"], h["arp.dst.proto_ipv4"]
    request, reply = h["arp.opcode"] == 1, h["arp.opcode"] == 2
    target_unknown = np.zeros(len(h), bool)
    target_unknown[no_target] = True
    for name, mask in (
        ("arp.isgratuitous", internet & (source == target) & (request | reply)),
        ("arp.isannouncement", internet & (source == target) & request & target_unknown),
        ("arp.isprobe", internet & (source == 0) & (target != 0) & request & target_unknown),
    ):
        columns[name] = Column(mask[mask], np.flatnonzero(mask))
    return columns


FIELDS = (
    Field("arp.src.hw_mac", mac, "Sender's MAC"),
    Field("arp.src.proto_ipv4", ipv4, "Sender's IP"),
    Field("arp.dst.hw_mac", mac, "Target's MAC", "zero in a request: it is what is asked for"),
    Field("arp.dst.proto_ipv4", ipv4, "Target's IP"),
    Field("arp.isgratuitous", flag, "Gratuitous", "sender's and target's IP are the same"),
    Field("arp.isannouncement", flag, "Announcement", "RFC 5227 §1.1: this address is mine now"),
    Field("arp.isprobe", flag, "Probe", "RFC 5227 §1.1: does anyone use this address?"),
)
PROTOCOL = Protocol(
    "ARP",
    header=HEADER,
    on={"ethertype": (0x0806, 0x8035), "gre.proto": 0x0806},
    info="{arp.opcode:words}[ for {arp.dst.proto_ipv4}][ from {arp.src.proto_ipv4}][ at {arp.src.hw_mac}]",
    check=check,
    derived=((FIELDS, _addresses),),
    external_fields=(  # from `correlators.arp_conflicts`; two values if both IP addresses are duplicates, the sender's first
        Field(
            "arp.duplicate-address-detected", flag, "Duplicate address", "an earlier frame had another MAC for this IP address", many=True
        ),
        Field("arp.duplicate-address-frame", u64, "Frame of the other use", "the latest that had the first MAC", many=True),
        Field("arp.seconds-since-duplicate-address-frame", signed, "Seconds since that frame", many=True),
    ),
)
