# mypy: ignore-errors
"""What becomes of the records of TLS connections, one after the other: a loop, since what one means hangs on those before it.

Compiled by Cython when the package is built; runs interpreted too.
"""

import cython

CHANGE, HANDSHAKE = 20, 22  # content types, RFC 8446 §5.1
SERVER_HELLO = 2
TLS13 = 0x0304
PLAIN, SEALED, INSIDE = 0, 1, 2  # what becomes of a record: readable, encrypted, the middle of a handshake message
EACH = 256  # what it takes to hold a message that waits, beside its bytes


@cython.cfunc
def size_of(
    data: cython.const[cython.uchar][::1],
    at: cython.longlong,
    end: cython.longlong,
    types: cython.const[cython.uchar][::1],
    most: cython.longlong,
) -> cython.longlong:
    """Bytes of the handshake message at data[at:end], its header included; 0 if the header is not whole, -1 if that is none."""
    high: cython.longlong
    size: cython.longlong
    if at >= end:
        return 0
    if not types[data[at]]:
        return -1
    if end - at < 4:
        return 0
    high = data[at + 1]
    size = data[at + 2]
    size = (high << 16 | size << 8) | data[at + 3]
    if size > most:
        return -1
    if data[at] == 0 and (size or end - at > 4):  # a hello request is empty and comes alone; else it is the nonce of a cipher
        return -1
    return size + 4


@cython.cfunc
def chosen(data: cython.const[cython.uchar][::1], at: cython.longlong, end: cython.longlong) -> cython.longlong:
    """The version that a server hello in data[at:end] chooses: supported_versions (RFC 8446 §4.2.1), else what its body begins with."""
    p: cython.longlong = at + 4 + 2 + 32
    stop: cython.longlong
    kind: cython.longlong
    size: cython.longlong
    version: cython.longlong
    if p >= end:
        return 0
    version = data[at + 4]
    version = version << 8 | data[at + 5]
    p += 1 + data[p] + 2 + 1
    if p + 2 > end:
        return version
    stop = data[p]
    stop = p + 2 + (stop << 8 | data[p + 1])
    stop = min(stop, end)
    p += 2
    while p + 4 <= stop:
        kind = data[p]
        kind = kind << 8 | data[p + 1]
        size = data[p + 2]
        size = size << 8 | data[p + 3]
        if kind == 43 and size == 2 and p + 6 <= stop:
            version = data[p + 4]
            return version << 8 | data[p + 5]
        p += 4 + size
    return version


def records(
    data: cython.const[cython.uchar][::1],
    start: cython.const[cython.longlong][::1],
    end: cython.const[cython.longlong][::1],
    direction: cython.const[cython.longlong][::1],
    fresh: cython.const[cython.uchar][::1],
    versions: cython.longlong[::1],
    changed: cython.uchar[::1],
    waiting: dict,
    types: cython.const[cython.uchar][::1],
    most: cython.longlong,
    room: cython.longlong,
    becomes: cython.uchar[::1],
    version: cython.longlong[::1],
):
    """Take the records data[start:end] in their order. way: of each; fresh: 1 for the first behind a hole of its way.

    State: versions (by stream) that servers chose, 0 before; changed (by way): 1 behind ChangeCipherSpec; waiting (way → bytes): a
    handshake message that is not whole, of `most` bytes at the most, of all ways `room` with what it takes to hold them; who waits for
    longest is given up.
    types: 256 bytes, 1 for each that is a handshake message. Writes what becomes of each record and the version of its connection.
    Returns pairs (record, bytes): the record ends a message that began before; the bytes are what of it came before.
    """
    made: list = []
    held: cython.longlong = 0
    i: cython.longlong
    at: cython.longlong
    stop: cython.longlong
    size: cython.longlong
    who: cython.longlong
    bad: cython.bint
    for one in waiting.values():
        held += len(one) + EACH
    for i in range(len(start)):
        who = direction[i]
        becomes[i] = PLAIN
        version[i] = versions[who >> 1]
        if fresh[i]:
            before = waiting.pop(who, None)
            if before is not None:
                held -= len(before) + EACH
        if data[start[i]] == CHANGE:
            changed[who] = 1
        elif data[start[i]] == HANDSHAKE:
            before = waiting.pop(who, None)
            if before is not None:
                held -= len(before) + EACH
            at = start[i] + 5
            stop = end[i]
            if changed[who] and versions[who >> 1] != TLS13:
                becomes[i] = SEALED
                continue
            if before is not None:
                before += data[at:stop]
                size = size_of(before, 0, len(before), types, most)
                if size < 0:
                    becomes[i] = SEALED
                    continue
                if size == 0 or size > len(before):
                    becomes[i] = INSIDE
                    waiting[who] = before
                    held += len(before) + EACH
                    held = spare(waiting, held, room)
                    continue
                made.append((i, bytes(before[: len(before) - (stop - at)])))
                if before[0] == SERVER_HELLO:
                    versions[who >> 1] = chosen(before, 0, size)
                at = stop - (len(before) - size)
            bad = False
            while at < stop:
                size = size_of(data, at, stop, types, most)
                if size <= 0 or at + size > stop:
                    bad = size < 0
                    break
                if data[at] == SERVER_HELLO:
                    versions[who >> 1] = chosen(data, at, at + size)
                at += size
            if bad:
                if at == start[i] + 5 and before is None:
                    becomes[i] = SEALED
            elif at < stop:
                waiting[who] = bytearray(data[at:stop])
                held += stop - at + EACH
                held = spare(waiting, held, room)
            version[i] = versions[who >> 1]
    return made


@cython.cfunc
def spare(waiting: dict, held: cython.longlong, room: cython.longlong) -> cython.longlong:
    """Give up who waits for longest while more than `room` bytes are held; what is held then."""
    while held > room:
        who = next(iter(waiting))
        held -= len(waiting.pop(who)) + EACH
    return held
