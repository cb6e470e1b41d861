"""The security screen."""

from textual.app import ComposeResult

from tui.page import Page
from tui.texts import say
from tui.widgets.line import Line


class SecurityPage(Page):
    """Still to be written."""

    KEY = "security"
    SETTINGS = True

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield Line(say("security.title"), classes="heading")
