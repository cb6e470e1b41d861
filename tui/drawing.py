"""Drawing for terminals that can do little: no colour, no characters beyond ASCII."""

from functools import lru_cache
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter
from textual.scrollbar import ScrollBarRender

ALIKE = str.maketrans(
    "…•█▌▐─━│┃╭╮╰╯┌┐└┘├┤▲▼✓✗\u2013\u2014\u2018\u2019\u201c\u201d",
    ".*#||--||++++++++||^v+x--''\"\"",
)
"""Characters beyond ASCII that our texts or a node's may have, and the one of ASCII that looks most alike."""


@lru_cache(1024)
def without_colour(style: Style) -> Style:
    """Keep of a style what a terminal without colour can show."""
    return Style(bold=style.bold, underline=style.underline, reverse=style.reverse, meta=style.meta)


@lru_cache(4096)
def in_ascii(text: str) -> str:
    """Write a text with the characters that look most alike, as wide as it was."""
    if text.isascii():
        return text
    text = text.translate(ALIKE)
    return "".join(letter if letter.isascii() else "?" for letter in text)


class PlainFilter(LineFilter):
    """Takes from each line what the terminal cannot show."""

    def __init__(self, *, ascii: bool, monochrome: bool) -> None:
        super().__init__()
        self._ascii = ascii
        self._monochrome = monochrome

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Give the line as the terminal can show it."""
        return [
            Segment(
                in_ascii(text) if self._ascii else text,
                without_colour(style) if self._monochrome and style else style,
                control,
            )
            for text, style, control in segments
        ]


class AsciiScrollBar(ScrollBarRender):
    """A scroll bar of whole cells: reverse where one is."""

    VERTICAL_BARS: ClassVar[list[str]] = [" "]
    HORIZONTAL_BARS: ClassVar[list[str]] = [" "]
