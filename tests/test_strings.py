"""Columns of text, compared with Python's formatting of single values."""

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
from analyzer.strings import concat, concat_str, constant, decimal, dotted, hexadecimal, hexlify, overlay, scatter, strings

TEXTS = st.lists(st.text(max_size=6))
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
    printed = decimal_seconds(np.array(values, np.int64), digits, width).tolist()
    for ns, text in zip(values, printed):
        assert Decimal(text).copy_abs() == abs(ns) // 10 ** (9 - digits) * Decimal(10) ** -digits
        assert (ns < 0) == text.lstrip().startswith("-")
        assert len(text.split(".")[1]) == digits
        assert text == text.lstrip().rjust(width)


@given(st.lists(st.integers(0, 2**32 - 1)))
def test_addresses(values):
    assert dotted(np.array(values, np.uint32)).tolist() == [str(ipaddress.IPv4Address(value)) for value in values]


@given(st.lists(st.integers(0, 2**48 - 1)))
def test_hexadecimal_digits_of_a_fixed_number_of_bytes(values):
    array = np.array(values, np.uint64)
    assert hexadecimal(array, 12, before="", between=":").tolist() == [value.to_bytes(6, "big").hex(":") for value in values]
    assert hexadecimal(array & 0xFFFF, 4).tolist() == [f"0x{value & 0xFFFF:04x}" for value in values]


@given(st.binary(), st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20))))
def test_hexadecimal_digits_of_slices(data, pairs):
    pairs = [(min(a, len(data)), min(b, len(data))) for a, b in pairs]
    start, end = np.array(pairs, np.int64).reshape(-1, 2).T.copy()
    assert hexlify(np.frombuffer(data, np.uint8), start, end).tolist() == [data[a:b].hex() for a, b in pairs]


@given(TEXTS, TEXTS, st.data())
def test_columns_are_concatenated_row_by_row_and_one_below_the_other(left, right, data):
    assert strings(left).tolist() == left
    assert [strings(left)[row] for row in range(len(left))] == left
    assert concat([strings(left), strings(right)]).tolist() == left + right
    rows = data.draw(st.lists(st.integers(0, len(left) - 1))) if left else []
    picked = strings(left).take(np.array(rows, np.int64))
    assert concat_str([picked, constant(" → ", len(rows)), picked]).tolist() == [f"{left[row]} → {left[row]}" for row in rows]


@given(TEXTS, st.integers(0, 9))
def test_padding_is_counted_in_characters(texts, width):
    column = strings(texts)
    assert concat_str([column, column.padding(width)]).tolist() == [text.ljust(width) for text in texts]


def test_the_last_text_of_a_row_counts_and_a_row_without_is_empty():
    parts = [(np.array([3, 1]), strings(["a", "b"])), (np.array([1, 0]), strings(["c", "d"]))]
    assert scatter(5, parts).tolist() == ["d", "c", "", "a", ""]
    assert scatter(2, []).tolist() == ["", ""]
    assert constant("x", np.array([True, False])).tolist() == ["x", ""]


def test_lone_surrogates_are_escaped():
    assert strings(["a\udc80", "ä"]).tolist() == ["a\\udc80", "ä"]


@given(TEXTS)
def test_control_characters_are_escaped(texts):
    assert safe_strings(strings(texts)).tolist() == [safe(text) for text in texts]


@pytest.mark.parametrize("start, end", [(0, 4), (-1, 1), (2, 1), (0, 2**62)])
def test_a_slice_outside_of_its_buffer_is_refused(start, end):
    data, out = np.zeros(3, np.uint8), np.zeros(3, np.uint8)
    with pytest.raises(IndexError):
        _strings.append(data.data, np.array([start]).data, np.array([end]).data, out.data, np.zeros(1, np.int64).data)


@given(st.lists(st.tuples(st.text("ab", max_size=3), st.integers(0, 4), st.text("cd", max_size=3)), min_size=1))
def test_texts_are_written_over_rows_of_blanks(rows):
    left, gaps, right = zip(*rows)
    offset = np.array([len(a) + gap for a, gap in zip(left, gaps)])
    written = overlay([(strings(left), offset * 0), (strings(right), offset)], offset + 3)
    assert written.tolist() == [f"{a}{' ' * gap}{b:3}" for a, gap, b in rows]
    with pytest.raises(IndexError):
        overlay([(constant("x", len(rows)), offset * 0)], offset * 0)
