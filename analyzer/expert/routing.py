"""What routers tell each other: that a path, a router or a packet is not as it should be."""

from ..protocols.bfd import DOWN
from ..protocols.common.checksums import BAD
from . import rule


@rule("error", "checksum", "wrong checksum in a packet of router {ospf.srcrouter}", subject="ospf")
def ospf_checksum(h):
    """A receiver drops it (RFC 2328 §8.2). Damaged on the way or by the sender; a digest has no checksum and is not judged here."""
    return h["ospf.checksum.status"] == BAD


@rule("error", "checksum", "wrong checksum in an advertisement of virtual router {vrrp.virt_rtr_id}", subject="vrrp")
def vrrp_checksum(h):
    """A receiver drops it (RFC 9568 §7.1), so a backup may take over though the master lives.

    Some senders of version 3 over IPv4 leave the pseudo-header out; then all their advertisements are wrong.
    """
    return (h["vrrp.checksum.status"] == BAD) & h.whole & ((h["vrrp.version"] == 2) | (h["vrrp.version"] == 3))


@rule("note", "sequence", "the master of virtual router {vrrp.virt_rtr_id} gives up", subject="vrrp")
def vrrp_gives_up(h):
    """Priority 0: the master stops, and a backup takes over at once instead of waiting (RFC 9568 §5.2.4). An orderly shutdown."""
    return (h["vrrp.prio"] == 0) & h.whole & ~h.quoted


@rule("note", "sequence", "{hsrp.opcode:words} in group {hsrp.group}", subject="hsrp")
def hsrp_takeover(h):
    """A router takes the group's address over (coup) or lets go of it (resign): RFC 2281 §5. Hosts' traffic moves to another router."""
    return ((h["hsrp.opcode"] == 1) | (h["hsrp.opcode"] == 2)) & ~h.quoted


@rule("note", "sequence", "the session is down: {bfd.diag:words}", subject="bfd")
def bfd_down(h):
    """The sender says that the path to its peer does not work, and why (RFC 5880 §4.1). A session that begins has no reason yet."""
    return (h["bfd.version"] > 0) & (h["bfd.sta"] == DOWN) & (h["bfd.diag"] > 0) & h.whole & ~h.quoted


@rule("note", "security", "a password in clear text", subject="rip")
def rip_password(h):
    """Who can read this can announce routes (RFC 2453 §5.2). Keyed digests (RFC 4822) do not show their key."""
    return h["rip.auth.type"] == 2
