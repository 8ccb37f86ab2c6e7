# mypy: ignore-errors
"""Elements of BER: tag, length, value; constructed values hold elements. A loop, since each length says where the next one begins.
X.690 §8.1.

Compiled by Cython when the package is built; runs interpreted too.
"""

import cython

ELEMENT = ("row", "tag", "start", "stop", "level", "nth", "parent")  # rows of the output matrix, int64
cython.declare(ROW=cython.int, TAG=cython.int, START=cython.int, STOP=cython.int, LEVEL=cython.int, NTH=cython.int, PARENT=cython.int)
ROW, TAG, START, STOP, LEVEL, NTH, PARENT = range(len(ELEMENT))


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
    """Parse the elements in data[start[i]:wire[i]] of each message i, of which the bytes before end[i] were captured.

    level_…: scratch arrays, as long as the number of levels to open. Writes a column of `out` (rows: ELEMENT) for each element: start
    and stop are of its value, nth counts within its parent, parent is an index of `out` (-1: none). bad[i]: offset of an element that
    exceeds its parent, has a tag of several bytes, a length of more than four or the indefinite form (X.690 §8.1.3.6); -1: none.
    Returns the number of elements.
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
    captured: cython.longlong
    for i in range(start.shape[0]):
        p = start[i]
        captured = end[i]
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
            if p + 2 > captured:
                break
            tag = data[p]
            length = data[p + 1]
            q = p + 2
            if length >= 0x80:
                k = length & 0x7F
                if k == 0 or k > 4 or q + k > level_ends[level]:
                    bad[i] = p
                    break
                if q + k > captured:
                    break
                length = 0
                while k > 0:
                    length = length << 8 | data[q]
                    q += 1
                    k -= 1
            if tag & 0x1F == 0x1F or q + length > level_ends[level]:
                bad[i] = p
                break
            if not tag & 0x20 and q + length > captured:
                break
            out[ROW, n] = i
            out[TAG, n] = tag
            out[START, n] = q
            out[STOP, n] = q + length
            out[LEVEL, n] = level
            out[NTH, n] = level_count[level]
            out[PARENT, n] = level_last[level]
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
