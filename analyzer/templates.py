"""Sentences over fields: a protocol's packet line, a finding's summary."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .fields import Field, Headers, texts
from .protocols import register
from .strings import Strings, always, joined, placed, strings


def pieces(template: str) -> Iterator[tuple[str, str, str, str]]:
    """A template cut up: (literal before, field, form, condition) with one field each, '' where there is none.

    `{name}` is a field's value (several: with commas between), `{name:words}` what it is called, `{name:mark}` nothing, and `[…]`
    is left out where its field is absent; `[?flag: …]` where that flag is false.
    """
    rest = template
    while rest:
        cut = min((at for at in (rest.find("{"), rest.find("[")) if at >= 0), default=len(rest))
        if cut:
            yield rest[:cut], "", "", "always"
            rest = rest[cut:]
        elif rest[0] == "{":
            name, _, form = rest[1 : rest.index("}")].partition(":")
            yield "%s", name, form, "always"
            rest = rest[rest.index("}") + 1 :]
        elif "{" not in rest[: rest.index("]") + 1]:  # a literal bracket
            yield rest[: rest.index("]") + 1], "", "", "always"
            rest = rest[rest.index("]") + 1 :]
        elif rest[1] != "?" and rest[1] == "{":  # brackets around a field alone are literal: [SYN]
            yield "[", "", "", "always"
            rest = rest[1:]
            name, _, form = rest[1 : rest.index("}")].partition(":")
            yield "%s]", name, form, "always"
            rest = rest[rest.index("]") + 1 :]
        else:
            inner = rest[1 : rest.index("]")]
            condition = "present"
            if inner[0] == "?":
                condition, inner = inner[1:].split(":", 1)
            before, _, after = inner.partition("{")
            spec, _, behind = after.partition("}")
            name, _, form = spec.partition(":")
            yield f"{before}%s{behind}", name, form, condition
            rest = rest[rest.index("]") + 1 :]


def template_fields(template: str) -> set[str]:
    """The fields that a template needs."""
    return {n for _, name, _, condition in pieces(template) for n in (name, condition) if n not in ("", "always", "present")}


def says(h: Headers, template: str, rows: np.ndarray) -> Strings:
    """The template filled in for each of these headers."""
    parts = [always("", len(rows))]
    place = np.full(len(h), -1, np.int64)
    place[rows] = np.arange(len(rows))
    for literal, name, form, condition in pieces(template):
        if not name:
            parts.append(always(literal, len(rows)))
            continue
        f = register()[name].field
        values, at = h.column(name)
        where = place if at is None else place[at]
        keep = where >= 0
        if condition not in ("always", "present"):
            keep &= h[condition] if at is None else h[condition][at]
        if not keep.all():
            values, where = values[keep], where[keep]
        if not len(where):
            continue
        there = np.zeros(len(rows), bool)
        there[where] = True
        before, _, behind = literal.partition("%s")
        if before:
            parts.append(always(before, there))
        if form != "mark":
            made = worded(f, values) if form == "words" and f.value_names else texts(f, values, h.buffer)
            parts.append(placed(len(rows), [_listed(where, made)]))
        if behind:
            parts.append(always(behind, there))
    return joined(parts)


def _listed(where: np.ndarray, said: Strings) -> tuple[np.ndarray, Strings]:
    """One text for each row: several for a row (which follow each other in `where`) become a list with commas."""
    if not (where[1:] == where[:-1]).any():
        return where, said
    first, last = np.flatnonzero(np.diff(where, prepend=-1)), np.flatnonzero(np.diff(where, append=-1))
    between = np.ones(len(where), bool)
    between[last] = False
    line = joined([said, always(", ", between)])
    return where[first], Strings(line.data, line.start[first], line.end[last])


def worded(f: Field, values: np.ndarray) -> Strings:
    """What each value is called, with the field's label where it has no name."""
    assert f.value_names
    used, inverse = np.unique(values, return_inverse=True)
    named = zip(used.tolist(), texts(f, used).tolist(), strict=True)
    return strings([f.value_names.get(value) or f"{f.label.lower()} {said}" for value, said in named]).take(inverse)
