"""Where connections come from."""

import pytest

from engine.origin import network_of, plain_address


@pytest.mark.parametrize(
    ("shown", "address", "network"),
    [
        ("192.0.2.1", "192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::1%eth0", "fe80::/64"),
        ("::1", "::1", "::/64"),
    ],
)
def test_an_address_and_who_owns_it(shown: str, address: str, network: str) -> None:
    """Bounds are for what one party owns, which with IPv6 is never a single address."""
    assert plain_address(shown) == address
    assert network_of(address) == network
