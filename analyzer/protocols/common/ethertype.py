"""The word that is an Ethernet type or a length, after Ethernet's addresses and in each VLAN tag."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...fields import Column, Field, Headers, Payload, gather, u16
from .registries import ETHERTYPE

if TYPE_CHECKING:
    from collections.abc import Iterator

TAGS = (0x8100, 0x88A8, 0x9100, 0x9200)
MAX_LENGTH, MIN_TYPE = 1500, 1536  # IEEE 802.3 §3.2.6


def word(name: str) -> Field:
    """The field of that word."""
    return Field(name, u16, "Type or length", "1536 and more is a type, 1500 and less a length (802.3)", hex=4)


def fields(type_name: str, length_name: str) -> tuple[Field, Field]:
    return Field(type_name, u16, "Type", hex=4, value_names=ETHERTYPE), Field(length_name, u16, "Length", "bytes of the payload, 802.3")


def contents(h: Headers, name: str) -> Iterator[Payload]:
    value = h[name].astype(np.int64)
    start = h.start + h.layout.size
    is_length = value <= MAX_LENGTH
    if not is_length.any():
        yield Payload("ethertype", value, start, h.wire)
        return
    end = np.where(is_length, np.minimum(start + value, h.wire), h.wire)
    h.set_payload_end(end)
    novell = is_length & (gather(h.buffer, start, 2).view(np.uint16).reshape(-1) == 0xFFFF)  # IPX without LLC
    yield Payload("802.3", np.where(novell, 0xFFFF, 0), start, end, np.flatnonzero(is_length))
    yield Payload("ethertype", value, start, h.wire, np.flatnonzero(~is_length))


def kinds(h: Headers, name: str, type_name: str, length_name: str) -> dict[str, Column]:
    value, whole = h[name], h.trusted == h.layout.size
    is_type, is_length = np.flatnonzero(whole & (value >= MIN_TYPE)), np.flatnonzero(whole & (value <= MAX_LENGTH))
    return {type_name: Column(value[is_type], is_type), length_name: Column(value[is_length], is_length)}
