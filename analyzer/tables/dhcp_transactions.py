"""A row is what a client asked of DHCP, and what came of it: offers, the address, its server and time, or why there is none."""

from __future__ import annotations

import polars as pl

from ..capture import Source
from ..correlators.dhcp_matching import ASKS, VERSIONS, Lease, leases
from ..dissection import Dissection
from ..fields import Field, seconds, text, time, u32, u64
from ..protocols import dhcp, dhcpv6
from . import Table
from ._columns import dtype_of

MOST = 100_000  # transactions that are held until the trace ends
PATIENCE = 300_000_000_000  # ns: the same number later than this is another transaction; RFC 2131 §4.1: clients wait a minute or so
QUESTIONS = {
    ("dhcp", 0): "BOOTP",
    ("dhcp", dhcp.DISCOVER): "address",
    ("dhcp", dhcp.INFORM): "settings",
    ("dhcp", dhcp.RELEASE): "release",
    ("dhcp", dhcp.DECLINE): "decline",
    ("dhcpv6", dhcpv6.SOLICIT): "servers",
    ("dhcpv6", dhcpv6.REQUEST): "address",
    ("dhcpv6", dhcpv6.CONFIRM): "confirmation",
    ("dhcpv6", dhcpv6.RENEW): "renewal",
    ("dhcpv6", dhcpv6.REBIND): "rebinding",
    ("dhcpv6", dhcpv6.RELEASE): "release",
    ("dhcpv6", dhcpv6.DECLINE): "decline",
    ("dhcpv6", dhcpv6.INFORM): "settings",
}
OUTPUT = {"release": "released", "decline": "declined"}  # what wants no answer, or is none the worse without
OFFERS = {"dhcp": (dhcp.OFFER,), "dhcpv6": (dhcpv6.ADVERTISE,)}
FINAL = {"dhcp": (dhcp.ACK, dhcp.NAK), "dhcpv6": (dhcpv6.REPLY,)}
BROADCAST = "255.255.255.255"


class _Transaction:
    """Messages of one client with one number."""

    __slots__ = ("answer", "asked", "asks", "first", "kept", "last", "messages", "offers", "repeats", "request", "seen", "servers")

    def __init__(self, first: Lease) -> None:
        self.first = first
        self.asked: Lease | None = None
        self.asks: str | None = None
        self.request: Lease | None = None
        self.answer: Lease | None = None
        self.offers: list[Lease] = []
        self.servers: dict[str, None] = {}
        self.seen: set[tuple[int, int]] = set()  # kinds of questions, and how often they were relayed
        self.messages = self.repeats = 0
        self.kept = False
        self.last = first.time

    def ask(self, m: Lease) -> None:
        """A message of the client."""
        if self.asked is None:
            self.asked, self.asks = m, _question(m)
        elif m.version == "dhcp" and m.kind == dhcp.REQUEST and self.request is None and self.asked.kind == dhcp.DISCOVER:
            self.request = m
        elif (m.kind, m.hops) in self.seen:
            self.repeats += 1
        self.seen.add((m.kind, m.hops))

    def hear(self, m: Lease) -> None:
        """A message of a server."""
        if m.server is not None:
            self.servers[m.server] = None
        if m.kind in OFFERS[m.version]:
            if not any(one.server == m.server and one.all == m.all for one in self.offers):
                self.offers.append(m)
        elif self.answer is None:
            self.answer = m

    def goes_on(self, m: Lease) -> bool:
        """Whether a message of the client belongs here: it asks again, or takes what was offered."""
        if self.answer is not None or self.asked is None or _late(self.last, m.time):
            return False
        return m.kind == (self.request or self.asked).kind or (m.kind in (dhcp.DISCOVER, dhcp.REQUEST) and self.asked.kind == dhcp.DISCOVER)


class TABLE(Table):
    name = "dhcp_transactions"
    description = "what a client asked of DHCP (v4 or v6): offers, the address it got, server, lease, times, outcome"
    columns = (
        Field("protocol", text, "Protocol", "dhcp or dhcpv6"),
        Field("vlan", text, "VLAN", "numbers of the tags of the first frame, outermost first"),
        Field("client", text, "Client", "its hardware address; of DHCPv6 its DUID"),
        Field("transaction", u32, "Transaction", "the client's random number", hex=8),
        Field("hostname", text, "Host name", "that the client gives"),
        Field("asks", text, "Asks for", "address, reboot (the address it had), renewal, rebinding, confirmation, settings, "
              "release, decline; DHCPv6: servers, with a number of its own"),
        Field("frame", u64, "First frame"),
        Field("time", time, "Time of the first frame"),
        Field("duration", seconds, "Duration", "first to last message"),
        Field("messages", u32, "Messages"),
        Field("repeats", u32, "Asked again", "questions of the client that were not new"),
        Field("requested", text, "Requested", "the address that the client asks for, or has"),
        Field("offers", u32, "Offers", "different ones"),
        Field("offered", text, "Offered", "addresses and prefixes", many=True),
        Field("servers", text, "Servers", "that offered or answered", many=True),
        Field("offer_frame", u64, "Frame of the first offer"),
        Field("offer_time", seconds, "Time to the first offer", "from the first question"),
        Field("request_frame", u64, "Frame of the request", "that takes an offer"),
        Field("answer_frame", u64, "Frame of the answer", "ACK, NAK or reply"),
        Field("answer_time", seconds, "Time to the answer", "from the request, or the only question"),
        Field("address", text, "Address given", many=True),
        Field("server", text, "Server", "that gave it, or refused: its identifier; of DHCPv6 its DUID"),
        Field("lease", u32, "Lease", "seconds; of several the shortest"),
        Field("relay", text, "Relay agent", "of the last message that one relayed"),
        Field("outcome", text, "Outcome", "given, renewed, told (settings), refused, offered (nothing taken), no answer, "
              "no answer to the request, released, declined, not asked (only an answer is in the capture)"),
        Field("said", text, "Said", "the server's words: a NAK's message, DHCPv6's status"),
    )  # fmt: skip
    needs = frozenset({"dhcp.option.dhcp", "dhcpv6.msgtype"})

    def __init__(self) -> None:
        self._held: dict[_Transaction, None] = {}  # in the order of their frames
        self._latest: dict[tuple, _Transaction] = {}
        self.given_up = 0

    def feed(self, d: Dissection) -> pl.DataFrame | None:
        whole = d.unfiltered or d
        final: list[_Transaction] = []
        for m in leased(whole):
            t = self._latest.get(m.key)
            if m.answers:
                t = self._begin(m, final) if t is None or _late(t.last, m.time) else t
                t.hear(m)
            else:
                t = t if t is not None and t.goes_on(m) else self._begin(m, final)
                t.ask(m)
            t.messages += 1
            t.last = m.time if m.time is not None else t.last
            t.kept |= d.kept is None or bool(d.kept[m.at])
            t.first = t.first._replace(relay=m.relay or t.first.relay, hostname=t.first.hostname or m.hostname)
        return self._rows(final) if final else None

    def _begin(self, m: Lease, final: list[_Transaction]) -> _Transaction:
        if len(self._held) >= MOST:
            oldest = next(iter(self._held))
            del self._held[oldest]
            final.append(oldest)
            self.given_up += 1
            if self._latest.get(oldest.first.key) is oldest:
                del self._latest[oldest.first.key]
        t = self._latest[m.key] = _Transaction(m)
        self._held[t] = None
        return t

    def finish(self, sources: list[Source], others: dict[str, pl.DataFrame]) -> pl.DataFrame | None:
        return self._rows(list(self._held))

    @property
    def notes(self) -> list[str]:
        if not self.given_up:
            return []
        return [f"{self.given_up:,} transactions of DHCP, the oldest, were written before the trace ended, to hold {MOST:,} at the most"]

    def _rows(self, held: list[_Transaction]) -> pl.DataFrame | None:
        rows = [_row(one) for one in held if one.kept]
        if not rows:
            return None
        columns = zip(self.columns, zip(*rows, strict=True), strict=True)
        return pl.DataFrame([pl.Series(f.name, values, dtype=dtype_of(f)) for f, values in columns])


def _late(last: int | None, now: int | None) -> bool:
    return last is not None and now is not None and now - last > PATIENCE


def _question(m: Lease) -> str | None:
    """What a client wants by its first message. RFC 2131 §4.3.2 tells requests apart."""
    if m.version == "dhcp" and m.kind == dhcp.REQUEST:
        if m.own is None:
            return "reboot" if m.server is None else "address"
        return "rebinding" if m.destination == BROADCAST or m.relay else "renewal"
    return QUESTIONS.get((m.version, m.kind))


def _outcome(t: _Transaction) -> str:
    answer = t.answer
    if t.asked is None:
        return "not asked"
    if answer is not None:
        if t.asks in OUTPUT:
            return OUTPUT[t.asks]
        if answer.status:
            return "refused"
        if t.asks in ("renewal", "rebinding"):
            return "renewed"
        return "given" if answer.all else "told"
    if t.asks in OUTPUT:
        return OUTPUT[t.asks]
    if t.request is not None and t.offers:
        return "no answer to the request"
    if t.offers:
        return "offered"
    return "no answer" if t.asked.kind in ASKS[t.asked.version] else "told"


def _between(then: Lease | None, now: Lease | None) -> int | None:
    return now.time - then.time if then is not None and now is not None and then.time is not None and now.time is not None else None


def _row(t: _Transaction) -> tuple:
    first, asked, answer = t.first, t.asked, t.answer
    offer = t.offers[0] if t.offers else None
    request = t.request or asked
    wants = [one for one in (t.request, asked) if one is not None]
    server = answer.server if answer is not None else None
    return (
        first.version,
        ".".join(map(str, first.networks)) or None,
        (first.client.hex(":") if first.version == "dhcp" else first.client.hex()) or None,
        first.xid,
        first.hostname,
        t.asks,
        first.frame,
        first.time,
        t.last - first.time if t.last is not None and first.time is not None else None,
        t.messages,
        t.repeats,
        next((one.requested or one.own for one in wants if one.requested or one.own), None),
        len(t.offers),
        [address for one in t.offers for address in one.all],
        list(t.servers),
        offer.frame if offer else None,
        _between(asked, offer),
        t.request.frame if t.request else None,
        answer.frame if answer else None,
        _between(request, answer),
        list(answer.all) if answer and not answer.status else [],
        server,
        answer.lease if answer and not answer.status else None,
        first.relay,
        _outcome(t),
        answer.message if answer else None,
    )


def leased(d: Dissection) -> list[Lease]:
    """The messages of DHCP in a batch, in the order of their frames."""
    if "leased" not in d.shared:
        found = [one for version in VERSIONS for one in leases(version, d.chunks.get(version, []), d.batch)]
        d.shared["leased"] = sorted(found, key=lambda one: one.at)
    made: list[Lease] = d.shared["leased"]
    return made
