"""What a support archive hides."""

import time

import pytest

from nodeagent.support import HIDDEN, hide


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("node.token=abc123 quiet", "abc123"),
        ('"token": "a b c",', "a b c"),
        ("password = hunter2", "hunter2"),
        ("ipmi_password: 'hunter 2'", "hunter 2"),
        ("joined with vnt_ABCDEF234", "vnt_ABCDEF234"),
        ("proxy http://user:pass@proxy:3128/", "user:pass"),
        ("root:$6$salt$hashhash:1:", "$6$salt$hashhash"),
        ("-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n", "MIIE"),
        ("-----BEGIN EC PRIVATE KEY-----\nMIIE cut off", "MIIE"),
    ],
)
def test_secrets_are_hidden_by_name_and_by_shape(text: str, secret: str) -> None:
    """What is called or looks like a secret does not leave the node."""
    assert secret not in hide(text)
    assert HIDDEN in hide(text)


def test_what_is_known_is_hidden_wherever_it_stands() -> None:
    """A value that the configuration calls secret is hidden in plain sentences too."""
    assert hide("the proxy said: sesame?", ("", "sesame")) == f"the proxy said: {HIDDEN}?"


def test_the_rest_is_left_alone() -> None:
    """A log stays readable."""
    text = "eth0: link up at 1000 Mbit/s, address 192.0.2.5/24 from https://example.org/path"
    assert hide(text) == text


def test_hiding_takes_no_longer_for_odd_texts() -> None:
    """Nobody keeps the agent busy with what he logs: many small words are read once each."""
    text = "a." * 200_000
    began = time.process_time()
    assert hide(text) == text
    assert time.process_time() - began < 5
