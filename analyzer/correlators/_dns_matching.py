# mypy: ignore-errors
"""DNS responses matched to queries: a loop, since what a message is depends on those before it.

Compiled by Cython when the package is built; runs interpreted too. The rules are tshark's, in one pass: a query with the id of an
unanswered one between the same two ends, less than five seconds old, is a retransmission; the first response answers it. Two
judgments are our own: how long a server has been silent, and whether failures come in bursts.
"""

import cython

INPUT = ("answer", "quoted", "time", "frame", "failed")  # rows of the input matrix, int64; time: ns; failed: reply code or 0
OUTPUT = (  # rows of the output matrix; 0 where it does not hold
    "request",  # frame of the query that this response answers
    "took",  # ns since
    "asked_in",  # frame of the query that this one repeats
    "answered_in",  # frame of the response that this one repeats
    "answered_by",  # frame that had answered the query which an ICMP error quotes
    "unsolicited",
    "silent",  # how many queries in a row the server of this one has not answered
    "failures",  # how many failures of one kind in a short time this server has sent
)
MOST = cython.declare(cython.longlong, 1 << 18)  # queries remembered, at times twice as many; the oldest are forgotten
RETRANSMISSION_TIMEOUT = cython.declare(cython.longlong, 5_000_000_000)  # ns: Wireshark's dns.retransmission_timeout
MOST_SERVERS = cython.declare(cython.longlong, 1 << 14)
SILENCE = cython.declare(cython.longlong, 2_000_000_000)  # ns since the first unanswered query
LEAST_SILENT = cython.declare(cython.longlong, 3)  # unanswered queries that are reported, then twice as many …
LEAST_BURST = cython.declare(cython.longlong, 10)  # failures within BURST_SPAN that are reported, then twice as many …
BURST_SPAN = cython.declare(cython.longlong, 10_000_000_000)  # ns

cython.declare(ANSWER=cython.int, QUOTED=cython.int, TIME=cython.int, FRAME=cython.int, FAILED=cython.int)
cython.declare(REQUEST=cython.int, TOOK=cython.int, ASKED_IN=cython.int, ANSWERED_IN=cython.int, ANSWERED_BY=cython.int)
cython.declare(UNSOLICITED=cython.int, SILENT=cython.int, FAILURES=cython.int)
ANSWER, QUOTED, TIME, FRAME, FAILED = range(len(INPUT))
REQUEST, TOOK, ASKED_IN, ANSWERED_IN, ANSWERED_BY, UNSOLICITED, SILENT, FAILURES = range(len(OUTPUT))


@cython.final
@cython.cclass
class Query:
    frame: cython.longlong
    time: cython.longlong
    answer: cython.longlong  # frame of the first answer, or 0


@cython.final
@cython.cclass
class Server:
    unanswered: cython.longlong  # since its last answer
    since: cython.longlong  # time of the first of these
    next_silence: cython.longlong  # number of unanswered queries to report next
    code: cython.longlong  # reply code of the failures
    failures: cython.longlong
    first: cython.longlong  # time of the first of these
    next_burst: cython.longlong


@cython.final
@cython.cclass
class DnsMatcher:
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
        one: Query = Query()
        one.frame = frame
        one.time = time
        one.answer = 0
        self.young[key] = one

    @cython.cfunc
    def server(self, name: object) -> Server:
        found = self.servers.get(name)
        if found is not None:
            return found
        if len(self.servers) >= MOST_SERVERS:
            self.servers = {}
        one: Server = Server()
        one.unanswered = one.since = one.code = one.failures = one.first = 0
        one.next_silence = LEAST_SILENT
        one.next_burst = LEAST_BURST
        self.servers[name] = one
        return one

    def feed(self, keys: list, servers: object, inputs: cython.const[cython.longlong][:, ::1], outputs: cython.longlong[:, ::1]):
        """Take messages in the order of their frames; write a column of `outputs` for each.

        keys: what a query and its response have in common. servers: who is asked or answers, a list, or None: not judged.
        """
        i: cython.longlong
        time: cython.longlong
        one: Query
        for i in range(len(keys)):
            key = keys[i]
            time = inputs[TIME, i]
            found = self.young.get(key)
            if found is None:
                found = self.old.get(key)
            if inputs[QUOTED, i]:
                if found is not None and inputs[ANSWER, i] == 0:
                    one = found
                    outputs[ANSWERED_BY, i] = one.answer
                continue
            if servers is not None:
                self.judge(self.server(servers[i]), i, inputs, outputs)
            if inputs[ANSWER, i]:
                if found is None:
                    outputs[UNSOLICITED, i] = 1
                    continue
                one = found
                if one.answer:
                    outputs[ANSWERED_IN, i] = one.answer
                else:
                    one.answer = inputs[FRAME, i]
                    outputs[REQUEST, i] = one.frame
                    outputs[TOOK, i] = time - one.time
                continue
            if found is not None:
                one = found
                if one.answer == 0 and time - one.time < RETRANSMISSION_TIMEOUT:
                    outputs[ASKED_IN, i] = one.frame
                    continue
            self.remember(key, inputs[FRAME, i], time)

    @cython.cfunc
    def judge(
        self, server: Server, i: cython.longlong, inputs: cython.const[cython.longlong][:, ::1], outputs: cython.longlong[:, ::1]
    ) -> cython.longlong:
        """Count what message i says about its server."""
        time: cython.longlong = inputs[TIME, i]
        if inputs[ANSWER, i]:
            server.unanswered = 0
            server.next_silence = LEAST_SILENT
            if inputs[FAILED, i]:
                outputs[FAILURES, i] = self.failed(server, inputs[FAILED, i], time)
            return 0
        if server.unanswered == 0:
            server.since = time
        elif server.unanswered >= server.next_silence and time - server.since >= SILENCE:
            outputs[SILENT, i] = server.unanswered
            server.next_silence = 2 * server.unanswered
        server.unanswered += 1
        return 0

    @cython.cfunc
    def failed(self, server: Server, code: cython.longlong, time: cython.longlong) -> cython.longlong:
        """Count a failure. Returns how many there were if that is to be reported, else 0."""
        if code != server.code or time - server.first > BURST_SPAN:
            server.code = code
            server.first = time
            server.failures = 0
            server.next_burst = LEAST_BURST
        server.failures += 1
        if server.failures < server.next_burst:
            return 0
        server.next_burst *= 2
        return server.failures
