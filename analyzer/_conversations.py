# cython: wraparound=False, initializedcheck=False
# mypy: ignore-errors
"""Keys of conversations, and numbers for them in order of their first frame: a loop, since each row depends on those before.

Compiled by Cython when the package is built; runs interpreted too. CPython seeds a dict's hash anew for each
process, so nobody can craft addresses that collide.
"""

import cython


@cython.final
@cython.cclass
class Numbers:
    """Numbers keys (bytes) 0, 1, 2 … in order of appearance."""

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
            number = known.get(keys[i])
            if number is None:
                known[keys[i]] = number = n
                n += 1
            out[i] = number


def pair(
    high: tuple,
    low: tuple,
    rows: cython.const[cython.longlong][::1],
    ports: tuple,
    version: cython.ulonglong,
    key: cython.ulonglong[::1],
    back: cython.uchar[::1],
):
    """Write the unordered pair of endpoints of n headers.

    key: five words each: the smaller endpoint's address (two words), the greater endpoint's, both ports with `version` above them.
    back: 1 if the header goes from the greater endpoint to the smaller.
    high, low: (source, destination) halves of m addresses, uint64 (m,); `high` is empty if 64 bits hold an address. rows: int64 (n,), the
    address row of each header. ports: (source, destination), uint64 (n,), empty if there are none.
    """
    high_a: cython.const[cython.ulonglong][::1] = high[0]
    high_b: cython.const[cython.ulonglong][::1] = high[1]
    low_a: cython.const[cython.ulonglong][::1] = low[0]
    low_b: cython.const[cython.ulonglong][::1] = low[1]
    port_a: cython.const[cython.ulonglong][::1] = ports[0]
    port_b: cython.const[cython.ulonglong][::1] = ports[1]
    wide: cython.bint = len(high_a) > 0
    ported: cython.bint = len(port_a) > 0
    i: cython.longlong
    row: cython.longlong
    swap: cython.bint
    ha: cython.ulonglong = 0
    hb: cython.ulonglong = 0
    pa: cython.ulonglong = 0
    pb: cython.ulonglong = 0
    for i in range(len(rows)):
        row = rows[i]
        la: cython.ulonglong = low_a[row]
        lb: cython.ulonglong = low_b[row]
        if wide:
            ha, hb = high_a[row], high_b[row]
        if ported:
            pa, pb = port_a[i], port_b[i]
        swap = ha > hb or (ha == hb and (la > lb or (la == lb and pa > pb)))
        back[i] = swap
        key[5 * i] = hb if swap else ha
        key[5 * i + 1] = lb if swap else la
        key[5 * i + 2] = ha if swap else hb
        key[5 * i + 3] = la if swap else lb
        key[5 * i + 4] = (pb << 16 | pa if swap else pa << 16 | pb) | version << 32
