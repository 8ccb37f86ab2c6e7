"""Addresses offered by two servers, refused, or not assigned: DHCP (RFC 2131) and DHCPv6 (RFC 9915)."""

from ..protocols import dhcp, dhcpv6
from . import rule


@rule("warn", "security", "a second server, {dhcp.option.dhcp_server_id}, gives addresses in this network")
def second_server(h):
    """An offer or an ACK names another server than the first that gave addresses in this VLAN (or by way of this relay agent).

    Two that share the work are ordinary: compare what they give (`analyze table dhcp_transactions`: router, servers). One that
    nobody set up, a home router plugged in the wrong way round or an attacker's, sends clients to a false router or DNS server.
    """
    return h["dhcp.judged.rival"]


@rule("warn", "response", "the server refuses the address[: {dhcp.option.message}]")
def refused(h):
    """A NAK: the client asked for an address that is not to be had here (RFC 2131 §4.3.2). Usual once after a host moved to another
    network; again and again, two servers disagree, or a lease was given to somebody else."""
    return (h["dhcp.option.dhcp"] == dhcp.NAK) & ~h.quoted


@rule("note", "response", "asks again ({dhcp.option.dhcp:words}), nobody answered, transaction {dhcp.id}")
def unanswered(h):
    """The client repeats its question, and no answer to it is in the capture: no server, no free address, or the answer does not
    come through (relay agent, VLAN, a filter of ports 67 and 68). The first repetition may be nothing but a slow server."""
    return h["dhcp.judged.repeated"]


@rule("note", "response", "the client finds the address {dhcp.option.requested_ip_address} in use already")
def declined(h):
    """A DECLINE: the client asked by ARP and somebody answered (RFC 2131 §3.1.5). A host has an address out of the server's range
    that it was not given."""
    return (h["dhcp.option.dhcp"] == dhcp.DECLINE) & ~h.quoted


@rule("warn", "security", "a second server gives addresses in this network", subject="dhcpv6")
def second_server6(h):
    """An advertisement or a reply gives addresses or prefixes, and comes from another server than the first that did in this VLAN.
    As for DHCPv4: two by design, or one that nobody set up."""
    return h["dhcpv6.judged.rival"]


@rule("warn", "response", "the server has none: {dhcpv6.status_code:words}", subject="dhcpv6")
def no_addresses6(h):
    """No addresses, no prefixes, no binding or not on this link (RFC 9915 §21.13): the client goes on without."""
    failed = (dhcpv6.NO_ADDRESSES, dhcpv6.NO_BINDING, dhcpv6.NOT_ON_LINK, dhcpv6.NO_PREFIXES)
    values, rows = h.column("dhcpv6.status_code")
    found = h.quoted & False
    found[rows[(values[:, None] == failed).any(axis=1)]] = True
    return found & ~h.quoted


@rule("note", "response", "asks again, nobody answered, transaction {dhcpv6.xid}", subject="dhcpv6")
def unanswered6(h):
    """The client repeats its question (RFC 9915 §15), and no answer to it is in the capture."""
    return h["dhcpv6.judged.repeated"]
