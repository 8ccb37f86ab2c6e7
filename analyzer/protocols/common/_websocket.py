# mypy: ignore-errors
"""WebSocket frames, back to back: a loop, since each frame begins where the one before it ends. RFC 6455 §5.2.

Compiled by Cython when the package is built; runs interpreted too.
"""

from array import array

import cython


def frames(
    data: cython.const[cython.uchar][::1],
    begin: cython.const[cython.longlong][::1],
    end: cython.const[cython.longlong][::1],
    limit: cython.longlong,
    candidates: cython.const[cython.longlong][::1],
):
    """Find the complete frames, of at most `limit` bytes, in the runs data[begin:end]; arguments and result as of `_framing.prefixed`."""
    found = array("q")
    upto = array("q", bytes(8 * len(begin)))
    bad = array("q")
    i: cython.longlong
    k: cython.longlong
    here: cython.longlong
    size: cython.longlong
    header: cython.longlong
    lost: cython.longlong
    next_candidate: cython.longlong = 0
    count: cython.longlong = len(candidates)
    for i in range(len(begin)):
        here = begin[i]
        while end[i] - here >= 2:
            size = data[here + 1] & 127
            header = 2 if size < 126 else 4 if size == 126 else 10
            if end[i] - here < header:
                break
            if size >= 126:
                size = data[here + 2] & 127 if header == 10 else data[here + 2]  # the first of the 64 bits is 0
                for k in range(here + 3, here + header):
                    size = min((size << 8) | data[k], limit + 1)
            header += 4 * (data[here + 1] >> 7)
            if size > limit or (data[here] & 7) > 2 or ((data[here] & 8) and (size > 125 or data[here] < 128)):
                lost = here
                while next_candidate < count and candidates[next_candidate] < here + 2:
                    next_candidate += 1
                if next_candidate < count and candidates[next_candidate] < end[i]:
                    here = candidates[next_candidate]
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
