"""QUIC: which datagrams are its packets, which connection each belongs to, and the content of Initial packets.

A datagram is QUIC's if its bytes are conclusive, if they are plausible and its port is QUIC's, or if it follows such a datagram between
the same addresses and ports. All that works on arrays. The first Initial packets of a connection are decrypted one by one, with keys
derived from the destination connection ID that the client chose first (RFC 9001 §5.2). The bytes of their CRYPTO frames are put in
order, and the handshake messages in them are dissected as TLS.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..capture.batch import SLACK
from ..fields import Carried, Headers, Spans
from ..protocols.common import quic_packets
from ..protocols.common.quic_packets import Heads, Keys
from . import DatagramClaimer, PendingDatagrams, forgot

if TYPE_CHECKING:
    from ..capture import Batch

PORT = 443
COALESCED = 64  # packets of a datagram that are dissected
DECRYPTED = 64  # Initial packets of a connection that are decrypted, failures included
CONNECTIONS = 4096  # connections whose keys are remembered; those idle longest are forgotten
CRYPTO_BYTES = 1 << 16  # bytes of a direction's CRYPTO frames that are read
CRYPTO_HELD = 32 << 20  # bytes of CRYPTO frames of all connections that wait behind gaps
CRYPTO_FRAMES = 64  # of one direction that wait behind gaps


@dataclass
class QuicCandidates:
    """Datagrams of one group of UDP headers that may be QUIC's. rows: int64 (n,), of these in the pending datagrams. taken: which
    are QUIC's, bool (n,)."""

    headers: Headers
    spans: Spans
    depth: int
    rows: np.ndarray
    taken: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))


@dataclass
class Crypto:
    """The CRYPTO bytes of one direction. done: offset before which they were delivered. largest: packet number so far, -1: none."""

    done: int = 0
    largest: int = -1
    data: bytearray = field(default_factory=bytearray)
    waiting: dict[int, bytes] = field(default_factory=dict)

    def add(self, offset: int, data: bytes) -> int:
        """Add the bytes at that offset; returns by how many more bytes are held, or fewer."""
        before = len(self.data) + sum(map(len, self.waiting.values()))
        edge = self.done + len(self.data)
        room = offset <= edge or offset in self.waiting or len(self.waiting) < CRYPTO_FRAMES
        if offset + len(data) <= CRYPTO_BYTES and room:
            if len(self.waiting.get(offset, b"")) < len(data):
                self.waiting[offset] = data
            for start in sorted(self.waiting):
                edge = self.done + len(self.data)
                if start > edge:
                    break
                self.data += self.waiting.pop(start)[edge - start :]
        return len(self.data) + sum(map(len, self.waiting.values())) - before

    def messages(self) -> bytes:
        """The complete handshake messages, each delivered once. RFC 8446 §4."""
        at, data = 0, self.data
        while len(data) - at >= 4:
            size = 4 + int.from_bytes(data[at + 1 : at + 4], "big")
            if size > len(data) - at:
                break
            at += size
        complete = bytes(data[:at])
        del data[:at]
        self.done += at
        return complete


@dataclass
class Connection:
    """A connection whose Initial packets are read. client: its direction (0, 1), -1 unknown. dcid: that it chose first."""

    client: int = -1
    dcid: bytes = b""
    retry: bytes | None = None  # the connection ID that a Retry packet gave the client
    left: int = DECRYPTED
    keys: dict[int, tuple[Keys, Keys] | None] = field(default_factory=dict)
    tried: set[tuple[int, bytes]] = field(default_factory=set)
    directions: tuple[Crypto, Crypto] = field(default_factory=lambda: (Crypto(), Crypto()))

    @property
    def active(self) -> bool:
        """Whether a packet was decrypted."""
        return any(direction.largest >= 0 for direction in self.directions)

    @property
    def over(self) -> bool:
        """Whether messages of both directions were delivered."""
        return all(direction.done for direction in self.directions)

    @property
    def held(self) -> int:
        return sum(len(direction.data) + sum(map(len, direction.waiting.values())) for direction in self.directions)


class QuicInitial(DatagramClaimer):
    """Claims QUIC's datagrams and splits them into packets."""

    opens = ("quic", "tls.quic")
    needs = frozenset(("udp.stream",))
    precedence = 2
    on_demand = True

    def __init__(self, wanted: AbstractSet[str]) -> None:
        super().__init__(wanted)
        self.number = np.full(1024, -1, np.int64)  # by udp.stream: its newest connection, -1: not QUIC
        self.dcid_size = np.full((1024, 2), -1, np.int64)  # by udp.stream and direction: bytes of the DCID in short headers
        self.count = 0
        self.open: dict[int, Connection] = {}
        self.held = 0
        self.lost = 0

    def claim(self, pending: list[PendingDatagrams], batch: Batch) -> list[Carried]:
        candidates, sources = [], []
        for group in pending:
            if group.headers.has("udp.stream"):  # not UDP-Lite
                rows = np.flatnonzero(group.free & group.undecided)
                candidates.append(QuicCandidates(group.headers, group.spans.take(rows), group.depth, rows))
                sources.append(group)
        claimed = self.packets(candidates, len(batch)) if candidates else []
        for group, some in zip(sources, candidates):
            group.free[some.rows[some.taken]] = False
        return claimed

    def forgotten(self) -> Iterator[str]:
        return forgot(self.lost, "QUIC connections", "their further Initial packets cannot be read")

    def packets(self, candidates: list[QuicCandidates], frames: int) -> list[Carried]:
        """Fill `taken`; returns the packets in the datagrams taken. frames: of the batch."""
        streams, directions, first_heads = [], [], []
        for group in candidates:
            row = group.spans.row
            streams.append(group.headers["udp.stream"][row])
            conversation = group.headers.conversation
            assert conversation is not None  # numbered with udp.stream
            directions.append(conversation[1][row].astype(np.int64))
            first_heads.append(
                quic_packets.read_heads(group.headers.buffer, group.spans.start, group.spans.end, np.zeros(len(row), np.int64))
            )
        most = max((int(s.max(initial=0)) for s in streams), default=0)
        while most >= len(self.number):
            self.number = np.concatenate((self.number, np.full(len(self.number), -1)))
            self.dcid_size = np.concatenate((self.dcid_size, np.full(self.dcid_size.shape, -1)))
        self._take(candidates, streams, first_heads)
        if not any(group.taken.any() for group in candidates):
            return []
        packets = []
        for group, stream, direction in zip(candidates, streams, directions):
            rows = np.flatnonzero(group.taken)
            packets.append(_split_datagrams(group, rows, stream[rows], direction[rows]))
        return [carried for group, facts in zip(packets, self._track(packets)) for carried in _carried(group, facts, frames)]

    def _take(self, candidates: list[QuicCandidates], streams: list[np.ndarray], first_heads: list[Heads]) -> None:
        """Fill `taken`: datagrams of QUIC, and those after them in their streams."""
        conclusive, plausible, order = [], [], []
        for group, heads in zip(candidates, first_heads):
            row = group.spans.row
            on_port = (group.headers["udp.srcport"][row] == PORT) | (group.headers["udp.dstport"][row] == PORT)
            live = ~group.spans.quoted
            probed = quic_packets.probe(heads, group.spans.start, group.spans.wire) | (on_port & quic_packets.probe_port(heads))
            conclusive.append(live & probed)
            plausible.append(live & (heads.kind >= 0) & (group.spans.end > group.spans.start))
            order.append(group.spans.frame * 64 + group.depth)
        stream, when, first = np.concatenate(streams), np.concatenate(order), np.concatenate(conclusive)
        active = np.flatnonzero(first)
        active = active[np.argsort(when[active], kind="stable")]
        used, at = np.unique(stream[active], return_index=True)
        since = np.full(int(stream.max(initial=0)) + 1, np.iinfo(np.int64).max)
        since[used] = when[active[at]]
        known = self.number[stream] >= 0
        taken = np.concatenate(plausible) & (known | (when >= since[stream])) if len(stream) else first
        begin = 0
        for group in candidates:
            group.taken = taken[begin : begin + len(group.spans.frame)]
            begin += len(group.spans.frame)

    def _track(self, packets: list[QuicPackets]) -> list[PacketFacts]:
        """The facts of the packets of all groups: connection numbers, sizes of connection IDs, decrypted Initial packets."""
        group = np.concatenate([np.full(len(part.start), i) for i, part in enumerate(packets)])
        row = np.concatenate([np.arange(len(part.start)) for part in packets])
        stream, direction, frame, start = (
            np.concatenate([getattr(part, name) for part in packets]) for name in ("stream", "direction", "frame", "start")
        )
        kind, whole = (np.concatenate([getattr(part.heads, name) for part in packets]) for name in ("kind", "whole"))
        scid = np.concatenate([part.heads.scid[:, 1] - part.heads.scid[:, 0] for part in packets])
        order = np.lexsort((start, np.concatenate([np.full(len(part.start), part.depth) for part in packets]), frame))
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        numbered, used = self.number[stream], self.dcid_size[stream, direction]

        facts = [PacketFacts(len(part.start)) for part in packets]
        fresh = order[np.unique(stream[order], return_index=True)[1]]
        handled = whole & ((kind == quic_packets.INITIAL) | (kind == quic_packets.RETRY))
        handled[fresh[self.number[stream[fresh]] < 0]] = True
        events = []  # stream, place, number of the connection from there on
        for at in order[handled[order]].tolist():
            self._handle(packets[group[at]], int(row[at]), facts[group[at]])
            events.append((int(stream[at]), int(place[at]), int(self.number[stream[at]])))

        # A packet has the latest known connection number and ID size.
        changes = np.array(events, np.int64).reshape(-1, 3)
        number = _last(changes[:, 0], changes[:, 1], changes[:, 2], stream, place, numbered)
        long = np.flatnonzero(whole & (kind != quic_packets.SHORT))
        long = long[np.argsort(place[long])]
        dcid_size = _last(2 * stream[long] + 1 - direction[long], place[long], scid[long], 2 * stream + direction, place, used)
        self.dcid_size[stream[long], 1 - direction[long]] = scid[long]
        for i, fact in enumerate(facts):
            fact.number, fact.dcid_size = number[group == i], dcid_size[group == i]
        return facts

    def _handle(self, packets: QuicPackets, i: int, fact: PacketFacts) -> None:
        """Handle an Initial or a Retry packet, or the first packet of a stream."""
        stream, direction = int(packets.stream[i]), int(packets.direction[i])
        known = self.open.pop(stream, None)
        connection = known or Connection()
        self.open[stream] = connection
        if self.number[stream] < 0:
            self._new(stream)
        if known is None and len(self.open) > CONNECTIONS:
            self._forget(next(iter(self.open)))
        kind, version = int(packets.heads.kind[i]), int(packets.heads.version[i])
        data = packets.headers.buffer
        dcid, scid = (bytes(data[slice(*bounds[i].tolist())]) for bounds in (packets.heads.dcid, packets.heads.scid))
        packet = bytes(data[int(packets.start[i]) : int(packets.end[i])])
        if kind == quic_packets.RETRY:
            if connection.client == 1 - direction and connection.left:
                connection.left -= 1
                connection.retry = scid
                fact.genuine[i] = quic_packets.genuine(version, connection.dcid, packet)
            return
        if kind != quic_packets.INITIAL or not packets.heads.whole[i]:
            return
        if packets.wire[i] > packets.end[i]:
            fact.result[i] = quic_packets.CUT
            if connection.client < 0:  # the keys follow from these
                connection.client, connection.dcid = direction, dcid
        elif quic_packets.secret(version) is None:
            fact.result[i] = quic_packets.NO_VERSION
        elif not connection.left:
            fact.result[i] = quic_packets.ENOUGH
        else:
            connection.left -= 1
            self._open(stream, direction, version, dcid, packet, int(packets.heads.payload[i] - packets.start[i]), fact, i)

    def _open(self, stream: int, direction: int, version: int, dcid: bytes, packet: bytes, at: int, fact: PacketFacts, i: int) -> None:
        """Decrypt an Initial packet with the keys of its connection, else with those that follow from its own DCID."""
        connection = self.open[stream]
        decrypted = None
        if connection.client >= 0:
            if version not in connection.keys:
                connection.keys[version] = quic_packets.keys(version, connection.dcid)
            keys = connection.keys[version]
            crypto = connection.directions[direction != connection.client]
            decrypted = keys and quic_packets.decrypt(keys[direction != connection.client], packet, at, crypto.largest + 1)
        if not decrypted and (version, dcid) not in connection.tried:
            connection.tried.add((version, dcid))
            keys = quic_packets.keys(version, dcid)
            decrypted = keys and quic_packets.decrypt(keys[0], packet, at, 0)
            if decrypted:
                if connection.active and connection.retry != dcid:  # another connection between the same ports
                    self._forget(stream, 0)
                    connection = self.open[stream] = Connection()
                    self._new(stream)
                connection.client, connection.dcid, connection.keys = direction, dcid, {version: keys}
        if not decrypted:
            fact.result[i] = quic_packets.NO_KEY
            return
        clear, number, begin = decrypted
        crypto = connection.directions[direction != connection.client]
        crypto.largest = max(crypto.largest, number)
        before = len(packet)
        frames, _ = quic_packets.frames(memoryview(clear), begin, before - quic_packets.TAG)
        for frame in frames:
            if frame.kind == quic_packets.CRYPTO:
                self.held += crypto.add(frame.values[0], clear[slice(*frame.data)])
        messages = crypto.messages()
        self.held -= len(messages)
        fact.result[i], fact.packet_number[i], fact.opened[i] = quic_packets.OPENED, number, (clear, begin, messages)
        while self.held > CRYPTO_HELD:
            self._forget(next(iter(self.open)))

    def _new(self, stream: int) -> None:
        self.number[stream] = self.count
        self.count += 1

    def _forget(self, stream: int, counts: int = 1) -> None:
        forgotten = self.open.pop(stream)
        self.held -= forgotten.held
        self.lost += not forgotten.over and counts


class PacketFacts:
    """Facts of n packets, int64 (n,). number: of the connection. dcid_size: bytes of the DCID of a short header, -1 unknown. result,
    packet_number: of an Initial packet. genuine: of a Retry, 1 if its tag is good, 0 if not, -1 unknown. opened: by packet, its bytes
    in clear, the offset of the frames in them, and the handshake messages that it completes."""

    def __init__(self, n: int) -> None:
        self.number = self.dcid_size = np.zeros(n, np.int64)
        self.result, self.packet_number, self.genuine = np.full(n, quic_packets.NOT_INITIAL), np.full(n, -1), np.full(n, -1)
        self.opened: dict[int, tuple[bytes, int, bytes]] = {}


@dataclass
class QuicPackets:
    """Packets of datagrams, in order; arrays (n,), int64. row: of the UDP header. rest: bytes after the last packet of a datagram that
    are no packet."""

    headers: Headers
    depth: int
    row: np.ndarray
    frame: np.ndarray
    stream: np.ndarray
    direction: np.ndarray
    start: np.ndarray
    end: np.ndarray
    wire: np.ndarray
    rest: np.ndarray
    heads: Heads


def _split_datagrams(candidates: QuicCandidates, rows: np.ndarray, stream: np.ndarray, direction: np.ndarray) -> QuicPackets:
    """The packets of these datagrams. RFC 9000 §12.2."""
    buffer, some = candidates.headers.buffer, candidates.spans.take(rows)
    which, at = np.arange(len(rows)), some.start
    parts: list[tuple[np.ndarray, ...]] = []
    for nth in range(COALESCED):
        end, wire = some.end[which], some.wire[which]
        heads = quic_packets.read_heads(buffer, at, end, np.zeros(len(which), np.int64))
        # A packet too short for its number (RFC 9001 §5.4.2) is the last.
        counted = heads.whole & (heads.kind <= quic_packets.HANDSHAKE) & (heads.length >= quic_packets.NUMBER)
        stop = np.where(counted, np.minimum(heads.stop, wire), wire)
        followed = np.flatnonzero(stop < end)
        more = followed[_is_packet(buffer, stop[followed], end[followed])] if nth + 1 < COALESCED else followed[:0]
        rest = np.zeros(len(which), np.int64)
        rest[followed] = (wire - stop)[followed]
        rest[more] = 0
        parts.append((which, at, np.minimum(stop, end), stop, rest))
        which, at = which[more], stop[more]
        if not len(which):
            break
    of, start, end, wire, rest = (np.concatenate(column) for column in zip(*parts))
    order = np.lexsort((start, of))
    of, start, end, wire, rest = (column[order] for column in (of, start, end, wire, rest))
    heads = quic_packets.read_heads(buffer, start, end, np.zeros(len(of), np.int64))
    return QuicPackets(
        candidates.headers, candidates.depth, some.row[of], some.frame[of], stream[of], direction[of], start, end, wire, rest, heads
    )


def _is_packet(buffer: np.ndarray, at: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Whether another packet starts there: the fixed bit is set and the header fits."""
    heads = quic_packets.read_heads(buffer, at, end, np.zeros(len(at), np.int64))
    return heads.whole & (heads.first & 0x40 > 0) & (heads.kind >= 0)


def _last(of: np.ndarray, when: np.ndarray, value: np.ndarray, stream: np.ndarray, now: np.ndarray, default: np.ndarray) -> np.ndarray:
    """The latest value of each `stream` at the time `now`, else the default; all int64."""
    if not len(of):
        return default
    order = np.lexsort((when, of))
    of, value = of[order], value[order]
    span = max(int(when.max()), int(now.max())) + 1
    at = np.searchsorted(of * span + when[order], stream * span + now, "right") - 1
    hit = (at >= 0) & (of[at] == stream)
    return np.where(hit, value[at], default)


def _carried(packets: QuicPackets, fact: PacketFacts, frames: int) -> list[Carried]:
    """The packets of one group of UDP headers: those of datagrams with a decrypted packet in a new buffer, the others in place.
    In that buffer a packet is followed by the handshake messages that it completes."""
    count = len(packets.start)
    size = packets.wire - packets.start
    zero = np.zeros((count, 2), np.int64)
    copied = np.zeros(count, bool)
    copied[list(fact.opened)] = True
    key = packets.frame << 32 | packets.row
    copied = np.isin(key, key[copied])
    known = {"number": fact.number, "dcid_size": fact.dcid_size, "result": fact.result, "packet_number": fact.packet_number}
    known |= {"genuine": fact.genuine, "size": size, "rest": packets.rest}
    carried = []
    rows = np.flatnonzero(~copied)
    if len(rows):
        spans = Spans(
            packets.frame[rows], packets.start[rows], packets.end[rows], packets.wire[rows], np.zeros(len(rows), bool), packets.row[rows]
        )
        columns = {name: column[rows] for name, column in (*known.items(), ("clear", zero), ("messages", zero))}
        carried.append(Carried("quic", packets.headers, spans, "udp.port", packets.headers.buffer, packets.headers.base, columns))
    rows = np.flatnonzero(copied)
    if len(rows):
        data = bytearray()
        start, end, clear, messages = (np.zeros(n, np.int64) for n in (len(rows), len(rows), (len(rows), 2), (len(rows), 2)))
        for n, i in enumerate(rows.tolist()):
            at = start[n] = len(data)
            packet, begin, more = fact.opened.get(i) or (bytes(packets.headers.buffer[packets.start[i] : packets.end[i]]), 0, b"")
            data += packet
            if begin:
                clear[n] = at + begin, len(data) - quic_packets.TAG
            messages[n] = len(data), len(data) + len(more)
            data += more
            end[n] = len(data)
        wire = end + (packets.wire - packets.end)[rows]
        base = np.zeros(frames, np.int64)
        base[packets.frame[rows][::-1]] = start[::-1]
        spans = Spans(packets.frame[rows], start, end, wire, np.zeros(len(rows), bool), packets.row[rows])
        columns = {name: column[rows] for name, column in known.items()} | {"clear": clear, "messages": messages}
        buffer = np.frombuffer(bytes(data) + bytes(SLACK), np.uint8)
        carried.append(Carried("quic", packets.headers, spans, "udp.port", buffer, base, columns))
    return carried
