"""Syslog over UDP. RFC 5424, RFC 5426; the older form: RFC 3164."""

import numpy as np

from ..fields import Column, Field, Headers, Layout, Protocol, text, u8
from .common.parts import Parts, split

LOCAL = 16  # the first of eight facilities that are for local use
FACILITY = {0: "kernel", 1: "user", 2: "mail", 3: "daemon", 4: "auth", 5: "syslog", 6: "printer", 7: "news", 8: "uucp", 9: "clock",
            10: "authpriv", 11: "ftp", 12: "ntp", 13: "audit", 14: "alert", 15: "cron"}  # fmt: skip
FACILITY |= {LOCAL + n: f"local{n}" for n in range(8)}
LEVEL = {0: "emergency", 1: "alert", 2: "critical", 3: "error", 4: "warning", 5: "notice", 6: "informational", 7: "debug"}
DIGITS = 3  # of the priority value: RFC 5424 §6.2.1
HEAD = 512  # bytes searched for the parts before the message
DATE = 15  # bytes of `Nov 24 23:18:52`, RFC 3164 §4.1.2
COLONS, BLANKS = (9, 12), (3, 6)  # their offsets in the date
PARTS = ("version", None, "hostname", "appname", "procid", "msgid")  # of RFC 5424 §6, by place; the second is the time


def _number(h: Headers) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(whether there is a priority value, that number, start of the message) of each header."""
    at, end = h.start.copy(), np.minimum(h.wire, h.end)
    there = (at < end) & (h.buffer[at] == ord("<"))
    at += there
    number = np.zeros(len(h), np.int64)
    digit = there.copy()
    for _ in range(DIGITS):
        digit &= (at < end) & (h.buffer[at] >= ord("0")) & (h.buffer[at] <= ord("9"))
        number = np.where(digit, number * 10 + h.buffer[at] - ord("0"), number)
        at += digit
    at += there & (at < end) & (h.buffer[at] == ord(">"))
    return there, number, at


def _derived(h: Headers) -> dict[str, Column]:
    parts = Parts(h, FIELDS)
    there, number, at = _number(h)
    rows = np.flatnonzero(there)
    parts.put("syslog.facility", (number[rows] >> 3 & 0x7F).astype(np.uint8), rows, h.start[rows])
    parts.put("syslog.level", (number[rows] & 7).astype(np.uint8), rows, h.start[rows])
    end = np.minimum(h.wire, h.end)
    every = np.arange(len(h))
    parts.text("syslog.msg", every, at, end)
    _date(parts, every, at, end)
    _new(parts, at, end)
    return dict(parts.columns())


def _new(parts: Parts, at: np.ndarray, end: np.ndarray) -> None:
    """RFC 5424 §6: a version from 1 on, and five words; `-` stands for none."""
    h = parts.h
    rows = np.flatnonzero((at + 1 < end) & (h.buffer[at] >= ord("1")) & (h.buffer[at] <= ord("9")) & (h.buffer[at + 1] == ord(" ")))
    owner, nth, start, stop, ended = split(h.buffer, at[rows], np.minimum(end[rows], at[rows] + HEAD), ord(" "))
    present = ended & ~((stop - start == 1) & (h.buffer[start] == ord("-")))
    for place, name in enumerate(PARTS):
        if name is not None:
            which = present & (nth == place)
            parts.text(f"syslog.{name}", rows[owner[which]], start[which], stop[which])


def _date(parts: Parts, rows: np.ndarray, at: np.ndarray, end: np.ndarray) -> None:
    """RFC 3164 §4.1.2: month, day and time, then the host's name."""
    h = parts.h
    dated = at + DATE + 1 < end
    for places, byte in ((COLONS, ":"), ((*BLANKS, DATE), " ")):
        for place in places:
            dated &= h.buffer[np.minimum(at + place, end)] == ord(byte)
    rows = rows[dated]
    parts.text("syslog.timestamp_rfc3164", rows, at[rows], at[rows] + DATE)
    begin = at[rows] + DATE + 1
    owner, nth, start, stop, ended = split(h.buffer, begin, np.minimum(end[rows], begin + HEAD), ord(" "))
    name = (nth == 0) & ended & (h.buffer[np.maximum(stop - 1, 0)] != ord(":"))  # a word with a colon is the program: no host
    parts.text("syslog.hostname", rows[owner[name]], start[name], stop[name])


HEADER = Layout()
FIELDS = (
    Field("syslog.facility", u8, "Facility", "kind of the program", value_names=FACILITY),
    Field("syslog.level", u8, "Severity", value_names=LEVEL),
    Field("syslog.msg", text, "Message"),
    Field("syslog.timestamp_rfc3164", text, "Time", "by the sender's clock and without a year, RFC 3164"),
    Field("syslog.version", text, "Version", "RFC 5424"),
    Field("syslog.hostname", text, "Host"),
    Field("syslog.appname", text, "Program"),
    Field("syslog.procid", text, "Process"),
    Field("syslog.msgid", text, "Type of message"),
)

PROTOCOL = Protocol(
    "Syslog",
    header=HEADER,
    on={"udp.port": 514},
    info="{syslog.facility:words}.{syslog.level:words}: {syslog.msg}",
    derived=((FIELDS, _derived),),
)
