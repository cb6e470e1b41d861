"""The system screen."""

from textual.app import ComposeResult

from tui.page import Page
from tui.texts import say
from tui.widgets.line import Line


class SystemPage(Page):
    """Still to be written."""

    KEY = "system"
    SETTINGS = True

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield Line(say("system.title"), classes="heading")
