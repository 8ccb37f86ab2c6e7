"""What ICMP and times to live say of a path, rows of the table routes: loops, redirects and MTUs obeyed or not, what is unreachable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._troubles import Found, trouble
from ._verdicts import count, frames, place, span

if TYPE_CHECKING:
    import polars as pl

FEW = 3  # datagrams sent the old way that may have been on their way when a message came


def _path(row: dict[str, Any]) -> str:
    """'10.0.0.1 → 10.0.0.2:80'."""
    return f"{row['source']} → {place(row['destination'], row['destination_port'])}"


def _said(row: dict[str, Any]) -> str:
    """Who said it and where: '10.0.0.1 (frames 3 to 9)'."""
    return f"{row['by']} ({frames(row['first_frame'], row['last_frame'])})"


def _times(row: dict[str, Any]) -> str:
    return f" {row['messages']:,} times" if row["messages"] > 1 else ""


@trouble("error", "routing loop")
def loop(t: pl.DataFrame) -> Found:
    """One datagram passes the same link in the same direction again, each time with less time to live: routers hand it to each
    other. What to look at: their routes to its destination. A copy that keeps its time to live is none, nor is a datagram that a
    router sends on over another link. RFC 791 §3.2, time to live."""

    def says(row: dict[str, Any]) -> str:
        return (
            f"A routing loop: datagrams {row['source']} → {row['destination']} pass here again and again, seen "
            f"{row['messages']} times with time to live {row['ttl_first']} down to {row['ttl_last']} "
            f"({frames(row['first_frame'], row['last_frame'])})."
        )

    yield t["statement"] == "loop", says


@trouble("error", "path MTU ignored")
def too_big_ignored(t: pl.DataFrame) -> Found:
    """A router said which size the next link takes, and the sender goes on with larger datagrams that must not be cut: it does
    not get the messages (a firewall drops ICMP) or does not heed them. What was on its way when the message came is not counted
    against it while it is little. RFC 1191 §3, RFC 8201 §4."""

    def says(row: dict[str, Any]) -> str:
        return (
            f"{row['source']} ignores the path MTU: {_said(row)} told it {row['mtu']} bytes for {_path(row)}, "
            f"{count(row['ignored'], 'larger datagram')} followed, the last in frame {row['ignored_frame']}."
        )

    late = t["ignored_frame"] > t["last_frame"]
    yield (t["statement"] == "too big") & (t["ignored"] >= FEW) & late & (t["obeyed"] == False), says  # noqa: E712  null is neither


@trouble("warn", "redirect ignored")
def redirect_ignored(t: pl.DataFrame) -> Found:
    """A router named a better first hop, and the host goes on by way of the old: it ignores redirects (many do, for safety), and
    each of its datagrams crosses the link twice. RFC 792; RFC 1122 §3.3.1.2."""

    def says(row: dict[str, Any]) -> str:
        return (
            f"{row['recipient']} ignores the redirect of {_said(row)} to {row['gateway']} for {row['destination']}: "
            f"{count(row['ignored'], 'datagram')} went the old way, the last in frame {row['ignored_frame']}."
        )

    yield (t["statement"] == "redirect") & (t["ignored"] >= FEW) & (t["obeyed"] == False), says  # noqa: E712  null is neither


@trouble("warn", "source route")
def source_route(t: pl.DataFrame) -> Found:
    """The sender dictates the way (RFC 791 §3.1, RFC 8200 §4.4). Ordinary traffic never does; it is used to get around filters, and
    most routers drop it (RFC 7126 §4.3)."""

    def says(row: dict[str, Any]) -> str:
        return (
            f"{row['source']} dictates the way to {row['destination']} ({frames(row['first_frame'], row['last_frame'])}): {row['route']}."
        )

    yield t["statement"].is_in(["loose source route", "strict source route"]), says


@trouble("note", "refused by ICMP")
def tcp_unreachable(t: pl.DataFrame) -> Found:
    """An ICMP error about a TCP connection. What it did to the connection is told there."""

    def says(row: dict[str, Any]) -> str:
        return f"{_said(row)} says{_times(row)}: {row['meaning']}, about {_path(row)}, TCP stream {row['stream']}."

    yield t["statement"].is_in(["unreachable", "time exceeded"]) & (t["protocol"] == "TCP") & t["stream"].is_not_null(), says


@trouble("warn", "unreachable")
def unreachable(t: pl.DataFrame) -> Found:
    """A router or the host itself could not, or would not, deliver (RFC 792, RFC 4443 §3.1). From the host: nobody listens on the
    port, or it does not speak the protocol. From a router: no route, no answer to its ARP, or a filter that says so."""

    def says(row: dict[str, Any]) -> str:
        who = "The host itself" if row["by"] == row["destination"] else "Router"
        about = f"{row['protocol']} " if row["protocol"] else ""
        stream = "" if row["stream"] is None else f" (stream {row['stream']})"
        return f"{who} {_said(row)} says{_times(row)}: {row['meaning']}, about {about}{_path(row)}{stream}."

    yield t["statement"] == "unreachable", says


@trouble("warn", "time exceeded")
def expired(t: pl.DataFrame) -> Found:
    """A datagram that is no probe of a traceroute was dropped: its time to live ran out in a loop or on too long a way (RFC 792), or
    pieces of it did not arrive in time (code 1)."""

    def says(row: dict[str, Any]) -> str:
        return f"{_said(row)} dropped{_times(row)} datagrams {_path(row)}: {row['meaning']}."

    yield t["statement"] == "time exceeded", says


@trouble("warn", "parameter problem")
def parameter(t: pl.DataFrame) -> Found:
    """A header that a router or host could not make sense of (RFC 792, RFC 4443 §3.4): a broken sender, or an unknown option."""

    def says(row: dict[str, Any]) -> str:
        return f"{_said(row)} found{_times(row)} a fault in headers of {_path(row)}: {row['meaning']}."

    yield t["statement"] == "parameter problem", says


@trouble("note", "redirected")
def redirected(t: pl.DataFrame) -> Found:
    """A router named a better first hop (RFC 792). Told once and obeyed it is as it should be; a forged one steals traffic, so look
    whether the gateway is yours."""

    def says(row: dict[str, Any]) -> str:
        after = "" if row["obeyed_frame"] is None else f"; obeyed in frame {row['obeyed_frame']}"
        if row["ignored"]:
            after = f"; {count(row['ignored'], 'datagram')} more went the old way{after}"
        return f"{_said(row)} tells {row['recipient']} a better way to {row['destination']}: {row['gateway']}{after}."

    yield t["statement"] == "redirect", says


@trouble("note", "path MTU")
def too_big(t: pl.DataFrame) -> Found:
    """A link on the way takes less than the sender sent, and a router says how much (RFC 1191, RFC 8201)."""

    def says(row: dict[str, Any]) -> str:
        after = "" if row["obeyed_frame"] is None else f"; obeyed in frame {row['obeyed_frame']}"
        size = f"{row['mtu']} bytes" if row["mtu"] else "no size"
        return f"{_said(row)} gives{_times(row)} {size} as the path MTU for {_path(row)}{after}."

    yield t["statement"] == "too big", says


@trouble("note", "source quench")
def quench(t: pl.DataFrame) -> Found:
    """Asks the sender to slow down. Nobody sends or heeds it today (RFC 6633)."""

    def says(row: dict[str, Any]) -> str:
        return f"{_said(row)} asks {row['recipient']}{_times(row)} to send slower to {row['destination']}."

    yield t["statement"] == "source quench", says


@trouble("chat", "hop")
def hop(t: pl.DataFrame) -> Found:
    """A router that a traceroute found, or a time to live whose probes nobody answered: many routers do not, or seldom."""

    def says(row: dict[str, Any]) -> str:
        trace = f"traceroute {row['source']} → {row['destination']} ({row['protocol']})"
        if row["by"] is None:
            return f"Hop {row['hop']} of {trace}: no answer to {count(row['probes'], 'probe')}."
        took = "" if row["fastest"] is None else f" in {span(row['fastest'].total_seconds() * 1e9)}"
        return f"Hop {row['hop']} of {trace}: {row['by']}{took}, {row['meaning']}."

    yield t["statement"] == "hop", says
