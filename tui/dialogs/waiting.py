"""What is shown while the node is at something that ends by itself, and that keys should not go past."""

from textual.app import ComposeResult

from tui.dialogs.dialog import Dialog
from tui.widgets.line import Line


class WaitDialog(Dialog[None]):
    """Says what is under way and takes the keys meanwhile; whoever opened it closes it."""

    def __init__(self, title: str, text: str) -> None:
        super().__init__(title)
        self._text = text

    def body(self) -> ComposeResult:
        """Give what is waited for."""
        yield Line(self._text)

    def buttons(self) -> ComposeResult:
        """Give none: there is nothing to decide."""
        yield from ()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool:
        """Let nobody leave: what was begun goes on."""
        return action != "leave"
