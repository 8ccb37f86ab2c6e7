"""Names that were never found out, from the table dns_transactions: why a program does not even try to connect. RFC 1035, RFC 8499."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import Matches, rule
from ._wording import count, duration, frames

if TYPE_CHECKING:
    import polars as pl


def _names(row: dict[str, Any]) -> str:
    """'a.example, b.example and 3 other names'."""
    shown, more = ", ".join(row["some"]), row["names"] - len(row["some"])
    return shown + (f" and {count(more, 'other name')}" if more else "")


def _servers(row: dict[str, Any]) -> str:
    """'DNS server 10.0.0.1', 'DNS servers 10.0.0.1 and 10.0.0.2'."""
    *most, last = row["server"]
    return f"DNS servers {', '.join(most)} and {last}" if most else f"DNS server {last}"


@rule("error", "name not found out, no answer")
def silent(t: pl.DataFrame) -> Matches:
    """No server answered the question of a name, nor did an ICMP error come back, and no other question of this client brought the name:
    the server is down, a filter drops the questions or the answers, or the way is cut. Programs then do not connect at all. What to look
    at: whether the next hop is alive (ARP, ND), whether the same servers answer others."""

    def sentence(row: dict[str, Any]) -> str:
        often = f"asked {count(row['sent'], 'time')} in {duration(row['took'])}" if row["sent"] > 1 else "asked once"
        where = frames(row["first_frame"], row["last_frame"])
        return f"{row['client']} could not find out {_names(row)}: {_servers(row)} did not answer, {often} ({where}), no ICMP error."

    yield t["why"] == "silence", sentence


@rule("error", "name not found out, ICMP error")
def unreachable(t: pl.DataFrame) -> Matches:
    """The question of a name met an ICMP error: nobody listens on the server's port, or a router or filter refuses (RFC 792, RFC 4443)."""

    def sentence(row: dict[str, Any]) -> str:
        where = f"frame {row['refused_in']} for {row['first_frame']}"
        return f"{row['client']} could not find out {_names(row)}: the questions to {_servers(row)} met an ICMP error ({where})."

    yield t["why"] == "ICMP", sentence


@rule("error", "name not found out, server failed")
def failed(t: pl.DataFrame) -> Matches:
    """The server is up and answered, but with a failure of its own (RFC 1035 §4.1.1): SERVFAIL, it could not find out, since servers behind
    it do not answer, a zone is not loaded, or DNSSEC does not hold; REFUSED, it does not want to. Look between that server and those
    behind it. Not this: NXDOMAIN, which says that there is no such name."""

    def sentence(row: dict[str, Any]) -> str:
        after = f" after {duration(row['duration'])}" if row["duration"] is not None else ""
        where = f"frame {row['answer_frame']} for {row['first_frame']}"
        reason = ": it is up, but does not want to" if row["why"] == "REFUSED" else ": it is up, what it needs to answer is not"
        return f"{row['client']} could not find out {_names(row)}: {_servers(row)} answered {row['why']}{after} ({where}){reason}."

    yield t["answer_frame"].is_not_null(), sentence
