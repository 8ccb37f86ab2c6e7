"""TCP segments that deserve a look by themselves, or by the segments before them (`tcp.judged.*`). RFC 9293."""

from ..protocols.tcp import GREATEST_SHIFT
from . import rule


@rule("warn", "protocol", "SYN and FIN in one segment, {tcp.srcport} → {tcp.dstport}")
def syn_with_fin(h):
    """Opens and closes at once. No stack sends it (RFC 9293 §3.10.7); scanners do, and firewalls that look for SYN alone miss it."""
    return h["tcp.flags.syn"] & h["tcp.flags.fin"]


@rule("warn", "protocol", "no flag set, {tcp.srcport} → {tcp.dstport}")
def no_flags(h):
    """Every segment but the first carries ACK (RFC 9293 §3.1), the first SYN. None at all is a null scan or damage."""
    return (h["tcp.flags"] == 0) & h.whole & ~h.quoted


@rule("warn", "sequence", "reset, {tcp.srcport} → {tcp.dstport}")
def reset(h):
    """The connection ends at once: nobody listens there, a program gave up with data unread, or something in between cut it.

    As Wireshark's tcp.connection.rst.
    """
    return h["tcp.flags.reset"] & ~h.quoted


@rule("warn", "protocol", "window scale {tcp.options.wscale.shift}, more than the 14 that are allowed; 14 counts")
def scale_too_large(h):
    """RFC 7323 §2.3: a shift above 14 is to be taken as 14 and reported."""
    return h["tcp.options.wscale.shift"] > GREATEST_SHIFT


@rule("warn", "protocol", "christmas tree: {tcp.flags.words}, {tcp.srcport} → {tcp.dstport}")
def christmas_tree(h):
    """FIN, PSH and URG without ACK, or SYN, FIN, RST and PSH together: a scan, no connection. As Zeek's TCP_christmas."""
    urgent = h["tcp.flags.fin"] & h["tcp.flags.push"] & h["tcp.flags.urg"] & ~h["tcp.flags.ack"]
    return (urgent | (h["tcp.flags.syn"] & h["tcp.flags.fin"] & h["tcp.flags.reset"] & h["tcp.flags.push"])) & ~h.quoted


@rule("note", "protocol", "data in a SYN, {tcp.len} bytes")
def syn_with_data(h):
    """Fast Open sends data with the SYN (RFC 7413); without its option the server keeps or drops it. As Zeek's SYN_with_data."""
    return h["tcp.flags.syn"] & (h["tcp.len"] > 0)


@rule("note", "protocol", "data in a RST, {tcp.len} bytes")
def reset_with_data(h):
    """Allowed, to say why (RFC 9293 §3.5.2), and rare: some middleboxes do it. As Zeek's RST_with_data."""
    return h["tcp.flags.reset"] & (h["tcp.len"] > 0)


@rule("note", "protocol", "urgent pointer {tcp.urgent_pointer} without URG")
def urgent_pointer_without_flag(h):
    """The pointer means nothing without URG (RFC 9293 §3.1); its bytes may carry something hidden. As Wireshark's."""
    return (h["tcp.urgent_pointer"] != 0) & ~h["tcp.flags.urg"] & ~h.quoted


@rule("note", "protocol", "acknowledgment number {tcp.ack_raw} without ACK")
def acknowledgment_without_flag(h):
    """The number means nothing without ACK (RFC 9293 §3.1); some stacks leave an old one in their SYN or RST. As Wireshark's."""
    return (h["tcp.ack_raw"] != 0) & ~h["tcp.flags.ack"] & h.whole & ~h.quoted


# ---------------------------------------------------------------- judged by the segments before


@rule("warn", "sequence", "acknowledges {tcp.judged.missed} bytes that no frame holds")
def not_captured(h):
    """The receiver has bytes that the capture lacks: the recorder lost them, or sees one direction of two. Not lost on the network.

    Wireshark's tcp.analysis.ack_lost_segment. No segment is called "previous segment not captured" here: whether one is late, lost
    before the capture or not captured is known only when its bytes come, or are acknowledged.
    """
    return h["tcp.judged.missed"] > 0


@rule("note", "sequence", "begins with {tcp.flags.words}, which answers or ends something, {tcp.srcport} → {tcp.dstport}")
def unasked(h):
    """The first segment of a connection is a SYN,ACK, a FIN or a RST: the capture began late or sees one direction, a route is split, or
    somebody scans. As Zeek's unsolicited_SYN_response, spontaneous_FIN, spontaneous_RST."""
    return h["tcp.judged.unasked"]


@rule("warn", "sequence", "{tcp.len} bytes of data before the handshake ended, {tcp.srcport} → {tcp.dstport}")
def data_before_established(h):
    """Its sender had no answer to its SYN yet. As Zeek's data_before_established. Fast Open, whose SYN carries data, is none of it."""
    return h["tcp.judged.early"]


@rule("note", "sequence", "{tcp.len} bytes of data after a reset, {tcp.srcport} → {tcp.dstport}")
def data_after_reset(h):
    """What was on its way when the RST came; or the RST was forged, and its receiver or supposed sender goes on. As Zeek's
    data_after_reset."""
    return h["tcp.judged.after_reset"]


@rule("note", "sequence", "takes window back that it had given, {tcp.srcport} → {tcp.dstport}")
def window_shrunk(h):
    """The right edge of its window moves to the left, which RFC 9293 §3.8.6 discourages: data may be on its way that finds no room.
    As Zeek's window_recision."""
    return h["tcp.judged.shrunk"]


@rule("note", "sequence", "SYN while the connection of these ports is open, {tcp.srcport} → {tcp.dstport}")
def syn_inside_connection(h):
    """Its sender was restarted and knows nothing of the old one, which gets an ACK to tell it (RFC 9293 §3.5.1); or the SYN is forged
    (RFC 5961 §4). As Zeek's SYN_inside_connection, SYN_seq_jump."""
    return h["tcp.judged.inside"]


@rule("note", "sequence", "FIN at another place than the FIN before, {tcp.srcport} → {tcp.dstport}")
def fin_moved(h):
    """A sender that has said where its data end adds some, or takes some back: nobody may (RFC 9293 §3.10.4). As Zeek's
    FIN_advanced_last_seq."""
    return h["tcp.judged.moved"]


@rule("note", "sequence", "SYN,ACK that does not acknowledge the SYN, {tcp.srcport} → {tcp.dstport}")
def bad_syn_ack(h):
    """It answers an older SYN, or is forged; the client resets it (RFC 9293 §3.10.7.3). As Zeek's bad_SYN_ack."""
    return h["tcp.judged.strange"]


@rule("note", "sequence", "window probe, {tcp.srcport} → {tcp.dstport}")
def window_probe(h):
    """Asks whether a window of zero has opened (RFC 9293 §3.8.6.1). Linux sends no byte, one before the next number, which Wireshark
    calls a keep-alive."""
    return h["tcp.judged.probed"]


@rule("note", "sequence", "keep-alive, {tcp.srcport} → {tcp.dstport}")
def keep_alive(h):
    """Asks whether the peer is still there (RFC 9293 §3.8.4): nothing, or one byte that was acknowledged before."""
    return h["tcp.judged.kept_alive"]


@rule("note", "sequence", "the network made two of one segment, {tcp.srcport} → {tcp.dstport}")
def copied(h):
    """The same number and the same IP identification as a segment just before, of a sender that changes it: no retransmission."""
    return h["tcp.judged.copied"]


@rule("note", "sequence", "reordered, {tcp.srcport} → {tcp.dstport}")
def reordered(h):
    """Late, but sent before what overtook it: its IP identification or timestamp is older, or it came too soon for a retransmission.

    Wireshark calls it out of order, and sometimes a fast retransmission.
    """
    return h["tcp.judged.reordered"]


@rule("note", "sequence", "sent again needlessly, {tcp.srcport} → {tcp.dstport}")
def needless(h):
    """Its bytes were acknowledged before. Wireshark's tcp.analysis.spurious_retransmission."""
    return h["tcp.judged.needless"]


@rule("note", "sequence", "sent again after a time-out, {tcp.srcport} → {tcp.dstport}")
def timed_out(h):
    """A timer ran out (RFC 6298): nothing that came just before asked for it. The slow way to repair a loss."""
    return h["tcp.judged.timed_out"] & ~h["tcp.judged.needless"]


@rule("note", "sequence", "sent again, {tcp.srcport} → {tcp.dstport}")
def retransmission(h):
    """Bytes that a frame held before, asked for by acknowledgments, or sent to probe for a loss at the tail (RFC 8985 §7):
    lost between the point of capture and the receiver."""
    return h["tcp.judged.repeated"] & ~h["tcp.judged.needless"] & ~h["tcp.judged.timed_out"]


@rule("note", "sequence", "sent again, the first lost before the capture, {tcp.srcport} → {tcp.dstport}")
def filled(h):
    """Bytes below the next expected that no frame held, sent later than what came before them: the first sending was lost between
    the sender and the point of capture. Wireshark calls it out of order or a retransmission, by time alone."""
    return h["tcp.judged.filled"] & ~h["tcp.judged.timed_out"]


@rule("note", "sequence", "duplicate ACK {tcp.analysis.duplicate_ack_num}, {tcp.srcport} → {tcp.dstport}")
def duplicate_ack(h):
    """The receiver got something behind a hole. As Wireshark's tcp.analysis.duplicate_ack."""
    return h["tcp.analysis.duplicate_ack"]


@rule("warn", "sequence", "window is zero, {tcp.srcport} → {tcp.dstport}")
def zero_window(h):
    """Its program does not read: the sender has to wait. As Wireshark's tcp.analysis.zero_window."""
    return h["tcp.analysis.zero_window"]


@rule("warn", "sequence", "fills the window of its receiver, {tcp.srcport} → {tcp.dstport}")
def window_full(h):
    """Data up to the last byte that the receiver allows. Alone no fault. As Wireshark's tcp.analysis.window_full."""
    return h["tcp.analysis.window_full"]


@rule("note", "sequence", "ports used again, {tcp.srcport} → {tcp.dstport}")
def reused_ports(h):
    """A SYN with another number on known ports: a new connection. As Wireshark's tcp.analysis.reused_ports."""
    return h["tcp.analysis.reused_ports"]


@rule("chat", "sequence", "window update, {tcp.srcport} → {tcp.dstport}")
def window_update(h):
    """Nothing new but the window. As Wireshark's tcp.analysis.window_update."""
    return h["tcp.analysis.window_update"]


@rule("chat", "sequence", "asks to open a connection, {tcp.srcport} → {tcp.dstport}")
def connection_request(h):
    """A SYN without ACK: a client opens. As Wireshark's tcp.connection.syn."""
    return h["tcp.flags.syn"] & ~h["tcp.flags.ack"] & ~h.quoted


@rule("chat", "sequence", "agrees to open a connection, {tcp.srcport} → {tcp.dstport}")
def connection_agreed(h):
    """SYN and ACK: a server agrees. As Wireshark's tcp.connection.synack."""
    return h["tcp.flags.syn"] & h["tcp.flags.ack"] & ~h.quoted


@rule("chat", "sequence", "says that it has no more to send, {tcp.srcport} → {tcp.dstport}")
def finish(h):
    """A FIN: this side closes its direction. As Wireshark's tcp.connection.fin."""
    return h["tcp.flags.fin"] & ~h.quoted
