"""Columns of text, against what Python says of one value at a time."""

from __future__ import annotations

import ipaddress
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer import _strings
from analyzer.fields import decimal_seconds
from analyzer.report._text import safe, safe_strings
from analyzer.strings import always, decimal, dotted, hexadecimal, hexed, joined, laid, placed, stacked, strings

SAID = st.lists(st.text(max_size=6))
SPANS = st.lists(st.integers(-(2**63), 2**63 - 1), max_size=20)


@pytest.mark.parametrize("kind", ["u1", "u2", "u4", "u8", "i8", "?"])
@given(data=st.data())
def test_integers_of_every_size(kind, data):
    low, high = (0, 1) if kind == "?" else (np.iinfo(kind).min, np.iinfo(kind).max)
    values = data.draw(st.lists(st.integers(int(low), int(high)) | st.sampled_from([int(low), int(high)]), max_size=20))
    width = data.draw(st.integers(0, 30))
    assert decimal(np.array(values, kind), width=width).tolist() == [f"{value:{width}d}" for value in values]


@given(SPANS, st.sampled_from([3, 6, 9]), st.sampled_from([0, 14, 20]))
def test_seconds_lose_the_digits_behind_and_keep_the_sign(values, digits, width):
    said = decimal_seconds(np.array(values, np.int64), digits, width).tolist()
    for ns, one in zip(values, said):
        assert Decimal(one).copy_abs() == abs(ns) // 10 ** (9 - digits) * Decimal(10) ** -digits
        assert (ns < 0) == one.lstrip().startswith("-")
        assert len(one.split(".")[1]) == digits
        assert one == one.lstrip().rjust(width)


@given(st.lists(st.integers(0, 2**32 - 1)))
def test_addresses(values):
    assert dotted(np.array(values, np.uint32)).tolist() == [str(ipaddress.IPv4Address(value)) for value in values]


@given(st.lists(st.integers(0, 2**48 - 1)))
def test_hexadecimal_digits_of_a_fixed_number_of_bytes(values):
    array = np.array(values, np.uint64)
    assert hexadecimal(array, 12, before="", between=":").tolist() == [value.to_bytes(6, "big").hex(":") for value in values]
    assert hexadecimal(array & 0xFFFF, 4).tolist() == [f"0x{value & 0xFFFF:04x}" for value in values]


@given(st.binary(), st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20))))
def test_stretches_of_bytes_and_none_where_the_end_is_before_the_start(data, pairs):
    pairs = [(min(a, len(data)), min(b, len(data))) for a, b in pairs]
    start, end = np.array(pairs, np.int64).reshape(-1, 2).T.copy()
    assert hexed(np.frombuffer(data, np.uint8), start, end).tolist() == [data[a:b].hex() for a, b in pairs]


@given(SAID, SAID, st.data())
def test_columns_are_joined_row_by_row_and_stacked_one_below_the_other(left, right, data):
    assert strings(left).tolist() == left
    assert [strings(left)[row] for row in range(len(left))] == left
    assert stacked([strings(left), strings(right)]).tolist() == left + right
    rows = data.draw(st.lists(st.integers(0, len(left) - 1))) if left else []
    picked = strings(left).take(np.array(rows, np.int64))
    assert joined([picked, always(" → ", len(rows)), picked]).tolist() == [f"{left[row]} → {left[row]}" for row in rows]


@given(SAID, st.integers(0, 9))
def test_blanks_are_counted_in_characters(said, width):
    column = strings(said)
    assert joined([column, column.fill(width)]).tolist() == [one.ljust(width) for one in said]


def test_the_last_text_of_a_row_counts_and_a_row_without_is_empty():
    parts = [(np.array([3, 1]), strings(["a", "b"])), (np.array([1, 0]), strings(["c", "d"]))]
    assert placed(5, parts).tolist() == ["d", "c", "", "a", ""]
    assert placed(2, []).tolist() == ["", ""]
    assert always("x", np.array([True, False])).tolist() == ["x", ""]


def test_what_no_utf8_has_is_spelled_out():
    assert strings(["a\udc80", "ä"]).tolist() == ["a\\udc80", "ä"]


@given(SAID)
def test_hostile_columns_are_made_harmless(said):
    assert safe_strings(strings(said)).tolist() == [safe(one) for one in said]


@pytest.mark.parametrize("start, end", [(0, 4), (-1, 1), (2, 1), (0, 2**62)])
def test_a_stretch_outside_of_its_buffer_is_refused(start, end):
    data, out = np.zeros(3, np.uint8), np.zeros(3, np.uint8)
    with pytest.raises(IndexError):
        _strings.append(data.data, np.array([start]).data, np.array([end]).data, out.data, np.zeros(1, np.int64).data)


@given(st.lists(st.tuples(st.text("ab", max_size=3), st.integers(0, 4), st.text("cd", max_size=3)), min_size=1))
def test_texts_are_laid_into_rows_of_blanks(rows):
    left, gaps, right = zip(*rows)
    place = np.array([len(a) + gap for a, gap in zip(left, gaps)])
    made = laid([(strings(left), place * 0), (strings(right), place)], place + 3)
    assert made.tolist() == [f"{a}{' ' * gap}{b:3}" for a, gap, b in rows]
    with pytest.raises(IndexError):
        laid([(always("x", len(rows)), place * 0)], place * 0)
