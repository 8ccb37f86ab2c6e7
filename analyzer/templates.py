"""Templates filled from fields: a protocol's packet line, a finding's sentence."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .fields import Field, Headers, texts
from .protocols import register
from .strings import Strings, concat_str, constant, scatter, strings


def parse(template: str) -> Iterator[tuple[str, str, str, str]]:
    """(literal with %s for the value, field, form, condition) of each part of a template; one field each, '' if there is none.

    `{name}` is the value of a field (several: comma-separated), `{name:words}` the name of the value, `{name:mark}` nothing.
    `[…]` is left out where its field is absent, `[?flag: …]` where that flag is false.
    """
    rest = template
    while rest:
        stop = min((at for at in (rest.find("{"), rest.find("[")) if at >= 0), default=len(rest))
        if stop:
            yield rest[:stop], "", "", "always"
            rest = rest[stop:]
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
            spec, _, after = after.partition("}")
            name, _, form = spec.partition(":")
            yield f"{before}%s{after}", name, form, condition
            rest = rest[rest.index("]") + 1 :]


def template_fields(template: str) -> set[str]:
    """The fields that a template needs."""
    return {n for _, name, _, condition in parse(template) for n in (name, condition) if n not in ("", "always", "present")}


def fill_template(h: Headers, template: str, rows: np.ndarray) -> Strings:
    """The template filled for each of the headers at `rows` (int64)."""
    parts = [constant("", len(rows))]
    place = np.full(len(h), -1, np.int64)
    place[rows] = np.arange(len(rows))
    for literal, name, form, condition in parse(template):
        if not name:
            parts.append(constant(literal, len(rows)))
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
        present = np.zeros(len(rows), bool)
        present[where] = True
        before, _, after = literal.partition("%s")
        if before:
            parts.append(constant(before, present))
        if form != "mark":
            column = named(f, values) if form == "words" and f.value_names else texts(f, values, h.buffer)
            parts.append(scatter(len(rows), [_comma_separated(where, column)]))
        if after:
            parts.append(constant(after, present))
    return concat_str(parts)


def _comma_separated(where: np.ndarray, column: Strings) -> tuple[np.ndarray, Strings]:
    """(rows, one text each). where: the row of each text of the column; equal rows are adjacent."""
    if not (where[1:] == where[:-1]).any():
        return where, column
    first, last = np.flatnonzero(np.diff(where, prepend=-1)), np.flatnonzero(np.diff(where, append=-1))
    between = np.ones(len(where), bool)
    between[last] = False
    line = concat_str([column, constant(", ", between)])
    return where[first], Strings(line.data, line.start[first], line.end[last])


def named(f: Field, values: np.ndarray) -> Strings:
    """The name of each value; for values without a name the field's label and the number."""
    assert f.value_names
    used, inverse = np.unique(values, return_inverse=True)
    numbers = zip(used.tolist(), texts(f, used).tolist(), strict=True)
    return strings([f.value_names.get(value) or f"{f.label.lower()} {number}" for value, number in numbers]).take(inverse)
