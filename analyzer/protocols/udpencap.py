"""IPsec over UDP, to pass address translation: ESP, IKE after four zero bytes, keep-alives. RFC 3948 §2."""

import numpy as np

from ..fields import Column, Field, Headers, Layout, Payload, Protocol, Reading, flag, u8, u32

HEADER = Layout()
FIRST, WORD = Layout(Field("first", u8, "")), Layout(Field("word", u32, ""))
MARKER = 4  # zero bytes before IKE, in the place of ESP's SPI, which is never 0


def _kinds(h: Headers) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which are keep-alives, which carry IKE, which ESP; bool (n,)."""
    alive = (h.wire - h.start == 1) & (Reading(FIRST, h.buffer, h.start, h.end)["first"] == 0xFF)
    word = Reading(WORD, h.buffer, h.start, h.end)
    there = word.trusted == WORD.size
    return alive, there & (word["word"] == 0), there & (word["word"] > 0)


def contents(h: Headers):
    alive, marked, esp = _kinds(h)
    yield Payload("udpencap", 0, h.start, h.wire, np.flatnonzero(esp))
    yield Payload("udpencap", 1, h.start + MARKER, h.wire, np.flatnonzero(marked))
    yield Payload("udpencap", 2, h.start, h.wire, np.flatnonzero(~alive & ~marked & ~esp))


def _derived(h: Headers) -> dict[str, Column]:
    names = ("udpencap.nat_keepalive", "udpencap.non_esp_marker")
    rows = [np.flatnonzero(mask) for mask in _kinds(h)[:2]]
    return {name: Column(np.ones(len(at), bool), at) for name, at in zip(names, rows, strict=True)}


PROTOCOL = Protocol(
    "UDPencap",
    header=HEADER,
    on={"udp.port": 4500},
    info="[keep-alive{udpencap.nat_keepalive:mark}][IKE{udpencap.non_esp_marker:mark}]",
    contents=contents,
    derived=(((Field("udpencap.nat_keepalive", flag, "Keep-alive"), Field("udpencap.non_esp_marker", flag, "Marker of IKE")), _derived),),
)
