"""The word that is an Ethernet type or a length: the same rule behind Ethernet's addresses and behind each VLAN tag."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...fields import Column, Field, Headers, Payload, gather, u16
from .registries import ETHERTYPE

if TYPE_CHECKING:
    from collections.abc import Iterator

TAGS = (0x8100, 0x88A8, 0x9100, 0x9200)
LONGEST = 1500  # IEEE 802.3 §3.2.6: up to here it is a length, from 1536 on a type


def word(name: str) -> Field:
    """The field that holds either."""
    return Field(name, u16, "Type or length", "1536 and more is a type, 1500 and less a length (802.3)", hex=4)


def fields(type_name: str, length_name: str) -> tuple[Field, Field]:
    return Field(type_name, u16, "Type", hex=4, value_names=ETHERTYPE), Field(length_name, u16, "Length", "bytes of the payload, 802.3")


def contents(h: Headers, name: str) -> Iterator[Payload]:
    value = h[name].astype(np.int64)
    start = h.start + h.layout.size
    counted = value <= LONGEST
    if not counted.any():
        yield Payload("ethertype", value, start, h.wire)
        return
    end = np.where(counted, np.minimum(start + value, h.wire), h.wire)
    h.set_payload_end(end)
    novell = counted & (gather(h.buffer, start, 2).view(np.uint16).reshape(-1) == 0xFFFF)  # IPX straight behind the length
    yield Payload("802.3", np.where(novell, 0xFFFF, 0), start, end, np.flatnonzero(counted))
    yield Payload("ethertype", value, start, h.wire, np.flatnonzero(~counted))


def kinds(h: Headers, name: str, type_name: str, length_name: str) -> dict[str, Column]:
    value, whole = h[name], h.trusted == h.layout.size
    typed, counted = np.flatnonzero(whole & (value >= 1536)), np.flatnonzero(whole & (value <= LONGEST))
    return {type_name: Column(value[typed], typed), length_name: Column(value[counted], counted)}
