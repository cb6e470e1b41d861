"""Every text of the console in one catalogue, by key; another language is another catalogue."""

from collections.abc import Mapping

from tui.texts import (
    dialogs,
    frame,
    guests,
    help,
    install,
    join,
    logs,
    network,
    security,
    status,
    storage,
    support,
    system,
    update,
)

PARTS = (
    frame,
    dialogs,
    help,
    status,
    join,
    network,
    storage,
    install,
    guests,
    security,
    logs,
    support,
    system,
    update,
)
ENGLISH: Mapping[str, str] = {key: text for part in PARTS for key, text in part.TEXTS.items()}

COMMANDS = ("virtnodectl", "systemctl", "journalctl")
"""What begins a sentence as it is typed."""


def say(key: str, **values: object) -> str:
    """Give the text of a key, with the values in its places; an unknown key is a mistake of the program."""
    text = ENGLISH[key]
    return text.format_map(values) if values else text


def sentence(text: str) -> str:
    """Make a sentence of a message: a capital letter in front and a full stop behind."""
    text = text.strip()
    if not text:
        return ""
    # What begins with a name of a file, a key or a unit keeps it as it is.
    first = text.split()[0]
    if first.isalpha() and first.islower() and first not in COMMANDS:
        text = text[0].upper() + text[1:]
    return text if text[-1] in ".!?:" else text + "."
