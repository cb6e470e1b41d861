"""Hints that name a place: each front end has a clause for each."""

import pytest

from nodeagent.place_commands import COMMANDS
from nodelib.places import Place, at, word_places
from tui.texts import WAYS, sentence


def test_each_front_end_knows_each_place() -> None:
    """A place that is added to the hints is added to both."""
    assert set(COMMANDS) == set(WAYS) == set(Place)


@pytest.mark.parametrize(
    ("hint", "command", "console"),
    [
        (
            at(Place.UNIT, "a@b.service"),
            "virtnodectl journal --unit a@b.service says why",
            "8 shows its journal (u: a@b.service).",
        ),
        (
            f"the disk may be dying: {at(Place.JOURNAL)}",
            "the disk may be dying: virtnodectl journal shows it",
            "The disk may be dying: 8 shows the journal.",
        ),
        (
            "look at <that> and {this}",
            "look at <that> and {this}",
            "Look at <that> and {this}.",
        ),
        (at(Place.UNIT, "{x}"), "virtnodectl journal --unit {x} says why", "8 shows its journal (u: {x})."),
    ],
)
def test_a_place_reads_as_one_gets_there(hint: str, command: str, console: str) -> None:
    """By a command of virtnodectl, by a digit of the console; all else stays as it is."""
    assert word_places(hint, COMMANDS) == command
    assert sentence(hint) == console
