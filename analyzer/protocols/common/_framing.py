# mypy: ignore-errors
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
    first: cython.const[cython.uchar][::1],
    second: cython.longlong,
    good: cython.const[cython.longlong][::1],
):
    """The whole messages in stretches data[begin:end]: as `Prefixed` describes them.

    first: 256 bytes, 0 for each that no message begins with. second: the second byte of all messages, -1 for any. good: sorted places
    where a message may begin behind what is none.
    Returns three arrays of int64: (stretch, start, end) of each message, one behind the other; how far each stretch was read; and
    (stretch, start, end, whether it ends with a good place) of what is no message.
    """
    found = array("q")
    upto = array("q", bytes(8 * len(begin)))
    bad = array("q")
    i: cython.longlong
    k: cython.longlong
    here: cython.longlong
    size: cython.longlong
    lost: cython.longlong
    next_good: cython.longlong = 0
    goods: cython.longlong = len(good)
    for i in range(len(begin)):
        here = begin[i]
        while end[i] - here >= header:
            size = 0
            for k in range(here + at, here + at + width):
                size = (size << 8) | data[k]
            size += plus
            if size < header or size > most or not first[data[here]] or (second >= 0 and data[here + 1] != second):
                lost = here
                while next_good < goods and good[next_good] < here + header:
                    next_good += 1
                if next_good < goods and good[next_good] < end[i]:
                    here = good[next_good]
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
