"""analyze table NAME: any table, in any form."""

import click

from . import options


@click.command("table")
@click.argument("name")
@options.CAPTURES
@options.form("text", "fields", "csv", "json", "ndjson")
@options.FILTER
@options.COUNT
@options.NO_LOOKUP
@options.CHECKSUMS
@options.BATCH
@options.MAX_STREAMS
def command(name, captures, form, count, filter, checksums, batch_frames, max_streams):
    """One table of a capture; `analyze tables` lists them."""
    from ..analysis import Analysis
    from ..report import _progress, write
    from ..tables import make

    columns = make(name).columns
    with _progress.shown() as progress:
        analysis = Analysis(
            *captures,
            batch_frames=batch_frames,
            count=count,
            filter=filter,
            checksums=checksums,
            on_batch=progress,
            max_streams=max_streams,
        )
        write(form, columns, (rows for _, rows in analysis.stream([name])))
    return analysis
