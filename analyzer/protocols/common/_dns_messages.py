# mypy: ignore-errors
"""The walk over messages of DNS: names with compression, questions, records. A loop, since each says where the next begins.

RFC 1035 §4.1. Compiled by Cython when the package is built; runs interpreted too. The bytes of a name, its pointers followed, are
the key under which it is known: a name that a batch holds a thousand times is made text once.
"""

from array import array

import cython

RECORD = (  # rows of the matrix of questions and records, int64
    "message",
    "section",  # 0 question, 1 answer, 2 authority, 3 additional
    "name",  # index of the owner's name, -1 if it is none
    "at",  # offset in the buffer
    "type",
    "class",
    "ttl",
    "data",  # where its data begin
    "end",  # and end
    "rest",  # what follows the names in the data
)
INNER = ("message", "type", "nth", "name", "section")  # rows of the matrix of names in the data of records; nth: 0, 1 of a record
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
SHORT = FAULTS[4:7]  # what a message that the capture cut looks like, too
RESERVED = cython.declare(cython.longlong, 1)
FORWARD = cython.declare(cython.longlong, 2)
LONG = cython.declare(cython.longlong, 3)
BEYOND = cython.declare(cython.longlong, 4)
MISSING = cython.declare(cython.longlong, 5)
OVER = cython.declare(cython.longlong, 6)
WRONG = cython.declare(cython.longlong, 7)
HEAD = cython.declare(cython.longlong, 12)  # bytes of a message's header
LONGEST = cython.declare(cython.longlong, 255)  # bytes of a name, RFC 1035 §2.3.4
HOPS = cython.declare(cython.longlong, 128)  # pointers of a name: more than it can have labels
SEEN = cython.declare(cython.longlong, 8)  # names of which is remembered where they began
ROOT = "<Root>"  # Wireshark's word for the name without labels

A = cython.declare(cython.longlong, 1)
TXT = cython.declare(cython.longlong, 16)
AAAA = cython.declare(cython.longlong, 28)
NAPTR = cython.declare(cython.longlong, 35)
OPT = cython.declare(cython.longlong, 41)
# Types whose data hold names: bytes before the first, how many names, bytes behind them at least, and whether at most.
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
class Names:
    """The different names of a batch, each as people write it."""

    known: dict
    texts: list
    whole: object  # the buffer, to slice
    after: cython.longlong  # where the name that was read last ends
    why: cython.longlong  # what was wrong with it, or 0
    where: cython.longlong
    seen: cython.longlong[::1]  # where names began that were read last, then their indices: what pointers mostly point to
    turn: cython.longlong

    def __init__(self, whole):
        self.known = {}
        self.texts = []
        self.whole = whole
        self.after = self.why = self.where = self.turn = 0
        self.seen = array("q", [-1] * (2 * SEEN))

    def said(self):
        """The names by their index."""
        return self.texts

    @cython.cfunc
    def read(
        self,
        data: cython.const[cython.uchar][::1],
        base: cython.longlong,
        at: cython.longlong,
        stop: cython.longlong,
    ) -> cython.longlong:
        """The index of the name at data[at:stop], whose message begins at `base`; -1 if it is none.

        Sets after (-1 if where the name ends is not known), why and where.
        """
        i: cython.longlong
        p: cython.longlong = at
        chunk: cython.longlong = at
        total: cython.longlong = 1
        hops: cython.longlong = 0
        size: cython.longlong
        target: cython.longlong
        key: object = None
        self.after = -1
        self.why = 0
        while True:
            if p >= stop:
                return self.wrong(BEYOND, p)
            size = data[p]
            if size == 0:
                p += 1
                break
            if size < 64:
                if p + size >= stop:
                    return self.wrong(BEYOND, p)
                p += size + 1
                total += size + 1
                if total > LONGEST:
                    return self.wrong(LONG, at)
                continue
            if size < 192:
                return self.wrong(RESERVED, p)
            if p + 1 >= stop:
                return self.wrong(BEYOND, p)
            target = data[p + 1]
            target += base + ((size & 63) << 8)
            if hops == 0:
                self.after = p + 2
            hops += 1
            if target >= chunk or target < base + HEAD or hops > HOPS:
                return self.wrong(FORWARD, p)
            if p > chunk:
                part = self.cut(data, chunk, p)
                key = part if key is None else key + part
            elif key is None:
                for i in range(SEEN):
                    if self.seen[i] == target:
                        return self.seen[SEEN + i]
            p = chunk = target
        if hops == 0:
            self.after = p
        part = self.cut(data, chunk, p)
        i = self.number(part if key is None else key + part)
        self.seen[self.turn] = at
        self.seen[SEEN + self.turn] = i
        self.turn = (self.turn + 1) % SEEN
        return i

    @cython.cfunc
    def cut(self, data: cython.const[cython.uchar][::1], start: cython.longlong, end: cython.longlong) -> bytes:
        """data[start:end], which lie inside."""
        if cython.compiled:
            return cython.cast(cython.p_char, cython.address(data[start]))[: end - start]
        return self.whole[start:end].tobytes()

    @cython.cfunc
    def wrong(self, why: cython.longlong, where: cython.longlong) -> cython.longlong:
        self.why = why
        self.where = where
        return -1

    @cython.cfunc
    def number(self, key: bytes) -> cython.longlong:
        """The index of a name by its bytes without pointers."""
        found = self.known.get(key)
        if found is not None:
            return found
        n: cython.longlong = len(self.texts)
        self.known[key] = n
        self.add(key)
        return n

    @cython.cfunc
    def add(self, key: bytes):
        """Make text of it: a dot or backslash in a label gets a backslash, other bytes than 0x21–0x7E are \\DDD (RFC 4343 §2.1)."""
        size: cython.longlong = len(key)
        if size == 1:
            self.texts.append(ROOT)
            return
        plain: cython.bint = True
        ends: cython.longlong = 0  # where the label ends
        i: cython.longlong
        c: cython.longlong
        made = bytearray(key)
        for i in range(size - 1):
            c = key[i]
            if i == ends:
                ends = i + c + 1
                made[i] = 46
            elif c <= 32 or c > 126 or c == 46 or c == 92:
                plain = False
                break
        if not plain:
            made = bytearray()
            ends = 0
            for i in range(size - 1):
                c = key[i]
                if i == ends:
                    ends = i + c + 1
                    made.append(46)
                elif c == 46 or c == 92:
                    made.append(92)
                    made.append(c)
                elif c <= 32 or c > 126:
                    made.append(92)
                    made.append(48 + c // 100)
                    made.append(48 + c // 10 % 10)
                    made.append(48 + c % 10)
                else:
                    made.append(c)
        self.texts.append(made[1:].decode("ascii") if not plain else made[1:-1].decode("ascii"))


def walk(
    names: Names,
    data: cython.const[cython.uchar][::1],
    start: cython.const[cython.longlong][::1],
    end: cython.const[cython.longlong][::1],
    room: cython.longlong,
    deep: cython.bint,
    records: cython.longlong[:, ::1],
    inner: cython.longlong[:, ::1],
    told: cython.longlong[:, ::1],
):
    """Walk the messages in data[start[i]:end[i]], of which each has at least its header's 12 bytes.

    Writes a column for each question and record into `records` (rows: RECORD), one for each name in a record's data into
    `inner` (rows: INNER), and for each message into `told`: what is wrong first (an index of FAULTS, 0: nothing), the offset of
    that, two numbers that it speaks of, and where the walk ended. Records behind a bad name are walked, if its end is known.
    Returns how many columns records and inner have. room: of records; inner must have twice as much. deep: look into data.
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
    said: cython.longlong
    there: cython.longlong
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
        told[0, i] = 0
        there = said = 0
        update = (data[base + 2] >> 3 & 15) == 5
        for section in range(4):
            value = data[base + 4 + 2 * section]
            said += value << 8 | data[base + 5 + 2 * section]
        for section in range(4):
            value = data[base + 4 + 2 * section]
            count = value << 8 | data[base + 5 + 2 * section]
            for _left in range(count):
                if p >= stop:
                    tell(told, i, MISSING, p, said, there)
                    break
                at = p
                name = names.read(data, base, p, stop)
                if names.why:
                    tell(told, i, names.why, names.where, 0, data[names.where] if names.where < stop else 0)
                p = names.after
                if p < 0:
                    break
                if p + (4 if section == 0 else 10) > stop:
                    tell(told, i, MISSING, at, said, there)
                    p = -1
                    break
                if n >= room:
                    p = -1
                    break
                there += 1
                value = data[p]
                kind = value << 8 | data[p + 1]
                records[0, n] = i
                records[1, n] = section
                records[2, n] = name
                records[3, n] = at
                records[4, n] = kind
                value = data[p + 2]
                records[5, n] = value << 8 | data[p + 3]
                if section == 0:
                    p += 4
                    records[6, n] = 0
                    records[7, n] = records[8, n] = records[9, n] = p
                    n += 1
                    continue
                value = data[p + 4]
                value = value << 8 | data[p + 5]
                value = value << 8 | data[p + 6]
                records[6, n] = value << 8 | data[p + 7]
                value = data[p + 8]
                size = value << 8 | data[p + 9]
                p += 10
                records[7, n] = p
                if p + size > stop:
                    tell(told, i, OVER, p - 2, size, stop - p)
                    records[8, n] = records[9, n] = stop
                    n += 1
                    p = -1
                    break
                records[8, n] = p + size
                records[9, n] = p
                if deep and (size or not update):
                    m = contents(names, data, base, p, p + size, kind, i, n, m, records, inner, told)
                p += size
                n += 1
            if p < 0 or told[0, i] == MISSING:
                break
        told[4, i] = p
    return n, m


@cython.cfunc
def tell(
    told: cython.longlong[:, ::1],
    i: cython.longlong,
    why: cython.longlong,
    where: cython.longlong,
    needed: cython.longlong,
    had: cython.longlong,
) -> cython.longlong:
    """What is wrong first."""
    if told[0, i] == 0:
        told[0, i] = why
        told[1, i] = where
        told[2, i] = needed
        told[3, i] = had
    return 0


@cython.cfunc
def contents(
    names: Names,
    data: cython.const[cython.uchar][::1],
    base: cython.longlong,
    p: cython.longlong,
    stop: cython.longlong,
    kind: cython.longlong,
    i: cython.longlong,
    n: cython.longlong,
    m: cython.longlong,
    records: cython.longlong[:, ::1],
    inner: cython.longlong[:, ::1],
    told: cython.longlong[:, ::1],
) -> cython.longlong:
    """Check the data of one record, note the names in them; the next free column of `inner`."""
    nth: cython.longlong
    _nth: cython.longlong
    name: cython.longlong
    size: cython.longlong
    at: cython.longlong = p
    if kind == A or kind == AAAA:
        if stop - p != (4 if kind == A else 16):
            tell(told, i, WRONG, p, 0, 0)
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
                tell(told, i, WRONG, p, 0, 0)
                return m
            p += size
        return m
    shape = SHAPES.get(kind)
    if shape is None:
        return m
    before: cython.longlong = shape[0]
    count: cython.longlong = shape[1]
    behind: cython.longlong = shape[2]
    records[9, n] = stop  # until the names are read
    p += before
    if kind == NAPTR:
        for _nth in range(3):  # flags, services, regular expression
            if p < stop:
                p += data[p] + 1
    for nth in range(count):
        if p >= stop:
            tell(told, i, WRONG, at, 0, 0)
            return m
        name = names.read(data, base, p, stop)
        if names.why:
            tell(told, i, names.why, names.where, 0, data[names.where] if names.where < stop else 0)
        else:
            inner[0, m] = i
            inner[1, m] = kind
            inner[2, m] = nth
            inner[3, m] = name
            inner[4, m] = records[1, n]
            m += 1
        p = names.after
        if p < 0:
            return m
    records[9, n] = p
    if p + behind > stop or (p + behind < stop and shape[3]):
        tell(told, i, WRONG, p, 0, 0)
    return m


def strings(whole, start: cython.const[cython.longlong][::1], end: cython.const[cython.longlong][::1]):
    """The texts in whole[start[i]:end[i]] (a memoryview), one after the other: UTF-8; what is none becomes U+FFFD."""
    made = []
    i: cython.longlong
    for i in range(start.shape[0]):
        made.append(whole[start[i] : end[i]].tobytes().decode("utf-8", "replace"))
    return made


def counted(
    data: cython.const[cython.uchar][::1],
    start: cython.const[cython.longlong][::1],
    end: cython.const[cython.longlong][::1],
    row: cython.longlong[::1],
    at: cython.longlong[::1],
):
    """The strings with a length byte in data[start[i]:end[i]], RFC 1035 §3.3: writes each one's i and the offset of its length byte.

    Returns how many; one that does not fit ends its list.
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


def measured(names: list, sizes: cython.longlong[::1], labels: cython.longlong[::1]):
    """How many bytes each name has as text before escaping, and how many labels."""
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
