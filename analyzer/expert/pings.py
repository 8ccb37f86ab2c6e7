"""Series of ICMP questions of one program to one host, from the table pings: loss, copies, answers by others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import Matches, rule
from ._wording import count, frames

if TYPE_CHECKING:
    import polars as pl

WARN_SHARE = 10  # one of so many lost is worth a warning


def _series(row: dict[str, Any]) -> str:
    """'10.0.0.1 → 10.0.0.2 (identifier 7)'."""
    return f"{row['source']} → {row['destination']}" + ("" if row["identifier"] is None else f" (identifier {row['identifier']})")


@rule(
    "warn",
    "pings unanswered",
    lambda row: f"No answer to {count(row['asked'], 'ping')} {_series(row)}, {frames(row['first_frame'], row['last_frame'])}.",
)
def unanswered(t: pl.DataFrame) -> pl.Series:
    """No question of a series was answered, nor did an ICMP error come back: the host is down, a filter drops ICMP, or the way back is
    broken. What to look at: whether ARP or ND found the host's MAC (table bindings); other traffic to it."""
    return (t["lost"] == t["asked"]) & (t["lost"] > 0)


@rule("warn", "pings lost")
def lost(t: pl.DataFrame) -> Matches:
    """Some questions of a series were not answered: loss on the way there or back, or a host that limits its answers (RFC 4443 §2.4 f)."""

    def sentence(row: dict[str, Any]) -> str:
        where = frames(row["first_lost"], row["last_lost"])
        return f"{count(row['lost'])} of {count(row['asked'], 'ping')} {_series(row)} lost, asked in {where}."

    yield (t["lost"] * WARN_SHARE >= t["asked"]) & (t["lost"] > 0), sentence


@rule(
    "warn",
    "answered by another",
    lambda row: (
        f"{count(row['elsewhere'], 'ping')} {_series(row)} answered by {row['elsewhere_by']}, first in frame {row['elsewhere_frame']}."
    ),
)
def wrong_source(t: pl.DataFrame) -> pl.Series:
    """The answer comes from another address than was asked: a host with several addresses, an address translator that forgets, or
    somebody who answers for others."""
    return t["elsewhere"] > 0


@rule(
    "warn",
    "answers doubled",
    lambda row: f"{count(row['duplicates'], 'further answer')} to pings {_series(row)}, the last in frame {row['last_duplicate']}.",
)
def doubled(t: pl.DataFrame) -> pl.Series:
    """Answers came more than once: the network makes copies (a loop of bridges, a mirrored port), or two hosts have the address. Several
    answers to a question to a group or broadcast address are as it should be and none of this."""
    return t["duplicates"] > 0


@rule(
    "warn",
    "answers nobody asked for",
    lambda row: (
        f"{count(row['unasked'], 'answer')} of {row['destination']} to {row['source']} that no frame asked for, "
        f"first in frame {row['unasked_frame']}."
    ),
)
def unasked(t: pl.DataFrame) -> pl.Series:
    """Echo replies without a question in this capture: it began late or sees one direction only; or somebody sends with a forged source
    (the victim of a reflection sees such replies), or carries data in them."""
    return t["unasked"] > 0


@rule("note", "a ping lost", lambda row: f"{count(row['lost'])} of {count(row['asked'], 'ping')} {_series(row)} lost.")
def few_lost(t: pl.DataFrame) -> pl.Series:
    """Less than a tenth of the questions of a series were not answered."""
    return t["lost"] > 0
