"""A row is an RTP stream: the packets of one source from one address and port to another, with loss and jitter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from .._conversations import Numbers
from ..conversations import KEY, Clock, pairs
from ..dissection import Dissection
from ..fields import Field, Headers, seconds, text, time, u16, u32, u64
from ..protocols.rtp import RATES, TYPES
from ..protocols.sdp import media
from . import Table
from ._columns import SPAN, TIME, dtype_of
from ._ends import pair
from ._rtp_streams import OUTPUT, RtpStreams

if TYPE_CHECKING:
    from ..capture import Source

SDP_RATES = 100_000  # clock rates from SDP that are remembered


class TABLE(Table):
    name = "rtp_streams"
    description = "an RTP stream: packets, loss, order, jitter (RFC 3550)"
    columns = (
        Field("source", text, "Source"),
        Field("source_port", u16, "Source's port"),
        Field("target", text, "Target"),
        Field("target_port", u16, "Target's port"),
        Field("ssrc", u32, "SSRC"),
        Field("payload_types", text, "Payload types"),
        Field("setup_frame", u64, "Set up in", "frame whose SDP announced it"),
        Field("first_frame", u64, "First frame"),
        Field("start", time, "Start"),
        Field("duration", seconds, "Duration"),
        Field("packets", u64, "Packets"),
        Field("bytes", u64, "Bytes", "of payload"),
        Field("lost", u64, "Lost", "sequence numbers between the least and the greatest that are not in the capture"),
        Field("duplicates", u64, "Duplicates", "packets that came again within 64 sequence numbers"),
        Field("late", u64, "Late", "packets after one with a greater sequence number"),
        Field("restarts", u32, "Restarts", "of the sequence numbers"),
        Field("longest_gap", seconds, "Longest gap", "between two packets"),
        Field("jitter", seconds, "Jitter", "at the end, RFC 3550 §6.4.1; null where the clock rate is not known"),
        Field("jitter_max", seconds, "Greatest jitter"),
    )
    needs = frozenset({"rtp.ssrc", "rtp.payload", "rtp.setup-frame", "sdp.media", "frame.time"})

    def __init__(self) -> None:
        self.numbers = Numbers()
        self.streams = RtpStreams()
        self.clock = Clock()
        self.ends: list[tuple[bytes, bool, int, int]] = []  # key, whether reversed, SSRC, frame of the SDP (0: none)
        self.types: list[int] = []  # bit n: payload type n occurs
        self.rates: dict[tuple[int, int], int] = {}  # stream, payload type → clock rate, Hz
        self.sdp_rates: dict[tuple[int, int, int], int] = {}  # address, port, payload type → clock rate from SDP

    def feed(self, d: Dissection) -> pl.DataFrame | None:
        for h in d.chunks.get("sdp", ()):
            for one in media(h):
                if one.address is not None and len(self.sdp_rates) < SDP_RATES:
                    self.sdp_rates |= {(one.address, one.port, kind): rate for kind, rate in one.rates.items()}
        when = self.clock(d.batch)
        parts = [columns for h in d.chunks.get("rtp", ()) if (columns := _packets(h)) is not None]
        if not parts:
            return None
        key, back, ssrc, kind, setup, frame, seq, stamp, size = (np.concatenate(column) for column in zip(*parts))
        order = np.argsort(frame, kind="stable")
        back, ssrc, kind, setup, frame, seq, stamp, size = (c[order] for c in (back, ssrc, kind, setup, frame, seq, stamp, size))
        whole = np.zeros((len(order), KEY + 8), np.uint8)
        whole[:, :KEY] = key[order]
        whole[:, KEY : KEY + 4] = ssrc.astype(">u4").view(np.uint8).reshape(-1, 4)
        whole[:, KEY + 4] = back
        stream = np.empty(len(order), np.int64)
        self.numbers.number(whole.view(f"V{KEY + 8}").reshape(-1).tolist(), stream.data)
        used, first = np.unique(stream, return_index=True)
        for number, at in zip(used.tolist(), first.tolist()):
            if number == len(self.ends):
                self.ends.append((whole[at, :KEY].tobytes(), bool(back[at]), int(ssrc[at]), int(setup[at])))
                self.types.append(0)
        both, inverse = np.unique(stream << 7 | kind, return_inverse=True)
        rates = np.array([self._rate(one >> 7, one & 127) for one in both.tolist()], np.int64)[inverse.reshape(-1)]
        self.streams.feed(np.stack((stream, frame + d.batch.first, when[frame], seq, stamp, size, rates)))
        return None

    def _rate(self, stream: int, kind: int) -> int:
        """The clock rate of a payload type in a stream, 0 if it is not known; notes that the type occurs."""
        self.types[stream] |= 1 << kind
        if (stream, kind) not in self.rates:
            rate = RATES.get(kind, 0)
            key, _, _, _ = self.ends[stream]
            a_high, a_low, b_high, b_low, ports = np.frombuffer(key, np.uint64).tolist()
            for end in ((a_high << 64 | a_low, ports >> 16 & 0xFFFF), (b_high << 64 | b_low, ports & 0xFFFF)):
                rate = self.sdp_rates.get((*end, kind), rate)
            self.rates[stream, kind] = rate
        return self.rates[stream, kind]

    def finish(self, sources: list[Source], others: dict[str, pl.DataFrame]) -> pl.DataFrame | None:
        if not self.ends:
            return None
        output = dict(zip(OUTPUT, np.array(self.streams.rows(), np.int64).T))
        back = np.array([one[1] for one in self.ends], bool)
        (source, sport), (target, dport) = pair(b"".join(one[0] for one in self.ends), back)
        names = [", ".join(TYPES.get(n, str(n)) for n in range(128) if bits >> n & 1) for bits in self.types]
        timed = pl.Series(output["timed"] > 0)
        table = pl.DataFrame(
            {
                "source": source,
                "source_port": sport,
                "target": target,
                "target_port": dport,
                "ssrc": pl.Series([one[2] for one in self.ends]),
                "payload_types": pl.Series(names),
                "setup_frame": pl.Series([one[3] or None for one in self.ends], dtype=pl.Int64),
                "first_frame": output["first_frame"],
                "start": pl.Series(output["start"]).cast(TIME),
                "duration": pl.Series(output["end"] - output["start"]).cast(SPAN),
                **{name: output[name] for name in ("packets", "bytes", "lost", "duplicates", "late", "restarts")},
                "longest_gap": pl.Series(output["longest"]).cast(SPAN),
                "jitter": pl.Series(output["jitter"]).set(~timed, None).cast(SPAN),
                "jitter_max": pl.Series(output["most"]).set(~timed, None).cast(SPAN),
            }
        )
        return table.select(pl.col(f.name).cast(dtype_of(f)) for f in self.columns).sort("first_frame", maintain_order=True)


def _packets(h: Headers) -> tuple[np.ndarray, ...] | None:
    """Of the packets in UDP: key (uint8 (n, KEY)), whether reversed, SSRC, payload type, frame of the SDP (0: none), row in the batch,
    sequence number, timestamp, bytes of payload."""
    udp = h.parent
    rows = np.flatnonzero(h.whole & ~h.quoted & (h["rtp.version"] == 2))
    if udp is None or udp.protocol.name != "udp" or not len(rows):
        return None
    key, back = (column[h.row[rows]] for column in pairs(udp, ("udp.srcport", "udp.dstport")))
    bounds, owner = h.column("rtp.payload")
    size = np.zeros(len(h), np.int64)
    size[owner] = bounds[:, 1] - bounds[:, 0]
    numbers = (h[f"rtp.{name}"].astype(np.int64)[rows] for name in ("ssrc", "p_type", "setup-frame"))
    words = np.ascontiguousarray(key).view(np.uint8).reshape(-1, KEY)
    return (
        words,
        back,
        *numbers,
        h.frame[rows],
        h["rtp.seq"][rows].astype(np.int64),
        h["rtp.timestamp"][rows].astype(np.int64),
        size[rows],
    )
