"""Content codings undone, within a limit. RFC 9110 §8.4.1; brotli: RFC 7932; zstd: RFC 8878."""

from __future__ import annotations

import zlib


def decoded(data: bytes, codings: str, most: int) -> tuple[bytes, str]:
    """A body without these content codings, listed in the order in which they were applied; and what is wrong ('': nothing).

    most: limit of the bytes that each coding may produce, so that a decompression bomb costs no more; beyond it the first `most` are
    returned with 'too long'. Of a broken or cut body what can be decoded is returned.
    """
    wrong = ""
    for coding in reversed([name.strip().lower() for name in codings.split(",")]):
        if coding in ("", "identity"):
            continue
        decoder = DECODERS.get(coding)
        if decoder is None:
            return data, f"unknown coding {coding}"
        data, fault = decoder(data, most)
        wrong = wrong or fault
    return data, wrong


def _zlib(data: bytes, most: int, bits: int) -> tuple[bytes, str]:
    output = b""
    while data and len(output) <= most:  # gzip: several members may follow each other, RFC 1952 §2.2
        decompressor = zlib.decompressobj(bits)
        try:
            output += decompressor.decompress(data, most + 1 - len(output))
        except zlib.error:
            return (output + _until_error(data, bits, most + 1 - len(output)))[:most], "broken"
        if not decompressor.eof:
            return output[:most], "too long" if len(output) > most else "cut"
        data = decompressor.unused_data
        if bits < 16 or not data.startswith(b"\x1f\x8b"):
            break
    return output[:most], "too long" if len(output) > most else ""


def _until_error(data: bytes, bits: int, most: int) -> bytes:
    """The output before the error."""
    decompressor, output = zlib.decompressobj(bits), b""
    try:
        for at in range(0, len(data), 1024):
            output += decompressor.decompress(data[at : at + 1024], max(most - len(output), 1))
            if len(output) >= most:
                break
    except zlib.error:
        pass
    return output


def _gzip(data: bytes, most: int) -> tuple[bytes, str]:
    return _zlib(data, most, 31)


def _deflate(data: bytes, most: int) -> tuple[bytes, str]:
    """With zlib's header, as the RFC requires, or without it, as many send it."""
    with_header = len(data) > 1 and data[0] & 15 == 8 and (data[0] << 8 | data[1]) % 31 == 0
    return _zlib(data, most, 15 if with_header else -15)


def _brotli(data: bytes, most: int) -> tuple[bytes, str]:
    import brotli

    decompressor, output = brotli.Decompressor(), b""
    try:
        output = decompressor.process(data, output_buffer_limit=most + 1)
        while len(output) <= most and not decompressor.is_finished():
            more = decompressor.process(b"", output_buffer_limit=most + 1 - len(output))
            if not more:
                return output, "cut"
            output += more
    except brotli.error:
        return output[:most], "broken"
    return output[:most], "too long" if len(output) > most else ""


def _zstd(data: bytes, most: int) -> tuple[bytes, str]:
    import zstandard

    output = b""
    try:
        with zstandard.ZstdDecompressor(max_window_size=1 << 23).stream_reader(data, read_across_frames=True) as reader:
            while len(output) <= most and (more := reader.read(min(1 << 16, most + 1 - len(output)))):
                output += more
    except zstandard.ZstdError:
        return output[:most], "broken"
    return output[:most], "too long" if len(output) > most else ""


DECODERS = {"gzip": _gzip, "x-gzip": _gzip, "deflate": _deflate, "br": _brotli, "zstd": _zstd}
