"""What FTP and SMTP have in common: a client's commands and a server's replies, line by line."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator

import numpy as np

from ...fields import Column, Field, Headers
from . import _commands
from .framing import ContiguousRuns, Framed

REPLY, FRAGMENT, MESSAGE, AUTH_RESPONSE = _commands.REPLY, _commands.FRAGMENT, _commands.MESSAGE, _commands.AUTH_RESPONSE
AFTER_MESSAGE = _commands.AFTER_MESSAGE


class CommandFramer:
    """Finds commands, replies and messages (`_commands`). Columns of each: `kind`, `code`, `detail`, `missing`, `first_frame`, `fragments`.

    greetings: patterns that a server's first line contains, in any case, if no port names the protocol. openings: first commands that no
    other protocol has.
    """

    any_port = True

    def __init__(self, smtp: bool, greetings: tuple[bytes, ...], openings: tuple[bytes, ...]) -> None:
        self.parser = _commands.CommandParser(smtp)
        self.precedence = int(smtp)  # a greeting may name both protocols
        self.greeting = re.compile(rb"[0-9]{3}[- ].*(?:" + b"|".join(greetings) + rb")", re.I | re.S)
        self.opening = re.compile(rb"(?:" + b"|".join(openings) + rb")[ \r\n]", re.I)

    def probe_stream(self, first: np.ndarray, size: np.ndarray) -> np.ndarray:
        """A server's greeting that names the protocol, or a client's first command that no other protocol has."""
        agrees = np.zeros(len(first), bool)
        digit = (first[:, :3] >= ord("0")) & (first[:, :3] <= ord("9"))
        letter = (first[:, 0] & 0xDF >= ord("A")) & (first[:, 0] & 0xDF <= ord("Z"))
        for i in np.flatnonzero(digit.all(axis=1) | letter).tolist():
            line = first[i, : size[i]].tobytes()
            agrees[i] = bool(self.greeting.match(line) or self.opening.match(line))
        return agrees

    def split(self, s: ContiguousRuns) -> Framed:
        """The lines and parts of messages that these runs complete."""
        n = len(s.direction)
        run = np.searchsorted(s.first, np.arange(len(s.rows)), "right") - 1
        order = np.lexsort((np.arange(len(s.rows)), s.direction[run], s.by))
        runs = np.stack([getattr(s, name) for name in _commands.RUNS]).astype(np.int64)
        pieces = np.stack((s.place, s.by, run)).astype(np.int64)
        rows, messages, upto, lost, beyond = self.parser.feed(s.data.data, s.data.tobytes(), runs.data, pieces.data, order.data)
        values = np.array(rows, np.int64).reshape(-1, len(_commands.OUTPUT)).T
        column = dict(zip(_commands.OUTPUT, np.ascontiguousarray(values)))
        shift = np.where(column["kind"] == MESSAGE, len(s.data), 0)
        first, last = s.segments(column["from"], column["to"])
        count = last - first
        at = np.repeat(first, count) + np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        lost_by, lost_size = np.array(sorted(zip(lost[::2], lost[1::2])), np.int64).reshape(-1, 2).T
        return Framed(
            np.concatenate((s.data, np.frombuffer(bytes(messages), np.uint8))),
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
            {name: column[name] for name in ("kind", "code", "detail", "missing", "first_frame", "fragments")},
            np.array(beyond, np.int64).reshape(-1, 4),
        )


def lines(h: Headers) -> Iterator[tuple[int, list[bytes]]]:
    """(row, lines without their CRLF) of each header that is not part of a message; of commands that share a row, the first and what
    follows it."""
    kind = h.context_of("kind")
    rows = np.flatnonzero((kind > 0) & (kind != FRAGMENT) & (kind != MESSAGE))
    for row, reply, start, end in zip(
        rows.tolist(), (kind[rows] == REPLY).tolist(), h.start[rows].tolist(), np.minimum(h.end, h.wire)[rows].tolist()
    ):
        data = h.buffer[start:end].tobytes()
        if reply:
            yield row, data.removesuffix(b"\n").removesuffix(b"\r").replace(b"\r\n", b"\n").split(b"\n")
        else:
            first, _, more = data.partition(b"\n")
            first = first.removesuffix(b"\r")
            yield row, [first, more] if more.strip() else [first]


class FieldValues:
    """Values of fields, put row by row, in order."""

    def __init__(self, fields: Iterable[Field]) -> None:
        self.fields = {f.name: f for f in fields}
        self.values: dict[str, tuple[array[int], list]] = {name: (array("q"), []) for name in self.fields}

    def put(self, name: str, row: int, value: object) -> None:
        """A value of this field in this header."""
        rows, values = self.values[name]
        rows.append(row)
        values.append(value)

    def columns(self) -> dict[str, Column]:
        """A column of each field."""
        result = {}
        for name, (rows, values) in self.values.items():
            column = np.empty(len(values), self.fields[name].kind.dtype)
            column[:] = values
            result[name] = Column(column, np.array(rows, np.int64))
        return result


def utf8(data: bytes) -> str:
    """Bytes as text; invalid UTF-8 becomes U+FFFD."""
    return data.decode("utf-8", "replace")


def text_column(pairs: list[tuple[int, str]]) -> Column:
    """A column of the texts of pairs (header, text), in order of the headers."""
    values = np.empty(len(pairs), object)
    values[:] = [value for _, value in pairs]
    return Column(values, np.array([row for row, _ in pairs], np.int64))


def number_column(pairs: list[tuple[int, int]], dtype: str) -> Column:
    """A column of the numbers of pairs (header, number), in order of the headers."""
    return Column(np.array([value for _, value in pairs], dtype), np.array([row for row, _ in pairs], np.int64))
