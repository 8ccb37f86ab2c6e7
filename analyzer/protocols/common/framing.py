"""Where the messages of an application begin and end in what a direction of a TCP stream sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from . import _framing

LOOKED_AT = 16  # bytes that tell whether a message begins
GREETING = 64  # the same of a stream's first message: servers name their protocol somewhere in a line
WHOLE = "messages.whole"  # asked for like a field: cutters that keep only so much of a message hand on all of it


@dataclass
class ContiguousRuns:
    """Unbroken stretches of what directions sent, sorted by direction, then position; arrays of shape (k,).

    data: uint8; stretch i is data[start[i]:end[i]]. way: int64, of each: twice the stream's number, plus 1 from the greater end of its
    key. position: int64, of its first byte. gap: int64, bytes missing right before it. ended: bool, nothing follows. The first
    stretch of a way goes on where the reader left off.
    rows: int64 (n, columns of `_pieces.TOLD`), the pieces that they consist of; piece j begins at data[place[j]], came in frame[j] at
    time[j] (ns) and was put in order by frame by[j]. first: int64 (k,), the first row of each. until: int64 (k,), the frame with which
    each ended or was as long as it is.
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
        """Whether nothing will be added to a stretch: there is a hole behind it, or its direction ended; bool (k,)."""
        return self.ended | (np.append(self.direction[1:], -1)[: len(self.direction)] == self.direction)

    def pieces(self, start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The pieces that messages data[start:end] (int64 (m,), none empty) consist of: rows first…last - 1 of `rows`, int64 (m,).

        The frames of these are Wireshark's `tcp.segment`, their number `tcp.segment.count`; `by` of the last is
        `tcp.reassembled_in`: the frame with which the message was complete.
        """
        return np.searchsorted(self.place, start, "right") - 1, np.searchsorted(self.place, end, "left")


class Framed(NamedTuple):
    """Messages that are whole; arrays of shape (m,), int64.

    data: uint8, message i is data[start[i]:end[i]]. size: bytes that it took in the stream. way: whose. by: the frame with which it
    was whole. counts: how many pieces it came in; frames: (sum of counts,), theirs. upto: (stretches,), how far each stretch was
    read. lost_by, lost: (l,), bytes that are in no message, because what was before them is missing or no message begins there, and
    the frame that brought them. told: what the cutter knows of messages beyond their bytes, columns (m,) that their headers will have;
    `pieces`, if it is there, is how many a message came in where counts are fewer. beyond: int64 (b, 4), what follows in a way is of
    another protocol: in that stretch, from data[place] on, as was known with that frame; the last is the index in `turns_to` of what
    was agreed on, 0 where its own bytes must tell.
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
    told: Mapping[str, np.ndarray] = MappingProxyType({})
    beyond: np.ndarray = np.zeros((0, 4), np.int64)
    turns_to: tuple[str, ...] = ("",)


class Framer(Protocol):
    """Finds the messages of one protocol. State that lives from batch to batch is its own.

    sure: whether its grammar tells it from others on any port; else only on its own.
    """

    sure: bool

    def begins(self, first: np.ndarray, size: np.ndarray) -> np.ndarray:
        """Whether a message may begin with these bytes, bool (n,). first: uint8 (n, 16 or more), zeros behind size (int64) bytes."""
        ...

    def cut(self, s: ContiguousRuns) -> Framed:
        """The messages that these stretches complete, of each direction in order."""
        ...


@runtime_checkable
class Waits(Protocol):
    """A Cutter that takes messages in before they are whole, so that some wait when the trace has ended."""

    def pending(self) -> list[tuple[int, int]]:
        """Frame of the first byte of each, and its bytes."""
        ...

    def unfinished(self) -> tuple[np.ndarray, Mapping[str, np.ndarray]]:
        """Their bytes, uint8, and what is known of each, columns (m,): `way`, `start`, `end` and `by`, 0, among them. Asked for once."""
        ...


@runtime_checkable
class Turns(Protocol):
    """A Cutter whose protocol may begin in the middle of a stream that spoke something unknown."""

    def turns(self, first: np.ndarray, size: np.ndarray) -> np.ndarray:
        """Whether a stream turns to this protocol with a segment of these bytes, as in `begins`."""
        ...


@runtime_checkable
class HandsOn(Protocol):
    """A Cutter that keeps only so much of a message, and can hand on the bytes of its body as they come instead.

    bodies: fields and protocols that hang on the bytes of bodies.
    """

    bodies: frozenset[str]

    def skim(self) -> None:
        """From now on keep no bodies: nobody asks for what hangs on them."""
        ...

    def hand_on(self) -> None:
        """From now on keep no bodies, but hand them on."""
        ...

    def take(self) -> list[tuple[int, bytes | int]]:
        """What came since it was asked last: (number of the message, bytes), or how many bytes are missing."""
        ...


@dataclass
class Prefixed:
    """Messages that say their length in a header of fixed size.

    header: its bytes. at, width: where in it the length stands, and in how many bytes (big-endian). plus: bytes of a message beyond
    that number. most: bytes of a message; a greater length is no length. first: bytes that a message may begin with; second: the byte
    that always follows; None: any. skip: bytes that stand before a message and are no part of it. sure: whether what `begins` looks at
    tells this protocol from others, on any port.
    Where no message begins, or behind a hole, all is lost up to the first piece whose own bytes say that one begins there: so it is
    the same whatever a batch holds. State: the ways of which that piece has not come, and those of which bytes were lost behind the
    last message.
    """

    header: int
    at: int
    width: int
    plus: int
    most: int
    first: tuple[int, ...] | None = None
    second: int | None = None
    skip: int = 0
    sure: bool = True
    adrift: set[int] = field(default_factory=set)
    broken: set[int] = field(default_factory=set)

    def begins(self, first: np.ndarray, size: np.ndarray) -> np.ndarray:
        """Whether the first bytes and the length are such as a message may have."""
        length = np.zeros(len(first), np.int64)
        for i in range(self.at, self.at + self.width):
            length = length << 8 | first[:, i]
        good = (size < self.at + self.width) | ((length + self.plus >= self.header) & (length + self.plus <= self.most))
        if self.first is not None:
            good &= np.isin(first[:, 0], self.first)
        if self.second is not None:
            good &= (size < 2) | (first[:, 1] == self.second)
        return good

    def resumes(self, first: np.ndarray, size: np.ndarray) -> np.ndarray:
        """Whether a message may begin with these bytes behind a hole, as in `begins`."""
        return self.begins(first, size)

    def cut(self, s: ContiguousRuns) -> Framed:
        """One message behind the other."""
        new = np.diff(s.direction, prepend=-1) != 0
        drifts = (s.gap > 0) | (new & np.isin(s.direction, list(self.adrift))) if self.adrift else s.gap > 0
        run, start, end, upto, bad = self._walk(s, np.arange(len(s.direction)), drifts)
        again = np.zeros(len(s.direction), bool)
        again[bad[:, 0]] = True
        if again.any():  # where something is no message, once more, with the places where one may begin
            keep = ~again[run]
            some = self._walk(s, np.flatnonzero(again), drifts, search=True)
            run, start, end = (np.concatenate((a[keep], b)) for a, b in zip((run, start, end), some))
            order = np.argsort(run, kind="stable")
            run, start, end = run[order], start[order], end[order]
            upto[again], bad = some[3], some[4]
        last = np.diff(s.direction, append=-1) != 0
        self.adrift -= set(s.direction[new & drifts].tolist())
        drifting = bad[(bad[:, 3] == 0) & last[bad[:, 0]] & ~s.ended[bad[:, 0]], 0]
        self.adrift.update(s.direction[drifting].tolist())
        lost_by, lost = _lost(s, bad)
        never = np.flatnonzero(s.last & (upto < s.end))  # a message that does not become whole
        lost_by, lost = np.append(lost_by, s.until[never]), np.append(lost, (s.end - upto)[never])
        made = whole(s, run, start, end, upto, lost_by, lost)
        return made._replace(start=made.start + self.skip)

    def torn(self, s: ContiguousRuns, cut: Framed) -> np.ndarray:
        """Which of these messages come behind bytes that are missing or lost, bool (m,). To be asked once of each cut."""
        n, run = len(s.direction), np.searchsorted(s.start, cut.start, "right") - 1
        first = np.diff(run, prepend=-1) != 0
        torn = (first & (s.gap[run] > 0)) | (cut.start != np.where(first, s.start[run], np.append(0, cut.end[:-1])[: len(first)]))
        leads = np.diff(cut.direction, prepend=-1) != 0
        if self.broken:
            torn |= leads & np.isin(cut.direction, list(self.broken))
            self.broken.difference_update(cut.direction[leads].tolist())
        reach, last = s.start.copy(), np.full(n, -1)
        reach[run] = cut.end  # that of the last in each
        last[run] = run
        begins = np.flatnonzero(np.diff(s.direction, prepend=-1))
        if n:
            last = np.repeat(np.maximum.reduceat(last, begins), np.diff(begins, append=n))
        behind = (cut.upto > reach) & (np.arange(n) >= last) | (s.gap > 0) & (np.arange(n) > last)
        self.broken.update(s.direction[behind].tolist())
        return torn

    def messages(self, data: np.ndarray, begin: np.ndarray, end: np.ndarray, good: np.ndarray) -> tuple[Any, Any, Any]:
        """The whole messages in stretches data[begin:end] (int64 (k,)), as `_cut.prefixed` gives them. good: int64, sorted places where
        one may begin behind what is none."""
        heads = np.ones(256, np.uint8) if self.first is None else np.isin(np.arange(256), self.first).astype(np.uint8)
        second = -1 if self.second is None else self.second
        measures = self.header, self.at, self.width, self.plus, self.most
        found: tuple[Any, Any, Any] = _framing.prefixed(data.data, begin.data, end.data, *measures, heads.data, second, good.data)
        return found

    def _walk(
        self, s: ContiguousRuns, which: np.ndarray, drifts: np.ndarray, search: bool = False
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Stretch, start and end of each message in these stretches; how far they were read; (stretch, start, end, goes on, bytes that
        told) of what is no message, int64 (b, 5). drifts: bool (k,), those that begin anywhere. search: look for where messages go on."""
        begin = s.start[which].copy()
        good = np.zeros(0, np.int64)
        lost = []
        adrift = np.flatnonzero(drifts[which])
        if search or len(adrift):
            good = self._good(s, which if search else which[adrift])
            for i in adrift.tolist():
                at = which[i]
                nth = np.searchsorted(good, s.start[at])
                begin[i] = min(good[nth], s.end[at]) if nth < len(good) else s.end[at]
                if begin[i] > s.start[at]:
                    lost.append((at, s.start[at], begin[i], begin[i] < s.end[at], 1))
        ends = s.end[which]
        found = self.messages(s.data, begin, ends, good)
        run, start, end = np.frombuffer(found[0], np.int64).reshape(-1, 3).T
        none = np.frombuffer(found[2], np.int64).reshape(-1, 4)
        bad = np.column_stack((which[none[:, 0]], none[:, 1:], np.full(len(none), self.header)))
        bad = np.concatenate((np.array(lost, np.int64).reshape(-1, 5), bad))
        return which[run], start, end, np.frombuffer(found[1], np.int64).copy(), bad

    def _good(self, s: ContiguousRuns, which: np.ndarray) -> np.ndarray:
        """Where in these stretches pieces begin whose own bytes say that a message begins there, int64, sorted."""
        size = np.append(s.place[1:], s.end[-1]) - s.place
        run = np.searchsorted(s.start, s.place, "right") - 1
        at = np.flatnonzero((size > 0) & np.isin(run, which))
        places = s.place[at][:, None] + np.arange(LOOKED_AT)
        first = np.where(np.arange(LOOKED_AT) < size[at][:, None], s.data[np.minimum(places, len(s.data) - 1)], 0)
        return s.place[at[self.resumes(first, size[at])]]


def _lost(s: ContiguousRuns, bad: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Frame and number of the bytes that are in no message, piece by piece. bad: as `_walk` tells it."""
    _, start, end, _, told = bad.T
    first, last = s.pieces(np.minimum(start + told, end) - 1, end)
    count = last - first
    at = np.repeat(first, count) + np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    begins = np.where(at == np.repeat(first, count), np.repeat(start, count), s.place[at])
    stops = np.minimum(np.append(s.place[1:], s.end[-1:])[at], np.repeat(end, count))
    some = stops > begins
    return s.by[at][some], (stops - begins)[some]


def whole(
    s: ContiguousRuns, run: np.ndarray, start: np.ndarray, end: np.ndarray, upto: np.ndarray, lost_by: np.ndarray, lost: np.ndarray
) -> Framed:
    """The Cut of messages s.data[start:end] in these stretches. lost_by, lost: as in Cut."""
    first, last = s.pieces(start, end)
    count = last - first
    at = np.repeat(first, count) + np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    return Framed(s.data, start, end, end - start, s.direction[run], s.by[last - 1], count, s.frame[at], upto, lost_by, lost)
