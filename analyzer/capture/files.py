"""Files as byte streams of which at most 32 are open at once, however many are being read."""

from __future__ import annotations

import io
import os
import select
import sys
from collections import OrderedDict
from typing import Any

OPEN = 32


class Pool:
    """The files that are open now; the longest unused is closed for the next."""

    def __init__(self, most: int = OPEN) -> None:
        self.most = most
        self.open: OrderedDict[int, io.FileIO] = OrderedDict()

    def get(self, file: File) -> io.FileIO:
        found = self.open.pop(id(file), None)
        if found is None:
            while len(self.open) >= self.most:
                self.open.popitem(last=False)[1].close()
            found = io.FileIO(file.path)
            found.seek(file.at)
        self.open[id(file)] = found
        return found

    def close(self, file: File) -> None:
        found = self.open.pop(id(file), None)
        if found is not None:
            found.close()


class File(io.RawIOBase):
    """A file that the pool may close and open again between two reads."""

    def __init__(self, path: str, pool: Pool) -> None:
        self.path, self.pool, self.at = path, pool, 0
        self.size = os.fstat(pool.get(self).fileno()).st_size

    def readable(self) -> bool:
        return True

    def readinto(self, out: Any) -> int:
        got = self.pool.get(self).readinto(out) or 0
        self.at += got
        return got

    def ready(self) -> bool:
        return True

    def release(self) -> None:
        """Nothing more will be read."""
        self.pool.close(self)


class Pipe(io.RawIOBase):
    """Standard input. size is None: nobody knows how much will come."""

    size = None
    at = 0

    def __init__(self) -> None:
        self.stream = io.FileIO(sys.stdin.fileno(), closefd=False)

    def readable(self) -> bool:
        return True

    def readinto(self, out: Any) -> int:
        got = self.stream.readinto(out) or 0
        self.at += got
        return got

    def ready(self) -> bool:
        """Whether a read would not wait; where that cannot be told, it might."""
        try:
            return bool(select.select([self.stream], [], [], 0)[0])
        except (OSError, ValueError):
            return False

    def release(self) -> None:
        """Nothing more will be read."""


class Headed(io.RawIOBase):
    """A stream whose first bytes were read already and come once more."""

    def __init__(self, head: bytes, stream: io.RawIOBase) -> None:
        self.head, self.stream = head, stream

    def readable(self) -> bool:
        return True

    def readinto(self, out: Any) -> int:
        if self.head:
            some = self.head[: len(out)]
            out[: len(some)] = some
            self.head = self.head[len(some) :]
            return len(some)
        return self.stream.readinto(out) or 0
