"""Demultiplexing: number spaces, what numbers in them lead to, and what the user says of ports (`-d`)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from .errors import UsageError, nearest
from .fields import Headers, Reading, Spans
from .protocols import protocols
from .tcp.messages import UNDECIDED

PORTS = ("tcp.port", "udp.port")
NO_NUMBER = 1 << 16  # beyond the last number of every space


class DecodeAs(NamedTuple):
    """The ports first…last of this space lead to this protocol, by the user's word; 'data': to none."""

    space: str
    first: int
    last: int
    protocol: str


def parse_decode_as(text: str) -> DecodeAs:
    """What `-d tcp.port==8081,http` means, or `udp.port==5000-5010,rtp`. Raises UsageError."""
    match = re.fullmatch(r"\s*(\w+\.\w+)\s*==\s*(\d{1,5})(?:-(\d{1,5}))?\s*,\s*([\w.-]+)\s*", text)
    if match is None:
        raise UsageError(f"-d {text!r} is not understood; it looks like tcp.port==8081,http")
    space, low, high, name = match[1], int(match[2]), int(match[3] or match[2]), match[4]
    if space not in PORTS:
        raise UsageError(f"-d knows {' and '.join(PORTS)}, not {space!r}")
    if not low <= high < NO_NUMBER:
        raise UsageError(f"-d {text!r}: no such ports; they end at {NO_NUMBER - 1}")
    known = {p.display_name: p.name for p in protocols().values() if space in p.on} | {"data": ""}
    known |= {name: name for name in known.values() if name}
    if name not in known:
        raise UsageError(f"-d {text!r}: {name!r} is none of those that {space} may lead to{nearest(name, known)}")
    return DecodeAs(space, low, high, known[name])


class Demultiplexer:
    """What numbers lead to. Protocols are counted in the order of `names`; -1 is none.

    overrides: what the user says of ports. spaces: for each number space, the protocol of each number, int16; its last entry is for
    all numbers beyond. declared: the same of ports, as the protocols say. user: what the user says of ports, UNDECIDED where nothing.
    """

    def __init__(self, overrides: Iterable[DecodeAs] = ()) -> None:
        self.protocols = tuple(protocols().values())
        self.names = list(protocols())
        self.spaces: dict[str, np.ndarray] = {}
        self._port_checks: dict[str, list[int]] = {}  # protocols that look at the bytes behind their ports
        for index, p in enumerate(self.protocols):
            for space, numbers in p.on.items():
                table = self.spaces.setdefault(space, np.full(NO_NUMBER + 1, -1, np.int16))
                for number in (numbers,) if isinstance(numbers, int) else numbers:
                    table[number] = index
                if p.probe_port and space in PORTS:
                    self._port_checks.setdefault(space, []).append(index)
        probed = [index for index, p in enumerate(self.protocols) if p.probe]
        self.probes = sorted(probed, key=lambda index: self.protocols[index].precedence)
        self.declared = {space: self.spaces[space].copy() for space in PORTS}
        self.user = {space: np.full(NO_NUMBER + 1, UNDECIDED, np.int16) for space in PORTS}
        self._overridden = set()
        for one in overrides:
            self._overridden.add(one.space)
            number = self.names.index(one.protocol) if one.protocol else -1
            for table in (self.spaces[one.space], self.user[one.space]):
                table[one.first : one.last + 1] = number

    def find(self, space: str, numbers: tuple[np.ndarray, ...], buffer: np.ndarray, spans: Spans) -> np.ndarray:
        """The protocol of each of these payloads, int64 (n,). numbers: of several, the first that leads somewhere counts."""
        found = np.full(len(spans.frame), -1, np.int64)
        table = self.spaces.get(space)
        if table is None:
            return found
        overridden = space in self._overridden
        for number in reversed(numbers):
            protocol = table[number if number.dtype.itemsize <= 2 else np.minimum(number, NO_NUMBER)]
            declared = self.user[space][number] == UNDECIDED if overridden else True
            for index in self._port_checks.get(space, ()):
                rows = np.flatnonzero((protocol == index) & declared)
                if len(rows):
                    protocol[rows[~self.agrees(index, buffer, spans.start[rows], spans.end[rows])]] = -1
            found = np.where(protocol >= 0, protocol, found)
        for number in reversed(numbers) if overridden else ():
            user = self.user[space][number]
            found = np.where(user != UNDECIDED, user, found)
        return found

    def agrees(self, index: int, buffer: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Which payloads may be this protocol's, of those that a port of its own names, bool (n,)."""
        p = self.protocols[index]
        assert p.probe_port is not None
        return p.probe_port(Reading(p.header, buffer, start, end))

    def undecided(self, space: str, numbers: tuple[np.ndarray, ...]) -> np.ndarray:
        """Whether the user says nothing of these ports, bool (n,)."""
        return (np.stack([self.user[space][number] for number in numbers]) == UNDECIDED).all(axis=0)

    def probe(self, found: np.ndarray, free: np.ndarray, buffer: np.ndarray, spans: Spans, announcing: bool = False) -> None:
        """Write into `found` the protocols of payloads that have none and are free (bool), as far as their bytes tell.

        announcing: only those that announce connections of others.
        """
        for index in self.probes:
            p = self.protocols[index]
            if p.announces or not announcing:
                rows = np.flatnonzero((found < 0) & free)
                if len(rows) and p.probe is not None:
                    found[rows[p.probe(Reading(p.header, buffer, spans.start[rows], spans.end[rows]))]] = index

    def guesses(self, h: Headers, rows: np.ndarray) -> list[tuple[str | None, str | None]]:
        """What the ports of these headers of `tcp` or `udp`, and of UDP the bytes, say that they carry."""
        space = f"{h.protocol.name}.port"
        ends = [h[f"{h.protocol.name}.{end}"][rows] for end in ("srcport", "dstport")]
        first, second = (self.declared[space][end] for end in (np.minimum(*ends), np.maximum(*ends)))
        by_port = np.where(first >= 0, first, second)
        start = h.start[rows] + h.layout.size
        end = np.maximum(np.minimum(h.end, h.wire)[rows], start)
        by_bytes = np.full(len(rows), -1)
        if space == "udp.port":
            spans = Spans(rows, start, end, end, h.quoted[rows], rows)
            self.probe(by_bytes, np.ones(len(rows), bool), h.buffer, spans)
        shown = [*(p.display_name for p in self.protocols), None]
        return [(shown[a], shown[b]) for a, b in zip(by_port.tolist(), by_bytes.tolist())]
