"""Findings: where rules on headers hold, for the tables that list them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from ..expert import Rule
from ..fields import Headers
from ..templates import fill_template


def findings(h: Headers, rules: Iterable[Rule]) -> Iterator[tuple[Rule, np.ndarray, list[str]]]:
    """Each of the rules that holds of some of these headers: of which (int64 rows), and a sentence for each."""
    for rule in rules:
        if rule.subject == h.protocol.name:
            at = np.flatnonzero(rule.test(h))
            if len(at):
                yield rule, at, fill_template(h, rule.template, at).tolist()
