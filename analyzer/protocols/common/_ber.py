# mypy: ignore-errors
"""The walk over elements of BER: tag, length, value, and in a value that is made of elements those. A loop, since each says where
the next begins. X.690 §8.1.

Compiled by Cython when the package is built; runs interpreted too.
"""

import cython


def elements(
    data: cython.const[cython.uchar][::1],
    start: cython.const[cython.longlong][::1],
    end: cython.const[cython.longlong][::1],
    wire: cython.const[cython.longlong][::1],
    level_ends: cython.longlong[::1],
    level_last: cython.longlong[::1],
    level_count: cython.longlong[::1],
    bad: cython.longlong[::1],
    out: cython.longlong[:, ::1],
):
    """Walk the elements in data[start[i]:wire[i]] of each message i, of which the bytes before end[i] are there.

    level_…: room for as many levels as are opened; elements deeper are not looked into. out: rows of message, tag, where the value
    begins and ends, level, place among its neighbours, and the element that holds it (index, -1: none). bad[i]: where an element
    stands that does not fit into what holds it, or whose tag or length is longer than here is read (-1: none).
    Tags of one byte and lengths of up to four are read, lengths that are not told (X.690 §8.1.3.6) are bad. Returns how many there are.
    """
    n: cython.longlong = 0
    room: cython.longlong = out.shape[1]
    most: cython.longlong = level_ends.shape[0]
    i: cython.longlong
    p: cython.longlong
    q: cython.longlong
    k: cython.longlong
    level: cython.longlong
    tag: cython.longlong
    length: cython.longlong
    there: cython.longlong
    for i in range(start.shape[0]):
        p = start[i]
        there = end[i]
        level = 0
        level_ends[0] = wire[i]
        level_last[0] = -1
        level_count[0] = 0
        bad[i] = -1
        while n < room:
            while level > 0 and p >= level_ends[level]:
                level -= 1
            if p >= level_ends[level]:
                break
            if p + 2 > level_ends[level]:
                bad[i] = p
                break
            if p + 2 > there:
                break
            tag = data[p]
            length = data[p + 1]
            q = p + 2
            if length >= 0x80:
                k = length & 0x7F
                if k == 0 or k > 4 or q + k > level_ends[level]:
                    bad[i] = p
                    break
                if q + k > there:
                    break
                length = 0
                while k > 0:
                    length = length << 8 | data[q]
                    q += 1
                    k -= 1
            if tag & 0x1F == 0x1F or q + length > level_ends[level]:
                bad[i] = p
                break
            if not tag & 0x20 and q + length > there:
                break
            out[0, n] = i
            out[1, n] = tag
            out[2, n] = q
            out[3, n] = q + length
            out[4, n] = level
            out[5, n] = level_count[level]
            out[6, n] = level_last[level]
            level_count[level] += 1
            if tag & 0x20 and level + 1 < most:
                level += 1
                level_ends[level] = q + length
                level_last[level] = n
                level_count[level] = 0
                p = q
            else:
                p = q + length
            n += 1
    return n
