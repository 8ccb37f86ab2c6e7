"""analyze CAPTURE: the report."""

import click

from . import options


@click.command("report")
@options.CAPTURES
@options.form(only=("text", "json"))
@options.reading
@options.CHECKSUMS
@click.option("--rows", type=click.IntRange(1), default=10, show_default=True, help="Rows shown of each table.")
def command(captures, form, read, checksums, rows):
    """What is in a capture, as annotated tables."""
    from ..analysis import Analysis
    from ..report import _progress, _sections

    with _progress.shown() as progress:
        analysis = Analysis(*captures, on_batch=progress, checksums=checksums, **read)
        tables = analysis.tables(_sections.TABLES)
    _sections.write(tables, form, rows)
    return analysis
