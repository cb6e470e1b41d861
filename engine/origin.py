"""Where a connection comes from."""

import ipaddress


def plain_address(address: str) -> str:
    """Write an IPv4 address as such where a socket for both kinds shows it in the clothes of IPv6."""
    return address.removeprefix("::ffff:") if address.startswith("::ffff:") and "." in address else address


def network_of(address: str) -> str:
    """Name what one party surely owns: an IPv4 address, or the 64 bits of a network of IPv6."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    return str(ipaddress.ip_network((found, 64), strict=False)) if found.version == 6 else address
