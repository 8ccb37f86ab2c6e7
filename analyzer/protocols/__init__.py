"""The protocols: one file each, found by walking this folder.

A file has a docstring (name, source), the layouts of its headers, functions, and at its end `PROTOCOL = Protocol(…)`; that class, in
`fields.py`, explains the parts. The file has the name of the protocol, with `_` for a dot.
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
    entries: dict[str, Entry] = {}
    for p in protocols().values():
        for f in p.fields():
            entries[f.name] = Entry(f, (*entries[f.name].owners, p.name) if f.name in entries else (p.name,))
    return entries
