"""The same tests with the sequential modules interpreted: the rules are one set, so the results are the same."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from conftest import ROOT

from analyzer import compiled


@pytest.mark.skipif(not compiled(), reason="runs interpreted already: no compiler when it was built, or ANALYZE_PURE=1")
def test_everything_holds_interpreted():
    assert compiled()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=ROOT,
        env={**os.environ, "ANALYZE_PURE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    print(done.stdout.splitlines()[-1])
