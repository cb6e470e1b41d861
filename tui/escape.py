"""Esc and a key that arrive in one go: a terminal sends the same for Alt and that key."""

from typing import cast

from textual import events
from textual._ansi_sequences import ANSI_SEQUENCES_KEYS

ESC = "\x1b"
DIGITS = {chr(0xE000 + digit): str(digit) for digit in range(10)}
"""Characters that no keyboard has, and the digit after Esc that each stands for."""


def know_digits() -> None:
    """Have the digits after Esc told apart from characters: Textual reads Esc and 3 as a pound sign."""
    sequences = cast(dict[str, object], ANSI_SEQUENCES_KEYS)
    sequences.update({f"{ESC}{digit}": character for character, digit in DIGITS.items()})


def split(event: events.Key) -> tuple[events.Key, ...]:
    """Give Esc and what came with it one after the other; any other key as it is."""
    modifier, _, name = event.key.rpartition("+")
    after = DIGITS.get(event.key, "")
    if not after and modifier in ("alt", "alt+shift") and len(name) == 1:
        after = event.character or name
    if not after:
        return (event,)
    keys = (events.Key("escape", ESC), events.Key(after, after))
    for key in keys:
        key._sender = event._sender
    return keys
