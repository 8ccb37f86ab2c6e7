# cython: wraparound=False, initializedcheck=False
# mypy: ignore-errors
"""The walk over lists of options and objects. A loop, since the length of each gives the offset of the next.

Compiled by Cython when the package is built; runs interpreted too.
"""

import cython


def options(
    data: cython.const[cython.uchar][::1],
    start: cython.const[cython.longlong][::1],
    end: cython.const[cython.longlong][::1],
    single: cython.longlong,
    skipped: cython.longlong,
    last: cython.longlong,
    unit: cython.longlong,
    head: cython.longlong,
    terminator: cython.longlong,
    bad: cython.longlong[::1],
    row: cython.longlong[::1],
    at: cython.longlong[::1],
    size: cython.longlong[::1],
):
    """Walk the option list in data[start[i]:end[i]] of each header i.

    A kind k below 63 is one byte without a length if bit k of `single` is set, and ends the list if bit k of `last` is; further
    bytes of that kind are options too, as in tshark: they pad the header. If bit k of `skipped` is set too, the byte is not written.
    An option of kind `terminator` is one byte, too, and the last (-1: there is no such kind).
    An option's length byte counts units of `unit` bytes, to which `head` is added (0: the length holds the whole option).
    Writes for each option its header, offset in `data` and whole length (bytes) into the int64 arrays row, at, size, and
    into bad[i] the offset of the option that does not fit its list (-1: all do); that option is the last, with size 0.
    Returns how many options there are; those beyond the end of the arrays are only counted.
    """
    n: cython.longlong = 0
    room: cython.longlong = row.shape[0]
    count: cython.longlong = start.shape[0]
    i: cython.longlong
    p: cython.longlong
    stop: cython.longlong
    kind: cython.longlong
    length: cython.longlong
    ahead: cython.longlong
    touched: cython.longlong = 0
    for i in range(count):
        if not i & 31:  # prefetch: touches 32 lists at once, so that their cache misses overlap
            for ahead in range(i, min(i + 32, count)):
                if start[ahead] < end[ahead]:
                    touched += data[start[ahead]]
            bad[i] = touched
        p = start[i]
        stop = end[i]
        bad[i] = -1
        while p < stop:
            kind = data[p]
            if kind == terminator or (kind < 63 and (single >> kind) & 1):
                length = 1
            elif p + 1 >= stop:
                length = 0
            else:
                length = data[p + 1] * unit + head
                if length < 2 or p + length > stop:
                    length = 0
            if length != 1 or kind > 62 or not (skipped >> kind) & 1:
                if n < room:
                    row[n] = i
                    at[n] = p
                    size[n] = length
                n += 1
            if length == 0:
                bad[i] = p
                break
            p += length
            if kind == terminator:
                break
            if kind < 63 and (last >> kind) & 1 and p < stop and data[p] != kind:
                break
    return n


def items(
    data: cython.const[cython.uchar][::1],
    start: cython.const[cython.longlong][::1],
    end: cython.const[cython.longlong][::1],
    place: cython.longlong,
    mask: cython.longlong,
    unit: cython.longlong,
    head: cython.longlong,
    least: cython.longlong,
    align: cython.longlong,
    last: cython.longlong,
    bad: cython.longlong[::1],
    row: cython.longlong[::1],
    at: cython.longlong[::1],
    size: cython.longlong[::1],
):
    """As `options`, for items of at least `least` bytes with a length in a big-endian word of 16 bits, at offset `place`.

    The length is the word's bits in `mask`, counts units of `unit` bytes, and `head` is added to it (0: it counts the whole item).
    An item is padded to a multiple of `align` bytes; its size is without padding.
    last: an item whose other bits of the word are these ends the list (-1: none does).
    """
    n: cython.longlong = 0
    room: cython.longlong = row.shape[0]
    count: cython.longlong = start.shape[0]
    i: cython.longlong
    p: cython.longlong
    stop: cython.longlong
    word: cython.longlong
    length: cython.longlong
    for i in range(count):
        p = start[i]
        stop = end[i]
        bad[i] = -1
        while p < stop:
            length = 0
            word = 0
            if p + least <= stop:
                word = data[p + place]
                word = word << 8 | data[p + place + 1]
                length = (word & mask) * unit + head
                if length < least or p + length > stop:
                    length = 0
            if n < room:
                row[n] = i
                at[n] = p
                size[n] = length
            n += 1
            if length == 0:
                bad[i] = p
                break
            p += (length + align - 1) // align * align
            if word & ~mask == last:
                break
    return n


def records(
    data: cython.const[cython.uchar][::1],
    start: cython.const[cython.longlong][::1],
    end: cython.const[cython.longlong][::1],
    most: cython.const[cython.longlong][::1],
    head: cython.longlong,
    byte: cython.longlong,
    group: cython.longlong,
    unit: cython.longlong,
    word: cython.longlong,
    each: cython.longlong,
    moved: cython.longlong,
    bad: cython.longlong[::1],
    row: cython.longlong[::1],
    at: cython.longlong[::1],
    size: cython.longlong[::1],
):
    """As `options`, for at most `most[i]` records of `head` bytes, followed by the things that they count.

    The byte at `byte` counts things, `unit` bytes for each `group` of them or part of one; the big-endian word of 16 bits at `word`
    counts things of `each` bytes. unit, each: 0 if there are none. moved: the word comes after the things that the byte counts.
    A record that does not fit is written with size 0.
    """
    n: cython.longlong = 0
    room: cython.longlong = row.shape[0]
    count: cython.longlong = start.shape[0]
    i: cython.longlong
    p: cython.longlong
    stop: cython.longlong
    left: cython.longlong
    more: cython.longlong
    at_word: cython.longlong
    length: cython.longlong
    for i in range(count):
        p = start[i]
        stop = end[i]
        left = most[i]
        bad[i] = -1
        while left > 0:
            length = 0
            if p + head <= stop:
                length = head
                if unit:
                    more = data[p + byte]
                    length += (more + group - 1) // group * unit
                if each and p + length <= stop:
                    at_word = p + word + (length - head if moved else 0)
                    more = data[at_word]
                    length += (more << 8 | data[at_word + 1]) * each
                if p + length > stop:
                    length = 0
            if n < room:
                row[n] = i
                at[n] = p
                size[n] = length
            n += 1
            if length == 0:
                bad[i] = p
                break
            p += length
            left -= 1
    return n
