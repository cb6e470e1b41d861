"""Every text of the console in one catalogue, by key; another language is another catalogue."""

from collections.abc import Mapping

from nodelib.places import Place, word_places
from tui.texts import (
    answers,
    bus,
    dialogs,
    find,
    frame,
    guests,
    help,
    install,
    join,
    logs,
    network,
    places,
    security,
    status,
    storage,
    support,
    system,
    update,
)

PARTS = (
    frame,
    find,
    dialogs,
    answers,
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
    places,
    bus,
)
ENGLISH: Mapping[str, str] = {key: text for part in PARTS for key, text in part.TEXTS.items()}

COMMANDS = ("virtnodectl", "systemctl", "journalctl")
"""What begins a sentence as it is typed."""


def say(key: str, **values: object) -> str:
    """Give the text of a key, with the values in its places; an unknown key is a mistake of the program."""
    text = ENGLISH[key]
    return text.format_map(values) if values else text


WAYS = {place.value: ENGLISH[f"place.{place}"] for place in Place}
"""How to get to each place that the agent's hints name."""


def key_label(key: str) -> str:
    """Name a key of the configuration; one that only a newer agent knows is its own name."""
    return ENGLISH.get(f"answers.label.{key}", key)


def sentence(text: str) -> str:
    """Make a sentence of a message: a capital in front, a full stop behind, and where to look."""
    text = word_places(text.strip(), WAYS)
    if not text:
        return ""
    # What begins with a name of a file, a key, a unit or a disk keeps it as it is.
    first, _, rest = text.partition(" ")
    is_name = first in COMMANDS or rest.startswith("(")
    if first.isalpha() and first.islower() and not is_name:
        text = text[0].upper() + text[1:]
    return text if text[-1] in ".!?:" else text + "."
