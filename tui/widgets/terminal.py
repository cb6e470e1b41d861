"""A terminal in a widget: what a serial console has shown, and the keys that go to it."""

import logging
from typing import ClassVar

import pyte
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tui.widgets.terminal_keys import text_of_key

logger = logging.getLogger(__name__)

LEAVE = "ctrl+right_square_bracket"
COLOURS = {"brown": "yellow", "brightbrown": "bright_yellow", "bfightmagenta": "bright_magenta"}
"""Colours that pyte names in another way than rich does."""
HEXADECIMAL = 6
"""Letters of a colour that is no name."""


class EmulatedScreen(pyte.Screen):
    """A screen that answers when it is asked what it is and where its cursor stands."""

    def __init__(self, columns: int, lines: int) -> None:
        super().__init__(columns, lines)
        self.answers: list[str] = []

    def resize(self, lines: int | None = None, columns: int | None = None) -> None:
        """Take another size: what stands above the cursor is dropped only where there is no room left."""
        lines = lines or self.lines
        above = max(self.cursor.y - (lines - 1), 0)
        place = self.cursor.y - above
        # pyte itself drops the first lines, whether there is something below them or not.
        kept = {line - above: row for line, row in self.buffer.items() if above <= line < above + lines}
        super().resize(lines, columns)
        self.buffer.clear()
        self.buffer.update(kept)
        self.cursor.y = place

    def write_process_input(self, data: str) -> None:
        """Keep an answer, until it is sent."""
        self.answers.append(data)


class Terminal(Widget, can_focus=True):
    """Draws the lines that changed. Every key but Ctrl-] is sent as `Typed`; that one sends `Left`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(LEAVE, "leave", "guests.leave_console", key_display="Ctrl-]")
    ]
    DEFAULT_CSS = """
    Terminal { width: 1fr; height: 1fr; }
    """

    class Typed(Message):
        """Keys, as the text that a terminal sends for them."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Left(Message):
        """The person is done with it."""

    class Resized(Message):
        """It has another size now."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._emulated = EmulatedScreen(80, 24)
        self._stream = pyte.ByteStream(self._emulated)
        self._cursor_line = 0

    def feed(self, data: bytes) -> None:
        """Show more of what the console says."""
        try:
            self._stream.feed(data)
        except Exception as error:
            # Nobody vouches for what a guest writes, and pyte fails in many ways over what it does not know.
            logger.warning("a console wrote what cannot be shown: %s", type(error).__name__)
            self._stream = pyte.ByteStream(self._emulated)
        self._draw_changed()
        if self._emulated.answers:
            self.post_message(self.Typed("".join(self._emulated.answers)))
            self._emulated.answers.clear()

    def on_resize(self, event: events.Resize) -> None:
        """Take the widget's size; what does not fit any more is gone."""
        if event.size.width and event.size.height:
            self._emulated.resize(event.size.height, event.size.width)
            self._emulated.dirty.clear()
            self.refresh()
            self.post_message(self.Resized())

    def on_key(self, event: events.Key) -> None:
        """Send what was pressed: none of the program's own keys works here."""
        if event.key == LEAVE:
            return
        event.stop()
        event.prevent_default()
        application_keys = CURSOR_KEYS_MODE in self._emulated.mode
        text = text_of_key(event.key, event.character, application_keys=application_keys)
        if text:
            self.post_message(self.Typed(text))

    def action_leave(self) -> None:
        """Be done with it."""
        self.post_message(self.Left())

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Take every key but one, those of the program among them."""
        return key != LEAVE

    def on_paste(self, event: events.Paste) -> None:
        """Send what was pasted, its lines ended as Enter ends them."""
        event.stop()
        self.post_message(self.Typed(event.text.replace("\r\n", "\r").replace("\n", "\r")))

    def on_focus(self) -> None:
        """Show the cursor."""
        self._draw_line(self._emulated.cursor.y)

    def on_blur(self) -> None:
        """Show no cursor."""
        self._draw_line(self._emulated.cursor.y)

    def render_line(self, y: int) -> Strip:
        """Draw a line of the screen."""
        if y >= self._emulated.lines:
            return Strip.blank(self.size.width, self.rich_style)
        cursor = self._emulated.cursor
        here = cursor.x if self.has_focus and y == cursor.y and not cursor.hidden else None
        row = self._emulated.buffer[y]
        segments: list[Segment] = []
        for column in range(self._emulated.columns):
            cell = row[column]
            if cell.data:  # The second half of a wide letter is empty.
                style = style_of(cell)
                segments.append(Segment(cell.data, style + REVERSED if column == here else style))
        return Strip(segments).simplify().adjust_cell_length(self.size.width)

    def _draw_changed(self) -> None:
        lines = {*self._emulated.dirty, self._cursor_line, self._emulated.cursor.y}
        self._emulated.dirty.clear()
        self._cursor_line = self._emulated.cursor.y
        for line in sorted(lines):
            self._draw_line(line)

    def _draw_line(self, line: int) -> None:
        if line < self.size.height:
            self.refresh(Region(0, line, self.size.width, 1))


REVERSED = Style(reverse=True)
CURSOR_KEYS_MODE = 1 << 5
"""As pyte counts: the private mode 1, in which arrows send other texts."""


def style_of(cell: "pyte.screens.Char") -> Style:
    """Draw a cell as the console wants it."""
    return Style(
        color=colour_of(cell.fg),
        bgcolor=colour_of(cell.bg),
        bold=cell.bold or None,
        italic=cell.italics or None,
        underline=cell.underscore or None,
        strike=cell.strikethrough or None,
        reverse=cell.reverse or None,
    )


def colour_of(name: str) -> str | None:
    """Name a colour as rich does; None for the terminal's own."""
    if name == "default":
        return None
    if len(name) == HEXADECIMAL and all(letter in "0123456789abcdef" for letter in name):
        return f"#{name}"
    name = COLOURS.get(name, name)
    return name.replace("bright", "bright_") if name.startswith("bright") and "_" not in name else name
