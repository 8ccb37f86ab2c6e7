"""Captures and wanted tables → tables, damage, losses. The class that programs use, the command line among them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .capture.merge import Trace
from .defaults import MAX_STREAMS, OVERLAP
from .demultiplexer import parse_decode_as
from .dissect import Dissector
from .dissection import Dissection
from .errors import Damage
from .lookup import filtered, matching, only
from .tables import Table, make

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import polars as pl

    Watcher = Callable[[int, int, int | None], None]


class Analysis:
    """One analysis of one trace: what the command line does, for programs.

    >>> Analysis("trace.pcap").table("conversations")  # a polars.DataFrame

    captures: names of files and directories, '-' for standard input; several are one trace, merged by time.
    batch_frames: frames taken at a time; never changes a result. count: frames to read at the most. checksums: whether those of
    IPv4, TCP and UDP are verified. filter: a display filter; tables see only the frames that match.
    max_streams: TCP connections held at the most, those idle longest are forgotten beyond. overlap: whose bytes count where IP
    fragments overlap: 'bsd', 'first', 'last' or 'linux' (see `correlators.fragments.Fragments`).
    decode_as: what ports lead to, whatever they are known for: 'tcp.port==8081,http', 'udp.port==5000-5010,rtp'; of several that speak
    of one port the last counts.
    on_batch: called with (frames so far, bytes read so far, bytes in all if known) after each batch.
    notes: sentences about what was found that stand beside the result, for standard error.
    Raises InputError if a capture cannot be opened, UsageError if the filter or decode_as is wrong.
    """

    def __init__(
        self,
        *captures: str,
        batch_frames: int | None = None,
        count: int | None = None,
        checksums: bool = False,
        filter: str | None = None,
        on_batch: Watcher | None = None,
        max_streams: int = MAX_STREAMS,
        overlap: str = OVERLAP,
        decode_as: Iterable[str] = (),
    ) -> None:
        self.decode_as = [parse_decode_as(one) for one in decode_as]
        self.filter = filtered(filter) if filter else None
        self.trace = Trace(list(captures), batch_frames)
        self.count = count
        self.checksums = checksums
        self.on_batch = on_batch
        self.max_streams = max_streams
        self.overlap = overlap
        self.notes: list[str] = []
        self._read = False

    @property
    def damage(self) -> list[Damage]:
        """Where captures broke, once they were read."""
        return [source.damage for source in self.trace.sources if source.damage]

    def dissections(self, wanted: Iterable[str]) -> Iterator[Dissection]:
        """The batches, taken apart; each may be used until the next is asked for. wanted: fields that will be asked for. A trace is
        read once."""
        assert not self._read, "a trace is read once; make another Analysis"
        self._read = True
        asked = {*wanted, *(self.filter.needs if self.filter else ())}
        dissector = Dissector(asked, self.checksums, self.max_streams, self.overlap, self.decode_as)
        files = [source.file for source in self.trace.sources if source.file is not None]
        total = sum(file.size or 0 for file in files) or None
        for batch in self.trace.batches():
            if self.count is not None and batch.first + len(batch) - 1 > self.count:
                batch = batch.head(self.count - batch.first + 1)
            whole = dissector(batch, self.trace.interfaces)
            kept = only(whole, matching(whole, self.filter)) if self.filter else whole
            yield kept
            for d in (kept, whole):  # whoever holds it still would keep the memory that the next needs
                vars(d).clear()
            if self.on_batch:
                self.on_batch(batch.first + len(batch) - 1, sum(file.at for file in files), total)
            if self.count is not None and batch.first + len(batch) - 1 >= self.count:
                break
        self.notes += dissector.forgotten()

    def stream(self, names: Iterable[str]) -> Iterator[tuple[str, pl.DataFrame]]:
        """The rows of these tables as they become final: (table, rows). Raises UsageError for an unknown name."""
        import polars as pl

        asked = list(dict.fromkeys(names))
        tables: dict[str, Table] = {}

        def add(name: str) -> None:
            if name not in tables:
                made = make(name)
                for other in made.after:
                    add(other)
                tables[name] = made

        for name in asked:
            add(name)
        inner = {other for table in tables.values() for other in table.after}
        kept: dict[str, list[pl.DataFrame]] = {name: [] for name in inner}
        wanted = {field for table in tables.values() for field in table.needs}

        def out(name: str, rows: pl.DataFrame | None) -> Iterator[tuple[str, pl.DataFrame]]:
            if rows is not None and len(rows):
                if name in inner:
                    kept[name].append(rows)
                if name in asked:
                    yield name, rows

        for d in self.dissections(wanted):
            for name, table in tables.items():
                yield from out(name, table.feed(d))
        finished: dict[str, pl.DataFrame] = {}
        for name, table in tables.items():
            rows = table.finish(self.trace.sources, finished)
            yield from out(name, rows)
            self.notes += table.notes
            if name in inner:
                finished[name] = pl.concat(kept[name]) if kept[name] else empty(table)

    def tables(self, names: Iterable[str]) -> dict[str, pl.DataFrame]:
        """Several tables, made in one pass over the capture."""
        import polars as pl

        names = list(names)
        found: dict[str, list[pl.DataFrame]] = {name: [] for name in names}
        for name, rows in self.stream(names):
            found[name].append(rows)
        return {name: pl.concat(rows) if rows else empty(make(name)) for name, rows in found.items()}

    def table(self, name: str) -> pl.DataFrame:
        """One table."""
        return self.tables([name])[name]


def empty(table: Table) -> pl.DataFrame:
    """The table without rows: its columns and their types."""
    import polars as pl

    from .tables._columns import dtype_of

    return pl.DataFrame(schema={f.name: dtype_of(f) for f in table.columns})
