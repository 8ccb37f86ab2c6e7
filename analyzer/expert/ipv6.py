"""Internet Protocol version 6: pieces of packets that should not be. RFC 8200 §4.5."""

from . import rule


@rule("warn", "reassembly", "pieces of this packet contradict each other", subject="ipv6.fraghdr")
def contradiction(h):
    """Pieces of this packet bring other bytes for the same place, or say different ends: an attempt to show guard and host different
    packets. Every host must drop it whole (RFC 8200 §4.5), so what is decoded here is what nobody should have accepted."""
    return h["ipv6.fragment.overlap.conflict"] | h["ipv6.fragment.multipletails"] | h["ipv6.fragment.toolongfragment"]


@rule("warn", "reassembly", "pieces of this packet overlap", subject="ipv6.fraghdr")
def overlap(h):
    """Overlapping pieces make a host drop the whole packet (RFC 8200 §4.5); a piece that came twice, equal, may be ignored alone."""
    return h["ipv6.fragment.overlap"] & ~contradiction.test(h)


@rule("error", "reassembly", "a piece that is not the last, and does not end at a multiple of eight bytes", subject="ipv6.fraghdr")
def ragged_fragment(h):
    """Its receiver must drop it and tell the sender by ICMPv6, parameter problem (RFC 8200 §4.5)."""
    return h["ipv6.fraghdr.more"] & h.whole & ~h.quoted & ((h.wire - h.start) % 8 > 0)
