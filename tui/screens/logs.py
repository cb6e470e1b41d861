"""The logs screen."""

from textual.app import ComposeResult

from tui.page import Page
from tui.texts import say
from tui.widgets.line import Line


class LogsPage(Page):
    """Still to be written."""

    KEY = "logs"

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield Line(say("logs.title"), classes="heading")
