"""analyze CAPTURE: the report."""

import click

from . import options


@click.command("report")
@options.CAPTURES
@options.form("text", "json")
@options.FILTER
@options.COUNT
@options.NO_LOOKUP
@options.CHECKSUMS
@options.BATCH
@options.MAX_STREAMS
@click.option("--rows", type=click.IntRange(1), default=10, show_default=True, help="Rows shown of each table.")
def command(captures, form, count, filter, checksums, batch_frames, max_streams, rows):
    """What is in a capture, as annotated tables."""
    from ..analysis import Analysis
    from ..report import _progress, _sections

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
        tables = analysis.tables(_sections.TABLES)
    _sections.write(tables, form, rows)
    return analysis
