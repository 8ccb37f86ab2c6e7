"""Numbers for conversations, in order of their first frame: a loop, since each row hangs on those before it.

Compiled by Cython when the package is built; runs interpreted too. The keys live in a dict, whose hash CPython seeds
anew for each process: nobody can craft addresses that collide.
"""

import cython


@cython.final
@cython.cclass
class Numbers:
    """Key (bytes) → 0, 1, 2 … in order of appearance."""

    known: dict

    def __init__(self):
        self.known = {}

    def __len__(self):
        return len(self.known)

    def number(self, keys: list, out: cython.longlong[::1]):
        """Write the number of each key into `out` (int64)."""
        known = self.known
        i: cython.longlong
        n: cython.longlong = len(known)
        for i in range(len(keys)):
            found = known.get(keys[i])
            if found is None:
                known[keys[i]] = found = n
                n += 1
            out[i] = found
