# mypy: ignore-errors
"""Commands, replies and messages on connections of FTP and SMTP. What a line means depends on earlier lines of both directions.

Compiled by Cython when the package is built; runs interpreted too. FTP: RFC 959 §4; SMTP: RFC 5321 §4, BDAT: RFC 3030, AUTH: RFC 4954.
Pieces are read in the order of the frames that put them in order, whatever the size of a batch.
"""

from array import array
from collections import deque

import cython

# kinds of rows: FRAGMENT is part of a mail, MESSAGE all of it; UNDECIDED is a line before it is known which end is the server
COMMAND, REPLY, FRAGMENT, MESSAGE, AUTH_RESPONSE, UNDECIDED = range(1, 7)
AFTER_MESSAGE, ANONYMOUS = -1, -2  # values of `detail`
OUTPUT = (  # columns of the rows, int64
    "direction",
    "by",  # frame that completed it
    "start",  # its bytes are data[start:end]; of MESSAGE, of the message bytes that are returned
    "end",
    "from",  # the bytes that it took in the stream, data[from:to]
    "to",
    "kind",
    "code",  # of a reply, 0 if there is none
    # AUTH_RESPONSE: which line after AUTH LOGIN, from 1. COMMAND: AFTER_MESSAGE in the frame that ended a message before it;
    # ANONYMOUS for PASS of FTP after USER anonymous. Else 0.
    "detail",
    "missing",  # of MESSAGE: bytes that were not kept, or are in a hole
    "first_frame",  # of MESSAGE: frame of its first byte
    "fragments",  # of MESSAGE: how many pieces it came in
)
cython.declare(END=cython.int, TO=cython.int, KIND=cython.int, CODE=cython.int)
END, TO, KIND, CODE = [OUTPUT.index(name) for name in ("end", "to", "kind", "code")]
RUNS = ("direction", "start", "end", "gap", "last", "first", "until", "ended")  # of ContiguousRuns
cython.declare(RUN_DIRECTION=cython.int, RUN_START=cython.int, RUN_END=cython.int, RUN_GAP=cython.int)
cython.declare(RUN_LAST=cython.int, RUN_FIRST=cython.int, RUN_UNTIL=cython.int, RUN_ENDED=cython.int)
RUN_DIRECTION, RUN_START, RUN_END, RUN_GAP, RUN_LAST, RUN_FIRST, RUN_UNTIL, RUN_ENDED = range(len(RUNS))
cython.declare(PIECE_PLACE=cython.int, PIECE_BY=cython.int, PIECE_RUN=cython.int)
PIECE_PLACE, PIECE_BY, PIECE_RUN = range(3)
LINE_LIMIT = cython.declare(cython.longlong, 8192)  # bytes of the longest command or reply line
MESSAGE_LIMIT = cython.declare(cython.longlong, 16 << 20)  # bytes kept of a message
TOTAL_LIMIT = cython.declare(cython.longlong, 64 << 20)  # bytes kept of all incomplete messages
PENDING_LIMIT = cython.declare(cython.longlong, 1000)  # commands without a reply that are remembered
ROWS_PER_FRAME = cython.declare(cython.longlong, 64)  # commands of a frame with a row of their own; those after them share one
SHORTEST_COMMAND = cython.declare(cython.longlong, 3)  # letters
cython.declare(IN_COMMANDS=cython.longlong, IN_DATA=cython.longlong, IN_BDAT=cython.longlong)
IN_COMMANDS, IN_DATA, IN_BDAT = range(3)  # states of a direction
cython.declare(PLAIN=cython.longlong, DATA=cython.longlong, STARTTLS=cython.longlong, AUTH=cython.longlong, BDAT=cython.longlong)
PLAIN, DATA, STARTTLS, AUTH, BDAT = range(5)  # commands that change what follows; PLAIN is any other
COMMANDS = {b"DATA": DATA, b"STARTTLS": STARTTLS, b"AUTH": AUTH, b"BDAT": BDAT}
ANONYMOUS_USERS = (b"anonymous", b"ftp")  # RFC 1635


@cython.cfunc
def _reply_code(data: cython.const[cython.uchar][::1], at: cython.longlong, end: cython.longlong) -> cython.longlong:
    """The code with which the line data[at:end] begins: three digits and a blank, a `-` or the end; 0 if none."""
    i: cython.longlong
    for i in range(3):
        if at + i >= end or data[at + i] < 48 or data[at + i] > 57:
            return 0
    if at + 3 < end and data[at + 3] != 32 and data[at + 3] != 45 and data[at + 3] != 13 and data[at + 3] != 10:
        return 0
    return (data[at] - 48) * 100 + (data[at + 1] - 48) * 10 + data[at + 2] - 48


@cython.cfunc
def _is_command(data: cython.const[cython.uchar][::1], at: cython.longlong, end: cython.longlong) -> cython.bint:
    """Whether the line data[at:end] begins with a word of letters."""
    p: cython.longlong = at
    while p < end and 65 <= (data[p] & 0xDF) <= 90:
        p += 1
    return p - at >= SHORTEST_COMMAND and (p == end or data[p] == 32 or data[p] == 13 or data[p] == 10)


@cython.final
@cython.cclass
class LineDirection:
    """One direction of a connection, and its message that is not whole yet."""

    number: cython.longlong  # twice the number of its stream, plus its side
    state: cython.longlong
    skips_line: cython.bint  # up to the end of a line whose begin is missing, or that is too long
    reply_code: cython.longlong  # of a reply of several lines that is not complete, 0: none
    last_row: cython.longlong  # index of the last row that was emitted, -1: none that may grow; its `by` and `to`
    by: cython.longlong
    to: cython.longlong
    row_count: cython.longlong  # rows that frame `by` has already
    line_start: cython.longlong  # of the current line of a message: 0 nothing, 1 a dot, 2 a dot and CR, 3 anything else
    dot_bytes: cython.longlong  # bytes of the dot and CR
    bdat_left: cython.longlong  # bytes that BDAT announced
    bdat_last: cython.bint  # it is the last BDAT
    message_end: cython.longlong  # frame that ended a message
    ended: cython.bint
    kept: bytearray
    missing: cython.longlong
    first_frame: cython.longlong
    fragments: cython.longlong

    def __init__(self, number: cython.longlong):
        self.number = number
        self.state = self.reply_code = self.by = self.to = self.bdat_left = self.message_end = self.row_count = 0
        self.last_row = -1
        self.skips_line = self.bdat_last = self.ended = False
        self._new_message()

    @cython.cfunc
    def _new_message(self):
        self.kept = bytearray()
        self.line_start = self.dot_bytes = self.missing = self.first_frame = self.fragments = 0


@cython.final
@cython.cclass
class CommandConnection:
    """A connection. server: which end, 0 or 1; -1: not known yet."""

    server: cython.longlong
    encrypted: cython.bint  # what follows is TLS
    pending: object  # commands without a reply
    in_auth: cython.bint  # the client's next line answers a challenge of AUTH
    auth_line: cython.longlong
    login: cython.bint  # SMTP: the mechanism of AUTH is LOGIN; FTP: the user is anonymous
    directions: tuple

    def __init__(self, stream: cython.longlong):
        self.server = -1
        self.encrypted = self.in_auth = self.login = False
        self.auth_line = 0
        self.pending = deque()
        self.directions = (LineDirection(2 * stream), LineDirection(2 * stream + 1))


@cython.final
@cython.cclass
class CommandParser:
    """All connections of one protocol. smtp: SMTP, whose client sends messages; else FTP. State lives from `feed` to `feed`."""

    connections: dict
    smtp: cython.bint
    held: cython.longlong  # bytes of incomplete messages
    rows: object
    lost: object
    beyond: object
    messages: bytearray

    def __init__(self, smtp: cython.bint):
        self.connections = {}
        self.smtp = smtp
        self.held = 0
        self._clear()

    @cython.cfunc
    def _clear(self):
        self.rows, self.lost, self.beyond, self.messages = array("q"), array("q"), array("q"), bytearray()

    def feed(
        self,
        data: cython.const[cython.uchar][::1],
        source: bytes,
        runs: cython.const[cython.longlong][:, ::1],
        pieces: cython.const[cython.longlong][:, ::1],
        order: cython.const[cython.longlong][::1],
    ) -> tuple:
        """Read what follows. data, source: the same bytes.

        runs: rows RUNS of `framing.ContiguousRuns`. pieces: its rows place, by, and the run's index. order: of the pieces, by frame.
        Returns (rows of OUTPUT, flat; bytes of messages; how far each run was read; pairs (frame, bytes) of what is in no line;
        (run, place, frame, 0) from which on another protocol speaks).
        """
        n: cython.longlong = runs.shape[1]
        here = array("q", bytes(8 * n))
        i: cython.longlong
        k: cython.longlong
        nth: cython.longlong
        connection: CommandConnection
        direction: LineDirection
        for i in range(n):
            here[i] = runs[RUN_START, i]
        for nth in range(order.shape[0]):
            k = order[nth]
            i = pieces[PIECE_RUN, k]
            connection = self.connections.get(runs[RUN_DIRECTION, i] >> 1)
            if connection is None:
                connection = self.connections[runs[RUN_DIRECTION, i] >> 1] = CommandConnection(runs[RUN_DIRECTION, i] >> 1)
            direction = connection.directions[runs[RUN_DIRECTION, i] & 1]
            if k == runs[RUN_FIRST, i] and runs[RUN_GAP, i]:
                self._gap(connection, direction, runs[RUN_GAP, i])
            edge: cython.longlong = runs[RUN_END, i]
            final: cython.bint = k + 1 >= pieces.shape[1] or pieces[PIECE_RUN, k + 1] != i
            if not final:
                edge = min(edge, pieces[PIECE_PLACE, k + 1])
            here[i] = self._read_piece(
                connection, direction, data, source, i, runs[RUN_END, i], here[i], pieces[PIECE_PLACE, k], edge, pieces[PIECE_BY, k]
            )
            if final and runs[RUN_LAST, i] and here[i] < runs[RUN_END, i]:
                self._unterminated(connection, direction, data, here[i], runs[RUN_END, i], runs[RUN_UNTIL, i])
                here[i] = runs[RUN_END, i]
            if final and runs[RUN_ENDED, i]:
                self._close(connection, direction)
        result = self.rows, self.messages, here, self.lost, self.beyond
        self._clear()
        return result

    @cython.cfunc
    def _close(self, connection: CommandConnection, direction: LineDirection):
        """A direction ended; when both have, the connection is forgotten."""
        other: LineDirection = connection.directions[1 - (direction.number & 1)]
        self.held -= len(direction.kept)
        direction._new_message()
        direction.ended = True
        if other.ended:
            self.connections.pop(direction.number >> 1, None)

    @cython.cfunc
    def _gap(self, connection: CommandConnection, direction: LineDirection, size: cython.longlong):
        """Bytes are missing right before this."""
        if direction.state == IN_DATA:
            direction.missing += size
            direction.line_start = 3
        elif direction.state == IN_BDAT and direction.bdat_left > size:
            direction.missing += size
            direction.bdat_left -= size
        else:
            direction.state = IN_COMMANDS
            direction.skips_line = True
            direction.reply_code = 0
            connection.pending.clear()
            connection.in_auth = False

    @cython.cfunc
    def _read_piece(
        self,
        connection: CommandConnection,
        direction: LineDirection,
        data: cython.const[cython.uchar][::1],
        source: bytes,
        i: cython.longlong,
        stop: cython.longlong,
        here: cython.longlong,
        place: cython.longlong,
        edge: cython.longlong,
        by: cython.longlong,
    ) -> cython.longlong:
        """Read data[here:edge], of which the bytes from `place` on are new; the run ends at `stop`. Returns where to continue."""
        p: cython.longlong
        while here < edge:
            if connection.encrypted:
                self.beyond.extend((i, here, by, 0))
                return stop
            if direction.state == IN_DATA:
                here = self._read_data(connection, direction, data, source, here, edge, by)
                continue
            if direction.state == IN_BDAT:
                p = min(edge, here + direction.bdat_left)
                self._keep(direction, source, here, p, by)
                direction.bdat_left -= p - here
                if direction.bdat_left == 0 and direction.bdat_last:
                    self._emit_message(direction, by, here, p, 0)
                else:
                    self._emit(direction, by, here, p, FRAGMENT, 0, 0)
                if direction.bdat_left == 0:
                    direction.state = IN_COMMANDS
                here = p
                continue
            p = source.find(b"\n", max(here, place), edge)
            if direction.skips_line:
                p = edge if p < 0 else p + 1
                direction.skips_line = p == edge and data[p - 1] != 10
                self.lost.extend((by, p - here))
                here = p
            elif p >= 0:
                self._read_line(connection, direction, data, source, here, p + 1, by)
                here = p + 1
            elif edge - here >= LINE_LIMIT:
                self._unterminated(connection, direction, data, here, here + LINE_LIMIT, by)
                here += LINE_LIMIT
                direction.skips_line = True
            else:
                break
        return here

    @cython.cfunc
    def _emit(
        self,
        direction: LineDirection,
        by: cython.longlong,
        start: cython.longlong,
        end: cython.longlong,
        kind: cython.longlong,
        code: cython.longlong,
        detail: cython.longlong,
    ):
        direction.row_count = direction.row_count + 1 if direction.by == by else 1
        if (
            direction.row_count > ROWS_PER_FRAME
            and direction.last_row >= 0
            and direction.to == start
            and self.rows[direction.last_row + KIND] != FRAGMENT
            and (kind == COMMAND or kind == AUTH_RESPONSE or kind == UNDECIDED)
        ):
            self.rows[direction.last_row + END] = self.rows[direction.last_row + TO] = direction.to = end
            return
        direction.last_row, direction.by, direction.to = len(self.rows), by, end
        self.rows.extend((direction.number, by, start, end, start, end, kind, code, detail, 0, 0, 0))

    @cython.cfunc
    def _unterminated(
        self,
        connection: CommandConnection,
        direction: LineDirection,
        data: cython.const[cython.uchar][::1],
        here: cython.longlong,
        stop: cython.longlong,
        by: cython.longlong,
    ):
        """A line without an end: it changes no state."""
        if connection.server < 0:
            self._emit(direction, by, here, stop, UNDECIDED, 0, 0)
        elif connection.server == direction.number & 1:
            self._emit(direction, by, here, stop, REPLY, _reply_code(data, here, stop), 0)
        else:
            self._emit(direction, by, here, stop, AUTH_RESPONSE if connection.in_auth else COMMAND, 0, 0)

    @cython.cfunc
    def _read_line(
        self,
        connection: CommandConnection,
        direction: LineDirection,
        data: cython.const[cython.uchar][::1],
        source: bytes,
        here: cython.longlong,
        stop: cython.longlong,
        by: cython.longlong,
    ):
        """A line, data[here:stop]."""
        code: cython.longlong = _reply_code(data, here, stop)
        if connection.server < 0:
            if code:
                connection.server = direction.number & 1
            elif _is_command(data, here, stop):
                connection.server = 1 - (direction.number & 1)
            else:
                self._emit(direction, by, here, stop, UNDECIDED, 0, 0)
                return
        if connection.server == direction.number & 1:
            self._reply_line(connection, direction, data, here, stop, by, code)
            return
        if data[here] == 10 or (data[here] == 13 and stop - here == 2):  # an empty line adds to the row before it
            if direction.last_row >= 0 and direction.by == by and direction.to == here:
                self.rows[direction.last_row + END] = self.rows[direction.last_row + TO] = direction.to = stop
            else:
                self._emit(direction, by, here, stop, COMMAND, 0, 0)
            return
        if connection.in_auth:
            connection.auth_line += 1
            self._emit(direction, by, here, stop, AUTH_RESPONSE, 0, connection.auth_line if connection.login else 0)
            connection.in_auth = False
            return
        words = source[here:stop].split(None, 2)
        word = words[0].upper() if words else b""
        if not self.smtp:
            if word == b"USER":
                connection.login = len(words) > 1 and words[1].lower() in ANONYMOUS_USERS
            self._emit(direction, by, here, stop, COMMAND, 0, ANONYMOUS if word == b"PASS" and connection.login else 0)
        else:
            self._emit(direction, by, here, stop, COMMAND, 0, AFTER_MESSAGE if direction.message_end == by else 0)
        command: cython.longlong = COMMANDS.get(word, PLAIN)
        if command == BDAT:
            self._bdat(connection, direction, words)
        elif command == DATA and self.smtp:
            self.held -= len(direction.kept)
            direction.state = IN_DATA
            direction._new_message()
        elif command == AUTH:
            connection.login = len(words) > 1 and words[1][:5].upper() == b"LOGIN"
            connection.auth_line = 1 if len(words) > 2 and words[2].strip() else 0
        if len(connection.pending) < PENDING_LIMIT:
            connection.pending.append(command)

    @cython.cfunc
    def _bdat(self, connection: CommandConnection, direction: LineDirection, words: list):
        """BDAT, RFC 3030 §2: its first argument is the number of bytes that follow."""
        arguments = b" ".join(words[1:]).split()
        if self.smtp and arguments and arguments[0].isdigit() and len(arguments[0]) < 12:
            direction.bdat_left = int(arguments[0])
            direction.bdat_last = len(arguments) > 1 and arguments[1].upper() == b"LAST"
            if direction.bdat_left:
                direction.state = IN_BDAT

    @cython.cfunc
    def _reply_line(
        self,
        connection: CommandConnection,
        direction: LineDirection,
        data: cython.const[cython.uchar][::1],
        here: cython.longlong,
        stop: cython.longlong,
        by: cython.longlong,
        code: cython.longlong,
    ):
        """A line of a reply; lines of one reply that one frame completed share a row."""
        continues: cython.bint = code > 0 and here + 3 < stop and data[here + 3] == 45
        if direction.reply_code and direction.last_row >= 0 and direction.by == by and direction.to == here:
            self.rows[direction.last_row + END] = self.rows[direction.last_row + TO] = direction.to = stop
            if not self.rows[direction.last_row + CODE]:
                self.rows[direction.last_row + CODE] = code
        else:
            self._emit(direction, by, here, stop, REPLY, code, 0)
        if continues:
            if not direction.reply_code:
                direction.reply_code = code
            return
        if direction.reply_code and (code == 0 or (code != direction.reply_code and not self.smtp)):  # RFC 959 §4.2: its code ends it
            return
        direction.reply_code = 0
        if code:
            self._reply_complete(connection, code)

    @cython.cfunc
    def _reply_complete(self, connection: CommandConnection, code: cython.longlong):
        """A reply is complete."""
        client: LineDirection = connection.directions[1 - connection.server]
        pending = connection.pending
        if not self.smtp:
            if code == 234 and (not pending or AUTH in pending):  # RFC 4217 §4: goes ahead with TLS
                connection.encrypted = True
            if code >= 200 and pending:
                pending.popleft()
            return
        if code == 334:
            connection.in_auth = True
            return
        connection.in_auth = False
        if code == 220 and STARTTLS in pending:  # RFC 3207 §4
            connection.encrypted = True
        elif code == 354:
            while pending and pending.popleft() != DATA:
                pass
            if client.state == IN_COMMANDS:
                self.held -= len(client.kept)
                client.state = IN_DATA
                client._new_message()
        elif pending and pending.popleft() == DATA and client.state == IN_DATA and code >= 400 and not client.first_frame:
            client.state = IN_COMMANDS

    @cython.cfunc
    def _keep(self, direction: LineDirection, source: bytes, here: cython.longlong, stop: cython.longlong, by: cython.longlong):
        """Bytes of a message."""
        room: cython.longlong = min(MESSAGE_LIMIT - len(direction.kept), TOTAL_LIMIT - self.held)
        size: cython.longlong = min(stop - here, room)
        if not direction.first_frame:
            direction.first_frame = by
        direction.fragments += 1
        if size > 0 and not direction.missing:
            direction.kept += source[here : here + size]
            self.held += size
            direction.missing += stop - here - size
        else:
            direction.missing += stop - here

    @cython.cfunc
    def _read_data(
        self,
        connection: CommandConnection,
        direction: LineDirection,
        data: cython.const[cython.uchar][::1],
        source: bytes,
        here: cython.longlong,
        edge: cython.longlong,
        by: cython.longlong,
    ) -> cython.longlong:
        """Bytes of a message up to the line that is a dot, RFC 5321 §4.1.1.4. Returns where to continue."""
        p: cython.longlong = here
        while p < edge:
            if direction.line_start == 0 and data[p] == 46:
                direction.line_start, direction.dot_bytes = 1, 1
            elif direction.line_start == 1 and data[p] == 13:
                direction.line_start, direction.dot_bytes = 2, 2
            elif (direction.line_start == 1 or direction.line_start == 2) and data[p] == 10:
                self._keep(direction, source, here, p + 1, by)
                self._emit_message(direction, by, here, p + 1, direction.dot_bytes + 1)
                direction.state = IN_COMMANDS
                if len(connection.pending) < PENDING_LIMIT:
                    connection.pending.append(PLAIN)
                return p + 1
            elif data[p] == 10:
                direction.line_start = 0
            else:
                direction.line_start = 3
                p = source.find(b"\n", p, edge)
                if p < 0:
                    break
                continue
            p += 1
        self._keep(direction, source, here, edge, by)
        self._emit(direction, by, here, edge, FRAGMENT, 0, 0)
        return edge

    @cython.cfunc
    def _emit_message(
        self, direction: LineDirection, by: cython.longlong, here: cython.longlong, stop: cython.longlong, dots: cython.longlong
    ):
        """A message is whole; its last `dots` bytes are the line that ends it."""
        self.held -= len(direction.kept)
        if dots and not direction.missing:
            del direction.kept[len(direction.kept) - dots :]
        begin: cython.longlong = len(self.messages)
        if dots:  # RFC 5321 §4.5.2: the sender doubles a dot that begins a line
            if direction.kept[:2] == b"..":
                del direction.kept[:1]
            self.messages += direction.kept.replace(b"\n..", b"\n.")
        else:
            self.messages += direction.kept
        direction.last_row, direction.message_end = -1, by
        row = (direction.number, by, begin, len(self.messages), here, stop, MESSAGE, 0, 0)
        self.rows.extend((*row, direction.missing, direction.first_frame, direction.fragments))
        direction._new_message()
