"""Domain names as options of DHCP hold them: labels in wire format, one name behind the other. RFC 1035 §3.1, RFC 9915 §10.

Compression pointers are refused: these options must not use them (but DHCPv4's search list, RFC 3397, which is told as bytes).
"""

from __future__ import annotations

import numpy as np

from ...fields import gather

LONGEST = 255  # bytes of a name
QUOTED = b".\\"


def spelled(label: bytes) -> str:
    """A label with dots, backslashes and bytes that do not print as RFC 4343 §2.1 writes them, like DNS's."""
    return "".join("\\" + chr(b) if b in QUOTED else chr(b) if 0x21 <= b <= 0x7E else f"\\{b:03d}" for b in label)


def names(data: bytes) -> list[str] | None:
    """The names in `data`, a dot behind each, but for a last one without its end (RFC 4704 §4.2). None: that is no names."""
    found: list[str] = []
    labels: list[str] = []
    at = begin = 0
    while at < len(data):
        size = data[at]
        at += 1
        if size == 0:
            found.append("".join(f"{label}." for label in labels) or ".")
            labels, begin = [], at
            continue
        if size > 63 or at + size > len(data) or at + size - begin > LONGEST:
            return None
        labels.append(spelled(data[at : at + size]))
        at += size
    return [*found, ".".join(labels)] if labels else found


def listed(buffer: np.ndarray, start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The names in each stretch of the buffer (int64) that is names.

    Returns the names (object, str), which stretch each is from (int64), and which stretches are none (bool).
    """
    said: list[str] = []
    owner: list[int] = []
    bad = np.zeros(len(start), bool)
    known: dict[bytes, list[str] | None] = {}
    for nth, (a, b) in enumerate(zip(start.tolist(), end.tolist(), strict=True)):
        data = gather(buffer, np.array([a]), b - a).tobytes()
        if data not in known:
            known[data] = names(data)
        found = known[data]
        if found is None:
            bad[nth] = True
            continue
        said += found
        owner += [nth] * len(found)
    return np.array(said, object), np.array(owner, np.int64), bad
