"""What dissecting a batch gives: the headers of each protocol, their columns, and the packet lines made of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from .capture import Batch
from .capture.links import link_name
from .correlators import Correlator
from .fields import CUT, Column, Fault, Headers, texts
from .protocols import protocols, register
from .strings import RowTexts, Strings, concat, concat_str, constant, decimal, scatter, strings
from .tcp.messages import Messages
from .tcp.tracker import Segments
from .templates import fill_template


class Paths:
    """Sequences of protocol names as numbers: a tree in which a number is a node. 0 is the empty sequence."""

    def __init__(self) -> None:
        self.parent, self.name, self.depth = [0], [""], np.zeros(1, np.int64)
        self._next: dict[str, np.ndarray] = {}
        self._texts: dict[int, str] = {0: ""}

    def __len__(self) -> int:
        return len(self.parent)

    def longer(self, paths: np.ndarray, name: str) -> np.ndarray:
        """The paths (int64) that these become with one more name."""
        table = self._next.get(name)
        if table is None or len(table) < len(self):
            grown = np.full(2 * len(self) + 64, -1, np.int64)
            if table is not None:
                grown[: len(table)] = table
            table = self._next[name] = grown
        found = table[paths]
        if (found < 0).any():
            for path in np.flatnonzero(np.bincount(paths[found < 0])).tolist():
                table[path] = len(self)
                self.parent.append(path)
                self.name.append(name)
            depth = np.zeros(len(self), np.int64)
            depth[: len(self.depth)] = self.depth
            new = np.arange(len(self.depth), len(self))
            depth[new] = depth[np.array(self.parent)[new]] + 1
            self.depth = depth
            found = table[paths]
        return found

    def text(self, path: int) -> str:
        """'eth:ethertype:ip:tcp'."""
        found = self._texts.get(path)
        if found is None:
            above = self.text(self.parent[path])
            found = self._texts[path] = f"{above}:{self.name[path]}" if above else self.name[path]
        return found


@dataclass
class Undecoded:
    """Payloads that no decoder took: their number space and numbers (int64), frames (row in batch) and bytes on the wire."""

    space: str
    number: np.ndarray
    frame: np.ndarray
    size: np.ndarray


@dataclass
class Dissection:
    """A batch taken apart: the headers of each protocol, outermost first, and what could not be read."""

    batch: Batch
    paths: Paths
    frames: Headers
    chunks: dict[str, list[Headers]] = field(default_factory=dict)
    order: list[Headers] = field(default_factory=list)
    undecoded: list[Undecoded] = field(default_factory=list)
    kept: np.ndarray | None = None  # the frames that a filter kept, bool (frames,)
    unfiltered: Dissection | None = None  # the same before a filter
    shared: dict[str, Any] = field(default_factory=dict)  # what one table made of the batch, for others
    segments: Segments | None = None  # what the TCP tracker said, of all frames, if somebody asked
    correlators: Mapping[str, Correlator] = field(default_factory=dict)  # by the name of their file
    messages: Messages | None = None  # messages in TCP streams, if they are wanted
    guesses: Callable[[Headers, np.ndarray], list[tuple[str | None, str | None]]] | None = None  # `Dissector.guesses`

    def __len__(self) -> int:
        return len(self.batch)

    def faults(self) -> Iterator[Fault]:
        for h in self.order:
            yield from h.faults

    def headers(self, names: Iterable[str]) -> list[Headers]:
        """The headers of these protocols, in that order, each outermost first."""
        return [h for name in names for h in self.chunks.get(name, ())]

    def layer(self, h: Headers) -> np.ndarray:
        """Place of each header in its frame's frame.protocols, from 1."""
        return self.paths.depth[h.path]

    def columns(self, name: str) -> Iterator[tuple[Headers, Column]]:
        """A field's values in every group of headers that has it, outermost first."""
        for owner in register()[name].owners:
            for h in self.chunks.get(owner, ()):
                yield h, h.column(name)

    def printed(self, name: str, join: str = ",", occurrence: str = "a") -> Strings:
        """A field's values of each frame as `-T fields` prints them: none as '', several joined.

        occurrence: 'a' all of them, 'f' the first, 'l' the last.
        """
        names = aliases().get(name, (name,))
        found = [(h, c, register()[n].field) for n in names for h, c in self.columns(n)]
        parts = [(h.frame if c.rows is None else h.frame[c.rows], texts(f, c.values, h.buffer)) for h, c, f in found]
        often = sum((np.bincount(frames, minlength=len(self)) for frames, _ in parts), np.zeros(len(self), np.int64))
        if not (often > 1).any():
            return scatter(len(self), parts)
        # Frames with several values: these in order of layer, header and field, separators behind all but a frame's last.
        keys, many = [], []
        for nth, ((frames, printed), (h, (_, rows), _)) in enumerate(zip(parts, found, strict=True)):
            at = np.flatnonzero(often[frames] > 1)
            own = at if rows is None else rows[at]
            keys.append(np.stack((np.full(len(at), nth), own, self.layer(h)[own], frames[at])))
            many.append(printed.take(at))
        key = np.concatenate(keys, axis=1)
        order = np.lexsort(key)
        frame = key[-1, order]
        first, last = np.flatnonzero(np.diff(frame, prepend=-1)), np.flatnonzero(np.diff(frame, append=-1))
        printed = concat(many).take(order)
        if occurrence == "a":
            between = np.ones(len(frame), bool)
            between[last] = False
            line = concat_str([printed, constant(join, between)])
            several = Strings(line.data, line.start[first], line.end[last])
        else:
            several = printed.take(first if occurrence == "f" else last)
        return scatter(len(self), [*parts, (frame[first], several)])

    def innermost(self) -> Iterator[tuple[Headers, np.ndarray]]:
        """For each group of headers, the rows that are the innermost of their frame: not a generic payload, not quoted."""
        owner = np.zeros(len(self), np.int64)
        for nth, h in enumerate(self.order):
            if not h.protocol.generic:
                owner[h.frame[~h.quoted]] = nth
        for nth, h in enumerate(self.order):
            rows = np.flatnonzero((owner[h.frame] == nth) & ~h.quoted)
            if len(rows) and not h.protocol.generic:
                yield h, rows

    def summary(self) -> dict[str, Strings]:
        """Source, destination, protocol and info of each frame, as `packets` shows them."""
        protocol: RowTexts = []
        info: RowTexts = []
        for h, rows in self.innermost():
            frames = h.frame[rows]
            if h.protocol.name == "frame":  # a link type without a decoder is told by its name
                protocol.append((frames, strings([link_name(one) for one in self.batch.link_type[frames].tolist()])))
                info.append((frames, constant("not decoded", len(rows))))
            else:
                protocol.append((frames, constant(h.protocol.label, len(rows))))
                info.append(_lines(frames, fill_template(h, h.protocol.info, rows)))
        columns = {"source": self._addresses(0), "destination": self._addresses(1), "protocol": protocol, "info": info}
        found = {name: scatter(len(self), parts) for name, parts in columns.items()}
        if marks := self._marks():
            found["info"] = concat_str([found["info"], *(scatter(len(self), [mark]) for mark in marks)])
        return found

    def _addresses(self, end: int) -> RowTexts:
        """The innermost addresses that are not quoted. end: 0 for the source's, 1 for the destination's."""
        parts: RowTexts = []
        without = np.ones(len(self), bool)  # frames that have none yet
        for h in reversed(self.order):
            if h.protocol.addresses:
                values, rows = h.column(h.protocol.addresses[end])
                at = slice(None) if rows is None else rows
                frames = h.frame[at]
                keep = np.flatnonzero(without[frames] & ~h.quoted[at])
                if len(keep):
                    parts.append((frames[keep], texts(register()[h.protocol.addresses[end]].field, values[keep])))
                    without[frames[keep]] = False
        return parts

    def _marks(self) -> RowTexts:
        """What stands behind the info of frames that were cut or are malformed."""
        marks: RowTexts = []
        captured, length = self.batch.captured, self.batch.length
        cut = np.flatnonzero(captured < length)
        if n := len(cut):
            sizes = decimal(captured[cut]), constant(" of ", n), decimal(length[cut])
            marks.append((cut, concat_str([constant(" [", n), *sizes, constant(" bytes kept]", n)])))
        bad: dict[int, str] = {}
        for fault in self.faults():
            if fault.sentence != CUT:
                for row in fault.frame.tolist():
                    bad[row] = f"{bad.get(row, '')} [malformed {protocols()[fault.protocol].label}]"
        if bad:
            marks.append((np.array(list(bad)), strings(list(bad.values()))))
        return marks


def _lines(frames: np.ndarray, printed: Strings) -> tuple[np.ndarray, Strings]:
    """One text a frame of texts in order of their frames: several, of messages in one frame, are put in a line."""
    last = np.diff(frames, append=-1) != 0
    if last.all():
        return frames, printed
    line = concat_str([printed, constant("; ", ~last)])
    first = np.flatnonzero(np.diff(frames, prepend=-1))
    return frames[first], Strings(line.data, line.start[first], line.end[last])


@cache
def aliases() -> dict[str, tuple[str, ...]]:
    """Fields that stand for several others: `ip.addr` for `ip.src` and `ip.dst`."""
    return {name: fields for p in protocols().values() for name, fields in p.aliases.items()}
