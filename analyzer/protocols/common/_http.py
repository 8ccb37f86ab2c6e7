# mypy: ignore-errors
"""HTTP messages in what the directions of TCP streams sent: one loop, since where a message begins depends on those before it.

Compiled by Cython when the package is built; runs interpreted too. RFC 9112 throughout. A header section is read when it is whole
and waits with its reader until then; bytes of a body are taken as they come and kept up to a limit, so that memory is bounded and
each byte is looked at once. The first message of a direction decides whether it sends requests or responses. A response belongs to the
first request without one whose header section was whole in a frame not later than the response's.
"""

from array import array
from collections import deque

import cython

cython.declare(REQUEST=cython.longlong, RESPONSE=cython.longlong)
REQUEST, RESPONSE = range(1, 3)
FRAMING = ("nothing", "length", "chunked", "close")  # what says where a body ends
cython.declare(NO_BODY=cython.longlong, LENGTH=cython.longlong, CHUNKED=cython.longlong, CLOSE=cython.longlong)
NO_BODY, LENGTH, CHUNKED, CLOSE = range(len(FRAMING))
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
cython.declare(REPEATED=cython.longlong, CONFLICTING=cython.longlong, LENGTH_AND_CHUNKED=cython.longlong, NO_LENGTH=cython.longlong)
cython.declare(UNKNOWN_CODING=cython.longlong, BAD_CHUNK=cython.longlong, HOLE=cython.longlong, SHORT=cython.longlong)
cython.declare(EARLY=cython.longlong, NOT_A_FIELD=cython.longlong)
REPEATED, CONFLICTING, LENGTH_AND_CHUNKED, NO_LENGTH, UNKNOWN_CODING, BAD_CHUNK, HOLE, SHORT, EARLY, NOT_A_FIELD = [
    1 << bit for bit in range(len(FAULTS))
]
OUTPUT = (  # columns of the messages, int64
    "direction",
    "by",  # frame that completed it
    "start",  # its bytes are data[start:end], as far as they were kept
    "end",
    "counts",  # of its frames that are returned
    "pieces",  # how many it came in
    "size",  # bytes, holes included
    "number",  # of all messages, from 1
    "kind",  # REQUEST or RESPONSE
    "leading",  # bytes of empty lines before it
    "header",  # bytes of its header section, these included
    "body",  # bytes of the body without its framing, holes included
    "missing",  # bytes of these that are in a hole, or never came
    "framing",
    "faults",
    "fault_at",  # where in the message, bytes
    "first_frame",  # of its first byte
    "first_time",
    "header_frame",  # that completed its header section
    "header_time",
    "time",  # of the frame `by`, ns
    "nth",  # of the messages of its direction, from 1
    "previous_frame",  # of the message before it in its direction, or 0
    "status",  # of a response
    "request",  # number of the request that a response answers, or 0
    "request_frame",  # frame and time that completed it, 0 if it was incomplete
    "request_time",
    "is_text",  # 1: the content type is text
    "response_frame",  # of a request: frame of its response, if that was whole before
)
cython.declare(OUT_DIRECTION=cython.int, OUT_BY=cython.int, OUT_START=cython.int, OUT_END=cython.int, OUT_COUNTS=cython.int)
cython.declare(OUT_PIECES=cython.int, OUT_SIZE=cython.int, OUT_NUMBER=cython.int, OUT_KIND=cython.int, OUT_LEADING=cython.int)
cython.declare(OUT_HEADER=cython.int, OUT_BODY=cython.int, OUT_MISSING=cython.int, OUT_FRAMING=cython.int, OUT_FAULTS=cython.int)
cython.declare(OUT_FAULT_AT=cython.int, OUT_FIRST_FRAME=cython.int, OUT_FIRST_TIME=cython.int, OUT_HEADER_FRAME=cython.int)
cython.declare(OUT_HEADER_TIME=cython.int, OUT_TIME=cython.int, OUT_NTH=cython.int, OUT_PREVIOUS_FRAME=cython.int, OUT_STATUS=cython.int)
cython.declare(OUT_REQUEST=cython.int, OUT_REQUEST_FRAME=cython.int, OUT_REQUEST_TIME=cython.int, OUT_IS_TEXT=cython.int)
cython.declare(OUT_RESPONSE_FRAME=cython.int)
(
    OUT_DIRECTION, OUT_BY, OUT_START, OUT_END, OUT_COUNTS, OUT_PIECES, OUT_SIZE, OUT_NUMBER, OUT_KIND, OUT_LEADING, OUT_HEADER, OUT_BODY,
    OUT_MISSING, OUT_FRAMING, OUT_FAULTS, OUT_FAULT_AT, OUT_FIRST_FRAME, OUT_FIRST_TIME, OUT_HEADER_FRAME, OUT_HEADER_TIME, OUT_TIME,
    OUT_NTH, OUT_PREVIOUS_FRAME, OUT_STATUS, OUT_REQUEST, OUT_REQUEST_FRAME, OUT_REQUEST_TIME, OUT_IS_TEXT, OUT_RESPONSE_FRAME,
) = range(len(OUTPUT))  # fmt: skip
COLUMNS = cython.declare(cython.longlong, len(OUTPUT))
RUNS = ("direction", "start", "end", "gap", "ended", "last", "first", "until")  # of ContiguousRuns; then the time of `until`
cython.declare(RUN_DIRECTION=cython.int, RUN_START=cython.int, RUN_END=cython.int, RUN_GAP=cython.int, RUN_ENDED=cython.int)
cython.declare(RUN_LAST=cython.int, RUN_FIRST=cython.int, RUN_UNTIL=cython.int, RUN_UNTIL_TIME=cython.int)
RUN_DIRECTION, RUN_START, RUN_END, RUN_GAP, RUN_ENDED, RUN_LAST, RUN_FIRST, RUN_UNTIL, RUN_UNTIL_TIME = range(len(RUNS) + 1)
cython.declare(PIECE_PLACE=cython.int, PIECE_FRAME=cython.int, PIECE_TIME=cython.int, PIECE_BY=cython.int, PIECE_BY_TIME=cython.int)
PIECE_PLACE, PIECE_FRAME, PIECE_TIME, PIECE_BY, PIECE_BY_TIME = range(5)
SECTION_LIMIT = cython.declare(cython.longlong, 1 << 16)  # bytes of the longest header section, or trailer
BODY_LIMIT = cython.declare(cython.longlong, 1 << 20)  # bytes kept of a body
TOTAL_LIMIT = cython.declare(cython.longlong, 64 << 20)  # bytes kept of all incomplete messages
FRAMES_LIMIT = cython.declare(cython.longlong, 1 << 17)  # frames of a message that are remembered
PENDING_LIMIT = cython.declare(cython.longlong, 10_000)  # requests of a stream that wait for a response
EMPTY_LIMIT = cython.declare(cython.longlong, 8)  # bytes of empty lines that may stand before a message
METHOD_LIMIT = cython.declare(cython.longlong, 32)  # bytes of the longest method
EXTENSION_LIMIT = cython.declare(cython.longlong, 4096)  # bytes after a chunk's size
SIZE_DIGITS = cython.declare(cython.longlong, 15)  # of a chunk's size, more than that is no size
cython.declare(OTHER_METHOD=cython.longlong, HEAD=cython.longlong, CONNECT=cython.longlong)
OTHER_METHOD, HEAD, CONNECT = range(3)
cython.declare(CLIENT=cython.longlong, SERVER=cython.longlong)
CLIENT, SERVER = range(1, 3)  # roles of a direction, 0: not known yet
# states of a direction: before a message; in a body with a length, in one that ends with the direction; in a chunk's size, after it on
# its line, in its data, in the CRLF after its data; in the trailer; in another protocol
cython.declare(BEFORE_MESSAGE=cython.longlong, IN_LENGTH=cython.longlong, UNTIL_CLOSE=cython.longlong, CHUNK_SIZE=cython.longlong)
cython.declare(CHUNK_EXTENSION=cython.longlong, CHUNK_DATA=cython.longlong, CHUNK_END=cython.longlong, TRAILER=cython.longlong)
cython.declare(TUNNEL=cython.longlong)
BEFORE_MESSAGE, IN_LENGTH, UNTIL_CLOSE, CHUNK_SIZE, CHUNK_EXTENSION, CHUNK_DATA, CHUNK_END, TRAILER, TUNNEL = range(9)
cython.declare(MORE=cython.longlong, NO=cython.longlong, YES=cython.longlong)
MORE, NO, YES = range(-1, 2)  # whether a message begins somewhere; MORE: more bytes must tell
HTTP_SLASH = cython.declare(bytes, b"HTTP/")
CONTENT_LENGTH = cython.declare(bytes, b"content-length")
TRANSFER_ENCODING = cython.declare(bytes, b"transfer-encoding")
CHUNKED_CODING = cython.declare(bytes, b"chunked")
UPGRADE = cython.declare(bytes, b"upgrade")
WEBSOCKET = cython.declare(bytes, b"websocket")
CONTENT_TYPE = cython.declare(bytes, b"content-type")
TEXT_TYPES = (b"text/", b"application/x-javascript", b"application/json")  # what Wireshark shows as lines of text
XML = cython.declare(bytes, b"text/xml")
IS_TOKEN = cython.declare(  # by byte: RFC 9110 §5.6.2
    bytes, bytes(n in b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" for n in range(256))
)


@cython.cfunc
def _equals(data: cython.const[cython.uchar][::1], at: cython.longlong, word: bytes, size: cython.longlong) -> cython.bint:
    """Whether data has this word (lower case) at that place, in any case."""
    i: cython.longlong
    for i in range(size):
        if (data[at + i] | 32) != word[i]:
            return False
    return True


@cython.cfunc
def _is_text(data: cython.const[cython.uchar][::1], at: cython.longlong, end: cython.longlong) -> cython.longlong:
    """1 if the content type data[at:end] is one of text, else 0."""
    while at < end and (data[at] == 32 or data[at] == 9):
        at += 1
    if end - at >= len(XML) and _equals(data, at, XML, len(XML)):
        return 0
    for word in TEXT_TYPES:
        if end - at >= len(word) and _equals(data, at, word, len(word)):
            return 1
    return 0


@cython.cfunc
def _is_version(data: cython.const[cython.uchar][::1], at: cython.longlong) -> cython.bint:
    """Whether data[at:at + 8] is a version of HTTP/1, RFC 9112 §2.3."""
    i: cython.longlong
    for i in range(5):
        if data[at + i] != HTTP_SLASH[i]:
            return False
    return 48 <= data[at + 5] <= 57 and data[at + 6] == 46 and 48 <= data[at + 7] <= 57


@cython.final
@cython.cclass
class HttpRequest:
    """A request that may be answered."""

    number: cython.longlong
    method: cython.longlong
    header_frame: cython.longlong  # that completed its header section
    frame: cython.longlong  # that completed it, 0 not yet
    time: cython.longlong
    response_frame: cython.longlong  # that completed its response

    def __init__(self, number: cython.longlong, method: cython.longlong, header_frame: cython.longlong):
        self.number, self.method, self.header_frame = number, method, header_frame
        self.frame = self.time = self.response_frame = 0


@cython.final
@cython.cclass
class HttpDirection:
    """One direction of a stream, and its message that is not whole yet."""

    number: cython.longlong
    role: cython.longlong
    state: cython.longlong
    left: cython.longlong  # bytes of the body or the chunk that are still to come
    line: cython.longlong  # bytes of a chunk's size, its extension, the trailer's line
    trailer: cython.longlong
    scanned: cython.longlong  # bytes of a header section in which no end is
    line_end: cython.longlong  # bytes up to the end of its start line, 0 not yet
    may_switch: cython.bint  # what follows may be another protocol
    next_protocol: cython.longlong  # which one: 1 WebSocket, 0 another
    lossy: cython.bint  # responses may be missing
    ended: cython.bint
    pending: object  # of a client's direction: HttpRequests without response
    nth: cython.longlong
    previous_frame: cython.longlong
    kept: bytearray
    frames: object
    message_number: cython.longlong  # 0 until the header section is whole; the next ones are columns of OUTPUT
    leading: cython.longlong
    header: cython.longlong
    first_frame: cython.longlong
    first_time: cython.longlong
    header_frame: cython.longlong
    header_time: cython.longlong
    status: cython.longlong
    request: HttpRequest
    pieces: cython.longlong
    size: cython.longlong
    body: cython.longlong
    missing: cython.longlong
    framing: cython.longlong
    faults: cython.longlong
    fault_at: cython.longlong
    is_text: cython.longlong
    room: cython.longlong  # bytes that may still be kept
    last_frame: cython.longlong  # of its last piece
    finished: cython.bint
    broken: cython.bint

    def __init__(self, number: cython.longlong):
        self.number = number
        self.next_protocol = 0
        self.role = self.state = self.left = self.line = self.trailer = self.scanned = self.line_end = 0
        self.may_switch = self.lossy = self.ended = self.finished = self.broken = False
        self.pending = deque()
        self.nth = self.previous_frame = 0
        self._new_message()

    @cython.cfunc
    def _new_message(self):
        self.kept, self.frames, self.request, self.message_number = bytearray(), array("q"), None, 0
        self.pieces = self.size = self.body = self.missing = self.framing = self.faults = self.fault_at = self.is_text = 0
        self.room = BODY_LIMIT
        self.last_frame = 0
        self.finished = self.broken = False

    @cython.cfunc
    def _fault(self, bit: cython.longlong, at: cython.longlong):
        if not self.faults:
            self.fault_at = at
        self.faults |= bit


@cython.final
@cython.cclass
class HttpParser:
    """All streams. State lives from `feed` to `feed`."""

    directions: dict
    incomplete: dict  # directions with an incomplete message, the oldest first
    held: cython.longlong  # bytes of these
    message_count: cython.longlong
    rows: object  # array of rows of OUTPUT, of which `filled` numbers are used; `view` is a view of it
    filled: cython.longlong
    view: cython.longlong[::1]
    lost: object
    frames: object
    beyond: object
    data: bytearray
    new_requests: list  # requests that became rows in this turn: (row, HttpRequest)
    decided_at: cython.longlong  # the byte that decided what `_probe` returned
    probed_role: cython.longlong  # and if that was YES, the role
    streams_bodies: cython.bint  # bodies are handed on as they come and not kept
    drops_bodies: cython.bint  # nobody reads bodies of responses: they are not kept
    body_pieces: list  # (number of the message, bytes of its body), or (number, how many are missing)

    def __init__(self):
        self.directions, self.incomplete, self.streams_bodies, self.drops_bodies, self.body_pieces = {}, {}, False, False, []
        self.held = self.message_count = self.decided_at = self.probed_role = 0
        self._clear()

    @cython.cfunc
    def _clear(self):
        self.lost, self.frames, self.beyond = array("q"), array("q"), array("q")
        self.rows, self.filled = array("q", bytes(8 * 64 * COLUMNS)), 0
        self.view = memoryview(self.rows)
        self.data, self.new_requests = bytearray(), []

    def skim(self):
        """From now on keep no bodies of responses."""
        self.drops_bodies = True

    def hand_on(self):
        """From now on keep no bodies, but hand them on."""
        self.streams_bodies = True

    def take(self) -> list:
        """The bytes of bodies since the last call, without their framing: (number of the message, bytes), or (number, int) for so many
        bytes that no frame holds."""
        result, self.body_pieces = self.body_pieces, []
        return result

    def feed(
        self,
        data: cython.const[cython.uchar][::1],
        source: object,
        runs: cython.const[cython.longlong][:, ::1],
        pieces: cython.const[cython.longlong][:, ::1],
    ) -> tuple:
        """Read what follows. data, source: the same bytes, the second to take slices of.

        runs: rows RUNS of `framing.ContiguousRuns` and the time of `until`. pieces: its rows place, frame, time, by, and time of `by`.
        Returns (rows of OUTPUT, flat; bytes of the messages; frames of their pieces; how far each run was read; pairs (frame, bytes) of
        what is in no message; (run, place, frame, 1 for WebSocket else 0) from which on another protocol speaks).
        """
        n: cython.longlong = runs.shape[1]
        upto = array("q", bytes(8 * n))
        first: cython.longlong = 0
        while first < n:
            stream: cython.longlong = runs[RUN_DIRECTION, first] >> 1
            middle: cython.longlong = first
            while middle < n and runs[RUN_DIRECTION, middle] == 2 * stream:
                middle += 1
            stop: cython.longlong = middle
            while stop < n and runs[RUN_DIRECTION, stop] == 2 * stream + 1:
                stop += 1
            bounds = [(first, middle), (middle, stop)]
            if first < middle < stop and self._sends_requests(data, runs, pieces, middle, stop, first, middle):
                bounds.reverse()  # requests go first
            for bound in bounds:
                if bound[0] < bound[1]:
                    self._read_direction(data, source, runs, pieces, bound[0], bound[1], upto)
            first = stop
        row: cython.longlong
        request: HttpRequest
        for row, request in self.new_requests:
            if request.response_frame and request.response_frame <= self.view[row + OUT_BY]:
                self.view[row + OUT_RESPONSE_FRAME] = request.response_frame
        direction: HttpDirection
        for whole in (False, True):  # bodies first, then messages, oldest first
            for direction in list(self.incomplete.values()) if self.held > TOTAL_LIMIT else ():
                if self.held > TOTAL_LIMIT:
                    self._forget(direction, whole)
        result = self.rows[: self.filled], self.data, self.frames, upto, self.lost, self.beyond
        self._clear()
        return result

    def pending(self) -> list:
        """(frame of the first byte, bytes that are there) of incomplete messages."""
        result = []
        direction: HttpDirection
        for direction in self.incomplete.values():
            result.append((direction.first_frame, direction.size - direction.missing))
        return result

    def unfinished(self) -> tuple:
        """Once the trace has ended: the incomplete messages, oldest first: rows of OUTPUT, bytes. `by` and `time` are 0."""
        direction: HttpDirection
        for direction in sorted(self.incomplete.values(), key=_message_start):
            self._emit(direction, 0, 0)
        result = self.rows[: self.filled], self.data
        self._clear()
        return result

    @cython.cfunc
    def _forget(self, direction: HttpDirection, whole: cython.bint):
        """Keep only this message's header section, or (whole) nothing."""
        header: cython.longlong = direction.header
        self.held -= len(direction.kept) - header + 8 * len(direction.frames)
        del direction.kept[header:]
        del direction.frames[:]
        direction.room = 0
        if whole:
            self.held -= header
            self.incomplete.pop(direction.number, None)
            direction.state, direction.lossy = BEFORE_MESSAGE, True
            direction._new_message()

    @cython.cfunc
    def _sends_requests(
        self,
        data: cython.const[cython.uchar][::1],
        runs: cython.const[cython.longlong][:, ::1],
        pieces: cython.const[cython.longlong][:, ::1],
        first: cython.longlong,
        stop: cython.longlong,
        other: cython.longlong,
        other_stop: cython.longlong,
    ) -> cython.bint:
        """Whether the direction of runs first…stop - 1 sends requests, and not that of other…other_stop - 1."""
        role: cython.longlong = self._role(data, runs, pieces, first, stop)
        return role == CLIENT or (not role and self._role(data, runs, pieces, other, other_stop) == SERVER)

    @cython.cfunc
    def _role(
        self,
        data: cython.const[cython.uchar][::1],
        runs: cython.const[cython.longlong][:, ::1],
        pieces: cython.const[cython.longlong][:, ::1],
        first: cython.longlong,
        stop_run: cython.longlong,
    ) -> cython.longlong:
        """The role of a direction, as far as its bytes tell; else 0."""
        direction: HttpDirection = self.directions.get(runs[RUN_DIRECTION, first])
        if direction is not None and direction.role:
            return direction.role
        i: cython.longlong
        k: cython.longlong
        for i in range(first, stop_run):
            k = runs[RUN_FIRST, i]
            here: cython.longlong = runs[RUN_START, i]
            stop: cython.longlong = runs[RUN_END, i]
            while here < stop:
                while k + 1 < pieces.shape[1] and pieces[PIECE_PLACE, k + 1] <= here:
                    k += 1
                at: cython.longlong = here
                while at < stop and at - here < EMPTY_LIMIT and (data[at] == 13 or data[at] == 10):
                    at += 1
                if at < stop and self._probe(data, at, stop, 0) == YES:
                    line: cython.longlong = at
                    while line < stop and line - at < SECTION_LIMIT and data[line] != 10:
                        line += 1
                    if line < stop and data[line] == 10 and self._start_line_kind(data, at, line):
                        return self.probed_role
                here = pieces[PIECE_PLACE, k + 1] if k + 1 < pieces.shape[1] and pieces[PIECE_PLACE, k + 1] < stop else stop
        return 0

    @cython.cfunc
    def _probe(
        self, data: cython.const[cython.uchar][::1], at: cython.longlong, stop: cython.longlong, role: cython.longlong
    ) -> cython.longlong:
        """Whether a message may begin at data[at:stop], which is not empty."""
        end: cython.longlong = min(stop, at + 5)
        p: cython.longlong = at
        if role != CLIENT:
            while p < end and data[p] == HTTP_SLASH[p - at]:
                p += 1
            self.decided_at = min(p, stop - 1)
            if p == at + 5:
                self.probed_role = SERVER
                return YES
            if p == stop:
                return MORE
            if role == SERVER:
                return NO
        p = at
        while p < stop and p - at < METHOD_LIMIT and IS_TOKEN[data[p]]:
            p += 1
        self.decided_at, self.probed_role = min(p, stop - 1), CLIENT
        if p == stop:
            return MORE if p - at < METHOD_LIMIT else NO
        return YES if data[p] == 32 and p > at else NO

    @cython.cfunc
    def _read_direction(
        self,
        data: cython.const[cython.uchar][::1],
        source: object,
        runs: cython.const[cython.longlong][:, ::1],
        pieces: cython.const[cython.longlong][:, ::1],
        first: cython.longlong,
        stop_run: cython.longlong,
        upto: object,
    ):
        """Read what follows in one direction."""
        number: cython.longlong = runs[RUN_DIRECTION, first]
        direction: HttpDirection = self.directions.get(number)
        if direction is None:
            direction = self.directions[number] = HttpDirection(number)
        i: cython.longlong
        k: cython.longlong
        n: cython.longlong
        for i in range(first, stop_run):
            k = runs[RUN_FIRST, i]
            here: cython.longlong = runs[RUN_START, i]
            stop: cython.longlong = runs[RUN_END, i]
            limit: cython.longlong = runs[RUN_FIRST, i + 1] if i + 1 < runs.shape[1] else pieces.shape[1]
            if runs[RUN_GAP, i]:
                self._gap(direction, runs[RUN_GAP, i], pieces[PIECE_BY, k], pieces[PIECE_BY_TIME, k])
            while here < stop:
                while k + 1 < limit and pieces[PIECE_PLACE, k + 1] <= here:
                    k += 1
                edge: cython.longlong = pieces[PIECE_PLACE, k + 1] if k + 1 < limit and pieces[PIECE_PLACE, k + 1] < stop else stop
                if direction.state == TUNNEL:
                    self.beyond.extend((i, here, pieces[PIECE_BY, k], direction.next_protocol))
                    here = stop
                elif direction.state == BEFORE_MESSAGE:
                    n = self._start_message(direction, data, source, runs, pieces, i, k, limit, here, edge)
                    if n < 0:
                        break
                    here = n
                else:
                    n = self._read_body(direction, data, source, here, edge)
                    self._append(direction, source, pieces, k, here, here + n)
                    here += n
                    if direction.finished:
                        self._emit(direction, pieces[PIECE_BY, k], pieces[PIECE_BY_TIME, k])
                    elif direction.broken:
                        direction.lossy = True
                        direction._fault(BAD_CHUNK, direction.size)
                        self._emit(direction, pieces[PIECE_BY, k], pieces[PIECE_BY_TIME, k])
                        if edge > here:
                            self.lost.extend((pieces[PIECE_BY, k], edge - here))
                        here = edge
            upto[i] = here
            if runs[RUN_ENDED, i]:
                self._close(direction, runs[RUN_UNTIL, i], runs[RUN_UNTIL_TIME, i])
                if i + 1 < stop_run and number not in self.directions:  # data after the end of both
                    direction = self.directions[number] = HttpDirection(number)

    @cython.cfunc
    def _start_message(
        self,
        direction: HttpDirection,
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
        """Start a message at `here`, in piece k of run i. Returns where to continue, -1: only with more bytes."""
        stop: cython.longlong = runs[RUN_END, i]
        last: cython.bint = runs[RUN_LAST, i] != 0
        at: cython.longlong = here
        while at < stop and at - here < EMPTY_LIMIT and (data[at] == 13 or data[at] == 10):
            at += 1
        verdict: cython.longlong = MORE
        self.decided_at = stop - 1
        if at < stop:
            verdict = self._probe(data, at, stop, direction.role)
        p: cython.longlong = 0
        h: cython.longlong = 0
        if verdict == YES:
            most: cython.longlong = min(stop, at + SECTION_LIMIT)
            p = max(at, here + direction.scanned)
            if not direction.line_end:
                while p < most and data[p] != 10:
                    p += 1
                if p < most:
                    direction.line_end = p + 1 - here
                    if not self._start_line_kind(data, at, p):
                        verdict = NO
                        self.decided_at = p
                    p += 1
            while verdict == YES and p < most and not h:  # p is after the end of a line, or in the line that was scanned
                if data[p] == 10 and (data[p - 1] == 10 or (data[p - 1] == 13 and data[p - 2] == 10)):
                    h = p + 1
                p += 1
            if verdict == YES and not h:
                verdict = MORE
                direction.scanned = p - here
                if p == at + SECTION_LIMIT:
                    verdict = NO
                    self.decided_at = p - 1
                else:
                    self.decided_at = stop - 1
        if verdict == MORE and not last:
            return -1
        if verdict == YES:
            direction.scanned = direction.line_end = 0
            self._read_header_section(direction, data, source, pieces, k, limit, here, at, h)
            return h
        direction.scanned = direction.line_end = 0
        by: cython.longlong = runs[RUN_UNTIL, i]
        if verdict == NO:
            n: cython.longlong = k
            while n + 1 < limit and pieces[PIECE_PLACE, n + 1] <= self.decided_at:
                n += 1
            by = pieces[PIECE_BY, n]
        if direction.may_switch:
            direction.state = TUNNEL
            self.beyond.extend((i, here, by, direction.next_protocol))
            return stop
        direction.lossy = True
        self.lost.extend((by, edge - here))
        return edge

    @cython.cfunc
    def _start_line_kind(self, data: cython.const[cython.uchar][::1], at: cython.longlong, end: cython.longlong) -> cython.longlong:
        """Whether the line data[at:end] is the start line of a REQUEST, a RESPONSE or (0) none. RFC 9112 §3, §4."""
        while end > at and (data[end - 1] == 13 or data[end - 1] == 32):
            end -= 1
        if end - at >= 12 and _is_version(data, at) and data[at + 8] == 32:
            digits: cython.bint = data[at + 9] // 48 == 1 and data[at + 10] // 48 == 1 and data[at + 11] // 48 == 1
            digits = digits and data[at + 9] < 58 and data[at + 10] < 58 and data[at + 11] < 58
            return RESPONSE if digits and (end - at == 12 or data[at + 12] == 32) else 0
        if end - at >= 4 and data[at] == 80 and data[at + 1] == 82 and data[at + 2] == 73 and data[at + 3] == 32:
            return 0  # PRI: HTTP/2 begins, RFC 9113 §3.4, §11.6
        last: cython.longlong = end - 1
        while last > at and data[last] != 32:
            last -= 1
        if end - last < 9 or not _is_version(data, last + 1):  # some say HTTP/1.0.8
            return 0
        p: cython.longlong = at
        while data[p] != 32:
            p += 1
        return REQUEST if p < last - 1 else 0

    @cython.cfunc
    def _read_header_section(
        self,
        direction: HttpDirection,
        data: cython.const[cython.uchar][::1],
        source: object,
        pieces: cython.const[cython.longlong][:, ::1],
        k: cython.longlong,
        limit: cython.longlong,
        here: cython.longlong,
        at: cython.longlong,
        h: cython.longlong,
    ):
        """The message whose header section is data[here:h], with its start line at `at`."""
        is_response: cython.bint = data[at] == 72 and data[at + 1] == 84 and data[at + 4] == 47
        direction.role = SERVER if is_response else CLIENT
        first: cython.longlong = k
        start: cython.longlong = here
        while True:
            edge: cython.longlong = pieces[PIECE_PLACE, k + 1] if k + 1 < limit and pieces[PIECE_PLACE, k + 1] < h else h
            if edge > start:
                self._append(direction, source, pieces, k, start, edge)
            start = edge
            if start == h:
                break
            k += 1
        by: cython.longlong = pieces[PIECE_BY, k]
        time: cython.longlong = pieces[PIECE_BY_TIME, k]
        self.message_count += 1
        status: cython.longlong = 0
        if is_response:
            status = (data[at + 9] - 48) * 100 + (data[at + 10] - 48) * 10 + data[at + 11] - 48
        direction.leading, direction.header = at - here, h - here
        direction.first_frame, direction.first_time = pieces[PIECE_FRAME, first], pieces[PIECE_TIME, first]
        direction.header_frame, direction.header_time, direction.status, direction.message_number = by, time, status, self.message_count
        direction.nth += 1
        self.incomplete[direction.number] = direction
        self.held += h - here + 8 * len(direction.frames)
        length: cython.longlong
        chunked: cython.longlong
        upgrade: cython.longlong
        length, chunked, upgrade = self._scan_fields(direction, data, at, h, here)
        direction.next_protocol = 1 if upgrade == 2 else 0
        if chunked >= 0 and length >= 0:
            direction._fault(LENGTH_AND_CHUNKED, 0)
        request: HttpRequest = None
        if is_response:
            request = self._match_request(direction, status, by)
            direction.request = request
            if request is not None and status >= 200 and (not request.frame or request.frame > by):
                direction._fault(EARLY, 0)
            direction.may_switch = status == 101 or (request is not None and request.method == CONNECT and 200 <= status < 300)
            if direction.may_switch or status < 200 or status == 204 or status == 304 or (request is not None and request.method == HEAD):
                direction.framing = NO_BODY
            elif chunked == 1:
                direction.framing = CHUNKED
            elif length >= 0 and chunked < 0:
                direction.framing = LENGTH
            else:
                direction.framing = CLOSE
        else:
            method: cython.longlong = OTHER_METHOD
            if data[at + 4] == 32 and data[at] == 72 and data[at + 1] == 69 and data[at + 2] == 65 and data[at + 3] == 68:
                method = HEAD
            elif data[at + 7] == 32 and bytes(source[at : at + 7]) == b"CONNECT":
                method = CONNECT
            request = HttpRequest(self.message_count, method, by)
            direction.request = request
            direction.pending.append(request)
            if len(direction.pending) > PENDING_LIMIT:
                direction.pending.popleft()
            direction.may_switch = upgrade or method == CONNECT
            direction.framing = CHUNKED if chunked == 1 else LENGTH if length > 0 and chunked < 0 else NO_BODY
        if self.streams_bodies or (self.drops_bodies and direction.role == SERVER):
            direction.room = 0
        if direction.framing == NO_BODY or (direction.framing == LENGTH and length == 0):
            self._emit(direction, by, time)
        elif direction.framing == LENGTH:
            direction.state, direction.left = IN_LENGTH, length
        elif direction.framing == CHUNKED:
            direction.state, direction.left, direction.line, direction.trailer = CHUNK_SIZE, 0, 0, 0
        else:
            direction.state = UNTIL_CLOSE

    @cython.cfunc
    def _match_request(self, direction: HttpDirection, status: cython.longlong, by: cython.longlong):
        """The request that a response answers; None if none is known."""
        other: HttpDirection = self.directions.get(direction.number ^ 1)
        if other is None or not other.pending:
            return None
        request: HttpRequest = other.pending[0]
        if request.header_frame > by:
            return None
        if direction.lossy:  # responses may be missing: without pipelining, the last request is answered
            while len(other.pending) > 1 and cython.cast(HttpRequest, other.pending[1]).header_frame <= by:
                other.pending.popleft()
            request = other.pending[0]
            direction.lossy = False
        if status >= 200 or status == 101:
            other.pending.popleft()
        return request

    @cython.cfunc
    def _scan_fields(
        self,
        direction: HttpDirection,
        data: cython.const[cython.uchar][::1],
        at: cython.longlong,
        h: cython.longlong,
        here: cython.longlong,
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
            if end <= line or data[line] == 32 or data[line] == 9:  # the empty line, or a folded one
                continue
            if colon <= line or data[colon - 1] == 32 or data[colon - 1] == 9:
                direction._fault(NOT_A_FIELD, line - here)
                if colon <= line:
                    continue
                while colon > line and (data[colon - 1] == 32 or data[colon - 1] == 9):
                    colon -= 1
            size: cython.longlong = colon - line
            if size == 14 and _equals(data, line, CONTENT_LENGTH, 14):
                value: cython.longlong = self._content_length(direction, data, colon, end, here)
                if value >= 0 and length >= 0:
                    direction._fault(REPEATED if value == length else CONFLICTING, line - here)
                    value = min(value, length)
                if value >= 0:
                    length = value
            elif size == 17 and _equals(data, line, TRANSFER_ENCODING, 17):
                while end > colon and (data[end - 1] == 32 or data[end - 1] == 9):
                    end -= 1
                chunked = 1 if end - colon >= 8 and _equals(data, end - 7, CHUNKED_CODING, 7) and not IS_TOKEN[data[end - 8]] else 0
                if not chunked:
                    direction._fault(UNKNOWN_CODING, line - here)
            elif size == 12 and _equals(data, line, CONTENT_TYPE, 12):
                direction.is_text = _is_text(data, colon + 1, end)
            elif size == 7 and _equals(data, line, UPGRADE, 7):
                upgrade = 1
                while colon < end - 9 and upgrade == 1:
                    if _equals(data, colon + 1, WEBSOCKET, 9):
                        upgrade = 2
                    colon += 1
        return length, chunked, upgrade

    @cython.cfunc
    def _content_length(
        self,
        direction: HttpDirection,
        data: cython.const[cython.uchar][::1],
        colon: cython.longlong,
        end: cython.longlong,
        here: cython.longlong,
    ) -> cython.longlong:
        """The smallest number of a Content-Length; -1 if it is not one. RFC 9110 §8.6: a list of the same number counts as that number."""
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
    def _append(
        self,
        direction: HttpDirection,
        source: object,
        pieces: cython.const[cython.longlong][:, ::1],
        k: cython.longlong,
        start: cython.longlong,
        end: cython.longlong,
    ):
        """Bytes start…end - 1, of piece k, belong to the message."""
        size: cython.longlong = end - start
        direction.size += size
        if (
            pieces[PIECE_FRAME, k] != direction.last_frame
        ):  # a segment with the end of the header section and the begin of the body counts once
            direction.last_frame = pieces[PIECE_FRAME, k]
            direction.pieces += 1
            if len(direction.frames) < FRAMES_LIMIT:
                direction.frames.append(direction.last_frame)
                self.held += 8 if direction.message_number else 0
        if not direction.message_number:  # the header section is kept whole
            direction.kept += source[start:end]
            return
        if size > direction.room:
            size = direction.room
        if size:
            direction.kept += source[start : start + size]
            direction.room -= size
            self.held += size

    @cython.cfunc
    def _stream_body(self, direction: HttpDirection, source: object, here: cython.longlong, edge: cython.longlong):
        """Hand on data[here:edge] of a body, if bodies are wanted so."""
        if self.streams_bodies:
            self.body_pieces.append((direction.message_number, bytes(source[here:edge])))

    @cython.cfunc
    def _read_body(
        self, direction: HttpDirection, data: cython.const[cython.uchar][::1], source: object, here: cython.longlong, edge: cython.longlong
    ) -> cython.longlong:
        """How many bytes of data[here:edge] belong to the message, at least 1. RFC 9112 §6, §7.1."""
        n: cython.longlong
        p: cython.longlong = here
        if direction.state == UNTIL_CLOSE:
            direction.body += edge - here
            self._stream_body(direction, source, here, edge)
            return edge - here
        if direction.state == IN_LENGTH:
            n = min(direction.left, edge - here)
            direction.left -= n
            direction.body += n
            direction.finished = direction.left == 0
            self._stream_body(direction, source, here, here + n)
            return n
        while p < edge and not direction.finished:
            c: cython.longlong = data[p]
            if direction.state == CHUNK_DATA:
                n = min(direction.left, edge - p)
                direction.left -= n
                direction.body += n
                self._stream_body(direction, source, p, p + n)
                p += n
                if direction.left == 0:
                    direction.state, direction.line = CHUNK_END, 0
                continue
            p += 1
            if direction.state == CHUNK_SIZE:
                digit: cython.longlong = c - 48 if 48 <= c <= 57 else (c | 32) - 87 if 97 <= (c | 32) <= 102 else -1
                if digit >= 0 and direction.line < SIZE_DIGITS:
                    direction.left = direction.left * 16 + digit
                    direction.line += 1
                    continue
                if digit >= 0 or not direction.line or not (c == 13 or c == 10 or c == 32 or c == 9 or c == 59):
                    direction.broken = True
                    break
                direction.state, direction.line = CHUNK_EXTENSION, 0
            if direction.state == CHUNK_EXTENSION:
                direction.line += 1
                if c == 10:
                    direction.state, direction.line = (CHUNK_DATA if direction.left else TRAILER), 0
                elif direction.line > EXTENSION_LIMIT:
                    direction.broken = True
                    break
            elif direction.state == CHUNK_END:
                if c == 10:
                    direction.state, direction.line, direction.left = CHUNK_SIZE, 0, 0
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
                if direction.trailer > SECTION_LIMIT:
                    direction.broken = True
                    break
        return p - here

    @cython.cfunc
    def _gap(self, direction: HttpDirection, size: cython.longlong, by: cython.longlong, time: cython.longlong):
        """Bytes of this direction are missing."""
        if direction.state == BEFORE_MESSAGE:
            direction.lossy = True
            return
        if direction.state == TUNNEL:
            return
        n: cython.longlong = (
            size
            if direction.state == UNTIL_CLOSE
            else min(size, direction.left)
            if direction.state == IN_LENGTH or direction.state == CHUNK_DATA
            else 0
        )
        direction._fault(HOLE, direction.size)
        direction.missing += n
        direction.body += n
        direction.size += n
        if self.streams_bodies and n:
            self.body_pieces.append((direction.message_number, n))
        room: cython.longlong = min(n, direction.room)
        direction.kept += bytes(room)
        direction.room -= room
        self.held += room
        if direction.state != UNTIL_CLOSE:
            direction.left -= n
        if direction.state == IN_LENGTH and direction.left == 0:
            self._emit(direction, by, time)
        elif direction.state == CHUNK_DATA and direction.left == 0 and n == size:
            direction.state, direction.line = CHUNK_END, 0
        elif n < size:
            self._emit(direction, by, time)
        if n < size:
            direction.lossy = True

    @cython.cfunc
    def _close(self, direction: HttpDirection, by: cython.longlong, time: cython.longlong):
        """The direction has ended."""
        if direction.state == UNTIL_CLOSE:
            self._emit(direction, by, time)
        elif direction.state != BEFORE_MESSAGE and direction.state != TUNNEL:
            direction._fault(SHORT, direction.size)
            if direction.state == IN_LENGTH:
                direction.missing += direction.left
                direction.body += direction.left
            self._emit(direction, by, time)
        direction.ended = True
        other: HttpDirection = self.directions.get(direction.number ^ 1)
        if other is not None and other.ended:
            self.directions.pop(direction.number, None)
            self.directions.pop(direction.number ^ 1, None)

    @cython.cfunc
    def _emit(self, direction: HttpDirection, by: cython.longlong, time: cython.longlong):
        """Write the row of the message, complete or not."""
        request: HttpRequest = direction.request
        is_response: cython.bint = direction.role == SERVER
        number: cython.longlong = 0
        frame: cython.longlong = 0
        when: cython.longlong = 0
        if request is not None:
            if not is_response:
                request.frame, request.time = by, time
                self.new_requests.append((self.filled, request))
            else:
                number = request.number
                if request.frame and (request.frame <= by or not by):
                    frame, when = request.frame, request.time
                if direction.status >= 200:
                    request.response_frame = by
        start: cython.longlong = len(self.data)
        self.data += direction.kept
        self.frames.extend(direction.frames)
        n: cython.longlong = self.filled
        if n + COLUMNS > len(self.rows):
            grown = array("q", bytes(16 * len(self.rows)))
            grown[:n] = self.rows[:n]
            self.rows = grown
            self.view = memoryview(grown)
        row: cython.longlong[::1] = self.view
        row[n + OUT_DIRECTION], row[n + OUT_BY] = direction.number, by
        row[n + OUT_START], row[n + OUT_END] = start, len(self.data)
        row[n + OUT_COUNTS], row[n + OUT_PIECES] = len(direction.frames), direction.pieces
        row[n + OUT_SIZE], row[n + OUT_NUMBER] = direction.size, direction.message_number
        row[n + OUT_KIND], row[n + OUT_REQUEST] = RESPONSE if is_response else REQUEST, number
        row[n + OUT_LEADING], row[n + OUT_HEADER] = direction.leading, direction.header
        row[n + OUT_BODY], row[n + OUT_MISSING] = direction.body, direction.missing
        row[n + OUT_FRAMING], row[n + OUT_IS_TEXT] = direction.framing, direction.is_text
        row[n + OUT_FAULTS], row[n + OUT_FAULT_AT] = direction.faults, direction.fault_at
        row[n + OUT_FIRST_FRAME], row[n + OUT_FIRST_TIME] = direction.first_frame, direction.first_time
        row[n + OUT_HEADER_FRAME], row[n + OUT_HEADER_TIME] = direction.header_frame, direction.header_time
        row[n + OUT_TIME], row[n + OUT_NTH] = time, direction.nth
        row[n + OUT_PREVIOUS_FRAME], row[n + OUT_STATUS] = direction.previous_frame, direction.status
        row[n + OUT_REQUEST_FRAME], row[n + OUT_REQUEST_TIME] = frame, when
        row[n + OUT_RESPONSE_FRAME] = 0
        self.filled += COLUMNS
        self.held -= len(direction.kept) + 8 * len(direction.frames)
        self.incomplete.pop(direction.number, None)
        direction.previous_frame = by
        direction.state = BEFORE_MESSAGE
        direction._new_message()


# ---------------------------------------------------------------- header sections and chunks


def _message_start(direction: HttpDirection) -> tuple:
    """A sort key: the frame in which its message began; then the direction."""
    return direction.first_frame, direction.number


def field_lines(
    data: cython.const[cython.uchar][::1],
    source: bytes,
    start: cython.const[cython.longlong][::1],
    end: cython.const[cython.longlong][::1],
    names: dict,
) -> object:
    """The fields of header sections data[start:end], which begin with their start line. source: the same bytes, to take slices of.

    Returns a flat array of int64, six numbers a field: the section's index, the value in `names` of its lower-case name (-1: none), where
    the line begins, start and end of its value, end of the line with its CRLF. A folded line (RFC 9112 §5.2) belongs to the field before.
    """
    i: cython.longlong
    name_end: cython.longlong
    value: cython.longlong
    last: cython.longlong
    most: cython.longlong = 0
    for i in range(len(start)):
        most += source.count(b"\n", start[i], end[i]) + 1
    fields = array("q", bytes(48 * most))
    field: cython.longlong[::1] = memoryview(fields)
    n: cython.longlong = 0  # numbers in `field`
    # Most sections have the fields of the name_end before: the last place of each name, and its code.
    places: cython.longlong[::1] = array("q", [-1]) * 128
    sizes: cython.longlong[::1] = array("q", [0]) * 128
    codes: cython.longlong[::1] = array("q", [0]) * 128
    for i in range(len(start)):
        stop: cython.longlong = end[i]
        p: cython.longlong = _line_feed(data, start[i], stop) + 1
        section_start: cython.longlong = n
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
                if n > section_start and last > line:
                    field[n - 2], field[n - 1] = last, p
                continue
            if colon < 0:
                continue
            name_end = colon
            while name_end > line and (data[name_end - 1] == 32 or data[name_end - 1] == 9):
                name_end -= 1
            value = colon + 1
            while value < last and (data[value] == 32 or data[value] == 9):
                value += 1
            slot: cython.longlong = (7 * (name_end - line) + data[line]) & 127
            if places[slot] < 0 or sizes[slot] != name_end - line or not _same_bytes(data, places[slot], line, name_end - line):
                places[slot], sizes[slot], codes[slot] = line, name_end - line, names.get(source[line:name_end].lower(), -1)
            code: cython.longlong = codes[slot]
            field[n], field[n + 1], field[n + 2] = i, code, line
            field[n + 3], field[n + 4], field[n + 5] = value, max(value, last), p
            n += 6
    return fields[:n]


@cython.cfunc
def _same_bytes(data: cython.const[cython.uchar][::1], a: cython.longlong, b: cython.longlong, size: cython.longlong) -> cython.bint:
    """Whether the same bytes stand at both places."""
    i: cython.longlong
    for i in range(size):
        if data[a + i] != data[b + i]:
            return False
    return True


@cython.cfunc
def _line_feed(data: cython.const[cython.uchar][::1], p: cython.longlong, stop: cython.longlong) -> cython.longlong:
    """Where the line feed of the line at p is, or `stop`."""
    while p < stop and data[p] != 10:
        p += 1
    return p


def start_lines(
    data: cython.const[cython.uchar][::1], start: cython.const[cython.longlong][::1], end: cython.const[cython.longlong][::1]
) -> object:
    """The start lines of header sections data[start:end]: bounds of the three parts of each, six numbers of int64. RFC 9112 §3, §4."""
    bounds = array("q", bytes(48 * len(start)))
    bound: cython.longlong[::1] = memoryview(bounds)
    i: cython.longlong
    for i in range(len(start)):
        last: cython.longlong = _line_feed(data, start[i], end[i])
        while last > start[i] and (data[last - 1] == 13 or data[last - 1] == 32):
            last -= 1
        first_end: cython.longlong = start[i]
        while first_end < last and data[first_end] != 32:
            first_end += 1
        third: cython.longlong = min(first_end + 1, last)
        if last - start[i] >= 5 and _is_version(data, start[i]):
            while third < last and data[third] != 32:
                third += 1
        else:
            third = last
            while third > first_end + 1 and data[third - 1] != 32:
                third -= 1
            third -= 1
        bound[6 * i], bound[6 * i + 1], bound[6 * i + 2] = start[i], first_end, min(first_end + 1, last)
        bound[6 * i + 3], bound[6 * i + 4], bound[6 * i + 5] = third, min(third + 1, last), last
    return bounds


def chunks(
    data: cython.const[cython.uchar][::1], start: cython.const[cython.longlong][::1], end: cython.const[cython.longlong][::1]
) -> tuple:
    """The chunks of chunked bodies data[start:end], as far as they are there.

    Returns two flat arrays of int64: of each chunk, the last one of size 0 included, index of the body, declared size, start and end of
    its data; and of each body where its trailer begins.
    """
    rows = array("q")
    trailers = array("q")
    i: cython.longlong
    for i in range(len(start)):
        p: cython.longlong = start[i]
        stop: cython.longlong = end[i]
        trailer: cython.longlong = stop
        while p < stop:
            size: cython.longlong = 0
            digits: cython.longlong = 0
            while p < stop and digits <= SIZE_DIGITS:
                c: cython.longlong = data[p]
                digit: cython.longlong = c - 48 if 48 <= c <= 57 else (c | 32) - 87 if 97 <= (c | 32) <= 102 else -1
                if digit < 0:
                    break
                size = size * 16 + digit
                digits += 1
                p += 1
            while p < stop and data[p] != 10:
                p += 1
            if p >= stop or not digits or digits > SIZE_DIGITS:
                break
            p += 1
            rows.extend((i, size, p, min(p + size, stop)))
            if not size:
                trailer = p
                break
            p = min(p + size, stop)
            while p < stop and data[p] != 10:
                p += 1
            p += 1
        trailers.append(trailer)
    return rows, trailers
