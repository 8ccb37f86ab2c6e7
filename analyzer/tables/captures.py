"""A row is a capture: its format, time span, losses, damage."""

from __future__ import annotations

import numpy as np
import polars as pl

from ..capture import Source
from ..capture.links import link_name
from ..dissection import Dissection
from ..fields import Field, flag, seconds, text, time, u32, u64
from . import Table
from ._columns import dtype_of

INT64 = np.iinfo(np.int64)


class TABLE(Table):
    name = "captures"
    description = "an input file: format, link types, frames, first and last time, losses, damage"
    columns = (
        Field("capture", text, "Capture"),
        Field("format", text, "Format"),
        Field("compression", text, "Compression"),
        Field("byte_order", text, "Byte order", "of the file's own numbers"),
        Field("link_types", text, "Link types"),
        Field("interfaces", u32, "Interfaces"),
        Field("interface_names", text, "Interface names", "pcapng only"),
        Field("snap_length", u32, "Snap length", "most bytes kept of a frame; 0: no limit given"),
        Field("file_size", u64, "File size", "bytes"),
        Field("frames", u64, "Frames"),
        Field("bytes", u64, "Bytes", "on the wire"),
        Field("captured_bytes", u64, "Captured bytes", "in the file"),
        Field("cut_frames", u64, "Cut frames", "frames captured in part"),
        Field("start", time, "Start", "earliest frame"),
        Field("end", time, "End", "latest frame"),
        Field("duration", seconds, "Duration"),
        Field("in_time_order", flag, "In time order", "no frame is earlier than the one before it in its file"),
        Field("received", u64, "Received", "frames that its interfaces saw, as the recorder counted; pcapng only"),
        Field("dropped", u64, "Dropped", "frames that were lost to the recorder, as it counted; pcapng only"),
        Field("application", text, "Application", "that wrote the file"),
        Field("hardware", text, "Hardware", "of the machine that recorded"),
        Field("system", text, "System", "of the machine that recorded"),
        Field("names", u32, "Names", "of addresses, in the file: `analyze table hosts`"),
        Field("comment", text, "Comment"),
        Field("skipped", text, "Skipped", "blocks that hold no frame"),
        Field("damage", text, "Damage", "where the file breaks, if it does"),
    )

    def __init__(self) -> None:
        self.sums = np.zeros((0, 4), np.int64)  # frames, bytes, captured bytes, cut frames
        self.times = np.zeros((0, 3), np.int64)  # earliest, latest, last; ns
        self.ordered = np.zeros(0, bool)

    def _grow(self, files: int) -> None:
        more = files - len(self.sums)
        if more > 0:
            self.sums = np.concatenate((self.sums, np.zeros((more, 4), np.int64)))
            self.times = np.concatenate((self.times, np.tile(np.array([INT64.max, INT64.min, INT64.min]), (more, 1))))
            self.ordered = np.concatenate((self.ordered, np.ones(more, bool)))

    def feed(self, d: Dissection) -> pl.DataFrame | None:
        batch, frames = d.batch, d.frames.frame
        if not len(frames):
            return None
        file = np.zeros(len(frames), np.int64) if batch.file is None else batch.file[frames]
        self._grow(int(file.max()) + 1)
        for column, values in enumerate(
            (np.ones_like(file), batch.length[frames], batch.captured[frames], (batch.captured < batch.length)[frames])
        ):
            np.add.at(self.sums[:, column], file, values)
        stamps, rows = d.frames.column("frame.time")
        file = file if rows is None else file[rows]
        np.minimum.at(self.times[:, 0], file, stamps)
        np.maximum.at(self.times[:, 1], file, stamps)
        order = np.argsort(file, kind="stable")
        file, stamps = file[order], stamps[order]
        if len(file):
            first = np.append(True, file[1:] != file[:-1])
            before = np.where(first, self.times[file, 2], np.append(0, stamps[:-1]))
            self.ordered[file[stamps < before]] = False
            last = np.append(np.flatnonzero(first)[1:], len(file)) - 1
            self.times[file[last], 2] = stamps[last]
        return None

    def finish(self, sources: list[Source], others: dict[str, pl.DataFrame]) -> pl.DataFrame | None:
        self._grow(len(sources))
        rows = [self._row(index, source) for index, source in enumerate(sources)]
        return pl.DataFrame([pl.Series(f.name, [row[f.name] for row in rows]).cast(dtype_of(f)) for f in self.columns])

    def _row(self, index: int, source: Source) -> dict[str, object]:
        frames, size, captured, cut = self.sums[index].tolist()
        start, end, _ = self.times[index].tolist()
        timed = start <= end

        def total(*counts: int | None) -> int | None:
            known = [count for count in counts if count is not None]
            return min(sum(known), INT64.max) if known else None

        return {
            "capture": source.name,
            "format": source.format,
            "compression": source.compression or None,
            "byte_order": source.byte_order,
            "link_types": ", ".join(map(link_name, dict.fromkeys(interface.link_type for interface in source.interfaces))),
            "interfaces": len(source.interfaces),
            "interface_names": ", ".join(interface.name for interface in source.interfaces if interface.name) or None,
            "snap_length": max((interface.snap_length for interface in source.interfaces), default=0),
            "file_size": source.file.size if source.file else None,
            "frames": frames,
            "bytes": size,
            "captured_bytes": captured,
            "cut_frames": cut,
            "start": start if timed else None,
            "end": end if timed else None,
            "duration": end - start if timed else None,
            "in_time_order": bool(self.ordered[index]),
            "received": total(*(interface.received for interface in source.interfaces)),
            "dropped": total(*(count for each in source.interfaces for count in (each.dropped, each.system_dropped))),
            "application": source.application,
            "hardware": source.hardware,
            "system": source.system,
            "names": len(source.names) or None,
            "comment": "\n".join(source.comments) or None,
            "skipped": ", ".join(f"{n} {name}" for name, n in source.skipped.items()) or None,
            "damage": str(source.damage) if source.damage else None,
        }
