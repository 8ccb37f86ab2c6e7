"""Who has which address, rows of the table bindings: two owners, forged claims, questions that nobody answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import Matches, rule
from ._wording import count, duration, frames

if TYPE_CHECKING:
    import polars as pl

PROXY_ADDRESSES = 3  # one MAC that answers for so many is a proxy
ENOUGH_QUESTIONS = 3  # so many without an answer: nobody is there


def _when(row: dict[str, Any]) -> str:
    return frames(row["first_frame"], row["last_frame"])


@rule("error", "addresses taken over")
def spoofed(t: pl.DataFrame) -> Matches:
    """A MAC claims, in answers that nobody asked for, an address that another MAC has: ARP or neighbor cache poisoning, to read or
    change what is sent to it. What to look at: whether datagrams for the address went to that MAC, and went on from there with one
    less time to live. A cluster that moves an address to another machine announces it (gratuitous); a proxy's addresses have no other
    MAC."""

    def sentence(row: dict[str, Any]) -> str:
        used = f"; {count(row['datagrams'], 'datagram')} for it went there" if row["datagrams"] else ""
        return (
            f"{row['mac']} claims {row['address']}, which {row['others']} has, in {count(row['unasked'], 'answer')} that nobody asked "
            f"for ({_when(row)}){used}."
        )

    yield t["others"].is_not_null() & (t["unasked"] > 0) & (t["announced"] == 0), sentence


@rule(
    "error",
    "forged by a third party",
    lambda row: f"{row['sent_by']} says that {row['address']} is at {row['mac']} ({_when(row)}); {row['others']} has it.",
)
def third_party(t: pl.DataFrame) -> pl.Series:
    """The frame comes from another MAC than the one it claims the address for, and an earlier claim says otherwise: somebody speaks
    in another's name."""
    return t["others"].is_not_null() & t["sent_by"].is_not_null()


@rule("error", "address conflict")
def conflict(t: pl.DataFrame) -> Matches:
    """Two MACs claim one address, each again after the other or in answer to the same question (RFC 5227 §2.4, RFC 4862 §5.4.4):
    both hosts lose traffic by turns. Usually one was given a fixed address out of a DHCP server's range."""

    def sentence(row: dict[str, Any]) -> str:
        where = f"first in conflict in frame {row['conflict_frame']}"
        return f"{row['address']} has two owners: {row['mac']} ({_when(row)}) and {row['others']}, {where}."

    yield t["contested"].fill_null(False), sentence


@rule(
    "warn",
    "address in use",
    lambda row: (
        f"{row['address']} is in use by {row['mac']} (frame {row['refused_frame']}): {row['refused']} asked whether it is free "
        f"and must do without it."
    ),
)
def in_use(t: pl.DataFrame) -> pl.Series:
    """A host probed whether an address is free (RFC 5227 §2.1, RFC 4862 §5.4) and another one has it: the host must not use it."""
    return t["refused"].is_not_null()


@rule(
    "warn",
    "sender is another",
    lambda row: f"{row['sent_by']} says that {row['address']} is at {row['mac']} ({_when(row)}): it speaks for another.",
)
def relayed(t: pl.DataFrame) -> pl.Series:
    """The Ethernet source is not the MAC that the message speaks of: a proxy or a wireless bridge does so, and who forges ARP."""
    return t["sent_by"].is_not_null()


@rule(
    "note",
    "address moved",
    lambda row: f"{row['address']} is at {row['mac']} from frame {row['first_frame']} on; {row['others']} had it before.",
)
def moved(t: pl.DataFrame) -> pl.Series:
    """Another MAC claims the address, and the one before says nothing more: a machine or network card was replaced, a cluster failed
    over, a lease went to another host. Or somebody took it: look who that is."""
    return t["moved"].fill_null(False)


@rule("warn", "no answer to ARP or ND")
def unanswered(t: pl.DataFrame) -> Matches:
    """Questions for the MAC of an address, again and again, without an answer: the host is down, not there or on another network, and
    what was to be sent to it was never sent. A host that probes whether an address is free hopes for no answer."""

    def sentence(row: dict[str, Any]) -> str:
        had = "" if row["mac"] is None else f" {row['mac']} had it in {frames(row['first_frame'], row['last_frame'])}."
        where = frames(row["unanswered_frame"], row["unanswered_last"])
        asked = f"{row['asked_by']} asked {count(row['unanswered'], 'time')} ({where})"
        return f"Nobody answers for {row['address'] or row['asked_for']}: {asked}.{had}"

    yield t["latest"] & (t["unanswered"] >= ENOUGH_QUESTIONS), sentence


@rule(
    "note",
    "proxy",
    lambda row: (
        f"{row['mac']} answers for {row['addresses']} addresses, {row['address']} among them: a proxy, or a host that has them all."
    ),
)
def proxy(t: pl.DataFrame) -> pl.Series:
    """One MAC answers for many addresses, none of which another MAC claims: proxy ARP of a router (RFC 1027), or a host with many
    addresses."""
    return (t["addresses"] >= PROXY_ADDRESSES) & (t["answered"] > 0)


@rule(
    "chat",
    "learnt and used",
    lambda row: (
        f"{row['address']} is at {row['mac']}, learnt by {row['learnt']} in frame {row['first_frame']}, used by "
        f"{count(row['datagrams'], 'datagram')} up to frame {row['last_used']}, {duration(row['used_for'].total_seconds() * 1e9)} long."
    ),
)
def used(t: pl.DataFrame) -> pl.Series:
    """An address was learnt and datagrams went to it: how long the cache served without another question."""
    return (t["datagrams"] > 0) & t["used_for"].is_not_null()


@rule("chat", "free", lambda row: f"{row['address']} is free: {row['asked_by']} probed it {count(row['probes'], 'time')}, nobody answered.")
def free(t: pl.DataFrame) -> pl.Series:
    """Somebody probed an address and nobody has it: it is free."""
    return t["mac"].is_null() & (t["probes"] > 0) & (t["probes"] == t["asked"])
