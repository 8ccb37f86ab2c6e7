"""A row is an interface of a capture: its description in the file, frames, losses."""

from __future__ import annotations

import numpy as np
import polars as pl

from ..capture import Source
from ..capture.links import link_name
from ..dissection import Dissection
from ..fields import Field, text, time, u8, u32, u64
from . import Table
from ._columns import dtype_of

INT64 = np.iinfo(np.int64)


class TABLE(Table):
    name = "interfaces"
    description = "an interface of a capture: link type, frames, losses, its description in the file"
    columns = (
        Field("capture", text, "Capture"),
        Field("section", u32, "Section", "of the file, from 1"),
        Field("interface", u32, "Interface", "of the section, from 0"),
        Field("name", text, "Name"),
        Field("description", text, "Description"),
        Field("link_type", text, "Link type"),
        Field("snap_length", u32, "Snap length", "most bytes kept of a frame; 0: no limit given"),
        Field("frames", u64, "Frames"),
        Field("bytes", u64, "Bytes", "on the wire"),
        Field("captured_bytes", u64, "Captured bytes", "in the file"),
        Field("start", time, "Start", "earliest frame"),
        Field("end", time, "End", "latest frame"),
        Field("received", u64, "Received", "frames that the interface saw, as the recorder counted"),
        Field("dropped", u64, "Dropped", "by the interface for want of room"),
        Field("accepted", u64, "Accepted", "by the filter"),
        Field("system_dropped", u64, "Dropped by the system", "after the filter"),
        Field("delivered", u64, "Delivered", "to the recorder"),
        Field("counted_from", time, "Counted from"),
        Field("counted_to", time, "Counted to"),
        Field("counted_at", time, "Counted at"),
        Field("filter", text, "Filter", "of the recorder"),
        Field("addresses", text, "Addresses", "of the interface itself", many=True),
        Field("speed", u64, "Speed", "bits a second"),
        Field("speed_out", u64, "Speed outward", "bits a second"),
        Field("speed_in", u64, "Speed inward", "bits a second"),
        Field("hardware", text, "Hardware"),
        Field("system", text, "System", "of the machine that it belongs to"),
        Field("zone", text, "Time zone"),
        Field("resolution", text, "Resolution", "of times, seconds"),
        Field("fcs_length", u8, "Check sequence length", "bytes, where the file says it"),
        Field("comments", text, "Comments", many=True),
    )

    def __init__(self) -> None:
        self.sums = np.zeros((0, 3), np.int64)  # frames, bytes, captured bytes
        self.times = np.zeros((0, 2), np.int64)  # earliest, latest; ns

    def _grow(self, interfaces: int) -> None:
        more = interfaces - len(self.sums)
        if more > 0:
            more = max(more, len(self.sums))
            self.sums = np.concatenate((self.sums, np.zeros((more, 3), np.int64)))
            self.times = np.concatenate((self.times, np.tile(np.array([INT64.max, INT64.min]), (more, 1))))

    def feed(self, d: Dissection) -> pl.DataFrame | None:
        batch, frames = d.batch, d.frames.frame
        if not len(frames):
            return None
        at = batch.interface[frames]
        self._grow(int(at.max()) + 1)
        for column, values in enumerate((np.ones_like(at), batch.length[frames], batch.captured[frames])):
            np.add.at(self.sums[:, column], at, values)
        stamps, rows = d.frames.column("frame.time")
        at = at if rows is None else at[rows]
        np.minimum.at(self.times[:, 0], at, stamps)
        np.maximum.at(self.times[:, 1], at, stamps)
        return None

    def finish(self, sources: list[Source], others: dict[str, pl.DataFrame]) -> pl.DataFrame | None:
        columns: dict[str, list[object]] = {f.name: [] for f in self.columns}
        for source in sources:
            interfaces = source.interfaces
            alone = len(sources) == 1
            index = np.arange(len(interfaces)) if alone else np.full(len(interfaces), -1)
            if not alone:
                index[: len(source.interface_map)] = source.interface_map
            self._grow(max(len(interfaces), 1) if alone else 1)
            sums, times = self.sums[index], self.times[index]
            sums[index < 0] = 0
            timed = (index >= 0) & (times[:, 0] <= times[:, 1])
            sections = np.array([interface.section for interface in interfaces], np.int64)
            number = np.arange(len(interfaces)) - np.searchsorted(sections, sections)  # the interfaces of a section are adjacent
            numbered = [interface.number is not None for interface in interfaces]
            computed = {
                "capture": [source.name] * len(interfaces),
                "section": [value + 1 if has else None for value, has in zip(sections.tolist(), numbered)],
                "interface": [value if has else None for value, has in zip(number.tolist(), numbered)],
                "link_type": [link_name(interface.link_type) for interface in interfaces],
                "resolution": [_resolution(interface.ticks_per_second) for interface in interfaces],
                **dict(zip(("frames", "bytes", "captured_bytes"), sums.T.tolist())),
            }
            for name, values in zip(("start", "end"), times.T.tolist()):
                computed[name] = [value if has else None for value, has in zip(values, timed.tolist())]
            for name, values in columns.items():
                values += computed[name] if name in computed else [getattr(interface, name) for interface in interfaces]
        return pl.DataFrame([pl.Series(f.name, columns[f.name], strict=False).cast(dtype_of(f)) for f in self.columns])


def _resolution(ticks_per_second: int) -> str:
    """'1e-6' or '2^-20'."""
    digits = str(ticks_per_second)
    return f"1e-{len(digits) - 1}" if digits.strip("0") == "1" else f"2^-{ticks_per_second.bit_length() - 1}"
