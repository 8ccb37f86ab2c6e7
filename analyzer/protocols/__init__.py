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
    """Every protocol by its name, as in frame.protocols. Raises TypeError if a file declares another name than its own."""
    result = {}
    for module in pkgutil.iter_modules(__path__):
        if module.ispkg:
            continue
        declared: Protocol = importlib.import_module(f"{__name__}.{module.name}").PROTOCOL
        if declared.name.replace(".", "_") != module.name:
            raise TypeError(f"protocols/{module.name}.py declares {declared.name!r}, which is not its name")
        result[declared.name] = declared
    return result


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
