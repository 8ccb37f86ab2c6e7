"""The protocols: one file each, found by walking this folder. Nothing registers by being imported.

A file holds a docstring (name, source), the layouts of its headers, functions, and at its end `PROTOCOL = Protocol(…)`. What the
parts of that declaration mean stands with the class, in `fields.py`. The file's name is the protocol's, `_` standing for a dot.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import NamedTuple

from ..fields import Field, Protocol


@cache
def protocols() -> dict[str, Protocol]:
    """Every protocol by its name, as in frame.protocols."""
    found = {}
    for module in pkgutil.iter_modules(__path__):
        if not module.ispkg:
            file, name = importlib.import_module(f"{__name__}.{module.name}"), module.name.replace("_", ".")
            declared: Protocol = file.PROTOCOL
            declared.belongs_to(name, (file.__doc__ or "").strip())
            found[name] = declared
    return found


class Entry(NamedTuple):
    """A field, and the protocols whose headers have it: nearly always one."""

    field: Field
    owners: tuple[str, ...]


@cache
def register() -> dict[str, Entry]:
    """Every field by its name."""
    found: dict[str, Entry] = {}
    for p in protocols().values():
        for f in p.fields():
            found[f.name] = Entry(f, (*found[f.name].owners, p.name) if f.name in found else (p.name,))
    return found
