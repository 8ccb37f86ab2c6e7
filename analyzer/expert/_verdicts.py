"""What a verdict is, and what its rules read: the facts of many connections as columns, and words for numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..tcp._facts import CONNECTION_FACTS, END_FACTS
from ..tcp.states import STATES

Says = Callable[[int], str]
SECOND = 1_000_000_000


class Columns:
    """int64 columns (n,) by name, as attributes. After `speak` they are lists: words are made of single numbers, and Python's own
    are quickest then."""

    def __init__(self, columns: Mapping[str, np.ndarray]) -> None:
        self._columns = columns
        self._spoken = False

    def speak(self) -> None:
        for name in self._columns:
            self.__dict__.pop(name, None)
        self._spoken = True

    def __getattr__(self, name: str) -> np.ndarray:
        if name.startswith("_") or name not in self._columns:
            raise AttributeError(name)
        made: np.ndarray = self._columns[name].tolist() if self._spoken else self._columns[name]  # both are indexed alike
        self.__dict__[name] = made
        return made


class Ends(Columns):
    """The same end of each connection: facts of `tcp_facts.END` by name, int64 (n,), figures besides, and its addresses and ports."""

    other: Ends

    def __init__(self, facts: np.ndarray, figures: Mapping[str, np.ndarray], addresses: Sequence[str], ports: Sequence[int]) -> None:
        super().__init__({**figures, **dict(zip(END_FACTS, facts.T, strict=True))})
        self.addresses, self.ports = addresses, ports

    def name(self, i: int) -> str:
        """Its address and port."""
        return place(self.addresses[i], self.ports[i])


class Connections(Columns):
    """Many connections: facts of `tcp_facts.CASE` by name, int64 (n,), and both ends.

    case: int64 (n, len(CASE)). client, server: their ends. duration: ns, (n,). reporters: who sent the first ICMP error, as text.
    end: when the capture ended, ns.
    """

    def __init__(self, case: np.ndarray, client: Ends, server: Ends, duration: np.ndarray, reporters: Sequence[str], end: int) -> None:
        super().__init__({**dict(zip(CONNECTION_FACTS, case.T, strict=True)), "duration": duration})
        self.client, self.server = client, server
        client.other, server.other = server, client
        self.ends = (client, server)
        self.reporters, self.end = reporters, end

    def __len__(self) -> int:
        return len(self._columns["stream"])


@dataclass(frozen=True)
class Verdict:
    """A rule about whole connections. kind: its name in words. about: what the trouble touches, words, none where it is no trouble.
    rule: gives, for either end perhaps, which connections it holds of (bool) and what to say of one of them."""

    name: str
    severity: str
    kind: str
    about: frozenset[str]
    rule: Callable[[Connections], Iterator[tuple[np.ndarray, Says]]]

    @property
    def page(self) -> str:
        return (self.rule.__doc__ or "").strip()


def verdict(severity: str, kind: str, about: str = "") -> Callable[[Callable[[Connections], Iterator[tuple[np.ndarray, Says]]]], Verdict]:
    """Make a Verdict of a function; its name becomes `family.function`."""

    def make(rule: Callable[[Connections], Iterator[tuple[np.ndarray, Says]]]) -> Verdict:
        family = rule.__module__.rsplit(".", 1)[1]
        return Verdict(f"{family}.{rule.__name__}", severity, kind, frozenset(about.split()), rule)

    return make


# ---------------------------------------------------------------- words


def place(address: str, port: int | None) -> str:
    """'10.0.0.1:80', '[::1]:80'; the address alone where there is no port."""
    if port is None:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def span(ns: int | np.integer) -> str:
    """A time with three significant digits: '27 µs', '1.02 s'."""
    if -999_500 < ns < 999_500:
        return f"{ns / 1e3:.3g} µs"
    value, unit = (ns / 1e6, "ms") if -999_500_000 < ns < 999_500_000 else (ns / 1e9, "s")
    digits = 0 if abs(value) >= 99.95 else 1 if abs(value) >= 9.995 else 2
    return f"{value:.{digits}f} {unit}"


def count(n: int | np.integer, what: str = "") -> str:
    """A number with what it counts: '1 byte', '2,048 bytes'."""
    if not what:
        return f"{n:,}"
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


def frames(first: int | np.integer, last: int | np.integer) -> str:
    """'frame 3', 'frames 3 and 4', 'frames 3 to 9'."""
    if first == last:
        return f"frame {first}"
    return f"frames {first} {'and' if last == first + 1 else 'to'} {last}"


def waits(n: int, first: int, last: int) -> str:
    """How n tries lay apart: 'waits 1.01 s to 16.1 s'; '; each twice as long as the one before' where they doubled."""
    if n < 2:
        return f"after {span(first)}"
    said = f"waits of {span(first)} to {span(last)}"
    ratio = (max(last, 1) / max(first, 1)) ** (1 / max(n - 1, 1))  # a clock may have gone back
    if 1.7 < ratio < 2.4:
        return f"{said}, doubling"
    return f"{said}, evenly" if 0.87 < ratio < 1.15 else said


def state(packed: int | np.integer, end: int) -> str:
    """The state of an end (0: client) before a segment, from the tracker's `states`."""
    return STATES[int(packed) >> 4 * end & 15]


# ---------------------------------------------------------------- judging


def judged(c: Connections, verdicts: Sequence[Verdict]) -> list[tuple[Verdict, str]]:
    """The verdict on each connection: the first of `verdicts` that holds, and its sentence. The last of them holds always.

    Other troubles of the connection are named behind it: those that touch nothing that was named before.
    """
    said = [(one, holds, says) for one in verdicts for holds, says in one.rule(c)]
    found: list[tuple[Verdict, str]] = [(verdicts[-1], "")] * len(c)
    besides: dict[int, list[Verdict]] = {}
    free = np.ones(len(c), bool)
    for columns in (c, *c.ends):
        columns.speak()
    for one, holds, says in said:
        if one.about:
            for i in np.flatnonzero(holds & ~free).tolist():
                named = besides.setdefault(i, [])
                if all(one.about.isdisjoint(other.about) for other in (found[i][0], *named)):
                    named.append(one)
        for i in np.flatnonzero(holds & free).tolist():
            found[i] = one, says(i)
        free &= ~holds
    for i, others in besides.items():
        if others:
            found[i] = found[i][0], f"{found[i][1]} Besides: {', '.join(other.kind.removeprefix('healthy, ') for other in others)}."
    return found
