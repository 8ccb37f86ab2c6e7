"""Files as byte streams, of which at most MAX_OPEN are open at once."""

from __future__ import annotations

import io
import os
import select
import sys
from collections import OrderedDict
from typing import Any

MAX_OPEN = 32


class FilePool:
    """Open files, least recently used first; that one is closed to open another."""

    def __init__(self, limit: int = MAX_OPEN) -> None:
        self.limit = limit
        self.open: OrderedDict[int, io.FileIO] = OrderedDict()

    def get(self, file: File) -> io.FileIO:
        found = self.open.pop(id(file), None)
        if found is None:
            while len(self.open) >= self.limit:
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
    """A file that the pool may close and reopen between reads."""

    def __init__(self, path: str, pool: FilePool) -> None:
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
    """Standard input, of unknown size."""

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
        """Whether a read would not block; False where select does not work."""
        try:
            return bool(select.select([self.stream], [], [], 0)[0])
        except (OSError, ValueError):
            return False

    def release(self) -> None:
        """Nothing more will be read."""


class PushbackStream(io.RawIOBase):
    """A stream whose first bytes, already read, are read again."""

    def __init__(self, head: bytes, stream: io.RawIOBase) -> None:
        self.head, self.stream = head, stream

    def readable(self) -> bool:
        return True

    def readinto(self, out: Any) -> int:
        if self.head:
            data = self.head[: len(out)]
            out[: len(data)] = data
            self.head = self.head[len(data) :]
            return len(data)
        return self.stream.readinto(out) or 0
