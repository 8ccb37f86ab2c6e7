"""Calls that sound bad. RFC 3550 §6.4."""

import numpy as np

from . import rule

AUDIBLE_LOSS = 13  # of 256: 5 %, from which on most codecs sound worse


@rule("note", "sequence", "the receiver lost a part of the packets: {rtcp.ssrc.fraction} of 256")
def loss(h):
    """A receiver says that since its report before a twentieth of the packets or more did not come (RFC 3550 §6.4.1). It speaks of the
    whole path; table `rtp_streams` says what was lost before the recorder."""
    found = np.zeros(len(h), bool)
    values, rows = h.column("rtcp.ssrc.fraction")
    found[rows[values >= AUDIBLE_LOSS]] = True
    return found & ~h.quoted
