"""The same tests with the sequential modules interpreted: the rules are one set, so the results are the same."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from conftest import RECORDINGS, ROOT, recordings

from analyzer import Analysis, compiled

TABLES = ("states", "segments", "streams")
LOOK = f"""
import sys
from analyzer import Analysis, compiled
assert not compiled()
for name in sys.argv[1:]:
    tables = Analysis(name).tables({TABLES})
    for table in {TABLES}:
        print(tables[table].write_json())
"""


@pytest.mark.slow
@pytest.mark.skipif(not compiled(), reason="runs interpreted already: no compiler when it was built, or ANALYZE_PURE=1")
def test_everything_holds_interpreted():
    """All but the tests that try many inputs at length: those run compiled, where they take a fifth of the time."""
    assert compiled()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow"],
        cwd=ROOT,
        env={**os.environ, "ANALYZE_PURE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    print(done.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.skipif(not compiled(), reason="runs interpreted already: no compiler when it was built, or ANALYZE_PURE=1")
def test_the_tracker_and_its_figures_say_the_same_interpreted():
    """Every cell of the tables of states, segments and streams, of every recording."""
    names = [str(RECORDINGS / f"{name}.pcap.xz") for name in recordings()]
    done = subprocess.run(
        [sys.executable, "-c", LOOK, *names], cwd=ROOT, env={**os.environ, "ANALYZE_PURE": "1"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-4000:]
    ours = []
    for name in names:
        tables = Analysis(name).tables(TABLES)
        ours += [tables[table].write_json() for table in TABLES]
    assert done.stdout.splitlines() == ours
    assert len(ours) == 43 * len(TABLES)
