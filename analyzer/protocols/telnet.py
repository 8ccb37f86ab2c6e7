"""Telnet. RFC 854; options: RFC 855, https://www.iana.org/assignments/telnet-options

A row is what one segment completed; a command in two segments stands with the second.
"""

import re

import numpy as np

from ..fields import Column, Field, Headers, Protocol, text, u8, u16
from .common import _telnet
from .common.commands import text_column, utf8
from .common.framing import ContiguousRuns, Framed, complete
from .common.parts import Parts

COMMANDS = {
    236: "end of file", 237: "suspend process", 238: "abort process", 239: "end of record", 240: "end of suboption", 241: "no operation",
    242: "data mark", 243: "break", 244: "interrupt process", 245: "abort output", 246: "are you there", 247: "erase character",
    248: "erase line", 249: "go ahead", 250: "suboption", 251: "will", 252: "won't", 253: "do", 254: "don't",
}  # fmt: skip
OPTIONS = {
    0: "binary transmission", 1: "echo", 2: "reconnection", 3: "suppress go ahead", 4: "approximate message size", 5: "status",
    6: "timing mark", 7: "remote controlled transmission and echo", 8: "output line width", 9: "output page size",
    10: "carriage return", 11: "horizontal tab stops", 12: "horizontal tabs", 13: "form feed", 14: "vertical tab stops",
    15: "vertical tabs", 16: "line feed", 17: "extended ASCII", 18: "logout", 19: "byte macro", 20: "data entry terminal", 21: "SUPDUP",
    22: "SUPDUP output", 23: "send location", 24: "terminal type", 25: "end of record", 26: "TACACS user", 27: "output marking",
    28: "terminal location number", 29: "3270 regime", 30: "X.3 PAD", 31: "window size", 32: "terminal speed",
    33: "remote flow control", 34: "line mode", 35: "X display", 36: "environment", 37: "authentication", 38: "encryption",
    39: "new environment", 40: "TN3270E", 41: "XAUTH", 42: "character set", 43: "remote serial port", 44: "port control",
    45: "suppress local echo", 46: "TLS", 47: "Kermit", 48: "send URL", 49: "forward X", 255: "extended options",
}  # fmt: skip
SUBNEGOTIATION, ESCAPED_IAC = 250, -1
TERMINAL, WINDOW, DISPLAY = 24, 31, 35
IS = 0  # RFC 1091, RFC 1096
LINES = re.compile(rb"[^\r\n]*(?:\r\n|\r\0?|\n|$)")


class TelnetFramer:
    """A message is what one piece completed. Column `inside`: whether it begins in a subnegotiation."""

    any_port, precedence = True, 0

    def __init__(self) -> None:
        self.in_subnegotiation: dict[int, int] = {}

    def probe_stream(self, first: np.ndarray, size: np.ndarray) -> np.ndarray:
        """Two commands that negotiate options."""
        agrees = size >= 6
        for at in (0, 3):
            agrees &= (first[:, at] == 255) & (first[:, at + 1] >= 251) & (first[:, at + 1] < 255)
        return agrees

    def split(self, s: ContiguousRuns) -> Framed:
        """All but an incomplete command at the end."""
        run = np.searchsorted(s.first, np.arange(len(s.rows)), "right") - 1
        runs = np.stack((s.direction, s.start, s.end, s.gap, s.last)).astype(np.int64)
        pieces = np.stack((s.place, run)).astype(np.int64)
        rows, upto = _telnet.split(s.data.data, runs.data, pieces.data, self.in_subnegotiation)
        which, start, end, inside, forced = np.ascontiguousarray(np.array(rows, np.int64).reshape(-1, 5).T)
        none = np.zeros(0, np.int64)
        framed = complete(s, which, start, end, np.array(upto, np.int64), none, none)
        by = np.where(forced, np.maximum(s.until[which], framed.by), framed.by)  # that nothing follows was known only then
        return framed._replace(by=by, columns={"inside": inside})


def _commands(h: Headers) -> np.ndarray:
    """Commands as `_telnet.commands` returns them, int64 (n, 7)."""
    rows = _telnet.commands(h.buffer.data, h.start.data, np.minimum(h.end, h.wire).data, h.context_of("inside").data)
    return np.array(rows, np.int64).reshape(-1, 7)


def _command_fields(h: Headers) -> dict[str, Column]:
    parts = Parts(h, FIELDS)
    row, at, command, option, begin, end, _ = np.ascontiguousarray(h.memo(_commands).T)
    real = np.flatnonzero(command > 0)
    parts.put("telnet.cmd", command[real].astype(np.uint8), row[real], at[real])
    optional = np.flatnonzero(option >= 0)
    parts.put("telnet.subcmd", option[optional].astype(np.uint8), row[optional], at[optional])
    parameters = (command == SUBNEGOTIATION) & (end > begin)
    string = np.flatnonzero(parameters & np.isin(option, (TERMINAL, DISPLAY)))
    parts.put("telnet.subcmd", h.buffer[begin[string]], row[string], begin[string])
    string = string[h.buffer[begin[string]] == IS]
    parts.text("telnet.string_subopt.value", row[string], begin[string] + 1, end[string])
    window = np.flatnonzero(parameters & (option == WINDOW) & (end - begin == 4))
    for name, offset in (("width", 0), ("height", 2)):
        high, low = (h.buffer[begin[window] + offset + i].astype(np.uint16) for i in (0, 1))
        parts.put(f"telnet.naws_subopt.{name}", high << 8 | low, row[window], begin[window])
    return dict(parts.columns())


def _data(h: Headers) -> dict[str, Column]:
    """What is not a command, line by line."""
    row, at, command, _, _, _, command_end = np.ascontiguousarray(h.memo(_commands).T)
    count = np.bincount(row, minlength=len(h))
    last = np.cumsum(count)
    starts = np.insert(command_end, last - count, h.start)  # data between commands: each header has one run more than commands
    stops = np.insert(np.where(at < 0, h.start[row], at), last, np.minimum(h.end, h.wire))
    after = np.insert(command, last - count, 0)  # the command before each run
    owner = np.repeat(np.arange(len(h)), count + 1)
    used = np.flatnonzero((stops > starts) | (after == ESCAPED_IAC))
    rows: list[int] = []
    runs: list[bytes] = []
    previous = -2
    for nth, header, a, b, kind in zip(*(column.tolist() for column in (used, owner[used], starts[used], stops[used], after[used]))):
        run = h.buffer[a:b].tobytes()
        if kind != ESCAPED_IAC:
            rows.append(header)
            runs.append(run)
        elif previous == nth - 1 and rows and rows[-1] == header:
            runs[-1] += b"\xff" + run
        else:
            rows.append(header)
            runs.append(b"\xff" + run)
        previous = nth
    lines = [(header, utf8(line.replace(b"\0", b""))) for header, run in zip(rows, runs) for line in LINES.findall(run) if line]
    return {"telnet.data": text_column(lines)}


FIELDS = (
    Field("telnet.cmd", u8, "Command", value_names=COMMANDS, many=True),
    Field("telnet.subcmd", u8, "Option", value_names=OPTIONS, many=True),
    Field("telnet.string_subopt.value", text, "Value", "terminal type or X display", many=True),
    Field("telnet.naws_subopt.width", u16, "Window's width", "characters, RFC 1073", many=True),
    Field("telnet.naws_subopt.height", u16, "Window's height", many=True),
)

PROTOCOL = Protocol(
    "TELNET",
    on={"tcp.port": 23},
    info="Telnet[: {telnet.cmd:words}][ ({telnet.subcmd:words})][: {telnet.data}]",
    framer=TelnetFramer,
    derived=((FIELDS, _command_fields), ((Field("telnet.data", text, "Data", "line by line", many=True),), _data)),
)
