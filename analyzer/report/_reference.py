"""What every field and finding means, from the declarations themselves."""

from __future__ import annotations

from collections.abc import Iterator

from ..dissection import aliases
from ..expert import Finding, findings, verdicts
from ..expert._troubles import TABLES, Trouble, troubles
from ..expert._verdicts import Verdict
from ..fields import Field
from ..protocols import register


def described(f: Field) -> str:
    """'Type: what matters. 1 request, 2 reply'."""
    said = f"{f.label}: {f.description}" if f.description else f.label
    if f.value_names:
        shown = list(f.value_names.items())
        said += ". " + ", ".join(f"{value} {word}" for value, word in shown[:12]) + (", …" if len(shown) > 12 else "")
    return said


def entries(word: str) -> Iterator[tuple[str, str]]:
    """(name, meaning) of the fields and findings that have `word` in either."""
    word = word.lower()
    for name, (f, _) in sorted(register().items()):
        if word in f"{name} {f.label} {f.description}".lower():
            yield name, described(f)
    for name, fields in sorted(aliases().items()):
        if word in name:
            yield name, f"either of {' and '.join(fields)}"
    pages: dict[str, Finding | Verdict | Trouble] = {**findings(), **verdicts()}
    pages |= {one.name: one for table in TABLES for one in troubles(table)}
    for name, one in pages.items():
        if word in f"{name} {one.page}".lower():
            yield name, f"({one.severity}) {' '.join(one.page.split())}"
