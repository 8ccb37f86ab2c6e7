"""analyze explain: what became of each connection, and why."""

import click

from . import options


@click.command("explain")
@options.CAPTURES
@click.option("--stream", type=click.IntRange(0), metavar="N", help="The whole story of one connection, as tcp.stream numbers them.")
@options.form(without=("fields",))
@options.reading
@options.CHECKSUMS
@click.option("--rows", type=click.IntRange(1), default=5, show_default=True, help="Connections shown of each kind of verdict.")
def command(captures, stream, form, read, checksums, rows):
    """What became of each TCP connection, and why: verdicts, worst first."""
    from ..analysis import Analysis
    from ..report import _explain, _progress

    with _progress.shown() as progress:
        analysis = Analysis(*captures, on_batch=progress, checksums=checksums, **read)
        _explain.write(analysis, stream, form, rows)
    return analysis
