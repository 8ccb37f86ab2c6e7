"""Zeek's conn_state, history and byte counts, by its documented rules (docs.zeek.org, base/protocols/conn/main.zeek).

conn_state: S0 "attempt seen, no reply"; S1 "established, not terminated"; SF "normal establishment and termination"; REJ "attempt
rejected"; S2, S3 "established and close attempt by originator (responder) seen"; RSTO, RSTR "established, originator (responder)
aborted"; RSTOS0 "originator sent a SYN followed by a RST, never a SYN-ACK"; RSTRH "responder sent a SYN-ACK followed by a RST, never a
SYN"; SH, SHR the same with FIN; OTH "no SYN seen, just midstream traffic".

history: s SYN without ACK, h SYN+ACK, a pure ACK, d data, f FIN, r RST, g a content gap, t data retransmitted, w window of zero, i
inconsistent (FIN+RST), q several flags (SYN+FIN, SYN+RST), ^ direction flipped; capitals for the originator. a, d, i, q once for each
direction; f, h, r, s again if the number differs from the last; g, t, w once for 1, 10, 100 … events.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from conftest import BATCHES, Dialogue, pcap

from analyzer import Analysis


def repeat(talk: Dialogue, n: int, *segment: Any, **more: Any) -> Dialogue:
    for _ in range(n):
        talk.add(*segment, **more)
    return talk


def opened() -> Dialogue:
    return Dialogue().open()


def asked() -> Dialogue:
    """A question of 3 bytes, acknowledged; an answer of 2, acknowledged: ShADad."""
    return opened().add("c", "PA", 1, 1, b"GET").add("s", "A", 1, 4).add("s", "PA", 1, 4, b"OK").add("c", "A", 4, 3)


def tiny(n: int) -> Dialogue:
    """A byte of the client sent n times again."""
    return repeat(opened().add("c", "PA", 1, 1, b"x"), n, "c", "PA", 1, 1, b"x")


def holes(n: int) -> Dialogue:
    """The server acknowledges n times ten bytes of the client that no frame holds."""
    talk = opened().add("c", "PA", 1, 1, b"x").add("s", "A", 1, 2)
    for i in range(n):
        talk.add("s", "A", 1, 12 + 10 * i)
    return talk


CASES: dict[str, tuple[Callable[[], Dialogue], str, str]] = {
    "SYN": (lambda: Dialogue().add("c", "S", 0), "S0", "S"),
    "SYN again, same number": (lambda: repeat(Dialogue(), 3, "c", "S", 0), "S0", "S"),
    "handshake": (opened, "S1", "ShA"),
    "handshake and data": (asked, "S1", "ShADad"),
    "client closes": (lambda: opened().add("c", "FA", 1, 1).add("s", "A", 1, 2).add("s", "FA", 1, 2).add("c", "A", 2, 2), "SF", "ShAFaf"),
    "server closes": (lambda: asked().add("s", "FA", 3, 4).add("c", "FA", 4, 4).add("s", "A", 4, 5), "SF", "ShADadfF"),
    "refused": (lambda: Dialogue().add("c", "S", 0).add("s", "RA", 0, 1), "REJ", "Sr"),
    "only the client closes": (lambda: opened().add("c", "FA", 1, 1).add("s", "A", 1, 2), "S2", "ShAFa"),
    "only the server closes": (lambda: opened().add("s", "FA", 1, 1).add("c", "A", 1, 2), "S3", "ShAf"),
    "client aborts": (lambda: asked().add("c", "RA", 4, 3), "RSTO", "ShADadR"),
    "server aborts": (lambda: asked().add("s", "RA", 3, 4), "RSTR", "ShADadr"),
    "client aborts, unanswered": (lambda: Dialogue().add("c", "S", 0).add("c", "R", 1), "RSTOS0", "SR"),
    "SYN scan": (lambda: Dialogue().add("c", "S", 0).add("s", "SA", 0, 1).add("c", "R", 1), "RSTO", "ShR"),
    "SYN,ACK and RST": (lambda: Dialogue().add("s", "SA", 0, 1).add("s", "R", 1), "RSTRH", "^hr"),
    "SYN and FIN": (lambda: Dialogue().add("c", "S", 0).add("c", "FA", 1, 1), "SH", "SF"),
    "SYN,ACK and FIN": (lambda: Dialogue().add("s", "SA", 0, 1).add("s", "FA", 1, 1), "SHR", "^hf"),
    "the middle": (lambda: Dialogue().add("c", "PA", 1, 1, b"x").add("s", "A", 1, 2).add("s", "PA", 1, 2, b"y"), "OTH", "Dad"),
    "the middle, the server first": (lambda: Dialogue().add("s", "PA", 1, 1, b"x").add("c", "A", 1, 2), "OTH", "^dA"),
    "both ask": (
        lambda: (
            Dialogue().add("c", "S", 0).add("s", "S", 0).add("c", "SA", 0, 1).add("s", "SA", 0, 1).add("c", "A", 1, 1).add("s", "A", 1, 1)
        ),
        "S1",
        "SsHhAa",
    ),
    "SYN,ACK with another number": (lambda: Dialogue().add("c", "S", 0).add("s", "SA", 0, 1).add("s", "SA", 700, 1), "OTH", "Shh"),
    "FIN again, same number": (lambda: repeat(asked(), 3, "c", "FA", 4, 3), "S2", "ShADadF"),
    "FIN again, another number": (lambda: asked().add("c", "FA", 4, 3).add("c", "FA", 9, 3), "S2", "ShADadFF"),
    "RSTs, same number and another": (lambda: asked().add("c", "R", 4).add("c", "R", 4).add("c", "R", 9), "RSTO", "ShADadRR"),
    "9 repetitions": (lambda: tiny(9), "S1", "ShADT"),
    "10 repetitions": (lambda: tiny(10), "S1", "ShADTT"),
    "100 repetitions": (lambda: tiny(100), "S1", "ShADTTT"),
    "9 holes": (lambda: holes(9), "S1", "ShADaG"),
    "10 holes": (lambda: holes(10), "S1", "ShADaGG"),
    "zero windows": (lambda: repeat(asked(), 9, "s", "A", 3, 4, window=0), "S1", "ShADadw"),
    "10 zero windows": (lambda: repeat(asked(), 10, "s", "A", 3, 4, window=0), "S1", "ShADadww"),
    "zero windows of both": (lambda: asked().add("s", "A", 3, 4, window=0).add("c", "A", 4, 3, window=0), "S1", "ShADadwW"),
}


@pytest.mark.parametrize("name", CASES)
def test_state_and_history(name, save):
    make, state, history = CASES[name]
    file = save(pcap(*make().frames))
    for size in BATCHES:
        assert Analysis(file, batch_frames=size).table("streams").select("conn_state", "history").rows() == [(state, history)]


@pytest.mark.parametrize(("flags", "letter"), [("SF", "Q"), ("SR", "Q"), ("FR", "I")])
def test_flags_that_do_not_go_together_are_said_once_for_each_direction(save, flags, letter):
    talk = repeat(Dialogue(), 3, "c", flags, 0)
    (result,) = Analysis(save(pcap(*talk.frames))).table("streams")["history"].to_list()
    assert result.count(letter) == 1
    talk = repeat(repeat(opened(), 2, "c", flags, 0), 2, "s", flags, 0)
    result = Analysis(save(pcap(*talk.frames))).table("streams")["history"].to_list()[0]
    assert result.count(letter) == result.count(letter.lower()) == 1


BYTES = "client_payload_bytes", "server_payload_bytes", "client_unseen_bytes", "server_unseen_bytes"
COUNTS: dict[
    str, tuple[Callable[[], Dialogue], tuple[int, ...]]
] = {  # orig_bytes, resp_bytes by the numbers; missed_bytes of each direction
    "nothing": (opened, (0, 0, 0, 0)),
    "a question and its answer": (asked, (3, 2, 0, 0)),
    "closed: a FIN is no byte": (lambda: asked().add("s", "FA", 3, 4).add("c", "FA", 4, 4).add("s", "A", 4, 5), (3, 2, 0, 0)),
    "sent again": (lambda: tiny(9), (1, 0, 0, 0)),
    "acknowledged and not there": (lambda: holes(3), (31, 0, 30, 0)),
    "not there, then late": (lambda: holes(1).add("c", "PA", 2, 1, b"0123456789"), (11, 0, 0, 0)),
    "before the first that is there": (  # the capture begins in the middle, amid reordering
        lambda: (
            Dialogue().add("c", "PA", 11, 1, b"0123456789").add("s", "A", 1, 21).add("c", "PA", 1, 1, b"0123456789").add("s", "A", 1, 21)
        ),
        (10, 0, 0, 0),
    ),
    "of the server": (lambda: asked().add("c", "A", 4, 103), (3, 102, 0, 100)),
    "the numbers wrap": (lambda: Dialogue(client=2**32 - 2).open().add("c", "PA", 1, 1, b"12345").add("s", "A", 1, 6), (5, 0, 0, 0)),
    "the middle": (lambda: Dialogue().add("c", "PA", 500, 900, b"12345").add("s", "PA", 900, 505, b"67"), (5, 2, 0, 0)),
}


@pytest.mark.parametrize("name", COUNTS)
def test_bytes_are_counted_by_their_numbers(name, save):
    make, expected = COUNTS[name]
    file = save(pcap(*make().frames))
    for size in BATCHES:
        assert Analysis(file, batch_frames=size).table("streams").select(BYTES).rows() == [expected]
