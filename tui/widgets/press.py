"""A button of one line, which every terminal can draw: [ Save ]."""

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widget import Widget


class Press(Widget, can_focus=True):
    """Sends `Pressed` with its name."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "press", "frame.press", key_display="Enter")
    ]
    DEFAULT_CSS = """
    Press { width: auto; height: 1; margin-right: 1; color: $text; }
    Press:focus { text-style: bold reverse; }
    Press:disabled { color: $text-disabled; }
    """

    class Pressed(Message):
        """A button was pressed."""

        def __init__(self, press: "Press", name: str) -> None:
            super().__init__()
            self.press = press
            self.name = name

        @property
        def control(self) -> "Press":
            """The button."""
            return self.press

    def __init__(self, label: str, name: str, *, id: str | None = None, disabled: bool = False) -> None:
        super().__init__(name=name, id=id, disabled=disabled)
        self._label = label

    def render(self) -> Content:
        """Draw it."""
        return Content(f"[ {self._label} ]")

    def action_press(self) -> None:
        """Tell that it was pressed."""
        self.post_message(self.Pressed(self, self.name or ""))

    def on_click(self, event: events.Click) -> None:
        """Press as Enter does."""
        event.stop()
        self.action_press()
