"""A row is a statement about a path: a hop that a traceroute found, a redirect, what is unreachable or too big, a loop, a route."""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter
from typing import Any

import numpy as np
import polars as pl

from ..capture import Source
from ..conversations import words
from ..dissection import Dissection
from ..expert import evaluate
from ..fields import Field, Headers, flag, seconds, text, time, u8, u16, u32, u64
from ..protocols.common.registries import IPPROTO
from . import Table
from ._columns import dtype_of
from ._messages import ERRORS, NEEDS, REDIRECT, Address, Message, messages, named
from ._seen_set import Earlier
from ._sent import Sent, mixed, pair, sent

MOST = 100_000  # statements that are held until the trace ends
WATCHED = 10_000  # redirects and MTUs whose obeying is watched
PASSED = 1 << 16  # datagrams in which one that passes again is known
LOW = 32  # a greater time to live is no probe's
PROBES = 200_000  # probes that are remembered, and as many answers
FULL = 60  # bytes below an MTU that a sender who obeys may leave, for options
TOO_BIG = {("icmp", 3, 4), ("icmpv6", 2, 0)}
EXPIRED = {("icmp", 11, 0), ("icmpv6", 3, 0)}
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
SYN_ACK, RST = 0x12, 0x04


class _Statement:
    """What was said, how often, and what came of it."""

    __slots__ = (
        "about", "by", "code", "first", "gateway", "ignored", "ignored_frame", "joined", "kept", "kind", "last", "meaning", "mtu",
        "obeyed_frame", "ports", "proto", "route", "statement", "stream", "time", "times", "told", "ttl", "until",
    )  # fmt: skip

    def __init__(self, statement: str, about: tuple[Address, Address], proto: int | None, first: int, when: int | None) -> None:
        self.statement, self.about, self.proto = statement, about, proto
        self.first, self.last, self.time, self.times = first, first, when, 0
        self.by: Address = None
        self.told: Address = None
        self.gateway: Address = None
        self.ports: tuple[int, int] | None = None
        self.stream: int | None = None
        self.kind = self.code = self.mtu = -1
        self.meaning = self.route = ""
        self.ttl: tuple[int, int] | None = None
        self.ignored = self.ignored_frame = self.obeyed_frame = 0
        self.joined = 0  # messages that turned out to answer probes of a traceroute
        self.kept = False
        self.until: int | None = None  # row of its batch at which it was given up

    def seen(self, frame: int, kept: bool) -> None:
        self.times, self.last, self.kept = self.times + 1, frame, self.kept | kept


class _Watch:
    """A message whose obeying is watched. links: MAC addresses of who was told and of the hop to be left; mtu: bytes, 0: a redirect."""

    __slots__ = ("key", "links", "mtu", "statement")

    def __init__(self, key: int, statement: _Statement, links: tuple[int, int], mtu: int) -> None:
        self.key, self.statement, self.links, self.mtu = key, statement, links, mtu


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
        Field("messages", u32, "Messages", "that say so; of a hop probes that it answered; of a loop or route datagrams"),
        Field("by", text, "Said by", "null for a hop that did not answer, and where the datagrams themselves say it"),
        Field("told", text, "Told to"),
        Field("protocol", text, "Protocol", "of the datagrams that it speaks of"),
        Field("source", text, "Source", "of these datagrams"),
        Field("source_port", u16, "Source port"),
        Field("destination", text, "Destination"),
        Field("destination_port", u16, "Destination port"),
        Field("stream", u32, "Stream", "tcp.stream or udp.stream of the very conversation"),
        Field("type", u8, "Type", "of the ICMP message"),
        Field("code", u8, "Code"),
        Field("meaning", text, "Meaning"),
        Field("hop", u8, "Hop", "time to live of the probes as seen here"),
        Field("probes", u32, "Probes", "sent with this time to live; those that went further than the target count to the last hop"),
        Field("fastest", seconds, "Fastest answer"),
        Field("slowest", seconds, "Slowest answer"),
        Field("gateway", text, "Gateway", "of a redirect: the better hop"),
        Field("mtu", u32, "MTU", "of the next hop, bytes"),
        Field("obeyed", flag, "Obeyed", "null: nothing was sent later that tells"),
        Field("obeyed_frame", u64, "Obeyed in frame", "first datagram by way of another hop, or of about the MTU's size"),
        Field("ignored", u32, "Ignored by", "datagrams sent the old way, or larger than the MTU, after the first message"),
        Field("ignored_frame", u64, "Last of them"),
        Field("ttl_first", u8, "First time to live", "of a loop"),
        Field("ttl_last", u8, "Last time to live"),
        Field("route", text, "Route", "addresses that a record or source route lists, then →, then the stops that are still ahead"),
        Field("severity", text, "Severity", "of the verdict: error, warn, note, chat"),
        Field("kind", text, "Kind of verdict", "`analyze fields routes` lists them"),
        Field("verdict", text, "Verdict", "one sentence, with frames"),
    )
    needs = NEEDS

    def __init__(self) -> None:
        self._statements: dict[tuple, _Statement] = {}  # in the order of their frames
        self._watches: dict[str, dict[int, _Watch]] = {"redirect": {}, "mtu": {}}
        self._loops = _Loops()
        self._traces = _Traces()
        self.given_up = 0

    def feed(self, d: Dissection) -> pl.DataFrame | None:
        whole = d.unfiltered or d
        datagrams = sent(whole)
        final: list[_Statement] = []
        told: list[tuple[int, Message, _Statement]] = []
        said = messages(d)
        events: list[tuple[int, Message | tuple]] = [(m.row, m) for m in said if _speaks(m)]
        events += [(row, (self._loop, *rest)) for row, *rest in self._loops.feed(d, datagrams)]
        events += [(row, (self._route, *rest)) for row, *rest in _routes(d, whole)]
        for row, event in sorted(events, key=itemgetter(0)):
            if isinstance(event, Message):
                told.append((row, event, self._say(event, final)))
            else:
                event[0](row, final, *event[1:])
        self._obeying(d, datagrams, told)
        self._traces.feed(d, whole, datagrams, told, said)
        return self._rows([_plain(one) for one in final if one.kept]) if final else None

    def _held(
        self, key: tuple, row: int, final: list[_Statement], about: tuple[Address, Address], proto: int | None, frame: int, when: int | None
    ) -> _Statement:
        """The statement of that key; row: of the frame that says so in the batch."""
        found = self._statements.get(key)
        if found is None:
            if len(self._statements) >= MOST:
                oldest = self._statements.pop(next(iter(self._statements)))
                oldest.until = row
                final.append(oldest)
                self.given_up += 1
            found = self._statements[key] = _Statement(key[0], about, proto, frame, when)
        return found

    def _say(self, m: Message, final: list[_Statement]) -> _Statement:
        q = m.quoted
        ends = (q.source if q else m.destination, m.other)
        statement = "too big" if (m.protocol, m.kind, m.code) in TOO_BIG else STATEMENT[m.protocol, m.kind]
        proto, ports, stream = (q.proto, q.ports, q.stream) if q and statement != "redirect" else (None, None, None)
        key = (statement, m.source, m.destination, *ends, proto, ports, stream, m.kind, m.code, m.mtu, m.gateway)
        found = self._held(key, m.row, final, ends, proto, m.frame, m.time)
        if not found.times:
            found.by, found.told, found.gateway = m.source, m.destination, m.gateway
            found.ports, found.stream, found.kind, found.code = ports, stream, m.kind, m.code
            found.meaning, found.mtu = m.words, m.mtu
        found.seen(m.frame, m.kept)
        return found

    def _loop(self, row: int, final: list[_Statement], key: tuple, seen: tuple[int, int | None, int, int, int, bool, int]) -> None:
        frame, when, first, last, times, kept, at = seen
        protocol, source, destination = key
        found = self._held(("loop", *key), row, final, (source, destination), protocol, frame, when)
        found.ttl = (first, last) if found.ttl is None else (max(found.ttl[0], first), min(found.ttl[1], last))
        found.first = min(found.first, frame)
        found.times, found.last, found.kept = found.times + times, max(found.last, at), found.kept | kept

    def _route(self, row: int, final: list[_Statement], key: tuple, frame: int, when: int | None, kept: bool, route: str) -> None:
        _, source, destination, _ = key
        found = self._held(key, row, final, (source, destination), None, frame, when)
        found.route = route
        found.seen(frame, kept)

    # ---------------------------------------------------------------- obeying

    def _obeying(self, d: Dissection, datagrams: Sent, told: list[tuple[int, Message, _Statement]]) -> None:
        """Watch the datagrams of a batch for who obeys; and from now on those that its messages speak of."""
        redirects = [(row, m, one) for row, m, one in told if one.statement == "redirect"]
        sizes = [(row, m, one) for row, m, one in told if one.statement == "too big" and m.mtu > 0 and m.quoted is not None]
        for which, new in (("redirect", redirects), ("mtu", sizes)):
            watches = self._watches[which]
            if not watches and not new:
                continue
            ends = np.array([pair(*one.about) for _, _, one in new], np.uint64).reshape(-1, 4)
            if which == "redirect":
                keys, flows = mixed(ends).tolist(), mixed(datagrams.ends)
            else:
                what = np.array([(one.proto or 0, _tells(one)) for _, _, one in new], np.int64).reshape(-1, 2)
                keys = mixed(ends, *what.T).tolist()
                ported = np.isin(datagrams.proto, (6, 17)) & (datagrams.offset == 0)
                flows = mixed(datagrams.ends, datagrams.proto, np.where(ported, datagrams.tells, 0))
            self._watch(which, d, datagrams, flows, [(row, key, m, one) for (row, m, one), key in zip(new, keys, strict=True)])

    def _watch(
        self, which: str, d: Dissection, datagrams: Sent, flows: np.ndarray, new: list[tuple[int, int, Message, _Statement]]
    ) -> None:
        watches = self._watches[which]
        interesting = np.array([*watches, *{key for _, key, _, _ in new}], np.uint64)
        at = np.flatnonzero(np.isin(flows, interesting))
        at = at[np.argsort(flows[at], kind="stable")]
        used, first = np.unique(flows[at], return_index=True)
        flow = {key: (part, datagrams.row[part]) for key, part in zip(used.tolist(), np.split(at, first)[1:], strict=True)}
        seen = dict.fromkeys(flow, 0)

        def until(key: int, row: int) -> None:
            """Look at a flow's datagrams before that row, if it is watched."""
            if key in flow:
                part, frames = flow[key]
                begin, seen[key] = seen[key], int(np.searchsorted(frames, row))
                if key in watches and seen[key] > begin:
                    _observe(watches[key], d, datagrams, part[begin : seen[key]])

        for row, key, m, statement in new:
            until(key, row)
            before = watches.pop(key, None)
            if before is None and len(watches) >= WATCHED:
                oldest = next(iter(watches))
                until(oldest, row)
                del watches[oldest]
            links = (int(datagrams.links.destination[row]), int(datagrams.links.source[row]))
            if which == "redirect" and links[0] < 0:
                continue
            watches[key] = _Watch(key, statement, links, m.mtu if which == "mtu" else 0)
        for key in flow:
            until(key, len(d))

    # ---------------------------------------------------------------- rows

    def finish(self, sources: list[Source], others: dict[str, pl.DataFrame]) -> pl.DataFrame | None:
        hops = self._traces.hops(set(self._loops.known))
        rows = [_plain(one) for one in self._statements.values() if one.kept and one.joined < one.times]
        return self._rows([*hops, *rows])

    @property
    def notes(self) -> list[str]:
        if not self.given_up:
            return []
        return [f"{self.given_up:,} statements about paths, the oldest, were written before the trace ended, to hold {MOST:,} at the most"]

    def _rows(self, rows: list[dict[str, Any]]) -> pl.DataFrame | None:
        if not rows:
            return None
        rows.sort(key=lambda row: (row["first_frame"], row["hop"] or 0, row["last_frame"]))
        columns = {}
        for f in self.columns[:-3]:
            values: list[Any] = [row.get(f.name) for row in rows]
            if f.name in ("by", "told", "source", "destination", "gateway"):
                columns[f.name] = named(values)
            else:
                columns[f.name] = pl.Series(f.name, values, dtype=dtype_of(f))
        made = pl.DataFrame(columns)
        said = evaluate(made, "routes")
        return made.with_columns(pl.Series(f.name, column, dtype=pl.String) for f, column in zip(self.columns[-3:], said, strict=True))


def _speaks(m: Message) -> bool:
    """Whether a message says something about a path."""
    return m.kind == REDIRECT[m.protocol] or (m.kind in ERRORS[m.protocol] and m.quoted is not None)


def _plain(one: _Statement) -> dict[str, Any]:
    """A statement as a row."""
    ports = one.ports or (None, None)
    return {
        "statement": one.statement,
        "first_frame": one.first,
        "last_frame": one.last,
        "time": one.time,
        "messages": one.times,
        "by": one.by,
        "told": one.told,
        "protocol": _protocol(one.proto),
        "source": one.about[0],
        "source_port": ports[0],
        "destination": one.about[1],
        "destination_port": ports[1],
        "stream": one.stream,
        "type": one.kind if one.kind >= 0 else None,
        "code": one.code if one.code >= 0 else None,
        "meaning": one.meaning or None,
        "hop": None,
        "gateway": one.gateway,
        "mtu": one.mtu if one.mtu >= 0 else None,
        "obeyed": True if one.obeyed_frame else False if one.ignored else None,
        "obeyed_frame": one.obeyed_frame or None,
        "ignored": one.ignored if one.statement in ("redirect", "too big") else None,
        "ignored_frame": one.ignored_frame or None,
        "ttl_first": one.ttl[0] if one.ttl else None,
        "ttl_last": one.ttl[1] if one.ttl else None,
        "route": one.route or None,
    }


def _protocol(number: int | None) -> str | None:
    return None if number is None else IPPROTO.get(number, str(number))


def _tells(one: _Statement) -> int:
    return one.ports[0] << 16 | one.ports[1] if one.ports else 0


def _observe(watch: _Watch, d: Dissection, datagrams: Sent, rows: np.ndarray) -> None:
    """What datagrams of a watched flow say of its message: those that ignore it, and the first after them that obeys it."""
    one = watch.statement
    if one.until is not None:
        rows = rows[datagrams.row[rows] < one.until]
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


def _address(high: int, low: int, six: bool) -> Address:
    return high.to_bytes(8, "big") + low.to_bytes(8, "big") if six else low


def _moment(d: Dissection, row: int) -> int | None:
    return int(d.batch.time[row]) if d.batch.timed is None or d.batch.timed[row] else None


def _routes(d: Dissection, whole: Dissection) -> Iterator[tuple[int, tuple[str, int, int, str], int, int | None, bool, str]]:
    """The datagrams that list addresses in options: row, (statement, source, destination, route), frame, time, kept, route."""
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
            for row, address in zip(at.tolist(), named(values.tolist()).to_list(), strict=True):
                listed.setdefault(row, {}).setdefault(name, []).append(address)
        for kind, row in zip(kinds[there].tolist(), rows[there].tolist(), strict=True):
            found = listed.get(row, {})
            past, ahead = found.get("ip.rec_rt", []), [*found.get("ip.src_rt", []), *found.get("ip.src_rt_end", [])]
            if not past and not ahead:
                continue
            route = ", ".join(map(str, past)) + (" → " + ", ".join(map(str, ahead)) if ahead else "")
            frame = int(h.frame[row])
            end = ends.get(row, int(h["ip.dst"][row]))
            yield (
                frame,
                (ROUTES[kind], int(h["ip.src"][row]), end, route),
                frame + d.batch.first,
                _moment(d, frame),
                d.kept is None or bool(d.kept[frame]),
                route.strip(),
            )


class _Loops:
    """Finds datagrams that pass the same link again with less time to live.

    known: those that did, as `mixed` makes numbers of ends, protocol, identification and what tells flows apart.
    """

    def __init__(self) -> None:
        self._earlier = Earlier(PASSED)
        ring = 2 * PASSED  # so that a slice never overwrites what its own rows look back at
        self._ttl, self._first_ttl, self._count, self._frame, self._when = np.zeros((5, ring), np.int64)
        self.known: dict[int, None] = {}

    def feed(self, d: Dissection, s: Sent) -> Iterator[tuple]:
        """Of each passage that shows a loop: its row, (protocol, source, destination), and what is to be added of it: the loop's first
        frame and its time, first and last time to live, passages, whether a filter shows this one, its frame."""
        for at in range(0, len(s), PASSED):
            yield from self._slice(d, s, np.arange(at, min(at + PASSED, len(s))))

    def _slice(self, d: Dissection, s: Sent, rows: np.ndarray) -> Iterator[tuple]:
        n = len(rows)
        link, frame = s.links, s.row[rows]
        what = s.proto[rows] << 32 | s.id[rows] << 16 | s.offset[rows]
        key = mixed(s.ends[rows], what, s.size[rows], s.word[rows], link.where[frame], link.source[frame] + 1, link.destination[frame] + 1)
        begin = len(self._earlier)
        before = np.empty(n, np.int64)
        self._earlier.before(key.data, before.data)
        place = (begin + np.arange(n)) % len(self._ttl)
        for ring, values in (
            (self._ttl, s.ttl[rows]),
            (self._first_ttl, s.ttl[rows]),
            (self._frame, frame + d.batch.first),
            (self._when, d.batch.time[frame]),
        ):
            ring[place] = values
        self._count[place] = 1
        known = np.flatnonzero(before >= 0)
        falls = known[s.ttl[rows[known]] < self._ttl[before[known] % len(self._ttl)]]
        if not len(falls):
            return
        hashes = mixed(s.ends[rows[falls]], s.proto[rows[falls]], s.id[rows[falls]], s.tells[rows[falls]]).tolist()
        for i, loops in zip(falls.tolist(), hashes, strict=True):
            now, then = int(place[i]), int(before[i]) % len(self._ttl)
            self._first_ttl[now], self._frame[now], self._when[now] = self._first_ttl[then], self._frame[then], self._when[then]
            count = self._count[now] = self._count[then] + 1
            row = int(rows[i])
            at = int(s.row[row])
            least = 2 if link.source[at] >= 0 else 3  # without MAC addresses a router that sends on over the same link looks alike
            if count < least:
                continue
            if loops not in self.known and len(self.known) >= PROBES:
                del self.known[next(iter(self.known))]
            self.known[loops] = None
            a, b, c, e = s.ends[row].tolist()
            six = bool(s.six[row])
            when = int(self._when[now]) if d.batch.timed is None else _moment(d, at)
            times = int(count) if count == least else 1
            first, kept = int(self._first_ttl[now]), d.kept is None or bool(d.kept[at])
            seen = (int(self._frame[now]), when, first, int(s.ttl[row]), times, kept, at + d.batch.first)
            yield at, (int(s.proto[row]), _address(a, b, six), _address(c, e, six)), seen


TRACE = ["a", "b", "c", "e", "six", "proto"]  # columns that tell traces apart: both ends in two words each


class _Traces:
    """Finds traceroutes: datagrams with little time to live, and what answered them."""

    def __init__(self) -> None:
        self._probes: list[pl.DataFrame] = []
        self._answers: list[pl.DataFrame] = []
        self._told: dict[int, _Statement] = {}  # by their number in the answers
        self._first = 0  # frame of the first probe

    def feed(self, d: Dissection, whole: Dissection, s: Sent, told: list[tuple[int, Message, _Statement]], said: list[Message]) -> None:
        """Remember the probes of a batch and what may answer one."""
        unicast = np.where(s.six, s.ends[:, 2] >> np.uint64(56) != 0xFF, s.ends[:, 3] < 0xE0000000)
        low = np.flatnonzero((s.ttl <= LOW) & unicast & (s.offset == 0))
        if len(low):
            self._first = self._first or int(s.row[low[0]]) + d.batch.first
            self._probes.append(_probes(d, s, low))
        if not self._first:
            return
        errors = [one for one in told if one[2].statement in ("unreachable", "time exceeded")]
        replies = [m for m in said if m.kind == (0 if m.protocol == "icmp" else 129)]
        parts = [_segments(d, h) for h in whole.chunks.get("tcp", ())]
        parts += [self._errors(d, errors), _replies(d, replies)]
        found = [part.filter(pl.col("frame") > self._first) for part in parts if part is not None]
        self._answers += [part for part in found if len(part)]
        for kept in (self._probes, self._answers):
            while len(kept) > 1 and sum(map(len, kept[1:])) >= PROBES:
                kept.pop(0)
        if self._answers and self._told:
            least = self._answers[0]["told"].min()
            for number in [one for one in self._told if isinstance(least, int) and one < least]:
                del self._told[number]

    def _errors(self, d: Dissection, errors: list[tuple[int, Message, _Statement]]) -> pl.DataFrame | None:
        told = []
        for row, m, one in errors:
            q = m.quoted
            assert q is not None
            number = len(self._told) and next(reversed(self._told)) + 1
            self._told[number] = one
            tells = q.ports[0] << 16 | q.ports[1] if q.ports else max(q.ident, 0) << 16 | max(q.seq, 0)
            expired = (m.protocol, m.kind, m.code) in EXPIRED
            told.append(
                (row, pair(q.source, q.destination), q.proto, max(q.id, 0), tells, pair(None, m.source)[2:], m.words, expired, number)
            )
        if not told:
            return None
        row, ends, proto, ids, tells, by, words, expired, numbers = zip(*told, strict=True)
        columns = (np.array(row), np.array(ends, np.uint64), np.array(proto), np.array(tells), np.array(by, np.uint64))
        return _answers(d, *columns, list(words), np.array(ids), np.array(expired), np.array(numbers))

    def hops(self, loops: set[int]) -> list[dict[str, Any]]:
        """A row for each hop and who answered there. loops: datagrams that are no probes, as `_Loops.known` has them."""
        if not self._probes or not self._answers:
            return []
        col = pl.col
        probes = pl.concat(self._probes).tail(PROBES).sort("frame", maintain_order=True)
        probes = probes.filter(~col("exact").is_in(pl.Series(list(loops), dtype=pl.UInt64).implode()))
        again = pl.struct("exact").is_first_distinct() | (col("id") == 0)  # a router that sends on makes another frame of a probe
        probes = probes.filter(again).with_row_index("probe")
        answers = pl.concat(self._answers).tail(PROBES).sort("frame", maintain_order=True)
        at = probes.select("frame", "exact", "loose", "probe")
        errors = answers.filter(col("told") >= 0).join_asof(at.drop("loose"), on="frame", by="exact", check_sortedness=False)
        others = answers.filter(col("told") < 0).join_asof(at.drop("exact"), on="frame", by="loose", check_sortedness=False)
        found = pl.concat([errors, others], how="diagonal").filter(col("probe").is_not_null()).sort("frame", maintain_order=True)
        found = found.drop("exact", "loose").join(probes.select("probe", *TRACE, "hop", sent="time"), on="probe", maintain_order="left")
        traced = found.filter("expired").select(TRACE).unique()
        found = found.join(traced, on=TRACE, how="semi", maintain_order="left")
        for number in found.filter(col("told") >= 0)["told"].to_list():
            self._told[number].joined += 1
        target = (col("by_high") == col("c")) & (col("by_low") == col("e"))
        reached = found.filter(target).group_by(TRACE).agg(col("hop").min().alias("reached"))
        probes = probes.join(traced, on=TRACE, how="semi", maintain_order="left").join(reached, on=TRACE, how="left", maintain_order="left")
        probes = probes.with_columns(pl.min_horizontal("hop", "reached").alias("hop"))
        first = found.unique("probe", keep="first", maintain_order=True).select(
            "probe", "by_high", "by_low", "meaning", answered="frame", kept_too="kept", took=col("time") - col("sent")
        )
        rows = probes.join(first, on="probe", how="left", maintain_order="left")
        hop = [*TRACE, "hop"]
        sent = rows.group_by(hop, maintain_order=True).agg(pl.len().alias("probes"), col("answered").count().alias("heard"))
        rows = rows.join(sent, on=hop, maintain_order="left").filter(col("answered").is_not_null() | (col("heard") == 0))
        made = rows.group_by([*hop, "by_high", "by_low"], maintain_order=True).agg(
            col("frame").min().alias("first_frame"),
            pl.max_horizontal(col("frame").max(), col("answered").max()).alias("last_frame"),
            col("time").first(),
            col("answered").count().alias("messages"),
            col("probes").first(),
            col("took").min().alias("fastest"),
            col("took").max().alias("slowest"),
            col("meaning").first(),
            (col("kept").any() | col("kept_too").any().fill_null(False)).alias("kept"),
        )
        return [_hop(row) for row in made.filter("kept").iter_rows(named=True)]


def _hop(row: dict) -> dict[str, Any]:
    six, by = row["six"], row["by_high"]
    plain = ("first_frame", "last_frame", "time", "messages", "hop", "probes", "fastest", "slowest", "meaning")
    return {
        "statement": "hop",
        "by": None if by is None else _address(by, row["by_low"], six),
        "source": _address(row["a"], row["b"], six),
        "destination": _address(row["c"], row["e"], six),
        "protocol": _protocol(row["proto"]),
        **{name: row[name] for name in plain},
    }


def _probes(d: Dissection, s: Sent, rows: np.ndarray) -> pl.DataFrame:
    """Datagrams as rows. exact: what tells one from all others; loose: the same without its identification."""
    frame, ends, proto, tells = s.row[rows], s.ends[rows], s.proto[rows], s.tells[rows]
    columns = {
        "frame": frame + d.batch.first,
        "time": _times(d, frame),
        "kept": _kept(d, frame),
        **dict(zip(TRACE, (*ends.T, s.six[rows], proto), strict=True)),
        "id": s.id[rows],
        "hop": s.ttl[rows],
        "exact": mixed(ends, proto, s.id[rows], tells),
        "loose": mixed(ends, proto, tells),
    }
    return pl.DataFrame(
        {name: column if isinstance(column, pl.Series) else np.ascontiguousarray(column) for name, column in columns.items()}
    )


def _answers(
    d: Dissection,
    frame: np.ndarray,
    ends: np.ndarray,
    proto: np.ndarray,
    tells: np.ndarray,
    by: np.ndarray,
    meaning: list[str],
    ids: np.ndarray | None = None,
    expired: np.ndarray | None = None,
    told: np.ndarray | None = None,
) -> pl.DataFrame:
    """Answers as rows. frame: rows in the batch. ends, proto, ids, tells: of the probes that they answer. by: who answers, two words."""
    n = len(frame)
    zero = np.zeros(n, np.int64)
    columns = {
        "frame": frame + d.batch.first,
        "time": _times(d, frame),
        "kept": _kept(d, frame),
        "by_high": np.ascontiguousarray(by[:, 0]),
        "by_low": np.ascontiguousarray(by[:, 1]),
        "meaning": pl.Series(meaning, dtype=pl.String),
        "expired": np.zeros(n, bool) if expired is None else expired,
        "told": zero - 1 if told is None else told,
        "exact": mixed(ends, proto, zero if ids is None else ids, tells),
        "loose": mixed(ends, proto, tells),
    }
    return pl.DataFrame(columns)


def _replies(d: Dissection, replies: list[Message]) -> pl.DataFrame | None:
    """Echo replies."""
    if not replies:
        return None
    ends = np.array([pair(m.destination, m.source) for m in replies], np.uint64)
    proto = np.array([58 if m.protocol == "icmpv6" else 1 for m in replies])
    tells = np.array([max(m.ident, 0) << 16 | max(m.seq, 0) for m in replies])
    return _answers(d, np.array([m.row for m in replies]), ends, proto, tells, ends[:, 2:], ["echo reply"] * len(replies))


def _segments(d: Dissection, h: Headers) -> pl.DataFrame | None:
    """TCP segments that answer a SYN."""
    flags = h["tcp.flags"]
    agrees, refuses = flags & SYN_ACK == SYN_ACK, flags & RST != 0
    rows = np.flatnonzero((agrees | refuses) & ~h.quoted & h.whole)
    net = h.network_layer()
    if not len(rows) or net is None or net[0].protocol.name not in ("ip", "ipv6"):
        return None
    at, up = net
    assert at.protocol.addresses is not None
    ends = np.zeros((len(rows), 4), np.uint64)
    for place, name in zip((2, 0), at.protocol.addresses, strict=True):
        high, low = words(at, name)
        ends[:, place + 1] = low[up[rows]]
        if high is not None:
            ends[:, place] = high[up[rows]]
    tells = h["tcp.dstport"][rows].astype(np.int64) << 16 | h["tcp.srcport"][rows]
    meaning = pl.Series(["RST", "SYN, ACK"]).gather(agrees[rows].astype(np.int64)).to_list()
    return _answers(d, h.frame[rows], ends, np.full(len(rows), 6), tells, ends[:, 2:], meaning)


def _times(d: Dissection, frame: np.ndarray) -> pl.Series:
    made = pl.Series(d.batch.time[frame])
    return made if d.batch.timed is None else made.set(pl.Series(~d.batch.timed[frame]), None)


def _kept(d: Dissection, frame: np.ndarray) -> np.ndarray:
    return np.ones(len(frame), bool) if d.kept is None else d.kept[frame]
