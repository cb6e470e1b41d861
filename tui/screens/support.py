"""The support screen."""

from textual.app import ComposeResult

from tui.page import Page
from tui.texts import say
from tui.widgets.line import Line


class SupportPage(Page):
    """Still to be written."""

    KEY = "support"

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield Line(say("support.title"), classes="heading")
