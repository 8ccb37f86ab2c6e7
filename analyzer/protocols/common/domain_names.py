"""Domain names in options of DHCP: labels in wire format, names back to back. RFC 1035 §3.1, RFC 9915 §10.

Compression pointers are refused: these options must not use them (except DHCPv4's search list, RFC 3397, which is shown as bytes).
"""

from __future__ import annotations

import numpy as np

from ...fields import gather

LONGEST = 255  # bytes of a name
ESCAPED = b".\\"


def _escaped(label: bytes) -> str:
    """A label with dots, backslashes and unprintable bytes escaped as in RFC 4343 §2.1."""
    return "".join("\\" + chr(b) if b in ESCAPED else chr(b) if 0x21 <= b <= 0x7E else f"\\{b:03d}" for b in label)


def names(data: bytes) -> list[str] | None:
    """The names in `data`, each with a final dot unless its root label is missing (RFC 4704 §4.2). None: these are no names."""
    result: list[str] = []
    labels: list[str] = []
    at = begin = 0
    while at < len(data):
        size = data[at]
        at += 1
        if size == 0:
            result.append("".join(f"{label}." for label in labels) or ".")
            labels, begin = [], at
            continue
        if size > 63 or at + size > len(data) or at + size - begin > LONGEST:
            return None
        labels.append(_escaped(data[at : at + size]))
        at += size
    return [*result, ".".join(labels)] if labels else result


def read_names(buffer: np.ndarray, start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The names in ranges of the buffer (int64).

    Returns the names (object, str), the range of each (int64), and which ranges are not names (bool).
    """
    result: list[str] = []
    owner: list[int] = []
    bad = np.zeros(len(start), bool)
    known: dict[bytes, list[str] | None] = {}
    for nth, (a, b) in enumerate(zip(start.tolist(), end.tolist(), strict=True)):
        data = gather(buffer, np.array([a]), b - a).tobytes()
        if data not in known:
            known[data] = names(data)
        own = known[data]
        if own is None:
            bad[nth] = True
            continue
        result += own
        owner += [nth] * len(own)
    return np.array(result, object), np.array(owner, np.int64), bad
