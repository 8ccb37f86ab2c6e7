"""What DHCP's messages say to each other: a question asked again, an answer of a second server. RFC 2131 §3.1, RFC 9915 §18.

Whoever relates messages (the table of transactions, bindings) reads them here as `Lease`s, of both versions alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..fields import Field, ipv4, ipv6, texts
from ..protocols import dhcp, dhcpv6

if TYPE_CHECKING:
    from ..capture import Batch
    from ..fields import Headers

VERSIONS = ("dhcp", "dhcpv6")
REPEATED = {"dhcp": "dhcp.judged.repeated", "dhcpv6": "dhcpv6.judged.repeated"}
RIVAL = {"dhcp": "dhcp.judged.rival", "dhcpv6": "dhcpv6.judged.rival"}
JUDGED = {*REPEATED.values(), *RIVAL.values()}
MOST = 100_000  # questions, networks with their servers, that are remembered
GROUP = 1 << 40
ASKS = {
    "dhcp": (0, dhcp.DISCOVER, dhcp.REQUEST, dhcp.INFORM),
    "dhcpv6": (dhcpv6.SOLICIT, dhcpv6.REQUEST, dhcpv6.CONFIRM, dhcpv6.RENEW, dhcpv6.REBIND, dhcpv6.INFORM),
}
GIVES = {"dhcp": (dhcp.OFFER, dhcp.ACK), "dhcpv6": (dhcpv6.ADVERTISE, dhcpv6.REPLY)}
FROM_SERVER = {"dhcp": (dhcp.OFFER, dhcp.ACK, dhcp.NAK), "dhcpv6": (dhcpv6.ADVERTISE, dhcpv6.REPLY, dhcpv6.RECONFIGURE)}


class Lease(NamedTuple):
    """A message of DHCP, not one that an ICMP error quotes. chunk, row: whose header. frame: its number; time: ns, None if it has none.

    kind: the message's number, 0 of BOOTP. answers: a server sent it. realm: numbers of the VLANs, outermost first. client: its
    hardware address (v4) or DUID (v6). xid: the transaction. source, destination: addresses as text. address: what is given (v6: the
    first), requested, own: what the client asks for, what it has; texts or None. all: everything that is given. lease: seconds.
    server: its identifier, as text. hops: how often it was relayed; relay: by whom. status: number, and said: its words.
    """

    chunk: int
    row: int
    at: int
    frame: int
    time: int | None
    version: str
    kind: int
    answers: bool
    realm: tuple[int, ...]
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
    said: str | None = None
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
        said = values.tolist() if f is None else texts(f, values, self.h.buffer).tolist()
        found: dict[int, list[Any]] = {}
        for row, value in zip((np.arange(len(self.h)) if rows is None else rows).tolist(), said, strict=True):
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


def realms(h: Headers) -> list[tuple[int, ...]]:
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
    realm = realms(h)
    timed = np.ones(len(h), bool) if batch.timed is None else batch.timed[h.frame]
    when = batch.time[h.frame].tolist()
    for row in np.flatnonzero(h.whole & ~h.quoted).tolist():
        at = int(h.frame[row])
        common = {"chunk": nth, "row": row, "at": at, "frame": at + batch.first, "time": when[row] if timed[row] else None}
        yield row, common | {
            "version": version, "realm": realm[row], "source": source[row] or None, "destination": destination[row] or None
        }  # fmt: skip


def _four(nth: int, h: Headers, batch: Batch) -> Iterator[Lease]:
    """RFC 2131 §2."""
    v = _Values(h)
    kinds, asked, ids = (
        v.first("dhcp.option.dhcp"),
        v.first("dhcp.option.requested_ip_address", FOUR),
        v.first("dhcp.option.dhcp_server_id", FOUR),
    )
    times, names, said = v.first("dhcp.option.ip_address_lease_time"), v.first("dhcp.option.hostname"), v.first("dhcp.option.message")
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
            said=said.get(row),
            hostname=names.get(row),
        )


def _six(nth: int, h: Headers, batch: Batch) -> Iterator[Lease]:
    """RFC 9915 §8, §9: of a relayed message the innermost counts."""
    v = _Values(h)
    kinds, xids, peers = v.all("dhcpv6.msgtype"), v.first("dhcpv6.xid"), v.all("dhcpv6.linkaddr", SIX)
    given, prefixes, sizes = v.all("dhcpv6.iaaddr.ip", SIX), v.all("dhcpv6.iaprefix.pref_addr", SIX), v.all("dhcpv6.iaprefix.pref_len")
    lives, delegated = v.all("dhcpv6.iaaddr.valid_lifetime"), v.all("dhcpv6.iaprefix.valid_lifetime")
    client, server = v.bytes(dhcpv6.WHOSE[dhcpv6.CLIENT]), v.bytes(dhcpv6.WHOSE[dhcpv6.SERVER])
    status, said, names = v.all("dhcpv6.status_code"), v.all("dhcpv6.status_msg"), v.first("dhcpv6.client_domain")
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
            said=next(iter(said.get(row, ())), None),
            hostname=names.get(row),
        )


class Leases:
    """Which questions were asked before without an answer, and which servers gave in which network. State lives from batch to batch."""

    def __init__(self) -> None:
        self._open: dict[tuple, tuple[int, int]] = {}  # question → its kind, and how often it was relayed
        self._servers: dict[tuple, str] = {}  # version and network → the server that gave there first
        self.forgotten = 0

    def feed(self, version: str, chunks: list[Headers], batch: Batch) -> None:
        """Put the fields of `JUDGED` into the headers of one batch."""
        found: tuple[list[list[int]], list[list[int]]] = ([[] for _ in chunks], [[] for _ in chunks])
        for one in leases(version, chunks, batch):
            if self._again(one):
                found[0][one.chunk].append(one.row)
            if self._rival(one):
                found[1][one.chunk].append(one.row)
        for name, rows in zip((REPEATED[version], RIVAL[version]), found, strict=True):
            for h, own in zip(chunks, rows, strict=True):
                h.put(name, np.ones(len(own), bool), np.array(sorted(own), np.int64))

    def _again(self, one: Lease) -> bool:
        key = one.key
        if one.answers:
            self._open.pop(key, None)
            return False
        before = self._open.get(key)
        if before is None and len(self._open) >= MOST:
            del self._open[next(iter(self._open))]
            self.forgotten += 1
        asks = one.kind in ASKS[one.version]
        if asks:
            self._open[key] = (one.kind, one.hops)
        return asks and before == (one.kind, one.hops)

    def _rival(self, one: Lease) -> bool:
        if one.kind not in GIVES[one.version] or one.server is None or not one.all:
            return False
        key = (one.version, one.realm, one.relay)
        before = self._servers.get(key)
        if before is None:
            if len(self._servers) >= MOST:
                del self._servers[next(iter(self._servers))]
                self.forgotten += 1
            self._servers[key] = one.server
        return before is not None and before != one.server


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
        for said in (*one.all, *((one.own,) if one.version == "dhcp" and one.own and not one.all else ())):
            if "/" not in said:
                address = ipaddress.ip_address(said)
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
