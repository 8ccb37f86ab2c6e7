"""Names that users type, looked up: fields, aliases, protocols; and display filters over them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache

import numpy as np

from .dissection import Dissection, Undecoded, aliases
from .errors import UsageError, nearest
from .fields import Field, Headers, part, text
from .filters import Filter, compile_filter
from .protocols import protocols, register
from .templates import template_fields


def field_of(name: str) -> Field:
    """The field of that name. Raises UsageError, with the nearest names, if there is none."""
    known = register()
    if name in known:
        return known[name].field
    if name in aliases():
        return part(known[aliases()[name][0]].field, name=name, many=True)
    if name in COLUMNS:
        return Field(name, text, COLUMNS[name])
    raise UsageError(f"no field {name!r}{nearest(name, [*known, *aliases(), *COLUMNS])}; `analyze fields` lists them")


COLUMNS = {  # tshark's names of what a packet line shows
    "_ws.col.Source": "source",
    "_ws.col.Destination": "destination",
    "_ws.col.Protocol": "protocol",
    "_ws.col.Info": "info",
}


def needed(names: Iterable[str]) -> set[str]:
    """The fields that printing these needs, those of info lines included."""
    wanted = {n for name in names for n in aliases().get(name, (name,))}
    if wanted & set(COLUMNS):
        wanted |= {n for p in protocols().values() for n in (p.name, *template_fields(p.info))}
    return wanted


@cache
def protocol_names() -> frozenset[str]:
    """What a filter may call protocols: their own names, and those of frame.protocols."""
    return frozenset(name for p in protocols().values() for name in (p.name, p.display_name))


def filtered(expression: str) -> Filter:
    """A display filter over all fields and protocols. Raises UsageError."""

    def lookup(name: str) -> tuple[Field, tuple[str, ...]] | None:
        if name in register() or name in aliases():
            return field_of(name), aliases().get(name, (name,))
        return (Field(name, text, name), ()) if name in protocol_names() else None

    return compile_filter(expression, lookup, lambda name: nearest(name, [*register(), *aliases(), *protocol_names()]))


def matching(d: Dissection, wanted: Filter) -> np.ndarray:
    """Which frames of the batch match, bool (frames,)."""

    def values(name: str) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        if name in protocol_names():
            for h in d.order:
                if name in (h.protocol.name, h.protocol.display_name):
                    yield h.frame, h.frame, h.buffer
            return
        for h, (column, rows) in d.columns(name):
            yield (h.frame if rows is None else h.frame[rows]), column, h.buffer

    return wanted.mask(values, len(d))


def only(d: Dissection, mask: np.ndarray) -> Dissection:
    """The same dissection with no headers but those of the frames at `mask`."""
    order = [h.take(np.flatnonzero(mask[h.frame])) for h in d.order]
    chunks: dict[str, list[Headers]] = {}
    for h in order:
        chunks.setdefault(h.protocol.name, []).append(h)
    undecoded = []
    for one in d.undecoded:
        rows = mask[one.frame]
        undecoded.append(Undecoded(one.space, one.number[rows], one.frame[rows], one.size[rows]))
    return replace(d, frames=order[0], chunks=chunks, order=order, undecoded=undecoded, kept=mask, unfiltered=d, shared={})
