"""The join screen."""

from textual.app import ComposeResult

from tui.page import Page
from tui.texts import say
from tui.widgets.line import Line


class JoinPage(Page):
    """Still to be written."""

    KEY = "join"
    SETTINGS = True

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield Line(say("join.title"), classes="heading")
