"""What a web server made of its requests, from the table http_transactions: silence, errors, slowness, secrets in clear. RFC 9110."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import Matches, rule
from ._wording import count, duration, endpoint, frames

if TYPE_CHECKING:
    import polars as pl

BURST = 5  # server errors within ten seconds: `tables.http_transactions.grouped` looks for so many


def _server(row: dict[str, Any]) -> str:
    """'10.0.0.1:80 (www.example.test)'."""
    return endpoint(row["server"], row["server_port"]) + (f" ({row['host']})" if row["host"] and row["server"] not in row["host"] else "")


def _behind(row: dict[str, Any]) -> str:
    """What the server itself waited for."""
    if row["upstream_server"] is None:
        return ""
    behind = f"{row['upstream_server']} behind it (stream {row['upstream']})"
    return f"; it asked {behind}" if row["upstream_wait"] is None else f"; {duration(row['upstream_wait'])} of that were {behind}"


@rule("error", "HTTP never answered")
def never_answered(t: pl.DataFrame) -> Matches:
    """A server's TCP took requests, and its program answered none of them. It hangs, or what it needs does; or something on the way lets
    only handshakes through. Not this: requests of the last second of the trace, nor those whose answer the capture may have lost."""

    def sentence(row: dict[str, Any]) -> str:
        asked = count(row["unanswered"], "request")
        where = frames(row["first_unanswered"], row["last_unanswered"])
        return f"{_server(row)} never answered: {asked} ({row['asked_for']}{'' if row['unanswered'] == 1 else ', …'}; {where})."

    yield (t["aspect"] == "answers") & (t["answered"] == 0) & (t["unanswered"] > 0), sentence


@rule("error", "burst of HTTP server errors")
def burst(t: pl.DataFrame) -> Matches:
    """Five or more answers with a status of 5xx within ten seconds (RFC 9110 §15.6): the server, or what stands behind it, failed for a
    while. 502 and 504 blame a server behind a proxy, 503 too much to do, 500 the program. Look at what happened right before the first."""

    def sentence(row: dict[str, Any]) -> str:
        where = frames(row["first_error"], row["last_error"])
        total = f"{count(row['errors'])} of {count(row['answered'], 'answer')}"
        return (
            f"{_server(row)} failed: {total} were server errors ({row['statuses']}; {where}), {row['densest']} within 10 s{_behind(row)}."
        )

    yield (t["aspect"] == "answers") & (t["densest"] >= BURST), sentence


@rule("warn", "HTTP unanswered")
def unanswered(t: pl.DataFrame) -> Matches:
    """Some requests got no answer, though the server answered others: its program gave up on them, or still works when the trace ends."""

    def sentence(row: dict[str, Any]) -> str:
        where = frames(row["first_unanswered"], row["last_unanswered"])
        total = f"{count(row['unanswered'])} of {count(row['asked'], 'request')}"
        return f"{_server(row)} left {total} without answer ({row['asked_for']}{'' if row['unanswered'] == 1 else ', …'}; {where})."

    yield (t["aspect"] == "answers") & (t["unanswered"] > 0), sentence


@rule("warn", "HTTP answers cut short")
def cut_short(t: pl.DataFrame) -> Matches:
    """The server ended the connection before the body that it had announced (RFC 9112 §8): it crashed, or something closed in between."""

    def sentence(row: dict[str, Any]) -> str:
        lacks = f", {count(row['lacking'], 'byte')} of them are missing" if row["lacking"] else ""
        return f"{_server(row)} ended {count(row['short'], 'answer')} before the body did (first in frame {row['first_short']}){lacks}."

    yield (t["aspect"] == "answers") & (t["short"] > 0), sentence


@rule("note", "HTTP server errors")
def errors(t: pl.DataFrame) -> Matches:
    """Answers with a status of 5xx (RFC 9110 §15.6): the server failed at requests that may be right."""

    def sentence(row: dict[str, Any]) -> str:
        where = frames(row["first_error"], row["last_error"])
        return (
            f"{_server(row)}: {count(row['errors'])} of {count(row['answered'], 'answer')} were server errors ({row['statuses']}; {where})."
        )

    yield (t["aspect"] == "answers") & (t["errors"] > 0), sentence


@rule("warn", "HTTP slow to answer")
def slow(t: pl.DataFrame) -> Matches:
    """The first byte of an answer came a second or more after its request was whole: the program, or what it asks, took so long. The time
    of the bytes behind the first is the network's, and none of this. TCP's verdict on the connection tells whether its path is slow."""

    def sentence(row: dict[str, Any]) -> str:
        total = f"{count(row['slow'])} of {count(row['answered'], 'answer')}"
        worst = f"the slowest {duration(row['worst'])} after its request (frame {row['worst_answer']} for {row['worst_frame']}"
        return f"{_server(row)} was slow: {total} began after a second or more, {worst}; {row['worst_for']}){_behind(row)}."

    yield (t["aspect"] == "answers") & (t["slow"] > 0), sentence


@rule("note", "HTTP credentials in clear")
def credentials(t: pl.DataFrame) -> Matches:
    """Requests hold a password or token that anybody on the way can read, and so can who gets the capture. What they are is not shown."""

    def sentence(row: dict[str, Any]) -> str:
        where = frames(row["first_frame"], row["last_frame"])
        sent = f"{count(row['asked'], 'request')} with {row['kinds']}"
        return f"Credentials in clear: {row['client']} sent {_server(row)} {sent} ({where}); anybody on the way can read them."

    yield t["aspect"] == "credentials", sentence
