"""A row is an input: its format, when it was recorded, what it lost."""

from __future__ import annotations

import polars as pl

from ..capture import Source
from ..capture.links import link_name
from ..dissect import Dissection
from ..fields import Field, flag, seconds, text, time, u32, u64
from . import Table
from ._columns import dtype_of


class TABLE(Table):
    name = "captures"
    about = "an input file: format, link types, frames, first and last time, damage"
    columns = (
        Field("capture", text, "Capture"),
        Field("format", text, "Format"),
        Field("byte_order", text, "Byte order", "of the file's own numbers"),
        Field("link_types", text, "Link types"),
        Field("interfaces", u32, "Interfaces"),
        Field("snap_length", u32, "Snap length", "most bytes kept of a frame; 0: no limit given"),
        Field("file_size", u64, "File size", "bytes"),
        Field("frames", u64, "Frames"),
        Field("bytes", u64, "Bytes", "on the wire"),
        Field("captured_bytes", u64, "Captured bytes", "in the file"),
        Field("cut_frames", u64, "Cut frames", "frames of which not all bytes were kept"),
        Field("start", time, "Start", "earliest frame"),
        Field("end", time, "End", "latest frame"),
        Field("duration", seconds, "Duration"),
        Field("in_time_order", flag, "In time order", "no frame is earlier than the one before it"),
        Field("application", text, "Application", "that wrote the file"),
        Field("comment", text, "Comment"),
        Field("skipped", text, "Skipped", "blocks that hold no frame"),
        Field("damage", text, "Damage", "where the file breaks, if it does"),
    )
    needs = frozenset({"frame.time_delta"})

    def __init__(self) -> None:
        self.size = self.kept = self.cut = 0
        self.start: int | None = None
        self.end: int | None = None
        self.ordered = True

    def feed(self, d: Dissection) -> pl.DataFrame | None:
        batch = d.batch
        self.size += int(batch.length.sum())
        self.kept += int(batch.captured.sum())
        self.cut += int((batch.captured < batch.length).sum())
        stamps = d.frames.column("frame.time").values
        if len(stamps):
            low, high = int(stamps.min()), int(stamps.max())
            self.start = low if self.start is None else min(low, self.start)
            self.end = high if self.end is None else max(high, self.end)
            self.ordered &= bool((d.frames.column("frame.time_delta").values >= 0).all())
        return None

    def finish(self, sources: list[Source], others: dict[str, pl.DataFrame]) -> pl.DataFrame | None:
        (source,) = sources
        links = dict.fromkeys(one.link_type for one in source.interfaces)
        row = {
            "capture": source.name,
            "format": source.format,
            "byte_order": source.byte_order,
            "link_types": ", ".join(map(link_name, links)),
            "interfaces": len(source.interfaces),
            "snap_length": max((one.snap_length for one in source.interfaces), default=0),
            "file_size": source.size(),
            "frames": source.frames,
            "bytes": self.size,
            "captured_bytes": self.kept,
            "cut_frames": self.cut,
            "start": self.start,
            "end": self.end,
            "duration": None if self.start is None or self.end is None else self.end - self.start,
            "in_time_order": self.ordered,
            "application": source.application,
            "comment": "\n".join(source.comments) or None,
            "skipped": ", ".join(f"{n} {name}" for name, n in source.skipped.items()) or None,
            "damage": str(source.damage) if source.damage else None,
        }
        return pl.DataFrame([pl.Series(f.name, [row[f.name]]).cast(dtype_of(f)) for f in self.columns])
