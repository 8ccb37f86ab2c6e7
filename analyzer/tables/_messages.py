"""ICMP's messages of a batch with what they quote, and on which link each frame travelled: what tables of neighbours and paths read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import polars as pl

from ..dissection import Dissection
from ..fields import Field, Headers, ipv4, ipv6, texts
from ..protocols import icmp, icmpv6

Address = int | bytes | None  # as columns have it: IPv4, IPv6, none
DECODERS = {"icmp": icmp, "icmpv6": icmpv6}
NUMBERS = {  # (identifier, sequence number), and the latter of extended echoes (RFC 8335)
    "icmp": ("icmp.ident", "icmp.seq", "icmp.ext.echo.seq"),
    "icmpv6": ("icmpv6.echo.identifier", "icmpv6.echo.sequence_number", "icmpv6.ext.echo.seq"),
}
ERRORS = {"icmp": (3, 4, 11, 12), "icmpv6": (1, 2, 3, 4)}
REDIRECT = {"icmp": 5, "icmpv6": 137}
GATEWAY = {"icmp": "icmp.redir_gw", "icmpv6": "icmpv6.nd.rd.target_address"}
PORTS = {"tcp": ("tcp.srcport", "tcp.dstport", "tcp.stream"), "udp": ("udp.srcport", "udp.dstport", "udp.stream")}
NUMBER = {"tcp": 6, "udp": 17, "icmp": 1, "icmpv6": 58}
NEEDS = frozenset({"tcp.stream", "udp.stream"})
HEAD = 8  # bytes of ICMP's header


class Quoted(NamedTuple):
    """What an ICMP error quotes of a datagram. proto: its protocol's number. ports, stream: of TCP and UDP, else None.
    kind, ident, seq: of ICMP, else -1. ttl, id: as it arrived; id -1 for IPv6."""

    source: Address
    destination: Address
    proto: int
    ttl: int
    id: int
    ports: tuple[int, int] | None = None
    stream: int | None = None
    kind: int = -1
    ident: int = -1
    seq: int = -1


class Message(NamedTuple):
    """An ICMP message that is not quoted. row: of its frame in the batch; frame: its number. time: ns, None if it has none.

    kept: whether a filter shows it. destination: the last stop of a source route. size: bytes behind the first eight.
    ident, seq: -1 where it has none. gateway, other: of a redirect, the better hop and the destination it speaks of.
    """

    row: int
    frame: int
    time: int | None
    kept: bool
    protocol: str
    kind: int
    code: int
    source: Address
    destination: Address
    ttl: int
    id: int
    size: int
    ident: int
    seq: int
    mtu: int
    gateway: Address
    other: Address
    quoted: Quoted | None

    @property
    def words(self) -> str:
        """What it says: 'port unreachable'."""
        decoder = DECODERS[self.protocol]
        said = decoder.CODE.get((self.kind, self.code))
        return said or decoder.TYPE.get(self.kind, f"type {self.kind}") + (f", code {self.code}" if self.code else "")


def messages(d: Dissection) -> list[Message]:
    """The ICMP messages of a batch, in the order of their frames; all that a filter saw, too."""
    if "messages" not in d.shared:
        d.shared["messages"] = _messages(d)
    found: list[Message] = d.shared["messages"]
    return found


def _messages(d: Dissection) -> list[Message]:
    whole = d.unfiltered or d
    made: list[tuple[int, Message]] = []
    for name in DECODERS:
        for h in whole.chunks.get(name, ()):
            rows = np.flatnonzero(~h.quoted & h.whole)
            if len(rows):
                depth = int(whole.layer(h)[rows[0]])
                made += [(depth, one) for one in _read(d, whole, h, rows)]
    made.sort(key=lambda one: (one[1].row, one[0]))
    return [one for _, one in made]


def _read(d: Dissection, whole: Dissection, h: Headers, rows: np.ndarray) -> Iterator[Message]:
    name = h.protocol.name
    net = h.network_layer()
    if net is None:
        return
    outer, up = net
    up = up[rows]
    sources, destinations, ttls, idents = _ends(outer, up)
    kinds = h[f"{name}.type"]
    extended = np.isin(kinds, icmp.PROBES if name == "icmp" else icmpv6.PROBES)
    ident, seq, short = (_there(h, field) for field in NUMBERS[name])
    mtu = _there(h, f"{name}.mtu")
    frame = h.frame[rows]
    quotes = quoted(whole, h) if np.isin(kinds[rows], (*ERRORS[name], REDIRECT[name])).any() else {}
    gateways, others = {}, {}
    if (kinds[rows] == REDIRECT[name]).any():
        gateways = _at(h, GATEWAY[name])
        others = _at(h, "icmpv6.rd.na.destination_address") if name == "icmpv6" else {}
    columns = (
        frame,
        frame + d.batch.first,
        d.batch.time[frame],
        np.ones(len(rows), bool) if d.batch.timed is None else d.batch.timed[frame],
        np.ones(len(rows), bool) if d.kept is None else d.kept[frame],
        kinds[rows],
        h[f"{name}.code"][rows],
        ttls,
        idents,
        h.wire[rows] - h.start[rows] - HEAD,
        ident[rows],
        np.where(extended, short, seq)[rows],
        mtu[rows],
        rows,
    )
    for (row, number, time, timed, kept, kind, code, ttl, id, size, one, nth, most, at), source, destination in zip(
        zip(*(column.tolist() for column in columns), strict=True), sources, destinations, strict=True
    ):
        about = quotes.get(at)
        other = others.get(at, about.destination if about else None)
        when = time if timed else None
        yield Message(
            row, number, when, kept, name, kind, code, source, destination, ttl, id, size, one, nth, most, gateways.get(at), other, about
        )


def _ends(net: Headers, rows: np.ndarray) -> tuple[list[Address], list[Address], np.ndarray, np.ndarray]:
    """Of these headers of IP: sources, destinations (of a source route, its end), times to live, identifications (-1: IPv6)."""
    assert net.protocol.addresses is not None
    source, destination = (net[name] for name in net.protocol.addresses)
    if net.protocol.name == "ipv6":
        return source[rows].tolist(), destination[rows].tolist(), net["ipv6.hlim"][rows].astype(np.int64), np.full(len(rows), -1)
    if net.protocol.name != "ip":
        return [None] * len(rows), [None] * len(rows), np.zeros(len(rows), np.int64), np.full(len(rows), -1)
    ends, at = net.column("ip.src_rt_end")
    if at is not None and len(at):
        destination = destination.copy()
        destination[at] = ends
    return source[rows].tolist(), destination[rows].tolist(), net["ip.ttl"][rows].astype(np.int64), net["ip.id"][rows].astype(np.int64)


def _there(h: Headers, name: str) -> np.ndarray:
    """A field of all headers, int64; -1 where it is not there."""
    found = np.full(len(h), -1, np.int64)
    values, rows = h.column(name)
    found[slice(None) if rows is None else rows] = values
    return found


def _at(h: Headers, name: str) -> dict[int, Address]:
    """The addresses that a field has, by row."""
    values, rows = h.column(name)
    return dict(zip((np.arange(len(h)) if rows is None else rows).tolist(), values.tolist()))


def quoted(d: Dissection, h: Headers) -> dict[int, Quoted]:
    """What messages of one group quote, by row."""
    found: dict[int, Quoted] = {}
    for inner in d.order:
        if inner.parent is not h or inner.protocol.addresses is None:
            continue
        rows = np.arange(len(inner))
        sources, destinations, ttls, idents = _ends(inner, rows)
        proto = inner["ip.proto" if inner.protocol.name == "ip" else "ipv6.nxt"]
        told = zip(inner.row.tolist(), sources, destinations, proto.tolist(), ttls.tolist(), idents.tolist(), strict=True)
        whole = (inner.trusted == inner.layout.size).tolist()
        quotes = [(row, Quoted(*rest)) for row, *rest in told]
        for name, number in NUMBER.items():
            for carried in d.chunks.get(name, ()):
                above = carried.network_layer()
                if above is None or above[0] is not inner:
                    continue
                for at, about in zip(above[1].tolist(), _carried(carried, name), strict=True):
                    quotes[at] = quotes[at][0], quotes[at][1]._replace(proto=number, **about)
        found.update(quote for quote, there in zip(quotes, whole, strict=True) if there)
    return found


def _carried(h: Headers, name: str) -> Iterator[dict[str, object]]:
    """What tells conversations apart in the headers that datagrams carry."""
    if name in PORTS:
        source, destination, stream = PORTS[name]
        streams = _there(h, stream)
        there = h.trusted >= 4
        for a, b, number, known in zip(h[source].tolist(), h[destination].tolist(), streams.tolist(), there.tolist(), strict=True):
            yield {"ports": (a, b) if known else None, "stream": number if number >= 0 else None}
        return
    numbers = (_there(h, field).tolist() for field in NUMBERS[name][:2])
    for kind, ident, seq in zip(h[f"{name}.type"].tolist(), *numbers, strict=True):
        yield {"kind": kind, "ident": ident, "seq": seq}


# ---------------------------------------------------------------- links

VLANS = {"vlan": "vlan.id", "ieee8021ad": "ieee8021ad.id"}
NO_VLAN = 0


class Links(NamedTuple):
    """The link that each frame of a batch travelled on; int64 (frames,). where: interface and outermost VLAN as one number.
    source, destination: MAC addresses of the outermost Ethernet header, -1 where there is none."""

    where: np.ndarray
    source: np.ndarray
    destination: np.ndarray


def links(d: Dissection) -> Links:
    """The links of a batch's frames."""
    source, destination = np.full((2, len(d)), -1, np.int64)
    vlan = np.zeros(len(d), np.int64)
    for h in d.chunks.get("eth", ()):
        if h.parent is not None and h.parent.protocol.name == "frame":
            there = h.trusted >= 12
            source[h.frame[there]], destination[h.frame[there]] = h["eth.src"][there], h["eth.dst"][there]
    for name, field in VLANS.items():
        for h in d.chunks.get(name, ()):
            if h.parent is not None and h.parent.protocol.name in ("eth", "sll", "sll2"):
                vlan[h.frame] = h[field].astype(np.int64) + 1
    return Links(d.batch.interface << 13 | vlan, source, destination)


def link(where: int) -> tuple[int, int | None]:
    """(interface, VLAN) of a link's number."""
    return where >> 13, (where & 0x1FFF) - 1 if where & 0x1FFF else None


# ---------------------------------------------------------------- words


def named(values: Iterable[Address]) -> pl.Series:
    """Addresses as text, null for none; each different one made once."""
    values = list(values)
    used = list(dict.fromkeys(values))
    said: dict[Address, str | None] = {None: None}
    for kind, form in ((ipv4, int), (ipv6, bytes)):
        some = [one for one in used if isinstance(one, form)]
        if some:
            said.update(zip(some, texts(Field("", kind, ""), np.array(some, kind.dtype)).tolist()))
    return pl.Series([said[one] for one in values], dtype=pl.String)
