"""Wireshark's fields about the fragments of a datagram, in the header that completes it; from `correlators.fragments`."""

from __future__ import annotations

import numpy as np

from ...fields import Field, Headers, flag, u32

MAX_DATAGRAM = 65_535  # bytes of a datagram


def check(h: Headers, rows: np.ndarray, name: str, offset: np.ndarray, size: np.ndarray) -> None:
    """Report fragments that end beyond the largest datagram; RFC 791 §3.1, RFC 8200 §4.5. name: of the offset field."""
    end = offset + size
    bad = np.zeros(len(h), bool)
    bad[rows] = end[rows] > MAX_DATAGRAM
    sentence = "puts the end of this piece at {had}, beyond the {needed} bytes of the largest datagram: left out"
    h.fault(bad & ~h.quoted, name, sentence, MAX_DATAGRAM, end, h.start + h.layout.places[name].offset)


def fields(family: str, reassembled_in: str) -> tuple[Field, ...]:
    """The fields of `family`: ip or ipv6, the first word of their names."""
    prefix = f"{family}.fragment"
    return (
        Field(prefix, u32, "Piece in frame", "by offset; at the frame that made the datagram whole", many=True),
        Field(f"{prefix}.error", u32, "Faulty piece in frame", "it contradicts another, or has another end", many=True),
        Field(f"{prefix}.overlap", flag, "Piece overlaps", "others that begin before it have some of its bytes", many=True),
        Field(f"{prefix}.overlap.conflict", flag, "Piece contradicts", "others have other bytes for the same place", many=True),
        Field(f"{prefix}.multipletails", flag, "Second end", "a last piece that ends elsewhere than the first that came", many=True),
        Field(f"{prefix}.toolongfragment", flag, "Piece too long", "it reaches behind the datagram's end", many=True),
        Field(f"{prefix}.count", u32, "Pieces", "all that came, copies too"),
        Field(f"{family}.reassembled.length", u32, "Datagram put together", "bytes, without the IP header"),
        Field(reassembled_in, u32, "Whole before in frame", "this is a late copy of a piece: the datagram was whole in that earlier frame"),
    )
