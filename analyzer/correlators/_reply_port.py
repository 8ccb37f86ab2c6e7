# mypy: ignore-errors
"""Conversations whose server answers from another port: a loop, since each row depends on earlier ones.

Compiled by Cython when the package is built; runs interpreted too. Keys are in a dict, whose hash CPython seeds for each process.
"""

import cython


@cython.final
@cython.cclass
class Conversations:
    """(client, server's address) → [protocol, frame of the request, the server's port, -1 until its first datagram]."""

    known: dict
    most: cython.longlong
    lost: cython.longlong

    def __init__(self, most: cython.longlong):
        self.known = {}
        self.most = most
        self.lost = 0

    def __len__(self):
        return len(self.known)

    def forgotten(self):
        """The number of conversations forgotten to bound memory."""
        return self.lost

    def feed(self, sent: list, received: list, inputs: cython.const[cython.longlong][:, ::1], outputs: cython.longlong[:, ::1]):
        """Take datagrams in the order of their frames.

        sent, received: key (bytes) of each if the client sent it, and if the server did. inputs: rows of source port, destination port,
        protocol that it opens (-1: none), frame, whether an ICMP error quotes it. outputs: protocol (-1: none), frame of the request.
        """
        i: cython.longlong
        port: cython.longlong
        known = self.known
        for i in range(len(sent)):
            outputs[0, i] = -1
            outputs[1, i] = 0
            if inputs[2, i] >= 0:
                if inputs[4, i] == 0:
                    if known.pop(sent[i], None) is None and len(known) >= self.most:
                        del known[next(iter(known))]
                        self.lost += 1
                    known[sent[i]] = [inputs[2, i], inputs[3, i], -1]
                continue
            for key, side in ((received[i], 0), (sent[i], 1)):
                conversation = known.get(key)
                if conversation is None:
                    continue
                port = inputs[side, i]
                if conversation[2] < 0 and inputs[4, i] == 0:
                    conversation[2] = port
                if conversation[2] < 0 or conversation[2] == port:
                    outputs[0, i] = conversation[0]
                    outputs[1, i] = conversation[1]
                    break
