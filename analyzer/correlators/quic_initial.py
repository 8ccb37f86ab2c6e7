"""QUIC: which datagrams are its packets, which connection each belongs to, and what its Initial packets say.

A datagram is QUIC's if its bytes leave no doubt, if it comes on QUIC's port and its bytes agree, or if it follows such a datagram between
the same addresses and ports. All that runs on arrays. The first Initial packets of a connection are decrypted one by one, with keys
derived from the first destination connection id that the client chose (RFC 9001 §5.2). The bytes of their CRYPTO frames are put in
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
DECRYPTED = 64  # Initial packets of a connection that are decrypted, or tried
CONNECTIONS = 4096  # connections whose keys are remembered; those idle longest are forgotten
CRYPTO_BYTES = 1 << 16  # bytes of a direction's CRYPTO frames that are read
CRYPTO_HELD = 32 << 20  # bytes of CRYPTO frames of all connections that wait for those before them
CRYPTO_FRAMES = 64  # of one direction that wait
OPENED, NO_KEY, NO_VERSION, ENOUGH, CUT, NOT_INITIAL = range(6)  # what became of an Initial packet
REASONS = {
    NO_KEY: "its keys hang on the client's first Initial packet, which is not in the capture, or it was damaged",
    NO_VERSION: "the keys of its version are not known",
    ENOUGH: f"{DECRYPTED} Initial packets of the connection were read",
    CUT: "cut by the capture",
}


@dataclass
class QuicCandidates:
    """Datagrams that one group of UDP headers carries at `spans` and that may be QUIC's. rows: of these in the pending datagrams.
    taken: which are QUIC's, bool (n,)."""

    headers: Headers
    spans: Spans
    depth: int
    rows: np.ndarray
    taken: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))


@dataclass
class Crypto:
    """The CRYPTO bytes of one direction. done: those before it were handed on. largest: packet number, -1: none yet."""

    done: int = 0
    largest: int = -1
    data: bytearray = field(default_factory=bytearray)
    waiting: dict[int, bytes] = field(default_factory=dict)

    def add(self, offset: int, data: bytes) -> int:
        """Take the bytes at that offset; returns by how much more is held, or less."""
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
        """The whole handshake messages that are there now; they are handed on once. RFC 8446 §4."""
        at, data = 0, self.data
        while len(data) - at >= 4:
            size = 4 + int.from_bytes(data[at + 1 : at + 4], "big")
            if size > len(data) - at:
                break
            at += size
        made = bytes(data[:at])
        del data[:at]
        self.done += at
        return made


@dataclass
class Connection:
    """What is known of a connection whose Initial packets are read. client: which way (0, 1) it sends. dcid: that it chose first."""

    client: int = -1
    dcid: bytes = b""
    retry: bytes | None = None  # the id that a Retry packet asks the client for
    left: int = DECRYPTED
    keys: dict[int, tuple[Keys, Keys] | None] = field(default_factory=dict)
    tried: set[tuple[int, bytes]] = field(default_factory=set)
    directions: tuple[Crypto, Crypto] = field(default_factory=lambda: (Crypto(), Crypto()))

    @property
    def active(self) -> bool:
        """Whether a packet was opened."""
        return any(direction.largest >= 0 for direction in self.directions)

    @property
    def over(self) -> bool:
        """Whether both ends' messages came."""
        return all(direction.done for direction in self.directions)

    @property
    def held(self) -> int:
        return sum(len(direction.data) + sum(map(len, direction.waiting.values())) for direction in self.directions)


class QuicInitial(DatagramClaimer):
    """From datagrams to packets."""

    opens = ("quic", "tls.quic")
    needs = frozenset(("udp.stream",))
    precedence = 2
    on_demand = True

    def __init__(self, wanted: AbstractSet[str]) -> None:
        super().__init__(wanted)
        self.number = np.full(1024, -1, np.int64)  # by udp.stream, of its newest connection; -1: it is none of QUIC's
        self.sized = np.full((1024, 2), -1, np.int64)  # by udp.stream and direction: bytes of the destination id in short headers
        self.count = 0
        self.open: dict[int, Connection] = {}
        self.held = 0
        self.lost = 0

    def claim(self, pending: list[PendingDatagrams], batch: Batch) -> list[Carried]:
        candidates, sources = [], []
        for one in pending:
            if one.headers.has("udp.stream"):  # not so of UDP-Lite
                rows = np.flatnonzero(one.free & one.undecided)
                candidates.append(QuicCandidates(one.headers, one.spans.take(rows), one.depth, rows))
                sources.append(one)
        claimed = self.packets(candidates, len(batch)) if candidates else []
        for one, some in zip(sources, candidates):
            one.free[some.rows[some.taken]] = False
        return claimed

    def forgotten(self) -> Iterator[str]:
        return forgot(self.lost, "QUIC connections", "their further Initial packets cannot be read")

    def packets(self, candidates: list[QuicCandidates], frames: int) -> list[Carried]:
        """Fill `taken` of all; returns the packets in the datagrams taken. frames: of the batch."""
        streams, directions, first_heads = [], [], []
        for one in candidates:
            row = one.spans.row
            streams.append(one.headers["udp.stream"][row])
            conversation = one.headers.conversation
            assert conversation is not None  # numbered with udp.stream
            directions.append(conversation[1][row].astype(np.int64))
            first_heads.append(quic_packets.heads(one.headers.buffer, one.spans.start, one.spans.end, np.zeros(len(row), np.int64)))
        most = max((int(s.max(initial=0)) for s in streams), default=0)
        while most >= len(self.number):
            self.number = np.concatenate((self.number, np.full(len(self.number), -1)))
            self.sized = np.concatenate((self.sized, np.full(self.sized.shape, -1)))
        self._take(candidates, streams, first_heads)
        if not any(one.taken.any() for one in candidates):
            return []
        packets = []
        for one, stream, direction in zip(candidates, streams, directions):
            rows = np.flatnonzero(one.taken)
            packets.append(_split_datagrams(one, rows, stream[rows], direction[rows]))
        return [made for one, facts in zip(packets, self._track(packets)) for made in _groups(one, facts, frames)]

    def _take(self, candidates: list[QuicCandidates], streams: list[np.ndarray], first_heads: list[Heads]) -> None:
        """Fill `taken` of all: what is QUIC's, or comes behind it in its stream."""
        clear, may, order = [], [], []
        for one, found in zip(candidates, first_heads):
            row = one.spans.row
            own = (one.headers["udp.srcport"][row] == PORT) | (one.headers["udp.dstport"][row] == PORT)
            live = ~one.spans.quoted
            clear.append(live & (quic_packets.sure(found, one.spans.start, one.spans.wire) | (own & quic_packets.fair(found))))
            may.append(live & (found.kind >= 0) & (one.spans.end > one.spans.start))
            order.append(one.spans.frame * 64 + one.depth)
        stream, when, first = np.concatenate(streams), np.concatenate(order), np.concatenate(clear)
        active = np.flatnonzero(first)
        active = active[np.argsort(when[active], kind="stable")]
        used, at = np.unique(stream[active], return_index=True)
        since = np.full(int(stream.max(initial=0)) + 1, np.iinfo(np.int64).max)
        since[used] = when[active[at]]
        known = self.number[stream] >= 0
        took = np.concatenate(may) & (known | (when >= since[stream])) if len(stream) else first
        done = 0
        for one in candidates:
            one.taken = took[done : done + len(one.spans.frame)]
            done += len(one.spans.frame)

    def _track(self, packets: list[QuicPackets]) -> list[PacketFacts]:
        """What is known of the packets of all groups: their connections' numbers, the sizes of their ids, Initials that were opened."""
        group = np.concatenate([np.full(len(one.start), i) for i, one in enumerate(packets)])
        row = np.concatenate([np.arange(len(one.start)) for one in packets])
        stream, direction, frame, start = (
            np.concatenate([getattr(one, name) for one in packets]) for name in ("stream", "direction", "frame", "start")
        )
        kind, whole = (np.concatenate([getattr(one.heads, name) for one in packets]) for name in ("kind", "whole"))
        scid = np.concatenate([one.heads.scid[:, 1] - one.heads.scid[:, 0] for one in packets])
        order = np.lexsort((start, np.concatenate([np.full(len(one.start), one.depth) for one in packets]), frame))
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        numbered, used = self.number[stream], self.sized[stream, direction]

        facts = [PacketFacts(len(one.start)) for one in packets]
        fresh = order[np.unique(stream[order], return_index=True)[1]]
        looks = whole & ((kind == quic_packets.INITIAL) | (kind == quic_packets.RETRY))
        looks[fresh[self.number[stream[fresh]] < 0]] = True
        events = []  # stream, place, number of its connection from there on
        for at in order[looks[order]].tolist():
            self._handle(packets[group[at]], int(row[at]), facts[group[at]])
            events.append((int(stream[at]), int(place[at]), int(self.number[stream[at]])))

        # The number of a packet's connection and the size of its id are the latest that are known of them.
        changes = np.array(events, np.int64).reshape(-1, 3)
        number = _last(changes[:, 0], changes[:, 1], changes[:, 2], stream, place, numbered)
        long = np.flatnonzero(whole & (kind != quic_packets.SHORT))
        long = long[np.argsort(place[long])]
        sized = _last(2 * stream[long] + 1 - direction[long], place[long], scid[long], 2 * stream + direction, place, used)
        self.sized[stream[long], 1 - direction[long]] = scid[long]
        for i, fact in enumerate(facts):
            fact.number, fact.sized = number[group == i], sized[group == i]
        return facts

    def _handle(self, one: QuicPackets, i: int, fact: PacketFacts) -> None:
        """An Initial or a Retry packet, or the first packet of a stream."""
        stream, direction = int(one.stream[i]), int(one.direction[i])
        known = self.open.pop(stream, None)
        connection = known or Connection()
        self.open[stream] = connection
        if self.number[stream] < 0:
            self._new(stream)
        if known is None and len(self.open) > CONNECTIONS:
            self._forget(next(iter(self.open)))
        kind, version = int(one.heads.kind[i]), int(one.heads.version[i])
        data = one.headers.buffer
        dcid, scid = (bytes(data[slice(*bounds[i].tolist())]) for bounds in (one.heads.dcid, one.heads.scid))
        packet = bytes(data[int(one.start[i]) : int(one.end[i])])
        if kind == quic_packets.RETRY:
            if connection.client == 1 - direction and connection.left:
                connection.left -= 1
                connection.retry = scid
                fact.genuine[i] = quic_packets.genuine(version, connection.dcid, packet)
            return
        if kind != quic_packets.INITIAL or not one.heads.whole[i]:
            return
        if one.wire[i] > one.end[i]:
            fact.why[i] = CUT
            if connection.client < 0:  # what tells the keys is there
                connection.client, connection.dcid = direction, dcid
        elif quic_packets.secret(version) is None:
            fact.why[i] = NO_VERSION
        elif not connection.left:
            fact.why[i] = ENOUGH
        else:
            connection.left -= 1
            self._open(stream, direction, version, dcid, packet, int(one.heads.payload[i] - one.start[i]), fact, i)

    def _open(self, stream: int, direction: int, version: int, dcid: bytes, packet: bytes, at: int, fact: PacketFacts, i: int) -> None:
        """Read an Initial packet: with the keys of its connection, else with those that a client makes of this id."""
        connection = self.open[stream]
        found = None
        if connection.client >= 0:
            if version not in connection.keys:
                connection.keys[version] = quic_packets.keys(version, connection.dcid)
            own = connection.keys[version]
            crypto = connection.directions[direction != connection.client]
            found = own and quic_packets.opened(own[direction != connection.client], packet, at, crypto.largest + 1)
        if not found and (version, dcid) not in connection.tried:
            connection.tried.add((version, dcid))
            own = quic_packets.keys(version, dcid)
            found = own and quic_packets.opened(own[0], packet, at, 0)
            if found:
                if connection.active and connection.retry != dcid:  # another connection between the same ports
                    self._forget(stream, 0)
                    connection = self.open[stream] = Connection()
                    self._new(stream)
                connection.client, connection.dcid, connection.keys = direction, dcid, {version: own}
        if not found:
            fact.why[i] = NO_KEY
            return
        clear, number, begin = found
        crypto = connection.directions[direction != connection.client]
        crypto.largest = max(crypto.largest, number)
        before = len(packet)
        frames, _ = quic_packets.parts(memoryview(clear), begin, before - quic_packets.TAG)
        for frame in frames:
            if frame.kind == quic_packets.CRYPTO:
                self.held += crypto.add(frame.values[0], clear[slice(*frame.data)])
        messages = crypto.messages()
        self.held -= len(messages)
        fact.why[i], fact.packet[i], fact.opened[i] = OPENED, number, (clear, begin, messages)
        while self.held > CRYPTO_HELD:
            self._forget(next(iter(self.open)))

    def _new(self, stream: int) -> None:
        self.number[stream] = self.count
        self.count += 1

    def _forget(self, stream: int, counts: int = 1) -> None:
        gone = self.open.pop(stream)
        self.held -= gone.held
        self.lost += not gone.over and counts


class PacketFacts:
    """What is known of n packets. number: of the connection. sized: bytes of the id of a short header, -1 unknown. why: what became
    of an Initial. packet: its number. genuine: of a Retry, 1 if its tag is good, 0 if not, -1 unknown. opened: by packet, its
    bytes without protection, where frames begin in them, and the handshake messages that it makes whole."""

    def __init__(self, n: int) -> None:
        self.number = self.sized = np.zeros(n, np.int64)
        self.why, self.packet, self.genuine = np.full(n, NOT_INITIAL), np.full(n, -1), np.full(n, -1)
        self.opened: dict[int, tuple[bytes, int, bytes]] = {}


@dataclass
class QuicPackets:
    """Packets of datagrams, in their order; arrays (n,), int64. row: of the UDP header. rest: bytes behind the last of a datagram
    that are no packet."""

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


def _split_datagrams(one: QuicCandidates, rows: np.ndarray, stream: np.ndarray, direction: np.ndarray) -> QuicPackets:
    """The packets of these datagrams. RFC 9000 §12.2."""
    buffer, some = one.headers.buffer, one.spans.take(rows)
    which, at = np.arange(len(rows)), some.start
    found: list[tuple[np.ndarray, ...]] = []
    for nth in range(COALESCED):
        end, wire = some.end[which], some.wire[which]
        heads = quic_packets.heads(buffer, at, end, np.zeros(len(which), np.int64))
        # A packet without room for its number (RFC 9001 §5.4.2) is the last.
        counted = heads.whole & (heads.kind <= quic_packets.HANDSHAKE) & (heads.length >= quic_packets.NUMBER)
        stop = np.where(counted, np.minimum(heads.stop, wire), wire)
        goes = np.flatnonzero(stop < end)
        more = goes[_is_packet(buffer, stop[goes], end[goes])] if nth + 1 < COALESCED else goes[:0]
        rest = np.zeros(len(which), np.int64)
        rest[goes] = (wire - stop)[goes]
        rest[more] = 0
        found.append((which, at, np.minimum(stop, end), stop, rest))
        which, at = which[more], stop[more]
        if not len(which):
            break
    of, start, end, wire, rest = (np.concatenate(column) for column in zip(*found))
    order = np.lexsort((start, of))
    of, start, end, wire, rest = (column[order] for column in (of, start, end, wire, rest))
    heads = quic_packets.heads(buffer, start, end, np.zeros(len(of), np.int64))
    return QuicPackets(one.headers, one.depth, some.row[of], some.frame[of], stream[of], direction[of], start, end, wire, rest, heads)


def _is_packet(buffer: np.ndarray, at: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Whether another packet begins there: its fixed bit is set, and its header fits."""
    found = quic_packets.heads(buffer, at, end, np.zeros(len(at), np.int64))
    return found.whole & (found.first & 0x40 > 0) & (found.kind >= 0)


def _last(of: np.ndarray, when: np.ndarray, value: np.ndarray, who: np.ndarray, now: np.ndarray, default: np.ndarray) -> np.ndarray:
    """The latest value of each `who` by `now`, else the default; all int64."""
    if not len(of):
        return default
    order = np.lexsort((when, of))
    of, value = of[order], value[order]
    span = max(int(when.max()), int(now.max())) + 1
    at = np.searchsorted(of * span + when[order], who * span + now, "right") - 1
    hit = (at >= 0) & (of[at] == who)
    return np.where(hit, value[at], default)


def _groups(one: QuicPackets, fact: PacketFacts, frames: int) -> list[Carried]:
    """The packets of one group of UDP headers: those of datagrams with an opened packet in a buffer made for them, the others where
    they lie. A packet that makes handshake messages whole has them behind its own bytes there."""
    count = len(one.start)
    size = one.wire - one.start
    zero = np.zeros((count, 2), np.int64)
    made = np.zeros(count, bool)
    made[list(fact.opened)] = True
    key = one.frame << 32 | one.row
    made = np.isin(key, key[made])
    known = {"number": fact.number, "sized": fact.sized, "why": fact.why, "packet": fact.packet, "genuine": fact.genuine}
    known |= {"size": size, "rest": one.rest}
    found = []
    rows = np.flatnonzero(~made)
    if len(rows):
        spans = Spans(one.frame[rows], one.start[rows], one.end[rows], one.wire[rows], np.zeros(len(rows), bool), one.row[rows])
        columns = {name: column[rows] for name, column in (*known.items(), ("clear", zero), ("messages", zero))}
        found.append(Carried("quic", one.headers, spans, "udp.port", one.headers.buffer, one.headers.base, columns))
    rows = np.flatnonzero(made)
    if len(rows):
        data = bytearray()
        start, end, clear, messages = (np.zeros(n, np.int64) for n in (len(rows), len(rows), (len(rows), 2), (len(rows), 2)))
        for n, i in enumerate(rows.tolist()):
            at = start[n] = len(data)
            packet, begin, more = fact.opened.get(i) or (bytes(one.headers.buffer[one.start[i] : one.end[i]]), 0, b"")
            data += packet
            if begin:
                clear[n] = at + begin, len(data) - quic_packets.TAG
            messages[n] = len(data), len(data) + len(more)
            data += more
            end[n] = len(data)
        wire = end + (one.wire - one.end)[rows]
        base = np.zeros(frames, np.int64)
        base[one.frame[rows][::-1]] = start[::-1]
        spans = Spans(one.frame[rows], start, end, wire, np.zeros(len(rows), bool), one.row[rows])
        columns = {name: column[rows] for name, column in known.items()} | {"clear": clear, "messages": messages}
        buffer = np.frombuffer(bytes(data) + bytes(SLACK), np.uint8)
        found.append(Carried("quic", one.headers, spans, "udp.port", buffer, base, columns))
    return found
