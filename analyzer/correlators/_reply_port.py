# mypy: ignore-errors
"""Conversations whose server answers from another port than was asked: a loop, since each row depends on those before it.

Compiled by Cython when the package is built; runs interpreted too. Keys live in a dict, whose hash CPython seeds anew for each
process.
"""

import cython


@cython.final
@cython.cclass
class Conversations:
    """Client and server's address → protocol, frame of the request, and the server's port once it is known (-1: not yet)."""

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
        """How many were forgotten to bound memory."""
        return self.lost

    def feed(
        self,
        sent: list,
        received: list,
        inputs: cython.const[cython.longlong][:, ::1],
        outputs: cython.longlong[:, ::1],
    ):
        """Take datagrams in the order of their frames.

        sent, received: keys (bytes) of each as a client's and as a server's. inputs: rows of source port, destination port, protocol
        that it opens (-1: none), frame, whether an ICMP error quotes it. outputs: rows of protocol (-1: none) and frame of the request.
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
                found = known.get(key)
                if found is None:
                    continue
                port = inputs[side, i]
                if found[2] < 0 and inputs[4, i] == 0:
                    found[2] = port
                if found[2] < 0 or found[2] == port:
                    outputs[0, i] = found[0]
                    outputs[1, i] = found[1]
                    break
