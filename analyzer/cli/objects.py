"""analyze objects: the files carried."""

import click

from . import options


@click.command("objects")
@options.CAPTURES
@click.option("-o", "folder", metavar="DIR", help="Save them there, under safe names; nothing is written over.")
@click.option(
    "--most", type=click.IntRange(1), default=64 << 20, show_default=True, metavar="BYTES", help="Bytes of a decompressed body at the most."
)
@options.form(without=("fields",))
@options.reading
def command(captures, folder, most, form, read):
    """List the files that HTTP, FTP, TFTP and SMTP carried, and save them."""
    from ..analysis import Analysis
    from ..report import _objects, _progress

    with _progress.shown() as progress:
        analysis = Analysis(*captures, on_batch=progress, **read)
        _objects.write(analysis, folder, form, most)
    return analysis
