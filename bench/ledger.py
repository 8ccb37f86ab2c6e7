"""What this checkout costs against another one: user + system seconds on one capture, in alternating rounds.

python bench/ledger.py OTHER CAPTURE [ROUNDS]; OTHER is a checkout with an environment of its own in `.venv`. Prints the rows for the
ledger of docs/performance.md: medians, their spread (the middle half), and the ratio of the medians.
"""

import os
import resource
import statistics
import subprocess
import sys
from pathlib import Path

COMMANDS = {
    "conversations": ("table", "conversations"),
    "streams": ("table", "streams", "-T", "csv"),
    "packets": ("packets",),
    "explain": ("explain",),
}
HERE = Path(__file__).resolve().parent.parent


def seconds(checkout: Path, words: tuple[str, ...], capture: str) -> float:
    """User + system time of one run."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    python = checkout / ".venv" / "bin" / "python"
    with open(os.devnull, "wb") as nowhere:
        subprocess.run([python, "-m", "analyzer", *words, capture], cwd=checkout, stdout=nowhere, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(other: Path, capture: str, rounds: int) -> None:
    print("| command | before, s | now, s | ratio |\n|---|---|---|---|")
    for name, words in COMMANDS.items():
        times: tuple[list[float], list[float]] = ([], [])
        for nth in range(rounds):
            for which in (0, 1) if nth % 2 else (1, 0):
                times[which].append(seconds((other, HERE)[which], words, capture))
        middle = [statistics.median(one) for one in times]
        spread = [statistics.quantiles(one, n=4) for one in times]
        cells = [f"{m:.2f} ({low:.2f}–{high:.2f})" for m, (low, _, high) in zip(middle, spread, strict=True)]
        print(f"| {name} | {cells[0]} | {cells[1]} | {middle[1] / middle[0]:.3f} |", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), str(Path(sys.argv[2]).resolve()), int(sys.argv[3]) if len(sys.argv) > 3 else 15)
