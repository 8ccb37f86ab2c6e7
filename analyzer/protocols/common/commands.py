"""What FTP and SMTP have in common: a client's commands and a server's replies, line by line."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator

import numpy as np

from ...fields import Column, Field, Headers
from . import _commands
from .framing import ContiguousRuns, Framed

REQUEST, REPLY, BODY, END, SECRET = _commands.REQUEST, _commands.REPLY, _commands.BODY, _commands.END, _commands.SECRET


class Control:
    """Finds commands, replies and messages (`_lines`): columns `kind`, `code`, `step`, `missing`, `opened`, `parts` of each.

    greets: what a server's first line says, in any letters, if no port tells. opens: commands with which a client may begin.
    """

    any_port = True

    def __init__(self, mail: bool, greets: tuple[bytes, ...], opens: tuple[bytes, ...]) -> None:
        self.talks = _commands.Talks(mail)
        self.precedence = int(mail)  # a greeting may name both protocols
        self.greets = re.compile(rb"[0-9]{3}[- ].*(?:" + b"|".join(greets) + rb")", re.I | re.S)
        self.opens = re.compile(rb"(?:" + b"|".join(opens) + rb")[ \r\n]", re.I)

    def probe_stream(self, first: np.ndarray, size: np.ndarray) -> np.ndarray:
        """A server's greeting that names the protocol, or a client's first command that no other protocol has."""
        found = np.zeros(len(first), bool)
        digit = (first[:, :3] >= ord("0")) & (first[:, :3] <= ord("9"))
        letter = (first[:, 0] & 0xDF >= ord("A")) & (first[:, 0] & 0xDF <= ord("Z"))
        for i in np.flatnonzero(digit.all(axis=1) | letter).tolist():
            line = first[i, : size[i]].tobytes()
            found[i] = bool(self.greets.match(line) or self.opens.match(line))
        return found

    def split(self, s: ContiguousRuns) -> Framed:
        """What these stretches complete."""
        n = len(s.direction)
        run = np.searchsorted(s.first, np.arange(len(s.rows)), "right") - 1
        order = np.lexsort((np.arange(len(s.rows)), s.direction[run], s.by))
        runs = np.stack((s.direction, s.start, s.end, s.gap, s.last, s.first, s.until, s.ended)).astype(np.int64)
        pieces = np.stack((s.place, s.by, run)).astype(np.int64)
        given, made, upto, lost, beyond = self.talks.feed(s.data.data, s.data.tobytes(), runs.data, pieces.data, order.data)
        told = np.array(given, np.int64).reshape(-1, len(_commands.OUTPUT)).T
        column = dict(zip(_commands.OUTPUT, np.ascontiguousarray(told)))
        shift = np.where(column["kind"] == END, len(s.data), 0)
        first, last = s.segments(column["from"], column["to"])
        count = last - first
        at = np.repeat(first, count) + np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        lost_by, lost_size = np.array(sorted(zip(lost[::2], lost[1::2])), np.int64).reshape(-1, 2).T
        return Framed(
            np.concatenate((s.data, np.frombuffer(bytes(made), np.uint8))),
            column["start"] + shift,
            column["end"] + shift,
            column["to"] - column["from"],
            column["direction"],
            column["by"],
            count,
            s.frame[at],
            np.array(upto, np.int64)[:n],
            lost_by,
            lost_size,
            {name: column[name] for name in ("kind", "code", "step", "missing", "opened")} | {"parts": column["pieces"]},
            np.array(beyond, np.int64).reshape(-1, 4),
        )


def lines(h: Headers) -> Iterator[tuple[int, list[bytes]]]:
    """Each header that is no message, and its lines, without what ends them; of commands that share a row, the first, and
    what is behind it."""
    kind = h.context_of("kind")
    rows = np.flatnonzero((kind > 0) & (kind != BODY) & (kind != END))
    whole = h.buffer
    for row, answers, a, b in zip(
        rows.tolist(), (kind[rows] == REPLY).tolist(), h.start[rows].tolist(), np.minimum(h.end, h.wire)[rows].tolist()
    ):
        line = whole[a:b].tobytes()
        if answers:
            yield row, line.removesuffix(b"\n").removesuffix(b"\r").replace(b"\r\n", b"\n").split(b"\n")
        else:
            first, _, more = line.partition(b"\n")
            first = first.removesuffix(b"\r")
            yield row, [first, more] if more.strip() else [first]


class Found:
    """Values of fields, put row by row, in order."""

    def __init__(self, fields: Iterable[Field]) -> None:
        self.fields = {f.name: f for f in fields}
        self.found: dict[str, tuple[array[int], list]] = {name: (array("q"), []) for name in self.fields}

    def put(self, name: str, row: int, value: object) -> None:
        """A value of this field in this header."""
        rows, values = self.found[name]
        rows.append(row)
        values.append(value)

    def columns(self) -> dict[str, Column]:
        """A column of each field."""
        made = {}
        for name, (rows, values) in self.found.items():
            f = self.fields[name]
            column = np.empty(len(values), f.kind.dtype)
            column[:] = values
            made[name] = Column(column, np.array(rows, np.int64))
        return made


def said(data: bytes) -> str:
    """Bytes as text: UTF-8, what is none replaced."""
    return data.decode("utf-8", "replace")


def texts(found: dict[int, str] | list[tuple[int, str]]) -> Column:
    """A column of texts: of pairs (header, text), in order of the headers."""
    pairs = list(found.items()) if isinstance(found, dict) else found
    values = np.empty(len(pairs), object)
    values[:] = [one for _, one in pairs]
    return Column(values, np.array([row for row, _ in pairs], np.int64))


def numbers(found: list[tuple[int, int]], dtype: str) -> Column:
    """A column of numbers: of pairs (header, number), in order of the headers."""
    return Column(np.array([value for _, value in found], dtype), np.array([row for row, _ in found], np.int64))
