"""What ICMP and times to live say of a path, rows of the table routes: loops, redirects and MTUs obeyed or not, what is unreachable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import Matches, rule
from ._wording import count, duration, endpoint, frames

if TYPE_CHECKING:
    import polars as pl

IN_FLIGHT = 3  # fewer datagrams sent as before may have been on their way when the message came


def _path(row: dict[str, Any]) -> str:
    """'10.0.0.1 → 10.0.0.2:80'."""
    return f"{row['source']} → {endpoint(row['destination'], row['destination_port'])}"


def _sender(row: dict[str, Any]) -> str:
    """Who sent the messages, and their frames: '10.0.0.1 (frames 3 to 9)'."""
    return f"{row['by']} ({frames(row['first_frame'], row['last_frame'])})"


def _times(row: dict[str, Any]) -> str:
    return f" {row['messages']:,} times" if row["messages"] > 1 else ""


@rule(
    "error",
    "routing loop",
    lambda row: (
        f"A routing loop: datagrams {row['source']} → {row['destination']} pass here again and again, seen "
        f"{row['messages']} times with time to live {row['ttl_first']} down to {row['ttl_last']} "
        f"({frames(row['first_frame'], row['last_frame'])})."
    ),
)
def loop(t: pl.DataFrame) -> pl.Series:
    """One datagram passes the same link in the same direction again, each time with less time to live: routers hand it to each
    other. What to look at: their routes to its destination. A copy that keeps its time to live is none, nor is a datagram that a
    router sends on over another link. RFC 791 §3.2, time to live."""
    return t["statement"] == "loop"


@rule(
    "error",
    "path MTU ignored",
    lambda row: (
        f"{row['source']} ignores the path MTU: {_sender(row)} told it {row['mtu']} bytes for {_path(row)}, "
        f"{count(row['ignored'], 'larger datagram')} followed, the last in frame {row['ignored_frame']}."
    ),
)
def too_big_ignored(t: pl.DataFrame) -> pl.Series:
    """A router said which size the next link takes, and the sender goes on with larger datagrams that must not be cut: it does
    not get the messages (a firewall drops ICMP) or does not heed them. What was on its way when the message came is not counted
    against it while it is little. RFC 1191 §3, RFC 8201 §4."""
    late = t["ignored_frame"] > t["last_frame"]
    return (t["statement"] == "too big") & (t["ignored"] >= IN_FLIGHT) & late & (t["obeyed"] == False)  # noqa: E712  null is neither


@rule(
    "warn",
    "redirect ignored",
    lambda row: (
        f"{row['recipient']} ignores the redirect of {_sender(row)} to {row['gateway']} for {row['destination']}: "
        f"{count(row['ignored'], 'datagram')} went the old way, the last in frame {row['ignored_frame']}."
    ),
)
def redirect_ignored(t: pl.DataFrame) -> pl.Series:
    """A router named a better first hop, and the host goes on by way of the old: it ignores redirects (many do, for safety), and
    each of its datagrams crosses the link twice. RFC 792; RFC 1122 §3.3.1.2."""
    return (t["statement"] == "redirect") & (t["ignored"] >= IN_FLIGHT) & (t["obeyed"] == False)  # noqa: E712  null is neither


@rule(
    "warn",
    "source route",
    lambda row: (
        f"{row['source']} dictates the way to {row['destination']} ({frames(row['first_frame'], row['last_frame'])}): {row['route']}."
    ),
)
def source_route(t: pl.DataFrame) -> pl.Series:
    """The sender dictates the way (RFC 791 §3.1, RFC 8200 §4.4). Ordinary traffic never does; it is used to get around filters, and
    most routers drop it (RFC 7126 §4.3)."""
    return t["statement"].is_in(["loose source route", "strict source route"])


@rule(
    "note",
    "refused by ICMP",
    lambda row: f"{_sender(row)} says{_times(row)}: {row['meaning']}, about {_path(row)}, TCP stream {row['stream']}.",
)
def tcp_unreachable(t: pl.DataFrame) -> pl.Series:
    """An ICMP error about a TCP connection. What it did to the connection stands there."""
    return t["statement"].is_in(["unreachable", "time exceeded"]) & (t["protocol"] == "TCP") & t["stream"].is_not_null()


@rule("warn", "unreachable")
def unreachable(t: pl.DataFrame) -> Matches:
    """A router or the host itself could not, or would not, deliver (RFC 792, RFC 4443 §3.1). From the host: nobody listens on the
    port, or it does not speak the protocol. From a router: no route, no answer to its ARP, or a filter that says so."""

    def sentence(row: dict[str, Any]) -> str:
        who = "The host itself" if row["by"] == row["destination"] else "Router"
        about = f"{row['protocol']} " if row["protocol"] else ""
        stream = "" if row["stream"] is None else f" (stream {row['stream']})"
        return f"{who} {_sender(row)} says{_times(row)}: {row['meaning']}, about {about}{_path(row)}{stream}."

    yield t["statement"] == "unreachable", sentence


@rule("warn", "time exceeded", lambda row: f"{_sender(row)} dropped{_times(row)} datagrams {_path(row)}: {row['meaning']}.")
def expired(t: pl.DataFrame) -> pl.Series:
    """A datagram that is no probe of a traceroute was dropped: its time to live ran out in a loop or on too long a way (RFC 792), or
    pieces of it did not arrive in time (code 1)."""
    return t["statement"] == "time exceeded"


@rule("warn", "parameter problem", lambda row: f"{_sender(row)} found{_times(row)} a fault in headers of {_path(row)}: {row['meaning']}.")
def parameter(t: pl.DataFrame) -> pl.Series:
    """A header that a router or host could not make sense of (RFC 792, RFC 4443 §3.4): a broken sender, or an unknown option."""
    return t["statement"] == "parameter problem"


@rule("note", "redirected")
def redirected(t: pl.DataFrame) -> Matches:
    """A router named a better first hop (RFC 792). Sent once and obeyed, it is as it should be; a forged one steals traffic, so look
    whether the gateway is yours."""

    def sentence(row: dict[str, Any]) -> str:
        after = "" if row["obeyed_frame"] is None else f"; obeyed in frame {row['obeyed_frame']}"
        if row["ignored"]:
            after = f"; {count(row['ignored'], 'datagram')} more went the old way{after}"
        return f"{_sender(row)} tells {row['recipient']} a better way to {row['destination']}: {row['gateway']}{after}."

    yield t["statement"] == "redirect", sentence


@rule("note", "path MTU")
def too_big(t: pl.DataFrame) -> Matches:
    """A link on the way takes less than the sender sent, and a router says how much (RFC 1191, RFC 8201)."""

    def sentence(row: dict[str, Any]) -> str:
        after = "" if row["obeyed_frame"] is None else f"; obeyed in frame {row['obeyed_frame']}"
        size = f"{row['mtu']} bytes" if row["mtu"] else "no size"
        return f"{_sender(row)} gives{_times(row)} {size} as the path MTU for {_path(row)}{after}."

    yield t["statement"] == "too big", sentence


@rule("note", "source quench", lambda row: f"{_sender(row)} asks {row['recipient']}{_times(row)} to send slower to {row['destination']}.")
def quench(t: pl.DataFrame) -> pl.Series:
    """Asks the sender to slow down. Nobody sends or heeds it today (RFC 6633)."""
    return t["statement"] == "source quench"


@rule("chat", "hop")
def hop(t: pl.DataFrame) -> Matches:
    """A router that a traceroute found, or a time to live whose probes nobody answered: many routers do not, or seldom."""

    def sentence(row: dict[str, Any]) -> str:
        trace = f"traceroute {row['source']} → {row['destination']} ({row['protocol']})"
        if row["by"] is None:
            return f"Hop {row['hop']} of {trace}: no answer to {count(row['probes'], 'probe')}."
        took = "" if row["fastest"] is None else f" in {duration(row['fastest'].total_seconds() * 1e9)}"
        return f"Hop {row['hop']} of {trace}: {row['by']}{took}, {row['meaning']}."

    yield t["statement"] == "hop", sentence
