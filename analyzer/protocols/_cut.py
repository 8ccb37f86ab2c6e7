"""Messages that say their length, one behind the other: a loop, since where one begins hangs on the one before.

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
    plus: cython.longlong,
    most: cython.longlong,
):
    """The whole messages in stretches data[begin:end]: as `Prefixed` describes them.

    Returns three arrays of int64: (stretch, start, end) of each message, one behind the other; how far each stretch was read; 1 for
    each that has no message where one should begin.
    """
    found = array("q")
    upto = array("q", bytes(8 * len(begin)))
    bad = array("q", bytes(8 * len(begin)))
    i: cython.longlong
    k: cython.longlong
    here: cython.longlong
    size: cython.longlong
    for i in range(len(begin)):
        here = begin[i]
        while end[i] - here >= header:
            size = 0
            for k in range(here + at, here + at + width):
                size = (size << 8) | data[k]
            size += plus
            if size < header or size > most:
                bad[i] = 1
                break
            if here + size > end[i]:
                break
            found.extend((i, here, here + size))
            here += size
        upto[i] = here
    return found, upto, bad
