"""What the program prints of every capture of some folders, a text file each: run it in two checkouts and compare the folders.

python tests/outputs.py OUT FOLDER…

Packet lines, trees, `explain`, the report, and the rows of every table. What differs between two versions then is what
`diff -r` shows; renamed columns and reworded labels are replaced with sed before.
"""

import io
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # this checkout, wherever another is installed

from sweep import captures

COMMANDS = (["packets"], ["packets", "-V"], ["explain"], ["report"])


def command(words: list[str]) -> str:
    """Status and output of `analyze` with these words."""
    from analyzer.cli import run

    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", newline="\n") for _ in range(2))
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = out, err
    try:
        status = run(words)
    finally:
        sys.stdout, sys.stderr = before
    texts = []
    for stream in (out, err):
        stream.flush()
        texts.append(stream.buffer.getvalue().decode("utf-8", "backslashreplace"))
    return f"status {status}\n{texts[0]}\nerrors: {texts[1]}\n"


def printed(capture: str) -> str:
    """Everything that is compared of one capture."""
    from analyzer import Analysis
    from analyzer.errors import InputError
    from analyzer.tables import names

    parts = [f"== {' '.join(words)}\n{command([*words, capture])}" for words in COMMANDS]
    try:
        analysis = Analysis(capture)
        for name, rows in sorted(analysis.tables(names()).items()):
            lines = [str(row) for row in rows.iter_rows()]
            parts.append("\n".join([f"== table {name}", *(f"{column}: {kind}" for column, kind in rows.schema.items()), *lines, ""]))
        parts.append(f"== damage {analysis.damage}\n== notes {analysis.notes}\n")
    except InputError as error:
        parts.append(f"== refused {error}\n")
    return "\n".join(parts)


def write(target: Path, capture: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        result = printed(str(capture))
    except Exception as error:
        result = f"{type(error).__name__}: {error}\n"
    target.write_text(result)


def main(out: Path, folders: list[Path]) -> None:
    os.environ.update(NO_COLOR="1", COLUMNS="160", TZ="UTC")
    pairs = [(out / folder.name / f"{path.relative_to(folder)}.txt", path) for folder in folders for path in captures(folder)]
    with ProcessPoolExecutor() as pool:
        list(pool.map(write, *zip(*pairs, strict=True), chunksize=4))
    print(f"{len(pairs)} captures")


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(folder).resolve() for folder in sys.argv[2:]])
