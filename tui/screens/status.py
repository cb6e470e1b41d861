"""The status screen."""

from textual.app import ComposeResult

from tui.page import Page
from tui.texts import say
from tui.widgets.line import Line


class StatusPage(Page):
    """Still to be written."""

    KEY = "status"

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield Line(say("status.title"), classes="heading")
