"""A row is a DHCP transaction of a client: question, offers, answer, lease, outcome. RFC 2131, RFC 9915."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from ..capture import Source
from ..correlators.dhcp_matching import ASKS, VERSIONS, Lease, leases
from ..dissection import Dissection
from ..fields import Field, seconds, text, time, u32, u64
from ..protocols import dhcp, dhcpv6
from . import Table
from ._columns import dtype_of

MAX_PENDING = 100_000  # transactions that are kept until the trace ends
TIMEOUT = 300_000_000_000  # ns after which the same number is another transaction; RFC 2131 §4.1: clients retry for a minute or so
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
UNANSWERED = {"release": "released", "decline": "declined"}  # questions whose outcome does not depend on an answer
OFFERS = {"dhcp": (dhcp.OFFER,), "dhcpv6": (dhcpv6.ADVERTISE,)}
BROADCAST = "255.255.255.255"


class _Transaction:
    """Messages of one client with one transaction number. first: its first message, with relay and host name of later ones."""

    __slots__ = (
        "answer", "asks", "first", "kept", "last_time", "messages", "offers", "question", "repeats", "request", "seen", "servers",
    )  # fmt: skip

    def __init__(self, first: Lease) -> None:
        self.first = first
        self.question: Lease | None = None  # the first message of the client
        self.asks: str | None = None
        self.request: Lease | None = None  # the REQUEST after a DISCOVER
        self.answer: Lease | None = None
        self.offers: list[Lease] = []
        self.servers: dict[str, None] = {}
        self.seen: set[tuple[int, int]] = set()  # (kind, hops) of the client's messages
        self.messages = self.repeats = 0
        self.kept = False
        self.last_time = first.time

    def add_question(self, m: Lease) -> None:
        """Add a message of the client."""
        if self.question is None:
            self.question, self.asks = m, _asks(m)
        elif m.version == "dhcp" and m.kind == dhcp.REQUEST and self.request is None and self.question.kind == dhcp.DISCOVER:
            self.request = m
        elif (m.kind, m.hops) in self.seen:
            self.repeats += 1
        self.seen.add((m.kind, m.hops))

    def add_answer(self, m: Lease) -> None:
        """Add a message of a server."""
        if m.server is not None:
            self.servers[m.server] = None
        if m.kind in OFFERS[m.version]:
            if not any(offer.server == m.server and offer.all == m.all for offer in self.offers):
                self.offers.append(m)
        elif self.answer is None:
            self.answer = m

    def continued_by(self, m: Lease) -> bool:
        """Whether a message of the client belongs to this transaction: it repeats a question or accepts an offer."""
        if self.answer is not None or self.question is None or self.expired(m.time):
            return False
        discover = self.question.kind == dhcp.DISCOVER
        return m.kind == (self.request or self.question).kind or (m.kind in (dhcp.DISCOVER, dhcp.REQUEST) and discover)

    def expired(self, now: int | None) -> bool:
        return self.last_time is not None and now is not None and now - self.last_time > TIMEOUT

    @property
    def vlan(self) -> str | None:
        return ".".join(map(str, self.first.networks)) or None

    @property
    def client(self) -> str | None:
        return (self.first.client.hex(":") if self.first.version == "dhcp" else self.first.client.hex()) or None

    @property
    def duration(self) -> int | None:
        return self.last_time - self.first.time if self.last_time is not None and self.first.time is not None else None

    @property
    def requested(self) -> str | None:
        """The address in the request, else in the question."""
        return next((address for m in (self.request, self.question) if m and (address := m.requested or m.own)), None)

    @property
    def first_offer(self) -> Lease | None:
        return self.offers[0] if self.offers else None

    @property
    def lease(self) -> Lease | None:
        """The answer, unless it refuses."""
        return self.answer if self.answer and not self.answer.status else None

    @property
    def outcome(self) -> str:
        if self.question is None:
            return "not asked"
        if self.asks in UNANSWERED:
            return UNANSWERED[self.asks]
        if self.answer is not None:
            if self.answer.status:
                return "refused"
            if self.asks in ("renewal", "rebinding"):
                return "renewed"
            return "given" if self.answer.all else "informed"
        if self.offers:
            return "offered" if self.request is None else "no answer to the request"
        return "no answer" if self.question.kind in ASKS[self.question.version] else "informed"


_COLUMNS: tuple[tuple[Field, Callable[[_Transaction], object]], ...] = (
    (Field("protocol", text, "Protocol", "dhcp or dhcpv6"), lambda t: t.first.version),
    (Field("vlan", text, "VLAN", "numbers of the tags of the first frame, outermost first"), lambda t: t.vlan),
    (Field("client", text, "Client", "its hardware address; of DHCPv6 its DUID"), lambda t: t.client),
    (Field("transaction", u32, "Transaction", "the client's random number", hex=8), lambda t: t.first.xid),
    (Field("hostname", text, "Host name", "that the client gives"), lambda t: t.first.hostname),
    (Field("asks", text, "Asks for", "address, reboot (the address it had), renewal, rebinding, confirmation, settings, "
           "release, decline; DHCPv6: servers, with a number of its own"), lambda t: t.asks),
    (Field("frame", u64, "First frame"), lambda t: t.first.frame),
    (Field("time", time, "Time of the first frame"), lambda t: t.first.time),
    (Field("duration", seconds, "Duration", "first to last message"), lambda t: t.duration),
    (Field("messages", u32, "Messages"), lambda t: t.messages),
    (Field("repeats", u32, "Asked again", "questions of the client that were not new"), lambda t: t.repeats),
    (Field("requested", text, "Requested", "the address that the client asks for, or has"), lambda t: t.requested),
    (Field("offers", u32, "Offers", "different ones"), lambda t: len(t.offers)),
    (Field("offered", text, "Offered", "addresses and prefixes", many=True), lambda t: [a for offer in t.offers for a in offer.all]),
    (Field("servers", text, "Servers", "that offered or answered", many=True), lambda t: list(t.servers)),
    (Field("offer_frame", u64, "Frame of the first offer"), lambda t: t.first_offer and t.first_offer.frame),
    (Field("offer_time", seconds, "Time to the first offer", "from the first question"), lambda t: _between(t.question, t.first_offer)),
    (Field("request_frame", u64, "Frame of the request", "that takes an offer"), lambda t: t.request and t.request.frame),
    (Field("answer_frame", u64, "Frame of the answer", "ACK, NAK or reply"), lambda t: t.answer and t.answer.frame),
    (Field("answer_time", seconds, "Time to the answer", "from the request, or the only question"),
     lambda t: _between(t.request or t.question, t.answer)),
    (Field("address", text, "Address given", many=True), lambda t: list(t.lease.all) if t.lease else []),
    (Field("server", text, "Server", "that gave it, or refused: its identifier; of DHCPv6 its DUID"),
     lambda t: t.answer and t.answer.server),
    (Field("lease", u32, "Lease", "seconds; of several the shortest"), lambda t: t.lease and t.lease.lease),
    (Field("relay", text, "Relay agent", "of the last message that one relayed"), lambda t: t.first.relay),
    (Field("outcome", text, "Outcome", "given, renewed, informed (settings), refused, offered (nothing taken), no answer, "
           "no answer to the request, released, declined, not asked (only an answer is in the capture)"), lambda t: t.outcome),
    (Field("status_message", text, "Status message", "of a NAK, of DHCPv6's status"), lambda t: t.answer and t.answer.message),
)  # fmt: skip


class TABLE(Table):
    name = "dhcp_transactions"
    description = "what a client asked of DHCP (v4 or v6): offers, the address it got, server, lease, times, outcome"
    columns = tuple(f for f, _ in _COLUMNS)
    needs = frozenset({"dhcp.option.dhcp", "dhcpv6.msgtype"})

    def __init__(self) -> None:
        self._pending: dict[_Transaction, None] = {}  # in the order of their first frames
        self._latest: dict[tuple, _Transaction] = {}
        self.evicted = 0

    def feed(self, d: Dissection) -> pl.DataFrame | None:
        final: list[_Transaction] = []
        for m in dhcp_messages(d.unfiltered or d):
            t = self._latest.get(m.key)
            if m.answers:
                t = self._start(m, final) if t is None or t.expired(m.time) else t
                t.add_answer(m)
            else:
                t = t if t is not None and t.continued_by(m) else self._start(m, final)
                t.add_question(m)
            t.messages += 1
            t.last_time = m.time if m.time is not None else t.last_time
            t.kept |= d.kept is None or bool(d.kept[m.at])
            t.first = t.first._replace(relay=m.relay or t.first.relay, hostname=t.first.hostname or m.hostname)
        return self._rows(final) if final else None

    def _start(self, m: Lease, final: list[_Transaction]) -> _Transaction:
        if len(self._pending) >= MAX_PENDING:
            oldest = next(iter(self._pending))
            del self._pending[oldest]
            final.append(oldest)
            self.evicted += 1
            if self._latest.get(oldest.first.key) is oldest:
                del self._latest[oldest.first.key]
        t = self._latest[m.key] = _Transaction(m)
        self._pending[t] = None
        return t

    def finish(self, sources: list[Source], others: dict[str, pl.DataFrame]) -> pl.DataFrame | None:
        return self._rows(list(self._pending))

    @property
    def notes(self) -> list[str]:
        if not self.evicted:
            return []
        return [
            f"{self.evicted:,} transactions of DHCP, the oldest, were written before the trace ended, to hold {MAX_PENDING:,} at the most"
        ]

    def _rows(self, transactions: list[_Transaction]) -> pl.DataFrame | None:
        kept = [t for t in transactions if t.kept]
        return pl.DataFrame([pl.Series(f.name, list(map(value, kept)), dtype=dtype_of(f)) for f, value in _COLUMNS]) if kept else None


def _asks(m: Lease) -> str | None:
    """What the first message of a client asks for. RFC 2131 §4.3.2 distinguishes requests."""
    if m.version == "dhcp" and m.kind == dhcp.REQUEST:
        if m.own is None:
            return "reboot" if m.server is None else "address"
        return "rebinding" if m.destination == BROADCAST or m.relay else "renewal"
    return QUESTIONS.get((m.version, m.kind))


def _between(first: Lease | None, second: Lease | None) -> int | None:
    """ns from one message to another; None if one is missing or has no time."""
    return second.time - first.time if first and second and first.time is not None and second.time is not None else None


def dhcp_messages(d: Dissection) -> list[Lease]:
    """The messages of DHCP in a batch, in the order of their frames."""
    if "dhcp_messages" not in d.shared:
        messages = [m for version in VERSIONS for m in leases(version, d.chunks.get(version, []), d.batch)]
        d.shared["dhcp_messages"] = sorted(messages, key=lambda m: m.at)
    result: list[Lease] = d.shared["dhcp_messages"]
    return result
