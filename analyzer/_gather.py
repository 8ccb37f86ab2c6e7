# cython: wraparound=False, initializedcheck=False
# mypy: ignore-errors
"""Copies the bytes of headers from their places in the buffer to rows of a matrix.

Compiled by Cython when the package is built; runs interpreted too.
"""

import cython
import numpy as np

if cython.compiled:
    from cython.cimports.libc.string import memcpy


@cython.cfunc
def _copy(
    data: cython.pointer[cython.const[cython.uchar]],
    at: cython.const[cython.longlong][::1],
    size: cython.longlong,
    out: cython.pointer[cython.uchar],
) -> cython.void:
    """Copy `size` bytes from each offset. The usual sizes are constants: a copy of known length is a few instructions, no call."""
    i: cython.Py_ssize_t
    n: cython.Py_ssize_t = at.shape[0]
    if size == 20:  # IPv4, TCP
        for i in range(n):
            memcpy(out + 20 * i, data + at[i], 20)
    elif size == 14:  # Ethernet
        for i in range(n):
            memcpy(out + 14 * i, data + at[i], 14)
    elif size == 4:  # the first bytes of every frame
        for i in range(n):
            memcpy(out + 4 * i, data + at[i], 4)
    elif size == 8:  # UDP
        for i in range(n):
            memcpy(out + 8 * i, data + at[i], 8)
    elif size == 10:  # TCP's timestamps
        for i in range(n):
            memcpy(out + 10 * i, data + at[i], 10)
    elif size == 40:  # IPv6
        for i in range(n):
            memcpy(out + 40 * i, data + at[i], 40)
    else:
        for i in range(n):
            memcpy(out + size * i, data + at[i], size)


def gather(buffer, offsets, size):
    """`size` bytes at each offset (int64, (n,)) of a uint8 buffer → uint8 (n, size). Raises IndexError out of bounds."""
    if size == 0 or not len(offsets):
        return np.zeros((len(offsets), size), np.uint8)
    if offsets.min() < 0 or offsets.max() > len(buffer) - size:
        raise IndexError(f"{size} bytes at {offsets.min()} to {offsets.max()} are not all in the buffer's {len(buffer)}")
    if not cython.compiled:
        window = np.ndarray((len(buffer) - size + 1,), f"V{size}", buffer.data, strides=(1,))
        return window[offsets].view(np.uint8).reshape(-1, size)
    rows = np.empty((len(offsets), size), np.uint8)
    data: cython.const[cython.uchar][::1] = buffer
    at: cython.const[cython.longlong][::1] = np.ascontiguousarray(offsets, np.int64)
    out: cython.uchar[:, ::1] = rows
    _copy(cython.address(data[0]), at, size, cython.address(out[0, 0]))
    return rows
