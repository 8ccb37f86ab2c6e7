"""A row is a statement about a path: a hop of a traceroute, a redirect, an unreachable destination, a path MTU, a loop, a source route."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from ..capture import Source
from ..dissection import Dissection
from ..expert import evaluate
from ..fields import Field, flag, seconds, text, time, u8, u16, u32, u64
from . import Table
from ._columns import dtype_of
from ._icmp_messages import ERRORS, NEEDS, REDIRECT, IcmpMessage, icmp_messages
from ._ip_datagrams import Address, IpDatagrams, address_texts, address_words, frame_time, hashed, ip_datagrams
from ._loops import LoopDetector, Passage
from ._traceroutes import Traceroutes, protocol_name

MOST = 100_000  # statements that are held until the trace ends
WATCHED = 10_000  # redirects and MTUs for which it is watched whether senders obey
FULL = 60  # bytes below an MTU that a sender who obeys may leave, for options
TOO_BIG = {("icmp", 3, 4), ("icmpv6", 2, 0)}
STATEMENT = {
    ("icmp", 3): "unreachable",
    ("icmp", 4): "source quench",
    ("icmp", 5): "redirect",
    ("icmp", 11): "time exceeded",
    ("icmp", 12): "parameter problem",
    ("icmpv6", 1): "unreachable",
    ("icmpv6", 2): "too big",
    ("icmpv6", 3): "time exceeded",
    ("icmpv6", 4): "parameter problem",
    ("icmpv6", 137): "redirect",
}
ROUTES = {7: "record route", 131: "loose source route", 137: "strict source route"}


@dataclass(slots=True, eq=False)
class Statement:
    """What the frames of one row state; SAME lists its columns. ends: source and destination of the datagrams that it is about. ttl: first
    and last of a loop. ignored: datagrams that do not obey. traced: messages that answer probes of a traceroute. kept: whether the display
    filter shows one of its frames. ignored_frame, obeyed_frame: 0 for none."""

    statement: str
    ends: tuple[Address, Address]
    proto: int | None
    first_frame: int
    last_frame: int
    time: int | None  # ns
    messages: int = 0
    by: Address = None
    recipient: Address = None
    gateway: Address = None
    ports: tuple[int | None, int | None] = (None, None)
    stream: int | None = None
    type: int | None = None
    code: int | None = None
    mtu: int | None = None
    meaning: str | None = None
    route: str | None = None
    ttl: tuple[int | None, int | None] = (None, None)
    ignored: int = 0
    ignored_frame: int = 0
    obeyed_frame: int = 0
    traced: int = 0
    kept: bool = False
    evicted_row: int | None = None  # in the batch in which it was written early

    def add(self, frame: int, kept: bool) -> None:
        self.messages, self.last_frame, self.kept = self.messages + 1, frame, self.kept | kept


class _Watch(NamedTuple):
    """A message whose obeying is watched. links: MAC addresses of its recipient and of the hop to be left. mtu: bytes, 0: a redirect."""

    statement: Statement
    links: tuple[int, int]
    mtu: int


class TABLE(Table):
    name = "routes"
    description = (
        "a statement about a path: hop of a traceroute, redirect, unreachable, path MTU, loop, source route; whether it was obeyed"
    )
    columns = (
        Field(
            "statement", text, "Statement", "hop, redirect, unreachable, too big, time exceeded, parameter problem, loop, record route, …"
        ),
        Field("first_frame", u64, "First frame", "of a hop that of its first probe"),
        Field("last_frame", u64, "Last frame"),
        Field("time", time, "Time", "of the first frame"),
        Field("messages", u32, "Messages", "that state it; of a hop: probes that it answered; of a loop or route: datagrams"),
        Field("by", text, "Sender", "of the messages; null for a hop that did not answer, a loop and a source route"),
        Field("recipient", text, "Recipient", "of the messages"),
        Field("protocol", text, "Protocol", "of the datagrams that it is about"),
        Field("source", text, "Source", "of these datagrams"),
        Field("source_port", u16, "Source port"),
        Field("destination", text, "Destination"),
        Field("destination_port", u16, "Destination port"),
        Field("stream", u32, "Stream", "tcp.stream or udp.stream of these datagrams"),
        Field("type", u8, "Type", "of the ICMP message"),
        Field("code", u8, "Code"),
        Field("meaning", text, "Meaning"),
        Field("hop", u8, "Hop", "time to live of the probes as seen here"),
        Field("probes", u32, "Probes", "sent with this time to live; those that went further than the target count to the last hop"),
        Field("fastest", seconds, "Fastest answer"),
        Field("slowest", seconds, "Slowest answer"),
        Field("gateway", text, "Gateway", "of a redirect: the better hop"),
        Field("mtu", u32, "MTU", "of the next hop, bytes"),
        Field("obeyed", flag, "Obeyed", "null: no later datagram shows it"),
        Field("obeyed_frame", u64, "Obeyed in frame", "first datagram to another hop, or of about the MTU's size"),
        Field("ignored", u32, "Ignored by", "datagrams to the old hop, or larger than the MTU, after the first message"),
        Field("ignored_frame", u64, "Last ignoring frame"),
        Field("ttl_first", u8, "First time to live", "of a loop"),
        Field("ttl_last", u8, "Last time to live"),
        Field("route", text, "Route", "addresses that a record or source route lists, then →, then the stops that are still ahead"),
        Field("severity", text, "Severity", "of the verdict: error, warn, note, chat"),
        Field("kind", text, "Kind of verdict", "`analyze fields routes` lists them"),
        Field("verdict", text, "Verdict", "one sentence, with frames"),
    )
    needs = NEEDS

    def __init__(self) -> None:
        self._statements: dict[tuple, Statement] = {}  # in the order of their frames
        self._watches: dict[str, dict[int, _Watch]] = {"redirect": {}, "mtu": {}}
        self._loops = LoopDetector()
        self._traceroutes = Traceroutes()
        self._final: list[Statement] = []  # written early in this batch
        self.evicted = 0

    def feed(self, d: Dissection) -> pl.DataFrame | None:
        whole = d.unfiltered or d
        datagrams = ip_datagrams(whole)
        messages = icmp_messages(d)
        self._final = []
        reported: list[tuple[IcmpMessage, Statement]] = []
        events: list[tuple[int, Callable[[], None]]] = [
            (m.row, partial(self._add_message, m, reported)) for m in messages if _about_path(m)
        ]
        events += [(passage.row, partial(self._add_passage, passage)) for passage in self._loops.feed(d, datagrams)]
        events += [(route[0], partial(self._add_route, *route)) for route in _option_routes(d, whole)]
        for _, add in sorted(events, key=itemgetter(0)):
            add()
        self._watch_senders(d, datagrams, reported)
        self._traceroutes.feed(d, datagrams, reported, messages)
        return self._rows([_row(one) for one in self._final if one.kept]) if self._final else None

    def _statement(self, key: tuple, row: int, ends: tuple[Address, Address], proto: int | None, frame: int, when: int | None) -> Statement:
        """The statement with that key, made if it is new; the oldest is evicted for it if need be. row, frame, when: of the event."""
        statement = self._statements.get(key)
        if statement is None:
            if len(self._statements) >= MOST:
                oldest = self._statements.pop(next(iter(self._statements)))
                oldest.evicted_row = row
                self._final.append(oldest)
                self.evicted += 1
            statement = self._statements[key] = Statement(key[0], ends, proto, frame, frame, when)
        return statement

    def _add_message(self, m: IcmpMessage, reported: list[tuple[IcmpMessage, Statement]]) -> None:
        q = m.quoted
        ends = (q.source if q else m.destination, m.target)
        name = "too big" if (m.protocol, m.kind, m.code) in TOO_BIG else STATEMENT[m.protocol, m.kind]
        proto, ports, stream = (q.proto, q.ports, q.stream) if q and name != "redirect" else (None, None, None)
        key = (name, m.source, m.destination, *ends, proto, ports, stream, m.kind, m.code, m.mtu, m.gateway)
        statement = self._statement(key, m.row, ends, proto, m.frame, m.time)
        if not statement.messages:
            statement.by, statement.recipient, statement.gateway = m.source, m.destination, m.gateway
            statement.ports, statement.stream = ports or (None, None), stream
            statement.type, statement.code, statement.meaning = m.kind, m.code, m.meaning
            statement.mtu = m.mtu if m.mtu >= 0 else None
        statement.add(m.frame, m.kept)
        reported.append((m, statement))

    def _add_passage(self, p: Passage) -> None:
        key = ("loop", p.protocol, p.source, p.destination)
        loop = self._statement(key, p.row, (p.source, p.destination), p.protocol, p.first_frame, p.time)
        first, last = loop.ttl
        loop.ttl = (p.first_ttl if first is None else max(first, p.first_ttl), p.ttl if last is None else min(last, p.ttl))
        loop.first_frame = min(loop.first_frame, p.first_frame)
        loop.messages, loop.last_frame, loop.kept = loop.messages + p.new, max(loop.last_frame, p.frame), loop.kept | p.kept

    def _add_route(self, row: int, key: tuple[str, int, int, str], frame: int, when: int | None, kept: bool) -> None:
        statement = self._statement(key, row, key[1:3], None, frame, when)
        statement.route = key[3].strip()
        statement.add(frame, kept)

    # ---------------------------------------------------------------- who obeys

    def _watch_senders(self, d: Dissection, datagrams: IpDatagrams, reported: list[tuple[IcmpMessage, Statement]]) -> None:
        """Check whether the datagrams of a batch obey earlier redirects and MTUs, and watch for those that its messages report."""
        redirects = [(m, one) for m, one in reported if one.statement == "redirect"]
        sizes = [(m, one) for m, one in reported if one.statement == "too big" and m.mtu > 0 and m.quoted is not None]
        for which, new in (("redirect", redirects), ("mtu", sizes)):
            if not self._watches[which] and not new:
                continue
            ends = np.array([address_words(*one.ends) for _, one in new], np.uint64).reshape(-1, 4)
            if which == "redirect":
                keys, flows = hashed(ends), hashed(datagrams.ends)
            else:
                quotes = [m.quoted for m, _ in new if m.quoted is not None]
                numbers = np.array([(q.proto, q.flow_id if q.ports else 0) for q in quotes], np.int64).reshape(-1, 2)
                keys = hashed(ends, *numbers.T)
                ported = np.isin(datagrams.proto, (6, 17)) & (datagrams.offset == 0)
                flows = hashed(datagrams.ends, datagrams.proto, np.where(ported, datagrams.flow_id, 0))
            self._watch(which, d, datagrams, flows, [(key, m, one) for (m, one), key in zip(new, keys.tolist(), strict=True)])

    def _watch(
        self, which: str, d: Dissection, datagrams: IpDatagrams, flows: np.ndarray, new: list[tuple[int, IcmpMessage, Statement]]
    ) -> None:
        """flows: the hash of each datagram by which `watches` has its flow. new: hash of the flow that a message is about."""
        watches = self._watches[which]
        watched = np.array([*watches, *{key for key, _, _ in new}], np.uint64)
        at = np.flatnonzero(np.isin(flows, watched))
        at = at[np.argsort(flows[at], kind="stable")]
        used, first = np.unique(flows[at], return_index=True)
        flow = {key: (part, datagrams.row[part]) for key, part in zip(used.tolist(), np.split(at, first)[1:], strict=True)}
        done = dict.fromkeys(flow, 0)

        def check(key: int, row: int) -> None:
            """Check the datagrams of a flow before that row of the batch, if it is watched."""
            if key in flow:
                part, frames = flow[key]
                begin, done[key] = done[key], int(np.searchsorted(frames, row))
                if key in watches and done[key] > begin:
                    _check(watches[key], d, datagrams, part[begin : done[key]])

        for key, m, statement in new:
            check(key, m.row)
            before = watches.pop(key, None)
            if before is None and len(watches) >= WATCHED:
                oldest = next(iter(watches))
                check(oldest, m.row)
                del watches[oldest]
            links = (int(datagrams.links.destination[m.row]), int(datagrams.links.source[m.row]))
            if which == "redirect" and links[0] < 0:
                continue
            watches[key] = _Watch(statement, links, m.mtu if which == "mtu" else 0)
        for key in flow:
            check(key, len(d))

    # ---------------------------------------------------------------- rows

    def finish(self, sources: list[Source], others: dict[str, pl.DataFrame]) -> pl.DataFrame | None:
        hops = self._traceroutes.hops(self._loops.looping)
        return self._rows([*hops, *(_row(one) for one in self._statements.values() if one.kept and one.traced < one.messages)])

    @property
    def notes(self) -> list[str]:
        if not self.evicted:
            return []
        return [f"{self.evicted:,} statements about paths, the oldest, were written before the trace ended, to hold {MOST:,} at the most"]

    def _rows(self, rows: list[dict[str, Any]]) -> pl.DataFrame | None:
        if not rows:
            return None
        rows.sort(key=lambda row: (row["first_frame"], row.get("hop") or 0, row["last_frame"]))
        columns = {}
        for f in self.columns[:-3]:
            values: list[Any] = [row.get(f.name) for row in rows]
            if f.name in ("by", "recipient", "source", "destination", "gateway"):
                columns[f.name] = address_texts(values)
            else:
                columns[f.name] = pl.Series(f.name, values, dtype=dtype_of(f))
        table = pl.DataFrame(columns)
        verdicts = evaluate(table, "routes")
        return table.with_columns(pl.Series(f.name, column, dtype=pl.String) for f, column in zip(self.columns[-3:], verdicts, strict=True))


def _about_path(m: IcmpMessage) -> bool:
    """Whether a message states something about a path."""
    return m.kind == REDIRECT[m.protocol] or (m.kind in ERRORS[m.protocol] and m.quoted is not None)


SAME = ("statement", "first_frame", "last_frame", "time", "messages", "by", "recipient", "stream", "type", "code", "meaning", "gateway",
        "mtu", "route")  # fmt: skip


def _row(one: Statement) -> dict[str, Any]:
    """A statement as a row; columns that are left out are null."""
    return {
        **{name: getattr(one, name) for name in SAME},
        "protocol": protocol_name(one.proto),
        **dict(zip(("source", "destination"), one.ends, strict=True)),
        **dict(zip(("source_port", "destination_port"), one.ports, strict=True)),
        **dict(zip(("ttl_first", "ttl_last"), one.ttl, strict=True)),
        "obeyed": True if one.obeyed_frame else False if one.ignored else None,
        "obeyed_frame": one.obeyed_frame or None,
        "ignored": one.ignored if one.statement in ("redirect", "too big") else None,
        "ignored_frame": one.ignored_frame or None,
    }


def _check(watch: _Watch, d: Dissection, datagrams: IpDatagrams, rows: np.ndarray) -> None:
    """Count the datagrams of a watched flow that ignore its message, and note the first after them that obeys it."""
    one = watch.statement
    if one.evicted_row is not None:
        rows = rows[datagrams.row[rows] < one.evicted_row]
    if watch.mtu:
        size, whole = datagrams.size[rows], datagrams.whole[rows]
        ignores = (size > watch.mtu) & whole
        obeys = np.where(size > watch.mtu, ~whole, size > watch.mtu - FULL)
    else:
        frames = datagrams.row[rows]
        own = datagrams.links.source[frames] == watch.links[0]
        old = datagrams.links.destination[frames] == watch.links[1]
        ignores, obeys = own & old, own & ~old
    numbers = datagrams.row[rows] + d.batch.first
    if ignores.any():
        one.ignored += int(ignores.sum())
        one.ignored_frame, one.obeyed_frame = int(numbers[ignores][-1]), 0
        obeys &= numbers > one.ignored_frame
    if not one.obeyed_frame and obeys.any():
        one.obeyed_frame = int(numbers[obeys][0])


def _option_routes(d: Dissection, whole: Dissection) -> Iterator[tuple[int, tuple[str, int, int, str], int, int | None, bool]]:
    """The datagrams with a record route or source route option that lists addresses: row in the batch; statement, source, destination and
    route; frame; time; whether the display filter shows it."""
    for h in whole.chunks.get("ip", ()):
        if not (h["ip.hdr_len"] > h.layout.size).any():
            continue
        kinds, rows = h.column("ip.opt.type")
        assert rows is not None
        there = np.isin(kinds, list(ROUTES)) & ~h.quoted[rows]
        listed: dict[int, dict[str, list[str | None]]] = {}
        ends: dict[int, int] = {}
        for name in ("ip.rec_rt", "ip.src_rt", "ip.src_rt_end"):
            values, at = h.column(name)
            assert at is not None
            if name == "ip.src_rt_end":
                ends = dict(zip(at.tolist(), values.tolist(), strict=True))
            for row, address in zip(at.tolist(), address_texts(values.tolist()).to_list(), strict=True):
                listed.setdefault(row, {}).setdefault(name, []).append(address)
        for kind, row in zip(kinds[there].tolist(), rows[there].tolist(), strict=True):
            addresses = listed.get(row, {})
            past, ahead = addresses.get("ip.rec_rt", []), [*addresses.get("ip.src_rt", []), *addresses.get("ip.src_rt_end", [])]
            if not past and not ahead:
                continue
            route = ", ".join(map(str, past)) + (" → " + ", ".join(map(str, ahead)) if ahead else "")
            frame = int(h.frame[row])
            key = (ROUTES[kind], int(h["ip.src"][row]), ends.get(row, int(h["ip.dst"][row])), route)
            yield frame, key, frame + d.batch.first, frame_time(d, frame), d.kept is None or bool(d.kept[frame])
