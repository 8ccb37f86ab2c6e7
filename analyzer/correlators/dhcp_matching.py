"""DHCP requests that are repeated, and answers of a second server. RFC 2131 §3.1, RFC 9915 §18.

Whoever relates messages (this correlator, the tables dhcp_transactions and bindings) reads them as `Lease`s, of both versions.
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
    """A message of DHCP, not one that an ICMP error quotes. chunk, row: whose header. frame: its number; time: ns, None if it has none.

    kind: the message's number, 0 of BOOTP. answers: a server sent it. networks: numbers of the VLANs, outermost first. client: its
    hardware address (v4) or DUID (v6). xid: the transaction. source, destination: addresses as text. address: what is given (v6: the
    first), requested, own: what the client asks for, what it has; texts or None. all: everything that is given. lease: seconds.
    server: its identifier, as text. hops: how often it was relayed; relay: by whom. status: number, and message: its text.
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
        """What a question and its answers have in common."""
        return self.version, self.client, self.xid


def leases(version: str, chunks: list[Headers], batch: Batch) -> list[Lease]:
    """The messages of one version in a batch, in the order of their frames."""
    read = _four if version == "dhcp" else _six
    found = [one for nth, h in enumerate(chunks) for one in read(nth, h, batch)]
    found.sort(key=lambda one: (one.at, one.row))
    return found


class _Values:
    """Fields of one group of headers, row by row."""

    def __init__(self, h: Headers) -> None:
        self.h = h

    def all(self, name: str, f: Field | None = None) -> dict[int, list[Any]]:
        """All values of a field by row; with f as it is printed."""
        values, rows = self.h.column(name)
        printed = values.tolist() if f is None else texts(f, values, self.h.buffer).tolist()
        found: dict[int, list[Any]] = {}
        for row, value in zip((np.arange(len(self.h)) if rows is None else rows).tolist(), printed, strict=True):
            found.setdefault(row, []).append(value)
        return found

    def first(self, name: str, f: Field | None = None) -> dict[int, Any]:
        """The first of them."""
        return {row: values[0] for row, values in self.all(name, f).items()}

    def bytes(self, name: str) -> dict[int, bytes]:
        """The first bytes of a field that points to some."""
        return {row: self.h.buffer[a:b].tobytes() for row, (a, b) in self.first(name).items()}


FOUR, SIX = Field("", ipv4, ""), Field("", ipv6, "")
NOWHERE = "0.0.0.0"


def _ends(h: Headers) -> list[list[str]]:
    """Source and destination of each header, as text."""
    net = h.network_layer()
    if net is None or net[0].protocol.addresses is None:
        return [[""] * len(h)] * 2
    at, rows = net
    f = FOUR if at.protocol.name == "ip" else SIX
    return [texts(f, at[name][rows]).tolist() for name in at.protocol.addresses or ()]


def networks(h: Headers) -> list[tuple[int, ...]]:
    """For each header the numbers that tell its network apart, outermost first."""
    found = []
    at: Headers | None = h
    rows = np.arange(len(h))
    while at is not None:
        if at.protocol.network_id:
            found.append(at[at.protocol.network_id][rows].tolist())
        rows, at = (at.row[rows], at.parent) if at.parent is not None else (rows, None)
    return list(zip(*reversed(found), strict=True)) if found else [()] * len(h)


def _each(nth: int, h: Headers, batch: Batch, version: str) -> Iterator[tuple[int, dict]]:
    """(row, what messages of both versions have) of each header that counts."""
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
        own, your, relay = (None if words[name][row] == NOWHERE else words[name][row] for name in ("client", "your", "relay"))
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
    """RFC 9915 §8, §9: of a relayed message the innermost counts."""
    v = _Values(h)
    kinds, xids, peers = v.all("dhcpv6.msgtype"), v.first("dhcpv6.xid"), v.all("dhcpv6.linkaddr", SIX)
    given, prefixes, sizes = v.all("dhcpv6.iaaddr.ip", SIX), v.all("dhcpv6.iaprefix.pref_addr", SIX), v.all("dhcpv6.iaprefix.pref_len")
    lives, delegated = v.all("dhcpv6.iaaddr.valid_lifetime"), v.all("dhcpv6.iaprefix.valid_lifetime")
    client, server = v.bytes(dhcpv6.DUID_FIELDS[dhcpv6.CLIENT]), v.bytes(dhcpv6.DUID_FIELDS[dhcpv6.SERVER])
    status, messages, names = v.all("dhcpv6.status_code"), v.all("dhcpv6.status_msg"), v.first("dhcpv6.client_domain")
    for row, common in _each(nth, h, batch, "dhcpv6"):
        if row not in xids:  # a relay agent's message without a message
            continue
        kind = kinds[row][-1]
        addresses = (*given.get(row, ()), *(f"{one}/{size}" for one, size in zip(prefixes.get(row, ()), sizes.get(row, ()))))
        answers = kind in FROM_SERVER["dhcpv6"]
        lifetimes = [*lives.get(row, ()), *delegated.get(row, ())]
        failed = [one for one in status.get(row, ()) if one]
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
    """Which requests were repeated without an answer, and which servers answer in one network."""

    reads = VERSIONS
    gives = JUDGED

    def __init__(self, wanted: AbstractSet[str]) -> None:
        super().__init__(wanted)
        self._open: Remembered[tuple[int, int]] = Remembered(MOST)  # request → its kind, and how often it was relayed
        self._servers: Remembered[str] = Remembered(MOST)  # version and network → the server that answered there first

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
    """What an answer binds: an address (uint32 as int, or 16 bytes) to a MAC. row: of the frame in the batch."""

    row: int
    version: str
    address: int | bytes
    mac: int


def bound(found: Iterable[Lease]) -> Iterator[Bound]:
    """Addresses that servers gave to clients with a MAC: DHCP's bindings, in the order of the messages."""
    import ipaddress

    for one in found:
        mac = _mac(one)
        if one.kind != GIVES[one.version][1] or not one.answers or mac is None or one.status:
            continue
        for text in (*one.all, *((one.own,) if one.version == "dhcp" and one.own and not one.all else ())):
            if "/" not in text:
                address = ipaddress.ip_address(text)
                yield Bound(one.at, one.version, int(address) if address.version == 4 else address.packed, mac)


def _mac(one: Lease) -> int | None:
    """The client's MAC: its hardware address, or what its DUID was made of (RFC 9915 §11.2, §11.4), over Ethernet."""
    known = one.client
    if one.version == "dhcpv6":
        head, known = known[:4], known[8:] if known[:2] == b"\0\1" else known[4:]
        if head not in (b"\0\1\0\1", b"\0\3\0\1"):
            return None
    value = int.from_bytes(known, "big")
    return value if len(known) == 6 and value and not value & GROUP else None
