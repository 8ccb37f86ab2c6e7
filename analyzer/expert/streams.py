"""Servers that took no connection at all, from the table streams: one reason for many verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import Matches, rule
from ._wording import count, endpoint, frames

if TYPE_CHECKING:
    import polars as pl

UNOPENED = ("no answer to the SYN", "refused", "refused by ICMP", "listen queue overflowed")  # kinds of verdicts
ENOUGH_CONNECTIONS = 3  # to a server, all of which failed, are one problem


@rule("error", "server took no connection")
def absent(t: pl.DataFrame) -> Matches:
    """Three or more connections to one address and port, and none opened, while each has its own verdict: what uses them depends on this
    one server. Whether others were reached tells if it is the server, or the path of the client."""

    def sentence(row: dict[str, Any]) -> str:
        who = row["client"] if row["clients"] == 1 else count(row["clients"], "client")
        others = f"; {count(row['elsewhere'], 'connection')} to other servers opened" if row["elsewhere"] else ""
        where = frames(row["first_frame"], row["last_frame"])
        server = endpoint(row["server"], row["server_port"])
        return f"{server} took none of {count(row['asked'], 'connection')} of {who} ({', '.join(row['kinds'])}; {where}){others}."

    yield (t["failed"] == t["asked"]) & (t["asked"] >= ENOUGH_CONNECTIONS), sentence
