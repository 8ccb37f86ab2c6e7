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


@cython.final
@cython.cclass
class _Pair:
    """A pair of addresses and ports: its latest stream, and the base numbers of both directions."""

    stream: cython.longlong
    base: cython.longlong[2]
    known: cython.bint[2]

    def __init__(self):
        if not cython.compiled:
            self.base = [0, 0]
            self.known = [False, False]


@cython.final
@cython.cclass
class Streams:
    """TCP streams as Wireshark numbers them, and the numbers that relative sequence numbers count from.

    A direction's base is its own SYN's number, else that of its first other segment minus one, else the peer's
    acknowledgment minus one, whichever is seen first. A SYN without ACK whose number is not the base opens a new stream.
    """

    pairs: dict
    count: cython.longlong

    def __init__(self):
        self.pairs = {}
        self.count = 0

    def __len__(self):
        return self.count

    def number(
        self,
        keys: list,
        back: cython.const[cython.uchar][::1],
        syn: cython.const[cython.uchar][::1],
        ack: cython.const[cython.uchar][::1],
        live: cython.const[cython.uchar][::1],
        seq: cython.const[cython.longlong][::1],
        acked: cython.const[cython.longlong][::1],
        stream: cython.longlong[::1],
        own: cython.longlong[::1],
        peer: cython.longlong[::1],
    ):
        """Fill stream, own (base of the row's direction) and peer (base of the other; -1 while unknown), all int64.

        back: direction (0 or 1). syn, ack: the flags. live: 0 for quoted headers, which neither open streams anew nor set bases.
        """
        mask: cython.longlong = (1 << 16 << 16) - 1
        i: cython.longlong
        d: cython.int
        for i in range(len(keys)):
            d = back[i]
            pair: _Pair = self.pairs.get(keys[i])
            if pair is None:
                pair = _Pair()
                self.pairs[keys[i]] = pair
                pair.known[0] = pair.known[1] = False
                pair.stream = self.count
                self.count += 1
            if live[i]:
                if syn[i] and not ack[i] and pair.known[d] and pair.base[d] != seq[i]:
                    pair.known[0] = pair.known[1] = False
                    pair.stream = self.count
                    self.count += 1
                if syn[i]:
                    pair.base[d] = seq[i]
                    pair.known[d] = True
                elif not pair.known[d]:
                    pair.base[d] = (seq[i] - 1) & mask
                    pair.known[d] = True
                if ack[i] and not pair.known[1 - d]:
                    pair.base[1 - d] = (acked[i] - 1) & mask
                    pair.known[1 - d] = True
            stream[i] = pair.stream
            own[i] = pair.base[d] if pair.known[d] else -1
            peer[i] = pair.base[1 - d] if pair.known[1 - d] else -1
