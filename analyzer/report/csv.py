"""-T csv: a header line, then a line a row. RFC 4180 with plain line feeds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl

from ..fields import Field
from ..strings import Strings, concat_str, constant, strings
from ._cells import ROWS, lines, printed
from ._text import show


def _quoted(printed: Strings) -> Strings:
    """Quotes around what needs them. RFC 4180 §2."""
    if (printed.data == ord('"')).any():
        printed = strings([one.replace('"', '""') for one in printed.tolist()])
    odd = np.flatnonzero((printed.data == ord('"')) | (printed.data == ord(",")))
    if not len(odd):
        return printed
    quote = constant('"', np.bincount(np.searchsorted(printed.end, odd, side="right"), minlength=len(printed)) > 0)
    return concat_str([quote, printed, quote])


def write(columns: Sequence[Field], rows: Iterable[pl.DataFrame]) -> None:
    print(",".join(f.name for f in columns))
    for part in rows:
        for some in part.iter_slices(ROWS):
            cells = printed(some, _quoted)
            if len(cells) == 1:  # most readers take a line with nothing on it for no row
                cells.append(constant('""', ~cells[0].nonempty()))
            show(lines(cells, "," if some.width > 1 else ""))
