"""A row is a TCP connection: who opened it, its handshake, both directions in figures, how it ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl

from ..expert import evaluate
from ..expert._connections import Connections, EndFacts
from ..expert._wording import count, endpoint, frames
from ..expert.connection import accept_ignored, overflowed
from ..expert.streams import UNOPENED
from ..fields import Field, Kind, flag, ipv4, ipv6, seconds, text, texts, time, u8, u16, u32, u64
from ..tcp import facts, figures
from ..tcp._facts import CASE, END, Facts
from ..tcp._figures import ABOUT, COUNTS, SUMS, Figures
from . import Table
from ._columns import SPAN, TIME, dtype_of
from ._ends import pair, state, tracked

if TYPE_CHECKING:
    from ..capture import Source
    from ..dissect import Dissection

ROWS = 4096  # connections made into rows at a time, so that the matrices of figures stay small
Numbers = dict[str, np.ndarray]


class Figure(NamedTuple):
    """A column that each side has. what: from the side's figures to its values. there: where it has one; None: everywhere."""

    name: str
    kind: Kind
    label: str
    description: str
    what: Callable[[Numbers], np.ndarray]
    there: Callable[[Numbers], np.ndarray] | None = None


def _plain(name: str, label: str, description: str = "", kind: Kind = u64) -> Figure:
    return Figure(name, kind, label, description, lambda f: f[name])


def _measured(name: str, label: str, count: str, of: str = "", kind: Kind = seconds, description: str = "") -> Figure:
    """A figure that is there only if something was counted."""
    return Figure(name, kind, label, description, lambda f: f[of or name], lambda f: f[count] > 0)


def _stdev(sample: str) -> Callable[[Numbers], np.ndarray]:
    """Standard deviation of a sampled time, ns; 0 for one value."""

    def made(f: Numbers) -> np.ndarray:
        n, total = np.maximum(f[f"{sample}_count"], 1), f[f"{sample}_sum"]
        rest = np.maximum(f[f"{sample}_squares"] - total * total / n, 0)
        return np.sqrt(rest / np.maximum(n - 1, 1)).astype(np.int64)

    return made


def _mean(total: str, count: str) -> Callable[[Numbers], np.ndarray]:
    return lambda f: (f[total] / np.maximum(f[count], 1)).astype(np.int64)


def _timed(prefix: str, label: str, sample: str) -> tuple[Figure, ...]:
    """Least, greatest, mean and deviation of a sampled time, one of SAMPLES."""
    count = f"{sample}_count"
    return (
        _measured(f"{prefix}_min", f"{label}, least", count, f"{sample}_min"),
        _measured(f"{prefix}_max", f"{label}, greatest", count, f"{sample}_max"),
        Figure(f"{prefix}_avg", seconds, f"{label}, mean", "", _mean(f"{sample}_sum", count), lambda f: f[count] > 0),
        Figure(f"{prefix}_stdev", seconds, f"{label}, deviation", "", _stdev(sample), lambda f: f[count] > 0),
    )


def _closed(f: Numbers) -> np.ndarray:
    """The sides whose SYN was seen, and a FIN in a later segment, bool."""
    return (f["syn_number"] >= 0) & (f["fin_number"] > f["syn_number"])


def _length(f: Numbers) -> np.ndarray:
    """Bytes between SYN and FIN."""
    return f["fin_number"] - f["syn_number"] - 1


SIDE = (  # tcptrace's long report, in its order
    _plain("packets", "Packets"),
    _plain("ip_bytes", "IP bytes", "whole IP datagrams"),
    _plain("resets", "Resets"),
    _plain("acks", "Segments with ACK"),
    _plain("pure_acks", "Pure ACKs", "no data, SYN, FIN or RST"),
    _plain("sacks", "Segments with SACK"),
    _plain("dsacks", "Segments with D-SACK", "RFC 2883"),
    _plain("most_blocks", "SACK blocks, most"),
    _plain("unique_bytes", "Unique bytes", "of data, retransmissions and window probes left out"),
    _plain("data_packets", "Data packets"),
    _plain("data_bytes", "Data bytes", "retransmissions included"),
    _plain("retransmitted_packets", "Retransmitted packets"),
    _plain("retransmitted_bytes", "Retransmitted bytes"),
    _plain("probe_packets", "Zero-window probes"),
    _plain("probe_bytes", "Zero-window probe bytes"),
    _plain("out_of_order", "Out of order", "filled a hole, repeated nothing"),
    _plain("pushed_packets", "Pushed data packets"),
    _plain("syns", "SYNs"),
    _plain("fins", "FINs"),
    Figure("window_scale", u8, "Window scale offered", "", lambda f: f["scale"], lambda f: f["scale"] >= 0),
    Figure("timestamps_offered", flag, "Timestamps offered", "", lambda f: f["timestamps"] > 0),
    Figure("sack_offered", flag, "SACK offered", "", lambda f: f["sack_permitted"] > 0),
    Figure("ecn_offered", flag, "ECN offered", "in the SYN; RFC 3168", lambda f: f["ecn"] & 1 > 0),
    Figure("ecn_echoed", flag, "Congestion echoed", "ECE after the handshake", lambda f: f["ecn"] & 2 > 0),
    _plain("urgent_packets", "Urgent packets"),
    _plain("urgent_bytes", "Urgent bytes", "sum of the urgent pointers"),
    Figure("mss", u16, "MSS", "bytes of data that it takes in a segment", lambda f: f["mss"], lambda f: f["mss"] >= 0),
    _measured("max_segment", "Segment, greatest", "data_packets", kind=u64, description="bytes of data"),
    _measured("min_segment", "Segment, least", "data_packets", kind=u64),
    Figure("avg_segment", u64, "Segment, mean", "", _mean("data_bytes", "data_packets"), lambda f: f["data_packets"] > 0),
    _plain("max_window", "Window, greatest", "bytes that it takes, scaled; those of SYNs only if there are no others"),
    _plain("min_window", "Window, least", "zero left out"),
    _plain("zero_windows", "Zero windows", "segments that closed it"),
    Figure("avg_window", u64, "Window, mean", "", lambda f: np.where(f["windows"] > 0, _mean("window_sum", "windows")(f), f["max_window"])),
    _plain("zero_time", "Window closed", "time between a zero window and the next that is not", seconds),
    _plain("max_outstanding", "Outstanding, greatest", "bytes sent and not acknowledged"),
    _plain("min_outstanding", "Outstanding, least", "zero left out"),
    Figure("avg_outstanding", u64, "Outstanding, mean", "", _mean("outstanding_sum", "outstandings"), lambda f: f["outstandings"] > 0),
    Figure(
        "weighted_outstanding",
        u64,
        "Outstanding, weighted by time",
        "",
        lambda f: f["weighted_outstanding"] // np.maximum(f["duration"] // 1000, 1),
    ),
    _plain("initial_bytes", "Initial window, bytes", "sent before the first of them was acknowledged"),
    _plain("initial_packets", "Initial window, packets"),
    Figure("stream_length", u64, "Stream length", "SYN to FIN", _length, _closed),
    Figure(
        "missed_bytes",
        u64,
        "Missed bytes",
        "of the stream length, in no frame",
        lambda f: np.maximum(_length(f) - f["unique_bytes"] - f["probe_bytes"], 0),
        _closed,
    ),
    _plain(
        "payload_bytes", "Payload bytes", "from the first number of data to the last that was sent or acknowledged, gaps included; Zeek's"
    ),
    _plain("unseen_bytes", "Unseen bytes", "acknowledged, in no frame: the capture lacks them; Zeek's missed_bytes"),
    _plain("truncated_bytes", "Truncated bytes", "not kept by the capture"),
    _plain("truncated_packets", "Truncated packets"),
    Figure("transmit_time", seconds, "Data transmit time", "first to last data", lambda f: f["last_data"] - f["first_data"]),
    _plain("max_idle", "Idle, longest", "between two packets of this side", seconds),
    _plain("hardware_duplicates", "Duplicates by hardware", "same numbers and same IP identification, of a host that changes it; RFC 6864"),
    Figure(
        "throughput",
        u64,
        "Throughput",
        "unique bytes a second, over the whole connection",
        lambda f: (f["unique_bytes"] * 1e9 / np.maximum(f["duration"], 1)).astype(np.int64),
        lambda f: f["duration"] > 0,
    ),
    Figure("rtt_samples", u64, "Round trips sampled", "ACKs of what was sent once; Karn's algorithm", lambda f: f["rtt_count"]),
    *_timed("rtt", "Round trip", "rtt"),
    _measured("rtt_handshake", "Round trip of the SYN", "rtt_handshake"),
    Figure("full_samples", u64, "Round trips of full segments", "the greatest of the side", lambda f: f["full_count"]),
    *_timed("full_rtt", "Round trip of full segments", "full"),
    _plain("post_loss_acks", "ACKs after loss", "not sampled: something sent later filled a hole"),
    Figure("ambiguous_acks", u64, "Ambiguous ACKs", "of what was sent more than once", lambda f: f["last_count"]),
    *_timed("last_rtt", "Round trip of the last sending", "last"),
    _plain("cumulative_acks", "Segments acknowledged together"),
    _plain("duplicate_acks", "Duplicate ACKs", "that its data got; RFC 5681 §2"),
    _plain("triple_duplicate_acks", "Triple duplicate ACKs"),
    _plain("timeouts", "Retransmission time-outs", "sent again because a timer ran out"),
    _plain("needless", "Needless retransmissions", "of what was acknowledged"),
    _plain("filled", "Lost before the capture", "segments whose first sending is in no frame; judged by IP identification and timestamps"),
    _plain("reordered", "Reordered", "late, but sent before what overtook them; judged in the same way"),
    _plain("keep_alives", "Keep-alives"),
    _plain("max_retransmissions", "Retransmissions of one segment, most"),
    *_timed("retransmit", "Time to retransmit", "retransmit"),
)
OWN = (
    Field("stream", u32, "Stream", "tcp.stream"),
    Field("client", text, "Client", "who sent the SYN; the better guess where none was seen"),
    Field("client_port", u16, "Client port"),
    Field("server", text, "Server"),
    Field("server_port", u16, "Server port"),
    Field("client_guessed", flag, "Client guessed", "no SYN was seen"),
    Field("first_frame", u64, "First frame"),
    Field("last_frame", u64, "Last frame"),
    Field("start", time, "Start"),
    Field("duration", seconds, "Duration", "first to last frame"),
    Field("frames", u64, "Frames"),
    Field("handshake", text, "Handshake", "complete, or what is missing"),
    Field("handshake_rtt", seconds, "Handshake time", "SYN to the ACK that ends it"),
    Field("syn_rtt", seconds, "SYN to SYN,ACK"),
    Field("scaled", flag, "Windows scaled", "both offered it; RFC 7323"),
    Field("sack", flag, "SACK", "both permit it; RFC 2018"),
    Field("timestamps", flag, "Timestamps", "both offered them; RFC 7323"),
    Field("ecn", flag, "ECN", "both offered it; RFC 3168"),
    Field("client_state", text, "Client's state", "after the last segment, as seen here; RFC 9293"),
    Field("server_state", text, "Server's state"),
    Field("closed_by", text, "Closed by", "who sent the first FIN"),
    Field("reset_by", text, "Reset by", "who sent the first RST"),
    Field("reset_frame", u64, "Reset in frame"),
    Field("reused_ports", flag, "Ports used again", "an earlier connection had them"),
    Field("severity", text, "Severity", "of the verdict: error, warn, note, chat"),
    Field("kind", text, "Kind of verdict", "`analyze fields connection` lists them"),
    Field("verdict", text, "Verdict", "one sentence, with the frames that prove it"),
    Field("conn_state", text, "Zeek's conn_state", "S0 S1 SF REJ S2 S3 RSTO RSTR RSTOS0 RSTRH SH SHR OTH"),
    Field("history", text, "Zeek's history", "what happened, in order; capitals: the client"),
)


class TABLE(Table):
    name = "streams"
    description = "a TCP connection: who opened it, handshake, both directions in figures, how it ended"
    columns = (*OWN, *(Field(f"{side}_{one.name}", one.kind, one.label, one.description) for side in ("client", "server") for one in SIDE))
    needs = figures.NEEDS

    def __init__(self) -> None:
        self.figures = Figures()
        self.facts = Facts()
        self.end = 0

    def feed(self, d: Dissection) -> pl.DataFrame | None:
        s, which = tracked(d)
        if len(d.batch):
            self.end = max(self.end, int(d.batch.time.max()))
        if s is not None:
            size = s.datagrams()
            figures.feed(self.figures, s, which, size)
            facts.feed(self.facts, s, np.flatnonzero(s["live"]), size)  # a verdict on what a filter kept would lie
            if s.gone:
                return self._written(s.gone)
        return None

    def finish(self, sources: list[Source], others: dict[str, pl.DataFrame]) -> pl.DataFrame | None:
        rows = self._written(list(range(len(self.figures))))
        return None if rows is None else self._crowded(rows)

    def _written(self, streams: list[int]) -> pl.DataFrame | None:
        """The rows of these streams, which are forgotten then."""
        room = min(len(streams), ROWS)
        about = np.zeros((room, len(ABOUT)), np.int64)
        side = np.zeros((2 * room, len(COUNTS)), np.int64)
        sums = np.zeros((2 * room, len(SUMS)), np.float64)
        parts = []
        for at in range(0, len(streams), ROWS):
            keys = self.figures.write(streams[at : at + ROWS], about.data, side.data, sums.data)
            if keys:
                parts.append(self._rows(keys, about.T, side.T, sums.T))
        return pl.concat(parts) if parts else None

    def _crowded(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The verdicts that only many connections tell: whether no answer to a SYN means a full listen queue."""
        refusing = (rows["kind"] == "no answer to the SYN").to_numpy()
        if not refusing.any():
            return rows
        start = rows["start"].to_physical().to_numpy()
        idle = (rows["server_data_bytes"] == 0) & (rows["server_fins"] == 0) & (rows["server_resets"] + rows["client_resets"] == 0)
        answered = (rows["server_syns"] > 0).to_numpy()
        full = overflowed(
            rows.select(pl.struct("server", "server_port").rank("dense")).to_series().to_numpy(),
            refusing,
            rows["client_syns"].to_numpy(),
            start,
            start + rows["duration"].to_physical().to_numpy(),
            np.where(answered, np.where(idle.to_numpy(), start, 0), -1),
        )
        at = np.flatnonzero(full)
        said = [
            f"{endpoint(one['server'], one['server_port'])} did not take the connection: {count(one['client_syns'], 'SYN')} of "
            f"{endpoint(one['client'], one['client_port'])} ({frames(one['first_frame'], one['last_frame'])}) had no answer while "
            f"{count(queue, 'connection')} that it had answered before stood open and were not served: its listen queue is full."
            for one, queue in zip(rows[at].iter_rows(named=True), full[at].tolist(), strict=True)
        ]
        return rows.with_columns(
            rows["kind"].scatter(at, accept_ignored.kind),
            rows["verdict"].scatter(at, pl.Series(said, dtype=pl.String)),
        )

    def _rows(self, keys: list[bytes], about: np.ndarray, side: np.ndarray, sums: np.ndarray) -> pl.DataFrame:
        """Rows of the connections with these keys. The matrices have a row for each figure."""
        n = len(keys)
        a = dict(zip(ABOUT, about[:, :n]))
        duration = a["last_time"] - a["first_time"]
        sides = []
        for which in (0, 1):
            numbers = dict(zip(COUNTS, side[:, which : 2 * n : 2])) | dict(zip(SUMS, sums[:, which : 2 * n : 2]))
            sides.append(numbers | {"duration": duration})
        case, ends = np.empty((n, len(CASE)), np.int64), np.empty((2 * n, len(END)), np.int64)
        others = self.facts.write(np.ascontiguousarray(a["stream"]), case.data, ends.data)
        for numbers, own in zip(sides, (ends[0::2], ends[1::2])):
            numbers |= {name: own[:, END.index(of)] for name, of in FACTS.items()}
            numbers["payload_bytes"] = _payload(numbers, *(own[:, END.index(name)] for name in ("top", "una")))
        columns = self._own(a, keys, *sides)
        columns |= self._judged(columns, case, ends, (sides[0], sides[1]), [_address(reporter) for _, reporter in others])
        columns["conn_state"] = _conn_state(*sides)
        columns["history"] = pl.Series([history for history, _ in others], dtype=pl.String)
        for prefix, numbers in zip(("client", "server"), sides):
            for one in SIDE:
                columns[f"{prefix}_{one.name}"] = _column(one.what(numbers), None if one.there is None else one.there(numbers), one.kind)
        made = ((f.name, dtype_of(f), columns[f.name]) for f in self.columns)
        return pl.DataFrame({name: column if column.dtype == dtype else column.cast(dtype) for name, dtype, column in made})

    def _judged(
        self,
        own: dict[str, pl.Series],
        case: np.ndarray,
        ends: np.ndarray,
        sides: tuple[Numbers, Numbers],
        reporters: list[str],
    ) -> dict[str, pl.Series]:
        """The verdicts."""
        made = []
        for which, name in enumerate(("client", "server")):
            side, other = sides[which], sides[1 - which]
            figures = {name: side[of] for name, of in FIGURED.items()}
            figures |= {"dsacks_got": other["dsacks"], "sacks_got": other["sacks"]}
            made.append(EndFacts(ends[which::2], figures, own[name].to_list(), own[f"{name}_port"].to_list()))
        connections = Connections(case, made[0], made[1], sides[0]["duration"], reporters, self.end)
        verdicts = zip(("severity", "kind", "verdict"), evaluate(connections, "connection"), strict=True)
        return {name: pl.Series(column, dtype=pl.String) for name, column in verdicts}

    def _own(self, a: Numbers, keys: list[bytes], client: Numbers, server: Numbers) -> dict[str, pl.Series]:
        (client_address, client_port), (server_address, server_port) = pair(b"".join(keys), a["client"] == 1)
        client_end = np.where(a["client"] == 1, 2, 1)
        who = {name: np.where(a[name] == 0, "", np.where(a[name] == client_end, "client", "server")) for name in ("closer", "resetter")}
        done = a["handshake_time"] > 0
        states = [state(a["states"], shift) for shift in (8, 12)]
        return {
            "stream": _column(a["stream"]),
            "client": client_address,
            "client_port": client_port,
            "server": server_address,
            "server_port": server_port,
            "client_guessed": _column(a["guessed"] > 0),
            "first_frame": _column(a["first_frame"]),
            "last_frame": _column(a["last_frame"]),
            "start": _column(a["first_time"]).cast(TIME),
            "duration": _column(a["last_time"] - a["first_time"]).cast(SPAN),
            "frames": _column(client["packets"] + server["packets"]),
            "handshake": _handshake(a, done),
            "handshake_rtt": _column(a["handshake_time"] - a["syn_time"], done),
            "syn_rtt": _column(a["synack_time"] - a["syn_time"], (a["synack_time"] > 0) & (a["syn_time"] > 0)),
            "scaled": _column((client["scale"] >= 0) & (server["scale"] >= 0)),
            "sack": _column((client["sack_permitted"] > 0) & (server["sack_permitted"] > 0)),
            "timestamps": _column((client["timestamps"] > 0) & (server["timestamps"] > 0)),
            "ecn": _column((client["ecn"] & server["ecn"] & 1) > 0),
            "client_state": states[0],
            "server_state": states[1],
            "closed_by": _named(who["closer"]),
            "reset_by": _named(who["resetter"]),
            "reset_frame": _column(a["reset_frame"], a["resetter"] > 0),
            "reused_ports": _column(a["reused"] > 0),
        }


FIGURED = {  # what rules call a figure → the figure
    "bytes": "unique_bytes",
    "duplicates": "duplicate_acks",
    "outstanding": "max_outstanding",
    "cut": "truncated_packets",
    "fins": "fins",
}
FACTS = {  # columns of a side → facts of `tcp_facts.END`
    "unseen_bytes": "missed",
    "timeouts": "timeouts",
    "needless": "needless",
    "filled": "filled",
    "reordered": "reordered",
    "keep_alives": "kept_alive",
}


def _payload(side: Numbers, top: np.ndarray, una: np.ndarray) -> np.ndarray:
    """Bytes of data by their numbers: from behind the SYN, or from the first that was seen, to the last; a FIN is none."""
    behind = np.where(side["fin_number"] >= 0, side["fin_number"], np.maximum(top, una))
    return np.maximum(behind - 1, 0)


def _conn_state(client: Numbers, server: Numbers) -> pl.Series:
    """How Zeek names what became of a connection: its documented rules, `conn.log`, conn_state. No SYN at all is OTH."""
    asked, agreed = client["syns"] > 0, server["syns"] > 0
    client_reset, server_reset = client["resets"] > 0, server["resets"] > 0
    client_fin, server_fin = client["fins"] > 0, server["fins"] > 0
    empty = (client["unique_bytes"] == 0) & (server["unique_bytes"] == 0)
    cases = (
        (~asked & ~agreed, "OTH"),
        (server_reset & asked & ~agreed & ~client_fin, "REJ"),
        (server_reset & client_reset & empty & asked, "REJ"),
        (server_reset & ~asked, "RSTRH"),
        (server_reset, "RSTR"),
        (client_reset & ~agreed, "RSTOS0"),
        (client_reset, "RSTO"),
        (client_fin & server_fin, "SF"),
        (client_fin & ~agreed, "SH"),
        (client_fin, "S2"),
        (server_fin & ~asked, "SHR"),
        (server_fin, "S3"),
        (server["packets"] == 0, "S0"),
        (asked & agreed & (client["acks"] > 0), "S1"),
    )
    return pl.Series(np.select([holds for holds, _ in cases], [name for _, name in cases], "OTH").tolist(), dtype=pl.String)


def _address(value: object) -> str:
    """An address as columns have it, in text; '' for None."""
    if value is None:
        return ""
    field = Field("", ipv6 if isinstance(value, bytes) else ipv4, "")
    return texts(field, np.array([value], field.kind.dtype)).tolist()[0]


def _handshake(a: Numbers, done: np.ndarray) -> pl.Series:
    syn, synack = a["syn_time"] > 0, a["synack_time"] > 0
    said = np.select([done, syn & synack, syn, synack], ["complete", "no ACK of the SYN,ACK", "no SYN,ACK", "no SYN"], "not in the capture")
    return pl.Series(said.tolist(), dtype=pl.String)


def _named(values: np.ndarray) -> pl.Series:
    """Text, null where it is empty."""
    return pl.Series([one or None for one in values.tolist()], dtype=pl.String)


PLAIN = {name: np.dtype(form) for name, form in (("u8", "u1"), ("u16", "u2"), ("u32", "u4"), ("flag", "?"), ("seconds", "m8[ns]"))}


def _column(values: np.ndarray, there: np.ndarray | None = None, kind: Kind = u64) -> pl.Series:
    """A column of that kind, null where `there` (bool) is False."""
    made = pl.Series(values.astype(PLAIN.get(kind.name, np.dtype(np.int64))))
    return made if there is None or there.all() else made.set(pl.Series(~there), None)


def grouped(rows: pl.DataFrame) -> pl.DataFrame:
    """What became of the connections to one address and port, for `expert.streams`: a row for each of several."""
    col = pl.col
    failed = col("kind").is_in(UNOPENED)
    opened = rows.select((~failed).sum()).item()
    made = rows.group_by("server", "server_port", maintain_order=True).agg(
        pl.len().alias("asked"),
        failed.sum().alias("failed"),
        col("client").first(),
        col("client").n_unique().alias("clients"),
        col("kind").unique(maintain_order=True).alias("kinds"),
        col("first_frame").min(),
        col("last_frame").max(),
    )
    return made.filter(col("asked") > 1).with_columns((opened - col("asked") + col("failed")).alias("elsewhere"))
