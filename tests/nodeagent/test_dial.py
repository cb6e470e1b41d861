"""Addresses as people write them, and waits between tries."""

import pytest

from nodeagent.backoff import LONGEST, SETTLED, Backoff
from nodeagent.dial import Endpoint, is_address, read_endpoint, read_proxy, resolve
from nodeagent.join_error import JoinError
from nodelib.errors import InvalidInput
from nodelib.ladder import Step


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("engine", Endpoint("engine", 7443)),
        (" engine.example.org:443 ", Endpoint("engine.example.org", 443)),
        ("192.0.2.1:1", Endpoint("192.0.2.1", 1)),
        ("2001:db8::1", Endpoint("2001:db8::1", 7443)),
        ("[2001:db8::1]", Endpoint("2001:db8::1", 7443)),
        ("[2001:db8::1]:8443", Endpoint("2001:db8::1", 8443)),
    ],
)
def test_addresses_are_read(text: str, endpoint: Endpoint) -> None:
    """Names, IPv4 and IPv6, with and without port."""
    assert read_endpoint(text) == endpoint
    assert read_endpoint(str(endpoint)) == endpoint


@pytest.mark.parametrize("text", ["", ":1", "a:b", "a:0", "a:65536", "https://a", "a/b", "a b", "u@a"])
def test_wrong_addresses_are_refused(text: str) -> None:
    """Each with what to write instead."""
    with pytest.raises(InvalidInput) as caught:
        read_endpoint(text)
    assert "HOST" in caught.value.hint


def test_proxies_are_read() -> None:
    """The password is decoded for the proxy, and is in no text about it."""
    proxy = read_proxy("http://user:p%40ss@proxy:8080/")
    assert proxy is not None
    assert proxy.endpoint == Endpoint("proxy", 8080)
    assert proxy.authorization == "Basic dXNlcjpwQHNz"
    assert "dXNl" not in repr(proxy)
    assert read_proxy("") is None
    assert read_proxy("proxy") == read_proxy("http://proxy:3128")
    with pytest.raises(InvalidInput, match="kind socks5"):
        read_proxy("socks5://proxy")


def test_names_are_looked_up() -> None:
    """A name that cannot exist is the step DNS, with a hint."""
    assert is_address("192.0.2.1")
    assert is_address("fe80::1%eth0")
    assert not is_address("engine")
    assert resolve("localhost")
    with pytest.raises(JoinError, match=r"no-such-host.invalid cannot be resolved") as caught:
        resolve("no-such-host.invalid")
    assert caught.value.step is Step.DNS


def test_waits_grow_and_are_spread() -> None:
    """Each limit is twice the last up to a minute; chance decides below it; success begins anew."""
    backoff = Backoff(lambda: 0.5)
    assert [backoff.next_wait() for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    backoff.note_success(SETTLED - 1)
    assert backoff.next_wait() == LONGEST / 2
    backoff.note_success(SETTLED)
    assert backoff.next_wait() == 0.5
    assert Backoff(lambda: 0.0).next_wait() == 0
