"""Options that several commands share; they mean what they mean in tshark wherever it has them."""

from __future__ import annotations

import click

CAPTURES = click.argument("captures", metavar="CAPTURE...", nargs=-1, required=True)
CHECKSUMS = click.option("--checksums", is_flag=True, help="Verify the checksums of IPv4, TCP and UDP.")
FILTER = click.option("-Y", "filter", metavar="FILTER", help="Only frames that match, as tcp.port == 80 and ip.ttl < 5.")
BATCH = click.option("--batch-frames", type=click.IntRange(1), metavar="N", help="Frames taken at a time; never changes a result.")
COUNT = click.option("-c", "count", type=click.IntRange(1), metavar="N", help="Stop after N frames.")
MAX_STREAMS = click.option(
    "--max-streams", type=click.IntRange(2), default=1_000_000, show_default=True, metavar="N", help="TCP connections held at the most."
)
NO_LOOKUP = click.option("-n", is_flag=True, expose_value=False, help="No name look-ups; always on.")


def form(*words: str, default: str = "text"):
    return click.option("-T", "form", type=click.Choice(words), default=default, show_default=True, help="Form of the output.")
