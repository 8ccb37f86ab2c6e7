# mypy: ignore-errors
"""Commands, replies and messages in what the directions of FTP and SMTP connections sent; telnet's commands: loops, since what a line
means hangs on the lines before it, of both directions.

Compiled by Cython when the package is built; runs interpreted too. FTP: RFC 959 §4; SMTP: RFC 5321 §4, BDAT: RFC 3030, AUTH: RFC 4954.
Pieces are taken in the order of the frames that put them in order, whatever a batch holds.
"""

from array import array
from collections import deque

import cython

REQUEST, REPLY, BODY, END, SECRET, OTHER = 1, 2, 3, 4, 5, 6  # what is told: OTHER is a line before it is known who serves
OUTPUT = (  # of each, int64
    "direction",
    "by",  # frame with which it was whole
    "start",  # its bytes are data[start:end]; of END, in the bytes that are returned
    "end",
    "from",  # the bytes of the stream that it took, data[from:to]
    "to",
    "kind",
    "code",  # of a reply, 0 if there is none
    "step",  # of SECRET: which line behind AUTH LOGIN, from 1; -1 of a command in the frame that ended a message before it; else 0
    # of PASS of FTP: 1 behind USER anonymous
    "missing",  # of END: bytes of the message that were not kept, or are in a hole
    "opened",  # of END: frame that brought the message's first byte
    "pieces",  # of END: in how many pieces it came
)
LINE = cython.declare(cython.longlong, 8192)  # bytes of the longest line of a command or reply
KEPT = cython.declare(cython.longlong, 16 << 20)  # bytes of a message that are kept
ALL = cython.declare(cython.longlong, 64 << 20)  # bytes of all messages that are not whole yet
WAITING = cython.declare(cython.longlong, 1000)  # commands without a reply that are remembered
MANY = cython.declare(cython.longlong, 64)  # commands in a frame that are told one by one; those behind share a row
LEAST = cython.declare(cython.longlong, 3)  # letters of a command
COMMANDS = cython.declare(cython.longlong, 0)
MESSAGE = cython.declare(cython.longlong, 1)
COUNTED = cython.declare(cython.longlong, 2)
PLAIN = cython.declare(cython.longlong, 0)
DATA = cython.declare(cython.longlong, 1)
SECURE = cython.declare(cython.longlong, 2)
ANONYMOUS = (b"anonymous", b"ftp")  # RFC 1635
KNOWN = {b"DATA": 1, b"STARTTLS": 2, b"AUTH": 3, b"BDAT": 4}


@cython.cfunc
def _code(data: cython.const[cython.uchar][::1], at: cython.longlong, end: cython.longlong) -> cython.longlong:
    """The code with which the line data[at:end] begins: three digits and a blank, a `-` or the end; 0 if none."""
    i: cython.longlong
    for i in range(3):
        if at + i >= end or data[at + i] < 48 or data[at + i] > 57:
            return 0
    if at + 3 < end and data[at + 3] != 32 and data[at + 3] != 45 and data[at + 3] != 13 and data[at + 3] != 10:
        return 0
    return (data[at] - 48) * 100 + (data[at + 1] - 48) * 10 + data[at + 2] - 48


@cython.cfunc
def _command(data: cython.const[cython.uchar][::1], at: cython.longlong, end: cython.longlong) -> cython.bint:
    """Whether the line data[at:end] begins with a word of letters."""
    p: cython.longlong = at
    while p < end and 65 <= (data[p] & 0xDF) <= 90:
        p += 1
    return p - at >= LEAST and (p == end or data[p] == 32 or data[p] == 13 or data[p] == 10)


@cython.final
@cython.cclass
class Direction:
    """One direction."""

    state: cython.longlong
    skips: cython.bint  # up to the end of a line whose begin is missing, or that is too long
    open: cython.longlong  # code of the reply that goes on, 0: none does
    row: cython.longlong  # where what was told last stands, and by which frame it was whole
    by: cython.longlong
    to: cython.longlong
    head: cython.longlong  # of the line of a message that has begun: 0 nothing, 1 a dot, 2 a dot and CR, 3 anything else
    dots: cython.longlong  # bytes of these
    left: cython.longlong  # bytes that BDAT announced
    lasts: cython.bint  # it is the last BDAT
    ended: cython.longlong  # frame that ended a message
    over: cython.bint  # the direction has ended
    count: cython.longlong  # of the rows that frame `by` has already
    kept: bytearray
    missing: cython.longlong
    opened: cython.longlong
    pieces: cython.longlong

    def __init__(self):
        self.state = self.open = self.by = self.to = self.left = self.ended = self.count = 0
        self.row = -1
        self.skips = self.lasts = self.over = False
        self._fresh()

    @cython.cfunc
    def _fresh(self):
        self.kept = bytearray()
        self.head = self.dots = self.missing = self.opened = self.pieces = 0


@cython.final
@cython.cclass
class Talk:
    """A connection. server: which end, 0 or 1; -1: not known yet."""

    server: cython.longlong
    sealed: cython.bint  # what follows is TLS
    asked: object  # commands without a reply
    secret: cython.bint  # the client's next line is part of AUTH
    step: cython.longlong
    login: cython.bint  # AUTH LOGIN goes on; of FTP: the user is anonymous
    directions: tuple

    def __init__(self):
        self.server = -1
        self.sealed = self.secret = self.login = False
        self.step = 0
        self.asked = deque()
        self.directions = (Direction(), Direction())


@cython.final
@cython.cclass
class Talks:
    """All connections of one protocol. mail: it is SMTP, whose client sends messages; else FTP. State lives from `feed` to `feed`."""

    talks: dict
    mail: cython.bint
    held: cython.longlong
    told: object
    lost: object
    beyond: object
    made: bytearray

    def __init__(self, mail: cython.bint):
        self.talks = {}
        self.mail = mail
        self.held = 0
        self._clear()

    @cython.cfunc
    def _clear(self):
        self.told, self.lost, self.beyond, self.made = array("q"), array("q"), array("q"), bytearray()

    def feed(
        self,
        data: cython.const[cython.uchar][::1],
        source: bytes,
        runs: cython.const[cython.longlong][:, ::1],
        pieces: cython.const[cython.longlong][:, ::1],
        order: cython.const[cython.longlong][::1],
    ) -> tuple:
        """Read on. data, source: the same bytes.

        stretches: rows way, start, end, gap, last (nothing will be added), first piece, until (frame), ended. pieces: rows place, by,
        stretch.
        Both as `protocols._cutters.Stretches` has them. order: of the pieces, by their frames.
        Returns (rows of TOLD one behind the other, bytes of messages, how far each stretch was read, pairs (frame, bytes) of what is in
        no line, triples (stretch, place, frame) from which on another protocol speaks).
        """
        n: cython.longlong = runs.shape[1]
        here = array("q", bytes(8 * n))
        i: cython.longlong
        k: cython.longlong
        nth: cython.longlong
        talk: Talk
        for i in range(n):
            here[i] = runs[1, i]
        for nth in range(order.shape[0]):
            k = order[nth]
            i = pieces[2, k]
            talk = self.talks.get(runs[0, i] >> 1)
            if talk is None:
                talk = self.talks[runs[0, i] >> 1] = Talk()
            if k == runs[5, i] and runs[3, i]:
                self._gap(talk, runs[0, i] & 1, runs[3, i])
            edge: cython.longlong = runs[2, i]
            final: cython.bint = k + 1 >= pieces.shape[1] or pieces[2, k + 1] != i
            if not final:
                edge = min(edge, pieces[0, k + 1])
            here[i] = self._piece(talk, data, source, i, runs[0, i], runs[2, i], here[i], pieces[0, k], edge, pieces[1, k])
            if final and runs[4, i] and here[i] < runs[2, i]:
                self._rest(talk, data, runs[0, i], here[i], runs[2, i], runs[6, i])
                here[i] = runs[2, i]
            if final and runs[7, i]:
                self._over(talk, runs[0, i])
        found = self.told, self.made, here, self.lost, self.beyond
        self._clear()
        return found

    @cython.cfunc
    def _over(self, talk: Talk, number: cython.longlong):
        """A direction ended; when both have, the connection is forgotten."""
        direction: Direction = talk.directions[number & 1]
        other: Direction = talk.directions[1 - (number & 1)]
        self.held -= len(direction.kept)
        direction._fresh()
        direction.over = True
        if other.over:
            self.talks.pop(number >> 1, None)

    @cython.cfunc
    def _gap(self, talk: Talk, side: cython.longlong, size: cython.longlong):
        """Bytes are missing right before this."""
        direction: Direction = talk.directions[side]
        if direction.state == MESSAGE:
            direction.missing += size
            direction.head = 3
        elif direction.state == COUNTED and direction.left > size:
            direction.missing += size
            direction.left -= size
        else:
            direction.state = COMMANDS
            direction.skips = True
            direction.open = 0
            talk.asked.clear()
            talk.secret = False

    @cython.cfunc
    def _piece(
        self,
        talk: Talk,
        data: cython.const[cython.uchar][::1],
        source: bytes,
        i: cython.longlong,
        number: cython.longlong,
        stop: cython.longlong,
        here: cython.longlong,
        place: cython.longlong,
        edge: cython.longlong,
        by: cython.longlong,
    ) -> cython.longlong:
        """Read data[here:edge], of which what begins at `place` is new; the stretch ends at `stop`. Returns where to go on."""
        direction: Direction = talk.directions[number & 1]
        p: cython.longlong
        while here < edge:
            if talk.sealed:
                self.beyond.extend((i, here, by, 0))
                return stop
            if direction.state == MESSAGE:
                here = self._message(talk, direction, data, source, number, here, edge, by)
                continue
            if direction.state == COUNTED:
                p = min(edge, here + direction.left)
                self._keep(direction, source, here, p, by)
                direction.left -= p - here
                if direction.left == 0 and direction.lasts:
                    self._end(direction, number, by, here, p, 0)
                else:
                    self._tell(direction, number, by, here, p, BODY, 0, 0)
                if direction.left == 0:
                    direction.state = COMMANDS
                here = p
                continue
            p = source.find(b"\n", max(here, place), edge)
            if direction.skips:
                p = edge if p < 0 else p + 1
                direction.skips = p == edge and data[p - 1] != 10
                self.lost.extend((by, p - here))
                here = p
            elif p >= 0:
                self._line(talk, direction, data, source, number, here, p + 1, by)
                here = p + 1
            elif edge - here >= LINE:
                self._rest(talk, data, number, here, here + LINE, by)
                here += LINE
                direction.skips = True
            else:
                break
        return here

    @cython.cfunc
    def _tell(
        self,
        direction: Direction,
        number: cython.longlong,
        by: cython.longlong,
        start: cython.longlong,
        end: cython.longlong,
        kind: cython.longlong,
        code: cython.longlong,
        step: cython.longlong,
    ):
        direction.count = direction.count + 1 if direction.by == by else 1
        if (
            direction.count > MANY
            and direction.row >= 0
            and direction.to == start
            and self.told[direction.row + 6] != BODY
            and (kind == REQUEST or kind == SECRET or kind == OTHER)
        ):
            self.told[direction.row + 3] = self.told[direction.row + 5] = direction.to = end
            return
        direction.row, direction.by, direction.to = len(self.told), by, end
        self.told.extend((number, by, start, end, start, end, kind, code, step, 0, 0, 0))

    @cython.cfunc
    def _rest(
        self,
        talk: Talk,
        data: cython.const[cython.uchar][::1],
        number: cython.longlong,
        here: cython.longlong,
        stop: cython.longlong,
        by: cython.longlong,
    ):
        """A line without an end: what it says changes nothing."""
        direction: Direction = talk.directions[number & 1]
        if talk.server < 0:
            self._tell(direction, number, by, here, stop, OTHER, 0, 0)
        elif talk.server == number & 1:
            self._tell(direction, number, by, here, stop, REPLY, _code(data, here, stop), 0)
        else:
            self._tell(direction, number, by, here, stop, SECRET if talk.secret else REQUEST, 0, 0)

    @cython.cfunc
    def _line(
        self,
        talk: Talk,
        direction: Direction,
        data: cython.const[cython.uchar][::1],
        source: bytes,
        number: cython.longlong,
        here: cython.longlong,
        stop: cython.longlong,
        by: cython.longlong,
    ):
        """A line, data[here:stop]."""
        code: cython.longlong = _code(data, here, stop)
        if talk.server < 0:
            if code:
                talk.server = number & 1
            elif _command(data, here, stop):
                talk.server = 1 - (number & 1)
            else:
                self._tell(direction, number, by, here, stop, OTHER, 0, 0)
                return
        if talk.server == number & 1:
            self._reply(talk, direction, data, number, here, stop, by, code)
            return
        if data[here] == 10 or (data[here] == 13 and stop - here == 2):  # an empty line says nothing: many are no rows of their own
            if direction.row >= 0 and direction.by == by and direction.to == here:
                self.told[direction.row + 3] = self.told[direction.row + 5] = direction.to = stop
            else:
                self._tell(direction, number, by, here, stop, REQUEST, 0, 0)
            return
        if talk.secret:
            talk.step += 1
            self._tell(direction, number, by, here, stop, SECRET, 0, talk.step if talk.login else 0)
            talk.secret = False
            return
        words = source[here:stop].split(None, 2)
        word = words[0].upper() if words else b""
        if not self.mail:
            if word == b"USER":
                talk.login = len(words) > 1 and words[1].lower() in ANONYMOUS
            self._tell(direction, number, by, here, stop, REQUEST, 0, 1 if word == b"PASS" and talk.login else 0)
        else:
            self._tell(direction, number, by, here, stop, REQUEST, 0, -1 if direction.ended == by else 0)
        asks: cython.longlong = KNOWN.get(word, PLAIN)
        if asks == 4:
            self._chunk(talk, direction, words)
        elif asks == DATA and self.mail:
            self.held -= len(direction.kept)
            direction.state = MESSAGE
            direction._fresh()
        elif asks == 3:
            talk.login = len(words) > 1 and words[1][:5].upper() == b"LOGIN"
            talk.step = 1 if len(words) > 2 and words[2].strip() else 0
        if len(talk.asked) < WAITING:
            talk.asked.append(asks)

    @cython.cfunc
    def _chunk(self, talk: Talk, direction: Direction, words: list):
        """BDAT, RFC 3030 §2: so many bytes follow at once."""
        rest = words[1:]
        last = b" ".join(rest).split()
        if self.mail and last and last[0].isdigit() and len(last[0]) < 12:
            direction.left = int(last[0])
            direction.lasts = len(last) > 1 and last[1].upper() == b"LAST"
            if direction.left:
                direction.state = COUNTED

    @cython.cfunc
    def _reply(
        self,
        talk: Talk,
        direction: Direction,
        data: cython.const[cython.uchar][::1],
        number: cython.longlong,
        here: cython.longlong,
        stop: cython.longlong,
        by: cython.longlong,
        code: cython.longlong,
    ):
        """A line of a reply; lines of one reply that are whole with the same frame are told together."""
        goes_on: cython.bint = code > 0 and here + 3 < stop and data[here + 3] == 45
        if direction.open and direction.row >= 0 and direction.by == by and direction.to == here:
            self.told[direction.row + 3] = self.told[direction.row + 5] = direction.to = stop
            if not self.told[direction.row + 7]:
                self.told[direction.row + 7] = code
        else:
            self._tell(direction, number, by, here, stop, REPLY, code, 0)
        if goes_on:
            if not direction.open:
                direction.open = code
            return
        if direction.open and (code == 0 or (code != direction.open and not self.mail)):  # RFC 959 §4.2: only the same code ends it
            return
        direction.open = 0
        if code:
            self._answered(talk, code)

    @cython.cfunc
    def _answered(self, talk: Talk, code: cython.longlong):
        """A reply is complete."""
        client: Direction = talk.directions[1 - talk.server]
        asked = talk.asked
        if not self.mail:
            if code == 234 and (not asked or 3 in asked):  # RFC 4217 §4: goes ahead with TLS
                talk.sealed = True
            if code >= 200 and asked:
                asked.popleft()
            return
        if code == 334:
            talk.secret = True
            return
        talk.secret = False
        if code == 220 and SECURE in asked:  # RFC 3207 §4
            talk.sealed = True
        elif code == 354:
            while asked and asked.popleft() != DATA:
                pass
            if client.state == COMMANDS:
                self.held -= len(client.kept)
                client.state = MESSAGE
                client._fresh()
        elif asked and asked.popleft() == DATA and client.state == MESSAGE and code >= 400 and not client.opened:
            client.state = COMMANDS

    @cython.cfunc
    def _keep(self, direction: Direction, source: bytes, here: cython.longlong, stop: cython.longlong, by: cython.longlong):
        """Bytes of a message."""
        room: cython.longlong = min(KEPT - len(direction.kept), ALL - self.held)
        size: cython.longlong = min(stop - here, room)
        if not direction.opened:
            direction.opened = by
        direction.pieces += 1
        if size > 0 and not direction.missing:
            direction.kept += source[here : here + size]
            self.held += size
            direction.missing += stop - here - size
        else:
            direction.missing += stop - here

    @cython.cfunc
    def _message(
        self,
        talk: Talk,
        direction: Direction,
        data: cython.const[cython.uchar][::1],
        source: bytes,
        number: cython.longlong,
        here: cython.longlong,
        edge: cython.longlong,
        by: cython.longlong,
    ) -> cython.longlong:
        """Bytes of a message up to the line that is a dot, RFC 5321 §4.1.1.4. Returns where to go on."""
        p: cython.longlong = here
        while p < edge:
            if direction.head == 0 and data[p] == 46:
                direction.head, direction.dots = 1, 1
            elif direction.head == 1 and data[p] == 13:
                direction.head, direction.dots = 2, 2
            elif (direction.head == 1 or direction.head == 2) and data[p] == 10:
                self._keep(direction, source, here, p + 1, by)
                self._end(direction, number, by, here, p + 1, direction.dots + 1)
                direction.state = COMMANDS
                if len(talk.asked) < WAITING:
                    talk.asked.append(PLAIN)
                return p + 1
            elif data[p] == 10:
                direction.head = 0
            else:
                direction.head = 3
                p = source.find(b"\n", p, edge)
                if p < 0:
                    break
                continue
            p += 1
        self._keep(direction, source, here, edge, by)
        self._tell(direction, number, by, here, edge, BODY, 0, 0)
        return edge

    @cython.cfunc
    def _end(
        self,
        direction: Direction,
        number: cython.longlong,
        by: cython.longlong,
        here: cython.longlong,
        stop: cython.longlong,
        dots: cython.longlong,
    ):
        """A message is whole; its last `dots` bytes are the line that ends it."""
        self.held -= len(direction.kept)
        if dots and not direction.missing:
            del direction.kept[len(direction.kept) - dots :]
        begin: cython.longlong = len(self.made)
        if dots:  # RFC 5321 §4.5.2: a dot before a line's first dot
            if direction.kept[:2] == b"..":
                del direction.kept[:1]
            self.made += direction.kept.replace(b"\n..", b"\n.")
        else:
            self.made += direction.kept
        direction.row, direction.ended = -1, by
        self.told.extend((number, by, begin, len(self.made), here, stop, END, 0, 0, direction.missing, direction.opened, direction.pieces))
        direction._fresh()


# ---------------------------------------------------------------- telnet

IAC = cython.declare(cython.longlong, 255)
BEGIN = cython.declare(cython.longlong, 250)


@cython.cfunc
def _whole(
    data: cython.const[cython.uchar][::1],
    p: cython.longlong,
    stop: cython.longlong,
    inside: cython.longlong,
    found: object,
    i: cython.longlong,
) -> tuple:
    """Go over data[p:stop]; inside: it begins in a subnegotiation. Returns where a command begins that is not whole, or `stop`, and
    whether a subnegotiation goes on behind."""
    begin: cython.longlong = p
    option: cython.longlong = -1
    at: cython.longlong = -1
    command: cython.longlong
    while p < stop:
        if data[p] != IAC:
            p += 1
            continue
        if p + 1 >= stop:
            break
        command = data[p + 1]
        if command == IAC:
            if not inside and found is not None:
                found.extend((i, p, -1, -1, 0, 0, p + 2))
            p += 2
            continue
        if command >= BEGIN and p + 2 >= stop:
            break
        if inside:
            if found is not None:
                found.extend((i, at, BEGIN if at >= 0 else -2, option, begin, p, p))
            inside = 0
        if command < BEGIN:
            if found is not None:
                found.extend((i, p, command, -1, 0, 0, p + 2))
            p += 2
        elif command > BEGIN:
            if found is not None:
                found.extend((i, p, command, data[p + 2], 0, 0, p + 3))
            p += 3
        else:
            inside, at, option, begin = 1, p, data[p + 2], p + 3
            p += 3
    if inside and found is not None:
        found.extend((i, at, BEGIN if at >= 0 else -2, option, begin, p, p))
    return p, inside


def commands(
    data: cython.const[cython.uchar][::1],
    start: cython.const[cython.longlong][::1],
    end: cython.const[cython.longlong][::1],
    inside: cython.const[cython.longlong][::1],
) -> object:
    """Telnet's commands in data[start[i]:end[i]], RFC 854, RFC 855. inside: whether each begins in a subnegotiation.

    Returns rows one behind the other: i, place of IAC (-1: before), command, option or -1, begin and end of what a subnegotiation says,
    where it ends. The command is -1 for two IAC, which are a byte of data, and -2 for a subnegotiation that goes on.
    """
    found = array("q")
    i: cython.longlong
    for i in range(start.shape[0]):
        _whole(data, start[i], end[i], inside[i], found, i)
    return found


def turns(
    data: cython.const[cython.uchar][::1],
    runs: cython.const[cython.longlong][:, ::1],
    pieces: cython.const[cython.longlong][:, ::1],
    going: dict,
) -> tuple:
    """Cut what directions of telnet sent into what each piece completed.

    stretches: rows way, start, end, gap, last. pieces: rows place, stretch. going: ways in a subnegotiation, kept from call to call.
    Returns rows (stretch, start, end, whether it begins in a subnegotiation, whether it ends only because nothing follows) and how far
    each stretch was read.
    """
    found = array("q")
    upto = array("q", bytes(8 * runs.shape[1]))
    here: cython.longlong = 0
    inside: cython.longlong = 0
    before: cython.longlong = 0
    k: cython.longlong
    i: cython.longlong = -1
    n: cython.longlong = pieces.shape[1]
    for k in range(n):
        if pieces[1, k] != i:
            i = pieces[1, k]
            here = runs[1, i]
            inside = 0 if runs[3, i] else going.pop(runs[0, i], 0)
        final: cython.bint = k + 1 >= n or pieces[1, k + 1] != i
        edge: cython.longlong = runs[2, i] if final else min(pieces[0, k + 1], runs[2, i])
        if edge > here:
            before = inside
            stop, inside = _whole(data, here, edge, inside, None, 0)
            if stop > here:
                found.extend((i, here, stop, before, 0))
                here = stop
            else:
                inside = before
            if final and runs[4, i] and here < edge:
                found.extend((i, here, edge, inside, 1))
                here = edge
        if final:
            upto[i] = here
            going.pop(runs[0, i], 0)
            if inside and not runs[4, i]:
                going[runs[0, i]] = 1
    return found, upto
