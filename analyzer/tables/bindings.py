"""A row is an IP address and a MAC address that somebody says belong together, or an address that nobody answers for."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import polars as pl

from ..capture import Source
from ..correlators.dhcp_matching import VERSIONS, bound
from ..dissection import Dissection
from ..expert import evaluate
from ..fields import Field, Headers, flag, mac, seconds, text, texts, time, u16, u32, u64
from ..protocols.icmpv6 import NA, NS, RA, REDIRECT, RS
from . import Table
from ._columns import dtype_of
from ._messages import Address, Links, link, links, named
from ._sent import mixed, pair, sent
from .dhcp_transactions import dhcp_messages

MOST = 100_000  # pairs of addresses that are held until the trace ends, and as many addresses that were asked for
NAMED = 4  # other MACs that a row names
GIVEN = 10  # the oldest tenth of them is given up at a time
GROUP = 1 << 40
REQUEST, REPLY, REVERSE, REVERSE_REPLY, INVERSE, INVERSE_REPLY = 1, 2, 3, 4, 8, 9
CLAIMS = ("request", "reply", "announcement", "gratuitous reply", "solicitation", "advertisement", "unsolicited advertisement",
          "router solicitation", "router advertisement", "inverse request", "inverse reply", "server")  # fmt: skip
WAYS = {  # (operation, gratuitous) → what a sender does by it
    (REQUEST, False): "request",
    (REQUEST, True): "announcement",
    (REPLY, False): "reply",
    (REPLY, True): "gratuitous reply",
    (REVERSE, False): "reverse request",
    (REVERSE_REPLY, False): "server",
    (INVERSE, False): "inverse request",
    (INVERSE_REPLY, False): "inverse reply",
}
SOLICITS = {NS: "solicitation", RS: "router solicitation", RA: "router advertisement"}
ANNOUNCES = ("announcement", "gratuitous reply", "unsolicited advertisement")
ANSWERS = ("reply", "advertisement", "reverse reply", "inverse reply")
SOURCE_OPTION, TARGET_OPTION = 1, 2
FRESH = 1_000_000_000  # ns: a second answer to a question comes within this time, or nobody asked for it; ARP is asked again after it


class _Event:
    """What a message says. binds: (way, address, MAC, whether its own sender is who has it). asks: (address or MAC asked for, probe)."""

    __slots__ = ("asker", "asks", "binds", "frame", "kept", "probe", "protocol", "row", "sender", "when", "where")

    def __init__(self, row: int, frame: int, when: int | None, kept: bool, where: int, sender: int, protocol: str) -> None:
        self.row, self.frame, self.when, self.kept, self.where, self.sender, self.protocol = row, frame, when, kept, where, sender, protocol
        self.binds: list[tuple[str, Address, int]] = []
        self.asks: tuple[Address, int] | None = None  # an address, or a MAC where it is the address that is asked for
        self.probe = False
        self.asker: Address | int = None


class _Binding:
    """What is known of an address and a MAC."""

    __slots__ = (
        "address", "announced", "answered", "claims", "first", "first_answer", "first_claim", "first_time", "kept", "last",
        "last_answer", "last_claim", "learnt", "mac", "number", "protocol", "refused", "refused_frame", "sent_by", "times", "unasked",
        "ways", "where",
    )  # fmt: skip

    def __init__(self, number: int, event: _Event, way: str, address: Address, mac: int) -> None:
        self.number, self.where, self.protocol, self.address, self.mac = number, event.where, event.protocol, address, mac
        self.learnt, self.ways = way, [way]
        self.first = self.last = event.frame
        self.first_time = event.when
        self.times = self.claims = self.answered = self.unasked = self.announced = 0
        self.first_claim = self.last_claim = 0
        self.first_answer = self.last_answer = 0  # which question for the address, counted from 1, they answered
        self.sent_by: int | None = None
        self.refused: int | None = None
        self.refused_frame = 0
        self.kept = False


class _Question:
    """Who asked for an address, and what became of it. open: questions since the last answer."""

    __slots__ = (
        "address", "asked", "by", "first", "kept", "last", "last_time", "mac", "open", "open_first", "open_last", "prober", "probes",
        "protocol", "time", "where",
    )  # fmt: skip

    def __init__(self, event: _Event, address: Address, mac: int) -> None:
        self.where, self.protocol, self.address, self.mac = event.where, event.protocol, address, mac
        self.by, self.first, self.time = event.asker, event.frame, event.when
        self.last_time = event.when
        self.asked = self.probes = self.open = self.open_first = self.open_last = self.last = 0
        self.prober: int | None = None  # MAC of who probed last, while no answer came
        self.kept = False


class TABLE(Table):
    name = "bindings"
    description = "an IP and a MAC address that ARP, RARP, neighbor discovery or DHCP says belong together: how learnt, used, contradicted"
    columns = (
        Field("protocol", text, "Protocol", "arp, rarp, nd, dhcp or dhcpv6"),
        Field("address", text, "Address", "null where RARP asks for it"),
        Field("mac", text, "MAC address", "null where nobody answered"),
        Field("interface", u32, "Interface", "of the trace, from 0: what one network says nothing of another"),
        Field("vlan", u16, "VLAN", "of the outermost tag"),
        Field("first_frame", u64, "First frame", "that says so; of a question, the first that asks"),
        Field("last_frame", u64, "Last frame"),
        Field("start", time, "Time of the first"),
        Field("statements", u32, "Frames that say so"),
        Field("learnt", text, "Learnt by", "what the first of them is: request, reply, announcement, advertisement, target of a reply, …"),
        Field("ways", text, "Said by", "all of these"),
        Field("asked", u32, "Asked", "questions for the address, by anybody"),
        Field("probes", u32, "Probes", "of these, whether it is free: RFC 5227, RFC 4862"),
        Field("asked_by", text, "Asked by", "the first who did"),
        Field("asked_for", text, "Asked for", "the MAC whose address RARP asks for"),
        Field("answered", u32, "Answered", "answers of this MAC to a question that was open"),
        Field("unasked", u32, "Unasked", "answers of this MAC that no open question asked for, announcements not counted"),
        Field("announced", u32, "Announced", "gratuitous: sender and target are one address"),
        Field("unanswered", u32, "Unanswered", "questions since the last answer of anybody"),
        Field("unanswered_frame", u64, "First of them"),
        Field("unanswered_last", u64, "Last of them"),
        Field("datagrams", u64, "Datagrams", "IP datagrams to this address sent to this MAC after it was learnt"),
        Field("forwarded", u64, "For others", "IP datagrams to other addresses sent to this MAC: a router"),
        Field("last_used", u64, "Last used in frame"),
        Field("used_for", seconds, "Used for", "first statement to the last of these datagrams"),
        Field("others", text, "Other MACs", "that are said to have the address: the first four"),
        Field("rivals", u32, "How many they are"),
        Field("conflict_frame", u64, "First contradicted in frame"),
        Field("contested", flag, "Contested", "both claim it themselves, by turns; told of the later"),
        Field("moved", flag, "Moved here", "the MAC before claims it no more"),
        Field("sent_by", text, "Sent by", "the Ethernet source where it is not this MAC: a third party"),
        Field("refused", text, "Refused", "MAC of who probed the address, which this one defends"),
        Field("refused_frame", u64, "Refused in frame"),
        Field("addresses", u32, "Addresses of this MAC", "that it claims itself on this link"),
        Field("latest", flag, "Latest", "no other MAC was said to have the address later"),
        Field("severity", text, "Severity", "of the verdict: error, warn, note, chat"),
        Field("kind", text, "Kind of verdict", "`analyze fields bindings` lists them"),
        Field("verdict", text, "Verdict", "one sentence, with frames"),
    )
    needs = frozenset(VERSIONS)

    def __init__(self) -> None:
        self._bindings: dict[tuple[int, Address, int], _Binding] = {}
        self._of: dict[tuple[int, Address], dict[_Binding, None]] = {}
        self._questions: dict[tuple[int, Address, int], _Question] = {}
        self._use = _Use()
        self.given_up = 0

    def feed(self, d: Dissection) -> pl.DataFrame | None:
        whole = d.unfiltered or d
        on = links(whole)
        events = [*_arp(d, whole, on), *_nd(d, whole, on), *_dhcp(d, whole, on)]
        events.sort(key=lambda one: one.row)
        final: list[pl.DataFrame] = []
        self._use.begin(whole)
        for event in events:
            self._take(event, final)
        self._use.until(len(whole))
        return pl.concat(final) if final else None

    def _take(self, e: _Event, final: list[pl.DataFrame]) -> None:
        if len(self._bindings) >= MOST or len(self._questions) >= MOST:
            final += self._give_up(e.row)
        for way, address, hardware in e.binds:
            key = (e.where, address, hardware)
            found = self._bindings.get(key)
            if found is None:
                found = self._bindings[key] = _Binding(self._use.learn(e, address, hardware), e, way, address, hardware)
                self._of.setdefault((e.where, address), {})[found] = None
            found.times, found.last, found.kept = found.times + 1, e.frame, found.kept | e.kept
            if way not in found.ways:
                found.ways.append(way)
            if way in CLAIMS:
                found.claims, found.last_claim = found.claims + 1, e.frame
                found.first_claim = found.first_claim or e.frame
                if e.sender >= 0 and e.sender != hardware:
                    found.sent_by = e.sender
            found.announced += way in ANNOUNCES
            question = self._questions.get((e.where, address, -1) if way != "reverse reply" else (e.where, None, hardware))
            if way in ANSWERS:
                if question is not None and (question.open or _fresh(question.last_time, e.when)):
                    found.answered, found.last_answer = found.answered + 1, question.asked
                    found.first_answer = found.first_answer or question.asked
                else:
                    found.unasked += 1
            if question is not None and way in ANSWERS + ANNOUNCES:
                if question.prober is not None and question.prober != hardware:
                    found.refused, found.refused_frame = question.prober, e.frame
                question.open, question.prober = 0, None
        if e.asks is not None:
            key = (e.where, *e.asks)
            question = self._questions.get(key)
            if question is None:
                question = self._questions[key] = _Question(e, *e.asks)
            question.asked, question.probes = question.asked + 1, question.probes + e.probe
            question.last, question.last_time, question.kept = e.frame, e.when, question.kept | e.kept
            if not question.open:
                question.open_first = e.frame
            question.open, question.open_last = question.open + 1, e.frame
            question.prober = e.sender if e.probe else None

    def _give_up(self, row: int) -> list[pl.DataFrame]:
        """Write the oldest tenth, so that what comes later has room."""
        self._use.until(row)
        n = MOST // GIVEN
        old = list(self._bindings)[: n if len(self._bindings) >= MOST else 0]
        made = self._rows([self._bindings[key] for key in old], [])
        for key in old:
            gone = self._bindings.pop(key)
            del self._of[key[:2]][gone]
            if not self._of[key[:2]]:
                del self._of[key[:2]]
            self._use.forget(gone.number)
        asked = list(self._questions)[: n if len(self._questions) >= MOST else 0]
        left = self._rows([], [self._questions[key] for key in asked])
        for key in asked:
            del self._questions[key]
        self.given_up += len(old) + len(asked)
        return [part for part in (made, left) if part is not None]

    def finish(self, sources: list[Source], others: dict[str, pl.DataFrame]) -> pl.DataFrame | None:
        return self._rows(list(self._bindings.values()), list(self._questions.values()))

    @property
    def notes(self) -> list[str]:
        if not self.given_up:
            return []
        what = "addresses that ARP or neighbor discovery spoke of"
        return [f"{self.given_up:,} {what}, the oldest, were written before the trace ended, to hold {MOST:,} at the most"]

    # ---------------------------------------------------------------- rows

    def _rows(self, bindings: list[_Binding], questions: list[_Question]) -> pl.DataFrame | None:
        held: dict[tuple[int, int], int] = {}
        for one in self._bindings.values():
            if one.claims:
                held[one.where, one.mac] = held.get((one.where, one.mac), 0) + 1
        shown = [one for one in bindings if one.kept]
        against: dict[_Binding, dict] = {}
        for place in dict.fromkeys((one.where, one.address) for one in shown):
            against |= _against(list(self._of[place]))
        rows = [self._row(one, held.get((one.where, one.mac), 0)) | against[one] for one in shown]
        rows += [_unanswered(one) for one in questions if one.kept and one.open and (one.where, one.address) not in self._of]
        if not rows:
            return None
        rows.sort(key=lambda row: (row["first_frame"], row["last_frame"]))
        columns = {}
        for f in self.columns[:-3]:
            values = [row[f.name] for row in rows]
            if f.name == "address":
                columns[f.name] = named(values)
            elif f.name in ("mac", "asked_for", "sent_by", "refused"):
                columns[f.name] = _macs(values)
            elif f.name == "asked_by":
                asked = [None if isinstance(value, _Mac) else value for value in values]
                columns[f.name] = named(asked).fill_null(_macs([value if isinstance(value, _Mac) else None for value in values]))
            elif f.name == "others":
                said = iter(_macs([one for value in values if value for one in value]).to_list())
                each = [", ".join(islice(said, len(value))) if value else None for value in values]
                columns[f.name] = pl.Series(each, dtype=pl.String)
            else:
                columns[f.name] = pl.Series(f.name, values, dtype=dtype_of(f))
        made = pl.DataFrame(columns)
        verdicts = evaluate(made, "bindings")
        return made.with_columns(pl.Series(f.name, column, dtype=pl.String) for f, column in zip(self.columns[-3:], verdicts, strict=True))

    def _row(self, one: _Binding, addresses: int) -> dict:
        question = self._questions.get((one.where, one.address, -1))
        number, vlan = link(one.where)
        datagrams, forwarded, last_used, last_time = self._use.of(one.number)
        return {
            "protocol": one.protocol,
            "address": one.address,
            "mac": one.mac,
            "interface": number,
            "vlan": vlan,
            "first_frame": one.first,
            "last_frame": one.last,
            "start": one.first_time,
            "statements": one.times,
            "learnt": one.learnt,
            "ways": ", ".join(one.ways),
            "asked": question.asked if question else 0,
            "probes": question.probes if question else 0,
            "asked_by": question.by if question else None,
            "asked_for": None,
            "answered": one.answered,
            "unasked": one.unasked,
            "announced": one.announced,
            "unanswered": question.open if question else 0,
            "unanswered_frame": question.open_first if question and question.open else None,
            "unanswered_last": question.open_last if question and question.open else None,
            "datagrams": datagrams,
            "forwarded": forwarded,
            "last_used": last_used or None,
            "used_for": last_time - one.first_time if last_used and one.first_time is not None else None,
            "sent_by": one.sent_by,
            "refused": one.refused,
            "refused_frame": one.refused_frame or None,
            "addresses": addresses,
        }


ALONE = {"others": None, "rivals": 0, "conflict_frame": None, "contested": False, "moved": False, "latest": True}


def _against(group: list[_Binding]) -> dict[_Binding, dict]:
    """What the bindings of one address say against each other."""
    if len(group) == 1:
        return {group[0]: ALONE}
    found = {}
    firsts, last = sorted(one.first for one in group)[:2], max(one.last for one in group)
    claimed = sorted((one for one in group if one.claims), key=lambda one: one.first_claim)
    latest_claim, answers = 0, set()  # of those that claimed it earlier
    by_turns: dict[_Binding, bool] = {}
    for nth, one in enumerate(claimed):
        if nth:
            by_turns[one] = latest_claim > one.first_claim or one.first_answer in answers  # the same question
        latest_claim = max(latest_claim, one.last_claim)
        if one.last_answer:
            answers.add(one.last_answer)
    for one in group:
        others = [other.mac for other in group[: NAMED + 1] if other is not one][:NAMED]
        turns = by_turns.get(one)
        found[one] = {
            "others": others or None,
            "rivals": len(group) - 1,
            "conflict_frame": max(one.first, firsts[1] if firsts[0] == one.first else firsts[0]) if others else None,
            "contested": bool(turns),
            "moved": turns is False,
            "latest": one.last == last,
        }
    return found


COUNTS = ("statements", "answered", "unasked", "announced", "datagrams", "forwarded", "addresses")
EMPTY = dict.fromkeys([f.name for f in TABLE.columns]) | dict.fromkeys(COUNTS, 0)


def _unanswered(one: _Question) -> dict:
    """The row of an address that nobody was said to have."""
    number, vlan = link(one.where)
    return (
        EMPTY
        | ALONE
        | {
            "protocol": one.protocol,
            "address": one.address,
            "interface": number,
            "vlan": vlan,
            "first_frame": one.first,
            "last_frame": one.last,
            "start": one.time,
            "asked": one.asked,
            "probes": one.probes,
            "asked_by": one.by,
            "asked_for": one.mac if one.mac >= 0 else None,
            "unanswered": one.open - one.probes if one.probes < one.open else 0,
            "unanswered_frame": one.open_first,
            "unanswered_last": one.open_last,
        }
    )


def _fresh(then: int | None, now: int | None) -> bool:
    return then is None or now is None or now - then <= FRESH


class _Mac(int):
    """A MAC address that asks, where an IP address would stand."""


# ---------------------------------------------------------------- what messages say


def _arp(d: Dissection, whole: Dissection, on: Links) -> Iterator[_Event]:
    """What ARP and RARP say."""
    names = ("arp.src.hw_mac", "arp.src.proto_ipv4", "arp.dst.hw_mac", "arp.dst.proto_ipv4")
    for h in whole.chunks.get("arp", ()):
        there = [h.column(name).rows for name in names]
        rows = np.flatnonzero(sum(np.isin(np.arange(len(h)), one) for one in there if one is not None) == len(names))
        columns = [h[name][rows].tolist() for name in ("arp.opcode", *names)]
        for e, opcode, source_mac, source, target_mac, target in zip(_events(d, on, h.frame[rows], "arp"), *columns, strict=True):
            own = source == target and opcode in (REQUEST, REPLY)
            way = WAYS.get((opcode, own))
            if way is None:
                continue
            if opcode in (REVERSE, REVERSE_REPLY):
                e.protocol = "rarp"
            told: list[tuple[str, Address, int]] = [(way, source, source_mac)]
            if opcode == REVERSE:
                told, e.asks, e.asker = [], (None, target_mac), _Mac(source_mac)
            elif opcode == REVERSE_REPLY:
                told.append(("reverse reply", target, target_mac))
            elif opcode == REPLY and not own:
                told.append(("target of a reply", target, target_mac))
            elif opcode == REQUEST and not own and target:
                e.asks, e.probe, e.asker = (target, -1), source == 0, source or _Mac(source_mac)
            e.binds = [one for one in told if one[1] and one[2] and not one[2] & GROUP]
            yield e


def _nd(d: Dissection, whole: Dissection, on: Links) -> Iterator[_Event]:
    """What neighbor discovery says."""
    names = ("icmpv6.nd.ns.target_address", "icmpv6.nd.na.target_address", "icmpv6.nd.rd.target_address")
    for h in whole.chunks.get("icmpv6", ()):
        kinds = h["icmpv6.type"]
        net = h.network_layer()
        rows = np.flatnonzero(np.isin(kinds, (RS, RA, NS, NA, REDIRECT)) & h.whole & ~h.quoted)
        if not len(rows) or net is None or net[0].protocol.name != "ipv6":
            continue
        source = net[0]["ipv6.src"][net[1][rows]].tolist()
        options = _listed(h, "icmpv6.opt.type")
        macs = _listed(h, "icmpv6.opt.linkaddr")
        targets = {row: value for name in names for row, (value, *_) in _listed(h, name).items()}
        answered = h["icmpv6.nd.na.flag.s"][rows].tolist()
        told = zip(_events(d, on, h.frame[rows], "nd"), rows.tolist(), kinds[rows].tolist(), source, answered, strict=True)
        for e, row, kind, sender, answers in told:
            target = targets.get(row)
            if target is None and kind in (NS, NA, REDIRECT):
                continue
            kept = [one for one in options.get(row, []) if one in (SOURCE_OPTION, TARGET_OPTION)]
            given = dict(zip(kept, macs.get(row, [])))  # an option that does not fit is the last and has no address
            probes = not any(sender)
            if kind == NA:
                bind = ("advertisement" if answers else "unsolicited advertisement", target, given.get(TARGET_OPTION, e.sender))
            elif kind == REDIRECT:
                bind = ("target of a redirect", target, given.get(TARGET_OPTION, -1))
            else:
                bind = (SOLICITS[kind], sender, -1 if probes else given.get(SOURCE_OPTION, -1))
            if bind[2] > 0 and not bind[2] & GROUP:
                e.binds = [bind]
            if kind == NS:
                e.asks, e.probe, e.asker = (target, -1), probes, (_Mac(e.sender) if e.sender >= 0 else None) if probes else sender
            if e.binds or e.asks:
                yield e


def _dhcp(d: Dissection, whole: Dissection, on: Links) -> Iterator[_Event]:
    """What servers of DHCP give; what they send to a relay is for another network."""
    here = [m for m in dhcp_messages(whole) if not (m.hops if m.version == "dhcpv6" else m.relay and m.relay == m.destination)]
    found = list(bound(here))
    for e, one in zip(_events(d, on, np.array([one.row for one in found], np.int64), "dhcp"), found, strict=True):
        e.protocol, e.binds = one.version, [("lease", one.address, one.mac)]
        yield e


def _listed(h: Headers, name: str) -> dict[int, list[Any]]:
    """The values of a field that a header may have several times, by row."""
    values, rows = h.column(name)
    found: dict[int, list[Any]] = {}
    for row, value in zip((np.arange(len(h)) if rows is None else rows).tolist(), values.tolist(), strict=True):
        found.setdefault(row, []).append(value)
    return found


def _events(d: Dissection, on: Links, frame: np.ndarray, protocol: str) -> Iterator[_Event]:
    timed = np.ones(len(frame), bool) if d.batch.timed is None else d.batch.timed[frame]
    kept = np.ones(len(frame), bool) if d.kept is None else d.kept[frame]
    columns = (frame, frame + d.batch.first, d.batch.time[frame], timed, kept, on.where[frame], on.source[frame])
    for row, number, when, has, shown, where, sender in zip(*(column.tolist() for column in columns), strict=True):
        yield _Event(row, number, when if has else None, shown, where, sender, protocol)


# ---------------------------------------------------------------- use


class _Use:
    """Counts the IP datagrams that go to addresses and MACs that were learnt before. Numbers of what was forgotten are used again."""

    def __init__(self) -> None:
        self._keys: dict[int, tuple[int, int, Address]] = {}  # number → link, MAC, address
        self._counts = np.zeros((8, 4), np.int64)  # by number: first frame, datagrams, frame and time of the last
        self._macs: dict[tuple[int, int], list[int]] = {}  # link, MAC → bindings, first frame, datagrams, those that are counted above
        self._free: list[int] = []
        self._sorted: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None = None
        self._d: Dissection | None = None
        self._received: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None = None
        self._at = 0

    def begin(self, d: Dissection) -> None:
        """A batch begins."""
        self._d, self._received, self._at = d, None, 0

    def learn(self, e: _Event, address: Address, hardware: int) -> int:
        """Count from this event on; gives the number to ask with."""
        number = self._free.pop() if self._free else len(self._keys)
        if number >= len(self._counts):
            self._counts = np.concatenate((self._counts, np.zeros_like(self._counts)))
        self._counts[number] = e.frame, 0, 0, 0
        self._keys[number] = e.where, hardware, address
        self._macs.setdefault((e.where, hardware), [0, e.frame, 0, 0])[0] += 1
        self._sorted = None
        return number

    def forget(self, number: int) -> None:
        """Count no more for it."""
        both = self._keys.pop(number)[:2]
        self._macs[both][0] -= 1
        if not self._macs[both][0]:
            del self._macs[both]
        self._free.append(number)
        self._sorted = None

    def of(self, number: int) -> tuple[int, int, int, int]:
        """(datagrams to the address, to others by way of its MAC, frame of the last to the address, its time in ns)."""
        _, datagrams, last, when = self._counts[number].tolist()
        _, _, total, counted = self._macs[self._keys[number][:2]]
        return datagrams, total - counted, last, when

    def until(self, row: int) -> None:
        """Count the datagrams of the batch before that row."""
        if not self._keys or self._d is None:
            return
        if self._received is None:
            self._received = _received(self._d)
        rows = self._received[0]
        end = int(np.searchsorted(rows, row))
        part, self._at = slice(self._at, end), max(self._at, end)
        if part.stop <= part.start:
            return
        rows, when, one, both = (column[part] for column in self._received)
        frame = rows + self._d.batch.first
        if self._sorted is None:
            split = [(where, hardware, *pair(None, address)[2:]) for where, hardware, address in self._keys.values()]
            keys, macs = np.array(split, np.uint64), np.array(list(self._macs), np.uint64)
            ends, through = mixed(keys[:, 2:], *keys[:, :2].T), mixed(macs[:, :0], *macs.T)
            order, by_mac = np.argsort(ends), np.argsort(through)
            first = np.array([known[1] for known in self._macs.values()])
            self._sorted = ends[order], np.array(list(self._keys))[order], through[by_mac], first[by_mac], macs[by_mac]
        known, numbers, through, first, macs = self._sorted
        at = np.minimum(np.searchsorted(known, one), len(known) - 1)
        number = numbers[at]
        hit = (known[at] == one) & (frame > self._counts[number, 0])
        number = number[hit]
        self._counts[:, 1] += np.bincount(number, minlength=len(self._counts))
        np.maximum.at(self._counts[:, 2], number, frame[hit])
        self._counts[number, 3] = when[hit]  # of several the last stays
        at = np.minimum(np.searchsorted(through, both), len(through) - 1)
        later = (through[at] == both) & (frame > first[at])
        for which, place in ((later, 2), (later & hit, 3)):
            for key, n in zip(*(column.tolist() for column in np.unique(at[which], return_counts=True)), strict=True):
                where, hardware = macs[key].tolist()
                self._macs[where, hardware][place] += n


def _received(d: Dissection) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of the datagrams of a batch over Ethernet: row, time, and what `_Use` finds addresses and MACs by."""
    s = sent(d)
    rows, at = np.unique(s.row, return_index=True)  # one a frame: what a tunnel carries is for others
    there = s.links.destination[rows] >= 0
    rows, at = rows[there], at[there]
    ends, where, to = s.ends[at, 2:], s.links.where[rows], s.links.destination[rows]
    return rows, d.batch.time[rows], mixed(ends, where, to), mixed(ends[:, :0], where, to)


# ---------------------------------------------------------------- words


def _macs(values: list[int | None]) -> pl.Series:
    """MAC addresses as text, null for none."""
    used = [one for one in dict.fromkeys(values) if one is not None]
    said = dict(zip(used, texts(Field("", mac, ""), np.array(used, np.uint64)).tolist())) if used else {}
    return pl.Series([None if one is None else said[one] for one in values], dtype=pl.String)
