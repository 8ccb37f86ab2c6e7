"""What switches and other neighbors tell each other: that the tree, a bundle or a neighbor changes."""

import numpy as np

from ..protocols.common.checksums import BAD
from ..protocols.stp import TOPOLOGY_CHANGE
from . import rule


@rule("note", "sequence", "the topology changes, says {stp.bridge.hw}", subject="stp")
def topology_change(h):
    """A port came up or went down: bridges forget addresses and flood for a while (802.1D §8.3.5, 802.1Q §13.17).

    Once after a cable is moved. Again and again: a port that flaps, often an end station's that is no edge port.
    """
    values, rows = h.column("stp.flags.tc")
    found = np.zeros(len(h), bool)
    found[rows[values]] = True
    return found & ~h.quoted


@rule("note", "sequence", "a bridge reports a change of the topology towards the root", subject="stp")
def topology_notification(h):
    """A bridge tells the one nearer to the root that a port came up or went down (802.1D §9.3.2). See topology_change."""
    return (h["stp.type"] == TOPOLOGY_CHANGE) & (h["stp.protocol"] == 0) & ~h.quoted


@rule("warn", "protocol", "the message is {stp.msg_age} s old, more than {stp.max_age} s: it counts no more", subject="stp")
def too_old(h):
    """The root is too many bridges away, or information goes round in a circle until it dies (802.1D §8.5.1)."""
    return (h["stp.max_age"] > 0) & (h["stp.msg_age"] >= h["stp.max_age"]) & ~h.quoted


@rule("error", "checksum", "wrong checksum", subject="cdp")
def cdp_checksum(h):
    """A receiver drops it, and forgets its neighbor when the time to live is over. Damaged, or made by a tool that adds it up otherwise."""
    return h["cdp.checksum.status"] == BAD


@rule("note", "sequence", "{cdp.deviceid} leaves", subject="cdp")
def cdp_leaves(h):
    """Time to live 0: the neighbor is to be forgotten at once, as before a shutdown of the port."""
    return (h["cdp.ttl"] == 0) & h.whole & ~h.quoted


@rule("note", "sequence", "the neighbor leaves", subject="lldp")
def lldp_leaves(h):
    """Time to live 0: the neighbor is to be forgotten at once, as before a shutdown of the port (802.1AB §9.1.2.2)."""
    values, rows = h.column("lldp.time_to_live")
    found = np.zeros(len(h), bool)
    found[rows[values == 0]] = True
    return found & ~h.quoted


@rule("note", "sequence", "port {lacp.actor.port} of {lacp.actor.sysid} hears nothing of its partner", subject="lacp")
def lacp_alone(h):
    """The actor's information on its partner has expired, or is only what was configured: the other end does not speak LACP here.

    802.1AX §6.4.2.3. At both ends for a moment while a link comes up. For long: a bundle on one side only.
    """
    return (h["lacp.actor.state.expired"] | h["lacp.actor.state.defaulted"]) & ~h.quoted
