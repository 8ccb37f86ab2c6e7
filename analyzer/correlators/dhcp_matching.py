"""Repeated DHCP requests, and answers of a second server. RFC 2131 §3.1, RFC 9915 §18.

This correlator and the tables dhcp_transactions and bindings read messages of both versions as `Lease`s.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..fields import Field, ipv4, ipv6, texts
from ..protocols import dhcp, dhcpv6
from . import MOST, Correlator, Remembered, forgot

if TYPE_CHECKING:
    from ..capture import Batch
    from ..fields import Headers

VERSIONS = ("dhcp", "dhcpv6")
REPEATED = {"dhcp": "dhcp.judged.repeated", "dhcpv6": "dhcpv6.judged.repeated"}
RIVAL = {"dhcp": "dhcp.judged.rival", "dhcpv6": "dhcpv6.judged.rival"}
JUDGED = frozenset((*REPEATED.values(), *RIVAL.values()))
GROUP = 1 << 40
ASKS = {
    "dhcp": (0, dhcp.DISCOVER, dhcp.REQUEST, dhcp.INFORM),
    "dhcpv6": (dhcpv6.SOLICIT, dhcpv6.REQUEST, dhcpv6.CONFIRM, dhcpv6.RENEW, dhcpv6.REBIND, dhcpv6.INFORM),
}
GIVES = {"dhcp": (dhcp.OFFER, dhcp.ACK), "dhcpv6": (dhcpv6.ADVERTISE, dhcpv6.REPLY)}
FROM_SERVER = {"dhcp": (dhcp.OFFER, dhcp.ACK, dhcp.NAK), "dhcpv6": (dhcpv6.ADVERTISE, dhcpv6.REPLY, dhcpv6.RECONFIGURE)}


class Lease(NamedTuple):
    """A message of DHCP, not quoted in an ICMP error. chunk, row: of its header. frame: its number; time: ns, None if the frame has none.

    kind: message type, 0 of BOOTP. answers: sent by a server. networks: VLAN numbers, outermost first. client: hardware address (v4)
    or DUID (v6). xid: transaction ID. source, destination: addresses as text. address: the assigned one (v6: the first); requested,
    own: requested by the client, in use by it; text or None. all: every assigned address and prefix. lease: seconds. server: its
    identifier as text. hops: number of relays; relay: address of the outermost one. status: number, and message: its text.
    """

    chunk: int
    row: int
    at: int
    frame: int
    time: int | None
    version: str
    kind: int
    answers: bool
    networks: tuple[int, ...]
    client: bytes
    xid: int
    source: str | None
    destination: str | None
    address: str | None = None
    all: tuple[str, ...] = ()
    requested: str | None = None
    own: str | None = None
    lease: int | None = None
    server: str | None = None
    hops: int = 0
    relay: str | None = None
    status: int = 0
    message: str | None = None
    hostname: str | None = None

    @property
    def key(self) -> tuple[str, bytes, int]:
        """Equal in a request and its answers."""
        return self.version, self.client, self.xid


def leases(version: str, chunks: list[Headers], batch: Batch) -> list[Lease]:
    """The messages of one version in a batch, in the order of their frames."""
    read = _four if version == "dhcp" else _six
    messages = [lease for nth, h in enumerate(chunks) for lease in read(nth, h, batch)]
    messages.sort(key=lambda lease: (lease.at, lease.row))
    return messages


class _Values:
    """Fields of one group of headers by row."""

    def __init__(self, h: Headers) -> None:
        self.h = h

    def all(self, name: str, f: Field | None = None) -> dict[int, list[Any]]:
        """All values of a field by row; as text if its field f is passed."""
        values, rows = self.h.column(name)
        printed = values.tolist() if f is None else texts(f, values, self.h.buffer).tolist()
        by_row: dict[int, list[Any]] = {}
        for row, value in zip((np.arange(len(self.h)) if rows is None else rows).tolist(), printed, strict=True):
            by_row.setdefault(row, []).append(value)
        return by_row

    def first(self, name: str, f: Field | None = None) -> dict[int, Any]:
        """The first value of each row."""
        return {row: values[0] for row, values in self.all(name, f).items()}

    def bytes(self, name: str) -> dict[int, bytes]:
        """The first value of each row, of a byte field."""
        return {row: self.h.buffer[a:b].tobytes() for row, (a, b) in self.first(name).items()}


FOUR, SIX = Field("", ipv4, ""), Field("", ipv6, "")
UNSPECIFIED = "0.0.0.0"


def _ends(h: Headers) -> list[list[str]]:
    """Source and destination of each header, as text."""
    net = h.network_layer()
    if net is None or net[0].protocol.addresses is None:
        return [[""] * len(h)] * 2
    at, rows = net
    f = FOUR if at.protocol.name == "ip" else SIX
    return [texts(f, at[name][rows]).tolist() for name in at.protocol.addresses or ()]


def networks(h: Headers) -> list[tuple[int, ...]]:
    """For each header the `network_id`s around it, outermost first."""
    identifiers = []
    at: Headers | None = h
    rows = np.arange(len(h))
    while at is not None:
        if at.protocol.network_id:
            identifiers.append(at[at.protocol.network_id][rows].tolist())
        rows, at = (at.row[rows], at.parent) if at.parent is not None else (rows, None)
    return list(zip(*reversed(identifiers), strict=True)) if identifiers else [()] * len(h)


def _each(nth: int, h: Headers, batch: Batch, version: str) -> Iterator[tuple[int, dict]]:
    """(row, arguments of `Lease` of both versions) of each whole, unquoted header."""
    source, destination = _ends(h)
    network = networks(h)
    timed = np.ones(len(h), bool) if batch.timed is None else batch.timed[h.frame]
    when = batch.time[h.frame].tolist()
    for row in np.flatnonzero(h.whole & ~h.quoted).tolist():
        at = int(h.frame[row])
        common = {"chunk": nth, "row": row, "at": at, "frame": at + batch.first, "time": when[row] if timed[row] else None}
        yield row, common | {
            "version": version, "networks": network[row], "source": source[row] or None, "destination": destination[row] or None
        }  # fmt: skip


def _four(nth: int, h: Headers, batch: Batch) -> Iterator[Lease]:
    """RFC 2131 §2."""
    v = _Values(h)
    kinds, asked, ids = (
        v.first("dhcp.option.dhcp"),
        v.first("dhcp.option.requested_ip_address", FOUR),
        v.first("dhcp.option.dhcp_server_id", FOUR),
    )
    times, names, messages = v.first("dhcp.option.ip_address_lease_time"), v.first("dhcp.option.hostname"), v.first("dhcp.option.message")
    words = {name: texts(FOUR, h[f"dhcp.ip.{name}"]).tolist() for name in ("client", "your", "relay")}
    kind, size, xid, hops = (h[name].tolist() for name in ("dhcp.type", "dhcp.hw.len", "dhcp.id", "dhcp.hops"))
    for row, common in _each(nth, h, batch, "dhcp"):
        own, your, relay = (None if words[name][row] == UNSPECIFIED else words[name][row] for name in ("client", "your", "relay"))
        begin = int(h.start[row]) + dhcp.ADDRESS_AT
        message = int(kinds.get(row, 0))
        yield Lease(
            **common,
            kind=message,
            answers=message in FROM_SERVER["dhcp"] or (not message and kind[row] == 2),
            client=h.buffer[begin : min(begin + min(size[row], 16), int(h.end[row]))].tobytes(),
            xid=xid[row],
            address=your,
            all=(your,) if your else (),
            requested=asked.get(row),
            own=own,
            lease=times.get(row),
            server=ids.get(row) or (common["source"] if kind[row] == 2 and not relay else None),
            hops=hops[row],
            relay=relay,
            status=int(message == dhcp.NAK),
            message=messages.get(row),
            hostname=names.get(row),
        )


def _six(nth: int, h: Headers, batch: Batch) -> Iterator[Lease]:
    """RFC 9915 §8, §9: of a relayed message the innermost."""
    v = _Values(h)
    kinds, xids, peers = v.all("dhcpv6.msgtype"), v.first("dhcpv6.xid"), v.all("dhcpv6.linkaddr", SIX)
    assigned, prefixes, sizes = v.all("dhcpv6.iaaddr.ip", SIX), v.all("dhcpv6.iaprefix.pref_addr", SIX), v.all("dhcpv6.iaprefix.pref_len")
    lives, delegated = v.all("dhcpv6.iaaddr.valid_lifetime"), v.all("dhcpv6.iaprefix.valid_lifetime")
    client, server = v.bytes(dhcpv6.DUID_FIELDS[dhcpv6.CLIENT]), v.bytes(dhcpv6.DUID_FIELDS[dhcpv6.SERVER])
    status, messages, names = v.all("dhcpv6.status_code"), v.all("dhcpv6.status_msg"), v.first("dhcpv6.client_domain")
    for row, common in _each(nth, h, batch, "dhcpv6"):
        if row not in xids:  # a relay message without a client's or server's one
            continue
        kind = kinds[row][-1]
        addresses = (*assigned.get(row, ()), *(f"{prefix}/{size}" for prefix, size in zip(prefixes.get(row, ()), sizes.get(row, ()))))
        answers = kind in FROM_SERVER["dhcpv6"]
        lifetimes = [*lives.get(row, ()), *delegated.get(row, ())]
        failed = [code for code in status.get(row, ()) if code]
        yield Lease(
            **common,
            kind=kind,
            answers=answers,
            client=client.get(row, b""),
            xid=xids[row],
            address=addresses[0] if answers and addresses else None,
            all=addresses if answers else (),
            requested=addresses[0] if addresses and not answers else None,
            lease=min(lifetimes) if answers and lifetimes else None,
            server=server[row].hex() if row in server else None,
            hops=len(kinds[row]) - 1,
            relay=peers[row][0] if row in peers else None,
            status=failed[0] if failed else 0,
            message=next(iter(messages.get(row, ())), None),
            hostname=names.get(row),
        )


class DhcpMatching(Correlator):
    """Finds requests repeated without an answer, and second servers in a network."""

    reads = VERSIONS
    gives = JUDGED

    def __init__(self, wanted: AbstractSet[str]) -> None:
        super().__init__(wanted)
        self._open: Remembered[tuple[int, int]] = Remembered(MOST)  # request → its kind and number of relays
        self._servers: Remembered[str] = Remembered(MOST)  # version and network → the first server that answered there

    def feed(self, headers: list[Headers], batch: Batch) -> None:
        for version in VERSIONS:
            chunks = [h for h in headers if h.protocol.name == version]
            repeated: list[list[int]] = [[] for _ in chunks]
            rivals: list[list[int]] = [[] for _ in chunks]
            for lease in leases(version, chunks, batch):
                if self._is_repeated(lease):
                    repeated[lease.chunk].append(lease.row)
                if self._is_rival(lease):
                    rivals[lease.chunk].append(lease.row)
            for name, rows in ((REPEATED[version], repeated), (RIVAL[version], rivals)):
                for h, own in zip(chunks, rows, strict=True):
                    h.put(name, np.ones(len(own), bool), np.array(sorted(own), np.int64))

    def _is_repeated(self, lease: Lease) -> bool:
        if lease.answers:
            self._open.pop(lease.key, None)
            return False
        if lease.kind not in ASKS[lease.version]:
            return False
        before = self._open.get(lease.key)
        self._open[lease.key] = (lease.kind, lease.hops)
        return before == (lease.kind, lease.hops)

    def _is_rival(self, lease: Lease) -> bool:
        if lease.kind not in GIVES[lease.version] or lease.server is None or not lease.all:
            return False
        key = (lease.version, lease.networks, lease.relay)
        before = self._servers.get(key)
        if before is None:
            self._servers[key] = lease.server
        return before is not None and before != lease.server

    def forgotten(self) -> Iterator[str]:
        count = self._open.forgotten + self._servers.forgotten
        return forgot(count, "questions and servers of DHCP", "what repeats or contradicts them is not noticed")


class Bound(NamedTuple):
    """A binding of an address (uint32 as int, or 16 bytes) to a MAC. row: of the frame in the batch."""

    row: int
    version: str
    address: int | bytes
    mac: int


def bound(messages: Iterable[Lease]) -> Iterator[Bound]:
    """The bindings of addresses to MACs that servers confirmed, in the order of the messages."""
    import ipaddress

    for lease in messages:
        mac = _mac(lease)
        if lease.kind != GIVES[lease.version][1] or not lease.answers or mac is None or lease.status:
            continue
        for text in (*lease.all, *((lease.own,) if lease.version == "dhcp" and lease.own and not lease.all else ())):
            if "/" not in text:
                address = ipaddress.ip_address(text)
                yield Bound(lease.at, lease.version, int(address) if address.version == 4 else address.packed, mac)


def _mac(lease: Lease) -> int | None:
    """The client's MAC over Ethernet: its hardware address, or that in its DUID (RFC 9915 §11.2, §11.4)."""
    client = lease.client
    if lease.version == "dhcpv6":
        head, client = client[:4], client[8:] if client[:2] == b"\0\1" else client[4:]
        if head not in (b"\0\1\0\1", b"\0\3\0\1"):
            return None
    value = int.from_bytes(client, "big")
    return value if len(client) == 6 and value and not value & GROUP else None
