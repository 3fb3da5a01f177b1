"""
Which addresses a bank may be at (IANA special-purpose registries; RFC 6890, RFC 6598, RFC 4291).

Pure. A public address is one that the whole Internet routes; an IPv6 form that carries an IPv4
address inside is a way to write another address, and is refused with it.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final, Literal

__all__ = ["Reach", "refusal_of"]

#: public: the Internet. private: also networks of our own, and this machine. loopback: this machine.
Reach = Literal["public", "private", "loopback"]

_NAT64: Final = IPv6Network("64:ff9b::/96")


def refusal_of(address: str, reach: Reach) -> str | None:
    """Why a connection to *address* is not allowed; None where it is."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return "is no IP address"
    if reach == "loopback":
        return None if found.is_loopback else "is not this machine, where a simulator is"
    if found.is_link_local:
        return "is a link-local address"
    if found.is_multicast:
        return "is a multicast address"
    if found.is_unspecified:
        return "is no host's address"
    inner = _inside(found)
    if reach == "private":
        return None if inner is None else refusal_of(str(inner), reach)
    if inner is not None:
        return f"is {inner} in another form"
    if found.is_loopback:
        return "is this machine, and private_addresses is false"
    if not found.is_global:
        return "is not a public address, and private_addresses is false"
    return None


def _inside(address: IPv4Address | IPv6Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 one carries (mapped, NAT64, 6to4, Teredo)."""
    if isinstance(address, IPv4Address):
        return None
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)
