"""Captures that others recorded, where they are at hand: a sample gives the same tables in every batch size."""

from __future__ import annotations

import random

import pytest
from conftest import CAPTURES, SHARED
from sweep import captures, differs

OTHERS = sorted(captures(SHARED / "corpus") + captures(SHARED / "labs" / "captures")) if SHARED.exists() else []
SAMPLE = random.Random(4).sample(OTHERS, min(40, len(OTHERS)))


@pytest.mark.parametrize("path", captures(CAPTURES), ids=lambda path: path.name)
def test_our_stories(path):
    assert not differs(path)


@pytest.mark.slow
@pytest.mark.skipif(not SAMPLE, reason="../shared is not there")
@pytest.mark.parametrize("path", SAMPLE, ids=lambda path: path.name)
def test_captures_of_others(path):
    assert not differs(path)
