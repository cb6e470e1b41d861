"""A name and what is so named, side by side; the name has a fixed width, the other wraps."""

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content

from tui.widgets.line import Line


class Pair(Horizontal):
    """Hidden while it has nothing to say."""

    DEFAULT_CSS = """
    Pair { height: auto; display: none; }
    Pair.filled { display: block; }
    Pair .name { width: 15; color: $text-muted; }
    Pair .said { width: 1fr; }
    Pair.large .said { text-style: bold; }
    """

    def __init__(self, name: str, *, id: str, large: bool = False) -> None:
        super().__init__(id=id, classes="large" if large else None)
        self._name_text = name
        self._said = Line(classes="said")

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield Line(self._name_text, classes="name")
        yield self._said

    def show(self, text: str | Content) -> None:
        """Show a text, or hide."""
        self._said.show(text)
        self.set_class(bool(text), "filled")


def bar(part: float, width: int = 20) -> str:
    """Draw how full something is: [#####---------------]."""
    filled = round(min(max(part, 0.0), 1.0) * width)
    return f"[{'#' * filled}{'-' * (width - filled)}]"
