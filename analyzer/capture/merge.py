"""Several captures as one trace: merged by time, the order within a file never changed.

A frame's key is the largest time seen so far in its file, then the file's place among the arguments. Files are opened when the
merge reaches their first time.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

import numpy as np

from ..errors import InputError
from ..fields import Column
from . import open_capture
from .batch import BYTES, SLACK, Batch, Interface, Source, told_of
from .files import Pool

LEAST = 256 << 10  # bytes of a file's buffer when many are open
AT_ONCE = 256  # files begun before the frames that are ready are handed on
NEVER = np.iinfo(np.int64).max


class Trace:
    """One or more captures, read as one.

    names: files, directories (read recursively, in order of their names) and '-'. sources: the captures, in order of arguments.
    skipped: files in directories that are no captures. interfaces: those of all sources, in the order in which they appear.
    Raises InputError if a named file cannot be opened or is no capture, or if nothing is left.
    """

    def __init__(self, names: list[str], batch_frames: int | None = None) -> None:
        self.batch_frames = batch_frames
        self.pool = Pool()
        self.skipped: list[str] = []
        self.interfaces: list[Interface] = []
        found = list(self._found(names))
        if len(found) == 1:
            self.sources = [open_capture(found[0][0], batch_frames, self.pool)]
            return
        size = max(BYTES // max(len(found), 1), LEAST)
        self.sources = []
        for name, named in found:
            try:
                self.sources.append(open_capture(name, batch_frames, self.pool, size))
            except InputError:
                if named:
                    raise
                self.skipped.append(name)
        if not self.sources:
            raise InputError(f"{', '.join(names)}: no capture in there")

    def _found(self, names: list[str]) -> Iterator[tuple[str, bool]]:
        """(file, whether it was named itself)."""
        for name in names:
            if not os.path.isdir(name):
                yield name, True
                continue
            for folder, folders, files in os.walk(name):
                folders.sort()
                for file in sorted(files):
                    path = os.path.join(folder, file)
                    if os.path.isfile(path):
                        yield path, False

    def batches(self) -> Iterator[Batch]:
        """The frames of all sources, in order; numbers count through."""
        if len(self.sources) == 1:
            (source,) = self.sources
            for batch in source.batches():
                self.interfaces = source.interfaces
                yield batch
            return
        first = 1
        for batch in self._merged():
            yield replace(batch, first=first)
            first += len(batch)

    def _merged(self) -> Iterator[Batch]:
        waiting = [(_first_time(source), place) for place, source in enumerate(self.sources)]
        heapq.heapify(waiting)
        open_now: dict[int, _Reading] = {}
        while waiting or open_now:
            # Nothing that is still to come from files that were begun can be before this key.
            bound = min((one.last for one in open_now.values() if not one.final), default=(NEVER, NEVER))
            for _ in range(AT_ONCE):
                if not waiting or waiting[0] > bound:
                    break
                _, place = heapq.heappop(waiting)
                reading = _Reading(self.sources[place], place, self)
                if reading.more():
                    open_now[place] = reading
                    bound = bound if reading.final else min(bound, reading.last)
            bound = min([bound, *waiting[:1]])
            parts = [part for part in (one.take(bound) for _, one in sorted(open_now.items())) if part is not None]
            if parts:
                yield _joined(parts)
            for place, one in list(open_now.items()):
                if one.empty and not one.more():
                    del open_now[place]

    def place(self, source: int, interfaces: list[Interface], numbers: np.ndarray) -> np.ndarray:
        """Where a source's interfaces of these numbers (int64) stand among all; adds those that are new."""
        places = self.sources[source].places
        for interface in interfaces[len(places) :]:
            places.append(len(self.interfaces))
            if interface.number is not None:
                interface.number = len(self.interfaces)
            self.interfaces.append(interface)
        used, inverse = np.unique(numbers, return_inverse=True)
        return np.array([places[number] for number in used.tolist()], np.int64)[inverse]


def _first_time(source: Source) -> int:
    """ns of the first frame that has a time; as early as can be where none is told cheaply."""
    found = source.first_time()
    return -(2**63) if found is None else found


class _Reading:
    """One source being merged: the frames of its batch that were not taken yet."""

    def __init__(self, source: Source, place: int, trace: Trace) -> None:
        self.source, self.place, self.trace = source, place, trace
        self.stream = source.batches()
        self.latest = -(2**63)
        self.batch: Batch | None = None
        self.at = 0

    def more(self) -> bool:
        """Get the next batch; False if there is none."""
        self.batch = next(self.stream, None)
        self.at = 0
        if self.batch is None:
            return False
        stamps = self.batch.time if self.batch.timed is None else np.where(self.batch.timed, self.batch.time, -(2**63))
        self.keys = np.maximum(np.maximum.accumulate(stamps), self.latest)
        self.latest = int(self.keys[-1])
        return True

    @property
    def empty(self) -> bool:
        return self.batch is None or self.at >= len(self.batch)

    @property
    def last(self) -> tuple[int, int]:
        return self.latest, self.place

    @property
    def final(self) -> bool:
        """Whether the source has nothing behind this batch, known without reading on."""
        return self.source.ended

    def take(self, bound: tuple[int, int]) -> tuple[Batch, np.ndarray] | None:
        """The next frames up to the bound, and their keys; None if there are none."""
        assert self.batch is not None
        side: Literal["left", "right"] = "right" if self.place <= bound[1] else "left"
        end = int(np.searchsorted(self.keys, bound[0], side))
        if end <= self.at:
            return None
        batch, begin = self.batch, self.at
        self.at = end
        low, high = int(batch.offset[begin]), int(batch.offset[end - 1] + batch.captured[end - 1])
        rows = slice(begin, end)
        interface = self.trace.place(self.place, self.source.interfaces, batch.interface[rows])
        part = Batch(
            batch.buffer[low:high],
            0,
            batch.offset[rows] - low,
            batch.captured[rows],
            batch.length[rows],
            batch.time[rows],
            None if batch.timed is None else batch.timed[rows],
            interface,
            batch.link_type[rows],
            batch.fcs[rows],
            told_of(batch.told, begin, end),
            np.full(end - begin, self.place),
        )
        return part, self.keys[rows]


def _joined(parts: list[tuple[Batch, np.ndarray]]) -> Batch:
    """Batches as one, in order of their keys; equal keys in order of the parts."""
    sizes = [len(batch.buffer) for batch, _ in parts]
    starts = np.cumsum([0, *sizes])
    buffer = np.zeros(int(starts[-1]) + SLACK, np.uint8)
    for (batch, _), start in zip(parts, starts, strict=False):
        buffer[start : start + len(batch.buffer)] = batch.buffer
    counts = np.cumsum([0, *(len(batch) for batch, _ in parts)])
    order = np.argsort(np.concatenate([keys for _, keys in parts]), kind="stable")
    back = np.empty(len(order), np.int64)
    back[order] = np.arange(len(order))

    def column(name: str) -> np.ndarray:
        return np.concatenate([getattr(batch, name) for batch, _ in parts])[order]

    offset = np.concatenate([batch.offset + start for (batch, _), start in zip(parts, starts, strict=False)])[order]
    timed = [np.ones(len(batch), bool) if batch.timed is None else batch.timed for batch, _ in parts]
    told = {}
    for name in dict.fromkeys(name for batch, _ in parts for name in batch.told):
        some = [(batch.told[name], count) for (batch, _), count in zip(parts, counts, strict=False) if name in batch.told]
        values, rows = np.concatenate([c.values for c, _ in some]), np.concatenate([back[count + c.rows] for c, count in some])
        sort = np.argsort(rows, kind="stable")
        told[name] = Column(values[sort], rows[sort])
    names = ("captured", "length", "time", "interface", "link_type", "fcs", "file")
    captured, length, time, interface, link_type, fcs, file = map(column, names)
    all_timed = np.concatenate(timed)[order]
    return Batch(buffer, 0, offset, captured, length, time, None if all_timed.all() else all_timed, interface, link_type, fcs, told, file)
