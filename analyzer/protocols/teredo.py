"""Teredo: IPv6 in UDP through address translation, with indications before it. RFC 4380 §5.1.1 and §5.1.2."""

import numpy as np

from ..fields import Column, Field, Headers, Layout, Payload, Protocol, Reading, bits, flag, ipv4, raw, u8, u16

HEADER = Layout()
KIND = Layout(Field("version", bits(4), ""), Field("", bits(12), ""))
WORD = Layout(Field("word", u16, ""))
ORIGIN, AUTHENTICATED = 0, 1  # the first two bytes of an indication; IPv6 starts with 6
AUTHENTICATION = Layout(
    Field("word", u16, ""),
    Field("teredo.auth.idlen", u8, "Length of the client's identifier", "bytes"),
    Field("teredo.auth.aulen", u8, "Length of the authentication value", "bytes"),
)
NONCE = 8
INDICATION = Layout(
    Field("word", u16, ""), Field("teredo.orig.port", u16, "Origin port", "of the client, as seen by its server"),
    Field("teredo.orig.addr", ipv4, "Origin address"),
)  # fmt: skip


def _read(layout: Layout, h: Reading, at: np.ndarray) -> Reading:
    return Reading(layout, h.buffer, at, h.end)


def _indications(h: Reading) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Which have an authentication, which an origin indication (bool); offset of the origin, and of the packet (int64)."""
    head = _read(AUTHENTICATION, h, h.start)
    authentic = (head["word"] == AUTHENTICATED) & (head.trusted >= 2)
    size = AUTHENTICATION.size + head["teredo.auth.idlen"].astype(np.int64) + head["teredo.auth.aulen"] + NONCE + 1
    at = h.start + np.where(authentic, size, 0)
    word = _read(WORD, h, at)
    original = (word["word"] == ORIGIN) & (word.trusted == WORD.size)
    return authentic, original, at, at + np.where(original, INDICATION.size, 0)


def probe_port(r: Reading) -> np.ndarray:
    """An IPv6 packet, or an indication before it."""
    kind = _read(KIND, r, r.start)
    return (kind["version"] == 6) | (_read(WORD, r, r.start)["word"] <= AUTHENTICATED)


def contents(h: Headers):
    _, _, _, start = _indications(h)
    beyond = (start > h.wire) & ~h.quoted
    h.fault(beyond, "", "its indications need {needed} bytes, there are {had}", start - h.start, h.wire - h.start)
    version = _read(KIND, h, start)["version"]
    yield Payload("ipversion", version, start, h.wire, np.flatnonzero(version == 6))
    yield Payload("teredo", version, start, h.wire, np.flatnonzero(version != 6))


def _derived(h: Headers) -> dict[str, Column]:
    authentic, original, at, _ = _indications(h)
    rows = np.flatnonzero(authentic)
    head = Reading(AUTHENTICATION, h.buffer, h.start[rows], h.end[rows], rows)
    place = h.start[rows] + AUTHENTICATION.size
    columns = {
        "teredo.auth": Column(np.ones(len(rows), bool), rows),
        "teredo.auth.idlen": head.column("teredo.auth.idlen"),
        "teredo.auth.aulen": head.column("teredo.auth.aulen"),
    }
    sizes = (
        ("id", head["teredo.auth.idlen"].astype(np.int64)),
        ("value", head["teredo.auth.aulen"].astype(np.int64)),
        ("nonce", np.full(len(rows), NONCE)),
        ("conf", np.ones(len(rows), np.int64)),
    )
    for name, size in sizes:
        there = np.flatnonzero((size > 0) & (place + size <= h.end[rows]))
        columns[f"teredo.auth.{name}"] = Column(np.column_stack((place, place + size))[there], rows[there])
        place = place + size
    rows = np.flatnonzero(original)
    origin = Reading(INDICATION, h.buffer, at[rows], h.end[rows], rows)
    for name in ("teredo.orig.port", "teredo.orig.addr"):  # all bits are inverted, so that translators leave them alone
        values, own = origin.column(name)
        columns[name] = Column(~values, own)
    return columns


FIELDS = (
    Field("teredo.auth", flag, "Authentication"),
    *(f for f in AUTHENTICATION.fields if f.label),
    Field("teredo.auth.id", raw, "Client's identifier"),
    Field("teredo.auth.value", raw, "Authentication value"),
    Field("teredo.auth.nonce", raw, "Nonce"),
    Field("teredo.auth.conf", raw, "Confirmation", "not 0: the client needs a new key"),
    *(f for f in INDICATION.fields if f.label),
)
PROTOCOL = Protocol(
    "Teredo",
    header=HEADER,
    on={"udp.port": 3544},
    info="IPv6[ of {teredo.orig.addr}][, port {teredo.orig.port}]",
    contents=contents,
    probe_port=probe_port,
    derived=((FIELDS, _derived),),
)
