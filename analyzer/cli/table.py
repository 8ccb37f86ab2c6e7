"""analyze table NAME: any table, in any form."""

import click

from . import options


@click.command("table")
@click.argument("name")
@options.CAPTURES
@options.form()
@options.reading
@options.CHECKSUMS
def command(name, captures, form, read, checksums):
    """One table of a capture; `analyze tables` lists them."""
    from ..analysis import Analysis
    from ..report import _progress, write
    from ..tables import make

    columns = make(name).columns
    with _progress.shown() as progress:
        analysis = Analysis(*captures, on_batch=progress, checksums=checksums, **read)
        write(form, columns, (rows for _, rows in analysis.stream([name])))
    return analysis
