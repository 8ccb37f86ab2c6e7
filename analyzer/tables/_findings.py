"""What findings hold of headers: for the tables that list them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from ..expert import Finding
from ..fields import Headers
from ..templates import fill_template


def held(h: Headers, rules: Iterable[Finding]) -> Iterator[tuple[Finding, np.ndarray, list[str]]]:
    """Of each of these findings that holds of some of the headers: which (int64 rows), and what is said of each."""
    for rule in rules:
        if rule.protocol == h.protocol.name:
            at = np.flatnonzero(rule.rule(h))
            if len(at):
                yield rule, at, fill_template(h, rule.says, at).tolist()
