"""The only door to a terminal: whatever came from the network or a file is made harmless here."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    from ..strings import Strings

SHORT = {"\a": "\\a", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\v": "\\v", "\f": "\\f", "\r": "\\r"}
UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffc\ufffe\uffff\ud800-\udfff]")


def safe(printed: str) -> str:
    """The text with everything that could move a cursor, change a colour or turn the direction of writing spelled out."""
    return printed if printed.isascii() and printed.isprintable() else UNSAFE.sub(_spelled, printed)


def harmless(data: np.ndarray) -> bool:
    """Whether all bytes (uint8) are printable ASCII: what most texts are, and quickly told."""
    return not len(data) or bool(data.min() >= 0x20 and data.max() < 0x7F)


def safe_strings(column: Strings) -> Strings:
    """The same for columns of text that are no Polars frame; only texts with a byte that could begin such a thing are looked at."""
    if harmless(column.data):
        return column
    import numpy as np

    from ..strings import scatter, strings

    data = column.data
    behind = np.append(data[1:], np.zeros(1, np.uint8))
    odd = (data < 0x20) | (data == 0x7F) | np.isin(data, (0xD8, 0xED, 0xEF))
    odd |= (data == 0xC2) & ((behind < 0xA0) | (behind == 0xAD))
    odd |= (data == 0xE2) & (behind < 0x82)
    at = np.flatnonzero(odd)
    rows = np.flatnonzero(np.searchsorted(at, column.end) > np.searchsorted(at, column.start))
    if not len(rows):
        return column
    spelled = strings([safe(one) for one in column.take(rows).tolist()])
    return scatter(len(column), [(np.arange(len(column)), column), (rows, spelled)])


def show(lines: Strings) -> None:
    """Write texts that `concat_str` made, as they are, to standard output."""
    if sys.stdout.encoding.lower() == "utf-8":
        sys.stdout.flush()
        rest = lines.data.data
        while rest:  # unbuffered output takes what a pipe has room for
            rest = rest[sys.stdout.buffer.write(rest) :]
    else:
        sys.stdout.write(lines.data.tobytes().decode())


def _spelled(match: re.Match[str]) -> str:
    code = ord(match[0])
    return SHORT.get(match[0]) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")


def safe_json(line: str) -> str:
    """JSON text in which such characters are written as JSON's own escapes: the value stays what it is."""
    return UNSAFE.sub(lambda m: m[0] if m[0] == "\n" else f"\\u{ord(m[0]):04x}", line)


def safe_column(column: pl.Series) -> pl.Series:
    """The same for a column of text in a Polars frame."""
    import polars as pl

    odd = r"[\x00-\x1f\x7f-\x{9f}\x{ad}\x{61c}\x{200b}-\x{200f}\x{2028}-\x{202e}\x{2060}-\x{206f}\x{feff}\x{fff9}-\x{ffff}]"
    return column.map_elements(safe, return_dtype=pl.String) if column.str.contains(odd).any() else column


def listing(entries: Iterable[tuple[str, str]]) -> None:
    """Names and what they mean, in two columns as wide as the terminal."""
    import shutil
    import textwrap

    found = list(entries)
    left = min(max((len(name) for name, _ in found), default=0), 34)
    width = max(shutil.get_terminal_size().columns, 60)
    for name, meaning in found:
        wrapped = textwrap.wrap(meaning, width - left - 2) or [""]
        if len(name) > left:
            print(name)
            name = ""
        for line in wrapped:
            print(f"{name.ljust(left)}  {line}".rstrip())
            name = ""
