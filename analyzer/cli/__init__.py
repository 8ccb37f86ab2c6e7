"""The command line: one file a command. Here, and only here, kinds of error become exit statuses.

0 done; 1 a check failed; 2 wrong usage, or an input that could not be opened or is damaged; 3 the input is lossy where a check
wants it whole; 128 + n ended by signal n.
"""

from __future__ import annotations

import os
import pkgutil
import signal
import sys
from importlib import import_module

import click

from ..errors import AnalyzeError

NOT_COMMANDS = ("options",)


class Commands(click.Group):
    """Finds commands by their file; a first word that is none is a capture for `report`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [m.name for m in pkgutil.iter_modules(__path__) if m.name not in NOT_COMMANDS]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        return import_module(f"{__name__}.{name}").command if name in self.list_commands(ctx) else None

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.list_commands(ctx), "--help", "-h", "--version"):
            args = ["report", *args]
        return super().parse_args(ctx, args or ["--help"])


def version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from .. import __version__, compiled

        click.echo(f"analyze {__version__} ({'compiled' if compiled() else 'interpreted: slower, the results are the same'})")
        ctx.exit()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=version, help="Version, and whether it runs compiled.")
def cli() -> None:
    """Packet captures as annotated tables.

    \b
    analyze trace.pcap                   what is in it
    analyze packets trace.pcap           a line for each packet
    analyze table conversations trace.pcap -T csv
    """


def run(args: list[str]) -> int:
    """Run a command; return its exit status. Everything that a user can cause ends in one sentence."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with cli.make_context("analyze", list(args)) as context:
            analysis = cli.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as done:
        return done.exit_code
    except (click.ClickException, AnalyzeError) as error:
        _complain(error.format_message() if isinstance(error, click.ClickException) else str(error))
        return 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or Python complains when it closes standard output
        return 128 + signal.SIGPIPE
    except (KeyboardInterrupt, click.Abort):
        return 128 + signal.SIGINT
    except OSError as error:
        _complain(f"{error.filename or 'input or output'}: {(error.strerror or 'failed').lower()}")
        return 2
    except Exception as error:
        if os.environ.get("ANALYZE_DEBUG"):
            raise
        _complain(f"a fault of analyze itself, {type(error).__name__}: {error}; ANALYZE_DEBUG=1 shows where")
        return 2
    if analysis is None:
        return 0
    if analysis.trace.skipped:
        _complain(f"left out, no captures: {', '.join(analysis.trace.skipped)}")
    for note in analysis.notes:
        _complain(note)
    for damage in analysis.damage:
        _complain(str(damage))
    return 2 if analysis.damage else 0


def _complain(sentence: str) -> None:
    from ..report._text import safe

    sys.stdout.flush()
    print(f"analyze: {safe(sentence.strip().rstrip('.'))}", file=sys.stderr)
