"""analyze follow: the bytes of a stream."""

import click

from . import options


@click.command("follow")
@options.CAPTURES
@click.option("--stream", type=click.IntRange(0), required=True, metavar="N", help="The stream, as tcp.stream numbers them.")
@click.option("--udp", is_flag=True, help="N is a stream of UDP.")
@click.option(
    "--as", "mode", type=click.Choice(["ascii", "hex", "raw", "yaml"]), default="ascii", show_default=True, help="How it is shown."
)
@click.option("--node", type=click.IntRange(0, 1), help="Only what this end sent: 0 sent the first packet.")
@click.option("--range", "chunks", metavar="A-B", help="Only these chunks, counted from 1.")
@options.reading
def command(captures, stream, udp, mode, node, chunks, read):
    """The bytes that both ends of a stream sent, in order, as tshark's -z follow shows them."""
    from ..analysis import Analysis
    from ..report import _follow, _progress

    view = _follow.Follow("udp" if udp else "tcp", stream, mode, node, *_follow.chunks_of(chunks))
    with _progress.shown() as progress:
        analysis = Analysis(*captures, on_batch=progress, **read)
        view.write(analysis)
    return analysis
