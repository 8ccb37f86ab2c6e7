"""What every field and rule means, from the declarations themselves."""

from __future__ import annotations

from collections.abc import Iterator

from ..dissection import aliases
from ..expert import rules
from ..fields import Field
from ..protocols import register


def described(f: Field) -> str:
    """'Type: what matters. 1 request, 2 reply'."""
    text = f"{f.label}: {f.description}" if f.description else f.label
    if f.value_names:
        shown = list(f.value_names.items())
        text += ". " + ", ".join(f"{value} {word}" for value, word in shown[:12]) + (", …" if len(shown) > 12 else "")
    return text


def entries(word: str) -> Iterator[tuple[str, str]]:
    """(name, meaning) of the fields and rules that have `word` in either."""
    word = word.lower()
    for name, (f, _) in sorted(register().items()):
        if word in f"{name} {f.label} {f.description}".lower():
            yield name, described(f)
    for name, fields in sorted(aliases().items()):
        if word in name:
            yield name, f"either of {' and '.join(fields)}"
    for name, rule in rules().items():
        if word in f"{name} {rule.page}".lower():
            yield name, f"({rule.severity}) {' '.join(rule.page.split())}"
