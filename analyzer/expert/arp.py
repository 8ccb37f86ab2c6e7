"""ARP messages that are suspicious by themselves, and two MACs for one address. RFC 826, RFC 5227. The table `bindings` judges whole
exchanges: who forges, who is missing."""

import numpy as np

from . import rule

GROUP = np.uint64(1 << 40)


@rule(
    "warn",
    "sequence",
    "{arp.src.hw_mac} says that it has {arp.src.proto_ipv4}: for it, or for the target, an earlier frame has another MAC",
)
def duplicate_address(h):
    """An earlier frame, `arp.duplicate-address-frame`, had another MAC for the sender's or the target's IP address: two hosts with
    one address, a forged message, or a machine that was replaced. As Wireshark's."""
    return h["arp.duplicate-address-detected"]


@rule("warn", "protocol", "a group address, {arp.src.hw_mac}, as the sender's MAC of {arp.src.proto_ipv4}")
def group_sender(h):
    """No host has a group address (IEEE 802.3 §3.2.3): what is sent to that IP address reaches every host of the group. Some load
    balancers do it on purpose (RFC 1812 §3.3.2 forbids routers to believe it)."""
    return (h["arp.src.hw_mac"] & GROUP) != 0


@rule("note", "protocol", "sent by another than {arp.src.hw_mac}, which it names as the sender")
def another_sender(h):
    """The frame's source is not the sender that the message names. Proxies and wireless bridges do so, and who forges ARP."""
    link = h.parent
    while link is not None and link.protocol.name in ("vlan", "ieee8021ad"):
        link = link.parent
    if link is None or link.protocol.name != "eth":
        return np.zeros(len(h), bool)
    values, rows = h.column("arp.src.hw_mac")
    there = np.zeros(len(h), bool)
    there[slice(None) if rows is None else rows] = values != 0
    sources = np.zeros(len(h.frames), np.uint64)
    sources[link.frame] = link["eth.src"]
    return there & (sources[h.frame] != h["arp.src.hw_mac"])
