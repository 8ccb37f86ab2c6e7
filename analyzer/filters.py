"""Display filters: expression → the fields that it needs and a function that computes the mask of matching frames.

The grammar is in filter.lark. A comparison is true if it is true for any value of the field in the frame, but `!=` if no value is
equal (Wireshark 4); it is false where the field is absent. Value names (`arp.opcode == reply`) stand for their numbers.
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
LOGICAL = {"or": np.logical_or, "xor": np.logical_xor, "and": np.logical_and}
UNITS = {"ns": 1, "us": 1_000, "µs": 1_000, "ms": 1_000_000, "s": 1_000_000_000}


@dataclass(frozen=True)
class Filter:
    """A compiled filter. needs: the fields and protocols in it. mask(values, n): which of n frames match, bool (n,)."""

    text: str
    needs: frozenset[str]
    mask: Mask


@cache
def _grammar() -> Any:
    from lark import Lark

    return Lark((Path(__file__).parent / "filter.lark").read_text("utf-8"), parser="earley", lexer="dynamic", propagate_positions=True)


def compile_filter(expression: str, lookup: Callable[[str], tuple[Field, tuple[str, ...]] | None], nearest: Callable[[str], str]) -> Filter:
    """Compile a display filter. Raises UsageError that points at the column.

    lookup: name → (declaration, fields that it stands for, as `tcp.port` for two); (…, ()) for a protocol; None if unknown.
    nearest: unknown name → ', nearest: a, b'.
    """
    from lark.exceptions import UnexpectedInput

    try:
        tree = _grammar().parse(expression)
    except UnexpectedInput as error:
        column = error.column if error.column and error.column > 0 else len(expression) + 1
        raise _error(expression, column, "this is not understood here") from None
    needs: set[str] = set()

    def field(token: Any) -> tuple[Field, tuple[str, ...]]:
        found = lookup(str(token))
        if found is None:
            raise _error(expression, token.column, f"no field {str(token)!r}{nearest(str(token))}")
        needs.update(found[1] or (str(token),))
        return found

    def build(node: Any) -> Mask:
        kind = node.data
        if kind in LOGICAL:
            operands = [build(child) for child in node.children]
            return lambda values, n: LOGICAL[kind].reduce([operand(values, n) for operand in operands])
        if kind == "not":
            operand = build(node.children[0])
            return lambda values, n: ~operand(values, n)
        name, *rest = node.children
        f, names = field(name)
        if kind == "exists":
            return _exists(names or (str(name),))
        if not names:
            raise _error(expression, name.column, f"{str(name)!r} is a protocol and has no value")
        if kind == "bitwise_and":
            number = _number(expression, f, rest[0])
            return _any_value(names, lambda v, _: (v.astype(np.int64) & number) != 0)
        if kind == "membership":
            tests = [_membership(expression, f, member) for member in rest]
            return _any_value(names, lambda v, b: np.logical_or.reduce([test(v, b) for test in tests]))
        relation, value = rest
        if relation.type == "CONTAINS":
            return _any_value(names, _contains(expression, f, value))
        if relation.type == "MATCHES":
            return _any_value(names, _matches(expression, f, value))
        if getattr(value, "type", "") == "NAME":
            other = lookup(str(value))
            if other is not None and other[1]:
                needs.update(other[1])
                return _compare_fields(names, other[1], RELATIONS[relation.type], relation.type == "NOT")
        test = _compare(expression, f, RELATIONS[relation.type], value)
        equal = _any_value(names, test)
        if relation.type != "NOT":
            return equal
        exists = _exists(names)
        return lambda values, n: exists(values, n) & ~equal(values, n)

    mask = build(tree)
    return Filter(expression, frozenset(needs), mask)


def _error(expression: str, column: int, reason: str) -> UsageError:
    return UsageError(f"filter, column {column}: {reason}: {expression[: column - 1]}▸{expression[column - 1 :]}")


def _exists(names: tuple[str, ...]) -> Mask:
    def mask(values: Values, n: int) -> np.ndarray:
        matches = np.zeros(n, bool)
        for name in names:
            for frames, _, _ in values(name):
                matches[frames] = True
        return matches

    return mask


def _any_value(names: tuple[str, ...], test: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Mask:
    def mask(values: Values, n: int) -> np.ndarray:
        matches = np.zeros(n, bool)
        for name in names:
            for frames, column, buffer in values(name):
                if len(column):
                    matches[frames[test(column, buffer)]] = True
        return matches

    return mask


def _compare_fields(left: tuple[str, ...], right: tuple[str, ...], relation: Callable[[Any, Any], Any], negate: bool) -> Mask:
    """Any value of one field compared with any of another in the same frame."""

    def mask(values: Values, n: int) -> np.ndarray:
        sides: list[dict[int, list[Any]]] = [{}, {}]
        for side, names in zip(sides, (left, right), strict=True):
            for name in names:
                for frames, column, _ in values(name):
                    for frame, value in zip(frames.tolist(), column.tolist(), strict=True):
                        side.setdefault(frame, []).append(value)
        matches = np.zeros(n, bool)
        for frame in sides[0].keys() & sides[1].keys():
            pairs = (relation(a, b) for a in sides[0][frame] for b in sides[1][frame])
            matches[frame] = not any(pairs) if negate else any(pairs)
        return matches

    return mask


def _unquoted(value: Any) -> str:
    """The text of a value, without quotes and escapes."""
    token = str(value.children[0]) if hasattr(value, "children") else str(value)
    if token.startswith('"'):
        import re

        return re.sub(r"\\(.)", r"\1", token[1:-1])
    return token


def _column(value: Any) -> int:
    return int((value.children[0] if hasattr(value, "children") else value).column)


def _number(expression: str, f: Field, value: Any) -> int:
    """A number, a value name of the field, true or false; times in ns; MAC addresses as 48 bits."""
    token = _unquoted(value)
    if f.kind in (time, date, seconds, milliseconds):
        import re

        match = re.fullmatch(r"(-?\d+(?:\.\d*)?)(ns|us|µs|ms|s|)", token)
        if match:
            whole, _, part = match[1].partition(".")
            unit = UNITS[match[2] or ("ms" if f.kind is milliseconds else "s")]
            return int(whole) * unit + (1 if int(whole) >= 0 and not whole.startswith("-") else -1) * (
                int(part or 0) * unit // 10 ** len(part)
            )
    elif f.kind is mac:
        digits = token.replace(":", "").replace("-", "").replace(".", "")
        if len(digits) == 12:
            return int(digits, 16)
    else:
        for number, name in (f.value_names or {}).items():
            if name.lower() == token.lower():
                return number
        if token.lower() in ("true", "false"):
            return int(token.lower() == "true")
        try:
            return int(token, 0 if token.lower().startswith("0x") else 10)
        except ValueError:
            pass
    times = dict.fromkeys((time, date, seconds, milliseconds), "a time")
    expected = {**times, mac: "a MAC address"}.get(f.kind, "a number")
    hint = f" or one of: {', '.join(map(str, f.value_names.values()))}" if f.value_names else ""
    raise _error(expression, _column(value), f"{f.name} wants {expected}{hint}")


def _compare(expression: str, f: Field, relation: Callable[[Any, Any], Any], value: Any) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """The test of a field's values (and their buffer) against one value."""
    token = _unquoted(value)
    if f.kind is text:
        return lambda v, _: np.array([relation(item, token) for item in v.tolist()], bool)
    if f.kind is raw:
        data = _bytes(expression, f, value)
        return lambda v, buffer: np.array([relation(buffer[a:b].tobytes(), data) for a, b in v.tolist()], bool)
    if f.kind in (ipv4, ipv6):
        bits = 32 if f.kind is ipv4 else 128
        try:
            network = ipaddress.ip_network(token, strict=False)
        except ValueError:
            raise _error(expression, _column(value), f"{f.name} wants an address, with or without a prefix") from None
        if network.max_prefixlen != bits:
            raise _error(expression, _column(value), f"{f.name} wants an address of IPv{4 if bits == 32 else 6}")
        shift, prefix = bits - network.prefixlen, int(network.network_address) >> (bits - network.prefixlen)
        if bits == 32:
            return lambda v, _: relation(v.astype(np.int64) >> shift, prefix)
        return lambda v, _: np.array([relation(int.from_bytes(item, "big") >> shift, prefix) for item in v.tolist()], bool)
    number = _number(expression, f, value)
    if f.kind is flag:
        return lambda v, _: relation(v.astype(np.int64), number)

    def integers(v: np.ndarray, _: np.ndarray) -> np.ndarray:
        fits = np.iinfo(v.dtype).min <= number <= np.iinfo(v.dtype).max  # NumPy compares no others
        return relation(v, number) if fits else np.asarray(relation(v.astype(object), number), bool)

    return integers


def _membership(expression: str, f: Field, member: Any) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    low, *high = member.children
    if not high:
        return _compare(expression, f, operator.eq, low)
    at_least, at_most = _compare(expression, f, operator.ge, low), _compare(expression, f, operator.le, high[0])
    return lambda v, b: at_least(v, b) & at_most(v, b)


def _bytes(expression: str, f: Field, value: Any) -> bytes:
    token = _unquoted(value)
    if getattr(value, "data", "") == "string":
        return token.encode()
    try:
        return bytes.fromhex(token.replace(":", "").replace("-", "").replace(".", ""))
    except ValueError:
        raise _error(expression, _column(value), f"{f.name} wants bytes, as in 01:02:0a, or a string") from None


def _matches(expression: str, f: Field, value: Any) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """A regular expression in Python's syntax, searched without regard to case, as Wireshark does."""
    import re

    token = _unquoted(value)
    try:
        pattern, octets = re.compile(token, re.I), re.compile(token.encode(), re.I | re.S)
    except re.error as error:
        raise _error(expression, _column(value), f"no regular expression ({error})") from None
    if f.kind is text:
        return lambda v, _: np.array([pattern.search(item) is not None for item in v.tolist()], bool)
    if f.kind is raw:
        return lambda v, buffer: np.array([octets.search(buffer[a:b].tobytes()) is not None for a, b in v.tolist()], bool)
    raise _error(expression, _column(value), f"{f.name} is no text and no bytes: `matches` does not fit")


def _contains(expression: str, f: Field, value: Any) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    if f.kind is text:
        token = _unquoted(value)
        return lambda v, _: np.array([token in item for item in v.tolist()], bool)
    if f.kind is not raw:
        raise _error(expression, _column(value), f"{f.name} is no text and no bytes: `contains` does not fit")
    data = _bytes(expression, f, value)
    return lambda v, buffer: np.array([data in buffer[a:b].tobytes() for a, b in v.tolist()], bool)
