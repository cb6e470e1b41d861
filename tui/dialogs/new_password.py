"""Asks for a new password, twice, since nobody sees what is typed."""

from textual.app import ComposeResult
from textual.widget import Widget
from textual.widgets import Input

from tui.dialogs.dialog import Dialog
from tui.texts import say
from tui.widgets.fields import SecretField
from tui.widgets.line import Line
from tui.widgets.press import Press

SHORTEST = 8


class NewPasswordDialog(Dialog[str]):
    """Gives the password."""

    def __init__(self, account: str, problem: str = "") -> None:
        super().__init__(say("security.password_title", account=account))
        allowed = say("security.password_allowed", count=SHORTEST)
        self._first = SecretField("first", say("security.password_first"), allowed=allowed)
        self._again = SecretField("again", say("security.password_again"))
        self._problem = problem

    def body(self) -> ComposeResult:
        """Say what a password is for, and give the two fields."""
        yield Line(say("security.password_text"))
        yield self._first
        yield self._again

    def on_mount(self) -> None:
        """Show what the node had against the last one."""
        if self._problem:
            self._first.show_error(self._problem)

    def buttons(self) -> ComposeResult:
        """Cancel and OK."""
        yield Press(say("dialog.cancel"), "no")
        yield Press(say("dialog.ok"), "yes")

    def on_press_pressed(self, event: Press.Pressed) -> None:
        """Give up, or answer."""
        if event.name == "no":
            self.dismiss(None)
        else:
            self._answer()

    def enter_does(self, field: Widget) -> str:
        """Tell what Enter does, as the key of a text."""
        return "frame.next" if self._first in field.ancestors else "dialog.ok"

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter goes from the first field to the second, and from there on."""
        event.stop()
        if event.input in self._first.query(Input):
            self._again.query_one(Input).focus()
        else:
            self._answer()

    def _answer(self) -> None:
        self._first.clear_error()
        self._again.clear_error()
        if len(self._first.value) < SHORTEST:
            self._first.show_error(say("security.password_short", count=SHORTEST))
        elif self._first.value != self._again.value:
            self._again.show_error(say("security.password_other"))
        else:
            self.dismiss(self._first.value)
