"""Rules: what deserves a look. One file a family, one function a rule, precedence from top to bottom.

A rule judges the headers of a protocol (its matches are findings), TCP connections, or the rows of a table. Its docstring is its page:
what it means, what to look at, what it is not, the RFC.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ._connections import Connections

if TYPE_CHECKING:
    import polars as pl

SEVERITIES = ("error", "warn", "note", "chat")  # worst first, Wireshark's names
TABLES = {  # families that judge rows of the table of the same name, in order of precedence: the heading that `explain` counts them under
    "bindings": "ARP, neighbor discovery and ICMP",
    "routes": "ARP, neighbor discovery and ICMP",
    "security": "Security",
    "pings": "ARP, neighbor discovery and ICMP",
    "dns_transactions": "DNS and HTTP",
    "http_transactions": "DNS and HTTP",
    "streams": "Servers",
}
Sentence = Callable[[Any], str]  # of a connection's index, or of a row as a dict by column
Matches = Iterator[tuple[Any, Sentence]]  # where a rule holds, bool (n,), and its sentence there
LAST = ("connection", *TABLES)  # families that follow those on headers


@dataclass(frozen=True)
class Rule:
    """A rule. name: `family.function`, what `analyze fields` finds it by. kind: its name in words; of a rule on headers, its group.

    subject: what it judges, a protocol, `connection` or a table. topics: what the problem touches; none where it is no problem.
    sentence: of headers, a template over fields (`{tcp.srcport}`). test: takes `Headers`, `Connections` or a Polars frame, and returns
    where the rule holds, bool (n,); where the sentence needs what the test has computed, it yields `Matches`, and `sentence` is empty.
    """

    name: str
    severity: str
    kind: str
    sentence: str | Sentence
    subject: str
    topics: frozenset[str]
    test: Callable[[Any], Any]

    @property
    def template(self) -> str:
        """The sentence if it is a template, else ''."""
        return self.sentence if isinstance(self.sentence, str) else ""

    @property
    def page(self) -> str:
        return (self.test.__doc__ or "").strip()

    def matches(self, subject: Connections | pl.DataFrame) -> Matches:
        result = self.test(subject)
        return iter([(result, self.sentence)]) if callable(self.sentence) else result


def rule(
    severity: str, kind: str, sentence: str | Sentence = "", *, subject: str = "", topics: str = ""
) -> Callable[[Callable[[Any], Any]], Rule]:
    """Make a Rule of its test. subject: the family's name if not given. topics: words."""

    def make(test: Callable[[Any], Any]) -> Rule:
        family = test.__module__.rsplit(".", 1)[1]
        return Rule(f"{family}.{test.__name__}", severity, kind, sentence, subject or family, frozenset(topics.split()), test)

    return make


@cache
def rules(family: str = "") -> dict[str, Rule]:
    """The rules of a family, or of all, by name and in order of precedence: those on headers, on connections, on tables."""
    files = [module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")]
    files.sort(key=lambda name: LAST.index(name) if name in LAST else -1)
    modules = [importlib.import_module(f"{__name__}.{name}") for name in ([family] if family else files)]
    return {value.name: value for module in modules for value in vars(module).values() if isinstance(value, Rule)}


def evaluate(subject: Connections | pl.DataFrame, family: str) -> tuple[list[str], list[str], list[str]]:
    """Severity, kind and sentence of each connection or row: of the first rule of the family that holds, or 'chat' and nothing.

    Other rules that hold are named behind the sentence, if they share no topic with those named before.
    """
    matches = [(rule, _dense(holds), sentence) for rule in rules(family).values() for holds, sentence in rule.matches(subject)]
    if isinstance(subject, Connections):
        subject.use_lists()
    n = len(subject)
    severity, kind, text = ["chat"] * n, [""] * n, [""] * n
    named: dict[int, list[Rule]] = {}
    free = np.ones(n, bool)
    for rule, holds, sentence in matches:
        if rule.topics:
            for i in np.flatnonzero(holds & ~free).tolist():
                if all(rule.topics.isdisjoint(other.topics) for other in named[i]):
                    named[i].append(rule)
        at = np.flatnonzero(holds & free)
        rows = at.tolist() if isinstance(subject, Connections) else subject[at].iter_rows(named=True)
        for i, row in zip(at.tolist(), rows, strict=True):
            severity[i], kind[i], text[i], named[i] = rule.severity, rule.kind, sentence(row), [rule]
        free &= ~holds
    for i, (_, *more) in named.items():
        if more:
            text[i] += f" Besides: {', '.join(rule.kind.removeprefix('healthy, ') for rule in more)}."
    return severity, kind, text


def _dense(holds: np.ndarray | pl.Series) -> np.ndarray:
    """As a bool array; nulls of a series are False."""
    return holds if isinstance(holds, np.ndarray) else holds.fill_null(False).to_numpy()
