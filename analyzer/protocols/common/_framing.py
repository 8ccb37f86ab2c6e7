# mypy: ignore-errors
"""Messages whose header gives their length, back to back: a loop, since each message begins where the one before it ends.

Compiled by Cython when the package is built; runs interpreted too.
"""

from array import array

import cython


def prefixed(
    data: cython.const[cython.uchar][::1],
    begin: cython.const[cython.longlong][::1],
    end: cython.const[cython.longlong][::1],
    header: cython.longlong,
    at: cython.longlong,
    width: cython.longlong,
    varint: cython.bint,
    offset: cython.longlong,
    limit: cython.longlong,
    first: cython.const[cython.uchar][::1],
    second: cython.longlong,
    candidates: cython.const[cython.longlong][::1],
):
    """Find the complete messages in the runs data[begin:end]. header … limit: as in `StreamFramer`.

    first: 256 bytes, 0 for each value that no message begins with. second: the second byte of every message, -1 for any. candidates:
    sorted places where a message may begin behind bytes that are none.
    Returns three arrays of int64: (run, start, end) of each message, flat; how far each run was read, (runs,); and
    (run, start, end, 1 if it ends at a candidate else 0) of bytes that are in no message, flat.
    """
    found = array("q")
    upto = array("q", bytes(8 * len(begin)))
    bad = array("q")
    i: cython.longlong
    k: cython.longlong
    here: cython.longlong
    size: cython.longlong
    used: cython.longlong
    lost: cython.longlong
    next_candidate: cython.longlong = 0
    count: cython.longlong = len(candidates)
    for i in range(len(begin)):
        here = begin[i]
        while end[i] - here >= header:
            size = 0
            if varint:  # groups of 7 bits, the least significant first; the high bit says that another follows
                used = 0
                while used < width and here + at + used < end[i]:
                    k = data[here + at + used]
                    size |= (k & 127) << (7 * used)
                    used += 1
                    if k < 128:
                        break
                else:
                    if used < width:
                        break  # the length itself is incomplete
                    size = limit  # too long to be a length: fails below
                size += used
            else:
                for k in range(here + at, here + at + width):
                    size = (size << 8) | data[k]
            size += offset
            if size < header or size > limit or not first[data[here]] or (second >= 0 and data[here + 1] != second):
                if varint and end[i] - here < at + width:
                    break  # decided by as many bytes as elsewhere, whatever a batch holds
                lost = here
                while next_candidate < count and candidates[next_candidate] < here + header:
                    next_candidate += 1
                if next_candidate < count and candidates[next_candidate] < end[i]:
                    here = candidates[next_candidate]
                    bad.extend((i, lost, here, 1))
                    continue
                here = end[i]
                bad.extend((i, lost, here, 0))
                break
            if here + size > end[i]:
                break
            found.extend((i, here, here + size))
            here += size
        upto[i] = here
    return found, upto, bad
