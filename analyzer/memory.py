"""Memory of the process: what batches gave back is kept for the next ones, in large pages.

The arrays of a batch come and go by the thousand. The C library returns such memory to the system at once and has it filled with
zeros again, page by page of 4 KiB, for the next batch; that took a tenth of the time.
"""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress

TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD = -1, -2, -3  # of mallopt(3)
HUGEPAGE = 14  # of madvise(2): MADV_HUGEPAGE
LARGE = 2 << 20  # bytes of a large page
ROOM = 256 << 20  # bytes of addresses that are taken at once; only what is used becomes memory
GREATEST = 32 << 20  # the greatest MMAP_THRESHOLD that glibc takes


def keep() -> None:
    """Have the C library keep what is freed, and the system give it large pages. Does nothing where the library is not glibc's."""
    if sys.platform != "linux":
        return
    with suppress(AttributeError, OSError):  # another C library has no mallopt
        libc = ctypes.CDLL(None)
        libc.malloc.argtypes, libc.malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
        libc.free.argtypes = [ctypes.c_void_p]
        libc.sbrk.argtypes, libc.sbrk.restype = [ctypes.c_ssize_t], ctypes.c_void_p
        libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
        libc.mallopt(MMAP_THRESHOLD, GREATEST)
        libc.mallopt(TRIM_THRESHOLD, 1 << 30)
        libc.mallopt(TOP_PAD, ROOM)
        begin = libc.sbrk(0)
        libc.free(libc.malloc(GREATEST - 4096))  # more than lies free: the heap grows by this and ROOM
        end = libc.sbrk(0)
        libc.mallopt(TOP_PAD, LARGE)
        begin += -begin % LARGE
        if end > begin:
            libc.madvise(begin, end - begin, HUGEPAGE)
