"""Expectations: connections and datagrams that a control conversation announces, as FTP's data connections and SDP's media.

An announcement is an address and port. Traffic from or to there in later frames has the announced protocol, whatever the port. The
latest announcement counts. FTP: RFC 959 §3.2, RFC 2428; SDP: RFC 8866 §5.14, RFC 3550 §11.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .._conversations import Numbers
from ..fields import Carried, Headers, Reading, Spans, ipv6
from ..protocols import protocols
from ..protocols.sdp import media
from . import DatagramClaimer, PendingDatagrams, StreamClaimer, forgot

if TYPE_CHECKING:
    from ..capture import Batch
    from ..tcp.tracker import Segments

MOST = 100_000  # announcements, and transfer commands, remembered
NEVER = np.iinfo(np.int64).max
TRANSFERS = {"RETR", "STOR", "STOU", "APPE", "LIST", "NLST", "MLSD"}
METHODS = {  # command → fields of address (none: the sender's) and port
    "PORT": ("ftp.active.cip", "ftp.active.port"),
    "EPRT": ("ftp.eprt.ip", "ftp.eprt.port"),
    "PASV": ("ftp.passive.ip", "ftp.passive.port"),
    "EPSV": ("", "ftp.epsv.port"),
}
End = tuple[int, int]  # an address as a number, a port


class Announcement(NamedTuple):
    """frame, stream: of the announcement. protocol: the announced one. method: the command, or SDP."""

    frame: int
    protocol: str
    stream: int
    method: str


class Expectations:
    """Announced ends; at most MOST announcements are remembered."""

    def __init__(self) -> None:
        self._known: dict[End, list[Announcement]] = {}
        self._arrays: dict[End, tuple[np.ndarray, np.ndarray]] = {}
        self._oldest: deque[End] = deque()
        self.forgotten = 0

    def __len__(self) -> int:
        return len(self._known)

    def add(self, end: End, announcement: Announcement) -> None:
        """Remember an announcement; those of one end must come in the order of their frames."""
        known = self._known.setdefault(end, [])
        if known and known[-1].frame == announcement.frame:
            return
        known.append(announcement)
        self._arrays.pop(end, None)
        self._oldest.append(end)
        if len(self._oldest) > MOST:
            oldest = self._oldest.popleft()
            self._known[oldest].pop(0)
            self._arrays.pop(oldest, None)
            if not self._known[oldest]:
                del self._known[oldest]
            self.forgotten += 1

    def all(self, end: End) -> tuple[np.ndarray, np.ndarray] | None:
        """The announcements of this end: frames (int64), ascending, and protocols (object); None if there are none."""
        known = self._known.get(end)
        if known is None:
            return None
        if end not in self._arrays:
            self._arrays[end] = np.array([a.frame for a in known], np.int64), np.array([a.protocol for a in known], object)
        return self._arrays[end]

    def of(self, ends: tuple[End, ...], frame: int) -> Announcement | None:
        """The latest announcement before `frame` of the first of these ends that has one."""
        for end in ends:
            known = self._known.get(end)
            if known is not None:
                at = bisect_left(known, frame, key=lambda announcement: announcement.frame)
                if at:
                    return known[at - 1]
        return None


class FtpExpectations(StreamClaimer):
    """FTP's data connections, and their control connections."""

    reads = ("ftp",)
    opens = "ftp.data"

    def __init__(self, wanted: AbstractSet[str]) -> None:
        super().__init__(wanted)
        self._expected = Expectations()
        self._commands: dict[int, list[tuple[int, str]]] = {}  # of each control connection: frame, command
        self._count = 0
        self._links: dict[int, tuple[Announcement, tuple[int, str] | None]] = {}

    def feed(self, headers: list[Headers], batch: Batch) -> None:
        announced: list[tuple[int, End, Announcement]] = []
        for h in headers:
            stream = (h.context_of("direction") >> 1).tolist()
            frame = (h.frame + batch.first).tolist()
            for method, (address, port) in METHODS.items():
                ports, rows = h.column(port)
                assert rows is not None
                senders = _senders(h, rows)
                named = dict(zip(*(column.tolist() for column in reversed(h.column(address))))) if address else {}
                if method == "EPRT":
                    six, at = h.column("ftp.eprt.ipv6")
                    assert at is not None
                    named |= {row: int.from_bytes(value, "big") for row, value in zip(at.tolist(), six.tolist())}
                for row, number, sender in zip(rows.tolist(), ports.tolist(), senders):
                    announcement = Announcement(frame[row], "ftp.data", stream[row], method)
                    announced += [(frame[row], (end, number), announcement) for end in {sender, named.get(row, sender)}]
            words, rows = h.column("ftp.request.command")
            assert rows is not None
            changed = set()
            args = dict(zip(*(column.tolist() for column in reversed(h.column("ftp.request.arg")))))
            for row, word in zip(rows.tolist(), words.tolist()):
                if word.upper() in TRANSFERS and self._count < MOST:
                    self._commands.setdefault(stream[row], []).append((frame[row], f"{word} {args[row]}" if row in args else word))
                    self._count += 1
                    changed.add(stream[row])
            for number in changed:
                self._commands[number].sort()
        for _, end, announcement in sorted(announced):
            self._expected.add(end, announcement)

    def decide(self, segments: Segments, rows: np.ndarray) -> np.ndarray:
        announced = np.zeros(len(rows), bool)
        if not len(self._expected):
            return announced
        key = np.frombuffer(segments.keys, np.uint64).reshape(-1, 5)[rows].tolist()
        back, frame, stream = (segments[name][rows].tolist() for name in ("back", "frame", "stream"))
        for i, (a_high, a_low, b_high, b_low, ports) in enumerate(key):
            ends = ((a_high << 64 | a_low, ports >> 16 & 0xFFFF), (b_high << 64 | b_low, ports & 0xFFFF))
            announcement = self._expected.of(ends if back[i] else ends[::-1], frame[i])  # the destination first
            if announcement is not None:
                self._links[stream[i]] = announcement, None
                announced[i] = True
        return announced

    def annotate(self, h: Headers, first: int) -> None:
        """The fields `ftp-data.…`."""
        stream = h.context_of("direction") >> 1
        order = np.argsort(stream, kind="stable")
        used = np.unique(stream)
        bounds = np.searchsorted(stream[order], np.append(used, used[-1:] + 1)).tolist()
        columns: dict[str, tuple[list[np.ndarray], list[np.ndarray]]] = {}
        for n, number in enumerate(used.tolist()):
            if number not in self._links:
                continue
            link, command = self._links[number]
            if command is None:
                commands = self._commands.get(link.stream, [])
                at = bisect_right(commands, link.frame, key=lambda known: known[0])
                command = commands[at] if at < len(commands) else None
                self._links[number] = link, command
            rows = order[bounds[n] : bounds[n + 1]]
            later = rows[h.frame[rows] + first > command[0]] if command is not None else rows[:0]
            facts: tuple[tuple[str, object, np.ndarray], ...] = (
                ("setup-frame", link.frame, rows),
                ("setup-method", link.method, rows),
                ("control", link.stream, rows),
                ("command", command and command[1], later),
                ("command-frame", command and command[0], later),
            )
            for name, value, where in facts:
                if len(where):
                    values, places = columns.setdefault(name, ([], []))
                    values.append(np.full(len(where), value, object if isinstance(value, str) else np.int64))
                    places.append(where)
        for name, (parts, places) in columns.items():
            rows = np.concatenate(places)
            order = np.argsort(rows, kind="stable")
            h.put(f"ftp-data.{name}", np.concatenate(parts)[order], rows[order])

    def forgotten(self) -> Iterator[str]:
        return forgot(self._expected.forgotten, "announcements of FTP", "a later data connection belongs to none")


def _senders(h: Headers, rows: np.ndarray) -> list[int]:
    """The source address of each of these headers as an integer, -1 if there is none."""
    net, at = h.network_layer() or (None, h.row)
    names = net.protocol.addresses if net is not None else None
    if net is None or names is None:
        return [-1] * len(rows)
    values = net[names[0]][at[rows]].tolist()
    six = net.layout.places[names[0]].field.kind is ipv6
    return [int.from_bytes(value, "big") for value in values] if six else values


class SdpExpectations(DatagramClaimer):
    """Datagrams on ports announced by SDP. RTP and RTCP may share a port: RFC 5761."""

    reads = ("sdp",)
    opens = ("rtp", "rtcp")
    precedence = 1

    def __init__(self, wanted: AbstractSet[str]) -> None:
        super().__init__(wanted)
        self._expected = Expectations()
        self._ports = np.zeros(1 << 16, bool)

    def feed(self, headers: list[Headers], batch: Batch) -> None:
        announced: list[tuple[int, End, Announcement]] = []
        for h in headers:
            for one in media(h):
                if one.address is None or not one.port or not one.proto.startswith("RTP/") or h.quoted[one.row]:
                    continue
                frame = int(h.frame[one.row]) + batch.first
                for protocol, port in (("rtp", one.port), ("rtcp", one.control)):
                    if 0 < port < 1 << 16 and (protocol == "rtp" or port != one.port):
                        announced.append((frame, (one.address, port), Announcement(frame, protocol, 0, "SDP")))
                        self._ports[port] = True
        for _, end, announcement in sorted(announced):
            self._expected.add(end, announcement)

    def claim(self, pending: list[PendingDatagrams], batch: Batch) -> list[Carried]:
        claimed = []
        for one in pending:
            for name, (rows, frame) in self._find(one.headers, one.spans, batch.first).items():
                rows, frame = rows[one.free[rows]], frame[one.free[rows]]
                for protocol in self.opens if name == "rtp" else (name,):
                    good = self._is(protocol, one, rows)
                    if protocol == "rtp":
                        good &= ~self._is("rtcp", one, rows)
                    if good.any():
                        method = np.full(int(good.sum()), "SDP", object)
                        fields = {f"{protocol}.setup-frame": frame[good], f"{protocol}.setup-method": method}
                        claimed.append(one.claim(protocol, rows[good], fields))
                    rows, frame = rows[~good], frame[~good]
        return claimed

    @staticmethod
    def _is(name: str, one: PendingDatagrams, rows: np.ndarray) -> np.ndarray:
        """Which of these payloads pass the protocol's `probe_port`, bool (n,)."""
        p, spans = protocols()[name], one.spans.take(rows)
        assert p.probe_port is not None
        return p.probe_port(Reading(p.header, one.headers.buffer, spans.start, spans.end))

    def _find(self, h: Headers, spans: Spans, first: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """The announced payloads at `spans` of these UDP headers: protocol → (indices, frame of the announcement), int64.

        If both ends were announced, the older announcement counts: the offer."""
        if not len(self._expected):
            return {}
        ports = [h[f"udp.{name}"][spans.row].astype(np.int64) for name in ("srcport", "dstport")]
        some = np.flatnonzero(self._ports[ports[0]] | self._ports[ports[1]])
        net, at = h.network_layer() or (None, h.row)
        names = net.protocol.addresses if net is not None else None
        if not len(some) or net is None or names is None:
            return {}
        own = at[spans.row[some]]
        if net.layout.places[names[0]].field.kind is ipv6:
            words = [net[name][own].view(">u8").reshape(-1, 2).astype(np.uint64) for name in names]
        else:
            words = [np.column_stack((np.zeros(len(own), np.uint64), net[name][own].astype(np.uint64))) for name in names]
        tail = (ports[0][some] << 16 | ports[1][some]).astype(np.uint64)
        keys = np.column_stack((*words, tail))
        inverse = np.empty(len(keys), np.int64)
        Numbers().number(keys.view(f"V{8 * keys.shape[1]}").reshape(-1).tolist(), inverse.data)
        used = keys[np.unique(inverse, return_index=True)[1]]
        frame = spans.frame[some] + first
        order = np.argsort(inverse, kind="stable")
        bounds = np.searchsorted(inverse[order], np.arange(len(used) + 1)).tolist()
        matches: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
        for n, (a_high, a_low, b_high, b_low, both) in enumerate(used.tolist()):
            rows = order[bounds[n] : bounds[n + 1]]
            since, protocol = np.full(len(rows), NEVER), np.zeros(len(rows), object)
            for end in ((a_high << 64 | a_low, both >> 16), (b_high << 64 | b_low, both & 0xFFFF)):
                known = self._expected.all(end)
                if known is not None:
                    which = np.searchsorted(known[0], frame[rows]) - 1
                    frames = np.where(which >= 0, known[0][which], NEVER)
                    protocol = np.where(frames < since, known[1][which], protocol)
                    since = np.minimum(frames, since)
            for name in ("rtp", "rtcp"):
                mine = protocol == name
                if mine.any():
                    matches.setdefault(name, []).append((some[rows[mine]], since[mine]))
        result = {}
        for name, parts in matches.items():
            row, frames = (np.concatenate(column) for column in zip(*parts))
            order = np.argsort(row, kind="stable")
            result[name] = row[order], frames[order]
        return result

    def forgotten(self) -> Iterator[str]:
        return forgot(self._expected.forgotten, "announcements of SDP", "what comes on these ports is data")
