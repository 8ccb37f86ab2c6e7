# mypy: ignore-errors
"""Which records of TLS connections can be read: a loop, since each depends on those before it.

Compiled by Cython when the package is built; runs interpreted too.
"""

import cython

CHANGE, HANDSHAKE = 20, 22  # content types, RFC 8446 §5.1
SERVER_HELLO = 2
TLS13 = 0x0304
PLAINTEXT, ENCRYPTED, FRAGMENT = 0, 1, 2  # readability of a record; FRAGMENT: it has the begin or the middle of a handshake message, no end
OVERHEAD = 256  # bytes of memory that an incomplete message takes besides its own


@cython.cfunc
def message_size(
    data: cython.const[cython.uchar][::1],
    at: cython.longlong,
    end: cython.longlong,
    types: cython.const[cython.uchar][::1],
    limit: cython.longlong,
) -> cython.longlong:
    """Bytes of the handshake message at data[at:end], its header included; 0: the header is incomplete, -1: it is none."""
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
    if size > limit:
        return -1
    if data[at] == 0 and (size or end - at > 4):  # a hello request is empty and comes alone; else this is the nonce of an encrypted message
        return -1
    return size + 4


@cython.cfunc
def chosen_version(data: cython.const[cython.uchar][::1], at: cython.longlong, end: cython.longlong) -> cython.longlong:
    """The version that the server hello data[at:end] chooses: in supported_versions (RFC 8446 §4.2.1), else in its first bytes."""
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
    incomplete: dict,
    types: cython.const[cython.uchar][::1],
    limit: cython.longlong,
    memory_limit: cython.longlong,
    readability: cython.uchar[::1],
    version: cython.longlong[::1],
):
    """Take the records data[start:end] in their order. direction: of each; after_gap: 1 for the first of its direction after a gap.

    State: versions (by stream) that servers chose, 0 before; changed (by direction): 1 after ChangeCipherSpec; incomplete (direction →
    bytes): a handshake message without its end, of at most `limit` bytes; all together take `memory_limit` bytes, OVERHEAD for each
    included: beyond, the one that waits longest is forgotten.
    types: 256 bytes, 1 for each that is a handshake message. Writes the readability of each record and the version of its connection.
    Returns pairs (record, bytes) of records that end a message which began before them; the bytes are those of the message before.
    """
    continued: list = []
    held: cython.longlong = 0
    i: cython.longlong
    at: cython.longlong
    stop: cython.longlong
    size: cython.longlong
    sender: cython.longlong
    invalid: cython.bint
    for message in incomplete.values():
        held += len(message) + OVERHEAD
    for i in range(len(start)):
        sender = direction[i]
        readability[i] = PLAINTEXT
        version[i] = versions[sender >> 1]
        if fresh[i]:
            before = incomplete.pop(sender, None)
            if before is not None:
                held -= len(before) + OVERHEAD
        if data[start[i]] == CHANGE:
            changed[sender] = 1
        elif data[start[i]] == HANDSHAKE:
            before = incomplete.pop(sender, None)
            if before is not None:
                held -= len(before) + OVERHEAD
            at = start[i] + 5
            stop = end[i]
            if changed[sender] and versions[sender >> 1] != TLS13:
                readability[i] = ENCRYPTED
                continue
            if before is not None:
                before += data[at:stop]
                size = message_size(before, 0, len(before), types, limit)
                if size < 0:
                    readability[i] = ENCRYPTED
                    continue
                if size == 0 or size > len(before):
                    readability[i] = FRAGMENT
                    incomplete[sender] = before
                    held += len(before) + OVERHEAD
                    held = forget_oldest(incomplete, held, memory_limit)
                    continue
                continued.append((i, bytes(before[: len(before) - (stop - at)])))
                if before[0] == SERVER_HELLO:
                    versions[sender >> 1] = chosen_version(before, 0, size)
                at = stop - (len(before) - size)
            invalid = False
            while at < stop:
                size = message_size(data, at, stop, types, limit)
                if size <= 0 or at + size > stop:
                    invalid = size < 0
                    break
                if data[at] == SERVER_HELLO:
                    versions[sender >> 1] = chosen_version(data, at, at + size)
                at += size
            if invalid:
                if at == start[i] + 5 and before is None:
                    readability[i] = ENCRYPTED
            elif at < stop:
                incomplete[sender] = bytearray(data[at:stop])
                held += stop - at + OVERHEAD
                held = forget_oldest(incomplete, held, memory_limit)
            version[i] = versions[sender >> 1]
    return continued


@cython.cfunc
def forget_oldest(incomplete: dict, held: cython.longlong, memory_limit: cython.longlong) -> cython.longlong:
    """Forget the messages that wait longest while more than `memory_limit` bytes are held; returns the bytes held then."""
    while held > memory_limit:
        sender = next(iter(incomplete))
        held -= len(incomplete.pop(sender)) + OVERHEAD
    return held
