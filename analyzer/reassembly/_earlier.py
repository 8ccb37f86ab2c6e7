"""Whether something passed before: a loop, since each row hangs on those before it.

Compiled by Cython when the package is built; runs interpreted too. Keys live in a dict, whose hash CPython seeds anew for each
process.
"""

import cython


@cython.final
@cython.cclass
class Earlier:
    """Remembers the last `most` keys (bytes or numbers) that it was shown."""

    known: dict
    ring: list
    most: cython.longlong
    n: cython.longlong

    def __init__(self, most: cython.longlong):
        self.known = {}
        self.ring = [None] * most
        self.most = most
        self.n = 0

    def __len__(self):
        return self.n

    def before(self, keys: list, out: cython.longlong[::1]):
        """Write into `out` (int64) which row, of all so far, last had each row's key among the `most` before it; -1: none did."""
        known = self.known
        ring = self.ring
        i: cython.longlong
        n: cython.longlong = self.n
        place: cython.longlong
        for i in range(len(keys)):
            key = keys[i]
            place = n % self.most
            out[i] = known.get(key, -1)
            old = ring[place]
            if old is not None and known.get(old) == n - self.most:
                del known[old]
            ring[place] = key
            known[key] = n
            n += 1
        self.n = n
