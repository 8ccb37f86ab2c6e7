"""Session Description Protocol. RFC 8866."""

from __future__ import annotations

import ipaddress
from typing import NamedTuple

import numpy as np

from ..fields import Column, Field, Headers, Protocol, text, u16
from .common.commands import number_column, text_column, utf8
from .rtp import TYPES

MOST = 1 << 16  # bytes that are read
WHOLE = {"v": "version", "o": "owner", "s": "session_name", "i": "session_info", "u": "uri", "e": "email", "p": "phone",
         "c": "connection_info", "b": "bandwidth", "t": "time", "m": "media"}  # fmt: skip
PARTS = {  # words of a line that have a name
    "o": ("owner.username", "owner.sessionid", "owner.version", "owner.network_type", "owner.address_type", "owner.address"),
    "c": ("connection_info.network_type", "connection_info.address_type", "connection_info.address"),
    "t": ("time.start", "time.stop"),
    "m": ("media.media", "media.port", "media.proto"),
}
FORMAT = 3  # which word of a medium its formats begin with
DYNAMIC = range(96, 128)  # RFC 3551 §3


class Medium(NamedTuple):
    """A medium that is offered: address (None: unknown) and ports as numbers, 0 refuses it; proto: as RTP/AVP; rates: type → clock."""

    row: int
    address: int | None
    port: int
    control: int
    proto: str
    rates: dict[int, int]


def _lines(h: Headers) -> list[list[tuple[str, str]]]:
    """(letter, value) of each line of each header; what is no line is left out."""
    found = []
    for start, end in zip(h.start.tolist(), np.minimum(h.end, h.wire).tolist()):
        whole = utf8(h.buffer[start : min(end, start + MOST)].tobytes())
        split = (line.rstrip("\r").partition("=") for line in whole.split("\n"))
        found.append([(letter, value) for letter, equal, value in split if equal and len(letter) == 1])
    return found


def media(h: Headers) -> list[Medium]:
    """The media of each header in order, RFC 8866 §5.14; addresses: §5.7, a medium's own before the session's; RTCP's port: RFC 3605."""
    found: list[Medium] = []
    for row, lines in enumerate(h.memo(_lines)):
        session: int | None = None
        first = len(found)
        for letter, value in lines:
            words = value.split()
            if letter == "c" and len(words) > 2:
                try:
                    address = int(ipaddress.ip_address(words[2].partition("/")[0]))
                except ValueError:
                    continue
                if len(found) == first:
                    session = address
                else:
                    found[-1] = found[-1]._replace(address=address)
            elif letter == "m" and len(words) > FORMAT:
                digits = words[1].partition("/")[0]
                port = int(digits) if digits.isdigit() and len(digits) < 6 else 0
                port = port if port < 1 << 16 else 0
                found.append(Medium(row, session, port, port + 1 if port else 0, words[2], {}))
            elif letter == "a" and len(found) > first:
                field, _, rest = value.partition(":")
                words = rest.split()
                if field == "rtcp" and words and words[0].isdigit() and len(words[0]) < 6:
                    found[-1] = found[-1]._replace(control=int(words[0]))
                elif field == "rtcp-mux":
                    found[-1] = found[-1]._replace(control=found[-1].port)
                elif field == "rtpmap" and len(words) > 1 and words[0].isdigit() and len(words[0]) < 4:
                    rate = words[1].split("/")
                    if len(rate) > 1 and rate[1].isdigit() and len(rate[1]) < 8:
                        found[-1].rates[int(words[0])] = int(rate[1])
    return found


def _read(h: Headers) -> dict[str, Column]:
    names: dict[str, list] = {f.name: [] for f in FIELDS}
    for row, lines in enumerate(h.memo(_lines)):
        inside = False
        for letter, value in lines:
            inside |= letter == "m"
            if letter in WHOLE:
                names[f"sdp.{WHOLE[letter]}"].append((row, value))
            words = value.split()
            for name, word in zip(PARTS.get(letter, ()), words):
                if name == "media.port":
                    digits = word.partition("/")[0]
                    if digits.isdigit() and len(digits) < 6 and int(digits) < 1 << 16:
                        names["sdp.media.port"].append((row, int(digits)))
                else:
                    names[f"sdp.{name}"].append((row, word))
            if letter == "m":
                names["sdp.media.format"] += [(row, _format(words[2], one)) for one in words[FORMAT:]]
            elif letter == "b":
                for name, word in zip(("modifier", "value"), value.split(":", 1)):
                    names[f"sdp.bandwidth.{name}"].append((row, word))
            elif letter == "a":
                field, colon, rest = value.partition(":")
                kind = "media_attr" if inside else "session_attr"
                names[f"sdp.{kind}"].append((row, value))
                names[f"sdp.{'media_attribute' if inside else kind}.field"].append((row, field))
                if colon and field != "rtpmap" and field != "fmtp":
                    names[f"sdp.{'media_attribute' if inside else kind}.value"].append((row, rest))
                if field == "rtpmap" and len(words) > 1:
                    codec, _, rate = words[1].partition("/")
                    names["sdp.mime.type"].append((row, codec))
                    names["sdp.sample_rate"].append((row, rate.partition("/")[0]))
    return {f.name: text_column(names[f.name]) if f.kind is text else number_column(names[f.name], f.kind.dtype) for f in FIELDS}


def _format(proto: str, one: str) -> str:
    """A payload type by its name, where it is one."""
    if not proto.startswith("RTP/") or not one.isdigit() or len(one) > 3:
        return one
    return f"DynamicRTP-Type-{one}" if int(one) in DYNAMIC else TYPES.get(int(one), one)


FIELDS = (
    Field("sdp.version", text, "Version"),
    Field("sdp.owner", text, "Origin"),
    Field("sdp.owner.username", text, "User"),
    Field("sdp.owner.sessionid", text, "Session"),
    Field("sdp.owner.version", text, "Session's version"),
    Field("sdp.owner.network_type", text, "Origin's network"),
    Field("sdp.owner.address_type", text, "Origin's kind of address"),
    Field("sdp.owner.address", text, "Origin's address"),
    Field("sdp.session_name", text, "Session name"),
    Field("sdp.session_info", text, "Information", many=True),
    Field("sdp.uri", text, "URI"),
    Field("sdp.email", text, "Mail", many=True),
    Field("sdp.phone", text, "Phone", many=True),
    Field("sdp.connection_info", text, "Connection", many=True),
    Field("sdp.connection_info.network_type", text, "Connection's network", many=True),
    Field("sdp.connection_info.address_type", text, "Connection's kind of address", many=True),
    Field("sdp.connection_info.address", text, "Connection's address", many=True),
    Field("sdp.bandwidth", text, "Bandwidth", many=True),
    Field("sdp.bandwidth.modifier", text, "Kind of bandwidth", many=True),
    Field("sdp.bandwidth.value", text, "Bandwidth's value", "kbit/s", many=True),
    Field("sdp.time", text, "Times", many=True),
    Field("sdp.time.start", text, "Begin", many=True),
    Field("sdp.time.stop", text, "End", many=True),
    Field("sdp.session_attr", text, "Attribute of the session", many=True),
    Field("sdp.session_attr.field", text, "Name of the attribute", many=True),
    Field("sdp.session_attr.value", text, "Value of the attribute", many=True),
    Field("sdp.media", text, "Medium", many=True),
    Field("sdp.media.media", text, "Kind of medium", many=True),
    Field("sdp.media.port", u16, "Port", "0: refused", many=True),
    Field("sdp.media.proto", text, "Protocol", many=True),
    Field("sdp.media.format", text, "Format", many=True),
    Field("sdp.media_attr", text, "Attribute of a medium", many=True),
    Field("sdp.media_attribute.field", text, "Name of the attribute", many=True),
    Field("sdp.media_attribute.value", text, "Value of the attribute", many=True),
    Field("sdp.mime.type", text, "Codec", many=True),
    Field("sdp.sample_rate", text, "Clock", "per second", many=True),
)


PROTOCOL = Protocol("sdp", "SDP", __doc__, on={"sip.content": 1}, info="[{sdp.media}]", derived=((FIELDS, _read),))
