"""A row is an interface of a capture: what its recorder said of it, what was recorded, what got lost."""

from __future__ import annotations

import numpy as np
import polars as pl

from ..capture import Interface, Source
from ..capture.links import link_name
from ..dissection import Dissection
from ..fields import Field, text, time, u8, u32, u64
from . import Table
from ._columns import dtype_of

FAR = np.iinfo(np.int64)
SAID = {  # columns that the file tells of each interface
    "link_type": lambda one: link_name(one.link_type),
    "snap_length": lambda one: one.snap_length,
    "addresses": lambda one: list(one.addresses),
    "speed": lambda one: one.speed,
    "speed_out": lambda one: one.speed_out,
    "speed_in": lambda one: one.speed_in,
    "filter": lambda one: one.filter,
    "system": lambda one: one.system,
    "hardware": lambda one: one.hardware,
    "zone": lambda one: one.zone,
    "fcs_length": lambda one: one.fcs,
    "received": lambda one: one.received,
    "dropped": lambda one: one.dropped,
    "accepted": lambda one: one.accepted,
    "system_dropped": lambda one: one.system_dropped,
    "delivered": lambda one: one.delivered,
    "counted_from": lambda one: one.begin,
    "counted_to": lambda one: one.end,
    "counted_at": lambda one: one.when,
    "comments": lambda one: list(one.comments),
}


class TABLE(Table):
    name = "interfaces"
    description = "an interface of a capture: link type, frames, losses, what the recorder said of it"
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
        self.times = np.zeros((0, 2), np.int64)  # earliest, latest

    def _grow(self, interfaces: int) -> None:
        more = interfaces - len(self.sums)
        if more > 0:
            more = max(more, len(self.sums))
            self.sums = np.concatenate((self.sums, np.zeros((more, 3), np.int64)))
            self.times = np.concatenate((self.times, np.tile(np.array([FAR.max, FAR.min]), (more, 1))))

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
        made: dict[str, list[object]] = {f.name: [] for f in self.columns}
        for source in sources:
            some = source.interfaces
            alone = len(sources) == 1
            place = np.arange(len(some)) if alone else np.array((*source.places, *[-1] * (len(some) - len(source.places))), np.int64)
            self._grow(max(len(some), 1) if alone else 1)
            sums, times = self.sums[place], self.times[place]
            sums[place < 0] = 0
            there = (place >= 0) & (times[:, 0] <= times[:, 1])
            made["capture"] += [source.name] * len(some)
            sections = np.array([one.section for one in some], np.int64)
            numbered = [one.number is not None for one in some]
            first = np.searchsorted(sections, sections)  # sections come one after the other
            made["section"] += [one + 1 if has else None for one, has in zip(sections.tolist(), numbered)]
            made["interface"] += [one if has else None for one, has in zip((np.arange(len(some)) - first).tolist(), numbered)]
            made["name"] += [one.name for one in some]
            made["description"] += [one.description for one in some]
            made["resolution"] += [_resolution(one) for one in some]
            for name, values in zip(("frames", "bytes", "captured_bytes"), sums.T.tolist()):
                made[name] += values
            for name, values in zip(("start", "end"), times.T.tolist()):
                made[name] += [value if has else None for value, has in zip(values, there.tolist())]
            for name, get in SAID.items():
                made[name] += [get(one) for one in some]
        return pl.DataFrame([pl.Series(f.name, made[f.name], strict=False).cast(dtype_of(f)) for f in self.columns])


def _resolution(one: Interface) -> str:
    """'1e-6' or '2^-20'."""
    digits = str(one.units)
    return f"1e-{len(digits) - 1}" if digits.strip("0") == "1" else f"2^-{one.units.bit_length() - 1}"
