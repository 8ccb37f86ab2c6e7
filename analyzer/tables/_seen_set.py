# cython: wraparound=False, initializedcheck=False
# mypy: ignore-errors
"""Which keys were seen among the last ones: a loop, since each row depends on those before it.

Compiled by Cython when the package is built; runs interpreted too. Two hash tables with a secret seed, so that nobody can craft keys
that collide. When the newer one is half full it replaces the older one, all of whose rows are out of range by then.
"""

import os
from array import array

import cython

WORD = cython.declare(cython.ulonglong, 0xFFFFFFFFFFFFFFFF)


def mix(hashes: cython.ulonglong[::1], column: cython.const[cython.ulonglong][::1], first: cython.ulonglong, second: cython.ulonglong):
    """Mix a column into hashes, in place. first, second: the multipliers, odd and secret."""
    i: cython.longlong
    value: cython.ulonglong
    for i in range(len(column)):
        value = ((hashes[i] ^ column[i]) * first) & WORD
        value = ((value ^ value >> 29) * second) & WORD
        hashes[i] = value ^ value >> 32


@cython.final
@cython.cclass
class SeenSet:
    """The last `most` keys (uint64), with the row in which each was seen last."""

    new: cython.ulonglong[::1]  # pairs: key, and the last row that had it, from 1; 0: a free slot
    old: cython.ulonglong[::1]
    secret: cython.ulonglong
    shift: cython.int
    mask: cython.longlong
    filled: cython.longlong
    most: cython.longlong
    n: cython.longlong

    def __init__(self, most: cython.longlong):
        bits = (2 * most - 1).bit_length()
        size = 1 << bits
        self.new, self.old = array("Q", bytes(16 * size)), array("Q", bytes(16 * size))
        self.secret = int.from_bytes(os.urandom(8), "little") | 1
        self.shift, self.mask = 64 - bits, size - 1
        self.most = most
        self.n = self.filled = 0

    def __len__(self):
        return self.n

    @cython.cfunc
    def _slot(self, key: cython.ulonglong, table: cython.ulonglong[::1]) -> cython.longlong:
        """The index of the key, or of the slot for it."""
        at: cython.longlong = cython.cast(cython.longlong, (key * self.secret & WORD) >> self.shift)
        while table[2 * at + 1] and table[2 * at] != key:
            at = (at + 1) & self.mask
        return 2 * at

    def last_seen(self, keys: cython.const[cython.ulonglong][::1], rows: cython.longlong[::1]):
        """Add keys. rows (int64, written): the last row with the same key among the `most` before, counted from the first call; or -1."""
        i: cython.longlong
        row: cython.longlong
        at: cython.longlong
        for i in range(len(keys)):
            at = self._slot(keys[i], self.new)
            row = self.new[at + 1] or self.old[self._slot(keys[i], self.old) + 1]
            rows[i] = row - 1 if row and self.n - row < self.most else -1
            if not self.new[at + 1]:
                self.new[at] = keys[i]
                self.filled += 1
            self.n += 1
            self.new[at + 1] = self.n
            if self.filled == self.most:
                self.new, self.old = self.old, self.new
                for at in range(len(self.new)):
                    self.new[at] = 0
                self.filled = 0
