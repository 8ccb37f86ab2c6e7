"""The Internet checksum of many ranges. RFC 1071. A loop over bytes; compiled by Cython when the package is built."""

import cython


def sums(
    data: cython.const[cython.uchar][::1],
    start: cython.const[cython.longlong][::1],
    end: cython.const[cython.longlong][::1],
    out: cython.longlong[::1],
):
    """Add up the 16-bit words of data[start[i]:end[i]] (an odd last byte is a high one) and `out[i]`, folded to 16 bits.

    `out` (int64) brings what a pseudo-header adds and takes the sum; 0xFFFF means that a range with its checksum in it is right.
    """
    i: cython.longlong
    p: cython.longlong
    stop: cython.longlong
    total: cython.longlong
    high: cython.longlong
    count: cython.longlong = start.shape[0]
    for i in range(count):
        p = start[i]
        stop = end[i]
        total = out[i]
        while p + 1 < stop:
            high = data[p]
            total += (high << 8) | data[p + 1]
            p += 2
        if p < stop:
            high = data[p]
            total += high << 8
        while total > 65535:
            total = (total & 65535) + (total >> 16)
        out[i] = total
