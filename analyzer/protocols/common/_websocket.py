# mypy: ignore-errors
"""WebSocket frames, one behind the other: a loop, since where one begins hangs on the one before. RFC 6455 §5.2.

Compiled by Cython when the package is built; runs interpreted too.
"""

from array import array

import cython


def frames(
    data: cython.const[cython.uchar][::1],
    begin: cython.const[cython.longlong][::1],
    end: cython.const[cython.longlong][::1],
    most: cython.longlong,
    good: cython.const[cython.longlong][::1],
):
    """The whole frames in stretches data[begin:end], of at most `most` bytes; arguments and result as those of `_cut.prefixed`."""
    found = array("q")
    upto = array("q", bytes(8 * len(begin)))
    bad = array("q")
    i: cython.longlong
    k: cython.longlong
    here: cython.longlong
    size: cython.longlong
    header: cython.longlong
    lost: cython.longlong
    next_good: cython.longlong = 0
    goods: cython.longlong = len(good)
    for i in range(len(begin)):
        here = begin[i]
        while end[i] - here >= 2:
            size = data[here + 1] & 127
            header = 2 if size < 126 else 4 if size == 126 else 10
            if end[i] - here < header:
                break
            if size >= 126:
                size = data[here + 2] & 127 if header == 10 else data[here + 2]  # the first bit of 64 is 0
                for k in range(here + 3, here + header):
                    size = min((size << 8) | data[k], most + 1)
            header += 4 * (data[here + 1] >> 7)
            if size > most or (data[here] & 7) > 2 or ((data[here] & 8) and (size > 125 or data[here] < 128)):
                lost = here
                while next_good < goods and good[next_good] < here + 2:
                    next_good += 1
                if next_good < goods and good[next_good] < end[i]:
                    here = good[next_good]
                    bad.extend((i, lost, here, 1))
                    continue
                here = end[i]
                bad.extend((i, lost, here, 0))
                break
            if here + header + size > end[i]:
                break
            found.extend((i, here, here + header + size))
            here += header + size
        upto[i] = here
    return found, upto, bad
