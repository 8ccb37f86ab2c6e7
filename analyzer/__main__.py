"""`analyze` and `python -m analyzer`."""

import gc
import os
import sys
from contextlib import suppress

from . import memory


def main() -> None:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # no linear algebra here; NumPy's threads would cost 0.07 s to start
    os.environ.setdefault("POLARS_MAX_THREADS", "1")  # the tables are small: threads that wait for each other cost a tenth of the time
    gc.set_threshold(50_000, 50, 50)  # arrays and rows make no cycles: at Python's own pace looking for some took 3 % of the time
    memory.keep()
    from .cli import run

    status = run(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)  # taking all that was made apart, piece by piece, would cost 0.05 s and more, and nobody is left to care


if __name__ == "__main__":
    main()
