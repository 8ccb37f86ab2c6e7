"""What can be read or forged, rows of the table security: passwords in clear, certificates, old TLS, a second server of DHCP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import Matches, rule
from ._wording import count, frames

if TYPE_CHECKING:
    import polars as pl


@rule("warn", "security")
def exposed(t: pl.DataFrame) -> Matches:
    """A finding on security of severity warn; its own page says what it means: `analyze fields` with its name in the table. What HTTP
    sends in clear stands with its transactions."""

    def sentence(row: dict[str, Any]) -> str:
        where = frames(row["first_frame"], row["last_frame"])
        often = "" if row["times"] == 1 else f"{count(row['times'], 'time')}, "
        return f"{row['source']} → {row['destination']}, {row['protocol'].upper()}: {row['summary']} ({often}{where})."

    yield (t["severity"] == "warn") & (t["protocol"] != "http"), sentence
