"""Series of ICMP questions of one program to one host, from the table pings: loss, copies, answers by others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._troubles import Found, trouble
from ._verdicts import count, frames

if TYPE_CHECKING:
    import polars as pl

TENTH = 10  # one of so many lost is worth a warning


def _who(row: dict[str, Any]) -> str:
    """'10.0.0.1 → 10.0.0.2 (identifier 7)'."""
    return f"{row['source']} → {row['destination']}" + ("" if row["identifier"] is None else f" (identifier {row['identifier']})")


@trouble("warn", "pings unanswered")
def unanswered(t: pl.DataFrame) -> Found:
    """No question of a series was answered, nor did an ICMP error come back: the host is down, a filter drops ICMP, or the way back is
    broken. What to look at: whether ARP or ND found the host's MAC (table bindings); other traffic to it."""

    def says(row: dict[str, Any]) -> str:
        return f"No answer to {count(row['asked'], 'ping')} {_who(row)}, {frames(row['first_frame'], row['last_frame'])}."

    yield (t["lost"] == t["asked"]) & (t["lost"] > 0), says


@trouble("warn", "pings lost")
def lost(t: pl.DataFrame) -> Found:
    """Some questions of a series were not answered: loss on the way there or back, or a host that limits its answers (RFC 4443 §2.4 f)."""

    def says(row: dict[str, Any]) -> str:
        where = frames(row["first_lost"], row["last_lost"])
        return f"{count(row['lost'])} of {count(row['asked'], 'ping')} {_who(row)} lost, asked in {where}."

    yield (t["lost"] * TENTH >= t["asked"]) & (t["lost"] > 0), says


@trouble("warn", "answered by another")
def elsewhere(t: pl.DataFrame) -> Found:
    """The answer comes from another address than was asked: a host with several addresses, an address translator that forgets, or
    somebody who answers for others."""

    def says(row: dict[str, Any]) -> str:
        return f"{count(row['elsewhere'], 'ping')} {_who(row)} answered by {row['elsewhere_by']}, first in frame {row['elsewhere_frame']}."

    yield t["elsewhere"] > 0, says


@trouble("warn", "answers doubled")
def doubled(t: pl.DataFrame) -> Found:
    """Answers came more than once: the network makes copies (a loop of bridges, a mirrored port), or two hosts have the address. Several
    answers to a question to a group or broadcast address are as it should be and not told here."""

    def says(row: dict[str, Any]) -> str:
        return f"{count(row['duplicates'], 'further answer')} to pings {_who(row)}, the last in frame {row['last_duplicate']}."

    yield t["duplicates"] > 0, says


@trouble("warn", "answers nobody asked for")
def unasked(t: pl.DataFrame) -> Found:
    """Echo replies without a question in this capture: it began late or sees one way only; or somebody sends with a forged source
    (the victim of a reflection sees such replies), or carries data in them."""

    def says(row: dict[str, Any]) -> str:
        return (
            f"{count(row['unasked'], 'answer')} of {row['destination']} to {row['source']} that no frame asked for, "
            f"first in frame {row['unasked_frame']}."
        )

    yield t["unasked"] > 0, says


@trouble("note", "a ping lost")
def few_lost(t: pl.DataFrame) -> Found:
    """Less than a tenth of the questions of a series were not answered."""

    def says(row: dict[str, Any]) -> str:
        return f"{count(row['lost'])} of {count(row['asked'], 'ping')} {_who(row)} lost."

    yield t["lost"] > 0, says
