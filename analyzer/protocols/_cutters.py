"""Where the messages of an application begin and end in what a direction of a TCP stream sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from ._cut import prefixed


@dataclass
class Stretches:
    """Unbroken stretches of what directions sent, sorted by direction, then position; arrays of shape (k,).

    data: uint8; stretch i is data[start[i]:end[i]]. way: int64, of each: twice the stream's number, plus 1 from the greater end of its
    key. position: int64, of its first byte. gap: int64, bytes missing right before it. ended: bool, nothing follows. The first
    stretch of a way goes on where the reader left off.
    rows: int64 (n, columns of `_pieces.TOLD`), the pieces that they consist of; piece j begins at data[place[j]], came in frame[j]
    and was put in order by frame by[j]. until: int64 (k,), the frame with which each ended or was as long as it is.
    """

    data: np.ndarray
    way: np.ndarray
    start: np.ndarray
    end: np.ndarray
    position: np.ndarray
    gap: np.ndarray
    ended: np.ndarray
    rows: np.ndarray
    place: np.ndarray
    frame: np.ndarray
    by: np.ndarray
    until: np.ndarray

    @property
    def last(self) -> np.ndarray:
        """Whether nothing will be added to a stretch: there is a hole behind it, or its direction ended; bool (k,)."""
        return self.ended | (np.append(self.way[1:], -1)[: len(self.way)] == self.way)

    def pieces(self, start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The pieces that messages data[start:end] (int64 (m,), none empty) consist of: rows first…last - 1 of `rows`, int64 (m,).

        The frames of these are Wireshark's `tcp.segment`, their number `tcp.segment.count`; `by` of the last is
        `tcp.reassembled_in`: the frame with which the message was complete.
        """
        return np.searchsorted(self.place, start, "right") - 1, np.searchsorted(self.place, end, "left")


class Cut(NamedTuple):
    """Messages that are whole; arrays of shape (m,), int64.

    data: uint8, message i is data[start[i]:end[i]]. way: whose. by: the frame with which it was whole. counts: how many pieces
    it came in; frames: (sum of counts,), theirs. upto: (stretches,), how far each stretch was read. lost_by, lost: (l,), bytes that
    are in no message, because what was before them is missing or no message begins there, and the frame that brought them.
    """

    data: np.ndarray
    start: np.ndarray
    end: np.ndarray
    way: np.ndarray
    by: np.ndarray
    counts: np.ndarray
    frames: np.ndarray
    upto: np.ndarray
    lost_by: np.ndarray
    lost: np.ndarray


class Cutter(Protocol):
    """Finds the messages of one protocol. State that lives from batch to batch is its own."""

    def begins(self, first: np.ndarray, size: np.ndarray) -> np.ndarray:
        """Whether a message may begin with these bytes, bool (n,). first: uint8 (n, 16), zeros behind size (int64) bytes."""
        ...

    def cut(self, s: Stretches) -> Cut:
        """The messages that these stretches complete, of each direction in order."""
        ...


@dataclass
class Prefixed:
    """Messages that say their length in a header of fixed size.

    header: its bytes. at, width: where in it the length stands, and in how many bytes (big-endian). plus: bytes of a message beyond
    that number. most: bytes of a message; a greater length is no length.
    """

    header: int
    at: int
    width: int
    plus: int
    most: int

    def begins(self, first: np.ndarray, size: np.ndarray) -> np.ndarray:
        """Whether the length is one that a message may have."""
        length = np.zeros(len(first), np.int64)
        for i in range(self.at, self.at + self.width):
            length = length << 8 | first[:, i]
        return (size < self.at + self.width) | ((length + self.plus >= self.header) & (length + self.plus <= self.most))

    def cut(self, s: Stretches) -> Cut:
        """One message behind the other. Behind a hole, the first piece that `begins` is where it goes on."""
        begin, lost = self._goes_on(s)
        found = prefixed(s.data.data, begin.data, s.end.data, self.header, self.at, self.width, self.plus, self.most)
        stretch, start, end = np.frombuffer(found[0], np.int64).reshape(-1, 3).T
        upto = np.frombuffer(found[1], np.int64)
        bad = np.flatnonzero(np.frombuffer(found[2], np.int64))  # stretches that stopped being messages: what is left of them is lost
        upto = upto.copy()
        lost[bad] += s.end[bad] - upto[bad]
        upto[bad] = s.end[bad]
        never = s.last & (upto < s.end)  # a message that does not become whole
        lost[never] += (s.end - upto)[never]
        return whole(s, stretch, start, end, upto, lost)

    def _goes_on(self, s: Stretches) -> tuple[np.ndarray, np.ndarray]:
        """Where in each stretch the first message begins, and the bytes before it that are lost, int64 (k,)."""
        begin, lost = s.start.copy(), np.zeros(len(s.start), np.int64)
        for i in np.flatnonzero(s.gap > 0).tolist():
            first, last = np.searchsorted(s.place, (s.start[i], s.end[i]))
            places = s.place[first:last]
            at = places[:, None] + np.arange(16)
            bytes_there = np.where(at < s.end[i], s.data[np.minimum(at, len(s.data) - 1)], 0)
            good = places[self.begins(bytes_there, s.end[i] - places)]
            begin[i] = good[0] if len(good) else s.end[i]
            lost[i] = begin[i] - s.start[i]
        return begin, lost


def whole(s: Stretches, stretch: np.ndarray, start: np.ndarray, end: np.ndarray, upto: np.ndarray, lost: np.ndarray) -> Cut:
    """The Cut of messages s.data[start:end] in these stretches. lost: int64 (k,), bytes of each stretch that are in no message."""
    first, last = s.pieces(start, end)
    count = last - first
    at = np.repeat(first, count) + np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    bad = np.flatnonzero(lost)
    return Cut(s.data, start, end, s.way[stretch], s.by[last - 1], count, s.frame[at], upto, s.until[bad], lost[bad])
