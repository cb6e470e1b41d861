"""The storage screen."""

from textual.app import ComposeResult

from tui.page import Page
from tui.texts import say
from tui.widgets.line import Line


class StoragePage(Page):
    """Still to be written."""

    KEY = "storage"
    SETTINGS = True

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield Line(say("storage.title"), classes="heading")
