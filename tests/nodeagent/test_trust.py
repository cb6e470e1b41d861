"""Is it the pinned engine? Every way in which it is not."""

import time
from dataclasses import replace

import pytest

from nodeagent.join_error import JoinError
from nodeagent.trust import MAX_SKEW, pins_of, read_pin, verify_engine
from nodelib.errors import InvalidInput
from nodelib.ladder import Step
from nodelib.link import PROTOCOL, Hello
from tests.nodeagent.authority import CLIENT, DAY, Authority

NOW = time.time()
CA = Authority(NOW)
OTHER = Authority(NOW, "another")
HELLO = Hello(PROTOCOL, "engine", "1", CA.pem, "nonce", NOW)


def refused(hello: Hello, leaf: bytes, now: float = NOW, pin: str = CA.pin) -> JoinError:
    """Return the error of a verification that must fail."""
    with pytest.raises(JoinError) as caught:
        verify_engine(hello, leaf, (pin,), now)
    assert caught.value.hint
    return caught.value


def test_the_pinned_engine_is_trusted() -> None:
    """Also where its authority is one of several that it names, or of several that are pinned."""
    leaf = CA.issue().der
    assert verify_engine(HELLO, leaf, (CA.pin,), NOW).pin == CA.pin
    both = replace(HELLO, ca=OTHER.pem + CA.pem)
    assert verify_engine(both, leaf, (OTHER.pin, CA.pin), NOW).pin == CA.pin


def test_everybody_else_is_not() -> None:
    """Wrong authority, borrowed authority, a node's certificate, one without a purpose, garbage."""
    good = CA.issue().der
    assert "not the pinned one" in refused(HELLO, good, pin=OTHER.pin).message
    assert "not issued by" in refused(HELLO, OTHER.issue().der).message
    assert "not issued by" in refused(replace(HELLO, ca=OTHER.pem + CA.pem), OTHER.issue().der).message
    assert "not an engine's" in refused(HELLO, CA.issue(usage=CLIENT).der).message
    assert "not an engine's" in refused(HELLO, CA.issue(usage=None).der).message
    assert "shows no certificate authority" in refused(replace(HELLO, ca="garbage"), good).message
    assert "cannot be read" in refused(HELLO, b"garbage").message
    assert refused(HELLO, b"").step is Step.TLS_PIN


def test_a_pinned_leaf_is_no_authority() -> None:
    """Pinning the engine's own certificate does not let it issue others."""
    leaf = CA.issue()
    pin = pins_of(leaf.pem)[0]
    assert "not issued by" in refused(replace(HELLO, ca=leaf.pem), leaf.der, pin=pin).message


def test_time_is_checked_by_our_clock_if_it_can_be() -> None:
    """Expired is expired, whatever the other end says the time is."""
    expired = CA.issue(start=-20 * DAY, end=-DAY).der
    for told in (NOW, NOW - 2 * DAY, NOW - 10 * DAY):
        error = refused(replace(HELLO, time=told), expired)
        assert (error.step, "expired" in error.message) == (Step.CLOCK, True)


def test_a_clock_that_stands_before_the_certificate_is_helped() -> None:
    """By at most MAX_SKEW, and only to a time at which the certificate is valid."""
    leaf = CA.issue().der
    assert verify_engine(HELLO, leaf, (CA.pin,), NOW - MAX_SKEW + DAY).skew == pytest.approx(MAX_SKEW - DAY)
    assert refused(HELLO, leaf, NOW - MAX_SKEW - DAY).step is Step.CLOCK
    assert refused(replace(HELLO, time=NOW + 400 * DAY), leaf, NOW - 100 * DAY).step is Step.CLOCK


def test_pins_are_read_as_people_write_them() -> None:
    """Case and colons do not matter; anything else is refused with what a pin looks like."""
    assert read_pin(CA.pin.upper().replace("SHA256", "sha256")) == CA.pin
    digits = CA.pin.removeprefix("sha256:")
    spaced = ":".join(digits[place : place + 2] for place in range(0, 64, 2))
    assert read_pin(f"SHA256:{spaced}") == CA.pin
    for wrong in ("", digits, "sha256:", "md5:" + digits, CA.pin + "0", "sha256:" + "g" * 64):
        with pytest.raises(InvalidInput, match="not a pin"):
            read_pin(wrong)
    assert pins_of("") == ()
