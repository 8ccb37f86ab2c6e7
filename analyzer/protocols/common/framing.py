"""Framing: where the messages of an application begin and end in the bytes of a TCP stream."""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from . import _framing

PROBE_SIZE = 16  # bytes that tell whether a message begins
GREETING_SIZE = 64  # the same of a stream's first message: servers name their protocol somewhere in a line
WHOLE = "messages.whole"  # asked for like a field: framers that keep only the begin of a body stream all of it


@dataclass
class ContiguousRuns:
    """Bytes of stream directions without a hole, sorted by direction, then position; arrays of shape (k,).

    data: uint8; run i is data[start[i]:end[i]]. direction: int64, twice the stream's number, plus 1 from the greater end of its key.
    position: int64, of its first byte. gap: int64, bytes missing right before it. ended: bool, the direction ends with it. The first
    run of a direction continues where the framer stopped reading.
    rows: int64 (n, columns of `_reassembly.OUTPUT`), the events that the runs consist of, one for each segment's data; that of row j
    begins at data[place[j]], came in frame[j] at time[j] (ns) and was put in order by frame by[j]. first: int64 (k,), the first row of
    each run. until: int64 (k,), the frame that ended the run or brought its last bytes.
    """

    data: np.ndarray
    direction: np.ndarray
    start: np.ndarray
    end: np.ndarray
    position: np.ndarray
    gap: np.ndarray
    ended: np.ndarray
    rows: np.ndarray
    place: np.ndarray
    frame: np.ndarray
    time: np.ndarray
    by: np.ndarray
    first: np.ndarray
    until: np.ndarray

    @property
    def last(self) -> np.ndarray:
        """Whether nothing will be added to a run: a hole follows, or its direction ended; bool (k,)."""
        return self.ended | (np.append(self.direction[1:], -1)[: len(self.direction)] == self.direction)

    def segments(self, start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The segments whose data is in the messages data[start:end] (int64 (m,), none empty): rows first…last - 1, int64 (m,).

        Their frames are Wireshark's `tcp.segment`, their number `tcp.segment.count`; `by` of the last is `tcp.reassembled_in`: the
        frame that completed the message.
        """
        return np.searchsorted(self.place, start, "right") - 1, np.searchsorted(self.place, end, "left")


class Framed(NamedTuple):
    """Complete messages; arrays of shape (m,), int64.

    data: uint8, message i is data[start[i]:end[i]]. size: bytes in the stream. direction: as in `ContiguousRuns`. by: the frame that
    completed it. counts: in how many segments it came; frames: (sum of counts,), theirs. upto: (runs,), how far each run was read.
    lost_by, lost: (l,), bytes in no message, because bytes before them are missing or no message begins there, and the frame that
    brought them. columns: what the framer knows of messages beyond their bytes, (m,) each, the context of their headers; `pieces`, if
    it is there, is the number of segments where counts are fewer. upgrades: int64 (b, 4), what follows in a direction is another
    protocol: in that run, from data[place] on, as was known with that frame; the last is the index in `upgraded_to` of the protocol
    that was agreed on, '' where the bytes that follow must tell.
    """

    data: np.ndarray
    start: np.ndarray
    end: np.ndarray
    size: np.ndarray
    direction: np.ndarray
    by: np.ndarray
    counts: np.ndarray
    frames: np.ndarray
    upto: np.ndarray
    lost_by: np.ndarray
    lost: np.ndarray
    columns: Mapping[str, np.ndarray] = MappingProxyType({})
    upgrades: np.ndarray = np.zeros((0, 4), np.int64)
    upgraded_to: tuple[str, ...] = ("",)


class Framer(Protocol):
    """Finds the messages of one protocol in TCP streams; keeps its own state from batch to batch.

    any_port: whether `probe_stream` tells the protocol from others on any port; else it is looked for on its ports only.
    precedence: of the grammars that match the first bytes of a stream, the lowest takes it; those of equal precedence share none.
    """

    any_port: bool
    precedence: int

    def probe_stream(self, first: np.ndarray, size: np.ndarray) -> np.ndarray:
        """Whether a stream may begin with these bytes, bool (n,). first: uint8 (n, 16 or more), zeros behind size (int64) bytes."""
        ...

    def split(self, s: ContiguousRuns) -> Framed:
        """The messages that these runs complete, of each direction in order."""
        ...


@runtime_checkable
class KeepsIncomplete(Protocol):
    """A framer that takes in messages before they are complete: some wait when the trace has ended."""

    def pending(self) -> list[tuple[int, int]]:
        """Frame of the first byte of each, and its bytes."""
        ...

    def unfinished(self) -> tuple[np.ndarray, Mapping[str, np.ndarray]]:
        """Their bytes, uint8, and columns (m,), `direction`, `start`, `end` and `by` (0) among them. To be called once."""
        ...


@runtime_checkable
class ProbesMidstream(Protocol):
    """A framer whose protocol may begin in the middle of a stream of an unknown one (STARTTLS)."""

    def probe_midstream(self, first: np.ndarray, size: np.ndarray) -> np.ndarray:
        """Whether a stream changes to this protocol with a segment of these bytes; arguments as in `probe_stream`."""
        ...


@runtime_checkable
class StreamsBodies(Protocol):
    """A framer that keeps only the begin of a body, and can stream the bytes of bodies as they come instead.

    bodies: fields and protocols that are made of the bytes of bodies.
    """

    bodies: frozenset[str]

    def skim(self) -> None:
        """From now on keep no bodies: nobody asks for what is made of them."""
        ...

    def hand_on(self) -> None:
        """From now on keep no bodies, but stream them."""
        ...

    def take(self) -> list[tuple[int, bytes | int]]:
        """What came since the last call: (number of the message, bytes), or how many bytes are missing."""
        ...


@dataclass
class StreamFramer:
    """Messages whose own bytes tell where they end: by a length in the header, or by a terminator. A protocol declares which.

    header: bytes that must be there before anything is decided, at least one. at, width: where in it the length is, and its bytes,
    big-endian; varint: the length has one to `width` bytes of 7 bits, the least significant first (MQTT 5.0 §1.5.5). offset: bytes of
    a message that the length does not count, a varint's own aside. limit: bytes of a message; a greater length is none.
    first: what the first byte of a message may be; second: what its second byte is; None: any. skip: bytes before a message that are
    not part of it. any_port, precedence: as in `Framer`.
    find_end, in place of a length: (bytes, at) → where the message that begins at bytes[at] ends, 0: not there yet, -1: no message
    begins there. An end behind the last byte is that of an incomplete message; if nothing follows, the message ends early.
    between: what may stand between messages.

    Behind a hole, and where no message begins, all is lost up to the first segment whose own bytes pass `probe_message`: so the result
    does not depend on what a batch holds. State: the directions in which that segment has not come, and those in which bytes were lost
    behind the last message.
    """

    header: int
    limit: int
    at: int = 0
    width: int = 0
    varint: bool = False
    offset: int = 0
    first: tuple[int, ...] | None = None
    second: int | None = None
    skip: int = 0
    any_port: bool = True
    precedence: int = 0
    find_end: Callable[[bytes, int], int] | None = None
    between: re.Pattern[bytes] = re.compile(b"")
    adrift: set[int] = field(default_factory=set)
    broken: set[int] = field(default_factory=set)

    def probe_message(self, first: np.ndarray, size: np.ndarray) -> np.ndarray:
        """Whether a message may begin with these bytes: its first bytes and its length are possible; as in `probe_stream`."""
        good = np.ones(len(first), bool)
        if self.width:
            octets = first[:, self.at : self.at + self.width].astype(np.int64)
            if self.varint:
                more = np.logical_and.accumulate(octets >= 128, axis=1)
                used = more.sum(axis=1) + 1  # one too many where the last says that another follows: no length
                octets[:, 1:] *= more[:, :-1]
                length = ((octets & 127) << 7 * np.arange(self.width)).sum(axis=1) + used + self.limit * (used > self.width)
            else:
                used = self.width
                length = (octets << 8 * np.arange(self.width)[::-1]).sum(axis=1)
            length += self.offset
            good = (size < self.at + np.minimum(used, self.width)) | ((length >= self.header) & (length <= self.limit))
        if self.first is not None:
            good &= np.isin(first[:, 0], self.first)
        if self.second is not None:
            good &= (size < 2) | (first[:, 1] == self.second)
        return good

    def probe_stream(self, first: np.ndarray, size: np.ndarray) -> np.ndarray:
        """Whether a stream may begin with these bytes: a message may."""
        return self.probe_message(first, size)

    def split(self, s: ContiguousRuns) -> Framed:
        """The messages that these runs complete, back to back."""
        new = np.diff(s.direction, prepend=-1) != 0
        drifts = (s.gap > 0) | (new & np.isin(s.direction, list(self.adrift))) if self.adrift else s.gap > 0
        run, start, end, upto, bad = self._walk(s, np.arange(len(s.direction)), drifts)
        again = np.zeros(len(s.direction), bool)
        again[bad[:, 0]] = True
        if again.any():  # where something is no message, once more, with the candidates for the next one
            keep = ~again[run]
            resumed = self._walk(s, np.flatnonzero(again), drifts, search=True)
            run, start, end = (np.concatenate((a[keep], b)) for a, b in zip((run, start, end), resumed))
            order = np.argsort(run, kind="stable")
            run, start, end = run[order], start[order], end[order]
            upto[again], bad = resumed[3], resumed[4]
        last = np.diff(s.direction, append=-1) != 0
        self.adrift -= set(s.direction[new & drifts].tolist())
        drifting = bad[(bad[:, 3] == 0) & last[bad[:, 0]] & ~s.ended[bad[:, 0]], 0]
        self.adrift.update(s.direction[drifting].tolist())
        lost_by, lost = _lost(s, bad)
        never = np.flatnonzero(s.last & (upto < s.end))  # a message that is never completed
        lost_by, lost = np.append(lost_by, s.until[never]), np.append(lost, (s.end - upto)[never])
        order = np.argsort(lost_by, kind="stable")
        framed = complete(s, run, start, end, upto, lost_by[order], lost[order])
        return framed._replace(start=framed.start + self.skip)

    def torn(self, s: ContiguousRuns, framed: Framed) -> np.ndarray:
        """Which of these messages follow bytes that are missing or lost, bool (m,). To be called once after each `split`."""
        n, run = len(s.direction), np.searchsorted(s.start, framed.start, "right") - 1
        first = np.diff(run, prepend=-1) != 0
        torn = (first & (s.gap[run] > 0)) | (framed.start != np.where(first, s.start[run], np.append(0, framed.end[:-1])[: len(first)]))
        leads = np.diff(framed.direction, prepend=-1) != 0
        if self.broken:
            torn |= leads & np.isin(framed.direction, list(self.broken))
            self.broken.difference_update(framed.direction[leads].tolist())
        reach, last = s.start.copy(), np.full(n, -1)
        reach[run] = framed.end  # that of the last in each
        last[run] = run
        fresh = np.flatnonzero(np.diff(s.direction, prepend=-1))
        if n:
            last = np.repeat(np.maximum.reduceat(last, fresh), np.diff(fresh, append=n))
        behind = (framed.upto > reach) & (np.arange(n) >= last) | (s.gap > 0) & (np.arange(n) > last)
        self.broken.update(s.direction[behind].tolist())
        return torn

    def find_messages(
        self, data: np.ndarray, begin: np.ndarray, end: np.ndarray, last: np.ndarray, candidates: np.ndarray
    ) -> tuple[Any, Any, Any]:
        """The complete messages in the runs data[begin:end] (int64 (k,)): arguments and result as of `_framing.prefixed`. last: bool
        (k,), whether nothing will be added to a run."""
        if self.find_end is not None:
            return self._find_ends(data, begin, end, last, candidates)
        heads = np.ones(256, np.uint8) if self.first is None else np.isin(np.arange(256), self.first).astype(np.uint8)
        second = -1 if self.second is None else self.second
        length = self.header, self.at, self.width, self.varint, self.offset, self.limit
        found: tuple[Any, Any, Any] = _framing.prefixed(data.data, begin.data, end.data, *length, heads.data, second, candidates.data)
        return found

    def _find_ends(
        self, data: np.ndarray, begin: np.ndarray, end: np.ndarray, last: np.ndarray, candidates: np.ndarray
    ) -> tuple[Any, Any, Any]:
        """`find_messages` with `find_end`."""
        assert self.find_end is not None
        found, upto, bad = array("q"), array("q"), array("q")
        for i, (here, stop, final) in enumerate(zip(begin.tolist(), end.tolist(), last.tolist())):
            run, at = data[here:stop].tobytes(), 0
            while (at := self.between.match(run, at).end()) < len(run):  # type: ignore[union-attr]  # it matches nothing, too
                behind, limit = self.find_end(run, at), at + self.limit
                if (behind == 0 and (final or len(run) < limit)) or (not final and len(run) < behind <= limit):
                    break
                if 0 < behind <= limit:
                    behind = min(behind, len(run))
                    found.extend((i, here + at, here + behind))
                else:
                    nth = int(np.searchsorted(candidates, here + at, "right"))
                    resumes = nth < len(candidates) and bool(candidates[nth] < stop)
                    behind = int(candidates[nth]) - here if resumes else len(run)
                    bad.extend((i, here + at, here + behind, resumes))
                at = behind
            upto.append(here + at)
        return found, upto, bad

    def _walk(
        self, s: ContiguousRuns, which: np.ndarray, drifts: np.ndarray, search: bool = False
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Run, start and end of each message in these runs; how far they were read; (run, start, end, whether messages go on there,
        bytes that decided) of what is in no message, int64 (b, 5). drifts: bool (k,), runs that may begin anywhere in a message.
        search: look for where messages go on."""
        begin = s.start[which].copy()
        candidates = np.zeros(0, np.int64)
        lost = []
        adrift = np.flatnonzero(drifts[which])
        if search or len(adrift):
            candidates = self._candidates(s, which if search else which[adrift])
            for i in adrift.tolist():
                at = which[i]
                nth = np.searchsorted(candidates, s.start[at])
                begin[i] = min(candidates[nth], s.end[at]) if nth < len(candidates) else s.end[at]
                if begin[i] > s.start[at]:
                    lost.append((at, s.start[at], begin[i], begin[i] < s.end[at], 1))
        found = self.find_messages(s.data, begin, s.end[which], s.last[which], candidates)
        run, start, end = np.frombuffer(found[0], np.int64).reshape(-1, 3).T
        none = np.frombuffer(found[2], np.int64).reshape(-1, 4)
        decided = max(self.header, self.at + self.width) if self.varint else self.header
        bad = np.column_stack((which[none[:, 0]], none[:, 1:], np.full(len(none), decided)))
        bad = np.concatenate((np.array(lost, np.int64).reshape(-1, 5), bad))
        return which[run], start, end, np.frombuffer(found[1], np.int64).copy(), bad

    def _candidates(self, s: ContiguousRuns, which: np.ndarray) -> np.ndarray:
        """Where in these runs segments begin whose own bytes tell that a message begins there, int64, sorted."""
        size = np.append(s.place[1:], s.end[-1]) - s.place
        run = np.searchsorted(s.start, s.place, "right") - 1
        at = np.flatnonzero((size > 0) & np.isin(run, which))
        places = s.place[at][:, None] + np.arange(PROBE_SIZE)
        first = np.where(np.arange(PROBE_SIZE) < size[at][:, None], s.data[np.minimum(places, len(s.data) - 1)], 0)
        return s.place[at[self.probe_message(first, size[at])]]


def line_end(data: bytes, at: int) -> int:
    """`find_end` of lines: behind the line feed."""
    return data.find(b"\n", at) + 1


def _lost(s: ContiguousRuns, bad: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Frame and number of the bytes that are in no message, segment by segment. bad: as of `_walk`."""
    _, start, end, _, decided = bad.T
    first, last = s.segments(np.minimum(start + decided, end) - 1, end)
    count = last - first
    at = np.repeat(first, count) + np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    low = np.where(at == np.repeat(first, count), np.repeat(start, count), s.place[at])
    high = np.minimum(np.append(s.place[1:], s.end[-1:])[at], np.repeat(end, count))
    some = high > low
    return s.by[at][some], (high - low)[some]


def complete(
    s: ContiguousRuns, run: np.ndarray, start: np.ndarray, end: np.ndarray, upto: np.ndarray, lost_by: np.ndarray, lost: np.ndarray
) -> Framed:
    """`Framed` of the messages s.data[start:end] in these runs. upto, lost_by, lost: as there."""
    first, last = s.segments(start, end)
    count = last - first
    at = np.repeat(first, count) + np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    return Framed(s.data, start, end, end - start, s.direction[run], s.by[last - 1], count, s.frame[at], upto, lost_by, lost)
