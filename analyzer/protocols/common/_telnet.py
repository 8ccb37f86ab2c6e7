# mypy: ignore-errors
"""Telnet commands and option negotiation in what a direction of a TCP stream sent. RFC 854, RFC 855.

Compiled by Cython when the package is built; runs interpreted too.
"""

from array import array

import cython

IAC = cython.declare(cython.longlong, 255)  # interpret as command
SB = cython.declare(cython.longlong, 250)  # a subnegotiation begins; greater: WILL, WONT, DO, DONT and an option
ESCAPED_IAC = cython.declare(cython.longlong, -1)
CONTINUED = cython.declare(cython.longlong, -2)
cython.declare(RUN_DIRECTION=cython.int, RUN_START=cython.int, RUN_END=cython.int, RUN_GAP=cython.int, RUN_LAST=cython.int)
RUN_DIRECTION, RUN_START, RUN_END, RUN_GAP, RUN_LAST = range(5)  # rows of `runs`
cython.declare(PIECE_PLACE=cython.int, PIECE_RUN=cython.int)
PIECE_PLACE, PIECE_RUN = range(2)  # rows of `pieces`


@cython.cfunc
def _scan(
    data: cython.const[cython.uchar][::1],
    p: cython.longlong,
    stop: cython.longlong,
    inside: cython.longlong,
    rows: object,
    i: cython.longlong,
) -> tuple:
    """Scan data[p:stop] and append its commands to `rows` (None: only scan). inside: it begins in a subnegotiation.

    Returns where an incomplete command begins, or `stop`; and whether a subnegotiation is still open there.
    """
    begin: cython.longlong = p
    option: cython.longlong = -1
    at: cython.longlong = -1
    command: cython.longlong
    while p < stop:
        if data[p] != IAC:
            p += 1
            continue
        if p + 1 >= stop:
            break
        command = data[p + 1]
        if command == IAC:
            if not inside and rows is not None:
                rows.extend((i, p, ESCAPED_IAC, -1, 0, 0, p + 2))
            p += 2
            continue
        if command >= SB and p + 2 >= stop:
            break
        if inside:
            if rows is not None:
                rows.extend((i, at, SB if at >= 0 else CONTINUED, option, begin, p, p))
            inside = 0
        if command < SB:
            if rows is not None:
                rows.extend((i, p, command, -1, 0, 0, p + 2))
            p += 2
        elif command > SB:
            if rows is not None:
                rows.extend((i, p, command, data[p + 2], 0, 0, p + 3))
            p += 3
        else:
            inside, at, option, begin = 1, p, data[p + 2], p + 3
            p += 3
    if inside and rows is not None:
        rows.extend((i, at, SB if at >= 0 else CONTINUED, option, begin, p, p))
    return p, inside


def commands(
    data: cython.const[cython.uchar][::1],
    start: cython.const[cython.longlong][::1],
    end: cython.const[cython.longlong][::1],
    inside: cython.const[cython.longlong][::1],
) -> object:
    """The commands in data[start[i]:end[i]]. inside: whether each begins in a subnegotiation.

    Returns a flat array of int64, seven numbers a command: i, place of its IAC (-1: before start), command, option or -1, start and end
    of a subnegotiation's parameters, end. Command -1 is two IAC, a data byte 255; -2 a subnegotiation that began before `start`.
    """
    rows = array("q")
    i: cython.longlong
    for i in range(start.shape[0]):
        _scan(data, start[i], end[i], inside[i], rows, i)
    return rows


def split(
    data: cython.const[cython.uchar][::1],
    runs: cython.const[cython.longlong][:, ::1],
    pieces: cython.const[cython.longlong][:, ::1],
    in_subnegotiation: dict,
) -> tuple:
    """Split what directions sent into the whole commands and data that each piece completed.

    runs: rows direction, start, end, gap, last. pieces: rows place, run. in_subnegotiation: directions that are in one; updated.
    Returns rows (run, start, end, whether it begins in a subnegotiation, whether it ends only because nothing follows) and how far
    each run was read.
    """
    rows = array("q")
    upto = array("q", bytes(8 * runs.shape[1]))
    here: cython.longlong = 0
    inside: cython.longlong = 0
    before: cython.longlong = 0
    k: cython.longlong
    i: cython.longlong = -1
    n: cython.longlong = pieces.shape[1]
    for k in range(n):
        if pieces[PIECE_RUN, k] != i:
            i = pieces[PIECE_RUN, k]
            here = runs[RUN_START, i]
            inside = 0 if runs[RUN_GAP, i] else in_subnegotiation.pop(runs[RUN_DIRECTION, i], 0)
        final: cython.bint = k + 1 >= n or pieces[PIECE_RUN, k + 1] != i
        edge: cython.longlong = runs[RUN_END, i] if final else min(pieces[PIECE_PLACE, k + 1], runs[RUN_END, i])
        if edge > here:
            before = inside
            stop, inside = _scan(data, here, edge, inside, None, 0)
            if stop > here:
                rows.extend((i, here, stop, before, 0))
                here = stop
            else:
                inside = before
            if final and runs[RUN_LAST, i] and here < edge:
                rows.extend((i, here, edge, inside, 1))
                here = edge
        if final:
            upto[i] = here
            in_subnegotiation.pop(runs[RUN_DIRECTION, i], 0)
            if inside and not runs[RUN_LAST, i]:
                in_subnegotiation[runs[RUN_DIRECTION, i]] = 1
    return rows, upto
