# mypy: ignore-errors
"""DNS messages parsed: names with compression, questions, records. A loop, since the end of each part is found by reading it.

RFC 1035 §4.1. Compiled by Cython when the package is built; runs interpreted too. Names are keyed by their bytes without compression,
so a name that occurs a thousand times in a batch is decoded once.
"""

from array import array

import cython

RECORD = (  # rows of the matrix of questions and records, int64
    "message",
    "section",  # 0 question, 1 answer, 2 authority, 3 additional
    "name",  # index of the owner's name, -1 if it is malformed
    "at",  # offset in the buffer
    "type",
    "class",
    "ttl",
    "data",  # where the RDATA begin
    "end",  # and end
    "rest",  # what follows the names in the RDATA
)
RDATA_NAME = ("message", "type", "nth", "name", "section")  # rows of the matrix of names in RDATA; nth: 0, 1 of a record
RESULT = ("fault", "fault_at", "needed", "had", "end")  # rows of the matrix of messages; fault: the first, an index of FAULTS
FAULTS = (
    "",
    "a name has a label of kind {had:#04x}, which is reserved",
    "a name's pointer does not point back to a name before it",
    "a name is longer than 255 bytes",
    "a name goes on beyond its end",
    "says {needed} questions and records, there are {had}",
    "the data of a record is longer than what is there: {needed} bytes, {had}",
    "the data of a record are not what its type says",
)
TRUNCATED_FAULTS = range(4, 7)  # what a message cut by the capture looks like, too
# fmt: off
cython.declare(
    MESSAGE=cython.int, SECTION=cython.int, NAME=cython.int, AT=cython.int, TYPE=cython.int, CLASS=cython.int, TTL=cython.int,
    DATA=cython.int, END=cython.int, REST=cython.int,
)
MESSAGE, SECTION, NAME, AT, TYPE, CLASS, TTL, DATA, END, REST = range(len(RECORD))
cython.declare(IN_MESSAGE=cython.int, IN_TYPE=cython.int, IN_NTH=cython.int, IN_NAME=cython.int, IN_SECTION=cython.int)
IN_MESSAGE, IN_TYPE, IN_NTH, IN_NAME, IN_SECTION = range(len(RDATA_NAME))
cython.declare(FAULT=cython.int, FAULT_AT=cython.int, NEEDED=cython.int, HAD=cython.int, PARSE_END=cython.int)
FAULT, FAULT_AT, NEEDED, HAD, PARSE_END = range(len(RESULT))
cython.declare(
    RESERVED=cython.longlong, FORWARD=cython.longlong, TOO_LONG=cython.longlong, BEYOND=cython.longlong, MISSING=cython.longlong,
    OVERLONG=cython.longlong, WRONG=cython.longlong,
)
_, RESERVED, FORWARD, TOO_LONG, BEYOND, MISSING, OVERLONG, WRONG = range(len(FAULTS))
# fmt: on
HEAD = cython.declare(cython.longlong, 12)  # bytes of a message's header
LONGEST = cython.declare(cython.longlong, 255)  # bytes of a name, RFC 1035 §2.3.4
HOPS = cython.declare(cython.longlong, 128)  # pointers of a name: more than its labels can be
RECENT = cython.declare(cython.longlong, 8)  # names whose offsets are remembered
ROOT = "<Root>"  # what Wireshark calls the name without labels

A = cython.declare(cython.longlong, 1)
TXT = cython.declare(cython.longlong, 16)
AAAA = cython.declare(cython.longlong, 28)
NAPTR = cython.declare(cython.longlong, 35)
OPT = cython.declare(cython.longlong, 41)
# Types with names in RDATA: bytes before the first name, number of names, least bytes after them, whether these are also the most.
SHAPES = {
    **dict.fromkeys((2, 3, 4, 5, 7, 8, 9, 12, 23, 39), (0, 1, 0, True)),  # NS MD MF CNAME MB MG MR PTR NSAP-PTR DNAME
    **dict.fromkeys((15, 18, 21, 36, 107), (2, 1, 0, True)),  # MX AFSDB RT KX LP
    **dict.fromkeys((14, 17), (0, 2, 0, True)),  # MINFO RP
    26: (2, 2, 0, True),  # PX
    6: (0, 2, 20, True),  # SOA
    33: (6, 1, 0, True),  # SRV
    35: (4, 1, 0, True),  # NAPTR
    **dict.fromkeys((24, 46), (18, 1, 1, False)),  # SIG RRSIG
    **dict.fromkeys((30, 47, 249, 250), (0, 1, 1, False)),  # NXT NSEC TKEY TSIG
    **dict.fromkeys((64, 65), (2, 1, 0, False)),  # SVCB HTTPS
}


@cython.final
@cython.cclass
class NameTable:
    """The distinct names of a batch, as text."""

    indices: dict  # bytes without compression → index
    texts: list
    buffer: object  # memoryview
    end: cython.longlong  # of the name that was read last, -1 unknown
    fault: cython.longlong  # of that name, 0 if none
    fault_at: cython.longlong
    recent: cython.longlong[::1]  # offsets of the names read last, then their indices: most pointers point there
    next_recent: cython.longlong

    def __init__(self, buffer):
        self.indices = {}
        self.texts = []
        self.buffer = buffer
        self.end = self.fault = self.fault_at = self.next_recent = 0
        self.recent = array("q", [-1] * (2 * RECENT))

    def names(self):
        """The names by their index, a list of str."""
        return self.texts

    @cython.cfunc
    def read(
        self, data: cython.const[cython.uchar][::1], base: cython.longlong, at: cython.longlong, stop: cython.longlong
    ) -> cython.longlong:
        """The index of the name at data[at:stop], whose message begins at `base`; -1 if it is malformed.

        Sets end, fault and fault_at.
        """
        i: cython.longlong
        p: cython.longlong = at
        chunk: cython.longlong = at
        total: cython.longlong = 1
        hops: cython.longlong = 0
        size: cython.longlong
        target: cython.longlong
        key: object = None
        self.end = -1
        self.fault = 0
        while True:
            if p >= stop:
                return self.fail(BEYOND, p)
            size = data[p]
            if size == 0:
                p += 1
                break
            if size < 64:
                if p + size >= stop:
                    return self.fail(BEYOND, p)
                p += size + 1
                total += size + 1
                if total > LONGEST:
                    return self.fail(TOO_LONG, at)
                continue
            if size < 192:
                return self.fail(RESERVED, p)
            if p + 1 >= stop:
                return self.fail(BEYOND, p)
            target = data[p + 1]
            target += base + ((size & 63) << 8)
            if hops == 0:
                self.end = p + 2
            hops += 1
            if target >= chunk or target < base + HEAD or hops > HOPS:
                return self.fail(FORWARD, p)
            if p > chunk:
                part = self.slice(data, chunk, p)
                key = part if key is None else key + part
            elif key is None:
                for i in range(RECENT):
                    if self.recent[i] == target:
                        return self.recent[RECENT + i]
            p = chunk = target
        if hops == 0:
            self.end = p
        part = self.slice(data, chunk, p)
        i = self.index(part if key is None else key + part)
        self.recent[self.next_recent] = at
        self.recent[RECENT + self.next_recent] = i
        self.next_recent = (self.next_recent + 1) % RECENT
        return i

    @cython.cfunc
    def slice(self, data: cython.const[cython.uchar][::1], start: cython.longlong, end: cython.longlong) -> bytes:
        """data[start:end]; the bounds are not checked."""
        if cython.compiled:
            return cython.cast(cython.p_char, cython.address(data[start]))[: end - start]
        return self.buffer[start:end].tobytes()

    @cython.cfunc
    def fail(self, fault: cython.longlong, at: cython.longlong) -> cython.longlong:
        self.fault = fault
        self.fault_at = at
        return -1

    @cython.cfunc
    def index(self, key: bytes) -> cython.longlong:
        """The index of a name by its bytes without compression."""
        known = self.indices.get(key)
        if known is not None:
            return known
        n: cython.longlong = len(self.texts)
        self.indices[key] = n
        self.decode(key)
        return n

    @cython.cfunc
    def decode(self, key: bytes):
        """Append the text of a name: dots and backslashes in labels get a backslash, bytes outside 0x21–0x7E are \\DDD (RFC 4343 §2.1)."""
        size: cython.longlong = len(key)
        if size == 1:
            self.texts.append(ROOT)
            return
        plain: cython.bint = True
        label_end: cython.longlong = 0
        i: cython.longlong
        c: cython.longlong
        characters = bytearray(key)
        for i in range(size - 1):
            c = key[i]
            if i == label_end:
                label_end = i + c + 1
                characters[i] = 46
            elif c <= 32 or c > 126 or c == 46 or c == 92:
                plain = False
                break
        if not plain:
            characters = bytearray()
            label_end = 0
            for i in range(size - 1):
                c = key[i]
                if i == label_end:
                    label_end = i + c + 1
                    characters.append(46)
                elif c == 46 or c == 92:
                    characters.append(92)
                    characters.append(c)
                elif c <= 32 or c > 126:
                    characters.append(92)
                    characters.append(48 + c // 100)
                    characters.append(48 + c // 10 % 10)
                    characters.append(48 + c % 10)
                else:
                    characters.append(c)
        self.texts.append(characters[1:].decode("ascii") if not plain else characters[1:-1].decode("ascii"))


def parse_messages(
    table: NameTable,
    data: cython.const[cython.uchar][::1],
    start: cython.const[cython.longlong][::1],
    end: cython.const[cython.longlong][::1],
    room: cython.longlong,
    with_rdata: cython.bint,
    records: cython.longlong[:, ::1],
    rdata_names: cython.longlong[:, ::1],
    results: cython.longlong[:, ::1],
):
    """Parse the messages in data[start[i]:end[i]], each of at least the header's 12 bytes.

    Writes a column for each question and record into `records` (rows: RECORD), for each name in RDATA into `rdata_names` (rows:
    RDATA_NAME), and for each message into `results` (rows: RESULT). Records after a malformed name are parsed if its end is known.
    Returns the number of columns of records and rdata_names. room: columns of records; rdata_names must have twice as many.
    with_rdata: parse RDATA.
    """
    n: cython.longlong = 0
    m: cython.longlong = 0
    i: cython.longlong
    base: cython.longlong
    stop: cython.longlong
    p: cython.longlong
    section: cython.longlong
    _left: cython.longlong
    count: cython.longlong
    declared: cython.longlong
    parsed: cython.longlong
    name: cython.longlong
    at: cython.longlong
    kind: cython.longlong
    size: cython.longlong
    update: cython.bint
    value: cython.longlong
    for i in range(start.shape[0]):
        base = start[i]
        stop = end[i]
        p = base + HEAD
        results[FAULT, i] = 0
        parsed = declared = 0
        update = (data[base + 2] >> 3 & 15) == 5
        for section in range(4):
            value = data[base + 4 + 2 * section]
            declared += value << 8 | data[base + 5 + 2 * section]
        for section in range(4):
            value = data[base + 4 + 2 * section]
            count = value << 8 | data[base + 5 + 2 * section]
            for _left in range(count):
                if p >= stop:
                    report(results, i, MISSING, p, declared, parsed)
                    break
                at = p
                name = table.read(data, base, p, stop)
                if table.fault:
                    report(results, i, table.fault, table.fault_at, 0, data[table.fault_at] if table.fault_at < stop else 0)
                p = table.end
                if p < 0:
                    break
                if p + (4 if section == 0 else 10) > stop:
                    report(results, i, MISSING, at, declared, parsed)
                    p = -1
                    break
                if n >= room:
                    p = -1
                    break
                parsed += 1
                value = data[p]
                kind = value << 8 | data[p + 1]
                records[MESSAGE, n] = i
                records[SECTION, n] = section
                records[NAME, n] = name
                records[AT, n] = at
                records[TYPE, n] = kind
                value = data[p + 2]
                records[CLASS, n] = value << 8 | data[p + 3]
                if section == 0:
                    p += 4
                    records[TTL, n] = 0
                    records[DATA, n] = records[END, n] = records[REST, n] = p
                    n += 1
                    continue
                value = data[p + 4]
                value = value << 8 | data[p + 5]
                value = value << 8 | data[p + 6]
                records[TTL, n] = value << 8 | data[p + 7]
                value = data[p + 8]
                size = value << 8 | data[p + 9]
                p += 10
                records[DATA, n] = p
                if p + size > stop:
                    report(results, i, OVERLONG, p - 2, size, stop - p)
                    records[END, n] = records[REST, n] = stop
                    n += 1
                    p = -1
                    break
                records[END, n] = p + size
                records[REST, n] = p
                if with_rdata and (size or not update):
                    m = parse_rdata(table, data, base, p, p + size, kind, i, n, m, records, rdata_names, results)
                p += size
                n += 1
            if p < 0 or results[FAULT, i] == MISSING:
                break
        results[PARSE_END, i] = p
    return n, m


@cython.cfunc
def report(
    results: cython.longlong[:, ::1],
    i: cython.longlong,
    fault: cython.longlong,
    at: cython.longlong,
    needed: cython.longlong,
    had: cython.longlong,
) -> cython.longlong:
    """Write what is wrong with message i; the first fault counts."""
    if results[FAULT, i] == 0:
        results[FAULT, i] = fault
        results[FAULT_AT, i] = at
        results[NEEDED, i] = needed
        results[HAD, i] = had
    return 0


@cython.cfunc
def parse_rdata(
    table: NameTable,
    data: cython.const[cython.uchar][::1],
    base: cython.longlong,
    p: cython.longlong,
    stop: cython.longlong,
    kind: cython.longlong,
    i: cython.longlong,
    n: cython.longlong,
    m: cython.longlong,
    records: cython.longlong[:, ::1],
    rdata_names: cython.longlong[:, ::1],
    results: cython.longlong[:, ::1],
) -> cython.longlong:
    """Check the RDATA of one record and write the names in them; returns the next free column of `rdata_names`."""
    nth: cython.longlong
    _nth: cython.longlong
    name: cython.longlong
    size: cython.longlong
    at: cython.longlong = p
    if kind == A or kind == AAAA:
        if stop - p != (4 if kind == A else 16):
            report(results, i, WRONG, p, 0, 0)
        return m
    if kind == OPT or kind == TXT:
        while p < stop:
            size = data[p] + 1
            if kind == OPT:
                size = 4
                if p + 4 <= stop:
                    size = data[p + 2]
                    size = (size << 8 | data[p + 3]) + 4
            if p + size > stop:
                report(results, i, WRONG, p, 0, 0)
                return m
            p += size
        return m
    shape = SHAPES.get(kind)
    if shape is None:
        return m
    before: cython.longlong = shape[0]
    count: cython.longlong = shape[1]
    behind: cython.longlong = shape[2]
    records[REST, n] = stop  # stays so if a name is malformed
    p += before
    if kind == NAPTR:
        for _nth in range(3):  # flags, services, regular expression
            if p < stop:
                p += data[p] + 1
    for nth in range(count):
        if p >= stop:
            report(results, i, WRONG, at, 0, 0)
            return m
        name = table.read(data, base, p, stop)
        if table.fault:
            report(results, i, table.fault, table.fault_at, 0, data[table.fault_at] if table.fault_at < stop else 0)
        else:
            rdata_names[IN_MESSAGE, m] = i
            rdata_names[IN_TYPE, m] = kind
            rdata_names[IN_NTH, m] = nth
            rdata_names[IN_NAME, m] = name
            rdata_names[IN_SECTION, m] = records[SECTION, n]
            m += 1
        p = table.end
        if p < 0:
            return m
    records[REST, n] = p
    if p + behind > stop or (p + behind < stop and shape[3]):
        report(results, i, WRONG, p, 0, 0)
    return m


def decode_texts(buffer, start: cython.const[cython.longlong][::1], end: cython.const[cython.longlong][::1]):
    """The texts in buffer[start[i]:end[i]] (a memoryview), a list of str: UTF-8, invalid bytes become U+FFFD."""
    texts = []
    i: cython.longlong
    for i in range(start.shape[0]):
        texts.append(buffer[start[i] : end[i]].tobytes().decode("utf-8", "replace"))
    return texts


def character_strings(
    data: cython.const[cython.uchar][::1],
    start: cython.const[cython.longlong][::1],
    end: cython.const[cython.longlong][::1],
    row: cython.longlong[::1],
    at: cython.longlong[::1],
):
    """The character-strings in data[start[i]:end[i]], RFC 1035 §3.3: writes i and the offset of the length byte of each.

    Returns their number; one that does not fit ends its list.
    """
    n: cython.longlong = 0
    i: cython.longlong
    p: cython.longlong
    for i in range(start.shape[0]):
        p = start[i]
        while p < end[i] and p + data[p] < end[i]:
            row[n] = i
            at[n] = p
            n += 1
            p += data[p] + 1
    return n


def measure_names(names: list, sizes: cython.longlong[::1], labels: cython.longlong[::1]):
    """Write the length of each name before escaping, in bytes, and its number of labels."""
    i: cython.longlong
    p: cython.longlong
    c: cython.longlong
    for i in range(len(names)):
        name: bytes = names[i].encode("ascii")
        sizes[i] = labels[i] = 0
        if name == b"<Root>":
            continue
        labels[i] = 1
        p = 0
        while p < len(name):
            c = name[p]
            if c == 46:
                labels[i] += 1
            elif c == 92:
                p += 3 if 48 <= name[p + 1] <= 57 else 1
            sizes[i] += 1
            p += 1
