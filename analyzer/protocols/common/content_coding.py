"""Content codings undone, within a limit. RFC 9110 §8.4.1; brotli: RFC 7932; zstd: RFC 8878."""

from __future__ import annotations

import zlib


def decoded(data: bytes, codings: str, most: int) -> tuple[bytes, str]:
    """A body without these content codings, listed in the order in which they were applied; and what is wrong, '' for nothing.

    most: bytes that come out of each at the most, so that a bomb costs no more; beyond, the first `most` are given and 'too long' said.
    What can be undone of a body that is broken or cut is given.
    """
    wrong = ""
    for coding in reversed([one.strip().lower() for one in codings.split(",")]):
        if coding in ("", "identity"):
            continue
        undo = UNDO.get(coding)
        if undo is None:
            return data, f"unknown coding {coding}"
        data, fault = undo(data, most)
        wrong = wrong or fault
    return data, wrong


def _zlib(data: bytes, most: int, bits: int) -> tuple[bytes, str]:
    found, parts = b"", []
    while data and len(found) <= most:  # gzip: several members may follow each other, RFC 1952 §2.2
        machine = zlib.decompressobj(bits)
        parts.append(b"")
        try:
            made = machine.decompress(data, most + 1 - len(found))
        except zlib.error:
            made, rest = _as_far(data, bits, most + 1 - len(found)), b""
            return (found + made)[:most], "broken"
        found += made
        rest = machine.unused_data
        if not machine.eof:
            return found[:most], "too long" if len(found) > most else "cut"
        if bits < 16 or not rest.startswith(b"\x1f\x8b"):
            break
        data = rest
    return found[:most], "too long" if len(found) > most else ""


def _as_far(data: bytes, bits: int, most: int) -> bytes:
    """What comes out before the fault."""
    machine, found = zlib.decompressobj(bits), b""
    try:
        for at in range(0, len(data), 1024):
            found += machine.decompress(data[at : at + 1024], max(most - len(found), 1))
            if len(found) >= most:
                break
    except zlib.error:
        pass
    return found


def _gzip(data: bytes, most: int) -> tuple[bytes, str]:
    return _zlib(data, most, 31)


def _deflate(data: bytes, most: int) -> tuple[bytes, str]:
    """With zlib's header as the RFC has it, or without it, as many send it."""
    with_header = len(data) > 1 and data[0] & 15 == 8 and (data[0] << 8 | data[1]) % 31 == 0
    return _zlib(data, most, 15 if with_header else -15)


def _brotli(data: bytes, most: int) -> tuple[bytes, str]:
    import brotli

    machine, found = brotli.Decompressor(), b""
    try:
        found = machine.process(data, output_buffer_limit=most + 1)
        while len(found) <= most and not machine.is_finished():
            more = machine.process(b"", output_buffer_limit=most + 1 - len(found))
            if not more:
                return found, "cut"
            found += more
    except brotli.error:
        return found[:most], "broken"
    return found[:most], "too long" if len(found) > most else ""


def _zstd(data: bytes, most: int) -> tuple[bytes, str]:
    import zstandard

    found = b""
    try:
        with zstandard.ZstdDecompressor(max_window_size=1 << 23).stream_reader(data, read_across_frames=True) as reader:
            while len(found) <= most and (more := reader.read(min(1 << 16, most + 1 - len(found)))):
                found += more
    except zstandard.ZstdError:
        return found[:most], "broken"
    return found[:most], "too long" if len(found) > most else ""


UNDO = {"gzip": _gzip, "x-gzip": _gzip, "deflate": _deflate, "br": _brotli, "zstd": _zstd}
