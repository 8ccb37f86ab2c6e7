"""Every capture of a folder, in batches of 1, 7 and all frames: the same tables each time, and never an exception but InputError.

python tests/sweep.py FOLDER…
"""

import sys
from pathlib import Path

from analyzer import Analysis
from analyzer.errors import InputError
from analyzer.tables import names

BATCHES = (1, 7, 1 << 30)


def differs(capture: Path) -> str:
    """What is wrong with this capture's tables; '' if nothing is."""
    seen = []
    for size in BATCHES:
        try:
            analysis = Analysis(str(capture), batch_frames=size)
            seen.append((analysis.tables(names()), str(analysis.damage), ""))
        except InputError as error:
            seen.append(({}, "", str(error)))
    (first, damage, refusal), *others = seen
    for size, (tables, hurt, refused) in zip(BATCHES[1:], others, strict=True):
        if (hurt, refused) != (damage, refusal):
            return f"{capture}: batches of {size}: {hurt} {refused}, of 1: {damage} {refusal}"
        for name, rows in tables.items():
            if not rows.equals(first[name]) or rows.schema != first[name].schema:
                return f"{capture}: table {name} differs in batches of {size}"
    return ""


def captures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".md", ".json", ".py", ".yaml"))


if __name__ == "__main__":
    found = [path for folder in sys.argv[1:] for path in captures(Path(folder))]
    wrong = 0
    for path in found:
        try:
            result = differs(path)
        except Exception as error:
            result = f"{path}: {type(error).__name__}: {error}"
        if result:
            wrong += 1
            print(result, flush=True)
    print(f"{len(found)} captures, {wrong} wrong")
    sys.exit(bool(wrong))
