# mypy: ignore-errors
"""Boundaries of pcap records and pcapng packet blocks: a loop, since each length leads to the next.

Compiled by Cython when the package is built; runs interpreted too. Nothing here allocates.
Formats: https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-03.html (pcap) and
https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html (pcapng).
"""

import cython

# Stop reasons of a scan.
MORE = 0  # the data end after a record
CUT = 1  # the data end inside a record
FULL = 2  # `limit` records
TOO_LONG = 3  # the captured packet length is beyond that of any link
OTHER_BLOCK = 4  # pcapng: no packet block
BAD_LENGTH = 5  # pcapng: an invalid block total length
BAD_TRAILER = 6  # pcapng: the trailing block total length differs from the leading one
BAD_PACKET = 7  # pcapng: the captured packet length is beyond the block


@cython.cfunc
@cython.inline
def _u32(data: cython.const[cython.uchar][::1], at: cython.longlong, big: cython.bint) -> cython.longlong:
    a: cython.longlong = data[at]
    b: cython.longlong = data[at + 1]
    c: cython.longlong = data[at + 2]
    d: cython.longlong = data[at + 3]
    if big:
        return (a << 24) | (b << 16) | (c << 8) | d
    return (d << 24) | (c << 16) | (b << 8) | a


@cython.cfunc
@cython.inline
def _u16(data: cython.const[cython.uchar][::1], at: cython.longlong, big: cython.bint) -> cython.longlong:
    a: cython.longlong = data[at]
    b: cython.longlong = data[at + 1]
    if big:
        return (a << 8) | b
    return (b << 8) | a


def pcap(
    data: cython.const[cython.uchar][::1],
    start: cython.longlong,
    end: cython.longlong,
    big: cython.bint,
    header: cython.longlong,
    fraction: cython.longlong,
    largest: cython.longlong,
    limit: cython.longlong,
    offset: cython.longlong[::1],
    captured: cython.longlong[::1],
    length: cython.longlong[::1],
    time: cython.longlong[::1],
):
    """Scan data[start:end] for at most `limit` records; write offsets of packets in `data`, captured and original lengths, times.

    big: byte order. header: bytes of a record header (16, or 24 in the modified format). fraction: ns of a unit of the timestamp's
    second word. largest: limit of the captured packet length. time: ns since 1970.
    Returns (number of records, position after the last, stop reason, whether the second word of a timestamp is a second or more).
    """
    at: cython.longlong = start
    n: cython.longlong = 0
    size: cython.longlong
    nanoseconds: cython.longlong
    bad_fraction: cython.bint = False
    while n < limit:
        if at + header > end:
            return n, at, MORE if at == end else CUT, bad_fraction
        size = _u32(data, at + 8, big)
        if size > largest:
            return n, at, TOO_LONG, bad_fraction
        if at + header + size > end:
            return n, at, CUT, bad_fraction
        offset[n] = at + header
        captured[n] = size
        length[n] = _u32(data, at + 12, big)
        nanoseconds = _u32(data, at + 4, big) * fraction
        bad_fraction |= nanoseconds >= 1000000000
        time[n] = _u32(data, at, big) * 1000000000 + nanoseconds
        at += header + size
        n += 1
    return n, at, FULL, bad_fraction


def pcapng(
    data: cython.const[cython.uchar][::1],
    start: cython.longlong,
    end: cython.longlong,
    big: cython.bint,
    largest: cython.longlong,
    limit: cython.longlong,
    offset: cython.longlong[::1],
    captured: cython.longlong[::1],
    length: cython.longlong[::1],
    time: cython.longlong[::1],
    interface: cython.longlong[::1],
    options: cython.longlong[::1],
    options_end: cython.longlong[::1],
):
    """The same for packet blocks (Enhanced, Simple, obsolete) of one section; stops with OTHER_BLOCK at any other block.

    time: the raw 64 bits of the timestamp. options, options_end: offsets of the options; 0 for a Simple Packet Block, which has
    neither options nor a timestamp, and whose captured packet length is limited by the block.
    """
    at: cython.longlong = start
    n: cython.longlong = 0
    kind: cython.longlong
    size: cython.longlong
    packet: cython.longlong
    head: cython.longlong
    high: cython.longlong
    while n < limit:
        if at + 12 > end:
            return n, at, MORE if at == end else CUT
        kind = _u32(data, at, big)
        if kind != 6 and kind != 3 and kind != 2:
            return n, at, OTHER_BLOCK
        size = _u32(data, at + 4, big)
        head = 16 if kind == 3 else 32
        if size < head or size % 4 != 0 or size > largest + 65536:
            return n, at, BAD_LENGTH
        if at + size > end:
            return n, at, CUT
        if _u32(data, at + size - 4, big) != size:
            return n, at, BAD_TRAILER
        if kind == 3:
            length[n] = _u32(data, at + 8, big)
            packet = size - 16
            offset[n] = at + 12
            captured[n] = packet if packet < length[n] else length[n]
            time[n] = 0
            interface[n] = 0
            options[n] = 0
            options_end[n] = 0
        else:
            packet = _u32(data, at + 20, big)
            if packet > size - 32:
                return n, at, BAD_PACKET
            offset[n] = at + 28
            captured[n] = packet
            length[n] = _u32(data, at + 24, big)
            high = _u32(data, at + 12, big)
            time[n] = (high - ((high >> 31) << 32)) * 65536 * 65536 + _u32(data, at + 16, big)  # 64 bits, as a signed number
            interface[n] = _u32(data, at + 8, big) if kind == 6 else _u16(data, at + 8, big)
            options[n] = at + 28 + ((packet + 3) & ~3)
            options_end[n] = at + size - 4
        at += size
        n += 1
    return n, at, FULL


def options(
    data: cython.const[cython.uchar][::1],
    start: cython.const[cython.longlong][::1],
    end: cython.const[cython.longlong][::1],
    big: cython.bint,
    row: cython.longlong[::1],
    code: cython.longlong[::1],
    at: cython.longlong[::1],
    size: cython.longlong[::1],
):
    """Walk the pcapng options (§3.5) in data[start[i]:end[i]] of each packet i, up to the first that is truncated.

    Writes packet, code, offset and length of the value of each option. Returns their number, which may be beyond the arrays.
    """
    n: cython.longlong = 0
    room: cython.longlong = row.shape[0]
    count: cython.longlong = start.shape[0]
    i: cython.longlong
    p: cython.longlong
    kind: cython.longlong
    length: cython.longlong
    for i in range(count):
        p = start[i]
        while p + 4 <= end[i]:
            kind = _u16(data, p, big)
            length = _u16(data, p + 2, big)
            if kind == 0 or p + 4 + length > end[i]:
                break
            if n < room:
                row[n] = i
                code[n] = kind
                at[n] = p + 4
                size[n] = length
            n += 1
            p += 4 + ((length + 3) & ~3)
    return n
