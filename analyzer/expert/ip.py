"""Internet Protocol headers that say what they should not. RFC 791, RFC 1122, RFC 8200."""

from . import finding


@finding("ip", "warn", "protocol", "{ip.src} sent a datagram with time to live 0")
def ttl_zero(h):
    """A datagram with time to live 0 must not be sent (RFC 1122 §3.2.1.7): a broken sender, or a router that forgot to drop it."""
    return (h["ip.ttl"] == 0) & h.whole & ~h.quoted


@finding("ip", "warn", "protocol", "the reserved flag is set")
def reserved_flag(h):
    """The first bit of the flags must be zero (RFC 791 §3.1). Scanners and crafted packets set it."""
    return h["ip.flags.rb"]


@finding("ip", "chat", "protocol", "total length 0: the network card cuts this segment later; the captured length is used")
def offloaded_length(h):
    """The sender's capture shows a segment before the card cut it up (TCP segmentation offload), so its length field is not filled yet."""
    return (h["ip.len_raw"] == 0) & h.whole
