"""The guests screen."""

from textual.app import ComposeResult

from tui.page import Page
from tui.texts import say
from tui.widgets.line import Line


class GuestsPage(Page):
    """Still to be written."""

    KEY = "guests"

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield Line(say("guests.title"), classes="heading")
