"""Several captures as one trace: a k-way merge by time that keeps the order of frames within a file.

The key of a frame is the largest time so far in its file, then the index of the file. A file is opened when the merge reaches its
first time.
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
from .batch import BYTES, SLACK, Batch, Interface, Source, slice_columns
from .files import FilePool

MIN_BUFFER = 256 << 10  # bytes of a file's buffer when many are open
MAX_STARTED = 256  # files started before the frames that are ready are yielded
NEVER = np.iinfo(np.int64).max


class Trace:
    """One or more captures, read as one.

    names: files, directories (read recursively, sorted by name) and '-'. sources: the captures, in the order of `names`.
    skipped: files in directories that are no captures. interfaces: those of all sources, in the order of their first frames.
    Raises InputError if a named file cannot be opened or is no capture, or if nothing is left.
    """

    def __init__(self, names: list[str], batch_frames: int | None = None) -> None:
        self.batch_frames = batch_frames
        self.pool = FilePool()
        self.skipped: list[str] = []
        self.interfaces: list[Interface] = []
        files = list(self._files(names))
        if len(files) == 1:
            self.sources = [open_capture(files[0][0], batch_frames, self.pool)]
            return
        size = max(BYTES // max(len(files), 1), MIN_BUFFER)
        self.sources = []
        for name, explicit in files:
            try:
                self.sources.append(open_capture(name, batch_frames, self.pool, size))
            except InputError:
                if explicit:
                    raise
                self.skipped.append(name)
        if not self.sources:
            raise InputError(f"{', '.join(names)}: no capture in there")

    def _files(self, names: list[str]) -> Iterator[tuple[str, bool]]:
        """(file, whether it is one of `names`, not found in a directory)."""
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
        """The frames of all sources, merged and numbered from 1."""
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
        unopened = [(_first_time(source), index) for index, source in enumerate(self.sources)]
        heapq.heapify(unopened)
        inputs: dict[int, _MergeInput] = {}
        while unopened or inputs:
            # No frame that is not read yet of an opened file can have a smaller key.
            bound = min((each.last for each in inputs.values() if not each.final), default=(NEVER, NEVER))
            for _ in range(MAX_STARTED):
                if not unopened or unopened[0] > bound:
                    break
                _, index = heapq.heappop(unopened)
                opened = _MergeInput(self.sources[index], index, self)
                if opened.next_batch():
                    inputs[index] = opened
                    bound = bound if opened.final else min(bound, opened.last)
            bound = min([bound, *unopened[:1]])
            parts = [part for part in (each.take(bound) for _, each in sorted(inputs.items())) if part is not None]
            if parts:
                yield _interleave(parts)
            for index, each in list(inputs.items()):
                if each.empty and not each.next_batch():
                    del inputs[index]

    def merged_interfaces(self, source: int, interfaces: list[Interface], numbers: np.ndarray) -> np.ndarray:
        """Indices (int64) of a source's interfaces (numbers: int64) among those of all sources; adds new ones."""
        indices = self.sources[source].interface_map
        for interface in interfaces[len(indices) :]:
            indices.append(len(self.interfaces))
            if interface.number is not None:
                interface.number = len(self.interfaces)
            self.interfaces.append(interface)
        used, inverse = np.unique(numbers, return_inverse=True)
        return np.array([indices[number] for number in used.tolist()], np.int64)[inverse]


def _first_time(source: Source) -> int:
    """Time of the first frame in ns; the earliest possible if it is not known."""
    first = source.first_time()
    return -(2**63) if first is None else first


class _MergeInput:
    """A source being merged: the rest of its current batch."""

    def __init__(self, source: Source, index: int, trace: Trace) -> None:
        self.source, self.index, self.trace = source, index, trace
        self.stream = source.batches()
        self.latest = -(2**63)
        self.batch: Batch | None = None
        self.at = 0

    def next_batch(self) -> bool:
        """Read the next batch; False if there is none."""
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
        return self.latest, self.index

    @property
    def final(self) -> bool:
        """Whether this batch is known to be the last, without reading on."""
        return self.source.ended

    def take(self, bound: tuple[int, int]) -> tuple[Batch, np.ndarray] | None:
        """The next frames up to the bound, and their keys (int64, ns); None if there are none."""
        assert self.batch is not None
        side: Literal["left", "right"] = "right" if self.index <= bound[1] else "left"
        end = int(np.searchsorted(self.keys, bound[0], side))
        if end <= self.at:
            return None
        batch, begin = self.batch, self.at
        self.at = end
        low, high = int(batch.offset[begin]), int(batch.offset[end - 1] + batch.captured[end - 1])
        rows = slice(begin, end)
        interface = self.trace.merged_interfaces(self.index, self.source.interfaces, batch.interface[rows])
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
            slice_columns(batch.columns, begin, end),
            np.full(end - begin, self.index),
        )
        return part, self.keys[rows]


def _interleave(parts: list[tuple[Batch, np.ndarray]]) -> Batch:
    """Batches (and keys) as one batch, sorted by key; equal keys in the order of the parts."""
    sizes = [len(batch.buffer) for batch, _ in parts]
    starts = np.cumsum([0, *sizes])
    buffer = np.zeros(int(starts[-1]) + SLACK, np.uint8)
    for (batch, _), start in zip(parts, starts, strict=False):
        buffer[start : start + len(batch.buffer)] = batch.buffer
    counts = np.cumsum([0, *(len(batch) for batch, _ in parts)])
    order = np.argsort(np.concatenate([keys for _, keys in parts]), kind="stable")
    position = np.empty(len(order), np.int64)  # of each frame after the sort
    position[order] = np.arange(len(order))

    def column(name: str) -> np.ndarray:
        return np.concatenate([getattr(batch, name) for batch, _ in parts])[order]

    offset = np.concatenate([batch.offset + start for (batch, _), start in zip(parts, starts, strict=False)])[order]
    timed = [np.ones(len(batch), bool) if batch.timed is None else batch.timed for batch, _ in parts]
    columns = {}
    for name in dict.fromkeys(name for batch, _ in parts for name in batch.columns):
        parts_of = [(batch.columns[name], count) for (batch, _), count in zip(parts, counts, strict=False) if name in batch.columns]
        values, rows = np.concatenate([c.values for c, _ in parts_of]), np.concatenate([position[count + c.rows] for c, count in parts_of])
        sort = np.argsort(rows, kind="stable")
        columns[name] = Column(values[sort], rows[sort])
    names = ("captured", "length", "time", "interface", "link_type", "fcs", "file")
    captured, length, time, interface, link_type, fcs, file = map(column, names)
    all_timed = np.concatenate(timed)[order]
    return Batch(
        buffer, 0, offset, captured, length, time, None if all_timed.all() else all_timed, interface, link_type, fcs, columns, file
    )
