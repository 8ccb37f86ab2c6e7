# cython: wraparound=False, initializedcheck=False
# mypy: ignore-errors
"""Loops that write text into a buffer: decimal digits, IPv4 addresses, many short slices.

Compiled by Cython when the package is built; runs interpreted too.
"""

import cython


def decimal(values: cython.const[cython.ulonglong][::1], point: cython.longlong, out: cython.uchar[::1], start: cython.longlong[::1]):
    """Write each value into its cell of `out`, the digits at the cell's end, `point` of them after a decimal point.

    out: a cell for each value, all of equal size and large enough. start: becomes the offset of each text in `out`.
    """
    count: cython.longlong = values.shape[0]
    size: cython.longlong = out.shape[0] // max(count, 1)
    i: cython.longlong
    at: cython.longlong
    written: cython.longlong
    value: cython.ulonglong
    rest: cython.ulonglong
    for i in range(count):
        value = values[i]
        at = (i + 1) * size
        written = 0
        while value or written <= point:
            if point and written == point:
                at -= 1
                out[at] = 46
            at -= 1
            rest = value // 10
            out[at] = 48 + (value - 10 * rest)
            value = rest
            written += 1
        start[i] = at


def dotted(values: cython.const[cython.ulonglong][::1], out: cython.uchar[::1], start: cython.longlong[::1]):
    """As `decimal`, each value as an IPv4 address."""
    count: cython.longlong = values.shape[0]
    size: cython.longlong = out.shape[0] // max(count, 1)
    i: cython.longlong
    at: cython.longlong
    byte: cython.longlong
    part: cython.ulonglong
    for i in range(count):
        at = (i + 1) * size
        for byte in range(4):
            if byte:
                at -= 1
                out[at] = 46
            part = (values[i] >> (8 * byte)) & 255
            while True:
                at -= 1
                out[at] = 48 + part % 10
                part //= 10
                if not part:
                    break
        start[i] = at


@cython.boundscheck(False)  # the bounds of a slice are checked, not those of each byte
@cython.wraparound(False)
def append(
    data: cython.const[cython.uchar][::1],
    start: cython.const[cython.longlong][::1],
    end: cython.const[cython.longlong][::1],
    out: cython.uchar[::1],
    at: cython.longlong[::1],
):
    """Copy data[start[i]:end[i]] to out[at[i]:] for each i, and advance at[i] past it. Raises IndexError out of bounds."""
    count: cython.longlong = start.shape[0]
    size: cython.longlong = data.shape[0]
    room: cython.longlong = out.shape[0]
    i: cython.longlong
    p: cython.longlong
    first: cython.longlong
    length: cython.longlong
    to: cython.longlong
    if end.shape[0] != count or at.shape[0] != count:
        raise IndexError("columns of different length")
    for i in range(count):
        first = start[i]
        length = end[i] - first
        to = at[i]
        if first < 0 or length < 0 or length > size - first or to < 0 or length > room - to:
            raise IndexError("a slice outside of its buffer")
        if cython.compiled:
            for p in range(length):
                out[to + p] = data[first + p]
        else:  # a slice costs as much as many bytes when compiled, as a few when interpreted
            out[to : to + length] = data[first : first + length]
        at[i] = to + length
