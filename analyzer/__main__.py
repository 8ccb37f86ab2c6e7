"""`analyze` and `python -m analyzer`."""

import ctypes
import gc
import os
import sys
from contextlib import suppress

TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD = -1, -2, -3  # of mallopt(3)


def keep_memory() -> None:
    """Have the C library keep what is freed: the arrays of a batch come and go by the thousand, and to return their memory to the
    system and have it filled with zeros again for the next batch took a tenth of the time. Another library than glibc does as it does.
    """
    with suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(MMAP_THRESHOLD, 32 << 20)  # the greatest that it takes
        mallopt(TRIM_THRESHOLD, 1 << 30)
        mallopt(TOP_PAD, 16 << 20)


def main() -> None:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # no linear algebra here; NumPy's threads would cost 0.07 s to start
    os.environ.setdefault("POLARS_MAX_THREADS", "1")  # the tables are small: threads that wait for each other cost a tenth of the time
    gc.set_threshold(200_000, 50, 50)  # arrays and rows make no cycles: at Python's own pace looking for some took 3 % of the time
    keep_memory()
    from .cli import run

    status = run(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)  # taking all that was made apart, piece by piece, would cost 0.05 s and more, and nobody is left to care


if __name__ == "__main__":
    main()
