"""Session Description Protocol. RFC 8866."""

import ipaddress
from typing import NamedTuple

import numpy as np

from ..fields import Column, Field, Headers, Protocol, text, u16
from .common.commands import number_column, text_column, utf8
from .rtp import TYPES

LIMIT = 1 << 16  # bytes that are read
LINES = {"v": "version", "o": "owner", "s": "session_name", "i": "session_info", "u": "uri", "e": "email", "p": "phone",
         "c": "connection_info", "b": "bandwidth", "t": "time", "m": "media"}  # fmt: skip
WORDS = {  # names of the words of a line
    "o": ("owner.username", "owner.sessionid", "owner.version", "owner.network_type", "owner.address_type", "owner.address"),
    "c": ("connection_info.network_type", "connection_info.address_type", "connection_info.address"),
    "t": ("time.start", "time.stop"),
    "m": ("media.media", "media.port", "media.proto"),
}
FORMAT = 3  # index of the first format in the words of a media line
DYNAMIC = range(96, 128)  # RFC 3551 §3


class Medium(NamedTuple):
    """A media description: address (None: unknown) and ports as numbers, 0 refuses it; proto: as RTP/AVP; rates: type → clock."""

    row: int
    address: int | None
    port: int
    control: int
    proto: str
    rates: dict[int, int]


def _lines(h: Headers) -> list[list[tuple[str, str]]]:
    """(letter, value) of each line of each header; lines without `=` are left out."""
    headers = []
    for start, end in zip(h.start.tolist(), np.minimum(h.end, h.wire).tolist()):
        body = utf8(h.buffer[start : min(end, start + LIMIT)].tobytes())
        split = (line.rstrip("\r").partition("=") for line in body.split("\n"))
        headers.append([(letter, value) for letter, equal, value in split if equal and len(letter) == 1])
    return headers


def media(h: Headers) -> list[Medium]:
    """The media of each header in order, RFC 8866 §5.14; addresses: §5.7, a medium's own before the session's; RTCP's port: RFC 3605."""
    result: list[Medium] = []
    for row, lines in enumerate(h.memo(_lines)):
        session: int | None = None
        first = len(result)
        for letter, value in lines:
            words = value.split()
            if letter == "c" and len(words) > 2:
                try:
                    address = int(ipaddress.ip_address(words[2].partition("/")[0]))
                except ValueError:
                    continue
                if len(result) == first:
                    session = address
                else:
                    result[-1] = result[-1]._replace(address=address)
            elif letter == "m" and len(words) > FORMAT:
                digits = words[1].partition("/")[0]
                port = int(digits) if digits.isdigit() and len(digits) < 6 else 0
                port = port if port < 1 << 16 else 0
                result.append(Medium(row, session, port, port + 1 if port else 0, words[2], {}))
            elif letter == "a" and len(result) > first:
                field, _, rest = value.partition(":")
                words = rest.split()
                if field == "rtcp" and words and words[0].isdigit() and len(words[0]) < 6:
                    result[-1] = result[-1]._replace(control=int(words[0]))
                elif field == "rtcp-mux":
                    result[-1] = result[-1]._replace(control=result[-1].port)
                elif field == "rtpmap" and len(words) > 1 and words[0].isdigit() and len(words[0]) < 4:
                    rate = words[1].split("/")
                    if len(rate) > 1 and rate[1].isdigit() and len(rate[1]) < 8:
                        result[-1].rates[int(words[0])] = int(rate[1])
    return result


def _read(h: Headers) -> dict[str, Column]:
    columns: dict[str, list] = {f.name: [] for f in FIELDS}
    for row, lines in enumerate(h.memo(_lines)):
        in_media = False
        for letter, value in lines:
            in_media |= letter == "m"
            if letter in LINES:
                columns[f"sdp.{LINES[letter]}"].append((row, value))
            words = value.split()
            for name, word in zip(WORDS.get(letter, ()), words):
                if name == "media.port":
                    digits = word.partition("/")[0]
                    if digits.isdigit() and len(digits) < 6 and int(digits) < 1 << 16:
                        columns["sdp.media.port"].append((row, int(digits)))
                else:
                    columns[f"sdp.{name}"].append((row, word))
            if letter == "m":
                columns["sdp.media.format"] += [(row, _format(words[2], word)) for word in words[FORMAT:]]
            elif letter == "b":
                for name, word in zip(("modifier", "value"), value.split(":", 1)):
                    columns[f"sdp.bandwidth.{name}"].append((row, word))
            elif letter == "a":
                field, colon, attribute = value.partition(":")
                kind = "media_attr" if in_media else "session_attr"
                columns[f"sdp.{kind}"].append((row, value))
                columns[f"sdp.{'media_attribute' if in_media else kind}.field"].append((row, field))
                if colon and field != "rtpmap" and field != "fmtp":
                    columns[f"sdp.{'media_attribute' if in_media else kind}.value"].append((row, attribute))
                if field == "rtpmap" and len(words) > 1:
                    codec, _, rate = words[1].partition("/")
                    columns["sdp.mime.type"].append((row, codec))
                    columns["sdp.sample_rate"].append((row, rate.partition("/")[0]))
    return {f.name: text_column(columns[f.name]) if f.kind is text else number_column(columns[f.name], f.kind.dtype) for f in FIELDS}


def _format(proto: str, name: str) -> str:
    """The name of a payload type of RTP; other formats as they are."""
    if not proto.startswith("RTP/") or not name.isdigit() or len(name) > 3:
        return name
    return f"DynamicRTP-Type-{name}" if int(name) in DYNAMIC else TYPES.get(int(name), name)


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

PROTOCOL = Protocol("SDP", on={"sip.content": 1}, info="[{sdp.media}]", derived=((FIELDS, _read),))
