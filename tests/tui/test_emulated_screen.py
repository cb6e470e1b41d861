"""The emulated screen behind a console's pane."""

import pyte
import pytest
from pyte import graphics
from rich.color import Color

from tui.widgets.terminal import EmulatedScreen, Terminal, colour_of


def feed(screen: EmulatedScreen, text: str) -> None:
    """Write to the screen as a machine does."""
    pyte.ByteStream(screen).feed(text.encode())


def lines(screen: EmulatedScreen) -> list[str]:
    """Read the lines that have something on them."""
    return [line.rstrip() for line in screen.display if line.strip()]


def test_a_smaller_size_keeps_what_is_near_the_cursor() -> None:
    """Empty lines go first; then those at the top."""
    screen = EmulatedScreen(80, 24)
    feed(screen, "one\r\ntwo\r\nthree")
    screen.resize(10, 58)
    assert lines(screen) == ["one", "two", "three"]
    screen.resize(2, 58)
    assert lines(screen) == ["two", "three"]
    feed(screen, "!")
    assert lines(screen) == ["two", "three!"]


def test_a_larger_size_has_room_below() -> None:
    """What was there stays where it was."""
    screen = EmulatedScreen(58, 5)
    feed(screen, "one\r\ntwo")
    screen.resize(20, 100)
    feed(screen, "\r\nthree")
    assert lines(screen) == ["one", "two", "three"]


def test_a_question_for_the_cursor_is_answered() -> None:
    """So programs find out how large the pane is."""
    screen = EmulatedScreen(58, 21)
    feed(screen, "\x1b[999;999H\x1b[6n")
    assert screen.answers == ["\x1b[21;58R"]


def test_colours_are_named_as_they_are_drawn() -> None:
    """The sixteen of old, and those of 24 bits."""
    found = [colour_of(name) for name in ("default", "red", "brown", "brightred", "ff8700")]
    assert found == [None, "red", "yellow", "bright_red", "#ff8700"]


@pytest.mark.parametrize("name", sorted({*graphics.FG_AIXTERM.values(), *graphics.FG_ANSI.values()}))
def test_every_colour_can_be_drawn(name: str) -> None:
    """A guest's choice of colour never ends the console."""
    colour = colour_of(name)
    assert colour is None or Color.parse(colour)


def test_what_the_emulation_does_not_understand_is_survived() -> None:
    """A sequence that pyte fails over costs what came with it, no more."""
    terminal = Terminal()
    terminal.feed(b"\x1b[?1Alost")
    terminal.feed(b"kept")
    assert terminal._emulated.display[0].startswith("kept")
