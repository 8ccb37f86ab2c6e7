"""Internet Protocol headers that say what they should not. RFC 791, RFC 1122, RFC 8200."""

from . import rule


@rule("warn", "protocol", "{ip.src} sent a datagram with time to live 0")
def ttl_zero(h):
    """A datagram with time to live 0 must not be sent (RFC 1122 §3.2.1.7): a broken sender, or a router that forgot to drop it."""
    return (h["ip.ttl"] == 0) & h.whole & ~h.quoted


@rule("warn", "protocol", "the reserved flag is set")
def reserved_flag(h):
    """The first bit of the flags must be zero (RFC 791 §3.1). Scanners and crafted packets set it."""
    return h["ip.flags.rb"]


@rule("chat", "protocol", "total length 0: the network card cuts this segment later; the captured length is used")
def offloaded_length(h):
    """The sender's capture shows a segment before the card cut it up (TCP segmentation offload), so its length field is not filled yet."""
    return (h["ip.len_raw"] == 0) & h.whole


def _piece(h):
    return ((h["ip.frag_offset"] > 0) | h["ip.flags.mf"]) & h.whole & ~h.quoted


@rule("warn", "reassembly", "pieces of this datagram contradict each other")
def contradiction(h):
    """Pieces of this datagram bring other bytes for the same place, or say different ends. Networks do not do this: it is how an
    attacker shows one datagram to the guard and another to the host (RFC 1858, RFC 3128), or two datagrams share a number. Which
    bytes count differs between systems; `--overlap` chooses. `analyze table fragments` shows every piece."""
    return h["ip.fragment.overlap.conflict"] | h["ip.fragment.multipletails"] | h["ip.fragment.toolongfragment"]


@rule("note", "reassembly", "pieces of this datagram overlap, with the same bytes")
def overlap(h):
    """A piece came again, or two share bytes: a copy made by the network, or a datagram sent twice that was cut differently."""
    return h["ip.fragment.overlap"] & ~contradiction.test(h)


@rule("note", "reassembly", "a piece of a datagram that says: don't fragment")
def fragment_with_df(h):
    """Routers must not cut such a datagram (RFC 791 §2.3), so its sender did. Linux does for datagrams beyond its path MTU."""
    return _piece(h) & h["ip.flags.df"]


@rule("warn", "reassembly", "a piece of {ip.len} bytes that is not the last: no network has an MTU that small")
def tiny_fragment(h):
    """IPv4 networks carry 68 bytes at least (RFC 791 §3.2). A smaller piece that is not the last one is made to hide the header
    that follows from guards that look at first pieces alone (RFC 1858 §3)."""
    return _piece(h) & h["ip.flags.mf"] & (h["ip.len"] < 68)


@rule("error", "reassembly", "a piece that is not the last has {ip.len} bytes: its data do not end at a multiple of eight")
def ragged_fragment(h):
    """Places are counted in units of eight bytes (RFC 791 §3.1), so another piece can't begin where this one ends."""
    return _piece(h) & h["ip.flags.mf"] & ((h["ip.len"] - h["ip.hdr_len"]) % 8 > 0)
