"""A row is a TLS connection, over TCP or in QUIC: what the client offered, what the server selected, its certificate, a fatal alert."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from ..conversations import pairs
from ..dissection import Dissection
from ..fields import Column, Field, Headers, flag, seconds, text, time, u16, u32, u64
from ..protocols import register
from ..protocols.common.tls_cipher_suites import GREASE
from ..protocols.common.tls_handshake import NAMED_VERSION
from . import Table
from ._columns import TIME, dtype_of, series
from ._ends import pair

if TYPE_CHECKING:
    from ..capture import Source

FIELDS = {  # column of messages → field
    "type": "tls.handshake.type",
    "kind": "tls.record.type",
    "hello": "tls.handshake.version",
    "versions": "tls.handshake.extensions.supported_version",
    "chosen": "tls.handshake.chosen_version",
    "suite": "tls.handshake.ciphersuite",
    "share": "tls.handshake.extensions_key_share_group",
    "curve": "tls.handshake.server_named_curve",
    "session": "tls.handshake.session_id",
    "ticket": "tls.handshake.ticket_offered",
    "key": "tls.handshake.extensions.psk.identity.selected",
    "retry": "tls.handshake.retry",
    "server_name": "tls.handshake.extensions_server_name",
    "alpn": "tls.handshake.extensions_alpn_str",
    "subject": "tls.certificate.subject",
    "issuer": "tls.certificate.issuer",
    "not_before": "tls.certificate.not_before",
    "not_after": "tls.certificate.not_after",
    "names": "tls.certificate.names",
    "alert": "tls.alert_message.means",
    "ja3": "tls.handshake.ja3",
    "ja3s": "tls.handshake.ja3s",
    "ja4": "tls.handshake.ja4",
}
FIRST = ("hello", "suite", "share", "curve", "session", "ticket", "key", "server_name", "subject", "issuer", "not_before", "not_after")
CLIENT_HELLO, SERVER_HELLO, CERTIFICATE = 1, 2, 11  # handshake types, RFC 8446 §4
CHANGE_CIPHER_SPEC = 20  # content type, RFC 8446 §5.1


class TABLE(Table):
    name = "tls_connections"
    description = "a TLS connection: version, suite, server name, application protocol, certificate, resumption, alert, fingerprints"
    columns = (
        Field("transport", text, "Transport", "tcp or quic"),
        Field("stream", u32, "Stream", "tcp.stream, or quic.connection.number"),
        Field("client", text, "Client", "who sent the client hello"),
        Field("client_port", u16, "Client's port"),
        Field("server", text, "Server"),
        Field("server_port", u16, "Server's port"),
        Field("frame", u64, "Frame", "of the first hello or alert"),
        Field("time", time, "Time", "of that frame"),
        Field("answer_time", seconds, "Answer time", "from the client hello to the last server hello"),
        Field("server_name", text, "Server name", "that the client wants (SNI)"),
        Field("offered", text, "Newest version offered"),
        Field("version", text, "Version", "that the server chose"),
        Field("cipher", text, "Cipher suite"),
        Field("group", text, "Group", "of the key exchange"),
        Field("alpn", text, "Application protocol", "that the server chose; TLS 1.3 encrypts it"),
        Field("resumed", flag, "Resumed", "keys of a session before, or known beforehand"),
        Field("retried", flag, "Asked for another client hello"),
        Field("subject", text, "Subject", "of the server's certificate; TLS 1.3 encrypts it"),
        Field("issuer", text, "Issuer"),
        Field("not_before", time, "Valid from"),
        Field("not_after", time, "Valid until"),
        Field("names", text, "Names", "that the certificate stands for"),
        Field("alert", text, "Alert", "the first that is readable and tells a failure: who sent it, why"),
        Field("ja3", text, "JA3"),
        Field("ja3s", text, "JA3S"),
        Field("ja4", text, "JA4"),
    )
    needs = frozenset({*FIELDS.values(), "tcp.stream", "quic.connection.number", "frame.time"})

    def __init__(self) -> None:
        self.messages: list[pl.DataFrame] = []

    def feed(self, d: Dissection) -> pl.DataFrame | None:
        for h in d.chunks.get("tls", ()):
            if "direction" in h.context and len(h) and len(messages := _messages(d, h)):
                self.messages.append(messages)
        for h in d.chunks.get("tls.quic", ()):
            if len(h) and len(messages := _messages(d, h)):
                self.messages.append(messages)
        return None

    def finish(self, sources: list[Source], others: dict[str, pl.DataFrame]) -> pl.DataFrame | None:
        if not self.messages:
            return None
        messages = pl.concat(self.messages).sort("frame", maintain_order=True)
        connection = ["transport", "stream"]
        client, server = (pl.col("direction").filter(pl.col(f"{who}_hello")).first() for who in ("client", "server"))
        server = pl.coalesce(server, 1 ^ client)
        roles = messages.group_by(connection).agg(server.alias("server_direction"), pl.col("direction").first().alias("first_direction"))
        messages = messages.join(roles, on=connection, maintain_order="left")
        messages = messages.with_columns(from_server=pl.col("direction") == pl.coalesce("server_direction", pl.col("first_direction") ^ 1))
        rows = (
            messages.group_by(connection, maintain_order=True).agg(*_aggregations()).sort("transport", "stream", descending=[True, False])
        )
        return _rows(rows).select(pl.col(f.name).cast(dtype_of(f)) for f in self.columns)


def _messages(d: Dissection, h: Headers) -> pl.DataFrame:
    """The handshake messages, readable alerts and ChangeCipherSpecs of a batch: a row for each."""
    relevant = np.zeros(len(h), bool)
    over_tcp = h.protocol.name == "tls"
    relevant[h.column("tls.handshake.type").rows] = True
    if over_tcp:
        relevant[h.column("tls.alert_message.means").rows] = True
        relevant |= h["tls.record.type"] == CHANGE_CIPHER_SPEC
    rows = np.flatnonzero(relevant)
    if not len(rows):
        return pl.DataFrame()
    h = h.take(rows)
    transport, at, direction = h, np.arange(len(h)), None
    while transport.protocol.name not in ("tcp", "udp"):
        if transport.protocol.name == "quic":
            direction = 2 * transport["quic.connection.number"].astype(np.int64)[at]
        at, parent = transport.row[at], transport.parent
        assert parent is not None
        transport = parent
    keys, reverse = pairs(transport, (f"{transport.protocol.name}.srcport", f"{transport.protocol.name}.dstport"))
    ends = pair(keys[at].tobytes(), reverse[at])
    stamps = d.frames.column("frame.time")
    direction = h.context_of("direction") if direction is None else direction + reverse[at]
    columns = [
        pl.Series("transport", ["tcp" if over_tcp else "quic"] * len(h)),
        pl.Series("stream", direction >> 1),
        pl.Series("direction", direction),
        pl.Series("frame", h.frame + d.batch.first),
        series(Field("time", time, ""), Column(*stamps), len(d), None).gather(h.frame),
        *(one.alias(name) for end, names in zip(ends, (("source", "sport"), ("target", "dport"))) for one, name in zip(end, names)),
    ]
    for name, field in FIELDS.items():
        f = register()[field].field
        column = (
            h.column(field) if h.protocol.name in register()[field].owners else Column(np.empty(0, f.kind.dtype), np.empty(0, np.int64))
        )
        columns.append(series(f, column, len(h), h.buffer).alias(name))
    messages = pl.DataFrame(columns).with_columns(
        client_hello=pl.col("type").list.contains(CLIENT_HELLO),
        server_hello=pl.col("type").list.contains(SERVER_HELLO),
        certified=pl.col("type").list.contains(CERTIFICATE),
        changed=pl.col("kind") == CHANGE_CIPHER_SPEC,
        offered=pl.concat_list("hello", "versions").list.filter(~pl.element().is_in(list(GREASE))).list.max(),
        alpn=pl.col("alpn").list.first(),
        names=pl.when(pl.col("names").list.len() > 0).then(pl.col("names").list.join(", ")),
        **{name: pl.col(name).list.first() for name in (*FIRST, "ja3", "ja3s", "ja4")},
    )
    return messages.drop("type", "kind", "versions")


def _aggregations() -> list[pl.Expr]:
    """The columns of a connection from its messages."""
    client, server = pl.col("client_hello"), pl.col("server_hello")

    def requested(name: str) -> pl.Expr:
        return pl.col(name).filter(client).first()

    def chosen(name: str) -> pl.Expr:
        return pl.col(name).filter(server).last()

    def of_server(name: str) -> pl.Expr:
        return pl.col(name).filter(pl.col("from_server") & pl.col(name).is_not_null()).first()

    from_server, failed = pl.col("from_server"), pl.col("alert").is_not_null()
    return [
        *(pl.when(from_server).then(a).otherwise(b).first().alias(name) for name, a, b in ENDS),
        pl.col("frame").first(),
        pl.col("time").first(),
        (chosen("time") - requested("time")).alias("answer_time"),
        *(requested(name) for name in ("server_name", "offered", "ja3", "ja4", "ticket")),
        requested("session").alias("client_session"),
        chosen("session").alias("session"),
        *(chosen(name) for name in ("chosen", "suite", "share", "key", "alpn", "ja3s")),
        *(of_server(name) for name in ("curve", "subject", "issuer", "not_before", "not_after", "names")),
        pl.col("retry").fill_null(False).any().alias("retried"),
        (from_server & pl.col("certified")).any().alias("certified"),
        (from_server & pl.col("changed")).any().alias("changed"),
        pl.col("alert").filter(failed).first(),
        from_server.filter(failed).first().alias("alert_by_server"),
    ]


ENDS = (
    ("client", pl.col("target"), pl.col("source")),
    ("client_port", pl.col("dport"), pl.col("sport")),
    ("server", pl.col("source"), pl.col("target")),
    ("server_port", pl.col("sport"), pl.col("dport")),
)


def _rows(rows: pl.DataFrame) -> pl.DataFrame:
    """Names of versions, suites and groups; resumption; who sent the alert."""
    suites, groups = (register()[FIELDS[name]].field.value_names for name in ("suite", "share"))
    assert suites and groups
    same = (pl.col("session") != "") & (pl.col("session") == pl.col("client_session"))
    ticket = (pl.col("ticket").fill_null("") != "") & ~pl.col("certified") & pl.col("changed")
    newest = pl.col("chosen") >= 0x0304
    return rows.with_columns(
        offered=_named("offered", NAMED_VERSION),
        version=_named("chosen", NAMED_VERSION),
        cipher=_named("suite", dict(suites)),
        group=pl.coalesce(_named("share", dict(groups)), _named("curve", dict(groups))),
        resumed=pl.when(pl.col("chosen").is_null())
        .then(None)
        .when(newest)
        .then(pl.col("key").is_not_null())
        .otherwise(same.fill_null(False) | ticket),
        alert=pl.when(pl.col("alert_by_server")).then(pl.lit("server: ")).otherwise(pl.lit("client: ")) + pl.col("alert"),
        not_before=pl.col("not_before").cast(TIME),
        not_after=pl.col("not_after").cast(TIME),
    )


def _named(name: str, names: dict[int, str]) -> pl.Expr:
    """The name of each number; those without one in hexadecimal digits."""
    numbers = pl.col(name).cast(pl.Int64)
    unknown = numbers.map_elements(lambda n: f"0x{n:04x}", return_dtype=pl.String)
    return numbers.replace_strict(names, default=None, return_dtype=pl.String).fill_null(unknown)
