"""A row is a binding of an IP address to a MAC address that some message states, or an address that nobody answers for."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

import numpy as np
import polars as pl

from ..capture import Source
from ..correlators.dhcp_matching import VERSIONS
from ..dissection import Dissection
from ..expert import evaluate
from ..fields import Field, flag, mac, seconds, text, texts, time, u16, u32, u64
from . import Table
from ._columns import dtype_of
from ._ip_datagrams import Address, address_texts, interface_and_vlan
from ._neighbor_messages import Mac, NeighborMessage, neighbor_messages
from ._neighbor_usage import UsageCounter

MOST = 100_000  # bindings that are held until the trace ends, and as many resolutions
TENTH = 10  # the oldest tenth of them is evicted at a time
NAMED = 4  # other MACs that a row names
CLAIMS = ("request", "reply", "announcement", "gratuitous reply", "solicitation", "advertisement", "unsolicited advertisement",
          "router solicitation", "router advertisement", "inverse request", "inverse reply", "server")  # fmt: skip
ANNOUNCES = ("announcement", "gratuitous reply", "unsolicited advertisement")
ANSWERS = ("reply", "advertisement", "reverse reply", "inverse reply")
ANSWER_TIME = 1_000_000_000  # ns: within it a second answer belongs to the question; ARP asks again no sooner


@dataclass(slots=True, eq=False)
class _Binding:
    """An address and a MAC. number: of `UsageCounter`. claims: statements of the address's own holder. first_answer, last_answer: which
    questions for the address, counted from 1, they answered. Frames are 0 for none."""

    number: int
    link_id: int
    protocol: str
    address: Address
    mac: int
    evidence: list[str]  # kinds of statements, the first one first
    first_frame: int
    start: int | None
    last_frame: int = 0
    statements: int = 0
    claims: int = 0
    first_claim: int = 0
    last_claim: int = 0
    answered: int = 0
    first_answer: int = 0
    last_answer: int = 0
    unasked: int = 0
    announced: int = 0
    sent_by: int | None = None
    refused: int | None = None
    refused_frame: int = 0
    kept: bool = False


@dataclass(slots=True, eq=False)
class _Resolution:
    """The questions for an address, or for the address of a MAC. open: questions since the last answer. prober: MAC of the last probe,
    until an answer comes."""

    link_id: int
    protocol: str
    address: Address
    mac: int
    asked_by: Address
    first_frame: int
    start: int | None
    last_frame: int = 0
    last_time: int | None = None
    asked: int = 0
    probes: int = 0
    open: int = 0
    unanswered_frame: int = 0
    unanswered_last: int = 0
    prober: int | None = None
    kept: bool = False


class TABLE(Table):
    name = "bindings"
    description = "an IP and a MAC address that ARP, RARP, neighbor discovery or DHCP binds: how learnt, used, contradicted"
    columns = (
        Field("protocol", text, "Protocol", "arp, rarp, nd, dhcp or dhcpv6"),
        Field("address", text, "Address", "null where RARP asks for it"),
        Field("mac", text, "MAC address", "null where nobody answered"),
        Field("interface", u32, "Interface", "of the trace, from 0; bindings of different interfaces are not compared"),
        Field("vlan", u16, "VLAN", "of the outermost tag"),
        Field("first_frame", u64, "First frame", "that states it; of an address nobody has: the first that asks"),
        Field("last_frame", u64, "Last frame"),
        Field("start", time, "Time of the first"),
        Field("statements", u32, "Statements", "frames that state it"),
        Field("learnt", text, "Learnt by", "kind of the first: request, reply, announcement, advertisement, target of a reply, …"),
        Field("evidence", text, "Evidence", "all kinds of statements"),
        Field("asked", u32, "Asked", "questions for the address, from anybody"),
        Field("probes", u32, "Probes", "questions whether it is free: RFC 5227, RFC 4862"),
        Field("asked_by", text, "Asked by", "the first asker"),
        Field("asked_for", text, "Asked for", "the MAC whose address RARP asks for"),
        Field("answered", u32, "Answered", "answers of this MAC to an open question"),
        Field("unasked", u32, "Unasked", "answers of this MAC without an open question, except announcements"),
        Field("announced", u32, "Announced", "gratuitous: sender and target are one address"),
        Field("unanswered", u32, "Unanswered", "questions since the last answer of anybody"),
        Field("unanswered_frame", u64, "First unanswered"),
        Field("unanswered_last", u64, "Last unanswered"),
        Field("datagrams", u64, "Datagrams", "IP datagrams to this address sent to this MAC after it was learnt"),
        Field("forwarded", u64, "For others", "IP datagrams to other addresses sent to this MAC: a router"),
        Field("last_used", u64, "Last used in frame"),
        Field("used_for", seconds, "Used for", "first statement to the last of these datagrams"),
        Field("others", text, "Other MACs", "for which the address was stated: the first four"),
        Field("rivals", u32, "Number of other MACs"),
        Field("conflict_frame", u64, "First conflict in frame"),
        Field("contested", flag, "Contested", "several MACs claim it in turn; set for the later ones"),
        Field("moved", flag, "Moved here", "the MAC before no longer claims it"),
        Field("sent_by", text, "Sent by", "the Ethernet source where it is not this MAC: a third party"),
        Field("refused", text, "Refused", "MAC that probed the address, which this one defends"),
        Field("refused_frame", u64, "Refused in frame"),
        Field("addresses", u32, "Addresses of this MAC", "that it claims on this link"),
        Field("latest", flag, "Latest", "no other MAC has a later statement"),
        Field("severity", text, "Severity", "of the verdict: error, warn, note, chat"),
        Field("kind", text, "Kind of verdict", "`analyze fields bindings` lists them"),
        Field("verdict", text, "Verdict", "one sentence, with frames"),
    )
    needs = frozenset(VERSIONS)

    def __init__(self) -> None:
        self._bindings: dict[tuple[int, Address, int], _Binding] = {}
        self._of: dict[tuple[int, Address], dict[_Binding, None]] = {}
        self._resolutions: dict[tuple[int, Address, int], _Resolution] = {}
        self._usage = UsageCounter()
        self.evicted = 0

    def feed(self, d: Dissection) -> pl.DataFrame | None:
        whole = d.unfiltered or d
        final: list[pl.DataFrame] = []
        self._usage.begin(whole)
        for message in neighbor_messages(d):
            self._take(message, final)
        self._usage.count_before(len(whole))
        return pl.concat(final) if final else None

    def _take(self, m: NeighborMessage, final: list[pl.DataFrame]) -> None:
        if len(self._bindings) >= MOST or len(self._resolutions) >= MOST:
            final += self._evict(m.row)
        for kind, address, hardware in m.claims:
            key = (m.link_id, address, hardware)
            binding = self._bindings.get(key)
            if binding is None:
                number = self._usage.learn(m, address, hardware)
                binding = self._bindings[key] = _Binding(number, m.link_id, m.protocol, address, hardware, [kind], m.frame, m.when)
                self._of.setdefault((m.link_id, address), {})[binding] = None
            binding.statements, binding.last_frame, binding.kept = binding.statements + 1, m.frame, binding.kept | m.kept
            if kind not in binding.evidence:
                binding.evidence.append(kind)
            if kind in CLAIMS:
                binding.claims, binding.last_claim = binding.claims + 1, m.frame
                binding.first_claim = binding.first_claim or m.frame
                if m.sender >= 0 and m.sender != hardware:
                    binding.sent_by = m.sender
            binding.announced += kind in ANNOUNCES
            resolution = self._resolutions.get((m.link_id, address, -1) if kind != "reverse reply" else (m.link_id, None, hardware))
            if kind in ANSWERS:
                if resolution is not None and (resolution.open or _in_time(resolution.last_time, m.when)):
                    binding.answered, binding.last_answer = binding.answered + 1, resolution.asked
                    binding.first_answer = binding.first_answer or resolution.asked
                else:
                    binding.unasked += 1
            if resolution is not None and kind in ANSWERS + ANNOUNCES:
                if resolution.prober is not None and resolution.prober != hardware:
                    binding.refused, binding.refused_frame = resolution.prober, m.frame
                resolution.open, resolution.prober = 0, None
        if m.query is not None:
            key = (m.link_id, *m.query)
            resolution = self._resolutions.get(key)
            if resolution is None:
                resolution = self._resolutions[key] = _Resolution(m.link_id, m.protocol, *m.query, m.asker, m.frame, m.when)
            resolution.asked, resolution.probes = resolution.asked + 1, resolution.probes + m.probe
            resolution.last_frame, resolution.last_time, resolution.kept = m.frame, m.when, resolution.kept | m.kept
            if not resolution.open:
                resolution.unanswered_frame = m.frame
            resolution.open, resolution.unanswered_last = resolution.open + 1, m.frame
            resolution.prober = m.sender if m.probe else None

    def _evict(self, row: int) -> list[pl.DataFrame]:
        """Write the oldest tenth before the trace ends."""
        self._usage.count_before(row)
        n = MOST // TENTH
        bindings = list(self._bindings)[: n if len(self._bindings) >= MOST else 0]
        written = self._rows([self._bindings[key] for key in bindings], [])
        for key in bindings:
            binding = self._bindings.pop(key)
            del self._of[key[:2]][binding]
            if not self._of[key[:2]]:
                del self._of[key[:2]]
            self._usage.forget(binding.number)
        resolutions = list(self._resolutions)[: n if len(self._resolutions) >= MOST else 0]
        unanswered = self._rows([], [self._resolutions.pop(key) for key in resolutions])
        self.evicted += len(bindings) + len(resolutions)
        return [part for part in (written, unanswered) if part is not None]

    def finish(self, sources: list[Source], others: dict[str, pl.DataFrame]) -> pl.DataFrame | None:
        return self._rows(list(self._bindings.values()), list(self._resolutions.values()))

    @property
    def notes(self) -> list[str]:
        if not self.evicted:
            return []
        what = "addresses that ARP or neighbor discovery spoke of"
        return [f"{self.evicted:,} {what}, the oldest, were written before the trace ended, to hold {MOST:,} at the most"]

    # ---------------------------------------------------------------- rows

    def _rows(self, bindings: list[_Binding], resolutions: list[_Resolution]) -> pl.DataFrame | None:
        held: dict[tuple[int, int], int] = {}  # link id, MAC → addresses that it claims
        for one in self._bindings.values():
            if one.claims:
                held[one.link_id, one.mac] = held.get((one.link_id, one.mac), 0) + 1
        shown = [one for one in bindings if one.kept]
        conflicts: dict[_Binding, dict] = {}
        for place in dict.fromkeys((one.link_id, one.address) for one in shown):
            conflicts |= _conflicts(list(self._of[place]))
        rows = [self._row(one, held.get((one.link_id, one.mac), 0)) | conflicts[one] for one in shown]
        rows += [_unanswered(one) for one in resolutions if one.kept and one.open and (one.link_id, one.address) not in self._of]
        if not rows:
            return None
        rows.sort(key=lambda row: (row["first_frame"], row["last_frame"]))
        columns = {}
        for f in self.columns[:-3]:
            values = [row.get(f.name) for row in rows]
            if f.name == "address":
                columns[f.name] = address_texts(values)
            elif f.name in ("mac", "asked_for", "sent_by", "refused"):
                columns[f.name] = _macs(values)
            elif f.name == "asked_by":
                addresses = address_texts([None if isinstance(value, Mac) else value for value in values])
                columns[f.name] = addresses.fill_null(_macs([value if isinstance(value, Mac) else None for value in values]))
            elif f.name == "others":
                each = iter(_macs([one for value in values if value for one in value]).to_list())
                lists = [", ".join(islice(each, len(value))) if value else None for value in values]
                columns[f.name] = pl.Series(lists, dtype=pl.String)
            else:
                columns[f.name] = pl.Series(f.name, values, dtype=dtype_of(f))
        table = pl.DataFrame(columns)
        verdicts = evaluate(table, "bindings")
        return table.with_columns(pl.Series(f.name, column, dtype=pl.String) for f, column in zip(self.columns[-3:], verdicts, strict=True))

    def _row(self, one: _Binding, addresses: int) -> dict:
        resolution = self._resolutions.get((one.link_id, one.address, -1))
        interface, vlan = interface_and_vlan(one.link_id)
        datagrams, forwarded, last_used, last_time = self._usage.usage(one.number)
        return {
            **{name: getattr(one, name) for name in BINDING},
            "interface": interface,
            "vlan": vlan,
            "learnt": one.evidence[0],
            "evidence": ", ".join(one.evidence),
            "asked": resolution.asked if resolution else 0,
            "probes": resolution.probes if resolution else 0,
            "asked_by": resolution.asked_by if resolution else None,
            "unanswered": resolution.open if resolution else 0,
            "unanswered_frame": resolution.unanswered_frame if resolution and resolution.open else None,
            "unanswered_last": resolution.unanswered_last if resolution and resolution.open else None,
            "datagrams": datagrams,
            "forwarded": forwarded,
            "last_used": last_used or None,
            "used_for": last_time - one.start if last_used and one.start is not None else None,
            "refused_frame": one.refused_frame or None,
            "addresses": addresses,
        }


BOTH = ("protocol", "address", "first_frame", "last_frame", "start")  # columns that are attributes of _Binding and _Resolution
BINDING = (*BOTH, "mac", "statements", "answered", "unasked", "announced", "sent_by", "refused")  # and of one of them
RESOLUTION = (*BOTH, "asked", "probes", "asked_by", "unanswered_frame", "unanswered_last")
ALONE = {"others": None, "rivals": 0, "conflict_frame": None, "contested": False, "moved": False, "latest": True}


def _conflicts(group: list[_Binding]) -> dict[_Binding, dict]:
    """The columns that compare the bindings of one address."""
    if len(group) == 1:
        return {group[0]: ALONE}
    columns = {}
    firsts, last = sorted(one.first_frame for one in group)[:2], max(one.last_frame for one in group)
    claimed = sorted((one for one in group if one.claims), key=lambda one: one.first_claim)
    latest_claim, answers = 0, set()  # of those that claimed it earlier
    contests: dict[_Binding, bool] = {}
    for nth, one in enumerate(claimed):
        if nth:
            contests[one] = latest_claim > one.first_claim or one.first_answer in answers  # the same question
        latest_claim = max(latest_claim, one.last_claim)
        if one.last_answer:
            answers.add(one.last_answer)
    for one in group:
        others = [other.mac for other in group[: NAMED + 1] if other is not one][:NAMED]
        contested = contests.get(one)
        columns[one] = {
            "others": others or None,
            "rivals": len(group) - 1,
            "conflict_frame": max(one.first_frame, firsts[1] if firsts[0] == one.first_frame else firsts[0]) if others else None,
            "contested": bool(contested),
            "moved": contested is False,
            "latest": one.last_frame == last,
        }
    return columns


COUNTS = ("statements", "answered", "unasked", "announced", "datagrams", "forwarded", "addresses")
EMPTY = dict.fromkeys(COUNTS, 0) | ALONE


def _unanswered(one: _Resolution) -> dict:
    """The row of an address for which no binding is known."""
    interface, vlan = interface_and_vlan(one.link_id)
    return EMPTY | {
        **{name: getattr(one, name) for name in RESOLUTION},
        "interface": interface,
        "vlan": vlan,
        "asked_for": one.mac if one.mac >= 0 else None,
        "unanswered": one.open - one.probes if one.probes < one.open else 0,
    }


def _in_time(asked: int | None, answered: int | None) -> bool:
    return asked is None or answered is None or answered - asked <= ANSWER_TIME


def _macs(values: list[int | None]) -> pl.Series:
    """MAC addresses as text, null for none."""
    used = [value for value in dict.fromkeys(values) if value is not None]
    text = dict(zip(used, texts(Field("", mac, ""), np.array(used, np.uint64)).tolist())) if used else {}
    return pl.Series([None if value is None else text[value] for value in values], dtype=pl.String)
