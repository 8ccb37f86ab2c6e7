"""Everything that goes wrong because of a file or of usage: one family, each a sentence for a person."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


class AnalyzeError(Exception):
    """Base of the family; `str()` is one sentence for a person."""


class UsageError(AnalyzeError):
    """The command or call asks for something that does not exist or does not fit."""


class InputError(AnalyzeError):
    """An input that cannot be opened or is no capture."""


@dataclass(frozen=True)
class Damage:
    """Where a capture stops making sense. Data, not an exception: all before it is good.

    frame is the number of the frame that is hurt (1-based), offset its place in the file in bytes.
    """

    source: str
    frame: int
    offset: int
    says: str

    def __str__(self) -> str:
        return f"{self.source}: damaged at frame {self.frame}, byte {self.offset}: {self.says}"


def nearest(name: str, known: Iterable[str]) -> str:
    """', nearest: a, b' or ''."""
    import difflib

    close = difflib.get_close_matches(name, list(known), 3, 0.6)
    return f", nearest: {', '.join(close)}" if close else ""
