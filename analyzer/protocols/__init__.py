"""The protocols: one file each, found by walking this folder, once, explicitly. Nothing registers by being imported.

A file declares, in this order: a docstring (name, source), LABEL, its words, HEADER (a Layout), ON (the number spaces in
which it is found), ADDRESSES, EITHER, INFO, contents(h), which says what a header carries, or check(h), which finds the faults
of one that carries nothing, and DERIVED, a tuple of (fields, function) for what has no fixed place. ADDED names fields that a
later stage computes, REALM the field that tells networks apart (a VLAN's number), STREAM what makes the `Cutter` of its messages
in TCP streams. believes(reading) says which of the payloads that a port leads to, which any program may use, can be this
protocol's: the others are left to the next port. recognizes(reading) says the same of UDP's payloads that no port names, so it
must be sure of its own. ELSEWHERE is True if servers answer from another UDP port than was asked. The file's name is the
protocol's, `_` standing for a dot.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import NamedTuple

from ..fields import Field, Layout, Protocol


@cache
def protocols() -> dict[str, Protocol]:
    """Every protocol by its name, as in frame.protocols."""
    found = {}
    for module in pkgutil.iter_modules(__path__):
        if module.ispkg:
            continue
        file = importlib.import_module(f"{__name__}.{module.name}")
        name = module.name.replace("_", ".")
        found[name] = Protocol(
            name=name,
            label=file.LABEL,
            about=(file.__doc__ or "").strip(),
            layout=getattr(file, "HEADER", Layout()),
            on=getattr(file, "ON", {}),
            contents=getattr(file, "contents", None),
            check=getattr(file, "check", None),
            derived=getattr(file, "DERIVED", ()),
            added=getattr(file, "ADDED", ()),
            info=getattr(file, "INFO", ""),
            addresses=getattr(file, "ADDRESSES", None),
            either=getattr(file, "EITHER", {}),
            shown=getattr(file, "SHOWN", name),
            realm=getattr(file, "REALM", ""),
            stream=getattr(file, "STREAM", None),
            believes=getattr(file, "believes", None),
            recognizes=getattr(file, "recognizes", None),
            elsewhere=getattr(file, "ELSEWHERE", False),
        )
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
