"""Display filters: text → the fields that are needed and a function that says which frames match.

The grammar is in filter.lark. A comparison holds if it holds for any value of the field in the frame, but `!=` holds if no value
is equal (Wireshark 4); where the field is absent nothing holds. Words of a field (`arp.opcode == reply`) stand for their numbers.
"""

from __future__ import annotations

import ipaddress
import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from .errors import UsageError
from .fields import Field, date, flag, ipv4, ipv6, mac, milliseconds, raw, seconds, text, time

# A field's values in a batch: (frames, values, buffer) for each group of headers that has it.
Values = Callable[[str], Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]]]
Mask = Callable[[Values, int], np.ndarray]

RELATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "EQUAL": operator.eq,
    "NOT": operator.eq,
    "ANY_NOT": operator.ne,
    "GREATER": operator.gt,
    "LESS": operator.lt,
    "GREATER_EQUAL": operator.ge,
    "LESS_EQUAL": operator.le,
}
UNITS = {"ns": 1, "us": 1_000, "µs": 1_000, "ms": 1_000_000, "s": 1_000_000_000}


@dataclass(frozen=True)
class Filter:
    """needs: names of fields and protocols that it asks for. mask(values, n): which of n frames match, bool (n,)."""

    text: str
    needs: frozenset[str]
    mask: Mask


@cache
def _grammar() -> Any:
    from lark import Lark

    return Lark((Path(__file__).parent / "filter.lark").read_text("utf-8"), parser="earley", lexer="dynamic", propagate_positions=True)


def compiled(said: str, lookup: Callable[[str], tuple[Field, tuple[str, ...]] | None], nearest: Callable[[str], str]) -> Filter:
    """The filter that this text means.

    lookup: a field's name → (how it is declared, the fields that it stands for); (…, ()) for a protocol's name; None for no name.
    nearest: ', nearest: a, b' for a name that does not exist. Raises UsageError that points at the column.
    """
    from lark.exceptions import UnexpectedInput

    try:
        tree = _grammar().parse(said)
    except UnexpectedInput as error:
        column = error.column if error.column and error.column > 0 else len(said) + 1
        raise _wrong(said, column, "this is not understood here") from None
    needs: set[str] = set()

    def field(token: Any) -> tuple[Field, tuple[str, ...]]:
        found = lookup(str(token))
        if found is None:
            raise _wrong(said, token.column, f"no field {str(token)!r}{nearest(str(token))}")
        needs.update(found[1] or (str(token),))
        return found

    def build(node: Any) -> Mask:
        kind = node.data
        if kind in ("either", "both", "exclusive"):
            parts = [build(child) for child in node.children]
            joined = {"either": np.logical_or, "both": np.logical_and, "exclusive": np.logical_xor}[kind]
            return lambda values, n: joined.reduce([part(values, n) for part in parts])
        if kind == "negated":
            inner = build(node.children[0])
            return lambda values, n: ~inner(values, n)
        name, *rest = node.children
        f, names = field(name)
        if kind == "exists":
            return _exists(names or (str(name),))
        if not names:
            raise _wrong(said, name.column, f"{str(name)!r} is a protocol and has no value")
        if kind == "masked":
            number = _number(said, f, rest[0])
            return _any(names, lambda v, _: (v.astype(np.int64) & number) != 0)
        if kind == "within":
            tests = [_member(said, f, one) for one in rest]
            return _any(names, lambda v, b: np.logical_or.reduce([test(v, b) for test in tests]))
        relation, value = rest
        if relation.type == "CONTAINS":
            return _any(names, _contains(said, f, value))
        if relation.type == "MATCHES":
            return _any(names, _matches(said, f, value))
        if getattr(value, "type", "") == "NAME":
            other = lookup(str(value))
            if other is not None and other[1]:
                needs.update(other[1])
                return _between(names, other[1], RELATIONS[relation.type], relation.type == "NOT")
        test = _test(said, f, RELATIONS[relation.type], value)
        made = _any(names, test)
        if relation.type != "NOT":
            return made
        there = _exists(names)
        return lambda values, n: there(values, n) & ~made(values, n)

    mask = build(tree)
    return Filter(said, frozenset(needs), mask)


def _wrong(said: str, column: int, what: str) -> UsageError:
    return UsageError(f"filter, column {column}: {what}: {said[: column - 1]}▸{said[column - 1 :]}")


def _exists(names: tuple[str, ...]) -> Mask:
    def mask(values: Values, n: int) -> np.ndarray:
        found = np.zeros(n, bool)
        for name in names:
            for frames, _, _ in values(name):
                found[frames] = True
        return found

    return mask


def _any(names: tuple[str, ...], test: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Mask:
    def mask(values: Values, n: int) -> np.ndarray:
        found = np.zeros(n, bool)
        for name in names:
            for frames, column, buffer in values(name):
                if len(column):
                    found[frames[test(column, buffer)]] = True
        return found

    return mask


def _between(left: tuple[str, ...], right: tuple[str, ...], relation: Callable[[Any, Any], Any], none: bool) -> Mask:
    """Two fields: any value of one against any of the other in the same frame."""

    def mask(values: Values, n: int) -> np.ndarray:
        sides: list[dict[int, list[Any]]] = [{}, {}]
        for side, names in zip(sides, (left, right), strict=True):
            for name in names:
                for frames, column, _ in values(name):
                    for frame, value in zip(frames.tolist(), column.tolist(), strict=True):
                        side.setdefault(frame, []).append(value)
        found = np.zeros(n, bool)
        for frame in sides[0].keys() & sides[1].keys():
            pairs = (relation(a, b) for a in sides[0][frame] for b in sides[1][frame])
            found[frame] = not any(pairs) if none else any(pairs)
        return found

    return mask


def _spelled(value: Any) -> str:
    """A value as it was written, quotes and escapes undone."""
    token = str(value.children[0]) if hasattr(value, "children") else str(value)
    if token.startswith('"'):
        import re

        return re.sub(r"\\(.)", r"\1", token[1:-1])
    return token


def _column(value: Any) -> int:
    return int((value.children[0] if hasattr(value, "children") else value).column)


def _number(said: str, f: Field, value: Any) -> int:
    """A number, a word of the field, true or false; for times nanoseconds; for MAC addresses their 48 bits."""
    token = _spelled(value)
    if f.kind in (time, date, seconds, milliseconds):
        import re

        found = re.fullmatch(r"(-?\d+(?:\.\d*)?)(ns|us|µs|ms|s|)", token)
        if found:
            whole, _, part = found[1].partition(".")
            unit = UNITS[found[2] or ("ms" if f.kind is milliseconds else "s")]
            return int(whole) * unit + (1 if int(whole) >= 0 and not whole.startswith("-") else -1) * (
                int(part or 0) * unit // 10 ** len(part)
            )
    elif f.kind is mac:
        digits = token.replace(":", "").replace("-", "").replace(".", "")
        if len(digits) == 12:
            return int(digits, 16)
    else:
        for number, word in (f.value_names or {}).items():
            if word.lower() == token.lower():
                return number
        if token.lower() in ("true", "false"):
            return int(token.lower() == "true")
        try:
            return int(token, 0 if token.lower().startswith("0x") else 10)
        except ValueError:
            pass
    spans = dict.fromkeys((time, date, seconds, milliseconds), "a time")
    what = {**spans, mac: "a MAC address"}.get(f.kind, "a number")
    hint = f" or one of: {', '.join(map(str, f.value_names.values()))}" if f.value_names else ""
    raise _wrong(said, _column(value), f"{f.name} wants {what}{hint}")


def _test(said: str, f: Field, relation: Callable[[Any, Any], Any], value: Any) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """A comparison of a field's values with one value."""
    token = _spelled(value)
    if f.kind is text:
        return lambda v, _: np.array([relation(one, token) for one in v.tolist()], bool)
    if f.kind is raw:
        data = _bytes(said, f, value)
        return lambda v, buffer: np.array([relation(buffer[a:b].tobytes(), data) for a, b in v.tolist()], bool)
    if f.kind in (ipv4, ipv6):
        bits = 32 if f.kind is ipv4 else 128
        try:
            network = ipaddress.ip_network(token, strict=False)
        except ValueError:
            raise _wrong(said, _column(value), f"{f.name} wants an address, with or without a prefix") from None
        if network.max_prefixlen != bits:
            raise _wrong(said, _column(value), f"{f.name} wants an address of IPv{4 if bits == 32 else 6}")
        shift, prefix = bits - network.prefixlen, int(network.network_address) >> (bits - network.prefixlen)
        if bits == 32:
            return lambda v, _: relation(v.astype(np.int64) >> shift, prefix)
        return lambda v, _: np.array([relation(int.from_bytes(one, "big") >> shift, prefix) for one in v.tolist()], bool)
    number = _number(said, f, value)
    if f.kind is flag:
        return lambda v, _: relation(v.astype(np.int64), number)

    def compared(v: np.ndarray, _: np.ndarray) -> np.ndarray:
        fits = np.iinfo(v.dtype).min <= number <= np.iinfo(v.dtype).max  # else NumPy refuses: compare as Python does
        return relation(v, number) if fits else np.asarray(relation(v.astype(object), number), bool)

    return compared


def _member(said: str, f: Field, member: Any) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    low, *high = member.children
    if not high:
        return _test(said, f, operator.eq, low)
    above, below = _test(said, f, operator.ge, low), _test(said, f, operator.le, high[0])
    return lambda v, b: above(v, b) & below(v, b)


def _bytes(said: str, f: Field, value: Any) -> bytes:
    token = _spelled(value)
    if getattr(value, "data", "") == "string":
        return token.encode()
    try:
        return bytes.fromhex(token.replace(":", "").replace("-", "").replace(".", ""))
    except ValueError:
        raise _wrong(said, _column(value), f"{f.name} wants bytes, as in 01:02:0a, or a string") from None


def _matches(said: str, f: Field, value: Any) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """A regular expression, Python's, found anywhere; great and small letters are the same, as Wireshark has it."""
    import re

    token = _spelled(value)
    try:
        pattern, plain = re.compile(token, re.I), re.compile(token.encode(), re.I | re.S)
    except re.error as error:
        raise _wrong(said, _column(value), f"no regular expression ({error})") from None
    if f.kind is text:
        return lambda v, _: np.array([pattern.search(one) is not None for one in v.tolist()], bool)
    if f.kind is raw:
        return lambda v, buffer: np.array([plain.search(buffer[a:b].tobytes()) is not None for a, b in v.tolist()], bool)
    raise _wrong(said, _column(value), f"{f.name} is no text and no bytes: `matches` does not fit")


def _contains(said: str, f: Field, value: Any) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    if f.kind is text:
        token = _spelled(value)
        return lambda v, _: np.array([token in one for one in v.tolist()], bool)
    if f.kind is not raw:
        raise _wrong(said, _column(value), f"{f.name} is no text and no bytes: `contains` does not fit")
    data = _bytes(said, f, value)
    return lambda v, buffer: np.array([data in buffer[a:b].tobytes() for a, b in v.tolist()], bool)
