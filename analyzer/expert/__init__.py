"""Findings: what deserves a look. One file a family, one function a finding, precedence from top to bottom.

Findings are about one header; verdicts, of the family `connection`, about a whole TCP connection.

A finding says of every header of one protocol whether it holds: a function of `Headers` (columns by name) that returns a
bool array. Its docstring is its page: what it means, what to look at, what it is not, the RFC.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from ..fields import Headers
    from ._verdicts import Verdict

SEVERITIES = ("error", "warn", "note", "chat")  # worst first, Wireshark's names


@dataclass(frozen=True)
class Finding:
    """A rule. name is what `analyze fields` finds it by; says is a template over fields (`{tcp.srcport}`)."""

    name: str
    protocol: str
    severity: str
    group: str
    says: str
    rule: Callable[[Headers], np.ndarray]

    @property
    def page(self) -> str:
        return (self.rule.__doc__ or "").strip()


def finding(protocol: str, severity: str, group: str, says: str) -> Callable[[Callable[[Headers], np.ndarray]], Finding]:
    """Make a Finding of a function; its name becomes `family.function`."""

    def make(rule: Callable[[Headers], np.ndarray]) -> Finding:
        family = rule.__module__.rsplit(".", 1)[1]
        return Finding(f"{family}.{rule.__name__}", protocol, severity, group, says, rule)

    return make


@cache
def findings() -> dict[str, Finding]:
    """Every finding by its name, family by family."""
    found: dict[str, Finding] = {}
    for module in pkgutil.iter_modules(__path__):
        if module.name.startswith("_"):
            continue
        file = importlib.import_module(f"{__name__}.{module.name}")
        found.update({one.name: one for one in vars(file).values() if isinstance(one, Finding)})
    return found


@cache
def verdicts() -> dict[str, Verdict]:
    """Every verdict by its name, worst first."""
    from . import connection
    from ._verdicts import Verdict

    return {one.name: one for one in vars(connection).values() if isinstance(one, Verdict)}
