"""How messages of the agent become sentences."""

import pytest

from tui.texts import sentence


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("the password is wrong", "The password is wrong."),
        ("is dbus running?", "Is dbus running?"),
        ("eth0 has no link", "eth0 has no link."),
        ("virtnodectl join HOST --ca PIN", "virtnodectl join HOST --ca PIN."),
        ("", ""),
    ],
)
def test_a_message_becomes_a_sentence(message: str, said: str) -> None:
    """A capital in front, a full stop behind, and names and commands as they are."""
    assert sentence(message) == said
