# mypy: ignore-errors
"""HTTP messages in what the directions of TCP streams sent: one loop, since where a message begins hangs on those before it.

Compiled by Cython when the package is built; runs interpreted too. RFC 9112 throughout. A header section is read when it is whole
and waits with its reader until then; bytes of a body are taken as they come and kept up to a limit, so that memory is bounded and
each byte is looked at once. A direction speaks either requests or responses, what comes first tells. A response belongs to the first
request without one whose header section was whole in a frame not later than the response's.
"""

from array import array
from collections import deque

import cython

REQUEST = cython.declare(cython.longlong, 1)
RESPONSE = cython.declare(cython.longlong, 2)
FRAMING = ("nothing", "length", "chunked", "close")  # what says where a body ends
NOTHING = cython.declare(cython.longlong, 0)
LENGTH = cython.declare(cython.longlong, 1)
CHUNKED = cython.declare(cython.longlong, 2)
CLOSE = cython.declare(cython.longlong, 3)
FAULTS = (  # bits of a message's faults, from 1 on
    "repeated length",  # several Content-Length, all the same
    "conflicting lengths",
    "length and chunked",
    "no length",  # a Content-Length that is no number
    "unknown coding",  # Transfer-Encoding does not end in chunked
    "bad chunk",
    "hole",  # bytes of the body are not in the capture
    "short",  # the direction ended before the body did
    "early",  # a response that began before its request was whole
    "no field",  # a line in the header section that is no field
)
REPEATED = cython.declare(cython.longlong, 1)
CONFLICTING = cython.declare(cython.longlong, 2)
BOTH = cython.declare(cython.longlong, 4)
NO_LENGTH = cython.declare(cython.longlong, 8)
UNKNOWN = cython.declare(cython.longlong, 16)
BAD_CHUNK = cython.declare(cython.longlong, 32)
HOLE = cython.declare(cython.longlong, 64)
SHORT = cython.declare(cython.longlong, 128)
EARLY = cython.declare(cython.longlong, 256)
NO_FIELD = cython.declare(cython.longlong, 512)
OUTPUT = (  # of each message, int64
    "direction",
    "by",  # frame with which it was whole
    "start",  # its bytes are data[start:end], as far as they were kept
    "end",
    "counts",  # of the frames that are told
    "pieces",  # how many it came in
    "size",  # bytes, holes included
    "number",  # of all messages, from 1
    "kind",  # REQUEST or RESPONSE
    "lead",  # bytes of empty lines before it
    "header",  # bytes of its header section, these included
    "body",  # bytes of the body without what frames it, holes included
    "missing",  # bytes of these that are in a hole, or never came
    "framing",
    "faults",
    "fault_at",  # where in the message, bytes
    "first_frame",  # in which its first byte came
    "first_time",
    "known_frame",  # with which its header section was whole
    "known_time",
    "time",  # of the frame `by`, ns
    "nth",  # of the messages of its direction, from 1
    "previous",  # frame of the message before it in its direction, or 0
    "status",  # of a response
    "asked",  # number of the request that a response answers, or 0
    "asked_frame",  # frame and time with which that was whole, 0 if it was not yet
    "asked_time",
    "content",  # 1: the content type says text
    "answered",  # of a request: frame of its response, if that was whole before
)
COLUMNS = cython.declare(cython.longlong, len(OUTPUT))
SECTION = cython.declare(cython.longlong, 1 << 16)  # bytes of the longest header section, or trailer
KEPT = cython.declare(cython.longlong, 1 << 20)  # bytes of a body that are kept
ALL = cython.declare(cython.longlong, 64 << 20)  # bytes of all messages that are not whole yet
PIECES = cython.declare(cython.longlong, 1 << 17)  # frames of a message that are remembered
WAITING = cython.declare(cython.longlong, 10_000)  # requests of a stream that wait for an answer
EMPTY = cython.declare(cython.longlong, 8)  # bytes of empty lines that may stand before a message
TOKEN = cython.declare(cython.longlong, 32)  # bytes of the longest method
EXTENSION = cython.declare(cython.longlong, 4096)  # bytes behind a chunk's size
DIGITS = cython.declare(cython.longlong, 15)  # of a chunk's size, more than that is no size
OTHER = cython.declare(cython.longlong, 0)
HEAD = cython.declare(cython.longlong, 1)
CONNECT = cython.declare(cython.longlong, 2)
CLIENT = cython.declare(cython.longlong, 1)
SERVER = cython.declare(cython.longlong, 2)
# where a direction is: before a message, in a body that tells its length, in one that ends with the direction, in a chunk's size,
# behind it, in its data, behind that, in the trailer, in another protocol
EXPECT = cython.declare(cython.longlong, 0)
COUNTED = cython.declare(cython.longlong, 1)
OPEN = cython.declare(cython.longlong, 2)
CHUNK = cython.declare(cython.longlong, 3)
BEHIND = cython.declare(cython.longlong, 4)
WITHIN = cython.declare(cython.longlong, 5)
AFTER = cython.declare(cython.longlong, 6)
TRAILER = cython.declare(cython.longlong, 7)
TUNNEL = cython.declare(cython.longlong, 8)
NO = cython.declare(cython.longlong, 0)
YES = cython.declare(cython.longlong, 1)
MORE = cython.declare(cython.longlong, -1)
STARTS = cython.declare(bytes, b"HTTP/")
CONTENT_LENGTH = cython.declare(bytes, b"content-length")
TRANSFER_ENCODING = cython.declare(bytes, b"transfer-encoding")
LAST_CODING = cython.declare(bytes, b"chunked")
UPGRADE = cython.declare(bytes, b"upgrade")
WEBSOCKET = cython.declare(bytes, b"websocket")
CONTENT_TYPE = cython.declare(bytes, b"content-type")
TEXTS = (b"text/", b"application/x-javascript", b"application/json")  # what Wireshark shows as lines of text
XML = cython.declare(bytes, b"text/xml")
ISTOKEN = cython.declare(  # by byte: RFC 9110 §5.6.2
    bytes, bytes(n in b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" for n in range(256))
)


@cython.cfunc
def _same(data: cython.const[cython.uchar][::1], at: cython.longlong, word: bytes, size: cython.longlong) -> cython.bint:
    """Whether data has this word, of small letters, at that place, in small or great letters."""
    i: cython.longlong
    for i in range(size):
        if (data[at + i] | 32) != word[i]:
            return False
    return True


@cython.cfunc
def _text(data: cython.const[cython.uchar][::1], at: cython.longlong, end: cython.longlong) -> cython.longlong:
    """1 if the content type data[at:end] is one of text, else 0."""
    while at < end and (data[at] == 32 or data[at] == 9):
        at += 1
    if end - at >= len(XML) and _same(data, at, XML, len(XML)):
        return 0
    for word in TEXTS:
        if end - at >= len(word) and _same(data, at, word, len(word)):
            return 1
    return 0


@cython.cfunc
def _version(data: cython.const[cython.uchar][::1], at: cython.longlong) -> cython.bint:
    """Whether data[at:at + 8] is a version of HTTP/1, RFC 9112 §2.3."""
    i: cython.longlong
    for i in range(5):
        if data[at + i] != STARTS[i]:
            return False
    return 48 <= data[at + 5] <= 57 and data[at + 6] == 46 and 48 <= data[at + 7] <= 57


@cython.final
@cython.cclass
class Asked:
    """A request that may be answered."""

    number: cython.longlong
    method: cython.longlong
    known: cython.longlong  # frame with which its header section was whole
    frame: cython.longlong  # with which it was whole, 0 not yet
    time: cython.longlong
    answered: cython.longlong  # frame with which its response was whole

    def __init__(self, number: cython.longlong, method: cython.longlong, known: cython.longlong):
        self.number, self.method, self.known = number, method, known
        self.frame = self.time = self.answered = 0


@cython.final
@cython.cclass
class Direction:
    """One direction of a stream, and its message that is not whole yet."""

    number: cython.longlong
    role: cython.longlong
    state: cython.longlong
    left: cython.longlong  # bytes of the body or the chunk that are still to come
    line: cython.longlong  # bytes of a chunk's size, its extension, the trailer's line
    trailer: cython.longlong
    scanned: cython.longlong  # bytes of a header section in which no end is
    lined: cython.longlong  # bytes up to the end of its first line, 0 not yet
    leaves: cython.bint  # what follows may be another protocol
    next: cython.longlong  # which one: 1 WebSocket, 0 another
    lossy: cython.bint  # responses may be missing
    ended: cython.bint
    asked: object  # of a client's way: the requests without answer
    nth: cython.longlong
    previous: cython.longlong
    kept: bytearray
    frames: object
    own: cython.longlong  # its number, 0 as long as its header section is not whole; what follows is told as in TOLD
    lead: cython.longlong
    header: cython.longlong
    first_frame: cython.longlong
    first_time: cython.longlong
    known_frame: cython.longlong
    known_time: cython.longlong
    status: cython.longlong
    request: Asked
    pieces: cython.longlong
    size: cython.longlong
    body: cython.longlong
    missing: cython.longlong
    framing: cython.longlong
    faults: cython.longlong
    fault_at: cython.longlong
    content: cython.longlong
    room: cython.longlong  # bytes that are kept still
    latest: cython.longlong  # frame of its last piece
    finished: cython.bint
    broken: cython.bint

    def __init__(self, number: cython.longlong):
        self.number = number
        self.next = 0
        self.role = self.state = self.left = self.line = self.trailer = self.scanned = self.lined = 0
        self.leaves = self.lossy = self.ended = self.finished = self.broken = False
        self.asked = deque()
        self.nth = self.previous = 0
        self._fresh()

    @cython.cfunc
    def _fresh(self):
        self.kept, self.frames, self.request, self.own = bytearray(), array("q"), None, 0
        self.pieces = self.size = self.body = self.missing = self.framing = self.faults = self.fault_at = self.content = 0
        self.room = KEPT
        self.latest = 0
        self.finished = self.broken = False

    @cython.cfunc
    def _fault(self, bit: cython.longlong, at: cython.longlong):
        if not self.faults:
            self.fault_at = at
        self.faults |= bit


@cython.final
@cython.cclass
class Talks:
    """All streams. State lives from `feed` to `feed`."""

    directions: dict
    waiting: dict  # ways with a message that is not whole, the longest begun first
    held: cython.longlong  # bytes of these
    count: cython.longlong
    told: object  # array of rows of TOLD, of which `used` numbers are filled; `row` is a view of it
    used: cython.longlong
    row: cython.longlong[::1]
    lost: object
    frames: object
    beyond: object
    data: bytearray
    fresh: list  # requests told in this turn: (row, Asked)
    decided: cython.longlong  # the byte that decided what `_begins` said
    speaks: cython.longlong  # and if that was yes, who speaks
    given_up: cython.longlong  # messages that were forgotten before they were whole
    handing: cython.bint  # bodies are handed on as they come and not kept
    skimming: cython.bint  # nobody asks what bodies of responses hold: they are not kept
    handed: list  # (number of the message, bytes of its body), or (number, how many are missing)

    def __init__(self):
        self.directions, self.waiting, self.handing, self.skimming, self.handed = {}, {}, False, False, []
        self.held = self.count = self.decided = self.speaks = self.given_up = 0
        self._clear()

    @cython.cfunc
    def _clear(self):
        self.lost, self.frames, self.beyond = array("q"), array("q"), array("q")
        self.told, self.used = array("q", bytes(8 * 64 * COLUMNS)), 0
        self.row = memoryview(self.told)
        self.data, self.fresh = bytearray(), []

    def skim(self):
        """From now on keep no bodies of responses."""
        self.skimming = True

    def hand_on(self):
        """From now on keep no bodies, but hand them on."""
        self.handing = True

    def take(self) -> list:
        """What came of bodies since it was asked last, without what frames them: (number of the message, bytes), or (number, int) for so
        many bytes that no frame holds."""
        found, self.handed = self.handed, []
        return found

    def feed(
        self,
        data: cython.const[cython.uchar][::1],
        source: object,
        runs: cython.const[cython.longlong][:, ::1],
        pieces: cython.const[cython.longlong][:, ::1],
    ) -> tuple:
        """Read on. data, source: the same bytes, the second to take slices of.

        stretches: rows way, start, end, gap, ended (0 or 1), last (nothing will be added), first piece, until (frame), until's time.
        pieces: rows place, frame, time, by, by's time. Both as `protocols._cutters.Stretches` has them.
        Returns (rows of TOLD one behind the other, bytes of the messages, frames of their pieces, how far each stretch was read,
        pairs (frame, bytes) of what is in no message, (stretch, place, frame, 1 for WebSocket else 0) from which on another protocol
        speaks).
        """
        n: cython.longlong = runs.shape[1]
        upto = array("q", bytes(8 * n))
        first: cython.longlong = 0
        while first < n:
            stream: cython.longlong = runs[0, first] >> 1
            middle: cython.longlong = first
            while middle < n and runs[0, middle] == 2 * stream:
                middle += 1
            behind: cython.longlong = middle
            while behind < n and runs[0, behind] == 2 * stream + 1:
                behind += 1
            bounds = [(first, middle), (middle, behind)]
            if first < middle < behind and self._asks(data, runs, pieces, middle, behind, first, middle):
                bounds.reverse()  # requests go first
            for one in bounds:
                if one[0] < one[1]:
                    self._way(data, source, runs, pieces, one[0], one[1], upto)
            first = behind
        row: cython.longlong
        asked: Asked
        for row, asked in self.fresh:
            if asked.answered and asked.answered <= self.row[row + 1]:
                self.row[row + COLUMNS - 1] = asked.answered
        direction: Direction
        for give_up in (False, True):  # first bodies, then messages, those begun first
            for direction in list(self.waiting.values()) if self.held > ALL else ():
                if self.held > ALL:
                    self._forget(direction, give_up)
        found = self.told[: self.used], self.data, self.frames, upto, self.lost, self.beyond
        self._clear()
        return found

    def pending(self) -> list:
        """(frame of the first byte, bytes that are there) of messages that are not whole."""
        found = []
        direction: Direction
        for direction in self.waiting.values():
            found.append((direction.first_frame, direction.size - direction.missing))
        return found

    def unfinished(self) -> tuple:
        """Messages that are not whole, when the trace has ended, those begun first: rows of TOLD, their bytes. `by` and `time` are 0."""
        direction: Direction
        for direction in sorted(self.waiting.values(), key=_begun):
            self._emit(direction, 0, 0)
        found = self.told[: self.used], self.data
        self._clear()
        return found

    @cython.cfunc
    def _forget(self, direction: Direction, all_of_it: cython.bint):
        """Keep no more of this message than its header section, or nothing."""
        header: cython.longlong = direction.header
        self.held -= len(direction.kept) - header + 8 * len(direction.frames)
        del direction.kept[header:]
        del direction.frames[:]
        direction.room = 0
        if all_of_it:
            self.given_up += 1
            self.held -= header
            self.waiting.pop(direction.number, None)
            direction.state, direction.lossy = EXPECT, True
            direction._fresh()

    @cython.cfunc
    def _asks(
        self,
        data: cython.const[cython.uchar][::1],
        runs: cython.const[cython.longlong][:, ::1],
        pieces: cython.const[cython.longlong][:, ::1],
        first: cython.longlong,
        behind: cython.longlong,
        other: cython.longlong,
        end: cython.longlong,
    ) -> cython.bint:
        """Whether the way of stretches first…behind - 1 speaks requests, and not that of other…end - 1."""
        role: cython.longlong = self._role(data, runs, pieces, first, behind)
        return role == CLIENT or (not role and self._role(data, runs, pieces, other, end) == SERVER)

    @cython.cfunc
    def _role(
        self,
        data: cython.const[cython.uchar][::1],
        runs: cython.const[cython.longlong][:, ::1],
        pieces: cython.const[cython.longlong][:, ::1],
        first: cython.longlong,
        behind: cython.longlong,
    ) -> cython.longlong:
        """What a way speaks, or will."""
        direction: Direction = self.directions.get(runs[0, first])
        if direction is not None and direction.role:
            return direction.role
        i: cython.longlong
        k: cython.longlong
        for i in range(first, behind):
            k = runs[6, i]
            here: cython.longlong = runs[1, i]
            stop: cython.longlong = runs[2, i]
            while here < stop:
                while k + 1 < pieces.shape[1] and pieces[0, k + 1] <= here:
                    k += 1
                at: cython.longlong = here
                while at < stop and at - here < EMPTY and (data[at] == 13 or data[at] == 10):
                    at += 1
                if at < stop and self._begins(data, at, stop, 0) == YES:
                    line: cython.longlong = at
                    while line < stop and line - at < SECTION and data[line] != 10:
                        line += 1
                    if line < stop and data[line] == 10 and self._kind(data, at, line):
                        return self.speaks
                here = pieces[0, k + 1] if k + 1 < pieces.shape[1] and pieces[0, k + 1] < stop else stop
        return 0

    @cython.cfunc
    def _begins(
        self, data: cython.const[cython.uchar][::1], at: cython.longlong, stop: cython.longlong, role: cython.longlong
    ) -> cython.longlong:
        """Whether a message may begin at data[at:stop], which is not empty."""
        end: cython.longlong = min(stop, at + 5)
        p: cython.longlong = at
        if role != CLIENT:
            while p < end and data[p] == STARTS[p - at]:
                p += 1
            self.decided = min(p, stop - 1)
            if p == at + 5:
                self.speaks = SERVER
                return YES
            if p == stop:
                return MORE
            if role == SERVER:
                return NO
        p = at
        while p < stop and p - at < TOKEN and ISTOKEN[data[p]]:
            p += 1
        self.decided, self.speaks = min(p, stop - 1), CLIENT
        if p == stop:
            return MORE if p - at < TOKEN else NO
        return YES if data[p] == 32 and p > at else NO

    @cython.cfunc
    def _way(
        self,
        data: cython.const[cython.uchar][::1],
        source: object,
        runs: cython.const[cython.longlong][:, ::1],
        pieces: cython.const[cython.longlong][:, ::1],
        first: cython.longlong,
        behind: cython.longlong,
        upto: object,
    ):
        """Read on in one way."""
        number: cython.longlong = runs[0, first]
        direction: Direction = self.directions.get(number)
        if direction is None:
            direction = self.directions[number] = Direction(number)
        i: cython.longlong
        k: cython.longlong
        n: cython.longlong
        for i in range(first, behind):
            k = runs[6, i]
            here: cython.longlong = runs[1, i]
            stop: cython.longlong = runs[2, i]
            limit: cython.longlong = runs[6, i + 1] if i + 1 < runs.shape[1] else pieces.shape[1]
            if runs[3, i]:
                self._gap(direction, runs[3, i], pieces[3, k], pieces[4, k])
            while here < stop:
                while k + 1 < limit and pieces[0, k + 1] <= here:
                    k += 1
                edge: cython.longlong = pieces[0, k + 1] if k + 1 < limit and pieces[0, k + 1] < stop else stop
                if direction.state == TUNNEL:
                    self.beyond.extend((i, here, pieces[3, k], direction.next))
                    here = stop
                elif direction.state == EXPECT:
                    n = self._expect(direction, data, source, runs, pieces, i, k, limit, here, edge)
                    if n < 0:
                        break
                    here = n
                else:
                    n = self._body(direction, data, source, here, edge)
                    self._take(direction, source, pieces, k, here, here + n)
                    here += n
                    if direction.finished:
                        self._emit(direction, pieces[3, k], pieces[4, k])
                    elif direction.broken:
                        direction.lossy = True
                        direction._fault(BAD_CHUNK, direction.size)
                        self._emit(direction, pieces[3, k], pieces[4, k])
                        if edge > here:
                            self.lost.extend((pieces[3, k], edge - here))
                        here = edge
            upto[i] = here
            if runs[4, i]:
                self._close(direction, runs[7, i], runs[8, i])
                if i + 1 < behind and number not in self.directions:  # something comes behind the end of both
                    direction = self.directions[number] = Direction(number)

    @cython.cfunc
    def _expect(
        self,
        direction: Direction,
        data: cython.const[cython.uchar][::1],
        source: object,
        runs: cython.const[cython.longlong][:, ::1],
        pieces: cython.const[cython.longlong][:, ::1],
        i: cython.longlong,
        k: cython.longlong,
        limit: cython.longlong,
        here: cython.longlong,
        edge: cython.longlong,
    ) -> cython.longlong:
        """Begin a message at `here`, in piece k of stretch i. Returns where to go on, -1: with what follows."""
        stop: cython.longlong = runs[2, i]
        last: cython.bint = runs[5, i] != 0
        at: cython.longlong = here
        while at < stop and at - here < EMPTY and (data[at] == 13 or data[at] == 10):
            at += 1
        verdict: cython.longlong = MORE
        self.decided = stop - 1
        if at < stop:
            verdict = self._begins(data, at, stop, direction.role)
        p: cython.longlong = 0
        h: cython.longlong = 0
        if verdict == YES:
            most: cython.longlong = min(stop, at + SECTION)
            p = max(at, here + direction.scanned)
            if not direction.lined:
                while p < most and data[p] != 10:
                    p += 1
                if p < most:
                    direction.lined = p + 1 - here
                    if not self._kind(data, at, p):
                        verdict = NO
                        self.decided = p
                    p += 1
            while verdict == YES and p < most and not h:  # p is behind the end of a line, or within the line that was scanned
                if data[p] == 10 and (data[p - 1] == 10 or (data[p - 1] == 13 and data[p - 2] == 10)):
                    h = p + 1
                p += 1
            if verdict == YES and not h:
                verdict = MORE
                direction.scanned = p - here
                if p == at + SECTION:
                    verdict = NO
                    self.decided = p - 1
                else:
                    self.decided = stop - 1
        if verdict == MORE and not last:
            return -1
        if verdict == YES:
            direction.scanned = direction.lined = 0
            self._header(direction, data, source, pieces, k, limit, here, at, h)
            return h
        direction.scanned = direction.lined = 0
        by: cython.longlong = runs[7, i]
        if verdict == NO:
            n: cython.longlong = k
            while n + 1 < limit and pieces[0, n + 1] <= self.decided:
                n += 1
            by = pieces[3, n]
        if direction.leaves:
            direction.state = TUNNEL
            self.beyond.extend((i, here, by, direction.next))
            return stop
        direction.lossy = True
        self.lost.extend((by, edge - here))
        return edge

    @cython.cfunc
    def _kind(self, data: cython.const[cython.uchar][::1], at: cython.longlong, end: cython.longlong) -> cython.longlong:
        """What the line data[at:end] begins: REQUEST, RESPONSE or 0, nothing. RFC 9112 §3, §4."""
        while end > at and (data[end - 1] == 13 or data[end - 1] == 32):
            end -= 1
        if end - at >= 12 and _version(data, at) and data[at + 8] == 32:
            digits: cython.bint = data[at + 9] // 48 == 1 and data[at + 10] // 48 == 1 and data[at + 11] // 48 == 1
            digits = digits and data[at + 9] < 58 and data[at + 10] < 58 and data[at + 11] < 58
            return RESPONSE if digits and (end - at == 12 or data[at + 12] == 32) else 0
        if end - at >= 4 and data[at] == 80 and data[at + 1] == 82 and data[at + 2] == 73 and data[at + 3] == 32:
            return 0  # PRI: HTTP/2 begins, RFC 9113 §3.4, §11.6
        last: cython.longlong = end - 1
        while last > at and data[last] != 32:
            last -= 1
        if end - last < 9 or not _version(data, last + 1):  # some say HTTP/1.0.8
            return 0
        p: cython.longlong = at
        while data[p] != 32:
            p += 1
        return REQUEST if p < last - 1 else 0

    @cython.cfunc
    def _header(
        self,
        direction: Direction,
        data: cython.const[cython.uchar][::1],
        source: object,
        pieces: cython.const[cython.longlong][:, ::1],
        k: cython.longlong,
        limit: cython.longlong,
        here: cython.longlong,
        at: cython.longlong,
        h: cython.longlong,
    ):
        """The message whose header section is data[here:h], and begins with a line at `at`."""
        answer: cython.bint = data[at] == 72 and data[at + 1] == 84 and data[at + 4] == 47
        direction.role = SERVER if answer else CLIENT
        first: cython.longlong = k
        start: cython.longlong = here
        while True:
            edge: cython.longlong = pieces[0, k + 1] if k + 1 < limit and pieces[0, k + 1] < h else h
            if edge > start:
                self._take(direction, source, pieces, k, start, edge)
            start = edge
            if start == h:
                break
            k += 1
        by: cython.longlong = pieces[3, k]
        time: cython.longlong = pieces[4, k]
        self.count += 1
        status: cython.longlong = 0
        if answer:
            status = (data[at + 9] - 48) * 100 + (data[at + 10] - 48) * 10 + data[at + 11] - 48
        direction.lead, direction.header, direction.first_frame, direction.first_time = (
            at - here,
            h - here,
            pieces[1, first],
            pieces[2, first],
        )
        direction.known_frame, direction.known_time, direction.status, direction.own = by, time, status, self.count
        direction.nth += 1
        self.waiting[direction.number] = direction
        self.held += h - here + 8 * len(direction.frames)
        length: cython.longlong
        chunked: cython.longlong
        upgrade: cython.longlong
        length, chunked, upgrade = self._fields(direction, data, at, h, here)
        direction.next = 1 if upgrade == 2 else 0
        if chunked >= 0 and length >= 0:
            direction._fault(BOTH, 0)
        asked: Asked = None
        if answer:
            asked = self._pair(direction, status, by)
            direction.request = asked
            if asked is not None and status >= 200 and (not asked.frame or asked.frame > by):
                direction._fault(EARLY, 0)
            direction.leaves = status == 101 or (asked is not None and asked.method == CONNECT and 200 <= status < 300)
            if direction.leaves or status < 200 or status == 204 or status == 304 or (asked is not None and asked.method == HEAD):
                direction.framing = NOTHING
            elif chunked == 1:
                direction.framing = CHUNKED
            elif length >= 0 and chunked < 0:
                direction.framing = LENGTH
            else:
                direction.framing = CLOSE
        else:
            method: cython.longlong = OTHER
            if data[at + 4] == 32 and data[at] == 72 and data[at + 1] == 69 and data[at + 2] == 65 and data[at + 3] == 68:
                method = HEAD
            elif data[at + 7] == 32 and bytes(source[at : at + 7]) == b"CONNECT":
                method = CONNECT
            asked = Asked(self.count, method, by)
            direction.request = asked
            direction.asked.append(asked)
            if len(direction.asked) > WAITING:
                direction.asked.popleft()
            direction.leaves = upgrade or method == CONNECT
            direction.framing = CHUNKED if chunked == 1 else LENGTH if length > 0 and chunked < 0 else NOTHING
        if self.handing or (self.skimming and direction.role == SERVER):
            direction.room = 0
        if direction.framing == NOTHING or (direction.framing == LENGTH and length == 0):
            self._emit(direction, by, time)
        elif direction.framing == LENGTH:
            direction.state, direction.left = COUNTED, length
        elif direction.framing == CHUNKED:
            direction.state, direction.left, direction.line, direction.trailer = CHUNK, 0, 0, 0
        else:
            direction.state = OPEN

    @cython.cfunc
    def _pair(self, direction: Direction, status: cython.longlong, by: cython.longlong):
        """The request that a response answers; None if none is known."""
        other: Direction = self.directions.get(direction.number ^ 1)
        if other is None or not other.asked:
            return None
        asked: Asked = other.asked[0]
        if asked.known > by:
            return None
        if direction.lossy:  # responses may be missing: who does not pipeline waits for the last request's only
            while len(other.asked) > 1 and cython.cast(Asked, other.asked[1]).known <= by:
                other.asked.popleft()
            asked = other.asked[0]
            direction.lossy = False
        if status >= 200 or status == 101:
            other.asked.popleft()
        return asked

    @cython.cfunc
    def _fields(
        self, direction: Direction, data: cython.const[cython.uchar][::1], at: cython.longlong, h: cython.longlong, here: cython.longlong
    ) -> tuple:
        """What the header section says of the body: (length or -1; 1 for chunked, 0 for another coding, -1 for none; 1 for an
        upgrade, 2 for one to WebSocket)."""
        length: cython.longlong = -1
        chunked: cython.longlong = -1
        upgrade: cython.longlong = 0
        p: cython.longlong = at
        while data[p] != 10:
            p += 1
        p += 1
        while p < h:
            line: cython.longlong = p
            colon: cython.longlong = -1
            while data[p] != 10:
                if data[p] == 58 and colon < 0:
                    colon = p
                p += 1
            end: cython.longlong = p - 1 if data[p - 1] == 13 else p
            p += 1
            if end <= line or data[line] == 32 or data[line] == 9:  # the empty line, or one that goes on
                continue
            if colon <= line or data[colon - 1] == 32 or data[colon - 1] == 9:
                direction._fault(NO_FIELD, line - here)
                if colon <= line:
                    continue
                while colon > line and (data[colon - 1] == 32 or data[colon - 1] == 9):
                    colon -= 1
            size: cython.longlong = colon - line
            if size == 14 and _same(data, line, CONTENT_LENGTH, 14):
                value: cython.longlong = self._length(direction, data, colon, end, here)
                if value >= 0 and length >= 0:
                    direction._fault(REPEATED if value == length else CONFLICTING, line - here)
                    value = min(value, length)
                if value >= 0:
                    length = value
            elif size == 17 and _same(data, line, TRANSFER_ENCODING, 17):
                while end > colon and (data[end - 1] == 32 or data[end - 1] == 9):
                    end -= 1
                chunked = 1 if end - colon >= 8 and _same(data, end - 7, LAST_CODING, 7) and not ISTOKEN[data[end - 8]] else 0
                if not chunked:
                    direction._fault(UNKNOWN, line - here)
            elif size == 12 and _same(data, line, CONTENT_TYPE, 12):
                direction.content = _text(data, colon + 1, end)
            elif size == 7 and _same(data, line, UPGRADE, 7):
                upgrade = 1
                while colon < end - 9 and upgrade == 1:
                    if _same(data, colon + 1, WEBSOCKET, 9):
                        upgrade = 2
                    colon += 1
        return length, chunked, upgrade

    @cython.cfunc
    def _length(
        self,
        direction: Direction,
        data: cython.const[cython.uchar][::1],
        colon: cython.longlong,
        end: cython.longlong,
        here: cython.longlong,
    ) -> cython.longlong:
        """The least number of a Content-Length; -1 if it is none. RFC 9110 §8.6: a list of the same number counts as that number."""
        least: cython.longlong = -1
        p: cython.longlong = colon
        while data[p] != 58:
            p += 1
        p += 1
        while p < end:
            while p < end and (data[p] == 32 or data[p] == 9):
                p += 1
            value: cython.longlong = 0
            digits: cython.longlong = 0
            while p < end and 48 <= data[p] <= 57 and digits < 18:
                value = value * 10 + data[p] - 48
                digits += 1
                p += 1
            while p < end and (data[p] == 32 or data[p] == 9):
                p += 1
            if not digits or (p < end and data[p] != 44):
                direction._fault(NO_LENGTH, colon + 1 - here)
                return -1
            if least >= 0:
                direction._fault(REPEATED if value == least else CONFLICTING, colon + 1 - here)
            least = value if least < 0 else min(least, value)
            p += 1
        if least < 0:
            direction._fault(NO_LENGTH, colon + 1 - here)
        return least

    @cython.cfunc
    def _take(
        self,
        direction: Direction,
        source: object,
        pieces: cython.const[cython.longlong][:, ::1],
        k: cython.longlong,
        start: cython.longlong,
        end: cython.longlong,
    ):
        """Bytes start…end - 1, of piece k, belong to the message."""
        size: cython.longlong = end - start
        direction.size += size
        if pieces[1, k] != direction.latest:  # a segment that ends the header section and begins the body is one
            direction.latest = pieces[1, k]
            direction.pieces += 1
            if len(direction.frames) < PIECES:
                direction.frames.append(direction.latest)
                self.held += 8 if direction.own else 0
        if not direction.own:  # the header section is kept whole
            direction.kept += source[start:end]
            return
        if size > direction.room:
            size = direction.room
        if size:
            direction.kept += source[start : start + size]
            direction.room -= size
            self.held += size

    @cython.cfunc
    def _hand(self, direction: Direction, source: object, here: cython.longlong, edge: cython.longlong):
        """Hand on data[here:edge] of a body."""
        if self.handing:
            self.handed.append((direction.own, bytes(source[here:edge])))

    @cython.cfunc
    def _body(
        self, direction: Direction, data: cython.const[cython.uchar][::1], source: object, here: cython.longlong, edge: cython.longlong
    ) -> cython.longlong:
        """How many of data[here:edge] belong to the message, at least 1. RFC 9112 §6, §7.1."""
        n: cython.longlong
        p: cython.longlong = here
        if direction.state == OPEN:
            direction.body += edge - here
            self._hand(direction, source, here, edge)
            return edge - here
        if direction.state == COUNTED:
            n = min(direction.left, edge - here)
            direction.left -= n
            direction.body += n
            direction.finished = direction.left == 0
            self._hand(direction, source, here, here + n)
            return n
        while p < edge and not direction.finished:
            c: cython.longlong = data[p]
            if direction.state == WITHIN:
                n = min(direction.left, edge - p)
                direction.left -= n
                direction.body += n
                self._hand(direction, source, p, p + n)
                p += n
                if direction.left == 0:
                    direction.state, direction.line = AFTER, 0
                continue
            p += 1
            if direction.state == CHUNK:
                digit: cython.longlong = c - 48 if 48 <= c <= 57 else (c | 32) - 87 if 97 <= (c | 32) <= 102 else -1
                if digit >= 0 and direction.line < DIGITS:
                    direction.left = direction.left * 16 + digit
                    direction.line += 1
                    continue
                if digit >= 0 or not direction.line or not (c == 13 or c == 10 or c == 32 or c == 9 or c == 59):
                    direction.broken = True
                    break
                direction.state, direction.line = BEHIND, 0
            if direction.state == BEHIND:
                direction.line += 1
                if c == 10:
                    direction.state, direction.line = (WITHIN if direction.left else TRAILER), 0
                elif direction.line > EXTENSION:
                    direction.broken = True
                    break
            elif direction.state == AFTER:
                if c == 10:
                    direction.state, direction.line, direction.left = CHUNK, 0, 0
                elif c != 13 or direction.line:
                    direction.broken = True
                    break
                else:
                    direction.line = 1
            elif direction.state == TRAILER:
                direction.trailer += 1
                if c == 10:
                    direction.finished = direction.line == 0
                    direction.line = 0
                elif c != 13:
                    direction.line += 1
                if direction.trailer > SECTION:
                    direction.broken = True
                    break
        return p - here

    @cython.cfunc
    def _gap(self, direction: Direction, size: cython.longlong, by: cython.longlong, time: cython.longlong):
        """Bytes of this way are missing."""
        if direction.state == EXPECT:
            direction.lossy = True
            return
        if direction.state == TUNNEL:
            return
        n: cython.longlong = (
            size if direction.state == OPEN else min(size, direction.left) if direction.state == COUNTED or direction.state == WITHIN else 0
        )
        direction._fault(HOLE, direction.size)
        direction.missing += n
        direction.body += n
        direction.size += n
        if self.handing and n:
            self.handed.append((direction.own, n))
        room: cython.longlong = min(n, direction.room)
        direction.kept += bytes(room)
        direction.room -= room
        self.held += room
        if direction.state != OPEN:
            direction.left -= n
        if direction.state == COUNTED and direction.left == 0:
            self._emit(direction, by, time)
        elif direction.state == WITHIN and direction.left == 0 and n == size:
            direction.state, direction.line = AFTER, 0
        elif n < size:
            self._emit(direction, by, time)
        if n < size:
            direction.lossy = True

    @cython.cfunc
    def _close(self, direction: Direction, by: cython.longlong, time: cython.longlong):
        """The direction has ended."""
        if direction.state == OPEN:
            self._emit(direction, by, time)
        elif direction.state != EXPECT and direction.state != TUNNEL:
            direction._fault(SHORT, direction.size)
            if direction.state == COUNTED:
                direction.missing += direction.left
                direction.body += direction.left
            self._emit(direction, by, time)
        direction.ended = True
        other: Direction = self.directions.get(direction.number ^ 1)
        if other is not None and other.ended:
            self.directions.pop(direction.number, None)
            self.directions.pop(direction.number ^ 1, None)

    @cython.cfunc
    def _emit(self, direction: Direction, by: cython.longlong, time: cython.longlong):
        """The message is done."""
        asked: Asked = direction.request
        answer: cython.bint = direction.role == SERVER
        number: cython.longlong = 0
        frame: cython.longlong = 0
        when: cython.longlong = 0
        if asked is not None:
            if not answer:
                asked.frame, asked.time = by, time
                self.fresh.append((self.used, asked))
            else:
                number = asked.number
                if asked.frame and (asked.frame <= by or not by):
                    frame, when = asked.frame, asked.time
                if direction.status >= 200:
                    asked.answered = by
        start: cython.longlong = len(self.data)
        self.data += direction.kept
        self.frames.extend(direction.frames)
        n: cython.longlong = self.used
        if n + COLUMNS > len(self.told):
            grown = array("q", bytes(16 * len(self.told)))
            grown[:n] = self.told[:n]
            self.told = grown
            self.row = memoryview(grown)
        row: cython.longlong[::1] = self.row
        row[n], row[n + 1], row[n + 2], row[n + 3] = direction.number, by, start, len(self.data)
        row[n + 4], row[n + 5], row[n + 6], row[n + 7] = len(direction.frames), direction.pieces, direction.size, direction.own
        row[n + 8], row[n + 9], row[n + 10], row[n + 11] = RESPONSE if answer else REQUEST, direction.lead, direction.header, direction.body
        row[n + 12], row[n + 13], row[n + 14], row[n + 15] = direction.missing, direction.framing, direction.faults, direction.fault_at
        row[n + 16], row[n + 17], row[n + 18], row[n + 19] = (
            direction.first_frame,
            direction.first_time,
            direction.known_frame,
            direction.known_time,
        )
        row[n + 20], row[n + 21], row[n + 22], row[n + 23] = time, direction.nth, direction.previous, direction.status
        row[n + 24], row[n + 25], row[n + 26], row[n + 27] = number, frame, when, direction.content
        row[n + 28] = 0
        self.used += COLUMNS
        self.held -= len(direction.kept) + 8 * len(direction.frames)
        self.waiting.pop(direction.number, None)
        direction.previous = by
        direction.state = EXPECT
        direction._fresh()


# ---------------------------------------------------------------- lines


def _begun(direction: Direction) -> tuple:
    """The frame in which its message began, and what tells it from others that begin there."""
    return direction.first_frame, direction.number


def lines(
    data: cython.const[cython.uchar][::1],
    source: bytes,
    start: cython.const[cython.longlong][::1],
    end: cython.const[cython.longlong][::1],
    names: dict,
) -> object:
    """The fields of header sections data[start:end], which begin with their first line. source: the same bytes, to take slices of.

    Returns an array of int64: of each field the section's index, what `names` has for its name in small letters (-1: nothing), where
    the line begins, the bounds of its value and the line's end behind its last CRLF. Lines that go on (RFC 9112 §5.2) belong to the
    field before.
    """
    i: cython.longlong
    one: cython.longlong
    two: cython.longlong
    last: cython.longlong
    most: cython.longlong = 0
    for i in range(len(start)):
        most += source.count(b"\n", start[i], end[i]) + 1
    fields = array("q", bytes(48 * most))
    field: cython.longlong[::1] = memoryview(fields)
    n: cython.longlong = 0  # numbers in `field`
    # Most sections have the fields of the one before: where each name stood last, and its code.
    places: cython.longlong[::1] = array("q", [-1]) * 128
    sizes: cython.longlong[::1] = array("q", [0]) * 128
    codes: cython.longlong[::1] = array("q", [0]) * 128
    for i in range(len(start)):
        stop: cython.longlong = end[i]
        p: cython.longlong = _behind(data, start[i], stop) + 1
        begun: cython.longlong = n
        while p < stop:
            line: cython.longlong = p
            colon: cython.longlong = -1
            while p < stop and data[p] != 10:
                if data[p] == 58 and colon < 0:
                    colon = p
                p += 1
            last = p
            p += 1
            while last > line and (data[last - 1] == 13 or data[last - 1] == 32 or data[last - 1] == 9):
                last -= 1
            if last == line and (p >= stop or not (data[line] == 32 or data[line] == 9)):
                continue
            if data[line] == 32 or data[line] == 9:
                if n > begun and last > line:
                    field[n - 2], field[n - 1] = last, p
                continue
            if colon < 0:
                continue
            one = colon
            while one > line and (data[one - 1] == 32 or data[one - 1] == 9):
                one -= 1
            two = colon + 1
            while two < last and (data[two] == 32 or data[two] == 9):
                two += 1
            slot: cython.longlong = (7 * (one - line) + data[line]) & 127
            if places[slot] < 0 or sizes[slot] != one - line or not _alike(data, places[slot], line, one - line):
                places[slot], sizes[slot], codes[slot] = line, one - line, names.get(source[line:one].lower(), -1)
            code: cython.longlong = codes[slot]
            field[n], field[n + 1], field[n + 2] = i, code, line
            field[n + 3], field[n + 4], field[n + 5] = two, max(two, last), p
            n += 6
    return fields[:n]


@cython.cfunc
def _alike(data: cython.const[cython.uchar][::1], one: cython.longlong, other: cython.longlong, size: cython.longlong) -> cython.bint:
    """Whether the same bytes stand at both places."""
    i: cython.longlong
    for i in range(size):
        if data[one + i] != data[other + i]:
            return False
    return True


@cython.cfunc
def _behind(data: cython.const[cython.uchar][::1], p: cython.longlong, stop: cython.longlong) -> cython.longlong:
    """Where the line feed of the line at p is, or `stop`."""
    while p < stop and data[p] != 10:
        p += 1
    return p


def firsts(
    data: cython.const[cython.uchar][::1], start: cython.const[cython.longlong][::1], end: cython.const[cython.longlong][::1]
) -> object:
    """The first lines of header sections data[start:end]: the bounds of each one's three parts, six numbers of int64; RFC 9112 §3, §4."""
    made = array("q", bytes(48 * len(start)))
    first: cython.longlong[::1] = memoryview(made)
    i: cython.longlong
    for i in range(len(start)):
        last: cython.longlong = _behind(data, start[i], end[i])
        while last > start[i] and (data[last - 1] == 13 or data[last - 1] == 32):
            last -= 1
        one: cython.longlong = start[i]
        while one < last and data[one] != 32:
            one += 1
        two: cython.longlong = min(one + 1, last)
        if last - start[i] >= 5 and _version(data, start[i]):
            while two < last and data[two] != 32:
                two += 1
        else:
            two = last
            while two > one + 1 and data[two - 1] != 32:
                two -= 1
            two -= 1
        first[6 * i], first[6 * i + 1], first[6 * i + 2] = start[i], one, min(one + 1, last)
        first[6 * i + 3], first[6 * i + 4], first[6 * i + 5] = two, min(two + 1, last), last
    return made


def chunks(
    data: cython.const[cython.uchar][::1], start: cython.const[cython.longlong][::1], end: cython.const[cython.longlong][::1]
) -> tuple:
    """The chunks of chunked bodies data[start:end], as far as they are there.

    Returns two arrays of int64: (body, size as said, bounds of its data) of each chunk, the last of size 0 among them; and where in
    data the trailer of each begins.
    """
    found = array("q")
    behind = array("q")
    i: cython.longlong
    for i in range(len(start)):
        p: cython.longlong = start[i]
        stop: cython.longlong = end[i]
        trailer: cython.longlong = stop
        while p < stop:
            size: cython.longlong = 0
            digits: cython.longlong = 0
            while p < stop and digits <= DIGITS:
                c: cython.longlong = data[p]
                digit: cython.longlong = c - 48 if 48 <= c <= 57 else (c | 32) - 87 if 97 <= (c | 32) <= 102 else -1
                if digit < 0:
                    break
                size = size * 16 + digit
                digits += 1
                p += 1
            while p < stop and data[p] != 10:
                p += 1
            if p >= stop or not digits or digits > DIGITS:
                break
            p += 1
            found.extend((i, size, p, min(p + size, stop)))
            if not size:
                trailer = p
                break
            p = min(p + size, stop)
            while p < stop and data[p] != 10:
                p += 1
            p += 1
        behind.append(trailer)
    return found, behind
