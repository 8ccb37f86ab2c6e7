# mypy: ignore-errors
"""Checksums of many ranges: the Internet checksum (RFC 1071), SCTP's CRC32c (RFC 9260 appendix A).

Loops over bytes; compiled by Cython when the package is built.
"""

import cython


def sums(
    data: cython.const[cython.uchar][::1],
    start: cython.const[cython.longlong][::1],
    end: cython.const[cython.longlong][::1],
    out: cython.longlong[::1],
):
    """Add up the 16-bit words of data[start[i]:end[i]] (an odd last byte is a high one) and `out[i]`, folded to 16 bits.

    `out` (int64): the sum of a pseudo-header in, the whole sum out; 0xFFFF means that the checksum in the range is right.
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


def crc32c(
    data: cython.const[cython.uchar][::1],
    start: cython.const[cython.longlong][::1],
    end: cython.const[cython.longlong][::1],
    skip: cython.longlong,
    table: cython.const[cython.longlong][::1],
    out: cython.longlong[::1],
):
    """CRC32c of each data[start[i]:end[i]] into `out` (int64); the four bytes at `skip` count as zeros.

    table: of the polynomial, 256 entries.
    """
    i: cython.longlong
    p: cython.longlong
    value: cython.longlong
    crc: cython.longlong
    first: cython.longlong
    count: cython.longlong = start.shape[0]
    for i in range(count):
        crc = 0xFFFFFFFF
        first = start[i] + skip
        for p in range(start[i], end[i]):
            value = data[p]
            if first <= p and p < first + 4:
                value = 0
            crc = table[(crc ^ value) & 255] ^ (crc >> 8)
        out[i] = crc ^ 0xFFFFFFFF
