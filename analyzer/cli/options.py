"""Options that several commands share; they mean what they mean in tshark wherever it has them."""

from __future__ import annotations

import functools
from pkgutil import iter_modules
from typing import Any

import click

from .. import report
from ..defaults import MAX_STREAMS, OVERLAP, OVERLAP_POLICIES

CAPTURES = click.argument("captures", metavar="CAPTURE...", nargs=-1, required=True)
CHECKSUMS = click.option("--checksums", is_flag=True, help="Verify the checksums of IPv4, TCP and UDP.")
READING = (  # their names are those of Analysis
    click.option("-Y", "filter", metavar="FILTER", help="Only frames that match, as tcp.port == 80 and ip.ttl < 5."),
    click.option("-c", "count", type=click.IntRange(1), metavar="N", help="Stop after N frames."),
    click.option("-n", is_flag=True, expose_value=False, help="No name look-ups; always on."),
    click.option("--batch-frames", type=click.IntRange(1), metavar="N", help="Frames taken at a time; never changes a result."),
    click.option(
        "--max-streams",
        type=click.IntRange(2),
        default=MAX_STREAMS,
        show_default=True,
        metavar="N",
        help="TCP connections held at the most.",
    ),
    click.option(
        "--overlap",
        type=click.Choice(OVERLAP_POLICIES),
        default=OVERLAP,
        show_default=True,
        help="Whose bytes count where IP fragments overlap: who begins first (bsd, linux), came first, came last.",
    ),
    click.option(
        "-d", "decode_as", multiple=True, metavar="PORT==N,PROTOCOL", help="What a port leads to: tcp.port==8081,http; several times."
    ),
)
FORMS = sorted((m.name for m in iter_modules(report.__path__) if not m.name.startswith("_")), key="text".__ne__)


def reading(command):
    """Give a command the options that say what is read of a capture; it gets them together, as `read`, for Analysis."""

    @functools.wraps(command)
    def packed(**values):
        read = {name: values.pop(name) for name in names}
        return command(read=read, **values)

    before = len(getattr(command, "__click_params__", ()))
    made: Any = functools.reduce(lambda made, option: option(made), reversed(READING), packed)
    names = [option.name for option in made.__click_params__[before:] if option.expose_value]
    return made


def form(without: tuple[str, ...] = (), only: tuple[str, ...] = ()):
    """-T: the forms of output that there are, files of `report`, but for some, or only some."""
    forms = [name for name in only or FORMS if name not in without]
    return click.option("-T", "form", type=click.Choice(forms), default="text", show_default=True, help="Form of the output.")
