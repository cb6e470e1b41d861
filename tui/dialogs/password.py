"""Asks for the administrator's password; the agent is who judges it."""

from textual.app import ComposeResult
from textual.widgets import Input

from tui.dialogs.dialog import Dialog
from tui.texts import say
from tui.widgets.fields import SecretField
from tui.widgets.line import Line
from tui.widgets.press import Press


class PasswordDialog(Dialog[str]):
    """Gives what was typed."""

    ENTER = "dialog.ok"

    def __init__(self, account: str, problem: str = "") -> None:
        super().__init__(say("dialog.unlock"))
        self._account = account
        self._problem = problem

    def body(self) -> ComposeResult:
        """Say whose password it is, and what was wrong with the last one."""
        yield Line(say("dialog.unlock_text", account=self._account))
        yield SecretField("password", say("dialog.unlock_field"))

    def on_mount(self) -> None:
        """Show what was wrong with the last one."""
        if self._problem:
            self.query_one(SecretField).show_error(self._problem)

    def buttons(self) -> ComposeResult:
        """Cancel and OK."""
        yield Press(say("dialog.cancel"), "no")
        yield Press(say("dialog.ok"), "yes")

    def on_press_pressed(self, event: Press.Pressed) -> None:
        """Give up, or answer."""
        self.dismiss(self.query_one(SecretField).value if event.name == "yes" else None)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter in the field is OK."""
        event.stop()
        self.dismiss(event.value)
