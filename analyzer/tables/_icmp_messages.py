"""The ICMP and ICMPv6 messages of a batch, with the datagrams that errors quote."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ..dissection import Dissection
from ..fields import Headers
from ..protocols import icmp, icmpv6
from ._ip_datagrams import Address, shown, timed

DECODERS = {"icmp": icmp, "icmpv6": icmpv6}
NUMBERS = {  # identifier, sequence number, sequence number of extended echoes (RFC 8335)
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


class QuotedDatagram(NamedTuple):
    """The headers that an ICMP error quotes. proto: IP protocol number. ports, stream: of TCP and UDP, else None. kind (type), ident,
    seq: of ICMP, else -1. ttl, id: as the datagram arrived; id is -1 for IPv6."""

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

    @property
    def flow_id(self) -> int:
        """As `IpDatagrams.flow_id`."""
        source, destination = self.ports or (max(self.ident, 0), max(self.seq, 0))
        return source << 16 | destination


class IcmpMessage(NamedTuple):
    """An ICMP message that no error quotes. row: of its frame in the batch; frame: its number. time: ns, None if it has none.

    kept: whether the display filter shows it. kind, code: its type and code. destination: of a source route, its end. size: bytes after
    the header. ident, seq, mtu: -1 where it has none. gateway: the better hop of a redirect. target: the destination that the error or
    redirect is about.
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
    target: Address
    quoted: QuotedDatagram | None

    @property
    def meaning(self) -> str:
        """Type and code in words: 'port unreachable'."""
        decoder = DECODERS[self.protocol]
        name = decoder.CODE.get((self.kind, self.code))
        return name or decoder.TYPE.get(self.kind, f"type {self.kind}") + (f", code {self.code}" if self.code else "")


def icmp_messages(d: Dissection) -> list[IcmpMessage]:
    """The ICMP messages of a batch in the order of their frames, whether the display filter shows them or not."""
    if "icmp_messages" not in d.shared:
        d.shared["icmp_messages"] = _messages(d)
    messages: list[IcmpMessage] = d.shared["icmp_messages"]
    return messages


def _messages(d: Dissection) -> list[IcmpMessage]:
    whole = d.unfiltered or d
    messages: list[tuple[int, IcmpMessage]] = []
    for name in DECODERS:
        for h in whole.chunks.get(name, ()):
            rows = np.flatnonzero(~h.quoted & h.whole)
            if len(rows):
                depth = int(whole.layer(h)[rows[0]])
                messages += [(depth, m) for m in _read(d, whole, h, rows)]
    messages.sort(key=lambda item: (item[1].row, item[0]))
    return [m for _, m in messages]


def _read(d: Dissection, whole: Dissection, h: Headers, rows: np.ndarray) -> Iterator[IcmpMessage]:
    name = h.protocol.name
    network = h.network_layer()
    if network is None:
        return
    outer, outer_rows = network
    sources, destinations, ttls, ids = _ends(outer, outer_rows[rows])
    kinds = h[f"{name}.type"]
    extended = np.isin(kinds, icmp.PROBES if name == "icmp" else icmpv6.PROBES)
    idents, seqs, extended_seqs = (_dense(h, field) for field in NUMBERS[name])
    frame = h.frame[rows]
    quotes = quoted_datagrams(whole, h) if np.isin(kinds[rows], (*ERRORS[name], REDIRECT[name])).any() else {}
    gateways, targets = {}, {}
    if (kinds[rows] == REDIRECT[name]).any():
        gateways = _by_row(h, GATEWAY[name])
        targets = _by_row(h, "icmpv6.rd.na.destination_address") if name == "icmpv6" else {}
    columns = (
        rows,
        frame,
        frame + d.batch.first,
        d.batch.time[frame],
        timed(d, frame),
        shown(d, frame),
        kinds[rows],
        h[f"{name}.code"][rows],
        ttls,
        ids,
        h.wire[rows] - h.start[rows] - HEAD,
        idents[rows],
        np.where(extended, extended_seqs, seqs)[rows],
        _dense(h, f"{name}.mtu")[rows],
    )
    for (at, row, number, time, has_time, kept, kind, code, ttl, id, size, ident, seq, mtu), source, destination in zip(
        zip(*(column.tolist() for column in columns), strict=True), sources, destinations, strict=True
    ):
        quote = quotes.get(at)
        target = targets.get(at, quote.destination if quote else None)
        when, gateway = time if has_time else None, gateways.get(at)
        ends = (source, destination, ttl, id)
        yield IcmpMessage(row, number, when, kept, name, kind, code, *ends, size, ident, seq, mtu, gateway, target, quote)


def _ends(net: Headers, rows: np.ndarray) -> tuple[list[Address], list[Address], np.ndarray, np.ndarray]:
    """Of these IP headers: sources, destinations (of a source route, its end), times to live, identifications (-1: IPv6)."""
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


def _dense(h: Headers, name: str) -> np.ndarray:
    """A field of all headers, int64; -1 where it is absent."""
    column = np.full(len(h), -1, np.int64)
    values, rows = h.column(name)
    column[slice(None) if rows is None else rows] = values
    return column


def _by_row(h: Headers, name: str) -> dict[int, Address]:
    """An address field's values by row."""
    values, rows = h.column(name)
    return dict(zip((np.arange(len(h)) if rows is None else rows).tolist(), values.tolist()))


def quoted_datagrams(d: Dissection, h: Headers) -> dict[int, QuotedDatagram]:
    """The datagrams that these messages quote, by row."""
    quoted: dict[int, QuotedDatagram] = {}
    for inner in d.order:
        if inner.parent is not h or inner.protocol.addresses is None:
            continue
        sources, destinations, ttls, ids = _ends(inner, np.arange(len(inner)))
        proto = inner["ip.proto" if inner.protocol.name == "ip" else "ipv6.nxt"]
        columns = zip(sources, destinations, proto.tolist(), ttls.tolist(), ids.tolist(), strict=True)
        quotes = [QuotedDatagram(*column) for column in columns]
        for name, number in NUMBER.items():
            for payload in d.chunks.get(name, ()):
                network = payload.network_layer()
                if network is None or network[0] is not inner:
                    continue
                for at, flow in zip(network[1].tolist(), _flows(payload, name), strict=True):
                    quotes[at] = quotes[at]._replace(proto=number, **flow)
        whole = (inner.trusted == inner.layout.size).tolist()
        quoted.update((row, quote) for row, quote, complete in zip(inner.row.tolist(), quotes, whole, strict=True) if complete)
    return quoted


def _flows(h: Headers, name: str) -> Iterator[dict[str, Any]]:
    """The fields of `QuotedDatagram` that the header after IP's gives."""
    if name in PORTS:
        source, destination, stream = PORTS[name]
        streams = _dense(h, stream)
        complete = h.trusted >= 4
        for a, b, number, known in zip(h[source].tolist(), h[destination].tolist(), streams.tolist(), complete.tolist(), strict=True):
            yield {"ports": (a, b) if known else None, "stream": number if number >= 0 else None}
        return
    numbers = (_dense(h, field).tolist() for field in NUMBERS[name][:2])
    for kind, ident, seq in zip(h[f"{name}.type"].tolist(), *numbers, strict=True):
        yield {"kind": kind, "ident": ident, "seq": seq}
