"""The install screen."""

from textual.app import ComposeResult

from tui.page import Page
from tui.texts import say
from tui.widgets.line import Line


class InstallPage(Page):
    """Still to be written."""

    KEY = "install"

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield Line(say("install.title"), classes="heading")
