"""analyze packets: a line for each packet, or chosen fields of it."""

import click

from . import options


@click.command("packets")
@options.CAPTURES
@options.form()
@click.option("-e", "fields", multiple=True, metavar="FIELD", help="A field to print; once for each.")
@click.option(
    "-E", "settings", multiple=True, metavar="K=V", help="How -T fields prints: header, separator, occurrence, aggregator, quote."
)
@click.option("-t", "clock", default="r", metavar="FORM", help="Time: r relative, d delta, e epoch, a ad adoy local, u ud udoy UTC.")
@click.option("--utc", is_flag=True, help="Times of day in UTC.")
@click.option("-V", "tree", is_flag=True, help="Each packet as a tree of headers and fields.")
@click.option("-O", "opened", metavar="PROTOCOLS", help="As -V, but only these in full: ip,tcp.")
@click.option("-x", "dump", is_flag=True, help="The bytes of each packet.")
@click.option("--names", is_flag=True, help="With -V: the names of the fields.")
@options.reading
@options.CHECKSUMS
def command(captures, form, fields, settings, clock, utc, opened, read, checksums, **shown):
    """A line for each packet; with -T fields -e …, the fields you name, exactly as tshark prints them."""
    from ..analysis import Analysis
    from ..report import _packets, _progress

    view = _packets.view(form, fields, settings, clock, utc, opened, **shown)
    with _progress.shown() as progress:
        analysis = Analysis(*captures, on_batch=progress, checksums=checksums, **read)
        view.write(analysis)
    return analysis
