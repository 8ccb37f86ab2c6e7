"""Options that several commands share; they mean what they mean in tshark wherever it has them."""

from __future__ import annotations

import functools

import click

CAPTURES = click.argument("captures", metavar="CAPTURE...", nargs=-1, required=True)
CHECKSUMS = click.option("--checksums", is_flag=True, help="Verify the checksums of IPv4, TCP and UDP.")
READING = (  # their names are those of Analysis
    click.option("-Y", "filter", metavar="FILTER", help="Only frames that match, as tcp.port == 80 and ip.ttl < 5."),
    click.option("-c", "count", type=click.IntRange(1), metavar="N", help="Stop after N frames."),
    click.option("-n", is_flag=True, expose_value=False, help="No name look-ups; always on."),
    click.option("--batch-frames", type=click.IntRange(1), metavar="N", help="Frames taken at a time; never changes a result."),
    click.option(
        "--max-streams", type=click.IntRange(2), default=1_000_000, show_default=True, metavar="N", help="TCP connections held at the most."
    ),
    click.option(
        "--overlap",
        type=click.Choice(("bsd", "first", "last", "linux")),
        default="bsd",
        show_default=True,
        help="Whose bytes count where IP fragments overlap: who begins first (bsd, linux), came first, came last.",
    ),
    click.option(
        "-d", "decode_as", multiple=True, metavar="PORT==N,PROTOCOL", help="What a port leads to: tcp.port==8081,http; several times."
    ),
)
READ = ("filter", "count", "batch_frames", "max_streams", "overlap", "decode_as")


def reading(command):
    """Give a command the options that say what is read of a capture; it gets them together, as `read`, for Analysis."""

    @functools.wraps(command)
    def packed(**values):
        read = {name: values.pop(name) for name in READ}
        return command(read=read, **values)

    for option in reversed(READING):
        packed = option(packed)
    return packed


def form(*words: str, default: str = "text"):
    return click.option("-T", "form", type=click.Choice(words), default=default, show_default=True, help="Form of the output.")
