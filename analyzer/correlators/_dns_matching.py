# mypy: ignore-errors
"""DNS responses matched to queries: a loop, since the result for a message depends on earlier ones.

Compiled by Cython when the package is built; runs interpreted too. The rules are tshark's, in one pass: a query with the ID of an
unanswered one between the same two ends, less than five seconds old, is a retransmission; the first response answers it. Two
rules are our own: how long a server has been silent, and whether failures come in bursts.
"""

import cython

INPUT = ("answer", "quoted", "time", "frame", "failed")  # rows of the input matrix, int64; time: ns; failed: reply code or 0
OUTPUT = (  # rows of the output matrix, int64; 0: not so
    "request",  # frame of the query that this response answers
    "took",  # ns since
    "asked_in",  # frame of the query that this one repeats
    "answered_in",  # frame of the response that this one repeats
    "answered_by",  # frame of the earlier response to the query that an ICMP error quotes
    "unsolicited",
    "silent",  # queries in a row that the server has not answered
    "failures",  # failures of one kind that the server has sent within BURST_SPAN
)
MOST = cython.declare(cython.longlong, 1 << 18)  # queries remembered, up to twice as many; the oldest are forgotten
RETRANSMISSION_TIMEOUT = cython.declare(cython.longlong, 5_000_000_000)  # ns: Wireshark's dns.retransmission_timeout
MOST_SERVERS = cython.declare(cython.longlong, 1 << 14)
SILENCE = cython.declare(cython.longlong, 2_000_000_000)  # ns since the first unanswered query
LEAST_SILENT = cython.declare(cython.longlong, 3)  # unanswered queries of the first report; each further report: twice as many
LEAST_BURST = cython.declare(cython.longlong, 10)  # failures of the first report; each further report: twice as many
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
    since: cython.longlong  # time of the first unanswered query
    next_silence: cython.longlong  # unanswered queries of the next report
    code: cython.longlong  # reply code of the failures
    failures: cython.longlong
    first: cython.longlong  # time of the first failure
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
        query: Query = Query()
        query.frame = frame
        query.time = time
        query.answer = 0
        self.young[key] = query

    @cython.cfunc
    def server(self, name: object) -> Server:
        known = self.servers.get(name)
        if known is not None:
            return known
        if len(self.servers) >= MOST_SERVERS:
            self.servers = {}
        server: Server = Server()
        server.unanswered = server.since = server.code = server.failures = server.first = 0
        server.next_silence = LEAST_SILENT
        server.next_burst = LEAST_BURST
        self.servers[name] = server
        return server

    def feed(self, keys: list, servers: object, inputs: cython.const[cython.longlong][:, ::1], outputs: cython.longlong[:, ::1]):
        """Take messages in the order of their frames; write a column of `outputs` for each.

        keys: equal for a query and its response. servers: address of the server of each, or None: silence and failures are not counted.
        """
        i: cython.longlong
        time: cython.longlong
        query: Query
        for i in range(len(keys)):
            key = keys[i]
            time = inputs[TIME, i]
            known = self.young.get(key)
            if known is None:
                known = self.old.get(key)
            if inputs[QUOTED, i]:
                if known is not None and inputs[ANSWER, i] == 0:
                    query = known
                    outputs[ANSWERED_BY, i] = query.answer
                continue
            if servers is not None:
                self.count(self.server(servers[i]), i, inputs, outputs)
            if inputs[ANSWER, i]:
                if known is None:
                    outputs[UNSOLICITED, i] = 1
                    continue
                query = known
                if query.answer:
                    outputs[ANSWERED_IN, i] = query.answer
                else:
                    query.answer = inputs[FRAME, i]
                    outputs[REQUEST, i] = query.frame
                    outputs[TOOK, i] = time - query.time
                continue
            if known is not None:
                query = known
                if query.answer == 0 and time - query.time < RETRANSMISSION_TIMEOUT:
                    outputs[ASKED_IN, i] = query.frame
                    continue
            self.remember(key, inputs[FRAME, i], time)

    @cython.cfunc
    def count(
        self, server: Server, i: cython.longlong, inputs: cython.const[cython.longlong][:, ::1], outputs: cython.longlong[:, ::1]
    ) -> cython.longlong:
        """Count message i as a sign of its server's silence or failures."""
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
        """Count a failure. Returns the number of failures if that is to be reported, else 0."""
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
