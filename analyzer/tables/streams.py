"""A row is a TCP connection: who opened it, its handshake, figures of both directions, how it ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl

from ..expert import evaluate
from ..expert._connections import Connections, EndFacts
from ..expert._wording import count, endpoint, frames
from ..expert.connection import accept_ignored, overflowed
from ..expert.streams import UNOPENED
from ..fields import Field, Kind, flag, ipv4, ipv6, seconds, text, texts, time, u8, u16, u32, u64
from ..tcp import facts, figures
from ..tcp._facts import CONNECTION_FACTS, END_FACTS, Facts
from ..tcp._figures import CONNECTION_FIGURES, COUNTS, SUMS, Figures
from . import Table
from ._columns import dtype_of
from ._ends import pair, state, tracked

if TYPE_CHECKING:
    from ..capture import Source
    from ..dissection import Dissection

ROWS = 4096  # connections written at a time: keeps the matrices of figures small
SIDES = ("client", "server")
Values = dict[str, Any]  # a figure or fact → its values, one per connection: an array, or a Series of text


class Column(NamedTuple):
    """A column of the table. value: computes it from the figures and facts of the connections or of one direction, None: it is the
    one of that name. present: where it has a value, bool; None: everywhere."""

    name: str
    kind: Kind
    label: str
    description: str = ""
    value: Callable[[Values], Any] | None = None
    present: Callable[[Values], np.ndarray] | None = None

    def series(self, of: Values) -> pl.Series:
        """The column, null where it has no value."""
        values = of[self.name] if self.value is None else self.value(of)
        if not isinstance(values, pl.Series):
            values = pl.Series(values.astype(DTYPES.get(self.kind.name, np.int64)))
        present = None if self.present is None else self.present(of)
        return values if present is None or present.all() else values.set(pl.Series(~present), None)


DTYPES: dict[str, Any] = {"u8": "u1", "u16": "u2", "u32": "u4", "flag": "?", "seconds": "m8[ns]"}


def _counted(name: str, label: str, count: str, of: str = "", kind: Kind = seconds, description: str = "") -> Column:
    """A figure that has a value only if something was counted."""
    return Column(name, kind, label, description, lambda f: f[of or name], lambda f: f[count] > 0)


def _stdev(sample: str) -> Callable[[Values], np.ndarray]:
    """Standard deviation of a sampled time, ns; 0 for one value."""

    def stdev(f: Values) -> np.ndarray:
        n, total = np.maximum(f[f"{sample}_count"], 1), f[f"{sample}_sum"]
        rest = np.maximum(f[f"{sample}_squares"] - total * total / n, 0)
        return np.sqrt(rest / np.maximum(n - 1, 1)).astype(np.int64)

    return stdev


def _mean(total: str, count: str) -> Callable[[Values], np.ndarray]:
    return lambda f: (f[total] / np.maximum(f[count], 1)).astype(np.int64)


def _sampled(prefix: str, label: str, sample: str) -> tuple[Column, ...]:
    """Least, greatest, mean and deviation of a sampled time, one of SAMPLES."""
    count = f"{sample}_count"
    return (
        _counted(f"{prefix}_min", f"{label}, least", count, f"{sample}_min"),
        _counted(f"{prefix}_max", f"{label}, greatest", count, f"{sample}_max"),
        Column(f"{prefix}_avg", seconds, f"{label}, mean", "", _mean(f"{sample}_sum", count), lambda f: f[count] > 0),
        Column(f"{prefix}_stdev", seconds, f"{label}, deviation", "", _stdev(sample), lambda f: f[count] > 0),
    )


def _closed(f: Values) -> np.ndarray:
    """The directions whose SYN is in the capture, and a FIN in a later segment, bool."""
    return (f["syn_number"] >= 0) & (f["fin_number"] > f["syn_number"])


def _length(f: Values) -> np.ndarray:
    """Bytes between SYN and FIN."""
    return f["fin_number"] - f["syn_number"] - 1


def _payload(f: Values) -> np.ndarray:
    """Bytes of data by their sequence numbers: from the one after the SYN, or the first in the capture, to the last, FIN excluded."""
    fin: np.ndarray = f["fin_number"]
    return np.maximum(np.where(fin >= 0, fin, np.maximum(f["top"], f["una"])) - 1, 0)


def _conn_state(c: Values) -> pl.Series:
    """Zeek's conn_state. Rules: Zeek's documentation of `conn.log`. Without any SYN it is OTH."""
    asked, agreed = c["client_syns"] > 0, c["server_syns"] > 0
    client_reset, server_reset = c["client_resets"] > 0, c["server_resets"] > 0
    client_fin, server_fin = c["client_fins"] > 0, c["server_fins"] > 0
    empty = (c["client_unique_bytes"] == 0) & (c["server_unique_bytes"] == 0)
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
        (c["server_packets"] == 0, "S0"),
        (asked & agreed & (c["client_acks"] > 0), "S1"),
    )
    return pl.Series(np.select([holds for holds, _ in cases], [name for _, name in cases], "OTH").tolist(), dtype=pl.String)


def _handshake(c: Values) -> pl.Series:
    syn, synack = c["syn_time"] > 0, c["synack_time"] > 0
    steps = [c["handshake_time"] > 0, syn & synack, syn, synack]
    state = np.select(steps, ["complete", "no ACK of the SYN,ACK", "no SYN,ACK", "no SYN"], "not in the capture")
    return pl.Series(state.tolist(), dtype=pl.String)


def _role(name: str) -> Callable[[Values], pl.Series]:
    """'client' or 'server', null for none, of a figure that numbers the ends: 0 none, 1 the smaller, 2 the greater."""

    def role(c: Values) -> pl.Series:
        by_client = c[name] == c["client"] + 1
        return pl.Series([(None, "server", "client")[k] for k in np.where(c[name] > 0, 1 + by_client, 0).tolist()], dtype=pl.String)

    return role


def _both(name: str, least: int = 1) -> Callable[[Values], np.ndarray]:
    """Whether a figure of both directions is `least` or more."""
    return lambda c: (c[f"client_{name}"] >= least) & (c[f"server_{name}"] >= least)


DIRECTION = (  # the columns of each direction: tcptrace's long report, in its order
    Column("packets", u64, "Packets"),
    Column("ip_bytes", u64, "IP bytes", "whole IP datagrams"),
    Column("resets", u64, "Resets"),
    Column("acks", u64, "Segments with ACK"),
    Column("pure_acks", u64, "Pure ACKs", "no data, SYN, FIN or RST"),
    Column("sacks", u64, "Segments with SACK"),
    Column("dsacks", u64, "Segments with D-SACK", "RFC 2883"),
    Column("most_blocks", u64, "SACK blocks, most"),
    Column("unique_bytes", u64, "Unique bytes", "of data, retransmissions and window probes left out"),
    Column("data_packets", u64, "Data packets"),
    Column("data_bytes", u64, "Data bytes", "retransmissions included"),
    Column("retransmitted_packets", u64, "Retransmitted packets"),
    Column("retransmitted_bytes", u64, "Retransmitted bytes"),
    Column("probe_packets", u64, "Zero-window probes"),
    Column("probe_bytes", u64, "Zero-window probe bytes"),
    Column("out_of_order", u64, "Out of order", "filled a hole, repeated nothing"),
    Column("pushed_packets", u64, "Pushed data packets"),
    Column("syns", u64, "SYNs"),
    Column("fins", u64, "FINs"),
    Column("window_scale", u8, "Window scale offered", "", lambda f: f["scale"], lambda f: f["scale"] >= 0),
    Column("timestamps_offered", flag, "Timestamps offered", "", lambda f: f["timestamps"] > 0),
    Column("sack_offered", flag, "SACK offered", "", lambda f: f["sack_permitted"] > 0),
    Column("ecn_offered", flag, "ECN offered", "in the SYN; RFC 3168", lambda f: f["ecn"] & 1 > 0),
    Column("ecn_echoed", flag, "Congestion echoed", "ECE after the handshake", lambda f: f["ecn"] & 2 > 0),
    Column("urgent_packets", u64, "Urgent packets"),
    Column("urgent_bytes", u64, "Urgent bytes", "sum of the urgent pointers"),
    Column("mss", u16, "MSS", "bytes of data that it takes in a segment", None, lambda f: f["mss"] >= 0),
    _counted("max_segment", "Segment, greatest", "data_packets", kind=u64, description="bytes of data"),
    _counted("min_segment", "Segment, least", "data_packets", kind=u64),
    Column("avg_segment", u64, "Segment, mean", "", _mean("data_bytes", "data_packets"), lambda f: f["data_packets"] > 0),
    Column("max_window", u64, "Window, greatest", "bytes that it takes, scaled; those of SYNs only if there are no others"),
    Column("min_window", u64, "Window, least", "zero left out"),
    Column("zero_windows", u64, "Zero windows", "segments that closed it"),
    Column("avg_window", u64, "Window, mean", "", lambda f: np.where(f["windows"] > 0, _mean("window_sum", "windows")(f), f["max_window"])),
    Column("zero_time", seconds, "Window closed", "time between a zero window and the next that is not"),
    Column("max_outstanding", u64, "Outstanding, greatest", "bytes sent and not acknowledged"),
    Column("min_outstanding", u64, "Outstanding, least", "zero left out"),
    Column("avg_outstanding", u64, "Outstanding, mean", "", _mean("outstanding_sum", "outstandings"), lambda f: f["outstandings"] > 0),
    Column(
        "weighted_outstanding",
        u64,
        "Outstanding, weighted by time",
        "",
        lambda f: f["weighted_outstanding"] // np.maximum(f["duration"] // 1000, 1),
    ),
    Column("initial_bytes", u64, "Initial window, bytes", "sent before the first of them was acknowledged"),
    Column("initial_packets", u64, "Initial window, packets"),
    Column("stream_length", u64, "Stream length", "SYN to FIN", _length, _closed),
    Column(
        "missed_bytes",
        u64,
        "Missed bytes",
        "of the stream length, in no frame",
        lambda f: np.maximum(_length(f) - f["unique_bytes"] - f["probe_bytes"], 0),
        _closed,
    ),
    Column(
        "payload_bytes",
        u64,
        "Payload bytes",
        "from the first number of data to the last that was sent or acknowledged, gaps included; Zeek's",
        _payload,
    ),
    Column(
        "unseen_bytes", u64, "Unseen bytes", "acknowledged, in no frame: the capture lacks them; Zeek's missed_bytes", lambda f: f["missed"]
    ),
    Column("truncated_bytes", u64, "Truncated bytes", "not kept by the capture"),
    Column("truncated_packets", u64, "Truncated packets"),
    Column("transmit_time", seconds, "Data transmit time", "first to last data", lambda f: f["last_data"] - f["first_data"]),
    Column("max_idle", seconds, "Idle, longest", "between two packets of this side"),
    Column(
        "hardware_duplicates", u64, "Duplicates by hardware", "same numbers and same IP identification, of a host that changes it; RFC 6864"
    ),
    Column(
        "throughput",
        u64,
        "Throughput",
        "unique bytes a second, over the whole connection",
        lambda f: (f["unique_bytes"] * 1e9 / np.maximum(f["duration"], 1)).astype(np.int64),
        lambda f: f["duration"] > 0,
    ),
    Column("rtt_samples", u64, "Round trips sampled", "ACKs of what was sent once; Karn's algorithm", lambda f: f["rtt_count"]),
    *_sampled("rtt", "Round trip", "rtt"),
    _counted("rtt_handshake", "Round trip of the SYN", "rtt_handshake"),
    Column("full_samples", u64, "Round trips of full segments", "the greatest of the side", lambda f: f["full_count"]),
    *_sampled("full_rtt", "Round trip of full segments", "full"),
    Column("post_loss_acks", u64, "ACKs after loss", "not sampled: something sent later filled a hole"),
    Column("ambiguous_acks", u64, "Ambiguous ACKs", "of what was sent more than once", lambda f: f["last_count"]),
    *_sampled("last_rtt", "Round trip of the last sending", "last"),
    Column("cumulative_acks", u64, "Segments acknowledged together"),
    Column("duplicate_acks", u64, "Duplicate ACKs", "that its data got; RFC 5681 §2"),
    Column("triple_duplicate_acks", u64, "Triple duplicate ACKs"),
    Column("timeouts", u64, "Retransmission time-outs", "sent again because a timer ran out"),
    Column("needless", u64, "Needless retransmissions", "of what was acknowledged"),
    Column(
        "filled", u64, "Lost before the capture", "segments whose first sending is in no frame; judged by IP identification and timestamps"
    ),
    Column("reordered", u64, "Reordered", "late, but sent before what overtook them; judged in the same way"),
    Column("keep_alives", u64, "Keep-alives", "", lambda f: f["kept_alive"]),
    Column("max_retransmissions", u64, "Retransmissions of one segment, most"),
    *_sampled("retransmit", "Time to retransmit", "retransmit"),
)
CONNECTION = (
    Column("stream", u32, "Stream", "tcp.stream"),
    Column("client", text, "Client", "who sent the SYN; the better guess where none was seen", lambda c: c["client_address"]),
    Column("client_port", u16, "Client port"),
    Column("server", text, "Server", "", lambda c: c["server_address"]),
    Column("server_port", u16, "Server port"),
    Column("client_guessed", flag, "Client guessed", "no SYN was seen", lambda c: c["guessed"]),
    Column("first_frame", u64, "First frame"),
    Column("last_frame", u64, "Last frame"),
    Column("start", time, "Start", "", lambda c: c["first_time"]),
    Column("duration", seconds, "Duration", "first to last frame"),
    Column("frames", u64, "Frames", "", lambda c: c["client_packets"] + c["server_packets"]),
    Column("handshake", text, "Handshake", "complete, or what is missing", _handshake),
    Column(
        "handshake_rtt",
        seconds,
        "Handshake time",
        "SYN to the ACK that ends it",
        lambda c: c["handshake_time"] - c["syn_time"],
        lambda c: c["handshake_time"] > 0,
    ),
    Column(
        "syn_rtt",
        seconds,
        "SYN to SYN,ACK",
        "",
        lambda c: c["synack_time"] - c["syn_time"],
        lambda c: (c["synack_time"] > 0) & (c["syn_time"] > 0),
    ),
    Column("scaled", flag, "Windows scaled", "both offered it; RFC 7323", _both("scale", 0)),
    Column("sack", flag, "SACK", "both permit it; RFC 2018", _both("sack_permitted")),
    Column("timestamps", flag, "Timestamps", "both offered them; RFC 7323", _both("timestamps")),
    Column("ecn", flag, "ECN", "both offered it; RFC 3168", lambda c: c["client_ecn"] & c["server_ecn"] & 1),
    Column("client_state", text, "Client's state", "after the last segment, as seen here; RFC 9293", lambda c: state(c["states"], 8)),
    Column("server_state", text, "Server's state", "", lambda c: state(c["states"], 12)),
    Column("closed_by", text, "Closed by", "who sent the first FIN", _role("closer")),
    Column("reset_by", text, "Reset by", "who sent the first RST", _role("resetter")),
    Column("reset_frame", u64, "Reset in frame", "", None, lambda c: c["resetter"] > 0),
    Column("reused_ports", flag, "Ports used again", "an earlier connection had them", lambda c: c["reused"]),
    Column("severity", text, "Severity", "of the verdict: error, warn, note, chat"),
    Column("kind", text, "Kind of verdict", "`analyze fields connection` lists them"),
    Column("verdict", text, "Verdict", "one sentence, with the frames that prove it"),
    Column("conn_state", text, "Zeek's conn_state", "S0 S1 SF REJ S2 S3 RSTO RSTR RSTOS0 RSTRH SH SHR OTH", _conn_state),
    Column("history", text, "Zeek's history", "what happened, in order; capitals: the client"),
)


class TABLE(Table):
    name = "streams"
    description = "a TCP connection: who opened it, handshake, both directions in figures, how it ended"
    columns = (
        *(Field(c.name, c.kind, c.label, c.description) for c in CONNECTION),
        *(Field(f"{side}_{c.name}", c.kind, c.label, c.description) for side in SIDES for c in DIRECTION),
    )
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
            if s.evicted:
                return self._written(s.evicted)
        return None

    def finish(self, sources: list[Source], others: dict[str, pl.DataFrame]) -> pl.DataFrame | None:
        rows = self._written(list(range(len(self.figures))))
        return None if rows is None else self._crowded(rows)

    def _written(self, streams: list[int]) -> pl.DataFrame | None:
        """The rows of these streams, whose figures and facts are dropped."""
        most = min(len(streams), ROWS)
        connections = np.zeros((most, len(CONNECTION_FIGURES)), np.int64)
        counts = np.zeros((2 * most, len(COUNTS)), np.int64)
        sums = np.zeros((2 * most, len(SUMS)), np.float64)
        parts = []
        for at in range(0, len(streams), ROWS):
            keys = self.figures.write(streams[at : at + ROWS], connections.data, counts.data, sums.data)
            if keys:
                parts.append(self._rows(keys, connections[: len(keys)], counts[: 2 * len(keys)], sums[: 2 * len(keys)]))
        return pl.concat(parts) if parts else None

    def _crowded(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The verdicts that take several connections: whether an unanswered SYN means a full listen queue."""
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
        printed = [
            f"{endpoint(one['server'], one['server_port'])} did not take the connection: {count(one['client_syns'], 'SYN')} of "
            f"{endpoint(one['client'], one['client_port'])} ({frames(one['first_frame'], one['last_frame'])}) had no answer while "
            f"{count(queue, 'connection')} that it had answered before stood open and were not served: its listen queue is full."
            for one, queue in zip(rows[at].iter_rows(named=True), full[at].tolist(), strict=True)
        ]
        return rows.with_columns(
            rows["kind"].scatter(at, accept_ignored.kind), rows["verdict"].scatter(at, pl.Series(printed, dtype=pl.String))
        )

    def _rows(self, keys: list[bytes], connections: np.ndarray, counts: np.ndarray, sums: np.ndarray) -> pl.DataFrame:
        """Rows of the connections with these keys. The matrices are those of `Figures.write`."""
        n = len(keys)
        c: Values = dict(zip(CONNECTION_FIGURES, connections.T, strict=True))
        c["duration"] = c["last_time"] - c["first_time"]
        facts, ends = np.empty((n, len(CONNECTION_FACTS)), np.int64), np.empty((2 * n, len(END_FACTS)), np.int64)
        others = self.facts.write(np.ascontiguousarray(c["stream"]), facts.data, ends.data)
        c["history"] = pl.Series([history for history, _ in others], dtype=pl.String)
        directions = []
        for k, (side, (address, port)) in enumerate(zip(SIDES, pair(b"".join(keys), c["client"] == 1), strict=True)):
            f: Values = dict(zip(END_FACTS, ends[k::2].T, strict=True))  # of a fact and a figure with one name, the figure counts
            f |= zip((*COUNTS, *SUMS), (*counts[k::2].T, *sums[k::2].T), strict=True)
            f["duration"] = c["duration"]
            directions.append(f)
            c |= {f"{side}_{name}": values for name, values in f.items()} | {f"{side}_address": address, f"{side}_port": port}
        c |= self._judged(c, facts, ends, directions, [_address(reporter) for _, reporter in others])
        columns = [column.series(c) for column in CONNECTION]
        columns += [column.series(f) for f in directions for column in DIRECTION]
        return pl.DataFrame([s.cast(dtype_of(f)).alias(f.name) for f, s in zip(self.columns, columns, strict=True)])

    def _judged(
        self, c: Values, facts: np.ndarray, ends: np.ndarray, directions: list[Values], reporters: list[str]
    ) -> dict[str, pl.Series]:
        """The verdicts."""
        made = []
        for which, name in enumerate(SIDES):
            side, other = directions[which], directions[1 - which]
            figures = {name: side[of] for name, of in FIGURED.items()}
            figures |= {"dsacks_got": other["dsacks"], "sacks_got": other["sacks"]}
            made.append(EndFacts(ends[which::2], figures, c[f"{name}_address"].to_list(), c[f"{name}_port"].to_list()))
        connections = Connections(facts, made[0], made[1], c["duration"], reporters, self.end)
        verdicts = zip(("severity", "kind", "verdict"), evaluate(connections, "connection"), strict=True)
        return {name: pl.Series(column, dtype=pl.String) for name, column in verdicts}


FIGURED = {  # a name in the rules → the figure
    "bytes": "unique_bytes",
    "duplicates": "duplicate_acks",
    "outstanding": "max_outstanding",
    "cut": "truncated_packets",
    "fins": "fins",
}


def _address(value: object) -> str:
    """An address as text; '' for None."""
    if value is None:
        return ""
    field = Field("", ipv6 if isinstance(value, bytes) else ipv4, "")
    return texts(field, np.array([value], field.kind.dtype)).tolist()[0]


def grouped(rows: pl.DataFrame) -> pl.DataFrame:
    """The outcomes of the connections to one address and port, for `expert.streams`; only ports with several connections."""
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
