"""The parts around the content: title bar, banner, menu."""

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from tui.screen_table import SCREENS, digit
from tui.seen import Seen
from tui.state_text import state_text
from tui.texts import say, sentence
from tui.units import duration
from tui.widgets.line import Line


class TitleBar(Widget):
    """Product, host name, state; at the right the lock, work under way, uptime."""

    DEFAULT_CSS = """
    TitleBar { height: 1; width: 100%; background: $primary; color: $text; text-style: bold; padding: 0 1; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._left = say("frame.product")
        self._right = ""
        self._busy = False
        self._seen = Seen()

    def take(self, seen: Seen) -> None:
        """Show what is known of the node."""
        self._seen = seen
        self._draw()

    def take_busy(self, busy: bool) -> None:
        """Show that a call is under way."""
        self._busy = busy
        self._draw()

    def render(self) -> Content:
        """Draw it: the host name gives way first."""
        width = self.size.width
        room = max(width - len(self._right) - 1, 0)
        left = self._left if len(self._left) <= room else f"{self._left[: max(room - 3, 0)]}..."
        return Content(f"{left.ljust(width - len(self._right))}{self._right}")

    def _draw(self) -> None:
        seen = self._seen
        left = "  ".join(filter(None, (say("frame.product"), state_text(seen), seen.status.hostname)))
        marks = [
            say("frame.working") if self._busy else "",
            say("frame.locked") if seen.locked else "",
            say("frame.uptime", time=duration(_rounded(seen.meters.uptime))) if seen.meters.uptime else "",
        ]
        right = "  ".join(filter(None, marks))
        if (left, right) != (self._left, self._right):
            self._left, self._right = left, right
            self.refresh()


def _rounded(uptime: float) -> float:
    """Leave the minutes out after the first hour: a console that is always on would draw them all day."""
    return uptime if uptime < 3600 else uptime // 600 * 600


class Banner(Line):
    """A line that is there when something is wrong."""

    DEFAULT_CSS = """
    Banner { height: auto; padding: 0 1; display: none; }
    Banner { background: $warning; color: $text; text-style: bold; }
    Banner.filled { display: block; }
    """

    def take(self, seen: Seen) -> None:
        """Show that the agent is away, or nothing."""
        text = ""
        if seen.trouble:
            key = "frame.away" if seen.heard else "frame.waiting"
            text = say(key, trouble=sentence(seen.trouble).rstrip("."))
            text = f"{text} {sentence(seen.hint)}".strip()
        self.tell(text)

    def tell(self, text: str) -> None:
        """Show a text, or nothing."""
        self.show(text)
        self.set_class(bool(text), "filled")


class Menu(Widget, can_focus=True):
    """The ten screens: arrows move, Enter opens."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
        Binding("home", "move(-99)", show=False),
        Binding("end", "move(99)", show=False),
        Binding("enter,right,space", "open", "frame.open", key_display="Enter"),
    ]
    DEFAULT_CSS = """
    Menu { width: 20; height: 1fr; border-right: solid $primary; }
    """

    class Chosen(Message):
        """A screen was chosen."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    def __init__(self) -> None:
        super().__init__()
        self._keys = list(SCREENS)
        self._place = 0
        self._open = ""

    def mark(self, key: str) -> None:
        """Show which screen is open."""
        self._open = key
        self._place = self._keys.index(key)
        self.refresh()

    def render(self) -> Content:
        """Draw a line a screen: `>` the open one, reverse the one that Enter opens."""
        lines = []
        for place, key in enumerate(self._keys):
            mark = ">" if key == self._open else " "
            text = f"{mark}{digit(key)} {say(f'{key}.title')}"[: self.size.width].ljust(self.size.width)
            style = "bold" if key == self._open else ""
            if self.has_focus and place == self._place:
                style = f"{style} reverse"
            lines.append(Content.styled(text, style.strip()))
        return Content("\n").join(lines)

    def action_move(self, step: int) -> None:
        """Move what Enter opens."""
        self._place = min(max(self._place + step, 0), len(self._keys) - 1)
        self.refresh()

    def action_open(self) -> None:
        """Open it."""
        self.post_message(self.Chosen(self._keys[self._place]))

    def on_click(self, event: events.Click) -> None:
        """Open what the mouse points at."""
        if 0 <= event.y < len(self._keys):
            self._place = event.y
            self.action_open()
