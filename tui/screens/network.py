"""The network screen."""

from textual.app import ComposeResult

from tui.page import Page
from tui.texts import say
from tui.widgets.line import Line


class NetworkPage(Page):
    """Still to be written."""

    KEY = "network"
    SETTINGS = True

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield Line(say("network.title"), classes="heading")
