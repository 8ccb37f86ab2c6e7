"""What ARP, RARP, neighbor discovery and DHCP messages claim and ask about IP and MAC addresses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..correlators.dhcp_matching import bound
from ..dissection import Dissection
from ..fields import Headers
from ..protocols.icmpv6 import NA, NS, RA, REDIRECT, RS
from ._ip_datagrams import Address, Links, links, shown, timed
from .dhcp_transactions import dhcp_messages

GROUP = 1 << 40  # bit of a MAC address
REQUEST, REPLY, REVERSE, REVERSE_REPLY, INVERSE, INVERSE_REPLY = 1, 2, 3, 4, 8, 9
SENDER_CLAIMS = {  # (operation, gratuitous) → how a sender claims its own address by it
    (REQUEST, False): "request",
    (REQUEST, True): "announcement",
    (REPLY, False): "reply",
    (REPLY, True): "gratuitous reply",
    (REVERSE, False): "reverse request",
    (REVERSE_REPLY, False): "server",
    (INVERSE, False): "inverse request",
    (INVERSE_REPLY, False): "inverse reply",
}
SOLICITS = {NS: "solicitation", RS: "router solicitation", RA: "router advertisement"}
SOURCE_OPTION, TARGET_OPTION = 1, 2


class Mac(int):
    """The MAC address of an asker that has no IP address yet."""


class NeighborMessage:
    """A message. row: in the batch; when: ns or None; link_id, sender: its `Links`, the sender's MAC is -1 if there is none.

    claims: (kind of claim, address, MAC). query: the address asked for and -1, or None and the MAC whose address RARP asks for.
    probe: whether the query asks only if the address is free (RFC 5227, RFC 4862).
    """

    __slots__ = ("asker", "claims", "frame", "kept", "link_id", "probe", "protocol", "query", "row", "sender", "when")

    def __init__(self, row: int, frame: int, when: int | None, kept: bool, link_id: int, sender: int, protocol: str) -> None:
        self.row, self.frame, self.when, self.kept, self.link_id, self.sender = row, frame, when, kept, link_id, sender
        self.protocol = protocol
        self.claims: list[tuple[str, Address, int]] = []
        self.query: tuple[Address, int] | None = None
        self.probe = False
        self.asker: Address = None


def neighbor_messages(d: Dissection) -> list[NeighborMessage]:
    """The messages of a batch in the order of their frames, whether the display filter shows them or not."""
    whole = d.unfiltered or d
    on = links(whole)
    messages = [*_arp(d, whole, on), *_nd(d, whole, on), *_dhcp(d, whole, on)]
    messages.sort(key=lambda m: m.row)
    return messages


def _arp(d: Dissection, whole: Dissection, on: Links) -> Iterator[NeighborMessage]:
    """ARP and RARP."""
    names = ("arp.src.hw_mac", "arp.src.proto_ipv4", "arp.dst.hw_mac", "arp.dst.proto_ipv4")
    for h in whole.chunks.get("arp", ()):
        there = [h.column(name).rows for name in names]
        rows = np.flatnonzero(sum(np.isin(np.arange(len(h)), one) for one in there if one is not None) == len(names))
        columns = [h[name][rows].tolist() for name in ("arp.opcode", *names)]
        for m, opcode, source_mac, source, target_mac, target in zip(_messages(d, on, h.frame[rows], "arp"), *columns, strict=True):
            gratuitous = source == target and opcode in (REQUEST, REPLY)
            kind = SENDER_CLAIMS.get((opcode, gratuitous))
            if kind is None:
                continue
            if opcode in (REVERSE, REVERSE_REPLY):
                m.protocol = "rarp"
            claims: list[tuple[str, Address, int]] = [(kind, source, source_mac)]
            if opcode == REVERSE:
                claims, m.query, m.asker = [], (None, target_mac), Mac(source_mac)
            elif opcode == REVERSE_REPLY:
                claims.append(("reverse reply", target, target_mac))
            elif opcode == REPLY and not gratuitous:
                claims.append(("target of a reply", target, target_mac))
            elif opcode == REQUEST and not gratuitous and target:
                m.query, m.probe, m.asker = (target, -1), source == 0, source or Mac(source_mac)
            m.claims = [(kind, address, mac) for kind, address, mac in claims if address and mac and not mac & GROUP]
            yield m


def _nd(d: Dissection, whole: Dissection, on: Links) -> Iterator[NeighborMessage]:
    """Neighbor discovery, RFC 4861."""
    names = ("icmpv6.nd.ns.target_address", "icmpv6.nd.na.target_address", "icmpv6.nd.rd.target_address")
    for h in whole.chunks.get("icmpv6", ()):
        kinds = h["icmpv6.type"]
        network = h.network_layer()
        rows = np.flatnonzero(np.isin(kinds, (RS, RA, NS, NA, REDIRECT)) & h.whole & ~h.quoted)
        if not len(rows) or network is None or network[0].protocol.name != "ipv6":
            continue
        sources = network[0]["ipv6.src"][network[1][rows]].tolist()
        options = _by_row(h, "icmpv6.opt.type")
        macs = _by_row(h, "icmpv6.opt.linkaddr")
        targets = {row: value for name in names for row, (value, *_) in _by_row(h, name).items()}
        solicited = h["icmpv6.nd.na.flag.s"][rows].tolist()
        columns = (rows.tolist(), kinds[rows].tolist(), sources, solicited)
        for m, row, kind, source, answers in zip(_messages(d, on, h.frame[rows], "nd"), *columns, strict=True):
            target = targets.get(row)
            if target is None and kind in (NS, NA, REDIRECT):
                continue
            types = [option for option in options.get(row, []) if option in (SOURCE_OPTION, TARGET_OPTION)]
            mac_of = dict(zip(types, macs.get(row, [])))  # an option that does not fit is the last and has no address
            unspecified = not any(source)
            if kind == NA:
                claim = ("advertisement" if answers else "unsolicited advertisement", target, mac_of.get(TARGET_OPTION, m.sender))
            elif kind == REDIRECT:
                claim = ("target of a redirect", target, mac_of.get(TARGET_OPTION, -1))
            else:
                claim = (SOLICITS[kind], source, -1 if unspecified else mac_of.get(SOURCE_OPTION, -1))
            if claim[2] > 0 and not claim[2] & GROUP:
                m.claims = [claim]
            if kind == NS:
                m.query, m.probe = (target, -1), unspecified
                m.asker = source if not unspecified else Mac(m.sender) if m.sender >= 0 else None
            if m.claims or m.query:
                yield m


def _dhcp(d: Dissection, whole: Dissection, on: Links) -> Iterator[NeighborMessage]:
    """Leases of DHCP servers. A lease sent to a relay is for another network."""
    direct = [
        one for one in dhcp_messages(whole) if not (one.hops if one.version == "dhcpv6" else one.relay and one.relay == one.destination)
    ]
    leases = list(bound(direct))
    for m, lease in zip(_messages(d, on, np.array([lease.row for lease in leases], np.int64), "dhcp"), leases, strict=True):
        m.protocol, m.claims = lease.version, [("lease", lease.address, lease.mac)]
        yield m


def _by_row(h: Headers, name: str) -> dict[int, list[Any]]:
    """The values of a field that a header may have several times, by row."""
    values, rows = h.column(name)
    lists: dict[int, list[Any]] = {}
    for row, value in zip((np.arange(len(h)) if rows is None else rows).tolist(), values.tolist(), strict=True):
        lists.setdefault(row, []).append(value)
    return lists


def _messages(d: Dissection, on: Links, frame: np.ndarray, protocol: str) -> Iterator[NeighborMessage]:
    """A message of that protocol for each of these rows of the batch."""
    columns = (frame, frame + d.batch.first, d.batch.time[frame], timed(d, frame), shown(d, frame), on.id[frame], on.source[frame])
    for row, number, when, has_time, kept, link_id, sender in zip(*(column.tolist() for column in columns), strict=True):
        yield NeighborMessage(row, number, when if has_time else None, kept, link_id, sender, protocol)
