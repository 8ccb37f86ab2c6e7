"""analyze table NAME: any table, in any form."""

import click

from . import options


@click.command("table")
@click.argument("name")
@options.CAPTURE
@options.form("text", "fields", "csv", "json", "ndjson")
@options.COUNT
@options.NO_LOOKUP
@options.BATCH
def command(name, capture, form, count, batch_frames):
    """One table of a capture; `analyze tables` lists them."""
    from ..analysis import Analysis
    from ..report import _progress, write
    from ..tables import make

    columns = make(name).columns
    with _progress.shown() as progress:
        analysis = Analysis(capture, batch_frames=batch_frames, count=count, on_batch=progress)
        write(form, columns, (rows for _, rows in analysis.stream([name])))
    return analysis.damage
