"""Pictures that differ, over a terminal that counts its bytes."""

from typing import TypeAlias

import pyte
import pytest
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui.differences import Picture

Rows: TypeAlias = list[list[tuple[str, Style | None]]]
BOLD, REVERSE = Style(bold=True), Style(reverse=True)
PICTURES: list[Rows] = [
    [[("title", REVERSE), (" node", BOLD)], [("one two three", None)], []],
    [[("title", REVERSE), (" node", BOLD)], [("one two four", None)], [("below", None)]],
    [[("title", BOLD)], [("   one", None)], [(" " * 20, REVERSE)]],
    [[], [], []],
    [[("x" * 20, None)], [("1 2 3 4 5 6 7 8 9", None)], [("last", BOLD)]],
]


def strips(picture: Rows) -> list[Strip]:
    """Make the lines of a picture."""
    return [Strip([Segment(text, style) for text, style in row]) for row in picture]


@pytest.mark.parametrize("second", range(len(PICTURES)))
@pytest.mark.parametrize("first", range(len(PICTURES)))
def test_a_terminal_shows_the_second_picture_after_the_first(first: int, second: int) -> None:
    """Whatever was shown before, what is shown then is the picture, text and style."""
    shown, anew = pyte.Screen(20, 3), pyte.Screen(20, 3)
    picture = Picture()
    for number in (first, second):
        pyte.Stream(shown).feed(picture.change(strips(PICTURES[number]), 20, ColorSystem.STANDARD))
    pyte.Stream(anew).feed(Picture().change(strips(PICTURES[second]), 20, ColorSystem.STANDARD))
    assert shown.display == anew.display
    for y in range(3):
        for x in range(20):
            one, other = shown.buffer[y][x], anew.buffer[y][x]
            assert (one.data, one.reverse) == (other.data, other.reverse)


def test_the_same_picture_takes_no_byte() -> None:
    """A picture that did not change is not sent, unless it is asked for."""
    picture = Picture()
    assert picture.change(strips(PICTURES[0]), 20, ColorSystem.STANDARD)
    assert picture.change(strips(PICTURES[0]), 20, ColorSystem.STANDARD) == ""
    picture.forget()
    assert picture.change(strips(PICTURES[0]), 20, ColorSystem.STANDARD)


def test_one_letter_takes_a_few_bytes() -> None:
    """Only the place that differs is sent."""
    picture = Picture()
    picture.change(strips([[("count 1 of 9", None)]]), 20, ColorSystem.STANDARD)
    assert picture.change(strips([[("count 2 of 9", None)]]), 20, ColorSystem.STANDARD) == "\x1b[1;7H2"
