"""Every console block in README, docs and captures says what the commands really print, in batches of any size."""

from __future__ import annotations

import re
import shlex

import pytest
from conftest import ROOT, run

PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("captures/*/README.md")])
BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
READS = ("report", "packets", "table", "follow")
BATCHES = (None, 1, 7, 1 << 20)


def printed(line: str, batch: int | None) -> str:
    """What a command line prints, both streams and a status that is not 0."""
    words = shlex.split(line)
    assert words[0] == "analyze", f"a console block runs analyze, not {words[0]}"
    words = words[1:]
    reads = words[0] in READS or "captures/" in words[0]
    result = run(*words, *(["--batch-frames", str(batch)] if reads and batch else []))
    lines = [one.rstrip() for one in (result.out + result.err).splitlines()]
    return "\n".join([*lines, *([f"[exit {result.status}]"] if result.status else [])]) + "\n"


def replayed(block: str, batch: int | None) -> str:
    commands = [line for line in block.splitlines() if line.startswith("$ ")]
    return "".join(f"{line}\n{printed(line[2:], batch)}" for line in commands)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_page_says_what_the_commands_print(page, monkeypatch, request):
    monkeypatch.chdir(ROOT)
    text = page.read_text()
    if request.config.getoption("--accept"):
        page.write_text(BLOCK.sub(lambda m: f"```console\n{replayed(m[1], None)}```", text))
        return
    for block in BLOCK.findall(text):
        for batch in BATCHES:
            assert replayed(block, batch) == block, f"in batches of {batch or 'the usual size'}; `make accept` if this is meant"


def test_every_story_has_its_page_and_its_capture():
    for folder in (ROOT / "captures").iterdir():
        if folder.is_dir():
            page = (folder / "README.md").read_text()
            assert list(folder.glob("*.pcap*")), folder
            for needed in ("rfc", "What to look at:", "Where it comes from:", "```console"):
                assert needed in page or needed.upper() in page, f"{folder.name}: no {needed!r}"
