# cython: wraparound=False, initializedcheck=False
# mypy: ignore-errors
"""Whether something passed before: a loop, since each row hangs on those before it.

Compiled by Cython when the package is built; runs interpreted too. Two tables of keys are searched by a number that a secret makes
of each: nobody can craft keys that crowd one place. When the newer is half full it becomes the older, of which nothing is
remembered then that counts still.
"""

import os
from array import array

import cython

WORD = cython.declare(cython.ulonglong, 0xFFFFFFFFFFFFFFFF)


def mix(into: cython.ulonglong[::1], column: cython.const[cython.ulonglong][::1], odd: cython.ulonglong, other: cython.ulonglong):
    """Mix a column into numbers: they stay the same for the same columns, and hardly ever become so for others. odd, other: odd numbers
    that nobody knows."""
    i: cython.longlong
    one: cython.ulonglong
    for i in range(len(column)):
        one = ((into[i] ^ column[i]) * odd) & WORD
        one = ((one ^ one >> 29) * other) & WORD
        into[i] = one ^ one >> 32


@cython.final
@cython.cclass
class Earlier:
    """Remembers the last `most` keys that it was shown, numbers of 64 bits."""

    new: cython.ulonglong[::1]  # pairs: a key, and the row that had it last, from 1; 0: there is no key here
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
    def _place(self, key: cython.ulonglong, table: cython.ulonglong[::1]) -> cython.longlong:
        """Where the key is, or may be put."""
        at: cython.longlong = cython.cast(cython.longlong, (key * self.secret & WORD) >> self.shift)
        while table[2 * at + 1] and table[2 * at] != key:
            at = (at + 1) & self.mask
        return 2 * at

    def before(self, keys: cython.const[cython.ulonglong][::1], out: cython.longlong[::1]):
        """Write into `out` (int64) which row, of all so far, last had each row's key among the `most` before it; -1: none did."""
        i: cython.longlong
        row: cython.longlong
        at: cython.longlong
        for i in range(len(keys)):
            at = self._place(keys[i], self.new)
            row = self.new[at + 1] or self.old[self._place(keys[i], self.old) + 1]
            out[i] = row - 1 if row and self.n - row < self.most else -1
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
