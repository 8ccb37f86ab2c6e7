"""Exceptions for bad input and bad usage; their messages are sentences for users."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


class AnalyzeError(Exception):
    """Base class; `str()` is one sentence for users."""


class UsageError(AnalyzeError):
    """A command or call with an unknown name or an unfit value."""


class InputError(AnalyzeError):
    """An input that cannot be opened or is no capture."""


@dataclass(frozen=True)
class Damage:
    """Where a capture file is corrupt. Data, not an exception: everything before it is good.

    frame: number of the first damaged frame (1-based) of the source. offset: its position in the file in bytes.
    """

    source: str
    frame: int
    offset: int
    reason: str

    def __str__(self) -> str:
        return f"{self.source}: damaged at frame {self.frame}, byte {self.offset}: {self.reason}"


def nearest(name: str, known: Iterable[str]) -> str:
    """', nearest: a, b' or ''."""
    import difflib

    close = difflib.get_close_matches(name, list(known), 3, 0.6)
    return f", nearest: {', '.join(close)}" if close else ""
