# mypy: ignore-errors
"""Questions and answers of DNS, put together: a loop, since what a message is hangs on those before it.

Compiled by Cython when the package is built; runs interpreted too. What a message is to those before it is told as tshark tells it
in one pass: a question with the same number between the same two ends, unanswered and less than five seconds old, is sent again;
the first answer answers it. Two judgments are our own: how long a server has been silent, and whether failures come in bursts.
"""

import cython

INPUT = ("answer", "quoted", "time", "frame", "failed")  # rows of the matrix that goes in, int64; time: ns; failed: the reply code, or 0
OUTPUT = (  # rows of what comes out; 0 where it does not hold
    "request",  # the frame that asked what this answers
    "took",  # ns since
    "asked_in",  # this question was asked before, there
    "answered_in",  # this answer came before, there
    "answered_by",  # the question that an error quotes was answered already, there
    "unsolicited",
    "silent",  # the server of this question has left that many unanswered, one behind the other
    "failures",  # the server of this answer has told that many failures of the same kind, shortly one behind the other
)
MOST = cython.declare(cython.longlong, 1 << 18)  # questions remembered, twice that at times; the eldest are forgotten
AGAIN = cython.declare(cython.longlong, 5_000_000_000)  # ns: Wireshark's dns.retransmission_timeout
SERVERS = cython.declare(cython.longlong, 1 << 14)
PATIENCE = cython.declare(cython.longlong, 2_000_000_000)  # ns from the first of some unanswered questions on
FEW = cython.declare(cython.longlong, 3)  # unanswered questions that are worth a word, then twice as many …
BURST = cython.declare(cython.longlong, 10)  # failures within SPAN that are a burst, then twice as many …
SPAN = cython.declare(cython.longlong, 10_000_000_000)  # ns

ANSWER = cython.declare(cython.int, INPUT.index("answer"))
QUOTED = cython.declare(cython.int, INPUT.index("quoted"))
TIME = cython.declare(cython.int, INPUT.index("time"))
FRAME = cython.declare(cython.int, INPUT.index("frame"))
FAILED = cython.declare(cython.int, INPUT.index("failed"))
REQUEST = cython.declare(cython.int, OUTPUT.index("request"))
TOOK = cython.declare(cython.int, OUTPUT.index("took"))
ASKED_IN = cython.declare(cython.int, OUTPUT.index("asked_in"))
ANSWERED_IN = cython.declare(cython.int, OUTPUT.index("answered_in"))
ANSWERED_BY = cython.declare(cython.int, OUTPUT.index("answered_by"))
UNSOLICITED = cython.declare(cython.int, OUTPUT.index("unsolicited"))
SILENT = cython.declare(cython.int, OUTPUT.index("silent"))
FAILURES = cython.declare(cython.int, OUTPUT.index("failures"))


@cython.final
@cython.cclass
class Question:
    frame: cython.longlong
    time: cython.longlong
    answer: cython.longlong  # frame of the first answer, or 0


@cython.final
@cython.cclass
class Server:
    unanswered: cython.longlong  # since its last answer
    since: cython.longlong  # time of the first of these
    next_silence: cython.longlong  # number of unanswered questions to tell next
    code: cython.longlong  # reply code of the failures
    failures: cython.longlong
    first: cython.longlong  # time of the first of these
    next_burst: cython.longlong


@cython.final
@cython.cclass
class Questions:
    young: dict
    old: dict
    servers: dict

    def __init__(self):
        self.young, self.old = {}, {}
        self.servers = {}

    @cython.cfunc
    def remember(self, key: object, frame: cython.longlong, time: cython.longlong):
        if len(self.young) >= MOST:
            self.old, self.young = self.young, {}
        one: Question = Question()
        one.frame = frame
        one.time = time
        one.answer = 0
        self.young[key] = one

    @cython.cfunc
    def server(self, name: object) -> Server:
        found = self.servers.get(name)
        if found is not None:
            return found
        if len(self.servers) >= SERVERS:
            self.servers = {}
        one: Server = Server()
        one.unanswered = one.since = one.code = one.failures = one.first = 0
        one.next_silence = FEW
        one.next_burst = BURST
        self.servers[name] = one
        return one

    def feed(self, keys: list, servers: object, given: cython.const[cython.longlong][:, ::1], told: cython.longlong[:, ::1]):
        """Take messages in the order of their frames; write a column of `told` for each.

        keys: what a question and its answer have in common. servers: a list of who is asked or answers, or None: not judged.
        """
        i: cython.longlong
        time: cython.longlong
        one: Question
        for i in range(len(keys)):
            key = keys[i]
            time = given[TIME, i]
            found = self.young.get(key)
            if found is None:
                found = self.old.get(key)
            if given[QUOTED, i]:
                if found is not None and given[ANSWER, i] == 0:
                    one = found
                    told[ANSWERED_BY, i] = one.answer
                continue
            if servers is not None:
                self.judge(self.server(servers[i]), i, given, told)
            if given[ANSWER, i]:
                if found is None:
                    told[UNSOLICITED, i] = 1
                    continue
                one = found
                if one.answer:
                    told[ANSWERED_IN, i] = one.answer
                else:
                    one.answer = given[FRAME, i]
                    told[REQUEST, i] = one.frame
                    told[TOOK, i] = time - one.time
                continue
            if found is not None:
                one = found
                if one.answer == 0 and time - one.time < AGAIN:
                    told[ASKED_IN, i] = one.frame
                    continue
            self.remember(key, given[FRAME, i], time)

    @cython.cfunc
    def judge(
        self, server: Server, i: cython.longlong, given: cython.const[cython.longlong][:, ::1], told: cython.longlong[:, ::1]
    ) -> cython.longlong:
        """What message i says about its server."""
        time: cython.longlong = given[TIME, i]
        if given[ANSWER, i]:
            server.unanswered = 0
            server.next_silence = FEW
            if given[FAILED, i]:
                told[FAILURES, i] = self.failed(server, given[FAILED, i], time)
            return 0
        if server.unanswered == 0:
            server.since = time
        elif server.unanswered >= server.next_silence and time - server.since >= PATIENCE:
            told[SILENT, i] = server.unanswered
            server.next_silence = 2 * server.unanswered
        server.unanswered += 1
        return 0

    @cython.cfunc
    def failed(self, server: Server, code: cython.longlong, time: cython.longlong) -> cython.longlong:
        """Count a failure; how many there were, when that is worth a word."""
        if code != server.code or time - server.first > SPAN:
            server.code = code
            server.first = time
            server.failures = 0
            server.next_burst = BURST
        server.failures += 1
        if server.failures < server.next_burst:
            return 0
        server.next_burst *= 2
        return server.failures
