"""What the rules of `connection` read: the facts of many TCP connections as columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..tcp._facts import CONNECTION_FACTS, END_FACTS
from ._wording import endpoint


class Columns:
    """int64 columns (n,) by name, as attributes. After `use_lists` they are lists, whose single numbers Python reads fastest."""

    def __init__(self, columns: Mapping[str, np.ndarray]) -> None:
        self._columns = columns
        self._lists = False

    def use_lists(self) -> None:
        for name in self._columns:
            self.__dict__.pop(name, None)
        self._lists = True

    def __getattr__(self, name: str) -> np.ndarray:
        if name.startswith("_") or name not in self._columns:
            raise AttributeError(name)
        column: np.ndarray = self._columns[name].tolist() if self._lists else self._columns[name]  # both are indexed alike
        self.__dict__[name] = column
        return column


class EndFacts(Columns):
    """The same end of each connection: facts of `tcp._facts.END_FACTS` and figures by name, int64 (n,), and its addresses and ports.
    other: the peers."""

    other: EndFacts

    def __init__(self, facts: np.ndarray, figures: Mapping[str, np.ndarray], addresses: Sequence[str], ports: Sequence[int]) -> None:
        super().__init__({**figures, **dict(zip(END_FACTS, facts.T, strict=True))})
        self.addresses, self.ports = addresses, ports

    def name(self, i: int) -> str:
        """Its address and port."""
        return endpoint(self.addresses[i], self.ports[i])


class Connections(Columns):
    """Many connections: facts of `tcp._facts.CONNECTION_FACTS` by name, int64 (n,), and both ends.

    facts: int64 (n, len(CONNECTION_FACTS)). client, server: their ends. duration: ns, (n,). reporters: senders of the first ICMP error.
    end: when the capture ended, ns.
    """

    def __init__(
        self, facts: np.ndarray, client: EndFacts, server: EndFacts, duration: np.ndarray, reporters: Sequence[str], end: int
    ) -> None:
        super().__init__({**dict(zip(CONNECTION_FACTS, facts.T, strict=True)), "duration": duration})
        self.client, self.server = client, server
        client.other, server.other = server, client
        self.ends = (client, server)
        self.reporters, self.end = reporters, end

    def __len__(self) -> int:
        return len(self._columns["stream"])

    def use_lists(self) -> None:
        super().use_lists()
        for columns in self.ends:
            columns.use_lists()
