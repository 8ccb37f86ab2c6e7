"""ICMP's messages of a batch, with what they quote; what tables of questions and statements have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from ..dissect import Dissection
from ..fields import Headers
from ..protocols import icmp, icmpv6
from ..reassembly.streams import in_order, words
from ._ends import addresses

Address = tuple[int, int, bool]  # two words of 64 bits, and whether it is IPv6
NOBODY: Address = (0, 0, False)
VERSIONS = {"icmp": 4, "icmpv6": 6}
PORTED = {6: "tcp", 17: "udp"}
TYPES = {"icmp": icmp.TYPE, "icmpv6": icmpv6.TYPE}
ASKS = {"icmp": {8: "echo", 13: "timestamp", 15: "information", 17: "address mask", 42: "extended echo"}, "icmpv6": {128: "echo", 160: "extended echo"}}
ANSWERS = {"icmp": {0: 8, 14: 13, 16: 15, 18: 17, 43: 42}, "icmpv6": {129: 128, 161: 160}}
NUMBERS = {  # (identifier, sequence number), and those of extended echoes
    "icmp": (("icmp.ident", "icmp.seq"), ("icmp.ident", "icmp.ext.echo.seq")),
    "icmpv6": (("icmpv6.echo.identifier", "icmpv6.echo.sequence_number"), ("icmpv6.echo.identifier", "icmpv6.ext.echo.seq")),
}
EXTENDED = (42, 43, 160, 161)
NEEDS = frozenset({"tcp.stream", "udp.stream", "icmp.type", "icmpv6.type"})
CODES = {  # (type, code): what an error says beyond its type; RFC 792, RFC 1122 §3.2.2.1, RFC 1812 §5.2.7.1; RFC 4443 §3
    "icmp": {
        (3, 0): "network unreachable",
        (3, 1): "host unreachable",
        (3, 2): "protocol unreachable",
        (3, 3): "port unreachable",
        (3, 4): "fragmentation needed",
        (3, 5): "source route failed",
        (3, 6): "network unknown",
        (3, 7): "host unknown",
        (3, 8): "source host isolated",
        (3, 9): "network prohibited",
        (3, 10): "host prohibited",
        (3, 11): "network unreachable for this type of service",
        (3, 12): "host unreachable for this type of service",
        (3, 13): "administratively prohibited",
        (3, 14): "host precedence violation",
        (3, 15): "precedence cutoff",
        (5, 0): "redirect for the network",
        (5, 1): "redirect for the host",
        (5, 2): "redirect for the network and type of service",
        (5, 3): "redirect for the host and type of service",
        (11, 0): "time to live exceeded",
        (11, 1): "reassembly time exceeded",
    },
    "icmpv6": {
        (1, 0): "no route",
        (1, 1): "administratively prohibited",
        (1, 2): "beyond the scope of the source",
        (1, 3): "address unreachable",
        (1, 4): "port unreachable",
        (1, 5): "source address failed policy",
        (1, 6): "route rejected",
        (1, 7): "error in the source route",
        (3, 0): "hop limit exceeded",
        (3, 1): "reassembly time exceeded",
    },
}


def meaning(protocol: str, kind: int, code: int) -> str:
    """'port unreachable': a message in words."""
    return CODES[protocol].get((kind, code)) or f"{TYPES[protocol].get(kind, f'type {kind}')}{f', code {code}' if code else ''}"
